/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reset, INIT and SIPI, the check of a state, the page walk, and printing.
 */
#include "engine/x86/x86.h"

#include <string.h>

#include "common/bits.h"
#include "engine/x86/registers.h"

enum { SIGNATURE = 0x800f12 };

/* ---- reset, INIT, SIPI ---- */

static void test_reset(void)
{
    for (unsigned i = 0; i < 2; i++) {
        X86State state;
        x86_state_reset(&state, i, SIGNATURE);
        g_assert_cmphex(state.rip, ==, 0xfff0);
        g_assert_cmphex(state.segment[X86_CS].base, ==, 0xffff0000);
        g_assert_cmphex(state.gpr[X86_RDX], ==, SIGNATURE);
        g_assert_cmphex(state.cr0, ==, 0x60000010);
        g_assert_cmphex(state.msr.apic_base, ==, i ? 0xfee00800 : 0xfee00900);
        g_assert_cmphex(load_le32(state.lapic.regs + X86_LAPIC_ID), ==, i << 24);
        g_assert_cmphex(load_le32(state.lapic.regs + X86_LAPIC_LVT_LINT0), ==, i ? 0x10000 : 0x700);
        g_assert_cmpint(state.activity, ==, i ? X86_WAIT_FOR_SIPI : X86_RUNNING);
        g_assert_true(x86_state_check(&state, NULL));
    }
}

static void test_sipi(void)
{
    X86State state;

    x86_state_reset(&state, 1, SIGNATURE);
    state.sipi_pending = true;
    state.sipi_vector = 0x9a;
    x86_state_settle(&state, SIGNATURE);
    g_assert_cmphex(state.segment[X86_CS].selector, ==, 0x9a00);
    g_assert_cmphex(state.segment[X86_CS].base, ==, 0x9a000);
    g_assert_cmphex(state.rip, ==, 0);
    g_assert_cmpint(state.activity, ==, X86_RUNNING);
    g_assert_false(state.sipi_pending);
    /* one that runs takes none */
    state.rip = 0x1234;
    state.sipi_pending = true;
    x86_state_settle(&state, SIGNATURE);
    g_assert_cmphex(state.rip, ==, 0x1234);
    g_assert_false(state.sipi_pending);
}

static void test_init_keeps(void)
{
    X86State state;

    x86_state_reset(&state, 1, SIGNATURE);
    state.activity = X86_RUNNING;
    state.msr.star = 7;
    state.msr.tsc_adjust = 9;
    state.fcw = 0x27f;
    state.vector[3][5] = 0xaa;
    state.cr3 = 0x1000;
    state.gpr[X86_RBX] = 5;
    state.cr0 = X86_CR0_PE | X86_CR0_ET; /* caches on */
    state.init_pending = true;
    x86_state_settle(&state, SIGNATURE);
    g_assert_cmpuint(state.msr.star, ==, 7);
    g_assert_cmpuint(state.msr.tsc_adjust, ==, 9);
    g_assert_cmphex(state.fcw, ==, 0x27f);
    g_assert_cmphex(state.vector[3][5], ==, 0xaa);
    g_assert_cmphex(state.cr3, ==, 0);
    g_assert_cmphex(state.cr0, ==, X86_CR0_ET);
    g_assert_cmphex(state.gpr[X86_RBX], ==, 0);
    g_assert_cmphex(load_le32(state.lapic.regs + X86_LAPIC_ID), ==, 1 << 24);
    g_assert_cmpint(state.activity, ==, X86_WAIT_FOR_SIPI);
}

/* ---- the check ---- */

