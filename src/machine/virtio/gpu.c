/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-gpu, two dimensions (virtio 1.2, section 5.7): the guest draws into memory of its own,
 * makes resources of it, has parts copied here, and says which one is shown.  One scanout, a
 * cursor, EDID.
 *
 * A command is one chain: request, then room for the answer.  It is copied in before anything is
 * checked, and each is a row of a table.  What is shown is drawn when a viewer asks, from the
 * resource as it is then, if a flush has said that something changed.
 *
 * Threads: queues on the I/O thread; drawing and wishes for a size on viewers'; under the lock.
 * Read first: gpu_state.h.
 */
#include "machine/virtio/gpu.h"

#include "common/error.h"
#include "machine/virtio/gpu_state.h"

enum { CONTROL = 0, CURSOR = 1, FEATURE_EDID = 1, FIRST_WIDTH = 1280, FIRST_HEIGHT = 800 };
enum { EVENTS_READ = 0, EVENTS_CLEAR = 4, EVENT_DISPLAY = 1, FLAG_FENCE = 1, SCANOUTS_MAX = 16 };

enum {
    OK_NODATA = 0x1100,
    OK_DISPLAY_INFO = 0x1101,
    OK_EDID = 0x1104,
    ERROR_UNSPECIFIED = 0x1200,
    ERROR_NO_MEMORY = 0x1201,
    ERROR_SCANOUT = 0x1202,
    ERROR_RESOURCE = 0x1203,
    ERROR_PARAMETER = 0x1205,
};

typedef struct Header {
    uint32_t type, flags;
    uint64_t fence;
    uint32_t context;
    uint8_t ring, padding[3];
} Header;

typedef struct Config {
    uint32_t events_read, events_clear, scanouts, capsets;
} Config;

/* Requests, behind their headers. */
typedef union Request {
    struct {
        uint32_t resource, format, width, height;
    } create;
    struct {
        uint32_t resource, padding;
    } unref;
    struct {
        GpuRect rect;
        uint32_t scanout, resource;
    } set_scanout;
    struct {
        GpuRect rect;
        uint32_t resource, padding;
    } flush;
    struct {
        GpuRect rect;
        uint64_t offset;
        uint32_t resource, padding;
    } transfer;
    struct {
        uint32_t resource, n;
    } attach;
    struct {
        uint32_t scanout, padding;
    } edid;
    struct {
        uint32_t scanout, x, y, padding;
        uint32_t resource, hot_x, hot_y, padding2;
    } cursor;
} Request;

/* Answers, behind their headers. */
typedef struct DisplayInfo {
    struct {
        GpuRect rect;
        uint32_t enabled, flags;
    } modes[SCANOUTS_MAX];
} DisplayInfo;

typedef struct EdidAnswer {
    uint32_t size, padding;
    uint8_t edid[1024];
} EdidAnswer;

typedef struct Answer {
    Header header;
    union {
        DisplayInfo info;
        EdidAnswer edid;
    };
} Answer;

/* A command on its way. */
typedef struct Command {
    const VirtqChain *chain;
    Request request;
    Answer answer;
    size_t len; /* of the answer */
} Command;

/* --- commands: each returns the answer's type --- */

static uint32_t get_display_info(Gpu *gpu, Command *command)
{
    DisplayInfo *info = &command->answer.info;

    info->modes[0].rect = (GpuRect){ 0, 0, gpu->width, gpu->height };
    info->modes[0].enabled = 1;
    command->len += sizeof(*info);
    return OK_DISPLAY_INFO;
}

static uint32_t get_edid(Gpu *gpu, Command *command)
{
    EdidAnswer *edid = &command->answer.edid;

    if (command->request.edid.scanout) {
        return ERROR_PARAMETER;
    }
    edid->size = EDID_SIZE;
    edid_fill(edid->edid, gpu->width, gpu->height);
    command->len += sizeof(*edid);
    return OK_EDID;
}

