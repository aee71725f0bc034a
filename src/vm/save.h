/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A running machine is saved to a file, and another one goes on from it.
 *
 * Saving pauses the machine, takes the state of its devices at once, and writes its memory: while
 * the caller waits (vm_save()), or on a thread of its own, "save" (vm_save_begin()).  Until that
 * has ended the machine can't be resumed.
 *
 * Threads: main only.
 * Read first: vm/state_file.h.
 */
#pragma once

#include "vm/vm.h"

/* A new file beside @path, to become it; -1 and an error, with errno. */
int save_file_new(const char *path, GError **error);
/* It is whole, and takes its place; or (not @good) it is removed.  False, and errno: it wasn't
 * good, or can't. */
bool save_file_done(const char *path, bool good, GError **error);

/* Pause the machine and save it as @path, which is replaced only if all went well.  The machine
 * stays paused, for vm_resume() or its end; after a failure it goes on as before. */
bool vm_save(Vm *vm, const char *path, GError **error);

/* ---- in the background ---- */

typedef struct VmSave VmSave;

typedef enum VmSaveStatus {
    VM_SAVE_ACTIVE,
    VM_SAVE_COMPLETED,
    VM_SAVE_FAILED,
    VM_SAVE_CANCELLING,
    VM_SAVE_CANCELLED,
} VmSaveStatus;

typedef struct VmSaveInfo {
    VmSaveStatus status;
    const char *problem;             /* why it failed, or NULL */
    uint64_t total, passed, written; /* bytes of memory; .passed were looked at */
    int64_t setup_ms, total_ms;      /* until now, or its end */
} VmSaveInfo;

/* Told when it has ended, on the main thread. */
typedef void (*VmSaveDone)(void *opaque);

/* The same as vm_save(), but it is not waited for that the file is on the disk; with @path NULL
 * into @fd, an empty regular file that is open for writing, of which it takes ownership in any
 * case.  NULL: nothing has begun, and the machine goes on. */
VmSave *vm_save_begin(Vm *vm, const char *path, int fd, VmSaveDone done, void *opaque,
                      GError **error);
/* Ask it to end; its status tells when it has. */
void vm_save_cancel(VmSave *save);
void vm_save_info(const VmSave *save, VmSaveInfo *ret_info);
/* One that is active is cancelled first.  @save may be NULL. */
void vm_save_free(VmSave *save);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmSave, vm_save_free)

/* ---- going on ---- */

/* From now on an access to memory whose state file was cut short ends the process with a line that
 * says so. */
void save_guard_memory(void);
