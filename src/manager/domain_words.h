/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a domain's configuration to the words of insula-vm's command line.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "config/domain.h"

/* What the words name besides. */
typedef struct DomainWords {
    const char *serial;   /* socket of the serial port that clients open by OPEN_CONSOLE */
    const char *console;  /* the same, of a virtio console */
    const char *password; /* file of the VNC password; NULL: there is none */
    char *const *later;   /* aliases of devices that are plugged in later; NULL: none */
    bool viewers;         /* a socket for viewers is passed on (process.h) */
    bool waits;           /* it goes on from a state that comes by its control socket */
} DomainWords;

/* The words, without the program's name, for domain_launch().  NULL, and an error: the machine
 * can't be built so. */
GStrv domain_words(const DomainConfig *config, const DomainWords *extra, GError **error);
/* Open the socket for viewers that .graphics asks for, and note its port there.  *@ret_fd is -1 if
 * there is none, or the VM makes it. */
bool domain_words_viewers(DomainConfig *config, int *ret_fd, GError **error);
/* How the VM calls disk @index of .disks, and interface @index, unless they were plugged in later.
 * Newly allocated. */
char *domain_words_disk(const DomainConfig *config, unsigned index);
char *domain_words_interface(unsigned index);
