/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Node devices: the host itself ("computer"), its network interfaces and its disks, as the kernel
 * lists them in sysfs; each look is a new one.
 *
 * Threads: from any.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "manager/daemon.h"

/* @root stands before each path, see host.h. */
NodeDevices *node_devices_new(const char *root);
void node_devices_free(NodeDevices *devices);

/* Names of those with capability @cap (NULL: all): "system", "net" or "storage"; NULL behind the
 * last. */
GStrv node_devices_list(const NodeDevices *devices, const char *cap);
/* The same by bits, as CONNECT_LIST_ALL_NODE_DEVICES has them. */
GStrv node_devices_list_flags(const NodeDevices *devices, uint32_t flags);
/* Its capability, or NULL with REMOTE_ERR_NO_NODE_DEVICE. */
const char *node_devices_cap(const NodeDevices *devices, const char *name, GError **error);
/* NULL: it has none. */
const char *node_devices_parent(const char *name);
char *node_devices_xml(const NodeDevices *devices, const char *name, GError **error);
