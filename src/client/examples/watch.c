/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An example of libinsula: tells of machines that begin and end, from a main loop of GLib.
 *
 *   cc watch.c $(pkg-config --cflags --libs insula) -o watch && ./watch [WHERE [COUNT]]
 */
#include <stdio.h>
#include <stdlib.h>

#include "client/calls_gen.h"

typedef struct Watch {
    GMainLoop *loop;
    int left; /* events until the end; below 0: no end */
} Watch;

static void on_event(InsulaConnection *connection, RemoteEventId event, const void *message,
                     void *opaque)
{
    static const char *const words[] = { "defined",   "undefined",   "started",
                                         "suspended", "resumed",     "stopped",
                                         "shut down", "pmsuspended", "crashed" };
    const RemoteDomainLifecycleMsg *lifecycle = message;
    unsigned number = (unsigned)lifecycle->event;
    Watch *watch = opaque;

    printf("%s %s\n", lifecycle->dom.name, number < G_N_ELEMENTS(words) ? words[number] : "?");
    fflush(stdout);
    if (--watch->left == 0) {
        g_main_loop_quit(watch->loop);
    }
}

static void on_gone(InsulaConnection *connection, const GError *why, void *opaque)
{
    Watch *watch = opaque;

    fprintf(stderr, "%s\n", why->message);
    g_main_loop_quit(watch->loop);
}

/* Calls that don't wait are answered from the same loop. */
static void on_hostname(InsulaConnection *connection, const void *ret, const GError *error,
                        void *opaque)
{
    const RemoteConnectGetHostnameRet *host = ret;

    printf("watching %s\n", error ? error->message : host->hostname);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    Watch watch = { loop, argc > 2 ? atoi(argv[2]) : -1 };
    g_autoptr(InsulaConnection) connection = insula_open(argc > 1 ? argv[1] : NULL, 0, &error);

    if (!connection ||
        !insula_watch(connection, REMOTE_EVENT_DOMAIN_LIFECYCLE, on_event, &watch, &error)) {
        fprintf(stderr, "%s\n", error->message);
        return 1;
    }
    insula_on_gone(connection, on_gone, &watch);
    insula_call_later(connection, REMOTE_PROC_CONNECT_GET_HOSTNAME, NULL, on_hostname, NULL);
    g_main_loop_run(loop);
    return 0;
}
