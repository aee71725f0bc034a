/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segment loads, limits, LAR and its kin, far jumps, calls and returns, call gates, SYSCALL.
 */
#include "engine/dbt/guest/x86/system_bench.h"

enum { NONE = -1 };

/* --- loads ------------------------------------------------------------------------------------ */

typedef struct Load {
    const char *name;
    BenchMode mode;
    unsigned cpl, segment;
    uint16_t selector;
    int vector; /* NONE: it loads */
    unsigned error;
} Load;

static const Load loads[] = {
    { "data", MODE_PROTECTED, 0, X86_DS, SEL_DATA, NONE, 0 },
    { "null", MODE_PROTECTED, 0, X86_ES, 3, NONE, 0 },
    { "outside-the-table", MODE_PROTECTED, 0, X86_DS, SEL_OUTSIDE | 3, EXC_GP, SEL_OUTSIDE },
    { "absent", MODE_PROTECTED, 0, X86_FS, SEL_ABSENT_DATA, EXC_NP, SEL_ABSENT_DATA },
    { "execute-only", MODE_PROTECTED, 0, X86_DS, SEL_EXECUTE_ONLY, EXC_GP, SEL_EXECUTE_ONLY },
    { "readable-code", MODE_PROTECTED, 0, X86_DS, SEL_CODE32, NONE, 0 },
    { "system", MODE_PROTECTED, 0, X86_DS, SEL_TSS, EXC_GP, SEL_TSS },
    { "too-privileged", MODE_PROTECTED, 3, X86_DS, SEL_DATA | 3, EXC_GP, SEL_DATA },
    { "rpl-weakens", MODE_PROTECTED, 0, X86_DS, SEL_DATA | 3, EXC_GP, SEL_DATA },
    { "conforming-for-all", MODE_PROTECTED, 3, X86_DS, SEL_CONFORMING | 3, NONE, 0 },
    { "stack", MODE_PROTECTED, 0, X86_SS, SEL_DATA, NONE, 0 },
    { "stack-null", MODE_PROTECTED, 0, X86_SS, 0, EXC_GP, 0 },
    { "stack-null-compat", MODE_COMPAT, 0, X86_SS, 0, EXC_GP, 0 },
    { "stack-null-long", MODE_LONG, 0, X86_SS, 0, NONE, 0 },
    { "stack-null-long-rpl", MODE_LONG, 0, X86_SS, 1, EXC_GP, 0 },
    { "stack-null-long-ring-3", MODE_LONG, 3, X86_SS, 3, EXC_GP, 0 },
    { "stack-read-only", MODE_PROTECTED, 0, X86_SS, SEL_READ_ONLY, EXC_GP, SEL_READ_ONLY },
    { "stack-absent", MODE_PROTECTED, 0, X86_SS, SEL_ABSENT_DATA, EXC_SS, SEL_ABSENT_DATA },
    { "stack-wrong-rpl", MODE_PROTECTED, 0, X86_SS, SEL_DATA | 3, EXC_GP, SEL_DATA },
    { "stack-wrong-dpl", MODE_PROTECTED, 0, X86_SS, SEL_USER_DATA, EXC_GP, SEL_USER_DATA },
    { "stack-code", MODE_PROTECTED, 0, X86_SS, SEL_CODE32, EXC_GP, SEL_CODE32 },
    { "ldt-outside", MODE_PROTECTED, 0, X86_DS, 0x104, EXC_GP, 0x104 },
    { "real", MODE_REAL, 0, X86_DS, 0x1234, NONE, 0 },
    { "v8086", MODE_V8086, 3, X86_DS, 0xf00d, NONE, 0 },
};

