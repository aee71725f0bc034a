/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segment registers and descriptors (SDM volume 3, chapters 3 and 5).
 *
 * A load fetches the descriptor, makes all checks, sets the accessed bit in memory, and then
 * changes the register.  The order of the checks is the manual's: error codes depend on it.
 *
 * Threads: the vCPU's own.
 */
#include "engine/dbt/guest/x86/system.h"
#include "engine/dbt/guest/x86/translate.h"

/* Access byte of a segment in virtual-8086 mode: present, ring 3, data, writable, accessed. */
enum { V8086_ATTRIBUTES = 0xf3, REAL_ATTRIBUTES = 0x93 };

enum { DESCRIPTOR_P = 1 << 15, DESCRIPTOR_S = 1 << 12, DESCRIPTOR_G = 1 << 23 };

uint64_t x86_rip(const X86Cpu *cpu)
{
    if (x86_code64(cpu)) {
        return cpu->base.pc;
    }
    return (uint32_t)(cpu->base.pc - cpu->segment[X86_CS].base);
}

/* --- descriptors ------------------------------------------------------------------------------ */

typedef enum Found { FOUND, FOUND_NOTHING, FOUND_FAULT } Found;

/* The descriptor of @selector, if its table has one. */
static Found find_descriptor(X86Cpu *cpu, uint16_t selector, X86Descriptor *ret_descriptor)
{
    uint64_t base = cpu->gdtr.base, value;
    uint32_t limit = cpu->gdtr.limit, offset = selector & ~7U;

    if (selector & 4) {
        base = cpu->ldtr.base;
        limit = cpu->ldtr.limit;
        if (!(cpu->ldtr.attributes & SEG_P)) {
            return FOUND_NOTHING;
        }
    }
    if (offset + 7 > limit) {
        return FOUND_NOTHING;
    }
    if (!mmu_load(&cpu->base, base + offset, 8, X86_SYSTEM, &value)) {
        return FOUND_FAULT;
    }
    ret_descriptor->low = (uint32_t)value;
    ret_descriptor->high = (uint32_t)(value >> 32);
    ret_descriptor->gva = base + offset;
    return FOUND;
}

bool x86_fetch_descriptor(X86Cpu *cpu, uint16_t selector, unsigned vector,
                          X86Descriptor *ret_descriptor)
{
    Found found = find_descriptor(cpu, selector, ret_descriptor);

    if (found == FOUND_NOTHING) {
        return x86_raise_error(cpu, vector, selector_error(selector));
    }
    return found == FOUND;
}

X86Segment x86_segment_of(uint16_t selector, const X86Descriptor *descriptor)
{
    uint32_t high = descriptor->high;
    uint32_t limit = (high & 0xf0000) | (descriptor->low & 0xffff);

    return (X86Segment){
        .selector = selector,
        .base = (high & 0xff000000) | (high & 0xff) << 16 | descriptor->low >> 16,
        .limit = high & DESCRIPTOR_G ? limit << 12 | 0xfff : limit,
        .attributes = (high >> 8) & 0xf0ff,
    };
}

bool x86_upper_base(X86Cpu *cpu, const X86Descriptor *descriptor, uint16_t selector,
                    uint64_t *ret_upper)
{
    uint32_t limit = selector & 4 ? cpu->ldtr.limit : cpu->gdtr.limit;
    uint64_t value;

    if ((selector & ~7U) + 15 > limit) {
        return x86_raise_error(cpu, EXC_GP, selector_error(selector));
    }
    if (!mmu_load(&cpu->base, descriptor->gva + 8, 8, X86_SYSTEM, &value)) {
        return false;
    }
    if (value >> 40 & 0x1f) {
        return x86_raise_error(cpu, EXC_GP, selector_error(selector)); /* type must be 0 */
    }
    *ret_upper = (uint32_t)value;
    return true;
}

static bool change_access_byte(X86Cpu *cpu, const X86Descriptor *descriptor, AtomicOp op,
                               uint8_t bits)
{
    uint64_t old;

    return mmu_atomic(&cpu->base, op, descriptor->gva + 5, bits, 1, X86_SYSTEM, &old);
}

bool x86_mark_accessed(X86Cpu *cpu, const X86Descriptor *descriptor, X86Segment *segment)
{
    if (!(segment->attributes & SEG_ACCESSED) &&
        !change_access_byte(cpu, descriptor, ATOMIC_OR, SEG_ACCESSED)) {
        return false;
    }
    segment->attributes |= SEG_ACCESSED;
    return true;
}

bool x86_mark_busy(X86Cpu *cpu, const X86Descriptor *descriptor, bool busy)
{
    return change_access_byte(cpu, descriptor, busy ? ATOMIC_OR : ATOMIC_AND, busy ? 2 : 0xfd);
}

