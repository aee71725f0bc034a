/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The slow paths of compiled code's memory accesses: what the TLB's fast entries don't cover goes
 * to mmu.c.
 *
 * Threads: the vCPU's own.
 */
#include <string.h>

#include "common/bits.h"
#include "engine/dbt/host/x86_64/code.h"
#include "engine/dbt/run/check.h"

/* 16 or 32 bytes from memory to CPU state; aligned only if MMU_ALIGN asks. */
static bool load_vector(DbtCpu *cpu, uint64_t gva, uint64_t offset, unsigned size, unsigned mmu)
{
    uint8_t bytes[32];

    if ((mmu & MMU_ALIGN) && gva % size) {
        cpu->isa->misaligned(cpu, gva, mmu);
        return false;
    }
    if (!access_load_bytes(cpu, gva, bytes, size, mmu & ~(unsigned)MMU_ALIGN)) {
        return false;
    }
    memcpy((uint8_t *)cpu + offset, bytes, size);
    return true;
}

static bool store_vector(DbtCpu *cpu, uint64_t gva, uint64_t offset, unsigned size, unsigned mmu)
{
    if ((mmu & MMU_ALIGN) && gva % size) {
        cpu->isa->misaligned(cpu, gva, mmu);
        return false;
    }
    return access_store_bytes(cpu, gva, (uint8_t *)cpu + offset, size, mmu & ~(unsigned)MMU_ALIGN);
}

SlowResult slow_access(DbtCpu *cpu, uint64_t gva, uint64_t operand, uint32_t info,
                       uint64_t operand2)
{
    unsigned size = 1U << (info >> SLOW_SIZE & 7), mmu = info >> SLOW_MMU & 63;
    unsigned kind = info >> SLOW_KIND;
    uint64_t value = 0;
    bool ok;

    switch (kind) {
    case SLOW_LOAD:
        ok = access_load(cpu, gva, size, mmu, &value);
        break;
    case SLOW_STORE:
        ok = access_store(cpu, gva, operand, size, mmu);
        break;
    case SLOW_LOAD_VECTOR:
        ok = load_vector(cpu, gva, operand, size, mmu);
        break;
    case SLOW_STORE_VECTOR:
        ok = store_vector(cpu, gva, operand, size, mmu);
        break;
    case SLOW_PROBE:
        ok = access_probe_write(cpu, gva, (unsigned)operand, mmu);
        break;
    case SLOW_CAS:
        ok = access_cas(cpu, gva, operand, operand2, size, mmu, &value);
        break;
    default:
        ok = access_atomic(cpu, (AtomicOp)(kind - SLOW_ATOMIC), gva, operand, size, mmu, &value);
    }
    return ok ? (SlowResult){ value, 1 } : (SlowResult){ info, 0 };
}

uint64_t slow_popcount(uint64_t value)
{
    return (uint64_t)__builtin_popcountll(value);
}
