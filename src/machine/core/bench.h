/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests: a bench that a device is screwed to.  It plays the board and the guest, with a clock
 * that a test moves by hand, and notes what the device does to its lines.
 *
 * Most tests of registers are scripts, so that a table of cases reads like a session at a
 * debugger.  Words of a script; numbers are hexadecimal unless said otherwise:
 *
 *   o PORT BYTE    out, 8 bits          i PORT BYTE     in, 8 bits: expect this
 *   O PORT VALUE   out, 16 bits         I PORT VALUE    in, 16 bits: expect this
 *   w GPA VALUE    store, 32 bits       r GPA VALUE     load, 32 bits: expect this
 *   t NS           let NS (decimal) nanoseconds pass
 *   u LINE         drive input LINE up  d LINE          down (the test's pin function)
 *   l LINE LEVEL   expect the level     e LINE N        expect N rises since the last e
 *   p WHAT         expect that power was asked for: off, reset, panic, watchdog, exit, none
 *   # TEXT;        a remark, to the next semicolon
 *
 * Threads: one.
 */
#pragma once

#include "machine/core/char.h"
#include "machine/core/device.h"
#include "machine/core/irq.h"
#include "machine/core/power.h"

enum { BENCH_LINES = 32 };

typedef struct Bench {
    DeviceEnv env;
    Log log;
    bool level[BENCH_LINES];
    unsigned rises[BENCH_LINES];
    int power; /* the last MachinePower, or -1 */
    uint8_t power_value;
    /* what u and d do; set by the test */
    void (*drive)(void *opaque, unsigned line, bool level);
    void *drive_opaque;
} Bench;

void bench_init(Bench *bench);
/* All devices must have been freed. */
void bench_clear(Bench *bench);

/* A line that the bench watches. */
IrqLine bench_line(Bench *bench, unsigned line);
MachineEvents bench_power(Bench *bench);

/* Run a script; a failed expectation fails the test with the words that led there. */
void bench_run(Bench *bench, const char *script);

/* A back end that takes up to .room bytes and keeps them. */
typedef struct BenchChar {
    CharBackend backend;
    GByteArray *written;
    size_t room;
    unsigned resumes;
    const CharListener *listener;
} BenchChar;

void bench_char_init(BenchChar *c);
void bench_char_clear(BenchChar *c);
