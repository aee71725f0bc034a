/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that tell of machines: list, info, stats, events.
 */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/daemon.h"
#include "cli/output.h"
#include "cli/sheet.h"
#include "cli/vm_xml.h"

static char *uuid_text(const uint8_t uuid[16])
{
    GString *text = g_string_new(NULL);

    for (unsigned i = 0; i < 16; i++) {
        g_string_append_printf(text, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                               uuid[i]);
    }
    return g_string_free(text, FALSE);
}

/* What info and list say first. */
static bool add_common(Sheet *sheet, InsulaConnection *connection, const RemoteDomain *domain,
                       GError **error)
{
    RemoteDomainGetInfoArgs of_info = { .dom = *domain };
    RemoteDomainGetAutostartArgs of_autostart = { .dom = *domain };
    g_auto(RemoteDomainGetInfoRet) info = { 0 };
    g_auto(RemoteDomainGetAutostartRet) autostart = { 0 };
    VmState state;

    if (!daemon_state(connection, domain, &state, error) ||
        !insula_domain_get_info(connection, &of_info, &info, error)) {
        return false;
    }
    insula_domain_get_autostart(connection, &of_autostart, &autostart, NULL);
    g_autofree char *uuid = uuid_text(domain->uuid);
    sheet_row(sheet);
    sheet_text(sheet, domain->name);
    sheet_text(sheet, daemon_state_text(state));
    sheet_number(sheet, info.nr_virt_cpu);
    sheet_number(sheet, (int64_t)(info.memory << 10));
    sheet_flag(sheet, autostart.autostart);
    sheet_text(sheet, uuid);
    return true;
}

/* ---- list ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const RemoteDomain *)a)->name, ((const RemoteDomain *)b)->name);
}

static bool print_names(const RemoteConnectListAllDomainsRet *all, bool json, GError **error)
{
    static const SheetColumn columns[] = { { "name", "Name", SHEET_TEXT }, { 0 } };
    g_autoptr(Sheet) sheet = sheet_new(columns);
    g_autoptr(GString) text = g_string_new(NULL);

    for (unsigned i = 0; i < all->n_domains; i++) {
        sheet_row(sheet);
        sheet_text(sheet, all->domains[i].name);
        g_string_append_printf(text, "%s\n", all->domains[i].name);
    }
    return json ? sheet_print(sheet, true, false, error) : output_text(text->str, error);
}

int command_list(const CliArgs *args, GError **error)
{
    static const SheetColumn columns[] = {
        { "name", "Name", SHEET_TEXT },
        { "state", "State", SHEET_TEXT },
        { "cpus", "CPUs", SHEET_NUMBER },
        { "memory", "Memory", SHEET_BYTES },
        { "autostart", NULL, SHEET_FLAG },
        { "uuid", NULL, SHEET_TEXT },
        { 0 },
    };
    g_autoptr(Sheet) sheet = sheet_new(columns);
    g_autoptr(InsulaConnection) connection = daemon_open(args, 0, error);
    RemoteConnectListAllDomainsArgs call = { .need_results = 1, .flags = args->running ? 1 : 0 };
    g_auto(RemoteConnectListAllDomainsRet) all = { 0 };

    if (!connection || !insula_connect_list_all_domains(connection, &call, &all, error)) {
        return CLI_FAILED;
    }
    qsort(all.domains, all.n_domains, sizeof(RemoteDomain), compare_names);
    if (args->names) {
        return print_names(&all, args->json, error) ? CLI_DONE : CLI_FAILED;
    }
    for (unsigned i = 0; i < all.n_domains; i++) {
        GError *why = NULL;
        if (!add_common(sheet, connection, &all.domains[i], &why)) {
            if (!g_error_matches(why, REMOTE_ERROR, REMOTE_ERR_NO_DOMAIN)) {
                g_propagate_error(error, why);
                return CLI_FAILED;
            }
            g_error_free(why); /* it went meanwhile */
        }
    }
    if (!all.n_domains && !args->json) {
        output_note(args, "there is no machine%s", args->running ? " that runs" : "");
    }
    return sheet_print(sheet, args->json, false, error) ? CLI_DONE : CLI_FAILED;
}

/* ---- info ---- */

