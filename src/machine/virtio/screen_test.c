/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of virtio-gpu and virtio-input: what is shown after good commands, what bad ones are
 * answered, limits, saved states; what a guest reads of an input device, and its events.
 */
#include <linux/input-event-codes.h>
#include <string.h>

#include "display/display.h"
#include "display/input.h"
#include "machine/virtio/bench.h"
#include "machine/virtio/gpu.h"
#include "machine/virtio/input.h"

enum { BUF = VIRTIO_BENCH_BUFFERS, ANSWER = BUF + 0x10000, PIXELS = BUF + 0x20000 };
enum { CONFIG = 0x100, RED = 0xff0000, GREEN = 0x00ff00 };
enum { OK = 0x1100, UNSPECIFIED = 0x1200, NO_MEMORY = 0x1201, NO_SCANOUT = 0x1202 };
enum { NO_RESOURCE = 0x1203, BAD_PARAMETER = 0x1205 };
enum { INFO = 0x100, CREATE, UNREF, SCANOUT, FLUSH, TRANSFER, ATTACH, DETACH, EDID = 0x10a };
enum { CURSOR = 0x300, MOVE = 0x301 };

/* --- gpu --- */

typedef struct GpuDesk {
    Display *display;
    VirtioBench *b;
    VirtioDev *dev;
} GpuDesk;

static VirtioDev *make_gpu(const VirtioSlot *slot, void *opaque)
{
    GpuDesk *desk = opaque;

    return desk->dev = virtio_gpu_new(slot, desk->display);
}

static void gpu_init(GpuDesk *desk)
{
    desk->display = display_new();
    desk->b = virtio_bench_new(make_gpu, desk);
    virtio_bench_start(desk->b, 0);
}

static void gpu_clear(GpuDesk *desk)
{
    virtio_bench_free(desk->b);
    display_free(desk->display);
}

/* Send a command of @n words behind its header; the answer's type. */
static uint32_t command(GpuDesk *desk, uint32_t type, const uint32_t *words, unsigned n)
{
    GuestMemory *memory = desk->b->bench.env.memory;
    unsigned q = type >= CURSOR;
    const uint32_t header[6] = { type };
    uint32_t answer = 0;
    VirtioBenchPart parts[] = { { BUF, (uint32_t)(24 + 4 * n), false }, { ANSWER, 2048, true } };

    gm_write(memory, BUF, header, sizeof(header));
    gm_write(memory, BUF + 24, words, 4 * (size_t)n);
    virtio_bench_post(desk->b, q, parts, 2);
    virtio_bench_kick(desk->b, q);
    g_assert_cmpint(virtio_bench_next_used(desk->b, q, NULL), >=, 24);
    gm_read(memory, ANSWER, &answer, 4);
    return answer;
}

#define COMMAND(desk, type, ...)                                                                   \
    command(desk, type, (const uint32_t[]){ __VA_ARGS__ }, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4)

static uint32_t look(GpuDesk *desk, unsigned width, unsigned height, unsigned x, unsigned y)
{
    display_refresh(desk->display);
    const DisplayImage *image = display_lock(desk->display);
    g_assert_cmpuint(image->width, ==, width);
    g_assert_cmpuint(image->height, ==, height);
    uint32_t pixel = image->pixels[y * width + x];
    display_unlock(desk->display);
    return pixel;
}

static void paint(GpuDesk *desk, unsigned gpa, uint32_t pixel)
{
    gm_write(desk->b->bench.env.memory, gpa, &pixel, 4);
}

/* Resource 7: 64 by 64 of format 2, in two pieces that don't follow each other, and shown. */
static void show_picture(GpuDesk *desk)
{
    g_assert_cmphex(COMMAND(desk, CREATE, 7, 2, 64, 64), ==, OK);
    g_assert_cmphex(
        COMMAND(desk, ATTACH, 7, 2, PIXELS + 0x8000, 0, 0x1004, 0, PIXELS, 0, 0x2ffc, 0), ==, OK);
    g_assert_cmphex(COMMAND(desk, SCANOUT, 0, 0, 64, 64, 0, 7), ==, OK);
}

