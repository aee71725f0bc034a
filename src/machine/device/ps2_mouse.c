/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PS/2 mouse with a wheel and five buttons, see ps2.h.  Whoever sets the rates 200, 100, 80 in a
 * row learns of the wheel, whoever sets 200, 200, 80 of two more buttons.
 *
 * Movements add up until the guest has read the packet before; each change of a button makes a
 * packet of its own, so that no click is lost.
 */
#include "machine/device/ps2.h"

#include <glib.h>

enum { ACK = 0xfa, AGAIN = 0xfe, PASSED = 0xaa };
enum {
    SCALE_1 = 0xe6,
    SCALE_2 = 0xe7,
    SET_RESOLUTION = 0xe8,
    STATUS = 0xe9,
    STREAM = 0xea,
    READ = 0xeb,
    END_WRAP = 0xec,
    WRAP = 0xee,
    REMOTE = 0xf0,
    IDENTIFY = 0xf2,
    SET_RATE = 0xf3,
    ENABLE = 0xf4,
    DISABLE = 0xf5,
    DEFAULTS = 0xf6,
    RESEND = 0xfe,
    RESET = 0xff,
};
enum { ID_WHEEL = 3, ID_FIVE = 4, MOST = 127, MOST_WHEEL = 7, ALWAYS = 8 };

static void answer(Ps2Mouse *mouse, uint8_t value)
{
    ps2_answer(&mouse->port, &value, 1);
}

static void defaults(Ps2Mouse *mouse)
{
    mouse->reporting = mouse->remote = mouse->wrap = mouse->scaling = false;
    mouse->resolution = 2;
    mouse->rate = 100;
    mouse->x = mouse->y = mouse->wheel = 0;
    mouse->port.n_events = 0;
}

void ps2_mouse_reset(Ps2Mouse *mouse)
{
    ps2_clear(&mouse->port);
    defaults(mouse);
    mouse->id = 0;
    mouse->last_rate = 0;
    mouse->buttons = 0;
}

/* --- packets --- */

static uint8_t pack_buttons(const Ps2Mouse *mouse)
{
    return (uint8_t)((mouse->buttons & INPUT_LEFT ? 1 : 0) |
                     (mouse->buttons & INPUT_RIGHT ? 2 : 0) |
                     (mouse->buttons & INPUT_MIDDLE ? 4 : 0));
}

/* As much of *@moved as goes into one packet. */
static int take(int16_t *moved, int most)
{
    int part = CLAMP(*moved, -most, most);

    *moved = (int16_t)(*moved - part);
    return part;
}

/* What has moved, up to four bytes; how many. */
static unsigned pack(Ps2Mouse *mouse, uint8_t packet[4])
{
    int x = take(&mouse->x, MOST), y = -take(&mouse->y, MOST);
    int wheel = -take(&mouse->wheel, MOST_WHEEL);

    packet[0] = (uint8_t)(pack_buttons(mouse) | ALWAYS | (x < 0 ? 0x10 : 0) | (y < 0 ? 0x20 : 0));
    packet[1] = (uint8_t)x;
    packet[2] = (uint8_t)y;
    packet[3] = (uint8_t)wheel;
    if (mouse->id == ID_FIVE) {
        packet[3] = (uint8_t)((wheel & 0xf) | (mouse->buttons & INPUT_SIDE ? 0x10 : 0) |
                              (mouse->buttons & INPUT_EXTRA ? 0x20 : 0));
    }
    return mouse->id ? 4 : 3;
}

static void send_packet(Ps2Mouse *mouse)
{
    uint8_t packet[4];
    unsigned n = pack(mouse, packet);

    ps2_event(&mouse->port, packet, n);
}

void ps2_mouse_report(Ps2Mouse *mouse)
{
    if (!mouse->id) {
        mouse->wheel = 0; /* nobody knows it */
    }
    if (mouse->reporting && !mouse->remote && !mouse->port.n_events &&
        (mouse->x || mouse->y || mouse->wheel)) {
        send_packet(mouse);
    }
}

static int16_t add(int16_t sum, int more)
{
    return (int16_t)CLAMP(sum + CLAMP(more, -INT16_MAX, INT16_MAX), -INT16_MAX, INT16_MAX);
}

