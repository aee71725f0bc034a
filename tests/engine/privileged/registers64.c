/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control registers, MSRs, CPUID, flags and time, 64-bit kernel.
 *
 * Reference: SDM 3, 2.5; SDM 4; SDM 2, CPUID.
 */
#include "kernel64.h"

#define LOW0(bits)  "mov rax, cr0; and eax, ~(" #bits "); mov cr0, rax"
#define HIGH0(bits) "mov rax, cr0; or eax, " #bits "; mov cr0, rax"

CASE(control, "CR0: PG without PE", KERNEL, GP(0), LOW0(1));
CASE(control, "CR0: PG off in 64-bit mode", KERNEL, GP(0), LOW0(0x80000000));
CASE(control, "CR0: NW without CD", KERNEL, GP(0), HIGH0(0x20000000));
CASE(control, "CR0: CD", KERNEL, NONE, HIGH0(0x40000000));
CASE(control, "CR0: above 32 bits", KERNEL, GP(0), "mov rax, cr0; bts rax, 32; mov cr0, rax");
CASE(control, "CR3: above the physical space", KERNEL, GP(0),
     "mov rax, cr3; bts rax, 60; mov cr3, rax");
CASE(control, "CR4: PAE off in long mode", KERNEL, GP(0),
     "mov rax, cr4; and eax, ~0x20; mov cr4, rax");
CASE(control, "CR4: above 32 bits", KERNEL, GP(0), "mov rax, cr4; bts rax, 40; mov cr4, rax");
CASE(control, "CR4: a reserved bit", KERNEL, GP(0), "mov rax, cr4; bts rax, 31; mov cr4, rax");
CASE(control, "CR2: any value", KERNEL, NONE, "mov rax, 0x8000000000000000; mov cr2, rax");
CASE(control, "CR8: 15", KERNEL, NONE, "mov eax, 15; mov cr8, rax; xor eax, eax; mov cr8, rax");
CASE(control, "CR8: 16", KERNEL, GP(0), "mov eax, 16; mov cr8, rax");
CASE(control, "EFER: LME off while paging", KERNEL, GP(0),
     "mov ecx, 0xc0000080; rdmsr; and eax, ~0x100; wrmsr");
CASE(control, "EFER: a reserved bit", KERNEL, GP(0),
     "mov ecx, 0xc0000080; rdmsr; bts eax, 9; wrmsr");
CASE(control, "EFER: above 32 bits", KERNEL, GP(0),
     "mov ecx, 0xc0000080; rdmsr; bts edx, 5; wrmsr");
CASE(control, "RDMSR of an unknown MSR", KERNEL, GP(0), "mov ecx, 0x12345; rdmsr");
CASE(control, "WRMSR of an unknown MSR", KERNEL, GP(0), "mov ecx, 0x12345; wrmsr");
CASE(control, "PAT: a reserved type", KERNEL, GP(0),
     "mov ecx, 0x277; mov eax, 2; xor edx, edx; wrmsr");
CASE(control, "LSTAR not canonical", KERNEL, GP(0),
     "mov ecx, 0xc0000082; xor eax, eax; mov edx, 0x80000000; wrmsr");
CASE(control, "KERNEL_GS_BASE not canonical", KERNEL, GP(0),
     "mov ecx, 0xc0000102; xor eax, eax; mov edx, 0x80000000; wrmsr");
CASE(control, "FS_BASE not canonical", KERNEL, GP(0),
     "mov ecx, 0xc0000100; xor eax, eax; mov edx, 0x80000000; wrmsr");
CASE(control, "FS_BASE in the upper half", KERNEL, NONE,
     "mov ecx, 0xc0000100; xor eax, eax; mov edx, 0xffff8000; wrmsr");
CASE(control, "APIC_BASE: a reserved bit", KERNEL, GP(0), "mov ecx, 0x1b; rdmsr; or eax, 1; wrmsr");
CASE(control, "MTRR_DEF_TYPE: a reserved type", KERNEL, GP(0),
     "mov ecx, 0x2ff; mov eax, 2; xor edx, edx; wrmsr");
CASE(control, "MTRRCAP is read-only", KERNEL, GP(0), "mov ecx, 0xfe; rdmsr; wrmsr");
CASE(control, "XSETBV without OSXSAVE", KERNEL, UD, "xor ecx, ecx; xsetbv");
CASE(control, "XGETBV without OSXSAVE", KERNEL, UD, "xor ecx, ecx; xgetbv");
CASE(control, "RDFSBASE without FSGSBASE", KERNEL, UD, "rdfsbase rax");
CASE(control, "WRGSBASE without FSGSBASE", USER, UD, "wrgsbase rax");

