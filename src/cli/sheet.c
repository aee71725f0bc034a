/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sheet, see sheet.h.
 */
#include "cli/sheet.h"

#include <string.h>

#include "cli/output.h"
#include "common/text.h"

typedef struct Cell {
    bool there;
    int64_t number;
    char *text;
    GStrv list;
} Cell;

struct Sheet {
    const SheetColumn *columns;
    unsigned n_columns;
    GArray *cells;         /* of Cell, row by row */
    unsigned rows, filled; /* .filled: cells of the last row */
};

static void clear_cell(void *opaque)
{
    Cell *cell = opaque;

    g_free(cell->text);
    g_strfreev(cell->list);
}

Sheet *sheet_new(const SheetColumn *columns)
{
    Sheet *sheet = g_new0(Sheet, 1);

    sheet->columns = columns;
    while (columns[sheet->n_columns].key) {
        sheet->n_columns++;
    }
    sheet->cells = g_array_new(FALSE, TRUE, sizeof(Cell));
    g_array_set_clear_func(sheet->cells, clear_cell);
    return sheet;
}

void sheet_free(Sheet *sheet)
{
    if (sheet) {
        g_array_unref(sheet->cells);
        g_free(sheet);
    }
}

void sheet_row(Sheet *sheet)
{
    sheet->rows++;
    sheet->filled = 0;
    g_array_set_size(sheet->cells, sheet->rows * sheet->n_columns);
}

static SheetKind kind_of_next(const Sheet *sheet)
{
    g_assert(sheet->rows && sheet->filled < sheet->n_columns);
    return sheet->columns[sheet->filled].kind;
}

static Cell *next_cell(Sheet *sheet)
{
    unsigned place = (sheet->rows - 1) * sheet->n_columns + sheet->filled++;

    return &g_array_index(sheet->cells, Cell, place);
}

void sheet_none(Sheet *sheet)
{
    kind_of_next(sheet);
    next_cell(sheet);
}

void sheet_text(Sheet *sheet, const char *text)
{
    g_assert(kind_of_next(sheet) == SHEET_TEXT);
    *next_cell(sheet) = (Cell){ .there = text, .text = g_strdup(text) };
}

void sheet_number(Sheet *sheet, int64_t number)
{
    SheetKind kind = kind_of_next(sheet);

    g_assert(kind != SHEET_TEXT && kind != SHEET_FLAG && kind != SHEET_LIST);
    *next_cell(sheet) = (Cell){ .there = true, .number = number };
}

void sheet_flag(Sheet *sheet, bool flag)
{
    g_assert(kind_of_next(sheet) == SHEET_FLAG);
    *next_cell(sheet) = (Cell){ .there = true, .number = flag };
}

void sheet_list(Sheet *sheet, const char *const *texts)
{
    g_assert(kind_of_next(sheet) == SHEET_LIST);
    *next_cell(sheet) = (Cell){ .there = texts, .list = g_strdupv((char **)(uintptr_t)texts) };
}

static const Cell *cell_at(const Sheet *sheet, unsigned row, unsigned column)
{
    return &g_array_index(sheet->cells, Cell, row * sheet->n_columns + column);
}

const char *sheet_name(const Sheet *sheet, unsigned row)
{
    return row < sheet->rows ? cell_at(sheet, row, 0)->text : NULL;
}

unsigned sheet_rows(const Sheet *sheet)
{
    return sheet->rows;
}

/* ---- for people ---- */

char *sheet_bytes_text(uint64_t bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    unsigned unit = 0;
    double size = (double)bytes;

    while (size >= 1024 && unit + 1 < G_N_ELEMENTS(units)) {
        size /= 1024;
        unit++;
    }
    return g_strdup_printf(unit && size < 100 ? "%.3g %s" : "%.0f %s", size, units[unit]);
}

static char *seconds_text(int64_t seconds)
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" } };

    for (unsigned i = 0; i < G_N_ELEMENTS(units); i++) {
        if (seconds >= units[i].seconds) {
            int64_t rest = seconds % units[i].seconds;
            int64_t next = i + 1 < G_N_ELEMENTS(units) ? units[i + 1].seconds : 1;
            return g_strdup_printf("%" G_GINT64_FORMAT " %s %" G_GINT64_FORMAT " %s",
                                   seconds / units[i].seconds, units[i].name, rest / next,
                                   i + 1 < G_N_ELEMENTS(units) ? units[i + 1].name : "s");
        }
    }
    return g_strdup_printf("%" G_GINT64_FORMAT " s", seconds);
}

static char *when_text(int64_t seconds)
{
    g_autoptr(GDateTime) when = g_date_time_new_from_unix_local(seconds);

    return when ? g_date_time_format(when, "%Y-%m-%d %H:%M:%S") : g_strdup("-");
}

/* One line, whatever the value holds. */
static char *cell_text(const Sheet *sheet, unsigned row, unsigned column)
{
    const Cell *cell = cell_at(sheet, row, column);

    if (!cell->there) {
        return g_strdup("-");
    }
    switch (sheet->columns[column].kind) {
    case SHEET_TEXT:
        return text_visible(cell->text);
    case SHEET_NUMBER:
        return g_strdup_printf("%" G_GINT64_FORMAT, cell->number);
    case SHEET_BYTES:
        return sheet_bytes_text((uint64_t)cell->number);
    case SHEET_SECONDS:
        return seconds_text(cell->number);
    case SHEET_WHEN:
        return when_text(cell->number);
    case SHEET_FLAG:
        return g_strdup(cell->number ? "yes" : "no");
    case SHEET_LIST: {
        g_autofree char *all = g_strjoinv(", ", cell->list);
        return *all ? text_visible(all) : g_strdup("-");
    }
    }
    return NULL;
}

