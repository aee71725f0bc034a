/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interpreter of IR, see interp.h.
 *
 * Each node's value is a slot of an array on the stack; one function holds a label per operation
 * and jumps from node to node.  Blocks chain inside it: direct exits follow block->next, indirect
 * ones the jump cache, until there is something for the dispatch loop.
 */
#include "engine/dbt/host/interp/interp.h"

#include <string.h>

#include "common/bits.h"
#include "engine/dbt/run/check.h"
#include "engine/dbt/run/exec.h"
#include "engine/dbt/run/ram.h"

/* Bits of a memory node's .c that the fast path can't honour. */
enum { SLOW_FLAGS = MMU_ALIGN };

static inline uint8_t *state_at(DbtCpu *cpu, uint64_t offset)
{
    return (uint8_t *)cpu + offset;
}

/* The access's last byte is in the tag's page: then, as the entry was chosen by the first, both. */
static inline bool hit(uint64_t gva, uint64_t tag, unsigned size)
{
    return align_down(gva + size - 1, PAGE_SIZE) == tag;
}

/* Load or store by the fast path, else by mmu.c; false: fault. */
static inline bool load(DbtCpu *cpu, uint64_t gva, unsigned size, unsigned mmu, uint64_t *ret)
{
    const TlbEntry *entry = tlb_entry(cpu, gva, mmu);

    if (G_LIKELY(hit(gva, entry->read, size) && !(mmu & SLOW_FLAGS))) {
        *ret = ram_load((const void *)(uintptr_t)(gva + entry->addend), size);
        return true;
    }
    return access_load(cpu, gva, size, mmu, ret);
}

static inline bool store(DbtCpu *cpu, uint64_t gva, uint64_t value, unsigned size, unsigned mmu)
{
    const TlbEntry *entry = tlb_entry(cpu, gva, mmu);

    if (G_LIKELY(hit(gva, entry->write, size) && !(mmu & SLOW_FLAGS))) {
        ram_store((void *)(uintptr_t)(gva + entry->addend), value, size);
        return true;
    }
    return access_store(cpu, gva, value, size, mmu);
}

/* Vectors: memory <-> CPU state.  16 or 32 bytes; aligned only if MMU_ALIGN asks. */
static bool load_vector(DbtCpu *cpu, uint64_t gva, const IrNode *node, unsigned size)
{
    const TlbEntry *entry = tlb_entry(cpu, gva, node->c);

    if ((node->c & MMU_ALIGN) && gva % size) {
        cpu->isa->misaligned(cpu, gva, node->c);
        return false;
    }
    if (G_LIKELY(hit(gva, entry->read, size))) {
        memcpy(state_at(cpu, node->imm), (const void *)(uintptr_t)(gva + entry->addend), size);
        return true;
    }
    uint8_t bytes[32];
    if (!access_load_bytes(cpu, gva, bytes, size, node->c & ~(unsigned)MMU_ALIGN)) {
        return false;
    }
    memcpy(state_at(cpu, node->imm), bytes, size);
    return true;
}

static bool store_vector(DbtCpu *cpu, uint64_t gva, const IrNode *node, unsigned size)
{
    const TlbEntry *entry = tlb_entry(cpu, gva, node->c);

    if ((node->c & MMU_ALIGN) && gva % size) {
        cpu->isa->misaligned(cpu, gva, node->c);
        return false;
    }
    if (G_LIKELY(hit(gva, entry->write, size))) {
        memcpy((void *)(uintptr_t)(gva + entry->addend), state_at(cpu, node->imm), size);
        return true;
    }
    return access_store_bytes(cpu, gva, state_at(cpu, node->imm), size,
                              node->c & ~(unsigned)MMU_ALIGN);
}

/* The instruction that node @index belongs to faulted: pc is its address. */
static void set_fault_pc(DbtCpu *cpu, const Block *block, unsigned index)
{
    unsigned i = block->n_insns;

    while (i > 1 && block->insns[i - 1].node > index) {
        i--;
    }
    cpu->pc = cpu->block_pc + (uint64_t)(int64_t)block->insns[i - 1].delta;
    cpu->instructions -= block->n_insns - (i - 1);
}

