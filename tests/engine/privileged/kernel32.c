/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 32-bit test kernel: its tables, its entries, and what puts them back after each case.
 */
#include "kernel32.h"

extern const char stubs[], try_resume[], kernel_done[], fault_entry[];
extern const uint8_t real_blob[], real_blob_end[];
extern const uint32_t real_stubs_offset;
extern word saved_rsp;

uint64_t gdt[GDT_ENTRIES] __attribute__((aligned(16)));
uint64_t idt[512] __attribute__((aligned(4096)));
uint8_t tss[0x2100] __attribute__((aligned(4096)));
uint64_t ldt[8] __attribute__((aligned(16)));
uint8_t stack0[8192] __attribute__((aligned(4096)));
uint8_t user_stack[8192] __attribute__((aligned(4096)));
uint8_t spare_stack[8192] __attribute__((aligned(4096)));
uint64_t scratch[512] __attribute__((aligned(4096)));
Tss other_task __attribute__((aligned(256))), fault_task __attribute__((aligned(256)));
Caught caught;
Defaults defaults;
bool is_intel;

static Hook hooks[256];
static bool hooked;

void try_raw(word rip, word cs, word rflags, word rsp, word ss, word argument);
void try_v86_raw(const word *frame);
void real_call(void);
bool on_entry(Frame *frame);
void on_fault_task(const word *stack);
void kernel_main(word information);

enum { FLAG_VM = 1 << 17, REAL_CODE = 0x7000, RECORD = 0x5f00, REAL_BLOB = 0x6000 };

Cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    Cpuid r;

    __asm__ volatile("cpuid"
                     : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

/* The compiler may ask for it. */
void *memcpy(void *to, const void *from, __SIZE_TYPE__ n);
void *memcpy(void *to, const void *from, __SIZE_TYPE__ n)
{
    for (__SIZE_TYPE__ i = 0; i < n; i++) {
        ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
    }
    return to;
}

void *memset(void *to, int value, __SIZE_TYPE__ n);
void *memset(void *to, int value, __SIZE_TYPE__ n)
{
    for (__SIZE_TYPE__ i = 0; i < n; i++) {
        ((volatile uint8_t *)to)[i] = (uint8_t)value;
    }
    return to;
}

uint64_t descriptor(uint32_t base, uint32_t limit, uint32_t flags)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)(flags & 0xf0ff) << 40 |
           (uint64_t)(limit >> 16 & 0xf) << 48 | (uint64_t)(base >> 24) << 56;
}

word stub(unsigned vector)
{
    return (word)stubs + vector * 16;
}

void set_gate(unsigned vector, word handler, unsigned selector, unsigned flags, unsigned ist)
{
    idt[vector] = (handler & 0xffff) | (uint64_t)selector << 16 | (uint64_t)flags << 40 |
                  (uint64_t)(handler >> 16) << 48;
}

void hook(unsigned vector, Hook function)
{
    hooks[vector] = function;
    hooked = true;
}

/* What every entry comes to: a hook (returns false: go on), or it ends the try. */
bool on_entry(Frame *frame)
{
    bool other_ring = (frame->cs & 3) || (frame->rflags & FLAG_VM);

    if (hooks[frame->vector]) {
        hooks[frame->vector](frame);
        return false;
    }
    caught.outcome = frame->vector == 0x80 ? NONE : OUTCOME((int)frame->vector, (int)frame->error);
    caught.rip = frame->rip;
    caught.cs = frame->cs;
    caught.rflags = frame->rflags;
    caught.rsp = other_ring ? frame->rsp : (word)&frame->rsp;
    caught.ss = other_ring ? frame->ss : 0;
    caught.cr2 = READ_CR(2);
    caught.dr6 = READ_DR(6);
    caught.handler_rsp = (word)(other_ring ? &frame->es : &frame->rsp);
    for (unsigned i = 0; i < 8; i++) {
        caught.gpr[i] = frame->gpr[i];
    }
    caught.gpr[4] = caught.rsp;
    if (frame->rflags & FLAG_VM) {
        caught.gpr[8] = frame->es;
        caught.gpr[9] = frame->ds;
        caught.gpr[10] = frame->fs;
        caught.gpr[11] = frame->gs;
    }
    if (!saved_rsp) {
        say("not ok - the kernel itself: ");
        say_outcome(caught.outcome);
        say(" at ");
        say_hex(frame->rip);
        say("\n");
        __asm__ volatile("outb %b0, $0xf4; hlt" : : "a"(1));
    }
    return true;
}

