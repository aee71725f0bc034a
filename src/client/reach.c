/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the daemon is, and how it is started, see connection.h.
 *
 * A user's daemon is started by the first client that finds none.  A lock beside the socket keeps
 * two clients from starting two; whoever gets it second finds the socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/internal.h"
#include "common/place.h"
#include "common/program.h"

enum { START_LIMIT_MS = 20000, START_STEP_MS = 10 };

static bool no_connect(GError **error, const char *remedy, const char *path, int err)
{
    remote_error_set(error, REMOTE_ERR_NO_CONNECT, "cannot reach insulad at '%s': %s%s%s", path,
                     g_strerror(err), *remedy ? "; " : "", remedy);
    return false;
}

/* A socket, or a negative errno. */
static int connect_to(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof(address.sun_path)) {
        return -ENAMETOOLONG;
    }
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
        int err = errno;
        close(fd);
        return -err;
    }
    return fd;
}

/* ---- starting it ---- */

/* Run by the child, between fork and exec: a session of its own, so that no terminal's signal
 * reaches it. */
static void detach(void *opaque)
{
    setsid();
}

static char *find_daemon(void)
{
    char *beside = program_find("insulad", "manager");

    return beside ? beside : g_find_program_in_path("insulad");
}

/* The child's process; 0: @error says why not.  *@ret_words: what it says meanwhile. */
static GPid spawn(int *ret_words, GError **error)
{
    g_autofree char *path = find_daemon();
    const char *argv[] = { path, "--idle", "120", NULL };
    GPid child = 0;
    g_autoptr(GError) why = NULL;

    if (!path) {
        remote_error_set(error, REMOTE_ERR_NO_CONNECT,
                         "cannot start insulad: it is neither beside this program nor in PATH; "
                         "install it");
        return 0;
    }
    if (!g_spawn_async_with_pipes(NULL, (char **)(uintptr_t)argv, NULL,
                                  G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL, detach,
                                  NULL, &child, NULL, NULL, ret_words, &why)) {
        remote_error_set(error, REMOTE_ERR_NO_CONNECT, "cannot start '%s': %s", path, why->message);
        return 0;
    }
    return child;
}

/* What a daemon that has ended said last. */
static void tell_end(int words, int status, GError **error)
{
    char text[1024];
    ssize_t n = read(words, text, sizeof(text) - 1);

    text[MAX(n, 0)] = 0;
    g_strchomp(text);
    char *line = strrchr(text, '\n');
    remote_error_set(error, REMOTE_ERR_NO_CONNECT, "cannot start insulad: %s%s",
                     *text ? "" : "it ended", line ? line + 1 : text);
}

/* Wait until the new daemon takes connections. */
static int wait_for(const char *path, GPid child, int words, GError **error)
{
    int status = 0;

    for (unsigned waited = 0; waited < START_LIMIT_MS; waited += START_STEP_MS) {
        int fd = connect_to(path);
        if (fd >= 0) {
            return fd;
        }
        if (waitpid(child, &status, WNOHANG) == child) {
            tell_end(words, status, error);
            return -1;
        }
        g_usleep(START_STEP_MS * 1000);
    }
    remote_error_set(error, REMOTE_ERR_NO_CONNECT,
                     "insulad was started, and takes no connection at '%s' after %d s", path,
                     START_LIMIT_MS / 1000);
    return -1;
}

/* Its end is nobody's concern, but must not leave a zombie with a client that lives long. */
static void forget(GPid child, int status, void *opaque)
{
    g_spawn_close_pid(child);
}

static int start(const char *path, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *lock_path = g_build_filename(folder, "start.lock", NULL);
    int words = -1, fd = -1;

    if (!place_make(folder, error)) {
        return -1;
    }
    int lock = open(lock_path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0 || flock(lock, LOCK_EX)) {
        no_connect(error, "", lock_path, errno);
        if (lock >= 0) {
            close(lock);
        }
        return -1;
    }
    fd = connect_to(path);
    GPid child = fd < 0 ? spawn(&words, error) : 0;
    if (child) {
        fd = wait_for(path, child, words, error);
        close(words);
        g_child_watch_add(child, forget, NULL);
    }
    close(lock);
    return fd;
}

/* ---- where ---- */

static int reach_socket(const char *path, bool may_start, GError **error)
{
    int fd = connect_to(path);

    if (fd >= 0) {
        return fd;
    }
    if (may_start && (fd == -ENOENT || fd == -ECONNREFUSED)) {
        return start(path, error);
    }
    no_connect(error,
               fd == -EACCES ? "it is another user's"
               : fd == -ENOENT || fd == -ECONNREFUSED
                   ? "it is not running there: start it (insulad, or systemctl start insulad)"
                   : "",
               path, -fd);
    return -1;
}

typedef struct SshTarget {
    char *host; /* USER@HOST */
    char *port; /* NULL: ssh's own */
    bool system;
} SshTarget;

static bool is_host_character(char c)
{
    return g_ascii_isalnum(c) || strchr("-._@:[]%", c);
}

