/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A toy guest for tests of the core: a machine with four registers whose whole instruction set
 * fits on a screen.  That it runs shows that the core knows no guest.
 *
 * Code bytes, r = low two bits of the operand byte:
 *   'i' r        r += 1                 'k' r n     r = n
 *   'l' r n      r = byte at n * 16     's' r n     byte at n * 16 = r
 *   'S' r        byte at r0 = r         'x' r       atomically add r to the 8 bytes at DATA
 *   'j' d        jump d from the next   'z' r d     the same if r != 0
 *   'r'          jump to r0             'h'         halt
 *   'f'          load from an address that always faults
 *   'n'          ask for an interrupt, the first time: poll then goes on at .interrupt_to
 *
 * Memory is mapped one to one, but for the pages at TOY_SWAP and behind it, which lie the other way
 * round; from TOY_FAULT on everything faults.  This is there TOY_ALIASES times, TOY_ALIAS apart.
 * An exception puts its number (1 load, 2 store, 3 fetch) into .fault_kind and halts.
 */
#pragma once

#include "engine/dbt/run/cpu.h"

enum {
    TOY_FAULT = 0xf0000,
    TOY_DATA = 0x8000,
    TOY_SWAP = 0x60000,
    TOY_ALIAS = TLB_ENTRIES * PAGE_SIZE, /* the same place in the TLB */
    TOY_ALIASES = 20,
};

typedef struct ToyCpu {
    DbtCpu base;
    uint64_t r[4];
    unsigned fault_kind;
    bool woken;
    bool straight;  /* the pages at TOY_SWAP aren't swapped */
    bool global;    /* translations are global */
    unsigned walks; /* how many there were */
    uint64_t interrupt_to;
    unsigned interrupts; /* asked for */
} ToyCpu;

extern const GuestIsa toy_isa;
