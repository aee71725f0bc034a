/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guests in guests.S: first byte and the byte behind the last.
 */
#pragma once

#include <stdint.h>

#define GUEST(name) extern const uint8_t guest_##name[], guest_##name##_end[]

GUEST(stop16);
GUEST(stop32);
GUEST(stop64);
GUEST(ports);
GUEST(string_ports);
GUEST(mmio);
GUEST(cover);
GUEST(triple);
GUEST(halt);
GUEST(spin);
GUEST(caller);
GUEST(self_modify);
GUEST(dump);
GUEST(steps);
GUEST(iret_later);
GUEST(handler);
GUEST(quiet_handler);
GUEST(ap);
GUEST(start_ap);
GUEST(rep_movs);
GUEST(rep_outs);
GUEST(pae_read);
GUEST(watched);
GUEST(accesses);
GUEST(flags);
GUEST(tsc_spin);
GUEST(tsc_once);
GUEST(tsc_turns);
GUEST(lapic_timer);
GUEST(tsc_deadline);
GUEST(x2apic);
GUEST(x2apic_handler);
GUEST(tpr);
GUEST(cpuid);
GUEST(mmio_spin);
