/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that don't wait, see aio.h.
 *
 * A request is first planned, with what of the tables is in memory: which pieces of which files it
 * is.  If that can be told, and all of it has its place, it becomes a move for each piece, and
 * stays inside of the gate until the last has ended, as a request that waits would.  If not, it is
 * not begun, and a thread does all of it.
 */
#include <errno.h>

#include "block/driver.h"
#include "block/moves.h"
#include "common/bits.h"

/* --- doing it all, and waiting --- */

static int wait_for(const BlkRequest *request)
{
    int result = 0;

    switch (request->op) {
    case BLK_READ:
        return blk_readv(request->blk, request->offset, request->iov, request->n);
    case BLK_WRITE:
        result = blk_writev(request->blk, request->offset, request->iov, request->n);
        break;
    case BLK_MAKE_ZERO:
        result = blk_zero(request->blk, request->offset, request->len, request->how);
        break;
    case BLK_FLUSH:
        return blk_flush(request->blk);
    }
    return !result && request->durable ? blk_flush(request->blk) : result;
}

static void work_on_thread(BlkJob *job)
{
    BlkRequest *request = container_of(job, BlkRequest, job);

    request->result = wait_for(request);
}

static void thread_done(BlkJob *job)
{
    BlkRequest *request = container_of(job, BlkRequest, job);

    request->done(request);
}

/* --- planning --- */

/* What is planned so far. */
typedef struct Plan {
    BlkRequest *request;
    BlkCursor cursor;
    const BlkFile *files[BLK_REQUEST_MOVES];
    unsigned n_parts;
} Plan;

/* The next @len bytes of the request are at @offset of @file; false: that is no plain move. */
static bool add_move(Plan *plan, BlkFile *file, uint64_t offset, uint64_t len)
{
    BlkRequest *request = plan->request;
    struct iovec *parts = &request->parts[plan->n_parts];
    bool write = request->op == BLK_WRITE;

    if (request->n_moves == BLK_REQUEST_MOVES ||
        plan->n_parts + plan->cursor.n - plan->cursor.first > BLK_REQUEST_IOV ||
        (!write && !range_inside(offset, len, 0, blk_file_size(file)))) {
        return false;
    }
    unsigned n = blk_cursor_peek(&plan->cursor, len, parts);
    if (!blk_file_is_plain(file, offset, parts, n)) {
        return false;
    }
    plan->files[request->n_moves] = file;
    request->moves[request->n_moves++] =
        (BlkMove){ .write = write, .n = (int)n, .iov = parts, .offset = (int64_t)offset };
    plan->n_parts += n;
    blk_cursor_skip(&plan->cursor, len);
    return true;
}

/* The whole of a request that is in one place takes its own list of buffers. */
static bool add_whole(Plan *plan, BlkFile *file, uint64_t offset)
{
    BlkRequest *request = plan->request;
    bool write = request->op == BLK_WRITE;

    if (!blk_file_is_plain(file, offset, request->iov, request->n) ||
        (!write && !range_inside(offset, plan->cursor.left, 0, blk_file_size(file)))) {
        return false;
    }
    plan->files[0] = file;
    request->moves[0] = (BlkMove){
        .write = write, .n = (int)request->n, .iov = request->iov, .offset = (int64_t)offset
    };
    request->n_moves = 1;
    plan->cursor.left = 0;
    return true;
}

/* Whether the piece at @where can be moved as it is. */
static bool add_piece(Plan *plan, const BlkWhere *where)
{
    const BlkExtent *extent = &where->extent;

    if (extent->place == BLK_COMPRESSED) {
        return false;
    }
    if (extent->place != BLK_HERE) {
        blk_cursor_zero(&plan->cursor, extent->len);
        return true;
    }
    if (plan->cursor.first == 0 && !plan->request->n_moves && extent->len == plan->cursor.left &&
        plan->cursor.left == plan->request->bytes) {
        return add_whole(plan, &where->layer->file, extent->offset);
    }
    return add_move(plan, &where->layer->file, extent->offset, extent->len);
}

/* Where the next piece of a write goes, if it has a place. */
static bool find_place(Blk *blk, uint64_t offset, uint64_t len, BlkWhere *ret)
{
    *ret = (BlkWhere){ .layer = blk };
    return !blk->driver->map(blk, offset, len, BLK_MAP_NO_WAIT, &ret->extent) &&
           ret->extent.place == BLK_HERE && ret->extent.in_place;
}

/* Find all pieces; false: it takes waiting. */
static bool make_plan(Plan *plan)
{
    BlkRequest *request = plan->request;
    uint64_t end = request->offset + request->bytes;
    bool good = true;

    while (plan->cursor.left && good) {
        uint64_t at = end - plan->cursor.left;
        BlkWhere where;
        good = request->op == BLK_WRITE
                   ? find_place(request->blk, at, plan->cursor.left, &where)
                   : !blk_resolve(request->blk, at, plan->cursor.left, BLK_MAP_NO_WAIT, &where);
        good = good && add_piece(plan, &where);
    }
    return good;
}

/* --- moves --- */

