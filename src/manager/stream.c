/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams, see stream.h.
 *
 * A stream ends in one of these ways; after each, later packets with its serial are nothing new:
 *  - the client sends OK: .run sees the end, returns, and the client is sent OK;
 *  - the client sends ERROR, or goes: .run sees that it is over;
 *  - .run fails: the client is sent ERROR;
 *  - .run has nothing more: the client is sent an empty packet.  libvirt's clients then send OK and
 *    want OK; others never say a word, so that only the serial is kept of it.
 * A stream that only goes to the daemon ends when its client says so, whenever .run returned.
 */
#include "manager/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "manager/limits.h"
#include "manager/server.h"
#include "manager/stream_internal.h"
#include "wire/limits.h"
#include "wire/remote.h"

struct Stream {
    int refs; /* atomic */
    /* fixed after create */
    Client *client; /* a reference */
    RpcHeader header;
    unsigned flags;
    StreamOps ops;
    void *opaque;

    /* the client's lock */
    GCond changed;
    GQueue in;       /* of RpcPacket */
    size_t in_taken; /* of the first one's payload */
    uint64_t hole;   /* that is left of the first one, if it is one */
    size_t in_bytes;
    bool counted_full; /* in the client's .full */
    bool finished;     /* the client has sent OK */
    bool over;         /* the client has sent ERROR, or has gone */
    bool sending;      /* a packet of ours waits to be sent */
    int wake;          /* eventfd of stream_relay(), or -1 */
};

static void stream_ref(Stream *stream)
{
    g_atomic_int_inc(&stream->refs);
}

void stream_unref(Stream *stream)
{
    if (!g_atomic_int_dec_and_test(&stream->refs)) {
        return;
    }
    if (stream->ops.free) {
        stream->ops.free(stream->opaque);
    }
    g_queue_clear_full(&stream->in, (GDestroyNotify)rpc_packet_free);
    g_cond_clear(&stream->changed);
    server_count_stream(stream->client->daemon->server, -1);
    client_unref(stream->client);
    g_free(stream);
}

Stream *stream_new(Client *client, const RpcHeader *call, unsigned flags, const StreamOps *ops,
                   void *opaque, GError **error)
{
    g_mutex_lock(&client->lock);
    const bool fits = g_hash_table_size(client->streams) < STREAMS_MAX &&
                      !g_hash_table_contains(client->streams, GUINT_TO_POINTER(call->serial));
    g_mutex_unlock(&client->lock);
    if (!fits || !server_count_stream(client->daemon->server, 1)) {
        if (ops->free) {
            ops->free(opaque);
        }
        remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                         "operation failed: too many streams are open");
        return NULL;
    }
    Stream *stream = g_new0(Stream, 1);
    stream->refs = 1;
    stream->client = client_ref(client);
    stream->header = client_answer(call, RPC_STREAM, RPC_CONTINUE);
    stream->flags = flags;
    stream->ops = *ops;
    stream->opaque = opaque;
    stream->wake = -1;
    g_cond_init(&stream->changed);
    g_queue_init(&stream->in);
    return stream;
}

/* Tell whoever waits in the stream's thread. */
static void wake_locked(Stream *stream)
{
    g_cond_broadcast(&stream->changed);
    if (stream->wake >= 0) {
        (void)!write(stream->wake, &(uint64_t){ 1 }, sizeof(uint64_t));
    }
}

/* How much waits to be read has changed: may the client send more? */
static void count_full_locked(Stream *stream)
{
    const bool full = stream->in_bytes > STREAM_IN_BYTES;

    if (full != stream->counted_full) {
        stream->counted_full = full;
        stream->client->full += full ? 1 : -1;
        client_watch_locked(stream->client);
    }
}

static void drop_in_locked(Stream *stream)
{
    g_queue_clear_full(&stream->in, (GDestroyNotify)rpc_packet_free);
    stream->in_bytes = 0;
    stream->in_taken = 0;
    stream->hole = 0;
    count_full_locked(stream);
}

/* Our packet has been sent, or dropped.  The client's lock is held. */
static void on_sent(void *opaque)
{
    Stream *stream = opaque;

    stream->sending = false;
    wake_locked(stream);
}

/* Send a packet of @type and @status with @len bytes of @data. */
static void send_locked(Stream *stream, RpcType type, RpcStatus status, const void *data,
                        size_t len)
{
    const RpcHeader header = client_answer(&stream->header, type, status);
    RpcPacket *packet = rpc_packet_new(&header, 0);

    if (len) {
        g_byte_array_append(packet->bytes, data, (guint)len);
    }
    rpc_packet_end(packet, NULL);
    if (status == RPC_CONTINUE) {
        stream->sending = true;
        packet->on_free = on_sent;
        packet->owner = stream;
    }
    client_send_locked(stream->client, packet, false);
}

