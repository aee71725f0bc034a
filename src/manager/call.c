/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a call, see call.h and dispatch.h.
 */
#include "manager/call.h"

#include <inttypes.h>
#include <unistd.h>

#include "manager/dispatch.h"
#include "manager/limits.h"
#include "manager/server.h"
#include "manager/stream_internal.h"
#include "wire/limits.h"

struct Call {
    Client *client;    /* a reference */
    RpcPacket *packet; /* owned */
    const RemoteProcedure *procedure;
    AccessWho who;  /* as it was when the call came */
    GArray *fds;    /* of int: to go with the reply; NULL: none */
    Stream *stream; /* to begin with the reply; NULL: none */
};

/* Calls wait for a thread in one of two pools. */
struct Workers {
    GThreadPool *usual, *priority;
    int busy; /* atomic: calls in .usual */
};

Daemon *call_daemon(const Call *call)
{
    return call->client->daemon;
}

Client *call_client(const Call *call)
{
    return call->client;
}

bool call_read_only(const Call *call)
{
    return call->who.read_only;
}

bool call_is_over(const Call *call)
{
    g_mutex_lock(&call->client->lock);
    bool over = call->client->fd < 0;
    g_mutex_unlock(&call->client->lock);
    return over;
}

uid_t call_uid(const Call *call)
{
    return call->client->uid;
}

bool call_deny(const Call *call, GError **error)
{
    access_deny(call->procedure, error);
    return false;
}

int call_take_fd(Call *call)
{
    for (unsigned i = 0; i < call->packet->n_fds; i++) {
        const int fd = call->packet->fds[i];
        if (fd >= 0) {
            call->packet->fds[i] = -1;
            return fd;
        }
    }
    return -1;
}

void call_return_fd(Call *call, int fd)
{
    if (!call->fds) {
        call->fds = g_array_new(FALSE, FALSE, sizeof(int));
    }
    g_array_append_val(call->fds, fd);
}

Stream *call_stream(Call *call, const StreamOps *ops, void *opaque, GError **error)
{
    g_assert(!call->stream);
    call->stream =
        stream_new(call->client, &call->packet->header, call->procedure->flags, ops, opaque, error);
    return call->stream;
}

static void call_free(Call *call)
{
    for (unsigned i = 0; call->fds && i < call->fds->len; i++) {
        close(g_array_index(call->fds, int, i));
    }
    g_clear_pointer(&call->fds, g_array_unref);
    g_clear_pointer(&call->stream, stream_unref);
    rpc_packet_free(call->packet);
    client_unref(call->client);
    g_free(call);
}

/* The reply with @ret; NULL, @error set: it doesn't fit into a message. */
static RpcPacket *reply_packet(Call *call, const void *ret, GError **error)
{
    const bool has_fds = call->fds && call->fds->len > 0;
    const RpcHeader header =
        client_answer(&call->packet->header, has_fds ? RPC_REPLY_WITH_FDS : RPC_REPLY, RPC_OK);
    RpcPacket *packet = rpc_packet_new(&header, has_fds ? call->fds->len : 0);

    if (call->procedure->ret) {
        xdr_encode(packet->bytes, call->procedure->ret, ret);
    }
    if (!rpc_packet_end(packet, has_fds ? (const int *)(const void *)call->fds->data : NULL)) {
        rpc_packet_free(packet);
        remote_error_set(error, REMOTE_ERR_RPC, "Unable to encode message payload");
        return NULL;
    }
    if (has_fds) {
        g_array_set_size(call->fds, 0); /* the packet's now */
    }
    return packet;
}

