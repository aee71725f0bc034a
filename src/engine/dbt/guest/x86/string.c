/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * String instructions (SDM volume 1, 7.3.9; volume 2, REP).
 *
 * A helper does at most BUDGET bytes and returns whether the instruction is done; registers are
 * written after each piece, so that it can fault or be interrupted in between and go on later.
 *
 * Upwards, and where both operands are plain RAM, a piece is what lies in one page of each: one
 * memcpy(), memset() or loop over host memory.  Downwards, at page crossings, at wrapping offsets
 * and on devices, a piece is one element by way of the soft MMU.
 *
 * Threads: the vCPU's own.
 */
#include <string.h>

#include "common/bits.h"
#include "engine/dbt/guest/x86/rules.h"
#include "engine/dbt/guest/x86/x86.h"
#include "engine/dbt/run/mmu.h"

enum { BUDGET = 64 * 1024 };

typedef struct String {
    X86Cpu *cpu;
    unsigned size;         /* of an element */
    unsigned address_size; /* of rSI, rDI and rCX */
    unsigned segment;      /* of rSI */
    unsigned rep;          /* TrRep */
    unsigned mmu;
    bool down;   /* DF */
    bool single; /* one element at a time */
} String;

static String string_of(DbtCpu *base, uint64_t how, uint64_t mmu)
{
    X86Cpu *cpu = x86_cpu(base);
    String s = { .cpu = cpu,
                 .size = how & 0xff,
                 .address_size = (how >> 8) & 0xff,
                 .segment = (how >> 16) & 0xff,
                 .rep = (unsigned)(how >> 24),
                 .mmu = (unsigned)mmu,
                 .down = cpu->eflags & FLAG_DF };

    s.single = s.down || s.rep == REP_ONCE || (s.rep & REP_STEP) ||
               ((cpu->eflags & FLAG_AC) && (cpu->cr0 & CR0_AM) && cpu->cpl == 3);
    return s;
}

/* --- registers -------------------------------------------------------------------------------- */

static uint64_t get(const String *s, unsigned reg)
{
    return s->cpu->gpr[reg] & bits_mask(8 * s->address_size);
}

static void set(String *s, unsigned reg, uint64_t value)
{
    if (s->address_size == 2) {
        memcpy(&s->cpu->gpr[reg], &value, 2);
    } else {
        s->cpu->gpr[reg] = value & bits_mask(8 * s->address_size);
    }
}

static void advance(String *s, unsigned reg, uint64_t elements)
{
    uint64_t bytes = elements * s->size;

    set(s, reg, s->down ? get(s, reg) - bytes : get(s, reg) + bytes);
}

static bool repeats(const String *s)
{
    return s->rep & REP_MASK;
}

/* Elements still to do; not repeated: one. */
static uint64_t count_of(const String *s)
{
    return repeats(s) ? get(s, X86_RCX) : 1;
}

static void count_down(String *s, uint64_t elements)
{
    if (repeats(s)) {
        set(s, X86_RCX, get(s, X86_RCX) - elements);
    }
}

/* --- memory ----------------------------------------------------------------------------------- */

/* Where an operand's next bytes are. */
typedef struct Place {
    uint64_t gva;
    unsigned mmu;
    uint8_t *hva;   /* NULL: element by element */
    uint64_t bytes; /* that lie there without a break, from .hva on */
} Place;

/* How far a segment, or the wrap of the address size, lets the bytes at @offset go on. */
static uint64_t room_in_segment(const String *s, unsigned segment, uint64_t offset)
{
    const X86Segment *seg = &s->cpu->segment[segment];
    uint64_t room = bits_mask(8 * s->address_size) - offset;

    if (!x86_code64(s->cpu)) {
        bool down = !(seg->attributes & SEG_CODE) && (seg->attributes & SEG_DOWN);
        room = down || seg->limit < offset ? 0 : MIN(room, seg->limit - offset);
    }
    return room == UINT64_MAX ? room : room + 1;
}