/* Wait until a packet may be sent.  False: nobody wants it. */
static bool wait_for_room_locked(Stream *stream)
{
    while (stream->sending && !stream->over && !stream->finished) {
        g_cond_wait(&stream->changed, &stream->client->lock);
    }
    return !stream->over && !stream->finished;
}

bool stream_write(Stream *stream, const void *data, size_t len)
{
    const size_t most = WIRE_STREAM_CHUNK - RPC_HEADER_SIZE;
    const uint8_t *bytes = data;
    bool wanted = true;

    g_mutex_lock(&stream->client->lock);
    for (size_t done = 0; done < len && wanted;) {
        const size_t part = MIN(len - done, most);
        wanted = wait_for_room_locked(stream);
        if (wanted) {
            send_locked(stream, RPC_STREAM, RPC_CONTINUE, bytes + done, part);
        }
        done += part;
    }
    g_mutex_unlock(&stream->client->lock);
    return wanted;
}

bool stream_write_hole(Stream *stream, uint64_t len)
{
    /* length, and flags of which there are none */
    const uint64_t be = GUINT64_TO_BE(len);
    uint8_t payload[12] = { 0 };

    memcpy(payload, &be, sizeof(be));
    g_mutex_lock(&stream->client->lock);
    const bool wanted = wait_for_room_locked(stream);
    if (wanted) {
        send_locked(stream, RPC_STREAM_HOLE, RPC_CONTINUE, payload, sizeof(payload));
    }
    g_mutex_unlock(&stream->client->lock);
    return wanted;
}

/* The first packet is used up. */
static void pop_locked(Stream *stream)
{
    RpcPacket *packet = g_queue_pop_head(&stream->in);

    stream->in_bytes -= packet->bytes->len;
    stream->in_taken = 0;
    rpc_packet_free(packet);
    count_full_locked(stream);
}

/* The length of the first packet's hole; 0: it's none. */
static uint64_t hole_of(const RpcPacket *packet)
{
    uint64_t be = 0;
    size_t len;
    const uint8_t *payload = rpc_payload(packet, &len);

    if (packet->header.type == RPC_STREAM_HOLE && len >= sizeof(be)) {
        memcpy(&be, payload, sizeof(be));
    }
    const uint64_t length = GUINT64_FROM_BE(be);
    return length > INT64_MAX ? 0 : length;
}

/* Bytes of the hole that is being read. */
static size_t take_hole_locked(Stream *stream, void *buffer, size_t len, uint64_t *ret_hole)
{
    size_t n = 0;

    if (ret_hole) {
        *ret_hole = stream->hole;
    } else {
        n = (size_t)MIN(stream->hole, len);
        memset(buffer, 0, n);
    }
    stream->hole -= ret_hole ? stream->hole : n;
    return n;
}

/* What the first packets have.  0 and no hole: nothing. */
static size_t take_locked(Stream *stream, void *buffer, size_t len, uint64_t *ret_hole)
{
    while (!g_queue_is_empty(&stream->in) && stream->hole == 0) {
        RpcPacket *packet = g_queue_peek_head(&stream->in);
        size_t have;
        const uint8_t *payload = rpc_payload(packet, &have);

        if (packet->header.type == RPC_STREAM_HOLE) {
            stream->hole = hole_of(packet);
            pop_locked(stream);
            continue;
        }
        const size_t n = MIN(len, have - stream->in_taken);
        memcpy(buffer, payload + stream->in_taken, n);
        stream->in_taken += n;
        if (stream->in_taken == have) {
            pop_locked(stream);
        }
        if (n) {
            return n;
        }
    }
    return stream->hole ? take_hole_locked(stream, buffer, len, ret_hole) : 0;
}

ssize_t stream_read(Stream *stream, void *buffer, size_t len, uint64_t *ret_hole)
{
    uint64_t hole = 0;
    ssize_t n = 0;

    g_mutex_lock(&stream->client->lock);
    while (!stream->over) {
        n = (ssize_t)take_locked(stream, buffer, len, ret_hole ? &hole : NULL);
        if (n || hole || stream->finished) {
            break;
        }
        g_cond_wait(&stream->changed, &stream->client->lock);
    }
    const bool over = stream->over;
    g_mutex_unlock(&stream->client->lock);
    if (ret_hole) {
        *ret_hole = hole;
    }
    return over ? -1 : n;
}

