/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a VGA shows: text, the graphics modes of the VGA proper, and those of the Bochs interface.
 *
 * All of the picture is made each time a viewer asks; the display finds what differs.  The cursor
 * and blinking text stand still: on a screen that is sent over a network nobody misses the flicker.
 *
 * Threads: a viewer's, under the device's lock.
 */
#include <string.h>

#include "machine/device/vga_state.h"

enum { SEQ_CLOCK = 1, CLOCK_8_DOTS = 1, CLOCK_HALF = 8, CLOCK_OFF = 0x20, SEQ_FONTS = 3 };
enum {
    CRTC_COLUMNS = 0x01,
    CRTC_OVERFLOW = 0x07,
    CRTC_CELL = 0x09,
    CRTC_CURSOR = 0x0a,
    CRTC_CURSOR_END = 0x0b,
    CRTC_START = 0x0c,
    CRTC_CURSOR_AT = 0x0e,
    CRTC_HEIGHT = 0x12,
    CRTC_PITCH = 0x13,
    CRTC_MODE = 0x17,
    CRTC_COMPARE = 0x18,
    CURSOR_OFF = 0x20,
    CELL_DOUBLE = 0x80,
};
enum { ATTR_MODE = 0x10, ATTR_PLANES = 0x12, ATTR_SELECT = 0x14, ATTR_SHOWS = 0x20 };
enum { MODE_LINE_GRAPHICS = 4, MODE_BLINK = 8, MODE_SELECT = 0x80 };
enum { GFX_MODE = 5, GFX_MISC = 6, GFX_GRAPHICS = 1 };

/* Of the VGA's own modes: 256 columns of 9 dots, shown double. */
enum { MAX_DOTS = 256 * 9 * 2 };

/* What the CRT controller makes of its registers. */
typedef struct Scan {
    unsigned columns, height;
    unsigned cell;    /* lines of a row */
    unsigned repeat;  /* how often each line is shown */
    unsigned compare; /* the last line before memory begins anew */
    unsigned start;   /* in cells */
    unsigned pitch;   /* bytes of .vram from row to row */
    unsigned stretch; /* 2: each dot is two wide */
} Scan;

static Scan scan_of(const Vga *vga)
{
    const uint8_t *crtc = vga->crtc;
    unsigned overflow = crtc[CRTC_OVERFLOW], cell = crtc[CRTC_CELL];

    return (Scan){
        .columns = crtc[CRTC_COLUMNS] + 1U,
        .height = (crtc[CRTC_HEIGHT] | (overflow & 0x02) << 7 | (overflow & 0x40) << 3) + 1U,
        .cell = (cell & 0x1f) + 1,
        .repeat = cell & CELL_DOUBLE ? 2 : 1,
        .compare = crtc[CRTC_COMPARE] | (overflow & 0x10) << 4 | (cell & 0x40) << 3,
        .start = (unsigned)crtc[CRTC_START] << 8 | crtc[CRTC_START + 1],
        .pitch = crtc[CRTC_PITCH] * 8U,
        .stretch = vga->seq[SEQ_CLOCK] & CLOCK_HALF ? 2 : 1,
    };
}

/* --- colours --- */

static uint32_t dac_colour(const Vga *vga, unsigned index)
{
    const uint8_t *rgb = vga->dac + (size_t)(index & vga->dac_mask) * 3;
    bool wide = vga->dispi[DISPI_ENABLE] & DISPI_DAC8;
    uint32_t colour = 0;

    for (unsigned i = 0; i < 3; i++) {
        uint32_t level = wide ? rgb[i] : (rgb[i] & 0x3fU) << 2 | (rgb[i] & 0x3fU) >> 4;
        colour = colour << 8 | level;
    }
    return colour;
}

static void fill_colours(const Vga *vga, uint32_t colours[256])
{
    for (unsigned i = 0; i < 256; i++) {
        colours[i] = dac_colour(vga, i);
    }
}

/* The sixteen that text and planes choose from. */
static void fill_palette(const Vga *vga, uint32_t palette[16])
{
    const uint8_t *attr = vga->attr;

    for (unsigned i = 0; i < 16; i++) {
        unsigned entry = attr[i & attr[ATTR_PLANES]];
        unsigned index = attr[ATTR_MODE] & MODE_SELECT
                             ? (attr[ATTR_SELECT] & 0xfU) << 4 | (entry & 0xf)
                             : (attr[ATTR_SELECT] & 0xcU) << 4 | entry;
        palette[i] = dac_colour(vga, index);
    }
}

/* --- rows --- */

/* Put @n dots, each @stretch wide. */
static void put_dots(Display *display, unsigned y, const uint32_t *dots, unsigned n,
                     unsigned stretch)
{
    uint32_t wide[MAX_DOTS];

    if (stretch == 1) {
        display_put(display, 0, y, dots, n);
        return;
    }
    for (unsigned i = 0; i < n && i < MAX_DOTS / 2; i++) {
        wide[2 * i] = wide[2 * i + 1] = dots[i];
    }
    display_put(display, 0, y, wide, 2 * MIN(n, MAX_DOTS / 2));
}

