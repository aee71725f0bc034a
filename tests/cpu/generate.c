/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random instruction sequences for the differential test, see diff.h.
 *
 * An instruction is a random row of the decoder's own tables with random prefixes, registers and
 * immediates; the decoder says how long it is and whether it is the row that was meant.  Memory
 * operands mostly lie in the data window, by way of a register that points there, or by address.
 * Jumps go forward, to an instruction of the sequence or its end.
 *
 * An instruction that leaves flags undefined ends its sequence, and these flags are not compared;
 * or a CMP that defines all of them follows.
 *
 * Threads: one.
 */
#include <stdio.h>
#include <string.h>

#include "common/bits.h"
#include "diff.h"
#include "engine/dbt/guest/x86/cpuid.h"
#include "engine/dbt/guest/x86/tables.h"
#include "engine/dbt/guest/x86/x86.h"
#include "templates.h"
#include "twins.h"

/* Not compared, and why. */
static const struct {
    const char *name, *reason;
} left_out[] = {
    { "syscall", "enters the host's kernel" },
    { "sysenter", "enters the host's kernel" },
    { "int", "enters the host's kernel" },
    { "int3", "ends a sequence" },
    { "int1", "the host's kernel makes a trap of it" },
    { "into", "the host's kernel makes a trap of it" },
    { "bound", "the host's kernel answers it otherwise" },
    { "cpuid", "tells the CPUs apart" },
    { "rdtsc", "time" },
    { "rdtscp", "time" },
    { "rdpmc", "counters" },
    { "rdrand", "random" },
    { "rdseed", "random" },
    { "rdpid", "the host's CPU number" },
    { "xgetbv", "the host's XCR0" },
    { "xsave", "its area shows the host's other states" },
    { "xsaveopt", "its area shows the host's other states" },
    { "xsavec", "its area shows the host's other states" },
    { "xrstor", "its area shows the host's other states" },
    { "fxsave", "stores where the last x87 instruction was" },
    { "fnsave", "stores where the last x87 instruction was" },
    { "fnstenv", "stores where the last x87 instruction was" },
    { "fxrstor", "may switch exceptions on that arrive elsewhere" },
    { "popf", "may set TF and AC, under which the host's handler would run" },
    { "iret", "to anywhere" },
    { "ret far", "to anywhere" },
    { "call far", "to anywhere" },
    { "jmp far", "to anywhere" },
    { "pop", "see pop_segment" },
    { "lar", "the host's GDT" },
    { "lsl", "the host's GDT" },
    { "verr", "the host's GDT" },
    { "verw", "the host's GDT" },
    { "arpl", "compared by the system tests" },
    { "les", "loads a segment" },
    { "lds", "loads a segment" },
    { "lss", "loads a segment" },
    { "lfs", "loads a segment" },
    { "lgs", "loads a segment" },
    { "sldt", "UMIP" },
    { "str", "UMIP" },
    { "smsw", "UMIP" },
    { "sgdt", "UMIP" },
    { "sidt", "UMIP" },
    { "rdfsbase", "the host's kernel may not allow it" },
    { "rdgsbase", "the host's kernel may not allow it" },
    { "wrfsbase", "the host's kernel may not allow it" },
    { "wrgsbase", "the host's kernel may not allow it" },
};

enum { CF = FLAG_CF, PF = FLAG_PF, AF = FLAG_AF, ZF = FLAG_ZF, SF = FLAG_SF, OF = FLAG_OF };

/* Flags that the manual leaves undefined. */
static const struct {
    const char *name;
    unsigned flags;
} undefined_flags[] = {
    { "and", AF },
    { "or", AF },
    { "xor", AF },
    { "test", AF },
    { "mul", SF | ZF | AF | PF },
    { "imul", SF | ZF | AF | PF },
    { "div", CF | OF | SF | ZF | AF | PF },
    { "idiv", CF | OF | SF | ZF | AF | PF },
    { "shl", AF | OF | CF }, /* OF: count not 1; CF: count beyond the size */
    { "shr", AF | OF | CF },
    { "sar", AF | OF },
    { "rol", OF },
    { "ror", OF },
    { "rcl", OF },
    { "rcr", OF },
    { "shld", AF | OF },
    { "shrd", AF | OF },
    { "bt", OF | SF | AF | PF },
    { "bts", OF | SF | AF | PF },
    { "btr", OF | SF | AF | PF },
    { "btc", OF | SF | AF | PF },
    { "bsf", CF | OF | SF | AF | PF },
    { "bsr", CF | OF | SF | AF | PF },
    { "andn", AF | PF },
    { "blsr", AF | PF },
    { "blsmsk", AF | PF },
    { "blsi", AF | PF },
    { "bzhi", AF | PF },
    { "bextr", AF | SF | PF },
    { "tzcnt", OF | SF | AF | PF },
    { "lzcnt", OF | SF | AF | PF },
    { "daa", OF },
    { "das", OF },
    { "aaa", OF | SF | ZF | PF },
    { "aas", OF | SF | ZF | PF },
    { "aam", OF | AF | CF },
    { "aad", OF | AF | CF },
};

