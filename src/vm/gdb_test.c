/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the gdb stub: packets, registers, and whole conversations with a machine of two vCPUs
 * that is an array of bytes.
 */
#include "vm/gdb.h"

#include <string.h>

#include "common/bits.h"
#include "vm/gdb_packet.h"
#include "vm/gdb_registers.h"

enum { CPUS = 2, MEMORY = 256, BASE = 0x1000 };

typedef struct Fake {
    X86State state[CPUS];
    uint8_t memory[MEMORY];
    GString *calls; /* what the session did */
    bool refuse;    /* set_state */
    GdbTarget target;
} Fake;

static unsigned fake_cpus(void *opaque)
{
    return CPUS;
}

static bool fake_get(void *opaque, unsigned cpu, X86State *ret_state)
{
    *ret_state = ((Fake *)opaque)->state[cpu];
    return true;
}

static bool fake_set(void *opaque, unsigned cpu, const X86State *state)
{
    Fake *fake = opaque;

    if (!fake->refuse) {
        fake->state[cpu] = *state;
    }
    return !fake->refuse;
}

static size_t reach(uint64_t gva, size_t len)
{
    return gva < BASE || gva >= BASE + MEMORY ? 0 : MIN(len, BASE + MEMORY - gva);
}

static size_t fake_read(void *opaque, unsigned cpu, uint64_t gva, void *data, size_t len)
{
    len = reach(gva, len);
    if (len) {
        memcpy(data, ((Fake *)opaque)->memory + (gva - BASE), len);
    }
    return len;
}

static size_t fake_write(void *opaque, unsigned cpu, uint64_t gva, const void *data, size_t len)
{
    len = reach(gva, len);
    if (len) {
        memcpy(((Fake *)opaque)->memory + (gva - BASE), data, len);
    }
    return len;
}

static void fake_resume(void *opaque, const GdbResume *how, const DebugPoint *points, unsigned n)
{
    Fake *fake = opaque;

    g_string_append(fake->calls, "resume ");
    for (unsigned i = 0; i < CPUS; i++) {
        g_string_append_c(fake->calls, "-sc"[how[i]]);
    }
    for (unsigned i = 0; i < n; i++) {
        g_string_append_printf(fake->calls, " %s%s%s@%x+%u", points[i].execute ? "x" : "",
                               points[i].read ? "r" : "", points[i].write ? "w" : "",
                               (unsigned)points[i].gva, points[i].size);
    }
    g_string_append_c(fake->calls, ';');
}

static void fake_halt(void *opaque)
{
    g_string_append(((Fake *)opaque)->calls, "halt;");
}

static void fake_kill(void *opaque)
{
    g_string_append(((Fake *)opaque)->calls, "kill;");
}

static Fake *fake_new(void)
{
    Fake *fake = g_new0(Fake, 1);

    fake->calls = g_string_new(NULL);
    for (unsigned i = 0; i < MEMORY; i++) {
        fake->memory[i] = (uint8_t)i;
    }
    fake->state[0].rip = 0x1122334455667788;
    fake->state[1].gpr[X86_RAX] = 0xabcd;
    fake->state[1].activity = X86_WAIT_FOR_SIPI;
    fake->target = (GdbTarget){ fake,       fake_cpus,   fake_get,  fake_set, fake_read,
                                fake_write, fake_resume, fake_halt, fake_kill };
    return fake;
}

static void fake_free(Fake *fake)
{
    g_string_free(fake->calls, TRUE);
    g_free(fake);
}

static const GdbStop at_start = { .signal = GDB_SIGTRAP };

/* Send the packet of @payload; the payload of the answer, newly allocated; NULL: none. */
static char *ask(GdbSession *session, const char *payload, size_t len)
{
    g_autoptr(GString) packet = g_string_new(NULL);
    GString *out = gdb_session_output(session);
    GdbParser *parser = g_new0(GdbParser, 1);
    char *answer = NULL;

    gdb_frame(packet, payload, len);
    g_string_truncate(out, 0);
    gdb_session_input(session, (const uint8_t *)packet->str, packet->len);
    for (gsize i = 0; i < out->len; i++) {
        if (gdb_parser_byte(parser, (uint8_t)out->str[i]) == GDB_EVENT_PACKET) {
            g_assert_null(answer);
            answer = g_strdup(parser->data);
        }
    }
    g_free(parser);
    return answer;
}

