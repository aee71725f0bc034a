/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a VM process that has locked itself in asks of the world outside, which its keeper does
 * (vm/keeper.h): two sockets, one for questions and answers, one on which signals come.
 *
 * A NULL Outside is a process without a keeper, which does all this by itself.
 *
 * Threads: main only.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "vm/net_helper.h"

typedef struct Outside Outside;

/* @signals is a descriptor, which it owns; questions go over KEEPER_FD.  @missing_pids is the errno
 * that kept us from a namespace of processes, or 0. */
Outside *outside_new(int signals, int missing_pids);
void outside_free(Outside *outside);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Outside, outside_free)

int outside_signals(const Outside *outside);
int outside_missing_pids(const Outside *outside);

/* All is open, and the guest will run: the guest gets terminal @raw_fd, if it isn't -1. */
bool outside_begin(Outside *outside, int raw_fd, GError **error);
/* Ctrl-Z: give the terminal back, and stop; when this returns, a shell wants us to go on. */
void outside_stop(Outside *outside, int raw_fd);
/* Start insula-net; as net_helper_start().  EPERM: this machine has no user network. */
pid_t outside_start_net(Outside *outside, const NetHelper *helper, int frames, int control);
/* A new file to save the machine to, where --save says; -1 and an error. */
int outside_save(Outside *outside, const char *path, GError **error);
/* It is whole, and may take its name; or it shall be removed. */
bool outside_saved(Outside *outside, const char *path, bool good, GError **error);
/* The host's number of thread @id of ours. */
int outside_thread(Outside *outside, int id);
/* The machine has ended, because of signal @number, if it isn't 0. */
void outside_end(Outside *outside, int number);
