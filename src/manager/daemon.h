/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon: what everything in manager/ hangs off.
 *
 * Each part of it (networks, pools, domains, ...) is a DaemonPart in the list of daemon.c: started
 * in that order before the first client is let in, stopped in the other after the last has gone.
 *
 * Threads: main (GLib's main loop: sockets, timers, keepalive), up to 20 workers and 5 more for
 * calls marked "priority", one for each open stream, and what parts start of their own.
 * Locks, in order: a list (Domains, Pools, ...), an object of it, Events, a client.  None is held
 * while a VM is asked something.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "manager/paths.h"

typedef struct Domains Domains;
typedef struct Pools Pools;
typedef struct Networks Networks;
typedef struct Secrets Secrets;
typedef struct NodeDevices NodeDevices;
typedef struct Capabilities Capabilities;
typedef struct Events Events;
typedef struct Server Server;

typedef struct Daemon {
    /* fixed after create */
    DaemonPaths paths;
    bool privileged; /* of the system, not of a user */
    bool fake;       /* domains "run" without a process */
    Events *events;
    Server *server;
    GMainLoop *loop;
    int lock;              /* of the runtime folder */
    unsigned idle_seconds; /* of nobody needing it, then it ends; 0: it stays */

    int holds;        /* atomic: see daemon_hold() */
    unsigned started; /* parts; main thread */

    /* each fixed once its part has started */
    Domains *domains;
    Pools *pools;
    Networks *networks;
    Secrets *secrets;
    NodeDevices *node_devices;
    Capabilities *capabilities;
} Daemon;

typedef struct DaemonPart {
    const char *name; /* "networks" */
    bool (*start)(Daemon *daemon, GError **error);
    void (*stop)(Daemon *daemon); /* also after a start that failed; may be NULL */
} DaemonPart;

/* The parts that there are, each beside its code. */
extern const DaemonPart host_part, domains_part, networks_part, pools_part, secrets_part,
    node_devices_part;

typedef struct DaemonOptions DaemonOptions;

/* A daemon whose parts have started and which listens; NULL, @error set: it can't. */
Daemon *daemon_new(const DaemonOptions *options, GError **error);
/* Stop all and free it. */
void daemon_free(Daemon *daemon);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Daemon, daemon_free)
/* Serve until SIGTERM or SIGINT, or until nobody needs it. */
void daemon_run(Daemon *daemon);

/* Keep the daemon from ending for want of clients (it does so when it was started on demand), as
 * long as a VM runs, say.  Any thread. */
void daemon_hold(Daemon *daemon);
void daemon_release(Daemon *daemon);
