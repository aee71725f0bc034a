/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x87 against an x86-64 host's own.
 *
 * Each row of the opcode tables D8 to DF is encoded into a piece of code that loads a random x87
 * state, runs the instruction and saves the state; registers, tags, control and status word,
 * memory operand and EFLAGS must be the same as ours, with exceptions masked and unmasked.
 * INSULA_TEST_ROUNDS multiplies the number of rounds, INSULA_TEST_SEED chooses another sequence.
 *
 * Threads: one.
 */
#include <glib.h>
#include <sys/mman.h>

#include "common/bits.h"
#include "engine/dbt/guest/x86/tables.h"
#include "engine/dbt/guest/x86/tr_x87.h"
#include "engine/dbt/guest/x86/x87.h"

enum { ROUNDS = 1500, CODE_SIZE = 256 };

/* What the code works on: RDI points here. */
typedef struct Frame {
    uint8_t image[X87_STATE_SIZE];
    uint8_t pad[4];
    uint8_t memory[16]; /* the operand, at 112 */
    uint64_t eflags;    /* at 128 */
} Frame;

typedef struct Case {
    const X86Opcode *row;
    uint8_t code, modrm; /* .modrm with mod 0 for memory */
    bool unmasked;
} Case;

static struct {
    uint8_t *code;
    uint8_t *page; /* guest memory: at the same gva */
    X86Cpu *cpu;
} bench;

/* --- random state */

static uint16_t random_exponent(GRand *rand)
{
    static const uint16_t special[] = {
        0,      0,      1,      2,      0x3fbf, 0x3ffe, 0x3fff, 0x3fff, 0x4000, 0x400e,
        0x401e, 0x403d, 0x403e, 0x403f, 0x43fe, 0x43ff, 0x407e, 0x3f80, 0x3f81, 0x3f6a,
        0x3c00, 0x3c01, 0x3bcc, 0x7ffd, 0x7ffe, 0x7fff, 0x7fff, 0x6000, 0x2000, 0x5fff,
    };

    switch (g_rand_int_range(rand, 0, 3)) {
    case 0:
        return special[g_rand_int_range(rand, 0, G_N_ELEMENTS(special))];
    case 1:
        return (uint16_t)g_rand_int_range(rand, 0x3fff - 70, 0x3fff + 70);
    default:
        return (uint16_t)(g_rand_int(rand) & 0x7fff);
    }
}

static uint64_t random_mantissa(GRand *rand)
{
    uint64_t bits = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);

    switch (g_rand_int_range(rand, 0, 8)) {
    case 0:
        return UINT64_C(1) << 63;
    case 1:
        return UINT64_C(3) << 62;
    case 2:
        return UINT64_MAX;
    case 3:
        return bits << 40 | UINT64_C(1) << 63;
    case 4: /* around the ends of float and double */
        return (bits & UINT64_C(0xffffffffff000c00)) | UINT64_C(1) << 63 | (bits & 1);
    case 5:
        return bits & (bits << 20); /* often an unnormal or a denormal */
    default:
        return bits | UINT64_C(1) << 63;
    }
}

static void randomise_register(GRand *rand, uint8_t *st)
{
    uint16_t exponent = random_exponent(rand);
    uint64_t mantissa = random_mantissa(rand);

    if (!exponent && g_rand_boolean(rand)) {
        mantissa = g_rand_boolean(rand) ? 0 : mantissa & ~(UINT64_C(1) << 63);
    }
    store_le64(st, mantissa);
    store_le16(st + 8, (uint16_t)(exponent | (g_rand_boolean(rand) ? 0x8000 : 0)));
}

