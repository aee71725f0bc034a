/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Delivery of exceptions in each mode, IDT errors, double and triple faults, INT n, IRET in every
 * direction, task switches, NMI, shadows, single steps and breakpoints.
 */
#include "engine/dbt/guest/x86/rules.h"
#include "engine/dbt/guest/x86/system_bench.h"

enum { NONE = -1, SHUTDOWN = -2, INT_GATE = 0x8e, TRAP_GATE = 0x8f, USER_GATE = 0xee };

static void raise_and_deliver(SystemBench *bench, unsigned vector, uint32_t error)
{
    x86_raise_error(bench->cpu, vector, error);
    x86_deliver(&bench->cpu->base);
}

/* Which handler pc is at, by bench_gate()'s rule; SHUTDOWN, or NONE. */
static int handler(SystemBench *bench)
{
    uint64_t pc = bench->cpu->base.pc;

    if (bench->cpu->base.shutdown) {
        return SHUTDOWN;
    }
    return pc < BENCH_HANDLER ? NONE : (int)(pc - BENCH_HANDLER) / 16;
}

/* --- delivery --------------------------------------------------------------------------------- */

static void test_real_mode(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_REAL, 0);
    bench_poke(bench, EXC_UD * 4, 0x12345678, 4);
    x86_set_rflags(cpu, FLAG_IF | FLAG_ZF, FLAG_IF | FLAG_ZF);
    raise_and_deliver(bench, EXC_UD, 0);
    g_assert_cmphex(cpu->segment[X86_CS].selector, ==, 0x1234);
    g_assert_cmphex(x86_rip(cpu), ==, 0x5678);
    g_assert_cmphex(cpu->gpr[X86_RSP], ==, BENCH_STACK0 - 6);
    g_assert_cmphex(bench_stack(bench, 0, 2), ==, 0);
    g_assert_cmphex(bench_stack(bench, 1, 2), ==, BENCH_PC >> 4);
    g_assert_cmphex(bench_stack(bench, 2, 2), ==, FLAG_FIXED | FLAG_IF | FLAG_ZF);
    g_assert_false(cpu->eflags & FLAG_IF);
    x86_helper_iret(&cpu->base, 2, 0, 0);
    bench_expect(bench, NONE, 0);
    g_assert_cmphex(cpu->base.pc, ==, BENCH_PC);
    g_assert_true(cpu->eflags & FLAG_IF);
}

static void test_protected_same_ring(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_PROTECTED, 0);
    bench_gate(bench, EXC_GP, SEL_CODE32, TRAP_GATE, 0);
    x86_set_rflags(cpu, FLAG_IF | FLAG_TF | FLAG_NT, FLAG_IF | FLAG_TF | FLAG_NT);
    raise_and_deliver(bench, EXC_GP, 0x1234);
    g_assert_cmpint(handler(bench), ==, EXC_GP);
    g_assert_cmphex(cpu->gpr[X86_RSP], ==, BENCH_STACK0 - 16);
    g_assert_cmphex(bench_stack(bench, 0, 4), ==, 0x1234);
    g_assert_cmphex(bench_stack(bench, 1, 4), ==, BENCH_PC);
    g_assert_cmphex(bench_stack(bench, 2, 4), ==, SEL_CODE32);
    g_assert_cmphex(bench_stack(bench, 3, 4), ==,
                    FLAG_FIXED | FLAG_IF | FLAG_TF | FLAG_NT | FLAG_RF);       /* a fault: RF */
    g_assert_cmphex(cpu->eflags & (FLAG_IF | FLAG_TF | FLAG_NT), ==, FLAG_IF); /* a trap gate */
}

static void test_protected_from_ring_3(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_PROTECTED, 3);
    bench_gate(bench, EXC_DE, SEL_CODE32, INT_GATE, 0);
    x86_set_rflags(cpu, FLAG_IF, FLAG_IF);
    raise_and_deliver(bench, EXC_DE, 0);
    g_assert_cmpint(handler(bench), ==, EXC_DE);
    g_assert_cmpint(cpu->cpl, ==, 0);
    g_assert_cmphex(cpu->segment[X86_SS].selector, ==, SEL_DATA);
    g_assert_cmphex(cpu->gpr[X86_RSP], ==, BENCH_STACK0 - 20);
    g_assert_cmphex(bench_stack(bench, 3, 4), ==, BENCH_STACK3);
    g_assert_cmphex(bench_stack(bench, 4, 4), ==, SEL_USER_DATA | 3);
    g_assert_false(cpu->eflags & FLAG_IF);
    x86_helper_iret(&cpu->base, 4, 0, 0);
    bench_expect(bench, NONE, 0);
    g_assert_cmpint(cpu->cpl, ==, 3);
    g_assert_cmphex(cpu->base.pc, ==, BENCH_PC);
    g_assert_cmphex(cpu->gpr[X86_RSP], ==, BENCH_STACK3);
    g_assert_true(cpu->eflags & FLAG_IF);
}

