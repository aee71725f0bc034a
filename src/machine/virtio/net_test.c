/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of what virtio-net does: frames both ways, offloads, filters, control commands, pairs of
 * queues, a cable that is pulled.  The network is the other end of a socket pair.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "machine/virtio/bench.h"
#include "machine/virtio/net.h"

enum { BUF = VIRTIO_BENCH_BUFFERS, DATA = BUF + 0x1000, HEADER = 12, RECEIVE = 0, TRANSMIT = 1 };
enum { CONTROL = 2, STATUS_AT = VB_CONFIG + 6 };
enum {
    F_CSUM = 0,
    F_GUEST_CSUM = 1,
    F_CTRL_GUEST_OFFLOADS = 2,
    F_MTU = 3,
    F_GUEST_TSO4 = 7,
    F_HOST_TSO4 = 11,
    F_MRG_RXBUF = 15,
    F_CTRL_RX = 18,
    F_CTRL_VLAN = 19,
    F_GUEST_ANNOUNCE = 21,
    F_MQ = 22,
};

typedef struct NetRig {
    VirtioBench *b;
    NetPort *port;
    int world; /* the network's end */
    VirtioNetConfig config;
} NetRig;

static const uint8_t own_mac[] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };

static VirtioDev *make(const VirtioSlot *slot, void *opaque)
{
    NetRig *rig = opaque;

    return virtio_net_new(slot, &rig->config);
}

static void rig_init(NetRig *rig, unsigned pairs, unsigned mtu)
{
    int fds[2];

    g_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    rig->world = fds[0];
    rig->port = net_port_new(NET_PORT_SOCKET, fds[1], "test", NULL);
    rig->config = (VirtioNetConfig){ .port = rig->port, .pairs = pairs, .mtu = mtu };
    memcpy(rig->config.mac, own_mac, sizeof(own_mac));
    rig->b = virtio_bench_new(make, rig);
}

static void rig_start(NetRig *rig, uint64_t without)
{
    virtio_bench_start(rig->b, without);
    io_thread_run_all(rig->b->io);
}

static void rig_clear(NetRig *rig)
{
    virtio_bench_free(rig->b);
    net_port_free(rig->port);
    if (rig->world >= 0) {
        close(rig->world);
    }
}

static GuestMemory *memory_of(NetRig *rig)
{
    return rig->b->bench.env.memory;
}

/* --- the world --- */

static void world_send(NetRig *rig, const NetHeader *header, const uint8_t *frame, size_t len)
{
    static const NetHeader none;
    struct iovec parts[] = { { (void *)(uintptr_t)(header ? header : &none), HEADER },
                             { (void *)(uintptr_t)frame, len } };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

    g_assert_cmpint(sendmsg(rig->world, &message, 0), ==, (gssize)(HEADER + len));
    io_thread_run_all(rig->b->io);
}

/* A frame to @mac. */
static void world_send_to(NetRig *rig, const uint8_t *mac, size_t len)
{
    g_autofree uint8_t *frame = g_malloc(len);

    for (size_t i = 0; i < len; i++) {
        frame[i] = (uint8_t)(i * 3 + i / 256);
    }
    memcpy(frame, mac, 6);
    world_send(rig, NULL, frame, len);
}

static ssize_t world_receive(NetRig *rig, NetHeader *header, uint8_t *frame, size_t size)
{
    struct iovec parts[] = { { header, HEADER }, { frame, size } };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
    ssize_t got = recvmsg(rig->world, &message, 0);

    return got < 0 ? got : got - HEADER;
}

/* --- the guest --- */

static void post_receive(NetRig *rig, unsigned q, uint64_t gpa, uint32_t len)
{
    VirtioBenchPart part = { gpa, len, true };

    virtio_bench_post(rig->b, q, &part, 1);
    virtio_bench_kick(rig->b, q);
}

/* What the guest finds in the next used buffer: its length, or -1. */
static int64_t next_received(NetRig *rig, unsigned q)
{
    return virtio_bench_next_used(rig->b, q, NULL);
}

/* Send header and frame; whether the chain came back. */
static bool guest_send(NetRig *rig, const NetHeader *header, size_t len)
{
    VirtioBenchPart parts[] = { { BUF, HEADER, false }, { DATA, (uint32_t)len, false } };

    gm_write(memory_of(rig), BUF, header, HEADER);
    virtio_bench_post(rig->b, TRANSMIT, parts, 2);
    virtio_bench_kick(rig->b, TRANSMIT);
    return virtio_bench_next_used(rig->b, TRANSMIT, NULL) == 0;
}

