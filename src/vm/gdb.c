/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One conversation with gdb, see gdb.h.  A command is a row of a table: how it starts, and the
 * function that answers it.
 */
#include "vm/gdb.h"

#include <inttypes.h>
#include <string.h>

#include "common/bits.h"
#include "vm/gdb_packet.h"
#include "vm/gdb_registers.h"

/* gdb wants a number; the values mean nothing to it. */
#define ERROR_SYNTAX   "E16" /* EINVAL */
#define ERROR_MEMORY   "E0e" /* EFAULT */
#define ERROR_REFUSED  "E01" /* EPERM */
#define ERROR_NO_SPACE "E1c" /* ENOSPC */

struct GdbSession {
    /* fixed after create */
    const GdbTarget *target;
    const Log *log;
    /* the conversation */
    GdbParser parser;
    GString *output; /* not yet sent */
    GString *reply;  /* payload being made */
    GString *last;   /* the last packet sent, for when it gets lost */
    bool met;        /* a first byte came, as debuggers send one */
    bool no_ack;
    bool over;
    bool tell_swbreak, tell_hwbreak; /* gdb knows these stop reasons */
    unsigned cpu;                    /* whose registers and memory (Hg) */
    unsigned cpu_resume;             /* whom c and s mean (Hc): number, or ALL */
    char *xml;
    /* the machine */
    bool running;
    GdbStop stop;
    unsigned n_points;
    DebugPoint points[DEBUG_MAX_POINTS];
    bool hardware[DEBUG_MAX_POINTS]; /* of .points: set by Z1 rather than Z0 */
};

enum { ALL = UINT32_MAX, MEMORY_MAX = (GDB_PACKET_MAX - 16) / 2 };

/* How a command ends. */
typedef enum Answer {
    ANSWER_REPLY, /* send .reply */
    ANSWER_LATER, /* the machine runs; the stop is the answer */
    ANSWER_NEVER,
} Answer;

static Answer reply(GdbSession *s, const char *text)
{
    g_string_assign(s->reply, text);
    return ANSWER_REPLY;
}

static void send_payload(GdbSession *s, const char *payload, size_t len)
{
    g_string_truncate(s->last, 0);
    gdb_frame(s->last, payload, len);
    g_string_append_len(s->output, s->last->str, (gssize)s->last->len);
    log_line(s->log, LOG_GDB, "-> %.200s", s->last->str);
}

/* ---- stops ---- */

/* What kind of point stopped at @address, as gdb names it; NULL: no watchpoint of ours. */
static const char *watch_name(const GdbSession *s, uint64_t address)
{
    for (unsigned i = 0; i < s->n_points; i++) {
        const DebugPoint *point = &s->points[i];
        if (!point->execute && range_inside(address, 1, point->gva, point->size)) {
            return point->read && point->write ? "awatch" : point->read ? "rwatch" : "watch";
        }
    }
    return NULL;
}

static const char *break_name(const GdbSession *s, uint64_t address)
{
    for (unsigned i = 0; i < s->n_points; i++) {
        if (s->points[i].execute && s->points[i].gva == address) {
            bool tell = s->hardware[i] ? s->tell_hwbreak : s->tell_swbreak;
            return !tell ? NULL : s->hardware[i] ? "hwbreak" : "swbreak";
        }
    }
    return NULL;
}

static void append_stop(GdbSession *s)
{
    const GdbStop *stop = &s->stop;

    g_string_append_printf(s->reply, "T%02xthread:%x;", stop->signal & 0xff, stop->cpu + 1);
    if (!stop->debug) {
        return;
    }
    const char *watch = watch_name(s, stop->address);
    const char *breakpoint = break_name(s, stop->address);
    if (stop->reason == DEBUG_WATCHPOINT && watch) {
        g_string_append_printf(s->reply, "%s:%" PRIx64 ";", watch, stop->address);
    } else if (stop->reason == DEBUG_BREAKPOINT && breakpoint) {
        g_string_append_printf(s->reply, "%s:;", breakpoint);
    }
}

static Answer on_why(GdbSession *s, const char *text)
{
    append_stop(s);
    return ANSWER_REPLY;
}

