/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images that new machines begin with, see image.h.
 *
 * What is fetched comes to a name of its own, is checked, and then gets its real name: so
 * what the cache holds is whole.
 */
#include "cli/image.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/output.h"
#include "common/place.h"
#include "common/suggest.h"

enum { CHUNK = 1 << 20, SHA512_DIGITS = 128 };

void image_clear(Image *image)
{
    g_free(image->name);
    g_free(image->path);
    g_free(image->format);
    g_free(image->user);
}

/* Run @argv, with this program's terminal; what it says goes to standard error. */
static bool run(const char *const *argv, GError **error)
{
    g_autoptr(GError) why = NULL;
    int status = 0;

    if (!g_spawn_sync(NULL, (char **)(uintptr_t)argv, NULL,
                      G_SPAWN_SEARCH_PATH | G_SPAWN_CHILD_INHERITS_STDIN, NULL, NULL, NULL, NULL,
                      &status, &why) ||
        !g_spawn_check_wait_status(status, &why)) {
        set_error(error, "%s failed: %s", argv[0], why->message);
        return false;
    }
    return true;
}

char *image_checksum(const CliArgs *args, const char *path, GError **error)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA512);
    g_autofree uint8_t *bytes = g_malloc(CHUNK);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    Progress progress;
    uint64_t done = 0;
    ssize_t n = -1;

    if (fd < 0 || fstat(fd, &info)) {
        set_error_errno(error, errno, "cannot read '%s'", path);
        return NULL;
    }
    progress_begin(&progress, args, "checking");
    while ((n = read(fd, bytes, CHUNK)) > 0) {
        g_checksum_update(sum, bytes, n);
        done += (uint64_t)n;
        progress_step(&progress, done, (uint64_t)info.st_size);
    }
    progress_end(&progress);
    if (n < 0) {
        set_error_errno(error, errno, "cannot read '%s'", path);
    }
    close(fd);
    return n < 0 ? NULL : g_strdup(g_checksum_get_string(sum));
}

static bool fetch(const CliArgs *args, const char *url, const char *path, GError **error)
{
    const char *argv[] = {
        "curl",           "--fail",   "--location", "--show-error", "--proto", "=file,http,https",
        "--progress-bar", "--output", path,         "--",           url,       NULL
    };

    if (args->quiet || args->json) {
        argv[6] = "--silent";
    }
    return run(argv, error);
}

/* Fetch to @path what the catalogue says, and compare. */
static bool get_fetched(const CliArgs *args, const char *name, GKeyFile *catalogue,
                        const char *path, GError **error)
{
    g_autofree char *url = g_key_file_get_string(catalogue, name, "url", NULL);
    g_autofree char *wanted = g_key_file_get_string(catalogue, name, "sha512", NULL);

    if (!url || !wanted || strlen(wanted) != SHA512_DIGITS) {
        set_error(error, "image '%s' in the catalogue needs url and sha512, of %d digits", name,
                  SHA512_DIGITS);
        return false;
    }
    output_note(args, "fetching %s", url);
    if (!fetch(args, url, path, error)) {
        return false;
    }
    g_autofree char *sum = image_checksum(args, path, error);
    if (sum && g_ascii_strcasecmp(sum, wanted) != 0) {
        set_error(error, "what '%s' gave is not the image '%s': its sha512 is %s", url, name, sum);
    }
    return sum && !g_ascii_strcasecmp(sum, wanted);
}

static GKeyFile *read_catalogue(void)
{
    g_autofree char *folder = place_folder(PLACE_CONFIG, geteuid() == 0);
    g_autofree char *path = g_build_filename(folder, "images.conf", NULL);
    GKeyFile *catalogue = g_key_file_new();

    g_key_file_load_from_file(catalogue, path, G_KEY_FILE_NONE, NULL);
    return catalogue;
}

static bool unknown(GKeyFile *catalogue, const char *word, GError **error)
{
    g_auto(GStrv) groups = g_key_file_get_groups(catalogue, NULL);
    g_autoptr(GPtrArray) known = g_ptr_array_new();

    for (char **group = groups; *group; group++) {
        g_ptr_array_add(known, *group);
    }
    g_ptr_array_add(known, NULL);
    g_autofree char *hint = suggest_text(word, (const char *const *)known->pdata);
    set_error_code(error, INSULA_ERROR_USAGE,
                   "there is no image '%s'%s; what there is: the names in images.conf (see "
                   "insula(1)), and files with a / in their name",
                   word, hint);
    return false;
}

static const char *format_of(const char *path)
{
    return g_str_has_suffix(path, ".raw") || g_str_has_suffix(path, ".img") ? "raw" : "qcow2";
}

/* Into the cache, under @image->path. */
static bool fill(const CliArgs *args, GKeyFile *catalogue, const Image *image, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(image->path);
    g_autofree char *fresh = g_strdup_printf("%s.%d", image->path, (int)getpid());

    if (!place_make(folder, error)) {
        return false;
    }
    bool good = get_fetched(args, image->name, catalogue, fresh, error);
    if (good && g_rename(fresh, image->path)) {
        set_error_errno(error, errno, "cannot keep '%s'", image->path);
        good = false;
    }
    if (!good) {
        g_unlink(fresh);
    }
    return good;
}

bool image_get(const CliArgs *args, const char *word, Image *ret, GError **error)
{
    g_autoptr(GKeyFile) catalogue = read_catalogue();
    g_autofree char *cache = place_folder(PLACE_CACHE, geteuid() == 0);

    *ret = (Image){ 0 };
    if (strchr(word, '/')) {
        ret->path = g_canonicalize_filename(word, NULL);
        g_autofree char *base = g_path_get_basename(word);
        ret->name = g_strndup(base, strcspn(base, "."));
        ret->format = g_strdup(args->format ? args->format : format_of(word));
        ret->user = g_strdup("debian");
        return true;
    }
    if (!g_key_file_has_group(catalogue, word)) {
        return unknown(catalogue, word, error);
    }
    g_autofree char *user = g_key_file_get_string(catalogue, word, "user", NULL);
    g_autofree char *format = g_key_file_get_string(catalogue, word, "format", NULL);
    g_autofree char *file = g_strdup_printf("%s.image", word);
    ret->name = g_strdup(word);
    ret->user = g_strdup(user ? user : "debian");
    ret->format = g_strdup(format ? format : "qcow2");
    ret->path = g_build_filename(cache, "images", file, NULL);
    if (!args->fresh && g_file_test(ret->path, G_FILE_TEST_IS_REGULAR)) {
        return true;
    }
    return fill(args, catalogue, ret, error);
}
