/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of disks: what can be opened and what is said of the rest, bounds, and a host that fails
 * at its Nth call.
 */
#include "block/block.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "block/driver.h"
#include "common/error.h"

enum { SIZE = 8 * 512 };

/* A file of SIZE bytes, sector n filled with n + 1. */
static char *make_file(void)
{
    uint8_t bytes[SIZE];
    char *path;
    int fd = g_file_open_tmp("insula-disk-XXXXXX", &path, NULL);

    for (unsigned i = 0; i < SIZE; i++) {
        bytes[i] = (uint8_t)(i / 512 + 1);
    }
    g_assert(fd >= 0 && write(fd, bytes, SIZE) == SIZE);
    close(fd);
    return path;
}

/* --- opening --- */

static const struct {
    const char *name;
    int size; /* of the file; -1: there is none, -2: it is a directory, -3: a FIFO */
    mode_t mode;
    const char *format;
    bool read_only;
    const char *error; /* NULL: it opens */
    InsulaError code;
} opens[] = {
    { "/block/open/good", SIZE, 0600, NULL, false, NULL, 0 },
    { "/block/open/good-raw", SIZE, 0600, "raw", false, NULL, 0 },
    { "/block/open/read-only-file-read-only", SIZE, 0400, NULL, true, NULL, 0 },
    { "/block/open/missing", -1, 0, NULL, false, "No such file", INSULA_ERROR_FAILED },
    { "/block/open/directory", -2, 0, NULL, true, "it is a directory", INSULA_ERROR_FAILED },
    { "/block/open/fifo", -3, 0600, NULL, false, "something special", INSULA_ERROR_FAILED },
    { "/block/open/empty", 0, 0600, NULL, false, "it is empty", INSULA_ERROR_FAILED },
    { "/block/open/odd-size", 1000, 0600, NULL, false, "truncate -s %512", INSULA_ERROR_FAILED },
    { "/block/open/unknown-format", SIZE, 0600, "vmdk", false, "there are raw",
      INSULA_ERROR_USAGE },
    { "/block/open/format-is-not-guessed", SIZE, 0600, "", false, "unknown disk format",
      INSULA_ERROR_USAGE },
};

static void test_open(gconstpointer data)
{
    const typeof(opens[0]) *c = data;
    g_autoptr(GError) error = NULL;
    g_autofree char *path = make_file();

    if (c->size >= 0) {
        g_assert(truncate(path, c->size) == 0 && chmod(path, c->mode) == 0);
    } else {
        g_remove(path);
        g_assert(c->size != -2 || g_mkdir(path, 0700) == 0);
        g_assert(c->size != -3 || mkfifo(path, 0600) == 0);
    }
    BlkOptions options = { .path = path, .format = c->format, .read_only = c->read_only };
    g_autoptr(Blk) blk = blk_open(&options, &error);
    if (c->error) {
        g_assert_null(blk);
        g_assert_error(error, INSULA_ERROR, (gint)c->code);
        if (!strstr(error->message, c->error)) {
            g_error("got '%s', expected '%s'", error->message, c->error);
        }
    } else {
        g_assert_no_error(error);
        g_assert_cmpuint(blk_size(blk), ==, c->size);
        g_assert_cmpint(blk_read_only(blk), ==, c->read_only);
        g_assert_cmpstr(blk_path(blk), ==, path);
        g_assert_cmpstr(blk_format(blk), ==, "raw");
    }
    g_remove(path);
}

/* --- a host that fails --- */

typedef struct FailingHost {
    BlkHost host;
    unsigned calls, fail_at; /* from 1; 0: never */
    int result;              /* of the call that fails; 0: it moves half of what it should */
    int interruptions;       /* so many reads and writes give EINTR first */
} FailingHost;

static bool fails(FailingHost *h)
{
    return ++h->calls == h->fail_at;
}

static int failing_open(void *opaque, const char *path, int flags)
{
    FailingHost *h = opaque;

    return fails(h) ? h->result : blk_host_system.open(NULL, path, flags);
}

static int failing_stat(void *opaque, int fd, struct stat *st)
{
    FailingHost *h = opaque;

    return fails(h) ? h->result : blk_host_system.stat(NULL, fd, st);
}

static int64_t failing_size(void *opaque, int fd)
{
    FailingHost *h = opaque;

    return fails(h) ? h->result : blk_host_system.size(NULL, fd);
}

