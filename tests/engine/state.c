/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole CPU state: what is set comes back, each item between two instructions has its effect,
 * what can't be is refused, and a guest stopped anywhere goes on elsewhere.
 */
#include <string.h>

#include "bench.h"
#include "common/bits.h"
#include "guests.h"

enum { HANDLER = 0xa000 };

/* ---- round trips ---- */

/* A field of X86State that must come back as it was set. */
static const struct {
    const char *name;
    size_t offset, size;
} fields[] = {
#define FIELD(field)                                                                               \
    {                                                                                              \
#field, offsetof(X86State, field), sizeof(((X86State *)0)->field)                          \
    }
    FIELD(gpr),
    FIELD(rip),
    FIELD(rflags),
    FIELD(cr0),
    FIELD(cr2),
    FIELD(cr3),
    FIELD(cr4),
    FIELD(cr8),
    FIELD(xcr0),
    FIELD(dr),
    FIELD(dr6),
    FIELD(dr7),
    FIELD(st),
    FIELD(fcw),
    FIELD(fsw),
    FIELD(ftw),
    FIELD(mxcsr),
    FIELD(vector),
    FIELD(gdtr.base),
    FIELD(gdtr.limit),
    FIELD(idtr.base),
    FIELD(idtr.limit),
    FIELD(msr.efer),
    FIELD(msr.star),
    FIELD(msr.lstar),
    FIELD(msr.cstar),
    FIELD(msr.fmask),
    FIELD(msr.kernel_gs_base),
    FIELD(msr.sysenter_cs),
    FIELD(msr.sysenter_esp),
    FIELD(msr.sysenter_eip),
    FIELD(msr.tsc_aux),
    FIELD(msr.apic_base),
    FIELD(msr.pat),
    FIELD(msr.mtrr_def_type),
    FIELD(msr.mtrr_fixed),
    FIELD(msr.mtrr_base),
    FIELD(msr.mtrr_mask),
    FIELD(msr.tsc_adjust),
    FIELD(activity),
    FIELD(nmi_pending),
    FIELD(nmi_blocked),
    FIELD(shadow_sti),
    FIELD(shadow_mov_ss),
    FIELD(exception.valid),
    FIELD(exception.vector),
    FIELD(exception.has_error),
    FIELD(exception.error_code),
    FIELD(interrupt.valid),
    FIELD(interrupt.vector),
#undef FIELD
};

static void assert_segment(const char *name, const X86Segment *got, const X86Segment *want)
{
    /* accessed and busy bits of a loaded segment are set in any case */
    if (got->base != want->base || got->limit != want->limit || got->selector != want->selector ||
        (got->attributes | 1) != (want->attributes | 1)) {
        g_test_message("%s: got %x %" G_GINT64_MODIFIER "x %x %x, want %x %" G_GINT64_MODIFIER
                       "x %x %x",
                       name, got->selector, got->base, got->limit, got->attributes, want->selector,
                       want->base, want->limit, want->attributes);
        g_test_fail();
    }
}

static void print_bytes(const char *what, const uint8_t *bytes, size_t size)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (size_t i = 0; i < MIN(size, 64); i++) {
        g_string_append_printf(text, "%02x", bytes[i]);
    }
    g_test_message("%s %s", what, text->str);
}

static void assert_same(const X86State *got, const X86State *want)
{
    static const char *const names[] = { "es", "cs", "ss", "ds", "fs", "gs" };

    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
        const uint8_t *g = (const uint8_t *)got + fields[i].offset;
        const uint8_t *w = (const uint8_t *)want + fields[i].offset;
        if (memcmp(g, w, fields[i].size)) {
            g_test_message("field %s did not come back", fields[i].name);
            print_bytes("got ", g, fields[i].size);
            print_bytes("want", w, fields[i].size);
            g_test_fail();
        }
    }
    for (unsigned i = 0; i < X86_SEGMENTS; i++) {
        assert_segment(names[i], &got->segment[i], &want->segment[i]);
    }
    assert_segment("ldtr", &got->ldtr, &want->ldtr);
    assert_segment("tr", &got->tr, &want->tr);
}

