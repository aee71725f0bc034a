/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is left of a request's buffers: a copy of its iovecs, used up from the front.
 *
 * Threads: no state.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { BLK_CURSOR_IOV = 130 }; /* BLK_MAX_IOV, and one before and behind */

typedef struct BlkCursor {
    struct iovec iov[BLK_CURSOR_IOV];
    unsigned first, n;
    size_t left;
} BlkCursor;

/* False: too many parts, or too long. */
bool blk_cursor_init(BlkCursor *cursor, const struct iovec *iov, unsigned n);
/* The iovecs that make up the next @len bytes (no more than are left), in @ret, which has room for
 * BLK_CURSOR_IOV; returns how many. */
unsigned blk_cursor_peek(const BlkCursor *cursor, size_t len, struct iovec *ret);
/* Skip @len bytes, no more than are left. */
void blk_cursor_skip(BlkCursor *cursor, size_t len);
/* Write zeros, or what is at @from, to the next @len bytes, and skip them. */
void blk_cursor_zero(BlkCursor *cursor, size_t len);
void blk_cursor_put(BlkCursor *cursor, const void *from, size_t len);
/* Copy the next @len bytes to @to, and skip them. */
void blk_cursor_get(BlkCursor *cursor, void *to, size_t len);
/* Whether @len bytes at @bytes are all zero. */
bool blk_is_zero(const void *bytes, size_t len);
