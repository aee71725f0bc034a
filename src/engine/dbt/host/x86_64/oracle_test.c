/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The oracle: random blocks of IR run compiled and interpreted, from the same state, and all that
 * can be seen afterwards must be the same: CPU state, memory, what devices and watchpoints were
 * told, the fault, where execution goes on.
 *
 * The blocks are drawn from ops.def itself, so that no operation is left out, with operands that
 * make registers scarce, and addresses that hit every kind of page: plain, read-only, absent,
 * swapped with its neighbour, watched, a device's, and one that holds the block's own code.  The
 * host's optional features are switched on and off.
 *
 * Run with --seed to repeat, with -m thorough for ten times as many blocks.
 */
#include <string.h>

#include "engine/dbt/host/interp/interp.h"
#include "engine/dbt/host/x86_64/code.h"
#include "engine/dbt/host/x86_64/x86_64.h"
#include "engine/dbt/run/exec.h"
#include "engine/dbt/run/mmu.h"

enum {
    RAM = 16 * PAGE_SIZE,
    PLAIN_WORDS = 48,
    VECTORS = 16,
    TEMPORARIES = 4,
    VECTOR_STRIDE = 32,
    WORDS = PLAIN_WORDS + VECTORS * VECTOR_STRIDE / 8, /* what is compared */
    CODE_PAGE = 3,                                     /* where blocks stand */
    READ_ONLY_PAGE = 9,                                /* writes fault */
    WATCHED_PAGE = 10,
    DEVICE_PAGE = 11,
    SWAPPED_PAGES = 12, /* this and the next */
    ABSENT_PAGE = 14,
    USER_PAGE = 15, /* mmu index 1 can't write it */
    DEVICE_GPA = 0x100000,
    BLOCKS = 100 * 1000,
};

/* A guest whose state is just bytes, of which some are vector registers. */
typedef struct RandomCpu {
    DbtCpu base;
    union {
        uint64_t word[WORDS];
        uint8_t byte[WORDS * 8];
        struct {
            uint64_t plain[PLAIN_WORDS];
            uint8_t vector[VECTORS * VECTOR_STRIDE];
        };
    } __attribute__((aligned(16)));
    uint8_t temporary[TEMPORARIES * VECTOR_STRIDE];
    uint64_t told;   /* sum of what watchpoints and helpers saw */
    uint64_t rounds; /* that a block which loops has left */
    uint32_t mxcsr;
    bool unswapped; /* SWAPPED_PAGES are where they should be */
} RandomCpu;
_Static_assert(offsetof(RandomCpu, temporary) ==
                   offsetof(RandomCpu, vector) + VECTORS * VECTOR_STRIDE,
               "temporaries follow");

/* --- the guest -------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t a, uint64_t b)
{
    a = (a ^ b) * UINT64_C(0x9e3779b97f4a7c15);
    return a ^ a >> 29;
}

static uint64_t help_pure(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    return mix(a, mix(b, c));
}

static uint64_t help_state(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    RandomCpu *self = (RandomCpu *)cpu;

    self->told = mix(self->told, mix(a, cpu->flags.a));
    self->word[a % WORDS] ^= b;
    return self->word[c % WORDS] + self->told;
}

static uint64_t help_fault(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    ((RandomCpu *)cpu)->told = mix(a, b);
    if (c % 16 == 5) {
        cpu->fault = FAULT_EXCEPTION;
    }
    return mix(c, a);
}

static uint64_t help_store(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t old = 0;

    if (!mmu_load(cpu, a % RAM, 8, 0, &old) || !mmu_store(cpu, b % RAM, c, 4, 0)) {
        return 1;
    }
    return old;
}

static uint64_t help_remap(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    RandomCpu *self = (RandomCpu *)cpu;

    self->unswapped = !self->unswapped;
    mmu_flush(cpu);
    return 0;
}

static uint64_t help_canonical(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    if ((uint64_t)((int64_t)(a << 16) >> 16) != a) {
        ((RandomCpu *)cpu)->told = mix(a, mix(b, c));
        cpu->fault = FAULT_EXCEPTION;
    }
    return 0;
}

static const Helper helpers[] = {
    { "pure", help_pure, HELPER_PURE }, { "state", help_state, HELPER_NOFAULT },
    { "fault", help_fault, 0 },         { "store", help_store, 0 },
    { "remap", help_remap, 0 },         { "canonical", help_canonical, HELPER_CANONICAL },
};

static void vector_mix(DbtCpu *cpu, void *to, const void *from1, const void *from2,
                       unsigned immediate)
{
    uint64_t a[2], b[2];

    memcpy(a, from1, 16);
    memcpy(b, from2, 16);
    a[0] = mix(a[0], b[1] + immediate);
    a[1] = mix(a[1], b[0]);
    memcpy(to, a, 16);
}

static void vector_fault(DbtCpu *cpu, void *to, const void *from1, const void *from2,
                         unsigned immediate)
{
    if (immediate % 16 == 0) {
        cpu->fault = FAULT_EXCEPTION;
        return;
    }
    vector_mix(cpu, to, from1, from2, immediate);
}

/* Operations that the host has, by that instruction itself: what is tested here is where operands
 * and results go. */
#define HOST_OP(name, instruction)                                                                 \
    static void vector_##name(DbtCpu *cpu, void *to, const void *from1, const void *from2,         \
                              unsigned immediate)                                                  \
    {                                                                                              \
        Wide a, b;                                                                                 \
        memcpy(&a, from1, 16);                                                                     \
        memcpy(&b, from2, 16);                                                                     \
        __asm__ volatile("ldmxcsr %[guest]\n\t" instruction                                        \
                         "\n\tstmxcsr %[guest]\n\tldmxcsr %[own]"                                  \
                         : [a] "+x"(a), [guest] "+m"(((RandomCpu *)cpu)->mxcsr)                    \
                         : [b] "x"(b), [own] "m"(own_mxcsr));                                      \
        memcpy(to, &a, 16);                                                                        \
    }