static inline Block *jump_cache_find(const DbtCpu *cpu, uint64_t pc)
{
    const JumpCacheEntry *entry = &cpu->jumps[jump_index(pc, JUMP_CACHE_BITS)];

    if (G_LIKELY(entry->pc == pc && entry->key == cpu->key) &&
        !__atomic_load_n(&entry->block->dead, __ATOMIC_ACQUIRE)) {
        return entry->block;
    }
    return NULL;
}

static inline uint32_t rotl32(uint32_t x, unsigned n)
{
    return x << (n & 31) | x >> (-n & 31);
}

static inline uint64_t rotl64(uint64_t x, unsigned n)
{
    return x << (n & 63) | x >> (-n & 63);
}

static inline uint64_t extract(uint64_t a, uint64_t imm)
{
    return bits_get(a, imm & 0xff, (unsigned)(imm >> 8));
}

static inline uint64_t deposit(uint64_t a, uint64_t b, uint64_t imm)
{
    uint64_t mask = bits_mask((unsigned)(imm >> 8)) << (imm & 0xff);

    return (a & ~mask) | (b << (imm & 0xff) & mask);
}

static void put_flags(DbtCpu *cpu, const IrNode *node, const uint64_t *v)
{
    cpu->flags.op = node->imm;
    cpu->flags.a = v[node->a];
    cpu->flags.b = node->b ? v[node->b] : cpu->flags.b;
    cpu->flags.c = node->c ? v[node->c] : cpu->flags.c;
}

/* The big function needs these short names, for one line an operation. */
#define A        v[n->a]
#define B        v[n->b]
#define C        v[n->c]
#define I        n->imm
#define A32      ((uint32_t)A)
#define B32      ((uint32_t)B)
#define I32      ((uint32_t)I)
#define OP(name) op_##name:
#define NEXT                                                                                       \
    do {                                                                                           \
        n++;                                                                                       \
        goto *labels[n->op];                                                                       \
    } while (0)
#define SET(value)                                                                                 \
    do {                                                                                           \
        v[n - first] = (value);                                                                    \
        NEXT;                                                                                      \
    } while (0)
