/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets to listen on, see sockets.h and sd_listen_fds(3), sd_notify(3).
 *
 * One that is made takes the place of one that a daemon before us left; that no other daemon lives
 * was made sure of by a lock (daemon.c).
 */
#include "manager/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/error.h"

enum { FIRST_HANDED_OVER = 3, BACKLOG = 1024 };

/* Number in environment variable @name; 0: none. */
static int64_t number_in(const char *name)
{
    const char *text = g_getenv(name);
    gint64 value = 0;

    return text && g_ascii_string_to_signed(text, 10, 0, G_MAXINT, &value, NULL) ? value : 0;
}

static unsigned take_over(Socket *ret, unsigned most)
{
    const char *names = g_getenv("LISTEN_FDNAMES");
    const int64_t n = number_in("LISTEN_PID") == getpid() ? number_in("LISTEN_FDS") : 0;
    g_auto(GStrv) split = g_strsplit(names ? names : "", ":", -1);
    unsigned i = 0;

    for (; i < n && i < most; i++) {
        ret[i] = (Socket){ .fd = FIRST_HANDED_OVER + (int)i,
                           .read_only = i < g_strv_length(split) && strcmp(split[i], "ro") == 0 };
        (void)fcntl(ret[i].fd, F_SETFD, FD_CLOEXEC);
        (void)fcntl(ret[i].fd, F_SETFL, fcntl(ret[i].fd, F_GETFL) | O_NONBLOCK);
    }
    g_unsetenv("LISTEN_PID"); /* not for our children */
    g_unsetenv("LISTEN_FDS");
    g_unsetenv("LISTEN_FDNAMES");
    return i;
}

/* Of the system: the group "insula", if there is one, may come by one, and everybody by the
 * other. */
static bool open_up(const char *path, bool read_only, GError **error)
{
    const struct group *group = getgrnam("insula");
    const mode_t mode = read_only ? 0666 : group ? 0660 : 0600;

    if ((group && !read_only && chown(path, (uid_t)-1, group->gr_gid) != 0) ||
        chmod(path, mode) != 0) {
        set_error_errno(error, errno, "cannot let others use socket '%s'", path);
        return false;
    }
    return true;
}

static int make(const char *path, GError **error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof(address.sun_path)) {
        set_error(error, "the path of socket '%s' is longer than %zu bytes; use --socket", path,
                  sizeof(address.sun_path) - 1);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)unlink(path);
    const mode_t mask = umask(0177);
    const bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    umask(mask);
    if (!bound || listen(fd, BACKLOG) != 0) {
        set_error_errno(error, errno, "cannot listen on socket '%s'", path);
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

unsigned sockets_open(const DaemonPaths *paths, bool privileged, Socket *ret, unsigned most,
                      GError **error)
{
    const char *const names[] = { paths->socket, paths->socket_read_only };
    const unsigned handed_over = take_over(ret, most);

    if (handed_over) {
        return handed_over;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        const int fd = make(names[i], error);
        if (fd < 0 || (privileged && !open_up(names[i], i == 1, error))) {
            return 0;
        }
        ret[i] = (Socket){ .fd = fd, .read_only = i == 1, .path = g_strdup(names[i]) };
    }
    return G_N_ELEMENTS(names);
}

void sockets_notify(const char *state)
{
    const char *path = g_getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(address.sun_path)) {
        return;
    }
    const size_t len = strlen(path);
    memcpy(address.sun_path, path, len);
    if (path[0] == '@') {
        address.sun_path[0] = '\0'; /* in no folder */
    }
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
                     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
        close(fd);
    }
}
