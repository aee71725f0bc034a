/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rings in 32-bit protected mode: gates of the IDT and of the GDT, far returns, conforming code,
 * SYSENTER and SYSEXIT.
 */
#include "kernel32.h"

CODE(code_int81, "int 0x81");
CODE(code_ud2, "ud2");
CODE(code_pf_free, "int3");

static word seen_flags;

static void note_entry(Frame *frame)
{
    word flags;

    __asm__ volatile("pushfl; pop %0" : "=r"(flags));
    seen_flags = flags;
}

CODE(code_flags_int, "push 0x202; popfd; int 0x81; cli");

static void gates(void)
{
    expect("INT n", try_kernel(code_int81, 0), INT(0x81));
    expect("INT n to a closed gate", try_user(code_int81, 0), GP(0x81 * 8 + 2));
    expect("INT3 to a closed gate", try_user(code_pf_free, 0), GP(3 * 8 + 2));
    set_gate(0x81, stub(0x81), KCODE, 0xee, 0);
    expect("INT n to an open gate", try_user(code_int81, 0), INT(0x81));
    set_gate(0x81, stub(0x81), KCODE, 0xee, 0);
    try_user(code_int81, 0);
    expect_value("from ring 3 the stack is ESP0", caught.handler_rsp, (word)stack0 + 8192);
    set_gate(0x81, stub(0x81), KCODE, 0xee, 0);
    try_user(code_int81, 0);
    expect_value("from ring 3 SS and CS are pushed", caught.cs << 8 | caught.ss,
                 UCODE << 8 | UDATA);
    set_gate(0x81, stub(0x81), KCODE, 0x0e, 0);
    expect("gate not present", try_kernel(code_int81, 0), NP(0x81 * 8 + 2));
    set_gate(0x81, stub(0x81), KDATA, 0x8e, 0);
    expect("gate to data", try_kernel(code_int81, 0), GP(KDATA));
    set_gate(0x81, stub(0x81), 0, 0x8e, 0);
    expect("gate to null", try_kernel(code_int81, 0), GP(0));
    set_gate(0x81, stub(0x81), UCODE, 0x8e, 0);
    expect("gate to an outer ring", try_kernel(code_int81, 0), GP(UCODE & ~3));
    set_gate(0x81, stub(0x81), KCODE, 0x8c, 0);
    expect("call gate in the IDT", try_kernel(code_int81, 0), GP(0x81 * 8 + 2));
    set_gate(6, stub(6), KCODE, 0x0e, 0);
    expect("#NP while delivering #UD has EXT", try_kernel(code_ud2, 0), NP(6 * 8 + 3));
    hook(0x81, note_entry);
    set_gate(0x81, stub(0x81), KCODE, 0x8f, 0);
    try_kernel(code_flags_int, 0);
    expect_value("a trap gate keeps IF", seen_flags & FLAG_IF, FLAG_IF);
    hook(0x81, note_entry);
    set_gate(0x81, stub(0x81), KCODE, 0x8e, 0);
    try_kernel(code_flags_int, 0);
    expect_value("an interrupt gate clears IF", seen_flags & FLAG_IF, 0);
    ((Tss *)(void *)tss)->ss0 = 0;
    set_gate(0x81, stub(0x81), KCODE, 0xee, 0);
    catch_by_task(8);
    expect("SS0 null", try_user(code_int81, 0), DF);
    ((Tss *)(void *)tss)->ss0 = UDATA;
    catch_by_task(8);
    expect("SS0 of ring 3: the handler of #TS has none either", try_user(code_ud2, 0), DF);
}

/* ---- a 16-bit gate pushes words ---- */

extern const char gate16_target[];
__asm__(".pushsection .text.rows, \"ax\"\n.globl gate16_target\ngate16_target:\n"
        ".intel_syntax noprefix\nmovzx eax, word ptr [esp]; movzx ecx, word ptr [esp + 2];"
        "movzx edx, word ptr [esp + 4]; int 0x82\n.att_syntax prefix\n.popsection");

CODE(code_low, "jmp edi");

