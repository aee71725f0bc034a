/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The header of a qcow2 image, see header.h.
 */
#include "block/qcow2/header.h"

#include <string.h>

#include "block/block.h"
#include "block/limits.h"
#include "common/bits.h"
#include "common/error.h"

enum {
    EXT_END = 0,
    EXT_BACKING_FORMAT = 0xE2792ACA,
    EXT_FEATURES = 0x6803f857,
    EXT_BITMAPS = 0x23852875,
    EXT_CRYPTO = 0x0537be77,
    EXT_DATA_FILE = 0x44415441,
};
enum { FEATURE_LEN = 48, FEATURE_NAME_LEN = 46, BITMAPS_LEN = 24 };
enum { TYPE_INCOMPATIBLE, TYPE_COMPATIBLE, TYPE_AUTOCLEAR };

/* Names of features that we write into each new image, so that whoever lacks one can name it. */
static const struct {
    uint8_t type, bit;
    const char *name;
} features[] = {
    { TYPE_INCOMPATIBLE, 0, "dirty bit" },
    { TYPE_INCOMPATIBLE, 1, "corrupt bit" },
    { TYPE_INCOMPATIBLE, 2, "external data file" },
    { TYPE_INCOMPATIBLE, 3, "compression type" },
    { TYPE_INCOMPATIBLE, 4, "extended L2 entries" },
    { TYPE_COMPATIBLE, 0, "lazy refcounts" },
    { TYPE_AUTOCLEAR, 0, "bitmaps" },
};

bool qcow2_header_is(const uint8_t *bytes, size_t len)
{
    return len >= 4 && load_be32(bytes) == QCOW2_MAGIC;
}

static void load_fields(Qcow2Header *h, const uint8_t *b)
{
    h->version = load_be32(b + 4);
    h->backing_offset = load_be64(b + 8);
    h->backing_len = load_be32(b + 16);
    h->cluster_bits = load_be32(b + 20);
    h->size = load_be64(b + 24);
    h->crypt = load_be32(b + 32);
    h->l1_entries = load_be32(b + 36);
    h->l1_offset = load_be64(b + 40);
    h->reftable_offset = load_be64(b + 48);
    h->reftable_clusters = load_be32(b + 56);
    h->n_snapshots = load_be32(b + 60);
    h->snapshots_offset = load_be64(b + 64);
    h->refcount_order = 4;
    h->length = QCOW2_V2_LENGTH;
}

static void load_v3_fields(Qcow2Header *h, const uint8_t *b)
{
    h->incompatible = load_be64(b + 72);
    h->compatible = load_be64(b + 80);
    h->autoclear = load_be64(b + 88);
    h->refcount_order = load_be32(b + 96);
    h->length = load_be32(b + 100);
    h->compression = h->length > 104 ? b[104] : QCOW2_ZLIB;
}

void qcow2_header_store(const Qcow2Header *h, uint8_t *b)
{
    store_be32(b, QCOW2_MAGIC);
    store_be32(b + 4, h->version);
    store_be64(b + 8, h->backing_offset);
    store_be32(b + 16, h->backing_len);
    store_be32(b + 20, h->cluster_bits);
    store_be64(b + 24, h->size);
    store_be32(b + 32, h->crypt);
    store_be32(b + 36, h->l1_entries);
    store_be64(b + 40, h->l1_offset);
    store_be64(b + 48, h->reftable_offset);
    store_be32(b + 56, h->reftable_clusters);
    store_be32(b + 60, h->n_snapshots);
    store_be64(b + 64, h->snapshots_offset);
    if (h->version >= 3) {
        store_be64(b + 72, h->incompatible);
        store_be64(b + 80, h->compatible);
        store_be64(b + 88, h->autoclear);
        store_be32(b + 96, h->refcount_order);
        store_be32(b + 100, h->length);
        if (h->length > 104) {
            b[104] = (uint8_t)h->compression;
        }
    }
}

G_GNUC_PRINTF(3, 4)
static bool bad(const char *path, GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    set_error(error, "cannot use disk '%s' as qcow2: %s", path, what);
    return false;
}

