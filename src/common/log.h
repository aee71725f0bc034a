/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log: categories that a person switches on by name (--log exec,irq), each line
 * "insula: CATEGORY: text".  A Log belongs to a VM, so two VMs in one process log apart.
 *
 * A category that is off costs one test: use log_on() around anything that takes time to format.
 * What a guest does wrong goes through log_guest_error(), which is counted and rate-limited.
 *
 * Threads: call from anywhere; a line is written by one write(2).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum LogCategory {
    LOG_EXEC,      /* each block that runs: its guest address and mode */
    LOG_CODE,      /* guest instructions as they are translated */
    LOG_IR,        /* IR of each block */
    LOG_HOST,      /* what the translator made of it, for the host's CPU */
    LOG_INT,       /* exceptions and interrupts delivered to a vCPU */
    LOG_IRQ,       /* interrupt lines and messages of devices */
    LOG_MMU,       /* page walks, TLB flushes */
    LOG_IO,        /* port and MMIO accesses */
    LOG_CPU,       /* control registers, MSRs, modes, resets */
    LOG_BOOT,      /* what is loaded where */
    LOG_VIRTIO,    /* virtio queues and requests */
    LOG_DEVICE,    /* other devices */
    LOG_GUEST,     /* what the guest does wrong */
    LOG_KVM,       /* /dev/kvm */
    LOG_GDB,       /* the gdb stub's packets */
    LOG_FIRMWARE,  /* what firmware says on its debug port */
    LOG_CATEGORIES /* how many there are */
} LogCategory;

typedef struct Log {
    uint32_t mask;            /* fixed after create: a bit per category */
    int fd;                   /* fixed after create: where lines go */
    const char *line_end;     /* fixed after create */
    uint64_t guest_errors;    /* atomic: all that were reported, printed or not */
    uint64_t window_start_us; /* atomic: rate limit of guest errors */
    uint32_t window_lines;    /* atomic */
} Log;

/* Name of @category as a user writes it, and what it shows. */
const char *log_category_name(LogCategory category);
const char *log_category_summary(LogCategory category);

/* Parse a list such as "exec,irq" or "all" into a mask.  On an unknown name: false, and @error
 * lists the names there are. */
bool log_parse(const char *list, uint32_t *ret_mask, GError **error);

/* Initialise @log; @fd stays the caller's. */
void log_init(Log *log, uint32_t mask, int fd);

/* @log may be NULL: then nothing is on. */
static inline bool log_on(const Log *log, LogCategory category)
{
    return G_UNLIKELY(log && (log->mask >> category & 1));
}

/* Write a line if the category is on. */
void log_line(const Log *log, LogCategory category, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* The guest did wrong at device or part @who: count it, and print it at most 10 times a second
 * when category guest is on.  @log may be NULL. */
void log_guest_error(Log *log, const char *who, const char *format, ...) G_GNUC_PRINTF(3, 4);
