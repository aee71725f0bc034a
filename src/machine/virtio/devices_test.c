/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of what each virtio device does with good chains (and with requests that are wrong in
 * themselves): rng, console, blk.  What all have in common is in virtio_test.c.
 */
#include <errno.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "block/driver.h"
#include "machine/virtio/balloon.h"
#include "machine/virtio/bench.h"
#include "machine/virtio/blk.h"
#include "machine/virtio/console.h"
#include "machine/virtio/rng.h"

enum { BUF = VIRTIO_BENCH_BUFFERS, DATA = BUF + 0x1000, STATUS = BUF + 0x20000 };

/* --- rng --- */

/* What the guest posts, and how much of it must come back filled. */
static const struct {
    const char *name;
    uint32_t posted;
    int64_t used;
} fills[] = {
    { "/rng/one-byte", 1, 1 },
    { "/rng/empty-buffer", 0, 0 },
    { "/rng/exactly-limit", RNG_MAX_REPLY, RNG_MAX_REPLY },
    { "/rng/huge-is-capped", 512 * 1024, RNG_MAX_REPLY },
};

static VirtioDev *make_rng(const VirtioSlot *slot, void *opaque)
{
    return virtio_rng_new(slot);
}

static void test_rng(gconstpointer data)
{
    const typeof(fills[0]) *c = data;
    g_autoptr(VirtioBench) b = virtio_bench_new(make_rng, NULL);
    VirtioBenchPart part = { BUF, c->posted, true };

    virtio_bench_start(b, 0);
    virtio_bench_post(b, 0, &part, 1);
    virtio_bench_kick(b, 0);
    g_assert_cmpint(virtio_bench_next_used(b, 0, NULL), ==, c->used);
    /* what lies behind the reply was not touched, and the reply is not all zeros */
    const uint8_t *hva = gm_ram(b->bench.env.memory, BUF, 0x10000);
    unsigned set = 0;
    for (int64_t i = 0; i < c->used; i++) {
        set += hva[i] != 0;
    }
    g_assert(c->used < 64 || set > c->used / 2);
    g_assert_cmpuint(hva[c->used], ==, 0);
}

/* --- console --- */

static VirtioDev *make_console(const VirtioSlot *slot, void *opaque)
{
    return virtio_console_new(slot, opaque);
}

typedef struct ConsoleRig {
    VirtioBench *b;
    BenchChar world;
} ConsoleRig;

static void console_init(ConsoleRig *rig)
{
    bench_char_init(&rig->world);
    rig->b = virtio_bench_new(make_console, &rig->world.backend);
}

static void console_clear(ConsoleRig *rig)
{
    virtio_bench_free(rig->b);
    bench_char_clear(&rig->world);
}

static size_t type(ConsoleRig *rig, const char *text)
{
    const CharListener *l = rig->world.listener;

    return l->input(l->opaque, (const uint8_t *)text, strlen(text));
}

static void test_console_output(void)
{
    ConsoleRig rig;
    VirtioBenchPart parts[] = { { BUF, 5, false },
                                { BUF + 0x100, 0, false },
                                { BUF + 0x200, 6, false } };

    console_init(&rig);
    virtio_bench_start(rig.b, 0);
    gm_write(rig.b->bench.env.memory, BUF, "hello", 5);
    gm_write(rig.b->bench.env.memory, BUF + 0x200, " world", 6);
    virtio_bench_post(rig.b, 1, parts, 3);
    virtio_bench_kick(rig.b, 1);
    g_assert_cmpint(virtio_bench_next_used(rig.b, 1, NULL), ==, 0);
    g_assert_cmpmem(rig.world.written->data, rig.world.written->len, "hello world", 11);
    console_clear(&rig);
}

/* A chain that the world takes in three parts comes back once, whole, and in order. */
static void test_console_output_waits(void)
{
    ConsoleRig rig;
    VirtioBenchPart parts[] = { { BUF, 5, false }, { BUF + 0x200, 6, false } };

    console_init(&rig);
    virtio_bench_start(rig.b, 0);
    gm_write(rig.b->bench.env.memory, BUF, "hello", 5);
    gm_write(rig.b->bench.env.memory, BUF + 0x200, " world", 6);
    rig.world.room = 3;
    virtio_bench_post(rig.b, 1, parts, 2);
    virtio_bench_kick(rig.b, 1);
    g_assert_cmpint(virtio_bench_next_used(rig.b, 1, NULL), ==, -1);
    for (unsigned i = 0; i < 2; i++) {
        rig.world.room = 4;
        rig.world.listener->writable(rig.world.listener->opaque);
        io_thread_run_all(rig.b->io);
    }
    g_assert_cmpint(virtio_bench_next_used(rig.b, 1, NULL), ==, 0);
    g_assert_cmpint(virtio_bench_next_used(rig.b, 1, NULL), ==, -1);
    g_assert_cmpmem(rig.world.written->data, rig.world.written->len, "hello world", 11);
    console_clear(&rig);
}

