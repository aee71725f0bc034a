/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lies between requests (submit.c) and the ring and threads that serve them (aio.c).
 *
 * Threads: from any.
 */
#pragma once

#include "block/aio.h"
#include "block/file.h"

/* Begin a move of @file: .write, .iov, .n, .offset and .job.done say what and then whom to tell. */
void blk_aio_move(BlkAio *aio, const BlkFile *file, BlkMove *move);
/* Have .job.work done, and then .job.done. */
void blk_aio_work(BlkAio *aio, BlkJob *job);

/* On: gather moves for the ring, until as many times off. */
void blk_aio_hold(BlkAio *aio, bool on);