static uint8_t command(NetRig *rig, unsigned queue, const char *words, size_t len)
{
    VirtioBenchPart parts[] = { { BUF, (uint32_t)len, false }, { DATA, 1, true } };
    uint8_t ack = 0xee;

    gm_write(memory_of(rig), BUF, words, len);
    gm_write(memory_of(rig), DATA, &ack, 1);
    virtio_bench_post(rig->b, queue, parts, 2);
    virtio_bench_kick(rig->b, queue);
    g_assert_cmpint(virtio_bench_next_used(rig->b, queue, NULL), ==, 1);
    gm_read(memory_of(rig), DATA, &ack, 1);
    return ack;
}
#define COMMAND(rig, words) command(rig, CONTROL, words, sizeof(words) - 1)

/* --- frames --- */

static void test_send(void)
{
    static uint8_t frame[2000];
    NetHeader header = { 0 };
    NetRig rig;

    rig_init(&rig, 1, 0);
    rig_start(&rig, 0);
    for (size_t len = 14; len <= 1514; len += 500) {
        memset(gm_ram(memory_of(&rig), DATA, 2000), (int)len & 0xff, 2000);
        g_assert_true(guest_send(&rig, &header, len));
        g_assert_cmpint(world_receive(&rig, &header, frame, sizeof(frame)), ==, (gssize)len);
        g_assert_cmphex(frame[len - 1], ==, len & 0xff);
        g_assert_cmpuint(header.buffers, ==, NET_OFFLOAD_ALL);
    }
    g_assert_cmpuint(virtio_net_stats(rig.b->dev).sent, ==, 4);
    g_assert_cmpuint(virtio_net_stats(rig.b->dev).sent_bytes, ==, 14 + 514 + 1014 + 1514);
    rig_clear(&rig);
}

/* Headers that ask for what can't be, or wasn't negotiated: dropped, and the chain comes back. */
static const struct {
    const char *name;
    NetHeader header;
    uint32_t len;
    uint64_t without;
    bool sent;
} sends[] = {
    { "sum", { .flags = 1, .csum_start = 34, .csum_offset = 16 }, 100, 0, true },
    { "sum-beyond-end", { .flags = 1, .csum_start = 90, .csum_offset = 16 }, 100, 0, false },
    { "sum-not-negotiated", { .flags = 1, .csum_start = 34, .csum_offset = 6 }, 100, 1, false },
    { "gso", { .flags = 1, .gso_type = 1, .gso_size = 1460, .csum_start = 34 }, 9000, 0, true },
    { "gso-size-0", { .flags = 1, .gso_type = 1, .csum_start = 34 }, 9000, 0, false },
    { "gso-unknown", { .flags = 1, .gso_type = 3, .gso_size = 1 }, 9000, 0, false },
    { "gso-not-negotiated",
      { .flags = 1, .gso_type = 1, .gso_size = 1460, .csum_start = 34 },
      9000,
      UINT64_C(1) << F_HOST_TSO4,
      false },
    { "ecn", { .flags = 1, .gso_type = 0x81, .gso_size = 1460, .csum_start = 34 }, 99, 0, false },
    { "too-short", { 0 }, 13, 0, false },
    { "nothing", { 0 }, 0, 0, false },
    { "longest", { 0 }, NET_MAX_FRAME, 0, true },
    { "too-long", { 0 }, NET_MAX_FRAME + 1, 0, false },
    { "unknown-flags-are-ignored", { .flags = 0xf0 }, 100, 0, true },
};

static void test_send_case(gconstpointer data)
{
    const typeof(sends[0]) *c = data;
    g_autofree uint8_t *frame = g_malloc(NET_MAX_FRAME);
    NetHeader header;
    NetRig rig;

    rig_init(&rig, 1, 0);
    rig_start(&rig, c->without);
    g_assert_true(guest_send(&rig, &c->header, c->len));
    ssize_t got = world_receive(&rig, &header, frame, NET_MAX_FRAME);
    g_assert_cmpint(got, ==, c->sent ? (gssize)c->len : -1);
    g_assert_cmpuint(virtio_net_stats(rig.b->dev).send_dropped, ==, !c->sent);
    g_assert_false(virtio_bench_is_broken(rig.b));
    rig_clear(&rig);
}

static void test_send_without_header(void)
{
    VirtioBenchPart part = { BUF, HEADER - 1, false };
    NetRig rig;

    rig_init(&rig, 1, 0);
    rig_start(&rig, 0);
    virtio_bench_post(rig.b, TRANSMIT, &part, 1);
    virtio_bench_kick(rig.b, TRANSMIT);
    g_assert_cmpint(virtio_bench_next_used(rig.b, TRANSMIT, NULL), ==, 0);
    g_assert_cmpuint(virtio_net_stats(rig.b->dev).send_dropped, ==, 1);
    rig_clear(&rig);
}

