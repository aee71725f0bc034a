/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verbs that move content between images: convert, rebase, commit, compare.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "block/chain.h"
#include "common/bits.h"
#include "common/error.h"
#include "disk/disk.h"

enum { THREADS_MAX = 8, PIECE = 2 << 20 };

/* --- convert --- */

static unsigned threads_for(bool compress)
{
    return compress ? CLAMP(g_get_num_processors(), 1, THREADS_MAX) : 1;
}

/* Open the source, at a snapshot if that is asked for. */
static Blk *open_source(const DiskArgs *args, GError **error)
{
    BlkOptions options = { .read_only = true, .snapshot = args->snapshot };

    return disk_open(args->operands[0], args->format, options, error);
}

static bool convert_to(const DiskArgs *args, Blk *from, const char *format, GError **error)
{
    const char *path = args->operands[1];
    DiskProgress progress;
    BlkOptions options = { .path = path, .format = format };

    if (!disk_make(args, path, format, blk_size(from), error)) {
        return false;
    }
    g_autoptr(Blk) to = blk_chain_open(&options, error);
    if (!to) {
        return false;
    }
    disk_progress_init(&progress, args);
    DiskCopy copy = { .from = from,
                      .to = to,
                      .compress = args->compress,
                      .to_is_zero = true,
                      .same = blk_backing(to), /* what is there already need not be copied */
                      .threads = threads_for(args->compress),
                      .progress = &progress };
    bool good = disk_copy(&copy, error);
    disk_progress_end(&progress);
    return good && disk_tell(args, to, disk_base(to), error) == DISK_DONE;
}

int disk_convert(const DiskArgs *args, GError **error)
{
    const char *path = args->operands[1];
    const char *format = disk_new_format(path, args->to, "--to", error);
    bool existed = g_file_test(path, G_FILE_TEST_EXISTS);

    if (!format) {
        return DISK_USAGE;
    }
    if (args->compress && strcmp(format, "qcow2")) {
        set_error_code(error, INSULA_ERROR_USAGE, "--compress: format %s knows no compression",
                       format);
        return DISK_USAGE;
    }
    disk_block_signals();
    g_autoptr(Blk) from = open_source(args, error);
    if (!from) {
        return DISK_FAILED;
    }
    if (!convert_to(args, from, format, error)) {
        if (!existed) {
            unlink(path); /* half a copy is none */
        }
        return DISK_FAILED;
    }
    return DISK_DONE;
}

/* --- rebase --- */

static bool is_none(const char *name)
{
    return !*name;
}

/* Write to @blk what its disk has, and would not have if it were based on @below (NULL: none). */
static bool keep_content(const DiskArgs *args, Blk *blk, Blk *below, GError **error)
{
    g_autofree uint8_t *now = g_malloc(PIECE), *then = g_malloc(PIECE);
    DiskProgress progress;
    uint64_t size = blk_size(blk), below_size = below ? blk_size(below) : 0;
    const char *where = blk_path(blk);
    int result = 0;
    bool stopped = false;

    disk_progress_init(&progress, args);
    for (uint64_t at = 0; at < size && !result && !stopped;) {
        BlkStatus status;
        stopped = !progress.progress.fn(&progress, at, size);
        result = blk_status(blk, at, size - at, &status);
        uint64_t len = result ? 0 : MIN(status.len, PIECE);
        uint64_t there = at < below_size ? MIN(len, below_size - at) : 0;
        if (!result && (status.depth > 0 || !status.allocated)) {
            result = blk_read(blk, at, now, len);
            memset(then, 0, len);
            result = result || !there ? result : blk_read(below, at, then, there);
            if (!result && memcmp(now, then, len) != 0) {
                result = blk_write(blk, at, now, len);
            }
        }
        at += len;
    }
    result = result ? result : blk_flush(blk);
    disk_progress_end(&progress);
    if (result) {
        set_error_errno(error, -result, "cannot copy what disk '%s' is based on", where);
    } else if (stopped) {
        set_error(error, "interrupted; disk '%s' is what it was, and somewhat larger", where);
    }
    return !result && !stopped;
}

/* The image that shall be below, with what it is based on. */
static bool open_below(const DiskArgs *args, const char *path, BlkChain **ret_chain, Blk **ret,
                       GError **error)
{
    g_autofree char *full = blk_chain_join(path, args->backing);
    BlkOptions options = { .path = full, .read_only = true };

    *ret = NULL;
    *ret_chain = NULL;
    if (is_none(args->backing)) {
        return true;
    }
    options.format = args->backing_format ? args->backing_format : blk_format_of_name(full);
    if (!options.format) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "the name of '%s' does not tell its format: say --backing-format", full);
        return false;
    }
    if (args->unsafe) {
        return blk_driver_find(options.format, error) != NULL;
    }
    *ret_chain = blk_chain_resolve(&options, error);
    if (!*ret_chain) {
        return false;
    }
    *ret = blk_open(&(*ret_chain)->images[0], error);
    return *ret != NULL;
}

