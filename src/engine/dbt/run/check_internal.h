/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the check_*.c files share: the log of a block that the interpreter ran, see check.h.
 *
 *   check.c        runs a block on both back ends and compares the ends
 *   check_log.c    accesses and helpers: logged, or answered from the log
 *   check_pages.c  the private pages of a fast run
 *
 * Threads: the vCPU's own.
 */
#pragma once

#include "engine/dbt/run/banks.h"
#include "engine/dbt/run/check.h"

enum {
    CHECK_ROUNDS = 3,       /* of a block that jumps back to its own head */
    CHECK_PAGES = 16,       /* private ones at most: the others stay slow */
    CHECK_POISON = 0xa5,    /* in bytes of private pages that nobody loaded */
    CHECK_TEXT_LINES = 24,  /* of differences */
    CHECK_NO_SNAPSHOT = -1, /* state didn't change */
};

/* The core's part of what blocks change. */
typedef struct CoreState {
    uint64_t pc, instructions;
    FlagRecord flags;
    uint8_t fault, key_stale, halted, shutdown;
} CoreState;

typedef enum LogKind { LOG_ACCESS, LOG_CALL } LogKind;

/* An access, or a call of a helper. */
typedef struct LogEntry {
    LogKind kind;
    Access access;
    uint8_t bytes[ACCESS_MAX_BYTES]; /* loaded or stored */
    unsigned helper;
    uint64_t arguments[3];
    uint64_t result; /* loaded, old, or the helper's */
    uint8_t fault;   /* cpu->fault afterwards */
    bool stale;      /* cpu->key_stale after an access: a device moved memory */
    ssize_t before;  /* a helper found this snapshot of the whole state */
    ssize_t after;   /* and left this; an access left this one of its own fields */
    CoreState core;  /* after a helper */
} LogEntry;

/* A page as the log says it was, and as it must be afterwards. */
typedef struct CheckPage {
    uint64_t gva;
    bool racy;                      /* loads saw what nobody here stored: stays slow */
    uint8_t mmus;                   /* a bit for each mmu index that it was used through */
    uint64_t known[PAGE_SIZE / 64]; /* a bit for each byte that was loaded or stored */
    uint8_t *data, *expected;
} CheckPage;

struct Check {
    /* fixed after create */
    const GuestIsa *isa;
    size_t state_size;  /* bytes of a snapshot of all fields */
    size_t access_size; /* and of those that an access may change */
    TlbEntry *tlb;      /* [MMU_INDEXES * TLB_ENTRIES], all empty but in a fast run */
    /* of the check at work */
    GArray *log;           /* of LogEntry */
    GByteArray *snapshots; /* of fields, one behind the other */
    unsigned next;         /* entry that the second run comes to */
    bool lost;             /* it left the log: no use in going on */
    unsigned n_pages;
    CheckPage pages[CHECK_PAGES];
    const Block *block;
    uint8_t *start, *end; /* snapshots */
    CoreState core_start, core_end;
    RunResult result;    /* of the first run */
    unsigned rounds;     /* that it made */
    uint64_t executions; /* that check_wants() saw */
    GString *difference; /* empty: none */
    unsigned lines;
};

/* --- check.c: snapshots of all fields, or of an access's */
void check_save(const DbtCpu *cpu, uint8_t *to, bool access_only);
void check_restore(DbtCpu *cpu, const uint8_t *from, bool access_only);
void check_save_core(const DbtCpu *cpu, CoreState *to);
void check_restore_core(DbtCpu *cpu, const CoreState *from);
/* Say what of the state now isn't as in @expected; true if nothing. */
bool check_compare_state(DbtCpu *cpu, const uint8_t *expected, const char *where);
/* Note a difference. */
void check_differs(Check *check, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* --- check_pages.c */
/* Make pages from the log, and enter them in the TLB as far as the vCPU's own is fast. */
void check_pages_make(DbtCpu *cpu);
/* Compare them, and take them out again. */
void check_pages_end(DbtCpu *cpu);
/* A slow store of the second run. */
void check_pages_store(Check *check, uint64_t gva, const uint8_t *bytes, unsigned len);
