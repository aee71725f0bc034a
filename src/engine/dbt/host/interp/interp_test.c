/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the interpreter: each operation against a formula written independently here, and
 * memory accesses of each kind against memory itself.
 */
#include "engine/dbt/host/interp/interp.h"

#include <string.h>

#include "common/bits.h"
#include "engine/dbt/run/exec.h"
#include "engine/dbt/run/toy.h"

enum { RAM = 1 << 20 };

typedef struct Bench {
    GuestMemory *memory;
    Clock *clock;
    DbtVm *vm;
    ToyCpu *cpu;
    IrBlock ir;
} Bench;

/* Begin a new block. */
static void bench_restart(Bench *b)
{
    ir_block_clear(&b->ir);
    ir_insn(&b->ir, 0);
}

static Bench *bench_new(void)
{
    Bench *b = g_new0(Bench, 1);

    b->memory = gm_new();
    b->clock = clock_new_manual();
    g_assert_true(gm_add_ram(b->memory, 0, RAM, NULL));
    EngineConfig config = { .memory = b->memory, .clock = b->clock, .cpus = 1 };
    b->vm = dbt_vm_new(&toy_isa, &config, NULL);
    b->cpu = (ToyCpu *)dbt_cpu_new(b->vm, 0);
    bench_restart(b);
    return b;
}

static void bench_free(Bench *b)
{
    dbt_cpu_free(&b->cpu->base);
    dbt_vm_free(b->vm);
    gm_free(b->memory);
    clock_free(b->clock);
    g_free(b);
}

/* Run the block built so far, at 0x1000. */
static RunResult run(Bench *b)
{
    Block block = { .gpa = 0x1000,
                    .gpa2 = GPA_NONE,
                    .n_nodes = (uint16_t)b->ir.n_nodes,
                    .n_insns = (uint16_t)b->ir.n_insns,
                    .insns = b->ir.insns,
                    .nodes = b->ir.nodes };
    unsigned slot;

    b->cpu->base.pc = 0x1000;
    b->cpu->base.fault = 0;
    return interp_run(&b->cpu->base, &block, &slot);
}

#define REG(n) ((unsigned)offsetof(ToyCpu, r) + (n)*8)

/* The value of node @v after running: stored to r3. */
static uint64_t result_of(Bench *b, IrVal v)
{
    ir_put(&b->ir, REG(3), 8, v);
    ir_exit_stop(&b->ir, 4);
    g_assert_cmpint(run(b), ==, RUN_STOP);
    g_assert_cmphex(b->cpu->base.pc, ==, 0x1004);
    return b->cpu->r[3];
}

/* Bit-by-bit models, slow and plain: no operator of the interpreter's own expressions. */
static uint64_t model_shift(uint64_t a, unsigned n, unsigned width, int way)
{
    uint64_t r = 0;

    for (unsigned i = 0; i < width; i++) {
        int from = way > 0 ? (int)i - (int)n : (int)i + (int)n;
        bool bit = from >= 0 && from < (int)width && (a >> from & 1);
        if (way == -2 && from >= (int)width) {
            bit = a >> (width - 1) & 1;
        }
        r |= (uint64_t)bit << i;
    }
    return r;
}

static uint64_t model_rotate(uint64_t a, unsigned n, unsigned width)
{
    uint64_t r = 0;

    for (unsigned i = 0; i < width; i++) {
        r |= (a >> i & 1) << ((i + n) % width);
    }
    return r;
}

static uint64_t model(IrOp op32, bool wide, uint64_t a, uint64_t b)
{
    unsigned width = wide ? 64 : 32;
    uint64_t mask = wide ? UINT64_MAX : 0xffffffff;
    int64_t sa = sign_extend(a, width), sb = sign_extend(b, width);

    a &= mask;
    b &= mask;
    switch (op32) {
    case IR_ADD32:
        return (a + b) & mask;
    case IR_SUB32:
        return (a + ~b + 1) & mask;
    case IR_MUL32:
        return (uint64_t)((unsigned __int128)a * b) & mask;
    case IR_AND32:
        return ~(~a | ~b);
    case IR_OR32:
        return (a ^ b) + (a & b);
    case IR_XOR32:
        return (a | b) - (a & b);
    case IR_SHL32:
        return model_shift(a, b % width, width, 1);
    case IR_SHR32:
        return model_shift(a, b % width, width, -1);
    case IR_SAR32:
        return model_shift(a, b % width, width, -2);
    case IR_ROL32:
        return model_rotate(a, b % width, width);
    case IR_ROR32:
        return model_rotate(a, width - b % width, width);
    case IR_EQ32:
        return !(a ^ b);
    case IR_NE32:
        return (a ^ b) != 0;
    case IR_LTU32:
        return b > a;
    case IR_LEU32:
        return !(a > b);
    case IR_LTS32:
        return sb > sa;
    default:
        return !(sa > sb);
    }
}

