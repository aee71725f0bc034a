/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ethernet frames, see frame.h.  Layouts: RFC 791 (IPv4), 8200 (IPv6), 9293 (TCP), 1071 (sums).
 *
 * Numbers in frames are big-endian.
 */
#include "net/frame.h"

#include <string.h>

enum { TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd };
enum { PROTOCOL_TCP = 6, PROTOCOL_UDP = 17 };
/* Offsets in headers. */
enum { ETHER_TYPE = 12 };
enum {
    IP4_LENGTH = 2,
    IP4_ID = 4,
    IP4_FRAGMENT = 6,
    IP4_PROTOCOL = 9,
    IP4_SUM = 10,
    IP4_FROM = 12,
    IP4_TO = 16,
    IP4_SIZE = 20
};
enum { IP4_MORE = 0x2000, IP4_OFFSET = 0x1fff };
enum { IP6_LENGTH = 4, IP6_NEXT = 6, IP6_FROM = 8, IP6_TO = 24, IP6_SIZE = 40 };
enum { TCP_SEQUENCE = 4, TCP_OFFSET = 12, TCP_FLAGS = 13, TCP_SUM = 16, TCP_SIZE = 20 };
enum { TCP_FIN = 0x01, TCP_SYN = 0x02, TCP_PSH = 0x08, TCP_CWR = 0x80 };
enum { OPTION_END = 0, OPTION_NOP = 1, OPTION_MSS = 2, OPTION_MSS_SIZE = 4 };

static uint16_t load_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void store_be16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static uint32_t load_be32(const uint8_t *p)
{
    return (uint32_t)load_be16(p) << 16 | load_be16(p + 2);
}

static void store_be32(uint8_t *p, uint32_t v)
{
    store_be16(p, v >> 16);
    store_be16(p + 2, v & 0xffff);
}

/* --- sums --- */

/* Sums of 16-bit words don't mind the byte order: add in the host's, and swap the result. */
static uint64_t sum_add(uint64_t sum, const uint8_t *p, size_t len)
{
    uint32_t word;

    for (; len >= 4; p += 4, len -= 4) {
        memcpy(&word, p, 4);
        sum += word;
    }
    if (len) {
        word = 0;
        memcpy(&word, p, len);
        sum += word;
    }
    return sum;
}