/* What can't be so in any image. */
static bool check_fields(const Qcow2Header *h, const char *path, GError **error)
{
    if (h->cluster_bits < QCOW2_CLUSTER_BITS_MIN || h->cluster_bits > QCOW2_CLUSTER_BITS_MAX) {
        return bad(path, error, "its header says clusters of 2^%u bytes; 2^9 to 2^21 can be",
                   h->cluster_bits);
    }
    uint64_t cluster = UINT64_C(1) << h->cluster_bits;
    if (h->refcount_order > QCOW2_REFCOUNT_ORDER_MAX) {
        return bad(path, error, "its header says reference counts of 2^%u bits; 2^6 is the most",
                   h->refcount_order);
    }
    if (h->l1_entries > QCOW2_L1_BYTES_MAX / 8) {
        return bad(path, error, "its table of tables (L1) is larger than 32 MiB");
    }
    if (h->l1_entries && (h->l1_offset % cluster || !h->l1_offset)) {
        return bad(path, error, "its table of tables (L1) does not begin at a cluster");
    }
    if (h->reftable_offset % cluster || !h->reftable_offset || !h->reftable_clusters) {
        return bad(path, error, "its table of reference counts does not begin at a cluster");
    }
    if (h->reftable_clusters > (uint32_t)QCOW2_REFTABLE_BYTES_MAX >> h->cluster_bits) {
        return bad(path, error, "its table of reference counts is larger than 8 MiB");
    }
    if (h->n_snapshots > QCOW2_SNAPSHOTS_MAX || (h->n_snapshots && !h->snapshots_offset) ||
        (h->n_snapshots && h->snapshots_offset % cluster)) {
        return bad(path, error, "its table of snapshots is misplaced or has more than 65536");
    }
    if (h->length < QCOW2_V2_LENGTH || h->length > cluster ||
        (h->version >= 3 && (h->length < QCOW2_V3_LENGTH || h->length % 8))) {
        return bad(path, error, "its header has an impossible length of %u bytes", h->length);
    }
    if (h->backing_offset && (h->backing_len > QCOW2_BACKING_NAME_MAX ||
                              !range_inside(h->backing_offset, h->backing_len, 0, cluster))) {
        return bad(path, error,
                   "the name of the image that it is based on is too long or misplaced");
    }
    if (h->size > INT64_MAX - cluster) {
        return bad(path, error, "it says to be larger than a disk can be");
    }
    return true;
}

static bool check_features(const Qcow2Header *h, const char *path, GError **error)
{
    if (h->crypt == 1 || h->crypt == 2) {
        return bad(path, error,
                   "it is encrypted (%s), which Insula can't read: decrypt it with 'qemu-img "
                   "convert'",
                   h->crypt == 1 ? "AES" : "LUKS");
    }
    if (h->crypt) {
        return bad(path, error, "it is encrypted by an unknown method, number %u", h->crypt);
    }
    if (h->unknown_bits) {
        return bad(path, error, "it needs what Insula doesn't know: %s", h->unknown_bits);
    }
    if (h->incompatible & QCOW2_DATA_FILE) {
        return bad(path, error,
                   "its data is in another file, '%s', which Insula doesn't follow: copy it into "
                   "one image with 'qemu-img convert'",
                   h->data_file ? h->data_file : "that it doesn't name");
    }
    if (h->compression > QCOW2_ZSTD ||
        (h->compression != QCOW2_ZLIB) != !!(h->incompatible & QCOW2_COMPRESSION)) {
        return bad(path, error, "its compression, number %u, is unknown or not announced",
                   h->compression);
    }
    if (h->incompatible & QCOW2_SUBCLUSTERS && h->cluster_bits < QCOW2_SUBCLUSTER_BITS_MIN) {
        return bad(path, error, "its clusters of %u bytes are too small for subclusters",
                   1U << h->cluster_bits);
    }
    return true;
}

/* --- extensions --- */

static bool has_bit(const Qcow2Header *h, uint8_t type, uint8_t bit)
{
    return type == TYPE_INCOMPATIBLE && bit < 64 && h->incompatible >> bit & 1;
}

