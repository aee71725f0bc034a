/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is left of a request's buffers, see iov.h.
 */
#include "block/iov.h"

#include <glib.h>
#include <string.h>

bool blk_cursor_init(BlkCursor *cursor, const struct iovec *iov, unsigned n)
{
    if (n > BLK_CURSOR_IOV) {
        return false;
    }
    cursor->first = 0;
    cursor->n = n;
    cursor->left = 0;
    for (unsigned i = 0; i < n; i++) {
        cursor->iov[i] = iov[i];
        if (iov[i].iov_len > SIZE_MAX / 2 - cursor->left) {
            return false;
        }
        cursor->left += iov[i].iov_len;
    }
    return true;
}

unsigned blk_cursor_peek(const BlkCursor *cursor, size_t len, struct iovec *ret)
{
    unsigned count = 0;

    for (unsigned i = cursor->first; i < cursor->n && len; i++) {
        if (cursor->iov[i].iov_len) {
            ret[count] = cursor->iov[i];
            ret[count].iov_len = MIN(ret[count].iov_len, len);
            len -= ret[count].iov_len;
            count++;
        }
    }
    return count;
}

/* What to do with a piece of the buffers. */
typedef enum Move { SKIP, ZERO, PUT, GET } Move;

static void move(BlkCursor *cursor, size_t len, Move how, uint8_t *other)
{
    while (len && cursor->first < cursor->n) {
        struct iovec *iov = &cursor->iov[cursor->first];
        size_t part = MIN(len, iov->iov_len);
        if (how == ZERO) {
            memset(iov->iov_base, 0, part);
        } else if (part && how == PUT) {
            memcpy(iov->iov_base, other, part);
        } else if (part && how == GET) {
            memcpy(other, iov->iov_base, part);
        }
        other = other ? other + part : NULL;
        iov->iov_base = (uint8_t *)iov->iov_base + part;
        iov->iov_len -= part;
        len -= part;
        cursor->left -= part;
        if (!iov->iov_len) {
            cursor->first++;
        }
    }
}

void blk_cursor_skip(BlkCursor *cursor, size_t len)
{
    move(cursor, len, SKIP, NULL);
}

void blk_cursor_zero(BlkCursor *cursor, size_t len)
{
    move(cursor, len, ZERO, NULL);
}

void blk_cursor_put(BlkCursor *cursor, const void *from, size_t len)
{
    move(cursor, len, PUT, (uint8_t *)(uintptr_t)from);
}

void blk_cursor_get(BlkCursor *cursor, void *to, size_t len)
{
    move(cursor, len, GET, to);
}

bool blk_is_zero(const void *bytes, size_t len)
{
    const uint8_t *p = bytes;

    /* a block of zeros is equal to itself one byte on */
    return !len || (p[0] == 0 && !memcmp(p, p + 1, len - 1));
}
