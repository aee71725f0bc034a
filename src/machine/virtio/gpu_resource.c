/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pictures that a guest keeps in virtio-gpu, and the memory they are copied from: see
 * gpu_state.h.
 *
 * Threads: under the device's lock.
 */
#include <string.h>

#include "machine/virtio/gpu_state.h"

enum { OPAQUE = 32, BYTES = 4 };

/* Virtio 1.2, 5.7.6.8: names say how bytes follow in memory, here are the shifts. */
static const GpuFormat formats[] = {
    { 1, 16, 8, 0, 24 },   { 2, 16, 8, 0, OPAQUE },   /* B8G8R8A8, B8G8R8X8 */
    { 3, 8, 16, 24, 0 },   { 4, 8, 16, 24, OPAQUE },  /* A8R8G8B8, X8R8G8B8 */
    { 67, 0, 8, 16, 24 },  { 134, 0, 8, 16, OPAQUE }, /* R8G8B8A8, R8G8B8X8 */
    { 121, 24, 16, 8, 0 }, { 68, 24, 16, 8, OPAQUE }, /* A8B8G8R8, X8B8G8R8 */
};

const GpuFormat *gpu_format(uint32_t number)
{
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        if (formats[i].number == number) {
            return &formats[i];
        }
    }
    return NULL;
}

uint32_t gpu_colour(const GpuFormat *format, uint32_t pixel, uint32_t *ret_alpha)
{
    *ret_alpha = format->alpha == OPAQUE ? 0xff : pixel >> format->alpha & 0xff;
    return (pixel >> format->red & 0xff) << 16 | (pixel >> format->green & 0xff) << 8 |
           (pixel >> format->blue & 0xff);
}

GpuResource *gpu_find(Gpu *gpu, uint32_t id)
{
    for (unsigned i = 0; i < VIRTIO_GPU_RESOURCES && id; i++) {
        if (gpu->resources[i].id == id) {
            return &gpu->resources[i];
        }
    }
    return NULL;
}

static GpuResource *find_free(Gpu *gpu)
{
    for (unsigned i = 0; i < VIRTIO_GPU_RESOURCES; i++) {
        if (!gpu->resources[i].id) {
            return &gpu->resources[i];
        }
    }
    return NULL;
}

static uint64_t bytes_of(const GpuResource *resource)
{
    return (uint64_t)resource->width * resource->height * BYTES;
}

/* Memory for the pixels of @resource, whose size and format are the guest's word. */
static bool allocate(Gpu *gpu, GpuResource *resource)
{
    if (!gpu_format(resource->format) || !resource->width || !resource->height ||
        resource->width > DISPLAY_MAX_WIDTH || resource->height > DISPLAY_MAX_HEIGHT ||
        (uint64_t)resource->width * resource->height > DISPLAY_MAX_PIXELS ||
        gpu->bytes + bytes_of(resource) > VIRTIO_GPU_BYTES) {
        return false;
    }
    resource->pixels = g_try_malloc0(bytes_of(resource));
    gpu->bytes += resource->pixels ? bytes_of(resource) : 0;
    return resource->pixels != NULL;
}

bool gpu_create(Gpu *gpu, uint32_t id, uint32_t format, uint32_t width, uint32_t height)
{
    GpuResource *resource = find_free(gpu);
    GpuResource new = { .id = id, .format = format, .width = width, .height = height };

    if (!resource || !allocate(gpu, &new)) {
        return false;
    }
    *resource = new;
    return true;
}

void gpu_destroy(Gpu *gpu, GpuResource *resource)
{
    gpu_detach(gpu, resource);
    gpu->bytes -= resource->pixels ? bytes_of(resource) : 0;
    g_free(resource->pixels);
    *resource = (GpuResource){ 0 };
}

void gpu_destroy_all(Gpu *gpu)
{
    for (unsigned i = 0; i < VIRTIO_GPU_RESOURCES; i++) {
        g_free(gpu->resources[i].pixels);
        gpu->resources[i] = (GpuResource){ 0 };
    }
    gpu->bytes = 0;
    gpu->n_pages = 0;
}

/* --- guest memory --- */