struct Generator {
    uint64_t seed;
    bool code32, avx;
    GArray *templates; /* of Template: those that are used */
    GArray *unused;    /* those left out */
};

/* --- random numbers --------------------------------------------------------------------------- */

static uint64_t random64(Generator *g)
{
    uint64_t x = g->seed += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static unsigned below(Generator *g, unsigned n)
{
    return (unsigned)(random64(g) % n);
}

static bool one_in(Generator *g, unsigned n)
{
    return below(g, n) == 0;
}

/* A number that is often at some edge. */
static uint64_t interesting(Generator *g)
{
    static const uint64_t edges[] = {
        0,         1,      2,          0x7f,       0x80,       0xff,      0x7fff,
        0x8000,    0xffff, 0x7fffffff, 0x80000000, 0xffffffff, INT64_MAX, UINT64_C(1) << 63,
        UINT64_MAX
    };

    switch (below(g, 4)) {
    case 0:
        return edges[below(g, G_N_ELEMENTS(edges))];
    case 1:
        return random64(g) >> below(g, 64);
    case 2:
        return (uint64_t)((int64_t)random64(g) >> below(g, 64));
    default:
        return random64(g);
    }
}

/* Bits of a float or double that is often special. */
static uint64_t interesting_float(Generator *g)
{
    static const uint64_t doubles[] = { 0,
                                        UINT64_C(0x3ff0000000000000),
                                        UINT64_C(0x7ff0000000000000),
                                        UINT64_C(0x7ff8000000000000),
                                        UINT64_C(0x7ff4000000000000),
                                        UINT64_C(0x000fffffffffffff),
                                        UINT64_C(0x0010000000000000),
                                        UINT64_C(0x7fefffffffffffff),
                                        1 };
    static const uint32_t floats[] = { 0,          0x3f800000, 0x7f800000, 0x7fc00000, 0x7fa00000,
                                       0x007fffff, 0x00800000, 0x7f7fffff, 1 };
    uint64_t low, high;

    switch (below(g, 4)) {
    case 0:
        return doubles[below(g, G_N_ELEMENTS(doubles))] | random64(g) << 63;
    case 1:
        low = floats[below(g, G_N_ELEMENTS(floats))] | (uint64_t)below(g, 2) << 31;
        high = floats[below(g, G_N_ELEMENTS(floats))] | (uint64_t)below(g, 2) << 31;
        return low | high << 32;
    case 2: /* near 1, so that sums and products stay in range */
        return (random64(g) & UINT64_C(0x800fffffffffffff)) | (UINT64_C(0x3ff) - 8 + below(g, 16))
                                                                  << 52;
    default:
        return random64(g);
    }
}

/* --- instructions ----------------------------------------------------------------------------- */

static bool is_left_out(const Template *template)
{
    const char *name = template->row->name;

    for (unsigned i = 0; i < G_N_ELEMENTS(left_out); i++) {
        if (!strcmp(name, left_out[i].name)) {
            /* POP of general registers is compared */
            return strcmp(name, "pop") || (template->row->operand[0] & 0xff) == ADDR_SEG;
        }
    }
    /* of segment registers only reading */
    return (template->row->operand[0] & 0xff) == ADDR_S;
}

static bool is_listed(const char *name, char *const *only)
{
    return !only || g_strv_contains((const char *const *)only, name);
}

Generator *generator_new(const GeneratorOptions *options)
{
    Generator *g = g_new0(Generator, 1);
    g_auto(GStrv) names = options->only ? g_strsplit(options->only, ",", -1) : NULL;
    g_autoptr(GArray) all = templates_new();

    g->seed = options->seed;
    g->code32 = options->code32;
    g->avx = options->model->has[X86_FEATURE_AVX];
    g->templates = g_array_new(false, false, sizeof(Template));
    g->unused = g_array_new(false, false, sizeof(Template));
    for (unsigned i = 0; i < all->len; i++) {
        Template template = g_array_index(all, Template, i);
        bool absent = template.row->feature && !options->model->has[template.row->feature];
        if (absent || is_left_out(&template)) {
            g_array_append_val(g->unused, template);
        } else if (is_listed(template.row->name, names)) {
            g_array_append_val(g->templates, template);
        }
    }
    g_assert_cmpuint(g->templates->len, >, 0);
    return g;
}

void generator_free(Generator *g)
{
    g_array_unref(g->templates);
    g_array_unref(g->unused);
    g_free(g);
}

/* Bytes of one instruction as they are put together. */
typedef struct Draft {
    uint8_t bytes[32];
    unsigned n;
    uint8_t rex;
    int disp_at; /* of a 32-bit displacement to be set, or -1 */
    bool rip;    /* relative to the next instruction */
    X86Mode mode;
    bool plain; /* for a sequence with twins */
} Draft;

static void add(Draft *draft, uint8_t byte)
{
    draft->bytes[draft->n++] = byte;
}

static void add_value(Draft *draft, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        add(draft, (uint8_t)(value >> (8 * i)));
    }
}

