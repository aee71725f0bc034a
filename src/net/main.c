/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Program insula-net: user-mode networking for one VM, in a process of its own that has the host's
 * network and nothing else.
 *
 * insula-vm starts it with two sockets, one for frames and one for requests.  The first requests
 * are forwards, so that ports below 1024 can be had by who may; then NET_LOCK, and it goes into
 * its jail.  It ends when the VM does: then the sockets are closed.
 *
 * Threads: main only.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/error.h"
#include "common/jail.h"
#include "net/limits.h"
#include "net/user.h"

#define RESOLV_CONF "/etc/resolv.conf"

enum { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

enum { NET_CALLS = 1, SANITIZER_CALLS = 2 };

/* All that libslirp, glibc's allocator and the loop need, once they have begun. */
static const JailCall calls[] = {
    /* sockets of the internet's alone */
    { SCMP_SYS(socket), NET_CALLS, .args = { { 0, JAIL_INT, AF_INET } } },
    { SCMP_SYS(socket), NET_CALLS, .args = { { 0, JAIL_INT, AF_INET6 } } },
    { SCMP_SYS(accept), NET_CALLS },
    { SCMP_SYS(accept4), NET_CALLS },
    { SCMP_SYS(bind), NET_CALLS },
    { SCMP_SYS(connect), NET_CALLS },
    { SCMP_SYS(getpeername), NET_CALLS },
    { SCMP_SYS(getsockname), NET_CALLS },
    { SCMP_SYS(getsockopt), NET_CALLS },
    { SCMP_SYS(listen), NET_CALLS },
    { SCMP_SYS(recvfrom), NET_CALLS },
    { SCMP_SYS(recvmsg), NET_CALLS },
    { SCMP_SYS(sendmsg), NET_CALLS },
    { SCMP_SYS(sendto), NET_CALLS },
    { SCMP_SYS(setsockopt), NET_CALLS },
    { SCMP_SYS(shutdown), NET_CALLS },
    { SCMP_SYS(ioctl), NET_CALLS, .args = { { 1, JAIL_INT, FIONREAD } } },
    { SCMP_SYS(ioctl), NET_CALLS, .args = { { 1, JAIL_INT, FIONBIO } } },
    { SCMP_SYS(fcntl), NET_CALLS, .args = { { 1, JAIL_INT, F_GETFL } } },
    { SCMP_SYS(fcntl), NET_CALLS, .args = { { 1, JAIL_INT, F_SETFL } } },
    { SCMP_SYS(fcntl), NET_CALLS, .args = { { 1, JAIL_INT, F_GETFD } } },
    { SCMP_SYS(fcntl), NET_CALLS, .args = { { 1, JAIL_INT, F_SETFD } } },
    { SCMP_SYS(close), NET_CALLS },
    { SCMP_SYS(poll), NET_CALLS },
    { SCMP_SYS(ppoll), NET_CALLS },
    { SCMP_SYS(read), NET_CALLS },
    { SCMP_SYS(readv), NET_CALLS },
    { SCMP_SYS(write), NET_CALLS },
    { SCMP_SYS(writev), NET_CALLS },
    /* the file of name servers, which is all that is there */
    { SCMP_SYS(openat), NET_CALLS, .args = { { 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY } } },
    { SCMP_SYS(fstat), NET_CALLS },
    { SCMP_SYS(newfstatat), NET_CALLS },
    { SCMP_SYS(lseek), NET_CALLS },
    /* time, memory, the end */
    { SCMP_SYS(clock_gettime), NET_CALLS },
    { SCMP_SYS(gettimeofday), NET_CALLS },
    { SCMP_SYS(getrandom), NET_CALLS },
    { SCMP_SYS(futex), NET_CALLS },
    { SCMP_SYS(brk), NET_CALLS },
    { SCMP_SYS(mmap), NET_CALLS, .args = { { 2, PROT_EXEC, 0 } } },
    { SCMP_SYS(mprotect), NET_CALLS, .args = { { 2, PROT_EXEC, 0 } } },
    { SCMP_SYS(mremap), NET_CALLS },
    { SCMP_SYS(munmap), NET_CALLS },
    { SCMP_SYS(madvise), NET_CALLS },
    { SCMP_SYS(restart_syscall), NET_CALLS },
    { SCMP_SYS(rt_sigreturn), NET_CALLS },
    { SCMP_SYS(exit), NET_CALLS },
    { SCMP_SYS(exit_group), NET_CALLS },
    /* what sanitizers do of themselves */
    { SCMP_SYS(sigaltstack), SANITIZER_CALLS },
    { SCMP_SYS(rt_sigprocmask), SANITIZER_CALLS },
    { SCMP_SYS(rt_sigaction), SANITIZER_CALLS },
};

typedef struct Options {
    int frames, control;
    UserNetConfig net;
} Options;

G_GNUC_PRINTF(1, 2)
static void complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    fprintf(stderr, "insula-net: %s\n", text);
}

/* --- options --- */

static bool parse_number(const char *text, unsigned max, unsigned *ret)
{
    guint64 value = 0;
    bool good = text && g_ascii_string_to_unsigned(text, 10, 0, max, &value, NULL);

    *ret = good ? (unsigned)value : *ret;
    return good;
}

static bool parse_mac(const char *text, uint8_t mac[6])
{
    unsigned b[6];
    char end;

    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &end) !=
        6) {
        return false;
    }
    for (unsigned i = 0; i < 6; i++) {
        mac[i] = (uint8_t)b[i];
    }
    return true;
}

