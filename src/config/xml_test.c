/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the XML reader and writer: what is taken, what is refused and with which words, and that
 * what was written reads back.
 */
#include "config/xml.h"

#include <string.h>

#include "common/error.h"
#include "config/identity.h"
#include "config/limits.h"

static const struct {
    const char *name, *xml, *message; /* a part of it */
} refused[] = {
    { "empty", "", "the XML is empty" },
    { "blank", "  \n", "the XML is not well-formed on line" },
    { "text", "no XML", "not well-formed on line 1" },
    { "unclosed", "<a>\n<b></a>", "not well-formed on line 2" },
    { "two-roots", "<a/><b/>", "not well-formed on line 1" },
    { "twice", "<a b='1' b='2'/>", "not well-formed on line 1" },
    { "bare-ampersand", "<a>x & y</a>", "not well-formed on line 1" },
    { "unknown-entity", "<a>\n\n&b;</a>", "not well-formed on line 3" },
    { "unknown-entity-in-attribute", "<a b='&c;'/>", "not well-formed" },
    { "null-reference", "<a>&#0;</a>", "not well-formed" },
    { "doctype", "<?xml version='1.0'?>\n<!DOCTYPE a>\n<a/>", "has a DOCTYPE on line 2" },
    { "own-entity", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "has a DOCTYPE on line 1" },
    { "outer-entity", "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
      "has a DOCTYPE on line 1" },
    { "outer-dtd", "<!DOCTYPE a SYSTEM 'http://127.0.0.1/x.dtd'><a/>", "has a DOCTYPE on line 1" },
    { "parameter-entity", "<!DOCTYPE a [<!ENTITY % b SYSTEM 'file:///etc/passwd'> %b;]><a/>",
      "has a DOCTYPE on line 1" },
    { "not-utf8", "<a>\xff</a>", "is not UTF-8" },
    { "unbound-prefix", "<x:a/>", "not well-formed" },
    { "other-root", "\n<b/>", "element 'b' on line 2: the root must be element 'a'" },
};

static void test_refused(gconstpointer data)
{
    const typeof(refused[0]) *c = data;
    g_autoptr(GError) error = NULL;

    g_assert_null(xml_parse(c->xml, "a", &error));
    g_assert_error(error, INSULA_ERROR, INSULA_ERROR_XML);
    g_assert_nonnull(strstr(error->message, c->message));
    g_assert_null(strchr(error->message, '\n'));
}

/* @before, @count times @part, @after. */
static char *repeat(const char *before, const char *part, unsigned count, const char *after)
{
    GString *text = g_string_new(before);

    for (unsigned i = 0; i < count; i++) {
        g_string_append(text, part);
    }
    g_string_append(text, after);
    return g_string_free(text, FALSE);
}

static void check_limit(char *good, char *bad, const char *message)
{
    g_autoptr(GError) error = NULL;
    XmlNode *node = xml_parse(good, NULL, &error);

    g_assert_no_error(error);
    xml_node_free(node);
    g_assert_null(xml_parse(bad, NULL, &error));
    g_assert_error(error, INSULA_ERROR, INSULA_ERROR_XML);
    g_assert_nonnull(strstr(error->message, message));
    g_free(good);
    g_free(bad);
}

static char *nested(unsigned depth)
{
    g_autofree char *open = repeat("", "<a>", depth, "");

    return repeat(open, "</a>", depth, "");
}

static void test_limits(void)
{
    check_limit(nested(XML_DEPTH_MAX), nested(XML_DEPTH_MAX + 1), "more than 64 deep");
    check_limit(repeat("<a>", "<b/>", XML_ELEMENTS_MAX - 1, "</a>"),
                repeat("<a>", "<b/>", XML_ELEMENTS_MAX, "</a>"), "more than 10000 elements");
    check_limit(repeat("<a b='", "x", XML_ATTRIBUTE_MAX, "'/>"),
                repeat("<a b='", "x", XML_ATTRIBUTE_MAX + 1, "'/>"), "more than 4096 bytes");
    check_limit(repeat("<a>", " ", XML_SIZE_MAX - 7, "</a>"),
                repeat("<a>", " ", XML_SIZE_MAX - 6, "</a>"), "more than 1048576 bytes");
}

