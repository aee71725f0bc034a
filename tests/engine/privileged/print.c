/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the test kernels speak: bytes to port E9h.
 */
#include "kernel.h"

static const char *const vector_names[32] = {
    "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", 0,     "#TS",
    "#NP", "#SS", "#GP", "#PF", 0,     "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
};

void say(const char *text)
{
    for (; *text; text++) {
        __asm__ volatile("outb %0, $0xe9" : : "a"(*text));
    }
}

void say_hex(uint64_t value)
{
    char digits[17];
    unsigned i = sizeof(digits) - 1;

    digits[i] = '\0';
    do {
        digits[--i] = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value);
    say(digits + i);
}

void say_outcome(int outcome)
{
    int vector = outcome >> 20;

    if (outcome == NONE) {
        say("nothing");
    } else if (vector < 32 && vector_names[vector]) {
        say(vector_names[vector]);
    } else {
        say("vector ");
        say_hex(vector);
    }
    if (outcome != NONE && (outcome & 0xfffff)) {
        say("(");
        say_hex(outcome & 0xfffff);
        say(")");
    }
}

Progress progress;

/* Count a case; false: it is one of those that ran before. */
static bool begin_case(bool good, const char *name)
{
    bool counts = progress.done++ >= progress.first;

    if (counts) {
        say(good ? "ok - " : "not ok - ");
        say(name);
    }
    return counts;
}

static void end_case(void)
{
    say("\n");
    reset();
}

void read_command_line(word information)
{
    const uint32_t *multiboot = (const uint32_t *)information;

    if (!multiboot || !(multiboot[0] & 4)) {
        return;
    }
    for (const char *c = (const char *)(word)multiboot[4]; *c; c++) {
        progress.first = *c >= '0' && *c <= '9' ? progress.first * 10 + (unsigned)(*c - '0') : 0;
    }
}

void expect(const char *name, int got, int want)
{
    if (!begin_case(got == want, name)) {
        reset();
        return;
    }
    if (got != want) {
        say(": got ");
        say_outcome(got);
        say(" at ");
        say_hex(caught.rip);
        say(", want ");
        say_outcome(want);
    }
    end_case();
}

void expect_value(const char *name, uint64_t got, uint64_t want)
{
    if (!begin_case(got == want, name)) {
        reset();
        return;
    }
    if (got != want) {
        say(": got ");
        say_hex(got);
        say(", want ");
        say_hex(want);
    }
    end_case();
}

void skip(const char *name, const char *why)
{
    if (begin_case(true, name)) {
        say(" # SKIP ");
        say(why);
        end_case();
    }
}

void run_rows(const Row *row, const Row *end, void (*prepare)(void))
{
    static int (*const try[])(const void *code, word argument) = {
        try_kernel,
        try_user,
        try_compat,
        try_user_compat,
    };

    for (; row < end; row++) {
        if (prepare) {
            prepare();
        }
        expect(row->name, try[row->where](row->code, 0), (int)row->want);
    }
}