static bool is_string(const X86Opcode *row)
{
    unsigned a = row->operand[0] & 0xff, b = row->operand[1] & 0xff;

    return a == ADDR_X || a == ADDR_Y || b == ADDR_X || b == ADDR_Y;
}

static void add_prefixes(Generator *g, Draft *draft, const Template *template)
{
    static const uint8_t mandatory[] = { 0, 0x66, 0xf3, 0xf2 };

    if (template->prefix > 0) {
        add(draft, mandatory[template->prefix]);
    }
    if (template->prefix == ANY && one_in(g, 5)) {
        add(draft, 0x66);
    }
    if (template->prefix != PREFIX_NONE && template->prefix != ANY && one_in(g, 12)) {
        add(draft, 0x66);
    }
    if (is_string(template->row) && one_in(g, 2)) {
        add(draft, one_in(g, 2) ? 0xf3 : 0xf2);
    }
    if (!draft->plain && one_in(g, 24)) {
        add(draft, 0x67);
    }
    if (!draft->plain && one_in(g, 24)) {
        add(draft, 0x65);
    }
    if ((template->row->flags & OPCODE_LOCK) && template->mod != 1 && one_in(g, 4)) {
        add(draft, 0xf0);
    }
    if (one_in(g, 200)) { /* anything */
        static const uint8_t some[] = { 0x26, 0x2e, 0x36, 0x3e, 0x66, 0x67, 0xf0, 0xf2, 0xf3 };
        add(draft, some[below(g, sizeof(some))]);
    }
    if (draft->mode == X86_MODE64 && !draft->plain) {
        draft->rex = one_in(g, 2) ? 0x40 | below(g, 16) : 0;
        if (template->w != ANY) {
            draft->rex = (draft->rex & ~8) | (uint8_t)(template->w ? 0x48 : 0);
        }
        if (draft->rex) {
            add(draft, draft->rex);
        }
    }
}

/* VEX.L or W: what the row must have, or anything. */
static unsigned vex_bit(Generator *g, int chosen, bool zero, bool one)
{
    return chosen != ANY ? (unsigned)chosen : zero ? 0 : one ? 1 : below(g, 2);
}

static bool names_vvvv(const X86Opcode *row)
{
    for (unsigned i = 0; i < 4; i++) {
        unsigned where = row->operand[i] & 0xff;
        if (where == ADDR_H || where == ADDR_B) {
            return true;
        }
    }
    return false;
}

