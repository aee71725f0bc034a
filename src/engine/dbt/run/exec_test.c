/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the core with the toy guest, on each back end there is: control flow, self-modifying
 * code, faults, devices that write code, many vCPUs.
 */
#include "engine/dbt/run/exec.h"

#include <string.h>

#include "engine/dbt/host/interp/interp.h"
#include "engine/dbt/host/native.h"
#include "engine/dbt/run/mmu.h"
#include "engine/dbt/run/ram.h"
#include "engine/dbt/run/toy.h"

enum { RAM = 1 << 20, MAX_CPUS = 4 };

typedef struct Bench {
    GuestMemory *memory;
    Clock *clock;
    DbtVm *vm;
    ToyCpu *cpu[MAX_CPUS];
} Bench;

/* What runs the blocks. */
typedef struct Kind {
    const char *name;
    const Backend *backend;
    bool check; /* both back ends, and all is compared */
} Kind;

static Bench bench_new(const Kind *kind, unsigned cpus)
{
    Bench b = { .memory = gm_new(), .clock = clock_new_manual() };

    g_assert_true(gm_add_ram(b.memory, 0, RAM, NULL));
    EngineConfig config = { .memory = b.memory, .clock = b.clock, .cpus = cpus };
    b.vm = dbt_vm_new(&toy_isa, &config, NULL);
    g_assert_nonnull(b.vm);
    g_assert_true(kind->check ? dbt_vm_set_check(b.vm, kind->backend, 0, NULL)
                              : dbt_vm_set_backend(b.vm, kind->backend, NULL));
    for (unsigned i = 0; i < cpus; i++) {
        b.cpu[i] = (ToyCpu *)dbt_cpu_new(b.vm, i);
    }
    return b;
}

static void bench_free(Bench *b)
{
    for (unsigned i = 0; i < MAX_CPUS; i++) {
        if (b->cpu[i]) {
            dbt_cpu_free(&b->cpu[i]->base);
        }
    }
    dbt_vm_free(b->vm);
    gm_free(b->memory);
    clock_free(b->clock);
}

static void put_code(Bench *b, uint64_t gpa, const char *code, size_t len)
{
    memcpy(gm_ram(b->memory, gpa, len), code, len);
}

/* A thread that runs one vCPU until it is kicked while halted. */
typedef struct Runner {
    ToyCpu *cpu;
    GThread *thread;
} Runner;

static gpointer runner(gpointer data)
{
    ToyCpu *cpu = data;
    VcpuExit exit;

    dbt_run(&cpu->base, &exit);
    g_assert_cmpint(exit.reason, !=, VCPU_EXIT_DIFFERENCE);
    return NULL;
}

static bool is_halted(const ToyCpu *cpu)
{
    return __atomic_load_n(&cpu->base.sleeping, __ATOMIC_SEQ_CST);
}

static void start(Runner *r, ToyCpu *cpu, uint64_t pc)
{
    cpu->base.pc = pc;
    cpu->base.halted = false;
    r->cpu = cpu;
    r->thread = g_thread_new("vcpu", runner, cpu);
}

static void finish(Runner *r)
{
    while (!is_halted(r->cpu)) {
        g_thread_yield();
    }
    dbt_attention(&r->cpu->base, ATTENTION_KICK);
    g_thread_join(r->thread);
}

static void run_to_halt(ToyCpu *cpu, uint64_t pc)
{
    Runner r;

    start(&r, cpu, pc);
    finish(&r);
}

/* Programs at 0x1000, and what r1 is in the end. */
#define P(text) text, sizeof(text) - 1
static const struct {
    const char *name;
    const char *code;
    size_t len;
    uint64_t want_r1;
    unsigned want_fault;
} programs[] = {
    { "straight", P("i\1i\1h"), 2, 0 },
    { "jump over", P("j\2i\1i\1h"), 1, 0 },
    /* r2 = 1: the branch is taken, and skips one of two */
    { "branch taken", P("i\2z\2\2i\1i\1h"), 1, 0 },
    { "branch not taken", P("z\2\2i\1i\1h"), 2, 0 },
    { "load", P("l\1\xffh"), 0x5a, 0 },
    { "store and load", P("k\2\x77s\2\xfel\1\xfeh"), 0x77, 0 },
    { "fault stops in front", P("i\1fi\1h"), 1, 1 },
};

