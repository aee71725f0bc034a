/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An example of libinsula: lists the machines of a daemon, by calls that wait.
 *
 *   cc list.c $(pkg-config --cflags --libs insula) -o list && ./list [WHERE]
 */
#include <stdio.h>

#include "client/calls_gen.h"

/* 1: all of them, not only how many. */
static bool list(InsulaConnection *connection, GError **error)
{
    RemoteConnectListAllDomainsArgs args = { .need_results = 1 };
    g_auto(RemoteConnectListAllDomainsRet) all = { 0 };

    if (!insula_connect_list_all_domains(connection, &args, &all, error)) {
        return false;
    }
    for (unsigned i = 0; i < all.n_domains; i++) {
        RemoteDomainGetStateArgs which = { .dom = all.domains[i] };
        g_auto(RemoteDomainGetStateRet) now = { 0 };
        if (!insula_domain_get_state(connection, &which, &now, error)) {
            return false;
        }
        printf("%s %s\n", all.domains[i].name, now.state == 1 ? "runs" : "doesn't run");
    }
    return true;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(InsulaConnection) connection = insula_open(argc > 1 ? argv[1] : NULL, 0, &error);

    if (!connection || !list(connection, &error)) {
        fprintf(stderr, "%s\n", error->message);
        return 1;
    }
    return 0;
}
