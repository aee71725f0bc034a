/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a block of guest memory, to and from a file, see image.h.
 *
 * Pages that were never touched are found without touching them: a shared block's by the holes of
 * its memfd, a mapped file's by mincore(2).
 */
#include "memory/image.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/bits.h"
#include "common/error.h"

enum { PAGE = 4096, STEP = 1 << 20, STEP_PAGES = STEP / PAGE };

static bool is_zero(const uint8_t *page)
{
    uint64_t first;

    memcpy(&first, page, sizeof(first));
    return !first && !memcmp(page, page + sizeof(first), PAGE - sizeof(first));
}

static bool write_all(int fd, const uint8_t *data, size_t len, uint64_t offset)
{
    while (len) {
        ssize_t n = pwrite(fd, data, len, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            errno = n ? errno : ENOSPC;
            return false;
        }
        data += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return true;
}

/* Write the pages of [@at, @at + @len) of the block that aren't zero, in runs. */
static bool write_part(const RamBlock *block, int fd, uint64_t offset, uint64_t at, size_t len,
                       BlockProgress *progress)
{
    unsigned char there[STEP_PAGES];
    bool known = block->memfd < 0 && mincore(block->hva + at, len, there) == 0;
    size_t start = 0, end = 0; /* of the run */

    for (size_t i = 0; i <= len; i += PAGE) {
        bool worth = i < len && (!known || there[i / PAGE] & 1) && !is_zero(block->hva + at + i);
        if (worth) {
            start = start == end ? i : start;
            end = i + PAGE;
        } else if (start < end) {
            if (!write_all(fd, block->hva + at + start, end - start, offset + at + start)) {
                return false;
            }
            __atomic_fetch_add(&progress->written, end - start, __ATOMIC_RELAXED);
            start = end = 0;
        }
    }
    return true;
}

/* The next range from @at on that may hold something else than zeros; false: there is none. */
static bool next_data(const RamBlock *block, uint64_t at, uint64_t *ret_start, uint64_t *ret_end)
{
    *ret_start = at;
    *ret_end = block->size;
    if (block->memfd >= 0 && at < block->size) {
        off_t start = lseek(block->memfd, (off_t)at, SEEK_DATA);
        if (start < 0) {
            return errno != ENXIO; /* ENXIO: only holes follow; else we can't know */
        }
        off_t end = lseek(block->memfd, start, SEEK_HOLE);
        *ret_start = align_down((uint64_t)start, PAGE);
        *ret_end = end < 0 ? block->size : MIN(align_up((uint64_t)end, PAGE), block->size);
    }
    return at < block->size;
}

bool block_write(const RamBlock *block, int fd, uint64_t offset, BlockProgress *progress,
                 GError **error)
{
    uint64_t start, end, begin = __atomic_load_n(&progress->passed, __ATOMIC_RELAXED);

    for (uint64_t at = 0; next_data(block, at, &start, &end); at = end) {
        for (at = start; at < end; at += STEP) {
            if (__atomic_load_n(&progress->stop, __ATOMIC_RELAXED)) {
                set_error(error, "saving was cancelled");
                return false;
            }
            if (!write_part(block, fd, offset, at, (size_t)MIN(STEP, end - at), progress)) {
                set_error_errno(error, errno, "cannot write guest memory to the state file");
                return false;
            }
            __atomic_store_n(&progress->passed, begin + MIN(at + STEP, end), __ATOMIC_RELAXED);
        }
    }
    __atomic_store_n(&progress->passed, begin + block->size, __ATOMIC_RELAXED);
    return true;
}

bool block_map(RamBlock *block, int fd, uint64_t offset, GError **error)
{
    void *hva = mmap(block->hva, block->size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd, (off_t)offset);

    if (hva == MAP_FAILED) {
        set_error_errno(error, errno, "cannot map guest memory from the state file");
        return false;
    }
    if (block->memfd >= 0) {
        close(block->memfd);
        block->memfd = -1;
    }
    return true;
}