void gdb_session_stopped(GdbSession *s, const GdbStop *stop)
{
    bool was_running = s->running;

    s->running = false;
    s->stop = *stop;
    s->cpu = stop->cpu;
    if (was_running && !s->over) {
        g_string_truncate(s->reply, 0);
        append_stop(s);
        send_payload(s, s->reply->str, s->reply->len);
    }
}

void gdb_session_exited(GdbSession *s, int status)
{
    if (!s->over) {
        g_autofree char *text = g_strdup_printf("W%02x", status & 0xff);
        send_payload(s, text, strlen(text));
        s->over = true;
    }
}

/* ---- running ---- */

static Answer resume(GdbSession *s, const GdbResume *how)
{
    s->running = true;
    s->target->resume(s->target->opaque, how, s->points, s->n_points);
    return ANSWER_LATER;
}

/* c, s: an address to go on from may follow. */
static Answer resume_simple(GdbSession *s, const char *text, GdbResume how)
{
    GdbResume all[ENGINE_MAX_CPUS];
    uint64_t address = 0;
    unsigned cpus = s->target->cpus(s->target->opaque);
    unsigned who = s->cpu_resume == ALL ? s->cpu : s->cpu_resume;

    if (*text) {
        X86State state;
        if (!gdb_take_number(&text, &address) || *text) {
            return reply(s, ERROR_SYNTAX);
        }
        if (!s->target->get_state(s->target->opaque, who, &state)) {
            return reply(s, ERROR_REFUSED);
        }
        state.rip = address;
        if (!s->target->set_state(s->target->opaque, who, &state)) {
            return reply(s, ERROR_REFUSED);
        }
    }
    for (unsigned i = 0; i < cpus; i++) {
        all[i] = s->cpu_resume == ALL ? GDB_GO : GDB_STAY;
    }
    all[who] = how;
    return resume(s, all);
}

static Answer on_continue(GdbSession *s, const char *text)
{
    return resume_simple(s, text, GDB_GO);
}

static Answer on_step(GdbSession *s, const char *text)
{
    return resume_simple(s, text, GDB_STEP);
}

/* C and S bring a signal, which a guest has no use for. */
static Answer resume_signal(GdbSession *s, const char *text, GdbResume how)
{
    uint64_t number = 0;

    if (!gdb_take_number(&text, &number) || (*text && *text != ';')) {
        return reply(s, ERROR_SYNTAX);
    }
    return resume_simple(s, *text ? text + 1 : text, how);
}

static Answer on_continue_signal(GdbSession *s, const char *text)
{
    return resume_signal(s, text, GDB_GO);
}

static Answer on_step_signal(GdbSession *s, const char *text)
{
    return resume_signal(s, text, GDB_STEP);
}

/* A thread as gdb writes it: a number from 1, 0 for any, -1 for all. */
static bool take_thread(GdbSession *s, const char **text, unsigned any, unsigned *ret_cpu)
{
    uint64_t number = 0;

    if (g_str_has_prefix(*text, "-1")) {
        *text += 2;
        *ret_cpu = ALL;
        return true;
    }
    if (!gdb_take_number(text, &number) || number > s->target->cpus(s->target->opaque)) {
        return false;
    }
    *ret_cpu = number ? (unsigned)number - 1 : any;
    return true;
}

static bool take_action(const char **text, GdbResume *ret_how)
{
    uint64_t signal = 0;
    char action = **text;

    if (!action || !strchr("cCsS", action)) {
        return false;
    }
    *text += 1;
    *ret_how = action == 'c' || action == 'C' ? GDB_GO : GDB_STEP;
    return action == 'c' || action == 's' || gdb_take_number(text, &signal);
}

