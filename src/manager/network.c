/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Networks, see network.h.
 */
#include "manager/network.h"

#include <string.h>

#include "common/error.h"
#include "config/identity.h"
#include "config/limits.h"
#include "manager/event.h"
#include "manager/report.h"
#include "manager/storage_limits.h"
#include "manager/store.h"

#define SUFFIX_XML  ".xml"
#define SUFFIX_AUTO ".autostart"
/* That the default network was made once. */
#define MARK_DEFAULT "default.made"
#define DEFAULT_XML  "<network><name>" NETWORK_DEFAULT "</name><forward mode='nat'/></network>"

enum { LIST_PERSISTENT = 4, LIST_TRANSIENT = 8, LIST_AUTOSTART = 16, LIST_NO_AUTOSTART = 32 };

/* libvirt's numbers of what happens to a network. */
typedef enum NetworkEvent {
    NETWORK_DEFINED,
    NETWORK_UNDEFINED,
    NETWORK_STARTED,
    NETWORK_STOPPED,
} NetworkEvent;

typedef struct Network {
    NetworkConfig *config;
    NetworkConfig *next; /* what it is defined as; NULL: .config */
    bool active, persistent, autostart;
} Network;

struct Networks {
    char *definitions, *live; /* fixed after create */
    Events *events;
    GMutex lock;
    GPtrArray *all; /* of Network; owns them.  lock: .lock */
};

/* --- one network; from here on the lock is held, but in functions of network.h --- */

static void network_free(Network *network)
{
    network_config_free(network->config);
    network_config_free(network->next);
    g_free(network);
}

static char *file_of(const Network *network, const char *folder, const char *suffix)
{
    return g_strdup_printf("%s/%s%s", folder, network->config->name, suffix);
}

static void fill_handle(const Network *network, RemoteNetwork *ret)
{
    ret->name = g_strdup(network->config->name);
    memcpy(ret->uuid, network->config->uuid, sizeof(ret->uuid));
}

static void tell(const Networks *networks, const Network *network, NetworkEvent event)
{
    RemoteNetworkLifecycleMsg msg = { .event = event };

    if (networks->events) {
        fill_handle(network, &msg.net);
        events_network(networks->events, &msg.net, REMOTE_EVENT_NETWORK_LIFECYCLE, &msg);
        g_free(msg.net.name);
    }
}

static bool write_config(const NetworkConfig *config, const char *folder, GError **error)
{
    g_autofree char *path = g_strdup_printf("%s/%s%s", folder, config->name, SUFFIX_XML);
    g_autofree char *xml = network_config_format(config);

    return store_write(path, xml, error);
}

static bool must_be(const Network *network, bool active, const char *words, GError **error)
{
    if (network->active != active) {
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "Requested operation is not valid: network '%s' %s", network->config->name,
                         words);
    }
    return network->active == active;
}

static bool start(Networks *networks, Network *network, GError **error)
{
    if (!must_be(network, false, "is already active", error) ||
        !write_config(network->config, networks->live, error)) {
        return false;
    }
    network->active = true;
    tell(networks, network, NETWORK_STARTED);
    return true;
}

static bool stop(Networks *networks, Network *network, GError **error)
{
    g_autofree char *live = file_of(network, networks->live, SUFFIX_XML);

    if (!must_be(network, true, "is not active", error) || !store_remove(live, error)) {
        return false;
    }
    network->active = false;
    if (network->next) {
        network_config_free(network->config);
        network->config = g_steal_pointer(&network->next);
    }
    tell(networks, network, NETWORK_STOPPED);
    if (!network->persistent) {
        g_ptr_array_remove(networks->all, network);
    }
    return true;
}

/* --- the list --- */

static Network *find(const Networks *networks, const char *name, const uint8_t *uuid)
{
    for (unsigned i = 0; i < networks->all->len; i++) {
        Network *network = g_ptr_array_index(networks->all, i);
        if ((!name || !strcmp(network->config->name, name)) &&
            (!uuid || !memcmp(network->config->uuid, uuid, sizeof(network->config->uuid)))) {
            return network;
        }
    }
    return NULL;
}

