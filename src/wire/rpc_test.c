/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of RPC messages: bytes as libvirt's programs were seen to send them, and what is none.
 */
#include "wire/rpc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/limits.h"
#include "wire/remote.h"

typedef struct Pair {
    int ours, theirs;
    RpcReader reader;
    RpcWriter writer;
} Pair;

static void pair_open(Pair *pair, uint32_t limit)
{
    int fds[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
    pair->ours = fds[0];
    pair->theirs = fds[1];
    rpc_reader_init(&pair->reader, limit);
    rpc_writer_init(&pair->writer);
}

static void pair_close(Pair *pair)
{
    rpc_reader_clear(&pair->reader);
    rpc_writer_clear(&pair->writer);
    close(pair->ours);
    close(pair->theirs);
}

static void write_words(int fd, const uint32_t *words, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const uint32_t be = GUINT32_TO_BE(words[i]);
        g_assert_cmpint(write(fd, &be, 4), ==, 4);
    }
}

/* AUTH_LIST and OPEN, as virsh sends them, in pieces of a word. */
static void test_samples(void)
{
    static const uint32_t words[] = {
        0x1c, 0x20008086, 1,          0x42,       0,          1,          0, /* AUTH_LIST */
        0x38, 0x20008086, 1,          1,          0,          2,          0,
        1,    14,         0x71656d75, 0x3a2f2f2f, 0x73797374, 0x656d0000, 0,
    };
    Pair pair;
    RemoteConnectOpenArgs args;
    size_t len;

    pair_open(&pair, WIRE_MESSAGE_MAX);
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        write_words(pair.theirs, &words[i], 1);
        g_assert_cmpint(rpc_reader_receive(&pair.reader, pair.ours), ==, 4);
        g_autoptr(RpcPacket) packet = rpc_reader_next(&pair.reader, NULL);
        g_assert_cmpint(packet != NULL, ==, i == 6 || i == 20);
        if (i == 6) {
            g_assert_cmpuint(packet->header.procedure, ==, REMOTE_PROC_AUTH_LIST);
            g_assert_cmpuint(packet->header.serial, ==, 1);
        } else if (i == 20) {
            const uint8_t *payload = rpc_payload(packet, &len);
            g_assert_true(xdr_decode(payload, len, &remote_connect_open_args_type, &args, NULL));
            g_assert_cmpstr(args.name, ==, "qemu:///system");
            xdr_clear(&remote_connect_open_args_type, &args);
        }
    }
    pair_close(&pair);
}

/* The answer to AUTH_LIST, as libvirtd sends it. */
static void test_reply(void)
{
    static const uint32_t expected[] = { 0x24, 0x20008086, 1, 0x42, 1, 1, 0, 1, 0 };
    const RpcHeader header = { RPC_PROGRAM_REMOTE, 1, REMOTE_PROC_AUTH_LIST, RPC_REPLY, 1, RPC_OK };
    int32_t none = 0;
    const RemoteAuthListRet ret = { .types = &none, .n_types = 1 };
    g_autoptr(RpcPacket) packet = rpc_packet_new(&header, 0);

    xdr_encode(packet->bytes, &remote_auth_list_ret_type, &ret);
    g_assert_true(rpc_packet_end(packet, NULL));
    g_assert_cmpuint(packet->bytes->len, ==, sizeof(expected));
    for (unsigned i = 0; i < G_N_ELEMENTS(expected); i++) {
        uint32_t word;
        memcpy(&word, packet->bytes->data + 4 * i, 4);
        g_assert_cmphex(GUINT32_FROM_BE(word), ==, expected[i]);
    }
}

/* What can't be a message is refused before its bytes have come. */
static void test_rubbish(void)
{
    static const uint32_t lengths[] = { 0, 27, 1025, 0x7fffffff, UINT32_MAX };

    for (unsigned i = 0; i < G_N_ELEMENTS(lengths); i++) {
        g_autoptr(GError) error = NULL;
        Pair pair;

        pair_open(&pair, 1024);
        write_words(pair.theirs, &lengths[i], 1);
        g_assert_cmpint(rpc_reader_receive(&pair.reader, pair.ours), ==, 4);
        g_assert_null(rpc_reader_next(&pair.reader, &error));
        g_assert_nonnull(error);
        pair_close(&pair);
    }
}

static RpcPacket *empty_packet(uint32_t type, unsigned n_fds, const int *fds)
{
    const RpcHeader header = { RPC_PROGRAM_REMOTE, 1, 343, type, 9, RPC_OK };
    RpcPacket *packet = rpc_packet_new(&header, n_fds);

    g_assert_true(rpc_packet_end(packet, fds));
    return packet;
}

/* Descriptors come with their message, and messages behind it stay whole. */
static void test_descriptors(void)
{
    const int fds[2] = { open("/dev/null", O_RDONLY | O_CLOEXEC),
                         open("/dev/zero", O_RDONLY | O_CLOEXEC) };
    uint8_t byte = 1;
    Pair pair;

    pair_open(&pair, 1024);
    RpcPacket *with = empty_packet(RPC_REPLY_WITH_FDS, 2, fds);
    g_assert_cmpuint(with->bytes->len, ==, 32);
    rpc_writer_add(&pair.writer, with, false);
    rpc_writer_add(&pair.writer, empty_packet(RPC_REPLY, 0, NULL), false);
    g_assert_cmpint(rpc_writer_flush(&pair.writer, pair.theirs), ==, 0);
    g_assert_cmpuint(pair.writer.bytes, ==, 0);

    g_autoptr(RpcPacket) first = NULL;
    while (!first) {
        g_assert_cmpint(rpc_reader_receive(&pair.reader, pair.ours), >, 0);
        first = rpc_reader_next(&pair.reader, NULL);
    }
    g_assert_cmpuint(first->n_fds, ==, 2);
    g_assert_cmpint(read(first->fds[0], &byte, 1), ==, 0);
    g_assert_cmpint(read(first->fds[1], &byte, 1), ==, 1);
    g_assert_cmpuint(byte, ==, 0);
    g_autoptr(RpcPacket) second = rpc_reader_next(&pair.reader, NULL);
    if (!second) {
        g_assert_cmpint(rpc_reader_receive(&pair.reader, pair.ours), >, 0);
        second = rpc_reader_next(&pair.reader, NULL);
    }
    g_assert_cmpuint(second->header.type, ==, RPC_REPLY);
    pair_close(&pair);
}

