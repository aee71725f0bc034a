/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where gdb connects, see gdb_server.h.
 */
#include "vm/gdb_server.h"

#include <errno.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "memory/memory.h"
#include "vm/listen.h"
#include "vm/report.h"

enum {
    READ_CHUNK = 1024,
    OUTPUT_MAX = 262144, /* beyond it nothing is read: the peer must take answers first */
    PAGE = 4096
};

struct GdbServer {
    /* fixed after create */
    Vm *vm;
    char *path; /* of the socket; NULL: TCP */
    int listening;
    guint listen_source;
    GdbTarget target;
    VmDebugger debugger;
    /* main thread only */
    GdbSession *session; /* NULL: no client */
    int fd;              /* the client's, or -1 */
    guint read_source, write_source;
    bool killed;
};

/* ---- the machine as gdb.h wants it ---- */

static unsigned target_cpus(void *opaque)
{
    return machine_cpus(vm_machine(((GdbServer *)opaque)->vm));
}

static EngineVcpu *vcpu_of(GdbServer *server, unsigned cpu)
{
    return machine_vcpu(vm_machine(server->vm), cpu);
}

static const Engine *engine_of(GdbServer *server)
{
    return machine_engine(vm_machine(server->vm));
}

static bool target_get(void *opaque, unsigned cpu, X86State *ret_state)
{
    return engine_of(opaque)->vcpu_get_state(vcpu_of(opaque, cpu), ret_state, NULL);
}

static bool target_set(void *opaque, unsigned cpu, const X86State *state)
{
    g_autoptr(GError) error = NULL;
    GdbServer *server = opaque;

    if (!engine_of(server)->vcpu_set_state(vcpu_of(server, cpu), state, &error)) {
        log_line(vm_log(server->vm), LOG_GDB, "registers refused: %s", error->message);
        return false;
    }
    return true;
}

typedef bool (*CopyFn)(GuestMemory *memory, uint64_t gpa, uint8_t *data, size_t len);

static bool copy_out(GuestMemory *memory, uint64_t gpa, uint8_t *data, size_t len)
{
    return gm_read(memory, gpa, data, len);
}

static bool copy_in(GuestMemory *memory, uint64_t gpa, uint8_t *data, size_t len)
{
    return gm_write(memory, gpa, data, len);
}

/* Page by page, as far as there is RAM. */
static size_t copy(GdbServer *server, unsigned cpu, uint64_t gva, uint8_t *data, size_t len,
                   CopyFn one)
{
    GuestMemory *memory = machine_memory(vm_machine(server->vm));
    size_t done = 0;

    while (done < len) {
        size_t n = MIN(len - done, PAGE - (size_t)((gva + done) % PAGE));
        uint64_t gpa = 0;
        if (!engine_of(server)->vcpu_translate(vcpu_of(server, cpu), gva + done, &gpa) ||
            !one(memory, gpa, data + done, n)) {
            break;
        }
        done += n;
    }
    return done;
}

static size_t target_read(void *opaque, unsigned cpu, uint64_t gva, void *data, size_t len)
{
    return copy(opaque, cpu, gva, data, len, copy_out);
}

static size_t target_write(void *opaque, unsigned cpu, uint64_t gva, const void *data, size_t len)
{
    return copy(opaque, cpu, gva, (uint8_t *)data, len, copy_in);
}

static void target_resume(void *opaque, const GdbResume *how, const DebugPoint *points, unsigned n)
{
    vm_debug_go(((GdbServer *)opaque)->vm, how, points, n);
}

static void target_halt(void *opaque)
{
    vm_halt(((GdbServer *)opaque)->vm);
}

static void target_kill(void *opaque)
{
    GdbServer *server = opaque;

    server->killed = true;
    report("gdb ended the machine");
    vm_end(server->vm, STATUS_DONE);
}

/* ---- the connection ---- */

static void hang_up(GdbServer *server)
{
    g_clear_handle_id(&server->read_source, g_source_remove);
    g_clear_handle_id(&server->write_source, g_source_remove);
    close(server->fd);
    server->fd = -1;
    g_clear_pointer(&server->session, gdb_session_free);
    vm_set_debugger(server->vm, NULL);
    if (!server->killed && vm_halt_now(server->vm)) {
        vm_debug_go_all(server->vm);
    }
}

