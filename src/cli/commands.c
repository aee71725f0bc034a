/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of commands, see command.h.
 */
#include "cli/commands.h"

#include <string.h>

#include "cli/command.h"
#include "common/suggest.h"

enum { NAMES_MAX = 64 };

static const Command commands[] = {
    { "run", GROUP_HERE, "DISK [OPTION]...", NULL, 0, 0,
      "run a virtual machine in the foreground, without the daemon",
      "See insula-run(1) for its options, and for its exit status.", NULL, "insula-vm", "vm" },
    { "disk", GROUP_HERE, "VERB [OPTION]... FILE...", NULL, 0, 0,
      "make, check, convert and change disk images",
      "See insula-disk(1) for its options, and for its exit status.", NULL, "insula-disk", "disk" },
    { "doctor", GROUP_HERE, "", "", 0, 0, "check this host, and say what to do",
      "A line for each thing: ok, note (it works, and could be better), fail (something does not "
      "work). The exit status is 4 if anything fails.",
      command_doctor },
    { "setup", GROUP_HERE, "libvirt", "libvirt", 1, 1,
      "put our sockets where libvirt's clients look by themselves",
      "Then virsh, virt-manager and others reach Insula without being told where it is, also "
      "after a restart of the host. A socket of a libvirt that runs here is never touched. With "
      "--undo what was put there is taken away again.",
      command_setup },
    { "help", GROUP_HERE, "[COMMAND]", "<command>", 0, 1,
      "say what there is, or how a command is used", NULL, command_help },
    { "version", GROUP_HERE, "", "", 0, 0, "print the version", NULL, command_version },
    { 0 },
};

const Command *commands_table(void)
{
    return commands;
}

const char *command_group_title(CommandGroup group)
{
    static const char *const titles[COMMAND_GROUPS] = {
        [GROUP_LIFE] = "Machines",
        [GROUP_INSIDE] = "Into a machine",
        [GROUP_CHANGE] = "What a machine is",
        [GROUP_AROUND] = "What machines stand on",
        [GROUP_HERE] = "Without the daemon",
    };

    return titles[group];
}

const Command *command_find(const char *name, GError **error)
{
    const char *known[NAMES_MAX] = { NULL };
    unsigned n = 0;

    for (const Command *command = commands; command->name; command++) {
        if (!strcmp(command->name, name)) {
            return command;
        }
        known[n++] = command->name;
    }
    g_autofree char *hint = suggest_text(name, known);
    set_error_code(error, INSULA_ERROR_USAGE, "unknown command '%s'%s%s", name, hint,
                   *hint ? "" : "; insula help lists them all");
    return NULL;
}
