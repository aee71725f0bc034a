/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that let machines begin and end: start, stop, pause, resume, restart, save, restore.
 * Each takes several machines, and stops at the first that fails.
 */
#include <string.h>

#include "cli/commands.h"
#include "cli/daemon.h"
#include "cli/output.h"

enum { STOP_SECONDS = 90 };

/* Flags of the protocol. */
enum { START_PAUSED = 1 };

typedef bool (*LifeAct)(InsulaConnection *connection, const RemoteDomain *domain,
                        const CliArgs *args, GError **error);

/* Do it to each operand; @done says what was done. */
static int each(const CliArgs *args, LifeAct act, const char *done, GError **error)
{
    g_autoptr(InsulaConnection) connection = daemon_open(args, 0, error);

    for (unsigned i = 0; connection && i < args->n_operands; i++) {
        g_auto(RemoteDomain) domain = { 0 };
        if (!daemon_find(connection, args->operands[i], &domain, error) ||
            !act(connection, &domain, args, error) ||
            !output_done(args, done, domain.name, error)) {
            return CLI_FAILED;
        }
    }
    return connection ? CLI_DONE : CLI_FAILED;
}

static bool start(InsulaConnection *connection, const RemoteDomain *domain, const CliArgs *args,
                  GError **error)
{
    RemoteDomainCreateWithFlagsArgs call = { .dom = *domain,
                                             .flags = args->paused ? START_PAUSED : 0 };
    g_auto(RemoteDomainCreateWithFlagsRet) ret = { 0 };

    return insula_domain_create_with_flags(connection, &call, &ret, error);
}

static bool stop(InsulaConnection *connection, const RemoteDomain *domain, const CliArgs *args,
                 GError **error)
{
    RemoteDomainDestroyArgs at_once = { .dom = *domain };
    RemoteDomainShutdownArgs asked = { .dom = *domain };

    if (args->force) {
        return insula_domain_destroy(connection, &at_once, error);
    }
    return insula_domain_shutdown(connection, &asked, error) &&
           daemon_wait_off(connection, domain, args->has_timeout ? args->timeout : STOP_SECONDS,
                           error);
}

static bool pause_it(InsulaConnection *connection, const RemoteDomain *domain, const CliArgs *args,
                     GError **error)
{
    RemoteDomainSuspendArgs call = { .dom = *domain };

    return insula_domain_suspend(connection, &call, error);
}

static bool resume(InsulaConnection *connection, const RemoteDomain *domain, const CliArgs *args,
                   GError **error)
{
    RemoteDomainResumeArgs call = { .dom = *domain };

    return insula_domain_resume(connection, &call, error);
}

static bool restart(InsulaConnection *connection, const RemoteDomain *domain, const CliArgs *args,
                    GError **error)
{
    RemoteDomainResetArgs at_once = { .dom = *domain };
    RemoteDomainRebootArgs asked = { .dom = *domain };

    return args->force ? insula_domain_reset(connection, &at_once, error)
                       : insula_domain_reboot(connection, &asked, error);
}

static bool save(InsulaConnection *connection, const RemoteDomain *domain, const CliArgs *args,
                 GError **error)
{
    RemoteDomainManagedSaveArgs kept = { .dom = *domain };
    RemoteDomainSaveArgs to_file = { .dom = *domain };

    if (!args->file) {
        return insula_domain_managed_save(connection, &kept, error);
    }
    g_autofree char *path = g_canonicalize_filename(args->file, NULL); /* the daemon is elsewhere */
    to_file.to = path;
    return insula_domain_save(connection, &to_file, error);
}

int command_start(const CliArgs *args, GError **error)
{
    return each(args, start, "started", error);
}

int command_stop(const CliArgs *args, GError **error)
{
    return each(args, stop, "stopped", error);
}

int command_pause(const CliArgs *args, GError **error)
{
    return each(args, pause_it, "paused", error);
}

int command_resume(const CliArgs *args, GError **error)
{
    return each(args, resume, "resumed", error);
}

int command_restart(const CliArgs *args, GError **error)
{
    return each(args, restart, args->force ? "reset" : "restarting", error);
}

int command_save(const CliArgs *args, GError **error)
{
    if (args->file && args->n_operands > 1) {
        set_error_code(error, INSULA_ERROR_USAGE, "--file is for one machine, not for %u",
                       args->n_operands);
        return CLI_USAGE;
    }
    return each(args, save, "saved", error);
}

int command_restore(const CliArgs *args, GError **error)
{
    if (!args->file) {
        return each(args, start, "restored", error); /* the daemon finds what it has saved */
    }
    g_autoptr(InsulaConnection) connection = daemon_open(args, 0, error);
    g_autofree char *path = g_canonicalize_filename(args->file, NULL);
    RemoteDomainRestoreArgs call = { .from = path };
    if (!connection || !insula_domain_restore(connection, &call, error)) {
        return CLI_FAILED;
    }
    return output_done(args, "restored", args->file, error) ? CLI_DONE : CLI_FAILED;
}
