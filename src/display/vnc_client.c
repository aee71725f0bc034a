/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a viewer says and what it is answered, see vnc_client.h.
 *
 * A state, or a kind of message, is a row of a table: how many bytes make it complete, and what is
 * done with them.
 */
#include "display/vnc_client.h"

#include <nettle/des.h>
#include <nettle/memops.h>
#include <string.h>
#include <sys/random.h>

#include "common/bits.h"
#include "display/keys.h"

enum { SECURITY_NONE = 1, SECURITY_PASSWORD = 2, FRAME = 4, RECT = 12, SERVER_CUT_TEXT = 3 };

/* Pseudo-encodings. */
enum {
    RESIZE = -223,
    RELATIVE_POINTER = -257,
    EXTENDED_KEYS = -258,
    EXTENDED_RESIZE = -308,
};
/* What a wish for another size is answered: forwarded to the guest, or that can't be. */
enum { RESIZE_REFUSED = 1, RESIZE_FORWARDED = 4, BY_SERVER = 0, BY_CLIENT = 1 };

/* RFB's buttons: three, then four that a wheel presses, then back. */
enum { WHEEL_UP = 8, WHEEL_DOWN = 16, BACK = 128 };

static bool leave(VncClient *client, const char *reason)
{
    client->reason = reason;
    return false;
}

static void put(VncClient *client, const void *bytes, size_t len)
{
    g_byte_array_append(client->out, bytes, (guint)len);
}

static void put8(VncClient *client, uint8_t value)
{
    put(client, &value, 1);
}

static void put16(VncClient *client, unsigned value)
{
    uint8_t bytes[2];

    store_be16(bytes, (uint16_t)value);
    put(client, bytes, 2);
}

static void put32(VncClient *client, uint32_t value)
{
    uint8_t bytes[4];

    store_be32(bytes, value);
    put(client, bytes, 4);
}

static void put_text(VncClient *client, const char *text)
{
    put32(client, (uint32_t)strlen(text));
    put(client, text, strlen(text));
}

/* --- who is there --- */

static void refuse(VncClient *client, const char *why)
{
    if (client->minor == 3) {
        put32(client, 0);
    } else {
        put8(client, 0);
    }
    put_text(client, why);
}

static void challenge(VncClient *client)
{
    client->state = VNC_AUTHENTICATION;
    if (getrandom(client->challenge, VNC_CHALLENGE, 0) != VNC_CHALLENGE) {
        memset(client->challenge, 0, VNC_CHALLENGE);
    }
    put(client, client->challenge, VNC_CHALLENGE);
}

static bool on_version(VncClient *client, const uint8_t *bytes, size_t len)
{
    bool password = client->host->password(client->host->opaque) != NULL;
    uint8_t type = password ? SECURITY_PASSWORD : SECURITY_NONE;
    unsigned minor = 0;

    for (unsigned i = 8; i < 11; i++) {
        if (bytes[i] < '0' || bytes[i] > '9') {
            return leave(client, "it is no VNC viewer");
        }
        minor = minor * 10 + bytes[i] - '0';
    }
    if (memcmp(bytes, "RFB 003.", 8) || bytes[11] != '\n') {
        return leave(client, "it is no VNC viewer");
    }
    client->minor = minor >= 8 ? 8 : minor == 7 ? 7 : 3;
    if (password && client->host->locked(client->host->opaque)) {
        refuse(client, "too many wrong passwords: try again in a few seconds");
        return leave(client, "there were too many wrong passwords");
    }
    if (client->minor != 3) {
        put8(client, 1);
        put8(client, type);
        client->state = VNC_SECURITY;
        return true;
    }
    put32(client, type);
    client->state = VNC_SHARED;
    if (password) {
        challenge(client);
    }
    return true;
}

static bool on_security(VncClient *client, const uint8_t *bytes, size_t len)
{
    bool password = client->host->password(client->host->opaque) != NULL;

    if (bytes[0] != (password ? SECURITY_PASSWORD : SECURITY_NONE)) {
        return leave(client, "it chose a kind of security that wasn't offered");
    }
    if (password) {
        challenge(client);
        return true;
    }
    if (client->minor >= 8) {
        put32(client, 0);
    }
    client->state = VNC_SHARED;
    return true;
}

