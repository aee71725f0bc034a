/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 64-bit test kernel: its tables, its entries, and what puts them back after each case.
 */
#include "kernel64.h"

extern const char stubs[], try_resume[], kernel_done[], user_done[];
extern uint64_t saved_rsp;

uint64_t gdt[GDT_ENTRIES] __attribute__((aligned(16)));
uint64_t idt[512] __attribute__((aligned(4096)));
uint8_t tss[0x2100] __attribute__((aligned(4096)));
uint64_t ldt[8] __attribute__((aligned(16)));
uint8_t stack0[8192] __attribute__((aligned(4096)));
uint8_t user_stack[8192] __attribute__((aligned(4096)));
uint8_t spare_stack[8192] __attribute__((aligned(4096)));
uint64_t scratch[512] __attribute__((aligned(4096)));
Caught caught;
Defaults defaults;
bool is_intel;

static Hook hooks[256];
static bool hooked; /* any hook, so reset() has work */

int try_raw(word rip, word cs, word rflags, word rsp, word ss, word argument);
void on_entry(Frame *frame);
void kernel_main(word information);

Cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    Cpuid r;

    __asm__ volatile("cpuid"
                     : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d)
                     : "a"(leaf), "c"(subleaf));
    return r;
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
    idt[vector * 2] = (handler & 0xffff) | (uint64_t)selector << 16 | (uint64_t)ist << 32 |
                      (uint64_t)flags << 40 | (uint64_t)(handler >> 16 & 0xffff) << 48;
    idt[vector * 2 + 1] = handler >> 32;
}

void hook(unsigned vector, Hook function)
{
    hooks[vector] = function;
    hooked = true;
}

/* What every entry comes to: a hook, or it ends the try. */
void on_entry(Frame *frame)
{
    if (hooks[frame->vector]) {
        hooks[frame->vector](frame);
        return;
    }
    caught.outcome = frame->vector == 0x80 ? NONE : OUTCOME((int)frame->vector, (int)frame->error);
    caught.rip = frame->rip;
    caught.cs = frame->cs;
    caught.rflags = frame->rflags;
    caught.rsp = frame->rsp;
    caught.ss = frame->ss;
    caught.cr2 = READ_CR(2);
    caught.dr6 = READ_DR(6);
    caught.handler_rsp = (word)(frame + 1);
    for (unsigned i = 0; i < 16; i++) {
        caught.gpr[i] = frame->gpr[i];
    }
    caught.gpr[4] = frame->rsp;
    if (!saved_rsp) {
        say("not ok - the kernel itself: ");
        say_outcome(caught.outcome);
        say(" at ");
        say_hex(frame->rip);
        say(" cr2 ");
        say_hex(caught.cr2);
        say("\n");
        __asm__ volatile("outb %b0, $0xf4; hlt" : : "a"(1));
    }
    frame->rip = (word)try_resume;
    frame->cs = KCODE;
    frame->rflags = 2;
    frame->rsp = saved_rsp;
    frame->ss = KDATA;
}

static int try_at(word rip, word cs, word rsp, word ss, word argument)
{
    caught = (Caught){ .outcome = NONE };
    if (progress.done < progress.first) {
        return NONE;
    }
    WRITE_DR(6, 0xffff0ff0);
    try_raw(rip, cs, 2, rsp, ss, argument);
    saved_rsp = 0;
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

    *top = user(user_done);
    return try_at(user(code), UCODE, user(top), UDATA, argument);
}

int try_compat(const void *code, word argument)
{
    return try_at((word)code, KCODE32, (word)spare_stack + sizeof(spare_stack) - 64, KDATA,
                  argument);
}

int try_user_compat(const void *code, word argument)
{
    return try_at(user(code), UCODE32, user(user_stack + sizeof(user_stack) - 64), UDATA, argument);
}

