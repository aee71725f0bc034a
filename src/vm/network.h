/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network of the machine's: the port that its card is plugged into, and for a user network the
 * process insula-net behind it.
 *
 *   network_new      the port; insula-net runs, and waits
 *   network_forward  as often as wanted
 *   network_begin    insula-net goes into its jail; from then on frames pass
 *
 * insula-net ends when the network is freed or this process dies, whichever way.  If it ends
 * before, that is said, and the card's link goes down.
 *
 * Threads: main only; the port belongs to the machine.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/net.h"
#include "net/port.h"

typedef struct Network Network;
typedef struct Outside Outside;

/* @config is needed only now.  @outside starts insula-net; NULL: this process does. */
Network *network_new(const NetConfig *config, const uint8_t mac[6], Outside *outside,
                     GError **error);
/* After the machine that has the port.  @network may be NULL. */
void network_free(Network *network);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Network, network_free)

/* Belongs to @network. */
NetPort *network_port(Network *network);
/* Whether it is a user network, which has forwards. */
bool network_is_user(const Network *network);
/* Let a port of the host's lead into the guest, or no longer. */
bool network_forward(Network *network, const ForwardConfig *forward, bool add, GError **error);
bool network_begin(Network *network, GError **error);