static const struct {
    const char *name, *bytes;
    GdbEvent last; /* event of the last byte */
    const char *payload;
} wire[] = {
    { "good", "$m0,4#fd", GDB_EVENT_PACKET, "m0,4" },
    { "empty", "$#00", GDB_EVENT_PACKET, "" },
    { "bad sum", "$m0,4#fe", GDB_EVENT_BROKEN, NULL },
    { "no digit", "$m0,4#fx", GDB_EVENT_BROKEN, NULL },
    { "escape", "$X}\x03#d8", GDB_EVENT_PACKET, "X#" },
    { "ack", "+", GDB_EVENT_ACK, NULL },
    { "nak", "-", GDB_EVENT_NAK, NULL },
    { "interrupt", "\x03", GDB_EVENT_INTERRUPT, NULL },
    { "noise before", "abc#00$?#3f", GDB_EVENT_PACKET, "?" },
    { "begun twice", "$g$?#3f", GDB_EVENT_PACKET, "?" },
    { "unfinished", "$?#3", GDB_EVENT_NONE, NULL },
};

static void test_wire(void)
{
    g_autofree GdbParser *parser = g_new0(GdbParser, 1);

    for (unsigned i = 0; i < G_N_ELEMENTS(wire); i++) {
        GdbEvent event = GDB_EVENT_NONE;
        memset(parser, 0, sizeof(*parser));
        for (const char *p = wire[i].bytes; *p; p++) {
            event = gdb_parser_byte(parser, (uint8_t)*p);
        }
        g_test_message("%s", wire[i].name);
        g_assert_cmpint(event, ==, wire[i].last);
        if (wire[i].payload) {
            g_assert_cmpstr(parser->data, ==, wire[i].payload);
            g_assert_cmpuint(parser->len, ==, strlen(wire[i].payload));
        }
    }
}

/* Any payload survives framing; one byte more than fits is broken, and the next one is whole. */
static void test_wire_limits(void)
{
    g_autofree GdbParser *parser = g_new0(GdbParser, 1);
    g_autofree char *payload = g_malloc(GDB_PACKET_MAX + 1);

    for (size_t i = 0; i <= GDB_PACKET_MAX; i++) {
        payload[i] = (char)(i * 7);
    }
    for (size_t len = GDB_PACKET_MAX + 1; len >= GDB_PACKET_MAX - 1; len--) {
        g_autoptr(GString) packet = g_string_new(NULL);
        GdbEvent event = GDB_EVENT_NONE;
        gdb_frame(packet, payload, len);
        for (gsize i = 0; i < packet->len; i++) {
            event = gdb_parser_byte(parser, (uint8_t)packet->str[i]);
        }
        g_assert_cmpint(event, ==, len > GDB_PACKET_MAX ? GDB_EVENT_BROKEN : GDB_EVENT_PACKET);
        if (event == GDB_EVENT_PACKET) {
            g_assert_cmpmem(parser->data, parser->len, payload, len);
        }
    }
}

