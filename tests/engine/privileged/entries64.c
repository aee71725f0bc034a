/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Into a handler, 64-bit kernel: gates, their errors, stacks, nested faults, NMI, SYSCALL and
 * SYSENTER.
 *
 * Reference: SDM 3, 6.11 to 6.15; error codes: 6.13.
 */
#include "kernel64.h"

#define IDT_ERROR(vector) ((vector)*8 + 2)

CODE(code_int3, "int3");
CODE(code_int1, ".byte 0xf1");
CODE(code_int81, "int 0x81");
CODE(code_ud2, "ud2");
CODE(code_div0, "xor ecx, ecx; div ecx");
CODE(code_gp, "bts rax, 63; mov rax, [rax]");
CODE(code_pf, "mov rax, 0x80000000; mov rax, [rax]");
CODE(code_int_after_stc, "stc; int 0x81");

static void software(void)
{
    expect("INT3", try_kernel(code_int3, 0), BP);
    try_kernel(code_int3, 0);
    expect_value("INT3 returns behind itself", caught.rip, (word)code_int3 + 1);
    expect("INT1", try_kernel(code_int1, 0), DB);
    try_kernel(code_int1, 0);
    expect_value("INT1 returns behind itself", caught.rip, (word)code_int1 + 1);
    expect("INT n", try_kernel(code_int81, 0), INT(0x81));
    try_kernel(code_int81, 0);
    expect_value("INT n returns behind itself", caught.rip, (word)code_int81 + 2);
    expect("INT n to a closed gate from ring 3", try_user(code_int81, 0), GP(IDT_ERROR(0x81)));
    expect("INT3 to a closed gate from ring 3", try_user(code_int3, 0), GP(IDT_ERROR(3)));
    expect("INT1 to a closed gate from ring 3", try_user(code_int1, 0), DB);
    expect("a fault to a closed gate from ring 3", try_user(code_ud2, 0), UD);
    set_gate(0x81, stub(0x81), KCODE, 0xee, 0);
    expect("INT n to an open gate from ring 3", try_user(code_int81, 0), INT(0x81));
    set_gate(3, stub(3), KCODE, 0xee, 0);
    expect("INT3 to an open gate from ring 3", try_user(code_int3, 0), BP);
    try_user(code_int81, 0);
    expect_value("a refused INT n stands at itself", caught.rip, user(code_int81));
    try_kernel(code_ud2, 0);
    expect_value("#UD stands at the instruction", caught.rip, (word)code_ud2);
}

/* What a gate for vector 81h may look like. */
static void bad_gates(void)
{
    const int error = IDT_ERROR(0x81);

    set_gate(0x81, stub(0x81), KCODE, 0x0e, 0);
    expect("gate not present", try_kernel(code_int81, 0), NP(error));
    set_gate(0x81, stub(0x81), KCODE, 0x85, 0);
    expect("task gate", try_kernel(code_int81, 0), GP(error));
    set_gate(0x81, stub(0x81), KCODE, 0x86, 0);
    expect("16-bit gate", try_kernel(code_int81, 0), GP(error));
    set_gate(0x81, stub(0x81), KCODE, 0x8c, 0);
    expect("call gate in the IDT", try_kernel(code_int81, 0), GP(error));
    set_gate(0x81, stub(0x81), KCODE, 0x80, 0);
    expect("gate of type 0", try_kernel(code_int81, 0), GP(error));
    set_gate(0x81, stub(0x81), 0, 0x8e, 0);
    expect("gate to a null selector", try_kernel(code_int81, 0), GP(0));
    set_gate(0x81, stub(0x81), 0x7f8, 0x8e, 0);
    expect("gate beyond the GDT", try_kernel(code_int81, 0), GP(0x7f8));
    set_gate(0x81, stub(0x81), KDATA, 0x8e, 0);
    expect("gate to data", try_kernel(code_int81, 0), GP(KDATA));
    set_gate(0x81, stub(0x81), KCODE32, 0x8e, 0);
    expect("gate to 32-bit code", try_kernel(code_int81, 0), GP(KCODE32));
    set_gate(0x81, stub(0x81), UCODE, 0x8e, 0);
    expect("gate to code of ring 3", try_kernel(code_int81, 0), GP(UCODE & ~3));
    gdt[SCRATCH / 8] = descriptor(0, 0xfffff, 0xa01b);
    set_gate(0x81, stub(0x81), SCRATCH, 0x8e, 0);
    expect("gate to code not present", try_kernel(code_int81, 0), NP(SCRATCH));
    set_gate(0x81, stub(0x81), LDT_SEL | 4, 0x8e, 0);
    expect("gate to an LDT that is not there", try_kernel(code_int81, 0), GP(LDT_SEL | 4));
    set_gate(0x81, NONCANONICAL, KCODE, 0x8e, 0);
    expect("gate to an address that is not canonical", try_kernel(code_int81, 0), GP(0));
    gdt[SCRATCH / 8] = descriptor(0, 0xfffff, 0xa09f);
    set_gate(0x81, stub(0x81), SCRATCH, 0x8e, 0);
    expect("gate to conforming code", try_kernel(code_int81, 0), INT(0x81));
}