/* A running long-mode state with a different value in each register. */
static void fill_distinct(Bench *bench, X86State *state)
{
    bench_fill_state(bench, 0, BENCH_LONG, state);
    for (unsigned i = 0; i < 16; i++) {
        state->gpr[i] = UINT64_C(0x1111111111111111) * i + 7;
        memset(state->vector[i], (int)(0x40 + i), 16);
    }
    state->gpr[X86_RSP] = BENCH_STACK;
    state->rflags |= 0xad5; /* CF PF AF ZF SF IF OF */
    state->cr2 = UINT64_C(0xffff800012345678);
    state->cr8 = 5;
    store_le32(state->lapic.regs + X86_LAPIC_TPR, 0x50);
    for (unsigned i = 0; i < 4; i++) {
        state->dr[i] = 0x50000 + i * 16;
    }
    state->dr6 = 0xffff0ff1;
    for (unsigned i = 0; i < 8; i++) {
        memset(state->st[i], (int)(0x10 + i), 10);
        state->st[i][9] = 0x3f;
        state->st[i][7] |= 0x80; /* a normal number */
    }
    state->fcw = 0x027f;
    state->fsw = 0x3800;
    state->ftw = 0xff;
    state->mxcsr = 0x1fa0;
    state->msr.star = UINT64_C(0x0018000800000000);
    state->msr.lstar = UINT64_C(0xffffffff81234560);
    state->msr.cstar = 0x1230;
    state->msr.fmask = 0x47700;
    state->msr.kernel_gs_base = UINT64_C(0xffff888000001000);
    state->msr.sysenter_cs = 8;
    state->msr.sysenter_esp = 0x9990;
    state->msr.sysenter_eip = 0x80001000; /* AMD keeps 32 bits */
    state->msr.tsc_aux = 0x1003;
    state->msr.tsc_adjust = 0x123456789;
    state->msr.tsc += 0x123456789;
    state->segment[X86_FS].base = UINT64_C(0x00007f1122334000);
    state->segment[X86_GS].base = UINT64_C(0xffff888000002000);
    state->ldtr = (X86Segment){ 0x6000, 0x2f, 0x30, 0x82 };
}

static void registers_come_back(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State want, got;

    fill_distinct(bench, &want);
    bench_set(bench, 0, &want);
    bench_get(bench, 0, &got);
    assert_same(&got, &want);
    g_assert_cmpuint(got.msr.tsc, >=, want.msr.tsc);
    g_assert_cmpuint(load_le32(got.lapic.regs + X86_LAPIC_TPR), ==, 0x50);
}

/* And the guest itself finds them there. */
static void registers_are_seen(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;
    uint8_t fx[512];

    BENCH_LOAD(bench, dump);
    fill_distinct(bench, &state);
    bench_set(bench, 0, &state);
    bench_run_to_stop(bench, 0);
    for (unsigned i = 0; i < 16; i++) {
        g_assert_cmphex(bench_peek(bench, BENCH_DATA + i * 8), ==, state.gpr[i]);
    }
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 128), ==, state.rflags);
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 136), ==, state.cr8);
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 144), ==, state.cr2);
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 152), ==, state.dr6);
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 160), ==, state.dr[0]);
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 168), ==, state.msr.lstar);
    gm_read(bench->memory, BENCH_DATA + 0x400, fx, sizeof(fx));
    g_assert_cmphex(load_le16(fx), ==, state.fcw);
    g_assert_cmphex(load_le16(fx + 2), ==, state.fsw);
    g_assert_cmphex(fx[4], ==, state.ftw);
    g_assert_cmphex(load_le32(fx + 24), ==, state.mxcsr);
    for (unsigned i = 0; i < 8; i++) {
        g_assert_cmpmem(fx + 32 + i * 16, 10, state.st[i], 10);
    }
    for (unsigned i = 0; i < 16; i++) {
        g_assert_cmpmem(fx + 160 + i * 16, 16, state.vector[i], 16);
    }
}

