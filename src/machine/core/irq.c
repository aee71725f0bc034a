/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt lines that share a pin, see irq.h.
 */
#include "machine/core/irq.h"

void irq_merge_init(IrqMerge *merge, IrqLine out)
{
    g_mutex_init(&merge->lock);
    merge->out = out;
    merge->inputs = 0;
}

void irq_merge_clear(IrqMerge *merge)
{
    g_mutex_clear(&merge->lock);
}

static void set_input(void *opaque, unsigned index, bool level)
{
    IrqMerge *merge = opaque;
    uint32_t bit = UINT32_C(1) << index;

    g_mutex_lock(&merge->lock);
    merge->inputs = level ? merge->inputs | bit : merge->inputs & ~bit;
    irq_set(&merge->out, merge->inputs != 0);
    g_mutex_unlock(&merge->lock);
}

IrqLine irq_merge_input(IrqMerge *merge, unsigned index)
{
    g_assert(index < 32);
    return (IrqLine){ .set = set_input, .opaque = merge, .pin = index };
}
