/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net, see net.h: pairs of queues for frames, and one for control, which is the last that
 * the driver knows.
 *
 * Frames stand behind a NetHeader in both directions, which is also what the port speaks: sums and
 * segmentation are left to whoever is behind it, as far as both sides agreed.  Frames that came
 * wait in an arena until the guest has buffers; while some wait, no more are read, and the network
 * sees a full pipe.  A frame that the port doesn't take stays in the guest's queue.
 *
 * Threads: frames on the I/O thread, which sends and receives with the device's lock open.
 */
#include "machine/virtio/net.h"

#include <errno.h>
#include <string.h>

#include "net/frame.h"

enum {
    FEATURE_CSUM = 0,
    FEATURE_GUEST_CSUM = 1,
    FEATURE_CTRL_GUEST_OFFLOADS = 2,
    FEATURE_MTU = 3,
    FEATURE_MAC = 5,
    FEATURE_GUEST_TSO4 = 7,
    FEATURE_GUEST_TSO6 = 8,
    FEATURE_HOST_TSO4 = 11,
    FEATURE_HOST_TSO6 = 12,
    FEATURE_MRG_RXBUF = 15,
    FEATURE_STATUS = 16,
    FEATURE_CTRL_VQ = 17,
    FEATURE_CTRL_RX = 18,
    FEATURE_CTRL_VLAN = 19,
    FEATURE_CTRL_RX_EXTRA = 20,
    FEATURE_GUEST_ANNOUNCE = 21,
    FEATURE_MQ = 22,
    FEATURE_CTRL_MAC_ADDR = 23,
};
enum { STATUS_LINK_UP = 1, STATUS_ANNOUNCE = 2 };
enum { QUEUE_SIZE = VIRTQ_MAX_SIZE, CONTROL_SIZE = 64 };
enum { MAC = FRAME_MAC, VLANS = 4096, FLOWS = 256 };

typedef struct NetConfigSpace {
    uint8_t mac[MAC];
    uint16_t status;
    uint16_t max_pairs;
    uint16_t mtu;
} NetConfigSpace;
_Static_assert(sizeof(NetConfigSpace) == 12, "virtio 1.2, 5.1.4");

/* Addresses that the guest wants besides its own; more than the table holds: all. */
typedef struct MacTable {
    uint8_t n;
    bool overflow;
    uint8_t macs[VIRTIO_NET_MACS * MAC];
} MacTable;

/* What the driver chose to receive (5.1.6.5.1). */
typedef struct RxMode {
    bool promiscuous, all_multicast, all_unicast, no_multicast, no_unicast, no_broadcast;
} RxMode;

/* A frame that came, in the arena. */
typedef struct Arrived {
    NetHeader header;
    uint32_t at, len;
} Arrived;

/* Part of a buffer that a frame may be written to. */
typedef struct RxPart {
    struct iovec iov;
    uint64_t gpa;
} RxPart;

/* A popped chain, as far as giving it back needs it. */
typedef struct RxChain {
    VirtqTicket ticket;
    uint32_t len, written;
} RxChain;

typedef struct NetDev {
    VirtioDev virtio;
    /* fixed after create */
    NetPort *port;
    IoWatch *watch;
    IoTask *retune; /* tells the port what .offloads has become */
    uint8_t own_mac[MAC];
    unsigned pairs;
    /* lock: virtio.device.lock */
    NetConfigSpace config;
    bool link_up;
    uint8_t offloads; /* NET_OFFLOAD_: what the guest leaves to itself when it receives */
    uint16_t active_pairs;
    RxMode mode;
    MacTable unicast, multicast;
    uint32_t vlans[VLANS / 32];
    uint8_t flows[FLOWS]; /* the pair on which each flow was sent last */
    VirtioNetStats stats;
    bool port_full; /* a frame waits for the port */
    bool port_gone;
    bool starved; /* a frame waits for buffers of the guest's */
    /* I/O thread only, but for .n_arrived, which a reset clears: lock too */
    unsigned first_arrived, n_arrived;
    Arrived arrived[VIRTIO_NET_BATCH];
    uint8_t arena[VIRTIO_NET_ARENA];
    /* scratch; I/O thread, lock held */
    VirtqChain chain;
    RxChain rx_chains[VIRTQ_MAX_SIZE];
    RxPart rx_parts[VIRTIO_NET_RX_PARTS];
} NetDev;

