/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Definitions in files, see store.h.
 */
#include "manager/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "manager/report.h"

bool store_folder(const char *folder, GError **error)
{
    if (g_mkdir_with_parents(folder, 0700)) {
        set_error_errno(error, errno, "cannot make folder '%s'", folder);
        return false;
    }
    return true;
}

void store_folder_later(const char *folder)
{
    g_autoptr(GError) error = NULL;

    if (!store_folder(folder, &error)) {
        report("%s", error->message);
    }
}

/* Bring the folder that holds @path to the disk: its names, not their files. */
static bool sync_folder_of(const char *path, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd)) {
        set_error_errno(error, errno, "cannot bring folder '%s' to the disk", folder);
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    close(fd);
    return true;
}

static bool write_all(int fd, const char *text)
{
    for (size_t len = strlen(text); len;) {
        ssize_t n = write(fd, text, len);

        if (n < 0 && errno != EINTR) {
            return false;
        }
        if (n > 0) {
            text += n;
            len -= (size_t)n;
        }
    }
    return true;
}

/* A new file with a name beside @path, in a folder that is made if need be. */
static int open_beside(const char *path, char *beside)
{
    int fd = mkostemp(beside, O_CLOEXEC);

    if (fd < 0 && errno == ENOENT) {
        g_autofree char *folder = g_path_get_dirname(path);
        size_t end = strlen(beside) - 6;
        memcpy(beside + end, "XXXXXX", 6);
        fd = g_mkdir_with_parents(folder, 0700) ? -1 : mkostemp(beside, O_CLOEXEC);
    }
    return fd;
}

/* A name beside @path that nobody else uses: ".NAME.XXXXXX". */
static char *name_beside(const char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);

    return g_strdup_printf("%s/.%s.XXXXXX", folder, name);
}

bool store_write(const char *path, const char *text, GError **error)
{
    g_autofree char *beside = name_beside(path);
    int fd = open_beside(path, beside);

    if (fd < 0) {
        set_error_errno(error, errno, "cannot write '%s'", path);
        return false;
    }
    bool good = write_all(fd, text) && !fsync(fd);
    int err = errno;
    close(fd);
    if (good && rename(beside, path)) {
        err = errno;
        good = false;
    }
    if (!good) {
        unlink(beside);
        set_error_errno(error, err, "cannot write '%s'", path);
        return false;
    }
    return sync_folder_of(path, error);
}

bool store_remove(const char *path, GError **error)
{
    if (unlink(path)) {
        if (errno == ENOENT) {
            return true;
        }
        set_error_errno(error, errno, "cannot remove '%s'", path);
        return false;
    }
    return sync_folder_of(path, error);
}

bool store_rename(const char *from, const char *to, GError **error)
{
    if (rename(from, to)) {
        set_error_errno(error, errno, "cannot rename '%s' to '%s'", from, to);
        return false;
    }
    return sync_folder_of(to, error);
}

/* Read @fd, which was opened as @path, to its end. */
static char *read_text(int fd, const char *path, GError **error)
{
    struct stat st;

    if (fstat(fd, &st)) {
        set_error_errno(error, errno, "cannot read '%s'", path);
        return NULL;
    }
    if (!S_ISREG(st.st_mode) || st.st_size > STORE_FILE_MAX) {
        set_error(error, "cannot read '%s': it is no file of at most %d bytes", path,
                  STORE_FILE_MAX);
        return NULL;
    }
    g_autofree char *text = g_malloc((size_t)st.st_size + 1);
    size_t done = 0;
    while (done < (size_t)st.st_size) {
        ssize_t n = read(fd, text + done, (size_t)st.st_size - done);

        if (n == 0) {
            break;
        }
        if (n < 0 && errno != EINTR) {
            set_error_errno(error, errno, "cannot read '%s'", path);
            return NULL;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    text[done] = 0;
    if (memchr(text, 0, done)) {
        set_error(error, "cannot read '%s': it isn't text", path);
        return NULL;
    }
    return g_steal_pointer(&text);
}

char *store_read(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        set_error_errno(error, errno, "cannot read '%s'", path);
        return NULL;
    }
    char *text = read_text(fd, path, error);
    close(fd);
    return text;
}

static void file_free(gpointer data)
{
    StoreFile *file = data;

    g_free(file->name);
    g_free(file->text);
    g_free(file->why);
    g_free(file);
}

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp((*(const StoreFile *const *)a)->name, (*(const StoreFile *const *)b)->name);
}

static StoreFile *read_file(const char *path, const char *name, const char *suffix)
{
    g_autoptr(GError) error = NULL;
    StoreFile *file = g_new0(StoreFile, 1);

    file->name = g_strndup(name, strlen(name) - strlen(suffix));
    file->text = store_read(path, &error);
    file->why = error ? g_strdup(error->message) : NULL;
    return file;
}

/* Whether store_write() was at it when the process died. */
static bool is_left_over(const char *name, const char *suffix)
{
    const char *end = name[0] == '.' ? strrchr(name + 1, '.') : NULL;

    return end && strlen(end) == strlen(".XXXXXX") && (size_t)(end - name) > strlen(suffix) + 1 &&
           !strncmp(end - strlen(suffix), suffix, strlen(suffix));
}

GPtrArray *store_read_all(const char *folder, const char *suffix, GError **error)
{
    g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(file_free);
    g_autoptr(GError) why = NULL;
    g_autoptr(GDir) dir = g_dir_open(folder, 0, &why);

    if (!dir) {
        if (!g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
            set_error(error, "cannot read folder '%s': %s", folder, why->message);
            return NULL;
        }
        return g_steal_pointer(&files);
    }
    for (const char *name = g_dir_read_name(dir); name; name = g_dir_read_name(dir)) {
        g_autofree char *path = g_build_filename(folder, name, NULL);

        if (is_left_over(name, suffix)) {
            unlink(path);
        } else if (name[0] != '.' && g_str_has_suffix(name, suffix) &&
                   strlen(name) > strlen(suffix)) {
            g_ptr_array_add(files, read_file(path, name, suffix));
        }
    }
    g_ptr_array_sort(files, by_name);
    return g_steal_pointer(&files);
}
