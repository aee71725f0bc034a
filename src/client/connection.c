/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections of libinsula, see connection.h.
 *
 * What comes is read in one place, receive(), whether a call waits or the main loop runs.  Replies
 * that somebody waits for and data of streams go where they belong at once; the rest is deferred,
 * and told from the GSource of the connection.
 */
#include "client/connection.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/internal.h"
#include "wire/limits.h"

typedef struct ConnectionSource {
    GSource source;
    InsulaConnection *connection;
} ConnectionSource;

static bool is_answered(const void *call)
{
    return ((const ClientCall *)call)->reply;
}

static void free_call(void *opaque)
{
    ClientCall *call = opaque;

    g_clear_pointer(&call->reply, rpc_packet_free);
    g_free(call);
}

static void free_packet(void *packet)
{
    rpc_packet_free(packet);
}

/* ---- sending and receiving ---- */

/* From here on nothing comes; takes ownership of @why. */
static void break_off(InsulaConnection *connection, GError *why)
{
    GHashTableIter streams;
    void *stream;

    if (connection->broken) {
        g_error_free(why);
        return;
    }
    connection->broken = why;
    g_hash_table_iter_init(&streams, connection->streams);
    while (g_hash_table_iter_next(&streams, NULL, &stream)) {
        client_stream_broken(stream);
    }
}

static void break_off_errno(InsulaConnection *connection, int err)
{
    GError *why = NULL;

    remote_error_set(&why, REMOTE_ERR_NO_CONNECT, "the connection to insulad is lost: %s",
                     err ? g_strerror(err) : "it has closed it");
    break_off(connection, why);
}

void client_send(InsulaConnection *connection, RpcPacket *packet, bool urgent)
{
    rpc_writer_add(&connection->writer, packet, urgent);
}

static void flush(InsulaConnection *connection)
{
    int status = connection->broken ? 0 : rpc_writer_flush(&connection->writer, connection->fd);

    if (status < 0 && status != -EAGAIN) {
        break_off_errno(connection, -status);
    }
}

static void answer_ping(InsulaConnection *connection, const RpcPacket *packet)
{
    RpcHeader header = packet->header;

    if (header.procedure == RPC_KEEPALIVE_PING) {
        header.procedure = RPC_KEEPALIVE_PONG;
        RpcPacket *pong = rpc_packet_new(&header, 0);
        rpc_packet_end(pong, NULL);
        client_send(connection, pong, true);
    }
}

static void take_reply(InsulaConnection *connection, RpcPacket *packet)
{
    ClientCall *call =
        g_hash_table_lookup(connection->calls, GUINT_TO_POINTER(packet->header.serial));

    if (!call || call->reply) {
        rpc_packet_free(packet); /* of a call that nobody waits for any more */
    } else if (call->waits) {
        call->reply = packet;
    } else {
        g_queue_push_tail(&connection->deferred, packet);
    }
}

static void take_packet(InsulaConnection *connection, RpcPacket *packet)
{
    uint32_t type = packet->header.type;
    InsulaStream *stream =
        g_hash_table_lookup(connection->streams, GUINT_TO_POINTER(packet->header.serial));

    if (packet->header.program == RPC_PROGRAM_KEEPALIVE) {
        answer_ping(connection, packet);
        rpc_packet_free(packet);
    } else if (type == RPC_REPLY || type == RPC_REPLY_WITH_FDS) {
        take_reply(connection, packet);
    } else if (type == RPC_MESSAGE) {
        g_queue_push_tail(&connection->deferred, packet);
    } else if (stream && (type == RPC_STREAM || type == RPC_STREAM_HOLE)) {
        client_stream_take(stream, packet);
    } else {
        rpc_packet_free(packet);
    }
}

/* Take what has come, once.  False: nothing had. */
static bool receive(InsulaConnection *connection)
{
    GError *error = NULL;
    int n = connection->broken ? -EAGAIN : rpc_reader_receive(&connection->reader, connection->fd);
    RpcPacket *packet;

    if (n == -EAGAIN) {
        return false;
    }
    if (n <= 0) {
        break_off_errno(connection, -n);
        return true;
    }
    while ((packet = rpc_reader_next(&connection->reader, &error))) {
        take_packet(connection, packet);
    }
    if (error) {
        g_prefix_error(&error, "insulad has sent what is no message: ");
        break_off(connection, error);
    }
    return true;
}