/* ";action[:thread]..."; the leftmost that matches a thread counts. */
static Answer on_vcont(GdbSession *s, const char *text)
{
    GdbResume all[ENGINE_MAX_CPUS] = { GDB_STAY };
    bool decided[ENGINE_MAX_CPUS] = { false };
    unsigned cpus = s->target->cpus(s->target->opaque);
    bool any = false;

    while (*text == ';') {
        GdbResume how;
        unsigned who = ALL;

        text++;
        if (!take_action(&text, &how)) {
            return reply(s, ERROR_SYNTAX);
        }
        if (*text == ':') {
            text++;
            if (!take_thread(s, &text, s->cpu, &who)) {
                return reply(s, ERROR_SYNTAX);
            }
        }
        for (unsigned i = 0; i < cpus; i++) {
            if ((who == ALL || who == i) && !decided[i]) {
                decided[i] = any = true;
                all[i] = how;
            }
        }
    }
    return *text || !any ? reply(s, ERROR_SYNTAX) : resume(s, all);
}

static Answer on_vcont_query(GdbSession *s, const char *text)
{
    return reply(s, "vCont;c;C;s;S");
}

static Answer on_kill(GdbSession *s, const char *text)
{
    s->over = true;
    s->target->kill(s->target->opaque);
    return ANSWER_NEVER;
}

static Answer on_vkill(GdbSession *s, const char *text)
{
    s->over = true;
    s->target->kill(s->target->opaque);
    return reply(s, "OK");
}

static Answer on_detach(GdbSession *s, const char *text)
{
    s->n_points = 0;
    s->over = true; /* whoever holds the session lets the machine go on */
    return reply(s, "OK");
}

/* ---- threads ---- */

static Answer on_select(GdbSession *s, const char *text)
{
    unsigned cpu = 0;
    char what = *text;

    if (what != 'g' && what != 'c') {
        return reply(s, ERROR_SYNTAX);
    }
    text++;
    if (!take_thread(s, &text, what == 'c' ? ALL : s->cpu, &cpu) || *text) {
        return reply(s, ERROR_SYNTAX);
    }
    if (what == 'c') {
        s->cpu_resume = cpu;
    } else if (cpu != ALL) {
        s->cpu = cpu;
    }
    return reply(s, "OK");
}

static Answer on_alive(GdbSession *s, const char *text)
{
    unsigned cpu = 0;
    bool alive = take_thread(s, &text, 0, &cpu) && !*text && cpu != ALL;

    return reply(s, alive ? "OK" : ERROR_SYNTAX);
}

static Answer on_current(GdbSession *s, const char *text)
{
    g_string_append_printf(s->reply, "QC%x", s->cpu + 1);
    return ANSWER_REPLY;
}

static Answer on_threads_first(GdbSession *s, const char *text)
{
    for (unsigned i = 0; i < s->target->cpus(s->target->opaque); i++) {
        g_string_append_printf(s->reply, "%s%x", i ? "," : "m", i + 1);
    }
    return ANSWER_REPLY;
}

static Answer on_threads_next(GdbSession *s, const char *text)
{
    return reply(s, "l");
}

static Answer on_thread_info(GdbSession *s, const char *text)
{
    static const char *const names[] = { "running", "halted", "waits for SIPI" };
    unsigned cpu = 0;
    X86State state;

    if (!take_thread(s, &text, 0, &cpu) || *text || cpu == ALL) {
        return reply(s, ERROR_SYNTAX);
    }
    if (!s->target->get_state(s->target->opaque, cpu, &state)) {
        return reply(s, ERROR_REFUSED);
    }
    const char *what = state.activity < G_N_ELEMENTS(names) ? names[state.activity] : "?";
    g_autofree char *info = g_strdup_printf("vcpu-%u (%s)", cpu, what);
    gdb_append_hex(s->reply, info, strlen(info));
    return ANSWER_REPLY;
}

/* ---- registers ---- */

static Answer on_read_all(GdbSession *s, const char *text)
{
    uint8_t bytes[GDB_REGISTER_BYTES_MAX];
    X86State state;

    if (!s->target->get_state(s->target->opaque, s->cpu, &state)) {
        return reply(s, ERROR_REFUSED);
    }
    for (unsigned i = 0; i < gdb_registers(); i++) {
        unsigned size = gdb_register_get(&state, i, bytes);
        gdb_append_hex(s->reply, bytes, size);
    }
    return ANSWER_REPLY;
}

