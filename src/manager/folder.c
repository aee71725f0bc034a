/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A folder with files that anybody may have put there, see folder.h (openat2(2), open(2)).
 */
#include "manager/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/error.h"
#include "common/text.h"
#include "manager/storage_limits.h"

/* Where a file's format is noted down: an extended attribute, which a guest can't write. */
#define NOTE "user.insula.format"
enum { NOTE_MAX = 32 };
/* Of a new one that no rights were said for; as libvirt has it. */
enum { FOLDER_MODE = 0711 };

static int open_how(int folder, const char *path, uint64_t flags, uint64_t resolve)
{
    struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = resolve };

    return (int)syscall(SYS_openat2, folder, path, &how, sizeof(how));
}

int folder_open(const char *path, GError **error)
{
    uint64_t resolve = RESOLVE_NO_MAGICLINKS | (geteuid() == 0 ? RESOLVE_NO_SYMLINKS : 0);
    int fd = open_how(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, resolve);

    if (fd < 0 && errno == ELOOP) {
        g_autofree char *visible = text_visible(path);
        set_error(error,
                  "cannot use folder '%s': a symbolic link leads to it; name the folder itself",
                  visible);
    } else if (fd < 0) {
        int err = errno;
        g_autofree char *visible = text_visible(path);
        set_error_errno(error, err, "cannot open folder '%s'", visible);
    }
    return fd;
}

/* The folder @name in @parent, which is closed; made if it isn't there.  -1: errno. */
static int step_into(int parent, const char *name, bool *ret_made)
{
    uint64_t resolve = RESOLVE_NO_MAGICLINKS | (geteuid() == 0 ? RESOLVE_NO_SYMLINKS : 0);

    *ret_made = mkdirat(parent, name, 0755) == 0;
    int fd =
        *ret_made || errno == EEXIST ? open_how(parent, name, O_RDONLY | O_DIRECTORY, resolve) : -1;
    int err = errno;
    close(parent);
    errno = err;
    return fd;
}

bool folder_make(const char *path, const FileRights *rights, GError **error)
{
    g_auto(GStrv) names = g_strsplit(path, "/", 0);
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool made = false;

    for (unsigned i = 0; names[i] && fd >= 0; i++) {
        if (*names[i]) {
            fd = step_into(fd, names[i], &made);
        }
    }
    uid_t owner = rights->has_owner ? rights->owner : (uid_t)-1;
    gid_t group = rights->has_group ? rights->group : (gid_t)-1;
    bool done = fd >= 0 &&
                (!(rights->has_owner || rights->has_group) || fchown(fd, owner, group) == 0) &&
                ((!rights->has_mode && !made) ||
                 fchmod(fd, rights->has_mode ? rights->mode : FOLDER_MODE) == 0);
    if (!done) {
        set_error_errno(error, errno, "cannot make folder '%s'", path);
    }
    if (fd >= 0) {
        close(fd);
    }
    return done;
}

bool folder_remove(const char *path, GError **error)
{
    g_autofree char *above = g_path_get_dirname(path), *name = g_path_get_basename(path);
    int fd = folder_open(above, error);

    if (fd < 0) {
        return false;
    }
    bool done = unlinkat(fd, name, AT_REMOVEDIR) == 0;
    if (!done) {
        set_error_errno(error, errno, "failed to remove pool '%s'", path);
    }
    close(fd);
    return done;
}

bool folder_name_good(const char *name)
{
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strlen(name) > NAME_MAX ||
        strchr(name, '/') || !g_utf8_validate(name, -1, NULL)) {
        return false;
    }
    for (const char *c = name; *c; c = g_utf8_next_char(c)) {
        if (g_unichar_iscntrl(g_utf8_get_char(c))) {
            return false;
        }
    }
    return true;
}

bool folder_look(int folder, const char *name, struct stat *ret_st)
{
    struct stat st;

    if (!folder_name_good(name) || fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        return false;
    }
    *ret_st = st;
    return true;
}

/* A handle of regular file @name that reads and writes nothing; -1: errno. */
static int open_handle(int folder, const char *name)
{
    struct stat st;
    int fd;

    if (!folder_name_good(name)) {
        errno = EINVAL;
        return -1;
    }
    fd = open_how(folder, name, O_PATH | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
        close(fd);
        errno = EMEDIUMTYPE;
        return -1;
    }
    return fd;
}

int folder_open_file(int folder, const char *name, int flags, GError **error)
{
    int handle = open_handle(folder, name);
    int fd = -1;

    if (handle >= 0) {
        char path[sizeof("/proc/self/fd/") + 10];
        g_snprintf(path, sizeof(path), "/proc/self/fd/%d", handle);
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
        int err = errno;
        close(handle);
        errno = err;
    }
    if (fd < 0) {
        int err = errno;
        g_autofree char *visible = text_visible(name);
        if (err == EMEDIUMTYPE || err == ELOOP) {
            set_error(error, "cannot open '%s': it is not a regular file", visible);
        } else {
            set_error_errno(error, err, "cannot open '%s'", visible);
        }
    }
    return fd;
}

int folder_make_file(int folder, const char *name, mode_t mode)
{
    if (!folder_name_good(name)) {
        errno = EINVAL;
        return -1;
    }
    return openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
}

bool folder_list(int folder, FolderSeen seen, void *opaque, GError **error)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    unsigned n = 0;

    if (!dir) {
        int err = errno;
        if (fd >= 0) {
            close(fd);
        }
        set_error_errno(error, err, "cannot list the folder");
        return false;
    }
    errno = 0;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        struct stat st;
        if (n < FOLDER_ENTRIES_MAX && folder_look(fd, entry->d_name, &st)) {
            seen(opaque, entry->d_name, &st);
            n++;
        }
        errno = 0;
    }
    int err = errno;
    closedir(dir);
    if (err) {
        set_error_errno(error, err, "cannot list the folder");
    }
    return !err;
}

char *folder_note_read(int folder, const char *name)
{
    int handle = open_handle(folder, name);
    char path[sizeof("/proc/self/fd/") + 10];
    char text[NOTE_MAX + 1];

    if (handle < 0) {
        return NULL;
    }
    g_snprintf(path, sizeof(path), "/proc/self/fd/%d", handle);
    ssize_t got = getxattr(path, NOTE, text, NOTE_MAX);
    close(handle);
    if (got <= 0) {
        return NULL;
    }
    text[got] = 0;
    return g_strdup(text);
}

bool folder_note_write(int fd, const char *format)
{
    return fsetxattr(fd, NOTE, format, strlen(format), 0) == 0;
}