static ssize_t failing_move(FailingHost *h, int fd, const struct iovec *iov, int n, int64_t offset,
                            bool write)
{
    struct iovec half = iov[0];

    if (h->interruptions > 0) {
        h->interruptions--;
        return -EINTR;
    }
    if (fails(h)) {
        if (h->result || half.iov_len < 2) {
            return h->result;
        }
        half.iov_len /= 2;
        iov = &half;
        n = 1;
    }
    return write ? blk_host_system.pwritev(NULL, fd, iov, n, offset)
                 : blk_host_system.preadv(NULL, fd, iov, n, offset);
}

static ssize_t failing_preadv(void *opaque, int fd, const struct iovec *iov, int n, int64_t offset)
{
    return failing_move(opaque, fd, iov, n, offset, false);
}

static ssize_t failing_pwritev(void *opaque, int fd, const struct iovec *iov, int n, int64_t offset)
{
    return failing_move(opaque, fd, iov, n, offset, true);
}

static int failing_fdatasync(void *opaque, int fd)
{
    FailingHost *h = opaque;

    return fails(h) ? h->result : blk_host_system.fdatasync(NULL, fd);
}

static void failing_close(void *opaque, int fd)
{
    blk_host_system.close(NULL, fd);
}

static void failing_init(FailingHost *h, unsigned fail_at, int result)
{
    *h = (FailingHost){
        .host = { h, failing_open, failing_stat, failing_size, failing_preadv, failing_pwritev,
                  failing_fdatasync, failing_close },
        .fail_at = fail_at,
        .result = result,
    };
}

/* Open, read, write, flush, with the @fail_at-th call failing; whether anything failed. */
static bool workload(const char *path, FailingHost *h)
{
    g_autoptr(GError) error = NULL;
    BlkOptions options = { .path = path, .host = &h->host };
    g_autoptr(Blk) blk = blk_open(&options, &error);
    uint8_t a[512], b[1024];
    struct iovec iov[2] = { { a, sizeof(a) }, { b, sizeof(b) } };

    if (!blk) {
        g_assert_nonnull(error);
        return true;
    }
    bool failed = blk_readv(blk, 512, iov, 2) != 0;
    if (!failed) {
        g_assert_cmpuint(a[511], ==, 2);
        g_assert_cmpuint(b[511], ==, 3);
        g_assert_cmpuint(b[1023], ==, 4);
    }
    failed = failed || blk_writev(blk, 512, iov, 2) != 0;
    return failed || blk_flush(blk) != 0;
}

/* Each call in turn fails: that is reported, and never with a crash or a leak. */
static void test_nth_error(void)
{
    static const int errors[] = { -EIO, -ENOSPC, -EACCES };
    g_autofree char *path = make_file();

    for (size_t e = 0; e < G_N_ELEMENTS(errors); e++) {
        unsigned n = 1;
        for (;; n++) {
            FailingHost h;
            failing_init(&h, n, errors[e]);
            bool failed = workload(path, &h);
            if (h.calls < n) {
                g_assert_false(failed);
                break;
            }
            g_assert_true(failed);
        }
        g_assert_cmpuint(n, >, 6);
    }
    g_remove(path);
}

/* Calls that move less than asked, or are interrupted, are continued. */
static void test_short_moves(void)
{
    g_autofree char *path = make_file();

    for (unsigned n = 4; n <= 6; n++) {
        FailingHost h;
        failing_init(&h, n, 0);
        h.interruptions = 3;
        g_assert_false(workload(path, &h));
    }
    g_remove(path);
}

static void test_flush_fails_for_good(void)
{
    g_autofree char *path = make_file();
    FailingHost h;

    failing_init(&h, 4, -EIO);
    BlkOptions options = { .path = path, .host = &h.host };
    g_autoptr(Blk) blk = blk_open(&options, NULL);
    g_assert_cmpint(blk_flush(blk), ==, -EIO);
    g_assert_cmpint(blk_flush(blk), ==, -EIO);
    g_remove(path);
}

/* --- bounds --- */

