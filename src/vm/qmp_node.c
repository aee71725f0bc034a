/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that open, close and change disk images: blockdev-add and what goes with it.
 *
 * A node is a file, or an image in one.  The image is opened when its node is added, so that what
 * is wrong with it is said then; a file is opened when something uses it.
 *
 * Threads: main.
 * Read first: vm/qmp_plug.h.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "block/chain.h"
#include "block/image.h"
#include "common/error.h"
#include "vm/fdset.h"
#include "vm/qmp_plug.h"

enum { NODES_MAX = 256, NAME_MAX_LEN = 31 };

/* ---- types ---- */

static const char *const driver_words[] = { "file", "host_device", "qcow2", "raw", NULL };
static const QmpType driver_type = { .meta = QMP_ENUM, .words = driver_words };
static const char *const discard_words[] = { "ignore", "unmap", NULL };
static const QmpType discard_type = { .meta = QMP_ENUM, .words = discard_words };
static const char *const detect_words[] = { "off", NULL };
static const QmpType detect_type = { .meta = QMP_ENUM, .words = detect_words };
static const char *const locking_words[] = { "auto", "off", "on", NULL };
static const QmpType locking_type = { .meta = QMP_ENUM, .words = locking_words };
static const char *const aio_words[] = { "threads", "native", "io_uring", NULL };
static const QmpType aio_type = { .meta = QMP_ENUM, .words = aio_words };

static const QmpType cache_type = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "direct", &qmp_bool, true },
                                    { "no-flush", &qmp_bool, true },
                                    { 0 } },
};

static const QmpType file_options = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "filename", &qmp_str },
                                    { "locking", &locking_type, true },
                                    { "aio", &aio_type, true },
                                    { 0 } },
};

static const QmpType node_options;
static const QmpType node_or_name = {
    .meta = QMP_ALTERNATE,
    .members =
        (const QmpMember[]){ { "definition", &node_options }, { "reference", &qmp_str }, { 0 } },
};

static const QmpType raw_options = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "file", &node_or_name }, { 0 } },
};

static const QmpType qcow2_options = {
    .meta = QMP_OBJECT,
    .members =
        (const QmpMember[]){ { "file", &node_or_name }, { "backing", &qmp_null, true }, { 0 } },
};

static const QmpType node_options = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "driver", &driver_type },
                                    { "node-name", &qmp_str, true },
                                    { "read-only", &qmp_bool, true },
                                    { "auto-read-only", &qmp_bool, true },
                                    { "discard", &discard_type, true },
                                    { "detect-zeroes", &detect_type, true },
                                    { "cache", &cache_type, true },
                                    { 0 } },
    .tag = "driver",
    .variants = (const QmpVariant[]){ { "file", &file_options },
                                      { "host_device", &file_options },
                                      { "qcow2", &qcow2_options },
                                      { "raw", &raw_options },
                                      { 0 } },
};

/* ---- nodes ---- */

void qmp_node_free(QmpNode *node)
{
    if (node) {
        if (!node->stays) {
            blk_close(node->blk);
        }
        if (node->file) {
            g_clear_pointer(&node->file->user, g_free);
        }
        g_free(node->name);
        g_free(node->filename);
        g_free(node->user);
        g_free(node);
    }
}

static QmpNode *lookup(const QmpPlug *plug, const char *name)
{
    for (unsigned i = 0; i < plug->nodes->len; i++) {
        QmpNode *node = g_ptr_array_index(plug->nodes, i);
        if (!strcmp(node->name, name)) {
            return node;
        }
    }
    return NULL;
}

QmpNode *qmp_node_of(const QmpPlug *plug, const Blk *blk)
{
    for (unsigned i = 0; i < plug->nodes->len; i++) {
        QmpNode *node = g_ptr_array_index(plug->nodes, i);
        if (node->blk == blk) {
            return node;
        }
    }
    return NULL;
}

QmpNode *qmp_node_find(const QmpPlug *plug, const char *name, GError **error)
{
    QmpNode *node = lookup(plug, name);

    if (!node) {
        set_error(error, "Cannot find device='' nor node-name='%s'", name);
    }
    return node;
}

