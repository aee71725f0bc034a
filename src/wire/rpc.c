/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of libvirt's RPC, see rpc.h.
 */
#include "wire/rpc.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/bits.h"
#include "common/error.h"
#include "wire/limits.h"

static uint32_t get32(const uint8_t *bytes)
{
    uint32_t be;

    memcpy(&be, bytes, sizeof(be));
    return GUINT32_FROM_BE(be);
}

static void set32(uint8_t *bytes, uint32_t value)
{
    const uint32_t be = GUINT32_TO_BE(value);
    memcpy(bytes, &be, sizeof(be));
}

static bool carries_fds(uint32_t type)
{
    return type == RPC_CALL_WITH_FDS || type == RPC_REPLY_WITH_FDS;
}

RpcPacket *rpc_packet_new(const RpcHeader *header, unsigned n_fds)
{
    const uint32_t words[] = { 0,
                               header->program,
                               header->version,
                               header->procedure,
                               header->type,
                               header->serial,
                               header->status,
                               n_fds };
    const bool has_fds = carries_fds(header->type);
    RpcPacket *packet = g_new0(RpcPacket, 1);

    g_assert(has_fds || n_fds == 0);
    packet->header = *header;
    packet->n_fds = n_fds;
    packet->payload = RPC_HEADER_SIZE + (has_fds ? 4 : 0);
    packet->bytes = g_byte_array_sized_new((guint)packet->payload + 64);
    g_byte_array_set_size(packet->bytes, (guint)packet->payload);
    for (unsigned i = 0; i < packet->payload / 4; i++) {
        set32(packet->bytes->data + 4 * i, words[i]);
    }
    return packet;
}

bool rpc_packet_end(RpcPacket *packet, const int *fds)
{
    if (packet->bytes->len > WIRE_MESSAGE_MAX) {
        return false;
    }
    set32(packet->bytes->data, packet->bytes->len);
    if (packet->n_fds) {
        packet->fds = g_memdup2(fds, packet->n_fds * sizeof(int));
    }
    return true;
}

void rpc_packet_free(RpcPacket *packet)
{
    for (unsigned i = 0; packet->fds && i < packet->n_fds; i++) {
        if (packet->fds[i] >= 0) {
            close(packet->fds[i]);
        }
    }
    if (packet->on_free) {
        packet->on_free(packet->owner);
    }
    g_free(packet->fds);
    g_byte_array_unref(packet->bytes);
    g_free(packet);
}

const uint8_t *rpc_payload(const RpcPacket *packet, size_t *ret_len)
{
    *ret_len = packet->bytes->len - packet->payload;
    return packet->bytes->data + packet->payload;
}

void rpc_reader_init(RpcReader *reader, uint32_t limit)
{
    reader->bytes = g_byte_array_new();
    reader->limit = limit;
    reader->fds = g_array_new(FALSE, FALSE, sizeof(int));
    reader->waiting = NULL;
}

void rpc_reader_clear(RpcReader *reader)
{
    for (unsigned i = 0; i < reader->fds->len; i++) {
        close(g_array_index(reader->fds, int, i));
    }
    g_array_free(reader->fds, TRUE);
    g_byte_array_unref(reader->bytes);
    g_clear_pointer(&reader->waiting, rpc_packet_free);
}

/* Keep the descriptors that came.  False: they're too many. */
static bool keep_fds(RpcReader *reader, struct msghdr *message)
{
    bool fits = !(message->msg_flags & MSG_CTRUNC);

    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        const size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        g_array_append_vals(reader->fds, CMSG_DATA(c), (guint)n);
    }
    return fits && reader->fds->len <= WIRE_FDS_MAX;
}

int rpc_reader_receive(RpcReader *reader, int fd)
{
    const guint had = reader->bytes->len;
    /* Who has sent little shall hold little. */
    const guint room = CLAMP(had, (guint)WIRE_READ_FIRST, (guint)WIRE_READ);
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(WIRE_FDS_MAX * sizeof(int))];

    g_byte_array_set_size(reader->bytes, had + room);
    struct iovec to = { reader->bytes->data + had, room };
    struct msghdr message = {
        .msg_iov = &to, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };
    ssize_t n;
    do {
        n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    const int problem = errno;
    g_byte_array_set_size(reader->bytes, had + (guint)MAX(n, 0));
    if (n < 0) {
        return -problem;
    }
    return keep_fds(reader, &message) ? (int)n : -EPROTO;
}

/* Cut the first @len bytes off. */
static GByteArray *cut(RpcReader *reader, uint32_t len)
{
    GByteArray *message = g_byte_array_sized_new(len);

    g_byte_array_append(message, reader->bytes->data, len);
    g_byte_array_remove_range(reader->bytes, 0, len);
    if (len > WIRE_READ) {
        /* Its memory goes with it. */
        GByteArray *rest = g_byte_array_new();
        g_byte_array_append(rest, reader->bytes->data, reader->bytes->len);
        g_byte_array_unref(reader->bytes);
        reader->bytes = rest;
    }
    return message;
}

