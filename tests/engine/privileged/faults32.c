/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segmentation and what else 32-bit protected mode has of its own.
 *
 * Reference: SDM 3, chapter 5.
 */
#include "kernel32.h"

#define SEG "mov eax, 0x60; mov ds, eax; "

/* A segment of 4 KiB at the scratch page. */
CASE(within, "last byte of a segment", KERNEL, NONE, SEG "mov al, [0xfff]");
CASE(within, "first byte beyond", KERNEL, GP(0), SEG "mov al, [0x1000]");
CASE(within, "over the limit", KERNEL, GP(0), SEG "mov eax, [0xffd]");
CASE(within, "write within", KERNEL, NONE, SEG "mov [0xff0], eax");
CASE(within, "write beyond", KERNEL, GP(0), SEG "mov [0x1000], eax");
CASE(within, "null DS", KERNEL, GP(0), "xor eax, eax; mov ds, eax; mov al, [0]");
CASE(user_limit, "read beyond the stack's limit", USER, SS(0),
     "mov eax, 0x63; mov ss, eax; mov eax, [esp]");
CASE(user_limit, "by EBP beyond the limit", USER, SS(0),
     "mov eax, 0x63; mov ebp, 0x2000; mov ss, eax; mov eax, [ebp]");
CASE(user_limit, "PUSH beyond the stack's limit", USER, SS(0),
     "mov eax, 0x63; mov ss, eax; mov esp, 0x2000; push eax");
CASE(user_limit, "PUSH below the stack's start", USER, SS(0),
     "mov eax, 0x63; mov ss, eax; mov esp, 2; push eax");
CASE(within, "by EBP with DS", KERNEL, NONE, "mov ebp, 0x100000; mov eax, ds:[ebp]");
CASE(within, "MOVS to ES beyond", KERNEL, GP(0),
     "mov eax, 0x60; mov es, eax; mov edi, 0x1000; mov esi, 0x100000; movsb");
CASE(within, "JMP beyond CS", KERNEL, GP(0), ".byte 0xea; .long 0x1000; .word 0x68");
CASE(read_only, "write to a read-only segment", KERNEL, GP(0), SEG "mov [0], eax");
CASE(read_only, "read of a read-only segment", KERNEL, NONE, SEG "mov eax, [0]");
CASE(read_only, "RMW of a read-only segment", KERNEL, GP(0), SEG "add [0], eax");
CASE(code_only, "read of execute-only code", KERNEL, GP(0x60), SEG "mov eax, [0]");
CASE(code_read, "read of readable code", KERNEL, NONE, SEG "mov eax, [0]");
CASE(code_read, "write to readable code", KERNEL, GP(0), SEG "mov [0], eax");
CASE(code_read, "write through CS", KERNEL, GP(0), "mov cs:[0x140000], eax");
CASE(down, "expand-down, within", KERNEL, NONE, SEG "mov al, [0x1000]");
CASE(down, "expand-down, below", KERNEL, GP(0), SEG "mov al, [0xfff]");
CASE(down, "expand-down, over its start", KERNEL, GP(0), SEG "mov eax, [0xffe]");
CASE(down, "expand-down, over 4 GiB", KERNEL, GP(0), SEG "mov eax, [0xfffffffe]");
CASE(down16, "16-bit expand-down, at 64 KiB", KERNEL, GP(0), SEG "mov al, [0x10000]");
CASE(down16, "16-bit expand-down, within", KERNEL, NONE, SEG "mov al, [0xffff]");

CASE(legacy, "INTO with overflow", KERNEL, OF, "mov al, 0x7f; inc al; into");
CASE(legacy, "INTO without", KERNEL, NONE, "test eax, eax; into");
CASE(legacy, "INTO to a closed gate", USER, GP(4 * 8 + 2), "mov al, 0x7f; inc al; into");
CASE(legacy, "BOUND outside", KERNEL, BR,
     "push 10; push 0; mov eax, 11; bound eax, [esp]; add esp, 8");
