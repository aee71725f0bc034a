/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-balloon: memory that the guest does without (virtio 1.2, section 5.5).
 *
 *   inflate   pages that the guest won't touch: they leave the host at once
 *   deflate   pages that it takes back: they come when they are touched
 *   stats     one buffer, which we keep until the guest shall fill it again
 *   reports   ranges that are free now: they leave the host, and may be touched at any time
 *
 * Reports have queue 3, because there are no free page hints: drivers number the queues that
 * exist.
 *
 * Threads: queues on the I/O thread; the timer on the clock's.
 * Read first: machine/virtio/virtio.h.
 */
#include "machine/virtio/balloon.h"

#include <string.h>

enum { FEATURE_STATS = 1, FEATURE_REPORTING = 5 };
enum { PAGE_SHIFT = 12, PAGE = 1 << PAGE_SHIFT, STAT_SIZE = 10, PFNS_AT_ONCE = 256 };
enum { QUEUE_STATS = 2 };

/* In pages. */
typedef struct BalloonConfig {
    uint32_t target, actual;
} BalloonConfig;
_Static_assert(sizeof(BalloonConfig) == 8, "virtio 1.2, 5.5.4, without hints and poison");

typedef struct BalloonDev {
    VirtioDev virtio;
    /* fixed after create */
    VirtioBalloonConfig config;
    Timer *timer;
    /* guest-visible; lock: virtio.device.lock */
    uint32_t target, actual; /* pages in the balloon */
    bool kept;               /* the buffer of the statistics is ours */
    VirtqTicket ticket;
    /* host's; lock: virtio.device.lock */
    unsigned interval_s; /* of asking; 0: never */
    BalloonStats stats;
} BalloonDev;

static BalloonDev *dev_of(VirtioDev *virtio)
{
    return container_of(virtio, BalloonDev, virtio);
}

/* ---- pages ---- */

/* The whole pages of a range have no content any more. */
static void give_up(const BalloonDev *dev, uint64_t gpa, uint64_t len)
{
    uint64_t first = align_up(gpa, PAGE), end = align_down(gpa + len, PAGE);

    if (first < end) {
        gm_discard(dev->virtio.device.env.memory, first, end - first);
    }
}

/* A run of pages that are next to each other, so that they are given up together. */
typedef struct Run {
    uint64_t first, n;
} Run;

static void add_page(const BalloonDev *dev, Run *run, uint64_t page)
{
    if (run->n && page == run->first + run->n) {
        run->n++;
        return;
    }
    give_up(dev, run->first << PAGE_SHIFT, run->n << PAGE_SHIFT);
    *run = (Run){ page, 1 };
}

static void inflate(const BalloonDev *dev, const VirtqChain *chain)
{
    uint8_t pfns[4 * PFNS_AT_ONCE];
    Run run = { 0 };
    size_t offset = 0, got;

    do {
        got = virtq_chain_read(chain, offset, pfns, sizeof(pfns));
        for (size_t i = 0; i + 4 <= got; i += 4) {
            add_page(dev, &run, load_le32(pfns + i));
        }
        offset += got;
    } while (got == sizeof(pfns));
    give_up(dev, run.first << PAGE_SHIFT, run.n << PAGE_SHIFT);
}

static void on_inflate(VirtioDev *virtio, Virtq *q)
{
    VirtqChain chain;

    while (virtq_pop(q, &chain)) {
        inflate(dev_of(virtio), &chain);
        virtq_push(q, &chain, 0);
    }
}

static void on_deflate(VirtioDev *virtio, Virtq *q)
{
    VirtqChain chain;

    while (virtq_pop(q, &chain)) {
        virtq_push(q, &chain, 0);
    }
}

static void on_report(VirtioDev *virtio, Virtq *q)
{
    VirtqChain chain;

    while (virtq_pop(q, &chain)) {
        for (unsigned i = 0; i < chain.n_in; i++) {
            give_up(dev_of(virtio), chain.in_gpa[i], chain.in[i].iov_len);
        }
        virtq_push(q, &chain, 0);
    }
}

/* ---- statistics ---- */

static void read_stats(BalloonDev *dev, const VirtqChain *chain)
{
    uint8_t stat[STAT_SIZE];
    unsigned left = 2 * BALLOON_STATS; /* more than there are kinds of */

    memset(dev->stats.values, 0xff, sizeof(dev->stats.values));
    for (size_t at = 0; left && virtq_chain_read(chain, at, stat, sizeof(stat)) == sizeof(stat);
         at += sizeof(stat), left--) {
        unsigned tag = load_le16(stat);
        if (tag < BALLOON_STATS) {
            dev->stats.values[tag] = load_le64(stat + 2);
        }
    }
    dev->stats.time_s = clock_wall_ns(dev->virtio.device.env.clock) / NS_PER_SECOND;
}

static void on_stats(VirtioDev *virtio, Virtq *q)
{
    BalloonDev *dev = dev_of(virtio);
    VirtqChain chain;

    while (virtq_pop(q, &chain)) {
        if (dev->kept) { /* one is enough */
            virtq_push(q, &chain, 0);
            continue;
        }
        read_stats(dev, &chain);
        dev->kept = true;
        dev->ticket = chain.ticket;
    }
}

/* Give the buffer back, and so ask for new numbers.  Lock held. */
static void ask(BalloonDev *dev)
{
    Virtq *q = &dev->virtio.queues[QUEUE_STATS];

    if (dev->kept && q->ready && virtio_dev_runs(&dev->virtio)) {
        dev->kept = false;
        virtq_fill_ticket(q, dev->ticket, 0);
        virtq_flush(q);
    }
}