/* A network that is full keeps the guest's frames in its queue, and none is lost or doubled. */
static void test_send_waits(void)
{
    enum { LEN = 60000, FRAMES = 40 };
    VirtioBenchPart parts[] = { { BUF, HEADER, false }, { DATA, LEN, false } };
    g_autofree uint8_t *frame = g_malloc(NET_MAX_FRAME);
    NetHeader header = { 0 };
    unsigned received = 0, used = 0;
    NetRig rig;

    rig_init(&rig, 1, 0);
    rig_start(&rig, 0);
    gm_write(memory_of(&rig), BUF, &header, HEADER);
    for (unsigned i = 0; i < FRAMES; i++) {
        virtio_bench_post(rig.b, TRANSMIT, parts, 2);
    }
    virtio_bench_kick(rig.b, TRANSMIT);
    for (unsigned round = 0; round < 100 && received < FRAMES; round++) {
        while (virtio_bench_next_used(rig.b, TRANSMIT, NULL) == 0) {
            used++;
        }
        g_assert_cmpuint(used, <, round ? FRAMES + 1 : FRAMES); /* it didn't take all at once */
        g_assert_cmpuint(used, >=, received);
        received += world_receive(&rig, &header, frame, NET_MAX_FRAME) == LEN;
        io_thread_run_all(rig.b->io);
    }
    g_assert_cmpuint(received, ==, FRAMES);
    g_assert_cmpuint(virtio_net_stats(rig.b->dev).sent, ==, FRAMES);
    rig_clear(&rig);
}

static void test_receive(void)
{
    NetRig rig;

    rig_init(&rig, 1, 0);
    rig_start(&rig, VIRTIO_FEATURE(F_MRG_RXBUF));
    post_receive(&rig, RECEIVE, BUF, 2048);
    world_send_to(&rig, own_mac, 1000);
    g_assert_cmpint(next_received(&rig, RECEIVE), ==, HEADER + 1000);
    const uint8_t *got = gm_ram(memory_of(&rig), BUF, 2048);
    g_assert_cmpuint(load_le16(got + 10), ==, 1); /* buffers */
    g_assert_cmpmem(got + HEADER, 6, own_mac, 6);
    g_assert_cmphex(got[HEADER + 999], ==, (999 * 3 + 999 / 256) & 0xff);
    g_assert_cmphex(got[HEADER + 1000], ==, 0);
    /* too small a buffer: the frame is lost, the buffer is not */
    post_receive(&rig, RECEIVE, BUF, 500);
    world_send_to(&rig, own_mac, 1000);
    g_assert_cmpint(next_received(&rig, RECEIVE), ==, -1);
    world_send_to(&rig, own_mac, 100);
    g_assert_cmpint(next_received(&rig, RECEIVE), ==, HEADER + 100);
    g_assert_cmpuint(virtio_net_stats(rig.b->dev).receive_dropped, ==, 1);
    g_assert_cmpuint(virtio_net_stats(rig.b->dev).received_bytes, ==, 1100);
    rig_clear(&rig);
}

/* With mergeable buffers a frame is spread over as many as it takes, and all come at once. */
static void test_receive_merged(void)
{
    enum { ROOM = 1000, LEN = 2500, LATER = 0x10000 };
    NetRig rig;

    rig_init(&rig, 1, 0);
    rig_start(&rig, 0);
    post_receive(&rig, RECEIVE, BUF, ROOM);
    post_receive(&rig, RECEIVE, BUF + ROOM, ROOM);
    world_send_to(&rig, own_mac, LEN);
    g_assert_cmpint(next_received(&rig, RECEIVE), ==, -1); /* it waits for a third */
    post_receive(&rig, RECEIVE, BUF + LATER, ROOM);
    g_assert_cmpint(next_received(&rig, RECEIVE), ==, ROOM);
    g_assert_cmpint(next_received(&rig, RECEIVE), ==, ROOM);
    g_assert_cmpint(next_received(&rig, RECEIVE), ==, HEADER + LEN - 2 * ROOM);
    const uint8_t *got = gm_ram(memory_of(&rig), BUF, 2 * ROOM);
    g_assert_cmpuint(load_le16(got + 10), ==, 3);
    for (size_t i = 6; i < 2 * ROOM - HEADER; i++) {
        g_assert_cmphex(got[HEADER + i], ==, (uint8_t)(i * 3 + i / 256));
    }
    const uint8_t *tail = gm_ram(memory_of(&rig), BUF + LATER, ROOM);
    g_assert_cmphex(tail[0], ==, (uint8_t)(1988 * 3 + 1988 / 256));
    g_assert_cmphex(tail[LEN + HEADER - 2 * ROOM], ==, 0);
    rig_clear(&rig);
}

