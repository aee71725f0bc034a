/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one clock of a machine, and timers on it.  Every device's time and the guest's TSC derive
 * from it, so they can't drift apart.  It never runs backwards.
 *
 * A host clock follows CLOCK_MONOTONIC from 0 at creation, stands still while paused, and runs
 * timers on a thread of its own.  A manual clock stands until clock_advance() moves it, and runs
 * timers inside that call: tests drive it by hand, and its wall time begins with 2024.
 *
 * Threads: all functions may be called from any thread, timers' functions included.  A timer's
 * function is called with no lock of the clock held.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define TIMER_NEVER   UINT64_MAX

typedef struct Clock Clock;
typedef struct Timer Timer;
typedef void (*TimerFn)(void *opaque);

Clock *clock_new_host(void);
/* The same, paused, and its timers wait for clock_start(), which begins a thread. */
Clock *clock_new_held(void);
void clock_start(Clock *clock);
Clock *clock_new_manual(void);
/* All timers must have been freed.  @clock may be NULL. */
void clock_free(Clock *clock);

bool clock_is_manual(const Clock *clock);
/* Nanoseconds since creation, without the times of pause. */
uint64_t clock_now_ns(Clock *clock);
/* Wall time in nanoseconds since 1970: that of creation plus clock_now_ns(). */
uint64_t clock_wall_ns(Clock *clock);

/* Host clock only: stop it and let it go on.  Timers don't run while it stands.  Idempotent. */
void clock_pause(Clock *clock);
void clock_resume(Clock *clock);
/* Paused or manual clock: show @now_ns from now on, as it did in another process.  Wall time stays
 * that of this host. */
void clock_set(Clock *clock, uint64_t now_ns);
/* Manual clock only: move by @ns, running each timer at its own moment, in order. */
void clock_advance(Clock *clock, uint64_t ns);
/* Manual clock only: when the next timer is due, or TIMER_NEVER. */
uint64_t clock_next_deadline_ns(Clock *clock);

/* A timer, unset.  It belongs to the caller: timer_free() before clock_free(). */
Timer *timer_new(Clock *clock, TimerFn fn, void *opaque);
/* After return the function doesn't run any more (waits for it, unless called from inside it). */
void timer_free(Timer *timer);
/* Call the function once at @deadline_ns of the clock (soon, if that is past); replaces an earlier
 * setting.  TIMER_NEVER unsets. */
void timer_set(Timer *timer, uint64_t deadline_ns);
/* Unset; a call that has already begun still finishes. */
void timer_cancel(Timer *timer);
/* The deadline, or TIMER_NEVER. */
uint64_t timer_deadline_ns(Timer *timer);