CASE(xcr, "XCR0: without x87", KERNEL, GP(0), "xor ecx, ecx; mov eax, 2; xor edx, edx; xsetbv");
CASE(xcr, "XCR0: AVX without SSE", KERNEL, GP(0), "xor ecx, ecx; mov eax, 5; xor edx, edx; xsetbv");
CASE(xcr, "XCR0: above 32 bits", KERNEL, GP(0),
     "xor ecx, ecx; mov eax, 1; mov edx, 0x1000; xsetbv");
CASE(xcr, "XCR0: x87 and SSE", KERNEL, NONE, "xor ecx, ecx; mov eax, 3; xor edx, edx; xsetbv");
CASE(xcr, "XCR1", KERNEL, GP(0), "mov ecx, 1; mov eax, 1; xor edx, edx; xsetbv");
CASE(xcr, "XGETBV of XCR7", KERNEL, GP(0), "mov ecx, 7; xgetbv");
CASE(xcr, "XSETBV in ring 3", USER, GP(0), "xor ecx, ecx; mov eax, 1; xor edx, edx; xsetbv");
CASE(xcr, "XGETBV in ring 3", USER, NONE, "xor ecx, ecx; xgetbv");

CASE(fsgsbase, "WRFSBASE", KERNEL, NONE, "mov eax, 0x1000; wrfsbase rax; rdfsbase rcx");
CASE(fsgsbase, "WRFSBASE in ring 3", USER, NONE, "mov eax, 0x1000; wrfsbase rax");
CASE(fsgsbase, "WRFSBASE not canonical", KERNEL, GP(0),
     "mov rax, 0x8000000000000000; wrfsbase rax");
CASE(fsgsbase, "WRGSBASE not canonical in ring 3", USER, GP(0),
     "mov rax, 0x8000000000000000; wrgsbase rax");

static void set_osxsave(void)
{
    WRITE_CR(4, defaults.cr4 | CR4_OSXSAVE);
}

static void set_fsgsbase(void)
{
    WRITE_CR(4, defaults.cr4 | CR4_FSGSBASE);
}

/* ---- bits that CR4 has only with a feature ---- */

static const struct {
    const char *name;
    uint32_t leaf;
    unsigned reg, bit;
    word cr4;
} cr4_features[] = {
    { "CR4.UMIP goes with its feature", 7, 2, 2, CR4_UMIP },
    { "CR4.FSGSBASE goes with its feature", 7, 1, 0, CR4_FSGSBASE },
    { "CR4.PCIDE goes with its feature", 1, 2, 17, CR4_PCIDE },
    { "CR4.OSXSAVE goes with its feature", 1, 2, 26, CR4_OSXSAVE },
    { "CR4.SMEP goes with its feature", 7, 1, 7, CR4_SMEP },
    { "CR4.SMAP goes with its feature", 7, 1, 20, CR4_SMAP },
    { "CR4.DE goes with its feature", 1, 3, 2, CR4_DE },
    { "CR4.TSD goes with its feature", 1, 3, 4, CR4_TSD },
    { "CR4.PGE goes with its feature", 1, 3, 13, CR4_PGE },
};

CODE(code_set_cr4, "mov cr4, rdi");

static void features(void)
{
    for (unsigned i = 0; i < sizeof(cr4_features) / sizeof(cr4_features[0]); i++) {
        Cpuid c = cpuid(cr4_features[i].leaf, 0);
        const uint32_t regs[] = { c.a, c.b, c.c, c.d };
        bool has = regs[cr4_features[i].reg] >> cr4_features[i].bit & 1;
        expect(cr4_features[i].name, try_kernel(code_set_cr4, defaults.cr4 | cr4_features[i].cr4),
               has ? NONE : GP(0));
    }
}

/* ---- CPUID agrees with itself ---- */

