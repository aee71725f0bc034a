/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pixel formats and encodings, see vnc_encode.h.
 *
 * ZRLE tiles are sent as one colour, as up to 16 colours with indices, or as they are; runs are
 * left to deflate, which finds them as well.
 */
#include "display/vnc_encode.h"

#include <string.h>

#include "common/bits.h"

enum { TILE = 64, PALETTE = 16, LEVEL = 2, CHUNK = 65536, STREAM_ZLIB = 0, STREAM_ZRLE = 1 };
enum { TILE_RAW = 0, TILE_SOLID = 1 };

/* --- pixel formats --- */

VncFormat vnc_format_own(void)
{
    return (VncFormat){ 32, 24, false, { 255, 255, 255 }, { 16, 8, 0 } };
}

void vnc_format_write(const VncFormat *format, uint8_t bytes[VNC_FORMAT_SIZE])
{
    memset(bytes, 0, VNC_FORMAT_SIZE);
    bytes[0] = format->bits;
    bytes[1] = format->depth;
    bytes[2] = format->big_endian;
    bytes[3] = 1;
    for (unsigned i = 0; i < 3; i++) {
        store_be16(bytes + 4 + 2 * i, format->most[i]);
        bytes[10 + i] = format->shift[i];
    }
}

bool vnc_format_read(const uint8_t bytes[VNC_FORMAT_SIZE], VncFormat *ret)
{
    *ret = (VncFormat){ .bits = bytes[0], .depth = bytes[1], .big_endian = bytes[2] != 0 };
    if ((ret->bits != 8 && ret->bits != 16 && ret->bits != 32) || !bytes[3]) {
        return false;
    }
    for (unsigned i = 0; i < 3; i++) {
        ret->most[i] = load_be16(bytes + 4 + 2 * i);
        ret->shift[i] = bytes[10 + i];
        if (!ret->most[i] || ret->shift[i] >= ret->bits ||
            (uint64_t)ret->most[i] << ret->shift[i] > bits_mask(ret->bits)) {
            return false;
        }
    }
    return true;
}

static uint32_t convert(const VncFormat *format, uint32_t pixel)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < 3; i++) {
        uint32_t level = pixel >> (16 - 8 * i) & 0xff;
        value |= (level * format->most[i] + 127) / 255 << format->shift[i];
    }
    return value;
}

/* Bytes @first to @first + @n of a pixel of @bits, in the viewer's order. */
static void put_pixel(const VncFormat *format, uint32_t pixel, unsigned n, bool high, uint8_t *to)
{
    uint32_t value = convert(format, pixel) >> (high ? 8 : 0);

    for (unsigned i = 0; i < n; i++) {
        unsigned byte = format->big_endian ? n - 1 - i : i;
        to[i] = (uint8_t)(value >> (8 * byte));
    }
}

static bool is_own(const VncFormat *format)
{
    static const uint8_t shifts[] = { 16, 8, 0 };

    return format->bits == 32 && !format->big_endian && format->most[0] == 255 &&
           format->most[1] == 255 && format->most[2] == 255 &&
           !memcmp(format->shift, shifts, sizeof(shifts));
}

/* How pixels are written in a rectangle: whole, or without the byte that says nothing. */
typedef struct Writer {
    const VncFormat *format;
    unsigned bytes;
    bool high;  /* the three upper bytes of four */
    bool plain; /* as they are in memory, or their lower three bytes */
} Writer;

static Writer writer_of(const VncFormat *format, bool compact)
{
    Writer writer = { .format = format, .bytes = format->bits / 8, .plain = is_own(format) };
    uint32_t used = 0;

    for (unsigned i = 0; i < 3; i++) {
        used |= (uint32_t)format->most[i] << format->shift[i];
    }
    if (compact && format->bits == 32 && format->depth <= 24 &&
        (!(used & 0xff000000) || !(used & 0xff))) {
        writer.bytes = 3;
        writer.high = used & 0xff000000;
    }
    return writer;
}

static void write_pixels(const Writer *writer, const uint32_t *pixels, size_t n, GByteArray *out)
{
    guint at = out->len;

    g_byte_array_set_size(out, (guint)(at + n * writer->bytes));
    uint8_t *to = out->data + at;
    if (writer->plain && writer->bytes == 4) {
        memcpy(to, pixels, n * 4);
        return;
    }
    for (size_t i = 0; i < n; i++, to += writer->bytes) {
        if (writer->plain) {
            memcpy(to, &pixels[i], 3);
        } else {
            put_pixel(writer->format, pixels[i], writer->bytes, writer->high, to);
        }
    }
}

/* --- deflate --- */

