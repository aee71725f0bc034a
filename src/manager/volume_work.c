/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Volumes are made, copied, resized, wiped and deleted; see volume.h.
 *
 * A new file is made by us, in the folder that is open, and only then filled: so what is removed
 * when that fails is ours.  insula-disk does what depends on the format.
 *
 * Machines lock the bytes 100 to 103 and 200 to 203 of their disks (block/lock.c): whoever changes
 * a volume looks whether anybody has one of them, and takes those that keep machines off.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/error.h"
#include "manager/folder.h"
#include "manager/storage_limits.h"
#include "manager/volume_use.h"

/* Of block/lock.c: who does a thing with a disk, and who bears nobody doing it. */
enum { LOCK_WRITES = 101, LOCK_FORBIDS = 200, LOCK_FORBIDS_N = 4, LOCK_FIRST = 100, LOCK_N = 104 };
enum { NEW_MODE = 0600, NUMBER_SIZE = 24 };

/* --- locks --- */

static bool lock_bytes(int fd, int command, short type, struct flock *range)
{
    range->l_type = type;
    range->l_whence = SEEK_SET;
    range->l_pid = 0;
    return fcntl(fd, command, range) == 0;
}

/* Whether a machine, or another program that knows these locks, has the file. */
static bool is_taken(int fd)
{
    struct flock range = { .l_start = LOCK_FIRST, .l_len = LOCK_N };

    return lock_bytes(fd, F_OFD_GETLK, F_WRLCK, &range) && range.l_type != F_UNLCK;
}

static bool must_be_free(const VolumeUse *use, GError **error)
{
    bool taken = is_taken(use->fd);

    if (taken) {
        remote_error_set(error, REMOTE_ERR_RESOURCE_BUSY,
                         "resource busy: volume '%s' is in use by a machine or another program",
                         use->name);
    }
    return !taken;
}

/* Nobody opens it as a disk from now on until it is closed.  A file system without such locks has
 * none to keep. */
static void keep_off(int fd)
{
    struct flock writes = { .l_start = LOCK_WRITES, .l_len = 1 };
    struct flock forbids = { .l_start = LOCK_FORBIDS, .l_len = LOCK_FORBIDS_N };

    lock_bytes(fd, F_OFD_SETLK, F_RDLCK, &writes);
    lock_bytes(fd, F_OFD_SETLK, F_RDLCK, &forbids);
}

/* --- opening --- */

static bool must_be_file(const VolumeUse *use, GError **error)
{
    if (use->kind != VOLUME_FILE) {
        remote_error_set(error, REMOTE_ERR_OPERATION_UNSUPPORTED,
                         "Operation not supported: volume '%s' is not a regular file", use->name);
    }
    return use->kind == VOLUME_FILE;
}

/* Open the file that the use is of, and no other that has its name now. */
static bool open_use(VolumeUse *use, int flags, GError **error)
{
    struct stat st;

    if (!must_be_file(use, error)) {
        return false;
    }
    use->fd = folder_open_file(use->folder, use->name, flags, error);
    if (use->fd < 0) {
        return false;
    }
    if (fstat(use->fd, &st) < 0 || st.st_ino != use->inode || st.st_dev != use->device) {
        remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                         "operation failed: volume '%s' was replaced by another file", use->name);
        return false;
    }
    return true;
}

VolumeUse *volume_open(Pool *pool, const char *name, bool writes, GError **error)
{
    g_autoptr(VolumeUse) use = g_new0(VolumeUse, 1);

    if (!volume_use_begin(use, pool, name, writes, error) ||
        !open_use(use, writes ? O_RDWR : O_RDONLY, error) ||
        (writes && !must_be_free(use, error))) {
        return NULL;
    }
    if (writes) {
        keep_off(use->fd);
    }
    return g_steal_pointer(&use);
}

int volume_use_fd(const VolumeUse *use)
{
    return use->fd;
}

void volume_close(VolumeUse *use)
{
    if (use) {
        volume_use_end(use);
        g_free(use);
    }
}

/* --- making --- */

