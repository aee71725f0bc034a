/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code that changes: by the vCPU that runs it, by another that all wait for, by another while it
 * runs; and more of it than fits into a translator's cache.
 */
#include "kernel.h"

static volatile uint8_t *own_area(unsigned cpu)
{
    return (volatile uint8_t *)(uintptr_t)(MODIFIED + cpu * 0x10000);
}

static void put_bytes(volatile uint8_t *at, const uint8_t *bytes, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        at[i] = bytes[i];
    }
}

/* --- one vCPU --------------------------------------------------------------------------------- */

typedef uint32_t Way(volatile uint8_t *area, Random *random, uint32_t value);

static uint32_t anew(volatile uint8_t *area, Random *random, uint32_t value)
{
    volatile uint8_t *at = area + below(random, 0x2000);

    put_function(at, value);
    return call(at, 0);
}

static uint32_t across_pages(volatile uint8_t *area, Random *random, uint32_t value)
{
    volatile uint8_t *at = area + 0x3000 - 1 - below(random, FUNCTION_BYTES - 1);

    put_function(at, value);
    return call(at, 0);
}

/* A byte of an instruction that has run before. */
static uint32_t one_byte(volatile uint8_t *area, Random *random, uint32_t value)
{
    volatile uint8_t *at = area + 0x4000;
    unsigned n = 1 + below(random, 4);
    uint32_t before = call(at, 0), mask = 0xffU << (n - 1) * 8;

    at[n] = (uint8_t)(value >> (n - 1) * 8);
    EXPECT((before & ~mask) | (value & mask), call(at, 0));
    put_function(at, value);
    return call(at, 0);
}

/* It changes an instruction that stands behind the store, without a jump between. */
static uint32_t ahead(volatile uint8_t *area, Random *random, uint32_t value)
{
    static const uint8_t code[] = {
        0x89, 0x3d, 1, 0, 0, 0, /* mov [rip + 1], edi: the next one's immediate */
        0xb8, 0,    0, 0, 0,    /* mov eax, 0 */
        0xc3,
    };
    volatile uint8_t *at = area + 0x5000 + below(random, 64);

    put_bytes(at, code, sizeof(code));
    EXPECT(~value, call(at, ~value));
    return call(at, value);
}

/* A loop that changes its own body in each round. */
static uint32_t in_a_loop(volatile uint8_t *area, Random *random, uint32_t value)
{
    static const uint8_t code[] = {
        0x89, 0xf9,             /* mov ecx, edi */
        0xff, 0x05, 1, 0, 0, 0, /* again: inc dword [rip + 1] */
        0xb8, 0,    0, 0, 0,    /* mov eax, value */
        0xff, 0xc9,             /* dec ecx */
        0x75, 0xf1,             /* jnz again */
        0xc3,
    };
    volatile uint8_t *at = area + 0x6000 + below(random, 64);
    uint32_t rounds = 1 + below(random, 20);

    put_bytes(at, code, sizeof(code));
    *(volatile uint32_t *)(at + 9) = value - rounds;
    return call(at, rounds);
}

static uint32_t by_string(volatile uint8_t *area, Random *random, uint32_t value)
{
    uint8_t code[FUNCTION_BYTES];
    volatile uint8_t *at = area + 0x7000;
    volatile void *to = at;
    const void *from = code;
    uint64_t n = sizeof(code);

    put_function(code, value);
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n)::"memory");
    return call(at, 0);
}

/* By another name of the same page. */
static uint32_t by_alias(volatile uint8_t *area, Random *random, uint32_t value)
{
    unsigned page = 64 + this_cpu();
    volatile uint8_t *at = area + 0x8000, *alias = (volatile uint8_t *)(WINDOW + page * 0x1000ULL);

    *window_entry(page) = (uint64_t)at | PTE_P | PTE_W;
    invlpg((uint64_t)alias);
    put_function(at, ~value);
    EXPECT(~value, call(at, 0));
    put_function(alias, value);
    serialise();
    EXPECT(value, call(alias, 0));
    return call(at, 0);
}

static uint32_t by_atomic(volatile uint8_t *area, Random *random, uint32_t value)
{
    volatile uint8_t *at = area + 0x9000 + below(random, 16) * 8;
    uint64_t code = 0xb8 | (uint64_t)value << 8 | (uint64_t)0xc3 << 40;

    __atomic_exchange_n((volatile uint64_t *)at, code, __ATOMIC_SEQ_CST);
    return call(at, 0);
}

/* A function changes what its caller goes on with. */
static uint32_t from_below(volatile uint8_t *area, Random *random, uint32_t value)
{
    static const uint8_t caller[] = {
        0xe8, 0xfb, 0x0f, 0, 0, /* call + 1000h */
        0xb8, 0,    0,    0, 0, /* mov eax, 0 */
        0xc3,
    };
    static const uint8_t callee[] = {
        0x89, 0x3d, 0, 0, 0, 0, /* mov [of the caller], edi */
        0xc3,
    };
    volatile uint8_t *at = area + 0xa000;

    put_bytes(at, caller, sizeof(caller));
    put_bytes(at + 0x1000, callee, sizeof(callee));
    *(volatile int32_t *)(at + 0x1002) = 6 - 0x1006;
    EXPECT(~value, call(at, ~value));
    return call(at, value);
}

