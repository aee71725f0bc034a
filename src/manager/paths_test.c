/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of where insulad keeps things.
 */
#include "manager/paths.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

/* The headers of all others compile together. */
#include "manager/dispatch.h"
#include "manager/event.h"

static void test_root(void)
{
    DaemonPaths paths;

    g_assert_true(daemon_paths_init(&paths, "/x", NULL, NULL));
    g_assert_cmpstr(paths.socket, ==, "/x/run/insulad.sock");
    g_assert_cmpstr(paths.socket_read_only, ==, "/x/run/insulad-ro.sock");
    g_assert_cmpstr(paths.live, ==, "/x/run/vm");
    g_assert_cmpstr(paths.config, ==, "/x/config");
    daemon_paths_clear(&paths);
}

static void test_socket(void)
{
    static const struct {
        const char *given, *socket, *read_only;
    } cases[] = {
        { "/a/b.sock", "/a/b.sock", "/a/b-ro.sock" },
        { "/a/b", "/a/b", "/a/b-ro" },
        { "/a/.sock", "/a/.sock", "/a/-ro.sock" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        DaemonPaths paths;
        g_assert_true(daemon_paths_init(&paths, "/x", cases[i].given, NULL));
        g_assert_cmpstr(paths.socket, ==, cases[i].socket);
        g_assert_cmpstr(paths.socket_read_only, ==, cases[i].read_only);
        daemon_paths_clear(&paths);
    }
}

static void test_make(void)
{
    g_autofree char *root = g_dir_make_tmp("insula-XXXXXX", NULL);
    g_autoptr(GError) error = NULL;
    DaemonPaths paths;
    struct stat st;

    g_assert_true(daemon_paths_init(&paths, root, NULL, NULL));
    for (unsigned again = 0; again < 2; again++) {
        g_assert_true(daemon_paths_make(&paths, &error));
        g_assert_no_error(error);
    }
    g_assert_cmpint(stat(paths.live, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 0777, ==, 0700);
    g_rmdir(paths.logs);
    g_assert_true(g_file_set_contents(paths.logs, "", 0, NULL));
    g_assert_false(daemon_paths_make(&paths, &error));
    g_assert_nonnull(strstr(error->message, paths.logs));
    g_remove(paths.logs);
    g_rmdir(paths.live);
    g_rmdir(paths.runtime);
    g_rmdir(paths.config);
    g_rmdir(paths.data);
    g_assert_cmpint(g_rmdir(root), ==, 0);
    daemon_paths_clear(&paths);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/paths/root", test_root);
    g_test_add_func("/paths/socket", test_socket);
    g_test_add_func("/paths/make", test_make);
    return g_test_run();
}
