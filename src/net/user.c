/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network for one VM, see user.h.
 */
#include "net/user.h"

#include <errno.h>
#include <poll.h>
#include <slirp/libslirp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "net/filter.h"
#include "net/frame.h"
#include "net/limits.h"

/* Frames of the guest's that are served before sockets get their turn. */
enum { BURST = 64 };
/* How long an IPv6 address that the guest had must be silent until another takes its place. */
#define ADDRESS_STALE_NS (60 * G_GINT64_CONSTANT(1000000000))

/* A frame that waits for the guest. */
typedef struct Waiting {
    size_t len; /* of .bytes: header and frame */
    uint8_t bytes[];
} Waiting;

typedef struct UserTimer {
    SlirpTimerCb fn;
    void *opaque;
    int64_t at_ms; /* -1: unset */
} UserTimer;

struct UserNet {
    UserNetConfig config;
    Slirp *slirp;
    int frames;
    unsigned offloads; /* that may be left to the guest's NIC */
    Filter filter;
    GQueue waiting;
    size_t waiting_bytes;
    GPtrArray *timers;
    GArray *polls;    /* of struct pollfd, of this step */
    GArray *forwards; /* of NetForward */
    struct in6_addr guest6;
    int64_t guest6_seen_ns;
    bool gone;
    UserNetStats stats;
    uint8_t input[sizeof(NetHeader) + NET_MAX_FRAME];
};

/* --- to the guest --- */

static bool send_now(UserNet *net, const struct iovec *parts, unsigned n)
{
    struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = n };

    if (sendmsg(net->frames, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
        net->stats.to_guest++;
        return true;
    }
    if (errno != EAGAIN && errno != ENOBUFS) {
        net->gone = errno == EPIPE || errno == ECONNRESET;
        net->stats.dropped++;
        return true; /* there is nothing to wait for */
    }
    return false;
}

static void keep(UserNet *net, const struct iovec *parts, unsigned n)
{
    size_t len = 0;

    for (unsigned i = 0; i < n; i++) {
        len += parts[i].iov_len;
    }
    if (net->waiting.length >= NET_QUEUE_FRAMES || net->waiting_bytes + len > NET_QUEUE_BYTES) {
        net->stats.dropped++;
        return;
    }
    Waiting *waiting = g_malloc(sizeof(Waiting) + len);
    waiting->len = 0;
    for (unsigned i = 0; i < n; i++) {
        if (parts[i].iov_len) {
            memcpy(waiting->bytes + waiting->len, parts[i].iov_base, parts[i].iov_len);
        }
        waiting->len += parts[i].iov_len;
    }
    net->waiting_bytes += len;
    g_queue_push_tail(&net->waiting, waiting);
}

static void emit(void *opaque, const NetHeader *header, const struct iovec frame[2])
{
    UserNet *net = opaque;
    const struct iovec parts[3] = { { (void *)(uintptr_t)header, sizeof(*header) },
                                    frame[0],
                                    frame[1] };

    if (net->waiting.length || !send_now(net, parts, 3)) {
        keep(net, parts, 3);
    }
}

static void send_waiting(UserNet *net)
{
    for (Waiting *w = g_queue_peek_head(&net->waiting); w; w = g_queue_peek_head(&net->waiting)) {
        const struct iovec part = { w->bytes, w->len };
        if (!send_now(net, &part, 1)) {
            return;
        }
        net->waiting_bytes -= w->len;
        g_free(g_queue_pop_head(&net->waiting));
    }
}

/* --- what libslirp wants of us --- */

static ssize_t on_send_packet(const void *buf, size_t len, void *opaque)
{
    UserNet *net = opaque;

    if (len >= NET_MIN_FRAME && len <= NET_MAX_FRAME) {
        filter_note(&net->filter, buf, len);
        frame_deliver(buf, len, net->config.mtu, net->offloads, emit, net);
    }
    return (ssize_t)len;
}

static void on_guest_error(const char *text, void *opaque)
{
}

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * G_GINT64_CONSTANT(1000000000) + now.tv_nsec;
}

static int64_t on_clock(void *opaque)
{
    return now_ns();
}

static void *on_timer_new(SlirpTimerCb fn, void *fn_opaque, void *opaque)
{
    UserNet *net = opaque;
    UserTimer *timer = g_new0(UserTimer, 1);

    *timer = (UserTimer){ .fn = fn, .opaque = fn_opaque, .at_ms = -1 };
    g_ptr_array_add(net->timers, timer);
    return timer;
}

static void on_timer_free(void *timer, void *opaque)
{
    UserNet *net = opaque;

    g_ptr_array_remove(net->timers, timer);
}

