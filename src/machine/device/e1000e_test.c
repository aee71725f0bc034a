/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the 82574L: what drivers look for, frames both ways, and guests that lie.  The network
 * is a pair of sockets, the I/O thread is run by hand.
 */
#include "machine/device/e1000e.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "machine/core/bench.h"
#include "net/frame.h"

enum { DEVFN = PCI_DEVFN(5, 0), BAR = 0xc0000000, RAM = 1 << 20 };
enum { TX_AT = 0x10000, RX_AT = 0x20000, BUFFERS = 0x40000, COUNT = 8 };
enum { TDT = 0x3818, TDH = 0x3810, RDT = 0x2818, RDH = 0x2810, ICR = 0xc0, IMS = 0xd0 };

static const uint8_t own_mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

typedef struct Rig {
    Bench bench;
    PciRoot *root;
    IoThread *io;
    NetPort *port;
    int fd;
    E1000e *dev;
} Rig;

static unsigned route(void *opaque, unsigned device, unsigned pin)
{
    return 0;
}

static void put(Rig *rig, unsigned at, uint32_t value)
{
    gm_mmio_write(rig->bench.env.memory, BAR + at, value, 4);
    io_thread_run_all(rig->io);
}

static uint32_t get(Rig *rig, unsigned at)
{
    return (uint32_t)gm_mmio_read(rig->bench.env.memory, BAR + at, 4);
}

static void enable(Rig *rig)
{
    static const struct {
        unsigned at;
        uint32_t value;
    } setup[] = {
        { 0x3800, TX_AT }, { 0x3808, COUNT * 16 }, { 0x400, 2 },
        { 0x2800, RX_AT }, { 0x2808, COUNT * 16 }, { 0x100, 0x04008002 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(setup); i++) {
        put(rig, setup[i].at, setup[i].value);
    }
}

static void rig_init(Rig *rig)
{
    PciRootConfig config = { .route = route };
    int fds[2];

    *rig = (Rig){ 0 };
    bench_init(&rig->bench);
    config.memory = rig->bench.env.memory;
    config.pirqs[0] = bench_line(&rig->bench, 0);
    g_assert_true(gm_add_ram(config.memory, 0, RAM, NULL));
    rig->root = pci_root_new(&config);
    rig->io = io_thread_new_manual();
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), ==, 0);
    rig->fd = fds[0];
    rig->port = net_port_new(NET_PORT_SOCKET, fds[1], "test", NULL);
    PciSlot slot = { rig->bench.env, pci_root_bus(rig->root), DEVFN, "net0", false };
    E1000eConfig card = { .io = rig->io, .port = rig->port };
    memcpy(card.mac, own_mac, 6);
    rig->dev = e1000e_new(&slot, &card);
    device_reset((Device *)rig->dev);
    pci_root_write(rig->root, 0, DEVFN, PCI_BAR0, BAR, 4);
    pci_root_write(rig->root, 0, DEVFN, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
    enable(rig);
}

static void rig_clear(Rig *rig)
{
    device_free((Device *)rig->dev);
    pci_root_free(rig->root);
    io_thread_free(rig->io);
    net_port_free(rig->port);
    close(rig->fd);
    bench_clear(&rig->bench);
}

/* Descriptor @index of the ring at @ring. */
static void describe(Rig *rig, uint32_t ring, unsigned index, uint64_t a, uint32_t b, uint32_t c)
{
    const uint32_t words[4] = { (uint32_t)a, (uint32_t)(a >> 32), b, c };

    g_assert_true(gm_write(rig->bench.env.memory, ring + index * 16, words, 16));
}

static uint32_t word_of(Rig *rig, uint32_t ring, unsigned index, unsigned word)
{
    uint32_t value;

    g_assert_true(gm_read(rig->bench.env.memory, ring + index * 16 + word * 4, &value, 4));
    return value;
}

