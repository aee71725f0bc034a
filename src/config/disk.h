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
/* The same for a CD-ROM, as --cdrom says it, with fewer settings. */
DiskConfig *cdrom_config_parse(const char *text, GError **error);
/* A word without an option: a CD-ROM if it is called *.iso and nothing is said of it, else a
 * disk. */
DiskConfig *image_config_parse(const char *text, GError **error);
