/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control of one VM's process: commands with an answer, events, and its end.
 *
 *   workers ──monitor_command()──▶ socket ──▶ VM   one command at a time waits for its answer
 *   thread "vm-control" ◀── answers, events, the end of the process
 *
 * The VM may have been taken over by its guest, so whatever comes is hostile: messages are bounded
 * and strict JSON, an answer is to the command that waits or is dropped, who talks too fast is
 * read slowly, and who doesn't answer is not waited for again until it has said something.
 *
 * Threads: monitor_command() from any thread, with no lock that .event needs; the functions of
 * MonitorOps are called on the monitor's own thread.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>

typedef struct Monitor Monitor;

typedef struct MonitorOps {
    /* @data is an object, empty if the event has none; it is the monitor's. */
    void (*event)(void *opaque, const char *name, JsonObject *data);
    /* The socket is lost, or what comes is no QMP, and the process lives on.  At most once. */
    void (*broken)(void *opaque, const char *why);
    /* The process has ended, and all that it said was told.  The last call. */
    void (*ended)(void *opaque);
} MonitorOps;

enum {
    MONITOR_QUICK_MS = 1000,    /* a VM that runs answers queries within a millisecond */
    MONITOR_COMMAND_MS = 10000, /* what opens files, or waits for all vCPUs to stand */
};

/* @socket is connected, @process is a pidfd; takes ownership of both.  Nothing is read before
 * monitor_begin(). */
Monitor *monitor_new(int socket, int process, const MonitorOps *ops, void *opaque);
/* Start the thread, and wait until the VM is ready for commands.  On failure the thread runs all
 * the same, to tell of the process's end. */
bool monitor_begin(Monitor *monitor, unsigned timeout_ms, GError **error);
/* Stop and wait for the thread, unless this is it; the process goes on. */
void monitor_stop(Monitor *monitor);
Monitor *monitor_ref(Monitor *monitor);
void monitor_unref(Monitor *monitor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Monitor, monitor_unref)

/* Have the VM run @name with @args (takes ownership; NULL: none) and, unless it is -1, @fd, which
 * stays the caller's.  What it returned, or NULL and an error.  */
JsonNode *monitor_command(Monitor *monitor, const char *name, JsonObject *args, int fd,
                          unsigned timeout_ms, GError **error);
/* The same, when the answer says no more than that it is done. */
bool monitor_do(Monitor *monitor, const char *name, JsonObject *args, GError **error);
/* Whether the VM answers, as far as is known. */
bool monitor_answers(Monitor *monitor);
/* Why it is lost; NULL: it isn't.  Newly allocated. */
char *monitor_broken_why(Monitor *monitor);

/* Members of what a VM has said: the fallback if there is none of that type. */
const char *monitor_text(JsonObject *object, const char *name, const char *fallback);
int64_t monitor_number(JsonObject *object, const char *name, int64_t fallback);
bool monitor_switch(JsonObject *object, const char *name, bool fallback);
JsonObject *monitor_object(JsonObject *object, const char *name);
/* Element @i of an array of objects, or NULL behind the last; one that is no object is an empty
 * one. */
JsonObject *monitor_element(JsonNode *array, unsigned i);
