/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the user network, with libslirp itself: the test is the guest, by frames, and whoever
 * connects on the host's loopback interface, which is all of the host that is used.
 */
#include "net/user.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/bits.h"
#include "net/frame.h"

enum { ETHERNET = 14, IP4 = 20, TCP = 20, MTU = 1500, MAX_STEPS = 2000 };
enum { SYN = 2, PSH = 8, ACK = 16 };

static const uint8_t mac[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };

typedef struct Rig {
    UserNet *net;
    int guest; /* our end of the socket of frames */
    int frames, control[2];
    unsigned offloads; /* that the guest says it takes */
    NetHeader header;  /* of the frame received last */
    uint8_t router[6]; /* the router's MAC */
    uint8_t frame[NET_MAX_FRAME];
} Rig;

static void rig_init(Rig *rig, bool host)
{
    UserNetConfig config = { .host = host, .ipv6 = true, .mtu = MTU };
    int fds[2];

    *rig = (Rig){ 0 };
    memcpy(config.mac, mac, sizeof(mac));
    g_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds) == 0);
    g_assert(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, rig->control) == 0);
    rig->guest = fds[0];
    rig->frames = fds[1];
    rig->net = user_net_new(&config, rig->frames);
}

static void rig_clear(Rig *rig)
{
    user_net_free(rig->net);
    close(rig->guest);
    close(rig->frames);
    close(rig->control[0]);
    close(rig->control[1]);
}

/* Let the network do what there is to do: a request on the control socket ends its wait. */
static bool step(Rig *rig)
{
    bool control = false;
    char byte = 0;

    g_assert(send(rig->control[0], &byte, 1, 0) == 1);
    bool goes_on = user_net_step(rig->net, rig->control[1], &control);
    g_assert_true(control);
    g_assert(recv(rig->control[1], &byte, 1, 0) == 1);
    return goes_on;
}

static void guest_send(Rig *rig, const uint8_t *frame, size_t len)
{
    NetHeader header = { .buffers = (uint16_t)rig->offloads };
    struct iovec parts[] = { { &header, sizeof(header) }, { (void *)(uintptr_t)frame, len } };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

    g_assert_cmpint(sendmsg(rig->guest, &message, 0), ==, (gssize)(sizeof(header) + len));
    step(rig);
}

/* The next frame for which @wanted is true, or 0 if none comes; its length. */
static size_t guest_receive(Rig *rig, bool (*wanted)(const uint8_t *frame, size_t len))
{
    struct iovec parts[] = { { &rig->header, sizeof(NetHeader) },
                             { rig->frame, sizeof(rig->frame) } };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

    for (unsigned i = 0; i < MAX_STEPS; i++) {
        ssize_t got = recvmsg(rig->guest, &message, 0);
        if (got < 0) {
            step(rig);
        } else if (wanted(rig->frame, (size_t)got - sizeof(NetHeader))) {
            return (size_t)got - sizeof(NetHeader);
        }
    }
    return 0;
}

/* --- frames of the guest's --- */

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static unsigned get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static bool is_arp(const uint8_t *frame, size_t len)
{
    return len >= 42 && get16(frame + 12) == 0x0806;
}

static bool is_arp_reply(const uint8_t *frame, size_t len)
{
    return is_arp(frame, len) && get16(frame + 20) == 2;
}

static bool is_tcp(const uint8_t *frame, size_t len)
{
    return len >= ETHERNET + IP4 + TCP && get16(frame + 12) == 0x0800 && frame[23] == 6;
}

static bool is_udp(const uint8_t *frame, size_t len)
{
    return len >= ETHERNET + IP4 + 8 && get16(frame + 12) == 0x0800 && frame[23] == 17;
}

static bool is_neighbour_solicitation(const uint8_t *frame, size_t len)
{
    enum { TYPE = ETHERNET + 40, SOLICITATION = 135 };

    return len >= TYPE + 24 && get16(frame + 12) == 0x86dd && frame[20] == 58 &&
           frame[TYPE] == SOLICITATION;
}