static void test_console_input(void)
{
    ConsoleRig rig;
    VirtioBenchPart part = { BUF, 4, true };

    console_init(&rig);
    g_assert_cmpuint(type(&rig, "too early"), ==, 0);
    virtio_bench_start(rig.b, 0);
    virtio_bench_post(rig.b, 0, &part, 1);
    virtio_bench_kick(rig.b, 0);
    g_assert_cmpuint(rig.world.resumes, ==, 1);
    g_assert_cmpuint(type(&rig, "abcdef"), ==, 4);
    g_assert_cmpint(virtio_bench_next_used(rig.b, 0, NULL), ==, 4);
    g_assert_true(rig.b->bench.level[0]);
    g_assert_cmpmem(gm_ram(rig.b->bench.env.memory, BUF, 4), 4, "abcd", 4);
    g_assert_cmpuint(type(&rig, "ef"), ==, 0);
    virtio_bench_post(rig.b, 0, &part, 1);
    virtio_bench_kick(rig.b, 0);
    g_assert_cmpuint(rig.world.resumes, ==, 2);
    g_assert_cmpuint(type(&rig, "ef"), ==, 2);
    g_assert_cmpint(virtio_bench_next_used(rig.b, 0, NULL), ==, 2);
    console_clear(&rig);
}

/* Buffers that can't be written to swallow nothing. */
static void test_console_input_without_room(void)
{
    ConsoleRig rig;
    VirtioBenchPart part = { BUF, 4, false };

    console_init(&rig);
    virtio_bench_start(rig.b, 0);
    for (unsigned i = 0; i < 3; i++) {
        virtio_bench_post(rig.b, 0, &part, 1);
    }
    g_assert_cmpuint(type(&rig, "abc"), ==, 0);
    g_assert_cmpint(virtio_bench_next_used(rig.b, 0, NULL), ==, 0);
    console_clear(&rig);
}

/* --- blk --- */

enum { DISK = 16 * 512 };

/* A disk in memory whose calls can be made to fail. */
typedef struct FakeHost {
    BlkHost host;
    struct {
        GMutex lock;
        GCond changed;
        bool wanted, entered, released; /* a read stops, has begun, may go on */
    } stop;
    uint8_t bytes[DISK];
    unsigned syncs;
    int error; /* of every read, write and sync */
} FakeHost;

static int fake_open(void *opaque, const char *path, int flags)
{
    return 5;
}

static int fake_stat(void *opaque, int fd, struct stat *st)
{
    *st = (struct stat){ .st_mode = S_IFREG, .st_size = DISK };
    return 0;
}

static int64_t fake_size(void *opaque, int fd)
{
    return DISK;
}

static ssize_t fake_preadv(void *opaque, int fd, const struct iovec *iov, int n, int64_t offset)
{
    FakeHost *fake = opaque;

    if (fake->stop.wanted) {
        g_mutex_lock(&fake->stop.lock);
        fake->stop.entered = true;
        g_cond_broadcast(&fake->stop.changed);
        while (!fake->stop.released) {
            g_cond_wait(&fake->stop.changed, &fake->stop.lock);
        }
        g_mutex_unlock(&fake->stop.lock);
    }
    memcpy(iov[0].iov_base, fake->bytes + offset, iov[0].iov_len);
    return fake->error ? fake->error : (ssize_t)iov[0].iov_len;
}

static ssize_t fake_pwritev(void *opaque, int fd, const struct iovec *iov, int n, int64_t offset)
{
    FakeHost *fake = opaque;

    memcpy(fake->bytes + offset, iov[0].iov_base, iov[0].iov_len);
    return fake->error ? fake->error : (ssize_t)iov[0].iov_len;
}

static int fake_fdatasync(void *opaque, int fd)
{
    FakeHost *fake = opaque;

    fake->syncs++;
    return fake->error;
}

static void fake_close(void *opaque, int fd)
{
}

typedef struct BlkRig {
    FakeHost fake;
    Blk *blk;
    VirtioBench *b;
    bool resets; /* write_register() resets the device, else it stops the queue */
} BlkRig;

static VirtioDev *make_blk(const VirtioSlot *slot, void *opaque)
{
    return virtio_blk_new(slot, opaque, "serial-that-is-longer-than-twenty", 2);
}