static void test_numbers(void)
{
    static const struct {
        const char *text, *rest;
        uint64_t number;
    } cases[] = {
        { "0", "", 0 },       { "fFfFffffffffffff", "", UINT64_MAX },
        { "12,", ",", 0x12 }, { "10000000000000000", NULL, 0 }, /* 17 digits */
        { "", NULL, 0 },      { "x", NULL, 0 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *text = cases[i].text;
        uint64_t number = 0;
        bool taken = gdb_take_number(&text, &number);
        g_assert_true(taken == (cases[i].rest != NULL));
        if (taken) {
            g_assert_cmpuint(number, ==, cases[i].number);
            g_assert_cmpstr(text, ==, cases[i].rest);
        }
    }
}

/* What is set can be got again, touches nothing else, and stands in the description. */
static void test_registers(void)
{
    g_autofree char *xml = gdb_registers_xml();
    unsigned total = 0;

    for (unsigned i = 0; i < gdb_registers(); i++) {
        uint8_t bytes[GDB_REGISTER_BYTES_MAX], got[GDB_REGISTER_BYTES_MAX], pattern = 0xa5;
        X86State state = { 0 }, before = { 0 };
        g_autofree char *regnum = g_strdup_printf("regnum=\"%u\"", i);

        memset(bytes, pattern, sizeof(bytes));
        gdb_register_set(&state, i, bytes);
        g_assert_cmpint(memcmp(&state, &before, sizeof(state)), !=, 0);
        unsigned size = gdb_register_get(&state, i, got);
        g_assert_cmpuint(size, ==, gdb_register_size(i));
        bool tags = !strcmp(gdb_register_name(i), "ftag"); /* which depend on st0..7 */
        for (unsigned k = 0; k < size && !tags; k++) {
            g_assert_true(got[k] == pattern || (got[k] == 0 && k >= 2));
        }
        for (unsigned k = 0; k < i; k++) {
            gdb_register_get(&state, k, got);
            gdb_register_get(&before, k, bytes);
            g_assert_cmpmem(got, sizeof(got), bytes, sizeof(bytes));
        }
        g_assert_nonnull(strstr(xml, regnum));
        total += size;
    }
    g_assert_cmpuint(2 * total, <=, GDB_PACKET_MAX);
}

/* ST(0) is physical register 5: 1.0; 6: zero; 7: infinity; the others are empty. */
static void test_tags(void)
{
    X86State state = { .fsw = 5 << 11, .ftw = 0xe0 };
    uint8_t bytes[GDB_REGISTER_BYTES_MAX];
    unsigned number = 0;

    while (strcmp(gdb_register_name(number), "ftag")) {
        number++;
    }
    store_le64(state.st[0], UINT64_C(1) << 63);
    store_le16(state.st[0] + 8, 0x3fff);
    store_le64(state.st[2], UINT64_C(1) << 63);
    store_le16(state.st[2] + 8, 0x7fff);
    gdb_register_get(&state, number, bytes);
    g_assert_cmphex(load_le32(bytes), ==, 0x93ff);
    state.ftw = 0;
    gdb_register_set(&state, number, bytes);
    g_assert_cmphex(state.ftw, ==, 0xe0);
}

static const struct {
    const char *ask, *answer, *calls; /* answer NULL: none */
} talk[] = {
    { "?", "T05thread:1;", "" },
    { "vMustReplyEmpty", "", "" },
    { "qAttached", "1", "" },
    { "qfThreadInfo", "m1,2", "" },
    { "qsThreadInfo", "l", "" },
    { "qC", "QC1", "" },
    { "T2", "OK", "" },
    { "T3", "E16", "" },
    { "p10", "8877665544332211", "" },
    { "pffff", "E16", "" },
    { "P10=0100000000000000", "OK", "" },
    { "p10", "0100000000000000", "" },
    { "P10=01", "E16", "" },
    { "P10=010000000000000000", "E16", "" },
    { "Hg2", "OK", "" },
    { "p0", "cdab000000000000", "" },
    { "Hg3", "E16", "" },
    { "Hgx", "E16", "" },
    { "Hg0", "OK", "" },
    { "Hc-1", "OK", "" },
    { "m1000,4", "00010203", "" },
    { "m10fe,10", "feff", "" },
    { "m0,4", "E0e", "" },
    { "m1000,ffffffffffffffff", NULL, NULL },
    { "mffffffffffffffff,2", "E0e", "" },
    { "m1000", "E16", "" },
    { "m1000,", "E16", "" },
    { "M1000,2:beef", "OK", "" },
    { "m1000,2", "beef", "" },
    { "M1000,2:be", "E16", "" },
    { "M1000,ffffffff:be", "E16", "" },
    { "M10ff,2:beef", "E0e", "" },
    { "X1002,2:#$", "OK", "" },
    { "m1002,2", "2324", "" },
    { "X1002,3:#$", "E16", "" },
    { "Z0,1000,1", "OK", "" },
    { "Z0,1000,1", "OK", "" },
    { "Z2,1008,8", "OK", "" },
    { "Z3,1010,4", "OK", "" },
    { "Z4,1020,2", "OK", "" },
    { "Z2,1008,3", "E16", "" },
    { "Z5,1000,1", "E16", "" },
    { "z0,1000,1", "OK", "" },
    { "z0,7777,1", "OK", "" },
    { "vCont?", "vCont;c;C;s;S", "" },
    { "vCont;x", "E16", "" },
    { "vCont", "E16", "" },
    { "vCont;c:9", "E16", "" },
    { "g0", "", "" },
    { "c1x", "E16", "" },
    { "qXfer:features:read:target.xml:0,6", "m<?xml ", "" },
    { "qXfer:features:read:target.xml:fffffff,6", "E16", "" },
    { "qXfer:features:read:other.xml:0,6", "", "" },
    { "vCont;s:1;c", NULL, "resume sc rw@1020+2 w@1008+8 r@1010+4;" },
};

static void test_talk(void)
{
    Fake *fake = fake_new();
    g_autoptr(GdbSession) session = gdb_session_new(&fake->target, &at_start, NULL);

    for (unsigned i = 0; i < G_N_ELEMENTS(talk); i++) {
        g_autofree char *answer = ask(session, talk[i].ask, strlen(talk[i].ask));
        g_test_message("%s -> %s", talk[i].ask, answer);
        if (talk[i].calls) {
            g_assert_cmpstr(answer, ==, talk[i].answer);
            g_assert_cmpstr(fake->calls->str, ==, talk[i].calls);
        }
    }
    /* while it runs nothing but Ctrl-C is heard */
    g_assert_null(ask(session, "g", 1));
    gdb_session_input(session, (const uint8_t *)"\x03", 1);
    g_assert_true(g_str_has_suffix(fake->calls->str, ";halt;"));
    fake_free(fake);
}

/* The thread name is shown; the whole register file goes out and in. */
static void test_all_registers(void)
{
    Fake *fake = fake_new();
    g_autoptr(GdbSession) session = gdb_session_new(&fake->target, &at_start, NULL);
    g_autofree char *info = ask(session, "qThreadExtraInfo,2", 18);
    g_autoptr(GString) expected = g_string_new(NULL);

    gdb_append_hex(expected, "vcpu-1 (waits for SIPI)", 23);
    g_assert_cmpstr(info, ==, expected->str);

    g_autofree char *all = ask(session, "g", 1);
    g_autofree char *write = g_strconcat("G", all, NULL);
    memcpy(write + 1, "2a00", 4); /* rax */
    g_autofree char *done = ask(session, write, strlen(write));
    g_assert_cmpstr(done, ==, "OK");
    g_assert_cmphex(fake->state[0].gpr[X86_RAX], ==, 0x2a);
    g_assert_cmphex(fake->state[0].rip, ==, 0x1122334455667788);
    g_autofree char *cut = ask(session, write, strlen(write) - 1);
    g_assert_cmpstr(cut, ==, "E16");
    fake->refuse = true;
    g_autofree char *refused = ask(session, write, strlen(write));
    g_assert_cmpstr(refused, ==, "E01");
    fake_free(fake);
}

static const struct {
    const char *set_up, *resume, *calls;
    GdbStop stop;
    const char *answer;
} stops[] = {
    { "Hc1", "c", "resume c-;", { .signal = GDB_SIGINT }, "T02thread:1;" },
    { "Hc0", "s", "resume sc;", { .signal = GDB_SIGTRAP, .debug = true }, "T05thread:1;" },
    { "Hc0", "c1000", "resume cc;", { .cpu = 1, .signal = GDB_SIGINT }, "T02thread:2;" },
    { "Hc0", "C05;1000", "resume cc;", { .signal = GDB_SIGSEGV }, "T0bthread:1;" },
    { "Hc0", "S05", "resume sc;", { .signal = GDB_SIGTRAP }, "T05thread:1;" },
    { "Hc0", "vCont;c:2", "resume -c;", { .signal = GDB_SIGTRAP }, "T05thread:1;" },
    { "Hc0", "vCont;S05:2;C0b", "resume cs;", { .signal = GDB_SIGTRAP }, "T05thread:1;" },
    { "Z0,2000,1",
      "c",
      "resume cc x@2000+1;",
      { .signal = GDB_SIGTRAP, .debug = true, .reason = DEBUG_BREAKPOINT, .address = 0x2000 },
      "T05thread:1;swbreak:;" },
    { "Z1,2000,1",
      "c",
      "resume cc x@2000+1;",
      { .signal = GDB_SIGTRAP, .debug = true, .reason = DEBUG_BREAKPOINT, .address = 0x2000 },
      "T05thread:1;hwbreak:;" },
    { "Z2,2000,4",
      "c",
      "resume cc w@2000+4;",
      { .signal = GDB_SIGTRAP, .debug = true, .reason = DEBUG_WATCHPOINT, .address = 0x2003 },
      "T05thread:1;watch:2003;" },
    { "Z4,2000,4",
      "c",
      "resume cc rw@2000+4;",
      { .signal = GDB_SIGTRAP, .debug = true, .reason = DEBUG_WATCHPOINT, .address = 0x2000 },
      "T05thread:1;awatch:2000;" },
};

static void test_stops(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(stops); i++) {
        Fake *fake = fake_new();
        g_autoptr(GdbSession) session = gdb_session_new(&fake->target, &at_start, NULL);
        GString *out = gdb_session_output(session);
        g_autoptr(GString) expected = g_string_new(NULL);

        g_test_message("%s, %s", stops[i].set_up, stops[i].resume);
        g_free(ask(session, "qSupported:swbreak+;hwbreak+", 28));
        g_free(ask(session, "QStartNoAckMode", 15));
        g_free(ask(session, stops[i].set_up, strlen(stops[i].set_up)));
        g_assert_null(ask(session, stops[i].resume, strlen(stops[i].resume)));
        g_assert_cmpstr(fake->calls->str, ==, stops[i].calls);
        g_string_truncate(out, 0);
        gdb_session_stopped(session, &stops[i].stop);
        gdb_frame(expected, stops[i].answer, strlen(stops[i].answer));
        g_assert_cmpstr(out->str, ==, expected->str);
        fake_free(fake);
    }
}

