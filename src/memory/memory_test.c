/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the guest's address map.
 */
#include "memory/memory.h"

#include <string.h>

#include "common/bits.h"

typedef struct Toy {
    unsigned reads, writes;
    uint64_t offset[8], value[8];
    unsigned size[8];
} Toy;

static uint64_t toy_read(void *opaque, uint64_t offset, unsigned size)
{
    Toy *toy = opaque;

    toy->offset[toy->reads % 8] = offset;
    toy->size[toy->reads++ % 8] = size;
    return UINT64_C(0x8877665544332211) + offset;
}

static void toy_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Toy *toy = opaque;

    toy->offset[toy->writes % 8] = offset;
    toy->value[toy->writes % 8] = value;
    toy->size[toy->writes++ % 8] = size;
}

static const IoOps byte_ops = { toy_read, toy_write, 1 };
static const IoOps word_ops = { toy_read, toy_write, 4 };
static const IoOps any_ops = { toy_read, toy_write, 1 | 2 | 4 | 8 };

static void test_ram_bounds(void)
{
    g_autoptr(GuestMemory) gm = gm_new();
    char buf[16] = "0123456789abcde";

    g_assert_true(gm_add_ram(gm, 0x10000, 0x2000, NULL));
    g_assert_true(gm_add_ram(gm, 0, 0x1000, NULL));
    g_assert_cmpuint(gm_ram_size(gm), ==, 0x3000);
    static const struct {
        uint64_t gpa, len;
        bool ok;
    } cases[] = {
        { 0, 0x1000, true },          { 0, 0x1001, false },      { 0xfff, 1, true },
        { 0xfff, 2, false },          { 0x10000, 0x2000, true }, { 0x11fff, 2, false },
        { 0x12000, 1, false },        { UINT64_MAX, 1, false },  { 0x11ff8, UINT64_MAX, false },
        { UINT64_MAX - 3, 8, false }, { 0, 0, false },
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_true((gm_ram(gm, cases[i].gpa, cases[i].len) != NULL) == cases[i].ok);
    }
    g_assert_false(gm_write(gm, 0x11ff8, buf, 16));
    g_assert_cmpuint(*(uint8_t *)gm_ram(gm, 0x11ff8, 1), ==, 0); /* nothing of it was written */
    g_assert_true(gm_write(gm, 0x11ff0, buf, 16));
    memset(buf, 0, sizeof(buf));
    g_assert_true(gm_read(gm, 0x11ff0, buf, 16));
    g_assert_cmpstr(buf, ==, "0123456789abcde");
}

static void test_sizes_are_split(void)
{
    g_autoptr(GuestMemory) gm = gm_new();
    Toy bytes = { 0 }, words = { 0 };

    gm_add_pio(gm, &(IoRegion){
                       .name = "b", .base = 0x40, .size = 3, .ops = &byte_ops, .opaque = &bytes });
    gm_add_mmio(
        gm, &(IoRegion){
                .name = "w", .base = 0x1000, .size = 0x10, .ops = &word_ops, .opaque = &words });
    /* the fourth byte lies behind the region: ones */
    g_assert_cmphex(gm_pio_read(gm, 0x40, 4), ==, 0xff131211);
    g_assert_cmpuint(bytes.reads, ==, 3);
    gm_pio_write(gm, 0x41, 0xbbaa, 2);
    g_assert_cmpuint(bytes.writes, ==, 2);
    g_assert_cmphex(bytes.value[0], ==, 0xaa);
    g_assert_cmphex(bytes.value[1], ==, 0xbb);
    g_assert_cmphex(bytes.offset[1], ==, 2);
    /* 8 bytes are two words; 2 bytes never reach a region of words */
    g_assert_cmphex(gm_mmio_read(gm, 0x1000, 8), ==, 0x4433221544332211);
    g_assert_cmphex(gm_mmio_read(gm, 0x1004, 2), ==, 0xffff);
    gm_mmio_write(gm, 0x1008, 1, 2);
    g_assert_cmpuint(words.writes, ==, 0);
    gm_mmio_write(gm, 0x1008, UINT64_C(0x1122334455667788), 8);
    g_assert_cmpuint(words.writes, ==, 2);
    g_assert_cmphex(words.value[0], ==, 0x55667788);
}

