/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every limit of the machine on what a guest, a file or a person chooses, and its reason.
 */
#pragma once

#include <stdint.h>

#define LIMIT_MIB (UINT64_C(1) << 20)
#define LIMIT_TIB (UINT64_C(1) << 40)

/* RAM.  The least that holds boot data, ACPI tables and a small kernel; the most that stays well
 * below the 40 bits of physical address that every CPU model has, with room for BARs. */
#define MICRO_MIN_MEMORY (16 * LIMIT_MIB)
#define MICRO_MAX_MEMORY (LIMIT_TIB / 2)

/* Board pc: the least that SeaBIOS sets up; the most as above. */
#define PC_MIN_MEMORY (16 * LIMIT_MIB)
#define PC_MAX_MEMORY (LIMIT_TIB / 2)

/* Periodic PIT interrupts come no closer than this: 20 kHz is twenty times what any guest we know
 * asks for, and a guest that asks for a megahertz must not own a host CPU. */
enum { PIT_MIN_PERIOD_NS = 50000 };

/* Virtio devices of one machine: each has a page in a window of 64 in the DSDT. */
enum { MICRO_MAX_VIRTIO = 32, MICRO_MAX_DISKS = 24, MICRO_MAX_NETS = 6 };

/* Disks and NICs of board pc: device numbers of bus 0 that nothing else has. */
enum { PC_MAX_DISKS = 14, PC_MAX_NETS = 4 };

/* The kernel's command line, where its header doesn't ask for less: Linux takes 2047 bytes, others
 * more; it must fit its place in low memory. */
enum { BOOT_MAX_CMDLINE = 32767 };

/* Program headers and bytes of notes of an ELF kernel: real ones have under ten headers and 1 KiB
 * of notes. */
enum { ELF_MAX_SEGMENTS = 64, ELF_MAX_NOTES = 65536 };

/* Virtio.  A queue no longer than this also bounds a chain (virtio 1.2, 2.7.5.3.1), and so the
 * stack that a chain's copy takes (10 KiB); a NIC wants 256 packets on their way. */
enum { VIRTQ_MAX_SIZE = 256, VIRTIO_MAX_QUEUES = 9 };

/* A disk's queue: 128 gives Linux 126 segments per request, which the block layer takes at once.
 * Queues, of which each vCPU may have one; and requests of one disk that run at the same time (20
 * KiB of ours each): more wait in the queues. */
enum { VIRTIO_BLK_QUEUE_SIZE = 128, VIRTIO_BLK_MAX_QUEUES = 8, VIRTIO_BLK_FLIGHTS_MAX = 256 };

/* Queued commands of a SATA controller that run at the same time (40 KiB of ours each); a drive's
 * guest keeps up to 32. */
enum { AHCI_FLIGHTS_MAX = 64 };

/* Random bytes per request: a guest asks for 64; more would let it drain the host's time. */
enum { RNG_MAX_REPLY = 4096 };

/* virtio-input: events that wait for a guest that has posted no buffers; a click has three. */
enum { VIRTIO_INPUT_EVENTS = 256 };

/* virtio-gpu.  Pictures, pieces of guest memory that hold them, and bytes of our own for them: a
 * desktop of 4K has three pictures of 32 MiB, in pieces of a page at worst 24300 of them. */
enum {
    VIRTIO_GPU_RESOURCES = 128,
    VIRTIO_GPU_PAGES = 32768,
    VIRTIO_GPU_BYTES = 256 << 20,
    VIRTIO_GPU_CURSOR = 64, /* dots on a side, as the specification has it */
};

/* A NIC.  Addresses in each of its filters (Linux then takes all); frames and bytes that are read
 * from the network at once; and parts of the guest's buffers that a received frame may be spread
 * over: 64 KiB in the smallest buffers that Linux uses are 256. */
enum {
    VIRTIO_NET_MACS = 64,
    VIRTIO_NET_BATCH = 64,
    VIRTIO_NET_ARENA = 256 << 10,
    VIRTIO_NET_RX_PARTS = 1024,
};

/* The 82574L.  Bytes of a frame that is sent: a long TCP segment with its headers; frames that are
 * sent or received before others have their turn; and descriptors of a ring, as its registers can
 * say. */
enum { E1000E_MAX_FRAME = 65536 + 256, E1000E_BATCH = 64, E1000E_MAX_RING = 65536 };

/* Periodic HPET interrupts come no closer than this, for the same reason as the PIT's. */
enum { HPET_MIN_PERIOD_NS = 50000 };

/* fw_cfg.  Files in the directory, and bytes of one: kernels and initrds are the largest. */
enum { FW_CFG_MAX_FILES = 64, FW_CFG_MAX_NAME = 56 };

/* ATA's TRIM: blocks of 64 ranges of up to 32 MiB each, 16 GiB in one command. */
enum { ATA_TRIM_BLOCKS = 8 };

/* virtio-blk: ranges of one discard, and sectors of each (1 GiB): so long may one request keep the
 * I/O thread. */
enum { VIRTIO_BLK_RANGES_MAX = 32, VIRTIO_BLK_RANGE_SECTORS_MAX = 1 << 21 };
