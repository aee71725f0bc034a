/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VGA's memory as the guest sees it from A0000h to BFFFFh: chained (four planes, or two, side by
 * side) or planar, with latches and write modes.
 *
 * Threads: vCPU threads, under the lock.
 */
#include <string.h>

#include "machine/device/vga_state.h"

enum { MISC_RAM = 2, SEQ_PLANES = 2, SEQ_MEMORY = 4, SEQ_CHAIN4 = 8 };
enum {
    GFX_SET = 0,
    GFX_ENABLE_SET = 1,
    GFX_COMPARE = 2,
    GFX_ROTATE = 3,
    GFX_READ_PLANE = 4,
    GFX_MODE = 5,
    GFX_MISC = 6,
    GFX_DONT_CARE = 7,
    GFX_MASK = 8,
    MODE_READ_COMPARE = 8,
    MODE_ODD_EVEN = 0x10,
};

/* Parts of the window, by two bits of the graphics controller. */
static const struct {
    uint32_t start, size;
} parts[4] = { { 0, 0x20000 }, { 0, 0x10000 }, { 0x10000, 0x8000 }, { 0x18000, 0x8000 } };

void vga_memory_written(const Vga *vga, uint64_t offset, uint64_t len)
{
    const PciDevice *pci = &vga->pci;

    if (pci_get(pci, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY) {
        uint64_t bar = pci_get(pci, PCI_BAR0, 4) & ~UINT32_C(0xf);
        gm_written(pci->device.env.memory, bar + offset, len);
    }
}

static bool is_linear(const Vga *vga)
{
    return vga_dispi_on(vga) && vga->dispi[DISPI_DEPTH] != 4;
}

/* From an offset in the window to one in what it shows; false: nothing is there. */
static bool locate(const Vga *vga, uint64_t offset, uint32_t *ret)
{
    unsigned part = is_linear(vga) ? 1 : vga->gfx[GFX_MISC] >> 2 & 3;

    if (!(vga->misc & MISC_RAM) || offset < parts[part].start ||
        offset - parts[part].start >= parts[part].size) {
        return false;
    }
    *ret = (uint32_t)offset - parts[part].start;
    if (vga_dispi_on(vga) && part == 1) {
        *ret += (uint32_t)vga->dispi[DISPI_BANK] << 16;
    }
    return true;
}

/* Byte @at of memory that doesn't go through the latches, or NULL; *@ret_plane is its plane. */
static uint8_t *chained(const Vga *vga, uint32_t at, unsigned *ret_plane)
{
    uint32_t index;

    if (is_linear(vga) || (vga->seq[SEQ_MEMORY] & SEQ_CHAIN4)) {
        *ret_plane = at & 3;
        index = at;
    } else if (vga->gfx[GFX_MODE] & MODE_ODD_EVEN) {
        *ret_plane = (vga->gfx[GFX_READ_PLANE] & 2) | (at & 1);
        index = (at & ~1U) << 1 | *ret_plane;
    } else {
        return NULL;
    }
    return vga->vram + index % VGA_MEMORY_SIZE;
}

/* The four bytes at @at of the planes. */
static uint8_t *planes(const Vga *vga, uint32_t at)
{
    return vga->vram + (uint64_t)at * 4 % VGA_MEMORY_SIZE;
}

static uint8_t read_planes(Vga *vga, uint32_t at)
{
    uint8_t differs = 0;

    memcpy(vga->latch, planes(vga, at), 4);
    if (!(vga->gfx[GFX_MODE] & MODE_READ_COMPARE)) {
        return vga->latch[vga->gfx[GFX_READ_PLANE] & 3];
    }
    for (unsigned p = 0; p < 4; p++) {
        if (vga->gfx[GFX_DONT_CARE] >> p & 1) {
            differs |= vga->latch[p] ^ (vga->gfx[GFX_COMPARE] >> p & 1 ? 0xff : 0);
        }
    }
    return (uint8_t)~differs;
}

static uint8_t read_byte(Vga *vga, uint64_t offset)
{
    uint32_t at;
    unsigned plane;

    if (!locate(vga, offset, &at)) {
        return 0xff;
    }
    const uint8_t *byte = chained(vga, at, &plane);
    return byte ? *byte : read_planes(vga, at);
}

static uint8_t rotate(uint8_t value, unsigned by)
{
    return (uint8_t)(value >> by | value << (8 - by));
}

static uint8_t plane_full(uint8_t bits, unsigned plane)
{
    return bits >> plane & 1 ? 0xff : 0;
}

/* With the latch, as the function select says. */
static uint8_t combine(const Vga *vga, uint8_t value, uint8_t latch)
{
    switch (vga->gfx[GFX_ROTATE] >> 3) {
    case 1:
        return value & latch;
    case 2:
        return value | latch;
    case 3:
        return value ^ latch;
    default:
        return value;
    }
}

/* What write mode 0, 2 or 3 makes of @value for @plane. */
static uint8_t write_value(const Vga *vga, uint8_t value, unsigned plane)
{
    const uint8_t *gfx = vga->gfx;
    uint8_t rotated = rotate(value, gfx[GFX_ROTATE] & 7), mask = gfx[GFX_MASK];
    uint8_t latch = vga->latch[plane], result;

    switch (gfx[GFX_MODE] & 3) {
    case 0:
        result = gfx[GFX_ENABLE_SET] >> plane & 1 ? plane_full(gfx[GFX_SET], plane) : rotated;
        break;
    case 2:
        result = plane_full(value, plane);
        break;
    default:
        result = plane_full(gfx[GFX_SET], plane);
        mask &= rotated;
        break;
    }
    result = combine(vga, result, latch);
    return (uint8_t)((result & mask) | (latch & ~mask));
}

static void write_planes(const Vga *vga, uint32_t at, uint8_t value)
{
    uint8_t *bytes = planes(vga, at);
    bool copy = (vga->gfx[GFX_MODE] & 3) == 1;

    for (unsigned p = 0; p < 4; p++) {
        if (vga->seq[SEQ_PLANES] >> p & 1) {
            bytes[p] = copy ? vga->latch[p] : write_value(vga, value, p);
        }
    }
    vga_memory_written(vga, (uint64_t)(bytes - vga->vram), 4);
}

static void write_byte(const Vga *vga, uint64_t offset, uint8_t value)
{
    uint32_t at;
    unsigned plane;

    if (!locate(vga, offset, &at)) {
        return;
    }
    uint8_t *byte = chained(vga, at, &plane);
    if (!byte) {
        write_planes(vga, at, value);
    } else if (is_linear(vga) || (vga->seq[SEQ_PLANES] >> plane & 1)) {
        *byte = value;
        vga_memory_written(vga, (uint64_t)(byte - vga->vram), 1);
    }
}

static uint64_t read_window(void *opaque, uint64_t offset, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)read_byte(opaque, offset + i) << (8 * i);
    }
    return value;
}

static void write_window(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        write_byte(opaque, offset + i, (uint8_t)(value >> (8 * i)));
    }
}

const IoOps vga_memory_ops = { .read = read_window, .write = write_window, .sizes = 1 | 2 | 4 | 8 };