static void test_load(gconstpointer data)
{
    const Load *c = data;
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Segment before;

    bench_enter(bench, c->mode, c->cpl);
    before = bench->cpu->segment[c->segment];
    x86_helper_load_segment(&bench->cpu->base, c->segment, c->selector, 1);
    bench_expect(bench, c->vector, c->error);
    const X86Segment *after = &bench->cpu->segment[c->segment];
    g_assert_cmphex(after->selector, ==, c->vector == NONE ? c->selector : before.selector);
    if (c->mode == MODE_REAL || c->mode == MODE_V8086) {
        g_assert_cmphex(after->base, ==, c->selector << 4);
    }
    g_assert_cmpint(bench->cpu->shadow_mov_ss, ==, c->segment == X86_SS && c->vector == NONE);
}

static void test_accessed(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);

    bench_enter(bench, MODE_PROTECTED, 0);
    bench_descriptor(bench, SEL_DATA, 0, 0xffff, 0x92);
    g_assert_true(x86_load_segment(bench->cpu, X86_DS, SEL_DATA));
    g_assert_cmphex(bench_peek(bench, BENCH_GDT + SEL_DATA + 5, 1), ==, 0x93);
    g_assert_cmphex(bench->cpu->segment[X86_DS].attributes, ==, 0x93);
    /* from the LDT, with 4 KiB granularity */
    bench_descriptor(bench, 0x0c, 0x12345678, 0x54321, 0x8092);
    g_assert_true(x86_load_segment(bench->cpu, X86_GS, 0x0c));
    g_assert_cmphex(bench->cpu->segment[X86_GS].base, ==, 0x12345678);
    g_assert_cmphex(bench->cpu->segment[X86_GS].limit, ==, 0x54321fff);
}

/* --- limits ----------------------------------------------------------------------------------- */

typedef struct Limit {
    const char *name;
    uint16_t selector;
    uint32_t offset;
    unsigned size;
    bool write;
    int vector;
} Limit;

static const Limit limits[] = {
    { "inside", SEL_DATA16, 0xfffc, 4, true, NONE },
    { "one-beyond", SEL_DATA16, 0xfffd, 4, true, EXC_GP },
    { "flat-wraps", SEL_DATA, 0xffffffff, 4, true, NONE },
    { "write-read-only", SEL_READ_ONLY, 0, 1, true, EXC_GP },
    { "read-read-only", SEL_READ_ONLY, 0, 1, false, NONE },
    { "write-code", SEL_CODE32, 0, 1, true, EXC_GP },
    { "read-code", SEL_CODE32, 0, 1, false, NONE },
    { "down-below", SEL_DOWN, 0xfff, 1, true, EXC_GP },
    { "down-above", SEL_DOWN, 0x1000, 1, true, NONE },
    { "down-top", SEL_DOWN, 0xfffffffc, 4, true, NONE },
    { "down-beyond", SEL_DOWN, 0xfffffffd, 4, true, EXC_GP },
    { "null", 0, 0, 1, false, EXC_GP },
};

static void test_limit(gconstpointer data)
{
    const Limit *c = data;
    g_autoptr(SystemBench) bench = system_bench_new(1);
    DbtCpu *cpu = &bench->cpu->base;

    bench_enter(bench, MODE_PROTECTED, 0);
    g_assert_true(x86_load_segment(bench->cpu, X86_ES, c->selector));
    bench->cpu->segment[X86_ES].base = 0x100;
    uint64_t linear = x86_helper_seg_check(cpu, X86_ES, c->offset, c->size | c->write << 8);
    if (c->vector == NONE) {
        g_assert_cmphex(linear, ==, (uint32_t)(c->offset + 0x100));
    }
    bench_expect(bench, c->vector, 0);
}

/* --- LAR, LSL, VERR, VERW, ARPL --------------------------------------------------------------- */

typedef struct Ask {
    const char *name;
    BenchMode mode;
    unsigned cpl;
    uint16_t selector;
    bool lar, lsl, verr, verw;
} Ask;