static uint32_t create(Gpu *gpu, Command *command)
{
    uint32_t id = command->request.create.resource;

    if (!id || gpu_find(gpu, id)) {
        return ERROR_RESOURCE;
    }
    if (!gpu_format(command->request.create.format)) {
        return ERROR_PARAMETER;
    }
    bool made = gpu_create(gpu, id, command->request.create.format, command->request.create.width,
                           command->request.create.height);
    return made ? OK_NODATA : ERROR_NO_MEMORY;
}

static uint32_t unref(Gpu *gpu, Command *command)
{
    GpuResource *resource = gpu_find(gpu, command->request.unref.resource);

    if (!resource) {
        return ERROR_RESOURCE;
    }
    if (gpu->scanout == resource->id) {
        gpu->scanout = 0;
        gpu->stale = true;
    }
    gpu_destroy(gpu, resource);
    return OK_NODATA;
}

static uint32_t set_scanout(Gpu *gpu, Command *command)
{
    const GpuRect *rect = &command->request.set_scanout.rect;
    const GpuResource *resource = gpu_find(gpu, command->request.set_scanout.resource);

    if (command->request.set_scanout.scanout) {
        return ERROR_SCANOUT;
    }
    if (!command->request.set_scanout.resource) {
        gpu->scanout = 0;
        gpu->stale = true;
        return OK_NODATA;
    }
    if (!resource) {
        return ERROR_RESOURCE;
    }
    if (!gpu_holds(resource, rect) || !rect->width || !rect->height) {
        return ERROR_PARAMETER;
    }
    gpu->scanout = resource->id;
    gpu->shown = *rect;
    gpu->stale = true;
    return OK_NODATA;
}

static uint32_t flush(Gpu *gpu, Command *command)
{
    const GpuResource *resource = gpu_find(gpu, command->request.flush.resource);

    if (!resource) {
        return ERROR_RESOURCE;
    }
    if (!gpu_holds(resource, &command->request.flush.rect)) {
        return ERROR_PARAMETER;
    }
    gpu->stale |= gpu->scanout == resource->id;
    return OK_NODATA;
}

static uint32_t transfer(Gpu *gpu, Command *command)
{
    GpuResource *resource = gpu_find(gpu, command->request.transfer.resource);
    const GpuRect *rect = &command->request.transfer.rect;

    if (!resource) {
        return ERROR_RESOURCE;
    }
    if (!gpu_holds(resource, rect)) {
        return ERROR_PARAMETER;
    }
    return gpu_copy(gpu, resource, rect, command->request.transfer.offset) ? OK_NODATA
                                                                           : ERROR_UNSPECIFIED;
}

/* One piece of memory as the guest lists it. */
typedef struct Entry {
    uint64_t gpa;
    uint32_t len, padding;
} Entry;

static uint32_t attach(Gpu *gpu, Command *command)
{
    GpuResource *resource = gpu_find(gpu, command->request.attach.resource);
    uint32_t n = command->request.attach.n;
    size_t at = sizeof(Header) + sizeof(command->request.attach);
    Entry entry;

    if (!resource) {
        return ERROR_RESOURCE;
    }
    if (resource->n_pages) {
        return ERROR_UNSPECIFIED; /* it has some already */
    }
    if (command->chain->out_len < at || n > (command->chain->out_len - at) / sizeof(Entry)) {
        return ERROR_PARAMETER;
    }
    GpuPages *pages = gpu_attach(gpu, resource, n);
    if (!pages) {
        return ERROR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < n; i++) {
        virtq_chain_read(command->chain, at + i * sizeof(Entry), &entry, sizeof(entry));
        pages[i] = (GpuPages){ entry.gpa, entry.len };
    }
    return OK_NODATA;
}

static uint32_t detach(Gpu *gpu, Command *command)
{
    GpuResource *resource = gpu_find(gpu, command->request.unref.resource);

    if (!resource) {
        return ERROR_RESOURCE;
    }
    gpu_detach(gpu, resource);
    return OK_NODATA;
}

