/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Secrets: values that clients leave with the daemon, named by what they are for.
 *
 * A definition is a file, and so is a value, each for its owner alone; an ephemeral secret is only
 * in memory, and a private one's value is told to no client.  Memory that held a value is cleared.
 *
 * One lock for all, held for short: nothing here waits but for the disk.
 *
 * Threads: from any.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/secret_xml.h"
#include "manager/daemon.h"
#include "wire/remote.h"

/* Read what is in folder @definitions.  @events: who is told; NULL: nobody. */
Secrets *secrets_new(const char *definitions, Events *events, GError **error);
void secrets_free(Secrets *secrets);

/* A handle is filled with what xdr_clear() frees; where one is asked for, its UUID counts.  All
 * fail with REMOTE_ERR_NO_SECRET, if there is none. */
bool secrets_by_uuid(Secrets *secrets, const uint8_t uuid[16], RemoteSecret *ret, GError **error);
bool secrets_by_usage(Secrets *secrets, int32_t usage, const char *id, RemoteSecret *ret,
                      GError **error);
/* Those that fit @flags, by UUID; bits as CONNECT_LIST_ALL_SECRETS has them. */
RemoteSecret *secrets_list(Secrets *secrets, uint32_t flags, uint32_t *ret_n);

bool secrets_define(Secrets *secrets, const char *xml, RemoteSecret *ret, GError **error);
bool secrets_undefine(Secrets *secrets, const RemoteSecret *handle, GError **error);
char *secrets_xml(Secrets *secrets, const RemoteSecret *handle, GError **error);
bool secrets_set_value(Secrets *secrets, const RemoteSecret *handle, const uint8_t *value, size_t n,
                       GError **error);
/* For a client: not of a private one.  Newly allocated. */
uint8_t *secrets_get_value(Secrets *secrets, const RemoteSecret *handle, uint32_t *ret_n,
                           GError **error);
