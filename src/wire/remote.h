/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The calls and events of libvirt's remote protocol: what a number means, and its errors.
 *
 * The rows come from remote.table.  remote_gen.h has, for call DOMAIN_LOOKUP_BY_NAME, the number
 * REMOTE_PROC_DOMAIN_LOOKUP_BY_NAME, the structs RemoteDomainLookupByNameArgs and …Ret (neither,
 * where there is nothing), and an XdrType for each.  For event DOMAIN_LIFECYCLE: the number
 * REMOTE_EVENT_DOMAIN_LIFECYCLE and the struct RemoteDomainLifecycleMsg.
 *
 * A procedure of program QEMU has REMOTE_QEMU in front of its number.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/remote_gen.h"
#include "wire/xdr.h"

enum { REMOTE_QEMU = 0x10000 };

/* What a row of the table says besides names and types. */
enum {
    REMOTE_READ_ONLY = 1 << 0,   /* also for clients of the read-only socket */
    REMOTE_BEFORE_OPEN = 1 << 1, /* before the connection is opened */
    REMOTE_INLINE = 1 << 2,      /* its handler never waits: the main thread runs it, in order */
    REMOTE_PRIORITY = 1 << 3,    /* also for threads that stay free of long calls */
    REMOTE_STREAM_IN = 1 << 4,   /* data follows, from the client */
    REMOTE_STREAM_OUT = 1 << 5,  /* data follows, to the client */
    REMOTE_FDS_IN = 1 << 6,      /* comes with descriptors */
    REMOTE_FDS_OUT = 1 << 7,     /* is answered with descriptors */
};

typedef struct RemoteProcedure {
    uint32_t number;
    const char *name;          /* "DOMAIN_LOOKUP_BY_NAME" */
    const XdrType *args, *ret; /* NULL: nothing */
    size_t args_size, ret_size;
    unsigned flags;
    const char *access;  /* "object:what", in libvirt's words */
    const char *refused; /* why it is answered with "unknown procedure" on purpose, or NULL */
} RemoteProcedure;

typedef enum RemoteFamily {
    REMOTE_FAMILY_NONE, /* of the connection: there's nothing to register */
    REMOTE_FAMILY_DOMAIN,
    REMOTE_FAMILY_NETWORK,
    REMOTE_FAMILY_POOL,
    REMOTE_FAMILY_NODE_DEVICE,
    REMOTE_FAMILY_SECRET,
} RemoteFamily;

typedef struct RemoteEvent {
    uint32_t procedure; /* a RemoteEventId */
    const char *name;
    RemoteFamily family;
    int32_t event_id;    /* what clients register in its family */
    const XdrType *type; /* int32_t callback_id is its first field, except of family NONE */
} RemoteEvent;

/* All rows, by rising number. */
extern const RemoteProcedure remote_procedures[];
extern const unsigned remote_n_procedures;
extern const RemoteEvent remote_events[];
extern const unsigned remote_n_events;

/* The row of @number, or NULL. */
const RemoteProcedure *remote_procedure(uint32_t number);
/* The row of an event, by its message's number or by what clients register; NULL: none. */
const RemoteEvent *remote_event(uint32_t procedure);
const RemoteEvent *remote_event_find(RemoteFamily family, int32_t event_id);
/* libvirt's name of the function behind @procedure, "virDomainLookupByName".  Newly allocated. */
char *remote_function(const RemoteProcedure *procedure);