#define NUMBER_OP(name, instruction)                                                               \
    static void vector_##name(DbtCpu *cpu, void *to, const void *from1, const void *from2,         \
                              unsigned immediate)                                                  \
    {                                                                                              \
        Wide a, b;                                                                                 \
        uint64_t n = 0;                                                                            \
        memcpy(&a, from1, 16);                                                                     \
        memcpy(&b, from2, 16);                                                                     \
        __asm__ volatile("ldmxcsr %[guest]\n\t" instruction                                        \
                         "\n\tstmxcsr %[guest]\n\tldmxcsr %[own]"                                  \
                         : [n] "+a"(n), [guest] "+m"(((RandomCpu *)cpu)->mxcsr)                    \
                         : [a] "x"(a), [b] "x"(b), [own] "m"(own_mxcsr)                            \
                         : "cc");                                                                  \
        memcpy(to, &n, 8);                                                                         \
    }
typedef long long Wide __attribute__((vector_size(16)));
static const uint32_t own_mxcsr = 0x1f80;

HOST_OP(paddd, "paddd %[b], %[a]")
HOST_OP(punpcklqdq, "punpcklqdq %[b], %[a]")
HOST_OP(pshufd, "pshufd $0x1b, %[b], %[a]")
HOST_OP(palignr, "palignr $5, %[b], %[a]")
HOST_OP(psllq, "psllq $13, %[a]")
HOST_OP(addsd, "addsd %[b], %[a]")
HOST_OP(mulps, "mulps %[b], %[a]")
HOST_OP(cvtss2sd, "cvtss2sd %[b], %[a]")
HOST_OP(aesenc, "aesenc %[b], %[a]")
NUMBER_OP(pmovmskb, "pmovmskb %[b], %k[n]")
NUMBER_OP(cvttsd2si, "cvttsd2si %[b], %[n]")
NUMBER_OP(ucomisd, "ucomisd %[b], %[a]\n\tlahf\n\tshr $8, %k[n]\n\tand $0x45, %k[n]")

static void vector_cvtsi2sd(DbtCpu *cpu, void *to, const void *from1, const void *from2,
                            unsigned immediate)
{
    Wide a;
    uint64_t n;

    memcpy(&a, from1, 16);
    memcpy(&n, from2, 8);
    __asm__ volatile("ldmxcsr %[guest]\n\tcvtsi2sdq %[n], %[a]\n\t"
                     "stmxcsr %[guest]\n\tldmxcsr %[own]"
                     : [a] "+x"(a), [guest] "+m"(((RandomCpu *)cpu)->mxcsr)
                     : [n] "r"(n), [own] "m"(own_mxcsr));
    memcpy(to, &a, 16);
}

static const VectorOp vectors[] = {
    { "mix", vector_mix, false },
    { "fault", vector_fault, true },
    { "paddd", vector_paddd, false },
    { "punpcklqdq", vector_punpcklqdq, false },
    { "pshufd", vector_pshufd, false },
    { "palignr", vector_palignr, false },
    { "psllq", vector_psllq, false },
    { "addsd", vector_addsd, true },
    { "mulps", vector_mulps, true },
    { "cvtss2sd", vector_cvtss2sd, true },
    { "aesenc", vector_aesenc, false },
    { "pmovmskb", vector_pmovmskb, false },
    { "cvttsd2si", vector_cvttsd2si, true },
    { "ucomisd", vector_ucomisd, true },
    { "cvtsi2sd", vector_cvtsi2sd, true },
};

/* clang-format off */
static const VectorHost vector_host[G_N_ELEMENTS(vectors)] = {
    [2] = { VECTOR_BINARY, 0x66, 1, 0xfe, .bytes = 16 },
    [3] = { VECTOR_BINARY, 0x66, 1, 0x6c, .bytes = 16 },
    [4] = { VECTOR_UNARY, 0x66, 1, 0x70, .bytes = 16, .immediate = true },
    [5] = { VECTOR_BINARY, 0x66, 3, 0x0f, .bytes = 16, .immediate = true },
    [6] = { VECTOR_SHIFT, 0x66, 1, 0x73, .digit = 6, .immediate = true },
    [7] = { VECTOR_BINARY, 0xf2, 1, 0x58, .bytes = 8 },
    [8] = { VECTOR_BINARY, 0, 1, 0x59, .bytes = 16 },
    [9] = { VECTOR_BINARY, 0xf3, 1, 0x5a, .bytes = 4 },
    [10] = { VECTOR_BINARY, 0x66, 2, 0xdc, .bytes = 16, .needs = VECTOR_NEEDS_AES },
    [11] = { VECTOR_NUMBER, 0x66, 1, 0xd7 },
    [12] = { VECTOR_NUMBER, 0xf2, 1, 0x2c, .bytes = 8, .wide = true },
    [13] = { VECTOR_FLAGS, 0x66, 1, 0x2e, .digit = 0x45, .bytes = 8 },
    [14] = { VECTOR_BINARY, 0xf2, 1, 0x2a, .bytes = 8, .wide = true, .from_memory = true },
};
/* clang-format on */

enum { OPS_ANYHOW = 11, NUMBERS = 11, MASK = 11, FROM_NUMBER = 14 };

/* Operations that do the same to each half of 32 bytes. */
static const bool has_halves[G_N_ELEMENTS(vectors)] = {
    [0] = true, [1] = true, [2] = true, [3] = true,    [4] = true,
    [5] = true, [6] = true, [8] = true, [MASK] = true,
};

