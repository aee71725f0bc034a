/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small guests of the conformance suite.  Each is loaded at 8000h and started there by the host in
 * the mode that its name or its comment says; bench.h says what else is where.
 */
    .intel_syntax noprefix
    .section .rodata

    .set BASE, 0x8000
    .set STOP, 0x110
    .set DATA, 0x40000

    .macro guest name, bits=64
    .balign 16
    .code\bits
    .globl guest_\name
guest_\name:
    .endm

    .macro done name
    .globl guest_\name\()_end
guest_\name\()_end:
    .endm

    /* end vcpu_run of vCPU 0; works in all modes */
    .macro stop index=0
    mov edx, STOP + \index
    out dx, al
    .endm

/* Just stops, in each mode. */
guest stop16, 16
    mov ax, 0x1234
    mov dx, STOP
    out dx, ax
    hlt
done stop16
guest stop32, 32
    mov eax, 0x12345678
    mov edx, STOP
    out dx, eax
    hlt
done stop32
guest stop64
    mov rax, 0xfedcba9812345678
    mov edx, STOP
    out dx, eax
    hlt
done stop64

/* Port accesses of each size. */
guest ports
    mov edx, 0x100
    mov eax, 0xaabbccdd
    out dx, al
    out dx, ax
    out dx, eax
    in al, dx
    mov [DATA], rax
    in ax, dx
    mov [DATA + 8], rax
    in eax, dx
    mov [DATA + 16], rax
    mov edx, 0x8f
    in eax, dx
    mov [DATA + 24], rax
    stop
done ports

/* String port accesses. */
guest string_ports
    cld
    mov edx, 0x104
    mov esi, OFFSET DATA
    mov ecx, 5
    rep outsb
    mov edi, OFFSET DATA + 0x100
    mov ecx, 3
    rep insw
    mov [DATA + 0x200], rsi
    mov [DATA + 0x208], rdi
    mov [DATA + 0x210], rcx
    stop
done string_ports

/* MMIO of each size, and an instruction that reads and writes. */
guest mmio
    mov rbx, 0xd0000000
    mov rax, 0x1122334455667788
    mov [rbx], al
    mov [rbx + 2], ax
    mov [rbx + 4], eax
    mov [rbx + 8], rax
    mov al, [rbx + 16]
    mov ax, [rbx + 18]
    mov eax, [rbx + 20]
    mov [DATA], rax
    mov rax, [rbx + 24]
    mov [DATA + 8], rax
    add dword ptr [rbx + 32], 1
    cld
    mov rsi, rbx
    mov edi, OFFSET DATA + 0x100
    mov ecx, 2
    rep movsd
    mov eax, 0x80000000
    mov rax, [rax]
    mov [DATA + 16], rax
    stop
done mmio

/* ROM that covers RAM at 50000h, by a port, and goes away, by a store to itself: what is read and run
 * there. */
guest cover
    mov ebx, 0x50000
    call rbx
    mov [DATA], al
    mov edx, 0x180
    mov eax, 1
    out dx, al
    movzx ecx, byte ptr [rbx + 1]
    mov [DATA + 1], cl
    call rbx
    mov [DATA + 2], al
    mov byte ptr [rbx + 1], 9
    movzx ecx, byte ptr [rbx + 1]
    mov [DATA + 3], cl
    mov byte ptr [rbx + 0x100], 0x55
    movzx ecx, byte ptr [rbx + 1]
    mov [DATA + 4], cl
    call rbx
    mov [DATA + 5], al
    stop
done cover

/* Triple fault: no IDT. */
guest triple
    lidt [rip + 1f]
    int3
1:  .word 0
    .quad 0
done triple

/* Halts for ever; counts how often it was woken. */
guest halt
    sti
1:  hlt
    inc qword ptr [DATA]
    jmp 1b
done halt

/* Spins for ever and counts. */
guest spin
1:  inc rbx
    jmp 1b
done spin

/* Runs the function at 9000h twice a stop: the host rewrites it in between. */
guest caller
1:  mov ebx, 0x9000
    call rbx
    call rbx
    mov [DATA], rax
    stop
    jmp 1b
done caller

/* Rewrites an instruction of its own, first one ahead, then one that has run. */
guest self_modify
    mov byte ptr [rip + 1f + 1], 7
    jmp 1f
1:  mov eax, 1
    mov [DATA], rax
    mov byte ptr [rip + 2f + 1], 9
    mov ecx, 2
2:  mov eax, 3
    mov byte ptr [rip + 2b + 1], 11
    dec ecx
    jnz 2b
    mov [DATA + 8], rax
    stop
done self_modify

