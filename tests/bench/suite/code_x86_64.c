/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows that write code and run it, as a just-in-time compiler does: a function patched in place,
 * and fresh functions that run once or twenty times.
 *
 * A function does some rounds of x = rotate(x * k + k ^ k) with another k in each round, so that no
 * two are alike and nothing that was translated can be used again.
 */
#include <string.h>
#include <sys/mman.h>

#include "suite.h"

enum { CODE_SIZE = 2 << 20, FUNCTIONS = 400, ROUNDS = 32, PATCHES = 200, PATCHED_ROUNDS = 4 };

typedef uint32_t (*Function)(uint32_t x);

typedef struct Code {
    uint8_t *at;
    uint8_t *functions[FUNCTIONS];
    uint32_t generation;
} Code;

static uint8_t *put(uint8_t *out, const char *bytes, size_t count)
{
    memcpy(out, bytes, count);
    return out + count;
}

static uint8_t *put_with(uint8_t *out, const char *bytes, size_t count, uint32_t immediate)
{
    out = put(out, bytes, count);
    memcpy(out, &immediate, sizeof(immediate));
    return out + sizeof(immediate);
}

/* Writes a function at @out, and returns where it ends. */
static uint8_t *emit(uint8_t *out, uint32_t seed, int rounds)
{
    out = put(out, "\x89\xf8", 2); /* mov eax, edi */
    for (int i = 0; i < rounds; i++) {
        uint32_t k = seed + (uint32_t)i * 0x01000193u;
        out = put_with(out, "\x69\xc0", 2, k); /* imul eax, eax, k */
        out = put_with(out, "\x05", 1, k);     /* add eax, k */
        out = put_with(out, "\x35", 1, k);     /* xor eax, k */
        out = put(out, "\xc1\xc0\x05", 3);     /* rol eax, 5 */
    }
    return put(out, "\xc3", 1);
}

/* What such a function returns. */
static uint32_t expected(uint32_t x, uint32_t seed, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        uint32_t k = seed + (uint32_t)i * 0x01000193u;
        x = (x * k + k) ^ k;
        x = x << 5 | x >> 27;
    }
    return x;
}

static void setup_code(void *data)
{
    Code *code = data;

    code->at = mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code->at == MAP_FAILED) {
        die("mmap of code");
    }
    memset(code->at, 0, CODE_SIZE);
}

static uint64_t patch(void *data)
{
    Code *code = data;
    uint32_t x = 1;

    for (uint32_t i = 0; i < PATCHES; i++) {
        uint8_t *end = emit(code->at, 0x1234567 + i, PATCHED_ROUNDS);
        __builtin___clear_cache((char *)code->at, (char *)end);
        uint32_t y = ((Function)(uintptr_t)code->at)(x);
        if (y != expected(x, 0x1234567 + i, PATCHED_ROUNDS)) {
            return ~(uint64_t)0;
        }
        x = y;
    }
    return x;
}

static uint64_t generate(Code *code, int turns)
{
    uint8_t *out = code->at;
    uint32_t base = ++code->generation * 0x10001u;
    uint32_t x = 1;
    uint32_t y = 1;

    for (uint32_t i = 0; i < FUNCTIONS; i++) {
        code->functions[i] = out;
        out = emit(out, base + i, ROUNDS);
        out += -(uintptr_t)out & 15;
    }
    __builtin___clear_cache((char *)code->at, (char *)out);
    for (int turn = 0; turn < turns; turn++) {
        for (int i = 0; i < FUNCTIONS; i++) {
            x = ((Function)(uintptr_t)code->functions[i])(x);
        }
    }
    for (int turn = 0; turn < turns; turn++) {
        for (uint32_t i = 0; i < FUNCTIONS; i++) {
            y = expected(y, base + i, ROUNDS);
        }
    }
    return x == y;
}

static uint64_t run_once(void *data)
{
    return generate(data, 1);
}

static uint64_t run_twenty_times(void *data)
{
    return generate(data, 20);
}

const Row code_rows[] = {
    { "jit", "smc", "kpatch/s", PATCHES / 1e3, 0x2ebe19e8, sizeof(Code), patch, setup_code },
    { "jit", "codegen1", "kfunc/s", FUNCTIONS / 1e3, 1, sizeof(Code), run_once, setup_code },
    { "jit", "codegen20", "kfunc/s", FUNCTIONS / 1e3, 1, sizeof(Code), run_twenty_times,
      setup_code },
    { 0 },
};