void ps2_mouse_move(Ps2Mouse *mouse, const InputPointer *pointer)
{
    bool clicked = mouse->buttons != pointer->buttons;

    mouse->x = add(mouse->x, pointer->x);
    mouse->y = add(mouse->y, pointer->y);
    mouse->wheel = add(mouse->wheel, pointer->wheel);
    mouse->buttons = pointer->buttons & (INPUT_EXTRA * 2 - 1);
    if (clicked && mouse->reporting && !mouse->remote) {
        send_packet(mouse);
    }
    ps2_mouse_report(mouse);
}

/* --- commands --- */

static void set_rate(Ps2Mouse *mouse, uint8_t value)
{
    if (value == 80 && mouse->rate == 100 && mouse->last_rate == 200) {
        mouse->id = ID_WHEEL;
    } else if (value == 80 && mouse->rate == 200 && mouse->last_rate == 200) {
        mouse->id = ID_FIVE;
    }
    mouse->last_rate = mouse->rate;
    mouse->rate = value;
}

static void take_argument(Ps2Mouse *mouse, uint8_t command, uint8_t value)
{
    answer(mouse, ACK);
    if (command == SET_RATE) {
        set_rate(mouse, value);
    } else {
        mouse->resolution = value & 3;
    }
}

static void tell_status(Ps2Mouse *mouse)
{
    uint8_t buttons = pack_buttons(mouse);
    const uint8_t bytes[] = {
        ACK,
        (uint8_t)((buttons & 1) << 2 | (buttons & 4) >> 1 | (buttons & 2) >> 1 |
                  (mouse->scaling ? 0x10 : 0) | (mouse->reporting ? 0x20 : 0) |
                  (mouse->remote ? 0x40 : 0)),
        mouse->resolution,
        mouse->rate,
    };

    ps2_answer(&mouse->port, bytes, sizeof(bytes));
}

/* Commands that set something and say yes. */
static bool set_mode(Ps2Mouse *mouse, uint8_t value)
{
    switch (value) {
    case SCALE_1:
    case SCALE_2:
        mouse->scaling = value == SCALE_2;
        return true;
    case STREAM:
    case REMOTE:
        mouse->remote = value == REMOTE;
        return true;
    case WRAP:
        mouse->wrap = true;
        return true;
    case END_WRAP:
        return true;
    case ENABLE:
    case DISABLE:
        mouse->reporting = value == ENABLE;
        mouse->x = mouse->y = mouse->wheel = 0;
        mouse->port.n_events = 0;
        return true;
    case DEFAULTS:
        defaults(mouse);
        return true;
    case SET_RESOLUTION:
    case SET_RATE:
        mouse->port.command = value;
        return true;
    default:
        return false;
    }
}

static void take_command(Ps2Mouse *mouse, uint8_t value)
{
    uint8_t packet[4];

    if (set_mode(mouse, value)) {
        answer(mouse, ACK);
        return;
    }
    switch (value) {
    case STATUS:
        tell_status(mouse);
        break;
    case READ: {
        unsigned n = pack(mouse, packet);
        answer(mouse, ACK);
        ps2_answer(&mouse->port, packet, n);
        break;
    }
    case IDENTIFY:
        answer(mouse, ACK);
        answer(mouse, mouse->id);
        break;
    case RESEND:
        answer(mouse, mouse->port.last);
        break;
    case RESET:
        ps2_mouse_reset(mouse);
        answer(mouse, ACK);
        answer(mouse, PASSED);
        answer(mouse, mouse->id);
        break;
    default:
        answer(mouse, AGAIN);
        break;
    }
}

void ps2_mouse_write(Ps2Mouse *mouse, uint8_t value)
{
    uint8_t command = mouse->port.command;

    mouse->port.command = 0;
    if (mouse->wrap && value != RESET && value != END_WRAP) {
        answer(mouse, value);
        return;
    }
    mouse->wrap = false;
    if (command && value != RESET) {
        take_argument(mouse, command, value);
    } else {
        take_command(mouse, value);
    }
}
