/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VNC server's thread and its sockets, see vnc.h.
 *
 * One loop waits for all descriptors.  Nothing in it blocks: who sends half a message, or doesn't
 * read, holds up nobody else.  Pictures are looked for while somebody waits for one, 30 times a
 * second, less often when nothing has changed for a while.
 *
 * Why this is no library's: libvncserver reads and writes each viewer blocking, for up to 20 s, and
 * has no bound on what waits; display/limits.h can't be kept with it.
 */
#include "display/vnc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/confine.h"
#include "common/error.h"
#include "display/vnc_client.h"

enum { READ_SIZE = 16384, MAX_LISTENERS = 8, FOREVER = -1 };

typedef struct Viewer {
    int fd;
    VncClient *client;
    int64_t deadline_us; /* of the handshake */
    guint sent;          /* of .client->out */
    bool closing;        /* what waits is still sent, as far as it goes at once */
} Viewer;

struct Vnc {
    /* fixed after create */
    VncHost host;
    char *name;
    int wake_fd;
    GThread *thread;
    /* the thread's own */
    GPtrArray *viewers; /* of Viewer */
    GArray *listeners;  /* of int */
    unsigned failures;
    int64_t locked_until_us, next_look_us;
    unsigned idle; /* looks in a row that found nothing new */
    /* lock: lock */
    GMutex lock;
    GArray *new_listeners, *new_viewers; /* of int */
    char *password, *password_now;       /* the latter: what the thread uses */
    bool quit;
    unsigned n_viewers, n_listeners;
};

/* --- for viewers --- */

static const char *current_password(void *opaque)
{
    Vnc *vnc = opaque;

    g_mutex_lock(&vnc->lock);
    if (g_strcmp0(vnc->password, vnc->password_now)) {
        g_free(vnc->password_now);
        vnc->password_now = g_strdup(vnc->password);
    }
    g_mutex_unlock(&vnc->lock);
    return vnc->password_now;
}

static bool is_locked(void *opaque)
{
    const Vnc *vnc = opaque;

    return g_get_monotonic_time() < vnc->locked_until_us;
}

static void note_try(void *opaque, bool right)
{
    Vnc *vnc = opaque;

    vnc->failures = right ? 0 : vnc->failures + 1;
    if (vnc->failures >= VNC_MAX_FAILURES) {
        vnc->failures = 0;
        vnc->locked_until_us = g_get_monotonic_time() + (int64_t)VNC_FAILURE_MS * 1000;
    }
}

static void spread_text(void *opaque, VncClient *from, const uint8_t *text, size_t len)
{
    Vnc *vnc = opaque;

    for (guint i = 0; i < vnc->viewers->len; i++) {
        Viewer *viewer = g_ptr_array_index(vnc->viewers, i);
        if (viewer->client != from) {
            vnc_client_paste(viewer->client, text, len);
        }
    }
}

/* --- viewers --- */

static void free_viewer(gpointer data)
{
    Viewer *viewer = data;

    vnc_client_free(viewer->client);
    close(viewer->fd);
    g_free(viewer);
}

