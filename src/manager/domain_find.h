/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of calls of domains share.
 *
 * Threads: workers.
 */
#pragma once

#include "manager/dispatch.h"
#include "manager/domain.h"

/* The domain that @args, whose first member is a RemoteDomain, names; a reference, or NULL. */
Domain *call_domain(const Call *call, const void *args, GError **error);
/* False, and an error: @flags has bits that aren't @known. */
bool call_flags(unsigned flags, unsigned known, GError **error);
/* Whether a list with @flags has it. */
bool domain_matches(Domain *domain, unsigned flags);