static bool set_rights(int fd, const FileRights *rights, GError **error)
{
    uid_t owner = rights->has_owner ? rights->owner : (uid_t)-1;
    gid_t group = rights->has_group ? rights->group : (gid_t)-1;
    struct stat st;

    if (fstat(fd, &st) == 0 && (!rights->has_owner || st.st_uid == owner)) {
        owner = (uid_t)-1;
    }
    if (fstat(fd, &st) == 0 && (!rights->has_group || st.st_gid == group)) {
        group = (gid_t)-1;
    }
    bool owned = (owner == (uid_t)-1 && group == (gid_t)-1) || fchown(fd, owner, group) == 0;
    if (!owned || fchmod(fd, rights->has_mode ? rights->mode : NEW_MODE) < 0) {
        set_error_errno(error, errno, "cannot set who may use the volume");
        return false;
    }
    return true;
}

/* What can't fit is refused before it takes all the room there is, which machines need. */
static bool must_fit(const VolumeUse *use, uint64_t bytes, GError **error)
{
    struct statvfs st;
    bool fits =
        fstatvfs(use->folder, &st) < 0 || bytes <= (uint64_t)st.f_bavail * (uint64_t)st.f_frsize;

    if (!fits) {
        set_error_errno(error, ENOSPC, "cannot allocate %" G_GUINT64_FORMAT " bytes in file '%s'",
                        bytes, use->path);
    }
    return fits;
}

/* Give the first @bytes room; in pieces, between which the work may be ended. */
static bool allocate(const VolumeUse *use, uint64_t bytes, const WorkEnd *end, GError **error)
{
    const uint64_t piece = UINT64_C(256) << 20;

    if (!must_fit(use, bytes, error)) {
        return false;
    }
    for (uint64_t done = 0; done < bytes; done += piece) {
        int err = posix_fallocate(use->fd, (off_t)done, (off_t)MIN(piece, bytes - done));
        if (err) {
            set_error_errno(error, err, "cannot allocate %" G_GUINT64_FORMAT " bytes in file '%s'",
                            bytes, use->path);
            return false;
        }
        if (work_ends(end)) {
            set_error(error, "the client has gone, and so the work was ended");
            return false;
        }
    }
    return true;
}

static bool fill_raw(const VolumeUse *use, const VolumeConfig *config, const WorkEnd *end,
                     GError **error)
{
    if (ftruncate(use->fd, (off_t)config->capacity) < 0) {
        set_error_errno(error, errno, "cannot make file '%s' %" G_GUINT64_FORMAT " bytes long",
                        use->path, config->capacity);
        return false;
    }
    return allocate(use, MIN(config->allocation, config->capacity), end, error);
}

/* The words of a command line that is put together. */
typedef struct Words {
    const char *words[DISK_WORDS_MAX];
    unsigned n;
    char numbers[2][NUMBER_SIZE];
    char *file;
} Words;

static void word(Words *words, const char *text)
{
    g_assert(words->n + 1 < DISK_WORDS_MAX);
    words->words[words->n++] = text;
}

static void option(Words *words, const char *name, const char *value)
{
    if (value) {
        word(words, name);
        word(words, value);
    }
}

static const char *number(Words *words, unsigned which, uint64_t value)
{
    g_snprintf(words->numbers[which], NUMBER_SIZE, "%" G_GUINT64_FORMAT, value);
    return words->numbers[which];
}

/* What create and convert have in common. */
static void words_of_new(Words *words, const VolumeConfig *config)
{
    word(words, "--replace");
    word(words, "--quiet");
    option(words, "--backing", config->backing_path);
    option(words, "--backing-format", config->backing_path ? config->backing_format : NULL);
    if (config->compat) {
        option(words, "--compat", strcmp(config->compat, "0.10") ? "v3" : "v2");
    }
    if (config->cluster_size) {
        option(words, "--cluster-size", number(words, 0, config->cluster_size));
    }
    if (config->lazy_refcounts) {
        word(words, "--lazy-refcounts");
    }
    if (config->extended_l2) {
        word(words, "--subclusters");
    }
}

