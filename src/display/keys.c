/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One table of keys, see keys.h.  Where two rows have the same code, the first one's scan code is
 * sent, and both are names of it.
 */
#include "display/keys.h"

#include <glib.h>
#include <linux/input-event-codes.h>
#include <stddef.h>
#include <string.h>

#include "display/input.h"

typedef struct Key {
    const char *name;
    uint16_t code;
    uint8_t set1;             /* with KEYS_EXTENDED; 0: none */
    uint32_t symbol, shifted; /* X11's; 0: none */
} Key;

static const Key keys[] = {
    { "esc", KEY_ESC, 0x1, 0xff1b, 0 },
    { "1", KEY_1, 0x2, '1', '!' },
    { "2", KEY_2, 0x3, '2', '@' },
    { "3", KEY_3, 0x4, '3', '#' },
    { "4", KEY_4, 0x5, '4', '$' },
    { "5", KEY_5, 0x6, '5', '%' },
    { "6", KEY_6, 0x7, '6', '^' },
    { "7", KEY_7, 0x8, '7', '&' },
    { "8", KEY_8, 0x9, '8', '*' },
    { "9", KEY_9, 0xa, '9', '(' },
    { "0", KEY_0, 0xb, '0', ')' },
    { "minus", KEY_MINUS, 0xc, '-', '_' },
    { "equal", KEY_EQUAL, 0xd, '=', '+' },
    { "backspace", KEY_BACKSPACE, 0xe, 0xff08, 0 },
    { "tab", KEY_TAB, 0xf, 0xff09, 0xfe20 },
    { "q", KEY_Q, 0x10, 'q', 'Q' },
    { "w", KEY_W, 0x11, 'w', 'W' },
    { "e", KEY_E, 0x12, 'e', 'E' },
    { "r", KEY_R, 0x13, 'r', 'R' },
    { "t", KEY_T, 0x14, 't', 'T' },
    { "y", KEY_Y, 0x15, 'y', 'Y' },
    { "u", KEY_U, 0x16, 'u', 'U' },
    { "i", KEY_I, 0x17, 'i', 'I' },
    { "o", KEY_O, 0x18, 'o', 'O' },
    { "p", KEY_P, 0x19, 'p', 'P' },
    { "bracket_left", KEY_LEFTBRACE, 0x1a, '[', '{' },
    { "bracket_right", KEY_RIGHTBRACE, 0x1b, ']', '}' },
    { "ret", KEY_ENTER, 0x1c, 0xff0d, 0 },
    { "ctrl", KEY_LEFTCTRL, 0x1d, 0xffe3, 0 },
    { "a", KEY_A, 0x1e, 'a', 'A' },
    { "s", KEY_S, 0x1f, 's', 'S' },
    { "d", KEY_D, 0x20, 'd', 'D' },
    { "f", KEY_F, 0x21, 'f', 'F' },
    { "g", KEY_G, 0x22, 'g', 'G' },
    { "h", KEY_H, 0x23, 'h', 'H' },
    { "j", KEY_J, 0x24, 'j', 'J' },
    { "k", KEY_K, 0x25, 'k', 'K' },
    { "l", KEY_L, 0x26, 'l', 'L' },
    { "semicolon", KEY_SEMICOLON, 0x27, ';', ':' },
    { "apostrophe", KEY_APOSTROPHE, 0x28, '\'', '"' },
    { "grave_accent", KEY_GRAVE, 0x29, '`', '~' },
    { "shift", KEY_LEFTSHIFT, 0x2a, 0xffe1, 0 },
    { "backslash", KEY_BACKSLASH, 0x2b, '\\', '|' },
    { "z", KEY_Z, 0x2c, 'z', 'Z' },
    { "x", KEY_X, 0x2d, 'x', 'X' },
    { "c", KEY_C, 0x2e, 'c', 'C' },
    { "v", KEY_V, 0x2f, 'v', 'V' },
    { "b", KEY_B, 0x30, 'b', 'B' },
    { "n", KEY_N, 0x31, 'n', 'N' },
    { "m", KEY_M, 0x32, 'm', 'M' },
    { "comma", KEY_COMMA, 0x33, ',', '<' },
    { "dot", KEY_DOT, 0x34, '.', '>' },
    { "slash", KEY_SLASH, 0x35, '/', '?' },
    { "shift_r", KEY_RIGHTSHIFT, 0x36, 0xffe2, 0 },
    { "kp_multiply", KEY_KPASTERISK, 0x37, 0xffaa, 0 },
    { "alt", KEY_LEFTALT, 0x38, 0xffe9, 0xffe7 },
    { "spc", KEY_SPACE, 0x39, 0x20, 0 },
    { "caps_lock", KEY_CAPSLOCK, 0x3a, 0xffe5, 0 },
    { "f1", KEY_F1, 0x3b, 0xffbe, 0 },
    { "f2", KEY_F2, 0x3c, 0xffbf, 0 },
    { "f3", KEY_F3, 0x3d, 0xffc0, 0 },
    { "f4", KEY_F4, 0x3e, 0xffc1, 0 },
    { "f5", KEY_F5, 0x3f, 0xffc2, 0 },
    { "f6", KEY_F6, 0x40, 0xffc3, 0 },
    { "f7", KEY_F7, 0x41, 0xffc4, 0 },
    { "f8", KEY_F8, 0x42, 0xffc5, 0 },
    { "f9", KEY_F9, 0x43, 0xffc6, 0 },
    { "f10", KEY_F10, 0x44, 0xffc7, 0 },
    { "num_lock", KEY_NUMLOCK, 0x45, 0xff7f, 0 },
    { "scroll_lock", KEY_SCROLLLOCK, 0x46, 0xff14, 0 },
    { "kp_7", KEY_KP7, 0x47, 0xffb7, 0xff95 },
    { "kp_8", KEY_KP8, 0x48, 0xffb8, 0xff97 },
    { "kp_9", KEY_KP9, 0x49, 0xffb9, 0xff9a },
    { "kp_subtract", KEY_KPMINUS, 0x4a, 0xffad, 0 },
    { "kp_4", KEY_KP4, 0x4b, 0xffb4, 0xff96 },
    { "kp_5", KEY_KP5, 0x4c, 0xffb5, 0xff9d },
    { "kp_6", KEY_KP6, 0x4d, 0xffb6, 0xff98 },
    { "kp_add", KEY_KPPLUS, 0x4e, 0xffab, 0 },
    { "kp_1", KEY_KP1, 0x4f, 0xffb1, 0xff9c },
    { "kp_2", KEY_KP2, 0x50, 0xffb2, 0xff99 },
    { "kp_3", KEY_KP3, 0x51, 0xffb3, 0xff9b },
    { "kp_0", KEY_KP0, 0x52, 0xffb0, 0xff9e },
    { "kp_decimal", KEY_KPDOT, 0x53, 0xffae, 0xff9f },
    { "less", KEY_102ND, 0x56, 0, 0 },
    { "f11", KEY_F11, 0x57, 0xffc8, 0 },
    { "f12", KEY_F12, 0x58, 0xffc9, 0 },
    { "ro", KEY_RO, 0x73, 0, 0 },
    { "katakanahiragana", KEY_KATAKANAHIRAGANA, 0x70, 0xff27, 0 },
    { "henkan", KEY_HENKAN, 0x79, 0xff23, 0 },
    { "muhenkan", KEY_MUHENKAN, 0x7b, 0xff22, 0 },
    { "hiragana", KEY_HIRAGANA, 0x77, 0xff25, 0 },
    { "yen", KEY_YEN, 0x7d, 0xa5, 0 },
    { "kp_comma", KEY_KPCOMMA, 0x7e, 0xffac, 0 },
    { "kp_equals", KEY_KPEQUAL, 0x59, 0xffbd, 0 },
    { "lang1", KEY_HANGEUL, 0x72, 0xff31, 0 },
    { "lang2", KEY_HANJA, 0x71, 0xff34, 0 },
    { "kp_enter", KEY_KPENTER, 0x9c, 0xff8d, 0 },
    { "ctrl_r", KEY_RIGHTCTRL, 0x9d, 0xffe4, 0 },
    { "kp_divide", KEY_KPSLASH, 0xb5, 0xffaf, 0 },
    { "print", KEY_SYSRQ, 0xb7, 0xff61, 0xff15 },
    { "sysrq", KEY_SYSRQ, 0x54, 0, 0 }, /* what a keyboard sends with Alt */
    { "alt_r", KEY_RIGHTALT, 0xb8, 0xffea, 0xfe03 },
    { "home", KEY_HOME, 0xc7, 0xff50, 0 },
    { "up", KEY_UP, 0xc8, 0xff52, 0 },
    { "pgup", KEY_PAGEUP, 0xc9, 0xff55, 0 },
    { "left", KEY_LEFT, 0xcb, 0xff51, 0 },
    { "right", KEY_RIGHT, 0xcd, 0xff53, 0 },
    { "end", KEY_END, 0xcf, 0xff57, 0 },
    { "down", KEY_DOWN, 0xd0, 0xff54, 0 },
    { "pgdn", KEY_PAGEDOWN, 0xd1, 0xff56, 0 },
    { "insert", KEY_INSERT, 0xd2, 0xff63, 0 },
    { "delete", KEY_DELETE, 0xd3, 0xffff, 0 },
    { "pause", KEY_PAUSE, 0xc6, 0xff13, 0xff6b },
    { "meta_l", KEY_LEFTMETA, 0xdb, 0xffeb, 0xffe7 },
    { "meta_r", KEY_RIGHTMETA, 0xdc, 0xffec, 0xffe8 },
    { "menu", KEY_COMPOSE, 0xdd, 0xff67, 0 },
    { "compose", KEY_COMPOSE, 0xdd, 0, 0 },
    { "power", KEY_POWER, 0xde, 0, 0 },
    { "sleep", KEY_SLEEP, 0xdf, 0, 0 },
    { "wake", KEY_WAKEUP, 0xe3, 0, 0 },
    { "audionext", KEY_NEXTSONG, 0x99, 0, 0 },
    { "audioprev", KEY_PREVIOUSSONG, 0x90, 0, 0 },
    { "audiostop", KEY_STOPCD, 0xa4, 0, 0 },
    { "audioplay", KEY_PLAYPAUSE, 0xa2, 0, 0 },
    { "audiomute", KEY_MUTE, 0xa0, 0, 0 },
    { "volumeup", KEY_VOLUMEUP, 0xb0, 0, 0 },
    { "volumedown", KEY_VOLUMEDOWN, 0xae, 0, 0 },
    { "mediaselect", KEY_MEDIA, 0xed, 0, 0 },
    { "mail", KEY_MAIL, 0xec, 0, 0 },
    { "calculator", KEY_CALC, 0xa1, 0, 0 },
    { "computer", KEY_COMPUTER, 0xeb, 0, 0 },
    { "ac_home", KEY_HOMEPAGE, 0xb2, 0, 0 },
    { "ac_back", KEY_BACK, 0xea, 0, 0 },
    { "ac_forward", KEY_FORWARD, 0xe9, 0, 0 },
    { "ac_refresh", KEY_REFRESH, 0xe7, 0, 0 },
    { "ac_bookmarks", KEY_BOOKMARKS, 0xe6, 0, 0 },
    { "f13", KEY_F13, 0x5d, 0xffca, 0 },
    { "f14", KEY_F14, 0x5e, 0xffcb, 0 },
    { "f15", KEY_F15, 0x5f, 0xffcc, 0 },
    { "f16", KEY_F16, 0, 0xffcd, 0 },
    { "f17", KEY_F17, 0, 0xffce, 0 },
    { "f18", KEY_F18, 0, 0xffcf, 0 },
    { "f19", KEY_F19, 0, 0xffd0, 0 },
    { "f20", KEY_F20, 0, 0xffd1, 0 },
    { "f21", KEY_F21, 0, 0xffd2, 0 },
    { "f22", KEY_F22, 0, 0xffd3, 0 },
    { "f23", KEY_F23, 0, 0xffd4, 0 },
    { "f24", KEY_F24, 0, 0xffd5, 0 },
    { "stop", KEY_STOP, 0, 0, 0 },
    { "again", KEY_AGAIN, 0, 0, 0 },
    { "props", KEY_PROPS, 0, 0, 0 },
    { "undo", KEY_UNDO, 0, 0, 0 },
    { "front", KEY_FRONT, 0, 0, 0 },
    { "copy", KEY_COPY, 0, 0, 0 },
    { "open", KEY_OPEN, 0, 0, 0 },
    { "paste", KEY_PASTE, 0, 0, 0 },
    { "find", KEY_FIND, 0, 0, 0 },
    { "cut", KEY_CUT, 0, 0, 0 },
    { "lf", KEY_LINEFEED, 0, 0, 0 },
    { "help", KEY_HELP, 0, 0xff6a, 0 },
};

unsigned keys_by_name(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (!strcmp(keys[i].name, name)) {
            return keys[i].code;
        }
    }
    return !strcmp(name, "asterisk") ? KEY_KPASTERISK : 0; /* the old name of kp_multiply */
}

const char *keys_name(unsigned code)
{
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (keys[i].code == code) {
            return keys[i].name;
        }
    }
    return NULL;
}

unsigned keys_by_set1(unsigned set1)
{
    for (size_t i = 0; i < G_N_ELEMENTS(keys) && set1; i++) {
        if (keys[i].set1 == set1) {
            return keys[i].code;
        }
    }
    return 0;
}

unsigned keys_set1(unsigned code)
{
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (keys[i].code == code) {
            return keys[i].set1;
        }
    }
    return 0;
}

unsigned keys_by_symbol(uint32_t keysym)
{
    for (size_t i = 0; i < G_N_ELEMENTS(keys) && keysym; i++) {
        if (keys[i].symbol == keysym || keys[i].shifted == keysym) {
            return keys[i].code;
        }
    }
    return 0;
}

void keys_send(Input *input, const unsigned *codes, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        input_key(input, codes[i], true);
    }
    for (unsigned i = n; i > 0; i--) {
        input_key(input, codes[i - 1], false);
    }
}
