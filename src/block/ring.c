/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The restricted ring, see ring.h; by liburing, io_uring_register(2).
 */
#include "block/ring.h"

#include <errno.h>
#include <liburing.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "block/limits.h"
#include "common/error.h"

struct BlkRing {
    struct io_uring uring;
};

/* The call itself: liburing 2.3, which Debian 12 has, does not export all of its functions. */
static int tell(const struct io_uring *uring, unsigned what, const void *with, unsigned n)
{
    return syscall(SYS_io_uring_register, uring->ring_fd, what, with, n) < 0 ? -errno : 0;
}

/* What the ring may do, once it is enabled: no flags of requests either. */
static int restrict_and_enable(const struct io_uring *uring)
{
    static const uint8_t sqe_ops[] = { IORING_OP_READV, IORING_OP_WRITEV };
    struct io_uring_restriction rules[G_N_ELEMENTS(sqe_ops)] = { 0 };

    for (unsigned i = 0; i < G_N_ELEMENTS(sqe_ops); i++) {
        rules[i].opcode = IORING_RESTRICTION_SQE_OP;
        rules[i].sqe_op = sqe_ops[i];
    }
    int result = tell(uring, IORING_REGISTER_RESTRICTIONS, rules, G_N_ELEMENTS(rules));
    return result ? result : tell(uring, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

BlkRing *blk_ring_new(GError **error)
{
    g_autofree BlkRing *ring = g_new0(BlkRing, 1);
    int result = io_uring_queue_init(BLK_RING_ENTRIES, &ring->uring, IORING_SETUP_R_DISABLED);

    if (result < 0) {
        set_error_errno(error, -result, "cannot make a ring of io_uring");
        return NULL;
    }
    result = restrict_and_enable(&ring->uring);
    if (result < 0) {
        set_error_errno(error, -result, "cannot restrict a ring of io_uring");
        io_uring_queue_exit(&ring->uring);
        return NULL;
    }
    return g_steal_pointer(&ring);
}

void blk_ring_free(BlkRing *ring)
{
    if (ring) {
        io_uring_queue_exit(&ring->uring);
        g_free(ring);
    }
}

int blk_ring_fd(const BlkRing *ring)
{
    return ring->uring.ring_fd;
}

bool blk_ring_put(BlkRing *ring, BlkMove *move)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

    if (!sqe) {
        return false;
    }
    if (move->write) {
        io_uring_prep_writev(sqe, move->file, move->iov, move->n, (uint64_t)move->offset);
    } else {
        io_uring_prep_readv(sqe, move->file, move->iov, move->n, (uint64_t)move->offset);
    }
    io_uring_sqe_set_data(sqe, move);
    return true;
}

bool blk_ring_submit(BlkRing *ring)
{
    int result = 1;

    while (io_uring_sq_ready(&ring->uring) && (result > 0 || result == -EINTR)) {
        result = io_uring_submit(&ring->uring);
    }
    return result > 0;
}

BlkMove *blk_ring_get(BlkRing *ring)
{
    struct io_uring_cqe *cqe;

    if (io_uring_peek_cqe(&ring->uring, &cqe)) {
        return NULL;
    }
    BlkMove *move = io_uring_cqe_get_data(cqe);
    move->result = cqe->res;
    io_uring_cqe_seen(&ring->uring, cqe);
    return move;
}
