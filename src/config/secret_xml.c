/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XML of secrets, see secret_xml.h (libvirt's formatsecret).
 */
#include "config/secret_xml.h"

#include "config/identity.h"
#include "config/xml.h"
#include "config/xml_known.h"

/* By SecretUsage: the word of attribute "type", and the element that says which one. */
static const char *const usages[] = { "none", "volume", "ceph", "iscsi", "tls", "vtpm", NULL };
static const char *const usage_elements[] = { NULL, "volume", "name", "target", "name", "name" };

static bool parse_usage(const XmlNode *node, SecretConfig *config, GError **error)
{
    const char *const known[] = { "volume", "name", "target", NULL };
    unsigned usage = SECRET_NONE;

    if (!xml_only(node, known, error) ||
        !xml_get_word(node, "type", XML_REQUIRED, usages, &usage, error)) {
        return false;
    }
    config->usage = (SecretUsage)usage;
    const char *element = usage_elements[usage];
    const XmlNode *which = element ? xml_child(node, element) : NULL;
    if (element && !which) {
        return xml_error(node, error, "element '%s' is missing", element);
    }
    return !which || xml_get_text(which, NULL, XML_REQUIRED, &config->usage_id, error);
}

static bool parse_secret(const XmlNode *root, SecretConfig *config, GError **error)
{
    static const char *const known[] = { "uuid", "description", "usage", NULL };
    const XmlNode *uuid = xml_child(root, "uuid"), *usage = xml_child(root, "usage");
    const XmlNode *description = xml_child(root, "description");

    config->has_uuid = uuid != NULL;
    return xml_only(root, known, error) &&
           xml_get_yes(root, "ephemeral", XML_OPTIONAL, &config->ephemeral, error) &&
           xml_get_yes(root, "private", XML_OPTIONAL, &config->private, error) &&
           (!uuid || xml_get_uuid(uuid, NULL, XML_REQUIRED, config->uuid, error)) &&
           (!description ||
            xml_get_text(description, NULL, XML_OPTIONAL, &config->description, error)) &&
           (!usage || parse_usage(usage, config, error));
}

SecretConfig *secret_config_parse(const char *xml, GError **error)
{
    g_autoptr(XmlNode) root = xml_parse(xml, "secret", error);
    g_autoptr(SecretConfig) config = g_new0(SecretConfig, 1);

    return root && parse_secret(root, config, error) ? g_steal_pointer(&config) : NULL;
}

char *secret_config_format(const SecretConfig *config)
{
    XmlWriter *writer = xml_writer_new();
    g_autofree char *uuid = uuid_format(config->uuid);

    xml_open(writer, "secret");
    xml_put(writer, "ephemeral", config->ephemeral ? "yes" : "no");
    xml_put(writer, "private", config->private ? "yes" : "no");
    xml_put_element(writer, "uuid", config->has_uuid ? uuid : NULL);
    xml_put_element(writer, "description", config->description);
    if (config->usage != SECRET_NONE) {
        xml_open(writer, "usage");
        xml_put(writer, "type", usages[config->usage]);
        xml_put_element(writer, usage_elements[config->usage], config->usage_id);
        xml_close(writer, "usage");
    }
    xml_close(writer, "secret");
    return xml_writer_end(writer);
}

void secret_config_free(SecretConfig *config)
{
    if (config) {
        g_free(config->description);
        g_free(config->usage_id);
        g_free(config);
    }
}
