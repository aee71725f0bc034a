/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Key codes of clients, see keycodes.h.
 *
 * libvirt's codesets 0 (Linux's input.h) and 1 (set 1) have the same numbers up to 83, where the
 * first PC's keyboard ended; others of Linux's stand in a table.
 */
#include "manager/keycodes.h"

#include <glib.h>

enum { SET_LINUX = 0, SET_XT = 1, SET_RFB = 9, SAME_MAX = 83, CODE_MAX = 255 };

static const struct {
    unsigned linux_code, set1;
} others[] = {
    { 86, 0x56 },  { 87, 0x57 },  { 88, 0x58 },  { 96, 0x9c },  { 97, 0x9d },  { 98, 0xb5 },
    { 99, 0xb7 },  { 100, 0xb8 }, { 102, 0xc7 }, { 103, 0xc8 }, { 104, 0xc9 }, { 105, 0xcb },
    { 106, 0xcd }, { 107, 0xcf }, { 108, 0xd0 }, { 109, 0xd1 }, { 110, 0xd2 }, { 111, 0xd3 },
    { 119, 0xc6 }, { 125, 0xdb }, { 126, 0xdc }, { 127, 0xdd },
};

unsigned keycode_to_set1(unsigned codeset, unsigned code)
{
    if (codeset == SET_XT || codeset == SET_RFB) {
        return code <= CODE_MAX ? code : 0;
    }
    if (codeset != SET_LINUX) {
        return 0;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(others); i++) {
        if (others[i].linux_code == code) {
            return others[i].set1;
        }
    }
    return code <= SAME_MAX ? code : 0;
}
