/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every instruction of the decoder's opcode tables, as what must be in its bytes to select its row.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/dbt/guest/x86/decode.h"

enum { ANY = -1 };

typedef struct Template {
    const X86Opcode *row;
    uint8_t map; /* 0 one byte, 1 0F, 2 0F38, 3 0F3A */
    uint8_t code;
    int8_t prefix; /* X86Prefix, or ANY */
    int8_t mod;    /* 0 memory, 1 register, or ANY */
    int8_t reg, rm;
    int8_t w;      /* REX.W */
    int8_t mode64; /* only outside (0) or in (1) 64-bit mode */
    bool vex;      /* with this prefix; then .w is its W, and: */
    int8_t l;      /* VEX.L */
    unsigned used; /* by the generator */
} Template;

/* All rows there are, of type Template. */
GArray *templates_new(void);