static void test_long(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_LONG, 0);
    bench_gate(bench, EXC_PF, SEL_CODE64, INT_GATE, 0);
    bench_gate(bench, EXC_UD, SEL_CODE64, INT_GATE, 1);
    cpu->gpr[X86_RSP] -= 4; /* frames are aligned */
    x86_raise_page_fault(cpu, 0x1234, 6);
    x86_deliver(&cpu->base);
    g_assert_cmpint(handler(bench), ==, EXC_PF);
    g_assert_cmphex(cpu->cr2, ==, 0x1234);
    g_assert_cmphex(cpu->gpr[X86_RSP], ==, BENCH_STACK0 - 16 - 48);
    g_assert_cmphex(bench_stack(bench, 0, 8), ==, 6);
    g_assert_cmphex(bench_stack(bench, 4, 8), ==, BENCH_STACK0 - 4);
    g_assert_cmphex(bench_stack(bench, 5, 8), ==, SEL_DATA);
    raise_and_deliver(bench, EXC_UD, 0); /* on IST 1 */
    g_assert_cmpint(handler(bench), ==, EXC_UD);
    g_assert_cmphex(cpu->gpr[X86_RSP], ==, BENCH_IST1 - 40);
    g_assert_cmphex(cpu->segment[X86_SS].selector, ==, SEL_DATA);
    x86_helper_iret(&cpu->base, 8, 0, 0);
    cpu->gpr[X86_RSP] += 8; /* the error code */
    x86_helper_iret(&cpu->base, 8, 0, 0);
    bench_expect(bench, NONE, 0);
    g_assert_cmphex(cpu->gpr[X86_RSP], ==, BENCH_STACK0 - 4);
    g_assert_cmphex(cpu->base.pc, ==, BENCH_PC);
}

static void test_long_from_ring_3(void)
{
    static const BenchMode modes[] = { MODE_LONG, MODE_COMPAT };

    for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
        g_autoptr(SystemBench) bench = system_bench_new(1);
        X86Cpu *cpu = bench->cpu;
        bench_enter(bench, modes[i], 3);
        bench_gate(bench, EXC_UD, SEL_CODE64, INT_GATE, 0);
        raise_and_deliver(bench, EXC_UD, 0);
        g_assert_cmpint(handler(bench), ==, EXC_UD);
        g_assert_cmphex(cpu->segment[X86_SS].selector, ==, 0); /* null */
        g_assert_cmphex(cpu->gpr[X86_RSP], ==, BENCH_STACK0 - 40);
        x86_helper_iret(&cpu->base, 8, 0, 0);
        bench_expect(bench, NONE, 0);
        g_assert_cmpint(cpu->cpl, ==, 3);
        g_assert_cmpint(x86_code64(cpu), ==, modes[i] == MODE_LONG);
        g_assert_cmphex(cpu->base.pc, ==, BENCH_PC);
    }
}

static void test_v8086(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_V8086, 3);
    bench_gate(bench, EXC_GP, SEL_CODE32, INT_GATE, 0);
    x86_load_segment(cpu, X86_ES, 0x1111);
    x86_load_segment(cpu, X86_GS, 0x4444);
    raise_and_deliver(bench, EXC_GP, 0);
    g_assert_cmpint(handler(bench), ==, EXC_GP);
    g_assert_false(x86_v8086(cpu));
    g_assert_cmphex(cpu->segment[X86_GS].selector, ==, 0);
    g_assert_cmphex(cpu->gpr[X86_RSP], ==, BENCH_STACK0 - 40);
    g_assert_cmphex(bench_stack(bench, 3, 4) & FLAG_VM, ==, FLAG_VM);
    g_assert_cmphex(bench_stack(bench, 6, 4), ==, 0x1111);
    g_assert_cmphex(bench_stack(bench, 9, 4), ==, 0x4444);
    cpu->gpr[X86_RSP] += 4;
    x86_helper_iret(&cpu->base, 4, 0, 0);
    bench_expect(bench, NONE, 0);
    g_assert_true(x86_v8086(cpu));
    g_assert_cmpint(cpu->cpl, ==, 3);
    g_assert_cmphex(cpu->segment[X86_GS].selector, ==, 0x4444);
    g_assert_cmphex(cpu->segment[X86_GS].base, ==, 0x44440);
    g_assert_cmphex(cpu->base.pc, ==, BENCH_PC);
}

/* --- the IDT's errors ------------------------------------------------------------------------- */

typedef struct IdtCase {
    const char *name;
    BenchMode mode;
    unsigned cpl;
    uint16_t selector;
    unsigned type; /* of vector 6's gate */
    bool soft;     /* INT 6 instead of #UD */
    int vector;    /* what is delivered or raised in the end */
    unsigned error;
} IdtCase;

#define EXT 1
#define IDT (EXC_UD * 8 + 2)

