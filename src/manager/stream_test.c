/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of streams: what a client sees of one that is read, written, relayed, and of each end.
 */
#include "manager/stream.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "manager/client.h"
#include "manager/event.h"
#include "manager/limits.h"
#include "manager/server.h"
#include "manager/stream_internal.h"
#include "wire/limits.h"
#include "wire/remote.h"

enum { SERIAL = 7 };

/* A client whose other end is ours. */
typedef struct Bench {
    Daemon daemon;
    Client *client;
    int theirs;
    RpcReader reader;
    GString *got;          /* what .run has read */
    uint64_t hole;         /* of which holes */
    int relayed;           /* what stream_relay() is given */
    gboolean freed;        /* atomic */
    const char *complaint; /* what .run fails with */
    size_t n_write;        /* bytes that .run writes */
} Bench;

static void bench_open(Bench *bench)
{
    int fds[2];

    *bench = (Bench){ .got = g_string_new(NULL), .relayed = -1 };
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
    bench->daemon.events = events_new();
    bench->daemon.server = server_new(&bench->daemon, NULL);
    bench->client = client_new(&bench->daemon, NULL, fds[0], false);
    bench->theirs = fds[1];
    rpc_reader_init(&bench->reader, WIRE_MESSAGE_MAX);
}

static void bench_close(Bench *bench)
{
    close(bench->theirs);
    client_close(bench->client);
    client_unref(bench->client);
    server_free(bench->daemon.server);
    events_free(bench->daemon.events);
    g_assert_true(g_atomic_int_get(&bench->freed));
    rpc_reader_clear(&bench->reader);
    g_string_free(bench->got, TRUE);
}

/* The daemon's end: what its main loop would do with what can be sent. */
static void push_on(Bench *bench)
{
    g_mutex_lock(&bench->client->lock);
    if (bench->client->fd >= 0) {
        (void)rpc_writer_flush(&bench->client->writer, bench->client->fd);
    }
    g_mutex_unlock(&bench->client->lock);
}

static RpcPacket *receive(Bench *bench)
{
    for (;;) {
        RpcPacket *packet = rpc_reader_next(&bench->reader, NULL);
        if (packet) {
            return packet;
        }
        struct pollfd polled = { .fd = bench->theirs, .events = POLLIN };
        push_on(bench);
        g_assert_cmpint(poll(&polled, 1, 60000), ==, 1);
        g_assert_cmpint(rpc_reader_receive(&bench->reader, bench->theirs), >, 0);
    }
}

/* A packet of @type, @status, and @len bytes of payload comes. */
static void expect(Bench *bench, RpcType type, RpcStatus status, const char *text)
{
    g_autoptr(RpcPacket) packet = receive(bench);
    size_t len;
    const uint8_t *payload = rpc_payload(packet, &len);

    g_assert_cmpuint(packet->header.type, ==, type);
    g_assert_cmpuint(packet->header.status, ==, status);
    g_assert_cmpuint(packet->header.serial, ==, SERIAL);
    if (text) {
        g_assert_cmpmem(payload, len, text, strlen(text));
    }
}

static void give(Bench *bench, RpcType type, RpcStatus status, const void *data, guint len)
{
    const RpcHeader header = {
        RPC_PROGRAM_REMOTE, 1, REMOTE_PROC_DOMAIN_OPEN_CONSOLE, type, SERIAL, status
    };
    RpcPacket *packet = rpc_packet_new(&header, 0);

    if (len) {
        g_byte_array_append(packet->bytes, data, len);
    }
    g_assert_true(rpc_packet_end(packet, NULL));
    stream_take(bench->client, packet);
}

static void on_free(void *opaque)
{
    g_atomic_int_set(&((Bench *)opaque)->freed, TRUE);
}

static void begin(Bench *bench, unsigned flags,
                  bool (*run)(Stream *stream, void *opaque, GError **error))
{
    const StreamOps ops = { .run = run, .free = on_free };
    const RpcHeader call = { RPC_PROGRAM_REMOTE, 1,      REMOTE_PROC_DOMAIN_OPEN_CONSOLE,
                             RPC_CALL,           SERIAL, RPC_OK };
    const RpcHeader answer = client_answer(&call, RPC_REPLY, RPC_OK);
    Stream *stream = stream_new(bench->client, &call, flags, &ops, bench, NULL);
    RpcPacket *reply = rpc_packet_new(&answer, 0);

    g_assert_true(rpc_packet_end(reply, NULL));
    stream_begin(stream, reply);
    stream_unref(stream);
    expect(bench, RPC_REPLY, RPC_OK, "");
}

