/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls of snapshots.
 *
 * Threads: workers.
 * Read first: manager/domain_snapshot.h.
 */
#include <string.h>

#include "manager/domain_find.h"
#include "manager/domain_snapshot.h"
#include "manager/domains.h"

enum {
    LIST_ROOTS = 1,
    LIST_METADATA = 2,
    LIST_LEAVES = 4,
    LIST_NO_LEAVES = 8,
    LIST_NO_METADATA = 16,
    LIST_INACTIVE = 32,
    LIST_ACTIVE = 64,
    LIST_DISK_ONLY = 128,
    LIST_INTERNAL = 256,
    LIST_EXTERNAL = 512,
    LIST_TOPOLOGICAL = 1024,
    LIST_KNOWN = 2047
};

static void reply(Domain *domain, const char *name, RemoteSnapshot *ret)
{
    domain_reply(domain, &ret->dom);
    ret->name = g_strdup(name);
}

/* The domain of a snapshot that a client names. */
static Domain *domain_of(const Call *call, const RemoteSnapshot *named, GError **error)
{
    return domains_find(call_daemon(call)->domains, &named->dom, error);
}

/* ---- lists ---- */

static bool has_parent(const SnapshotConfig *snapshot, const char *name)
{
    return snapshot->parent && !strcmp(snapshot->parent->name, name);
}

static bool has_children(const GPtrArray *all, const char *name)
{
    for (unsigned i = 0; i < all->len; i++) {
        if (has_parent(all->pdata[i], name)) {
            return true;
        }
    }
    return false;
}

/* Whether one of the bits of a group that are asked for is @bit. */
static bool in_group(unsigned flags, unsigned group, unsigned bit)
{
    return !(flags & group) || flags & group & bit;
}

static bool matches(const GPtrArray *all, const SnapshotConfig *snapshot, unsigned flags)
{
    unsigned leaf = has_children(all, snapshot->name) ? LIST_NO_LEAVES : LIST_LEAVES;
    unsigned state = snapshot->state == SNAPSHOT_DISK      ? LIST_DISK_ONLY
                     : snapshot->state == SNAPSHOT_SHUTOFF ? LIST_INACTIVE
                                                           : LIST_ACTIVE;

    return in_group(flags, LIST_METADATA | LIST_NO_METADATA, LIST_METADATA) &&
           in_group(flags, LIST_LEAVES | LIST_NO_LEAVES, leaf) &&
           in_group(flags, LIST_INACTIVE | LIST_ACTIVE | LIST_DISK_ONLY, state) &&
           in_group(flags, LIST_INTERNAL | LIST_EXTERNAL, LIST_INTERNAL);
}

/* Those of @domain below @parent (NULL: all, or with LIST_ROOTS those without a parent). */
static GPtrArray *chosen(Domain *domain, const char *parent, unsigned flags)
{
    GPtrArray *found = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) all = domain_snapshots(domain);

    for (unsigned i = 0; i < all->len; i++) {
        const SnapshotConfig *snapshot = all->pdata[i];
        bool below = parent               ? has_parent(snapshot, parent)
                     : flags & LIST_ROOTS ? !snapshot->parent
                                          : true;
        if (below && matches(all, snapshot, flags)) {
            g_ptr_array_add(found, g_strdup(snapshot->name));
        }
    }
    return found;
}

static bool fill_names(GPtrArray *found, int32_t max, char ***ret, uint32_t *ret_n)
{
    *ret = g_new0(char *, found->len);
    for (unsigned i = 0; i < found->len && (int32_t)i < max; i++) {
        (*ret)[(*ret_n)++] = g_strdup(found->pdata[i]);
    }
    return true;
}

static bool fill_snapshots(Domain *domain, GPtrArray *found, bool results, RemoteSnapshot **ret,
                           uint32_t *ret_n)
{
    *ret = g_new0(RemoteSnapshot, found->len);
    for (unsigned i = 0; results && i < found->len; i++) {
        reply(domain, found->pdata[i], &(*ret)[(*ret_n)++]);
    }
    return true;
}

static bool num(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainSnapshotNumArgs *in = args;
    g_autoptr(Domain) domain = call_domain(call, args, error);

    if (!domain || !call_flags(in->flags, LIST_KNOWN, error)) {
        return false;
    }
    g_autoptr(GPtrArray) found = chosen(domain, NULL, in->flags);
    ((RemoteDomainSnapshotNumRet *)ret)->num = (int32_t)found->len;
    return true;
}

static bool list_names(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainSnapshotListNamesArgs *in = args;
    RemoteDomainSnapshotListNamesRet *out = ret;
    g_autoptr(Domain) domain = call_domain(call, args, error);

    if (!domain || !call_flags(in->flags, LIST_KNOWN, error)) {
        return false;
    }
    g_autoptr(GPtrArray) found = chosen(domain, NULL, in->flags);
    return fill_names(found, in->maxnames, &out->names, &out->n_names);
}

