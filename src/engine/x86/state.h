/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole state of an x86-64 vCPU at an instruction boundary, in one form for every engine
 * (docs/architecture.md, "CPU state").  Caches and TLBs are never part of it.
 *
 * Intel SDM volume 3 is the reference for each register's layout.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { X86_RAX, X86_RCX, X86_RDX, X86_RBX, X86_RSP, X86_RBP, X86_RSI, X86_RDI };
enum { X86_ES, X86_CS, X86_SS, X86_DS, X86_FS, X86_GS, X86_SEGMENTS };

/* A segment register with its hidden part. */
typedef struct X86Segment {
    uint64_t base;
    uint32_t limit; /* in bytes, granularity already applied */
    uint16_t selector;
    uint16_t attributes; /* as bits 8..23 of a descriptor's second word, limit bits cleared:
                            type 3:0, S 4, DPL 6:5, P 7, AVL 12, L 13, D/B 14, G 15;
                            bit 16 doesn't fit: a null (unusable) segment has P = 0 */
} X86Segment;

/* GDTR or IDTR. */
typedef struct X86Table {
    uint64_t base;
    uint16_t limit;
} X86Table;

typedef enum X86Activity {
    X86_RUNNING,
    X86_HALTED,
    X86_WAIT_FOR_SIPI, /* an AP after reset or INIT */
} X86Activity;

/* An exception or interrupt between its cause and its delivery. */
typedef struct X86Event {
    bool valid;
    bool has_error;
    bool soft; /* INT n, INT3, INTO: return address lies behind the instruction */
    uint8_t vector;
    uint8_t length;      /* of the instruction, if .soft */
    uint32_t error_code; /* if .has_error */
    bool has_payload;    /* CR2 of #PF, DR6 of #DB not yet written */
    uint64_t payload;
} X86Event;

/* The local APIC: its register page (SDM 11.4.1, 16 bytes a register) and its timer. */
typedef struct X86Lapic {
    uint8_t regs[1024];
    uint64_t
        timer_deadline_ns; /* when the running count reaches 0, on the machine's clock; 0: not */
} X86Lapic;

enum { X86_MTRR_FIXED = 11, X86_MTRR_VARIABLE = 8 };

typedef struct X86Msrs {
    uint64_t efer, star, lstar, cstar, fmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t tsc; /* what RDTSC reads now */
    uint64_t tsc_adjust, tsc_aux, tsc_deadline;
    uint64_t apic_base, pat, misc_enable, spec_ctrl;
    uint64_t mtrr_def_type, mtrr_fixed[X86_MTRR_FIXED];
    uint64_t mtrr_base[X86_MTRR_VARIABLE], mtrr_mask[X86_MTRR_VARIABLE];
    uint64_t mcg_status, mcg_ctl;
    uint64_t kvm_wall_clock, kvm_system_time; /* 4b564d00h and 4b564d01h */
} X86Msrs;

typedef struct X86State {
    uint64_t gpr[16];
    uint64_t rip, rflags;
    X86Segment segment[X86_SEGMENTS], ldtr, tr;
    X86Table gdtr, idtr;
    uint64_t cr0, cr2, cr3, cr4, cr8, xcr0;
    uint64_t dr[4], dr6, dr7;
    uint64_t pdptr[4]; /* PAE paging: what MOV to CR3 loaded */
    /* x87 and vectors; st[] in the order of ST(0)..ST(7), 10 bytes each */
    uint8_t st[8][16];
    uint16_t fcw, fsw, fop;
    uint8_t ftw; /* abridged: a bit per physical register, 1 = not empty */
    uint64_t fip, fdp;
    uint32_t mxcsr;
    uint8_t vector[16][32]; /* XMM in the low 16 bytes, upper half of YMM above */
    X86Msrs msr;
    /* between instructions */
    X86Event exception; /* raised, to be delivered (again) */
    X86Event interrupt; /* accepted from the LAPIC or PIC, to be delivered */
    bool shadow_sti, shadow_mov_ss;
    bool nmi_pending, nmi_blocked;
    X86Activity activity;
    bool init_pending, sipi_pending;
    uint8_t sipi_vector;
    X86Lapic lapic;
} X86State;