static Network *find_handle(const Networks *networks, const uint8_t uuid[16], const char *name,
                            GError **error)
{
    Network *network = find(networks, NULL, uuid);

    if (!network) {
        g_autofree char *text = uuid_format(uuid);
        g_autofree char *of = name ? g_strdup_printf(" (%s)", name) : g_strdup("");
        remote_error_set(error, REMOTE_ERR_NO_NETWORK,
                         "Network not found: no network with matching uuid '%s'%s", text, of);
    }
    return network;
}

/* Whether @config may be the network that it names; *@ret_network is that, or NULL: it is new. */
static bool match(const Networks *networks, const NetworkConfig *config, Network **ret_network,
                  GError **error)
{
    Network *named = find(networks, config->name, NULL);
    Network *same = config->has_uuid ? find(networks, NULL, config->uuid) : NULL;

    if (named && config->has_uuid && named != same) {
        g_autofree char *uuid = uuid_format(named->config->uuid);
        remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                         "operation failed: network '%s' already exists with uuid %s", config->name,
                         uuid);
        return false;
    }
    if (same && !named) {
        g_autofree char *uuid = uuid_format(config->uuid);
        remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                         "operation failed: network '%s' is already defined with uuid %s",
                         same->config->name, uuid);
        return false;
    }
    if (!named && networks->all->len >= NETWORKS_MAX) {
        remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                         "operation failed: there are %d networks, which is all there may be",
                         NETWORKS_MAX);
        return false;
    }
    *ret_network = named;
    return true;
}

/* A new one in the list, with a UUID.  Takes ownership. */
static Network *add(Networks *networks, NetworkConfig *config)
{
    Network *network = g_new0(Network, 1);

    network->config = config;
    if (!config->has_uuid) {
        uuid_make(config->uuid);
        config->has_uuid = true;
    }
    g_ptr_array_add(networks->all, network);
    return network;
}

bool networks_by_name(Networks *networks, const char *name, RemoteNetwork *ret, GError **error)
{
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&networks->lock);
    const Network *network = find(networks, name, NULL);

    if (!network) {
        remote_error_set(error, REMOTE_ERR_NO_NETWORK,
                         "Network not found: no network with matching name '%s'", name);
        return false;
    }
    fill_handle(network, ret);
    return true;
}

bool networks_by_uuid(Networks *networks, const uint8_t uuid[16], RemoteNetwork *ret,
                      GError **error)
{
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&networks->lock);
    const Network *network = find_handle(networks, uuid, NULL, error);

    if (network) {
        fill_handle(network, ret);
    }
    return network != NULL;
}

/* Whether a bit of the group says so, or none of the group is set. */
static bool group_fits(uint32_t flags, uint32_t yes, uint32_t no, bool is)
{
    return !(flags & (yes | no)) || (flags & (is ? yes : no));
}

static bool fits(const Network *network, uint32_t flags)
{
    return group_fits(flags, NETWORKS_ACTIVE, NETWORKS_INACTIVE, network->active) &&
           group_fits(flags, LIST_PERSISTENT, LIST_TRANSIENT, network->persistent) &&
           group_fits(flags, LIST_AUTOSTART, LIST_NO_AUTOSTART, network->autostart);
}

static int by_name(gconstpointer a, gconstpointer b)
{
    const RemoteNetwork *left = a, *right = b;

    return strcmp(left->name, right->name);
}

RemoteNetwork *networks_list(Networks *networks, uint32_t flags, uint32_t *ret_n)
{
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&networks->lock);
    GArray *list = g_array_new(FALSE, TRUE, sizeof(RemoteNetwork));

    for (unsigned i = 0; i < networks->all->len; i++) {
        const Network *network = g_ptr_array_index(networks->all, i);
        if (fits(network, flags)) {
            RemoteNetwork handle = { 0 };
            fill_handle(network, &handle);
            g_array_append_val(list, handle);
        }
    }
    g_array_sort(list, by_name);
    *ret_n = list->len;
    return (RemoteNetwork *)(void *)g_array_free(list, FALSE);
}

/* --- defining --- */