static bool check_alignment(String *s, uint64_t gva)
{
    if ((s->cpu->eflags & FLAG_AC) && s->single) {
        bool checked = (s->cpu->cr0 & CR0_AM) && s->cpu->cpl == 3;
        if (checked && (gva & (s->size - 1))) {
            return x86_raise_error(s->cpu, EXC_AC, 0);
        }
    }
    return true;
}

/* The place at rSI or rDI; false: fault. */
static bool locate(String *s, unsigned reg, MmuAccess access, Place *ret)
{
    unsigned segment = reg == X86_RSI ? s->segment : X86_ES;
    uint64_t offset = get(s, reg);
    DbtCpu *base = &s->cpu->base;
    unsigned len = 0;

    *ret = (Place){ .mmu = s->mmu | (segment == X86_SS ? MMU_STACK : 0) };
    if (x86_code64(s->cpu) && segment < X86_FS && !s->single) {
        ret->hva = mmu_fast_span(base, offset, access, ret->mmu);
        ret->gva = offset;
        ret->bytes = PAGE_SIZE - offset % PAGE_SIZE;
        if (ret->hva && ret->bytes >= s->size) {
            return true;
        }
        ret->hva = NULL;
    }
    ret->gva =
        x86_helper_seg_check(base, segment, offset, s->size | (unsigned)(access == MMU_WRITE) << 8);
    if (base->fault || !check_alignment(s, ret->gva)) {
        return false;
    }
    if (s->single) {
        return true;
    }
    if (!mmu_span(base, ret->gva, access, ret->mmu, &ret->hva, &len)) {
        return false;
    }
    ret->bytes = MIN(len, room_in_segment(s, segment, offset));
    if (ret->bytes < s->size) {
        ret->hva = NULL;
    }
    return true;
}

static bool load(String *s, const Place *place, uint64_t *ret_value)
{
    return mmu_load(&s->cpu->base, place->gva, s->size, place->mmu, ret_value);
}

static bool store(String *s, const Place *place, uint64_t value)
{
    return mmu_store(&s->cpu->base, place->gva, value, s->size, place->mmu);
}

static uint64_t element(const uint8_t *hva, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, hva, size);
    return value;
}

/* Whole elements that @bytes hold, of those still to do and within the budget. */
static uint64_t elements_in(const String *s, uint64_t bytes, uint64_t budget)
{
    uint64_t n = MIN(bytes, budget) / s->size;

    n = MAX(n, 1);
    return MIN(n, count_of(s));
}

/* --- the loop --------------------------------------------------------------------------------- */

/* Do one piece; *@budget is what may still be done.  False: fault, or the instruction ends here
 * because of its operands (*@ret_stop). */
typedef bool (*PieceFn)(String *s, uint64_t *budget, bool *ret_stop);

/* 1: done.  0: to be continued, or fault. */
static uint64_t run(String *s, PieceFn piece)
{
    uint64_t budget = BUDGET;
    bool stop = false;

    s->cpu->repeating = false;
    while (budget >= s->size && count_of(s)) {
        if (!piece(s, &budget, &stop)) {
            return 0;
        }
        if (stop || !repeats(s)) {
            return 1;
        }
        if ((s->rep & REP_STEP) || s->cpu->debug_pending || s->cpu->base.debug_hit) {
            break; /* a trap, or a debugger's stop, comes behind this repetition */
        }
    }
    s->cpu->repeating = count_of(s) != 0;
    return !s->cpu->repeating;
}

/* A piece of @n elements is done. */
static void account(String *s, uint64_t *budget, uint64_t n)
{
    uint64_t bytes = n * s->size;

    *budget = bytes < *budget ? *budget - bytes : 0;
    count_down(s, n);
}

/* --- MOVS, STOS, LODS ------------------------------------------------------------------------- */

