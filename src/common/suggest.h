/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "Did you mean": the known word that is nearest to one that a person mistyped.
 *
 * Nearness is the number of single letters to insert, drop, change or swap with a neighbour.  A
 * word further away than a third of its length is no help and isn't suggested.
 *
 * Threads: no state.
 */
#pragma once

/* The entry of @known (NULL behind the last) nearest to @word, or NULL if none is near.  Of equals
 * the first. */
const char *suggest(const char *word, const char *const *known);

/* "; did you mean 'X'?" for that entry, or "" if none is near.  Newly allocated. */
char *suggest_text(const char *word, const char *const *known);
