/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each command does: functions of the table in commands.c.  See command.h for what they get
 * and return.
 *
 * Threads: main only.
 */
#pragma once

#include "cli/command.h"

int command_doctor(const CliArgs *args, GError **error);
int command_help(const CliArgs *args, GError **error);
int command_setup(const CliArgs *args, GError **error);
int command_version(const CliArgs *args, GError **error);
