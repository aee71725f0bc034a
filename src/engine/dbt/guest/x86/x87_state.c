/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x87's control, status and tag words, and its environment and state in memory: FNSTENV,
 * FLDENV, FNSAVE, FRSTOR (SDM volume 1, 8.1).
 *
 * There are four formats of the environment: 16 or 32 bits, protected or real mode.
 *
 * Threads: the vCPU's own.
 */
#include <string.h>

#include "common/bits.h"
#include "engine/dbt/guest/x86/translate.h"
#include "engine/dbt/guest/x86/x87.h"
#include "engine/dbt/run/mmu.h"

enum { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };
enum { ENVIRONMENT16_SIZE = 14, REGISTERS_SIZE = 80 };

void x87_update_summary(X86Cpu *cpu)
{
    cpu->fsw &= (uint16_t) ~(FSW_ES | FSW_BUSY);
    if (cpu->fsw & ~cpu->fcw & FLOAT_EXCEPTIONS) {
        cpu->fsw |= FSW_ES | FSW_BUSY;
    }
}

void x87_init(X86Cpu *cpu)
{
    cpu->fcw = FCW_INITIAL;
    cpu->fsw = 0;
    cpu->top = 0;
    cpu->tags = 0;
    cpu->fop = cpu->fcs = cpu->fds = 0;
    cpu->fip = cpu->fdp = 0;
}

uint16_t x87_status(const X86Cpu *cpu)
{
    return (uint16_t)(cpu->fsw | (cpu->top & 7) << FSW_TOP_SHIFT);
}

void x87_set_status(X86Cpu *cpu, uint16_t value)
{
    cpu->top = (value >> FSW_TOP_SHIFT) & 7;
    cpu->fsw = (uint16_t)(value & ~(7U << FSW_TOP_SHIFT));
    x87_update_summary(cpu);
}

void x87_set_control(X86Cpu *cpu, uint16_t value)
{
    cpu->fcw = (value & FCW_WRITABLE) | FCW_FIXED;
    x87_update_summary(cpu);
}

/* --- tags: two bits a physical register */

static unsigned tag_of(const X87Reg *reg)
{
    unsigned exponent = reg->sign_exponent & 0x7fff;

    if (!exponent && !reg->mantissa) {
        return TAG_ZERO;
    }
    return exponent && exponent != 0x7fff && reg->mantissa >> 63 ? TAG_VALID : TAG_SPECIAL;
}

static uint16_t full_tags(const X86Cpu *cpu)
{
    unsigned tags = 0;

    for (unsigned i = 0; i < 8; i++) {
        tags |= ((cpu->tags >> i) & 1 ? tag_of(&cpu->st[i]) : TAG_EMPTY) << (2 * i);
    }
    return (uint16_t)tags;
}

static void set_full_tags(X86Cpu *cpu, uint16_t value)
{
    cpu->tags = 0;
    for (unsigned i = 0; i < 8; i++) {
        if (((value >> (2 * i)) & 3) != TAG_EMPTY) {
            cpu->tags |= 1 << i;
        }
    }
}

/* --- the four environments, each as seven words of 16 or 32 bits */

static void put_pointers(const X86Cpu *cpu, bool real, uint32_t word[7])
{
    if (!real) {
        word[3] = (uint32_t)cpu->fip;
        word[4] = cpu->fcs | (uint32_t)cpu->fop << 16;
        word[5] = (uint32_t)cpu->fdp;
        word[6] = cpu->fds;
        return;
    }
    uint32_t code = (uint32_t)cpu->fip + ((uint32_t)cpu->fcs << 4);
    uint32_t data = (uint32_t)cpu->fdp + ((uint32_t)cpu->fds << 4);
    word[3] = code & 0xffff;
    word[4] = (code >> 16 << 12) | cpu->fop;
    word[5] = data & 0xffff;
    word[6] = data >> 16 << 12;
}

static void put_words(const X86Cpu *cpu, bool real, uint32_t word[7])
{
    word[0] = cpu->fcw;
    word[1] = x87_status(cpu);
    word[2] = full_tags(cpu);
    put_pointers(cpu, real, word);
}

static void put_environment32(const X86Cpu *cpu, bool real, uint8_t *to)
{
    uint32_t word[7];

    put_words(cpu, real, word);
    for (unsigned i = 0; i < 7; i++) {
        bool half = i < 3 || i == 6 || (real && (i == 3 || i == 5));
        store_le32(to + 4 * i, word[i] | (half && !(real && i == 6) ? 0xffff0000 : 0));
    }
}

static void put_environment16(const X86Cpu *cpu, bool real, uint8_t *to)
{
    uint32_t word[7];

    put_words(cpu, real, word);
    for (unsigned i = 0; i < 7; i++) {
        store_le16(to + 2 * i, (uint16_t)word[i]);
    }
}

static void get_words(X86Cpu *cpu, const uint32_t word[7])
{
    x87_set_control(cpu, (uint16_t)word[0]);
    x87_set_status(cpu, (uint16_t)word[1]);
    set_full_tags(cpu, (uint16_t)word[2]);
}

/* Real-mode images hold linear addresses; the selectors can't be had back. */
static void get_pointers_real(X86Cpu *cpu, const uint32_t word[7])
{
    cpu->fip = (word[3] & 0xffff) | (word[4] >> 12 & 0xffff) << 16;
    cpu->fdp = (word[5] & 0xffff) | (word[6] >> 12 & 0xffff) << 16;
    cpu->fcs = cpu->fds = 0;
    cpu->fop = word[4] & 0x7ff;
}