/* libvirt's error numbers, as far as somebody sends or looks for them. */
typedef enum RemoteErrorCode {
    REMOTE_ERR_INTERNAL = 1,
    REMOTE_ERR_NO_MEMORY = 2,
    REMOTE_ERR_NO_SUPPORT = 3,
    REMOTE_ERR_NO_CONNECT = 5,
    REMOTE_ERR_INVALID_CONN = 6,
    REMOTE_ERR_INVALID_DOMAIN = 7,
    REMOTE_ERR_INVALID_ARG = 8,
    REMOTE_ERR_OPERATION_FAILED = 9,
    REMOTE_ERR_XML_ERROR = 27,
    REMOTE_ERR_DOM_EXIST = 28,
    REMOTE_ERR_OPERATION_DENIED = 29,
    REMOTE_ERR_NETWORK_EXIST = 37,
    REMOTE_ERR_SYSTEM_ERROR = 38,
    REMOTE_ERR_RPC = 39,
    REMOTE_ERR_NO_DOMAIN = 42,
    REMOTE_ERR_NO_NETWORK = 43,
    REMOTE_ERR_AUTH_FAILED = 45,
    REMOTE_ERR_NO_STORAGE_POOL = 49,
    REMOTE_ERR_NO_STORAGE_VOL = 50,
    REMOTE_ERR_NO_NODE_DEVICE = 53,
    REMOTE_ERR_OPERATION_INVALID = 55,
    REMOTE_ERR_NO_INTERFACE = 57,
    REMOTE_ERR_NO_NWFILTER = 62,
    REMOTE_ERR_INVALID_SECRET = 65,
    REMOTE_ERR_NO_SECRET = 66,
    REMOTE_ERR_CONFIG_UNSUPPORTED = 67,
    REMOTE_ERR_OPERATION_TIMEOUT = 68,
    REMOTE_ERR_NO_DOMAIN_SNAPSHOT = 72,
    REMOTE_ERR_INVALID_STREAM = 73,
    REMOTE_ERR_ARGUMENT_UNSUPPORTED = 74,
    REMOTE_ERR_STORAGE_POOL_BUILT = 76,
    REMOTE_ERR_SNAPSHOT_REVERT_RISKY = 77,
    REMOTE_ERR_OPERATION_ABORTED = 78,
    REMOTE_ERR_NO_DOMAIN_METADATA = 80,
    REMOTE_ERR_OVERFLOW = 82,
    REMOTE_ERR_BLOCK_COPY_ACTIVE = 83,
    REMOTE_ERR_OPERATION_UNSUPPORTED = 84,
    REMOTE_ERR_AGENT_UNRESPONSIVE = 86,
    REMOTE_ERR_RESOURCE_BUSY = 87,
    REMOTE_ERR_ACCESS_DENIED = 88,
    REMOTE_ERR_STORAGE_VOL_EXIST = 90,
    REMOTE_ERR_CPU_INCOMPATIBLE = 91,
    REMOTE_ERR_NO_SERVER = 95,
    REMOTE_ERR_NO_CLIENT = 96,
    REMOTE_ERR_DEVICE_MISSING = 99,
    REMOTE_ERR_NO_DOMAIN_CHECKPOINT = 103,
} RemoteErrorCode;

/* Errors with a RemoteErrorCode.  The message is all that a client prints, so it's the whole
 * sentence: "Domain not found: no domain with matching name 'x'". */
#define REMOTE_ERROR (remote_error_quark())
GQuark remote_error_quark(void);
void remote_error_set(GError **error, RemoteErrorCode code, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* Append @error as a reply carries it.  INSULA_ERROR_XML and _UNSUPPORTED go as libvirt's errors of
 * that kind, those of G_IO_ERROR and G_FILE_ERROR as REMOTE_ERR_SYSTEM_ERROR, of other domains as
 * REMOTE_ERR_INTERNAL. */
void remote_error_encode(GByteArray *bytes, const GError *error);
/* The way back: set @error to what @bytes hold, of domain REMOTE_ERROR. */
void remote_error_decode(const uint8_t *bytes, size_t len, GError **error);

/* Types of a typed parameter. */
enum {
    REMOTE_PARAM_INT = 1,
    REMOTE_PARAM_UINT,
    REMOTE_PARAM_LLONG,
    REMOTE_PARAM_ULLONG,
    REMOTE_PARAM_DOUBLE,
    REMOTE_PARAM_BOOLEAN,
    REMOTE_PARAM_STRING,
};

/* A row of typed parameters while it is made: remote_params_new(), append, and
 * remote_params_steal() into a reply's fields. */
GArray *remote_params_new(void);
void remote_params_int(GArray *params, const char *field, int32_t value);
void remote_params_uint(GArray *params, const char *field, uint32_t value);
void remote_params_llong(GArray *params, const char *field, int64_t value);
void remote_params_ullong(GArray *params, const char *field, uint64_t value);
void remote_params_double(GArray *params, const char *field, double value);
void remote_params_boolean(GArray *params, const char *field, bool value);
void remote_params_string(GArray *params, const char *field, const char *value);
/* Frees @params and gives its parameters away. */
RemoteParam *remote_params_steal(GArray *params, uint32_t *ret_n);
void remote_params_free(GArray *params);
/* The two steps of a getter: a client that asks with @nparams 0 is told how many there are
 * (@ret_nparams) and gets none; else it gets them, at most @nparams.  Frees @params. */
void remote_params_answer(GArray *params, int32_t nparams, RemoteParam **ret, uint32_t *ret_n,
                          int32_t *ret_nparams);
/* The parameter @field of type @type among @params, or NULL. */
const RemoteParam *remote_params_find(const RemoteParam *params, uint32_t n, const char *field,
                                      int32_t type);
