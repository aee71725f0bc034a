/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: what a VNC viewer sends.  The first byte chooses whether a password is asked for,
 * and whether the usual handshake stands before the input; the rest arrives in pieces, between
 * which the picture changes.
 *
 * Threads: one.
 */
#include "display/vnc_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PIECE = 61, ENOUGH = 1 << 20 };

typedef struct Server {
    VncHost host;
    bool asks;
} Server;

static const char *get_password(void *opaque)
{
    return ((Server *)opaque)->asks ? "password" : NULL;
}

static bool get_locked(void *opaque)
{
    return false;
}

static void ignore_try(void *opaque, bool right)
{
}

static void ignore_text(void *opaque, VncClient *client, const uint8_t *text, size_t len)
{
    vnc_client_paste(client, text, len);
}

static void draw(Display *display, unsigned round)
{
    uint32_t pixel = round * 0x10203;

    display_begin(display, 64 + round % 5 * 16, 48);
    display_put(display, round % 64, round % 48, &pixel, 1);
    display_end(display);
}

/* Until the viewer has to go. */
static void run(VncClient *client, Display *display, const uint8_t *data, size_t size)
{
    bool good = true, sent;

    for (unsigned round = 0; good && size; round++) {
        size_t n = MIN(size, PIECE);
        good = vnc_client_receive(client, data, n) && vnc_client_update(client, &sent);
        data += n;
        size -= n;
        draw(display, round);
        if (round % 3 == 0 || client->out->len > ENOUGH) {
            g_byte_array_set_size(client->out, 0);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) {
        return 0;
    }
    Server server = { .asks = data[0] & 1 };
    server.host = (VncHost){ .display = display_new(),
                             .input = input_new(),
                             .name = "fuzz",
                             .password = get_password,
                             .locked = get_locked,
                             .tried = ignore_try,
                             .copied = ignore_text,
                             .opaque = &server };
    draw(server.host.display, 0);
    VncClient *client = vnc_client_new(&server.host);
    if (data[0] & 2) {
        server.asks = false;
        vnc_client_receive(client, (const uint8_t *)"RFB 003.008\n\1\1", 14);
        g_byte_array_set_size(client->out, 0);
    }
    run(client, server.host.display, data + 1, size - 1);
    vnc_client_free(client);
    input_free(server.host.input);
    display_free(server.host.display);
    return 0;
}