static const Ask asks[] = {
    { "data", MODE_PROTECTED, 0, SEL_DATA, true, true, true, true },
    { "hidden", MODE_PROTECTED, 3, SEL_DATA, false, false, false, false },
    { "read-only", MODE_PROTECTED, 0, SEL_READ_ONLY, true, true, true, false },
    { "execute-only", MODE_PROTECTED, 0, SEL_EXECUTE_ONLY, true, true, false, false },
    { "conforming", MODE_PROTECTED, 3, SEL_CONFORMING | 3, true, true, true, false },
    { "absent", MODE_PROTECTED, 0, SEL_ABSENT_DATA, true, true, true, true },
    { "null", MODE_PROTECTED, 0, 0, false, false, false, false },
    { "outside", MODE_PROTECTED, 0, SEL_OUTSIDE, false, false, false, false },
    { "tss", MODE_PROTECTED, 0, SEL_TSS2, true, true, false, false },
    { "call-gate", MODE_PROTECTED, 0, SEL_GATE, true, false, false, false },
    { "task-gate", MODE_PROTECTED, 0, SEL_TASK, true, false, false, false },
    { "task-gate-long", MODE_LONG, 0, SEL_TASK, false, false, false, false },
};

static bool zf(SystemBench *bench)
{
    g_assert_cmpint(bench->cpu->base.fault, ==, 0);
    return x86_get_rflags(bench->cpu) & FLAG_ZF;
}

static void test_ask(gconstpointer data)
{
    const Ask *c = data;
    g_autoptr(SystemBench) bench = system_bench_new(1);
    DbtCpu *cpu = &bench->cpu->base;

    bench_enter(bench, c->mode, c->cpl);
    bench_descriptor(bench, SEL_GATE, 0, 0, 0x8c);
    bench_descriptor(bench, SEL_TASK, 0, 0, 0x85);
    uint64_t rights = x86_helper_lar(cpu, c->selector, 0xabcd, 0);
    g_assert_cmpint(zf(bench), ==, c->lar);
    g_assert_cmpint(rights != 0xabcd, ==, c->lar);
    uint64_t limit = x86_helper_lsl(cpu, c->selector, 0xabcd, 0);
    g_assert_cmpint(zf(bench), ==, c->lsl);
    g_assert_cmpint(limit != 0xabcd, ==, c->lsl);
    x86_helper_verr(cpu, c->selector, 0, 0);
    g_assert_cmpint(zf(bench), ==, c->verr);
    x86_helper_verw(cpu, c->selector, 0, 0);
    g_assert_cmpint(zf(bench), ==, c->verw);
}

static void test_arpl(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);

    bench_enter(bench, MODE_PROTECTED, 3);
    g_assert_cmphex(x86_helper_arpl(&bench->cpu->base, 0x10, 0x1b, 0), ==, 0x13);
    g_assert_true(zf(bench));
    g_assert_cmphex(x86_helper_arpl(&bench->cpu->base, 0x13, 0x19, 0), ==, 0x13);
    g_assert_false(zf(bench));
}

/* --- far transfers ---------------------------------------------------------------------------- */

typedef struct Jump {
    const char *name;
    BenchMode mode;
    unsigned cpl;
    uint16_t selector;
    uint64_t offset;
    int vector;
    unsigned error;
    uint16_t cs; /* afterwards */
} Jump;