bool client_wait(InsulaConnection *connection, bool (*done)(const void *), const void *what,
                 GError **error)
{
    flush(connection);
    while (!done(what)) {
        short out = g_queue_is_empty(&connection->writer.packets) ? 0 : POLLOUT;
        struct pollfd fd = { .fd = connection->fd, .events = POLLIN | out };
        if (connection->broken) {
            g_propagate_error(error, g_error_copy(connection->broken));
            return false;
        }
        if (poll(&fd, 1, -1) < 0 && errno != EINTR) {
            break_off_errno(connection, errno);
        }
        receive(connection);
        flush(connection);
    }
    return true;
}

/* ---- calls ---- */

/* Send @call's words; returns its serial's entry. */
static ClientCall *begin(InsulaConnection *connection, const RemoteProcedure *procedure,
                         const void *args, GError **error)
{
    bool qemu = procedure->number & REMOTE_QEMU;
    RpcHeader header = {
        .program = qemu ? RPC_PROGRAM_QEMU : RPC_PROGRAM_REMOTE,
        .version = RPC_VERSION,
        .procedure = procedure->number & ~(uint32_t)REMOTE_QEMU,
        .type = RPC_CALL,
        .serial = connection->serial++,
    };
    g_autoptr(RpcPacket) packet = rpc_packet_new(&header, 0);

    if (connection->broken) {
        g_propagate_error(error, g_error_copy(connection->broken));
        return NULL;
    }
    if (procedure->args) {
        xdr_encode(packet->bytes, procedure->args, args);
    }
    if (!rpc_packet_end(packet, NULL)) {
        remote_error_set(error, REMOTE_ERR_RPC, "what %s is to be told is longer than %d MiB",
                         procedure->name, WIRE_MESSAGE_MAX >> 20);
        return NULL;
    }
    client_send(connection, g_steal_pointer(&packet), false);
    ClientCall *call = g_new0(ClientCall, 1);
    call->serial = header.serial;
    call->procedure = procedure;
    g_hash_table_insert(connection->calls, GUINT_TO_POINTER(call->serial), call);
    return call;
}

static const RemoteProcedure *find(uint32_t number, GError **error)
{
    const RemoteProcedure *procedure = remote_procedure(number);

    if (!procedure) {
        remote_error_set(error, REMOTE_ERR_NO_SUPPORT, "unknown procedure: %u", number);
    }
    return procedure;
}

/* Is it a good reply?  Else @error gets what it says. */
static bool is_good(const RpcPacket *reply, GError **error)
{
    size_t len;
    const uint8_t *bytes = rpc_payload(reply, &len);

    if (reply->header.status == RPC_OK) {
        return true;
    }
    remote_error_decode(bytes, len, error);
    return false;
}

static bool decode(const RemoteProcedure *procedure, const RpcPacket *reply, void *ret,
                   GError **error)
{
    size_t len;
    const uint8_t *bytes = rpc_payload(reply, &len);

    return !procedure->ret || !ret || xdr_decode(bytes, len, procedure->ret, ret, error);
}

RpcPacket *client_call(InsulaConnection *connection, const RemoteProcedure *procedure,
                       const void *args, GError **error)
{
    ClientCall *call = begin(connection, procedure, args, error);

    if (!call) {
        return NULL;
    }
    call->waits = true;
    g_autoptr(RpcPacket) reply = NULL;
    if (client_wait(connection, is_answered, call, error)) {
        reply = g_steal_pointer(&call->reply);
    }
    g_hash_table_remove(connection->calls, GUINT_TO_POINTER(call->serial));
    return reply && is_good(reply, error) ? g_steal_pointer(&reply) : NULL;
}

bool insula_call(InsulaConnection *connection, uint32_t procedure, const void *args, void *ret,
                 GError **error)
{
    const RemoteProcedure *row = find(procedure, error);
    g_autoptr(RpcPacket) reply = row ? client_call(connection, row, args, error) : NULL;

    return reply && decode(row, reply, ret, error);
}

