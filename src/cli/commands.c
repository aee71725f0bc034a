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
    { "launch", GROUP_LIFE, "IMAGE", "<file>", 1, 1,
      "from an image to a shell in a new machine, in this terminal",
      "IMAGE is a name in images.conf, with url and sha512; or a file with a / in its name, which "
      "is only read. The machine gets a user with your SSH keys and a host name at its first "
      "start, by cloud-init. Launched again, it starts from its own disk.",
      command_launch },
    { "list", GROUP_LIFE, "", "", 0, 0, "list machines", NULL, command_list },
    { "start", GROUP_LIFE, "VM...", "<vm> ...", 1, CLI_OPERANDS_MAX, "start machines",
      "One that was saved goes on where it was.", command_start },
    { "stop", GROUP_LIFE, "VM...", "<vm> ...", 1, CLI_OPERANDS_MAX, "end machines",
      "The guest is asked to power off, and waited for; the exit status is 6 if it does not.",
      command_stop },
    { "restart", GROUP_LIFE, "VM...", "<vm> ...", 1, CLI_OPERANDS_MAX, "let machines start again",
      NULL, command_restart },
    { "pause", GROUP_LIFE, "VM...", "<vm> ...", 1, CLI_OPERANDS_MAX, "let machines stand still",
      NULL, command_pause },
    { "resume", GROUP_LIFE, "VM...", "<vm> ...", 1, CLI_OPERANDS_MAX, "let them go on", NULL,
      command_resume },
    { "save", GROUP_LIFE, "VM...", "<vm> ...", 1, CLI_OPERANDS_MAX,
      "write the whole state of machines to disk, and end them", NULL, command_save },
    { "restore", GROUP_LIFE, "[VM]...", "<vm> ...", 0, CLI_OPERANDS_MAX, "go on from a saved state",
      "Of a machine, or of a file (--file).", command_restore },
    { "delete", GROUP_LIFE, "VM...", "<vm> ...", 1, CLI_OPERANDS_MAX,
      "delete machines, with their disks, saved states and snapshots",
      "A disk that another machine uses, too, or that is in no pool of the daemon, stays.",
      command_delete },
    { "console", GROUP_INSIDE, "VM", "<vm>", 1, 1, "use a machine's serial console",
      "Ctrl-] leaves it.", command_console },
    { "ssh", GROUP_INSIDE, "[USER@]VM [WORD]...", "<vm>", 1, CLI_OPERANDS_MAX,
      "log in to a machine, or run a command there",
      "By the port of this host that leads to the machine's port 22. Options of the command stand "
      "behind --.",
      command_ssh },
    { "copy", GROUP_INSIDE, "FILE... FILE", "<file> ...", 2, CLI_OPERANDS_MAX,
      "copy files to a machine, or from it", "A file of a machine is written [USER@]VM:PATH.",
      command_copy },
    { "port", GROUP_INSIDE, "VM", "<vm>", 1, 1,
      "list the ports of this host that lead to a machine", NULL, command_port },
    { "info", GROUP_CHANGE, "VM", "<vm>", 1, 1, "say what a machine is", NULL, command_info },
    { "edit", GROUP_CHANGE, "VM", "<vm>", 1, 1, "change a machine's definition in an editor",
      "The editor is that of VISUAL or EDITOR. What the daemon refuses can be edited again.",
      command_edit },
    { "snapshot", GROUP_CHANGE, "list|create|revert|delete VM [NAME]",
      "list|create|revert|delete <vm> -", 2, 3,
      "keep what a machine is now, go back to it, or drop it", NULL, command_snapshot },
    { "stats", GROUP_CHANGE, "[VM]...", "<vm> ...", 0, CLI_OPERANDS_MAX,
      "say what machines use of the host", "Of those that run, or of those named.", command_stats },
    { "events", GROUP_CHANGE, "", "", 0, 0, "tell what happens, when it happens",
      "Until Ctrl-C, --count or --timeout. With --json an object on each line.", command_events },
    { "pool", GROUP_AROUND, "[POOL]", "<pool>", 0, 1, "list pools of disks, or the disks of one",
      NULL, command_pool },
    { "network", GROUP_AROUND, "[NETWORK]", "<network>", 0, 1,
      "list networks, or who has an address on one", NULL, command_network },
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
    { "proxy", GROUP_HERE, "session|system [read-only]", "session|system read-only", 1, 2,
      "pass on what the daemon and standard input say",
      "What --connect ssh://HOST runs on the other host.", command_proxy },
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