static bool is_good_name(const char *name)
{
    size_t len = strspn(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-._");

    return g_ascii_isalpha(*name) && !name[len] && len <= NAME_MAX_LEN;
}

/* A new node with the name that @options say, or one that no client can say. */
static QmpNode *new_node(const QmpPlug *plug, JsonObject *options, GError **error)
{
    const char *name = json_object_get_string_member_with_default(options, "node-name", NULL);

    if (name && !is_good_name(name)) {
        set_error(error, "Invalid node-name: '%s'", name);
        return NULL;
    }
    if (name && lookup(plug, name)) {
        set_error(error, "Duplicate nodes with node-name='%s'", name);
        return NULL;
    }
    if (plug->nodes->len >= NODES_MAX) {
        set_error(error, "%d nodes are the most; delete one first", NODES_MAX);
        return NULL;
    }
    QmpNode *node = g_new0(QmpNode, 1);
    node->name = name ? g_strdup(name) : g_strdup_printf("#block%p", (void *)node);
    node->read_only = json_object_get_boolean_member_with_default(options, "read-only", FALSE);
    return node;
}

static BlkCache cache_of(JsonObject *options)
{
    JsonObject *cache = json_object_has_member(options, "cache")
                            ? json_object_get_object_member(options, "cache")
                            : NULL;

    if (cache && json_object_get_boolean_member_with_default(cache, "no-flush", FALSE)) {
        return BLK_CACHE_UNSAFE;
    }
    return cache && json_object_get_boolean_member_with_default(cache, "direct", FALSE)
               ? BLK_CACHE_NONE
               : BLK_CACHE_WRITEBACK;
}

/* Whether the file of @node can be opened; it isn't kept open. */
static bool try_file(const Qmp *qmp, const QmpNode *node, GError **error)
{
    const BlkHost *host = fd_sets_host(qmp->fds);

    if (qmp->config->sandbox.on && !fd_sets_has_name(node->filename)) {
        qmp_refuse_name(node->filename, error);
        return false;
    }
    int fd = host->open(host->opaque, node->filename, node->read_only ? O_RDONLY : O_RDWR);

    if (fd < 0) {
        set_error_errno(error, -fd, "Could not open '%s'", node->filename);
        return false;
    }
    close(fd);
    return true;
}

static Blk *open_image(const Qmp *qmp, const char *format, const QmpNode *file, JsonObject *options,
                       GError **error)
{
    const char *discard = json_object_get_string_member_with_default(options, "discard", "ignore");
    const BlkOptions image = {
        .path = file->filename,
        .format = format,
        .read_only = json_object_get_boolean_member_with_default(options, "read-only", FALSE),
        .cache = cache_of(options),
        .keep_discard = strcmp(discard, "unmap") != 0,
        .no_backing = json_object_has_member(options, "backing"),
        .host = fd_sets_host(qmp->fds),
        .aio = vm_aio(qmp->vm),
    };

    return image.no_backing ? blk_open(&image, error) : blk_chain_open(&image, error);
}

static QmpNode *add_node(const Qmp *qmp, JsonObject *options, GError **error);

/* The file below an image: one that is there, or a new one; a new one is in *@ret_new, too. */
static QmpNode *file_below(const Qmp *qmp, JsonObject *options, QmpNode **ret_new, GError **error)
{
    JsonNode *value = json_object_get_member(options, "file");
    QmpNode *file;

    *ret_new = NULL;
    if (JSON_NODE_HOLDS_OBJECT(value)) {
        file = *ret_new = add_node(qmp, json_node_get_object(value), error);
    } else {
        file = qmp_node_find(qmp->plug, json_node_get_string(value), error);
    }
    if (file && (!file->is_file || file->user || file->blk)) {
        set_error(error, "Node '%s' %s", file->name,
                  file->is_file ? "is in use" : "is no file, and only files have images in them");
        return NULL;
    }
    return file;
}

static QmpNode *add_image(const Qmp *qmp, QmpNode *node, JsonObject *options, GError **error)
{
    const char *driver = json_object_get_string_member(options, "driver");
    QmpNode *new_file;
    QmpNode *file = file_below(qmp, options, &new_file, error);

    node->blk = file ? open_image(qmp, driver, file, options, error) : NULL;
    if (!node->blk) {
        if (new_file) {
            g_ptr_array_remove(qmp->plug->nodes, new_file);
        }
        qmp_node_free(node);
        return NULL;
    }
    node->filename = g_strdup(file->filename);
    node->file = file;
    file->user = g_strdup(node->name);
    g_ptr_array_add(qmp->plug->nodes, node);
    return node;
}

/* A new node, opened and among the others. */
static QmpNode *add_node(const Qmp *qmp, JsonObject *options, GError **error)
{
    QmpNode *node = new_node(qmp->plug, options, error);

    if (!node) {
        return NULL;
    }
    if (json_object_has_member(options, "file")) {
        return add_image(qmp, node, options, error);
    }
    node->is_file = true;
    node->filename = g_strdup(json_object_get_string_member(options, "filename"));
    if (!try_file(qmp, node, error)) {
        qmp_node_free(node);
        return NULL;
    }
    g_ptr_array_add(qmp->plug->nodes, node);
    return node;
}

QmpNode *qmp_node_open(const Qmp *qmp, const char *path, const char *format, GError **error)
{
    const char *named = blk_format_of_name(path);
    g_autoptr(JsonObject) nothing = json_object_new();
    const BlkOptions image = {
        .path = path,
        .format = format  ? format
                  : named ? named
                          : "raw",
        .read_only = true,
        .host = fd_sets_host(qmp->fds),
    };

    if (qmp->config->sandbox.on && !fd_sets_has_name(path)) {
        qmp_refuse_name(path, error);
        return NULL;
    }
    QmpNode *node = new_node(qmp->plug, nothing, error);
    if (!node) {
        return NULL;
    }
    node->filename = g_strdup(path);
    node->read_only = true;
    node->blk = blk_chain_open(&image, error);
    if (!node->blk) {
        qmp_node_free(node);
        return NULL;
    }
    g_ptr_array_add(qmp->plug->nodes, node);
    return node;
}

/* ---- commands ---- */

static JsonNode *blockdev_add(QmpCall *call, GError **error)
{
    if (!json_object_has_member(call->args, "node-name")) {
        set_error(error, "'node-name' must be specified for the root node");
    } else {
        add_node(call->opaque, call->args, error);
    }
    return NULL;
}

static const QmpType del_args = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "node-name", &qmp_str }, { 0 } },
};

