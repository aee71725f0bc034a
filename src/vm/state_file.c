/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file that holds a whole machine, see state_file.h.
 */
#include "vm/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/bits.h"
#include "common/clock.h"
#include "common/error.h"
#include "memory/image.h"

#define MAGIC "INSULAVM"

struct StateWriter {
    /* fixed after create */
    int fd; /* not ours */
    StateHeader header;
    GByteArray *state; /* of devices and vCPUs */
    RamBlock *const *blocks;
    BlockProgress progress;
};

struct StateFile {
    char *path;
    int fd; /* holds the lock */
    StateHeader header;
    uint8_t *machine;
};

_Static_assert(sizeof(StateHeader) <= STATE_PAGE, "the header is one page");

/* --- what both directions do --- */

void state_digest(const StateHeader *header, const uint8_t *machine,
                  uint8_t ret_digest[STATE_DIGEST])
{
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
    StateHeader bare = *header;
    gsize len = STATE_DIGEST;

    memset(bare.digest, 0, sizeof(bare.digest));
    g_checksum_update(sum, (const guchar *)&bare, sizeof(bare));
    g_checksum_update(sum, machine, (gssize)header->machine_len);
    g_checksum_get_digest(sum, ret_digest, &len);
    g_checksum_free(sum);
}

static bool lock_file(int fd, short kind)
{
    struct flock lock = { .l_type = kind, .l_whence = SEEK_SET };

    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

/* --- writing --- */

static bool write_at(int fd, const void *data, size_t len, uint64_t offset, GError **error)
{
    const uint8_t *from = data;

    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(fd, from + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            set_error_errno(error, n ? errno : ENOSPC, "cannot write the state file");
            return false;
        }
        done += (size_t)n;
    }
    return true;
}

/* Give each block its place, and the file its size. */
static bool lay_out(StateHeader *header, RamBlock *const *blocks, size_t n, GError **error)
{
    uint64_t at = align_up(STATE_PAGE + header->machine_len, STATE_PAGE);

    if (n > STATE_BLOCKS_MAX || header->machine_len > STATE_MACHINE_MAX) {
        set_error(error, "cannot save: the machine has more parts than a state file holds");
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        StateBlock *block = &header->blocks[header->n_blocks++];
        g_strlcpy(block->name, blocks[i]->name, sizeof(block->name));
        block->size = blocks[i]->size;
        block->offset = at;
        at += block->size;
    }
    header->file_size = at;
    return true;
}

static bool write_all(StateWriter *writer, GError **error)
{
    const StateHeader *header = &writer->header;
    int fd = writer->fd;

    for (uint32_t i = 0; i < header->n_blocks; i++) {
        if (!block_write(writer->blocks[i], fd, header->blocks[i].offset, &writer->progress,
                         error)) {
            return false;
        }
    }
    /* the header comes last: without it this is no state file */
    return write_at(fd, writer->state->data, writer->state->len, STATE_PAGE, error) &&
           write_at(fd, header, sizeof(*header), 0, error);
}

bool state_writer_run(StateWriter *writer, bool durable, GError **error)
{
    if (!write_all(writer, error)) {
        return false;
    }
    if (durable && fdatasync(writer->fd) < 0) {
        set_error_errno(error, errno, "cannot write the state file");
        return false;
    }
    return true;
}

void state_writer_cancel(StateWriter *writer)
{
    __atomic_store_n(&writer->progress.stop, true, __ATOMIC_RELAXED);
}

void state_writer_progress(StateWriter *writer, uint64_t *ret_total, uint64_t *ret_passed,
                           uint64_t *ret_written)
{
    *ret_total = 0;
    for (uint32_t i = 0; i < writer->header.n_blocks; i++) {
        *ret_total += writer->header.blocks[i].size;
    }
    *ret_passed = __atomic_load_n(&writer->progress.passed, __ATOMIC_RELAXED);
    *ret_written = __atomic_load_n(&writer->progress.written, __ATOMIC_RELAXED);
}

/* An empty regular file, which nobody reads. */
static bool take_file(int fd, uint64_t size, GError **error)
{
    struct stat info;

    if (fstat(fd, &info) < 0) {
        set_error_errno(error, errno, "cannot write the state file");
    } else if (!S_ISREG(info.st_mode) || info.st_size) {
        set_error(error, "cannot write the state file: it must be %s",
                  info.st_size ? "empty" : "a regular file");
    } else if (!lock_file(fd, F_WRLCK) || ftruncate(fd, (off_t)size) < 0) {
        set_error_errno(error, errno, "cannot write the state file");
    } else {
        return true;
    }
    return false;
}

StateWriter *state_writer_new(int fd, const StateIdentity *identity, uint64_t clock_ns,
                              Machine *machine, GError **error)
{
    g_autoptr(StateWriter) writer = g_new0(StateWriter, 1);
    StateHeader *header = &writer->header;
    size_t n;

    writer->fd = fd;
    writer->state = g_byte_array_new();
    writer->blocks = gm_blocks(machine_memory(machine), &n);
    if (!machine_save(machine, writer->state, error)) {
        return NULL;
    }
    *header = (StateHeader){ .format = STATE_FORMAT,
                             .machine_len = writer->state->len,
                             .clock_ns = clock_ns,
                             .identity = *identity };
    memcpy(header->magic, MAGIC, sizeof(header->magic));
    if (!lay_out(header, writer->blocks, n, error)) {
        return NULL;
    }
    state_digest(header, writer->state->data, header->digest);
    return take_file(fd, header->file_size, error) ? g_steal_pointer(&writer) : NULL;
}