static void test_programs(gconstpointer kind)
{
    for (size_t i = 0; i < G_N_ELEMENTS(programs); i++) {
        const typeof(programs[0]) *c = &programs[i];
        Bench b = bench_new(kind, 1);

        g_test_message("%s", c->name);
        put_code(&b, 0x1000, c->code, c->len);
        *(uint8_t *)gm_ram(b.memory, 0xff0, 1) = 0x5a;
        run_to_halt(b.cpu[0], 0x1000);
        g_assert_cmphex(b.cpu[0]->r[1], ==, c->want_r1);
        g_assert_cmpuint(b.cpu[0]->fault_kind, ==, c->want_fault);
        bench_free(&b);
    }
}

/* An instruction's fault leaves pc at that instruction. */
static void test_fault_pc(gconstpointer kind)
{
    Bench b = bench_new(kind, 1);

    put_code(&b, 0x1000, P("i\1i\1fi\1h"));
    run_to_halt(b.cpu[0], 0x1000);
    g_assert_cmphex(b.cpu[0]->base.pc, ==, 0x1004);
    g_assert_cmpuint(b.cpu[0]->base.instructions, ==, 2);
    bench_free(&b);
}

/* The store changes an instruction further on in its own block: the new one runs. */
static void test_writes_own_block(gconstpointer kind)
{
    Bench b = bench_new(kind, 1);

    /* at 0x100: s r2 0x11 stores 'h' to 0x110, where an 'i' stands in the same block */
    put_code(&b, 0x100, P("k\2hs\2\x11i\1i\1i\1i\1i\1i\1h"));
    run_to_halt(b.cpu[0], 0x100);
    g_assert_cmpuint(b.cpu[0]->r[1], ==, 5);
    g_assert_cmphex(b.cpu[0]->base.pc, ==, 0x111);
    bench_free(&b);
}

/* Code that ran is changed by a store from another block, then runs again. */
static void test_writes_other_block(gconstpointer kind)
{
    Bench b = bench_new(kind, 1);

    put_code(&b, 0x200, P("i\1h"));
    run_to_halt(b.cpu[0], 0x200);
    put_code(&b, 0x1000, P("k\2hs\2\x20h"));
    run_to_halt(b.cpu[0], 0x1000);
    run_to_halt(b.cpu[0], 0x200);
    g_assert_cmpuint(b.cpu[0]->r[1], ==, 1);
    bench_free(&b);
}

/* A device writes code that ran; memory/ tells, and the new code runs. */
static void test_device_writes_code(gconstpointer kind)
{
    Bench b = bench_new(kind, 1);

    put_code(&b, 0x200, P("i\1h"));
    run_to_halt(b.cpu[0], 0x200);
    g_assert_true(gm_write(b.memory, 0x200, "i\2", 2));
    run_to_halt(b.cpu[0], 0x200);
    g_assert_cmpuint(b.cpu[0]->r[1], ==, 1);
    g_assert_cmpuint(b.cpu[0]->r[2], ==, 1);
    bench_free(&b);
}

/* An instruction that reaches into the next page, whose second half changes. */
static void test_straddle(gconstpointer kind)
{
    Bench b = bench_new(kind, 1);

    put_code(&b, 0x1ffd, P("i\1k\1\x05h"));
    run_to_halt(b.cpu[0], 0x1ffd);
    g_assert_cmpuint(b.cpu[0]->r[1], ==, 5);
    g_assert_true(gm_write(b.memory, 0x2001, "\x09", 1));
    run_to_halt(b.cpu[0], 0x1ffd);
    g_assert_cmpuint(b.cpu[0]->r[1], ==, 9);
    bench_free(&b);
}

/* An interrupt comes at the end of a block whose exit isn't linked yet: the exit must not be
 * linked to the handler. */
