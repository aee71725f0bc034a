/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What forgets translations: INVLPG, CR3, PGE, PCID, INVPCID.  A change is visible after its
 * flush; that an unflushed one is not visible is nobody's promise, so it is not tested.
 *
 * Reference: SDM 3, 4.10.
 */
#include "kernel64.h"

static volatile uint64_t *const page = (volatile uint64_t *)TEST_PAGE(5);

/* Map the page to @target and read it, so that the CPU knows it. */
static void know(void *target, uint64_t flags)
{
    scratch[0] = 1;
    *(uint64_t *)(void *)user_stack = 2;
    pt_test[5] = (word)target | PTE_P | PTE_W | flags;
    flush_tlb();
    (void)*page;
}

static void change(uint64_t flags)
{
    pt_test[5] = (word)user_stack | PTE_P | PTE_W | flags;
}

static void simple_flushes(void)
{
    know(scratch, 0);
    change(0);
    invlpg((word)page);
    expect_value("INVLPG forgets a page", *page, 2);
    know(scratch, PTE_G);
    change(PTE_G);
    invlpg((word)page);
    expect_value("INVLPG forgets a global page", *page, 2);
    know(scratch, 0);
    change(0);
    invlpg((word)page + 0xabc);
    expect_value("INVLPG works anywhere in the page", *page, 2);
    know(scratch, 0);
    change(0);
    flush_tlb();
    expect_value("MOV to CR3 forgets", *page, 2);
    WRITE_CR(4, defaults.cr4 | CR4_PGE);
    know(scratch, PTE_G);
    change(PTE_G);
    WRITE_CR(4, defaults.cr4);
    expect_value("clearing PGE forgets global pages", *page, 2);
    know(scratch, PTE_G);
    change(PTE_G);
    WRITE_CR(4, defaults.cr4 | CR4_PGE);
    expect_value("setting PGE forgets global pages", *page, 2);
    know(scratch, 0);
    pd_test[0] = 0;
    invlpg((word)page);
    expect("INVLPG forgets the upper levels", try_kernel("\x48\x8b\x07\xc3", (word)page), PF(0));
    know(scratch, 0);
    WRITE_CR(0, defaults.cr0 & ~(word)CR0_WP);
    pt_test[5] &= ~PTE_W;
    invlpg((word)page);
    *page = 7;
    WRITE_CR(0, defaults.cr0);
    expect("WP set again is heeded", try_kernel("\x48\x89\x07\xc3", (word)page), PF(3));
    expect("INVLPG of an address that is not canonical",
           try_kernel("\x0f\x01\x3f\xc3", NONCANONICAL), NONE);
}

CODE(code_set_pcid_bits, "mov rax, cr3; or rax, 5; mov cr3, rax; mov rax, cr4; or eax, 0x20000; "
                         "mov cr4, rax");
CODE(code_cr3_bit63, "mov rax, cr3; bts rax, 63; mov cr3, rax");

static void with_pcid(void)
{
    const word other = 5;

    if (!(cpuid(1, 0).c & 1 << 17)) {
        skip("PCID", "not in this CPU model");
        return;
    }
    expect("PCIDE with bits in CR3", try_kernel(code_set_pcid_bits, 0), GP(0));
    expect("CR3 bit 63 without PCIDE", try_kernel(code_cr3_bit63, 0), GP(0));
    WRITE_CR(4, defaults.cr4 | CR4_PCIDE);
    expect("CR3 bit 63 with PCIDE", try_kernel(code_cr3_bit63, 0), NONE);
    WRITE_CR(4, defaults.cr4 | CR4_PCIDE);
    WRITE_CR(3, defaults.cr3 | 1UL << 63);
    expect_value("CR3 bit 63 is not kept", READ_CR(3), defaults.cr3);
    WRITE_CR(4, defaults.cr4 | CR4_PCIDE);
    know(scratch, 0);
    change(0);
    WRITE_CR(3, defaults.cr3);
    expect_value("CR3 without bit 63 forgets its PCID", *page, 2);
    WRITE_CR(4, defaults.cr4 | CR4_PCIDE);
    know(scratch, 0);
    WRITE_CR(3, defaults.cr3 | other);
    (void)*page;
    change(0);
    WRITE_CR(3, defaults.cr3 | other);
    uint64_t in_other = *page;
    WRITE_CR(3, defaults.cr3);
    expect_value("each PCID is forgotten by its own CR3", in_other << 8 | *page, 0x202);
    WRITE_CR(4, defaults.cr4 | CR4_PCIDE);
    know(scratch, 0);
    WRITE_CR(3, defaults.cr3 | other | 1UL << 63);
    know(scratch, 0);
    change(0);
    invlpg((word)page);
    expect_value("INVLPG under a PCID forgets", *page, 2);
}