static void after_power_on(const Engine *engine)
{
    const BenchOptions options = { .cpus = 2 };
    g_autoptr(Bench) bench = bench_new(engine, &options);
    X86State state;

    for (unsigned i = 0; i < 2; i++) {
        bench_get(bench, i, &state);
        g_assert_cmphex(state.segment[X86_CS].selector, ==, 0xf000);
        g_assert_cmphex(state.segment[X86_CS].base, ==, 0xffff0000);
        g_assert_cmphex(state.rip, ==, 0xfff0);
        g_assert_cmphex(state.rflags, ==, 2);
        g_assert_cmphex(state.cr0, ==, 0x60000010);
        g_assert_cmphex(state.dr6, ==, 0xffff0ff0);
        g_assert_cmphex(state.xcr0, ==, 1);
        g_assert_cmphex(state.mxcsr, ==, 0x1f80);
        g_assert_cmphex(state.msr.pat, ==, UINT64_C(0x0007040600070406));
        g_assert_cmphex(state.msr.apic_base, ==, i ? 0xfee00800 : 0xfee00900);
        g_assert_cmphex(load_le32(state.lapic.regs + X86_LAPIC_ID), ==, i << 24);
        g_assert_cmpint(state.activity, ==, i ? X86_WAIT_FOR_SIPI : X86_RUNNING);
        g_assert_cmphex(state.gpr[X86_RDX], !=, 0);
    }
}

/* ---- what can't be is refused ---- */

static void bad_cr0(X86State *s)
{
    s->cr0 = X86_CR0_PG;
}
static void bad_cr0_high(X86State *s)
{
    s->cr0 |= UINT64_C(1) << 40;
}
static void bad_cr4(X86State *s)
{
    s->cr4 |= UINT64_C(1) << 40;
}
static void bad_pcide(X86State *s)
{
    s->cr0 = X86_CR0_PE | X86_CR0_ET;
    s->msr.efer = 0;
    s->cr4 = X86_CR4_PCIDE;
}
static void bad_efer(X86State *s)
{
    s->msr.efer &= ~X86_EFER_LMA;
}
static void bad_no_pae(X86State *s)
{
    s->cr4 &= ~X86_CR4_PAE;
}
static void bad_rflags(X86State *s)
{
    s->rflags = 0x8002;
}
static void bad_v8086(X86State *s)
{
    s->rflags |= X86_RFLAGS_VM;
}
static void bad_rip(X86State *s)
{
    s->rip = UINT64_C(0x4000000000000000);
}
static void bad_cs(X86State *s)
{
    s->segment[X86_CS].attributes |= X86_SEG_DB;
}
static void bad_fs(X86State *s)
{
    s->segment[X86_FS].base = UINT64_C(0x4000000000000000);
}
static void bad_idtr(X86State *s)
{
    s->idtr.base = UINT64_C(0x4000000000000000);
}
static void bad_dr7(X86State *s)
{
    s->dr7 |= UINT64_C(1) << 33;
}
static void bad_xcr0(X86State *s)
{
    s->xcr0 = 5;
}
static void bad_mxcsr(X86State *s)
{
    s->mxcsr |= 0x10000;
}
static void bad_pat(X86State *s)
{
    s->msr.pat = 2;
}
static void bad_lstar(X86State *s)
{
    s->msr.lstar = UINT64_C(0x4000000000000000);
}
static void bad_apic_base(X86State *s)
{
    s->msr.apic_base = (s->msr.apic_base & ~X86_APIC_ENABLE) | X86_APIC_EXTD;
}
static void bad_exception(X86State *s)
{
    s->exception = (X86Event){ .valid = true, .vector = 40 };
}
static void bad_exception_error(X86State *s)
{
    s->exception = (X86Event){ .valid = true, .vector = 6, .has_error = true };
}
static void bad_shadows(X86State *s)
{
    s->rflags |= X86_RFLAGS_IF;
    s->shadow_sti = s->shadow_mov_ss = true;
}
static void bad_halt(X86State *s)
{
    s->activity = X86_HALTED;
    s->shadow_mov_ss = true;
}
static void bad_activity(X86State *s)
{
    s->activity = (X86Activity)17;
}
static void bad_cr8(X86State *s)
{
    s->cr8 = 16;
}

