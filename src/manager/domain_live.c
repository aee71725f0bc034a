/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The live file of a running domain, see domain_live.h.
 */
#include "manager/domain_live.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"

#define FIRST_LINE "insula-live 1\n"
#define PLUGGED    "plugged "

static const struct {
    const char *name;
    size_t offset;
} fields[] = {
    { "id", offsetof(DomainLive, id) },
    { "pid", offsetof(DomainLive, pid) },
    { "state", offsetof(DomainLive, state) },
    { "reason", offsetof(DomainLive, reason) },
    { "log-end", offsetof(DomainLive, log_end) },
    { "persistent", offsetof(DomainLive, persistent) },
};

char *domain_live_format(const DomainLive *live)
{
    GString *text = g_string_new(FIRST_LINE);

    for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++) {
        int64_t value = *(const int64_t *)(const void *)((const char *)live + fields[i].offset);
        g_string_append_printf(text, "%s %" G_GINT64_FORMAT "\n", fields[i].name, value);
    }
    for (char **alias = live->plugged; alias && *alias; alias++) {
        g_string_append_printf(text, PLUGGED "%s\n", *alias);
    }
    g_string_append_printf(text, "\n%s", live->xml);
    return g_string_free(text, FALSE);
}

static char **plugged_of(const char *text, const char *end)
{
    g_autofree char *head = g_strndup(text, (size_t)(end - text));
    g_auto(GStrv) lines = g_strsplit(head, "\n", 0);
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

    for (char **line = lines; *line; line++) {
        if (g_str_has_prefix(*line, PLUGGED)) {
            g_strv_builder_add(builder, *line + strlen(PLUGGED));
        }
    }
    return g_strv_builder_end(builder);
}

bool domain_live_parse(const char *text, DomainLive *ret_live, GError **error)
{
    const char *body = strstr(text, "\n\n");
    DomainLive live = { 0 };

    if (!g_str_has_prefix(text, FIRST_LINE) || !body) {
        set_error(error, "it is no live file of this version");
        return false;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++) {
        g_autofree char *begin = g_strdup_printf("\n%s ", fields[i].name);
        const char *line = g_strstr_len(text, body - text, begin);
        char *end = NULL;
        int64_t value = line ? g_ascii_strtoll(line + strlen(begin), &end, 10) : 0;

        if (!line || *end != '\n') {
            set_error(error, "its line '%s' is missing or no number", fields[i].name);
            return false;
        }
        *(int64_t *)(void *)((char *)&live + fields[i].offset) = value;
    }
    live.plugged = plugged_of(text, body);
    live.xml = g_strdup(body + 2);
    *ret_live = live;
    return true;
}

void domain_live_clear(DomainLive *live)
{
    g_clear_pointer(&live->plugged, g_strfreev);
    g_clear_pointer(&live->xml, g_free);
}
