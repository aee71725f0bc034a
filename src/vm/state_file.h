/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file that holds a whole machine: what it is, its devices and vCPUs, its memory.
 *
 *   0                 StateHeader, one page
 *   4096              the state of devices and vCPUs (machine_save())
 *   each block's      guest memory, sparse, at multiples of a page
 *   offset
 *   .file_size        whatever a manager keeps with it; no business of this file
 *
 * A restored machine's memory is a private mapping of the file, so restoring takes milliseconds,
 * any number of machines can start from one file, and the file must stay as it is as long as one
 * of them lives: it is locked for reading, and is only ever replaced by rename.
 *
 * A state file is hostile.  It names no other file: disks, kernels and firmware are those that the
 * command line names.  A digest tells accidents in header and devices; memory has none, because
 * looking at all of it would take longer than restoring.
 *
 * Threads: main only.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/cpu_features.h"
#include "machine/machine.h"

enum {
    STATE_PAGE = 4096,
    STATE_FORMAT = 2,
    STATE_NAME = 32,
    STATE_BLOCKS_MAX = 56,
    STATE_DIGEST = 32,
    STATE_MACHINE_MAX = 16 << 20, /* of devices and vCPUs: 64 vCPUs take 200 KiB */
};

/* What must be the same where the machine goes on. */
typedef struct StateIdentity {
    char board[STATE_NAME];
    char cpu_model[STATE_NAME];
    char firmware[STATE_NAME]; /* "none", "bios", "uefi"; "file": one that was named */
    uint32_t board_version;
    uint32_t cpus;
    uint64_t memory; /* bytes of RAM */
    uint64_t tsc_khz;
    EngineFeatures features; /* of its CPUs */
} StateIdentity;

typedef struct StateBlock {
    char name[STATE_NAME];
    uint64_t size, offset;
} StateBlock;

typedef struct StateHeader {
    char magic[8];
    uint32_t format, n_blocks;
    uint8_t digest[STATE_DIGEST]; /* SHA-256 of the rest of the header and of the machine's state */
    uint64_t file_size, machine_len;
    uint64_t clock_ns; /* of the machine */
    StateIdentity identity;
    StateBlock blocks[STATE_BLOCKS_MAX];
} StateHeader;

typedef struct StateFile StateFile;

/* ---- writing ---- */

typedef struct StateWriter StateWriter;

/* Take the state of @machine, which is paused and stays so until the writer is freed.  @fd is an
 * empty regular file, which may be written and stays the caller's. */
StateWriter *state_writer_new(int fd, const StateIdentity *identity, uint64_t clock_ns,
                              Machine *machine, GError **error);
/* Write it all, on any thread; @durable: and wait until it is on the disk. */
bool state_writer_run(StateWriter *writer, bool durable, GError **error);
/* Have state_writer_run() fail soon; from any thread. */
void state_writer_cancel(StateWriter *writer);
/* How many bytes of memory there are, were looked at, and were worth writing; from any thread. */
void state_writer_progress(StateWriter *writer, uint64_t *ret_total, uint64_t *ret_passed,
                           uint64_t *ret_written);
/* @writer may be NULL. */
void state_writer_free(StateWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StateWriter, state_writer_free)

/* ---- reading ---- */

/* Open, lock and check the file at @path. */
StateFile *state_file_open(const char *path, GError **error);
/* The same for @fd, of which it takes ownership in any case; messages call it @name. */
StateFile *state_file_open_fd(int fd, const char *name, GError **error);
/* After the machine that was restored from it.  @file may be NULL. */
void state_file_free(StateFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StateFile, state_file_free)
const StateHeader *state_file_header(const StateFile *file);
/* The digest that @header, with @machine behind it, should have. */
void state_digest(const StateHeader *header, const uint8_t *machine,
                  uint8_t ret_digest[STATE_DIGEST]);
/* Fill @machine, built with .restore as the header's identity says, and its clock. */
bool state_file_load(const StateFile *file, Machine *machine, Clock *clock, GError **error);
