/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 32-bit test kernel's start, its entries, and its way to real mode and back.
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
    lea esp, [main_stack + 16384]
    xor ebp, ebp
    cmp eax, 0x2badb002
    cmove ebp, ebx
    mov edi, OFFSET bss_start
    mov ecx, OFFSET bss_end
    sub ecx, edi
    xor eax, eax
    rep stosb
    lgdt [boot_gdt_pointer]
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov fs, eax
    mov gs, eax
    .byte 0xea
    .long 2f
    .word 8
2:  mov eax, 0x33 /* NE, ET, MP, PE */
    mov cr0, eax
    mov eax, 0x600 /* OSFXSR, OSXMMEXCPT */
    mov cr4, eax
    push ebp
    call kernel_main
3:  mov edx, 0xf4
    xor eax, eax
    out dx, al
    hlt
    jmp 3b
    .balign 8
boot_gdt:
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
boot_gdt_pointer:
    .word 23
    .long boot_gdt

    .text
    /* ---- entries: one of 16 bytes per vector ---- */
    .balign 16
    .globl stubs
stubs:
    .set vector, 0
    .rept 256
    .balign 16
    .if (vector != 8) && (vector != 17) && (vector != 21) && ((vector < 10) || (vector > 14))
    push 0
    .endif
    push vector
    jmp common
    .set vector, vector + 1
    .endr

common:
    cld
    push edi
    push esi
    push ebp
    push esp
    push ebx
    push edx
    push ecx
    push eax
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov eax, esp
    push eax
    call on_entry
    test eax, eax
    jnz try_resume
    add esp, 4
    pop eax
    pop ecx
    pop edx
    pop ebx
    add esp, 4
    pop ebp
    pop esi
    pop edi
    add esp, 8
    iretd

    /* try_raw(eip, cs, eflags, esp, ss, argument) */
    .globl try_raw, try_resume, kernel_done, fault_entry
try_raw:
    push ebp
    mov ebp, esp
    push ebx
    push esi
    push edi
    mov [saved_rsp], esp
    mov edi, [ebp + 28]
    mov eax, [ebp + 8]
    mov ebx, [ebp + 12]
    mov ecx, [ebp + 16]
    mov edx, [ebp + 20]
    mov esi, [ebp + 24]
    test ebx, 3
    jz 1f
    push esi
    push edx
    mov edx, 0x23 /* ring 0's would be taken away */
    mov ds, edx
    mov es, edx
    mov fs, edx
    mov gs, edx
    jmp 2f
1:  mov esp, edx
2:  push ecx
    push ebx
    push eax
    mov eax, edi
    iretd
    /* whatever was caught ends here, on any stack */
try_resume:
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    mov ss, eax
    mov esp, [saved_rsp]
    push 2
    popfd
    pop edi
    pop esi
    pop ebx
    pop ebp
    ret
kernel_done:
    int 0x80

    /* the task that gets a fault by a task gate: its stack has the error code */
fault_entry:
    mov eax, esp
    push eax
    call on_fault_task
    jmp try_resume

    /* try_v86_raw(frame): the frame that IRET takes */
    .globl try_v86_raw
try_v86_raw:
    push ebp
    push ebx
    push esi
    push edi
    mov [saved_rsp], esp
    mov esp, [esp + 20]
    iretd

    /* ---- real mode: run the code at 7000h, catch what comes ---- */
    .globl real_call, real_blob, real_blob_end
    .set LOW, 0x6000
    .set RECORD, 0x5f00 /* vector, ip, cs, flags, then registers: words */
real_call:
    push ebp
    push ebx
    push esi
    push edi
    mov [saved_rsp], esp
    .byte 0xea
    .long LOW
    .word 0x38
    .balign 16
real_blob:
    .code16
    mov ax, 0x68 /* 16-bit data with a limit of 64 KiB */
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov fs, ax
    mov gs, ax
    lidt [LOW + real_idt - real_blob]
    mov eax, cr0
    and al, 0xfe
    mov cr0, eax
    .byte 0xea
    .word LOW + 1f - real_blob, 0
1:  xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov fs, ax
    mov gs, ax
    mov sp, 0x5e00
    push 2
    popf
    mov word ptr [RECORD], 0xffff
    xor ebx, ebx
    xor ecx, ecx
    xor edx, edx
    .byte 0x9a
    .word 0x7000, 0
    /* it came back */
real_back:
    cli
    cld
    push ax
    xor ax, ax
    mov ds, ax
    pop word ptr [RECORD + 8]
    mov [RECORD + 10], cx
    mov [RECORD + 12], dx
    mov [RECORD + 14], bx
    lgdt cs:[LOW + real_gdt - real_blob]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    .byte 0x66, 0xea
    .long real_return
    .word 8
    /* an entry: the vector was pushed, then ip, cs, flags stand on the stack */
    .balign 16
real_common:
    cli
    push ds
    push ax
    xor ax, ax
    mov ds, ax
    pop word ptr [RECORD + 8]
    pop word ptr [RECORD + 16]
    pop word ptr [RECORD]
    pop word ptr [RECORD + 2]
    pop word ptr [RECORD + 4]
    pop word ptr [RECORD + 6]
    mov ss, ax
    mov sp, 0x5e00
    mov ax, [RECORD + 8]
    jmp real_back
    .balign 16
real_stubs:
    .set vector, 0
    .rept 256
    .balign 8
    push vector
    .byte 0xe9
    .word real_common - (. + 2)
    .set vector, vector + 1
    .endr
real_idt:
    .word 0x3ff
    .long 0
real_gdt:
    .word 48 * 8 - 1
    .long gdt
real_blob_end:
    .code32
real_return:
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov fs, eax
    mov gs, eax
    mov esp, [saved_rsp]
    pop edi
    pop esi
    pop ebx
    pop ebp
    ret
    .globl real_stubs_offset
real_stubs_offset:
    .long LOW + real_stubs - real_blob

    .bss
    .balign 8
    .globl saved_rsp
saved_rsp: .long 0
    .balign 4096
main_stack: .skip 16384
    .section .note.GNU-stack, "", @progbits