static void test_nothing_there(void)
{
    g_autoptr(GuestMemory) gm = gm_new();
    Toy toy = { 0 };

    gm_add_mmio(gm,
                &(IoRegion){
                    .name = "a", .base = 0x1000, .size = 0x1000, .ops = &any_ops, .opaque = &toy });
    g_assert_cmphex(gm_mmio_read(gm, 0xfff, 1), ==, 0xff);
    g_assert_cmphex(gm_mmio_read(gm, 0x2000, 8), ==, UINT64_MAX);
    g_assert_cmphex(gm_pio_read(gm, 0, 2), ==, 0xffff);
    gm_mmio_write(gm, 0x2000, 1, 8);
    g_assert_cmpuint(toy.reads + toy.writes, ==, 0);
    g_assert_null(gm_find_mmio(gm, 0x2000));
    g_assert_cmpstr(gm_find_mmio(gm, 0x1fff)->name, ==, "a");
    /* across the end of the region: the part inside reaches it */
    gm_mmio_write(gm, 0x1ffe, 0x44332211, 4);
    g_assert_cmpuint(toy.writes, ==, 1);
    g_assert_cmphex(toy.value[0], ==, 0x2211);
}

static void note(void *opaque, uint64_t gpa, uint64_t len)
{
    uint64_t *seen = opaque;

    seen[0] = gpa;
    seen[1] = len;
}

static void test_written_is_told(void)
{
    g_autoptr(GuestMemory) gm = gm_new();
    uint64_t seen[2] = { 0 };

    g_assert_true(gm_add_ram(gm, 0, 0x1000, NULL));
    gm_set_written(gm, note, seen);
    g_assert_true(gm_write(gm, 0x123, "abc", 3));
    g_assert_cmphex(seen[0], ==, 0x123);
    g_assert_cmphex(seen[1], ==, 3);
    seen[1] = 0;
    g_assert_false(gm_write(gm, 0xfff, "abc", 3));
    g_assert_cmphex(seen[1], ==, 0);
}

static void test_absurd_size_is_refused(void)
{
    g_autoptr(GuestMemory) gm = gm_new();
    g_autoptr(GError) error = NULL;

    g_assert_false(gm_add_ram(gm, 0, UINT64_C(1) << 63, &error));
    g_assert_nonnull(strstr(error->message, "cannot give the guest"));
}

/* --- windows that move --- */

typedef struct Changes {
    unsigned n;
    uint64_t gpa[16], len[16];
} Changes;

static void note_change(void *opaque, uint64_t gpa, uint64_t len)
{
    Changes *changes = opaque;

    changes->gpa[changes->n % 16] = gpa;
    changes->len[changes->n++ % 16] = len;
}

static GmWindow *add_bar(GuestMemory *gm, Toy *toy, const char *name, GmPriority priority)
{
    return gm_add_window(gm, &(GmWindowConfig){
                                 .io = { name, 0, 0x1000, &any_ops, toy },
                                 .hidden = true,
                                 .priority = priority,
                             });
}

/* Who is seen where windows overlap: higher priority, then age. */
static void test_priorities(void)
{
    g_autoptr(GuestMemory) gm = gm_new();
    Toy first = { 0 }, second = { 0 }, cover = { 0 };

    g_assert_true(gm_add_ram(gm, 0x10000, 0x10000, NULL));
    GmWindow *old = add_bar(gm, &first, "first", GM_BAR);
    GmWindow *new = add_bar(gm, &second, "second", GM_BAR);
    GmWindow *over = add_bar(gm, &cover, "cover", GM_COVER);
    gm_window_show(gm, old, 0x800);
    gm_window_show(gm, new, 0x1000);
    g_assert_cmpstr(gm_find_mmio(gm, 0x17ff)->name, ==, "first");
    g_assert_cmpstr(gm_find_mmio(gm, 0x1800)->name, ==, "second");
    gm_mmio_read(gm, 0x1804, 4);
    g_assert_cmphex(second.offset[0], ==, 0x804); /* from where the window begins */
    gm_mmio_write(gm, 0x17fe, 0x44332211, 4);     /* across the seam */
    g_assert_cmphex(first.value[0], ==, 0x2211);
    g_assert_cmphex(second.value[0], ==, 0x4433);
    gm_window_show(gm, old, 0x10000); /* RAM hides it */
    g_assert_null(gm_find_mmio(gm, 0x10000));
    g_assert_nonnull(gm_ram(gm, 0x10000, 0x10000));
    gm_window_show(gm, over, 0x11000);
    g_assert_null(gm_ram(gm, 0x10000, 0x10000));
    g_assert_nonnull(gm_ram(gm, 0x10000, 0x1000));
    g_assert_nonnull(gm_ram(gm, 0x12000, 0xe000));
    g_assert_cmpstr(gm_find_mmio(gm, 0x11000)->name, ==, "cover");
    gm_window_hide(gm, over);
    g_assert_nonnull(gm_ram(gm, 0x10000, 0x10000));
    gm_window_show(gm, new, UINT64_MAX - 0xfff); /* no such place */
    g_assert_null(gm_find_mmio(gm, UINT64_MAX - 0xfff));
    g_assert_null(gm_find_mmio(gm, 0x1800));
}

