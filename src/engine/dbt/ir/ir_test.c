/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the IR builder: folding, shrinking, checking, printing.
 */
#include "engine/dbt/ir/ir.h"

static IrBlock *new_block(void)
{
    IrBlock *ir = g_new0(IrBlock, 1);

    ir_block_clear(ir);
    ir_insn(ir, 0);
    return ir;
}

static unsigned count(const IrBlock *ir, IrOp op)
{
    unsigned n = 0;

    for (unsigned i = 0; i < ir->n_nodes; i++) {
        n += ir->nodes[i].op == op;
    }
    return n;
}

/* op a b -> the constant that folding must give */
static const struct {
    const char *name;
    IrOp op;
    uint64_t a, b, want;
} folds[] = {
    { "/ir/fold/add32 wraps", IR_ADD32, 0xffffffff, 2, 1 },
    { "/ir/fold/add64 keeps 64 bits", IR_ADD64, 0xffffffff, 2, 0x100000001 },
    { "/ir/fold/sub32 drops the upper half", IR_SUB32, 0x500000000, 1, 0xffffffff },
    { "/ir/fold/sar32 shifts the sign in", IR_SAR32, 0x80000000, 4, 0xf8000000 },
    { "/ir/fold/sar64 shifts the sign in", IR_SAR64, 1ull << 63, 63, UINT64_MAX },
    { "/ir/fold/shl32 takes the count modulo 32", IR_SHL32, 1, 33, 2 },
    { "/ir/fold/rol32", IR_ROL32, 0x80000001, 1, 3 },
    { "/ir/fold/rol64 by 0", IR_ROL64, 0x8000000000000001, 64, 0x8000000000000001 },
    { "/ir/fold/eq32 looks at the low half only", IR_EQ32, 0x100000005, 5, 1 },
    { "/ir/fold/eq64 looks at all", IR_EQ64, 0x100000005, 5, 0 },
    { "/ir/fold/ltu32", IR_LTU32, 0x100000001, 2, 1 },
};

static void test_fold(gconstpointer data)
{
    const typeof(folds[0]) *c = data;
    g_autofree IrBlock *ir = new_block();
    IrVal a = ir_const(ir, c->a);
    IrVal b = ir_const(ir, c->b);
    IrVal r = ir_binary(ir, c->op, a, b);
    uint64_t value = 0;

    g_assert_true(ir_is_const(ir, r, &value));
    g_assert_cmphex(value, ==, c->want);
}

static void test_immediate_forms(void)
{
    g_autofree IrBlock *ir = new_block();
    IrVal x = ir_get(ir, 8, 8);
    IrVal k = ir_const(ir, 7);
    IrVal sum = ir_binary(ir, IR_ADD64, k, x);
    IrVal same = ir_binary_imm(ir, IR_OR64, x, 0);
    IrVal difference = ir_binary(ir, IR_SUB64, k, x);

    g_assert_cmpuint(ir->nodes[sum].op, ==, IR_ADD64I);
    g_assert_cmpuint(ir->nodes[sum].a, ==, x);
    g_assert_cmpuint(same, ==, x);
    g_assert_cmpuint(ir->nodes[difference].op, ==, IR_SUB64);
}

static void test_displacement_is_folded_into_access(void)
{
    g_autofree IrBlock *ir = new_block();
    IrVal base = ir_get(ir, 8, 8);
    IrVal address = ir_binary_imm(ir, IR_ADD64, base, 0x40);
    IrVal value = ir_load(ir, address, 4, 1);

    g_assert_cmpuint(ir->nodes[value].op, ==, IR_LD32);
    g_assert_cmpuint(ir->nodes[value].a, ==, base);
    g_assert_cmphex(ir->nodes[value].imm, ==, 0x40);
    g_assert_cmpuint(ir->nodes[value].c, ==, 1);
}

static void test_unused_values_go(void)
{
    g_autofree IrBlock *ir = new_block();
    IrVal x = ir_get(ir, 8, 8);
    ir_get(ir, 16, 8);
    IrVal y = ir_binary_imm(ir, IR_ADD64, x, 1);
    ir_binary_imm(ir, IR_XOR64, y, 5);
    ir_insn(ir, 3);
    ir_put(ir, 8, 8, y);
    ir_exit(ir, 0, 4);
    ir_optimise(ir);

    g_autoptr(GError) error = NULL;
    g_assert_true(ir_verify(ir, &error));
    g_assert_cmpuint(ir->n_nodes, ==, 5); /* nop, get, add, put, exit */
    g_assert_cmpuint(ir->insns[1].node, ==, 3);
    g_assert_cmpuint(ir->nodes[3].a, ==, 2);
}

