/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: state files.  A machine is saved to a file; the input changes bytes of the header,
 * of the devices' and vCPUs' state, or the file's size, and the first byte says whether the digest
 * is made to fit then.  A machine of the same configuration loads what came of it.
 *
 * Whatever the file holds, it is refused with an error or the machine is whole, and can be saved
 * again.
 *
 * Threads: those of a machine.
 */
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/bits.h"
#include "common/clock.h"
#include "engine/engine.h"
#include "memory/memory.h"
#include "vm/state_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MIB = 1 << 20, STEP = 4, DIGEST_FITS = 1, IS_PC = 2, IS_CUT = 4, TIME_NS = 12345 };

typedef struct Rig {
    Clock *clock;
    Machine *machine;
} Rig;

static void rig_init(Rig *rig, const char *board)
{
    g_autoptr(GError) error = NULL;

    rig->clock = clock_new_manual();
    const MachineConfig config = {
        .board = board,
        .engine = engine_choose("interpreter", NULL, NULL),
        .cpus = 1,
        .memory_size = 16 * MIB,
        .firmware = "none",
        .restore = true,
        .clock = rig->clock,
    };
    rig->machine = machine_new(&config, &error);
    g_assert_no_error(error);
    machine_start(rig->machine);
}

static void rig_clear(Rig *rig)
{
    machine_free(rig->machine);
    clock_free(rig->clock);
}

static bool save(const Rig *rig, int fd)
{
    const StateIdentity identity = { .board = "b", .cpu_model = "c", .firmware = "none" };

    machine_pause(rig->machine, true);
    g_autoptr(StateWriter) writer = state_writer_new(fd, &identity, TIME_NS, rig->machine, NULL);
    bool good = writer && state_writer_run(writer, false, NULL);
    machine_pause(rig->machine, false);
    return good;
}

/* Steps of the input: three bytes of place, one of value. */
static void change(int fd, const uint8_t *data, size_t size)
{
    StateHeader header;
    uint8_t choice = data[0];

    g_assert(pread(fd, &header, sizeof(header), 0) == sizeof(header));
    g_autofree uint8_t *machine = g_malloc(header.machine_len);
    size_t len = header.machine_len;
    g_assert(pread(fd, machine, len, STATE_PAGE) == (ssize_t)len);
    for (size_t i = 1; i + STEP <= size; i += STEP) {
        uint32_t at = load_le32(data + i) & 0x7fffff;
        if (data[i + 2] & 0x80) {
            ((uint8_t *)&header)[at % sizeof(header)] = data[i + 3];
        } else {
            machine[at % len] = data[i + 3];
        }
    }
    if ((choice & DIGEST_FITS) && header.machine_len <= len) {
        state_digest(&header, machine, header.digest);
    }
    g_assert(pwrite(fd, &header, sizeof(header), 0) == sizeof(header));
    g_assert(pwrite(fd, machine, len, STATE_PAGE) == (ssize_t)len);
    if ((choice & IS_CUT) && size >= 3) {
        g_assert(ftruncate(fd, load_le16(data + 1)) == 0);
    }
}

static void load(int fd, const char *board)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(StateFile) file = state_file_open_fd(fd, "state", &error);
    Rig rig;

    g_assert(!file == !!error);
    if (!file) {
        return;
    }
    rig_init(&rig, board);
    bool loaded = state_file_load(file, rig.machine, rig.clock, &error);
    g_assert(loaded == !error);
    g_assert(!loaded || clock_now_ns(rig.clock) == state_file_header(file)->clock_ns);
    int again = memfd_create("again", MFD_CLOEXEC);
    g_assert(!loaded || save(&rig, again));
    close(again);
    rig_clear(&rig);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("state", MFD_CLOEXEC);
    const char *board = size && data[0] & IS_PC ? "pc" : "micro";
    Rig rig;

    if (!size) {
        close(fd);
        return 0;
    }
    rig_init(&rig, board);
    g_assert(save(&rig, fd));
    rig_clear(&rig);
    change(fd, data, size);
    load(fd, board);
    return 0;
}
