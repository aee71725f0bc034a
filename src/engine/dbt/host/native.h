/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The back end that makes code for the CPU this program was compiled for, if there is one.
 */
#pragma once

#include "engine/dbt/run/backend.h"

/* NULL: none; the interpreter runs everywhere. */
extern const Backend *const native_backend;