bool stream_is_over(Stream *stream)
{
    g_mutex_lock(&stream->client->lock);
    const bool over = stream->over;
    g_mutex_unlock(&stream->client->lock);
    return over;
}

/* Take the stream out of the client's table. */
static void forget_locked(Stream *stream)
{
    Client *client = stream->client;
    gpointer serial = GUINT_TO_POINTER(stream->header.serial);

    if (g_hash_table_lookup(client->streams, serial) == stream) {
        g_hash_table_remove(client->streams, serial);
        drop_in_locked(stream);
        stream_unref(stream);
    }
}

/* Tell the client of the end, see the top. */
static void tell_end_locked(Stream *stream, const GError *error)
{
    Client *client = stream->client;

    while (!error && !stream->over && !stream->finished && !(stream->flags & REMOTE_STREAM_OUT)) {
        drop_in_locked(stream);
        g_cond_wait(&stream->changed, &client->lock);
    }
    if (stream->over) {
        return; /* and has been told already */
    }
    if (error) {
        client_send_locked(client, client_error_packet(&stream->header, error), false);
    } else if (stream->finished) {
        send_locked(stream, RPC_STREAM, RPC_OK, NULL, 0);
    } else if (wait_for_room_locked(stream)) {
        send_locked(stream, RPC_STREAM, RPC_CONTINUE, NULL, 0);
        client->ended[client->n_ended++ % STREAMS_ENDED_MAX] = stream->header.serial;
    } else if (stream->finished) {
        send_locked(stream, RPC_STREAM, RPC_OK, NULL, 0);
    }
}

static gpointer stream_thread(gpointer data)
{
    Stream *stream = data;
    g_autoptr(GError) error = NULL;
    const bool fine = stream->ops.run(stream, stream->opaque, &error);

    if (!fine && !error) {
        remote_error_set(&error, REMOTE_ERR_INTERNAL, "internal error: the stream failed");
    }
    g_mutex_lock(&stream->client->lock);
    tell_end_locked(stream, error);
    while (stream->sending) {
        g_cond_wait(&stream->changed, &stream->client->lock); /* the packet knows us */
    }
    forget_locked(stream);
    g_mutex_unlock(&stream->client->lock);
    stream_unref(stream);
    return NULL;
}

void stream_begin(Stream *stream, RpcPacket *reply)
{
    Client *client = stream->client;

    g_mutex_lock(&client->lock);
    if (client->fd < 0 ||
        g_hash_table_contains(client->streams, GUINT_TO_POINTER(stream->header.serial))) {
        rpc_packet_free(reply); /* gone, or told two calls the same number: its own loss */
        g_mutex_unlock(&client->lock);
        return;
    }
    stream_ref(stream);
    g_hash_table_insert(client->streams, GUINT_TO_POINTER(stream->header.serial), stream);
    client_send_locked(client, reply, false);
    stream_ref(stream);
    g_mutex_unlock(&client->lock);
    g_thread_unref(g_thread_new("stream", stream_thread, stream));
}

/* The end of a stream that had ended here: say that it has. */
static void answer_ended_locked(Client *client, const RpcHeader *header)
{
    for (unsigned i = 0; i < MIN(client->n_ended, STREAMS_ENDED_MAX); i++) {
        if (client->ended[i] == header->serial && header->status != RPC_CONTINUE) {
            const RpcHeader ok = client_answer(header, RPC_STREAM, RPC_OK);
            RpcPacket *packet = rpc_packet_new(&ok, 0);
            rpc_packet_end(packet, NULL);
            client_send_locked(client, packet, false);
            return;
        }
    }
}

static void abort_locked(Client *client, Stream *stream, const RpcHeader *header)
{
    g_autoptr(GError) error = NULL;

    remote_error_set(&error, REMOTE_ERR_RPC, "stream aborted at client request");
    stream->over = true;
    client_send_locked(client, client_error_packet(header, error), false);
    forget_locked(stream);
}

