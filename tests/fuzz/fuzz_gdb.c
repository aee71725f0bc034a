/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: bytes from gdb (vm/gdb.h) to a machine of two vCPUs.
 *
 * A line is one packet's payload, framed here, so that mutations reach the commands; a line that
 * starts with "!" goes to the parser as it is.  A machine that was let run stops again at once.
 *
 * Threads: one.
 */
#include <string.h>

#include "vm/gdb.h"
#include "vm/gdb_packet.h"

enum { CPUS = 2, MEMORY = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Fake {
    X86State state[CPUS];
    uint8_t memory[MEMORY];
    bool running;
} Fake;

static unsigned cpus(void *opaque)
{
    return CPUS;
}

static bool get_state(void *opaque, unsigned cpu, X86State *ret_state)
{
    g_assert(cpu < CPUS);
    *ret_state = ((Fake *)opaque)->state[cpu];
    return true;
}

static bool set_state(void *opaque, unsigned cpu, const X86State *state)
{
    g_assert(cpu < CPUS);
    ((Fake *)opaque)->state[cpu] = *state;
    return true;
}

static size_t reach(uint64_t gva, size_t len)
{
    return gva >= MEMORY ? 0 : MIN(len, MEMORY - gva);
}

static size_t read_memory(void *opaque, unsigned cpu, uint64_t gva, void *data, size_t len)
{
    g_assert(cpu < CPUS);
    len = reach(gva, len);
    for (size_t i = 0; i < len; i++) {
        ((uint8_t *)data)[i] = ((Fake *)opaque)->memory[gva + i];
    }
    return len;
}

static size_t write_memory(void *opaque, unsigned cpu, uint64_t gva, const void *data, size_t len)
{
    g_assert(cpu < CPUS);
    len = reach(gva, len);
    for (size_t i = 0; i < len; i++) {
        ((Fake *)opaque)->memory[gva + i] = ((const uint8_t *)data)[i];
    }
    return len;
}

static void resume(void *opaque, const GdbResume *how, const DebugPoint *points, unsigned n)
{
    g_assert(n <= DEBUG_MAX_POINTS);
    for (unsigned i = 0; i < n; i++) {
        g_assert(points[i].execute || points[i].read || points[i].write);
    }
    ((Fake *)opaque)->running = true;
}

static void nothing(void *opaque)
{
}

static void feed(GdbSession *session, Fake *fake, const uint8_t *line, size_t len)
{
    g_autoptr(GString) packet = g_string_new(NULL);

    if (len && line[0] == '!') {
        g_string_append_len(packet, (const char *)line + 1, (gssize)len - 1);
    } else {
        gdb_frame(packet, (const char *)line, len);
    }
    gdb_session_input(session, (const uint8_t *)packet->str, packet->len);
    g_string_truncate(gdb_session_output(session), 0);
    if (fake->running) {
        GdbStop stop = { .cpu = (unsigned)len % CPUS,
                         .signal = GDB_SIGTRAP,
                         .debug = true,
                         .reason = len % 3,
                         .address = len };
        fake->running = false;
        gdb_session_stopped(session, &stop);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree Fake *fake = g_new0(Fake, 1);
    const GdbTarget target = { fake,         cpus,   get_state, set_state, read_memory,
                               write_memory, resume, nothing,   nothing };
    const GdbStop stop = { .signal = GDB_SIGTRAP };
    g_autoptr(GdbSession) session = gdb_session_new(&target, &stop, NULL);

    while (size) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t len = end ? (size_t)(end - data) : size;
        feed(session, fake, data, len);
        len += end != NULL;
        data += len;
        size -= len;
    }
    return 0;
}
