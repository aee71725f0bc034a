/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of pictures and of input: damage by view, sizes, and who gets which key and movement.
 */
#include "display/display.h"

#include <glib/gstdio.h>
#include <linux/input-event-codes.h>
#include <png.h>
#include <string.h>
#include <unistd.h>

#include "display/input.h"
#include "display/keys.h"
#include "display/screenshot.h"

enum { RED = 0xff0000, WIDTH = 200, HEIGHT = 50 };

/* A source that draws one picture of WIDTH by HEIGHT, black but for some pixels. */
typedef struct Picture {
    unsigned width, height;
    struct {
        unsigned x, y;
    } dots[4];
    unsigned n_dots, drawn;
} Picture;

static void draw(void *opaque, Display *display)
{
    Picture *picture = opaque;
    uint32_t row[1024];

    picture->drawn++;
    display_begin(display, picture->width, picture->height);
    for (unsigned y = 0; y < picture->height; y++) {
        memset(row, 0, sizeof(row));
        for (unsigned i = 0; i < picture->n_dots; i++) {
            if (picture->dots[i].y == y) {
                row[picture->dots[i].x] = RED;
            }
        }
        display_put(display, 0, y, row, picture->width);
    }
    display_end(display);
}

static unsigned look(Display *display, DisplayView *view, DisplayRect *rects, unsigned max)
{
    display_refresh(display);
    display_lock(display);
    unsigned n = display_view_damage(view, rects, max);
    display_unlock(display);
    return n;
}

static void assert_rect(const DisplayRect *rect, unsigned x, unsigned y, unsigned w, unsigned h)
{
    g_assert_cmpuint(rect->x, ==, x);
    g_assert_cmpuint(rect->y, ==, y);
    g_assert_cmpuint(rect->width, ==, w);
    g_assert_cmpuint(rect->height, ==, h);
}

static void test_damage_by_view(void)
{
    g_autoptr(Display) display = display_new();
    DisplayView *first = display_view_new(display), *second = display_view_new(display);
    Picture picture = { .width = WIDTH, .height = HEIGHT };
    DisplayRect rects[8];

    display_attach(display, &(DisplaySource){ &picture, draw });
    g_assert_cmpuint(look(display, first, rects, 8), ==, 1);
    assert_rect(&rects[0], 0, 0, WIDTH, HEIGHT);
    g_assert_cmpuint(look(display, first, rects, 8), ==, 0); /* drawn again, and nothing differs */
    picture.n_dots = 2;
    picture.dots[0].x = 70;
    picture.dots[0].y = 3;
    picture.dots[1].x = 199; /* in the tiles that the edge cuts */
    picture.dots[1].y = 49;
    g_assert_cmpuint(look(display, first, rects, 8), ==, 2);
    assert_rect(&rects[0], 64, 0, 64, 16);
    assert_rect(&rects[1], 192, 48, 8, 2);
    g_assert_cmpuint(look(display, first, rects, 8), ==, 0);
    g_assert_cmpuint(look(display, second, rects, 8), ==, 1); /* has seen nothing yet */
    assert_rect(&rects[0], 0, 0, WIDTH, HEIGHT);
    const DisplayImage *image = display_lock(display);
    g_assert_cmphex(image->pixels[3 * WIDTH + 70], ==, RED);
    g_assert_cmphex(image->pixels[49 * WIDTH + 199], ==, RED);
    g_assert_cmphex(image->pixels[0], ==, 0);
    display_unlock(display);
    display_attach(display, NULL);
    unsigned drawn = picture.drawn;
    display_refresh(display);
    g_assert_cmpuint(picture.drawn, ==, drawn);
    display_view_free(first);
    display_view_free(second);
}

/* Rectangles that find no room become one that covers all. */
static void test_damage_is_merged(void)
{
    g_autoptr(Display) display = display_new();
    DisplayView *view = display_view_new(display);
    Picture picture = { .width = 1000, .height = 100 };
    DisplayRect rects[2];

    display_attach(display, &(DisplaySource){ &picture, draw });
    look(display, view, rects, 2);
    picture.n_dots = 4;
    for (unsigned i = 0; i < 4; i++) {
        picture.dots[i].x = 70 + 200 * i;
        picture.dots[i].y = 5 + 20 * i;
    }
    g_assert_cmpuint(look(display, view, rects, 2), ==, 1);
    assert_rect(&rects[0], 64, 0, 640, 80);
    display_attach(display, NULL);
    display_view_free(view);
}

static void test_new_size_is_black_and_damaged(void)
{
    g_autoptr(Display) display = display_new();
    DisplayView *view = display_view_new(display);
    Picture picture = { .width = WIDTH, .height = HEIGHT, .n_dots = 1 };
    DisplayRect rects[2];
    const uint32_t far_away = RED;

    display_attach(display, &(DisplaySource){ &picture, draw });
    look(display, view, rects, 2);
    picture.width = 64;
    picture.n_dots = 0;
    g_assert_cmpuint(look(display, view, rects, 2), ==, 1);
    assert_rect(&rects[0], 0, 0, 64, HEIGHT);
    const DisplayImage *image = display_lock(display);
    g_assert_cmpuint(image->width, ==, 64);
    g_assert_cmphex(image->pixels[0], ==, 0);
    display_unlock(display);
    /* outside: cut off */
    display_begin(display, 64, HEIGHT);
    display_put(display, 64, 0, &far_away, 1);
    display_put(display, 0, HEIGHT, &far_away, 1);
    display_end(display);
    display_attach(display, NULL);
    g_assert_cmpuint(look(display, view, rects, 2), ==, 0);
    display_view_free(view);
}

/* --- input --- */

typedef struct Taker {
    InputSink sink;
    bool ready;
    unsigned keys, code;
    bool down;
    unsigned pointers;
    InputPointer pointer;
} Taker;

static bool is_ready(void *opaque)
{
    return ((Taker *)opaque)->ready;
}

static void take_key(void *opaque, unsigned code, bool down)
{
    Taker *taker = opaque;

    taker->keys++;
    taker->code = code;
    taker->down = down;
}

static void take_pointer(void *opaque, const InputPointer *pointer)
{
    Taker *taker = opaque;

    taker->pointers++;
    taker->pointer = *pointer;
}

static void taker_init(Taker *taker, bool absolute)
{
    *taker = (Taker){ .ready = true };
    taker->sink = (InputSink){ taker, absolute, is_ready, take_key, take_pointer };
}

static void test_keys(void)
{
    g_autoptr(Input) input = input_new();
    Taker old, new;

    taker_init(&old, false);
    taker_init(&new, true);
    input_key(input, 30, true); /* nobody there */
    input_add(input, &old.sink);
    input_add(input, &new.sink);
    new.ready = false;
    input_key(input, 31, true);
    g_assert_cmpuint(old.keys, ==, 1);
    g_assert_cmpuint(old.code, ==, 31);
    g_assert_true(old.down);
    new.ready = true;
    input_key(input, 48, true);
    g_assert_cmpuint(new.keys, ==, 1);
    input_key(input, 49, false); /* was not down */
    input_key(input, 0, true);
    input_key(input, INPUT_KEYS, true);
    g_assert_cmpuint(new.keys, ==, 1);
    input_release_all(input); /* 30, 31 and 48 */
    g_assert_cmpuint(new.keys, ==, 4);
    g_assert_false(new.down);
    input_release_all(input);
    g_assert_cmpuint(new.keys, ==, 4);
    input_remove(input, &new.sink);
    input_key(input, 50, true);
    g_assert_cmpuint(old.code, ==, 50);
    input_remove(input, &old.sink);
}