/* "I am 10.0.2.15", as a request for the router's address, whose answer is taken. */
static void say_hello(Rig *rig)
{
    uint8_t arp[42] = { 0xff,     0xff,      0xff,      0xff,     0xff,     0xff,     [12] = 8,
                        [13] = 6, [15] = 1,  [16] = 8,  [18] = 6, [19] = 4, [21] = 1, [28] = 10,
                        [30] = 2, [31] = 15, [38] = 10, [40] = 2, [41] = 2 };

    memcpy(arp + 6, mac, 6);
    memcpy(arp + 22, mac, 6);
    guest_send(rig, arp, sizeof(arp));
    g_assert_cmpuint(guest_receive(rig, is_arp_reply), >, 0);
    g_assert_cmpmem(rig->frame + 28, 4, "\x0a\0\x02\x02", 4);
    memcpy(rig->router, rig->frame + 6, 6);
}

/* An IPv4 packet from 10.0.2.15 to @to with @len bytes behind its header, in @frame; its sums are
 * right, that of @protocol too. */
static size_t make_packet(Rig *rig, uint8_t *frame, const char *to, uint8_t protocol, size_t len)
{
    NetHeader ip_sum = { .flags = 1, .csum_start = ETHERNET, .csum_offset = 10 };
    NetHeader sum = { .flags = 1,
                      .csum_start = ETHERNET + IP4,
                      .csum_offset = protocol == 6 ? 16 : 6 };
    uint8_t *ip = frame + ETHERNET;
    uint32_t pseudo = 0;

    memcpy(frame, rig->router, 6);
    memcpy(frame + 6, mac, 6);
    put16(frame + 12, 0x0800);
    memset(ip, 0, IP4);
    ip[0] = 0x45;
    put16(ip + 2, (unsigned)(IP4 + len));
    ip[8] = 64;
    ip[9] = protocol;
    memcpy(ip + 12, "\x0a\0\x02\x0f", 4);
    g_assert(inet_pton(AF_INET, to, ip + 16) == 1);
    frame_finish_checksum(frame, ETHERNET + IP4, &ip_sum);
    for (unsigned i = 12; i < 20; i += 2) {
        pseudo += get16(ip + i);
    }
    pseudo += protocol + (uint32_t)len;
    pseudo = (pseudo & 0xffff) + (pseudo >> 16);
    put16(ip + IP4 + sum.csum_offset, (pseudo & 0xffff) + (pseudo >> 16));
    frame_finish_checksum(frame, ETHERNET + IP4 + len, &sum);
    return ETHERNET + IP4 + len;
}

static size_t make_udp(Rig *rig, uint8_t *frame, const char *to, uint16_t from_port,
                       uint16_t to_port, size_t payload)
{
    uint8_t *udp = frame + ETHERNET + IP4;

    put16(udp, from_port);
    put16(udp + 2, to_port);
    put16(udp + 4, (unsigned)(8 + payload));
    return make_packet(rig, frame, to, 17, 8 + payload);
}

/* --- sockets of the host's --- */

/* A socket on the loopback interface, bound to a free port. */
static int host_socket(int family, int type, uint16_t *ret_port)
{
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    bool v4 = family == AF_INET;
    struct sockaddr *address = v4 ? (struct sockaddr *)&in : (struct sockaddr *)&in6;
    socklen_t len = v4 ? sizeof(in) : sizeof(in6);
    int fd = socket(family, type | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, address, len)) {
        return -1;
    }
    g_assert(getsockname(fd, address, &len) == 0);
    *ret_port = ntohs(v4 ? in.sin_port : in6.sin6_port);
    return fd;
}

static uint16_t free_port(int family, int type)
{
    uint16_t port = 0;
    int fd = host_socket(family, type, &port);

    if (fd >= 0) {
        close(fd);
    }
    return port;
}

/* A socket that is connecting to @port of the loopback interface. */
static int host_connect(int family, int type, uint16_t port)
{
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
                                .sin6_addr = IN6ADDR_LOOPBACK_INIT,
                                .sin6_port = htons(port) };
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons(port) };
    bool v4 = family == AF_INET;
    int fd = socket(family, type | SOCK_NONBLOCK, 0);
    int result = connect(fd, v4 ? (struct sockaddr *)&in : (struct sockaddr *)&in6,
                         v4 ? sizeof(in) : sizeof(in6));

    g_assert(result == 0 || errno == EINPROGRESS || errno == ECONNREFUSED);
    return fd;
}

static NetForward forward_to(int family, bool udp, uint16_t port)
{
    NetForward forward = { .udp = udp,
                           .host = { .family = (uint8_t)family, .port = port },
                           .guest = { .port = 22 } };

    if (family == AF_INET) {
        memcpy(forward.host.bytes, "\x7f\0\0\x01", 4);
    } else {
        forward.host.bytes[15] = 1;
    }
    return forward;
}

