/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * insbench, the suite of work that tools/bench has guests do: what a row is.
 *
 * A row computes something of a known result, again and again for the time it is given, and tells
 * how much it did in a second.  The result must be the same on every machine, so that each
 * measurement is a test of the CPU below it, too.  Each row runs in a process of its own and keeps
 * what it needs in one block of memory, zero at first, so that no row leaves anything to the next.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Row {
    const char *group; /* by which --only may choose */
    const char *name;
    const char *unit;
    double per_call; /* how much of the unit one call does */
    uint64_t check;  /* what a call returns */
    size_t data_size;
    uint64_t (*run)(void *data);
    void (*setup)(void *data);  /* or NULL */
    void (*finish)(void *data); /* or NULL */
    const char *command;        /* instead of run: a shell does this once */
} Row;

/* Each ends with a row without a name. */
extern const Row integer_rows[];
extern const Row float_rows[];
extern const Row memory_rows[];
extern const Row branch_rows[];
extern const Row kernel_rows[];
extern const Row code_rows[];
extern const Row thread_rows[];
extern const Row command_rows[];

/* Where the rows of command_rows find their data, made once. */
#define TEXT_FILE "/tmp/insbench.text"

/* The compiler knows nothing of what @lvalue holds from here on. */
#define HIDE(lvalue) __asm__ volatile("" : "+r"(lvalue))

/* Says why on stderr, and ends the process. */
_Noreturn void die(const char *what);

/* The next number of a small generator (xorshift); each row seeds its own. */
static inline uint32_t next_random(uint32_t *state)
{
    uint32_t x = *state;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

/* Folds a value into a checksum. */
static inline uint64_t mix(uint64_t sum, uint64_t value)
{
    sum ^= value;
    sum *= 0x9e3779b97f4a7c15u;
    return sum ^ (sum >> 29);
}

uint64_t mix_double(uint64_t sum, double value);

/* Runs this thread on CPU @cpu alone, if there is one of that number. */
void pin_to(int cpu);

/* Makes TEXT_FILE, unless it is there: words that compress to about a third. */
void make_text(void);

/* The fork and exec of row forkexec end here. */
enum { CHILD_STATUS = 7 };
#define CHILD_WORD "-exit"

enum { BUFFER_SIZE = 1 << 20 };

/* Two buffers, the first of noise: what several rows work on. */
typedef struct Buffers {
    uint8_t a[BUFFER_SIZE + 64];
    uint8_t b[BUFFER_SIZE + 64];
} Buffers;

void fill_buffer(void *buffers);