static NetDev *dev_of(VirtioDev *virtio)
{
    return container_of(virtio, NetDev, virtio);
}

static bool has(const NetDev *dev, unsigned feature)
{
    return virtio_dev_has_feature(&dev->virtio, feature);
}

static unsigned control_index(const NetDev *dev)
{
    return has(dev, FEATURE_MQ) ? dev->pairs * 2 : 2;
}

static void update_config(NetDev *dev)
{
    virtio_dev_set_config(&dev->virtio, &dev->config, sizeof(dev->config));
}

/* Wait for what can be served.  Lock: held. */
static void set_watch(NetDev *dev)
{
    bool read = virtio_dev_runs(&dev->virtio) && !dev->starved;

    io_watch_set(dev->watch,
                 dev->port_gone ? 0 : (read ? IO_READ : 0) | (dev->port_full ? IO_WRITE : 0));
}

/* --- which frames the guest wants --- */

static bool in_table(const MacTable *table, const uint8_t *mac)
{
    for (unsigned i = 0; i < table->n; i++) {
        if (!memcmp(table->macs + (size_t)i * MAC, mac, MAC)) {
            return true;
        }
    }
    return table->overflow;
}

static bool wants_address(const NetDev *dev, const uint8_t *mac)
{
    static const uint8_t broadcast[MAC] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    const RxMode *mode = &dev->mode;

    if (!memcmp(mac, broadcast, MAC)) {
        return !mode->no_broadcast;
    }
    if (mac[0] & 1) {
        return !mode->no_multicast && (mode->all_multicast || in_table(&dev->multicast, mac));
    }
    return !mode->no_unicast && (mode->all_unicast || !memcmp(mac, dev->config.mac, MAC) ||
                                 in_table(&dev->unicast, mac));
}

static bool wants_vlan(const NetDev *dev, const uint8_t *frame, size_t len)
{
    enum { TYPE = 12, TAG = 14, VLAN_TYPE = 0x8100 };

    if (!has(dev, FEATURE_CTRL_VLAN) || len < TAG + 2 ||
        (frame[TYPE] << 8 | frame[TYPE + 1]) != VLAN_TYPE) {
        return true;
    }
    unsigned id = (frame[TAG] << 8 | frame[TAG + 1]) & (VLANS - 1);
    return dev->vlans[id / 32] >> id % 32 & 1;
}

static bool wants_frame(const NetDev *dev, const uint8_t *frame, size_t len)
{
    return dev->link_up && (dev->mode.promiscuous || wants_address(dev, frame)) &&
           wants_vlan(dev, frame, len);
}

/* --- flows --- */

/* The same for both directions of a flow. */
static unsigned flow_of(const uint8_t *frame, size_t len)
{
    FrameInfo info;
    uint32_t hash = 0;

    frame_parse(frame, len, &info);
    if (info.version) {
        size_t from = info.ip + (info.version == 4 ? 12 : 8), size = info.version == 4 ? 8 : 32;
        for (size_t i = 0; i < size; i += 4) {
            hash ^= load_le32(frame + from + i);
        }
        if (info.transport && info.end - info.transport >= 4) {
            hash ^= load_le16(frame + info.transport) ^ load_le16(frame + info.transport + 2);
        }
    }
    hash ^= hash >> 16;
    return (hash ^ hash >> 8) % FLOWS;
}

/* Remember on which pair a flow goes out. */
static void note_flow(NetDev *dev, const Virtq *q, const struct iovec *iov, unsigned n)
{
    uint8_t head[FRAME_MAX_HEADERS];
    size_t len = 0;

    if (dev->active_pairs <= 1) {
        return;
    }
    for (unsigned i = 0; i < n && len < sizeof(head); i++) {
        size_t part = MIN(iov[i].iov_len, sizeof(head) - len);
        memcpy(head + len, iov[i].iov_base, part);
        len += part;
    }
    dev->flows[flow_of(head, len)] = (uint8_t)(q->index / 2);
}

