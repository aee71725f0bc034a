/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What commands read of a machine's XML, see vm_xml.h.
 */
#include "cli/vm_xml.h"

#include <string.h>

#include "common/error.h"

typedef struct Parser {
    VmXml *xml;
    bool in_disk, in_interface, is_disk, read_only; /* where it stands */
    bool udp;
    char *file;
} Parser;

static const char *value_of(const char *name, const char **names, const char **values)
{
    for (unsigned i = 0; names[i]; i++) {
        if (!strcmp(names[i], name)) {
            return values[i];
        }
    }
    return NULL;
}

static void on_source(Parser *parser, const char **names, const char **values)
{
    const char *file = value_of("file", names, values);
    const char *network = value_of("network", names, values);
    const char *bridge = value_of("bridge", names, values);

    if (parser->in_disk && (file || value_of("dev", names, values))) {
        g_free(parser->file);
        parser->file = g_strdup(file ? file : value_of("dev", names, values));
    }
    if (parser->in_interface && (network || bridge)) {
        g_ptr_array_add(parser->xml->networks, g_strconcat(network ? "network " : "bridge ",
                                                           network ? network : bridge, NULL));
    }
}

static void on_range(Parser *parser, const char **names, const char **values)
{
    const char *start = value_of("start", names, values), *to = value_of("to", names, values);
    VmPort port = { .udp = parser->udp };

    if (start) {
        port.host = (unsigned)g_ascii_strtoull(start, NULL, 10);
        port.guest = to ? (unsigned)g_ascii_strtoull(to, NULL, 10) : port.host;
        g_array_append_val(parser->xml->ports, port);
    }
}

static void on_graphics(Parser *parser, const char **names, const char **values)
{
    const char *type = value_of("type", names, values), *port = value_of("port", names, values);
    const char *listen = value_of("listen", names, values);

    if (type && port && strcmp(port, "-1") != 0) {
        g_free(parser->xml->screen);
        parser->xml->screen = g_strdup_printf("%s %s:%s", type, listen ? listen : "", port);
    } else if (type && !parser->xml->screen) {
        parser->xml->screen = g_strdup(type);
    }
}

static void on_start(GMarkupParseContext *context, const char *element, const char **names,
                     const char **values, void *opaque, GError **error)
{
    Parser *parser = opaque;
    const char *type = value_of("type", names, values);

    if (!strcmp(element, "type") && value_of("machine", names, values)) {
        g_free(parser->xml->machine);
        parser->xml->machine = g_strdup(value_of("machine", names, values));
    } else if (!strcmp(element, "disk")) {
        const char *device = value_of("device", names, values);
        parser->in_disk = true;
        parser->is_disk = !device || !strcmp(device, "disk");
        parser->read_only = false;
    } else if (!strcmp(element, "interface")) {
        parser->in_interface = true;
        if (type && !strcmp(type, "user")) {
            g_ptr_array_add(parser->xml->networks, g_strdup("user"));
        }
    } else if (!strcmp(element, "source")) {
        on_source(parser, names, values);
    } else if (!strcmp(element, "readonly")) {
        parser->read_only = true;
    } else if (!strcmp(element, "portForward")) {
        const char *protocol = value_of("proto", names, values);
        parser->udp = protocol && !strcmp(protocol, "udp");
    } else if (!strcmp(element, "range") && parser->in_interface) {
        on_range(parser, names, values);
    } else if (!strcmp(element, "graphics")) {
        on_graphics(parser, names, values);
    }
}

static void on_end(GMarkupParseContext *context, const char *element, void *opaque, GError **error)
{
    Parser *parser = opaque;

    if (!strcmp(element, "interface")) {
        parser->in_interface = false;
    } else if (!strcmp(element, "disk")) {
        if (parser->file) {
            g_ptr_array_add(parser->xml->disks, g_strdup(parser->file));
            if (parser->is_disk && !parser->read_only) {
                g_ptr_array_add(parser->xml->writable, g_strdup(parser->file));
            }
        }
        g_clear_pointer(&parser->file, g_free);
        parser->in_disk = false;
    }
}

VmXml *vm_xml_parse(const char *text, GError **error)
{
    static const GMarkupParser functions = { .start_element = on_start, .end_element = on_end };
    Parser parser = { .xml = g_new0(VmXml, 1) };
    g_autoptr(GError) why = NULL;

    parser.xml->disks = g_ptr_array_new_null_terminated(2, g_free, TRUE);
    parser.xml->writable = g_ptr_array_new_null_terminated(2, g_free, TRUE);
    parser.xml->networks = g_ptr_array_new_null_terminated(2, g_free, TRUE);
    parser.xml->ports = g_array_new(FALSE, FALSE, sizeof(VmPort));
    g_autoptr(GMarkupParseContext) context =
        g_markup_parse_context_new(&functions, 0, &parser, NULL);
    bool good = g_markup_parse_context_parse(context, text, -1, &why) &&
                g_markup_parse_context_end_parse(context, &why);
    g_free(parser.file);
    if (!good) {
        set_error(error, "cannot read the machine's XML: %s", why->message);
        g_clear_pointer(&parser.xml, vm_xml_free);
    }
    return parser.xml;
}

void vm_xml_free(VmXml *xml)
{
    if (xml) {
        g_free(xml->machine);
        g_free(xml->screen);
        g_ptr_array_unref(xml->disks);
        g_ptr_array_unref(xml->writable);
        g_ptr_array_unref(xml->networks);
        g_array_unref(xml->ports);
        g_free(xml);
    }
}