/* What has come out of the card; its length, or -1. */
static ssize_t sent(Rig *rig, NetHeader *header, uint8_t *frame, size_t size)
{
    struct iovec iov[2] = { { header, sizeof(*header) }, { frame, size } };
    struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };
    ssize_t len = recvmsg(rig->fd, &message, 0);

    return len < 0 ? -1 : len - (ssize_t)sizeof(*header);
}

static void arrive(Rig *rig, const uint8_t *frame, size_t len, uint8_t flags)
{
    NetHeader header = { .flags = flags };
    struct iovec iov[2] = { { &header, sizeof(header) }, { (void *)(uintptr_t)frame, len } };
    struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };

    g_assert_cmpint(sendmsg(rig->fd, &message, 0), ==, (ssize_t)(len + sizeof(header)));
    io_thread_run_all(rig->io);
}

/* --- identity --- */

static void test_identity(void)
{
    uint16_t sum = 0;
    Rig rig;

    rig_init(&rig);
    for (unsigned i = 0; i < 64; i++) {
        put(&rig, 0x14, i << 2 | 1);
        g_assert_cmphex(get(&rig, 0x14) & 2, ==, 2);
        sum = (uint16_t)(sum + (get(&rig, 0x14) >> 16));
    }
    g_assert_cmphex(sum, ==, 0xbaba);
    put(&rig, 0x20, 0x08200000 | 2 << 16); /* the PHY's id */
    g_assert_cmphex(get(&rig, 0x20) & 0x1000ffff, ==, 0x10000141);
    put(&rig, 0x20, 0x08400000 | 2 << 16); /* no PHY is at 2 */
    g_assert_cmphex(get(&rig, 0x20) & 0x40000000, ==, 0x40000000);
    g_assert_cmphex(get(&rig, 8) & 3, ==, 3); /* the link is up */
    g_assert_cmphex(get(&rig, 0x5400), ==, 0x12005452);
    g_assert_cmphex(get(&rig, 0x5404), ==, 0x80005634);
    e1000e_set_link(rig.dev, false);
    g_assert_true(e1000e_link_known(rig.dev)); /* nobody wanted to be told */
    g_assert_cmphex(get(&rig, 8) & 2, ==, 0);
    g_assert_cmphex(get(&rig, ICR) & 4, ==, 4);
    put(&rig, 0xd0, 4);
    e1000e_set_link(rig.dev, true);
    g_assert_false(e1000e_link_known(rig.dev));
    g_assert_cmphex(get(&rig, 8) & 2, ==, 2);
    g_assert_true(e1000e_link_known(rig.dev));
    put(&rig, 0, 0x04000000); /* reset */
    g_assert_cmphex(get(&rig, 0x3800), ==, 0);
    rig_clear(&rig);
}

/* --- sending --- */

/* An IPv4 frame with TCP and @len bytes of payload, its sums left out. */
static size_t make_tcp(uint8_t *frame, size_t len, bool no_length)
{
    size_t total = 40 + len;

    memset(frame, 0, 54);
    memcpy(frame, "\x02\0\0\0\0\x02\x52\x54\0\x12\x34\x56\x08\0\x45", 15);
    frame[16] = (uint8_t)(no_length ? 0 : total >> 8);
    frame[17] = (uint8_t)(no_length ? 0 : total);
    frame[22] = 64;
    frame[23] = 6;
    memcpy(frame + 26, "\x0a\0\2\x0f\x0a\0\2\2", 8);
    frame[46] = 0x50;
    for (size_t i = 0; i < len; i++) {
        frame[54 + i] = (uint8_t)(i * 13);
    }
    return 54 + len;
}