static bool parse_options(int argc, char **argv, Options *options)
{
    enum { FRAMES = 256, CONTROL, HOST, NO_IPV6, MTU, MAC };
    static const struct option known[] = {
        { "frames", required_argument, NULL, FRAMES },
        { "control", required_argument, NULL, CONTROL },
        { "host", no_argument, NULL, HOST },
        { "no-ipv6", no_argument, NULL, NO_IPV6 },
        { "mtu", required_argument, NULL, MTU },
        { "mac", required_argument, NULL, MAC },
        { 0 },
    };
    unsigned frames = 0, control = 0;
    bool good = true;

    for (int c; good && (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        good = c == FRAMES    ? parse_number(optarg, INT_MAX, &frames)
               : c == CONTROL ? parse_number(optarg, INT_MAX, &control)
               : c == MTU     ? parse_number(optarg, NET_MAX_MTU, &options->net.mtu)
               : c == MAC     ? parse_mac(optarg, options->net.mac)
                              : c != '?';
        options->net.host |= c == HOST;
        options->net.ipv6 &= c != NO_IPV6;
    }
    options->frames = (int)frames;
    options->control = (int)control;
    if (!good || optind != argc || frames <= STDERR_FILENO || control <= STDERR_FILENO ||
        frames == control || options->net.mtu < NET_MIN_MTU) {
        complain("this program is started by insula-vm, with --frames FD --control FD [--mac MAC] "
                 "[--mtu N] [--host] [--no-ipv6]");
        return false;
    }
    return true;
}

static bool is_packet_socket(int fd)
{
    int type = 0;
    socklen_t len = sizeof(type);

    return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) && type == SOCK_SEQPACKET;
}

/* --- the jail --- */

/* What libslirp reads of resolv.conf: the lines that name servers. */
static char *name_servers(void)
{
    g_autoptr(GString) result = g_string_new(NULL);
    g_autofree char *text = g_malloc0(NET_MAX_RESOLV_CONF + 1);
    int fd = open(RESOLV_CONF, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t len = fd >= 0 ? read(fd, text, NET_MAX_RESOLV_CONF) : 0;
    unsigned n = 0;

    if (fd >= 0) {
        close(fd);
    }
    g_auto(GStrv) lines = g_strsplit(len > 0 ? text : "", "\n", -1);
    for (char **line = lines; *line && n < NET_MAX_NAME_SERVERS; line++) {
        g_auto(GStrv) words = g_strsplit_set(g_strstrip(*line), " \t", 2);
        if (words[0] && words[1] && !strcmp(words[0], "nameserver")) {
            g_string_append_printf(result, "nameserver %s\n", g_strstrip(words[1]));
            n++;
        }
    }
    return g_strdup(result->str);
}

static void go_into_jail(NetReply *reply)
{
    g_autofree char *servers = name_servers();
    const JailFile files[] = { { RESOLV_CONF, servers }, { 0 } };
    const JailSpec spec = {
        .files = files,
        .calls = calls,
        .n_calls = G_N_ELEMENTS(calls),
        .kinds = NET_CALLS | (INSULA_SANITIZED ? SANITIZER_CALLS : 0),
        .max_descriptors = NET_MAX_DESCRIPTORS,
        .max_memory = NET_MAX_MEMORY,
    };
    g_autofree char *missing = NULL;
    g_autoptr(GError) error = NULL;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++) {
        dup2(null, fd); /* nobody reads what a broken process would say */
    }
    if (null > STDERR_FILENO) {
        close(null);
    }
    *reply = (NetReply){ 0 };
    if (!jail_enter(&spec, &missing, &error)) {
        reply->error = EPERM;
        g_strlcpy(reply->text, error->message, sizeof(reply->text));
    } else if (missing) {
        g_strlcpy(reply->text, missing, sizeof(reply->text));
    }
}

/* --- requests --- */

/* Serve a request; false: the VM has gone, or talks nonsense. */
static bool serve_request(UserNet *net, int control, bool *locked)
{
    NetRequest request;
    NetReply reply;
    ssize_t got = recv(control, &request, sizeof(request), MSG_TRUNC);

    if (got != sizeof(request)) {
        return got < 0 && (errno == EINTR || errno == EAGAIN);
    }
    if (request.kind == NET_LOCK && !*locked) {
        go_into_jail(&reply);
        *locked = true;
    } else {
        user_net_request(net, &request, &reply);
    }
    return send(control, &reply, sizeof(reply), MSG_NOSIGNAL) == sizeof(reply) &&
           !(request.kind == NET_LOCK && reply.error);
}

static int serve(const Options *options)
{
    g_autoptr(UserNet) net = user_net_new(&options->net, options->frames);
    bool locked = false, control = true, goes_on = true;

    while (goes_on && !locked) {
        goes_on = serve_request(net, options->control, &locked);
    }
    while (goes_on) {
        goes_on = user_net_step(net, options->control, &control);
        if (goes_on && control) {
            goes_on = serve_request(net, options->control, &locked);
        }
    }
    return STATUS_DONE;
}

/* Whatever else whoever started us has left open. */
static void close_others(const Options *options)
{
    unsigned low = (unsigned)MIN(options->frames, options->control);
    unsigned high = (unsigned)MAX(options->frames, options->control);

    close_range(STDERR_FILENO + 1, low - 1, 0);
    close_range(low + 1, high - 1, 0);
    close_range(high + 1, ~0U, 0);
}

int main(int argc, char **argv)
{
    Options options = { .net = { .ipv6 = true, .mtu = NET_USUAL_MTU } };

    if (!parse_options(argc, argv, &options)) {
        return STATUS_USAGE;
    }
    if (!is_packet_socket(options.frames) || !is_packet_socket(options.control)) {
        complain("--frames and --control must be sockets of sequenced packets");
        return STATUS_USAGE;
    }
    close_others(&options);
    prctl(PR_SET_NAME, "insula-net", 0, 0, 0);
    return serve(&options);
}
