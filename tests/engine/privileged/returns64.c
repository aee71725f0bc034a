/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Out of a handler and across segments, 64-bit kernel: IRET to each mode, far calls, jumps and
 * returns, call gates, SYSRET, SYSEXIT.
 *
 * Reference: SDM 2, IRET, CALL, RET, JMP, SYSRET; SDM 3, 5.8.
 */
#include "kernel64.h"

/* ---- IRET ---- */

/* The frame that code_iret returns by. */
static struct {
    word rip, cs, rflags, rsp, ss;
} iret_frame;

CODE(code_iret, "lea rax, [rip + iret_end]; mov rsp, rdi; iretq");
CODE(iret_end, "int 0x80");
CODE(iret_end32, ".byte 0x48, 0xcd, 0x80"); /* 32 bits: dec eax; int 80h */
CODE(iret_end_flags, "pushfq; pop rcx; int 0x80");

static int iret_to(const void *code, word cs, word rflags, word rsp, word ss)
{
    iret_frame.rip = (word)code;
    iret_frame.cs = cs;
    iret_frame.rflags = rflags;
    iret_frame.rsp = rsp;
    iret_frame.ss = ss;
    return try_kernel(code_iret, (word)&iret_frame);
}

static word kernel_sp, user_sp;

static void iret_good(void)
{
    expect("IRET to ring 0", iret_to(iret_end, KCODE, 2, kernel_sp, KDATA), NONE);
    expect("IRET to ring 0 with a null SS", iret_to(iret_end, KCODE, 2, kernel_sp, 0), NONE);
    expect("IRET to ring 3", iret_to((void *)user(iret_end), UCODE, 2, user_sp, UDATA), NONE);
    iret_to((void *)user(iret_end), UCODE, 2, user_sp, UDATA);
    expect_value("IRET to ring 3: CS, SS", caught.cs << 16 | caught.ss, (word)UCODE << 16 | UDATA);
    iret_to((void *)user(iret_end), UCODE, 2, user_sp, UDATA);
    expect_value("IRET to ring 3: RSP", caught.rsp, user_sp);
    expect("IRET to 32-bit code of ring 3",
           iret_to((void *)user(iret_end32), UCODE32, 2, user_sp, UDATA), NONE);
    iret_to((void *)user(iret_end32), UCODE32, 2, user_sp, UDATA);
    expect_value("IRET to 32-bit code: it ran as such", caught.gpr[0] & 0xffffffff,
                 ((word)iret_end - 1) & 0xffffffff);
    expect("IRET to 32-bit code of ring 0", iret_to(iret_end32, KCODE32, 2, kernel_sp, KDATA),
           NONE);
    gdt[SCRATCH / 8] = descriptor((uint32_t)(word)iret_end32, 0xffff, 0x009b);
    expect("IRET to 16-bit code", iret_to(0, SCRATCH, 2, kernel_sp, KDATA), NONE);
    iret_to(iret_end_flags, KCODE, 0xad7, kernel_sp, KDATA);
    expect_value("IRET loads the flags", caught.gpr[1] & 0xcd5, 0x8d5);
    iret_to((void *)user(iret_end_flags), UCODE, 0x3202, user_sp, UDATA);
    expect_value("IRET from ring 0 loads IOPL", caught.gpr[1] & 0x3200, 0x3200);
    iret_to(iret_end, KCODE, 2 | 1 << 21 | FLAG_AC, kernel_sp, KDATA);
    expect_value("IRET loads ID and AC", caught.rflags & (1 << 21 | FLAG_AC), 1 << 21 | FLAG_AC);
}

CODE(code_set_nt_iret, "push 0x4002; popfq; mov rsp, rdi; iretq");
CODE(code_user_iret, "lea rax, [rip + 1f]; mov rcx, rsp; push 0x23; push rcx; push 0x3202; "
                     "push 0x2b; push rax; iretq; 1: pushfq; pop rax");

