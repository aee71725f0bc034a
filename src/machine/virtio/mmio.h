/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MMIO transport of virtio devices, as far as a board must know it.
 *
 * Threads: no state.
 */
#pragma once

enum { VIRTIO_MMIO_SIZE = 0x200 }; /* of a device's registers */
