/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starting a domain in each of the ways that clients know.
 *
 * Threads: any; without the domain's job, unless they say otherwise.
 */
#pragma once

#include "manager/domain.h"

enum { /* flags of a start, as libvirt numbers them */
       DOMAIN_START_PAUSED = 1,
       DOMAIN_START_FORCE_BOOT = 8, /* a managed save is thrown away */
       DOMAIN_START_VALIDATE = 16,  /* every start does */
};

/* Start a defined domain: from its managed save, if there is one. */
bool domain_start(Domain *domain, unsigned flags, GError **error);
/* Fill in what @config doesn't say, and check it as a whole. */
bool domain_complete(Domains *domains, DomainConfig *config, GError **error);
/* A copy of @config as the live one of a domain that is about to start. */
DomainConfig *domain_live_copy(const DomainConfig *config);
/* The XML of a definition: read, completed and checked.  What was left out is chosen. */
DomainConfig *domain_read_xml(Domains *domains, const char *xml, GError **error);
