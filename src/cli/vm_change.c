/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that change what machines are: delete, edit, snapshot.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/daemon.h"
#include "cli/output.h"
#include "cli/sheet.h"
#include "cli/vm_xml.h"

/* Flags of the protocol. */
enum { UNDEFINE_ALL = 1 | 2 | 4 /* saved state, snapshots, UEFI's variables */ };

/* ---- delete ---- */

/* Does another machine than @domain use @file?  True, too, if that can't be told. */
static bool is_used_by_others(InsulaConnection *connection, const RemoteDomain *domain,
                              const char *file)
{
    RemoteConnectListAllDomainsArgs call = { .need_results = 1 };
    g_auto(RemoteConnectListAllDomainsRet) all = { 0 };

    if (!insula_connect_list_all_domains(connection, &call, &all, NULL)) {
        return true;
    }
    for (unsigned i = 0; i < all.n_domains; i++) {
        if (!memcmp(all.domains[i].uuid, domain->uuid, sizeof(domain->uuid))) {
            continue;
        }
        g_autofree char *xml = daemon_xml(connection, &all.domains[i], false, NULL);
        g_autoptr(VmXml) parsed = xml ? vm_xml_parse(xml, NULL) : NULL;
        for (unsigned j = 0; !parsed || j < parsed->disks->len; j++) {
            if (!parsed || !strcmp(parsed->disks->pdata[j], file)) {
                return true;
            }
        }
    }
    return false;
}

/* A disk that the daemon keeps, in one of its pools, goes with the machine; any other stays. */
static bool delete_disk(InsulaConnection *connection, const char *file, const CliArgs *args,
                        GError **error)
{
    RemoteStorageVolLookupByPathArgs call = { .path = (char *)(uintptr_t)file };
    g_auto(RemoteStorageVolLookupByPathRet) found = { 0 };

    if (!insula_storage_vol_lookup_by_path(connection, &call, &found, NULL)) {
        output_note(args, "disk '%s' is in no pool, and stays", file);
        return true;
    }
    RemoteStorageVolDeleteArgs gone = { .vol = found.vol };
    return insula_storage_vol_delete(connection, &gone, error);
}

/* The machine's own files: no other machine's, and not only to read. */
static GPtrArray *own_disks(InsulaConnection *connection, const RemoteDomain *domain,
                            const CliArgs *args, GError **error)
{
    g_autofree char *xml = daemon_xml(connection, domain, false, error);
    g_autoptr(VmXml) parsed = xml ? vm_xml_parse(xml, error) : NULL;
    GPtrArray *own = parsed ? g_ptr_array_new_with_free_func(g_free) : NULL;

    for (unsigned i = 0; parsed && i < parsed->writable->len; i++) {
        const char *file = parsed->writable->pdata[i];
        if (is_used_by_others(connection, domain, file)) {
            output_note(args, "disk '%s' is another machine's, too, and stays", file);
        } else if (!args->keep_disks) {
            g_ptr_array_add(own, g_strdup(file));
        }
    }
    return own;
}

static bool delete_one(InsulaConnection *connection, const RemoteDomain *domain,
                       const CliArgs *args, GError **error)
{
    RemoteDomainUndefineFlagsArgs undefine = { .dom = *domain, .flags = UNDEFINE_ALL };
    RemoteDomainDestroyArgs destroy = { .dom = *domain };
    VmState state;

    if (!daemon_state(connection, domain, &state, error)) {
        return false;
    }
    if (daemon_is_running(state) && !args->force) {
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "machine '%s' runs; stop it first, or use --force", domain->name);
        return false;
    }
    g_autoptr(GPtrArray) disks = own_disks(connection, domain, args, error);
    g_autofree char *question = disks ? g_strdup_printf("delete machine '%s' and %u of its disks?",
                                                        domain->name, disks->len)
                                      : NULL;
    if (!disks) {
        return false;
    }
    if (!args->yes && !args->force && !output_ask(args, question)) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "machine '%s' stays: nobody said yes; --yes says it", domain->name);
        return false;
    }
    if ((daemon_is_running(state) && !insula_domain_destroy(connection, &destroy, error)) ||
        !insula_domain_undefine_flags(connection, &undefine, error)) {
        return false;
    }
    for (unsigned i = 0; i < disks->len; i++) {
        if (!delete_disk(connection, disks->pdata[i], args, error)) {
            return false;
        }
    }
    return output_done(args, "deleted", domain->name, error);
}

