/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls of storage volumes, and the streams of their bytes.
 *
 * Threads: workers; a stream has its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/error.h"
#include "manager/dispatch.h"
#include "manager/storage_limits.h"
#include "manager/storage_reply.h"
#include "manager/volume.h"

enum { TYPE_FILE = 0, TYPE_BLOCK = 1, TYPE_FOLDER = 2 };
enum { INFO_PHYSICAL = 1 };

/* The pool of the volume that @args, whose first member is a RemoteVolume, names. */
static Pool *pool_of(const Call *call, const RemoteVolume *handle, GError **error)
{
    return pools_by_name(call_daemon(call)->pools, handle->pool, error);
}

/* Fill @ret with the handle of volume @name of @pool, if it is there. */
static bool give(Pool *pool, const char *name, RemoteVolume *ret, GError **error)
{
    char *path = volume_path(pool, name, error);

    if (path) {
        ret->pool = pool_name(pool);
        ret->name = g_strdup(name);
        ret->key = path;
    }
    return path != NULL;
}

/* Long work goes on as long as somebody waits for it. */
static bool call_has_ended(void *opaque)
{
    return call_is_over(opaque);
}

/* --- looking up --- */

static bool lookup_by_name(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStorageVolLookupByNameArgs *in = args;
    RemoteStorageVolLookupByNameRet *out = ret;
    g_autoptr(Pool) pool =
        pools_by_uuid(call_daemon(call)->pools, in->pool.uuid, in->pool.name, error);

    return pool && give(pool, in->name, &out->vol, error);
}

static bool lookup_path(const Call *call, const char *path, RemoteVolume *ret, GError **error)
{
    g_autofree char *name = NULL;
    g_autoptr(Pool) pool = volume_by_path(call_daemon(call)->pools, path, &name, error);

    return pool && give(pool, name, ret, error);
}

static bool lookup_by_path(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStorageVolLookupByPathArgs *in = args;
    RemoteStorageVolLookupByPathRet *out = ret;

    return lookup_path(call, in->path, &out->vol, error);
}

/* A volume's key is its path. */
static bool lookup_by_key(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStorageVolLookupByKeyArgs *in = args;
    RemoteStorageVolLookupByKeyRet *out = ret;

    return lookup_path(call, in->key, &out->vol, error);
}

/* --- telling --- */

static bool get_info(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStorageVolGetInfoArgs *in = args;
    RemoteStorageVolGetInfoRet *out = ret;
    g_autoptr(Pool) pool = pool_of(call, &in->vol, error);
    VolumeRoom room;

    if (!pool || !volume_room(pool, in->vol.name, &room, error)) {
        return false;
    }
    out->type = room.kind == VOLUME_FOLDER  ? TYPE_FOLDER
                : room.kind == VOLUME_BLOCK ? TYPE_BLOCK
                                            : TYPE_FILE;
    out->capacity = room.capacity;
    out->allocation = room.allocation;
    return true;
}

static bool get_info_flags(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStorageVolGetInfoFlagsArgs *in = args;
    RemoteStorageVolGetInfoFlagsRet *out = ret;
    RemoteStorageVolGetInfoArgs plain = { .vol = in->vol };
    RemoteStorageVolGetInfoRet info = { 0 };
    g_autoptr(Pool) pool = pool_of(call, &in->vol, error);
    VolumeRoom room;

    if (!pool || !get_info(call, &plain, &info, error) ||
        !volume_room(pool, in->vol.name, &room, error)) {
        return false;
    }
    out->type = info.type;
    out->capacity = info.capacity;
    out->allocation = in->flags & INFO_PHYSICAL ? room.physical : info.allocation;
    return true;
}

static bool get_xml(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStorageVolGetXmlDescArgs *in = args;
    RemoteStorageVolGetXmlDescRet *out = ret;
    g_autoptr(Pool) pool = pool_of(call, &in->vol, error);

    return pool && reply_text(volume_xml(pool, in->vol.name, error), &out->xml);
}

static bool get_path(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStorageVolGetPathArgs *in = args;
    RemoteStorageVolGetPathRet *out = ret;
    g_autoptr(Pool) pool = pool_of(call, &in->vol, error);

    return pool && reply_text(volume_path(pool, in->vol.name, error), &out->name);
}

/* --- changing --- */

static bool create_xml(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStorageVolCreateXmlArgs *in = args;
    RemoteStorageVolCreateXmlRet *out = ret;
    g_autoptr(Pool) pool =
        pools_by_uuid(call_daemon(call)->pools, in->pool.uuid, in->pool.name, error);
    g_autoptr(VolumeConfig) config = pool ? volume_config_parse(in->xml, error) : NULL;
    WorkEnd end = { call_has_ended, call };

    return config && volume_create(pool, config, in->flags, &end, error) &&
           give(pool, config->name, &out->vol, error);
}

