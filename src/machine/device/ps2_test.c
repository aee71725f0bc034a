/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of keyboard and mouse behind the keyboard controller: commands, scan codes with and without
 * translation, packets, interrupts, and guests that don't read.
 */
#include <linux/input-event-codes.h>
#include <string.h>

#include "display/input.h"
#include "machine/core/bench.h"
#include "machine/device/i8042.h"

enum { KEYBOARD = 1, MOUSE = 12 };

typedef struct Desk {
    Bench bench;
    Input *input;
    I8042 *i8042;
} Desk;

static void desk_init(Desk *desk)
{
    bench_init(&desk->bench);
    desk->input = input_new();
    desk->i8042 = i8042_new(&(I8042Config){ .env = desk->bench.env,
                                            .events = bench_power(&desk->bench),
                                            .keyboard = bench_line(&desk->bench, KEYBOARD),
                                            .mouse = bench_line(&desk->bench, MOUSE),
                                            .input = desk->input });
    device_reset((Device *)desk->i8042);
}

static void desk_clear(Desk *desk)
{
    device_free((Device *)desk->i8042);
    input_free(desk->input);
    bench_clear(&desk->bench);
}

/* What firmware does: both devices on, with interrupts and translation. */
#define ON  " o 64 60 o 60 47 "
#define RAW " o 64 60 o 60 07 "
/* A command to the mouse, and its yes. */
#define MOUSE_SAYS(command) " o 64 d4 o 60 " command " i 64 35 i 60 fa "

static const struct {
    const char *name, *script;
} scripts[] = {
    { "/ps2/keyboard-reset", RAW "o 60 ff i 60 fa i 60 aa i 64 14" },
    { "/ps2/keyboard-id", RAW "o 60 f2 i 60 fa i 60 ab i 60 83 i 64 14" },
    { "/ps2/keyboard-id-is-translated", ON "o 60 f2 i 60 fa i 60 ab i 60 41" },
    { "/ps2/echo", RAW "o 60 ee i 60 ee" },
    { "/ps2/leds", RAW "o 60 ed i 60 fa o 60 7 i 60 fa" },
    { "/ps2/argument-that-is-a-command", RAW "o 60 ed i 60 fa o 60 f4 i 60 fa o 60 ee i 60 ee" },
    { "/ps2/scan-code-set-is-told", RAW "o 60 f0 i 60 fa o 60 0 i 60 fa i 60 2" },
    { "/ps2/no-set-3", RAW "o 60 f0 i 60 fa o 60 3 i 60 fe" },
    { "/ps2/unknown-command", RAW "o 60 e1 i 60 fe" },
    { "/ps2/resend", RAW "o 60 ee i 60 ee o 60 fe i 60 ee" },
    { "/ps2/keyboard-interrupt", RAW "l 1 0 o 60 ee l 1 1 i 60 ee l 1 0 l c 0" },
    { "/ps2/no-interrupt-wanted", "o 64 60 o 60 4 o 60 ee l 1 0 i 60 ee" },
    { "/ps2/closed-keyboard-waits", RAW "o 60 ee i 60 ee o 60 f2 o 64 ad i 60 fa i 64 1c o 64 ae "
                                        "i 64 1d i 60 ab" },
    { "/ps2/mouse-reset", RAW "o 64 d4 o 60 ff i 64 35 i 60 fa i 60 aa i 60 0 i 64 14" },
    { "/ps2/mouse-interrupt", RAW "o 64 d4 o 60 f2 l c 1 l 1 0 i 60 fa l c 1 i 60 0 l c 0" },
    { "/ps2/mouse-loopback", RAW "o 64 d3 o 60 5a i 64 35 i 60 5a" },
    { "/ps2/mouse-status", RAW "o 64 d4 o 60 e9 i 60 fa i 60 0 i 60 2 i 60 64" },
    { "/ps2/mouse-wrap", RAW "o 64 d4 o 60 ee i 60 fa o 64 d4 o 60 12 i 60 12 o 64 d4 o 60 ec "
                             "i 60 fa o 64 d4 o 60 f2 i 60 fa i 60 0" },
};

