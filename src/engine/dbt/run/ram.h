/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest RAM as the vCPUs touch it: single accesses of natural size, at any alignment, that other
 * threads may race with (decision 13 in docs/architecture.md).
 *
 * On hosts with x86's memory order a plain access is also ordered as the guest expects; a host
 * with a weaker one would need acquire and release here.
 *
 * Threads: any.
 */
#pragma once

#include <stdint.h>

typedef uint16_t __attribute__((aligned(1), may_alias)) Ram16;
typedef uint32_t __attribute__((aligned(1), may_alias)) Ram32;
typedef uint64_t __attribute__((aligned(1), may_alias)) Ram64;

static inline uint64_t ram_load(const void *hva, unsigned size)
{
    switch (size) {
    case 1:
        return *(const volatile uint8_t *)hva;
    case 2:
        return *(const volatile Ram16 *)hva;
    case 4:
        return *(const volatile Ram32 *)hva;
    default:
        return *(const volatile Ram64 *)hva;
    }
}

static inline void ram_store(void *hva, uint64_t value, unsigned size)
{
    switch (size) {
    case 1:
        *(volatile uint8_t *)hva = (uint8_t)value;
        break;
    case 2:
        *(volatile Ram16 *)hva = (uint16_t)value;
        break;
    case 4:
        *(volatile Ram32 *)hva = (uint32_t)value;
        break;
    default:
        *(volatile Ram64 *)hva = value;
    }
}

/* Compare and swap at an address aligned to @size; the old value. */
static inline uint64_t ram_cas(void *hva, uint64_t expected, uint64_t value, unsigned size)
{
    switch (size) {
    case 1: {
        uint8_t old = (uint8_t)expected;
        __atomic_compare_exchange_n((uint8_t *)hva, &old, (uint8_t)value, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST);
        return old;
    }
    case 2: {
        uint16_t old = (uint16_t)expected;
        __atomic_compare_exchange_n((uint16_t *)hva, &old, (uint16_t)value, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST);
        return old;
    }
    case 4: {
        uint32_t old = (uint32_t)expected;
        __atomic_compare_exchange_n((uint32_t *)hva, &old, (uint32_t)value, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST);
        return old;
    }
    default: {
        uint64_t old = expected;
        __atomic_compare_exchange_n((uint64_t *)hva, &old, value, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST);
        return old;
    }
    }
}
