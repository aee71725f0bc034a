/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Integer instructions that are too long for IR: division, decimal adjustment, rotates through
 * carry, ENTER, CMPXCHG16B, CRC32; and checks that raise exceptions.
 *
 * Threads: the vCPU's own.
 */
#include <string.h>

#include "common/bits.h"
#include "engine/dbt/guest/x86/translate.h"
#include "engine/dbt/guest/x86/x86.h"
#include "engine/dbt/run/mmu.h"

#define HELPER(name) uint64_t x86_helper_##name(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)

/* --- exceptions ------------------------------------------------------------------------------- */

HELPER(raise)
{
    if (b) {
        x86_raise_error(x86_cpu(base), (unsigned)a, (uint32_t)c);
    } else {
        x86_raise(x86_cpu(base), (unsigned)a);
    }
    return 0;
}

HELPER(raise_if)
{
    if (a) {
        x86_raise(x86_cpu(base), (unsigned)b);
    }
    return 0;
}

HELPER(check_branch)
{
    X86Cpu *cpu = x86_cpu(base);

    if (a > cpu->segment[X86_CS].limit) {
        x86_raise_error(cpu, EXC_GP, 0);
    }
    return 0;
}

HELPER(check_canonical)
{
    if ((uint64_t)sign_extend(a, 48) != a) {
        x86_raise_error(x86_cpu(base), EXC_GP, 0);
    }
    return 0;
}

HELPER(check_call)
{
    if ((uint64_t)sign_extend(a, 48) != a && mmu_probe(base, b, 8, MMU_WRITE, (unsigned)c)) {
        x86_raise_error(x86_cpu(base), EXC_GP, 0);
    }
    return 0;
}

HELPER(check_alignment)
{
    if (a & (b - 1)) {
        x86_raise_error(x86_cpu(base), EXC_AC, 0);
    }
    return 0;
}

HELPER(into)
{
    if (a) {
        return x86_helper_software_int(base, EXC_OF, b, 1);
    }
    base->pc = b;
    return 0;
}

/* --- division --------------------------------------------------------------------------------- */

/* Quotient and remainder of rDX:rAX; false: #DE. */
static bool divide_unsigned(unsigned __int128 dividend, uint64_t divisor, unsigned size,
                            uint64_t ret[2])
{
    if (divisor == 0) {
        return false;
    }
    unsigned __int128 quotient = dividend / divisor;
    if (quotient > bits_mask(8 * size)) {
        return false;
    }
    ret[0] = (uint64_t)quotient;
    ret[1] = (uint64_t)(dividend % divisor);
    return true;
}

static bool divide_signed(__int128 dividend, int64_t divisor, unsigned size, uint64_t ret[2])
{
    __int128 limit = (__int128)1 << (8 * size - 1);

    if (divisor == 0 ||
        (divisor == -1 && -(unsigned __int128)dividend >= (unsigned __int128)limit &&
         dividend < 0)) {
        return false;
    }
    __int128 quotient = dividend / divisor;
    if (quotient >= limit || quotient < -limit) {
        return false;
    }
    ret[0] = (uint64_t)quotient;
    ret[1] = (uint64_t)(dividend % divisor);
    return true;
}

static void set_part(X86Cpu *cpu, unsigned reg, unsigned size, uint64_t value)
{
    if (size == 8) {
        cpu->gpr[reg] = value;
    } else if (size == 4) {
        cpu->gpr[reg] = (uint32_t)value;
    } else {
        memcpy(&cpu->gpr[reg], &value, size);
    }
}

/* rDX:rAX, or AX. */
static unsigned __int128 dividend_of(const X86Cpu *cpu, unsigned size)
{
    uint64_t low = cpu->gpr[X86_RAX], high = cpu->gpr[X86_RDX];

    if (size == 1) {
        return (uint16_t)low;
    }
    return (unsigned __int128)(high & bits_mask(8 * size)) << (8 * size) |
           (low & bits_mask(8 * size));
}

static bool divide(X86Cpu *cpu, uint64_t divisor, unsigned size, bool is_signed, uint64_t ret[2])
{
    unsigned __int128 dividend = dividend_of(cpu, size);

    if (!is_signed) {
        return divide_unsigned(dividend, divisor, size, ret);
    }
    unsigned unused = 128 - 16 * size;
    return divide_signed((__int128)(dividend << unused) >> unused, sign_extend(divisor, 8 * size),
                         size, ret);
}

HELPER(divide)
{
    X86Cpu *cpu = x86_cpu(base);
    unsigned size = b & 0xff;
    uint64_t result[2];

    if (!divide(cpu, a, size, b >> 8, result)) {
        x86_raise(cpu, EXC_DE);
    } else if (size == 1) {
        set_part(cpu, X86_RAX, 2, (result[0] & 0xff) | (result[1] & 0xff) << 8);
    } else {
        set_part(cpu, X86_RAX, size, result[0]);
        set_part(cpu, X86_RDX, size, result[1]);
    }
    return 0;
}

/* --- decimal adjustment (SDM volume 2, at each) ----------------------------------------------- */

