/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys in a terminal that aren't the guest's, see escape.h.
 */
#include "vm/escape.h"

#include <glib.h>

static const struct {
    uint8_t byte;
    EscapeKey key;
    const char *help; /* NULL: a second way to write the one above */
} keys[] = {
    { 'x', ESCAPE_QUIT, "x       end the machine at once" },
    { 'p', ESCAPE_POWER, "p       press its power button" },
    { 's', ESCAPE_STATUS, "s       say what it does" },
    { ESCAPE_BYTE, ESCAPE_PASS, "Ctrl-A  send Ctrl-A to the guest" },
    { 'h', ESCAPE_HELP, "h       show this" },
    { '?', ESCAPE_HELP, NULL },
};

EscapeKey escape_byte(Escape *escape, uint8_t byte)
{
    if (!escape->held) {
        escape->held = byte == ESCAPE_BYTE;
        return escape->held ? ESCAPE_HELD : ESCAPE_PASS;
    }
    escape->held = false;
    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (keys[i].byte == byte) {
            return keys[i].key;
        }
    }
    return ESCAPE_HELP;
}

void escape_help(void (*line)(const char *format, ...))
{
    line("after Ctrl-A:");
    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (keys[i].help) {
            line("  %s", keys[i].help);
        }
    }
}