static void test_picture(void)
{
    GpuDesk desk;

    gpu_init(&desk);
    g_assert_cmphex(look(&desk, 1280, 800, 0, 0), ==, 0);
    show_picture(&desk);
    paint(&desk, PIXELS + 0x8000 + 4 * (2 * 64 + 3), RED);
    paint(&desk, PIXELS + 4 * 2, GREEN);               /* the pixel 0x1004 / 4 + 2 */
    g_assert_cmphex(look(&desk, 64, 64, 3, 2), ==, 0); /* not copied yet */
    g_assert_cmphex(COMMAND(&desk, TRANSFER, 0, 0, 64, 64, 0, 0, 7, 0), ==, OK);
    g_assert_cmphex(look(&desk, 64, 64, 3, 2), ==, 0); /* not flushed */
    g_assert_cmphex(COMMAND(&desk, FLUSH, 0, 0, 64, 64, 7, 0), ==, OK);
    g_assert_cmphex(look(&desk, 64, 64, 3, 2), ==, RED);
    g_assert_cmphex(look(&desk, 64, 64, 3, 16), ==, GREEN);
    /* a part, which begins elsewhere in memory */
    paint(&desk, PIXELS + 0x8000 + 4 * 5, GREEN);
    g_assert_cmphex(COMMAND(&desk, TRANSFER, 10, 20, 1, 1, 20, 0, 7, 0), ==, OK);
    g_assert_cmphex(COMMAND(&desk, FLUSH, 10, 20, 1, 1, 7, 0), ==, OK);
    g_assert_cmphex(look(&desk, 64, 64, 10, 20), ==, GREEN);
    /* only a part is shown; then nothing */
    g_assert_cmphex(COMMAND(&desk, SCANOUT, 10, 20, 8, 4, 0, 7), ==, OK);
    g_assert_cmphex(look(&desk, 8, 4, 0, 0), ==, GREEN);
    g_assert_cmphex(COMMAND(&desk, UNREF, 7, 0), ==, OK);
    g_assert_cmphex(look(&desk, 1280, 800, 0, 0), ==, 0);
    gpu_clear(&desk);
}

static void test_cursor(void)
{
    GpuDesk desk;

    gpu_init(&desk);
    show_picture(&desk);
    g_assert_cmphex(COMMAND(&desk, CREATE, 8, 1, 64, 64), ==, OK);
    g_assert_cmphex(COMMAND(&desk, ATTACH, 8, 1, PIXELS + 0x10000, 0, 0x4000, 0), ==, OK);
    paint(&desk, PIXELS + 0x10000, 0xff000000 | RED);
    paint(&desk, PIXELS + 0x10004, 0x80000000 | GREEN);
    g_assert_cmphex(COMMAND(&desk, TRANSFER, 0, 0, 64, 64, 0, 0, 8, 0), ==, OK);
    g_assert_cmphex(COMMAND(&desk, CURSOR, 0, 12, 9, 0, 8, 2, 4, 0), ==, OK);
    g_assert_cmphex(look(&desk, 64, 64, 10, 5), ==, RED);
    g_assert_cmphex(look(&desk, 64, 64, 11, 5), ==, 0x008000);
    g_assert_cmphex(look(&desk, 64, 64, 12, 5), ==, 0);
    g_assert_cmphex(COMMAND(&desk, MOVE, 0, 1, 4, 0, 0, 0, 0, 0), ==, OK); /* over the edge */
    g_assert_cmphex(look(&desk, 64, 64, 0, 0), ==, 0x008000);
    g_assert_cmphex(COMMAND(&desk, MOVE, 0, 0x7fffffff, 0x80000000, 0, 0, 0, 0, 0), ==, OK);
    g_assert_cmphex(look(&desk, 64, 64, 0, 0), ==, 0);
    g_assert_cmphex(COMMAND(&desk, CURSOR, 0, 0, 0, 0, 99, 0, 0, 0), ==, NO_RESOURCE);
    g_assert_cmphex(COMMAND(&desk, CURSOR, 0, 12, 9, 0, 0, 0, 0, 0), ==, OK); /* without */
    g_assert_cmphex(look(&desk, 64, 64, 12, 9), ==, 0);
    gpu_clear(&desk);
}

