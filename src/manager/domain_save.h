/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saving a running domain to a file, and going on from it.
 *
 * The file is a state of insula-vm's (vm/state_file.h) with a tail: what a live file has
 * (domain_live.h), its length (8 bytes, little-endian) and eight bytes that mark it.  It takes its
 * name when all of it is on the disk.
 *
 * Threads: any.
 */
#pragma once

#include "manager/domain.h"
#include "manager/domain_live.h"

enum { /* flags, as libvirt numbers them; "bypass cache" is no use here */
       SAVE_BYPASS_CACHE = 1,
       SAVE_RUNNING = 2, /* it goes on running, or paused, whatever it did */
       SAVE_PAUSED = 4,
       SAVE_KNOWN = 7,
};

/* Save what runs to @path, and end it.  @xml: its configuration then (NULL: as it is).  With the
 * job. */
bool domain_save(Domain *domain, const char *path, const char *xml, unsigned flags, GError **error);
/* The tail for what runs now, which shall be @running when it goes on, as @xml says (NULL: as it
 * is).  domain_live_clear() it. */
void domain_describe(Domain *domain, const char *xml, bool running, DomainLive *ret);
/* Write the state of what runs, and stands, to @path with its tail; it goes on standing.  With the
 * job. */
bool domain_write_state(Domain *domain, const char *path, const DomainLive *tail, GError **error);
/* Open a saved file and read its tail; -1 and an error. */
int domain_open_state(const char *path, DomainLive *ret_tail, GError **error);
/* Go on from a saved file. */
bool domain_restore(Domains *domains, const char *path, const char *xml, unsigned flags,
                    GError **error);
/* Start @domain, of which the caller has the job, from its managed save, which is gone then. */
bool domain_restore_managed(Domain *domain, bool paused, GError **error);
