/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segment registers and descriptors, 64-bit kernel.
 *
 * Reference: SDM 3, 5.4 to 5.7; SDM 2, MOV, LAR, LSL, VERR, LTR, LLDT.
 */
#include "kernel64.h"

CODE(load_ds, "mov ds, edi");
CODE(load_ss, "mov ss, edi; mov eax, 0x10; mov ss, eax");
CODE(load_fs, "mov fs, edi; mov al, fs:[0]");
CODE(load_lldt, "lldt di");
CODE(load_ltr, "ltr di");
CODE(code_lar, "mov eax, 0x5555; lar eax, edi; setz cl; movzx ecx, cl");
CODE(code_lsl, "mov eax, 0x5555; lsl eax, edi; setz cl; movzx ecx, cl");
CODE(code_verr, "verr di; setz cl; movzx ecx, cl");
CODE(code_verw, "verw di; setz cl; movzx ecx, cl");

/* What stands at SCRATCH, how it is loaded, and what comes of it. */
static const struct {
    const char *name;
    const char *code;
    uint16_t selector;
    uint16_t flags; /* of the descriptor at SCRATCH, bits 8 to 23 */
    bool in_ring3;
    int want;
} loads[] = {
    { "DS null", load_ds, 0, 0, false, NONE },
    { "DS null with RPL 3", load_ds, 3, 0, false, NONE },
    { "DS data", load_ds, SCRATCH, 0xc093, false, NONE },
    { "DS read-only data", load_ds, SCRATCH, 0xc091, false, NONE },
    { "DS readable code", load_ds, SCRATCH, 0xa09b, false, NONE },
    { "DS execute-only code", load_ds, SCRATCH, 0xa099, false, GP(SCRATCH) },
    { "DS system segment", load_ds, TSS_SEL, 0, false, GP(TSS_SEL) },
    { "DS not present", load_ds, SCRATCH, 0xc013, false, NP(SCRATCH) },
    { "DS beyond the GDT", load_ds, 0x7f8, 0, false, GP(0x7f8) },
    { "DS in an LDT that is not there", load_ds, 0x0c, 0, false, GP(0x0c) },
    { "DS of ring 0 in ring 3", load_ds, KDATA, 0, true, GP(KDATA) },
    { "DS of ring 0 with RPL 3", load_ds, KDATA | 3, 0, false, GP(KDATA) },
    { "DS of ring 3 in ring 0", load_ds, UDATA, 0, false, NONE },
    { "DS conforming code of ring 0 in ring 3", load_ds, SCRATCH | 3, 0xa09f, true, NONE },
    { "DS code of ring 0 in ring 3", load_ds, SCRATCH | 3, 0xa09b, true, GP(SCRATCH) },
    { "SS null in ring 0", load_ss, 0, 0, false, NONE },
    { "SS null with RPL 3 in ring 0", load_ss, 3, 0, false, GP(0) },
    { "SS null in ring 3", load_ss, 3, 0, true, GP(0) },
    { "SS read-only", load_ss, SCRATCH, 0xc091, false, GP(SCRATCH) },
    { "SS code", load_ss, KCODE, 0, false, GP(KCODE) },
    { "SS with RPL 3 in ring 0", load_ss, UDATA, 0, false, GP(UDATA & ~3) },
    { "SS of ring 0 in ring 3", load_ss, KDATA, 0, true, GP(KDATA) },
    { "SS not present", load_ss, SCRATCH, 0xc013, false, SS(SCRATCH) },
    { "SS beyond the GDT", load_ss, 0x7f8, 0, false, GP(0x7f8) },
    { "FS null, used", load_fs, 0, 0, false, NONE },
    { "LLDT null", load_lldt, 0, 0, false, NONE },
    { "LLDT of an LDT", load_lldt, LDT_SEL, 0, false, NONE },
    { "LLDT of data", load_lldt, KDATA, 0, false, GP(KDATA) },
    { "LLDT of a TSS", load_lldt, SCRATCH, 0x0089, false, GP(SCRATCH) },
    { "LLDT not present", load_lldt, SCRATCH, 0x0002, false, NP(SCRATCH) },
    { "LLDT in the LDT", load_lldt, 0x0c, 0, false, GP(0x0c) },
    { "LLDT beyond the GDT", load_lldt, 0x7f8, 0, false, GP(0x7f8) },
    { "LTR null", load_ltr, 0, 0, false, GP(0) },
    { "LTR of a TSS", load_ltr, SCRATCH, 0x0089, false, NONE },
    { "LTR of a busy TSS", load_ltr, SCRATCH, 0x008b, false, GP(SCRATCH) },
    { "LTR of data", load_ltr, KDATA, 0, false, GP(KDATA) },
    { "LTR of a 16-bit TSS", load_ltr, SCRATCH, 0x0081, false, GP(SCRATCH) },
    { "LTR not present", load_ltr, SCRATCH, 0x0009, false, NP(SCRATCH) },
    { "LTR in the LDT", load_ltr, 0x0c, 0, false, GP(0x0c) },
};