int insula_call_fd(InsulaConnection *connection, uint32_t procedure, const void *args, void *ret,
                   GError **error)
{
    const RemoteProcedure *row = find(procedure, error);
    g_autoptr(RpcPacket) reply = row ? client_call(connection, row, args, error) : NULL;

    if (!reply) {
        return -1;
    }
    if (!reply->n_fds) {
        remote_error_set(error, REMOTE_ERR_RPC, "%s was answered without a descriptor", row->name);
        return -1;
    }
    if (!decode(row, reply, ret, error)) {
        return -1;
    }
    int fd = reply->fds[0];
    reply->fds[0] = -1;
    return fd;
}

void insula_call_later(InsulaConnection *connection, uint32_t procedure, const void *args,
                       InsulaAnswer answer, void *opaque)
{
    GError *error = NULL;
    const RemoteProcedure *row = find(procedure, &error);
    ClientCall *call = row ? begin(connection, row, args, &error) : NULL;

    if (!call) {
        /* told from the loop, as any answer */
        RpcHeader header = { .type = RPC_REPLY,
                             .status = RPC_ERROR,
                             .serial = connection->serial++ };
        RpcPacket *packet = rpc_packet_new(&header, 0);
        remote_error_encode(packet->bytes, error);
        rpc_packet_end(packet, NULL);
        g_error_free(error);
        call = g_new0(ClientCall, 1);
        call->serial = header.serial;
        g_hash_table_insert(connection->calls, GUINT_TO_POINTER(call->serial), call);
        g_queue_push_tail(&connection->deferred, packet);
    }
    call->answer = answer;
    call->opaque = opaque;
    g_main_context_wakeup(g_source_get_context(connection->source));
}

/* ---- telling ---- */

/* @call goes with its answer; @failed, if set, is the answer. */
static void tell_answer(InsulaConnection *connection, ClientCall *call, const RpcPacket *reply,
                        const GError *failed)
{
    const XdrType *type = call->procedure ? call->procedure->ret : NULL;
    g_autofree void *ret = type ? g_malloc0(type->size) : NULL;
    GError *error = failed ? g_error_copy(failed) : NULL;

    g_hash_table_steal(connection->calls, GUINT_TO_POINTER(call->serial));
    bool good =
        !error && is_good(reply, &error) && (!type || decode(call->procedure, reply, ret, &error));
    if (call->answer) {
        call->answer(connection, good ? ret : NULL, error, call->opaque);
    }
    if (good && type) {
        xdr_clear(type, ret);
    }
    g_clear_error(&error);
    free_call(call);
}

static void tell_event(InsulaConnection *connection, const RpcPacket *packet)
{
    const RemoteEvent *event = packet->header.program == RPC_PROGRAM_REMOTE
                                   ? remote_event(packet->header.procedure)
                                   : NULL;
    size_t len;
    const uint8_t *bytes = rpc_payload(packet, &len);

    if (!event) {
        return;
    }
    g_autofree void *message = g_malloc0(event->type->size);
    if (!xdr_decode(bytes, len, event->type, message, NULL)) {
        return;
    }
    for (unsigned i = 0; i < connection->watches->len && !connection->closing; i++) {
        ClientWatch watch = g_array_index(connection->watches, ClientWatch, i);
        if (watch.event == event->procedure && watch.told) {
            watch.told(connection, watch.event, message, watch.opaque);
        }
    }
    xdr_clear(event->type, message);
}

/* Answer all calls that will get none. */
static void tell_unanswered(InsulaConnection *connection, const GError *why)
{
    GHashTableIter calls;
    void *call;

    for (;;) {
        bool found = false;
        g_hash_table_iter_init(&calls, connection->calls);
        while (!found && g_hash_table_iter_next(&calls, NULL, &call)) {
            found = !((ClientCall *)call)->waits;
        }
        if (!found) {
            return;
        }
        tell_answer(connection, call, NULL, why);
    }
}

static void tell_streams(InsulaConnection *connection)
{
    g_autoptr(GList) streams = g_hash_table_get_values(connection->streams);

    for (GList *one = streams; one && !connection->closing; one = one->next) {
        InsulaStream *stream = one->data;
        bool there =
            g_hash_table_contains(connection->streams, GUINT_TO_POINTER(stream->header.serial));
        if (there && stream->told && insula_stream_ready(stream)) {
            stream->told(stream, stream->opaque);
        }
    }
}