/* The tree holds what was written, with its lines, places and namespaces. */
static void test_tree(void)
{
    static const char xml[] = "<?xml version='1.0' encoding='UTF-16'?>\n"
                              "<a one='&lt;1&amp;&#38;2&quot;'\n"
                              "   two=\"it's\">x<!-- gone -->y<b/>&gt;\n"
                              "  <n:c xmlns:n='urn:n' n:d='3'><![CDATA[<raw>]]></n:c >\n"
                              "</a>";
    g_autoptr(GError) error = NULL;
    g_autoptr(XmlNode) root = xml_parse(xml, "a", &error);

    g_assert_no_error(error);
    g_assert_cmpstr(xml_attribute(root, "one"), ==, "<1&&2\"");
    g_assert_cmpstr(xml_attribute(root, "two"), ==, "it's");
    g_assert_null(xml_attribute(root, "three"));
    g_assert_true(g_str_has_prefix(root->text->str, "xy>\n"));
    g_assert_cmpuint(root->line, ==, 2);
    g_assert_true(g_str_has_prefix(xml + root->begin, "<a one"));
    g_assert_true(g_str_has_prefix(xml + root->inside, "x<!--"));
    g_assert_cmpuint(root->end, ==, strlen(xml));
    const XmlNode *inner = xml_child(root, "n:c");
    g_assert_nonnull(inner);
    g_assert_cmpstr(inner->uri, ==, "urn:n");
    g_assert_cmpstr(xml_attribute(inner, "xmlns:n"), ==, "urn:n");
    g_assert_cmpstr(xml_attribute(inner, "n:d"), ==, "3");
    g_assert_cmpstr(inner->text->str, ==, "<raw>");
    g_assert_cmpuint(inner->line, ==, 4);
    g_assert_true(g_str_has_prefix(xml + inner->begin, "<n:c xmlns"));
    g_assert_true(g_str_has_prefix(xml + inner->end, "\n</a>"));
    const XmlNode *empty = xml_child(root, "b");
    g_assert_cmpuint(empty->inside, ==, empty->end);
    g_assert_true(g_str_has_prefix(xml + empty->end, "&gt;"));
    g_assert_null(xml_descend(root, "b/c"));
    g_assert_true(xml_descend(root, "n:c") == inner);
}

/* Offsets hold in a text that is longer than any buffer of the parser's. */
static void test_far_places(void)
{
    g_autofree char *xml =
        repeat("<a>", "<!-- a comment \xc3\xa4 --><b c='d'>\n</b >", 9000, "<last>1</last></a>");
    g_autoptr(GError) error = NULL;
    g_autoptr(XmlNode) root = xml_parse(xml, "a", &error);

    g_assert_no_error(error);
    const XmlNode *last = xml_child(root, "last");
    g_assert_cmpuint(last->line, ==, 9001);
    g_assert_true(g_str_has_prefix(xml + last->begin, "<last>"));
    g_assert_true(g_str_has_prefix(xml + last->inside, "1<"));
    g_assert_cmpstr(xml + last->end, ==, "</a>");
}

static const struct {
    const char *xml, *message; /* NULL: it is good */
    uint64_t size;
} sizes[] = {
    { "<m>1</m>", NULL, 1024 },
    { "<m> 2 </m>", NULL, 2048 },
    { "<m unit='b'>3</m>", NULL, 3 },
    { "<m unit='bytes'>3</m>", NULL, 3 },
    { "<m unit='KB'>3</m>", NULL, 3000 },
    { "<m unit='k'>3</m>", NULL, 3072 },
    { "<m unit='MiB'>3</m>", NULL, UINT64_C(3) << 20 },
    { "<m unit='G'>3</m>", NULL, UINT64_C(3) << 30 },
    { "<m unit='TiB'>1</m>", NULL, UINT64_C(1) << 40 },
    { "<m unit='TiB'>2</m>", "its text '2' must be a number from 0 to 1", 0 },
    { "<m unit='EiB'>1</m>", "must be a number from 0 to 0", 0 },
    { "<m unit='lots'>1</m>", "attribute 'unit' 'lots' is no unit", 0 },
    { "<m unit=''>1</m>", "is no unit", 0 },
    { "<m/>", "element 'm' on line 1: its text is missing", 0 },
    { "<m>-1</m>", "must be a number", 0 },
    { "<m>1.5</m>", "must be a number", 0 },
    { "<m>0x10</m>", "must be a number", 0 },
    { "<m>18446744073709551616</m>", "must be a number", 0 },
};

