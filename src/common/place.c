/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where files are, see place.h.
 */
#include "common/place.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"

typedef struct PlaceRow {
    const char *variable; /* an absolute path, or it doesn't count */
    const char *at_home;  /* below the home, without the variable */
    const char *root;
} PlaceRow;

static const PlaceRow rows[] = {
    [PLACE_RUN] = { "XDG_RUNTIME_DIR", NULL, "/run/insula" },
    [PLACE_CONFIG] = { "XDG_CONFIG_HOME", ".config", "/etc/insula" },
    [PLACE_DATA] = { "XDG_DATA_HOME", ".local/share", "/var/lib/insula" },
    [PLACE_STATE] = { "XDG_STATE_HOME", ".local/state", "/var/log/insula" },
    [PLACE_CACHE] = { "XDG_CACHE_HOME", ".cache", "/var/cache/insula" },
};

/* What stands for XDG_RUNTIME_DIR where it isn't set. */
static char *runtime_folder(void)
{
    char *folder = g_strdup_printf("/run/user/%u", (unsigned)getuid());

    if (g_file_test(folder, G_FILE_TEST_IS_DIR)) {
        return folder;
    }
    g_free(folder);
    return g_strdup_printf("%s/insula-%u", g_get_tmp_dir(), (unsigned)getuid());
}

char *place_folder(PlaceKind kind, bool root)
{
    const char *set = g_getenv(rows[kind].variable);

    if (root) {
        return g_strdup(rows[kind].root);
    }
    if (set && set[0] == '/') {
        return g_build_filename(set, "insula", NULL);
    }
    if (kind == PLACE_RUN) {
        g_autofree char *folder = runtime_folder();
        return g_build_filename(folder, "insula", NULL);
    }
    return g_build_filename(g_get_home_dir(), rows[kind].at_home, "insula", NULL);
}

char *place_socket(bool root, bool read_only)
{
    g_autofree char *folder = place_folder(PLACE_RUN, root);

    return g_build_filename(folder, read_only ? "insulad-ro.sock" : "insulad.sock", NULL);
}

bool place_make(const char *folder, GError **error)
{
    struct stat info;

    if (g_mkdir_with_parents(folder, 0700)) {
        set_error_errno(error, errno, "cannot make folder '%s'", folder);
        return false;
    }
    g_autofree char *above = g_path_get_dirname(folder);
    g_autofree char *temporary = g_strdup_printf("%s/", g_get_tmp_dir());
    const char *what = g_str_has_prefix(folder, temporary) ? above : folder;
    if (lstat(what, &info)) {
        set_error_errno(error, errno, "cannot look at folder '%s'", what);
        return false;
    }
    if (what == above && (info.st_uid != getuid() || !S_ISDIR(info.st_mode) ||
                          (info.st_mode & (S_IWGRP | S_IWOTH)))) {
        set_error(error,
                  "folder '%s' is not this user's alone; set XDG_RUNTIME_DIR to a folder that is",
                  what);
        return false;
    }
    return true;
}
