/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QMP's framing, see qmp.h.
 */
#include "wire/qmp.h"

#include <string.h>

#include "wire/limits.h"

enum { DROP = 0xff };

void qmp_framer_init(QmpFramer *f)
{
    *f = (QmpFramer){ .text = g_string_new(NULL) };
}

void qmp_framer_clear(QmpFramer *f)
{
    g_string_free(f->text, TRUE);
}

static void begin(QmpFramer *f)
{
    GString *text = f->text;

    g_string_truncate(text, 0);
    *f = (QmpFramer){ .text = text };
}

static QmpFrame broken(QmpFramer *f, bool skip)
{
    begin(f);
    f->skipping = skip;
    return QMP_FRAME_BROKEN;
}

/* Follow strings and braces; true: the outermost brace was closed. */
static bool follow(QmpFramer *f, uint8_t byte)
{
    if (f->in_string) {
        f->in_string = f->escaped || byte != '"';
        f->escaped = !f->escaped && byte == '\\';
        return false;
    }
    switch (byte) {
    case '"':
        f->in_string = true;
        return false;
    case '{':
    case '[':
        f->depth++;
        return false;
    case '}':
    case ']':
        f->depth -= f->depth > 0;
        return f->depth == 0;
    default:
        return false;
    }
}

QmpFrame qmp_framer_byte(QmpFramer *f, uint8_t byte)
{
    if (f->whole) {
        begin(f);
    }
    if (f->skipping) {
        f->skipping = byte != '\n';
        return QMP_FRAME_NONE;
    }
    if (byte == DROP) {
        return f->text->len ? broken(f, false) : QMP_FRAME_NONE;
    }
    if (!f->text->len && strchr(" \t\r\n", byte) && byte) {
        return QMP_FRAME_NONE;
    }
    if (f->text->len == WIRE_JSON_MAX) {
        return broken(f, byte != '\n');
    }
    g_string_append_c(f->text, (char)byte);
    f->whole = follow(f, byte) || (byte == '\n' && !f->depth);
    if (f->depth > WIRE_JSON_DEPTH) {
        return broken(f, true);
    }
    return f->whole ? QMP_FRAME_MESSAGE : QMP_FRAME_NONE;
}
