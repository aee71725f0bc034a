/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of virtio-gpu, for gpu.c and gpu_resource.c only.
 *
 * A resource is a picture of ours, and a list of the guest's pages that hold the guest's copy of
 * it.  The lists of all resources stand in one array, .pages, one behind the other, so that there
 * is one limit for all of them and a saved state is of one size.  Pixels are not saved: they are
 * copied from the guest's pages again.
 *
 * Threads: all under the device's lock.
 */
#pragma once

#include "display/display.h"
#include "display/edid.h"
#include "machine/virtio/gpu.h"

typedef struct GpuRect {
    uint32_t x, y, width, height;
} GpuRect;

/* A piece of guest memory. */
typedef struct GpuPages {
    uint64_t gpa;
    uint32_t len;
} GpuPages;

typedef struct GpuResource {
    uint32_t id; /* 0: this row is free */
    uint32_t format, width, height;
    uint32_t first_page, n_pages; /* of .pages */
    uint32_t *pixels;             /* [height][width], as the guest wrote them */
} GpuResource;

/* Where the colours of a format stand in 32 bits. */
typedef struct GpuFormat {
    uint32_t number;
    uint8_t red, green, blue;
    uint8_t alpha; /* 32: it has none */
} GpuFormat;

typedef struct Gpu {
    VirtioDev virtio;
    /* fixed after create */
    Display *display;
    /* lock: virtio.device.lock */
    GpuResource resources[VIRTIO_GPU_RESOURCES];
    GpuPages pages[VIRTIO_GPU_PAGES];
    uint32_t n_pages;
    uint32_t scanout; /* the resource that is shown; 0: none */
    GpuRect shown;    /* of it */
    uint32_t cursor;  /* the resource; 0: none */
    uint32_t cursor_x, cursor_y, cursor_hot_x, cursor_hot_y;
    uint32_t cursor_pixels[VIRTIO_GPU_CURSOR * VIRTIO_GPU_CURSOR]; /* AARRGGBB */
    uint32_t width, height;                                        /* that a viewer would like */
    uint64_t bytes;                                                /* of all .pixels */
    bool stale; /* the picture is not what was last drawn */
} Gpu;

/* gpu_resource.c */
/* NULL: there is none, or for format: it is not known. */
GpuResource *gpu_find(Gpu *gpu, uint32_t id);
const GpuFormat *gpu_format(uint32_t number);
/* False: it can't be, or there is no room. */
bool gpu_create(Gpu *gpu, uint32_t id, uint32_t format, uint32_t width, uint32_t height);
void gpu_destroy(Gpu *gpu, GpuResource *resource);
void gpu_destroy_all(Gpu *gpu);
/* Room for @n more pieces of guest memory; NULL: there is none.  The caller fills them. */
GpuPages *gpu_attach(Gpu *gpu, GpuResource *resource, uint32_t n);
void gpu_detach(Gpu *gpu, GpuResource *resource);
bool gpu_holds(const GpuResource *resource, const GpuRect *rect);
/* Copy @rect from the guest's pages, where it begins at @offset; false: it isn't all there. */
bool gpu_copy(Gpu *gpu, GpuResource *resource, const GpuRect *rect, uint64_t offset);
/* Check what was loaded, and get the pixels. */
bool gpu_restore(Gpu *gpu);
uint32_t gpu_colour(const GpuFormat *format, uint32_t pixel, uint32_t *ret_alpha);
