/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where devices are found on board pc, whose places the addresses in XML follow.
 *
 * Threads: no state.
 */
#pragma once

#include "config/domain.h"

enum { ROOT_PORTS = 4 }; /* of PCI Express, as src/machine/board/hotplug.c has them */

/* Give each device that has none the address that the board will give it. */
void domain_address_assign(DomainConfig *config);