static JsonNode *blockdev_del(QmpCall *call, GError **error)
{
    const Qmp *qmp = call->opaque;
    const char *name = json_object_get_string_member(call->args, "node-name");
    QmpNode *node = lookup(qmp->plug, name);

    if (!node) {
        set_error(error, "Failed to find node with node-name='%s'", name);
    } else if (node->user) {
        set_error(error, "Node '%s' is busy: '%s' uses it", name, node->user);
    } else {
        QmpNode *file = node->file && *node->file->name == '#' ? node->file : NULL;
        g_ptr_array_remove(qmp->plug->nodes, node);
        if (file) {
            g_ptr_array_remove(qmp->plug->nodes, file);
        }
    }
    return NULL;
}

static const QmpType resize_args = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "device", &qmp_str, true },
                                    { "node-name", &qmp_str, true },
                                    { "size", &qmp_int },
                                    { 0 } },
};

static JsonNode *block_resize(QmpCall *call, GError **error)
{
    const Qmp *qmp = call->opaque;
    const char *node_name =
        json_object_get_string_member_with_default(call->args, "node-name", NULL);
    const char *name = node_name
                           ? node_name
                           : json_object_get_string_member_with_default(call->args, "device", "");
    int64_t size = json_object_get_int_member(call->args, "size");
    const QmpNode *node = qmp_node_find(qmp->plug, name, error);

    if (!node) {
        return NULL;
    }
    if (!node->blk || size < 0 || size % BLK_SECTOR) {
        set_error(error, node->blk ? "Parameter 'size' expects a multiple of 512, not below 0"
                                   : "Node is a file; resize the image in it");
        return NULL;
    }
    if (blk_resize(node->blk, (uint64_t)size, BLK_PREALLOCATE_OFF, error)) {
        machine_disk_resized(vm_machine(qmp->vm), node->blk);
    }
    return NULL;
}

/* ---- snapshots inside of an image: QEMU deletes one by a command that says more ---- */

static const QmpType snapshot_args = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "device", &qmp_str }, { "name", &qmp_str }, { 0 } },
};

static void change_snapshots(const QmpCall *call,
                             bool (*change)(Blk *blk, const char *name, GError **error),
                             GError **error)
{
    const Qmp *qmp = call->opaque;
    const char *device = json_object_get_string_member(call->args, "device");
    const char *name = json_object_get_string_member(call->args, "name");
    const QmpNode *node = qmp_node_find(qmp->plug, device, error);

    if (node && (!node->blk || !*name)) {
        set_error(error, *name ? "Node is a file; name the image in it"
                               : "Parameter 'name' expects a text that isn't empty");
    } else if (node) {
        change(node->blk, name, error);
    }
}

static JsonNode *snapshot_create(QmpCall *call, GError **error)
{
    change_snapshots(call, blk_snapshot_create, error);
    return NULL;
}

static JsonNode *snapshot_delete(QmpCall *call, GError **error)
{
    change_snapshots(call, blk_snapshot_delete, error);
    return NULL;
}

const QmpCommand qmp_node_commands[] = {
    { "__insula_snapshot-delete", &snapshot_args, NULL, false, snapshot_delete },
    { "block_resize", &resize_args, NULL, false, block_resize },
    { "blockdev-add", &node_options, NULL, false, blockdev_add },
    { "blockdev-del", &del_args, NULL, false, blockdev_del },
    { "blockdev-snapshot-internal-sync", &snapshot_args, NULL, false, snapshot_create },
    { 0 },
};
