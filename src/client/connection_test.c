/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of libinsula against a small daemon of the test's own, a thread that answers by script.
 */
#include "client/connection.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/calls_gen.h"
#include "client/stream.h"
#include "wire/limits.h"
#include "wire/rpc.h"

/* ---- the other side ---- */

typedef struct Peer {
    char *folder, *path;
    int listener, fd;
    GThread *thread;
    RpcReader reader;
    RpcWriter writer;
    unsigned pongs; /* of the thread, and of others once it has ended */
} Peer;

static void peer_send(Peer *peer, const RpcHeader *header, const XdrType *type, const void *value)
{
    RpcPacket *packet = rpc_packet_new(header, 0);

    if (type) {
        xdr_encode(packet->bytes, type, value);
    }
    rpc_packet_end(packet, NULL);
    rpc_writer_add(&peer->writer, packet, false);
    while (rpc_writer_flush(&peer->writer, peer->fd) == -EAGAIN) {
        struct pollfd out = { .fd = peer->fd, .events = POLLOUT };
        poll(&out, 1, -1);
    }
}

static void peer_reply(Peer *peer, const RpcPacket *call, const XdrType *type, const void *ret)
{
    RpcHeader header = call->header;

    header.type = RPC_REPLY;
    peer_send(peer, &header, type, ret);
}

static void peer_fail(Peer *peer, const RpcPacket *call, RpcType type, RemoteErrorCode code,
                      const char *message)
{
    g_autoptr(GError) error = NULL;
    RpcHeader header = call->header;

    remote_error_set(&error, code, "%s", message);
    header.type = type;
    header.status = RPC_ERROR;
    RpcPacket *packet = rpc_packet_new(&header, 0);
    remote_error_encode(packet->bytes, error);
    rpc_packet_end(packet, NULL);
    rpc_writer_add(&peer->writer, packet, false);
    rpc_writer_flush(&peer->writer, peer->fd);
}

static void peer_stream(Peer *peer, const RpcPacket *call, RpcStatus status, const char *text)
{
    RpcHeader header = call->header;

    header.type = RPC_STREAM;
    header.status = status;
    RpcPacket *packet = rpc_packet_new(&header, 0);
    g_byte_array_append(packet->bytes, (const guint8 *)text, (guint)strlen(text));
    rpc_packet_end(packet, NULL);
    rpc_writer_add(&peer->writer, packet, false);
    rpc_writer_flush(&peer->writer, peer->fd);
}

static void peer_event(Peer *peer, const char *name, int event)
{
    RpcHeader header = { RPC_PROGRAM_REMOTE, 1, REMOTE_EVENT_DOMAIN_LIFECYCLE, RPC_MESSAGE, 1, 0 };
    RemoteDomainLifecycleMsg message = { .callback_id = 7,
                                         .dom = { .name = (char *)(uintptr_t)name, .id = 3 },
                                         .event = event };

    peer_send(peer, &header, &remote_domain_lifecycle_msg_type, &message);
}

static void on_lookup(Peer *peer, const RpcPacket *call)
{
    RemoteDomainLookupByNameArgs args = { 0 };
    RemoteDomainLookupByNameRet ret = { 0 };
    size_t len;
    const uint8_t *bytes = rpc_payload(call, &len);

    g_assert_true(xdr_decode(bytes, len, &remote_domain_lookup_by_name_args_type, &args, NULL));
    if (!strcmp(args.name, "none")) {
        peer_fail(peer, call, RPC_REPLY, REMOTE_ERR_NO_DOMAIN,
                  "Domain not found: no domain with matching "
                  "name 'none'");
    } else {
        ret.dom = (RemoteDomain){ .name = args.name, .id = -1 };
        peer_event(peer, args.name, 2); /* comes before the reply */
        peer_reply(peer, call, &remote_domain_lookup_by_name_ret_type, &ret);
    }
    xdr_clear(&remote_domain_lookup_by_name_args_type, &args);
}

