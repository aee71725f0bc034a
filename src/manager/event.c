/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events, see event.h; and the calls that register for them.
 *
 * A message is encoded once and sent to each who has registered; only the callback's id differs,
 * which is its first word.
 */
#include "manager/event.h"

#include <inttypes.h>
#include <string.h>

#include "manager/client.h"
#include "manager/dispatch.h"
#include "manager/limits.h"
#include "wire/rpc.h"

typedef struct Registration {
    Client *client; /* lives as long as this: events_forget() */
    RemoteFamily family;
    int32_t event_id, callback_id;
    char *object; /* what it is about; no two of a family share it.  NULL: all */
} Registration;

struct Events {
    GMutex lock;
    GArray *registrations;
    int32_t next_id;
};

static void registration_clear(gpointer data)
{
    g_free(((Registration *)data)->object);
}

Events *events_new(void)
{
    Events *events = g_new0(Events, 1);

    g_mutex_init(&events->lock);
    events->registrations = g_array_new(FALSE, FALSE, sizeof(Registration));
    g_array_set_clear_func(events->registrations, registration_clear);
    return events;
}

void events_free(Events *events)
{
    g_array_unref(events->registrations);
    g_mutex_clear(&events->lock);
    g_free(events);
}

static char *key_of_uuid(const uint8_t uuid[16])
{
    GString *key = g_string_sized_new(33);

    for (unsigned i = 0; i < 16; i++) {
        g_string_append_printf(key, "%02x", uuid[i]);
    }
    return g_string_free(key, FALSE);
}

/* The first registration of @client's with @callback_id, or -1. */
static int find_locked(const Events *events, const Client *client, RemoteFamily family,
                       int32_t callback_id)
{
    for (unsigned i = 0; i < events->registrations->len; i++) {
        const Registration *r = &g_array_index(events->registrations, Registration, i);
        if (r->client == client && r->family == family && r->callback_id == callback_id) {
            return (int)i;
        }
    }
    return -1;
}

/* Takes @object. */
static bool add(Call *call, RemoteFamily family, int32_t event_id, char *object,
                int32_t *ret_callback_id, GError **error)
{
    Events *events = call_daemon(call)->events;
    Registration r = {
        .client = call_client(call), .family = family, .event_id = event_id, .object = object
    };

    if (!remote_event_find(family, event_id)) {
        g_free(object);
        remote_error_set(error, REMOTE_ERR_INTERNAL,
                         "internal error: unsupported event ID %" PRId32, event_id);
        return false;
    }
    g_mutex_lock(&events->lock);
    const bool fits = r.client->registrations < REGISTRATIONS_MAX;
    if (fits) {
        r.client->registrations++;
        r.callback_id = events->next_id;
        events->next_id = (int32_t)(((uint32_t)events->next_id + 1) & G_MAXINT32);
        g_array_append_val(events->registrations, r);
    }
    g_mutex_unlock(&events->lock);
    if (!fits) {
        g_free(object);
        remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                         "operation failed: too many events are registered for");
        return false;
    }
    *ret_callback_id = r.callback_id;
    return true;
}

static bool drop(Call *call, RemoteFamily family, int32_t callback_id, const char *what,
                 GError **error)
{
    Events *events = call_daemon(call)->events;

    g_mutex_lock(&events->lock);
    const int i = find_locked(events, call_client(call), family, callback_id);
    if (i >= 0) {
        call_client(call)->registrations--;
        g_array_remove_index(events->registrations, (guint)i);
    }
    g_mutex_unlock(&events->lock);
    if (i < 0) {
        remote_error_set(error, REMOTE_ERR_INTERNAL,
                         "internal error: %s event callback %" PRId32 " not registered", what,
                         callback_id);
    }
    return i >= 0;
}

void events_forget(Events *events, Client *client)
{
    g_mutex_lock(&events->lock);
    for (unsigned i = events->registrations->len; client->registrations > 0 && i-- > 0;) {
        if (g_array_index(events->registrations, Registration, i).client == client) {
            client->registrations--;
            g_array_remove_index(events->registrations, i);
        }
    }
    g_mutex_unlock(&events->lock);
}

static void send(const Registration *r, const RemoteEvent *event, const GByteArray *payload)
{
    const RpcHeader header = { RPC_PROGRAM_REMOTE, RPC_VERSION, event->procedure,
                               RPC_MESSAGE,        1,           RPC_OK };
    const uint32_t id = GUINT32_TO_BE((uint32_t)r->callback_id);
    RpcPacket *packet = rpc_packet_new(&header, 0);

    g_byte_array_append(packet->bytes, payload->data, payload->len);
    memcpy(packet->bytes->data + packet->payload, &id, sizeof(id));
    if (!rpc_packet_end(packet, NULL)) {
        rpc_packet_free(packet);
        return;
    }
    client_send(r->client, packet);
}

