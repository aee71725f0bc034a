/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the VGA: registers, the window's kinds of access, and the picture in each kind of mode.
 */
#include "machine/device/vga.h"

#include <string.h>

#include "display/display.h"
#include "machine/core/bench.h"

enum { WHITE = 0xffffff, RED = 0xff0000, GREEN = 0x00ff00, BLUE = 0x0000ff };
#define FRAMEBUFFER UINT64_C(0xc0000000)
#define REGISTERS   UINT64_C(0xd0000000)

typedef struct Desk {
    Bench bench;
    PciRoot *root;
    Display *display;
    Vga *vga;
} Desk;

static unsigned route(void *opaque, unsigned device, unsigned pin)
{
    return 0;
}

static void desk_init(Desk *desk)
{
    bench_init(&desk->bench);
    desk->root = pci_root_new(&(PciRootConfig){ .memory = desk->bench.env.memory, .route = route });
    desk->display = display_new();
    VgaConfig config = { .slot = { desk->bench.env, pci_root_bus(desk->root), PCI_DEVFN(1, 0),
                                   "vga", false },
                         .display = desk->display };
    desk->vga = vga_new(&config, NULL);
    device_reset((Device *)desk->vga);
    pci_root_write(desk->root, 0, PCI_DEVFN(1, 0), PCI_BAR0, FRAMEBUFFER, 4);
    pci_root_write(desk->root, 0, PCI_DEVFN(1, 0), PCI_BAR0 + 8, REGISTERS, 4);
    pci_root_write(desk->root, 0, PCI_DEVFN(1, 0), PCI_COMMAND, 3, 2);
}

static void desk_clear(Desk *desk)
{
    device_free((Device *)desk->vga);
    display_free(desk->display);
    pci_root_free(desk->root);
    bench_clear(&desk->bench);
}

static void out(Desk *desk, uint16_t port, unsigned value)
{
    gm_pio_write(desk->bench.env.memory, port, value, 1);
}

static void indexed(Desk *desk, uint16_t port, unsigned index, unsigned value)
{
    gm_pio_write(desk->bench.env.memory, port, index | value << 8, 2);
}

static void attribute(Desk *desk, unsigned index, unsigned value)
{
    gm_pio_read(desk->bench.env.memory, 0x3da, 1);
    out(desk, 0x3c0, index);
    out(desk, 0x3c0, value);
}

static void dispi(Desk *desk, unsigned index, unsigned value)
{
    gm_pio_write(desk->bench.env.memory, 0x1ce, index, 2);
    gm_pio_write(desk->bench.env.memory, 0x1cf, value, 2);
}

static uint64_t dispi_read(Desk *desk, unsigned index)
{
    gm_pio_write(desk->bench.env.memory, 0x1ce, index, 2);
    return gm_pio_read(desk->bench.env.memory, 0x1cf, 2);
}

static void colour(Desk *desk, unsigned index, unsigned r, unsigned g, unsigned b)
{
    out(desk, 0x3c8, index);
    out(desk, 0x3c9, r);
    out(desk, 0x3c9, g);
    out(desk, 0x3c9, b);
}

static void store(Desk *desk, uint64_t gpa, uint64_t value, unsigned size)
{
    gm_mmio_write(desk->bench.env.memory, gpa, value, size);
}

static uint64_t load(Desk *desk, uint64_t gpa, unsigned size)
{
    return gm_mmio_read(desk->bench.env.memory, gpa, size);
}

/* The pixel at (@x, @y) of a picture that must have this size. */
static uint32_t look(Desk *desk, unsigned width, unsigned height, unsigned x, unsigned y)
{
    display_refresh(desk->display);
    const DisplayImage *image = display_lock(desk->display);
    g_assert_cmpuint(image->width, ==, width);
    g_assert_cmpuint(image->height, ==, height);
    uint32_t pixel = image->pixels[y * width + x];
    display_unlock(desk->display);
    return pixel;
}

