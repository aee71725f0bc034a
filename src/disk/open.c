/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images are opened by name, see disk.h.
 *
 * A format is what the user says or what the name ends in.  The content is only looked at to say
 * in the error what it seems to be.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "block/chain.h"
#include "common/error.h"
#include "disk/disk.h"

/* What the file begins as, for people. */
static const char *look(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char bytes[4] = { 0 };

    if (fd < 0) {
        return NULL;
    }
    ssize_t got = pread(fd, bytes, sizeof(bytes), 0);
    close(fd);
    if (got < 0) {
        return NULL;
    }
    return memcmp(bytes, "QFI\xfb", 4)
               ? "it does not begin as a qcow2 image does: say --format raw "
                 "if it is a disk as it is"
               : "it begins as a qcow2 image does: say --format qcow2 if it "
                 "is yours, and no guest has written it";
}

const char *disk_format(const char *path, const char *said, GError **error)
{
    const char *format = said ? said : blk_format_of_name(path);

    if (format) {
        return blk_driver_find(format, error) ? format : NULL;
    }
    const char *looks = look(path);
    if (looks) {
        set_error_code(error, INSULA_ERROR_USAGE, "the name of '%s' does not tell its format; %s",
                       path, looks);
    } else {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "the name of '%s' does not tell its format, and it can't be read: say "
                       "--format",
                       path);
    }
    return NULL;
}

const char *disk_new_format(const char *path, const char *said, const char *option, GError **error)
{
    const char *format = said ? said : blk_format_of_name(path);

    if (!format) {
        set_error_code(
            error, INSULA_ERROR_USAGE,
            "the name of '%s' does not tell which format it shall have: say %s qcow2, or "
            "%s raw",
            path, option, option);
        return NULL;
    }
    return blk_driver_find(format, error) ? format : NULL;
}

Blk *disk_open(const char *path, const char *said, BlkOptions options, GError **error)
{
    options.path = path;
    options.format = disk_format(path, said, error);
    return options.format ? blk_chain_open(&options, error) : NULL;
}