/* False: the connection is to be closed. */
static bool peer_answer(Peer *peer, const RpcPacket *call)
{
    static const RpcHeader ping = {
        RPC_PROGRAM_KEEPALIVE, 1, RPC_KEEPALIVE_PING, RPC_MESSAGE, 0, 0
    };
    int32_t none = 0;
    RemoteAuthListRet auth = { .types = &none, .n_types = 1 };
    RemoteConnectGetTypeRet type = { .type = (char *)(uintptr_t) "QEMU" };
    RemoteConnectDomainEventCallbackRegisterAnyRet registered = { .callback_id = 7 };

    switch (call->header.procedure) {
    case REMOTE_PROC_AUTH_LIST:
        peer_reply(peer, call, &remote_auth_list_ret_type, &auth);
        return true;
    case REMOTE_PROC_CONNECT_GET_TYPE:
        peer_send(peer, &ping, NULL, NULL);
        peer_reply(peer, call, &remote_connect_get_type_ret_type, &type);
        return true;
    case REMOTE_PROC_DOMAIN_LOOKUP_BY_NAME:
        on_lookup(peer, call);
        return true;
    case REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY:
        peer_reply(peer, call, &remote_connect_domain_event_callback_register_any_ret_type,
                   &registered);
        return true;
    case REMOTE_PROC_STORAGE_VOL_DOWNLOAD:
        peer_reply(peer, call, NULL, NULL);
        peer_stream(peer, call, RPC_CONTINUE, "first ");
        peer_stream(peer, call, RPC_CONTINUE, "second");
        peer_stream(peer, call, RPC_CONTINUE, "");
        return true;
    case REMOTE_PROC_DOMAIN_SCREENSHOT:
        peer_reply(peer, call, NULL, NULL);
        peer_stream(peer, call, RPC_CONTINUE, "half");
        peer_fail(peer, call, RPC_STREAM, REMOTE_ERR_OPERATION_FAILED, "the screen is gone");
        return true;
    case REMOTE_PROC_CONNECT_CLOSE:
        return false;
    default:
        peer_reply(peer, call, NULL, NULL);
        return true;
    }
}

/* What a stream's packet is answered with: the same, as a console would. */
static void peer_echo(Peer *peer, const RpcPacket *packet)
{
    size_t len;
    const uint8_t *bytes = rpc_payload(packet, &len);

    if (packet->header.status == RPC_ERROR) {
        return;
    }
    RpcPacket *echo = rpc_packet_new(&packet->header, 0);
    g_byte_array_append(echo->bytes, bytes, (guint)len);
    rpc_packet_end(echo, NULL);
    rpc_writer_add(&peer->writer, echo, false);
    while (rpc_writer_flush(&peer->writer, peer->fd) == -EAGAIN) {
        struct pollfd out = { .fd = peer->fd, .events = POLLOUT };
        poll(&out, 1, -1);
    }
}

static bool peer_serve(Peer *peer, const RpcPacket *packet)
{
    if (packet->header.program == RPC_PROGRAM_KEEPALIVE) {
        peer->pongs += packet->header.procedure == RPC_KEEPALIVE_PONG;
        return true;
    }
    if (packet->header.type == RPC_STREAM) {
        peer_echo(peer, packet);
        return true;
    }
    return peer_answer(peer, packet);
}

static void *peer_main(void *opaque)
{
    Peer *peer = opaque;
    bool open = true;

    peer->fd = accept(peer->listener, NULL, NULL);
    rpc_reader_init(&peer->reader, WIRE_MESSAGE_MAX);
    rpc_writer_init(&peer->writer);
    while (open) {
        struct pollfd in = { .fd = peer->fd, .events = POLLIN };
        poll(&in, 1, -1);
        open = rpc_reader_receive(&peer->reader, peer->fd) > 0;
        for (RpcPacket *packet; open && (packet = rpc_reader_next(&peer->reader, NULL));) {
            open = peer_serve(peer, packet);
            rpc_packet_free(packet);
        }
    }
    rpc_reader_clear(&peer->reader);
    rpc_writer_clear(&peer->writer);
    close(peer->fd);
    return NULL;
}