/* With resource 7 of 64 by 64 there. */
static const struct {
    uint32_t answer, type;
    uint32_t words[10];
    unsigned n;
} wrong[] = {
    { NO_RESOURCE, CREATE, { 0, 2, 1, 1 }, 4 },
    { NO_RESOURCE, CREATE, { 7, 2, 1, 1 }, 4 },
    { BAD_PARAMETER, CREATE, { 9, 5, 1, 1 }, 4 },
    { BAD_PARAMETER, CREATE, { 9, 2, 1 }, 3 }, /* too short */
    { NO_MEMORY, CREATE, { 9, 2, 0, 1 }, 4 },
    { NO_MEMORY, CREATE, { 9, 2, 8193, 1 }, 4 },
    { NO_MEMORY, CREATE, { 9, 2, 8192, 8192 }, 4 },
    { NO_MEMORY, CREATE, { 9, 2, 0x10000, 0x10000 }, 4 },
    { NO_RESOURCE, UNREF, { 8, 0 }, 2 },
    { NO_SCANOUT, SCANOUT, { 0, 0, 1, 1, 1, 7 }, 6 },
    { NO_RESOURCE, SCANOUT, { 0, 0, 1, 1, 0, 8 }, 6 },
    { BAD_PARAMETER, SCANOUT, { 0, 0, 65, 1, 0, 7 }, 6 },
    { BAD_PARAMETER, SCANOUT, { 0, 0, 0, 1, 0, 7 }, 6 },
    { BAD_PARAMETER, SCANOUT, { 0xffffffff, 0, 2, 1, 0, 7 }, 6 },
    { NO_RESOURCE, FLUSH, { 0, 0, 1, 1, 8, 0 }, 6 },
    { BAD_PARAMETER, FLUSH, { 0, 0xfffffff0, 1, 0x20, 7, 0 }, 6 },
    { NO_RESOURCE, TRANSFER, { 0, 0, 1, 1, 0, 0, 8, 0 }, 8 },
    { BAD_PARAMETER, TRANSFER, { 1, 0, 64, 1, 0, 0, 7, 0 }, 8 },
    { UNSPECIFIED, TRANSFER, { 0, 0, 64, 64, 4, 0, 7, 0 }, 8 }, /* past the end */
    { UNSPECIFIED, TRANSFER, { 0, 0, 1, 1, 0, 0x80000000, 7, 0 }, 8 },
    { UNSPECIFIED, ATTACH, { 7, 0 }, 2 }, /* has pages already */
    { NO_RESOURCE, ATTACH, { 8, 0 }, 2 },
    { NO_RESOURCE, DETACH, { 8, 0 }, 2 },
    { BAD_PARAMETER, EDID, { 1, 0 }, 2 },
    { UNSPECIFIED, 0x109, { 0 }, 1 },
};

static void test_wrong_commands(void)
{
    GpuDesk desk;

    gpu_init(&desk);
    show_picture(&desk);
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_assert_cmphex(command(&desk, wrong[i].type, wrong[i].words, wrong[i].n), ==,
                        wrong[i].answer);
    }
    g_assert_cmphex(COMMAND(&desk, DETACH, 7, 0), ==, OK);
    g_assert_cmphex(COMMAND(&desk, TRANSFER, 0, 0, 1, 1, 0, 0, 7, 0), ==, UNSPECIFIED);
    g_assert_cmphex(COMMAND(&desk, ATTACH, 7, 2, PIXELS, 0, 16, 0), ==, BAD_PARAMETER);
    g_assert_cmphex(COMMAND(&desk, ATTACH, 7, 0x10000001, PIXELS, 0, 16, 0), ==, BAD_PARAMETER);
    /* where no RAM is */
    g_assert_cmphex(COMMAND(&desk, ATTACH, 7, 1, 0xfffffff0, 0xffffffff, 0x4000, 0), ==, OK);
    g_assert_cmphex(COMMAND(&desk, TRANSFER, 0, 0, 1, 1, 0, 0, 7, 0), ==, UNSPECIFIED);
    g_assert_false(virtio_bench_is_broken(desk.b));
    gpu_clear(&desk);
}

static void test_limits(void)
{
    GpuDesk desk;

    gpu_init(&desk);
    for (uint32_t i = 1; i <= 4; i++) {
        g_assert_cmphex(COMMAND(&desk, CREATE, i, 2, 4096, 4096), ==, OK);
    }
    g_assert_cmphex(COMMAND(&desk, CREATE, 5, 2, 1, 1), ==, NO_MEMORY);
    for (uint32_t i = 1; i <= 4; i++) {
        g_assert_cmphex(COMMAND(&desk, UNREF, i, 0), ==, OK);
    }
    for (uint32_t i = 1; i <= VIRTIO_GPU_RESOURCES; i++) {
        g_assert_cmphex(COMMAND(&desk, CREATE, i, 2, 1, 1), ==, OK);
    }
    g_assert_cmphex(COMMAND(&desk, CREATE, 1000, 2, 1, 1), ==, NO_MEMORY);
    /* 4000 pieces each: eight lists fit, and the ninth after one has gone */
    g_autofree uint32_t *words = g_new0(uint32_t, 2 + 4 * 4000);
    words[1] = 4000;
    for (uint32_t i = 1; i <= 9; i++) {
        words[0] = i;
        words[2] = 0x1000 * i;
        uint32_t answer = command(&desk, ATTACH, words, 2 + 4 * 4000);
        g_assert_cmphex(answer, ==, i <= 8 ? OK : NO_MEMORY);
    }
    g_assert_cmphex(COMMAND(&desk, DETACH, 3, 0), ==, OK);
    g_assert_cmphex(command(&desk, ATTACH, words, 2 + 4 * 4000), ==, OK);
    gpu_clear(&desk);
}