/* --- text --- */

typedef struct Text {
    const Vga *vga;
    Scan scan;
    unsigned dots;     /* a cell's width */
    unsigned fonts[2]; /* where they begin in plane 2; [1]: of characters with bit 3 set */
    uint32_t palette[16];
    unsigned cursor, cursor_first, cursor_last; /* cell and lines; first > last: none */
} Text;

static unsigned font_start(unsigned map)
{
    return (map & 3) * 0x4000 + (map >> 2) * 0x2000;
}

static void prepare_text(const Vga *vga, Text *text)
{
    unsigned fonts = vga->seq[SEQ_FONTS];
    const uint8_t *crtc = vga->crtc;

    *text = (Text){
        .vga = vga,
        .scan = scan_of(vga),
        .dots = vga->seq[SEQ_CLOCK] & CLOCK_8_DOTS ? 8 : 9,
        .fonts = { font_start((fonts & 3) | (fonts >> 4 & 1) << 2),
                   font_start((fonts >> 2 & 3) | (fonts >> 5 & 1) << 2) },
        .cursor = (unsigned)crtc[CRTC_CURSOR_AT] << 8 | crtc[CRTC_CURSOR_AT + 1],
        .cursor_first = crtc[CRTC_CURSOR] & CURSOR_OFF ? UINT_MAX : crtc[CRTC_CURSOR] & 0x1f,
        .cursor_last = crtc[CRTC_CURSOR_END] & 0x1f,
    };
    fill_palette(vga, text->palette);
}

/* Line @line of the character in cell @cell. */
static void draw_cell(const Text *text, unsigned cell, unsigned line, uint32_t *dots)
{
    const Vga *vga = text->vga;
    const uint8_t *bytes = vga->vram + (size_t)(cell & 0xffff) * 4;
    uint8_t character = bytes[0], look = bytes[1], mode = vga->attr[ATTR_MODE];
    unsigned font = text->fonts[look >> 3 & 1] + character * 32U + line;
    uint8_t glyph = vga->vram[(size_t)(font & 0xffff) * 4 + 2];
    uint32_t ink = text->palette[look & 0xf];
    uint32_t paper = text->palette[mode & MODE_BLINK ? look >> 4 & 7 : look >> 4];
    bool joins = (mode & MODE_LINE_GRAPHICS) && character >= 0xc0 && character <= 0xdf;

    if (cell == text->cursor && line >= text->cursor_first && line <= text->cursor_last) {
        glyph = 0xff;
        joins = true;
    }
    for (unsigned i = 0; i < 8; i++) {
        dots[i] = glyph >> (7 - i) & 1 ? ink : paper;
    }
    if (text->dots == 9) {
        dots[8] = joins ? dots[7] : paper;
    }
}

static void draw_text(const Vga *vga, Display *display)
{
    Text text;
    uint32_t dots[MAX_DOTS];

    prepare_text(vga, &text);
    const Scan *scan = &text.scan;
    unsigned rows = MAX(scan->height / (scan->cell * scan->repeat), 1), y = 0;
    display_begin(display, scan->columns * text.dots * scan->stretch,
                  rows * scan->cell * scan->repeat);
    for (unsigned row = 0; row < rows; row++) {
        for (unsigned line = 0; line < scan->cell; line++) {
            unsigned cell = scan->start + row * scan->pitch / 4;
            for (unsigned column = 0; column < scan->columns; column++) {
                draw_cell(&text, cell + column, line, dots + (size_t)column * text.dots);
            }
            for (unsigned i = 0; i < scan->repeat; i++) {
                put_dots(display, y++, dots, scan->columns * text.dots, scan->stretch);
            }
        }
    }
    display_end(display);
}

/* --- the VGA's own graphics --- */

/* Eight dots, a bit of each plane. */
static void draw_planes(const uint8_t bytes[4], const uint32_t palette[16], uint32_t *dots)
{
    for (unsigned i = 0; i < 8; i++) {
        unsigned bit = 7 - i;
        dots[i] = palette[(bytes[0] >> bit & 1) | (bytes[1] >> bit & 1) << 1 |
                          (bytes[2] >> bit & 1) << 2 | (bytes[3] >> bit & 1) << 3];
    }
}

/* Eight dots of two bits, in a byte of plane 0 and one of plane 1. */
static void draw_pairs(const uint8_t bytes[4], const uint32_t palette[16], uint32_t *dots)
{
    for (unsigned i = 0; i < 8; i++) {
        unsigned shift = 6 - i % 4 * 2;
        dots[i] = palette[(bytes[i / 4] >> shift & 3) | (bytes[i / 4 + 2] >> shift & 3) << 2];
    }
}

/* Four dots of a byte, each two wide. */
static void draw_bytes(const uint8_t bytes[4], const uint32_t colours[256], uint32_t *dots)
{
    for (unsigned i = 0; i < 8; i++) {
        dots[i] = colours[bytes[i / 2]];
    }
}

