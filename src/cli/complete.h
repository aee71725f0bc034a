/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Completion: what may stand where a person presses Tab.  The scripts in completions/ for bash, zsh
 * and fish ask this and show it, so that all three know what the tables know.
 *
 * Threads: main only.
 */
#pragma once

/* @words are those behind "insula", the last one unfinished (it may be ""); NULL behind it.
 * Returns a line for each word that fits: the word, a tab, what it is (may be empty); the line
 * ":file" stands for the names of files.  Newly allocated. */
char *complete_text(char **words);