/* Segment and address size, VEX and opcode. */
static void add_vex(Generator *g, Draft *draft, const Template *template)
{
    static const uint8_t prefixes[] = { 0, 1, 2, 3 };
    const X86Opcode *row = template->row;
    bool any = draft->mode == X86_MODE64 && !draft->plain;
    unsigned rxb = any && one_in(g, 2) ? below(g, 8) : 7; /* inverted */
    unsigned w = vex_bit(g, template->w, row->vex & VEX_W0, row->vex & VEX_W1);
    unsigned l = vex_bit(g, template->l, row->vex & VEX_L0, row->vex & VEX_L1);
    unsigned v = names_vvvv(row) ? below(g, any ? 16 : 8) : 0;
    unsigned payload = (~v & 15) << 3 | l << 2 | prefixes[template->prefix];

    if (!draft->plain && one_in(g, 24)) {
        add(draft, 0x67);
    }
    if (!draft->plain && one_in(g, 24)) {
        add(draft, 0x65);
    }
    if (template->map == 1 && (rxb & 3) == 3 && !w && one_in(g, 2)) {
        add(draft, 0xc5);
        add(draft, (uint8_t)((rxb & 4) << 5 | payload));
    } else {
        add(draft, 0xc4);
        add(draft, (uint8_t)(rxb << 5 | template->map));
        add(draft, (uint8_t)(w << 7 | payload));
    }
    add(draft, template->code);
}

static void add_opcode(Draft *draft, const Template *template)
{
    if (template->map > 0) {
        add(draft, 0x0f);
    }
    if (template->map > 1) {
        add(draft, template->map == 2 ? 0x38 : 0x3a);
    }
    add(draft, template->code);
}

/* Registers that point into the window (see set_registers()), without REX bits: RBX, RBP, RSI,
 * RDI. */
static const uint8_t pointers[] = { 3, 5, 6, 7 };

/* A memory operand: by address, relative to rip, by a pointer, or at random. */
static void add_memory(Generator *g, Draft *draft, unsigned reg)
{
    uint8_t base = pointers[below(g, sizeof(pointers))];
    unsigned mod = 1 + below(g, 2);

    switch (below(g, 8)) {
    case 0:
    case 1: /* 32-bit address; in 64-bit mode that takes a SIB byte */
        add(draft, (uint8_t)(reg << 3 | (draft->mode == X86_MODE64 ? 4 : 5)));
        if (draft->mode == X86_MODE64) {
            add(draft, 0x25);
        }
        draft->disp_at = (int)draft->n;
        add_value(draft, 0, 4);
        break;
    case 2: /* in 32-bit mode the same as above */
        add(draft, (uint8_t)(reg << 3 | 5));
        draft->rip = draft->mode == X86_MODE64;
        draft->disp_at = (int)draft->n;
        add_value(draft, 0, 4);
        break;
    case 3: /* with an index */
        add(draft, (uint8_t)(mod << 6 | reg << 3 | 4));
        add(draft, (uint8_t)(below(g, 4) << 6 | 1 << 3 | base));
        add_value(draft, mod == 1 ? random64(g) : below(g, 512), mod == 1 ? 1 : 4);
        break;
    case 4: /* anything */
        add(draft, (uint8_t)(below(g, 3) << 6 | reg << 3 | below(g, 8)));
        break;
    default:
        add(draft, (uint8_t)(mod << 6 | reg << 3 | base));
        add_value(draft, mod == 1 ? random64(g) : below(g, 512), mod == 1 ? 1 : 4);
        break;
    }
}

static bool wants_modrm(const X86Opcode *row)
{
    for (unsigned i = 0; i < 4; i++) {
        unsigned where = row->operand[i] & 0xff;
        if ((where >= ADDR_E && where <= ADDR_V) || where == ADDR_U || where == ADDR_Q ||
            where == ADDR_P || where == ADDR_N || where == ADDR_S || where == ADDR_C ||
            where == ADDR_D || where == ADDR_ST) {
            return true;
        }
    }
    return false;
}

static void add_modrm(Generator *g, Draft *draft, const Template *template)
{
    unsigned reg = template->reg == ANY ? below(g, 8) : (unsigned)template->reg;
    unsigned rm = template->rm == ANY ? below(g, 8) : (unsigned)template->rm;
    bool any = template->reg != ANY || template->rm != ANY || template->mod != ANY;

    if (!any && !wants_modrm(template->row)) {
        return;
    }
    bool memory = template->mod == ANY ? template->rm == ANY && one_in(g, 2) : template->mod == 0;
    if (memory) {
        add_memory(g, draft, reg);
    } else {
        add(draft, (uint8_t)(0xc0 | reg << 3 | rm));
    }
}

/* Where in the window an addressed operand lies: often aligned, at times across its end. */
static uint64_t some_address(Generator *g)
{
    unsigned offset = one_in(g, 16) ? DIFF_DATA_SIZE - below(g, 20) : below(g, DIFF_DATA_SIZE - 64);

    return DIFF_DATA + (one_in(g, 3) ? offset : offset & ~15U);
}

