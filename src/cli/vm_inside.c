/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ways into a machine: insula port, ssh, copy.
 *
 * A machine on a user-mode network is reached by ports of this host that lead to its own; ssh and
 * scp are told which one leads to its port 22.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/daemon.h"
#include "cli/output.h"
#include "cli/sheet.h"
#include "cli/vm_xml.h"

enum { SSH_PORT = 22 };

static VmXml *read_xml(const CliArgs *args, const char *name, GError **error)
{
    g_autoptr(InsulaConnection) connection = daemon_open(args, 0, error);
    g_auto(RemoteDomain) domain = { 0 };

    if (!connection || !daemon_find(connection, name, &domain, error)) {
        return NULL;
    }
    g_autofree char *xml = daemon_xml(connection, &domain, false, error);
    return xml ? vm_xml_parse(xml, error) : NULL;
}

int command_port(const CliArgs *args, GError **error)
{
    static const SheetColumn columns[] = {
        { "protocol", "Protocol", SHEET_TEXT },
        { "host", "Port here", SHEET_NUMBER },
        { "guest", "Port of the machine", SHEET_NUMBER },
        { 0 },
    };
    g_autoptr(Sheet) sheet = sheet_new(columns);
    g_autoptr(VmXml) xml = read_xml(args, args->operands[0], error);

    if (!xml) {
        return CLI_FAILED;
    }
    for (unsigned i = 0; i < xml->ports->len; i++) {
        const VmPort *port = &g_array_index(xml->ports, VmPort, i);
        sheet_row(sheet);
        sheet_text(sheet, port->udp ? "udp" : "tcp");
        sheet_number(sheet, port->host);
        sheet_number(sheet, port->guest);
    }
    return sheet_print(sheet, args->json, false, error) ? CLI_DONE : CLI_FAILED;
}

/* The port of this host that leads to @name's ssh; 0: @error says why there is none. */
static unsigned ssh_port(const CliArgs *args, const char *name, GError **error)
{
    g_autoptr(VmXml) xml = read_xml(args, name, error);

    for (unsigned i = 0; xml && i < xml->ports->len; i++) {
        const VmPort *port = &g_array_index(xml->ports, VmPort, i);
        if (!port->udp && port->guest == SSH_PORT) {
            return port->host;
        }
    }
    if (xml) {
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "no port of this host leads to port 22 of machine '%s'; add to its "
                         "interface, by insula edit %s: <portForward proto='tcp'><range "
                         "start='8022' to='22'/></portForward>",
                         name, name);
    }
    return 0;
}

/* ssh's own options: a machine behind a port of this host is known by that port. */
static void add_ssh_options(GPtrArray *argv)
{
    g_ptr_array_add(argv, g_strdup("-o"));
    g_ptr_array_add(argv, g_strdup("StrictHostKeyChecking=accept-new"));
}

/* Takes ownership of @argv; returns only if it fails. */
static int become(GPtrArray *argv, GError **error)
{
    g_ptr_array_add(argv, NULL);
    execvp(argv->pdata[0], (char **)argv->pdata);
    set_error_code(error, INSULA_ERROR_HOST, "cannot run %s: %s; install openssh-client",
                   (char *)argv->pdata[0], g_strerror(errno));
    g_ptr_array_set_free_func(argv, g_free);
    g_ptr_array_unref(argv);
    return CLI_HOST;
}

int command_ssh(const CliArgs *args, GError **error)
{
    const char *at = strchr(args->operands[0], '@');
    const char *name = at ? at + 1 : args->operands[0];
    unsigned port = ssh_port(args, name, error);
    GPtrArray *argv = g_ptr_array_new();

    if (!port) {
        g_ptr_array_unref(argv);
        return CLI_FAILED;
    }
    g_ptr_array_add(argv, g_strdup("ssh"));
    add_ssh_options(argv);
    g_ptr_array_add(argv, g_strdup("-p"));
    g_ptr_array_add(argv, g_strdup_printf("%u", port));
    g_ptr_array_add(argv, g_strdup("--"));
    g_ptr_array_add(argv, at ? g_strdup_printf("%.*s@127.0.0.1", (int)(at - args->operands[0]),
                                               args->operands[0])
                             : g_strdup("127.0.0.1"));
    for (unsigned i = 1; i < args->n_operands; i++) {
        g_ptr_array_add(argv, g_strdup(args->operands[i]));
    }
    return become(argv, error);
}

/* "[USER@]VM:PATH": its parts, newly allocated; false: it is a file of this host. */
static bool split_place(const char *word, char **ret_user, char **ret_vm, const char **ret_path)
{
    const char *colon = strchr(word, ':'), *slash = strchr(word, '/');
    const char *at = strchr(word, '@');

    if (!colon || (slash && slash < colon)) {
        return false;
    }
    at = at && at < colon ? at : NULL;
    *ret_user = at ? g_strndup(word, (gsize)(at + 1 - word)) : g_strdup("");
    *ret_vm = g_strndup(at ? at + 1 : word, (gsize)(colon - (at ? at + 1 : word)));
    *ret_path = colon + 1;
    return true;
}

/* Add @word as scp wants it; *@port is that of the one machine that all words name. */
static bool add_place(const CliArgs *args, GPtrArray *places, const char *word, char **vm,
                      unsigned *port, GError **error)
{
    g_autofree char *user = NULL, *name = NULL;
    const char *path = NULL;

    if (!split_place(word, &user, &name, &path)) {
        g_ptr_array_add(places, word[0] == '-' ? g_strconcat("./", word, NULL) : g_strdup(word));
        return true;
    }
    if (*vm && strcmp(*vm, name) != 0) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "cannot copy between '%s' and '%s': copy here first", *vm, name);
        return false;
    }
    if (!*vm) {
        *port = ssh_port(args, name, error);
        *vm = g_steal_pointer(&name);
    }
    g_ptr_array_add(places, g_strdup_printf("%s127.0.0.1:%s", user, path));
    return *port;
}

int command_copy(const CliArgs *args, GError **error)
{
    g_autoptr(GPtrArray) places = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *vm = NULL;
    unsigned port = 0;

    for (unsigned i = 0; i < args->n_operands; i++) {
        if (!add_place(args, places, args->operands[i], &vm, &port, error)) {
            return CLI_FAILED;
        }
    }
    if (!vm) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "no word names a machine; write it as MACHINE:PATH");
        return CLI_USAGE;
    }
    GPtrArray *argv = g_ptr_array_new();
    g_ptr_array_add(argv, g_strdup("scp"));
    add_ssh_options(argv);
    g_ptr_array_add(argv, g_strdup("-P"));
    g_ptr_array_add(argv, g_strdup_printf("%u", port));
    if (args->recursive) {
        g_ptr_array_add(argv, g_strdup("-r"));
    }
    g_ptr_array_add(argv, g_strdup("--"));
    for (unsigned i = 0; i < places->len; i++) {
        g_ptr_array_add(argv, g_strdup(places->pdata[i]));
    }
    return become(argv, error);
}