static void wide_vector(DbtCpu *cpu, void *to, const void *from1, const void *from2, uint64_t what)
{
    const VectorOp *op = &vectors[ir_vector_number(what)];
    unsigned immediate = ir_vector_immediate(what);
    uint8_t a[32], b[32], r[32] = { 0 };
    uint64_t low, high;

    memcpy(a, from1, 16);
    memcpy(b, from2, 16);
    if (ir_vector_shape(what) == IR_SHAPE_ZERO) {
        op->fn(cpu, r, a, b, immediate);
    } else {
        memcpy(a, from1, 32);
        memcpy(b, from2, 32);
        op->fn(cpu, r, a, b, immediate);
        op->fn(cpu, r + 16, a + 16, b + 16, immediate);
    }
    if (ir_vector_number(what) == MASK && ir_vector_shape(what) == IR_SHAPE_WIDE) {
        memcpy(&low, r, 8);
        memcpy(&high, r + 16, 8);
        low |= high << 16;
        memcpy(r, &low, 8);
    }
    if (!cpu->fault) {
        memcpy(to, r, 32);
    }
}

/* The immediate that operation @number's function has built in. */
static unsigned vector_immediate(unsigned number, unsigned drawn)
{
    return number == 4 ? 0x1b : number == 5 ? 5 : number == 6 ? 13 : drawn;
}

static uint32_t context_key(const DbtCpu *cpu)
{
    return 0;
}

static bool walk(DbtCpu *cpu, uint64_t gva, MmuAccess access, unsigned mmu, bool probe,
                 MmuPage *ret_page)
{
    uint64_t page = gva / PAGE_SIZE;
    bool read_only = page == READ_ONLY_PAGE || (page == USER_PAGE && (mmu & MMU_INDEX) == 1);

    if (gva >= RAM || page == ABSENT_PAGE || (read_only && access == MMU_WRITE)) {
        ((RandomCpu *)cpu)->told = mix(gva, access | mmu << 8);
        cpu->fault = FAULT_EXCEPTION;
        return false;
    }
    uint64_t gpa = page * PAGE_SIZE;
    if (page == DEVICE_PAGE) {
        gpa = DEVICE_GPA;
    } else if (page - SWAPPED_PAGES < 2 && !((RandomCpu *)cpu)->unswapped) {
        gpa ^= PAGE_SIZE;
    }
    *ret_page =
        (MmuPage){ .gpa = gpa, .size = PAGE_SIZE, .writable = !read_only, .executable = true };
    return true;
}
_Static_assert(SWAPPED_PAGES % 2 == 0, "they differ in one bit");

static void misaligned(DbtCpu *cpu, uint64_t gva, unsigned mmu)
{
    ((RandomCpu *)cpu)->told = mix(gva, mmu);
    cpu->fault = FAULT_EXCEPTION;
}

static void watch(DbtCpu *cpu, uint64_t gva, unsigned size, MmuAccess access)
{
    RandomCpu *self = (RandomCpu *)cpu;

    self->told = mix(self->told, gva + size + access * UINT64_C(0x10000));
}

static bool watches_page(const DbtCpu *cpu, uint64_t gva_page)
{
    return gva_page == WATCHED_PAGE * PAGE_SIZE;
}

static bool mmio(DbtCpu *cpu, uint64_t gpa, unsigned size, bool write, uint64_t *value)
{
    RandomCpu *self = (RandomCpu *)cpu;
    uint64_t bits = size == 8 ? UINT64_MAX : (UINT64_C(1) << size * 8) - 1;

    self->told = mix(self->told, mix(gpa + size + write, write ? *value & bits : 0));
    *value = self->told & bits;
    return true;
}

/* Nothing runs behind an exception. */
static void deliver(DbtCpu *cpu)
{
    cpu->halted = true;
}

static const GuestIsa random_isa = {
    .name = "random",
    .cpu_size = sizeof(RandomCpu),
    .helpers = helpers,
    .n_helpers = G_N_ELEMENTS(helpers),
    .deliver = deliver,
    .vectors = vectors,
    .n_vectors = G_N_ELEMENTS(vectors),
    .wide_vector = wide_vector,
    .vector_file = { .offset = offsetof(RandomCpu, vector),
                     .stride = VECTOR_STRIDE,
                     .count = VECTORS,
                     .control = offsetof(RandomCpu, mxcsr),
                     .key_exact = 1,
                     .host = vector_host },
    .context_key = context_key,
    .walk = walk,
    .misaligned = misaligned,
    .watch = watch,
    .watches_page = watches_page,
    .mmio = mmio,
};

/* --- random blocks ---------------------------------------------------------------------------- */

typedef struct Source {
    uint64_t state;
    IrBlock *ir;
    unsigned n_values;
    IrVal values[IR_MAX_NODES]; /* nodes with a result */
    bool slot_used[IR_EXIT_SLOTS];
    bool loops;
    bool wide; /* some vector operations are on 32 bytes */
    IrShape shape;
    IrVal near; /* an address; 0: none yet */
} Source;

static uint64_t draw(Source *s)
{
    s->state ^= s->state << 13;
    s->state ^= s->state >> 7;
    s->state ^= s->state << 17;
    return s->state * UINT64_C(0x2545f4914f6cdd1d);
}

static unsigned below(Source *s, unsigned n)
{
    return (unsigned)((draw(s) >> 32) % n);
}

static bool chance(Source *s, unsigned percent)
{
    return below(s, 100) < percent;
}

/* Numbers that matter to code generation more often than not. */
static uint64_t draw_number(Source *s)
{
    static const uint64_t edges[] = {
        0,
        1,
        2,
        7,
        0x1f,
        0x3f,
        0x7f,
        0x80,
        0xff,
        0x8000,
        0xffff,
        0x7fffffff,
        0x80000000,
        0xffffffff,
        0x100000000,
        0x7fffffffffffffff,
        0x8000000000000000,
    };

    switch (below(s, 4)) {
    case 0:
        return draw(s);
    case 1:
        return (uint64_t)(int64_t)(int8_t)draw(s);
    case 2:
        return draw(s) >> below(s, 64);
    default:
        return edges[below(s, G_N_ELEMENTS(edges))] ^ (chance(s, 20) ? UINT64_MAX : 0);
    }
}

