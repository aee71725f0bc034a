/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the clock and its timers.
 */
#include "common/clock.h"

#include <glib.h>

typedef struct Record {
    Clock *clock;
    Timer *timer;
    GArray *times;     /* uint64_t: when the function ran */
    uint64_t again_ns; /* set the timer again so much later; 0: don't */
} Record;

static void on_timer(void *opaque)
{
    Record *r = opaque;
    uint64_t now_ns = clock_now_ns(r->clock);

    g_array_append_val(r->times, now_ns);
    if (r->again_ns) {
        timer_set(r->timer, now_ns + r->again_ns);
    }
}

static Record record_new(Clock *clock, uint64_t again_ns)
{
    return (Record){ .clock = clock,
                     .times = g_array_new(FALSE, FALSE, sizeof(uint64_t)),
                     .again_ns = again_ns };
}

static uint64_t time_of(const Record *r, unsigned i)
{
    g_assert_cmpuint(i, <, r->times->len);
    return g_array_index(r->times, uint64_t, i);
}

static void test_manual_order(void)
{
    Clock *clock = clock_new_manual();
    Record late = record_new(clock, 0), often = record_new(clock, 30);

    late.timer = timer_new(clock, on_timer, &late);
    often.timer = timer_new(clock, on_timer, &often);
    timer_set(late.timer, 70);
    timer_set(often.timer, 10);
    g_assert_cmpuint(clock_next_deadline_ns(clock), ==, 10);
    clock_advance(clock, 9);
    g_assert_cmpuint(often.times->len, ==, 0);
    clock_advance(clock, 91);
    g_assert_cmpuint(clock_now_ns(clock), ==, 100);
    g_assert_cmpuint(often.times->len, ==, 4); /* 10, 40, 70, 100 */
    g_assert_cmpuint(time_of(&often, 3), ==, 100);
    g_assert_cmpuint(time_of(&late, 0), ==, 70);
    timer_free(late.timer);
    timer_free(often.timer);
    g_array_free(late.times, TRUE);
    g_array_free(often.times, TRUE);
    clock_free(clock);
}

static void test_cancel_and_past(void)
{
    Clock *clock = clock_new_manual();
    Record r = record_new(clock, 0);

    r.timer = timer_new(clock, on_timer, &r);
    clock_advance(clock, 50);
    timer_set(r.timer, 60);
    timer_cancel(r.timer);
    g_assert_cmpuint(timer_deadline_ns(r.timer), ==, TIMER_NEVER);
    clock_advance(clock, 50);
    g_assert_cmpuint(r.times->len, ==, 0);
    timer_set(r.timer, 20); /* long past: runs at once, and time doesn't go back */
    clock_advance(clock, 0);
    g_assert_cmpuint(time_of(&r, 0), ==, 100);
    timer_free(r.timer);
    g_array_free(r.times, TRUE);
    clock_free(clock);
}

static void test_host_never_backwards_over_pause(void)
{
    Clock *clock = clock_new_host();
    uint64_t last_ns = clock_now_ns(clock);

    for (unsigned i = 0; i < 1000; i++) {
        clock_pause(clock);
        uint64_t frozen_ns = clock_now_ns(clock);
        g_assert_cmpuint(frozen_ns, >=, last_ns);
        g_assert_cmpuint(clock_now_ns(clock), ==, frozen_ns);
        clock_resume(clock);
        last_ns = clock_now_ns(clock);
        g_assert_cmpuint(last_ns, >=, frozen_ns);
    }
    clock_free(clock);
}

static void on_host_timer(void *opaque)
{
    __atomic_add_fetch((unsigned *)opaque, 1, __ATOMIC_SEQ_CST);
}

static void test_host_timer_fires(void)
{
    Clock *clock = clock_new_host();
    unsigned fired = 0;
    Timer *timer = timer_new(clock, on_host_timer, &fired);

    gint64 end_us = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    for (unsigned i = 1; i <= 50; i++) {
        timer_set(timer, clock_now_ns(clock) + NS_PER_SECOND * 3600);
        timer_set(timer, clock_now_ns(clock) + 1000); /* sooner than what the thread waits for */
        while (__atomic_load_n(&fired, __ATOMIC_SEQ_CST) < i && g_get_monotonic_time() < end_us) {
            g_thread_yield();
        }
    }
    g_assert_cmpuint(__atomic_load_n(&fired, __ATOMIC_SEQ_CST), ==, 50);
    timer_free(timer);
    clock_free(clock);
}

static void free_self(void *opaque)
{
    Timer **timer = opaque;

    timer_free(*timer);
    *timer = NULL;
}

static void test_free_inside_function(void)
{
    Clock *clock = clock_new_manual();
    Timer *timer = timer_new(clock, free_self, &timer);

    timer_set(timer, 5);
    clock_advance(clock, 10);
    g_assert_null(timer);
    clock_free(clock);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/clock/manual timers run in order", test_manual_order);
    g_test_add_func("/clock/cancelled and past timers", test_cancel_and_past);
    g_test_add_func("/clock/a timer frees itself", test_free_inside_function);
    g_test_add_func("/clock/host clock never runs backwards", test_host_never_backwards_over_pause);
    g_test_add_func("/clock/host timer fires", test_host_timer_fires);
    return g_test_run();
}
