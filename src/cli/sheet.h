/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sheet: rows of values under named columns.  One description makes both answers of a command:
 * a table for people, and JSON with the true values.
 *
 * Threads: main only.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum SheetKind {
    SHEET_TEXT,
    SHEET_NUMBER,
    SHEET_BYTES,   /* people see "1.5 GiB" */
    SHEET_SECONDS, /* people see "3 min 20 s" */
    SHEET_WHEN,    /* seconds since 1970; people see a date and a time */
    SHEET_FLAG,    /* people see "yes" and "no" */
    SHEET_LIST,    /* texts, with commas between them */
} SheetKind;

typedef struct SheetColumn {
    const char *key;   /* in JSON; NULL behind the last */
    const char *title; /* for people; NULL: it is for JSON alone */
    SheetKind kind;
} SheetColumn;

typedef struct Sheet Sheet;

/* @columns must outlive the sheet. */
Sheet *sheet_new(const SheetColumn *columns);
void sheet_free(Sheet *sheet);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Sheet, sheet_free)

/* Values fill the last row from the left; sheet_row() begins one.  A value of the wrong kind, or
 * one too many, is a bug.  NULL, and sheet_none(), is "there is none": JSON's null. */
void sheet_row(Sheet *sheet);
void sheet_text(Sheet *sheet, const char *text);
void sheet_number(Sheet *sheet, int64_t number);
void sheet_flag(Sheet *sheet, bool flag);
void sheet_list(Sheet *sheet, const char *const *texts);
void sheet_none(Sheet *sheet);
/* What there is at @row of the first column (a text), to say near names; NULL: no such row. */
const char *sheet_name(const Sheet *sheet, unsigned row);
unsigned sheet_rows(const Sheet *sheet);

/* The rows as a table, with titles above; "" if there is none.  Newly allocated. */
char *sheet_table(const Sheet *sheet);
/* A line "Title:  value" for each value of the first row.  Newly allocated. */
char *sheet_record(const Sheet *sheet);
/* A JSON array of objects, or with @single the first row's object. */
JsonNode *sheet_json(const Sheet *sheet, bool single);

/* Print it as the person wants it.  Fails as output_flush(). */
bool sheet_print(const Sheet *sheet, bool json, bool single, GError **error);

/* "1.5 GiB"; newly allocated. */
char *sheet_bytes_text(uint64_t bytes);
