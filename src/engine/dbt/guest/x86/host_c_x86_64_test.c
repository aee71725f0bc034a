/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands in for the host's CPU elsewhere, approx_c.c and x87_host_c.c, against an x86-64
 * host's own approximations and transcendental instructions: within the manual's error, and with
 * the same stack and exceptions.
 *
 * Threads: one.
 */
#include <glib.h>
#include <math.h>

#include "common/bits.h"
#include "engine/dbt/guest/x86/sse_fp.h"
#include "engine/dbt/guest/x86/x87.h"

/* The portable files are compiled right here, under other names. */
uint32_t portable_reciprocal(uint32_t bits);
uint32_t portable_reciprocal_root(uint32_t bits);
void portable_transcendental(X86Cpu *cpu, X87Op op);
#define x86_approximate_reciprocal      portable_reciprocal
#define x86_approximate_reciprocal_root portable_reciprocal_root
#define x87_transcendental              portable_transcendental
#include "engine/dbt/guest/x86/approx_c.c"
#include "engine/dbt/guest/x86/x87_host_c.c"
#undef x86_approximate_reciprocal
#undef x86_approximate_reciprocal_root
#undef x87_transcendental

enum { ROUNDS = 20000 };

/* --- approximations */

static const struct {
    const char *path;
    uint32_t (*ours)(uint32_t bits), (*host)(uint32_t bits);
    bool root;
} approximations[] = {
    { "/host-c/rcpss", portable_reciprocal, x86_approximate_reciprocal, false },
    { "/host-c/rsqrtss", portable_reciprocal_root, x86_approximate_reciprocal_root, true },
};

static void check_approximation(uint32_t bits, uint32_t ours, bool root)
{
    double x = (double)as_float(bits);
    double exact = root ? 1 / sqrt(x) : 1 / x;
    double error = fabs((double)as_float(ours) / exact - 1);

    g_assert_cmpfloat(error, <=, 1.5 / 4096);
}

static void test_approximation(gconstpointer data)
{
    static const uint32_t special[] = {
        0,          0x80000000, 1,          0x807fffff, 0x7f800000,
        0xff800000, 0x7f800001, 0xffc12345, 0x7fffffff, 0xbf800000
    };
    const typeof(approximations[0]) *c = data;
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);

    for (unsigned i = 0; i < G_N_ELEMENTS(special); i++) {
        if (c->root || special[i] != 0xbf800000) {
            g_assert_cmphex(c->ours(special[i]), ==, c->host(special[i]));
        }
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t bits = (g_rand_int(rand) & 0x7fffff) | (uint32_t)g_rand_int_range(rand, 1, 0xfc)
                                                            << 23; /* no tiny result */
        check_approximation(bits, c->ours(bits), c->root);
    }
}

/* --- transcendental instructions */

typedef struct Range {
    const char *path;
    X87Op op;
    int least, greatest; /* exponents of ST(0) */
    bool negative;       /* ST(0) may be */
} Range;

static const Range ranges[] = {
    { "/host-c/f2xm1", X87_F2XM1, -60, -1, true },
    { "/host-c/fyl2x", X87_FYL2X, -900, 900, false },
    { "/host-c/fyl2xp1", X87_FYL2XP1, -60, -3, true },
    { "/host-c/fpatan", X87_FPATAN, -60, 60, true },
    { "/host-c/fptan", X87_FPTAN, -60, -1, true },
    { "/host-c/fsin", X87_FSIN, -60, -1, true },
    { "/host-c/fcos", X87_FCOS, -60, -1, true },
    { "/host-c/fsincos", X87_FSINCOS, -60, -1, true },
};

static X87Reg random_register(GRand *rand, int least, int greatest, bool negative)
{
    bool sign = negative && g_rand_boolean(rand);
    int exponent = 16383 + g_rand_int_range(rand, least, greatest + 1);

    return (X87Reg){
        .mantissa = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand) | UINT64_C(1) << 63,
        .sign_exponent = (uint16_t)(sign << 15 | exponent),
    };
}

