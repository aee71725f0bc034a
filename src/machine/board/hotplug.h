/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slots of board pc whose cards come and go while the machine runs, see hotplug.c.
 *
 * Threads: see machine/machine.h (machine_plug() and so on).
 */
#pragma once

#include "machine/board/board.h"

/* Add the root ports at device @device of bus 0, one function each. */
void hotplug_build(Machine *machine, unsigned device);
/* After the devices. */
void hotplug_free(Machine *machine);
