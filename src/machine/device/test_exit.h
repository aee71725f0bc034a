/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The test-exit port: a guest that writes the byte n to port F4h ends its machine, and the
 * program that runs it exits with status 16 + n (n above 239 counts as 239).
 */
#pragma once

#include "machine/core/device.h"
#include "machine/core/power.h"

enum { TEST_EXIT_PORT = 0xf4, TEST_EXIT_MAX = 239 };

typedef struct TestExit TestExit;

extern const DeviceClass test_exit_class;

TestExit *test_exit_new(const DeviceEnv *env, MachineEvents events);
