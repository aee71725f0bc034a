/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sockets that clients come by, see server.h.
 */
#include "manager/server.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/error.h"
#include "manager/call.h"
#include "manager/client.h"
#include "manager/limits.h"
#include "manager/sockets.h"

/* A socket that clients come by.  epoll's data points here, or to a Client: .tag tells. */
struct Listener {
    int fd;
    bool read_only;
    bool open;        /* epoll watches it */
    unsigned clients; /* that came by it and are here */
    unsigned strangers;
    char *path; /* to remove at the end; NULL: not ours */
};

enum { LISTENERS_MAX = 2, AT_ONCE = 64 };

struct Server {
    Daemon *daemon;
    int epoll;
    guint source, timer;
    Workers *workers;
    Listener listeners[LISTENERS_MAX];
    unsigned n_listeners;
    GHashTable *clients; /* of Client, each a reference */
    int64_t left_us;     /* when the last one left */
    size_t unread;
    int streams; /* atomic */
};

static void watch_listeners(Server *server);

Workers *server_workers(const Server *server)
{
    return server->workers;
}

void server_watch(Server *server, Client *client, int fd, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = client };

    (void)epoll_ctl(server->epoll, EPOLL_CTL_MOD, fd, &event);
}

bool server_count_unread(Server *server, size_t *counted, size_t now)
{
    server->unread += now - *counted;
    *counted = now;
    return server->unread <= UNREAD_MAX;
}

bool server_count_stream(Server *server, int change)
{
    const int before = g_atomic_int_add(&server->streams, change);

    if (change > 0 && before >= STREAMS_ALL_MAX) {
        g_atomic_int_add(&server->streams, -change);
        return false;
    }
    return true;
}

void server_welcome(Server *server, Client *client)
{
    client->listener->strangers--;
    watch_listeners(server);
}

static void drop(Server *server, Client *client)
{
    Listener *listener = client->listener;

    if (!g_hash_table_contains(server->clients, client)) {
        return;
    }
    client_close(client);
    listener->clients--;
    if (!client->who.opened) {
        listener->strangers--;
    }
    server->left_us = g_get_monotonic_time();
    g_hash_table_remove(server->clients, client);
    watch_listeners(server);
}

static gboolean on_tick(gpointer data)
{
    Server *server = data;
    const int64_t now_us = g_get_monotonic_time();
    g_autoptr(GPtrArray) gone = g_ptr_array_new();
    GHashTableIter iter;
    gpointer key;

    g_hash_table_iter_init(&iter, server->clients);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        if (!client_tick(key, now_us)) {
            g_ptr_array_add(gone, key);
        }
    }
    for (unsigned i = 0; i < gone->len; i++) {
        drop(server, g_ptr_array_index(gone, i));
    }
    if (g_hash_table_size(server->clients) == 0) {
        server->timer = 0;
        return G_SOURCE_REMOVE; /* who serves nobody shall sleep */
    }
    return G_SOURCE_CONTINUE;
}

/* True if another client may come by @listener. */
static bool has_room(const Server *server, const Listener *listener)
{
    return g_hash_table_size(server->clients) < CLIENTS_MAX &&
           listener->strangers < STRANGERS_MAX &&
           (!listener->read_only || listener->clients < CLIENTS_READ_ONLY_MAX);
}

/* Who can't be served yet waits in the socket's own queue. */
static void watch_listeners(Server *server)
{
    for (unsigned i = 0; i < server->n_listeners; i++) {
        Listener *listener = &server->listeners[i];
        const bool open = has_room(server, listener);
        struct epoll_event event = { .events = open ? EPOLLIN : 0, .data.ptr = listener };
        if (open != listener->open) {
            listener->open = open;
            (void)epoll_ctl(server->epoll, EPOLL_CTL_MOD, listener->fd, &event);
        }
    }
}

/* A daemon of a user is his alone, whatever the folder's mode says. */
static bool is_welcome(const Server *server, const Client *client)
{
    return server->daemon->privileged || client->uid == geteuid() || client->uid == 0;
}