static const struct {
    const char *name;
    void (*spoil)(X86State *state);
} bad_states[] = {
    { "paging without protection", bad_cr0 },
    { "CR0 above 32 bits", bad_cr0_high },
    { "a reserved bit of CR4", bad_cr4 },
    { "PCIDE outside long mode", bad_pcide },
    { "LME and PG without LMA", bad_efer },
    { "long mode without PAE", bad_no_pae },
    { "a reserved flag", bad_rflags },
    { "virtual 8086 in long mode", bad_v8086 },
    { "a rip that is not canonical", bad_rip },
    { "CS both 64 and 32 bits", bad_cs },
    { "an FS base that is not canonical", bad_fs },
    { "an IDT that is not canonical", bad_idtr },
    { "DR7 above 32 bits", bad_dr7 },
    { "AVX without SSE in XCR0", bad_xcr0 },
    { "a reserved bit of MXCSR", bad_mxcsr },
    { "a reserved type in PAT", bad_pat },
    { "an LSTAR that is not canonical", bad_lstar },
    { "x2APIC while disabled", bad_apic_base },
    { "exception 40", bad_exception },
    { "an error code of #UD", bad_exception_error },
    { "both shadows", bad_shadows },
    { "halted in a shadow", bad_halt },
    { "an unknown activity", bad_activity },
    { "CR8 above 15", bad_cr8 },
};

static void bad_is_refused(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State before, after, bad;

    fill_distinct(bench, &before);
    bench_set(bench, 0, &before);
    for (size_t i = 0; i < G_N_ELEMENTS(bad_states); i++) {
        g_autoptr(GError) error = NULL;
        fill_distinct(bench, &bad);
        bad.gpr[X86_RAX] = 0xbad;
        bad.msr.star = 0xbad;
        bad_states[i].spoil(&bad);
        if (engine->vcpu_set_state(bench->vcpu[0], &bad, &error)) {
            g_test_message("accepted: %s", bad_states[i].name);
            g_test_fail();
            bench_set(bench, 0, &before);
        } else {
            g_assert_nonnull(error);
        }
        bench_get(bench, 0, &after);
        assert_same(&after, &before);
    }
}

/* ---- between two instructions ---- */

/* Load the handler for @vector, switch the LAPIC on in @state, note that EOI isn't wanted. */
static void prepare_handler(Bench *bench, unsigned vector, X86State *state)
{
    gm_write(bench->memory, HANDLER, guest_handler, (size_t)(guest_handler_end - guest_handler));
    bench_handler(bench, BENCH_LONG, vector, HANDLER);
    store_le32(state->lapic.regs + X86_LAPIC_SVR, 0x1ff);
    bench_poke(bench, BENCH_DATA + 0x1f8, 1);
}

static uint64_t interrupted_rip(Bench *bench)
{
    return bench_peek(bench, BENCH_DATA + 0x100);
}

