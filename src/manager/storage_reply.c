/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What calls of pools, volumes, networks and the like have in common, see storage_reply.h.
 */
#include "manager/storage_reply.h"

void reply_names(GStrv names, int32_t max, char ***ret, uint32_t *ret_n)
{
    uint32_t n = g_strv_length(names), most = (uint32_t)MAX(max, 0);

    for (uint32_t i = most; i < n; i++) {
        g_clear_pointer(&names[i], g_free);
    }
    *ret = names;
    *ret_n = MIN(n, most);
}

bool reply_text(char *text, char **ret)
{
    *ret = text;
    return text != NULL;
}