static bool create_xml_from(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStorageVolCreateXmlFromArgs *in = args;
    RemoteStorageVolCreateXmlFromRet *out = ret;
    g_autoptr(Pool) pool =
        pools_by_uuid(call_daemon(call)->pools, in->pool.uuid, in->pool.name, error);
    g_autoptr(Pool) from = pool ? pool_of(call, &in->clonevol, error) : NULL;
    g_autoptr(VolumeConfig) config = from ? volume_config_parse(in->xml, error) : NULL;
    VolumeSource source = { from, in->clonevol.name };
    WorkEnd end = { call_has_ended, call };

    return config && volume_clone(pool, config, &source, &end, error) &&
           give(pool, config->name, &out->vol, error);
}

static bool delete (Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStorageVolDeleteArgs *in = args;
    g_autoptr(Pool) pool = pool_of(call, &in->vol, error);

    return pool && volume_delete(pool, in->vol.name, error);
}

static bool resize(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStorageVolResizeArgs *in = args;
    g_autoptr(Pool) pool = pool_of(call, &in->vol, error);

    return pool && volume_resize(pool, in->vol.name, in->capacity, in->flags, error);
}

static bool wipe(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStorageVolWipeArgs *in = args;
    g_autoptr(Pool) pool = pool_of(call, &in->vol, error);
    WorkEnd end = { call_has_ended, call };

    return pool && volume_wipe(pool, in->vol.name, VOLUME_WIPE_ZERO, &end, error);
}

static bool wipe_pattern(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStorageVolWipePatternArgs *in = args;
    g_autoptr(Pool) pool = pool_of(call, &in->vol, error);
    WorkEnd end = { call_has_ended, call };

    return pool && volume_wipe(pool, in->vol.name, in->algorithm, &end, error);
}

/* --- streams of bytes --- */

/* A piece of a volume's file that moves to or from a client. */
typedef struct Moving {
    VolumeUse *use;
    Pool *pool;
    off_t at, end; /* .end: the first byte that doesn't move */
    bool sparse;
} Moving;

static void moving_free(void *opaque)
{
    Moving *moving = opaque;

    volume_close(moving->use);
    pool_unref(moving->pool);
    g_free(moving);
}

static bool put(Moving *moving, const uint8_t *bytes, size_t n, GError **error)
{
    for (size_t done = 0; done < n;) {
        ssize_t wrote =
            pwrite(volume_use_fd(moving->use), bytes + done, n - done, moving->at + (off_t)done);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            set_error_errno(error, wrote < 0 ? errno : EIO, "cannot write the volume");
            return false;
        }
        done += (size_t)wrote;
    }
    moving->at += (off_t)n;
    return true;
}

/* Nothing stands where the client sent nothing; the file is at least as long. */
static bool skip(Moving *moving, uint64_t len, GError **error)
{
    int fd = volume_use_fd(moving->use);
    off_t size = lseek(fd, 0, SEEK_END);
    off_t inside = MIN((off_t)len, MAX(size - moving->at, 0));

    bool done =
        size >= 0 && (inside == 0 || fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                               moving->at, inside) == 0);
    moving->at += (off_t)len;
    if (!done || (moving->at > size && ftruncate(fd, moving->at) < 0)) {
        set_error_errno(error, errno, "cannot write the volume");
        return false;
    }
    return true;
}

static bool receive(Stream *stream, void *opaque, GError **error)
{
    Moving *moving = opaque;
    g_autofree uint8_t *piece = g_malloc(VOLUME_PIECE);
    uint64_t hole = 0;

    for (;;) {
        ssize_t n = stream_read(stream, piece, VOLUME_PIECE, &hole);
        if (n < 0) {
            return true;
        }
        if (n == 0 && hole == 0) {
            break;
        }
        uint64_t len = n ? (uint64_t)n : hole;
        if (len > (uint64_t)(moving->end - moving->at)) {
            set_error(error, "the client sends more than it said");
            return false;
        }
        if (!(n ? put(moving, piece, (size_t)n, error) : skip(moving, hole, error))) {
            return false;
        }
    }
    if (fdatasync(volume_use_fd(moving->use)) < 0) {
        set_error_errno(error, errno, "cannot write the volume out");
        return false;
    }
    return pool_refresh(moving->pool, NULL) || true;
}

/* Send what is up to @end; false and *@ret_gone: the client doesn't want it. */
static bool send_data(Stream *stream, Moving *moving, off_t end, bool *ret_gone, GError **error)
{
    g_autofree uint8_t *piece = g_malloc(VOLUME_PIECE);

    while (moving->at < end) {
        size_t want = (size_t)MIN(end - moving->at, VOLUME_PIECE);
        ssize_t n = pread(volume_use_fd(moving->use), piece, want, moving->at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            set_error_errno(error, n < 0 ? errno : EIO, "cannot read the volume");
            return false;
        }
        moving->at += n;
        *ret_gone = !stream_write(stream, piece, (size_t)n);
        if (*ret_gone) {
            return false;
        }
    }
    return true;
}