/* Make an instruction at @address; false: it came out as something else. */
static bool draft_insn(Generator *g, Template *template, uint64_t address, Draft *draft,
                       X86Insn *ret_insn)
{
    if (template->mode64 != ANY && template->mode64 != (draft->mode == X86_MODE64)) {
        return false;
    }
    if (template->vex) {
        add_vex(g, draft, template);
    } else {
        add_prefixes(g, draft, template);
        add_opcode(draft, template);
    }
    add_modrm(g, draft, template);
    if (draft->n > 20) {
        return false;
    }
    uint64_t tail = one_in(g, 3) ? random64(g) : interesting(g);
    add_value(draft, tail, 8);
    if (x86_decode(draft->bytes, draft->n, draft->mode, ret_insn) != DECODE_OK ||
        ret_insn->opcode != template->row) {
        return false;
    }
    draft->n = ret_insn->length;
    if (draft->disp_at >= 0) {
        uint64_t to = some_address(g);
        store_le32(draft->bytes + draft->disp_at,
                   (uint32_t)(draft->rip ? to - (address + draft->n) : to));
    }
    return true;
}

/* Of shifts by a constant: all flags are as before for 0, OF is defined for 1, and CF for counts
 * up to the size. */
static uint64_t defined_by_count(const X86Insn *insn)
{
    const X86Operand *count = &insn->op[insn->op[2].kind == OPERAND_NONE ? 1 : 2];
    uint64_t n = count->imm & (insn->op[0].size == 8 ? 63 : 31);
    bool shifts = insn->opcode->name[0] == 's' || insn->opcode->name[0] == 'r';

    if (!shifts || count->kind != OPERAND_IMM) {
        return 0;
    }
    return n == 0 ? FLAGS_ARITH : (n == 1 ? OF : 0) | (n <= 8 * insn->op[0].size ? CF : 0);
}

static uint64_t undefined_by(const X86Insn *insn)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(undefined_flags); i++) {
        if (!strcmp(undefined_flags[i].name, insn->opcode->name)) {
            return undefined_flags[i].flags & ~defined_by_count(insn);
        }
    }
    return 0;
}

/* Counts beyond the size of a 16-bit SHLD give an undefined result; so does BSWAP of 16 bits. */
static bool is_undefined_result(const X86Insn *insn)
{
    bool small = insn->op[0].size == 2;
    bool by_cl = insn->op[2].kind == OPERAND_REG;

    if (!strcmp(insn->opcode->name, "shld") || !strcmp(insn->opcode->name, "shrd")) {
        return small && (by_cl || (insn->op[2].imm & 31) > 16);
    }
    return small && !strcmp(insn->opcode->name, "bswap");
}

/* --- sequences -------------------------------------------------------------------------------- */

/* A relative jump whose displacement ends at .end of the code. */
typedef struct Jump {
    unsigned insn, end, size;
} Jump;

typedef struct Writer {
    DiffSequence *sequence;
    uint64_t address;
    unsigned n; /* bytes so far */
    Jump jumps[2 * DIFF_MAX_INSNS + 2];
    unsigned n_jumps;
} Writer;

static void append(Writer *w, const uint8_t *bytes, unsigned n)
{
    w->sequence->starts[w->sequence->n_insns++] = (uint8_t)w->n;
    memcpy(w->sequence->code + w->n, bytes, n);
    w->n += n;
}

/* Jumps go to a later instruction, or to the end. */
static void aim_jumps(Generator *g, Writer *w)
{
    w->sequence->starts[w->sequence->n_insns] = (uint8_t)w->n;
    for (unsigned i = 0; i < w->n_jumps; i++) {
        const Jump *jump = &w->jumps[i];
        unsigned left = w->sequence->n_insns - jump->insn;
        unsigned target = w->sequence->starts[jump->insn + 1 + below(g, left)];
        uint64_t displacement = target - jump->end;
        memcpy(w->sequence->code + jump->end - jump->size, &displacement, jump->size);
    }
}

