/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events: who has registered for what, and telling them.
 *
 * A message is the struct of remote_gen.h with the object in it; .callback_id is filled here.
 * Nothing of it is kept.
 *
 * Threads: any, also with locks held: it only queues.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "manager/daemon.h"
#include "wire/remote.h"

typedef struct Client Client;

Events *events_new(void);
void events_free(Events *events);
/* @client has gone: drop what it has registered for. */
void events_forget(Events *events, Client *client);

/* Tell all that have registered for @event, of all objects or of this one.  @msg is a
 * Remote…Msg. */
void events_domain(Events *events, const RemoteDomain *domain, RemoteEventId event,
                   const void *msg);
void events_network(Events *events, const RemoteNetwork *network, RemoteEventId event,
                    const void *msg);
void events_pool(Events *events, const RemotePool *pool, RemoteEventId event, const void *msg);
void events_node_device(Events *events, const RemoteNodeDevice *device, RemoteEventId event,
                        const void *msg);
void events_secret(Events *events, const RemoteSecret *secret, RemoteEventId event,
                   const void *msg);
/* The commonest one. */
void events_domain_lifecycle(Events *events, const RemoteDomain *domain, int32_t event,
                             int32_t detail);