static void v8086(X86State *s)
{
    s->cr0 |= X86_CR0_PE;
    s->rflags |= X86_RFLAGS_VM;
}
static void v8086_without_protection(X86State *s)
{
    s->rflags |= X86_RFLAGS_VM;
}
static void long_mode(X86State *s)
{
    s->cr0 |= X86_CR0_PE | X86_CR0_PG;
    s->cr4 |= X86_CR4_PAE;
    s->msr.efer = X86_EFER_LME | X86_EFER_LMA;
}
static void long_mode_pcid(X86State *s)
{
    long_mode(s);
    s->cr4 |= X86_CR4_PCIDE;
}
static void lma_alone(X86State *s)
{
    s->msr.efer = X86_EFER_LMA;
}
static void nw_without_cd(X86State *s)
{
    s->cr0 = X86_CR0_NW | X86_CR0_ET;
}
static void pae(X86State *s)
{
    s->cr0 |= X86_CR0_PE | X86_CR0_PG;
    s->cr4 |= X86_CR4_PAE;
    s->pdptr[0] = 0x1001;
}
static void pae_reserved(X86State *s)
{
    pae(s);
    s->pdptr[3] = 0x1003;
}
static void pae_absent(X86State *s)
{
    pae(s);
    s->pdptr[3] = ~UINT64_C(1);
}
static void sti_closed(X86State *s)
{
    s->shadow_sti = true;
}
static void sti_open(X86State *s)
{
    s->shadow_sti = true;
    s->rflags |= X86_RFLAGS_IF;
}
static void bsp_waits(X86State *s)
{
    s->activity = X86_WAIT_FOR_SIPI;
}
static void page_fault(X86State *s)
{
    s->exception =
        (X86Event){ .valid = true, .vector = 14, .has_error = true, .has_payload = true };
}
static void payload_of_gp(X86State *s)
{
    s->exception =
        (X86Event){ .valid = true, .vector = 13, .has_error = true, .has_payload = true };
}
static void nmi_as_exception(X86State *s)
{
    s->exception = (X86Event){ .valid = true, .vector = 2 };
}
static void soft_without_length(X86State *s)
{
    s->interrupt = (X86Event){ .valid = true, .vector = 0x80, .soft = true };
}
static void rip_high(X86State *s)
{
    s->rip = UINT64_C(1) << 32;
}
static void attributes(X86State *s)
{
    s->segment[X86_DS].attributes |= 0x0f00;
}

static const struct {
    const char *name;
    void (*change)(X86State *state);
    const char *says; /* part of the message; NULL: it is fine */
} states[] = {
    { "/x86/check/virtual-8086", v8086, NULL },
    { "/x86/check/virtual-8086-without-protection", v8086_without_protection, "RFLAGS" },
    { "/x86/check/long-mode", long_mode, NULL },
    { "/x86/check/long-mode-with-pcid", long_mode_pcid, NULL },
    { "/x86/check/lma-without-paging", lma_alone, "EFER" },
    { "/x86/check/nw-without-cd", nw_without_cd, "CR0" },
    { "/x86/check/pae", pae, NULL },
    { "/x86/check/pdptr-with-reserved-bits", pae_reserved, "PDPTR" },
    { "/x86/check/absent-pdptr-holds-anything", pae_absent, NULL },
    { "/x86/check/sti-shadow-with-if", sti_open, NULL },
    { "/x86/check/sti-shadow-without-if", sti_closed, "shadow" },
    { "/x86/check/first-vcpu-never-waits", bsp_waits, "activity" },
    { "/x86/check/page-fault-with-payload", page_fault, NULL },
    { "/x86/check/payload-of-another", payload_of_gp, "exception" },
    { "/x86/check/nmi-is-no-exception", nmi_as_exception, "exception" },
    { "/x86/check/software-interrupt-needs-its-length", soft_without_length, "interrupt" },
    { "/x86/check/rip-above-4-gib", rip_high, "RIP" },
    { "/x86/check/limit-bits-in-attributes", attributes, "segment" },
};

static void test_check(gconstpointer data)
{
    const typeof(states[0]) *c = data;
    g_autoptr(GError) error = NULL;
    X86State state;

    x86_state_reset(&state, 0, SIGNATURE);
    c->change(&state);
    bool good = x86_state_check(&state, &error);
    g_assert_cmpint(good, ==, !c->says);
    if (c->says) {
        g_assert_nonnull(strstr(error->message, c->says));
    }
}

/* ---- the walk ---- */

enum { TOP = 0x1000, SECOND = 0x2000, THIRD = 0x3000, FOURTH = 0x4000 };

static void put(GuestMemory *memory, uint64_t gpa, uint64_t value, unsigned size)
{
    g_assert_true(gm_write(memory, gpa, &value, size));
}

static void assert_walk(const GuestMemory *memory, const X86State *state, uint64_t gva,
                        uint64_t want)
{
    uint64_t gpa = 0;

    if (want == UINT64_MAX) {
        g_assert_false(x86_walk(memory, state, gva, &gpa));
    } else {
        g_assert_true(x86_walk(memory, state, gva, &gpa));
        g_assert_cmphex(gpa, ==, want);
    }
}

