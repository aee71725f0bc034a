/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page faults of the 64-bit kernel: error codes for each right and each kind of access, reserved
 * bits, accessed and dirty bits, large pages, accesses over a page's end.
 *
 * Reference: SDM 3, 4.6 and 4.7.
 */
#include "kernel64.h"

enum { READ, WRITE, FETCH, UREAD, UWRITE, UFETCH };

/* Conditions besides the entries. */
enum {
    NO_WP = 1,
    NO_NXE = 2,
    SMEP = 4,
    SMAP = 8,
    AC_SET = 16,
};

#define P   PTE_P
#define PW  (PTE_P | PTE_W)
#define PU  (PTE_P | PTE_U)
#define ALL (PTE_P | PTE_W | PTE_U)
#define NX  PTE_NX

/* What stands in the page table and in its directory, and what an access comes to. */
static const struct {
    const char *name;
    uint64_t pte, pde;
    unsigned access, conditions;
    int want;
} rights[] = {
    { "read of an absent page", 0, ALL, READ, 0, PF(0) },
    { "write to an absent page", 0, ALL, WRITE, 0, PF(2) },
    { "fetch from an absent page", 0, ALL, FETCH, 0, PF(0x10) },
    { "read of an absent table", ALL, 0, READ, 0, PF(0) },
    { "user read of an absent page", 0, ALL, UREAD, 0, PF(4) },
    { "user write to an absent page", 0, ALL, UWRITE, 0, PF(6) },
    { "user fetch from an absent page", 0, ALL, UFETCH, 0, PF(0x14) },
    { "absent page with all other bits set", ~1ULL, ALL, READ, 0, PF(0) },
    { "read of a kernel page", P, ALL, READ, 0, NONE },
    { "write to a kernel page", PW, ALL, WRITE, 0, NONE },
    { "fetch from a kernel page", P, ALL, FETCH, 0, NONE },
    { "write to a read-only page, WP", P, ALL, WRITE, 0, PF(3) },
    { "write to a read-only page, no WP", P, ALL, WRITE, NO_WP, NONE },
    { "write to a read-only table, WP", PW, PU, WRITE, 0, PF(3) },
    { "write to a read-only table, no WP", PW, PU, WRITE, NO_WP, NONE },
    { "user read of a kernel page", P, ALL, UREAD, 0, PF(5) },
    { "user write to a kernel page", PW, ALL, UWRITE, 0, PF(7) },
    { "user fetch from a kernel page", P, ALL, UFETCH, 0, PF(0x15) },
    { "user read of a user page", PU, ALL, UREAD, 0, NONE },
    { "user write to a user page", ALL, ALL, UWRITE, 0, NONE },
    { "user fetch from a user page", PU, ALL, UFETCH, 0, NONE },
    { "user write to a read-only page", PU, ALL, UWRITE, 0, PF(7) },
    { "user write to a read-only page, no WP", PU, ALL, UWRITE, NO_WP, PF(7) },
    { "user read below a kernel table", ALL, PW, UREAD, 0, PF(5) },
    { "user write below a read-only table", ALL, PU, UWRITE, 0, PF(7) },
    { "kernel read of a user page", PU, ALL, READ, 0, NONE },
    { "kernel write to a user page", ALL, ALL, WRITE, 0, NONE },
    { "kernel fetch from a user page", PU, ALL, FETCH, 0, NONE },
    { "fetch from a page with NX", P | NX, ALL, FETCH, 0, PF(0x11) },
    { "fetch below a table with NX", P, ALL | NX, FETCH, 0, PF(0x11) },
    { "user fetch from a page with NX", PU | NX, ALL, UFETCH, 0, PF(0x15) },
    { "user fetch below a table with NX", PU, ALL | NX, UFETCH, 0, PF(0x15) },
    { "read of a page with NX", P | NX, ALL, READ, 0, NONE },
    { "write to a page with NX", PW | NX, ALL, WRITE, 0, NONE },
    { "read of a page with NX, no NXE", P | NX, ALL, READ, NO_NXE, PF(9) },
    { "write to a page with NX, no NXE", PW | NX, ALL, WRITE, NO_NXE, PF(0xb) },
    { "user read of a page with NX, no NXE", PU | NX, ALL, UREAD, NO_NXE, PF(0xd) },
    { "read below a table with NX, no NXE", P, ALL | NX, READ, NO_NXE, PF(9) },
    { "fetch from an absent page, no NXE", 0, ALL, FETCH, NO_NXE, PF(0) },
    { "fetch by SMEP from an absent page, no NXE", 0, ALL, FETCH, NO_NXE | SMEP, PF(0x10) },
    { "kernel fetch from a user page, SMEP", PU, ALL, FETCH, SMEP, PF(0x11) },
    { "kernel fetch below a kernel table, SMEP", PU, PW, FETCH, SMEP, NONE },
    { "kernel fetch from a kernel page, SMEP", P, ALL, FETCH, SMEP, NONE },
    { "user fetch from a user page, SMEP", PU, ALL, UFETCH, SMEP, NONE },
    { "kernel read of a user page, SMAP", PU, ALL, READ, SMAP, PF(1) },
    { "kernel write to a user page, SMAP", ALL, ALL, WRITE, SMAP, PF(3) },
    { "kernel read of a user page, SMAP, AC", PU, ALL, READ, SMAP | AC_SET, NONE },
    { "kernel write to a user page, SMAP, AC", ALL, ALL, WRITE, SMAP | AC_SET, NONE },
    { "kernel write to a read-only user page, SMAP, AC", PU, ALL, WRITE, SMAP | AC_SET, PF(3) },
    { "kernel read below a kernel table, SMAP", PU, PW, READ, SMAP, NONE },
    { "kernel read of a kernel page, SMAP", P, ALL, READ, SMAP, NONE },
    { "kernel fetch from a user page, SMAP", PU, ALL, FETCH, SMAP, NONE },
    { "user read of a user page, SMAP", PU, ALL, UREAD, SMAP, NONE },
    { "kernel write to a read-only user page, SMAP, no WP", PU, ALL, WRITE, SMAP | NO_WP, PF(3) },
};

