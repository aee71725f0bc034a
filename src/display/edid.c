/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A monitor's EDID, see edid.h: one detailed timing, which is the size that it would like, a name,
 * and the sizes that every monitor has had.
 */
#include "display/edid.h"

#include <glib.h>
#include <string.h>

#include "common/bits.h"

enum { DETAILED = 54, DESCRIPTOR = 18, CHECKSUM = 127, LARGEST = 4095, DPI = 96 };
/* A blank border of this size is enough for any driver that checks. */
enum { BLANK_X = 160, BLANK_Y = 35, FRONT_X = 48, SYNC_X = 32, FRONT_Y = 3, SYNC_Y = 6 };

static const uint8_t header[] = {
    0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, /* fixed */
    0x25, 0xd3,                                     /* "INS" */
    0x01, 0x00, 0x00, 0x00, 0x00, 0x00,             /* product 1, without serial number */
    0x00, 34,   1,    4,                            /* of 2024; EDID 1.4 */
    0xa5,                                           /* digital, 8 bits per colour */
};
/* Gamma 2.2; preferred timing is native, sRGB; sRGB's primaries; 640 by 480, 800 by 600 and
 * 1024 by 768. */
static const uint8_t features[] = { 120,  0x06, 0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99,
                                    0x26, 0x0f, 0x50, 0x54, 0x21, 0x08, 0x00 };

/* Two numbers of 12 bits: their low bytes at @low, the rest shared at @high. */
static void put_pair(uint8_t *at, unsigned first, unsigned second)
{
    at[0] = (uint8_t)first;
    at[1] = (uint8_t)second;
    at[2] = (uint8_t)((first >> 8 & 0xf) << 4 | (second >> 8 & 0xf));
}

static void put_timing(uint8_t *at, unsigned width, unsigned height)
{
    unsigned mm_x = width * 254 / (10 * DPI), mm_y = height * 254 / (10 * DPI);
    uint64_t clock = (uint64_t)(width + BLANK_X) * (height + BLANK_Y) * 60 / 10000;

    store_le16(at, (uint16_t)MIN(clock, UINT16_MAX)); /* in 10 kHz */
    put_pair(at + 2, width, BLANK_X);
    put_pair(at + 5, height, BLANK_Y);
    at[8] = FRONT_X;
    at[9] = SYNC_X;
    at[10] = FRONT_Y << 4 | SYNC_Y;
    put_pair(at + 12, MIN(mm_x, LARGEST), MIN(mm_y, LARGEST));
    at[17] = 0x18; /* not interlaced, separate syncs */
}

static void put_text(uint8_t *at, uint8_t tag, const char *text)
{
    size_t len = strlen(text);

    at[3] = tag;
    memset(at + 5, ' ', DESCRIPTOR - 5);
    memcpy(at + 5, text, len);
    at[5 + len] = '\n';
}

void edid_fill(uint8_t edid[EDID_SIZE], unsigned width, unsigned height)
{
    static const uint8_t limits[] = { 0, 0, 0, 0xfd, 0, 50, 125, 30, 160, 60, 0, 10 };
    uint8_t sum = 0;

    width = CLAMP(width, 1, LARGEST);
    height = CLAMP(height, 1, LARGEST);
    memset(edid, 0, EDID_SIZE);
    memcpy(edid, header, sizeof(header));
    edid[21] = (uint8_t)MIN(width * 254 / (100 * DPI), UINT8_MAX); /* in cm */
    edid[22] = (uint8_t)MIN(height * 254 / (100 * DPI), UINT8_MAX);
    memcpy(edid + 23, features, sizeof(features));
    memset(edid + 38, 1, 16); /* no standard timings */
    put_timing(edid + DETAILED, width, height);
    memcpy(edid + DETAILED + DESCRIPTOR, limits, sizeof(limits));
    memset(edid + DETAILED + DESCRIPTOR + sizeof(limits), ' ', DESCRIPTOR - sizeof(limits));
    put_text(edid + DETAILED + 2 * DESCRIPTOR, 0xfc, "Insula");
    edid[DETAILED + 3 * DESCRIPTOR + 3] = 0x10; /* a descriptor that says nothing */
    for (unsigned i = 0; i < CHECKSUM; i++) {
        sum += edid[i];
    }
    edid[CHECKSUM] = (uint8_t)-sum;
}