static void tell(InsulaConnection *connection)
{
    RpcPacket *packet;

    while (!connection->closing && (packet = g_queue_pop_head(&connection->deferred))) {
        ClientCall *call = NULL;
        if (packet->header.type == RPC_MESSAGE) {
            tell_event(connection, packet);
        } else {
            call = g_hash_table_lookup(connection->calls, GUINT_TO_POINTER(packet->header.serial));
        }
        if (call) {
            tell_answer(connection, call, packet, NULL);
        }
        rpc_packet_free(packet);
    }
    if (!connection->closing) {
        tell_streams(connection);
    }
    if (connection->broken && !connection->closing) {
        tell_unanswered(connection, connection->broken);
        InsulaGone gone = connection->gone;
        connection->gone = NULL;
        if (gone && !connection->closing) {
            gone(connection, connection->broken, connection->gone_opaque);
        }
    }
}

/* ---- the main loop ---- */

static bool has_stream_data(InsulaConnection *connection)
{
    GHashTableIter streams;
    void *stream;

    g_hash_table_iter_init(&streams, connection->streams);
    while (g_hash_table_iter_next(&streams, NULL, &stream)) {
        if (((InsulaStream *)stream)->told && insula_stream_ready(stream)) {
            return true;
        }
    }
    return false;
}

static gboolean prepare(GSource *source, int *ret_timeout)
{
    InsulaConnection *connection = ((ConnectionSource *)source)->connection;
    bool tells = !g_queue_is_empty(&connection->deferred) || has_stream_data(connection) ||
                 (connection->broken && (connection->gone || g_hash_table_size(connection->calls)));

    flush(connection);
    g_source_modify_unix_fd(source, connection->fd_tag,
                            connection->broken                              ? 0
                            : g_queue_is_empty(&connection->writer.packets) ? G_IO_IN
                                                                            : G_IO_IN | G_IO_OUT);
    *ret_timeout = -1;
    return tells;
}

static gboolean check(GSource *source)
{
    InsulaConnection *connection = ((ConnectionSource *)source)->connection;

    return g_source_query_unix_fd(source, connection->fd_tag) ||
           !g_queue_is_empty(&connection->deferred);
}

static gboolean dispatch(GSource *source, GSourceFunc callback, void *opaque)
{
    InsulaConnection *connection = ((ConnectionSource *)source)->connection;

    connection->inside++;
    receive(connection);
    tell(connection);
    flush(connection);
    connection->inside--;
    if (connection->closing && !connection->inside) {
        connection->closing = false;
        insula_close(connection);
    }
    return G_SOURCE_CONTINUE;
}

static void attach(InsulaConnection *connection)
{
    static const GSourceFuncs functions = { .prepare = prepare,
                                            .check = check,
                                            .dispatch = dispatch };

    connection->source =
        g_source_new((GSourceFuncs *)(uintptr_t)&functions, sizeof(ConnectionSource));
    ((ConnectionSource *)connection->source)->connection = connection;
    g_source_set_can_recurse(connection->source, TRUE);
    connection->fd_tag = g_source_add_unix_fd(connection->source, connection->fd, G_IO_IN);
    g_source_attach(connection->source, g_main_context_get_thread_default());
}

/* ---- beginning and end ---- */

static bool say_hello(InsulaConnection *connection, char *name, InsulaOpenFlags flags,
                      GError **error)
{
    RemoteConnectOpenArgs args = { .name = name, .flags = flags & INSULA_OPEN_READ_ONLY ? 1 : 0 };
    RemoteAuthListRet auth = { 0 };
    bool none;

    if (!insula_call(connection, REMOTE_PROC_AUTH_LIST, NULL, &auth, error)) {
        return false;
    }
    none = !auth.n_types;
    for (unsigned i = 0; i < auth.n_types; i++) {
        none = none || auth.types[i] == 0;
    }
    xdr_clear(&remote_auth_list_ret_type, &auth);
    if (!none) {
        remote_error_set(error, REMOTE_ERR_AUTH_FAILED,
                         "the daemon wants a kind of authentication that libinsula doesn't have");
        return false;
    }
    return insula_call(connection, REMOTE_PROC_CONNECT_OPEN, &args, NULL, error);
}

