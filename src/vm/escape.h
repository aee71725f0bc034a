/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys in a terminal that aren't the guest's: Ctrl-A, and what follows it.
 *
 * Threads: an Escape belongs to one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum EscapeKey {
    ESCAPE_PASS,   /* the byte is the guest's */
    ESCAPE_HELD,   /* Ctrl-A: the next byte decides */
    ESCAPE_QUIT,   /* x: end the machine at once */
    ESCAPE_POWER,  /* p: press its power button */
    ESCAPE_STATUS, /* s */
    ESCAPE_HELP,   /* h, ?, and anything that isn't known */
} EscapeKey;

enum { ESCAPE_BYTE = 1 }; /* Ctrl-A */

/* All zero: nothing is held. */
typedef struct Escape {
    bool held;
} Escape;

/* What @byte from the terminal means.  Ctrl-A twice passes one. */
EscapeKey escape_byte(Escape *escape, uint8_t byte);

/* The keys, for people: a call of @line each. */
void escape_help(void (*line)(const char *format, ...));