/* Append @from, packed, behind its length. */
static bool pack(VncEncoder *encoder, unsigned which, const GByteArray *from, GByteArray *out)
{
    z_stream *stream = &encoder->streams[which];
    guint length_at = out->len;

    if (!encoder->begun[which]) {
        *stream = (z_stream){ 0 };
        encoder->begun[which] = deflateInit(stream, LEVEL) == Z_OK;
    }
    if (!encoder->begun[which]) {
        return false;
    }
    g_byte_array_set_size(out, length_at + 4);
    stream->next_in = from->data;
    stream->avail_in = from->len;
    do {
        guint at = out->len;
        g_byte_array_set_size(out, at + CHUNK);
        stream->next_out = out->data + at;
        stream->avail_out = CHUNK;
        if (deflate(stream, Z_SYNC_FLUSH) == Z_STREAM_ERROR) {
            return false;
        }
        g_byte_array_set_size(out, at + CHUNK - stream->avail_out);
    } while (stream->avail_out == 0);
    store_be32(out->data + length_at, out->len - length_at - 4);
    return true;
}

/* --- ZRLE --- */

typedef struct Palette {
    uint32_t colours[PALETTE];
    unsigned n; /* PALETTE + 1: there are more */
} Palette;

static unsigned index_of(const Palette *palette, uint32_t colour)
{
    unsigned i = 0;

    while (i < palette->n && palette->colours[i] != colour) {
        i++;
    }
    return i;
}

static void find_colours(const uint32_t *pixels, size_t n, Palette *palette)
{
    palette->n = 0;
    for (size_t i = 0; i < n && palette->n <= PALETTE; i++) {
        if ((i && pixels[i] == pixels[i - 1]) || index_of(palette, pixels[i]) < palette->n) {
            continue;
        }
        if (palette->n < PALETTE) {
            palette->colours[palette->n] = pixels[i];
        }
        palette->n++;
    }
}

static void put_byte(GByteArray *out, unsigned value)
{
    uint8_t byte = (uint8_t)value;

    g_byte_array_append(out, &byte, 1);
}

/* Indices, each row beginning with a byte of its own. */
static void put_indices(const Palette *palette, const uint32_t *pixels, unsigned width,
                        unsigned height, GByteArray *out)
{
    unsigned bits = palette->n <= 2 ? 1 : palette->n <= 4 ? 2 : 4;

    for (unsigned y = 0; y < height; y++) {
        unsigned byte = 0, filled = 0;
        for (unsigned x = 0; x < width; x++) {
            byte = byte << bits | index_of(palette, pixels[y * width + x]);
            filled += bits;
            if (filled == 8) {
                put_byte(out, byte);
                byte = filled = 0;
            }
        }
        if (filled) {
            put_byte(out, byte << (8 - filled));
        }
    }
}

static void put_tile(const Writer *writer, const uint32_t *pixels, unsigned width, unsigned height,
                     GByteArray *out)
{
    Palette palette;
    size_t n = (size_t)width * height;

    find_colours(pixels, n, &palette);
    if (palette.n == 1) {
        put_byte(out, TILE_SOLID);
        write_pixels(writer, pixels, 1, out);
    } else if (palette.n <= PALETTE) {
        put_byte(out, palette.n);
        write_pixels(writer, palette.colours, palette.n, out);
        put_indices(&palette, pixels, width, height, out);
    } else {
        put_byte(out, TILE_RAW);
        write_pixels(writer, pixels, n, out);
    }
}

static void put_tiles(const Writer *writer, const uint32_t *pixels, unsigned width, unsigned height,
                      GByteArray *out)
{
    uint32_t tile[TILE * TILE];

    for (unsigned y = 0; y < height; y += TILE) {
        for (unsigned x = 0; x < width; x += TILE) {
            unsigned w = MIN(TILE, width - x), h = MIN(TILE, height - y);
            for (unsigned row = 0; row < h; row++) {
                memcpy(tile + (size_t)row * w, pixels + (size_t)(y + row) * width + x, w * 4);
            }
            put_tile(writer, tile, w, h, out);
        }
    }
}

/* --- all of them --- */

void vnc_encoder_init(VncEncoder *encoder)
{
    *encoder = (VncEncoder){ .format = vnc_format_own(), .scratch = g_byte_array_new() };
}

void vnc_encoder_clear(VncEncoder *encoder)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(encoder->streams); i++) {
        if (encoder->begun[i]) {
            deflateEnd(&encoder->streams[i]);
        }
    }
    g_byte_array_unref(encoder->scratch);
}

bool vnc_encode(VncEncoder *encoder, const uint32_t *pixels, unsigned width, unsigned height,
                GByteArray *out)
{
    bool zrle = encoder->encoding == VNC_ZRLE;
    Writer writer = writer_of(&encoder->format, zrle);
    size_t n = (size_t)width * height;

    if (encoder->encoding == VNC_RAW) {
        write_pixels(&writer, pixels, n, out);
        return true;
    }
    g_byte_array_set_size(encoder->scratch, 0);
    if (zrle) {
        put_tiles(&writer, pixels, width, height, encoder->scratch);
    } else {
        write_pixels(&writer, pixels, n, encoder->scratch);
    }
    return pack(encoder, zrle ? STREAM_ZRLE : STREAM_ZLIB, encoder->scratch, out);
}
