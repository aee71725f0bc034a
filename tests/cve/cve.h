/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flaws that others have had in devices and formats that exist here, as tests: each row names the
 * number under which a flaw was published, says what its pattern is and what is done about it here.
 * A row is not the original's exploit, but the same thing tried on our own device.
 *
 * Threads: one.
 */
#pragma once

#include <glib.h>

/* Adds "/cve/NUMBER/WHAT". */
void cve_add(const char *number, const char *what, gconstpointer data, GTestDataFunc fn);

void cve_add_pc(void);       /* registers of board pc; saved states */
void cve_add_sata(void);     /* AHCI, ATA, ATAPI */
void cve_add_images(void);   /* qcow2 */
void cve_add_virtio(void);   /* requests of virtio devices */
void cve_add_network(void);  /* e1000e */
void cve_add_vnc(void);      /* the VNC server */
void cve_add_debugger(void); /* the gdb stub */
void cve_add_apic(void);     /* local APICs */
void cve_add_user_net(void); /* libslirp behind insula-net's filter */