static int request(Rig *rig, NetRequestKind kind, const NetForward *forward)
{
    const NetRequest wanted = { .kind = kind, .forward = *forward };
    NetReply reply;

    user_net_request(rig->net, &wanted, &reply);
    return reply.error;
}

/* --- tests --- */

static void test_router_answers(void)
{
    Rig *rig = g_new(Rig, 1);

    rig_init(rig, false);
    say_hello(rig);
    g_assert_cmpuint(rig->header.gso_type, ==, 0);
    g_assert_cmpuint(user_net_stats(rig->net).from_guest, ==, 1);
    rig_clear(rig);
    g_free(rig);
}

static void test_ends_with_the_vm(void)
{
    Rig *rig = g_new(Rig, 1);

    rig_init(rig, false);
    g_assert_true(step(rig));
    shutdown(rig->guest, SHUT_RDWR);
    g_assert_false(step(rig));
    rig_clear(rig);
    g_free(rig);
}

/* Where packets of the guest's that lead to the host itself arrive.  Datagrams are to a socket of
 * the loopback interface; SYNs to one that listens there. */
static const struct {
    const char *name, *to;
    bool tcp, host, arrives;
} targets[] = {
    { "udp/router", "10.0.2.2", false, false, false },
    { "udp/router-host-on", "10.0.2.2", false, true, true },
    { "udp/name-server", "10.0.2.3", false, false, false },
    { "udp/neighbour", "10.0.2.99", false, false, false },
    { "udp/network-broadcast", "10.0.2.255", false, false, false },
    { "udp/broadcast", "255.255.255.255", false, false, false },
    { "udp/group", "224.0.0.251", false, false, false },
    { "udp/127.0.0.1", "127.0.0.1", false, false, false },
    { "udp/127.0.0.1-host-on", "127.0.0.1", false, true, true },
    { "udp/0.0.0.0", "0.0.0.0", false, false, false },
    { "tcp/router", "10.0.2.2", true, false, false },
    { "tcp/router-host-on", "10.0.2.2", true, true, true },
    { "tcp/name-server", "10.0.2.3", true, false, false },
    { "tcp/neighbour", "10.0.2.99", true, false, false },
    { "tcp/127.0.0.1", "127.0.0.1", true, false, false },
    { "tcp/127.0.0.1-host-on", "127.0.0.1", true, true, true },
    { "tcp/0.0.0.0", "0.0.0.0", true, false, false },
};

static size_t make_syn(Rig *rig, uint8_t *frame, const char *to, uint16_t port)
{
    uint8_t *tcp = frame + ETHERNET + IP4;

    memset(tcp, 0, TCP);
    put16(tcp, 40000);
    put16(tcp + 2, port);
    memset(tcp + 4, 0xff, 4); /* the sequence number wraps */
    tcp[12] = TCP / 4 << 4;
    tcp[13] = SYN;
    return make_packet(rig, frame, to, 6, TCP);
}

/* Whether somebody has come to the listening socket @fd, within the time that a host takes. */
static bool has_come(Rig *rig, int fd, bool expected)
{
    int client = -1;

    for (unsigned i = 0; i < (expected ? MAX_STEPS : 50) && client < 0; i++) {
        step(rig);
        client = accept(fd, NULL, NULL);
    }
    if (client >= 0) {
        close(client);
    }
    return client >= 0;
}

static void test_target(gconstpointer data)
{
    const typeof(targets[0]) *c = data;
    Rig *rig = g_new(Rig, 1);
    uint16_t port = 0;
    uint8_t frame[100] = { 0 };
    int fd = host_socket(AF_INET, c->tcp ? SOCK_STREAM : SOCK_DGRAM, &port);

    rig_init(rig, c->host);
    say_hello(rig);
    if (c->tcp) {
        g_assert(listen(fd, 1) == 0);
        guest_send(rig, frame, make_syn(rig, frame, c->to, port));
        g_assert_cmpint(has_come(rig, fd, c->arrives), ==, c->arrives);
    } else {
        guest_send(rig, frame, make_udp(rig, frame, c->to, 40000, port, 20));
        g_assert_cmpint(recv(fd, frame, sizeof(frame), 0), ==, c->arrives ? 20 : -1);
    }
    g_assert_cmpuint(user_net_stats(rig->net).refused, ==, !c->arrives);
    if (c->tcp && !c->arrives) { /* and the guest is told at once */
        g_assert_cmpuint(guest_receive(rig, is_tcp), ==, ETHERNET + IP4 + TCP);
        const uint8_t *tcp = rig->frame + ETHERNET + IP4;
        g_assert_cmphex(tcp[13], ==, 0x14); /* RST, ACK */
        g_assert_cmpuint(get16(tcp), ==, port);
        g_assert_cmpmem(tcp + 8, 4, "\0\0\0\0", 4);
    }
    close(fd);
    rig_clear(rig);
    g_free(rig);
}

