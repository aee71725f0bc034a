/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the qcow2 driver against an array of bytes: random work on images of all kinds, with
 * caches of a few slices, and after each piece of it the content and the reference counts are
 * looked at.
 */
#include <errno.h>
#include <string.h>

#include "block/bench.h"
#include "block/driver.h"
#include "block/limits.h"
#include "common/bits.h"

enum { DISK_MAX = 3 << 20, STEPS = 120 };

static const struct {
    const char *name;
    BlkCreate create;
    bool backing;
    size_t cache;
} kinds[] = {
    { "usual", { .size = 3 << 20 }, false, 0 },
    { "v2", { .size = 2 << 20, .version = 2, .cluster = 4096 }, false, 1 },
    { "v2-backing", { .size = 2 << 20, .version = 2, .cluster = 4096 }, true, 1 },
    { "backing", { .size = 2 << 20, .cluster = 16384 }, true, 1 },
    { "512-bytes", { .size = 300000, .cluster = 512 }, true, 1 },
    { "512-bytes-64-bits", { .size = 300000, .cluster = 512, .count_bits = 64 }, false, 1 },
    { "2-MiB", { .size = 3 << 20, .cluster = 2 << 20 }, true, 1 },
    { "subclusters", { .size = 2 << 20, .subclusters = true }, true, 1 },
    { "subclusters-16K", { .size = 1 << 20, .cluster = 16384, .subclusters = true }, true, 1 },
    { "subclusters-alone", { .size = 1 << 20, .cluster = 16384, .subclusters = true }, false, 1 },
    { "1-bit", { .size = 1 << 20, .cluster = 1024, .count_bits = 1 }, true, 1 },
    { "2-bits", { .size = 1 << 20, .cluster = 2048, .count_bits = 2 }, true, 1 },
    { "4-bits-zstd",
      { .size = 1 << 20, .cluster = 4096, .count_bits = 4, .compression = "zstd" },
      true,
      1 },
    { "8-bits", { .size = 1 << 20, .cluster = 4096, .count_bits = 8 }, false, 1 },
    { "32-bits-lazy",
      { .size = 1 << 20, .cluster = 4096, .count_bits = 32, .lazy_refcounts = true },
      true,
      1 },
    { "odd-size", { .size = 1 << 20 | 512 | 1024, .cluster = 32768 }, true, 1 },
};

typedef struct Rig {
    BlkBench bench;
    BlkOptions backing, options;
    Blk *blk;
    uint8_t *expected; /* DISK_MAX bytes */
    uint8_t *buf;
    uint8_t *saved; /* what the snapshot has */
    uint64_t size, saved_size;
    bool has_snapshot;
    GRand *random;
} Rig;

static void complain(void *opaque, const char *text)
{
    g_test_message("check: %s", text);
}