/* 80 columns (or 640 dots) by 400 lines; what all modes share. */
static void set_common(Desk *desk)
{
    out(desk, 0x3c2, 0x67);
    indexed(desk, 0x3c4, 1, 1); /* 8 dots */
    indexed(desk, 0x3c4, 2, 0xf);
    indexed(desk, 0x3d4, 0x11, 0);
    indexed(desk, 0x3d4, 1, 79);
    indexed(desk, 0x3d4, 7, 0x02);
    indexed(desk, 0x3d4, 0x12, (400 - 1) & 0xff);
    indexed(desk, 0x3d4, 0x13, 40);
    indexed(desk, 0x3d4, 0x17, 3);
    indexed(desk, 0x3d4, 0x18, 0xff);
    indexed(desk, 0x3d4, 7, 0x12);
    indexed(desk, 0x3d4, 9, 0x40);
    indexed(desk, 0x3ce, 8, 0xff);
    for (unsigned i = 0; i < 16; i++) {
        attribute(desk, i, i);
    }
    attribute(desk, 0x12, 0xf);
    colour(desk, 4, 63, 0, 0);
    colour(desk, 2, 0, 63, 0);
    colour(desk, 15, 63, 63, 63);
    gm_pio_read(desk->bench.env.memory, 0x3da, 1);
    out(desk, 0x3c0, 0x20);
}

static void test_text(void)
{
    Desk desk;

    desk_init(&desk);
    set_common(&desk);
    indexed(&desk, 0x3d4, 9, 0x4f); /* cells of 16 lines */
    indexed(&desk, 0x3d4, 0x0a, 0x20);
    indexed(&desk, 0x3c4, 4, 6);
    indexed(&desk, 0x3ce, 6, 4); /* planar, to load a font: 'A' has one dot */
    indexed(&desk, 0x3c4, 2, 4);
    store(&desk, 0xa0000 + 'A' * 32 + 3, 0x40, 1);
    indexed(&desk, 0x3c4, 2, 3);
    indexed(&desk, 0x3c4, 4, 2);
    indexed(&desk, 0x3ce, 5, 0x10);
    indexed(&desk, 0x3ce, 6, 0xe); /* text at B8000h */
    store(&desk, 0xb8000 + 2 * (80 + 7), 'A' | 0x2f00, 2);
    g_assert_cmphex(load(&desk, 0xb8000 + 2 * (80 + 7), 2), ==, 'A' | 0x2f00);
    g_assert_cmphex(look(&desk, 640, 400, 7 * 8 + 1, 16 + 3), ==, WHITE);
    g_assert_cmphex(look(&desk, 640, 400, 7 * 8 + 2, 16 + 3), ==, GREEN);
    g_assert_cmphex(look(&desk, 640, 400, 8 * 8 + 1, 16 + 3), ==, 0);
    indexed(&desk, 0x3c4, 1, 0); /* 9 dots */
    g_assert_cmphex(look(&desk, 720, 400, 7 * 9 + 1, 16 + 3), ==, WHITE);
    /* the cursor, in lines 14 and 15 */
    indexed(&desk, 0x3d4, 0x0a, 14);
    indexed(&desk, 0x3d4, 0x0b, 15);
    indexed(&desk, 0x3d4, 0x0f, 80 + 7);
    g_assert_cmphex(look(&desk, 720, 400, 7 * 9, 16 + 14), ==, WHITE);
    g_assert_cmphex(look(&desk, 720, 400, 7 * 9, 16 + 13), ==, GREEN);
    out(&desk, 0x3c0, 0); /* not shown: the flip-flop is at the index */
    gm_pio_read(desk.bench.env.memory, 0x3da, 1);
    out(&desk, 0x3c0, 0);
    g_assert_cmphex(look(&desk, 640, 480, 0, 0), ==, 0);
    desk_clear(&desk);
}