/* A SYN in fragments, the first of which ends before the flags: libslirp would put it together. */
static void test_fragmented_syn(void)
{
    enum { FIRST = 8 };
    Rig *rig = g_new(Rig, 1);
    uint16_t port = 0;
    uint8_t whole[100] = { 0 }, part[100] = { 0 };
    int fd = host_socket(AF_INET, SOCK_STREAM, &port);
    NetHeader ip_sum = { .flags = 1, .csum_start = ETHERNET, .csum_offset = 10 };

    g_assert(listen(fd, 1) == 0);
    rig_init(rig, false);
    say_hello(rig);
    make_syn(rig, whole, "10.0.2.2", port);
    for (unsigned i = 0; i < 2; i++) {
        size_t len = i ? TCP - FIRST : FIRST;
        memcpy(part, whole, ETHERNET + IP4);
        memcpy(part + ETHERNET + IP4, whole + ETHERNET + IP4 + (i ? FIRST : 0), len);
        put16(part + ETHERNET + 2, (unsigned)(IP4 + len));
        put16(part + ETHERNET + 6, i ? FIRST / 8 : 0x2000);
        put16(part + ETHERNET + 10, 0);
        frame_finish_checksum(part, ETHERNET + IP4, &ip_sum);
        guest_send(rig, part, ETHERNET + IP4 + len);
    }
    g_assert_false(has_come(rig, fd, false));
    g_assert_cmpuint(user_net_stats(rig->net).refused, ==, 2);
    close(fd);
    rig_clear(rig);
    g_free(rig);
}

static void test_hostile_frames(void)
{
    static const struct {
        NetHeader header;
        size_t len;
        uint64_t refused;
    } frames[] = {
        { { 0 }, 0, 1 },
        { { 0 }, 13, 1 },
        { { .flags = 0xff }, 60, 1 },
        { { .flags = 1, .csum_start = 0xfff0 }, 60, 1 },
        { { .gso_type = 1 }, 60, 1 },
        { { .buffers = 0xffff }, 60, 0 },
        { { 0 }, NET_MAX_FRAME, 0 },
        { { .flags = 1, .csum_start = 58, .csum_offset = 0 }, 60, 0 },
    };
    static uint8_t zeros[NET_MAX_FRAME];
    Rig *rig = g_new(Rig, 1);
    uint64_t refused = 0;

    rig_init(rig, false);
    for (size_t i = 0; i < G_N_ELEMENTS(frames); i++) {
        struct iovec parts[] = { { (void *)(uintptr_t)&frames[i].header, sizeof(NetHeader) },
                                 { zeros, frames[i].len } };
        struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
        g_assert(sendmsg(rig->guest, &message, 0) >= 0);
        g_assert_true(step(rig));
        refused += frames[i].refused;
        g_assert_cmpuint(user_net_stats(rig->net).refused, ==, refused);
    }
    /* says it is IPv6, and longer than it is: libslirp might believe it */
    uint8_t cut[ETHERNET + 60] = { [12] = 0x86, [13] = 0xdd, [14] = 0x60, [18] = 1, [20] = 17 };
    guest_send(rig, cut, sizeof(cut));
    g_assert_cmpuint(user_net_stats(rig->net).refused, ==, ++refused);
    /* shorter than a header, and longer than anything */
    g_assert(send(rig->guest, zeros, 5, 0) == 5);
    g_assert_true(step(rig));
    g_assert_cmpuint(user_net_stats(rig->net).refused, ==, refused + 1);
    say_hello(rig);
    rig_clear(rig);
    g_free(rig);
}

