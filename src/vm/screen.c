/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sockets of the VNC server, see screen.h.
 */
#include "vm/screen.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/error.h"
#include "display/vnc.h"
#include "vm/listen.h"

struct Screen {
    Vnc *vnc;
    char *path; /* of the socket; NULL: it has none */
};

/* The first line of @path, or NULL. */
static char *read_password(const char *path, GError **error)
{
    char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, error)) {
        g_prefix_error(error, "--vnc: password: ");
        return NULL;
    }
    text[strcspn(text, "\r\n")] = '\0';
    return text;
}

/* @fd was open when the program began: a viewer is at its other end, or it listens. */
static bool take_descriptor(Screen *screen, int fd, GError **error)
{
    int listens = 0;
    socklen_t size = sizeof(listens);

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0) {
        set_error_errno(error, errno, "--vnc: descriptor %d is not a socket that is open", fd);
        return false;
    }
    if (listens) {
        vnc_listen(screen->vnc, fd);
    } else {
        vnc_connect(screen->vnc, fd);
    }
    return true;
}

static bool open_socket(Screen *screen, const ScreenConfig *config, GError **error)
{
    if (config->kind == SCREEN_FD) {
        return take_descriptor(screen, config->fd, error);
    }
    int fd = config->kind == SCREEN_UNIX ? listen_unix(config->path, "--vnc", error)
                                         : listen_loopback(config->port, "--vnc", error);
    if (fd >= 0) {
        screen->path = g_strdup(config->path);
        vnc_listen(screen->vnc, fd);
    }
    return fd >= 0;
}

Screen *screen_open(const ScreenConfig *config, const char *name, Display *display, Input *input,
                    GError **error)
{
    g_autofree char *password = NULL;

    if (config->password_file) {
        password = read_password(config->password_file, error);
        if (!password) {
            return NULL;
        }
    }
    Vnc *vnc = vnc_new(&(VncConfig){ name, password, display, input }, error);
    if (!vnc) {
        return NULL;
    }
    Screen *screen = g_new0(Screen, 1);
    screen->vnc = vnc;
    if (!open_socket(screen, config, error)) {
        screen_free(screen);
        return NULL;
    }
    return screen;
}

void screen_start(Screen *screen)
{
    vnc_start(screen->vnc);
}

void screen_free(Screen *screen)
{
    if (!screen) {
        return;
    }
    vnc_free(screen->vnc);
    if (screen->path) {
        unlink(screen->path);
    }
    g_free(screen->path);
    g_free(screen);
}