static IrVal add(Source *s, IrOp op, IrVal a, IrVal b, IrVal c, uint64_t imm)
{
    IrVal v = ir_emit(s->ir, op, a, b, c, imm);

    if (ir_ops[op].has_result) {
        s->values[s->n_values++] = v;
    }
    return v;
}

/* A value made before: a recent one, or any, so that some live long. */
static IrVal draw_value(Source *s)
{
    if (!s->n_values || chance(s, 3)) {
        return 0;
    }
    unsigned back = chance(s, 70) ? MIN(s->n_values, 8) : s->n_values;
    return s->values[s->n_values - 1 - below(s, back)];
}

/* State that the block may touch: words, or the flag record. */
static uint64_t draw_offset(Source *s, unsigned size)
{
    if (chance(s, 10)) {
        return offsetof(DbtCpu, flags) + below(s, sizeof(FlagRecord) - size + 1);
    }
    if (chance(s, 3) && size == 4) {
        return offsetof(RandomCpu, mxcsr); /* read only: see add_op() */
    }
    unsigned bytes = chance(s, 50) ? 6 * 8 : chance(s, 50) ? PLAIN_WORDS * 8 : WORDS * 8;
    unsigned odd = chance(s, 10) && size > 1 ? below(s, 2) : 0;
    unsigned at = below(s, bytes / size) * size + odd;
    return offsetof(RandomCpu, byte) + MIN(at, WORDS * 8 - size);
}

/* An address not far from the one before: checks of the TLB may be merged. */
static IrVal near_address(Source *s, uint64_t *displacement)
{
    const IrNode *node = &s->ir->nodes[s->near];
    uint64_t delta = (uint64_t)(int64_t)(int8_t)draw(s);
    IrVal v = s->near;

    *displacement = chance(s, 50) ? 0 : below(s, 64);
    if (node->op == IR_LEA && chance(s, 60)) {
        return add(s, IR_LEA, node->a, node->b, node->c, node->imm + delta);
    }
    return chance(s, 50) ? v : add(s, IR_ADD64I, v, 0, 0, delta);
}

/* An address that is mostly good: near a page's end, aligned or not. */
static IrVal draw_address(Source *s, uint64_t *displacement)
{
    IrVal v = draw_value(s);

    if (s->near && chance(s, 50)) {
        return near_address(s, displacement);
    }
    *displacement = 0;
    if (chance(s, 3)) {
        return v;
    }
    switch (below(s, 5)) {
    case 0:
        v = add(s, IR_AND64I, v, 0, 0, RAM - 8);
        break;
    case 1:
        v = add(s, IR_CONST, 0, 0, 0, below(s, RAM));
        break;
    case 2:
        v = add(s, IR_AND64I, v, 0, 0, 0xf00f);
        v = add(s, IR_OR64I, v, 0, 0, 0xff0);
        break;
    case 3: {
        IrVal index = add(s, IR_AND64I, draw_value(s), 0, 0, 0x1ff);
        v = add(s, IR_AND64I, v, 0, 0, 0x7ff8);
        v = add(s, IR_LEA, v, index, (IrVal)below(s, 4), below(s, 0x1000));
        break;
    }
    default:
        v = add(s, IR_AND64I, v, 0, 0, RAM - 1);
        v = add(s, chance(s, 50) ? IR_ADD64I : IR_SUB64I, v, 0, 0, below(s, 32));
    }
    *displacement = chance(s, 50) ? 0 : (uint64_t)(int64_t)(int8_t)draw(s);
    s->near = v;
    return v;
}

static unsigned draw_mmu(Source *s)
{
    return below(s, 2) | (chance(s, 5) ? MMU_STACK : 0) | (chance(s, 5) ? MMU_RMW : 0) |
           (chance(s, 10) ? MMU_ALIGN : 0);
}

/* Offsets of exits: in the page or out of it, never the block itself (it would loop). */
static int64_t draw_delta(Source *s)
{
    int64_t delta = chance(s, 80) ? (int64_t)below(s, 0x600) - 0x300 : (int64_t)(int32_t)draw(s);

    return delta ? delta : 1;
}

static bool has(IrOp op, char operand)
{
    return strchr(ir_ops[op].operands, operand);
}

/* Vector registers: few, so that they meet; the last ones are not kept in the host's. */
static IrVal draw_vector(Source *s)
{
    unsigned n = chance(s, 60) ? below(s, 3) : chance(s, 50) ? 13 + below(s, 3) : below(s, VECTORS);

    return (IrVal)(offsetof(RandomCpu, vector) + n * VECTOR_STRIDE);
}

static void add_memory(Source *s, IrOp op)
{
    uint64_t displacement;
    IrVal address = draw_address(s, &displacement);
    IrVal b = has(op, 'b') ? draw_value(s) : 0;

    if (op >= IR_CAS8 && op <= IR_CAS64) {
        add(s, op, address, b, draw_value(s), draw_mmu(s));
    } else if (op >= IR_LD128 && op <= IR_ST256) {
        uint64_t offset = offsetof(RandomCpu, byte) + below(s, WORDS * 8 - 32 + 1);
        if (chance(s, 60)) {
            offset = draw_vector(s);
        }
        add(s, op, address, b, (IrVal)draw_mmu(s), offset);
    } else if (op == IR_PROBEW) {
        add(s, op, address, b, (IrVal)(draw_mmu(s) & ~(unsigned)MMU_ALIGN), 1 + below(s, 600));
    } else {
        add(s, op, address, b, (IrVal)draw_mmu(s), displacement);
    }
}