static const Jump jumps[] = {
    { "same-ring", MODE_PROTECTED, 0, SEL_CODE32, 0x4000, NONE, 0, SEL_CODE32 },
    { "null", MODE_PROTECTED, 0, 3, 0, EXC_GP, 0, 0 },
    { "data", MODE_PROTECTED, 0, SEL_DATA, 0, EXC_GP, SEL_DATA, 0 },
    { "outside", MODE_PROTECTED, 0, SEL_OUTSIDE, 0, EXC_GP, SEL_OUTSIDE, 0 },
    { "inner", MODE_PROTECTED, 3, SEL_CODE32, 0, EXC_GP, SEL_CODE32, 0 },
    { "outer", MODE_PROTECTED, 0, SEL_USER_CODE32, 0, EXC_GP, SEL_USER_CODE32, 0 },
    { "conforming", MODE_PROTECTED, 3, SEL_CONFORMING, 0x4000, NONE, 0, SEL_CONFORMING | 3 },
    { "rpl-too-high", MODE_PROTECTED, 0, SEL_CODE32 | 1, 0, EXC_GP, SEL_CODE32, 0 },
    { "absent", MODE_PROTECTED, 0, SEL_ABSENT_CODE, 0, EXC_NP, SEL_ABSENT_CODE, 0 },
    { "beyond-the-limit", MODE_PROTECTED, 0, SEL_CODE16, 0x10000, EXC_GP, 0, 0 },
    { "long-to-compat", MODE_LONG, 0, SEL_CODE32, 0x4000, NONE, 0, SEL_CODE32 },
    { "compat-to-long", MODE_COMPAT, 0, SEL_CODE64, 0x4000, NONE, 0, SEL_CODE64 },
    { "not-canonical", MODE_LONG, 0, SEL_CODE64, UINT64_C(1) << 47, EXC_GP, 0, 0 },
    { "busy-tss", MODE_PROTECTED, 0, SEL_TSS, 0, EXC_GP, SEL_TSS, 0 },
    { "tss-in-long-mode", MODE_LONG, 0, SEL_TSS2, 0, EXC_GP, SEL_TSS2, 0 },
    { "real", MODE_REAL, 0, 0x1234, 0x5678, NONE, 0, 0x1234 },
};

static void test_jump(gconstpointer data)
{
    const Jump *c = data;
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, c->mode, c->cpl);
    x86_helper_far_jump(&cpu->base, c->selector, c->offset, BENCH_PC + 7);
    bench_expect(bench, c->vector, c->error);
    if (c->vector == NONE) {
        g_assert_cmphex(cpu->segment[X86_CS].selector, ==, c->cs);
        g_assert_cmphex(x86_rip(cpu), ==, c->offset);
        g_assert_cmpint(cpu->cpl, ==, c->cpl);
    }
}

static void test_far_call_and_return(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_PROTECTED, 0);
    x86_helper_far_call(&cpu->base, SEL_CONFORMING | 4 << 16, 0x4000, BENCH_PC + 7);
    bench_expect(bench, NONE, 0);
    g_assert_cmphex(cpu->gpr[X86_RSP], ==, BENCH_STACK0 - 8);
    g_assert_cmphex(bench_stack(bench, 0, 4), ==, BENCH_PC + 7);
    g_assert_cmphex(bench_stack(bench, 1, 4), ==, SEL_CODE32);
    x86_helper_far_ret(&cpu->base, 4, 12, 0);
    bench_expect(bench, NONE, 0);
    g_assert_cmphex(cpu->base.pc, ==, BENCH_PC + 7);
    g_assert_cmphex(cpu->gpr[X86_RSP], ==, BENCH_STACK0 + 12);
}

static void test_return_to_ring_3(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;
    const uint32_t frame[] = { 0x4000, SEL_USER_CODE32 | 3, BENCH_STACK3, SEL_USER_DATA | 3 };

    bench_enter(bench, MODE_PROTECTED, 0);
    cpu->gpr[X86_RSP] -= sizeof(frame);
    gm_write(bench->memory, cpu->gpr[X86_RSP], frame, sizeof(frame));
    g_assert_true(x86_load_segment(cpu, X86_FS, SEL_USER_DATA));
    x86_helper_far_ret(&cpu->base, 4, 0, 0);
    bench_expect(bench, NONE, 0);
    g_assert_cmpint(cpu->cpl, ==, 3);
    g_assert_cmphex(cpu->gpr[X86_RSP], ==, BENCH_STACK3);
    g_assert_cmphex(cpu->segment[X86_SS].selector, ==, SEL_USER_DATA | 3);
    g_assert_cmphex(cpu->segment[X86_DS].selector, ==, 0); /* ring 0's was dropped */
    g_assert_cmphex(cpu->segment[X86_FS].selector, ==, SEL_USER_DATA);
    /* and back it can't go */
    cpu->gpr[X86_RSP] -= 8;
    bench_poke(bench, cpu->gpr[X86_RSP], SEL_CODE32, 8);
    bench_poke(bench, cpu->gpr[X86_RSP] + 4, SEL_CODE32, 4);
    x86_helper_far_ret(&cpu->base, 4, 0, 0);
    bench_expect(bench, EXC_GP, SEL_CODE32);
}