void do_modify(unsigned cpu, Random *random)
{
    static Way *const ways[] = { anew,      across_pages, one_byte,  ahead,     in_a_loop,
                                 by_string, by_alias,     by_atomic, from_below };

    put_function(own_area(cpu) + 0x4000, 0);
    for (uint64_t round = 0; round < shared->rounds; round++) {
        uint32_t value = (uint32_t)draw(random);
        shared->round = round;
        EXPECT(value,
               ways[below(random, sizeof(ways) / sizeof(ways[0]))](own_area(cpu), random, value));
    }
}

/* --- all, with manners ------------------------------------------------------------------------ */

/* SDM volume 3, 8.1.3: the writer, then a flag, then a serialising instruction, then the code. */
void do_cross(unsigned cpu, Random *random)
{
    volatile uint8_t *area = (volatile uint8_t *)MODIFIED_BY_ALL;

    for (uint64_t round = 0; round < shared->rounds; round++) {
        volatile uint8_t *at = area + (round % 3 ? 0x100 : 0xffd);
        uint32_t value = (uint32_t)(round * 0x10dcd + 0x80);
        if (round % shared->cpus == cpu) {
            shared->round = round;
            put_function(at, value);
        }
        meet();
        serialise();
        EXPECT(value, call(at, 0));
        if (round % 2) {
            EXPECT(value, call(at, 0));
        }
        meet();
    }
}

/* --- while it runs ---------------------------------------------------------------------------- */

/* vCPU 0, as kernels do it: INT3 in front, the rest, the first byte; all are interrupted after
 * each step. */
static void poke(volatile uint8_t *at, uint32_t value, Random *random)
{
    unsigned first = below(random, 4);

    at[0] = 0xcc;
    shoot_down(0);
    for (unsigned i = 0; i < 4; i++) {
        unsigned n = (first + i) % 4;
        at[1 + n] = (uint8_t)(value >> n * 8);
    }
    shoot_down(0);
    at[0] = 0xb8;
    shoot_down(0);
}

/* The others: never a torn value, never one of before the last that was finished. */
static void run_poked(const volatile uint8_t *at)
{
    uint64_t begun;

    do {
        uint64_t done = __atomic_load_n(&shared->done, __ATOMIC_ACQUIRE);
        uint64_t value = call(at, 0);
        begun = __atomic_load_n(&shared->begun, __ATOMIC_ACQUIRE);
        if (value < done || value > begun) {
            fail(__LINE__, done, value);
        }
    } while (shared->done < shared->rounds && !shared->stop);
}

void do_poke(unsigned cpu, Random *random)
{
    volatile uint8_t *at = (volatile uint8_t *)MODIFIED_BY_ALL + 0x2000 - 3;

    if (cpu == 0) {
        put_function(at, 0);
    }
    meet();
    serialise();
    if (cpu) {
        run_poked(at);
        return;
    }
    for (uint64_t i = 1; i <= shared->rounds; i++) {
        shared->round = i;
        __atomic_store_n(&shared->begun, i, __ATOMIC_SEQ_CST);
        poke(at, (uint32_t)i, random);
        EXPECT(i, call(at, 0));
        __atomic_store_n(&shared->done, i, __ATOMIC_SEQ_CST);
    }
}

/* --- more than the cache holds ---------------------------------------------------------------- */

enum { PIECES = 4096, PIECE = 64, AREA = 0x180000 };

static volatile uint8_t *piece_at(unsigned cpu, unsigned i)
{
    return (volatile uint8_t *)(uintptr_t)(MUCH_CODE + cpu * AREA + i * (AREA / PIECES));
}

/* Several blocks: what comes out of bit 0 of the argument. */
static void put_piece(volatile uint8_t *at, uint32_t value)
{
    static const uint8_t code[] = {
        0xb8, 0,    0,    0, 0, /* mov eax, value */
        0x40, 0xf6, 0xc7, 1,    /* test dil, 1 */
        0x74, 5,                /* jz even */
        0x01, 0xf8,             /* add eax, edi */
        0xd1, 0xc0,             /* rol eax, 1 */
        0xc3,                   /* ret */
        0x31, 0xf8,             /* even: xor eax, edi */
        0xe8, 1,    0,    0, 0, /* call last */
        0xc3,                   /* ret */
        0xff, 0xc0,             /* last: inc eax */
        0xc3,                   /* ret */
    };

    put_bytes(at, code, sizeof(code));
    *(volatile uint32_t *)(at + 1) = value;
}

static uint32_t piece_result(uint32_t value, uint32_t argument)
{
    uint32_t odd = value + argument;

    return argument & 1 ? odd << 1 | odd >> 31 : (value ^ argument) + 1;
}

void do_code(unsigned cpu, Random *random)
{
    static uint32_t values[MAX_CPUS][PIECES];

    for (unsigned i = 0; i < PIECES; i++) {
        values[cpu][i] = (uint32_t)draw(random);
        put_piece(piece_at(cpu, i), values[cpu][i]);
    }
    for (uint64_t round = 0; round < shared->rounds; round++) {
        unsigned i = below(random, PIECES);
        shared->round = round;
        if (below(random, 16) == 0) {
            values[cpu][i] = (uint32_t)draw(random);
            put_piece(piece_at(cpu, i), values[cpu][i]);
        }
        uint32_t argument = (uint32_t)draw(random);
        EXPECT(piece_result(values[cpu][i], argument), call(piece_at(cpu, i), argument));
    }
}