InsulaConnection *insula_open(const char *where, InsulaOpenFlags flags, GError **error)
{
    GPid ssh = 0;
    g_autofree char *name = NULL;
    int fd = client_reach(where, flags, &ssh, &name, error);

    if (fd < 0) {
        return NULL;
    }
    InsulaConnection *connection = g_new0(InsulaConnection, 1);
    connection->fd = fd;
    connection->ssh = ssh;
    connection->calls = g_hash_table_new_full(NULL, NULL, NULL, free_call);
    connection->streams = g_hash_table_new(NULL, NULL);
    connection->watches = g_array_new(FALSE, FALSE, sizeof(ClientWatch));
    g_queue_init(&connection->deferred);
    rpc_reader_init(&connection->reader, WIRE_MESSAGE_MAX);
    rpc_writer_init(&connection->writer);
    attach(connection);
    if (!say_hello(connection, name, flags, error)) {
        insula_close(connection);
        return NULL;
    }
    return connection;
}

void insula_close(InsulaConnection *connection)
{
    g_autoptr(GError) why = NULL;

    if (!connection || connection->closing) {
        return;
    }
    if (connection->inside) {
        connection->closing = true; /* dispatch() does it */
        return;
    }
    connection->inside++;
    remote_error_set(&why, REMOTE_ERR_OPERATION_ABORTED, "the connection was closed");
    tell_unanswered(connection, why);
    flush(connection);
    g_source_destroy(connection->source);
    g_source_unref(connection->source);
    close(connection->fd);
    if (connection->ssh) {
        while (waitpid(connection->ssh, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    g_queue_clear_full(&connection->deferred, free_packet);
    g_hash_table_unref(connection->calls);
    g_hash_table_unref(connection->streams);
    g_array_unref(connection->watches);
    rpc_reader_clear(&connection->reader);
    rpc_writer_clear(&connection->writer);
    g_clear_error(&connection->broken);
    g_free(connection);
}

void insula_on_gone(InsulaConnection *connection, InsulaGone told, void *opaque)
{
    connection->gone = told;
    connection->gone_opaque = opaque;
}

/* ---- events ---- */

/* How the families are registered for. */
static const struct {
    RemoteFamily family;
    uint32_t procedure;
} families[] = {
    { REMOTE_FAMILY_DOMAIN, REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY },
    { REMOTE_FAMILY_NETWORK, REMOTE_PROC_CONNECT_NETWORK_EVENT_REGISTER_ANY },
    { REMOTE_FAMILY_POOL, REMOTE_PROC_CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY },
    { REMOTE_FAMILY_NODE_DEVICE, REMOTE_PROC_CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY },
    { REMOTE_FAMILY_SECRET, REMOTE_PROC_CONNECT_SECRET_EVENT_REGISTER_ANY },
};

/* The arguments of all of these have the same form. */
static bool ask_for(InsulaConnection *connection, const RemoteEvent *event, GError **error)
{
    RemoteConnectDomainEventCallbackRegisterAnyArgs args = { .event_id = event->event_id };
    RemoteConnectDomainEventCallbackRegisterAnyRet ret = { 0 };

    for (unsigned i = 0; i < G_N_ELEMENTS(families); i++) {
        if (families[i].family == event->family) {
            return insula_call(connection, families[i].procedure, &args, &ret, error);
        }
    }
    return true; /* one of the connection, which isn't asked for */
}

bool insula_watch(InsulaConnection *connection, RemoteEventId event, InsulaEvent told, void *opaque,
                  GError **error)
{
    ClientWatch watch = { event, told, opaque };
    const RemoteEvent *row = remote_event(event);
    bool known = false;

    if (!row) {
        remote_error_set(error, REMOTE_ERR_NO_SUPPORT, "unknown event: %d", (int)event);
        return false;
    }
    for (unsigned i = 0; i < connection->watches->len; i++) {
        known = known || g_array_index(connection->watches, ClientWatch, i).event == event;
    }
    if (!known && !ask_for(connection, row, error)) {
        return false;
    }
    g_array_append_val(connection->watches, watch);
    return true;
}

void insula_unwatch(InsulaConnection *connection, InsulaEvent told, void *opaque)
{
    for (unsigned i = connection->watches->len; i-- > 0;) {
        ClientWatch *watch = &g_array_index(connection->watches, ClientWatch, i);
        if (watch->told == told && watch->opaque == opaque) {
            watch->told = NULL; /* the daemon goes on telling, and nobody hears */
        }
    }
}
