/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The translator's side of the differential test, see diff.h.
 *
 * The guest is in ring 3 with page tables that map just CODE and DATA.  Its GuestIsa is the real
 * one but for delivery: an exception ends the run, and is what is compared.  INT3 shows up as the
 * #GP that a missing IDT makes of it.
 *
 * Threads: one.
 */
#include <string.h>

#include "common/bits.h"
#include "diff.h"
#include "engine/dbt/guest/x86/cpuid.h"
#include "engine/dbt/guest/x86/x86.h"
#include "engine/dbt/run/exec.h"
#include "engine/dbt/run/mmu.h"

enum {
    TABLES_GPA = 0x1000,
    CODE_GPA = 0x100000,
    DATA_GPA = 0x200000,
    TWIN_GPA = 0x280000,
    TSS_GPA = 0x300000,
    RAM_SIZE = 4 * 1024 * 1024,
    IDT_ERROR = 2,
    CODE_SIZE = DIFF_BATCH * DIFF_SLOT,
    TWIN_SIZE = DIFF_TWINS * CODE_SIZE,
    FSW_TOP = 0x3800,
};
/* Where the kernel's part is. */
#define TSS UINT64_C(0xffff800000000000)

#define PTE_P  UINT64_C(1)
#define PTE_W  UINT64_C(2)
#define PTE_U  UINT64_C(4)
#define PTE_A  UINT64_C(0x20)
#define PTE_D  UINT64_C(0x40)
#define PTE_NX (UINT64_C(1) << 63)

struct Guest {
    GuestMemory *memory;
    Clock *clock;
    GuestIsa isa;
    DbtVm *vm;
    DbtCpu *cpu;
    uint8_t *code, *twins, *data; /* hva */
    unsigned next_table;
    const char *difference;
};

/* isa->deliver: leave dbt_run(). */
static void end_run(DbtCpu *cpu)
{
    cpu->shutdown = true;
}

/* --- page tables ------------------------------------------------------------------------------ */

static uint64_t *table_at(Guest *guest, uint64_t gpa)
{
    return gm_ram(guest->memory, gpa, 4096);
}

static void map_page(Guest *guest, uint64_t gva, uint64_t gpa, uint64_t flags)
{
    uint64_t *table = table_at(guest, TABLES_GPA);

    for (unsigned level = 3; level > 0; level--) {
        uint64_t *entry = &table[bits_get(gva, 12 + 9 * level, 9)];
        if (!*entry) {
            *entry = (TABLES_GPA + 0x1000 * ++guest->next_table) | PTE_P | PTE_W | PTE_U | PTE_A;
        }
        table = table_at(guest, *entry & ~UINT64_C(0xfff));
    }
    table[bits_get(gva, 12, 9)] = gpa | flags | PTE_P | PTE_A;
}

static void map(Guest *guest, uint64_t gva, uint64_t gpa, uint64_t size, uint64_t flags)
{
    for (uint64_t at = 0; at < size; at += 4096) {
        map_page(guest, gva + at, gpa + at, flags);
    }
}

/* --- set-up ----------------------------------------------------------------------------------- */

static void set_system_state(Guest *guest)
{
    const X86Segment data = { 0, UINT32_MAX, DIFF_DS, 0xc0f3 };
    X86State state;

    x86_get_state(guest->cpu, &state);
    state.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
    state.cr3 = TABLES_GPA;
    state.cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    if (x86_cpu(guest->cpu)->model->has[X86_FEATURE_AVX]) {
        state.cr4 |= CR4_OSXSAVE;
        state.xcr0 = 7;
    }
    state.msr.efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
    state.segment[X86_CS] = (X86Segment){ 0, UINT32_MAX, DIFF_CS64, 0xa0fb };
    state.segment[X86_SS] = data;
    state.segment[X86_DS] = data;
    state.segment[X86_ES] = data;
    state.segment[X86_FS] = (X86Segment){ 0 };
    state.segment[X86_GS] = (X86Segment){ .base = DIFF_GS_BASE };
    state.tr = (X86Segment){ TSS, 0x67, 0x40, 0x8b };
    state.idtr = (X86Table){ 0, 0 };
    state.rip = DIFF_CODE;
    state.rflags = FLAG_FIXED | FLAG_IF;
    state.activity = X86_RUNNING;
    g_autoptr(GError) error = NULL;
    bool set = x86_set_state(guest->cpu, &state, &error);
    g_assert_no_error(error);
    g_assert_true(set);
}

