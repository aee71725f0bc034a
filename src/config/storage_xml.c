/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XML of storage pools and volumes, see storage_xml.h (libvirt's formatstorage).
 */
#include "config/storage_xml.h"

#include <limits.h>
#include <string.h>

#include "config/identity.h"
#include "config/limits.h"
#include "config/xml.h"
#include "config/xml_known.h"

/* --- rights of files --- */

static bool parse_mode(const XmlNode *node, FileRights *rights, GError **error)
{
    g_autofree char *text = xml_text(node);
    guint64 mode = 0;

    if (!g_ascii_string_to_unsigned(text, 8, 0, 07777, &mode, NULL)) {
        return xml_error(node, error, "'%s' is not an octal mode such as 0644", text);
    }
    rights->mode = (uint32_t)mode;
    rights->has_mode = true;
    return true;
}

/* A number of a user or group; -1 is nobody in particular. */
static bool parse_owner(const XmlNode *node, uint32_t *ret, bool *ret_has, GError **error)
{
    int64_t value = -1;

    if (!xml_get_integer(node, NULL, XML_REQUIRED, -1, UINT32_MAX - 1, &value, error)) {
        return false;
    }
    *ret_has = value >= 0;
    *ret = value >= 0 ? (uint32_t)value : 0;
    return true;
}

static bool parse_rights(const XmlNode *target, FileRights *rights, GError **error)
{
    static const char *const known[] = { "mode", "owner", "group", "label", NULL };
    const XmlNode *node = xml_child(target, "permissions");
    const XmlNode *mode = node ? xml_child(node, "mode") : NULL;
    const XmlNode *owner = node ? xml_child(node, "owner") : NULL;
    const XmlNode *group = node ? xml_child(node, "group") : NULL;

    return (!node || xml_only(node, known, error)) && (!mode || parse_mode(mode, rights, error)) &&
           (!owner || parse_owner(owner, &rights->owner, &rights->has_owner, error)) &&
           (!group || parse_owner(group, &rights->group, &rights->has_group, error));
}

static void format_rights(XmlWriter *writer, const FileRights *rights)
{
    g_autofree char *mode = g_strdup_printf("%04o", rights->mode);

    if (!rights->has_mode && !rights->has_owner && !rights->has_group) {
        return;
    }
    xml_open(writer, "permissions");
    if (rights->has_mode) {
        xml_put_element(writer, "mode", mode);
    }
    if (rights->has_owner) {
        xml_put_element_number(writer, "owner", rights->owner);
    }
    if (rights->has_group) {
        xml_put_element_number(writer, "group", rights->group);
    }
    xml_close(writer, "permissions");
}

/* --- paths --- */

/* A path that is absolute, and fits with a file's name behind it. */
static bool parse_path(const XmlNode *node, char **ret, GError **error)
{
    g_autofree char *text = xml_text(node);

    if (*text != '/' || strlen(text) > PATH_MAX - NAME_MAX - 2) {
        return xml_error(node, error, "'%s' is not the absolute path of a folder or file", text);
    }
    for (const char *c = text; *c; c++) {
        if (g_ascii_iscntrl(*c)) {
            return xml_error(node, error, "a path must not have control characters");
        }
    }
    *ret = g_canonicalize_filename(text, "/");
    return true;
}

/* --- pools --- */

static bool parse_pool(const XmlNode *root, PoolConfig *config, GError **error)
{
    static const char *const known[] = { "name",      "uuid",   "capacity", "allocation",
                                         "available", "source", "target",   NULL };
    static const char *const target_known[] = { "path", "permissions", NULL };
    static const char *const source_known[] = { NULL };
    const char *type = xml_attribute(root, "type");
    const XmlNode *name = xml_child(root, "name"), *uuid = xml_child(root, "uuid");
    const XmlNode *target = xml_child(root, "target"), *source = xml_child(root, "source");
    const XmlNode *path = target ? xml_child(target, "path") : NULL;

    if (!type) {
        return xml_error(root, error, "attribute 'type' is missing; it must be 'dir'");
    }
    if (strcmp(type, "dir")) {
        return xml_unsupported(root, error, "a pool of type '%s'; there are those of type 'dir'",
                               type);
    }
    if (!name || !path) {
        return xml_error(root, error, "element '%s' is missing", name ? "target/path" : "name");
    }
    config->has_uuid = uuid != NULL;
    return xml_only(root, known, error) && xml_only(target, target_known, error) &&
           (!source || xml_only(source, source_known, error)) &&
           xml_get_name(name, NULL, XML_REQUIRED, &config->name, error) &&
           (!uuid || xml_get_uuid(uuid, NULL, XML_REQUIRED, config->uuid, error)) &&
           parse_path(path, &config->path, error) && parse_rights(target, &config->rights, error);
}

PoolConfig *pool_config_parse(const char *xml, GError **error)
{
    g_autoptr(XmlNode) root = xml_parse(xml, "pool", error);
    g_autoptr(PoolConfig) config = g_new0(PoolConfig, 1);

    return root && parse_pool(root, config, error) ? g_steal_pointer(&config) : NULL;
}

char *pool_config_format(const PoolConfig *config, const PoolRoom *room, const FileRights *rights)
{
    XmlWriter *writer = xml_writer_new();
    g_autofree char *uuid = uuid_format(config->uuid);

    xml_open(writer, "pool");
    xml_put(writer, "type", "dir");
    xml_put_element(writer, "name", config->name);
    xml_put_element(writer, "uuid", config->has_uuid ? uuid : NULL);
    xml_put_element_size(writer, "capacity", "bytes", room ? room->capacity : 0);
    xml_put_element_size(writer, "allocation", "bytes", room ? room->allocation : 0);
    xml_put_element_size(writer, "available", "bytes", room ? room->available : 0);
    xml_open(writer, "source");
    xml_close(writer, "source");
    xml_open(writer, "target");
    xml_put_element(writer, "path", config->path);
    format_rights(writer, rights ? rights : &config->rights);
    xml_close(writer, "target");
    xml_close(writer, "pool");
    return xml_writer_end(writer);
}

PoolConfig *pool_config_copy(const PoolConfig *config)
{
    PoolConfig *copy = g_new(PoolConfig, 1);

    *copy = *config;
    copy->name = g_strdup(config->name);
    copy->path = g_strdup(config->path);
    return copy;
}

void pool_config_free(PoolConfig *config)
{
    if (config) {
        g_free(config->name);
        g_free(config->path);
        g_free(config);
    }
}

/* --- volumes --- */

static const char *const kinds[] = { "file", "block", "dir", NULL };

/* Units as libvirt has them; a number alone is bytes. */
static bool parse_size(const XmlNode *root, const char *name, bool *ret_has, uint64_t *ret,
                       GError **error)
{
    const XmlNode *node = xml_child(root, name);

    *ret_has = node != NULL;
    return !node || xml_get_size(node, "bytes", INT64_MAX, ret, error);
}

static bool parse_format(const XmlNode *parent, char **ret, GError **error)
{
    static const char *const formats[] = { "raw", "qcow2", "iso", "dir", NULL };
    const XmlNode *node = xml_child(parent, "format");
    const char *type = node ? xml_attribute(node, "type") : NULL;

    if (!node) {
        return true;
    }
    if (!type) {
        return xml_error(node, error, "attribute 'type' is missing");
    }
    if (!g_strv_contains(formats, type)) {
        return xml_unsupported(node, error, "format '%s'; there are raw and qcow2", type);
    }
    *ret = g_strdup(type);
    return true;
}

static bool parse_features(const XmlNode *target, VolumeConfig *config, GError **error)
{
    static const char *const known[] = { "lazy_refcounts", "extended_l2", NULL };
    static const char *const compats[] = { "0.10", "1.1", NULL };
    const XmlNode *compat = xml_child(target, "compat"), *node = xml_child(target, "features");
    const XmlNode *cluster = xml_child(target, "clusterSize");
    unsigned word = 0;

    if (compat && !xml_get_word(compat, NULL, XML_REQUIRED, compats, &word, error)) {
        return false;
    }
    config->compat = compat ? g_strdup(compats[word]) : NULL;
    if (cluster &&
        !xml_get_size(cluster, "bytes", CONFIG_CLUSTER_MAX, &config->cluster_size, error)) {
        return false;
    }
    config->has_features = node != NULL;
    config->lazy_refcounts = node && xml_child(node, "lazy_refcounts");
    config->extended_l2 = node && xml_child(node, "extended_l2");
    return !node || xml_only(node, known, error);
}

static bool parse_backing(const XmlNode *root, VolumeConfig *config, GError **error)
{
    static const char *const known[] = { "path", "format", "permissions", "timestamps", NULL };
    const XmlNode *node = xml_child(root, "backingStore");
    const XmlNode *path = node ? xml_child(node, "path") : NULL;

    if (!node || (!path && !node->children->len)) {
        return true;
    }
    if (!path) {
        return xml_error(node, error, "element 'path' is missing");
    }
    return xml_only(node, known, error) && parse_path(path, &config->backing_path, error) &&
           parse_format(node, &config->backing_format, error);
}

static bool parse_target(const XmlNode *root, VolumeConfig *config, GError **error)
{
    static const char *const known[] = { "path",        "format",   "permissions",
                                         "timestamps",  "compat",   "nocow",
                                         "clusterSize", "features", NULL };
    const XmlNode *target = xml_child(root, "target");

    return !target ||
           (xml_only(target, known, error) && parse_format(target, &config->format, error) &&
            parse_rights(target, &config->rights, error) && parse_features(target, config, error));
}

/* A file's name; more may be in it than in that of a machine. */
static bool parse_volume_name(const XmlNode *root, char **ret, GError **error)
{
    const XmlNode *node = xml_child(root, "name");
    g_autofree char *name = node ? xml_text(node) : NULL;

    if (!node || !*name) {
        return xml_error(root, error, "element 'name' is missing");
    }
    if (strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, "..") || strlen(name) > NAME_MAX) {
        return xml_error(node, error, "volume name '%s' cannot be the name of a file in a folder",
                         name);
    }
    for (const char *c = name; *c; c = g_utf8_next_char(c)) {
        if (g_unichar_iscntrl(g_utf8_get_char(c))) {
            return xml_error(node, error, "a volume's name must not have control characters");
        }
    }
    *ret = g_steal_pointer(&name);
    return true;
}