static unsigned fault_vector; /* of the task gate */

/* In the task of a fault: what it interrupted stands in the TSS of the task that was running. */
void on_fault_task(const word *stack)
{
    const Tss *interrupted = (const Tss *)(void *)tss;

    caught.outcome = OUTCOME((int)fault_vector, (int)stack[0]);
    caught.rip = interrupted->eip;
    caught.cs = interrupted->cs;
    caught.rflags = interrupted->eflags;
}

static bool begin_try(void)
{
    caught = (Caught){ .outcome = NONE };
    if (progress.done < progress.first) {
        return false;
    }
    WRITE_DR(6, 0xffff0ff0);
    return true;
}

static int try_at(word rip, word cs, word rsp, word ss, word argument)
{
    if (begin_try()) {
        try_raw(rip, cs, 2, rsp, ss, argument);
        saved_rsp = 0;
    }
    return caught.outcome;
}

int try_kernel(const void *code, word argument)
{
    word *top = (word *)(void *)(spare_stack + sizeof(spare_stack) - 64);

    *top = (word)kernel_done;
    return try_at((word)code, KCODE, (word)top, KDATA, argument);
}

int try_user(const void *code, word argument)
{
    word *top = (word *)(void *)(user_stack + sizeof(user_stack) - 64);

    *top = (word)kernel_done;
    return try_at((word)code, UCODE, (word)top, UDATA, argument);
}

int try_compat(const void *code, word argument)
{
    return try_kernel(code, argument);
}

int try_user_compat(const void *code, word argument)
{
    return try_user(code, argument);
}

static void copy_code(const uint8_t *code, const uint8_t *end, const uint8_t *tail, unsigned n)
{
    uint8_t *to = (uint8_t *)REAL_CODE;

    while (code < end) {
        *to++ = *code++;
    }
    while (n--) {
        *to++ = *tail++;
    }
}

int try_real(const uint8_t *code, const uint8_t *end)
{
    static const uint8_t retf[] = { 0xcb };
    volatile uint16_t *record = (volatile uint16_t *)RECORD;
    volatile uint32_t *ivt = (volatile uint32_t *)0;

    if (!begin_try()) {
        return caught.outcome;
    }
    __asm__ volatile("" : "+r"(ivt));
    for (unsigned i = 0; i < 256; i++) {
        ivt[i] = real_stubs_offset + i * 8;
    }
    __builtin_memcpy((void *)REAL_BLOB, real_blob, (word)(real_blob_end - real_blob));
    copy_code(code, end, retf, sizeof(retf));
    gdt[0x38 / 8] = descriptor(0, 0xffff, 0x009b);
    gdt[0x68 / 8] = descriptor(0, 0xffff, 0x0093);
    real_call();
    saved_rsp = 0;
    caught.outcome = record[0] == 0xffff ? NONE : OUTCOME((uint8_t)record[0], 0);
    caught.rip = record[1];
    caught.cs = record[2];
    caught.rflags = record[3];
    caught.gpr[0] = record[4];
    caught.gpr[1] = record[5];
    caught.gpr[2] = record[6];
    caught.gpr[3] = record[7];
    return caught.outcome;
}

int try_v8086(const uint8_t *code, const uint8_t *end, word flags)
{
    static const uint8_t ud2[] = { 0x0f, 0x0b };
    const word frame[] = {
        0,     0x700, flags | FLAG_VM | 2, /* ip, cs, flags */
        0x800, 0x500,                      /* sp, ss: the stack ends at 5800h */
        0x701, 0x702, 0x703,               /* es, ds, fs */
        0x704,                             /* gs */
    };

    if (!begin_try()) {
        return caught.outcome;
    }
    copy_code(code, end, ud2, sizeof(ud2));
    try_v86_raw(frame);
    saved_rsp = 0;
    if (caught.outcome == UD && caught.rip == (word)(end - code)) {
        caught.outcome = NONE;
    }
    return caught.outcome;
}