CODE(code_read, "mov rax, [rdi]");
CODE(code_write, "mov [rdi], rax");
CODE(code_fetch, "jmp rdi");
CODE(code_read_ac, "push 0x40002; popfq; mov rax, [rdi]");
CODE(code_write_ac, "push 0x40002; popfq; mov [rdi], rax");

static bool has_smep(void)
{
    return cpuid(7, 0).b & 1 << 7;
}

static bool has_smap(void)
{
    return cpuid(7, 0).b & 1 << 20;
}

static void set_conditions(unsigned conditions)
{
    if (conditions & NO_WP) {
        WRITE_CR(0, defaults.cr0 & ~(word)CR0_WP);
    }
    if (conditions & NO_NXE) {
        wrmsr(MSR_EFER, defaults.efer & ~(uint64_t)EFER_NXE);
    }
    WRITE_CR(4, defaults.cr4 | (conditions & SMEP ? CR4_SMEP : 0) |
                    (conditions & SMAP ? CR4_SMAP : 0));
    flush_tlb();
}

static int access(unsigned kind, bool ac, word gva)
{
    switch (kind) {
    case READ:
        return try_kernel(ac ? code_read_ac : code_read, gva);
    case WRITE:
        return try_kernel(ac ? code_write_ac : code_write, gva);
    case FETCH:
        return try_kernel(code_fetch, gva);
    case UREAD:
        return try_user(code_read, gva);
    case UWRITE:
        return try_user(code_write, gva);
    default:
        return try_user(code_fetch, gva);
    }
}

