/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames of the 82574L, see e1000e_regs.h: from descriptor rings to the network and back (Intel
 * 317694, 7.1 and 7.2).
 *
 * A frame is sent when all its descriptors are there; it is put together in .tx, and what the
 * guest left to the card is done there.  One that is received waits in .rx until there is room.
 * Rings hold at most E1000E_MAX_RING descriptors, and nothing here goes around one more than once
 * before others have their turn.
 *
 * Threads: the I/O thread.
 */
#include <poll.h>
#include <string.h>

#include "common/bits.h"
#include "machine/device/e1000e_regs.h"
#include "net/frame.h"

enum {
    VLAN_TAG = 4,
    VLAN_TYPE = 0x8100,
    CRC = 4,
    ADDRESSES = 12,
    LEAST_FRAME = 14,
    USUAL_FRAME = 1514
};

/* A descriptor, as it stands in RAM. */
typedef struct Descriptor {
    uint64_t gpa; /* of a context: its first two words */
    uint32_t command, status;
} Descriptor;
_Static_assert(sizeof(Descriptor) == DESCRIPTOR, "Intel 317694, 7.1.4");

/* In .command of what is sent. */
enum {
    TX_EOP = 1 << 24,
    TX_IC = 1 << 26, /* legacy: insert a sum */
    TX_TSE = 1 << 26,
    TX_RS = 1 << 27,
    TX_EXTENDED = 1 << 29,
    TX_VLAN = 1 << 30,
    TX_TYPE_DATA = 1 << 20,
    TX_CONTEXT_TCP = 1 << 24,
    TX_CONTEXT_IPV4 = 1 << 25,
    TX_LEGACY_LENGTH = 0xffff,
    TX_LENGTH = 0xfffff,
};
enum { TX_DONE = 1, OPTION_IP = 1 << 8, OPTION_TCP = 1 << 9 };
/* Of what is received. */
enum { RX_DONE = 1, RX_EOP = 2, RX_NO_SUMS = 4, RX_VLAN = 8, RX_TCP_SUM = 0x20, RX_IP_SUM = 0x40 };

typedef struct Ring {
    uint32_t *regs; /* from base on */
    uint64_t gpa;
    uint32_t count;
} Ring;

/* The ring whose registers begin at @at; false: it has none, or can't be. */
static bool get_ring(E1000e *dev, unsigned at, Ring *ret)
{
    uint32_t *regs = e1000e_reg(dev, at);

    *ret = (Ring){
        .regs = regs,
        .gpa = (uint64_t)regs[RING_BASE_HIGH / 4] << 32 | regs[RING_BASE / 4],
        .count = MIN(regs[RING_LENGTH / 4] / DESCRIPTOR, (uint32_t)E1000E_MAX_RING),
    };
    return ret->count && regs[RING_HEAD / 4] < ret->count && regs[RING_TAIL / 4] < ret->count;
}

static uint64_t place(const Ring *ring, uint32_t index)
{
    return ring->gpa + (uint64_t)index * DESCRIPTOR;
}

static uint32_t behind(const Ring *ring, uint32_t index)
{
    return index + 1 == ring->count ? 0 : index + 1;
}

/* --- sending --- */

static void set_context(E1000eContext *context, const Descriptor *d)
{
    *context = (E1000eContext){
        .ip_start = (uint8_t)d->gpa,
        .ip_sum = (uint8_t)(d->gpa >> 8),
        .ip_end = (uint16_t)(d->gpa >> 16),
        .start = (uint8_t)(d->gpa >> 32),
        .sum = (uint8_t)(d->gpa >> 40),
        .end = (uint16_t)(d->gpa >> 48),
        .tcp = (d->command & TX_CONTEXT_TCP) != 0,
        .ipv4 = (d->command & TX_CONTEXT_IPV4) != 0,
        .header_len = (uint8_t)(d->status >> 8),
        .mss = (uint16_t)(d->status >> 16),
    };
}

static bool is_context(const Descriptor *d)
{
    return (d->command & TX_EXTENDED) && !(d->command & TX_TYPE_DATA);
}

/* Add the bytes of @d to the frame; false: they are not in RAM, or too many. */
static bool add_bytes(E1000e *dev, const Descriptor *d)
{
    uint32_t len = d->command & (d->command & TX_EXTENDED ? TX_LENGTH : TX_LEGACY_LENGTH);

    if (len > sizeof(dev->tx) - VLAN_TAG - dev->tx_len) {
        return false;
    }
    if (len && !gm_read(dev->pci.device.env.memory, d->gpa, dev->tx + dev->tx_len, len)) {
        return false;
    }
    dev->tx_len += len;
    return true;
}

