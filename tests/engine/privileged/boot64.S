/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 64-bit test kernel's start and its entries.
 *
 * It is loaded at 1 MiB and entered in flat 32-bit protected mode: by the test bench, or as a
 * Multiboot kernel.  Its map: the first 16 MiB one to one, for ring 0; the same at 1 GiB for
 * ring 3; a table for test pages at 2 GiB; the local APIC where it is.
 */
    .intel_syntax noprefix
    .section .boot, "awx"
    .code32
    .globl start
start:
    jmp 1f
    .balign 4
header: /* Multiboot 1, with addresses: this is no ELF file */
    .long 0x1badb002, 0x10000, -(0x1badb002 + 0x10000)
    .long header, start, 0, bss_end, start
1:  cli
    cld
    lea esp, [stack0 + 8192]
    xor ebp, ebp
    cmp eax, 0x2badb002
    cmove ebp, ebx /* Multiboot information */
    mov edi, OFFSET bss_start
    mov ecx, OFFSET bss_end
    sub ecx, edi
    xor eax, eax
    rep stosb
    mov dword ptr [pml4], OFFSET pdpt + 7
    mov dword ptr [pdpt], OFFSET pd_low + 3
    mov dword ptr [pdpt + 8], OFFSET pd_user + 7
    mov dword ptr [pdpt + 16], OFFSET pd_test + 7
    mov dword ptr [pdpt + 24], OFFSET pd_high + 3
    mov dword ptr [pd_test], OFFSET pt_test + 7
    mov dword ptr [pd_high + 0x1f7 * 8], 0xfee0009b
    mov eax, 0x83
    xor ecx, ecx
2:  mov [pd_low + ecx * 8], eax
    lea edx, [eax + 4]
    mov [pd_user + ecx * 8], edx
    add eax, 0x200000
    inc ecx
    cmp ecx, 8
    jb 2b
    mov eax, OFFSET pml4
    mov cr3, eax
    mov eax, 0x620 /* PAE, OSFXSR, OSXMMEXCPT */
    mov cr4, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x901 /* NXE, LME, SCE */
    wrmsr
    mov eax, 0x80010033 /* PG, WP, NE, ET, MP, PE */
    mov cr0, eax
    lgdt [gdt_pointer32]
    .byte 0xea /* jmp 8:start64 */
    .long start64
    .word 8
    .balign 8
boot_gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer32:
    .word 23
    .long boot_gdt

    .text
    .code64
start64:
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov fs, eax
    mov gs, eax
    lea rsp, [rip + main_stack + 16384]
    mov edi, ebp
    call kernel_main
    /* reaches the test's end: QEMU's debug exit, the bench's stop */
3:  mov edx, 0xf4
    mov eax, 0
    out dx, al
    hlt
    jmp 3b

    /* ---- entries: one of 16 bytes per vector ---- */
    .balign 16
    .globl stubs
stubs:
    .set vector, 0
    .rept 256
    .balign 16
    .if (vector != 8) && (vector != 17) && (vector != 21) && (vector != 29) && (vector != 30) && ((vector < 10) || (vector > 14))
    push 0
    .endif
    push vector
    jmp common
    .set vector, vector + 1
    .endr

common:
    cld
    push r15
    push r14
    push r13
    push r12
    push r11
    push r10
    push r9
    push r8
    push rdi
    push rsi
    push rbp
    push rsp
    push rbx
    push rdx
    push rcx
    push rax
    mov rdi, rsp
    mov rbx, rsp
    and rsp, -16
    call on_entry
    mov rsp, rbx
    pop rax
    pop rcx
    pop rdx
    pop rbx
    add rsp, 8
    pop rbp
    pop rsi
    pop rdi
    pop r8
    pop r9
    pop r10
    pop r11
    pop r12
    pop r13
    pop r14
    pop r15
    add rsp, 16
    iretq

    /* uint32_t try_raw(rip, cs, rflags, rsp, ss, argument): go there by IRETQ; comes back through
     * try_resume, to which on_entry() sends whatever was caught. */
    .globl try_raw, try_resume, kernel_done, user_done
try_raw:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    mov [rip + saved_rsp], rsp
    push r8
    push rcx
    push rdx
    push rsi
    push rdi
    mov rdi, r9
    mov rax, r9
    iretq
try_resume:
    mov rsp, [rip + saved_rsp]
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret
kernel_done:
user_done:
    int 0x80

    .bss
    .balign 8
    .globl saved_rsp
saved_rsp: .quad 0
    .balign 4096
    .globl pml4, pdpt, pd_low, pd_user, pd_test, pd_high, pt_test
pml4: .skip 4096
pdpt: .skip 4096
pd_low: .skip 4096
pd_user: .skip 4096
pd_test: .skip 4096
pd_high: .skip 4096
pt_test: .skip 4096
main_stack: .skip 16384
    .section .note.GNU-stack, "", @progbits
