/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VGA's registers at its ports.
 *
 * Threads: vCPU threads, under the lock.
 */
#include "machine/device/vga_state.h"

enum {
    ATTR = 0x3c0,
    ATTR_READ = 0x3c1,
    MISC = 0x3c2,
    SEQ = 0x3c4,
    SEQ_DATA = 0x3c5,
    DAC_MASK = 0x3c6,
    DAC_READ = 0x3c7,
    DAC_WRITE = 0x3c8,
    DAC_DATA = 0x3c9,
    FEATURE_READ = 0x3ca,
    MISC_READ = 0x3cc,
    GFX = 0x3ce,
    GFX_DATA = 0x3cf,
    CRTC = 0x3d4,
    CRTC_DATA = 0x3d5,
    STATUS = 0x3da,
    MONOCHROME = 0x20, /* below the others, for these three */
};
enum { MISC_COLOUR = 1, STATUS_BLANK = 1, STATUS_RETRACE = 8, CRTC_LOCK = 0x80 };
enum { CRTC_VERTICAL_END = 0x11, CRTC_OVERFLOW = 7, OVERFLOW_COMPARE = 0x10 };

/* 60 pictures a second of 525 lines each, as a monitor of 640 by 480 has them. */
enum { FRAME_NS = 16683350, LINE_NS = 31778, SHOWN_LINES = 480, RETRACE_LINE = 490 };
enum { RETRACE_LINES = 2, SHOWN_NS = 25422 };

/* Bits that exist. */
static const uint8_t seq_bits[VGA_SEQ] = { 0x03, 0x3d, 0x0f, 0x3f, 0x0e };
static const uint8_t gfx_bits[VGA_GFX] = { 0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff };
static const uint8_t attr_bits[VGA_ATTR] = {
    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f,
};

/* Where the beam would be now: programs wait for retrace, so time must do. */
static uint8_t read_status(Vga *vga)
{
    uint64_t at_ns = clock_now_ns(vga->pci.device.env.clock) % FRAME_NS;
    uint64_t line = at_ns / LINE_NS;
    bool retrace = line >= RETRACE_LINE && line < RETRACE_LINE + RETRACE_LINES;
    bool blank = line >= SHOWN_LINES || at_ns % LINE_NS >= SHOWN_NS;

    vga->attr_data = false;
    return (uint8_t)((blank ? STATUS_BLANK : 0) | (retrace ? STATUS_RETRACE : 0));
}

static uint8_t read_dac(Vga *vga)
{
    uint8_t value = vga->dac[vga->dac_read * 3 + vga->dac_part];

    vga->dac_part = (uint8_t)((vga->dac_part + 1) % 3);
    if (vga->dac_part == 0) {
        vga->dac_read++;
    }
    return value;
}

/* An entry changes when its third part is written. */
static void write_dac(Vga *vga, uint8_t value)
{
    vga->dac_latch[vga->dac_part] = value;
    vga->dac_part = (uint8_t)((vga->dac_part + 1) % 3);
    if (vga->dac_part == 0) {
        for (unsigned i = 0; i < 3; i++) {
            vga->dac[vga->dac_write * 3 + i] = vga->dac_latch[i];
        }
        vga->dac_write++;
    }
}

/* The colour's port for CRT controller and status, whichever of both is selected; else 0. */
static unsigned canonical(const Vga *vga, unsigned port)
{
    bool colour = vga->misc & MISC_COLOUR;

    switch (port) {
    case CRTC:
    case CRTC_DATA:
    case STATUS:
        return colour ? port : 0;
    case CRTC - MONOCHROME:
    case CRTC_DATA - MONOCHROME:
    case STATUS - MONOCHROME:
        return colour ? 0 : port + MONOCHROME;
    default:
        return port;
    }
}

uint8_t vga_port_read(Vga *vga, unsigned port)
{
    switch (canonical(vga, port)) {
    case ATTR:
        return vga->attr_index;
    case ATTR_READ:
        return vga->attr[vga->attr_index % VGA_ATTR];
    case MISC:
        return 0x10; /* a colour monitor is there */
    case SEQ:
        return vga->seq_index;
    case SEQ_DATA:
        return vga->seq[vga->seq_index % VGA_SEQ];
    case DAC_MASK:
        return vga->dac_mask;
    case DAC_READ:
        return vga->dac_state;
    case DAC_WRITE:
        return vga->dac_write;
    case DAC_DATA:
        return read_dac(vga);
    case FEATURE_READ:
        return vga->feature;
    case MISC_READ:
        return vga->misc;
    case GFX:
        return vga->gfx_index;
    case GFX_DATA:
        return vga->gfx[vga->gfx_index % VGA_GFX];
    case CRTC:
        return vga->crtc_index;
    case CRTC_DATA:
        return vga->crtc[vga->crtc_index % VGA_CRTC];
    case STATUS:
        return read_status(vga);
    default:
        return 0xff;
    }
}

static void write_attr(Vga *vga, uint8_t value)
{
    unsigned index = vga->attr_index % VGA_ATTR;

    if (vga->attr_data) {
        vga->attr[index] = value & attr_bits[index];
    } else {
        vga->attr_index = value & 0x3f;
    }
    vga->attr_data = !vga->attr_data;
}

static void write_crtc(Vga *vga, uint8_t value)
{
    unsigned index = vga->crtc_index % VGA_CRTC;

    if ((vga->crtc[CRTC_VERTICAL_END] & CRTC_LOCK) && index <= CRTC_OVERFLOW) {
        if (index == CRTC_OVERFLOW) { /* only this bit isn't locked */
            vga->crtc[index] &= (uint8_t)~OVERFLOW_COMPARE;
            vga->crtc[index] |= value & OVERFLOW_COMPARE;
        }
        return;
    }
    vga->crtc[index] = value;
}

/* Where a DAC access begins. */
static void seek_dac(Vga *vga, bool reading, uint8_t index)
{
    vga->dac_state = reading ? 3 : 0;
    vga->dac_part = 0;
    if (reading) {
        vga->dac_read = index;
    } else {
        vga->dac_write = index;
    }
}

void vga_port_write(Vga *vga, unsigned port, uint8_t value)
{
    switch (canonical(vga, port)) {
    case ATTR:
        write_attr(vga, value);
        break;
    case MISC:
        vga->misc = value & 0xef;
        break;
    case SEQ:
        vga->seq_index = value % VGA_SEQ;
        break;
    case SEQ_DATA:
        vga->seq[vga->seq_index % VGA_SEQ] = value & seq_bits[vga->seq_index % VGA_SEQ];
        break;
    case DAC_MASK:
        vga->dac_mask = value;
        break;
    case DAC_READ:
        seek_dac(vga, true, value);
        break;
    case DAC_WRITE:
        seek_dac(vga, false, value);
        break;
    case DAC_DATA:
        write_dac(vga, value);
        break;
    case GFX:
        vga->gfx_index = value % VGA_GFX;
        break;
    case GFX_DATA:
        vga->gfx[vga->gfx_index % VGA_GFX] = value & gfx_bits[vga->gfx_index % VGA_GFX];
        break;
    case CRTC:
        vga->crtc_index = value;
        break;
    case CRTC_DATA:
        write_crtc(vga, value);
        break;
    case STATUS:
        vga->feature = value & 0x10;
        break;
    default:
        break;
    }
}
