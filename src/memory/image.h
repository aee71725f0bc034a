/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a block of guest memory, to and from a file.
 *
 * What is written is sparse: pages of zeros are left out.  Loading maps the file copy-on-write
 * beneath the block, so it costs no more than a system call, pages that nobody writes are shared
 * between all who load the same file, and the file never changes.  Who truncates it ends those who
 * have it mapped (SIGBUS).
 *
 * Threads: while no vCPU runs and no device works.
 */
#pragma once

#include "memory/memory.h"

/* Write @block into @fd, which has only zeros there, from @offset on: a multiple of 4096.
 * *@ret_written counts the bytes that were worth it. */
bool block_write(const RamBlock *block, int fd, uint64_t offset, uint64_t *ret_written,
                 GError **error);
/* Map @fd from @offset on, where it has all bytes of @block, in place of what the block held. */
bool block_map(RamBlock *block, int fd, uint64_t offset, GError **error);
