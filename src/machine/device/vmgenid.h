/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VM generation ID: tells a guest that it is a copy of another, or an earlier self (Microsoft,
 * "Virtual Machine Generation ID"), see vmgenid.c.
 */
#pragma once

#include "machine/core/device.h"
#include "machine/device/acpi_pm.h"

/* A page of its own, which \VGEN.ADDR (boot/acpi.c) names, and the general-purpose event that says
 * that the number there is another. */
#define VMGENID_BASE UINT64_C(0xfed50000)
enum { VMGENID_PAGE = 4096, VMGENID_SIZE = 16, VMGENID_GPE = 5 };

typedef struct Vmgenid Vmgenid;

extern const DeviceClass vmgenid_class;

/* @pm tells the guest of it. */
Vmgenid *vmgenid_new(const DeviceEnv *env, AcpiPm *pm);
/* The machine has been loaded from a state: it gets a new number, and hears of it.  While no vCPU
 * runs, when all devices have been loaded. */
void vmgenid_renew(Vmgenid *dev);