/* ROM is read, not written; its registers get the writes. */
static void test_rom(void)
{
    g_autoptr(GuestMemory) gm = gm_new();
    Toy toy = { 0 };
    char buf[4];

    g_assert_true(gm_add_ram(gm, 0, 0x3000, NULL));
    RamBlock *rom = gm_add_block(gm, "rom", 0x2000, NULL);
    memcpy(rom->hva + 0x1000, "ROM!", 4);
    GmWindow *window = gm_add_window(gm, &(GmWindowConfig){
                                             .io = { "rom", 0x1000, 0x1000, &byte_ops, &toy },
                                             .block = rom,
                                             .offset = 0x1000,
                                             .read_only = true,
                                             .priority = GM_COVER,
                                         });
    g_assert_true(gm_read(gm, 0x1000, buf, 4));
    g_assert_cmpmem(buf, 4, "ROM!", 4);
    g_assert_false(gm_write(gm, 0x1000, "abcd", 4));
    g_assert_null(gm_ram(gm, 0x1000, 1));
    g_assert_nonnull(gm_rom(gm, 0x1000, 0x1000));
    g_assert_cmphex(gm_mmio_read(gm, 0x1000, 4), ==, 0x214d4f52);
    g_assert_cmpuint(toy.reads, ==, 0);
    gm_mmio_write(gm, 0x1001, 0xaa, 1);
    g_assert_cmpuint(toy.writes, ==, 1);
    g_assert_cmphex(toy.offset[0], ==, 1);
    g_assert_cmpmem(rom->hva + 0x1000, 4, "ROM!", 4);
    gm_window_hide(gm, window);
    gm_mmio_write(gm, 0x1000, 0x64636261, 4); /* a vCPU that found it gone meanwhile */
    g_assert_true(gm_read(gm, 0x1000, buf, 4));
    g_assert_cmpmem(buf, 4, "abcd", 4);
    g_assert_cmphex(gm_mmio_read(gm, 0x1000, 4), ==, 0x64636261);
}

/* Whoever keeps copies of the map hears of each change of RAM, and of nothing else. */
static void test_changes_are_told(void)
{
    g_autoptr(GuestMemory) gm = gm_new();
    Toy toy = { 0 };
    Changes changes = { 0 };

    g_assert_true(gm_add_ram(gm, 0, 0x10000, NULL));
    RamBlock *block = gm_add_block(gm, "screen", 0x4000, NULL);
    GmWindow *screen = gm_add_window(gm, &(GmWindowConfig){ .io = { "screen", 0, 0x4000 },
                                                            .block = block,
                                                            .hidden = true,
                                                            .priority = GM_BAR });
    GmWindow *registers = add_bar(gm, &toy, "registers", GM_BAR);
    GmWindow *hole = add_bar(gm, &toy, "hole", GM_COVER);
    gm_set_changed(gm, note_change, &changes);
    gm_window_show(gm, registers, 0x20000);
    g_assert_cmpuint(changes.n, ==, 0);
    gm_window_show(gm, screen, 0x30000);
    g_assert_cmpuint(changes.n, ==, 1);
    g_assert_cmphex(changes.gpa[0], ==, 0x30000);
    g_assert_cmphex(changes.len[0], ==, 0x4000);
    gm_window_show(gm, screen, 0x30000); /* where it is */
    g_assert_cmpuint(changes.n, ==, 1);
    gm_window_show(gm, screen, 0x31000); /* other bytes stand in all of it now */
    g_assert_cmpuint(changes.n, ==, 2);
    g_assert_cmphex(changes.gpa[1], ==, 0x30000);
    g_assert_cmphex(changes.len[1], ==, 0x5000);
    gm_change_begin(gm);
    gm_window_show(gm, hole, 0x2000);
    gm_window_hide(gm, screen);
    g_assert_cmpuint(changes.n, ==, 2);
    gm_change_end(gm);
    g_assert_cmpuint(changes.n, ==, 4);
    g_assert_cmphex(changes.gpa[2], ==, 0x2000);
    g_assert_cmphex(changes.len[2], ==, 0x1000);
    g_assert_cmphex(changes.gpa[3], ==, 0x31000);
    g_assert_cmphex(changes.len[3], ==, 0x4000);
}

