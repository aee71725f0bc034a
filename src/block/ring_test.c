/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a ring refuses to who owns the process, and so has its shared memory: everything but reads
 * and writes.  Where the host refuses rings there is nothing to try.
 */
#include "block/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "block/limits.h"

/* Our ring, as another who has its descriptor sees it. */
typedef struct Seen {
    BlkRing *ring;
    struct io_uring uring;
} Seen;

static bool look(Seen *seen)
{
    g_autoptr(GError) error = NULL;
    struct io_uring_params params = { .flags = IORING_SETUP_R_DISABLED };

    seen->ring = blk_ring_new(&error);
    if (!seen->ring) {
        g_test_skip(error->message);
        return false;
    }
    /* where things lie in one ring, they lie in another of the same size */
    int like = (int)syscall(SYS_io_uring_setup, BLK_RING_ENTRIES, &params);
    g_assert_cmpint(like, >=, 0);
    close(like);
    g_assert_cmpint(io_uring_queue_mmap(blk_ring_fd(seen->ring), &params, &seen->uring), ==, 0);
    return true;
}

/* Have @sqe done: its result. */
static int try(Seen *seen)
{
    struct io_uring_cqe *cqe = NULL;

    io_uring_submit(&seen->uring);
    g_assert_cmpint(io_uring_wait_cqe(&seen->uring, &cqe), ==, 0);
    int result = cqe->res;
    io_uring_cqe_seen(&seen->uring, cqe);
    return result;
}

static void prepare_open(struct io_uring_sqe *sqe)
{
    io_uring_prep_openat(sqe, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
}

static void prepare_socket(struct io_uring_sqe *sqe)
{
    io_uring_prep_socket(sqe, AF_UNIX, SOCK_STREAM, 0, 0);
}

static void prepare_connect(struct io_uring_sqe *sqe)
{
    static const struct sockaddr address = { .sa_family = AF_UNIX };

    io_uring_prep_connect(sqe, 0, &address, sizeof(address));
}

static void prepare_nothing(struct io_uring_sqe *sqe)
{
    io_uring_prep_nop(sqe);
}

static void prepare_read(struct io_uring_sqe *sqe)
{
    static char byte;

    io_uring_prep_read(sqe, STDIN_FILENO, &byte, 1, 0);
}

static void prepare_unlink(struct io_uring_sqe *sqe)
{
    io_uring_prep_unlinkat(sqe, AT_FDCWD, "/nothing", 0);
}

static void test_refused(void)
{
    static void (*const prepare[])(struct io_uring_sqe *) = {
        prepare_open,    prepare_socket, prepare_connect,
        prepare_nothing, prepare_read,   prepare_unlink,
    };
    Seen seen;

    if (!look(&seen)) {
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(prepare); i++) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&seen.uring);
        prepare[i](sqe);
        g_assert_cmpint(try(&seen), ==, -EACCES);
    }
    int none = -1;
    g_assert_cmpint(
        syscall(SYS_io_uring_register, blk_ring_fd(seen.ring), IORING_REGISTER_FILES, &none, 1), ==,
        -1);
    g_assert_cmpint(errno, ==, EACCES);
    blk_ring_free(seen.ring);
}

/* The same way what it is for works: so the refusals are not for another reason. */
static void test_allowed(void)
{
    char bytes[4] = { 0 };
    struct iovec iov = { bytes, sizeof(bytes) };
    int pipes[2];
    Seen seen;

    if (!look(&seen)) {
        return;
    }
    g_assert_cmpint(pipe(pipes), ==, 0);
    g_assert_cmpint(write(pipes[1], "abcd", 4), ==, 4);
    io_uring_prep_readv(io_uring_get_sqe(&seen.uring), pipes[0], &iov, 1, 0);
    g_assert_cmpint(try(&seen), ==, 4);
    g_assert_cmpmem(bytes, 4, "abcd", 4);
    close(pipes[0]);
    close(pipes[1]);
    blk_ring_free(seen.ring);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ring/refused", test_refused);
    g_test_add_func("/ring/allowed", test_allowed);
    return g_test_run();
}
