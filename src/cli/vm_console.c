/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * insula console: this terminal as a machine's serial console; and insula proxy, which a client on
 * another host runs here by ssh: its words and the daemon's, passed on.
 */
#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/daemon.h"
#include "cli/output.h"
#include "client/stream.h"

enum { ESCAPE = 0x1d /* Ctrl-] */, CHUNK = 16384, CONSOLE_FORCE = 1 };

static bool write_all(int fd, const char *bytes, size_t len, GError **error)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, bytes + done, len - done);
        if (n < 0 && errno != EINTR && errno != EAGAIN) {
            set_error_errno(error, errno, "cannot write");
            return false;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

typedef struct Console {
    GMainLoop *loop;
    InsulaStream *stream;
    bool terminal;
    struct termios before;
    GError *error;
} Console;

static void from_machine(InsulaStream *stream, void *opaque)
{
    Console *console = opaque;
    char bytes[CHUNK];

    while (insula_stream_ready(stream)) {
        ssize_t n = insula_stream_read(stream, bytes, sizeof(bytes), &console->error);
        if (n <= 0 || !write_all(STDOUT_FILENO, bytes, (size_t)n, &console->error)) {
            insula_stream_on_data(stream, NULL, NULL);
            g_main_loop_quit(console->loop);
            return;
        }
    }
}

static gboolean from_person(int fd, GIOCondition condition, void *opaque)
{
    Console *console = opaque;
    char bytes[CHUNK];
    ssize_t n = read(fd, bytes, sizeof(bytes));
    const char *escape = n > 0 && console->terminal ? memchr(bytes, ESCAPE, (size_t)n) : NULL;
    size_t len = escape ? (size_t)(escape - bytes) : (size_t)MAX(n, 0);

    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return G_SOURCE_CONTINUE;
    }
    bool good = !len || insula_stream_write(console->stream, bytes, len, &console->error);
    if (!good || escape || (n <= 0 && console->terminal)) {
        g_main_loop_quit(console->loop);
    }
    return good && n > 0 && !escape; /* without a terminal its end isn't the console's */
}

static void raw(Console *console)
{
    struct termios mode;

    console->terminal = isatty(STDIN_FILENO) && !tcgetattr(STDIN_FILENO, &console->before);
    if (console->terminal) {
        mode = console->before;
        cfmakeraw(&mode);
        tcsetattr(STDIN_FILENO, TCSADRAIN, &mode);
    }
}

/* Until either side ends. */
static bool relay(InsulaStream *stream, GError **error)
{
    Console console = { .loop = g_main_loop_new(NULL, FALSE), .stream = stream };

    raw(&console);
    guint input = g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP, from_person, &console);
    insula_stream_on_data(stream, from_machine, &console);
    g_main_loop_run(console.loop);
    if (g_main_context_find_source_by_id(NULL, input)) {
        g_source_remove(input);
    }
    if (console.terminal) {
        tcsetattr(STDIN_FILENO, TCSADRAIN, &console.before);
    }
    g_main_loop_unref(console.loop);
    if (console.error) {
        g_propagate_error(error, console.error);
        return false;
    }
    return true;
}

int command_console(const CliArgs *args, GError **error)
{
    g_autoptr(InsulaConnection) connection = daemon_open(args, 0, error);
    g_auto(RemoteDomain) domain = { 0 };

    if (!connection || !daemon_find(connection, args->operands[0], &domain, error)) {
        return CLI_FAILED;
    }
    RemoteDomainOpenConsoleArgs call = { .dom = domain, .flags = args->force ? CONSOLE_FORCE : 0 };
    InsulaStream *stream =
        insula_stream_open(connection, REMOTE_PROC_DOMAIN_OPEN_CONSOLE, &call, NULL, error);
    if (!stream) {
        return CLI_FAILED;
    }
    if (isatty(STDIN_FILENO)) {
        output_note(args, "the console of '%s'; Ctrl-] leaves it", domain.name);
    }
    bool good = relay(stream, error);
    insula_stream_close(stream);
    return good ? CLI_DONE : CLI_FAILED;
}

/* ---- proxy ---- */

/* Pass on what is there; false: @from has ended. */
static bool pass(int from, int to, GError **error)
{
    char bytes[CHUNK];
    ssize_t n = read(from, bytes, sizeof(bytes));

    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return true;
    }
    return n > 0 && write_all(to, bytes, (size_t)n, error);
}

int command_proxy(const CliArgs *args, GError **error)
{
    bool read_only = args->operands[1] && !strcmp(args->operands[1], "read-only");
    int fd = insula_reach(args->operands[0], read_only ? INSULA_OPEN_READ_ONLY : 0, error);
    struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
                            { .fd = fd, .events = POLLIN } };
    bool open = fd >= 0;

    while (open && !*error) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR) {
            break;
        }
        if (fds[0].revents && !pass(STDIN_FILENO, fd, error)) {
            shutdown(fd, SHUT_WR); /* what the daemon still says goes on */
            fds[0].fd = -1;
        }
        open = !fds[1].revents || pass(fd, STDOUT_FILENO, error);
    }
    if (fd >= 0) {
        close(fd);
    }
    return *error ? CLI_FAILED : CLI_DONE;
}