static void add_viewer(Vnc *vnc, int fd)
{
    if (vnc->viewers->len >= VNC_MAX_CLIENTS) {
        close(fd);
        return;
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    Viewer *viewer = g_new0(Viewer, 1);
    viewer->fd = fd;
    viewer->client = vnc_client_new(&vnc->host);
    viewer->deadline_us = g_get_monotonic_time() + (int64_t)VNC_HANDSHAKE_MS * 1000;
    g_ptr_array_add(vnc->viewers, viewer);
}

/* Send what goes at once; false: the viewer is gone. */
static bool flush(Viewer *viewer)
{
    GByteArray *out = viewer->client->out;

    while (viewer->sent < out->len) {
        ssize_t n = send(viewer->fd, out->data + viewer->sent, out->len - viewer->sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno == EAGAIN;
        }
        viewer->sent += (guint)n;
    }
    g_byte_array_set_size(out, 0);
    viewer->sent = 0;
    return true;
}

/* False: the viewer is gone, or has to go. */
static bool read_some(Viewer *viewer)
{
    uint8_t bytes[READ_SIZE];
    ssize_t n = recv(viewer->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    return n > 0 && vnc_client_receive(viewer->client, bytes, (size_t)n);
}

static bool serve(Vnc *vnc, Viewer *viewer, short events)
{
    bool good = !(events & (POLLIN | POLLHUP | POLLERR)) || read_some(viewer);

    if (events & (POLLIN | POLLHUP | POLLERR)) {
        vnc->next_look_us =
            MIN(vnc->next_look_us, g_get_monotonic_time() + (int64_t)VNC_FAST_MS * 1000);
        vnc->idle = 0;
    }
    good = flush(viewer) && good;
    return good &&
           (viewer->client->state == VNC_RUNNING || g_get_monotonic_time() < viewer->deadline_us);
}

static void serve_all(Vnc *vnc, const struct pollfd *fds)
{
    guint n = vnc->viewers->len;
    unsigned running = 0;

    for (guint i = n; i > 0; i--) {
        if (!serve(vnc, g_ptr_array_index(vnc->viewers, i - 1), fds[i - 1].revents)) {
            g_ptr_array_remove_index(vnc->viewers, i - 1);
        }
    }
    for (guint i = 0; i < vnc->viewers->len; i++) {
        const Viewer *viewer = g_ptr_array_index(vnc->viewers, i);
        running += viewer->client->state == VNC_RUNNING;
    }
    g_mutex_lock(&vnc->lock);
    vnc->n_viewers = running;
    g_mutex_unlock(&vnc->lock);
}

/* --- pictures --- */

static bool somebody_waits(const Vnc *vnc)
{
    for (guint i = 0; i < vnc->viewers->len; i++) {
        const Viewer *viewer = g_ptr_array_index(vnc->viewers, i);
        if (vnc_client_is_due(viewer->client)) {
            return true;
        }
    }
    return false;
}

/* When it is time: draw, and send everybody what is new. */
static void look(Vnc *vnc)
{
    int64_t now_us = g_get_monotonic_time();
    bool any = false, sent;

    if (now_us < vnc->next_look_us || !somebody_waits(vnc)) {
        return;
    }
    display_refresh(vnc->host.display);
    for (guint i = vnc->viewers->len; i > 0; i--) {
        Viewer *viewer = g_ptr_array_index(vnc->viewers, i - 1);
        if (!vnc_client_update(viewer->client, &sent) || !flush(viewer)) {
            g_ptr_array_remove_index(vnc->viewers, i - 1);
            continue;
        }
        any |= sent;
    }
    vnc->idle = any ? 0 : vnc->idle + 1;
    unsigned pause_ms = vnc->idle > VNC_SLOW_AFTER ? VNC_SLOW_MS : VNC_FAST_MS;
    vnc->next_look_us = now_us + (int64_t)pause_ms * 1000;
}

/* --- the loop --- */

/* Milliseconds until something is to be done without anybody asking. */
static int patience(const Vnc *vnc)
{
    int64_t until_us = somebody_waits(vnc) ? vnc->next_look_us : INT64_MAX;

    for (guint i = 0; i < vnc->viewers->len; i++) {
        const Viewer *viewer = g_ptr_array_index(vnc->viewers, i);
        if (viewer->client->state != VNC_RUNNING) {
            until_us = MIN(until_us, viewer->deadline_us);
        }
    }
    if (until_us == INT64_MAX) {
        return FOREVER;
    }
    int64_t left_us = until_us - g_get_monotonic_time();
    return left_us > 0 ? (int)(left_us / 1000) + 1 : 0;
}

static unsigned fill_fds(const Vnc *vnc, struct pollfd *fds)
{
    unsigned n = 0;

    for (guint i = 0; i < vnc->viewers->len; i++) {
        const Viewer *viewer = g_ptr_array_index(vnc->viewers, i);
        short out = viewer->client->out->len ? POLLOUT : 0;
        fds[n++] = (struct pollfd){ viewer->fd, (short)(POLLIN | out), 0 };
    }
    fds[n++] = (struct pollfd){ vnc->wake_fd, POLLIN, 0 };
    for (guint i = 0; i < vnc->listeners->len; i++) {
        fds[n++] = (struct pollfd){ g_array_index(vnc->listeners, int, i), POLLIN, 0 };
    }
    return n;
}

static void accept_viewers(Vnc *vnc, const struct pollfd *fds, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (fds[i].revents & POLLIN) {
            int fd = accept4(fds[i].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
            if (fd >= 0) {
                add_viewer(vnc, fd);
            }
        }
    }
}

/* Take over what others left; whether to go on. */
static bool take_new(Vnc *vnc)
{
    uint64_t ignored;

    if (read(vnc->wake_fd, &ignored, sizeof(ignored)) < 0 && errno != EAGAIN) {
        return false;
    }
    g_mutex_lock(&vnc->lock);
    for (guint i = 0; i < vnc->new_viewers->len; i++) {
        add_viewer(vnc, g_array_index(vnc->new_viewers, int, i));
    }
    g_array_set_size(vnc->new_viewers, 0);
    g_array_append_vals(vnc->listeners, vnc->new_listeners->data, vnc->new_listeners->len);
    g_array_set_size(vnc->new_listeners, 0);
    bool quit = vnc->quit;
    g_mutex_unlock(&vnc->lock);
    return !quit;
}

static gpointer run(gpointer data)
{
    Vnc *vnc = data;
    struct pollfd fds[VNC_MAX_CLIENTS + 1 + MAX_LISTENERS];

    confine_thread(THREAD_VNC);
    while (take_new(vnc)) {
        unsigned n = fill_fds(vnc, fds), clients = vnc->viewers->len;
        if (poll(fds, n, patience(vnc)) < 0 && errno != EINTR) {
            break;
        }
        accept_viewers(vnc, fds + clients + 1, n - clients - 1);
        for (unsigned i = clients; i < vnc->viewers->len; i++) {
            fds[i].revents = 0; /* those that came just now: their greeting goes out */
        }
        serve_all(vnc, fds);
        look(vnc);
    }
    return NULL;
}

/* --- life --- */

static bool check_password(const char *password, GError **error)
{
    size_t len = password ? strlen(password) : 1;

    if (len < 1 || len > VNC_PASSWORD_MAX) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "a VNC password has 1 to %d bytes, not %zu: VNC knows no more",
                       VNC_PASSWORD_MAX, len);
        return false;
    }
    return true;
}

