/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers of an x86-64 vCPU as gdb numbers, names and lays them out.
 *
 * One table says for each where it stands in X86State; the target description that gdb reads
 * ("target.xml") is made from it.  The view is the 64-bit one in every mode: in real or protected
 * mode the upper halves are 0, and addresses are RIP and RSP without their segments' bases.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/x86/state.h"

enum { GDB_REGISTER_BYTES_MAX = 16 };

/* How many registers there are. */
unsigned gdb_registers(void);
/* Name of register @number. */
const char *gdb_register_name(unsigned number);
/* Bytes of register @number on the wire. */
unsigned gdb_register_size(unsigned number);
/* Register @number of @state as on the wire; returns its size. */
unsigned gdb_register_get(const X86State *state, unsigned number,
                          uint8_t ret_bytes[GDB_REGISTER_BYTES_MAX]);
/* The reverse.  Whether the whole state can be is the engine's to say. */
void gdb_register_set(X86State *state, unsigned number, const uint8_t *bytes);

/* The target description.  Newly allocated. */
char *gdb_registers_xml(void);