static void test_ends(void)
{
    Fake *fake = fake_new();
    GdbSession *session = gdb_session_new(&fake->target, &at_start, NULL);
    g_autofree char *detached = ask(session, "D", 1);

    g_assert_cmpstr(detached, ==, "OK");
    g_assert_true(gdb_session_over(session));
    gdb_session_free(session);
    session = gdb_session_new(&fake->target, &at_start, NULL);
    g_assert_null(ask(session, "k", 1));
    g_assert_true(gdb_session_over(session));
    g_assert_cmpstr(fake->calls->str, ==, "kill;");
    gdb_session_free(session);
    session = gdb_session_new(&fake->target, &at_start, NULL);
    g_free(ask(session, "c", 1));
    g_string_truncate(gdb_session_output(session), 0);
    gdb_session_exited(session, 3);
    g_assert_cmpstr(gdb_session_output(session)->str, ==, "$W03#ba");
    gdb_session_free(session);
    fake_free(fake);
}

/* A broken packet is asked for again; what gdb didn't get is sent again. */
static void test_lost(void)
{
    Fake *fake = fake_new();
    g_autoptr(GdbSession) session = gdb_session_new(&fake->target, &at_start, NULL);
    GString *out = gdb_session_output(session);

    gdb_session_input(session, (const uint8_t *)"$?#00", 5);
    g_assert_cmpstr(out->str, ==, "-");
    g_string_truncate(out, 0);
    gdb_session_input(session, (const uint8_t *)"$qC#b4", 6);
    g_assert_cmpstr(out->str, ==, "+$QC1#c5");
    g_string_truncate(out, 0);
    gdb_session_input(session, (const uint8_t *)"--", 2);
    g_assert_cmpstr(out->str, ==, "$QC1#c5");
    fake_free(fake);
}

