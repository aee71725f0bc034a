/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions and addresses that 64-bit code doesn't have, which the differential test can't
 * reach on a CPU in 64-bit mode: a table of cases with results by the manual (SDM volume 2).
 *
 * Each case is a few bytes of 16- or 32-bit code in ring 3, with data segments that begin at the
 * data window, and ends with INT3.
 *
 * Threads: one.
 */
#include <string.h>

#include "common/bits.h"
#include "diff.h"
#include "engine/dbt/guest/x86/x86.h"
#include "engine/dbt/host/interp/interp.h"

enum { STACK = 0x1000 };

typedef struct Case {
    const char *name;
    unsigned bits;    /* 16 or 32 */
    const char *code; /* in hex, with spaces */
    struct {
        uint32_t eax, ecx, edx, ebx, esi, edi, flags;
    } in;
    struct {
        uint32_t eax, ecx, edx, ebx, esi, edi, flags;
    } out;
    uint32_t undefined; /* flags not looked at */
    unsigned vector;    /* of the end; 0: INT3 */
    uint32_t esp, at;   /* expected: 0: as at the start; word at offset .at */
    uint32_t value;
} Case;

enum { CF = FLAG_CF, PF = FLAG_PF, AF = FLAG_AF, ZF = FLAG_ZF, SF = FLAG_SF, OF = FLAG_OF };

