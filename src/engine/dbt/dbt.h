/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine that translates guest code to IR, with two back ends: the portable interpreter of
 * IR, and (when it exists) code for the host's own CPU.
 */
#pragma once

#include "engine/engine.h"

/* IR run by the interpreter in host/interp. */
extern const Engine interpreter_engine;
/* IR made into host code; until that back end exists it runs the interpreter, and says so. */
extern const Engine translator_engine;
