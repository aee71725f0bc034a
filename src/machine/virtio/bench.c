/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest of a virtio device in tests, see bench.h.
 */
#include "machine/virtio/bench.h"

#include "machine/virtio/pci.h"

enum { RINGS = 0x8000, AVAILABLE = 0x2000, USED = 0x4000 };

uint64_t virtio_bench_desc_gpa(unsigned q)
{
    return (uint64_t)RINGS * (q + 1);
}

uint64_t virtio_bench_available_gpa(unsigned q)
{
    return virtio_bench_desc_gpa(q) + AVAILABLE;
}

uint64_t virtio_bench_used_gpa(unsigned q)
{
    return virtio_bench_desc_gpa(q) + USED;
}

static VirtioBench *new_bench(void)
{
    VirtioBench *b = g_new0(VirtioBench, 1);

    bench_init(&b->bench);
    b->packed = g_getenv("INSULA_TEST_PACKED") != NULL;
    b->io = io_thread_new_manual();
    g_assert(gm_add_ram(b->bench.env.memory, 0, VIRTIO_BENCH_RAM, NULL));
    return b;
}

VirtioBench *virtio_bench_new(VirtioBenchMake make, void *opaque)
{
    VirtioBench *b = new_bench();
    VirtioSlot slot = {
        .env = b->bench.env,
        .io = b->io,
        .base = VIRTIO_BENCH_BASE,
        .irq = bench_line(&b->bench, 0),
        .name = "bench",
    };

    b->dev = make(&slot, opaque);
    device_reset(&b->dev->device);
    return b;
}

static unsigned route(void *opaque, unsigned device, unsigned pin)
{
    return 0;
}