static void test_send_legacy(void)
{
    uint8_t frame[100], got[200];
    NetHeader header;
    Rig rig;

    rig_init(&rig);
    for (unsigned i = 0; i < sizeof(frame); i++) {
        frame[i] = (uint8_t)i;
    }
    put(&rig, IMS, 1);
    gm_write(rig.bench.env.memory, BUFFERS, frame, sizeof(frame));
    describe(&rig, TX_AT, 0, BUFFERS, 40, 0);                   /* its beginning */
    describe(&rig, TX_AT, 1, BUFFERS + 40, 60 | 0x0b << 24, 0); /* EOP, IFCS, RS */
    put(&rig, TDT, 1);                                          /* not yet all of it */
    g_assert_cmpint(sent(&rig, &header, got, sizeof(got)), ==, -1);
    g_assert_cmpuint(get(&rig, TDH), ==, 0);
    put(&rig, TDT, 2);
    g_assert_cmpint(sent(&rig, &header, got, sizeof(got)), ==, sizeof(frame));
    g_assert_cmpmem(got, sizeof(frame), frame, sizeof(frame));
    g_assert_cmpuint(get(&rig, TDH), ==, 2);
    g_assert_cmpuint(word_of(&rig, TX_AT, 1, 3) & 1, ==, 1);
    g_assert_cmpuint(word_of(&rig, TX_AT, 0, 3) & 1, ==, 0); /* nobody asked */
    g_assert_true(rig.bench.level[0]);
    g_assert_cmphex(get(&rig, ICR) & 0x80000001, ==, 0x80000001);
    g_assert_false(rig.bench.level[0]);
    rig_clear(&rig);
}

static void context(Rig *rig, unsigned index, uint16_t mss)
{
    /* IPCSS 14, IPCSO 24, IPCSE 33; TUCSS 34, TUCSO 50; TCP over IPv4, headers of 54 bytes */
    describe(rig, TX_AT, index, 14 | 24 << 8 | 33 << 16 | UINT64_C(34) << 32 | UINT64_C(50) << 40,
             0x23u << 24, 54 << 8 | (uint32_t)mss << 16);
}

/* The sums that the card was asked for are there, or asked of the network in turn. */
static void test_send_sums(void)
{
    uint8_t frame[200], got[200];
    NetHeader header;
    Rig rig;

    rig_init(&rig);
    size_t len = make_tcp(frame, 100, false);
    gm_write(rig.bench.env.memory, BUFFERS, frame, len);
    context(&rig, 0, 0);
    describe(&rig, TX_AT, 1, BUFFERS, (uint32_t)len | 1 << 20 | 0x29u << 24, 3 << 8);
    put(&rig, TDT, 2);
    g_assert_cmpint(sent(&rig, &header, got, sizeof(got)), ==, (ssize_t)len);
    g_assert_cmphex(header.flags, ==, NET_HEADER_NEEDS_CSUM);
    g_assert_cmpuint(header.csum_start, ==, 34);
    g_assert_cmpuint(header.csum_offset, ==, 16);
    uint32_t sum = 0;
    for (unsigned i = 14; i < 34; i += 2) {
        sum += (uint32_t)(got[i] << 8 | got[i + 1]);
    }
    g_assert_cmphex((sum & 0xffff) + (sum >> 16), ==, 0xffff);
    rig_clear(&rig);
}

/* A long segment goes to the network as one, with what it needs to cut it. */
static void test_send_segment(void)
{
    enum { PAYLOAD = 5000, MSS = 1460 };
    g_autofree uint8_t *frame = g_malloc(PAYLOAD + 54), *got = g_malloc(PAYLOAD + 54);
    NetHeader header;
    Rig rig;

    rig_init(&rig);
    size_t len = make_tcp(frame, PAYLOAD, true);
    gm_write(rig.bench.env.memory, BUFFERS, frame, len);
    context(&rig, 0, MSS);
    describe(&rig, TX_AT, 1, BUFFERS, 54 | 1 << 20 | 0x2cu << 24, 3 << 8);
    describe(&rig, TX_AT, 2, BUFFERS + 54, PAYLOAD | 1 << 20 | 0x2du << 24, 3 << 8);
    put(&rig, TDT, 3);
    g_assert_cmpint(sent(&rig, &header, got, len), ==, (ssize_t)len);
    g_assert_cmpuint(header.gso_type, ==, NET_GSO_TCP4);
    g_assert_cmpuint(header.gso_size, ==, MSS);
    g_assert_cmpuint(got[16] << 8 | got[17], ==, PAYLOAD + 40);
    g_assert_cmpmem(got + 54, PAYLOAD, frame + 54, PAYLOAD);
    rig_clear(&rig);
}