/* Takes ownership of @config. */
static bool define(Networks *networks, NetworkConfig *config, RemoteNetwork *ret, GError **error)
{
    Network *network = NULL;

    if (!match(networks, config, &network, error)) {
        network_config_free(config);
        return false;
    }
    if (network) {
        memcpy(config->uuid, network->config->uuid, sizeof(config->uuid));
        config->has_uuid = true;
    } else if (!config->has_uuid) {
        uuid_make(config->uuid);
        config->has_uuid = true;
    }
    if (!write_config(config, networks->definitions, error)) {
        network_config_free(config);
        return false;
    }
    if (!network) {
        network = add(networks, config);
    } else if (network->active) {
        network_config_free(network->next);
        network->next = config;
    } else {
        network_config_free(network->config);
        network->config = config;
    }
    network->persistent = true;
    tell(networks, network, NETWORK_DEFINED);
    fill_handle(network, ret);
    return true;
}

bool networks_define(Networks *networks, const char *xml, RemoteNetwork *ret, GError **error)
{
    NetworkConfig *config = network_config_parse(xml, error);

    if (!config) {
        return false;
    }
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&networks->lock);
    return define(networks, config, ret, error);
}

bool networks_create(Networks *networks, const char *xml, RemoteNetwork *ret, GError **error)
{
    g_autoptr(NetworkConfig) config = network_config_parse(xml, error);
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&networks->lock);
    Network *network = NULL;

    if (!config || !match(networks, config, &network, error) ||
        (network && !must_be(network, false, "is already active", error))) {
        return false;
    }
    bool is_new = !network;
    if (is_new) {
        network = add(networks, g_steal_pointer(&config));
    }
    if (!start(networks, network, error)) {
        if (is_new) {
            g_ptr_array_remove(networks->all, network);
        }
        return false;
    }
    fill_handle(network, ret);
    return true;
}

/* --- what happens to one --- */

bool networks_start(Networks *networks, const RemoteNetwork *handle, GError **error)
{
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&networks->lock);
    Network *network = find_handle(networks, handle->uuid, handle->name, error);

    return network && start(networks, network, error);
}

bool networks_stop(Networks *networks, const RemoteNetwork *handle, GError **error)
{
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&networks->lock);
    Network *network = find_handle(networks, handle->uuid, handle->name, error);

    return network && stop(networks, network, error);
}

bool networks_undefine(Networks *networks, const RemoteNetwork *handle, GError **error)
{
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&networks->lock);
    Network *network = find_handle(networks, handle->uuid, handle->name, error);

    if (!network) {
        return false;
    }
    g_autofree char *xml = file_of(network, networks->definitions, SUFFIX_XML);
    g_autofree char *mark = file_of(network, networks->definitions, SUFFIX_AUTO);
    if (!network->persistent) {
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "Requested operation is not valid: network '%s' has no definition",
                         network->config->name);
        return false;
    }
    if (!store_remove(mark, error) || !store_remove(xml, error)) {
        return false;
    }
    network->persistent = network->autostart = false;
    g_clear_pointer(&network->next, network_config_free);
    tell(networks, network, NETWORK_UNDEFINED);
    if (!network->active) {
        g_ptr_array_remove(networks->all, network);
    }
    return true;
}

static bool set_autostart(Networks *networks, Network *network, bool on, GError **error)
{
    g_autofree char *mark = file_of(network, networks->definitions, SUFFIX_AUTO);

    if (!network->persistent) {
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "Requested operation is not valid: cannot set autostart for transient "
                         "network");
        return false;
    }
    if (on != network->autostart &&
        !(on ? store_write(mark, "", error) : store_remove(mark, error))) {
        return false;
    }
    network->autostart = on;
    return true;
}

bool networks_set_autostart(Networks *networks, const RemoteNetwork *handle, bool on,
                            GError **error)
{
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&networks->lock);
    Network *network = find_handle(networks, handle->uuid, handle->name, error);

    return network && set_autostart(networks, network, on, error);
}

/* --- telling --- */

bool networks_state(Networks *networks, const RemoteNetwork *handle, NetworkState *ret,
                    GError **error)
{
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&networks->lock);
    const Network *network = find_handle(networks, handle->uuid, handle->name, error);

    if (network) {
        *ret = (NetworkState){ network->active, network->persistent, network->autostart };
    }
    return network != NULL;
}

char *networks_xml(Networks *networks, const RemoteNetwork *handle, bool inactive, GError **error)
{
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&networks->lock);
    const Network *network = find_handle(networks, handle->uuid, handle->name, error);

    return network
               ? network_config_format(inactive && network->next ? network->next : network->config)
               : NULL;
}