/* Arguments, handler, reply; NULL, and @error set, if it fails. */
static RpcPacket *run_handler(Call *call, CallHandler handler, GError **error)
{
    const RemoteProcedure *procedure = call->procedure;
    g_autofree void *args = g_malloc0(MAX(procedure->args_size, 1));
    g_autofree void *ret = g_malloc0(MAX(procedure->ret_size, 1));
    RpcPacket *reply = NULL;
    size_t len;
    const uint8_t *payload = rpc_payload(call->packet, &len);

    if (procedure->args && !xdr_decode(payload, len, procedure->args, args, NULL)) {
        remote_error_set(error, REMOTE_ERR_RPC, "Unable to decode message payload");
        return NULL;
    }
    if (handler(call, args, ret, error)) {
        reply = reply_packet(call, ret, error);
    } else if (error && !*error) {
        remote_error_set(error, REMOTE_ERR_INTERNAL, "internal error: %s failed", procedure->name);
    }
    if (procedure->args) {
        xdr_clear(procedure->args, args);
    }
    if (procedure->ret) {
        xdr_clear(procedure->ret, ret);
    }
    return reply;
}

/* What the call is answered with. */
static RpcPacket *answer(Call *call, uint32_t number, GError **error)
{
    CallHandler handler = call->procedure ? dispatch_handler(number) : NULL;

    if (call->procedure && !access_allows(&call->who, call->procedure, error)) {
        return NULL;
    }
    if (!handler) {
        remote_error_set(error, REMOTE_ERR_RPC, "unknown procedure: %" PRIu32,
                         call->packet->header.procedure);
        return NULL;
    }
    return run_handler(call, handler, error);
}

static uint32_t number_of(const RpcPacket *packet)
{
    const uint32_t number = packet->header.procedure;

    if (packet->header.program != RPC_PROGRAM_QEMU) {
        return number < REMOTE_QEMU ? number : 0;
    }
    return number < REMOTE_QEMU ? REMOTE_QEMU + number : 0;
}

/* Answer the call, and free it. */
static void run(Call *call)
{
    g_autoptr(GError) error = NULL;
    RpcPacket *reply = answer(call, number_of(call->packet), &error);

    if (reply && call->stream) {
        stream_begin(call->stream, reply);
    } else {
        client_send(call->client,
                    reply ? reply : client_error_packet(&call->packet->header, error));
    }
    call_free(call);
}

static Call *call_new(Client *client, RpcPacket *packet)
{
    Call *call = g_new0(Call, 1);

    call->client = client_ref(client);
    call->packet = packet;
    call->procedure = remote_procedure(number_of(packet));
    g_mutex_lock(&client->lock);
    call->who = client->who;
    g_mutex_unlock(&client->lock);
    return call;
}

static void work(gpointer data, gpointer user)
{
    Call *call = data;
    int *busy = user;
    g_autoptr(Client) client = client_ref(call->client);

    run(call);
    if (busy) {
        g_atomic_int_add(busy, -1);
    }
    client_call_done(client);
}

Workers *workers_new(void)
{
    Workers *workers = g_new0(Workers, 1);

    workers->usual = g_thread_pool_new(work, &workers->busy, WORKERS_MAX, FALSE, NULL);
    workers->priority = g_thread_pool_new(work, NULL, WORKERS_PRIORITY_MAX, FALSE, NULL);
    return workers;
}

void workers_free(Workers *workers)
{
    g_thread_pool_free(workers->usual, FALSE, TRUE);
    g_thread_pool_free(workers->priority, FALSE, TRUE);
    g_free(workers);
}

bool call_is_inline(const Client *client, const RpcPacket *packet)
{
    const RemoteProcedure *procedure = remote_procedure(number_of(packet));

    return procedure && procedure->flags & REMOTE_INLINE;
}

void call_run_inline(Client *client, RpcPacket *packet)
{
    run(call_new(client, packet));
}

void call_begin(Client *client, RpcPacket *packet)
{
    Workers *workers = server_workers(client->daemon->server);
    Call *call = call_new(client, packet);
    const bool priority = call->procedure && call->procedure->flags & REMOTE_PRIORITY;

    /* Threads for priority calls help where the others are all busy. */
    if (priority && g_atomic_int_get(&workers->busy) >= WORKERS_MAX) {
        g_thread_pool_push(workers->priority, call, NULL);
    } else {
        g_atomic_int_inc(&workers->busy);
        g_thread_pool_push(workers->usual, call, NULL);
    }
}