static bool fill_qcow2(const VolumeUse *use, const VolumeConfig *config, uint32_t flags,
                       const WorkEnd *end, GError **error)
{
    g_autofree char *file = g_strdup_printf("./%s", use->name);
    DiskTool tool = volume_use_tool(use, end);
    Words words = { 0 };

    word(&words, "create");
    option(&words, "--format", use->format);
    words_of_new(&words, config);
    bool whole = flags & VOLUME_CREATE_METADATA && config->allocation >= config->capacity;
    if (whole && !must_fit(use, config->capacity, error)) {
        return false;
    }
    if (flags & VOLUME_CREATE_METADATA) {
        option(&words, "--preallocation", whole ? "falloc" : "metadata");
    }
    word(&words, file);
    if (config->has_capacity) {
        word(&words, number(&words, 1, config->capacity));
    }
    return disk_tool_run(&tool, words.words, NULL, error);
}

static bool resize(const VolumeUse *use, uint64_t capacity, uint32_t flags, GError **error)
{
    g_autofree char *file = g_strdup_printf("./%s", use->name);
    DiskTool tool = volume_use_tool(use, NULL);
    Words words = { 0 };

    word(&words, "resize");
    word(&words, "--quiet");
    option(&words, "--format", use->format);
    if (flags & VOLUME_RESIZE_SHRINK) {
        word(&words, "--shrink");
    }
    if (flags & VOLUME_RESIZE_ALLOCATE) {
        option(&words, "--preallocation", "falloc");
    }
    word(&words, file);
    word(&words, number(&words, 0, capacity));
    return disk_tool_run(&tool, words.words, NULL, error);
}

/* Where the content of a new volume comes from. */
typedef struct Filling {
    const VolumeConfig *config;
    const VolumeUse *source; /* NULL: it is empty */
    uint64_t source_size;
    uint32_t flags;
    const WorkEnd *end;
} Filling;

static bool copy(const VolumeUse *use, const Filling *filling, GError **error)
{
    g_autofree char *file = g_strdup_printf("./%s", use->name);
    DiskTool tool = volume_use_tool(use, filling->end);
    Words words = { 0 };

    word(&words, "convert");
    option(&words, "--format", filling->source->format);
    option(&words, "--to", use->format);
    words_of_new(&words, filling->config);
    word(&words, filling->source->path);
    word(&words, file);
    return disk_tool_run(&tool, words.words, NULL, error) &&
           (filling->config->capacity <= filling->source_size ||
            resize(use, filling->config->capacity, 0, error));
}

static bool fill(VolumeUse *use, const Filling *filling, GError **error)
{
    const VolumeConfig *config = filling->config;
    bool noted =
        volume_name_tells(use->name, use->format) || folder_note_write(use->fd, use->format);

    if (!noted) {
        remote_error_set(error, REMOTE_ERR_CONFIG_UNSUPPORTED,
                         "unsupported configuration: the file system of volume '%s' can't keep its "
                         "format; end its name in .qcow2 if, and only if, it is one",
                         use->name);
        return false;
    }
    bool filled = filling->source ? copy(use, filling, error)
                  : !strcmp(use->format, "raw")
                      ? fill_raw(use, config, filling->end, error)
                      : fill_qcow2(use, config, filling->flags, filling->end, error);
    if (!filled || !set_rights(use->fd, &config->rights, error)) {
        return false;
    }
    if (fdatasync(use->fd) < 0 || fsync(use->folder) < 0) {
        set_error_errno(error, errno, "cannot write volume '%s' out", use->name);
        return false;
    }
    return true;
}

/* Remove what we made, if it is still what has that name. */
static void take_back(const VolumeUse *use)
{
    struct stat ours, now;

    if (fstat(use->fd, &ours) == 0 && folder_look(use->folder, use->name, &now) &&
        ours.st_ino == now.st_ino && ours.st_dev == now.st_dev) {
        unlinkat(use->folder, use->name, 0);
    }
}

