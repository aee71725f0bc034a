/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A standard VGA with Bochs' extensions: what firmware, boot loaders and kernels find when they
 * look for a screen (IBM VGA, as FreeVGA describes it; Bochs' VBE interface; PCI id 1234:1111).
 *
 *   ports 3B0h to 3DFh         the VGA's registers (vga_ports.c)
 *   ports 1CEh, 1CFh, 1D0h     number and value of a register of the Bochs interface
 *   A0000h to BFFFFh           a window on memory (vga_memory.c)
 *   BAR 0                      all 16 MiB of memory
 *   BAR 2                      0: EDID; 400h: ports from 3C0h on; 500h: Bochs' registers
 *   ROM                        a video BIOS, if there is one
 *
 * Ports and window are decoded whatever the PCI command register says: nothing else is there.
 * Nothing is drawn before a viewer asks (vga_draw.c).
 *
 * Threads: registers and window on vCPU threads, under the lock; drawing on a viewer's, under it.
 */
#include "machine/device/vga.h"

#include <string.h>

#include "display/edid.h"
#include "machine/device/vga_state.h"

enum { DISPI_PORT = 0x1ce, DISPI_PORTS = 4, DISPI_ID_FIRST = 0xb0c0, DISPI_ID_LAST = 0xb0c5 };
enum { REGISTER_BAR = 2, REGISTER_BAR_SIZE = 4096 };
enum { BAR_EDID = 0, BAR_VGA = 0x400, BAR_VGA_FIRST = 0x3c0, BAR_VGA_PORTS = 0x20 };
enum { BAR_DISPI = 0x500, WINDOW_BASE = 0xa0000, WINDOW_SIZE = 0x20000 };
enum { EDID_WIDTH = 1280, EDID_HEIGHT = 800 };

/* --- the Bochs interface --- */

static unsigned bits_of(unsigned depth)
{
    return depth == 15 ? 16 : depth;
}

static bool depth_is_known(unsigned depth)
{
    return depth == 4 || depth == 8 || depth == 15 || depth == 16 || depth == 24 || depth == 32;
}

/* In pixels. */
static unsigned pitch_of(const Vga *vga)
{
    return MAX(vga->dispi[DISPI_PITCH], vga->dispi[DISPI_WIDTH]);
}

bool vga_mode(const Vga *vga, VgaMode *ret)
{
    unsigned bits = bits_of(vga->dispi[DISPI_DEPTH]);
    unsigned width = vga->dispi[DISPI_WIDTH], height = vga->dispi[DISPI_HEIGHT];

    if (!vga_dispi_on(vga) || !depth_is_known(vga->dispi[DISPI_DEPTH]) || !width || !height ||
        width > DISPLAY_MAX_WIDTH || height > DISPLAY_MAX_HEIGHT ||
        width * height > DISPLAY_MAX_PIXELS) {
        return false;
    }
    *ret = (VgaMode){
        .width = width,
        .height = height,
        .depth = vga->dispi[DISPI_DEPTH],
        .pitch = bits == 4 ? pitch_of(vga) / 8 * 4 : pitch_of(vga) * bits / 8,
    };
    ret->start =
        (uint64_t)vga->dispi[DISPI_Y] * ret->pitch + (uint64_t)vga->dispi[DISPI_X] * bits / 8;
    ret->start -= bits == 4 ? ret->start % 4 : 0;
    uint64_t row = bits == 4 ? (width + 7) / 8 * 4 : width * bits / 8;
    return ret->start + (uint64_t)(height - 1) * ret->pitch + row <= VGA_MEMORY_SIZE;
}

/* A mode begins: memory is cleared unless the guest wants it kept. */
static void begin_mode(Vga *vga)
{
    VgaMode mode;

    vga->dispi[DISPI_PITCH] = vga->dispi[DISPI_WIDTH];
    vga->dispi[DISPI_X] = vga->dispi[DISPI_Y] = vga->dispi[DISPI_BANK] = 0;
    if (vga_mode(vga, &mode) && !(vga->dispi[DISPI_ENABLE] & DISPI_KEEP)) {
        uint64_t len = MIN((uint64_t)mode.pitch * mode.height, VGA_MEMORY_SIZE);
        memset(vga->vram, 0, len);
        vga_memory_written(vga, 0, len);
    }
}

static void dispi_write(Vga *vga, uint16_t value)
{
    uint16_t index = vga->dispi_index;
    bool was_on = vga_dispi_on(vga);

    if (index >= DISPI_MEMORY ||
        (index == DISPI_ID && (value < DISPI_ID_FIRST || value > DISPI_ID_LAST))) {
        return;
    }
    vga->dispi[index] = value;
    if (index == DISPI_ENABLE && vga_dispi_on(vga) && !was_on) {
        begin_mode(vga);
    }
}

static uint16_t dispi_read(const Vga *vga)
{
    static const uint16_t most[] = {
        [DISPI_WIDTH] = DISPLAY_MAX_WIDTH,
        [DISPI_HEIGHT] = DISPLAY_MAX_HEIGHT,
        [DISPI_DEPTH] = 32,
    };
    uint16_t index = vga->dispi_index;
    bool caps = vga->dispi[DISPI_ENABLE] & DISPI_CAPS;

    if (index >= DISPI_REGISTERS) {
        return 0;
    }
    if (caps && index >= DISPI_WIDTH && index <= DISPI_DEPTH) {
        return most[index];
    }
    if (index == DISPI_MEMORY) {
        return VGA_MEMORY_SIZE >> 16;
    }
    if (index == DISPI_PITCH) {
        return (uint16_t)pitch_of(vga);
    }
    if (index == DISPI_PITCH_HEIGHT) {
        unsigned row = pitch_of(vga) * bits_of(vga->dispi[DISPI_DEPTH]) / 8;
        return (uint16_t)(row ? MIN(VGA_MEMORY_SIZE / row, UINT16_MAX) : 0);
    }
    return vga->dispi[index];
}

static uint64_t read_dispi(void *opaque, uint64_t offset, unsigned size)
{
    const Vga *vga = opaque;

    return offset == 0 ? vga->dispi_index : dispi_read(vga);
}

static void write_dispi(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Vga *vga = opaque;

    if (offset == 0) {
        vga->dispi_index = (uint16_t)value;
    } else {
        dispi_write(vga, (uint16_t)value);
    }
}

/* --- ports and BAR 2 --- */

static uint64_t read_ports(void *opaque, uint64_t offset, unsigned size)
{
    return vga_port_read(opaque, VGA_FIRST_PORT + (unsigned)offset);
}

static void write_ports(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    vga_port_write(opaque, VGA_FIRST_PORT + (unsigned)offset, (uint8_t)value);
}

/* A byte or a word of BAR 2. */
static uint64_t read_registers(void *opaque, uint64_t offset, unsigned size)
{
    Vga *vga = opaque;
    uint64_t value = 0;

    if (range_inside(offset, size, BAR_EDID, sizeof(vga->edid))) {
        memcpy(&value, vga->edid + offset, size);
    } else if (range_inside(offset, size, BAR_VGA, BAR_VGA_PORTS)) {
        for (unsigned i = 0; i < size; i++) {
            unsigned port = BAR_VGA_FIRST + (unsigned)offset - BAR_VGA + i;
            value |= (uint64_t)vga_port_read(vga, port) << (8 * i);
        }
    } else if (range_inside(offset, size, BAR_DISPI, 2 * DISPI_REGISTERS)) {
        uint16_t kept = vga->dispi_index;
        vga->dispi_index = (uint16_t)((offset - BAR_DISPI) / 2);
        value = (uint64_t)dispi_read(vga) >> (offset % 2 * 8);
        vga->dispi_index = kept;
    }
    return value & bits_mask(size * 8);
}

static void write_registers(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Vga *vga = opaque;

    if (range_inside(offset, size, BAR_VGA, BAR_VGA_PORTS)) {
        for (unsigned i = 0; i < size; i++) {
            unsigned port = BAR_VGA_FIRST + (unsigned)offset - BAR_VGA + i;
            vga_port_write(vga, port, (uint8_t)(value >> (8 * i)));
        }
    } else if (range_inside(offset, size, BAR_DISPI, 2 * DISPI_REGISTERS) && size == 2 &&
               offset % 2 == 0) {
        uint16_t kept = vga->dispi_index;
        vga->dispi_index = (uint16_t)((offset - BAR_DISPI) / 2);
        dispi_write(vga, (uint16_t)value);
        vga->dispi_index = kept;
    }
}

static const IoOps dispi_ops = { .read = read_dispi, .write = write_dispi, .sizes = 2 };
static const IoOps port_ops = { .read = read_ports, .write = write_ports, .sizes = 1 };
static const IoOps register_ops = { .read = read_registers, .write = write_registers, .sizes = 3 };

/* --- life --- */

static void reset(Device *device)
{
    Vga *vga = container_of(device, Vga, pci.device);

    pci_reset(device);
    vga->misc = vga->feature = 0;
    vga->attr_index = vga->seq_index = vga->crtc_index = vga->gfx_index = 0;
    vga->attr_data = false;
    memset(vga->attr, 0, sizeof(vga->attr));
    memset(vga->seq, 0, sizeof(vga->seq));
    memset(vga->crtc, 0, sizeof(vga->crtc));
    memset(vga->gfx, 0, sizeof(vga->gfx));
    memset(vga->dac, 0, sizeof(vga->dac));
    memset(vga->latch, 0, sizeof(vga->latch));
    memset(vga->dispi, 0, sizeof(vga->dispi));
    vga->dispi[DISPI_ID] = DISPI_ID_LAST;
    vga->dispi_index = 0;
    vga->dac_mask = 0xff;
    vga->dac_state = vga->dac_read = vga->dac_write = vga->dac_part = 0;
}

static void destroy(Device *device)
{
    const Vga *vga = container_of(device, Vga, pci.device);

    if (vga->display) {
        display_attach(vga->display, NULL);
    }
    pci_destroy(device);
}

static const SavedField saved[] = {
    PCI_SAVED(Vga),
    SAVED(Vga, misc),
    SAVED(Vga, feature),
    SAVED(Vga, attr_index),
    SAVED_ARRAY(Vga, attr),
    SAVED(Vga, attr_data),
    SAVED(Vga, seq_index),
    SAVED_ARRAY(Vga, seq),
    SAVED(Vga, crtc_index),
    SAVED_ARRAY(Vga, crtc),
    SAVED(Vga, gfx_index),
    SAVED_ARRAY(Vga, gfx),
    SAVED_ARRAY(Vga, dac),
    SAVED(Vga, dac_mask),
    SAVED_RANGE(Vga, dac_state, 0, 3),
    SAVED(Vga, dac_read),
    SAVED(Vga, dac_write),
    SAVED_RANGE(Vga, dac_part, 0, 2),
    SAVED_ARRAY(Vga, dac_latch),
    SAVED_ARRAY(Vga, latch),
    SAVED(Vga, dispi_index),
    SAVED_ARRAY(Vga, dispi),
    { 0 },
};

const PciClass vga_class = {
    .device = {
        .name = "vga",
        .summary = "standard VGA with Bochs' extensions",
        .instance_size = sizeof(Vga),
        .saved = saved,
        .reset = reset,
        .loaded = pci_loaded,
        .destroy = destroy,
    },
    .vendor = 0x1234,
    .id = 0x1111,
    .subsystem_vendor = 0x1af4,
    .subsystem = 0x1100,
    .class_code = 0x030000,
};

Vga *vga_new(const VgaConfig *config, GError **error)
{
    GuestMemory *memory = config->slot.env.memory;
    const RamBlock *block = gm_add_block(memory, "vga", VGA_MEMORY_SIZE, error);

    if (!block) {
        return NULL;
    }
    Vga *vga = pci_new(&vga_class, &config->slot);
    Device *device = &vga->pci.device;
    vga->vram = block->hva;
    edid_fill(vga->edid, EDID_WIDTH, EDID_HEIGHT);
    pci_add_bar(&vga->pci, 0,
                &(PciBarConfig){ .size = VGA_MEMORY_SIZE, .block = block, .prefetch = true });
    pci_add_bar(&vga->pci, REGISTER_BAR,
                &(PciBarConfig){ .size = REGISTER_BAR_SIZE, .ops = &register_ops });
    if (config->rom_size && !pci_add_rom(&vga->pci, config->rom, config->rom_size, error)) {
        device_free(device);
        return NULL;
    }
    device_add_pio(device, &port_ops, VGA_FIRST_PORT, VGA_PORTS);
    device_add_pio(device, &dispi_ops, DISPI_PORT, DISPI_PORTS);
    gm_add_window(memory, &(GmWindowConfig){ .io = { .name = "vga",
                                                     .base = WINDOW_BASE,
                                                     .size = WINDOW_SIZE,
                                                     .ops = &vga_memory_ops,
                                                     .opaque = vga,
                                                     .lock = &device->lock },
                                             .priority = GM_COVER });
    vga->display = config->display;
    if (vga->display) {
        display_attach(vga->display, &(DisplaySource){ vga, vga_refresh });
    }
    return vga;
}