/* A shadow holds an interrupt back for exactly one instruction. */
static void shadow(const Engine *engine, bool sti)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state, got;

    BENCH_LOAD(bench, steps);
    bench_fill_state(bench, 0, BENCH_LONG, &state);
    prepare_handler(bench, 0x45, &state);
    bench_set(bench, 0, &state);
    engine->vm_msi(bench->vm, 0xfee00000, 0x45);
    bench_get(bench, 0, &state); /* with the interrupt requested in the LAPIC */
    state.rflags |= X86_RFLAGS_IF;
    state.shadow_sti = sti;
    state.shadow_mov_ss = !sti;
    bench_set(bench, 0, &state);
    bench_get(bench, 0, &got);
    g_assert_true(got.shadow_sti || got.shadow_mov_ss);
    bench_run_to_stop(bench, 0);
    g_assert_cmphex(interrupted_rip(bench), ==, BENCH_CODE + 3); /* behind one INC */
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 0x118), ==, 1);
}

static void shadow_of_sti(const Engine *engine)
{
    shadow(engine, true);
}

static void shadow_of_mov_ss(const Engine *engine)
{
    shadow(engine, false);
}

static void no_shadow(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    BENCH_LOAD(bench, steps);
    bench_fill_state(bench, 0, BENCH_LONG, &state);
    prepare_handler(bench, 0x45, &state);
    state.rflags |= X86_RFLAGS_IF;
    bench_set(bench, 0, &state);
    engine->vm_msi(bench->vm, 0xfee00000, 0x45);
    bench_run_to_stop(bench, 0);
    g_assert_cmphex(interrupted_rip(bench), ==, BENCH_CODE);
}

/* A pending NMI is taken first; a blocked one only after IRET. */
static void nmi_pending(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    BENCH_LOAD(bench, steps);
    bench_fill_state(bench, 0, BENCH_LONG, &state);
    prepare_handler(bench, 2, &state);
    state.nmi_pending = true;
    bench_set(bench, 0, &state);
    bench_get(bench, 0, &state);
    g_assert_true(state.nmi_pending);
    bench_run_to_stop(bench, 0);
    g_assert_cmphex(interrupted_rip(bench), ==, BENCH_CODE);
    bench_get(bench, 0, &state);
    g_assert_true(state.nmi_blocked);
    g_assert_false(state.nmi_pending);
    bench_clear_log(bench);
    bench_run_to_stop(bench, 0); /* IRET, and on to the end */
    bench_get(bench, 0, &state);
    g_assert_false(state.nmi_blocked);
}

static void nmi_blocked(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    BENCH_LOAD(bench, iret_later);
    bench_fill_state(bench, 0, BENCH_LONG, &state);
    prepare_handler(bench, 2, &state);
    state.nmi_blocked = state.nmi_pending = true;
    bench_set(bench, 0, &state);
    bench_get(bench, 0, &state);
    g_assert_true(state.nmi_pending && state.nmi_blocked);
    bench_run_to_stop(bench, 0);
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 8), ==, 100);     /* all rounds first */
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 0x118), ==, 100); /* rbx at the NMI */
}

/* An exception that was raised and not delivered. */
static void exception_pending(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    BENCH_LOAD(bench, steps);
    bench_fill_state(bench, 0, BENCH_LONG, &state);
    prepare_handler(bench, 13, &state);
    state.exception =
        (X86Event){ .valid = true, .vector = 13, .has_error = true, .error_code = 0x1234 };
    bench_set(bench, 0, &state);
    bench_get(bench, 0, &state);
    g_assert_true(state.exception.valid);
    g_assert_cmphex(state.exception.error_code, ==, 0x1234);
    bench_run_to_stop(bench, 0);
    /* an error code stands where rip stands otherwise */
    g_assert_cmphex(interrupted_rip(bench), ==, 0x1234);
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 0x108), ==, BENCH_CODE);
}

/* The same with what it will write to CR2. */
static void exception_with_payload(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    BENCH_LOAD(bench, steps);
    bench_fill_state(bench, 0, BENCH_LONG, &state);
    prepare_handler(bench, 14, &state);
    state.cr2 = 0x1111;
    state.exception = (X86Event){ .valid = true,
                                  .vector = 14,
                                  .has_error = true,
                                  .error_code = 2,
                                  .has_payload = true,
                                  .payload = 0xabcdef };
    bench_set(bench, 0, &state);
    bench_run_to_stop(bench, 0);
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 0x110), ==, 0xabcdef);
    g_assert_cmphex(interrupted_rip(bench), ==, 2);
}

