/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first CPU's registers at a kernel's entry: flat segments from the boot GDT, interrupts off,
 * everything else as at reset.
 *
 * Threads: no state.
 */
#include "machine/board/board.h"

enum { CODE_32 = 0xc09b, CODE_64 = 0xa09b, DATA = 0xc093, TSS = 0x8b, LDT = 0x82 };
enum { CR4_PAE = 0x20, EFER_LME = 0x100, EFER_LMA = 0x400, RFLAGS_ONE = 2 };
#define CR0_PE UINT64_C(0x00000001)
#define CR0_ET UINT64_C(0x00000010)
#define CR0_PG UINT64_C(0x80000000)

/* Memory types, and the default type's register (SDM volume 3, 12.11.2). */
enum { UNCACHED = 0, WRITE_PROTECTED = 5, WRITE_BACK = 6 };
enum { MTRR_ENABLE_FIXED = 1 << 10, MTRR_ENABLE = 1 << 11 };
#define MTRR_ALL(type) (UINT64_C(0x0101010101010101) * (type))

static X86Segment flat(uint16_t selector, uint16_t attributes)
{
    return (X86Segment){ .limit = UINT32_MAX, .selector = selector, .attributes = attributes };
}

/* RAM is write-back, the old video memory uncached, what was ROM write-protected.  Registers of
 * devices lie where a kernel maps them uncached by itself. */
void board_set_memory_types(X86State *cpu)
{
    cpu->msr.mtrr_fixed[0] = MTRR_ALL(WRITE_BACK); /* 00000 to 7ffff */
    cpu->msr.mtrr_fixed[1] = MTRR_ALL(WRITE_BACK); /* 80000 to 9ffff */
    cpu->msr.mtrr_fixed[2] = MTRR_ALL(UNCACHED);   /* a0000 to bffff */
    for (unsigned i = 3; i < X86_MTRR_FIXED; i++) {
        cpu->msr.mtrr_fixed[i] = MTRR_ALL(WRITE_PROTECTED);
    }
    cpu->msr.mtrr_def_type = MTRR_ENABLE | MTRR_ENABLE_FIXED | WRITE_BACK;
}

void board_enter(X86State *cpu, const BootEntry *entry)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(cpu->gpr); i++) {
        cpu->gpr[i] = 0;
    }
    cpu->gpr[X86_RBX] = entry->rbx;
    cpu->gpr[X86_RSI] = entry->rsi;
    cpu->rip = entry->rip;
    cpu->rflags = RFLAGS_ONE;
    for (unsigned i = 0; i < X86_SEGMENTS; i++) {
        cpu->segment[i] = flat(BOOT_DS, DATA);
    }
    cpu->segment[X86_CS] = flat(BOOT_CS, entry->long_mode ? CODE_64 : CODE_32);
    cpu->tr = (X86Segment){ .limit = 0xffff, .attributes = TSS };
    cpu->ldtr = (X86Segment){ .limit = 0xffff, .attributes = LDT };
    cpu->gdtr = (X86Table){ .base = BOOT_GDT, .limit = BOOT_GDT_LIMIT };
    cpu->idtr = (X86Table){ 0 };
    cpu->cr0 = CR0_PE | CR0_ET;
    cpu->cr4 = 0;
    if (entry->long_mode) {
        cpu->cr0 |= CR0_PG;
        cpu->cr3 = entry->page_tables;
        cpu->cr4 = CR4_PAE;
        cpu->msr.efer = EFER_LME | EFER_LMA;
    }
    cpu->activity = X86_RUNNING;
    board_set_memory_types(cpu);
}
