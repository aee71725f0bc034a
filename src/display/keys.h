/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names that a key has elsewhere: QEMU's QKeyCode (send-key), scan code set 1 (PS/2 keyboards,
 * and VNC's extended key events), X11's keysym (VNC).  Here it is Linux's input event code.
 *
 * Threads: no state.
 */
#pragma once

#include <stdint.h>

typedef struct Input Input;

/* A scan code of set 1 behind the prefix E0h has this bit. */
enum { KEYS_EXTENDED = 0x80 };

/* Each gives 0 for what it doesn't know. */
unsigned keys_by_name(const char *name);
unsigned keys_by_set1(unsigned set1);
/* As on an American keyboard; both of a key's symbols, with and without Shift, are the key. */
unsigned keys_by_symbol(uint32_t keysym);
unsigned keys_set1(unsigned code);
/* NULL: it has none. */
const char *keys_name(unsigned code);

/* Press all of @codes in this order, then let go in the opposite one. */
void keys_send(Input *input, const unsigned *codes, unsigned n);
