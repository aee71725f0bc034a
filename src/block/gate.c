/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gate of a disk's requests, see gate.h.
 */
#include "block/gate.h"

void blk_gate_init(BlkGate *gate)
{
    g_mutex_init(&gate->lock);
    g_cond_init(&gate->changed);
    gate->running.next = gate->running.previous = &gate->running;
    gate->next_number = 1;
    gate->closed = false;
}

void blk_gate_clear(BlkGate *gate)
{
    g_assert(gate->running.next == &gate->running);
    g_mutex_clear(&gate->lock);
    g_cond_clear(&gate->changed);
}

/* Lock: held. */
static void add(BlkGate *gate, BlkPass *pass)
{
    pass->number = gate->next_number++;
    pass->next = &gate->running;
    pass->previous = gate->running.previous;
    pass->previous->next = pass;
    gate->running.previous = pass;
}

void blk_gate_enter(BlkGate *gate, BlkPass *pass)
{
    g_mutex_lock(&gate->lock);
    while (gate->closed) {
        g_cond_wait(&gate->changed, &gate->lock);
    }
    add(gate, pass);
    g_mutex_unlock(&gate->lock);
}

bool blk_gate_try_enter(BlkGate *gate, BlkPass *pass)
{
    g_mutex_lock(&gate->lock);
    bool open = !gate->closed;
    if (open) {
        add(gate, pass);
    }
    g_mutex_unlock(&gate->lock);
    return open;
}

void blk_gate_leave(BlkGate *gate, BlkPass *pass)
{
    g_mutex_lock(&gate->lock);
    pass->previous->next = pass->next;
    pass->next->previous = pass->previous;
    if (gate->closed && gate->running.next == &gate->running) {
        g_cond_broadcast(&gate->changed);
    }
    g_mutex_unlock(&gate->lock);
}

void blk_gate_close(BlkGate *gate)
{
    g_mutex_lock(&gate->lock);
    while (gate->closed) {
        g_cond_wait(&gate->changed, &gate->lock);
    }
    gate->closed = true;
    while (gate->running.next != &gate->running) {
        g_cond_wait(&gate->changed, &gate->lock);
    }
    g_mutex_unlock(&gate->lock);
}

void blk_gate_open(BlkGate *gate)
{
    g_mutex_lock(&gate->lock);
    gate->closed = false;
    g_cond_broadcast(&gate->changed);
    g_mutex_unlock(&gate->lock);
}

uint64_t blk_gate_now(BlkGate *gate)
{
    g_mutex_lock(&gate->lock);
    uint64_t number = gate->next_number;
    g_mutex_unlock(&gate->lock);
    return number;
}

uint64_t blk_gate_oldest(BlkGate *gate)
{
    g_mutex_lock(&gate->lock);
    const BlkPass *oldest = gate->running.next;
    uint64_t number = oldest == &gate->running ? gate->next_number : oldest->number;
    g_mutex_unlock(&gate->lock);
    return number;
}
