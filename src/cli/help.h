/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Help, for people and for the tools that make the manual page.
 *
 * Threads: main only.
 */
#pragma once

#include "cli/command.h"

/* The text about @command, or (NULL) about all.  Newly allocated. */
char *help_text(const Command *command);
/* The commands in the markup of scdoc, for insula(1): a heading per group, and each command with
 * its options.  Newly allocated. */
char *help_manual(void);
/* The options of all commands in that markup. */
char *help_manual_options(void);