static const IdtCase idt_cases[] = {
    { "good", MODE_PROTECTED, 0, SEL_CODE32, INT_GATE, false, EXC_UD, 0 },
    { "absent", MODE_PROTECTED, 0, SEL_CODE32, 0x0e, false, EXC_NP, IDT | EXT },
    { "absent-int-n", MODE_PROTECTED, 0, SEL_CODE32, 0x0e, true, EXC_NP, IDT },
    { "not-a-gate", MODE_PROTECTED, 0, SEL_CODE32, 0x89, false, EXC_GP, IDT | EXT },
    { "call-gate", MODE_PROTECTED, 0, SEL_CODE32, 0x8c, false, EXC_GP, IDT | EXT },
    { "16-bit-in-long-mode", MODE_LONG, 0, SEL_CODE64, 0x86, false, EXC_GP, IDT | EXT },
    { "int-n-dpl", MODE_PROTECTED, 3, SEL_CODE32, INT_GATE, true, EXC_GP, IDT },
    { "int-n-dpl-3", MODE_PROTECTED, 3, SEL_CODE32, USER_GATE, true, EXC_UD, 0 },
    { "exception-ignores-dpl", MODE_PROTECTED, 3, SEL_CODE32, INT_GATE, false, EXC_UD, 0 },
    { "null-code", MODE_PROTECTED, 0, 0, INT_GATE, false, EXC_GP, EXT },
    { "data", MODE_PROTECTED, 0, SEL_DATA, INT_GATE, false, EXC_GP, SEL_DATA | EXT },
    { "outer-code", MODE_PROTECTED, 0, SEL_USER_CODE32, INT_GATE, false, EXC_GP,
      SEL_USER_CODE32 | EXT },
    { "absent-code", MODE_PROTECTED, 0, SEL_ABSENT_CODE, INT_GATE, false, EXC_NP,
      SEL_ABSENT_CODE | EXT },
    { "outside", MODE_PROTECTED, 0, SEL_OUTSIDE, INT_GATE, false, EXC_GP, SEL_OUTSIDE | EXT },
    { "32-bit-code-in-long-mode", MODE_LONG, 0, SEL_CODE32, INT_GATE, false, EXC_GP,
      SEL_CODE32 | EXT },
    { "conforming-keeps-ring-3", MODE_LONG, 3, SEL_CONFORMING64, INT_GATE, false, EXC_UD, 0 },
};

static void test_idt(gconstpointer data)
{
    const IdtCase *c = data;
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;
    const X86Exception event = { .vector = EXC_UD, .soft = c->soft };

    bench_enter(bench, c->mode, c->cpl);
    bench_gate(bench, EXC_UD, c->selector, c->type, 0);
    if (x86_deliver_event(cpu, &event, BENCH_PC)) {
        g_assert_cmpint(handler(bench), ==, c->vector);
        return;
    }
    g_assert_cmphex(cpu->base.pc, ==, BENCH_PC);
    g_assert_cmpint(cpu->cpl, ==, c->cpl);
    bench_expect(bench, c->vector, c->error);
}

static void test_idt_limit(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    const X86Exception event = { .vector = 0x80, .external = true };

    bench_enter(bench, MODE_PROTECTED, 0);
    bench->cpu->idtr.limit = 0x80 * 8 + 6;
    g_assert_false(x86_deliver_event(bench->cpu, &event, BENCH_PC));
    bench_expect(bench, EXC_GP, 0x80 * 8 + 2 + EXT);
}

/* --- stacks of inner rings -------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint16_t ss, tss_limit;
    uint32_t esp;
    int vector;
    unsigned error;
} stacks[] = {
    { "null", 0, 0x67, BENCH_STACK0, EXC_TS, EXT },
    { "wrong-rpl", SEL_DATA | 1, 0x67, BENCH_STACK0, EXC_TS, SEL_DATA | EXT },
    { "read-only", SEL_READ_ONLY, 0x67, BENCH_STACK0, EXC_TS, SEL_READ_ONLY | EXT },
    { "absent", SEL_ABSENT_DATA, 0x67, BENCH_STACK0, EXC_SS, SEL_ABSENT_DATA | EXT },
    { "outside", SEL_OUTSIDE, 0x67, BENCH_STACK0, EXC_TS, SEL_OUTSIDE | EXT },
    { "no-room", SEL_DATA16, 0x67, 0x20000, NONE, 0 },
    { "down-no-room", SEL_DOWN, 0x67, 0x1004, EXC_SS, SEL_DOWN | EXT },
    { "short-tss", SEL_DATA, 8, BENCH_STACK0, EXC_TS, SEL_TSS | EXT },
};

static void test_inner_stacks(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(stacks); i++) {
        g_autoptr(SystemBench) bench = system_bench_new(1);
        const X86Exception event = { .vector = EXC_UD };
        g_test_message("%s", stacks[i].name);
        bench_enter(bench, MODE_PROTECTED, 3);
        bench_gate(bench, EXC_UD, SEL_CODE32, INT_GATE, 0);
        bench->cpu->tr.limit = stacks[i].tss_limit;
        bench_poke(bench, BENCH_TSS + 4, stacks[i].esp, 4);
        bench_poke(bench, BENCH_TSS + 8, stacks[i].ss, 2);
        x86_deliver_event(bench->cpu, &event, BENCH_PC);
        bench_expect(bench, stacks[i].vector, stacks[i].error);
    }
}

/* --- double and triple faults ----------------------------------------------------------------- */

/* @first is raised; its gate is @gate (0: good, 'p': absent, so that #NP follows; 'f': its IDT page
 * isn't mapped, so that #PF follows); the same for #NP's, #PF's and #DF's own gates. */
typedef struct Double {
    const char *name;
    unsigned first;
    char first_gate, np_gate, pf_gate, df_gate;
    int ends; /* handler reached, or SHUTDOWN */
    unsigned error;
} Double;

static const Double doubles[] = {
    { "good", EXC_GP, 0, 0, 0, 0, EXC_GP, 0x55 },
    { "contributory-twice", EXC_GP, 'p', 0, 0, 0, EXC_DF, 0 },
    { "benign-then-contributory", EXC_UD, 'p', 0, 0, 0, EXC_NP, EXC_UD * 8 + 3 },
    { "benign-then-contributory-twice", EXC_UD, 'p', 'p', 0, 0, EXC_DF, 0 },
    { "page-fault-then-contributory", EXC_PF, 'p', 0, 0, 0, EXC_DF, 0 },
    { "double-then-contributory", EXC_GP, 'p', 0, 0, 'p', SHUTDOWN, 0 },
    { "machine-check-is-benign", EXC_MC, 'p', 0, 0, 0, EXC_NP, EXC_MC * 8 + 3 },
    { "divide-is-contributory", EXC_DE, 'p', 0, 0, 0, EXC_DF, 0 },
};

