/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of libvirt's RPC on a stream socket: where one ends, its header, descriptors with it.
 *
 * A message is its length (which counts itself), six words of header, and a payload.  Descriptors
 * are announced by a count in front of the payload, and each follows the message on one byte of
 * zero.  Used by both sides: RpcReader turns what comes into messages, RpcWriter sends what waits;
 * neither ever blocks on a socket that doesn't.
 *
 * Threads: a reader or writer belongs to one, or to who holds its owner's lock.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RPC_PROGRAM_REMOTE = 0x20008086,
    RPC_PROGRAM_QEMU = 0x20008087,
    RPC_PROGRAM_KEEPALIVE = 0x6b656570,
    RPC_VERSION = 1,
    RPC_HEADER_SIZE = 28, /* with the length: the smallest message */

    RPC_KEEPALIVE_PING = 1,
    RPC_KEEPALIVE_PONG = 2,
};

typedef enum RpcType {
    RPC_CALL,
    RPC_REPLY,
    RPC_MESSAGE,
    RPC_STREAM,
    RPC_CALL_WITH_FDS,
    RPC_REPLY_WITH_FDS,
    RPC_STREAM_HOLE,
} RpcType;

typedef enum RpcStatus {
    RPC_OK,
    RPC_ERROR,
    RPC_CONTINUE, /* of streams: there is more */
} RpcStatus;

typedef struct RpcHeader {
    uint32_t program, version, procedure;
    uint32_t type; /* a RpcType, or what the peer made up */
    uint32_t serial;
    uint32_t status; /* a RpcStatus, or what the peer made up */
} RpcHeader;

/* One message, to send or received. */
typedef struct RpcPacket {
    RpcHeader header;
    GByteArray *bytes; /* all of it, from its length on; a received one's .fds count is skipped */
    size_t payload;    /* where in .bytes arguments, results or data begin */
    void (*on_free)(void *owner); /* when it has been sent, or dropped; may be NULL */
    void *owner;
    int *fds; /* owned, or NULL; -1: taken */
    unsigned n_fds;
} RpcPacket;

/* A packet to append the payload to, and its end.  @fds of the end, if there are any, become the
 * packet's; then @header's type must be one with descriptors.  rpc_packet_end() is false, and takes
 * nothing, if the message is longer than one may be. */
RpcPacket *rpc_packet_new(const RpcHeader *header, unsigned n_fds);
bool rpc_packet_end(RpcPacket *packet, const int *fds);
void rpc_packet_free(RpcPacket *packet);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RpcPacket, rpc_packet_free)

/* Payload of a received packet. */
const uint8_t *rpc_payload(const RpcPacket *packet, size_t *ret_len);

/* What comes in. */
typedef struct RpcReader {
    GByteArray *bytes;  /* received, and not yet a message */
    uint32_t limit;     /* bytes that a message may have */
    GArray *fds;        /* of int: received, and not yet a message's */
    RpcPacket *waiting; /* whole but for its descriptors */
} RpcReader;

void rpc_reader_init(RpcReader *reader, uint32_t limit);
void rpc_reader_clear(RpcReader *reader);
/* Receive once from socket @fd, at most WIRE_READ bytes: what it takes grows with what comes.
 * Returns how many, 0 at the end, or a negative errno; -EPROTO: more descriptors than may be. */
int rpc_reader_receive(RpcReader *reader, int fd);
/* The next whole message, or NULL: more is needed, or, with @error set, it can't be one and nothing
 * that follows can be trusted. */
RpcPacket *rpc_reader_next(RpcReader *reader, GError **error);

/* What goes out. */
typedef struct RpcWriter {
    GQueue packets; /* of RpcPacket */
    size_t sent;    /* of the first one's bytes */
    unsigned sent_fds;
    size_t bytes; /* in all that wait */
} RpcWriter;

void rpc_writer_init(RpcWriter *writer);
void rpc_writer_clear(RpcWriter *writer);
/* Takes ownership of @packet, which goes before all whose first byte hasn't left, if @urgent. */
void rpc_writer_add(RpcWriter *writer, RpcPacket *packet, bool urgent);
/* Send what socket @fd takes.  0: all is sent; -EAGAIN: some waits; else a negative errno. */
int rpc_writer_flush(RpcWriter *writer, int fd);
