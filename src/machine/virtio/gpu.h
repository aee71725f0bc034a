/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-gpu, see gpu.c.
 */
#pragma once

#include "machine/virtio/virtio.h"

typedef struct Display Display;

extern const VirtioClass virtio_gpu_class;

/* @display stays the caller's and outlives the device. */
VirtioDev *virtio_gpu_new(const VirtioSlot *slot, Display *display);