static void test_double(gconstpointer data)
{
    const Double *c = data;
    g_autoptr(SystemBench) bench = system_bench_new(1);

    bench_enter(bench, MODE_PROTECTED, 0);
    bench_gate(bench, EXC_NP, SEL_CODE32, c->np_gate ? 0x0e : INT_GATE, 0);
    bench_gate(bench, EXC_PF, SEL_CODE32, c->pf_gate ? 0x0e : INT_GATE, 0);
    bench_gate(bench, EXC_DF, SEL_CODE32, c->df_gate ? 0x0e : INT_GATE, 0);
    bench_gate(bench, c->first, SEL_CODE32, c->first_gate ? 0x0e : INT_GATE, 0);
    raise_and_deliver(bench, c->first, 0x55);
    g_assert_cmpint(handler(bench), ==, c->ends);
    if (c->ends != SHUTDOWN) {
        g_assert_cmphex(bench_stack(bench, 0, 4), ==, c->error);
    }
}

/* In long mode: a stack that isn't mapped. */
static void test_page_faults_on_the_stack(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_LONG, 0);
    bench_gate(bench, EXC_UD, SEL_CODE64, INT_GATE, 0);
    bench_gate(bench, EXC_GP, SEL_CODE64, INT_GATE, 0);
    bench_gate(bench, EXC_PF, SEL_CODE64, INT_GATE, 1);
    bench_gate(bench, EXC_DF, SEL_CODE64, INT_GATE, 1);
    cpu->gpr[X86_RSP] = UINT64_C(0x7f0000001000);
    raise_and_deliver(bench, EXC_UD, 0); /* benign, then #PF: just that */
    g_assert_cmpint(handler(bench), ==, EXC_PF);
    g_assert_cmphex(cpu->cr2, ==, UINT64_C(0x7f0000000fd8));
    cpu->gpr[X86_RSP] = UINT64_C(0x7f0000001000);
    raise_and_deliver(bench, EXC_GP, 0); /* contributory, then #PF: serially too */
    g_assert_cmpint(handler(bench), ==, EXC_PF);
    bench_gate(bench, EXC_PF, SEL_CODE64, INT_GATE, 0);
    cpu->gpr[X86_RSP] = UINT64_C(0x7f0000001000);
    raise_and_deliver(bench, EXC_PF, 0); /* #PF twice */
    g_assert_cmpint(handler(bench), ==, EXC_DF);
    bench_gate(bench, EXC_DF, SEL_CODE64, INT_GATE, 0);
    cpu->gpr[X86_RSP] = UINT64_C(0x7f0000001000);
    raise_and_deliver(bench, EXC_PF, 0);
    g_assert_cmpint(handler(bench), ==, SHUTDOWN);
}

static void test_interrupts_make_no_double_fault(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    const X86Exception event = { .vector = EXC_GP, .external = true };

    bench_enter(bench, MODE_PROTECTED, 0);
    bench_gate(bench, EXC_GP, SEL_CODE32, 0x0e, 0); /* interrupt 13, by an absent gate */
    bench_gate(bench, EXC_NP, SEL_CODE32, INT_GATE, 0);
    bench_gate(bench, EXC_DF, SEL_CODE32, INT_GATE, 0);
    bench->cpu->exception = event;
    x86_deliver(&bench->cpu->base);
    g_assert_cmpint(handler(bench), ==, EXC_NP);
}

/* --- IRET ------------------------------------------------------------------------------------- */

typedef struct Iret {
    const char *name;
    BenchMode mode;
    unsigned size;
    uint64_t rip, cs, flags, rsp, ss;
    int vector;
    unsigned error;
    BenchMode to; /* where it ends */
    unsigned cpl;
} Iret;