static void lidt_limit(uint16_t limit)
{
    const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } idtr = { limit, (word)idt };

    __asm__ volatile("lidt %0" : : "m"(idtr));
}

/* The handler's flags and stack. */
static word seen_flags, seen_rsp, seen_cs;
static void note_entry(Frame *frame)
{
    word flags;

    __asm__ volatile("pushfq; pop %0" : "=r"(flags));
    seen_flags = flags;
    seen_rsp = (word)(frame + 1);
    seen_cs = frame->cs;
}

CODE(code_flags_int, "push 0x4202; popfq; int 0x81");

static void entry_state(void)
{
    lidt_limit(0x81 * 16 + 14);
    expect("gate half beyond the IDT", try_kernel(code_int81, 0), GP(IDT_ERROR(0x81)));
    lidt_limit(0x80 * 16 + 15);
    expect("gate beyond the IDT", try_kernel(code_int81, 0), GP(IDT_ERROR(0x81)));
    hook(0x81, note_entry);
    try_kernel(code_flags_int, 0);
    expect_value("an interrupt gate clears IF and NT", seen_flags & (FLAG_IF | FLAG_NT), 0);
    hook(0x81, note_entry);
    set_gate(0x81, stub(0x81), KCODE, 0x8f, 0);
    try_kernel(code_flags_int, 0);
    expect_value("a trap gate keeps IF", seen_flags & (FLAG_IF | FLAG_NT), FLAG_IF);
    set_gate(0x81, stub(0x81), KCODE, 0xee, 0);
    try_user(code_int81, 0);
    expect_value("from ring 3 the stack is RSP0", caught.handler_rsp, (word)stack0 + 8192);
    set_gate(0x81, stub(0x81), KCODE, 0xee, 0);
    try_user(code_int81, 0);
    expect_value("from ring 3 CS and SS are pushed", caught.cs << 16 | caught.ss,
                 (word)UCODE << 16 | UDATA);
    set_gate(0x81, stub(0x81), KCODE, 0x8e, 2);
    word ist = (word)stack0 + 3000;
    __builtin_memcpy(tss + 0x2c, &ist, 8);
    try_kernel(code_int81, 0);
    expect_value("IST gives the stack, aligned", caught.handler_rsp, ist & ~15UL);
    try_kernel(code_int81, 0);
    expect_value("the same ring keeps the stack", caught.handler_rsp,
                 ((word)spare_stack + 8192 - 64) & ~15UL);
    try_kernel(code_int_after_stc, 0);
    expect_value("flags are pushed as they were", caught.rflags, 3);
    try_kernel(code_ud2, 0);
    expect_value("#UD pushes RF", caught.rflags & FLAG_RF, FLAG_RF);
    try_kernel(code_int3, 0);
    expect_value("INT3 pushes no RF", caught.rflags & FLAG_RF, 0);
}

/* ---- faults on the way ---- */

static void set_rsp0(word value)
{
    __builtin_memcpy(tss + 4, &value, 8);
}