static void set_scratch(uint16_t flags)
{
    gdt[SCRATCH / 8] = descriptor(0x1000, 0xfffff, flags);
    gdt[SCRATCH / 8 + 1] = 0;
}

static void segment_loads(void)
{
    for (unsigned i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        set_scratch(loads[i].flags);
        expect(loads[i].name,
               loads[i].in_ring3 ? try_user(loads[i].code, loads[i].selector)
                                 : try_kernel(loads[i].code, loads[i].selector),
               loads[i].want);
    }
}

/* LAR, LSL, VERR, VERW: @want is what LAR or LSL give, or ZF alone; NOT: ZF clear. */
#define NOT 0xffffffffff
static const struct {
    const char *name;
    const char *code;
    uint16_t selector, flags;
    bool in_ring3;
    uint64_t want;
} looks[] = {
    { "LAR of data", code_lar, SCRATCH, 0xc093, false, 0xc09300 | 0xf0000 },
    { "LAR of null", code_lar, 0, 0, false, NOT },
    { "LAR beyond the GDT", code_lar, 0x7f8, 0, false, NOT },
    { "LAR of an LDT", code_lar, SCRATCH, 0x0082, false, 0x8200 | 0xf0000 },
    { "LAR of a call gate", code_lar, SCRATCH, 0x008c, false, 0x8c00 | 0xf0000 },
    { "LAR of an interrupt gate", code_lar, SCRATCH, 0x008e, false, NOT },
    { "LAR of a 16-bit TSS", code_lar, SCRATCH, 0x0081, false, NOT },
    { "LAR of data not present", code_lar, SCRATCH, 0xc013, false, 0xc01300 | 0xf0000 },
    { "LAR of ring 0 in ring 3", code_lar, SCRATCH, 0xc093, true, NOT },
    { "LAR of conforming code in ring 3", code_lar, SCRATCH, 0xa09f, true, 0xa09f00 | 0xf0000 },
    { "LSL of data in pages", code_lsl, SCRATCH, 0xc093, false, 0xffffffff },
    { "LSL of data in bytes", code_lsl, SCRATCH, 0x4093, false, 0xfffff },
    { "LSL of a TSS", code_lsl, TSS_SEL, 0, false, 0x20ff },
    { "LSL of a call gate", code_lsl, SCRATCH, 0x008c, false, NOT },
    { "LSL of null", code_lsl, 0, 0, false, NOT },
    { "LSL of ring 0 in ring 3", code_lsl, SCRATCH, 0xc093, true, NOT },
    { "VERR of data", code_verr, SCRATCH, 0xc093, false, 1 },
    { "VERR of readable code", code_verr, SCRATCH, 0xa09b, false, 1 },
    { "VERR of execute-only code", code_verr, SCRATCH, 0xa099, false, NOT },
    { "VERR of null", code_verr, 0, 0, false, NOT },
    { "VERR of a system segment", code_verr, TSS_SEL, 0, false, NOT },
    { "VERR of ring 0 in ring 3", code_verr, SCRATCH, 0xc093, true, NOT },
    { "VERR of conforming code in ring 3", code_verr, SCRATCH, 0xa09f, true, 1 },
    { "VERW of data", code_verw, SCRATCH, 0xc093, false, 1 },
    { "VERW of read-only data", code_verw, SCRATCH, 0xc091, false, NOT },
    { "VERW of code", code_verw, SCRATCH, 0xa09b, false, NOT },
};

