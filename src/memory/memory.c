/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's address map, see memory.h: blocks of RAM, windows, and accesses by what map.h says
 * stands where.
 */
#include "memory/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/bits.h"
#include "common/error.h"
#include "memory/map.h"

enum { PORTS = 0x10000 };

struct GuestMemory {
    /* fixed after the machine is built */
    GPtrArray *blocks;  /* of RamBlock */
    GPtrArray *windows; /* of GmWindow, in order of creation */
    GmWrittenFn written;
    void *written_opaque;
    GmChangedFn changed;
    void *changed_opaque;
    /* written under .lock */
    Map memory, ports;
    GRecMutex lock; /* of whoever moves windows */
    /* lock: lock */
    unsigned changing; /* depth of gm_change_begin() */
    bool memory_stale, ports_stale;
};

static void free_block(gpointer data)
{
    RamBlock *block = data;

    munmap(block->hva, block->size);
    if (block->memfd >= 0) {
        close(block->memfd);
    }
    g_free(block);
}

GuestMemory *gm_new(void)
{
    GuestMemory *gm = g_new0(GuestMemory, 1);

    gm->blocks = g_ptr_array_new_with_free_func(free_block);
    gm->windows = g_ptr_array_new_with_free_func(g_free);
    map_init(&gm->memory);
    map_init(&gm->ports);
    g_rec_mutex_init(&gm->lock);
    return gm;
}

void gm_free(GuestMemory *gm)
{
    if (!gm) {
        return;
    }
    map_clear(&gm->memory);
    map_clear(&gm->ports);
    g_ptr_array_free(gm->windows, TRUE);
    g_ptr_array_free(gm->blocks, TRUE);
    g_rec_mutex_clear(&gm->lock);
    g_free(gm);
}