/* Copy forward as the CPU does: an overlap repeats what was just written. */
static uint64_t copy_elements(const String *s, uint8_t *to, const uint8_t *from, uint64_t n)
{
    size_t distance = (size_t)(to - from);

    if (to > from && distance < n * s->size) {
        if (distance < s->size) {
            uint64_t value = element(from, s->size);
            memcpy(to, &value, s->size);
            return 1;
        }
        n = distance / s->size;
    }
    memmove(to, from, n * s->size);
    return n;
}

static bool move_piece(String *s, uint64_t *budget, bool *ret_stop)
{
    Place from, to;
    uint64_t n = 1, value;

    if (!locate(s, X86_RSI, MMU_READ, &from) || !locate(s, X86_RDI, MMU_WRITE, &to)) {
        return false;
    }
    if (from.hva && to.hva) {
        n = elements_in(s, MIN(from.bytes, to.bytes), *budget);
        n = copy_elements(s, to.hva, from.hva, n);
    } else if (!load(s, &from, &value) || !store(s, &to, value)) {
        return false;
    }
    advance(s, X86_RSI, n);
    advance(s, X86_RDI, n);
    account(s, budget, n);
    return true;
}

static void fill(uint8_t *to, uint64_t value, unsigned size, uint64_t n)
{
    uint64_t bytes = value & 0xff;

    bytes |= bytes << 8;
    bytes |= bytes << 16;
    bytes |= bytes << 32;
    if (((bytes ^ value) & bits_mask(8 * size)) == 0) {
        memset(to, (int)(value & 0xff), n * size);
        return;
    }
    for (uint64_t i = 0; i < n; i++) {
        memcpy(to + i * size, &value, size);
    }
}

static bool store_piece(String *s, uint64_t *budget, bool *ret_stop)
{
    Place to;
    uint64_t n = 1, value = s->cpu->gpr[X86_RAX];

    if (!locate(s, X86_RDI, MMU_WRITE, &to)) {
        return false;
    }
    if (to.hva) {
        n = elements_in(s, to.bytes, *budget);
        fill(to.hva, value, s->size, n);
    } else if (!store(s, &to, value)) {
        return false;
    }
    advance(s, X86_RDI, n);
    account(s, budget, n);
    return true;
}

static bool load_piece(String *s, uint64_t *budget, bool *ret_stop)
{
    Place from;
    uint64_t value;

    if (!locate(s, X86_RSI, MMU_READ, &from) || !load(s, &from, &value)) {
        return false;
    }
    if (s->size == 4) {
        s->cpu->gpr[X86_RAX] = value;
    } else {
        memcpy(&s->cpu->gpr[X86_RAX], &value, s->size);
    }
    advance(s, X86_RSI, 1);
    account(s, budget, 1);
    return true;
}

/* --- CMPS, SCAS ------------------------------------------------------------------------------- */

/* Elements to compare: each is at a pointer, or (stride 0) the same value again. */
typedef struct Compared {
    const uint8_t *a, *b;
    unsigned a_stride, b_stride;
    uint64_t n;
} Compared;

/* How many elements the instruction looks at, the last one included; flags are that one's. */
static uint64_t compare_elements(String *s, const Compared *c, bool *ret_stop)
{
    bool while_equal = s->rep & REP_WHILE_EQUAL;
    uint64_t a = 0, b = 0, i = 0;

    while (i < c->n && !*ret_stop) {
        a = element(c->a + i * c->a_stride, s->size);
        b = element(c->b + i * c->b_stride, s->size);
        i++;
        *ret_stop = (a == b) != while_equal;
    }
    s->cpu->base.flags =
        (FlagRecord){ .op = FOP_SUB + (unsigned)__builtin_ctz(s->size), .a = a, .b = b };
    return i;
}

