/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Networks: what machines are plugged into by name (config/network_xml.h says what they are).
 *
 * A network runs nothing of its own: each machine on it has an insula-net.  Being active means that
 * machines can be started on it; those that run keep what they have.  Network "default" is made at
 * the first start, active and with autostart; whoever undefines it has done so for good.
 *
 * One lock for all, held for short: nothing here waits but for the disk.
 *
 * Threads: from any.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/network_xml.h"
#include "manager/daemon.h"
#include "wire/remote.h"

#define NETWORK_DEFAULT "default"

typedef struct NetworksSetup {
    const char *definitions; /* folder of the files of defined networks */
    const char *live;        /* of those that are active; forgotten when the host restarts */
    Events *events;          /* who is told; NULL: nobody */
} NetworksSetup;

/* Read what is defined and what was active.  What can't be is told of by g_warning(). */
Networks *networks_new(const NetworksSetup *setup, GError **error);
void networks_free(Networks *networks);

/* A handle is filled with what xdr_clear() frees; where one is asked for, its UUID counts.  All
 * fail with REMOTE_ERR_NO_NETWORK, if there is none. */
bool networks_by_name(Networks *networks, const char *name, RemoteNetwork *ret, GError **error);
bool networks_by_uuid(Networks *networks, const uint8_t uuid[16], RemoteNetwork *ret,
                      GError **error);
/* Those that fit @flags, by name; bits as CONNECT_LIST_ALL_NETWORKS has them. */
RemoteNetwork *networks_list(Networks *networks, uint32_t flags, uint32_t *ret_n);
enum { NETWORKS_INACTIVE = 1, NETWORKS_ACTIVE = 2 };

bool networks_define(Networks *networks, const char *xml, RemoteNetwork *ret, GError **error);
/* Active, without a definition. */
bool networks_create(Networks *networks, const char *xml, RemoteNetwork *ret, GError **error);
bool networks_start(Networks *networks, const RemoteNetwork *handle, GError **error);
bool networks_stop(Networks *networks, const RemoteNetwork *handle, GError **error);
bool networks_undefine(Networks *networks, const RemoteNetwork *handle, GError **error);
bool networks_set_autostart(Networks *networks, const RemoteNetwork *handle, bool on,
                            GError **error);

typedef struct NetworkState {
    bool active, persistent, autostart;
} NetworkState;
bool networks_state(Networks *networks, const RemoteNetwork *handle, NetworkState *ret,
                    GError **error);
/* @inactive: as it is defined.  Newly allocated. */
char *networks_xml(Networks *networks, const RemoteNetwork *handle, bool inactive, GError **error);

/* NETWORK_UPDATE: forwards of ports can be added and taken away. */
typedef struct NetworkUpdate {
    uint32_t command, section, flags; /* libvirt's numbers */
    const char *xml;
} NetworkUpdate;
bool networks_update(Networks *networks, const RemoteNetwork *handle, const NetworkUpdate *update,
                     GError **error);

/* For machine @domain, which is to start on network @name: an array of NetworkForward, which owns
 * them; NULL: there is no such network, or it isn't active. */
GPtrArray *networks_forwards(Networks *networks, const char *name, const char *domain,
                             GError **error);