static void get_environment(X86Cpu *cpu, const uint8_t *from, bool wide, bool real)
{
    uint32_t word[7];

    for (unsigned i = 0; i < 7; i++) {
        word[i] = wide ? load_le32(from + 4 * i) : load_le16(from + 2 * i);
    }
    get_words(cpu, word);
    if (real) {
        get_pointers_real(cpu, word);
        return;
    }
    cpu->fip = word[3];
    cpu->fcs = (uint16_t)word[4];
    cpu->fop = wide ? (word[4] >> 16) & 0x7ff : 0;
    cpu->fdp = word[5];
    cpu->fds = (uint16_t)word[6];
}

static void put_registers(const X86Cpu *cpu, uint8_t *to)
{
    for (unsigned i = 0; i < 8; i++) {
        const X87Reg *st = &cpu->st[(cpu->top + i) & 7];
        store_le64(to + 10 * i, st->mantissa);
        store_le16(to + 10 * i + 8, st->sign_exponent);
    }
}

static void get_registers(X86Cpu *cpu, const uint8_t *from)
{
    for (unsigned i = 0; i < 8; i++) {
        X87Reg *st = x87_st(cpu, i);
        st->mantissa = load_le64(from + 10 * i);
        st->sign_exponent = load_le16(from + 10 * i + 8);
    }
}

void x87_put_state(const X86Cpu *cpu, uint8_t image[X87_STATE_SIZE])
{
    put_environment32(cpu, false, image);
    put_registers(cpu, image + X87_ENVIRONMENT_SIZE);
}

void x87_get_state(X86Cpu *cpu, const uint8_t image[X87_STATE_SIZE])
{
    get_environment(cpu, image, true, false);
    get_registers(cpu, image + X87_ENVIRONMENT_SIZE);
}

/* --- helpers: linear, mmu, operand size
 * As AMD they touch the control word and then the last byte, which shows in CR2. */

static bool load_image(DbtCpu *base, uint64_t gva, uint8_t *image, unsigned size, unsigned mmu)
{
    return mmu_probe(base, gva, 4, MMU_READ, mmu) &&
           mmu_probe(base, gva + size - 1, 1, MMU_READ, mmu) &&
           mmu_load_bytes(base, gva, image, size, mmu);
}

static bool store_image(DbtCpu *base, uint64_t gva, const uint8_t *image, unsigned size,
                        unsigned mmu)
{
    return mmu_probe(base, gva, 4, MMU_WRITE, mmu) &&
           mmu_probe(base, gva + size - 1, 1, MMU_WRITE, mmu) &&
           mmu_store_bytes(base, gva, image, size, mmu);
}

static bool real_format(const X86Cpu *cpu)
{
    return !x86_protected(cpu);
}

static unsigned put_environment(const X86Cpu *cpu, uint8_t *to, bool wide)
{
    if (wide) {
        put_environment32(cpu, real_format(cpu), to);
        return X87_ENVIRONMENT_SIZE;
    }
    put_environment16(cpu, real_format(cpu), to);
    return ENVIRONMENT16_SIZE;
}

/* FNSTENV masks all exceptions after storing. */
uint64_t x86_helper_fnstenv(DbtCpu *base, uint64_t gva, uint64_t mmu, uint64_t operand_size)
{
    X86Cpu *cpu = x86_cpu(base);
    uint8_t image[X87_ENVIRONMENT_SIZE];
    unsigned size = put_environment(cpu, image, operand_size != 2);

    if (store_image(base, gva, image, size, (unsigned)mmu)) {
        x87_set_control(cpu, cpu->fcw | FLOAT_EXCEPTIONS);
    }
    return 0;
}

uint64_t x86_helper_fnsave(DbtCpu *base, uint64_t gva, uint64_t mmu, uint64_t operand_size)
{
    X86Cpu *cpu = x86_cpu(base);
    uint8_t image[X87_STATE_SIZE];
    unsigned size = put_environment(cpu, image, operand_size != 2);

    put_registers(cpu, image + size);
    if (store_image(base, gva, image, size + REGISTERS_SIZE, (unsigned)mmu)) {
        x87_init(cpu);
    }
    return 0;
}

uint64_t x86_helper_fldenv(DbtCpu *base, uint64_t gva, uint64_t mmu, uint64_t operand_size)
{
    X86Cpu *cpu = x86_cpu(base);
    uint8_t image[X87_ENVIRONMENT_SIZE];
    bool wide = operand_size != 2;
    unsigned size = wide ? X87_ENVIRONMENT_SIZE : ENVIRONMENT16_SIZE;

    if (load_image(base, gva, image, size, (unsigned)mmu)) {
        get_environment(cpu, image, wide, real_format(cpu));
    }
    return 0;
}

uint64_t x86_helper_frstor(DbtCpu *base, uint64_t gva, uint64_t mmu, uint64_t operand_size)
{
    X86Cpu *cpu = x86_cpu(base);
    uint8_t image[X87_STATE_SIZE];
    bool wide = operand_size != 2;
    unsigned size = wide ? X87_ENVIRONMENT_SIZE : ENVIRONMENT16_SIZE;

    if (load_image(base, gva, image, size + REGISTERS_SIZE, (unsigned)mmu)) {
        get_environment(cpu, image, wide, real_format(cpu));
        get_registers(cpu, image + size);
    }
    return 0;
}
