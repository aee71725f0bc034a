/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keeper of a VM process: the process that was started, and stays outside of the jail.
 *
 *   insula-vm ──fork──▶ the VM process: opens everything, locks itself in, runs the guest
 *       │   ◀─questions─     vm/outside.h
 *       │   ─signals──▶
 *     the keeper: passes signals on, has the terminal raw and puts it back, removes sockets' names,
 *     starts insula-net, gives --save its file, ends as the VM process ends
 *
 * A VM process belongs to whoever has taken it over.  So questions are of a fixed size, name no
 * file, and what is done for them is what the command line has allowed.  The VM process ends when
 * its keeper does.
 *
 * Threads: one.
 */
#pragma once

#include <stdint.h>

#include "config/config.h"
#include "vm/net_helper.h"
#include "vm/outside.h"
#include "vm/status.h"

/* Where the VM process has its end of the socket for questions.  A fixed number, because the
 * handler of SIGSYS has no other way to know it. */
enum { KEEPER_FD = 255, KEEPER_NAME = 16 };

typedef enum KeeperAsk {
    KEEPER_BEGIN,
    KEEPER_STOP,
    KEEPER_NET, /* with two descriptors */
    KEEPER_SAVE,
    KEEPER_SAVED,
    KEEPER_THREAD,
    KEEPER_END,
    KEEPER_VIOLATION, /* a thread made a call that it may not; no answer comes */
    KEEPER_ASKS,
} KeeperAsk;

typedef struct KeeperQuestion {
    uint32_t ask;             /* KeeperAsk */
    int32_t number;           /* of a thread, a signal, a system call; or whether it is good */
    char thread[KEEPER_NAME]; /* of KEEPER_VIOLATION */
    NetHelper net;            /* of KEEPER_NET */
} KeeperQuestion;

typedef struct KeeperAnswer {
    int32_t error; /* an errno, or 0 */
    int32_t value;
} KeeperAnswer;

/* Fork.  In the VM process true, and *@ret_outside; in the keeper false when the machine has ended,
 * with its *@ret_status and the signal that it ended by, or 0. */
bool keeper_fork(const VmConfig *config, Outside **ret_outside, Status *ret_status,
                 int *ret_signal);
