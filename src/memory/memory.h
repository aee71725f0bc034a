/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest finds at its physical addresses and at its I/O ports: RAM, or a device's registers.
 *
 *   gpa   guest physical address            hva   host pointer to the same byte of RAM
 *
 * The map is built once, before the first vCPU runs, and is only read afterwards.  RAM is a sealed
 * shared memfd per region.  A device reaches guest memory only through gm_read(), gm_write() and
 * gm_ram(), which check bounds once and never reach another device's registers.
 *
 * Whoever writes guest RAM, other than a vCPU executing an instruction, says so with gm_written()
 * before it makes the result visible to the guest (an index, an interrupt): translated code of
 * those bytes is dropped then.  gm_write() does so by itself; users of gm_ram() do it by hand.
 *
 * Threads: building on one thread; then everything from any thread.  An access to registers takes
 * the region's lock around the handler.
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

typedef struct RamRegion {
    uint64_t gpa;
    uint64_t size; /* in bytes, a multiple of 4096 */
    uint8_t *hva;
    int memfd;
    bool read_only; /* to the guest (ROM); writes are dropped */
} RamRegion;

GuestMemory *gm_new(void);
/* Unmaps RAM.  Regions' opaque pointers stay their owners'.  @gm may be NULL. */
void gm_free(GuestMemory *gm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GuestMemory, gm_free)

/* Add zeroed RAM.  Fails if it overlaps another region or the host refuses the memory. */
bool gm_add_ram(GuestMemory *gm, uint64_t gpa, uint64_t size, GError **error);
/* Add registers; @region is copied.  Overlap with another region is our own bug (asserted). */
void gm_add_mmio(GuestMemory *gm, const IoRegion *region);
void gm_add_pio(GuestMemory *gm, const IoRegion *region);

/* All RAM regions in order of address; *@ret_n is how many.  Belongs to @gm. */
const RamRegion *gm_ram_regions(const GuestMemory *gm, size_t *ret_n);
/* Bytes of RAM in all regions. */
uint64_t gm_ram_size(const GuestMemory *gm);
/* The RAM region that holds @gpa, or NULL. */
const RamRegion *gm_find_ram(const GuestMemory *gm, uint64_t gpa);

/* The hva of [@gpa, @gpa + @len) if all of it is one RAM region, else NULL.  @len 0 gives NULL. */
void *gm_ram(const GuestMemory *gm, uint64_t gpa, uint64_t len);
/* Copy between guest RAM and @buf.  False, with nothing copied, unless all of it is RAM. */
bool gm_read(const GuestMemory *gm, uint64_t gpa, void *buf, size_t len);
bool gm_write(GuestMemory *gm, uint64_t gpa, const void *buf, size_t len);

/* Who is told of writes that are not a vCPU's own; at most one, set before the first vCPU runs. */
typedef void (*GmWrittenFn)(void *opaque, uint64_t gpa, uint64_t len);
void gm_set_written(GuestMemory *gm, GmWrittenFn fn, void *opaque);
void gm_written(GuestMemory *gm, uint64_t gpa, uint64_t len);

/* A vCPU's access to registers.  @size is 1, 2, 4 or 8 (ports: up to 4).  Where nothing is, reads
 * give ones and writes vanish. */
uint64_t gm_mmio_read(GuestMemory *gm, uint64_t gpa, unsigned size);
void gm_mmio_write(GuestMemory *gm, uint64_t gpa, uint64_t value, unsigned size);
uint64_t gm_pio_read(GuestMemory *gm, uint16_t port, unsigned size);
void gm_pio_write(GuestMemory *gm, uint16_t port, uint64_t value, unsigned size);
/* The region at @gpa or @port, or NULL; for logs. */
const IoRegion *gm_find_mmio(const GuestMemory *gm, uint64_t gpa);
const IoRegion *gm_find_pio(const GuestMemory *gm, uint16_t port);
