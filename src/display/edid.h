/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a monitor says of itself (VESA E-EDID 1.4), so that guests choose its size.
 *
 * Threads: no state.
 */
#pragma once

#include <stdint.h>

enum { EDID_SIZE = 128 };

/* A monitor that would like pictures of @width by @height (cut to what EDID can say: 4095), 60
 * times a second. */
void edid_fill(uint8_t edid[EDID_SIZE], unsigned width, unsigned height);
