/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices that come and go while a domain runs.
 *
 * A device's id for the VM is its alias.  Files are opened here and passed, because a VM in its
 * sandbox opens nothing.
 *
 * Threads: any, with the domain's job.
 */
#pragma once

#include "config/domain_device.h"
#include "manager/domain.h"

/* Have the VM take @device, which has its alias. */
bool domain_plug(Domain *domain, DomainDeviceKind kind, const DomainDevice *device, GError **error);
/* Ask the guest to let go of it, and wait a moment for that.  True: it was asked. */
bool domain_unplug(Domain *domain, DomainDeviceKind kind, const DomainDevice *device,
                   GError **error);
/* Put another disc (or, with a NULL @file, none) into the drive that the VM calls @drive. */
bool domain_change_medium(Domain *domain, const char *drive, const char *file, const char *format,
                          GError **error);
