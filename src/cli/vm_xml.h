/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What commands read of a machine's XML.  The daemon writes it, and has checked it; here it is only
 * looked at.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* A port of this host that leads to one of the machine. */
typedef struct VmPort {
    bool udp;
    unsigned host, guest;
} VmPort;

typedef struct VmXml {
    char *machine;       /* "pc-1", or NULL */
    char *screen;        /* "vnc 127.0.0.1:5900", or NULL */
    GPtrArray *disks;    /* of char *: files; NULL behind the last */
    GPtrArray *writable; /* of char *: those of them that aren't read-only; likewise */
    GPtrArray *networks; /* of char *: "user", "network default"; likewise */
    GArray *ports;       /* of VmPort */
} VmXml;

VmXml *vm_xml_parse(const char *xml, GError **error);
void vm_xml_free(VmXml *xml);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmXml, vm_xml_free)