/* Where line @y begins in .vram. */
static uint32_t line_start(const Vga *vga, const Scan *scan, unsigned y)
{
    uint32_t start = scan->start * 4;

    if (y > scan->compare) {
        y -= scan->compare + 1;
        start = 0;
    }
    y /= scan->repeat;
    unsigned line = y % scan->cell;
    start += y / scan->cell * scan->pitch;
    /* the CGA has odd lines elsewhere, the Hercules card every second of those, too */
    if (!(vga->crtc[CRTC_MODE] & 1)) {
        start = (start & ~(1U << 15)) | (line & 1) << 15;
    }
    if (!(vga->crtc[CRTC_MODE] & 2)) {
        start = (start & ~(1U << 16)) | (line >> 1 & 1) << 16;
    }
    return start;
}

static void draw_graphics(const Vga *vga, Display *display)
{
    Scan scan = scan_of(vga);
    unsigned kind = vga->gfx[GFX_MODE] >> 5 & 3;
    uint32_t dots[MAX_DOTS], palette[16], colours[256];

    fill_palette(vga, palette);
    fill_colours(vga, colours);
    scan.stretch = kind >= 2 ? 1 : scan.stretch;
    display_begin(display, scan.columns * 8 * scan.stretch, scan.height);
    for (unsigned y = 0; y < scan.height; y++) {
        uint32_t at = line_start(vga, &scan, y);
        for (unsigned column = 0; column < scan.columns; column++) {
            const uint8_t *bytes = vga->vram + (at + column * 4) % VGA_PLANES_SIZE;
            if (kind == 0) {
                draw_planes(bytes, palette, dots + (size_t)column * 8);
            } else if (kind == 1) {
                draw_pairs(bytes, palette, dots + (size_t)column * 8);
            } else {
                draw_bytes(bytes, colours, dots + (size_t)column * 8);
            }
        }
        put_dots(display, y, dots, scan.columns * 8, scan.stretch);
    }
    display_end(display);
}

/* --- the Bochs interface --- */

static uint32_t wide_colour(uint32_t red, uint32_t green, uint32_t blue)
{
    return (red << 3 | red >> 2) << 16 | green << 8 | (blue << 3 | blue >> 2);
}

static uint32_t pixel(const uint8_t *at, unsigned depth, const uint32_t *colours)
{
    uint32_t value, green;

    switch (depth) {
    case 8:
        return colours[*at];
    case 15:
        value = load_le16(at);
        green = value >> 5 & 0x1f;
        return wide_colour(value >> 10 & 0x1f, green << 3 | green >> 2, value & 0x1f);
    case 16:
        value = load_le16(at);
        green = value >> 5 & 0x3f;
        return wide_colour(value >> 11 & 0x1f, green << 2 | green >> 4, value & 0x1f);
    case 24:
        return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;
    default:
        return load_le32(at) & 0xffffff;
    }
}

static void convert_row(const uint8_t *from, const VgaMode *mode, const uint32_t *colours,
                        const uint32_t *palette, uint32_t *row)
{
    unsigned bytes = (mode->depth + 1) / 8;
    uint32_t eight[8];

    if (mode->depth == 4) {
        for (unsigned x = 0; x < mode->width; x += 8) {
            draw_planes(from + x / 2, palette, eight);
            memcpy(row + x, eight, MIN(mode->width - x, 8) * sizeof(*row));
        }
        return;
    }
    for (unsigned x = 0; x < mode->width; x++) {
        row[x] = pixel(from + (size_t)x * bytes, mode->depth, colours);
    }
}

static void draw_mode(const Vga *vga, const VgaMode *mode, Display *display)
{
    uint32_t row[DISPLAY_MAX_WIDTH], colours[256], palette[16];

    fill_colours(vga, colours);
    fill_palette(vga, palette);
    display_begin(display, mode->width, mode->height);
    for (unsigned y = 0; y < mode->height; y++) {
        convert_row(vga->vram + mode->start + (uint64_t)y * mode->pitch, mode, colours, palette,
                    row);
        display_put(display, 0, y, row, mode->width);
    }
    display_end(display);
}

static void draw_nothing(Display *display)
{
    enum { WIDTH = 640, HEIGHT = 480 };
    const uint32_t row[WIDTH] = { 0 };

    display_begin(display, WIDTH, HEIGHT);
    for (unsigned y = 0; y < HEIGHT; y++) {
        display_put(display, 0, y, row, WIDTH);
    }
    display_end(display);
}

void vga_refresh(void *opaque, Display *display)
{
    Vga *vga = opaque;
    VgaMode mode;

    g_mutex_lock(&vga->pci.device.lock);
    if (vga_mode(vga, &mode)) {
        draw_mode(vga, &mode, display);
    } else if (!(vga->attr_index & ATTR_SHOWS) || (vga->seq[SEQ_CLOCK] & CLOCK_OFF) ||
               vga_dispi_on(vga)) {
        draw_nothing(display);
    } else if (vga->gfx[GFX_MISC] & GFX_GRAPHICS) {
        draw_graphics(vga, display);
    } else {
        draw_text(vga, display);
    }
    g_mutex_unlock(&vga->pci.device.lock);
}