/* Stores all registers, x87 and vectors included, at DATA; changes none before. */
guest dump
    mov [DATA], rax
    mov [DATA + 8], rcx
    mov [DATA + 16], rdx
    mov [DATA + 24], rbx
    mov [DATA + 32], rsp
    mov [DATA + 40], rbp
    mov [DATA + 48], rsi
    mov [DATA + 56], rdi
    mov [DATA + 64], r8
    mov [DATA + 72], r9
    mov [DATA + 80], r10
    mov [DATA + 88], r11
    mov [DATA + 96], r12
    mov [DATA + 104], r13
    mov [DATA + 112], r14
    mov [DATA + 120], r15
    pushfq
    pop rax
    mov [DATA + 128], rax
    mov rax, cr8
    mov [DATA + 136], rax
    mov rax, cr2
    mov [DATA + 144], rax
    mov rax, dr6
    mov [DATA + 152], rax
    mov rax, dr0
    mov [DATA + 160], rax
    mov ecx, 0xc0000082
    rdmsr
    mov [DATA + 168], eax
    mov [DATA + 172], edx
    fxsave64 [DATA + 0x400]
    stop
done dump

/* Two instructions that can be told apart, then stops. */
guest steps
    inc rbx
    inc rbx
    inc rbx
    inc rbx
    stop
done steps

/* Counts, and runs IRET to itself after 100 rounds, which unblocks NMI. */
guest iret_later
    mov ecx, 100
1:  inc rbx
    dec ecx
    jnz 1b
    mov [DATA + 8], rbx
    mov rax, rsp
    push 0x10
    push rax
    push 2
    push 0x18
    lea rax, [rip + 2f]
    push rax
    iretq
2:  inc rbx
    mov [DATA + 16], rbx
    stop
done iret_later

/* Interrupt handler for long mode, loaded at A000h: notes rip, the error code's place, CR2 and
 * rbx, ends the interrupt at the LAPIC (FEE000B0h) if DATA + 0x1f8 is 0, and stops. */
guest handler
    push rax
    push rdx
    mov rax, [rsp + 16]
    mov [DATA + 0x100], rax
    mov rax, [rsp + 24]
    mov [DATA + 0x108], rax
    mov rax, cr2
    mov [DATA + 0x110], rax
    mov [DATA + 0x118], rbx
    mov rax, dr6
    mov [DATA + 0x130], rax
    inc qword ptr [DATA + 0x120]
    cmp qword ptr [DATA + 0x1f8], 0
    jne 1f
    mov eax, 0xfee000b0
    mov dword ptr [rax], 0
1:  stop
    pop rdx
    pop rax
    iretq
done handler

/* The same, but goes on without a stop. */
guest quiet_handler
    push rax
    inc qword ptr [DATA + 0x120]
    mov eax, 0xfee000b0
    mov dword ptr [rax], 0
    pop rax
    iretq
done quiet_handler

/* An application processor's start at 9000h (real mode, CS = 900h): notes that it ran. */
guest ap, 16
    mov ax, 0x4000
    mov ds, ax
    mov word ptr ds:[0x300], 0x5a5a
    mov ax, cs
    mov word ptr ds:[0x302], ax
    mov dx, STOP + 1
    out dx, al
1:  hlt
    jmp 1b
done ap

/* vCPU 0 starts vCPU 1 by INIT and SIPI through its LAPIC, then stops. */
guest start_ap
    mov ebx, 0xfee00000
    mov dword ptr [rbx + 0x310], 0x01000000
    mov dword ptr [rbx + 0x300], 0x0000c500
    mov dword ptr [rbx + 0x310], 0x01000000
    mov dword ptr [rbx + 0x300], 0x00000609
    stop
done start_ap

/* REP MOVSB of rcx bytes, then stops. */
guest rep_movs
    cld
    rep movsb
    stop
done rep_movs

/* REP OUTSB of rcx bytes to the port in dx, then stops. */
guest rep_outs
    cld
    rep outsb
    stop
done rep_outs

/* PAE paging, 32-bit: reads through a page whose directory changed under it, by the PDPTRs that
 * the CPU holds. */
guest pae_read, 32
    mov eax, [0x40000]
    mov [0x40010], eax
    stop
done pae_read

/* Loads, stores and code for debug points. */
guest watched
    mov eax, 1
    mov [DATA], eax
    nop
    mov ebx, [DATA + 8]
    nop
    mov byte ptr [DATA + 16], 3
    stop
done watched

/* All kinds of accesses; the table in debug.c knows where each ends. */
guest accesses
    mov edi, DATA + 0x100
    mov ecx, 32
    cld
    rep stosb
    mov ebx, DATA
    mov [rbx + 0x1fe], eax
    movups [rbx + 0x208], xmm0
    mov [rbx + 0xffe], eax
    lock xadd [rbx + 0x300], eax
    push rax
    call 1f