static Virtq *receive_queue(NetDev *dev, const uint8_t *frame, size_t len)
{
    unsigned pair = dev->active_pairs > 1 ? dev->flows[flow_of(frame, len)] : 0;

    return &dev->virtio.queues[pair < dev->active_pairs ? pair * 2 : 0];
}

/* --- receiving --- */

typedef enum Delivery { DELIVERED, DROPPED, NO_ROOM } Delivery;

/* Note the writable parts of the chain just popped; false: there are more than we follow. */
static bool note_chain(NetDev *dev, const VirtqChain *chain, unsigned n_chains, unsigned *n_parts)
{
    if (*n_parts + chain->n_in > VIRTIO_NET_RX_PARTS) {
        return false;
    }
    for (unsigned i = 0; i < chain->n_in; i++) {
        dev->rx_parts[(*n_parts)++] = (RxPart){ chain->in[i], chain->in_gpa[i] };
    }
    dev->rx_chains[n_chains] =
        (RxChain){ chain->ticket, (uint32_t)MIN(chain->in_len, UINT32_MAX), 0 };
    return true;
}

/* Pop chains for @len bytes; how many, or 0: there are not enough (and none was popped), or -1:
 * what there is won't do, or the guest broke the rules. */
static int pop_chains(NetDev *dev, Virtq *q, size_t len)
{
    bool merge = has(dev, FEATURE_MRG_RXBUF);
    unsigned n = 0, n_parts = 0;
    size_t room = 0;
    bool fits = true, more = true;

    while (room < len && fits && more && n < VIRTQ_MAX_SIZE && (merge || n == 0)) {
        more = virtq_pop(q, &dev->chain);
        if (more) {
            room += dev->chain.in_len;
            fits = note_chain(dev, &dev->chain, n, &n_parts);
            n += fits;
            if (!fits) {
                virtq_unpop(q, dev->chain.ticket);
            }
        }
    }
    if (room >= len && fits) {
        return (int)n;
    }
    for (unsigned i = n; i > 0; i--) {
        virtq_unpop(q, dev->rx_chains[i - 1].ticket);
    }
    return more || !virtio_dev_runs(&dev->virtio) ? -1 : 0;
}

/* Write header and frame into the parts noted. */
static void write_frame(NetDev *dev, const NetHeader *header, const uint8_t *frame, size_t len)
{
    GuestMemory *memory = dev->virtio.device.env.memory;
    const uint8_t *from = (const uint8_t *)header;
    size_t left = sizeof(*header);
    bool in_header = true;

    for (unsigned i = 0; left; i++) {
        RxPart *part = &dev->rx_parts[i];
        size_t at = 0;
        while (at < part->iov.iov_len && left) {
            size_t n = MIN(left, part->iov.iov_len - at);
            memcpy((uint8_t *)part->iov.iov_base + at, from, n);
            at += n, from += n, left -= n;
            if (!left && in_header) {
                in_header = false;
                from = frame, left = len;
            }
        }
        gm_written(memory, part->gpa, at);
    }
}

static Delivery deliver(NetDev *dev, const Arrived *arrived)
{
    const uint8_t *frame = dev->arena + arrived->at;
    NetHeader header = arrived->header;

    if (!wants_frame(dev, frame, arrived->len)) {
        return DROPPED;
    }
    unsigned gso = header.gso_type == NET_GSO_TCP4   ? NET_OFFLOAD_TSO4
                   : header.gso_type == NET_GSO_TCP6 ? NET_OFFLOAD_TSO6
                                                     : 0;
    if ((gso & ~dev->offloads) || (header.gso_type && !gso) ||
        ((header.flags & NET_HEADER_NEEDS_CSUM) && !(dev->offloads & NET_OFFLOAD_CSUM))) {
        return DROPPED; /* made for what the guest could do before */
    }
    header.flags &= dev->offloads & NET_OFFLOAD_CSUM ? header.flags : 0;
    Virtq *q = receive_queue(dev, frame, arrived->len);
    size_t left = sizeof(header) + arrived->len;
    int n = pop_chains(dev, q, left);
    if (n <= 0) {
        return n ? DROPPED : NO_ROOM;
    }
    header.buffers = (uint16_t)n;
    write_frame(dev, &header, frame, arrived->len);
    for (int i = 0; i < n; i++) {
        size_t written = MIN(left, dev->rx_chains[i].len);
        virtq_fill_ticket(q, dev->rx_chains[i].ticket, written);
        left -= written;
    }
    return DELIVERED;
}

