/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection, see client.h.
 */
#include "manager/client.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "manager/call.h"
#include "manager/event.h"
#include "manager/limits.h"
#include "manager/server.h"
#include "manager/stream_internal.h"
#include "wire/limits.h"

G_STATIC_ASSERT(STREAMS_ENDED_MAX == G_N_ELEMENTS(((Client *)0)->ended));

Client *client_new(Daemon *daemon, Listener *listener, int fd, bool read_only)
{
    Client *client = g_new0(Client, 1);
    struct ucred peer = { .uid = (uid_t)-1 };
    socklen_t size = sizeof(peer);

    (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
    client->refs = 1;
    client->daemon = daemon;
    client->listener = listener;
    client->uid = peer.uid;
    client->who.read_only = read_only;
    client->born_us = client->heard_us = g_get_monotonic_time();
    client->fd = fd;
    client->reading = true;
    client->watched = EPOLLIN;
    client->streams = g_hash_table_new(NULL, NULL);
    rpc_reader_init(&client->reader, read_only ? READ_ONLY_MESSAGE : WIRE_MESSAGE_MAX);
    rpc_writer_init(&client->writer);
    g_queue_init(&client->held);
    g_mutex_init(&client->lock);
    return client;
}

Client *client_ref(Client *client)
{
    g_atomic_int_inc(&client->refs);
    return client;
}

void client_unref(Client *client)
{
    if (!g_atomic_int_dec_and_test(&client->refs)) {
        return;
    }
    rpc_reader_clear(&client->reader);
    rpc_writer_clear(&client->writer);
    g_queue_clear_full(&client->held, (GDestroyNotify)rpc_packet_free);
    g_hash_table_unref(client->streams);
    g_mutex_clear(&client->lock);
    g_free(client->uri);
    g_free(client);
}

/* True if the client has so much going on that it may wait. */
static bool is_busy(const Client *client)
{
    return client->held.length >= CALLS_HELD_MAX || client->held_bytes > CALLS_HELD_BYTES ||
           client->writer.bytes > OUT_HELD_BYTES || client->full > 0 || client->closing;
}

void client_watch_locked(Client *client)
{
    const bool reading = !is_busy(client);
    const uint32_t events =
        (reading ? EPOLLIN : 0u) | (g_queue_is_empty(&client->writer.packets) ? 0u : EPOLLOUT);

    if (client->fd < 0) {
        return;
    }
    if (reading && !client->reading && !client->resuming) {
        /* What it has sent already may lie in .reader, of which epoll knows nothing. */
        client->resuming = true;
        server_resume(client->daemon->server, client);
    }
    client->reading = reading;
    if (events != client->watched) {
        client->watched = events;
        server_watch(client->daemon->server, client, client->fd, events);
    }
}

void client_send_locked(Client *client, RpcPacket *packet, bool urgent)
{
    if (client->fd < 0) {
        rpc_packet_free(packet);
        return;
    }
    rpc_writer_add(&client->writer, packet, urgent);
    const int status = rpc_writer_flush(&client->writer, client->fd);
    if ((status < 0 && status != -EAGAIN) || client->writer.bytes > OUT_MAX_BYTES ||
        (status == 0 && client->closing)) {
        /* The main thread sees it and closes. */
        shutdown(client->fd, SHUT_RDWR);
    }
    client_watch_locked(client);
}

void client_send(Client *client, RpcPacket *packet)
{
    g_mutex_lock(&client->lock);
    client_send_locked(client, packet, false);
    g_mutex_unlock(&client->lock);
}

void client_close_when_sent(Client *client)
{
    g_mutex_lock(&client->lock);
    client->closing = true;
    g_mutex_unlock(&client->lock);
}

RpcHeader client_answer(const RpcHeader *call, RpcType type, RpcStatus status)
{
    RpcHeader header = *call;

    header.type = type;
    header.status = status;
    return header;
}

RpcPacket *client_error_packet(const RpcHeader *call, const GError *error)
{
    const bool of_stream = call->type == RPC_STREAM || call->type == RPC_STREAM_HOLE;
    const RpcHeader header = client_answer(call, of_stream ? RPC_STREAM : RPC_REPLY, RPC_ERROR);
    RpcPacket *packet = rpc_packet_new(&header, 0);

    remote_error_encode(packet->bytes, error);
    if (!rpc_packet_end(packet, NULL)) {
        g_byte_array_set_size(packet->bytes, RPC_HEADER_SIZE);
        g_autoptr(GError) shorter = NULL;
        remote_error_set(&shorter, REMOTE_ERR_RPC, "the message of an error is too long to send");
        remote_error_encode(packet->bytes, shorter);
        rpc_packet_end(packet, NULL);
    }
    return packet;
}

/* Begin a call, or keep it until another has ended.  Takes @packet. */
static void take_call(Client *client, RpcPacket *packet)
{
    g_mutex_lock(&client->lock);
    const bool begins = client->calls < CALLS_MAX;
    if (begins) {
        client->calls++;
    } else {
        client->held_bytes += packet->bytes->len;
        g_queue_push_tail(&client->held, packet);
        client_watch_locked(client);
    }
    g_mutex_unlock(&client->lock);
    if (begins) {
        call_begin(client, packet);
    }
}

void client_call_done(Client *client)
{
    RpcPacket *next = NULL;

    g_mutex_lock(&client->lock);
    if (client->fd >= 0) {
        next = g_queue_pop_head(&client->held);
    }
    if (next) {
        client->held_bytes -= next->bytes->len;
        client_watch_locked(client);
    } else {
        client->calls--;
    }
    g_mutex_unlock(&client->lock);
    if (next) {
        call_begin(client, next);
    }
}

static void take_keepalive(Client *client, const RpcHeader *header)
{
    if (header->type != RPC_MESSAGE || header->procedure != RPC_KEEPALIVE_PING) {
        return; /* a PONG: that bytes came says enough */
    }
    RpcHeader answer = *header;
    answer.procedure = RPC_KEEPALIVE_PONG;
    RpcPacket *pong = rpc_packet_new(&answer, 0);
    rpc_packet_end(pong, NULL);
    g_mutex_lock(&client->lock);
    client_send_locked(client, pong, true);
    g_mutex_unlock(&client->lock);
}

static void refuse(Client *client, const RpcPacket *packet, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static void refuse(Client *client, const RpcPacket *packet, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_autoptr(GError) error = g_error_new_literal(REMOTE_ERROR, REMOTE_ERR_RPC, text);

    client_send(client, client_error_packet(&packet->header, error));
}

/* One message.  Takes @packet. */
static void take_packet(Client *client, RpcPacket *packet)
{
    const RpcHeader *header = &packet->header;
    g_autoptr(RpcPacket) owned = packet;

    if (header->program == RPC_PROGRAM_KEEPALIVE && header->version == RPC_VERSION) {
        take_keepalive(client, header);
    } else if (header->type == RPC_STREAM || header->type == RPC_STREAM_HOLE) {
        stream_take(client, g_steal_pointer(&owned));
    } else if (header->type != RPC_CALL && header->type != RPC_CALL_WITH_FDS) {
        return; /* libvirtd drops it, too */
    } else if ((header->program != RPC_PROGRAM_REMOTE && header->program != RPC_PROGRAM_QEMU) ||
               header->version != RPC_VERSION) {
        refuse(client, packet, "Cannot find program %" PRId32 " version %" PRIu32,
               (int32_t)header->program, header->version);
    } else if (header->status != RPC_OK) {
        refuse(client, packet, "Unexpected message status %" PRIu32, header->status);
    } else if (call_is_inline(client, packet)) {
        call_run_inline(client, g_steal_pointer(&owned));
    } else {
        take_call(client, g_steal_pointer(&owned));
    }
}

/* Messages that are whole, as long as the client may go on.  False: what it sent is rubbish. */
static bool take_all(Client *client)
{
    g_autoptr(GError) error = NULL;

    for (;;) {
        g_mutex_lock(&client->lock);
        const bool go = client->reading && client->fd >= 0;
        g_mutex_unlock(&client->lock);
        RpcPacket *packet = go ? rpc_reader_next(&client->reader, &error) : NULL;
        if (!packet) {
            break;
        }
        take_packet(client, packet);
    }
    return server_count_unread(client->daemon->server, &client->unread,
                               client->reader.bytes->len) &&
           !error;
}

bool client_resume(Client *client)
{
    g_mutex_lock(&client->lock);
    client->resuming = false;
    const bool open = client->fd >= 0;
    g_mutex_unlock(&client->lock);
    return !open || take_all(client);
}

static bool receive(Client *client)
{
    const int n = rpc_reader_receive(&client->reader, client->fd);

    if (n == -EAGAIN) {
        return true;
    }
    if (n <= 0) {
        return false;
    }
    client->heard_us = g_get_monotonic_time();
    client->missed = 0;
    return take_all(client);
}

bool client_ready(Client *client, uint32_t events)
{
    bool fine = true;

    if (events & EPOLLOUT) {
        g_mutex_lock(&client->lock);
        const int status = rpc_writer_flush(&client->writer, client->fd);
        fine = (status == 0 && !client->closing) || status == -EAGAIN;
        client_watch_locked(client);
        g_mutex_unlock(&client->lock);
    }
    if (fine && events & EPOLLIN) {
        fine = receive(client);
    } else if (events & (EPOLLHUP | EPOLLERR)) {
        fine = false; /* nothing more to read, or nobody to read it for */
    }
    return fine;
}

bool client_tick(Client *client, int64_t now_us)
{
    static const RpcHeader ping = { RPC_PROGRAM_KEEPALIVE, RPC_VERSION, RPC_KEEPALIVE_PING,
                                    RPC_MESSAGE,           0,           RPC_OK };

    if (!client->who.opened) {
        return now_us - client->born_us < STRANGER_SECONDS * G_USEC_PER_SEC;
    }
    if (!client->pings || now_us - client->heard_us < KEEPALIVE_SECONDS * G_USEC_PER_SEC) {
        return true;
    }
    g_mutex_lock(&client->lock);
    const bool listening = client->reading; /* else an answer can't be seen */
    g_mutex_unlock(&client->lock);
    if (!listening) {
        return true;
    }
    if (client->missed++ >= KEEPALIVE_MISSES) {
        return false;
    }
    RpcPacket *packet = rpc_packet_new(&ping, 0);
    rpc_packet_end(packet, NULL);
    client_send(client, packet);
    return true;
}

void client_close(Client *client)
{
    events_forget(client->daemon->events, client);
    (void)server_count_unread(client->daemon->server, &client->unread, 0);
    g_mutex_lock(&client->lock);
    close(client->fd); /* epoll forgets it by itself */
    client->fd = -1;
    rpc_writer_clear(&client->writer);
    g_queue_clear_full(&client->held, (GDestroyNotify)rpc_packet_free);
    stream_abandon_locked(client);
    g_mutex_unlock(&client->lock);
}