CASE(legacy, "BOUND inside", KERNEL, NONE,
     "push 10; push 0; mov eax, 10; bound eax, [esp]; add esp, 8");
CASE(legacy, "BOUND of a register", KERNEL, UD, ".byte 0x62, 0xc0");
CASE(legacy, "AAM by zero", KERNEL, DE, ".byte 0xd4, 0");
CASE(legacy, "POP CS", KERNEL, UD, ".byte 0x8e, 0xc8");
CASE(legacy, "LES of a register", KERNEL, UD, ".byte 0xc4, 0xc0");
CASE(legacy, "SWAPGS", KERNEL, UD, ".byte 0x0f, 0x01, 0xf8");
CASE(legacy, "RDFSBASE", KERNEL, UD, ".byte 0xf3, 0x0f, 0xae, 0xc0");
CASE(legacy, "HLT in ring 3", USER, GP(0), "hlt");
CASE(legacy, "CLI in ring 3", USER, GP(0), "cli");
CASE(legacy, "MOV from CR0 in ring 3", USER, GP(0), "mov eax, cr0");
CASE(legacy, "IN in ring 3", USER, GP(0), "in al, 0x80");
CASE(legacy, "MOV to CR0: PG without PE", KERNEL, GP(0), "mov eax, 0x80000010; mov cr0, eax");
CASE(legacy, "MOV to CR0: NW without CD", KERNEL, GP(0),
     "mov eax, cr0; or eax, 0x20000000; mov cr0, eax");
CASE(legacy, "MOV to CR4: PCIDE", KERNEL, GP(0), "mov eax, cr4; or eax, 0x20000; mov cr4, eax");
CASE(legacy, "SYSEXIT in ring 3", USER, GP(0), "sysexit");
CASE(legacy, "SYSENTER without a selector", USER, GP(0), "sysenter");

static void segment(uint32_t base, uint32_t limit, uint32_t flags)
{
    gdt[SCRATCH / 8] = descriptor(base, limit, flags);
    gdt[SCRATCH / 8 + 1] = descriptor((word)scratch, 0xfff, 0x409b);
}

static void limit_4k(void)
{
    segment((word)scratch, 0xfff, 0x4093);
}

static void user_limit_4k(void)
{
    segment((word)scratch, 0xfff, 0x40f3);
}

static void data_read_only(void)
{
    segment((word)scratch, 0xfff, 0x4091);
}

static void execute_only(void)
{
    segment((word)scratch, 0xfff, 0x4099);
}

static void readable_code(void)
{
    segment((word)scratch, 0xfff, 0x409b);
}

static void expand_down(void)
{
    segment((word)scratch - 0x1000, 0xfff, 0x4097);
}

static void expand_down_16(void)
{
    segment((word)scratch, 0xfff, 0x0097);
}

static void no_sysenter(void)
{
    wrmsr(0x174, 0);
}

/* ---- loads of segment registers ---- */

CODE(load_ds, "mov ds, edi");
CODE(load_ss, "mov ss, edi; mov eax, 0x10; mov ss, eax");
CODE(load_lldt, "lldt di");
CODE(load_ltr, "ltr di");
CODE(code_arpl, "mov eax, 0x60; mov ecx, 3; arpl ax, cx; setz dl; movzx edx, dl");
CODE(code_verr, "verr di; setz cl; movzx ecx, cl");
CODE(code_lsl, "xor eax, eax; lsl eax, edi");