static Peer *peer_new(void)
{
    Peer *peer = g_new0(Peer, 1);
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    peer->folder = g_dir_make_tmp("insula-XXXXXX", NULL);
    peer->path = g_build_filename(peer->folder, "sock", NULL);
    g_strlcpy(address.sun_path, peer->path, sizeof(address.sun_path));
    peer->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(peer->listener, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(listen(peer->listener, 5), ==, 0);
    peer->thread = g_thread_new("peer", peer_main, peer);
    return peer;
}

/* Returns how many pings were answered. */
static unsigned peer_end(Peer *peer)
{
    g_thread_join(peer->thread);
    unsigned pongs = peer->pongs;
    close(peer->listener);
    g_unlink(peer->path);
    g_rmdir(peer->folder);
    g_free(peer->path);
    g_free(peer->folder);
    g_free(peer);
    return pongs;
}

static InsulaConnection *open_peer(const Peer *peer)
{
    g_autoptr(GError) error = NULL;
    InsulaConnection *connection = insula_open(peer->path, 0, &error);

    g_assert_no_error(error);
    return connection;
}

/* ---- cases ---- */

static void calls_wait(void)
{
    Peer *peer = peer_new();
    InsulaConnection *connection = open_peer(peer);
    g_autoptr(GError) error = NULL;
    RemoteDomainLookupByNameArgs good = { .name = (char *)(uintptr_t) "debian" };
    RemoteDomainLookupByNameArgs bad = { .name = (char *)(uintptr_t) "none" };
    {
        g_auto(RemoteConnectGetTypeRet) type = { 0 };
        g_auto(RemoteDomainLookupByNameRet) found = { 0 };
        g_assert_true(insula_connect_get_type(connection, &type, &error));
        g_assert_cmpstr(type.type, ==, "QEMU");
        g_assert_true(insula_domain_lookup_by_name(connection, &good, &found, &error));
        g_assert_cmpstr(found.dom.name, ==, "debian");
        g_assert_cmpint(found.dom.id, ==, -1);
    }
    RemoteDomainLookupByNameRet none = { 0 };
    g_assert_false(insula_domain_lookup_by_name(connection, &bad, &none, &error));
    g_assert_error(error, REMOTE_ERROR, REMOTE_ERR_NO_DOMAIN);
    g_assert_cmpstr(error->message, ==, "Domain not found: no domain with matching name 'none'");
    insula_close(connection);
    g_assert_cmpuint(peer_end(peer), ==, 1);
}

typedef struct Heard {
    GString *text;
    unsigned answers;
    InsulaConnection *close; /* in the callback */
} Heard;

static void on_event(InsulaConnection *connection, RemoteEventId event, const void *message,
                     void *opaque)
{
    const RemoteDomainLifecycleMsg *lifecycle = message;
    Heard *heard = opaque;

    g_string_append_printf(heard->text, "event %s %d;", lifecycle->dom.name, lifecycle->event);
}

static void on_answer(InsulaConnection *connection, const void *ret, const GError *error,
                      void *opaque)
{
    const RemoteDomainLookupByNameRet *found = ret;
    Heard *heard = opaque;

    g_string_append_printf(heard->text, "answer %s;", error ? error->message : found->dom.name);
    heard->answers++;
    if (heard->close) {
        insula_close(heard->close);
    }
}

static void run_until(Heard *heard, unsigned answers)
{
    while (heard->answers < answers) {
        g_main_context_iteration(NULL, TRUE);
    }
}

static void events_and_answers_come_from_the_loop(void)
{
    Peer *peer = peer_new();
    InsulaConnection *connection = open_peer(peer);
    g_autoptr(GError) error = NULL;
    Heard heard = { .text = g_string_new(NULL) };
    RemoteDomainLookupByNameArgs args = { .name = (char *)(uintptr_t) "debian" };
    RemoteDomainLookupByNameArgs bad = { .name = (char *)(uintptr_t) "none" };
    g_auto(RemoteDomainLookupByNameRet) found = { 0 };

    g_assert_true(
        insula_watch(connection, REMOTE_EVENT_DOMAIN_LIFECYCLE, on_event, &heard, &error));
    insula_call_later(connection, REMOTE_PROC_DOMAIN_LOOKUP_BY_NAME, &args, on_answer, &heard);
    insula_call_later(connection, REMOTE_PROC_DOMAIN_LOOKUP_BY_NAME, &bad, on_answer, &heard);
    /* a call that waits overtakes nothing: what came is told by the loop, in order */
    g_assert_true(insula_domain_lookup_by_name(connection, &args, &found, &error));
    g_assert_cmpstr(heard.text->str, ==, "");
    run_until(&heard, 2);
    g_assert_cmpstr(heard.text->str, ==,
                    "event debian 2;answer debian;answer Domain not found: no domain with "
                    "matching name 'none';event debian 2;");
    g_string_free(heard.text, TRUE);
    insula_close(connection);
    peer_end(peer);
}

static void a_callback_may_close(void)
{
    Peer *peer = peer_new();
    InsulaConnection *connection = open_peer(peer);
    Heard heard = { .text = g_string_new(NULL), .close = connection };
    RemoteDomainLookupByNameArgs args = { .name = (char *)(uintptr_t) "debian" };

    insula_call_later(connection, REMOTE_PROC_DOMAIN_LOOKUP_BY_NAME, &args, on_answer, &heard);
    insula_call_later(connection, REMOTE_PROC_DOMAIN_LOOKUP_BY_NAME, &args, on_answer, &heard);
    run_until(&heard, 2); /* the second one is told that the connection was closed, or its reply */
    g_assert_cmpuint(heard.answers, ==, 2);
    peer_end(peer);
    g_string_free(heard.text, TRUE);
}

static void on_gone(InsulaConnection *connection, const GError *why, void *opaque)
{
    Heard *heard = opaque;

    g_assert_error(why, REMOTE_ERROR, REMOTE_ERR_NO_CONNECT);
    g_string_append(heard->text, "gone;");
}

static void a_daemon_that_goes_is_told(void)
{
    Peer *peer = peer_new();
    InsulaConnection *connection = open_peer(peer);
    g_autoptr(GError) error = NULL;
    Heard heard = { .text = g_string_new(NULL) };
    RemoteDomainLookupByNameArgs args = { .name = (char *)(uintptr_t) "debian" };

    insula_on_gone(connection, on_gone, &heard);
    g_assert_false(insula_call(connection, REMOTE_PROC_CONNECT_CLOSE, NULL, NULL, &error));
    g_assert_error(error, REMOTE_ERROR, REMOTE_ERR_NO_CONNECT);
    insula_call_later(connection, REMOTE_PROC_DOMAIN_LOOKUP_BY_NAME, &args, on_answer, &heard);
    run_until(&heard, 1);
    while (!strstr(heard.text->str, "gone;")) {
        g_main_context_iteration(NULL, TRUE);
    }
    g_assert_true(g_str_has_prefix(heard.text->str, "answer the connection to insulad is lost"));
    insula_close(connection);
    peer_end(peer);
    g_string_free(heard.text, TRUE);
}

static void streams_bring_and_take_data(void)
{
    Peer *peer = peer_new();
    InsulaConnection *connection = open_peer(peer);
    g_autoptr(GError) error = NULL;
    RemoteStorageVolDownloadArgs download = { 0 };
    RemoteDomainOpenConsoleArgs console = { 0 };
    g_autofree char *much = g_strnfill(1 << 20, 'x');
    char text[64] = "";
    size_t done = 0;
    ssize_t n;

    InsulaStream *stream =
        insula_stream_open(connection, REMOTE_PROC_STORAGE_VOL_DOWNLOAD, &download, NULL, &error);
    g_assert_no_error(error);
    while ((n = insula_stream_read(stream, text + done, 5, &error)) > 0) {
        done += (size_t)n;
    }
    g_assert_cmpint(n, ==, 0);
    g_assert_cmpstr(text, ==, "first second");
    g_assert_true(insula_stream_finish(stream, &error));
    insula_stream_close(stream);

    stream =
        insula_stream_open(connection, REMOTE_PROC_DOMAIN_OPEN_CONSOLE, &console, NULL, &error);
    g_assert_true(insula_stream_write(stream, much, 1 << 20, &error));
    for (done = 0; done < 1 << 20; done += (size_t)n) {
        n = insula_stream_read(stream, much, 1 << 20, &error);
        g_assert_cmpint(n, >, 0);
    }
    g_assert_true(insula_stream_finish(stream, &error));
    insula_stream_close(stream);
    insula_close(connection);
    peer_end(peer);
}

static void streams_can_fail(void)
{
    Peer *peer = peer_new();
    InsulaConnection *connection = open_peer(peer);
    g_autoptr(GError) error = NULL;
    RemoteDomainScreenshotArgs args = { 0 };
    char text[8] = "";

    InsulaStream *stream =
        insula_stream_open(connection, REMOTE_PROC_DOMAIN_SCREENSHOT, &args, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpint(insula_stream_read(stream, text, sizeof(text), &error), ==, 4);
    g_assert_cmpint(insula_stream_read(stream, text, sizeof(text), &error), ==, -1);
    g_assert_error(error, REMOTE_ERROR, REMOTE_ERR_OPERATION_FAILED);
    g_assert_cmpstr(error->message, ==, "the screen is gone");
    insula_stream_close(stream);
    insula_close(connection);
    peer_end(peer);
}

static void places_are_checked(void)
{
    static const struct {
        const char *where;
        RemoteErrorCode code;
    } cases[] = {
        { "/nowhere/at/all", REMOTE_ERR_NO_CONNECT },
        { "unix:/nowhere", REMOTE_ERR_NO_CONNECT },
        { "sesion", REMOTE_ERR_INVALID_ARG },
        { "ssh://", REMOTE_ERR_INVALID_ARG },
        { "ssh://-oProxyCommand=x", REMOTE_ERR_INVALID_ARG },
        { "ssh://h;x", REMOTE_ERR_INVALID_ARG },
        { "ssh://h/x", REMOTE_ERR_INVALID_ARG },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(insula_open(cases[i].where, 0, &error));
        g_assert_error(error, REMOTE_ERROR, (int)cases[i].code);
        g_assert_nonnull(strstr(error->message, "'"));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/client/calls wait for their answer", calls_wait);
    g_test_add_func("/client/events and answers come from the loop",
                    events_and_answers_come_from_the_loop);
    g_test_add_func("/client/a callback may close the connection", a_callback_may_close);
    g_test_add_func("/client/a daemon that goes is told", a_daemon_that_goes_is_told);
    g_test_add_func("/client/streams bring and take data", streams_bring_and_take_data);
    g_test_add_func("/client/streams can fail", streams_can_fail);
    g_test_add_func("/client/places are checked", places_are_checked);
    return g_test_run();
}