static Answer on_write_all(GdbSession *s, const char *text)
{
    uint8_t bytes[GDB_REGISTER_BYTES_MAX];
    X86State state;

    if (!s->target->get_state(s->target->opaque, s->cpu, &state)) {
        return reply(s, ERROR_REFUSED);
    }
    for (unsigned i = 0; i < gdb_registers(); i++) {
        if (!gdb_take_bytes(&text, bytes, gdb_register_size(i))) {
            return reply(s, ERROR_SYNTAX);
        }
        gdb_register_set(&state, i, bytes);
    }
    bool set = !*text && s->target->set_state(s->target->opaque, s->cpu, &state);
    return reply(s, set ? "OK" : ERROR_REFUSED);
}

static Answer on_read_one(GdbSession *s, const char *text)
{
    uint8_t bytes[GDB_REGISTER_BYTES_MAX];
    uint64_t number = 0;
    X86State state;

    if (!gdb_take_number(&text, &number) || *text || number >= gdb_registers()) {
        return reply(s, ERROR_SYNTAX);
    }
    if (!s->target->get_state(s->target->opaque, s->cpu, &state)) {
        return reply(s, ERROR_REFUSED);
    }
    unsigned size = gdb_register_get(&state, (unsigned)number, bytes);
    gdb_append_hex(s->reply, bytes, size);
    return ANSWER_REPLY;
}

static Answer on_write_one(GdbSession *s, const char *text)
{
    uint8_t bytes[GDB_REGISTER_BYTES_MAX];
    uint64_t number = 0;
    X86State state;

    if (!gdb_take_number(&text, &number) || number >= gdb_registers() || *text++ != '=' ||
        !gdb_take_bytes(&text, bytes, gdb_register_size((unsigned)number)) || *text) {
        return reply(s, ERROR_SYNTAX);
    }
    if (!s->target->get_state(s->target->opaque, s->cpu, &state)) {
        return reply(s, ERROR_REFUSED);
    }
    gdb_register_set(&state, (unsigned)number, bytes);
    bool set = s->target->set_state(s->target->opaque, s->cpu, &state);
    return reply(s, set ? "OK" : ERROR_REFUSED);
}

/* ---- memory ---- */

/* "address,length" */
static bool take_range(const char **text, uint64_t *ret_gva, uint64_t *ret_len)
{
    if (!gdb_take_number(text, ret_gva) || **text != ',') {
        return false;
    }
    *text += 1;
    return gdb_take_number(text, ret_len);
}

static Answer on_read_memory(GdbSession *s, const char *text)
{
    uint64_t gva = 0, len = 0;
    uint8_t data[MEMORY_MAX];

    if (!take_range(&text, &gva, &len) || *text) {
        return reply(s, ERROR_SYNTAX);
    }
    len = MIN(len, MEMORY_MAX);
    size_t got = s->target->read(s->target->opaque, s->cpu, gva, data, (size_t)len);
    if (!got && len) {
        return reply(s, ERROR_MEMORY);
    }
    gdb_append_hex(s->reply, data, got);
    return ANSWER_REPLY;
}

static Answer write_memory(GdbSession *s, uint64_t gva, const void *data, size_t len)
{
    size_t done = s->target->write(s->target->opaque, s->cpu, gva, data, len);

    return reply(s, done == len ? "OK" : ERROR_MEMORY);
}

static Answer on_write_memory(GdbSession *s, const char *text)
{
    uint64_t gva = 0, len = 0;
    uint8_t data[MEMORY_MAX];

    if (!take_range(&text, &gva, &len) || *text++ != ':' || len > MEMORY_MAX ||
        !gdb_take_bytes(&text, data, (size_t)len) || *text) {
        return reply(s, ERROR_SYNTAX);
    }
    return write_memory(s, gva, data, (size_t)len);
}

static Answer on_write_binary(GdbSession *s, const char *text)
{
    const char *end = s->parser.data + s->parser.len;
    uint64_t gva = 0, len = 0;

    if (!take_range(&text, &gva, &len) || *text++ != ':' || len != (uint64_t)(end - text)) {
        return reply(s, ERROR_SYNTAX);
    }
    return write_memory(s, gva, text, (size_t)len);
}

/* ---- break- and watchpoints ---- */

typedef struct PointKind {
    bool execute, read, write, hardware;
} PointKind;

