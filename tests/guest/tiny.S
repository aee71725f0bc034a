/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The smallest guests: a PVH kernel of a few instructions that does what the first letter of its
 * command line says, and prints a line on the first serial port before.
 *
 *   e  ends by the test-exit port with 7         f  triple fault
 *   r  reset by the keyboard controller          c  reset by port CF9h
 *   o  power-off by ACPI                         h  halt with interrupts off, for ever
 *   l  loops for ever                            b  checks the machine: timer interrupt by the
 *   p  writes rubbish to ports, then as e           8259 and the PIT, RTC, UART, then as e
 *   m  writes rubbish to device memory, then as e
 *   t  fills 64 MiB with numbers, and then prints dots for ever
 *
 * Entered in 32-bit protected mode, flat, paging off, %ebx = hvm_start_info.
 */
    .section .note.pvh, "a", @note
    .align 4
    .long 4, 4, 18
    .asciz "Xen"
    .long start

    .text
    .code32
    .globl start
start:
    mov $stack_top, %esp
    mov 24(%ebx), %eax              /* cmdline_paddr */
    mov (%eax), %bl
    mov $hello, %esi
    call print
    mov $choices, %esi
1:  lodsb
    test %al, %al
    jz no_choice
    mov %al, %cl
    lodsl
    cmp %cl, %bl
    jne 1b
    jmp *%eax

no_choice:
    mov $2, %al
    jmp exit

/* Print the zero-ended text at %esi. */
print:
    mov $0x3fd, %edx
1:  inb %dx, %al
    test $0x20, %al
    jz 1b
    lodsb
    test %al, %al
    jz 2f
    mov $0x3f8, %edx
    outb %al, %dx
    jmp print
2:  ret

exit_7:
    mov $7, %al
exit:
    outb %al, $0xf4
    jmp halt

triple_fault:
    lidt empty_idt
    int3

reset:
    mov $0xfe, %al
    outb %al, $0x64
    jmp halt

reset_cf9:
    mov $0xcf9, %edx
    mov $6, %al
    outb %al, %dx
    jmp halt

power_off:
    mov $0x604, %edx                /* PM1a control: SLP_TYP 5, SLP_EN */
    mov $0x3400, %ax
    outw %ax, %dx

halt:
    cli
    hlt
    jmp halt

forever:
    jmp forever

/* What is saved and goes on in tools/bench-life: no two pages are the same. */
dots:
    mov $0x1000000, %edi
1:  mov %edi, (%edi)
    add $64, %edi
    cmp $0x5000000, %edi
    jb 1b
    mov $0x3f8, %edx
    mov $'.', %al
2:  outb %al, %dx
    mov $20000, %ecx
3:  dec %ecx
    jnz 3b
    jmp 2b

/* Next number of a congruential generator, in %eax. */
random:
    mov seed, %eax
    imul $1664525, %eax
    add $1013904223, %eax
    mov %eax, seed
    bswap %eax
    ret

/* 200000 accesses of all sizes to ports; those that end the machine are left out. */
rubbish_ports:
    mov $200000, %ebp
1:  call random
    movzwl %ax, %edx
    test $0x10000, %eax
    jz 2f
    and $0x3ff, %edx                /* where the old devices are, half of the time */
2:  mov $deadly, %esi
3:  lodsl
    test %eax, %eax
    jz 4f
    mov %edx, %ecx                  /* an access of 4 bytes that begins up to 3 below counts too */
    sub %eax, %ecx
    cmp $4, %ecx
    jb 6f
    jmp 3b
4:  call random
    test $1 << 20, %eax
    jnz 5f
    outb %al, %dx
    outw %ax, %dx
    outl %eax, %dx
    jmp 6f
5:  inb %dx, %al
    inw %dx, %ax
    inl %dx, %eax
6:  dec %ebp
    jnz 1b
    jmp settle

/* The same in the pages of the virtio devices, the I/O APIC and the local APIC, but for the register
 * by which a CPU resets itself. */
rubbish_memory:
    call take_nmis
    mov $200000, %ebp