static const Iret irets[] = {
    { "ring-0", MODE_PROTECTED, 4, 0x4000, SEL_CODE32, 2, 0, 0, NONE, 0, MODE_PROTECTED, 0 },
    { "ring-3", MODE_PROTECTED, 4, 0x4000, SEL_USER_CODE32 | 3, 2, 0x9000, SEL_USER_DATA | 3, NONE,
      0, MODE_PROTECTED, 3 },
    { "null-code", MODE_PROTECTED, 4, 0, 0, 2, 0, 0, EXC_GP, 0, 0, 0 },
    { "data", MODE_PROTECTED, 4, 0, SEL_DATA, 2, 0, 0, EXC_GP, SEL_DATA, 0, 0 },
    { "absent-code", MODE_PROTECTED, 4, 0, SEL_ABSENT_CODE, 2, 0, 0, EXC_NP, SEL_ABSENT_CODE, 0,
      0 },
    { "dpl-is-not-rpl", MODE_PROTECTED, 4, 0, SEL_CODE32 | 3, 2, 0, 0, EXC_GP, SEL_CODE32, 0, 0 },
    { "null-stack", MODE_PROTECTED, 4, 0, SEL_USER_CODE32 | 3, 2, 0, 0, EXC_GP, 0, 0, 0 },
    { "stack-of-ring-0", MODE_PROTECTED, 4, 0, SEL_USER_CODE32 | 3, 2, 0, SEL_DATA, EXC_GP,
      SEL_DATA, 0, 0 },
    { "beyond-the-limit", MODE_PROTECTED, 4, 0x10000, SEL_CODE16, 2, 0, 0, EXC_GP, 0, 0, 0 },
    { "long-to-long", MODE_LONG, 8, 0x4000, SEL_CODE64, 2, 0x9000, 0, NONE, 0, MODE_LONG, 0 },
    { "long-to-ring-3", MODE_LONG, 8, 0x4000, SEL_USER_CODE64 | 3, 2, 0x9000, SEL_USER_DATA | 3,
      NONE, 0, MODE_LONG, 3 },
    { "long-to-compat-ring-3", MODE_LONG, 8, 0x4000, SEL_USER_CODE32 | 3, 2, 0x9000,
      SEL_USER_DATA | 3, NONE, 0, MODE_COMPAT, 3 },
    { "long-to-compat-ring-0", MODE_LONG, 8, 0x4000, SEL_CODE32, 2, 0x9000, SEL_DATA, NONE, 0,
      MODE_COMPAT, 0 },
    { "long-null-stack-for-ring-3", MODE_LONG, 8, 0x4000, SEL_USER_CODE64 | 3, 2, 0x9000, 3, EXC_GP,
      0, 0, 0 },
    { "long-null-stack-for-compat", MODE_LONG, 8, 0x4000, SEL_CODE32, 2, 0x9000, 0, EXC_GP, 0, 0,
      0 },
    { "long-not-canonical", MODE_LONG, 8, UINT64_C(1) << 47, SEL_CODE64, 2, 0x9000, 0, EXC_GP, 0, 0,
      0 },
    { "long-nested-task", MODE_LONG, 8, 0x4000, SEL_CODE64, 2, 0x9000, 0, NONE, 0, MODE_LONG, 0 },
    { "compat-to-long", MODE_COMPAT, 4, 0x4000, SEL_CODE64, 2, 0, 0, NONE, 0, MODE_LONG, 0 },
    { "compat-to-ring-3", MODE_COMPAT, 4, 0x4000, SEL_USER_CODE64 | 3, 2, 0x9000, SEL_USER_DATA | 3,
      NONE, 0, MODE_LONG, 3 },
    { "vm-flag-in-long-mode-is-ignored", MODE_LONG, 8, 0x4000, SEL_CODE64, 2 | FLAG_VM, 0x9000, 0,
      NONE, 0, MODE_LONG, 0 },
};

static void test_iret(gconstpointer data)
{
    const Iret *c = data;
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;
    const uint64_t frame[] = { c->rip, c->cs, c->flags, c->rsp, c->ss };

    bench_enter(bench, c->mode, 0);
    cpu->gpr[X86_RSP] -= G_N_ELEMENTS(frame) * c->size;
    for (unsigned i = 0; i < G_N_ELEMENTS(frame); i++) {
        bench_poke(bench, cpu->gpr[X86_RSP] + i * c->size, frame[i], c->size);
    }
    x86_helper_iret(&cpu->base, c->size, BENCH_PC + 1, 0);
    if (c->vector == NONE) {
        g_assert_cmphex(x86_rip(cpu), ==, c->rip);
        g_assert_cmpint(cpu->cpl, ==, c->cpl);
        g_assert_cmpint(x86_code64(cpu), ==, c->to == MODE_LONG);
        bool switched = c->cpl != 0 || c->mode == MODE_LONG;
        g_assert_cmphex(cpu->gpr[X86_RSP], ==, switched ? c->rsp : BENCH_STACK0 - 2 * c->size);
    }
    bench_expect(bench, c->vector, c->error);
}

static void test_iret_flags(void)
{
    static const struct {
        unsigned cpl, iopl, size;
        uint64_t changes;
    } rows[] = {
        { 0, 0, 4,
          FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_AC | FLAG_ID | FLAG_RF |
              FLAG_VIF | FLAG_VIP },
        { 0, 0, 2, FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL },
        { 3, 0, 4, FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_AC | FLAG_ID | FLAG_RF },
        { 3, 3, 4, FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_AC | FLAG_ID | FLAG_RF },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(SystemBench) bench = system_bench_new(1);
        X86Cpu *cpu = bench->cpu;
        bench_enter(bench, MODE_PROTECTED, rows[i].cpl);
        x86_set_rflags(cpu, rows[i].iopl << 12, UINT64_MAX & ~(uint64_t)FLAG_VM);
        cpu->gpr[X86_RSP] -= 3 * rows[i].size;
        uint64_t rsp = cpu->gpr[X86_RSP], all = 0x3d7fd7 & ~(uint64_t)FLAG_NT;
        bench_poke(bench, rsp, 0x4000, rows[i].size);
        bench_poke(bench, rsp + rows[i].size, cpu->segment[X86_CS].selector, rows[i].size);
        bench_poke(bench, rsp + 2 * rows[i].size, all, rows[i].size);
        x86_helper_iret(&cpu->base, rows[i].size, 0, 0);
        bench_expect(bench, NONE, 0);
        uint64_t want = rows[i].changes | FLAG_FIXED | rows[i].iopl << 12;
        g_assert_cmphex(x86_get_rflags(cpu), ==, want);
    }
}

static void test_nested_task_in_long_mode(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);

    bench_enter(bench, MODE_LONG, 0);
    x86_set_rflags(bench->cpu, FLAG_NT, FLAG_NT);
    x86_helper_iret(&bench->cpu->base, 8, 0, 0);
    bench_expect(bench, EXC_GP, 0);
}

