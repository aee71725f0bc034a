/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest finds at its physical addresses and at its I/O ports: RAM, or a device's registers.
 *
 *   gpa   guest physical address            hva   host pointer to the same byte of RAM
 *
 * Things stand in windows: a place, and what is there.  Most windows stand still for ever; a guest
 * moves some (a PCI device's BARs, ROM that covers RAM), at any time, and anywhere.  Where windows
 * overlap, the one of higher priority is seen, among equals the older one.
 *
 * RAM is a sealed shared memfd per block, or a mapped state file (memory/image.h).  A device
 * reaches guest memory only through gm_read(),
 * gm_write(), gm_ram() and gm_rom(), which check bounds once and never reach another device's
 * registers.  Blocks stay mapped as long as the GuestMemory, so an hva stays good whatever the
 * guest moves.
 *
 * Whoever writes guest RAM, other than a vCPU executing an instruction, says so with gm_written()
 * before it makes the result visible to the guest (an index, an interrupt): translated code of
 * those bytes is dropped then.  gm_write() does so by itself; users of gm_ram() do it by hand.
 *
 * Threads: adding windows on one thread, while no vCPU runs; everything else from any thread.  An
 * access to registers takes the region's lock around the handler.  Windows may be moved with
 * devices' locks held, also from inside a handler.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct GuestMemory GuestMemory;

/* A device's registers.  Handlers see an offset below the region's size and a size that .sizes
 * allows, never crossing the region's end.  Values have no bits above the size. */
typedef struct IoOps {
    uint64_t (*read)(void *opaque, uint64_t offset, unsigned size);
    void (*write)(void *opaque, uint64_t offset, uint64_t value, unsigned size);
    unsigned sizes; /* which of 1, 2, 4, 8 may arrive, or-ed.  A wider access is split into the
                       widest that may; a narrower one reads as ones and is dropped on write */
} IoOps;

typedef struct IoRegion {
    const char *name; /* for logs; static */
    uint64_t base;    /* gpa, or port number */
    uint64_t size;    /* in bytes, not 0 */
    const IoOps *ops;
    void *opaque;
    GMutex *lock; /* taken around the handlers; NULL for none */
} IoRegion;

/* Host memory that a guest may be shown: RAM, ROM, the memory of a screen. */
typedef struct RamBlock {
    const char *name; /* static */
    uint64_t size;    /* in bytes, a multiple of 4096 */
    uint8_t *hva;
    int memfd; /* -1: a private mapping of a state file, see memory/image.h */
} RamBlock;

/* RAM, or ROM, as the guest sees it now. */
typedef struct RamRange {
    uint64_t gpa, size;
    uint8_t *hva;
    bool read_only; /* to the guest; writes go to registers, or nowhere */
} RamRange;

GuestMemory *gm_new(void);
/* Unmaps RAM.  Regions' opaque pointers stay their owners'.  @gm may be NULL. */
void gm_free(GuestMemory *gm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GuestMemory, gm_free)

/* A zeroed block that nobody sees yet; it belongs to @gm. */
RamBlock *gm_add_block(GuestMemory *gm, const char *name, uint64_t size, GError **error);
/* All blocks in the order in which they were added; *@ret_n is how many.  Belongs to @gm. */
RamBlock *const *gm_blocks(const GuestMemory *gm, size_t *ret_n);

/* --- windows --- */

typedef enum GmPriority {
    GM_BAR,   /* a place that the guest chose: anything else covers it */
    GM_RAM,   /* the machine's RAM */
    GM_FIXED, /* registers of the board */
    GM_COVER, /* what the board puts over RAM or registers */
} GmPriority;

typedef struct GmWindow GmWindow;

typedef struct GmWindowConfig {
    IoRegion io; /* .name, .size and first .base; .ops NULL: no registers */
    /* NULL, or RAM: .io.size bytes from .offset of the block.  Registers (.io.ops) then only get
     * the guest's writes, and only if .read_only. */
    const RamBlock *block;
    uint64_t offset;
    bool read_only;
    bool ports; /* in the space of ports */
    bool hidden;
    GmPriority priority;
} GmWindowConfig;

/* A new window.  @config is copied. */
GmWindow *gm_add_window(GuestMemory *gm, const GmWindowConfig *config);
/* Hide it for good and free it; while no vCPU runs. */
void gm_remove_window(GuestMemory *gm, GmWindow *window);
/* Put the window to @base.  Where the address space has no such place the window is hidden. */
void gm_window_show(GuestMemory *gm, GmWindow *window, uint64_t base);
void gm_window_hide(GuestMemory *gm, GmWindow *window);
/* Around several moves that shall become visible at once; the lock between is @gm's own, a leaf
 * but for the engine's.  Nests. */
void gm_change_begin(GuestMemory *gm);
void gm_change_end(GuestMemory *gm);

/* Add zeroed RAM at @gpa: a block in a window that stands still.  Fails if the host refuses the
 * memory; overlap with other RAM is our own bug (asserted). */
bool gm_add_ram(GuestMemory *gm, uint64_t gpa, uint64_t size, GError **error);
/* Add registers that stand still; @region is copied.  Overlap with others is our own bug. */
void gm_add_mmio(GuestMemory *gm, const IoRegion *region);
void gm_add_pio(GuestMemory *gm, const IoRegion *region);

/* Bytes of RAM that gm_add_ram() added. */
uint64_t gm_ram_size(const GuestMemory *gm);
/* The range of RAM or ROM around @gpa; false: there is none. */
bool gm_find_ram(const GuestMemory *gm, uint64_t gpa, RamRange *ret_range);
/* The first range of RAM or ROM that ends above @gpa; false: there is none. */
bool gm_next_ram(const GuestMemory *gm, uint64_t gpa, RamRange *ret_range);

/* Who is told when RAM comes, goes or changes within a range of addresses; at most one, set before
 * the first vCPU runs.  Called after the change, on the thread that made it, for each range, with
 * @gm's lock held; it may look at the map, but not wait for a vCPU. */
typedef void (*GmChangedFn)(void *opaque, uint64_t gpa, uint64_t len);
void gm_set_changed(GuestMemory *gm, GmChangedFn fn, void *opaque);

/* --- RAM --- */

/* The hva of [@gpa, @gpa + @len) if all of it is one range of RAM, else (and for @len 0) NULL. */
void *gm_ram(const GuestMemory *gm, uint64_t gpa, uint64_t len);
/* The same, to read from RAM or ROM. */
const void *gm_rom(const GuestMemory *gm, uint64_t gpa, uint64_t len);
/* Copy between guest RAM (or from ROM) and @buf.  False, with nothing copied, unless all of it is
 * there. */
bool gm_read(const GuestMemory *gm, uint64_t gpa, void *buf, size_t len);
bool gm_write(GuestMemory *gm, uint64_t gpa, const void *buf, size_t len);

/* Who is told of writes that are not a vCPU's own; at most one, set before the first vCPU runs. */
typedef void (*GmWrittenFn)(void *opaque, uint64_t gpa, uint64_t len);
void gm_set_written(GuestMemory *gm, GmWrittenFn fn, void *opaque);
void gm_written(GuestMemory *gm, uint64_t gpa, uint64_t len);

/* [@hva, @hva + @len) of RAM is about to be written, all of it: have the host provide its pages at
 * once, which is quicker than one fault each.  Any thread.  No more than a hint. */
void gm_expect_writes(void *hva, size_t len);

/* The RAM in [@gpa, @gpa + @len), whole pages, has no content any more, and what it took goes back
 * to the host.  It may be touched at any time, and reads as zeros, or as a state file has it. */
void gm_discard(GuestMemory *gm, uint64_t gpa, uint64_t len);

/* --- registers --- */

/* A vCPU's access to registers.  @size is 1, 2, 4 or 8 (ports: up to 4).  Where nothing is, reads
 * give ones and writes vanish.  What has become RAM meanwhile is read or written as such. */
uint64_t gm_mmio_read(GuestMemory *gm, uint64_t gpa, unsigned size);
void gm_mmio_write(GuestMemory *gm, uint64_t gpa, uint64_t value, unsigned size);
uint64_t gm_pio_read(GuestMemory *gm, uint16_t port, unsigned size);
void gm_pio_write(GuestMemory *gm, uint16_t port, uint64_t value, unsigned size);
/* The registers at @gpa or @port, or NULL; for logs and tests.  Its .base is that of the start. */
const IoRegion *gm_find_mmio(const GuestMemory *gm, uint64_t gpa);
const IoRegion *gm_find_pio(const GuestMemory *gm, uint16_t port);