static bool run_write(Stream *stream, void *opaque, GError **error)
{
    Bench *bench = opaque;
    g_autofree char *data = g_strnfill(bench->n_write, 'w');

    stream_write(stream, data, bench->n_write);
    if (bench->complaint) {
        remote_error_set(error, REMOTE_ERR_INTERNAL, "%s", bench->complaint);
    }
    return !bench->complaint;
}

static bool run_read(Stream *stream, void *opaque, GError **error)
{
    Bench *bench = opaque;
    char buffer[5];
    uint64_t hole;
    ssize_t n;

    while ((n = stream_read(stream, buffer, sizeof(buffer), &hole)) > 0 || hole > 0) {
        g_string_append_len(bench->got, buffer, n);
        bench->hole += hole;
    }
    if (bench->complaint) {
        remote_error_set(error, REMOTE_ERR_INTERNAL, "%s", bench->complaint);
    }
    return !bench->complaint;
}

static bool run_relay(Stream *stream, void *opaque, GError **error)
{
    return stream_relay(stream, ((Bench *)opaque)->relayed, error);
}

/* All data, an empty packet, and then the end is confirmed to who wants it. */
static void test_download(void)
{
    Bench bench;
    size_t seen = 0;

    bench_open(&bench);
    bench.n_write = 3 * WIRE_STREAM_CHUNK + 5;
    begin(&bench, REMOTE_STREAM_OUT, run_write);
    for (;;) {
        g_autoptr(RpcPacket) packet = receive(&bench);
        size_t len;
        (void)rpc_payload(packet, &len);
        g_assert_cmpuint(packet->header.status, ==, RPC_CONTINUE);
        g_assert_cmpuint(len, <=, 262120);
        seen += len;
        if (len == 0) {
            break;
        }
    }
    g_assert_cmpuint(seen, ==, bench.n_write);
    give(&bench, RPC_STREAM, RPC_OK, NULL, 0);
    expect(&bench, RPC_STREAM, RPC_OK, "");
    bench_close(&bench);
}

/* Of a client that doesn't read one packet is kept, and its going ends all. */
static void test_deaf(void)
{
    Bench bench;

    bench_open(&bench);
    bench.n_write = 64 << 20;
    begin(&bench, REMOTE_STREAM_OUT, run_write);
    for (size_t waiting = 0; waiting == 0;) {
        g_usleep(1000);
        g_mutex_lock(&bench.client->lock);
        waiting = bench.client->writer.bytes;
        g_mutex_unlock(&bench.client->lock);
        g_assert_cmpuint(waiting, <=, WIRE_STREAM_CHUNK);
    }
    bench_close(&bench);
}

static void test_failure(void)
{
    Bench bench;

    bench_open(&bench);
    bench.complaint = "the disk is gone";
    begin(&bench, REMOTE_STREAM_OUT, run_write);
    g_autoptr(RpcPacket) packet = receive(&bench);
    g_autoptr(GError) error = NULL;
    size_t len;
    const uint8_t *payload = rpc_payload(packet, &len);
    remote_error_decode(payload, len, &error);
    g_assert_cmpuint(packet->header.type, ==, RPC_STREAM);
    g_assert_cmpuint(packet->header.status, ==, RPC_ERROR);
    g_assert_cmpstr(error->message, ==, "the disk is gone");
    bench_close(&bench);
}

static void test_upload(void)
{
    static const uint8_t hole[12] = { 0, 0, 0, 0, 0, 0, 0x10, 0 };
    Bench bench;

    bench_open(&bench);
    begin(&bench, REMOTE_STREAM_IN, run_read);
    give(&bench, RPC_STREAM, RPC_CONTINUE, "hello ", 6);
    give(&bench, RPC_STREAM_HOLE, RPC_CONTINUE, hole, sizeof(hole));
    give(&bench, RPC_STREAM_HOLE, RPC_CONTINUE, hole, 3); /* no hole at all */
    give(&bench, RPC_STREAM, RPC_CONTINUE, "", 0);
    give(&bench, RPC_STREAM, RPC_CONTINUE, "world", 5);
    give(&bench, RPC_STREAM, RPC_OK, NULL, 0);
    expect(&bench, RPC_STREAM, RPC_OK, "");
    g_assert_cmpstr(bench.got->str, ==, "hello world");
    g_assert_cmpuint(bench.hole, ==, 4096);
    give(&bench, RPC_STREAM, RPC_CONTINUE, "stray", 5);
    bench_close(&bench);
}

/* An upload that fails at its end says so. */
static void test_upload_failure(void)
{
    Bench bench;

    bench_open(&bench);
    bench.complaint = "no room";
    begin(&bench, REMOTE_STREAM_IN, run_read);
    give(&bench, RPC_STREAM, RPC_OK, NULL, 0);
    expect(&bench, RPC_STREAM, RPC_ERROR, NULL);
    bench_close(&bench);
}