static void fill_gdt(void)
{
    const uint64_t tss_base = (word)tss, ldt_base = (word)ldt;

    for (unsigned i = 0; i < GDT_ENTRIES; i++) {
        gdt[i] = 0;
    }
    gdt[KCODE / 8] = descriptor(0, 0xfffff, 0xa09b);
    gdt[KDATA / 8] = descriptor(0, 0xfffff, 0xc093);
    gdt[UCODE32 / 8] = descriptor(0, 0xfffff, 0xc0fb);
    gdt[UDATA / 8] = descriptor(0, 0xfffff, 0xc0f3);
    gdt[UCODE / 8] = descriptor(0, 0xfffff, 0xa0fb);
    gdt[KCODE32 / 8] = descriptor(0, 0xfffff, 0xc09b);
    gdt[KCODE16 / 8] = descriptor(0, 0xfffff, 0x809b);
    gdt[TSS_SEL / 8] = descriptor((uint32_t)tss_base, sizeof(tss) - 1, 0x89);
    gdt[TSS_SEL / 8 + 1] = tss_base >> 32;
    gdt[LDT_SEL / 8] = descriptor((uint32_t)ldt_base, sizeof(ldt) - 1, 0x82);
    gdt[LDT_SEL / 8 + 1] = ldt_base >> 32;
}

/* RSP0, IST1; an I/O bitmap that denies all. */
static void fill_tss(void)
{
    word stack = (word)stack0 + sizeof(stack0), ist = (word)stack0 + 4096;

    for (unsigned i = 0; i < sizeof(tss); i++) {
        tss[i] = i < 0x68 ? 0 : 0xff;
    }
    __builtin_memcpy(tss + 4, &stack, sizeof(stack));
    __builtin_memcpy(tss + 0x24, &ist, sizeof(ist));
    tss[0x66] = 0x68;
}

static void load_tables(void)
{
    const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } gdtr = { sizeof(gdt) - 1, (word)gdt }, idtr = { sizeof(idt) - 1, (word)idt };

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
    wrmsr(MSR_EFER, defaults.efer);
    WRITE_CR(4, defaults.cr4 & ~(word)CR4_PCIDE);
    WRITE_CR(3, defaults.cr3);
    WRITE_CR(4, defaults.cr4);
    WRITE_DR(7, 0x400);
    WRITE_DR(6, 0xffff0ff0);
    fill_gdt();
    fill_tss();
    for (unsigned i = 0; i < 256; i++) {
        set_gate(i, stub(i), KCODE, i == 0x80 ? 0xee : 0x8e, i == 8 ? 1 : 0);
    }
    load_tables();
    for (unsigned i = 0; hooked && i < 256; i++) {
        hooks[i] = 0;
    }
    hooked = false;
    for (unsigned i = 0; i < 512; i++) {
        pt_test[i] = 0;
        pd_test[i] = i ? 0 : (word)pt_test | PTE_P | PTE_W | PTE_U;
        pdpt[i] &= i < 4 ? ~0ULL : 0;
        pml4[i] &= i ? 0 : ~0ULL;
    }
    pml4[0] = (word)pdpt | 7;
    pdpt[2] = (word)pd_test | 7;
    flush_tlb();
    wrmsr(0xc0000101, 0);
    wrmsr(0xc0000100, 0);
    __asm__ volatile("pushq $2; popfq; fninit");
}

void kernel_main(word information)
{
    read_command_line(information);
    /* no 8259 interferes, wherever this runs */
    __asm__ volatile("outb %0, $0x21; outb %0, $0xa1" : : "a"((uint8_t)0xff));
    defaults = (Defaults){ READ_CR(0), READ_CR(3), READ_CR(4), rdmsr(MSR_EFER) };
    is_intel = cpuid(0, 0).b == 0x756e6547;
    reset();
    cases_paging();
    cases_tlb();
    cases_faults();
    cases_entries();
    cases_returns();
    cases_debug();
    cases_registers();
    cases_segments();
    cases_vectors();
    cases_compat();
    say("end\n");
}