static void interrupt_accepted(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    BENCH_LOAD(bench, steps);
    bench_fill_state(bench, 0, BENCH_LONG, &state);
    prepare_handler(bench, 0x55, &state);
    state.rflags |= X86_RFLAGS_IF;
    state.interrupt = (X86Event){ .valid = true, .vector = 0x55 };
    bench_set(bench, 0, &state);
    bench_get(bench, 0, &state);
    g_assert_true(state.interrupt.valid);
    g_assert_cmphex(state.interrupt.vector, ==, 0x55);
    bench_run_to_stop(bench, 0);
    g_assert_cmphex(interrupted_rip(bench), ==, BENCH_CODE);
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 0x120), ==, 1);
}

static void halted_comes_back(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;
    VcpuExit exit;

    BENCH_LOAD(bench, steps);
    bench_fill_state(bench, 0, BENCH_LONG, &state);
    prepare_handler(bench, 0x45, &state);
    state.rflags |= X86_RFLAGS_IF;
    state.activity = X86_HALTED;
    bench_set(bench, 0, &state);
    bench_get(bench, 0, &state);
    g_assert_cmpint(state.activity, ==, X86_HALTED);
    engine->vcpu_kick(bench->vcpu[0]);
    bench_run(bench, 0, &exit);
    g_assert_cmpint(exit.reason, ==, VCPU_EXIT_KICKED);
    bench_get(bench, 0, &state);
    g_assert_cmpint(state.activity, ==, X86_HALTED); /* a kick doesn't wake it */
    g_assert_cmphex(state.gpr[X86_RBX], ==, 0);
    engine->vm_msi(bench->vm, 0xfee00000, 0x45);
    bench_run_to_stop(bench, 0);
    g_assert_cmphex(interrupted_rip(bench), ==, BENCH_CODE);
}

static void hlt_halts(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;
    VcpuExit exit;

    BENCH_LOAD(bench, stop64); /* ends in HLT */
    bench_start(bench, 0, BENCH_LONG, 0);
    bench_run_to_stop(bench, 0);
    bench_get(bench, 0, &state);
    g_assert_cmpint(state.activity, ==, X86_RUNNING);
    bench_run_for(bench, 0, NS_PER_SECOND / 10, &exit);
    bench_get(bench, 0, &state);
    g_assert_cmpint(state.activity, ==, X86_HALTED);
    g_assert_cmphex(state.rip, ==, BENCH_CODE + (uint64_t)(guest_stop64_end - guest_stop64));
}

/* ---- waiting for SIPI ---- */

static void ap_is_at_sipi(Bench *bench)
{
    X86State state;

    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 0x300) & 0xffffffff, ==, 0x09005a5a);
    bench_get(bench, 1, &state);
    g_assert_cmphex(state.segment[X86_CS].base, ==, 0x9000);
    g_assert_cmpint(state.activity, ==, X86_RUNNING);
}

static void load_ap(Bench *bench)
{
    gm_write(bench->memory, 0x9000, guest_ap, (size_t)(guest_ap_end - guest_ap));
}

static void sipi_starts(const Engine *engine)
{
    const BenchOptions options = { .cpus = 2 };
    g_autoptr(Bench) bench = bench_new(engine, &options);
    X86State state;

    load_ap(bench);
    bench_get(bench, 1, &state);
    g_assert_cmpint(state.activity, ==, X86_WAIT_FOR_SIPI);
    bench_set(bench, 1, &state);
    BENCH_LOAD(bench, start_ap);
    bench_start(bench, 0, BENCH_LONG, 0);
    bench_run_to_stop(bench, 0);
    bench_run_to_stop(bench, 1);
    ap_is_at_sipi(bench);
}

