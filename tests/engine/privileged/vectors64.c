/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When x87, MMX, SSE and XSAVE may run at all, and what they raise, 64-bit kernel.
 *
 * Reference: SDM 3, 13.1; SDM 2, exception tables.
 */
#include "kernel64.h"

#define X87 "fld1; fstp st(0)"
#define MMX "movq mm0, mm1"
#define SSE "movaps xmm0, xmm1"
#define LDM "push 0x1f80; ldmxcsr [rsp]; pop rax"
#define FXS "lea rax, [rip + scratch]; fxsave64 [rax]"
#define FXR "lea rax, [rip + scratch]; fxsave64 [rax]; fxrstor64 [rax]"
#define XSV "lea rdi, [rip + scratch]; mov eax, 3; xor edx, edx; xsave64 [rdi]"
#define XRS "lea rdi, [rip + scratch]; mov eax, 3; xor edx, edx; xrstor64 [rdi]"

CASE(plain, "x87", KERNEL, NONE, X87);
CASE(plain, "MMX", KERNEL, NONE, MMX "; emms");
CASE(plain, "SSE", KERNEL, NONE, SSE);
CASE(plain, "FXSAVE", KERNEL, NONE, FXS);
CASE(plain, "XSAVE without OSXSAVE", KERNEL, UD, XSV);
CASE(plain, "FXSAVE unaligned", KERNEL, GP(0), "lea rax, [rip + scratch + 8]; fxsave64 [rax]");
CASE(plain, "FXRSTOR unaligned", KERNEL, GP(0), "lea rax, [rip + scratch + 8]; fxrstor64 [rax]");
CASE(plain, "FXRSTOR of reserved bits of MXCSR", KERNEL, GP(0),
     FXS "; mov dword ptr [rax + 24], 0x10000; fxrstor64 [rax]");
CASE(plain, "LDMXCSR", KERNEL, NONE, LDM);
CASE(plain, "LDMXCSR of reserved bits", KERNEL, GP(0), "push 0x10000; ldmxcsr [rsp]; pop rax");
CASE(plain, "MOVAPS unaligned", KERNEL, GP(0), "lea rax, [rip + scratch + 4]; movaps xmm0, [rax]");
CASE(plain, "MOVAPS unaligned write", KERNEL, GP(0),
     "lea rax, [rip + scratch + 4]; movaps [rax], xmm0");
CASE(plain, "MOVUPS unaligned", KERNEL, NONE, "lea rax, [rip + scratch + 4]; movups xmm0, [rax]");
CASE(plain, "PADDB unaligned", KERNEL, GP(0), "lea rax, [rip + scratch + 4]; paddb xmm0, [rax]");
CASE(plain, "MOVAPS unaligned comes before the page fault", KERNEL, GP(0),
     "mov eax, 0x80001001; movaps xmm0, [rax]");
CASE(plain, "CMPXCHG16B unaligned", KERNEL, GP(0),
     "lea rdi, [rip + scratch + 8]; lock cmpxchg16b [rdi]");
CASE(plain, "SSE division by zero, masked", KERNEL, NONE,
     "xorps xmm0, xmm0; mov eax, 0x3f800000; movd xmm1, eax; divss xmm1, xmm0");
CASE(plain, "SSE division by zero", KERNEL, XM,
     "push 0x1d80; ldmxcsr [rsp]; pop rcx; xorps xmm0, xmm0; mov eax, 0x3f800000; "
     "movd xmm1, eax; divss xmm1, xmm0");
CASE(plain, "x87 division by zero waits for the next", KERNEL, MF,
     "push 0x37b; fldcw [rsp]; pop rax; fld1; fldz; fdivp; fnop");
CASE(plain, "x87 division by zero, no wait", KERNEL, NONE,
     "push 0x37b; fldcw [rsp]; pop rax; fld1; fldz; fdivp; fnclex");
CASE(plain, "x87 pending and FNSTSW", KERNEL, NONE,
     "push 0x37b; fldcw [rsp]; pop rax; fld1; fldz; fdivp; fnstsw ax; fninit");
CASE(plain, "x87 pending and MMX", KERNEL, MF,
     "push 0x37b; fldcw [rsp]; pop rax; fld1; fldz; fdivp; movq mm0, mm1");
CASE(plain, "x87 pending and WAIT", KERNEL, MF,
     "push 0x37b; fldcw [rsp]; pop rax; fld1; fldz; fdivp; fwait");
CASE(plain, "x87 pending and SSE", KERNEL, NONE,
     "push 0x37b; fldcw [rsp]; pop rax; fld1; fldz; fdivp; movaps xmm0, xmm1; fninit");
CASE(plain, "POPCNT with LOCK", KERNEL, UD, ".byte 0xf0, 0xf3, 0x0f, 0xb8, 0xc0");
CASE(plain, "VEX without OSXSAVE", KERNEL, UD, ".byte 0xc5, 0xf8, 0x28, 0xc1");

