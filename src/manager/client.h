/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection: what comes in is taken apart and handed on, what goes out is queued and sent.
 *
 * Reading stops while the client has too much going on: calls, unread data of a stream, replies
 * that it doesn't take.  A ping is answered before all that waits.
 *
 * Threads: client_new(), _ready(), _resume(), _tick() and _close() are the main thread's.  The rest
 * is for all: what they share is under .lock.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "manager/access.h"
#include "manager/daemon.h"
#include "wire/rpc.h"

typedef struct Client Client;
typedef struct Stream Stream;
typedef struct Listener Listener;

struct Client {
    int refs; /* atomic */
    Daemon *daemon;
    Listener *listener; /* it came by */
    uid_t uid;

    /* main thread only */
    RpcReader reader;
    size_t unread; /* of .reader, as counted in the server */
    AccessWho who; /* written under .lock, too */
    char *uri;     /* as it was opened, or NULL */
    bool close_callback;
    bool pings;      /* it answers pings */
    unsigned missed; /* pings without an answer */
    int64_t born_us, heard_us;

    /* lock */
    GMutex lock;
    int fd;           /* -1: closed */
    bool reading;     /* what epoll was told: bytes are wanted */
    bool resuming;    /* the main thread has been asked to go on reading */
    bool closing;     /* once all is sent */
    uint32_t watched; /* epoll's events for .fd */
    RpcWriter writer;
    unsigned calls; /* being worked on */
    GQueue held;    /* of RpcPacket: calls that wait for one of those to end */
    size_t held_bytes;
    GHashTable *streams; /* serial → Stream, each a reference */
    uint32_t ended[16];  /* serials of streams that ended here, and that the client may yet end */
    unsigned n_ended;    /* as many have been written to .ended, in turn */
    unsigned full;       /* streams with too much unread */
    unsigned registrations; /* Events' lock */
};

/* A client on socket @fd, which it takes. */
Client *client_new(Daemon *daemon, Listener *listener, int fd, bool read_only);
Client *client_ref(Client *client);
void client_unref(Client *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Client, client_unref)

/* Events of epoll for its socket.  False: it's over, close it. */
bool client_ready(Client *client, uint32_t events);
/* Read on after a pause.  False: it's over. */
bool client_resume(Client *client);
/* What time asks for, every KEEPALIVE_SECONDS.  False: it's over. */
bool client_tick(Client *client, int64_t now_us);
/* Close the socket, end streams, forget registrations.  Calls that run end by themselves. */
void client_close(Client *client);

/* Send @packet, whose ownership it takes.  Any thread. */
void client_send(Client *client, RpcPacket *packet);
/* The same with .lock held. */
void client_send_locked(Client *client, RpcPacket *packet, bool urgent);
/* Send all that waits, and then close. */
void client_close_when_sent(Client *client);
/* Call of @packet's header is done: another may begin. */
void client_call_done(Client *client);
/* A header that answers @call, of @type and @status. */
RpcHeader client_answer(const RpcHeader *call, RpcType type, RpcStatus status);
/* A packet that answers @call with @error. */
RpcPacket *client_error_packet(const RpcHeader *call, const GError *error);
/* With .lock held: find out anew whether to read, after .full or the like has changed. */
void client_watch_locked(Client *client);
