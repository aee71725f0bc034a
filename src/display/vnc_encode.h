/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pixels as a VNC viewer wants them: its pixel format, and the encodings raw, zlib and ZRLE (RFC
 * 6143, 7.7).
 *
 * Threads: the server's.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <zlib.h>

enum { VNC_FORMAT_SIZE = 16 };
enum { VNC_RAW = 0, VNC_ZLIB = 6, VNC_ZRLE = 16 };

typedef struct VncFormat {
    uint8_t bits;  /* 8, 16 or 32 */
    uint8_t depth; /* as the viewer has it */
    bool big_endian;
    uint16_t most[3]; /* red, green, blue */
    uint8_t shift[3];
} VncFormat;

/* 32 bits, 00RRGGBB. */
VncFormat vnc_format_own(void);
void vnc_format_write(const VncFormat *format, uint8_t bytes[VNC_FORMAT_SIZE]);
/* False: it has no true colours, or can't be. */
bool vnc_format_read(const uint8_t bytes[VNC_FORMAT_SIZE], VncFormat *ret);

typedef struct VncEncoder {
    VncFormat format;
    int encoding; /* one of VNC_... */
    z_stream streams[2];
    bool begun[2]; /* of .streams: they live as long as the connection */
    GByteArray *scratch;
} VncEncoder;

void vnc_encoder_init(VncEncoder *encoder);
void vnc_encoder_clear(VncEncoder *encoder);
/* Append @width * @height pixels, rows without gaps, to @out; false: no memory. */
bool vnc_encode(VncEncoder *encoder, const uint32_t *pixels, unsigned width, unsigned height,
                GByteArray *out);
