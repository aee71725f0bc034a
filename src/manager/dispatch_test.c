/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the tables of calls: who may call what, over every procedure, and one handler for each.
 */
#include "manager/dispatch.h"

#include <string.h>

#include "manager/access.h"

/* "domain:read": a verb that changes nothing. */
static bool looks_only(const char *access)
{
    const char *verb = strchr(access, ':') + 1;

    return strcmp(verb, "read") == 0 || strcmp(verb, "getattr") == 0 ||
           g_str_has_prefix(verb, "search-");
}

static void test_matrix(void)
{
    static const AccessWho stranger = { .opened = false }, reader = { true, true },
                           owner = { .opened = true }, read_only_stranger = { .read_only = true };

    for (unsigned i = 0; i < remote_n_procedures; i++) {
        const RemoteProcedure *row = &remote_procedures[i];
        const bool early =
            row->number == REMOTE_PROC_AUTH_LIST || row->number == REMOTE_PROC_AUTH_SASL_INIT ||
            row->number == REMOTE_PROC_AUTH_POLKIT || row->number == REMOTE_PROC_CONNECT_OPEN ||
            row->number == REMOTE_PROC_CONNECT_CLOSE ||
            row->number == REMOTE_PROC_CONNECT_SUPPORTS_FEATURE;
        const bool reads = looks_only(row->access);
        g_autoptr(GError) error = NULL;

        g_test_message("%s", row->name);
        g_assert_cmpint(access_allows(&stranger, row, NULL), ==, early);
        g_assert_cmpint(access_allows(&read_only_stranger, row, NULL), ==, early);
        g_assert_true(access_allows(&owner, row, NULL));
        g_assert_cmpint(access_allows(&reader, row, &error), ==, reads);
        if (!reads) {
            g_assert_error(error, REMOTE_ERROR, REMOTE_ERR_OPERATION_DENIED);
        }
    }
}

static void test_handlers(void)
{
    unsigned answered = 0;

    for (unsigned i = 0; i < remote_n_procedures; i++) {
        const RemoteProcedure *row = &remote_procedures[i];
        const unsigned n = dispatch_count(row->number);

        g_test_message("%s", row->name);
        g_assert_cmpuint(n, <=, 1);
        /* what is refused on purpose is answered by nobody, or the table lies */
        g_assert_false(n && row->refused);
        answered += n;
    }
    /* and no handler is for a procedure that has no row */
    g_assert_cmpuint(dispatch_total(), ==, answered);
}

/* A call that data follows, or that descriptors come with, changes something. */
static void test_flags(void)
{
    for (unsigned i = 0; i < remote_n_procedures; i++) {
        const RemoteProcedure *row = &remote_procedures[i];
        const unsigned more = REMOTE_STREAM_IN | REMOTE_STREAM_OUT | REMOTE_FDS_IN | REMOTE_FDS_OUT;

        g_test_message("%s", row->name);
        g_assert_false(row->flags & more && row->flags & REMOTE_READ_ONLY);
        g_assert_false(row->flags & REMOTE_INLINE && row->flags & REMOTE_PRIORITY);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/dispatch/matrix", test_matrix);
    g_test_add_func("/dispatch/handlers", test_handlers);
    g_test_add_func("/dispatch/flags", test_flags);
    return g_test_run();
}