int command_info(const CliArgs *args, GError **error)
{
    static const SheetColumn columns[] = {
        { "name", "Name", SHEET_TEXT },
        { "state", "State", SHEET_TEXT },
        { "cpus", "CPUs", SHEET_NUMBER },
        { "memory", "Memory", SHEET_BYTES },
        { "autostart", "Starts with the host", SHEET_FLAG },
        { "uuid", "UUID", SHEET_TEXT },
        { "machine", "Kind", SHEET_TEXT },
        { "disks", "Disks", SHEET_LIST },
        { "networks", "Networks", SHEET_LIST },
        { "screen", "Screen", SHEET_TEXT },
        { 0 },
    };
    g_autoptr(Sheet) sheet = sheet_new(columns);
    g_autoptr(InsulaConnection) connection = daemon_open(args, 0, error);
    g_auto(RemoteDomain) domain = { 0 };

    if (!connection || !daemon_find(connection, args->operands[0], &domain, error) ||
        !add_common(sheet, connection, &domain, error)) {
        return CLI_FAILED;
    }
    g_autofree char *xml = daemon_xml(connection, &domain, false, error);
    g_autoptr(VmXml) parsed = xml ? vm_xml_parse(xml, error) : NULL;
    if (!parsed) {
        return CLI_FAILED;
    }
    sheet_text(sheet, parsed->machine);
    sheet_list(sheet, (const char *const *)parsed->disks->pdata);
    sheet_list(sheet, (const char *const *)parsed->networks->pdata);
    sheet_text(sheet, parsed->screen);
    return sheet_print(sheet, args->json, true, error) ? CLI_DONE : CLI_FAILED;
}

/* ---- stats ---- */

enum { STATS_STATE = 1, STATS_CPU = 2, STATS_BALLOON = 4, STATS_NET = 16, STATS_BLOCK = 32 };

static int64_t value_of(const RemoteParam *param)
{
    switch (param->type) {
    case REMOTE_PARAM_INT:
        return param->value.i;
    case REMOTE_PARAM_UINT:
        return param->value.ui;
    case REMOTE_PARAM_LLONG:
        return param->value.l;
    case REMOTE_PARAM_ULLONG:
        return (int64_t)param->value.ul;
    default:
        return 0;
    }
}

/* The sum of "PREFIX.0SUFFIX", "PREFIX.1SUFFIX", ... */
static int64_t sum_of(const RemoteDomainStats *stats, const char *prefix, const char *suffix)
{
    int64_t sum = 0;

    for (unsigned i = 0; i < stats->n_params; i++) {
        const char *field = stats->params[i].field;
        if (g_str_has_prefix(field, prefix) && g_str_has_suffix(field, suffix)) {
            sum += value_of(&stats->params[i]);
        }
    }
    return sum;
}

static void add_stats(Sheet *sheet, const RemoteDomainStats *stats)
{
    sheet_row(sheet);
    sheet_text(sheet, stats->dom.name);
    sheet_number(sheet, sum_of(stats, "cpu.time", "") / 1000000000);
    sheet_number(sheet, sum_of(stats, "balloon.current", "") << 10);
    sheet_number(sheet, sum_of(stats, "balloon.rss", "") << 10);
    sheet_number(sheet, sum_of(stats, "block.", ".rd.bytes"));
    sheet_number(sheet, sum_of(stats, "block.", ".wr.bytes"));
    sheet_number(sheet, sum_of(stats, "net.", ".rx.bytes"));
    sheet_number(sheet, sum_of(stats, "net.", ".tx.bytes"));
}

/* Of the machines that run, or of those named. */
static bool find_wanted(InsulaConnection *connection, const CliArgs *args,
                        RemoteConnectGetAllDomainStatsArgs *call, GError **error)
{
    call->doms = g_new0(RemoteDomain, args->n_operands);
    for (unsigned i = 0; i < args->n_operands; i++) {
        if (!daemon_find(connection, args->operands[i], &call->doms[i], error)) {
            return false;
        }
        call->n_doms++;
    }
    return true;
}

static bool print_stats(InsulaConnection *connection,
                        const RemoteConnectGetAllDomainStatsArgs *call, const CliArgs *args,
                        GError **error)
{
    static const SheetColumn columns[] = {
        { "name", "Name", SHEET_TEXT },
        { "cpu_seconds", "CPU time", SHEET_SECONDS },
        { "memory", "Memory", SHEET_BYTES },
        { "resident", "Resident", SHEET_BYTES },
        { "disk_read", "Read", SHEET_BYTES },
        { "disk_written", "Written", SHEET_BYTES },
        { "net_received", "Received", SHEET_BYTES },
        { "net_sent", "Sent", SHEET_BYTES },
        { 0 },
    };
    g_autoptr(Sheet) sheet = sheet_new(columns);
    g_auto(RemoteConnectGetAllDomainStatsRet) ret = { 0 };

    if (!insula_connect_get_all_domain_stats(connection, call, &ret, error)) {
        return false;
    }
    for (unsigned i = 0; i < ret.n_ret_stats; i++) {
        add_stats(sheet, &ret.ret_stats[i]);
    }
    return sheet_print(sheet, args->json, false, error);
}

int command_stats(const CliArgs *args, GError **error)
{
    g_autoptr(InsulaConnection) connection = daemon_open(args, 0, error);
    RemoteConnectGetAllDomainStatsArgs call = {
        .stats = STATS_STATE | STATS_CPU | STATS_BALLOON | STATS_NET | STATS_BLOCK,
        .flags = args->n_operands ? 0 : 1, /* 1: only those that run */
    };
    unsigned count = args->has_count ? args->count : args->has_interval ? 0 : 1;

    bool good = connection && find_wanted(connection, args, &call, error);
    for (unsigned i = 0; good && (!count || i < count); i++) {
        if (i) {
            g_usleep((args->has_interval ? args->interval : 1) * (gulong)G_USEC_PER_SEC);
        }
        good = print_stats(connection, &call, args, error);
    }
    xdr_clear(&remote_connect_get_all_domain_stats_args_type, &call);
    return good ? CLI_DONE : CLI_FAILED;
}

