/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network of the machine's, see network.h.
 */
#include "vm/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/error.h"
#include "net/message.h"
#include "vm/net_helper.h"
#include "vm/outside.h"
#include "vm/report.h"

/* The lowest number that sockets for insula-net get, so that they are others than it knows. */
enum { FIRST_FREE = 10 };
/* How long insula-net may take for an answer. */
enum { PATIENCE_MS = 5000 };

struct Network {
    NetPort *port;
    pid_t child; /* insula-net, if it is ours to wait for, or 0 */
    guint watch; /* of .control: insula-net closes it when it ends */
    int control; /* our end, or -1 */
};

/* --- the process --- */

static gboolean on_end(gint fd, GIOCondition condition, gpointer opaque)
{
    Network *network = opaque;

    network->watch = 0;
    report("insula-net has ended: the guest has no network any more");
    return G_SOURCE_REMOVE;
}

/* A pair of sockets: ours, and the one for the child, both with high numbers. */
static bool make_pair(int fds[2], GError **error)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
        set_error_errno(error, errno, "cannot make a socket pair for insula-net");
        return false;
    }
    for (unsigned i = 0; i < 2; i++) {
        fds[i] = fcntl(pair[i], F_DUPFD_CLOEXEC, FIRST_FREE);
        close(pair[i]);
    }
    if (fds[0] < 0 || fds[1] < 0) {
        set_error_errno(error, errno, "cannot make a socket pair for insula-net");
        close(fds[0]);
        close(fds[1]);
        return false;
    }
    return true;
}

/* Start insula-net with @frames and @control, or have it started. */
static bool start(Network *network, const NetHelper *helper, Outside *outside, int frames,
                  int control, GError **error)
{
    pid_t pid = outside ? outside_start_net(outside, helper, frames, control)
                        : net_helper_start(helper, frames, control);

    if (pid == -ENOENT) {
        set_error(error, "cannot find program 'insula-net' beside insula-vm; install it there, or "
                         "do without it by --net none");
    } else if (pid == -EPERM && outside) {
        set_error(error, "the machine was started without a user network, and its sandbox lets it "
                         "have none now; start it with --net user, or --sandbox off");
    } else if (pid < 0) {
        set_error_errno(error, -pid, "cannot run insula-net");
    } else {
        network->child = outside ? 0 : pid;
        network->watch = g_unix_fd_add(network->control, G_IO_HUP, on_end, network);
    }
    return pid >= 0;
}

static bool start_user(Network *network, const NetConfig *config, const uint8_t mac[6],
                       Outside *outside, GError **error)
{
    NetHelper helper = { .mtu = (uint16_t)config->mtu,
                         .host = config->host,
                         .no_ipv6 = config->no_ipv6 };
    const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
    int frames[2], control[2];

    if (!make_pair(frames, error)) {
        return false;
    }
    if (!make_pair(control, error)) {
        close(frames[0]);
        close(frames[1]);
        return false;
    }
    network->control = control[0];
    setsockopt(control[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    memcpy(helper.mac, mac, sizeof(helper.mac));
    bool good = start(network, &helper, outside, frames[1], control[1], error);
    close(frames[1]);
    close(control[1]);
    network->port = good ? net_port_new(NET_PORT_SOCKET, frames[0], "--net user", error) : NULL;
    if (!network->port) {
        close(frames[0]);
    }
    return network->port != NULL;
}

/* --- requests --- */

static bool ask(Network *network, const NetRequest *request, NetReply *ret_reply, GError **error)
{
    /* the kernel interrupts who waits with a limit, when it takes a ring of io_uring apart */
    if (TEMP_FAILURE_RETRY(send(network->control, request, sizeof(*request), MSG_NOSIGNAL)) !=
            sizeof(*request) ||
        TEMP_FAILURE_RETRY(recv(network->control, ret_reply, sizeof(*ret_reply), MSG_TRUNC)) !=
            sizeof(*ret_reply)) {
        set_error(error, "insula-net doesn't answer: the guest has no network");
        return false;
    }
    ret_reply->text[sizeof(ret_reply->text) - 1] = '\0';
    return true;
}

/* @text is of the right family (config/net.h). */
static NetAddress to_address(const char *text, bool ipv6, uint16_t port)
{
    NetAddress address = { .port = port };

    if (text) {
        address.family = ipv6 ? AF_INET6 : AF_INET;
        int good = inet_pton(address.family, text, address.bytes);
        g_assert(good == 1);
    }
    return address;
}

static const char *remedy(int err)
{
    switch (err) {
    case EADDRINUSE:
        return "; choose another port of the host's";
    case EACCES:
        return "; ports below 1024 are for root, choose a higher one";
    case EADDRNOTAVAIL:
        return "; that is no address of this host's";
    default:
        return "";
    }
}

bool network_forward(Network *network, const ForwardConfig *forward, bool add, GError **error)
{
    const NetRequest request = {
        .kind = add ? NET_FORWARD_ADD : NET_FORWARD_REMOVE,
        .forward = {
            .udp = forward->udp,
            .host = to_address(forward->host, forward->ipv6, forward->host_port),
            .guest = to_address(forward->guest, forward->ipv6, forward->guest_port),
        },
    };
    NetReply reply;

    if (!ask(network, &request, &reply, error)) {
        return false;
    }
    if (reply.error) {
        set_error(error, "cannot %s %s port %u of %s: %s%s", add ? "forward" : "stop forwarding",
                  forward->udp ? "UDP" : "TCP", forward->host_port, forward->host,
                  g_strerror(reply.error), add ? remedy(reply.error) : "");
        return false;
    }
    return true;
}

bool network_begin(Network *network, GError **error)
{
    const NetRequest request = { .kind = NET_LOCK };
    NetReply reply;

    if (!network_is_user(network)) {
        return true;
    }
    if (!ask(network, &request, &reply, error)) {
        return false;
    }
    if (reply.error) {
        set_error(error, "insula-net cannot lock itself in: %s", reply.text);
        return false;
    }
    if (*reply.text) {
        report("insula-net is less locked in than it could be here: without %s", reply.text);
    }
    return true;
}

/* --- life --- */

Network *network_new(const NetConfig *config, const uint8_t mac[6], Outside *outside,
                     GError **error)
{
    g_autoptr(Network) network = g_new0(Network, 1);

    network->control = -1;
    if (config->kind == NET_USER) {
        return start_user(network, config, mac, outside, error) ? g_steal_pointer(&network) : NULL;
    }
    network->port = net_port_new(NET_PORT_TAP, config->fd, "--net tap", error);
    return network->port ? g_steal_pointer(&network) : NULL;
}

void network_free(Network *network)
{
    if (!network) {
        return;
    }
    if (network->watch) {
        g_source_remove(network->watch);
    }
    net_port_free(network->port);
    if (network->control >= 0) {
        close(network->control);
    }
    if (network->child) {
        net_helper_end(network->child);
    }
    g_free(network);
}

NetPort *network_port(Network *network)
{
    return network->port;
}

bool network_is_user(const Network *network)
{
    return network->control >= 0;
}