static bool parse_volume(const XmlNode *root, VolumeConfig *config, GError **error)
{
    static const char *const known[] = { "name",     "key",          "source",
                                         "capacity", "allocation",   "physical",
                                         "target",   "backingStore", NULL };
    unsigned kind = VOLUME_FILE;

    if (!xml_only(root, known, error) ||
        !xml_get_word(root, "type", XML_OPTIONAL, kinds, &kind, error) ||
        !parse_volume_name(root, &config->name, error) ||
        !parse_size(root, "capacity", &config->has_capacity, &config->capacity, error) ||
        !parse_size(root, "allocation", &config->has_allocation, &config->allocation, error) ||
        !parse_target(root, config, error) || !parse_backing(root, config, error)) {
        return false;
    }
    config->kind = (VolumeKind)kind;
    if (!config->has_allocation) {
        config->allocation = config->capacity;
    }
    return true;
}

VolumeConfig *volume_config_parse(const char *xml, GError **error)
{
    g_autoptr(XmlNode) root = xml_parse(xml, "volume", error);
    g_autoptr(VolumeConfig) config = g_new0(VolumeConfig, 1);

    return root && parse_volume(root, config, error) ? g_steal_pointer(&config) : NULL;
}

static void format_time(XmlWriter *writer, const char *name, VolumeTime time)
{
    g_autofree char *text =
        g_strdup_printf("%" G_GINT64_FORMAT ".%09u", (gint64)time.seconds, time.nanoseconds);

    xml_put_element(writer, name, text);
}