/* --- call gates ------------------------------------------------------------------------------- */

static void put_call_gate(SystemBench *bench, uint16_t code, unsigned access, unsigned parameters)
{
    uint64_t gate =
        0x4000 | (uint64_t)code << 16 | (uint64_t)parameters << 32 | (uint64_t)access << 40;

    bench_poke(bench, BENCH_GDT + SEL_GATE, gate, 8);
    bench_poke(bench, BENCH_GDT + SEL_GATE + 8, 0, 8);
}

static void test_gate_to_ring_0(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_PROTECTED, 3);
    put_call_gate(bench, SEL_CODE32, 0xec, 2);
    bench_poke(bench, BENCH_STACK3, 0x11111111, 4);
    bench_poke(bench, BENCH_STACK3 + 4, 0x22222222, 4);
    x86_helper_far_call(&cpu->base, SEL_GATE | 3 | 4 << 16, 0xbad, BENCH_PC + 7);
    bench_expect(bench, NONE, 0);
    g_assert_cmpint(cpu->cpl, ==, 0);
    g_assert_cmphex(cpu->base.pc, ==, 0x4000);
    g_assert_cmphex(cpu->segment[X86_CS].selector, ==, SEL_CODE32);
    g_assert_cmphex(cpu->segment[X86_SS].selector, ==, SEL_DATA);
    const uint64_t want[] = { BENCH_PC + 7, SEL_USER_CODE32 | 3, 0x11111111,
                              0x22222222,   BENCH_STACK3,        SEL_USER_DATA | 3 };
    for (unsigned i = 0; i < G_N_ELEMENTS(want); i++) {
        g_assert_cmphex(bench_stack(bench, i, 4), ==, want[i]);
    }
    x86_helper_far_ret(&cpu->base, 4, 8, 0);
    bench_expect(bench, NONE, 0);
    g_assert_cmpint(cpu->cpl, ==, 3);
    g_assert_cmphex(cpu->gpr[X86_RSP], ==, BENCH_STACK3 + 8);
}

static void test_gate_long(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_LONG, 3);
    put_call_gate(bench, SEL_CODE64, 0xec, 0);
    x86_helper_far_call(&cpu->base, SEL_GATE | 3 | 8 << 16, 0xbad, BENCH_PC + 7);
    bench_expect(bench, NONE, 0);
    g_assert_cmphex(cpu->gpr[X86_RSP], ==, BENCH_STACK0 - 32);
    g_assert_cmphex(cpu->segment[X86_SS].selector, ==, 0);
    g_assert_cmphex(bench_stack(bench, 3, 8), ==, SEL_USER_DATA | 3);
    /* the code behind a gate must be 64-bit */
    bench_enter(bench, MODE_LONG, 3);
    put_call_gate(bench, SEL_CODE32, 0xec, 0);
    x86_helper_far_call(&cpu->base, SEL_GATE | 3 | 8 << 16, 0, BENCH_PC + 7);
    bench_expect(bench, EXC_GP, SEL_CODE32);
}

static const struct {
    const char *name;
    unsigned access, cpl;
    uint16_t code;
    int vector;
    unsigned error;
} gates[] = {
    { "dpl", 0x8c, 3, SEL_CODE32, EXC_GP, SEL_GATE },
    { "absent", 0x6c, 3, SEL_CODE32, EXC_NP, SEL_GATE },
    { "null-code", 0xec, 3, 0, EXC_GP, 0 },
    { "data", 0xec, 3, SEL_DATA, EXC_GP, SEL_DATA },
    { "absent-code", 0xec, 0, SEL_ABSENT_CODE, EXC_NP, SEL_ABSENT_CODE },
    { "outer-code", 0xec, 0, SEL_USER_CODE32, EXC_GP, SEL_USER_CODE32 },
    { "same-ring", 0xec, 0, SEL_CODE32, NONE, 0 },
};