/* Send what the client takes now; false: it is gone. */
static bool send_some(GdbServer *server)
{
    GString *out = gdb_session_output(server->session);

    while (out->len) {
        ssize_t n = send(server->fd, out->str, out->len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return false;
        }
        if (n <= 0) {
            break;
        }
        g_string_erase(out, 0, n);
    }
    return true;
}

static gboolean on_writable(gint fd, GIOCondition condition, gpointer data);
static gboolean on_readable(gint fd, GIOCondition condition, gpointer data);

/* Send, wait for what the state of the conversation asks for, or hang up. */
static void go_on(GdbServer *server)
{
    bool alive = send_some(server);
    size_t waiting = gdb_session_output(server->session)->len;

    if (!alive || (gdb_session_over(server->session) && !waiting)) {
        hang_up(server);
        return;
    }
    if (waiting && !server->write_source) {
        server->write_source = g_unix_fd_add(server->fd, G_IO_OUT, on_writable, server);
    }
    if (waiting > OUTPUT_MAX) {
        g_clear_handle_id(&server->read_source, g_source_remove);
    } else if (!server->read_source) {
        server->read_source = g_unix_fd_add(server->fd, G_IO_IN | G_IO_HUP, on_readable, server);
    }
}

static gboolean on_writable(gint fd, GIOCondition condition, gpointer data)
{
    GdbServer *server = data;

    server->write_source = 0;
    go_on(server);
    return G_SOURCE_REMOVE;
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data)
{
    GdbServer *server = data;
    uint8_t bytes[READ_CHUNK];
    ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    server->read_source = 0;
    if (n > 0) {
        gdb_session_input(server->session, bytes, (size_t)n);
        go_on(server);
    } else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        go_on(server);
    } else {
        hang_up(server);
    }
    return G_SOURCE_REMOVE;
}

static void on_stopped(void *opaque, const GdbStop *stop)
{
    GdbServer *server = opaque;

    gdb_session_stopped(server->session, stop);
    go_on(server);
}

static void on_ended(void *opaque, int status)
{
    GdbServer *server = opaque;

    gdb_session_exited(server->session, status);
    send_some(server);
}

static gboolean on_client(gint fd, GIOCondition condition, gpointer data)
{
    const GdbStop stop = { .signal = GDB_SIGTRAP };
    GdbServer *server = data;
    int one = 1;
    int client = listen_accept(fd);

    if (client < 0) {
        return G_SOURCE_CONTINUE;
    }
    if (server->session || !vm_halt_now(server->vm)) {
        close(client);
        return G_SOURCE_CONTINUE;
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* fails on other sockets */
    server->fd = client;
    server->session = gdb_session_new(&server->target, &stop, vm_log(server->vm));
    vm_set_debugger(server->vm, &server->debugger);
    go_on(server);
    return G_SOURCE_CONTINUE;
}

GdbServer *gdb_server_new(Vm *vm, const GdbConfig *config, GError **error)
{
    int listening = config->kind == GDB_UNIX ? listen_unix(config->path, "--gdb", error)
                                             : listen_loopback(config->port, "--gdb", error);

    if (listening < 0) {
        return NULL;
    }
    GdbServer *server = g_new0(GdbServer, 1);
    server->vm = vm;
    server->path = g_strdup(config->path);
    server->listening = listening;
    server->fd = -1;
    server->target = (GdbTarget){ server,       target_cpus,   target_get,  target_set, target_read,
                                  target_write, target_resume, target_halt, target_kill };
    server->debugger = (VmDebugger){ server, on_stopped, on_ended };
    server->listen_source = g_unix_fd_add(listening, G_IO_IN, on_client, server);
    return server;
}

void gdb_server_free(GdbServer *server)
{
    if (!server) {
        return;
    }
    g_clear_handle_id(&server->read_source, g_source_remove);
    g_clear_handle_id(&server->write_source, g_source_remove);
    g_source_remove(server->listen_source);
    if (server->session) {
        gdb_session_free(server->session);
        close(server->fd);
    }
    if (server->path) {
        unlink(server->path);
    }
    close(server->listening);
    g_free(server->path);
    g_free(server);
}
