/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-rng, see rng.c.
 */
#pragma once

#include "machine/virtio/virtio.h"

extern const VirtioClass virtio_rng_class;

VirtioDev *virtio_rng_new(const VirtioSlot *slot);