static void on_timer_mod(void *opaque_timer, int64_t at_ms, void *opaque)
{
    UserTimer *timer = opaque_timer;

    timer->at_ms = at_ms;
}

static void on_poll_fd(int fd, void *opaque)
{
}

static void on_notify(void *opaque)
{
}

static const SlirpCb callbacks = {
    .send_packet = on_send_packet,
    .guest_error = on_guest_error,
    .clock_get_ns = on_clock,
    .timer_new = on_timer_new,
    .timer_free = on_timer_free,
    .timer_mod = on_timer_mod,
    .register_poll_fd = on_poll_fd,
    .unregister_poll_fd = on_poll_fd,
    .notify = on_notify,
};

/* Run timers that are due, and shorten *@timeout_ms to the next. */
static void run_timers(UserNet *net, uint32_t *timeout_ms)
{
    int64_t now_ms = now_ns() / 1000000;

    for (guint i = 0; i < net->timers->len; i++) {
        UserTimer *timer = g_ptr_array_index(net->timers, i);
        if (timer->at_ms >= 0 && timer->at_ms <= now_ms) {
            timer->at_ms = -1;
            timer->fn(timer->opaque);
        }
        if (timer->at_ms >= 0) {
            *timeout_ms = (uint32_t)MIN((int64_t)*timeout_ms, MAX(timer->at_ms - now_ms, 1));
        }
    }
}

/* --- forwards --- */

static socklen_t to_sockaddr(const NetAddress *address, struct sockaddr_storage *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (address->family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)(void *)ret;
        in->sin_family = AF_INET;
        in->sin_port = htons(address->port);
        memcpy(&in->sin_addr, address->bytes, sizeof(in->sin_addr));
        return sizeof(*in);
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)ret;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(address->port);
    memcpy(&in6->sin6_addr, address->bytes, sizeof(in6->sin6_addr));
    return sizeof(*in6);
}

/* Where @forward leads now. */
static NetAddress guest_address(const UserNet *net, const NetForward *forward)
{
    static const uint8_t usual[] = { 10, 0, 2, FILTER_GUEST };
    NetAddress address = forward->guest;

    if (!address.family) {
        address.family = forward->host.family;
        const void *bytes = address.family == AF_INET ? usual : (const void *)&net->guest6;
        memcpy(address.bytes, bytes, address.family == AF_INET ? sizeof(usual) : 16);
    }
    return address;
}

/* 0, or an errno value. */
static int listen_for(UserNet *net, const NetForward *forward)
{
    const NetAddress guest = guest_address(net, forward);
    struct sockaddr_storage from, to;
    socklen_t from_len = to_sockaddr(&forward->host, &from), to_len = to_sockaddr(&guest, &to);
    int flags = (forward->udp ? SLIRP_HOSTFWD_UDP : 0) | SLIRP_HOSTFWD_V6ONLY;

    errno = 0;
    if (slirp_add_hostxfwd(net->slirp, (struct sockaddr *)&from, from_len, (struct sockaddr *)&to,
                           to_len, flags) >= 0) {
        return 0;
    }
    return errno ? errno : EINVAL;
}

static void stop_listening(UserNet *net, const NetForward *forward)
{
    struct sockaddr_storage from;
    socklen_t len = to_sockaddr(&forward->host, &from);
    int flags = (forward->udp ? SLIRP_HOSTFWD_UDP : 0) | SLIRP_HOSTFWD_V6ONLY;

    slirp_remove_hostxfwd(net->slirp, (struct sockaddr *)&from, len, flags);
}

static bool same_address(const NetAddress *a, const NetAddress *b)
{
    return a->family == b->family && a->port == b->port &&
           !memcmp(a->bytes, b->bytes, a->family == AF_INET ? 4 : 16);
}

/* The forward of the same port of the host's, or -1. */
static int find_forward(const UserNet *net, const NetForward *wanted)
{
    for (guint i = 0; i < net->forwards->len; i++) {
        const NetForward *forward = &g_array_index(net->forwards, NetForward, i);
        if (forward->udp == wanted->udp && same_address(&forward->host, &wanted->host)) {
            return (int)i;
        }
    }
    return -1;
}

/* Forwards to "the guest's address" of IPv6 lead to another one now. */
static void move_forwards(UserNet *net)
{
    for (guint i = 0; i < net->forwards->len; i++) {
        const NetForward *forward = &g_array_index(net->forwards, NetForward, i);
        if (forward->host.family == AF_INET6 && !forward->guest.family) {
            stop_listening(net, forward);
            listen_for(net, forward);
        }
    }
}

