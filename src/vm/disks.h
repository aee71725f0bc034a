/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disks of a machine: from their settings to open images, and what is said when one fails.
 *
 * Threads: main.
 */
#pragma once

#include "config/config.h"
#include "machine/machine.h"

/* Open all, appending each Blk to @blks; @ret has room for them. */
bool disks_open(const VmConfig *config, BlkAio *aio, GPtrArray *blks, MachineDisk *ret,
                GError **error);
/* Say that a disk has failed, if that has stopped the machine. */
void disks_report(const DiskError *error);
