/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --check: each new block runs on two back ends, and all that can be seen of it must be the same.
 *
 * The interpreter runs the block first, and for real.  What it loads, what atomics and helpers give
 * and what it stores is logged.  Then CPU state is put back and the compiled block runs, from that
 * log: nothing outside the CPU is touched a second time, so that time, devices and other vCPUs
 * can't make a difference.  It runs twice.
 *
 *   strictly  no TLB entry is there: each access takes its slow path, which compares it with the
 *             log, in order
 *   fast      TLB entries lead to private copies of the pages, made from what the log says was
 *             loaded: accesses go as they go later; afterwards the copies must have what the
 *             interpreter stored, and nothing else
 *
 * Then both ends are compared: registers, flags, the exception, where execution goes on.  A block
 * that jumps back to its own head makes up to three rounds.
 *
 * A block that waits for its check is armed: compiled code that jumps there comes back to the
 * dispatch loop first.
 *
 * Threads: the vCPU's own.
 */
#pragma once

#include "engine/dbt/run/cache.h"
#include "engine/dbt/run/mmu.h"

typedef struct Check Check;

/* Values of cpu->checking. */
enum { CHECK_OFF, CHECK_RECORD, CHECK_STRICT, CHECK_FAST };

Check *check_new(const GuestIsa *isa);
void check_free(Check *check);

/* Shall @block be compared this time? */
bool check_wants(DbtCpu *cpu, const Block *block);
/* As backend->run, for one block, compared.  check_difference() tells how it went. */
RunResult check_run(DbtCpu *cpu, Block *block, unsigned *ret_slot);
/* A text of several lines about what differed, or NULL: nothing.  It stays the vCPU's. */
const char *check_difference(const DbtCpu *cpu);

/* --- what back ends call in place of mmu.h and of helpers ------------------------------------- */

typedef enum AccessKind {
    ACCESS_LOAD,
    ACCESS_STORE,
    ACCESS_LOAD_BYTES,
    ACCESS_STORE_BYTES,
    ACCESS_PROBE, /* for a write */
    ACCESS_ATOMIC,
    ACCESS_CAS,
} AccessKind;

enum { ACCESS_MAX_BYTES = 32 }; /* that _BYTES move */

typedef struct Access {
    AccessKind kind;
    AtomicOp op; /* of ACCESS_ATOMIC */
    unsigned size, mmu;
    uint64_t gva;
    uint64_t operand;  /* what is stored; CAS: expected */
    uint64_t operand2; /* CAS: the new value */
    void *bytes;       /* of _BYTES; those of a store are only read */
} Access;

/* As the function of mmu.h for that, but logged or taken from the log. */
bool check_access(DbtCpu *cpu, const Access *access, uint64_t *ret_value);
/* Helper @id of the guest's table, likewise. */
uint64_t check_call(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c, unsigned id);

static inline bool access_load(DbtCpu *cpu, uint64_t gva, unsigned size, unsigned mmu,
                               uint64_t *ret_value)
{
    if (G_UNLIKELY(cpu->checking)) {
        const Access access = { .kind = ACCESS_LOAD, .size = size, .mmu = mmu, .gva = gva };
        return check_access(cpu, &access, ret_value);
    }
    return mmu_load(cpu, gva, size, mmu, ret_value);
}

static inline bool access_store(DbtCpu *cpu, uint64_t gva, uint64_t value, unsigned size,
                                unsigned mmu)
{
    if (G_UNLIKELY(cpu->checking)) {
        const Access access = {
            .kind = ACCESS_STORE, .size = size, .mmu = mmu, .gva = gva, .operand = value
        };
        return check_access(cpu, &access, NULL);
    }
    return mmu_store(cpu, gva, value, size, mmu);
}

static inline bool access_load_bytes(DbtCpu *cpu, uint64_t gva, void *buf, unsigned len,
                                     unsigned mmu)
{
    if (G_UNLIKELY(cpu->checking)) {
        const Access access = {
            .kind = ACCESS_LOAD_BYTES, .size = len, .mmu = mmu, .gva = gva, .bytes = buf
        };
        return check_access(cpu, &access, NULL);
    }
    return mmu_load_bytes(cpu, gva, buf, len, mmu);
}

static inline bool access_store_bytes(DbtCpu *cpu, uint64_t gva, void *buf, unsigned len,
                                      unsigned mmu)
{
    if (G_UNLIKELY(cpu->checking)) {
        const Access access = {
            .kind = ACCESS_STORE_BYTES, .size = len, .mmu = mmu, .gva = gva, .bytes = buf
        };
        return check_access(cpu, &access, NULL);
    }
    return mmu_store_bytes(cpu, gva, buf, len, mmu);
}

static inline bool access_probe_write(DbtCpu *cpu, uint64_t gva, unsigned len, unsigned mmu)
{
    if (G_UNLIKELY(cpu->checking)) {
        const Access access = { .kind = ACCESS_PROBE, .size = len, .mmu = mmu, .gva = gva };
        return check_access(cpu, &access, NULL);
    }
    return mmu_probe(cpu, gva, len, MMU_WRITE, mmu);
}

static inline bool access_atomic(DbtCpu *cpu, AtomicOp op, uint64_t gva, uint64_t operand,
                                 unsigned size, unsigned mmu, uint64_t *ret_old)
{
    if (G_UNLIKELY(cpu->checking)) {
        const Access access = { .kind = ACCESS_ATOMIC,
                                .op = op,
                                .size = size,
                                .mmu = mmu,
                                .gva = gva,
                                .operand = operand };
        return check_access(cpu, &access, ret_old);
    }
    return mmu_atomic(cpu, op, gva, operand, size, mmu, ret_old);
}

static inline bool access_cas(DbtCpu *cpu, uint64_t gva, uint64_t expected, uint64_t value,
                              unsigned size, unsigned mmu, uint64_t *ret_old)
{
    if (G_UNLIKELY(cpu->checking)) {
        const Access access = { .kind = ACCESS_CAS,
                                .size = size,
                                .mmu = mmu,
                                .gva = gva,
                                .operand = expected,
                                .operand2 = value };
        return check_access(cpu, &access, ret_old);
    }
    return mmu_cas(cpu, gva, expected, value, size, mmu, ret_old);
}