/* The client breaks off: it's told once, .run sees it. */
static void test_abort(void)
{
    Bench bench;

    bench_open(&bench);
    begin(&bench, REMOTE_STREAM_IN, run_read);
    give(&bench, RPC_STREAM, RPC_ERROR, NULL, 0);
    expect(&bench, RPC_STREAM, RPC_ERROR, NULL);
    give(&bench, RPC_STREAM, RPC_CONTINUE, "stray", 5);
    bench_close(&bench);
}

/* What isn't read stops the client, and reading lets it go on. */
static void test_full(void)
{
    g_autofree char *data = g_strnfill(STREAM_IN_BYTES + 1, 'x');
    int ends[2];
    Bench bench;

    bench_open(&bench);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), ==, 0);
    bench.relayed = ends[0];
    begin(&bench, REMOTE_STREAM_IN | REMOTE_STREAM_OUT, run_relay);
    for (unsigned i = 0; i < 2; i++) {
        give(&bench, RPC_STREAM, RPC_CONTINUE, data, STREAM_IN_BYTES + 1);
    }
    g_mutex_lock(&bench.client->lock);
    g_assert_false(bench.client->reading);
    g_mutex_unlock(&bench.client->lock);
    for (size_t n = 0; n < 2 * (STREAM_IN_BYTES + 1);) {
        char buffer[65536];
        const ssize_t got = read(ends[1], buffer, sizeof(buffer));
        g_assert_cmpint(got, >, 0);
        n += (size_t)got;
    }
    g_mutex_lock(&bench.client->lock);
    g_assert_true(bench.client->reading);
    g_mutex_unlock(&bench.client->lock);
    close(ends[1]);
    expect(&bench, RPC_STREAM, RPC_CONTINUE, "");
    bench_close(&bench);
    close(ends[0]);
}

static void test_relay(void)
{
    char buffer[16] = "";
    int ends[2];
    Bench bench;

    bench_open(&bench);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), ==, 0);
    bench.relayed = ends[0];
    begin(&bench, REMOTE_STREAM_IN | REMOTE_STREAM_OUT, run_relay);
    give(&bench, RPC_STREAM, RPC_CONTINUE, "ls", 2);
    g_assert_cmpint(read(ends[1], buffer, sizeof(buffer)), ==, 2);
    g_assert_cmpstr(buffer, ==, "ls");
    g_assert_cmpint(write(ends[1], "files", 5), ==, 5);
    expect(&bench, RPC_STREAM, RPC_CONTINUE, "files");
    give(&bench, RPC_STREAM, RPC_OK, NULL, 0);
    expect(&bench, RPC_STREAM, RPC_OK, "");
    bench_close(&bench);
    close(ends[0]);
    close(ends[1]);
}

static void test_too_many(void)
{
    const StreamOps ops = { .run = run_read, .free = on_free };
    g_autoptr(GError) error = NULL;
    Bench bench;

    bench_open(&bench);
    for (uint32_t serial = 100; serial < 100 + STREAMS_MAX; serial++) {
        const RpcHeader call = { RPC_PROGRAM_REMOTE, 1, 201, RPC_CALL, serial, RPC_OK };
        Stream *stream = stream_new(bench.client, &call, REMOTE_STREAM_IN, &ops, &bench, NULL);
        const RpcHeader answer = client_answer(&call, RPC_REPLY, RPC_OK);
        RpcPacket *reply = rpc_packet_new(&answer, 0);
        g_assert_true(rpc_packet_end(reply, NULL));
        stream_begin(stream, reply);
        stream_unref(stream);
    }
    const RpcHeader call = { RPC_PROGRAM_REMOTE, 1, 201, RPC_CALL, 99, RPC_OK };
    g_assert_null(stream_new(bench.client, &call, REMOTE_STREAM_IN, &ops, &bench, &error));
    g_assert_error(error, REMOTE_ERROR, REMOTE_ERR_OPERATION_FAILED);
    bench_close(&bench);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/stream/download", test_download);
    g_test_add_func("/stream/deaf", test_deaf);
    g_test_add_func("/stream/failure", test_failure);
    g_test_add_func("/stream/upload", test_upload);
    g_test_add_func("/stream/upload failure", test_upload_failure);
    g_test_add_func("/stream/abort", test_abort);
    g_test_add_func("/stream/full", test_full);
    g_test_add_func("/stream/relay", test_relay);
    g_test_add_func("/stream/too many", test_too_many);
    return g_test_run();
}