/* Buffers in more pieces than are followed: the frame is lost, and nothing is written. */
static void test_receive_in_crumbs(void)
{
    enum { PIECES = 250, CHAINS = 5, TABLE = 0xa0000, TABLE_SIZE = PIECES * 16, LAST = 0xc0000 };
    NetRig rig;

    _Static_assert((int)(PIECES * CHAINS) > (int)VIRTIO_NET_RX_PARTS, "or all are followed");
    rig_init(&rig, 1, 0);
    VirtioBench *b = rig.b;
    if (b->packed) {
        rig_clear(&rig);
        return; /* the chains are the same, and the bench writes only split ones by hand */
    }
    rig_start(&rig, 0);
    for (uint16_t i = 0; i < CHAINS; i++) {
        uint64_t table = TABLE + (uint64_t)i * TABLE_SIZE;
        for (uint16_t j = 0; j < PIECES; j++) {
            bool last = i + 1 == CHAINS && j + 1 == PIECES;
            VirtioBenchPart piece = { last ? LAST : BUF, last ? 0x10000 : 1, true };
            uint32_t next = j + 1 < PIECES ? VB_NEXT | (uint32_t)(j + 1) << 16 : 0;
            virtio_bench_descriptor(b, table, j, &piece, next);
        }
        VirtioBenchPart indirect = { table, TABLE_SIZE, false };
        virtio_bench_descriptor(b, virtio_bench_desc_gpa(RECEIVE), i, &indirect, VB_INDIRECT);
        virtio_bench_offer(b, RECEIVE, i);
    }
    world_send_to(&rig, own_mac, 2000);
    g_assert_cmpint(next_received(&rig, RECEIVE), ==, -1);
    g_assert_cmpuint(virtio_net_stats(b->dev).receive_dropped, ==, 1);
    g_assert_cmphex(*(const uint8_t *)gm_ram(memory_of(&rig), LAST, 1), ==, 0);
    world_send_to(&rig, own_mac, 100);
    g_assert_cmpint(next_received(&rig, RECEIVE), ==, HEADER + 100);
    rig_clear(&rig);
}

/* While the guest has no room, nothing is lost: the network is made to wait. */
static void test_receive_waits(void)
{
    enum { FRAMES = 200 };
    NetRig rig;

    rig_init(&rig, 1, 0);
    rig_start(&rig, 0);
    for (unsigned i = 0; i < FRAMES; i++) {
        world_send_to(&rig, own_mac, 100 + i);
    }
    for (unsigned i = 0; i < FRAMES; i++) {
        g_assert_cmpint(next_received(&rig, RECEIVE), ==, -1);
        post_receive(&rig, RECEIVE, BUF, 2048);
        g_assert_cmpint(next_received(&rig, RECEIVE), ==, HEADER + 100 + i);
    }
    g_assert_cmpuint(virtio_net_stats(rig.b->dev).received, ==, FRAMES);
    rig_clear(&rig);
}

/* What the network leaves to the guest only reaches one that agreed. */
static void test_receive_offloads(void)
{
    static const uint8_t frame[3000] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };
    const NetHeader gso = { .flags = 1, .gso_type = 1, .gso_size = 1460, .csum_start = 34 };
    const NetHeader valid = { .flags = NET_HEADER_DATA_VALID };
    NetRig rig;

    rig_init(&rig, 1, 0);
    rig_start(&rig, 0);
    post_receive(&rig, RECEIVE, BUF, 4096);
    world_send(&rig, &gso, frame, sizeof(frame));
    g_assert_cmpint(next_received(&rig, RECEIVE), ==, HEADER + 3000);
    g_assert_cmpmem(gm_ram(memory_of(&rig), BUF, 10), 10, &gso, 10);
    /* the guest thinks better of it: CTRL_GUEST_OFFLOADS, none */
    g_assert_cmpuint(COMMAND(&rig, "\x05\x00\0\0\0\0\0\0\0\0"), ==, 0);
    post_receive(&rig, RECEIVE, BUF, 4096);
    world_send(&rig, &gso, frame, sizeof(frame));
    world_send(&rig, &valid, frame, 100);
    g_assert_cmpint(next_received(&rig, RECEIVE), ==, HEADER + 100);
    g_assert_cmphex(*(const uint8_t *)gm_ram(memory_of(&rig), BUF, 1), ==, 0);
    g_assert_cmpuint(virtio_net_stats(rig.b->dev).receive_dropped, ==, 1);
    /* checksums, but no segments */
    g_assert_cmpuint(COMMAND(&rig, "\x05\x00\x02\0\0\0\0\0\0\0"), ==, 0);
    post_receive(&rig, RECEIVE, BUF, 4096);
    world_send(&rig, &gso, frame, sizeof(frame));
    g_assert_cmpint(next_received(&rig, RECEIVE), ==, -1);
    /* an offload that was not negotiated can't be chosen */
    g_assert_cmpuint(COMMAND(&rig, "\x05\x00\0\x02\0\0\0\0\0\0"), ==, 1);
    /* segmentation without checksums is nothing */
    rig_start(&rig, VIRTIO_FEATURE(F_GUEST_CSUM));
    post_receive(&rig, RECEIVE, BUF, 4096);
    world_send(&rig, &gso, frame, sizeof(frame));
    g_assert_cmpint(next_received(&rig, RECEIVE), ==, -1);
    rig_clear(&rig);
}

