/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the test kernels (privileged/) on each engine and makes TAP of what they say.
 *
 * A case that kills the kernel counts as failed, and the kernel is started again behind it.
 *
 *   engine-privileged [--untrusted] [ENGINE]
 *
 * --untrusted: failures don't count.  For KVM on a CPU that is itself emulated: what fails there
 * is rather the emulator's fault.
 */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "kernels.h"

enum { LOAD_GPA = 0x100000, INFO_GPA = 0x500, COMMAND_GPA = 0x600, MAX_STARTS = 60 };

enum { RUN_SECONDS = 60 };

typedef struct Suite {
    bool untrusted;
    unsigned cases, failures;
} Suite;

static const struct {
    const char *name;
    const uint8_t *image;
    size_t size;
} kernels[] = {
    { "64", kernel64_image, sizeof(kernel64_image) },
    { "32", kernel32_image, sizeof(kernel32_image) },
};

static void report(Suite *suite, bool good, const char *prefix, const char *text)
{
    suite->cases++;
    suite->failures += !good && !suite->untrusted;
    printf("%sok %u - %s/%s%s\n", good ? "" : "not ", suite->cases, prefix, text,
           good || !suite->untrusted ? "" : " # TODO the CPU below may be wrong");
    fflush(stdout);
}

/* Place the kernel as a Multiboot loader does, the first case to run on its command line. */
static void load(Bench *bench, unsigned kernel, unsigned first)
{
    g_autofree char *command = g_strdup_printf("kernel %u", first);
    const uint32_t information[5] = { 4, 0, 0, 0, COMMAND_GPA };
    X86State state;

    g_assert_true(gm_write(bench->memory, LOAD_GPA, kernels[kernel].image, kernels[kernel].size));
    gm_write(bench->memory, INFO_GPA, information, sizeof(information));
    gm_write(bench->memory, COMMAND_GPA, command, strlen(command) + 1);
    bench_fill_state(bench, 0, BENCH_FLAT32, &state);
    state.rip = LOAD_GPA;
    state.gpr[X86_RAX] = 0x2badb002;
    state.gpr[X86_RBX] = INFO_GPA;
    bench_set(bench, 0, &state);
}

/* Report the lines of @text; returns how many cases there were. */
static unsigned report_lines(Suite *suite, const char *prefix, const char *text, char **ret_last)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    unsigned cases = 0;

    for (unsigned i = 0; lines[i]; i++) {
        bool good = g_str_has_prefix(lines[i], "ok - ");
        bool bad = g_str_has_prefix(lines[i], "not ok - ");
        if (good || bad) {
            const char *name = strstr(lines[i], " - ") + 3;
            report(suite, good, prefix, name);
            g_free(*ret_last);
            *ret_last = g_strdup(name);
            cases++;
        }
    }
    return cases;
}

static void run_kernel(Suite *suite, const Engine *engine, unsigned kernel)
{
    g_autofree char *prefix = g_strdup_printf("%s/%s", engine->name, kernels[kernel].name);
    g_autofree char *last = g_strdup("nothing");
    bool ended = false;
    unsigned first = 0;

    for (unsigned start = 0; start < MAX_STARTS && !ended; start++) {
        g_autoptr(Bench) bench = bench_new(engine, NULL);
        VcpuExit exit = { 0 };
        load(bench, kernel, first);
        bench_run_for(bench, 0, RUN_SECONDS * NS_PER_SECOND, &exit);
        first += report_lines(suite, prefix, bench->text->str, &last);
        ended = bench->ended;
        if (!ended) {
            g_autofree char *text =
                g_strdup_printf("the case after '%s' %s %s", last,
                                exit.reason == VCPU_EXIT_SHUTDOWN     ? "shut the guest down"
                                : exit.reason == VCPU_EXIT_ERROR      ? "stopped the engine:"
                                : exit.reason == VCPU_EXIT_DIFFERENCE ? exit.report
                                                                      : "didn't end",
                                exit.message);
            report(suite, false, prefix, text);
            first++;
        }
    }
}

static void run_engine(Suite *suite, const Engine *engine)
{
    bool (*probe)(char **) = engine->probe_asked ?: engine->probe;
    g_autofree char *why = NULL;

    if (!probe(&why)) {
        printf("ok %u - %s # SKIP %s\n", ++suite->cases, engine->name, why);
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(kernels); i++) {
        run_kernel(suite, engine, i);
    }
}

int main(int argc, char **argv)
{
    const Engine *const *engines = engine_list();
    const Engine checked = bench_checked_engine();
    const char *only = NULL;
    Suite suite = { 0 };

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--untrusted")) {
            suite.untrusted = true;
        } else {
            only = argv[i];
        }
    }
    for (unsigned i = 0; engines[i]; i++) {
        if (!only || !strcmp(only, engines[i]->name)) {
            run_engine(&suite, engines[i]);
        }
    }
    if (!only || !strcmp(only, checked.name)) {
        run_engine(&suite, &checked);
    }
    printf("1..%u\n# %u failures\n", suite.cases, suite.failures);
    return suite.failures ? 1 : 0;
}