/* --- receiving --- */

static void test_receive(gconstpointer data)
{
    const bool extended = GPOINTER_TO_INT(data);
    uint8_t frame[3000], got[3000];
    Rig rig;

    rig_init(&rig);
    put(&rig, 0x5008, extended ? 0x8000 : 0);
    put(&rig, 0x100, 0x04008022); /* long frames, too */
    put(&rig, IMS, 0x80);
    for (unsigned i = 0; i < COUNT; i++) {
        describe(&rig, RX_AT, i, BUFFERS + i * 2048, 0, 0);
    }
    size_t len = make_tcp(frame, 2900, false);
    memcpy(frame, own_mac, 6);
    put(&rig, RDT, 1); /* room for 2048 bytes only: it waits */
    arrive(&rig, frame, len, NET_HEADER_DATA_VALID);
    g_assert_cmpuint(get(&rig, RDH), ==, 0);
    put(&rig, RDT, 4);
    g_assert_cmpuint(get(&rig, RDH), ==, 2);
    gm_read(rig.bench.env.memory, BUFFERS, got, len);
    g_assert_cmpmem(got, len, frame, len);
    unsigned status = extended ? 2 : 3, length = extended ? 3 : 2;
    g_assert_cmphex(word_of(&rig, RX_AT, 0, status) & 0xff, ==, 1);
    g_assert_cmphex(word_of(&rig, RX_AT, 1, status) & 0xff, ==, 0x63); /* DD, EOP, sums */
    g_assert_cmpuint(word_of(&rig, RX_AT, 0, length) & 0xffff, ==, 2048);
    g_assert_cmpuint(word_of(&rig, RX_AT, 1, length) & 0xffff, ==, len - 2048);
    g_assert_true(rig.bench.level[0]);
    rig_clear(&rig);
}

static void test_filters(void)
{
    static const struct {
        uint8_t mac[6];
        uint32_t rctl; /* besides what is set */
        bool taken;
    } cases[] = {
        { { 0x52, 0x54, 0, 0x12, 0x34, 0x56 }, 0, true },
        { { 0x52, 0x54, 0, 0x12, 0x34, 0x57 }, 0, false },
        { { 0x52, 0x54, 0, 0x12, 0x34, 0x57 }, 0x8, true },
        { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 0, true },
        { { 0x33, 0x33, 0, 0, 0, 1 }, 0, true }, /* its bit of the table is set */
        { { 0x33, 0x33, 0, 0, 0, 2 }, 0, false },
        { { 0x33, 0x33, 0, 0, 0, 2 }, 0x10, true },
    };
    uint8_t frame[60] = { 0 };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Rig rig;
        rig_init(&rig);
        put(&rig, 0x5200, 1 << 16); /* 0100h >> 4 */
        put(&rig, 0x100, 0x04008002 | cases[i].rctl);
        describe(&rig, RX_AT, 0, BUFFERS, 0, 0);
        put(&rig, RDT, 2);
        memcpy(frame, cases[i].mac, 6);
        arrive(&rig, frame, sizeof(frame), 0);
        g_assert_cmpuint(get(&rig, RDH), ==, cases[i].taken);
        rig_clear(&rig);
    }
}

/* --- guests that lie --- */