static void blk_rig_init(BlkRig *rig, bool read_only)
{
    *rig = (BlkRig){ .fake.host = { &rig->fake, fake_open, fake_stat, fake_size, fake_preadv,
                                    fake_pwritev, fake_fdatasync, fake_close } };
    for (unsigned i = 0; i < DISK; i++) {
        rig->fake.bytes[i] = (uint8_t)(i / 512 + 1);
    }
    BlkOptions options = { .path = "fake", .read_only = read_only, .host = &rig->fake.host };
    rig->blk = blk_open(&options, NULL);
    rig->b = virtio_bench_new(make_blk, rig->blk);
}

static void blk_rig_clear(BlkRig *rig)
{
    virtio_bench_free(rig->b);
    blk_close(rig->blk);
}

/* Ask for @len bytes of data (written to the device for type OUT); returns the status byte, and
 * fails unless the device is honest about how much it wrote. */
static uint8_t request(BlkRig *rig, uint32_t type_of, uint64_t sector, uint32_t len)
{
    bool out = type_of == 1;
    VirtioBench *b = rig->b;
    GuestMemory *memory = b->bench.env.memory;
    VirtioBenchPart parts[] = { { BUF, 16, false }, { DATA, len, !out }, { STATUS, 1, true } };
    uint8_t header[16] = { 0 }, status = 0xee;

    store_le32(header, type_of);
    store_le64(header + 8, sector);
    gm_write(memory, BUF, header, sizeof(header));
    gm_write(memory, STATUS, &status, 1);
    virtio_bench_post(b, 0, parts, 3);
    virtio_bench_kick(b, 0);
    g_assert_cmpint(virtio_bench_next_used(b, 0, NULL), ==, out ? 1 : len + 1);
    gm_read(memory, STATUS, &status, 1);
    return status;
}

static const struct {
    const char *name;
    uint32_t type;
    uint64_t sector;
    uint32_t len;
    uint8_t status;
    bool read_only;
} requests[] = {
    { "/blk/read", 0, 3, 1024, 0, false },
    { "/blk/read-last", 0, 15, 512, 0, false },
    { "/blk/read-nothing", 0, 16, 0, 0, false },
    { "/blk/read-beyond-end", 0, 15, 1024, 1, false },
    { "/blk/read-behind-end", 0, 16, 512, 1, false },
    { "/blk/read-sector-wraps", 0, UINT64_C(1) << 55, 512, 1, false },
    { "/blk/read-sector-all-ones", 0, UINT64_MAX, 512, 1, false },
    { "/blk/read-odd-length", 0, 0, 100, 1, false },
    { "/blk/write", 1, 2, 512, 0, false },
    { "/blk/write-odd-length", 1, 2, 511, 1, false },
    { "/blk/write-beyond-end", 1, 15, 1024, 1, false },
    { "/blk/write-read-only", 1, 0, 512, 1, true },
    { "/blk/read-read-only", 0, 0, 512, 0, true },
    { "/blk/flush", 4, 0, 0, 0, false },
    { "/blk/flush-read-only", 4, 0, 0, 0, true },
    { "/blk/id", 8, 0, 20, 0, false },
    { "/blk/id-short", 8, 0, 3, 0, false },
    { "/blk/discard-of-nothing", 11, 0, 16, 1, false },
    { "/blk/discard-read-only", 11, 0, 16, 2, true },
    { "/blk/unknown-type", 0x12345, 0, 16, 2, false },
};

static void test_request(gconstpointer data)
{
    const typeof(requests[0]) *c = data;
    BlkRig rig;

    blk_rig_init(&rig, c->read_only);
    virtio_bench_start(rig.b, 0);
    GuestMemory *memory = rig.b->bench.env.memory;
    memset(gm_ram(memory, DATA, 4096), 0x55, 4096);
    g_assert_cmpuint(request(&rig, c->type, c->sector, c->len), ==, c->status);
    const uint8_t *hva = gm_ram(memory, DATA, 4096);
    if (c->type == 0) {
        for (uint32_t i = 0; i < c->len; i++) {
            g_assert_cmpuint(hva[i], ==, c->status ? 0 : c->sector + i / 512 + 1);
        }
        g_assert_cmpuint(hva[c->len], ==, 0x55);
    } else if (c->type == 1) {
        unsigned changed = 0;
        for (unsigned i = 0; i < DISK; i++) {
            changed += rig.fake.bytes[i] == 0x55;
        }
        g_assert_cmpuint(changed, ==, c->status ? 0 : c->len);
        g_assert_cmpuint(rig.fake.bytes[2 * 512], ==, c->status ? 3 : 0x55);
    } else if (c->type == 8) {
        g_assert_cmpmem(hva, c->len, "serial-that-is-longe", c->len);
    }
    g_assert_cmpuint(rig.fake.syncs, ==, c->type == 4 && !c->read_only ? 1 : 0);
    blk_rig_clear(&rig);
}