static void test_planes(void)
{
    Desk desk;

    desk_init(&desk);
    set_common(&desk);
    indexed(&desk, 0x3c4, 4, 6);
    indexed(&desk, 0x3ce, 6, 5);
    indexed(&desk, 0x3c4, 2, 4); /* plane 2 */
    store(&desk, 0xa0000 + 80, 0x80, 1);
    g_assert_cmphex(look(&desk, 640, 400, 0, 1), ==, RED);
    g_assert_cmphex(look(&desk, 640, 400, 1, 1), ==, 0);
    /* set/reset, masked: latches keep the rest */
    indexed(&desk, 0x3c4, 2, 0xf);
    indexed(&desk, 0x3ce, 0, 0xf);
    indexed(&desk, 0x3ce, 1, 0xf);
    indexed(&desk, 0x3ce, 8, 0x01);
    load(&desk, 0xa0000 + 80, 1);
    store(&desk, 0xa0000 + 80, 0, 1);
    g_assert_cmphex(look(&desk, 640, 400, 7, 1), ==, WHITE);
    g_assert_cmphex(look(&desk, 640, 400, 0, 1), ==, RED);
    /* read mode 1: which dots have colour 4 */
    indexed(&desk, 0x3ce, 5, 8);
    indexed(&desk, 0x3ce, 2, 4);
    indexed(&desk, 0x3ce, 7, 0xf);
    g_assert_cmphex(load(&desk, 0xa0000 + 80, 1), ==, 0x80);
    /* write mode 1 copies latches; mode 2 takes a colour; mode 3 masks by the value */
    indexed(&desk, 0x3ce, 5, 1);
    store(&desk, 0xa0000 + 81, 0, 1);
    g_assert_cmphex(look(&desk, 640, 400, 8, 1), ==, RED);
    indexed(&desk, 0x3ce, 5, 2);
    indexed(&desk, 0x3ce, 8, 0xff);
    store(&desk, 0xa0000 + 82, 2, 1);
    g_assert_cmphex(look(&desk, 640, 400, 23, 1), ==, GREEN);
    indexed(&desk, 0x3ce, 5, 3);
    indexed(&desk, 0x3ce, 0, 4);
    load(&desk, 0xa0000 + 82, 1);
    store(&desk, 0xa0000 + 82, 0x10, 1);
    g_assert_cmphex(look(&desk, 640, 400, 19, 1), ==, RED);
    g_assert_cmphex(look(&desk, 640, 400, 18, 1), ==, GREEN);
    /* functions: xor with the latch */
    indexed(&desk, 0x3ce, 5, 2);
    indexed(&desk, 0x3ce, 3, 0x18);
    load(&desk, 0xa0000 + 82, 1);
    store(&desk, 0xa0000 + 82, 2, 1);
    g_assert_cmphex(look(&desk, 640, 400, 18, 1), ==, 0);
    desk_clear(&desk);
}

static void test_chained_bytes(void)
{
    Desk desk;

    desk_init(&desk);
    set_common(&desk);
    indexed(&desk, 0x3d4, 9, 0x41); /* each line twice: mode 13h */
    indexed(&desk, 0x3c4, 4, 0xe);
    indexed(&desk, 0x3ce, 5, 0x40);
    indexed(&desk, 0x3ce, 6, 5);
    store(&desk, 0xa0000 + 320 * 5 + 9, 0x0402, 2);
    g_assert_cmphex(load(&desk, 0xa0000 + 320 * 5 + 9, 2), ==, 0x0402);
    g_assert_cmphex(look(&desk, 640, 400, 18, 10), ==, GREEN);
    g_assert_cmphex(look(&desk, 640, 400, 20, 11), ==, RED);
    g_assert_cmphex(look(&desk, 640, 400, 22, 11), ==, 0);
    desk_clear(&desk);
}

static const struct {
    unsigned depth, bytes;
    uint32_t pixel, colour;
} depths[] = {
    { 8, 1, 4, RED },          { 15, 2, 0x7c00, RED },          { 16, 2, 0x07e0, GREEN },
    { 24, 3, 0x0000ff, BLUE }, { 32, 4, 0xff123456, 0x123456 },
};

static void test_bochs_modes(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(depths); i++) {
        Desk desk;
        desk_init(&desk);
        colour(&desk, 4, 63, 0, 0);
        out(&desk, 0x3c2, 3);
        dispi(&desk, 1, 800);
        dispi(&desk, 2, 600);
        dispi(&desk, 3, depths[i].depth);
        dispi(&desk, 4, 0x41);
        uint32_t at = (800 * 599 + 799) * depths[i].bytes;
        for (unsigned b = 0; b < depths[i].bytes; b++) {
            store(&desk, FRAMEBUFFER + at + b, depths[i].pixel >> (8 * b) & 0xff, 1);
        }
        g_assert_cmphex(look(&desk, 800, 600, 799, 599), ==, depths[i].colour);
        g_assert_cmphex(look(&desk, 800, 600, 798, 599), ==, 0);
        /* the same byte through the window's bank */
        dispi(&desk, 5, at >> 16);
        g_assert_cmphex(load(&desk, 0xa0000 + (at & 0xffff), 1), ==, depths[i].pixel & 0xff);
        desk_clear(&desk);
    }
}

/* Twice as wide and high as what is shown; the last line fits exactly, one more doesn't. */
static void test_panning(void)
{
    Desk desk;

    desk_init(&desk);
    dispi(&desk, 1, 1024);
    dispi(&desk, 2, 768);
    dispi(&desk, 3, 32);
    dispi(&desk, 4, 0x41);
    dispi(&desk, 6, 2048);
    g_assert_cmpuint(dispi_read(&desk, 7), ==, 2048);
    dispi(&desk, 8, 100);
    dispi(&desk, 9, 2048 - 768);
    store(&desk, FRAMEBUFFER + ((2048 - 768) * 2048 + 100) * 4, RED, 4);
    g_assert_cmphex(look(&desk, 1024, 768, 0, 0), ==, RED);
    dispi(&desk, 9, 2048 - 767);
    g_assert_cmphex(look(&desk, 640, 480, 0, 0), ==, 0);
    desk_clear(&desk);
}

