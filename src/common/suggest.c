/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "Did you mean", see suggest.h.  Distances are those of optimal string alignment, computed row by
 * row over words of bounded length.
 */
#include "common/suggest.h"

#include <glib.h>
#include <string.h>

enum { WORD_MAX = 32 }; /* longer words are typed by programs, which don't mistype */

/* What one cell costs, given the three rows; @i and @j count from 1. */
static unsigned cell(const char *a, const char *b, unsigned i, unsigned j,
                     unsigned rows[3][WORD_MAX + 1])
{
    const unsigned *before = rows[0], *above = rows[1], *here = rows[2];
    unsigned change = above[j - 1] + (a[i - 1] != b[j - 1]);
    unsigned best = MIN(change, MIN(above[j], here[j - 1]) + 1);

    if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        best = MIN(best, before[j - 2] + 1);
    }
    return best;
}

/* Both words are at most WORD_MAX long. */
static unsigned distance(const char *a, const char *b)
{
    unsigned rows[3][WORD_MAX + 1];
    unsigned a_len = (unsigned)strlen(a), b_len = (unsigned)strlen(b);

    for (unsigned j = 0; j <= b_len; j++) {
        rows[0][j] = rows[1][j] = rows[2][j] = j;
    }
    for (unsigned i = 1; i <= a_len; i++) {
        memcpy(rows[0], rows[1], sizeof(rows[0]));
        memcpy(rows[1], rows[2], sizeof(rows[1]));
        rows[2][0] = i;
        for (unsigned j = 1; j <= b_len; j++) {
            rows[2][j] = cell(a, b, i, j, rows);
        }
    }
    return rows[2][b_len];
}

const char *suggest(const char *word, const char *const *known)
{
    const char *best = NULL;
    size_t len = strlen(word);
    unsigned limit = (unsigned)(len + 2) / 3;

    if (len > WORD_MAX) {
        return NULL;
    }
    for (unsigned i = 0; known[i]; i++) {
        if (strlen(known[i]) > WORD_MAX) {
            continue;
        }
        unsigned d = distance(word, known[i]);
        if (d <= limit && (!best || d < distance(word, best))) {
            best = known[i];
        }
    }
    return best;
}

char *suggest_text(const char *word, const char *const *known)
{
    const char *best = suggest(word, known);

    return best ? g_strdup_printf("; did you mean '%s'?", best) : g_strdup("");
}
