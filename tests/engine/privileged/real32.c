/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Real mode: 16-bit segments of 64 KiB, the interrupt vector table, and what it raises.
 *
 * Reference: SDM 3, chapter 21.
 */
#include "kernel32.h"

CODE16(real_nothing, "nop");
CODE16(real_ud2, "ud2");
CODE16(real_div0, "xor cl, cl; div cl");
CODE16(real_int, "int 0x42");
CODE16(real_int3, "int3");
CODE16(real_into, "mov al, 0x7f; inc al; into");
CODE16(real_bound, "push 10; push 0; mov bx, sp; mov ax, 11; bound ax, ss:[bx]; add sp, 4");
CODE16(real_over_limit, "mov bx, 0xffff; mov ax, [bx]");
CODE16(real_over_limit32, "mov ebx, 0x10000; mov al, [ebx]");
CODE16(real_stack_limit, "mov bp, 0xffff; mov ax, [bp]");
CODE16(real_hlt_lock, ".byte 0xf0, 0xf4");
CODE16(real_lldt, "xor ax, ax; lldt ax");
CODE16(real_ltr, "xor ax, ax; ltr ax");
CODE16(real_str, "str ax");
CODE16(real_verr, "verr ax");
CODE16(real_lar, "lar ax, ax");
CODE16(real_arpl, ".byte 0x63, 0xc0");
CODE16(real_sysenter, "sysenter");
CODE16(real_segment, "mov ax, 0x1234; mov es, ax; mov dword ptr es:[0x10], 0xcafebabe; "
                     "mov ecx, es:[0x10]; xor ax, ax; mov es, ax; mov ax, 1");
CODE16(real_push_sp, "mov cx, sp; push sp; pop dx; sub cx, dx; mov ax, cx");
CODE16(real_wrap, "mov ax, 0xffff; mov es, ax; mov al, es:[0x10]; mov bx, 0xffff; mov al, es:[bx]");
CODE16(real_iret, "pushf; push cs; call 1f; mov ax, 0x33; jmp 2f; 1: iret; 2: nop");
CODE16(real_popf32, "pushfd; pop eax; mov ecx, eax; or eax, 0x200000; push eax; popfd; pushfd; "
                    "pop eax; shr eax, 16");
CODE16(real_tf, "pushf; pop ax; or ax, 0x100; push ax; popf; nop; nop");
CODE16(real_smsw, "smsw ax");
CODE16(real_lidt_limit, "sub sp, 6; mov bx, sp; mov word ptr ss:[bx], 0x10b; "
                        "mov dword ptr ss:[bx + 2], 0; lidt ss:[bx]; add sp, 6; int 0x42");
CODE16(real_loop, "mov cx, 10; xor ax, ax; 1: add ax, cx; loop 1b");
CODE16(real_movs, "xor ax, ax; mov es, ax; mov si, 0x7000; mov di, 0x5000; mov cx, 4; cld; "
                  "rep movsb; mov ax, cx");
CODE16(real_call_near, "call 1f; mov dx, 5; jmp 2f; 1: mov cx, 6; ret; 2: nop");
CODE16(real_far_call, ".byte 0x9a; .word 1f - real_far_call + 0x7000, 0; mov dx, 5; jmp 2f; "
                      "1: mov cx, cs; retf; 2: nop");
CODE16(real_mov_cs, ".byte 0x8e, 0xc8");
CODE16(real_wbinvd, "wbinvd; clts; mov eax, cr0");
CODE16(real_in_out, "mov dx, 0xea; out dx, al; mov dx, 0x8f; in al, dx; xor ah, ah");
CODE16(real_too_long, ".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,"
                      "0x66,0x90");

#define REAL(name, code, want) expect("real mode: " name, try_real(code, code##_end), want)
#define REAL_VALUE(name, code, reg, want)                                                          \
    do {                                                                                           \
        int outcome_ = try_real(code, code##_end);                                                 \
        expect_value("real mode: " name,                                                           \
                     outcome_ == NONE ? caught.gpr[reg] & 0xffff                                   \
                                      : 0xbad0000U | (word)outcome_ >> 20,                         \
                     want);                                                                        \
    } while (0)

void cases_real(void)
{
    REAL("there and back", real_nothing, NONE);
    REAL("UD2", real_ud2, UD);
    REAL("DIV by zero", real_div0, DE);
    try_real(real_div0, real_div0_end);
    expect_value("real mode: a fault's IP is the instruction's", caught.rip, 0x7002);
    REAL("INT n", real_int, INT(0x42));
    try_real(real_int, real_int_end);
    expect_value("real mode: INT n returns behind itself", caught.rip, 0x7002);
    REAL("INT3", real_int3, BP);
    REAL("INTO", real_into, OF);
    REAL("BOUND", real_bound, BR);
    REAL("over the limit", real_over_limit, GP(0));
    REAL("over the limit by a 32-bit address", real_over_limit32, GP(0));
    REAL("over the stack's limit", real_stack_limit, SS(0));
    REAL("LOCK HLT", real_hlt_lock, UD);
    REAL("LLDT", real_lldt, UD);
    REAL("LTR", real_ltr, UD);
    REAL("STR", real_str, UD);
    REAL("VERR", real_verr, UD);
    REAL("LAR", real_lar, UD);
    REAL("ARPL", real_arpl, UD);
    REAL("SYSENTER", real_sysenter, GP(0));
    REAL_VALUE("segments are paragraphs", real_segment, 1, 0xbabe);
    expect_value("real mode: segments are paragraphs: where it went", *(volatile uint32_t *)0x12350,
                 0xcafebabe);
    REAL_VALUE("PUSH SP", real_push_sp, 0, 0);
    REAL("above 1 MiB", real_wrap, NONE);
    REAL_VALUE("IRET", real_iret, 0, 0x33);
    REAL_VALUE("32-bit POPF sets ID", real_popf32, 0, 0x20);
    REAL("single step", real_tf, DB);
    REAL_VALUE("SMSW shows no PE", real_smsw, 0, 0x32);
    REAL("IDT limit", real_lidt_limit, INT(0x42));
    REAL_VALUE("LOOP", real_loop, 0, 55);
    REAL_VALUE("REP MOVSB", real_movs, 0, 0);
    REAL_VALUE("CALL near", real_call_near, 2, 5);
    REAL_VALUE("CALL far", real_far_call, 1, 0);
    REAL("MOV to CS", real_mov_cs, UD);
    REAL("privileged instructions are free", real_wbinvd, NONE);
    REAL_VALUE("IN and OUT", real_in_out, 0, 0xff);
    REAL("16 bytes", real_too_long, GP(0));
}
