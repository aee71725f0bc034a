/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The differential test of the x86 guest against this host's CPU, see diff.h.
 *
 *   diff_test [--sequences N] [--seed N] [--only NAME,...] [--report] [--keep-going N]
 *             [--interpret]
 *
 * Prints TAP; a difference is shown with the sequence, its start and both ends.  A run is repeated
 * with the seed that it prints.
 *
 * Threads: one.
 */
#include <Zydis/Zydis.h>
#include <cpuid.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/bits.h"
#include "diff.h"
#include "engine/dbt/guest/x86/x86.h"
#include "engine/dbt/host/interp/interp.h"
#include "engine/dbt/host/native.h"

static const char *const gpr_names[16] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                           "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };

typedef struct Options {
    int64_t sequences, seed;
    int keep_going;
    char *only;
    gboolean report, interpret, check;
} Options;

/* --- showing ---------------------------------------------------------------------------------- */

static void show_code(const DiffSequence *sequence)
{
    uint64_t at = sequence->in.rip;
    unsigned offset = 0;

    for (unsigned i = 0; i < sequence->n_insns; i++) {
        ZydisDisassembledInstruction insn;
        ZydisMachineMode mode = sequence->mode == X86_MODE64 ? ZYDIS_MACHINE_MODE_LONG_64
                                                             : ZYDIS_MACHINE_MODE_LONG_COMPAT_32;
        X86Insn ours;
        x86_decode(sequence->code + offset, DIFF_SLOT - offset, sequence->mode, &ours);
        bool known = ZYAN_SUCCESS(ZydisDisassembleIntel(mode, at + offset, sequence->code + offset,
                                                        DIFF_SLOT - offset, &insn));
        printf("#   %" PRIx64 ":", at + offset);
        for (unsigned b = 0; b < ours.length; b++) {
            printf(" %02x", sequence->code[offset + b]);
        }
        printf("  %s\n", known ? insn.text : "(unknown)");
        offset += ours.length;
    }
}

static void show_start(const DiffState *in)
{
    for (unsigned i = 0; i < 16; i++) {
        printf("%s%-3s %016" PRIx64, i % 4 ? " " : "#   ", gpr_names[i], in->gpr[i]);
        printf("%s", i % 4 == 3 ? "\n" : "");
    }
    printf("#   flags %" PRIx64 ", mxcsr %x, fcw %x\n", in->rflags, load_le32(in->fxsave + 24),
           load_le16(in->fxsave));
}

static void show_number(const char *name, uint64_t in, uint64_t native, uint64_t guest)
{
    printf("#   %-8s %016" PRIx64 " -> CPU %016" PRIx64 ", translator %016" PRIx64 "\n", name, in,
           native, guest);
}

/* --- comparing -------------------------------------------------------------------------------- */

typedef struct Comparison {
    const DiffSequence *sequence;
    const uint8_t *guest_data;
    bool twin; /* of 64-bit code: registers have 32 bits */
    bool show;
    unsigned differences;
} Comparison;

static void compare_number(Comparison *c, const char *name, uint64_t in, uint64_t native,
                           uint64_t guest)
{
    if (native != guest) {
        c->differences++;
        if (c->show) {
            show_number(name, in, native, guest);
        }
    }
}

static void compare_upper(Comparison *c)
{
    char name[16];

    for (unsigned i = 0; i < DIFF_UPPER / 8; i++) {
        g_snprintf(name, sizeof(name), "ymm%u%s", i / 2, i & 1 ? "h" : "l");
        compare_number(c, name, load_le64(c->sequence->in.upper + 8 * i),
                       load_le64(c->sequence->native.upper + 8 * i),
                       load_le64(c->sequence->guest.upper + 8 * i));
    }
}

