/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Program insula-vm: one virtual machine in the foreground.
 *
 *   command line -> VmConfig (config/options.h) -> engine -> Vm (vm.h) -> exit status (status.h)
 *
 * Threads: main.  The streams, the machine and the vCPUs bring their own.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/error.h"
#include "common/program.h"
#include "config/options.h"
#include "vm/choices.h"
#include "vm/control.h"
#include "vm/keeper.h"
#include "vm/names.h"
#include "vm/report.h"
#include "vm/sandbox.h"
#include "vm/signals.h"
#include "vm/vm.h"

/* Heaps of libc, which would else make one for each thread when that begins: threads allocate
 * little, and never for a request. */
enum { ARENAS = 2 };

/* Write @text to standard output.  Takes ownership. */
static Status print(char *text)
{
    bool done = fputs(text, stdout) >= 0 && fflush(stdout) == 0;

    g_free(text);
    if (!done) {
        report("cannot write to standard output: %s", g_strerror(errno));
    }
    return done ? STATUS_DONE : STATUS_FAILED;
}

static void name_process(const VmConfig *config)
{
    if (config->name) {
        g_autofree char *name = g_strconcat("vm-", config->name, NULL);
        prctl(PR_SET_NAME, name); /* as ps and top show it; cut after 15 bytes */
    }
}

/* The only thread that there is goes behind walls; those that follow begin there. */
static bool lock_in(const Vm *vm, const Outside *outside, GError **error)
{
    g_autofree char *missing = NULL;
    StateIdentity identity;

    if (!outside) {
        report("the sandbox is off: a guest that breaks out of its machine has your rights");
        return true;
    }
    vm_identity(vm, &identity);
    const SandboxSpec spec = { .memory = identity.memory, .cpus = identity.cpus };
    if (!sandbox_enter(outside, &spec, &missing, error)) {
        return false;
    }
    if (missing) {
        report("the sandbox is weaker than it could be: this host lacks, or forbids, %s", missing);
    }
    return true;
}

/* Everything is made and checked before the first word is said and the first instruction run. */
static Status run(const VmConfig *config, Outside *outside, int *ret_signal)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *reason = NULL;
    guint source = 0;

    if (!vm_config_check(config, &error) || !names_check(config, &error)) {
        return report_error(error);
    }
    /* only one engine can be checked */
    bool translator = config->check && !strcmp(config->engine, "auto");
    const Engine *engine =
        engine_choose(translator ? "translator" : config->engine, &reason, &error);
    if (!engine) {
        return report_error(error);
    }
    signals_block();
    g_autoptr(Vm) vm = vm_new(config, engine, outside, &error);
    if (!vm || !vm_open(vm, &error) || !signals_watch(vm, outside, &source, &error)) {
        return report_error(error);
    }
    g_autoptr(Control) control = config->qmp.on ? control_new(vm, config, &error) : NULL;
    if (config->qmp.on && !control) {
        return report_error(error);
    }
    name_process(config);
    if (config->verbose) {
        g_autofree char *text = choices_text(config);
        report_lines(text);
    }
    if (!lock_in(vm, outside, &error)) {
        return report_error(error);
    }
    report("engine %s: %s; CPU %s", engine->name, reason, vm_cpu_model(vm));
    Status status = vm_run(vm, ret_signal);
    g_source_remove(source);
    return status;
}

/* The VM process ends here; its keeper ends as if it were that. */
static Status run_kept(const VmConfig *config, int *ret_signal)
{
    Outside *outside = NULL;
    Status status = STATUS_DONE;
    int number = 0;

    if (!config->sandbox.on) {
        return run(config, NULL, ret_signal);
    }
    if (!keeper_fork(config, &outside, &status, &number)) {
        if (number) {
            signals_die(number);
        }
        _exit(status); /* whose namespace has ended with its first process makes no more of them */
    }
    status = run(config, outside, &number);
    outside_end(outside, number);
    _exit(status); /* without what libraries would do at the end, which a jail may not */
}

int main(int argc, char **argv)
{
    g_autoptr(VmConfig) config = vm_config_new();
    g_autoptr(GError) error = NULL;
    OptionAction action;
    int number = 0;

    if (!program_fill_standard_fds()) {
        return STATUS_HOST;
    }
    mallopt(M_ARENA_MAX, ARENAS);
    if (!options_parse((const char *const *)argv + (argc > 0), config, &action, &error)) {
        return report_error(error);
    }
    g_autofree char *program = g_path_get_basename(argc > 0 ? argv[0] : "insula-vm");
    switch (action) {
    case ACTION_HELP:
        return print(options_help(program));
    case ACTION_VERSION:
        return print(g_strdup("insula " INSULA_VERSION "\n"));
    case ACTION_DESCRIBE: {
        char *text = control_describe(&error);
        return text ? print(text) : report_error(error);
    }
    case ACTION_HELP_OPTIONS:
        return print(options_dump());
    case ACTION_RUN:
        break;
    }
    if (config->lock_fd && fcntl(config->lock_fd, F_SETFD, FD_CLOEXEC)) {
        report("--lock: descriptor %d is not open", config->lock_fd);
        return STATUS_USAGE;
    }
    vm_config_settle(config);
    Status status = run_kept(config, &number);
    if (number) {
        signals_die(number);
    }
    return status;
}