static void iret_bad(void)
{
    const word ring0 = (word)iret_end, ring3 = user(iret_end);

    iret_frame.rip = ring0;
    expect("IRET with NT", try_kernel(code_set_nt_iret, (word)&iret_frame), GP(0));
    expect("IRET to a null CS", iret_to((void *)ring0, 0, 2, kernel_sp, KDATA), GP(0));
    expect("IRET to a null CS of ring 3", iret_to((void *)ring0, 3, 2, kernel_sp, UDATA), GP(0));
    expect("IRET to data", iret_to((void *)ring0, KDATA, 2, kernel_sp, KDATA), GP(KDATA));
    expect("IRET to a system segment", iret_to((void *)ring0, TSS_SEL, 2, kernel_sp, KDATA),
           GP(TSS_SEL));
    expect("IRET beyond the GDT", iret_to((void *)ring0, 0x7f8, 2, kernel_sp, KDATA), GP(0x7f8));
    expect("IRET to a CS whose DPL is not its RPL",
           iret_to((void *)ring3, KCODE | 3, 2, user_sp, UDATA), GP(KCODE));
    expect("IRET to ring 3 code as ring 0", iret_to((void *)ring0, UCODE & ~3, 2, kernel_sp, KDATA),
           GP(UCODE & ~3));
    gdt[SCRATCH / 8] = descriptor(0, 0xfffff, 0xa01b);
    expect("IRET to code not present", iret_to((void *)ring0, SCRATCH, 2, kernel_sp, KDATA),
           NP(SCRATCH));
    gdt[SCRATCH / 8] = descriptor(0, 0xfffff, 0xe09b);
    expect("IRET to code with L and D", iret_to((void *)ring0, SCRATCH, 2, kernel_sp, KDATA),
           GP(SCRATCH));
    expect("IRET to ring 3 with a null SS", iret_to((void *)ring3, UCODE, 2, user_sp, 3), GP(0));
    expect("IRET to ring 3 with SS of ring 0", iret_to((void *)ring3, UCODE, 2, user_sp, KDATA),
           GP(KDATA));
    expect("IRET to ring 3 with SS of DPL 0", iret_to((void *)ring3, UCODE, 2, user_sp, KDATA | 3),
           GP(KDATA));
    expect("IRET to ring 3 with code as SS", iret_to((void *)ring3, UCODE, 2, user_sp, UCODE),
           GP(UCODE & ~3));
    gdt[SCRATCH / 8] = descriptor(0, 0xfffff, 0xc073);
    expect("IRET to ring 3 with SS not present",
           iret_to((void *)ring3, UCODE, 2, user_sp, SCRATCH | 3), SS(SCRATCH));
    gdt[SCRATCH / 8] = descriptor(0, 0xfffff, 0xc0f1);
    expect("IRET to ring 3 with SS read-only",
           iret_to((void *)ring3, UCODE, 2, user_sp, SCRATCH | 3), GP(SCRATCH));
    expect("IRET to ring 3 with SS beyond the GDT",
           iret_to((void *)ring3, UCODE, 2, user_sp, 0x7fb), GP(0x7f8));
    expect("IRET to an address that is not canonical",
           iret_to((void *)NONCANONICAL, KCODE, 2, kernel_sp, KDATA), GP(0));
    gdt[SCRATCH / 8] = descriptor(0, 0xfff, 0x409b);
    expect("IRET to 32-bit code beyond its limit",
           iret_to((void *)0x1000, SCRATCH, 2, kernel_sp, KDATA), GP(0));
    try_user(code_user_iret, 0);
    expect_value("IRET in ring 3 changes neither IOPL nor IF", caught.gpr[0] & 0x3200, 0);
}

/* ---- far transfers ---- */

static struct __attribute__((packed)) {
    uint32_t offset;
    uint16_t selector;
} far32;

CODE(code_call_far, "call fword ptr [rdi]");
CODE(code_jmp_far, "jmp fword ptr [rdi]");
CODE(far_target, "int 0x84");
CODE(far_target32, "int 0x84");
CODE(code_retf, "push rdi; lea rax, [rip + 1f]; push rax; rex.w retf; 1: nop");

static int far(const char *code, word offset, uint16_t selector)
{
    far32.offset = (uint32_t)offset;
    far32.selector = selector;
    return try_kernel(code, (word)&far32);
}

static int user_far(const char *code, uint16_t selector)
{
    far32.offset = 0;
    far32.selector = selector;
    return try_user(code, user(&far32));
}