/* --- limits ----------------------------------------------------------------------------------- */

bool x86_in_limit(const X86Segment *segment, uint64_t offset, unsigned size)
{
    uint64_t last = offset + size - 1;

    if ((segment->attributes & (SEG_S | SEG_CODE | SEG_DOWN)) == (SEG_S | SEG_DOWN)) {
        uint64_t top = segment->attributes & SEG_DB ? UINT32_MAX : UINT16_MAX;
        return offset > segment->limit && last <= top;
    }
    /* a segment of 4 GiB wraps, it has no end */
    return segment->limit == UINT32_MAX || last <= segment->limit;
}

/* May @segment be read or written at all?  Only protected mode asks. */
static bool type_allows(const X86Segment *segment, bool write)
{
    if (!(segment->attributes & SEG_P)) {
        return false;
    }
    if (segment->attributes & SEG_CODE) {
        return !write && (segment->attributes & SEG_WRITABLE);
    }
    return !write || (segment->attributes & SEG_WRITABLE);
}

/* Segment, offset, size | write << 8 -> linear address. */
uint64_t x86_helper_seg_check(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);
    const X86Segment *segment = &cpu->segment[a];
    bool write = c >> 8;

    if (x86_code64(cpu)) {
        return b + (a >= X86_FS ? segment->base : 0);
    }
    if ((x86_protected(cpu) && !type_allows(segment, write)) ||
        !x86_in_limit(segment, b, c & 0xff)) {
        x86_raise_error(cpu, a == X86_SS ? EXC_SS : EXC_GP, 0);
        return 0;
    }
    return (uint32_t)(segment->base + b);
}

/* --- loading ---------------------------------------------------------------------------------- */

void x86_set_segment(X86Cpu *cpu, unsigned index, const X86Segment *value)
{
    cpu->segment[index] = *value;
    if (index == X86_CS) {
        cpu->cpl = x86_v8086(cpu) ? 3 : x86_protected(cpu) ? selector_rpl(value->selector) : 0;
    }
    x86_context_changed(cpu);
}

/* Real mode leaves limit and rights alone ("unreal mode"); virtual-8086 mode sets them. */
static void load_real(X86Cpu *cpu, unsigned index, uint16_t selector)
{
    X86Segment segment = cpu->segment[index];

    segment.selector = selector;
    segment.base = (uint64_t)selector << 4;
    if (x86_v8086(cpu)) {
        segment.limit = 0xffff;
        segment.attributes = V8086_ATTRIBUTES;
    } else if (!(segment.attributes & SEG_P)) {
        segment.attributes = REAL_ATTRIBUTES;
    }
    x86_set_segment(cpu, index, &segment);
}

X86Segment x86_null_stack(unsigned cpl)
{
    return (X86Segment){ .selector = (uint16_t)cpl,
                         .attributes = (uint16_t)(cpl << SEG_DPL_SHIFT) };
}

static bool load_null(X86Cpu *cpu, unsigned index, uint16_t selector)
{
    X86Segment segment = { .selector = selector };

    if (index == X86_SS) {
        if (!x86_code64(cpu) || cpu->cpl == 3 || selector_rpl(selector) != cpu->cpl) {
            return x86_raise_error(cpu, EXC_GP, 0);
        }
        segment = x86_null_stack(cpu->cpl);
    }
    x86_set_segment(cpu, index, &segment);
    return true;
}

bool x86_check_stack_segment(X86Cpu *cpu, uint16_t selector, unsigned cpl, unsigned vector,
                             X86Segment *ret_segment)
{
    X86Descriptor descriptor;

    if (selector_is_null(selector)) {
        return x86_raise_error(cpu, vector, 0);
    }
    if (!x86_fetch_descriptor(cpu, selector, vector, &descriptor)) {
        return false;
    }
    X86Segment segment = x86_segment_of(selector, &descriptor);
    if (selector_rpl(selector) != cpl || segment_dpl(&segment) != cpl ||
        !segment_is_writable_data(&segment)) {
        return x86_raise_error(cpu, vector, selector_error(selector));
    }
    if (!(segment.attributes & SEG_P)) {
        return x86_raise_error(cpu, EXC_SS, selector_error(selector));
    }
    if (!x86_mark_accessed(cpu, &descriptor, &segment)) {
        return false;
    }
    *ret_segment = segment;
    return true;
}

