/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 32-bit code under long mode (compatibility mode): it has segments with limits again, its own
 * opcodes, and no task switches.
 */
#include "kernel64.h"

#define SEG "mov eax, 0x60; mov ds, eax; "

CASE32(compat, "compat: PUSHA and POPA", COMPAT, NONE, "pushad; popad");
CASE32(compat, "compat: opcode 40 is INC", COMPAT, NONE, ".byte 0x40");
CASE32(compat, "compat: AAM by zero", COMPAT, DE, ".byte 0xd4, 0x00");
CASE32(compat, "compat: INTO without overflow", COMPAT, NONE, "test eax, eax; into");
CASE32(compat, "compat: INTO with overflow", COMPAT, OF, "mov al, 0x7f; inc al; into");
CASE32(compat, "compat: BOUND inside", COMPAT, NONE,
       "push 10; push 0; mov eax, 5; bound eax, [esp]; add esp, 8");
CASE32(compat, "compat: BOUND outside", COMPAT, BR,
       "push 10; push 0; mov eax, 11; bound eax, [esp]; add esp, 8");
CASE32(compat, "compat: MOV from CR8 is REX-less", COMPAT, UD, ".byte 0x0f, 0x20, 0xc8");
CASE32(compat, "compat: SWAPGS", COMPAT, UD, ".byte 0x0f, 0x01, 0xf8");
CASE32(compat, "compat: UD2", COMPAT, UD, "ud2");
CASE32(compat, "compat: HLT in ring 3", USER_COMPAT, GP(0), "hlt");
CASE32(compat, "compat: INT n to a closed gate", USER_COMPAT, GP(0x81 * 8 + 2), "int 0x81");
CASE32(compat, "compat: no page there", COMPAT, PF(0), "mov eax, [0x80003000]");
CASE32(compat, "compat: user write", USER_COMPAT, PF(6),
       "mov ecx, 0x23; mov ds, ecx; mov [0x80003000], eax");
CASE32(compat, "compat: addresses wrap at 4 GiB", COMPAT, NONE,
       "mov eax, 0xfffff000; mov ecx, 0x101000; mov al, [eax + ecx]");
CASE32(compat, "compat: stack segment", COMPAT, NONE, "push eax; pop ecx");
CASE32(compat, "compat: JMP far to a TSS", COMPAT, GP(0x40), ".byte 0xea; .long 0; .word 0x40");
CASE32(compat, "compat: CALL far and back", COMPAT, NONE,
       ".byte 0x9a; .long compat_far; .word 0x30; jmp 1f; .globl compat_far; "
       "compat_far: retf; 1: nop");
CASE32(compat, "compat: LDS", COMPAT, NONE, "push 0x10; push 0x1234; lds eax, [esp]; add esp, 8");
CASE32(limits, "compat: last byte of a segment", COMPAT, NONE, SEG "mov al, [0xfff]");
CASE32(limits, "compat: first byte beyond", COMPAT, GP(0), SEG "mov al, [0x1000]");
CASE32(limits, "compat: over the limit", COMPAT, GP(0), SEG "mov eax, [0xffd]");
CASE32(limits, "compat: write within", COMPAT, NONE, SEG "mov [0xff0], eax");
CASE32(limits, "compat: null DS", COMPAT, GP(0), "xor eax, eax; mov ds, eax; mov al, [0]");
CASE32(limits, "compat: null GS", COMPAT, GP(0), "xor eax, eax; mov gs, eax; mov al, gs:[0]");
CASE32(limits, "compat: beyond the stack's limit", COMPAT, SS(0),
       "mov eax, 0x60; mov ss, eax; mov esp, 0x2000; push eax");
CASE32(limits, "compat: read of the stack beyond", COMPAT, SS(0),
       "mov eax, 0x60; mov ss, eax; mov ebp, 0x2000; mov eax, [ebp]");
CASE32(read_only, "compat: write to a read-only segment", COMPAT, GP(0), SEG "mov [0], eax");
CASE32(read_only, "compat: read of a read-only segment", COMPAT, NONE, SEG "mov eax, [0]");
CASE32(code_seg, "compat: write to a code segment", COMPAT, GP(0), SEG "mov [0], eax");
CASE32(code_seg, "compat: write through CS", COMPAT, GP(0), "mov cs:[0x140000], eax");
CASE32(down, "compat: expand-down, within", COMPAT, NONE, SEG "mov al, [0x1000]");
CASE32(down, "compat: expand-down, below", COMPAT, GP(0), SEG "mov al, [0xfff]");
CASE32(down, "compat: expand-down, at 4 GiB", COMPAT, GP(0), SEG "mov eax, [0xfffffffe]");
CASE32(down16, "compat: 16-bit expand-down, at 64 KiB", COMPAT, GP(0), SEG "mov al, [0x10000]");
CASE32(down16, "compat: 16-bit expand-down, within", COMPAT, NONE, SEG "mov al, [0xffff]");

static void limit_4k(void)
{
    gdt[SCRATCH / 8] = descriptor((uint32_t)(word)scratch, 0xfff, 0x4093);
}

static void read_only_segment(void)
{
    gdt[SCRATCH / 8] = descriptor((uint32_t)(word)scratch, 0xfff, 0x4091);
}

static void code_segment(void)
{
    gdt[SCRATCH / 8] = descriptor((uint32_t)(word)scratch, 0xfff, 0x409b);
}

/* Offsets from 1000h on; the base makes 1000h the scratch page. */
static void expand_down(void)
{
    gdt[SCRATCH / 8] = descriptor((uint32_t)(word)scratch - 0x1000, 0xfff, 0x4097);
}

static void expand_down_16(void)
{
    gdt[SCRATCH / 8] = descriptor((uint32_t)(word)scratch, 0xfff, 0x0097);
}

void cases_compat(void)
{
    RUN_ROWS(compat, 0);
    RUN_ROWS(limits, limit_4k);
    RUN_ROWS(read_only, read_only_segment);
    RUN_ROWS(code_seg, code_segment);
    RUN_ROWS(down, expand_down);
    RUN_ROWS(down16, expand_down_16);
}
