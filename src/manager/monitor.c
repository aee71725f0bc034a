/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control of one VM's process, see monitor.h.
 */
#include "manager/monitor.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/error.h"
#include "common/text.h"
#include "wire/json.h"
#include "wire/qmp.h"

enum {
    READ_CHUNK = 16384,
    WINDOW_US = 100000,  /* how long messages are counted together, */
    WINDOW_EVENTS = 200, /* and how many of them a VM may send without being read slower */
    BROKEN_MAX = 8,      /* messages that are no QMP, until nothing is believed any more */
    REASON_MAX = 1000,   /* bytes of an error that are shown */
    END_MS = 10000,      /* how long a process lives at most that has closed its socket */
};

struct Monitor {
    /* fixed after create */
    gint refs; /* atomic */
    int socket, process, wake;
    MonitorOps ops;
    void *opaque;
    GThread *thread; /* NULL before monitor_begin() */
    /* its thread only */
    QmpFramer framer;
    unsigned n_broken, window_events;
    int64_t window_us;
    /* lock: mutex */
    GMutex mutex;
    GCond changed;
    bool ready;   /* the greeting has come */
    bool busy;    /* somebody waits for an answer */
    bool silent;  /* the last command was not answered in time, and nothing was heard since */
    bool quit;    /* monitor_stop() */
    bool ended;   /* the process */
    char *broken; /* why; NULL: it isn't */
    gint64 serial;
    JsonObject *answer; /* to .serial */
};

/* ---- members of what was said ---- */

static JsonNode *value_of(JsonObject *object, const char *name, GType type)
{
    JsonNode *node = object ? json_object_get_member(object, name) : NULL;

    return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == type ? node
                                                                                         : NULL;
}

const char *monitor_text(JsonObject *object, const char *name, const char *fallback)
{
    JsonNode *node = value_of(object, name, G_TYPE_STRING);

    return node ? json_node_get_string(node) : fallback;
}

int64_t monitor_number(JsonObject *object, const char *name, int64_t fallback)
{
    JsonNode *node = value_of(object, name, G_TYPE_INT64);

    return node ? json_node_get_int(node) : fallback;
}

bool monitor_switch(JsonObject *object, const char *name, bool fallback)
{
    JsonNode *node = value_of(object, name, G_TYPE_BOOLEAN);

    return node ? json_node_get_boolean(node) : fallback;
}

