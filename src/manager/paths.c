/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where insulad keeps things, see paths.h.
 */
#include "manager/paths.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"

/* True if @path is a folder of ours that nobody else writes to. */
static bool is_ours(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
           !(st.st_mode & (S_IWGRP | S_IWOTH));
}

/* The folder that lives as long as the user is logged in.  NULL: there's none that is safe. */
static char *user_runtime(GError **error)
{
    const char *given = g_getenv("XDG_RUNTIME_DIR");
    g_autofree char *run = g_strdup_printf("/run/user/%u", (unsigned)geteuid());

    if (given && g_path_is_absolute(given)) {
        return g_strdup(given);
    }
    if (is_ours(run)) {
        return g_steal_pointer(&run);
    }
    g_autofree char *temporary =
        g_strdup_printf("%s/insula-%u", g_get_tmp_dir(), (unsigned)geteuid());
    if ((mkdir(temporary, 0700) == 0 || errno == EEXIST) && is_ours(temporary)) {
        return g_steal_pointer(&temporary);
    }
    set_error(error, "cannot use '%s': it isn't a folder of ours; set XDG_RUNTIME_DIR", temporary);
    return NULL;
}

static void under(DaemonPaths *paths, const char *root)
{
    paths->runtime = g_build_filename(root, "run", NULL);
    paths->config = g_build_filename(root, "config", NULL);
    paths->data = g_build_filename(root, "data", NULL);
    paths->logs = g_build_filename(root, "log", NULL);
}

static void of_system(DaemonPaths *paths)
{
    paths->runtime = g_strdup("/run/insula");
    paths->config = g_strdup("/etc/insula");
    paths->data = g_strdup("/var/lib/insula");
    paths->logs = g_strdup("/var/log/insula");
}

static bool of_user(DaemonPaths *paths, GError **error)
{
    g_autofree char *runtime = user_runtime(error);

    if (!runtime) {
        return false;
    }
    paths->runtime = g_build_filename(runtime, "insula", NULL);
    paths->config = g_build_filename(g_get_user_config_dir(), "insula", NULL);
    paths->data = g_build_filename(g_get_user_data_dir(), "insula", NULL);
    paths->logs = g_build_filename(g_get_user_state_dir(), "insula", "log", NULL);
    return true;
}

/* "x.sock": "x-ro.sock". */
static char *read_only_twin(const char *socket)
{
    const size_t stem = strlen(socket) - (g_str_has_suffix(socket, ".sock") ? 5 : 0);

    return g_strdup_printf("%.*s-ro%s", (int)stem, socket, socket + stem);
}

bool daemon_paths_init(DaemonPaths *paths, const char *root, const char *socket, GError **error)
{
    *paths = (DaemonPaths){ 0 };
    if (root) {
        g_autofree char *absolute = g_canonicalize_filename(root, NULL);
        under(paths, absolute);
    } else if (geteuid() == 0) {
        of_system(paths);
    } else if (!of_user(paths, error)) {
        return false;
    }
    paths->live = g_build_filename(paths->runtime, "vm", NULL);
    paths->socket = socket ? g_canonicalize_filename(socket, NULL)
                           : g_build_filename(paths->runtime, "insulad.sock", NULL);
    paths->socket_read_only = read_only_twin(paths->socket);
    return true;
}

bool daemon_paths_make(const DaemonPaths *paths, GError **error)
{
    const char *const folders[] = { paths->runtime, paths->live, paths->config, paths->data,
                                    paths->logs };

    for (unsigned i = 0; i < G_N_ELEMENTS(folders); i++) {
        /* Others come by root's sockets. */
        const int mode = i == 0 && geteuid() == 0 ? 0755 : 0700;
        if (g_mkdir_with_parents(folders[i], mode) != 0) {
            set_error_errno(error, errno, "cannot make folder '%s'", folders[i]);
            return false;
        }
    }
    return true;
}

void daemon_paths_clear(DaemonPaths *paths)
{
    char **all[] = { &paths->runtime, &paths->socket, &paths->socket_read_only,
                     &paths->live,    &paths->config, &paths->data,
                     &paths->logs };

    for (unsigned i = 0; i < G_N_ELEMENTS(all); i++) {
        g_clear_pointer(all[i], g_free);
    }
}