/* Where the registers are, and what may be done: as firmware leaves it. */
static void place_bars(VirtioBench *b)
{
    enum { MSIX_BAR = PCI_BAR0 + 4, REGISTERS_BAR = PCI_BAR0 + 16 };

    pci_root_write(b->root, 0, VIRTIO_BENCH_DEVFN, MSIX_BAR, VIRTIO_BENCH_BAR - 0x10000, 4);
    pci_root_write(b->root, 0, VIRTIO_BENCH_DEVFN, REGISTERS_BAR, VIRTIO_BENCH_BAR, 4);
    pci_root_write(b->root, 0, VIRTIO_BENCH_DEVFN, REGISTERS_BAR + 4, 0, 4);
    pci_root_write(b->root, 0, VIRTIO_BENCH_DEVFN, PCI_COMMAND,
                   PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
}

VirtioBench *virtio_bench_new_pci(VirtioBenchMake make, void *opaque)
{
    VirtioBench *b = new_bench();
    PciRootConfig root = { .memory = b->bench.env.memory, .route = route };

    root.pirqs[0] = bench_line(&b->bench, 0);
    b->root = pci_root_new(&root);
    PciSlot place = { b->bench.env, pci_root_bus(b->root), VIRTIO_BENCH_DEVFN, "pci", false };
    b->function = virtio_pci_new(&place);
    VirtioSlot slot = {
        .env = b->bench.env,
        .io = b->io,
        .transport = &virtio_pci,
        .transport_opaque = b->function,
        .name = "bench",
    };
    b->dev = make(&slot, opaque);
    device_reset((Device *)b->function);
    device_reset(&b->dev->device);
    place_bars(b);
    return b;
}

void virtio_bench_free(VirtioBench *b)
{
    if (b) {
        device_free(&b->dev->device);
        device_free((Device *)b->function);
        pci_root_free(b->root);
        io_thread_free(b->io);
        bench_clear(&b->bench);
        g_free(b);
    }
}

/* Registers of MMIO, where PCI has them, and their size there (virtio 1.2, 4.1.4.3). */
static const struct {
    uint16_t mmio, pci;
    uint8_t size;
} registers[] = {
    { VB_DEVICE_FEATURES_SEL, 0x00, 4 },
    { VB_DEVICE_FEATURES, 0x04, 4 },
    { VB_DRIVER_FEATURES_SEL, 0x08, 4 },
    { VB_DRIVER_FEATURES, 0x0c, 4 },
    { VB_STATUS, 0x14, 1 },
    { VB_CONFIG_GENERATION, 0x15, 1 },
    { VB_QUEUE_SEL, 0x16, 2 },
    { VB_QUEUE_NUM_MAX, 0x18, 2 },
    { VB_QUEUE_NUM, 0x18, 2 },
    { VB_QUEUE_READY, 0x1c, 2 },
    { VB_QUEUE_DESC, 0x20, 4 },
    { VB_QUEUE_DESC + 4, 0x24, 4 },
    { VB_QUEUE_DRIVER, 0x28, 4 },
    { VB_QUEUE_DRIVER + 4, 0x2c, 4 },
    { VB_QUEUE_DEVICE, 0x30, 4 },
    { VB_QUEUE_DEVICE + 4, 0x34, 4 },
    { VB_QUEUE_RESET, 0x3a, 2 },
    { VB_INTERRUPT_STATUS, 0x1000, 1 },
};

/* Where @reg is; *@ret_size: 0, if it is nowhere. */
static uint64_t find_register(const VirtioBench *b, unsigned reg, unsigned *ret_size)
{
    enum { DEVICE_PART = 0x2000 };

    *ret_size = 4;
    if (!b->root) {
        return VIRTIO_BENCH_BASE + reg;
    }
    if (reg >= VB_CONFIG) {
        return VIRTIO_BENCH_BAR + DEVICE_PART + reg - VB_CONFIG;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(registers); i++) {
        if (registers[i].mmio == reg) {
            *ret_size = registers[i].size;
            return VIRTIO_BENCH_BAR + registers[i].pci;
        }
    }
    *ret_size = 0;
    return 0;
}

uint32_t virtio_bench_read(VirtioBench *b, unsigned reg)
{
    unsigned size;
    uint64_t gpa = find_register(b, reg, &size);

    return size ? (uint32_t)gm_mmio_read(b->bench.env.memory, gpa, size) : 0;
}

void virtio_bench_write(VirtioBench *b, unsigned reg, uint32_t value)
{
    enum { NOTIFY_PART = 0x3000 };
    unsigned size;
    uint64_t gpa = find_register(b, reg, &size);

    if (b->root && reg == VB_QUEUE_NOTIFY) {
        gpa = VIRTIO_BENCH_BAR + NOTIFY_PART + 4 * (uint64_t)(value % 0x400);
        size = 2;
    }
    if (size) {
        gm_mmio_write(b->bench.env.memory, gpa, value & (uint32_t)bits_mask(8 * size), size);
    }
}

static void write_64(VirtioBench *b, unsigned reg, uint64_t value)
{
    virtio_bench_write(b, reg, (uint32_t)value);
    virtio_bench_write(b, reg + 4, (uint32_t)(value >> 32));
}

uint64_t virtio_bench_features(VirtioBench *b)
{
    uint64_t features = 0;

    for (unsigned half = 0; half < 2; half++) {
        virtio_bench_write(b, VB_DEVICE_FEATURES_SEL, half);
        features |= (uint64_t)virtio_bench_read(b, VB_DEVICE_FEATURES) << (32 * half);
    }
    return features;
}

bool virtio_bench_negotiate(VirtioBench *b, uint64_t features)
{
    enum { GREETED = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER };

    virtio_bench_write(b, VB_STATUS, 0);
    virtio_bench_write(b, VB_STATUS, VIRTIO_STATUS_ACKNOWLEDGE);
    virtio_bench_write(b, VB_STATUS, GREETED);
    for (unsigned half = 0; half < 2; half++) {
        virtio_bench_write(b, VB_DRIVER_FEATURES_SEL, half);
        virtio_bench_write(b, VB_DRIVER_FEATURES, (uint32_t)(features >> (32 * half)));
    }
    virtio_bench_write(b, VB_STATUS, GREETED | VIRTIO_STATUS_FEATURES_OK);
    return virtio_bench_read(b, VB_STATUS) & VIRTIO_STATUS_FEATURES_OK;
}

void virtio_bench_queue(VirtioBench *b, unsigned q, uint16_t size)
{
    static const uint8_t zeros[RINGS];

    gm_write(b->bench.env.memory, virtio_bench_desc_gpa(q), zeros, sizeof(zeros));
    b->queues[q] = (VirtioBenchQueue){ .size = size, .available_wrap = true, .used_wrap = true };
    virtio_bench_write(b, VB_QUEUE_SEL, q);
    virtio_bench_write(b, VB_QUEUE_NUM, size);
    write_64(b, VB_QUEUE_DESC, virtio_bench_desc_gpa(q));
    write_64(b, VB_QUEUE_DRIVER, virtio_bench_available_gpa(q));
    write_64(b, VB_QUEUE_DEVICE, virtio_bench_used_gpa(q));
    virtio_bench_write(b, VB_QUEUE_READY, 1);
}

void virtio_bench_start(VirtioBench *b, uint64_t without)
{
    without |= b->packed ? 0 : VIRTIO_FEATURE(VIRTIO_F_RING_PACKED);
    g_assert(virtio_bench_negotiate(b, virtio_bench_features(b) & ~without));
    for (unsigned q = 0; q < VIRTIO_MAX_QUEUES; q++) {
        virtio_bench_write(b, VB_QUEUE_SEL, q);
        uint16_t max = (uint16_t)virtio_bench_read(b, VB_QUEUE_NUM_MAX);
        if (max) {
            virtio_bench_queue(b, q, max);
        }
    }
    virtio_bench_write(b, VB_STATUS, virtio_bench_read(b, VB_STATUS) | VIRTIO_STATUS_DRIVER_OK);
}

void virtio_bench_descriptor(VirtioBench *b, uint64_t table, uint16_t index,
                             const VirtioBenchPart *part, uint32_t tail)
{
    uint8_t raw[16];
    unsigned shift = b->packed ? 16 : 0;

    store_le64(raw, part->gpa);
    store_le32(raw + 8, part->len);
    store_le32(raw + 12, tail | (uint32_t)(part->writable ? VB_WRITE : 0) << shift);
    gm_write(b->bench.env.memory, table + 16 * (uint64_t)index, raw, sizeof(raw));
}

void virtio_bench_offer(VirtioBench *b, unsigned q, uint16_t head)
{
    VirtioBenchQueue *queue = &b->queues[q];
    uint64_t ring = virtio_bench_available_gpa(q);

    gm_write(b->bench.env.memory, ring + 4 + 2 * (uint64_t)(queue->available % queue->size), &head,
             2);
    queue->available++;
    gm_write(b->bench.env.memory, ring + 2, &queue->available, 2);
}

static uint16_t post_split(VirtioBench *b, unsigned q, const VirtioBenchPart *parts, unsigned n)
{
    uint16_t size = b->queues[q].size;
    uint16_t head = b->next_descriptor % size;

    for (unsigned i = 0; i < n; i++) {
        uint16_t index = b->next_descriptor++ % size;
        uint32_t next = (uint32_t)(b->next_descriptor % size) << 16 | VB_NEXT;
        virtio_bench_descriptor(b, virtio_bench_desc_gpa(q), index, &parts[i],
                                i + 1 < n ? next : 0);
    }
    virtio_bench_offer(b, q, head);
    return head;
}

static uint16_t post_packed(VirtioBench *b, unsigned q, const VirtioBenchPart *parts, unsigned n)
{
    VirtioBenchQueue *queue = &b->queues[q];
    uint16_t id = queue->next_id++ % queue->size;

    queue->slots[id] = (uint16_t)n;
    for (unsigned i = 0; i < n; i++) {
        uint32_t flags = (queue->available_wrap ? VB_AVAIL : VB_USED) | (i + 1 < n ? VB_NEXT : 0);
        virtio_bench_descriptor(b, virtio_bench_desc_gpa(q), queue->available, &parts[i],
                                id | flags << 16);
        if (++queue->available == queue->size) {
            queue->available = 0;
            queue->available_wrap = !queue->available_wrap;
        }
    }
    return id;
}

uint16_t virtio_bench_post(VirtioBench *b, unsigned q, const VirtioBenchPart *parts, unsigned n)
{
    return b->packed ? post_packed(b, q, parts, n) : post_split(b, q, parts, n);
}

void virtio_bench_kick(VirtioBench *b, unsigned q)
{
    virtio_bench_write(b, VB_QUEUE_NOTIFY, q);
    io_thread_run_all(b->io);
}

static int64_t next_used_split(VirtioBench *b, unsigned q, uint16_t *ret_head)
{
    VirtioBenchQueue *queue = &b->queues[q];
    uint64_t ring = virtio_bench_used_gpa(q);
    uint16_t index;
    uint32_t element[2];

    gm_read(b->bench.env.memory, ring + 2, &index, 2);
    if (index == queue->used) {
        return -1;
    }
    gm_read(b->bench.env.memory, ring + 4 + 8 * (uint64_t)(queue->used % queue->size), element, 8);
    queue->used++;
    *ret_head = (uint16_t)element[0];
    return element[1];
}

static int64_t next_used_packed(VirtioBench *b, unsigned q, uint16_t *ret_id)
{
    VirtioBenchQueue *queue = &b->queues[q];
    uint8_t raw[16];

    gm_read(b->bench.env.memory, virtio_bench_desc_gpa(q) + 16 * (uint64_t)queue->used, raw, 16);
    uint16_t flags = load_le16(raw + 14);
    if (!!(flags & VB_AVAIL) != queue->used_wrap || !!(flags & VB_USED) != queue->used_wrap) {
        return -1;
    }
    *ret_id = load_le16(raw + 12);
    g_assert_cmpuint(*ret_id, <, queue->size);
    queue->used += queue->slots[*ret_id];
    if (queue->used >= queue->size) {
        queue->used -= queue->size;
        queue->used_wrap = !queue->used_wrap;
    }
    /* no WRITE: the length means nothing (2.8.6) */
    return flags & VB_WRITE ? load_le32(raw + 8) : 0;
}

int64_t virtio_bench_next_used(VirtioBench *b, unsigned q, uint16_t *ret_head)
{
    uint16_t unwanted;

    ret_head = ret_head ? ret_head : &unwanted;
    return b->packed ? next_used_packed(b, q, ret_head) : next_used_split(b, q, ret_head);
}

bool virtio_bench_is_broken(VirtioBench *b)
{
    return virtio_bench_read(b, VB_STATUS) & VIRTIO_STATUS_NEEDS_RESET;
}
