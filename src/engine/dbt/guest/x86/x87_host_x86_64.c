/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x87's transcendental instructions on an x86-64 host: its own x87 runs them on the guest's
 * whole state, so that results, stack faults and flags are those of this CPU.
 *
 * They are F2XM1, FYL2X, FPTAN, FPATAN, FYL2XP1, FSINCOS, FSIN and FCOS.  FNSAVE leaves the host's
 * x87 as C code expects it.
 *
 * Threads: no state.
 */
#include "engine/dbt/guest/x86/x87.h"

#define RUN(instruction)                                                                           \
    __asm__ volatile("frstor %0\n\t" instruction "\n\tfnsave %0"                                   \
                     : "+m"(*(uint8_t(*)[X87_STATE_SIZE])image)                                    \
                     :                                                                             \
                     : "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "cc")

static void run_f2xm1(uint8_t *image)
{
    RUN("f2xm1");
}

static void run_fyl2x(uint8_t *image)
{
    RUN("fyl2x");
}

static void run_fptan(uint8_t *image)
{
    RUN("fptan");
}

static void run_fpatan(uint8_t *image)
{
    RUN("fpatan");
}

static void run_fyl2xp1(uint8_t *image)
{
    RUN("fyl2xp1");
}

static void run_fsincos(uint8_t *image)
{
    RUN("fsincos");
}

static void run_fsin(uint8_t *image)
{
    RUN("fsin");
}

static void run_fcos(uint8_t *image)
{
    RUN("fcos");
}

void x87_transcendental(X86Cpu *cpu, X87Op op)
{
    static void (*const functions[])(uint8_t * image) = {
        run_f2xm1, run_fyl2x, run_fptan, run_fpatan, run_fyl2xp1, run_fsincos, run_fsin, run_fcos,
    };
    uint64_t fip = cpu->fip, fdp = cpu->fdp;
    uint16_t fop = cpu->fop, fcs = cpu->fcs, fds = cpu->fds;
    uint8_t image[X87_STATE_SIZE];

    x87_put_state(cpu, image);
    functions[op - X87_F2XM1](image);
    x87_get_state(cpu, image);
    cpu->fip = fip;
    cpu->fdp = fdp;
    cpu->fop = fop;
    cpu->fcs = fcs;
    cpu->fds = fds;
}