/* Lists that stand behind one that goes keep what they hold. */
static void test_lists_move(void)
{
    GpuDesk desk;

    gpu_init(&desk);
    for (uint32_t i = 1; i <= 3; i++) {
        g_assert_cmphex(COMMAND(&desk, CREATE, i, 2, 1, 1), ==, OK);
        g_assert_cmphex(COMMAND(&desk, ATTACH, i, 1, PIXELS + 16 * i, 0, 4, 0), ==, OK);
        paint(&desk, PIXELS + 16 * i, 0x111111 * i);
    }
    g_assert_cmphex(COMMAND(&desk, UNREF, 1, 0), ==, OK);
    for (uint32_t i = 2; i <= 3; i++) {
        g_assert_cmphex(COMMAND(&desk, TRANSFER, 0, 0, 1, 1, 0, 0, i, 0), ==, OK);
        g_assert_cmphex(COMMAND(&desk, SCANOUT, 0, 0, 1, 1, 0, i), ==, OK);
        g_assert_cmphex(look(&desk, 1, 1, 0, 0), ==, 0x111111 * i);
    }
    gpu_clear(&desk);
}

static void test_wanted_size(void)
{
    GpuDesk desk;
    uint32_t size[2];
    uint8_t edid[128], sum = 0;

    gpu_init(&desk);
    g_assert_cmphex(virtio_bench_read(desk.b, CONFIG + 8), ==, 1);
    g_assert_true(display_want_size(desk.display, 1024, 768));
    g_assert_cmphex(virtio_bench_read(desk.b, CONFIG), ==, 1);
    virtio_bench_write(desk.b, CONFIG + 4, 1);
    g_assert_cmphex(virtio_bench_read(desk.b, CONFIG), ==, 0);
    g_assert_cmphex(command(&desk, INFO, NULL, 0), ==, 0x1101);
    gm_read(desk.b->bench.env.memory, ANSWER + 24 + 8, size, 8);
    g_assert_cmpuint(size[0], ==, 1024);
    g_assert_cmpuint(size[1], ==, 768);
    g_assert_cmphex(COMMAND(&desk, EDID, 0, 0), ==, 0x1104);
    gm_read(desk.b->bench.env.memory, ANSWER + 32, edid, 128);
    for (unsigned i = 0; i < 128; i++) {
        sum += edid[i];
    }
    g_assert_cmpuint(sum, ==, 0);
    g_assert_cmpuint(edid[56] | edid[58] >> 4 << 8, ==, 1024);
    g_assert_cmpuint(edid[59] | edid[61] >> 4 << 8, ==, 768);
    g_assert_false(display_want_size(desk.display, 0, 768));
    g_assert_false(display_want_size(desk.display, 8192, 8192));
    virtio_bench_write(desk.b, VB_STATUS, 0);
    g_assert_false(display_want_size(desk.display, 800, 600)); /* nobody is told */
    gpu_clear(&desk);
}

/* Offset of field @name's element @index in a saved state. */
static size_t saved_offset(const DeviceClass *class, const char *name, unsigned index)
{
    size_t at = 0;

    for (const SavedField *field = class->saved; field->name; field++) {
        if (!strcmp(field->name, name)) {
            return at + (size_t)field->size * index;
        }
        at += (size_t)field->size * field->count;
    }
    g_assert_not_reached();
}

