/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of --check: a back end that makes mistakes is found out, whatever the mistake; and nothing
 * outside the CPU happens twice.
 *
 * The mistakes are made by back ends that compile another IR than the interpreter runs.
 */
#include "engine/dbt/run/check.h"

#include <string.h>

#include "engine/dbt/host/native.h"
#include "engine/dbt/run/exec.h"
#include "engine/dbt/run/toy.h"

enum { RAM = 1 << 20, CODE = 0x1000, COUNTDOWN = 7 };

/* The first node of operation @op is compiled as @instead, with another immediate. */
static bool compile_wrong(void *code, const IrBlock *ir, Block *block, const IrNode mistake)
{
    g_autofree IrBlock *wrong = g_memdup2(ir, sizeof(*ir));

    for (unsigned i = 0; i < wrong->n_nodes; i++) {
        IrNode *node = &wrong->nodes[i];
        if (node->op == mistake.op) {
            node->op = mistake.a;
            node->imm += mistake.imm;
            break;
        }
    }
    return native_backend->compile(code, wrong, block);
}

/* name, operation, compiled as, immediate + */
#define MISTAKES                                                                                   \
    MISTAKE(none, NOP, NOP, 0)                                                                     \
    MISTAKE(sum, ADD64I, ADD64I, 1)                                                                \
    MISTAKE(constant, CONST, CONST, 1)                                                             \
    MISTAKE(load_place, LD8, LD8, 1)                                                               \
    MISTAKE(load_sign, LD8, LDS8, 0)                                                               \
    MISTAKE(no_load, LD8, NOP, 0)                                                                  \
    MISTAKE(store_place, ST8, ST8, 1)                                                              \
    MISTAKE(store_size, ST8, ST16, 0)                                                              \
    MISTAKE(no_store, ST8, NOP, 0)                                                                 \
    MISTAKE(exit, EXIT, EXIT, 1)                                                                   \
    MISTAKE(branch, EXIT_IF, EXIT_IF, 1)                                                           \
    MISTAKE(atomic, XADD64, XCHG64, 0)                                                             \
    MISTAKE(argument, PC, PC, 1)                                                                   \
    MISTAKE(stop, EXIT, EXIT_STOP, 0)