static void test_unannounced(void)
{
    const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    g_autoptr(GError) error = NULL;
    Pair pair;

    pair_open(&pair, 1024);
    rpc_writer_add(&pair.writer, empty_packet(RPC_REPLY_WITH_FDS, 1, &null), false);
    /* the message itself is passed over: what is left is a byte of zero and a descriptor */
    pair.writer.sent = 32;
    g_assert_cmpint(rpc_writer_flush(&pair.writer, pair.theirs), ==, 0);
    g_assert_cmpint(rpc_reader_receive(&pair.reader, pair.ours), ==, 1);
    g_assert_null(rpc_reader_next(&pair.reader, &error));
    g_assert_nonnull(error);
    pair_close(&pair);
}

/* Announced and not sent, or more than may be. */
static void test_descriptors_that_lie(void)
{
    static const uint32_t counts[] = { 1, 33, UINT32_MAX };

    for (unsigned i = 0; i < G_N_ELEMENTS(counts); i++) {
        const uint32_t words[] = { 32, RPC_PROGRAM_REMOTE, 1, 343, RPC_CALL_WITH_FDS, 0,
                                   0,  counts[i],          0 };
        g_autoptr(GError) error = NULL;
        Pair pair;

        pair_open(&pair, 1024);
        write_words(pair.theirs, words, G_N_ELEMENTS(words));
        g_assert_cmpint(rpc_reader_receive(&pair.reader, pair.ours), ==, 36);
        g_assert_null(rpc_reader_next(&pair.reader, &error));
        g_assert_nonnull(error);
        pair_close(&pair);
    }
    /* Sent and not announced. */
    test_unannounced();
    /* No room for the count itself. */
    const uint32_t words[] = { 28, RPC_PROGRAM_REMOTE, 1, 343, RPC_CALL_WITH_FDS, 0, 0 };
    g_autoptr(GError) error = NULL;
    Pair pair;
    pair_open(&pair, 1024);
    write_words(pair.theirs, words, G_N_ELEMENTS(words));
    rpc_reader_receive(&pair.reader, pair.ours);
    g_assert_null(rpc_reader_next(&pair.reader, &error));
    g_assert_nonnull(error);
    pair_close(&pair);
}

static RpcPacket *long_packet(uint32_t serial, guint len)
{
    const RpcHeader header = { RPC_PROGRAM_REMOTE, 1, 14, RPC_REPLY, serial, RPC_OK };
    RpcPacket *packet = rpc_packet_new(&header, 0);

    g_byte_array_set_size(packet->bytes, len);
    g_assert_true(rpc_packet_end(packet, NULL));
    return packet;
}

/* What is urgent passes what waits, but doesn't cut what has begun. */
static void test_urgent(void)
{
    static const uint32_t expected[] = { 1, 7, 2 };
    unsigned n = 0;
    Pair pair;

    pair_open(&pair, WIRE_MESSAGE_MAX);
    rpc_writer_add(&pair.writer, long_packet(1, 8 << 20), false);
    rpc_writer_add(&pair.writer, long_packet(2, 100), false);
    g_assert_cmpint(rpc_writer_flush(&pair.writer, pair.theirs), ==, -EAGAIN);
    rpc_writer_add(&pair.writer, long_packet(7, 28), true);
    while (n < 3) {
        g_autoptr(RpcPacket) packet = rpc_reader_next(&pair.reader, NULL);
        if (packet) {
            g_assert_cmpuint(packet->header.serial, ==, expected[n++]);
            continue;
        }
        (void)rpc_writer_flush(&pair.writer, pair.theirs);
        g_assert_cmpint(rpc_reader_receive(&pair.reader, pair.ours), >, 0);
    }
    g_assert_cmpint(rpc_writer_flush(&pair.writer, pair.theirs), ==, 0);
    pair_close(&pair);
}

static void test_too_long(void)
{
    const RpcHeader header = { RPC_PROGRAM_REMOTE, 1, 14, RPC_REPLY, 1, RPC_OK };
    g_autoptr(RpcPacket) packet = rpc_packet_new(&header, 0);

    g_byte_array_set_size(packet->bytes, WIRE_MESSAGE_MAX + 1);
    g_assert_false(rpc_packet_end(packet, NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rpc/samples", test_samples);
    g_test_add_func("/rpc/reply", test_reply);
    g_test_add_func("/rpc/rubbish", test_rubbish);
    g_test_add_func("/rpc/descriptors", test_descriptors);
    g_test_add_func("/rpc/descriptors that lie", test_descriptors_that_lie);
    g_test_add_func("/rpc/urgent", test_urgent);
    g_test_add_func("/rpc/too long", test_too_long);
    return g_test_run();
}
