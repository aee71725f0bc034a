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
#include "common/confine.h"
#include "common/error.h"
#include "vm/outside.h"
#include "vm/state_file.h"

struct VmSave {
    /* fixed after create */
    Vm *vm;
    char *path; /* where it shall be; NULL: .fd alone */
    bool part;  /* what is written beside it is there */
    int fd;
    VmSaveDone done;
    void *opaque;
    int64_t begun_us, set_up_us;
    /* the thread's, and after it the main thread's */
    StateWriter *writer;
    GError *error;
    bool good;
    /* main thread only */
    GThread *thread; /* NULL: it has ended */
    VmSaveStatus status;
    int64_t ended_us;
    uint64_t total, passed, written; /* when it ended */
};

/* ---- the file ---- */

int save_file_new(const char *path, GError **error)
{
    g_autofree char *part = g_strconcat(path, ".part", NULL);
    int fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    int err = errno;

    if (fd < 0) {
        set_error_errno(error, err, "cannot make state file '%s'", part);
        errno = err;
    }
    return fd;
}

bool save_file_done(const char *path, bool good, GError **error)
{
    g_autofree char *part = g_strconcat(path, ".part", NULL);
    int err = 0;

    if (good && rename(part, path) < 0) {
        err = errno;
        set_error_errno(error, err, "cannot make state file '%s'", path);
        good = false;
    }
    if (!good) {
        unlink(part);
        errno = err;
    }
    return good;
}

/* ---- the steps ---- */

static bool open_part(VmSave *save, const char *path, GError **error)
{
    save->path = g_strdup(path);
    save->fd = outside_save(vm_outside(save->vm), path, error);
    save->part = save->fd >= 0;
    return save->part;
}

static bool take_state(VmSave *save, GError **error)
{
    StateIdentity identity;

    vm_identity(save->vm, &identity);
    if (!vm_flush(save->vm, error)) {
        return false;
    }
    save->writer = state_writer_new(save->fd, &identity, clock_now_ns(vm_clock(save->vm)),
                                    vm_machine(save->vm), error);
    return save->writer != NULL;
}

/* All is written, or isn't: let go of the machine and of the file, which becomes what it shall be,
 * or goes.  @error is the first thing that went wrong. */
static bool finish(VmSave *save, bool good, GError **error)
{
    machine_pause(vm_machine(save->vm), false);
    if (save->writer) {
        state_writer_progress(save->writer, &save->total, &save->passed, &save->written);
        g_clear_pointer(&save->writer, state_writer_free);
    }
    close(save->fd);
    save->fd = -1;
    if (save->part) {
        good = outside_saved(vm_outside(save->vm), save->path, good, good ? error : NULL) && good;
    }
    vm_end_saving(save->vm, good);
    save->ended_us = g_get_monotonic_time();
    return good;
}

/* Up to where the memory is written. */
static bool begin(VmSave *save, Vm *vm, const char *path, GError **error)
{
    save->vm = vm;
    save->begun_us = g_get_monotonic_time();
    if ((path && !open_part(save, path, error)) || !vm_begin_saving(vm, error)) {
        return false;
    }
    machine_pause(vm_machine(vm), true);
    if (!take_state(save, error)) {
        finish(save, false, NULL);
        return false;
    }
    save->set_up_us = g_get_monotonic_time();
    return true;
}

bool vm_save(Vm *vm, const char *path, GError **error)
{
    g_autoptr(VmSave) save = g_new0(VmSave, 1);

    save->fd = -1;
    if (!begin(save, vm, path, error)) {
        return false;
    }
    return finish(save, state_writer_run(save->writer, true, error), error);
}

/* ---- in the background ---- */

static gboolean on_written(gpointer data)
{
    VmSave *save = data;

    g_clear_pointer(&save->thread, g_thread_join);
    bool good = finish(save, save->good, &save->error);
    bool cancelled = !good && save->status == VM_SAVE_CANCELLING;
    save->status = good ? VM_SAVE_COMPLETED : cancelled ? VM_SAVE_CANCELLED : VM_SAVE_FAILED;
    save->done(save->opaque);
    return G_SOURCE_REMOVE;
}

static gpointer write_main(gpointer data)
{
    VmSave *save = data;

    confine_thread(THREAD_SAVE);
    save->good = state_writer_run(save->writer, false, &save->error);
    g_idle_add(on_written, save);
    return NULL;
}

VmSave *vm_save_begin(Vm *vm, const char *path, int fd, VmSaveDone done, void *opaque,
                      GError **error)
{
    g_autoptr(VmSave) save = g_new0(VmSave, 1);

    save->fd = fd;
    save->done = done;
    save->opaque = opaque;
    if (!begin(save, vm, path, error)) {
        return NULL;
    }
    save->status = VM_SAVE_ACTIVE;
    save->thread = g_thread_new("save", write_main, save);
    return g_steal_pointer(&save);
}

void vm_save_cancel(VmSave *save)
{
    if (save->thread) {
        save->status = VM_SAVE_CANCELLING;
        state_writer_cancel(save->writer);
    }
}

void vm_save_info(const VmSave *save, VmSaveInfo *ret_info)
{
    int64_t until_us = save->thread ? g_get_monotonic_time() : save->ended_us;

    *ret_info = (VmSaveInfo){ .status = save->status,
                              .problem = save->error ? save->error->message : NULL,
                              .total = save->total,
                              .passed = save->passed,
                              .written = save->written,
                              .setup_ms = (save->set_up_us - save->begun_us) / 1000,
                              .total_ms = (until_us - save->begun_us) / 1000 };
    if (save->writer) {
        state_writer_progress(save->writer, &ret_info->total, &ret_info->passed,
                              &ret_info->written);
    }
}

void vm_save_free(VmSave *save)
{
    if (!save) {
        return;
    }
    if (save->thread) {
        state_writer_cancel(save->writer);
        g_thread_join(save->thread);
        finish(save, false, NULL);
    }
    while (g_source_remove_by_user_data(save)) {
        /* on_written(), if it was still to come */
    }
    if (save->fd >= 0) {
        close(save->fd);
    }
    if (save->part && !save->ended_us) {
        outside_saved(vm_outside(save->vm), save->path, false, NULL);
    }
    g_clear_error(&save->error);
    g_free(save->path);
    g_free(save);
}

/* ---- going on ---- */

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
