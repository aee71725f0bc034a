/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Known flaws of libslirp, tried through insula-net's filter on the libslirp that is installed:
 * frames that a guest makes up.  Whatever becomes of them, the network answers afterwards.  (What
 * libslirp itself does wrong is seen by a build with sanitizers, and stays in insula-net's jail.)
 */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cve.h"
#include "net/frame.h"
#include "net/user.h"

enum { ETHERNET = 14, IP4 = 20, IP6 = 40, MAX = 2048, MAX_STEPS = 200 };
enum { ICMP = 1, TCP = 6, UDP = 17, ICMP6 = 58, TYPE_IP4 = 0x0800, TYPE_IP6 = 0x86dd };

static const uint8_t mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

typedef struct Rig {
    UserNet *net;
    int guest, frames, control[2];
    uint8_t router[6];
} Rig;

static void put16(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

/* Let the network do what there is to do: a byte on the control socket ends its wait. */
static void step(Rig *rig)
{
    bool control = false;
    char byte = 0;

    g_assert(send(rig->control[0], &byte, 1, 0) == 1);
    g_assert_true(user_net_step(rig->net, rig->control[1], &control));
    g_assert(recv(rig->control[1], &byte, 1, 0) == 1);
}

static void send_frame(Rig *rig, const uint8_t *frame, size_t len)
{
    NetHeader header = { 0 };
    struct iovec parts[] = { { &header, sizeof(header) }, { (void *)(uintptr_t)frame, len } };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

    g_assert_cmpint(sendmsg(rig->guest, &message, 0), ==, (gssize)(sizeof(header) + len));
    step(rig);
}

/* The router says where it is. */
static void ask_router(Rig *rig)
{
    uint8_t arp[42] = { 0xff,     0xff,      0xff,      0xff,     0xff,     0xff,     [12] = 8,
                        [13] = 6, [15] = 1,  [16] = 8,  [18] = 6, [19] = 4, [21] = 1, [28] = 10,
                        [30] = 2, [31] = 15, [38] = 10, [40] = 2, [41] = 2 };
    uint8_t got[sizeof(NetHeader) + MAX];

    memcpy(arp + 6, mac, 6);
    memcpy(arp + 22, mac, 6);
    send_frame(rig, arp, sizeof(arp));
    for (unsigned i = 0; i < MAX_STEPS; i++) {
        const uint8_t *frame = got + sizeof(NetHeader);
        ssize_t n = recv(rig->guest, got, sizeof(got), 0);
        if (n < 0) {
            step(rig);
        } else if (n >= (ssize_t)(sizeof(NetHeader) + 42) && frame[12] == 8 && frame[13] == 6 &&
                   frame[21] == 2) {
            memcpy(rig->router, frame + 6, 6);
            return;
        }
    }
    g_assert_not_reached();
}

static void rig_init(Rig *rig)
{
    UserNetConfig config = { .ipv6 = true, .mtu = 1500 };
    int fds[2];

    *rig = (Rig){ 0 };
    memcpy(config.mac, mac, sizeof(mac));
    g_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds) == 0);
    g_assert(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, rig->control) == 0);
    rig->guest = fds[0];
    rig->frames = fds[1];
    rig->net = user_net_new(&config, rig->frames);
    ask_router(rig);
}

static void rig_clear(Rig *rig)
{
    user_net_free(rig->net);
    close(rig->guest);
    close(rig->frames);
    close(rig->control[0]);
    close(rig->control[1]);
}

/* The Ethernet header, at @frame. */
static void begin(const Rig *rig, uint8_t *frame, unsigned type)
{
    memset(frame, 0, MAX);
    memcpy(frame, rig->router, 6);
    memcpy(frame + 6, mac, 6);
    put16(frame + 12, type);
}

/* An IPv4 packet with @len bytes behind its header, which are there; its header's sum is right.
 * @fragment is the word with flags and offset, @total what the header says the length is. */
typedef struct Packet {
    const char *to;
    uint8_t protocol;
    uint16_t fragment;
    size_t len, total; /* 0: as it is */
} Packet;

static size_t finish(uint8_t *frame, const Packet *packet)
{
    NetHeader sum = { .flags = 1, .csum_start = ETHERNET, .csum_offset = 10 };
    uint8_t *ip = frame + ETHERNET;

    ip[0] = 0x45;
    put16(ip + 2, packet->total ? packet->total : IP4 + packet->len);
    put16(ip + 4, 0x1234);
    put16(ip + 6, packet->fragment);
    ip[8] = 64;
    ip[9] = packet->protocol;
    memcpy(ip + 12, "\x0a\0\x02\x0f", 4);
    g_assert(inet_pton(AF_INET, packet->to, ip + 16) == 1);
    ip[10] = ip[11] = 0;
    frame_finish_checksum(frame, ETHERNET + IP4, &sum);
    return ETHERNET + IP4 + packet->len;
}