static void sipi_pending_starts(const Engine *engine)
{
    const BenchOptions options = { .cpus = 2 };
    g_autoptr(Bench) bench = bench_new(engine, &options);
    X86State state;

    load_ap(bench);
    bench_get(bench, 1, &state);
    state.sipi_pending = true;
    state.sipi_vector = 9;
    bench_set(bench, 1, &state);
    bench_run_to_stop(bench, 1);
    ap_is_at_sipi(bench);
}

/* INIT then SIPI, both pending at a running vCPU: it starts over. */
static void init_pending_restarts(const Engine *engine)
{
    const BenchOptions options = { .cpus = 2 };
    g_autoptr(Bench) bench = bench_new(engine, &options);
    X86State state;

    load_ap(bench);
    bench_fill_state(bench, 1, BENCH_LONG, &state);
    state.init_pending = state.sipi_pending = true;
    state.sipi_vector = 9;
    bench_set(bench, 1, &state);
    bench_run_to_stop(bench, 1);
    ap_is_at_sipi(bench);
    bench_get(bench, 1, &state);
    g_assert_cmphex(state.msr.efer, ==, 0);
    g_assert_cmphex(state.cr3, ==, 0);
}

/* ---- half-done instructions ---- */

/* REP OUTSB kicked over and over: each byte goes out once, in order. */
static void rep_outs_in_pieces(const Engine *engine)
{
    enum { COUNT = 3000 };
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;
    VcpuExit exit;
    unsigned runs = 0;

    BENCH_LOAD(bench, rep_outs);
    bench_fill_state(bench, 0, BENCH_LONG, &state);
    state.gpr[X86_RSI] = BENCH_DATA;
    state.gpr[X86_RCX] = COUNT;
    state.gpr[X86_RDX] = 0x100;
    for (unsigned i = 0; i < COUNT; i++) {
        uint8_t byte = (uint8_t)(i * 7);
        gm_write(bench->memory, BENCH_DATA + i, &byte, 1);
    }
    bench_set(bench, 0, &state);
    do {
        engine->vcpu_kick(bench->vcpu[0]);
        bench_run(bench, 0, &exit);
        bench_get(bench, 0, &state); /* each time through the whole state */
        bench_set(bench, 0, &state);
        bench_run_for(bench, 0, 20000, &exit);
        bench_get(bench, 0, &state);
        bench_set(bench, 0, &state);
        runs++;
    } while (state.rip < BENCH_CODE + 4 && runs < 100000);
    unsigned n = bench->n_log;
    g_test_message("%u pieces", runs);
    for (unsigned i = 0; i < COUNT && i < n; i++) {
        g_assert_cmphex(bench_log(bench, i).value, ==, (uint8_t)(i * 7));
    }
    g_assert_cmpuint(n, >=, COUNT);
    g_assert_cmphex(state.gpr[X86_RCX], ==, 0);
}

/* A REP MOVSB that was stopped half-way goes on where it was. */
static void rep_movs_goes_on(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    BENCH_LOAD(bench, rep_movs);
    bench_fill_state(bench, 0, BENCH_LONG, &state);
    state.rip += 1; /* at the REP, CLD done */
    state.gpr[X86_RSI] = BENCH_DATA + 4;
    state.gpr[X86_RDI] = BENCH_DATA + 0x100 + 4;
    state.gpr[X86_RCX] = 4;
    bench_poke(bench, BENCH_DATA, UINT64_C(0x8877665544332211));
    bench_set(bench, 0, &state);
    bench_run_to_stop(bench, 0);
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 0x100), ==, UINT64_C(0x8877665500000000));
}

/* ---- PAE ---- */

/* The CPU goes by the PDPTRs that it loaded, not by memory.  (AMD's nested paging reads memory
 * again, so KVM there can't keep this; what must hold everywhere is that they come back.) */
