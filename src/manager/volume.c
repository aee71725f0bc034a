/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Volumes: the table of a pool, and what each of them is; see volume.h.  volume_work.c changes
 * them.
 */
#include "manager/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/error.h"
#include "common/text.h"
#include "manager/folder.h"
#include "manager/pool_object.h"
#include "manager/storage_limits.h"
#include "manager/volume_use.h"

/* --- the table --- */

Volume *volume_new(const char *name)
{
    Volume *volume = g_new0(Volume, 1);

    g_atomic_ref_count_init(&volume->refs);
    volume->name = g_strdup(name);
    return volume;
}

Volume *volume_ref(Volume *volume)
{
    g_atomic_ref_count_inc(&volume->refs);
    return volume;
}

void volume_unref(Volume *volume)
{
    if (g_atomic_ref_count_dec(&volume->refs)) {
        g_free(volume->name);
        g_free(volume->format);
        disk_image_clear(&volume->image);
        g_free(volume);
    }
}

/* What can be a volume; false: it can't. */
static bool kind_of(const struct stat *st, VolumeKind *ret_kind)
{
    *ret_kind = S_ISREG(st->st_mode)   ? VOLUME_FILE
                : S_ISDIR(st->st_mode) ? VOLUME_FOLDER
                                       : VOLUME_BLOCK;
    return S_ISREG(st->st_mode) || S_ISDIR(st->st_mode) || S_ISBLK(st->st_mode);
}

bool volume_name_tells(const char *name, const char *format)
{
    return !strcmp(format, g_str_has_suffix(name, ".qcow2") ? "qcow2" : "raw");
}

/* The format of what is in the folder; newly allocated. */
static char *format_of(int folder, const char *name, VolumeKind kind)
{
    g_autofree char *note = kind == VOLUME_FILE ? folder_note_read(folder, name) : NULL;

    if (kind == VOLUME_FOLDER) {
        return g_strdup("dir");
    }
    if (note && (!strcmp(note, "raw") || !strcmp(note, "qcow2"))) {
        return g_steal_pointer(&note);
    }
    return g_strdup(kind == VOLUME_FILE && volume_name_tells(name, "qcow2") ? "qcow2" : "raw");
}

Volume *volume_update(Pool *pool, const char *name, const struct stat *st)
{
    Volume *volume = g_hash_table_lookup(pool->volumes, name);
    VolumeKind kind = VOLUME_FILE;
    bool is_one = st && kind_of(st, &kind);

    if (volume && volume->alone && volume->inode == 0) {
        return volume; /* it is being made */
    }
    if (volume && is_one && volume->inode == st->st_ino && volume->device == st->st_dev) {
        return volume;
    }
    if (volume) {
        g_hash_table_remove(pool->volumes, name);
        volume = NULL;
    }
    if (is_one) {
        volume = volume_new(name);
        volume->kind = kind;
        volume->device = st->st_dev;
        volume->inode = st->st_ino;
        volume->format = format_of(pool->folder, name, kind);
        g_hash_table_insert(pool->volumes, volume->name, volume);
    }
    return volume;
}

typedef struct Scan {
    Pool *pool;
    GHashTable *seen; /* names */
} Scan;

static void see(void *opaque, const char *name, const struct stat *st)
{
    Scan *scan = opaque;

    if (volume_update(scan->pool, name, st)) {
        g_hash_table_add(scan->seen, g_strdup(name));
    }
}

static gboolean is_unseen(gpointer name, gpointer value, gpointer opaque)
{
    const Volume *volume = value;

    return !g_hash_table_contains(opaque, name) && volume->inode != 0;
}

bool pool_scan(Pool *pool, GError **error)
{
    Scan scan = { pool, g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL) };
    bool done = folder_list(pool->folder, see, &scan, error);

    if (done) {
        g_hash_table_foreach_remove(pool->volumes, is_unseen, scan.seen);
    }
    g_hash_table_unref(scan.seen);
    return done;
}

