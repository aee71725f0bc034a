/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The torture guest's kernel: interrupts, meetings of vCPUs, and its end.
 */
#include "kernel.h"

enum {
    LAPIC = 0xfee00000,
    LAPIC_ID = 0x20,
    LAPIC_EOI = 0xb0,
    LAPIC_SVR = 0xf0,
    LAPIC_ICR = 0x300,
    CS = 0x18,
    RFLAGS_TF = 0x100,
};

typedef struct Frame {
    uint64_t code, rip, cs, rflags, rsp, ss;
} Frame;

/* Called by entry.S. */
void main(unsigned cpu);
void on_debug(Frame *frame), on_nmi(Frame *frame), on_breakpoint(Frame *frame);
void on_page_fault(Frame *frame), on_tick(Frame *frame), on_shootdown(Frame *frame);
void on_other(Frame *frame);
void entry_debug(void), entry_nmi(void), entry_breakpoint(void), entry_page_fault(void);
void entry_tick(void), entry_shootdown(void), entry_other(void);

static volatile uint32_t *lapic(unsigned offset)
{
    return (volatile uint32_t *)(uintptr_t)(LAPIC + offset);
}

unsigned this_cpu(void)
{
    return *lapic(LAPIC_ID) >> 24;
}

uint64_t draw(Random *random)
{
    random->state ^= random->state << 13;
    random->state ^= random->state >> 7;
    random->state ^= random->state << 17;
    return random->state * UINT64_C(0x2545f4914f6cdd1d);
}

/* --- the end ---------------------------------------------------------------------------------- */

static _Noreturn void end(unsigned cpu)
{
    __asm__ volatile("out dx, al" ::"a"(0), "d"(STOP_PORT + cpu));
    for (;;) {
        __asm__ volatile("hlt");
    }
}

_Noreturn void fail(unsigned line, uint64_t expected, uint64_t found)
{
    __asm__ volatile("cli");
    if (!__atomic_exchange_n(&shared->failed, 1, __ATOMIC_SEQ_CST)) {
        shared->line = line;
        shared->vcpu = this_cpu();
        shared->expected = expected;
        shared->found = found;
    }
    shared->stop = 1;
    end(this_cpu());
}

/* Somebody else failed. */
static void look_at_stop(void)
{
    if (shared->stop) {
        end(this_cpu());
    }
}

/* --- meetings --------------------------------------------------------------------------------- */

void meet(void)
{
    uint32_t phase = __atomic_load_n(&shared->phase, __ATOMIC_ACQUIRE);

    if (__atomic_add_fetch(&shared->arrived, 1, __ATOMIC_SEQ_CST) == shared->cpus) {
        shared->arrived = 0;
        __atomic_store_n(&shared->phase, phase + 1, __ATOMIC_RELEASE);
    }
    while (__atomic_load_n(&shared->phase, __ATOMIC_ACQUIRE) == phase) {
        look_at_stop();
        pause();
    }
}

void shoot_down(uint64_t gva)
{
    if (gva) {
        invlpg(gva);
    }
    if (shared->cpus == 1) {
        return;
    }
    while (__atomic_exchange_n(&shared->flush_lock, 1, __ATOMIC_SEQ_CST)) {
        look_at_stop();
        pause();
    }
    shared->flush_gva = gva;
    __atomic_store_n(&shared->acknowledged, 0, __ATOMIC_SEQ_CST);
    *lapic(LAPIC_ICR) = SHOOTDOWN | 1 << 14 | 3 << 18; /* all but this one */
    while (__atomic_load_n(&shared->acknowledged, __ATOMIC_ACQUIRE) < shared->cpus - 1) {
        look_at_stop();
        pause();
    }
    __atomic_store_n(&shared->flush_lock, 0, __ATOMIC_RELEASE);
}

/* --- handlers --------------------------------------------------------------------------------- */

void on_debug(Frame *frame)
{
    shared->traps[this_cpu()]++;
}

void on_nmi(Frame *frame)
{
    shared->nmis[this_cpu()]++;
}

/* Where OP_POKE changes a function: try again. */
void on_breakpoint(Frame *frame)
{
    if (shared->op != OP_POKE) {
        fail(__LINE__, 0, frame->rip);
    }
    look_at_stop();
    shared->traps[this_cpu()]++;
    frame->rip--;
}

/* A page of the window is away: try again. */
void on_page_fault(Frame *frame)
{
    uint64_t gva;

    __asm__ volatile("mov %0, cr2" : "=r"(gva));
    if (shared->op != OP_PAGES || gva < WINDOW || gva >= WINDOW + 0x10000) {
        fail(__LINE__, frame->rip, gva);
    }
    look_at_stop();
    shared->faults[this_cpu()]++;
}

void on_tick(Frame *frame)
{
    shared->ticks[this_cpu()]++;
    *lapic(LAPIC_EOI) = 0;
}

void on_shootdown(Frame *frame)
{
    uint64_t gva = shared->flush_gva;

    if (gva) {
        invlpg(gva);
    }
    *lapic(LAPIC_EOI) = 0;
    __atomic_add_fetch(&shared->acknowledged, 1, __ATOMIC_SEQ_CST);
}

void on_other(Frame *frame)
{
    fail(__LINE__, frame->code, frame->rip);
}

/* --- set-up ----------------------------------------------------------------------------------- */

typedef struct Gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
} Gate;

static Gate idt[256];

static void set_gate(unsigned vector, void (*entry)(void))
{
    uint64_t at = (uint64_t)entry;

    idt[vector] = (Gate){ .offset_low = (uint16_t)at,
                          .selector = CS,
                          .type = 0x8e,
                          .offset_middle = (uint16_t)(at >> 16),
                          .offset_high = (uint32_t)(at >> 32) };
}

static void set_up(unsigned cpu)
{
    const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } table = { sizeof(idt) - 1, (uint64_t)idt };

    if (cpu == 0) {
        for (unsigned i = 0; i < 256; i++) {
            set_gate(i, entry_other);
        }
        set_gate(1, entry_debug);
        set_gate(2, entry_nmi);
        set_gate(3, entry_breakpoint);
        set_gate(14, entry_page_fault);
        set_gate(TICK, entry_tick);
        set_gate(SHOOTDOWN, entry_shootdown);
        *(volatile uint64_t *)DIRECTORY = WINDOW_TABLE | PTE_P | PTE_W;
    }
    *lapic(LAPIC_SVR) = 0x1ff;
    meet();
    __asm__ volatile("lidt %0" ::"m"(table));
    __asm__ volatile("sti");
    meet();
    shared->ready = 1;
}

static void do_stepped(unsigned cpu, Random *random)
{
    __asm__ volatile("pushf; or qword ptr [rsp], %0; popf" ::"i"(RFLAGS_TF) : "memory");
    do_work(cpu, random);
    __asm__ volatile("pushf; and qword ptr [rsp], %0; popf" ::"i"(~RFLAGS_TF) : "memory");
}

void main(unsigned cpu)
{
    static Part *const parts[] = {
        [OP_MODIFY] = do_modify, [OP_CROSS] = do_cross,     [OP_POKE] = do_poke,
        [OP_PAGES] = do_pages,   [OP_ATOMICS] = do_atomics, [OP_CODE] = do_code,
        [OP_WORK] = do_work,     [OP_STEPPED] = do_stepped,
    };
    Random random = { shared->seed + cpu * UINT64_C(0x9e3779b97f4a7c15) };

    random.state |= 1;
    set_up(cpu);
    parts[shared->op](cpu, &random);
    meet();
    end(cpu);
}