static void pdptrs_come_back(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state, got;

    BENCH_LOAD(bench, pae_read);
    bench_poke(bench, BENCH_DATA, 0x5a5a);
    bench_fill_state(bench, 0, BENCH_FLAT32, &state);
    state.cr0 |= X86_CR0_PG;
    state.cr4 = X86_CR4_PAE;
    state.cr3 = BENCH_TABLES + 0x6000;
    for (unsigned i = 0; i < 4; i++) {
        state.pdptr[i] = bench_peek(bench, state.cr3 + i * 8);
    }
    bench_set(bench, 0, &state);
    bench_get(bench, 0, &got);
    g_assert_cmpmem(got.pdptr, sizeof(got.pdptr), state.pdptr, sizeof(state.pdptr));
    if (!bench_is_kvm(engine)) {
        bench_poke(bench, state.cr3, 0); /* the CPU must not care */
    }
    bench_run_to_stop(bench, 0);
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 0x10) & 0xffffffff, ==, 0x5a5a);
}

/* ---- save here, restore there ---- */

/* A guest that is stopped twice; between the stops it moves to @to. */
static void move(const Engine *from, const Engine *to)
{
    g_autoptr(Bench) first = bench_new(from, NULL);
    g_autoptr(Bench) second = bench_new(to, NULL);
    X86State state, got;

    BENCH_LOAD(first, dump);
    fill_distinct(first, &state);
    bench_set(first, 0, &state);
    bench_get(first, 0, &state);
    BENCH_LOAD(second, dump);
    GError *error = NULL;
    if (!to->vcpu_set_state(second->vcpu[0], &state, &error)) {
        g_test_message("%s to %s refused: %s", from->name, to->name, error->message);
        g_clear_error(&error);
        return; /* a refusal by features is allowed (decisions.md 15) */
    }
    bench_get(second, 0, &got);
    assert_same(&got, &state);
    bench_run_to_stop(second, 0);
    g_assert_cmphex(bench_peek(second, BENCH_DATA + 24), ==, state.gpr[X86_RBX]);
}

static void moves_between_engines(const Engine *engine)
{
    const Engine *const *all = engine_list();

    for (unsigned i = 0; all[i]; i++) {
        g_autofree char *why = NULL;
        bool (*probe)(char **) = all[i]->probe_asked ?: all[i]->probe;
        if (probe(&why)) {
            move(engine, all[i]);
        }
    }
}

const BenchCase state_cases[] = {
    { "state/registers-come-back", registers_come_back },
    { "state/the-guest-sees-what-was-set", registers_are_seen },
    { "state/after-power-on", after_power_on },
    { "state/what-cant-be-is-refused", bad_is_refused },
    { "state/sti-shadow-lasts-one-instruction", shadow_of_sti },
    { "state/mov-ss-shadow-lasts-one-instruction", shadow_of_mov_ss },
    { "state/no-shadow-no-delay", no_shadow },
    { "state/pending-nmi-is-taken-and-blocks", nmi_pending },
    { "state/blocked-nmi-waits-for-iret", nmi_blocked },
    { "state/raised-exception-is-delivered", exception_pending },
    { "state/payload-reaches-cr2", exception_with_payload },
    { "state/accepted-interrupt-is-delivered", interrupt_accepted },
    { "state/halted-comes-back", halted_comes_back },
    { "state/hlt-halts", hlt_halts },
    { "state/init-sipi-start-a-vcpu", sipi_starts },
    { "state/pending-sipi-starts", sipi_pending_starts },
    { "state/pending-init-starts-over", init_pending_restarts },
    { "state/rep-outs-in-pieces", rep_outs_in_pieces },
    { "state/rep-movs-goes-on", rep_movs_goes_on },
    { "state/pdptrs-come-back", pdptrs_come_back },
    { "state/moves-between-engines", moves_between_engines },
    { 0 },
};
