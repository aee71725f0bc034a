/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Known flaws of VNC servers: what a viewer says after it was let in, or instead.  The server knows
 * no socket (display/vnc_client.h); a viewer that goes too far is told to go, and the next one sees
 * the picture.
 */
#include <string.h>

#include "common/bits.h"
#include "cve.h"
#include "display/vnc.h"
#include "display/vnc_client.h"

enum { WIDTH = 64, HEIGHT = 48 };

typedef struct Desk {
    Display *display;
    Input *input;
    const char *password;
    size_t copied; /* bytes of viewers' texts */
    VncHost host;
    VncClient *client;
} Desk;

static const char *get_password(void *opaque)
{
    return ((Desk *)opaque)->password;
}

static bool never(void *opaque)
{
    return false;
}

static void ignore_try(void *opaque, bool right)
{
}

static void count_text(void *opaque, VncClient *client, const uint8_t *text, size_t len)
{
    ((Desk *)opaque)->copied += len;
}

static void draw(Desk *desk)
{
    static const uint32_t row[WIDTH] = { 0xffffff, 0x123456 };

    display_begin(desk->display, WIDTH, HEIGHT);
    for (unsigned y = 0; y < HEIGHT; y++) {
        display_put(desk->display, 0, y, row, WIDTH);
    }
    display_end(desk->display);
}

static void desk_init(Desk *desk, const char *password)
{
    *desk = (Desk){ .display = display_new(), .input = input_new(), .password = password };
    desk->host = (VncHost){ desk->display, desk->input, "cve",      get_password,
                            never,         ignore_try,  count_text, desk };
    draw(desk);
    desk->client = vnc_client_new(&desk->host);
}

static void desk_clear(Desk *desk)
{
    vnc_client_free(desk->client);
    input_free(desk->input);
    display_free(desk->display);
}

static bool say(Desk *desk, const char *bytes, size_t len)
{
    return vnc_client_receive(desk->client, (const uint8_t *)bytes, len);
}

static void enter(Desk *desk)
{
    g_assert_true(say(desk, "RFB 003.008\n\1\1", 14));
    g_assert_cmpint(desk->client->state, ==, VNC_RUNNING);
    g_byte_array_set_size(desk->client->out, 0);
}

/* A picture goes out to a viewer that asks for one. */
static void look(Desk *desk)
{
    bool sent = false;

    g_assert_true(say(desk, "\3\0\0\0\0\0\0\x40\0\x30", 10));
    g_assert_true(vnc_client_update(desk->client, &sent));
    g_assert_true(sent);
    g_assert_cmpuint(desk->client->out->len, >, 16);
}

/* --- what a viewer says --- */

#define FORMAT(bits, depth, red, green, blue)                                                      \
    "\0\0\0\0" bits depth "\0\1" red green blue "\x10\x08\0\0\0\0"
#define SAYS(bytes) .said = (bytes), .len = sizeof(bytes) - 1

static const struct Saying {
    const char *cve, *what, *said;
    size_t len;
} sayings[] = {
    { "2014-7815", "VNC: pixels of 0 bits",
      SAYS(FORMAT("\0", "\x18", "\0\xff", "\0\xff", "\0\xff")) },
    { "2014-7815", "VNC: pixels of 24 bits",
      SAYS(FORMAT("\x18", "\x18", "\0\xff", "\0\xff", "\0\xff")) },
    { "2014-7815", "VNC: pixels of 255 bits",
      SAYS(FORMAT("\xff", "\xff", "\0\xff", "\0\xff", "\0\xff")) },
    { "2015-8504", "VNC: a red of 0 shades",
      SAYS(FORMAT("\x20", "\x18", "\0\0", "\0\xff", "\0\xff")) },
    {
        "2015-8504",
        "VNC: no shades at all",
        SAYS(FORMAT("\x10", "\x10", "\0\0", "\0\0", "\0\0")),
    },
    { "2015-5239", "VNC: a text of 4 GiB", SAYS("\6\0\0\0\xff\xff\xff\xff") },
    { "2018-7225", "VNC: a text of 2 GiB", SAYS("\6\0\0\0\x80\0\0\0") },
    { "2014-6053", "VNC: a text of more than is taken", SAYS("\6\0\0\0\0\x10\0\1") },
    { "2022-3165", "VNC: an extended clipboard of -1 bytes",
      SAYS("\6\0\0\0\xff\xff\xff\xff\0\0\0\0") },
    { "2023-6683", "VNC: an extended clipboard asks, and nobody has offered",
      SAYS("\6\0\0\0\xff\xff\xff\xfc\2\0\0\1") },
    { "2023-3255", "VNC: an extended clipboard that is no zlib",
      SAYS("\6\0\0\0\xff\xff\xff\xf4\x10\0\0\1\x78\x9c\xff\xff\xff\xff\xff\xff") },
    { "2014-6054", "VNC: a scale of 0", SAYS("\x08\0\0\0") },
    { "2014-6055", "VNC: a file transfer", SAYS("\7\1\0\0\0\0\0\0\0\0\0\0") },
    { "2009-3616", "VNC: 65535 encodings", SAYS("\2\0\xff\xff") },
};