/* What is left to do of a move that ended early: rare, so it waits. */
static int finish_move(BlkFile *file, const BlkMove *move)
{
    return move->write ? blk_file_writev(file, (uint64_t)move->offset, move->iov, (unsigned)move->n)
                       : blk_file_readv(file, (uint64_t)move->offset, move->iov, (unsigned)move->n);
}

static uint64_t length_of(const BlkMove *move)
{
    uint64_t len = 0;

    for (int i = 0; i < move->n; i++) {
        len += move->iov[i].iov_len;
    }
    return len;
}

/* 0 or -errno of a move that has ended with .result. */
static int judge(BlkFile *file, const BlkMove *move)
{
    uint64_t len = length_of(move);

    if (move->result >= 0 && (uint64_t)move->result == len) {
        if (move->write) {
            blk_file_wrote(file, (uint64_t)move->offset + len, move->result);
        }
        return 0;
    }
    if (move->result >= 0 || move->result == -EINTR || move->result == -EAGAIN) {
        return finish_move(file, move);
    }
    if (move->write) {
        blk_file_wrote(file, 0, move->result);
    }
    return (int)move->result;
}

/* The request is over: out of the gate, and counted. */
static void end_request(BlkRequest *request)
{
    Blk *blk = request->blk;

    blk_gate_leave(&blk->gate, &request->pass);
    blk_count_end(blk, request->op == BLK_READ ? BLK_COUNT_READ : BLK_COUNT_WRITE, request->bytes,
                  request->result, request->begun_ns);
}

static void move_done(BlkJob *job)
{
    BlkMove *move = container_of(job, BlkMove, job);
    BlkRequest *request = move->request;
    int result = judge(move->target, move);

    request->result = request->result ? request->result : result;
    if (--request->moves_left == 0) {
        end_request(request);
        request->done(request);
    }
}

/* Read what is at hand; false: something is not. */
static bool read_now(const Plan *plan)
{
    BlkRequest *request = plan->request;

    for (unsigned i = 0; i < request->n_moves; i++) {
        const BlkFile *file = plan->files[i];
        const BlkMove *move = &request->moves[i];
        const BlkHost *host = file->host;
        if (!host->preadv_now || file->align > 1 ||
            host->preadv_now(host->opaque, file->fd, move->iov, move->n, move->offset) !=
                (ssize_t)length_of(move)) {
            return false;
        }
    }
    return true;
}

/* From the first move's beginning on the request may end at any time. */
static void begin_moves(const Plan *plan)
{
    BlkRequest *request = plan->request;
    unsigned n = request->n_moves;
    BlkAio *aio = request->blk->aio;

    request->moves_left = n;
    for (unsigned i = 0; i < n; i++) {
        BlkMove *move = &request->moves[i];
        move->request = request;
        move->target = (BlkFile *)(uintptr_t)plan->files[i];
        move->job.done = move_done;
        blk_aio_move(aio, plan->files[i], move);
    }
}

typedef enum Begun { DONE, BEGUN, NOT_BEGUN } Begun;

static Begun begin(BlkRequest *request)
{
    Blk *blk = request->blk;
    Plan plan;

    plan.request = request;
    plan.n_parts = 0;
    if (request->n > BLK_MAX_IOV || !blk_cursor_init(&plan.cursor, request->iov, request->n) ||
        !blk_gate_try_enter(&blk->gate, &request->pass)) {
        return NOT_BEGUN;
    }
    request->bytes = plan.cursor.left;
    request->n_moves = 0;
    request->result = 0;
    if (!range_inside(request->offset, request->bytes, 0, blk_size(blk)) || !make_plan(&plan)) {
        blk_gate_leave(&blk->gate, &request->pass);
        return NOT_BEGUN;
    }
    if (request->n_moves == 0 || (request->op == BLK_READ && read_now(&plan))) {
        end_request(request);
        return DONE;
    }
    begin_moves(&plan);
    return BEGUN;
}

/* --- requests --- */

/* Whether a request is nothing but moves, if its data has a place. */
static bool is_simple(const BlkRequest *request)
{
    const Blk *blk = request->blk;

    if (request->op == BLK_WRITE) {
        return !blk->read_only && !blk->sync_writes && blk->detect == BLK_DETECT_OFF &&
               !request->durable;
    }
    return request->op == BLK_READ;
}

bool blk_submit(BlkRequest *request)
{
    BlkAio *aio = request->blk->aio;

    if (!aio) {
        request->result = wait_for(request);
        return true;
    }
    request->begun_ns = blk_count_begin();
    Begun begun = is_simple(request) ? begin(request) : NOT_BEGUN;
    if (begun == NOT_BEGUN) {
        request->job.work = work_on_thread;
        request->job.done = thread_done;
        blk_aio_work(aio, &request->job);
    }
    return begun == DONE;
}

void blk_batch_begin(Blk *blk)
{
    if (blk->aio) {
        blk_aio_hold(blk->aio, true);
    }
}

void blk_batch_end(Blk *blk)
{
    if (blk->aio) {
        blk_aio_hold(blk->aio, false);
    }
}