static void test_gate_errors(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(gates); i++) {
        g_autoptr(SystemBench) bench = system_bench_new(1);
        bench_enter(bench, MODE_PROTECTED, gates[i].cpl);
        put_call_gate(bench, gates[i].code, gates[i].access, 0);
        x86_helper_far_call(&bench->cpu->base, SEL_GATE | gates[i].cpl | 4 << 16, 0, BENCH_PC + 7);
        g_test_message("%s", gates[i].name);
        bench_expect(bench, gates[i].vector, gates[i].error);
    }
}

static void test_gate_jump_keeps_the_ring(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);

    bench_enter(bench, MODE_PROTECTED, 3);
    put_call_gate(bench, SEL_CODE32, 0xec, 0);
    x86_helper_far_jump(&bench->cpu->base, SEL_GATE | 3, 0, BENCH_PC + 7);
    bench_expect(bench, EXC_GP, SEL_CODE32);
    put_call_gate(bench, SEL_CONFORMING, 0xec, 0);
    x86_helper_far_jump(&bench->cpu->base, SEL_GATE | 3, 0, BENCH_PC + 7);
    bench_expect(bench, NONE, 0);
    g_assert_cmpint(bench->cpu->cpl, ==, 3);
}

/* --- SYSCALL, SYSENTER ------------------------------------------------------------------------ */

static void test_syscall(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_LONG, 3);
    cpu->msr.star = UINT64_C(0x0023001000000000);
    cpu->msr.lstar = UINT64_C(0xffffffff81000000);
    cpu->msr.fmask = FLAG_IF | FLAG_TF;
    x86_set_rflags(cpu, FLAG_IF | FLAG_CF, FLAG_IF | FLAG_CF);
    x86_helper_syscall(&cpu->base, BENCH_PC + 2, 0, 0);
    bench_expect(bench, NONE, 0);
    g_assert_cmphex(cpu->base.pc, ==, cpu->msr.lstar);
    g_assert_cmphex(cpu->gpr[X86_RCX], ==, BENCH_PC + 2);
    g_assert_cmphex(cpu->gpr[11], ==, FLAG_FIXED | FLAG_IF | FLAG_CF);
    g_assert_cmphex(cpu->eflags & FLAG_IF, ==, 0);
    g_assert_cmpint(cpu->cpl, ==, 0);
    g_assert_cmphex(cpu->segment[X86_CS].selector, ==, 0x10);
    g_assert_cmphex(cpu->segment[X86_SS].selector, ==, 0x18);
    x86_helper_sysret(&cpu->base, 8, 0, 0);
    bench_expect(bench, NONE, 0);
    g_assert_cmpint(cpu->cpl, ==, 3);
    g_assert_cmphex(cpu->base.pc, ==, BENCH_PC + 2);
    g_assert_cmphex(cpu->segment[X86_CS].selector, ==, 0x33);
    g_assert_cmphex(cpu->segment[X86_SS].selector, ==, 0x2b);
    g_assert_true(x86_code64(cpu));
    g_assert_true(cpu->eflags & FLAG_IF);
    cpu->msr.efer &= ~(uint64_t)EFER_SCE;
    x86_helper_syscall(&cpu->base, BENCH_PC + 2, 0, 0);
    bench_expect(bench, EXC_UD, -1);
}