/* scratch[] holds a RET at its start, for fetches. */
static void page_rights(void)
{
    const word gva = TEST_PAGE(3);

    for (unsigned i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
        if (((rights[i].conditions & SMEP) && !has_smep()) ||
            ((rights[i].conditions & SMAP) && !has_smap())) {
            skip(rights[i].name, "not in this CPU model");
            continue;
        }
        scratch[0] = 0xc3;
        pt_test[3] = rights[i].pte == ~1ULL ? ~1ULL : (word)scratch | rights[i].pte;
        pd_test[0] = rights[i].pde ? (word)pt_test | rights[i].pde : 0;
        set_conditions(rights[i].conditions);
        int got = access(rights[i].access, rights[i].conditions & AC_SET, gva);
        bool faulted = got != NONE, at = caught.cr2 == gva;
        expect(rights[i].name, faulted && got >> 20 == 14 && !at ? OUTCOME(14, 0xbad) : got,
               rights[i].want);
    }
}

/* ---- other levels, reserved bits ---- */

static void map(uint64_t pte)
{
    pt_test[3] = (word)scratch | pte;
    scratch[0] = 0xc3;
    flush_tlb();
}

static void reserved_bits(void)
{
    const word gva = TEST_PAGE(3);

    if ((cpuid(0x80000008, 0).a & 0xff) < 52) {
        map(ALL | PTE_RSVD);
        expect("read of a page beyond the physical space", access(READ, false, gva), PF(9));
        map(ALL | PTE_RSVD);
        expect("write to a page beyond the physical space", access(WRITE, false, gva), PF(0xb));
        map(ALL | PTE_RSVD);
        expect("user read of a page beyond the physical space", access(UREAD, false, gva), PF(0xd));
        map(ALL | PTE_RSVD);
        expect("fetch from a page beyond the physical space", access(FETCH, false, gva), PF(0x19));
    } else {
        skip("reserved address bits", "52 bits of physical address");
    }
    pml4[1] = (word)pdpt | ALL | PTE_LARGE;
    flush_tlb();
    expect("large bit in the top table", access(READ, false, 1UL << 39), PF(9));
    pd_test[1] = 0x200000 | ALL | PTE_LARGE | 1 << 13;
    flush_tlb();
    expect("2 MiB page with bit 13", access(READ, false, TEST_BASE + 0x200000), PF(9));
    pdpt[4] = 0 | ALL | PTE_LARGE | 1 << 13;
    flush_tlb();
    expect("1 GiB page with bit 13", access(READ, false, 1UL << 32), PF(9));
}

static void upper_levels(void)
{
    const word gva = TEST_PAGE(3);

    map(ALL);
    pdpt[2] = (word)pd_test | PW;
    flush_tlb();
    expect("user read below a kernel directory", access(UREAD, false, gva), PF(5));
    map(ALL);
    pdpt[2] = (word)pd_test | PU;
    flush_tlb();
    expect("write below a read-only directory", access(WRITE, false, gva), PF(3));
    map(ALL);
    pdpt[2] = (word)pd_test | ALL | NX;
    flush_tlb();
    expect("fetch below a directory with NX", access(FETCH, false, gva), PF(0x11));
    map(ALL);
    pdpt[2] = 0;
    flush_tlb();
    expect("read below an absent directory", access(READ, false, gva), PF(0));
    pml4[1] = (word)pdpt | PU;
    pdpt[0] |= 0;
    flush_tlb();
    expect("write below a read-only top entry", access(WRITE, false, (1UL << 39) + (word)scratch),
           PF(3));
    pml4[1] = (word)pdpt | PW;
    flush_tlb();
    expect("user read below a kernel top entry",
           access(UREAD, false, (1UL << 39) + 0x40000000 + (word)scratch), PF(5));
    expect("read below an absent top entry", access(READ, false, 1UL << 40), PF(0));
}