static void set_flags(X86Cpu *cpu, uint64_t flags)
{
    cpu->base.flags = (FlagRecord){ .op = FOP_FLAGS, .a = flags };
}

/* PF, ZF, SF of a byte. */
static uint64_t byte_flags(uint8_t value)
{
    FlagRecord record = { .op = FOP_LOGIC, .a = value };

    return x86_flags_of(&record);
}

/* DAA and DAS: @sign is 1 or -1. */
static void decimal_adjust(X86Cpu *cpu, int sign)
{
    uint64_t flags = x86_flags_of(&cpu->base.flags);
    uint8_t al = (uint8_t)cpu->gpr[X86_RAX], result = al;
    bool low = (al & 15) > 9 || (flags & FLAG_AF);
    bool high = al > 0x99 || (flags & FLAG_CF);
    bool borrow = sign < 0 && low && al < 6; /* DAS: of the low digit's correction */

    result = (uint8_t)(result + sign * (low ? 6 : 0) + sign * (high ? 0x60 : 0));
    set_part(cpu, X86_RAX, 1, result);
    set_flags(cpu, byte_flags(result) | (low ? FLAG_AF : 0) | (high || borrow ? FLAG_CF : 0));
}

/* AAA and AAS. */
static void ascii_adjust(X86Cpu *cpu, int sign)
{
    uint64_t flags = x86_flags_of(&cpu->base.flags);
    uint16_t ax = (uint16_t)cpu->gpr[X86_RAX];
    bool adjust = (ax & 15) > 9 || (flags & FLAG_AF);

    if (adjust) {
        ax = (uint16_t)(ax + sign * 0x106);
    }
    ax &= 0xff0f;
    set_part(cpu, X86_RAX, 2, ax);
    set_flags(cpu, byte_flags((uint8_t)ax) | (adjust ? FLAG_AF | FLAG_CF : 0));
}

static void ascii_divide(X86Cpu *cpu, uint8_t divisor)
{
    uint8_t al = (uint8_t)cpu->gpr[X86_RAX];

    if (divisor == 0) {
        x86_raise(cpu, EXC_DE);
        return;
    }
    set_part(cpu, X86_RAX, 2, (uint64_t)(al / divisor) << 8 | al % divisor);
    set_flags(cpu, byte_flags((uint8_t)(al % divisor)));
}

static void ascii_multiply(X86Cpu *cpu, uint8_t factor)
{
    uint16_t ax = (uint16_t)cpu->gpr[X86_RAX];
    uint8_t al = (uint8_t)(ax + (ax >> 8) * factor);

    set_part(cpu, X86_RAX, 2, al);
    set_flags(cpu, byte_flags(al));
}

HELPER(ascii)
{
    X86Cpu *cpu = x86_cpu(base);

    switch (a) {
    case 0:
    case 1:
        decimal_adjust(cpu, a == 0 ? 1 : -1);
        break;
    case 2:
    case 3:
        ascii_adjust(cpu, a == 2 ? 1 : -1);
        break;
    case 4:
        ascii_divide(cpu, (uint8_t)b);
        break;
    default:
        ascii_multiply(cpu, (uint8_t)b);
        break;
    }
    return 0;
}

/* --- rotates ---------------------------------------------------------------------------------- */

/* The description of a rotate: count, size and direction. */
typedef struct Rotate {
    unsigned count, width;
    bool right;
} Rotate;

static Rotate rotate_of(uint64_t word)
{
    return (Rotate){ word & 0xff, 8 * ((word >> 8) & 0xff), word >> 16 & 1 };
}

/* Value with CF above it, rotated; RCL and RCR turn width + 1 bits. */
static unsigned __int128 through_carry(uint64_t value, Rotate rotate, uint64_t carry)
{
    unsigned bits = rotate.width + 1, left = rotate.count % bits;
    unsigned __int128 all = (unsigned __int128)carry << rotate.width | value;
    unsigned __int128 mask = ((unsigned __int128)1 << bits) - 1;

    if (left == 0) {
        return all;
    }
    if (rotate.right) {
        left = bits - left;
    }
    return (all << left | all >> (bits - left)) & mask;
}

HELPER(rotate_carry)
{
    Rotate rotate = rotate_of(b);

    return (uint64_t)through_carry(a, rotate, c) & bits_mask(rotate.width);
}

/* CF and OF become what they say, the others stay. */
static void set_carry_overflow(X86Cpu *cpu, bool carry, bool overflow)
{
    uint64_t flags = x86_flags_of(&cpu->base.flags) & ~(uint64_t)(FLAG_CF | FLAG_OF);

    set_flags(cpu, flags | (carry ? FLAG_CF : 0) | (overflow ? FLAG_OF : 0));
}

HELPER(rotate_carry_flags)
{
    Rotate rotate = rotate_of(b);
    unsigned __int128 all = through_carry(a, rotate, c);
    bool carry = all >> rotate.width & 1, top = all >> (rotate.width - 1) & 1;
    bool second = all >> (rotate.width - 2) & 1;

    if (rotate.count) {
        set_carry_overflow(x86_cpu(base), carry, top != (rotate.right ? second : carry));
    }
    return 0;
}