/* clang-format off */
static const Case cases[] = {
    { "daa-carries", 32, "27", { .eax = 0xae }, { .eax = 0x14, .flags = CF | AF | PF }, OF },
    { "daa-nothing", 32, "27", { .eax = 0x45 }, { .eax = 0x45 }, OF },
    { "daa-by-flags", 32, "27", { .eax = 0x02, .flags = CF | AF },
      { .eax = 0x68, .flags = CF | AF }, OF },
    { "daa-just-above-99", 32, "27", { .eax = 0x9a },
      { .eax = 0, .flags = CF | AF | ZF | PF }, OF },
    { "daa-at-99", 32, "27", { .eax = 0x99 }, { .eax = 0x99, .flags = SF | PF }, OF },
    { "das-borrows", 32, "2f", { .eax = 0xee, .flags = CF | AF },
      { .eax = 0x88, .flags = CF | AF | SF | PF }, OF },
    { "das-low-borrow", 32, "2f", { .eax = 0x03, .flags = AF },
      { .eax = 0xfd, .flags = CF | AF | SF }, OF },
    { "aaa", 32, "37", { .eax = 0x000f }, { .eax = 0x0105, .flags = CF | AF }, OF | SF | ZF | PF },
    { "aaa-carry-over-ff", 32, "37", { .eax = 0x00fa },
      { .eax = 0x0200, .flags = CF | AF }, OF | SF | ZF | PF },
    { "aaa-nothing", 32, "37", { .eax = 0x0305 }, { .eax = 0x0305 }, OF | SF | ZF | PF },
    { "aas", 32, "3f", { .eax = 0x020f }, { .eax = 0x0109, .flags = CF | AF }, OF | SF | ZF | PF },
    { "aam", 32, "d4 0a", { .eax = 0x7b }, { .eax = 0x0c03, .flags = PF }, OF | AF | CF },
    { "aam-by-zero", 32, "d4 00", { .eax = 0x7b }, { .eax = 0x7b }, 0, 0x100 | EXC_DE },
    { "aad", 32, "d5 0a", { .eax = 0x0c03 }, { .eax = 0x7b, .flags = PF }, OF | AF | CF },
    { "salc-set", 32, "d6", { .eax = 0x1200, .flags = CF }, { .eax = 0x12ff, .flags = CF } },
    { "salc-clear", 32, "d6", { .eax = 0x12ff }, { .eax = 0x1200 } },
    { "inc-dec-short", 32, "40 4b", { .eax = UINT32_MAX, .ebx = 1, .flags = CF },
      { .eax = 0, .ebx = 0, .flags = CF | ZF | PF } },
    { "inc-short-16", 16, "41", { .ecx = 0x1ffff }, { .ecx = 0x10000, .flags = ZF | PF | AF } },
    { "82-is-80", 32, "82 c0 ff", { .eax = 1 }, { .eax = 0, .flags = CF | AF | ZF | PF } },
    { "pusha-stores", 32, "60", { .eax = 1, .ecx = 2, .edx = 3, .ebx = 4, .esi = 5, .edi = 6 },
      { .eax = 1, .ecx = 2, .edx = 3, .ebx = 4, .esi = 5, .edi = 6 },
      .esp = STACK - 32, .at = STACK - 20, .value = STACK },
    { "pusha-popa", 32, "60 31 c0 89 c3 61 ", { .eax = 1, .ecx = 2, .ebx = 4, .edi = 6 },
      { .eax = 1, .ecx = 2, .ebx = 4, .edi = 6, .flags = ZF | PF }, AF },
    { "pusha-16", 16, "60", { .eax = 0x12345678 }, { .eax = 0x12345678 },
      .esp = STACK - 16, .at = STACK - 2, .value = 0x5678 },
    { "bound-inside", 32, "62 06", { .eax = 0, .esi = 0x100 }, { .eax = 0, .esi = 0x100 } },
    { "bound-below", 32, "62 06", { .eax = 0x80000000, .esi = 0x100 },
      { .eax = 0x80000000, .esi = 0x100 }, 0, 0x100 | EXC_BR },
    { "bound-above", 32, "62 06", { .eax = 1, .esi = 0x100 },
      { .eax = 1, .esi = 0x100 }, 0, 0x100 | EXC_BR },
    { "into-not", 32, "ce", { 0 }, { 0 } },
    { "into", 32, "ce", { .flags = OF }, { .flags = OF }, 0, EXC_OF },
    { "arpl-raises", 32, "63 d8", { .eax = 0x1231, .ebx = 3 },
      { .eax = 0x1233, .ebx = 3, .flags = ZF } },
    { "arpl-not", 32, "63 d8", { .eax = 0x1233, .ebx = 1, .flags = ZF },
      { .eax = 0x1233, .ebx = 1 } },
    { "moffs-32", 32, "a3 00 02 00 00 a1 00 02 00 00", { .eax = 7 }, { .eax = 7 },
      .at = 0x200, .value = 7 },
    { "moffs-16", 16, "a3 00 02 66 a1 00 02", { .eax = 0x10007 }, { .eax = 7 },
      .at = 0x200, .value = 7 },
    { "bx-si-disp8", 16, "c6 40 7f 55", { .ebx = 0x100, .esi = 0x21 },
      { .ebx = 0x100, .esi = 0x21 }, .at = 0x1a0, .value = 0x55 },
    { "bx-si-wraps", 16, "c6 00 66", { .ebx = 0xffff, .esi = 0x201 },
      { .ebx = 0xffff, .esi = 0x201 }, .at = 0x200, .value = 0x66 },
    { "di-disp16", 16, "c7 85 00 01 34 12", { .edi = 0x200 }, { .edi = 0x200 },
      .at = 0x300, .value = 0x1234 },
    { "disp16", 16, "c7 06 00 03 78 56", { 0 }, { 0 }, .at = 0x300, .value = 0x5678 },
    { "lea-16", 16, "8d 41 fe", { .eax = 0x50000, .ebx = 1, .edi = 0 },
      { .eax = 0x5ffff, .ebx = 1 } },
    { "lea-67-in-32", 32, "67 8d 41 fe", { .eax = 0x50000, .ebx = 1, .edi = 0 },
      { .eax = 0xffff, .ebx = 1 } },
    { "loop-uses-cx", 16, "e2 01 40", { .ecx = 0x10001 }, { .eax = 1, .ecx = 0x10000 } },
    { "jcxz", 16, "e3 01 40", { .ecx = 0x10000 }, { .ecx = 0x10000 } },
    { "jecxz-by-67", 16, "67 e3 01 40", { .ecx = 0x10000 }, { .eax = 1, .ecx = 0x10000 } },
    { "stos-16-wraps-di", 16, "aa", { .eax = 0x77, .edi = 0x1ffff },
      { .eax = 0x77, .edi = 0x1ffff }, 0, 0x100 | EXC_PF },
    { "stos-16", 16, "ab", { .eax = 0x7788, .edi = 0x50200 }, { .eax = 0x7788, .edi = 0x50202 },
      .at = 0x200, .value = 0x7788 },
    { "rep-stos-16-uses-cx", 16, "f3 aa", { .eax = 0x99, .ecx = 0x70002, .edi = 0x200 },
      { .eax = 0x99, .ecx = 0x70000, .edi = 0x202 }, .at = 0x200, .value = 0x9999 },
    { "push-16", 16, "68 34 12", { 0 }, { 0 }, .esp = STACK - 2, .at = STACK - 2, .value = 0x1234 },
    { "push-32-in-16", 16, "66 68 78 56 34 12", { 0 }, { 0 },
      .esp = STACK - 4, .at = STACK - 4, .value = 0x12345678 },
    { "push-cs", 32, "0e", { 0 }, { 0 }, .esp = STACK - 4, .at = STACK - 4, .value = DIFF_CS32 },
    { "enter-leave", 32, "c8 10 00 00 c9", { 0 }, { 0 } },
    { "call-ret", 32, "e8 01 00 00 00 cc 58 50 c3", { 0 }, { .eax = 5 } },
    { "call-ret-16", 16, "e8 01 00 cc 58 50 c3", { 0 }, { .eax = 3 } },
    { "les-of-register-is-none", 32, "c4 c0", { 0 }, { 0 }, 0, 0x100 | EXC_UD },
    { "syscall-is-not-hidden-by-16", 16, "0f 0b", { 0 }, { 0 }, 0, 0x100 | EXC_UD },
    { "xlat-16", 16, "d7", { .eax = 0x3, .ebx = 0x1fffd }, { .eax = 0x11, .ebx = 0x1fffd } },
};
/* clang-format on */

