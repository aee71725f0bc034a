/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All vCPUs at the same counters with each kind of locked operation, by two names of the same
 * pages, while they shoot down each other's translations.
 */
#include "kernel.h"

enum {
    PAGES = 2,
    FIRST_PAGE = 32, /* of the window */
    /* offsets of counters */
    INC64 = 0x00,
    XADD32 = 0x08,
    CAS16 = 0x0c,
    ADD8 = 0x0f,
    CAS128 = 0x10,
    BITS = 0x20,
    BYTES = 0x28,
    SPIN = 0x30,
    GUARDED = 0x34,
    LINE = 0x7d,   /* across two cache lines */
    PAGE = 0xffe,  /* and across two pages */
    OTHER = 0x1040 /* in the second page */
};

static volatile uint8_t *place(unsigned offset, bool by_window)
{
    uint64_t base = by_window ? WINDOW + FIRST_PAGE * 0x1000ULL : COUNTERS;

    return (volatile uint8_t *)(base + offset);
}

static void count_16(volatile uint16_t *at)
{
    uint16_t old = *at;

    while (!__atomic_compare_exchange_n(at, &old, (uint16_t)(old + 5), false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST)) {
    }
}

static void count_128(volatile uint64_t *at)
{
    uint64_t low = at[0], high = at[1];
    bool done;

    do {
        uint64_t new_low = low + 0x8000000000000001, new_high = high + (new_low < low) + 1;
        __asm__ volatile("lock cmpxchg16b %0"
                         : "+m"(*(volatile unsigned __int128 *)at), "=@ccz"(done), "+a"(low),
                           "+d"(high)
                         : "b"(new_low), "c"(new_high)
                         : "memory");
    } while (!done);
}

/* One bit and one byte belong to this vCPU, among others' in the same word. */
static void change_own(unsigned cpu, uint64_t round, bool by_window)
{
    volatile uint64_t *bits = (volatile uint64_t *)place(BITS, by_window);
    volatile uint8_t *byte = place(BYTES + cpu, by_window);
    bool was;

    __asm__ volatile("lock btc %0, %2"
                     : "+m"(*bits), "=@ccc"(was)
                     : "r"((uint64_t)(cpu * 13 + 7))
                     : "memory");
    EXPECT(round & 1, was);
    uint8_t before = *byte;
    __atomic_xor_fetch((volatile uint32_t *)place(BYTES, by_window), 0x5aU << cpu * 8,
                       __ATOMIC_SEQ_CST);
    EXPECT(before ^ 0x5a, *byte);
}

static void count_guarded(bool by_window)
{
    volatile uint32_t *lock = (volatile uint32_t *)place(SPIN, by_window);
    volatile uint32_t *guarded = (volatile uint32_t *)place(GUARDED, by_window);

    while (__atomic_exchange_n(lock, 1, __ATOMIC_SEQ_CST)) {
        pause();
    }
    *guarded = *guarded + 1;
    __atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

static void count_split(unsigned offset, bool by_window)
{
    __asm__ volatile("lock add qword ptr %0, 3"
                     : "+m"(*(volatile uint64_t *)place(offset, by_window))::"memory");
}

static void one_round(unsigned cpu, uint64_t round, Random *random)
{
    bool w = draw(random) >> 40 & 1;

    __atomic_add_fetch((volatile uint64_t *)place(INC64, w), 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_add((volatile uint32_t *)place(XADD32, w), 3, __ATOMIC_SEQ_CST);
    count_16((volatile uint16_t *)place(CAS16, !w));
    __atomic_sub_fetch(place(ADD8, w), 1, __ATOMIC_SEQ_CST);
    count_128((volatile uint64_t *)place(CAS128, w));
    change_own(cpu, round, w);
    count_guarded(!w);
    __atomic_fetch_add((volatile uint64_t *)place(OTHER, w), 7, __ATOMIC_SEQ_CST);
    if (round % 16 == 0) {
        count_split(LINE, w);
        count_split(PAGE, !w);
    }
    if (below(random, 32) == 0) {
        unsigned page = below(random, PAGES);
        *window_entry(FIRST_PAGE + page) = (COUNTERS + page * 0x1000ULL) | PTE_P | PTE_W;
        shoot_down(WINDOW + (FIRST_PAGE + page) * 0x1000ULL);
    }
}

static void check_sums(void)
{
    uint64_t n = shared->rounds * shared->cpus;
    uint64_t split = (shared->rounds + 15) / 16 * shared->cpus;
    unsigned __int128 each = (unsigned __int128)1 << 64 | 0x8000000000000001, all = each * n;
    uint64_t bits = 0;

    for (unsigned cpu = 0; cpu < shared->cpus; cpu++) {
        bits |= (shared->rounds & 1) << (cpu * 13 + 7);
    }
    EXPECT(n, *(volatile uint64_t *)place(INC64, false));
    EXPECT((uint32_t)(3 * n), *(volatile uint32_t *)place(XADD32, false));
    EXPECT((uint16_t)(5 * n), *(volatile uint16_t *)place(CAS16, false));
    EXPECT((uint8_t)-n, *place(ADD8, false));
    EXPECT((uint64_t)all, ((volatile uint64_t *)place(CAS128, false))[0]);
    EXPECT((uint64_t)(all >> 64), ((volatile uint64_t *)place(CAS128, false))[1]);
    EXPECT(bits, *(volatile uint64_t *)place(BITS, false));
    EXPECT(n, *(volatile uint32_t *)place(GUARDED, false));
    EXPECT(7 * n, *(volatile uint64_t *)place(OTHER, false));
    EXPECT(3 * split, *(volatile uint64_t *)place(LINE, false));
    EXPECT(3 * split, *(volatile uint64_t *)place(PAGE, false));
}

void do_atomics(unsigned cpu, Random *random)
{
    if (cpu == 0) {
        for (unsigned i = 0; i < PAGES; i++) {
            *window_entry(FIRST_PAGE + i) = (COUNTERS + i * 0x1000ULL) | PTE_P | PTE_W;
        }
    }
    meet();
    for (uint64_t round = 0; round < shared->rounds; round++) {
        shared->round = round;
        one_round(cpu, round, random);
    }
    meet();
    if (cpu == 0) {
        check_sums();
    }
}