/* --- tasks ------------------------------------------------------------------------------------ */

/* A second task that begins at 4000h in ring 0. */
static void put_task(SystemBench *bench)
{
    static const struct {
        uint16_t offset, value;
    } fields[] = {
        { 0x20, 0x4000 },   { 0x24, 2 },          { 0x28, 0x1111 },   { 0x38, BENCH_IST1 },
        { 0x48, SEL_DATA }, { 0x4c, SEL_CODE32 }, { 0x50, SEL_DATA }, { 0x54, SEL_DATA },
        { 0x58, SEL_DATA }, { 0x5c, SEL_DATA },   { 0x60, 0 },        { 0x64, 0 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
        bench_poke(bench, BENCH_TSS2 + fields[i].offset, fields[i].value, 4);
    }
}

static void test_task_call_and_return(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_PROTECTED, 0);
    put_task(bench);
    cpu->gpr[X86_RBX] = 0xb0b0b0b0;
    x86_helper_far_call(&cpu->base, SEL_TSS2 | 4 << 16, 0, BENCH_PC + 7);
    bench_expect(bench, NONE, 0);
    g_assert_cmphex(cpu->base.pc, ==, 0x4000);
    g_assert_cmphex(cpu->gpr[X86_RAX], ==, 0x1111);
    g_assert_cmphex(cpu->gpr[X86_RSP], ==, BENCH_IST1);
    g_assert_cmphex(cpu->tr.selector, ==, SEL_TSS2);
    g_assert_true(cpu->eflags & FLAG_NT);
    g_assert_true(cpu->cr0 & CR0_TS);
    g_assert_cmphex(bench_peek(bench, BENCH_TSS2, 2), ==, SEL_TSS);
    g_assert_cmphex(bench_peek(bench, BENCH_TSS + 0x20, 4), ==, BENCH_PC + 7);
    g_assert_cmphex(bench_peek(bench, BENCH_GDT + SEL_TSS + 5, 1), ==, 0x8b); /* still busy */
    g_assert_cmphex(bench_peek(bench, BENCH_GDT + SEL_TSS2 + 5, 1), ==, 0x8b);
    x86_helper_iret(&cpu->base, 4, 0x4010, 0);
    bench_expect(bench, NONE, 0);
    g_assert_cmphex(cpu->base.pc, ==, BENCH_PC + 7);
    g_assert_cmphex(cpu->gpr[X86_RBX], ==, 0xb0b0b0b0);
    g_assert_false(cpu->eflags & FLAG_NT);
    g_assert_cmphex(bench_peek(bench, BENCH_GDT + SEL_TSS2 + 5, 1), ==, 0x89);
    g_assert_cmphex(bench_peek(bench, BENCH_TSS2 + 0x20, 4), ==, 0x4010);
}

static void test_task_gate_for_an_exception(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_PROTECTED, 3);
    put_task(bench);
    bench_gate(bench, EXC_GP, SEL_TSS2, 0x85, 0);
    raise_and_deliver(bench, EXC_GP, 0x77);
    g_assert_cmphex(cpu->base.pc, ==, 0x4000);
    g_assert_cmpint(cpu->cpl, ==, 0);
    g_assert_cmphex(cpu->gpr[X86_RSP], ==, BENCH_IST1 - 4);
    g_assert_cmphex(bench_stack(bench, 0, 4), ==, 0x77);
}

/* A bad segment in the new TSS: the fault is the new task's. */
static void test_task_with_a_bad_segment(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_PROTECTED, 0);
    put_task(bench);
    bench_poke(bench, BENCH_TSS2 + 0x54, SEL_EXECUTE_ONLY, 4);
    bench_gate(bench, EXC_TS, SEL_CODE32, INT_GATE, 0);
    x86_helper_far_jump(&cpu->base, SEL_TSS2, 0, BENCH_PC + 7);
    bench_expect(bench, NONE, 0);
    g_assert_cmpint(handler(bench), ==, EXC_TS);
    g_assert_cmphex(bench_stack(bench, 0, 4), ==, SEL_EXECUTE_ONLY);
    g_assert_cmphex(bench_stack(bench, 1, 4), ==, 0x4000);
    g_assert_cmphex(bench_peek(bench, BENCH_GDT + SEL_TSS + 5, 1), ==, 0x89); /* left by JMP */
}

/* No CS at all: the handler still finds the new task's stack. */
static void test_task_without_code(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_PROTECTED, 0);
    put_task(bench);
    bench_poke(bench, BENCH_TSS2 + 0x4c, 0, 4);
    bench_gate(bench, EXC_TS, SEL_CODE32, INT_GATE, 0);
    x86_helper_far_jump(&cpu->base, SEL_TSS2, 0, BENCH_PC + 7);
    g_assert_cmpint(handler(bench), ==, EXC_TS);
    g_assert_cmphex(cpu->gpr[X86_RSP], ==, BENCH_IST1 - 16);
}

static void test_task_refused(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_PROTECTED, 0);
    bench_descriptor(bench, SEL_TSS2, BENCH_TSS2, 0x66, 0x89);
    x86_helper_far_jump(&cpu->base, SEL_TSS2, 0, BENCH_PC + 7);
    bench_expect(bench, EXC_TS, SEL_TSS2);
    bench_descriptor(bench, SEL_TSS2, BENCH_TSS2, 0x67, 0x09);
    x86_helper_far_jump(&cpu->base, SEL_TSS2, 0, BENCH_PC + 7);
    bench_expect(bench, EXC_NP, SEL_TSS2);
    g_assert_cmphex(cpu->tr.selector, ==, SEL_TSS);
}