/* None of it sends anything, or does not end. */
static void test_lies(void)
{
    static const struct {
        const char *name;
        uint64_t a;
        uint32_t b, c, tail;
    } lies[] = {
        { "a tail beyond the ring", BUFFERS, 60 | 0x09u << 24, 0, COUNT },
        { "a buffer outside memory", RAM, 60 | 0x09u << 24, 0, 1 },
        { "a buffer at the end of the world", UINT64_MAX - 8, 60 | 0x09u << 24, 0, 1 },
        { "a frame of 1 MiB", 0, 0xfffff | 1 << 20 | 0x29u << 24, 0, 1 },
        { "a frame of nothing", BUFFERS, 0x09u << 24, 0, 1 },
        { "a long segment of nothing", BUFFERS, 60 | 1 << 20 | 0x2du << 24, 0, 1 },
        { "no end", BUFFERS, 60, 0, COUNT - 1 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(lies); i++) {
        uint8_t got[100];
        NetHeader header;
        Rig rig;
        rig_init(&rig);
        g_test_message("%s", lies[i].name);
        for (unsigned j = 0; j < COUNT; j++) {
            describe(&rig, TX_AT, j, lies[i].a, lies[i].b, lies[i].c);
        }
        put(&rig, TDT, lies[i].tail);
        g_assert_cmpint(sent(&rig, &header, got, sizeof(got)), ==, -1);
        rig_clear(&rig);
    }
}

/* A state that lies about a ring doesn't keep anybody busy for long. */
static void test_saved_lies(void)
{
    Rig rig;

    rig_init(&rig);
    size_t len = device_saved_size(&e1000e_class.device);
    g_autofree uint8_t *state = g_malloc(len);
    device_save((Device *)rig.dev, state);
    for (size_t i = 0; i < len; i++) {
        state[i] |= i >= PCIE_CONFIG_SIZE ? 0x55 : 0;
    }
    device_load((Device *)rig.dev, state, len, NULL);
    io_thread_run_all(rig.io);
    put(&rig, TDT, 1);
    put(&rig, RDT, 1);
    rig_clear(&rig);
}

/* Frames that are too long for the ring, or for a card that takes usual ones, are dropped. */
static void test_too_long(void)
{
    uint8_t frame[4000] = { 0 };
    Rig rig;

    rig_init(&rig);
    memcpy(frame, own_mac, 6);
    describe(&rig, RX_AT, 0, BUFFERS, 0, 0);
    put(&rig, RDT, 2);
    arrive(&rig, frame, 1515, 0);
    g_assert_cmpuint(get(&rig, RDH), ==, 0);
    arrive(&rig, frame, 1514, 0);
    g_assert_cmpuint(get(&rig, RDH), ==, 1);
    put(&rig, 0x100, 0x04038022); /* buffers of 256 bytes: 7 of them */
    arrive(&rig, frame, 4000, 0);
    g_assert_cmpuint(get(&rig, RDH), ==, 1);
    describe(&rig, RX_AT, 1, BUFFERS, 0, 0);
    arrive(&rig, frame, 60, 0); /* what follows comes */
    g_assert_cmpuint(get(&rig, RDH), ==, 2);
    rig_clear(&rig);
}

static void test_network_goes(void)
{
    Rig rig;

    rig_init(&rig);
    put(&rig, RDT, 4);
    shutdown(rig.fd, SHUT_RDWR);
    io_thread_run_all(rig.io);
    g_assert_cmphex(get(&rig, 8) & 2, ==, 0);
    rig_clear(&rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/e1000e/is what drivers look for", test_identity);
    g_test_add_func("/e1000e/sends", test_send_legacy);
    g_test_add_func("/e1000e/sums", test_send_sums);
    g_test_add_func("/e1000e/sends long segments", test_send_segment);
    g_test_add_data_func("/e1000e/receives by legacy descriptors", GINT_TO_POINTER(0),
                         test_receive);
    g_test_add_data_func("/e1000e/receives by extended ones", GINT_TO_POINTER(1), test_receive);
    g_test_add_func("/e1000e/filters", test_filters);
    g_test_add_func("/e1000e/is not taken in by lies", test_lies);
    g_test_add_func("/e1000e/is not taken in by a state that lies", test_saved_lies);
    g_test_add_func("/e1000e/drops what is too long", test_too_long);
    g_test_add_func("/e1000e/notices that the network goes", test_network_goes);
    return g_test_run();
}