/* Lock held. */
static void set_timer(BalloonDev *dev)
{
    uint64_t now = clock_now_ns(dev->virtio.device.env.clock);

    timer_set(dev->timer, dev->interval_s ? now + dev->interval_s * NS_PER_SECOND : TIMER_NEVER);
}

static void on_timer(void *opaque)
{
    BalloonDev *dev = opaque;

    g_mutex_lock(&dev->virtio.device.lock);
    ask(dev);
    set_timer(dev);
    g_mutex_unlock(&dev->virtio.device.lock);
}

/* ---- configuration ---- */

static void show_config(BalloonDev *dev)
{
    const BalloonConfig config = { dev->target, dev->actual };

    virtio_dev_set_config(&dev->virtio, &config, sizeof(config));
}

static void write_config(VirtioDev *virtio, unsigned offset, uint32_t value, unsigned size)
{
    BalloonDev *dev = dev_of(virtio);
    BalloonConfig config = { dev->target, dev->actual };

    memcpy((uint8_t *)&config + offset, &value, size);
    if (config.actual != dev->actual) {
        dev->actual = config.actual; /* what the guest says; only shown to people */
        show_config(dev);
        if (dev->config.changed) {
            dev->config.changed(dev->config.opaque);
        }
    }
}

/* Linux has posted the buffer of the statistics, and told of it, before it says DRIVER_OK. */
static void started(VirtioDev *virtio)
{
    for (unsigned i = 0; i < virtio->n_queues; i++) {
        if (virtio->queues[i].ready) {
            virtq_kick(&virtio->queues[i]);
        }
    }
}

static void reset(VirtioDev *virtio)
{
    BalloonDev *dev = dev_of(virtio);

    dev->actual = 0;
    dev->kept = false;
    memset(&dev->stats, 0, sizeof(dev->stats));
    memset(dev->stats.values, 0xff, sizeof(dev->stats.values));
    show_config(dev);
}

static bool loaded(VirtioDev *virtio, GError **error)
{
    show_config(dev_of(virtio));
    return true;
}

static void destroy(VirtioDev *virtio)
{
    timer_free(dev_of(virtio)->timer);
}

static const SavedField saved[] = {
    VIRTIO_SAVED(BalloonDev),
    SAVED(BalloonDev, target),
    SAVED(BalloonDev, actual),
    SAVED(BalloonDev, kept),
    SAVED(BalloonDev, ticket.id),
    SAVED(BalloonDev, ticket.slots),
    { 0 },
};

const VirtioClass virtio_balloon_class = {
    .device = {
        .name = "virtio-balloon",
        .summary = "memory that the guest gives back",
        .instance_size = sizeof(BalloonDev),
        .saved = saved,
        .reset = virtio_dev_reset,
        .loaded = virtio_dev_loaded,
        .pause = virtio_dev_pause,
        .destroy = virtio_dev_destroy,
    },
    .device_id = 5,
    .queues = {
        { .name = "inflate", .size = 128, .on_kick = on_inflate },
        { .name = "deflate", .size = 128, .on_kick = on_deflate },
        { .name = "stats", .size = 16, .on_kick = on_stats },
        { .name = "reports", .size = 128, .on_kick = on_report },
    },
    .started = started,
    .reset = reset,
    .loaded = loaded,
    .write_config = write_config,
    .destroy = destroy,
};

VirtioDev *virtio_balloon_new(const VirtioSlot *slot, const VirtioBalloonConfig *config)
{
    BalloonDev *dev =
        virtio_dev_new(&virtio_balloon_class, slot, 1U << FEATURE_STATS | 1U << FEATURE_REPORTING);

    dev->config = *config;
    dev->timer = timer_new(slot->env.clock, on_timer, dev);
    memset(dev->stats.values, 0xff, sizeof(dev->stats.values));
    show_config(dev);
    return &dev->virtio;
}

/* ---- for the host ---- */

void virtio_balloon_set_target(VirtioDev *virtio, uint64_t size)
{
    BalloonDev *dev = dev_of(virtio);
    uint64_t ram = dev->config.ram_size;

    g_mutex_lock(&virtio->device.lock);
    dev->target = (uint32_t)((ram - MIN(size, ram)) >> PAGE_SHIFT);
    show_config(dev);
    virtio_dev_config_changed(virtio);
    g_mutex_unlock(&virtio->device.lock);
}

uint64_t virtio_balloon_actual(VirtioDev *virtio)
{
    BalloonDev *dev = dev_of(virtio);

    g_mutex_lock(&virtio->device.lock);
    uint64_t gone = (uint64_t)dev->actual << PAGE_SHIFT;
    g_mutex_unlock(&virtio->device.lock);
    return dev->config.ram_size - MIN(gone, dev->config.ram_size);
}

bool virtio_balloon_is_active(VirtioDev *virtio)
{
    g_mutex_lock(&virtio->device.lock);
    bool runs = virtio_dev_runs(virtio);
    g_mutex_unlock(&virtio->device.lock);
    return runs;
}

void virtio_balloon_poll(VirtioDev *virtio, unsigned seconds)
{
    BalloonDev *dev = dev_of(virtio);

    g_mutex_lock(&virtio->device.lock);
    dev->interval_s = seconds;
    ask(dev);
    set_timer(dev);
    g_mutex_unlock(&virtio->device.lock);
}

unsigned virtio_balloon_interval(VirtioDev *virtio)
{
    g_mutex_lock(&virtio->device.lock);
    unsigned seconds = dev_of(virtio)->interval_s;
    g_mutex_unlock(&virtio->device.lock);
    return seconds;
}

BalloonStats virtio_balloon_stats(VirtioDev *virtio)
{
    g_mutex_lock(&virtio->device.lock);
    BalloonStats stats = dev_of(virtio)->stats;
    g_mutex_unlock(&virtio->device.lock);
    return stats;
}