static void test_blk_config(void)
{
    BlkRig rig;

    blk_rig_init(&rig, true);
    g_assert_cmpuint(virtio_bench_read(rig.b, VB_CONFIG), ==, 16);
    g_assert_cmpuint(virtio_bench_read(rig.b, VB_CONFIG + 4), ==, 0);
    g_assert_cmpuint(virtio_bench_read(rig.b, VB_CONFIG + 12), ==, 126);
    g_assert_cmpuint(virtio_bench_read(rig.b, VB_CONFIG + 20), ==, 512);
    g_assert_cmphex(virtio_bench_features(rig.b) & 0x264, ==, 0x264);
    blk_rig_clear(&rig);
}

/* A guest that knows no flush gets each write made durable. */
static void test_blk_without_flush(void)
{
    BlkRig rig;

    blk_rig_init(&rig, false);
    virtio_bench_start(rig.b, 1U << 9);
    g_assert_cmpuint(request(&rig, 1, 0, 512), ==, 0);
    g_assert_cmpuint(rig.fake.syncs, ==, 1);
    g_assert_cmpuint(request(&rig, 0, 0, 512), ==, 0);
    g_assert_cmpuint(rig.fake.syncs, ==, 1);
    blk_rig_clear(&rig);
}

/* Errors of the host reach the guest; a flush that has failed once fails for good. */
static void test_blk_host_errors(void)
{
    BlkRig rig;

    blk_rig_init(&rig, false);
    virtio_bench_start(rig.b, 0);
    rig.fake.error = -EIO;
    g_assert_cmpuint(request(&rig, 0, 0, 512), ==, 1);
    g_assert_cmpuint(request(&rig, 1, 0, 512), ==, 1);
    rig.fake.error = 0;
    g_assert_cmpuint(request(&rig, 4, 0, 0), ==, 0);
    rig.fake.error = -ENOSPC;
    g_assert_cmpuint(request(&rig, 4, 0, 0), ==, 1);
    rig.fake.error = 0;
    g_assert_cmpuint(request(&rig, 4, 0, 0), ==, 1);
    g_assert_cmpuint(request(&rig, 0, 0, 512), ==, 0);
    blk_rig_clear(&rig);
}

/* Discards and zeros. */
static const struct {
    const char *name;
    uint32_t type;
    uint64_t sector;
    uint32_t sectors, flags;
    uint8_t status;
} ranges[] = {
    { "/blk/zeroes", 13, 2, 3, 0, 0 },
    { "/blk/zeroes-unmap", 13, 2, 3, 1, 0 },
    { "/blk/zeroes-to-the-end", 13, 15, 1, 0, 0 },
    { "/blk/zeroes-none", 13, 16, 0, 0, 0 },
    { "/blk/zeroes-unknown-flag", 13, 2, 3, 2, 2 },
    { "/blk/zeroes-beyond-end", 13, 15, 2, 0, 1 },
    { "/blk/zeroes-sector-wraps", 13, UINT64_MAX, 2, 0, 1 },
    { "/blk/zeroes-too-many", 13, 0, UINT32_MAX, 0, 1 },
    { "/blk/discard", 11, 2, 3, 0, 0 },
    { "/blk/discard-unmap", 11, 2, 3, 1, 2 },
    { "/blk/discard-beyond-end", 11, 16, 1, 0, 1 },
};

static void test_range(gconstpointer data)
{
    const typeof(ranges[0]) *c = data;
    BlkRig rig;
    const VirtioBenchPart parts[] = { { BUF, 32, false }, { STATUS, 1, true } };
    uint8_t bytes[32] = { 0 }, status = 0xee;

    blk_rig_init(&rig, false);
    virtio_bench_start(rig.b, 0);
    GuestMemory *memory = rig.b->bench.env.memory;
    store_le32(bytes, c->type);
    store_le64(bytes + 16, c->sector);
    store_le32(bytes + 24, c->sectors);
    store_le32(bytes + 28, c->flags);
    gm_write(memory, BUF, bytes, sizeof(bytes));
    virtio_bench_post(rig.b, 0, parts, 2);
    virtio_bench_kick(rig.b, 0);
    g_assert_cmpint(virtio_bench_next_used(rig.b, 0, NULL), ==, 1);
    gm_read(memory, STATUS, &status, 1);
    g_assert_cmpuint(status, ==, c->status);
    for (uint64_t i = 0; i < DISK; i++) {
        bool zeroed =
            c->type == 13 && !status && i / 512 >= c->sector && i / 512 < c->sector + c->sectors;
        g_assert_cmpuint(rig.fake.bytes[i], ==, zeroed ? 0 : i / 512 + 1);
    }
    blk_rig_clear(&rig);
}

