/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Key codes of clients, as the VM wants them.
 *
 * Threads: no state.
 */
#pragma once

/* The code of a key in scan code set 1 (bit 7: behind E0h), as QMP's send-key takes a number; 0:
 * there is no such key, or @codeset (libvirt's number) isn't known. */
unsigned keycode_to_set1(unsigned codeset, unsigned code);
