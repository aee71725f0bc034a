/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A running machine is saved to a file; --restore makes it go on from there.
 *
 * Threads: main only.
 * Read first: vm/state_file.h.
 */
#pragma once

#include "vm/vm.h"

/* Pause the machine and save it as @path, which is replaced only if all went well.  The machine
 * stays paused, for vm_resume() or its end; after a failure it goes on as before. */
bool vm_save(Vm *vm, const char *path, GError **error);
/* The same into @fd, an empty regular file that is open for reading and writing. */
bool vm_save_fd(Vm *vm, int fd, GError **error);

/* From now on an access to memory whose state file was cut short ends the process with a line that
 * says so. */
void save_guard_memory(void);