/* all four forms of a binary operation, from its 32- and 64-bit expressions of x and y */
#define BINARY(NAME, expression32, expression64)                                                   \
    OP(NAME##32)                                                                                   \
    {                                                                                              \
        uint32_t x = A32, y = B32;                                                                 \
        SET((uint32_t)(expression32));                                                             \
    }                                                                                              \
    OP(NAME##64)                                                                                   \
    {                                                                                              \
        uint64_t x = A, y = B;                                                                     \
        SET((uint64_t)(expression64));                                                             \
    }                                                                                              \
    OP(NAME##32I)                                                                                  \
    {                                                                                              \
        uint32_t x = A32, y = I32;                                                                 \
        SET((uint32_t)(expression32));                                                             \
    }                                                                                              \
    OP(NAME##64I)                                                                                  \
    {                                                                                              \
        uint64_t x = A, y = I;                                                                     \
        SET((uint64_t)(expression64));                                                             \
    }
#define LOAD(NAME, size, expression)                                                               \
    OP(NAME)                                                                                       \
    {                                                                                              \
        uint64_t x;                                                                                \
        if (!load(cpu, A + I, size, n->c, &x)) {                                                   \
            goto fault;                                                                            \
        }                                                                                          \
        SET(expression);                                                                           \
    }
#define STORE(NAME, size)                                                                          \
    OP(NAME)                                                                                       \
    if (!store(cpu, A + I, B, size, n->c)) {                                                       \
        goto fault;                                                                                \
    }                                                                                              \
    NEXT;
#define ATOMIC(NAME, atomic_op)                                                                    \
    ATOMIC_SIZE(NAME##8, atomic_op, 1)                                                             \
    ATOMIC_SIZE(NAME##16, atomic_op, 2)                                                            \
    ATOMIC_SIZE(NAME##32, atomic_op, 4)                                                            \
    ATOMIC_SIZE(NAME##64, atomic_op, 8)
#define ATOMIC_SIZE(NAME, atomic_op, size)                                                         \
    OP(NAME)                                                                                       \
    if (!access_atomic(cpu, atomic_op, A + I, B, size, n->c, &v[n - first])) {                     \
        goto fault;                                                                                \
    }                                                                                              \
    NEXT;
#define CAS(NAME, size)                                                                            \
    OP(NAME)                                                                                       \
    if (!access_cas(cpu, A, B, C, size, (unsigned)I, &v[n - first])) {                             \
        goto fault;                                                                                \
    }                                                                                              \
    NEXT;

/* Over the length budget on purpose: one label an operation, in one function, is what makes the
 * jumps direct; each is a line or two. */
/* clang-format off */
RunResult interp_run(DbtCpu *cpu, Block *block, unsigned *ret_slot)
{
    static const void *const labels[IR_OPS] = {
#define IR_OP(name, operands, result, effects) [IR_##name] = &&op_##name,
#include "engine/dbt/ir/ops.def"
#undef IR_OP
    };
    const Helper *helpers = cpu->isa->helpers;
    const VectorOp *vectors = cpu->isa->vectors;
    uint64_t v[IR_MAX_NODES] __attribute__((uninitialized)); /* each is written before it is read */
    const IrNode *n, *first;
    uint64_t pc = cpu->pc;

    v[0] = 0;
enter:
    if (G_UNLIKELY(__atomic_load_n(&cpu->attention, __ATOMIC_RELAXED))) {
        cpu->pc = pc;
        return RUN_STOP;
    }
    cpu->block = block;
    cpu->block_pc = pc;
    cpu->instructions += block->n_insns;
    n = first = block->nodes;
    goto *labels[n->op];

    OP(NOP) NEXT;
    OP(CONST) SET(I);
    OP(PC) SET(cpu->block_pc + I);
    OP(GET8) SET(*state_at(cpu, I));
    OP(GET16) SET(load_le16(state_at(cpu, I)));
    OP(GET32) SET(load_le32(state_at(cpu, I)));
    OP(GET64) SET(load_le64(state_at(cpu, I)));
    OP(PUT8) *state_at(cpu, I) = (uint8_t)A;
    NEXT;
    OP(PUT16) store_le16(state_at(cpu, I), (uint16_t)A);
    NEXT;
    OP(PUT32) store_le32(state_at(cpu, I), A32);
    NEXT;
    OP(PUT64) store_le64(state_at(cpu, I), A);
    NEXT;
    OP(PUTFLAGS) put_flags(cpu, n, v);
    NEXT;

    BINARY(ADD, x + y, x + y)
    BINARY(SUB, x - y, x - y)
    BINARY(MUL, x * y, x * y)
    BINARY(AND, x & y, x & y)
    BINARY(OR, x | y, x | y)
    BINARY(XOR, x ^ y, x ^ y)
    BINARY(SHL, x << (y & 31), x << (y & 63))
    BINARY(SHR, x >> (y & 31), x >> (y & 63))
    BINARY(SAR, (int32_t)x >> (y & 31), (int64_t)x >> (y & 63))
    BINARY(ROL, rotl32(x, y), rotl64(x, (unsigned)y))
    BINARY(ROR, rotl32(x, -y), rotl64(x, -(unsigned)y))
    BINARY(EQ, x == y, x == y)
    BINARY(NE, x != y, x != y)
    BINARY(LTU, x < y, x < y)
    BINARY(LEU, x <= y, x <= y)
    BINARY(LTS, (int32_t)x < (int32_t)y, (int64_t)x < (int64_t)y)
    BINARY(LES, (int32_t)x <= (int32_t)y, (int64_t)x <= (int64_t)y)

    OP(MULHU64) SET((uint64_t)((unsigned __int128)A * B >> 64));
    OP(MULHS64) SET((uint64_t)((__int128)(int64_t)A * (int64_t)B >> 64));
    OP(NEG32) SET(-A32);
    OP(NEG64) SET(-A);
    OP(NOT32) SET(~A32);
    OP(NOT64) SET(~A);
    OP(ZX8) SET((uint8_t)A);
    OP(ZX16) SET((uint16_t)A);
    OP(ZX32) SET(A32);
    OP(SX8) SET((uint64_t)(int8_t)A);
    OP(SX16) SET((uint64_t)(int16_t)A);
    OP(SX32) SET((uint64_t)(int32_t)A);
    OP(BSWAP32) SET(__builtin_bswap32(A32));
    OP(BSWAP64) SET(__builtin_bswap64(A));
    OP(CLZ64) SET(A ? (uint64_t)__builtin_clzll(A) : 64);
    OP(CTZ64) SET(A ? (uint64_t)__builtin_ctzll(A) : 64);
    OP(POPCNT64) SET((uint64_t)__builtin_popcountll(A));
    OP(EXTRACT) SET(extract(A, I));
    OP(DEPOSIT) SET(deposit(A, B, I));
    OP(SELECT) SET(C ? A : B);
    OP(LEA) SET(A + (B << n->c) + I);

    LOAD(LD8, 1, x)
    LOAD(LD16, 2, x)
    LOAD(LD32, 4, x)
    LOAD(LD64, 8, x)
    LOAD(LDS8, 1, (uint64_t)(int8_t)x)
    LOAD(LDS16, 2, (uint64_t)(int16_t)x)
    LOAD(LDS32, 4, (uint64_t)(int32_t)x)
    STORE(ST8, 1)
    STORE(ST16, 2)
    STORE(ST32, 4)
    STORE(ST64, 8)
    OP(LD128) if (!load_vector(cpu, A, n, 16)) goto fault;
    NEXT;
    OP(LD128Z) if (!load_vector(cpu, A, n, 16)) goto fault;
    memset(state_at(cpu, I + 16), 0, 16);
    NEXT;
    OP(LD256) if (!load_vector(cpu, A, n, 32)) goto fault;
    NEXT;
    OP(ST128) if (!store_vector(cpu, A, n, 16)) goto fault;
    NEXT;
    OP(ST256) if (!store_vector(cpu, A, n, 32)) goto fault;
    NEXT;
    OP(PROBEW) if (!access_probe_write(cpu, A, (unsigned)I, n->c)) goto fault;
    NEXT;
    ATOMIC(XCHG, ATOMIC_XCHG)
    ATOMIC(XADD, ATOMIC_ADD)
    ATOMIC(RMWAND, ATOMIC_AND)
    ATOMIC(RMWOR, ATOMIC_OR)
    ATOMIC(RMWXOR, ATOMIC_XOR)
    CAS(CAS8, 1)
    CAS(CAS16, 2)
    CAS(CAS32, 4)
    CAS(CAS64, 8)
    OP(FENCE) __atomic_thread_fence(__ATOMIC_SEQ_CST);
    NEXT;
    OP(CALL) v[n - first] = G_UNLIKELY(cpu->checking) ? check_call(cpu, A, B, C, (unsigned)I)
                                                      : helpers[I].fn(cpu, A, B, C);
    if (G_UNLIKELY(cpu->fault)) {
        goto fault;
    }
    NEXT;
    OP(VOP) if (ir_vector_shape(I) == IR_SHAPE_LOW) {
        vectors[(uint32_t)I].fn(cpu, state_at(cpu, n->a), state_at(cpu, n->b),
                                state_at(cpu, n->c), (unsigned)(I >> 32));
    } else {
        cpu->isa->wide_vector(cpu, state_at(cpu, n->a), state_at(cpu, n->b), state_at(cpu, n->c),
                              I);
    }
    if (G_UNLIKELY(cpu->fault)) {
        goto fault;
    }
    NEXT;

    OP(EXIT_IF) if (!A) NEXT;
    OP(EXIT) pc = cpu->block_pc + I;
    {
        Block *next = __atomic_load_n(&block->next[n->c], __ATOMIC_ACQUIRE);
        if (G_LIKELY(next)) {
            block = next;
            goto enter;
        }
        if ((pc ^ cpu->block_pc) < PAGE_SIZE) {
            cpu->pc = pc;
            *ret_slot = n->c;
            return RUN_LINK;
        }
    }
    goto follow;
    OP(EXIT_INDIRECT) pc = A;
follow:
    {
        Block *next = block->uncached ? NULL : jump_cache_find(cpu, pc);
        if (!next && !block->uncached) {
            next = dbt_find_jump(cpu, pc);
        }
        if (G_LIKELY(next)) {
            block = next;
            goto enter;
        }
    }
    cpu->pc = pc;
    return RUN_NEXT;
    OP(EXIT_STOP) cpu->pc = cpu->block_pc + I;
    return RUN_STOP;
    OP(EXIT_STATE) return RUN_STOP;
fault:
    set_fault_pc(cpu, block, (unsigned)(n - first));
    return RUN_FAULT;
}
/* clang-format on */

const Backend interp_backend = { .name = "interpreter", .run = interp_run };