/* Where the next data is, and where it ends. */
static void find_data(const Moving *moving, off_t *ret_from, off_t *ret_to)
{
    int fd = volume_use_fd(moving->use);
    off_t from = moving->sparse ? lseek(fd, moving->at, SEEK_DATA) : moving->at;
    bool none = from < 0 && errno == ENXIO;
    off_t to = moving->sparse && from >= 0 ? lseek(fd, from, SEEK_HOLE) : moving->end;

    *ret_from = none ? moving->end : MIN(from < 0 ? moving->at : from, moving->end);
    *ret_to = MIN(to < 0 ? moving->end : to, moving->end);
}

static bool send(Stream *stream, void *opaque, GError **error)
{
    Moving *moving = opaque;
    bool gone = false;

    while (moving->at < moving->end && !gone) {
        off_t from, to;
        find_data(moving, &from, &to);
        if (from > moving->at) {
            gone = !stream_write_hole(stream, (uint64_t)(from - moving->at));
            moving->at = from;
        }
        if (!gone && from < moving->end && !send_data(stream, moving, to, &gone, error)) {
            return gone;
        }
    }
    return true;
}

static const StreamOps receiver = { .run = receive, .free = moving_free };
static const StreamOps sender = { .run = send, .free = moving_free };

typedef struct Part {
    uint64_t offset, length;
    uint32_t flags;
} Part;

static Moving *moving_new(const Call *call, const RemoteVolume *handle, const Part *part,
                          bool writes, GError **error)
{
    g_autoptr(Pool) pool = pool_of(call, handle, error);
    g_autoptr(VolumeUse) use = pool ? volume_open(pool, handle->name, writes, error) : NULL;
    off_t size = use ? lseek(volume_use_fd(use), 0, SEEK_END) : -1;

    if (!use) {
        return NULL;
    }
    if (size < 0 || part->offset > INT64_MAX || part->length > INT64_MAX - part->offset ||
        (!writes && part->offset > (uint64_t)size)) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG,
                         "invalid argument: volume '%s' has no such part", handle->name);
        return NULL;
    }
    off_t most = writes ? INT64_MAX : size;
    off_t end = part->length ? MIN(most, (off_t)(part->offset + part->length)) : most;
    Moving *moving = g_new0(Moving, 1);
    moving->use = g_steal_pointer(&use);
    moving->pool = g_steal_pointer(&pool);
    moving->at = (off_t)part->offset;
    moving->end = end;
    moving->sparse = part->flags & VOLUME_SPARSE;
    return moving;
}

static bool upload(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStorageVolUploadArgs *in = args;
    Part part = { in->offset, in->length, in->flags };
    Moving *moving = moving_new(call, &in->vol, &part, true, error);

    return moving && call_stream(call, &receiver, moving, error);
}

static bool download(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStorageVolDownloadArgs *in = args;
    Part part = { in->offset, in->length, in->flags };
    Moving *moving = moving_new(call, &in->vol, &part, false, error);

    return moving && call_stream(call, &sender, moving, error);
}

const CallRow volume_calls[] = {
    { REMOTE_PROC_STORAGE_VOL_LOOKUP_BY_NAME, lookup_by_name },
    { REMOTE_PROC_STORAGE_VOL_LOOKUP_BY_KEY, lookup_by_key },
    { REMOTE_PROC_STORAGE_VOL_LOOKUP_BY_PATH, lookup_by_path },
    { REMOTE_PROC_STORAGE_VOL_GET_INFO, get_info },
    { REMOTE_PROC_STORAGE_VOL_GET_INFO_FLAGS, get_info_flags },
    { REMOTE_PROC_STORAGE_VOL_GET_XML_DESC, get_xml },
    { REMOTE_PROC_STORAGE_VOL_GET_PATH, get_path },
    { REMOTE_PROC_STORAGE_VOL_CREATE_XML, create_xml },
    { REMOTE_PROC_STORAGE_VOL_CREATE_XML_FROM, create_xml_from },
    { REMOTE_PROC_STORAGE_VOL_DELETE, delete },
    { REMOTE_PROC_STORAGE_VOL_RESIZE, resize },
    { REMOTE_PROC_STORAGE_VOL_WIPE, wipe },
    { REMOTE_PROC_STORAGE_VOL_WIPE_PATTERN, wipe_pattern },
    { REMOTE_PROC_STORAGE_VOL_UPLOAD, upload },
    { REMOTE_PROC_STORAGE_VOL_DOWNLOAD, download },
    { 0 },
};
