/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What calls of pools, volumes, networks and the like have in common.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Give at most @max of @names (which is freed) to a reply. */
void reply_names(GStrv names, int32_t max, char ***ret, uint32_t *ret_n);
/* Whether @xml is there; for the end of a handler. */
bool reply_text(char *text, char **ret);
