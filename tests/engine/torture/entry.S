/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries of the torture guest: of each vCPU, whose number is in EDI, and of exceptions and
 * interrupts.  Handlers in C get the stack's frame; they use general registers only.
 */
    .intel_syntax noprefix
    .section .boot, "ax"
    .globl start
start:
    cld
    call main
1:  hlt
    jmp 1b

    .text
    .macro entry name, code=0
    .globl entry_\name
entry_\name:
    .if \code == 0
    push 0
    .endif
    push rax
    push rcx
    push rdx
    push rsi
    push rdi
    push r8
    push r9
    push r10
    push r11
    cld
    lea rdi, [rsp + 72]
    call on_\name
    pop r11
    pop r10
    pop r9
    pop r8
    pop rdi
    pop rsi
    pop rdx
    pop rcx
    pop rax
    add rsp, 8
    iretq
    .endm

    entry debug
    entry nmi
    entry breakpoint
    entry page_fault, 1
    entry tick
    entry shootdown
    entry other