/* The names that the table @bytes has for incompatible bits which we don't know. */
static void name_unknown_bits(Qcow2Header *h, const uint8_t *bytes, uint32_t len)
{
    uint64_t left = h->incompatible & ~(uint64_t)QCOW2_KNOWN;
    g_autoptr(GString) names = g_string_new(NULL);

    for (uint32_t at = 0; at + FEATURE_LEN <= len; at += FEATURE_LEN) {
        uint8_t bit = bytes[at + 1];
        if (has_bit(h, bytes[at], bit) && left >> bit & 1) {
            g_autofree char *name = g_strndup((const char *)bytes + at + 2, FEATURE_NAME_LEN);
            g_string_append_printf(names, "%s%s", names->len ? ", " : "", name);
            left &= ~(UINT64_C(1) << bit);
        }
    }
    for (unsigned bit = 0; bit < 64; bit++) {
        if (left >> bit & 1) {
            g_string_append_printf(names, "%sfeature bit %u", names->len ? ", " : "", bit);
        }
    }
    g_free(h->unknown_bits);
    h->unknown_bits = names->len ? g_string_free(g_steal_pointer(&names), FALSE) : NULL;
}

static void keep_unknown(Qcow2Header *h, uint32_t type, const uint8_t *bytes, uint32_t len)
{
    Qcow2Extension extension = { type, len, g_memdup2(bytes, len) };

    g_array_append_val(h->unknown, extension);
}

static bool load_extension(Qcow2Header *h, uint32_t type, const uint8_t *bytes, uint32_t len)
{
    switch (type) {
    case EXT_BACKING_FORMAT:
        g_free(h->backing_format);
        h->backing_format = g_strndup((const char *)bytes, len);
        return true;
    case EXT_DATA_FILE:
        g_free(h->data_file);
        h->data_file = g_strndup((const char *)bytes, len);
        return true;
    case EXT_FEATURES:
        name_unknown_bits(h, bytes, len);
        return true;
    case EXT_BITMAPS:
        if (len != BITMAPS_LEN) {
            return false;
        }
        h->has_bitmaps = true;
        h->n_bitmaps = load_be32(bytes);
        h->bitmaps_size = load_be64(bytes + 8);
        h->bitmaps_offset = load_be64(bytes + 16);
        return true;
    case EXT_CRYPTO:
        return true; /* the header's own field has told */
    default:
        keep_unknown(h, type, bytes, len);
        return true;
    }
}

static bool load_extensions(Qcow2Header *h, const char *path, const uint8_t *bytes, size_t len,
                            GError **error)
{
    size_t end = MIN(len, (size_t)1 << h->cluster_bits);
    size_t at = h->length;

    if (h->backing_offset) {
        end = MIN(end, h->backing_offset);
    }
    while (at + 8 <= end) {
        uint32_t type = load_be32(bytes + at), size = load_be32(bytes + at + 4);
        if (type == EXT_END) {
            break;
        }
        if (size > end - at - 8 || !load_extension(h, type, bytes + at + 8, size)) {
            return bad(path, error, "its header extension %08x is longer than there is room", type);
        }
        at += 8 + align_up(size, 8);
    }
    return true;
}

static bool load_backing(Qcow2Header *h, const char *path, const uint8_t *bytes, size_t len,
                         GError **error)
{
    if (!h->backing_offset || !h->backing_len) {
        return true;
    }
    if (!range_inside(h->backing_offset, h->backing_len, 0, len)) {
        return bad(path, error, "it ends before the name of the image that it is based on");
    }
    const char *name = (const char *)bytes + h->backing_offset;
    if (memchr(name, 0, h->backing_len)) {
        return bad(path, error, "the name of the image that it is based on is no text");
    }
    h->backing = g_strndup(name, h->backing_len);
    return true;
}

static void clear_extension(gpointer data)
{
    g_free(((Qcow2Extension *)data)->bytes);
}

static bool parse(Qcow2Header *h, const char *path, const uint8_t *bytes, size_t len,
                  GError **error)
{
    if (!qcow2_header_is(bytes, len)) {
        return bad(path, error, "it does not begin as a qcow2 image does");
    }
    if (len < QCOW2_V2_LENGTH) {
        return bad(path, error, "it ends within its header");
    }
    load_fields(h, bytes);
    if (h->version != 2 && h->version != 3) {
        return bad(path, error, "its format is version %u; 2 and 3 can be", h->version);
    }
    if (h->version == 3) {
        if (len < QCOW2_LENGTH) {
            return bad(path, error, "it ends within its header");
        }
        load_v3_fields(h, bytes);
    }
    if (!check_fields(h, path, error)) {
        return false;
    }
    if (h->length > len) {
        return bad(path, error, "it ends within its header");
    }
    name_unknown_bits(h, NULL, 0); /* with numbers, unless a table has names */
    return load_extensions(h, path, bytes, len, error) &&
           load_backing(h, path, bytes, len, error) && check_features(h, path, error);
}