static void large_pages(void)
{
    const word target = (word)scratch;

    scratch[0] = 0x1234;
    pd_test[1] = (target & ~0x1fffffUL) | PW | PTE_LARGE;
    flush_tlb();
    expect_value("2 MiB page", *(volatile word *)(TEST_BASE + 0x200000 + (target & 0x1fffff)),
                 0x1234);
    if (cpuid(0x80000001, 0).d & 1 << 26) {
        scratch[0] = 0x1235;
        pdpt[4] = PW | PTE_LARGE;
        flush_tlb();
        expect_value("1 GiB page", *(volatile word *)((1UL << 32) + target), 0x1235);
        pdpt[4] = P | PTE_LARGE;
        flush_tlb();
        expect("write to a read-only 1 GiB page", access(WRITE, false, (1UL << 32) + target),
               PF(3));
    } else {
        skip("1 GiB pages", "not in this CPU model");
    }
    pd_test[1] = (target & ~0x1fffffUL) | P | PTE_LARGE;
    flush_tlb();
    expect("write to a read-only 2 MiB page", access(WRITE, false, TEST_BASE + 0x200000), PF(3));
    pd_test[1] = (target & ~0x1fffffUL) | P | PTE_LARGE | NX;
    flush_tlb();
    expect("fetch from a 2 MiB page with NX", access(FETCH, false, TEST_BASE + 0x200000), PF(0x11));
    pd_test[1] = (target & ~0x1fffffUL) | P | PTE_LARGE;
    flush_tlb();
    expect("user read of a kernel 2 MiB page", access(UREAD, false, TEST_BASE + 0x200000), PF(5));
}

/* ---- accessed and dirty ---- */

static uint64_t bits_after(unsigned kind, uint64_t pte)
{
    map(pte);
    access(kind, false, TEST_PAGE(3));
    return pt_test[3] & (PTE_A | PTE_D);
}

static void accessed_dirty(void)
{
    expect_value("a read sets A", bits_after(READ, PW), PTE_A);
    expect_value("a fetch sets A", bits_after(FETCH, P), PTE_A);
    expect_value("a write sets A and D", bits_after(WRITE, PW), PTE_A | PTE_D);
    expect_value("a user write sets A and D", bits_after(UWRITE, ALL), PTE_A | PTE_D);
    expect_value("a refused write doesn't set D", bits_after(WRITE, P) & PTE_D, 0);
    expect_value("an absent page gets no bits", bits_after(READ, 0), 0);
    map(PW);
    access(READ, false, TEST_PAGE(3));
    uint64_t first = pt_test[3] & (PTE_A | PTE_D);
    access(WRITE, false, TEST_PAGE(3));
    expect_value("a write after a read sets D", first << 32 | (pt_test[3] & (PTE_A | PTE_D)),
                 PTE_A << 32 | PTE_A | PTE_D);
    map(PW);
    access(READ, false, TEST_PAGE(3));
    expect_value("the directory gets A", pd_test[0] & (PTE_A | PTE_D), PTE_A);
    map(PW);
    pdpt[2] = (word)pd_test | ALL;
    flush_tlb();
    access(WRITE, false, TEST_PAGE(3));
    expect_value("the upper directory gets A, not D", pdpt[2] & (PTE_A | PTE_D), PTE_A);
    pd_test[1] = PW | PTE_LARGE;
    flush_tlb();
    access(READ, false, TEST_BASE + 0x200000 + (word)scratch);
    expect_value("a read of a 2 MiB page sets A", pd_test[1] & (PTE_A | PTE_D), PTE_A);
    pd_test[1] = PW | PTE_LARGE;
    flush_tlb();
    access(WRITE, false, TEST_BASE + 0x200000 + (word)scratch);
    expect_value("a write to a 2 MiB page sets D", pd_test[1] & (PTE_A | PTE_D), PTE_A | PTE_D);
    map(PW);
    access(READ, false, TEST_PAGE(3));
    pt_test[3] &= ~PTE_A;
    invlpg(TEST_PAGE(3));
    access(READ, false, TEST_PAGE(3));
    expect_value("A cleared comes again after INVLPG", pt_test[3] & PTE_A, PTE_A);
    map(PW | PTE_A | PTE_D);
    access(WRITE, false, TEST_PAGE(3));
    pt_test[3] &= ~PTE_D;
    invlpg(TEST_PAGE(3));
    access(WRITE, false, TEST_PAGE(3));
    expect_value("D cleared comes again after INVLPG", pt_test[3] & PTE_D, PTE_D);
}

