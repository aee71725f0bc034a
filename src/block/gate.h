/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A gate that requests pass: it knows which run, keeps all out while something needs the disk
 * for itself, and tells how old the oldest is, so that room which requests may still be using is
 * not given to others.
 *
 * Threads: from any; a request may leave on another thread than it entered on.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct BlkPass {
    /* lock: the gate's */
    struct BlkPass *previous, *next;
    uint64_t number; /* rises from request to request */
} BlkPass;

typedef struct BlkGate {
    GMutex lock;
    GCond changed;
    /* lock: lock */
    BlkPass running; /* head of the ring, oldest next to it */
    uint64_t next_number;
    bool closed;
} BlkGate;

void blk_gate_init(BlkGate *gate);
/* No request may run. */
void blk_gate_clear(BlkGate *gate);

/* Wait while it is closed, and enter. */
void blk_gate_enter(BlkGate *gate, BlkPass *pass);
/* The same without waiting: false if it is closed. */
bool blk_gate_try_enter(BlkGate *gate, BlkPass *pass);
void blk_gate_leave(BlkGate *gate, BlkPass *pass);

/* Let nobody in any more, and wait until all have left. */
void blk_gate_close(BlkGate *gate);
void blk_gate_open(BlkGate *gate);

/* A number that no request has yet; those that enter from now on have this one or a higher. */
uint64_t blk_gate_now(BlkGate *gate);
/* The lowest number of a request that runs, or blk_gate_now(). */
uint64_t blk_gate_oldest(BlkGate *gate);
