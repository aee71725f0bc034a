/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The images that a disk is based on, found before any is opened for good.
 *
 * An image names the one below it by a string that whoever wrote the image has chosen.  It is
 * followed only to regular files of this host, with a format that the image says, and no image
 * twice; so what is opened later is known, and can be shown, compared and passed as descriptors.
 *
 * Threads: no state.
 */
#pragma once

#include "block/block.h"

typedef struct BlkChain {
    unsigned n;
    BlkOptions *images; /* [0] is the top; each one's .backing the next */
} BlkChain;

/* Find the chain that @top begins; what it says besides path and format holds for all, but those
 * below are only read.  NULL, if one can't be used: it is named, with the remedy. */
BlkChain *blk_chain_resolve(const BlkOptions *top, GError **error);
void blk_chain_free(BlkChain *chain);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlkChain, blk_chain_free)

/* Resolve, and open. */
Blk *blk_chain_open(const BlkOptions *top, GError **error);

/* The path of the image that image @path means by @name. */
char *blk_chain_join(const char *path, const char *name);
