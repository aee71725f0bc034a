/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compressed clusters of a qcow2 image: raw deflate, or zstd.
 *
 * What is unpacked is one cluster, never more, whatever the compressed bytes say; and they say
 * nothing of their own length but a number of sectors, so rubbish may follow them.
 *
 * Threads: no state.
 */
#include <errno.h>
#include <zlib.h>
#include <zstd.h>

#include "block/qcow2/qcow2.h"

enum { WINDOW_BITS = 12 }; /* as the format says: 4 KiB is all that a reader must keep */

static int inflate_zlib(const uint8_t *packed, size_t len, uint8_t *ret, size_t cluster)
{
    z_stream stream = { .next_in = (uint8_t *)(uintptr_t)packed,
                        .avail_in = (uInt)len,
                        .next_out = ret,
                        .avail_out = (uInt)cluster };

    if (inflateInit2(&stream, -WINDOW_BITS) != Z_OK) {
        return -ENOMEM;
    }
    int result = inflate(&stream, Z_FINISH);
    bool good = (result == Z_STREAM_END || result == Z_BUF_ERROR) && !stream.avail_out;
    inflateEnd(&stream);
    return good ? 0 : -EIO;
}

static int inflate_zstd(const uint8_t *packed, size_t len, uint8_t *ret, size_t cluster)
{
    ZSTD_inBuffer in = { packed, len, 0 };
    ZSTD_outBuffer out = { ret, cluster, 0 };
    ZSTD_DStream *stream = ZSTD_createDStream();
    bool good = stream != NULL;

    if (!stream) {
        return -ENOMEM;
    }
    while (good && out.pos < out.size) {
        size_t in_before = in.pos, out_before = out.pos;
        size_t result = ZSTD_decompressStream(stream, &out, &in);
        good = !ZSTD_isError(result) && (in.pos > in_before || out.pos > out_before);
    }
    ZSTD_freeDStream(stream);
    return good ? 0 : -EIO;
}

int qcow2_unpack(const Qcow2 *q, const uint8_t *packed, size_t len, uint8_t *ret)
{
    return q->header.compression == QCOW2_ZSTD ? inflate_zstd(packed, len, ret, q->cluster)
                                               : inflate_zlib(packed, len, ret, q->cluster);
}

int qcow2_inflate(Blk *blk, const BlkExtent *extent, void *buf)
{
    Qcow2 *q = qcow2_of(blk);
    g_autofree uint8_t *packed = g_try_malloc(extent->packed);

    if (!packed) {
        return -ENOMEM;
    }
    int result = blk_file_read_padded(&blk->file, extent->offset, packed, extent->packed);
    result = result ? result : qcow2_unpack(q, packed, extent->packed, buf);
    return result;
}

static int64_t deflate_zlib(const void *bytes, void *ret, size_t cluster)
{
    z_stream stream = { .next_in = (uint8_t *)(uintptr_t)bytes,
                        .avail_in = (uInt)cluster,
                        .next_out = ret,
                        .avail_out = (uInt)cluster - 1 };

    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -WINDOW_BITS, 9,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        return -ENOMEM;
    }
    int result = deflate(&stream, Z_FINISH);
    int64_t len = result == Z_STREAM_END ? (int64_t)stream.total_out : 0;
    deflateEnd(&stream);
    return len;
}

static int64_t deflate_zstd(const void *bytes, void *ret, size_t cluster)
{
    size_t len = ZSTD_compress(ret, cluster - 1, bytes, cluster, ZSTD_CLEVEL_DEFAULT);

    return ZSTD_isError(len) ? 0 : (int64_t)len;
}

int64_t qcow2_deflate(const Qcow2 *q, const void *bytes, void *ret)
{
    return q->header.compression == QCOW2_ZSTD ? deflate_zstd(bytes, ret, q->cluster)
                                               : deflate_zlib(bytes, ret, q->cluster);
}