/* With the pool's lock held: the volume as it is now; NULL: @error. */
static Volume *find(Pool *pool, const char *name, struct stat *ret_st, GError **error)
{
    struct stat st = { 0 };

    if (!pool_must_be_active(pool, error)) {
        return NULL;
    }
    bool there = folder_look(pool->folder, name, &st);
    Volume *volume = volume_update(pool, name, there ? &st : NULL);
    if (!volume) {
        g_autofree char *visible = text_visible(name);
        remote_error_set(error, REMOTE_ERR_NO_STORAGE_VOL,
                         "Storage volume not found: no storage vol with matching name '%s'",
                         visible);
    } else if (ret_st) {
        *ret_st = st;
    }
    return volume;
}

static char *path_of(const Pool *pool, const char *name)
{
    return g_build_filename(pool->config->path, name, NULL);
}

/* --- using one --- */

static bool may_use(const Volume *volume, bool alone, GError **error)
{
    const char *why = volume->alone && volume->inode == 0         ? "is still being allocated"
                      : volume->alone || (alone && volume->users) ? "is still in use"
                                                                  : NULL;

    if (why) {
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "Requested operation is not valid: volume '%s' %s.", volume->name, why);
    }
    return !why;
}

/* With the pool's lock held. */
static void fill_use(VolumeUse *use, Pool *pool, Volume *volume)
{
    use->pool = pool_ref(pool);
    use->volume = volume_ref(volume);
    use->folder = fcntl(pool->folder, F_DUPFD_CLOEXEC, 0);
    use->fd = -1;
    use->kind = volume->kind;
    use->inode = volume->inode;
    use->device = volume->device;
    use->name = g_strdup(volume->name);
    use->format = g_strdup(volume->format);
    use->path = path_of(pool, volume->name);
}

/* And others mind it. */
static void count_use(VolumeUse *use, bool alone)
{
    use->counts = true;
    use->alone = alone;
    use->volume->users++;
    use->volume->alone = alone;
    use->pool->jobs++;
}

bool volume_use_begin(VolumeUse *use, Pool *pool, const char *name, bool alone, GError **error)
{
    g_mutex_lock(&pool->lock);
    Volume *volume = find(pool, name, NULL, error);
    bool done = volume && may_use(volume, alone, error);
    if (done) {
        fill_use(use, pool, volume);
        count_use(use, alone);
    }
    g_mutex_unlock(&pool->lock);
    return done;
}

bool volume_use_make(VolumeUse *use, Pool *pool, const char *name, const char *format,
                     GError **error)
{
    struct stat st;
    bool done = false;

    g_mutex_lock(&pool->lock);
    if (pool_must_be_active(pool, error)) {
        Volume *volume = g_hash_table_lookup(pool->volumes, name);
        if (folder_look(pool->folder, name, &st) || (volume && volume->inode == 0)) {
            remote_error_set(error, REMOTE_ERR_STORAGE_VOL_EXIST,
                             "storage volume '%s' exists already", name);
        } else {
            volume = volume_new(name);
            volume->format = g_strdup(format);
            g_hash_table_replace(pool->volumes, volume->name, volume);
            fill_use(use, pool, volume);
            count_use(use, true);
            done = true;
        }
    }
    g_mutex_unlock(&pool->lock);
    return done;
}

void volume_use_made(VolumeUse *use, bool done)
{
    Pool *pool = use->pool;
    struct stat st;

    g_mutex_lock(&pool->lock);
    if (done && folder_look(use->folder, use->name, &st) && S_ISREG(st.st_mode)) {
        use->volume->inode = st.st_ino;
        use->volume->device = st.st_dev;
    } else if (g_hash_table_lookup(pool->volumes, use->name) == use->volume) {
        g_hash_table_remove(pool->volumes, use->name);
    }
    g_mutex_unlock(&pool->lock);
}