/* Hand what has arrived to the guest, as far as it has room.  Lock: held. */
static void deliver_arrived(NetDev *dev)
{
    bool room = true;

    for (unsigned i = 0; i < dev->pairs; i++) {
        virtq_begin_round(&dev->virtio.queues[i * 2]);
    }
    while (room && dev->n_arrived && virtio_dev_runs(&dev->virtio)) {
        const Arrived *arrived = &dev->arrived[dev->first_arrived];
        Delivery delivery = deliver(dev, arrived);
        room = delivery != NO_ROOM;
        if (!room) {
            break;
        }
        dev->stats.received += delivery == DELIVERED;
        dev->stats.received_bytes += delivery == DELIVERED ? arrived->len : 0;
        dev->stats.receive_dropped += delivery == DROPPED;
        dev->first_arrived++;
        dev->n_arrived--;
    }
    dev->starved = dev->n_arrived > 0;
    for (unsigned i = 0; i < dev->pairs; i++) {
        virtq_flush(&dev->virtio.queues[i * 2]);
    }
}

/* Read as many frames as there are, and as the arena holds.  Lock: open; I/O thread. */
static unsigned receive(NetDev *dev, bool *ret_gone)
{
    uint32_t at = 0;
    unsigned n = 0;

    for (unsigned i = 0; i < VIRTIO_NET_BATCH && VIRTIO_NET_ARENA - at >= NET_MAX_FRAME; i++) {
        Arrived *arrived = &dev->arrived[n];
        ssize_t len = net_port_receive(dev->port, &arrived->header, dev->arena + at, NET_MAX_FRAME);
        if (len >= 0) {
            arrived->at = at;
            arrived->len = (uint32_t)len;
            at += (uint32_t)len;
            n++;
        } else if (len != -EINVAL && len != -EMSGSIZE) { /* a frame that can't be is skipped */
            *ret_gone = len != -EAGAIN;
            break;
        }
    }
    return n;
}

/* --- the port --- */

static void lose_port(NetDev *dev)
{
    dev->port_gone = true;
    dev->link_up = false;
    dev->config.status &= ~STATUS_LINK_UP;
    update_config(dev);
    virtio_dev_config_changed(&dev->virtio);
    device_log(&dev->virtio.device, "the network has gone: the link is down");
}

static void on_port(void *opaque, unsigned events)
{
    NetDev *dev = opaque;
    GMutex *lock = &dev->virtio.device.lock;
    bool gone = false;

    g_mutex_lock(lock);
    bool read = (events & IO_READ) && !dev->n_arrived;
    g_mutex_unlock(lock);
    unsigned n = read ? receive(dev, &gone) : 0;
    g_mutex_lock(lock);
    if (read) {
        dev->first_arrived = 0;
        dev->n_arrived = virtio_dev_runs(&dev->virtio) ? n : 0;
        deliver_arrived(dev);
    }
    if (gone && !dev->port_gone) {
        lose_port(dev);
    }
    if (dev->port_full && (events & IO_WRITE)) {
        dev->port_full = false;
        for (unsigned i = 0; i < dev->pairs; i++) {
            virtq_kick(&dev->virtio.queues[i * 2 + 1]);
        }
    }
    set_watch(dev);
    g_mutex_unlock(lock);
}

/* What the guest can do has changed: tell the port, on its own thread. */
static void on_retune(void *opaque)
{
    NetDev *dev = opaque;

    g_mutex_lock(&dev->virtio.device.lock);
    unsigned offloads = dev->offloads;
    set_watch(dev);
    g_mutex_unlock(&dev->virtio.device.lock);
    net_port_set_offloads(dev->port, offloads);
}

/* --- sending --- */

