/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A NIC's plug into a network, see port.h.
 *
 * A tap device is told by ioctl() what it may leave to us; over a socket each frame that we send
 * says so in its header, where .buffers means nothing in that direction.
 */
#include "net/port.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/error.h"

/* A chain of virtio's longest, and the header. */
enum { MAX_PARTS = 257 };

struct NetPort {
    NetPortKind kind;
    int fd;
    bool headers;      /* stand before frames */
    unsigned offloads; /* that may be left to us */
};

/* --- checks --- */

bool net_header_ok(const NetHeader *header, size_t len)
{
    uint8_t gso = header->gso_type & ~NET_GSO_ECN;
    size_t sum_end = (size_t)header->csum_start + header->csum_offset + 2;

    if (header->flags & ~(NET_HEADER_NEEDS_CSUM | NET_HEADER_DATA_VALID)) {
        return false;
    }
    if ((header->flags & NET_HEADER_NEEDS_CSUM) && sum_end > len) {
        return false;
    }
    if (gso == NET_GSO_NONE) {
        return header->gso_type == NET_GSO_NONE;
    }
    return (gso == NET_GSO_TCP4 || gso == NET_GSO_TCP6) && header->gso_size &&
           (header->flags & NET_HEADER_NEEDS_CSUM);
}

static bool check_tap(NetPort *port, const char *what, GError **error)
{
    struct ifreq request = { 0 };
    int size = sizeof(NetHeader);

    if (ioctl(port->fd, TUNGETIFF, &request)) {
        set_error_errno(error, errno, "%s: descriptor %d is no tap device", what, port->fd);
        return false;
    }
    if (!(request.ifr_flags & IFF_TAP) || !(request.ifr_flags & IFF_NO_PI)) {
        set_error(error,
                  "%s: descriptor %d must be a tap device without packet information: open it with "
                  "IFF_TAP and IFF_NO_PI",
                  what, port->fd);
        return false;
    }
    port->headers = request.ifr_flags & IFF_VNET_HDR;
    if (port->headers && ioctl(port->fd, TUNSETVNETHDRSZ, &size)) {
        set_error_errno(error, errno, "%s: tap device '%s' can't have headers of %d bytes", what,
                        request.ifr_name, size);
        return false;
    }
    return true;
}

static bool check_socket(NetPort *port, const char *what, GError **error)
{
    int type = 0, domain = 0;
    socklen_t len = sizeof(type);

    if (getsockopt(port->fd, SOL_SOCKET, SO_TYPE, &type, &len) ||
        getsockopt(port->fd, SOL_SOCKET, SO_DOMAIN, &domain, &len)) {
        set_error_errno(error, errno, "%s: descriptor %d is no socket", what, port->fd);
        return false;
    }
    if (type != SOCK_SEQPACKET || domain != AF_UNIX) {
        set_error(error, "%s: descriptor %d must be a unix socket of sequenced packets", what,
                  port->fd);
        return false;
    }
    port->headers = true;
    return true;
}

NetPort *net_port_new(NetPortKind kind, int fd, const char *what, GError **error)
{
    NetPort port = { .kind = kind, .fd = fd };
    bool good =
        kind == NET_PORT_TAP ? check_tap(&port, what, error) : check_socket(&port, what, error);
    int flags = good ? fcntl(fd, F_GETFL) : -1;

    if (!good) {
        return NULL;
    }
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC)) {
        set_error_errno(error, errno, "%s: descriptor %d can't be made non-blocking", what, fd);
        return NULL;
    }
    NetPort *result = g_memdup2(&port, sizeof(port));
    net_port_set_offloads(result, 0);
    return result;
}

void net_port_free(NetPort *port)
{
    if (port) {
        close(port->fd);
        g_free(port);
    }
}

int net_port_fd(const NetPort *port)
{
    return port->fd;
}

unsigned net_port_offloads(const NetPort *port)
{
    return port->headers ? NET_OFFLOAD_ALL : 0;
}

void net_port_set_offloads(NetPort *port, unsigned offloads)
{
    unsigned tap = (offloads & NET_OFFLOAD_CSUM ? TUN_F_CSUM : 0) |
                   (offloads & NET_OFFLOAD_TSO4 ? TUN_F_TSO4 : 0) |
                   (offloads & NET_OFFLOAD_TSO6 ? TUN_F_TSO6 : 0);

    port->offloads = offloads;
    if (port->headers && port->kind == NET_PORT_TAP) {
        /* one that can't goes on sending whole frames, which is as well */
        int ignored = ioctl(port->fd, TUNSETOFFLOAD, tap);
        (void)ignored;
    }
}

/* --- frames --- */

int net_port_send(NetPort *port, const NetHeader *header, const struct iovec *iov, unsigned n)
{
    struct iovec parts[MAX_PARTS];
    NetHeader copy = *header; /* the guest may change its own at any time */
    unsigned skip = port->headers ? 1 : 0;
    size_t len = 0;

    if (n >= MAX_PARTS) {
        return -EINVAL;
    }
    for (unsigned i = 0; i < n; i++) {
        len += iov[i].iov_len;
        parts[skip + i] = iov[i];
    }
    if (len < NET_MIN_FRAME || len > NET_MAX_FRAME || !net_header_ok(&copy, len) ||
        (!port->headers && (copy.flags & NET_HEADER_NEEDS_CSUM))) {
        return -EINVAL;
    }
    copy.buffers = port->kind == NET_PORT_SOCKET ? (uint16_t)port->offloads : 0;
    parts[0] = skip ? (struct iovec){ &copy, sizeof(copy) } : parts[0];
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = n + skip };
    ssize_t sent;
    do {
        sent = port->kind == NET_PORT_TAP ? writev(port->fd, parts, (int)(n + skip))
                                          : sendmsg(port->fd, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

/* What recvmsg() or readv() gave, as net_port_receive() says it. */
static ssize_t received(const NetPort *port, ssize_t got, size_t before, bool cut)
{
    if (got < 0) {
        return errno == ECONNRESET || errno == ENOTCONN ? -EPIPE : -errno;
    }
    if (got == 0) {
        return -EPIPE;
    }
    if (cut) {
        return -EMSGSIZE;
    }
    return (size_t)got < before + NET_MIN_FRAME ? -EINVAL : got - (ssize_t)before;
}

ssize_t net_port_receive(NetPort *port, NetHeader *header, void *frame, size_t size)
{
    struct iovec parts[] = { { header, sizeof(*header) }, { frame, size } };
    unsigned skip = port->headers ? 0 : 1;
    size_t before = port->headers ? sizeof(*header) : 0;
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
    ssize_t got;

    memset(header, 0, sizeof(*header));
    do {
        got = port->kind == NET_PORT_TAP ? readv(port->fd, parts + skip, (int)(2 - skip))
                                         : recvmsg(port->fd, &message, 0);
    } while (got < 0 && errno == EINTR);
    bool cut = port->kind == NET_PORT_SOCKET && got > 0 && (message.msg_flags & MSG_TRUNC);
    ssize_t len = received(port, got, before, cut);
    return len > 0 && !net_header_ok(header, (size_t)len) ? -EINVAL : len;
}