static void gate16(void)
{
    uint8_t *low = (uint8_t *)0x7000;

    /* the handler must lie below 64 KiB of its segment: give it one */
    gdt[SCRATCH / 8] = descriptor((word)gate16_target & 0xffff0000, 0xfffff, 0xc09b);
    set_gate(0x81, (word)gate16_target & 0xffff, SCRATCH, 0x86, 0);
    low[0] = 0xcd;
    low[1] = 0x81;
    expect("16-bit gate", try_kernel(code_low, 0x7000), INT(0x82));
    gdt[SCRATCH / 8] = descriptor((word)gate16_target & 0xffff0000, 0xfffff, 0xc09b);
    set_gate(0x81, (word)gate16_target & 0xffff, SCRATCH, 0x86, 0);
    try_kernel(code_low, 0x7000);
    expect_value("16-bit gate pushes IP, CS", caught.gpr[0] << 16 | caught.gpr[1],
                 0x7002U << 16 | KCODE);
}

/* ---- far transfers ---- */

static struct __attribute__((packed)) {
    uint32_t offset;
    uint16_t selector;
} far32;

CODE(code_call_far, "call fword ptr [edi]");
CODE(code_call_far_params, "push 0x1111; push 0x2222; call fword ptr [edi]; mov ecx, esp");
CODE(code_jmp_far, "jmp fword ptr [edi]");
CODE(far_target, "int 0x84");
CODE(gate_target, "mov eax, [esp + 8]; mov ecx, [esp + 12]; mov edx, [esp + 16]; "
                  "mov ebx, [esp + 20]; int 0x84");
CODE(gate_return, "retf 8");
CODE(code_retf, "push edi; push OFFSET 1f; retf; 1: nop");

static int far(bool in_ring3, const char *code, word offset, uint16_t selector)
{
    far32.offset = offset;
    far32.selector = selector;
    return in_ring3 ? try_user(code, (word)&far32) : try_kernel(code, (word)&far32);
}

static void set_call_gate(word offset, uint16_t selector, unsigned flags, unsigned count)
{
    gdt[SCRATCH / 8] = (offset & 0xffff) | (uint64_t)selector << 16 | (uint64_t)count << 32 |
                       (uint64_t)flags << 40 | (uint64_t)(offset >> 16) << 48;
}

static void far_transfers(void)
{
    expect("JMP far", far(false, code_jmp_far, (word)far_target, KCODE), INT(0x84));
    expect("JMP far to data", far(false, code_jmp_far, 0, KDATA), GP(KDATA));
    expect("JMP far to ring 0 from ring 3", far(true, code_jmp_far, 0, KCODE), GP(KCODE));
    expect("JMP far to ring 3 from ring 0", far(false, code_jmp_far, 0, UCODE), GP(UCODE & ~3));
    gdt[SCRATCH / 8] = descriptor(0, 0xfffff, 0xc09f);
    set_gate(0x84, stub(0x84), KCODE, 0xee, 0);
    expect("JMP far to conforming code", far(true, code_jmp_far, (word)far_target, SCRATCH),
           INT(0x84));
    gdt[SCRATCH / 8] = descriptor(0, 0xfffff, 0xc09f);
    set_gate(0x84, stub(0x84), KCODE, 0xee, 0);
    far(true, code_jmp_far, (word)far_target, SCRATCH);
    expect_value("JMP far to conforming code keeps the ring", caught.cs, SCRATCH | 3);
    set_call_gate((word)gate_target, KCODE, 0xec, 0);
    expect("call gate", far(true, code_call_far, 0, SCRATCH | 3), INT(0x84));
    set_call_gate((word)gate_target, KCODE, 0xec, 2);
    far(true, code_call_far_params, 0, SCRATCH | 3);
    expect_value("call gate copies parameters", caught.gpr[0] << 16 | caught.gpr[1],
                 0x2222U << 16 | 0x1111);
    set_call_gate((word)gate_target, KCODE, 0xec, 2);
    far(true, code_call_far_params, 0, SCRATCH | 3);
    expect_value("call gate pushes the stack below them", caught.gpr[2],
                 (word)user_stack + sizeof(user_stack) - 64 - 8);
    set_call_gate((word)gate_return, KCODE, 0xec, 2);
    far(true, code_call_far_params, 0, SCRATCH | 3);
    expect_value("RETF n to ring 3 drops them on both stacks",
                 caught.cs << 16 | (caught.gpr[1] == (word)user_stack + sizeof(user_stack) - 64),
                 UCODE << 16 | 1);
    set_call_gate((word)gate_target, KCODE, 0x8c, 0);
    expect("call gate of DPL 0", far(true, code_call_far, 0, SCRATCH | 3), GP(SCRATCH));
    set_call_gate((word)gate_target, KCODE, 0x6c, 0);
    expect("call gate not present", far(true, code_call_far, 0, SCRATCH | 3), NP(SCRATCH));
    set_call_gate((word)gate_target, KCODE, 0xec, 0);
    expect("JMP through a gate to another ring", far(true, code_jmp_far, 0, SCRATCH | 3),
           GP(KCODE));
    set_call_gate((word)far_target, KCODE, 0xec, 0);
    expect("JMP through a gate in ring 0", far(false, code_jmp_far, 0, SCRATCH), INT(0x84));
    expect("RETF to data", try_kernel(code_retf, KDATA), GP(KDATA));
    expect("RETF to ring 0 from ring 3", try_user(code_retf, KCODE), GP(KCODE));
    expect("RETF to null", try_kernel(code_retf, 0), GP(0));
}

