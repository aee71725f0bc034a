/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams of libinsula, see stream.h.
 *
 * How one ends (libvirt's protocol): an empty packet with status CONTINUE is the end of the
 * daemon's data; whoever is through says OK, and the other answers OK; ERROR aborts.
 */
#include "client/stream.h"

#include <string.h>

#include "client/internal.h"
#include "wire/limits.h"

static bool is_readable(const void *opaque)
{
    const InsulaStream *stream = opaque;

    return stream->packets.length || stream->ended || stream->finished;
}

static bool is_finished(const void *stream)
{
    return ((const InsulaStream *)stream)->finished;
}

static bool is_sent(const void *stream)
{
    return !((const InsulaStream *)stream)->connection->writer.packets.length;
}

void client_stream_take(InsulaStream *stream, RpcPacket *packet)
{
    size_t len;
    const uint8_t *bytes = rpc_payload(packet, &len);

    if (packet->header.status == RPC_CONTINUE && len && packet->header.type == RPC_STREAM) {
        g_queue_push_tail(&stream->packets, packet);
        return;
    }
    if (packet->header.status == RPC_CONTINUE) {
        stream->ended = stream->ended || packet->header.type == RPC_STREAM;
    } else {
        if (packet->header.status == RPC_ERROR && !stream->failed) {
            remote_error_decode(bytes, len, &stream->failed);
        }
        stream->finished = true;
    }
    rpc_packet_free(packet);
}

void client_stream_broken(InsulaStream *stream)
{
    if (!stream->failed && !stream->finished) {
        stream->failed = g_error_copy(stream->connection->broken);
    }
    stream->finished = true;
}

static void send_packet(InsulaStream *stream, RpcStatus status, const void *bytes, size_t len)
{
    RpcHeader header = stream->header;

    header.status = status;
    RpcPacket *packet = rpc_packet_new(&header, 0);
    g_byte_array_append(packet->bytes, bytes ? bytes : (const void *)"", (guint)len);
    rpc_packet_end(packet, NULL);
    client_send(stream->connection, packet, false);
}

InsulaStream *insula_stream_open(InsulaConnection *connection, uint32_t procedure, const void *args,
                                 void *ret, GError **error)
{
    const RemoteProcedure *row = remote_procedure(procedure);
    InsulaStream *stream = g_new0(InsulaStream, 1);
    size_t len;

    g_assert(row && row->flags & (REMOTE_STREAM_IN | REMOTE_STREAM_OUT));
    /* Data may come in one piece with the reply, so the stream is known before. */
    uint32_t serial = connection->serial;
    stream->connection = connection;
    g_queue_init(&stream->packets);
    stream->header.serial = serial;
    g_hash_table_insert(connection->streams, GUINT_TO_POINTER(serial), stream);
    g_autoptr(RpcPacket) reply = client_call(connection, row, args, error);
    if (reply) {
        const uint8_t *bytes = rpc_payload(reply, &len);
        stream->header = reply->header;
        stream->header.type = RPC_STREAM;
        if (!row->ret || !ret || xdr_decode(bytes, len, row->ret, ret, error)) {
            return stream;
        }
    } else {
        stream->finished = true;
    }
    insula_stream_close(stream);
    return NULL;
}

void insula_stream_close(InsulaStream *stream)
{
    if (!stream) {
        return;
    }
    if (!stream->finished && !stream->connection->broken) {
        send_packet(stream, stream->ended ? RPC_OK : RPC_ERROR, NULL, 0);
        client_wait(stream->connection, is_sent, stream, NULL);
    }
    g_hash_table_remove(stream->connection->streams, GUINT_TO_POINTER(stream->header.serial));
    g_queue_clear_full(&stream->packets, (GDestroyNotify)rpc_packet_free);
    g_clear_error(&stream->failed);
    g_free(stream);
}

bool insula_stream_ready(const InsulaStream *stream)
{
    return is_readable(stream);
}

ssize_t insula_stream_read(InsulaStream *stream, void *buffer, size_t len, GError **error)
{
    size_t there;

    if (!client_wait(stream->connection, is_readable, stream, stream->failed ? NULL : error) &&
        !stream->failed) {
        return -1;
    }
    RpcPacket *packet = g_queue_peek_head(&stream->packets);
    if (packet) {
        const uint8_t *bytes = rpc_payload(packet, &there);
        size_t n = MIN(len, there - stream->taken);
        memcpy(buffer, bytes + stream->taken, n);
        stream->taken += n;
        if (stream->taken == there) {
            rpc_packet_free(g_queue_pop_head(&stream->packets));
            stream->taken = 0;
        }
        return (ssize_t)n;
    }
    if (stream->failed) {
        g_propagate_error(error, g_error_copy(stream->failed));
        return -1;
    }
    return 0;
}

bool insula_stream_write(InsulaStream *stream, const void *bytes, size_t len, GError **error)
{
    for (size_t done = 0; done < len;) {
        size_t part = MIN(len - done, (size_t)WIRE_STREAM_CHUNK - RPC_HEADER_SIZE);
        if (stream->failed) {
            g_propagate_error(error, g_error_copy(stream->failed));
            return false;
        }
        if (stream->finished) {
            remote_error_set(error, REMOTE_ERR_OPERATION_FAILED, "the other side has ended it");
            return false;
        }
        send_packet(stream, RPC_CONTINUE, (const char *)bytes + done, part);
        if (!client_wait(stream->connection, is_sent, stream, error)) {
            return false;
        }
        done += part;
    }
    return true;
}

bool insula_stream_finish(InsulaStream *stream, GError **error)
{
    if (!stream->finished) {
        send_packet(stream, RPC_OK, NULL, 0);
    }
    if (!client_wait(stream->connection, is_finished, stream, stream->failed ? NULL : error) &&
        !stream->failed) {
        return false;
    }
    if (stream->failed) {
        g_propagate_error(error, g_error_copy(stream->failed));
        return false;
    }
    return true;
}

void insula_stream_on_data(InsulaStream *stream, InsulaStreamTold told, void *opaque)
{
    stream->told = told;
    stream->opaque = opaque;
    g_main_context_wakeup(g_source_get_context(stream->connection->source));
}