int command_delete(const CliArgs *args, GError **error)
{
    g_autoptr(InsulaConnection) connection = daemon_open(args, 0, error);

    for (unsigned i = 0; connection && i < args->n_operands; i++) {
        g_auto(RemoteDomain) domain = { 0 };
        if (!daemon_find(connection, args->operands[i], &domain, error) ||
            !delete_one(connection, &domain, args, error)) {
            return CLI_FAILED;
        }
    }
    return connection ? CLI_DONE : CLI_FAILED;
}

/* ---- edit ---- */

/* Let the person change @path by the editor of their choice. */
static bool run_editor(const char *path, GError **error)
{
    const char *visual = g_getenv("VISUAL"), *plain = g_getenv("EDITOR");
    const char *editor = visual && *visual ? visual : plain;
    g_autofree char *quoted = g_shell_quote(path);
    g_autofree char *command = g_strdup_printf("%s %s", editor && *editor ? editor : "vi", quoted);
    const char *argv[] = { "/bin/sh", "-c", command, NULL };
    g_autoptr(GError) why = NULL;
    int status = 0;

    if (!g_spawn_sync(NULL, (char **)(uintptr_t)argv, NULL, G_SPAWN_CHILD_INHERITS_STDIN, NULL,
                      NULL, NULL, NULL, &status, &why) ||
        !g_spawn_check_wait_status(status, &why)) {
        set_error(error, "the editor '%s' failed: %s; set EDITOR to another", command,
                  why->message);
        return false;
    }
    return true;
}

/* Edit until the daemon takes it, or the person gives up. */
static bool edit_file(InsulaConnection *connection, const char *path, const char *before,
                      const CliArgs *args, bool *ret_changed, GError **error)
{
    for (;;) {
        g_autofree char *text = NULL;
        g_auto(RemoteDomainDefineXmlRet) ret = { 0 };
        GError *why = NULL;

        if (!run_editor(path, error) || !g_file_get_contents(path, &text, NULL, error)) {
            return false;
        }
        *ret_changed = strcmp(text, before) != 0;
        RemoteDomainDefineXmlArgs call = { .xml = text };
        if (!*ret_changed || insula_domain_define_xml(connection, &call, &ret, &why)) {
            return true;
        }
        g_autofree char *question = g_strdup_printf("%s; edit it again?", why->message);
        if (!output_ask(args, question)) {
            g_propagate_error(error, why);
            return false;
        }
        g_error_free(why);
    }
}

int command_edit(const CliArgs *args, GError **error)
{
    g_autoptr(InsulaConnection) connection = daemon_open(args, 0, error);
    g_auto(RemoteDomain) domain = { 0 };
    g_autofree char *path = NULL;
    bool changed = false;

    if (!connection || !daemon_find(connection, args->operands[0], &domain, error)) {
        return CLI_FAILED;
    }
    g_autofree char *xml = daemon_xml(connection, &domain, true, error);
    int fd = xml ? g_file_open_tmp("insula-XXXXXX.xml", &path, error) : -1;
    if (fd < 0) {
        return CLI_FAILED;
    }
    close(fd);
    bool good = g_file_set_contents(path, xml, -1, error) &&
                edit_file(connection, path, xml, args, &changed, error);
    g_unlink(path);
    return good && output_done(args, changed ? "changed" : "unchanged", domain.name, error)
               ? CLI_DONE
               : CLI_FAILED;
}

/* ---- snapshot ---- */

/* What a snapshot's XML says in <@element>, of its own level; newly allocated. */
static char *snapshot_text(const char *xml, const char *element)
{
    g_autofree char *begin = g_strdup_printf("<%s>", element);
    g_autofree char *end = g_strdup_printf("</%s>", element);
    const char *from = strstr(xml, begin);
    const char *to = from ? strstr(from, end) : NULL;

    return to ? g_strndup(from + strlen(begin), (gsize)(to - from) - strlen(begin)) : NULL;
}