static void test_walk_long(void)
{
    g_autoptr(GuestMemory) memory = gm_new();
    X86State state;

    g_assert_true(gm_add_ram(memory, 0, 0x10000, NULL));
    x86_state_reset(&state, 0, SIGNATURE);
    assert_walk(memory, &state, 0x123456789, 0x23456789); /* no paging */
    long_mode(&state);
    state.cr3 = TOP | 0x18; /* cache bits don't matter */
    put(memory, TOP + 511 * 8, SECOND | 1, 8);
    put(memory, SECOND + 8, THIRD | 1, 8);
    put(memory, SECOND + 16, UINT64_C(0x40000000) | 0x81, 8);
    put(memory, THIRD, FOURTH | 1, 8);
    put(memory, THIRD + 8, 0x600000 | 0x81, 8);
    put(memory, THIRD + 16, UINT64_C(0x100000000000) | 1, 8); /* a table outside RAM */
    put(memory, FOURTH + 8, (UINT64_C(1) << 63) | 0x5000 | 1, 8);
    assert_walk(memory, &state, UINT64_C(0xffffff8040001234), 0x5234);
    assert_walk(memory, &state, UINT64_C(0xffffff8040000234), UINT64_MAX);
    assert_walk(memory, &state, UINT64_C(0xffffff8040212345), 0x612345);
    assert_walk(memory, &state, UINT64_C(0xffffff8092345678), 0x52345678);
    assert_walk(memory, &state, UINT64_C(0xffffff8040400000), UINT64_MAX);
    assert_walk(memory, &state, UINT64_C(0x0000ff8040001234), UINT64_MAX); /* not canonical */
}

static void test_walk_legacy(void)
{
    g_autoptr(GuestMemory) memory = gm_new();
    X86State state;

    g_assert_true(gm_add_ram(memory, 0, 0x10000, NULL));
    x86_state_reset(&state, 0, SIGNATURE);
    state.cr0 |= X86_CR0_PE | X86_CR0_PG;
    state.cr3 = TOP;
    put(memory, TOP + 4, SECOND | 1, 4);
    put(memory, TOP + 8, 0x00c00000 | 3 << 13 | 0x81, 4); /* PSE-36: bits 33:32 */
    put(memory, SECOND + 8, 0x7001, 4);
    assert_walk(memory, &state, 0x402abc, 0x7abc);
    assert_walk(memory, &state, 0x812345, UINT64_MAX); /* no PSE: a table, outside RAM */
    state.cr4 = X86_CR4_PSE;
    assert_walk(memory, &state, 0x812345, UINT64_C(0x300c12345));
    assert_walk(memory, &state, 0x0, UINT64_MAX);
}

static void test_walk_pae(void)
{
    g_autoptr(GuestMemory) memory = gm_new();
    X86State state;

    g_assert_true(gm_add_ram(memory, 0, 0x10000, NULL));
    x86_state_reset(&state, 0, SIGNATURE);
    pae(&state);
    state.pdptr[0] = 0;
    state.pdptr[2] = SECOND | 1; /* memory isn't looked at: CR3 is 0 */
    put(memory, SECOND, THIRD | 1, 8);
    put(memory, THIRD + 16, UINT64_C(0x900008001), 8);
    assert_walk(memory, &state, 0x80002010, UINT64_C(0x900008010));
    assert_walk(memory, &state, 0x2010, UINT64_MAX);
}

/* ---- text ---- */

static void test_print(void)
{
    X86State state;

    x86_state_reset(&state, 0, SIGNATURE);
    state.exception = (X86Event){ .valid = true, .vector = 14, .has_error = true, .error_code = 7 };
    state.activity = (X86Activity)9; /* from a hostile file */
    g_autofree char *text = x86_state_print(&state);
    g_assert_nonnull(strstr(text, "rip 000000000000fff0"));
    g_assert_nonnull(strstr(text, "cs   f000 base 00000000ffff0000"));
    g_assert_nonnull(strstr(text, "exception pending: 14 #PF error 7"));
    g_assert_cmpstr(x86_exception_name(13), ==, "#GP");
    g_assert_null(x86_exception_name(15));
    g_assert_null(x86_exception_name(4711));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/x86/reset", test_reset);
    g_test_add_func("/x86/sipi-starts-who-waits", test_sipi);
    g_test_add_func("/x86/init-keeps-what-it-must", test_init_keeps);
    for (size_t i = 0; i < G_N_ELEMENTS(states); i++) {
        g_test_add_data_func(states[i].name, &states[i], test_check);
    }
    g_test_add_func("/x86/walk/long-mode", test_walk_long);
    g_test_add_func("/x86/walk/32-bit", test_walk_legacy);
    g_test_add_func("/x86/walk/pae", test_walk_pae);
    g_test_add_func("/x86/print", test_print);
    return g_test_run();
}
