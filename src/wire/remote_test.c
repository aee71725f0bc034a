/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the remote protocol's rows and errors.
 */
#include "wire/remote.h"

#include <gio/gio.h>
#include <string.h>

#include "common/error.h"

static void test_rows(void)
{
    for (unsigned i = 0; i < remote_n_procedures; i++) {
        const RemoteProcedure *row = &remote_procedures[i];
        g_assert_true(remote_procedure(row->number) == row);
        g_assert_nonnull(strchr(row->access, ':'));
    }
    g_assert_null(remote_procedure(0));
    g_assert_null(remote_procedure(26));
    g_assert_null(remote_procedure(UINT32_MAX));
    g_assert_cmpuint(REMOTE_PROC_QEMU_DOMAIN_MONITOR_COMMAND, ==, REMOTE_QEMU + 1);
}

static void test_events(void)
{
    for (int32_t id = 0; id <= 26; id++) {
        const RemoteEvent *event = remote_event_find(REMOTE_FAMILY_DOMAIN, id);
        g_assert_nonnull(event);
        g_assert_true(remote_event(event->procedure) == event);
        g_assert_cmpstr(event->type->fields[0].name, ==, "callback_id");
    }
    g_assert_null(remote_event_find(REMOTE_FAMILY_DOMAIN, 27));
    g_assert_null(remote_event_find(REMOTE_FAMILY_DOMAIN, -1));
    g_assert_cmpuint(remote_event_find(REMOTE_FAMILY_POOL, 1)->procedure, ==, 373);
}

static void test_functions(void)
{
    static const struct {
        uint32_t procedure;
        const char *name;
    } cases[] = {
        { REMOTE_PROC_DOMAIN_DESTROY, "virDomainDestroy" },
        { REMOTE_PROC_DOMAIN_GET_XML_DESC, "virDomainGetXMLDesc" },
        { REMOTE_PROC_STORAGE_VOL_CREATE_XML, "virStorageVolCreateXML" },
        { REMOTE_PROC_DOMAIN_OPEN_GRAPHICS_FD, "virDomainOpenGraphicsFD" },
        { REMOTE_PROC_DOMAIN_SET_BLOCK_IO_TUNE, "virDomainSetBlockIoTune" },
        { REMOTE_PROC_DOMAIN_GET_FSINFO, "virDomainGetFSInfo" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *name = remote_function(remote_procedure(cases[i].procedure));
        g_assert_cmpstr(name, ==, cases[i].name);
    }
}

/* Encode @error, and what a client makes of it. */
static GError *carry(GError *error, int32_t *ret_domain)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    GError *carried = NULL;
    RemoteFailure failure;

    remote_error_encode(bytes, error);
    g_assert_true(xdr_decode(bytes->data, bytes->len, &remote_failure_type, &failure, NULL));
    *ret_domain = failure.domain;
    g_assert_cmpint(failure.level, ==, 2);
    xdr_clear(&remote_failure_type, &failure);
    remote_error_decode(bytes->data, bytes->len, &carried);
    g_error_free(error);
    return carried;
}

static void test_errors(void)
{
    int32_t domain;
    GError *error = NULL;

    remote_error_set(&error, REMOTE_ERR_NO_DOMAIN, "Domain not found: %s", "x");
    g_autoptr(GError) first = carry(error, &domain);
    g_assert_error(first, REMOTE_ERROR, REMOTE_ERR_NO_DOMAIN);
    g_assert_cmpstr(first->message, ==, "Domain not found: x");
    g_assert_cmpint(domain, ==, 10);

    g_autoptr(GError) filter =
        carry(g_error_new(REMOTE_ERROR, REMOTE_ERR_NO_NWFILTER, "none"), &domain);
    g_assert_error(filter, REMOTE_ERROR, REMOTE_ERR_NO_NWFILTER);
    g_assert_cmpint(domain, ==, 33);

    g_autoptr(GError) ours = carry(g_error_new(INSULA_ERROR, INSULA_ERROR_HOST, "no"), &domain);
    g_assert_error(ours, REMOTE_ERROR, REMOTE_ERR_INTERNAL);
    g_autoptr(GError) xml =
        carry(g_error_new(INSULA_ERROR, INSULA_ERROR_XML, "element 'a' on line 1: no"), &domain);
    g_assert_error(xml, REMOTE_ERROR, REMOTE_ERR_XML_ERROR);
    g_assert_cmpstr(xml->message, ==, "XML error: element 'a' on line 1: no");
    g_autoptr(GError) unsupported =
        carry(g_error_new(INSULA_ERROR, INSULA_ERROR_UNSUPPORTED, "no TPM"), &domain);
    g_assert_error(unsupported, REMOTE_ERROR, REMOTE_ERR_CONFIG_UNSUPPORTED);
    g_assert_cmpstr(unsupported->message, ==, "unsupported configuration: no TPM");
    g_autoptr(GError) io = carry(g_error_new(G_IO_ERROR, G_IO_ERROR_FAILED, "disk"), &domain);
    g_assert_error(io, REMOTE_ERROR, REMOTE_ERR_SYSTEM_ERROR);

    g_autoptr(GError) rubbish = NULL;
    remote_error_decode((const uint8_t *)"\0\0\0", 3, &rubbish);
    g_assert_error(rubbish, REMOTE_ERROR, REMOTE_ERR_RPC);
}

static GArray *three(void)
{
    GArray *params = remote_params_new();

    remote_params_uint(params, "a", 1);
    remote_params_string(params, "b", "two");
    remote_params_ullong(params, "c", 3);
    return params;
}

/* Asked with none, how many; asked with some, so many. */
static void test_params(void)
{
    static const struct {
        int32_t asked;
        uint32_t given;
        int32_t told;
    } cases[] = { { 0, 0, 3 }, { -1, 0, 3 }, { 2, 2, 0 }, { 3, 3, 0 }, { 99, 3, 0 } };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        RemoteDomainGetMemoryParametersRet ret = { 0 };
        remote_params_answer(three(), cases[i].asked, &ret.params, &ret.n_params, &ret.nparams);
        g_assert_cmpuint(ret.n_params, ==, cases[i].given);
        g_assert_cmpint(ret.nparams, ==, cases[i].told);
        if (ret.n_params == 3) {
            const RemoteParam *b =
                remote_params_find(ret.params, ret.n_params, "b", REMOTE_PARAM_STRING);
            g_assert_cmpstr(b->value.s, ==, "two");
            g_assert_null(remote_params_find(ret.params, ret.n_params, "b", REMOTE_PARAM_INT));
        }
        xdr_clear(&remote_domain_get_memory_parameters_ret_type, &ret);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/remote/rows", test_rows);
    g_test_add_func("/remote/events", test_events);
    g_test_add_func("/remote/functions", test_functions);
    g_test_add_func("/remote/errors", test_errors);
    g_test_add_func("/remote/params", test_params);
    return g_test_run();
}