static IrVal draw_temporary(Source *s)
{
    return (IrVal)(offsetof(RandomCpu, temporary) + below(s, TEMPORARIES) * VECTOR_STRIDE);
}

static void vector(Source *s, unsigned number, IrVal to, IrVal from1, IrVal from2)
{
    unsigned immediate = vector_immediate(number, (unsigned)draw(s) & 0xff);

    add(s, IR_VOP, to, from1, from2, ir_vector_what(number, immediate, s->shape));
}

/* Memory to a temporary, and that to operation @number. */
static IrVal vector_source(Source *s, unsigned number)
{
    unsigned bytes = vector_host[number].bytes;
    IrVal temporary = draw_temporary(s);
    uint64_t displacement;
    IrVal v;

    if (bytes == 0 || chance(s, 60)) {
        return draw_vector(s);
    }
    IrVal address = draw_address(s, &displacement);
    if (bytes == 16 && s->shape == IR_SHAPE_WIDE) {
        add(s, IR_LD256, address, 0, (IrVal)below(s, 2), temporary);
        return temporary;
    }
    if (bytes == 16) {
        address = chance(s, 90) ? add(s, IR_AND64I, address, 0, 0, ~(uint64_t)15) : address;
        unsigned mmu = below(s, 2) | (chance(s, 80) ? MMU_ALIGN : 0);
        add(s, IR_LD128, address, 0, (IrVal)mmu, temporary);
        return temporary;
    }
    if (chance(s, 10)) {
        bytes = 12 - bytes; /* not what the operation reads */
    }
    for (unsigned half = 0; half < 16; half += 8) { /* somebody may read all of it */
        add(s, IR_PUT64, draw_value(s), 0, 0, temporary + half);
    }
    v = ir_emit(s->ir, bytes == 4 ? IR_LD32 : IR_LD64, address, 0, 0, displacement);
    if (chance(s, 10)) {
        s->values[s->n_values++] = v; /* others may use it, too */
    }
    add(s, bytes == 4 ? IR_PUT32 : IR_PUT64, v, 0, 0, temporary);
    return temporary;
}

/* What a front end makes of a scalar load, or of a move from a general register. */
static void add_fill(Source *s)
{
    uint64_t displacement;
    IrVal to = draw_vector(s), v = draw_value(s), zero;

    if (chance(s, 60)) {
        IrVal address = draw_address(s, &displacement);
        v = add(s, chance(s, 50) ? IR_LD32 : IR_LD64, address, 0, 0, displacement);
        s->n_values -= chance(s, 80);
    }
    add(s, IR_PUT64, v, 0, 0, to);
    zero = add(s, IR_CONST, 0, 0, 0, chance(s, 90) ? 0 : 1);
    add(s, IR_PUT64, zero, 0, 0, to + 8U);
}

/* A part of a vector to memory. */
static void add_lane_store(Source *s)
{
    uint64_t displacement;
    bool wide = chance(s, 50);
    unsigned size = wide ? 8 : 4;
    IrVal address = draw_address(s, &displacement);
    IrVal part = add(s, wide ? IR_GET64 : IR_GET32, 0, 0, 0, draw_vector(s) + below(s, 2) * size);

    add(s, wide && chance(s, 70) ? IR_ST64 : IR_ST32, address, part, (IrVal)draw_mmu(s),
        displacement);
    s->n_values -= chance(s, 80);
}

static void add_vector(Source *s)
{
    unsigned number = below(s, G_N_ELEMENTS(vectors));
    IrVal to = draw_vector(s), from;

    s->shape = s->wide && chance(s, 60)
                   ? (has_halves[number] && chance(s, 60) ? IR_SHAPE_WIDE : IR_SHAPE_ZERO)
                   : IR_SHAPE_LOW;
    if (chance(s, 15)) {
        add_lane_store(s);
    } else if (chance(s, 25)) {
        add_fill(s);
    } else if (number == FROM_NUMBER) {
        from = draw_temporary(s);
        add(s, IR_PUT64, draw_value(s), 0, 0, from);
        vector(s, number, to, to, from);
    } else if (number >= NUMBERS) {
        from = vector_source(s, number);
        to = draw_temporary(s);
        if (to == from) {
            return;
        }
        vector(s, number, to, draw_vector(s), from);
        add(s, chance(s, 50) ? IR_GET32 : IR_GET64, 0, 0, 0, to);
        if (chance(s, 10)) {
            add(s, IR_GET64, 0, 0, 0, to);
            s->n_values--;
        }
    } else {
        from = number == 6 ? to : vector_source(s, number);
        IrVal first = chance(s, 80) || number == 6 ? to : chance(s, 90) ? draw_vector(s) : from;
        vector(s, number, to, first, from);
    }
}

static uint64_t draw_immediate(Source *s, IrOp op)
{
    unsigned position = below(s, 64), length = 1 + below(s, 64 - position);

    switch (op) {
    case IR_EXTRACT:
    case IR_DEPOSIT:
        if (chance(s, 50)) {
            position = below(s, 2) * 8;
            length = 8U << below(s, 3);
        }
        return position | length << 8;
    case IR_CALL:
        return below(s, G_N_ELEMENTS(helpers));
    case IR_PC:
        return (uint64_t)draw_delta(s);
    default:
        return draw_number(s);
    }
}