/* The next message, its descriptors missing. */
static RpcPacket *next_bytes(RpcReader *reader, GError **error)
{
    if (reader->bytes->len < 4) {
        return NULL;
    }
    const uint32_t len = get32(reader->bytes->data);
    if (len < RPC_HEADER_SIZE || len > reader->limit) {
        set_error(error, "a message of %" PRIu32 " bytes, where %d to %" PRIu32 " are possible",
                  len, RPC_HEADER_SIZE, reader->limit);
        return NULL;
    }
    if (reader->bytes->len < len) {
        return NULL;
    }
    RpcPacket *packet = g_new0(RpcPacket, 1);
    packet->bytes = cut(reader, len);
    const uint8_t *words = packet->bytes->data;
    packet->header = (RpcHeader){ .program = get32(words + 4),
                                  .version = get32(words + 8),
                                  .procedure = get32(words + 12),
                                  .type = get32(words + 16),
                                  .serial = get32(words + 20),
                                  .status = get32(words + 24) };
    packet->payload = RPC_HEADER_SIZE;
    if (carries_fds(packet->header.type)) {
        packet->n_fds = len >= RPC_HEADER_SIZE + 4 ? get32(words + RPC_HEADER_SIZE) : UINT32_MAX;
        packet->payload += 4;
        if (packet->n_fds > WIRE_FDS_MAX) {
            set_error(error, "a message with more than %d descriptors", WIRE_FDS_MAX);
            packet->n_fds = 0;
            rpc_packet_free(packet);
            return NULL;
        }
    }
    return packet;
}

/* Hand @packet the descriptors it waits for.  False: they aren't all there. */
static bool fill_fds(RpcReader *reader, RpcPacket *packet, GError **error)
{
    if (packet->n_fds > reader->bytes->len) {
        return false;
    }
    if (packet->n_fds > reader->fds->len) {
        set_error(error, "a message without the descriptors that it announced");
        return false;
    }
    packet->fds = g_new(int, packet->n_fds);
    memcpy(packet->fds, reader->fds->data, packet->n_fds * sizeof(int));
    g_array_remove_range(reader->fds, 0, packet->n_fds);
    g_byte_array_remove_range(reader->bytes, 0, packet->n_fds);
    return true;
}

RpcPacket *rpc_reader_next(RpcReader *reader, GError **error)
{
    if (!reader->waiting) {
        reader->waiting = next_bytes(reader, error);
    }
    RpcPacket *packet = reader->waiting;
    if (!packet && reader->fds->len > 0 && (!error || !*error)) {
        set_error(error, "descriptors that no message announced");
    }
    if (!packet || (packet->n_fds && !fill_fds(reader, packet, error))) {
        return NULL;
    }
    reader->waiting = NULL;
    return packet;
}

void rpc_writer_init(RpcWriter *writer)
{
    *writer = (RpcWriter){ .packets = G_QUEUE_INIT };
}

void rpc_writer_clear(RpcWriter *writer)
{
    g_queue_clear_full(&writer->packets, (GDestroyNotify)rpc_packet_free);
    rpc_writer_init(writer);
}

void rpc_writer_add(RpcWriter *writer, RpcPacket *packet, bool urgent)
{
    writer->bytes += packet->bytes->len;
    if (urgent) {
        g_queue_push_nth(&writer->packets, packet, writer->sent ? 1 : 0);
    } else {
        g_queue_push_tail(&writer->packets, packet);
    }
}

/* Send @len bytes, and descriptor @passed with the first unless it is -1. */
static ssize_t send_some(int fd, const void *bytes, size_t len, int passed)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))] = { 0 };
    struct iovec from = { (void *)bytes, len };
    struct msghdr message = { .msg_iov = &from, .msg_iovlen = 1 };

    if (passed >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof(control);
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &passed, sizeof(int));
    }
    ssize_t n;
    do {
        n = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* Send of the first packet what @fd takes.  0: all of it. */
static int flush_first(RpcWriter *writer, int fd)
{
    const RpcPacket *packet = g_queue_peek_head(&writer->packets);

    while (writer->sent < packet->bytes->len) {
        const ssize_t n = send_some(fd, packet->bytes->data + writer->sent,
                                    packet->bytes->len - writer->sent, -1);
        if (n < 0) {
            return (int)n;
        }
        writer->sent += (size_t)n;
    }
    while (writer->sent_fds < packet->n_fds) {
        const ssize_t n = send_some(fd, "", 1, packet->fds[writer->sent_fds]);
        if (n < 0) {
            return (int)n;
        }
        writer->sent_fds++;
    }
    return 0;
}

int rpc_writer_flush(RpcWriter *writer, int fd)
{
    while (!g_queue_is_empty(&writer->packets)) {
        const int status = flush_first(writer, fd);
        if (status < 0) {
            return status;
        }
        RpcPacket *packet = g_queue_pop_head(&writer->packets);
        writer->bytes -= packet->bytes->len;
        writer->sent = 0;
        writer->sent_fds = 0;
        rpc_packet_free(packet);
    }
    return 0;
}