/* What the host can't do: what the guest sees, and whether the machine stops. */
static const struct {
    const char *name;
    uint32_t type;
    int error;
    DiskOnError policy, action;
    uint8_t status;
} faults[] = {
    { "/blk/fault/report", 1, -EIO, DISK_ON_ERROR_REPORT, DISK_ON_ERROR_REPORT, 1 },
    { "/blk/fault/ignore", 0, -EIO, DISK_ON_ERROR_IGNORE, DISK_ON_ERROR_IGNORE, 0 },
    { "/blk/fault/stop-read", 0, -EIO, DISK_ON_ERROR_STOP, DISK_ON_ERROR_STOP, 0 },
    { "/blk/fault/stop-write", 1, -EIO, DISK_ON_ERROR_STOP, DISK_ON_ERROR_STOP, 0 },
    { "/blk/fault/full-stops", 1, -ENOSPC, DISK_ON_ERROR_STOP_IF_FULL, DISK_ON_ERROR_STOP, 0 },
    { "/blk/fault/other-reports", 1, -EIO, DISK_ON_ERROR_STOP_IF_FULL, DISK_ON_ERROR_REPORT, 1 },
};

typedef struct Told {
    unsigned n;
    DiskError last;
} Told;

static void on_disk_error(void *opaque, const DiskError *error)
{
    Told *told = opaque;

    told->n++;
    told->last = *error;
}

static void test_fault(gconstpointer data)
{
    const typeof(faults[0]) *c = data;
    BlkRig rig;
    Told told = { 0 };
    const MachineEvents events = { .opaque = &told, .disk_error = on_disk_error };
    const VirtioBenchPart parts[] = { { BUF, 16, false },
                                      { DATA, 512, c->type == 0 },
                                      { STATUS, 1, true } };
    uint8_t header[16] = { 0 }, status = 0xee;

    blk_rig_init(&rig, false);
    virtio_blk_on_errors(rig.b->dev, c->policy, c->policy, &events);
    virtio_bench_start(rig.b, 0);
    GuestMemory *memory = rig.b->bench.env.memory;
    memset(gm_ram(memory, DATA, 512), 0x77, 512);
    store_le32(header, c->type);
    gm_write(memory, BUF, header, sizeof(header));
    rig.fake.error = c->error;
    virtio_bench_post(rig.b, 0, parts, 3);
    virtio_bench_kick(rig.b, 0);
    g_assert_cmpuint(told.n, ==, 1);
    g_assert_cmpuint(told.last.action, ==, c->action);
    g_assert_cmpint(told.last.error, ==, -c->error);
    g_assert_cmpuint(told.last.is_write, ==, c->type == 1);
    if (c->action == DISK_ON_ERROR_STOP) {
        virtio_bench_kick(rig.b, 0);
        g_assert_cmpint(virtio_bench_next_used(rig.b, 0, NULL), ==, -1);
        g_assert_cmpuint(told.n, ==, 1);
        virtio_blk_retry(rig.b->dev); /* nothing is mended yet */
        io_thread_run_all(rig.b->io);
        g_assert_cmpint(virtio_bench_next_used(rig.b, 0, NULL), ==, -1);
        g_assert_cmpuint(told.n, ==, 2);
        rig.fake.error = 0;
        virtio_blk_retry(rig.b->dev);
        io_thread_run_all(rig.b->io);
    }
    g_assert_cmpint(virtio_bench_next_used(rig.b, 0, NULL), ==, c->type == 0 ? 513 : 1);
    gm_read(memory, STATUS, &status, 1);
    g_assert_cmpuint(status, ==, c->status);
    if (c->action == DISK_ON_ERROR_STOP) {
        g_assert_cmpuint(c->type == 0 ? *(uint8_t *)gm_ram(memory, DATA, 512) : rig.fake.bytes[0],
                         ==, c->type == 0 ? 1 : 0x77);
    }
    blk_rig_clear(&rig);
}