static void segment_looks(void)
{
    for (unsigned i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
        set_scratch(looks[i].flags);
        int got = looks[i].in_ring3 ? try_user(looks[i].code, looks[i].selector)
                                    : try_kernel(looks[i].code, looks[i].selector);
        uint64_t value = caught.gpr[0];
        bool values = looks[i].code == code_lar || looks[i].code == code_lsl;
        if (got != NONE) {
            expect(looks[i].name, got, NONE);
        } else if (!caught.gpr[1]) {
            /* ZF clear: the destination must be as it was */
            expect_value(looks[i].name, values && value != 0x5555 ? value : NOT, looks[i].want);
        } else {
            if (looks[i].code == code_lar) {
                value |= 0xf0000; /* undefined bits */
            }
            expect_value(looks[i].name, values ? value : 1, looks[i].want);
        }
    }
}

CODE(code_ldt_data, "mov ax, 0x50; lldt ax; mov ax, 0x0c; mov fs, ax; mov eax, fs:[0]");
CODE(code_fs_base, "mov fs, edi; mov eax, fs:[0]");
CODE(code_ds_base, "mov ds, edi; lea rax, [rip + scratch]; mov eax, [rax]");
CODE(code_sldt, "sldt rax; str rcx");

static void segment_effects(void)
{
    set_scratch(0xc092);
    try_kernel(load_ds, SCRATCH);
    expect_value("a load sets the accessed bit", gdt[SCRATCH / 8] >> 40 & 1, 1);
    set_scratch(0xa09a);
    try_kernel("\x66\x0f\x00\xe7\xc3", SCRATCH); /* VERR */
    expect_value("VERR doesn't set the accessed bit", gdt[SCRATCH / 8] >> 40 & 1, 0);
    set_scratch(0x0089);
    try_kernel(load_ltr, SCRATCH);
    expect_value("LTR sets the busy bit", gdt[SCRATCH / 8] >> 40 & 0xf, 0xb);
    gdt[SCRATCH / 8] = descriptor((uint32_t)(word)scratch, 0, 0x4093);
    scratch[0] = 0x600df00d;
    try_kernel(code_fs_base, SCRATCH);
    expect_value("FS has its descriptor's base", caught.gpr[0], 0x600df00d);
    gdt[SCRATCH / 8] = descriptor(0x123000, 0, 0x4093);
    try_kernel(code_ds_base, SCRATCH);
    expect_value("DS has none in 64-bit mode, nor a limit", caught.gpr[0], 0x600df00d);
    ldt[1] = descriptor((uint32_t)(word)scratch, 0xfff, 0x4093);
    try_kernel(code_ldt_data, 0);
    expect_value("a segment of the LDT", caught.gpr[0], 0x600df00d);
    try_kernel(code_sldt, 0);
    expect_value("SLDT and STR", caught.gpr[0] << 16 | caught.gpr[1], TSS_SEL);
    gdt[SCRATCH / 8] = descriptor((uint32_t)(word)ldt, 7, 0x82);
    gdt[SCRATCH / 8 + 1] = 0;
    CODE(code_ldt_limit, "mov ax, 0x60; lldt ax; mov ax, 0x0c; mov fs, ax");
    expect("a selector beyond the LDT", try_kernel(code_ldt_limit, 0), GP(0x0c));
    CODE(code_gs_wrap, "mov ecx, 0xc0000101; mov eax, 0xfffffffc; mov edx, 0xffffffff; wrmsr; "
                       "lea rax, [rip + scratch]; mov eax, gs:[rax + 4]");
    try_kernel(code_gs_wrap, 0);
    expect_value("GS base wraps around", caught.gpr[0], 0x600df00d);
}

/* SMAP guards what the CPU reads by itself too, whatever AC says. */
static void implicit(void)
{
    if (!(cpuid(7, 0).b & 1 << 20)) {
        skip("SMAP and descriptor tables", "not in this CPU model");
        return;
    }
    WRITE_CR(4, defaults.cr4 | CR4_SMAP);
    gdt[SCRATCH / 8] = descriptor((uint32_t)user(ldt), 0x3f, 0x82);
    gdt[SCRATCH / 8 + 1] = 0;
    ldt[1] = descriptor(0, 0xfffff, 0xc093);
    CODE(code_ldt_with_ac, "mov ax, 0x60; lldt ax; push 0x40002; popfq; mov ax, 0x0c; mov ds, ax");
    expect("SMAP: a descriptor in a user page, AC", try_kernel(code_ldt_with_ac, 0), PF(1));
}

void cases_segments(void)
{
    segment_loads();
    segment_looks();
    segment_effects();
    implicit();
}