static bool list_all(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainListAllSnapshotsArgs *in = args;
    RemoteDomainListAllSnapshotsRet *out = ret;
    g_autoptr(Domain) domain = call_domain(call, args, error);

    if (!domain || !call_flags(in->flags, LIST_KNOWN, error)) {
        return false;
    }
    g_autoptr(GPtrArray) found = chosen(domain, NULL, in->flags);
    out->ret = (int32_t)found->len;
    return fill_snapshots(domain, found, in->need_results, &out->snapshots, &out->n_snapshots);
}

static bool num_children(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainSnapshotNumChildrenArgs *in = args;
    g_autoptr(Domain) domain = domain_of(call, &in->snap, error);

    if (!domain) {
        return false;
    }
    g_autoptr(GPtrArray) found = chosen(domain, in->snap.name, in->flags & ~(unsigned)LIST_ROOTS);
    ((RemoteDomainSnapshotNumChildrenRet *)ret)->num = (int32_t)found->len;
    return true;
}

static bool list_children_names(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainSnapshotListChildrenNamesArgs *in = args;
    RemoteDomainSnapshotListChildrenNamesRet *out = ret;
    g_autoptr(Domain) domain = domain_of(call, &in->snap, error);

    if (!domain) {
        return false;
    }
    g_autoptr(GPtrArray) found = chosen(domain, in->snap.name, in->flags & ~(unsigned)LIST_ROOTS);
    return fill_names(found, in->maxnames, &out->names, &out->n_names);
}

static bool list_all_children(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainSnapshotListAllChildrenArgs *in = args;
    RemoteDomainSnapshotListAllChildrenRet *out = ret;
    g_autoptr(Domain) domain = domain_of(call, &in->snapshot, error);

    if (!domain) {
        return false;
    }
    g_autoptr(GPtrArray) found =
        chosen(domain, in->snapshot.name, in->flags & ~(unsigned)LIST_ROOTS);
    out->ret = (int32_t)found->len;
    return fill_snapshots(domain, found, in->need_results, &out->snapshots, &out->n_snapshots);
}

/* ---- one ---- */

static bool lookup(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainSnapshotLookupByNameArgs *in = args;
    g_autoptr(Domain) domain = call_domain(call, args, error);
    g_autoptr(SnapshotConfig) snapshot =
        domain ? domain_snapshot_find(domain, in->name, error) : NULL;

    if (snapshot) {
        reply(domain, snapshot->name, &((RemoteDomainSnapshotLookupByNameRet *)ret)->snap);
    }
    return snapshot != NULL;
}

static bool current(Call *call, const void *args, void *ret, GError **error)
{
    g_autoptr(Domain) domain = call_domain(call, args, error);
    g_autoptr(SnapshotConfig) snapshot = domain ? domain_snapshot_find(domain, NULL, error) : NULL;

    if (snapshot) {
        reply(domain, snapshot->name, &((RemoteDomainSnapshotCurrentRet *)ret)->snap);
    }
    return snapshot != NULL;
}

static bool has_current(Call *call, const void *args, void *ret, GError **error)
{
    g_autoptr(Domain) domain = call_domain(call, args, error);
    g_autoptr(SnapshotConfig) snapshot = domain ? domain_snapshot_find(domain, NULL, NULL) : NULL;

    ((RemoteDomainHasCurrentSnapshotRet *)ret)->result = snapshot != NULL;
    return domain != NULL;
}

static bool is_current(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainSnapshotIsCurrentArgs *in = args;
    g_autoptr(Domain) domain = domain_of(call, &in->snap, error);

    if (domain) {
        ((RemoteDomainSnapshotIsCurrentRet *)ret)->current =
            domain_snapshot_is_current(domain, in->snap.name);
    }
    return domain != NULL;
}

static bool has_metadata(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainSnapshotHasMetadataArgs *in = args;
    g_autoptr(Domain) domain = domain_of(call, &in->snap, error);
    g_autoptr(SnapshotConfig) snapshot =
        domain ? domain_snapshot_find(domain, in->snap.name, error) : NULL;

    ((RemoteDomainSnapshotHasMetadataRet *)ret)->metadata = snapshot != NULL;
    return snapshot != NULL;
}

static bool get_parent(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainSnapshotGetParentArgs *in = args;
    g_autoptr(Domain) domain = domain_of(call, &in->snap, error);
    g_autoptr(SnapshotConfig) snapshot =
        domain ? domain_snapshot_find(domain, in->snap.name, error) : NULL;

    if (!snapshot) {
        return false;
    }
    if (!snapshot->parent) {
        remote_error_set(error, REMOTE_ERR_NO_DOMAIN_SNAPSHOT,
                         "Domain snapshot not found: snapshot '%s' does not have a parent",
                         in->snap.name);
        return false;
    }
    reply(domain, snapshot->parent->name, &((RemoteDomainSnapshotGetParentRet *)ret)->snap);
    return true;
}