static const PointKind point_kinds[] = {
    { .execute = true }, { .execute = true, .hardware = true }, { .write = true },
    { .read = true },    { .read = true, .write = true },
};

/* "type,address,kind" */
static bool take_point(const char *text, DebugPoint *ret_point, bool *ret_hardware)
{
    uint64_t type = 0, gva = 0, size = 0;

    if (!gdb_take_number(&text, &type) || type >= G_N_ELEMENTS(point_kinds) || *text++ != ',' ||
        !take_range(&text, &gva, &size) || (*text && *text != ';')) {
        return false;
    }
    const PointKind *kind = &point_kinds[type];
    if (!kind->execute && size != 1 && size != 2 && size != 4 && size != 8) {
        return false;
    }
    *ret_point = (DebugPoint){ .gva = gva,
                               .size = kind->execute ? 1 : (uint8_t)size,
                               .execute = kind->execute,
                               .read = kind->read,
                               .write = kind->write };
    *ret_hardware = kind->hardware;
    return true;
}

/* The place of an equal point, or .n_points. */
static unsigned find_point(const GdbSession *s, const DebugPoint *point, bool hardware)
{
    unsigned i = 0;

    for (; i < s->n_points; i++) {
        const DebugPoint *p = &s->points[i];
        if (p->gva == point->gva && p->size == point->size && p->execute == point->execute &&
            p->read == point->read && p->write == point->write && s->hardware[i] == hardware) {
            break;
        }
    }
    return i;
}

static Answer on_insert(GdbSession *s, const char *text)
{
    DebugPoint point;
    bool hardware;

    if (!take_point(text, &point, &hardware)) {
        return reply(s, ERROR_SYNTAX);
    }
    unsigned place = find_point(s, &point, hardware);
    if (place == DEBUG_MAX_POINTS) {
        return reply(s, ERROR_NO_SPACE);
    }
    if (place == s->n_points) {
        s->points[place] = point;
        s->hardware[place] = hardware;
        s->n_points++;
    }
    return reply(s, "OK");
}

static Answer on_remove(GdbSession *s, const char *text)
{
    DebugPoint point;
    bool hardware;

    if (!take_point(text, &point, &hardware)) {
        return reply(s, ERROR_SYNTAX);
    }
    unsigned place = find_point(s, &point, hardware);
    if (place < s->n_points) {
        s->n_points--;
        s->points[place] = s->points[s->n_points];
        s->hardware[place] = s->hardware[s->n_points];
    }
    return reply(s, "OK");
}

/* ---- what we can ---- */

static Answer on_supported(GdbSession *s, const char *text)
{
    s->tell_swbreak = strstr(text, "swbreak+") != NULL;
    s->tell_hwbreak = strstr(text, "hwbreak+") != NULL;
    g_string_append_printf(s->reply,
                           "PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;swbreak+;"
                           "hwbreak+;vContSupported+",
                           GDB_PACKET_MAX);
    return ANSWER_REPLY;
}

static Answer on_no_ack(GdbSession *s, const char *text)
{
    s->no_ack = true;
    return reply(s, "OK");
}

static Answer on_attached(GdbSession *s, const char *text)
{
    return reply(s, "1");
}

static Answer on_features(GdbSession *s, const char *text)
{
    uint64_t offset = 0, len = 0;

    if (!take_range(&text, &offset, &len) || *text) {
        return reply(s, ERROR_SYNTAX);
    }
    if (!s->xml) {
        s->xml = gdb_registers_xml();
    }
    size_t total = strlen(s->xml);
    if (offset > total) {
        return reply(s, ERROR_SYNTAX);
    }
    size_t n = (size_t)MIN(len, MIN(total - offset, MEMORY_MAX));
    g_string_append_c(s->reply, offset + n == total ? 'l' : 'm');
    g_string_append_len(s->reply, s->xml + offset, (gssize)n);
    return ANSWER_REPLY;
}

