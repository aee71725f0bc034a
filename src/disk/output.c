/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What insula-disk says, see disk.h.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "common/error.h"
#include "common/text.h"
#include "disk/disk.h"

void disk_complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree char *visible = text_visible(text);
    fprintf(stderr, "insula: %s\n", visible);
}

void disk_json_text(JsonBuilder *json, const char *name, const char *value)
{
    json_builder_set_member_name(json, name);
    if (g_utf8_validate(value, -1, NULL)) {
        json_builder_add_string_value(json, value);
    } else {
        g_autofree char *visible = g_utf8_make_valid(value, -1);
        json_builder_add_string_value(json, visible);
    }
}

void disk_json_number(JsonBuilder *json, const char *name, uint64_t value)
{
    json_builder_set_member_name(json, name);
    json_builder_add_int_value(json, (gint64)value);
}

void disk_json_flag(JsonBuilder *json, const char *name, bool value)
{
    json_builder_set_member_name(json, name);
    json_builder_add_boolean_value(json, value);
}

bool disk_json_print(JsonBuilder *json, GError **error)
{
    g_autoptr(JsonGenerator) generator = json_generator_new();
    JsonNode *root = json_builder_get_root(json);

    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, TRUE);
    json_generator_set_indent(generator, 4);
    g_autofree char *text = json_generator_to_data(generator, NULL);
    json_node_unref(root);
    g_object_unref(json);
    printf("%s\n", text);
    return disk_flush_output(error);
}

const char *disk_base(Blk *blk)
{
    Blk *base = blk_backing(blk);

    return base ? blk_path(base) : NULL;
}

int disk_tell(const DiskArgs *args, const Blk *blk, const char *backing, GError **error)
{
    if (!args->json) {
        return DISK_DONE;
    }
    JsonBuilder *json = json_builder_new();
    json_builder_begin_object(json);
    disk_json_text(json, "filename", blk_path(blk));
    disk_json_text(json, "format", blk_format(blk));
    disk_json_number(json, "virtual-size", blk_size(blk));
    if (backing) {
        disk_json_text(json, "backing-filename", backing);
    }
    json_builder_end_object(json);
    return disk_json_print(json, error) ? DISK_DONE : DISK_FAILED;
}

bool disk_flush_output(GError **error)
{
    if (fflush(stdout) || ferror(stdout)) {
        set_error_errno(error, errno, "cannot write to standard output");
        return false;
    }
    return true;
}

char *disk_size_text(uint64_t bytes)
{
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    unsigned unit = 0;
    double size = (double)bytes;

    while (size >= 1024 && unit + 1 < G_N_ELEMENTS(units)) {
        size /= 1024;
        unit++;
    }
    return unit ? g_strdup_printf("%.3g %s (%" G_GUINT64_FORMAT " bytes)", size, units[unit], bytes)
                : g_strdup_printf("%" G_GUINT64_FORMAT " bytes", bytes);
}

/* --- progress --- */

static void end_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
}

void disk_block_signals(void)
{
    sigset_t set;

    end_set(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

bool disk_interrupted(void)
{
    sigset_t set;

    return !sigpending(&set) &&
           (sigismember(&set, SIGINT) || sigismember(&set, SIGTERM) || sigismember(&set, SIGHUP));
}

static bool tell(void *opaque, uint64_t done, uint64_t total)
{
    DiskProgress *progress = opaque;
    int now = total ? (int)((double)done / (double)total * 1000) : 1000;

    if (progress->show && now / (progress->on_terminal ? 1 : 100) !=
                              progress->last / (progress->on_terminal ? 1 : 100)) {
        fprintf(stderr, progress->on_terminal ? "\r%5.1f %%" : "%.1f %%\n", now / 10.0);
        progress->last = now;
    }
    return !disk_interrupted();
}

void disk_progress_init(DiskProgress *progress, const DiskArgs *args)
{
    bool terminal = isatty(STDERR_FILENO);

    *progress = (DiskProgress){
        .progress = { tell, progress },
        .show = args->progress || (terminal && !args->quiet && !args->json),
        .on_terminal = terminal,
        .last = -1000,
    };
}

void disk_progress_end(DiskProgress *progress)
{
    if (progress->show && progress->on_terminal && progress->last >= 0) {
        fprintf(stderr, "\r        \r");
    }
}