static void test_saved(void)
{
    GpuDesk desk;
    static const char *const fields[] = { "resources.first_page", "resources.n_pages",
                                          "resources.width", "resources.format", "shown.width" };

    gpu_init(&desk);
    show_picture(&desk);
    paint(&desk, PIXELS + 0x8000, RED);
    g_assert_cmphex(COMMAND(&desk, TRANSFER, 0, 0, 64, 64, 0, 0, 7, 0), ==, OK);
    Device *device = &desk.dev->device;
    size_t len = device_saved_size(device->class);
    g_autofree uint8_t *state = g_malloc(len);
    device_save(device, state);
    device_reset(device);
    g_assert_true(device_load(device, state, len, NULL));
    g_assert_cmphex(look(&desk, 64, 64, 0, 0), ==, RED);
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
        g_autofree uint8_t *bad = g_memdup2(state, len);
        bad[saved_offset(device->class, fields[i], 0) + 3] = 0x7f;
        g_assert_false(device_load(device, bad, len, NULL));
        display_refresh(desk.display);
    }
    /* two of the same number, and two that share pages */
    for (unsigned same = 0; same < 2; same++) {
        g_autofree uint8_t *bad = g_memdup2(state, len);
        bad[saved_offset(device->class, "resources.id", 1)] = same ? 7 : 8;
        bad[saved_offset(device->class, "resources.format", 1)] = 2;
        bad[saved_offset(device->class, "resources.width", 1)] = 1;
        bad[saved_offset(device->class, "resources.height", 1)] = 1;
        bad[saved_offset(device->class, "resources.n_pages", 1)] = 1;
        g_assert_false(device_load(device, bad, len, NULL));
    }
    gpu_clear(&desk);
}

/* --- input --- */

typedef struct InputDesk {
    VirtioInputKind kind;
    Input *input;
    VirtioBench *b;
    unsigned taken;
} InputDesk;

static VirtioDev *make_input(const VirtioSlot *slot, void *opaque)
{
    InputDesk *desk = opaque;

    return virtio_input_new(slot, desk->kind, desk->input);
}

static void input_init(InputDesk *desk, VirtioInputKind kind)
{
    *desk = (InputDesk){ .kind = kind, .input = input_new() };
    desk->b = virtio_bench_new(make_input, desk);
}

static void input_clear(InputDesk *desk)
{
    virtio_bench_free(desk->b);
    input_free(desk->input);
}

/* Post a buffer for an event, which stands at its number's place in BUF. */
static void post(InputDesk *desk, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        VirtioBenchPart part = { BUF + 8 * i, 8, true };
        virtio_bench_post(desk->b, 0, &part, 1);
    }
    virtio_bench_kick(desk->b, 0);
}

static void expect(InputDesk *desk, unsigned type, unsigned code, int value)
{
    uint16_t event[2];
    int32_t got;

    g_assert_cmpint(virtio_bench_next_used(desk->b, 0, NULL), ==, 8);
    gm_read(desk->b->bench.env.memory, BUF + 8 * desk->taken, event, 4);
    gm_read(desk->b->bench.env.memory, BUF + 8 * desk->taken + 4, &got, 4);
    desk->taken++;
    g_assert_cmpuint(event[0], ==, type);
    g_assert_cmpuint(event[1], ==, code);
    g_assert_cmpint(got, ==, value);
}

/* Select, and how much there is to be read. */
static unsigned choose(InputDesk *desk, unsigned select, unsigned subselect)
{
    virtio_bench_write(desk->b, CONFIG, select | subselect << 8);
    return virtio_bench_read(desk->b, CONFIG) >> 16 & 0xff;
}

static void test_input_config(void)
{
    InputDesk desk;

    input_init(&desk, VIRTIO_KEYBOARD);
    g_assert_cmpuint(choose(&desk, 1, 0), ==, strlen("Insula virtio keyboard"));
    g_assert_cmphex(virtio_bench_read(desk.b, CONFIG + 8), ==, 0x75736e49); /* "Insu" */
    g_assert_cmpuint(choose(&desk, 1, 1), ==, 0);
    g_assert_cmphex(virtio_bench_read(desk.b, CONFIG + 8), ==, 0);
    g_assert_cmpuint(choose(&desk, 3, 0), ==, 8);
    g_assert_cmpuint(choose(&desk, 0x11, EV_KEY), >, KEY_RIGHTMETA / 8);
    g_assert_true(virtio_bench_read(desk.b, CONFIG + 8) & 1U << KEY_A);
    g_assert_cmpuint(choose(&desk, 0x11, EV_REL), ==, 0);
    g_assert_cmpuint(choose(&desk, 0x12, ABS_X), ==, 0);
    g_assert_cmpuint(choose(&desk, 0xff, 0xff), ==, 0);
    input_clear(&desk);
    input_init(&desk, VIRTIO_TABLET);
    g_assert_cmpuint(choose(&desk, 0x12, ABS_Y), ==, 20);
    g_assert_cmpuint(virtio_bench_read(desk.b, CONFIG + 12), ==, INPUT_AXIS_MAX);
    g_assert_cmpuint(choose(&desk, 0x12, ABS_RX), ==, 0);
    g_assert_cmpuint(choose(&desk, 0x11, EV_ABS), ==, 1);
    input_clear(&desk);
}