static unsigned parse_code(const char *hex, uint8_t *code)
{
    unsigned n = 0;
    char *end = NULL;

    for (const char *at = hex; *at; at = end) {
        code[n++] = (uint8_t)g_ascii_strtoull(at, &end, 16);
        end += strspn(end, " ");
    }
    return n;
}

static X86Mode mode_of(const Case *test)
{
    return test->bits == 16 ? X86_MODE16 : X86_MODE32;
}

static void set_up(const Case *test, DiffBatch *batch)
{
    DiffSequence *sequence = &batch->sequence[0];
    DiffState *in = &sequence->in;

    batch->n = 1;
    batch->data[0] = 0x11; /* for XLAT; at 100h are the bounds 0, 0 */
    memset(sequence->code, DIFF_END, DIFF_SLOT);
    sequence->mode = mode_of(test);
    parse_code(test->code, sequence->code);
    in->gpr[X86_RAX] = test->in.eax;
    in->gpr[X86_RCX] = test->in.ecx;
    in->gpr[X86_RDX] = test->in.edx;
    in->gpr[X86_RBX] = test->in.ebx;
    in->gpr[X86_RSI] = test->in.esi;
    in->gpr[X86_RDI] = test->in.edi;
    in->gpr[X86_RSP] = STACK;
    in->gpr[X86_RBP] = 0;
    in->rflags = FLAG_FIXED | test->in.flags;
    in->rip = 0;
    store_le32(in->fxsave + 24, 0x1f80);
}

/* Faults stay in front of the instruction; vectors without 100h come through the IDT. */
static void check_end(const Case *test, const DiffState *end)
{
    if (test->vector == 0) {
        g_assert_cmpuint(end->vector, ==, EXC_BP);
    } else if (test->vector & 0x100) {
        g_assert_cmpuint(end->vector, ==, test->vector & 0xff);
        g_assert_cmphex(end->rip, ==, 0);
    } else {
        g_assert_cmpuint(end->vector, ==, EXC_GP);
        g_assert_cmphex(end->error_code, ==, test->vector << 3 | 2);
    }
}

static void run_case(gconstpointer data)
{
    const Case *test = data;
    g_autofree DiffBatch *batch = g_new0(DiffBatch, 1);
    Guest *guest = guest_new(&interp_backend, x86_cpu_model_find(NULL, false), false);
    const GuestRun run = { .mode = mode_of(test),
                           .base = DIFF_CODE,
                           .data_base = DIFF_DATA,
                           .stack16 = test->bits == 16 };
    const uint8_t *window;

    set_up(test, batch);
    guest_load(guest, batch);
    guest_run(guest, batch, &run, &window);
    const DiffState *end = &batch->sequence[0].guest;
    check_end(test, end);
    g_assert_cmphex(end->gpr[X86_RAX], ==, test->out.eax);
    g_assert_cmphex(end->gpr[X86_RCX], ==, test->out.ecx);
    g_assert_cmphex(end->gpr[X86_RDX], ==, test->out.edx);
    g_assert_cmphex(end->gpr[X86_RBX], ==, test->out.ebx);
    g_assert_cmphex(end->gpr[X86_RSI], ==, test->out.esi);
    g_assert_cmphex(end->gpr[X86_RDI], ==, test->out.edi);
    g_assert_cmphex(end->gpr[X86_RSP], ==, test->esp ? test->esp : STACK);
    uint64_t flags = FLAGS_ARITH & ~(uint64_t)test->undefined;
    g_assert_cmphex(end->rflags & flags, ==, test->out.flags & flags);
    if (test->at) {
        uint32_t found = load_le32(window + test->at);
        g_assert_cmphex(found, ==, test->value);
    }
    guest_free(guest);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strconcat("/legacy/", cases[i].name, NULL);
        g_test_add_data_func(path, &cases[i], run_case);
    }
    return g_test_run();
}
