/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests: plays the guest of an AHCI controller with a disk of 1 MiB at port 0 and a CD-ROM with
 * a disc of 128 KiB at port 2, both in memory.  Guest RAM is 1 MiB at 0; each port has its list,
 * its received FISes and a command table per slot there; the controller's registers are at
 * AHCI_BENCH_BAR.  The I/O thread is a manual one: a command is done before ahci_bench_issue()
 * returns.
 *
 * Threads: one.
 */
#pragma once

#include "block/aio.h"
#include "block/bench.h"
#include "machine/core/bench.h"
#include "machine/device/ahci.h"

#define AHCI_BENCH_BAR UINT64_C(0xc0000000)

enum {
    AHCI_BENCH_RAM = 0x100000,
    AHCI_BENCH_DATA = 0x80000, /* free from here on */
    AHCI_BENCH_DISK = 1 << 20,
    AHCI_BENCH_DISC = 128 << 10,
    AHCI_BENCH_DISK_PORT = 0,
    AHCI_BENCH_CD_PORT = 2,
    AHCI_BENCH_REGIONS = 64, /* of a table */
};

/* Registers of a port. */
enum {
    AB_CLB = 0x00,
    AB_FB = 0x08,
    AB_IS = 0x10,
    AB_IE = 0x14,
    AB_CMD = 0x18,
    AB_TFD = 0x20,
    AB_SIG = 0x24,
    AB_SSTS = 0x28,
    AB_SCTL = 0x2c,
    AB_SERR = 0x30,
    AB_SACT = 0x34,
    AB_CI = 0x38,
};

typedef struct AhciBench {
    Bench bench; /* line 0 is the interrupt */
    PciRoot *root;
    IoThread *io;
    BlkBench host;
    ssize_t (*read)(void *opaque, int fd, const struct iovec *iov, int n, int64_t offset);
    void (*on_read)(struct AhciBench *b); /* before each read of the host's; NULL: nothing */
    BlkAio *aio;                          /* of requests that fly; NULL: the disk waits for them */
    IoWatch *watch;                       /* of those that have ended */
    Blk *disk, *disc;
    MachineEvents events;
    DiskError told; /* the last one */
    unsigned errors, trays;
    bool tray_open; /* as events say */
    Ahci *ahci;
} AhciBench;

/* A command, as a driver thinks of it. */
typedef struct AhciBenchCommand {
    uint8_t code;
    uint64_t lba;
    uint16_t count, features;
    uint8_t device;        /* 0: for addresses in sectors */
    const uint8_t *packet; /* 12 bytes; NULL: none */
    uint32_t len;          /* of data at AHCI_BENCH_DATA, in pieces of .piece; 0: none */
    uint32_t piece;        /* 0: all in one */
} AhciBenchCommand;

void ahci_bench_init(AhciBench *b, DiskOnError on_error);
/* The same, with a disk whose requests fly until blk_bench_end_moves() on .host. */
void ahci_bench_init_flying(AhciBench *b, DiskOnError on_error);
void ahci_bench_clear(AhciBench *b);
/* Place list and FISes of a port, and start it. */
void ahci_bench_start(AhciBench *b, unsigned port);

uint32_t ahci_bench_get(AhciBench *b, unsigned port, unsigned reg);
void ahci_bench_put(AhciBench *b, unsigned port, unsigned reg, uint32_t value);
uint64_t ahci_bench_list(unsigned port);
uint64_t ahci_bench_fises(unsigned port);
uint64_t ahci_bench_table(unsigned port, unsigned slot);

/* Write a command into a slot; and set its bit of PxCI, and let it be done. */
void ahci_bench_write(AhciBench *b, unsigned port, unsigned slot, const AhciBenchCommand *command);
void ahci_bench_issue(AhciBench *b, unsigned port, uint32_t slots);
/* Both in slot 0, after what a driver does to go on after an error; the task file's register. */
uint32_t ahci_bench_do(AhciBench *b, unsigned port, const AhciBenchCommand *command);
/* A packet for the CD-ROM, of bytes in hexadecimal; status and error as the task file has them. */
uint32_t ahci_bench_packet(AhciBench *b, const char *packet, uint32_t len);
/* Bytes of guest memory from AHCI_BENCH_DATA on. */
uint8_t *ahci_bench_data(AhciBench *b);