/* Requests that can't be. */
static void test_requests(void)
{
    Rig *rig = g_new(Rig, 1);
    NetForward good = forward_to(AF_INET, false, free_port(AF_INET, SOCK_STREAM)), bad;
    NetAddress loopback6 = { .family = AF_INET6, .port = 1, .bytes = { [15] = 1 } };

    rig_init(rig, false);
    const struct {
        uint8_t family;
        uint16_t port, guest_port;
        uint8_t guest_family;
    } wrong[] = {
        { 0, 1, 1, 0 },
        { 99, 1, 1, 0 },
        { AF_UNIX, 1, 1, 0 },
        { AF_INET, 0, 1, 0 },
        { AF_INET, 1, 0, 0 },
        { AF_INET, 1, 1, AF_INET6 },
        { AF_INET6, 1, 1, AF_INET },
    };
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        bad = good;
        bad.host.family = wrong[i].family;
        bad.host.port = wrong[i].port;
        bad.guest.family = wrong[i].guest_family;
        bad.guest.port = wrong[i].guest_port;
        g_assert_cmpint(request(rig, NET_FORWARD_ADD, &bad), ==, EINVAL);
        g_assert_cmpint(request(rig, NET_FORWARD_REMOVE, &bad), !=, 0);
    }
    g_assert_cmpint(request(rig, NET_LOCK, &good), ==, EINVAL);
    g_assert_cmpint(request(rig, (NetRequestKind)99, &good), ==, EINVAL);
    g_assert_cmpint(request(rig, NET_FORWARD_REMOVE, &good), ==, ENOENT);
    g_assert_cmpint(request(rig, NET_FORWARD_ADD, &good), ==, 0);
    g_assert_cmpint(request(rig, NET_FORWARD_ADD, &good), ==, EADDRINUSE);
    g_assert_cmpint(request(rig, NET_FORWARD_REMOVE, &good), ==, 0);
    g_assert_cmpint(request(rig, NET_FORWARD_REMOVE, &good), ==, ENOENT);
    /* an address that is not this host's */
    bad = good;
    memcpy(bad.host.bytes, "\xc0\x00\x02\x01", 4);
    g_assert_cmpint(request(rig, NET_FORWARD_ADD, &bad), ==, EADDRNOTAVAIL);
    bad.host = loopback6;
    bad.guest.family = AF_INET;
    g_assert_cmpint(request(rig, NET_FORWARD_ADD, &bad), ==, EINVAL);
    rig_clear(rig);
    g_free(rig);
}

/* Somebody holds the port already. */
static void test_port_in_use(void)
{
    Rig *rig = g_new(Rig, 1);
    uint16_t port = 0;
    int fd = host_socket(AF_INET, SOCK_STREAM, &port);

    g_assert(listen(fd, 1) == 0);
    rig_init(rig, false);
    NetForward forward = forward_to(AF_INET, false, port);
    g_assert_cmpint(request(rig, NET_FORWARD_ADD, &forward), ==, EADDRINUSE);
    close(fd);
    rig_clear(rig);
    g_free(rig);
}

static void test_limit_of_forwards(void)
{
    Rig *rig = g_new(Rig, 1);
    unsigned n = 0;
    int err = 0;

    rig_init(rig, false);
    for (unsigned port = 20000; n < NET_MAX_FORWARDS + 1 && port < 40000 && err != ENOSPC; port++) {
        NetForward forward = forward_to(AF_INET, false, (uint16_t)port);
        err = request(rig, NET_FORWARD_ADD, &forward);
        g_assert(err == 0 || err == EADDRINUSE || err == ENOSPC);
        n += !err;
    }
    g_assert_cmpint(err, ==, ENOSPC);
    g_assert_cmpuint(n, ==, NET_MAX_FORWARDS);
    rig_clear(rig);
    g_free(rig);
}

