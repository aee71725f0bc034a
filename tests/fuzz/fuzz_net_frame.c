/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: frames, as insula-net meets them.  The input is a NetHeader and a frame of the
 * guest's; and the same frame as one that libslirp made, to be cut for the guest.
 *
 * Threads: one.
 */
#include <string.h>

#include "net/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was cut: no frame longer than the whole, and as much in all as there was. */
typedef struct Pieces {
    size_t whole, longest, n;
} Pieces;

static void on_frame(void *opaque, const NetHeader *header, const struct iovec parts[2])
{
    Pieces *pieces = opaque;
    size_t len = parts[0].iov_len + parts[1].iov_len;
    volatile uint8_t last = 0;

    for (unsigned i = 0; i < 2; i++) {
        if (parts[i].iov_len) {
            last = ((const uint8_t *)parts[i].iov_base)[parts[i].iov_len - 1];
        }
    }
    (void)last;
    g_assert(len <= pieces->whole && net_header_ok(header, len));
    pieces->n++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    NetHeader header;

    if (size < sizeof(header) + 3) {
        return 0;
    }
    memcpy(&header, data, sizeof(header));
    unsigned mtu = (unsigned)data[sizeof(header)] << 8 | data[sizeof(header) + 1],
             offloads = data[sizeof(header) + 2];
    size_t len = size - sizeof(header) - 3;
    g_autofree uint8_t *frame = g_memdup2(data + sizeof(header) + 3, len);
    Pieces pieces = { .whole = len };
    FrameInfo info;

    frame_deliver(frame, len, mtu, offloads, on_frame, &pieces);
    g_assert(pieces.n >= 1 && pieces.n <= len + 1);
    if (net_header_ok(&header, len)) {
        frame_parse(frame, len, &info);
        frame_is_for_loopback(frame, &info);
        frame_finish_checksum(frame, len, &header);
        frame_parse(frame, len, &info);
        frame_raise_mss(frame, &info);
    }
    return 0;
}
