/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Known flaws of e1000 and e1000e: rings that lie.  Whatever they say, the I/O thread gets through
 * with them, and after a reset the card sends as ever.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cve.h"
#include "machine/core/bench.h"
#include "machine/device/e1000e.h"

enum { RAM = 1 << 20, BAR = 0xc0000000, DEVFN = PCI_DEVFN(2, 0), COUNT = 64 };
enum { TX = 0x1000, RX = 0x2000, BUFFER = 0x10000, RX_BUFFER = 0x20000, PLANTED = 0x80000 };
enum { CTRL = 0, TCTL = 0x400, RCTL = 0x100, TDBAL = 0x3800, TDLEN = 0x3808, TDH = 0x3810 };
enum { TDT = 0x3818, RDBAL = 0x2800, RDLEN = 0x2808, RDH = 0x2810, RDT = 0x2818 };
#define END_OF_FRAME (1U << 24)
#define LEGACY       (END_OF_FRAME | 1U << 25 | 1U << 27)

typedef struct Card {
    Bench bench;
    PciRoot *root;
    IoThread *io;
    NetPort *port;
    int world;
    E1000e *dev;
} Card;

static unsigned route(void *opaque, unsigned device, unsigned pin)
{
    return 0;
}

static void put(Card *card, unsigned at, uint32_t value)
{
    gm_mmio_write(card->bench.env.memory, BAR + at, value, 4);
    io_thread_run_all(card->io);
}

static void describe(Card *card, uint32_t ring, unsigned index, uint64_t gpa, uint32_t command)
{
    uint8_t raw[16] = { 0 };

    store_le64(raw, gpa);
    store_le32(raw + 8, command);
    gm_write(card->bench.env.memory, ring + index * 16, raw, sizeof(raw));
}

static void start(Card *card)
{
    static const uint32_t setup[][2] = {
        { TDBAL, TX }, { TDLEN, COUNT * 16 }, { TCTL, 2 },
        { RDBAL, RX }, { RDLEN, COUNT * 16 }, { RCTL, 0x0400801a },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(setup); i++) {
        put(card, setup[i][0], setup[i][1]);
    }
}

static void card_init(Card *card)
{
    PciRootConfig root = { .route = route };
    E1000eConfig config = { .mac = { 2, 0, 0, 0, 0, 1 } };
    int fds[2];

    *card = (Card){ 0 };
    bench_init(&card->bench);
    root.memory = card->bench.env.memory;
    g_assert_true(gm_add_ram(root.memory, 0, RAM, NULL));
    memset(gm_ram(root.memory, PLANTED, RAM - PLANTED), 0xa5, RAM - PLANTED);
    card->root = pci_root_new(&root);
    card->io = io_thread_new_manual();
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), ==,
                    0);
    card->world = fds[0];
    card->port = net_port_new(NET_PORT_SOCKET, fds[1], "test", NULL);
    config.io = card->io;
    config.port = card->port;
    PciSlot slot = { card->bench.env, pci_root_bus(card->root), DEVFN, "net0", false };
    card->dev = e1000e_new(&slot, &config);
    device_reset((Device *)card->dev);
    pci_root_write(card->root, 0, DEVFN, PCI_BAR0, BAR, 4);
    pci_root_write(card->root, 0, DEVFN, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
    start(card);
}

static void card_clear(Card *card)
{
    device_free((Device *)card->dev);
    pci_root_free(card->root);
    io_thread_free(card->io);
    net_port_free(card->port);
    close(card->world);
    bench_clear(&card->bench);
}

/* How many frames have come out. */
static unsigned sent(Card *card)
{
    unsigned n = 0;
    uint8_t byte;

    while (recv(card->world, &byte, 1, 0) > 0) {
        n++;
    }
    return n;
}

static void arrive(Card *card, size_t len)
{
    static uint8_t message[sizeof(NetHeader) + 70000];

    memset(message, 0, sizeof(NetHeader));
    memset(message + sizeof(NetHeader), 0xff, 6);
    ssize_t ignored = send(card->world, message, sizeof(NetHeader) + len, 0);
    (void)ignored;
    io_thread_run_all(card->io);
}

/* --- stories --- */

/* A ring of descriptors without length and without an end of frame. */
static void no_lengths(Card *card)
{
    for (unsigned i = 0; i < COUNT; i++) {
        describe(card, TX, i, BUFFER, 0);
    }
    put(card, TDT, COUNT - 1);
    put(card, TDT, COUNT - 2);
}

/* The head is set beyond the ring, and the tail too. */
static void head_beyond(Card *card)
{
    put(card, TDH, 0xffff);
    put(card, TDT, 5);
    put(card, TDH, 3);
    put(card, TDT, 0xffff);
    put(card, RDH, 0xffff);
    put(card, RDT, 0xffff);
    arrive(card, 60);
}

static void ring_of_nothing(Card *card)
{
    put(card, TDLEN, 0);
    put(card, TDT, 5);
    put(card, RDLEN, 0);
    put(card, RDT, 5);
    arrive(card, 60);
}