/* --- between instructions --------------------------------------------------------------------- */

static void test_nmi_blocks_until_iret(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_LONG, 0);
    bench_gate(bench, EXC_NMI, SEL_CODE64, INT_GATE, 0);
    x86_nmi(&cpu->base);
    x86_poll(&cpu->base);
    g_assert_cmpint(handler(bench), ==, EXC_NMI);
    cpu->base.pc = BENCH_PC;
    x86_nmi(&cpu->base);
    x86_poll(&cpu->base);
    g_assert_cmphex(cpu->base.pc, ==, BENCH_PC);
    cpu->base.attention = 0;
    x86_helper_iret(&cpu->base, 8, 0, 0);
    g_assert_cmpint(cpu->base.attention & ATTENTION_INTERRUPT, ==, ATTENTION_INTERRUPT);
    x86_poll(&cpu->base);
    g_assert_cmpint(handler(bench), ==, EXC_NMI);
}

static void test_step_traps_behind(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_LONG, 0);
    bench_gate(bench, EXC_DB, SEL_CODE64, INT_GATE, 0);
    x86_helper_step(&cpu->base, 0, 0, 0);
    cpu->base.pc += 3;
    x86_poll(&cpu->base);
    g_assert_cmpint(handler(bench), ==, EXC_DB);
    g_assert_cmphex(cpu->dr6, ==, DR6_FIXED | DR6_BS);
    g_assert_cmphex(bench_stack(bench, 0, 8), ==, BENCH_PC + 3);
    g_assert_false(bench_stack(bench, 2, 8) & FLAG_RF);
    /* a fault of the same instruction wins, and there is no trap behind */
    bench_gate(bench, EXC_UD, SEL_CODE64, INT_GATE, 0);
    x86_helper_step(&cpu->base, 0, 0, 0);
    raise_and_deliver(bench, EXC_UD, 0);
    x86_poll(&cpu->base);
    g_assert_cmpint(handler(bench), ==, EXC_UD);
}

/* SDM volume 3, 17.3.1.1: an interrupt between two repetitions pushes RF, one behind the last does
 * not; nor is it remembered. */
static void test_repetitions_push_rf(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    const uint64_t how = 1 | 8 << 8 | X86_DS << 16 | REP_WHILE_EQUAL << 24;
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_LONG, 0);
    bench_gate(bench, EXC_NMI, SEL_CODE64, INT_GATE, 0);
    cpu->gpr[X86_RDI] = 0x200000;
    cpu->gpr[X86_RCX] = 0x18000; /* more than is done at once */
    g_assert_cmpuint(x86_helper_stos(&cpu->base, how, 0, 0), ==, 0);
    x86_nmi(&cpu->base);
    x86_poll(&cpu->base);
    g_assert_cmpint(handler(bench), ==, EXC_NMI);
    g_assert_true(bench_stack(bench, 2, 8) & FLAG_RF);
    x86_helper_iret(&cpu->base, 8, 0, 0);
    g_assert_cmpuint(x86_helper_stos(&cpu->base, how, 0, 0), ==, 1);
    x86_set_rflags(cpu, 0, FLAG_RF);
    x86_nmi(&cpu->base);
    x86_poll(&cpu->base);
    g_assert_false(bench_stack(bench, 2, 8) & FLAG_RF);
}

static void test_mov_ss_delays_step(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_LONG, 0);
    bench_gate(bench, EXC_DB, SEL_CODE64, INT_GATE, 0);
    x86_helper_step(&cpu->base, 0, 0, 0);
    x86_helper_load_segment(&cpu->base, X86_SS, SEL_DATA, 1);
    x86_poll(&cpu->base);
    g_assert_cmphex(cpu->base.pc, ==, BENCH_PC);
    g_assert_cmphex(cpu->debug_pending, ==, 0);
    x86_helper_end_shadow(&cpu->base, 0, 0, 0);
    x86_helper_step(&cpu->base, 0, 0, 0);
    x86_poll(&cpu->base);
    g_assert_cmpint(handler(bench), ==, EXC_DB);
}

static void test_code_breakpoint(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_LONG, 0);
    bench_gate(bench, EXC_DB, SEL_CODE64, INT_GATE, 0);
    g_assert_false(x86_watches(cpu));
    x86_helper_write_dr(&cpu->base, 1, BENCH_PC, 0);
    x86_helper_write_dr(&cpu->base, 7, 1 << 2, 0);
    g_assert_true(x86_watches(cpu));
    x86_helper_code_breakpoint(&cpu->base, BENCH_PC, 0, 0);
    x86_deliver(&cpu->base);
    g_assert_cmpint(handler(bench), ==, EXC_DB);
    g_assert_cmphex(cpu->dr6, ==, DR6_FIXED | 2);
    x86_set_rflags(cpu, FLAG_RF, FLAG_RF);
    x86_helper_code_breakpoint(&cpu->base, BENCH_PC, 0, 0);
    bench_expect(bench, NONE, 0);
}