/* Add a random instruction; false: none was found or fits.  *ret_more: another may follow. */
static bool add_insn(Generator *g, Writer *w, bool *ret_more)
{
    static const uint8_t compare[] = { 0x3c, 0x55 }; /* CMP AL, 55h: defines all flags */
    X86Insn insn;

    for (unsigned tries = 0; tries < 100; tries++) {
        unsigned which = below(g, g->templates->len);
        Template *template = &g_array_index(g->templates, Template, which);
        Draft draft = { .disp_at = -1, .mode = w->sequence->mode, .plain = w->sequence->plain };
        if (!draft_insn(g, template, w->address + w->n, &draft, &insn) ||
            is_undefined_result(&insn) || (draft.plain && !twin_possible(&insn))) {
            continue;
        }
        if (w->n + draft.n + 4 > DIFF_SLOT) {
            return false;
        }
        template->used++;
        append(w, draft.bytes, draft.n);
        if (insn.op[0].kind == OPERAND_REL) {
            w->jumps[w->n_jumps++] = (Jump){ w->sequence->n_insns - 1, w->n, insn.op[0].size };
        }
        w->sequence->undefined_flags = undefined_by(&insn);
        *ret_more = !w->sequence->undefined_flags;
        if (w->sequence->undefined_flags && one_in(g, 2)) {
            append(w, compare, sizeof(compare));
            w->sequence->undefined_flags = 0;
            *ret_more = true;
        }
        return true;
    }
    return false;
}

/* --- state ------------------------------------------------------------------------------------ */

static void set_registers(Generator *g, DiffState *state)
{
    for (unsigned i = 0; i < 16; i++) {
        state->gpr[i] = interesting(g);
    }
    for (unsigned i = 0; i < sizeof(pointers); i++) {
        unsigned offset = 0x200 + below(g, DIFF_DATA_SIZE - 0x600);
        state->gpr[pointers[i]] = DIFF_DATA + (one_in(g, 4) ? offset : offset & ~15U);
        state->gpr[8 + pointers[i]] = DIFF_DATA + (below(g, DIFF_DATA_SIZE - 0x600) & ~7U);
    }
    if (one_in(g, 4)) { /* strings that overlap */
        state->gpr[X86_RDI] = state->gpr[X86_RSI] + below(g, 48) - 24;
    }
    state->gpr[X86_RSP] = DIFF_DATA + 0x400 + (below(g, DIFF_DATA_SIZE - 0x800) & ~7U);
    if (!one_in(g, 8)) {
        state->gpr[X86_RCX] = below(g, 80);
        state->gpr[9] = below(g, 80);
    }
    state->rflags =
        FLAG_FIXED | FLAG_IF | (random64(g) & FLAGS_ARITH) | (one_in(g, 6) ? FLAG_DF : 0);
}

/* A register of the x87: numbers around 1, of any size, at edges of formats, and what is none. */
static void set_st(Generator *g, uint8_t *st)
{
    static const uint16_t edges[] = { 0,      0,      1,      0x3fff, 0x7fff, 0x7ffe,
                                      0x3f81, 0x3f80, 0x3f6a, 0x407e, 0x3c01, 0x3c00,
                                      0x3bcc, 0x43fe, 0x400e, 0x401e, 0x403e };
    uint64_t mantissa = random64(g) | (one_in(g, 16) ? 0 : UINT64_C(1) << 63);
    unsigned exponent = 0x3fff - 8 + below(g, 16);

    switch (below(g, 6)) {
    case 0:
    case 1:
        exponent = below(g, 0x8000);
        break;
    case 2:
        exponent = edges[below(g, G_N_ELEMENTS(edges))];
        mantissa = one_in(g, 2) ? mantissa << 40 | UINT64_C(1) << 63 : mantissa;
        mantissa = one_in(g, 4) ? mantissa << below(g, 64) : mantissa;
        break;
    default:
        break;
    }
    store_le64(st, mantissa);
    store_le16(st + 8, (uint16_t)(exponent | below(g, 2) << 15));
}

static void set_fpu(Generator *g, uint8_t *image)
{
    unsigned control = 0x37f, status = 0, mxcsr = 0x1f80;

    memset(image, 0, DIFF_FXSAVE);
    if (one_in(g, 2)) {
        control =
            (control & ~0xf00U) | below(g, 4) << 10 | (one_in(g, 2) ? 0x300 : below(g, 2) << 9);
        status = (unsigned)(random64(g) & 0x7f3f) & ~0x80U;
        mxcsr |= below(g, 4) << 13 | (one_in(g, 4) ? 0x8000 : 0) | (one_in(g, 4) ? 0x40 : 0) |
                 below(g, 64);
    }
    if (one_in(g, 8)) {
        control &= ~below(g, 64);
        status &= ~(~control & 0x3f); /* none waits */
    }
    store_le16(image, (uint16_t)control);
    store_le16(image + 2, (uint16_t)status);
    image[4] = one_in(g, 2) ? (uint8_t)random64(g) : 0xff;
    store_le32(image + 24, mxcsr);
    store_le32(image + 28, 0xffff);
    for (unsigned i = 0; i < 8; i++) {
        set_st(g, image + 32 + 16 * i);
    }
    for (unsigned i = 0; i < 32; i++) {
        uint64_t value = interesting_float(g);
        store_le64(image + 160 + 8 * i, value);
    }
}

