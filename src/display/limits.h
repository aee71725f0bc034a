/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every limit on what a VNC viewer chooses, and its reason.
 */
#pragma once

/* Viewers at once, those that have not said who they are among them: each may cost two pictures. */
enum { VNC_MAX_CLIENTS = 32 };
/* A viewer says who it is within this time, or it only holds a place. */
enum { VNC_HANDSHAKE_MS = 10000 };
/* So many wrong passwords in a row, then nobody gets to try for this time. */
enum { VNC_MAX_FAILURES = 3, VNC_FAILURE_MS = 5000 };
/* Text from a viewer's clipboard. */
enum { VNC_MAX_TEXT = 1 << 20 };
/* Encodings that a viewer lists: those that we know have 30. */
enum { VNC_MAX_ENCODINGS = 1024 };
/* Bytes that wait for a viewer besides its picture: answers, others' clipboards. */
enum { VNC_MAX_BACKLOG = 4 << 20 };
/* What DES takes of a password; the rest would be ignored without a word. */
enum { VNC_PASSWORD_MAX = 8 };
/* Changed parts that are sent at once; more are merged. */
enum { VNC_MAX_RECTS = 64 };
/* Time between two pictures while something changes, and when nothing has changed for long. */
enum { VNC_FAST_MS = 33, VNC_SLOW_MS = 100, VNC_SLOW_AFTER = 30 };
