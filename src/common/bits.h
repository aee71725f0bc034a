/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bits and bytes: small pure functions used everywhere.
 *
 * Threads: no state.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define container_of(pointer, Type, member) ((Type *)((char *)(pointer)-offsetof(Type, member)))

/* A value with the lowest @n bits set; @n is 0 to 64. */
static inline uint64_t bits_mask(unsigned n)
{
    return n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

/* @n bits of @value from bit @low on; @low + @n is at most 64. */
static inline uint64_t bits_get(uint64_t value, unsigned low, unsigned n)
{
    return (value >> low) & bits_mask(n);
}

static inline bool bit_test(uint64_t value, unsigned bit)
{
    return (value >> bit) & 1;
}

/* The lowest @n bits (1 to 64) of @value as a signed number. */
static inline int64_t sign_extend(uint64_t value, unsigned n)
{
    return (int64_t)(value << (64 - n)) >> (64 - n);
}

/* @align is a power of two. */
static inline uint64_t align_down(uint64_t value, uint64_t align)
{
    return value & ~(align - 1);
}

static inline uint64_t align_up(uint64_t value, uint64_t align)
{
    return (value + align - 1) & ~(align - 1);
}

static inline bool is_power_of_two(uint64_t value)
{
    return value && !(value & (value - 1));
}

/* True when [@start, @start + @len) lies inside [@base, @base + @size), without wrapping. */
static inline bool range_inside(uint64_t start, uint64_t len, uint64_t base, uint64_t size)
{
    return start >= base && len <= size && start - base <= size - len;
}

/* True when the two ranges share a byte; neither may wrap. */
static inline bool ranges_overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
    return a_len && b_len && a <= b + (b_len - 1) && b <= a + (a_len - 1);
}

/* Little-endian loads and stores at any alignment (hosts are little-endian, see meson.build). */
static inline uint16_t load_le16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint32_t load_le32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint64_t load_le64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline void store_le16(void *p, uint16_t v)
{
    memcpy(p, &v, sizeof(v));
}

static inline void store_le32(void *p, uint32_t v)
{
    memcpy(p, &v, sizeof(v));
}

static inline void store_le64(void *p, uint64_t v)
{
    memcpy(p, &v, sizeof(v));
}

/* The same, big-endian. */
static inline uint16_t load_be16(const void *p)
{
    return __builtin_bswap16(load_le16(p));
}

static inline uint32_t load_be32(const void *p)
{
    return __builtin_bswap32(load_le32(p));
}

static inline uint64_t load_be64(const void *p)
{
    return __builtin_bswap64(load_le64(p));
}

static inline void store_be16(void *p, uint16_t v)
{
    store_le16(p, __builtin_bswap16(v));
}

static inline void store_be32(void *p, uint32_t v)
{
    store_le32(p, __builtin_bswap32(v));
}

static inline void store_be64(void *p, uint64_t v)
{
    store_le64(p, __builtin_bswap64(v));
}

/* @a * @b / @c without overflow in between; @c is not 0. */
static inline uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
    return (uint64_t)((unsigned __int128)a * b / c);
}