static void check(Rig *rig)
{
    g_autoptr(GError) error = NULL;
    BlkCheck result = { .report = complain };

    blk_check(rig->blk, BLK_REPAIR_NOTHING, &result, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(result.corruptions, ==, 0);
    g_assert_cmpuint(result.leaks, ==, 0);
    g_assert_null(blk_broken(rig->blk));
}

static void compare(Rig *rig)
{
    uint64_t step = 70000 + (uint64_t)g_rand_int_range(rig->random, 0, 50000);

    for (uint64_t at = 0; at < rig->size; at += step) {
        size_t len = MIN(step, rig->size - at);
        g_assert_cmpint(blk_read(rig->blk, at, rig->buf, len), ==, 0);
        for (size_t i = 0; i < len; i++) {
            if (rig->buf[i] != rig->expected[at + i]) {
                g_error("byte %" G_GUINT64_FORMAT " is %02x, not %02x", at + i, rig->buf[i],
                        rig->expected[at + i]);
            }
        }
    }
}

static void reopen(Rig *rig)
{
    g_autoptr(GError) error = NULL;

    blk_close(rig->blk);
    rig->blk = blk_open(&rig->options, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(blk_size(rig->blk), ==, rig->size);
}

/* A range: of any alignment, of sectors, or of clusters. */
static void choose_range(Rig *rig, uint64_t *offset, uint64_t *len)
{
    static const uint64_t units[] = { 1, 512, 512, 4096, 65536 };
    uint64_t unit = units[g_rand_int_range(rig->random, 0, G_N_ELEMENTS(units))];
    uint64_t most = g_rand_int(rig->random) % 4 ? 9000 : 400000;

    *offset = align_down((uint64_t)g_rand_double_range(rig->random, 0, (double)rig->size), unit);
    *len = align_up((uint64_t)g_rand_int_range(rig->random, 1, (gint32)most), unit);
    *len = MIN(*len, rig->size - *offset);
}

static void do_write(Rig *rig)
{
    uint64_t offset, len;
    uint8_t value = (uint8_t)g_rand_int_range(rig->random, 0, 256);
    struct iovec iov[3];

    choose_range(rig, &offset, &len);
    for (uint64_t i = 0; i < len; i++) {
        rig->expected[offset + i] = (uint8_t)(value + (value % 3 ? i / 64 : 0));
    }
    iov[0] = (struct iovec){ rig->expected + offset, len / 3 };
    iov[1] = (struct iovec){ rig->expected + offset + len / 3, len / 3 };
    iov[2] = (struct iovec){ rig->expected + offset + len / 3 * 2, len - len / 3 * 2 };
    g_assert_cmpint(blk_writev(rig->blk, offset, iov, 3), ==, 0);
}

static void do_zero(Rig *rig)
{
    uint64_t offset, len;
    BlkZero how = (BlkZero)g_rand_int_range(rig->random, 0, 3);

    choose_range(rig, &offset, &len);
    g_assert_cmpint(blk_zero(rig->blk, offset, len, how), ==, 0);
    if (how == BLK_ZERO_DISCARD) {
        /* anything may be there now: nothing else may have changed */
        g_assert_cmpint(blk_read(rig->blk, offset, rig->expected + offset, len), ==, 0);
    } else {
        memset(rig->expected + offset, 0, len);
    }
}

static void do_compressed(Rig *rig)
{
    uint64_t cluster = rig->blk->unit, n = (rig->size + cluster - 1) / cluster;
    uint64_t at = cluster * (g_rand_int(rig->random) % n), len = MIN(cluster, rig->size - at);

    for (uint64_t i = 0; i < len; i++) {
        rig->expected[at + i] = (uint8_t)(i / 100 * 7 + len);
    }
    if (g_rand_int(rig->random) % 4 == 0) {
        for (uint64_t i = 0; i < len; i++) {
            rig->expected[at + i] = (uint8_t)g_rand_int(rig->random);
        }
    }
    g_assert_cmpint(blk_write_compressed(rig->blk, at, rig->expected + at, len), ==, 0);
}

static void do_snapshot(Rig *rig, const BlkCreate *create)
{
    g_autoptr(GError) error = NULL;

    if (!rig->has_snapshot) {
        bool good = blk_snapshot_create(rig->blk, "one", &error);
        if (!good && create->count_bits && create->count_bits < 8) {
            /* compressed clusters share a cluster of the file as often as its count can say */
            g_assert_nonnull(strstr(error->message, "too narrow"));
            return;
        }
        memcpy(rig->saved, rig->expected, DISK_MAX);
        rig->saved_size = rig->size;
    } else if (g_rand_boolean(rig->random)) {
        blk_snapshot_apply(rig->blk, "one", &error);
        memcpy(rig->expected, rig->saved, DISK_MAX);
        rig->size = rig->saved_size;
        g_assert_no_error(error);
        return;
    } else {
        blk_snapshot_delete(rig->blk, "1", &error);
    }
    g_assert_no_error(error);
    rig->has_snapshot = !rig->has_snapshot;
}

static void do_resize(Rig *rig)
{
    g_autoptr(GError) error = NULL;
    uint64_t size = align_up((uint64_t)g_rand_int_range(rig->random, 1, DISK_MAX), 512);
    gint32 kind = g_rand_int_range(rig->random, -4, 4);
    BlkPreallocation how = (BlkPreallocation)MAX(kind, 0);

    blk_resize(rig->blk, size, how, &error);
    g_assert_no_error(error);
    if (size > rig->size) {
        memset(rig->expected + rig->size, 0, size - rig->size);
    }
    rig->size = size;
}

static void step(Rig *rig, const BlkCreate *create)
{
    unsigned what = (unsigned)g_rand_int_range(rig->random, 0, 100);

    if (what < 55) {
        do_write(rig);
    } else if (what < 75) {
        do_zero(rig);
    } else if (what < 85) {
        do_compressed(rig);
    } else if (what < 90) {
        g_assert_cmpint(blk_flush(rig->blk), ==, 0);
    } else if (what < 93) {
        do_snapshot(rig, create);
    } else if (what < 95) {
        do_resize(rig);
    } else if (what < 97) {
        reopen(rig);
    } else {
        compare(rig);
        check(rig);
    }
}

static void make_backing(Rig *rig, BlkCreate *create)
{
    uint64_t size = rig->size / 2 + 512 * 3;

    for (uint64_t i = 0; i < size; i++) {
        rig->expected[i] = (uint8_t)(i / 512 + i / 65536 + 1);
    }
    blk_bench_put(&rig->bench, "base", rig->expected, align_down(size, 512));
    memset(rig->expected + align_down(size, 512), 0, DISK_MAX - align_down(size, 512));
    create->backing = "base";
    create->backing_format = "raw";
    rig->backing = (BlkOptions){ .path = "base", .read_only = true, .host = &rig->bench.host };
    rig->options.backing = &rig->backing;
}

static void test_kind(gconstpointer data)
{
    const typeof(kinds[0]) *kind = data;
    g_autoptr(GError) error = NULL;
    BlkCreate create = kind->create;
    Rig rig = { .size = align_up(create.size, 512) };

    rig.random = g_rand_new_with_seed((guint32)g_test_rand_int());
    rig.expected = g_malloc0(DISK_MAX);
    rig.saved = g_malloc0(DISK_MAX);
    rig.buf = g_malloc0(DISK_MAX);
    blk_bench_init(&rig.bench);
    create.path = "disk";
    create.format = "qcow2";
    create.host = &rig.bench.host;
    rig.options = (BlkOptions){
        .path = "disk", .format = "qcow2", .host = &rig.bench.host, .metadata_cache = kind->cache
    };
    if (kind->backing) {
        make_backing(&rig, &create);
    }
    blk_create(&create, &error);
    g_assert_no_error(error);
    rig.blk = blk_open(&rig.options, &error);
    g_assert_no_error(error);
    compare(&rig);
    for (unsigned i = 0; i < STEPS; i++) {
        step(&rig, &create);
    }
    reopen(&rig);
    compare(&rig);
    check(&rig);
    blk_close(rig.blk);
    blk_bench_clear(&rig.bench);
    g_rand_free(rig.random);
    g_free(rig.expected);
    g_free(rig.saved);
    g_free(rig.buf);
}

enum { UNIT = 4096, UNITS = 16 };

static void write_unit(Blk *blk, unsigned i)
{
    uint8_t bytes[UNIT];

    memset(bytes, (int)i + 1, UNIT);
    g_assert_cmpint(blk_write_compressed(blk, (uint64_t)i * UNIT, bytes, UNIT), ==, 0);
}

static void assert_unit(Blk *blk, unsigned i)
{
    uint8_t bytes[UNIT], found[UNIT];

    memset(bytes, (int)i + 1, UNIT);
    g_assert_cmpint(blk_read(blk, (uint64_t)i * UNIT, found, UNIT), ==, 0);
    g_assert_cmpmem(found, UNIT, bytes, UNIT);
}

/* Unit 0 was unpacked, and a snapshot's end gives its place to unit 1, if @moves were right. */
static void take_place_again(unsigned moves)
{
    g_autoptr(GError) error = NULL;
    BlkBench bench;

    blk_bench_init(&bench);
    BlkCreate create = { .path = "disk",
                         .format = "qcow2",
                         .host = &bench.host,
                         .size = UNITS * UNIT,
                         .cluster = UNIT };
    BlkOptions options = { .path = "disk", .format = "qcow2", .host = &bench.host };
    blk_create(&create, &error);
    g_assert_no_error(error);
    Blk *blk = blk_open(&options, &error);
    g_assert_no_error(error);
    for (unsigned i = 0; i < moves; i++) {
        g_assert_true(blk_snapshot_create(blk, "mover", &error));
        g_assert_true(blk_snapshot_delete(blk, "mover", &error));
    }
    g_assert_true(blk_snapshot_create(blk, "empty", &error));
    write_unit(blk, 0);
    assert_unit(blk, 0);
    g_assert_true(blk_snapshot_apply(blk, "empty", &error));
    write_unit(blk, 1);
    assert_unit(blk, 1);
    blk_close(blk);
    blk_bench_clear(&bench);
}

static void test_place_is_taken_again(void)
{
    for (unsigned i = 0; i < 8; i++) {
        take_place_again(i);
    }
}

/* --- work that is stopped --- */

/* Who watches, and wants no more after so many steps. */
typedef struct Watcher {
    BlkProgress progress;
    uint64_t steps, most, last, total;
} Watcher;

static bool watch(void *opaque, uint64_t done, uint64_t total)
{
    Watcher *watcher = opaque;

    g_assert_cmpuint(done, <=, total);
    g_assert_true(watcher->steps == 0 || (done > watcher->last && total == watcher->total));
    watcher->last = done;
    watcher->total = total;
    return watcher->steps++ < watcher->most;
}

static bool take_snapshot(Blk *blk, GError **error)
{
    return blk_snapshot_create(blk, "two", error);
}

static bool drop_snapshot(Blk *blk, GError **error)
{
    return blk_snapshot_delete(blk, "one", error);
}

static bool go_back(Blk *blk, GError **error)
{
    return blk_snapshot_apply(blk, "one", error);
}

static bool grow(Blk *blk, GError **error)
{
    return blk_resize(blk, (1 << 20) + (1 << 18), BLK_PREALLOCATE_OFF, error);
}

static bool shrink(Blk *blk, GError **error)
{
    return blk_resize(blk, 1 << 19, BLK_PREALLOCATE_OFF, error);
}

static const struct Work {
    const char *name;
    bool (*act)(Blk *blk, GError **error);
} works[] = {
    { "take-a-snapshot", take_snapshot },
    { "drop-a-snapshot", drop_snapshot },
    { "go-back", go_back },
    { "grow", grow },
    { "shrink", shrink },
};

/* Stopped at each of its steps the image is as it was; not stopped the work is done, and told of to
 * its end. */
static void test_stopped(gconstpointer data)
{
    const struct Work *work = data;
    BlkCreate create = { .path = "disk", .format = "qcow2", .size = 1 << 20, .cluster = 2048 };
    Watcher watcher = { .progress = { watch, &watcher } };
    g_autoptr(GError) error = NULL;
    Rig rig = { .size = 1 << 20 };
    bool done = false;

    rig.random = g_rand_new_with_seed((guint32)g_test_rand_int());
    rig.expected = g_malloc0(DISK_MAX);
    rig.buf = g_malloc0(DISK_MAX);
    blk_bench_init(&rig.bench);
    create.host = &rig.bench.host;
    rig.options = (BlkOptions){ .path = "disk", .format = "qcow2", .host = &rig.bench.host };
    g_assert_true(blk_create(&create, &error));
    rig.blk = blk_open(&rig.options, &error);
    g_assert_no_error(error);
    for (unsigned i = 0; i < 40; i++) {
        do_write(&rig);
    }
    g_assert_true(blk_snapshot_create(rig.blk, "one", &error));
    blk_set_progress(rig.blk, &watcher.progress);
    for (; !done; watcher.most++) {
        g_autoptr(GError) stopped = NULL;
        watcher.steps = 0;
        done = work->act(rig.blk, &stopped);
        g_assert_true(done == (watcher.steps <= watcher.most));
        g_assert_true(done || strstr(stopped->message, g_strerror(EINTR)));
        rig.size = blk_size(rig.blk);
        blk_set_progress(rig.blk, NULL);
        compare(&rig);
        check(&rig);
        blk_set_progress(rig.blk, &watcher.progress);
    }
    g_assert_cmpuint(watcher.last, ==, watcher.total - 1);
    g_assert_cmpuint(watcher.most, >, 8);
    g_assert_cmpuint(rig.size, ==,
                     work->act == grow     ? (1 << 20) + (1 << 18)
                     : work->act == shrink ? 1 << 19
                                           : 1 << 20);
    blk_close(rig.blk);
    blk_bench_clear(&rig.bench);
    g_rand_free(rig.random);
    g_free(rig.expected);
    g_free(rig.buf);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(works); i++) {
        g_autofree char *path = g_strconcat("/qcow2/stopped/", works[i].name, NULL);
        g_test_add_data_func(path, &works[i], test_stopped);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *path = g_strconcat("/qcow2/random/", kinds[i].name, NULL);
        g_test_add_data_func(path, &kinds[i], test_kind);
    }
    g_test_add_func("/qcow2/place-is-taken-again", test_place_is_taken_again);
    return g_test_run();
}
