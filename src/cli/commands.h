/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each command does: functions of the table in commands.c.  See command.h for what they get
 * and return.
 *
 * Threads: main only.
 */
#pragma once

#include "cli/command.h"

int command_console(const CliArgs *args, GError **error);
int command_copy(const CliArgs *args, GError **error);
int command_delete(const CliArgs *args, GError **error);
int command_doctor(const CliArgs *args, GError **error);
int command_edit(const CliArgs *args, GError **error);
int command_events(const CliArgs *args, GError **error);
int command_help(const CliArgs *args, GError **error);
int command_info(const CliArgs *args, GError **error);
int command_launch(const CliArgs *args, GError **error);
int command_list(const CliArgs *args, GError **error);
int command_network(const CliArgs *args, GError **error);
int command_pause(const CliArgs *args, GError **error);
int command_pool(const CliArgs *args, GError **error);
int command_port(const CliArgs *args, GError **error);
int command_proxy(const CliArgs *args, GError **error);
int command_restart(const CliArgs *args, GError **error);
int command_restore(const CliArgs *args, GError **error);
int command_resume(const CliArgs *args, GError **error);
int command_save(const CliArgs *args, GError **error);
int command_setup(const CliArgs *args, GError **error);
int command_snapshot(const CliArgs *args, GError **error);
int command_ssh(const CliArgs *args, GError **error);
int command_start(const CliArgs *args, GError **error);
int command_stats(const CliArgs *args, GError **error);
int command_stop(const CliArgs *args, GError **error);
int command_version(const CliArgs *args, GError **error);