1:  mov esi, DATA + 0x400
    mov edi, DATA + 0x408
    movsq
    sti
    mov [rbx + 0x500], eax
    nop
    cli
    stop
done accesses

/* Pushes the flags (is TF to be seen?) and raises #DB of its own by TF. */
guest flags
    pushfq
    pop rax
    mov [DATA], rax
    nop
    stop
done flags

/* Reads the TSC into rbx again and again; on a smaller value than before it counts an error. */
guest tsc_spin
    xor esi, esi
1:  rdtsc
    shl rdx, 32
    or rax, rdx
    cmp rax, rbx
    jae 2f
    inc rsi
    mov [DATA + 8], rsi
2:  mov rbx, rax
    mov [DATA], rax
    jmp 1b
done tsc_spin

/* Reads the TSC once and stops. */
guest tsc_once
1:  rdtsc
    shl rdx, 32
    or rax, rdx
    mov [DATA], rax
    stop
    jmp 1b
done tsc_once

/* Two vCPUs take turns (turn at DATA + 0x80, own number in rdi): whoever has the turn reads the
 * TSC, compares it with the last one of either (DATA), counts what is smaller (DATA + 8), and
 * hands over.  rcx turns each, then it stops at its own port. */
guest tsc_turns
1:  cmp [DATA + 0x80], edi
    je 2f
    pause
    jmp 1b
2:  lfence
    rdtsc
    shl rdx, 32
    or rax, rdx
    cmp rax, [DATA]
    jae 3f
    inc qword ptr [DATA + 8]
3:  mov [DATA], rax
    mov eax, edi
    xor eax, 1
    mov [DATA + 0x80], eax
    dec rcx
    jnz 1b
    lea edx, [rdi + STOP]
    out dx, al
    hlt
done tsc_turns

/* Arms the LAPIC timer: mode and vector in ebx, count in ecx (divider 1), and halts; then spins
 * on HLT with interrupts open. */
guest lapic_timer
    mov esi, 0xfee00000
    mov dword ptr [rsi + 0xf0], 0x1ff
    mov dword ptr [rsi + 0x3e0], 0xb
    mov dword ptr [rsi + 0x320], ebx
    mov dword ptr [rsi + 0x380], ecx
    sti
1:  hlt
    jmp 1b
done lapic_timer

/* Arms the TSC deadline: LVT in ebx, rcx ticks ahead. */
guest tsc_deadline
    mov esi, 0xfee00000
    mov dword ptr [rsi + 0xf0], 0x1ff
    mov dword ptr [rsi + 0x320], ebx
    mfence
    mov rdi, rcx
    rdtsc
    shl rdx, 32
    or rax, rdx
    add rax, rdi
    mov [DATA + 0x140], rax
    mov rdx, rax
    shr rdx, 32
    mov ecx, 0x6e0
    wrmsr
    sti
1:  hlt
    jmp 1b
done tsc_deadline

/* x2APIC: switches it on, reads its id, sends itself vector 45h, and halts. */
guest x2apic
    mov ecx, 0x1b
    rdmsr
    or eax, 0xc00
    wrmsr
    mov ecx, 0x80f
    mov eax, 0x1ff
    xor edx, edx
    wrmsr
    mov ecx, 0x802
    rdmsr
    mov [DATA], rax
    mov ecx, 0x83f
    mov eax, 0x45
    xor edx, edx
    wrmsr
    sti
    nop
    hlt
done x2apic

/* A handler for x2APIC: EOI by MSR, then stops. */
guest x2apic_handler
    inc qword ptr [DATA + 0x120]
    mov ecx, 0x80b
    xor eax, eax
    xor edx, edx
    wrmsr
    stop
    hlt
done x2apic_handler

/* Opens interrupts, then CR8 down from 15: an interrupt below 5 in priority waits until then. */
guest tpr
    mov eax, 15
    mov cr8, rax
    sti
    mov ecx, 1000
1:  inc rbx
    dec ecx
    jnz 1b
    mov [DATA], rbx
    xor eax, eax
    mov cr8, rax
    nop
    inc rbx
    hlt
done tpr

/* Stores ECX and EDX of CPUID leaf 1. */
guest cpuid
    mov eax, 1
    cpuid
    mov [DATA], ecx
    mov [DATA + 4], edx
    stop
done cpuid

/* Spins at one register of a device. */
guest mmio_spin
    mov ebx, 0xd0000000
1:  mov eax, [rbx]
    inc rcx
    jmp 1b
done mmio_spin

    .section .note.GNU-stack, "", @progbits