/* The parts of @rest, "[USER@]HOST[:PORT][/WHICH]". */
static bool parse_ssh(const char *rest, SshTarget *target, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(rest, "/", 2);
    char *colon = parts[0] ? strrchr(parts[0], ':') : NULL;
    const char *which = parts[0] && parts[1] ? parts[1] : "session";
    bool good = parts[0] && *parts[0] && parts[0][0] != '-' &&
                (!strcmp(which, "session") || !strcmp(which, "system"));

    for (const char *p = good ? parts[0] : ""; *p; p++) {
        good = good && is_host_character(*p);
    }
    if (!good) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG,
                         "'ssh://%s' must be ssh://[USER@]HOST[:PORT][/session|/system]", rest);
        return false;
    }
    if (colon && !strchr(colon, ']')) {
        *colon = 0;
        target->port = g_strdup(colon + 1);
    }
    target->host = g_strdup(parts[0]);
    target->system = !strcmp(which, "system");
    return true;
}

/* Run by the child that becomes ssh: one socket for what comes and what goes. */
static void use_socket(void *socket)
{
    int fd = GPOINTER_TO_INT(socket);

    dup2(fd, STDIN_FILENO);
    dup2(fd, STDOUT_FILENO);
}

static int reach_ssh(const char *rest, bool read_only, GPid *ret_ssh, GError **error)
{
    SshTarget target = { 0 };
    int pair[2];
    g_autoptr(GError) why = NULL;

    if (!parse_ssh(rest, &target, error)) {
        return -1;
    }
    g_autofree char *host = target.host, *port = target.port;
    const char *argv[16] = { "ssh", "-T", "-e", "none" };
    unsigned n = 4;
    if (port) {
        argv[n++] = "-p";
        argv[n++] = port;
    }
    argv[n++] = "--";
    argv[n++] = host;
    argv[n++] = "insula";
    argv[n++] = "proxy";
    argv[n++] = target.system ? "system" : "session";
    if (read_only) {
        argv[n++] = "read-only";
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
        return no_connect(error, "", host, errno) - 1;
    }
    bool good = g_spawn_async(NULL, (char **)(uintptr_t)argv, NULL,
                              G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD |
                                  G_SPAWN_CHILD_INHERITS_STDIN,
                              use_socket, GINT_TO_POINTER(pair[1]), ret_ssh, &why);
    close(pair[1]);
    if (!good) {
        close(pair[0]);
        remote_error_set(error, REMOTE_ERR_NO_CONNECT, "cannot run ssh: %s", why->message);
        return -1;
    }
    return pair[0];
}

/* "DRIVER:///PATH?socket=SOCKET": its parts, newly allocated. */
static bool split_uri(const char *where, char **ret_name, char **ret_socket)
{
    const char *query = strstr(where, "?socket=");
    const char *scheme = strstr(where, ":///");

    if (!query || !scheme || scheme > query) {
        return false;
    }
    const char *plus = memchr(where, '+', (size_t)(scheme - where)); /* "+unix": how, not what */
    *ret_name = g_strdup_printf("%.*s%.*s", (int)((plus ? plus : scheme) - where), where,
                                (int)(query - scheme), scheme);
    *ret_socket = g_uri_unescape_string(query + strlen("?socket="), NULL);
    return *ret_socket;
}

int client_reach(const char *where, InsulaOpenFlags flags, GPid *ret_ssh, char **ret_name,
                 GError **error)
{
    bool read_only = flags & INSULA_OPEN_READ_ONLY;
    bool is_root = geteuid() == 0;
    const char *set = g_getenv("INSULA_CONNECT");
    g_autofree char *socket = NULL;

    where = where ? where : set && *set ? set : is_root ? "system" : "session";
    if (split_uri(where, ret_name, &socket)) {
        where = socket;
    }
    if (g_str_has_prefix(where, "unix:")) {
        where += strlen("unix:");
    }
    if (g_str_has_prefix(where, "ssh://")) {
        return reach_ssh(where + strlen("ssh://"), read_only, ret_ssh, error);
    }
    if (where[0] == '/') {
        return reach_socket(where, false, error);
    }
    if (strcmp(where, "system") != 0 && strcmp(where, "session") != 0) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG,
                         "'%s' is no daemon: it must be session, system, the path of a socket, or "
                         "ssh://[USER@]HOST[:PORT]",
                         where);
        return -1;
    }
    g_autofree char *path = place_socket(!strcmp(where, "system"), read_only);
    bool own = !strcmp(where, is_root ? "system" : "session");
    return reach_socket(path, own && !read_only && !(flags & INSULA_OPEN_NO_START), error);
}

int insula_reach(const char *where, InsulaOpenFlags flags, GError **error)
{
    g_autofree char *name = NULL;
    GPid none = 0;

    if (where && g_str_has_prefix(where, "ssh:")) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG, "'%s' is reached by ssh alone", where);
        return -1;
    }
    return client_reach(where, flags, &none, &name, error);
}