static const uint64_t samples[] = {
    0,
    1,
    2,
    31,
    32,
    33,
    63,
    64,
    0x7f,
    0x80,
    0xff,
    0x8000,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    0x100000000,
    0x7fffffffffffffff,
    0x8000000000000000,
    0xffffffffffffffff,
    0x123456789abcdef0,
};

static void check_binary(Bench *b, IrOp op32, int form, const uint64_t ab[2])
{
    bool wide = form & 1, immediate = form & 2;
    IrOp op = (IrOp)(op32 + wide);

    bench_restart(b);
    b->cpu->r[0] = ab[0];
    b->cpu->r[1] = ab[1];
    IrVal x = ir_get(&b->ir, REG(0), 8);
    IrVal y = ir_get(&b->ir, REG(1), 8);
    IrVal r =
        immediate ? ir_emit(&b->ir, (IrOp)(op + 2), x, 0, 0, ab[1]) : ir_binary(&b->ir, op, x, y);
    uint64_t got = result_of(b, r), want = model(op32, wide, ab[0], ab[1]);
    if (got != want) {
        g_error("%s of %" G_GINT64_MODIFIER "x, %" G_GINT64_MODIFIER "x: %" G_GINT64_MODIFIER
                "x, not %" G_GINT64_MODIFIER "x",
                ir_ops[op + 2 * immediate].name, ab[0], ab[1], got, want);
    }
}

static void test_binary(void)
{
    Bench *b = bench_new();

    for (IrOp op = IR_ADD32; op <= IR_LES32; op = (IrOp)(op + 4)) {
        for (size_t i = 0; i < G_N_ELEMENTS(samples); i += 1) {
            for (size_t j = i % 3; j < G_N_ELEMENTS(samples); j += 3) {
                const uint64_t ab[2] = { samples[i], samples[j] };
                for (int form = 0; form < 4; form++) {
                    check_binary(b, op, form, ab);
                }
            }
        }
    }
    bench_free(b);
}

static const struct {
    IrOp op;
    uint64_t a, want;
} unaries[] = {
    { IR_NEG32, 1, 0xffffffff },
    { IR_NEG64, 1, UINT64_MAX },
    { IR_NOT32, 0x1ffffffff, 0 },
    { IR_NOT64, 1, ~1ull },
    { IR_ZX8, 0x1234, 0x34 },
    { IR_ZX16, 0x12345, 0x2345 },
    { IR_ZX32, 0x123456789, 0x23456789 },
    { IR_SX8, 0x80, 0xffffffffffffff80 },
    { IR_SX8, 0x17f, 0x7f },
    { IR_SX16, 0x8000, 0xffffffffffff8000 },
    { IR_SX32, 0x80000000, 0xffffffff80000000 },
    { IR_BSWAP32, 0xff11223344, 0x44332211 },
    { IR_BSWAP64, 0x1122334455667788, 0x8877665544332211 },
    { IR_CLZ64, 0, 64 },
    { IR_CLZ64, 1, 63 },
    { IR_CTZ64, 0, 64 },
    { IR_CTZ64, 8, 3 },
    { IR_POPCNT64, 0xf0f0, 8 },
};

static void test_unary(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(unaries); i++) {
        Bench *b = bench_new();
        b->cpu->r[0] = unaries[i].a;
        IrVal x = ir_get(&b->ir, REG(0), 8);
        IrVal r = ir_unary(&b->ir, unaries[i].op, x);
        g_test_message("%s", ir_ops[unaries[i].op].name);
        g_assert_cmphex(result_of(b, r), ==, unaries[i].want);
        bench_free(b);
    }
}

