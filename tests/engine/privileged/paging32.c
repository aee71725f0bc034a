/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 32-bit paging, 4 MiB pages and PAE.
 *
 * Reference: SDM 3, 4.3 and 4.4.
 */
#include "kernel32.h"

#define P     1U
#define W     2U
#define U     4U
#define LARGE 0x80U
#define ALL   (P | W | U)

enum { TEST_GVA = 0x40003000 };

static uint32_t directory[1024] __attribute__((aligned(4096)));
static uint32_t table[1024] __attribute__((aligned(4096)));
static uint64_t pae_pointers[4] __attribute__((aligned(4096)));
static uint64_t pae_directory[512] __attribute__((aligned(4096)));
static uint64_t pae_test_directory[512] __attribute__((aligned(4096)));
static uint64_t pae_table[512] __attribute__((aligned(4096)));

CODE(code_read, "mov eax, [edi]");
CODE(code_write, "mov [edi], eax");
CODE(code_fetch, "jmp edi");

/* The first 16 MiB in 4 MiB pages for all, one table at 1 GiB. */
static void paging_on(uint32_t pte, uint32_t pde)
{
    for (unsigned i = 0; i < 1024; i++) {
        directory[i] = i < 4 ? i << 22 | ALL | LARGE : 0;
        table[i] = 0;
    }
    directory[TEST_GVA >> 22] = pde ? (word)table | pde : 0;
    table[3] = pte ? (word)scratch | pte : 0;
    scratch[0] = 0xc3;
    WRITE_CR(4, defaults.cr4 | CR4_PSE);
    WRITE_CR(3, (word)directory);
    WRITE_CR(0, defaults.cr0 | 0x80000000 | CR0_WP);
}

/* The same in the PAE form. */
static void pae_on(uint64_t pte)
{
    for (unsigned i = 0; i < 512; i++) {
        pae_directory[i] = i < 8 ? (uint64_t)i << 21 | ALL | LARGE : 0;
        pae_test_directory[i] = i ? 0 : (word)pae_table | ALL;
        pae_table[i] = 0;
    }
    pae_pointers[0] = (word)pae_directory | P;
    pae_pointers[1] = (word)pae_test_directory | P;
    pae_pointers[2] = pae_pointers[3] = 0;
    pae_table[3] = pte ? (word)scratch | pte : 0;
    scratch[0] = 0xc3;
    WRITE_CR(4, defaults.cr4 | CR4_PAE);
    WRITE_CR(3, (word)pae_pointers);
    WRITE_CR(0, defaults.cr0 | 0x80000000 | CR0_WP);
}

/* Paging off again before reset() changes CR3 and CR4. */
static int paging_off(int outcome)
{
    WRITE_CR(0, defaults.cr0);
    return outcome;
}

enum { READ, WRITE, FETCH, UREAD, UWRITE, UFETCH };

static int access(unsigned kind)
{
    static const char *const codes[] = { code_read, code_write, code_fetch };
    const char *code = codes[kind % 3];
    int got = kind < UREAD ? try_kernel(code, TEST_GVA) : try_user(code, TEST_GVA);

    return paging_off(got != NONE && caught.cr2 != TEST_GVA ? OUTCOME(14, 0xbad) : got);
}

static const struct {
    const char *name;
    uint32_t pte, pde;
    unsigned access;
    int want;
} rights[] = {
    { "32-bit paging: read of an absent page", 0, ALL, READ, PF(0) },
    { "32-bit paging: write to an absent page", 0, ALL, WRITE, PF(2) },
    { "32-bit paging: fetch from an absent page", 0, ALL, FETCH, PF(0) },
    { "32-bit paging: user read of an absent page", 0, ALL, UREAD, PF(4) },
    { "32-bit paging: absent table", ALL, 0, READ, PF(0) },
    { "32-bit paging: read", P, ALL, READ, NONE },
    { "32-bit paging: write to a read-only page", P, ALL, WRITE, PF(3) },
    { "32-bit paging: write below a read-only table", ALL, P | U, WRITE, PF(3) },
    { "32-bit paging: user read of a kernel page", P, ALL, UREAD, PF(5) },
    { "32-bit paging: user write of a read-only page", P | U, ALL, UWRITE, PF(7) },
    { "32-bit paging: user fetch from a kernel page", P, ALL, UFETCH, PF(5) },
    { "32-bit paging: user fetch", P | U, ALL, UFETCH, NONE },
    { "32-bit paging: user read below a kernel table", ALL, P | W, UREAD, PF(5) },
};