static void nested(void)
{
    set_gate(6, stub(6), KCODE, 0x0e, 0);
    expect("#NP while delivering #UD has EXT", try_kernel(code_ud2, 0), NP(6 * 8 + 3));
    set_gate(0, stub(0), KCODE, 0x0e, 0);
    expect("#NP while delivering #DE is #DF", try_kernel(code_div0, 0), DF);
    set_gate(13, stub(13), KCODE, 0x0e, 0);
    expect("#NP while delivering #GP is #DF", try_kernel(code_gp, 0), DF);
    set_gate(14, stub(14), KCODE, 0x0e, 0);
    expect("#NP while delivering #PF is #DF", try_kernel(code_pf, 0), DF);
    set_gate(14, stub(14), KDATA, 0x8e, 0);
    expect("#GP while delivering #PF is #DF", try_kernel(code_pf, 0), DF);
    lidt_limit(13 * 16 + 15);
    set_gate(8, stub(8), KCODE, 0x8e, 1);
    expect("#GP while delivering INT n is #GP", try_kernel(code_int81, 0), GP(IDT_ERROR(0x81)));
    set_gate(0x81, stub(0x81), KCODE, 0xee, 0);
    set_gate(14, stub(14), KCODE, 0x8e, 1);
    set_rsp0(TEST_PAGE(9));
    expect("#PF on the stack of INT n", try_user(code_int81, 0), PF(2));
    set_gate(14, stub(14), KCODE, 0x8e, 1);
    set_rsp0(TEST_PAGE(9));
    try_user(code_ud2, 0);
    expect_value("#PF on the stack of #UD: CR2", caught.cr2 & ~0xfffUL, TEST_PAGE(8));
    set_rsp0(TEST_PAGE(9));
    expect("#PF on the stack of #PF is #DF", try_user(code_pf, 0), DF);
    set_rsp0(TEST_PAGE(9));
    expect("#PF on the stack of #GP is #PF, then #DF", try_user(code_gp, 0), DF);
    set_gate(14, stub(14), KCODE, 0x8e, 1);
    set_rsp0(TEST_PAGE(9));
    expect("#PF on the stack of #GP", try_user(code_gp, 0), PF(2));
    set_gate(0x81, stub(0x81), KCODE, 0xee, 0);
    set_gate(12, stub(12), KCODE, 0x8e, 1);
    set_rsp0(NONCANONICAL);
    expect("#SS on the stack of INT n", try_user(code_int81, 0), SS(0));
    set_gate(12, stub(12), KCODE, 0x8e, 1);
    set_rsp0(NONCANONICAL);
    expect("#SS on the stack of #UD", try_user(code_ud2, 0), SS(1));
    set_gate(12, stub(12), KCODE, 0x8e, 1);
    set_rsp0(NONCANONICAL);
    expect("#SS on the stack of #GP is #DF", try_user(code_gp, 0), DF);
}

/* ---- NMI, by the local APIC ---- */

static volatile uint32_t *const lapic = (volatile uint32_t *)0xfee00000;
static unsigned nmis, nmi_depth, nmi_deepest;

static void send_self(uint32_t command)
{
    if (progress.done < progress.first) {
        return;
    }
    lapic[0x310 / 4] = lapic[0x20 / 4];
    lapic[0x300 / 4] = command;
    while (lapic[0x300 / 4] & 1 << 12) {
    }
}

static void nmi_handler(Frame *frame)
{
    nmis++;
    nmi_depth++;
    nmi_deepest = nmi_depth > nmi_deepest ? nmi_depth : nmi_deepest;
    if (nmis == 1) {
        send_self(0x4400); /* another one: must wait for IRET */
        for (volatile unsigned i = 0; i < 100; i++) {
        }
    }
    nmi_depth--;
}

static void early_iret(Frame *frame)
{
    word marker = nmis++;

    if (marker == 0) {
        send_self(0x4400);
        /* an IRET of our own, to the next instruction, ends the blocking */
        __asm__ volatile("mov %%rsp, %%rax; pushq $0x10; pushq %%rax; pushq $2; pushq $8;"
                         "lea 1f(%%rip), %%rax; pushq %%rax; iretq; 1:"
                         :
                         :
                         : "rax", "memory");
        nmi_deepest = nmis; /* the second one came in between */
    }
}

static void send_nmi_code(void)
{
    send_self(0x4400);
    for (volatile unsigned i = 0; i < 100; i++) {
    }
}