static void test_three_operands(void)
{
    Bench *b = bench_new();
    b->cpu->r[0] = 0x1122334455667788;
    b->cpu->r[1] = 0xabcd;
    IrVal x = ir_get(&b->ir, REG(0), 8);
    IrVal y = ir_get(&b->ir, REG(1), 8);
    IrVal deposited = ir_deposit(&b->ir, x, y, 8, 8);
    IrVal extracted = ir_extract(&b->ir, x, 12, 16);
    IrVal sum = ir_lea(&b->ir, x, y, 3, -8);
    IrVal selected = ir_select(&b->ir, y, x, y);
    IrVal high = ir_binary(&b->ir, IR_MULHU64, x, x);
    ir_put(&b->ir, REG(0), 8, deposited);
    ir_put(&b->ir, REG(1), 8, extracted);
    ir_put(&b->ir, REG(2), 8, sum);
    ir_put(&b->ir, 0, 8, high); /* base.pc, which EXIT_STOP sets anew */
    g_assert_cmphex(result_of(b, selected), ==, 0x1122334455667788);
    g_assert_cmphex(b->cpu->r[0], ==, 0x112233445566cd88);
    g_assert_cmphex(b->cpu->r[1], ==, 0x5667);
    g_assert_cmphex(b->cpu->r[2], ==, 0x1122334455667788 + 0xabcd * 8 - 8);
    bench_free(b);
}

/* Loads and stores of each size at each offset around a page boundary. */
static void test_memory(void)
{
    for (unsigned size = 1; size <= 8; size *= 2) {
        for (uint64_t at = 0x5000 - 9; at < 0x5009; at++) {
            Bench *b = bench_new();
            uint8_t *bytes = gm_ram(b->memory, at, 8);
            for (unsigned i = 0; i < 8; i++) {
                bytes[i] = (uint8_t)(0x91 + i * 0x13);
            }
            uint64_t want = load_le64(bytes) & bits_mask(size * 8);
            IrVal address = ir_const(&b->ir, at - 5);
            IrVal sum = ir_emit(&b->ir, IR_ADD64I, address, 0, 0, 5);
            IrVal x = ir_load(&b->ir, sum, size, 0);
            IrVal s = ir_load_signed(&b->ir, sum, size, 0);
            IrVal to = ir_const(&b->ir, at + 0x2000);
            ir_store(&b->ir, to, x, size, 0);
            ir_put(&b->ir, REG(0), 8, s);
            g_assert_cmphex(result_of(b, x), ==, want);
            g_assert_cmphex(b->cpu->r[0], ==, (uint64_t)sign_extend(want, size * 8));
            uint8_t *stored = gm_ram(b->memory, at + 0x2000, 9);
            g_assert_cmpmem(stored, size, bytes, size);
            g_assert_cmpuint(stored[size], ==, 0);
            bench_free(b);
        }
    }
}

/* An access across two pages that don't follow each other in RAM. */
static void test_scattered_pages(void)
{
    for (unsigned back = 1; back < 8; back++) {
        Bench *b = bench_new();
        uint64_t at = TOY_SWAP + PAGE_SIZE - back;
        memset(gm_ram(b->memory, TOY_SWAP + PAGE_SIZE, PAGE_SIZE), 0x11, PAGE_SIZE);
        memset(gm_ram(b->memory, TOY_SWAP, PAGE_SIZE), 0x22, PAGE_SIZE);
        IrVal warm = ir_const(&b->ir, at - 16);
        IrVal address = ir_const(&b->ir, at);
        IrVal none = ir_load(&b->ir, warm, 8, 0); /* brings the first page into the TLB */
        ir_store(&b->ir, warm, none, 8, 0);
        IrVal x = ir_load(&b->ir, address, 8, 0);
        IrVal all = ir_const(&b->ir, UINT64_MAX);
        ir_store(&b->ir, address, all, 8, 0);
        uint64_t want = (UINT64_C(0x1111111111111111) & bits_mask(back * 8)) |
                        (UINT64_C(0x2222222222222222) & ~bits_mask(back * 8));
        g_assert_cmphex(result_of(b, x), ==, want);
        g_assert_cmphex(*(uint8_t *)gm_ram(b->memory, TOY_SWAP, 1), ==, 0xff);
        g_assert_cmphex(*(uint8_t *)gm_ram(b->memory, TOY_SWAP + 2 * PAGE_SIZE - 1, 1), ==, 0xff);
        g_assert_cmphex(*(uint8_t *)gm_ram(b->memory, TOY_SWAP + 2 * PAGE_SIZE, 1), ==, 0);
        bench_free(b);
    }
}