/* Chains whose form is wrong. */
static void test_blk_malformed(void)
{
    static const struct {
        VirtioBenchPart parts[2];
        unsigned n;
    } chains[] = {
        { { { BUF, 16, false } }, 1 },                      /* no room for a status */
        { { { STATUS, 1, true } }, 1 },                     /* no header */
        { { { BUF, 15, false }, { STATUS, 1, true } }, 2 }, /* short header */
        { { { BUF, 16, false }, { STATUS, 0, true } }, 2 }, /* empty status */
    };

    for (size_t i = 0; i < G_N_ELEMENTS(chains); i++) {
        BlkRig rig;
        blk_rig_init(&rig, false);
        virtio_bench_start(rig.b, 0);
        virtio_bench_post(rig.b, 0, chains[i].parts, chains[i].n);
        virtio_bench_kick(rig.b, 0);
        g_assert_true(virtio_bench_is_broken(rig.b));
        g_assert_cmpint(virtio_bench_next_used(rig.b, 0, NULL), ==, -1);
        blk_rig_clear(&rig);
    }
}

/* Header, data and status in one descriptor each way, or in many, as a guest likes. */
static void test_blk_any_layout(void)
{
    enum { PIECES = 40 };
    VirtioBenchPart parts[2 * PIECES];
    uint8_t header[16] = { 0 };
    unsigned n = 0;
    BlkRig rig;

    blk_rig_init(&rig, false);
    virtio_bench_start(rig.b, 0);
    store_le64(header + 8, 4);
    for (unsigned i = 0; i < 16; i++) { /* a byte of the header each */
        gm_write(rig.b->bench.env.memory, BUF + 16 * i, &header[i], 1);
        parts[n++] = (VirtioBenchPart){ BUF + 16 * i, 1, false };
    }
    for (unsigned i = 0; i < PIECES; i++) { /* 513 bytes: data and status */
        parts[n++] = (VirtioBenchPart){ DATA + 16 * i, i ? 13 : 513 - 13 * (PIECES - 1), true };
    }
    virtio_bench_post(rig.b, 0, parts, n);
    virtio_bench_kick(rig.b, 0);
    g_assert_cmpint(virtio_bench_next_used(rig.b, 0, NULL), ==, 513);
    const uint8_t *last = gm_ram(rig.b->bench.env.memory, DATA + 16 * (PIECES - 1), 13);
    g_assert_cmpuint(last[11], ==, 5);
    g_assert_cmpuint(last[12], ==, 0);
    blk_rig_clear(&rig);
}

static gpointer run_io(gpointer opaque)
{
    io_thread_run_all(opaque);
    return NULL;
}

static gpointer write_register(gpointer opaque)
{
    BlkRig *rig = opaque;

    virtio_bench_write(rig->b, VB_QUEUE_SEL, 0);
    virtio_bench_write(rig->b, rig->resets ? VB_STATUS : VB_QUEUE_READY, 0);
    return NULL;
}

/* Whether somebody waits for the queue's work in flight. */
static bool is_draining(VirtioDev *dev)
{
    g_mutex_lock(&dev->device.lock);
    bool draining = dev->queues[0].draining;
    g_mutex_unlock(&dev->device.lock);
    return draining;
}

/* A reset, or a queue's stop, while a read is under way: other registers go on meanwhile, it waits
 * for the read, and the request is forgotten. */
static void test_blk_stop_in_flight(gconstpointer data)
{
    static const uint8_t header[16];
    VirtioBenchPart parts[] = { { BUF, 16, false }, { DATA, 512, true }, { STATUS, 1, true } };
    BlkRig rig;

    blk_rig_init(&rig, false);
    rig.resets = data != NULL;
    rig.fake.stop.wanted = true;
    virtio_bench_start(rig.b, 0);
    gm_write(rig.b->bench.env.memory, BUF, header, sizeof(header));
    virtio_bench_post(rig.b, 0, parts, 3);
    virtio_bench_write(rig.b, VB_QUEUE_NOTIFY, 0);
    GThread *io = g_thread_new("io", run_io, rig.b->io);
    g_mutex_lock(&rig.fake.stop.lock);
    while (!rig.fake.stop.entered) {
        g_cond_wait(&rig.fake.stop.changed, &rig.fake.stop.lock);
    }
    g_mutex_unlock(&rig.fake.stop.lock);
    g_assert_cmpuint(virtio_bench_read(rig.b, VB_STATUS), ==, 15); /* the lock is open */
    GThread *guest = g_thread_new("guest", write_register, &rig);
    while (!is_draining(rig.b->dev)) {
        g_thread_yield();
    }
    g_assert_cmpuint(virtio_bench_read(rig.b, VB_STATUS), ==, 15); /* not yet */
    g_mutex_lock(&rig.fake.stop.lock);
    rig.fake.stop.released = true;
    g_cond_broadcast(&rig.fake.stop.changed);
    g_mutex_unlock(&rig.fake.stop.lock);
    g_thread_join(guest);
    g_thread_join(io);
    g_assert_cmpint(virtio_bench_next_used(rig.b, 0, NULL), ==, -1);
    g_assert_cmpuint(virtio_bench_read(rig.b, VB_QUEUE_READY), ==, 0);
    g_assert_false(rig.b->bench.level[0]);
    virtio_bench_start(rig.b, 0);
    g_assert_cmpuint(request(&rig, 0, 0, 512), ==, 0);
    blk_rig_clear(&rig);
}

