/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may call what: asked before arguments are decoded, by the row of remote.table alone.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "wire/remote.h"

/* What is known of a client. */
typedef struct AccessWho {
    bool opened;    /* it has opened its connection */
    bool read_only; /* it came by the read-only socket, or asked for no more */
} AccessWho;

/* False, and @error as libvirt has it: @who may not call @procedure. */
bool access_allows(const AccessWho *who, const RemoteProcedure *procedure, GError **error);
/* Set @error to what is said of a thing that the read-only socket forbids. */
void access_deny(const RemoteProcedure *procedure, GError **error);
