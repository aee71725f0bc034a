/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disks are opened and closed here, see block.h; io.c moves their data.
 *
 * A chain of images is opened from its base up, each by the options that name it: what an image
 * says of itself is compared with them, and never opened.
 */
#include "block/block.h"

#include <string.h>

#include "block/chain.h"
#include "block/driver.h"
#include "block/limits.h"
#include "common/error.h"

static const BlkDriver *const drivers[] = { &raw_driver, &qcow2_driver, NULL };

const BlkDriver *const *blk_drivers(void)
{
    return drivers;
}

const char *blk_driver_name(const BlkDriver *driver)
{
    return driver->name;
}

const char *blk_driver_summary(const BlkDriver *driver)
{
    return driver->summary;
}

const BlkDriver *blk_driver_find(const char *name, GError **error)
{
    g_autoptr(GString) known = g_string_new(NULL);

    for (const BlkDriver *const *driver = drivers; *driver; driver++) {
        if (!strcmp((*driver)->name, name)) {
            return *driver;
        }
        g_string_append_printf(known, "%s%s", known->len ? ", " : "", (*driver)->name);
    }
    set_error_code(error, INSULA_ERROR_USAGE, "unknown disk format '%s': there are %s", name,
                   known->str);
    return NULL;
}

const char *blk_format_of_name(const char *path)
{
    for (const BlkDriver *const *driver = drivers; *driver; driver++) {
        g_auto(GStrv) suffixes = g_strsplit((*driver)->suffix, " ", 0);
        for (char **suffix = suffixes; *suffix; suffix++) {
            if (g_str_has_suffix(path, *suffix)) {
                return (*driver)->name;
            }
        }
    }
    return NULL;
}

/* Whether what the image says of its base is what we were told. */
static bool check_backing(const Blk *blk, const BlkOptions *options, GError **error)
{
    if (options->no_backing || (!blk->backing_name && !options->backing)) {
        return true;
    }
    if (!blk->backing_name) {
        set_error(error, "cannot use disk '%s' as based on '%s': it is based on no other image",
                  options->path, options->backing->path);
        return false;
    }
    if (!options->backing) {
        set_error(error,
                  "cannot use disk '%s' alone: it is based on image '%s', which was not looked for",
                  options->path, blk->backing_name);
        return false;
    }
    g_autofree char *path = blk_chain_join(options->path, blk->backing_name);
    if (strcmp(path, options->backing->path)) {
        set_error(error, "cannot use disk '%s' as based on '%s': it says that it is based on '%s'",
                  options->path, options->backing->path, path);
        return false;
    }
    return true;
}

static void free_blk(Blk *blk)
{
    blk_file_close(&blk->file);
    blk_gate_clear(&blk->gate);
    g_mutex_clear(&blk->unpacked_lock);
    g_free(blk->unpacked);
    g_free(blk->backing_name);
    g_free(blk->backing_format);
    g_free(blk);
}

/* Open one image; its base, if it has one, is not looked for. */
static Blk *open_one(const BlkOptions *options, GError **error)
{
    const BlkDriver *driver = blk_driver_find(options->format ? options->format : "raw", error);
    BlkFileOptions file = {
        .host = options->host,
        .path = options->path,
        .read_only = options->read_only,
        .direct = options->cache == BLK_CACHE_NONE || options->cache == BLK_CACHE_DIRECTSYNC,
        .never_sync = options->cache == BLK_CACHE_UNSAFE,
        .may_be_empty = options->may_be_empty,
    };

    if (!driver) {
        return NULL;
    }
    Blk *blk = g_malloc0(driver->instance_size);
    blk->driver = driver;
    blk->read_only = options->read_only;
    blk->sync_writes =
        options->cache == BLK_CACHE_WRITETHROUGH || options->cache == BLK_CACHE_DIRECTSYNC;
    blk->keep_discard = options->keep_discard;
    blk->detect = options->detect;
    if (!blk_file_open(&blk->file, &file, error)) {
        g_free(blk);
        return NULL;
    }
    blk->aio = options->aio;
    blk_gate_init(&blk->gate);
    g_mutex_init(&blk->unpacked_lock);
    if (!blk_lock(&blk->file, options->lock, error) || !driver->open(blk, options, error)) {
        free_blk(blk);
        return NULL;
    }
    if (!check_backing(blk, options, error)) {
        blk_close(blk);
        return NULL;
    }
    return blk;
}

Blk *blk_open(const BlkOptions *options, GError **error)
{
    const BlkOptions *chain[BLK_CHAIN_MAX];
    unsigned n = 0;
    Blk *blk = NULL;

    for (const BlkOptions *one = options; one; one = one->no_backing ? NULL : one->backing) {
        if (n == BLK_CHAIN_MAX) {
            set_error(error, "cannot open disk '%s': more than %d images are based on each other",
                      options->path, BLK_CHAIN_MAX);
            return NULL;
        }
        chain[n++] = one;
    }
    while (n--) {
        Blk *next = open_one(chain[n], error);
        if (!next) {
            blk_close(blk);
            return NULL;
        }
        next->backing = blk;
        blk = next;
    }
    return blk;
}

void blk_close(Blk *blk)
{
    while (blk) {
        Blk *backing = blk->backing;
        if (blk->driver->close) {
            blk->driver->close(blk);
        }
        free_blk(blk);
        blk = backing;
    }
}

const char *blk_path(const Blk *blk)
{
    return blk->file.path;
}

const char *blk_format(const Blk *blk)
{
    return blk->driver->name;
}

uint64_t blk_size(const Blk *blk)
{
    return __atomic_load_n(&blk->size, __ATOMIC_RELAXED);
}

bool blk_read_only(const Blk *blk)
{
    return blk->read_only;
}

Blk *blk_backing(const Blk *blk)
{
    return blk->backing;
}

const char *blk_broken(const Blk *blk)
{
    return __atomic_load_n(&blk->broken, __ATOMIC_ACQUIRE);
}