/* --- balloon --- */

enum { BALLOON_RAM = 1 << 20, PAGES = 0x90000, PAGE = 4096 };

static void count_change(void *opaque)
{
    (*(unsigned *)opaque)++;
}

static VirtioDev *make_balloon(const VirtioSlot *slot, void *opaque)
{
    return virtio_balloon_new(slot, &(VirtioBalloonConfig){ BALLOON_RAM, count_change, opaque });
}

/* What the page at @gpa begins with, after it was filled and a chain of @part has been served. */
static unsigned byte_after(VirtioBench *b, unsigned q, const VirtioBenchPart *part, uint64_t gpa)
{
    uint8_t page[PAGE];

    memset(page, 0x5a, sizeof(page));
    gm_write(b->bench.env.memory, gpa, page, sizeof(page));
    virtio_bench_post(b, q, part, 1);
    virtio_bench_kick(b, q);
    g_assert_cmpint(virtio_bench_next_used(b, q, NULL), ==, 0);
    gm_read(b->bench.env.memory, gpa, page, sizeof(page));
    return page[0];
}

/* Pages that are given up are gone; those beside them, and those taken back, stay. */
static void test_balloon_pages(void)
{
    unsigned changes = 0;
    g_autoptr(VirtioBench) b = virtio_bench_new(make_balloon, &changes);
    const VirtioBenchPart list = { BUF, 16, false };
    const VirtioBenchPart whole = { PAGES, 2 * PAGE, true }, parts = { PAGES + 1, PAGE, true };
    uint8_t pfns[16];

    for (unsigned i = 0; i < 4; i++) { /* two that follow each other, one before, one nowhere */
        static const uint32_t numbers[] = { PAGES >> 12, (PAGES >> 12) + 1, (PAGES >> 12) - 2,
                                            0xfffffff };
        store_le32(pfns + 4 * i, numbers[i]);
    }
    virtio_bench_start(b, 0);
    gm_write(b->bench.env.memory, BUF, pfns, sizeof(pfns));
    g_assert_cmphex(byte_after(b, 0, &list, PAGES), ==, 0);
    g_assert_cmphex(byte_after(b, 0, &list, PAGES + PAGE), ==, 0);
    g_assert_cmphex(byte_after(b, 0, &list, PAGES - 2 * PAGE), ==, 0);
    g_assert_cmphex(byte_after(b, 0, &list, PAGES - PAGE), ==, 0x5a);
    g_assert_cmphex(byte_after(b, 0, &list, PAGES + 2 * PAGE), ==, 0x5a);
    g_assert_cmphex(byte_after(b, 1, &list, PAGES), ==, 0x5a);
    g_assert_cmphex(byte_after(b, 3, &whole, PAGES + PAGE), ==, 0);
    g_assert_cmphex(byte_after(b, 3, &whole, PAGES + 2 * PAGE), ==, 0x5a);
    g_assert_cmphex(byte_after(b, 3, &parts, PAGES), ==, 0x5a); /* no whole page */
    g_assert_false(virtio_bench_is_broken(b));
}

static void test_balloon_size(void)
{
    unsigned changes = 0;
    g_autoptr(VirtioBench) b = virtio_bench_new(make_balloon, &changes);

    virtio_bench_start(b, 0);
    virtio_balloon_set_target(b->dev, BALLOON_RAM - 8 * PAGE);
    g_assert_cmpuint(virtio_bench_read(b, VB_CONFIG), ==, 8);
    g_assert_cmphex(virtio_bench_read(b, VB_INTERRUPT_STATUS), ==, VIRTIO_INTERRUPT_CONFIG);
    g_assert_cmpuint(virtio_balloon_actual(b->dev), ==, BALLOON_RAM);
    virtio_bench_write(b, VB_CONFIG + 4, 8);
    virtio_bench_write(b, VB_CONFIG + 4, 8); /* the same again is no change */
    g_assert_cmpuint(changes, ==, 1);
    g_assert_cmpuint(virtio_balloon_actual(b->dev), ==, BALLOON_RAM - 8 * PAGE);
    virtio_bench_write(b, VB_CONFIG + 4, UINT32_MAX); /* a lie does no harm */
    g_assert_cmpuint(virtio_balloon_actual(b->dev), ==, 0);
    virtio_balloon_set_target(b->dev, 2 * BALLOON_RAM);
    g_assert_cmpuint(virtio_bench_read(b, VB_CONFIG), ==, 0);
}

