/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements that nobody knows are refused by name and line, not passed over.
 *
 * Threads: no state.
 */
#pragma once

#include "config/xml.h"

/* Whether @node has only children with names in @known (NULL behind the last); else fails with
 * INSULA_ERROR_UNSUPPORTED. */
bool xml_only(const XmlNode *node, const char *const *known, GError **error);
