/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network of the machine's, see network.h.
 */
#include "vm/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/error.h"
#include "common/program.h"
#include "net/message.h"
#include "vm/report.h"

/* Descriptors in insula-net, and the lowest number that ours get, so that they are others. */
enum { CHILD_FRAMES = 3, CHILD_CONTROL = 4, FIRST_FREE = 10 };
/* How long insula-net may take for an answer or for its end. */
enum { PATIENCE_MS = 5000 };

struct Network {
    NetPort *port;
    pid_t child; /* insula-net, or 0 */
    guint watch; /* of .child */
    int control; /* our end, or -1 */
};

/* --- the process --- */

static void on_child(GPid pid, gint status, gpointer opaque)
{
    Network *network = opaque;

    network->child = 0;
    network->watch = 0;
    if (WIFSIGNALED(status)) {
        report("insula-net was ended by signal %d (%s): the guest has no network any more",
               WTERMSIG(status), g_strsignal(WTERMSIG(status)));
    } else {
        report("insula-net ended with status %d: the guest has no network any more",
               WEXITSTATUS(status));
    }
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

static char **child_words(const char *path, const NetConfig *config, const uint8_t mac[6])
{
    g_autoptr(GStrvBuilder) words = g_strv_builder_new();
    g_autofree char *mtu = g_strdup_printf("--mtu=%u", config->mtu ? config->mtu : NET_USUAL_MTU);
    g_autofree char *mac_word = g_strdup_printf("--mac=%02x:%02x:%02x:%02x:%02x:%02x", mac[0],
                                                mac[1], mac[2], mac[3], mac[4], mac[5]);
    g_autofree char *frames = g_strdup_printf("--frames=%d", CHILD_FRAMES);
    g_autofree char *control = g_strdup_printf("--control=%d", CHILD_CONTROL);

    g_strv_builder_add_many(words, path, frames, control, mtu, mac_word, NULL);
    if (config->host) {
        g_strv_builder_add(words, "--host");
    }
    if (config->no_ipv6) {
        g_strv_builder_add(words, "--no-ipv6");
    }
    return g_strv_builder_end(words);
}

/* Start insula-net with @frames and @control. */
static bool spawn(Network *network, const NetConfig *config, const uint8_t mac[6], int frames,
                  int control, GError **error)
{
    g_autofree char *path = program_find("insula-net", "net");
    char *const environment[] = { NULL };
    posix_spawn_file_actions_t actions;

    if (!path) {
        set_error(error, "cannot find program 'insula-net' beside insula-vm; install it there, or "
                         "do without it by --net none");
        return false;
    }
    g_auto(GStrv) words = child_words(path, config, mac);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, frames, CHILD_FRAMES);
    posix_spawn_file_actions_adddup2(&actions, control, CHILD_CONTROL);
    int err = posix_spawn(&network->child, path, &actions, NULL, words, environment);
    posix_spawn_file_actions_destroy(&actions);
    if (err) {
        network->child = 0;
        set_error_errno(error, err, "cannot run '%s'", path);
        return false;
    }
    network->watch = g_child_watch_add(network->child, on_child, network);
    return true;
}

static bool start_user(Network *network, const NetConfig *config, const uint8_t mac[6],
                       GError **error)
{
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
    bool good = spawn(network, config, mac, frames[1], control[1], error);
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

Network *network_new(const NetConfig *config, const uint8_t mac[6], GError **error)
{
    g_autoptr(Network) network = g_new0(Network, 1);

    network->control = -1;
    if (config->kind == NET_USER) {
        return start_user(network, config, mac, error) ? g_steal_pointer(&network) : NULL;
    }
    network->port = net_port_new(NET_PORT_TAP, config->fd, "--net tap", error);
    return network->port ? g_steal_pointer(&network) : NULL;
}

/* It has seen its sockets close; one that doesn't end is not waited for. */
static void end_child(pid_t child)
{
    const struct timespec step = { .tv_nsec = 5 * 1000 * 1000 };

    for (unsigned ms = 0; ms < PATIENCE_MS / 5; ms += 5) {
        if (waitpid(child, NULL, WNOHANG) != 0) {
            return;
        }
        nanosleep(&step, NULL);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
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
        end_child(network->child);
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