static bool compare_piece(String *s, uint64_t *budget, bool *ret_stop)
{
    Place left, right;
    uint64_t x, y;
    Compared c = { .n = 1, .a_stride = s->size, .b_stride = s->size };

    if (!locate(s, X86_RSI, MMU_READ, &left) || !locate(s, X86_RDI, MMU_READ, &right)) {
        return false;
    }
    if (left.hva && right.hva) {
        c.n = elements_in(s, MIN(left.bytes, right.bytes), *budget);
        c.a = left.hva;
        c.b = right.hva;
    } else {
        if (!load(s, &left, &x) || !load(s, &right, &y)) {
            return false;
        }
        c.a = (const uint8_t *)&x;
        c.b = (const uint8_t *)&y;
    }
    uint64_t n = compare_elements(s, &c, ret_stop);
    advance(s, X86_RSI, n);
    advance(s, X86_RDI, n);
    account(s, budget, n);
    return true;
}

static bool scan_piece(String *s, uint64_t *budget, bool *ret_stop)
{
    Place place;
    uint64_t value, rax = s->cpu->gpr[X86_RAX];
    Compared c = { .a = (const uint8_t *)&rax, .b_stride = s->size, .n = 1 };

    if (!locate(s, X86_RDI, MMU_READ, &place)) {
        return false;
    }
    if (place.hva) {
        c.n = elements_in(s, place.bytes, *budget);
        c.b = place.hva;
    } else {
        if (!load(s, &place, &value)) {
            return false;
        }
        c.b = (const uint8_t *)&value;
    }
    uint64_t n = compare_elements(s, &c, ret_stop);
    advance(s, X86_RDI, n);
    account(s, budget, n);
    return true;
}

/* --- INS, OUTS -------------------------------------------------------------------------------- */

static bool input_piece(String *s, uint64_t *budget, bool *ret_stop)
{
    uint16_t port = (uint16_t)s->cpu->gpr[X86_RDX];
    Place to;

    if (!locate(s, X86_RDI, MMU_WRITE, &to) ||
        !mmu_probe(&s->cpu->base, to.gva, s->size, MMU_WRITE, to.mmu)) {
        return false;
    }
    uint64_t value = x86_io_read(s->cpu, port, s->size);
    if (!store(s, &to, value)) {
        return false;
    }
    advance(s, X86_RDI, 1);
    account(s, budget, 1);
    return true;
}

static bool output_piece(String *s, uint64_t *budget, bool *ret_stop)
{
    uint16_t port = (uint16_t)s->cpu->gpr[X86_RDX];
    Place from;
    uint64_t value;

    if (!locate(s, X86_RSI, MMU_READ, &from) || !load(s, &from, &value)) {
        return false;
    }
    x86_io_write(s->cpu, port, value, s->size);
    advance(s, X86_RSI, 1);
    account(s, budget, 1);
    return true;
}

/* The port is checked even if there is nothing to do. */
static uint64_t run_io(String *s, PieceFn piece)
{
    uint16_t port = (uint16_t)s->cpu->gpr[X86_RDX];

    return x86_io_permitted(s->cpu, port, s->size) ? run(s, piece) : 0;
}

/* --- helpers ---------------------------------------------------------------------------------- */

uint64_t x86_helper_movs(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    String s = string_of(cpu, a, b);

    return run(&s, move_piece);
}

uint64_t x86_helper_stos(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    String s = string_of(cpu, a, b);

    return run(&s, store_piece);
}

uint64_t x86_helper_lods(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    String s = string_of(cpu, a, b);

    return run(&s, load_piece);
}

uint64_t x86_helper_cmps(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    String s = string_of(cpu, a, b);

    return run(&s, compare_piece);
}

uint64_t x86_helper_scas(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    String s = string_of(cpu, a, b);

    return run(&s, scan_piece);
}

uint64_t x86_helper_ins(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    String s = string_of(cpu, a, b);

    return run_io(&s, input_piece);
}

uint64_t x86_helper_outs(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    String s = string_of(cpu, a, b);

    return run_io(&s, output_piece);
}