/* What stands between two stores to the same state, and whether the first must stay. */
enum { BETWEEN_NOTHING, BETWEEN_GET, BETWEEN_OTHER_GET, BETWEEN_LOAD, BETWEEN_EXIT, BETWEEN_CALL };
static const struct {
    const char *name;
    int between;
    unsigned want;
} stores[] = {
    { "/ir/dead-store/goes when overwritten", BETWEEN_NOTHING, 1 },
    { "/ir/dead-store/stays when read", BETWEEN_GET, 2 },
    { "/ir/dead-store/goes when other state is read", BETWEEN_OTHER_GET, 1 },
    { "/ir/dead-store/stays before what may fault", BETWEEN_LOAD, 2 },
    { "/ir/dead-store/stays before an exit", BETWEEN_EXIT, 2 },
    { "/ir/dead-store/stays before a helper", BETWEEN_CALL, 2 },
};

static void test_dead_store(gconstpointer data)
{
    const typeof(stores[0]) *c = data;
    g_autofree IrBlock *ir = new_block();
    IrVal x = ir_get(ir, 64, 8);

    ir_put(ir, 8, 8, x);
    if (c->between == BETWEEN_GET || c->between == BETWEEN_OTHER_GET) {
        IrVal seen = ir_get(ir, c->between == BETWEEN_GET ? 10 : 16, 2);
        ir_put(ir, 128, 8, seen);
    } else if (c->between == BETWEEN_LOAD) {
        ir_load(ir, x, 8, 0);
    } else if (c->between == BETWEEN_EXIT) {
        ir_exit_if(ir, x, 0, 2);
    } else if (c->between == BETWEEN_CALL) {
        ir_call(ir, 0, x, 0, 0);
    }
    IrVal y = ir_binary_imm(ir, IR_ADD64, x, 1);
    ir_put(ir, 8, 8, y);
    ir_exit(ir, 1, 4);
    ir_optimise(ir);

    unsigned n = 0;
    for (unsigned i = 0; i < ir->n_nodes; i++) {
        n += ir->nodes[i].op == IR_PUT64 && ir->nodes[i].imm == 8;
    }
    g_assert_cmpuint(n, ==, c->want);
}

static void test_narrow_store_does_not_hide_wide_one(void)
{
    g_autofree IrBlock *ir = new_block();
    IrVal x = ir_get(ir, 64, 8);

    ir_put(ir, 8, 8, x);
    ir_put(ir, 8, 4, x);
    ir_exit(ir, 0, 4);
    ir_optimise(ir);
    g_assert_cmpuint(count(ir, IR_PUT64), ==, 1);
    g_assert_cmpuint(count(ir, IR_PUT32), ==, 1);
}

static void test_verify_refuses(void)
{
    g_autofree IrBlock *ir = new_block();
    g_autoptr(GError) error = NULL;

    ir_emit(ir, IR_ADD64, 5, 1, 0, 0);
    ir_exit(ir, 0, 1);
    g_assert_false(ir_verify(ir, &error));
    g_assert_nonnull(strstr(error->message, "not an earlier one"));
    g_clear_error(&error);

    ir_block_clear(ir);
    ir_insn(ir, 0);
    ir_const(ir, 1);
    g_assert_false(ir_verify(ir, &error));
    g_assert_nonnull(strstr(error->message, "must always leave"));
    g_clear_error(&error);

    ir_block_clear(ir);
    ir_insn(ir, 0);
    ir_exit(ir, 0, 1);
    ir_exit(ir, 0, 1);
    g_assert_false(ir_verify(ir, &error));
    g_clear_error(&error);

    ir_block_clear(ir);
    ir_insn(ir, 0);
    IrVal x = ir_const(ir, 1);
    ir_put(ir, 8, 8, x);
    ir_emit(ir, IR_NEG64, 2, 0, 0, 0); /* the PUT has no value */
    ir_exit(ir, 0, 1);
    g_assert_false(ir_verify(ir, &error));
    g_assert_nonnull(strstr(error->message, "which has no value"));
}

static void test_print(void)
{
    g_autofree IrBlock *ir = new_block();
    g_autoptr(GString) text = g_string_new(NULL);
    IrVal x = ir_get(ir, 8, 4);
    IrVal y = ir_binary_imm(ir, IR_ADD32, x, 5);

    ir_store(ir, y, x, 2, 1);
    ir_exit(ir, 0, 3);
    ir_print(ir, NULL, text);
    g_assert_cmpstr(text->str, ==,
                    "          NOP\n"
                    " +0x0\n"
                    "  %1    = GET32 0x8\n"
                    "  %2    = ADD32I %1 0x5\n"
                    "          ST16 %2 %1 #1 0x0\n"
                    "          EXIT #0 0x3\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(folds); i++) {
        g_test_add_data_func(folds[i].name, &folds[i], test_fold);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(stores); i++) {
        g_test_add_data_func(stores[i].name, &stores[i], test_dead_store);
    }
    g_test_add_func("/ir/immediate forms", test_immediate_forms);
    g_test_add_func("/ir/displacements", test_displacement_is_folded_into_access);
    g_test_add_func("/ir/unused values go", test_unused_values_go);
    g_test_add_func("/ir/narrow store", test_narrow_store_does_not_hide_wide_one);
    g_test_add_func("/ir/verify refuses", test_verify_refuses);
    g_test_add_func("/ir/print", test_print);
    return g_test_run();
}
