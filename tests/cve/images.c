/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Known flaws of qcow2: headers that claim what can't be.  A small image that is good is spoilt in
 * one place, and must be refused; unspoilt it opens.
 */
#include <string.h>

#include "block/bench.h"
#include "common/bits.h"
#include "common/error.h"
#include "cve.h"

enum { CLUSTER = 0x10000, SIZE = 4 * CLUSTER, DISK = 1 << 20 };

static const struct Spoilt {
    const char *cve, *what;
    unsigned offset, size;
    uint64_t value;
} spoilt[] = {
    { NULL, "unspoilt", 0, 0, 0 },
    { "2014-0143", "an L1 table of 16 GiB", 36, 4, 0x7fffffff },
    { "2014-0143", "an L1 table of -1 entries", 36, 4, 0xffffffff },
    { "2014-0144", "clusters of 2 GiB", 20, 4, 31 },
    { "2014-0144", "clusters of one byte", 20, 4, 0 },
    { "2014-0144", "clusters of 2^255 bytes", 20, 4, 255 },
    { "2014-0145", "2^32 - 1 snapshots", 60, 4, 0xffffffff },
    { "2014-0146", "a snapshot that is nowhere", 60, 4, 1 },
    { "2014-0147", "a table of counts of 2^32 - 1 clusters", 56, 4, 0xffffffff },
    { "2014-0147", "a table of counts beyond the end of all files", 48, 8, UINT64_C(1) << 63 },
    { "2014-0222", "an L1 table between clusters", 40, 8, 0x30008 },
    { "2014-0223", "a disk of 2^63 bytes", 24, 8, UINT64_C(1) << 63 },
    { "2014-0223", "a disk of 2^64 - 512 bytes", 24, 8, UINT64_MAX - 511 },
    { "2014-0144", "a name of 4 GiB of what it is based on", 8, 8, 0x200 },
    { "2024-4467", "a file of data elsewhere", 72, 8, 4 },
    { "2014-0144", "unknown features that forbid opening", 72, 8, UINT64_C(1) << 40 },
};

static void put(uint8_t *to, unsigned size, uint64_t value)
{
    for (unsigned i = 0; i < size; i++) {
        to[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    }
}

/* Header, table of counts, counts, L1 table: a cluster each. */
static void fill(uint8_t *image)
{
    static const struct {
        unsigned offset, size;
        uint64_t value;
    } header[] = {
        { 0, 4, 0x514649fb }, { 4, 4, 3 },        { 20, 4, 16 },           { 24, 8, DISK },
        { 36, 4, 1 },         { 40, 8, 0x30000 }, { 48, 8, 0x10000 },      { 56, 4, 1 },
        { 96, 4, 4 },         { 100, 4, 104 },    { 0x10000, 8, 0x20000 }, { 0x20000, 2, 1 },
        { 0x20002, 2, 1 },    { 0x20004, 2, 1 },  { 0x20006, 2, 1 },
    };

    memset(image, 0, SIZE);
    for (size_t i = 0; i < G_N_ELEMENTS(header); i++) {
        put(image + header[i].offset, header[i].size, header[i].value);
    }
}

static void test_header(gconstpointer data)
{
    const struct Spoilt *c = data;
    g_autofree uint8_t *image = g_malloc(SIZE);
    g_autoptr(GError) error = NULL;
    BlkBench host;

    fill(image);
    put(image + c->offset, c->size, c->value);
    if (c->offset == 8) {
        put(image + 16, 4, 0xffffffff);
    }
    blk_bench_init(&host);
    blk_bench_put(&host, "image", image, SIZE);
    Blk *blk =
        blk_open(&(BlkOptions){ .path = "image", .format = "qcow2", .host = &host.host }, &error);
    g_assert_cmpint(blk == NULL, ==, c->cve != NULL);
    g_assert_cmpint(error == NULL, ==, c->cve == NULL);
    blk_close(blk);
    blk_bench_clear(&host);
}

/* A raw disk into which its guest has written the header of another format stays raw. */
static void test_probe(gconstpointer data)
{
    g_autofree uint8_t *image = g_malloc(SIZE), *back = g_malloc(SIZE);
    BlkBench host;

    fill(image);
    blk_bench_init(&host);
    blk_bench_put(&host, "image", image, SIZE);
    Blk *blk = blk_open(&(BlkOptions){ .path = "image", .host = &host.host }, NULL);
    g_assert_cmpstr(blk_format(blk), ==, "raw");
    g_assert_cmpuint(blk_size(blk), ==, SIZE);
    g_assert_cmpint(blk_read(blk, 0, back, SIZE), ==, 0);
    g_assert_cmpmem(back, SIZE, image, SIZE);
    blk_close(blk);
    blk_bench_clear(&host);
}

void cve_add_images(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(spoilt); i++) {
        cve_add(spoilt[i].cve ? spoilt[i].cve : "none", spoilt[i].what, &spoilt[i], test_header);
    }
    cve_add("2013-1922", "a raw disk that looks like qcow2", NULL, test_probe);
}