/* The challenge under the password: DES, whose bits VNC counts from the other end. */
static void respond(const VncClient *client, const char *password, uint8_t ret[VNC_CHALLENGE])
{
    uint8_t key[DES_KEY_SIZE] = { 0 };
    struct des_ctx des;

    for (unsigned i = 0; i < DES_KEY_SIZE && password[i]; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            key[i] |= (uint8_t)(((uint8_t)password[i] >> bit & 1) << (7 - bit));
        }
    }
    des_set_key(&des, key); /* weak keys work, too */
    des_encrypt(&des, VNC_CHALLENGE, ret, client->challenge);
}

static bool on_response(VncClient *client, const uint8_t *bytes, size_t len)
{
    const VncHost *host = client->host;
    const char *password = host->password(host->opaque);
    uint8_t expected[VNC_CHALLENGE];

    if (password) {
        respond(client, password, expected);
    }
    bool right = !password || memeql_sec(expected, bytes, VNC_CHALLENGE);
    host->tried(host->opaque, right);
    put32(client, right ? 0 : 1);
    if (!right) {
        if (client->minor >= 8) {
            put_text(client, "wrong password");
        }
        return leave(client, "its password was wrong");
    }
    client->state = VNC_SHARED;
    return true;
}

static bool on_shared(VncClient *client, const uint8_t *bytes, size_t len)
{
    uint8_t format[VNC_FORMAT_SIZE];
    const DisplayImage *image = display_lock(client->host->display);

    client->width = image->width;
    client->height = image->height;
    display_unlock(client->host->display);
    client->view = display_view_new(client->host->display);
    vnc_format_write(&client->encoder.format, format);
    put16(client, client->width);
    put16(client, client->height);
    put(client, format, sizeof(format));
    put_text(client, client->host->name);
    client->state = VNC_RUNNING;
    return true;
}

/* --- messages --- */

static bool on_pixel_format(VncClient *client, const uint8_t *bytes, size_t len)
{
    return vnc_format_read(bytes + 4, &client->encoder.format) ||
           leave(client, "its pixel format can't be");
}

static bool on_encodings(VncClient *client, const uint8_t *bytes, size_t len)
{
    unsigned n = load_be16(bytes + 2);
    bool chosen = false;

    client->encoder.encoding = VNC_RAW;
    client->can_resize = client->can_resize_extended = false;
    client->can_extended_keys = client->can_relative = false;
    for (unsigned i = 0; i < n; i++) {
        int encoding = (int)load_be32(bytes + 4 + 4 * (size_t)i);
        if (!chosen && (encoding == VNC_RAW || encoding == VNC_ZLIB || encoding == VNC_ZRLE)) {
            client->encoder.encoding = encoding;
            chosen = encoding != VNC_RAW; /* which every viewer has, some of them first */
        }
        client->can_resize |= encoding == RESIZE;
        client->can_resize_extended |= encoding == EXTENDED_RESIZE;
        client->can_extended_keys |= encoding == EXTENDED_KEYS;
        client->can_relative |= encoding == RELATIVE_POINTER;
    }
    return true;
}

static bool on_request(VncClient *client, const uint8_t *bytes, size_t len)
{
    client->wants = true;
    client->wants_all |= bytes[1] == 0;
    return true;
}

/* So that a viewer that goes away leaves no key down. */
static void note_key(VncClient *client, unsigned code, bool down)
{
    uint8_t bit = (uint8_t)(1U << code % 8);

    if (down) {
        client->down[code / 8] |= bit;
    } else {
        client->down[code / 8] &= (uint8_t)~bit;
    }
}

static void press(VncClient *client, unsigned code, bool down)
{
    if (code && code < INPUT_KEYS) {
        note_key(client, code, down);
        input_key(client->host->input, code, down);
    }
}

static bool on_key(VncClient *client, const uint8_t *bytes, size_t len)
{
    press(client, keys_by_symbol(load_be32(bytes + 4)), bytes[1] != 0);
    return true;
}