static void test_interrupt_at_link(gconstpointer kind)
{
    Bench b = bench_new(kind, 1);

    put_code(&b, 0x1000, P("nj\x0d"));   /* to 0x1010 */
    put_code(&b, 0x1010, P("i\1h"));     /* what must run */
    put_code(&b, 0x1020, P("i\2j\xec")); /* the handler: goes on at 0x1010 */
    b.cpu[0]->interrupt_to = 0x1020;
    run_to_halt(b.cpu[0], 0x1000);
    run_to_halt(b.cpu[0], 0x1000);
    g_assert_cmpuint(b.cpu[0]->interrupts, ==, 2);
    g_assert_cmpuint(b.cpu[0]->r[2], ==, 1); /* the handler ran once */
    g_assert_cmpuint(b.cpu[0]->r[1], ==, 2);
    bench_free(&b);
}

/* Addresses that equal a TLB entry's tag for "nothing" or "slow" are no way around the MMU. */
static void test_odd_addresses(gconstpointer kind)
{
    static const uint64_t flips[] = { TAG_SLOW, UINT64_C(1) << 62, UINT64_C(1) << 63 };
    Bench b = bench_new(kind, 1);

    put_code(&b, 0x1000, P("S\2h"));
    for (size_t i = 0; i < G_N_ELEMENTS(flips); i++) {
        /* code: its entry is slow for writes */
        b.cpu[0]->r[0] = 0x1000 + 0x700;
        run_to_halt(b.cpu[0], 0x1000);
        g_assert_cmpuint(b.cpu[0]->fault_kind, ==, 0);
        b.cpu[0]->r[0] = (0x1700 ^ flips[i]) | UINT64_C(1) << 62;
        run_to_halt(b.cpu[0], 0x1000);
        g_assert_cmpuint(b.cpu[0]->fault_kind, ==, 2);
        b.cpu[0]->fault_kind = 0;
    }
    for (unsigned page = 0; page < 2; page++) {
        b.cpu[0]->r[0] = page ? TAG_NONE : UINT64_C(0x5555555555555000);
        run_to_halt(b.cpu[0], 0x1000);
        g_assert_cmpuint(b.cpu[0]->fault_kind, ==, 2);
        b.cpu[0]->fault_kind = 0;
    }
    bench_free(&b);
}

static void test_fetch_fault(gconstpointer kind)
{
    Bench b = bench_new(kind, 1);

    run_to_halt(b.cpu[0], TOY_FAULT);
    g_assert_cmpuint(b.cpu[0]->fault_kind, ==, 3);
    bench_free(&b);
}

/* A kick ends a loop that never halts; a kick before the run ends it at once. */
static void test_kick(gconstpointer kind)
{
    Bench b = bench_new(kind, 1);
    Runner r;

    put_code(&b, 0x1000, P("i\1s\1\x80j\xf9"));
    start(&r, b.cpu[0], 0x1000);
    while (!ram_load(gm_ram(b.memory, 0x800, 1), 1)) {
        g_thread_yield();
    }
    dbt_attention(&b.cpu[0]->base, ATTENTION_KICK);
    g_thread_join(r.thread);
    uint64_t done = b.cpu[0]->r[1];
    VcpuExit exit;
    dbt_attention(&b.cpu[0]->base, ATTENTION_KICK);
    dbt_run(&b.cpu[0]->base, &exit);
    g_assert_cmpint(exit.reason, ==, VCPU_EXIT_KICKED);
    g_assert_cmpuint(b.cpu[0]->r[1], ==, done);
    bench_free(&b);
}

/* Four vCPUs add 1 to one counter, 20000 times each: none is lost. */
static void test_atomics(gconstpointer kind)
{
    Bench b = bench_new(kind, MAX_CPUS);
    Runner r[MAX_CPUS];

    put_code(&b, 0x1000, P("x\3i\2z\2\xf9h"));
    for (unsigned i = 0; i < MAX_CPUS; i++) {
        b.cpu[i]->r[3] = 1;
        b.cpu[i]->r[2] = -(uint64_t)20000;
        start(&r[i], b.cpu[i], 0x1000);
    }
    for (unsigned i = 0; i < MAX_CPUS; i++) {
        finish(&r[i]);
    }
    uint64_t *counter = gm_ram(b.memory, TOY_DATA, 8);
    g_assert_cmpuint(*counter, ==, MAX_CPUS * 20000);
    bench_free(&b);
}

