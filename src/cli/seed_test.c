/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the seed: what mtools, which others wrote, read from it.
 */
#include "cli/seed.h"

#include <glib/gstdio.h>
#include <stdint.h>
#include <string.h>

static char *run(const char *command, const char *image, const char *file)
{
    const char *argv[] = { command, "-i", image, file, NULL };
    char *text = NULL;
    int status = 0;

    g_assert_true(g_spawn_sync(NULL, (char **)(uintptr_t)argv, NULL, G_SPAWN_SEARCH_PATH, NULL,
                               NULL, &text, NULL, &status, NULL));
    g_assert_cmpint(status, ==, 0);
    return text;
}

static void others_read_the_files(void)
{
    g_autofree char *long_text = g_strnfill(100000, 'x');
    const SeedFile files[] = { { "user-data", "#cloud-config\n" },
                               { "a.long.name.of.26.letters.", "1" },
                               { "thirteen-1234", "13" },
                               { "empty", "" },
                               { "big", long_text },
                               { 0 } };
    g_autoptr(GByteArray) image = seed_new(files, NULL);
    g_autofree char *folder = g_dir_make_tmp("insula-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "seed", NULL);
    g_autofree char *tool = g_find_program_in_path("mtype");

    if (!tool) {
        g_test_skip("mtools is not installed");
        g_rmdir(folder);
        return;
    }
    g_assert_nonnull(image);
    g_assert_true(g_file_set_contents(path, (char *)image->data, (gssize)image->len, NULL));
    for (unsigned i = 0; files[i].name; i++) {
        g_autofree char *name = g_strdup_printf("::/%s", files[i].name);
        g_autofree char *text = run("mtype", path, name);
        g_assert_cmpstr(text, ==, files[i].text);
    }
    g_autofree char *listed = run("mdir", path, "::/");
    g_assert_nonnull(strstr(listed, "CIDATA"));
    g_assert_nonnull(strstr(listed, "5 files"));
    g_unlink(path);
    g_rmdir(folder);
}

static void too_much_is_refused(void)
{
    g_autofree char *much = g_strnfill(5 << 20, 'x');
    const SeedFile large[] = { { "x", much }, { 0 } };
    const SeedFile name[] = { { "a-name-of-27-letters-1234567", "" }, { 0 } };
    g_autoptr(GError) error = NULL;

    g_assert_null(seed_new(large, &error));
    g_assert_nonnull(strstr(error->message, "'x' does not fit"));
    g_assert_null(seed_new(name, NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/seed/others read the files", others_read_the_files);
    g_test_add_func("/seed/too much is refused", too_much_is_refused);
    return g_test_run();
}