static bool check_new(const VolumeConfig *config, const char *format, GError **error)
{
    const char *why = NULL;

    if (config->kind != VOLUME_FILE || (strcmp(format, "raw") && strcmp(format, "qcow2"))) {
        why = "a new volume is a file, raw or qcow2";
    } else if (!strcmp(format, "raw") && config->backing_path) {
        why = "a raw volume can't be based on another";
    } else if (!strcmp(format, "raw") && (config->compat || config->cluster_size ||
                                          config->lazy_refcounts || config->extended_l2)) {
        why = "a raw volume has no compat, cluster size or features";
    }
    if (why) {
        remote_error_set(error, REMOTE_ERR_CONFIG_UNSUPPORTED, "unsupported configuration: %s",
                         why);
    }
    return !why;
}

/* Make the file, and fill it; what was begun and fails, is gone. */
static bool make(Pool *pool, const Filling *filling, GError **error)
{
    const VolumeConfig *config = filling->config;
    const char *format = config->format ? config->format : "raw";
    g_auto(VolumeUse) use = { .fd = -1, .folder = -1 };

    if (!check_new(config, format, error) ||
        !volume_use_make(&use, pool, config->name, format, error)) {
        return false;
    }
    use.fd = folder_make_file(use.folder, use.name, NEW_MODE);
    if (use.fd < 0) {
        set_error_errno(error, errno, "cannot make file '%s'", use.path);
        volume_use_made(&use, false);
        return false;
    }
    bool done = fill(&use, filling, error);
    if (!done) {
        take_back(&use);
    }
    volume_use_made(&use, done);
    return done;
}

bool volume_create(Pool *pool, const VolumeConfig *config, uint32_t flags, const WorkEnd *end,
                   GError **error)
{
    Filling filling = { .config = config, .flags = flags, .end = end };

    if (!config->has_capacity && !config->backing_path) {
        remote_error_set(error, REMOTE_ERR_XML_ERROR, "XML error: missing capacity element");
        return false;
    }
    return make(pool, &filling, error);
}

bool volume_clone(Pool *pool, const VolumeConfig *config, const VolumeSource *source,
                  const WorkEnd *end, GError **error)
{
    g_auto(VolumeUse) from = { .fd = -1, .folder = -1 };
    VolumeRoom room;
    Filling filling = { .config = config, .source = &from, .end = end };

    if (!volume_room(source->pool, source->name, &room, error) ||
        !volume_use_begin(&from, source->pool, source->name, false, error) ||
        !open_use(&from, O_RDONLY, error)) {
        return false;
    }
    filling.source_size = room.capacity;
    return make(pool, &filling, error);
}

/* --- changing --- */

/* What it is to have, in bytes. */
static bool new_size(uint64_t now, uint64_t asked, uint32_t flags, uint64_t *ret, GError **error)
{
    bool shrinks = flags & VOLUME_RESIZE_SHRINK;
    bool good = true;
    uint64_t size = asked;

    if (flags & VOLUME_RESIZE_DELTA) {
        good = shrinks ? asked <= now : asked <= (uint64_t)INT64_MAX - now;
        size = shrinks ? now - asked : now + asked;
    }
    if (!good || size > INT64_MAX) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG,
                         "invalid argument: no volume can have such a capacity");
        return false;
    }
    if (size < now && !shrinks) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG,
                         "invalid argument: Can't shrink capacity below current capacity unless "
                         "shrink flag explicitly specified");
        return false;
    }
    *ret = size;
    return true;
}

bool volume_resize(Pool *pool, const char *name, uint64_t capacity, uint32_t flags, GError **error)
{
    g_auto(VolumeUse) use = { .fd = -1, .folder = -1 };
    VolumeRoom room;
    uint64_t size = 0;

    return volume_room(pool, name, &room, error) &&
           new_size(room.capacity, capacity, flags, &size, error) &&
           volume_use_begin(&use, pool, name, true, error) && open_use(&use, O_RDONLY, error) &&
           must_be_free(&use, error) && resize(&use, size, flags, error);
}

