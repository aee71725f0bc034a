/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flag records: what the arithmetic flags are after an operation (SDM volume 1, 3.4.3.1), and
 * RFLAGS as a whole.
 *
 * A record's values may hold anything above the operation's size.
 *
 * Threads: the vCPU's own.
 */
#include "engine/dbt/guest/x86/flags.h"

#include "common/bits.h"
#include "engine/dbt/guest/x86/translate.h"
#include "engine/dbt/guest/x86/x86.h"

static uint64_t when(bool condition, uint64_t flag)
{
    return condition ? flag : 0;
}

/* PF, ZF and SF of a result of @width bits. */
static uint64_t flags_of_result(uint64_t result, unsigned width)
{
    return when(!(__builtin_popcount(result & 0xff) & 1), FLAG_PF) |
           when((result & bits_mask(width)) == 0, FLAG_ZF) |
           when(bit_test(result, width - 1), FLAG_SF);
}

static uint64_t flags_of_add(uint64_t a, uint64_t b, uint64_t carry, unsigned width)
{
    uint64_t mask = bits_mask(width);
    uint64_t sum = (a + b + carry) & mask;

    a &= mask;
    return flags_of_result(sum, width) | when(carry ? sum <= a : sum < a, FLAG_CF) |
           ((a ^ b ^ sum) & FLAG_AF) | when(bit_test((a ^ sum) & (b ^ sum), width - 1), FLAG_OF);
}

static uint64_t flags_of_sub(uint64_t a, uint64_t b, uint64_t borrow, unsigned width)
{
    uint64_t mask = bits_mask(width);
    uint64_t difference = (a - b - borrow) & mask;

    a &= mask;
    b &= mask;
    return flags_of_result(difference, width) | when(borrow ? a <= b : a < b, FLAG_CF) |
           ((a ^ b ^ difference) & FLAG_AF) |
           when(bit_test((a ^ b) & (a ^ difference), width - 1), FLAG_OF);
}

static uint64_t flags_of_inc(uint64_t result, uint64_t carry, unsigned width)
{
    return flags_of_result(result, width) | carry | when((result & 15) == 0, FLAG_AF) |
           when((result & bits_mask(width)) == UINT64_C(1) << (width - 1), FLAG_OF);
}

static uint64_t flags_of_dec(uint64_t result, uint64_t carry, unsigned width)
{
    return flags_of_result(result, width) | carry | when((result & 15) == 15, FLAG_AF) |
           when((result & bits_mask(width)) == bits_mask(width - 1), FLAG_OF);
}

/* OF is defined for a count of 1 only; the CPU does for others as here. */
static uint64_t flags_of_shift(const FlagRecord *record, unsigned kind, unsigned width)
{
    uint64_t a = record->a & bits_mask(width), count = record->b, result = record->c;
    bool carry;

    if (kind == FOP_SHL) {
        carry = count <= width && bit_test(a, width - (unsigned)count);
        return flags_of_result(result, width) | when(carry, FLAG_CF) |
               when(carry != bit_test(result, width - 1), FLAG_OF);
    }
    if (kind == FOP_SAR) {
        carry = bit_test((uint64_t)sign_extend(a, width), count > 64 ? 63 : (unsigned)count - 1);
    } else {
        carry = count <= width && bit_test(a, (unsigned)count - 1);
    }
    return flags_of_result(result, width) | when(carry, FLAG_CF) |
           when(bit_test(a ^ result, width - 1), FLAG_OF);
}

static uint64_t flags_of_number(const FlagRecord *record)
{
    unsigned kind = record->op & FLAGOP_NUMBER & ~3U;
    unsigned width = 8U << (record->op & 3);
    uint64_t a = record->a, b = record->b, c = record->c;

    switch (kind) {
    case FOP_FLAGS:
        return a & FLAGS_ARITH;
    case FOP_ADD:
        return flags_of_add(a, b, 0, width);
    case FOP_ADC:
        return flags_of_add(a, b, c, width);
    case FOP_SUB:
        return flags_of_sub(a, b, 0, width);
    case FOP_SBB:
        return flags_of_sub(a, b, c, width);
    case FOP_LOGIC:
        return flags_of_result(a, width);
    case FOP_INC:
        return flags_of_inc(a, b, width);
    case FOP_DEC:
        return flags_of_dec(a, b, width);
    case FOP_MUL:
        return flags_of_result(a, width) | when(b != 0, FLAG_CF | FLAG_OF);
    case FOP_BMI:
        return flags_of_result(a, width) | when(b != 0, FLAG_CF);
    default:
        return flags_of_shift(record, kind, width);
    }
}

uint64_t x86_flags_of(const FlagRecord *record)
{
    uint64_t flags = flags_of_number(record);

    if (record->op & FLAGOP_CF_VALID) {
        flags = (flags & ~(uint64_t)FLAG_CF) | when(record->op & FLAGOP_CF, FLAG_CF);
    }
    if (record->op & FLAGOP_OF_VALID) {
        flags = (flags & ~(uint64_t)FLAG_OF) | when(record->op & FLAGOP_OF, FLAG_OF);
    }
    return flags;
}

uint64_t x86_get_rflags(X86Cpu *cpu)
{
    return cpu->eflags | FLAG_FIXED | x86_flags_of(&cpu->base.flags);
}

void x86_set_rflags(X86Cpu *cpu, uint64_t value, uint64_t mask)
{
    uint64_t arithmetic = x86_flags_of(&cpu->base.flags);
    uint64_t others = mask & ~(uint64_t)FLAGS_ARITH;

    arithmetic = (arithmetic & ~mask) | (value & mask & FLAGS_ARITH);
    cpu->base.flags = (FlagRecord){ .op = FOP_FLAGS, .a = arithmetic };
    cpu->eflags = (cpu->eflags & ~others) | (value & others) | FLAG_FIXED;
}

/* --- helpers ---------------------------------------------------------------------------------- */

static bool condition_holds(uint64_t flags, unsigned cc)
{
    bool sign_differs = bit_test(flags, 7) != bit_test(flags, 11);
    bool holds;

    switch (cc >> 1) {
    case 0:
        holds = flags & FLAG_OF;
        break;
    case 1:
        holds = flags & FLAG_CF;
        break;
    case 2:
        holds = flags & FLAG_ZF;
        break;
    case 3:
        holds = flags & (FLAG_CF | FLAG_ZF);
        break;
    case 4:
        holds = flags & FLAG_SF;
        break;
    case 5:
        holds = flags & FLAG_PF;
        break;
    case 6:
        holds = sign_differs;
        break;
    default:
        holds = sign_differs || (flags & FLAG_ZF);
        break;
    }
    return holds != (cc & 1);
}

uint64_t x86_helper_condition(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    return condition_holds(x86_flags_of(&cpu->flags), (unsigned)a);
}

uint64_t x86_helper_carry(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    return x86_flags_of(&cpu->flags) & FLAG_CF;
}

uint64_t x86_helper_flags(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    return x86_flags_of(&cpu->flags);
}

uint64_t x86_helper_shift_flags(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t count = b & 0xff;

    if (count) {
        cpu->flags = (FlagRecord){ .op = b >> 8, .a = a, .b = count, .c = c };
    }
    return 0;
}