void stream_take(Client *client, RpcPacket *packet)
{
    const RpcHeader *header = &packet->header;
    g_autoptr(RpcPacket) owned = packet;

    g_mutex_lock(&client->lock);
    Stream *stream = g_hash_table_lookup(client->streams, GUINT_TO_POINTER(header->serial));
    if (!stream || stream->header.procedure != header->procedure) {
        answer_ended_locked(client, header);
    } else if (header->status == RPC_OK) {
        stream->finished = true;
        wake_locked(stream);
    } else if (header->status != RPC_CONTINUE) {
        wake_locked(stream);
        abort_locked(client, stream, header);
    } else if (!stream->finished && stream->flags & REMOTE_STREAM_IN) {
        stream->in_bytes += packet->bytes->len;
        g_queue_push_tail(&stream->in, g_steal_pointer(&owned));
        count_full_locked(stream);
        wake_locked(stream);
    }
    g_mutex_unlock(&client->lock);
}

void stream_abandon_locked(Client *client)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, client->streams);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Stream *stream = value;
        g_hash_table_iter_remove(&iter);
        stream->over = true;
        drop_in_locked(stream);
        wake_locked(stream);
        stream_unref(stream);
    }
}

/* What stream_relay() has read of the stream and not yet written. */
typedef struct Relay {
    int fd, wake;
    uint8_t in[4096];
    size_t in_len, in_done;
    bool in_end;
} Relay;

/* Take from the stream, without waiting.  False: it's over. */
static bool relay_take(Stream *stream, Relay *relay)
{
    uint64_t count;

    (void)!read(relay->wake, &count, sizeof(count));
    g_mutex_lock(&stream->client->lock);
    const bool over = stream->over;
    if (!over && relay->in_done == relay->in_len) {
        relay->in_done = 0;
        relay->in_len = take_locked(stream, relay->in, sizeof(relay->in), NULL);
        relay->in_end = relay->in_len == 0 && stream->finished;
    }
    g_mutex_unlock(&stream->client->lock);
    return !over;
}

static bool relay_has_room(Stream *stream)
{
    g_mutex_lock(&stream->client->lock);
    const bool room = !stream->sending;
    g_mutex_unlock(&stream->client->lock);
    return room;
}

/* Move what can be moved.  False: either end has ended; *@ret_errno, unless it is 0, why. */
static bool relay_move(Stream *stream, Relay *relay, const struct pollfd *polled, int *ret_errno)
{
    uint8_t out[4096];

    if (polled->revents & POLLOUT && relay->in_done < relay->in_len) {
        const ssize_t n =
            write(relay->fd, relay->in + relay->in_done, relay->in_len - relay->in_done);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            *ret_errno = errno == EPIPE || errno == EIO ? 0 : errno;
            return false;
        }
        relay->in_done += (size_t)MAX(n, 0);
    }
    if (polled->revents & (POLLIN | POLLHUP | POLLERR)) {
        const ssize_t n = read(relay->fd, out, sizeof(out));
        if (n > 0) {
            return stream_write(stream, out, (size_t)n);
        }
        if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            /* EIO: nobody is at the other side of a pty */
            *ret_errno = n == 0 || errno == EIO || errno == ECONNRESET ? 0 : errno;
            return false;
        }
    }
    return true;
}

static bool relay_run(Stream *stream, Relay *relay, int *ret_errno)
{
    for (;;) {
        if (!relay_take(stream, relay) || relay->in_end) {
            return true;
        }
        const bool writes = relay->in_done < relay->in_len;
        const short reads = relay_has_room(stream) ? POLLIN : 0;
        struct pollfd polled[2] = {
            { .fd = relay->fd, .events = (short)(reads | (writes ? POLLOUT : 0)) },
            { .fd = relay->wake, .events = POLLIN },
        };
        if (!polled[0].events) {
            polled[0].fd = -1; /* a hang-up waits, too, until there's room for what came before */
        }
        if (poll(polled, 2, -1) < 0 && errno != EINTR) {
            *ret_errno = errno;
            return false;
        }
        if (!relay_move(stream, relay, &polled[0], ret_errno)) {
            return *ret_errno == 0;
        }
    }
}

bool stream_relay(Stream *stream, int fd, GError **error)
{
    g_autofree Relay *relay = g_new0(Relay, 1);
    int problem = 0;

    relay->fd = fd;
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    relay->wake = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    if (relay->wake < 0) {
        problem = errno;
    } else {
        g_mutex_lock(&stream->client->lock);
        stream->wake = relay->wake;
        g_mutex_unlock(&stream->client->lock);
        (void)relay_run(stream, relay, &problem);
        g_mutex_lock(&stream->client->lock);
        stream->wake = -1;
        g_mutex_unlock(&stream->client->lock);
        close(relay->wake);
    }
    if (problem) {
        remote_error_set(error, REMOTE_ERR_SYSTEM_ERROR, "the stream failed: %s",
                         g_strerror(problem));
    }
    return problem == 0;
}
