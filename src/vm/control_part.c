/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What insula-control.so offers, see control.h.
 */
#include "vm/control.h"
#include "vm/describe.h"
#include "vm/qmp.h"

const ControlPart CONTROL_PART = { .begin = qmp_new, .end = qmp_free, .describe = describe };
