/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's life, see daemon.h.
 */
#include "manager/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "manager/event.h"
#include "manager/options.h"
#include "manager/server.h"
#include "manager/sockets.h"

/* In the order in which they start. */
static const DaemonPart *const parts[] = {
    &host_part, &node_devices_part, &secrets_part, &networks_part, &pools_part, &domains_part,
};

static void raise_fd_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max; /* one for each client, and each VM */
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* One daemon for each runtime folder: the lock goes with the process, however it ends. */
static bool take_lock(Daemon *daemon, GError **error)
{
    g_autofree char *path = g_build_filename(daemon->paths.runtime, "insulad.lock", NULL);
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    daemon->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (daemon->lock < 0) {
        set_error_errno(error, errno, "cannot open '%s'", path);
        return false;
    }
    if (fcntl(daemon->lock, F_OFD_SETLK, &lock) != 0) {
        set_error(error, "cannot lock '%s': another insulad runs here", path);
        return false;
    }
    return true;
}

Daemon *daemon_new(const DaemonOptions *options, GError **error)
{
    g_autoptr(Daemon) daemon = g_new0(Daemon, 1);

    daemon->lock = -1;
    daemon->privileged = geteuid() == 0;
    daemon->fake = options->fake;
    daemon->idle_seconds = options->idle_seconds;
    daemon->loop = g_main_loop_new(NULL, FALSE);
    daemon->events = events_new();
    raise_fd_limit();
    if (!daemon_paths_init(&daemon->paths, options->root, options->socket, error) ||
        !daemon_paths_make(&daemon->paths, error) || !take_lock(daemon, error)) {
        return NULL;
    }
    daemon->server = server_new(daemon, error);
    if (!daemon->server) {
        return NULL;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(parts) && parts[i]; i++) {
        daemon->started = i + 1;
        if (!parts[i]->start(daemon, error)) {
            g_prefix_error(error, "cannot start %s: ", parts[i]->name);
            return NULL;
        }
    }
    return server_listen(daemon->server, error) ? g_steal_pointer(&daemon) : NULL;
}

void daemon_free(Daemon *daemon)
{
    g_clear_pointer(&daemon->server, server_free);
    while (daemon->started > 0) {
        const DaemonPart *part = parts[--daemon->started];
        if (part->stop) {
            part->stop(daemon);
        }
    }
    events_free(daemon->events);
    g_main_loop_unref(daemon->loop);
    daemon_paths_clear(&daemon->paths);
    if (daemon->lock >= 0) {
        close(daemon->lock);
    }
    g_free(daemon);
}

static gboolean on_signal(gpointer data)
{
    g_main_loop_quit(((Daemon *)data)->loop);
    return G_SOURCE_CONTINUE;
}

static gboolean on_idle_check(gpointer data)
{
    Daemon *daemon = data;
    const int64_t since_us =
        g_get_monotonic_time() - (int64_t)daemon->idle_seconds * G_USEC_PER_SEC;

    if (g_atomic_int_get(&daemon->holds) == 0 && server_is_idle(daemon->server, since_us)) {
        g_main_loop_quit(daemon->loop);
    }
    return G_SOURCE_CONTINUE;
}

void daemon_hold(Daemon *daemon)
{
    g_atomic_int_inc(&daemon->holds);
}

void daemon_release(Daemon *daemon)
{
    g_atomic_int_add(&daemon->holds, -1);
}

void daemon_run(Daemon *daemon)
{
    guint sources[3] = { g_unix_signal_add(SIGTERM, on_signal, daemon),
                         g_unix_signal_add(SIGINT, on_signal, daemon) };

    if (daemon->idle_seconds) {
        sources[2] = g_timeout_add_seconds(MAX(daemon->idle_seconds / 2, 1), on_idle_check, daemon);
    }
    sockets_notify("READY=1");
    g_main_loop_run(daemon->loop);
    sockets_notify("STOPPING=1");
    for (unsigned i = 0; i < G_N_ELEMENTS(sources); i++) {
        g_clear_handle_id(&sources[i], g_source_remove);
    }
}
