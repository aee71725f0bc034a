/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's address map, see memory.h.
 *
 * Three sorted arrays (RAM, MMIO, ports), searched by halves.
 */
#include "memory/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/bits.h"
#include "common/error.h"

struct GuestMemory {
    /* fixed after the machine is built */
    GArray *ram;  /* RamRegion, by gpa */
    GArray *mmio; /* IoRegion, by base */
    GArray *pio;  /* IoRegion, by base */
    GmWrittenFn written;
    void *written_opaque;
};

GuestMemory *gm_new(void)
{
    GuestMemory *gm = g_new0(GuestMemory, 1);

    gm->ram = g_array_new(FALSE, FALSE, sizeof(RamRegion));
    gm->mmio = g_array_new(FALSE, FALSE, sizeof(IoRegion));
    gm->pio = g_array_new(FALSE, FALSE, sizeof(IoRegion));
    return gm;
}

void gm_free(GuestMemory *gm)
{
    if (!gm) {
        return;
    }
    for (guint i = 0; i < gm->ram->len; i++) {
        RamRegion *ram = &g_array_index(gm->ram, RamRegion, i);
        munmap(ram->hva, ram->size);
        close(ram->memfd);
    }
    g_array_free(gm->ram, TRUE);
    g_array_free(gm->mmio, TRUE);
    g_array_free(gm->pio, TRUE);
    g_free(gm);
}

/* A sealed memfd of @size bytes, mapped; sets the region's hva and memfd. */
static bool map_ram(RamRegion *ram, GError **error)
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

static gint by_gpa(gconstpointer a, gconstpointer b)
{
    const RamRegion *x = a, *y = b;

    return x->gpa < y->gpa ? -1 : x->gpa > y->gpa;
}

static gint by_base(gconstpointer a, gconstpointer b)
{
    const IoRegion *x = a, *y = b;

    return x->base < y->base ? -1 : x->base > y->base;
}

bool gm_add_ram(GuestMemory *gm, uint64_t gpa, uint64_t size, GError **error)
{
    RamRegion ram = { .gpa = gpa, .size = size };

    g_assert(size && size % 4096 == 0 && gpa % 4096 == 0);
    for (guint i = 0; i < gm->ram->len; i++) {
        const RamRegion *other = &g_array_index(gm->ram, RamRegion, i);
        g_assert(!ranges_overlap(gpa, size, other->gpa, other->size));
    }
    if (!map_ram(&ram, error)) {
        return false;
    }
    g_array_append_val(gm->ram, ram);
    g_array_sort(gm->ram, by_gpa);
    return true;
}

static void add_io(GArray *regions, const IoRegion *region)
{
    g_assert(region->size && region->ops->sizes);
    for (guint i = 0; i < regions->len; i++) {
        const IoRegion *other = &g_array_index(regions, IoRegion, i);
        g_assert(!ranges_overlap(region->base, region->size, other->base, other->size));
    }
    g_array_append_vals(regions, region, 1);
    g_array_sort(regions, by_base);
}

void gm_add_mmio(GuestMemory *gm, const IoRegion *region)
{
    add_io(gm->mmio, region);
}

void gm_add_pio(GuestMemory *gm, const IoRegion *region)
{
    g_assert(region->base + region->size <= 0x10000);
    add_io(gm->pio, region);
}

const RamRegion *gm_ram_regions(const GuestMemory *gm, size_t *ret_n)
{
    *ret_n = gm->ram->len;
    return (const RamRegion *)(void *)gm->ram->data;
}

uint64_t gm_ram_size(const GuestMemory *gm)
{
    uint64_t size = 0;

    for (guint i = 0; i < gm->ram->len; i++) {
        size += g_array_index(gm->ram, RamRegion, i).size;
    }
    return size;
}

const RamRegion *gm_find_ram(const GuestMemory *gm, uint64_t gpa)
{
    for (guint i = 0; i < gm->ram->len; i++) {
        const RamRegion *ram = &g_array_index(gm->ram, RamRegion, i);
        if (gpa - ram->gpa < ram->size) {
            return ram;
        }
    }
    return NULL;
}

