/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC's timer: one-shot, periodic and TSC-deadline (SDM volume 3, 11.5.4).
 *
 * It counts at 1 GHz before its divider (X86_LAPIC_TIMER_HZ), so a count is a number of
 * nanoseconds of the machine's clock.  Only the deadline is kept; the current count follows.
 *
 * Threads: the vCPU's own, and lapic_on_timer() on the clock's.
 */
#include "engine/dbt/guest/x86/lapic_internal.h"

/* A period shorter than this would keep the host busy: interrupts come this far apart instead. */
enum { MIN_PERIOD_NS = 50 * 1000 };

/* Modes in the LVT. */
typedef enum TimerMode { MODE_ONE_SHOT, MODE_PERIODIC, MODE_DEADLINE } TimerMode;

static TimerMode mode_of(const Lapic *lapic)
{
    return (TimerMode)(lapic->reg[REG_LVT_TIMER] >> 17 & 3);
}

bool lapic_timer_counts(const Lapic *lapic)
{
    return mode_of(lapic) <= MODE_PERIODIC;
}

/* Nanoseconds a count takes: 2, 4, ... 128, or 1. */
static uint64_t divider(const Lapic *lapic)
{
    uint32_t divide = lapic->reg[REG_TIMER_DIVIDE];
    unsigned code = (divide & 3) | (divide >> 1 & 4);

    return UINT64_C(1) << ((code + 1) & 7);
}

static uint64_t period_ns(const Lapic *lapic)
{
    return lapic->reg[REG_TIMER_INITIAL] * divider(lapic);
}

static void set_deadline(Lapic *lapic, uint64_t deadline_ns)
{
    lapic->deadline_ns = deadline_ns;
    timer_set(lapic->timer, deadline_ns);
}

void lapic_timer_stop_locked(Lapic *lapic)
{
    lapic->tsc_deadline = 0;
    set_deadline(lapic, TIMER_NEVER);
}

static void fire(Lapic *lapic)
{
    uint32_t lvt = lapic->reg[REG_LVT_TIMER];

    if (!(lvt & LVT_MASKED)) {
        lapic_raise_locked(lapic, (uint8_t)lvt, false);
    }
}

/* The deadline has passed: when is the next?  Missed periods are skipped, not made up. */
static void expire(Lapic *lapic, uint64_t now_ns)
{
    uint64_t period = period_ns(lapic);

    if (mode_of(lapic) == MODE_PERIODIC && period) {
        uint64_t missed = (now_ns - lapic->deadline_ns) / period;
        uint64_t next_ns = lapic->deadline_ns + (missed + 1) * period;
        set_deadline(lapic, period < MIN_PERIOD_NS ? now_ns + MIN_PERIOD_NS : next_ns);
    } else {
        lapic->deadline_ns = TIMER_NEVER;
        lapic->tsc_deadline = 0;
    }
    fire(lapic);
}

void lapic_on_timer(void *opaque)
{
    Lapic *lapic = opaque;

    g_mutex_lock(&lapic->mutex);
    uint64_t now_ns = clock_now_ns(lapic->cpu->base.clock);
    if (lapic->deadline_ns != TIMER_NEVER) {
        if (now_ns >= lapic->deadline_ns) {
            expire(lapic, now_ns);
        } else {
            timer_set(lapic->timer, lapic->deadline_ns); /* it was moved while this call began */
        }
    }
    g_mutex_unlock(&lapic->mutex);
}

/* Set the timer for the TSC deadline, or fire at once if that is past. */
static void arm_tsc(Lapic *lapic)
{
    uint64_t now_ns = clock_now_ns(lapic->cpu->base.clock);
    uint64_t deadline_ns = x86_tsc_to_ns(lapic->cpu, lapic->tsc_deadline);

    if (deadline_ns <= now_ns) {
        set_deadline(lapic, TIMER_NEVER);
        lapic->tsc_deadline = 0;
        fire(lapic);
    } else {
        set_deadline(lapic, deadline_ns);
    }
}

void lapic_set_tsc_deadline(Lapic *lapic, uint64_t tsc)
{
    g_mutex_lock(&lapic->mutex);
    if (mode_of(lapic) == MODE_DEADLINE) {
        lapic->tsc_deadline = tsc;
        if (tsc) {
            arm_tsc(lapic);
        } else {
            set_deadline(lapic, TIMER_NEVER);
        }
    }
    g_mutex_unlock(&lapic->mutex);
}

uint64_t lapic_tsc_deadline(Lapic *lapic)
{
    g_mutex_lock(&lapic->mutex);
    uint64_t tsc = lapic->tsc_deadline;
    g_mutex_unlock(&lapic->mutex);
    return tsc;
}

void lapic_tsc_moved(Lapic *lapic)
{
    g_mutex_lock(&lapic->mutex);
    if (lapic->tsc_deadline) {
        arm_tsc(lapic);
    }
    g_mutex_unlock(&lapic->mutex);
}

/* Going to or from TSC-deadline mode disarms the timer. */
void lapic_timer_mode(Lapic *lapic, uint32_t lvt)
{
    g_mutex_lock(&lapic->mutex);
    bool counted = lapic_timer_counts(lapic);
    lapic->reg[REG_LVT_TIMER] = lvt | (lapic->reg[REG_SVR] & SVR_ENABLE ? 0 : LVT_MASKED);
    if (counted != lapic_timer_counts(lapic)) {
        lapic->reg[REG_TIMER_INITIAL] = 0;
        lapic_timer_stop_locked(lapic);
    }
    g_mutex_unlock(&lapic->mutex);
}

void lapic_timer_start(Lapic *lapic, uint32_t count)
{
    g_mutex_lock(&lapic->mutex);
    if (lapic_timer_counts(lapic)) {
        lapic->reg[REG_TIMER_INITIAL] = count;
        set_deadline(lapic,
                     count ? clock_now_ns(lapic->cpu->base.clock) + period_ns(lapic) : TIMER_NEVER);
    }
    g_mutex_unlock(&lapic->mutex);
}

static uint32_t current_locked(const Lapic *lapic)
{
    uint64_t now_ns = clock_now_ns(lapic->cpu->base.clock);

    if (!lapic_timer_counts(lapic) || lapic->deadline_ns == TIMER_NEVER ||
        lapic->deadline_ns <= now_ns) {
        return 0;
    }
    return (uint32_t)((lapic->deadline_ns - now_ns) / divider(lapic));
}

/* The count goes on from where it is, at the new speed. */
void lapic_timer_divide(Lapic *lapic, uint32_t divide)
{
    g_mutex_lock(&lapic->mutex);
    uint64_t current = current_locked(lapic);
    lapic->reg[REG_TIMER_DIVIDE] = divide;
    if (current) {
        set_deadline(lapic, clock_now_ns(lapic->cpu->base.clock) + current * divider(lapic));
    }
    g_mutex_unlock(&lapic->mutex);
}

uint32_t lapic_timer_current(Lapic *lapic)
{
    g_mutex_lock(&lapic->mutex);
    uint32_t current = current_locked(lapic);
    g_mutex_unlock(&lapic->mutex);
    return current;
}

void lapic_timer_restore_locked(Lapic *lapic, uint64_t deadline_ns, uint64_t tsc_deadline)
{
    lapic_timer_stop_locked(lapic);
    if (mode_of(lapic) == MODE_DEADLINE && tsc_deadline) {
        lapic->tsc_deadline = tsc_deadline;
        arm_tsc(lapic);
    } else if (lapic_timer_counts(lapic) && deadline_ns) {
        set_deadline(lapic, deadline_ns);
    }
}
