/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a call to its handler.
 *
 * A handler is plain blocking code.  It gets the decoded arguments and a zeroed reply, each the
 * struct that remote_gen.h has for the procedure (NULL where it has none).  It fills the reply with
 * what GLib allocates, or sets @error, best by remote_error_set(), and returns false.  Both structs
 * are freed for it.  Before it runs, the access that the row of remote.table names was checked.
 *
 * A *_calls.c has its rows in a table, which dispatch.c lists.  A procedure without a handler is
 * answered with "unknown procedure: N".
 *
 * Threads: handlers run on a worker; rows with "inline" on the main thread, where they must not
 * wait.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "manager/daemon.h"
#include "manager/stream.h"
#include "wire/remote.h"

typedef struct Client Client;
typedef struct Call Call;

typedef bool (*CallHandler)(Call *call, const void *args, void *ret, GError **error);

typedef struct CallRow {
    uint32_t procedure; /* REMOTE_PROC_… */
    CallHandler handler;
} CallRow;

/* Each ends with a row of zeros. */
extern const CallRow connect_calls[], event_calls[];
extern const CallRow domain_calls[], domain_device_calls[], domain_stats_calls[],
    domain_save_calls[], domain_snapshot_calls[], domain_console_calls[];
extern const CallRow pool_calls[], volume_calls[], network_calls[], node_device_calls[],
    secret_calls[], host_calls[];

Daemon *call_daemon(const Call *call);
Client *call_client(const Call *call);
/* The client came by the read-only socket.  The rows see to it; ask where only some flags of a call
 * are forbidden. */
bool call_read_only(const Call *call);
/* Nobody waits for the answer any more: the client has gone.  For handlers of long work. */
bool call_is_over(const Call *call);
/* Who is at the other end. */
uid_t call_uid(const Call *call);
/* Set @error to what libvirt says of a thing that the read-only socket forbids.  Returns false. */
bool call_deny(const Call *call, GError **error);

/* The next descriptor that came with the call, now the caller's; -1: there's no more. */
int call_take_fd(Call *call);
/* @fd goes with the reply, if there is one.  Takes ownership. */
void call_return_fd(Call *call, int fd);
/* Open the call's stream, see stream.h.  @ops->run begins when the reply has been sent, and never
 * if the handler fails after this.  Takes ownership of @opaque, for @ops->free.  NULL, @error set:
 * the client has too many; @opaque is freed. */
Stream *call_stream(Call *call, const StreamOps *ops, void *opaque, GError **error);

/* The handler of @procedure, or NULL. */
CallHandler dispatch_handler(uint32_t procedure);
/* How many rows there are for @procedure, which shall be one at most; of all procedures. */
unsigned dispatch_count(uint32_t procedure);
unsigned dispatch_total(void);
