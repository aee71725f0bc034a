/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the 8254: each case is a script of core/bench.h on a fresh timer; line 0 is channel 0's
 * output.  A tick is 838.095 ns; 1000 ticks are 838095 ns.
 */
#include "machine/device/pit.h"

#include "machine/core/bench.h"

static const struct {
    const char *name, *script;
} cases[] = {
    { "/pit/mode0-rises-once",
      "o 43 30 o 40 e8 o 40 3 l 0 0 t 838000 l 0 0 t 200 l 0 1 t 10000000 e 0 1" },
    { "/pit/mode0-counts-down", "o 43 30 o 40 e8 o 40 3 t 419048 o 43 0 i 40 f4 i 40 1" },
    { "/pit/mode0-wraps-after-end", "o 43 30 o 40 1 o 40 0 t 2515000 o 43 0 i 40 49 i 40 f4" },
    { "/pit/mode0-first-byte-stops", "o 43 30 o 40 e8 o 40 3 o 40 10 t 2000000 e 0 0" },
    { "/pit/mode2-rises-each-period", "o 43 34 o 40 e8 o 40 3 t 8381000 e 0 A" },
    { "/pit/mode3-rises-each-period", "o 43 36 o 40 e8 o 40 3 t 8381000 e 0 A" },
    { "/pit/mode2-count-of-0-is-65536", "o 43 34 o 40 0 o 40 0 t 54925000 e 0 0 t 1000 e 0 1" },
    { "/pit/mode2-counts-from-n-to-1", "o 43 34 o 40 3 o 40 0 o 43 0 i 40 3 i 40 0 t 839 "
                                       "o 43 0 i 40 2 i 40 0 t 839 o 43 0 i 40 1 i 40 0" },
    { "/pit/mode3-counts-by-two", "o 43 36 o 40 8 o 40 0 t 839 o 43 0 i 40 6 i 40 0" },
    { "/pit/new-count-after-period",
      "# 1000 ticks, then 2000; o 43 34 o 40 e8 o 40 3 t 400000 "
      "o 40 d0 o 40 7 t 438200 e 0 1 t 1676100 e 0 1 t 1676000 e 0 0" },
    { "/pit/mode4-strobes-once",
      "o 43 38 o 40 e8 o 40 3 t 838500 e 0 0 t 600 e 0 1 t 9000000 e 0 0" },
    { "/pit/mode1-needs-its-gate", "o 43 32 o 40 e8 o 40 3 t 9000000 e 0 0" },
    { "/pit/fast-periods-are-limited", "o 43 34 o 40 2 o 40 0 t 1000000 e 0 14" },
    { "/pit/control-word-stops", "o 43 34 o 40 e8 o 40 3 t 900000 o 43 30 t 5000000 e 0 1 l 0 0" },
    { "/pit/low-byte-access", "o 43 14 o 40 64 t 83900 e 0 1 o 43 0 i 40 64" },
    { "/pit/high-byte-access", "o 43 24 o 40 2 o 43 0 i 40 2 t 429200 e 0 1" },
    { "/pit/latch-holds", "o 43 34 o 40 e8 o 40 3 o 43 0 t 400000 o 43 0 i 40 e8 i 40 3" },
    { "/pit/unlatched-low-then-high", "o 43 30 o 40 34 o 40 12 i 40 34 i 40 12 i 40 34" },
    { "/pit/bcd", "o 43 31 o 40 0 o 40 10 t 839 o 43 0 i 40 99 i 40 9" },
    { "/pit/readback-status", "o 43 34 o 43 e2 i 40 f4 o 40 e8 o 40 3 o 43 e2 i 40 b4" },
    { "/pit/readback-status-then-count", "o 43 30 o 40 e8 o 40 3 o 43 c2 i 40 30 i 40 e8 i 40 3" },
    { "/pit/readback-two-channels", "o 43 14 o 40 9 o 43 54 o 41 7 o 43 d6 i 40 9 i 41 7" },
    { "/pit/second-status-latch-is-ignored",
      "o 43 30 o 40 1 o 40 0 o 43 e2 t 9000 o 43 e2 i 40 30 o 43 e2 i 40 b0" },
    { "/pit/modes-6-and-7-are-2-and-3", "o 43 3c o 43 e2 i 40 f4 o 43 3e o 43 e2 i 40 f6" },
    { "/pit/control-reads-as-ones", "i 43 ff" },
    { "/pit/channel2-gated-off", "o 61 0 o 43 b0 o 42 e8 o 42 3 t 3000000 i 61 0 o 43 80 i 42 e8" },
    { "/pit/channel2-output-at-61", "o 61 1 o 43 b0 o 42 e8 o 42 3 i 61 1 t 838096 i 61 31" },
    { "/pit/channel2-gate-pauses",
      "o 61 1 o 43 b0 o 42 e8 o 42 3 t 419048 o 61 0 t 5000000 o 43 80 "
      "i 42 f4 i 42 1 o 61 1 t 83810 o 43 80 i 42 90 i 42 1" },
    { "/pit/channel2-mode1-triggered", "o 61 0 o 43 b2 o 42 e8 o 42 3 i 61 20 o 61 1 i 61 1 "
                                       "t 838100 i 61 31" },
    { "/pit/channel2-mode3-restarts", "o 61 1 o 43 b6 o 42 e8 o 42 3 t 200000 o 61 0 o 61 1 "
                                      "o 43 80 i 42 e8 i 42 3" },
    { "/pit/speaker-bit-is-kept", "o 61 2 i 61 22" },
    { "/pit/refresh-toggles", "i 61 20 t 15085 i 61 30 t 15085 i 61 20" },
};

static void test_script(gconstpointer data)
{
    const typeof(cases[0]) *c = data;
    Bench bench;

    bench_init(&bench);
    Pit *pit = pit_new(&bench.env, bench_line(&bench, 0));
    device_reset((Device *)pit);
    bench_run(&bench, c->script);
    device_free((Device *)pit);
    bench_clear(&bench);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_add_data_func(cases[i].name, &cases[i], test_script);
    }
    return g_test_run();
}