const char *guest_difference(const Guest *guest)
{
    return guest->difference;
}

Guest *guest_new(const Backend *backend, const X86CpuModel *model, bool check)
{
    Guest *guest = g_new0(Guest, 1);
    g_autoptr(GError) error = NULL;

    guest->memory = gm_new();
    gm_add_ram(guest->memory, 0, RAM_SIZE, &error);
    g_assert_no_error(error);
    guest->clock = clock_new_manual();
    guest->isa = x86_isa;
    guest->isa.deliver = end_run;
    const EngineConfig config = { .memory = guest->memory, .clock = guest->clock, .cpus = 1 };
    guest->vm = dbt_vm_new(&guest->isa, &config, &error);
    g_assert_no_error(error);
    if (check) {
        dbt_vm_set_check(guest->vm, backend, 0, &error);
    } else {
        dbt_vm_set_backend(guest->vm, backend, &error);
    }
    g_assert_no_error(error);
    guest->cpu = dbt_cpu_new(guest->vm, 0);
    x86_vcpu_init(guest->cpu, model);
    for (uint64_t base = 0; base <= DIFF_BASE; base += DIFF_BASE) {
        map(guest, base + DIFF_CODE, CODE_GPA, CODE_SIZE, PTE_U);
        map(guest, base + DIFF_TWIN_CODE, TWIN_GPA, TWIN_SIZE, PTE_U);
        map(guest, base + DIFF_DATA, DATA_GPA, DIFF_DATA_SIZE, PTE_U | PTE_W | PTE_D | PTE_NX);
    }
    map(guest, TSS, TSS_GPA, 4096, PTE_NX);
    /* no I/O map: its offset lies behind the limit */
    store_le16((uint8_t *)gm_ram(guest->memory, TSS_GPA, 4096) + 0x66, 0x8000);
    guest->code = gm_ram(guest->memory, CODE_GPA, CODE_SIZE);
    guest->twins = gm_ram(guest->memory, TWIN_GPA, TWIN_SIZE);
    guest->data = gm_ram(guest->memory, DATA_GPA, DIFF_DATA_SIZE);
    set_system_state(guest);
    return guest;
}

void guest_free(Guest *guest)
{
    x86_vcpu_free(guest->cpu);
    dbt_cpu_free(guest->cpu);
    dbt_vm_free(guest->vm);
    clock_free(guest->clock);
    gm_free(guest->memory);
    g_free(guest);
}

void guest_load(Guest *guest, const DiffBatch *batch)
{
    memset(guest->code, DIFF_END, CODE_SIZE);
    memset(guest->twins, DIFF_END, TWIN_SIZE);
    for (unsigned i = 0; i < batch->n; i++) {
        const DiffSequence *sequence = &batch->sequence[i];
        memcpy(guest->code + (size_t)i * DIFF_SLOT, sequence->code, DIFF_SLOT);
        for (unsigned k = 0; k < DIFF_TWINS && sequence->plain; k++) {
            size_t slot = (size_t)i * DIFF_TWINS + k;
            memcpy(guest->twins + slot * DIFF_SLOT, sequence->twin[k].code, DIFF_SLOT);
        }
    }
    gm_written(guest->memory, CODE_GPA, CODE_SIZE);
    gm_written(guest->memory, TWIN_GPA, TWIN_SIZE);
}

/* --- a run ------------------------------------------------------------------------------------ */

static void set_fpu(X86Cpu *cpu, const DiffState *in)
{
    const uint8_t *image = in->fxsave;

    cpu->fcw = load_le16(image);
    cpu->fsw = load_le16(image + 2) & ~FSW_TOP;
    cpu->top = (load_le16(image + 2) & FSW_TOP) >> 11;
    cpu->tags = image[4];
    cpu->mxcsr = load_le32(image + 24);
    for (unsigned i = 0; i < 8; i++) {
        X87Reg *reg = &cpu->st[(cpu->top + i) & 7];
        reg->mantissa = load_le64(image + 32 + 16 * i);
        reg->sign_exponent = load_le16(image + 40 + 16 * i);
    }
    for (unsigned i = 0; i < 16; i++) {
        memcpy(&cpu->vector[i], image + 160 + 16 * i, 16);
        memcpy(cpu->vector[i].u8 + 16, in->upper + 16 * i, 16);
    }
}

