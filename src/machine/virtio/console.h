/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-console, see console.c.
 */
#pragma once

#include "machine/core/char.h"
#include "machine/virtio/virtio.h"

extern const VirtioClass virtio_console_class;

/* @backend is not NULL. */
VirtioDev *virtio_console_new(const VirtioSlot *slot, CharBackend *backend);