JsonObject *monitor_object(JsonObject *object, const char *name)
{
    JsonNode *node = object ? json_object_get_member(object, name) : NULL;

    return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

JsonObject *monitor_element(JsonNode *array, unsigned i)
{
    JsonArray *elements = array && JSON_NODE_HOLDS_ARRAY(array) ? json_node_get_array(array) : NULL;

    if (!elements || i >= json_array_get_length(elements)) {
        return NULL;
    }
    JsonNode *node = json_array_get_element(elements, i);
    return JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

/* ---- what comes ---- */

/* Nothing that comes is believed from now on. */
static void lose(Monitor *m, const char *why)
{
    g_mutex_lock(&m->mutex);
    if (!m->broken) {
        m->broken = g_strdup(why);
        shutdown(m->socket, SHUT_RDWR);
    }
    g_cond_broadcast(&m->changed);
    g_mutex_unlock(&m->mutex);
}

/* An answer is for whoever waits for it; one that comes too late is for nobody. */
static void take_answer(Monitor *m, JsonObject *object)
{
    g_mutex_lock(&m->mutex);
    m->silent = false;
    if (m->busy && !m->answer && monitor_number(object, "id", -1) == m->serial) {
        m->answer = json_object_ref(object);
        g_cond_broadcast(&m->changed);
    }
    g_mutex_unlock(&m->mutex);
}

/* Who sends more than anybody could need is read more slowly. */
static void slow_down(Monitor *m)
{
    int64_t now_us = g_get_monotonic_time();

    if (now_us - m->window_us > WINDOW_US) {
        m->window_us = now_us;
        m->window_events = 0;
    }
    if (++m->window_events > WINDOW_EVENTS) {
        g_usleep(WINDOW_US);
    }
}

static void take_event(Monitor *m, JsonObject *object, const char *name)
{
    JsonObject *data = monitor_object(object, "data");
    g_autoptr(JsonObject) none = data ? NULL : json_object_new();

    g_mutex_lock(&m->mutex);
    m->silent = false;
    g_mutex_unlock(&m->mutex);
    m->ops.event(m->opaque, name, data ? data : none);
}

static void take_message(Monitor *m, const char *text, size_t len)
{
    g_autoptr(JsonNode) node = wire_json_parse(text, len, NULL);
    JsonObject *object = node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
    const char *event = monitor_text(object, "event", NULL);

    slow_down(m);
    if (event) {
        take_event(m, object, event);
    } else if (object && json_object_has_member(object, "QMP")) {
        g_mutex_lock(&m->mutex);
        m->ready = true;
        g_cond_broadcast(&m->changed);
        g_mutex_unlock(&m->mutex);
    } else if (object &&
               (json_object_has_member(object, "return") || monitor_object(object, "error"))) {
        take_answer(m, object);
    } else if (++m->n_broken >= BROKEN_MAX) {
        lose(m, "it doesn't speak QMP");
    }
}

/* Read what there is; false: no more will come. */
static bool read_some(Monitor *m)
{
    uint8_t bytes[READ_CHUNK];
    ssize_t n = recv(m->socket, bytes, READ_CHUNK, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    if (n <= 0) {
        lose(m, "it has closed its control socket");
        return false;
    }
    for (ssize_t i = 0; i < n && !m->broken; i++) {
        QmpFrame frame = qmp_framer_byte(&m->framer, bytes[i]);

        if (frame == QMP_FRAME_MESSAGE) {
            take_message(m, m->framer.text->str, m->framer.text->len);
        } else if (frame == QMP_FRAME_BROKEN && ++m->n_broken >= BROKEN_MAX) {
            lose(m, "it sends what is no QMP");
        }
    }
    return !m->broken;
}

/* ---- the thread ---- */

static bool is_quitting(Monitor *m)
{
    g_mutex_lock(&m->mutex);
    bool quit = m->quit;
    g_mutex_unlock(&m->mutex);
    return quit;
}

static void tell_end(Monitor *m)
{
    g_mutex_lock(&m->mutex);
    m->ended = true;
    g_cond_broadcast(&m->changed);
    g_mutex_unlock(&m->mutex);
    m->ops.ended(m->opaque);
}

/* The socket is done with: wait for the process to end, which it does soon if all is well. */
static void wait_for_end(Monitor *m)
{
    struct pollfd fds[] = { { .fd = m->wake, .events = POLLIN },
                            { .fd = m->process, .events = POLLIN } };
    int timeout_ms = END_MS;

    while (!is_quitting(m)) {
        int n = poll(fds, G_N_ELEMENTS(fds), timeout_ms);

        if (n == 0) {
            m->ops.broken(m->opaque, m->broken);
            timeout_ms = -1;
        } else if (n > 0 && fds[1].revents) {
            tell_end(m);
            return;
        }
    }
}

static gpointer serve(gpointer data)
{
    Monitor *m = data;
    struct pollfd fds[] = { { .fd = m->wake, .events = POLLIN },
                            { .fd = m->socket, .events = POLLIN },
                            { .fd = m->process, .events = POLLIN } };
    bool reads = true;

    while (reads && !is_quitting(m)) {
        if (poll(fds, G_N_ELEMENTS(fds), -1) < 0) {
            reads = errno == EINTR;
        } else if (fds[1].revents) {
            reads = read_some(m); /* all that it said comes before its end */
        } else if (fds[2].revents) {
            lose(m, "it has ended");
            reads = false;
        }
    }
    wait_for_end(m);
    monitor_unref(m);
    return NULL;
}

/* ---- commands ---- */

/* Send all of @text, and @fd with its first byte. */
static bool send_text(Monitor *m, const GString *text, int fd, int64_t until_us)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };

    memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    for (size_t done = 0; done < text->len;) {
        struct iovec iov = { text->str + done, text->len - done };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
        if (fd >= 0 && done == 0) {
            message.msg_control = control.bytes;
            message.msg_controllen = sizeof(control.bytes);
        }
        ssize_t n = sendmsg(m->socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        int64_t left_ms = (until_us - g_get_monotonic_time()) / 1000;
        if (n >= 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN && left_ms > 0) {
            poll(&(struct pollfd){ .fd = m->socket, .events = POLLOUT }, 1, (int)left_ms);
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

static GString *command_text(const char *name, JsonObject *args, int64_t serial)
{
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
    JsonObject *object = json_object_new();

    json_object_set_string_member(object, "execute", name);
    if (args) {
        json_object_set_object_member(object, "arguments", args);
    }
    json_object_set_int_member(object, "id", serial);
    json_node_take_object(node, object);
    g_autofree char *line = wire_json_line(node);
    return g_string_append_c(g_string_new(line), '\n');
}

/* What of @m stands against a command, as an error.  With the lock. */
static bool can_talk(const Monitor *m, GError **error)
{
    if (m->ended || m->quit) {
        set_error(error, "the virtual machine has ended");
    } else if (m->broken) {
        set_error(error, "the control of the virtual machine is lost: %s", m->broken);
    } else if (m->silent) {
        set_error(error, "the virtual machine doesn't answer");
    } else {
        return true;
    }
    return false;
}

/* Wait until nobody else waits for an answer.  With the lock. */
static bool take_turn(Monitor *m, int64_t until_us, GError **error)
{
    while (m->busy && can_talk(m, NULL)) {
        if (!g_cond_wait_until(&m->changed, &m->mutex, until_us)) {
            set_error(error, "the virtual machine is busy with another command");
            return false;
        }
    }
    if (!can_talk(m, error)) {
        return false;
    }
    m->busy = true;
    m->serial++;
    return true;
}

/* The answer, or NULL and an error.  With the lock. */
static JsonObject *wait_answer(Monitor *m, const char *name, int64_t until_us, GError **error)
{
    while (!m->answer && can_talk(m, NULL)) {
        if (!g_cond_wait_until(&m->changed, &m->mutex, until_us) && !m->answer) {
            m->silent = true;
            set_error(error, "the virtual machine didn't answer '%s' in time", name);
            return NULL;
        }
    }
    if (!m->answer) {
        can_talk(m, error);
    }
    return g_steal_pointer(&m->answer);
}

/* What the VM returned, or its error. */
static JsonNode *judge(JsonObject *answer, GError **error)
{
    JsonObject *problem = monitor_object(answer, "error");

    if (problem) {
        const char *said = monitor_text(problem, "desc", "no reason given");
        g_autofree char *text = g_utf8_make_valid(said, (gssize)MIN(strlen(said), REASON_MAX));
        g_autofree char *line = text_visible(text);
        set_error(error, "%s", line);
        return NULL;
    }
    return json_node_ref(json_object_get_member(answer, "return"));
}

JsonNode *monitor_command(Monitor *m, const char *name, JsonObject *args, int fd,
                          unsigned timeout_ms, GError **error)
{
    int64_t until_us = g_get_monotonic_time() + (int64_t)timeout_ms * 1000;
    g_autoptr(JsonObject) answer = NULL;

    g_mutex_lock(&m->mutex);
    if (!take_turn(m, until_us, error)) {
        g_mutex_unlock(&m->mutex);
        g_clear_pointer(&args, json_object_unref);
        return NULL;
    }
    g_autoptr(GString) text = NULL;
    int64_t serial = m->serial;
    g_mutex_unlock(&m->mutex);
    text = command_text(name, args, serial);
    bool sent = send_text(m, text, fd, until_us);
    g_mutex_lock(&m->mutex);
    if (sent) {
        answer = wait_answer(m, name, until_us, error);
    } else if (can_talk(m, error)) {
        set_error(error, "cannot send '%s' to the virtual machine", name);
        m->silent = true;
    }
    m->busy = false;
    g_clear_pointer(&m->answer, json_object_unref);
    g_cond_broadcast(&m->changed);
    g_mutex_unlock(&m->mutex);
    return answer ? judge(answer, error) : NULL;
}

bool monitor_do(Monitor *m, const char *name, JsonObject *args, GError **error)
{
    g_autoptr(JsonNode) node = monitor_command(m, name, args, -1, MONITOR_COMMAND_MS, error);

    return node != NULL;
}

bool monitor_answers(Monitor *m)
{
    g_mutex_lock(&m->mutex);
    bool answers = can_talk(m, NULL);
    g_mutex_unlock(&m->mutex);
    return answers;
}

char *monitor_broken_why(Monitor *m)
{
    g_mutex_lock(&m->mutex);
    char *why = g_strdup(m->broken);
    g_mutex_unlock(&m->mutex);
    return why;
}

/* ---- life ---- */

Monitor *monitor_new(int socket, int process, const MonitorOps *ops, void *opaque)
{
    Monitor *m = g_new0(Monitor, 1);

    m->refs = 1;
    m->socket = socket;
    m->process = process;
    m->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    m->ops = *ops;
    m->opaque = opaque;
    qmp_framer_init(&m->framer);
    g_mutex_init(&m->mutex);
    g_cond_init(&m->changed);
    return m;
}

Monitor *monitor_ref(Monitor *m)
{
    g_atomic_int_inc(&m->refs);
    return m;
}

void monitor_unref(Monitor *m)
{
    if (!m || !g_atomic_int_dec_and_test(&m->refs)) {
        return;
    }
    if (m->thread) {
        g_thread_unref(m->thread);
    }
    close(m->socket);
    close(m->process);
    close(m->wake);
    qmp_framer_clear(&m->framer);
    g_clear_pointer(&m->answer, json_object_unref);
    g_mutex_clear(&m->mutex);
    g_cond_clear(&m->changed);
    g_free(m->broken);
    g_free(m);
}

/* Wait for the greeting. */
static bool wait_ready(Monitor *m, int64_t until_us, GError **error)
{
    g_mutex_lock(&m->mutex);
    while (!m->ready && can_talk(m, NULL) && g_cond_wait_until(&m->changed, &m->mutex, until_us)) {
        /* again */
    }
    bool ready = m->ready && can_talk(m, error);
    if (!m->ready && can_talk(m, error)) {
        set_error(error, "the virtual machine doesn't answer");
    }
    g_mutex_unlock(&m->mutex);
    return ready;
}

bool monitor_begin(Monitor *m, unsigned timeout_ms, GError **error)
{
    int64_t until_us = g_get_monotonic_time() + (int64_t)timeout_ms * 1000;

    monitor_ref(m);
    m->thread = g_thread_new("vm-control", serve, m);
    if (!wait_ready(m, until_us, error)) {
        return false;
    }
    g_autoptr(JsonNode) done = monitor_command(m, "qmp_capabilities", NULL, -1, timeout_ms, error);
    return done != NULL;
}

void monitor_stop(Monitor *m)
{
    g_mutex_lock(&m->mutex);
    bool first = !m->quit;
    m->quit = true;
    g_cond_broadcast(&m->changed);
    g_mutex_unlock(&m->mutex);
    eventfd_write(m->wake, 1);
    if (first && m->thread && m->thread != g_thread_self()) {
        g_thread_join(g_thread_ref(m->thread));
    }
}
