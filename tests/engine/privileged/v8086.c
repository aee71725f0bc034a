/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual 8086 mode without VME: what IOPL guards, what faults push.
 *
 * Reference: SDM 3, chapter 21.2.
 */
#include "kernel32.h"

#define IOPL3 0x3000
#define VM    0x20000

CODE16(v86_nothing, "nop");
CODE16(v86_segments, "mov ax, cs; mov cx, es; mov bx, ds; mov dx, ss");
CODE16(v86_paragraph, "mov ax, 0x900; mov ds, ax; mov word ptr [0x10], 0x4242; mov ax, [0x10]");
CODE16(v86_cli, "cli");
CODE16(v86_sti, "sti");
CODE16(v86_pushf, "pushf; pop ax");
CODE16(v86_popf, "push 2; popf");
CODE16(v86_popf_iopl, "push 2; popf; pushf; pop ax");
CODE16(v86_int, "int 0x81");
CODE16(v86_int3, "int3");
CODE16(v86_into, "mov al, 0x7f; inc al; into");
CODE16(v86_iret, "iret");
CODE16(v86_hlt, "hlt");
CODE16(v86_in, "in al, 0x80");
CODE16(v86_in_ea, "mov dx, 0xea; in al, dx");
CODE16(v86_mov_cr, "mov eax, cr0");
CODE16(v86_lgdt, "lgdt [0]");
CODE16(v86_lldt, "xor ax, ax; lldt ax");
CODE16(v86_str, "str ax");
CODE16(v86_lar, "lar ax, ax");
CODE16(v86_smsw, "smsw ax");
CODE16(v86_limit, "mov bx, 0xffff; mov ax, [bx]");
CODE16(v86_stack_limit, "mov bp, 0xffff; mov ax, [bp]");
CODE16(v86_div0, "xor cl, cl; div cl");
CODE16(v86_far, "push cs; call 1f; mov ax, 0x44; jmp 2f; 1: retf; 2: nop");
CODE16(v86_sysenter, "sysenter");

#define V86(name, code, flags, want)                                                               \
    expect("v8086: " name, try_v8086(code, code##_end, flags), want)
#define V86_VALUE(name, code, flags, value, want)                                                  \
    do {                                                                                           \
        try_v8086(code, code##_end, flags);                                                        \
        expect_value("v8086: " name, value, want);                                                 \
    } while (0)

static void open_gate(void)
{
    set_gate(0x81, stub(0x81), KCODE, 0xee, 0);
}

void cases_v8086(void)
{
    V86("there and back", v86_nothing, 0, NONE);
    V86_VALUE("VM is in the pushed flags", v86_nothing, 0, caught.rflags & VM, VM);
    V86_VALUE("segment registers are pushed", v86_nothing, 0, caught.gpr[8] << 16 | caught.gpr[9],
              0x701U << 16 | 0x702);
    V86_VALUE("FS and GS are pushed", v86_nothing, 0, caught.gpr[10] << 16 | caught.gpr[11],
              0x703U << 16 | 0x704);
    V86_VALUE("CS and SS are seen", v86_segments, 0,
              (caught.gpr[0] & 0xffff) << 16 | (caught.gpr[2] & 0xffff), 0x700U << 16 | 0x500);
    V86_VALUE("segments are paragraphs", v86_paragraph, 0, *(volatile uint16_t *)0x9010, 0x4242);
    V86_VALUE("the stack is ESP0", v86_nothing, 0, caught.handler_rsp, (word)stack0 + 8192 - 16);
    V86("CLI, IOPL 0", v86_cli, 0, GP(0));
    V86("STI, IOPL 0", v86_sti, 0, GP(0));
    V86("PUSHF, IOPL 0", v86_pushf, 0, GP(0));
    V86("POPF, IOPL 0", v86_popf, 0, GP(0));
    V86("INT n, IOPL 0", v86_int, 0, GP(0));
    V86("IRET, IOPL 0", v86_iret, 0, GP(0));
    V86("CLI, IOPL 3", v86_cli, IOPL3, NONE);
    V86("PUSHF, IOPL 3", v86_pushf, IOPL3, NONE);
    V86("POPF, IOPL 3", v86_popf, IOPL3, NONE);
    V86_VALUE("POPF keeps IOPL", v86_popf_iopl, IOPL3, caught.gpr[0] & IOPL3, IOPL3);
    open_gate();
    V86("INT n to an open gate, IOPL 3", v86_int, IOPL3, INT(0x81));
    V86("INT n to a closed gate, IOPL 3", v86_int, IOPL3, GP(0x81 * 8 + 2));
    open_gate();
    gdt[SCRATCH / 8] = descriptor(0, 0xfffff, 0xc09f);
    set_gate(0x81, stub(0x81), SCRATCH, 0xee, 0);
    V86("INT n to conforming code", v86_int, IOPL3, GP(SCRATCH));
    V86("INT3 to a closed gate", v86_int3, 0, GP(3 * 8 + 2));
    V86("INTO to a closed gate", v86_into, 0, GP(4 * 8 + 2));
    V86("HLT", v86_hlt, IOPL3, GP(0));
    V86("IN with IOPL 3 still asks the bitmap", v86_in, IOPL3, GP(0));
    tss[sizeof(Tss) + 0xea / 8] = 0xfb;
    V86("IN allowed by the bitmap", v86_in_ea, 0, NONE);
    V86("MOV from CR0", v86_mov_cr, IOPL3, GP(0));
    V86("LGDT", v86_lgdt, IOPL3, GP(0));
    V86("LLDT", v86_lldt, IOPL3, UD);
    V86("STR", v86_str, IOPL3, UD);
    V86("LAR", v86_lar, IOPL3, UD);
    V86("SMSW", v86_smsw, 0, NONE);
    V86("over the limit", v86_limit, 0, GP(0));
    V86("over the stack's limit", v86_stack_limit, 0, SS(0));
    V86("DIV by zero", v86_div0, 0, DE);
    V86("RETF", v86_far, 0, NONE);
    V86("SYSENTER without a selector", v86_sysenter, 0, GP(0));
}