static void accept_one(Server *server, Listener *listener)
{
    const int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0) {
        return; /* it went again, or descriptors ran out: then those who leave make room */
    }
    Client *client = client_new(server->daemon, listener, fd, listener->read_only);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = client };
    if (!is_welcome(server, client) || epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        client_close(client);
        client_unref(client);
        return;
    }
    g_hash_table_add(server->clients, client);
    listener->clients++;
    listener->strangers++;
    watch_listeners(server);
    if (server->timer == 0) {
        server->timer = g_timeout_add_seconds(KEEPALIVE_SECONDS, on_tick, server);
    }
}

static bool is_listener(const Server *server, const void *pointer)
{
    for (unsigned i = 0; i < server->n_listeners; i++) {
        if (pointer == &server->listeners[i]) {
            return true;
        }
    }
    return false;
}

static gboolean on_ready(gint fd, GIOCondition condition, gpointer data)
{
    Server *server = data;
    struct epoll_event events[AT_ONCE];
    const int n = epoll_wait(fd, events, AT_ONCE, 0);

    for (int i = 0; i < n; i++) {
        void *pointer = events[i].data.ptr;
        if (is_listener(server, pointer)) {
            accept_one(server, pointer);
        } else if (!client_ready(pointer, events[i].events)) {
            drop(server, pointer);
        }
    }
    return G_SOURCE_CONTINUE;
}

static gboolean on_resume(gpointer data)
{
    Client *client = data;

    if (!client_resume(client)) {
        drop(client->daemon->server, client);
    }
    return G_SOURCE_REMOVE;
}

void server_resume(Server *server, Client *client)
{
    g_idle_add_full(G_PRIORITY_DEFAULT, on_resume, client_ref(client),
                    (GDestroyNotify)client_unref);
}

Server *server_new(Daemon *daemon, GError **error)
{
    const int epoll = epoll_create1(EPOLL_CLOEXEC);

    if (epoll < 0) {
        set_error_errno(error, errno, "cannot watch sockets");
        return NULL;
    }
    Server *server = g_new0(Server, 1);
    server->daemon = daemon;
    server->epoll = epoll;
    server->workers = workers_new();
    server->clients = g_hash_table_new_full(NULL, NULL, (GDestroyNotify)client_unref, NULL);
    server->left_us = g_get_monotonic_time();
    server->source = g_unix_fd_add(epoll, G_IO_IN, on_ready, server);
    return server;
}

bool server_listen(Server *server, GError **error)
{
    Socket sockets[LISTENERS_MAX];
    const unsigned n = sockets_open(&server->daemon->paths, server->daemon->privileged, sockets,
                                    LISTENERS_MAX, error);

    for (unsigned i = 0; i < n; i++) {
        Listener *listener = &server->listeners[i];
        *listener = (Listener){ .fd = sockets[i].fd,
                                .read_only = sockets[i].read_only,
                                .open = true,
                                .path = sockets[i].path };
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = listener };
        server->n_listeners++;
        if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, listener->fd, &event) != 0) {
            set_error_errno(error, errno, "cannot watch a socket");
            return false;
        }
    }
    return n > 0;
}

bool server_is_idle(const Server *server, int64_t since_us)
{
    return g_hash_table_size(server->clients) == 0 && server->left_us <= since_us;
}

/* Streams end by themselves once their clients have gone; they know the server until then. */
static void wait_for_streams(Server *server)
{
    while (g_atomic_int_get(&server->streams) > 0) {
        g_usleep(1000);
    }
}

void server_free(Server *server)
{
    GHashTableIter iter;
    gpointer key;

    g_clear_handle_id(&server->source, g_source_remove);
    g_clear_handle_id(&server->timer, g_source_remove);
    for (unsigned i = 0; i < server->n_listeners; i++) {
        Listener *listener = &server->listeners[i];
        if (listener->path) {
            (void)unlink(listener->path);
        }
        close(listener->fd);
        g_free(listener->path);
    }
    server->n_listeners = 0;
    g_hash_table_iter_init(&iter, server->clients);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        client_close(key);
    }
    workers_free(server->workers);
    wait_for_streams(server);
    while (g_main_context_iteration(NULL, FALSE)) {
        /* what was asked of the main thread, and knows us */
    }
    g_hash_table_unref(server->clients);
    close(server->epoll);
    g_free(server);
}
