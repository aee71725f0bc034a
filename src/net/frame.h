/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ethernet frames with IPv4, IPv6 and TCP inside: where the headers are, checksums, and cutting
 * what is longer than a network takes.
 *
 * All of it reads frames that anybody may have made; what doesn't parse is not touched.
 *
 * Threads: no state.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/port.h"

enum { FRAME_MAC = 6, FRAME_ETHERNET = 14 };
/* The longest headers that frame_parse() tells of: Ethernet, IPv4 and TCP with all options. */
enum { FRAME_MAX_HEADERS = FRAME_ETHERNET + 60 + 60 };

/* Where things are in a frame.  Offsets are 0 for what isn't there, or isn't whole. */
typedef struct FrameInfo {
    uint8_t version;  /* 4, 6, or 0 for anything but IP */
    uint8_t protocol; /* of the transport header */
    bool broken;      /* it says that it is IP, but its header isn't right */
    bool fragment;    /* then there is no transport header */
    size_t ip;
    size_t transport;
    size_t payload; /* behind the header, of TCP */
    size_t end;     /* of the IP packet: padding may follow */
} FrameInfo;

void frame_parse(const uint8_t *frame, size_t len, FrameInfo *ret_info);

/* Whether the frame is addressed to the machine that it comes out on: 127.0.0.0/8, 0.0.0.0/8, ::1,
 * :: and the IPv4 addresses among them written as IPv6. */
bool frame_is_for_loopback(const uint8_t *frame, const FrameInfo *info);

/* Put the checksum where @header wants one; it fits (net_header_ok()). */
void frame_finish_checksum(uint8_t *frame, size_t len, const NetHeader *header);

/* Put the lengths and sums of IP and TCP headers, which are all there is, where they belong. */
void frame_finish_headers(uint8_t *frame, const FrameInfo *info);

/* Let a TCP connection that the frame opens have segments of any length: raise the MSS that it
 * names. */
void frame_raise_mss(uint8_t *frame, const FrameInfo *info);

/* A frame is handed on in two pieces. */
typedef void (*FrameEmit)(void *opaque, const NetHeader *header, const struct iovec parts[2]);

/* Hand on a whole and right frame, cut as a receiver with @mtu and @offloads needs it: as it is;
 * as one frame that a receiver will take for many; or as many frames. */
void frame_deliver(const uint8_t *frame, size_t len, unsigned mtu, unsigned offloads,
                   FrameEmit emit, void *opaque);
