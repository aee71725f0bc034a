/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk as --disk says it, see disk.h.
 */
#include "config/disk.h"

#include <string.h>

#include "common/error.h"
#include "config/limits.h"
#include "config/size.h"
#include "config/words.h"

static bool set_format(void *target, const char *value, GError **error)
{
    DiskConfig *disk = target;

    if (!*value) {
        set_error_code(error, INSULA_ERROR_USAGE, "--disk: format needs a value that isn't empty");
        return false;
    }
    disk->format = g_strdup(value);
    return true;
}

static bool set_readonly(void *target, const char *value, GError **error)
{
    DiskConfig *disk = target;

    return words_switch(value, "--disk: readonly", &disk->read_only, error);
}

static bool set_discard(void *target, const char *value, GError **error)
{
    DiskConfig *disk = target;
    bool on = true;

    if (!words_switch(value, "--disk: discard", &on, error)) {
        return false;
    }
    disk->keep_discard = !on;
    return true;
}

/* The number of @value in @words, which have "|" between them. */
static bool choose(const char *value, const char *what, const char *words, unsigned *ret,
                   GError **error)
{
    g_auto(GStrv) known = g_strsplit(words, "|", 0);

    for (unsigned i = 0; known[i]; i++) {
        if (!strcmp(known[i], value)) {
            *ret = i;
            return true;
        }
    }
    set_error_code(error, INSULA_ERROR_USAGE, "--disk: %s '%s' can't be: it is one of %s", what,
                   value, words);
    return false;
}

#define CACHES "writeback|none|writethrough|directsync|unsafe"
#define FAULTS "report|ignore|stop|enospc"
#define ZEROES "off|on|unmap"

static bool set_cache(void *target, const char *value, GError **error)
{
    return choose(value, "cache", CACHES, &((DiskConfig *)target)->cache, error);
}

static bool set_zeroes(void *target, const char *value, GError **error)
{
    return choose(value, "detect-zeroes", ZEROES, &((DiskConfig *)target)->zeroes, error);
}

static bool set_rerror(void *target, const char *value, GError **error)
{
    return choose(value, "rerror", FAULTS, &((DiskConfig *)target)->read_fault, error);
}

static bool set_werror(void *target, const char *value, GError **error)
{
    return choose(value, "werror", FAULTS, &((DiskConfig *)target)->write_fault, error);
}

static bool set_boot(void *target, const char *value, GError **error)
{
    uint64_t boot = 0;

    if (!number_parse(value, "--disk: boot", 1, CONFIG_BOOT_MAX, &boot, error)) {
        return false;
    }
    ((DiskConfig *)target)->boot = (unsigned)boot;
    return true;
}

static bool set_bus(void *target, const char *value, GError **error)
{
    return choose(value, "bus", "virtio|sata", &((DiskConfig *)target)->bus, error);
}

static bool set_queues(void *target, const char *value, GError **error)
{
    uint64_t queues = 0;

    if (!number_parse(value, "--disk: queues", 1, CONFIG_DISK_QUEUES_MAX, &queues, error)) {
        return false;
    }
    ((DiskConfig *)target)->queues = (unsigned)queues;
    return true;
}

static const WordSetting settings[] = {
    { "format", "raw|qcow2", set_format },
    { "readonly", "on|off", set_readonly },
    { "cache", CACHES, set_cache },
    { "discard", "on|off", set_discard },
    { "detect-zeroes", ZEROES, set_zeroes },
    { "rerror", FAULTS, set_rerror },
    { "werror", FAULTS, set_werror },
    { "boot", "N", set_boot },
    { "bus", "virtio|sata", set_bus },
    { "queues", "N", set_queues },
    { 0 },
};

static const WordSetting cdrom_settings[] = {
    { "format", "raw|qcow2", set_format },
    { "rerror", FAULTS, set_rerror },
    { "boot", "N", set_boot },
    { 0 },
};

static DiskConfig *parse(const char *text, const char *option, const WordSetting *known,
                         GError **error)
{
    g_autoptr(DiskConfig) disk = g_new0(DiskConfig, 1);

    disk->write_fault = DISK_FAULT_ENOSPC;
    if (!words_parse(text, option, known, disk, &disk->file, error)) {
        return NULL;
    }
    if (!*disk->file) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "%s '%s' names no file: write FILE[,format=raw]%s", option, text,
                       known == settings ? "[,readonly=on]" : "");
        return NULL;
    }
    return g_steal_pointer(&disk);
}

DiskConfig *disk_config_parse(const char *text, GError **error)
{
    return parse(text, "--disk", settings, error);
}

DiskConfig *cdrom_config_parse(const char *text, GError **error)
{
    DiskConfig *disk = parse(text, "--cdrom", cdrom_settings, error);

    if (disk) {
        disk->cdrom = disk->read_only = true;
        disk->empty = !strcmp(disk->file, "none");
        disk->bus = DISK_SATA;
    }
    return disk;
}

DiskConfig *image_config_parse(const char *text, GError **error)
{
    return g_str_has_suffix(text, ".iso") ? cdrom_config_parse(text, error)
                                          : disk_config_parse(text, error);
}