/* --- rows --- */

#define TEXT(bytes) (bytes), sizeof(bytes) - 1

/* UDP that says it is longer, or shorter, than it is. */
static const struct Datagram {
    const char *cve, *what, *to;
    uint16_t port;
    size_t len, said; /* bytes that are there behind UDP's header; what it says */
    const char *text; /* these begin with it */
    size_t n;
} datagrams[] = {
    { "2021-3592", "BOOTP of a byte", "10.0.2.2", 67, 1, 9, TEXT("\1") },
    { "2021-3592", "BOOTP without options", "255.255.255.255", 67, 236, 244, TEXT("\1\1\6") },
    { "2021-3594", "a datagram that says 65535", "10.0.2.3", 53, 4, 0xffff, TEXT("abc") },
    { "2021-3594", "a datagram that says 0", "10.0.2.3", 53, 4, 0, TEXT("abc") },
    { "2021-3595", "TFTP of a byte", "10.0.2.2", 69, 1, 9, TEXT("\0") },
    { "2021-3595", "TFTP without an end", "10.0.2.2", 69, 12, 20, TEXT("\0\1aaaaaaaaaa") },
    { "2017-11434", "a DHCP option that is longer than the packet", "255.255.255.255", 67, 244, 252,
      TEXT("\1\1\6") },
};

static void test_datagram(gconstpointer data)
{
    const struct Datagram *c = data;
    uint8_t frame[MAX];
    Rig rig;

    rig_init(&rig);
    begin(&rig, frame, TYPE_IP4);
    uint8_t *udp = frame + ETHERNET + IP4;
    put16(udp, 68);
    put16(udp + 2, c->port);
    put16(udp + 4, c->said);
    memcpy(udp + 8, c->text, MIN(c->len, c->n));
    if (c->len == 244) { /* the cookie, an option of 255 bytes, and there the packet ends */
        memcpy(udp + 8 + 236, "\x63\x82\x53\x63\x35\xff\1\xff", 8);
    }
    size_t len = finish(frame, &(Packet){ c->to, UDP, 0, 8 + c->len, 0 });
    send_frame(&rig, frame, len);
    ask_router(&rig);
    rig_clear(&rig);
}

/* Fragments that overlap, leave holes, come too late, and are larger together than a packet. */
static void test_fragments(gconstpointer data)
{
    enum { MORE = 0x2000, PARTS = 64 };
    const bool backwards = data != NULL;
    uint8_t frame[MAX];
    Rig rig;

    rig_init(&rig);
    for (unsigned i = 0; i < PARTS; i++) {
        unsigned part = backwards ? PARTS - 1 - i : i;
        begin(&rig, frame, TYPE_IP4);
        memset(frame + ETHERNET + IP4, 0x41, 1400);
        size_t len = finish(frame, &(Packet){ "10.0.2.2", part & 1 ? ICMP : UDP,
                                              (uint16_t)(MORE | part * 150), 1400 - part % 8, 0 });
        send_frame(&rig, frame, len);
        len =
            finish(frame, &(Packet){ "192.0.2.1", UDP, (uint16_t)(MORE | (8191 - part)), 1400, 0 });
        send_frame(&rig, frame, len);
    }
    ask_router(&rig);
    rig_clear(&rig);
}

/* Echoes that say they are longer than they are. */
static void test_echo6(gconstpointer data)
{
    static const uint8_t from[16] = { 0xfe, 0xc0, [15] = 15 }, to[16] = { 0xfe, 0xc0, [15] = 2 };
    uint8_t frame[MAX];
    Rig rig;

    rig_init(&rig);
    for (unsigned said = 0; said < 0x10000; said = said * 2 + 1) {
        begin(&rig, frame, TYPE_IP6);
        uint8_t *ip = frame + ETHERNET;
        ip[0] = 0x60;
        put16(ip + 4, said);
        ip[6] = ICMP6;
        ip[7] = 64;
        memcpy(ip + 8, from, 16);
        memcpy(ip + 24, to, 16);
        ip[IP6] = 128; /* echo request */
        send_frame(&rig, frame, ETHERNET + IP6 + 8);
        ip[6] = UDP;
        put16(ip + IP6 + 2, 53);
        put16(ip + IP6 + 4, said);
        send_frame(&rig, frame, ETHERNET + IP6 + 8);
    }
    ask_router(&rig);
    rig_clear(&rig);
}