GpuPages *gpu_attach(Gpu *gpu, GpuResource *resource, uint32_t n)
{
    if (n > VIRTIO_GPU_PAGES - gpu->n_pages) {
        return NULL;
    }
    resource->first_page = gpu->n_pages;
    resource->n_pages = n;
    gpu->n_pages += n;
    return gpu->pages + resource->first_page;
}

/* What stands behind the list that goes moves up. */
void gpu_detach(Gpu *gpu, GpuResource *resource)
{
    uint32_t first = resource->first_page, n = resource->n_pages;

    if (!n) {
        return;
    }
    memmove(gpu->pages + first, gpu->pages + first + n,
            (size_t)(gpu->n_pages - first - n) * sizeof(*gpu->pages));
    gpu->n_pages -= n;
    for (unsigned i = 0; i < VIRTIO_GPU_RESOURCES; i++) {
        GpuResource *other = &gpu->resources[i];
        other->first_page -= other->n_pages && other->first_page > first ? n : 0;
    }
    resource->first_page = resource->n_pages = 0;
}

bool gpu_holds(const GpuResource *resource, const GpuRect *rect)
{
    return range_inside(rect->x, rect->width, 0, resource->width) &&
           range_inside(rect->y, rect->height, 0, resource->height);
}

/* Where we are in a resource's list: it is only walked forwards. */
typedef struct Walk {
    const GpuPages *page, *end;
    uint64_t skipped; /* bytes before .page */
} Walk;

/* Copy @len bytes at @at of the list; false: it ends before, or isn't RAM. */
static bool walk_copy(const Gpu *gpu, Walk *walk, uint64_t at, uint8_t *to, uint64_t len)
{
    while (len) {
        while (walk->page < walk->end && at - walk->skipped >= walk->page->len) {
            walk->skipped += walk->page->len;
            walk->page++;
        }
        if (walk->page == walk->end) {
            return false;
        }
        uint64_t inside = at - walk->skipped;
        uint64_t part = MIN(len, walk->page->len - inside);
        if (!gm_read(gpu->virtio.device.env.memory, walk->page->gpa + inside, to, part)) {
            return false;
        }
        at += part;
        to += part;
        len -= part;
    }
    return true;
}

bool gpu_copy(Gpu *gpu, GpuResource *resource, const GpuRect *rect, uint64_t offset)
{
    const GpuPages *pages = gpu->pages + resource->first_page;
    Walk walk = { pages, pages + resource->n_pages, 0 };
    uint64_t stride = (uint64_t)resource->width * BYTES;

    if (offset > bytes_of(resource)) {
        return false;
    }
    for (uint32_t y = 0; y < rect->height; y++) {
        uint32_t *to = resource->pixels + (size_t)(rect->y + y) * resource->width + rect->x;
        if (!walk_copy(gpu, &walk, offset + y * stride, (uint8_t *)to,
                       (uint64_t)rect->width * BYTES)) {
            return false;
        }
    }
    return true;
}

/* --- a saved state --- */

/* Its list lies inside the array and overlaps none before it. */
static bool check_pages(const Gpu *gpu, unsigned index)
{
    const GpuResource *resource = &gpu->resources[index];

    if (!range_inside(resource->first_page, resource->n_pages, 0, gpu->n_pages)) {
        return false;
    }
    for (unsigned i = 0; i < index; i++) {
        const GpuResource *other = &gpu->resources[i];
        if (other->n_pages && resource->n_pages &&
            ranges_overlap(resource->first_page, resource->n_pages, other->first_page,
                           other->n_pages)) {
            return false;
        }
    }
    return true;
}

bool gpu_restore(Gpu *gpu)
{
    bool good = true;

    for (unsigned i = 0; i < VIRTIO_GPU_RESOURCES; i++) {
        g_clear_pointer(&gpu->resources[i].pixels, g_free);
    }
    gpu->bytes = 0;
    for (unsigned i = 0; i < VIRTIO_GPU_RESOURCES && good; i++) {
        GpuResource *resource = &gpu->resources[i];
        const GpuRect all = { 0, 0, resource->width, resource->height };
        if (!resource->id) {
            resource->first_page = resource->n_pages = 0;
            continue;
        }
        good = gpu_find(gpu, resource->id) == resource && check_pages(gpu, i) &&
               allocate(gpu, resource);
        if (good) {
            gpu_copy(gpu, resource, &all, 0); /* what isn't there stays black */
        }
    }
    return good;
}
