/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What commands over the daemon share, see daemon.h.
 */
#include "cli/daemon.h"

#include <string.h>

#include "common/suggest.h"

InsulaConnection *daemon_open(const CliArgs *args, InsulaOpenFlags flags, GError **error)
{
    return insula_open(args->connect, flags, error);
}

void daemon_domain_clear(RemoteDomain *domain)
{
    xdr_clear(&remote_domain_type, domain);
}

void daemon_hint(GError **error, const char *word, const char *const *known)
{
    const char *near = suggest(word, known);

    if (near && error && *error) {
        char *message = g_strdup_printf("%s; did you mean '%s'?", (*error)->message, near);
        g_free((*error)->message);
        (*error)->message = message;
    }
}

/* Append the nearest name of a machine. */
static void hint(InsulaConnection *connection, const char *word, GError **error)
{
    RemoteConnectListAllDomainsArgs args = { .need_results = 1 };
    g_auto(RemoteConnectListAllDomainsRet) all = { 0 };
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    if (insula_connect_list_all_domains(connection, &args, &all, NULL)) {
        for (unsigned i = 0; i < all.n_domains; i++) {
            g_ptr_array_add(names, all.domains[i].name);
        }
        g_ptr_array_add(names, NULL);
        daemon_hint(error, word, (const char *const *)names->pdata);
    }
}

/* 36 characters, as in "c7a5fdbd-edaf-9455-926a-d65c16db1809". */
static bool parse_uuid(const char *word, uint8_t uuid[16])
{
    unsigned digits = 0;

    if (!g_uuid_string_is_valid(word)) {
        return false;
    }
    for (const char *p = word; *p; p++) {
        if (*p != '-') {
            unsigned value = (unsigned)g_ascii_xdigit_value(*p);
            uuid[digits / 2] = (uint8_t)(digits % 2 ? uuid[digits / 2] | value : value << 4);
            digits++;
        }
    }
    return digits == 32;
}

static bool find_otherwise(InsulaConnection *connection, const char *word, RemoteDomain *ret)
{
    RemoteDomainLookupByUuidArgs by_uuid = { 0 };
    RemoteDomainLookupByUuidRet found = { 0 };
    RemoteDomainLookupByIdRet numbered = { 0 };
    guint64 number = 0;

    if (parse_uuid(word, by_uuid.uuid) &&
        insula_domain_lookup_by_uuid(connection, &by_uuid, &found, NULL)) {
        *ret = found.dom;
        return true;
    }
    if (g_ascii_string_to_unsigned(word, 10, 0, INT32_MAX, &number, NULL)) {
        RemoteDomainLookupByIdArgs by_id = { .id = (int32_t)number };
        if (insula_domain_lookup_by_id(connection, &by_id, &numbered, NULL)) {
            *ret = numbered.dom;
            return true;
        }
    }
    return false;
}

bool daemon_find(InsulaConnection *connection, const char *word, RemoteDomain *ret, GError **error)
{
    RemoteDomainLookupByNameArgs args = { .name = (char *)(uintptr_t)word };
    RemoteDomainLookupByNameRet found = { 0 };
    GError *why = NULL;

    if (insula_domain_lookup_by_name(connection, &args, &found, &why)) {
        *ret = found.dom;
        return true;
    }
    if (g_error_matches(why, REMOTE_ERROR, REMOTE_ERR_NO_DOMAIN)) {
        if (find_otherwise(connection, word, ret)) {
            g_error_free(why);
            return true;
        }
        hint(connection, word, &why);
    }
    g_propagate_error(error, why);
    return false;
}

bool daemon_state(InsulaConnection *connection, const RemoteDomain *domain, VmState *ret,
                  GError **error)
{
    RemoteDomainGetStateArgs args = { .dom = *domain };
    g_auto(RemoteDomainGetStateRet) now = { 0 };

    if (!insula_domain_get_state(connection, &args, &now, error)) {
        return false;
    }
    *ret = now.state >= VM_NO_STATE && now.state <= VM_ASLEEP ? (VmState)now.state : VM_NO_STATE;
    return true;
}

const char *daemon_state_text(VmState state)
{
    static const char *const words[] = { "unknown",       "running", "running", "paused",
                                         "shutting down", "off",     "crashed", "asleep" };

    return words[state];
}

bool daemon_is_running(VmState state)
{
    return state != VM_NO_STATE && state != VM_OFF && state != VM_CRASHED;
}

char *daemon_xml(InsulaConnection *connection, const RemoteDomain *domain, bool inactive,
                 GError **error)
{
    RemoteDomainGetXmlDescArgs args = { .dom = *domain, .flags = inactive ? 3 : 0 };
    RemoteDomainGetXmlDescRet ret = { 0 };

    return insula_domain_get_xml_desc(connection, &args, &ret, error) ? ret.xml : NULL;
}

/* ---- waiting ---- */

typedef struct WaitOff {
    const RemoteDomain *domain;
    bool look; /* something has happened to it */
    bool late;
} WaitOff;

static void on_lifecycle(InsulaConnection *connection, RemoteEventId event, const void *message,
                         void *opaque)
{
    const RemoteDomainLifecycleMsg *lifecycle = message;
    WaitOff *wait = opaque;

    wait->look =
        wait->look || !memcmp(lifecycle->dom.uuid, wait->domain->uuid, sizeof(lifecycle->dom.uuid));
}

static void on_gone(InsulaConnection *connection, const GError *why, void *opaque)
{
    ((WaitOff *)opaque)->look = true; /* the next call says why */
}

static gboolean on_time(void *opaque)
{
    ((WaitOff *)opaque)->late = true;
    return G_SOURCE_CONTINUE;
}

/* A machine that isn't kept is gone when it is off. */
static bool is_off(InsulaConnection *connection, const RemoteDomain *domain, bool *ret_off,
                   GError **error)
{
    VmState state = VM_OFF;
    GError *why = NULL;

    if (!daemon_state(connection, domain, &state, &why) &&
        !g_error_matches(why, REMOTE_ERROR, REMOTE_ERR_NO_DOMAIN)) {
        g_propagate_error(error, why);
        return false;
    }
    g_clear_error(&why);
    *ret_off = !daemon_is_running(state);
    return true;
}

bool daemon_wait_off(InsulaConnection *connection, const RemoteDomain *domain, unsigned seconds,
                     GError **error)
{
    WaitOff wait = { .domain = domain };
    bool off = false, good;

    if (!insula_watch(connection, REMOTE_EVENT_DOMAIN_LIFECYCLE, on_lifecycle, &wait, error)) {
        return false;
    }
    insula_on_gone(connection, on_gone, &wait);
    guint timer = g_timeout_add(seconds * 1000, on_time, &wait);
    while ((good = is_off(connection, domain, &off, error)) && !off && !wait.late) {
        wait.look = false;
        while (!wait.look && !wait.late) {
            g_main_context_iteration(NULL, TRUE);
        }
    }
    g_source_remove(timer);
    insula_unwatch(connection, on_lifecycle, &wait);
    insula_on_gone(connection, NULL, NULL);
    if (good && !off) {
        remote_error_set(error, REMOTE_ERR_OPERATION_TIMEOUT,
                         "machine '%s' has not ended after %u s; insula stop --force %s ends it "
                         "at once",
                         domain->name, seconds, domain->name);
    }
    return good && off;
}