/* DS, ES, FS, GS: data or readable code that the CPL and RPL may see. */
static bool check_data_segment(X86Cpu *cpu, uint16_t selector, X86Segment *ret_segment)
{
    X86Descriptor descriptor;

    if (!x86_fetch_descriptor(cpu, selector, EXC_GP, &descriptor)) {
        return false;
    }
    X86Segment segment = x86_segment_of(selector, &descriptor);
    bool readable = !(segment.attributes & SEG_CODE) || (segment.attributes & SEG_WRITABLE);
    bool hidden = !segment_is_conforming(&segment) &&
                  MAX(cpu->cpl, selector_rpl(selector)) > segment_dpl(&segment);
    if (!(segment.attributes & SEG_S) || !readable || hidden) {
        return x86_raise_error(cpu, EXC_GP, selector_error(selector));
    }
    if (!(segment.attributes & SEG_P)) {
        return x86_raise_error(cpu, EXC_NP, selector_error(selector));
    }
    if (!x86_mark_accessed(cpu, &descriptor, &segment)) {
        return false;
    }
    *ret_segment = segment;
    return true;
}

bool x86_load_segment(X86Cpu *cpu, unsigned index, uint16_t selector)
{
    X86Segment segment;

    if (!x86_protected(cpu)) {
        load_real(cpu, index, selector);
        return true;
    }
    if (selector_is_null(selector)) {
        return load_null(cpu, index, selector);
    }
    bool good = index == X86_SS ? x86_check_stack_segment(cpu, selector, cpu->cpl, EXC_GP, &segment)
                                : check_data_segment(cpu, selector, &segment);
    if (good) {
        x86_set_segment(cpu, index, &segment);
    }
    return good;
}

/* Segment, selector, 1 for MOV and POP. */
uint64_t x86_helper_load_segment(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);

    if (x86_load_segment(cpu, (unsigned)a, (uint16_t)b) && a == X86_SS && c) {
        cpu->shadow_mov_ss = true;
    }
    return 0;
}

void x86_drop_inner_segments(X86Cpu *cpu)
{
    static const uint8_t indexes[] = { X86_ES, X86_DS, X86_FS, X86_GS };

    for (size_t i = 0; i < G_N_ELEMENTS(indexes); i++) {
        X86Segment *segment = &cpu->segment[indexes[i]];
        if ((segment->attributes & SEG_P) && !segment_is_conforming(segment) &&
            segment_dpl(segment) < cpu->cpl) {
            *segment = (X86Segment){ 0 };
        }
    }
    x86_context_changed(cpu);
}

/* --- LDTR and TR ------------------------------------------------------------------------------ */

bool x86_load_ldt(X86Cpu *cpu, uint16_t selector, unsigned vector)
{
    X86Descriptor descriptor;
    uint64_t upper = 0;

    if (selector_is_null(selector)) {
        cpu->ldtr = (X86Segment){ .selector = selector };
        return true;
    }
    if (selector & 4) {
        return x86_raise_error(cpu, vector, selector_error(selector));
    }
    if (!x86_fetch_descriptor(cpu, selector, vector, &descriptor)) {
        return false;
    }
    X86Segment segment = x86_segment_of(selector, &descriptor);
    if ((segment.attributes & (SEG_S | SEG_TYPE)) != GATE_LDT) {
        return x86_raise_error(cpu, vector, selector_error(selector));
    }
    if (!(segment.attributes & SEG_P)) {
        return x86_raise_error(cpu, vector == EXC_GP ? EXC_NP : vector, selector_error(selector));
    }
    if (x86_long_mode(cpu) && !x86_upper_base(cpu, &descriptor, selector, &upper)) {
        return false;
    }
    segment.base |= upper << 32;
    if (!x86_canonical(segment.base)) {
        return x86_raise_error(cpu, EXC_GP, selector_error(selector));
    }
    cpu->ldtr = segment;
    return true;
}

/* Selector. */
uint64_t x86_helper_lldt(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    x86_load_ldt(x86_cpu(cpu), (uint16_t)a, EXC_GP);
    return 0;
}

static bool load_tr(X86Cpu *cpu, uint16_t selector)
{
    X86Descriptor descriptor;
    uint64_t upper = 0;

    if (selector_is_null(selector) || (selector & 4)) {
        return x86_raise_error(cpu, EXC_GP, selector_error(selector));
    }
    if (!x86_fetch_descriptor(cpu, selector, EXC_GP, &descriptor)) {
        return false;
    }
    X86Segment segment = x86_segment_of(selector, &descriptor);
    unsigned type = segment.attributes & (SEG_S | SEG_TYPE);
    if (type != GATE_TSS && (type != GATE_TSS16 || x86_long_mode(cpu))) {
        return x86_raise_error(cpu, EXC_GP, selector_error(selector));
    }
    if (!(segment.attributes & SEG_P)) {
        return x86_raise_error(cpu, EXC_NP, selector_error(selector));
    }
    if (x86_long_mode(cpu) && !x86_upper_base(cpu, &descriptor, selector, &upper)) {
        return false;
    }
    segment.base |= upper << 32;
    if (!x86_canonical(segment.base)) {
        return x86_raise_error(cpu, EXC_GP, selector_error(selector));
    }
    if (!x86_mark_busy(cpu, &descriptor, true)) {
        return false;
    }
    segment.attributes |= 2; /* busy */
    cpu->tr = segment;
    return true;
}

