/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vector operations on 32-byte registers, as VEX-coded instructions do them (SDM volume 1, 14).
 *
 * Most are their 16-byte form on each half.  What else the halves need (another part of the source
 * or of the immediate, results that are put together) stands in a table here; operations that cross
 * the halves do all 32 bytes themselves.
 *
 * Threads: the vCPU's own.
 */
#include "common/bits.h"
#include "engine/dbt/guest/x86/sse_fp.h"

/* How the upper half is done, where that is not just as the lower. */
typedef struct Halves {
    bool whole;       /* the function does 32 bytes itself */
    bool same;        /* both read the second source's begin */
    uint8_t from;     /* bytes of the second source that the lower half reads, not 16 */
    uint8_t to;       /* and bytes of the result that it makes, not 16; zeros above the result */
    uint8_t shift;    /* of the immediate, for the upper half */
    uint8_t or_in;    /* to the immediate, for the upper half */
    bool both;        /* EFLAGS: those that both set */
    uint8_t position; /* number: how far up the upper half's bits go */
} Halves;

/* clang-format off */
#define HALVES(name, ...) [X86_VECTOR_##name] = { __VA_ARGS__ }
static const Halves halves_of[X86_VECTOR_OPS] = {
    HALVES(vpermd, .whole = true), HALVES(vpermq_imm, .whole = true),
    HALVES(vperm2f128, .whole = true), HALVES(vinsertf128, .whole = true),
    HALVES(vzeroupper, .whole = true), HALVES(vzeroall, .whole = true),
    /* a shift's count, and what is broadcast */
    HALVES(psrlw, .same = true), HALVES(psrld, .same = true), HALVES(psrlq, .same = true),
    HALVES(psraw, .same = true), HALVES(psrad, .same = true), HALVES(psllw, .same = true),
    HALVES(pslld, .same = true), HALVES(psllq, .same = true),
    HALVES(vpbroadcastb, .same = true), HALVES(vpbroadcastw, .same = true),
    HALVES(vpbroadcastd, .same = true), HALVES(vpbroadcastq, .same = true),
    HALVES(vbroadcastf128, .same = true),
    /* wider elements */
    HALVES(pmovsxbw, .from = 8), HALVES(pmovsxbd, .from = 4), HALVES(pmovsxbq, .from = 2),
    HALVES(pmovsxwd, .from = 8), HALVES(pmovsxwq, .from = 4), HALVES(pmovsxdq, .from = 8),
    HALVES(pmovzxbw, .from = 8), HALVES(pmovzxbd, .from = 4), HALVES(pmovzxbq, .from = 2),
    HALVES(pmovzxwd, .from = 8), HALVES(pmovzxwq, .from = 4), HALVES(pmovzxdq, .from = 8),
    HALVES(cvtps2pd, .from = 8), HALVES(cvtdq2pd, .from = 8), HALVES(vcvtph2ps, .from = 8),
    /* narrower ones */
    HALVES(cvtpd2ps, .to = 8), HALVES(cvtpd2dq, .to = 8), HALVES(cvttpd2dq, .to = 8),
    HALVES(vcvtps2ph, .to = 8),
    /* a part of the immediate for each */
    HALVES(blendps, .shift = 4), HALVES(blendpd, .shift = 2), HALVES(shufpd, .shift = 2),
    HALVES(vpermilpd_imm, .shift = 2), HALVES(mpsadbw, .shift = 3),
    HALVES(vpblendvb, .or_in = 16), HALVES(vblendvps, .or_in = 16), HALVES(vblendvpd, .or_in = 16),
    /* results that are put together */
    HALVES(ptest, .both = true), HALVES(vtestps, .both = true), HALVES(vtestpd, .both = true),
    HALVES(pmovmskb, .position = 16), HALVES(movmskps, .position = 4),
    HALVES(movmskpd, .position = 2),
};
/* clang-format on */

/* One instruction's work on both halves. */
typedef struct Work {
    X86Cpu *cpu;
    const VectorOp *op;
    X86Vector result, from1, from2;
} Work;

/* Do 16 bytes.  An exception leaves its flags in MXCSR, which finish() looks at. */
static void do_half(Work *w, const void *from, uint8_t *to, unsigned half, unsigned immediate)
{
    X86Cpu *cpu = w->cpu;

    w->op->fn(&cpu->base, to, w->from1.u8 + 16 * half, from, immediate);
    cpu->base.fault = 0;
}

/* The flags that both halves raised go to MXCSR together, by the rule for one (sse_finish()).
 * False: an exception. */
static bool finish(Work *w, uint32_t mxcsr_before)
{
    X86Cpu *cpu = w->cpu;
    unsigned masked = (cpu->mxcsr >> 7) & FLOAT_EXCEPTIONS;
    FpEnv env = { .masked = (uint8_t)masked, .flags = cpu->mxcsr & FLOAT_EXCEPTIONS };

    cpu->mxcsr = mxcsr_before;
    return sse_finish(cpu, &env);
}

static void do_halves(Work *w, const Halves *halves, unsigned immediate)
{
    unsigned from = halves->same ? 0 : halves->from ? halves->from : 16;
    unsigned to = halves->to ? halves->to : 16;
    X86Vector upper = { 0 };

    memcpy(upper.u8, w->result.u8 + 16, 16); /* of FMA: a source */
    do_half(w, w->from2.u8, w->result.u8, 0, immediate);
    do_half(w, w->from2.u8 + from, upper.u8, 1, (immediate >> halves->shift) | halves->or_in);
    if (halves->both) {
        w->result.u64[0] &= upper.u64[0];
    } else if (halves->position) {
        w->result.u64[0] |= upper.u64[0] << halves->position;
    } else {
        memset(w->result.u8 + to, 0, 32 - to);
        memcpy(w->result.u8 + to, upper.u8, 16);
    }
}

static void all_bytes(X86Cpu *cpu, void *to, const void *from1, const void *from2, uint64_t what)
{
    unsigned number = ir_vector_number(what), immediate = ir_vector_immediate(what);
    const Halves *halves = &halves_of[number];
    Work w = { .cpu = cpu, .op = &x86_vectors[number] };
    uint32_t mxcsr = cpu->mxcsr;

    if (halves->whole) {
        w.op->fn(&cpu->base, to, from1, from2, immediate);
        return;
    }
    memcpy(&w.result, to, sizeof(w.result));
    memcpy(&w.from1, from1, sizeof(w.from1));
    memcpy(&w.from2, from2, sizeof(w.from2));
    bool exact = w.op->may_fault && (mxcsr & 0x1f80) != 0x1f80;
    if (exact) {
        cpu->mxcsr &= ~(uint32_t)FLOAT_EXCEPTIONS;
    }
    do_halves(&w, halves, immediate);
    if (!exact || finish(&w, mxcsr)) {
        memcpy(to, &w.result, sizeof(w.result));
    }
}

void x86_vector_wide(DbtCpu *base, void *to, const void *from1, const void *from2, uint64_t what)
{
    if (ir_vector_shape(what) == IR_SHAPE_WIDE) {
        all_bytes(x86_cpu(base), to, from1, from2, what);
        return;
    }
    x86_vectors[ir_vector_number(what)].fn(base, to, from1, from2, ir_vector_immediate(what));
    if (!base->fault) {
        memset((uint8_t *)to + 16, 0, 16);
    }
}