/* Overwrite @len bytes from @from on with @what, or with random ones. */
static bool overwrite(const VolumeUse *use, off_t from, off_t len, uint8_t *piece, bool random,
                      const WorkEnd *end)
{
    while (len > 0) {
        size_t n = (size_t)MIN(len, VOLUME_PIECE);
        for (size_t have = 0; random && have < n;) {
            ssize_t got = getrandom(piece + have, n - have, 0);
            have += got > 0 ? (size_t)got : 0;
        }
        ssize_t put = pwrite(use->fd, piece, n, from);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0 || work_ends(end)) {
            errno = put <= 0 ? errno : ECANCELED;
            return false;
        }
        from += put;
        len -= put;
    }
    return true;
}

/* What has room is overwritten; holes hold nothing. */
static bool overwrite_all(const VolumeUse *use, bool random, const WorkEnd *end)
{
    g_autofree uint8_t *piece = g_malloc0(VOLUME_PIECE);
    off_t size = lseek(use->fd, 0, SEEK_END), from = 0;

    while (from < size) {
        off_t data = lseek(use->fd, from, SEEK_DATA);
        off_t hole = data < 0 ? -1 : lseek(use->fd, data, SEEK_HOLE);
        if (data < 0 && errno == ENXIO) {
            return true;
        }
        if (data < 0 || hole < 0) { /* a file system that knows no holes */
            data = from;
            hole = size;
        }
        hole = MIN(hole, size);
        if (data >= hole || !overwrite(use, data, hole - data, piece, random, end)) {
            return data >= hole;
        }
        from = hole;
    }
    return true;
}

bool volume_wipe(Pool *pool, const char *name, uint32_t how, const WorkEnd *end, GError **error)
{
    g_autoptr(VolumeUse) use = NULL;
    struct stat st;

    if (how != VOLUME_WIPE_ZERO && how != VOLUME_WIPE_RANDOM && how != VOLUME_WIPE_TRIM) {
        remote_error_set(error, REMOTE_ERR_ARGUMENT_UNSUPPORTED,
                         "argument unsupported: wiping is done by zero, random or trim");
        return false;
    }
    use = volume_open(pool, name, true, error);
    if (!use) {
        return false;
    }
    bool done =
        how == VOLUME_WIPE_TRIM
            ? fstat(use->fd, &st) == 0 &&
                  (st.st_size == 0 || fallocate(use->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                                0, st.st_size) == 0)
            : overwrite_all(use, how == VOLUME_WIPE_RANDOM, end);
    if (!done || fdatasync(use->fd) < 0) {
        set_error_errno(error, errno, "cannot wipe volume '%s'", use->name);
        return false;
    }
    return true;
}

/* --- deleting --- */

static bool unlink_file(VolumeUse *use, GError **error)
{
    struct stat st;
    int flags = use->kind == VOLUME_FOLDER ? AT_REMOVEDIR : 0;

    if (use->kind == VOLUME_BLOCK) {
        return must_be_file(use, error);
    }
    /* What we may not read we can't ask for its locks. */
    if (use->kind == VOLUME_FILE && open_use(use, O_RDONLY, NULL) && !must_be_free(use, error)) {
        return false;
    }
    if (!folder_look(use->folder, use->name, &st) || st.st_ino != use->inode ||
        st.st_dev != use->device) {
        remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                         "operation failed: volume '%s' was replaced by another file", use->name);
        return false;
    }
    if (unlinkat(use->folder, use->name, flags) < 0) {
        set_error_errno(error, errno, "cannot unlink file '%s'", use->path);
        return false;
    }
    return true;
}

bool volume_delete(Pool *pool, const char *name, GError **error)
{
    g_auto(VolumeUse) use = { .fd = -1, .folder = -1 };

    if (!volume_use_begin(&use, pool, name, true, error) || !unlink_file(&use, error)) {
        return false;
    }
    volume_use_made(&use, false);
    return true;
}

bool volume_delete_by_path(Pools *pools, const char *path, GError **error)
{
    g_autofree char *name = NULL;
    g_autoptr(Pool) pool = volume_by_path(pools, path, &name, error);

    return pool && volume_delete(pool, name, error);
}
