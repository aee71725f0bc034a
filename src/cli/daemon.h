/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What commands over the daemon share: reaching it, finding a machine by the name that a person
 * gives, and its state.
 *
 * Threads: main only.
 */
#pragma once

#include "cli/command.h"
#include "client/calls_gen.h"

/* States of a machine, as the protocol counts them. */
typedef enum VmState {
    VM_NO_STATE,
    VM_RUNNING,
    VM_BLOCKED,
    VM_PAUSED,
    VM_SHUTTING_DOWN,
    VM_OFF,
    VM_CRASHED,
    VM_ASLEEP,
} VmState;

/* The daemon that --connect says. */
InsulaConnection *daemon_open(const CliArgs *args, InsulaOpenFlags flags, GError **error);

/* The machine that @word names: by name, UUID or number.  If there is none, @error (code
 * REMOTE_ERR_NO_DOMAIN) says which name is near.  *@ret is the caller's to clear. */
bool daemon_find(InsulaConnection *connection, const char *word, RemoteDomain *ret, GError **error);
void daemon_domain_clear(RemoteDomain *domain);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RemoteDomain, daemon_domain_clear)

bool daemon_state(InsulaConnection *connection, const RemoteDomain *domain, VmState *ret,
                  GError **error);
const char *daemon_state_text(VmState state);
bool daemon_is_running(VmState state);
/* Its definition; @inactive: as it will start next. */
char *daemon_xml(InsulaConnection *connection, const RemoteDomain *domain, bool inactive,
                 GError **error);

/* Wait until @domain runs no more.  Fails with REMOTE_ERR_OPERATION_TIMEOUT after @seconds. */
bool daemon_wait_off(InsulaConnection *connection, const RemoteDomain *domain, unsigned seconds,
                     GError **error);
/* ", did you mean 'X'" for a name that @error says is unknown: appended to it. */
void daemon_hint(GError **error, const char *word, const char *const *known);