static const struct {
    const char *name;
    uint64_t offset;
    size_t len;
    int result;
} bounds[] = {
    { "/block/bounds/first", 0, 512, 0 },
    { "/block/bounds/last", SIZE - 512, 512, 0 },
    { "/block/bounds/all", 0, SIZE, 0 },
    { "/block/bounds/nothing-at-end", SIZE, 0, 0 },
    { "/block/bounds/odd", 1, 3, 0 },
    { "/block/bounds/across-end", SIZE - 512, 513, -EINVAL },
    { "/block/bounds/behind-end", SIZE, 1, -EINVAL },
    { "/block/bounds/nothing-behind-end", SIZE + 1, 0, -EINVAL },
    { "/block/bounds/wraps", UINT64_MAX - 255, 512, -EINVAL },
    { "/block/bounds/length-huge", 0, SIZE_MAX, -EINVAL },
};

static void test_bounds(gconstpointer data)
{
    const typeof(bounds[0]) *c = data;
    g_autofree char *path = make_file();
    BlkOptions options = { .path = path };
    g_autoptr(Blk) blk = blk_open(&options, NULL);
    g_autofree uint8_t *buf = g_malloc0(SIZE + 512);
    struct iovec iov = { buf, c->len };

    g_assert_cmpint(blk_readv(blk, c->offset, &iov, 1), ==, c->result);
    for (size_t i = 0; !c->result && i < c->len; i++) {
        g_assert_cmpuint(buf[i], ==, (c->offset + i) / 512 + 1);
    }
    g_assert_cmpint(blk_writev(blk, c->offset, &iov, 1), ==, c->result);
    g_remove(path);
}

static void test_too_many_parts(void)
{
    g_autofree char *path = make_file();
    BlkOptions options = { .path = path, .read_only = true };
    g_autoptr(Blk) blk = blk_open(&options, NULL);
    struct iovec iov[BLK_MAX_IOV + 1];
    uint8_t byte;

    for (unsigned i = 0; i <= BLK_MAX_IOV; i++) {
        iov[i] = (struct iovec){ &byte, i % 2 };
    }
    g_assert_cmpint(blk_readv(blk, 0, iov, BLK_MAX_IOV), ==, 0);
    g_assert_cmpint(blk_readv(blk, 0, iov, BLK_MAX_IOV + 1), ==, -EINVAL);
    g_assert_cmpint(blk_writev(blk, 0, iov, 2), ==, -EROFS);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    g_remove(path);
}

/* A file that shrinks under a running machine gives errors, not zeros. */
static void test_shrinks(void)
{
    g_autofree char *path = make_file();
    BlkOptions options = { .path = path };
    g_autoptr(Blk) blk = blk_open(&options, NULL);
    uint8_t buf[1024];
    struct iovec iov = { buf, sizeof(buf) };

    g_assert(truncate(path, 512) == 0);
    g_assert_cmpint(blk_readv(blk, 0, &iov, 1), ==, -EIO);
    g_remove(path);
}

/* --- locks --- */

/* What two who open the same disk do. */
static const struct {
    const char *name;
    bool first_reads, second_reads, together;
} pairs[] = {
    { "/block/lock/two-writers", false, false, false },
    { "/block/lock/reader-then-writer", true, false, false },
    { "/block/lock/writer-then-reader", false, true, false },
    { "/block/lock/two-readers", true, true, true },
};

static void test_lock_pair(gconstpointer data)
{
    const typeof(pairs[0]) *c = data;
    g_autofree char *path = make_file();
    g_autoptr(GError) error = NULL;
    BlkOptions first_options = { .path = path, .read_only = c->first_reads };
    BlkOptions second_options = { .path = path, .read_only = c->second_reads };

    Blk *first = blk_open(&first_options, NULL);
    Blk *second = blk_open(&second_options, &error);
    g_assert_nonnull(first);
    g_assert_cmpint(second != NULL, ==, c->together);
    g_assert(!error == c->together);
    g_assert(!error || strstr(error->message, "is using it"));
    blk_close(second);
    blk_close(first);
    second = blk_open(&second_options, NULL); /* the lock went with its holder */
    g_assert_nonnull(second);
    blk_close(second);
    g_remove(path);
}

