/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What only the 32-bit test kernel has: flat segments without paging, tasks, real mode and
 * virtual 8086 mode.
 */
#pragma once

#include "kernel.h"

struct Frame {
    word gpr[8]; /* in the order of the manual */
    word vector, error;
    word rip, cs, rflags;
    word rsp, ss;        /* from another ring */
    word es, ds, fs, gs; /* from virtual 8086 mode */
};

/* A task state segment (SDM 3, figure 8-2). */
typedef struct Tss {
    uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
    uint32_t gpr[8];
    uint32_t es, cs, ss, ds, fs, gs, ldt;
    uint16_t trap, map;
} Tss;

extern Tss other_task, fault_task;

/* 16-bit code in real mode, and in virtual 8086 mode with the flags given.  It is copied to 7000h
 * (in virtual 8086 mode: 700:0) and ends where it ends. */
int try_real(const uint8_t *code, const uint8_t *end);
int try_v8086(const uint8_t *code, const uint8_t *end, word flags);

/* @vector goes to a task of its own, so that it survives a bad stack; until reset(). */
void catch_by_task(unsigned vector);

void cases_faults(void);
void cases_entries(void);
void cases_paging(void);
void cases_tasks(void);
void cases_real(void);
void cases_v8086(void);
