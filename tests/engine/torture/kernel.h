/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the torture guest share.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "guest.h"

#define shared ((volatile Shared *)SHARED)

typedef uint32_t Function(uint32_t argument);

/* Ends this vCPU's part, and the others'. */
_Noreturn void fail(unsigned line, uint64_t expected, uint64_t found);
#define EXPECT(expected, found)                                                                    \
    do {                                                                                           \
        uint64_t expect_a = (expected), expect_b = (found);                                        \
        if (expect_a != expect_b) {                                                                \
            fail(__LINE__, expect_a, expect_b);                                                    \
        }                                                                                          \
    } while (0)

/* Numbers that the host's seed decides, another row for each vCPU. */
typedef struct Random {
    uint64_t state;
} Random;
uint64_t draw(Random *random);
static inline unsigned below(Random *random, unsigned n)
{
    return (unsigned)((draw(random) >> 33) % n);
}

/* Which vCPU this is. */
unsigned this_cpu(void);
/* Wait until all are here. */
void meet(void);
/* All vCPUs have executed INVLPG for @gva (or, for 0, an interrupt) when this returns. */
void shoot_down(uint64_t gva);
/* Page @n of WINDOW. */
static inline volatile uint64_t *window_entry(unsigned n)
{
    return (volatile uint64_t *)WINDOW_TABLE + n;
}
enum { PTE_P = 1, PTE_W = 2, PTE_A = 0x20, PTE_D = 0x40 };
#define PTE_NX (UINT64_C(1) << 63)

static inline void pause(void)
{
    __asm__ volatile("pause" ::: "memory");
}

static inline void serialise(void)
{
    uint32_t a = 0, b, c = 0, d;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d)::"memory");
}

static inline void invlpg(uint64_t gva)
{
    __asm__ volatile("invlpg [%0]" ::"r"(gva) : "memory");
}

/* mov eax, value; ret */
enum { FUNCTION_BYTES = 6 };
static inline void put_function(volatile uint8_t *at, uint32_t value)
{
    at[0] = 0xb8;
    *(volatile uint32_t *)(at + 1) = value;
    at[5] = 0xc3;
}

static inline uint32_t call(const volatile void *at, uint32_t argument)
{
    return ((Function *)(uintptr_t)at)(argument);
}

/* The parts, one for each Op. */
typedef void Part(unsigned cpu, Random *random);
Part do_modify, do_cross, do_poke, do_pages, do_atomics, do_code, do_work;
