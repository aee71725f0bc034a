/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A running machine is saved to a file, see save.h.
 */
#include "vm/save.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/error.h"
#include "vm/state_file.h"

static bool save_paused(Vm *vm, int fd, GError **error)
{
    StateIdentity identity;

    vm_identity(vm, &identity);
    machine_pause(vm_machine(vm), true);
    bool good = vm_flush(vm, error) &&
                state_file_write(fd, &identity, clock_now_ns(vm_clock(vm)), vm_machine(vm), error);
    machine_pause(vm_machine(vm), false);
    return good;
}

bool vm_save_fd(Vm *vm, int fd, GError **error)
{
    bool ran = vm_state(vm) == VM_RUNNING;

    vm_pause_now(vm, VM_SAVING);
    bool good = save_paused(vm, fd, error);
    if (!good && ran) {
        vm_resume(vm);
    }
    return good;
}

bool vm_save(Vm *vm, const char *path, GError **error)
{
    g_autofree char *part = g_strconcat(path, ".part", NULL);
    int fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);

    if (fd < 0) {
        set_error_errno(error, errno, "cannot make state file '%s'", part);
        return false;
    }
    bool good = vm_save_fd(vm, fd, error);
    close(fd);
    if (good && rename(part, path) < 0) {
        set_error_errno(error, errno, "cannot make state file '%s'", path);
        good = false;
    }
    if (!good) {
        unlink(part);
    }
    return good;
}

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    static const char said[] = "insula: guest memory can't be read any more: the state file that "
                               "the machine was restored from was cut short, or its disk fails; "
                               "ending\n";

    if (info->si_code == BUS_ADRERR) {
        ssize_t ignored = write(STDERR_FILENO, said, sizeof(said) - 1);
        (void)ignored;
        _exit(STATUS_FAILED);
    }
    signal(number, SIG_DFL);
    raise(number);
}

void save_guard_memory(void)
{
    struct sigaction action = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO };

    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}
