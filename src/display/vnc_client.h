/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One viewer of the VNC server, from its first byte on; knows no socket: bytes come in, bytes to be
 * sent pile up in .out.
 *
 * Whatever comes in is checked before it is used; who breaks the protocol, or wants more than
 * display/limits.h allows, is told to go (false), with the reason in .reason.
 *
 * A picture is made only when all that was made before has been sent: a slow viewer gets fewer
 * pictures, never a longer queue.
 *
 * Threads: the server's.
 */
#pragma once

#include "display/display.h"
#include "display/input.h"
#include "display/limits.h"
#include "display/vnc_encode.h"

typedef struct VncClient VncClient;

enum { VNC_CHALLENGE = 16 };

/* What a viewer needs of its server. */
typedef struct VncHost {
    Display *display;
    Input *input;
    const char *name;
    /* The password now, or NULL; may change between calls. */
    const char *(*password)(void *opaque);
    /* Whether nobody may try a password now; a try went well, or not. */
    bool (*locked)(void *opaque);
    void (*tried)(void *opaque, bool right);
    /* @client has copied a text. */
    void (*copied)(void *opaque, VncClient *client, const uint8_t *text, size_t len);
    void *opaque;
} VncHost;

typedef enum VncState {
    VNC_VERSION,
    VNC_SECURITY,
    VNC_AUTHENTICATION,
    VNC_SHARED,
    VNC_RUNNING,
} VncState;

struct VncClient {
    const VncHost *host;
    VncState state;
    unsigned minor; /* of RFB 3.x: 3, 7 or 8 */
    uint8_t challenge[VNC_CHALLENGE];
    GByteArray *in, *out;
    const char *reason; /* why it has to go; static */
    VncEncoder encoder;
    DisplayView *view;
    unsigned width, height; /* the picture that it knows */
    /* what it understands */
    bool can_resize, can_resize_extended, can_extended_keys, can_relative;
    bool told_resize, told_keys, is_absolute; /* what it was told */
    bool wants, wants_all;                    /* it waits for a picture; for all of it */
    uint8_t resize_answer;                    /* + 1: of its wish for another size; 0: none */
    unsigned buttons;                         /* RFB's, now */
    uint8_t down[INPUT_KEYS / 8];             /* keys that it holds */
};

VncClient *vnc_client_new(const VncHost *host);
/* Lets go what it held.  @client may be NULL. */
void vnc_client_free(VncClient *client);
/* Bytes from the viewer; false: it has to go. */
bool vnc_client_receive(VncClient *client, const uint8_t *bytes, size_t len);
/* It waits for a picture, and may have one. */
bool vnc_client_is_due(const VncClient *client);
/* Send what has changed, if anything; false: it has to go.  *@ret_sent: something did. */
bool vnc_client_update(VncClient *client, bool *ret_sent);
/* Another viewer has copied a text. */
void vnc_client_paste(VncClient *client, const uint8_t *text, size_t len);
