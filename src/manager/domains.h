/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All domains: the list, definitions on the disk, and those that run when the daemon starts.
 *
 * Threads: any.  The list's lock comes before a domain's.
 */
#pragma once

#include "manager/domain.h"

typedef struct DomainsConfig {
    const char *definitions; /* folders, each made when it is needed */
    const char *live;
    const char *logs;
    const char *data;
    const char *program; /* insula-vm; NULL: it is found */
    Daemon *daemon;      /* is held while a domain runs; NULL in tests */
    Events *events;
    bool fake; /* domains "run" without a process */
} DomainsConfig;

struct Domains {
    /* fixed after create */
    char *definitions, *autostart, *live, *logs, *data, *program;
    Daemon *daemon;
    Events *events;
    bool fake;
    /* lock: mutex */
    GMutex mutex;
    GPtrArray *all;      /* of Domain; holds references */
    GHashTable *by_uuid; /* uuid (16 bytes) to Domain */
    GHashTable *by_name;
    int32_t next_id;
    GThread *starter; /* of domains_autostart(); NULL: none */
};

Domains *domains_new(const DomainsConfig *config, GError **error);
/* Read definitions, and find the domains that run.  What can't be read is said on standard error,
 * and left alone. */
bool domains_load(Domains *domains, GError **error);
/* Start those that are to start with the host; once, behind domains_load(). */
void domains_autostart(Domains *domains);
/* VMs live on.  @domains may be NULL. */
void domains_free(Domains *domains);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Domains, domains_free)

/* The domain, with a reference, or NULL and REMOTE_ERR_NO_DOMAIN. */
Domain *domains_find(Domains *domains, const RemoteDomain *named, GError **error);
Domain *domains_find_name(Domains *domains, const char *name, GError **error);
Domain *domains_find_uuid(Domains *domains, const uint8_t uuid[16], GError **error);
Domain *domains_find_id(Domains *domains, int32_t id, GError **error);
/* References to all, by name. */
GPtrArray *domains_list(Domains *domains);

/* Define a domain, or define it anew.  Takes ownership of @config in any case.  A reference. */
Domain *domains_define(Domains *domains, DomainConfig *config, GError **error);
/* A domain to be started as @config says, with its job taken: a new one, or a defined one of the
 * same name and UUID that doesn't run.  A reference. */
Domain *domains_transient(Domains *domains, const DomainConfig *config, GError **error);
/* Undefine it: what runs becomes transient.  With the job. */
bool domains_undefine(Domains *domains, Domain *domain, GError **error);
bool domains_rename(Domains *domains, Domain *domain, const char *name, GError **error);
/* Drop a transient one that has ended. */
void domains_drop(Domains *domains, Domain *domain);
/* A number that no running domain has. */
int32_t domains_take_id(Domains *domains);