static void test_input_events(void)
{
    InputDesk desk;

    input_init(&desk, VIRTIO_KEYBOARD);
    input_key(desk.input, KEY_A, true); /* no driver: nobody is there */
    virtio_bench_start(desk.b, 0);
    input_key(desk.input, KEY_B, true); /* no buffers: it waits */
    post(&desk, 8);
    input_key(desk.input, KEY_B, false);
    expect(&desk, EV_KEY, KEY_B, 1);
    expect(&desk, EV_SYN, SYN_REPORT, 0);
    expect(&desk, EV_KEY, KEY_B, 0);
    expect(&desk, EV_SYN, SYN_REPORT, 0);
    g_assert_cmpint(virtio_bench_next_used(desk.b, 0, NULL), ==, -1);
    input_clear(&desk);
    input_init(&desk, VIRTIO_TABLET);
    virtio_bench_start(desk.b, 0);
    post(&desk, 16);
    g_assert_true(input_is_absolute(desk.input));
    input_pointer_at(desk.input, &(InputPosition){ 639, 0, 640, 480 }, INPUT_RIGHT, -1);
    expect(&desk, EV_ABS, ABS_X, INPUT_AXIS_MAX);
    expect(&desk, EV_ABS, ABS_Y, 0);
    expect(&desk, EV_REL, REL_WHEEL, -1);
    expect(&desk, EV_KEY, BTN_RIGHT, 1);
    expect(&desk, EV_SYN, SYN_REPORT, 0);
    input_clear(&desk);
    input_init(&desk, VIRTIO_MOUSE);
    virtio_bench_start(desk.b, 0);
    post(&desk, 16);
    input_pointer_by(desk.input, -3, 0, INPUT_LEFT | INPUT_MIDDLE, 0);
    expect(&desk, EV_REL, REL_X, -3);
    expect(&desk, EV_KEY, BTN_LEFT, 1);
    expect(&desk, EV_KEY, BTN_MIDDLE, 1);
    expect(&desk, EV_SYN, SYN_REPORT, 0);
    input_clear(&desk);
}

/* A guest that posts no buffers: what waits is bounded, and ends with the key going up. */
static void test_input_waits(void)
{
    InputDesk desk;
    unsigned n = 0;
    uint16_t last[2] = { 0 };
    uint32_t value = 1;

    input_init(&desk, VIRTIO_KEYBOARD);
    virtio_bench_start(desk.b, 0);
    for (unsigned i = 0; i < 1000; i++) {
        input_key(desk.input, KEY_A, true);
    }
    input_key(desk.input, KEY_A, false);
    for (unsigned round = 0; round < 20; round++) {
        post(&desk, 16);
        for (unsigned i = 0; virtio_bench_next_used(desk.b, 0, NULL) == 8; i++, n++) {
            uint16_t event[2];
            gm_read(desk.b->bench.env.memory, BUF + 8 * i, event, 4);
            if (event[0] == EV_KEY) {
                memcpy(last, event, 4);
                gm_read(desk.b->bench.env.memory, BUF + 8 * i + 4, &value, 4);
            }
        }
    }
    g_assert_cmpuint(n, ==, VIRTIO_INPUT_EVENTS / 2 + 2);
    g_assert_cmpuint(last[1], ==, KEY_A);
    g_assert_cmpuint(value, ==, 0);
    input_clear(&desk);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/gpu/picture", test_picture);
    g_test_add_func("/gpu/cursor", test_cursor);
    g_test_add_func("/gpu/wrong-commands", test_wrong_commands);
    g_test_add_func("/gpu/limits", test_limits);
    g_test_add_func("/gpu/lists-move", test_lists_move);
    g_test_add_func("/gpu/wanted-size", test_wanted_size);
    g_test_add_func("/gpu/saved", test_saved);
    g_test_add_func("/input/config", test_input_config);
    g_test_add_func("/input/events", test_input_events);
    g_test_add_func("/input/waits-for-buffers", test_input_waits);
    return g_test_run();
}