/* It is sent away, and the next one is served. */
static void test_saying(gconstpointer data)
{
    static const char usual[] = FORMAT("\x20", "\x18", "\0\xff", "\0\xff", "\0\xff");
    const struct Saying *c = data;
    Desk desk;

    desk_init(&desk, NULL);
    enter(&desk);
    g_assert_true(say(&desk, usual, sizeof(usual) - 1));
    g_assert_false(say(&desk, c->said, c->len));
    g_assert_cmpuint(desk.copied, ==, 0);
    vnc_client_free(desk.client);
    desk.client = vnc_client_new(&desk.host);
    enter(&desk);
    look(&desk);
    desk_clear(&desk);
}

/* The server offers passwords; the viewer chooses to need none. */
static void test_no_password(gconstpointer data)
{
    Desk desk;

    desk_init(&desk, "secret");
    g_assert_true(say(&desk, "RFB 003.008\n", 12));
    g_assert_false(say(&desk, "\1\1", 2));
    g_assert_cmpint(desk.client->state, <, VNC_RUNNING);
    desk_clear(&desk);
}

/* A viewer asks, and never reads: what waits for it doesn't grow. */
static void test_never_reads(gconstpointer data)
{
    Desk desk;

    desk_init(&desk, NULL);
    enter(&desk);
    look(&desk);
    guint waits = desk.client->out->len;
    for (unsigned i = 0; i < 10000; i++) {
        bool sent;
        g_assert_true(say(&desk, "\3\0\0\0\0\0\0\x40\0\x30", 10));
        draw(&desk);
        g_assert_true(vnc_client_update(desk.client, &sent));
        g_assert_false(sent);
    }
    g_assert_cmpuint(desk.client->out->len, ==, waits);
    for (unsigned i = 0; i < 100; i++) {
        g_autofree uint8_t *text = g_malloc0(VNC_MAX_TEXT);
        vnc_client_paste(desk.client, text, VNC_MAX_TEXT);
    }
    g_assert_cmpuint(desk.client->out->len, <=, VNC_MAX_BACKLOG + waits);
    desk_clear(&desk);
}

/* Encodings chosen again and again, with a stream of zlib's in between. */
static void test_changes_its_mind(gconstpointer data)
{
    static const char *const choices[] = { "\2\0\0\1\0\0\0\x10", "\2\0\0\1\0\0\0\6",
                                           "\2\0\0\1\0\0\0\0" };
    Desk desk;

    desk_init(&desk, NULL);
    enter(&desk);
    for (unsigned i = 0; i < 300; i++) {
        g_assert_true(say(&desk, choices[i % G_N_ELEMENTS(choices)], 8));
        look(&desk);
        g_byte_array_set_size(desk.client->out, 0);
    }
    desk_clear(&desk);
}

void cve_add_vnc(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(sayings); i++) {
        cve_add(sayings[i].cve, sayings[i].what, &sayings[i], test_saying);
    }
    cve_add("2006-2369", "VNC: it chooses no password", NULL, test_no_password);
    cve_add("2017-15124", "VNC: it never reads", NULL, test_never_reads);
    cve_add("2019-20382", "VNC: it changes its encoding", NULL, test_changes_its_mind);
}
