/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits on pools, volumes and secrets, each with its reason.
 */
#pragma once

enum {
    FOLDER_ENTRIES_MAX = 16384, /* as many volumes as a client takes in one list */
    POOLS_MAX = 4096,           /* as many pools as a client takes in one list */
    NETWORKS_MAX = 16384,       /* the same of networks */
    SECRETS_MAX = 16384,        /* and of secrets */
    SECRET_VALUE_MAX = 65536,   /* what a client sends and takes */
    DISK_ANSWER_MAX = 1 << 20,  /* of insula-disk: a chain of 200 images with their snapshots */
    DISK_WORDS_MAX = 32,        /* of its command line */
    VOLUME_PIECE = 1 << 20,     /* of what is written or read at once, between two looks whether
                                   the client is still there */
};