static uint32_t move_cursor(Gpu *gpu, Command *command)
{
    if (command->request.cursor.scanout) {
        return ERROR_SCANOUT;
    }
    gpu->cursor_x = command->request.cursor.x;
    gpu->cursor_y = command->request.cursor.y;
    gpu->stale = true;
    return OK_NODATA;
}

static uint32_t update_cursor(Gpu *gpu, Command *command)
{
    const GpuResource *resource = gpu_find(gpu, command->request.cursor.resource);
    uint32_t alpha;

    if (command->request.cursor.resource && (!resource || resource->width < VIRTIO_GPU_CURSOR ||
                                             resource->height < VIRTIO_GPU_CURSOR)) {
        return ERROR_RESOURCE;
    }
    gpu->cursor = resource ? resource->id : 0;
    gpu->cursor_hot_x = command->request.cursor.hot_x;
    gpu->cursor_hot_y = command->request.cursor.hot_y;
    for (unsigned i = 0; i < VIRTIO_GPU_CURSOR * VIRTIO_GPU_CURSOR && resource; i++) {
        size_t at = (size_t)(i / VIRTIO_GPU_CURSOR) * resource->width + i % VIRTIO_GPU_CURSOR;
        uint32_t colour = gpu_colour(gpu_format(resource->format), resource->pixels[at], &alpha);
        gpu->cursor_pixels[i] = colour | alpha << 24;
    }
    return move_cursor(gpu, command);
}

typedef struct CommandKind {
    uint32_t type;
    size_t size; /* of the request */
    uint32_t (*handle)(Gpu *gpu, Command *command);
} CommandKind;

#define REQUEST(member) sizeof(((Request *)0)->member)

static const CommandKind control_kinds[] = {
    { 0x100, 0, get_display_info },     { 0x101, REQUEST(create), create },
    { 0x102, REQUEST(unref), unref },   { 0x103, REQUEST(set_scanout), set_scanout },
    { 0x104, REQUEST(flush), flush },   { 0x105, REQUEST(transfer), transfer },
    { 0x106, REQUEST(attach), attach }, { 0x107, REQUEST(unref), detach },
    { 0x10a, REQUEST(edid), get_edid }, { 0, 0, NULL },
};
static const CommandKind cursor_kinds[] = {
    { 0x300, REQUEST(cursor), update_cursor },
    { 0x301, REQUEST(cursor), move_cursor },
    { 0, 0, NULL },
};

static uint32_t run(Gpu *gpu, const CommandKind *kinds, const Header *header, Command *command)
{
    while (kinds->handle && kinds->type != header->type) {
        kinds++;
    }
    if (!kinds->handle) {
        guest_error(&gpu->virtio.device, "unknown command %x", header->type);
        return ERROR_UNSPECIFIED;
    }
    size_t got = virtq_chain_read(command->chain, sizeof(*header), &command->request, kinds->size);
    return got == kinds->size ? kinds->handle(gpu, command) : ERROR_PARAMETER;
}

static void serve(Gpu *gpu, Virtq *q, const CommandKind *kinds)
{
    VirtqChain chain;
    Header header;

    while (virtq_pop(q, &chain)) {
        Command command = { .chain = &chain, .len = sizeof(Header) };
        if (virtq_chain_read(&chain, 0, &header, sizeof(header)) != sizeof(header)) {
            guest_error(&gpu->virtio.device, "a command without a header");
            virtq_push(q, &chain, 0);
            continue;
        }
        uint32_t type = run(gpu, kinds, &header, &command);
        command.answer.header.type = type;
        if (header.flags & FLAG_FENCE) {
            command.answer.header.flags = FLAG_FENCE;
            command.answer.header.fence = header.fence;
            command.answer.header.context = header.context;
        }
        virtq_push(q, &chain, virtq_chain_write(&chain, 0, &command.answer, command.len));
    }
}

static void on_control(VirtioDev *virtio, Virtq *q)
{
    serve(container_of(virtio, Gpu, virtio), q, control_kinds);
}

