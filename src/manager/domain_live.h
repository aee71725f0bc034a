/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The live file of a running domain: what the next daemon has to know of it.
 *
 *   insula-live 1
 *   id 3
 *   ...
 *   (an empty line, and the live configuration as XML)
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct DomainLive {
    int64_t id, pid, state, reason, log_end, persistent;
    char **plugged; /* aliases of devices that came while it ran; may be NULL in formatting */
    char *xml;
} DomainLive;

/* Newly allocated. */
char *domain_live_format(const DomainLive *live);
/* False and an error: it is none. */
bool domain_live_parse(const char *text, DomainLive *ret_live, GError **error);
/* Free what domain_live_parse() has filled. */
void domain_live_clear(DomainLive *live);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DomainLive, domain_live_clear)
