/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One conversation with gdb: its commands, answered from a GdbTarget (gdb manual, appendix E).
 *
 * All-stop: either every vCPU stands and commands are answered, or the machine runs and only
 * Ctrl-C is heard.  gdb's thread N is vCPU N - 1.  Break- and watchpoints are the engine's; guest
 * memory is never patched.  Memory is seen as the chosen vCPU maps it; registers of devices are
 * not reachable, because reading them has effects.
 *
 * The peer may send anything.
 *
 * Threads: a session belongs to one thread.
 * Read first: vm/gdb_packet.h.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"

typedef enum GdbResume {
    GDB_STAY,
    GDB_STEP,
    GDB_GO,
} GdbResume;

/* The machine as gdb needs it.  All are called while every vCPU stands, but for halt. */
typedef struct GdbTarget {
    void *opaque;
    unsigned (*cpus)(void *opaque);
    bool (*get_state)(void *opaque, unsigned cpu, X86State *ret_state);
    bool (*set_state)(void *opaque, unsigned cpu, const X86State *state);
    /* How many bytes from @gva on could be copied: @len, or fewer. */
    size_t (*read)(void *opaque, unsigned cpu, uint64_t gva, void *data, size_t len);
    size_t (*write)(void *opaque, unsigned cpu, uint64_t gva, const void *data, size_t len);
    /* Let vCPU i go on as how[i] says, with these points; gdb_session_stopped() tells when. */
    void (*resume)(void *opaque, const GdbResume *how, const DebugPoint *points, unsigned n);
    /* Stop all vCPUs soon; gdb_session_stopped() tells when. */
    void (*halt)(void *opaque);
    void (*kill)(void *opaque);
} GdbTarget;

/* Signals as gdb numbers them. */
enum { GDB_SIGINT = 2, GDB_SIGTRAP = 5, GDB_SIGSEGV = 11 };

/* Why the machine stands. */
typedef struct GdbStop {
    unsigned cpu;
    int signal;
    bool debug; /* a point was hit or a step ended: .reason and .address hold */
    DebugReason reason;
    uint64_t address;
} GdbStop;

typedef struct GdbSession GdbSession;

/* A session with a machine that stands for the reason @stop.  @target outlives it. */
GdbSession *gdb_session_new(const GdbTarget *target, const GdbStop *stop, const Log *log);
/* @session may be NULL.  The machine stays as it is. */
void gdb_session_free(GdbSession *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GdbSession, gdb_session_free)

/* Bytes came from gdb. */
void gdb_session_input(GdbSession *session, const uint8_t *data, size_t len);
/* The machine stands again. */
void gdb_session_stopped(GdbSession *session, const GdbStop *stop);
/* The machine has ended with this exit status. */
void gdb_session_exited(GdbSession *session, int status);

/* Bytes to be sent to gdb; the caller erases what it has sent. */
GString *gdb_session_output(GdbSession *session);
/* gdb has detached or killed: send what is left and hang up. */
bool gdb_session_over(const GdbSession *session);