/* To 16 bits, as they stand in memory. */
static uint16_t sum_fold(uint64_t sum)
{
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

static void put_sum(uint8_t *at, uint64_t sum)
{
    uint16_t value = (uint16_t)~sum_fold(sum);

    memcpy(at, &value, 2);
}

/* The part of a transport checksum that isn't in the transport packet, of @len bytes. */
static uint64_t sum_pseudo(const uint8_t *ip, uint8_t version, uint8_t protocol, size_t len)
{
    uint8_t tail[8] = { 0 };

    store_be32(tail, (uint32_t)len);
    tail[7] = protocol;
    uint64_t sum = sum_add(0, tail, sizeof(tail));
    return version == 4 ? sum_add(sum, ip + IP4_FROM, 8) : sum_add(sum, ip + IP6_FROM, 32);
}

void frame_finish_checksum(uint8_t *frame, size_t len, const NetHeader *header)
{
    if (header->flags & NET_HEADER_NEEDS_CSUM) {
        uint8_t *at = frame + header->csum_start + header->csum_offset;
        put_sum(at, sum_add(0, frame + header->csum_start, len - header->csum_start));
    }
}

/* --- parsing --- */

static void parse_tcp(const uint8_t *frame, FrameInfo *info)
{
    size_t room = info->end - info->transport;

    if (info->protocol != PROTOCOL_TCP || room < TCP_SIZE) {
        return;
    }
    size_t size = (size_t)(frame[info->transport + TCP_OFFSET] >> 4) * 4;
    if (size >= TCP_SIZE && size <= room) {
        info->payload = info->transport + size;
    }
}

static void parse_ip4(const uint8_t *frame, size_t len, FrameInfo *info)
{
    const uint8_t *ip = frame + FRAME_ETHERNET;
    size_t room = len - FRAME_ETHERNET;

    if (room < IP4_SIZE || ip[0] >> 4 != 4) {
        return;
    }
    size_t size = (size_t)(ip[0] & 15) * 4, total = load_be16(ip + IP4_LENGTH);
    if (size < IP4_SIZE || total < size || total > room) {
        return;
    }
    info->version = 4;
    info->protocol = ip[IP4_PROTOCOL];
    info->ip = FRAME_ETHERNET;
    info->end = FRAME_ETHERNET + total;
    info->fragment = load_be16(ip + IP4_FRAGMENT) & (IP4_MORE | IP4_OFFSET);
    info->transport = info->fragment ? 0 : FRAME_ETHERNET + size;
}

/* Extension headers are not followed: TCP behind one is not cut, which only makes it slow. */
static void parse_ip6(const uint8_t *frame, size_t len, FrameInfo *info)
{
    const uint8_t *ip = frame + FRAME_ETHERNET;
    size_t room = len - FRAME_ETHERNET;

    if (room < IP6_SIZE || ip[0] >> 4 != 6 || load_be16(ip + IP6_LENGTH) > room - IP6_SIZE) {
        return;
    }
    info->version = 6;
    info->protocol = ip[IP6_NEXT];
    info->ip = FRAME_ETHERNET;
    info->transport = FRAME_ETHERNET + IP6_SIZE;
    info->end = info->transport + load_be16(ip + IP6_LENGTH);
}

void frame_parse(const uint8_t *frame, size_t len, FrameInfo *ret_info)
{
    *ret_info = (FrameInfo){ 0 };
    if (len < FRAME_ETHERNET) {
        return;
    }
    unsigned type = load_be16(frame + ETHER_TYPE);
    if (type == TYPE_IPV4) {
        parse_ip4(frame, len, ret_info);
    } else if (type == TYPE_IPV6) {
        parse_ip6(frame, len, ret_info);
    }
    ret_info->broken = (type == TYPE_IPV4 || type == TYPE_IPV6) && !ret_info->version;
    if (ret_info->transport) {
        parse_tcp(frame, ret_info);
    }
}

static bool is_own_ip4(const uint8_t *address)
{
    return address[0] == 127 || address[0] == 0;
}

bool frame_is_for_loopback(const uint8_t *frame, const FrameInfo *info)
{
    static const uint8_t zeros[12], mapped[12] = { [10] = 0xff, [11] = 0xff };

    if (info->version == 4) {
        return is_own_ip4(frame + info->ip + IP4_TO);
    }
    if (info->version != 6) {
        return false;
    }
    const uint8_t *to = frame + info->ip + IP6_TO;
    if (!memcmp(to, mapped, 12)) {
        return is_own_ip4(to + 12);
    }
    /* ::, ::1, and the old form of IPv4 addresses */
    return !memcmp(to, zeros, 12) && (is_own_ip4(to + 12) || !load_be32(to + 12));
}

/* Lengths and sums of an IP header for @total bytes from it on. */
static void fix_ip(uint8_t *ip, uint8_t version, size_t total)
{
    if (version == 6) {
        store_be16(ip + IP6_LENGTH, (unsigned)(total - IP6_SIZE));
        return;
    }
    store_be16(ip + IP4_LENGTH, (unsigned)total);
    store_be16(ip + IP4_SUM, 0);
    put_sum(ip + IP4_SUM, sum_add(0, ip, (size_t)(ip[0] & 15) * 4));
}

void frame_finish_headers(uint8_t *frame, const FrameInfo *info)
{
    size_t len = info->end - info->transport;
    uint8_t *tcp = frame + info->transport;

    fix_ip(frame + info->ip, info->version, info->end - info->ip);
    memset(tcp + TCP_SUM, 0, 2);
    put_sum(tcp + TCP_SUM,
            sum_add(sum_pseudo(frame + info->ip, info->version, PROTOCOL_TCP, len), tcp, len));
}

/* --- MSS --- */

/* Where the value of the MSS option stands in a TCP header, or 0. */
static size_t find_mss(const uint8_t *frame, const FrameInfo *info)
{
    size_t at = info->transport + TCP_SIZE;

    while (at < info->payload && frame[at] != OPTION_END) {
        size_t left = info->payload - at;
        if (frame[at] == OPTION_NOP) {
            at++;
            continue;
        }
        if (left < 2 || frame[at + 1] < 2 || frame[at + 1] > left) {
            return 0;
        }
        if (frame[at] == OPTION_MSS && frame[at + 1] == OPTION_MSS_SIZE) {
            return at + 2;
        }
        at += frame[at + 1];
    }
    return 0;
}

void frame_raise_mss(uint8_t *frame, const FrameInfo *info)
{
    if (!info->payload || !(frame[info->transport + TCP_FLAGS] & TCP_SYN)) {
        return;
    }
    size_t at = find_mss(frame, info);
    if (!at) {
        return;
    }
    uint8_t *sum = frame + info->transport + TCP_SUM;
    unsigned old = load_be16(frame + at);
    /* an option may begin at an odd byte of the header, where its value counts swapped */
    bool odd = (at - info->transport) % 2;
    unsigned old_word = odd ? (old >> 8 | old << 8) & 0xffff : old;
    /* RFC 1624: the new sum from the old one, the old word and the new one, ffffh */
    uint32_t value = (uint16_t)~load_be16(sum) + (uint16_t)~old_word + 0xffffU;
    value = (value & 0xffff) + (value >> 16);
    value = (value & 0xffff) + (value >> 16);
    store_be16(sum, (uint16_t)~value);
    store_be16(frame + at, 0xffff);
}

/* --- cutting --- */

/* A frame that is cut, and what becomes of it. */
typedef struct Cutter {
    const uint8_t *frame;
    const FrameInfo *info;
    unsigned mtu;
    FrameEmit emit;
    void *opaque;
} Cutter;

static void hand_on(const Cutter *c, const NetHeader *header, uint8_t *head, size_t head_len,
                    struct iovec body)
{
    const struct iovec parts[2] = { { head, head_len }, body };

    c->emit(c->opaque, header, parts);
}

static struct iovec body_at(const Cutter *c, size_t at, size_t len)
{
    return (struct iovec){ (uint8_t *)(uintptr_t)c->frame + at, len };
}

/* One frame that the receiver takes for many: its sum covers the pseudo header so far. */
static void deliver_whole(const Cutter *c)
{
    const FrameInfo *info = c->info;
    uint8_t head[FRAME_MAX_HEADERS];
    size_t tcp_len = info->end - info->transport;
    NetHeader header = {
        .flags = NET_HEADER_NEEDS_CSUM,
        .gso_type = info->version == 4 ? NET_GSO_TCP4 : NET_GSO_TCP6,
        .header_len = (uint16_t)info->payload,
        .gso_size = (uint16_t)(c->mtu - (info->payload - info->ip)),
        .csum_start = (uint16_t)info->transport,
        .csum_offset = TCP_SUM,
    };

    memcpy(head, c->frame, info->payload);
    uint16_t sum = sum_fold(sum_pseudo(head + info->ip, info->version, PROTOCOL_TCP, tcp_len));
    memcpy(head + info->transport + TCP_SUM, &sum, 2);
    hand_on(c, &header, head, info->payload, body_at(c, info->payload, info->end - info->payload));
}

/* A TCP packet as many. */
static void deliver_segments(const Cutter *c)
{
    const FrameInfo *info = c->info;
    size_t headers = info->payload - info->ip, step = c->mtu - headers;
    uint32_t sequence = load_be32(c->frame + info->transport + TCP_SEQUENCE);
    unsigned id = load_be16(c->frame + info->ip + IP4_ID), n = 0;
    const NetHeader header = { .flags = NET_HEADER_DATA_VALID };

    for (size_t at = info->payload; at < info->end; at += step, n++) {
        size_t len = MIN(step, info->end - at);
        bool last = at + len == info->end;
        uint8_t head[FRAME_MAX_HEADERS];
        uint8_t *ip = head + info->ip, *tcp = head + info->transport;
        memcpy(head, c->frame, info->payload);
        if (info->version == 4) {
            store_be16(ip + IP4_ID, id + n);
        }
        fix_ip(ip, info->version, headers + len);
        store_be32(tcp + TCP_SEQUENCE, sequence + (uint32_t)(at - info->payload));
        tcp[TCP_FLAGS] &= (uint8_t) ~((last ? 0 : TCP_FIN | TCP_PSH) | (n ? TCP_CWR : 0));
        memset(tcp + TCP_SUM, 0, 2);
        size_t tcp_len = info->payload - info->transport + len;
        uint64_t sum = sum_pseudo(ip, info->version, PROTOCOL_TCP, tcp_len);
        sum = sum_add(sum, tcp, info->payload - info->transport);
        put_sum(tcp + TCP_SUM, sum_add(sum, c->frame + at, len));
        hand_on(c, &header, head, info->payload, body_at(c, at, len));
    }
}

/* An IPv4 packet that isn't TCP as fragments (RFC 791, 3.2), which count in units of 8 bytes. */
static void deliver_fragments(const Cutter *c)
{
    const FrameInfo *info = c->info;
    const uint8_t *old = c->frame + info->ip;
    size_t size = (size_t)(old[0] & 15) * 4, step = (c->mtu - size) & ~(size_t)7;
    size_t from = info->ip + size;
    unsigned fragment = load_be16(old + IP4_FRAGMENT);
    const NetHeader header = { 0 };

    for (size_t at = from; at < info->end; at += step) {
        size_t len = MIN(step, info->end - at);
        bool more = at + len < info->end || (fragment & IP4_MORE);
        uint8_t head[FRAME_MAX_HEADERS];
        memcpy(head, c->frame, from);
        store_be16(head + info->ip + IP4_FRAGMENT,
                   ((fragment & IP4_OFFSET) + (unsigned)((at - from) / 8)) | (more ? IP4_MORE : 0));
        fix_ip(head + info->ip, 4, size + len);
        hand_on(c, &header, head, from, body_at(c, at, len));
    }
}

void frame_deliver(const uint8_t *frame, size_t len, unsigned mtu, unsigned offloads,
                   FrameEmit emit, void *opaque)
{
    FrameInfo info;
    Cutter c = { .frame = frame, .info = &info, .mtu = mtu, .emit = emit, .opaque = opaque };
    const NetHeader header = { .flags = NET_HEADER_DATA_VALID };

    frame_parse(frame, len, &info);
    unsigned wanted = NET_OFFLOAD_CSUM | (info.version == 4 ? NET_OFFLOAD_TSO4 : NET_OFFLOAD_TSO6);
    /* of an MTU that leaves no room behind headers nothing can be made; 8: a fragment's least */
    bool room = info.payload ? mtu > info.payload - info.ip : mtu >= 60 + 8;
    if (!info.version || info.end - info.ip <= mtu || !room) {
        const struct iovec parts[2] = { { (void *)(uintptr_t)frame, len }, { NULL, 0 } };
        emit(opaque, &header, parts);
    } else if (info.payload && (offloads & wanted) == wanted) {
        deliver_whole(&c);
    } else if (info.payload) {
        deliver_segments(&c);
    } else if (info.version == 4) {
        deliver_fragments(&c);
    } else {
        const struct iovec parts[2] = { { (void *)(uintptr_t)frame, len }, { NULL, 0 } };
        emit(opaque, &header, parts);
    }
}