static void far_transfers(void)
{
    expect("CALL far", far(code_call_far, (word)far_target, KCODE), INT(0x84));
    expect("JMP far", far(code_jmp_far, (word)far_target, KCODE), INT(0x84));
    expect("JMP far to 32-bit code", far(code_jmp_far, (word)far_target32, KCODE32), INT(0x84));
    expect("JMP far to null", far(code_jmp_far, (word)far_target, 0), GP(0));
    expect("JMP far to data", far(code_jmp_far, (word)far_target, KDATA), GP(KDATA));
    expect("JMP far to a TSS", far(code_jmp_far, (word)far_target, TSS_SEL), GP(TSS_SEL));
    expect("CALL far to a TSS", far(code_call_far, (word)far_target, TSS_SEL), GP(TSS_SEL));
    expect("JMP far beyond the GDT", far(code_jmp_far, (word)far_target, 0x7f8), GP(0x7f8));
    expect("JMP far to code of ring 3", far(code_jmp_far, (word)far_target, UCODE & ~3),
           GP(UCODE & ~3));
    gdt[SCRATCH / 8] = descriptor(0, 0xfffff, 0xa01b);
    expect("JMP far to code not present", far(code_jmp_far, (word)far_target, SCRATCH),
           NP(SCRATCH));
    gdt[SCRATCH / 8] = descriptor(0, 0xfffff, 0xa085);
    expect("JMP far to a task gate", far(code_jmp_far, (word)far_target, SCRATCH), GP(SCRATCH));
    gdt[SCRATCH / 8] = descriptor(0, 0xfffff, 0xe09b);
    expect("JMP far to code with L and D", far(code_jmp_far, (word)far_target, SCRATCH),
           GP(SCRATCH));
    expect("JMP far to ring 0 code from ring 3", user_far(code_jmp_far, KCODE), GP(KCODE));
    gdt[SCRATCH / 8] = descriptor(0, 0xfffff, 0xa09f);
    far32.offset = (uint32_t)user(far_target);
    far32.selector = SCRATCH;
    set_gate(0x84, stub(0x84), KCODE, 0xee, 0);
    try_user(code_jmp_far, user(&far32));
    expect_value("JMP far to conforming code keeps the ring",
                 (word)caught.outcome << 32 | caught.cs, (word)INT(0x84) << 32 | SCRATCH | 3);
    expect("RETF to the same ring", try_kernel(code_retf, KCODE), NONE);
    expect("RETF to null", try_kernel(code_retf, 0), GP(0));
    expect("RETF to data", try_kernel(code_retf, KDATA), GP(KDATA));
    expect("RETF to ring 0 from ring 3", try_user(code_retf, KCODE), GP(KCODE));
}

/* A call gate of 16 bytes at SCRATCH. */
static void set_call_gate(word offset, uint16_t selector, unsigned flags)
{
    gdt[SCRATCH / 8] = (offset & 0xffff) | (uint64_t)selector << 16 | (uint64_t)flags << 40 |
                       (uint64_t)(offset >> 16 & 0xffff) << 48;
    gdt[SCRATCH / 8 + 1] = offset >> 32;
}

CODE(gate_target, "mov rax, [rsp]; mov rcx, [rsp + 8]; mov rdx, [rsp + 16]; mov rbx, [rsp + 24]; "
                  "int 0x84");
CODE(gate_return, "rex.w retf");
CODE(code_gate_and_back, "call fword ptr [rdi]; mov eax, 0x77");