void state_writer_free(StateWriter *writer)
{
    if (writer) {
        lock_file(writer->fd, F_UNLCK);
        g_byte_array_unref(writer->state);
        g_free(writer);
    }
}

/* --- reading --- */

static bool read_at(int fd, void *data, size_t len, uint64_t offset)
{
    uint8_t *to = data;

    for (size_t done = 0; done < len;) {
        ssize_t n = pread(fd, to + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        done += (size_t)n;
    }
    return true;
}

static bool is_name(const char name[STATE_NAME])
{
    return name[0] && memchr(name, 0, STATE_NAME) && g_str_is_ascii(name);
}

/* What of a header is wrong, or NULL.  Behind the state may stand what a manager keeps there. */
static const char *check_header(const StateHeader *header, uint64_t whole_size)
{
    const StateIdentity *identity = &header->identity;
    uint64_t file_size = header->file_size;

    if (file_size > whole_size) {
        return "it is shorter than when it was written";
    }
    if (header->machine_len > STATE_MACHINE_MAX || header->n_blocks > STATE_BLOCKS_MAX ||
        !range_inside(STATE_PAGE, header->machine_len, 0, file_size)) {
        return "its header can't be";
    }
    if (!is_name(identity->board) || !is_name(identity->cpu_model) ||
        !is_name(identity->firmware)) {
        return "its names can't be";
    }
    for (uint32_t i = 0; i < header->n_blocks; i++) {
        const StateBlock *block = &header->blocks[i];
        if (!is_name(block->name) || block->offset % STATE_PAGE || block->size % STATE_PAGE ||
            !block->size || !range_inside(block->offset, block->size, STATE_PAGE, file_size)) {
            return "its memory lies outside it";
        }
    }
    return NULL;
}

/* Read and check header and machine; *@ret_wrong says what is wrong. */
static bool read_file(StateFile *file, const char **ret_wrong)
{
    struct stat info;
    uint8_t digest[STATE_DIGEST];
    StateHeader *header = &file->header;

    *ret_wrong = "it is not a state file of insula's";
    if (fstat(file->fd, &info) < 0 || !S_ISREG(info.st_mode) ||
        !read_at(file->fd, header, sizeof(*header), 0) ||
        memcmp(header->magic, MAGIC, sizeof(header->magic)) != 0) {
        return false;
    }
    *ret_wrong = "it was written by another version of insula; use that one";
    if (header->format != STATE_FORMAT) {
        return false;
    }
    *ret_wrong = check_header(header, (uint64_t)info.st_size);
    if (*ret_wrong) {
        return false;
    }
    file->machine = g_try_malloc(header->machine_len + 1);
    *ret_wrong = "it can't be read";
    if (!file->machine || !read_at(file->fd, file->machine, header->machine_len, STATE_PAGE)) {
        return false;
    }
    state_digest(header, file->machine, digest);
    *ret_wrong = "it is damaged";
    return memcmp(digest, header->digest, sizeof(digest)) == 0;
}

StateFile *state_file_open_fd(int fd, const char *name, GError **error)
{
    g_autoptr(StateFile) file = g_new0(StateFile, 1);
    const char *wrong;

    file->path = g_strdup(name);
    file->fd = fd;
    if (!lock_file(fd, F_RDLCK)) {
        set_error(error, "cannot restore from '%s': it is being written", name);
        return NULL;
    }
    if (!read_file(file, &wrong)) {
        set_error(error, "cannot restore from '%s': %s", name, wrong);
        return NULL;
    }
    return g_steal_pointer(&file);
}

StateFile *state_file_open(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        set_error_errno(error, errno, "cannot open state file '%s'", path);
        return NULL;
    }
    return state_file_open_fd(fd, path, error);
}

void state_file_free(StateFile *file)
{
    if (!file) {
        return;
    }
    if (file->fd >= 0) {
        close(file->fd);
    }
    g_free(file->machine);
    g_free(file->path);
    g_free(file);
}

const StateHeader *state_file_header(const StateFile *file)
{
    return &file->header;
}

static bool map_blocks(const StateFile *file, const Machine *machine, GError **error)
{
    size_t n;
    RamBlock *const *blocks = gm_blocks(machine_memory(machine), &n);
    bool same = n == file->header.n_blocks;

    for (size_t i = 0; i < n && same; i++) {
        const StateBlock *saved = &file->header.blocks[i];
        same = !strncmp(saved->name, blocks[i]->name, STATE_NAME - 1) &&
               saved->size == blocks[i]->size;
    }
    if (!same) {
        set_error(error,
                  "cannot restore from '%s': its memory isn't laid out as this machine's; "
                  "restore it with the options that it was started with",
                  file->path);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (!block_map(blocks[i], file->fd, file->header.blocks[i].offset, error)) {
            return false;
        }
    }
    return true;
}

bool state_file_load(const StateFile *file, Machine *machine, Clock *clock, GError **error)
{
    /* memory first: queues of devices are checked against what lies in it */
    if (!map_blocks(file, machine, error)) {
        return false;
    }
    clock_set(clock, file->header.clock_ns);
    return machine_load(machine, file->machine, file->header.machine_len, error);
}