static void get_fpu(const X86Cpu *cpu, DiffState *out)
{
    uint8_t *image = out->fxsave;

    memset(image, 0, DIFF_FXSAVE);
    store_le16(image, cpu->fcw);
    store_le16(image + 2, (uint16_t)(cpu->fsw | cpu->top << 11));
    image[4] = cpu->tags;
    store_le32(image + 24, cpu->mxcsr);
    for (unsigned i = 0; i < 8; i++) {
        const X87Reg *reg = &cpu->st[(cpu->top + i) & 7];
        store_le64(image + 32 + 16 * i, reg->mantissa);
        store_le16(image + 40 + 16 * i, reg->sign_exponent);
    }
    for (unsigned i = 0; i < 16; i++) {
        memcpy(image + 160 + 16 * i, &cpu->vector[i], 16);
        memcpy(out->upper + 16 * i, cpu->vector[i].u8 + 16, 16);
    }
}

/* Segments for code of @mode. */
static void set_segments(X86Cpu *cpu, const GuestRun *run)
{
    static const uint16_t attributes[] = { 0x80fb, 0xc0fb, 0xa0fb };
    static const uint8_t data[] = { X86_DS, X86_ES, X86_SS };

    cpu->segment[X86_CS].attributes = attributes[run->mode];
    cpu->segment[X86_CS].selector = run->mode == X86_MODE64 ? DIFF_CS64 : DIFF_CS32;
    cpu->segment[X86_CS].base = run->base;
    for (unsigned i = 0; i < G_N_ELEMENTS(data); i++) {
        cpu->segment[data[i]].base = run->data_base ? run->data_base : run->base;
        cpu->segment[data[i]].attributes = run->stack16 ? 0x80f3 : 0xc0f3;
    }
}

static void enter(X86Cpu *cpu, const DiffSequence *sequence, const GuestRun *run)
{
    const DiffState *in = &sequence->in;
    bool twin = run->mode != sequence->mode;

    memcpy(cpu->gpr, in->gpr, sizeof(cpu->gpr));
    set_segments(cpu, run);
    x86_set_rflags(cpu, in->rflags | FLAG_IF, FLAGS_ARITH | FLAG_DF | FLAG_IF | FLAG_TF | FLAG_RF);
    set_fpu(cpu, in);
    cpu->base.pc = run->base + (twin ? diff_twin_address(run->index, run->mode) : in->rip);
    cpu->base.shutdown = false;
    cpu->base.key_stale = true;
}

/* An interrupt through the IDT, which isn't there: #GP names the vector. */
static void leave(X86Cpu *cpu, uint64_t segments, DiffState *out)
{
    const X86Exception *exception = &cpu->exception;

    memcpy(out->gpr, cpu->gpr, sizeof(out->gpr));
    out->rip = cpu->base.pc - segments;
    out->rflags = x86_get_rflags(cpu);
    out->vector = exception->vector;
    out->error_code = exception->has_error ? exception->error_code : 0;
    out->cr2 = segments ? (uint32_t)(cpu->cr2 - segments) : cpu->cr2;
    if (exception->vector == EXC_GP && out->error_code == (EXC_BP << 3 | IDT_ERROR)) {
        out->vector = EXC_BP;
        out->error_code = 0;
        out->rip++;
    }
    get_fpu(cpu, out);
}

void guest_run(Guest *guest, DiffBatch *batch, const GuestRun *run, const uint8_t **ret_data)
{
    DiffSequence *sequence = &batch->sequence[run->index];
    X86Cpu *cpu = x86_cpu(guest->cpu);
    VcpuExit exit;

    memcpy(guest->data, batch->data, DIFF_DATA_SIZE);
    enter(cpu, sequence, run);
    dbt_run(guest->cpu, &exit);
    if (exit.reason == VCPU_EXIT_DIFFERENCE) {
        guest->difference = exit.report;
    } else {
        g_assert_cmpint(exit.reason, ==, VCPU_EXIT_SHUTDOWN);
    }
    leave(cpu, run->base, &sequence->guest);
    *ret_data = guest->data;
}
