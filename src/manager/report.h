/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines on standard error, for whoever looks after the daemon.
 *
 * Threads: any; a line is one write.
 */
#pragma once

#include <glib.h>

/* "insulad: TEXT". */
void report(const char *format, ...) G_GNUC_PRINTF(1, 2);