typedef struct InvpcidArgument {
    uint64_t pcid, gva;
} InvpcidArgument;

CODE(code_invpcid0, "xor eax, eax; invpcid rax, [rdi]");
CODE(code_invpcid1, "mov eax, 1; invpcid rax, [rdi]");
CODE(code_invpcid2, "mov eax, 2; invpcid rax, [rdi]");
CODE(code_invpcid3, "mov eax, 3; invpcid rax, [rdi]");
CODE(code_invpcid4, "mov eax, 4; invpcid rax, [rdi]");

static void with_invpcid(void)
{
    static const char *const names[] = {
        "INVPCID 0 forgets a page",
        "INVPCID 1 forgets a PCID",
        "INVPCID 2 forgets all",
        "INVPCID 3 forgets all but global pages",
    };
    static const char *const codes[] = { code_invpcid0, code_invpcid1, code_invpcid2,
                                         code_invpcid3 };
    InvpcidArgument argument = { 0, (word)page };

    if (!(cpuid(7, 0).b & 1 << 10)) {
        skip("INVPCID", "not in this CPU model");
        return;
    }
    for (unsigned i = 0; i < 4; i++) {
        know(scratch, 0);
        change(0);
        try_kernel(codes[i], (word)&argument);
        expect_value(names[i], *page, 2);
    }
    WRITE_CR(4, defaults.cr4 | CR4_PGE);
    know(scratch, PTE_G);
    change(PTE_G);
    try_kernel(code_invpcid2, (word)&argument);
    expect_value("INVPCID 2 forgets global pages", *page, 2);
    expect("INVPCID 4", try_kernel(code_invpcid4, (word)&argument), GP(0));
    argument = (InvpcidArgument){ 0, NONCANONICAL };
    expect("INVPCID 0 of an address that is not canonical",
           try_kernel(code_invpcid0, (word)&argument), GP(0));
    argument = (InvpcidArgument){ 0x1000, (word)page };
    expect("INVPCID 1 with a reserved bit", try_kernel(code_invpcid1, (word)&argument), GP(0));
    argument = (InvpcidArgument){ 5, (word)page };
    expect("INVPCID 1 of a PCID without PCIDE", try_kernel(code_invpcid1, (word)&argument), GP(0));
    expect("INVPCID in ring 3", try_user(code_invpcid2, user(&argument)), GP(0));
    if (cpuid(1, 0).c & 1 << 17) {
        argument = (InvpcidArgument){ 5, 0 };
        WRITE_CR(4, defaults.cr4 | CR4_PCIDE);
        know(scratch, 0);
        WRITE_CR(3, defaults.cr3 | 5);
        (void)*page;
        WRITE_CR(3, defaults.cr3 | 1UL << 63);
        change(0);
        try_kernel(code_invpcid1, (word)&argument);
        WRITE_CR(4, defaults.cr4 | CR4_PCIDE);
        WRITE_CR(3, defaults.cr3 | 5 | 1UL << 63);
        expect_value("INVPCID 1 forgets a PCID that isn't the current one", *page, 2);
        WRITE_CR(3, defaults.cr3);
    }
}

void cases_tlb(void)
{
    simple_flushes();
    with_pcid();
    with_invpcid();
}
