/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of libinsula share.  Outside of this folder only connection.h, stream.h and
 * calls_gen.h count.
 *
 *   reach.c   where the daemon is, and starting it     connection.c  calls, events, the loop
 *   stream.c  streams
 *
 * Threads: the connection's.
 */
#pragma once

#include "client/connection.h"
#include "client/stream.h"
#include "wire/rpc.h"

/* An unanswered call. */
typedef struct ClientCall {
    uint32_t serial;
    const RemoteProcedure *procedure;
    RpcPacket *reply; /* NULL: it hasn't come */
    bool waits;       /* somebody is in insula_call(), and takes the reply */
    InsulaAnswer answer;
    void *opaque;
} ClientCall;

typedef struct ClientWatch {
    RemoteEventId event;
    InsulaEvent told;
    void *opaque;
} ClientWatch;

struct InsulaConnection {
    int fd;
    GPid ssh;        /* 0: there is none */
    GError *broken;  /* why nothing comes any more; NULL: it does */
    unsigned inside; /* how deep in callbacks */
    bool closing;    /* insula_close() was called in one */
    RpcReader reader;
    RpcWriter writer;
    uint32_t serial;     /* of the next call */
    GHashTable *calls;   /* serial -> ClientCall */
    GHashTable *streams; /* serial -> InsulaStream */
    GArray *watches;     /* of ClientWatch */
    GQueue deferred;     /* of RpcPacket: events and answers to tell from the loop */
    GSource *source;
    void *fd_tag;
    InsulaGone gone;
    void *gone_opaque;
};

struct InsulaStream {
    InsulaConnection *connection;
    RpcHeader header; /* of packets that are sent */
    GQueue packets;   /* of RpcPacket: data that came */
    size_t taken;     /* of the first one */
    bool ended;       /* the daemon has said that there is no more */
    bool finished;    /* it has answered that it has all, or nothing more will come */
    GError *failed;   /* it has aborted the stream */
    InsulaStreamTold told;
    void *opaque;
};

/* A socket to the daemon at @where, or -1; *@ret_ssh: a process to wait for at the end; *@ret_name:
 * what to ask the daemon for, newly allocated, or NULL: it chooses. */
int client_reach(const char *where, InsulaOpenFlags flags, GPid *ret_ssh, char **ret_name,
                 GError **error);

/* Send a packet, and go on receiving, until @done says so.  False: the connection broke. */
void client_send(InsulaConnection *connection, RpcPacket *packet, bool urgent);
bool client_wait(InsulaConnection *connection, bool (*done)(const void *), const void *what,
                 GError **error);
/* Take what has come for a stream. */
void client_stream_take(InsulaStream *stream, RpcPacket *packet);
/* Nothing more will come. */
void client_stream_broken(InsulaStream *stream);
/* Begin a call, and wait for its reply: the packet, or NULL. */
RpcPacket *client_call(InsulaConnection *connection, const RemoteProcedure *procedure,
                       const void *args, GError **error);