/* Tell who has registered for @id of all objects, or of the one with @key, which it frees. */
static void tell(Events *events, RemoteEventId id, char *key, const void *msg)
{
    const RemoteEvent *event = remote_event(id);
    g_autoptr(GByteArray) payload = g_byte_array_new();
    g_autofree char *object = key;

    xdr_encode(payload, event->type, msg);
    g_mutex_lock(&events->lock);
    for (unsigned i = 0; i < events->registrations->len; i++) {
        const Registration *r = &g_array_index(events->registrations, Registration, i);
        if (r->family == event->family && r->event_id == event->event_id &&
            (!r->object || strcmp(r->object, object) == 0)) {
            send(r, event, payload);
        }
    }
    g_mutex_unlock(&events->lock);
}

void events_domain(Events *events, const RemoteDomain *domain, RemoteEventId event, const void *msg)
{
    tell(events, event, key_of_uuid(domain->uuid), msg);
}

void events_network(Events *events, const RemoteNetwork *network, RemoteEventId event,
                    const void *msg)
{
    tell(events, event, key_of_uuid(network->uuid), msg);
}

void events_pool(Events *events, const RemotePool *pool, RemoteEventId event, const void *msg)
{
    tell(events, event, key_of_uuid(pool->uuid), msg);
}

void events_node_device(Events *events, const RemoteNodeDevice *device, RemoteEventId event,
                        const void *msg)
{
    tell(events, event, g_strdup(device->name), msg);
}

void events_secret(Events *events, const RemoteSecret *secret, RemoteEventId event, const void *msg)
{
    tell(events, event, key_of_uuid(secret->uuid), msg);
}

void events_domain_lifecycle(Events *events, const RemoteDomain *domain, int32_t event,
                             int32_t detail)
{
    const RemoteDomainLifecycleMsg msg = { .dom = *domain, .event = event, .detail = detail };

    events_domain(events, domain, REMOTE_EVENT_DOMAIN_LIFECYCLE, &msg);
}

/* The calls of each family differ in the type of their object alone. */
#define REGISTRATION(word, FAMILY, Args, Ret, Deregister, key, what)                               \
    static bool register_##word(Call *call, const void *args, void *ret, GError **error)           \
    {                                                                                              \
        const Args *a = args;                                                                      \
        return add(call, FAMILY, a->event_id, key, &((Ret *)ret)->callback_id, error);             \
    }                                                                                              \
    static bool deregister_##word(Call *call, const void *args, void *ret, GError **error)         \
    {                                                                                              \
        return drop(call, FAMILY, ((const Deregister *)args)->callback_id, what, error);           \
    }

REGISTRATION(domain, REMOTE_FAMILY_DOMAIN, RemoteConnectDomainEventCallbackRegisterAnyArgs,
             RemoteConnectDomainEventCallbackRegisterAnyRet,
             RemoteConnectDomainEventCallbackDeregisterAnyArgs,
             a->dom ? key_of_uuid(a->dom->uuid) : NULL, "domain")
REGISTRATION(network, REMOTE_FAMILY_NETWORK, RemoteConnectNetworkEventRegisterAnyArgs,
             RemoteConnectNetworkEventRegisterAnyRet, RemoteConnectNetworkEventDeregisterAnyArgs,
             a->net ? key_of_uuid(a->net->uuid) : NULL, "network")
REGISTRATION(pool, REMOTE_FAMILY_POOL, RemoteConnectStoragePoolEventRegisterAnyArgs,
             RemoteConnectStoragePoolEventRegisterAnyRet,
             RemoteConnectStoragePoolEventDeregisterAnyArgs,
             a->pool ? key_of_uuid(a->pool->uuid) : NULL, "storage pool")
REGISTRATION(node_device, REMOTE_FAMILY_NODE_DEVICE, RemoteConnectNodeDeviceEventRegisterAnyArgs,
             RemoteConnectNodeDeviceEventRegisterAnyRet,
             RemoteConnectNodeDeviceEventDeregisterAnyArgs, a->dev ? g_strdup(a->dev->name) : NULL,
             "node device")
REGISTRATION(secret, REMOTE_FAMILY_SECRET, RemoteConnectSecretEventRegisterAnyArgs,
             RemoteConnectSecretEventRegisterAnyRet, RemoteConnectSecretEventDeregisterAnyArgs,
             a->secret ? key_of_uuid(a->secret->uuid) : NULL, "secret")

const CallRow event_calls[] = {
    { REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, register_domain },
    { REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY, deregister_domain },
    { REMOTE_PROC_CONNECT_NETWORK_EVENT_REGISTER_ANY, register_network },
    { REMOTE_PROC_CONNECT_NETWORK_EVENT_DEREGISTER_ANY, deregister_network },
    { REMOTE_PROC_CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY, register_pool },
    { REMOTE_PROC_CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY, deregister_pool },
    { REMOTE_PROC_CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY, register_node_device },
    { REMOTE_PROC_CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY, deregister_node_device },
    { REMOTE_PROC_CONNECT_SECRET_EVENT_REGISTER_ANY, register_secret },
    { REMOTE_PROC_CONNECT_SECRET_EVENT_DEREGISTER_ANY, deregister_secret },
    { 0 },
};
