/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Running vCPUs: the dispatch loop, and what brings vCPUs back to it.
 *
 * Each vCPU runs on a thread of its own.  It is "running" while inside guest code, and passes a
 * block head at least every IR_MAX_INSNS instructions, where it looks at cpu->attention.  Whoever
 * must be alone (a page becomes code, the code cache is emptied, a split atomic) waits in an
 * exclusive section until no other vCPU is running.
 *
 * Lock order: device locks -> cache->lock -> vm->lock.  vm->lock is a leaf.
 *
 * Threads: dbt_attention() from any; the rest on the vCPU's own.
 */
#pragma once

#include "engine/dbt/run/cache.h"
#include "engine/dbt/run/cpu.h"

struct DbtVm {
    /* fixed after create */
    const GuestIsa *isa;
    GuestMemory *memory;
    Clock *clock;
    Log *log;
    EngineHooks hooks;
    uint64_t tsc_khz;
    unsigned n_cpus;
    DbtCpu *cpus[ENGINE_MAX_CPUS]; /* NULL until created */
    unsigned host_cpus;            /* that this process may use */
    BlockCache *cache;
    const Backend *backend; /* runs the blocks: the interpreter, or dbt_vm_set_backend()'s */
    void *code;             /* the back end's */
    bool check;             /* blocks run on two back ends and are compared (check.h) */
    unsigned max_insns;     /* in a block */
    uint64_t check_every;   /* not only the first time, but each so many; 0: only then */
    /* lock: lock */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* an exclusive section ended, or a vCPU stopped running for one */
    bool exclusive;         /* written under the lock, read atomically */
};

DbtVm *dbt_vm_new(const GuestIsa *isa, const EngineConfig *config, GError **error);
void dbt_vm_free(DbtVm *vm);
/* Run blocks by @backend instead of the interpreter.  Before the first vCPU runs. */
bool dbt_vm_set_backend(DbtVm *vm, const Backend *backend, GError **error);
/* Compare what blocks do on both back ends: each block the first time, and each @every executions
 * if that isn't 0.  Before the first vCPU is made, in place of dbt_vm_set_backend(). */
bool dbt_vm_set_check(DbtVm *vm, const Backend *backend, uint64_t every, GError **error);
/* A vCPU of isa->cpu_size bytes, all zero but for the core's part. */
DbtCpu *dbt_cpu_new(DbtVm *vm, unsigned index);
void dbt_cpu_free(DbtCpu *cpu);

static inline DbtCpu *dbt_vm_cpu(const DbtVm *vm, unsigned index)
{
    return index < vm->n_cpus ? vm->cpus[index] : NULL;
}

static inline unsigned dbt_vm_cpus(const DbtVm *vm)
{
    return vm->n_cpus;
}

static inline uint64_t dbt_vm_tsc_khz(const DbtVm *vm)
{
    return vm->tsc_khz;
}

/* Set ATTENTION_ bits, and wake the vCPU if it sleeps.  Takes no lock but vm->lock. */
void dbt_attention(DbtCpu *cpu, uint32_t bits);

/* This vCPU has written to a device, which may have moved RAM: its next access, even in the same
 * block, must see that.  (No check of an address may be saved because one was made before a store
 * that could have gone to a device.) */
void dbt_map_changed(DbtCpu *cpu);

/* The guest says that it spins (PAUSE): let another vCPU's thread have the host CPU. */
void dbt_pause(DbtCpu *cpu);

/* Be alone: no other vCPU is inside guest code until dbt_exclusive_end().  The caller must not be
 * inside guest code itself. */
void dbt_exclusive_begin(DbtCpu *cpu);
void dbt_exclusive_end(DbtCpu *cpu);

/* What a debugger wants from now on; NULL: nothing.  While the vCPU stands still. */
void dbt_set_debug(DbtCpu *cpu, const DebugConfig *config);

/* There may be an entry for @pc from before translations were forgotten, or of another address
 * space: if the code is still there, enter it in the jump cache.  NULL: it is not, or there is
 * none. */
Block *dbt_find_jump(DbtCpu *cpu, uint64_t pc);

/* The guest takes the exception of FAULT_EXCEPTION: cpu->pc is its handler's. */
void dbt_deliver(DbtCpu *cpu);

/* For a back end's run() whose block came to RUN_STOP: the block at cpu->pc, with the key renewed,
 * if it is known and nothing waits to be looked at.  NULL: back to the dispatch loop. */
Block *dbt_go_on(DbtCpu *cpu);

/* Run until there is something for the caller (engine.h, vcpu_run). */
void dbt_run(DbtCpu *cpu, VcpuExit *ret_exit);