static void call_gates(void)
{
    set_call_gate((word)gate_target, KCODE, 0xec);
    expect("call gate to ring 0", user_far(code_call_far, SCRATCH | 3), INT(0x84));
    set_call_gate((word)gate_target, KCODE, 0xec);
    user_far(code_call_far, SCRATCH | 3);
    expect_value("call gate pushes RIP", caught.gpr[0], user(code_call_far) + 2);
    set_call_gate((word)gate_target, KCODE, 0xec);
    user_far(code_call_far, SCRATCH | 3);
    expect_value("call gate pushes CS and SS", caught.gpr[1] << 16 | caught.gpr[3],
                 (word)UCODE << 16 | UDATA);
    set_call_gate((word)gate_target, KCODE, 0xec);
    user_far(code_call_far, SCRATCH | 3);
    expect_value("call gate pushes RSP", caught.gpr[2], user_sp);
    set_call_gate((word)gate_target, KCODE, 0xec);
    user_far(code_call_far, SCRATCH | 3);
    expect_value("call gate takes RSP0, a null SS", caught.rsp << 16 | caught.ss,
                 ((word)stack0 + 8192 - 32) << 16);
    set_call_gate((word)gate_return, KCODE, 0xec);
    expect("call gate and back", user_far(code_gate_and_back, SCRATCH | 3), NONE);
    set_call_gate((word)gate_return, KCODE, 0xec);
    user_far(code_gate_and_back, SCRATCH | 3);
    expect_value("call gate and back: it came back to ring 3",
                 caught.cs << 16 | (caught.gpr[0] & 0xff), (word)UCODE << 16 | 0x77);
    set_call_gate((word)gate_target, KCODE, 0x8c);
    expect("call gate of DPL 0 from ring 3", user_far(code_call_far, SCRATCH | 3), GP(SCRATCH));
    set_call_gate((word)gate_target, KCODE, 0x6c);
    expect("call gate not present", user_far(code_call_far, SCRATCH | 3), NP(SCRATCH));
    set_call_gate((word)gate_target, KCODE32, 0xec);
    expect("call gate to 32-bit code", user_far(code_call_far, SCRATCH | 3), GP(KCODE32));
    set_call_gate((word)gate_target, 0, 0xec);
    expect("call gate to null", user_far(code_call_far, SCRATCH | 3), GP(0));
    set_call_gate((word)gate_target, KDATA, 0xec);
    expect("call gate to data", user_far(code_call_far, SCRATCH | 3), GP(KDATA));
    set_call_gate((word)gate_target, KCODE, 0xe4);
    expect("16-bit call gate", user_far(code_call_far, SCRATCH | 3), GP(SCRATCH));
    set_call_gate((word)gate_target, KCODE, 0xec);
    gdt[SCRATCH / 8 + 1] |= 0x0cUL << 40;
    expect("call gate with a type in its upper half", user_far(code_call_far, SCRATCH | 3),
           GP(SCRATCH));
    set_call_gate((word)gate_target, KCODE, 0xec);
    expect("JMP through a gate to another ring", user_far(code_jmp_far, SCRATCH | 3), GP(KCODE));
    set_call_gate((word)gate_target, KCODE, 0xec);
    expect("JMP through a gate in ring 0", far(code_jmp_far, 0, SCRATCH), INT(0x84));
    set_call_gate(NONCANONICAL, KCODE, 0xec);
    expect("call gate to an address that is not canonical", user_far(code_call_far, SCRATCH | 3),
           GP(0));
}

/* ---- SYSRET, SYSEXIT ---- */

CODE(code_sysret64, "mov rcx, rdi; mov r11d, 0x3202; mov rsp, rsi; sysretq");
CODE(code_sysret32, "mov rcx, rdi; mov r11d, 2; .byte 0x0f, 0x07");
CODE(code_sysexit64, "mov rdx, rdi; mov rcx, rsp; sysexitq");

static void prepare_sysret(void)
{
    wrmsr(0xc0000081, (uint64_t)(UCODE32 & ~3) << 48 | (uint64_t)KCODE << 32);
}

static void system_returns(void)
{
    prepare_sysret();
    __asm__ volatile("" : : : "memory");
    iret_frame.rsp = 0;
    expect("SYSRET to 64-bit code", try_kernel(code_sysret64, user(iret_end)), NONE);
    prepare_sysret();
    try_kernel(code_sysret64, user(iret_end));
    expect_value("SYSRET to 64-bit code: CS, SS", caught.cs << 16 | caught.ss,
                 (word)UCODE << 16 | UDATA);
    prepare_sysret();
    try_kernel(code_sysret64, user(iret_end));
    expect_value("SYSRET loads the flags from R11", caught.rflags & 0x3202, 0x3202);
    prepare_sysret();
    expect("SYSRET to 32-bit code", try_kernel(code_sysret32, user(iret_end32)), NONE);
    prepare_sysret();
    try_kernel(code_sysret32, user(iret_end32));
    expect_value("SYSRET to 32-bit code: CS, SS", caught.cs << 16 | caught.ss,
                 (word)UCODE32 << 16 | UDATA);
    expect("SYSRET in ring 3", try_user(code_sysret64, user(iret_end)), GP(0));
    wrmsr(0x174, 0);
    expect("SYSEXIT without a selector", try_kernel(code_sysexit64, user(iret_end)),
           is_intel ? GP(0) : UD);
}

void cases_returns(void)
{
    kernel_sp = (word)spare_stack + 4096;
    user_sp = user(user_stack + sizeof(user_stack) - 64);
    iret_good();
    iret_bad();
    far_transfers();
    call_gates();
    system_returns();
}
