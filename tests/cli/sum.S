/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel that would notice if it were saved and restored wrongly.
 *
 * It is entered by PVH (32-bit, paging off), fills 4 MiB with numbers that it computes, prints
 * "READY", and then goes over them for ever: each must be what the last round left, and the time
 * stamp counter must never run backwards.  A round's end prints a dot.  What is
 * wrong ends it by the test-exit port: 1 memory, 2 TSC, 3 an x87 or SSE register.
 */
#define AREA  0x400000
#define WORDS 0x100000

    .section .note.pvh, "a", @note
    .align 4
    .long 4, 4, 18
    .asciz "Xen"
    .long start

    .text
    .code32
    .globl start
start:
    mov $stack, %esp
    mov %cr4, %eax
    or $0x200, %eax                 /* OSFXSR */
    mov %eax, %cr4
    fninit
    fldpi
    mov $0x12345678, %eax
    movd %eax, %xmm3
    mov $1, %ebx                    /* the number of the round */
    xor %edi, %edi
1:  mov %edi, %eax
    imul $0x9e3779b1, %eax
    mov %eax, AREA(, %edi, 4)
    inc %edi
    cmp $WORDS, %edi
    jb 1b
    rdtsc
    mov %eax, last_low
    mov %edx, last_high
    mov $ready, %esi
2:  lodsb
    test %al, %al
    jz round
    call put
    jmp 2b

round:
    xor %edi, %edi
3:  mov %edi, %eax                  /* what word %edi was given: (i + round - 1) * constant */
    add %ebx, %eax
    dec %eax
    imul $0x9e3779b1, %eax
    cmp %eax, AREA(, %edi, 4)
    mov $1, %cl
    jne wrong
    add $0x9e3779b1, %eax
    mov %eax, AREA(, %edi, 4)
    test $0x3fff, %edi
    jnz 4f
    call check_time
4:  inc %edi
    cmp $WORDS, %edi
    jb 3b
    inc %ebx
    movd %xmm3, %eax
    mov $3, %cl
    cmp $0x12345678, %eax
    jne wrong
    fstpt pi
    cmpl $0x2168c235, pi
    jne wrong
    cmpl $0xc90fdaa2, pi + 4
    jne wrong
    fldt pi
    mov $'.', %al
    call put
    jmp round

check_time:
    rdtsc
    mov $2, %cl
    cmp last_high, %edx
    jb wrong
    ja 5f
    cmp last_low, %eax
    jb wrong
5:  mov %eax, last_low
    mov %edx, last_high
    ret

wrong:
    mov %cl, %al
    outb %al, $0xf4
    jmp wrong

put:
    mov %al, %ah
    mov $0x3fd, %dx
6:  inb %dx, %al
    test $0x20, %al
    jz 6b
    mov $0x3f8, %dx
    mov %ah, %al
    outb %al, %dx
    ret

ready:
    .asciz "READY\r\n"

    .data
    .align 16
pi:
    .skip 16
last_low:
    .long 0
last_high:
    .long 0

    .bss
    .align 16
    .skip 4096
stack:
