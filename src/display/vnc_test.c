/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the VNC server: who is let in, what is sent in each encoding, what keys and pointer do,
 * and viewers that break the rules.
 */
#include "display/vnc.h"

#include <linux/input-event-codes.h>
#include <nettle/des.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/bits.h"
#include "display/vnc_client.h"

enum { WIDTH = 150, HEIGHT = 70, FORMAT = 16, HEADER = 12 };

/* A server without sockets, and one viewer of it. */
typedef struct Desk {
    Display *display;
    Input *input;
    InputSink sink;
    unsigned keys, code, buttons;
    int x, y, wheel;
    bool down;
    const char *password;
    bool locked;
    unsigned right, wrong;
    GByteArray *copied;
    VncHost host;
    VncClient *client;
} Desk;

static const char *get_password(void *opaque)
{
    return ((Desk *)opaque)->password;
}

static bool get_locked(void *opaque)
{
    return ((Desk *)opaque)->locked;
}

static void count_try(void *opaque, bool right)
{
    Desk *desk = opaque;

    desk->right += right;
    desk->wrong += !right;
}

static void take_text(void *opaque, VncClient *client, const uint8_t *text, size_t len)
{
    Desk *desk = opaque;

    g_byte_array_append(desk->copied, text, (guint)len);
}

static void take_key(void *opaque, unsigned code, bool down)
{
    Desk *desk = opaque;

    desk->keys++;
    desk->code = code;
    desk->down = down;
}

static void take_pointer(void *opaque, const InputPointer *pointer)
{
    Desk *desk = opaque;

    desk->x = pointer->x;
    desk->y = pointer->y;
    desk->wheel += pointer->wheel;
    desk->buttons = pointer->buttons;
}

/* Few colours in one half, many in the other. */
static uint32_t pixel_at(unsigned x, unsigned y, unsigned seed)
{
    uint32_t noise = (x * 7919 + y * 104729 + seed) * 2654435761U;

    return x < WIDTH / 2 ? (x / 8 % 3) * 0x7f0000 + seed : noise & 0xffffff;
}

static void draw(Desk *desk, unsigned width, unsigned height, unsigned seed)
{
    uint32_t row[WIDTH * 2];

    display_begin(desk->display, width, height);
    for (unsigned y = 0; y < height; y++) {
        for (unsigned x = 0; x < width; x++) {
            row[x] = pixel_at(x, y, seed);
        }
        display_put(desk->display, 0, y, row, width);
    }
    display_end(desk->display);
}

static void desk_init(Desk *desk)
{
    *desk = (Desk){ .display = display_new(), .input = input_new(), .copied = g_byte_array_new() };
    desk->sink = (InputSink){ desk, false, NULL, take_key, take_pointer };
    input_add(desk->input, &desk->sink);
    draw(desk, WIDTH, HEIGHT, 0);
    desk->host = (VncHost){ desk->display, desk->input, "test",    get_password,
                            get_locked,    count_try,   take_text, desk };
    desk->client = vnc_client_new(&desk->host);
}

static void desk_clear(Desk *desk)
{
    vnc_client_free(desk->client);
    input_remove(desk->input, &desk->sink);
    input_free(desk->input);
    display_free(desk->display);
    g_byte_array_unref(desk->copied);
}

static bool say(Desk *desk, const void *bytes, size_t len)
{
    return vnc_client_receive(desk->client, bytes, len);
}

static void expect(Desk *desk, const void *bytes, size_t len)
{
    g_assert_cmpmem(desk->client->out->data, desk->client->out->len, bytes, len);
    g_byte_array_set_size(desk->client->out, 0);
}

/* All of it up to pictures. */
static void enter(Desk *desk)
{
    expect(desk, "RFB 003.008\n", 12);
    g_assert_true(say(desk, "RFB 003.008\n", 12));
    expect(desk, "\1\1", 2);
    g_assert_true(say(desk, "\1", 1));
    expect(desk, "\0\0\0\0", 4);
    g_assert_true(say(desk, "\1", 1));
    g_assert_cmpuint(desk->client->out->len, ==, 4 + FORMAT + 4 + 4);
    g_byte_array_set_size(desk->client->out, 0);
}

/* --- who is let in --- */

static void test_versions(void)
{
    static const struct {
        const char *version;
        bool good;
    } cases[] = {
        { "RFB 003.003\n", true }, { "RFB 003.007\n", true },  { "RFB 003.008\n", true },
        { "RFB 003.889\n", true }, { "RFB 004.001\n", false }, { "RFB 003.00x\n", false },
        { "GET / HTTP/1", false }, { "RFB 003.008\r", false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Desk desk;
        desk_init(&desk);
        for (unsigned at = 0; at < 11; at++) { /* a byte at a time */
            g_assert_true(say(&desk, cases[i].version + at, 1));
        }
        g_assert_cmpint(say(&desk, cases[i].version + 11, 1), ==, cases[i].good);
        g_assert_cmpint(desk.client->reason == NULL, ==, cases[i].good);
        desk_clear(&desk);
    }
}

static void test_old_viewers(void)
{
    Desk desk;

    desk_init(&desk);
    expect(&desk, "RFB 003.008\n", 12);
    g_assert_true(say(&desk, "RFB 003.003\n", 12));
    expect(&desk, "\0\0\0\1", 4);
    g_assert_true(say(&desk, "\0", 1));
    g_assert_cmpint(desk.client->state, ==, VNC_RUNNING);
    desk_clear(&desk);
    desk_init(&desk);
    expect(&desk, "RFB 003.008\n", 12);
    g_assert_true(say(&desk, "RFB 003.007\n", 12));
    expect(&desk, "\1\1", 2);
    g_assert_true(say(&desk, "\1", 1));
    expect(&desk, "", 0); /* 3.7 is told nothing */
    desk_clear(&desk);
}

static uint8_t mirrored(uint8_t byte)
{
    uint8_t result = 0;

    for (unsigned i = 0; i < 8; i++) {
        result |= (uint8_t)((byte >> i & 1) << (7 - i));
    }
    return result;
}

static bool try_password(Desk *desk, const char *password)
{
    uint8_t key[8] = { 0 }, response[16];
    struct des_ctx des;

    g_byte_array_set_size(desk->client->out, 0);
    g_assert_true(say(desk, "RFB 003.008\n", 12));
    expect(desk, "\1\2", 2);
    g_assert_true(say(desk, "\2", 1));
    g_assert_cmpuint(desk->client->out->len, ==, 16);
    for (unsigned i = 0; i < 8 && password[i]; i++) {
        key[i] = mirrored((uint8_t)password[i]);
    }
    des_set_key(&des, key);
    des_encrypt(&des, 16, response, desk->client->out->data);
    g_byte_array_set_size(desk->client->out, 0);
    return say(desk, response, 16);
}

static void test_passwords(void)
{
    Desk desk;

    desk_init(&desk);
    desk.password = "se%ret";
    g_assert_true(try_password(&desk, "se%ret"));
    expect(&desk, "\0\0\0\0", 4);
    g_assert_cmpuint(desk.right, ==, 1);
    desk_clear(&desk);
    desk_init(&desk);
    desk.password = "se%ret";
    g_assert_false(try_password(&desk, "se%rex"));
    g_assert_cmpuint(load_be32(desk.client->out->data), ==, 1);
    g_assert_cmpuint(desk.wrong, ==, 1);
    desk_clear(&desk);
    desk_init(&desk);
    desk.password = "se%ret";
    desk.locked = true;
    g_assert_false(say(&desk, "RFB 003.008\n", 12));
    desk_clear(&desk);
    desk_init(&desk); /* who is asked for a password can't go without */
    desk.password = "se%ret";
    g_assert_true(say(&desk, "RFB 003.008\n", 12));
    g_assert_false(say(&desk, "\1", 1));
    desk_clear(&desk);
    g_autoptr(Input) input = input_new();
    g_autoptr(Display) display = display_new();
    g_autoptr(GError) error = NULL;
    g_assert_null(vnc_new(&(VncConfig){ "x", "123456789", display, input }, &error));
    g_assert_nonnull(strstr(error->message, "1 to 8 bytes"));
}

/* --- pictures --- */

static void ask(Desk *desk, bool incremental)
{
    const uint8_t request[] = { 3, incremental, 0, 0, 0, 0, 0, WIDTH, 0, HEIGHT };

    g_assert_true(say(desk, request, sizeof(request)));
}

static void choose(Desk *desk, const int *encodings, unsigned n)
{
    uint8_t message[64] = { 2, 0, 0, (uint8_t)n };

    for (unsigned i = 0; i < n; i++) {
        store_be32(message + 4 + 4 * i, (uint32_t)encodings[i]);
    }
    g_assert_true(say(desk, message, 4 + 4 * n));
}

/* The update's rectangles; the first one begins at out + 4. */
static unsigned updated(Desk *desk)
{
    bool sent;

    g_assert_true(vnc_client_update(desk->client, &sent));
    if (!sent) {
        g_assert_cmpuint(desk->client->out->len, ==, 0);
        return 0;
    }
    g_assert_cmpuint(desk->client->out->data[0], ==, 0);
    return load_be16(desk->client->out->data + 2);
}

/* What viewers unpack with, for as long as they are connected. */
typedef struct Unpacker {
    z_stream stream;
    uint8_t *bytes; /* of the last rectangle */
    size_t len, at;
} Unpacker;

static void unpack(Unpacker *unpacker, const uint8_t *packed)
{
    size_t room = WIDTH * HEIGHT * 5;

    g_free(unpacker->bytes);
    unpacker->bytes = g_malloc(room);
    unpacker->stream.next_in = (Bytef *)packed + 4;
    unpacker->stream.avail_in = load_be32(packed);
    unpacker->stream.next_out = unpacker->bytes;
    unpacker->stream.avail_out = (uInt)room;
    g_assert_cmpint(inflate(&unpacker->stream, Z_SYNC_FLUSH), ==, Z_OK);
    g_assert_cmpuint(unpacker->stream.avail_in, ==, 0);
    unpacker->len = room - unpacker->stream.avail_out;
    unpacker->at = 0;
}

static uint32_t take(Unpacker *unpacker, unsigned n)
{
    uint32_t value = 0;

    g_assert_cmpuint(unpacker->at + n, <=, unpacker->len);
    memcpy(&value, unpacker->bytes + unpacker->at, n);
    unpacker->at += n;
    return value;
}

static void read_tile(Unpacker *unpacker, unsigned width, unsigned height, uint32_t *pixels)
{
    uint32_t palette[16];
    unsigned kind = take(unpacker, 1), bits = kind <= 2 ? 1 : kind <= 4 ? 2 : 4;

    g_assert_cmpuint(kind, <=, 16);
    for (unsigned i = 0; i < kind; i++) {
        palette[i] = take(unpacker, 3);
    }
    for (unsigned y = 0; y < height; y++) {
        unsigned byte = 0, left = 0;
        for (unsigned x = 0; x < width; x++) {
            if (kind > 1 && left == 0) {
                byte = take(unpacker, 1);
                left = 8;
            }
            left -= kind > 1 ? bits : 0;
            unsigned index = kind > 1 ? byte >> left & ((1U << bits) - 1) : 0;
            g_assert_true(kind == 0 || index < kind);
            pixels[y * WIDTH + x] = kind == 0 ? take(unpacker, 3) : palette[index];
        }
    }
}

static void read_tiles(Unpacker *unpacker, uint32_t *pixels)
{
    for (unsigned y = 0; y < HEIGHT; y += 64) {
        for (unsigned x = 0; x < WIDTH; x += 64) {
            read_tile(unpacker, MIN(64, WIDTH - x), MIN(64, HEIGHT - y), pixels + y * WIDTH + x);
        }
    }
    g_assert_cmpuint(unpacker->at, ==, unpacker->len);
}

static void check_pixels(const uint32_t *pixels, unsigned seed)
{
    for (unsigned y = 0; y < HEIGHT; y++) {
        for (unsigned x = 0; x < WIDTH; x++) {
            g_assert_cmphex(pixels[y * WIDTH + x], ==, pixel_at(x, y, seed));
        }
    }
}

static void test_encoding(gconstpointer data)
{
    int encoding = GPOINTER_TO_INT(data);
    const int encodings[] = { VNC_RAW, 12345, encoding };
    Desk desk;
    Unpacker unpacker = { 0 };
    g_autofree uint32_t *pixels = g_new(uint32_t, WIDTH * HEIGHT);

    desk_init(&desk);
    enter(&desk);
    choose(&desk, encodings, 3);
    g_assert_cmpint(inflateInit(&unpacker.stream), ==, Z_OK);
    for (unsigned seed = 0; seed < 3; seed++) {
        draw(&desk, WIDTH, HEIGHT, seed);
        ask(&desk, false);
        g_assert_cmpuint(updated(&desk), ==, 1);
        const uint8_t *rect = desk.client->out->data + 4;
        g_assert_cmpuint(load_be16(rect + 4), ==, WIDTH);
        g_assert_cmpuint(load_be16(rect + 6), ==, HEIGHT);
        g_assert_cmpint((int)load_be32(rect + 8), ==, encoding);
        if (encoding == VNC_RAW) {
            memcpy(pixels, rect + HEADER, WIDTH * HEIGHT * 4);
        } else {
            unpack(&unpacker, rect + HEADER);
        }
        if (encoding == VNC_ZLIB) {
            memcpy(pixels, unpacker.bytes, WIDTH * HEIGHT * 4);
        } else if (encoding == VNC_ZRLE) {
            read_tiles(&unpacker, pixels);
        }
        check_pixels(pixels, seed);
        g_byte_array_set_size(desk.client->out, 0);
    }
    inflateEnd(&unpacker.stream);
    g_free(unpacker.bytes);
    desk_clear(&desk);
}

static void test_increments(void)
{
    const uint32_t red = 0xff0000;
    Desk desk;

    desk_init(&desk);
    enter(&desk);
    g_assert_cmpuint(updated(&desk), ==, 0); /* nobody asked */
    ask(&desk, true);
    g_assert_cmpuint(updated(&desk), ==, 1); /* has seen nothing yet */
    g_byte_array_set_size(desk.client->out, 0);
    ask(&desk, true);
    g_assert_cmpuint(updated(&desk), ==, 0);
    g_assert_true(vnc_client_is_due(desk.client)); /* it still waits */
    display_begin(desk.display, WIDTH, HEIGHT);
    display_put(desk.display, 149, 69, &red, 1);
    display_end(desk.display);
    g_assert_cmpuint(updated(&desk), ==, 1);
    const uint8_t *rect = desk.client->out->data + 4;
    g_assert_cmpuint(load_be16(rect), ==, 128);
    g_assert_cmpuint(load_be16(rect + 4), ==, WIDTH - 128);
    /* not before that was sent */
    ask(&desk, false);
    g_assert_false(vnc_client_is_due(desk.client));
    desk_clear(&desk);
}

static void test_pixel_formats(void)
{
    /* 16 bits, big-endian, 565; then rubbish */
    static const uint8_t good[20] = { 0, 0, 0, 0, 16, 16, 1, 1, 0, 31, 0, 63, 0, 31, 11, 5, 0 };
    static const uint8_t indexed[20] = { 0, 0, 0, 0, 8, 8, 0, 0 };
    static const uint8_t shifted[20] = { 0, 0, 0, 0, 16, 16, 0, 1, 0, 31, 0, 63, 0, 31, 12, 5, 0 };
    static const uint8_t odd[20] = { 0, 0, 0, 0, 24, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0 };
    Desk desk;

    desk_init(&desk);
    enter(&desk);
    g_assert_true(say(&desk, good, sizeof(good)));
    ask(&desk, false);
    g_assert_cmpuint(updated(&desk), ==, 1);
    g_assert_cmpuint(desk.client->out->len, ==, 4 + HEADER + WIDTH * HEIGHT * 2);
    g_assert_cmphex(load_be16(desk.client->out->data + 4 + HEADER + 8 * 2), ==, 0x7f >> 3 << 11);
    g_assert_false(say(&desk, indexed, 20));
    desk_clear(&desk);
    desk_init(&desk);
    enter(&desk);
    g_assert_false(say(&desk, shifted, 20));
    desk_clear(&desk);
    desk_init(&desk);
    enter(&desk);
    g_assert_false(say(&desk, odd, 20));
    desk_clear(&desk);
}

static bool take_size(void *opaque, unsigned width, unsigned height)
{
    return width == 1024 && height == 768;
}

static void test_resizing(void)
{
    static const int extended[] = { -308 }, plain[] = { -223 };
    static const uint8_t wish[8] = { 251, 0, 4, 0, 3, 0, 0, 0 };
    Desk desk;

    desk_init(&desk);
    enter(&desk);
    choose(&desk, extended, 1);
    ask(&desk, false);
    g_assert_cmpuint(updated(&desk), ==, 2); /* that it could, and pixels */
    g_byte_array_set_size(desk.client->out, 0);
    display_attach(desk.display, &(DisplaySource){ &desk, NULL, take_size });
    g_assert_true(say(&desk, wish, sizeof(wish)));
    ask(&desk, true);
    g_assert_cmpuint(updated(&desk), ==, 1);
    g_assert_cmpuint(load_be16(desk.client->out->data + 4), ==, 1); /* it wished */
    g_assert_cmpuint(load_be16(desk.client->out->data + 6), ==, 4); /* the guest was told */
    g_byte_array_set_size(desk.client->out, 0);
    draw(&desk, WIDTH * 2, HEIGHT, 1);
    ask(&desk, true);
    g_assert_cmpuint(updated(&desk), ==, 2);
    g_assert_cmpuint(load_be16(desk.client->out->data + 8), ==, WIDTH * 2);
    display_attach(desk.display, NULL);
    desk_clear(&desk);
    desk_init(&desk);
    enter(&desk);
    choose(&desk, plain, 1);
    draw(&desk, WIDTH, HEIGHT / 2, 1);
    ask(&desk, true);
    g_assert_cmpuint(updated(&desk), ==, 2);
    g_assert_cmpint((int)load_be32(desk.client->out->data + 12), ==, -223);
    desk_clear(&desk);
    desk_init(&desk); /* who knows neither sees what fits */
    enter(&desk);
    draw(&desk, WIDTH * 2, HEIGHT * 2, 0);
    ask(&desk, true);
    g_assert_cmpuint(updated(&desk), ==, 1);
    g_assert_cmpuint(load_be16(desk.client->out->data + 8), ==, WIDTH);
    desk_clear(&desk);
}

/* --- keys and pointer --- */

static void test_keys(void)
{
    static const uint8_t letter[] = { 4, 1, 0, 0, 0, 0, 0, 'A' };
    static const uint8_t up_arrow[] = { 255, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xc8 };
    static const uint8_t by_symbol[] = { 255, 0, 0, 0, 0, 0, 0, 'b', 0, 0, 0, 0 };
    static const uint8_t unknown[] = { 255, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
    static const int known[] = { -258 };
    Desk desk;

    desk_init(&desk);
    enter(&desk);
    choose(&desk, known, 1);
    ask(&desk, false);
    g_assert_cmpuint(updated(&desk), ==, 2);
    g_assert_cmpint((int)load_be32(desk.client->out->data + 12), ==, -258);
    g_assert_true(say(&desk, letter, sizeof(letter)));
    g_assert_cmpuint(desk.code, ==, KEY_A);
    g_assert_true(desk.down);
    g_assert_true(say(&desk, up_arrow, sizeof(up_arrow)));
    g_assert_cmpuint(desk.code, ==, KEY_UP);
    g_assert_true(say(&desk, by_symbol, sizeof(by_symbol)));
    g_assert_cmpuint(desk.keys, ==, 2); /* B wasn't down */
    g_assert_false(say(&desk, unknown, sizeof(unknown)));
    g_clear_pointer(&desk.client, vnc_client_free);
    g_assert_cmpuint(desk.keys, ==, 4); /* both have come up */
    g_assert_false(desk.down);
    desk_clear(&desk);
}

static void test_pointer(void)
{
    static const uint8_t at[] = { 5, 0, 0, 10, 0, 20 }, moved[] = { 5, 1, 0, 13, 0, 15 };
    static const uint8_t wheel[] = { 5,  9, 0,  13, 0, 15, 5,  1, 0,  13, 0,  15, 5,  17, 0,
                                     13, 0, 15, 5,  1, 0,  13, 0, 15, 5,  17, 0,  13, 0,  15 };
    static const uint8_t by[] = { 5, 4, 0x7f, 0xff - 2, 0x80, 0x03 };
    static const int relative[] = { -257 };
    Desk desk;

    desk_init(&desk);
    enter(&desk);
    g_assert_true(say(&desk, at, sizeof(at)));
    g_assert_true(say(&desk, moved, sizeof(moved)));
    g_assert_cmpint(desk.x, ==, 3);
    g_assert_cmpint(desk.y, ==, -5);
    g_assert_cmpuint(desk.buttons, ==, INPUT_LEFT);
    g_assert_true(say(&desk, wheel, sizeof(wheel)));
    g_assert_cmpint(desk.wheel, ==, -1);
    choose(&desk, relative, 1);
    ask(&desk, false);
    g_assert_cmpuint(updated(&desk), ==, 2);
    g_assert_true(say(&desk, by, sizeof(by)));
    g_assert_cmpint(desk.x, ==, -2);
    g_assert_cmpint(desk.y, ==, 4);
    g_assert_cmpuint(desk.buttons, ==, INPUT_RIGHT);
    g_clear_pointer(&desk.client, vnc_client_free);
    g_assert_cmpuint(desk.buttons, ==, 0);
    desk_clear(&desk);
}

/* --- what is refused --- */

static void test_limits(void)
{
    static const uint8_t encodings[] = { 2, 0, 4, 1 };
    uint8_t text[8 + 16] = { 6 };
    Desk desk;

    desk_init(&desk);
    enter(&desk);
    g_assert_false(say(&desk, encodings, sizeof(encodings))); /* 1025 of them */
    desk_clear(&desk);
    desk_init(&desk);
    enter(&desk);
    store_be32(text + 4, VNC_MAX_TEXT + 1);
    g_assert_false(say(&desk, text, 8));
    desk_clear(&desk);
    desk_init(&desk);
    enter(&desk);
    store_be32(text + 4, UINT32_MAX);
    g_assert_false(say(&desk, text, 8));
    desk_clear(&desk);
    desk_init(&desk);
    enter(&desk);
    store_be32(text + 4, VNC_MAX_TEXT);
    g_assert_true(say(&desk, text, 8));
    g_autofree uint8_t *much = g_malloc0(VNC_MAX_TEXT);
    g_assert_true(say(&desk, much, VNC_MAX_TEXT));
    g_assert_cmpuint(desk.copied->len, ==, VNC_MAX_TEXT);
    for (unsigned i = 0; i < 10; i++) { /* a viewer that doesn't read others' clipboards */
        vnc_client_paste(desk.client, much, VNC_MAX_TEXT);
    }
    g_assert_cmpuint(desk.client->out->len, <=, VNC_MAX_BACKLOG);
    g_assert_false(say(&desk, "\7", 1));
    desk_clear(&desk);
}

/* --- the server itself --- */

static bool is_closed(int fd)
{
    uint8_t byte;
    struct pollfd wait = { fd, POLLIN, 0 };

    g_assert_cmpint(poll(&wait, 1, 10000), ==, 1);
    return recv(fd, &byte, 1, 0) <= 0;
}

static void test_server(void)
{
    g_autoptr(Display) display = display_new();
    g_autoptr(Input) input = input_new();
    Vnc *vnc = vnc_new(&(VncConfig){ "test", NULL, display, input }, NULL);
    int fds[VNC_MAX_CLIENTS + 1][2];
    uint8_t bytes[64];

    vnc_start(vnc);
    for (unsigned i = 0; i <= VNC_MAX_CLIENTS; i++) {
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds[i]), ==, 0);
        vnc_connect(vnc, fds[i][1]);
    }
    g_assert_true(is_closed(fds[VNC_MAX_CLIENTS][0]));
    g_assert_false(is_closed(fds[0][0]));
    g_assert_cmpint(write(fds[0][0], "RFB 003.008\n\1\1", 14), ==, 14);
    g_assert_cmpint(recv(fds[0][0], bytes, 11 + 2 + 4 + 24 + 4, MSG_WAITALL), ==, 45);
    g_assert_cmpuint(load_be16(bytes + 17), ==, 640);
    g_assert_cmpint(write(fds[0][0], "\3\0\0\0\0\0\0\1\0\1", 10), ==, 10);
    g_assert_cmpint(recv(fds[0][0], bytes, 4, MSG_WAITALL), ==, 4);
    g_assert_cmpuint(vnc_viewers(vnc), ==, 1);
    g_assert_cmpint(write(fds[1][0], "rubbish that is long", 20), ==, 20);
    while (!is_closed(fds[1][0])) {
        /* its greeting */
    }
    vnc_free(vnc);
    for (unsigned i = 0; i <= VNC_MAX_CLIENTS; i++) {
        close(fds[i][0]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vnc/versions", test_versions);
    g_test_add_func("/vnc/old-viewers", test_old_viewers);
    g_test_add_func("/vnc/passwords", test_passwords);
    g_test_add_data_func("/vnc/raw", GINT_TO_POINTER(VNC_RAW), test_encoding);
    g_test_add_data_func("/vnc/zlib", GINT_TO_POINTER(VNC_ZLIB), test_encoding);
    g_test_add_data_func("/vnc/zrle", GINT_TO_POINTER(VNC_ZRLE), test_encoding);
    g_test_add_func("/vnc/increments", test_increments);
    g_test_add_func("/vnc/pixel-formats", test_pixel_formats);
    g_test_add_func("/vnc/resizing", test_resizing);
    g_test_add_func("/vnc/keys", test_keys);
    g_test_add_func("/vnc/pointer", test_pointer);
    g_test_add_func("/vnc/limits", test_limits);
    g_test_add_func("/vnc/server", test_server);
    return g_test_run();
}