/* A sealed memfd of the block's size, mapped; sets its hva and memfd. */
static bool map_block(RamBlock *ram, GError **error)
{
    int fd = memfd_create("insula-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0) {
        set_error_errno(error, errno, "cannot create guest memory");
        return false;
    }
    if (ram->size > INT64_MAX || ftruncate(fd, (off_t)ram->size) < 0) {
        set_error(error, "cannot give the guest %" G_GUINT64_FORMAT " MiB of memory: %s",
                  ram->size >> 20, ram->size > INT64_MAX ? "too much" : g_strerror(errno));
        close(fd);
        return false;
    }
    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    void *hva = mmap(NULL, ram->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (hva == MAP_FAILED) {
        set_error(error, "cannot give the guest %" G_GUINT64_FORMAT " MiB of memory: %s",
                  ram->size >> 20, g_strerror(errno));
        close(fd);
        return false;
    }
    ram->hva = hva;
    ram->memfd = fd;
    return true;
}

RamBlock *gm_add_block(GuestMemory *gm, const char *name, uint64_t size, GError **error)
{
    RamBlock *block = g_new0(RamBlock, 1);

    g_assert(size && size % 4096 == 0);
    block->name = name;
    block->size = size;
    if (!map_block(block, error)) {
        g_free(block);
        return NULL;
    }
    g_ptr_array_add(gm->blocks, block);
    return block;
}

RamBlock *const *gm_blocks(const GuestMemory *gm, size_t *ret_n)
{
    *ret_n = gm->blocks->len;
    return (RamBlock *const *)gm->blocks->pdata;
}

/* --- windows --- */

/* Make the maps true again.  Lock: held. */
static void rebuild(GuestMemory *gm)
{
    if (gm->memory_stale) {
        gm->memory_stale = false;
        map_build(&gm->memory, gm->windows, false, gm->changed, gm->changed_opaque);
    }
    if (gm->ports_stale) {
        gm->ports_stale = false;
        map_build(&gm->ports, gm->windows, true, NULL, NULL);
    }
}

void gm_change_begin(GuestMemory *gm)
{
    g_rec_mutex_lock(&gm->lock);
    gm->changing++;
}

void gm_change_end(GuestMemory *gm)
{
    if (--gm->changing == 0) {
        rebuild(gm);
    }
    g_rec_mutex_unlock(&gm->lock);
}

static void place(GuestMemory *gm, GmWindow *window, bool shown, uint64_t base)
{
    shown = shown && range_inside(base, window->config.io.size, 0, window->limit);
    gm_change_begin(gm);
    if (shown != window->shown || (shown && base != window->base)) {
        window->base = base;
        window->shown = shown;
        gm->memory_stale |= !window->config.ports;
        gm->ports_stale |= window->config.ports;
    }
    gm_change_end(gm);
}

GmWindow *gm_add_window(GuestMemory *gm, const GmWindowConfig *config)
{
    GmWindow *window = g_new0(GmWindow, 1);

    g_assert(config->io.size && (config->block || config->io.ops));
    g_assert(!config->io.ops || config->io.ops->sizes);
    g_assert(!config->block || (!config->ports && range_inside(config->offset, config->io.size, 0,
                                                               config->block->size)));
    window->config = *config;
    window->limit = config->ports ? PORTS : MAP_END;
    gm_change_begin(gm);
    g_ptr_array_add(gm->windows, window);
    map_reserve(config->ports ? &gm->ports : &gm->memory, gm->windows->len);
    gm_change_end(gm);
    place(gm, window, !config->hidden, config->io.base);
    return window;
}

void gm_discard(GuestMemory *gm, uint64_t gpa, uint64_t len)
{
    uint64_t end = gpa + len;
    RamRange range;

    while (gpa < end && gm_next_ram(gm, gpa, &range) && range.gpa < end) {
        uint64_t first = MAX(gpa, range.gpa), last = MIN(end, range.gpa + range.size);
        uint8_t *hva = range.hva + (first - range.gpa);
        /* a private mapping (of a state file) can't be cut, but dropped */
        if (!range.read_only && madvise(hva, last - first, MADV_REMOVE) != 0) {
            madvise(hva, last - first, MADV_DONTNEED);
        }
        gm_written(gm, first, last - first);
        gpa = last;
    }
}

void gm_remove_window(GuestMemory *gm, GmWindow *window)
{
    place(gm, window, false, 0);
    gm_change_begin(gm);
    g_ptr_array_remove(gm->windows, window);
    gm_change_end(gm);
}

void gm_window_show(GuestMemory *gm, GmWindow *window, uint64_t base)
{
    place(gm, window, true, base);
}

void gm_window_hide(GuestMemory *gm, GmWindow *window)
{
    place(gm, window, false, 0);
}

/* Things that stand still are put apart from each other by who builds the machine. */
static void assert_apart(const GuestMemory *gm, const GmWindowConfig *config)
{
    for (guint i = 0; i < gm->windows->len; i++) {
        const GmWindow *other = g_ptr_array_index(gm->windows, i);
        if (other->shown && other->config.ports == config->ports &&
            other->config.priority == config->priority) {
            g_assert(!ranges_overlap(config->io.base, config->io.size, other->base,
                                     other->config.io.size));
        }
    }
}

bool gm_add_ram(GuestMemory *gm, uint64_t gpa, uint64_t size, GError **error)
{
    GmWindowConfig config = {
        .io = { .name = "ram", .base = gpa, .size = size },
        .priority = GM_RAM,
    };

    g_assert(gpa % 4096 == 0);
    assert_apart(gm, &config);
    config.block = gm_add_block(gm, "ram", size, error);
    if (!config.block) {
        return false;
    }
    gm_add_window(gm, &config);
    return true;
}

static void add_registers(GuestMemory *gm, const IoRegion *region, bool ports)
{
    GmWindowConfig config = { .io = *region, .ports = ports, .priority = GM_FIXED };

    g_assert(region->base + region->size <= (ports ? PORTS : MAP_END));
    assert_apart(gm, &config);
    gm_add_window(gm, &config);
}

void gm_add_mmio(GuestMemory *gm, const IoRegion *region)
{
    add_registers(gm, region, false);
}

void gm_add_pio(GuestMemory *gm, const IoRegion *region)
{
    add_registers(gm, region, true);
}

void gm_set_changed(GuestMemory *gm, GmChangedFn fn, void *opaque)
{
    gm->changed = fn;
    gm->changed_opaque = opaque;
}

/* --- RAM --- */

uint64_t gm_ram_size(const GuestMemory *gm)
{
    uint64_t size = 0;

    for (guint i = 0; i < gm->windows->len; i++) {
        const GmWindow *window = g_ptr_array_index(gm->windows, i);
        if (window->config.priority == GM_RAM) {
            size += window->config.io.size;
        }
    }
    return size;
}

static RamRange range_of(const MapPart *part)
{
    return (RamRange){ part->start, part->size, part->hva, !window_is_writable(part->window) };
}

bool gm_find_ram(const GuestMemory *gm, uint64_t gpa, RamRange *ret_range)
{
    MapPart part;

    if (!map_find(&gm->memory, gpa, &part) || !part.hva) {
        return false;
    }
    *ret_range = range_of(&part);
    return true;
}

bool gm_next_ram(const GuestMemory *gm, uint64_t gpa, RamRange *ret_range)
{
    MapPart part;

    while (map_next(&gm->memory, gpa, &part)) {
        if (part.hva) {
            *ret_range = range_of(&part);
            return true;
        }
        gpa = part.start + part.size;
    }
    return false;
}

static uint8_t *find_bytes(const GuestMemory *gm, uint64_t gpa, uint64_t len, bool write)
{
    MapPart part;

    if (!len || !map_find(&gm->memory, gpa, &part) || !part.hva ||
        !range_inside(gpa, len, part.start, part.size) ||
        (write && !window_is_writable(part.window))) {
        return NULL;
    }
    return part.hva + (gpa - part.start);
}

void *gm_ram(const GuestMemory *gm, uint64_t gpa, uint64_t len)
{
    return find_bytes(gm, gpa, len, true);
}

const void *gm_rom(const GuestMemory *gm, uint64_t gpa, uint64_t len)
{
    return find_bytes(gm, gpa, len, false);
}

bool gm_read(const GuestMemory *gm, uint64_t gpa, void *buf, size_t len)
{
    const void *hva = gm_rom(gm, gpa, len);

    if (!hva) {
        return len == 0;
    }
    memcpy(buf, hva, len);
    return true;
}

bool gm_write(GuestMemory *gm, uint64_t gpa, const void *buf, size_t len)
{
    void *hva = gm_ram(gm, gpa, len);

    if (!hva) {
        return len == 0;
    }
    memcpy(hva, buf, len);
    gm_written(gm, gpa, len);
    return true;
}

void gm_set_written(GuestMemory *gm, GmWrittenFn fn, void *opaque)
{
    gm->written = fn;
    gm->written_opaque = opaque;
}

/* of kernels from 5.14 on; older headers lack it */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

void gm_expect_writes(void *hva, size_t len)
{
    uintptr_t from = align_up((uintptr_t)hva, 4096), to = align_down((uintptr_t)hva + len, 4096);

    if (from < to) {
        madvise((void *)from, to - from, MADV_POPULATE_WRITE);
    }
}

void gm_written(GuestMemory *gm, uint64_t gpa, uint64_t len)
{
    if (gm->written && len) {
        gm->written(gm->written_opaque, gpa, len);
    }
}

/* --- registers --- */

static const IoRegion *find_region(const Map *map, uint64_t address)
{
    MapPart part;

    return map_find(map, address, &part) && part.window->config.io.ops ? &part.window->config.io
                                                                       : NULL;
}

const IoRegion *gm_find_mmio(const GuestMemory *gm, uint64_t gpa)
{
    return find_region(&gm->memory, gpa);
}

const IoRegion *gm_find_pio(const GuestMemory *gm, uint16_t port)
{
    return find_region(&gm->ports, port);
}

/* The widest access that the part takes at @address with at most @size bytes left, or 0. */
static unsigned io_step(const MapPart *part, uint64_t address, unsigned size)
{
    unsigned sizes = part->window->config.io.ops ? part->window->config.io.ops->sizes : 1;

    for (unsigned step = size; step; step >>= 1) {
        if ((sizes & step) && range_inside(address, step, part->start, part->size)) {
            return step;
        }
    }
    return 0;
}

static uint64_t call_read(const MapPart *part, uint64_t address, unsigned size)
{
    const IoRegion *io = &part->window->config.io;

    if (io->lock) {
        g_mutex_lock(io->lock);
    }
    uint64_t value = io->ops->read(io->opaque, address - part->origin, size);
    if (io->lock) {
        g_mutex_unlock(io->lock);
    }
    return value;
}

static void call_write(const MapPart *part, uint64_t address, uint64_t value, unsigned size)
{
    const IoRegion *io = &part->window->config.io;

    if (io->lock) {
        g_mutex_lock(io->lock);
    }
    io->ops->write(io->opaque, address - part->origin, value, size);
    if (io->lock) {
        g_mutex_unlock(io->lock);
    }
}

/* The part that holds @address; false: nobody has the next *ret_gap of the @size bytes.  One look
 * for all of these, so that a part that comes meanwhile is there for all or for none. */
static bool find_part(const Map *map, uint64_t address, unsigned size, MapPart *ret_part,
                      unsigned *ret_gap)
{
    if (!map_next(map, address, ret_part)) {
        *ret_gap = size;
        return false;
    }
    *ret_gap = (unsigned)MIN(ret_part->start - address, size);
    return ret_part->start <= address;
}

static uint64_t io_read(const Map *map, uint64_t address, unsigned size)
{
    uint64_t value = 0;

    for (unsigned done = 0, step; done < size; done += step) {
        MapPart part;
        uint64_t bytes = UINT64_MAX;

        if (find_part(map, address + done, size - done, &part, &step)) {
            step = 1;
            if (part.hva) {
                bytes = part.hva[address + done - part.start];
            } else if (io_step(&part, address + done, size - done)) {
                step = io_step(&part, address + done, size - done);
                bytes = call_read(&part, address + done, step);
            }
        }
        value |= (bytes & bits_mask(step * 8)) << (done * 8);
    }
    return value;
}

static void io_write(GuestMemory *gm, const Map *map, uint64_t address, uint64_t value,
                     unsigned size)
{
    for (unsigned done = 0, step; done < size; done += step) {
        MapPart part;
        uint64_t at = address + done;

        if (!find_part(map, at, size - done, &part, &step)) {
            continue;
        }
        step = 1;
        if (window_is_writable(part.window)) {
            part.hva[at - part.start] = (uint8_t)(value >> (done * 8));
            gm_written(gm, at, 1);
            continue;
        }
        unsigned allowed = part.window->config.io.ops ? io_step(&part, at, size - done) : 0;
        if (allowed) {
            step = allowed;
            call_write(&part, at, (value >> (done * 8)) & bits_mask(step * 8), step);
        }
    }
}

uint64_t gm_mmio_read(GuestMemory *gm, uint64_t gpa, unsigned size)
{
    return io_read(&gm->memory, gpa, size);
}

void gm_mmio_write(GuestMemory *gm, uint64_t gpa, uint64_t value, unsigned size)
{
    io_write(gm, &gm->memory, gpa, value, size);
}

uint64_t gm_pio_read(GuestMemory *gm, uint16_t port, unsigned size)
{
    return io_read(&gm->ports, port, size);
}

void gm_pio_write(GuestMemory *gm, uint16_t port, uint64_t value, unsigned size)
{
    io_write(gm, &gm->ports, port, value, size);
}
