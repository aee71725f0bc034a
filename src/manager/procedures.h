/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of libvirt's calls are answered: docs/procedures.md of a build, by the tables.
 *
 * Threads: no state.
 */
#pragma once

/* Newly allocated. */
char *procedures_text(void);
