/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The clock and its timers, see clock.h.
 *
 * Timers stand in an unsorted array: a machine has a dozen.  One mutex guards everything but the
 * reading of the time, which needs only the atomic base.
 */
#include "common/clock.h"

#include <glib.h>
#include <pthread.h>
#include <time.h>

#include "common/confine.h"

#define MANUAL_START_S UINT64_C(1704067200) /* 2024-01-01 */

struct Timer {
    Clock *clock;
    TimerFn fn;
    void *opaque;
    uint64_t deadline_ns; /* lock: clock->mutex */
};

struct Clock {
    /* fixed after create, and clock_set() */
    bool manual;
    uint64_t wall_base_ns;
    bool started; /* .thread is there */
    pthread_t thread;
    /* atomic */
    uint64_t base_ns;   /* host time at which the clock showed 0; moves on resume */
    uint64_t frozen_ns; /* what it shows while paused or manual */
    bool paused;
    /* lock: mutex */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    GPtrArray *timers;
    Timer *running; /* whose function is being called, and by whom */
    pthread_t runner;
    bool stopping;
};

static uint64_t host_now_ns(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

bool clock_is_manual(const Clock *clock)
{
    return clock->manual;
}

uint64_t clock_now_ns(Clock *clock)
{
    if (__atomic_load_n(&clock->paused, __ATOMIC_ACQUIRE)) {
        return __atomic_load_n(&clock->frozen_ns, __ATOMIC_RELAXED);
    }
    return host_now_ns(CLOCK_MONOTONIC) - __atomic_load_n(&clock->base_ns, __ATOMIC_RELAXED);
}

uint64_t clock_wall_ns(Clock *clock)
{
    return clock->wall_base_ns + clock_now_ns(clock);
}

/* The timer that is due first, or NULL.  Lock: mutex. */
static Timer *first_timer(const Clock *clock)
{
    Timer *first = NULL;

    for (guint i = 0; i < clock->timers->len; i++) {
        Timer *timer = g_ptr_array_index(clock->timers, i);
        if (timer->deadline_ns != TIMER_NEVER &&
            (!first || timer->deadline_ns < first->deadline_ns)) {
            first = timer;
        }
    }
    return first;
}

/* Call @timer's function with the mutex open.  Lock: mutex, held again on return. */
static void run_timer(Clock *clock, Timer *timer)
{
    timer->deadline_ns = TIMER_NEVER;
    clock->running = timer;
    clock->runner = pthread_self();
    pthread_mutex_unlock(&clock->mutex);
    timer->fn(timer->opaque);
    pthread_mutex_lock(&clock->mutex);
    clock->running = NULL;
    pthread_cond_broadcast(&clock->changed);
}

static void wait_until(Clock *clock, uint64_t host_ns)
{
    struct timespec until = { .tv_sec = (time_t)(host_ns / NS_PER_SECOND),
                              .tv_nsec = (long)(host_ns % NS_PER_SECOND) };

    pthread_cond_timedwait(&clock->changed, &clock->mutex, &until);
}

static void *timer_thread(void *opaque)
{
    Clock *clock = opaque;

    confine_thread(THREAD_CLOCK);
    pthread_mutex_lock(&clock->mutex);
    while (!clock->stopping) {
        Timer *timer = first_timer(clock);
        if (!timer || clock->paused) {
            pthread_cond_wait(&clock->changed, &clock->mutex);
        } else if (timer->deadline_ns > clock_now_ns(clock)) {
            wait_until(clock, timer->deadline_ns + clock->base_ns);
        } else {
            run_timer(clock, timer);
        }
    }
    pthread_mutex_unlock(&clock->mutex);
    return NULL;
}

static Clock *clock_new(bool manual)
{
    Clock *clock = g_new0(Clock, 1);
    pthread_condattr_t attr;

    clock->manual = manual;
    clock->paused = manual;
    clock->wall_base_ns = manual ? MANUAL_START_S * NS_PER_SECOND : host_now_ns(CLOCK_REALTIME);
    clock->base_ns = host_now_ns(CLOCK_MONOTONIC);
    clock->timers = g_ptr_array_new();
    pthread_mutex_init(&clock->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&clock->changed, &attr);
    pthread_condattr_destroy(&attr);
    return clock;
}

Clock *clock_new_held(void)
{
    Clock *clock = clock_new(false);

    clock_pause(clock);
    return clock;
}

void clock_start(Clock *clock)
{
    g_assert(!clock->manual && !clock->started);
    if (pthread_create(&clock->thread, NULL, timer_thread, clock)) {
        g_error("cannot start the timer thread");
    }
    clock->started = true;
}

Clock *clock_new_host(void)
{
    Clock *clock = clock_new(false);

    clock_start(clock);
    return clock;
}

Clock *clock_new_manual(void)
{
    return clock_new(true);
}

void clock_free(Clock *clock)
{
    if (!clock) {
        return;
    }
    g_assert(clock->timers->len == 0);
    if (clock->started) {
        pthread_mutex_lock(&clock->mutex);
        clock->stopping = true;
        pthread_cond_broadcast(&clock->changed);
        pthread_mutex_unlock(&clock->mutex);
        pthread_join(clock->thread, NULL);
    }
    pthread_cond_destroy(&clock->changed);
    pthread_mutex_destroy(&clock->mutex);
    g_ptr_array_free(clock->timers, TRUE);
    g_free(clock);
}

void clock_pause(Clock *clock)
{
    pthread_mutex_lock(&clock->mutex);
    if (!clock->paused) {
        __atomic_store_n(&clock->frozen_ns, clock_now_ns(clock), __ATOMIC_RELAXED);
        __atomic_store_n(&clock->paused, true, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&clock->mutex);
}

void clock_resume(Clock *clock)
{
    pthread_mutex_lock(&clock->mutex);
    if (clock->paused && !clock->manual) {
        uint64_t base_ns = host_now_ns(CLOCK_MONOTONIC) - clock->frozen_ns;
        __atomic_store_n(&clock->base_ns, base_ns, __ATOMIC_RELAXED);
        __atomic_store_n(&clock->paused, false, __ATOMIC_RELEASE);
        pthread_cond_broadcast(&clock->changed);
    }
    pthread_mutex_unlock(&clock->mutex);
}

void clock_set(Clock *clock, uint64_t now_ns)
{
    pthread_mutex_lock(&clock->mutex);
    g_assert(clock->paused);
    if (!clock->manual) {
        clock->wall_base_ns = host_now_ns(CLOCK_REALTIME) - now_ns;
    }
    __atomic_store_n(&clock->frozen_ns, now_ns, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&clock->mutex);
}

void clock_advance(Clock *clock, uint64_t ns)
{
    g_assert(clock->manual);
    pthread_mutex_lock(&clock->mutex);
    uint64_t end_ns = clock->frozen_ns + ns;
    for (;;) {
        Timer *timer = first_timer(clock);
        if (!timer || timer->deadline_ns > end_ns) {
            break;
        }
        uint64_t at_ns = MAX(timer->deadline_ns, clock->frozen_ns);
        __atomic_store_n(&clock->frozen_ns, at_ns, __ATOMIC_RELAXED);
        run_timer(clock, timer);
    }
    __atomic_store_n(&clock->frozen_ns, end_ns, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&clock->mutex);
}

uint64_t clock_next_deadline_ns(Clock *clock)
{
    pthread_mutex_lock(&clock->mutex);
    Timer *timer = first_timer(clock);
    uint64_t deadline_ns = timer ? timer->deadline_ns : TIMER_NEVER;
    pthread_mutex_unlock(&clock->mutex);
    return deadline_ns;
}

Timer *timer_new(Clock *clock, TimerFn fn, void *opaque)
{
    Timer *timer = g_new0(Timer, 1);

    *timer = (Timer){ .clock = clock, .fn = fn, .opaque = opaque, .deadline_ns = TIMER_NEVER };
    pthread_mutex_lock(&clock->mutex);
    g_ptr_array_add(clock->timers, timer);
    pthread_mutex_unlock(&clock->mutex);
    return timer;
}

void timer_free(Timer *timer)
{
    if (!timer) {
        return;
    }
    Clock *clock = timer->clock;
    pthread_mutex_lock(&clock->mutex);
    g_ptr_array_remove_fast(clock->timers, timer);
    while (clock->running == timer && !pthread_equal(clock->runner, pthread_self())) {
        pthread_cond_wait(&clock->changed, &clock->mutex);
    }
    pthread_mutex_unlock(&clock->mutex);
    g_free(timer);
}

void timer_set(Timer *timer, uint64_t deadline_ns)
{
    Clock *clock = timer->clock;

    pthread_mutex_lock(&clock->mutex);
    Timer *first = first_timer(clock);
    bool sooner = !first || deadline_ns < first->deadline_ns;
    timer->deadline_ns = deadline_ns;
    if (sooner && !clock->manual) {
        pthread_cond_broadcast(&clock->changed);
    }
    pthread_mutex_unlock(&clock->mutex);
}

void timer_cancel(Timer *timer)
{
    timer_set(timer, TIMER_NEVER);
}

uint64_t timer_deadline_ns(Timer *timer)
{
    pthread_mutex_lock(&timer->clock->mutex);
    uint64_t deadline_ns = timer->deadline_ns;
    pthread_mutex_unlock(&timer->clock->mutex);
    return deadline_ns;
}
