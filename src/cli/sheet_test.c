/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of sheets: what people see, and what programs get.
 */
#include "cli/sheet.h"

static const SheetColumn columns[] = {
    { "name", "Name", SHEET_TEXT },
    { "size", "Size", SHEET_BYTES },
    { "uuid", NULL, SHEET_TEXT },
    { "up", "Up", SHEET_SECONDS },
    { "starts", "Starts", SHEET_FLAG },
    { "tags", "Tags", SHEET_LIST },
    { 0 },
};

static Sheet *example(void)
{
    Sheet *sheet = sheet_new(columns);
    const char *const tags[] = { "web", "test", NULL };

    sheet_row(sheet);
    sheet_text(sheet, "Zürich");
    sheet_number(sheet, 1536 << 20);
    sheet_text(sheet, "u1");
    sheet_number(sheet, 3725);
    sheet_flag(sheet, true);
    sheet_list(sheet, tags);
    sheet_row(sheet);
    sheet_text(sheet, "a\nb");
    sheet_none(sheet);
    return sheet;
}

static void table_aligns_columns(void)
{
    g_autoptr(Sheet) sheet = example();
    g_autofree char *text = sheet_table(sheet);

    g_assert_cmpstr(text, ==,
                    "Name       Size         Up  Starts  Tags\n"
                    "Zürich  1.5 GiB  1 h 2 min  yes     web, test\n"
                    "a\\x0ab        -          -  -       -\n");
}

static void record_shows_one_thing(void)
{
    g_autoptr(Sheet) sheet = example();
    g_autofree char *text = sheet_record(sheet);

    g_assert_true(g_str_has_prefix(text, "Name:    Zürich\nSize:    1.5 GiB\nUp:"));
}

static void empty_table_is_empty(void)
{
    g_autoptr(Sheet) sheet = sheet_new(columns);
    g_autofree char *text = sheet_table(sheet);
    JsonNode *node = sheet_json(sheet, false);
    g_autofree char *json = json_to_string(node, FALSE);

    json_node_unref(node);
    g_assert_cmpstr(text, ==, "");
    g_assert_cmpstr(json, ==, "[]");
}

static void json_has_true_values(void)
{
    g_autoptr(Sheet) sheet = example();
    JsonNode *node = sheet_json(sheet, false);
    g_autofree char *json = json_to_string(node, FALSE);

    json_node_unref(node);
    g_assert_cmpstr(json, ==,
                    "[{\"name\":\"Zürich\",\"size\":1610612736,\"uuid\":\"u1\",\"up\":3725,"
                    "\"starts\":true,\"tags\":[\"web\",\"test\"]},"
                    "{\"name\":\"a\\nb\",\"size\":null,\"uuid\":null,\"up\":null,"
                    "\"starts\":null,\"tags\":null}]");
}

static void bytes_are_short(void)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = { { 0, "0 B" },           { 1023, "1023 B" },          { 1024, "1 KiB" },
                  { 1536, "1.5 KiB" },    { 500ULL << 20, "500 MiB" }, { 10ULL << 30, "10 GiB" },
                  { 1ULL << 63, "8 EiB" } };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = sheet_bytes_text(cases[i].bytes);
        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sheet/table aligns columns", table_aligns_columns);
    g_test_add_func("/sheet/record shows one thing", record_shows_one_thing);
    g_test_add_func("/sheet/an empty table is empty", empty_table_is_empty);
    g_test_add_func("/sheet/JSON has the true values", json_has_true_values);
    g_test_add_func("/sheet/bytes are short", bytes_are_short);
    return g_test_run();
}