/* ST(1) related to ST(0): the same, or one bit away. */
static void relate(GRand *rand, uint8_t *registers)
{
    memcpy(registers + 10, registers, 10);
    if (g_rand_boolean(rand)) {
        unsigned bit = (unsigned)g_rand_int_range(rand, 0, 80);
        registers[10 + bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void randomise_memory(GRand *rand, const Case *c, uint8_t *memory)
{
    uint64_t bits = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
    uint16_t exponent = random_exponent(rand);

    randomise_register(rand, memory);
    if (g_rand_boolean(rand) && c->code != 0xdb) { /* as a float or a double of that size */
        unsigned e32 = exponent % 256, e64 = exponent % 2048;
        bits &= g_rand_boolean(rand) ? UINT64_MAX : UINT64_C(0x8000000080000000);
        store_le64(memory, c->code & 4 ? (bits & ~(UINT64_C(0x7ff) << 52)) | (uint64_t)e64 << 52
                                       : (bits & ~(UINT64_C(0xff) << 23)) | (uint64_t)e32 << 23);
    }
    for (unsigned i = 0; i < 10 && c->code == 0xdf && g_rand_boolean(rand); i++) {
        memory[i] = (uint8_t)(g_rand_int_range(rand, 0, 10) << 4 | g_rand_int_range(rand, 0, 10));
    }
}

static void randomise_frame(GRand *rand, const Case *c, Frame *f)
{
    unsigned control = FCW_FIXED | (g_rand_int(rand) & 0x1f00) | FLOAT_EXCEPTIONS;
    unsigned status = (g_rand_int(rand) & 0x7f7f);
    unsigned tags = 0;

    if (c->unmasked) {
        control &= ~(g_rand_int(rand) & FLOAT_EXCEPTIONS);
    }
    status &= ~(~control & FLOAT_EXCEPTIONS); /* nothing pending */
    if (g_rand_boolean(rand)) {
        tags = 0xffff; /* most empty, but ST(0) and ST(1) */
        tags &= ~(0xfU << 2 * ((status >> FSW_TOP_SHIFT) & 7));
    }
    for (unsigned i = 0; i < 8 && g_rand_int_range(rand, 0, 4) == 0; i++) {
        tags ^= 3U << 2 * g_rand_int_range(rand, 0, 8);
    }
    memset(f, 0, sizeof(*f));
    store_le16(f->image, (uint16_t)control);
    store_le16(f->image + 4, (uint16_t)status);
    store_le16(f->image + 8, (uint16_t)tags);
    uint8_t *registers = f->image + X87_ENVIRONMENT_SIZE;
    for (unsigned i = 0; i < 8; i++) {
        randomise_register(rand, registers + 10 * i);
    }
    if (g_rand_int_range(rand, 0, 4) == 0) {
        relate(rand, registers);
    }
    randomise_memory(rand, c, f->memory);
    f->eflags = (g_rand_int(rand) & FLAGS_ARITH) | FLAG_FIXED | FLAG_IF;
}

/* --- native */

static void put(GByteArray *code, const char *hex)
{
    for (; hex[0]; hex += 2) {
        uint8_t byte = (uint8_t)(g_ascii_xdigit_value(hex[0]) << 4 | g_ascii_xdigit_value(hex[1]));
        g_byte_array_append(code, &byte, 1);
    }
}

static void make_code(const Case *c)
{
    g_autoptr(GByteArray) code = g_byte_array_new();
    uint8_t insn[] = { c->code, c->modrm, 0x70 };
    bool memory = c->modrm < 0xc0;

    G_STATIC_ASSERT(offsetof(Frame, memory) == 112 && offsetof(Frame, eflags) == 128);
    put(code, "dd27ffb7800000009d"); /* frstor (%rdi); push 128(%rdi); popf */
    if (memory) {
        insn[1] |= 0x47; /* 112(%rdi) */
    }
    g_byte_array_append(code, insn, memory ? 3 : 2);
    put(code, "9c8f8780000000dd37c3"); /* pushf; pop 128(%rdi); fnsave (%rdi); ret */
    memcpy(bench.code, code->data, code->len);
}

static void run_native(Frame *f)
{
    ((void (*)(Frame *))(void *)bench.code)(f);
}

/* --- ours: what translated code does */

static uint64_t condition(unsigned cc, uint64_t eflags)
{
    bool yes = false;

    switch (cc >> 1) {
    case 1:
        yes = eflags & FLAG_CF;
        break;
    case 2:
        yes = eflags & FLAG_ZF;
        break;
    case 3:
        yes = eflags & (FLAG_CF | FLAG_ZF);
        break;
    default:
        yes = eflags & FLAG_PF;
        break;
    }
    return yes != (cc & 1);
}

static uint64_t memory_value(const Case *c, const Frame *f)
{
    switch (c->row->operand[0]) {
    case Mw:
        return load_le16(f->memory);
    case Md:
        return load_le32(f->memory);
    default:
        return load_le64(f->memory);
    }
}

static void run_ours(const Case *c, Frame *f)
{
    X86Cpu *cpu = bench.cpu;
    X86Rule rule = c->row->rule;
    uint64_t what = c->row->argument | (uint64_t)(c->modrm & 7) << X87_I_SHIFT;
    uint64_t gva = (uint64_t)(uintptr_t)bench.page;

    x87_get_state(cpu, f->image);
    if (rule == tr_x87 && c->modrm < 0xc0) {
        memcpy(bench.page, f->memory, sizeof(f->memory));
        x86_helper_x87_memory(&cpu->base, what, gva, MMU_KERNEL);
        memcpy(f->memory, bench.page, sizeof(f->memory));
    } else if (rule == tr_x87_flags) {
        uint64_t flags = x86_helper_x87(&cpu->base, what, f->eflags & FLAGS_ARITH, 0);
        f->eflags = (f->eflags & ~(uint64_t)FLAGS_ARITH) | flags;
    } else if (rule == tr_x87_cmov) {
        what = (c->row->argument & 0xfff) | (uint64_t)(c->modrm & 7) << X87_I_SHIFT;
        uint64_t value = condition(c->row->argument >> 12, f->eflags);
        x86_helper_x87(&cpu->base, what, value, 0);
    } else {
        x86_helper_x87(&cpu->base, what, memory_value(c, f), 0);
    }
    g_assert(!cpu->base.fault);
    x87_put_state(cpu, f->image);
}

/* --- comparison */

/* The instruction and data pointers, which no helper sets, are left out. */
static bool same(const Frame *a, const Frame *b)
{
    return !memcmp(a->image, b->image, 12) &&
           !memcmp(a->image + X87_ENVIRONMENT_SIZE, b->image + X87_ENVIRONMENT_SIZE,
                   X87_STATE_SIZE - X87_ENVIRONMENT_SIZE) &&
           !memcmp(a->memory, b->memory, sizeof(a->memory)) && a->eflags == b->eflags;
}

static void describe(GString *s, const char *who, const Frame *f)
{
    g_string_append_printf(s, "%-7s cw %04x sw %04x tags %04x flags %lx mem %04x:%016lx\n       ",
                           who, load_le16(f->image), load_le16(f->image + 4),
                           load_le16(f->image + 8), f->eflags & FLAGS_ARITH,
                           load_le16(f->memory + 8), load_le64(f->memory));
    for (unsigned i = 0; i < 8; i++) {
        const uint8_t *st = f->image + X87_ENVIRONMENT_SIZE + 10 * i;
        g_string_append_printf(s, " %04x:%016lx%s", load_le16(st + 8), load_le64(st),
                               i == 3 ? "\n       " : "");
    }
    g_string_append_c(s, '\n');
}

static void check(const Case *c, const Frame *start)
{
    Frame native = *start, ours = *start;

    run_native(&native);
    run_ours(c, &ours);
    if (same(&native, &ours)) {
        return;
    }
    g_autoptr(GString) s = g_string_new(NULL);
    g_string_append_printf(s, "%s %02x %02x\n", c->row->name, c->code, c->modrm);
    describe(s, "start", start);
    describe(s, "native", &native);
    describe(s, "ours", &ours);
    g_printerr("%s", s->str);
    g_test_fail();
}

static unsigned number_from(const char *variable, unsigned otherwise)
{
    const char *text = g_getenv(variable);

    return text ? (unsigned)g_ascii_strtoull(text, NULL, 0) : otherwise;
}

static void test_case(gconstpointer data)
{
    const Case *c = data;
    g_autoptr(GRand) rand = g_rand_new_with_seed(number_from("INSULA_TEST_SEED", 1));
    unsigned rounds = ROUNDS * number_from("INSULA_TEST_ROUNDS", 1);

    make_code(c);
    for (unsigned i = 0; i < rounds && !g_test_failed(); i++) {
        Frame start;
        randomise_frame(rand, c, &start);
        check(c, &start);
    }
}

/* --- the rows */

static bool is_tested(X86Rule rule)
{
    return rule == tr_x87 || rule == tr_x87_flags || rule == tr_x87_cmov ||
           rule == tr_x87_control || rule == tr_x87_load_control;
}

static const X86Opcode *find_row(unsigned code, unsigned modrm)
{
    const X86Opcode *row = &x86_map_x87[code - 0xd8];

    while (row->group) {
        unsigned i = row->select == SELECT_MOD   ? modrm >= 0xc0
                     : row->select == SELECT_REG ? (modrm >> 3) & 7
                                                 : modrm & 7;
        row = &row->group[i];
    }
    return row->name ? row : NULL;
}

static void add_test(unsigned code, unsigned modrm, bool unmasked)
{
    const X86Opcode *row = find_row(code, modrm);

    if (!row || !is_tested(row->rule)) {
        return;
    }
    Case *c = g_new0(Case, 1); /* lives as long as the tests */
    *c = (Case){ .row = row, .code = (uint8_t)code, .modrm = (uint8_t)modrm, .unmasked = unmasked };
    g_autofree char *path =
        g_strdup_printf("/x87%s/%s/%02x-%02x", unmasked ? "-unmasked" : "", row->name, code, modrm);
    g_test_add_data_func(path, c, test_case);
}

static void map_page(X86Cpu *cpu, uint8_t *page)
{
    uint64_t gva = (uint64_t)(uintptr_t)page;
    TlbEntry *entry = tlb_entry(&cpu->base, gva, MMU_KERNEL);

    *entry = (TlbEntry){ .read = gva, .write = gva, .page = PAGE_RAM | PAGE_WRITE };
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    bench.code = mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bench.page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    g_assert(bench.code != MAP_FAILED && bench.page != MAP_FAILED);
    bench.cpu = g_new0(X86Cpu, 1);
    bench.cpu->base.tlb = g_new0(TlbEntry, MMU_INDEXES * TLB_ENTRIES);
    bench.cpu->cr0 = CR0_PE | CR0_NE;
    map_page(bench.cpu, bench.page);
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned code = 0xd8; code <= 0xdf; code++) {
            for (unsigned reg = 0; reg < 8; reg++) {
                add_test(code, reg << 3, i);
            }
            for (unsigned modrm = 0xc0; modrm <= 0xff; modrm++) {
                add_test(code, modrm, i);
            }
        }
    }
    return g_test_run();
}
