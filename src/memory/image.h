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

/* What others may read, and write, while block_write() runs.  All atomic. */
typedef struct BlockProgress {
    bool stop;        /* set by who has lost interest: it fails soon */
    uint64_t passed;  /* bytes that were looked at */
    uint64_t written; /* those that were worth it */
} BlockProgress;

/* Write @block into @fd, which has only zeros there, from @offset on: a multiple of 4096.  On any
 * thread; @progress counts up. */
bool block_write(const RamBlock *block, int fd, uint64_t offset, BlockProgress *progress,
                 GError **error);
/* Map @fd from @offset on, where it has all bytes of @block, in place of what the block held. */
bool block_map(RamBlock *block, int fd, uint64_t offset, GError **error);