static void test_pointer_positions(void)
{
    g_autoptr(Input) input = input_new();
    Taker taker;

    taker_init(&taker, true);
    input_add(input, &taker.sink);
    g_assert_true(input_is_absolute(input));
    input_pointer_at(input, &(InputPosition){ 1023, 0, 1024, 768 }, INPUT_LEFT, -1);
    g_assert_cmpint(taker.pointer.x, ==, INPUT_AXIS_MAX);
    g_assert_cmpint(taker.pointer.y, ==, 0);
    g_assert_cmpuint(taker.pointer.buttons, ==, INPUT_LEFT);
    g_assert_cmpint(taker.pointer.wheel, ==, -1);
    input_pointer_at(input, &(InputPosition){ -5, 5000, 1024, 768 }, 0, 0);
    g_assert_cmpint(taker.pointer.x, ==, 0);
    g_assert_cmpint(taker.pointer.y, ==, INPUT_AXIS_MAX);
    input_pointer_by(input, 512, -1, 0, 0);
    g_assert_cmpint(taker.pointer.x, ==, 512 * INPUT_AXIS_MAX / 1023);
    g_assert_cmpint(taker.pointer.y, ==, INPUT_AXIS_MAX - INPUT_AXIS_MAX / 767);
    input_pointer_at(input, &(InputPosition){ 7, 7, 0, 0 }, 0, 0); /* no picture at all */
    g_assert_cmpint(taker.pointer.x, ==, 0);
    input_remove(input, &taker.sink);
}

static void test_pointer_movements(void)
{
    g_autoptr(Input) input = input_new();
    Taker taker;

    taker_init(&taker, false);
    input_add(input, &taker.sink);
    g_assert_false(input_is_absolute(input));
    input_pointer_at(input, &(InputPosition){ 100, 100, 640, 480 }, 0, 0);
    g_assert_cmpint(taker.pointer.x, ==, 0); /* there was no last position */
    input_pointer_at(input, &(InputPosition){ 110, 95, 640, 480 }, 0, 0);
    g_assert_cmpint(taker.pointer.x, ==, 10);
    g_assert_cmpint(taker.pointer.y, ==, -5);
    input_pointer_by(input, INT_MIN, INT_MAX, INPUT_RIGHT, 2);
    g_assert_cmpint(taker.pointer.x, ==, -INT16_MAX);
    g_assert_cmpint(taker.pointer.y, ==, INT16_MAX);
    unsigned before = taker.pointers;
    input_release_all(input);
    g_assert_cmpuint(taker.pointers, ==, before + 1);
    g_assert_cmpuint(taker.pointer.buttons, ==, 0);
    input_remove(input, &taker.sink);
    input_pointer_by(input, 1, 1, 0, 0);
    g_assert_cmpuint(taker.pointers, ==, before + 1);
}

/* --- keys --- */

static const struct {
    const char *name;
    unsigned code, set1;
    uint32_t symbol;
} keys[] = {
    { "a", KEY_A, 0x1e, 'A' },          { "ret", KEY_ENTER, 0x1c, 0xff0d },
    { "up", KEY_UP, 0xc8, 0xff52 },     { "delete", KEY_DELETE, 0xd3, 0xffff },
    { "f12", KEY_F12, 0x58, 0xffc9 },   { "kp_5", KEY_KP5, 0x4c, 0xffb5 },
    { "less", KEY_102ND, 0x56, 0 },     { "bracket_left", KEY_LEFTBRACE, 0x1a, '{' },
    { "alt_r", KEY_RIGHTALT, 0xb8, 0 }, { "print", KEY_SYSRQ, 0xb7, 0xff61 },
};

static void test_key_names(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_assert_cmpuint(keys_by_name(keys[i].name), ==, keys[i].code);
        g_assert_cmpstr(keys_name(keys[i].code), ==, keys[i].name);
        g_assert_cmphex(keys_set1(keys[i].code), ==, keys[i].set1);
        g_assert_cmpuint(keys_by_set1(keys[i].set1), ==, keys[i].code);
        if (keys[i].symbol) {
            g_assert_cmpuint(keys_by_symbol(keys[i].symbol), ==, keys[i].code);
        }
    }
    g_assert_cmpuint(keys_by_name("no such key"), ==, 0);
    g_assert_cmpuint(keys_by_symbol(0), ==, 0);
    g_assert_cmpuint(keys_by_set1(0), ==, 0);
    g_assert_null(keys_name(KEY_RESERVED));
}