/* --- filters --- */

/* What the driver says, and whether a frame to an address then comes through. */
static const struct {
    const char *name;
    const char *words;
    size_t len;
    uint8_t ack;
    const char *mac;
    bool comes;
} filters[] = {
#define WORDS(text) text, sizeof(text) - 1
    { "own", NULL, 0, 0, "\x52\x54\x00\x12\x34\x56", true },
    { "other", NULL, 0, 0, "\x52\x54\x00\x12\x34\x57", false },
    { "broadcast", NULL, 0, 0, "\xff\xff\xff\xff\xff\xff", true },
    { "multicast", NULL, 0, 0, "\x01\x00\x5e\x00\x00\x01", false },
    { "promiscuous", WORDS("\0\0\x01"), 0, "\x52\x54\x00\x12\x34\x57", true },
    { "all-multicast", WORDS("\0\x01\x01"), 0, "\x01\x00\x5e\x00\x00\x01", true },
    { "all-unicast", WORDS("\0\x02\x01"), 0, "\x52\x54\x00\x12\x34\x57", true },
    { "no-multicast", WORDS("\0\x03\x01"), 0, "\x01\x00\x5e\x00\x00\x01", false },
    { "no-unicast", WORDS("\0\x04\x01"), 0, "\x52\x54\x00\x12\x34\x56", false },
    { "no-broadcast", WORDS("\0\x05\x01"), 0, "\xff\xff\xff\xff\xff\xff", false },
    { "mode-unknown", WORDS("\0\x06\x01"), 1, "\x52\x54\x00\x12\x34\x56", true },
    { "mode-neither-on-nor-off", WORDS("\0\x04\x02"), 1, "\x52\x54\x00\x12\x34\x56", true },
    { "mode-cut", WORDS("\0\x04"), 1, "\x52\x54\x00\x12\x34\x56", true },
    { "table-unicast", WORDS("\1\0\1\0\0\0\x02\1\1\1\1\1\0\0\0\0"), 0, "\x02\1\1\1\1\1", true },
    { "table-multicast", WORDS("\1\0\0\0\0\0\1\0\0\0\x03\1\1\1\1\1"), 0, "\x03\1\1\1\1\1", true },
    { "table-cut", WORDS("\1\0\1\0\0\0\x02\1\1\1\1\1"), 1, "\x02\1\1\1\1\1", false },
    { "table-cut-in-address", WORDS("\1\0\1\0\0\0\x02\1\1"), 1, "\x02\1\1\1\1\1", false },
    { "table-too-long-and-cut", WORDS("\1\0\x41\0\0\0\x02\1\1\1\1\1"), 1, "\x02\1\1\1\1\1", false },
    { "table-absurd", WORDS("\1\0\xff\xff\xff\xff\x02\1\1\1\1\1\0\0\0\0"), 1, "\x02\1\1\1\1\1",
      false },
    { "address", WORDS("\1\1\x02\1\1\1\1\1"), 0, "\x02\1\1\1\1\1", true },
    { "address-old", WORDS("\1\1\x02\1\1\1\1\1"), 0, "\x52\x54\x00\x12\x34\x56", false },
    { "address-cut", WORDS("\1\1\x02\1\1\1\1"), 1, "\x52\x54\x00\x12\x34\x56", true },
    { "class-unknown", WORDS("\x06\0\0"), 1, "\x52\x54\x00\x12\x34\x56", true },
    { "class-alone", WORDS("\1"), 1, "\x52\x54\x00\x12\x34\x56", true },
    { "announce-unasked", WORDS("\3\0"), 1, "\x52\x54\x00\x12\x34\x56", true },
    { "pairs-without-mq", WORDS("\4\0\1\0"), 1, "\x52\x54\x00\x12\x34\x56", true },
    { "offloads-cut", WORDS("\5\0\0\0\0\0"), 1, "\x52\x54\x00\x12\x34\x56", true },
};

