/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a machine is made of, for people (--verbose).
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>

#include "config/config.h"

/* A line per part, said or chosen; of @config after vm_config_settle().  Newly allocated. */
char *choices_text(const VmConfig *config);