static void test_script(gconstpointer data)
{
    Desk desk;

    desk_init(&desk);
    bench_run(&desk.bench, data);
    desk_clear(&desk);
}

static void say(Desk *desk, const char *script)
{
    bench_run(&desk->bench, script);
}

/* Tell the mouse @rates, and expect @id. */
static void knock(Desk *desk, const uint8_t rates[3], unsigned id)
{
    for (unsigned i = 0; i < 3; i++) {
        g_autofree char *script =
            g_strdup_printf("o 64 d4 o 60 f3 i 60 fa o 64 d4 o 60 %x i 60 fa", rates[i]);
        say(desk, script);
    }
    g_autofree char *script = g_strdup_printf("o 64 d4 o 60 f2 i 60 fa i 60 %x", id);
    say(desk, script);
}

/* A key down and up, and what is read of it. */
static const struct {
    unsigned code;
    const char *raw, *translated;
} keys[] = {
    { KEY_A, "i 60 1c i 60 f0 i 60 1c", "i 60 1e i 60 9e" },
    { KEY_F7, "i 60 83 i 60 f0 i 60 83", "i 60 41 i 60 c1" },
    { KEY_F12, "i 60 7 i 60 f0 i 60 7", "i 60 58 i 60 d8" },
    { KEY_UP, "i 60 e0 i 60 75 i 60 e0 i 60 f0 i 60 75", "i 60 e0 i 60 48 i 60 e0 i 60 c8" },
    { KEY_RIGHTCTRL, "i 60 e0 i 60 14 i 60 e0 i 60 f0 i 60 14", "i 60 e0 i 60 1d i 60 e0 i 60 9d" },
    { KEY_PAUSE, "i 60 e1 i 60 14 i 60 77 i 60 e1 i 60 f0 i 60 14 i 60 f0 i 60 77",
      "i 60 e1 i 60 1d i 60 45 i 60 e1 i 60 9d i 60 c5" },
    { KEY_F24, "", "" }, /* has no code */
};

static void test_keys(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        for (unsigned raw = 0; raw < 2; raw++) {
            Desk desk;
            desk_init(&desk);
            say(&desk, raw ? RAW : ON);
            input_key(desk.input, keys[i].code, true);
            input_key(desk.input, keys[i].code, false);
            say(&desk, raw ? keys[i].raw : keys[i].translated);
            say(&desk, "i 64 14"); /* nothing is left */
            desk_clear(&desk);
        }
    }
}

static void test_scanning_off(void)
{
    Desk desk;

    desk_init(&desk);
    say(&desk, RAW "o 60 f5 i 60 fa");
    input_key(desk.input, KEY_A, true);
    say(&desk, "i 64 14 o 60 f4 i 60 fa");
    input_key(desk.input, KEY_B, true);
    say(&desk, "i 60 32 i 64 14");
    desk_clear(&desk);
}

/* A guest that doesn't read loses keys, but no key stays down. */
static void test_nobody_reads(void)
{
    Desk desk;
    uint8_t last = 0;
    unsigned n = 0;

    desk_init(&desk);
    say(&desk, RAW);
    for (unsigned i = 0; i < 1000; i++) {
        input_key(desk.input, KEY_A, true);
    }
    input_key(desk.input, KEY_A, false);
    for (; gm_pio_read(desk.bench.env.memory, 0x64, 1) & 1; n++) {
        uint8_t value = (uint8_t)gm_pio_read(desk.bench.env.memory, 0x60, 1);
        g_assert_true(value == 0x1c || value == 0xf0);
        last = n && value == 0x1c ? last : value;
    }
    g_assert_cmpuint(n, >, 100);
    g_assert_cmpuint(n, <, 256);
    g_assert_cmphex(last, ==, 0xf0);
    desk_clear(&desk);
}