/* A header that asks only for what was negotiated. */
static bool header_is_allowed(const NetDev *dev, const NetHeader *header)
{
    unsigned gso = header->gso_type;

    return !((header->flags & NET_HEADER_NEEDS_CSUM) && !has(dev, FEATURE_CSUM)) &&
           (gso == NET_GSO_NONE || (gso == NET_GSO_TCP4 && has(dev, FEATURE_HOST_TSO4)) ||
            (gso == NET_GSO_TCP6 && has(dev, FEATURE_HOST_TSO6)));
}

/* Send the frame in dev->chain.  Lock: held, opened meanwhile.  0, -EAGAIN, another error of this
 * frame, or -ESTALE: the queue has gone. */
static int send_frame(NetDev *dev, Virtq *q)
{
    const VirtqChain *chain = &dev->chain;
    struct iovec parts[VIRTQ_MAX_SIZE];
    NetHeader header;

    if (virtq_chain_read(chain, 0, &header, sizeof(header)) != sizeof(header)) {
        guest_error(&dev->virtio.device, "frame without header");
        return -EINVAL;
    }
    size_t len = chain->out_len - sizeof(header);
    unsigned n = virtq_slice(chain->out, chain->n_out, sizeof(header), len, parts);
    header.flags &= NET_HEADER_NEEDS_CSUM;
    if (!header_is_allowed(dev, &header)) {
        guest_error(&dev->virtio.device, "frame for offloads that weren't negotiated");
        return -EINVAL;
    }
    if (!dev->link_up) {
        return -ENETDOWN;
    }
    note_flow(dev, q, parts, n);
    virtq_begin_io(q);
    int result = net_port_send(dev->port, &header, parts, n);
    if (!virtq_end_io(q)) {
        return -ESTALE;
    }
    return result;
}

static void on_transmit(NetDev *dev, Virtq *q)
{
    while (!dev->port_full && virtq_pop(q, &dev->chain)) {
        size_t len = dev->chain.out_len - MIN(dev->chain.out_len, sizeof(NetHeader));
        int result = send_frame(dev, q);
        if (result == -ESTALE) {
            return;
        }
        if (result == -EAGAIN || result == -ENOBUFS) {
            virtq_unpop(q, dev->chain.ticket);
            dev->port_full = true;
            break;
        }
        dev->stats.sent += result == 0;
        dev->stats.sent_bytes += result == 0 ? len : 0;
        dev->stats.send_dropped += result != 0;
        virtq_fill(q, &dev->chain, 0);
    }
    virtq_flush(q);
    set_watch(dev);
}

/* --- control --- */

/* A command's data behind class and command, in pieces. */
typedef struct ControlData {
    const VirtqChain *chain;
    size_t at;
} ControlData;

static bool take(ControlData *data, void *buf, size_t len)
{
    size_t got = virtq_chain_read(data->chain, data->at, buf, len);

    data->at += got;
    return got == len;
}

/* The NET_OFFLOAD_ set of VIRTIO_NET_F_GUEST_ bits, as far as they are offered and negotiated. */
static uint8_t offloads_of(const NetDev *dev, uint64_t bits)
{
    bits &= dev->virtio.driver_features;
    if (!bit_test(bits, FEATURE_GUEST_CSUM)) {
        return 0; /* segmentation needs it (5.1.3.1) */
    }
    return (uint8_t)(NET_OFFLOAD_CSUM |
                     (bit_test(bits, FEATURE_GUEST_TSO4) ? NET_OFFLOAD_TSO4 : 0) |
                     (bit_test(bits, FEATURE_GUEST_TSO6) ? NET_OFFLOAD_TSO6 : 0));
}

static void set_offloads(NetDev *dev, uint64_t bits)
{
    dev->offloads = offloads_of(dev, bits);
    io_task_schedule(dev->retune);
}

static bool set_mode(NetDev *dev, uint8_t command, ControlData *data)
{
    bool *const modes[] = { &dev->mode.promiscuous, &dev->mode.all_multicast,
                            &dev->mode.all_unicast, &dev->mode.no_multicast,
                            &dev->mode.no_unicast,  &dev->mode.no_broadcast };
    enum { ALWAYS = 2 }; /* the others are CTRL_RX_EXTRA's */
    uint8_t on;

    if (command >= G_N_ELEMENTS(modes) || !take(data, &on, 1) || on > 1 ||
        !has(dev, command < ALWAYS ? FEATURE_CTRL_RX : FEATURE_CTRL_RX_EXTRA)) {
        return false;
    }
    *modes[command] = on;
    return true;
}