static void test_sysenter(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_PROTECTED, 3);
    x86_helper_sysenter(&cpu->base, 0, 0, 0);
    bench_expect(bench, EXC_GP, 0);
    cpu->msr.sysenter_cs = 0x08;
    cpu->msr.sysenter_esp = 0x7000;
    cpu->msr.sysenter_eip = 0x6000;
    x86_helper_sysenter(&cpu->base, 0, 0, 0);
    bench_expect(bench, NONE, 0);
    g_assert_cmphex(cpu->base.pc, ==, 0x6000);
    g_assert_cmphex(cpu->gpr[X86_RSP], ==, 0x7000);
    g_assert_cmpint(cpu->cpl, ==, 0);
    cpu->gpr[X86_RCX] = 0x9000;
    cpu->gpr[X86_RDX] = 0x5000;
    x86_helper_sysexit(&cpu->base, 4, 0, 0);
    bench_expect(bench, NONE, 0);
    g_assert_cmphex(cpu->segment[X86_CS].selector, ==, 0x1b);
    g_assert_cmphex(cpu->segment[X86_SS].selector, ==, 0x23);
    g_assert_cmphex(cpu->base.pc, ==, 0x5000);
    bench_enter(bench, MODE_LONG, 3); /* AMD: not in long mode */
    x86_helper_sysenter(&cpu->base, 0, 0, 0);
    bench_expect(bench, EXC_UD, -1);
}

static void test_tr_and_ldtr(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_PROTECTED, 0);
    x86_helper_ltr(&cpu->base, SEL_TSS, 0, 0);
    bench_expect(bench, EXC_GP, SEL_TSS); /* busy */
    x86_helper_ltr(&cpu->base, SEL_TSS2, 0, 0);
    bench_expect(bench, NONE, 0);
    g_assert_cmphex(cpu->tr.base, ==, BENCH_TSS2);
    g_assert_cmphex(bench_peek(bench, BENCH_GDT + SEL_TSS2 + 5, 1), ==, 0x8b);
    x86_helper_lldt(&cpu->base, SEL_DATA, 0, 0);
    bench_expect(bench, EXC_GP, SEL_DATA);
    x86_helper_lldt(&cpu->base, 0, 0, 0);
    bench_expect(bench, NONE, 0);
    g_assert_false(x86_load_segment(cpu, X86_DS, 0x0c));
    bench_expect(bench, EXC_GP, 0x0c);
    bench_enter(bench, MODE_LONG, 0);
    bench_poke(bench, BENCH_GDT + SEL_LDT + 8, 0xffff8000, 8);
    x86_helper_lldt(&cpu->base, SEL_LDT, 0, 0);
    bench_expect(bench, NONE, 0);
    g_assert_cmphex(cpu->ldtr.base, ==, UINT64_C(0xffff800000000000) | BENCH_LDT);
}

#define ADD_TABLE(table, prefix, fn)                                                               \
    for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {                                             \
        g_autofree char *path = g_strdup_printf("/x86/segment/" prefix "/%s", table[i].name);      \
        g_test_add_data_func(path, &table[i], fn);                                                 \
    }

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD_TABLE(loads, "load", test_load);
    ADD_TABLE(limits, "limit", test_limit);
    ADD_TABLE(asks, "ask", test_ask);
    ADD_TABLE(jumps, "jump", test_jump);
    g_test_add_func("/x86/segment/accessed-and-ldt", test_accessed);
    g_test_add_func("/x86/segment/arpl", test_arpl);
    g_test_add_func("/x86/segment/far-call-and-return", test_far_call_and_return);
    g_test_add_func("/x86/segment/return-to-ring-3", test_return_to_ring_3);
    g_test_add_func("/x86/segment/gate-to-ring-0", test_gate_to_ring_0);
    g_test_add_func("/x86/segment/gate-long", test_gate_long);
    g_test_add_func("/x86/segment/gate-errors", test_gate_errors);
    g_test_add_func("/x86/segment/gate-jump-keeps-the-ring", test_gate_jump_keeps_the_ring);
    g_test_add_func("/x86/segment/syscall", test_syscall);
    g_test_add_func("/x86/segment/sysenter", test_sysenter);
    g_test_add_func("/x86/segment/tr-and-ldtr", test_tr_and_ldtr);
    return g_test_run();
}
