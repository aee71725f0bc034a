/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshot XML in and out, see snapshot.h.
 *
 * Threads: no state.
 */
#include "config/snapshot.h"

#include "config/domain_tables.h"

static const char *const states[] = {
    "",        "nostate", "running",     "blocked",       "paused", "shutdown",
    "shutoff", "crashed", "pmsuspended", "disk-snapshot", NULL
};
static const char *const places[] = { "", "no", "internal", "external", NULL };

static bool check_disk(const XmlNode *node, const void *what, GError **error);

static const XmlRow parent_rows[] = {
    { ROW_ELEMENT, "name", ROW_NAME, offsetof(SnapshotParent, name), ROW_REQUIRED },
    { 0 },
};
static const XmlShape parent_shape = { sizeof(SnapshotParent), parent_rows };

static const XmlRow memory_rows[] = {
    { ROW_ATTRIBUTE, "snapshot", ROW_WORD, offsetof(SnapshotMemory, where), .words = places },
    { ROW_ATTRIBUTE, "file", ROW_TEXT, offsetof(SnapshotMemory, file) },
    { 0 },
};
static const XmlShape memory_shape = { sizeof(SnapshotMemory), memory_rows };

static const XmlRow driver_rows[] = {
    { ROW_ATTRIBUTE, "type", ROW_TEXT, offsetof(SnapshotDiskDriver, type) },
    { 0 },
};
static const XmlShape driver_shape = { sizeof(SnapshotDiskDriver), driver_rows };

static const XmlRow source_rows[] = {
    { ROW_ATTRIBUTE, "file", ROW_TEXT, offsetof(SnapshotDiskSource, file) },
    { ROW_ATTRIBUTE, "dev", ROW_REFUSED, 0, .note = "disks are files" },
    { ROW_ELEMENT, "seclabel", ROW_KEPT },
    { 0 },
};
static const XmlShape source_shape = { sizeof(SnapshotDiskSource), source_rows };

static const XmlRow disk_rows[] = {
    { ROW_ATTRIBUTE, "name", ROW_TEXT, offsetof(SnapshotDisk, name), ROW_REQUIRED },
    { ROW_ATTRIBUTE, "snapshot", ROW_WORD, offsetof(SnapshotDisk, where), .words = places },
    { ROW_ATTRIBUTE, "type", ROW_KEPT },
    { ROW_ELEMENT, "driver", ROW_ONE, offsetof(SnapshotDisk, driver), .shape = &driver_shape },
    { ROW_ELEMENT, "source", ROW_ONE, offsetof(SnapshotDisk, source), .shape = &source_shape },
    { 0 },
};
static const XmlShape disk_shape = { sizeof(SnapshotDisk), disk_rows, .check = check_disk };

static const XmlRow disks_rows[] = {
    { ROW_ELEMENT, "disk", ROW_MANY, offsetof(SnapshotConfig, disks), .shape = &disk_shape },
    { 0 },
};
static const XmlShape disks_shape = { sizeof(SnapshotConfig), disks_rows };

static const XmlRow rows[] = {
    { ROW_ELEMENT, "name", ROW_NAME, offsetof(SnapshotConfig, name) },
    { ROW_ELEMENT, "description", ROW_TEXT, offsetof(SnapshotConfig, description) },
    { ROW_ELEMENT, "state", ROW_WORD, offsetof(SnapshotConfig, state), .words = states },
    { ROW_ELEMENT, "creationTime", ROW_NUMBER, offsetof(SnapshotConfig, created) },
    { ROW_ELEMENT, "parent", ROW_ONE, offsetof(SnapshotConfig, parent), .shape = &parent_shape },
    { ROW_ELEMENT, "memory", ROW_ONE, offsetof(SnapshotConfig, memory), .shape = &memory_shape },
    { ROW_ELEMENT, "disks", ROW_SAME, .shape = &disks_shape },
    { ROW_ELEMENT, "domain", ROW_ONE, offsetof(SnapshotConfig, domain), .shape = &domain_shape,
      .note = "as a domain's own XML" },
    { ROW_ELEMENT, "inactiveDomain", ROW_ONE, offsetof(SnapshotConfig, inactive),
      .shape = &domain_shape, .note = "the same" },
    { ROW_ELEMENT, "active", ROW_NUMBER, offsetof(SnapshotConfig, active), ROW_LIVE, .max = 1 },
    { ROW_ELEMENT, "cookie", ROW_KEPT },
    { 0 },
};
static const XmlShape snapshot_shape = { sizeof(SnapshotConfig), rows };

static bool check_disk(const XmlNode *node, const void *what, GError **error)
{
    const SnapshotDisk *disk = what;

    if (disk->source && disk->source->file && disk->where == DOMAIN_DISK_SNAPSHOT_INTERNAL) {
        return xml_error(node, error, "an internal snapshot has no file of its own");
    }
    return true;
}

static void forget_life(SnapshotConfig *snapshot)
{
    if (snapshot->domain) {
        domain_config_forget_life(snapshot->domain);
    }
    if (snapshot->inactive) {
        domain_config_forget_life(snapshot->inactive);
    }
}

SnapshotConfig *snapshot_config_parse(const char *xml, DomainParseFlags flags, GError **error)
{
    g_autoptr(XmlNode) root = xml_parse(xml, "domainsnapshot", error);
    XmlContext context = { xml, flags & DOMAIN_PARSE_LIVE ? SHAPE_ALL : SHAPE_SECRET };
    g_autoptr(SnapshotConfig) snapshot = snapshot_config_new();

    if (!root || !xml_shape_parse(&snapshot_shape, &context, root, snapshot, error)) {
        return NULL;
    }
    if (!(flags & DOMAIN_PARSE_LIVE)) {
        forget_life(snapshot);
    }
    return g_steal_pointer(&snapshot);
}

char *snapshot_config_format(const SnapshotConfig *snapshot, unsigned flags)
{
    bool live = !(flags & (DOMAIN_FORMAT_INACTIVE | DOMAIN_FORMAT_MIGRATABLE));
    XmlContext context = { NULL, (live ? SHAPE_LIVE : 0U) |
                                     (flags & DOMAIN_FORMAT_SECURE ? SHAPE_SECRET : 0U) };
    g_autoptr(SnapshotConfig) copy = snapshot_config_copy(snapshot);
    XmlWriter *writer = xml_writer_new();

    if (!live) {
        forget_life(copy);
    }
    xml_shape_format(&snapshot_shape, &context, writer, "domainsnapshot", copy);
    return xml_writer_end(writer);
}

SnapshotConfig *snapshot_config_new(void)
{
    return xml_shape_new(&snapshot_shape);
}

SnapshotConfig *snapshot_config_copy(const SnapshotConfig *snapshot)
{
    return xml_shape_copy(&snapshot_shape, snapshot);
}

void snapshot_config_free(SnapshotConfig *snapshot)
{
    xml_shape_free(&snapshot_shape, snapshot);
}