static void test_sizes(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autoptr(XmlNode) node = xml_parse(sizes[i].xml, "m", NULL);
        g_autoptr(GError) error = NULL;
        uint64_t size = 77;

        g_test_message("%s", sizes[i].xml);
        bool good = xml_get_size(node, "KiB", UINT64_C(1) << 40, &size, &error);
        g_assert_true(good == !sizes[i].message);
        g_assert_cmpuint(size, ==, good ? sizes[i].size : 77);
        g_assert_true(good || strstr(error->message, sizes[i].message));
    }
}

typedef enum Getter { NUMBER, INTEGER, WORD, YES, ON, NAME, UUID, MAC } Getter;

static bool get(const XmlNode *node, Getter getter, bool required, GError **error)
{
    static const char *const words[] = { "red", "green", NULL };
    uint8_t bytes[16];
    uint64_t number;
    int64_t integer;
    unsigned word;
    bool on = false;
    g_autofree char *name = NULL;

    switch (getter) {
    case NUMBER:
        return xml_get_number(node, "v", required, 5, 10, &number, error);
    case INTEGER:
        return xml_get_integer(node, "v", required, -1, 10, &integer, error);
    case WORD:
        return xml_get_word(node, "v", required, words, &word, error);
    case YES:
        return xml_get_yes(node, "v", required, &on, error);
    case ON:
        return xml_get_on(node, "v", required, &on, error);
    case NAME:
        return xml_get_name(node, "v", required, &name, error);
    case UUID:
        return xml_get_uuid(node, "v", required, bytes, error);
    case MAC:
        return xml_get_mac(node, "v", required, bytes, error);
    }
    return false;
}

static const struct {
    Getter getter;
    const char *value, *message; /* NULL: good */
} values[] = {
    { NUMBER, "5", NULL },
    { NUMBER, "10", NULL },
    { NUMBER, "4", "attribute 'v' '4' must be a number from 5 to 10" },
    { NUMBER, "11", "must be a number" },
    { NUMBER, " 7", "must be a number" },
    { NUMBER, "+7", "must be a number" },
    { NUMBER, "", "must be a number" },
    { INTEGER, "-1", NULL },
    { INTEGER, "-2", "must be a number from -1 to 10" },
    { WORD, "green", NULL },
    { WORD, "blue", "attribute 'v' 'blue' must be one of red, green" },
    { YES, "yes", NULL },
    { YES, "on", "must be one of no, yes" },
    { ON, "off", NULL },
    { ON, "1", "must be one of off, on" },
    { NAME, "debian-12.3_a+b", NULL },
    { NAME, "..", "must be 1 to 128 letters" },
    { NAME, "a/b", "must be 1 to 128 letters" },
    { NAME, "a\nb", "attribute 'v' 'a\\x0ab' must be" },
    { NAME, "", "must be 1 to 128 letters" },
    { UUID, "12345678-9abc-DEF0-1234-56789abcdef0", NULL },
    { UUID, "123456789abcdef0123456789abcdef0", "must be a UUID" },
    { UUID, "12345678-9abc-def0-1234-56789abcdefg", "must be a UUID" },
    { UUID, "12345678-9abc-def0-1234-56789abcdef01", "must be a UUID" },
    { UUID, "123456789-abc-def0-1234-56789abcdef0", "must be a UUID" },
    { MAC, "52:54:00:aB:cd:ef", NULL },
    { MAC, "53:54:00:ab:cd:ef", "is a group's address" },
    { MAC, "52:54:00:ab:cd", "must be six bytes" },
    { MAC, "52-54-00-ab-cd-ef", "must be six bytes" },
};

static void test_values(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(values); i++) {
        g_autofree char *escaped = g_markup_escape_text(values[i].value, -1);
        g_auto(GStrv) lines = g_strsplit(escaped, "\n", 0);
        g_autofree char *value = g_strjoinv("&#10;", lines);
        g_autofree char *xml = g_strdup_printf("<e v='%s'/>", value);
        g_autoptr(XmlNode) node = xml_parse(xml, "e", NULL);
        g_autoptr(GError) error = NULL;

        g_test_message("%s", xml);
        bool good = get(node, values[i].getter, true, &error);
        g_assert_true(good == !values[i].message);
        g_assert_true(good || strstr(error->message, values[i].message));
    }
    for (Getter getter = NUMBER; getter <= MAC; getter++) {
        g_autoptr(XmlNode) node = xml_parse("<e/>", "e", NULL);
        g_autoptr(GError) error = NULL;

        g_assert_true(get(node, getter, false, &error));
        g_assert_false(get(node, getter, true, &error));
        g_assert_cmpstr(error->message, ==, "element 'e' on line 1: attribute 'v' is missing");
    }
}

