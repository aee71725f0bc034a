/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values with settings behind them, see words.h.
 */
#include "config/words.h"

#include <string.h>

#include "common/error.h"
#include "common/suggest.h"

/* The part up to the next single comma, with doubled ones made single; *@text moves behind it, and
 * becomes NULL behind the last part. */
static char *take_part(const char **text)
{
    GString *part = g_string_new(NULL);
    const char *p = *text;

    while (*p && !(p[0] == ',' && p[1] != ',')) {
        p += p[0] == ',';
        g_string_append_c(part, *p++);
    }
    *text = *p ? p + 1 : NULL;
    return g_string_free(part, FALSE);
}

static const WordSetting *find_setting(const WordSetting *settings, const char *name,
                                       const char *what, GError **error)
{
    const char *known[WORD_SETTINGS_MAX + 1] = { NULL };
    g_autoptr(GString) forms = g_string_new(NULL);

    for (unsigned i = 0; settings[i].name; i++) {
        if (!strcmp(settings[i].name, name)) {
            return &settings[i];
        }
        known[i] = settings[i].name;
        g_string_append_printf(forms, "%s%s=%s", i ? ", " : "", settings[i].name, settings[i].form);
    }
    g_autofree char *hint = suggest_text(name, known);
    set_error_code(error, INSULA_ERROR_USAGE,
                   "%s: unknown setting '%s'%s (there are: %s; a comma in a name is written twice)",
                   what, name, hint, forms->str);
    return NULL;
}

static bool apply(const char *part, const char *what, const WordSetting *settings, void *target,
                  unsigned *seen, GError **error)
{
    const char *equals = strchr(part, '=');
    g_autofree char *name = equals ? g_strndup(part, (gsize)(equals - part)) : g_strdup(part);
    const WordSetting *setting = find_setting(settings, name, what, error);

    if (!setting) {
        return false;
    }
    unsigned bit = 1U << (setting - settings);
    if (!equals) {
        set_error_code(error, INSULA_ERROR_USAGE, "%s: setting '%s' needs a value: write %s=%s",
                       what, name, name, setting->form);
        return false;
    }
    if (*seen & bit) {
        set_error_code(error, INSULA_ERROR_USAGE, "%s: setting '%s' is given twice; keep one", what,
                       name);
        return false;
    }
    *seen |= bit;
    return setting->parse(target, equals + 1, error);
}

bool words_parse(const char *text, const char *what, const WordSetting *settings, void *target,
                 char **ret_first, GError **error)
{
    g_autofree char *first = take_part(&text);
    unsigned seen = 0;

    while (text) {
        g_autofree char *part = take_part(&text);
        if (!apply(part, what, settings, target, &seen, error)) {
            return false;
        }
    }
    *ret_first = g_steal_pointer(&first);
    return true;
}

bool words_switch(const char *value, const char *what, bool *ret_on, GError **error)
{
    bool on = !strcmp(value, "on");

    if (!on && strcmp(value, "off")) {
        set_error_code(error, INSULA_ERROR_USAGE, "%s '%s' must be on or off", what, value);
        return false;
    }
    *ret_on = on;
    return true;
}