static void test_keys_are_sent(void)
{
    const unsigned codes[] = { KEY_LEFTCTRL, KEY_LEFTALT, KEY_DELETE };
    g_autoptr(Input) input = input_new();
    Taker taker;

    taker_init(&taker, false);
    input_add(input, &taker.sink);
    keys_send(input, codes, 3);
    g_assert_cmpuint(taker.keys, ==, 6);
    g_assert_cmpuint(taker.code, ==, KEY_LEFTCTRL); /* the first goes up last */
    g_assert_false(taker.down);
    input_remove(input, &taker.sink);
}

/* --- screenshots --- */

static void test_screenshot_is_a_png(void)
{
    g_autoptr(Display) display = display_new();
    Picture picture = { .width = WIDTH, .height = HEIGHT, .n_dots = 1, .dots = { { 7, 3 } } };
    g_autofree char *path = NULL;
    png_image image = { .version = PNG_IMAGE_VERSION };
    uint8_t pixels[HEIGHT][WIDTH][3];

    close(g_file_open_tmp("insula-screen-XXXXXX", &path, NULL));
    display_attach(display, &(DisplaySource){ &picture, draw });
    g_assert_true(screenshot_write(display, SCREENSHOT_PNG, path, NULL));
    g_assert_true(png_image_begin_read_from_file(&image, path));
    g_assert_cmpuint(image.width, ==, WIDTH);
    g_assert_cmpuint(image.height, ==, HEIGHT);
    image.format = PNG_FORMAT_RGB;
    g_assert_true(png_image_finish_read(&image, NULL, pixels, 0, NULL));
    g_assert_cmphex(pixels[3][7][0], ==, 0xff);
    g_assert_cmphex(pixels[3][7][1], ==, 0);
    g_assert_cmphex(pixels[3][8][0], ==, 0);
    display_attach(display, NULL);
    g_unlink(path);
    g_autoptr(GError) error = NULL;
    g_assert_false(screenshot_write(display, SCREENSHOT_PNG, "/nowhere/x.png", &error));
    g_assert_nonnull(error);
}

static void test_screenshot_is_a_ppm(void)
{
    g_autoptr(Display) display = display_new();
    Picture picture = { .width = WIDTH, .height = HEIGHT, .n_dots = 1, .dots = { { 1, 0 } } };
    static const char header[] = "P6\n200 50\n255\n";

    display_attach(display, &(DisplaySource){ &picture, draw });
    g_autoptr(GByteArray) file = screenshot_take(display, SCREENSHOT_PPM, NULL);
    g_assert_cmpuint(file->len, ==, strlen(header) + WIDTH * HEIGHT * 3);
    g_assert_true(!memcmp(file->data, header, strlen(header)));
    g_assert_cmphex(file->data[strlen(header) + 3], ==, 0xff);
    g_assert_false(screenshot_write_fd(display, SCREENSHOT_PPM, -1, NULL));
    display_attach(display, NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/display/damage-is-told-to-each-view", test_damage_by_view);
    g_test_add_func("/display/damage-without-room-is-merged", test_damage_is_merged);
    g_test_add_func("/display/a-new-size-is-black-and-damaged", test_new_size_is_black_and_damaged);
    g_test_add_func("/input/keys-go-to-the-last-that-is-ready", test_keys);
    g_test_add_func("/input/positions", test_pointer_positions);
    g_test_add_func("/input/movements", test_pointer_movements);
    g_test_add_func("/keys/names-and-codes", test_key_names);
    g_test_add_func("/keys/are-sent-and-let-go", test_keys_are_sent);
    g_test_add_func("/screenshot/png", test_screenshot_is_a_png);
    g_test_add_func("/screenshot/ppm", test_screenshot_is_a_ppm);
    return g_test_run();
}