/* Of the FXSAVE image; parts without meaning are left out. */
static void compare_fpu(Comparison *c)
{
    const uint8_t *in = c->sequence->in.fxsave, *native = c->sequence->native.fxsave;
    const uint8_t *guest = c->sequence->guest.fxsave;
    char name[16];

    compare_number(c, "fcw", load_le16(in), load_le16(native), load_le16(guest));
    compare_number(c, "fsw", load_le16(in + 2), load_le16(native + 2), load_le16(guest + 2));
    compare_number(c, "ftw", in[4], native[4], guest[4]);
    compare_number(c, "mxcsr", load_le32(in + 24), load_le32(native + 24), load_le32(guest + 24));
    for (unsigned i = 0; i < 8; i++) {
        unsigned at = 32 + 16 * i;
        g_snprintf(name, sizeof(name), "st%u", i);
        compare_number(c, name, load_le64(in + at), load_le64(native + at), load_le64(guest + at));
        compare_number(c, "  exp", load_le16(in + at + 8), load_le16(native + at + 8),
                       load_le16(guest + at + 8));
    }
    for (unsigned i = 0; i < 32; i++) {
        unsigned at = 160 + 8 * i;
        g_snprintf(name, sizeof(name), "xmm%u%s", i / 2, i & 1 ? "h" : "l");
        compare_number(c, name, load_le64(in + at), load_le64(native + at), load_le64(guest + at));
    }
}

static void compare(Comparison *c, const uint8_t *data)
{
    const DiffState *in = &c->sequence->in, *native = &c->sequence->native;
    const DiffState *guest = &c->sequence->guest;
    uint64_t flags = (FLAGS_ARITH | FLAG_DF) & ~c->sequence->undefined_flags;

    for (unsigned i = 0; i < 16; i++) {
        uint64_t mask = c->twin ? UINT32_MAX : UINT64_MAX;
        compare_number(c, gpr_names[i], in->gpr[i], native->gpr[i] & mask, guest->gpr[i] & mask);
    }
    compare_number(c, "rip", in->rip, native->rip, guest->rip);
    compare_number(c, "flags", in->rflags & flags, native->rflags & flags, guest->rflags & flags);
    compare_number(c, "vector", 0, native->vector, guest->vector);
    /* more may be mapped on the host: whether a page is present isn't compared */
    uint32_t unknown = native->vector == EXC_PF ? 1 : 0;
    compare_number(c, "error", 0, native->error_code & ~unknown, guest->error_code & ~unknown);
    if (native->vector == EXC_PF) {
        /* of a large operand, the CPU may name any byte */
        compare_number(c, "cr2", 0, native->cr2 >> 6, guest->cr2 >> 6);
    }
    compare_fpu(c);
    compare_upper(c);
    for (unsigned i = 0; i < DIFF_DATA_SIZE; i += 8) {
        uint64_t before = load_le64(data + i);
        uint64_t cpu = load_le64(c->sequence->native_data + i);
        uint64_t ours = load_le64(c->guest_data + i);
        if (cpu != ours) {
            char name[16];
            g_snprintf(name, sizeof(name), "[%x]", (unsigned)DIFF_DATA + i);
            compare_number(c, name, before, cpu, ours);
        }
    }
}

/* --- running ---------------------------------------------------------------------------------- */

/* LDMXCSR may set the bit that makes SSE operands unaligned, which AMD's CPUs have and our models
 * don't: for these it is a reserved one. */
static bool refused_mxcsr(const DiffSequence *sequence)
{
    if (sequence->guest.vector != EXC_GP) {
        return false;
    }
    for (unsigned i = 0; i < sequence->n_insns; i++) {
        X86Insn insn;
        x86_decode(sequence->code + sequence->starts[i], DIFF_SLOT - sequence->starts[i],
                   sequence->mode, &insn);
        if (insn.opcode && g_str_has_suffix(insn.opcode->name, "ldmxcsr")) {
            return true;
        }
    }
    return false;
}

/* Mapped in the guest only: twins' code, and all of it once more. */
static bool guest_only(uint64_t address)
{
    const uint64_t size = UINT64_C(1) << 20;

    return (address >= DIFF_TWIN_CODE && address - DIFF_TWIN_CODE < size) ||
           (address >= DIFF_BASE + DIFF_CODE && address < DIFF_BASE + DIFF_DATA + size);
}

/* Ends that tell nothing. */
static bool is_explained(const DiffSequence *sequence)
{
    const DiffState *native = &sequence->native;

    return refused_mxcsr(sequence) || (native->vector == EXC_PF && guest_only(native->cr2));
}

