/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of passed descriptors: which one a name opens, and what is left when they are removed.
 */
#include "vm/fdset.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

static int open_null(int flags)
{
    return open("/dev/null", flags | O_CLOEXEC);
}

static int open_by(FdSets *sets, const char *path, int flags)
{
    const BlkHost *host = fd_sets_host(sets);

    return host->open(host->opaque, path, flags);
}

static int mode_of(int fd)
{
    int mode = fcntl(fd, F_GETFL) & O_ACCMODE;

    close(fd);
    return mode;
}

static void test_modes(void)
{
    g_autoptr(FdSets) sets = fd_sets_new();
    int64_t id = -1;

    g_assert_true(fd_sets_add(sets, 4, open_null(O_RDONLY), NULL, &id, NULL));
    g_assert_cmpint(id, ==, 4);
    g_assert_cmpint(open_by(sets, "/dev/fdset/4", O_RDWR), ==, -EACCES);
    g_assert_cmpint(mode_of(open_by(sets, "/dev/fdset/4", O_RDONLY)), ==, O_RDONLY);
    g_assert_true(fd_sets_add(sets, 4, open_null(O_RDWR), "second", &id, NULL));
    g_assert_cmpint(mode_of(open_by(sets, "/dev/fdset/4", O_RDWR)), ==, O_RDWR);
    g_assert_cmpint(mode_of(open_by(sets, "/dev/fdset/4", O_RDONLY)), ==, O_RDONLY);
    g_assert_cmpint(mode_of(open_by(sets, "/dev/null", O_RDONLY)), ==, O_RDONLY);
    static const char *const bad[] = { "/dev/fdset/5",   "/dev/fdset/",
                                       "/dev/fdset/x",   "/dev/fdset/-1",
                                       "/dev/fdset/4/4", "/dev/fdset/99999999999999999999" };
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_cmpint(open_by(sets, bad[i], O_RDONLY), <, 0);
    }
}

static void test_remove(void)
{
    g_autoptr(FdSets) sets = fd_sets_new();
    int64_t first = -1, second = -1;
    int fd = open_null(O_RDONLY);

    g_assert_true(fd_sets_add(sets, -1, fd, NULL, &first, NULL));
    g_assert_true(fd_sets_add(sets, -1, open_null(O_RDONLY), NULL, &second, NULL));
    g_assert_cmpint(first, !=, second);
    int opened = open_by(sets, "/dev/fdset/0", O_RDONLY);
    g_assert_false(fd_sets_remove(sets, first, fd + 1000, NULL));
    g_assert_true(fd_sets_remove(sets, first, fd, NULL));
    g_assert_cmpint(fcntl(fd, F_GETFD), ==, -1);
    g_assert_cmpint(open_by(sets, "/dev/fdset/0", O_RDONLY), <, 0);
    g_assert_cmpint(mode_of(opened), ==, O_RDONLY); /* what was opened stays */
    g_assert_true(fd_sets_remove(sets, second, -1, NULL));
    g_assert_false(fd_sets_remove(sets, second, -1, NULL));
}

static void test_limit(void)
{
    g_autoptr(FdSets) sets = fd_sets_new();
    int64_t id = -1;
    unsigned n = 0;

    while (fd_sets_add(sets, 1, open_null(O_RDONLY), NULL, &id, NULL)) {
        g_assert_cmpuint(++n, <=, 256);
    }
    g_assert_cmpuint(n, ==, 256);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fdset/modes", test_modes);
    g_test_add_func("/fdset/remove", test_remove);
    g_test_add_func("/fdset/limit", test_limit);
    return g_test_run();
}