/* Selector. */
uint64_t x86_helper_ltr(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    load_tr(x86_cpu(cpu), (uint16_t)a);
    return 0;
}

/* --- asking about descriptors ----------------------------------------------------------------- */

static uint64_t set_zf(X86Cpu *cpu, bool value)
{
    x86_set_rflags(cpu, value ? FLAG_ZF : 0, FLAG_ZF);
    return value;
}

/* System types that LAR and LSL know: a bit per type, and which of them long mode has. */
static const struct {
    uint16_t legacy, long_mode;
} lar_types = { 0x1a3e, 0x1a04 }, lsl_types = { 0x0a0e, 0x0a04 };

/* Whether the code may know about @segment at all. */
static bool visible(const X86Cpu *cpu, const X86Segment *segment)
{
    return segment_is_conforming(segment) ||
           MAX(cpu->cpl, selector_rpl(segment->selector)) <= segment_dpl(segment);
}

/* The descriptor of @selector, if the code may know it and it is of memory or of one of the system
 * @types: *ret_known.  False: fault. */
static bool ask(X86Cpu *cpu, uint16_t selector, uint16_t types, X86Descriptor *ret_descriptor,
                bool *ret_known)
{
    Found found =
        selector_is_null(selector) ? FOUND_NOTHING : find_descriptor(cpu, selector, ret_descriptor);

    *ret_known = false;
    if (found == FOUND) {
        X86Segment segment = x86_segment_of(selector, ret_descriptor);
        bool fits = (segment.attributes & SEG_S) || bit_test(types, segment_type(&segment));
        *ret_known = fits && visible(cpu, &segment);
    }
    return found != FOUND_FAULT;
}

/* Selector, old destination -> destination. */
uint64_t x86_helper_lar(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);
    X86Descriptor descriptor;
    uint16_t types = x86_long_mode(cpu) ? lar_types.long_mode : lar_types.legacy;
    bool known;

    if (!ask(cpu, (uint16_t)a, types, &descriptor, &known)) {
        return b;
    }
    return set_zf(cpu, known) ? descriptor.high & 0x00ffff00 : b;
}

uint64_t x86_helper_lsl(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);
    X86Descriptor descriptor;
    uint16_t types = x86_long_mode(cpu) ? lsl_types.long_mode : lsl_types.legacy;
    bool known;

    if (!ask(cpu, (uint16_t)a, types, &descriptor, &known)) {
        return b;
    }
    return set_zf(cpu, known) ? x86_segment_of((uint16_t)a, &descriptor).limit : b;
}

/* Kernels run VERW each time they go back to ring 3, for what it does beside on some CPUs. */
static uint64_t verify(X86Cpu *cpu, uint16_t selector, bool write)
{
    X86Descriptor descriptor;
    bool good;

    if (!ask(cpu, selector, 0, &descriptor, &good)) {
        return 0;
    }
    if (good) {
        X86Segment segment = x86_segment_of(selector, &descriptor);
        segment.attributes |= SEG_P; /* presence doesn't matter */
        good = type_allows(&segment, write);
    }
    return set_zf(cpu, good);
}

/* Selector. */
uint64_t x86_helper_verr(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    return verify(x86_cpu(cpu), (uint16_t)a, false);
}

uint64_t x86_helper_verw(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    return verify(x86_cpu(cpu), (uint16_t)a, true);
}

/* Destination, source -> destination. */
uint64_t x86_helper_arpl(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    bool raised = (a & 3) < (b & 3);

    set_zf(x86_cpu(cpu), raised);
    return raised ? (a & ~UINT64_C(3)) | (b & 3) : a;
}

/* --- FS and GS bases -------------------------------------------------------------------------- */

/* Segment, base. */
uint64_t x86_helper_wr_seg_base(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    if (!x86_canonical(b)) {
        x86_raise_error(x86_cpu(cpu), EXC_GP, 0);
    } else {
        x86_cpu(cpu)->segment[a].base = b;
    }
    return 0;
}

uint64_t x86_helper_swapgs(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);
    uint64_t old = cpu->segment[X86_GS].base;

    cpu->segment[X86_GS].base = cpu->msr.kernel_gs_base;
    cpu->msr.kernel_gs_base = old;
    return 0;
}
