/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals to the process, see signals.h.
 */
#include "vm/signals.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/error.h"
#include "vm/report.h"
#include "vm/save.h"
#include "vm/terminal.h"

static const int watched[] = { SIGTERM, SIGINT, SIGHUP, SIGTSTP, SIGCONT, SIGUSR1 };

void signals_fill(sigset_t *set)
{
    sigemptyset(set);
    for (unsigned i = 0; i < G_N_ELEMENTS(watched); i++) {
        sigaddset(set, watched[i]);
    }
}

void signals_block(void)
{
    sigset_t set;

    signals_fill(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN); /* a write to a peer that has gone fails instead */
}

/* SIGUSR1: save the machine where --save says, and end it. */
static void save(Vm *vm)
{
    g_autoptr(GError) error = NULL;

    if (!vm_save_path(vm)) {
        report("SIGUSR1 saves the machine; say where with --save FILE");
    } else if (!vm_save(vm, vm_save_path(vm), &error)) {
        report_error(error);
    } else {
        report("saved to '%s'", vm_save_path(vm));
        vm_end(vm, STATUS_DONE);
    }
}

static void act_on(Vm *vm, int number)
{
    if (number == SIGTSTP) {
        vm_stop_job(vm);
    } else if (number == SIGCONT) {
        terminal_again();
    } else if (number == SIGUSR1) {
        save(vm);
    } else {
        vm_end_by_signal(vm, number);
    }
}

static gboolean on_signal(gint fd, GIOCondition condition, gpointer data)
{
    struct signalfd_siginfo info;

    if (read(fd, &info, sizeof(info)) == sizeof(info)) {
        act_on(data, (int)info.ssi_signo);
    }
    return G_SOURCE_CONTINUE;
}

/* From the keeper; without one there is nobody who wants the machine. */
static gboolean on_passed(gint fd, GIOCondition condition, gpointer data)
{
    int number = 0;
    ssize_t got = recv(fd, &number, sizeof(number), MSG_DONTWAIT);

    if (got == sizeof(number)) {
        act_on(data, number);
    } else if (got == 0) {
        vm_end(data, STATUS_FAILED);
    }
    return got == 0 ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

bool signals_watch(Vm *vm, const Outside *outside, guint *ret_source, GError **error)
{
    sigset_t set;

    if (outside) {
        *ret_source = g_unix_fd_add_full(G_PRIORITY_HIGH, outside_signals(outside),
                                         G_IO_IN | G_IO_HUP, on_passed, vm, NULL);
        return true;
    }
    signals_fill(&set);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) {
        set_error_errno(error, errno, "cannot make a signalfd");
        return false;
    }
    *ret_source = g_unix_fd_add_full(G_PRIORITY_HIGH, fd, G_IO_IN, on_signal, vm, NULL);
    return true;
}

void signals_die(int number)
{
    sigset_t set;

    signal(number, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, number);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    raise(number);
}