/* Frames that end before their headers do. */
static void test_short(gconstpointer data)
{
    static const uint16_t types[] = { 0x0806, 0x0800, 0x86dd, 0x88f8, 0x0000, 0x05dc };
    uint8_t frame[MAX];
    Rig rig;

    rig_init(&rig);
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        for (size_t len = 1; len < 70; len++) {
            begin(&rig, frame, types[i]);
            memset(frame + ETHERNET, (int)(0x45 + len), len);
            send_frame(&rig, frame, len);
            begin(&rig, frame, types[i]);
            frame[ETHERNET] = 0x4f; /* the longest header */
            send_frame(&rig, frame, len);
        }
    }
    ask_router(&rig);
    rig_clear(&rig);
}

/* A connection to @port of the router's, and what protocols used to be looked into there say. */
static void test_helpers(gconstpointer data)
{
    static const struct {
        uint16_t port;
        const char *text;
    } lines[] = {
        { 113, "65535,65535\r\n" },
        { 113, "99999999999999999999,1\r\n" },
        { 21, "PORT 255,255,255,255,255,255\r\n" },
        { 21, "227 Entering Passive Mode (1,2,3,4,5,6)\r\n" },
        { 6667, "DCC CHAT chat 4294967295 65535\n" },
        { 6667, "DCC SEND aaaaaaaaaaaaaaaaaaaaaaaa 4294967295 65535 4294967295\n" },
        { 544, "65535" },
        { 7070, "PNA\1\0\0\0\xff\xff" },
    };
    uint8_t frame[MAX];
    Rig rig;

    rig_init(&rig);
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        for (unsigned flags = 2; flags <= 0x18; flags += 0x16) { /* SYN; then data */
            begin(&rig, frame, TYPE_IP4);
            uint8_t *tcp = frame + ETHERNET + IP4;
            size_t len = flags == 2 ? 0 : strlen(lines[i].text);
            put16(tcp, 40000 + i);
            put16(tcp + 2, lines[i].port);
            tcp[12] = 0x50;
            tcp[13] = (uint8_t)flags;
            put16(tcp + 14, 65535);
            memcpy(tcp + 20, lines[i].text, len);
            len = finish(frame, &(Packet){ "10.0.2.2", TCP, 0, 20 + len, 0 });
            send_frame(&rig, frame, len);
        }
    }
    ask_router(&rig);
    rig_clear(&rig);
}

/* A segment whose urgent pointer, options and window are all that they can be. */
static void test_segment(gconstpointer data)
{
    uint8_t frame[MAX];
    Rig rig;

    rig_init(&rig);
    for (unsigned i = 0; i < 64; i++) {
        begin(&rig, frame, TYPE_IP4);
        uint8_t *tcp = frame + ETHERNET + IP4;
        put16(tcp, 40000);
        put16(tcp + 2, 9);
        memset(tcp + 4, 0xff, 8);
        tcp[12] = (uint8_t)(i << 4); /* a header of 0 to 60 bytes */
        tcp[13] = (uint8_t)i;
        memset(tcp + 14, 0xff, 46);
        size_t len = finish(frame, &(Packet){ "10.0.2.2", TCP, 0, 20 + i % 41, 0 });
        send_frame(&rig, frame, len);
        len = finish(frame, &(Packet){ "10.0.2.2", TCP, 0, 20, 0xffff });
        send_frame(&rig, frame, len);
    }
    ask_router(&rig);
    rig_clear(&rig);
}

void cve_add_user_net(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(datagrams); i++) {
        g_autofree char *what = g_strconcat("user network: ", datagrams[i].what, NULL);
        cve_add(datagrams[i].cve, what, &datagrams[i], test_datagram);
    }
    cve_add("2019-14378", "user network: fragments", NULL, test_fragments);
    cve_add("2019-15890", "user network: fragments, the last first", GUINT_TO_POINTER(1),
            test_fragments);
    cve_add("2020-10756", "user network: ICMPv6 and UDP longer than they are", NULL, test_echo6);
    cve_add("2020-29129", "user network: frames that are too short", NULL, test_short);
    cve_add("2020-8608", "user network: what helpers of protocols read", NULL, test_helpers);
    cve_add("2017-13711", "user network: segments of ones", NULL, test_segment);
}
