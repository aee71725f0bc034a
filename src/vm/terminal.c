/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The terminal in raw mode, see terminal.h.
 *
 * The old mode stands in a file-scope variable, the only one of the program: a terminal is the
 * process's, and a signal handler has no other way to reach it.
 */
#include "vm/terminal.h"

#include <errno.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include "common/error.h"

/* Signals that kill a process which doesn't expect them. */
static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP, SIGQUIT };

static struct {
    volatile sig_atomic_t raw;
    bool elsewhere; /* it is raw, but not by us */
    int fd;
    struct termios before, ours;
    struct sigaction actions[G_N_ELEMENTS(crashes)]; /* that ours replaced */
} terminal;

bool terminal_is_raw(void)
{
    return terminal.raw || terminal.elsewhere;
}

void terminal_told(bool raw)
{
    terminal.elsewhere = raw;
}

static void put_back(void)
{
    if (terminal.raw) {
        terminal.raw = 0;
        tcsetattr(terminal.fd, TCSANOW, &terminal.before);
    }
}

/* Restores the terminal and lets whoever was responsible before us have the signal. */
static void on_crash(int number, siginfo_t *info, void *context)
{
    put_back();
    for (unsigned i = 0; i < G_N_ELEMENTS(crashes); i++) {
        if (crashes[i] == number) {
            sigaction(number, &terminal.actions[i], NULL);
        }
    }
    if (info->si_code <= 0) {
        raise(number); /* sent by someone: wouldn't come again by itself, as a fault does */
    }
}

bool terminal_raw(int fd, GError **error)
{
    struct sigaction action = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO };

    g_assert(!terminal.raw);
    if (!isatty(fd)) {
        return true;
    }
    if (tcgetattr(fd, &terminal.before) < 0) {
        set_error_errno(error, errno, "cannot read the terminal's mode");
        return false;
    }
    terminal.ours = terminal.before;
    cfmakeraw(&terminal.ours);
    sigemptyset(&action.sa_mask);
    for (unsigned i = 0; i < G_N_ELEMENTS(crashes); i++) {
        sigaction(crashes[i], &action, &terminal.actions[i]);
    }
    terminal.fd = fd;
    terminal.raw = 1;
    if (tcsetattr(fd, TCSANOW, &terminal.ours) < 0) {
        int err = errno;
        terminal_restore();
        set_error_errno(error, err, "cannot put the terminal into raw mode");
        return false;
    }
    return true;
}

void terminal_restore(void)
{
    if (terminal.raw) {
        put_back();
        for (unsigned i = 0; i < G_N_ELEMENTS(crashes); i++) {
            sigaction(crashes[i], &terminal.actions[i], NULL);
        }
    }
}

void terminal_again(void)
{
    if (terminal.raw && tcgetpgrp(terminal.fd) == getpgrp()) {
        tcsetattr(terminal.fd, TCSANOW, &terminal.ours);
    }
}