/* True if sequence @index ended alike. */
static bool check_original(Guest *guest, DiffBatch *batch, unsigned index, bool show)
{
    DiffSequence *sequence = &batch->sequence[index];
    Comparison c = { .sequence = sequence };

    const GuestRun plain = { .index = index, .mode = sequence->mode };
    guest_run(guest, batch, &plain, &c.guest_data);
    compare(&c, batch->data);
    if (c.differences == 0 || is_explained(sequence)) {
        return true;
    }
    if (!show) {
        return false;
    }
    c.show = true;
    printf("# different:\n");
    show_code(sequence);
    show_start(&sequence->in);
    compare(&c, batch->data);
    fflush(stdout);
    return false;
}

/* The twin's rip as that of the original; where it isn't at an instruction, as it is. */
static uint64_t original_rip(const DiffSequence *sequence, const GuestRun *run, uint64_t rip)
{
    const DiffTwin *twin = &sequence->twin[run->mode];
    uint64_t offset = rip - diff_twin_address(run->index, run->mode);

    for (unsigned i = 0; i <= sequence->n_insns; i++) {
        if (offset == twin->starts[i]) {
            return sequence->in.rip + sequence->starts[i];
        }
    }
    /* behind the INT3 */
    return offset == twin->starts[sequence->n_insns] + 1U
               ? sequence->in.rip + sequence->starts[sequence->n_insns] + 1
               : rip;
}

/* In 64-bit mode the address lay where the twin would have wrapped around. */
static bool beyond_4g(const DiffSequence *sequence)
{
    const DiffState *native = &sequence->native;

    return (native->vector == EXC_PF && native->cr2 > UINT32_MAX) || native->vector == EXC_GP ||
           native->vector == EXC_SS;
}

/* True if the sequence's twin for @run ended as the sequence did. */
static bool check_twin(Guest *guest, DiffBatch *batch, const GuestRun *run, bool show)
{
    static const char *const modes[] = { "16", "32" };
    DiffSequence *sequence = &batch->sequence[run->index];
    Comparison c = { .sequence = sequence, .twin = true };

    if (!sequence->twin[run->mode].valid || beyond_4g(sequence)) {
        return true;
    }
    sequence->twin[run->mode].runs++;
    guest_run(guest, batch, run, &c.guest_data);
    sequence->guest.rip = original_rip(sequence, run, sequence->guest.rip);
    compare(&c, batch->data);
    if (c.differences == 0 || is_explained(sequence)) {
        return true;
    }
    if (!show) {
        return false;
    }
    c.show = true;
    printf("# different as %s-bit code with segments at %" PRIx64 ":\n", modes[run->mode],
           run->base);
    show_code(sequence);
    show_start(&sequence->in);
    compare(&c, batch->data);
    fflush(stdout);
    return false;
}

static bool check_twins(Guest *guest, DiffBatch *batch, unsigned index, bool show)
{
    bool alike = true;

    for (X86Mode mode = X86_MODE16; mode <= X86_MODE32; mode++) {
        for (uint64_t base = 0; base <= DIFF_BASE && alike; base += DIFF_BASE) {
            const GuestRun run = { .index = index, .mode = mode, .base = base };
            alike = check_twin(guest, batch, &run, show);
        }
    }
    return alike;
}

static bool check(Guest *guest, DiffBatch *batch, unsigned index, bool show)
{
    return check_original(guest, batch, index, show) &&
           (!batch->sequence[index].plain || check_twins(guest, batch, index, show));
}

/* The same, and a second time before it counts: under some hypervisors the CPU itself does
 * something else once in a million sequences. */
static bool check_twice(Guest *guest, DiffBatch *batch, unsigned index, uint64_t *unsteady)
{
    if (check(guest, batch, index, false)) {
        return true;
    }
    bool alike = native_run(batch) && check(guest, batch, index, true);
    *unsteady += alike;
    return alike;
}