static bool snapshot_list(InsulaConnection *connection, const RemoteDomain *domain,
                          const CliArgs *args, GError **error)
{
    static const SheetColumn columns[] = {
        { "name", "Name", SHEET_TEXT },
        { "created", "Made", SHEET_WHEN },
        { "state", "State", SHEET_TEXT },
        { "current", "Current", SHEET_FLAG },
        { 0 },
    };
    g_autoptr(Sheet) sheet = sheet_new(columns);
    RemoteDomainListAllSnapshotsArgs call = { .dom = *domain, .need_results = 1 };
    g_auto(RemoteDomainListAllSnapshotsRet) all = { 0 };

    if (!insula_domain_list_all_snapshots(connection, &call, &all, error)) {
        return false;
    }
    for (unsigned i = 0; i < all.n_snapshots; i++) {
        RemoteDomainSnapshotGetXmlDescArgs of_xml = { .snap = all.snapshots[i] };
        RemoteDomainSnapshotIsCurrentArgs of_current = { .snap = all.snapshots[i] };
        g_auto(RemoteDomainSnapshotGetXmlDescRet) xml = { 0 };
        g_auto(RemoteDomainSnapshotIsCurrentRet) current = { 0 };
        if (!insula_domain_snapshot_get_xml_desc(connection, &of_xml, &xml, error) ||
            !insula_domain_snapshot_is_current(connection, &of_current, &current, error)) {
            return false;
        }
        g_autofree char *when = snapshot_text(xml.xml, "creationTime");
        g_autofree char *state = snapshot_text(xml.xml, "state");
        sheet_row(sheet);
        sheet_text(sheet, all.snapshots[i].name);
        sheet_number(sheet, when ? g_ascii_strtoll(when, NULL, 10) : 0);
        sheet_text(sheet, state);
        sheet_flag(sheet, current.current);
    }
    return sheet_print(sheet, args->json, false, error);
}

static bool snapshot_create(InsulaConnection *connection, const RemoteDomain *domain,
                            const CliArgs *args, GError **error)
{
    g_autofree char *xml =
        args->operands[2]
            ? g_markup_printf_escaped("<domainsnapshot><name>%s</name></domainsnapshot>",
                                      args->operands[2])
            : g_strdup("<domainsnapshot/>");
    RemoteDomainSnapshotCreateXmlArgs call = { .dom = *domain, .xml_desc = xml };
    g_auto(RemoteDomainSnapshotCreateXmlRet) ret = { 0 };

    return insula_domain_snapshot_create_xml(connection, &call, &ret, error) &&
           output_done(args, "taken", ret.snap.name, error);
}

static void snapshot_hint(InsulaConnection *connection, const RemoteDomain *domain,
                          const char *name, GError **error)
{
    RemoteDomainSnapshotListNamesArgs call = { .dom = *domain, .maxnames = 1000 };
    g_auto(RemoteDomainSnapshotListNamesRet) all = { 0 };
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    if (insula_domain_snapshot_list_names(connection, &call, &all, NULL)) {
        for (unsigned i = 0; i < all.n_names; i++) {
            g_ptr_array_add(names, all.names[i]);
        }
        g_ptr_array_add(names, NULL);
        daemon_hint(error, name, (const char *const *)names->pdata);
    }
}

/* Of the snapshot that is named: go back to it, or drop it. */
static bool snapshot_act(InsulaConnection *connection, const RemoteDomain *domain,
                         const CliArgs *args, bool revert, GError **error)
{
    RemoteDomainSnapshotLookupByNameArgs call = { .dom = *domain,
                                                  .name = (char *)(uintptr_t)args->operands[2] };
    g_auto(RemoteDomainSnapshotLookupByNameRet) found = { 0 };

    if (!insula_domain_snapshot_lookup_by_name(connection, &call, &found, error)) {
        snapshot_hint(connection, domain, args->operands[2], error);
        return false;
    }
    RemoteDomainRevertToSnapshotArgs back = { .snap = found.snap };
    RemoteDomainSnapshotDeleteArgs drop = { .snap = found.snap };
    bool good = revert ? insula_domain_revert_to_snapshot(connection, &back, error)
                       : insula_domain_snapshot_delete(connection, &drop, error);
    return good && output_done(args, revert ? "is back" : "deleted", found.snap.name, error);
}

int command_snapshot(const CliArgs *args, GError **error)
{
    static const char *const verbs[] = { "list", "create", "revert", "delete", NULL };
    const char *verb = args->operands[0];
    bool needs_name = !strcmp(verb, "revert") || !strcmp(verb, "delete");

    if (!g_strv_contains(verbs, verb)) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "'%s' is nothing to do with snapshots; what there is: list, create, revert, "
                       "delete",
                       verb);
        return CLI_USAGE;
    }
    if (needs_name && !args->operands[2]) {
        set_error_code(error, INSULA_ERROR_USAGE, "snapshot %s needs the snapshot's name", verb);
        return CLI_USAGE;
    }
    g_autoptr(InsulaConnection) connection = daemon_open(args, 0, error);
    g_auto(RemoteDomain) domain = { 0 };
    if (!connection || !daemon_find(connection, args->operands[1], &domain, error)) {
        return CLI_FAILED;
    }
    bool good = needs_name ? snapshot_act(connection, &domain, args, !strcmp(verb, "revert"), error)
                : !strcmp(verb, "list") ? snapshot_list(connection, &domain, args, error)
                                        : snapshot_create(connection, &domain, args, error);
    return good ? CLI_DONE : CLI_FAILED;
}