/* The buffer is kept until somebody asks, and what was in it is told. */
static void test_balloon_stats(void)
{
    unsigned changes = 0;
    g_autoptr(VirtioBench) b = virtio_bench_new(make_balloon, &changes);
    const VirtioBenchPart part = { BUF, 20, false };
    uint8_t stats[20] = { BALLOON_FREE, 0, 1, 2, [10] = 99, 0, 7 };

    virtio_bench_start(b, 0);
    gm_write(b->bench.env.memory, BUF, stats, sizeof(stats));
    virtio_bench_post(b, 2, &part, 1);
    virtio_bench_kick(b, 2);
    g_assert_cmpint(virtio_bench_next_used(b, 2, NULL), ==, -1);
    BalloonStats said = virtio_balloon_stats(b->dev);
    g_assert_cmphex(said.values[BALLOON_FREE], ==, 0x201);
    g_assert_cmphex(said.values[BALLOON_TOTAL], ==, UINT64_MAX);
    virtio_balloon_poll(b->dev, 2); /* asks at once, and then every two seconds */
    g_assert_cmpint(virtio_bench_next_used(b, 2, NULL), ==, 0);
    virtio_bench_post(b, 2, &part, 1);
    virtio_bench_kick(b, 2);
    clock_advance(b->bench.env.clock, 2 * NS_PER_SECOND - 1);
    g_assert_cmpint(virtio_bench_next_used(b, 2, NULL), ==, -1);
    clock_advance(b->bench.env.clock, 1);
    g_assert_cmpint(virtio_bench_next_used(b, 2, NULL), ==, 0);
    g_assert_cmpuint(virtio_balloon_interval(b->dev), ==, 2);
    virtio_balloon_poll(b->dev, 0);
}

/* Linux posts its first buffer, and tells of it, before it says DRIVER_OK. */
static void test_balloon_early_stats(void)
{
    unsigned changes = 0;
    g_autoptr(VirtioBench) b = virtio_bench_new(make_balloon, &changes);
    const VirtioBenchPart part = { BUF, 10, false };
    const uint8_t stat[10] = { BALLOON_FREE, 0, 77 };

    uint64_t packed = b->packed ? 0 : VIRTIO_FEATURE(VIRTIO_F_RING_PACKED);
    g_assert_true(virtio_bench_negotiate(b, virtio_bench_features(b) & ~packed));
    virtio_bench_queue(b, 2, 8);
    gm_write(b->bench.env.memory, BUF, stat, sizeof(stat));
    virtio_bench_post(b, 2, &part, 1);
    virtio_bench_kick(b, 2);
    g_assert_cmphex(virtio_balloon_stats(b->dev).values[BALLOON_FREE], ==, UINT64_MAX);
    virtio_bench_write(b, VB_STATUS, 15);
    io_thread_run_all(b->io);
    g_assert_cmphex(virtio_balloon_stats(b->dev).values[BALLOON_FREE], ==, 77);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(fills); i++) {
        g_test_add_data_func(fills[i].name, &fills[i], test_rng);
    }
    g_test_add_func("/console/output", test_console_output);
    g_test_add_func("/console/output-waits-for-room", test_console_output_waits);
    g_test_add_func("/console/input", test_console_input);
    g_test_add_func("/console/input-without-room", test_console_input_without_room);
    for (size_t i = 0; i < G_N_ELEMENTS(requests); i++) {
        g_test_add_data_func(requests[i].name, &requests[i], test_request);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(ranges); i++) {
        g_test_add_data_func(ranges[i].name, &ranges[i], test_range);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(faults); i++) {
        g_test_add_data_func(faults[i].name, &faults[i], test_fault);
    }
    g_test_add_func("/blk/config", test_blk_config);
    g_test_add_func("/blk/writes-are-durable-without-flush", test_blk_without_flush);
    g_test_add_func("/blk/host-errors", test_blk_host_errors);
    g_test_add_func("/blk/malformed", test_blk_malformed);
    g_test_add_data_func("/blk/reset-in-flight", GUINT_TO_POINTER(1), test_blk_stop_in_flight);
    g_test_add_data_func("/blk/queue-stop-in-flight", NULL, test_blk_stop_in_flight);
    g_test_add_func("/blk/any-layout", test_blk_any_layout);
    g_test_add_func("/balloon/pages", test_balloon_pages);
    g_test_add_func("/balloon/size", test_balloon_size);
    g_test_add_func("/balloon/stats", test_balloon_stats);
    g_test_add_func("/balloon/stats-before-driver-ok", test_balloon_early_stats);
    return g_test_run();
}
