/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The back end for x86-64 hosts: blocks become machine code.
 *
 * Where the code is: gen*.c (IR -> instructions), emit.c (instructions -> bytes), code.c (where
 * they stand, and how C enters and is left), slow.c (memory accesses that need C).
 *
 * Threads: as run/backend.h says.
 */
#pragma once

#include "engine/dbt/run/backend.h"

extern const Backend x86_64_backend;