/* Have qemu-io write to @path; what it says. */
static char *write_with_qemu(const char *path)
{
    g_autofree char *command = g_strdup_printf("qemu-io -f raw -c 'write 0 512' '%s' 2>&1", path);
    const char *const argv[] = { "/bin/sh", "-c", command, NULL };
    g_auto(GStrv) copy = g_strdupv((char **)(uintptr_t)argv);
    char *output = NULL;

    g_assert(
        g_spawn_sync(NULL, copy, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output, NULL, NULL, NULL));
    return output;
}

/* QEMU's tools don't write to a disk that we have open, and may when we have closed it. */
static void test_qemu_respects_us(void)
{
    g_autofree char *tool = g_find_program_in_path("qemu-io");
    g_autofree char *path = make_file();

    if (!tool) {
        g_test_skip("qemu-io (package qemu-utils) is not installed");
        g_remove(path);
        return;
    }
    for (unsigned read_only = 0; read_only < 2; read_only++) {
        BlkOptions options = { .path = path, .read_only = read_only };
        Blk *blk = blk_open(&options, NULL);
        g_autofree char *while_open = write_with_qemu(path);
        blk_close(blk);
        g_autofree char *afterwards = write_with_qemu(path);
        if (!strstr(while_open, "lock") || !strstr(afterwards, "wrote 512/512 bytes")) {
            g_error("qemu-io said '%s', and then '%s'", while_open, afterwards);
        }
    }
    g_remove(path);
}

/* We keep off a disk that QEMU's tools write, and name the process. */
static void test_we_respect_qemu(void)
{
    g_autofree char *tool = g_find_program_in_path("qemu-io");
    g_autofree char *path = make_file();
    g_autoptr(GError) error = NULL;
    char byte = 0;
    GPid pid;
    int in, out;

    if (!tool) {
        g_test_skip("qemu-io (package qemu-utils) is not installed");
        g_remove(path);
        return;
    }
    char *argv[] = { tool, (char[]){ "-f" }, (char[]){ "raw" }, path, NULL };
    g_assert(g_spawn_async_with_pipes(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid,
                                      &in, &out, NULL, NULL));
    while (byte != '>') { /* its prompt: the disk is open */
        g_assert_cmpint(read(out, &byte, 1), ==, 1);
    }
    BlkOptions options = { .path = path };
    g_assert_null(blk_open(&options, &error));
    g_autofree char *holder = g_strdup_printf("process %d (qemu-io) is using it", (int)pid);
    if (!strstr(error->message, holder)) {
        g_error("got '%s', expected '%s'", error->message, holder);
    }
    close(in); /* it ends */
    waitpid(pid, NULL, 0);
    close(out);
    g_autoptr(Blk) blk = blk_open(&options, NULL);
    g_assert_nonnull(blk);
    g_remove(path);
}

/* A file system that knows no such locks. */
static int no_lock(void *opaque, int fd, int64_t byte)
{
    return -EOPNOTSUPP;
}

static int failing_lock(void *opaque, int fd, int64_t byte)
{
    return -EIO;
}

static void test_lock_errors(void)
{
    g_autofree char *path = make_file();
    g_autoptr(GError) error = NULL;
    BlkHost host = blk_host_system;
    BlkOptions options = { .path = path, .host = &host };

    host.lock = no_lock;
    Blk *blk = blk_open(&options, NULL);
    g_assert_nonnull(blk);
    blk_close(blk);
    host.lock = failing_lock;
    g_assert_null(blk_open(&options, &error));
    g_assert_nonnull(strstr(error->message, "cannot lock disk"));
    g_remove(path);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(opens); i++) {
        g_test_add_data_func(opens[i].name, &opens[i], test_open);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(bounds); i++) {
        g_test_add_data_func(bounds[i].name, &bounds[i], test_bounds);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++) {
        g_test_add_data_func(pairs[i].name, &pairs[i], test_lock_pair);
    }
    g_test_add_func("/block/lock/qemu-respects-us", test_qemu_respects_us);
    g_test_add_func("/block/lock/we-respect-qemu", test_we_respect_qemu);
    g_test_add_func("/block/lock/errors", test_lock_errors);
    g_test_add_func("/block/nth-call-fails", test_nth_error);
    g_test_add_func("/block/short-and-interrupted", test_short_moves);
    g_test_add_func("/block/flush-fails-for-good", test_flush_fails_for_good);
    g_test_add_func("/block/too-many-parts", test_too_many_parts);
    g_test_add_func("/block/file-shrinks", test_shrinks);
    return g_test_run();
}