/* Sizes that can't be show nothing, and harm nothing. */
static void test_absurd_modes(void)
{
    static const unsigned values[] = { 0, 1, 7, 8191, 8192, 8193, 0xffff };
    Desk desk;

    desk_init(&desk);
    for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
        for (size_t j = 0; j < G_N_ELEMENTS(values); j++) {
            for (unsigned depth = 0; depth < 40; depth += 4) {
                dispi(&desk, 4, 0);
                dispi(&desk, 1, values[i]);
                dispi(&desk, 2, values[j]);
                dispi(&desk, 3, depth);
                dispi(&desk, 4, 0xc1);
                dispi(&desk, 8, values[j]);
                display_refresh(desk.display);
            }
        }
    }
    desk_clear(&desk);
}

static void test_identity(void)
{
    Desk desk;
    uint8_t sum = 0;

    desk_init(&desk);
    g_assert_cmphex(dispi_read(&desk, 0), ==, 0xb0c5);
    dispi(&desk, 0, 0xb0c0);
    g_assert_cmphex(dispi_read(&desk, 0), ==, 0xb0c0);
    dispi(&desk, 0, 0x1234);
    g_assert_cmphex(dispi_read(&desk, 0), ==, 0xb0c0);
    g_assert_cmpuint(dispi_read(&desk, 10), ==, 256);
    g_assert_cmphex(load(&desk, REGISTERS + 0x500, 2), ==, 0xb0c0);
    store(&desk, REGISTERS + 0x502, 1280, 2);
    g_assert_cmpuint(dispi_read(&desk, 1), ==, 1280);
    store(&desk, REGISTERS + 0x400 + 2, 0x67, 1); /* 3C2h */
    g_assert_cmphex(gm_pio_read(desk.bench.env.memory, 0x3cc, 1), ==, 0x67);
    for (unsigned i = 0; i < 128; i++) {
        sum += (uint8_t)load(&desk, REGISTERS + i, 1);
    }
    g_assert_cmpuint(sum, ==, 0);
    g_assert_cmphex(load(&desk, REGISTERS, 8), ==, 0x00ffffffffffff00);
    desk_clear(&desk);
}

/* Programs wait for the retrace to begin and to end. */
static void test_retrace(void)
{
    Desk desk;
    unsigned seen[2] = { 0 };

    desk_init(&desk);
    out(&desk, 0x3c2, 1);
    for (unsigned i = 0; i < 2000; i++) {
        clock_advance(desk.bench.env.clock, 20000);
        seen[gm_pio_read(desk.bench.env.memory, 0x3da, 1) >> 3 & 1]++;
    }
    g_assert_cmpuint(seen[1], >, 2);
    g_assert_cmpuint(seen[0], >, seen[1] * 100);
    desk_clear(&desk);
}

static void test_saved(void)
{
    Desk desk;

    desk_init(&desk);
    set_common(&desk);
    Device *device = (Device *)desk.vga;
    size_t len = device_saved_size(device->class);
    g_autofree uint8_t *state = g_malloc(len);
    device_save(device, state);
    device_reset(device);
    g_assert_cmphex(gm_pio_read(desk.bench.env.memory, 0x3cc, 1), ==, 0);
    g_assert_true(device_load(device, state, len, NULL));
    g_assert_cmphex(gm_pio_read(desk.bench.env.memory, 0x3cc, 1), ==, 0x67);
    memset(state, 0xff, len);
    device_load(device, state, len, NULL);
    display_refresh(desk.display);
    desk_clear(&desk);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vga/text", test_text);
    g_test_add_func("/vga/planes", test_planes);
    g_test_add_func("/vga/mode-13h", test_chained_bytes);
    g_test_add_func("/vga/bochs-modes", test_bochs_modes);
    g_test_add_func("/vga/panning", test_panning);
    g_test_add_func("/vga/absurd-modes", test_absurd_modes);
    g_test_add_func("/vga/identity-and-edid", test_identity);
    g_test_add_func("/vga/retrace", test_retrace);
    g_test_add_func("/vga/saved", test_saved);
    return g_test_run();
}