Vnc *vnc_new(const VncConfig *config, GError **error)
{
    if (!check_password(config->password, error)) {
        return NULL;
    }
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd < 0) {
        set_error_errno(error, errno, "cannot make an eventfd for VNC");
        return NULL;
    }
    Vnc *vnc = g_new0(Vnc, 1);
    vnc->name = g_strdup(config->name);
    vnc->host = (VncHost){
        .display = config->display,
        .input = config->input,
        .name = vnc->name,
        .password = current_password,
        .locked = is_locked,
        .tried = note_try,
        .copied = spread_text,
        .opaque = vnc,
    };
    vnc->wake_fd = wake_fd;
    vnc->password = g_strdup(config->password);
    vnc->viewers = g_ptr_array_new_with_free_func(free_viewer);
    vnc->listeners = g_array_new(FALSE, FALSE, sizeof(int));
    vnc->new_listeners = g_array_new(FALSE, FALSE, sizeof(int));
    vnc->new_viewers = g_array_new(FALSE, FALSE, sizeof(int));
    g_mutex_init(&vnc->lock);
    return vnc;
}

void vnc_start(Vnc *vnc)
{
    g_assert(!vnc->thread);
    vnc->thread = g_thread_new("vnc", run, vnc);
}

static void wake(const Vnc *vnc)
{
    const uint64_t one = 1;
    ssize_t ignored = write(vnc->wake_fd, &one, sizeof(one));

    (void)ignored; /* full: it wakes anyway */
}

static void close_all(GArray *fds)
{
    for (guint i = 0; i < fds->len; i++) {
        close(g_array_index(fds, int, i));
    }
    g_array_unref(fds);
}

void vnc_free(Vnc *vnc)
{
    if (!vnc) {
        return;
    }
    g_mutex_lock(&vnc->lock);
    vnc->quit = true;
    g_mutex_unlock(&vnc->lock);
    wake(vnc);
    if (vnc->thread) {
        g_thread_join(vnc->thread);
    }
    g_ptr_array_unref(vnc->viewers);
    close_all(vnc->listeners);
    close_all(vnc->new_listeners);
    close_all(vnc->new_viewers);
    close(vnc->wake_fd);
    g_mutex_clear(&vnc->lock);
    g_free(vnc->password);
    g_free(vnc->password_now);
    g_free(vnc->name);
    g_free(vnc);
}

void vnc_listen(Vnc *vnc, int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    g_mutex_lock(&vnc->lock);
    g_assert(vnc->n_listeners < MAX_LISTENERS);
    vnc->n_listeners++;
    g_array_append_val(vnc->new_listeners, fd);
    g_mutex_unlock(&vnc->lock);
    wake(vnc);
}

void vnc_connect(Vnc *vnc, int fd)
{
    g_mutex_lock(&vnc->lock);
    g_array_append_val(vnc->new_viewers, fd);
    g_mutex_unlock(&vnc->lock);
    wake(vnc);
}

bool vnc_set_password(Vnc *vnc, const char *password, GError **error)
{
    if (!check_password(password, error)) {
        return false;
    }
    g_mutex_lock(&vnc->lock);
    g_free(vnc->password);
    vnc->password = g_strdup(password);
    g_mutex_unlock(&vnc->lock);
    return true;
}

unsigned vnc_viewers(Vnc *vnc)
{
    g_mutex_lock(&vnc->lock);
    unsigned n = vnc->n_viewers;
    g_mutex_unlock(&vnc->lock);
    return n;
}
