/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The test bench, see bench.h.
 */
#include "machine/core/bench.h"

#include <stdlib.h>

static void set_line(void *opaque, unsigned line, bool level)
{
    Bench *bench = opaque;

    bench->rises[line] += level && !bench->level[line];
    bench->level[line] = level;
}

static void on_power(void *opaque, MachinePower what, uint8_t value)
{
    Bench *bench = opaque;

    bench->power = (int)what;
    bench->power_value = value;
}

void bench_init(Bench *bench)
{
    *bench = (Bench){ .power = -1 };
    log_init(&bench->log, 0, 2);
    bench->env = (DeviceEnv){
        .memory = gm_new(),
        .clock = clock_new_manual(),
        .log = &bench->log,
    };
}

void bench_clear(Bench *bench)
{
    gm_free(bench->env.memory);
    clock_free(bench->env.clock);
}

IrqLine bench_line(Bench *bench, unsigned line)
{
    return (IrqLine){ .set = set_line, .opaque = bench, .pin = line };
}

MachineEvents bench_power(Bench *bench)
{
    return (MachineEvents){ .opaque = bench, .power = on_power };
}

/* --- scripts --- */

typedef struct Script {
    Bench *bench;
    const char *text, *at;
} Script;

static void skip_blanks(Script *s)
{
    while (*s->at && g_ascii_isspace(*s->at)) {
        s->at++;
    }
}

static void fail(const Script *s, uint64_t got, uint64_t want)
{
    g_error("script '%.*s': got %" G_GINT64_MODIFIER "x, expected %" G_GINT64_MODIFIER "x",
            (int)(s->at - s->text), s->text, got, want);
}

static uint64_t number(Script *s, int base)
{
    char *end;
    uint64_t value = g_ascii_strtoull(s->at, &end, (guint)base);

    if (end == s->at) {
        g_error("script '%.*s': a number is missing", (int)(s->at - s->text), s->text);
    }
    s->at = end;
    return value;
}

static void expect(const Script *s, uint64_t got, uint64_t want)
{
    if (got != want) {
        fail(s, got, want);
    }
}

static void access_register(Script *s, char word)
{
    GuestMemory *memory = s->bench->env.memory;
    uint64_t address = number(s, 16);
    uint64_t value = number(s, 16);

    switch (word) {
    case 'o':
        gm_pio_write(memory, (uint16_t)address, value, 1);
        break;
    case 'O':
        gm_pio_write(memory, (uint16_t)address, value, 2);
        break;
    case 'w':
        gm_mmio_write(memory, address, value, 4);
        break;
    case 'i':
        expect(s, gm_pio_read(memory, (uint16_t)address, 1), value);
        break;
    case 'I':
        expect(s, gm_pio_read(memory, (uint16_t)address, 2), value);
        break;
    default:
        expect(s, gm_mmio_read(memory, address, 4), value);
        break;
    }
}

static void check_line(Script *s, char word)
{
    unsigned line = (unsigned)number(s, 16) % BENCH_LINES;

    if (word == 'l') {
        uint64_t want = number(s, 16);
        expect(s, s->bench->level[line], want);
    } else {
        uint64_t want = number(s, 16);
        expect(s, s->bench->rises[line], want);
        s->bench->rises[line] = 0;
    }
}

static void check_power(Script *s)
{
    static const char *const names[] = { "none", "off", "reset", "panic", "watchdog", "exit" };
    int got = s->bench->power + 1;

    skip_blanks(s);
    for (int i = 0; i < (int)G_N_ELEMENTS(names); i++) {
        if (g_str_has_prefix(s->at, names[i])) {
            s->at += strlen(names[i]);
            expect(s, (uint64_t)got, (uint64_t)i);
            s->bench->power = -1;
            return;
        }
    }
    g_error("script '%s': unknown power event", s->text);
}

static void run_word(Script *s, char word)
{
    switch (word) {
    case '#':
        s->at += strcspn(s->at, ";");
        break;
    case ';':
        break;
    case 't':
        clock_advance(s->bench->env.clock, number(s, 10));
        break;
    case 'u':
    case 'd':
        s->bench->drive(s->bench->drive_opaque, (unsigned)number(s, 16), word == 'u');
        break;
    case 'l':
    case 'e':
        check_line(s, word);
        break;
    case 'p':
        check_power(s);
        break;
    default:
        if (!strchr("oOiIwr", word)) {
            g_error("script '%s': unknown word '%c'", s->text, word);
        }
        access_register(s, word);
        break;
    }
}

void bench_run(Bench *bench, const char *script)
{
    Script s = { .bench = bench, .text = script, .at = script };

    for (skip_blanks(&s); *s.at; skip_blanks(&s)) {
        run_word(&s, *s.at++);
    }
}

/* --- character back end --- */

static size_t char_write(void *opaque, const uint8_t *data, size_t len)
{
    BenchChar *c = opaque;
    size_t take = MIN(len, c->room);

    g_byte_array_append(c->written, data, (guint)take);
    c->room -= take;
    return take;
}

static void char_resume(void *opaque)
{
    BenchChar *c = opaque;

    c->resumes++;
}

static void char_attach(void *opaque, const CharListener *listener)
{
    BenchChar *c = opaque;

    c->listener = listener;
}

void bench_char_init(BenchChar *c)
{
    *c = (BenchChar){ .written = g_byte_array_new(), .room = SIZE_MAX };
    c->backend = (CharBackend){ c, char_write, char_resume, char_attach };
}

void bench_char_clear(BenchChar *c)
{
    g_byte_array_free(c->written, TRUE);
}