/* One node of @op, whatever that is; exits that always leave are not for the middle. */
static void add_op(Source *s, IrOp op)
{
    uint8_t effects = ir_ops[op].effects;

    if (op == IR_VOP) {
        add_vector(s);
    } else if (op == IR_EXIT_IF) {
        unsigned slot = below(s, IR_EXIT_SLOTS);
        if (!s->slot_used[slot]) {
            s->slot_used[slot] = true;
            add(s, op, draw_value(s), 0, (IrVal)slot, (uint64_t)draw_delta(s));
        }
    } else if (effects & IR_EFFECT_EXIT) {
        return;
    } else if ((effects & IR_EFFECT_MEM) && op != IR_CALL && op != IR_FENCE) {
        add_memory(s, op);
    } else if (op >= IR_GET8 && op <= IR_PUT64) {
        IrVal a = has(op, 'a') ? draw_value(s) : 0;
        uint64_t offset = draw_offset(s, 1U << ((op - IR_GET8) % 4));
        if (offset != offsetof(RandomCpu, mxcsr) || op < IR_PUT8) {
            add(s, op, a, 0, 0, offset);
        }
    } else {
        IrVal a = draw_value(s), b = draw_value(s), c = draw_value(s);
        if (has(op, 's')) {
            c = (IrVal)below(s, op == IR_LEA && chance(s, 5) ? 20 : 4);
        }
        uint64_t imm = has(op, 'i') ? draw_immediate(s, op) : 0;
        add(s, op, has(op, 'a') ? a : 0, has(op, 'b') ? b : 0, c, imm);
    }
}

/* Comparisons right in front of what uses them: the shape that is fused. */
static void add_condition(Source *s)
{
    IrVal v = draw_value(s);

    if (chance(s, 70)) {
        IrOp op = (IrOp)(IR_EQ32 + below(s, IR_LES64I - IR_EQ32 + 1));
        v = add(s, op, v, draw_value(s), 0, chance(s, 50) ? 0 : draw_number(s));
    } else {
        IrOp op = (IrOp)(IR_AND32 + below(s, 4));
        v = add(s, op, v, draw_value(s), 0, draw_number(s));
    }
    if (chance(s, 30)) {
        v = add(s, chance(s, 50) ? IR_XOR32I : IR_XOR64I, v, 0, 0, chance(s, 90) ? 1 : 3);
    } else if (chance(s, 20)) {
        v = add(s, (IrOp)(IR_EQ32I + below(s, 2) + (chance(s, 50) ? 4 : 0)), v, 0, 0, 0);
    } else if (chance(s, 20)) {
        v = add(s, IR_EXTRACT, v, 0, 0, below(s, 64) | 1 << 8);
    }
    unsigned slot = below(s, IR_EXIT_SLOTS);
    if (chance(s, 30) && !s->slot_used[slot]) {
        s->slot_used[slot] = true;
        add(s, IR_EXIT_IF, v, 0, (IrVal)slot, (uint64_t)draw_delta(s));
    } else {
        IrVal a = draw_value(s), b = draw_value(s);
        add(s, IR_SELECT, a, b, v, 0);
    }
}

/* The block goes back to its head until a word of state has been counted down. */
static void begin_loop(Source *s)
{
    IrVal left = add(s, IR_GET64, 0, 0, 0, offsetof(RandomCpu, rounds));

    left = add(s, IR_ADD64I, left, 0, 0, UINT64_MAX);
    add(s, IR_PUT64, left, 0, 0, offsetof(RandomCpu, rounds));
    left = add(s, IR_LTS64I, left, 0, 0, 1); /* the first bit of attention */
    add(s, IR_PUT32, left, 0, 0, offsetof(DbtCpu, attention));
    s->loops = true;
}

/* State changes places: more of it than fits into registers, or in circles. */
static void shuffle_state(Source *s)
{
    enum { MOST = 10 };
    unsigned n = below(s, MOST), first = below(s, PLAIN_WORDS - MOST);
    IrVal values[MOST];

    for (unsigned i = 0; i < n; i++) {
        values[i] = add(s, IR_GET64, 0, 0, 0, offsetof(RandomCpu, word) + (first + i) * 8);
    }
    for (unsigned i = 0; i < n; i++) {
        IrVal v = chance(s, 20) ? draw_value(s) : values[below(s, n)];
        add(s, IR_PUT64, v, 0, 0, offsetof(RandomCpu, word) + (first + i) * 8);
    }
}

static void end_loop(Source *s)
{
    if (chance(s, 50)) {
        shuffle_state(s);
    }
    if (chance(s, 40)) {
        ir_exit(s->ir, below(s, IR_EXIT_SLOTS), 0);
        return;
    }
    IrVal v = draw_value(s), v2 = draw_value(s);
    v = add(s, (IrOp)(IR_EQ32 + below(s, IR_LES64I - IR_EQ32 + 1)), v, v2, 0, draw_number(s));
    add(s, IR_EXIT_IF, v, 0, (IrVal)below(s, IR_EXIT_SLOTS), 0);
    ir_exit(s->ir, below(s, IR_EXIT_SLOTS), draw_delta(s));
}

/* To an address that is checked, perhaps: the shape of a return or of a call. */
static void exit_checked(Source *s)
{
    enum { CANONICAL = 5 };
    IrVal to = draw_value(s);

    if (chance(s, 30)) {
        to = add(s, IR_SX32, to, 0, 0, 0);
    }
    if (chance(s, 70)) {
        IrVal b = draw_value(s), c = draw_value(s);
        add(s, IR_CALL, to, b, c, CANONICAL);
    }
    for (unsigned n = below(s, 4); n > 0; n--) {
        add_op(s, (IrOp)below(s, IR_OPS));
    }
    ir_exit_indirect(s->ir, to);
}

static void add_end(Source *s)
{
    if (s->loops) {
        end_loop(s);
        return;
    }
    switch (below(s, 5)) {
    case 0:
        exit_checked(s);
        break;
    case 1:
        ir_exit_stop(s->ir, draw_delta(s));
        break;
    case 2:
        ir_exit_state(s->ir);
        break;
    default:
        ir_exit(s->ir, below(s, IR_EXIT_SLOTS), draw_delta(s));
    }
}

