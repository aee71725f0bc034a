/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cache of translated blocks: found by physical address and context key, dropped when their
 * bytes are written.
 *
 * Blocks stand in one arena, and what a back end made of them in its own; both are emptied as a
 * whole when one is full.  They begin small.  When they are full, and most of what is in them had
 * been translated before they were last emptied, they are made larger instead, in steps, up to a
 * limit: that is code which runs again and again.  A dropped block is unlinked and marked dead; its
 * memory stays until then, so a vCPU that is inside it may finish it.
 *
 * Pages that hold code are known: stores to them take the slow path, which asks
 * cache_store_hits().
 *
 * Threads: all functions take cache->lock themselves, but where noted.
 */
#pragma once

#include <pthread.h>

#include "engine/dbt/run/backend.h"
#include "engine/dbt/run/cpu.h"

typedef struct BlockCache BlockCache;

#define GPA_NONE UINT64_MAX

enum {
    /* Bytes of code.  A Debian boot to the shell needs 34 MiB, and may take 64 in all beyond guest
     * RAM; block records come on top with a third of that. */
    CACHE_FIRST = 36 << 20,
    CACHE_STEP = 16 << 20,
    CACHE_LIMIT = 128 << 20,   /* the default */
    CACHE_LIMIT_MIN = 1 << 20, /* several of the largest blocks */
    CACHE_MAX_WRITTEN = 256,   /* ranges written by devices that wait; above: drop everything */
};

struct Block {
    uint64_t gpa;     /* of the first instruction */
    uint64_t gpa2;    /* of the second page's begin, or GPA_NONE */
    Block *hash_next; /* atomic; written under the lock */
    const void *code; /* compiled: where it is entered */
    uint32_t key;     /* context */
    uint32_t guest_bytes;
    uint32_t host_bytes;   /* compiled: from .code on */
    uint16_t guest_before; /* it is made of so many bytes in front of .gpa, too */
    uint16_t n_nodes, n_insns;
    bool dead;                        /* atomic */
    bool uncached;                    /* stands alone: the dispatch loop follows */
    bool checked;                     /* atomic; check.c has run it */
    Block *next[IR_EXIT_SLOTS];       /* atomic: where exits lead */
    uintptr_t incoming;               /* lock: list of exits that lead here: Block * | slot */
    uintptr_t in_next[IR_EXIT_SLOTS]; /* lock: links of the lists that this block's exits are in */
    Block *page_next[2];              /* lock: other blocks of the page of gpa, gpa2 */
    /* for the interpreter, and for checks */
    const IrInsn *insns;
    const IrNode *nodes;
    /* compiled: */
    uint32_t site[IR_EXIT_SLOTS]; /* in code memory: the jump of each exit slot; 0: none */
    uint32_t loop[2]; /* where it goes back to itself: bytes like the head's, for kill; 0: none */
    uint32_t stub[IR_EXIT_SLOTS]; /* and where that leads when it leads to no block */
};

/* @limit is of bytes of code, a back end's or, without one, the IR's; 0: CACHE_LIMIT. */
BlockCache *cache_new(GuestMemory *memory, size_t limit, GError **error);
void cache_free(BlockCache *cache);
/* Blocks are compiled by @backend into its @code from now on; before there are any. */
void cache_set_backend(BlockCache *cache, const Backend *backend, void *code);

/* Blocks are armed and keep their IR, for check.c: until they were checked, or forever. */
void cache_set_check(BlockCache *cache, bool forever);
/* @block was checked. */
void cache_checked(BlockCache *cache, Block *block);

/* How often the cache was emptied: block pointers from before are wild. */
uint64_t cache_flushes(const BlockCache *cache);
/* Bytes of the arena in use. */
uint64_t cache_used(BlockCache *cache);
/* Bytes of code that there is room for now, and at most. */
size_t cache_size(BlockCache *cache);
size_t cache_limit(const BlockCache *cache);

/* The newest block at @gpa in context @key, or NULL.  If it has a second page (gpa2), the caller
 * checks that this is still the page mapped there. */
Block *cache_find(BlockCache *cache, uint64_t gpa, uint32_t key);

/* False where RAM was not expected when the cache was made: code there isn't kept. */
bool cache_may_hold(const BlockCache *cache, uint64_t gpa);
/* True if the page of @gpa counts as code now. */
bool cache_is_code(const BlockCache *cache, uint64_t gpa);
/* Make it so; the caller is in an exclusive section and then removes fast write entries of all
 * vCPUs' TLBs. */
void cache_make_code(BlockCache *cache, uint64_t gpa);

/* Around reading guest bytes, translating and cache_add(): who writes to the two pages meanwhile
 * notices, and drops the block when it stands.  Never wait for other vCPUs inside.  False: a page
 * does not count as code, make it so first. */
bool cache_translate_begin(BlockCache *cache, uint64_t gpa, uint64_t gpa2);
void cache_translate_end(BlockCache *cache);

/* Store a translation, compiled if there is a back end for that; both pages are code already.
 * NULL: no room, see cache_grow(). */
Block *cache_add(BlockCache *cache, const IrBlock *ir, uint64_t gpa, uint64_t gpa2, uint32_t key);
/* Let @from's exit @slot lead to @to, unless one of them died. */
void cache_link(BlockCache *cache, Block *from, unsigned slot, Block *to);
/* After cache_add() found no room: true if there is some now.  False: it must be emptied. */
bool cache_grow(BlockCache *cache);
/* Empty it.  Only in an exclusive section. */
void cache_flush(BlockCache *cache);

/* Would a store of @len bytes at @gpa (inside a page) change bytes of a translated block?  Takes
 * no lock: may say yes when the answer is no. */
bool cache_store_hits(const BlockCache *cache, uint64_t gpa, unsigned len);
/* True if @block was made from bytes of [@gpa, @gpa + @len). */
bool block_covers(const Block *block, uint64_t gpa, uint64_t len);
/* A vCPU has stored @len bytes at @gpa (inside a page) that counts as code: drop what was made of
 * the old ones, even if that is just being made.  A page that is stored to again and again while
 * there is no block in it stops counting as code. */
void cache_stored(BlockCache *cache, uint64_t gpa, unsigned len);
/* Drop all blocks made from bytes of the range. */
void cache_drop(BlockCache *cache, uint64_t gpa, uint64_t len);

/* A device wrote the range: remember it until a vCPU calls cache_drop_written().  True if there is
 * code in it, so that vCPUs must look.  Any thread; takes only a small lock of its own. */
bool cache_note_written(BlockCache *cache, uint64_t gpa, uint64_t len);
void cache_drop_written(BlockCache *cache);
