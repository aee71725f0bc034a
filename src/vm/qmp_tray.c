/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that move trays of CD-ROM drives and change what is in them: eject,
 * blockdev-open-tray, blockdev-close-tray, blockdev-insert-medium, blockdev-remove-medium,
 * blockdev-change-medium.
 *
 * A guest may have locked its tray.  It is then asked to let go, which is all that happens unless
 * the client forces it; DEVICE_TRAY_MOVED tells when the tray is open.
 *
 * A drive's name is its device's and its id's; what a client names as either is the same.
 *
 * Threads: main.
 * Read first: vm/qmp_plug.h, machine/machine.h (machine_tray).
 */
#include <string.h>

#include "common/error.h"
#include "vm/qmp_plug.h"

static const char *text_of(const QmpCall *call, const char *member)
{
    return json_object_get_string_member_with_default(call->args, member, NULL);
}

static Machine *machine_of(const QmpCall *call)
{
    return vm_machine(((const Qmp *)call->opaque)->vm);
}

/* The drive that the client means, and its state; NULL: it names none. */
static const char *drive_of(const QmpCall *call, MachineTray *ret, GError **error)
{
    const char *device = text_of(call, "device"), *id = text_of(call, "id");
    const char *name = device ? device : id;

    if (!device == !id) {
        set_error(error, "Need exactly one of 'device' and 'id'");
        return NULL;
    }
    if (!machine_tray(machine_of(call), name, ret)) {
        if (machine_has_device(machine_of(call), name)) {
            set_error(error, "Device '%s' is not removable", name);
        } else {
            g_set_error(error, QMP_ERROR, QMP_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found",
                        name);
        }
        return NULL;
    }
    return name;
}

static bool open_tray(const QmpCall *call, const char *drive, GError **error)
{
    bool force = json_object_get_boolean_member_with_default(call->args, "force", FALSE);

    if (!machine_open_tray(machine_of(call), drive, force)) {
        set_error(
            error,
            "Device '%s' is locked and force was not specified, wait for tray to open and try "
            "again",
            drive);
        return false;
    }
    return true;
}

/* Take the medium out; one that has no name for clients is closed. */
static void take_medium(const Qmp *qmp, const char *drive)
{
    Machine *machine = vm_machine(qmp->vm);
    MachineTray tray = { 0 };

    machine_tray(machine, drive, &tray);
    QmpNode *node = tray.medium ? qmp_node_of(qmp->plug, tray.medium) : NULL;
    machine_set_medium(machine, drive, NULL);
    if (node) {
        g_clear_pointer(&node->user, g_free);
        if (*node->name == '#') {
            g_ptr_array_remove(qmp->plug->nodes, node);
        }
    }
}

static void put_medium(const QmpCall *call, const char *drive, QmpNode *node)
{
    node->user = g_strdup(drive);
    machine_set_medium(machine_of(call), drive, node->blk);
}

void qmp_tray_empty(const Qmp *qmp)
{
    const char *drive;

    for (unsigned i = 0; (drive = machine_cdrom_name(vm_machine(qmp->vm), i)); i++) {
        take_medium(qmp, drive);
    }
}

/* ---- commands ---- */

static const QmpType open_args = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "device", &qmp_str, true },
                                    { "id", &qmp_str, true },
                                    { "force", &qmp_bool, true },
                                    { 0 } },
};

static JsonNode *eject(QmpCall *call, GError **error)
{
    MachineTray tray;
    const char *drive = drive_of(call, &tray, error);

    if (drive && open_tray(call, drive, error)) {
        take_medium(call->opaque, drive);
    }
    return NULL;
}

/* That the guest has to be asked first is no error here. */
static JsonNode *blockdev_open_tray(QmpCall *call, GError **error)
{
    MachineTray tray;
    const char *drive = drive_of(call, &tray, error);

    if (drive) {
        open_tray(call, drive, NULL);
    }
    return NULL;
}

static const QmpType drive_args = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "device", &qmp_str, true }, { "id", &qmp_str, true }, { 0 } },
};

static JsonNode *blockdev_close_tray(QmpCall *call, GError **error)
{
    MachineTray tray;
    const char *drive = drive_of(call, &tray, error);

    if (drive) {
        machine_close_tray(machine_of(call), drive);
    }
    return NULL;
}

static const QmpType id_args = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "id", &qmp_str }, { 0 } },
};

static JsonNode *blockdev_remove_medium(QmpCall *call, GError **error)
{
    MachineTray tray;
    const char *drive = drive_of(call, &tray, error);

    if (drive && !tray.open) {
        set_error(error, "Tray of the device is not open");
    } else if (drive) {
        take_medium(call->opaque, drive);
    }
    return NULL;
}

static const QmpType insert_args = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "id", &qmp_str }, { "node-name", &qmp_str }, { 0 } },
};

static JsonNode *blockdev_insert_medium(QmpCall *call, GError **error)
{
    const Qmp *qmp = call->opaque;
    MachineTray tray;
    const char *drive = drive_of(call, &tray, error);
    QmpNode *node = drive ? qmp_node_find(qmp->plug, text_of(call, "node-name"), error) : NULL;

    if (!node) {
        return NULL;
    }
    if (!tray.open || tray.medium) {
        set_error(error, tray.open ? "There already is a medium in the device"
                                   : "Tray of the device is not open");
    } else if (node->user || !node->blk) {
        set_error(error, node->user ? "Node '%s' is in use by '%s'" : "Node '%s' is a file%s",
                  node->name, node->user ? node->user : "; insert the image in it");
    } else {
        put_medium(call, drive, node);
    }
    return NULL;
}

static const char *const mode_words[] = { "retain", "read-only", NULL };
static const QmpType mode_type = { .meta = QMP_ENUM, .words = mode_words };

static const QmpType change_args = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "device", &qmp_str, true },
                                    { "id", &qmp_str, true },
                                    { "filename", &qmp_str },
                                    { "format", &qmp_str, true },
                                    { "force", &qmp_bool, true },
                                    { "read-only-mode", &mode_type, true },
                                    { 0 } },
};

/* The new image is opened first, so that what is wrong with it leaves the old one where it is. */
static JsonNode *blockdev_change_medium(QmpCall *call, GError **error)
{
    const Qmp *qmp = call->opaque;
    MachineTray tray;
    const char *drive = drive_of(call, &tray, error);
    QmpNode *node =
        drive ? qmp_node_open(qmp, text_of(call, "filename"), text_of(call, "format"), error)
              : NULL;

    if (!node) {
        return NULL;
    }
    if (!open_tray(call, drive, error)) {
        g_ptr_array_remove(qmp->plug->nodes, node);
        return NULL;
    }
    take_medium(qmp, drive);
    put_medium(call, drive, node);
    machine_close_tray(machine_of(call), drive);
    return NULL;
}

const QmpCommand qmp_tray_commands[] = {
    { "blockdev-change-medium", &change_args, NULL, false, blockdev_change_medium },
    { "blockdev-close-tray", &drive_args, NULL, false, blockdev_close_tray },
    { "blockdev-insert-medium", &insert_args, NULL, false, blockdev_insert_medium },
    { "blockdev-open-tray", &open_args, NULL, false, blockdev_open_tray },
    { "blockdev-remove-medium", &id_args, NULL, false, blockdev_remove_medium },
    { "eject", &open_args, NULL, false, eject },
    { 0 },
};