bool qcow2_header_parse(Qcow2Header *header, const char *path, const uint8_t *bytes, size_t len,
                        GError **error)
{
    *header = (Qcow2Header){ .unknown = g_array_new(FALSE, TRUE, sizeof(Qcow2Extension)) };
    g_array_set_clear_func(header->unknown, clear_extension);
    bool good = parse(header, path, bytes, len, error);
    if (!good) {
        qcow2_header_clear(header);
    }
    return good;
}

void qcow2_header_clear(Qcow2Header *header)
{
    g_clear_pointer(&header->unknown, g_array_unref);
    g_clear_pointer(&header->backing, g_free);
    g_clear_pointer(&header->backing_format, g_free);
    g_clear_pointer(&header->data_file, g_free);
    g_clear_pointer(&header->unknown_bits, g_free);
}

/* --- writing --- */

/* Extensions behind each other. */
typedef struct Writer {
    uint8_t *bytes;
    size_t at, len;
    bool full;
} Writer;

static uint8_t *add(Writer *w, uint32_t type, size_t len)
{
    size_t room = 8 + align_up(len, 8);

    if (w->full || room > w->len - w->at) {
        w->full = true;
        return NULL;
    }
    uint8_t *start = w->bytes + w->at;
    memset(start, 0, room);
    store_be32(start, type);
    store_be32(start + 4, (uint32_t)len);
    w->at += room;
    return start + 8;
}

static void add_bytes(Writer *w, uint32_t type, const void *bytes, size_t len)
{
    uint8_t *to = add(w, type, len);

    if (to && len) {
        memcpy(to, bytes, len);
    }
}

static void add_bitmaps(Writer *w, const Qcow2Header *h)
{
    uint8_t *to = add(w, EXT_BITMAPS, BITMAPS_LEN);

    if (to) {
        store_be32(to, h->n_bitmaps);
        store_be64(to + 8, h->bitmaps_size);
        store_be64(to + 16, h->bitmaps_offset);
    }
}

static void add_features(Writer *w)
{
    uint8_t *to = add(w, EXT_FEATURES, G_N_ELEMENTS(features) * FEATURE_LEN);

    for (size_t i = 0; to && i < G_N_ELEMENTS(features); i++, to += FEATURE_LEN) {
        to[0] = features[i].type;
        to[1] = features[i].bit;
        memcpy(to + 2, features[i].name, strlen(features[i].name));
    }
}

bool qcow2_header_format(Qcow2Header *h, uint8_t *bytes, size_t len, size_t avoid_end,
                         GError **error)
{
    Writer w = { bytes, h->length, len, false };
    size_t name_len = h->backing ? strlen(h->backing) : 0;

    if (h->backing_format) {
        add_bytes(&w, EXT_BACKING_FORMAT, h->backing_format, strlen(h->backing_format));
    }
    if (h->has_bitmaps) {
        add_bitmaps(&w, h);
    }
    for (guint i = 0; i < h->unknown->len; i++) {
        const Qcow2Extension *extension = &g_array_index(h->unknown, Qcow2Extension, i);
        add_bytes(&w, extension->type, extension->bytes, extension->len);
    }
    /* the names of features are only for people: they give way */
    Writer with_features = w;
    if (h->version >= 3) {
        add_features(&with_features);
        add(&with_features, EXT_END, 0);
    }
    if (h->version >= 3 && !with_features.full && name_len <= len - with_features.at) {
        w = with_features;
    } else {
        add(&w, EXT_END, 0);
    }
    if (w.full || name_len > len - w.at || name_len > QCOW2_BACKING_NAME_MAX) {
        set_error(error, "the image's header of %zu bytes has no room for the name '%s'", len,
                  h->backing ? h->backing : "");
        return false;
    }
    size_t at = w.at <= avoid_end && name_len <= len - MIN(len, avoid_end) ? avoid_end : w.at;
    if (at < BLK_SECTOR && at + name_len > BLK_SECTOR && name_len <= len - MIN(len, BLK_SECTOR)) {
        at = BLK_SECTOR; /* one write changes all of it, or none */
    }
    h->backing_offset = name_len ? at : 0;
    h->backing_len = (uint32_t)name_len;
    if (name_len) {
        memcpy(bytes + at, h->backing, name_len);
    }
    qcow2_header_store(h, bytes);
    return true;
}