static const struct {
    const char *start;
    bool whole; /* nothing may follow */
    Answer (*answer)(GdbSession *s, const char *text);
} commands[] = {
    { "?", true, on_why },
    { "c", false, on_continue },
    { "C", false, on_continue_signal },
    { "D", false, on_detach },
    { "g", true, on_read_all },
    { "G", false, on_write_all },
    { "H", false, on_select },
    { "k", true, on_kill },
    { "m", false, on_read_memory },
    { "M", false, on_write_memory },
    { "p", false, on_read_one },
    { "P", false, on_write_one },
    { "qAttached", false, on_attached },
    { "qC", true, on_current },
    { "qfThreadInfo", true, on_threads_first },
    { "qsThreadInfo", true, on_threads_next },
    { "qSupported", false, on_supported },
    { "QStartNoAckMode", true, on_no_ack },
    { "qThreadExtraInfo,", false, on_thread_info },
    { "qXfer:features:read:target.xml:", false, on_features },
    { "s", false, on_step },
    { "S", false, on_step_signal },
    { "T", false, on_alive },
    { "vCont?", true, on_vcont_query },
    { "vCont", false, on_vcont },
    { "vKill", false, on_vkill },
    { "X", false, on_write_binary },
    { "z", false, on_remove },
    { "Z", false, on_insert },
};

static Answer answer(GdbSession *s)
{
    const char *text = s->parser.data;

    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
        size_t len = strlen(commands[i].start);
        if (!strncmp(text, commands[i].start, len) && (!commands[i].whole || !text[len])) {
            return commands[i].answer(s, text + len);
        }
    }
    return ANSWER_REPLY; /* empty: we don't know this command */
}

static void on_packet(GdbSession *s)
{
    log_line(s->log, LOG_GDB, "<- %.200s", s->parser.data);
    if (!s->no_ack) {
        g_string_append_c(s->output, '+');
    }
    if (s->running) {
        return; /* in all-stop mode gdb has nothing to say now */
    }
    g_string_truncate(s->reply, 0);
    if (answer(s) == ANSWER_REPLY) {
        send_payload(s, s->reply->str, s->reply->len);
    }
}

/* A page in a browser can have it send what it likes to a port of the loopback interface, packets
 * of ours among it; but never from the first byte on. */
static bool meet(GdbSession *s, uint8_t first)
{
    enum { CTRL_C = 3 };

    if (!s->met && first != '+' && first != '-' && first != '$' && first != CTRL_C) {
        s->over = true;
    }
    s->met = true;
    return !s->over;
}

void gdb_session_input(GdbSession *s, const uint8_t *data, size_t len)
{
    if (len && !meet(s, data[0])) {
        return;
    }
    for (size_t i = 0; i < len && !s->over; i++) {
        switch (gdb_parser_byte(&s->parser, data[i])) {
        case GDB_EVENT_PACKET:
            on_packet(s);
            break;
        case GDB_EVENT_BROKEN:
            if (!s->no_ack) {
                g_string_append_c(s->output, '-');
            }
            break;
        case GDB_EVENT_NAK:
            /* not while something waits: a peer that only says no must not fill memory */
            if (!s->no_ack && !s->output->len) {
                g_string_append_len(s->output, s->last->str, (gssize)s->last->len);
            }
            break;
        case GDB_EVENT_INTERRUPT:
            if (s->running) {
                s->target->halt(s->target->opaque);
            }
            break;
        case GDB_EVENT_ACK:
        case GDB_EVENT_NONE:
            break;
        }
    }
}

GdbSession *gdb_session_new(const GdbTarget *target, const GdbStop *stop, const Log *log)
{
    GdbSession *s = g_new0(GdbSession, 1);

    s->target = target;
    s->log = log;
    s->stop = *stop;
    s->cpu = stop->cpu;
    s->cpu_resume = ALL;
    s->output = g_string_new(NULL);
    s->reply = g_string_new(NULL);
    s->last = g_string_new(NULL);
    return s;
}

void gdb_session_free(GdbSession *s)
{
    if (s) {
        g_string_free(s->output, TRUE);
        g_string_free(s->reply, TRUE);
        g_string_free(s->last, TRUE);
        g_free(s->xml);
        g_free(s);
    }
}

GString *gdb_session_output(GdbSession *s)
{
    return s->output;
}

bool gdb_session_over(const GdbSession *s)
{
    return s->over;
}
