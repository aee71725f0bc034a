/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements that nobody knows, see xml_known.h.
 */
#include "config/xml_known.h"

bool xml_only(const XmlNode *node, const char *const *known, GError **error)
{
    for (unsigned i = 0; i < node->children->len; i++) {
        const XmlNode *child = g_ptr_array_index(node->children, i);
        if (!g_strv_contains(known, child->name)) {
            return xml_unsupported(child, error, "there is no such thing here in '%s'", node->name);
        }
    }
    return true;
}
