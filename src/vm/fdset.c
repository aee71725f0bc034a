/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Passed descriptors, see fdset.h.
 */
#include "vm/fdset.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/error.h"

/* In all; a disk takes one or two, and the process has a thousand. */
enum { FDS_MAX = 256, TEXT_MAX = 256 };

typedef struct Passed {
    int64_t set;
    int fd;
    char *text;
} Passed;

struct FdSets {
    GArray *passed; /* of Passed, by set */
    BlkHost host;
};

static void clear(gpointer data)
{
    Passed *passed = data;

    close(passed->fd);
    g_free(passed->text);
}

static const Passed *at(const FdSets *sets, unsigned index)
{
    return &g_array_index(sets->passed, Passed, index);
}

static int64_t new_id(const FdSets *sets)
{
    int64_t id = 0;

    for (unsigned i = 0; i < sets->passed->len; i++) {
        if (at(sets, i)->set == id) {
            id++;
        }
    }
    return id;
}

bool fd_sets_add(FdSets *sets, int64_t id, int fd, const char *text, int64_t *ret_id,
                 GError **error)
{
    Passed passed = { id < 0 ? new_id(sets) : id, fd, NULL };
    unsigned place = 0;

    if (sets->passed->len >= FDS_MAX || (text && strlen(text) > TEXT_MAX)) {
        set_error(error, "more than %d descriptors, or %d bytes of text with one, are not kept",
                  FDS_MAX, TEXT_MAX);
        close(fd);
        return false;
    }
    while (place < sets->passed->len && at(sets, place)->set <= passed.set) {
        place++;
    }
    passed.text = g_strdup(text);
    g_array_insert_val(sets->passed, place, passed);
    *ret_id = passed.set;
    return true;
}

bool fd_sets_remove(FdSets *sets, int64_t id, int64_t fd, GError **error)
{
    bool found = false;

    for (unsigned i = sets->passed->len; i > 0; i--) {
        const Passed *passed = at(sets, i - 1);
        if (passed->set == id && (fd < 0 || passed->fd == fd)) {
            g_array_remove_index(sets->passed, i - 1);
            found = true;
        }
    }
    if (!found && fd >= 0) {
        set_error(error,
                  "File descriptor named 'fdset-id:%" G_GINT64_FORMAT ", fd:%" G_GINT64_FORMAT
                  "' not found",
                  id, fd);
    } else if (!found) {
        set_error(error, "File descriptor named 'fdset-id:%" G_GINT64_FORMAT "' not found", id);
    }
    return found;
}

void fd_sets_foreach(const FdSets *sets,
                     void (*fn)(void *opaque, int64_t id, int fd, const char *text), void *opaque)
{
    for (unsigned i = 0; i < sets->passed->len; i++) {
        fn(opaque, at(sets, i)->set, at(sets, i)->fd, at(sets, i)->text);
    }
}

/* The number in "/dev/fdset/N"; false: it is another path. */
static bool set_of_path(const char *path, int64_t *ret_id)
{
    static const char prefix[] = "/dev/fdset/";

    if (!g_str_has_prefix(path, prefix)) {
        return false;
    }
    guint64 id;
    *ret_id = g_ascii_string_to_unsigned(path + strlen(prefix), 10, 0, INT32_MAX, &id, NULL)
                  ? (int64_t)id
                  : -1;
    return true;
}

bool fd_sets_has_name(const char *path)
{
    int64_t id;

    return set_of_path(path, &id);
}

/* A duplicate of the set's descriptor that may do what @flags ask, best of all no more; -errno. */
static int open_of_set(const FdSets *sets, int64_t id, int flags)
{
    int wanted = flags & O_ACCMODE, best = -1;

    for (unsigned i = 0; i < sets->passed->len; i++) {
        const Passed *passed = at(sets, i);
        int mode = passed->set == id ? fcntl(passed->fd, F_GETFL) : -1;
        if (mode >= 0 && (mode & O_ACCMODE) == wanted) {
            best = passed->fd;
            break;
        }
        if (mode >= 0 && (mode & O_ACCMODE) == O_RDWR) {
            best = passed->fd;
        }
    }
    if (best < 0) {
        return id < 0 ? -ENOENT : -EACCES;
    }
    int fd = fcntl(best, F_DUPFD_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

static int host_open(void *opaque, const char *path, int flags)
{
    int64_t id;

    return set_of_path(path, &id) ? open_of_set(opaque, id, flags)
                                  : blk_host_system.open(blk_host_system.opaque, path, flags);
}

const BlkHost *fd_sets_host(FdSets *sets)
{
    return &sets->host;
}

FdSets *fd_sets_new(void)
{
    FdSets *sets = g_new0(FdSets, 1);

    sets->passed = g_array_new(FALSE, FALSE, sizeof(Passed));
    g_array_set_clear_func(sets->passed, clear);
    sets->host = blk_host_system;
    sets->host.opaque = sets;
    sets->host.open = host_open;
    return sets;
}

void fd_sets_free(FdSets *sets)
{
    if (sets) {
        g_array_unref(sets->passed);
        g_free(sets);
    }
}