static void test_data_breakpoint(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;
    uint64_t value;

    bench_enter(bench, MODE_LONG, 0);
    x86_helper_write_dr(&cpu->base, 0, 0x5006, 0);                /* counts as 5004h */
    x86_helper_write_dr(&cpu->base, 7, 1 | 1 << 16 | 3 << 18, 0); /* writes to 4 bytes */
    g_assert_true(x86_watches_page(&cpu->base, 0x5000));
    g_assert_false(x86_watches_page(&cpu->base, 0x6000));
    g_assert_true(mmu_load(&cpu->base, 0x5004, 4, MMU_KERNEL, &value));
    g_assert_true(mmu_store(&cpu->base, 0x5000, 0, 4, MMU_KERNEL));
    g_assert_cmphex(cpu->debug_pending, ==, 0);
    g_assert_true(mmu_store(&cpu->base, 0x5004, 0, 1, MMU_KERNEL));
    g_assert_cmphex(cpu->debug_pending, ==, 1);
}

static void test_debug_registers(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    DbtCpu *cpu = &bench->cpu->base;

    bench_enter(bench, MODE_LONG, 0);
    x86_helper_write_dr(cpu, 6, 0, 0);
    g_assert_cmphex(x86_helper_read_dr(cpu, 6, 0, 0), ==, DR6_FIXED);
    x86_helper_write_dr(cpu, 5, 0xffffffff, 0); /* DR7 */
    g_assert_cmphex(bench->cpu->dr7, ==, DR7_WRITABLE | DR7_FIXED);
    bench_expect(bench, NONE, 0);
    x86_helper_read_dr(cpu, 0, 0, 0); /* GD is set */
    bench_expect(bench, EXC_DB, -1);
    g_assert_cmphex(bench->cpu->exception.dr6, ==, DR6_BD);
    bench->cpu->dr7 = DR7_FIXED;
    x86_helper_write_dr(cpu, 7, UINT64_C(1) << 32, 0);
    bench_expect(bench, EXC_GP, 0);
    bench->cpu->cr4 |= CR4_DE;
    x86_helper_read_dr(cpu, 4, 0, 0);
    bench_expect(bench, EXC_UD, -1);
}

static void test_software_interrupts_in_v8086(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_V8086, 3);
    bench_gate(bench, 0x21, SEL_CODE32, USER_GATE, 0);
    x86_software_interrupt(cpu, 0x21, BENCH_PC + 2);
    bench_expect(bench, EXC_GP, 0); /* IOPL < 3 */
    cpu->cr4 |= CR4_VME;
    bench_poke(bench, BENCH_TSS + 0x66, 0x88, 2); /* redirection map at 68h, all clear */
    bench_poke(bench, 0x21 * 4, 0x07770123, 4);
    x86_set_rflags(cpu, FLAG_VIF, FLAG_VIF);
    x86_software_interrupt(cpu, 0x21, BENCH_PC + 2);
    bench_expect(bench, NONE, 0);
    g_assert_cmphex(cpu->base.pc, ==, 0x7770 + 0x123);
    g_assert_true(x86_v8086(cpu));
    g_assert_cmphex(bench_stack(bench, 2, 2) & (FLAG_IF | FLAG_IOPL), ==, FLAG_IF | FLAG_IOPL);
    g_assert_false(cpu->eflags & FLAG_VIF);
    bench_poke(bench, BENCH_TSS + 0x68 + 4, 2, 1); /* not redirected: the monitor's */
    x86_set_rflags(cpu, FLAG_IOPL, FLAG_IOPL);
    x86_software_interrupt(cpu, 0x21, BENCH_PC + 2);
    g_assert_cmpint(handler(bench), ==, 0x21);
}

#define ADD_TABLE(table, prefix, fn)                                                               \
    for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {                                             \
        g_autofree char *path = g_strdup_printf("/x86/exception/" prefix "/%s", table[i].name);    \
        g_test_add_data_func(path, &table[i], fn);                                                 \
    }

static const struct {
    const char *name;
    void (*fn)(void);
} tests[] = {
    { "real-mode", test_real_mode },
    { "protected-same-ring", test_protected_same_ring },
    { "protected-from-ring-3", test_protected_from_ring_3 },
    { "long", test_long },
    { "long-from-ring-3", test_long_from_ring_3 },
    { "v8086", test_v8086 },
    { "idt-limit", test_idt_limit },
    { "inner-stacks", test_inner_stacks },
    { "page-faults-on-the-stack", test_page_faults_on_the_stack },
    { "interrupts-make-no-double-fault", test_interrupts_make_no_double_fault },
    { "iret-flags", test_iret_flags },
    { "nested-task-in-long-mode", test_nested_task_in_long_mode },
    { "task-call-and-return", test_task_call_and_return },
    { "task-gate-for-an-exception", test_task_gate_for_an_exception },
    { "task-with-a-bad-segment", test_task_with_a_bad_segment },
    { "task-without-code", test_task_without_code },
    { "task-refused", test_task_refused },
    { "nmi-blocks-until-iret", test_nmi_blocks_until_iret },
    { "step-traps-behind", test_step_traps_behind },
    { "repetitions-push-rf", test_repetitions_push_rf },
    { "mov-ss-delays-step", test_mov_ss_delays_step },
    { "code-breakpoint", test_code_breakpoint },
    { "data-breakpoint", test_data_breakpoint },
    { "debug-registers", test_debug_registers },
    { "software-interrupts-in-v8086", test_software_interrupts_in_v8086 },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD_TABLE(idt_cases, "idt", test_idt);
    ADD_TABLE(doubles, "double", test_double);
    ADD_TABLE(irets, "iret", test_iret);
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strdup_printf("/x86/exception/%s", tests[i].name);
        g_test_add_func(path, tests[i].fn);
    }
    return g_test_run();
}
