/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hardware task switches: by JMP, CALL, IRET and a task gate.
 *
 * Reference: SDM 3, chapter 7.
 */
#include "kernel32.h"

enum { OTHER = SCRATCH + 8, GATE = SCRATCH + 16 };

extern const char other_entry[], other_return[], other_back[];
__asm__(".pushsection .text.rows, \"ax\"\n.globl other_entry, other_return, other_back\n"
        ".intel_syntax noprefix\n"
        "other_entry: mov ecx, cr0; pushfd; pop edx; str bx; int 0x86\n"
        "other_return: mov esi, 0x77; iretd; jmp other_return\n"
        "other_back: .byte 0xea; .long 0; .word 0x40; jmp other_back\n"
        ".att_syntax prefix\n.popsection");

CODE(code_jmp_task, "jmp fword ptr [edi]");
CODE(code_call_task,
     "mov ecx, 0x5151; call fword ptr [edi]; mov eax, cr0; pushfd; pop edx; str bx");
CODE(code_int81, "mov ecx, 0x5151; int 0x81");
CODE(code_iret_nt, "push 0x4002; popfd; iretd");

static struct __attribute__((packed)) {
    uint32_t offset;
    uint16_t selector;
} target;

static uint8_t other_stack[4096] __attribute__((aligned(16)));

static void set_other(const char *entry)
{
    other_task = (Tss){ .eip = (word)entry,
                        .eflags = 2,
                        .es = KDATA,
                        .cs = KCODE,
                        .ss = KDATA,
                        .ds = KDATA,
                        .fs = KDATA,
                        .gs = KDATA,
                        .map = sizeof(Tss) };
    other_task.gpr[0] = 0xaaaa;
    other_task.gpr[4] = (word)other_stack + sizeof(other_stack);
    other_task.gpr[7] = 0xd1d1;
    gdt[OTHER / 8] = descriptor((word)&other_task, sizeof(Tss) - 1, 0x89);
    target.selector = OTHER;
}

static unsigned busy(unsigned selector)
{
    return (unsigned)(gdt[selector / 8] >> 41 & 1);
}

static int jump(void)
{
    return try_kernel(code_jmp_task, (word)&target);
}

static int call(void)
{
    return try_kernel(code_call_task, (word)&target);
}

static void switches(void)
{
    set_other(other_entry);
    expect("JMP to a TSS", jump(), INT(0x86));
    set_other(other_entry);
    jump();
    expect_value("JMP to a TSS loads registers", caught.gpr[0] << 16 | caught.gpr[7],
                 0xaaaaU << 16 | 0xd1d1);
    set_other(other_entry);
    jump();
    expect_value("JMP to a TSS sets TS", caught.gpr[1] & CR0_TS, CR0_TS);
    set_other(other_entry);
    jump();
    expect_value("JMP to a TSS: TR, no NT",
                 (caught.gpr[3] & 0xffff) << 16 | (caught.gpr[2] & FLAG_NT), (word)OTHER << 16);
    set_other(other_entry);
    jump();
    expect_value("JMP to a TSS: the new is busy, the old isn't", busy(OTHER) << 1 | busy(TSS_SEL),
                 2);
    set_other(other_entry);
    jump();
    expect_value("JMP to a TSS saves EIP", ((Tss *)(void *)tss)->eip, (word)code_jmp_task + 2);
    set_other(other_entry);
    expect("CALL to a TSS", call(), INT(0x86));
    set_other(other_entry);
    call();
    expect_value("CALL to a TSS: link, NT", other_task.link << 16 | (caught.gpr[2] & FLAG_NT),
                 TSS_SEL << 16 | FLAG_NT);
    set_other(other_entry);
    call();
    expect_value("CALL to a TSS: both busy", busy(OTHER) << 1 | busy(TSS_SEL), 3);
    set_other(other_entry);
    call();
    expect_value("CALL to a TSS saves registers", ((Tss *)(void *)tss)->gpr[1], 0x5151);
    set_other(other_return);
    expect("CALL to a TSS and IRET", call(), NONE);
    set_other(other_return);
    call();
    expect_value("CALL to a TSS and IRET: registers, no NT",
                 caught.gpr[1] | (caught.gpr[2] & FLAG_NT), 0x5151);
    set_other(other_return);
    call();
    expect_value("CALL to a TSS and IRET: TR, only the old is busy",
                 (caught.gpr[3] & 0xffff) << 8 | busy(OTHER) << 1 | busy(TSS_SEL),
                 TSS_SEL << 8 | 1);
    set_other(other_return);
    call();
    expect_value("CALL to a TSS and IRET saves the other", other_task.gpr[6], 0x77);
    set_other(other_back);
    expect("JMP there and back", jump(), NONE);
}