/* The distance of two results in units of the last place. */
static uint64_t distance(X87Reg a, X87Reg b)
{
    uint64_t up = a.mantissa - b.mantissa, down = b.mantissa - a.mantissa;

    if (a.sign_exponent != b.sign_exponent) {
        return a.mantissa >> 62 == b.mantissa >> 62 ? UINT64_MAX : 1; /* across a power of two */
    }
    return MIN(up, down);
}

static void check_same(X86Cpu *ours, X86Cpu *host)
{
    g_assert_cmphex(ours->top, ==, host->top);
    g_assert_cmphex(ours->tags, ==, host->tags);
    g_assert_cmphex(ours->fsw & ~FSW_CONDITIONS, ==, host->fsw & ~FSW_CONDITIONS);
    for (unsigned i = 0; i < 2 && !x87_is_empty(ours, i); i++) {
        g_assert_cmpuint(distance(*x87_st(ours, i), *x87_st(host, i)), <=, 4);
    }
}

static void test_range(gconstpointer data)
{
    const Range *c = data;
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    g_autofree X86Cpu *ours = g_new0(X86Cpu, 1), *host = g_new0(X86Cpu, 1);

    for (unsigned i = 0; i < ROUNDS; i++) {
        memset(ours, 0, sizeof(*ours));
        x87_init(ours);
        ours->tags = 3;
        ours->st[0] = random_register(rand, c->least, c->greatest, c->negative);
        ours->st[1] = random_register(rand, -20, 20, true);
        memcpy(host, ours, sizeof(*host));
        portable_transcendental(ours, c->op);
        x87_transcendental(host, c->op);
        check_same(ours, host);
    }
}

/* An empty stack, a full one, and unmasked invalid. */
static void test_stack(gconstpointer data)
{
    static const struct {
        uint8_t tags;
        uint16_t fcw;
    } states[] = { { 0, 0x37f }, { 0xff, 0x37f }, { 2, 0x37f }, { 0, 0x37e }, { 0xff, 0x37e } };
    const Range *c = data;
    g_autofree X86Cpu *ours = g_new0(X86Cpu, 1), *host = g_new0(X86Cpu, 1);

    for (unsigned i = 0; i < G_N_ELEMENTS(states); i++) {
        memset(ours, 0, sizeof(*ours));
        x87_init(ours);
        ours->fcw = states[i].fcw;
        ours->tags = states[i].tags;
        ours->st[0] = ours->st[1] = (X87Reg){ UINT64_C(0xc000000000000000), 0x3ffd };
        memcpy(host, ours, sizeof(*host));
        portable_transcendental(ours, c->op);
        x87_transcendental(host, c->op);
        check_same(ours, host);
    }
}

/* NaNs, an unnormal and zeros, where all is exact. */
static void test_special(gconstpointer data)
{
    static const X87Reg special[] = {
        { UINT64_C(0xc000000000000000), 0x7fff },
        { UINT64_C(0xd234567800000000), 0xffff },
        { UINT64_C(0xa234567800000000), 0x7fff },
        { UINT64_C(0x4000000000000000), 0x3fff },
    };
    const Range *c = data;
    g_autofree X86Cpu *ours = g_new0(X86Cpu, 1), *host = g_new0(X86Cpu, 1);

    for (unsigned i = 0; i < G_N_ELEMENTS(special) * G_N_ELEMENTS(special); i++) {
        memset(ours, 0, sizeof(*ours));
        x87_init(ours);
        ours->tags = 3;
        ours->st[0] = special[i % G_N_ELEMENTS(special)];
        ours->st[1] = special[i / G_N_ELEMENTS(special)];
        memcpy(host, ours, sizeof(*host));
        portable_transcendental(ours, c->op);
        x87_transcendental(host, c->op);
        check_same(ours, host);
        g_assert_cmpuint(distance(*x87_st(ours, 0), *x87_st(host, 0)), ==, 0);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(approximations); i++) {
        g_test_add_data_func(approximations[i].path, &approximations[i], test_approximation);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(ranges); i++) {
        g_autofree char *path = g_strdup_printf("%s-stack", ranges[i].path);
        g_test_add_data_func(ranges[i].path, &ranges[i], test_range);
        g_test_add_data_func(path, &ranges[i], test_stack);
        g_autofree char *special = g_strdup_printf("%s-special", ranges[i].path);
        g_test_add_data_func(special, &ranges[i], test_special);
    }
    return g_test_run();
}
