/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What only the 64-bit test kernel has: its pages and its entry frame.
 */
#pragma once

#include "kernel.h"

struct Frame {
    word gpr[16]; /* in the order of the manual */
    word vector, error;
    word rip, cs, rflags, rsp, ss;
};

extern uint64_t pml4[512], pdpt[512], pd_low[512], pd_user[512], pd_test[512], pd_high[512],
    pt_test[512];

#define PTE_P     0x1ULL
#define PTE_W     0x2ULL
#define PTE_U     0x4ULL
#define PTE_A     0x20ULL
#define PTE_D     0x40ULL
#define PTE_LARGE 0x80ULL
#define PTE_G     0x100ULL
#define PTE_NX    0x8000000000000000ULL
#define PTE_RSVD  0x0008000000000000ULL

/* Test pages: entry i of pt_test maps TEST_PAGE(i). */
#define TEST_BASE    0x80000000UL
#define TEST_PAGE(i) (TEST_BASE + (uintptr_t)(i)*4096)

/* The same memory as ring 3 sees it. */
static inline word user(const void *kernel)
{
    return (word)kernel + 0x40000000;
}

static inline void invlpg(word gva)
{
    __asm__ volatile("invlpg (%0)" : : "r"(gva) : "memory");
}

#define NONCANONICAL 0x8000000000000000

void cases_paging(void);
void cases_tlb(void);
void cases_faults(void);
void cases_entries(void);
void cases_returns(void);
void cases_debug(void);
void cases_registers(void);
void cases_segments(void);
void cases_vectors(void);
void cases_compat(void);