static void test_movements(void)
{
    Desk desk;

    desk_init(&desk);
    say(&desk, RAW);
    input_pointer_by(desk.input, 5, 5, 0, 0); /* nobody listens yet */
    say(&desk, "i 64 14" MOUSE_SAYS("f4"));
    input_pointer_by(desk.input, 3, -2, 0, 0);
    say(&desk, "i 60 8 i 60 3 i 60 2 i 64 14");
    input_pointer_by(desk.input, -200, 0, 0, 0);
    say(&desk, "i 60 18 i 60 81 i 60 0 i 60 18 i 60 b7 i 60 0 i 64 14");
    /* a click that is over before the guest looks */
    input_pointer_by(desk.input, 0, 0, INPUT_LEFT, 0);
    input_pointer_by(desk.input, 0, 0, 0, 0);
    say(&desk, "i 60 9 i 60 0 i 60 0 i 60 8 i 60 0 i 60 0 i 64 14");
    input_pointer_by(desk.input, 0, 0, 0, 1); /* a wheel that the guest doesn't know */
    say(&desk, "i 64 14");
    desk_clear(&desk);
}

static void test_wheel(void)
{
    static const uint8_t wheel[] = { 200, 100, 80 }, five[] = { 200, 200, 80 };
    Desk desk;

    desk_init(&desk);
    say(&desk, RAW);
    knock(&desk, wheel, 3);
    say(&desk, MOUSE_SAYS("f4"));
    input_pointer_by(desk.input, 0, 0, INPUT_MIDDLE, 1);
    say(&desk, "i 60 c i 60 0 i 60 0 i 60 ff i 64 14");
    knock(&desk, five, 4);
    input_pointer_by(desk.input, 0, 0, INPUT_EXTRA, -2);
    say(&desk, "i 60 8 i 60 0 i 60 0 i 60 22 i 64 14");
    desk_clear(&desk);
}

static void test_floods(void)
{
    Desk desk;

    desk_init(&desk);
    say(&desk, RAW MOUSE_SAYS("f4"));
    for (unsigned i = 0; i < 5000; i++) {
        input_pointer_by(desk.input, INT_MAX, INT_MIN, i & 1, 100);
    }
    unsigned n = 0;
    for (; (gm_pio_read(desk.bench.env.memory, 0x64, 1) & 1) && n < 100000; n++) {
        gm_pio_read(desk.bench.env.memory, 0x60, 1);
    }
    g_assert_cmpuint(n, <, 3000); /* what waited, and 32767 in steps of 127 */
    desk_clear(&desk);
}

static void test_saved(void)
{
    Desk desk;

    desk_init(&desk);
    say(&desk, ON);
    input_key(desk.input, KEY_UP, true);
    Device *device = (Device *)desk.i8042;
    size_t len = device_saved_size(device->class);
    g_autofree uint8_t *state = g_malloc(len);
    device_save(device, state);
    device_reset(device);
    say(&desk, "i 64 14 l 1 0");
    g_assert_true(device_load(device, state, len, NULL));
    say(&desk, "l 1 1 i 60 e0 i 60 48 l 1 0");
    desk_clear(&desk);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(scripts); i++) {
        g_test_add_data_func(scripts[i].name, scripts[i].script, test_script);
    }
    g_test_add_func("/ps2/scan-codes", test_keys);
    g_test_add_func("/ps2/scanning-off", test_scanning_off);
    g_test_add_func("/ps2/nobody-reads", test_nobody_reads);
    g_test_add_func("/ps2/movements", test_movements);
    g_test_add_func("/ps2/wheel", test_wheel);
    g_test_add_func("/ps2/floods", test_floods);
    g_test_add_func("/ps2/saved", test_saved);
    return g_test_run();
}
