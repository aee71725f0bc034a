/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log, see log.h.
 */
#include "common/log.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "common/error.h"

enum { GUEST_ERRORS_PER_SECOND = 10 };

static const struct {
    const char *name, *summary;
} categories[LOG_CATEGORIES] = {
    [LOG_EXEC] = { "exec", "each block that runs: its guest address and mode" },
    [LOG_CODE] = { "code", "guest instructions as they are translated" },
    [LOG_IR] = { "ir", "the IR of each block" },
    [LOG_HOST] = { "host", "the host's code of each block" },
    [LOG_INT] = { "int", "exceptions and interrupts delivered to a vCPU" },
    [LOG_IRQ] = { "irq", "interrupt lines and messages of devices" },
    [LOG_MMU] = { "mmu", "page walks that fault and TLB flushes" },
    [LOG_IO] = { "io", "port and MMIO accesses" },
    [LOG_CPU] = { "cpu", "control registers, MSRs, modes and resets" },
    [LOG_BOOT] = { "boot", "what is loaded where" },
    [LOG_VIRTIO] = { "virtio", "virtio queues and requests" },
    [LOG_DEVICE] = { "device", "other devices" },
    [LOG_GUEST] = { "guest", "what the guest does wrong" },
    [LOG_KVM] = { "kvm", "what /dev/kvm is asked and answers" },
    [LOG_GDB] = { "gdb", "the gdb stub's packets" },
    [LOG_FIRMWARE] = { "firmware", "what firmware says on its debug port" },
};

const char *log_category_name(LogCategory category)
{
    return categories[category].name;
}

const char *log_category_summary(LogCategory category)
{
    return categories[category].summary;
}

static bool category_find(const char *name, uint32_t *mask)
{
    for (unsigned i = 0; i < LOG_CATEGORIES; i++) {
        if (!strcmp(name, categories[i].name)) {
            *mask |= 1U << i;
            return true;
        }
    }
    return false;
}

bool log_parse(const char *list, uint32_t *ret_mask, GError **error)
{
    g_auto(GStrv) words = g_strsplit(list, ",", -1);
    uint32_t mask = 0;

    for (char **word = words; *word; word++) {
        if (!strcmp(*word, "all")) {
            mask = (1U << LOG_CATEGORIES) - 1;
        } else if (!category_find(*word, &mask)) {
            g_autoptr(GString) known = g_string_new("all");
            for (unsigned i = 0; i < LOG_CATEGORIES; i++) {
                g_string_append_printf(known, ", %s", categories[i].name);
            }
            set_error_code(error, INSULA_ERROR_USAGE, "unknown log category '%s': there are %s",
                           *word, known->str);
            return false;
        }
    }
    *ret_mask = mask;
    return true;
}

void log_init(Log *log, uint32_t mask, int fd)
{
    /* a terminal that the guest got is in raw mode, and a cooked one doesn't mind */
    *log = (Log){ .mask = mask, .fd = fd, .line_end = isatty(fd) ? "\r\n" : "\n" };
}

static void write_line(const Log *log, const char *prefix, const char *format, va_list args)
{
    g_autoptr(GString) line = g_string_new("insula: ");

    g_string_append_printf(line, "%s: ", prefix);
    g_string_append_vprintf(line, format, args);
    g_string_append(line, log->line_end);
    /* a log that can't be written is no reason to stop the guest */
    ssize_t ignored = write(log->fd, line->str, line->len);
    (void)ignored;
}

void log_line(const Log *log, LogCategory category, const char *format, ...)
{
    va_list args;

    if (!log_on(log, category)) {
        return;
    }
    va_start(args, format);
    write_line(log, categories[category].name, format, args);
    va_end(args);
}

void log_guest_error(Log *log, const char *who, const char *format, ...)
{
    va_list args;

    if (!log) {
        return;
    }
    __atomic_add_fetch(&log->guest_errors, 1, __ATOMIC_RELAXED);
    if (!log_on(log, LOG_GUEST)) {
        return;
    }
    uint64_t now_us = (uint64_t)g_get_monotonic_time();
    if (now_us - __atomic_load_n(&log->window_start_us, __ATOMIC_RELAXED) > G_USEC_PER_SEC) {
        __atomic_store_n(&log->window_start_us, now_us, __ATOMIC_RELAXED);
        __atomic_store_n(&log->window_lines, 0, __ATOMIC_RELAXED);
    }
    if (__atomic_add_fetch(&log->window_lines, 1, __ATOMIC_RELAXED) > GUEST_ERRORS_PER_SECOND) {
        return;
    }
    va_start(args, format);
    write_line(log, who, format, args);
    va_end(args);
}
