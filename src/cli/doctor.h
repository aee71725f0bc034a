/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What insula doctor looks at: a check is a row, with a function that fills in a finding.
 *
 * Threads: main only.
 */
#pragma once

#include "cli/command.h"

typedef enum FindingLevel {
    FINDING_OK,
    FINDING_WARN, /* it works, and could be better */
    FINDING_FAIL, /* something does not work */
} FindingLevel;

typedef struct Finding {
    FindingLevel level;
    char *text;   /* what was found */
    char *remedy; /* what to do; NULL: nothing */
} Finding;

typedef struct DoctorCheck {
    const char *name;  /* NULL behind the last */
    const char *about; /* what it is good for */
    void (*look)(const CliArgs *args, Finding *finding);
} DoctorCheck;

/* Fill @finding; @remedy may be NULL. */
void finding_set(Finding *finding, FindingLevel level, const char *remedy, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

extern const DoctorCheck doctor_host_checks[];  /* the kernel and the machine */
extern const DoctorCheck doctor_files_checks[]; /* programs, folders, packages, the daemon */