/* Numbers that serve as indexes into the window and as counts of shifts. */
static void set_small_vectors(Generator *g, DiffState *state)
{
    for (unsigned i = 0; i < 16; i++) {
        if (one_in(g, 3)) {
            uint64_t mask = one_in(g, 2) ? UINT64_C(0x000000ff000000ff) : 0xff;
            for (unsigned k = 0; k < 2; k++) {
                uint64_t low = random64(g) & mask, high = random64(g) & mask;
                store_le64(state->fxsave + 160 + 16 * i + 8 * k, low);
                store_le64(state->upper + 16 * i + 8 * k, high);
            }
        }
    }
}

static void set_upper(Generator *g, DiffState *state)
{
    if (one_in(g, 8)) {
        return; /* all zeros */
    }
    for (unsigned i = 0; i < DIFF_UPPER; i += 8) {
        uint64_t value = interesting_float(g);
        store_le64(state->upper + i, value);
    }
    if (one_in(g, 3)) {
        set_small_vectors(g, state);
    }
}

static void fill_window(Generator *g, uint8_t *data)
{
    for (unsigned i = 0; i < DIFF_DATA_SIZE; i += 8) {
        uint64_t value = one_in(g, 2) ? interesting_float(g) : interesting(g);
        store_le64(data + i, value);
    }
}

static void make_sequence(Generator *g, DiffSequence *sequence, unsigned slot)
{
    Writer w = { .sequence = sequence, .address = diff_address(slot) };
    unsigned wanted = 1 + below(g, DIFF_MAX_INSNS);
    bool more = true;

    memset(sequence, 0, sizeof(*sequence));
    memset(sequence->code, DIFF_END, DIFF_SLOT);
    sequence->mode = g->code32 && one_in(g, 4) ? X86_MODE32 : X86_MODE64;
    sequence->plain = sequence->mode == X86_MODE64 && one_in(g, 3);
    for (unsigned i = 0; i < wanted && more; i++) {
        if (!add_insn(g, &w, &more)) {
            break;
        }
    }
    aim_jumps(g, &w);
    if (sequence->plain) {
        make_twins(sequence);
    }
    set_registers(g, &sequence->in);
    set_fpu(g, sequence->in.fxsave);
    if (g->avx) {
        set_upper(g, &sequence->in);
    }
    sequence->in.rip = w.address;
    if (sequence->mode == X86_MODE32 || sequence->plain) {
        for (unsigned i = 0; i < 16; i++) {
            sequence->in.gpr[i] = i < 8 ? (uint32_t)sequence->in.gpr[i] : 0;
        }
        memset(sequence->in.fxsave + 160 + 128, 0, 128);
        memset(sequence->in.upper + 128, 0, 128);
    }
}

void generator_fill(Generator *g, DiffBatch *batch)
{
    batch->n = DIFF_BATCH;
    fill_window(g, batch->data);
    for (unsigned i = 0; i < DIFF_BATCH; i++) {
        make_sequence(g, &batch->sequence[i], i);
    }
}

/* --- report ----------------------------------------------------------------------------------- */

static const char *reason_for(const Template *template)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(left_out); i++) {
        if (!strcmp(template->row->name, left_out[i].name)) {
            return left_out[i].reason;
        }
    }
    return template->row->feature ? "not in the CPU model" : "loads a segment";
}

void generator_report(const Generator *g)
{
    for (unsigned i = 0; i < g->templates->len; i++) {
        const Template *template = &g_array_index(g->templates, Template, i);
        if (!template->used) {
            printf("# never made: %s (map %u, code %02x)\n", template->row->name, template->map,
                   template->code);
        }
    }
    for (unsigned i = 0; i < g->unused->len; i++) {
        const Template *template = &g_array_index(g->unused, Template, i);
        printf("# left out: %s: %s\n", template->row->name, reason_for(template));
    }
}