/* An image must not be based on one that is based on it. */
static bool check_loop(const char *path, const BlkChain *below, GError **error)
{
    g_autofree char *self = realpath(path, NULL);

    for (unsigned i = 0; below && i < below->n; i++) {
        char *other = realpath(below->images[i].path, NULL);
        bool same = other && self && !strcmp(other, self);
        free(other);
        if (same) {
            set_error(error, "cannot base disk '%s' on '%s', which is based on it", path,
                      below->images[0].path);
            return false;
        }
    }
    return true;
}

int disk_rebase(const DiskArgs *args, GError **error)
{
    const char *path = args->operands[0];
    BlkOptions options = { .no_backing = args->unsafe };
    g_autoptr(BlkChain) chain = NULL;
    g_autoptr(Blk) below = NULL;

    if (!args->backing) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "rebase needs --backing FILE, or --backing '' for none");
        return DISK_USAGE;
    }
    disk_block_signals();
    if (!open_below(args, path, &chain, &below, error) || !check_loop(path, chain, error)) {
        return DISK_FAILED;
    }
    g_autoptr(Blk) blk = disk_open(path, args->format, options, error);
    if (!blk || (!args->unsafe && !keep_content(args, blk, below, error))) {
        return DISK_FAILED;
    }
    bool none = is_none(args->backing);
    const char *format =
        args->backing_format ? args->backing_format : blk_format_of_name(args->backing);
    if (!blk_set_backing(blk, none ? NULL : args->backing, none ? NULL : format, error)) {
        return DISK_FAILED;
    }
    return disk_tell(args, blk, none ? NULL : args->backing, error);
}

/* --- commit --- */

/* Write what @top has itself into @base. */
static bool write_down(const DiskArgs *args, Blk *top, Blk *base, GError **error)
{
    g_autofree uint8_t *bytes = g_malloc(PIECE);
    DiskProgress progress;
    uint64_t size = blk_size(top);
    bool stopped = false;
    int result = 0;

    disk_progress_init(&progress, args);
    for (uint64_t at = 0; at < size && !result && !stopped;) {
        BlkStatus status;
        stopped = !progress.progress.fn(&progress, at, size);
        result = blk_status(top, at, size - at, &status);
        uint64_t len = result ? 0 : status.zero ? status.len : MIN(status.len, PIECE);
        if (!result && status.allocated && status.zero) {
            result = blk_zero(base, at, len, BLK_ZERO_UNMAP);
        } else if (!result && status.allocated) {
            result = blk_read(top, at, bytes, len);
            result = result ? result : blk_write(base, at, bytes, len);
        }
        at += len;
    }
    result = result ? result : blk_flush(base);
    disk_progress_end(&progress);
    if (result) {
        set_error_errno(error, -result, "cannot write disk '%s' into '%s'", blk_path(top),
                        blk_path(base));
    } else if (stopped) {
        set_error(error, "interrupted; disk '%s' is whole, '%s' half new: commit again",
                  blk_path(top), blk_path(base));
    }
    return !result && !stopped;
}

int disk_commit(const DiskArgs *args, GError **error)
{
    BlkOptions options = { .path = args->operands[0] };

    disk_block_signals();
    options.format = disk_format(options.path, args->format, error);
    g_autoptr(BlkChain) chain = options.format ? blk_chain_resolve(&options, error) : NULL;
    if (!chain) {
        return DISK_FAILED;
    }
    if (chain->n < 2) {
        set_error(error, "cannot commit disk '%s': it is based on no other image", options.path);
        return DISK_FAILED;
    }
    BlkOptions top_options = chain->images[0], base_options = chain->images[1];
    top_options.no_backing = true;
    base_options.read_only = false;
    g_autoptr(Blk) base = blk_open(&base_options, error);
    g_autoptr(Blk) top = base ? blk_open(&top_options, error) : NULL;
    if (!top) {
        return DISK_FAILED;
    }
    if (blk_size(top) > blk_size(base) &&
        !blk_resize(base, blk_size(top), BLK_PREALLOCATE_OFF, error)) {
        return DISK_FAILED;
    }
    return write_down(args, top, base, error) && (args->keep || blk_empty(top, error))
               ? disk_tell(args, base, disk_base(base), error)
               : DISK_FAILED;
}