/* Half of what happens in real code is reading and writing state and simple arithmetic. */
static IrOp draw_op(Source *s)
{
    if (chance(s, 15)) {
        return IR_VOP;
    }
    if (chance(s, 40)) {
        return (IrOp)(IR_GET8 + below(s, 8));
    }
    if (chance(s, 30)) {
        return (IrOp)(IR_ADD32 + below(s, IR_LES64I - IR_ADD32 + 1));
    }
    return (IrOp)below(s, IR_OPS);
}

static void make_block(Source *s)
{
    unsigned nodes = chance(s, 3) ? 800 : chance(s, 30) ? 150 : 4 + below(s, 40);
    unsigned delta = 0;

    ir_block_clear(s->ir);
    s->n_values = 0;
    memset(s->slot_used, 0, sizeof(s->slot_used));
    s->loops = false;
    s->wide = chance(s, 40);
    s->near = 0;
    ir_insn(s->ir, 0);
    if (chance(s, 25)) {
        begin_loop(s);
    }
    while (s->ir->n_nodes < nodes) {
        if (chance(s, 15) && s->ir->n_insns < IR_MAX_INSNS) {
            delta += 1 + below(s, 6);
            ir_insn(s->ir, delta);
        }
        if (chance(s, 10)) {
            add_condition(s);
        } else {
            add_op(s, draw_op(s));
        }
    }
    add_end(s);
    s->ir->guest_bytes = delta + 4;
    if (chance(s, 50)) {
        ir_optimise(s->ir);
    }
}

/* --- two machines ----------------------------------------------------------------------------- */

typedef struct Side {
    GuestMemory *memory;
    Clock *clock;
    DbtVm *vm;
    RandomCpu *cpu;
    RunResult result;
    unsigned slot;
    bool interrupted; /* at the head of a block that loops */
} Side;

static void side_init(Side *side, const Backend *backend)
{
    side->memory = gm_new();
    side->clock = clock_new_manual();
    g_assert_true(gm_add_ram(side->memory, 0, RAM, NULL));
    /* two, of which one never runs: atomics that are not aligned must be alone */
    EngineConfig config = { .memory = side->memory, .clock = side->clock, .cpus = 2 };
    side->vm = dbt_vm_new(&random_isa, &config, NULL);
    g_assert_true(dbt_vm_set_backend(side->vm, backend, NULL));
    side->cpu = (RandomCpu *)dbt_cpu_new(side->vm, 0);
    side->cpu->base.watch_active = true;
}

static void side_free(Side *side)
{
    dbt_cpu_free(&side->cpu->base);
    dbt_vm_free(side->vm);
    gm_free(side->memory);
    clock_free(side->clock);
}

/* Where a block begins, and what else is drawn for a run. */
typedef struct Start {
    uint64_t gpa, gpa2, gva;
    uint32_t attention;
    bool flush;
    uint64_t word[WORDS], rounds;
    FlagRecord flags;
    uint32_t mxcsr, key;
} Start;

static void draw_start(Source *s, Start *start)
{
    uint64_t offset = chance(s, 50) ? below(s, PAGE_SIZE) : PAGE_SIZE - 1 - below(s, 8);
    bool straddles = offset + s->ir->guest_bytes > PAGE_SIZE;

    start->gpa = CODE_PAGE * PAGE_SIZE + offset;
    start->gpa2 = straddles ? (CODE_PAGE + 1) * PAGE_SIZE : GPA_NONE;
    start->gva = (draw(s) << 12) | offset;
    start->attention = chance(s, 1) ? ATTENTION_KICK : 0;
    start->flush = chance(s, 5);
    for (unsigned i = 0; i < WORDS; i++) {
        start->word[i] = chance(s, 50) ? draw_number(s) : below(s, RAM);
    }
    start->rounds = below(s, 6);
    start->mxcsr = 0x1f80 | (draw(s) & 0xe07f);
    start->key = chance(s, 20);
    for (unsigned i = 0; i < 4; i++) {
        ((uint64_t *)&start->flags)[i] = draw_number(s);
    }
}

static void side_run(Side *side, const IrBlock *ir, const Start *start)
{
    DbtCpu *cpu = &side->cpu->base;
    BlockCache *cache = side->vm->cache;

    if (start->flush || side->cpu->unswapped) {
        side->cpu->unswapped = false;
        mmu_flush(cpu);
    }
    cpu->pc = start->gva;
    cpu->flags = start->flags;
    cpu->attention = start->attention;
    cpu->fault = FAULT_NONE;
    cpu->key_stale = cpu->halted = false;
    cpu->key = UINT64_C(1) << 32; /* no entry of the jump cache is for it */
    cpu->instructions = 1000;
    memcpy(side->cpu->word, start->word, sizeof(start->word));
    side->cpu->rounds = start->rounds;
    side->cpu->mxcsr = start->mxcsr;
    cache_make_code(cache, start->gpa);
    if (start->gpa2 != GPA_NONE) {
        cache_make_code(cache, start->gpa2);
    }
    g_assert_true(cache_translate_begin(cache, start->gpa, start->gpa2));
    Block *block = cache_add(cache, ir, start->gpa, start->gpa2, start->key);
    if (!block) {
        cache_translate_end(cache);
        cache_flush(cache);
        g_assert_true(cache_translate_begin(cache, start->gpa, start->gpa2));
        block = cache_add(cache, ir, start->gpa, start->gpa2, start->key);
        g_assert_nonnull(block);
    }
    cache_translate_end(cache);
    side->slot = 0;
    do { /* the interpreter comes back after each round of a loop */
        side->result = side->vm->backend->run(cpu, block, &side->slot);
        side->interrupted = cpu->attention || block->dead;
    } while ((side->result == RUN_LINK || side->result == RUN_NEXT) && cpu->pc == start->gva &&
             !side->interrupted);
    if (cpu->fault == FAULT_EXCEPTION) {
        dbt_deliver(cpu); /* where the back end did not */
    }
    cpu->block = NULL;
    cache_drop(cache, start->gpa, 1);
}

