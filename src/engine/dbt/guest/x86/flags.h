/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The word .op of a flag record: a FOP_ number with its size (x86.h), and on top of it CF and OF
 * where a later instruction set only these (BT, rotates, CLC and their like).
 *
 * Threads: no state.
 */
#pragma once

enum {
    FLAGOP_NUMBER = 0xff, /* mask of the FOP_ number */
    FLAGOP_CF_VALID = 1 << 8,
    FLAGOP_CF_BIT = 9,
    FLAGOP_CF = 1 << FLAGOP_CF_BIT,
    FLAGOP_OF_VALID = 1 << 10,
    FLAGOP_OF_BIT = 11,
    FLAGOP_OF = 1 << FLAGOP_OF_BIT,
};
