/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of the remote protocol and its errors, see remote.h.
 */
#include "wire/remote.h"

#include <gio/gio.h>
#include <string.h>

#include "common/error.h"

/* libvirt's numbers of the part that an error comes from. */
enum {
    FROM_XML = 5,
    FROM_RPC = 7,
    FROM_QEMU = 10,
    FROM_STORAGE = 18,
    FROM_NETWORK = 19,
    FROM_DOMAIN = 20,
    FROM_NODE_DEVICE = 22,
    FROM_INTERFACE = 26,
    FROM_SECRET = 30,
    FROM_NWFILTER = 33,
    LEVEL_ERROR = 2,
};

/* Clients look at few of them: that of network filters must be right, or they read another code. */
static const struct {
    RemoteErrorCode code;
    int32_t from;
} parts[] = {
    { REMOTE_ERR_RPC, FROM_RPC },
    { REMOTE_ERR_XML_ERROR, FROM_XML },
    { REMOTE_ERR_NO_NETWORK, FROM_NETWORK },
    { REMOTE_ERR_NETWORK_EXIST, FROM_NETWORK },
    { REMOTE_ERR_NO_STORAGE_POOL, FROM_STORAGE },
    { REMOTE_ERR_NO_STORAGE_VOL, FROM_STORAGE },
    { REMOTE_ERR_STORAGE_VOL_EXIST, FROM_STORAGE },
    { REMOTE_ERR_NO_NODE_DEVICE, FROM_NODE_DEVICE },
    { REMOTE_ERR_NO_INTERFACE, FROM_INTERFACE },
    { REMOTE_ERR_INVALID_SECRET, FROM_SECRET },
    { REMOTE_ERR_NO_SECRET, FROM_SECRET },
    { REMOTE_ERR_NO_NWFILTER, FROM_NWFILTER },
    { REMOTE_ERR_CONFIG_UNSUPPORTED, FROM_DOMAIN },
};

/* How errors of ours are called over there, with the words that libvirt puts before them. */
static const struct {
    InsulaError ours;
    RemoteErrorCode code;
    const char *prefix;
} translations[] = {
    { INSULA_ERROR_XML, REMOTE_ERR_XML_ERROR, "XML error: " },
    { INSULA_ERROR_UNSUPPORTED, REMOTE_ERR_CONFIG_UNSUPPORTED, "unsupported configuration: " },
};

/* Words of a function's name that aren't written like others. */
static const struct {
    const char *word, *written;
} spellings[] = {
    { "Xml", "XML" },           { "Os", "OS" },         { "Id", "ID" },
    { "Uuid", "UUID" },         { "Uri", "URI" },       { "Fd", "FD" },
    { "Cpu", "CPU" },           { "Dhcp", "DHCP" },     { "Nmi", "NMI" },
    { "Ssh", "SSH" },           { "Pm", "PM" },         { "Fstrim", "FSTrim" },
    { "Fsfreeze", "FSFreeze" }, { "Fsinfo", "FSInfo" }, { "Iothread", "IOThread" },
};