/* ---- IRET ---- */

CODE(iret_end, "mov ebx, ds; int 0x80");
CODE(code_iret, "mov esp, edi; iretd");
static word iret_frame[5];

static int iret_to(word cs, word flags, word ss)
{
    iret_frame[0] = (word)iret_end;
    iret_frame[1] = cs;
    iret_frame[2] = flags;
    iret_frame[3] = (word)user_stack + 4096;
    iret_frame[4] = ss;
    return try_kernel(code_iret, (word)iret_frame);
}

static void irets(void)
{
    expect("IRET to ring 3", iret_to(UCODE, 2, UDATA), NONE);
    iret_to(UCODE, 2, UDATA);
    expect_value("IRET to ring 3 takes away DS of ring 0", caught.gpr[3], 0);
    expect("IRET to ring 0", iret_to(KCODE, 2, 0), NONE);
    expect("IRET to ring 3 with SS of ring 0", iret_to(UCODE, 2, KDATA), GP(KDATA));
    expect("IRET to ring 3 with a null SS", iret_to(UCODE, 2, 0), GP(0));
    expect("IRET to data", iret_to(KDATA, 2, 0), GP(KDATA));
    expect("IRET to null", iret_to(0, 2, 0), GP(0));
    gdt[SCRATCH / 8] = descriptor(0, 0xfffff, 0xc01b);
    expect("IRET to code not present", iret_to(SCRATCH, 2, 0), NP(SCRATCH));
    iret_to(UCODE, 0x3202, UDATA);
    expect_value("IRET loads IOPL and IF", caught.rflags & 0x3200, 0x3200);
}

/* ---- SYSENTER and SYSEXIT ---- */

CODE(sysenter_target, "int 0x85");
CODE(code_sysenter, "sysenter");
CODE(sysexit_target, "int 0x80");
CODE(code_sysexit, "mov edx, edi; mov ecx, OFFSET user_stack + 4096; sysexit");

static void fast_calls(void)
{
    wrmsr(0x174, KCODE);
    wrmsr(0x175, (word)spare_stack + 4096);
    wrmsr(0x176, (word)sysenter_target);
    expect("SYSENTER", try_user(code_sysenter, 0), INT(0x85));
    try_user(code_sysenter, 0);
    expect_value("SYSENTER: ring 0", caught.cs, KCODE);
    expect("SYSEXIT", try_kernel(code_sysexit, (word)sysexit_target), NONE);
    /* SYSEXIT's segments are SYSENTER_CS + 16 and + 24: 18h and 20h, ring 3 */
    try_kernel(code_sysexit, (word)sysexit_target);
    expect_value("SYSEXIT: ring 3", caught.cs << 8 | caught.ss, UCODE32 << 8 | UDATA);
    wrmsr(0x174, 0);
    expect("SYSEXIT without a selector", try_kernel(code_sysexit, (word)sysexit_target), GP(0));
}

void cases_entries(void)
{
    gates();
    gate16();
    far_transfers();
    irets();
    fast_calls();
}