static void show(const char *name, const Side *side)
{
    const DbtCpu *cpu = &side->cpu->base;

    g_printerr("%s: result %d slot %u pc %" G_GINT64_MODIFIER "x fault %u instructions "
               "%" G_GINT64_MODIFIER "u told %" G_GINT64_MODIFIER
               "x mxcsr %x attention %x rounds left %" G_GINT64_MODIFIER "d flags",
               name, side->result, side->slot, cpu->pc, cpu->fault, cpu->instructions,
               side->cpu->told, side->cpu->mxcsr, cpu->attention, side->cpu->rounds);
    for (unsigned i = 0; i < 4; i++) {
        g_printerr(" %" G_GINT64_MODIFIER "x", ((const uint64_t *)&cpu->flags)[i]);
    }
    g_printerr("\n");
}

static void show_difference(const Side *a, const Side *b, const IrBlock *ir)
{
    g_autoptr(GString) text = g_string_new(NULL);
    const uint8_t *x = gm_ram(a->memory, 0, RAM), *y = gm_ram(b->memory, 0, RAM);

    ir_print(ir, NULL, text);
    g_printerr("%s", text->str);
    show("interpreted", a);
    show("compiled", b);
    for (unsigned i = 0; i < WORDS; i++) {
        if (a->cpu->word[i] != b->cpu->word[i]) {
            g_printerr("state 0x%zx: %" G_GINT64_MODIFIER "x, %" G_GINT64_MODIFIER "x\n",
                       offsetof(RandomCpu, word) + i * 8, a->cpu->word[i], b->cpu->word[i]);
        }
    }
    for (unsigned i = 0; i < RAM; i++) {
        if (x[i] != y[i]) {
            g_printerr("memory 0x%x: %02x, %02x\n", i, x[i], y[i]);
        }
    }
}

/* An exit that can't be linked comes back as RUN_NEXT from one side only, a loop that something
 * interrupts as from any jump or as from its head, an exception delivered or not. */
static RunResult comparable(const Side *side)
{
    if (side->cpu->base.halted) {
        return RUN_FAULT;
    }
    if (side->result == RUN_STOP && side->interrupted) {
        return RUN_NEXT;
    }
    return side->result == RUN_LINK ? RUN_NEXT : side->result;
}

static bool same(const Side *a, const Side *b)
{
    const DbtCpu *x = &a->cpu->base, *y = &b->cpu->base;

    return comparable(a) == comparable(b) && x->pc == y->pc &&
           (b->result != RUN_LINK || a->result != RUN_LINK || a->slot == b->slot) &&
           x->fault == y->fault && x->attention == y->attention &&
           (comparable(a) >= RUN_STOP || x->key_stale == y->key_stale) &&
           x->instructions == y->instructions && x->exits == y->exits &&
           memcmp(&x->flags, &y->flags, sizeof(FlagRecord)) == 0 &&
           memcmp(a->cpu->word, b->cpu->word, sizeof(a->cpu->word)) == 0 &&
           a->cpu->told == b->cpu->told && a->cpu->rounds == b->cpu->rounds &&
           a->cpu->mxcsr == b->cpu->mxcsr && !y->vectors_live &&
           memcmp(gm_ram(a->memory, 0, RAM), gm_ram(b->memory, 0, RAM), RAM) == 0;
}

static void draw_features(Source *s, HostFeatures *host, const HostFeatures *real)
{
    host->lzcnt = real->lzcnt && chance(s, 70);
    host->tzcnt = real->tzcnt && chance(s, 70);
    host->popcnt = real->popcnt && chance(s, 70);
    host->bmi2 = real->bmi2 && chance(s, 70);
    host->aes = real->aes && chance(s, 70);
}

static void test_random(void)
{
    g_autofree IrBlock *ir = g_new(IrBlock, 1);
    g_autofree Source *s = g_new0(Source, 1);
    Side a = { 0 }, b = { 0 };
    uint64_t blocks = BLOCKS * (g_test_thorough() ? 10 : 1), seen[4] = { 0 };
    g_autoptr(GError) error = NULL;

    s->state = (uint64_t)g_test_rand_int() << 32 | (uint32_t)g_test_rand_int() | 1;
    s->ir = ir;
    side_init(&a, &interp_backend);
    side_init(&b, &x86_64_backend);
    Code *code = b.vm->code;
    HostFeatures *host = &code->host, real = *host;
    for (uint64_t i = 0; i < blocks; i++) {
        Start start;
        make_block(s);
        draw_start(s, &start);
        draw_features(s, host, &real);
        code->single = chance(s, 50);
        if (!ir_verify(ir, &error)) {
            g_error("block %" G_GINT64_MODIFIER "u: %s", i, error->message);
        }
        side_run(&a, ir, &start);
        side_run(&b, ir, &start);
        if (!same(&a, &b)) {
            show_difference(&a, &b, ir);
            g_error("block %" G_GINT64_MODIFIER "u differs", i);
        }
        seen[a.result]++;
    }
    g_test_message("%" G_GINT64_MODIFIER "u blocks: %" G_GINT64_MODIFIER
                   "u next, %" G_GINT64_MODIFIER "u linkable, %" G_GINT64_MODIFIER
                   "u stopped, %" G_GINT64_MODIFIER "u faulted",
                   blocks, seen[RUN_NEXT], seen[RUN_LINK], seen[RUN_STOP], seen[RUN_FAULT]);
    side_free(&a);
    side_free(&b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/x86_64/random blocks", test_random);
    return g_test_run();
}