static void test_atomics(void)
{
    static const struct {
        IrOp op;
        uint64_t want;
    } ops[] = { { IR_XCHG8, 0x3c },
                { IR_XADD8, 0xcc },
                { IR_RMWAND8, 0x10 },
                { IR_RMWOR8, 0xbc },
                { IR_RMWXOR8, 0xac } };

    for (size_t i = 0; i < G_N_ELEMENTS(ops); i++) {
        for (uint64_t at = 0x3000; at < 0x3002; at++) {
            Bench *b = bench_new();
            *(uint8_t *)gm_ram(b->memory, at, 1) = 0x90;
            IrVal address = ir_const(&b->ir, at);
            IrVal x = ir_const(&b->ir, 0x3c);
            IrVal old = ir_atomic(&b->ir, ops[i].op, address, x, 1, 0);
            g_assert_cmphex(result_of(b, old), ==, 0x90);
            g_assert_cmphex(*(uint8_t *)gm_ram(b->memory, at, 1), ==, ops[i].want);
            bench_free(b);
        }
    }
}

static void test_cas(void)
{
    for (int equal = 0; equal < 2; equal++) {
        Bench *b = bench_new();
        uint32_t *at = gm_ram(b->memory, 0x3000, 4);
        *at = 0x80000001;
        IrVal address = ir_const(&b->ir, 0x3000);
        IrVal expected = ir_const(&b->ir, equal ? 0x80000001 : 1);
        IrVal x = ir_const(&b->ir, 7);
        IrVal old = ir_cas(&b->ir, address, expected, x, 4, 0);
        g_assert_cmphex(result_of(b, old), ==, 0x80000001);
        g_assert_cmphex(*at, ==, equal ? 7 : 0x80000001);
        bench_free(b);
    }
}

/* A store that crosses into a page that faults writes nothing at all. */
static void test_cross_fault(void)
{
    Bench *b = bench_new();
    IrVal address = ir_const(&b->ir, TOY_FAULT - 2);
    IrVal x = ir_const(&b->ir, UINT64_MAX);

    ir_insn(&b->ir, 7);
    ir_store(&b->ir, address, x, 4, 0);
    ir_exit_stop(&b->ir, 9);
    g_assert_cmpint(run(b), ==, RUN_FAULT);
    g_assert_cmphex(*(uint16_t *)gm_ram(b->memory, TOY_FAULT - 2, 2), ==, 0);
    g_assert_cmpuint(b->cpu->base.fault, ==, FAULT_EXCEPTION);
    g_assert_cmphex(b->cpu->base.pc, ==, 0x1007);
    bench_free(b);
}

static void test_vector(void)
{
    Bench *b = bench_new();
    uint8_t *bytes = gm_ram(b->memory, 0x4ff8, 16);
    memcpy(bytes, "0123456789abcdef", 16);
    IrVal from = ir_const(&b->ir, 0x4ff8);
    IrVal to = ir_const(&b->ir, 0x6000);
    ir_load_vector(&b->ir, from, REG(0), 16, 0);
    ir_store_vector(&b->ir, to, REG(0), 16, MMU_ALIGN);
    ir_load_vector(&b->ir, from, REG(2), 16, MMU_ALIGN); /* misaligned: faults */
    ir_exit_stop(&b->ir, 9);
    g_assert_cmpint(run(b), ==, RUN_FAULT);
    g_assert_cmpmem(gm_ram(b->memory, 0x6000, 16), 16, "0123456789abcdef", 16);
    g_assert_cmphex(b->cpu->r[2], ==, 0);
    bench_free(b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/interp/binary operations", test_binary);
    g_test_add_func("/interp/unary operations", test_unary);
    g_test_add_func("/interp/three operands", test_three_operands);
    g_test_add_func("/interp/memory", test_memory);
    g_test_add_func("/interp/scattered pages", test_scattered_pages);
    g_test_add_func("/interp/atomics", test_atomics);
    g_test_add_func("/interp/compare and swap", test_cas);
    g_test_add_func("/interp/store across a fault", test_cross_fault);
    g_test_add_func("/interp/vectors", test_vector);
    return g_test_run();
}