/* A frame of all descriptors, 64 KiB each, that never ends. */
static void endless_frame(Card *card)
{
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < COUNT; i++) {
            describe(card, TX, i, BUFFER, 0xffff);
        }
        put(card, TDT, round & 1 ? 0 : COUNT - 1);
    }
}

/* Buffers and rings are the card's own registers, or nowhere. */
static void buffers_in_registers(Card *card)
{
    describe(card, TX, 0, BAR + TDT, LEGACY | 60);
    describe(card, TX, 1, UINT64_MAX - 16, LEGACY | 60);
    put(card, TDT, 2);
    describe(card, RX, 0, BAR, 0);
    describe(card, RX, 1, UINT64_MAX - 16, 0);
    put(card, RDT, 2);
    arrive(card, 60);
    arrive(card, 60);
}

static void rings_in_registers(Card *card)
{
    put(card, TDBAL, BAR);
    put(card, TDT, 5);
    put(card, RDBAL, BAR);
    put(card, RDT, 5);
    arrive(card, 60);
}

/* Sent frames come back: by a bit of the MAC's, as any received one, or not at all. */
static void looped(Card *card)
{
    put(card, RCTL, 0x0400801a | 0xc0);
    for (unsigned i = 0; i < COUNT; i++) {
        describe(card, RX, i, RX_BUFFER, 0);
        describe(card, TX, i, BUFFER, LEGACY | 60);
    }
    put(card, RDT, COUNT - 1);
    put(card, TDT, COUNT - 1);
}

/* A frame that is longer than all buffers; buffers behind which there is something. */
static void long_frame(Card *card)
{
    for (unsigned i = 0; i < 4; i++) {
        describe(card, RX, i, RX_BUFFER + 0x1000 * i, 0);
    }
    put(card, RDT, 3);
    arrive(card, 65000);
    arrive(card, 9000);
    describe(card, RX, 3, PLANTED - 2048, 0);
    put(card, RDT, 4);
    arrive(card, 2048);
}

/* Segments of no bytes, headers longer than what there is. */
static void segments_of_nothing(Card *card)
{
    static const uint32_t contexts[][4] = {
        /* IP and TCP offsets, command and length, header length and MSS */
        { 0x00220e0e, 0x00360022, 0x24000000U | 0xfffff, 0x00000000 },
        { 0xffffffff, 0xffffffff, 0x27000000U | 0xfffff, 0xffffffff },
        { 0x00220e0e, 0x00360022, 0x27000000U | 100, 0x0001ff00 },
        { 0, 0, 0x27000000U, 0x00010000 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(contexts); i++) {
        gm_write(card->bench.env.memory, TX, contexts[i], 16);
        describe(card, TX, 1, BUFFER, 0x25100000U | 2000);
        describe(card, TX, 2, BUFFER, 0x2d100000U | 2000);
        put(card, TDH, 0);
        put(card, TDT, 3);
        put(card, CTRL, 1U << 26);
        start(card);
    }
}

/* The card is reset by what it sends: its descriptors lie over each other. */
static void reset_while_sending(Card *card)
{
    for (unsigned i = 0; i < COUNT; i++) {
        describe(card, TX, i, TX, LEGACY | COUNT * 16);
    }
    put(card, TDT, COUNT - 1);
    put(card, CTRL, 1U << 26);
    put(card, TDT, COUNT - 1);
}

static const struct Story {
    const char *cve, *what;
    void (*tell)(Card *card);
} stories[] = {
    { "2020-28916", "descriptors without length", no_lengths },
    { "2021-20257", "a frame that never ends", endless_frame },
    { "2015-6815", "the same, a round without progress", no_lengths },
    { "2016-1981", "heads beyond the ring", head_beyond },
    { "2017-9310", "rings of no descriptors", ring_of_nothing },
    { "2020-15859", "buffers in the card's registers", buffers_in_registers },
    { "2021-3611", "rings in the card's registers", rings_in_registers },
    { "2021-3416", "sent frames come back", looped },
    { "2012-6075", "received frames longer than buffers", long_frame },
    { "2020-27617", "segments of no bytes", segments_of_nothing },
    { "2023-3019", "reset while it sends", reset_while_sending },
};

static void test_story(gconstpointer data)
{
    const struct Story *c = data;
    Card card;

    card_init(&card);
    c->tell(&card);
    sent(&card);
    put(&card, CTRL, 1U << 26);
    start(&card);
    describe(&card, TX, 0, BUFFER, LEGACY | 60);
    put(&card, TDT, 1);
    g_assert_cmpuint(sent(&card), ==, 1);
    const uint8_t *planted = gm_ram(card.bench.env.memory, PLANTED, RAM - PLANTED);
    for (unsigned i = 0; i < RAM - PLANTED; i++) {
        g_assert_cmphex(planted[i], ==, 0xa5);
    }
    card_clear(&card);
}

void cve_add_network(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(stories); i++) {
        cve_add(stories[i].cve, stories[i].what, &stories[i], test_story);
    }
}
