/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of a VGA, for vga.c, vga_ports.c, vga_memory.c and vga_draw.c only.
 *
 * Memory is four planes of 64 KiB.  Byte n of plane p is byte 4 * n + p of .vram, so that the four
 * that belong together stand side by side; the modes of the Bochs interface see .vram as it is.
 *
 * What the guest wrote into registers is kept as it is (cut to the bits that exist) and judged when
 * it is used: nothing there can be trusted.
 *
 * Threads: all under the device's lock.
 */
#pragma once

#include "display/display.h"
#include "machine/device/vga.h"

enum { VGA_MEMORY_SIZE = 16 << 20, VGA_PLANES_SIZE = 256 << 10 };
enum { VGA_FIRST_PORT = 0x3b0, VGA_PORTS = 0x30 };

/* Attribute, sequencer, CRT and graphics controller: numbers of registers kept. */
enum { VGA_ATTR = 32, VGA_SEQ = 8, VGA_CRTC = 32, VGA_GFX = 16, VGA_DAC = 768 };

/* Registers of the Bochs interface. */
enum {
    DISPI_ID,
    DISPI_WIDTH,
    DISPI_HEIGHT,
    DISPI_DEPTH,
    DISPI_ENABLE,
    DISPI_BANK,
    DISPI_PITCH, /* in pixels */
    DISPI_PITCH_HEIGHT,
    DISPI_X,
    DISPI_Y,
    DISPI_MEMORY, /* in units of 64 KiB */
    DISPI_REGISTERS,
};
enum { DISPI_ON = 1, DISPI_CAPS = 2, DISPI_DAC8 = 0x20, DISPI_LINEAR = 0x40, DISPI_KEEP = 0x80 };

struct Vga {
    PciDevice pci;
    /* fixed after create */
    Display *display;
    uint8_t *vram; /* VGA_MEMORY_SIZE bytes */
    uint8_t edid[128];
    /* lock: pci.device.lock */
    uint8_t misc, feature;
    uint8_t attr_index, attr[VGA_ATTR];
    bool attr_data; /* the next write to 3C0h is a value */
    uint8_t seq_index, seq[VGA_SEQ];
    uint8_t crtc_index, crtc[VGA_CRTC];
    uint8_t gfx_index, gfx[VGA_GFX];
    uint8_t dac[VGA_DAC], dac_mask;
    uint8_t dac_state; /* what 3C7h reads: 3 reading, 0 writing */
    uint8_t dac_read, dac_write, dac_part;
    uint8_t dac_latch[3]; /* of the entry that is being written */
    uint8_t latch[4];
    uint16_t dispi_index, dispi[DISPI_REGISTERS];
};

static inline bool vga_dispi_on(const Vga *vga)
{
    return vga->dispi[DISPI_ENABLE] & DISPI_ON;
}

/* What the Bochs interface shows, checked: all of it lies inside .vram. */
typedef struct VgaMode {
    unsigned width, height, depth; /* depth 15 as such */
    unsigned pitch;                /* in bytes; of depth 4 for all planes */
    uint64_t start;
} VgaMode;

/* False: it is off, or shows nothing that can be. */
bool vga_mode(const Vga *vga, VgaMode *ret);

/* vga_ports.c: @port is from VGA_FIRST_PORT on. */
uint8_t vga_port_read(Vga *vga, unsigned port);
void vga_port_write(Vga *vga, unsigned port, uint8_t value);

/* vga_memory.c: A0000h to BFFFFh. */
extern const IoOps vga_memory_ops;
/* Bytes of .vram were changed by the device: translated code of them is stale. */
void vga_memory_written(const Vga *vga, uint64_t offset, uint64_t len);

/* vga_draw.c: for the display, without the lock. */
void vga_refresh(void *opaque, Display *display);
