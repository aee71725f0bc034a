/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel that is nothing but loops of known length, to measure instructions per second.
 *
 * It is entered by PVH (32-bit, paging off), goes to long mode with 2 MiB pages that map the first
 * GiB onto itself, and runs each loop once: 20 million rounds of 8 instructions.  Before a loop it
 * prints "BEGIN name", and behind it "END name", on the first serial port.  It ends by a reset
 * through the keyboard controller.
 */

#define ITERATIONS 20000000

    /* An ELF note of type 18 named "Xen" says where to enter (PVH). */
    .section .note.pvh, "a", @note
    .align 4
    .long 4, 4, 18
    .asciz "Xen"
    .long start

    .text
    .code32
    .globl start
start:
    cld
    mov $tables, %edi               /* PML4, page-directory pointers, page directory */
    mov $0x3000 / 4, %ecx
    xor %eax, %eax
    rep stosl
    movl $tables + 0x1003, tables
    movl $tables + 0x2003, tables + 0x1000
    mov $0x83, %eax                 /* present, writable, 2 MiB */
    mov $tables + 0x2000, %edi
1:  mov %eax, (%edi)
    add $0x200000, %eax
    add $8, %edi
    cmp $tables + 0x3000, %edi
    jne 1b
    mov $tables, %eax
    mov %eax, %cr3
    mov %cr4, %eax
    or $0x20, %eax                  /* PAE */
    mov %eax, %cr4
    mov $0xc0000080, %ecx           /* EFER.LME */
    rdmsr
    or $0x100, %eax
    wrmsr
    mov %cr0, %eax
    or $0x80000001, %eax            /* paging, protection */
    mov %eax, %cr0
    lgdt gdt_pointer
    ljmp $8, $long_mode

    .code64
/* Print the zero-ended text at %rsi. */
print:
    mov $0x3fd, %edx
1:  inb %dx, %al                    /* wait until the port can take a byte */
    test $0x20, %al
    jz 1b
    lodsb
    test %al, %al
    jz 2f
    mov $0x3f8, %edx
    outb %al, %dx
    jmp print
2:  ret

long_mode:
    mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $stack_top, %esp

    mov $alu_begin, %esi            /* integer arithmetic in registers */
    call print
    mov $ITERATIONS, %ecx
    mov $3, %eax
    mov $5, %ebx
1:  add %rbx, %rax
    xor %rax, %rbx
    lea 7(%rax, %rbx, 2), %rdx
    shr $3, %rdx
    sub %rdx, %rbx
    imul $17, %rax, %rax
    dec %ecx
    jnz 1b
    mov $alu_end, %esi
    call print

    mov $memory_begin, %esi         /* loads and stores within 64 KiB */
    call print
    mov $ITERATIONS, %ecx
    xor %ebx, %ebx
1:  mov buffer(%rbx), %rax
    add $1, %rax
    mov %rax, buffer(%rbx)
    add $64, %ebx
    and $0xffff, %ebx
    add buffer(%rbx), %rax
    dec %ecx
    jnz 1b
    mov $memory_end, %esi
    call print

    mov $call_begin, %esi           /* calls, returns, branches that are hard to foresee */
    call print
    mov $ITERATIONS, %ecx
    mov $12345, %eax
1:  imul $1103515245, %eax, %eax
    call leaf
    nop
    nop
    dec %ecx
    jnz 1b
    mov $call_end, %esi
    call print

    mov $0xfe, %al                  /* reset */
    outb %al, $0x64
1:  hlt
    jmp 1b
leaf:
    add $12345, %eax
    ret

    .section .rodata
alu_begin: .asciz "BEGIN alu\n"
alu_end: .asciz "END alu\n"
memory_begin: .asciz "BEGIN memory\n"
memory_end: .asciz "END memory\n"
call_begin: .asciz "BEGIN call\n"
call_end: .asciz "END call\n"
    .align 8
gdt:
    .quad 0
    .quad 0x00af9a000000ffff        /* 64-bit code */
    .quad 0x00cf92000000ffff        /* data */
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long gdt

    .bss
    .align 4096
tables:
    .skip 0x3000
buffer:
    .skip 0x10000 + 64
    .skip 4096
stack_top:
    .section .note.GNU-stack, "", @progbits