static void test_udp_forward(void)
{
    Rig *rig = g_new(Rig, 1);
    NetForward forward = forward_to(AF_INET, true, free_port(AF_INET, SOCK_DGRAM));
    uint8_t frame[200] = { 0 };

    rig_init(rig, false);
    say_hello(rig);
    g_assert_cmpint(request(rig, NET_FORWARD_ADD, &forward), ==, 0);
    int fd = host_connect(AF_INET, SOCK_DGRAM, forward.host.port);
    g_assert(send(fd, "question", 8, 0) == 8);
    g_assert_cmpuint(guest_receive(rig, is_udp), >, 0);
    const uint8_t *udp = rig->frame + ETHERNET + IP4;
    g_assert_cmpuint(get16(udp + 2), ==, 22);
    g_assert_cmpmem(udp + 8, 8, "question", 8);
    memcpy(frame + ETHERNET + IP4 + 8, "answer", 6);
    guest_send(rig, frame, make_udp(rig, frame, "10.0.2.2", 22, (uint16_t)get16(udp), 6));
    g_assert_cmpint(recv(fd, frame, sizeof(frame), 0), ==, 6);
    g_assert_cmpmem(frame, 6, "answer", 6);
    /* but only who asked is answered */
    uint16_t port = 0;
    int other = host_socket(AF_INET, SOCK_DGRAM, &port);
    guest_send(rig, frame, make_udp(rig, frame, "10.0.2.2", 22, port, 6));
    g_assert_cmpint(recv(other, frame, sizeof(frame), 0), ==, -1);
    g_assert_cmpuint(user_net_stats(rig->net).refused, ==, 1);
    close(other);
    /* a long one comes in fragments that fit */
    static uint8_t big[4000];
    g_assert(send(fd, big, sizeof(big), 0) == sizeof(big));
    g_assert_cmpuint(guest_receive(rig, is_udp), ==, ETHERNET + MTU);
    close(fd);
    rig_clear(rig);
    g_free(rig);
}

/* Take the SYN of a connection that comes in, and answer it with an MSS of 1460. */
static void accept_connection(Rig *rig, unsigned *ret_port, uint32_t *ret_next)
{
    uint8_t frame[100] = { 0 }, *tcp = frame + ETHERNET + IP4;

    g_assert_cmpuint(guest_receive(rig, is_tcp), >, 0);
    const uint8_t *syn = rig->frame + ETHERNET + IP4;
    g_assert_cmpuint(get16(syn + 2), ==, 22);
    g_assert_cmphex(syn[13], ==, SYN);
    *ret_port = get16(syn);
    *ret_next = (get16(syn + 4) << 16 | get16(syn + 6)) + 1;
    put16(tcp, 22);
    put16(tcp + 2, *ret_port);
    memset(tcp + 4, 0, 4);
    put16(tcp + 8, *ret_next >> 16);
    put16(tcp + 10, *ret_next & 0xffff);
    tcp[12] = (TCP + 4) / 4 << 4;
    tcp[13] = SYN | ACK;
    put16(tcp + 14, 0xffff);
    memcpy(tcp + TCP, "\x02\x04\x05\xb4", 4);
    guest_send(rig, frame, make_packet(rig, frame, "10.0.2.2", 6, TCP + 4));
}

static bool is_tcp_data(const uint8_t *frame, size_t len)
{
    return is_tcp(frame, len) && get16(frame + 16) > IP4 + TCP;
}

/* A forward of TCP; what the host writes comes as long segments to a guest that takes them, and
 * cut to one that doesn't. */
static void test_tcp_forward(gconstpointer data)
{
    static uint8_t text[30000];
    Rig *rig = g_new(Rig, 1);
    NetForward forward = forward_to(AF_INET, false, free_port(AF_INET, SOCK_STREAM));
    unsigned port, frames = 0;
    uint32_t next;
    size_t got = 0;

    rig_init(rig, false);
    rig->offloads = GPOINTER_TO_UINT(data);
    say_hello(rig);
    g_assert_cmpint(request(rig, NET_FORWARD_ADD, &forward), ==, 0);
    int fd = host_connect(AF_INET, SOCK_STREAM, forward.host.port);
    accept_connection(rig, &port, &next);
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (uint8_t)(i / 97);
    }
    while (got < sizeof(text)) {
        if (!frames) { /* once, but the connection need not be there at first */
            ssize_t ignored = send(fd, text, sizeof(text), MSG_NOSIGNAL);
            (void)ignored;
        }
        size_t len = guest_receive(rig, is_tcp_data);
        g_assert_cmpuint(len, >, 0);
        size_t payload = get16(rig->frame + 16) - IP4 - TCP;
        g_assert_cmpmem(rig->frame + ETHERNET + IP4 + TCP, payload, text + got, payload);
        g_assert_cmpint(rig->header.gso_type != 0, ==, rig->offloads && payload > 1460);
        g_assert_true(rig->offloads || payload <= 1460);
        got += payload;
        frames++;
    }
    if (rig->offloads) {
        g_assert_cmpuint(frames, <=, 4);
    } else {
        g_assert_cmpuint(frames, >=, sizeof(text) / 1460);
    }
    close(fd);
    rig_clear(rig);
    g_free(rig);
}

