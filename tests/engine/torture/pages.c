/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page tables that change under code and data in use.
 *
 * Physical page k of the pool holds a function that gives k, and k as a number.  vCPU 0 maps pages
 * of the window to others of them, takes their rights away and gives them back, and shoots down
 * what the others remember; once that is acknowledged nobody may see the old page.
 */
#include "kernel.h"

enum { MAPPED = 8, PHYSICAL = 16, NUMBER = 0x800, SLOTS = 0x900 };

static uint64_t pool_page(unsigned k)
{
    return POOL + k * 0x1000;
}

static volatile uint8_t *window_page(unsigned v)
{
    return (volatile uint8_t *)(uintptr_t)(WINDOW + v * 0x1000);
}

static void fill_pool(void)
{
    for (unsigned k = 0; k < PHYSICAL; k++) {
        volatile uint8_t *page = (volatile uint8_t *)pool_page(k);
        put_function(page, k);
        *(volatile uint64_t *)(page + NUMBER) = k;
    }
    for (unsigned v = 0; v < MAPPED; v++) {
        *window_entry(v) = pool_page(v) | PTE_P | PTE_W;
        shared->current[v] = v;
    }
}

/* What a page gives: code and data must be the same one's, or the page changed meanwhile. */
typedef struct Seen {
    uint32_t code;
    uint64_t number, slot;
} Seen;

static Seen look(unsigned v, unsigned cpu, uint64_t mark)
{
    volatile uint8_t *page = window_page(v);
    Seen seen = { .code = call(page, 0), .number = *(volatile uint64_t *)(page + NUMBER) };

    *(volatile uint64_t *)(page + SLOTS + cpu * 8) = mark;
    seen.slot = *(volatile uint64_t *)(page + SLOTS + cpu * 8);
    return seen;
}

static void check_page(unsigned v, unsigned cpu, uint64_t mark)
{
    uint32_t before = __atomic_load_n(&shared->sequence[v], __ATOMIC_SEQ_CST);
    uint32_t k = shared->current[v];
    Seen seen = look(v, cpu, mark);
    uint64_t stored = *(volatile uint64_t *)(pool_page(k) + SLOTS + cpu * 8);

    if (__atomic_load_n(&shared->sequence[v], __ATOMIC_SEQ_CST) == before && before % 2 == 0) {
        EXPECT(k, seen.code);
        EXPECT(k, seen.number);
        EXPECT(mark, seen.slot);
        EXPECT(mark, stored);
    }
}

/* Page @v has other rights for a while, in which others run into faults. */
static void take_rights(unsigned v, uint64_t entry, Random *random)
{
    static const struct {
        uint64_t clear, set;
    } rights[] = { { PTE_P, 0 }, { PTE_W, 0 }, { 0, PTE_NX } };
    unsigned which = below(random, 3);

    *window_entry(v) = (entry & ~rights[which].clear) | rights[which].set;
    shoot_down((uint64_t)window_page(v));
    for (unsigned wait = below(random, 200); wait; wait--) {
        pause();
    }
    *window_entry(v) = entry; /* more rights need no flush: a fault looks again */
}

/* The processor sets accessed and dirty in an entry that it used, and not without use. */
static void check_bits(unsigned v)
{
    uint64_t clear = *window_entry(v) & ~(uint64_t)(PTE_A | PTE_D);

    *window_entry(v) = clear;
    shoot_down((uint64_t)window_page(v));
    if (shared->cpus == 1) {
        EXPECT(clear, *window_entry(v));
    }
    (void)*(volatile uint64_t *)(window_page(v) + NUMBER);
    EXPECT(PTE_A, *window_entry(v) & PTE_A);
    *(volatile uint64_t *)(window_page(v) + SLOTS) = 0;
    EXPECT(PTE_A | PTE_D, *window_entry(v) & (PTE_A | PTE_D));
}

static void remap(unsigned v, Random *random)
{
    unsigned k = below(random, PHYSICAL);
    uint64_t entry = pool_page(k) | PTE_P | PTE_W;

    __atomic_add_fetch(&shared->sequence[v], 1, __ATOMIC_SEQ_CST);
    *window_entry(v) = entry;
    shoot_down((uint64_t)window_page(v));
    if (below(random, 4) == 0) {
        take_rights(v, entry, random);
    }
    shared->current[v] = k;
    __atomic_add_fetch(&shared->sequence[v], 1, __ATOMIC_SEQ_CST);
    check_page(v, 0, draw(random));
}

void do_pages(unsigned cpu, Random *random)
{
    if (cpu == 0) {
        fill_pool();
    }
    meet();
    if (cpu == 0) {
        for (uint64_t round = 1; round <= shared->rounds; round++) {
            shared->round = round;
            remap(below(random, MAPPED), random);
            if (below(random, 8) == 0) {
                check_bits(below(random, MAPPED));
            }
        }
        __atomic_store_n(&shared->done, 1, __ATOMIC_SEQ_CST);
    }
    while (!__atomic_load_n(&shared->done, __ATOMIC_SEQ_CST) && !shared->stop) {
        check_page(below(random, MAPPED), cpu, draw(random));
    }
}
