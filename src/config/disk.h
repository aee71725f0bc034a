/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk as --disk says it.
 *
 * Threads: no state.
 */
#pragma once

#include "config/config.h"

/* "FILE[,SETTING=VALUE]...".  Fails with INSULA_ERROR_USAGE. */
DiskConfig *disk_config_parse(const char *text, GError **error);