static void on_cursor(VirtioDev *virtio, Virtq *q)
{
    serve(container_of(virtio, Gpu, virtio), q, cursor_kinds);
}

/* --- viewers --- */

static uint32_t blend(uint32_t below, uint32_t above)
{
    uint32_t alpha = above >> 24, result = 0;

    for (unsigned shift = 0; shift < 24; shift += 8) {
        uint32_t a = above >> shift & 0xff, b = below >> shift & 0xff;
        result |= (a * alpha + b * (255 - alpha)) / 255 << shift;
    }
    return result;
}

/* The cursor's part of row @y. */
static void draw_cursor(const Gpu *gpu, unsigned y, uint32_t *row, unsigned width)
{
    int64_t line = (int64_t)y - ((int64_t)(int32_t)gpu->cursor_y - (int32_t)gpu->cursor_hot_y);
    int64_t left = (int64_t)(int32_t)gpu->cursor_x - (int32_t)gpu->cursor_hot_x;

    if (!gpu->cursor || line < 0 || line >= VIRTIO_GPU_CURSOR) {
        return;
    }
    const uint32_t *cursor = gpu->cursor_pixels + line * VIRTIO_GPU_CURSOR;
    for (unsigned i = 0; i < VIRTIO_GPU_CURSOR; i++) {
        int64_t x = left + i;
        if (x >= 0 && x < width) {
            row[x] = blend(row[x], cursor[i]);
        }
    }
}

static void draw(const Gpu *gpu, const GpuResource *resource, Display *display)
{
    const GpuFormat *format = gpu_format(resource->format);
    const GpuRect *shown = &gpu->shown;
    uint32_t row[DISPLAY_MAX_WIDTH], alpha;

    display_begin(display, shown->width, shown->height);
    for (unsigned y = 0; y < shown->height; y++) {
        const uint32_t *from =
            resource->pixels + (size_t)(shown->y + y) * resource->width + shown->x;
        for (unsigned x = 0; x < shown->width; x++) {
            row[x] = gpu_colour(format, from[x], &alpha);
        }
        draw_cursor(gpu, y, row, shown->width);
        display_put(display, 0, y, row, shown->width);
    }
    display_end(display);
}

static void draw_nothing(const Gpu *gpu, Display *display)
{
    static const uint32_t black[DISPLAY_MAX_WIDTH];

    display_begin(display, gpu->width, gpu->height);
    for (unsigned y = 0; y < gpu->height; y++) {
        display_put(display, 0, y, black, gpu->width);
    }
    display_end(display);
}

static void refresh(void *opaque, Display *display)
{
    Gpu *gpu = opaque;

    g_mutex_lock(&gpu->virtio.device.lock);
    const GpuResource *resource = gpu_find(gpu, gpu->scanout);
    if (gpu->stale && resource) {
        draw(gpu, resource, display);
    } else if (gpu->stale) {
        draw_nothing(gpu, display);
    }
    gpu->stale = false;
    g_mutex_unlock(&gpu->virtio.device.lock);
}

static void tell_config(Gpu *gpu, uint32_t events)
{
    const Config config = { .events_read = events, .scanouts = 1 };

    virtio_dev_set_config(&gpu->virtio, &config, sizeof(config));
}

static bool want_size(void *opaque, unsigned width, unsigned height)
{
    Gpu *gpu = opaque;

    g_mutex_lock(&gpu->virtio.device.lock);
    bool told = virtio_dev_runs(&gpu->virtio);
    if (told && (width != gpu->width || height != gpu->height)) {
        gpu->width = width;
        gpu->height = height;
        tell_config(gpu, EVENT_DISPLAY);
        virtio_dev_config_changed(&gpu->virtio);
    }
    g_mutex_unlock(&gpu->virtio.device.lock);
    return told;
}

/* --- life --- */

static void write_config(VirtioDev *virtio, unsigned offset, uint32_t value, unsigned size)
{
    if (offset == EVENTS_CLEAR && size == 4) {
        uint32_t events = load_le32(virtio->config + EVENTS_READ);
        tell_config(container_of(virtio, Gpu, virtio), events & ~value);
    }
}

