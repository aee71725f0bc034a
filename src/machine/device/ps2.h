/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is plugged into the two sockets of a PC's keyboard controller: a keyboard and a wheel mouse,
 * which take bytes (commands) and have bytes to send (IBM PS/2 technical reference; Microsoft's
 * extension for wheels).
 *
 * Answers to commands go before keys and movements that wait.
 *
 * Threads: all under the lock of the controller, which holds both.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "display/input.h"

/* Bytes that wait: a guest that doesn't read must not take more. */
enum { PS2_ANSWERS = 8, PS2_EVENTS = 256 };

typedef struct Ps2Port {
    uint8_t answers[PS2_ANSWERS], n_answers;
    uint8_t events[PS2_EVENTS], first;
    uint16_t n_events;
    uint8_t last;    /* the byte that was sent last */
    uint8_t command; /* whose argument comes next; 0: none */
} Ps2Port;

/* The next byte for the guest; false: there is none. */
bool ps2_take(Ps2Port *port, uint8_t *ret);
void ps2_clear(Ps2Port *port);
/* What finds no room is dropped; of events none or all. */
void ps2_answer(Ps2Port *port, const uint8_t *bytes, unsigned n);
bool ps2_event(Ps2Port *port, const uint8_t *bytes, unsigned n);

typedef struct Ps2Keyboard {
    Ps2Port port;
    bool scanning;
    uint8_t set; /* of scan codes: 1 or 2 */
    uint8_t leds;
} Ps2Keyboard;

void ps2_keyboard_reset(Ps2Keyboard *keyboard);
/* A byte from the guest. */
void ps2_keyboard_write(Ps2Keyboard *keyboard, uint8_t value);
void ps2_keyboard_key(Ps2Keyboard *keyboard, unsigned code, bool down);
/* What the controller makes of scan code set 2: the code in set 1. */
uint8_t ps2_translate(uint8_t set2);

typedef struct Ps2Mouse {
    Ps2Port port;
    bool reporting, remote, wrap, scaling;
    uint8_t resolution, rate;
    uint8_t id;          /* 0: three buttons; 3: and a wheel; 4: five and a wheel */
    uint8_t last_rate;   /* that was set before .rate */
    uint8_t buttons;     /* INPUT_... */
    int16_t x, y, wheel; /* moved since the last packet: right, down, up */
} Ps2Mouse;

void ps2_mouse_reset(Ps2Mouse *mouse);
void ps2_mouse_write(Ps2Mouse *mouse, uint8_t value);
void ps2_mouse_move(Ps2Mouse *mouse, const InputPointer *pointer);
/* Report what has moved, if nothing else waits. */
void ps2_mouse_report(Ps2Mouse *mouse);
