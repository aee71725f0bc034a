/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the 16550A: scripts of core/bench.h on a port at 3F8h, with "world" typed in first;
 * line 0 is the interrupt.
 */
#include "machine/device/uart.h"

#include "machine/core/bench.h"

#define OUT2  "o 3fc 8 "
#define FIFOS "o 3fa 1 "

static const struct {
    const char *name;
    const char *typed;  /* arrives after .before */
    const char *before; /* script */
    const char *script;
    const char *output; /* that the world has seen in the end */
    size_t room;        /* that the world has for output */
} cases[] = {
    { "/uart/output", "", "", "i 3fd 60 o 3f8 48 i 3fd 60 o 3f8 69", "Hi", 99 },
    { "/uart/output-that-waits", "", FIFOS, "o 3f8 41 o 3f8 42 i 3fd 0", "A", 1 },
    { "/uart/output-beyond-fifo-is-lost", "", "", "o 3f8 41 o 3f8 42 o 3f8 43", "", 0 },
    { "/uart/input", "ab", FIFOS, "i 3fd 61 i 3f8 61 i 3f8 62 i 3fd 60", "", 99 },
    { "/uart/input-without-fifo-is-one", "ab", "", "i 3fd 61 i 3f8 61 i 3fd 60", "", 99 },
    { "/uart/input-interrupt", "a", OUT2 "o 3f9 1 ", "l 0 1 i 3fa 4 i 3f8 61 l 0 0 i 3fa 1", "",
      99 },
    { "/uart/input-below-trigger-times-out", "ab", OUT2 "o 3fa 81 o 3f9 1 ", "l 0 1 i 3fa cc", "",
      99 },
    { "/uart/input-at-trigger", "abcdefgh", OUT2 "o 3fa 81 o 3f9 1 ", "i 3fa c4", "", 99 },
    { "/uart/interrupt-needs-out2", "a", "o 3f9 1 ", "l 0 0 " OUT2 "l 0 1", "", 99 },
    { "/uart/output-interrupt-when-enabled", "", OUT2,
      "l 0 0 o 3f9 2 l 0 1 i 3fa 2 l 0 0 "
      "i 3fa 1 o 3f8 41 l 0 1",
      "A", 99 },
    { "/uart/input-before-output", "a", OUT2 "o 3f9 3 ", "i 3fa 4 i 3f8 61 i 3fa 2 i 3fa 1", "",
      99 },
    { "/uart/divisor-latch", "", "", "o 3fb 80 o 3f8 1 o 3f9 2 i 3f8 1 i 3f9 2 o 3fb 3 i 3f9 0", "",
      99 },
    { "/uart/scratch", "", "", "o 3ff a5 i 3ff a5", "", 99 },
    { "/uart/ier-has-four-bits", "", "", "o 3f9 ff i 3f9 f", "", 99 },
    { "/uart/modem-lines-up", "", "", "i 3fe b0", "", 99 },
    { "/uart/loopback-data", "", "o 3fc 10 ", "o 3f8 41 i 3fd 61 i 3f8 41", "", 99 },
    { "/uart/loopback-overrun", "", "o 3fc 10 ", "o 3f8 41 o 3f8 42 i 3fd 63 i 3fd 61 i 3f8 41", "",
      99 },
    { "/uart/loopback-modem", "", "o 3fc 1f ", "i 3fe f0 o 3fc 10 i 3fe f", "", 99 },
    { "/uart/loopback-cuts-input-off", "a", "o 3fc 10 ", "i 3fd 60", "", 99 },
    { "/uart/loopback-cuts-interrupt-off", "", "o 3fc 18 o 3f9 1 ", "o 3f8 41 i 3fa 4 l 0 0", "",
      99 },
    { "/uart/line-status-interrupt", "", "o 3fc 10 o 3f9 4 ",
      "o 3f8 41 o 3f8 42 i 3fa 6 i 3fd 63 "
      "i 3fa 1",
      "", 99 },
    { "/uart/modem-interrupt", "", OUT2 "o 3f9 8 ",
      "l 0 0 o 3fc 18 o 3fc 8 i 3fa 0 l 0 1 "
      "i 3fe b3 l 0 0",
      "", 99 },
    { "/uart/fifo-clear", "ab", FIFOS, "o 3fa 3 i 3fd 60", "", 99 },
    { "/uart/fifo-shows-in-iir", "", "", "i 3fa 1 " FIFOS "i 3fa c1", "", 99 },
    { "/uart/wide-access-is-bytes", "", "", "O 3fe 5500 I 3fe 55b0", "", 99 },
};