static void cpuid_consistency(void)
{
    Cpuid zero = cpuid(0, 0), one = cpuid(1, 0), extended = cpuid(0x80000000, 0);

    expect_value("CPUID: at least leaf 1, at least 80000008h",
                 (zero.a >= 1) << 1 | (extended.a >= 0x80000008), 3);
    expect_value("CPUID: what every x86-64 has", one.d & 0x0780a179, 0x0780a179);
    expect_value("CPUID: long mode, NX, SYSCALL", cpuid(0x80000001, 0).d & 0x20100800, 0x20100800);
    expect_value("CPUID: APIC id is 0 on the first CPU", one.b >> 24, 0);
    expect_value("CPUID: OSXSAVE follows CR4, off", one.c & 1 << 27, 0);
    if (one.c & 1 << 26) {
        set_osxsave();
        expect_value("CPUID: OSXSAVE follows CR4, on", cpuid(1, 0).c & 1 << 27, 1 << 27);
        expect_value("CPUID: XSAVE knows x87 and SSE", cpuid(0xd, 0).a & 3, 3);
        expect_value("CPUID: XSAVE area holds what XCR0 allows",
                     cpuid(0xd, 0).c >= 576 && cpuid(0xd, 0).b >= 576, 1);
        expect_value("CPUID: AVX needs its part of the area",
                     !(one.c & 1 << 28) || (cpuid(0xd, 0).a & 4 && cpuid(0xd, 0).c >= 832), 1);
    } else {
        skip("CPUID: XSAVE", "not in this CPU model");
    }
    expect_value("CPUID: APIC bit follows APIC_BASE", one.d >> 9 & 1, rdmsr(0x1b) >> 11 & 1);
    if (zero.a >= 0xb && cpuid(0xb, 0).b) {
        expect_value("CPUID: leaf Bh has the APIC id", cpuid(0xb, 0).d, one.b >> 24);
        expect_value("CPUID: leaf Bh names its levels", cpuid(0xb, 0).c >> 8 & 0xff, 1);
    } else {
        skip("CPUID: leaf Bh", "not in this CPU model");
    }
    expect_value("CPUID: a leaf's upper halves are cleared", ({
                     uint64_t a = 0xffffffff00000000ULL, b, c = 0xffffffff00000000ULL, d;
                     __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
                     (a | b | c | d) >> 32;
                 }),
                 0);
    expect_value("CPUID: addresses of 36 to 52 bits, 48 virtual",
                 (cpuid(0x80000008, 0).a & 0xff) >= 36 && (cpuid(0x80000008, 0).a & 0xff) <= 52 &&
                     (cpuid(0x80000008, 0).a >> 8 & 0xff) >= 48,
                 1);
    expect_value("CPUID: SSE3 comes with SSE2 and so on",
                 (one.c & 1 << 20) ? (one.c >> 19 & 1) && (one.c >> 9 & 1) && (one.c & 1) : 1, 1);
    expect_value("CPUID: a hypervisor is there", one.c >> 31, 1);
    Cpuid kvm = cpuid(0x40000000, 0);
    expect_value("CPUID: KVM's signature", (uint64_t)kvm.b << 32 | kvm.c,
                 (uint64_t)0x4b4d564b << 32 | 0x564b4d56);
    expect_value("CPUID: leaf 40000010h has the frequency", cpuid(0x40000010, 0).a != 0, 1);
}

/* ---- what is written comes back ---- */

static const struct {
    const char *name;
    uint32_t index;
    uint64_t value;
} kept_msrs[] = {
    { "MSR STAR is kept", 0xc0000081, 0x0018000800000000 },
    { "MSR LSTAR is kept", 0xc0000082, 0xffffffff81000000 },
    { "MSR CSTAR is kept", 0xc0000083, 0x00007fff12345678 },
    { "MSR FMASK is kept", 0xc0000084, 0x47700 },
    { "MSR FS_BASE is kept", 0xc0000100, 0x00007f0012345678 },
    { "MSR GS_BASE is kept", 0xc0000101, 0xffff888012345678 },
    { "MSR KERNEL_GS_BASE is kept", 0xc0000102, 0xffff888087654321 },
    { "MSR SYSENTER_CS is kept", 0x174, 8 },
    { "MSR SYSENTER_ESP is kept", 0x175, 0x12345678 },
    { "MSR SYSENTER_EIP is kept", 0x176, 0x12345678 },
    { "MSR PAT is kept", 0x277, 0x0007010600070106 },
    { "MSR TSC_AUX is kept", 0xc0000103, 0x1234 },
    { "MSR MTRR_PHYSBASE0 is kept", 0x200, 0x80000006 },
    { "MSR MTRR_FIX64K is kept", 0x250, 0x0606060606060606 },
    { "MSR TSC_ADJUST is kept", 0x3b, 0x123456 },
};