CASE(switched, "x87 with TS", KERNEL, NM, X87);
CASE(switched, "MMX with TS", KERNEL, NM, MMX);
CASE(switched, "SSE with TS", KERNEL, NM, SSE);
CASE(switched, "FXSAVE with TS", KERNEL, NM, FXS);
CASE(switched, "LDMXCSR with TS", KERNEL, NM, LDM);
CASE(switched, "WAIT with TS and MP", KERNEL, NM, "fwait");
CASE(switched, "SSE with TS in ring 3", USER, NM, SSE);
CASE(switched, "PREFETCH with TS", KERNEL, NONE, "prefetcht0 [rsp]");
CASE(switched, "SFENCE with TS", KERNEL, NONE, "sfence; lfence; mfence");
CASE(switched, "MOVNTI with TS", KERNEL, NONE, "movnti [rsp - 64], rax");
CASE(switched_no_mp, "WAIT with TS, no MP", KERNEL, NONE, "fwait");

CASE(emulated, "x87 with EM", KERNEL, NM, X87);
CASE(emulated, "MMX with EM", KERNEL, UD, MMX);
CASE(emulated, "SSE with EM", KERNEL, UD, SSE);
CASE(emulated, "FXSAVE with EM", KERNEL, NM, FXS);
CASE(emulated, "LDMXCSR with EM", KERNEL, UD, LDM);
CASE(emulated, "WAIT with EM", KERNEL, NONE, "fwait");

CASE(no_osfxsr, "SSE without OSFXSR", KERNEL, UD, SSE);
CASE(no_osfxsr, "LDMXCSR without OSFXSR", KERNEL, UD, LDM);
CASE(no_osfxsr, "MMX without OSFXSR", KERNEL, NONE, MMX "; emms");
CASE(no_osfxsr, "FXSAVE without OSFXSR", KERNEL, NONE, FXS);
CASE(no_osfxsr, "CRC32 or POPCNT without OSFXSR", KERNEL, NONE, "popcnt eax, ecx");

CASE(no_unmasked, "SSE exception without OSXMMEXCPT", KERNEL, UD,
     "push 0x1d80; ldmxcsr [rsp]; pop rcx; xorps xmm0, xmm0; mov eax, 0x3f800000; "
     "movd xmm1, eax; divss xmm1, xmm0");

CASE(xsave, "XSAVE", KERNEL, NONE, XSV);
CASE(xsave, "XSAVE and XRSTOR", KERNEL, NONE, XSV "; " XRS);
CASE(xsave, "XSAVE unaligned", KERNEL, GP(0),
     "lea rdi, [rip + scratch + 16]; mov eax, 3; xor edx, edx; xsave64 [rdi]");
CASE(xsave, "XRSTOR unaligned", KERNEL, GP(0),
     "lea rdi, [rip + scratch + 16]; mov eax, 3; xor edx, edx; xrstor64 [rdi]");
CASE(xsave, "XRSTOR of a component that XCR0 has not", KERNEL, GP(0),
     XSV "; mov dword ptr [rdi + 512], 0x200; mov eax, 3; xrstor64 [rdi]");
CASE(xsave, "XRSTOR of a header with reserved bytes", KERNEL, GP(0),
     XSV "; mov dword ptr [rdi + 528], 1; mov eax, 3; xrstor64 [rdi]");
CASE(xsave, "XRSTOR of reserved bits of MXCSR", KERNEL, GP(0),
     XSV "; mov dword ptr [rdi + 24], 0x10000; mov dword ptr [rdi + 512], 3; mov eax, 3; "
         "xrstor64 [rdi]");
CASE(xsave, "LOCK XSAVE", KERNEL, UD, ".byte 0xf0, 0x0f, 0xae, 0x27");
CASE(xsave_ts, "XSAVE with TS", KERNEL, NM, XSV);
CASE(xsave_ts, "XRSTOR with TS", KERNEL, NM, XRS);

#define AVX  "vaddps ymm0, ymm1, ymm2"
#define BMI1 "andn eax, ecx, edx"

CASE(avx, "AVX", KERNEL, NONE, AVX);
CASE(avx, "AVX in ring 3", USER, NONE, AVX);
CASE(avx, "BMI1", KERNEL, NONE, BMI1);
CASE(avx, "VMOVAPS of 32 bytes, aligned to 16", KERNEL, GP(0),
     "lea rax, [rip + scratch]; or rax, 31; lea rax, [rax + 17]; vmovaps ymm0, [rax]");
CASE(avx, "VMOVAPS of 32 bytes, aligned", KERNEL, NONE,
     "lea rax, [rip + scratch]; or rax, 31; inc rax; vmovaps ymm0, [rax]");
CASE(avx, "VADDPS unaligned", KERNEL, NONE,
     "lea rax, [rip + scratch + 4]; vaddps ymm0, ymm1, [rax]");
CASE(avx, "VMASKMOVPS of nothing from nowhere", KERNEL, NONE,
     "vpxor xmm1, xmm1, xmm1; mov eax, 0x80001001; vmaskmovps ymm0, ymm1, [rax]");
