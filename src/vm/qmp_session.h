/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client of the control channel: QMP's conversation, from bytes to commands and back.
 *
 *   greeting -> qmp_capabilities -> commands, each with one answer; events in between
 *
 * The client may send anything.  What it may say stands in a QmpTable; commands find whatever they
 * act on behind .opaque of their call.
 *
 * Threads: a session belongs to one thread.
 * Read first: vm/qmp_schema.h, wire/qmp.h.
 */
#pragma once

#include <stdint.h>

#include "vm/qmp_schema.h"

typedef struct QmpSession QmpSession;

/* What a command sees. */
struct QmpCall {
    QmpSession *session;
    void *opaque;
    JsonObject *args; /* as the command's row says */
};

/* Classes of errors that clients tell apart; other errors are "GenericError". */
typedef enum QmpErrorClass {
    QMP_ERROR_COMMAND_NOT_FOUND,
    QMP_ERROR_DEVICE_NOT_ACTIVE,
    QMP_ERROR_DEVICE_NOT_FOUND,
} QmpErrorClass;
#define QMP_ERROR (qmp_error_quark())
GQuark qmp_error_quark(void);

/* @table and @opaque outlive the session. */
QmpSession *qmp_session_new(const QmpTable *table, void *opaque);
/* @session may be NULL. */
void qmp_session_free(QmpSession *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpSession, qmp_session_free)

/* Bytes came. */
void qmp_session_input(QmpSession *session, const uint8_t *data, size_t len);
/* A descriptor came with them, for a command that follows.  Takes ownership. */
void qmp_session_add_fd(QmpSession *session, int fd);
/* Something happened; who has not said qmp_capabilities isn't told.  @data may be NULL. */
void qmp_session_event(QmpSession *session, const char *name, JsonNode *data);
/* Bytes to be sent; the caller erases what it has sent. */
GString *qmp_session_output(QmpSession *session);

/* For commands: the descriptor that came first and was not taken yet, which is the caller's now;
 * or -1. */
int qmp_session_take_fd(QmpSession *session);
/* Keep @fd under @name, or (-1) forget it.  Takes ownership.  False: there is none to forget. */
bool qmp_session_name_fd(QmpSession *session, const char *name, int fd);
/* The descriptor kept under @name, which is the caller's now and forgotten here; or -1. */
int qmp_session_named_fd(QmpSession *session, const char *name);

const QmpTable *qmp_session_table(const QmpSession *session);

/* qmp_capabilities, query-version, query-commands, query-qmp-schema: for every table. */
extern const QmpCommand qmp_session_commands[];