GPtrArray *networks_forwards(Networks *networks, const char *name, const char *domain,
                             GError **error)
{
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&networks->lock);
    const Network *network = find(networks, name, NULL);

    if (!network) {
        remote_error_set(error, REMOTE_ERR_NO_NETWORK,
                         "Network not found: no network with matching name '%s'", name);
        return NULL;
    }
    if (!must_be(network, true, "is not active", error)) {
        return NULL;
    }
    NetworkConfig *copy = network_config_copy(network->config);
    GPtrArray *forwards = g_ptr_array_ref(copy->forwards);
    network_config_free(copy);
    for (unsigned i = forwards->len; i > 0; i--) {
        const NetworkForward *forward = g_ptr_array_index(forwards, i - 1);
        if (strcmp(forward->domain, domain)) {
            g_ptr_array_remove_index(forwards, i - 1);
        }
    }
    return forwards;
}

/* --- updating --- */

/* libvirt's numbers. */
enum { UPDATE_DELETE = 2, UPDATE_ADD_LAST = 3, UPDATE_ADD_FIRST = 4, SECTION_FORWARD = 6 };
enum { AFFECT_LIVE = 1, AFFECT_CONFIG = 2 };

/* A copy of @config with @forward added or taken away; NULL: that can't be. */
static NetworkConfig *changed(const NetworkConfig *config, const NetworkForward *forward,
                              uint32_t command, GError **error)
{
    g_autoptr(NetworkConfig) copy = network_config_copy(config);
    GPtrArray *forwards = copy->forwards;
    unsigned ports = (unsigned)(forward->end - forward->start) + 1;
    const char *why = command == UPDATE_DELETE ? "there is no such forward" : NULL;

    for (unsigned i = 0; i < forwards->len; i++) {
        const NetworkForward *other = g_ptr_array_index(forwards, i);
        ports += (unsigned)(other->end - other->start) + 1;
        if (command == UPDATE_DELETE && network_forward_equal(other, forward)) {
            g_ptr_array_remove_index(forwards, i);
            return g_steal_pointer(&copy);
        }
        if (command != UPDATE_DELETE && network_forward_overlaps(other, forward)) {
            why = "its port is forwarded already";
        }
    }
    if (!why && ports > CONFIG_FORWARDS_MAX) {
        why = "a network can't forward as many ports";
    }
    if (why) {
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "Requested operation is not valid: network '%s': %s", config->name, why);
        return NULL;
    }
    NetworkForward *own = g_new(NetworkForward, 1);
    *own = *forward;
    own->domain = g_strdup(forward->domain);
    own->address = g_strdup(forward->address);
    g_ptr_array_insert(forwards, command == UPDATE_ADD_FIRST ? 0 : -1, own);
    return g_steal_pointer(&copy);
}

static bool update_one(NetworkConfig **config, const char *folder, const NetworkForward *forward,
                       uint32_t command, GError **error)
{
    NetworkConfig *copy = changed(*config, forward, command, error);

    if (!copy || !write_config(copy, folder, error)) {
        network_config_free(copy);
        return false;
    }
    network_config_free(*config);
    *config = copy;
    return true;
}

static bool update(Networks *networks, Network *network, const NetworkForward *forward,
                   const NetworkUpdate *what, GError **error)
{
    uint32_t flags = what->flags & (AFFECT_LIVE | AFFECT_CONFIG);
    bool live = flags ? flags & AFFECT_LIVE : network->active;
    bool config = flags ? flags & AFFECT_CONFIG : !network->active;

    if (live && !must_be(network, true, "is not active", error)) {
        return false;
    }
    if (config && !network->persistent) {
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "Requested operation is not valid: network '%s' has no definition",
                         network->config->name);
        return false;
    }
    if (network->active && network->persistent && !network->next) {
        network->next = network_config_copy(network->config);
    }
    NetworkConfig **defined = network->next ? &network->next : &network->config;
    return (!live || update_one(&network->config, networks->live, forward, what->command, error)) &&
           (!config || update_one(defined, networks->definitions, forward, what->command, error));
}