static void msrs(void)
{
    for (unsigned i = 0; i < sizeof(kept_msrs) / sizeof(kept_msrs[0]); i++) {
        uint64_t before = rdmsr(kept_msrs[i].index);
        wrmsr(kept_msrs[i].index, kept_msrs[i].value);
        uint64_t after = rdmsr(kept_msrs[i].index);
        wrmsr(kept_msrs[i].index, before);
        expect_value(kept_msrs[i].name, after, kept_msrs[i].value);
    }
    uint64_t gs = 0x1111, kernel_gs = 0x2222;
    wrmsr(0xc0000101, gs);
    wrmsr(0xc0000102, kernel_gs);
    __asm__ volatile("swapgs" : : : "memory");
    uint64_t swapped = rdmsr(0xc0000101) << 16 | rdmsr(0xc0000102);
    wrmsr(0xc0000102, 0);
    expect_value("SWAPGS swaps", swapped, kernel_gs << 16 | gs);
}

static uint64_t rdtsc(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static void tsc(void)
{
    uint64_t first = rdtsc(), second = rdtsc();

    expect_value("TSC moves forwards", second > first, 1);
    uint64_t adjust = rdmsr(0x3b);
    first = rdtsc();
    wrmsr(0x3b, adjust + (1ULL << 40));
    second = rdtsc();
    expect_value("TSC_ADJUST moves the TSC", (second - first) >> 39, 2);
    first = rdtsc();
    wrmsr(0x3b, adjust);
    second = rdtsc();
    expect_value("TSC_ADJUST moves it back", (first - second) >> 39 >= 1, 1);
    adjust = rdmsr(0x3b);
    first = rdtsc();
    wrmsr(0x10, first + (1ULL << 41));
    uint64_t moved = rdmsr(0x3b) - adjust;
    wrmsr(0x3b, adjust);
    expect_value("a write to the TSC shows in TSC_ADJUST", (moved + (1ULL << 39)) >> 40, 2);
}

/* ---- flags and machine status ---- */

CODE(code_popf_all,
     "push -1; mov qword ptr [rsp], 0x3f7fd7 - 0x300; popfq; pushfq; pop rax; push 2; "
     "popfq");
CODE(code_smsw, "smsw rax; mov rcx, cr0");
CODE(code_lmsw_clear, "smsw ax; and eax, ~1; lmsw ax; smsw rax");
CODE(code_clts, "mov rax, cr0; or eax, 8; mov cr0, rax; clts; mov rax, cr0");
CODE(code_et, "mov rax, cr0; and eax, ~0x10; mov cr0, rax; mov rax, cr0");

static void status(void)
{
    try_kernel(code_popf_all, 0);
    expect_value("POPF sets neither RF nor VM, clears VIP and VIF",
                 caught.gpr[0] & (FLAG_RF | 0x20000 | 0x180000), 0);
    try_kernel(code_popf_all, 0);
    expect_value("POPF sets ID, AC, NT, IOPL", caught.gpr[0] & 0x247000, 0x247000);
    try_kernel(code_smsw, 0);
    expect_value("SMSW reads CR0", caught.gpr[0] & 0xffffffff, caught.gpr[1]);
    try_kernel(code_lmsw_clear, 0);
    expect_value("LMSW can't clear PE", caught.gpr[0] & 1, 1);
    try_kernel(code_clts, 0);
    expect_value("CLTS clears TS", caught.gpr[0] & 8, 0);
    try_kernel(code_et, 0);
    expect_value("ET is always 1", caught.gpr[0] & 0x10, 0x10);
    CODE(code_pushf_tf, "pushfq; pop rax");
    try_user(code_pushf_tf, 0);
    expect_value("PUSHF in ring 3 shows the fixed one", caught.gpr[0] & 0x802a, 2);
    CODE(code_lahf, "mov ah, 0xff; sahf; lahf");
    try_kernel(code_lahf, 0);
    expect_value("LAHF after SAHF of ones", caught.gpr[0] >> 8 & 0xff, 0xd7);
}

void cases_registers(void)
{
    RUN_ROWS(control, 0);
    if (cpuid(1, 0).c & 1 << 26) {
        RUN_ROWS(xcr, set_osxsave);
    } else {
        skip("XCR0", "not in this CPU model");
    }
    if (cpuid(7, 0).b & 1) {
        RUN_ROWS(fsgsbase, set_fsgsbase);
    } else {
        skip("FSGSBASE", "not in this CPU model");
    }
    features();
    cpuid_consistency();
    msrs();
    tsc();
    status();
}
