/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may call what, see access.h.
 */
#include "manager/access.h"

void access_deny(const RemoteProcedure *procedure, GError **error)
{
    g_autofree char *function = remote_function(procedure);

    remote_error_set(error, REMOTE_ERR_OPERATION_DENIED,
                     "operation forbidden: read only access prevents %s", function);
}

bool access_allows(const AccessWho *who, const RemoteProcedure *procedure, GError **error)
{
    if (!who->opened && !(procedure->flags & REMOTE_BEFORE_OPEN)) {
        remote_error_set(error, REMOTE_ERR_INTERNAL,
                         "internal error: hypervisor connection not open");
        return false;
    }
    if (who->read_only && !(procedure->flags & REMOTE_READ_ONLY)) {
        access_deny(procedure, error);
        return false;
    }
    return true;
}
