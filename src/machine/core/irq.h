/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An interrupt line: a wire from a device's output to a pin of something that takes interrupts.
 * The board connects them; a device only knows how to raise and lower its own.
 *
 * Threads: a line belongs to one device, which drives it with its own lock held.  What it leads to
 * takes its own lock: the order is device -> (merge) -> interrupt chip -> engine.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct IrqLine {
    void (*set)(void *opaque, unsigned pin, bool level); /* NULL: not connected */
    void *opaque;
    unsigned pin;
} IrqLine;

static inline void irq_set(const IrqLine *line, bool level)
{
    if (line->set) {
        line->set(line->opaque, line->pin, level);
    }
}

/* Down and up again: an edge, whatever the level was. */
static inline void irq_pulse(const IrqLine *line)
{
    irq_set(line, false);
    irq_set(line, true);
}

/* Where interrupt messages go: memory writes to FEExxxxxh. */
typedef struct MsiTarget {
    void (*send)(void *opaque, uint64_t address, uint32_t data);
    void *opaque;
} MsiTarget;

/* Up to 32 level-triggered lines that share one pin: it is up while any of them is. */
typedef struct IrqMerge {
    GMutex lock;
    IrqLine out;     /* fixed after init */
    uint32_t inputs; /* lock: lock; a bit per line that is up */
} IrqMerge;

void irq_merge_init(IrqMerge *merge, IrqLine out);
void irq_merge_clear(IrqMerge *merge);
/* The line for input @index (below 32). */
IrqLine irq_merge_input(IrqMerge *merge, unsigned index);
