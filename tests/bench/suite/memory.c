/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of vectors and memory: SSE2 by GCC's vectors, the C library's copies, and misses of the TLB.
 */
#include <string.h>

#include "suite.h"

enum { VECTORS = 2048, TURNS = 32, CHASE_COUNT = (32 << 20) / 8 };

typedef uint32_t Words __attribute__((vector_size(16)));
typedef float Floats __attribute__((vector_size(16)));

static uint64_t simdint(void *data)
{
    const Words step = { 1, 3, 5, 7 };
    Words *v = data;
    Words total = { 0 };

    for (int i = 0; i < VECTORS; i++) {
        v[i] = step * (uint32_t)(i + 1);
    }
    for (int turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < VECTORS; i++) {
            Words w = v[i];
            w = (w << 5 | w >> 27) + step;
            w ^= total;
            total += w & (v[i] | step);
            v[i] = w;
        }
    }
    return mix(mix(0, total[0]), total[3]);
}

static uint64_t simdfp(void *data)
{
    const Floats factor = { 1.01f, 0.99f, 1.02f, 0.98f };
    Floats *v = data;
    Floats total = { 0 };

    for (int i = 0; i < VECTORS; i++) {
        v[i] = (Floats){ (float)i, (float)(i + 1), (float)(i + 2), (float)(i + 3) };
    }
    for (int turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < VECTORS; i++) {
            Floats f = v[i] * factor + 0.125f;
            total += f;
            v[i] = f * 0.9990234375f;
        }
    }
    return mix_double(mix_double(0, total[0]), total[2]);
}

/* From and to addresses that are aligned differently. */
static uint64_t copy(void *data)
{
    Buffers *buffers = data;

    for (int i = 0; i < 16; i++) {
        memcpy(buffers->b + (i & 7), buffers->a, BUFFER_SIZE - 16);
        buffers->a[i] ^= 1;
    }
    for (int i = 0; i < 16; i++) {
        buffers->a[i] ^= 1;
    }
    return buffers->b[77] * 256u + buffers->b[BUFFER_SIZE - 99];
}

static uint64_t set(void *data)
{
    Buffers *buffers = data;

    for (int i = 0; i < 16; i++) {
        memset(buffers->b, i + 1, BUFFER_SIZE);
        HIDE(i);
    }
    return buffers->b[1000] + buffers->b[BUFFER_SIZE - 1];
}

static void setup_length(void *data)
{
    Buffers *buffers = data;

    memset(buffers->b, 'x', BUFFER_SIZE);
    buffers->b[BUFFER_SIZE - 1] = 0;
}

static uint64_t length(void *data)
{
    const Buffers *buffers = data;
    uint64_t total = 0;

    for (int i = 0; i < 16; i++) {
        const char *text = (const char *)buffers->b + i * 3;
        HIDE(text);
        total += strlen(text);
    }
    return total;
}

/* A permutation of one cycle: i becomes (a * i + c) modulo a power of two. */
static void setup_chase(void *data)
{
    uint64_t *next = data;

    for (uint64_t i = 0; i < CHASE_COUNT; i++) {
        next[i] = (i * 1664525u + 1013904223u) & (CHASE_COUNT - 1);
    }
}

/* Each load needs the one before, and lies in another page. */
static uint64_t chase(void *data)
{
    const uint64_t *next = data;
    uint64_t at = 1;

    for (int i = 0; i < 100000; i++) {
        at = next[at];
    }
    return at;
}

const Row memory_rows[] = {
    { "mem", "simdint", "Mvec/s", TURNS *VECTORS / 1e6, 0x2e80a1131e4f4cbb, VECTORS * sizeof(Words),
      simdint },
    { "mem", "simdfp", "Mvec/s", TURNS *VECTORS / 1e6, 0xf04add327a92e0a4, VECTORS * sizeof(Floats),
      simdfp },
    { "mem", "memcpy", "MB/s", 16.0 * BUFFER_SIZE / 1e6, 0xfbb0, sizeof(Buffers), copy,
      fill_buffer },
    { "mem", "memset", "MB/s", 16.0 * BUFFER_SIZE / 1e6, 0x20, sizeof(Buffers), set },
    { "mem", "strlen", "MB/s", 16.0 * BUFFER_SIZE / 1e6, 0xfffe88, sizeof(Buffers), length,
      setup_length },
    { "mem", "chase", "Mload/s", 0.1, 0x1fbfa1, CHASE_COUNT * sizeof(uint64_t), chase,
      setup_chase },
    { 0 },
};
