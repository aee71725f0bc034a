/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vCPU's state as text, see x86.h.
 *
 * Threads: no state.
 */
#include "engine/x86/x86.h"

static const char *const gpr_names[16] = {
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
    "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15",
};

static const char *const segment_names[X86_SEGMENTS] = { "es", "cs", "ss", "ds", "fs", "gs" };

static const char *const activity_names[] = {
    [X86_RUNNING] = "running",
    [X86_HALTED] = "halted",
    [X86_WAIT_FOR_SIPI] = "waiting for SIPI",
};

static const char *const exception_names[32] = {
    "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", NULL,  "#TS",
    "#NP", "#SS", "#GP", "#PF", NULL,  "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
};

const char *x86_exception_name(unsigned vector)
{
    return vector < G_N_ELEMENTS(exception_names) ? exception_names[vector] : NULL;
}

static void print_segment(GString *text, const char *name, const X86Segment *segment)
{
    g_string_append_printf(text, "%-4s %04x base %016" G_GINT64_MODIFIER "x limit %08x type %04x\n",
                           name, segment->selector, segment->base, segment->limit,
                           segment->attributes);
}

static void print_event(GString *text, const char *what, const X86Event *event)
{
    if (!event->valid) {
        return;
    }
    const char *name = x86_exception_name(event->vector);
    g_string_append_printf(text, "%s %u%s%s", what, event->vector, name ? " " : "",
                           name ? name : "");
    if (event->has_error) {
        g_string_append_printf(text, " error %x", event->error_code);
    }
    g_string_append(text, event->soft ? " (software)\n" : "\n");
}

char *x86_state_print(const X86State *state)
{
    GString *text = g_string_new(NULL);

    for (unsigned i = 0; i < 16; i++) {
        g_string_append_printf(text, "%-4s%016" G_GINT64_MODIFIER "x%s", gpr_names[i],
                               state->gpr[i], i % 4 == 3 ? "\n" : "  ");
    }
    g_string_append_printf(
        text, "rip %016" G_GINT64_MODIFIER "x  rflags %08" G_GINT64_MODIFIER "x  %s\n", state->rip,
        state->rflags,
        (unsigned)state->activity <= X86_WAIT_FOR_SIPI ? activity_names[state->activity] : "?");
    for (unsigned i = 0; i < X86_SEGMENTS; i++) {
        print_segment(text, segment_names[i], &state->segment[i]);
    }
    print_segment(text, "ldtr", &state->ldtr);
    print_segment(text, "tr", &state->tr);
    g_string_append_printf(
        text, "gdtr %016" G_GINT64_MODIFIER "x %04x  idtr %016" G_GINT64_MODIFIER "x %04x\n",
        state->gdtr.base, state->gdtr.limit, state->idtr.base, state->idtr.limit);
    g_string_append_printf(text,
                           "cr0 %08" G_GINT64_MODIFIER "x  cr2 %016" G_GINT64_MODIFIER
                           "x  cr3 %016" G_GINT64_MODIFIER "x  cr4 %08" G_GINT64_MODIFIER
                           "x  efer %04" G_GINT64_MODIFIER "x\n",
                           state->cr0, state->cr2, state->cr3, state->cr4, state->msr.efer);
    print_event(text, "exception pending:", &state->exception);
    print_event(text, "interrupt pending:", &state->interrupt);
    return g_string_free(text, FALSE);
}
