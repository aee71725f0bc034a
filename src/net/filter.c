/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest may send into its user network, see filter.h.
 */
#include "net/filter.h"

#include <string.h>

enum { TCP = 6, UDP = 17 };
enum { IP4_FROM = 12, IP4_TO = 16, IP6_FROM = 8, IP6_TO = 24 };
enum { TCP_FLAGS = 13, TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16 };
enum { PORT_DNS = 53, PORT_DHCP = 67, PORT_DHCP6 = 547 };

const uint8_t filter_prefix6[8] = { 0xfe, 0xc0 };

static unsigned get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* Where a packet goes, as far as it matters here. */
typedef enum Target { ELSEWHERE, LOOPBACK, NETWORK, NAMES, GROUP } Target;

static Target target_of(const uint8_t *frame, const FrameInfo *info)
{
    const uint8_t *to = frame + info->ip + (info->version == 4 ? IP4_TO : IP6_TO);
    bool inside, names, group;

    if (frame_is_for_loopback(frame, info)) {
        return LOOPBACK;
    }
    if (info->version == 4) {
        inside = (get32(to) & FILTER_NETMASK) == FILTER_NETWORK;
        names = get32(to) == (FILTER_NETWORK | FILTER_NAMES);
        group = to[0] >= 224; /* broadcast is among them */
    } else {
        static const uint8_t names_id[8] = { [7] = FILTER_NAMES };
        inside = !memcmp(to, filter_prefix6, sizeof(filter_prefix6));
        names = inside && !memcmp(to + 8, names_id, sizeof(names_id));
        group = to[0] == 0xff;
    }
    return names ? NAMES : inside ? NETWORK : group ? GROUP : ELSEWHERE;
}

static bool has_asked(const Filter *filter, const FrameInfo *info, unsigned guest_port,
                      unsigned port)
{
    for (unsigned i = 0; i < NET_MAX_ASKERS; i++) {
        const FilterAsker *asker = &filter->askers[i];
        if (asker->version == info->version && asker->guest_port == guest_port &&
            asker->port == port) {
            return true;
        }
    }
    return false;
}

bool filter_allows(const Filter *filter, const uint8_t *frame, const FrameInfo *info)
{
    Target target = info->version ? target_of(frame, info) : ELSEWHERE;
    const uint8_t *transport = frame + info->transport;

    if (target == ELSEWHERE || target == LOOPBACK) {
        return target == ELSEWHERE;
    }
    if (!info->transport || (info->protocol == TCP && !info->payload) ||
        (info->protocol == UDP && info->end - info->transport < 8)) {
        return false; /* a fragment, or cut */
    }
    if (info->protocol == TCP) {
        bool opens = (transport[TCP_FLAGS] & (TCP_SYN | TCP_ACK)) == TCP_SYN;
        return !opens || (target == NAMES && get16(transport + 2) == PORT_DNS);
    }
    if (info->protocol != UDP) {
        return true; /* no socket comes of it, but for ping's */
    }
    unsigned port = get16(transport + 2);
    return port == (info->version == 4 ? PORT_DHCP : PORT_DHCP6) ||
           (target == NAMES && port == PORT_DNS) ||
           (target == NETWORK && has_asked(filter, info, get16(transport), port));
}

void filter_note(Filter *filter, const uint8_t *frame, size_t len)
{
    FrameInfo info;

    frame_parse(frame, len, &info);
    if (info.protocol != UDP || !info.transport || info.end - info.transport < 8) {
        return;
    }
    const uint8_t *from = frame + info.ip + (info.version == 4 ? IP4_FROM : IP6_FROM);
    bool router = info.version == 4 ? get32(from) == (FILTER_NETWORK | FILTER_ROUTER)
                                    : !memcmp(from, filter_prefix6, sizeof(filter_prefix6)) &&
                                          from[15] == FILTER_ROUTER;
    unsigned port = get16(frame + info.transport), guest_port = get16(frame + info.transport + 2);
    if (router && !has_asked(filter, &info, guest_port, port)) {
        filter->askers[filter->next] = (FilterAsker){ .version = info.version,
                                                      .guest_port = (uint16_t)guest_port,
                                                      .port = (uint16_t)port };
        filter->next = (filter->next + 1) % NET_MAX_ASKERS;
    }
}

size_t filter_refusal(const uint8_t *frame, const FrameInfo *info, uint8_t *ret_frame)
{
    enum { SIZE = 20, NO_OPTIONS = SIZE / 4 << 4 };
    size_t address = info->version == 4 ? 4 : 16;
    size_t from = info->version == 4 ? IP4_FROM : IP6_FROM;
    const uint8_t *tcp = frame + info->transport;

    if (info->protocol != TCP || !info->payload ||
        (tcp[TCP_FLAGS] & (TCP_SYN | TCP_ACK)) != TCP_SYN) {
        return 0;
    }
    memset(ret_frame, 0, FRAME_MAX_HEADERS);
    memcpy(ret_frame, frame, info->transport);
    memcpy(ret_frame, frame + FRAME_MAC, FRAME_MAC);
    memcpy(ret_frame + FRAME_MAC, frame, FRAME_MAC);
    memcpy(ret_frame + info->ip + from, frame + info->ip + from + address, address);
    memcpy(ret_frame + info->ip + from + address, frame + info->ip + from, address);
    uint8_t *answer = ret_frame + info->transport;
    memcpy(answer, tcp + 2, 2);
    memcpy(answer + 2, tcp, 2);
    uint32_t next = get32(tcp + 4) + 1;
    for (unsigned i = 0; i < 4; i++) {
        answer[8 + i] = (uint8_t)(next >> (24 - 8 * i));
    }
    answer[12] = NO_OPTIONS;
    answer[TCP_FLAGS] = TCP_RST | TCP_ACK;
    FrameInfo made = *info;
    made.payload = made.end = info->transport + SIZE;
    frame_finish_headers(ret_frame, &made);
    return made.end;
}