static bool take_table(ControlData *data, MacTable *table)
{
    uint32_t n;

    *table = (MacTable){ 0 };
    if (!take(data, &n, sizeof(n))) {
        return false;
    }
    table->overflow = n > VIRTIO_NET_MACS;
    if (table->overflow) {
        data->at += (size_t)n * MAC; /* behind the end: what follows can't be taken */
        return data->at <= data->chain->out_len;
    }
    table->n = (uint8_t)n;
    return take(data, table->macs, (size_t)n * MAC);
}

static bool set_macs(NetDev *dev, uint8_t command, ControlData *data)
{
    enum { SET_TABLES = 0, SET_ADDRESS = 1 };
    MacTable unicast, multicast;

    if (command == SET_ADDRESS && has(dev, FEATURE_CTRL_MAC_ADDR)) {
        uint8_t mac[MAC];
        if (!take(data, mac, sizeof(mac))) {
            return false;
        }
        memcpy(dev->config.mac, mac, sizeof(mac));
        update_config(dev);
        return true;
    }
    if (command != SET_TABLES || !has(dev, FEATURE_CTRL_RX) || !take_table(data, &unicast) ||
        !take_table(data, &multicast)) {
        return false;
    }
    dev->unicast = unicast;
    dev->multicast = multicast;
    return true;
}

static bool set_vlan(NetDev *dev, uint8_t command, ControlData *data)
{
    enum { ADD = 0, REMOVE = 1 };
    uint16_t id;

    if (command > REMOVE || !has(dev, FEATURE_CTRL_VLAN) || !take(data, &id, sizeof(id)) ||
        id >= VLANS) {
        return false;
    }
    uint32_t bit = UINT32_C(1) << id % 32;
    dev->vlans[id / 32] = command == ADD ? dev->vlans[id / 32] | bit : dev->vlans[id / 32] & ~bit;
    return true;
}

static bool acknowledge(NetDev *dev, uint8_t command, ControlData *data)
{
    if (command != 0 || !(dev->config.status & STATUS_ANNOUNCE)) {
        return false;
    }
    dev->config.status &= ~STATUS_ANNOUNCE;
    update_config(dev);
    return true;
}

static bool set_pairs(NetDev *dev, uint8_t command, ControlData *data)
{
    uint16_t pairs;

    if (command != 0 || !has(dev, FEATURE_MQ) || !take(data, &pairs, sizeof(pairs)) || pairs < 1 ||
        pairs > dev->pairs) {
        return false;
    }
    dev->active_pairs = pairs;
    return true;
}

static bool choose_offloads(NetDev *dev, uint8_t command, ControlData *data)
{
    uint64_t bits;

    if (command != 0 || !has(dev, FEATURE_CTRL_GUEST_OFFLOADS) ||
        !take(data, &bits, sizeof(bits)) || (bits & ~dev->virtio.driver_features)) {
        return false;
    }
    set_offloads(dev, bits);
    return true;
}

/* By class (5.1.6.5). */
static bool (*const controls[])(NetDev *dev, uint8_t command, ControlData *data) = {
    set_mode, set_macs, set_vlan, acknowledge, set_pairs, choose_offloads,
};

static void on_control(NetDev *dev, Virtq *q)
{
    enum { OK = 0, ERROR = 1 };

    while (virtq_pop(q, &dev->chain)) {
        uint8_t command[2], ack = ERROR;
        ControlData data = { .chain = &dev->chain };
        if (dev->chain.in_len < 1) {
            virtio_dev_broken(&dev->virtio, "control command without room for an answer");
            return;
        }
        if (take(&data, command, sizeof(command)) && command[0] < G_N_ELEMENTS(controls) &&
            controls[command[0]](dev, command[1], &data)) {
            ack = OK;
        }
        virtq_chain_write(&dev->chain, 0, &ack, 1);
        virtq_push(q, &dev->chain, 1);
    }
}

/* --- the device --- */

