/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files loaded at boot, see file.h.
 */
#include "machine/boot/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"

/* What is wrong with a file of this kind, or NULL. */
static const char *complaint(const struct stat *st)
{
    if (S_ISDIR(st->st_mode)) {
        return "it is a directory, not a file";
    }
    if (!S_ISREG(st->st_mode)) {
        return "it is not a regular file";
    }
    return st->st_size == 0 ? "it is empty" : NULL;
}

BootFile *boot_file_open(const char *kind, const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not make us wait */
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        set_error_errno(error, errno, "cannot open %s '%s'", kind, path);
        if (fd >= 0) {
            close(fd);
        }
        return NULL;
    }
    const char *wrong = complaint(&st);
    if (wrong) {
        set_error(error, "cannot load %s '%s': %s", kind, path, wrong);
        close(fd);
        return NULL;
    }
    BootFile *file = g_new0(BootFile, 1);
    file->kind = kind;
    file->path = g_strdup(path);
    file->fd = fd;
    file->size = (uint64_t)st.st_size;
    return file;
}

void boot_file_free(BootFile *file)
{
    if (file) {
        close(file->fd);
        g_free(file->path);
        g_free(file);
    }
}

bool boot_file_read(const BootFile *file, uint64_t offset, void *buf, size_t len, GError **error)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(file->fd, (char *)buf + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            set_error_errno(error, errno, "cannot read %s '%s'", file->kind, file->path);
            return false;
        }
        if (n == 0) {
            set_error(error, "cannot load %s '%s': it is truncated", file->kind, file->path);
            return false;
        }
        done += (size_t)n;
    }
    return true;
}