/* The longest write that fits its packet is taken or refused whole, never written beyond. */
static void test_long_write(void)
{
    Fake *fake = fake_new();
    g_autoptr(GdbSession) session = gdb_session_new(&fake->target, &at_start, NULL);
    enum { BYTES = (GDB_PACKET_MAX - 8) / 2 };
    g_autoptr(GString) text = g_string_new(NULL);

    g_string_printf(text, "M0,%x:", BYTES);
    for (unsigned i = 0; i < BYTES; i++) {
        g_string_append(text, "aa");
    }
    g_assert_cmpuint(text->len, ==, GDB_PACKET_MAX);
    g_autofree char *answer = ask(session, text->str, text->len);
    g_assert_cmpstr(answer, ==, "E16");
    fake_free(fake);
}

static void test_too_many_points(void)
{
    Fake *fake = fake_new();
    g_autoptr(GdbSession) session = gdb_session_new(&fake->target, &at_start, NULL);

    for (unsigned i = 0; i <= DEBUG_MAX_POINTS; i++) {
        g_autofree char *text = g_strdup_printf("Z0,%x,1", 0x1000 + i);
        g_autofree char *answer = ask(session, text, strlen(text));
        g_assert_cmpstr(answer, ==, i < DEBUG_MAX_POINTS ? "OK" : "E1c");
    }
    fake_free(fake);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/gdb/wire", test_wire);
    g_test_add_func("/gdb/wire-limits", test_wire_limits);
    g_test_add_func("/gdb/numbers", test_numbers);
    g_test_add_func("/gdb/registers", test_registers);
    g_test_add_func("/gdb/tags", test_tags);
    g_test_add_func("/gdb/talk", test_talk);
    g_test_add_func("/gdb/all-registers", test_all_registers);
    g_test_add_func("/gdb/stops", test_stops);
    g_test_add_func("/gdb/ends", test_ends);
    g_test_add_func("/gdb/lost", test_lost);
    g_test_add_func("/gdb/long-write", test_long_write);
    g_test_add_func("/gdb/too-many-points", test_too_many_points);
    return g_test_run();
}
