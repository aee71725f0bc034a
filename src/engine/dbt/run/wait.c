/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How vCPUs wait: for others to stand still, for something to do, for their turn; see exec.h and
 * wait.h.
 *
 * A halted vCPU sleeps.  To wake it takes longer than many a wait does, so it looks for a while
 * first, if the host has a CPU for that: no more vCPUs run than it has, and it did not lately take
 * one away from this thread.
 */
#include "engine/dbt/run/wait.h"

#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "engine/dbt/run/exec.h"

enum {
    PAUSES_TO_YIELD = 32,
    SPIN_NS = 20 * 1000,          /* a halted vCPU waits so long before it sleeps */
    CONTEST_NS = 5 * 1000 * 1000, /* how long an answer of the host's about its CPUs is good */
};

unsigned wait_host_cpus(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        return (unsigned)CPU_COUNT(&set);
    }
    return (unsigned)MAX(sysconf(_SC_NPROCESSORS_ONLN), 1);
}

/* --- attention, exclusive sections ------------------------------------------------------------ */

void dbt_attention(DbtCpu *cpu, uint32_t bits)
{
    __atomic_or_fetch(&cpu->attention, bits, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&cpu->sleeping, __ATOMIC_SEQ_CST)) {
        pthread_mutex_lock(&cpu->vm->lock);
        pthread_cond_signal(&cpu->wake);
        pthread_mutex_unlock(&cpu->vm->lock);
    }
}

void dbt_pause(DbtCpu *cpu)
{
    /* with a CPU of the host's for each, the one that is waited for may still have lost its own */
    bool crowded = cpu->vm->n_cpus > cpu->vm->host_cpus;

    if (crowded || ++cpu->pauses % PAUSES_TO_YIELD == 0) {
        sched_yield();
    }
}

void wait_start_running(DbtCpu *cpu)
{
    DbtVm *vm = cpu->vm;

    for (;;) {
        __atomic_store_n(&cpu->running, true, __ATOMIC_SEQ_CST);
        if (G_LIKELY(!__atomic_load_n(&vm->exclusive, __ATOMIC_SEQ_CST))) {
            return;
        }
        pthread_mutex_lock(&vm->lock);
        __atomic_store_n(&cpu->running, false, __ATOMIC_SEQ_CST);
        pthread_cond_broadcast(&vm->changed);
        while (vm->exclusive) {
            pthread_cond_wait(&vm->changed, &vm->lock);
        }
        pthread_mutex_unlock(&vm->lock);
    }
}

void wait_stop_running(DbtCpu *cpu)
{
    DbtVm *vm = cpu->vm;

    __atomic_store_n(&cpu->running, false, __ATOMIC_SEQ_CST);
    if (G_UNLIKELY(__atomic_load_n(&vm->exclusive, __ATOMIC_SEQ_CST))) {
        pthread_mutex_lock(&vm->lock);
        pthread_cond_broadcast(&vm->changed);
        pthread_mutex_unlock(&vm->lock);
    }
}

static bool others_run(const DbtVm *vm, const DbtCpu *self)
{
    for (unsigned i = 0; i < vm->n_cpus; i++) {
        if (vm->cpus[i] && vm->cpus[i] != self &&
            __atomic_load_n(&vm->cpus[i]->running, __ATOMIC_SEQ_CST)) {
            return true;
        }
    }
    return false;
}

void dbt_exclusive_begin(DbtCpu *cpu)
{
    DbtVm *vm = cpu->vm;

    g_assert(!cpu->running);
    pthread_mutex_lock(&vm->lock);
    while (vm->exclusive) {
        pthread_cond_wait(&vm->changed, &vm->lock);
    }
    __atomic_store_n(&vm->exclusive, true, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < vm->n_cpus; i++) {
        if (vm->cpus[i] && vm->cpus[i] != cpu) {
            __atomic_or_fetch(&vm->cpus[i]->attention, ATTENTION_EXCLUSIVE, __ATOMIC_SEQ_CST);
        }
    }
    while (others_run(vm, cpu)) {
        pthread_cond_wait(&vm->changed, &vm->lock);
    }
    pthread_mutex_unlock(&vm->lock);
}

void dbt_exclusive_end(DbtCpu *cpu)
{
    DbtVm *vm = cpu->vm;

    pthread_mutex_lock(&vm->lock);
    __atomic_store_n(&vm->exclusive, false, __ATOMIC_SEQ_CST);
    pthread_cond_broadcast(&vm->changed);
    pthread_mutex_unlock(&vm->lock);
}

/* --- halted ----------------------------------------------------------------------------------- */

static uint64_t host_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* Has the host taken the CPU away from this thread lately?  Then somebody else has work for it. */
static bool is_contested(DbtCpu *cpu, uint64_t now_ns)
{
    struct rusage usage;

    if (now_ns - cpu->contest_ns > CONTEST_NS && getrusage(RUSAGE_THREAD, &usage) == 0) {
        cpu->contested = usage.ru_nivcsw != cpu->preempted;
        cpu->preempted = usage.ru_nivcsw;
        cpu->contest_ns = now_ns;
    }
    return cpu->contested;
}

/* A CPU of the host is free for this vCPU to wait on. */
static bool may_spin(DbtCpu *cpu, uint64_t now_ns)
{
    const DbtVm *vm = cpu->vm;
    unsigned others = 0;

    for (unsigned i = 0; i < vm->n_cpus; i++) {
        others += vm->cpus[i] && vm->cpus[i] != cpu &&
                  __atomic_load_n(&vm->cpus[i]->running, __ATOMIC_RELAXED);
    }
    return vm->host_cpus > 1 && others < vm->host_cpus && !is_contested(cpu, now_ns);
}

/* True if something wanted this vCPU while it could still be told without waking a thread: that
 * takes longer than this waits. */
static bool spin_halted(DbtCpu *cpu)
{
    uint64_t began_ns = host_ns();

    if (!may_spin(cpu, began_ns)) {
        return false;
    }
    do {
        if (__atomic_load_n(&cpu->attention, __ATOMIC_SEQ_CST)) {
            return true;
        }
    } while (host_ns() - began_ns < SPIN_NS);
    return false;
}

void wait_halted(DbtCpu *cpu)
{
    DbtVm *vm = cpu->vm;

    cpu->exits++;
    if (spin_halted(cpu)) {
        return;
    }
    pthread_mutex_lock(&vm->lock);
    __atomic_store_n(&cpu->sleeping, true, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&cpu->attention, __ATOMIC_SEQ_CST)) {
        pthread_cond_wait(&cpu->wake, &vm->lock);
    }
    __atomic_store_n(&cpu->sleeping, false, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&vm->lock);
}
