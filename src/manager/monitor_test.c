/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the control of a VM: what answers, what lies, what is silent, what ends.
 */
#include "manager/monitor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\n"
enum { WAIT_S = 60, SHORT_MS = 50 };

/* The other side: a script of what is read (a line) and what is answered, on a thread; and a
 * process that does nothing but end when it is told. */
typedef struct Vm {
    int socket;
    pid_t pid;
    Monitor *monitor;
    GMutex mutex;
    GCond changed;
    GString *seen;
    bool broken, ended;
} Vm;

static void on_event(void *opaque, const char *name, JsonObject *data)
{
    Vm *vm = opaque;

    g_mutex_lock(&vm->mutex);
    g_string_append_printf(vm->seen, "%s%s;", name, monitor_text(data, "reason", ""));
    g_cond_broadcast(&vm->changed);
    g_mutex_unlock(&vm->mutex);
}

static void on_broken(void *opaque, const char *why)
{
    Vm *vm = opaque;

    g_mutex_lock(&vm->mutex);
    vm->broken = true;
    g_cond_broadcast(&vm->changed);
    g_mutex_unlock(&vm->mutex);
}

static void on_ended(void *opaque)
{
    Vm *vm = opaque;

    g_mutex_lock(&vm->mutex);
    vm->ended = true;
    g_cond_broadcast(&vm->changed);
    g_mutex_unlock(&vm->mutex);
}

static const MonitorOps ops = { on_event, on_broken, on_ended };

static bool wait_for(Vm *vm, const bool *flag)
{
    int64_t until_us = g_get_monotonic_time() + WAIT_S * G_TIME_SPAN_SECOND;

    g_mutex_lock(&vm->mutex);
    while (!*flag && g_cond_wait_until(&vm->changed, &vm->mutex, until_us)) {
        /* again */
    }
    bool set = *flag;
    g_mutex_unlock(&vm->mutex);
    return set;
}

static void make_vm(Vm *vm, gconstpointer data)
{
    int pair[2];

    g_mutex_init(&vm->mutex);
    g_cond_init(&vm->changed);
    vm->seen = g_string_new(NULL);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
    vm->pid = fork();
    if (vm->pid == 0) {
        pause();
        _exit(0);
    }
    vm->socket = pair[1];
    vm->monitor = monitor_new(pair[0], pidfd_open(vm->pid, 0), &ops, vm);
}

static void end_process(Vm *vm)
{
    kill(vm->pid, SIGKILL);
    waitpid(vm->pid, NULL, 0);
    vm->pid = 0;
}

static void free_vm(Vm *vm, gconstpointer data)
{
    monitor_stop(vm->monitor);
    monitor_unref(vm->monitor);
    if (vm->pid) {
        end_process(vm);
    }
    if (vm->socket >= 0) {
        close(vm->socket);
    }
    g_string_free(vm->seen, TRUE);
    g_mutex_clear(&vm->mutex);
    g_cond_clear(&vm->changed);
}

static void say(Vm *vm, const char *text)
{
    for (size_t len = strlen(text); len;) {
        ssize_t n = send(vm->socket, text, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return; /* the monitor has had enough */
        }
        text += n;
        len -= (size_t)n;
    }
}

/* A line from the monitor, and its id; 0: there is none. */
static int64_t hear(Vm *vm, char *line, size_t size)
{
    size_t len = 0;

    while (len + 1 < size && recv(vm->socket, line + len, 1, 0) == 1 && line[len] != '\n') {
        len++;
    }
    line[len] = '\0';
    const char *id = strstr(line, "\"id\":");
    return id ? g_ascii_strtoll(id + strlen("\"id\":"), NULL, 10) : 0;
}

/* What the VM does with each command after the greeting: "%ID" stands for its id. */
typedef struct Script {
    Vm *vm;
    const char *const *answers;
} Script;

static gpointer play(gpointer data)
{
    const Script *script = data;
    char line[1024];

    say(script->vm, GREETING);
    for (const char *const *answer = script->answers; *answer; answer++) {
        g_autofree char *id = g_strdup_printf("%" G_GINT64_FORMAT, hear(script->vm, line, 1024));
        g_auto(GStrv) parts = g_strsplit(*answer, "%ID", 0);
        g_autofree char *text = g_strjoinv(id, parts);
        say(script->vm, text);
    }
    return NULL;
}

#define DONE "{\"return\": {}, \"id\": %ID}\n"

static JsonNode *command(Vm *vm, unsigned ms, GError **error)
{
    return monitor_command(vm->monitor, "query-status", NULL, -1, ms, error);
}

