/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * insula setup libvirt: symbolic links to our sockets, where the clients of libvirt look.
 *
 * A user's clients look at $XDG_RUNTIME_DIR/libvirt, root's (and those of libraries that are not
 * libvirt's own) at /run/libvirt, for the names in the table of setup.c.  These folders don't
 * outlive the host's restart, so a file of tmpfiles.d has systemd make the links again.
 *
 * Threads: main only.
 */
#pragma once

typedef enum SetupState {
    SETUP_NONE,   /* nothing is where clients look */
    SETUP_OURS,   /* our links are */
    SETUP_OTHERS, /* something else is */
} SetupState;

SetupState setup_state(void);
