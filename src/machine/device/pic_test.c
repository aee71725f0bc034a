/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the 8259 pair: each case is a script of core/bench.h on fresh chips; line 0 is INTR.
 * The script's port F0h acknowledges, as the CPU would.
 */
#include "machine/device/pic.h"

#include "machine/core/bench.h"

/* Vectors 20h and 28h, all unmasked. */
#define INIT "o 20 11 o 21 20 o 21 4 o 21 1 o a0 11 o a1 28 o a1 2 o a1 1 "

static const struct {
    const char *name, *script;
} cases[] = {
    { "/pic/edge-is-served-once", INIT "u 3 l 0 1 i f0 23 l 0 0 i 20 0 o 20 20 l 0 0" },
    { "/pic/edge-stays-latched", INIT "u 3 d 3 l 0 1 i f0 23" },
    { "/pic/held-line-is-one-edge", INIT "u 3 i f0 23 o 20 20 u 3 l 0 0 d 3 u 3 l 0 1" },
    { "/pic/masked-waits", INIT "o 21 8 u 3 l 0 0 o 21 0 l 0 1 i f0 23" },
    { "/pic/priority", INIT "u 5 u 1 i f0 21 l 0 0 o 20 20 l 0 1 i f0 25" },
    { "/pic/higher-interrupts-lower", INIT "u 5 i f0 25 u 1 l 0 1 i f0 21" },
    { "/pic/lower-waits-for-eoi", INIT "u 1 i f0 21 u 5 l 0 0 o 20 20 l 0 1" },
    { "/pic/second-chip", INIT "u c l 0 1 i f0 2c l 0 0 o a0 20 o 20 20 l 0 0" },
    { "/pic/second-chip-needs-both-eois", INIT "u c i f0 2c u d o a0 20 l 0 0 o 20 20 l 0 1" },
    { "/pic/spurious-first", INIT "i f0 27 o 20 b i 20 0" },
    { "/pic/spurious-second", INIT "u c o a1 10 i f0 27" },
    { "/pic/level-comes-again", INIT "o 4d1 2 u 9 i f0 29 o a0 20 o 20 20 l 0 1" },
    { "/pic/level-ends-with-line", INIT "o 4d1 2 u 9 l 0 1 d 9 l 0 0" },
    { "/pic/elcr-fixed-pins", "o 4d0 ff i 4d0 f8 o 4d1 ff i 4d1 de" },
    { "/pic/auto-eoi", "o 20 11 o 21 20 o 21 4 o 21 3 u 3 i f0 23 o 20 b i 20 0" },
    { "/pic/specific-eoi", INIT "u 3 u 1 i f0 21 o 20 61 l 0 1" },
    { "/pic/rotate-on-eoi", INIT "u 1 i f0 21 o 20 a0 u 0 u 4 i f0 24" },
    { "/pic/set-priority", INIT "o 20 c2 u 1 u 4 i f0 24" },
    { "/pic/special-mask", INIT "u 1 i f0 21 o 20 68 o 21 2 u 5 l 0 1 i f0 25" },
    { "/pic/fully-nested", "o 20 11 o 21 20 o 21 4 o 21 11 o a0 11 o a1 28 o a1 2 o a1 1 "
                           "u d i f0 2d u 8 l 0 1 i f0 28" },
    { "/pic/poll", INIT "o 21 ff u 3 o 21 f7 o 20 c i 20 83 o 20 c i 20 0" },
    { "/pic/reads-irr-and-isr", INIT "u 3 o 20 a i 20 8 i f0 23 i 20 0 o 20 b i 20 8" },
    { "/pic/cascade-pin-is-no-input", INIT "u 2 l 0 0" },
    { "/pic/before-init", "u 3 l 0 1 i f0 3" },
    { "/pic/icw1-clears-edges", INIT "u 3 o 20 11 o 21 20 o 21 4 o 21 1 l 0 0" },
};

static uint64_t ack(void *opaque, uint64_t offset, unsigned size)
{
    return pic_ack(opaque);
}

static void drive(void *opaque, unsigned line, bool level)
{
    pic_set_line(opaque, line, level);
}

static void test_script(gconstpointer data)
{
    static const IoOps ack_ops = { .read = ack, .sizes = 1 };
    const typeof(cases[0]) *c = data;
    Bench bench;

    bench_init(&bench);
    Pic *pic = pic_new(&bench.env, bench_line(&bench, 0));
    IoRegion region = { "ack", 0xf0, 1, &ack_ops, pic, NULL };
    gm_add_pio(bench.env.memory, &region);
    bench.drive = drive;
    bench.drive_opaque = pic;
    device_reset((Device *)pic);
    bench_run(&bench, c->script);
    device_free((Device *)pic);
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
