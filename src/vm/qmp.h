/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control channel of a machine: QMP's commands and events, as far as what they are about
 * exists here.
 *
 *   qmp_server.c   sockets           qmp_session.c  the conversation
 *   qmp_schema.c   types             qmp_*.c        commands, a table per subject
 *
 * A command is a row of its subject's table and a function that gets checked arguments.  One that
 * needs another part of the program gets it by Qmp.
 *
 * Threads: main only.
 */
#pragma once

#include "config/config.h"
#include "vm/qmp_session.h"
#include "vm/vm.h"

typedef struct Qmp Qmp;

/* Listen as @config says, and tell of what happens to @vm.  Both outlive it. */
Qmp *qmp_new(Vm *vm, const VmConfig *config, GError **error);
/* @qmp may be NULL. */
void qmp_free(Qmp *qmp);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Qmp, qmp_free)

/* ---- among the files of commands ---- */

enum { QMP_HOLD_MAX = 16 };

/* Keys that send-key holds down. */
typedef struct QmpHold {
    guint source; /* that lets them go; 0: none are held */
    unsigned codes[QMP_HOLD_MAX], n;
} QmpHold;

struct Qmp {
    Vm *vm;
    const VmConfig *config;
    struct QmpServer *server;
    struct FdSets *fds;
    struct QmpPlug *plug; /* vm/qmp_plug.h */
    QmpHold hold;
    struct {
        struct VmSave *save; /* the last one, or NULL */
        bool events, incoming;
    } migrate;
    struct {
        int x, y; /* 0 to INPUT_AXIS_MAX */
        unsigned buttons;
    } pointer; /* as input-send-event left it */
};

/* Let held keys go. */
void qmp_input_release(Qmp *qmp);
/* End what is being saved. */
void qmp_migrate_end(Qmp *qmp);

/* The error of a file's name, where only descriptors can be had. */
void qmp_refuse_name(const char *path, GError **error);
/* A new object, and what is finished of it as a node. */
JsonNode *qmp_object_node(JsonObject *object);
JsonNode *qmp_array_node(JsonArray *array);
/* Whether a client may name something so. */
bool qmp_is_id(const char *id);

extern const QmpCommand qmp_control_commands[];
extern const QmpCommand qmp_query_commands[];
extern const QmpCommand qmp_block_commands[];
extern const QmpCommand qmp_balloon_commands[];
extern const QmpCommand qmp_input_commands[];
extern const QmpCommand qmp_migrate_commands[];
extern const QmpType qmp_migration_data; /* of event MIGRATION */
