/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain: a virtual machine as clients know it, whether it runs or not.
 *
 *   .config   what it is when it is started next; NULL: it is transient, and goes when it ends
 *   .live     what runs; NULL: nothing does
 *
 * A change takes the domain's job (domain_begin()), which keeps two changes apart; queries don't
 * wait for it.  The domain's mutex is held for moments only, never while waiting for a VM.  What a
 * VM tells (its monitor's thread) is believed as far as it can be: which state it says it is in.
 *
 * A running domain is known to the next daemon by its live file: id, state, the process's number
 * as a hint, and the live configuration.
 *
 * domain.c has the object, its job and what is kept of it; domain_life.c the begin and the end of
 * its VM, domain_events.c what that tells.
 *
 * Threads: any.  Order of locks: the list's (Domains), then a domain's.
 * Read first: manager/process.h, manager/monitor.h.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/domain.h"
#include "manager/event.h"
#include "manager/monitor.h"
#include "wire/remote.h"

typedef struct Domain Domain;
typedef struct Domains Domains;

/* The numbers are libvirt's, here and below. */
typedef enum DomainState {
    DOMAIN_RUNNING = 1,
    DOMAIN_PAUSED = 3,
    DOMAIN_SHUTDOWN = 4,
    DOMAIN_SHUTOFF = 5,
    DOMAIN_CRASHED = 6,
} DomainState;

enum { /* reasons of each state */
       RUNNING_BOOTED = 1,
       RUNNING_RESTORED = 3,
       RUNNING_FROM_SNAPSHOT = 4,
       RUNNING_UNPAUSED = 5,
       RUNNING_SAVE_CANCELED = 7,
       PAUSED_UNKNOWN = 0,
       PAUSED_USER = 1,
       PAUSED_SAVE = 3,
       PAUSED_IO_ERROR = 5,
       PAUSED_WATCHDOG = 6,
       PAUSED_FROM_SNAPSHOT = 7,
       PAUSED_SNAPSHOT = 9,
       PAUSED_CRASHED = 10,
       PAUSED_STARTING = 11,
       SHUTOFF_SHUTDOWN = 1,
       SHUTOFF_DESTROYED = 2,
       SHUTOFF_CRASHED = 3,
       SHUTOFF_SAVED = 5,
       SHUTOFF_FAILED = 6,
       SHUTOFF_FROM_SNAPSHOT = 7,
       CRASHED_PANICKED = 1,
};

/* Lifecycle events, and the details of each. */
typedef enum LifecycleEvent {
    LIFECYCLE_DEFINED,   /* 0 added, 1 updated, 2 renamed */
    LIFECYCLE_UNDEFINED, /* 0 removed, 1 renamed */
    LIFECYCLE_STARTED,   /* 0 booted, 2 restored, 3 from a snapshot */
    LIFECYCLE_SUSPENDED, /* 0 paused, 2 I/O error, 3 watchdog, 4 restored, 5 from a snapshot */
    LIFECYCLE_RESUMED,   /* 0 unpaused, 2 from a snapshot */
    LIFECYCLE_STOPPED,  /* 0 shutdown, 1 destroyed, 2 crashed, 4 saved, 5 failed, 6 from snapshot */
    LIFECYCLE_SHUTDOWN, /* 0 finished, 1 by the guest, 2 by the host */
    LIFECYCLE_CRASHED = 8,
} LifecycleEvent;

typedef struct DomainJob {
    int type; /* 0 none, 2 of unknown length */
    int64_t begin_us;
    bool saves;           /* its progress is that of a state being written */
    bool aborted;         /* somebody wants it to end */
    uint64_t total, done; /* bytes of memory */
} DomainJob;

struct Domain {
    gint refs; /* atomic */
    Domains *domains;
    uint8_t uuid[16]; /* fixed after create */
    /* lock: domains->mutex and this mutex to write, either to read */
    char *name;
    int32_t id; /* -1: it doesn't run */
    /* lock: mutex */
    GMutex mutex;
    GCond changed; /* .busy or .id, or what a waiter looks at */
    DomainConfig *config, *live;
    DomainState state;
    int reason;
    int64_t state_us; /* monotonic, of the last change */
    bool autostart;
    bool removed; /* it is in no list any more */
    bool busy;    /* somebody has the job */
    DomainJob job;
    bool panicked;      /* the guest has said that it is lost */
    bool told_shutdown; /* the event before its end is out */
    int stop_reason;    /* SHUTOFF_ that its end will be for; 0: whatever it turns out to be */
    int pause_reason;   /* PAUSED_ that the next pause will be for; 0: nobody asked */
    int fault_reason;   /* PAUSED_ of a fault that may be followed by a pause; 0: none */
    bool reboots;       /* when it powers off, it is to be started again */
    Monitor *monitor;   /* NULL: it doesn't run, or only by --fake */
    int process;        /* a pidfd; -1: none */
    pid_t pid;          /* a hint for the live file */
    int64_t log_end;
    GPtrArray *plugged;          /* of char *: aliases of devices that came while it ran */
    GPtrArray *disk_errors;      /* of char *: targets of disks that have failed since the start */
    struct Snapshots *snapshots; /* NULL: not read yet */
};

Domain *domain_ref(Domain *domain);
void domain_unref(Domain *domain);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Domain, domain_unref)

/* What the wire calls it; its text lives as long as the domain's name.  With the lock. */
RemoteDomain domain_remote(const Domain *domain);
/* The same for a reply: newly allocated inside. */
void domain_reply(Domain *domain, RemoteDomain *ret);
bool domain_is_active(Domain *domain);
/* The name.  Newly allocated. */
char *domain_name(Domain *domain);

/* ---- jobs ---- */

/* Take the job; false, and an error: somebody has had it for 30 s. */
bool domain_begin(Domain *domain, GError **error);
void domain_end(Domain *domain);
/* The same, and the domain must run (or not). */
bool domain_begin_active(Domain *domain, GError **error);
bool domain_begin_inactive(Domain *domain, GError **error);

/* ---- its VM ---- */

/* The control of a running domain, or NULL and an error; its end may come at any time.  */
Monitor *domain_monitor(Domain *domain, GError **error);
/* A command without an answer to speak of; with --fake it is done at once. */
bool domain_do(Domain *domain, const char *name, JsonObject *args, GError **error);
/* A query, which waits MONITOR_QUICK_MS at most. */
JsonNode *domain_query(Domain *domain, const char *name, JsonObject *args, GError **error);

/* ---- state ---- */

/* It is in another state now: note it, tell it, write it down.  With the lock. */
void domain_set_state(Domain *domain, DomainState state, int reason);
void domain_tell(Domain *domain, LifecycleEvent event, int detail);
/* It has paused, or goes on: note and tell it, unless that was done.  With the lock. */
void domain_has_paused(Domain *domain, int reason);
void domain_has_resumed(Domain *domain, int reason);
/* Another event, whose message begins with domain_remote().  With the lock. */
void domain_raise(Domain *domain, RemoteEventId id, const void *message);
/* Write the live file again; with the lock.  What can't be written is said on standard error. */
void domain_keep_live(Domain *domain);
/* Write the definition; with the lock. */
bool domain_keep_config(Domain *domain, const DomainConfig *config, GError **error);
/* Paths, newly allocated; with the lock where the name is part of them. */
char *domain_path_config(const Domain *domain);
char *domain_path_autostart(const Domain *domain);
char *domain_path_live(const Domain *domain, const char *suffix);
char *domain_path_managed_save(const Domain *domain);
char *domain_path_log(const Domain *domain);
char *domain_path_data(const Domain *domain, const char *folder, const char *suffix);