static void nmi(void)
{
    lapic[0xf0 / 4] = 0x1ff;
    nmis = nmi_deepest = 0;
    hook(2, nmi_handler);
    try_kernel((const void *)send_nmi_code, 0);
    expect_value("NMI while in NMI comes after IRET", nmis << 4 | nmi_deepest, 0x21);
    nmis = nmi_deepest = 0;
    hook(2, early_iret);
    try_kernel((const void *)send_nmi_code, 0);
    expect_value("any IRET ends the blocking of NMI", nmis << 4 | nmi_deepest, 0x22);
    set_gate(0x90, stub(0x90), KCODE, 0x0e, 0);
    send_self(0x4090);
    CODE(code_open, "sti; nop; nop; cli");
    expect("interrupt to a gate not present has EXT", try_kernel(code_open, 0), NP(0x90 * 8 + 3));
    lapic[0xb0 / 4] = 0;
    send_self(0x4091);
    CODE(code_sti_shadow, "xor eax, eax; sti; inc eax; inc eax; cli");
    int got = try_kernel(code_sti_shadow, 0);
    expect_value("STI holds interrupts back for one instruction",
                 got == INT(0x91) ? caught.gpr[0] : 99, 1);
    lapic[0xb0 / 4] = 0;
    send_self(0x4092);
    CODE(code_sti_cli, "sti; cli; nop");
    expect("STI and CLI let nothing in", try_kernel(code_sti_cli, 0), NONE);
    CODE(code_mov_ss_shadow, "mov ecx, ss; xor eax, eax; push 0x202; popfq; inc eax; cli");
    got = try_kernel(code_mov_ss_shadow, 0);
    expect_value("POPF lets interrupts in at once", got == INT(0x92) ? caught.gpr[0] : 99, 0);
    lapic[0xb0 / 4] = 0;
}

/* ---- SYSCALL, SYSENTER ---- */

CODE(code_syscall, "syscall");
CODE(code_syscall_stc, "stc; syscall");
CODE(syscall_entry,
     "mov rdx, r11; mov rbx, rsp; mov rsp, [rip + saved_rsp]; sub rsp, 256; int 0x82");
CODE(code_sysenter, "sysenter");
CODE(sysenter_entry, "mov rsp, [rip + saved_rsp]; sub rsp, 256; int 0x83");

static void set_syscall(uint64_t mask)
{
    wrmsr(0xc0000081, (uint64_t)(UCODE32 & ~3) << 48 | (uint64_t)KCODE << 32);
    wrmsr(0xc0000082, (word)syscall_entry);
    wrmsr(0xc0000084, mask);
}

static void system_calls(void)
{
    set_syscall(0);
    wrmsr(MSR_EFER, defaults.efer & ~(uint64_t)EFER_SCE);
    expect("SYSCALL without SCE", try_user(code_syscall, 0), UD);
    wrmsr(MSR_EFER, defaults.efer & ~(uint64_t)EFER_SCE);
    expect("SYSRET without SCE", try_kernel("\x48\x0f\x07\xc3", 0), UD);
    set_syscall(0);
    expect("SYSCALL from ring 3", try_user(code_syscall, 0), INT(0x82));
    set_syscall(0);
    try_user(code_syscall, 0);
    expect_value("SYSCALL: RCX is behind it", caught.gpr[1], user(code_syscall) + 2);
    set_syscall(1);
    try_user(code_syscall_stc, 0);
    expect_value("SYSCALL: R11 is the flags, FMASK clears",
                 caught.gpr[11] << 1 | (caught.rflags & 1), 3 << 1);
    set_syscall(0);
    try_user(code_syscall, 0);
    expect_value("SYSCALL: CS and SS by STAR", caught.cs << 16 | caught.ss,
                 (word)KCODE << 16 | KDATA);
    set_syscall(0);
    try_user(code_syscall, 0);
    expect_value("SYSCALL keeps RSP", caught.gpr[3], user(user_stack + sizeof(user_stack) - 64));
    set_syscall(0);
    expect("SYSCALL from ring 0", try_kernel(code_syscall, 0), INT(0x82));
    wrmsr(0x174, 0);
    expect("SYSENTER without a selector", try_user(code_sysenter, 0), is_intel ? GP(0) : UD);
    if (is_intel) {
        wrmsr(0x174, KCODE);
        wrmsr(0x175, (word)spare_stack + 4096);
        wrmsr(0x176, (word)sysenter_entry);
        expect("SYSENTER from 64-bit code", try_user(code_sysenter, 0), INT(0x83));
        wrmsr(0x174, 0);
    } else {
        skip("SYSENTER from 64-bit code", "AMD's CPUs have none");
    }
}

void cases_entries(void)
{
    software();
    bad_gates();
    entry_state();
    nested();
    nmi();
    system_calls();
}
