/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of frame.h: frames are built here by hand, cut, and put together again, and every checksum
 * is added up the slow way.
 */
#include "net/frame.h"

#include <glib.h>
#include <string.h>

enum { MTU = 1500, ETHERNET = 14, IP4 = 20, IP6 = 40, TCP = 20, UDP = 8, MAX = 70000 };
enum { FIN = 1, SYN = 2, PSH = 8, ACK = 16, CWR = 128 };

typedef struct Frame {
    size_t len;
    uint8_t bytes[MAX];
} Frame;

/* --- building and checking --- */

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static unsigned get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
    return get16(p) << 16 | get16(p + 2);
}

/* RFC 1071, byte by byte. */
static unsigned slow_sum(const uint8_t *p, size_t len, uint32_t sum)
{
    for (size_t i = 0; i < len; i++) {
        sum += (uint32_t)p[i] << (i % 2 ? 0 : 8);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static unsigned pseudo_sum(const uint8_t *ip, unsigned protocol, size_t len)
{
    bool v4 = ip[0] >> 4 == 4;
    uint8_t tail[4] = { (uint8_t)(len >> 8), (uint8_t)len, 0, (uint8_t)protocol };
    unsigned sum = slow_sum(v4 ? ip + 12 : ip + 8, v4 ? 8 : 32, 0);

    return slow_sum(tail, 4, sum);
}

/* Whether IP and transport sums of a whole packet are right. */
static bool sums_are_right(const uint8_t *frame, size_t len)
{
    const uint8_t *ip = frame + ETHERNET;
    bool v4 = ip[0] >> 4 == 4;
    size_t header = v4 ? (size_t)(ip[0] & 15) * 4 : IP6;
    size_t end = v4 ? get16(ip + 2) : IP6 + get16(ip + 4);
    unsigned protocol = v4 ? ip[9] : ip[6];

    g_assert_cmpuint(ETHERNET + end, <=, len);
    return (!v4 || slow_sum(ip, header, 0) == 0xffff) &&
           slow_sum(ip + header, end - header, pseudo_sum(ip, protocol, end - header)) == 0xffff;
}

/* A packet of @payload bytes; .sum of the transport header is right. */
static void make(Frame *f, unsigned version, unsigned protocol, size_t options, size_t payload)
{
    size_t transport = protocol == 6 ? TCP + options : UDP;
    uint8_t *ip = f->bytes + ETHERNET, *at;

    memset(f->bytes, 0, sizeof(f->bytes));
    memset(f->bytes, 0x52, 12);
    if (version == 4) {
        put16(f->bytes + 12, 0x0800);
        ip[0] = 0x45;
        put16(ip + 2, (unsigned)(IP4 + transport + payload));
        put16(ip + 4, 0xfffe); /* the id wraps */
        ip[8] = 64;
        ip[9] = (uint8_t)protocol;
        memcpy(ip + 12, "\x0a\x00\x02\x0f\xc0\x00\x02\x01", 8);
        put16(ip + 10, ~slow_sum(ip, IP4, 0) & 0xffff);
        at = ip + IP4;
    } else {
        put16(f->bytes + 12, 0x86dd);
        ip[0] = 0x60;
        put16(ip + 4, (unsigned)(transport + payload));
        ip[6] = (uint8_t)protocol;
        memcpy(ip + 8, "\xfe\xc0\0\0\0\0\0\0\x50\x54\0\xff\xfe\x12\x34\x56", 16);
        memcpy(ip + 24, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
        at = ip + IP6;
    }
    put16(at, 40000);
    put16(at + 2, 80);
    if (protocol == 6) {
        memcpy(at + 4, "\xff\xff\xfc\x00", 4); /* the sequence number wraps */
        at[12] = (uint8_t)((TCP + options) / 4 << 4);
        at[13] = ACK | PSH | FIN | CWR;
        memset(at + TCP, 1, options);
    } else {
        put16(at + 4, (unsigned)(UDP + payload));
    }
    for (size_t i = 0; i < payload; i++) {
        at[transport + i] = (uint8_t)(i * 7 + i / 256);
    }
    uint8_t *sum = at + (protocol == 6 ? 16 : 6);
    unsigned total = pseudo_sum(ip, protocol, transport + payload);
    put16(sum, ~slow_sum(at, transport + payload, total) & 0xffff);
    f->len = (size_t)(at - f->bytes) + transport + payload;
    g_assert_true(sums_are_right(f->bytes, f->len));
}

/* What frame_deliver() handed on. */
typedef struct Seen {
    unsigned n;
    NetHeader headers[64];
    Frame *frames[64];
} Seen;

static void on_frame(void *opaque, const NetHeader *header, const struct iovec parts[2])
{
    Seen *seen = opaque;
    Frame *f = g_new0(Frame, 1);

    g_assert_cmpuint(seen->n, <, 64);
    for (unsigned i = 0; i < 2; i++) {
        if (parts[i].iov_len) {
            memcpy(f->bytes + f->len, parts[i].iov_base, parts[i].iov_len);
        }
        f->len += parts[i].iov_len;
    }
    seen->headers[seen->n] = *header;
    seen->frames[seen->n++] = f;
    g_assert_true(net_header_ok(header, f->len));
}

static void deliver(Seen *seen, const Frame *f, unsigned mtu, unsigned offloads)
{
    /* of its exact size, for a sanitizer to see a byte too far */
    g_autofree uint8_t *exact = g_memdup2(f->bytes, f->len);

    *seen = (Seen){ 0 };
    frame_deliver(exact, f->len, mtu, offloads, on_frame, seen);
}

static void seen_clear(Seen *seen)
{
    for (unsigned i = 0; i < seen->n; i++) {
        g_free(seen->frames[i]);
    }
}

/* --- parsing --- */

static void test_parse(void)
{
    static Frame f;
    FrameInfo info;

    make(&f, 4, 6, 12, 100);
    frame_parse(f.bytes, f.len + 6, &info); /* padded */
    g_assert_cmpuint(info.version, ==, 4);
    g_assert_cmpuint(info.transport, ==, ETHERNET + IP4);
    g_assert_cmpuint(info.payload, ==, ETHERNET + IP4 + TCP + 12);
    g_assert_cmpuint(info.end, ==, f.len);
    make(&f, 6, 17, 0, 100);
    frame_parse(f.bytes, f.len, &info);
    g_assert_cmpuint(info.version, ==, 6);
    g_assert_cmpuint(info.protocol, ==, 17);
    g_assert_cmpuint(info.payload, ==, 0);
}

/* One byte of a good TCP frame is another: what must then not be believed. */
static const struct {
    const char *name;
    unsigned version;
    size_t at;
    uint8_t value;
    bool ip, transport, payload; /* what is still there */
} broken[] = {
    { "ethertype", 4, 12, 0x99, false, false, false },
    { "ip4-version", 4, ETHERNET, 0x65, false, false, false },
    { "ip4-header-short", 4, ETHERNET, 0x44, false, false, false },
    { "ip4-header-beyond-packet", 4, ETHERNET, 0x4f, false, false, false },
    { "ip4-total-beyond-frame", 4, ETHERNET + 2, 0xff, false, false, false },
    { "ip4-fragment", 4, ETHERNET + 7, 0x01, true, false, false },
    { "ip4-more-fragments", 4, ETHERNET + 6, 0x20, true, false, false },
    { "ip6-version", 6, ETHERNET, 0x40, false, false, false },
    { "ip6-length-beyond-frame", 6, ETHERNET + 4, 0xff, false, false, false },
    { "ip6-other-protocol", 6, ETHERNET + 6, 0, true, true, false },
    { "tcp-header-short", 4, ETHERNET + IP4 + 12, 0x40, true, true, false },
    { "tcp-header-beyond-packet", 4, ETHERNET + IP4 + 12, 0xf0, true, true, false },
};

static void test_broken(gconstpointer data)
{
    const typeof(broken[0]) *c = data;
    static Frame f;
    FrameInfo info;

    make(&f, c->version, 6, 0, 8);
    f.bytes[c->at] = c->value;
    frame_parse(f.bytes, f.len, &info);
    g_assert_cmpint(info.version != 0, ==, c->ip);
    g_assert_cmpint(info.broken, ==, !c->ip && c->at != 12);
    g_assert_cmpint(info.transport != 0, ==, c->transport);
    g_assert_cmpint(info.payload != 0, ==, c->payload);
    g_assert_cmpuint(info.payload, <=, f.len);
}

/* Cut anywhere, a frame gives no offset beyond its end. */
static void test_cut_short(void)
{
    static Frame f;

    for (unsigned version = 4; version <= 6; version += 2) {
        make(&f, version, 6, 40, 8);
        for (size_t len = 0; len < f.len; len++) {
            g_autofree uint8_t *exact = g_memdup2(f.bytes, len);
            FrameInfo info;
            frame_parse(exact, len, &info);
            g_assert_cmpuint(info.version, ==, 0); /* it says it is longer */
        }
    }
}

/* --- loopback --- */

static const struct {
    const char *name;
    unsigned version;
    const char *to;
    bool loopback;
} destinations[] = {
    { "127.0.0.1", 4, "\x7f\0\0\x01", true },
    { "127.255.255.254", 4, "\x7f\xff\xff\xfe", true },
    { "0.0.0.0", 4, "\0\0\0\0", true },
    { "0.1.2.3", 4, "\0\x01\x02\x03", true },
    { "126.255.255.255", 4, "\x7e\xff\xff\xff", false },
    { "128.0.0.1", 4, "\x80\0\0\x01", false },
    { "10.0.2.2", 4, "\x0a\0\x02\x02", false },
    { "::", 6, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", true },
    { "::1", 6, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", true },
    { "::ffff:127.0.0.1", 6, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\x01", true },
    { "::ffff:0.0.0.0", 6, "\0\0\0\0\0\0\0\0\0\0\xff\xff\0\0\0\0", true },
    { "::127.0.0.1", 6, "\0\0\0\0\0\0\0\0\0\0\0\0\x7f\0\0\x01", true },
    { "::ffff:8.8.8.8", 6, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x08\x08\x08\x08", false },
    { "2001:db8::1", 6, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", false },
    { "fec0::2", 6, "\xfe\xc0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02", false },
};

static void test_loopback(gconstpointer data)
{
    const typeof(destinations[0]) *c = data;
    static Frame f;
    FrameInfo info;

    make(&f, c->version, 17, 0, 4);
    memcpy(f.bytes + ETHERNET + (c->version == 4 ? 16 : 24), c->to, c->version == 4 ? 4 : 16);
    frame_parse(f.bytes, f.len, &info);
    g_assert_cmpint(frame_is_for_loopback(f.bytes, &info), ==, c->loopback);
}

/* --- checksums --- */

/* A sender leaves the sum of the pseudo header where the whole one belongs. */
static void test_finish_checksum(void)
{
    static Frame f;

    for (unsigned i = 0; i < 4; i++) {
        unsigned version = i & 1 ? 6 : 4, protocol = i & 2 ? 17 : 6;
        size_t transport = ETHERNET + (version == 4 ? IP4 : IP6), payload = 1001;
        make(&f, version, protocol, 0, payload);
        size_t len = f.len - transport;
        NetHeader header = { .flags = NET_HEADER_NEEDS_CSUM,
                             .csum_start = (uint16_t)transport,
                             .csum_offset = protocol == 6 ? 16 : 6 };
        uint8_t *sum = f.bytes + transport + header.csum_offset;
        put16(sum, pseudo_sum(f.bytes + ETHERNET, protocol, len));
        frame_finish_checksum(f.bytes, f.len, &header);
        g_assert_true(sums_are_right(f.bytes, f.len));
    }
}

/* --- MSS --- */

static const struct {
    const char *name;
    const char *options;
    size_t len;
    size_t value_at; /* of the value that must have been raised; 0: nothing may change */
    unsigned flags;
} offers[] = {
    { "usual", "\x02\x04\x05\xb4\x01\x01\x04\x02", 8, 2, SYN },
    { "with-ack", "\x02\x04\x05\xb4", 4, 2, SYN | ACK },
    { "at-odd-byte", "\x01\x02\x04\x05\xb4\x01\x01\x01", 8, 3, SYN },
    { "behind-another", "\x03\x03\x07\x02\x04\x02\x18\x00", 8, 5, SYN },
    { "no-syn", "\x02\x04\x05\xb4", 4, 0, ACK },
    { "none", "\x01\x01\x01\x01", 4, 0, SYN },
    { "behind-the-end", "\x00\x02\x04\x05\xb4\x00\x00\x00", 8, 0, SYN },
    { "length-0", "\x05\x00\x02\x04\x05\xb4\x00\x00", 8, 0, SYN },
    { "length-beyond", "\x05\x08\x02\x04", 4, 0, SYN },
    { "cut", "\x01\x01\x01\x02", 4, 0, SYN },
    { "value-cut", "\x01\x01\x02\x04", 4, 0, SYN },
    { "wrong-length", "\x02\x03\x05\x01", 4, 0, SYN },
};

static void test_mss(gconstpointer data)
{
    const typeof(offers[0]) *c = data;
    static Frame f, before;
    FrameInfo info;

    enum { PAYLOAD = 4 };
    make(&f, 4, 6, c->len, PAYLOAD);
    uint8_t *tcp = f.bytes + ETHERNET + IP4;
    memcpy(tcp + TCP, c->options, c->len);
    tcp[13] = (uint8_t)c->flags;
    put16(tcp + 16, 0);
    unsigned sum = pseudo_sum(f.bytes + ETHERNET, 6, TCP + c->len + PAYLOAD);
    put16(tcp + 16, ~slow_sum(tcp, TCP + c->len + PAYLOAD, sum) & 0xffff);
    before = f;
    frame_parse(f.bytes, f.len, &info);
    frame_raise_mss(f.bytes, &info);
    g_assert_true(sums_are_right(f.bytes, f.len));
    if (c->value_at) {
        g_assert_cmphex(get16(tcp + TCP + c->value_at), ==, 0xffff);
        put16(tcp + TCP + c->value_at, get16(before.bytes + ETHERNET + IP4 + TCP + c->value_at));
        memcpy(tcp + 16, before.bytes + ETHERNET + IP4 + 16, 2);
    }
    g_assert_cmpmem(f.bytes, f.len, before.bytes, before.len);
}

/* --- cutting --- */

/* What fits goes through as it is. */
static void test_fits(void)
{
    static Frame f;
    Seen seen;

    for (unsigned offloads = 0; offloads <= NET_OFFLOAD_ALL; offloads++) {
        make(&f, 4, 6, 0, MTU - IP4 - TCP);
        deliver(&seen, &f, MTU, offloads);
        g_assert_cmpuint(seen.n, ==, 1);
        g_assert_cmpmem(seen.frames[0]->bytes, seen.frames[0]->len, f.bytes, f.len);
        g_assert_cmpuint(seen.headers[0].gso_type, ==, NET_GSO_NONE);
        seen_clear(&seen);
    }
}

static void test_segments(gconstpointer data)
{
    unsigned version = GPOINTER_TO_UINT(data);
    size_t ip_size = version == 4 ? IP4 : IP6, payload = 4000, at = 0;
    size_t step = MTU - ip_size - TCP - 12;
    static Frame f;
    Seen seen;

    make(&f, version, 6, 12, payload);
    deliver(&seen, &f, MTU, 0);
    g_assert_cmpuint(seen.n, ==, 3);
    for (unsigned i = 0; i < seen.n; i++) {
        const uint8_t *ip = seen.frames[i]->bytes + ETHERNET, *tcp = ip + ip_size;
        size_t len = seen.frames[i]->len - ETHERNET - ip_size - TCP - 12;
        bool last = i + 1 == seen.n;
        g_assert_true(sums_are_right(seen.frames[i]->bytes, seen.frames[i]->len));
        g_assert_cmpuint(seen.frames[i]->len, <=, ETHERNET + MTU);
        g_assert_cmpuint(len, ==, last ? payload - 2 * step : step);
        g_assert_cmpuint(get32(tcp + 4), ==, 0xfffffc00U + (uint32_t)at);
        g_assert_cmphex(tcp[13], ==, ACK | (last ? PSH | FIN : 0) | (i ? 0 : CWR));
        g_assert_cmpmem(tcp + TCP + 12, len, f.bytes + ETHERNET + ip_size + TCP + 12 + at, len);
        if (version == 4) {
            g_assert_cmphex(get16(ip + 4), ==, (0xfffe + i) & 0xffff);
        }
        at += len;
    }
    g_assert_cmpuint(at, ==, payload);
    seen_clear(&seen);
}

/* With offloads it stays one, its header says how to cut it, and its sum is for the other side to
 * finish. */
static void test_whole(gconstpointer data)
{
    unsigned version = GPOINTER_TO_UINT(data);
    unsigned wanted = NET_OFFLOAD_CSUM | (version == 4 ? NET_OFFLOAD_TSO4 : NET_OFFLOAD_TSO6);
    size_t ip_size = version == 4 ? IP4 : IP6;
    static Frame f;
    Seen seen;

    make(&f, version, 6, 0, 60000);
    deliver(&seen, &f, MTU, wanted);
    g_assert_cmpuint(seen.n, ==, 1);
    const NetHeader *header = &seen.headers[0];
    g_assert_cmpuint(header->gso_type, ==, version == 4 ? NET_GSO_TCP4 : NET_GSO_TCP6);
    g_assert_cmpuint(header->gso_size, ==, MTU - ip_size - TCP);
    g_assert_cmpuint(header->header_len, ==, ETHERNET + ip_size + TCP);
    frame_finish_checksum(seen.frames[0]->bytes, seen.frames[0]->len, header);
    g_assert_cmpmem(seen.frames[0]->bytes, seen.frames[0]->len, f.bytes, f.len);
    seen_clear(&seen);
    /* each of the two offloads alone won't do */
    deliver(&seen, &f, MTU, NET_OFFLOAD_CSUM);
    g_assert_cmpuint(seen.n, >, 1);
    seen_clear(&seen);
    deliver(&seen, &f, MTU, NET_OFFLOAD_ALL & ~wanted);
    g_assert_cmpuint(seen.n, >, 1);
    seen_clear(&seen);
}

static void test_fragments(void)
{
    size_t payload = 4001, at = 0;
    static Frame f, whole;
    Seen seen;

    make(&f, 4, 17, 0, payload);
    deliver(&seen, &f, MTU, NET_OFFLOAD_ALL);
    g_assert_cmpuint(seen.n, ==, 3);
    for (unsigned i = 0; i < seen.n; i++) {
        const uint8_t *ip = seen.frames[i]->bytes + ETHERNET;
        size_t len = seen.frames[i]->len - ETHERNET - IP4;
        unsigned fragment = get16(ip + 6);
        g_assert_cmpuint(slow_sum(ip, IP4, 0), ==, 0xffff);
        g_assert_cmpuint(get16(ip + 2), ==, IP4 + len);
        g_assert_cmpuint(IP4 + len, <=, MTU);
        g_assert_cmpuint((fragment & 0x1fff) * 8, ==, at);
        g_assert_cmpint(!!(fragment & 0x2000), ==, i + 1 < seen.n);
        memcpy(whole.bytes + at, ip + IP4, len);
        at += len;
    }
    g_assert_cmpmem(whole.bytes, at, f.bytes + ETHERNET + IP4, UDP + payload);
    seen_clear(&seen);
}

/* An MTU that leaves no room behind the headers is no reason to loop for ever. */
static void test_tiny_mtu(void)
{
    static Frame f;
    Seen seen;

    for (unsigned version = 4; version <= 6; version += 2) {
        make(&f, version, 6, 40, 100);
        for (unsigned mtu = 0; mtu <= 110; mtu++) {
            if (mtu < (version == 4 ? IP4 : IP6) + TCP + 40 + 4 &&
                mtu > (version == 4 ? IP4 : IP6) + TCP + 40) {
                continue; /* more segments than the test keeps */
            }
            deliver(&seen, &f, mtu, 0);
            g_assert_cmpuint(seen.n, >, 0);
            seen_clear(&seen);
        }
        make(&f, version, 17, 0, 100);
        for (unsigned mtu = 0; mtu <= 110; mtu++) {
            deliver(&seen, &f, mtu, 0);
            g_assert_cmpuint(seen.n, >, 0);
            seen_clear(&seen);
        }
    }
}

/* --- headers --- */

static const struct {
    const char *name;
    NetHeader header;
    size_t len;
    bool good;
} headers[] = {
    { "empty", { 0 }, 60, true },
    { "data-valid", { .flags = NET_HEADER_DATA_VALID }, 60, true },
    { "unknown-flag", { .flags = 4 }, 60, false },
    { "sum", { .flags = 1, .csum_start = 34, .csum_offset = 16 }, 52, true },
    { "sum-beyond-end", { .flags = 1, .csum_start = 34, .csum_offset = 16 }, 51, false },
    { "sum-far-beyond", { .flags = 1, .csum_start = 0xffff, .csum_offset = 0xffff }, 60, false },
    { "gso", { .flags = 1, .gso_type = 1, .gso_size = 1 }, 60, true },
    { "gso6-ecn", { .flags = 1, .gso_type = 0x84, .gso_size = 1460 }, 60, true },
    { "gso-size-0", { .flags = 1, .gso_type = 1 }, 60, false },
    { "gso-without-sum", { .gso_type = 1, .gso_size = 1460 }, 60, false },
    { "gso-unknown", { .flags = 1, .gso_type = 3, .gso_size = 1460 }, 60, false },
    { "ecn-without-gso", { .gso_type = 0x80 }, 60, false },
};

static void test_header(gconstpointer data)
{
    const typeof(headers[0]) *c = data;

    g_assert_cmpint(net_header_ok(&c->header, c->len), ==, c->good);
}

#define ADD_TABLE(table, prefix, fn)                                                               \
    for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {                                             \
        g_autofree char *path = g_strconcat("/net/frame/" prefix "/", table[i].name, NULL);        \
        g_test_add_data_func(path, &table[i], fn);                                                 \
    }

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/frame/parse", test_parse);
    g_test_add_func("/net/frame/cut-short", test_cut_short);
    ADD_TABLE(broken, "broken", test_broken)
    ADD_TABLE(destinations, "loopback", test_loopback)
    g_test_add_func("/net/frame/finish-checksum", test_finish_checksum);
    ADD_TABLE(offers, "mss", test_mss)
    g_test_add_func("/net/frame/fits", test_fits);
    g_test_add_data_func("/net/frame/segments-ipv4", GUINT_TO_POINTER(4), test_segments);
    g_test_add_data_func("/net/frame/segments-ipv6", GUINT_TO_POINTER(6), test_segments);
    g_test_add_data_func("/net/frame/whole-ipv4", GUINT_TO_POINTER(4), test_whole);
    g_test_add_data_func("/net/frame/whole-ipv6", GUINT_TO_POINTER(6), test_whole);
    g_test_add_func("/net/frame/fragments", test_fragments);
    g_test_add_func("/net/frame/tiny-mtu", test_tiny_mtu);
    ADD_TABLE(headers, "header", test_header)
    return g_test_run();
}
