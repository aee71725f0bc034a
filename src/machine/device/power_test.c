/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of what ends a machine: ACPI power management, the i8042 and the test-exit port, together
 * on one bench; each case is a script of core/bench.h.  Line 0 is the SCI, driving line 0 presses
 * the power button.
 */
#include "machine/core/bench.h"
#include "machine/device/acpi_pm.h"
#include "machine/device/i8042.h"
#include "machine/device/test_exit.h"

static const struct {
    const char *name, *script;
} cases[] = {
    { "/acpi-pm/off", "O 604 3400 p off" },
    { "/acpi-pm/off-by-bytes", "o 604 0 o 605 34 p off" },
    { "/acpi-pm/sleep-type-alone-does-nothing", "O 604 1400 p none I 604 1401" },
    { "/acpi-pm/other-sleep-types-do-nothing", "O 604 2400 p none O 604 3c00 p none" },
    { "/acpi-pm/always-acpi", "I 604 1 O 604 0 I 604 1" },
    { "/acpi-pm/reset", "o cf9 2 p none o cf9 6 p reset" },
    { "/acpi-pm/pci-address-does-not-reset", "O cf8 ffff p none I cf8 ffff i cf9 0" },
    { "/acpi-pm/button-without-enable", "u 0 l 0 0 I 600 100" },
    { "/acpi-pm/button", "O 602 100 u 0 l 0 1 O 600 100 l 0 0 I 600 0" },
    { "/acpi-pm/status-clears-by-byte", "O 602 100 u 0 o 601 1 l 0 0" },
    { "/acpi-pm/enable-by-byte", "u 0 o 603 1 l 0 1 I 602 100" },
    { "/acpi-pm/enable-has-known-bits", "O 602 ffff I 602 521" },
    { "/acpi-pm/timer", "I 608 0 t 1000000000 I 608 9e99 I 60a 36" },
    { "/acpi-pm/timer-carry", "t 599900000000 I 600 0 t 100000000 I 600 1 O 600 1 I 600 0" },
    { "/acpi-pm/timer-carry-interrupt", "O 602 1 t 599900000000 l 0 0 t 100000000 l 0 1 O 600 1 "
                                        "l 0 0 t 600000000000 l 0 1" },
    { "/i8042/reset-command", "o 64 fe p reset" },
    { "/i8042/pulse-without-reset-bit", "o 64 ff p none o 64 f1 p none" },
    { "/i8042/self-test", "i 64 14 o 64 aa i 64 1d i 60 55 i 64 1c" },
    { "/i8042/interface-tests", "o 64 ab i 60 0 o 64 a9 i 60 0" },
    { "/i8042/config", "o 64 60 o 60 45 o 64 20 i 60 45" },
    { "/i8042/disable-and-enable",
      "o 64 ae o 64 a8 o 64 20 i 60 4 o 64 ad o 64 a7 o 64 20 i 60 34" },
    { "/i8042/output-port", "o 64 d0 i 60 3 o 64 d1 o 60 df o 64 d0 i 60 df p none" },
    { "/i8042/output-port-resets", "o 64 d1 o 60 fe p reset" },
    { "/i8042/no-keyboard-answers", "o 60 ff i 64 14 o 60 ed i 64 14" },
    { "/i8042/echo-to-output-buffer", "o 64 d2 o 60 5a i 64 15 i 60 5a" },
    { "/i8042/unknown-command", "o 64 0 i 64 1c o 64 bf i 64 1c" },
    { "/i8042/port-92", "i 92 2 o 92 0 i 92 0 o 92 3 p reset o 92 3 p none" },
    { "/test-exit/status", "i f4 0 o f4 2a p exit" },
};

static void press(void *opaque, unsigned line, bool level)
{
    acpi_pm_power_button(opaque);
}

static void test_script(gconstpointer data)
{
    const typeof(cases[0]) *c = data;
    Bench bench;

    bench_init(&bench);
    AcpiPm *pm = acpi_pm_new(&bench.env, bench_line(&bench, 0), bench_power(&bench));
    I8042 *i8042 = i8042_new(&(I8042Config){ .env = bench.env, .events = bench_power(&bench) });
    TestExit *test_exit = test_exit_new(&bench.env, bench_power(&bench));
    bench.drive = press;
    bench.drive_opaque = pm;
    device_reset((Device *)pm);
    device_reset((Device *)i8042);
    device_reset((Device *)test_exit);
    bench_run(&bench, c->script);
    device_free((Device *)test_exit);
    device_free((Device *)i8042);
    device_free((Device *)pm);
    bench_clear(&bench);
}

static void test_exit_value(void)
{
    static const struct {
        uint8_t written, value;
    } values[] = { { 0, 0 }, { 239, 239 }, { 240, 239 }, { 255, 239 } };
    Bench bench;

    bench_init(&bench);
    TestExit *dev = test_exit_new(&bench.env, bench_power(&bench));
    for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
        gm_pio_write(bench.env.memory, TEST_EXIT_PORT, values[i].written, 1);
        g_assert_cmpuint(bench.power_value, ==, values[i].value);
    }
    device_free((Device *)dev);
    bench_clear(&bench);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_add_data_func(cases[i].name, &cases[i], test_script);
    }
    g_test_add_func("/test-exit/value-is-capped", test_exit_value);
    return g_test_run();
}