static bool on_extended(VncClient *client, const uint8_t *bytes, size_t len)
{
    enum { KEY_EVENT = 0 };
    uint32_t set1 = load_be32(bytes + 8);
    unsigned code = set1 <= UINT8_MAX ? keys_by_set1(set1) : 0;

    if (bytes[1] != KEY_EVENT) {
        return leave(client, "it sent a message of QEMU's that isn't known here");
    }
    press(client, code ? code : keys_by_symbol(load_be32(bytes + 4)), load_be16(bytes + 2) != 0);
    return true;
}

static bool on_pointer(VncClient *client, const uint8_t *bytes, size_t len)
{
    unsigned mask = bytes[1], pressed = mask & ~client->buttons;
    unsigned buttons = (mask & 1 ? INPUT_LEFT : 0) | (mask & 2 ? INPUT_MIDDLE : 0) |
                       (mask & 4 ? INPUT_RIGHT : 0) | (mask & BACK ? INPUT_SIDE : 0);
    int wheel = (pressed & WHEEL_UP ? 1 : 0) - (pressed & WHEEL_DOWN ? 1 : 0);
    int x = load_be16(bytes + 2), y = load_be16(bytes + 4);
    const InputPosition at = { x, y, client->width, client->height };

    client->buttons = mask;
    if (client->can_relative && client->told_keys && !client->is_absolute) {
        enum { STILL = 0x7fff };
        input_pointer_by(client->host->input, x - STILL, y - STILL, buttons, wheel);
    } else {
        input_pointer_at(client->host->input, &at, buttons, wheel);
    }
    return true;
}

static bool on_text(VncClient *client, const uint8_t *bytes, size_t len)
{
    client->host->copied(client->host->opaque, client, bytes + 8, len - 8);
    return true;
}

static bool on_resize(VncClient *client, const uint8_t *bytes, size_t len)
{
    bool taken =
        display_want_size(client->host->display, load_be16(bytes + 2), load_be16(bytes + 4));

    client->resize_answer = 1 + (taken ? RESIZE_FORWARDED : RESIZE_REFUSED);
    return true;
}

/* Lengths of what has no fixed one; 0: it is too long. */
static size_t encodings_length(const uint8_t *bytes)
{
    unsigned n = load_be16(bytes + 2);

    return n > VNC_MAX_ENCODINGS ? 0 : 4 + 4 * (size_t)n;
}

static size_t text_length(const uint8_t *bytes)
{
    uint32_t len = load_be32(bytes + 4);

    return len > VNC_MAX_TEXT ? 0 : 8 + (size_t)len;
}

static size_t resize_length(const uint8_t *bytes)
{
    return 8 + 16 * (size_t)bytes[6];
}

typedef struct Message {
    uint8_t type;
    size_t size;                            /* that it has at least */
    size_t (*length)(const uint8_t *bytes); /* of all; NULL: .size */
    bool (*handle)(VncClient *client, const uint8_t *bytes, size_t len);
} Message;

static const Message messages[] = {
    { 0, 20, NULL, on_pixel_format },     { 2, 4, encodings_length, on_encodings },
    { 3, 10, NULL, on_request },          { 4, 8, NULL, on_key },
    { 5, 6, NULL, on_pointer },           { 6, 8, text_length, on_text },
    { 251, 8, resize_length, on_resize }, { 255, 12, NULL, on_extended },
};

static const Message handshake[] = {
    [VNC_VERSION] = { .size = 12, .handle = on_version },
    [VNC_SECURITY] = { .size = 1, .handle = on_security },
    [VNC_AUTHENTICATION] = { .size = VNC_CHALLENGE, .handle = on_response },
    [VNC_SHARED] = { .size = 1, .handle = on_shared },
};

/* What begins with byte @type now; NULL: nothing. */
static const Message *find_message(const VncClient *client, uint8_t type)
{
    if (client->state < VNC_RUNNING) {
        return &handshake[client->state];
    }
    for (size_t i = 0; i < G_N_ELEMENTS(messages); i++) {
        if (messages[i].type == type) {
            return &messages[i];
        }
    }
    return NULL;
}

