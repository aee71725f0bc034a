/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the other programs of Insula are, see program.h.
 */
#include "common/program.h"

#include <fcntl.h>
#include <glib.h>
#include <unistd.h>

char *program_find(const char *name, const char *folder)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *here = self ? g_path_get_dirname(self) : NULL;
    g_autofree char *neighbour = g_build_filename("..", folder, NULL);
    const char *const places[] = { ".", neighbour };

    for (unsigned i = 0; here && i < G_N_ELEMENTS(places); i++) {
        g_autofree char *path = g_build_filename(here, places[i], name, NULL);
        if (!access(path, X_OK)) {
            return g_steal_pointer(&path);
        }
    }
    return NULL;
}

bool program_fill_standard_fds(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0) {
        return false;
    }
    close(fd);
    return true;
}