static void test_filter(gconstpointer data)
{
    const typeof(filters[0]) *c = data;
    NetRig rig;

    rig_init(&rig, 1, 0);
    rig_start(&rig, 0);
    if (c->words) {
        g_assert_cmpuint(command(&rig, CONTROL, c->words, c->len), ==, c->ack);
    }
    post_receive(&rig, RECEIVE, BUF, 2048);
    world_send_to(&rig, (const uint8_t *)c->mac, 100);
    g_assert_cmpint(next_received(&rig, RECEIVE), ==, c->comes ? HEADER + 100 : -1);
    g_assert_false(virtio_bench_is_broken(rig.b));
    rig_clear(&rig);
}

/* More addresses than the table holds: all are taken. */
static void test_filter_overflow(void)
{
    enum { N = VIRTIO_NET_MACS + 1 };
    uint8_t words[2 + 4 + N * 6 + 4] = { 1, 0, N };
    static const uint8_t other[] = { 0x02, 9, 9, 9, 9, 9 };
    NetRig rig;

    rig_init(&rig, 1, 0);
    rig_start(&rig, 0);
    g_assert_cmpuint(command(&rig, CONTROL, (const char *)words, sizeof(words)), ==, 0);
    post_receive(&rig, RECEIVE, BUF, 2048);
    world_send_to(&rig, other, 100);
    g_assert_cmpint(next_received(&rig, RECEIVE), ==, HEADER + 100);
    rig_clear(&rig);
}

/* Without control of the filter a driver gets all. */
static void test_no_filter(void)
{
    static const uint8_t other[] = { 0x02, 9, 9, 9, 9, 9 };
    NetRig rig;

    rig_init(&rig, 1, 0);
    rig_start(&rig, VIRTIO_FEATURE(F_CTRL_RX));
    post_receive(&rig, RECEIVE, BUF, 2048);
    world_send_to(&rig, other, 100);
    g_assert_cmpint(next_received(&rig, RECEIVE), ==, HEADER + 100);
    g_assert_cmpuint(COMMAND(&rig, "\0\0\x01"), ==, 1);
    rig_clear(&rig);
}

static void test_vlan(void)
{
    uint8_t tagged[60] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };
    NetRig rig;

    rig_init(&rig, 1, 0);
    rig_start(&rig, 0);
    memcpy(tagged + 12, "\x81\x00\xe7\xd0", 4); /* id 2000, and a priority */
    post_receive(&rig, RECEIVE, BUF, 2048);
    world_send(&rig, NULL, tagged, sizeof(tagged));
    g_assert_cmpint(next_received(&rig, RECEIVE), ==, -1);
    g_assert_cmpuint(COMMAND(&rig, "\x02\x00\xd0\x07"), ==, 0);
    world_send(&rig, NULL, tagged, sizeof(tagged));
    g_assert_cmpint(next_received(&rig, RECEIVE), ==, HEADER + 60);
    g_assert_cmpuint(COMMAND(&rig, "\x02\x01\xd0\x07"), ==, 0);
    post_receive(&rig, RECEIVE, BUF, 2048);
    world_send(&rig, NULL, tagged, sizeof(tagged));
    g_assert_cmpint(next_received(&rig, RECEIVE), ==, -1);
    g_assert_cmpuint(COMMAND(&rig, "\x02\x00\x00\x10"), ==, 1); /* there is no 4096 */
    g_assert_cmpuint(COMMAND(&rig, "\x02\x02\x01\x00"), ==, 1);
    world_send_to(&rig, own_mac, 60);
    g_assert_cmpint(next_received(&rig, RECEIVE), ==, HEADER + 60); /* without a tag */
    rig_clear(&rig);
}

static void test_control_without_answer(void)
{
    VirtioBenchPart part = { BUF, 3, false };
    NetRig rig;

    rig_init(&rig, 1, 0);
    rig_start(&rig, 0);
    virtio_bench_post(rig.b, CONTROL, &part, 1);
    virtio_bench_kick(rig.b, CONTROL);
    g_assert_true(virtio_bench_is_broken(rig.b));
    rig_clear(&rig);
}

/* --- configuration --- */

static uint32_t read_config(NetRig *rig, unsigned at, unsigned size)
{
    return (uint32_t)gm_mmio_read(memory_of(rig), VIRTIO_BENCH_BASE + at, size);
}