void catch_by_task(unsigned vector)
{
    fault_vector = vector;
    fault_task = (Tss){ .eip = (word)fault_entry,
                        .eflags = 2,
                        .cr3 = defaults.cr3,
                        .es = KDATA,
                        .cs = KCODE,
                        .ss = KDATA,
                        .ds = KDATA,
                        .fs = KDATA,
                        .gs = KDATA,
                        .map = sizeof(Tss) };
    fault_task.gpr[4] = (word)stack0 + 4096;
    gdt[0x170 / 8] = descriptor((word)&fault_task, sizeof(Tss) - 1, 0x89);
    set_gate(vector, 0, 0x170, 0x85, 0);
}

static void fill_gdt(void)
{
    for (unsigned i = 0; i < GDT_ENTRIES; i++) {
        gdt[i] = 0;
    }
    gdt[KCODE / 8] = descriptor(0, 0xfffff, 0xc09b);
    gdt[KDATA / 8] = descriptor(0, 0xfffff, 0xc093);
    gdt[UCODE32 / 8] = descriptor(0, 0xfffff, 0xc0fb);
    gdt[UDATA / 8] = descriptor(0, 0xfffff, 0xc0f3);
    gdt[UCODE / 8] = descriptor(0, 0xfffff, 0xc0fb);
    gdt[KCODE32 / 8] = descriptor(0, 0xfffff, 0xc09b);
    gdt[KCODE16 / 8] = descriptor(0, 0xfffff, 0x809b);
    gdt[TSS_SEL / 8] = descriptor((word)tss, sizeof(tss) - 1, 0x89);
    gdt[LDT_SEL / 8] = descriptor((word)ldt, sizeof(ldt) - 1, 0x82);
}

static void fill_tss(void)
{
    Tss *main = (Tss *)(void *)tss;

    for (unsigned i = 0; i < sizeof(tss); i++) {
        tss[i] = i < sizeof(Tss) ? 0 : 0xff;
    }
    main->esp0 = (word)stack0 + sizeof(stack0);
    main->ss0 = KDATA;
    main->map = sizeof(Tss);
    main->cr3 = defaults.cr3;
}

static void load_tables(void)
{
    const struct __attribute__((packed)) {
        uint16_t limit;
        uint32_t base;
    } gdtr = { sizeof(gdt) - 1, (word)gdt }, idtr = { 256 * 8 - 1, (word)idt };

    __asm__ volatile("lgdt %0; lidt %1" : : "m"(gdtr), "m"(idtr));
    __asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%fs; mov %0, %%gs; mov %0, %%ss"
                     :
                     : "r"(KDATA));
    __asm__ volatile("ltr %w0" : : "r"(TSS_SEL));
    __asm__ volatile("lldt %w0" : : "r"(0));
}

void reset(void)
{
    WRITE_CR(0, defaults.cr0);
    WRITE_CR(3, defaults.cr3);
    WRITE_CR(4, defaults.cr4);
    wrmsr(MSR_EFER, defaults.efer);
    WRITE_DR(7, 0x400);
    WRITE_DR(6, 0xffff0ff0);
    fill_gdt();
    fill_tss();
    for (unsigned i = 0; i < 256; i++) {
        set_gate(i, stub(i), KCODE, i == 0x80 ? 0xee : 0x8e, 0);
    }
    load_tables();
    for (unsigned i = 0; hooked && i < 256; i++) {
        hooks[i] = 0;
    }
    hooked = false;
    __asm__ volatile("pushl $2; popfl; fninit");
}

void kernel_main(word information)
{
    read_command_line(information);
    /* no 8259 interferes, wherever this runs */
    __asm__ volatile("outb %0, $0x21; outb %0, $0xa1" : : "a"((uint8_t)0xff));
    defaults = (Defaults){ READ_CR(0), READ_CR(3), READ_CR(4), rdmsr(MSR_EFER) };
    is_intel = cpuid(0, 0).b == 0x756e6547;
    reset();
    cases_faults();
    cases_entries();
    cases_paging();
    cases_tasks();
    cases_real();
    cases_v8086();
    say("end\n");
}
