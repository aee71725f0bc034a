/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QMP's types, commands and events as tables: from them come the check of what a client sends and
 * the answer of query-qmp-schema, so that neither can say something else than the other.
 *
 * Names of commands, events, members and enumerated words are QEMU's, and part of the protocol;
 * names of types aren't (a schema numbers them).
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>

typedef struct QmpType QmpType;

typedef enum QmpMeta {
    QMP_STR,
    QMP_INT,
    QMP_NUMBER,
    QMP_BOOL,
    QMP_NULL,
    QMP_ANY,
    QMP_ENUM,
    QMP_OBJECT,
    QMP_ALTERNATE, /* one of several types, told apart by their JSON kind */
} QmpMeta;

typedef struct QmpMember {
    const char *name; /* NULL behind the last */
    const QmpType *type;
    bool optional;
    bool list; /* of .type */
} QmpMember;

/* Members that an object has besides, when its tag is .word. */
typedef struct QmpVariant {
    const char *word; /* NULL behind the last */
    const QmpType *type;
} QmpVariant;

struct QmpType {
    QmpMeta meta;
    bool open;                /* of an object: other members are for whoever gets it */
    const char *const *words; /* of an enumeration; NULL behind the last */
    const QmpMember *members; /* of an object or, with names for people, an alternate */
    const char *tag;          /* the member that chooses a variant; NULL: there are none */
    const QmpVariant *variants;
};

extern const QmpType qmp_str, qmp_int, qmp_number, qmp_bool, qmp_null, qmp_any;

typedef struct QmpCall QmpCall;

typedef struct QmpCommand {
    const char *name;    /* NULL behind the last */
    const QmpType *args; /* an object; NULL: none */
    const QmpType *ret;  /* NULL: an empty object */
    bool ret_list;
    /* The arguments are checked.  What is returned (newly allocated; NULL: nothing to say) or,
     * with *error set, isn't. */
    JsonNode *(*run)(QmpCall *call, GError **error);
} QmpCommand;

typedef struct QmpEvent {
    const char *name;    /* NULL behind the last */
    const QmpType *data; /* NULL: none */
} QmpEvent;

/* Everything that a client may say or hear. */
typedef struct QmpTable {
    const QmpCommand *const *commands; /* groups of them, NULL behind the last */
    const QmpEvent *events;
} QmpTable;

const QmpCommand *qmp_find_command(const QmpTable *table, const char *name);

/* Check that @object is what @type (an object; NULL: an empty one) says. */
bool qmp_check(const QmpType *type, JsonObject *object, GError **error);

/* The answer of query-qmp-schema.  Newly allocated. */
JsonNode *qmp_schema(const QmpTable *table);
/* The answer of query-commands. */
JsonNode *qmp_command_names(const QmpTable *table);
