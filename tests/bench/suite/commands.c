/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows that are real programs, of busybox: cold code and small loops.  Each command runs once, in a
 * shell, and reads the same generated text.
 */
#include <stdio.h>
#include <unistd.h>

#include "suite.h"

enum { TEXT_SIZE = 20 << 20, WORD_MAX = 64 };

#define MIB 1.048576

void make_text(void)
{
    static const char *const syllables[] = {
        "an",  "to", "re", "li",  "ka", "mo", "sed", "ti",
        "vor", "e",  "un", "pra", "os", "il", "que", "st",
    };
    uint32_t state = 777;
    size_t left = TEXT_SIZE;

    if (access(TEXT_FILE, R_OK) == 0) {
        return;
    }
    FILE *file = fopen(TEXT_FILE, "w");
    if (!file) {
        die(TEXT_FILE);
    }
    while (left > 0) {
        char word[WORD_MAX];
        size_t length = 0;
        uint32_t parts = 1 + (next_random(&state) >> 9 & 3);
        for (uint32_t i = 0; i < parts; i++) {
            uint32_t mask = next_random(&state) >> 11 & 15; /* so some are met more often */
            uint32_t which = next_random(&state) >> 7 & mask;
            length += (size_t)snprintf(word + length, WORD_MAX - length, "%s", syllables[which]);
        }
        word[length++] = next_random(&state) >> 5 & 15 ? ' ' : '\n';
        length = length < left ? length : left;
        fwrite(word, 1, length, file);
        left -= length;
    }
    if (fclose(file)) {
        die(TEXT_FILE);
    }
}

/* gunzip20m needs what gzip20m left. */
const Row command_rows[] = {
    { "cmds", "gzip20m", "MB/s", 20 * MIB, .command = "gzip -c <" TEXT_FILE " >" TEXT_FILE ".gz" },
    { "cmds", "gunzip20m", "MB/s", 20 * MIB, .command = "gunzip -c <" TEXT_FILE ".gz" },
    { "cmds", "sha256_20m", "MB/s", 20 * MIB, .command = "sha256sum <" TEXT_FILE },
    { "cmds", "sort2m", "MB/s", 2 * MIB, .command = "head -c 2097152 " TEXT_FILE " | sort" },
    { "cmds", "awk4m", "MB/s", 4 * MIB,
      .command =
          "head -c 4194304 " TEXT_FILE " | awk '{ n += NF; for (i = 1; i <= NF; i++) c[$i]++ }"
          " END { print n, length(c) }'" },
    { "cmds", "shloop", "op/s", 200,
      .command = "i=0; while [ $i -lt 200 ]; do busybox true; i=$((i + 1)); done" },
    { 0 },
};