static void format_type(XmlWriter *writer, const char *format)
{
    if (format) {
        xml_open(writer, "format");
        xml_put(writer, "type", format);
        xml_close(writer, "format");
    }
}

static void format_mark(XmlWriter *writer, bool on, const char *name)
{
    if (on) {
        xml_open(writer, name);
        xml_close(writer, name);
    }
}

static void format_target(XmlWriter *writer, const VolumeConfig *config)
{
    xml_open(writer, "target");
    xml_put_element(writer, "path", config->path);
    format_type(writer, config->format);
    format_rights(writer, &config->rights);
    if (config->has_times) {
        xml_open(writer, "timestamps");
        format_time(writer, "atime", config->accessed);
        format_time(writer, "mtime", config->modified);
        format_time(writer, "ctime", config->changed);
        xml_close(writer, "timestamps");
    }
    xml_put_element(writer, "compat", config->compat);
    if (config->cluster_size) {
        xml_put_element_size(writer, "clusterSize", "B", config->cluster_size);
    }
    if (config->has_features) {
        xml_open(writer, "features");
        format_mark(writer, config->lazy_refcounts, "lazy_refcounts");
        format_mark(writer, config->extended_l2, "extended_l2");
        xml_close(writer, "features");
    }
    xml_close(writer, "target");
}

char *volume_config_format(const VolumeConfig *config)
{
    XmlWriter *writer = xml_writer_new();

    xml_open(writer, "volume");
    xml_put(writer, "type", kinds[config->kind]);
    xml_put_element(writer, "name", config->name);
    xml_put_element(writer, "key", config->path);
    if (config->has_capacity) {
        xml_put_element_size(writer, "capacity", "bytes", config->capacity);
    }
    if (config->has_allocation) {
        xml_put_element_size(writer, "allocation", "bytes", config->allocation);
    }
    if (config->has_physical) {
        xml_put_element_size(writer, "physical", "bytes", config->physical);
    }
    format_target(writer, config);
    if (config->backing_path) {
        xml_open(writer, "backingStore");
        xml_put_element(writer, "path", config->backing_path);
        format_type(writer, config->backing_format);
        xml_close(writer, "backingStore");
    }
    xml_close(writer, "volume");
    return xml_writer_end(writer);
}

void volume_config_free(VolumeConfig *config)
{
    if (config) {
        g_free(config->name);
        g_free(config->path);
        g_free(config->format);
        g_free(config->compat);
        g_free(config->backing_path);
        g_free(config->backing_format);
        g_free(config);
    }
}
