/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x86 guest as the translator's core sees it, and the key that tells blocks of different
 * contexts apart.
 *
 * Threads: the vCPU's own.
 */
#include "engine/dbt/guest/x86/isa.h"

#include "engine/dbt/guest/x86/translate.h"
#include "engine/dbt/guest/x86/vectors.h"
#include "engine/dbt/guest/x86/vectors_host.h"
#include "engine/dbt/guest/x86/x86.h"
#include "engine/dbt/guest/x86/x87.h"

/* --- the context key -------------------------------------------------------------------------- */

static uint32_t bit_if(bool condition, uint32_t bit)
{
    return condition ? bit : 0;
}

/* Base 0, 4 GiB, and data that can be written. */
static bool is_flat_data(const X86Segment *segment)
{
    unsigned wanted = SEG_P | SEG_S | SEG_WRITABLE;

    return segment->base == 0 && segment->limit == UINT32_MAX &&
           (segment->attributes & (wanted | SEG_CODE | SEG_DOWN)) == wanted;
}

static bool is_flat(const X86Cpu *cpu)
{
    const X86Segment *cs = &cpu->segment[X86_CS];

    return cs->base == 0 && cs->limit == UINT32_MAX && is_flat_data(&cpu->segment[X86_DS]) &&
           is_flat_data(&cpu->segment[X86_ES]) && is_flat_data(&cpu->segment[X86_SS]);
}

/* What depends on the mode and the segments. */
static uint32_t segment_key(const X86Cpu *cpu)
{
    unsigned cs = cpu->segment[X86_CS].attributes;

    if (x86_code64(cpu)) {
        return X86_MODE64 | KEY_PROTECTED | KEY_LONG;
    }
    return (cs & SEG_DB ? X86_MODE32 : X86_MODE16) | bit_if(x86_protected(cpu), KEY_PROTECTED) |
           bit_if(x86_v8086(cpu), KEY_V8086) | bit_if(x86_long_mode(cpu), KEY_LONG) |
           bit_if(cpu->segment[X86_SS].attributes & SEG_DB, KEY_STACK32) |
           bit_if(cpu->segment[X86_CS].base != 0, KEY_CS_BASE) | bit_if(is_flat(cpu), KEY_FLAT);
}

static uint32_t control_key(const X86Cpu *cpu)
{
    return bit_if(cpu->cr0 & CR0_TS, KEY_TS) | bit_if(cpu->cr0 & CR0_EM, KEY_EM) |
           bit_if(cpu->cr0 & CR0_MP, KEY_MP) | bit_if(cpu->cr4 & CR4_OSFXSR, KEY_OSFXSR) |
           bit_if((cpu->cr4 & CR4_OSXSAVE) && (cpu->xcr0 & 4), KEY_OSXSAVE) |
           bit_if(cpu->cr4 & CR4_FSGSBASE, KEY_FSGSBASE) | bit_if(cpu->cr4 & CR4_UMIP, KEY_UMIP) |
           bit_if((cpu->mxcsr & 0x1f80) != 0x1f80, KEY_MXCSR) |
           bit_if(cpu->x87_exact || !x87_is_masked(cpu->fcw), KEY_X87);
}

static uint32_t flags_key(const X86Cpu *cpu)
{
    bool ac = cpu->eflags & FLAG_AC;

    return bit_if(cpu->eflags & FLAG_TF, KEY_TF) | bit_if(cpu->eflags & FLAG_RF, KEY_RF) |
           bit_if(ac && cpu->cpl != 3, KEY_AC) |
           bit_if(ac && cpu->cpl == 3 && (cpu->cr0 & CR0_AM), KEY_ALIGN) |
           bit_if(cpu->shadow_sti || cpu->shadow_mov_ss, KEY_SHADOW) |
           bit_if(x86_watches(cpu), KEY_DEBUG);
}

static uint32_t context_key(const DbtCpu *base)
{
    const X86Cpu *cpu = (const X86Cpu *)base;

    return segment_key(cpu) | control_key(cpu) | flags_key(cpu) |
           (uint32_t)cpu->cpl << KEY_CPL_SHIFT;
}

/* --- names for listings ----------------------------------------------------------------------- */

static const char *helper_name(unsigned id)
{
    return id < X86_HELPERS ? x86_helpers[id].name : NULL;
}

static const char *vector_name(unsigned id)
{
    return id < X86_VECTOR_OPS ? x86_vectors[id].name : NULL;
}

static const char *state_name(unsigned offset)
{
    static const char *const gpr[16] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                         "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };
    unsigned first = X86_OFFSET(gpr);

    if (offset >= first && offset < first + sizeof(((X86Cpu *)NULL)->gpr)) {
        return gpr[(offset - first) / 8];
    }
    return offset == X86_OFFSET(eflags) ? "eflags" : offset == X86_OFFSET(base.pc) ? "pc" : NULL;
}

const GuestIsa x86_isa = {
    .name = "x86-64",
    .cpu_size = sizeof(X86Cpu),
    .helpers = x86_helpers,
    .n_helpers = X86_HELPERS,
    .vectors = x86_vectors,
    .n_vectors = X86_VECTOR_OPS,
    .wide_vector = x86_vector_wide,
    .vector_file = { .offset = X86_OFFSET(vector),
                     .stride = sizeof(X86Vector),
                     .count = X86_XMM_SCRATCH,
                     .control = X86_OFFSET(mxcsr),
                     .key_exact = KEY_MXCSR,
                     .host = x86_vectors_host },
    .stack = { .offset = X86_OFFSET(st),
               .stride = sizeof(X87Reg),
               .control = X86_OFFSET(fcw),
               .status = X86_OFFSET(fsw),
               .top = X86_OFFSET(top),
               .tags = X86_OFFSET(tags),
               .host = x87_stack_host },
    .fields = x86_fields,
    .names = { helper_name, vector_name, state_name },
    .context_key = context_key,
    .translate = x86_translate,
    .walk = x86_page_walk,
    .misaligned = x86_misaligned,
    .deliver = x86_deliver,
    .poll = x86_poll,
    .watch = x86_watch,
    .watches_page = x86_watches_page,
    .debug_changed = x86_debug_changed,
    .mmio = x86_mmio,
};