/* The next message, if all of it is there: its length in *@ret_used, else 0. */
static bool take_message(VncClient *client, size_t at, size_t *ret_used)
{
    const uint8_t *bytes = client->in->data + at;
    size_t have = client->in->len - at;
    const Message *message = find_message(client, bytes[0]);

    *ret_used = 0;
    if (!message) {
        return leave(client, "it sent a message that isn't known here");
    }
    if (have < message->size) {
        return true;
    }
    size_t len = message->length ? message->length(bytes) : message->size;
    if (!len) {
        return leave(client, "it sent more than is taken");
    }
    if (have < len) {
        return true;
    }
    *ret_used = len;
    return message->handle(client, bytes, len);
}

bool vnc_client_receive(VncClient *client, const uint8_t *bytes, size_t len)
{
    size_t at = 0, used = 1;
    bool good = true;

    g_byte_array_append(client->in, bytes, (guint)len);
    while (good && used && at < client->in->len) {
        good = take_message(client, at, &used);
        at += used;
    }
    g_byte_array_remove_range(client->in, 0, (guint)at);
    return good;
}

/* --- pictures --- */

bool vnc_client_is_due(const VncClient *client)
{
    return client->state == VNC_RUNNING && client->wants && client->out->len == 0;
}

typedef struct Frame {
    unsigned n; /* of rectangles */
    DisplayRect rects[VNC_MAX_RECTS];
    uint32_t *pixels; /* of all of them; newly allocated */
    unsigned width, height;
} Frame;

static void cut(DisplayRect *rect, unsigned width, unsigned height)
{
    rect->width = rect->x < width ? MIN(rect->width, width - rect->x) : 0;
    rect->height = rect->y < height ? MIN(rect->height, height - rect->y) : 0;
}

static void copy_rect(const DisplayImage *image, const DisplayRect *rect, uint32_t *to)
{
    for (unsigned y = 0; y < rect->height; y++) {
        memcpy(to + (size_t)y * rect->width,
               image->pixels + (size_t)(rect->y + y) * image->width + rect->x,
               (size_t)rect->width * sizeof(*to));
    }
}

/* What has changed; pixels NULL with rectangles: no memory. */
static void take_frame(VncClient *client, Frame *frame)
{
    const DisplayImage *image = display_lock(client->host->display);
    bool resizes = client->can_resize || client->can_resize_extended;
    size_t total = 0;

    frame->width = resizes ? image->width : client->width;
    frame->height = resizes ? image->height : client->height;
    frame->n = display_view_damage(client->view, frame->rects, VNC_MAX_RECTS);
    if (client->wants_all || frame->width != client->width || frame->height != client->height) {
        frame->n = 1;
        frame->rects[0] = (DisplayRect){ 0, 0, image->width, image->height };
    }
    for (unsigned i = 0; i < frame->n; i++) {
        cut(&frame->rects[i], frame->width, frame->height);
        total += (size_t)frame->rects[i].width * frame->rects[i].height;
    }
    frame->pixels = frame->n ? g_try_malloc(total * sizeof(*frame->pixels) + 1) : NULL;
    uint32_t *to = frame->pixels;
    for (unsigned i = 0; i < frame->n && to; i++) {
        copy_rect(image, &frame->rects[i], to);
        to += (size_t)frame->rects[i].width * frame->rects[i].height;
    }
    display_unlock(client->host->display);
}

static void put_rect(VncClient *client, const DisplayRect *rect, int encoding)
{
    put16(client, rect->x);
    put16(client, rect->y);
    put16(client, rect->width);
    put16(client, rect->height);
    put32(client, (uint32_t)encoding);
}

static void put_extended_resize(VncClient *client, const Frame *frame, unsigned by, unsigned status)
{
    const DisplayRect rect = { by, status, frame->width, frame->height };

    put_rect(client, &rect, EXTENDED_RESIZE);
    put32(client, 1U << 24); /* one screen: number 0, all of the picture */
    put32(client, 0);
    put32(client, 0);
    put16(client, frame->width);
    put16(client, frame->height);
    put32(client, 0);
}