/* --- compare --- */

typedef struct Comparison {
    Blk *a, *b;
    uint64_t size; /* of the larger */
    uint8_t *a_bytes, *b_bytes;
} Comparison;

static int read_padded(Blk *blk, uint64_t offset, uint8_t *bytes, uint64_t len)
{
    uint64_t size = blk_size(blk);
    uint64_t there = offset < size ? MIN(len, size - offset) : 0;

    memset(bytes + there, 0, len - there);
    return there ? blk_read(blk, offset, bytes, there) : 0;
}

/* How much from @offset on is zeros in both, known without reading. */
static int both_zero(const Comparison *c, uint64_t offset, uint64_t *ret)
{
    uint64_t len = c->size - offset;

    for (unsigned i = 0; i < 2 && len; i++) {
        Blk *blk = i ? c->b : c->a;
        BlkStatus status = { .zero = true, .len = len };
        int result = 0;
        if (offset < blk_size(blk)) {
            result = blk_status(blk, offset, MIN(len, blk_size(blk) - offset), &status);
        }
        if (result) {
            return result;
        }
        len = status.zero ? MIN(len, status.len) : 0;
    }
    *ret = len;
    return 0;
}

/* 1: they differ at *@at; 0: they are equal; -errno. */
static int compare_all(const Comparison *c, DiskProgress *progress, uint64_t *at)
{
    int result = 0;

    while (*at < c->size) {
        uint64_t len = MIN(PIECE, c->size - *at), zero = 0;
        if (!progress->progress.fn(progress, *at, c->size)) {
            return -EINTR;
        }
        result = both_zero(c, *at, &zero);
        if (result || zero) {
            *at += zero;
            if (result) {
                return result;
            }
            continue;
        }
        result = read_padded(c->a, *at, c->a_bytes, len);
        result = result ? result : read_padded(c->b, *at, c->b_bytes, len);
        if (result) {
            return result;
        }
        for (uint64_t i = 0; memcmp(c->a_bytes, c->b_bytes, len) && i < len; i++) {
            if (c->a_bytes[i] != c->b_bytes[i]) {
                *at += i;
                return 1;
            }
        }
        *at += len;
    }
    return 0;
}

static int tell_difference(const DiskArgs *args, const Comparison *c, bool same, uint64_t at,
                           GError **error)
{
    const char *why = blk_size(c->a) != blk_size(c->b) && at >= MIN(blk_size(c->a), blk_size(c->b))
                          ? "size"
                          : "content";

    if (args->json) {
        JsonBuilder *json = json_builder_new();
        json_builder_begin_object(json);
        disk_json_flag(json, "same", same);
        if (!same) {
            disk_json_number(json, "offset", at);
        }
        json_builder_end_object(json);
        if (!disk_json_print(json, error)) {
            return DISK_FAILED;
        }
    } else if (!args->quiet) {
        if (same) {
            printf("the disks are the same\n");
        } else {
            printf("the disks differ in %s, at byte %" G_GUINT64_FORMAT "\n", why, at);
        }
    }
    return !disk_flush_output(error) ? DISK_FAILED : same ? DISK_DONE : DISK_WRONG;
}

int disk_compare(const DiskArgs *args, GError **error)
{
    BlkOptions options = { .read_only = true, .may_be_empty = true };
    DiskProgress progress;
    uint64_t at = 0;

    disk_block_signals();
    g_autoptr(Blk) a = disk_open(args->operands[0], args->format, options, error);
    g_autoptr(Blk) b = a ? disk_open(args->operands[1], args->format_2, options, error) : NULL;
    if (!b) {
        return DISK_FAILED;
    }
    g_autofree uint8_t *a_bytes = g_malloc(PIECE), *b_bytes = g_malloc(PIECE);
    Comparison c = { a, b, MAX(blk_size(a), blk_size(b)), a_bytes, b_bytes };
    if (args->strict && blk_size(a) != blk_size(b)) {
        return tell_difference(args, &c, false, MIN(blk_size(a), blk_size(b)), error);
    }
    disk_progress_init(&progress, args);
    int result = compare_all(&c, &progress, &at);
    disk_progress_end(&progress);
    if (result < 0) {
        set_error_errno(error, -result, "cannot compare '%s' and '%s' at byte %" G_GUINT64_FORMAT,
                        blk_path(a), blk_path(b), at);
        return DISK_FAILED;
    }
    return tell_difference(args, &c, result == 0, at, error);
}
