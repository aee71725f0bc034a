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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/memory/bounds of RAM", test_ram_bounds);
    g_test_add_func("/memory/accesses are split", test_sizes_are_split);
    g_test_add_func("/memory/nothing there", test_nothing_there);
    g_test_add_func("/memory/writes are told", test_written_is_told);
    g_test_add_func("/memory/absurd size", test_absurd_size_is_refused);
    return g_test_run();
}
