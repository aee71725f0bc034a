/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-input, see input.c.
 */
#pragma once

#include "machine/virtio/virtio.h"

typedef struct Input Input;

typedef enum VirtioInputKind {
    VIRTIO_KEYBOARD,
    VIRTIO_TABLET, /* a pointer with positions */
    VIRTIO_MOUSE,  /* a pointer with movements */
} VirtioInputKind;

extern const VirtioClass virtio_input_class;

/* @input stays the caller's and outlives the device. */
VirtioDev *virtio_input_new(const VirtioSlot *slot, VirtioInputKind kind, Input *input);