static void on_kick(VirtioDev *virtio, Virtq *q)
{
    NetDev *dev = dev_of(virtio);

    if (q->index == control_index(dev)) {
        on_control(dev, q);
    } else if (q->index % 2) {
        on_transmit(dev, q);
    } else if (dev->n_arrived) {
        deliver_arrived(dev); /* the guest has room again */
        set_watch(dev);
    }
}

static void started(VirtioDev *virtio)
{
    NetDev *dev = dev_of(virtio);

    dev->active_pairs = 1;
    dev->mode.promiscuous = !has(dev, FEATURE_CTRL_RX);
    set_offloads(dev, virtio->driver_features);
}

static void reset(VirtioDev *virtio)
{
    NetDev *dev = dev_of(virtio);

    memcpy(dev->config.mac, dev->own_mac, MAC);
    dev->config.status &= ~STATUS_ANNOUNCE;
    update_config(dev);
    dev->mode = (RxMode){ 0 };
    dev->unicast = dev->multicast = (MacTable){ 0 };
    memset(dev->vlans, 0, sizeof(dev->vlans));
    memset(dev->flows, 0, sizeof(dev->flows));
    dev->active_pairs = 1;
    dev->n_arrived = 0;
    dev->starved = dev->port_full = false;
    dev->offloads = 0;
    set_watch(dev);
    io_task_schedule(dev->retune);
}

static bool loaded(VirtioDev *virtio, GError **error)
{
    NetDev *dev = dev_of(virtio);

    /* the cable is as it is here, not as it was there */
    dev->config.status =
        (dev->config.status & STATUS_ANNOUNCE) | (dev->link_up ? STATUS_LINK_UP : 0);
    dev->active_pairs = MIN(dev->active_pairs, (uint16_t)dev->pairs);
    update_config(dev);
    io_task_schedule(dev->retune);
    return true;
}

static void destroy(VirtioDev *virtio)
{
    NetDev *dev = dev_of(virtio);

    io_task_free(dev->retune);
    io_watch_free(dev->watch);
}

static const SavedField saved[] = {
    VIRTIO_SAVED(NetDev),
    SAVED_ARRAY(NetDev, config.mac),
    SAVED_RANGE(NetDev, config.status, 0, STATUS_LINK_UP | STATUS_ANNOUNCE),
    SAVED_RANGE(NetDev, offloads, 0, NET_OFFLOAD_ALL),
    SAVED_RANGE(NetDev, active_pairs, 1, VIRTIO_NET_MAX_PAIRS),
    SAVED(NetDev, mode.promiscuous),
    SAVED(NetDev, mode.all_multicast),
    SAVED(NetDev, mode.all_unicast),
    SAVED(NetDev, mode.no_multicast),
    SAVED(NetDev, mode.no_unicast),
    SAVED(NetDev, mode.no_broadcast),
    SAVED_RANGE(NetDev, unicast.n, 0, VIRTIO_NET_MACS),
    SAVED(NetDev, unicast.overflow),
    SAVED_ARRAY(NetDev, unicast.macs),
    SAVED_RANGE(NetDev, multicast.n, 0, VIRTIO_NET_MACS),
    SAVED(NetDev, multicast.overflow),
    SAVED_ARRAY(NetDev, multicast.macs),
    SAVED_ARRAY(NetDev, vlans),
    { 0 },
};

#define FRAME_QUEUE(title)                                                                         \
    {                                                                                              \
        .name = (title), .size = QUEUE_SIZE, .on_kick = on_kick                                    \
    }

const VirtioClass virtio_net_class = {
    .device = {
        .name = "virtio-net",
        .summary = "network card",
        .instance_size = sizeof(NetDev),
        .saved = saved,
        .reset = virtio_dev_reset,
        .loaded = virtio_dev_loaded,
        .pause = virtio_dev_pause,
        .destroy = virtio_dev_destroy,
    },
    .device_id = 1,
    .in_order = true,
    .queues = {
        FRAME_QUEUE("receive0"), FRAME_QUEUE("transmit0"),
        FRAME_QUEUE("receive1"), FRAME_QUEUE("transmit1"),
        FRAME_QUEUE("receive2"), FRAME_QUEUE("transmit2"),
        FRAME_QUEUE("receive3"), FRAME_QUEUE("transmit3"),
        { .name = "control", .size = CONTROL_SIZE, .on_kick = on_kick },
    },
    .started = started,
    .reset = reset,
    .loaded = loaded,
    .destroy = destroy,
};