static void test_config(void)
{
    NetRig rig;

    rig_init(&rig, 3, 9000);
    g_assert_cmphex(virtio_bench_read(rig.b, VB_CONFIG), ==, 0x12005452);
    g_assert_cmphex(read_config(&rig, VB_CONFIG + 4, 2), ==, 0x5634);
    g_assert_cmphex(read_config(&rig, STATUS_AT, 2), ==, 1);
    g_assert_cmpuint(read_config(&rig, VB_CONFIG + 8, 2), ==, 3);
    g_assert_cmpuint(read_config(&rig, VB_CONFIG + 10, 2), ==, 9000);
    uint64_t features = virtio_bench_features(rig.b);
    g_assert_true(bit_test(features, F_MTU) && bit_test(features, F_MQ));
    rig_clear(&rig);
    rig_init(&rig, 1, 0);
    features = virtio_bench_features(rig.b);
    g_assert_false(bit_test(features, F_MTU) || bit_test(features, F_MQ));
    g_assert_true(bit_test(features, F_CSUM) && bit_test(features, F_GUEST_TSO4));
    rig_clear(&rig);
}

static void test_link(void)
{
    NetHeader header = { 0 };
    uint8_t frame[100];
    NetRig rig;

    rig_init(&rig, 1, 0);
    rig_start(&rig, 0);
    uint32_t generation = virtio_bench_read(rig.b, VB_CONFIG_GENERATION);
    virtio_net_set_link(rig.b->dev, false);
    g_assert_false(virtio_dev_config_known(rig.b->dev));
    g_assert_cmphex(read_config(&rig, STATUS_AT, 2), ==, 0);
    g_assert_true(virtio_dev_config_known(rig.b->dev));
    g_assert_cmpuint(virtio_bench_read(rig.b, VB_CONFIG_GENERATION), !=, generation);
    g_assert_cmphex(virtio_bench_read(rig.b, VB_INTERRUPT_STATUS), ==, VIRTIO_INTERRUPT_CONFIG);
    g_assert_true(guest_send(&rig, &header, 100)); /* into the void */
    g_assert_cmpint(world_receive(&rig, &header, frame, 100), ==, -1);
    post_receive(&rig, RECEIVE, BUF, 2048);
    world_send_to(&rig, own_mac, 100);
    g_assert_cmpint(next_received(&rig, RECEIVE), ==, -1);
    virtio_net_set_link(rig.b->dev, true);
    g_assert_cmphex(read_config(&rig, STATUS_AT, 2), ==, 1);
    world_send_to(&rig, own_mac, 100);
    g_assert_cmpint(next_received(&rig, RECEIVE), ==, HEADER + 100);
    rig_clear(&rig);
}

/* The network goes away for good: the link goes down, the device lives. */
static void test_network_goes(void)
{
    NetHeader header = { 0 };
    NetRig rig;

    rig_init(&rig, 1, 0);
    rig_start(&rig, 0);
    world_send_to(&rig, own_mac, 100);
    close(rig.world);
    rig.world = -1;
    post_receive(&rig, RECEIVE, BUF, 2048);
    g_assert_cmpint(next_received(&rig, RECEIVE), ==, HEADER + 100); /* came before */
    g_assert_cmphex(read_config(&rig, STATUS_AT, 2), ==, 0);
    virtio_net_set_link(rig.b->dev, true);
    g_assert_cmphex(read_config(&rig, STATUS_AT, 2), ==, 0); /* there is nothing to plug in */
    g_assert_true(guest_send(&rig, &header, 100));
    g_assert_false(virtio_bench_is_broken(rig.b));
    rig_clear(&rig);
}

static void test_announce(void)
{
    NetRig rig;

    rig_init(&rig, 1, 0);
    virtio_net_announce(rig.b->dev); /* no driver: nothing */
    rig_start(&rig, VIRTIO_FEATURE(F_GUEST_ANNOUNCE));
    virtio_net_announce(rig.b->dev);
    g_assert_cmphex(read_config(&rig, STATUS_AT, 2), ==, 1);
    rig_start(&rig, 0);
    virtio_net_announce(rig.b->dev);
    g_assert_cmphex(read_config(&rig, STATUS_AT, 2), ==, 3);
    g_assert_cmphex(virtio_bench_read(rig.b, VB_INTERRUPT_STATUS), ==, VIRTIO_INTERRUPT_CONFIG);
    g_assert_cmpuint(COMMAND(&rig, "\x03\x00"), ==, 0);
    g_assert_cmphex(read_config(&rig, STATUS_AT, 2), ==, 1);
    rig_clear(&rig);
}

/* --- pairs of queues --- */

