/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of handlers, see dispatch.h.
 */
#include "manager/dispatch.h"

static const CallRow *const tables[] = {
    connect_calls,         event_calls,          host_calls,          network_calls,
    node_device_calls,     pool_calls,           secret_calls,        volume_calls,
    domain_calls,          domain_console_calls, domain_device_calls, domain_save_calls,
    domain_snapshot_calls, domain_stats_calls,
};

CallHandler dispatch_handler(uint32_t procedure)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(tables); i++) {
        for (const CallRow *row = tables[i]; row->procedure; row++) {
            if (row->procedure == procedure) {
                return row->handler;
            }
        }
    }
    return NULL;
}

unsigned dispatch_count(uint32_t procedure)
{
    unsigned n = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(tables); i++) {
        for (const CallRow *row = tables[i]; row->procedure; row++) {
            n += row->procedure == procedure;
        }
    }
    return n;
}

unsigned dispatch_total(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(tables); i++) {
        for (const CallRow *row = tables[i]; row->procedure; row++) {
            n++;
        }
    }
    return n;
}