void volume_use_end(VolumeUse *use)
{
    if (!use->pool) {
        return;
    }
    if (use->counts) {
        g_mutex_lock(&use->pool->lock);
        use->volume->users--;
        use->volume->alone = use->volume->alone && !use->alone;
        use->volume->looked = use->volume->looked && !use->alone;
        use->pool->jobs--;
        g_mutex_unlock(&use->pool->lock);
    }
    for (unsigned i = 0; i < 2; i++) {
        int fd = i ? use->fd : use->folder;
        if (fd >= 0) {
            close(fd);
        }
    }
    volume_unref(use->volume);
    pool_unref(use->pool);
    g_free(use->name);
    g_free(use->format);
    g_free(use->path);
    *use = (VolumeUse){ .fd = -1, .folder = -1 };
}

DiskTool volume_use_tool(const VolumeUse *use, const WorkEnd *end)
{
    return (
        DiskTool){ .program = use->pool->pools->disk_program, .folder = use->folder, .end = end };
}

/* --- looking up --- */

char *volume_path(Pool *pool, const char *name, GError **error)
{
    g_mutex_lock(&pool->lock);
    char *path = find(pool, name, NULL, error) ? path_of(pool, name) : NULL;
    g_mutex_unlock(&pool->lock);
    return path;
}

/* Whether @path, which has no ".." in it, is one of @pool's; newly allocated. */
static char *name_in(Pool *pool, const char *path)
{
    g_autofree char *above = g_path_get_dirname(path), *name = g_path_get_basename(path);

    g_mutex_lock(&pool->lock);
    bool is = pool->folder >= 0 && !strcmp(pool->config->path, above) &&
              find(pool, name, NULL, NULL) != NULL;
    g_mutex_unlock(&pool->lock);
    return is ? g_steal_pointer(&name) : NULL;
}

Pool *volume_by_path(Pools *pools, const char *path, char **ret_name, GError **error)
{
    g_autofree char *clean = *path == '/' ? g_canonicalize_filename(path, "/") : g_strdup("");
    g_autoptr(GPtrArray) active = pools_list(pools, POOLS_ACTIVE);

    for (unsigned i = 0; i < active->len && *clean; i++) {
        Pool *pool = g_ptr_array_index(active, i);
        char *name = name_in(pool, clean);
        if (name) {
            *ret_name = name;
            return pool_ref(pool);
        }
    }
    g_autofree char *visible = text_visible(path);
    remote_error_set(error, REMOTE_ERR_NO_STORAGE_VOL,
                     "Storage volume not found: no storage vol with matching path '%s'", visible);
    return NULL;
}

static int by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GStrv volume_names(Pool *pool, GError **error)
{
    GPtrArray *names = NULL;
    GHashTableIter iter;
    gpointer name;

    g_mutex_lock(&pool->lock);
    if (pool_must_be_active(pool, error)) {
        names = g_ptr_array_new();
        g_hash_table_iter_init(&iter, pool->volumes);
        while (g_hash_table_iter_next(&iter, &name, NULL)) {
            g_ptr_array_add(names, g_strdup(name));
        }
        g_ptr_array_sort(names, by_text);
        g_ptr_array_add(names, NULL);
    }
    g_mutex_unlock(&pool->lock);
    return names ? (GStrv)g_ptr_array_free(names, FALSE) : NULL;
}

/* --- telling --- */