static const struct {
    const char *name;
    const char *code;
    uint16_t selector, flags;
    bool in_ring3;
    int want;
} loads[] = {
    { "DS data", load_ds, SCRATCH, 0x4093, false, NONE },
    { "DS execute-only code", load_ds, SCRATCH, 0x4099, false, GP(SCRATCH) },
    { "DS not present", load_ds, SCRATCH, 0x4013, false, NP(SCRATCH) },
    { "DS beyond the GDT", load_ds, 0x7f8, 0, false, GP(0x7f8) },
    { "DS of ring 0 in ring 3", load_ds, KDATA, 0, true, GP(KDATA) },
    { "DS conforming code in ring 3", load_ds, SCRATCH, 0x409f, true, NONE },
    { "SS null", load_ss, 0, 0, false, GP(0) },
    { "SS read-only", load_ss, SCRATCH, 0x4091, false, GP(SCRATCH) },
    { "SS with RPL 3", load_ss, UDATA, 0, false, GP(UDATA & ~3) },
    { "SS not present", load_ss, SCRATCH, 0x4013, false, SS(SCRATCH) },
    { "LLDT of data", load_lldt, KDATA, 0, false, GP(KDATA) },
    { "LLDT not present", load_lldt, SCRATCH, 0x0002, false, NP(SCRATCH) },
    { "LTR of a busy TSS", load_ltr, SCRATCH, 0x008b, false, GP(SCRATCH) },
    { "LTR of a 16-bit TSS", load_ltr, SCRATCH, 0x0081, false, NONE },
    { "LTR null", load_ltr, 0, 0, false, GP(0) },
    { "LTR not present", load_ltr, SCRATCH, 0x0009, false, NP(SCRATCH) },
};

static void segment_loads(void)
{
    for (unsigned i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        segment(0x1000, 0xfffff, loads[i].flags);
        expect(loads[i].name,
               loads[i].in_ring3 ? try_user(loads[i].code, loads[i].selector)
                                 : try_kernel(loads[i].code, loads[i].selector),
               loads[i].want);
    }
    try_kernel(code_arpl, 0);
    expect_value("ARPL raises the RPL", caught.gpr[0] << 16 | caught.gpr[2], 0x63 << 16 | 1);
    segment(0, 0xfff, 0x4091);
    try_kernel(code_verr, SCRATCH);
    expect_value("VERR of data", caught.gpr[1], 1);
    segment(0, 0xfff, 0x0081);
    try_kernel(code_lsl, SCRATCH);
    expect_value("LSL of a 16-bit TSS", caught.gpr[0], 0xfff);
    CODE(code_ldt, "mov eax, 0x50; lldt ax; mov eax, 0x0c; mov fs, eax; mov eax, fs:[0]");
    ldt[1] = descriptor((word)scratch, 0xfff, 0x4093);
    scratch[0] = 0x600df00d;
    try_kernel(code_ldt, 0);
    expect_value("a segment of the LDT", caught.gpr[0], 0x600df00d);
    CODE(code_base, "mov ds, edi; mov eax, [0]");
    segment((word)scratch, 0xfff, 0x4093);
    try_kernel(code_base, SCRATCH);
    expect_value("DS has a base", caught.gpr[0], 0x600df00d);
    CODE(code_stack16, "mov eax, esp; mov ecx, 0x60; mov ss, ecx; mov sp, 2; push ax; "
                       "mov cx, sp; push ax; mov dx, sp; mov ecx, 0x10; mov ss, ecx; "
                       "mov esp, eax; movzx edx, dx");
    segment((word)scratch & 0xffff0000, 0xffff, 0x0093);
    try_kernel(code_stack16, 0);
    expect_value("a 16-bit stack wraps at 64 KiB", caught.gpr[2], 0xfffe);
}

void cases_faults(void)
{
    RUN_ROWS(within, limit_4k);
    RUN_ROWS(user_limit, user_limit_4k);
    RUN_ROWS(read_only, data_read_only);
    RUN_ROWS(code_only, execute_only);
    RUN_ROWS(code_read, readable_code);
    RUN_ROWS(down, expand_down);
    RUN_ROWS(down16, expand_down_16);
    RUN_ROWS(legacy, no_sysenter);
    segment_loads();
}