bool networks_update(Networks *networks, const RemoteNetwork *handle, const NetworkUpdate *what,
                     GError **error)
{
    bool known = what->command == UPDATE_DELETE || what->command == UPDATE_ADD_LAST ||
                 what->command == UPDATE_ADD_FIRST;

    if (what->section != SECTION_FORWARD || !known) {
        remote_error_set(
            error, REMOTE_ERR_OPERATION_UNSUPPORTED,
            "Operation not supported: of a user-mode network, a portForward of section "
            "'forward' can be added and deleted, and nothing else be changed");
        return false;
    }
    g_autoptr(NetworkForward) forward = network_forward_parse(what->xml, error);
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&networks->lock);
    Network *network = forward ? find_handle(networks, handle->uuid, handle->name, error) : NULL;
    return network && update(networks, network, forward, what, error);
}

/* --- the begin --- */

static void read_one(Networks *networks, const StoreFile *file, bool live)
{
    g_autoptr(GError) error = NULL;
    NetworkConfig *config = file->text ? network_config_parse(file->text, &error) : NULL;
    Network *network = NULL;

    if (!config || strcmp(config->name, file->name) || !config->has_uuid ||
        !match(networks, config, &network, &error)) {
        g_warning("network '%s' is left out: %s", file->name,
                  error       ? error->message
                  : file->why ? file->why
                              : "its file doesn't say that name and a UUID");
        network_config_free(config);
        return;
    }
    if (!network) {
        network = add(networks, config);
        network->persistent = !live;
    } else {
        /* It is active as it was when it was started. */
        network->next = network->config;
        network->config = config;
    }
    network->active = live;
}

static bool read_folder(Networks *networks, const char *folder, bool live, GError **error)
{
    g_autoptr(GPtrArray) files = store_read_all(folder, SUFFIX_XML, error);

    for (unsigned i = 0; files && i < files->len; i++) {
        read_one(networks, g_ptr_array_index(files, i), live);
    }
    return files != NULL;
}

static bool make_default(Networks *networks, GError **error)
{
    g_autofree char *mark = g_strdup_printf("%s/%s", networks->definitions, MARK_DEFAULT);
    RemoteNetwork handle = { 0 };

    if (g_file_test(mark, G_FILE_TEST_EXISTS)) {
        return true;
    }
    if (!find(networks, NETWORK_DEFAULT, NULL)) {
        NetworkConfig *config = network_config_parse(DEFAULT_XML, error);
        if (!config || !define(networks, config, &handle, error)) {
            return false;
        }
        g_free(handle.name);
        if (!set_autostart(networks, find(networks, NETWORK_DEFAULT, NULL), true, error)) {
            return false;
        }
    }
    return store_write(mark, "", error);
}

static void start_by_itself(Networks *networks)
{
    for (unsigned i = 0; i < networks->all->len; i++) {
        Network *network = g_ptr_array_index(networks->all, i);
        g_autofree char *mark = file_of(network, networks->definitions, SUFFIX_AUTO);
        g_autoptr(GError) error = NULL;
        network->autostart = network->persistent && g_file_test(mark, G_FILE_TEST_EXISTS);
        if (network->autostart && !network->active && !start(networks, network, &error)) {
            g_warning("network '%s' does not start: %s", network->config->name, error->message);
        }
    }
}

Networks *networks_new(const NetworksSetup *setup, GError **error)
{
    Networks *networks = g_new0(Networks, 1);

    g_mutex_init(&networks->lock);
    networks->all = g_ptr_array_new_with_free_func((GDestroyNotify)network_free);
    networks->definitions = g_strdup(setup->definitions);
    networks->live = g_strdup(setup->live);
    store_folder_later(networks->definitions);
    store_folder_later(networks->live);
    if (!read_folder(networks, networks->definitions, false, error) ||
        !read_folder(networks, networks->live, true, error)) {
        networks_free(networks);
        return NULL;
    }
    g_autoptr(GError) no_default = NULL;
    if (!make_default(networks, &no_default)) {
        report("there is no default network yet: %s", no_default->message);
    }
    start_by_itself(networks);
    networks->events = setup->events;
    return networks;
}

void networks_free(Networks *networks)
{
    if (networks) {
        g_ptr_array_unref(networks->all);
        g_mutex_clear(&networks->lock);
        g_free(networks->definitions);
        g_free(networks->live);
        g_free(networks);
    }
}
