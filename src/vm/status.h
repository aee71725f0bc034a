/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exit statuses of insula-vm, which insula run passes on.
 *
 * A machine that a signal ended (SIGTERM, SIGINT, SIGHUP) is wound up first; then the process dies
 * of that signal, so that a shell sees 128 + its number.
 */
#pragma once

typedef enum Status {
    STATUS_DONE = 0,    /* the guest powered off, or its reset was taken as the end (--no-reboot);
                           or the person at the terminal ended it */
    STATUS_FAILED = 1,  /* an error of ours, or of a file */
    STATUS_USAGE = 2,   /* the words of the command line */
    STATUS_CRASHED = 3, /* the guest crashed: triple fault */
    STATUS_HOST = 4,    /* the host or KVM refused */
    STATUS_DIFFERENCE = 5, /* --check: two back ends disagree about a block of guest code */
    STATUS_TEST = 16,      /* plus the byte written to the test-exit port, at most 255 in all */
} Status;
