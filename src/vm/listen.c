/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets that wait for a client, see listen.h.
 */
#include "vm/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/error.h"

enum { BACKLOG = 4 };

/* Whether @path is a socket that nobody listens on. */
static bool is_stale(const struct sockaddr_un *address)
{
    struct stat info;

    if (lstat(address->sun_path, &info) < 0 || !S_ISSOCK(info.st_mode)) {
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool stale = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
                 errno == ECONNREFUSED;
    if (fd >= 0) {
        close(fd);
    }
    return stale;
}

static int try_bind(int fd, const struct sockaddr_un *address)
{
    const struct sockaddr *plain = (const struct sockaddr *)address;

    if (!bind(fd, plain, sizeof(*address))) {
        return 0;
    }
    if (errno != EADDRINUSE || !is_stale(address)) {
        return -1;
    }
    unlink(address->sun_path);
    return bind(fd, plain, sizeof(*address));
}

int listen_unix(const char *path, const char *what, GError **error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof(address.sun_path)) {
        set_error(error, "%s: socket path '%s' is too long; use a shorter one", what, path);
        return -1;
    }
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        set_error_errno(error, errno, "%s: cannot make a socket", what);
        return -1;
    }
    fchmod(fd, S_IRUSR | S_IWUSR); /* bind() gives the file this mode */
    if (try_bind(fd, &address) < 0) {
        int err = errno;
        close(fd);
        if (err == EADDRINUSE) {
            set_error(error, "%s: '%s' exists already; remove it or choose another path", what,
                      path);
        } else {
            set_error_errno(error, err, "%s: cannot make socket '%s'", what, path);
        }
        return -1;
    }
    if (listen(fd, BACKLOG) < 0) {
        set_error_errno(error, errno, "%s: cannot listen on socket '%s'", what, path);
        unlink(path);
        close(fd);
        return -1;
    }
    return fd;
}

int listen_loopback(uint16_t port, const char *what, GError **error)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        set_error_errno(error, errno, "%s: cannot make a socket", what);
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, BACKLOG) < 0) {
        set_error_errno(error, errno, "%s: cannot listen on port %u of 127.0.0.1", what, port);
        close(fd);
        return -1;
    }
    return fd;
}

int listen_accept(int fd)
{
    return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}
