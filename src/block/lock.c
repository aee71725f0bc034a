/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locks on disk images, so that two machines never write one disk: the byte ranges that QEMU and
 * qemu-img use, so that they and we keep each other off too.
 *
 * What may be done with a disk are four things; n numbers them.  Who does thing n holds a shared
 * lock on byte 100 + n of the file; who can't bear others doing it holds one on byte 200 + n.
 * Having taken its own, each looks whether another holds the opposite one.
 *
 * A file system without such locks is used without them, as QEMU does.
 *
 * Threads: as blk_open().
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "block/driver.h"
#include "common/bits.h"
#include "common/error.h"

/* The things, as bits of a set. */
enum { READ = 1 << 0, WRITE = 1 << 1, WRITE_SAME = 1 << 2, RESIZE = 1 << 3, THINGS = 4 };
enum { DOES_BASE = 100, FORBIDS_BASE = 200 };
/* How long we wait for a process that is not there any more: what it had under way when it was
 * killed, keeps the file and its locks until the kernel has ended that. */
enum { TRIES = 20, TRY_US = 10000 };

/* Lock a byte for each of @things; 0 or -errno. */
static int take(BlkFile *file, unsigned things, int64_t base)
{
    int result = 0;

    for (unsigned n = 0; n < THINGS && !result; n++) {
        if (things & 1U << n) {
            result = file->host->lock(file->host->opaque, file->fd, base + n);
        }
    }
    return result;
}

/* Whether another has locked a byte of @things: 1, 0 or -errno. */
static int is_taken(BlkFile *file, unsigned things, int64_t base)
{
    int result = 0;

    for (unsigned n = 0; n < THINGS && !result; n++) {
        if (things & 1U << n) {
            result = file->host->is_locked(file->host->opaque, file->fd, base + n);
        }
    }
    return result;
}

/* Whether descriptor @fd of process @pid is a locked one of the file @st. */
static bool holds(const char *pid, const char *fd, const struct stat *st)
{
    g_autofree char *path = g_strdup_printf("/proc/%s/fd/%s", pid, fd);
    g_autofree char *info_path = g_strdup_printf("/proc/%s/fdinfo/%s", pid, fd);
    g_autofree char *info = NULL;
    struct stat other;

    return stat(path, &other) == 0 && other.st_dev == st->st_dev && other.st_ino == st->st_ino &&
           g_file_get_contents(info_path, &info, NULL, NULL) && strstr(info, "OFDLCK");
}

static bool process_holds(const char *pid, const struct stat *st)
{
    g_autofree char *path = g_strdup_printf("/proc/%s/fd", pid);
    g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
    bool found = false;

    for (const char *fd = folder ? g_dir_read_name(folder) : NULL; fd && !found;
         fd = g_dir_read_name(folder)) {
        found = holds(pid, fd, st);
    }
    return found;
}

/* Who has locked the file, in words, newly allocated; NULL: it isn't to be seen.  Our own process
 * would find itself through the descriptor that is asking, and is left out. */
static char *find_holder(const struct stat *st)
{
    g_autoptr(GDir) processes = g_dir_open("/proc", 0, NULL);
    g_autofree char *self = g_file_read_link("/proc/self", NULL);

    for (const char *pid = processes ? g_dir_read_name(processes) : NULL; pid;
         pid = g_dir_read_name(processes)) {
        if (!g_ascii_isdigit(pid[0]) || !g_strcmp0(pid, self) || !process_holds(pid, st)) {
            continue;
        }
        g_autofree char *path = g_strdup_printf("/proc/%s/comm", pid);
        g_autofree char *name = NULL;
        g_file_get_contents(path, &name, NULL, NULL);
        return g_strdup_printf("process %s (%s)", pid, name ? g_strchomp(name) : "gone by now");
    }
    return NULL;
}

static char *name_holder(const struct stat *st)
{
    char *holder = find_holder(st);

    return holder ? holder : g_strdup("this or another user's process");
}

static bool is_unsupported(int result)
{
    return result == -EINVAL || result == -ENOLCK || result == -EOPNOTSUPP || result == -ENOSYS;
}

char *blk_holder(Blk *blk)
{
    BlkFile *file = &blk->file;
    struct stat st;

    if (!file->host->is_locked || is_taken(file, READ | WRITE | RESIZE, DOES_BASE) <= 0 ||
        file->host->stat(file->host->opaque, file->fd, &st)) {
        return NULL;
    }
    return name_holder(&st);
}

/* 0, 1: another holds a lock that ours is against, or -errno. */
static int try(BlkFile *file)
{
    unsigned does = file->read_only ? READ : READ | WRITE | RESIZE;
    unsigned forbids = WRITE | RESIZE;
    int result = take(file, does, DOES_BASE);

    result = result ? result : take(file, forbids, FORBIDS_BASE);
    result = result ? result : is_taken(file, does, FORBIDS_BASE);
    return result ? result : is_taken(file, forbids, DOES_BASE);
}

bool blk_lock(BlkFile *file, BlkLock how, GError **error)
{
    g_autofree char *holder = NULL;
    int result = 1;

    if (how == BLK_LOCK_NONE || !file->host->lock || !file->host->is_locked) {
        return true;
    }
    for (unsigned i = 0; i < TRIES && !holder && result > 0; i++) {
        struct stat st;
        if (i) {
            g_usleep(TRY_US);
        }
        result = try(file);
        if (result > 0) {
            holder = file->host->stat(file->host->opaque, file->fd, &st) == 0
                         ? find_holder(&st)
                         : g_strdup("another process");
        }
    }
    if (result == 0 || is_unsupported(result)) {
        return true;
    }
    if (result < 0) {
        set_error_errno(error, -result, "cannot lock disk '%s'", file->path);
        return false;
    }
    set_error(error, "cannot use disk '%s': %s is using it%s", file->path,
              holder ? holder : "this or another user's process",
              file->read_only ? " and may write to it" : ": end that first");
    return false;
}