static void reset(VirtioDev *virtio)
{
    Gpu *gpu = container_of(virtio, Gpu, virtio);

    gpu_destroy_all(gpu);
    gpu->scanout = gpu->cursor = 0;
    gpu->cursor_x = gpu->cursor_y = gpu->cursor_hot_x = gpu->cursor_hot_y = 0;
    gpu->stale = true;
    tell_config(gpu, 0);
}

static bool loaded(VirtioDev *virtio, GError **error)
{
    Gpu *gpu = container_of(virtio, Gpu, virtio);
    bool good = gpu_restore(gpu);
    const GpuResource *resource = gpu_find(gpu, gpu->scanout);

    good = good && (!resource ||
                    (gpu_holds(resource, &gpu->shown) && gpu->shown.width && gpu->shown.height));
    good = good && (uint64_t)gpu->width * gpu->height <= DISPLAY_MAX_PIXELS;
    if (!good) {
        set_error(error, "cannot load the state of '%s': its pictures can't be",
                  virtio->device.name);
    }
    gpu->stale = true;
    return good;
}

static void destroy(VirtioDev *virtio)
{
    Gpu *gpu = container_of(virtio, Gpu, virtio);

    display_attach(gpu->display, NULL);
    gpu_destroy_all(gpu);
}

static const SavedField saved[] = {
    VIRTIO_SAVED(Gpu),
    SAVED_EACH(Gpu, resources, id),
    SAVED_EACH(Gpu, resources, format),
    SAVED_EACH(Gpu, resources, width),
    SAVED_EACH(Gpu, resources, height),
    SAVED_EACH(Gpu, resources, first_page),
    SAVED_EACH(Gpu, resources, n_pages),
    SAVED_EACH(Gpu, pages, gpa),
    SAVED_EACH(Gpu, pages, len),
    SAVED_RANGE(Gpu, n_pages, 0, VIRTIO_GPU_PAGES),
    SAVED(Gpu, scanout),
    SAVED(Gpu, shown.x),
    SAVED(Gpu, shown.y),
    SAVED(Gpu, shown.width),
    SAVED(Gpu, shown.height),
    SAVED(Gpu, cursor),
    SAVED(Gpu, cursor_x),
    SAVED(Gpu, cursor_y),
    SAVED(Gpu, cursor_hot_x),
    SAVED(Gpu, cursor_hot_y),
    SAVED_ARRAY(Gpu, cursor_pixels),
    SAVED_RANGE(Gpu, width, 1, DISPLAY_MAX_WIDTH),
    SAVED_RANGE(Gpu, height, 1, DISPLAY_MAX_HEIGHT),
    { 0 },
};

const VirtioClass virtio_gpu_class = {
    .device = {
        .name = "virtio-gpu",
        .summary = "screen of two dimensions",
        .instance_size = sizeof(Gpu),
        .saved = saved,
        .reset = virtio_dev_reset,
        .loaded = virtio_dev_loaded,
        .destroy = virtio_dev_destroy,
    },
    .device_id = 16,
    .in_order = true,
    .queues = {
        [CONTROL] = { .name = "control", .size = 64, .on_kick = on_control },
        [CURSOR] = { .name = "cursor", .size = 64, .on_kick = on_cursor },
    },
    .reset = reset,
    .loaded = loaded,
    .write_config = write_config,
    .destroy = destroy,
};

VirtioDev *virtio_gpu_new(const VirtioSlot *slot, Display *display)
{
    Gpu *gpu = virtio_dev_new(&virtio_gpu_class, slot, VIRTIO_FEATURE(FEATURE_EDID));

    gpu->display = display;
    gpu->width = FIRST_WIDTH;
    gpu->height = FIRST_HEIGHT;
    gpu->stale = true;
    tell_config(gpu, 0);
    display_attach(display, &(DisplaySource){ gpu, refresh, want_size });
    return &gpu->virtio;
}