/* Columns of a terminal that @text takes. */
static size_t width_of(const char *text)
{
    size_t width = 0;

    if (!g_utf8_validate(text, -1, NULL)) {
        return strlen(text);
    }
    for (const char *p = text; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        width += g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
    }
    return width;
}

static bool to_the_right(SheetKind kind)
{
    return kind == SHEET_NUMBER || kind == SHEET_BYTES || kind == SHEET_SECONDS;
}

/* @text in a column @width wide. */
static void add_cell(GString *line, const char *text, size_t width, bool right)
{
    int blanks = (int)(width - MIN(width, width_of(text)));

    g_string_append_printf(line, "%s%*s%s%*s", line->len ? "  " : "", right ? blanks : 0, "", text,
                           right ? 0 : blanks, "");
}

/* Takes ownership of @line, which gets no blanks at its end. */
static void add_line(GString *out, GString *line)
{
    g_autofree char *text = g_string_free(line, FALSE);

    g_string_append_printf(out, "%s\n", g_strchomp(text));
}

static size_t column_width(const Sheet *sheet, unsigned column)
{
    size_t width = width_of(sheet->columns[column].title);

    for (unsigned row = 0; row < sheet->rows; row++) {
        g_autofree char *text = cell_text(sheet, row, column);
        width = MAX(width, width_of(text));
    }
    return width;
}

char *sheet_table(const Sheet *sheet)
{
    GString *out = g_string_new(NULL);
    g_autofree size_t *widths = g_new0(size_t, sheet->n_columns + 1);

    if (!sheet->rows) {
        return g_string_free(out, FALSE);
    }
    GString *titles = g_string_new(NULL);
    for (unsigned i = 0; i < sheet->n_columns; i++) {
        if (sheet->columns[i].title) {
            widths[i] = column_width(sheet, i);
            add_cell(titles, sheet->columns[i].title, widths[i],
                     to_the_right(sheet->columns[i].kind));
        }
    }
    add_line(out, titles);
    for (unsigned row = 0; row < sheet->rows; row++) {
        GString *line = g_string_new(NULL);
        for (unsigned i = 0; i < sheet->n_columns; i++) {
            if (sheet->columns[i].title) {
                g_autofree char *text = cell_text(sheet, row, i);
                add_cell(line, text, widths[i], to_the_right(sheet->columns[i].kind));
            }
        }
        add_line(out, line);
    }
    return g_string_free(out, FALSE);
}

char *sheet_record(const Sheet *sheet)
{
    GString *out = g_string_new(NULL);
    size_t width = 0;

    for (unsigned i = 0; i < sheet->n_columns; i++) {
        if (sheet->columns[i].title) {
            width = MAX(width, width_of(sheet->columns[i].title));
        }
    }
    for (unsigned i = 0; sheet->rows && i < sheet->n_columns; i++) {
        if (sheet->columns[i].title) {
            g_autofree char *title = g_strdup_printf("%s:", sheet->columns[i].title);
            g_autofree char *text = cell_text(sheet, 0, i);
            GString *line = g_string_new(NULL);
            add_cell(line, title, width + 1, false);
            add_cell(line, text, 0, false);
            add_line(out, line);
        }
    }
    return g_string_free(out, FALSE);
}

/* ---- JSON ---- */

static void add_json_text(JsonBuilder *json, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);

    json_builder_add_string_value(json, valid);
}

static void add_json_cell(JsonBuilder *json, SheetKind kind, const Cell *cell)
{
    if (!cell->there) {
        json_builder_add_null_value(json);
        return;
    }
    switch (kind) {
    case SHEET_TEXT:
        add_json_text(json, cell->text);
        break;
    case SHEET_NUMBER:
    case SHEET_BYTES:
    case SHEET_SECONDS:
    case SHEET_WHEN:
        json_builder_add_int_value(json, cell->number);
        break;
    case SHEET_FLAG:
        json_builder_add_boolean_value(json, cell->number != 0);
        break;
    case SHEET_LIST:
        json_builder_begin_array(json);
        for (char **text = cell->list; *text; text++) {
            add_json_text(json, *text);
        }
        json_builder_end_array(json);
        break;
    }
}

static void add_json_row(JsonBuilder *json, const Sheet *sheet, unsigned row)
{
    json_builder_begin_object(json);
    for (unsigned i = 0; i < sheet->n_columns; i++) {
        json_builder_set_member_name(json, sheet->columns[i].key);
        add_json_cell(json, sheet->columns[i].kind, cell_at(sheet, row, i));
    }
    json_builder_end_object(json);
}

JsonNode *sheet_json(const Sheet *sheet, bool single)
{
    g_autoptr(JsonBuilder) json = json_builder_new();

    g_assert(!single || sheet->rows);
    if (single) {
        add_json_row(json, sheet, 0);
        return json_builder_get_root(json);
    }
    json_builder_begin_array(json);
    for (unsigned row = 0; row < sheet->rows; row++) {
        add_json_row(json, sheet, row);
    }
    json_builder_end_array(json);
    return json_builder_get_root(json);
}

bool sheet_print(const Sheet *sheet, bool json, bool single, GError **error)
{
    if (json) {
        return output_json(sheet_json(sheet, single), error);
    }
    g_autofree char *text = single ? sheet_record(sheet) : sheet_table(sheet);
    return output_text(text, error);
}