CASE(avx, "VMASKMOVPS to a noncanonical address", KERNEL, GP(0),
     "vpcmpeqd ymm1, ymm1, ymm1; mov rax, 0x8000000000000000; vmaskmovps [rax], ymm1, ymm0");
CASE(avx, "VGATHERDPS from a noncanonical address", KERNEL, GP(0),
     "vpcmpeqd ymm1, ymm1, ymm1; vpxor xmm2, xmm2, xmm2; mov rax, 0x8000000000000000; "
     "vgatherdps ymm0, [rax + ymm2], ymm1");
CASE(avx, "VEX division by zero", KERNEL, XM,
     "push 0x1d80; vldmxcsr [rsp]; pop rcx; vxorps xmm0, xmm0, xmm0; mov eax, 0x3f800000; "
     "vmovd xmm1, eax; vbroadcastss ymm1, xmm1; vdivps ymm1, ymm1, ymm0");
CASE(avx, "XSAVE of YMM", KERNEL, NONE,
     "lea rdi, [rip + scratch]; mov eax, 7; xor edx, edx; xsave64 [rdi]; xrstor64 [rdi]");
CASE(avx_em, "AVX with EM", KERNEL, NONE, AVX);
CASE(avx_ts, "AVX with TS", KERNEL, NM, AVX);
CASE(avx_ts, "VZEROUPPER with TS", KERNEL, NM, "vzeroupper");
CASE(avx_ts, "BMI1 with TS", KERNEL, NONE, BMI1);
CASE(avx_off, "AVX without its bit of XCR0", KERNEL, UD, AVX);
CASE(avx_off, "VZEROUPPER without it", KERNEL, UD, "vzeroupper");
CASE(avx_off, "BMI1 without it", KERNEL, NONE, BMI1);

static void clear_xsave_area(void)
{
    for (unsigned i = 0; i < 512; i++) {
        scratch[i] = 0;
    }
    __asm__ volatile("fninit");
    const uint32_t mxcsr = 0x1f80;
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
}

static void set_ts(void)
{
    clear_xsave_area();
    WRITE_CR(0, defaults.cr0 | CR0_TS);
}

static void set_ts_no_mp(void)
{
    WRITE_CR(0, (defaults.cr0 | CR0_TS) & ~(word)CR0_MP);
}

static void set_em(void)
{
    WRITE_CR(0, defaults.cr0 | CR0_EM);
}

static void clear_osfxsr(void)
{
    WRITE_CR(4, defaults.cr4 & ~(word)CR4_OSFXSR);
}

static void clear_osxmmexcpt(void)
{
    clear_xsave_area();
    WRITE_CR(4, defaults.cr4 & ~(word)CR4_OSXMMEXCPT);
}

static void set_osxsave(void)
{
    clear_xsave_area();
    WRITE_CR(4, defaults.cr4 | CR4_OSXSAVE);
    __asm__ volatile("xsetbv" : : "a"(3), "d"(0), "c"(0));
}

static void set_osxsave_ts(void)
{
    set_osxsave();
    WRITE_CR(0, defaults.cr0 | CR0_TS);
}

static void set_xcr0(uint32_t value)
{
    clear_xsave_area();
    WRITE_CR(4, defaults.cr4 | CR4_OSXSAVE);
    __asm__ volatile("xsetbv" : : "a"(value), "d"(0), "c"(0));
}

static void set_avx(void)
{
    set_xcr0(7);
}

static void set_avx_em(void)
{
    set_xcr0(7);
    WRITE_CR(0, defaults.cr0 | CR0_EM);
}

static void set_avx_ts(void)
{
    set_xcr0(7);
    WRITE_CR(0, defaults.cr0 | CR0_TS);
}

static void run_avx(void)
{
    enum { AVX_BIT = 1 << 28, AVX2_BIT = 1 << 5, BMI1_BIT = 1 << 3 };

    if (!(cpuid(1, 0).c & AVX_BIT) || (~cpuid(7, 0).b & (AVX2_BIT | BMI1_BIT))) {
        skip("AVX", "not in this CPU model");
        return;
    }
    RUN_ROWS(avx, set_avx);
    RUN_ROWS(avx_em, set_avx_em);
    RUN_ROWS(avx_ts, set_avx_ts);
    RUN_ROWS(avx_off, set_osxsave);
}

void cases_vectors(void)
{
    RUN_ROWS(plain, clear_xsave_area);
    RUN_ROWS(switched, set_ts);
    RUN_ROWS(switched_no_mp, set_ts_no_mp);
    RUN_ROWS(emulated, set_em);
    RUN_ROWS(no_osfxsr, clear_osfxsr);
    RUN_ROWS(no_unmasked, clear_osxmmexcpt);
    if (cpuid(1, 0).c & 1 << 26) {
        RUN_ROWS(xsave, set_osxsave);
        RUN_ROWS(xsave_ts, set_osxsave_ts);
        run_avx();
    } else {
        skip("XSAVE", "not in this CPU model");
    }
    clear_xsave_area();
}