/* The default model with instructions that it lacks, but are there, as far as this CPU has them. */
static X86CpuModel model_here(void)
{
    const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi2");
    X86CpuModel model = *x86_cpu_model_find(v3 ? "x86-64-v3" : "x86-64-v2", v3);
    unsigned eax, ebx = 0, ecx = 0, edx;

    /* clang 14's __builtin_cpu_supports() doesn't know all of these names */
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) {
        model.has[X86_FEATURE_BMI1] = ebx & bit_BMI; /* TZCNT */
        model.has[X86_FEATURE_ADX] = ebx & bit_ADX;
    }
    if (__get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx)) {
        model.has[X86_FEATURE_ABM] = ecx & bit_LZCNT;
    }
    return model;
}

/* True, and said, if --check found a difference. */
static bool disagreed(const Guest *guest)
{
    const char *difference = guest_difference(guest);

    if (difference) {
        g_auto(GStrv) lines = g_strsplit(difference, "\n", -1);
        g_autofree char *text = g_strjoinv("\n# ", lines);
        printf("# the back ends disagree:\n# %s\n", text);
    }
    return difference;
}

/* The number of sequences that differed. */
static uint64_t run(const Options *options)
{
    X86CpuModel model = model_here();
    DiffBatch *batch = native_batch_new();
    const GeneratorOptions generator_options = { .seed = (uint64_t)options->seed,
                                                 .only = options->only,
                                                 .code32 = native_has_code32(batch),
                                                 .model = &model };
    Generator *generator = generator_new(&generator_options);
    bool compile = native_backend && !options->interpret;
    Guest *guest = guest_new(compile ? native_backend : &interp_backend, &model, options->check);
    uint64_t different = 0, twins = 0, unsteady = 0;

    for (int64_t done = 0; done < options->sequences; done += batch->n) {
        generator_fill(generator, batch);
        if (!native_run(batch)) {
            printf("# the child died at sequence %u:\n", batch->done);
            show_code(&batch->sequence[MIN(batch->done, DIFF_BATCH - 1)]);
            different++;
            break;
        }
        guest_load(guest, batch);
        for (unsigned i = 0; i < batch->n; i++) {
            bool alike = check_twice(guest, batch, i, &unsteady) && !disagreed(guest);
            different += !alike;
            twins += batch->sequence[i].twin[X86_MODE16].runs;
            twins += batch->sequence[i].twin[X86_MODE32].runs;
            if (different > (uint64_t)options->keep_going || guest_difference(guest)) {
                done = options->sequences;
                break;
            }
        }
    }
    printf("# and %" PRIu64 " runs as 16- and 32-bit code; %" PRIu64
           " on which the CPU changed its "
           "mind\n",
           twins, unsteady);
    if (options->report) {
        generator_report(generator);
    }
    guest_free(guest);
    generator_free(generator);
    native_batch_free(batch);
    return different;
}

int main(int argc, char **argv)
{
    Options options = { .sequences = 20000, .seed = time(NULL), .keep_going = 0 };
    const GOptionEntry entries[] = {
        { "sequences", 0, 0, G_OPTION_ARG_INT64, &options.sequences, "how many", "N" },
        { "seed", 0, 0, G_OPTION_ARG_INT64, &options.seed, "of the random numbers", "N" },
        { "only", 0, 0, G_OPTION_ARG_STRING, &options.only, "instructions to use", "NAME,..." },
        { "report", 0, 0, G_OPTION_ARG_NONE, &options.report, "what was not compared", NULL },
        { "keep-going", 0, 0, G_OPTION_ARG_INT, &options.keep_going, "differences to show", "N" },
        { "check", 0, 0, G_OPTION_ARG_NONE, &options.check, "compare back ends block by block",
          NULL },
        { "interpret", 0, 0, G_OPTION_ARG_NONE, &options.interpret, "don't make host code", NULL },
        { NULL }
    };
    GOptionContext *context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(context, entries, NULL);
    bool parsed = g_option_context_parse(context, &argc, &argv, &error);
    g_option_context_free(context);
    if (!parsed) {
        fprintf(stderr, "diff_test: %s\n", error->message);
        return 2;
    }
    printf("1..1\n# seed %" PRId64 "\n", options.seed);
    uint64_t different = run(&options);
    printf("%s 1 - %" PRId64 " sequences end as on the CPU\n", different ? "not ok" : "ok",
           options.sequences);
    g_free(options.only);
    return different ? 1 : 0;
}
