/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libinsula: calls to the daemon insulad, over libvirt's wire protocol.
 *
 *     InsulaConnection *connection = insula_open(NULL, 0, &error);
 *     RemoteDomainLookupByNameArgs args = { .name = (char *)"debian" };
 *     g_auto(RemoteDomainLookupByNameRet) found = { 0 };
 *     if (insula_domain_lookup_by_name(connection, &args, &found, &error)) { ... found.dom ... }
 *     insula_close(connection);
 *
 * calls_gen.h has a function like this one for each procedure of the protocol, with the structs of
 * wire/remote_gen.h; insula_call() is what they all are.  Errors are whole sentences of domain
 * REMOTE_ERROR, whose codes are libvirt's numbers (wire/remote.h).
 *
 * A call either waits (insula_call()) or comes back at once and calls back later
 * (insula_call_later()).  Events, answers to later calls and data of streams are told from the
 * GMainContext that was the thread's default when the connection was opened; what comes while a
 * call waits is kept until then.
 *
 * Threads: a connection belongs to one thread, whose context that must be.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "wire/remote.h"

typedef struct InsulaConnection InsulaConnection;

typedef enum InsulaOpenFlags {
    INSULA_OPEN_READ_ONLY = 1 << 0, /* by the socket that changes nothing */
    INSULA_OPEN_NO_START = 1 << 1,  /* fail if the daemon isn't running, don't start it */
} InsulaOpenFlags;

/* Reach a daemon.  @where:
 *
 *   NULL                       that of environment INSULA_CONNECT, else "system" for root and
 *                              "session" for others
 *   "session"                  this user's; started if it isn't running
 *   "system"                   the host's
 *   "/path", "unix:/path"      the one at this socket
 *   "qemu:///session?socket=/path"
 *                              the same, as libvirt's clients are told it
 *   "ssh://[USER@]HOST[:PORT][/system|/session]"
 *                              the one of another host, by ssh and the insula there: one channel
 *                              carries everything
 *
 * Returns a connection, or NULL; an error of code REMOTE_ERR_NO_CONNECT says why there is no
 * daemon. */
InsulaConnection *insula_open(const char *where, InsulaOpenFlags flags, GError **error);
/* The same without a word said yet: a socket, or -1.  Not for "ssh:". */
int insula_reach(const char *where, InsulaOpenFlags flags, GError **error);
/* Say good-bye and free it.  Later calls that weren't answered are told so first. */
void insula_close(InsulaConnection *connection);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(InsulaConnection, insula_close)

/* Call @procedure and wait.  @args and @ret are its structs (NULL where it has none); @ret is
 * filled only on success, and the caller's to clear. */
bool insula_call(InsulaConnection *connection, uint32_t procedure, const void *args, void *ret,
                 GError **error);
/* The same for one that is answered with a descriptor, which it returns; -1: it failed. */
int insula_call_fd(InsulaConnection *connection, uint32_t procedure, const void *args, void *ret,
                   GError **error);

/* The answer to a later call: @ret is its struct, or NULL if there is none or @error is set. */
typedef void (*InsulaAnswer)(InsulaConnection *connection, const void *ret, const GError *error,
                             void *opaque);
/* Call @procedure and come back at once.  @answer (may be NULL) is called exactly once, never from
 * inside this function. */
void insula_call_later(InsulaConnection *connection, uint32_t procedure, const void *args,
                       InsulaAnswer answer, void *opaque);

/* @message is the event's struct, Remote...Msg; nothing of it is kept. */
typedef void (*InsulaEvent)(InsulaConnection *connection, RemoteEventId event, const void *message,
                            void *opaque);
/* Have @told called for each @event of any object, from now on.  False: the daemon has no such. */
bool insula_watch(InsulaConnection *connection, RemoteEventId event, InsulaEvent told, void *opaque,
                  GError **error);

/* Tell @told, with this @opaque, no more; also from inside of it. */
void insula_unwatch(InsulaConnection *connection, InsulaEvent told, void *opaque);

/* Have @told called once if the daemon goes, or closes the connection; not by insula_close(). */
typedef void (*InsulaGone)(InsulaConnection *connection, const GError *why, void *opaque);
void insula_on_gone(InsulaConnection *connection, InsulaGone told, void *opaque);
