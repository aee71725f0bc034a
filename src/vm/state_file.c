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

struct StateFile {
    char *path;
    int fd; /* holds the lock */
    StateHeader header;
    uint8_t *machine;
};

_Static_assert(sizeof(StateHeader) <= STATE_PAGE, "the header is one page");

/* --- what both directions do --- */

static void digest_of(const StateHeader *header, const uint8_t *machine,
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

bool state_file_write(int fd, const StateIdentity *identity, uint64_t clock_ns, Machine *machine,
                      GError **error)
{
    g_autoptr(GByteArray) state = g_byte_array_new();
    g_autofree StateHeader *header = g_new0(StateHeader, 1);
    uint64_t written;
    size_t n;
    RamBlock *const *blocks = gm_blocks(machine_memory(machine), &n);

    if (!machine_save(machine, state, error)) {
        return false;
    }
    *header = (StateHeader){ .format = STATE_FORMAT,
                             .machine_len = state->len,
                             .clock_ns = clock_ns,
                             .identity = *identity };
    memcpy(header->magic, MAGIC, sizeof(header->magic));
    if (!lay_out(header, blocks, n, error)) {
        return false;
    }
    digest_of(header, state->data, header->digest);
    if (!lock_file(fd, F_WRLCK) || ftruncate(fd, (off_t)header->file_size) < 0) {
        set_error_errno(error, errno, "cannot write the state file");
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (!block_write(blocks[i], fd, header->blocks[i].offset, &written, error)) {
            return false;
        }
    }
    /* the header comes last: without it this is no state file */
    bool good = write_at(fd, state->data, state->len, STATE_PAGE, error) &&
                write_at(fd, header, sizeof(*header), 0, error);
    if (good && fdatasync(fd) < 0) {
        set_error_errno(error, errno, "cannot write the state file");
        good = false;
    }
    lock_file(fd, F_UNLCK);
    return good;
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

/* What of a header is wrong, or NULL. */
static const char *check_header(const StateHeader *header, uint64_t file_size)
{
    const StateIdentity *identity = &header->identity;

    if (header->file_size != file_size) {
        return "it has another size than when it was written";
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
    *ret_wrong = "it was written by a newer insula; use that one";
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
    digest_of(header, file->machine, digest);
    *ret_wrong = "it is damaged";
    return memcmp(digest, header->digest, sizeof(digest)) == 0;
}

StateFile *state_file_open(const char *path, GError **error)
{
    g_autoptr(StateFile) file = g_new0(StateFile, 1);
    const char *wrong;

    file->path = g_strdup(path);
    file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file->fd < 0) {
        set_error_errno(error, errno, "cannot open state file '%s'", path);
        return NULL;
    }
    if (!lock_file(file->fd, F_RDLCK)) {
        set_error(error, "cannot restore from '%s': it is being written", path);
        return NULL;
    }
    if (!read_file(file, &wrong)) {
        set_error(error, "cannot restore from '%s': %s", path, wrong);
        return NULL;
    }
    return g_steal_pointer(&file);
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
