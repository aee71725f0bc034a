/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control channel, as a part of the program that is loaded when it is wanted: it needs eight
 * libraries that nothing else does (json-glib and what that brings, libpng), and they are a third
 * of what a start takes.
 *
 * The part is insula-control.so (control_part.c, qmp*.c, wire/); what it calls is the program's.
 *
 * Threads: main only, before the process is locked in.
 */
#pragma once

#include "config/config.h"
#include "vm/vm.h"

typedef struct Control Control;

/* Load the part, and qmp_new(). */
Control *control_new(Vm *vm, const VmConfig *config, GError **error);
/* @control may be NULL. */
void control_free(Control *control);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Control, control_free)
/* Load the part, and describe(). */
char *control_describe(GError **error);

/* ---- between program and part ---- */

struct Qmp;

typedef struct ControlPart {
    struct Qmp *(*begin)(Vm *vm, const VmConfig *config, GError **error);
    void (*end)(struct Qmp *qmp);
    char *(*describe)(void);
} ControlPart;

/* Its name in the part. */
#define CONTROL_PART insula_control_part
extern const ControlPart CONTROL_PART;