/* What a viewer is told besides pixels; returns the number of rectangles. */
static unsigned put_news(VncClient *client, const Frame *frame)
{
    const DisplayRect size = { 0, 0, frame->width, frame->height };
    bool resized = frame->width != client->width || frame->height != client->height;
    bool absolute = input_is_absolute(client->host->input);
    unsigned n = 0;

    if (client->can_resize_extended && client->resize_answer) {
        put_extended_resize(client, frame, BY_CLIENT, client->resize_answer - 1U);
        n++;
    }
    client->resize_answer = 0;
    if (client->can_resize_extended && (resized || !client->told_resize)) {
        put_extended_resize(client, frame, BY_SERVER, 0);
        client->told_resize = true;
        n++;
    } else if (resized) {
        put_rect(client, &size, RESIZE);
        n++;
    }
    if (client->can_extended_keys && !client->told_keys) {
        put_rect(client, &size, EXTENDED_KEYS);
        n++;
    }
    if (client->can_relative && (!client->told_keys || absolute != client->is_absolute)) {
        put_rect(client, &(DisplayRect){ absolute, 0, 0, 0 }, RELATIVE_POINTER);
        client->is_absolute = absolute;
        n++;
    }
    client->told_keys = true;
    client->width = frame->width;
    client->height = frame->height;
    return n;
}

static bool put_frame(VncClient *client, const Frame *frame)
{
    const uint32_t *pixels = frame->pixels;
    bool good = true;

    for (unsigned i = 0; i < frame->n && good; i++) {
        const DisplayRect *rect = &frame->rects[i];
        put_rect(client, rect, client->encoder.encoding);
        good = vnc_encode(&client->encoder, pixels, rect->width, rect->height, client->out);
        pixels += (size_t)rect->width * rect->height;
    }
    return good;
}

bool vnc_client_update(VncClient *client, bool *ret_sent)
{
    Frame frame = { 0 };

    *ret_sent = false;
    if (!vnc_client_is_due(client)) {
        return true;
    }
    take_frame(client, &frame);
    if (frame.n && !frame.pixels) {
        return leave(client, "there is no memory for its picture");
    }
    put16(client, 0); /* FramebufferUpdate */
    put16(client, 0); /* how many: below */
    unsigned news = put_news(client, &frame);
    bool good = put_frame(client, &frame);
    g_free(frame.pixels);
    store_be16(client->out->data + 2, (uint16_t)(news + frame.n));
    if (news + frame.n) {
        client->wants = client->wants_all = false;
        *ret_sent = true;
    } else {
        g_byte_array_set_size(client->out, 0);
    }
    return good || leave(client, "there is no memory for its picture");
}

void vnc_client_paste(VncClient *client, const uint8_t *text, size_t len)
{
    if (client->state == VNC_RUNNING && client->out->len + len < VNC_MAX_BACKLOG) {
        put32(client, (uint32_t)SERVER_CUT_TEXT << 24);
        put32(client, (uint32_t)len);
        put(client, text, len);
    }
}

/* --- life --- */

VncClient *vnc_client_new(const VncHost *host)
{
    VncClient *client = g_new0(VncClient, 1);

    client->host = host;
    client->in = g_byte_array_new();
    client->out = g_byte_array_new();
    vnc_encoder_init(&client->encoder);
    put(client, "RFB 003.008\n", 12);
    return client;
}

void vnc_client_free(VncClient *client)
{
    if (!client) {
        return;
    }
    for (unsigned code = 0; code < INPUT_KEYS; code++) {
        if (client->down[code / 8] >> code % 8 & 1) {
            input_key(client->host->input, code, false);
        }
    }
    if (client->buttons) {
        input_pointer_by(client->host->input, 0, 0, 0, 0);
    }
    display_view_free(client->view);
    vnc_encoder_clear(&client->encoder);
    g_byte_array_unref(client->in);
    g_byte_array_unref(client->out);
    g_free(client);
}