1:  call random
    mov %eax, %edi
    and $0xffc, %edi
    call random
    mov %eax, %ecx
    shr $8, %ecx
    and $7, %ecx
    add pages(, %ecx, 4), %edi
    cmp $0xfee00300, %edi
    je 3f
    call random
    test $1 << 20, %eax
    jnz 2f
    mov %eax, (%edi)
    mov %al, 1(%edi)
    jmp 3f
2:  mov (%edi), %eax
    mov 2(%edi), %ax
3:  dec %ebp
    jnz 1b

/* Interrupts are off, so that whatever was set up in the devices cannot come in. */
settle:
    mov $0x3fb, %edx                /* the line control register may have been left open */
    mov $3, %al
    outb %al, %dx
    mov $0x3f9, %edx                /* no interrupts, no loop back */
    xor %al, %al
    outb %al, %dx
    mov $0x3fc, %edx
    outb %al, %dx
    jmp exit_7

/* An interrupt gate for the vector whose place in the IDT is %edi, to %eax. */
set_gate:
    mov %ax, (%edi)
    movw %cs, 2(%edi)
    movw $0x8e00, 4(%edi)
    shr $16, %eax
    mov %ax, 6(%edi)
    lidt full_idt
    ret
take_nmis:
    mov $nmi, %eax
    mov $idt + 2 * 8, %edi
    jmp set_gate

/* What a PC's oldest parts must do. */
basics:
    mov $isr, %eax
    mov $idt + 0x20 * 8, %edi
    call set_gate
    mov $0x11, %al                  /* 8259: vectors from 20h and 28h, only the timer open */
    outb %al, $0x20
    outb %al, $0xa0
    mov $0x20, %al
    outb %al, $0x21
    mov $0x28, %al
    outb %al, $0xa1
    mov $4, %al
    outb %al, $0x21
    mov $2, %al
    outb %al, $0xa1
    mov $1, %al
    outb %al, $0x21
    outb %al, $0xa1
    mov $0xfe, %al
    outb %al, $0x21
    mov $0xff, %al
    outb %al, $0xa1
    mov $0x34, %al                  /* PIT: channel 0 every 1193 ticks, 1 ms */
    outb %al, $0x43
    mov $1193 & 0xff, %al
    outb %al, $0x40
    mov $1193 >> 8, %al
    outb %al, $0x40
    sti
1:  hlt
    cmpl $5, ticks
    jb 1b
    cli
    mov $ticked, %esi
    call print
    mov $0x0d, %al                  /* RTC: register D says that its memory is good */
    outb %al, $0x70
    inb $0x71, %al
    test $0x80, %al
    jz 2f
    mov $0x3ff, %edx                /* UART: the scratch register holds */
    mov $0x5a, %al
    outb %al, %dx
    inb %dx, %al
    cmp $0x5a, %al
    jne 2f
    jmp exit_7
2:  mov $1, %al
    jmp exit

isr:
    push %eax
    incl ticks
    mov $0x20, %al
    outb %al, $0x20
    pop %eax
nmi:
    iret

    .data
    .align 4
seed: .long 20261122
ticks: .long 0
choices:
    .macro choice letter, target
    .byte \letter
    .long \target
    .endm
    choice 'e', exit_7
    choice 'f', triple_fault
    choice 'r', reset
    choice 'c', reset_cf9
    choice 'o', power_off
    choice 'h', halt
    choice 'l', forever
    choice 't', dots
    choice 'p', rubbish_ports
    choice 'm', rubbish_memory
    choice 'b', basics
    .byte 0
    .align 4
deadly:                             /* ports that end the machine, less 3 */
    .long 0x61, 0x8f, 0xf1, 0x601, 0x602, 0xcf5, 0xcf6, 0
pages:
    .long 0xfe000000, 0xfe001000, 0xfe002000, 0xfec00000
    .long 0xfe000000, 0xfe001000, 0xfe003000, 0xfee00000
hello: .asciz "TINY-HELLO\n"
ticked: .asciz "TINY-TICKED\n"
empty_idt:
    .word 0
    .long 0
full_idt:
    .word 0x21 * 8 - 1
    .long idt

    .bss
    .align 16
idt:
    .skip 0x21 * 8
    .skip 4096
stack_top:
    .section .note.GNU-stack, "", @progbits