/* The layout that libvirt's clients are used to. */
static void test_layout(void)
{
    XmlWriter *writer = xml_writer_new();

    xml_open(writer, "domain");
    xml_put(writer, "type", "it's");
    xml_put(writer, "absent", NULL);
    xml_put_number(writer, "id", 3);
    xml_put_element(writer, "name", "<a> & b");
    xml_put_element(writer, "absent", NULL);
    xml_put_element_size(writer, "memory", "KiB", 1024);
    xml_open(writer, "features");
    xml_open(writer, "acpi");
    xml_close(writer, "acpi");
    xml_close(writer, "features");
    xml_open(writer, "metadata");
    xml_put_raw(writer, "\n <x/>\n");
    xml_close(writer, "metadata");
    xml_close(writer, "domain");
    g_autofree char *text = xml_writer_end(writer);
    g_assert_cmpstr(text, ==,
                    "<domain type='it&apos;s' id='3'>\n"
                    "  <name>&lt;a&gt; &amp; b</name>\n"
                    "  <memory unit='KiB'>1024</memory>\n"
                    "  <features>\n"
                    "    <acpi/>\n"
                    "  </features>\n"
                    "  <metadata>\n <x/>\n</metadata>\n"
                    "</domain>\n");
}

/* Whatever stands in an attribute or a text reads back as it was. */
static void test_reads_back(void)
{
    static const char text[] = "<>&'\"\n\t\r \xc3\xa4&#38;&amp;";
    XmlWriter *writer = xml_writer_new();

    xml_open(writer, "a");
    xml_put(writer, "b", text);
    xml_put_element(writer, "c", text);
    xml_close(writer, "a");
    g_autofree char *xml = xml_writer_end(writer);
    g_autoptr(GError) error = NULL;
    g_autoptr(XmlNode) node = xml_parse(xml, "a", &error);
    g_assert_no_error(error);
    g_assert_cmpstr(xml_attribute(node, "b"), ==, text);
    g_assert_cmpstr(xml_child(node, "c")->text->str, ==, text);

    g_autoptr(XmlNode) copy = xml_node_copy(node);
    writer = xml_writer_new();
    xml_put_node(writer, copy);
    g_autofree char *again = xml_writer_end(writer);
    g_assert_cmpstr(again, ==, xml);
}

static void test_identity(void)
{
    uint8_t uuid[UUID_SIZE], other[UUID_SIZE], mac[MAC_SIZE];

    uuid_make(uuid);
    uuid_make(other);
    g_assert_cmpmem(uuid, 8, uuid, 8);
    g_assert_true(memcmp(uuid, other, UUID_SIZE) != 0);
    g_autofree char *text = uuid_format(uuid);
    g_assert_true(text[14] == '4' && strchr("89ab", text[19]));
    g_assert_true(uuid_parse(text, other));
    g_assert_cmpmem(uuid, UUID_SIZE, other, UUID_SIZE);
    mac_make(mac);
    g_autofree char *address = mac_format(mac);
    g_assert_true(g_str_has_prefix(address, "52:54:00:"));
    g_assert_true(mac_parse(address, other));
    g_assert_cmpmem(mac, MAC_SIZE, other, MAC_SIZE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autofree char *path = g_strdup_printf("/xml/refused/%s", refused[i].name);
        g_test_add_data_func(path, &refused[i], test_refused);
    }
    g_test_add_func("/xml/limits hold exactly", test_limits);
    g_test_add_func("/xml/the tree is what was written", test_tree);
    g_test_add_func("/xml/places hold in a long text", test_far_places);
    g_test_add_func("/xml/sizes", test_sizes);
    g_test_add_func("/xml/values", test_values);
    g_test_add_func("/xml/layout", test_layout);
    g_test_add_func("/xml/what is written reads back", test_reads_back);
    g_test_add_func("/xml/identity", test_identity);
    return g_test_run();
}
