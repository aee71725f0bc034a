/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients of the control channel, see qmp_server.h.
 */
#include "vm/qmp_server.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/error.h"
#include "vm/listen.h"

enum {
    READ_CHUNK = 4096,
    FDS_AT_ONCE = 16,
    OUTPUT_PAUSE = 262144, /* beyond it nothing is read: the peer must take answers first */
    OUTPUT_MAX = 16 << 20, /* beyond it (events alone come so far) the peer is gone */
    LAST_WORDS_MS = 1000,
};

typedef struct Client {
    QmpServer *server;
    QmpSession *session; /* NULL: nobody */
    int fd;
    guint read_source, write_source;
} Client;

struct QmpServer {
    /* fixed after create */
    char *path;    /* of the socket; NULL: it was passed */
    int listening; /* or -1: the one client was passed */
    const QmpTable *table;
    void *opaque;
    /* main thread only */
    guint listen_source;
    Client clients[QMP_CLIENTS];
};

static void listen_on(QmpServer *server);

static void hang_up(Client *client)
{
    g_clear_handle_id(&client->read_source, g_source_remove);
    g_clear_handle_id(&client->write_source, g_source_remove);
    g_clear_pointer(&client->session, qmp_session_free);
    close(client->fd);
    listen_on(client->server);
}

/* Send what the client takes now; false: it is gone. */
static bool send_some(Client *client)
{
    GString *out = qmp_session_output(client->session);

    while (out->len) {
        ssize_t n = send(client->fd, out->str, out->len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return false;
        }
        if (n <= 0) {
            break;
        }
        g_string_erase(out, 0, n);
    }
    return out->len <= OUTPUT_MAX;
}

static gboolean on_writable(gint fd, GIOCondition condition, gpointer data);
static gboolean on_readable(gint fd, GIOCondition condition, gpointer data);

/* Send, and wait for what comes next. */
static void go_on(Client *client)
{
    if (!send_some(client)) {
        hang_up(client);
        return;
    }
    size_t waiting = qmp_session_output(client->session)->len;
    if (waiting && !client->write_source) {
        client->write_source = g_unix_fd_add(client->fd, G_IO_OUT, on_writable, client);
    }
    if (waiting > OUTPUT_PAUSE) {
        g_clear_handle_id(&client->read_source, g_source_remove);
    } else if (!client->read_source) {
        client->read_source = g_unix_fd_add(client->fd, G_IO_IN | G_IO_HUP, on_readable, client);
    }
}

static gboolean on_writable(gint fd, GIOCondition condition, gpointer data)
{
    Client *client = data;

    client->write_source = 0;
    go_on(client);
    return G_SOURCE_REMOVE;
}

static void keep_fds(Client *client, struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            qmp_session_add_fd(client->session, fd);
        }
    }
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data)
{
    Client *client = data;
    uint8_t bytes[READ_CHUNK];
    union {
        char room[CMSG_SPACE(FDS_AT_ONCE * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = { bytes, sizeof(bytes) };
    struct msghdr message = { .msg_iov = &iov,
                              .msg_iovlen = 1,
                              .msg_control = control.room,
                              .msg_controllen = sizeof(control.room) };
    ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (n > 0) {
        keep_fds(client, &message);
        client->read_source = 0;
        qmp_session_input(client->session, bytes, (size_t)n);
        go_on(client);
        return G_SOURCE_REMOVE;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return G_SOURCE_CONTINUE;
    }
    client->read_source = 0;
    hang_up(client);
    return G_SOURCE_REMOVE;
}

/* The first place that nobody has, or NULL. */
static Client *free_place(QmpServer *server)
{
    for (unsigned i = 0; i < QMP_CLIENTS; i++) {
        if (!server->clients[i].session) {
            return &server->clients[i];
        }
    }
    return NULL;
}

static void begin(QmpServer *server, int fd)
{
    Client *client = free_place(server);

    *client = (Client){ .server = server, .fd = fd };
    client->session = qmp_session_new(server->table, server->opaque);
    go_on(client);
}

static gboolean on_connection(gint fd, GIOCondition condition, gpointer data)
{
    QmpServer *server = data;
    int client = listen_accept(fd);

    server->listen_source = 0;
    if (client >= 0) {
        begin(server, client);
    }
    listen_on(server);
    return G_SOURCE_REMOVE;
}

static void listen_on(QmpServer *server)
{
    if (server->listening >= 0 && !server->listen_source && free_place(server)) {
        server->listen_source = g_unix_fd_add(server->listening, G_IO_IN, on_connection, server);
    }
}

/* A socket that was passed: one that listens, or a client's. */
static bool take_passed(QmpServer *server, int fd, GError **error)
{
    int listens = 0;
    socklen_t len = sizeof(listens);

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0) {
        set_error_errno(error, errno, "--qmp: descriptor %d is no socket", fd);
        return false;
    }
    if (!g_unix_set_fd_nonblocking(fd, TRUE, error)) {
        return false;
    }
    if (listens) {
        server->listening = fd;
    } else {
        begin(server, fd);
    }
    return true;
}

QmpServer *qmp_server_new(const QmpConfig *config, const QmpTable *table, void *opaque,
                          GError **error)
{
    g_autoptr(QmpServer) server = g_new0(QmpServer, 1);

    server->table = table;
    server->opaque = opaque;
    server->listening = -1;
    if (!config->path) {
        if (!take_passed(server, config->fd, error)) {
            return NULL;
        }
    } else {
        server->listening = listen_unix(config->path, "--qmp", error);
        if (server->listening < 0) {
            return NULL;
        }
        server->path = g_strdup(config->path);
    }
    listen_on(server);
    return g_steal_pointer(&server);
}

/* Wait a moment for a client that is to be told of the end. */
static void send_rest(Client *client)
{
    int64_t until_us = g_get_monotonic_time() + LAST_WORDS_MS * 1000;

    while (send_some(client) && qmp_session_output(client->session)->len &&
           g_get_monotonic_time() < until_us) {
        struct pollfd wait = { .fd = client->fd, .events = POLLOUT };
        poll(&wait, 1, LAST_WORDS_MS / 10);
    }
}

void qmp_server_free(QmpServer *server)
{
    if (!server) {
        return;
    }
    g_clear_handle_id(&server->listen_source, g_source_remove);
    if (server->listening >= 0) {
        close(server->listening);
        server->listening = -1;
    }
    for (unsigned i = 0; i < QMP_CLIENTS; i++) {
        if (server->clients[i].session) {
            send_rest(&server->clients[i]);
            hang_up(&server->clients[i]);
        }
    }
    if (server->path) {
        unlink(server->path);
    }
    g_free(server->path);
    g_free(server);
}

void qmp_server_event(QmpServer *server, const char *name, JsonNode *data)
{
    for (unsigned i = 0; i < QMP_CLIENTS; i++) {
        if (server->clients[i].session) {
            qmp_session_event(server->clients[i].session, name, data);
            go_on(&server->clients[i]);
        }
    }
    g_clear_pointer(&data, json_node_unref);
}
