/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which system calls each kind of thread of a VM process needs, and no others.
 *
 * The process locks itself in with all rows of the table (jail.h) while it has one thread; each
 * thread that begins then takes from itself what isn't its kind's.  So a vCPU that a guest has
 * taken over has a vCPU's calls, although other threads of the process have more.
 *
 * In a process that isn't locked in so, nothing happens.  Whether it is, the filter itself answers:
 * there is no variable to keep right.
 *
 * Threads: any; no state.
 * Read first: common/jail.h.
 */
#pragma once

#include "common/jail.h"

typedef enum ThreadKind {
    THREAD_MAIN,   /* GLib's loop: control channel, debugger, life */
    THREAD_VCPU,   /* guest instructions, registers of devices */
    THREAD_IO,     /* queues of devices, disk requests, packets */
    THREAD_WORKER, /* what of a disk request may block */
    THREAD_CLOCK,  /* timers of devices */
    THREAD_STREAM, /* serial port and console: terminal, socket, file */
    THREAD_VNC,    /* viewers */
    THREAD_SAVE,   /* guest memory on its way to a state file */
    THREAD_KINDS,
} ThreadKind;

/* The first that a thread of @kind does.  Ends the process if it can't be. */
void confine_thread(ThreadKind kind);

/* What a spec for jail_enter() says of calls. */
void confine_fill(JailSpec *spec);
/* "vCPU thread"; for messages. */
const char *confine_kind_name(ThreadKind kind);