static void test_ranges_of_ram(void)
{
    g_autoptr(GuestMemory) gm = gm_new();
    Toy toy = { 0 };
    RamRange range;

    g_assert_true(gm_add_ram(gm, 0x1000, 0x8000, NULL));
    RamBlock *block = (RamBlock *)gm_blocks(gm, &(size_t){ 0 })[0];
    GmWindow *hole = add_bar(gm, &toy, "hole", GM_COVER);
    gm_window_show(gm, hole, 0x3000);
    /* the same RAM in a window of its own is one range with its neighbours */
    gm_add_window(gm, &(GmWindowConfig){ .io = { "same", 0x6000, 0x1000 },
                                         .block = block,
                                         .offset = 0x5000,
                                         .priority = GM_COVER });
    g_assert_true(gm_next_ram(gm, 0, &range));
    g_assert_cmphex(range.gpa, ==, 0x1000);
    g_assert_cmphex(range.size, ==, 0x2000);
    g_assert_true(gm_next_ram(gm, 0x3000, &range));
    g_assert_cmphex(range.gpa, ==, 0x4000);
    g_assert_cmphex(range.size, ==, 0x5000);
    g_assert_true(range.hva == block->hva + 0x3000);
    g_assert_false(gm_next_ram(gm, 0x9000, &range));
    g_assert_false(gm_find_ram(gm, 0x3000, &range));
    g_assert_true(gm_find_ram(gm, 0x8fff, &range));
    g_assert_cmpuint(gm_ram_size(gm), ==, 0x8000);
}

enum { RACE_WINDOWS = 6, RACE_TURNS = 1000000 };

typedef struct Race {
    GuestMemory *gm;
    bool done; /* atomic */
} Race;

static gpointer race_reader(gpointer data)
{
    Race *race = data;
    uint64_t wrong = 0;

    while (!__atomic_load_n(&race->done, __ATOMIC_SEQ_CST)) {
        for (uint64_t i = 0; i < RACE_WINDOWS; i++) {
            uint64_t value = gm_mmio_read(race->gm, 0x100000 + i * 0x1000 + 8, 4);
            wrong += value != UINT32_MAX && value != 0x44332219;
            wrong += !gm_ram(race->gm, i * 0x1000, 0x1000);
        }
    }
    return GUINT_TO_POINTER((guint)wrong);
}

static uint64_t plain_read(void *opaque, uint64_t offset, unsigned size)
{
    return UINT64_C(0x44332211) + offset;
}

static void plain_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
}

/* While windows come and go, others read a map that is right, and RAM that stays is there. */
static void test_reading_while_windows_move(void)
{
    static const IoOps plain_ops = { plain_read, plain_write, 1 | 2 | 4 | 8 };
    g_autoptr(GuestMemory) gm = gm_new();
    Race race = { .gm = gm };
    GmWindow *windows[RACE_WINDOWS];

    g_assert_true(gm_add_ram(gm, 0, 0x1000 * RACE_WINDOWS, NULL));
    for (unsigned i = 0; i < RACE_WINDOWS; i++) {
        windows[i] = gm_add_window(
            gm, &(GmWindowConfig){ .io = { "race", 0, 0x1000, &plain_ops }, .hidden = true });
    }
    GThread *reader = g_thread_new("reader", race_reader, &race);
    for (unsigned turn = 0; turn < RACE_TURNS; turn++) {
        GmWindow *window = windows[turn * 7 % RACE_WINDOWS];
        if (turn % 3) {
            gm_window_show(gm, window, 0x100000 + (uint64_t)(turn * 5 % RACE_WINDOWS) * 0x1000);
        } else {
            gm_window_hide(gm, window);
        }
    }
    __atomic_store_n(&race.done, true, __ATOMIC_SEQ_CST);
    g_assert_cmpuint(GPOINTER_TO_UINT(g_thread_join(reader)), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/memory/bounds of RAM", test_ram_bounds);
    g_test_add_func("/memory/accesses are split", test_sizes_are_split);
    g_test_add_func("/memory/nothing there", test_nothing_there);
    g_test_add_func("/memory/writes are told", test_written_is_told);
    g_test_add_func("/memory/absurd size", test_absurd_size_is_refused);
    g_test_add_func("/memory/windows/priorities", test_priorities);
    g_test_add_func("/memory/windows/rom", test_rom);
    g_test_add_func("/memory/windows/changes-are-told", test_changes_are_told);
    g_test_add_func("/memory/windows/ranges-of-ram", test_ranges_of_ram);
    g_test_add_func("/memory/windows/read-while-they-move", test_reading_while_windows_move);
    return g_test_run();
}