/* A forward that was removed leads nowhere. */
static void test_removed_forward(void)
{
    Rig *rig = g_new(Rig, 1);
    NetForward forward = forward_to(AF_INET, false, free_port(AF_INET, SOCK_STREAM));

    rig_init(rig, false);
    say_hello(rig);
    g_assert_cmpint(request(rig, NET_FORWARD_ADD, &forward), ==, 0);
    g_assert_cmpint(request(rig, NET_FORWARD_REMOVE, &forward), ==, 0);
    int fd = host_connect(AF_INET, SOCK_STREAM, forward.host.port);
    g_assert_cmpuint(guest_receive(rig, is_tcp), ==, 0);
    close(fd);
    rig_clear(rig);
    g_free(rig);
}

/* An IPv6 forward leads to the address made of the MAC, and then to the one that the guest uses. */
static void test_ipv6_forward(void)
{
    static const uint8_t usual[16] = { 0xfe, 0xc0, 0, 0,    0,    0,    0,    0,
                                       0x50, 0x54, 0, 0xff, 0xfe, 0x12, 0x34, 0x56 };
    static const uint8_t other[16] = { 0xfe, 0xc0, [15] = 0x99 };
    Rig *rig = g_new(Rig, 1);
    NetForward forward = forward_to(AF_INET6, false, free_port(AF_INET6, SOCK_STREAM));
    uint8_t frame[ETHERNET + 40 + 8] = { 0 };

    if (!forward.host.port) {
        g_test_skip("this host has no IPv6");
        g_free(rig);
        return;
    }
    rig_init(rig, false);
    g_assert_cmpint(request(rig, NET_FORWARD_ADD, &forward), ==, 0);
    int fd = host_connect(AF_INET6, SOCK_STREAM, forward.host.port);
    g_assert_cmpuint(guest_receive(rig, is_neighbour_solicitation), >, 0);
    g_assert_cmpmem(rig->frame + ETHERNET + 40 + 8, 16, usual, 16);
    close(fd);
    /* a packet of nothing, from another address of that network */
    memcpy(frame + 6, mac, 6);
    put16(frame + 12, 0x86dd);
    frame[14] = 0x60;
    frame[19] = 8;
    frame[20] = 59;
    memcpy(frame + 22, other, 16);
    memcpy(frame + 38, "\xfe\xc0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02", 16);
    guest_send(rig, frame, sizeof(frame));
    fd = host_connect(AF_INET6, SOCK_STREAM, forward.host.port);
    do {
        g_assert_cmpuint(guest_receive(rig, is_neighbour_solicitation), >, 0);
    } while (!memcmp(rig->frame + ETHERNET + 40 + 8, usual, 16));
    g_assert_cmpmem(rig->frame + ETHERNET + 40 + 8, 16, other, 16);
    close(fd);
    rig_clear(rig);
    g_free(rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/user/router-answers", test_router_answers);
    g_test_add_func("/net/user/ends-with-the-vm", test_ends_with_the_vm);
    for (size_t i = 0; i < G_N_ELEMENTS(targets); i++) {
        g_autofree char *path = g_strconcat("/net/user/to/", targets[i].name, NULL);
        g_test_add_data_func(path, &targets[i], test_target);
    }
    g_test_add_func("/net/user/to/fragmented-syn", test_fragmented_syn);
    g_test_add_func("/net/user/hostile-frames", test_hostile_frames);
    g_test_add_func("/net/user/requests", test_requests);
    g_test_add_func("/net/user/port-in-use", test_port_in_use);
    g_test_add_func("/net/user/limit-of-forwards", test_limit_of_forwards);
    g_test_add_func("/net/user/udp-forward", test_udp_forward);
    g_test_add_data_func("/net/user/tcp-forward/whole", GUINT_TO_POINTER(NET_OFFLOAD_ALL),
                         test_tcp_forward);
    g_test_add_data_func("/net/user/tcp-forward/cut", GUINT_TO_POINTER(0), test_tcp_forward);
    g_test_add_func("/net/user/removed-forward", test_removed_forward);
    g_test_add_func("/net/user/ipv6-forward", test_ipv6_forward);
    return g_test_run();
}
