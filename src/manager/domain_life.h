/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain's virtual machine: how it begins and ends.
 *
 * Threads: any, with the domain's job, unless they say otherwise; none of its locks.
 * Read first: manager/domain.h.
 */
#pragma once

#include "manager/domain.h"

typedef struct DomainStart {
    bool paused;
    int state;      /* a state file's descriptor, from which it goes on; -1: it boots */
    int reason;     /* RUNNING_ that it will be for */
    char **plugged; /* aliases of devices that are to be plugged in before; NULL: none */
} DomainStart;

/* Start @live, of which it takes ownership in any case. */
bool domain_launch(Domain *domain, DomainConfig *live, const DomainStart *start, GError **error);
/* End it now, as SHUTOFF_ @reason; without @force it may be refused by who doesn't listen.  Without
 * the job, too. */
bool domain_kill(Domain *domain, int reason, bool force, GError **error);
/* Press the power button; with @again it is started anew when it has gone off. */
bool domain_power_button(Domain *domain, bool again, GError **error);
/* Pause, as PAUSED_ @reason; what is paused already stays so. */
bool domain_pause(Domain *domain, int reason, GError **error);
/* Let it go on, as RUNNING_ @reason. */
bool domain_go_on(Domain *domain, int reason, GError **error);
/* Find the process of a domain that an earlier daemon has started, whose live file is @text. */
bool domain_adopt(Domain *domain, const char *text, GError **error);
/* Let go of its process, which lives on. */
void domain_forget(Domain *domain);

/* ---- between domain_life.c and domain_events.c ---- */

/* What the VM says, on its monitor's thread. */
extern const MonitorOps domain_monitor_ops;
/* It has ended with @status (process_reap()). */
void domain_ended(Domain *domain, int status);