static const uint8_t offered[] = {
    FEATURE_CTRL_GUEST_OFFLOADS,
    FEATURE_MAC,
    FEATURE_MRG_RXBUF,
    FEATURE_STATUS,
    FEATURE_CTRL_VQ,
    FEATURE_CTRL_RX,
    FEATURE_CTRL_VLAN,
    FEATURE_CTRL_RX_EXTRA,
    FEATURE_GUEST_ANNOUNCE,
    FEATURE_CTRL_MAC_ADDR,
};
/* What needs a port that takes headers. */
static const uint8_t offered_with_headers[] = {
    FEATURE_CSUM,       FEATURE_GUEST_CSUM, FEATURE_GUEST_TSO4,
    FEATURE_GUEST_TSO6, FEATURE_HOST_TSO4,  FEATURE_HOST_TSO6,
};

static uint64_t features_of(const VirtioNetConfig *config, unsigned pairs)
{
    uint64_t features = (config->mtu ? VIRTIO_FEATURE(FEATURE_MTU) : 0) |
                        (pairs > 1 ? VIRTIO_FEATURE(FEATURE_MQ) : 0);

    for (size_t i = 0; i < G_N_ELEMENTS(offered); i++) {
        features |= VIRTIO_FEATURE(offered[i]);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(offered_with_headers); i++) {
        features |= net_port_offloads(config->port) ? VIRTIO_FEATURE(offered_with_headers[i]) : 0;
    }
    return features;
}

VirtioDev *virtio_net_new(const VirtioSlot *slot, const VirtioNetConfig *config)
{
    unsigned pairs = config->pairs ? config->pairs : 1;
    NetDev *dev = virtio_dev_new(&virtio_net_class, slot, features_of(config, pairs));

    g_assert(pairs <= VIRTIO_NET_MAX_PAIRS);
    virtio_dev_set_queues(&dev->virtio, pairs * 2 + 1);
    dev->port = config->port;
    dev->pairs = pairs;
    dev->link_up = true;
    memcpy(dev->own_mac, config->mac, MAC);
    dev->config = (NetConfigSpace){
        .status = STATUS_LINK_UP,
        .max_pairs = (uint16_t)pairs,
        .mtu = (uint16_t)(config->mtu ? config->mtu : NET_USUAL_MTU),
    };
    memcpy(dev->config.mac, config->mac, MAC);
    update_config(dev);
    dev->watch = io_watch_new(slot->io, net_port_fd(dev->port), on_port, dev);
    dev->retune = io_task_new(slot->io, on_retune, dev);
    return &dev->virtio;
}

void virtio_net_set_link(VirtioDev *virtio, bool up)
{
    NetDev *dev = dev_of(virtio);

    g_mutex_lock(&virtio->device.lock);
    up = up && !dev->port_gone;
    if (up != dev->link_up) {
        dev->link_up = up;
        dev->config.status = (dev->config.status & ~STATUS_LINK_UP) | (up ? STATUS_LINK_UP : 0);
        update_config(dev);
        virtio_dev_config_changed(virtio);
    }
    g_mutex_unlock(&virtio->device.lock);
}

void virtio_net_announce(VirtioDev *virtio)
{
    NetDev *dev = dev_of(virtio);

    g_mutex_lock(&virtio->device.lock);
    if (has(dev, FEATURE_GUEST_ANNOUNCE) && has(dev, FEATURE_CTRL_VQ) && virtio_dev_runs(virtio)) {
        dev->config.status |= STATUS_ANNOUNCE;
        update_config(dev);
        virtio_dev_config_changed(virtio);
    }
    g_mutex_unlock(&virtio->device.lock);
}

VirtioNetStats virtio_net_stats(VirtioDev *virtio)
{
    NetDev *dev = dev_of(virtio);

    g_mutex_lock(&virtio->device.lock);
    VirtioNetStats stats = dev->stats;
    g_mutex_unlock(&virtio->device.lock);
    return stats;
}
