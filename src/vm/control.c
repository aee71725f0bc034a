/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control channel is loaded, see control.h.
 */
#include "vm/control.h"

#include <dlfcn.h>

#include "common/error.h"
#include "common/program.h"

#define PART_FILE "insula-control.so"

struct Control {
    const ControlPart *part;
    struct Qmp *qmp;
};

static const ControlPart *load(GError **error)
{
    g_autofree char *path = program_find(PART_FILE, "lib/insula");
    const ControlPart *part = NULL;

    if (!path) {
        set_error(error, "cannot find '%s', which belongs to this program: install it again",
                  PART_FILE);
        return NULL;
    }
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (object) {
        part = dlsym(object, G_STRINGIFY(CONTROL_PART));
    }
    if (!part) {
        set_error(error, "cannot load '%s': %s", path, dlerror());
    }
    return part;
}

Control *control_new(Vm *vm, const VmConfig *config, GError **error)
{
    const ControlPart *part = load(error);
    struct Qmp *qmp = part ? part->begin(vm, config, error) : NULL;

    if (!qmp) {
        return NULL;
    }
    Control *control = g_new0(Control, 1);
    *control = (Control){ part, qmp };
    return control;
}

void control_free(Control *control)
{
    if (control) {
        control->part->end(control->qmp);
        g_free(control);
    }
}

char *control_describe(GError **error)
{
    const ControlPart *part = load(error);

    return part ? part->describe() : NULL;
}