/* The guest chooses its IPv6 addresses itself: take those that it uses. */
static void learn_address(UserNet *net, const uint8_t *frame, const FrameInfo *info)
{
    const uint8_t *from = frame + info->ip + 8;
    int64_t now = now_ns();

    if (info->version != 6 || memcmp(from, filter_prefix6, sizeof(filter_prefix6))) {
        return;
    }
    if (memcmp(from, &net->guest6, 16)) {
        if (net->guest6_seen_ns && now - net->guest6_seen_ns < ADDRESS_STALE_NS) {
            return;
        }
        memcpy(&net->guest6, from, 16);
        move_forwards(net);
    }
    net->guest6_seen_ns = now;
}

static bool is_address(const NetAddress *address)
{
    return (address->family == AF_INET || address->family == AF_INET6) && address->port;
}

static int add_forward(UserNet *net, const NetForward *forward)
{
    if (!is_address(&forward->host) || !forward->guest.port ||
        (forward->guest.family && forward->guest.family != forward->host.family) ||
        (forward->host.family == AF_INET6 && !net->config.ipv6)) {
        return EINVAL;
    }
    if (find_forward(net, forward) >= 0) {
        return EADDRINUSE;
    }
    if (net->forwards->len >= NET_MAX_FORWARDS) {
        return ENOSPC;
    }
    int err = listen_for(net, forward);
    if (!err) {
        g_array_append_vals(net->forwards, forward, 1);
    }
    return err;
}

static int remove_forward(UserNet *net, const NetForward *forward)
{
    int index = is_address(&forward->host) ? find_forward(net, forward) : -1;

    if (index < 0) {
        return ENOENT;
    }
    stop_listening(net, forward);
    g_array_remove_index(net->forwards, (guint)index);
    return 0;
}

void user_net_request(UserNet *net, const NetRequest *request, NetReply *ret_reply)
{
    *ret_reply = (NetReply){ .error = EINVAL };
    if (request->kind == NET_FORWARD_ADD) {
        ret_reply->error = add_forward(net, &request->forward);
    } else if (request->kind == NET_FORWARD_REMOVE) {
        ret_reply->error = remove_forward(net, &request->forward);
    }
    g_strlcpy(ret_reply->text, g_strerror(ret_reply->error), sizeof(ret_reply->text));
}

/* --- from the guest --- */

static void refuse(UserNet *net, const uint8_t *frame, const FrameInfo *info)
{
    uint8_t answer[FRAME_MAX_HEADERS];
    size_t len = filter_refusal(frame, info, answer);

    net->stats.refused++;
    if (len) {
        frame_deliver(answer, len, net->config.mtu, net->offloads, emit, net);
    }
}

static void take_frame(UserNet *net, size_t got)
{
    uint8_t *frame = net->input + sizeof(NetHeader);
    size_t len = got - sizeof(NetHeader);
    NetHeader header;
    FrameInfo info;

    net->stats.from_guest++;
    memcpy(&header, net->input, sizeof(header));
    if (got < sizeof(header) + NET_MIN_FRAME || !net_header_ok(&header, len)) {
        net->stats.refused++;
        return;
    }
    net->offloads = header.buffers & NET_OFFLOAD_ALL;
    frame_parse(frame, len, &info);
    if (info.broken || (!net->config.host && !filter_allows(&net->filter, frame, &info))) {
        refuse(net, frame, &info);
        return;
    }
    frame_finish_checksum(frame, len, &header);
    frame_raise_mss(frame, &info);
    learn_address(net, frame, &info);
    slirp_input(net->slirp, frame, (int)len);
}

static void take_frames(UserNet *net)
{
    for (unsigned i = 0; i < BURST && !net->gone; i++) {
        ssize_t got = recv(net->frames, net->input, sizeof(net->input), MSG_DONTWAIT | MSG_TRUNC);
        if (got < 0 && errno != EINTR) {
            net->gone = errno != EAGAIN;
            return;
        }
        net->gone = got == 0;
        if (got > 0 && (size_t)got <= sizeof(net->input)) {
            take_frame(net, (size_t)got);
        }
    }
}

/* --- the loop --- */

static const struct {
    int slirp, poll;
} poll_bits[] = {
    { SLIRP_POLL_IN, POLLIN },   { SLIRP_POLL_OUT, POLLOUT }, { SLIRP_POLL_PRI, POLLPRI },
    { SLIRP_POLL_ERR, POLLERR }, { SLIRP_POLL_HUP, POLLHUP },
};

static int on_add_poll(int fd, int events, void *opaque)
{
    UserNet *net = opaque;
    struct pollfd poll_fd = { .fd = fd };

    for (unsigned i = 0; i < G_N_ELEMENTS(poll_bits); i++) {
        poll_fd.events |= (short)(events & poll_bits[i].slirp ? poll_bits[i].poll : 0);
    }
    g_array_append_val(net->polls, poll_fd);
    return (int)net->polls->len - 1;
}