static bool get_xml(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainSnapshotGetXmlDescArgs *in = args;
    g_autoptr(Domain) domain = domain_of(call, &in->snap, error);
    g_autoptr(SnapshotConfig) snapshot =
        domain && call_flags(in->flags, DOMAIN_FORMAT_SECURE, error)
            ? domain_snapshot_find(domain, in->snap.name, error)
            : NULL;

    if (!snapshot) {
        return false;
    }
    if (in->flags & DOMAIN_FORMAT_SECURE && call_read_only(call)) {
        return call_deny(call, error);
    }
    ((RemoteDomainSnapshotGetXmlDescRet *)ret)->xml =
        snapshot_config_format(snapshot, in->flags | DOMAIN_FORMAT_INACTIVE);
    return true;
}

/* ---- changes ---- */

static bool create(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainSnapshotCreateXmlArgs *in = args;
    g_autoptr(Domain) domain = call_domain(call, args, error);
    unsigned known =
        SNAPSHOT_HALT | SNAPSHOT_DISK_ONLY | SNAPSHOT_ATOMIC | SNAPSHOT_LIVE | SNAPSHOT_VALIDATE;

    if (!domain || !call_flags(in->flags, known, error)) {
        return false;
    }
    SnapshotConfig *wanted = snapshot_config_parse(in->xml_desc, DOMAIN_PARSE_INACTIVE, error);
    if (!wanted || !domain_begin(domain, error)) {
        snapshot_config_free(wanted);
        return false;
    }
    g_autofree char *name = domain_snapshot_take(domain, wanted, in->flags, error);
    domain_end(domain);
    if (name) {
        reply(domain, name, &((RemoteDomainSnapshotCreateXmlRet *)ret)->snap);
    }
    return name != NULL;
}

static bool revert(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainRevertToSnapshotArgs *in = args;
    g_autoptr(Domain) domain = domain_of(call, &in->snap, error);

    if (!domain || !call_flags(in->flags, REVERT_RUNNING | REVERT_PAUSED | REVERT_FORCE, error) ||
        !domain_begin(domain, error)) {
        return false;
    }
    bool good = domain_snapshot_revert(domain, in->snap.name, in->flags, error);
    domain_end(domain);
    return good;
}

static bool delete (Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainSnapshotDeleteArgs *in = args;
    g_autoptr(Domain) domain = domain_of(call, &in->snap, error);
    unsigned known = DELETE_CHILDREN | DELETE_METADATA_ONLY | DELETE_CHILDREN_ONLY;

    if (!domain || !call_flags(in->flags, known, error) || !domain_begin(domain, error)) {
        return false;
    }
    bool good = domain_snapshot_delete(domain, in->snap.name, in->flags, error);
    domain_end(domain);
    return good;
}

const CallRow domain_snapshot_calls[] = {
    { REMOTE_PROC_DOMAIN_HAS_CURRENT_SNAPSHOT, has_current },
    { REMOTE_PROC_DOMAIN_LIST_ALL_SNAPSHOTS, list_all },
    { REMOTE_PROC_DOMAIN_REVERT_TO_SNAPSHOT, revert },
    { REMOTE_PROC_DOMAIN_SNAPSHOT_CREATE_XML, create },
    { REMOTE_PROC_DOMAIN_SNAPSHOT_CURRENT, current },
    { REMOTE_PROC_DOMAIN_SNAPSHOT_DELETE, delete },
    { REMOTE_PROC_DOMAIN_SNAPSHOT_GET_PARENT, get_parent },
    { REMOTE_PROC_DOMAIN_SNAPSHOT_GET_XML_DESC, get_xml },
    { REMOTE_PROC_DOMAIN_SNAPSHOT_HAS_METADATA, has_metadata },
    { REMOTE_PROC_DOMAIN_SNAPSHOT_IS_CURRENT, is_current },
    { REMOTE_PROC_DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN, list_all_children },
    { REMOTE_PROC_DOMAIN_SNAPSHOT_LIST_CHILDREN_NAMES, list_children_names },
    { REMOTE_PROC_DOMAIN_SNAPSHOT_LIST_NAMES, list_names },
    { REMOTE_PROC_DOMAIN_SNAPSHOT_LOOKUP_BY_NAME, lookup },
    { REMOTE_PROC_DOMAIN_SNAPSHOT_NUM, num },
    { REMOTE_PROC_DOMAIN_SNAPSHOT_NUM_CHILDREN, num_children },
    { 0 },
};
