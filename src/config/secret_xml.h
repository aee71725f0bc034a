/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XML of secrets, as libvirt has it, in and out.  Their values are elsewhere.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* What a secret is for; libvirt's numbers. */
typedef enum SecretUsage {
    SECRET_NONE,
    SECRET_VOLUME,
    SECRET_CEPH,
    SECRET_ISCSI,
    SECRET_TLS,
    SECRET_VTPM,
} SecretUsage;

typedef struct SecretConfig {
    bool has_uuid;
    uint8_t uuid[16];
    bool ephemeral;    /* its value is never written to a file */
    bool private;      /* its value is never told to a client */
    char *description; /* NULL: none */
    SecretUsage usage;
    char *usage_id; /* which one of its usage; NULL: of SECRET_NONE */
} SecretConfig;

SecretConfig *secret_config_parse(const char *xml, GError **error);
char *secret_config_format(const SecretConfig *config);
void secret_config_free(SecretConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SecretConfig, secret_config_free)