static void test_answers(Vm *vm, gconstpointer data)
{
    const char *const answers[] = {
        DONE,
        "{\"event\": \"STOP\", \"timestamp\": {}}"
        "{\"return\": {\"status\": \"paused\"}, \"id\": %ID}",
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\\u0007 such\"}, \"id\": %ID}\n",
        NULL,
    };
    Script script = { vm, answers };
    GThread *thread = g_thread_new("script", play, &script);
    g_autoptr(GError) error = NULL;

    g_assert_true(monitor_begin(vm->monitor, WAIT_S * 1000, &error));
    g_assert_no_error(error);
    g_autoptr(JsonNode) node = command(vm, WAIT_S * 1000, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(monitor_text(json_node_get_object(node), "status", ""), ==, "paused");
    g_assert_cmpstr(vm->seen->str, ==, "STOP;"); /* what came before the answer was told before */
    g_assert_null(command(vm, WAIT_S * 1000, &error));
    g_assert_cmpstr(error->message, ==, "no\\x07 such");
    g_thread_join(thread);
    g_assert_true(monitor_answers(vm->monitor));
}

static void test_silence(Vm *vm, gconstpointer data)
{
    const char *const answers[] = { DONE, NULL };
    Script script = { vm, answers };
    GThread *thread = g_thread_new("script", play, &script);
    g_autoptr(GError) error = NULL;
    char line[1024];

    g_assert_true(monitor_begin(vm->monitor, WAIT_S * 1000, &error));
    g_thread_join(thread);
    g_assert_null(command(vm, SHORT_MS, &error));
    g_assert_nonnull(strstr(error->message, "query-status"));
    g_clear_error(&error);
    g_assert_false(monitor_answers(vm->monitor));
    /* nobody waits for it again, however long one would */
    int64_t begin_us = g_get_monotonic_time();
    g_assert_null(command(vm, WAIT_S * 1000, &error));
    g_assert_cmpint(g_get_monotonic_time() - begin_us, <, WAIT_S * G_TIME_SPAN_SECOND / 2);
    g_clear_error(&error);
    /* the late answer is nobody's, but shows that it is there */
    int64_t id = hear(vm, line, sizeof(line));
    g_autofree char *late =
        g_strdup_printf("{\"return\": {\"status\": \"late\"}, \"id\": %" G_GINT64_FORMAT
                        "}\n{\"event\": \"HERE\"}\n",
                        id);
    say(vm, late);
    bool here = false;
    while (!here) {
        g_mutex_lock(&vm->mutex);
        here = vm->seen->len > 0;
        g_mutex_unlock(&vm->mutex);
        g_thread_yield();
    }
    g_assert_true(monitor_answers(vm->monitor));
}

/* Text that no VM of ours sends; each must be the end of the conversation, and no more. */
static void test_garbage(Vm *vm, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    const char *text = data;

    say(vm, GREETING);
    for (unsigned i = 0; i < 64; i++) {
        say(vm, text);
    }
    g_assert_false(monitor_begin(vm->monitor, WAIT_S * 1000, &error));
    g_assert_nonnull(error);
    g_autofree char *why = monitor_broken_why(vm->monitor);
    g_assert_nonnull(why);
    g_assert_false(vm->ended);
}

static void test_end(Vm *vm, gconstpointer data)
{
    const char *const answers[] = { DONE,
                                    "{\"event\": \"SHUTDOWN\", \"data\": {\"reason\": \"!\"}}\n",
                                    NULL };
    Script script = { vm, answers };
    GThread *thread = g_thread_new("script", play, &script);
    g_autoptr(GError) error = NULL;

    g_assert_true(monitor_begin(vm->monitor, WAIT_S * 1000, &error));
    monitor_command(vm->monitor, "quit", NULL, -1, SHORT_MS, NULL);
    g_thread_join(thread);
    end_process(vm);
    g_assert_true(wait_for(vm, &vm->ended));
    g_assert_cmpstr(vm->seen->str, ==, "SHUTDOWN!;"); /* its last words came before its end */
    g_assert_false(vm->broken);
    g_assert_null(command(vm, WAIT_S * 1000, &error)); /* at once */
    g_assert_nonnull(strstr(error->message, "ended"));
}

static void test_end_while_waiting(Vm *vm, gconstpointer data)
{
    const char *const answers[] = { DONE, "", NULL };
    Script script = { vm, answers };
    GThread *thread = g_thread_new("script", play, &script);
    g_autoptr(GError) error = NULL;

    g_assert_true(monitor_begin(vm->monitor, WAIT_S * 1000, &error));
    kill(vm->pid, SIGKILL);
    g_assert_null(command(vm, WAIT_S * 1000, &error));
    g_assert_nonnull(error);
    shutdown(vm->socket, SHUT_RDWR);
    g_thread_join(thread);
    g_assert_true(wait_for(vm, &vm->ended));
}

static void test_descriptor(Vm *vm, gconstpointer data)
{
    const char *const answers[] = { DONE, NULL };
    Script script = { vm, answers };
    GThread *thread = g_thread_new("script", play, &script);
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    char bytes[256];
    struct iovec iov = { bytes, sizeof(bytes) };
    struct msghdr message = { .msg_iov = &iov,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof(control.bytes) };
    g_autoptr(GError) error = NULL;

    g_assert_true(monitor_begin(vm->monitor, WAIT_S * 1000, &error));
    g_thread_join(thread);
    g_assert_null(monitor_command(vm->monitor, "getfd", NULL, 0, SHORT_MS, &error));
    g_assert_cmpint(recvmsg(vm->socket, &message, 0), >, 0);
    const struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    g_assert_true(first && first->cmsg_type == SCM_RIGHTS);
    int fd;
    memcpy(&fd, CMSG_DATA(first), sizeof(fd));
    close(fd);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(Vm *vm, gconstpointer data);
        const char *data;
    } cases[] = {
        { "/monitor/answers-and-events-come-in-order", test_answers },
        { "/monitor/who-is-silent-is-not-waited-for", test_silence },
        { "/monitor/what-is-no-json-is-the-end", test_garbage, "\xff{\"\\q\": 1}\n" },
        { "/monitor/what-is-no-qmp-is-the-end", test_garbage, "{\"return\": 1, \"return\": 2}\n" },
        { "/monitor/what-says-nothing-is-the-end", test_garbage, "[{}]{\"x\": {}}\n" },
        { "/monitor/last-words-come-before-the-end", test_end },
        { "/monitor/an-end-is-an-answer", test_end_while_waiting },
        { "/monitor/a-descriptor-goes-with-a-command", test_descriptor },
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_add(cases[i].name, Vm, cases[i].data, make_vm, cases[i].run, free_vm);
    }
    return g_test_run();
}
