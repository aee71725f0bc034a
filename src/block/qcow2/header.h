/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The header of a qcow2 image: the first cluster of the file, with what extends it.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    QCOW2_MAGIC = 0x514649fb,
    QCOW2_V2_LENGTH = 72,
    QCOW2_V3_LENGTH = 104, /* at least */
    QCOW2_LENGTH = 112,    /* as we write it */
};

/* Bits of .incompatible: whoever doesn't know one can't use the image. */
enum {
    QCOW2_DIRTY = 1 << 0, /* the reference counts may be too low */
    QCOW2_CORRUPT = 1 << 1,
    QCOW2_DATA_FILE = 1 << 2,
    QCOW2_COMPRESSION = 1 << 3, /* .compression is not zlib */
    QCOW2_SUBCLUSTERS = 1 << 4,
    QCOW2_KNOWN = 31,
};
/* Of .compatible and .autoclear. */
enum { QCOW2_LAZY_REFCOUNTS = 1 << 0, QCOW2_BITMAPS = 1 << 0, QCOW2_RAW_DATA_FILE = 1 << 1 };

typedef enum Qcow2Compression { QCOW2_ZLIB, QCOW2_ZSTD } Qcow2Compression;

/* A header extension that we don't know, as it stands in the file. */
typedef struct Qcow2Extension {
    uint32_t type, len;
    uint8_t *bytes;
} Qcow2Extension;

typedef struct Qcow2Header {
    uint32_t version;
    uint64_t backing_offset; /* of the name */
    uint32_t backing_len;
    uint32_t cluster_bits;
    uint64_t size;
    uint32_t crypt;
    uint32_t l1_entries;
    uint64_t l1_offset;
    uint64_t reftable_offset;
    uint32_t reftable_clusters;
    uint32_t n_snapshots;
    uint64_t snapshots_offset;
    uint64_t incompatible, compatible, autoclear;
    uint32_t refcount_order;
    uint32_t length;
    uint32_t compression; /* a Qcow2Compression */
    char *backing;        /* NULL: none */
    char *backing_format; /* NULL: not said */
    char *data_file;      /* NULL: not said */
    bool has_bitmaps;
    uint32_t n_bitmaps;
    uint64_t bitmaps_size, bitmaps_offset;
    GArray *unknown; /* of Qcow2Extension */
    char
        *unknown_bits; /* names of incompatible features that we don't know; NULL: there are none */
} Qcow2Header;

/* Read the header from the first @len bytes of file @path (for messages), which is all of its
 * first cluster if the file has that.  Fails on what can't be an image within our limits, and
 * says what; what only can't be written is left to the caller. */
bool qcow2_header_parse(Qcow2Header *header, const char *path, const uint8_t *bytes, size_t len,
                        GError **error);
void qcow2_header_clear(Qcow2Header *header);

/* Whether @bytes begin as a qcow2 image does. */
bool qcow2_header_is(const uint8_t *bytes, size_t len);

/* The fields of the first sector, without extensions and names, over the @len bytes that are
 * there. */
void qcow2_header_store(const Qcow2Header *header, uint8_t *bytes);
/* The whole header, @len bytes of it; sets .backing_offset and .backing_len.  A name goes to
 * @avoid_end or behind it if there is room, so that what was there stays.  Fails if it is more
 * than fits. */
bool qcow2_header_format(Qcow2Header *header, uint8_t *bytes, size_t len, size_t avoid_end,
                         GError **error);
