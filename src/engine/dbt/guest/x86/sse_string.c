/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The string comparisons of SSE4.2: PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM (SDM volume 2,
 * 4.1 "Imm8 Control Byte Operation").
 *
 * The first operand is the set, the ranges or the needle, the second the text.  A bit for each
 * element of the text is computed, perhaps inverted, and given as index or mask.
 *
 * Threads: no state.
 */
#include "common/bits.h"
#include "engine/dbt/guest/x86/vectors.h"

/* Fields of the immediate. */
enum {
    WORDS = 1 << 0,
    SIGNED = 1 << 1,
    AGGREGATION_SHIFT = 2,
    NEGATE = 1 << 4,
    ONLY_VALID = 1 << 5,
    LAST_OR_WIDE = 1 << 6, /* index of the last bit; a mask of elements instead of bits */
};
enum { EQUAL_ANY, RANGES, EQUAL_EACH, EQUAL_ORDERED };

/* Strings with all elements widened, and how many of them are valid. */
typedef struct Strings {
    int a[16], b[16];
    unsigned a_len, b_len;
    unsigned n; /* elements in a vector */
} Strings;

static void widen(int *to, const void *from, unsigned immediate)
{
    Lanes x;

    memcpy(&x, from, 16);
    for (unsigned i = 0; i < (immediate & WORDS ? 8 : 16); i++) {
        if (immediate & WORDS) {
            to[i] = immediate & SIGNED ? x.i16[i] : x.u16[i];
        } else {
            to[i] = immediate & SIGNED ? x.i8[i] : x.u8[i];
        }
    }
}

static Strings make_strings(const void *from1, const void *from2, unsigned immediate)
{
    Strings s = { .n = immediate & WORDS ? 8 : 16 };

    widen(s.a, from1, immediate);
    widen(s.b, from2, immediate);
    return s;
}

static bool equal_any(const Strings *s, unsigned i)
{
    for (unsigned j = 0; j < s->a_len; j++) {
        if (i < s->b_len && s->a[j] == s->b[i]) {
            return true;
        }
    }
    return false;
}

static bool in_ranges(const Strings *s, unsigned i)
{
    for (unsigned j = 0; j + 1 < s->a_len; j += 2) {
        if (i < s->b_len && s->a[j] <= s->b[i] && s->b[i] <= s->a[j + 1]) {
            return true;
        }
    }
    return false;
}

static bool equal_each(const Strings *s, unsigned i)
{
    bool a_valid = i < s->a_len, b_valid = i < s->b_len;

    return a_valid && b_valid ? s->a[i] == s->b[i] : a_valid == b_valid;
}

static bool equal_ordered(const Strings *s, unsigned i)
{
    for (unsigned j = 0; j < s->a_len && i + j < s->n; j++) {
        if (i + j >= s->b_len || s->a[j] != s->b[i + j]) {
            return false;
        }
    }
    return true;
}

/* The manual's IntRes2. */
static unsigned aggregate(const Strings *s, unsigned immediate)
{
    static bool (*const functions[])(const Strings *s, unsigned i) = {
        [EQUAL_ANY] = equal_any,
        [RANGES] = in_ranges,
        [EQUAL_EACH] = equal_each,
        [EQUAL_ORDERED] = equal_ordered,
    };
    bool (*function)(const Strings *, unsigned) = functions[(immediate >> AGGREGATION_SHIFT) & 3];
    unsigned result = 0;

    for (unsigned i = 0; i < s->n; i++) {
        bool inverted = (immediate & NEGATE) && (!(immediate & ONLY_VALID) || i < s->b_len);
        result |= (unsigned)(function(s, i) != inverted) << i;
    }
    return result;
}

static void put_flags(void *to, const Strings *s, unsigned bits)
{
    uint64_t flags = (bits ? FLAG_CF : 0) | (s->b_len < s->n ? FLAG_ZF : 0) |
                     (s->a_len < s->n ? FLAG_SF : 0) | (bits & 1 ? FLAG_OF : 0);

    store_le64((uint8_t *)to + 16, flags);
}

static void put_index(void *to, const Strings *s, unsigned immediate)
{
    unsigned bits = aggregate(s, immediate);
    unsigned index = s->n;

    if (bits) {
        index =
            (unsigned)(immediate & LAST_OR_WIDE ? 31 - __builtin_clz(bits) : __builtin_ctz(bits));
    }
    store_le64(to, index);
    put_flags(to, s, bits);
}

static void put_mask(void *to, const Strings *s, unsigned immediate)
{
    unsigned bits = aggregate(s, immediate);
    Lanes r = { 0 };

    if (!(immediate & LAST_OR_WIDE)) {
        r.u64[0] = bits;
    }
    for (unsigned i = 0; (immediate & LAST_OR_WIDE) && i < 16; i++) {
        unsigned element = immediate & WORDS ? i / 2 : i;
        r.u8[i] = (bits >> element) & 1 ? 0xff : 0;
    }
    memcpy(to, &r, 16);
    put_flags(to, s, bits);
}

/* Explicit lengths: signed numbers in @to; their magnitude counts, up to a whole vector. */
static Strings explicit(const void *to, const void *from1, const void *from2, unsigned immediate)
{
    Strings s = make_strings(from1, from2, immediate);
    uint64_t len[2];

    memcpy(len, to, sizeof(len));
    for (unsigned i = 0; i < 2; i++) {
        len[i] = (int64_t)len[i] < 0 ? -len[i] : len[i];
        len[i] = len[i] > s.n ? s.n : len[i];
    }
    s.a_len = (unsigned)len[0];
    s.b_len = (unsigned)len[1];
    return s;
}

static unsigned length(const int *elements, unsigned n)
{
    unsigned i = 0;

    while (i < n && elements[i]) {
        i++;
    }
    return i;
}

/* Implicit lengths: up to the first zero. */
static Strings implicit(const void *from1, const void *from2, unsigned immediate)
{
    Strings s = make_strings(from1, from2, immediate);

    s.a_len = length(s.a, s.n);
    s.b_len = length(s.b, s.n);
    return s;
}

VECTOR_FN(pcmpestri)
{
    Strings s = explicit(to, from1, from2, immediate);
    put_index(to, &s, immediate);
}

VECTOR_FN(pcmpestrm)
{
    Strings s = explicit(to, from1, from2, immediate);
    put_mask(to, &s, immediate);
}

VECTOR_FN(pcmpistri)
{
    Strings s = implicit(from1, from2, immediate);
    put_index(to, &s, immediate);
}

VECTOR_FN(pcmpistrm)
{
    Strings s = implicit(from1, from2, immediate);
    put_mask(to, &s, immediate);
}