/* The control queue is the last that the driver knows. */
static void test_pairs(void)
{
    NetHeader header = { 0 };
    NetRig rig;

    rig_init(&rig, 3, 0);
    rig_start(&rig, VIRTIO_FEATURE(F_MQ));
    g_assert_cmpuint(command(&rig, 2, "\1\1\x02\1\1\1\1\1", 8), ==, 0);
    rig_start(&rig, 0);
    g_assert_cmpuint(command(&rig, 6, "\4\0\0\0", 4), ==, 1);
    g_assert_cmpuint(command(&rig, 6, "\4\0\4\0", 4), ==, 1);
    g_assert_cmpuint(command(&rig, 6, "\4\0\3\0", 4), ==, 0);
    /* a flow comes back on the pair on which it went out last */
    uint8_t out[54] = { [12] = 8,    [14] = 0x45, [17] = 40, [23] = 6,  [26] = 10,  [27] = 0,
                        [28] = 2,    [29] = 15,   [30] = 8,  [31] = 8,  [32] = 4,   [33] = 4,
                        [34] = 0x99, [35] = 0x98, [36] = 0,  [37] = 80, [46] = 0x50 };
    uint8_t in[54];
    memcpy(in, out, sizeof(in));
    memcpy(in, own_mac, 6);
    memcpy(in + 26, out + 30, 4);
    memcpy(in + 30, out + 26, 4);
    memcpy(in + 34, out + 36, 2);
    memcpy(in + 36, out + 34, 2);
    for (unsigned pair = 0; pair < 3; pair++) {
        VirtioBenchPart parts[] = { { BUF, HEADER, false }, { DATA, sizeof(out), false } };
        gm_write(memory_of(&rig), BUF, &header, HEADER);
        gm_write(memory_of(&rig), DATA, out, sizeof(out));
        virtio_bench_post(rig.b, pair * 2 + 1, parts, 2);
        virtio_bench_kick(rig.b, pair * 2 + 1);
        post_receive(&rig, pair * 2, DATA, 2048);
        world_send(&rig, NULL, in, sizeof(in));
        g_assert_cmpint(next_received(&rig, pair * 2), ==, HEADER + 54);
    }
    rig_clear(&rig);
}

/* --- states --- */

static void test_save_and_load(void)
{
    static const uint8_t other[] = { 0x02, 1, 1, 1, 1, 1 };
    NetRig rig;

    rig_init(&rig, 1, 0);
    rig_start(&rig, 0);
    Device *device = &rig.b->dev->device;
    size_t len = device_saved_size(device->class);
    g_autofree uint8_t *state = g_malloc(len);
    g_assert_cmpuint(COMMAND(&rig, "\1\0\1\0\0\0\x02\1\1\1\1\1\0\0\0\0"), ==, 0);
    device_save(device, state);
    device_reset(device);
    g_assert_true(device_load(device, state, len, NULL));
    io_thread_run_all(rig.b->io);
    post_receive(&rig, RECEIVE, BUF, 2048);
    world_send_to(&rig, other, 100);
    g_assert_cmpint(next_received(&rig, RECEIVE), ==, HEADER + 100);
    rig_clear(&rig);
}

#define ADD_TABLE(table, prefix, fn)                                                               \
    for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {                                             \
        g_autofree char *path = g_strconcat("/net/" prefix "/", table[i].name, NULL);              \
        g_test_add_data_func(path, &table[i], fn);                                                 \
    }

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/send", test_send);
    ADD_TABLE(sends, "send", test_send_case)
    g_test_add_func("/net/send/without-header", test_send_without_header);
    g_test_add_func("/net/send/waits-for-the-network", test_send_waits);
    g_test_add_func("/net/receive", test_receive);
    g_test_add_func("/net/receive/merged", test_receive_merged);
    g_test_add_func("/net/receive/in-crumbs", test_receive_in_crumbs);
    g_test_add_func("/net/receive/waits-for-room", test_receive_waits);
    g_test_add_func("/net/receive/offloads", test_receive_offloads);
    ADD_TABLE(filters, "filter", test_filter)
    g_test_add_func("/net/filter/table-overflow", test_filter_overflow);
    g_test_add_func("/net/filter/none", test_no_filter);
    g_test_add_func("/net/filter/vlan", test_vlan);
    g_test_add_func("/net/control-without-answer", test_control_without_answer);
    g_test_add_func("/net/config", test_config);
    g_test_add_func("/net/link", test_link);
    g_test_add_func("/net/network-goes", test_network_goes);
    g_test_add_func("/net/announce", test_announce);
    g_test_add_func("/net/pairs", test_pairs);
    g_test_add_func("/net/save-and-load", test_save_and_load);
    return g_test_run();
}