static int on_get_revents(int index, void *opaque)
{
    UserNet *net = opaque;
    int revents = g_array_index(net->polls, struct pollfd, index).revents, result = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(poll_bits); i++) {
        result |= revents & poll_bits[i].poll ? poll_bits[i].slirp : 0;
    }
    return result;
}

bool user_net_step(UserNet *net, int control, bool *ret_control)
{
    enum { FRAMES, CONTROL, OURS };
    const struct pollfd ours[OURS] = {
        [FRAMES] = { .fd = net->frames,
                     .events = (short)(POLLIN | (net->waiting.length ? POLLOUT : 0)) },
        [CONTROL] = { .fd = control, .events = POLLIN },
    };
    /* While the guest doesn't take what it has been sent, nothing more is read for it. */
    bool sockets = net->waiting_bytes < NET_QUEUE_BYTES / 4;
    uint32_t timeout_ms = INT32_MAX;

    g_array_set_size(net->polls, 0);
    g_array_append_vals(net->polls, ours, OURS);
    if (sockets) {
        slirp_pollfds_fill(net->slirp, &timeout_ms, on_add_poll, net);
    }
    run_timers(net, &timeout_ms);
    struct pollfd *polls = (struct pollfd *)(void *)net->polls->data;
    int n = poll(polls, net->polls->len, timeout_ms >= INT32_MAX ? -1 : (int)timeout_ms);
    if (sockets) {
        slirp_pollfds_poll(net->slirp, n < 0, on_get_revents, net);
    }
    polls = (struct pollfd *)(void *)net->polls->data;
    *ret_control = n > 0 && polls[CONTROL].revents;
    if (n > 0 && (polls[FRAMES].revents & POLLOUT)) {
        send_waiting(net);
    }
    if (n > 0 && (polls[FRAMES].revents & ~POLLOUT)) {
        take_frames(net);
    }
    return !net->gone;
}

/* --- life --- */

/* The address that a NIC gives itself by its MAC (RFC 4291, appendix A), until we know better. */
static struct in6_addr usual_guest6(const uint8_t mac[6])
{
    struct in6_addr address = { 0 };
    uint8_t *b = address.s6_addr;

    memcpy(b, filter_prefix6, sizeof(filter_prefix6));
    const uint8_t id[] = { mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5] };
    memcpy(b + 8, id, sizeof(id));
    return address;
}

static struct in6_addr address6(uint8_t last)
{
    struct in6_addr address = { 0 };

    memcpy(address.s6_addr, filter_prefix6, sizeof(filter_prefix6));
    address.s6_addr[15] = last;
    return address;
}

static struct in_addr address4(uint32_t host_order)
{
    return (struct in_addr){ .s_addr = htonl(host_order) };
}

UserNet *user_net_new(const UserNetConfig *config, int frames)
{
    UserNet *net = g_new0(UserNet, 1);
    /* Its own segments are as long as can be: frame_deliver() cuts them if it must. */
    enum { LONGEST = 65521 };
    const SlirpConfig slirp = {
        .version = 1,
        .in_enabled = true,
        .vnetwork = address4(FILTER_NETWORK),
        .vnetmask = address4(FILTER_NETMASK),
        .vhost = address4(FILTER_NETWORK + FILTER_ROUTER),
        .in6_enabled = config->ipv6,
        .vprefix_addr6 = address6(0),
        .vprefix_len = 64,
        .vhost6 = address6(FILTER_ROUTER),
        .vdhcp_start = address4(FILTER_NETWORK + FILTER_GUEST),
        .vnameserver = address4(FILTER_NETWORK + FILTER_NAMES),
        .vnameserver6 = address6(FILTER_NAMES),
        .if_mtu = LONGEST,
        .if_mru = LONGEST,
        /* .disable_host_loopback would refuse answers to forwarded datagrams, too: filter.h */
    };

    net->config = *config;
    net->frames = frames;
    g_queue_init(&net->waiting);
    net->timers = g_ptr_array_new_with_free_func(g_free);
    net->polls = g_array_new(FALSE, FALSE, sizeof(struct pollfd));
    net->forwards = g_array_new(FALSE, FALSE, sizeof(NetForward));
    net->guest6 = usual_guest6(config->mac);
    net->slirp = slirp_new(&slirp, &callbacks, net);
    g_assert(net->slirp);
    return net;
}

void user_net_free(UserNet *net)
{
    if (!net) {
        return;
    }
    slirp_cleanup(net->slirp);
    g_queue_clear_full(&net->waiting, g_free);
    g_ptr_array_unref(net->timers);
    g_array_unref(net->polls);
    g_array_unref(net->forwards);
    g_free(net);
}

UserNetStats user_net_stats(const UserNet *net)
{
    return net->stats;
}
