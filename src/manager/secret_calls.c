/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls of secrets.
 *
 * Threads: workers.
 */
#include "config/identity.h"
#include "manager/dispatch.h"
#include "manager/secret.h"
#include "manager/storage_reply.h"

static GStrv uuids_of(const Call *call)
{
    uint32_t n = 0;
    g_autofree RemoteSecret *list = secrets_list(call_daemon(call)->secrets, 0, &n);
    GStrv uuids = g_new0(char *, (size_t)n + 1);

    for (uint32_t i = 0; i < n; i++) {
        uuids[i] = uuid_format(list[i].uuid);
        g_free(list[i].usage_id);
    }
    return uuids;
}

static bool num_of_secrets(Call *call, const void *args, void *ret, GError **error)
{
    g_auto(GStrv) uuids = uuids_of(call);

    ((RemoteConnectNumOfSecretsRet *)ret)->num = (int32_t)g_strv_length(uuids);
    return true;
}

static bool list_secrets(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteConnectListSecretsArgs *in = args;
    RemoteConnectListSecretsRet *out = ret;

    reply_names(uuids_of(call), in->maxuuids, &out->uuids, &out->n_uuids);
    return true;
}

static bool list_all_secrets(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteConnectListAllSecretsArgs *in = args;
    RemoteConnectListAllSecretsRet *out = ret;

    out->secrets = secrets_list(call_daemon(call)->secrets, in->flags, &out->n_secrets);
    out->ret = out->n_secrets;
    if (!in->need_results) {
        for (uint32_t i = 0; i < out->n_secrets; i++) {
            g_free(out->secrets[i].usage_id);
        }
        g_clear_pointer(&out->secrets, g_free);
        out->n_secrets = 0;
    }
    return true;
}

static bool lookup_by_uuid(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteSecretLookupByUuidArgs *in = args;
    RemoteSecretLookupByUuidRet *out = ret;

    return secrets_by_uuid(call_daemon(call)->secrets, in->uuid, &out->secret, error);
}

static bool lookup_by_usage(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteSecretLookupByUsageArgs *in = args;
    RemoteSecretLookupByUsageRet *out = ret;

    return secrets_by_usage(call_daemon(call)->secrets, in->usage_type, in->usage_id, &out->secret,
                            error);
}

static bool define_xml(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteSecretDefineXmlArgs *in = args;
    RemoteSecretDefineXmlRet *out = ret;

    return secrets_define(call_daemon(call)->secrets, in->xml, &out->secret, error);
}

static bool get_xml(Call *call, const void *args, void *ret, GError **error)
{
    RemoteSecretGetXmlDescRet *out = ret;

    return reply_text(secrets_xml(call_daemon(call)->secrets, args, error), &out->xml);
}

static bool undefine(Call *call, const void *args, void *ret, GError **error)
{
    return secrets_undefine(call_daemon(call)->secrets, args, error);
}

static bool set_value(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteSecretSetValueArgs *in = args;

    return secrets_set_value(call_daemon(call)->secrets, &in->secret, in->value, in->n_value,
                             error);
}

static bool get_value(Call *call, const void *args, void *ret, GError **error)
{
    RemoteSecretGetValueRet *out = ret;

    out->value = secrets_get_value(call_daemon(call)->secrets, args, &out->n_value, error);
    return out->value != NULL;
}

const CallRow secret_calls[] = {
    { REMOTE_PROC_CONNECT_NUM_OF_SECRETS, num_of_secrets },
    { REMOTE_PROC_CONNECT_LIST_SECRETS, list_secrets },
    { REMOTE_PROC_CONNECT_LIST_ALL_SECRETS, list_all_secrets },
    { REMOTE_PROC_SECRET_LOOKUP_BY_UUID, lookup_by_uuid },
    { REMOTE_PROC_SECRET_LOOKUP_BY_USAGE, lookup_by_usage },
    { REMOTE_PROC_SECRET_DEFINE_XML, define_xml },
    { REMOTE_PROC_SECRET_GET_XML_DESC, get_xml },
    { REMOTE_PROC_SECRET_UNDEFINE, undefine },
    { REMOTE_PROC_SECRET_SET_VALUE, set_value },
    { REMOTE_PROC_SECRET_GET_VALUE, get_value },
    { 0 },
};

/* --- the part of the daemon --- */

static bool start(Daemon *daemon, GError **error)
{
    g_autofree char *definitions = g_build_filename(daemon->paths.config, "secrets", NULL);

    daemon->secrets = secrets_new(definitions, daemon->events, error);
    return daemon->secrets != NULL;
}

static void stop(Daemon *daemon)
{
    g_clear_pointer(&daemon->secrets, secrets_free);
}

const DaemonPart secrets_part = { .name = "secrets", .start = start, .stop = stop };