/* ---- over a page's end, and in the middle of things ---- */

CODE(code_read_straddle, "mov rax, [rdi - 4]");
CODE(code_write_straddle, "mov rax, -1; mov [rdi - 4], rax");
CODE(code_movs, "mov rsi, rdi; lea rdi, [rip + scratch]; sub rsi, 8; mov ecx, 16; cld; rep movsb");
CODE(code_stos, "sub rdi, 24; mov ecx, 16; mov eax, 0x5a; cld; rep stosq");
CODE(code_push_absent, "lea rsp, [rdi + 4096]; push rax");
CODE(code_cmpxchg, "mov eax, 1; mov ecx, 2; lock cmpxchg [rdi], rcx");
CODE(code_xadd, "mov ecx, 2; lock xadd [rdi], rcx");
CODE(code_xchg, "xchg [rdi], rcx");
CODE(code_bts, "bts qword ptr [rdi - 8], 63; mov eax, 64; bts [rdi - 8], rax");
CODE(code_fxsave, "and rdi, -16; sub rdi, 256; fxsave64 [rdi]");

static void over_the_end(void)
{
    const word end = TEST_PAGE(4);

    map(PW);
    int got = try_kernel(code_read_straddle, end);
    expect_value("CR2 of a read over the end is the next page", caught.cr2, end);
    map(PW);
    expect("read over the end into an absent page", try_kernel(code_read_straddle, end), PF(0));
    map(PW);
    scratch[511] = 0;
    got = try_kernel(code_write_straddle, end);
    expect_value("a refused write over the end writes nothing", scratch[511], 0);
    (void)got;
    map(PW);
    pt_test[4] = (word)user_stack | P;
    flush_tlb();
    expect("write over the end into a read-only page", try_kernel(code_write_straddle, end), PF(3));
    pt_test[4] = (word)scratch | PW;
    flush_tlb();
    got = try_kernel(code_read_straddle, end);
    expect_value("CR2 of a read from an absent page over the end", caught.cr2, end - 4);
    map(P);
    got = try_kernel(code_movs, end);
    expect_value("REP MOVSB stops at the page: RCX", got == PF(0) ? caught.gpr[1] : ~0UL, 8);
    map(P);
    try_kernel(code_movs, end);
    expect_value("REP MOVSB stops at the page: RSI", caught.gpr[6], end);
    map(PW);
    got = try_kernel(code_stos, end);
    expect_value("REP STOSQ stops at the page: RCX", got == PF(2) ? caught.gpr[1] : ~0UL, 13);
    map(PW);
    try_kernel(code_stos, end);
    expect_value("REP STOSQ stops at the page: RDI", caught.gpr[7], end);
    expect("PUSH to an absent page", try_kernel(code_push_absent, end), DF);
    map(P);
    expect("CMPXCHG that fails still needs a write", try_kernel(code_cmpxchg, TEST_PAGE(3)), PF(3));
    expect("XADD to an absent page", try_kernel(code_xadd, TEST_PAGE(3)), PF(2));
    expect("XCHG with an absent page", try_kernel(code_xchg, TEST_PAGE(3)), PF(2));
    map(PW);
    expect("BTS with a far bit goes to the next page", try_kernel(code_bts, end), PF(2));
    map(PW);
    expect("FXSAVE over the end", try_kernel(code_fxsave, end), PF(2));
    map(0);
    try_kernel(code_read, TEST_PAGE(3));
    expect_value("a page fault pushes RF", caught.rflags & FLAG_RF, FLAG_RF);
    map(0);
    try_kernel(code_read, TEST_PAGE(3) + 0x123);
    expect_value("CR2 is exact", caught.cr2, TEST_PAGE(3) + 0x123);
    map(0);
    try_kernel(code_read, TEST_PAGE(3));
    expect_value("rip of a fault is the instruction's", caught.rip, (word)code_read);
}

void cases_paging(void)
{
    page_rights();
    reserved_bits();
    upper_levels();
    large_pages();
    accessed_dirty();
    over_the_end();
}