/* ---- events ---- */

typedef struct EventsCommand {
    const CliArgs *args;
    unsigned told;
    bool ended, gone;
    GError *error;
} EventsCommand;

static void tell(EventsCommand *events, const char *kind, const char *name, const char *what)
{
    static const SheetColumn columns[] = {
        { "when", "When", SHEET_WHEN },
        { "kind", "Kind", SHEET_TEXT },
        { "name", "Name", SHEET_TEXT },
        { "event", "Event", SHEET_TEXT },
        { 0 },
    };
    g_autoptr(Sheet) sheet = sheet_new(columns);
    g_autoptr(GDateTime) now = g_date_time_new_now_local();

    if (events->ended) {
        return;
    }
    sheet_row(sheet);
    sheet_number(sheet, g_date_time_to_unix(now));
    sheet_text(sheet, kind);
    sheet_text(sheet, name);
    sheet_text(sheet, what);
    if (events->args->json) {
        JsonNode *node = sheet_json(sheet, true);
        g_autofree char *object = json_to_string(node, FALSE);
        g_autofree char *line = g_strdup_printf("%s\n", object);
        json_node_unref(node);
        events->ended = !output_text(line, &events->error);
    } else {
        g_autofree char *when = g_date_time_format(now, "%H:%M:%S");
        g_autofree char *line = g_strdup_printf("%s  %-8s %-20s %s\n", when, kind, name, what);
        events->ended = !output_text(line, &events->error);
    }
    events->told++;
    events->ended =
        events->ended || (events->args->has_count && events->told >= events->args->count);
}

static const char *word_of(const char *const *words, unsigned n, int32_t number)
{
    return number >= 0 && (unsigned)number < n ? words[number] : "changed";
}

static void on_domain(InsulaConnection *connection, RemoteEventId event, const void *message,
                      void *opaque)
{
    static const char *const words[] = { "defined", "undefined", "started",     "paused", "resumed",
                                         "stopped", "shut down", "went asleep", "crashed" };
    const RemoteDomainLifecycleMsg *lifecycle = message;

    tell(opaque, "machine", lifecycle->dom.name,
         word_of(words, G_N_ELEMENTS(words), lifecycle->event));
}

static void on_network(InsulaConnection *connection, RemoteEventId event, const void *message,
                       void *opaque)
{
    static const char *const words[] = { "defined", "undefined", "started", "stopped" };
    const RemoteNetworkLifecycleMsg *lifecycle = message;

    tell(opaque, "network", lifecycle->net.name,
         word_of(words, G_N_ELEMENTS(words), lifecycle->event));
}

static void on_pool(InsulaConnection *connection, RemoteEventId event, const void *message,
                    void *opaque)
{
    static const char *const words[] = { "defined", "undefined", "started",
                                         "stopped", "created",   "deleted" };
    const RemotePoolLifecycleMsg *lifecycle = message;

    tell(opaque, "pool", lifecycle->pool.name,
         word_of(words, G_N_ELEMENTS(words), lifecycle->event));
}

static void on_gone(InsulaConnection *connection, const GError *why, void *opaque)
{
    EventsCommand *events = opaque;

    g_clear_error(&events->error);
    events->error = g_error_copy(why);
    events->ended = true;
}

static gboolean on_time(void *opaque)
{
    ((EventsCommand *)opaque)->ended = true;
    return G_SOURCE_CONTINUE;
}

int command_events(const CliArgs *args, GError **error)
{
    static const struct {
        RemoteEventId event;
        InsulaEvent told;
    } watched[] = {
        { REMOTE_EVENT_DOMAIN_LIFECYCLE, on_domain },
        { REMOTE_EVENT_NETWORK_LIFECYCLE, on_network },
        { REMOTE_EVENT_POOL_LIFECYCLE, on_pool },
    };
    EventsCommand events = { .args = args };
    g_autoptr(InsulaConnection) connection = daemon_open(args, 0, error);

    for (unsigned i = 0; connection && i < G_N_ELEMENTS(watched); i++) {
        if (!insula_watch(connection, watched[i].event, watched[i].told, &events, error)) {
            return CLI_FAILED;
        }
    }
    if (!connection) {
        return CLI_FAILED;
    }
    insula_on_gone(connection, on_gone, &events);
    guint timer = args->has_timeout ? g_timeout_add(args->timeout * 1000, on_time, &events) : 0;
    while (!events.ended) {
        g_main_context_iteration(NULL, TRUE);
    }
    if (timer) {
        g_source_remove(timer);
    }
    if (events.error) {
        g_propagate_error(error, events.error);
        return CLI_FAILED;
    }
    return CLI_DONE;
}