static void task_gates(void)
{
    set_other(other_entry);
    gdt[GATE / 8] = (uint64_t)OTHER << 16 | 0x85ULL << 40;
    target.selector = GATE;
    expect("JMP to a task gate", jump(), INT(0x86));
    set_other(other_entry);
    set_gate(0x81, 0, OTHER, 0x85, 0);
    expect("INT n to a task gate", try_kernel(code_int81, 0), INT(0x86));
    set_other(other_return);
    set_gate(0x81, 0, OTHER, 0x85, 0);
    expect("INT n to a task gate and IRET", try_kernel(code_int81, 0), NONE);
    set_other(other_entry);
    set_gate(13, 0, OTHER, 0x85, 0);
    try_kernel("\x0f\x0b", 0);
    CODE(code_gp, "mov eax, 0x7f8; mov ds, eax");
    try_kernel(code_gp, 0);
    expect_value("a fault to a task gate pushes its error code",
                 *(word *)(void *)(other_stack + sizeof(other_stack) - 4), 0x7f8);
    catch_by_task(8);
    CODE(code_bad_stack, "xor esp, esp; mov ecx, 0x60; mov ss, ecx; push eax");
    gdt[SCRATCH / 8] = descriptor(0, 0xfff, 0x4093);
    expect("#DF by a task gate survives a bad stack", try_kernel(code_bad_stack, 0), DF);
}

/* ---- what can be wrong with a TSS ---- */

static void bad_tasks(void)
{
    set_other(other_entry);
    gdt[OTHER / 8] = descriptor((word)&other_task, sizeof(Tss) - 1, 0x8b);
    expect("JMP to a busy TSS", jump(), GP(OTHER));
    set_other(other_entry);
    gdt[OTHER / 8] = descriptor((word)&other_task, sizeof(Tss) - 1, 0x09);
    expect("JMP to a TSS not present", jump(), NP(OTHER));
    set_other(other_entry);
    gdt[OTHER / 8] = descriptor((word)&other_task, 0x66, 0x89);
    expect("JMP to a TSS too small", jump(), TS(OTHER));
    set_other(other_entry);
    expect("JMP to a TSS from ring 3", try_user(code_jmp_task, (word)&target), GP(OTHER));
    set_other(other_entry);
    other_task.cs = 0;
    catch_by_task(10);
    expect("TSS with a null CS", jump(), TS(0));
    set_other(other_entry);
    other_task.cs = KDATA;
    catch_by_task(10);
    expect("TSS with data as CS", jump(), TS(KDATA));
    set_other(other_entry);
    other_task.ss = 0;
    catch_by_task(10);
    expect("TSS with a null SS", jump(), TS(0));
    set_other(other_entry);
    other_task.ds = KCODE16 | 4;
    catch_by_task(10);
    expect("TSS with DS in an LDT that is not there", jump(), TS(KCODE16 | 4));
    set_other(other_entry);
    other_task.ldt = KDATA;
    catch_by_task(10);
    expect("TSS with a bad LDT", jump(), TS(KDATA));
    set_other(other_entry);
    gdt[SCRATCH / 8] = descriptor(0, 0xfffff, 0xc013);
    other_task.ds = SCRATCH;
    catch_by_task(11);
    expect("TSS with DS not present", jump(), NP(SCRATCH));
    set_other(other_entry);
    other_task.trap = 1;
    expect("TSS with the trap bit", jump(), DB);
    set_other(other_entry);
    other_task.trap = 1;
    jump();
    expect_value("TSS with the trap bit: DR6", caught.dr6 & 0xf00f, 0x8000);
    expect("IRET with NT to a TSS that isn't busy", try_kernel(code_iret_nt, 0), TS(0));
}

void cases_tasks(void)
{
    switches();
    task_gates();
    bad_tasks();
}