static void put_be16(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* The sum from @start to @end (0: the frame's) at @at, if there is such a place. */
static void put_sum(E1000e *dev, size_t start, size_t at, size_t end)
{
    size_t len = end ? MIN(end + 1, (size_t)dev->tx_len) : dev->tx_len;
    NetHeader header = {
        .flags = NET_HEADER_NEEDS_CSUM,
        .csum_start = (uint16_t)start,
        .csum_offset = (uint16_t)(at - start),
    };

    if (at >= start && net_header_ok(&header, len)) {
        frame_finish_checksum(dev->tx, len, &header);
    }
}

static void emit(void *opaque, const NetHeader *header, const struct iovec parts[2])
{
    E1000e *dev = opaque;

    if (net_port_send(dev->port, header, parts, 2) == -EPIPE) {
        dev->port_full = false;
    }
}

/* One long TCP segment, for whoever is next to cut: its IP header says no length yet. */
static void send_segment(E1000e *dev, const E1000eContext *c)
{
    unsigned offloads = net_port_offloads(dev->port);
    FrameInfo info;

    if (c->ip_start + 40U > dev->tx_len || c->header_len <= c->ip_start || !c->mss) {
        guest_error(&dev->pci.device, "a long segment without headers");
        return;
    }
    uint8_t *ip = dev->tx + c->ip_start;
    if (c->ipv4) {
        put_be16(ip + 2, dev->tx_len - c->ip_start);
        put_be16(ip + 10, 0);
        put_sum(dev, c->ip_start, c->ip_sum, c->ip_end);
    } else {
        put_be16(ip + 4, dev->tx_len - c->ip_start - 40);
    }
    frame_parse(dev->tx, dev->tx_len, &info);
    if (!info.payload) {
        guest_error(&dev->pci.device, "a long segment that isn't TCP");
        return;
    }
    unsigned mtu = c->header_len - c->ip_start + (unsigned)c->mss;
    if (info.end - info.ip <= mtu) {
        frame_finish_headers(dev->tx, &info);
    }
    frame_deliver(dev->tx, dev->tx_len, mtu, offloads, emit, dev);
}

static void send_plain(E1000e *dev, const E1000eContext *c, uint32_t options)
{
    NetHeader header = { 0 };

    if (options & OPTION_IP) {
        put_sum(dev, c->ip_start, c->ip_sum, c->ip_end);
    }
    if (options & OPTION_TCP) {
        header.flags = NET_HEADER_NEEDS_CSUM;
        header.csum_start = c->start;
        header.csum_offset = (uint16_t)(c->sum - c->start);
        bool whole = !c->end && (net_port_offloads(dev->port) & NET_OFFLOAD_CSUM);
        if (!whole || !net_header_ok(&header, dev->tx_len)) {
            put_sum(dev, c->start, c->sum, c->end);
            header = (NetHeader){ 0 };
        }
    }
    const struct iovec parts[2] = { { dev->tx, dev->tx_len }, { NULL, 0 } };
    emit(dev, &header, parts);
}

static void insert_tag(E1000e *dev, uint16_t tag)
{
    uint8_t *at = dev->tx + ADDRESSES;

    memmove(at + VLAN_TAG, at, dev->tx_len - ADDRESSES);
    put_be16(at, *e1000e_reg(dev, VET) & 0xffff);
    put_be16(at + 2, tag);
    dev->tx_len += VLAN_TAG;
}

/* The frame in .tx is complete; @first and @last are its descriptors. */
static void send_frame(E1000e *dev, const E1000eContext *c, const Descriptor *first,
                       const Descriptor *last)
{
    bool extended = first->command & TX_EXTENDED;
    bool tagged = (last->command & TX_VLAN) && (*e1000e_reg(dev, CTRL) & CTRL_VLAN);

    if (dev->tx_len < LEAST_FRAME) {
        guest_error(&dev->pci.device, "a frame of %u bytes", dev->tx_len);
        return;
    }
    if (!extended && (first->command & TX_IC)) { /* where to sum stands in it */
        put_sum(dev, (first->status >> 8) & 0xff, (first->command >> 16) & 0xff, 0);
    }
    if (extended && (first->command & TX_TSE)) {
        send_segment(dev, c); /* tags of these are not known to who cuts: none is put in */
    } else {
        if (extended && tagged && (first->status & (OPTION_IP | OPTION_TCP))) {
            if (first->status & OPTION_IP) {
                put_sum(dev, c->ip_start, c->ip_sum, c->ip_end);
            }
            if (first->status & OPTION_TCP) {
                put_sum(dev, c->start, c->sum, c->end);
            }
            extended = false;
        }
        if (tagged) {
            insert_tag(dev, (uint16_t)(last->status >> 16));
        }
        send_plain(dev, c, extended ? first->status : 0);
    }
    *e1000e_reg(dev, GPTC) += 1;
    *e1000e_reg(dev, TPT) += 1;
}

/* Where the frame that begins at the head ends, as an index behind its last descriptor; false: it
 * isn't all there. */
static bool find_end(E1000e *dev, const Ring *ring, uint32_t *ret_end)
{
    uint32_t tail = ring->regs[RING_TAIL / 4];

    for (uint32_t i = ring->regs[RING_HEAD / 4]; i != tail; i = behind(ring, i)) {
        Descriptor d;
        if (!gm_read(dev->pci.device.env.memory, place(ring, i), &d, sizeof(d))) {
            return false;
        }
        if (is_context(&d) || (d.command & TX_EOP)) {
            *ret_end = behind(ring, i);
            return true;
        }
    }
    return false;
}

/* Note in the ring that a descriptor is done, where that was asked for. */
static void finish(E1000e *dev, const Ring *ring, uint32_t index, const Descriptor *d)
{
    const uint32_t status = d->status | TX_DONE;

    if (d->command & TX_RS) {
        gm_write(dev->pci.device.env.memory, place(ring, index) + offsetof(Descriptor, status),
                 &status, sizeof(status));
    }
}

/* Take descriptors from the head to @end: a context, or a frame.  Whether any asked for a word. */
static bool take(E1000e *dev, const Ring *ring, E1000eContext *context, uint32_t end)
{
    Descriptor first = { 0 }, d = { 0 };
    bool good = true, begun = false, wanted = false;
    uint32_t i = ring->regs[RING_HEAD / 4];

    dev->tx_len = 0;
    for (; i != end && good; i = behind(ring, i)) {
        if (!gm_read(dev->pci.device.env.memory, place(ring, i), &d, sizeof(d))) {
            break;
        }
        wanted |= (d.command & TX_RS) != 0;
        if (is_context(&d)) {
            set_context(context, &d);
            finish(dev, ring, i, &d);
            continue;
        }
        first = begun ? first : d;
        begun = true;
        good = add_bytes(dev, &d);
        finish(dev, ring, i, &d);
    }
    if (!good) {
        guest_error(&dev->pci.device, "a frame that is outside memory, or too long");
    } else if (begun && i == end) {
        send_frame(dev, context, &first, &d);
    }
    return wanted;
}

static bool port_takes(E1000e *dev)
{
    struct pollfd fd = { .fd = net_port_fd(dev->port), .events = POLLOUT };

    return poll(&fd, 1, 0) > 0;
}

/* Send what ring @number has; whether there is more than one turn's work. */
static bool transmit(E1000e *dev, unsigned number)
{
    uint32_t causes = 0, end;
    unsigned frames = 0;
    Ring ring;

    if (!(*e1000e_reg(dev, TCTL) & TCTL_ENABLE) || !pci_is_master(&dev->pci) ||
        !get_ring(dev, TX_RING + number * RING_SPACE, &ring)) {
        return false;
    }
    while (frames < E1000E_BATCH && find_end(dev, &ring, &end)) {
        if (!port_takes(dev)) {
            dev->port_full = true;
            break;
        }
        causes |= take(dev, &ring, &dev->context[number], end)
                      ? (uint32_t)CAUSE_TX_DONE | CAUSE_TXQ0 << number
                      : 0;
        ring.regs[RING_HEAD / 4] = end;
        frames++;
    }
    if (frames && ring.regs[RING_HEAD / 4] == ring.regs[RING_TAIL / 4]) {
        causes |= CAUSE_TX_EMPTY;
    }
    if (causes) {
        e1000e_raise(dev, causes);
    }
    return frames == E1000E_BATCH;
}

/* --- receiving --- */

static bool matches_address(E1000e *dev, const uint8_t *mac)
{
    enum { VALID = (int)0x80000000 };

    for (unsigned i = 0; i < 16; i++) {
        uint32_t low = *e1000e_reg(dev, RAL + i * 8), high = *e1000e_reg(dev, RAL + i * 8 + 4);
        if ((high & (uint32_t)VALID) && low == load_le32(mac) &&
            (high & 0xffff) == load_le16(mac + 4)) {
            return true;
        }
    }
    return false;
}

/* 12 bits of a group's address choose a bit of the table; which 12, RCTL says. */
static bool matches_group(E1000e *dev, const uint8_t *mac)
{
    static const uint8_t shifts[4] = { 4, 3, 2, 0 };
    unsigned hash = load_le16(mac + 4) >> shifts[*e1000e_reg(dev, RCTL) >> 12 & 3] & 0xfff;

    return bit_test(*e1000e_reg(dev, MTA + hash / 32 * 4), hash % 32);
}

static bool is_tagged(const uint8_t *frame, size_t len)
{
    return len >= ADDRESSES + VLAN_TAG && (frame[12] << 8 | frame[13]) == VLAN_TYPE;
}

static bool wants_frame(E1000e *dev, const uint8_t *frame, size_t len)
{
    static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    uint32_t rctl = *e1000e_reg(dev, RCTL);

    size_t longest = USUAL_FRAME + (is_tagged(frame, len) ? VLAN_TAG : 0);
    if (len < LEAST_FRAME || (len > longest && !(rctl & RCTL_LONG))) {
        return false;
    }
    if ((rctl & RCTL_VLAN_FILTER) && is_tagged(frame, len)) {
        unsigned id = (frame[14] << 8 | frame[15]) & 0xfff;
        if (!bit_test(*e1000e_reg(dev, VFTA + id / 32 * 4), id % 32)) {
            return false;
        }
    }
    if (frame[0] & 1) {
        return (rctl & RCTL_MULTICAST) ||
               (!memcmp(frame, broadcast, 6) ? (rctl & RCTL_BROADCAST) != 0
                                             : matches_group(dev, frame));
    }
    return (rctl & RCTL_UNICAST) || matches_address(dev, frame);
}

static uint32_t buffer_size(E1000e *dev)
{
    uint32_t rctl = *e1000e_reg(dev, RCTL), size = 2048U >> (rctl >> 16 & 3);

    return rctl & RCTL_BUFFER_EXTENDED && size < 2048 ? size * 16 : size;
}

/* What the guest is told about sums. */
static uint32_t sums_of(const E1000e *dev)
{
    FrameInfo info;

    frame_parse(dev->rx, dev->rx_len, &info);
    if (!dev->rx_valid || !info.transport || info.broken || info.fragment) {
        return RX_NO_SUMS;
    }
    return info.payload ? RX_TCP_SUM | RX_IP_SUM : RX_NO_SUMS;
}

/* One descriptor, filled with @len bytes at @bytes; false: its buffer is not in RAM. */
static bool fill(E1000e *dev, uint64_t at, const uint8_t *bytes, uint32_t len, uint32_t status,
                 uint16_t tag)
{
    GuestMemory *memory = dev->pci.device.env.memory;
    uint64_t gpa;

    if (!gm_read(memory, at, &gpa, sizeof(gpa)) || !gm_write(memory, gpa, bytes, len)) {
        return false;
    }
    Descriptor d = { .gpa = gpa, .command = len, .status = status | (uint32_t)tag << 16 };
    if (*e1000e_reg(dev, RFCTL) & RFCTL_EXTENDED) {
        d = (Descriptor){ .gpa = 0, .command = status, .status = len | (uint32_t)tag << 16 };
    }
    return gm_write(memory, at, &d, sizeof(d));
}

/* Tags are cut out when CTRL says so; the tag, or 0. */
static uint16_t cut_tag(E1000e *dev, uint32_t *status)
{
    if (!(*e1000e_reg(dev, CTRL) & CTRL_VLAN) || !is_tagged(dev->rx, dev->rx_len)) {
        return 0;
    }
    uint16_t tag = (uint16_t)(dev->rx[14] << 8 | dev->rx[15]);
    dev->rx_len -= VLAN_TAG;
    memmove(dev->rx + ADDRESSES, dev->rx + ADDRESSES + VLAN_TAG, dev->rx_len - ADDRESSES);
    *status |= RX_VLAN;
    return tag;
}

/* The frame in .rx goes to as many descriptors as it needs; false: there aren't enough. */
static bool deliver(E1000e *dev, const Ring *ring)
{
    uint32_t head = ring->regs[RING_HEAD / 4], tail = ring->regs[RING_TAIL / 4];
    uint32_t room = tail >= head ? tail - head : ring->count - head + tail;
    uint32_t buffer = buffer_size(dev), status = sums_of(dev);
    uint32_t crc = *e1000e_reg(dev, RCTL) & RCTL_STRIP_CRC ? 0 : CRC;

    if ((uint64_t)(ring->count - 1) * buffer < dev->rx_len + crc) {
        guest_error(&dev->pci.device, "a receive ring that no frame of %u bytes fits", dev->rx_len);
        return true;
    }
    if ((uint64_t)room * buffer < dev->rx_len + crc) {
        return false;
    }
    uint16_t tag = cut_tag(dev, &status);
    memset(dev->rx + dev->rx_len, 0, crc); /* nobody looks at it */
    uint32_t left = dev->rx_len + crc;
    for (const uint8_t *from = dev->rx; left;) {
        uint32_t part = MIN(left, buffer);
        bool last = part == left;
        if (!fill(dev, place(ring, head), from, part, RX_DONE | (last ? RX_EOP | status : 0),
                  tag)) {
            guest_error(&dev->pci.device, "a receive buffer outside memory");
        }
        from += part;
        left -= part;
        head = behind(ring, head);
    }
    ring->regs[RING_HEAD / 4] = head;
    *e1000e_reg(dev, GPRC) += 1;
    *e1000e_reg(dev, TPR) += 1;
    return true;
}

static bool can_receive(E1000e *dev, Ring *ret)
{
    return (*e1000e_reg(dev, RCTL) & RCTL_ENABLE) && pci_is_master(&dev->pci) &&
           get_ring(dev, RX_RING, ret);
}

/* Hand over the frame that waits, or forget it if it is not for the guest; false: it waits on. */
static bool settle(E1000e *dev, const Ring *ring)
{
    if (dev->rx_len && wants_frame(dev, dev->rx, dev->rx_len)) {
        if (*e1000e_reg(dev, RCTL) & RCTL_SPLIT) {
            guest_error(&dev->pci.device, "packet split is not there");
        } else if (!deliver(dev, ring)) {
            return false;
        }
        e1000e_raise(dev, CAUSE_RX | CAUSE_RXQ0);
    }
    dev->rx_len = 0;
    return true;
}

/* Read frames while there is room; whether the network is there. */
static bool receive(E1000e *dev)
{
    Ring ring;

    if (!can_receive(dev, &ring) || !settle(dev, &ring)) {
        return true;
    }
    for (unsigned i = 0; i < E1000E_BATCH; i++) {
        NetHeader header;
        ssize_t len = net_port_receive(dev->port, &header, dev->rx, sizeof(dev->rx) - CRC);
        if (len == -EINVAL || len == -EMSGSIZE) {
            continue;
        }
        if (len < 0) {
            return len == -EAGAIN;
        }
        dev->rx_len = (uint32_t)len;
        dev->rx_valid = header.flags & NET_HEADER_DATA_VALID;
        if (!settle(dev, &ring)) {
            break;
        }
    }
    return true;
}

/* --- turns --- */

void e1000e_set_watch(E1000e *dev)
{
    Ring ring;
    bool read = !dev->port_gone && !dev->rx_len && can_receive(dev, &ring);

    io_watch_set(dev->watch, (read ? IO_READ : 0) | (dev->port_full ? IO_WRITE : 0));
}

void e1000e_work(void *opaque)
{
    E1000e *dev = opaque;
    bool more = false;
    Ring ring;

    g_mutex_lock(&dev->pci.device.lock);
    for (unsigned i = 0; i < RINGS && !dev->port_full && !dev->port_gone; i++) {
        more |= transmit(dev, i);
    }
    if (dev->rx_len && can_receive(dev, &ring)) {
        settle(dev, &ring);
    }
    e1000e_set_watch(dev);
    g_mutex_unlock(&dev->pci.device.lock);
    if (more) {
        io_task_schedule(dev->task);
    }
}

void e1000e_on_port(void *opaque, unsigned events)
{
    E1000e *dev = opaque;
    bool gone = false;

    g_mutex_lock(&dev->pci.device.lock);
    if (events & IO_READ) {
        gone = !receive(dev) && !dev->port_gone;
        dev->port_gone |= gone;
    }
    bool go_on = dev->port_full && (events & IO_WRITE);
    dev->port_full &= !go_on && !dev->port_gone;
    e1000e_set_watch(dev);
    g_mutex_unlock(&dev->pci.device.lock);
    if (gone) {
        e1000e_set_link(dev, false);
    }
    if (go_on) {
        io_task_schedule(dev->task);
    }
}
