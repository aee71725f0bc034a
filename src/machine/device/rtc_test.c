/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the real-time clock: each case is a script of core/bench.h on a clock that shows
 * Tuesday, 2024-02-27 23:59:58 UTC plus half a second; line 0 is the interrupt.
 */
#include "machine/device/rtc.h"

#include "machine/core/bench.h"

/* Read register @reg, expect @value; write it. */
#define GET(reg, value) "o 70 " reg " i 71 " value " "
#define SET(reg, value) "o 70 " reg " o 71 " value " "

static const struct {
    const char *name, *script;
} cases[] = {
    { "/rtc/date", GET("0", "58") GET("2", "59") GET("4", "23") GET("6", "3") GET("7", "27")
                       GET("8", "2") GET("9", "24") GET("32", "20") },
    { "/rtc/binary", SET("b", "6") GET("0", "3a") GET("2", "3b") GET("4", "17") GET("7", "1b")
                         GET("9", "18") GET("32", "14") },
    { "/rtc/12-hours", SET("b", "0") GET("4", "91") "t 1500000000 " GET("4", "12") },
    { "/rtc/midnight", "t 1500000000 " GET("0", "0") GET("4", "0") GET("7", "28") GET("6", "4") },
    { "/rtc/leap-day", "t 86401500000000 " GET("7", "29")
                           GET("8", "2") "t 86400000000000 " GET("7", "1") GET("8", "3") },
    { "/rtc/set",
      SET("b", "82") SET("0", "1") SET("2", "2") SET("4", "3") SET("7", "31") SET("8", "12")
          SET("9", "99") SET("32", "19") "t 5000000000 " GET("0", "1") SET("b", "2")
              GET("0", "1") "t 1000000000 " GET("0", "2") GET("6", "6") GET("9", "99")
                  GET("32", "19") "t 86400000000000 " GET("9", "0") GET("32", "20") },
    { "/rtc/set-one-register-running", SET("2", "10") GET("2", "10") GET("0", "58") },
    { "/rtc/set-rubbish",
      SET("b", "82") SET("0", "ff") SET("2", "ff") SET("4", "ff") SET("7", "ff") SET("8", "ff")
          SET("9", "ff") SET("32", "ff") SET("b", "2") GET("32", "25") },
    { "/rtc/set-before-1970", SET("b", "82") SET("9", "0") SET("32", "0") SET("7", "0")
                                  SET("8", "0") SET("b", "2") GET("9", "70") GET("32", "19") },
    { "/rtc/updating-shows",
      GET("a", "26") "t 499800000 " GET("a", "a6") "t 200000 " GET("a", "26") },
    { "/rtc/update-flag-without-interrupt",
      GET("c", "0") "t 600000000 " GET("c", "50") GET("c", "0") "l 0 0" },
    { "/rtc/update-interrupt", SET("b", "12") "t 400000000 l 0 0 t 100000000 l 0 1 " GET(
                                   "c", "d0") "l 0 0 t 1000000000 l 0 1" },
    { "/rtc/setting-stops-updates", SET("b", "92") "t 3000000000 l 0 0 " GET("b", "82") },
    { "/rtc/periodic-1024-hz", SET("c", "0") GET("c", "0") SET("b", "42") "t 976562 l 0 1 " GET(
                                   "c", "c0") "l 0 0 t 976563 l 0 1" },
    { "/rtc/periodic-rate-0-never", SET("a", "20") SET("b", "42") "t 900000 l 0 0" },
    { "/rtc/alarm-exact", SET("1", "0") SET("3", "0") SET("5", "0")
                              SET("b", "22") "t 1400000000 l 0 0 t 100000000 l 0 1 "
                                             "o 70 c i 71 f0" },
    { "/rtc/alarm-each-minute",
      SET("1", "30") SET("3", "c0") SET("5", "ff") SET("b", "22") "t 31500000000 e 0 1 "
                                                                  "o 70 c i 71 f0 "
                                                                  "t 60000000000 e 0 1" },
    { "/rtc/alarm-tomorrow", SET("1", "58") SET("3", "59") SET("5", "23")
                                 SET("b", "22") "t 86399000000000 l 0 0 t 1000000000 l 0 1" },
    { "/rtc/alarm-that-can-t-be", SET("1", "77") SET("b", "22") "t 172800000000000 l 0 0" },
    { "/rtc/valid-battery", GET("d", "80") SET("d", "0") GET("d", "80") },
    { "/rtc/ram", SET("40", "a5") GET("40", "a5") SET("7f", "1") GET("7f", "1") },
    { "/rtc/index-without-nmi-bit", "o 70 c0 i 70 40" },
    { "/rtc/memory-sizes",
      GET("15", "80") GET("16", "2") GET("17", "ff") GET("18", "ff") GET("34", "0") GET("35", "7")
          GET("5b", "0") GET("5c", "40") GET("5d", "0") },
};

/* Set the clock to the date above, whatever the host's is. */
static void set_date(Bench *bench)
{
    uint64_t wall_ns = clock_wall_ns(bench->env.clock) % NS_PER_SECOND;

    clock_advance(bench->env.clock, (NS_PER_SECOND + NS_PER_SECOND / 2 - wall_ns) % NS_PER_SECOND);
    bench_run(bench, SET("b", "82") SET("0", "58") SET("2", "59") SET("4", "23") SET("7", "27")
                         SET("8", "2") SET("9", "24") SET("32", "20") SET("b", "2") "o 70 c");
    gm_pio_read(bench->env.memory, 0x71, 1);
}

static void test_script(gconstpointer data)
{
    const typeof(cases[0]) *c = data;
    RtcMemorySizes sizes = { .below_4g = 128 << 20, .above_4g = UINT64_C(1) << 30 };
    Bench bench;

    bench_init(&bench);
    Rtc *rtc = rtc_new(&bench.env, bench_line(&bench, 0), sizes);
    device_reset((Device *)rtc);
    set_date(&bench);
    bench_run(&bench, c->script);
    device_free((Device *)rtc);
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
