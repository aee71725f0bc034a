/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PS/2 keyboard, and the bytes that wait in either PS/2 device: see ps2.h.
 *
 * A key's code in set 1 comes from the table of keys; its code in set 2 from the controller's own
 * table of translation, read backwards, so that both agree.  Keys repeat when whoever presses them
 * says so.
 */
#include "machine/device/ps2.h"

#include <glib.h>
#include <linux/input-event-codes.h>
#include <string.h>

#include "display/keys.h"

enum { ACK = 0xfa, AGAIN = 0xfe, PASSED = 0xaa, EXTENDED = 0xe0, PAUSE = 0xe1, RELEASED = 0xf0 };
enum { SET_LEDS = 0xed, ECHO = 0xee, CHOOSE_SET = 0xf0, IDENTIFY = 0xf2, SET_RATE = 0xf3 };
enum { ENABLE = 0xf4, DISABLE = 0xf5, DEFAULTS = 0xf6, RESEND = 0xfe, RESET = 0xff };

/* --- bytes that wait --- */

bool ps2_take(Ps2Port *port, uint8_t *ret)
{
    if (port->n_answers) {
        *ret = port->answers[0];
        port->n_answers--;
        memmove(port->answers, port->answers + 1, port->n_answers);
    } else if (port->n_events) {
        *ret = port->events[port->first];
        port->first = (uint8_t)((port->first + 1) % PS2_EVENTS);
        port->n_events--;
    } else {
        return false;
    }
    port->last = *ret;
    return true;
}

void ps2_clear(Ps2Port *port)
{
    *port = (Ps2Port){ 0 };
}

void ps2_answer(Ps2Port *port, const uint8_t *bytes, unsigned n)
{
    for (unsigned i = 0; i < n && port->n_answers < PS2_ANSWERS; i++) {
        port->answers[port->n_answers++] = bytes[i];
    }
}

bool ps2_event(Ps2Port *port, const uint8_t *bytes, unsigned n)
{
    if (port->n_events + n > PS2_EVENTS) {
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        port->events[(port->first + port->n_events++) % PS2_EVENTS] = bytes[i];
    }
    return true;
}

/* --- scan codes --- */

/* Set 2 to set 1, as the controller's ROM has it. */
static const uint8_t translation[128] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
};
enum { F7_SET1 = 0x41, F7_SET2 = 0x83, SYSRQ_SET1 = 0x54, SYSRQ_SET2 = 0x84 };

uint8_t ps2_translate(uint8_t set2)
{
    if (set2 < sizeof(translation)) {
        return translation[set2];
    }
    return set2 == F7_SET2 ? F7_SET1 : set2 == SYSRQ_SET2 ? SYSRQ_SET1 : set2;
}

/* 0: there is none. */
static uint8_t set2_of(unsigned set1)
{
    if (set1 == F7_SET1 || set1 == SYSRQ_SET1) {
        return set1 == F7_SET1 ? F7_SET2 : SYSRQ_SET2;
    }
    for (unsigned i = 1; i < sizeof(translation); i++) {
        if (translation[i] == set1) {
            return (uint8_t)i;
        }
    }
    return 0;
}

/* This key has no code of its own, and says nothing when it goes up. */
static void press_pause(Ps2Keyboard *keyboard)
{
    static const uint8_t set1[] = { PAUSE, 0x1d, 0x45, PAUSE, 0x9d, 0xc5 };
    static const uint8_t set2[] = { PAUSE, 0x14, 0x77, PAUSE, RELEASED, 0x14, RELEASED, 0x77 };

    if (keyboard->set == 1) {
        ps2_event(&keyboard->port, set1, sizeof(set1));
    } else {
        ps2_event(&keyboard->port, set2, sizeof(set2));
    }
}

void ps2_keyboard_key(Ps2Keyboard *keyboard, unsigned code, bool down)
{
    unsigned set1 = keys_set1(code), n = 0;
    uint8_t bytes[3];

    /* half of the room is for keys that go up, or they would stay down for ever */
    if (!keyboard->scanning || !set1 || (down && keyboard->port.n_events > PS2_EVENTS / 2)) {
        return;
    }
    if (code == KEY_PAUSE) {
        if (down) {
            press_pause(keyboard);
        }
        return;
    }
    if (set1 & KEYS_EXTENDED) {
        bytes[n++] = EXTENDED;
    }
    set1 &= KEYS_EXTENDED - 1;
    if (keyboard->set == 1) {
        bytes[n++] = (uint8_t)(set1 | (down ? 0 : 0x80));
    } else {
        if (!down) {
            bytes[n++] = RELEASED;
        }
        bytes[n++] = set2_of(set1);
    }
    if (bytes[n - 1]) {
        ps2_event(&keyboard->port, bytes, n);
    }
}

/* --- commands --- */

static void answer(Ps2Keyboard *keyboard, uint8_t value)
{
    ps2_answer(&keyboard->port, &value, 1);
}

static void defaults(Ps2Keyboard *keyboard)
{
    keyboard->set = 2;
    keyboard->port.n_events = 0;
}

void ps2_keyboard_reset(Ps2Keyboard *keyboard)
{
    ps2_clear(&keyboard->port);
    defaults(keyboard);
    keyboard->leds = 0;
    keyboard->scanning = true;
}

static void take_argument(Ps2Keyboard *keyboard, uint8_t command, uint8_t value)
{
    if (command == CHOOSE_SET && value > 2) {
        answer(keyboard, AGAIN); /* there is no set 3 */
        return;
    }
    answer(keyboard, ACK);
    if (command == SET_LEDS) {
        keyboard->leds = value & 7;
    } else if (command == CHOOSE_SET && value) {
        keyboard->set = value;
        keyboard->port.n_events = 0;
    } else if (command == CHOOSE_SET) {
        answer(keyboard, keyboard->set);
    }
}

static void take_command(Ps2Keyboard *keyboard, uint8_t value)
{
    static const uint8_t id[] = { ACK, 0xab, 0x83 };

    switch (value) {
    case SET_LEDS:
    case CHOOSE_SET:
    case SET_RATE:
        keyboard->port.command = value;
        answer(keyboard, ACK);
        break;
    case ECHO:
        answer(keyboard, ECHO);
        break;
    case IDENTIFY:
        ps2_answer(&keyboard->port, id, sizeof(id));
        break;
    case ENABLE:
    case DISABLE:
    case DEFAULTS:
        defaults(keyboard);
        keyboard->scanning = value == DISABLE ? false : value == ENABLE || keyboard->scanning;
        answer(keyboard, ACK);
        break;
    case RESEND:
        answer(keyboard, keyboard->port.last);
        break;
    case RESET:
        ps2_keyboard_reset(keyboard);
        answer(keyboard, ACK);
        answer(keyboard, PASSED);
        break;
    default:
        answer(keyboard, AGAIN);
        break;
    }
}

void ps2_keyboard_write(Ps2Keyboard *keyboard, uint8_t value)
{
    uint8_t command = keyboard->port.command;

    keyboard->port.command = 0;
    if (command && value < SET_LEDS) {
        take_argument(keyboard, command, value);
    } else {
        take_command(keyboard, value);
    }
}
