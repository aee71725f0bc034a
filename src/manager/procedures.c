/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of calls, see procedures.h.
 */
#include "manager/procedures.h"

#include <glib.h>
#include <inttypes.h>

#include "manager/dispatch.h"
#include "wire/remote.h"

static const char *answer_of(const RemoteProcedure *procedure)
{
    return dispatch_handler(procedure->number) ? "yes" : procedure->refused ? "refused" : "not yet";
}

static void count(unsigned *ret_answered, unsigned *ret_refused)
{
    *ret_answered = *ret_refused = 0;
    for (unsigned i = 0; i < remote_n_procedures; i++) {
        const RemoteProcedure *procedure = &remote_procedures[i];
        const bool answered = dispatch_handler(procedure->number) != NULL;
        *ret_answered += answered;
        *ret_refused += !answered && procedure->refused;
    }
}

char *procedures_text(void)
{
    GString *text = g_string_new("# Calls of libvirt's protocol\n\n");
    unsigned answered, refused;

    count(&answered, &refused);
    g_string_append_printf(
        text,
        "Made by `insulad --procedures` of `src/wire/remote.table` and the tables of handlers.\n\n"
        "Of %u calls that clients are known to make %u are answered. %u are refused on purpose and "
        "%u are not built yet: both get \"unknown procedure\", as libvirtd "
        "says it, which clients take as \"not supported\". Calls that aren't listed get the same.\n"
        "\n\"Read-only\" calls are open to the read-only socket; access is named in libvirt's "
        "words.\n\n| number | call | read-only | access | answered | why not |\n"
        "|---|---|---|---|---|---|\n",
        remote_n_procedures, answered, refused, remote_n_procedures - answered - refused);
    for (unsigned i = 0; i < remote_n_procedures; i++) {
        const RemoteProcedure *procedure = &remote_procedures[i];
        const bool handled = dispatch_handler(procedure->number) != NULL;
        g_string_append_printf(
            text, "| %s%" PRIu32 " | %s | %s | %s | %s | %s |\n",
            procedure->number >= REMOTE_QEMU ? "QEMU " : "", procedure->number % REMOTE_QEMU,
            procedure->name, procedure->flags & REMOTE_READ_ONLY ? "yes" : "", procedure->access,
            answer_of(procedure), !handled && procedure->refused ? procedure->refused : "");
    }
    return g_string_free(text, FALSE);
}
