/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that don't wait: by a ring, by threads and by hand; on files and on a host in memory,
 * which ends moves in any order, cuts them short and fails.
 *
 * Many requests run at the same time, each on a piece of the disk of its own; a piece's content is
 * known, and is compared.  INSULA_SEED chooses the seed.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "block/aio.h"
#include "block/bench.h"
#include "block/driver.h"
#include "block/image.h"

enum { PIECES = 24, PIECE = 96 << 10, STEPS = 600, PARTS = 3 };

typedef struct Piece {
    struct Rig *rig;
    BlkRequest request;
    bool runs;
    uint64_t from, len; /* of the request, inside of the piece */
    struct iovec iov[PARTS];
    uint8_t now[PIECE]; /* what the disk has */
    uint8_t buf[PIECE];
} Piece;

typedef struct Rig {
    BlkAio *aio;
    Blk *blk;
    GRand *random;
    BlkBench *bench; /* the host, where it fails */
    unsigned running, failed;
    int may_fail; /* -errno that requests may end with; 0: none */
    Piece pieces[PIECES];
} Rig;

typedef struct Way {
    const char *name;
    BlkAioKind kind;
} Way;

static const Way ways[] = { { "usual", BLK_AIO_USUAL },
                            { "threads", BLK_AIO_THREADS },
                            { "manual", BLK_AIO_MANUAL } };

/* What a request that has ended leaves. */
static void settle(Piece *piece)
{
    Rig *rig = piece->rig;
    const BlkRequest *request = &piece->request;

    piece->runs = false;
    rig->running--;
    if (request->result) {
        g_assert_cmpint(request->result, ==, rig->may_fail);
        rig->failed++;
        if (rig->bench) {
            rig->bench->fail_at = 0; /* or it would fail us */
        }
        /* any of it may be there */
        uint64_t offset = (uint64_t)(piece - rig->pieces) * PIECE;
        g_assert_cmpint(blk_read(rig->blk, offset, piece->now, PIECE), ==, 0);
        return;
    }
    switch (request->op) {
    case BLK_READ:
        g_assert_cmpmem(piece->buf, piece->len, piece->now + piece->from, piece->len);
        break;
    case BLK_WRITE:
        memcpy(piece->now + piece->from, piece->buf, piece->len);
        break;
    case BLK_MAKE_ZERO:
        memset(piece->now + piece->from, 0, piece->len);
        break;
    case BLK_FLUSH:
        break;
    }
}

static void on_done(BlkRequest *request)
{
    settle((Piece *)((uint8_t *)request - offsetof(Piece, request)));
}

/* Cut @piece's buffer into up to PARTS. */
static unsigned cut(Piece *piece, GRand *random)
{
    uint64_t done = 0;
    unsigned n = 0;

    while (done < piece->len && n < PARTS) {
        uint64_t left = piece->len - done;
        uint64_t part = n == PARTS - 1 ? left : 1 + g_rand_int(random) % left;
        piece->iov[n++] = (struct iovec){ piece->buf + done, part };
        done += part;
    }
    return n;
}

static void begin(Rig *rig, Piece *piece)
{
    static const BlkOp ops[] = { BLK_READ,  BLK_READ,      BLK_WRITE, BLK_WRITE,
                                 BLK_WRITE, BLK_MAKE_ZERO, BLK_FLUSH };
    BlkRequest *request = &piece->request;
    uint64_t sectors = PIECE / BLK_SECTOR;

    piece->from = g_rand_int(rig->random) % sectors * BLK_SECTOR;
    piece->len = (1 + g_rand_int(rig->random) % (sectors - piece->from / BLK_SECTOR)) * BLK_SECTOR;
    *request = (BlkRequest){
        .blk = rig->blk,
        .op = ops[g_rand_int(rig->random) % G_N_ELEMENTS(ops)],
        .durable = g_rand_int(rig->random) % 8 == 0,
        .how = g_rand_int(rig->random) % 2 ? BLK_ZERO_KEEP : BLK_ZERO_UNMAP,
        .offset = (uint64_t)(piece - rig->pieces) * PIECE + piece->from,
        .len = piece->len,
        .iov = piece->iov,
        .n = cut(piece, rig->random),
        .done = on_done,
    };
    if (request->op == BLK_WRITE) {
        memset(piece->buf, 1 + g_rand_int(rig->random) % 255, piece->len);
    }
    piece->runs = true;
    rig->running++;
    if (blk_submit(request)) {
        settle(piece);
    }
}

