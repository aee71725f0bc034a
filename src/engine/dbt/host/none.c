/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hosts for which there is no back end, see native.h.
 */
#include "engine/dbt/host/native.h"

const Backend *const native_backend = NULL;
