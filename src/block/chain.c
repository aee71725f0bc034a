/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chains of images, see chain.h.
 */
#include "block/chain.h"

#include <string.h>

#include "block/driver.h"
#include "block/limits.h"
#include "common/error.h"

char *blk_chain_join(const char *path, const char *name)
{
    if (g_path_is_absolute(name)) {
        return g_strdup(name);
    }
    g_autofree char *folder = g_path_get_dirname(path);
    return strcmp(folder, ".") || g_str_has_prefix(path, "./")
               ? g_build_filename(folder, name, NULL)
               : g_strdup(name);
}

/* Whether others would take @name for something other than a file: "nbd://host", "json:{…}". */
static bool is_protocol(const char *name)
{
    size_t len = strspn(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "+-._");

    return len && name[len] == ':';
}

/* What image @blk says to be based on, as options in @ret; its path and format are new. */
static bool read_base(const Blk *blk, const BlkOptions *options, BlkOptions *ret, GError **error)
{
    const char *name = blk->backing_name, *format = blk->backing_format;

    if (is_protocol(name)) {
        set_error(error,
                  "cannot use disk '%s': it is based on '%s', which is no file: change that with "
                  "'insula disk rebase'",
                  options->path, name);
        return false;
    }
    if (!format) {
        set_error(error,
                  "cannot use disk '%s': it is based on '%s' without saying in which format that "
                  "is: say it with 'insula disk rebase --unsafe --backing %s --backing-format "
                  "FORMAT %s'",
                  options->path, name, name, options->path);
        return false;
    }
    if (!blk_driver_find(format, error)) {
        g_prefix_error(error, "cannot use disk '%s', which is based on '%s': ", options->path,
                       name);
        return false;
    }
    *ret = *options;
    ret->path = blk_chain_join(options->path, name);
    ret->format = g_strdup(format);
    ret->read_only = true;
    ret->may_be_empty = false;
    ret->backing = NULL;
    ret->snapshot = NULL;
    return true;
}

/* A glance at @options' image, without locks and what it is based on. */
static Blk *glance(const BlkOptions *options, bool is_base, GError **error)
{
    BlkOptions alone = *options;

    alone.read_only = true;
    alone.no_backing = true;
    alone.lock = BLK_LOCK_NONE;
    alone.cache = BLK_CACHE_WRITEBACK;
    alone.metadata_cache = 1;
    alone.aio = NULL;
    Blk *blk = blk_open(&alone, error);
    if (blk && is_base && blk->file.is_device) {
        set_error(error, "cannot use '%s' as base of another image: it is no regular file",
                  options->path);
        g_clear_pointer(&blk, blk_close);
    }
    return blk;
}

static bool is_same_file(Blk *a, Blk *b)
{
    struct stat x, y;

    return !a->file.host->stat(a->file.host->opaque, a->file.fd, &x) &&
           !b->file.host->stat(b->file.host->opaque, b->file.fd, &y) && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino && x.st_ino != 0;
}

static bool follow(BlkChain *chain, Blk **images, GError **error)
{
    for (;;) {
        unsigned i = chain->n - 1;
        images[i] = glance(&chain->images[i], i > 0, error);
        if (!images[i]) {
            return false;
        }
        for (unsigned k = 0; k < i; k++) {
            if (is_same_file(images[i], images[k])) {
                set_error(error, "cannot use disk '%s': in the end it is based on itself",
                          chain->images[k].path);
                return false;
            }
        }
        if (!images[i]->backing_name || chain->images[0].no_backing) {
            return true;
        }
        if (chain->n == BLK_CHAIN_MAX) {
            set_error(error, "cannot use disk '%s': more than %d images are based on each other",
                      chain->images[0].path, BLK_CHAIN_MAX);
            return false;
        }
        if (!read_base(images[i], &chain->images[i], &chain->images[i + 1], error)) {
            return false;
        }
        chain->images[i].backing = &chain->images[i + 1];
        chain->n++;
    }
}

BlkChain *blk_chain_resolve(const BlkOptions *top, GError **error)
{
    g_autoptr(BlkChain) chain = g_new0(BlkChain, 1);
    Blk *images[BLK_CHAIN_MAX] = { NULL };

    chain->images = g_new0(BlkOptions, BLK_CHAIN_MAX);
    chain->images[0] = *top;
    chain->images[0].path = g_strdup(top->path);
    chain->images[0].format = g_strdup(top->format);
    chain->images[0].backing = NULL;
    chain->n = 1;
    bool good = follow(chain, images, error);
    for (unsigned i = 0; i < chain->n; i++) {
        blk_close(images[i]);
    }
    return good ? g_steal_pointer(&chain) : NULL;
}

void blk_chain_free(BlkChain *chain)
{
    if (!chain) {
        return;
    }
    for (unsigned i = 0; i < chain->n; i++) {
        g_free((char *)(uintptr_t)chain->images[i].path);
        g_free((char *)(uintptr_t)chain->images[i].format);
    }
    g_free(chain->images);
    g_free(chain);
}

Blk *blk_chain_open(const BlkOptions *top, GError **error)
{
    g_autoptr(BlkChain) chain = blk_chain_resolve(top, error);

    return chain ? blk_open(&chain->images[0], error) : NULL;
}
