/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests: does what lines on standard input say to a disk image, through the block layer.
 *
 *   image_io FORMAT FILE [CACHE]     CACHE: bytes of the metadata cache
 *
 *   write OFFSET LENGTH BYTE         compress OFFSET LENGTH BYTE
 *   keep|unmap|discard OFFSET LENGTH zeros, or no matter what
 *   random OFFSET LENGTH SEED        bytes of a generator
 *   flush                            answered with "flushed N", N counting from 1
 *   snapshot-create NAME, snapshot-delete NAME, snapshot-apply NAME, resize SIZE
 *
 * Ends with status 1 and a line on standard error at the first thing that fails.
 */
#include <stdio.h>
#include <string.h>

#include "block/chain.h"
#include "block/image.h"

typedef struct Work {
    Blk *blk;
    unsigned flushes;
    GError *error;
} Work;

static int write_bytes(Work *work, const char *what, uint64_t offset, uint64_t len, uint64_t value)
{
    g_autofree uint8_t *bytes = g_malloc(len);
    g_autoptr(GRand) random = g_rand_new_with_seed((guint32)value);
    BlkInfo info;
    int result = 0;

    memset(bytes, (int)value, len);
    if (!strcmp(what, "random")) {
        for (uint64_t i = 0; i < len; i++) {
            bytes[i] = (uint8_t)(g_rand_int(random) >> 11);
        }
    }
    if (strcmp(what, "compress")) {
        return blk_write(work->blk, offset, bytes, len);
    }
    blk_info(work->blk, &info);
    for (uint64_t at = 0; at < len && !result; at += info.cluster) {
        result =
            blk_write_compressed(work->blk, offset + at, bytes + at, MIN(info.cluster, len - at));
    }
    blk_info_clear(&info);
    return result;
}

static bool change(Work *work, const char *what, const char *name)
{
    if (!strcmp(what, "snapshot-create")) {
        return blk_snapshot_create(work->blk, name, &work->error);
    }
    if (!strcmp(what, "snapshot-delete")) {
        return blk_snapshot_delete(work->blk, name, &work->error);
    }
    if (!strcmp(what, "snapshot-apply")) {
        return blk_snapshot_apply(work->blk, name, &work->error);
    }
    if (!strcmp(what, "resize")) {
        return blk_resize(work->blk, g_ascii_strtoull(name, NULL, 10), BLK_PREALLOCATE_OFF,
                          &work->error);
    }
    fprintf(stderr, "unknown line '%s'\n", what);
    return false;
}

static bool do_line(Work *work, char *line)
{
    static const char *const zeros[] = { "keep", "unmap", "discard" };
    char what[32], name[32];
    unsigned long long offset = 0, len = 0, value = 0;
    int n = sscanf(line, "%31s %31s %llu %llu", what, name, &len, &value), result = 0;

    if (n < 1) {
        return true;
    }
    if (!strcmp(what, "flush")) {
        result = blk_flush(work->blk);
        if (!result) {
            printf("flushed %u\n", ++work->flushes);
            fflush(stdout);
        }
    } else if (n < 3) {
        return n == 2 && change(work, what, name);
    } else {
        offset = g_ascii_strtoull(name, NULL, 10);
        result = -EINVAL;
        for (unsigned i = 0; i < G_N_ELEMENTS(zeros); i++) {
            if (!strcmp(what, zeros[i])) {
                result = blk_zero(work->blk, offset, len, (BlkZero)i);
            }
        }
        if (n == 4) {
            result = write_bytes(work, what, offset, len, value);
        }
    }
    if (result) {
        fprintf(stderr, "%s: %s\n", g_strchomp(line), g_strerror(-result));
    }
    return result == 0;
}

int main(int argc, char **argv)
{
    Work work = { 0 };
    char line[256];
    bool good = true;

    if (argc < 3) {
        return 2;
    }
    BlkOptions options = { .format = argv[1],
                           .path = argv[2],
                           .metadata_cache = argc > 3 ? g_ascii_strtoull(argv[3], NULL, 10) : 0 };
    work.blk = blk_chain_open(&options, &work.error);
    while (good && work.blk && fgets(line, sizeof(line), stdin)) {
        good = do_line(&work, line);
    }
    good = good && work.blk;
    if (work.error) {
        fprintf(stderr, "%s\n", work.error->message);
        g_error_free(work.error);
    }
    blk_close(work.blk);
    return good ? 0 : 1;
}