static void plain(void)
{
    for (unsigned i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
        paging_on(rights[i].pte, rights[i].pde);
        expect(rights[i].name, access(rights[i].access), rights[i].want);
    }
    paging_on(ALL, ALL);
    access(WRITE);
    expect_value("32-bit paging: A and D", table[3] & 0x60, 0x60);
    paging_on(0, 0);
    directory[TEST_GVA >> 22] = ((word)scratch & 0xffc00000) | ALL | LARGE;
    scratch[0] = 0x1234;
    word value = *(volatile word *)(0x40000000 + ((word)scratch & 0x3fffff));
    expect_value("4 MiB page", (word)paging_off((int)value), 0x1234);
    paging_on(0, 0);
    directory[TEST_GVA >> 22] = P | LARGE;
    expect("write to a read-only 4 MiB page", access(WRITE), PF(3));
    paging_on(0, 0);
    directory[TEST_GVA >> 22] = ALL | LARGE | 1 << 21;
    expect("4 MiB page with bit 21", access(READ), PF(9));
    paging_on(0, 0);
    WRITE_CR(4, defaults.cr4 | CR4_PSE);
    directory[TEST_GVA >> 22] = ((word)scratch & 0xffc00000) | ALL | LARGE;
    access(WRITE);
    expect_value("4 MiB page: A and D", directory[TEST_GVA >> 22] & 0x60, 0x60);
}

static void nx(bool on)
{
    wrmsr(MSR_EFER, on ? defaults.efer | EFER_NXE : defaults.efer & ~(uint64_t)EFER_NXE);
}

CODE(code_load_cr3, "mov eax, cr3; mov cr3, eax");

static void pae(void)
{
    const uint64_t no_execute = 1ULL << 63;

    nx(true);
    pae_on(ALL);
    expect("PAE: read", access(READ), NONE);
    nx(true);
    pae_on(0);
    expect("PAE: fetch from an absent page, NXE", access(FETCH), PF(0x10));
    nx(true);
    pae_on(ALL | no_execute);
    expect("PAE: fetch from a page with NX", access(FETCH), PF(0x11));
    nx(true);
    pae_on(ALL | no_execute);
    expect("PAE: user fetch from a page with NX", access(UFETCH), PF(0x15));
    nx(false);
    pae_on(ALL | no_execute);
    expect("PAE: page with NX, no NXE", access(READ), PF(9));
    pae_on(P);
    expect("PAE: write to a read-only page", access(WRITE), PF(3));
    pae_on(P);
    expect("PAE: user read of a kernel page", access(UREAD), PF(5));
    pae_on(ALL);
    pae_test_directory[0] = (word)pae_table | P;
    expect("PAE: write below a read-only table", access(WRITE), PF(3));
    pae_on(ALL | 1ULL << 62);
    expect("PAE: reserved bit 62", access(READ), PF(9));
    pae_on(ALL);
    pae_test_directory[0] = ALL | LARGE | 1 << 13;
    expect("PAE: 2 MiB page with bit 13", access(READ), PF(9));
    pae_on(ALL);
    pae_pointers[2] = (word)pae_table | P | 1 << 5;
    expect("PAE: MOV to CR3 of a bad pointer", paging_off(try_kernel(code_load_cr3, 0)), GP(0));
    pae_on(ALL);
    pae_pointers[2] = 0xfffffffffffffffeULL;
    expect("PAE: MOV to CR3, absent pointers may hold anything",
           paging_off(try_kernel(code_load_cr3, 0)), NONE);
    pae_on(ALL);
    pae_pointers[1] = 0;
    WRITE_CR(3, (word)pae_pointers);
    expect("PAE: absent pointer", access(READ), PF(0));
    pae_on(ALL);
    access(WRITE);
    expect_value("PAE: A and D", pae_table[3] & 0x60, 0x60);
}

void cases_paging(void)
{
    plain();
    pae();
}