#define MISTAKE(name, op, instead, add)                                                            \
    static bool compile_##name(void *code, const IrBlock *ir, Block *block)                        \
    {                                                                                              \
        return compile_wrong(code, ir, block, (IrNode){ IR_##op, IR_##instead, 0, 0, add });       \
    }
MISTAKES
#undef MISTAKE

typedef bool Compile(void *code, const IrBlock *ir, Block *block);

/* Programs at CODE; what must be in the report, or NULL: all is well. */
#define P(text) text, sizeof(text) - 1
static const struct {
    const char *name;
    Compile *compile;
    const char *code;
    size_t len;
    const char *said;
} cases[] = {
    { "no mistake", compile_none, P("i\1k\2\7s\2\x40l\3\x40x\1nz\3\0h"), NULL },
    { "no mistake in a loop", compile_none, P("i\2l\1\1z\1\xf8h"), NULL },
    { "no mistake in front of a fault", compile_none, P("i\1fi\1h"), NULL },
    { "a sum", compile_sum, P("i\1j\0h"), "r1: began as 0000000000000000, interpreter" },
    { "a sum in a loop", compile_sum, P("i\2l\1\1z\1\xf8h"), "r2" },
    { "a constant", compile_constant, P("k\1\5j\0h"), "interpreter 0000000000000005, compiled" },
    { "what is stored", compile_constant, P("k\1\5s\1\x40j\0h"), "operand 5; compiled store" },
    { "where is loaded", compile_load_place, P("l\1\x40j\0h"), "load, 1 bytes at 400" },
    { "how it is extended", compile_load_sign, P("l\1\x40j\0h"), "compiled ffffffffffffff" },
    { "no load", compile_no_load, P("fh"), "compiled helper halt 1002" },
    { "where is stored", compile_store_place, P("s\1\x40h"), "compiled store, 1 bytes at 401" },
    { "how much is stored", compile_store_size, P("s\1\x40h"), "compiled store, 2 bytes at 400" },
    { "no store", compile_no_store, P("s\1\x40j\0h"), "ended before access 0 of 1" },
    { "no store in front of a helper", compile_no_store, P("s\1\x40h"), "compiled helper halt" },
    { "where it goes on", compile_exit, P("j\2i\1i\1h"), "pc: interpreter 1004, compiled 1005" },
    { "where a branch goes", compile_branch, P("i\2z\2\2i\1i\1h"), "pc: interpreter" },
    { "an atomic operation", compile_atomic, P("i\1x\1h"), "interpreter atomic, 8 bytes at 8000" },
    { "what a helper is told", compile_argument, P("h"), "compiled helper halt 1002" },
    { "what a helper finds", compile_sum, P("i\1nh"), "r1 at helper interrupt, interpreter" },
    { "whether context changed", compile_stop, P("j\0h"), "result" },
};

/* Memory, whose first page is a device that counts down. */
typedef struct Bench {
    GuestMemory *memory;
    Clock *clock;
    DbtVm *vm;
    ToyCpu *cpu;
    unsigned reads;
} Bench;

static uint64_t count_down(void *opaque, uint64_t offset, unsigned size)
{
    Bench *b = opaque;

    return offset == 0x400 ? 0x80 : (uint64_t)(COUNTDOWN - MIN(++b->reads, COUNTDOWN));
}

static void drop(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
}

static void bench_init(Bench *b, const Backend *backend, uint64_t every)
{
    static const IoOps ops = { .read = count_down, .write = drop, .sizes = 1 | 2 };
    const IoRegion device = { .name = "countdown", .size = CODE, .ops = &ops, .opaque = b };

    b->memory = gm_new();
    b->clock = clock_new_manual();
    g_assert_true(gm_add_ram(b->memory, CODE, RAM, NULL));
    gm_add_mmio(b->memory, &device);
    const EngineConfig config = { .memory = b->memory, .clock = b->clock, .cpus = 1 };
    b->vm = dbt_vm_new(&toy_isa, &config, NULL);
    g_assert_true(dbt_vm_set_check(b->vm, backend, every, NULL));
    b->cpu = (ToyCpu *)dbt_cpu_new(b->vm, 0);
}

static void bench_free(Bench *b)
{
    dbt_cpu_free(&b->cpu->base);
    dbt_vm_free(b->vm);
    gm_free(b->memory);
    clock_free(b->clock);
}

static gpointer run(gpointer data)
{
    Bench *b = data;
    VcpuExit exit;

    b->cpu->base.pc = CODE;
    dbt_run(&b->cpu->base, &exit);
    return (gpointer)exit.report;
}

/* Until the program halts, or a difference is found: that is given. */
static const char *run_program(Bench *b, const char *code, size_t len)
{
    memcpy(gm_ram(b->memory, CODE, len), code, len);
    GThread *thread = g_thread_new("vcpu", run, b);
    while (!__atomic_load_n(&b->cpu->base.sleeping, __ATOMIC_SEQ_CST) &&
           !check_difference(&b->cpu->base)) {
        g_thread_yield();
    }
    dbt_attention(&b->cpu->base, ATTENTION_KICK);
    return g_thread_join(thread);
}

static void test_mistakes(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const typeof(cases[0]) *c = &cases[i];
        Backend backend = *native_backend;
        Bench b = { 0 };
        backend.compile = c->compile;
        bench_init(&b, &backend, 0);
        const char *said = run_program(&b, c->code, c->len);
        g_test_message("%s: %s", c->name, said ? said : "no difference");
        g_assert_true((said != NULL) == (c->said != NULL));
        g_assert_true(!c->said || strstr(said, c->said));
        bench_free(&b);
    }
}

/* The loop reads the device until that is at 0: six times, though each read runs thrice. */
static void test_devices_are_asked_once(void)
{
    for (uint64_t every = 0; every < 4; every++) {
        Bench b = { 0 };
        bench_init(&b, native_backend, every);
        g_assert_null(run_program(&b, P("l\1\1z\1\xfah")));
        g_assert_cmpuint(b.reads, ==, COUNTDOWN);
        bench_free(&b);
    }
}

/* What a block did stands after its check. */
static void test_effects_stay(void)
{
    Bench b = { 0 };

    bench_init(&b, native_backend, 1);
    b.cpu->r[0] = TOY_DATA + 16;
    g_assert_null(run_program(&b, P("i\1i\1S\1x\1k\2\3h")));
    g_assert_cmphex(b.cpu->r[1], ==, 2);
    g_assert_cmphex(b.cpu->r[2], ==, 3);
    g_assert_cmphex(*(uint8_t *)gm_ram(b.memory, TOY_DATA + 16, 1), ==, 2);
    g_assert_cmphex(*(uint8_t *)gm_ram(b.memory, TOY_DATA, 1), ==, 2);
    bench_free(&b);
}

/* A mistake that the first execution doesn't show: a branch that isn't taken then. */
static void test_later_executions(void)
{
    static const char code[] = "z\2\4i\2j\xf9i\1h"; /* r2 = 0: once around; then taken */
    Backend backend = *native_backend;

    backend.compile = compile_branch;
    for (uint64_t every = 0; every < 2; every++) {
        Bench b = { 0 };
        bench_init(&b, &backend, every);
        const char *said = run_program(&b, code, sizeof(code) - 1);
        g_assert_true((said != NULL) == (every == 1));
        bench_free(&b);
    }
}

static void test_refused(void)
{
    Backend backend = *native_backend;
    GuestMemory *memory = gm_new();
    Clock *clock = clock_new_manual();
    g_autoptr(GError) error = NULL;

    backend.run_once = NULL;
    const EngineConfig config = { .memory = memory, .clock = clock, .cpus = 1 };
    DbtVm *vm = dbt_vm_new(&toy_isa, &config, NULL);
    g_assert_false(dbt_vm_set_check(vm, &backend, 0, &error));
    g_assert_nonnull(strstr(error->message, "--check needs --engine translator"));
    dbt_vm_free(vm);
    gm_free(memory);
    clock_free(clock);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (native_backend) {
        g_test_add_func("/check/mistakes are found", test_mistakes);
        g_test_add_func("/check/devices are asked once", test_devices_are_asked_once);
        g_test_add_func("/check/effects stay", test_effects_stay);
        g_test_add_func("/check/later executions", test_later_executions);
        g_test_add_func("/check/a back end that can't be checked", test_refused);
    }
    return g_test_run();
}