HELPER(rotate_flags)
{
    Rotate rotate = rotate_of(b);
    bool top = bit_test(a, rotate.width - 1), low = a & 1;
    bool second = bit_test(a, rotate.width - 2);

    if (rotate.count) {
        set_carry_overflow(x86_cpu(base), rotate.right ? top : low,
                           top != (rotate.right ? second : low));
    }
    return 0;
}

/* --- memory ----------------------------------------------------------------------------------- */

HELPER(locked_neg)
{
    uint64_t old, found;

    if (!mmu_load(base, a, (unsigned)b, (unsigned)c | MMU_RMW, &old)) {
        return 0;
    }
    for (;;) {
        if (!mmu_cas(base, a, old, -old & bits_mask(8 * (unsigned)b), (unsigned)b, (unsigned)c,
                     &found)) {
            return 0;
        }
        if (found == old) {
            return old;
        }
        old = found;
    }
}

HELPER(cmpxchg16b)
{
    X86Cpu *cpu = x86_cpu(base);
    uint64_t expected[2] = { cpu->gpr[X86_RAX], cpu->gpr[X86_RDX] };
    const uint64_t value[2] = { cpu->gpr[X86_RBX], cpu->gpr[X86_RCX] };
    bool equal;

    if (a & 15) {
        x86_raise_error(cpu, EXC_GP, 0);
        return 0;
    }
    if (!mmu_cas16(base, a, expected, value, (unsigned)b, &equal)) {
        return 0;
    }
    uint64_t flags = x86_flags_of(&base->flags) & ~(uint64_t)FLAG_ZF;
    set_flags(cpu, flags | (equal ? FLAG_ZF : 0));
    if (!equal) {
        cpu->gpr[X86_RAX] = expected[0];
        cpu->gpr[X86_RDX] = expected[1];
    }
    return 0;
}

/* Castagnoli's polynomial, reflected, four bits at a time. */
HELPER(crc32)
{
    static const uint32_t table[16] = { 0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
                                        0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
                                        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75 };
    uint32_t sum = (uint32_t)a;

    for (unsigned i = 0; i < c; i++) {
        sum ^= (uint8_t)(b >> (8 * i));
        sum = sum >> 4 ^ table[sum & 15];
        sum = sum >> 4 ^ table[sum & 15];
    }
    return sum;
}

/* --- ENTER ------------------------------------------------------------------------------------ */

typedef struct Frame {
    X86Cpu *cpu;
    unsigned size, stack_size, mmu;
    uint64_t sp; /* where the next push goes below */
} Frame;

static bool frame_linear(Frame *frame, uint64_t offset, bool write, uint64_t *ret_linear)
{
    DbtCpu *base = &frame->cpu->base;

    *ret_linear = offset;
    if (frame->stack_size != 8) {
        *ret_linear =
            x86_helper_seg_check(base, X86_SS, offset, frame->size | (unsigned)write << 8);
    }
    return !base->fault;
}

static bool frame_push(Frame *frame, uint64_t value)
{
    uint64_t sp = (frame->sp - frame->size) & bits_mask(8 * frame->stack_size), linear;

    if (!frame_linear(frame, sp, true, &linear) ||
        !mmu_store(&frame->cpu->base, linear, value, frame->size, frame->mmu)) {
        return false;
    }
    frame->sp = sp;
    return true;
}

/* Copy the frame pointers of the enclosing levels. */
static bool frame_copy(Frame *frame, unsigned level)
{
    uint64_t bp = frame->cpu->gpr[X86_RBP], value, linear;

    for (unsigned i = 1; i < level; i++) {
        bp = (bp - frame->size) & bits_mask(8 * frame->stack_size);
        if (!frame_linear(frame, bp, false, &linear) ||
            !mmu_load(&frame->cpu->base, linear, frame->size, frame->mmu, &value) ||
            !frame_push(frame, value)) {
            return false;
        }
    }
    return true;
}

HELPER(enter)
{
    X86Cpu *cpu = x86_cpu(base);
    Frame frame = { cpu, c & 0xff, (c >> 8) & 0xff, (unsigned)(c >> 16), cpu->gpr[X86_RSP] };

    if (!frame_push(&frame, cpu->gpr[X86_RBP])) {
        return 0;
    }
    uint64_t top = frame.sp;
    if (b && (!frame_copy(&frame, (unsigned)b) || !frame_push(&frame, top))) {
        return 0;
    }
    /* the new top must be writable (AMD) */
    uint64_t sp = (frame.sp - a) & bits_mask(8 * frame.stack_size), linear;
    if (!frame_linear(&frame, sp, true, &linear) ||
        !mmu_probe(base, linear, frame.size, MMU_WRITE, frame.mmu)) {
        return 0;
    }
    set_part(cpu, X86_RBP, frame.size, top);
    set_part(cpu, X86_RSP, frame.stack_size, sp);
    return 0;
}