static void test_script(gconstpointer data)
{
    const typeof(cases[0]) *c = data;
    Bench bench;
    BenchChar world;

    bench_init(&bench);
    bench_char_init(&world);
    world.room = c->room;
    Uart *uart = uart_new(&bench.env, 0x3f8, bench_line(&bench, 0), &world.backend);
    device_reset((Device *)uart);
    bench_run(&bench, c->before);
    world.listener->input(world.listener->opaque, (const uint8_t *)c->typed, strlen(c->typed));
    bench_run(&bench, c->script);
    g_assert_cmpmem(world.written->data, world.written->len, c->output, strlen(c->output));
    device_free((Device *)uart);
    bench_char_clear(&world);
    bench_clear(&bench);
}

/* A full receiver refuses the rest, and asks for it when the guest has read. */
static void test_input_flow(void)
{
    Bench bench;
    BenchChar world;

    bench_init(&bench);
    bench_char_init(&world);
    Uart *uart = uart_new(&bench.env, 0x3f8, bench_line(&bench, 0), &world.backend);
    device_reset((Device *)uart);
    bench_run(&bench, FIFOS);
    const CharListener *l = world.listener;
    g_assert_cmpuint(l->input(l->opaque, (const uint8_t *)"0123456789abcdefXY", 18), ==, 16);
    g_assert_cmpuint(world.resumes, ==, 0);
    bench_run(&bench, "i 3f8 30");
    g_assert_cmpuint(world.resumes, ==, 1);
    g_assert_cmpuint(l->input(l->opaque, (const uint8_t *)"XY", 2), ==, 1);
    device_free((Device *)uart);
    bench_char_clear(&world);
    bench_clear(&bench);
}

/* What the world didn't take goes out when there is room, and the guest is told. */
static void test_output_flow(void)
{
    Bench bench;
    BenchChar world;

    bench_init(&bench);
    bench_char_init(&world);
    world.room = 0;
    Uart *uart = uart_new(&bench.env, 0x3f8, bench_line(&bench, 0), &world.backend);
    device_reset((Device *)uart);
    bench_run(&bench, FIFOS OUT2 "o 3f9 2 i 3fa c2 o 3f8 41 o 3f8 42 l 0 0 i 3fd 0");
    world.room = 1;
    world.listener->writable(world.listener->opaque);
    bench_run(&bench, "l 0 0 i 3fd 0");
    world.room = 5;
    world.listener->writable(world.listener->opaque);
    bench_run(&bench, "l 0 1 i 3fd 60");
    g_assert_cmpmem(world.written->data, world.written->len, "AB", 2);
    device_free((Device *)uart);
    bench_char_clear(&world);
    bench_clear(&bench);
}

static void test_without_backend(void)
{
    Bench bench;

    bench_init(&bench);
    Uart *uart = uart_new(&bench.env, 0x3f8, bench_line(&bench, 0), NULL);
    device_reset((Device *)uart);
    bench_run(&bench, "o 3f8 41 i 3fd 60 i 3f8 0 i 3fe 0");
    device_free((Device *)uart);
    bench_clear(&bench);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_add_data_func(cases[i].name, &cases[i], test_script);
    }
    g_test_add_func("/uart/input-flow-control", test_input_flow);
    g_test_add_func("/uart/output-flow-control", test_output_flow);
    g_test_add_func("/uart/nothing-attached", test_without_backend);
    return g_test_run();
}