void *gm_ram(const GuestMemory *gm, uint64_t gpa, uint64_t len)
{
    const RamRegion *ram = gm_find_ram(gm, gpa);

    if (!ram || !len || !range_inside(gpa, len, ram->gpa, ram->size)) {
        return NULL;
    }
    return ram->hva + (gpa - ram->gpa);
}

bool gm_read(const GuestMemory *gm, uint64_t gpa, void *buf, size_t len)
{
    const void *hva = gm_ram(gm, gpa, len);

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

void gm_written(GuestMemory *gm, uint64_t gpa, uint64_t len)
{
    if (gm->written && len) {
        gm->written(gm->written_opaque, gpa, len);
    }
}

/* The region that holds @address: the last that begins at or below it. */
static const IoRegion *find_io(const GArray *regions, uint64_t address)
{
    const IoRegion *all = (const IoRegion *)(void *)regions->data;
    guint low = 0, high = regions->len;

    while (low < high) {
        guint middle = (low + high) / 2;
        if (all[middle].base <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low && address - all[low - 1].base < all[low - 1].size ? &all[low - 1] : NULL;
}

const IoRegion *gm_find_mmio(const GuestMemory *gm, uint64_t gpa)
{
    return find_io(gm->mmio, gpa);
}

const IoRegion *gm_find_pio(const GuestMemory *gm, uint16_t port)
{
    return find_io(gm->pio, port);
}

/* The widest access that @region takes at @address with at most @size bytes left, or 0. */
static unsigned io_step(const IoRegion *region, uint64_t address, unsigned size)
{
    for (unsigned step = size; step; step >>= 1) {
        if ((region->ops->sizes & step) &&
            range_inside(address, step, region->base, region->size)) {
            return step;
        }
    }
    return 0;
}

static uint64_t io_read(const GArray *regions, uint64_t address, unsigned size)
{
    uint64_t value = 0;

    for (unsigned done = 0, step; done < size; done += step) {
        const IoRegion *region = find_io(regions, address + done);
        uint64_t part = UINT64_MAX;

        step = 1;
        unsigned allowed = region ? io_step(region, address + done, size - done) : 0;
        if (allowed) {
            step = allowed;
            if (region->lock) {
                g_mutex_lock(region->lock);
            }
            part = region->ops->read(region->opaque, address + done - region->base, step);
            if (region->lock) {
                g_mutex_unlock(region->lock);
            }
        }
        value |= (part & bits_mask(step * 8)) << (done * 8);
    }
    return value;
}

static void io_write(const GArray *regions, uint64_t address, uint64_t value, unsigned size)
{
    for (unsigned done = 0, step; done < size; done += step) {
        const IoRegion *region = find_io(regions, address + done);

        step = 1;
        unsigned allowed = region ? io_step(region, address + done, size - done) : 0;
        if (allowed) {
            step = allowed;
            uint64_t part = (value >> (done * 8)) & bits_mask(step * 8);
            if (region->lock) {
                g_mutex_lock(region->lock);
            }
            region->ops->write(region->opaque, address + done - region->base, part, step);
            if (region->lock) {
                g_mutex_unlock(region->lock);
            }
        }
    }
}

uint64_t gm_mmio_read(GuestMemory *gm, uint64_t gpa, unsigned size)
{
    return io_read(gm->mmio, gpa, size);
}

void gm_mmio_write(GuestMemory *gm, uint64_t gpa, uint64_t value, unsigned size)
{
    io_write(gm->mmio, gpa, value, size);
}

uint64_t gm_pio_read(GuestMemory *gm, uint16_t port, unsigned size)
{
    return io_read(gm->pio, port, size);
}

void gm_pio_write(GuestMemory *gm, uint16_t port, uint64_t value, unsigned size)
{
    io_write(gm->pio, port, value, size);
}