const RemoteProcedure *remote_procedure(uint32_t number)
{
    unsigned low = 0, high = remote_n_procedures;

    while (low < high) {
        const unsigned middle = (low + high) / 2;
        if (remote_procedures[middle].number == number) {
            return &remote_procedures[middle];
        }
        if (remote_procedures[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

const RemoteEvent *remote_event(uint32_t procedure)
{
    for (unsigned i = 0; i < remote_n_events; i++) {
        if (remote_events[i].procedure == procedure) {
            return &remote_events[i];
        }
    }
    return NULL;
}

const RemoteEvent *remote_event_find(RemoteFamily family, int32_t event_id)
{
    for (unsigned i = 0; i < remote_n_events; i++) {
        if (remote_events[i].family == family && remote_events[i].event_id == event_id) {
            return &remote_events[i];
        }
    }
    return NULL;
}

char *remote_function(const RemoteProcedure *procedure)
{
    g_auto(GStrv) words = g_strsplit(procedure->name, "_", -1);
    GString *name = g_string_new("vir");

    for (unsigned i = 0; words[i]; i++) {
        g_autofree char *lower = g_ascii_strdown(words[i], -1);
        lower[0] = g_ascii_toupper(lower[0]);
        const char *written = lower;
        for (unsigned k = 0; k < G_N_ELEMENTS(spellings); k++) {
            written = strcmp(lower, spellings[k].word) == 0 ? spellings[k].written : written;
        }
        g_string_append(name, written);
    }
    return g_string_free(name, FALSE);
}

GQuark remote_error_quark(void)
{
    return g_quark_from_static_string("remote-error");
}

void remote_error_set(GError **error, RemoteErrorCode code, const char *format, ...)
{
    va_list args;

    if (!error) {
        return;
    }
    va_start(args, format);
    *error = g_error_new_valist(REMOTE_ERROR, (int)code, format, args);
    va_end(args);
}

/* The number that @error goes by, and its message.  Newly allocated. */
static char *translate(const GError *error, int32_t *ret_code)
{
    const bool of_system = error->domain == G_IO_ERROR || error->domain == G_FILE_ERROR;

    for (unsigned i = 0; error->domain == INSULA_ERROR && i < G_N_ELEMENTS(translations); i++) {
        if (error->code == (int)translations[i].ours) {
            *ret_code = (int32_t)translations[i].code;
            return g_strconcat(translations[i].prefix, error->message, NULL);
        }
    }
    *ret_code = error->domain == REMOTE_ERROR ? error->code
                : of_system                   ? (int32_t)REMOTE_ERR_SYSTEM_ERROR
                                              : (int32_t)REMOTE_ERR_INTERNAL;
    return g_strdup(error->message);
}

void remote_error_encode(GByteArray *bytes, const GError *error)
{
    int32_t code = 0;
    g_autofree char *message = translate(error, &code);
    RemoteFailure failure = {
        .code = code,
        .domain = FROM_QEMU,
        .message = message,
        .level = LEVEL_ERROR,
        .str1 = (char *)"%s",
        .str2 = message,
        .int1 = -1,
        .int2 = -1,
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
        if ((int32_t)parts[i].code == failure.code) {
            failure.domain = parts[i].from;
        }
    }
    xdr_encode(bytes, &remote_failure_type, &failure);
}

void remote_error_decode(const uint8_t *bytes, size_t len, GError **error)
{
    RemoteFailure failure;

    if (!xdr_decode(bytes, len, &remote_failure_type, &failure, NULL)) {
        remote_error_set(error, REMOTE_ERR_RPC, "the daemon reported an error that can't be read");
        return;
    }
    remote_error_set(error, (RemoteErrorCode)failure.code, "%s",
                     failure.message ? failure.message
                                     : "the daemon reported an error without text");
    xdr_clear(&remote_failure_type, &failure);
}

GArray *remote_params_new(void)
{
    return g_array_new(FALSE, TRUE, sizeof(RemoteParam));
}

static RemoteParam *append(GArray *params, const char *field, int32_t type)
{
    const RemoteParam param = { .field = g_strdup(field), .type = type };

    g_array_append_val(params, param);
    return &g_array_index(params, RemoteParam, params->len - 1);
}

void remote_params_int(GArray *params, const char *field, int32_t value)
{
    append(params, field, REMOTE_PARAM_INT)->value.i = value;
}

void remote_params_uint(GArray *params, const char *field, uint32_t value)
{
    append(params, field, REMOTE_PARAM_UINT)->value.ui = value;
}

void remote_params_llong(GArray *params, const char *field, int64_t value)
{
    append(params, field, REMOTE_PARAM_LLONG)->value.l = value;
}

void remote_params_ullong(GArray *params, const char *field, uint64_t value)
{
    append(params, field, REMOTE_PARAM_ULLONG)->value.ul = value;
}

void remote_params_double(GArray *params, const char *field, double value)
{
    append(params, field, REMOTE_PARAM_DOUBLE)->value.d = value;
}

void remote_params_boolean(GArray *params, const char *field, bool value)
{
    append(params, field, REMOTE_PARAM_BOOLEAN)->value.b = value;
}

void remote_params_string(GArray *params, const char *field, const char *value)
{
    append(params, field, REMOTE_PARAM_STRING)->value.s = g_strdup(value);
}

RemoteParam *remote_params_steal(GArray *params, uint32_t *ret_n)
{
    *ret_n = params->len;
    return (RemoteParam *)(void *)g_array_free(params, FALSE);
}

void remote_params_free(GArray *params)
{
    for (unsigned i = 0; i < params->len; i++) {
        xdr_clear(&remote_param_type, &g_array_index(params, RemoteParam, i));
    }
    g_array_free(params, TRUE);
}

void remote_params_answer(GArray *params, int32_t nparams, RemoteParam **ret, uint32_t *ret_n,
                          int32_t *ret_nparams)
{
    if (nparams <= 0) {
        *ret_nparams = (int32_t)params->len;
        remote_params_free(params);
        return;
    }
    for (unsigned i = (unsigned)nparams; i < params->len; i++) {
        xdr_clear(&remote_param_type, &g_array_index(params, RemoteParam, i));
    }
    g_array_set_size(params, MIN(params->len, (unsigned)nparams));
    *ret = remote_params_steal(params, ret_n);
}

const RemoteParam *remote_params_find(const RemoteParam *params, uint32_t n, const char *field,
                                      int32_t type)
{
    for (uint32_t i = 0; i < n; i++) {
        if (params[i].type == type && strcmp(params[i].field, field) == 0) {
            return &params[i];
        }
    }
    return NULL;
}
