/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of definitions in files.
 */
#include "manager/store.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Place {
    char *folder, *path;
} Place;

static void make_place(Place *place, gconstpointer data)
{
    place->folder = g_dir_make_tmp("store-XXXXXX", NULL);
    place->path = g_build_filename(place->folder, "one.xml", NULL);
}

static void remove_place(Place *place, gconstpointer data)
{
    g_autoptr(GDir) dir = g_dir_open(place->folder, 0, NULL);

    for (const char *name = g_dir_read_name(dir); name; name = g_dir_read_name(dir)) {
        g_autofree char *path = g_build_filename(place->folder, name, NULL);
        g_remove(path);
    }
    g_rmdir(place->folder);
    g_free(place->folder);
    g_free(place->path);
}

static unsigned names_in(const Place *place)
{
    g_autoptr(GDir) dir = g_dir_open(place->folder, 0, NULL);
    unsigned n = 0;

    while (g_dir_read_name(dir)) {
        n++;
    }
    return n;
}

static void test_replaces(Place *place, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    struct stat st;

    g_assert_true(store_write(place->path, "first and longer", &error));
    g_assert_true(store_write(place->path, "second", &error));
    g_assert_no_error(error);
    g_autofree char *text = store_read(place->path, &error);
    g_assert_cmpstr(text, ==, "second");
    g_assert_cmpuint(names_in(place), ==, 1);
    g_assert_cmpint(stat(place->path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 0777, ==, 0600);
}

static void test_failure_keeps_old(Place *place, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    /* a folder stands where the file should: rename fails after all was written */
    g_assert_cmpint(g_mkdir(place->path, 0700), ==, 0);
    g_assert_false(store_write(place->path, "text", &error));
    g_assert_nonnull(strstr(error->message, place->path));
    g_assert_cmpuint(names_in(place), ==, 1);
    g_assert_cmpint(g_rmdir(place->path), ==, 0);
}

static void test_reads_all(Place *place, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    static const char *const names[] = { "two.xml",  "one.xml", ".three.xml.AbCdEf", ".hidden.xml",
                                         "four.txt", ".xml",    ".other.txt.AbCdEf" };

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(place->folder, names[i], NULL);
        g_assert_true(g_file_set_contents(path, names[i], -1, NULL));
    }
    g_autofree char *link = g_build_filename(place->folder, "link.xml", NULL);
    g_assert_cmpint(symlink("/etc/passwd", link), ==, 0);
    g_autoptr(GPtrArray) files = store_read_all(place->folder, ".xml", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(files->len, ==, 3);
    const StoreFile *file = files->pdata[0];
    g_assert_cmpstr(file->name, ==, "link"); /* nobody's link is followed */
    g_assert_null(file->text);
    g_assert_nonnull(file->why);
    file = files->pdata[1];
    g_assert_cmpstr(file->name, ==, "one");
    g_assert_cmpstr(file->text, ==, "one.xml");
    g_autofree char *left = g_build_filename(place->folder, names[2], NULL);
    g_assert_false(g_file_test(left, G_FILE_TEST_EXISTS));
    g_autofree char *foreign = g_build_filename(place->folder, names[6], NULL);
    g_assert_true(g_file_test(foreign, G_FILE_TEST_EXISTS));
}

static void test_what_is_no_text(Place *place, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    int fd = open(place->path, O_RDWR | O_CREAT, 0600);

    g_assert_cmpint(ftruncate(fd, STORE_FILE_MAX + 1), ==, 0);
    g_assert_null(store_read(place->path, &error));
    g_assert_nonnull(error);
    g_clear_error(&error);
    g_assert_cmpint(ftruncate(fd, 8), ==, 0);
    g_assert_null(store_read(place->path, &error)); /* zeros */
    g_assert_nonnull(error);
    close(fd);
}

static void test_removes(Place *place, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(store_remove(place->path, &error));
    g_assert_true(store_write(place->path, "", &error));
    g_assert_true(store_remove(place->path, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(names_in(place), ==, 0);
    g_autoptr(GPtrArray) files = store_read_all("/nonexistent/folder", ".xml", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(files->len, ==, 0);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(Place *place, gconstpointer data);
    } cases[] = {
        { "/store/a-write-replaces-whole", test_replaces },
        { "/store/a-failed-write-leaves-nothing", test_failure_keeps_old },
        { "/store/a-folder-is-read-and-cleaned", test_reads_all },
        { "/store/what-is-no-text-is-refused", test_what_is_no_text },
        { "/store/removing-twice-is-removing", test_removes },
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_add(cases[i].name, Place, NULL, make_place, cases[i].run, remove_place);
    }
    return g_test_run();
}