/* A page that was written, so that its TLB entry is fast, becomes code and is written again. */
static void test_written_page_becomes_code(gconstpointer kind)
{
    Bench b = bench_new(kind, 1);

    put_code(&b, 0x1000, P("k\2is\2\x20k\2\1h"));
    put_code(&b, 0x200, P("h\1h"));
    run_to_halt(b.cpu[0], 0x1000);
    run_to_halt(b.cpu[0], 0x200);
    g_assert_cmpuint(b.cpu[0]->r[1], ==, 1);
    put_code(&b, 0x1100, P("k\2hs\2\x20h"));
    run_to_halt(b.cpu[0], 0x1100);
    run_to_halt(b.cpu[0], 0x200);
    g_assert_cmpuint(b.cpu[0]->r[1], ==, 1);
    bench_free(&b);
}

/* A vCPU rewrites code that three others run, while pages become code all the time: nobody hangs,
 * nobody runs what was never written. */
static void test_many_writers(gconstpointer kind)
{
    Bench b = bench_new(kind, MAX_CPUS);
    Runner r[MAX_CPUS];

    for (unsigned round = 0; round < 30; round++) {
        uint64_t at = 0x10000 + round * 0x1000;
        for (unsigned i = 0; i < MAX_CPUS; i++) {
            /* the last stores r2 = 'h' over the others' jump, then goes there itself */
            put_code(&b, at, P("i\1i\1j\xfa"));
            put_code(&b, at + 0x100 + i * 0x40, P("S\2r"));
        }
        for (unsigned i = 0; i < MAX_CPUS; i++) {
            b.cpu[i]->r[0] = at + 4;
            b.cpu[i]->r[2] = 'h';
            start(&r[i], b.cpu[i], i == 3 ? at + 0x100 : at);
        }
        for (unsigned i = 0; i < MAX_CPUS; i++) {
            finish(&r[i]);
        }
    }
    bench_free(&b);
}

/* The cache fills up and is emptied under running vCPUs. */
static void test_cache_flush(gconstpointer kind)
{
    Bench b = bench_new(kind, 2);
    Runner r;

    put_code(&b, 0x1000, P("i\1j\xfc"));
    start(&r, b.cpu[0], 0x1000);
    put_code(&b, 0x3000, P("i\1h"));
    for (unsigned i = 0; i < 20; i++) {
        run_to_halt(b.cpu[1], 0x3000);
        dbt_exclusive_begin(&b.cpu[1]->base);
        cache_flush(b.vm->cache);
        dbt_exclusive_end(&b.cpu[1]->base);
    }
    g_assert_cmpuint(b.cpu[1]->r[1], ==, 20);
    dbt_attention(&b.cpu[0]->base, ATTENTION_KICK);
    g_thread_join(r.thread);
    bench_free(&b);
}

static const struct {
    const char *name;
    void (*run)(gconstpointer kind);
} tests[] = {
    { "programs", test_programs },
    { "fault pc", test_fault_pc },
    { "writes its own block", test_writes_own_block },
    { "writes another block", test_writes_other_block },
    { "device writes code", test_device_writes_code },
    { "written page becomes code", test_written_page_becomes_code },
    { "straddles pages", test_straddle },
    { "interrupt at an unlinked exit", test_interrupt_at_link },
    { "odd addresses", test_odd_addresses },
    { "fetch fault", test_fetch_fault },
    { "kick", test_kick },
    { "atomics of four vCPUs", test_atomics },
    { "four vCPUs change code", test_many_writers },
    { "cache flush", test_cache_flush },
};

static void add_tests(const Kind *kind)
{
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strdup_printf("/exec/%s/%s", kind->name, tests[i].name);
        g_test_add_data_func(path, kind, tests[i].run);
    }
}

int main(int argc, char **argv)
{
    const Kind interpreted = { "interpreter", &interp_backend, false };
    const Kind native = { "native", native_backend, false };
    const Kind checked = { "checked", native_backend, true };

    g_test_init(&argc, &argv, NULL);
    add_tests(&interpreted);
    if (native_backend) {
        add_tests(&native);
        add_tests(&checked);
    }
    return g_test_run();
}