/* What insula-disk says of the image, now or when it was the same as now; false: nothing. */
static bool look_into(VolumeUse *use, const struct stat *st, DiskImage *ret_image)
{
    Pool *pool = use->pool;
    Volume *volume = use->volume;
    DiskTool tool = volume_use_tool(use, NULL);

    g_mutex_lock(&pool->lock);
    bool known = volume->looked && volume->looked_size == st->st_size &&
                 !memcmp(&volume->looked_at, &st->st_mtim, sizeof(volume->looked_at));
    if (known) {
        disk_image_copy(ret_image, &volume->image);
    }
    g_mutex_unlock(&pool->lock);
    if (known || !disk_tool_look(&tool, use->name, use->format, ret_image, NULL)) {
        return known;
    }
    if (ret_image->backing_path) {
        g_autofree char *said = g_steal_pointer(&ret_image->backing_path);
        g_autofree char *folder = g_path_get_dirname(use->path);
        ret_image->backing_path = g_canonicalize_filename(said, folder);
    }
    g_mutex_lock(&pool->lock);
    disk_image_clear(&volume->image);
    disk_image_copy(&volume->image, ret_image);
    volume->looked = true;
    volume->looked_at = st->st_mtim;
    volume->looked_size = st->st_size;
    g_mutex_unlock(&pool->lock);
    return true;
}

static VolumeTime time_of(const struct timespec *time)
{
    return (VolumeTime){ .seconds = time->tv_sec, .nanoseconds = (uint32_t)time->tv_nsec };
}

/* What the host says of it. */
static void describe_file(VolumeConfig *config, const struct stat *st)
{
    config->has_capacity = config->has_allocation = config->has_physical = true;
    if (config->kind == VOLUME_FILE) {
        config->capacity = config->physical = (uint64_t)st->st_size;
        config->allocation = (uint64_t)st->st_blocks * 512;
    }
    config->rights = (FileRights){ .has_mode = true,
                                   .has_owner = true,
                                   .has_group = true,
                                   .mode = st->st_mode & 07777,
                                   .owner = st->st_uid,
                                   .group = st->st_gid };
    config->has_times = true;
    config->accessed = time_of(&st->st_atim);
    config->modified = time_of(&st->st_mtim);
    config->changed = time_of(&st->st_ctim);
}

/* And what the image says of itself.  Takes over what @image holds. */
static void describe_image(VolumeConfig *config, DiskImage *image)
{
    config->capacity = image->capacity;
    config->cluster_size = image->cluster_size;
    config->compat = g_steal_pointer(&image->compat);
    config->has_features = true;
    config->lazy_refcounts = image->lazy_refcounts;
    config->extended_l2 = image->extended_l2;
    config->backing_path = g_steal_pointer(&image->backing_path);
    config->backing_format = g_steal_pointer(&image->backing_format);
    disk_image_clear(image);
}

static VolumeConfig *describe(Pool *pool, const char *name, GError **error)
{
    VolumeUse use = { 0 };
    struct stat st = { 0 };
    DiskImage image = { 0 };

    g_mutex_lock(&pool->lock);
    Volume *volume = find(pool, name, &st, error);
    if (volume) {
        fill_use(&use, pool, volume);
    }
    g_mutex_unlock(&pool->lock);
    if (!volume) {
        return NULL;
    }
    VolumeConfig *config = g_new0(VolumeConfig, 1);
    config->kind = use.kind;
    config->name = g_strdup(use.name);
    config->path = g_strdup(use.path);
    config->format = g_strdup(use.format);
    describe_file(config, &st);
    if (!strcmp(use.format, "qcow2") && use.inode && look_into(&use, &st, &image)) {
        describe_image(config, &image);
    }
    volume_use_end(&use);
    return config;
}

bool volume_room(Pool *pool, const char *name, VolumeRoom *ret_room, GError **error)
{
    g_autoptr(VolumeConfig) config = describe(pool, name, error);

    if (config) {
        *ret_room = (VolumeRoom){ .kind = config->kind,
                                  .capacity = config->capacity,
                                  .allocation = config->allocation,
                                  .physical = config->physical };
    }
    return config != NULL;
}

char *volume_xml(Pool *pool, const char *name, GError **error)
{
    g_autoptr(VolumeConfig) config = describe(pool, name, error);

    return config ? volume_config_format(config) : NULL;
}