/* Wait until something has ended, and go on with it. */
static void wait_once(Rig *rig)
{
    struct pollfd polls[BLK_AIO_FDS];
    int fds[BLK_AIO_FDS];
    unsigned n = blk_aio_fds(rig->aio, fds);

    for (unsigned i = 0; i < n; i++) {
        polls[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
    }
    while (poll(polls, n, -1) < 0) {
        g_assert_cmpint(errno, ==, EINTR);
    }
    blk_aio_run(rig->aio);
}

static void compare_all(Rig *rig)
{
    g_autofree uint8_t *bytes = g_malloc(PIECE);

    for (unsigned i = 0; i < PIECES; i++) {
        g_assert_cmpint(blk_read(rig->blk, (uint64_t)i * PIECE, bytes, PIECE), ==, 0);
        g_assert_cmpmem(bytes, PIECE, rig->pieces[i].now, PIECE);
    }
}

/* Begin requests on pieces where none runs, some at a time. */
static void begin_some(Rig *rig)
{
    blk_batch_begin(rig->blk);
    for (unsigned n = 1 + g_rand_int(rig->random) % PIECES; n > 0; n--) {
        Piece *piece = &rig->pieces[g_rand_int(rig->random) % PIECES];
        if (!piece->runs) {
            begin(rig, piece);
        }
    }
    blk_batch_end(rig->blk);
}

static Rig *rig_new(BlkAioKind kind)
{
    Rig *rig = g_new0(Rig, 1);
    const char *said = g_getenv("INSULA_SEED");
    guint32 seed = said ? (guint32)g_ascii_strtoull(said, NULL, 10) : g_random_int();

    printf("# INSULA_SEED=%u\n", seed);
    rig->random = g_rand_new_with_seed(seed);
    rig->aio = blk_aio_new(kind);
    blk_aio_start(rig->aio);
    for (unsigned i = 0; i < PIECES; i++) {
        rig->pieces[i].rig = rig;
    }
    return rig;
}

static void rig_free(Rig *rig)
{
    blk_close(rig->blk);
    blk_aio_free(rig->aio);
    g_rand_free(rig->random);
    g_free(rig);
}

static void make_and_open(Rig *rig, const char *path, const char *format, const BlkHost *host)
{
    g_autoptr(GError) error = NULL;
    BlkCreate create = { .path = path, .format = format, .host = host, .size = PIECES * PIECE };
    BlkOptions options = { .path = path, .format = format, .host = host, .aio = rig->aio };

    blk_create(&create, &error);
    g_assert_no_error(error);
    rig->blk = blk_open(&options, &error);
    g_assert_no_error(error);
}

/* --- on files --- */

static void test_files(const Way *way, const char *format)
{
    Rig *rig = rig_new(way->kind);
    g_autofree char *folder = g_dir_make_tmp("insula-aio-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "disk", NULL);

    if (blk_aio_no_ring(rig->aio)) {
        g_test_message("no ring: %s", blk_aio_no_ring(rig->aio));
    }
    make_and_open(rig, path, format, NULL);
    for (unsigned i = 0; i < STEPS; i++) {
        begin_some(rig);
        if (rig->running) {
            wait_once(rig);
        }
    }
    while (rig->running) {
        wait_once(rig);
    }
    compare_all(rig);
    rig_free(rig);
    g_unlink(path);
    g_rmdir(folder);
}

static void test_raw(gconstpointer way)
{
    test_files(way, "raw");
}

static void test_qcow2(gconstpointer way)
{
    test_files(way, "qcow2");
}

/* --- on a host in memory --- */

static void turn(Rig *rig, BlkBench *bench, bool some)
{
    blk_bench_end_moves(bench, rig->random, some);
    blk_aio_run(rig->aio);
}

static void run_in_memory(const char *format, const BlkBench *how)
{
    Rig *rig = rig_new(BLK_AIO_MANUAL);
    BlkBench bench;

    blk_bench_init(&bench);
    make_and_open(rig, "disk", format, &bench.host);
    rig->bench = &bench;
    bench.interrupt_at = how->interrupt_at;
    bench.result = how->result;
    rig->may_fail = how->fail_at ? MIN(how->result, -1) : 0; /* a sync is never half done */
    for (unsigned i = 0; i < STEPS; i++) {
        begin_some(rig);
        bench.calls = 0;
        bench.fail_at = how->fail_at ? g_rand_int(rig->random) % how->fail_at : 0;
        turn(rig, &bench, true);
        bench.fail_at = 0;
    }
    while (rig->running) {
        turn(rig, &bench, false);
    }
    compare_all(rig);
    if (how->result) {
        g_assert_cmpuint(rig->failed, >, 0);
    }
    rig_free(rig);
    blk_bench_clear(&bench);
}

/* Moves end in any order. */
static void test_any_order(void)
{
    run_in_memory("raw", &(BlkBench){ 0 });
    run_in_memory("qcow2", &(BlkBench){ 0 });
}

/* Only half of a move is done, or it is interrupted: the rest follows. */
static void test_short(void)
{
    run_in_memory("raw", &(BlkBench){ .fail_at = 10 });
    run_in_memory("raw", &(BlkBench){ .interrupt_at = 3 });
    run_in_memory("qcow2", &(BlkBench){ .interrupt_at = 3 });
}

/* The host's errors are the requests'. */
static void test_errors(void)
{
    run_in_memory("raw", &(BlkBench){ .fail_at = 20, .result = -ENOSPC });
}

/* What needs the disk for itself waits for requests that run, and they for it. */
static void test_gate(gconstpointer data)
{
    const Way *way = data;
    Rig *rig = rig_new(way->kind);
    g_autofree char *folder = g_dir_make_tmp("insula-aio-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "disk", NULL);

    make_and_open(rig, path, "qcow2", NULL);
    blk_gate_close(&rig->blk->gate);
    for (unsigned i = 0; i < PIECES; i++) {
        begin(rig, &rig->pieces[i]);
    }
    g_assert_cmpuint(rig->running, ==, PIECES);
    blk_gate_open(&rig->blk->gate);
    while (rig->running) {
        wait_once(rig);
    }
    compare_all(rig);
    rig_free(rig);
    g_unlink(path);
    g_rmdir(folder);
}

static void test_refused(void)
{
    Rig *rig = rig_new(BLK_AIO_MANUAL);
    Piece *piece = &rig->pieces[0];
    BlkBench bench;

    blk_bench_init(&bench);
    make_and_open(rig, "disk", "raw", &bench.host);
    begin(rig, piece);
    while (rig->running) {
        turn(rig, &bench, false);
    }
    rig->may_fail = -EINVAL;
    for (BlkOp op = BLK_READ; op <= BLK_MAKE_ZERO; op++) {
        piece->iov[0] = (struct iovec){ piece->buf, BLK_SECTOR };
        piece->request = (BlkRequest){ .blk = rig->blk,
                                       .op = op,
                                       .offset = PIECES * PIECE,
                                       .len = BLK_SECTOR,
                                       .iov = piece->iov,
                                       .n = 1,
                                       .done = on_done };
        piece->runs = true;
        rig->running++;
        rig->failed = 0;
        g_assert_false(blk_submit(&piece->request));
        turn(rig, &bench, false);
        g_assert_cmpuint(rig->failed, ==, 1);
    }
    rig_free(rig);
    blk_bench_clear(&bench);
}

/* --- cache modes --- */

static const struct {
    const char *name;
    BlkCache cache;
    bool direct;           /* past the host's cache */
    unsigned write, flush; /* syncs that one makes */
} caches[] = {
    { "writeback", BLK_CACHE_WRITEBACK, false, 0, 1 },
    { "none", BLK_CACHE_NONE, true, 0, 1 },
    { "writethrough", BLK_CACHE_WRITETHROUGH, false, 1, 1 },
    { "directsync", BLK_CACHE_DIRECTSYNC, true, 1, 1 },
    { "unsafe", BLK_CACHE_UNSAFE, false, 0, 0 },
};

/* Syncs that @op makes. */
static unsigned syncs_of(Rig *rig, BlkBench *bench, BlkOp op, bool durable)
{
    Piece *piece = &rig->pieces[0];

    bench->syncs = 0;
    piece->from = 0;
    piece->len = 4096;
    piece->iov[0] = (struct iovec){ piece->buf, piece->len };
    piece->request = (BlkRequest){
        .blk = rig->blk, .op = op, .durable = durable, .iov = piece->iov, .n = 1, .done = on_done
    };
    piece->runs = true;
    rig->running++;
    if (blk_submit(&piece->request)) {
        settle(piece);
    }
    while (rig->running) {
        turn(rig, bench, false);
    }
    return bench->syncs;
}

/* What each mode has the host do: how files are opened, and when they are synced. */
static void test_caches(gconstpointer format)
{
    for (size_t i = 0; i < G_N_ELEMENTS(caches); i++) {
        g_autoptr(GError) error = NULL;
        Rig *rig = rig_new(BLK_AIO_MANUAL);
        BlkBench bench;
        blk_bench_init(&bench);
        make_and_open(rig, "disk", format, &bench.host);
        g_assert_cmpint(blk_write(rig->blk, 0, rig->pieces[0].buf, PIECE), ==, 0);
        blk_close(rig->blk);
        BlkOptions options = { .path = "disk",
                               .format = format,
                               .host = &bench.host,
                               .aio = rig->aio,
                               .cache = caches[i].cache };
        rig->blk = blk_open(&options, &error);
        g_assert_no_error(error);
        g_test_message("%s", caches[i].name);
        g_assert_cmpint((bench.flags & O_DIRECT) != 0, ==, caches[i].direct);
        g_assert_cmpuint(syncs_of(rig, &bench, BLK_READ, false), ==, 0);
        g_assert_cmpuint(syncs_of(rig, &bench, BLK_WRITE, false), ==, caches[i].write);
        g_assert_cmpuint(syncs_of(rig, &bench, BLK_FLUSH, false), ==, caches[i].flush);
        g_assert_cmpuint(syncs_of(rig, &bench, BLK_WRITE, true), >=, caches[i].flush);
        rig_free(rig);
        blk_bench_clear(&bench);
    }
}

static void add_ways(const char *name, GTestDataFunc test)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
        g_autofree char *path = g_strdup_printf("/aio/%s/%s", name, ways[i].name);
        g_test_add_data_func(path, &ways[i], test);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_ways("raw", test_raw);
    add_ways("qcow2", test_qcow2);
    add_ways("gate", test_gate);
    g_test_add_data_func("/aio/cache/raw", "raw", test_caches);
    g_test_add_data_func("/aio/cache/qcow2", "qcow2", test_caches);
    g_test_add_func("/aio/any-order", test_any_order);
    g_test_add_func("/aio/short", test_short);
    g_test_add_func("/aio/errors", test_errors);
    g_test_add_func("/aio/refused", test_refused);
    return g_test_run();
}
