/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel that does what the keys on its serial port say, for the tests of the programs.
 *
 * It is entered by PVH (32-bit, paging off), prints "READY", and then answers each byte:
 *
 *   o  power off      r  reset          t  triple fault    0 to 9  write it to the test-exit port
 *   l  loop for ever  h  halt for ever  f  print 200000 bytes and "DONE"
 *
 * Any other byte is printed in brackets and counted in `count`, where a debugger can watch it.
 */

    .section .note.pvh, "a", @note
    .align 4
    .long 4, 4, 18
    .asciz "Xen"
    .long start

    .text
    .code32
    .globl start, main_loop, answer, print, put, get
start:
    mov $stack, %esp
    mov $ready, %esi
    call print
main_loop:
    call get
    call answer
    jmp main_loop

/* What byte %al asks for. */
answer:
    cmp $'o', %al
    je power_off
    cmp $'r', %al
    je reset
    cmp $'t', %al
    je triple_fault
    cmp $'l', %al
    je loop
    cmp $'h', %al
    je halt
    cmp $'f', %al
    je flood
    mov %al, %bl
    sub $'0', %bl
    cmp $10, %bl
    jb test_exit
    incl count
    mov %al, %bl
    mov $'<', %al
    call put
    mov %bl, %al
    call put
    mov $'>', %al
    jmp put

power_off:
    mov $0x604, %dx                 /* PM1a control: sleep enable, type 5 */
    mov $0x3400, %ax
    outw %ax, %dx
    jmp loop

reset:
    mov $0xcf9, %dx
    mov $6, %al
    outb %al, %dx
    jmp loop

test_exit:
    mov %bl, %al
    outb %al, $0xf4
    jmp loop

triple_fault:
    lidt no_table
    ud2

halt:
    cli
    hlt
    jmp halt

loop:
    jmp loop

flood:
    mov $200000, %ecx
1:  mov $'F', %al
    call put
    loop 1b
    mov $done, %esi

/* Print the zero-ended text at %esi. */
print:
    lodsb
    test %al, %al
    jz 1f
    call put
    jmp print
1:  ret

/* Print byte %al. */
put:
    mov %al, %ah
    mov $0x3fd, %dx
1:  inb %dx, %al                    /* until the port can take a byte */
    test $0x20, %al
    jz 1b
    mov $0x3f8, %dx
    mov %ah, %al
    outb %al, %dx
    ret

/* Wait for a byte: %al. */
get:
    mov $0x3fd, %dx
1:  inb %dx, %al
    test $1, %al
    jz 1b
    mov $0x3f8, %dx
    inb %dx, %al
    ret

ready:
    .asciz "READY\r\n"
done:
    .asciz "DONE\r\n"

    .align 8
no_table:
    .word 0
    .long 0

    .data
    .align 4
    .globl count
count:
    .long 0

    .bss
    .align 16
    .skip 4096
stack:
