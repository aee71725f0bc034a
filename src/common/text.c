/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text that is shown to people, see text.h.
 */
#include "common/text.h"

#include <glib.h>

char *text_visible(const char *text)
{
    GString *line = g_string_new(NULL);

    for (const char *p = text; *p; p++) {
        unsigned char byte = (unsigned char)*p;
        if (byte < 0x20 || byte == 0x7f) {
            g_string_append_printf(line, "\\x%02x", byte);
        } else {
            g_string_append_c(line, *p);
        }
    }
    return g_string_free(line, FALSE);
}
