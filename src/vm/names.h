/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names in a configuration, checked against what was built in: machine, engine, CPU model and
 * disk formats.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "config/config.h"

/* Fails with INSULA_ERROR_USAGE at the first name that doesn't exist, and says which one may have
 * been meant, or all there are. */
bool names_check(const VmConfig *config, GError **error);
