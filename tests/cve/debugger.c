/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Known flaws of debugging stubs: a port on the host's loopback interface, which a page in a
 * browser can send to as well as gdb can.
 */
#include <string.h>

#include "cve.h"
#include "vm/gdb.h"

enum { MEMORY = 64 };

typedef struct Fake {
    X86State state;
    uint8_t memory[MEMORY];
    unsigned calls; /* that change something */
    GdbTarget target;
} Fake;

static unsigned cpus(void *opaque)
{
    return 1;
}

static bool get_state(void *opaque, unsigned cpu, X86State *ret_state)
{
    *ret_state = ((Fake *)opaque)->state;
    return cpu == 0;
}

static bool set_state(void *opaque, unsigned cpu, const X86State *state)
{
    Fake *fake = opaque;

    fake->state = *state;
    fake->calls++;
    return true;
}

static size_t read_memory(void *opaque, unsigned cpu, uint64_t gva, void *data, size_t len)
{
    len = gva < MEMORY ? MIN(len, MEMORY - gva) : 0;
    if (len) {
        memcpy(data, ((Fake *)opaque)->memory + gva, len);
    }
    return len;
}

static size_t write_memory(void *opaque, unsigned cpu, uint64_t gva, const void *data, size_t len)
{
    Fake *fake = opaque;

    len = gva < MEMORY ? MIN(len, MEMORY - gva) : 0;
    if (len) {
        memcpy(fake->memory + gva, data, len);
    }
    fake->calls++;
    return len;
}

static void resume(void *opaque, const GdbResume *how, const DebugPoint *points, unsigned n)
{
    ((Fake *)opaque)->calls++;
}

static void act(void *opaque)
{
    ((Fake *)opaque)->calls++;
}

static GdbSession *begin(Fake *fake)
{
    static const GdbStop stop = { .signal = GDB_SIGTRAP };

    *fake = (Fake){ 0 };
    fake->target = (GdbTarget){ fake,         cpus,   get_state, set_state, read_memory,
                                write_memory, resume, act,       act };
    return gdb_session_new(&fake->target, &stop, NULL);
}

/* What a page has a browser send: packets in a form.  Nothing is done, and the line is cut. */
static void test_browser(gconstpointer data)
{
    const char *said = data;
    Fake fake;
    g_autoptr(GdbSession) session = begin(&fake);

    gdb_session_input(session, (const uint8_t *)said, strlen(said));
    g_assert_cmpuint(fake.calls, ==, 0);
    g_assert_cmpuint(gdb_session_output(session)->len, ==, 0);
    g_assert_true(gdb_session_over(session));
}

void cve_add_debugger(void)
{
    static const char *const pages[] = {
        "POST / HTTP/1.1\r\nHost: localhost:1234\r\nContent-Length: 5\r\n\r\n$k#6b",
        "POST / HTTP/1.1\r\nHost: localhost:1234\r\n\r\n+$M0,1:ff#f6$c#63",
        "GET /$k#6b HTTP/1.1\r\n\r\n",
        "\x16\x03\x01\x02$k#6b",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(pages); i++) {
        g_autofree char *what = g_strdup_printf("gdb: a page in a browser, %zu", i);
        cve_add("2018-5704", what, pages[i], test_browser);
    }
}
