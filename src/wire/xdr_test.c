/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of XDR: each struct of each procedure there and back, and bytes that are none.
 */
#include "wire/xdr.h"

#include <string.h>

#include "wire/limits.h"
#include "wire/remote.h"

static void fill(const XdrType *type, uint8_t *out, GRand *rand);

static char *fill_text(GRand *rand)
{
    char *text = g_strnfill((gsize)g_rand_int_range(rand, 0, 9), 'a');

    for (char *c = text; *c; c++) {
        *c = (char)g_rand_int_range(rand, 1, 256);
    }
    return text;
}

static void fill_row(const XdrField *field, uint8_t *out, GRand *rand)
{
    const uint32_t count = (uint32_t)g_rand_int_range(rand, 0, 4);
    uint8_t *row = g_malloc0_n(count, field->type->size);

    for (uint32_t i = 0; i < count; i++) {
        fill(field->type, row + (size_t)i * field->type->size, rand);
    }
    *(uint8_t **)(out + field->offset) = row;
    *(uint32_t *)(out + field->count) = count;
}

static void fill_bytes(uint8_t *at, size_t len, GRand *rand)
{
    for (size_t i = 0; i < len; i++) {
        at[i] = (uint8_t)g_rand_int(rand);
    }
}

static void fill_field(const XdrField *field, uint8_t *out, GRand *rand)
{
    static const uint8_t sizes[] = { [XDR_I32] = 4, [XDR_U32] = 4,  [XDR_I64] = 8, [XDR_U64] = 8,
                                     [XDR_F64] = 8, [XDR_CHAR] = 1, [XDR_U8] = 1,  [XDR_U16] = 2 };
    uint8_t *at = out + field->offset;

    switch (field->kind) {
    case XDR_CHARS:
        fill_bytes(at, field->fixed - 1, rand);
        break;
    case XDR_BYTES:
        fill_bytes(at, field->fixed, rand);
        break;
    case XDR_TEXT:
        *(char **)at = fill_text(rand);
        break;
    case XDR_TEXT_OR:
        *(char **)at = g_rand_boolean(rand) ? fill_text(rand) : NULL;
        break;
    case XDR_OPAQUE:
        *(uint32_t *)(out + field->count) = (uint32_t)g_rand_int_range(rand, 0, 9);
        *(uint8_t **)at = g_malloc0(9);
        fill_bytes(*(uint8_t **)at, 9, rand);
        break;
    case XDR_ROW:
        fill_row(field, out, rand);
        break;
    case XDR_OR:
        if (g_rand_boolean(rand)) {
            *(uint8_t **)at = g_malloc0(field->type->size);
            fill(field->type, *(uint8_t **)at, rand);
        }
        break;
    case XDR_STRUCT:
        fill(field->type, at, rand);
        break;
    case XDR_UNION:
        *(int32_t *)at = g_rand_int_range(rand, 1, (int)field->type->n_fields + 1);
        fill_field(&field->type->fields[*(int32_t *)at - 1], out + field->count, rand);
        break;
    default:
        fill_bytes(at, sizes[field->kind], rand);
        break;
    }
}

static void fill(const XdrType *type, uint8_t *out, GRand *rand)
{
    for (uint32_t i = 0; i < type->n_fields; i++) {
        fill_field(&type->fields[i], out, rand);
    }
}

/* What is filled in comes out again, and none of its beginnings is whole. */
static void check_type(const XdrType *type, GRand *rand)
{
    g_autofree uint8_t *value = g_malloc0(type->size);
    g_autofree uint8_t *again = g_malloc(type->size);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GByteArray) twice = g_byte_array_new();
    g_autoptr(GError) error = NULL;

    fill(type, value, rand);
    xdr_encode(bytes, type, value);
    g_assert_cmpuint(bytes->len % 4, ==, 0);
    g_assert_cmpuint(bytes->len, >=, type->least);
    g_assert_true(xdr_decode(bytes->data, bytes->len, type, again, &error));
    g_assert_no_error(error);
    xdr_encode(twice, type, again);
    g_assert_cmpmem(bytes->data, bytes->len, twice->data, twice->len);
    xdr_clear(type, again);
    for (guint len = 0; len < bytes->len; len += 4) {
        g_autofree uint8_t *part = g_memdup2(bytes->data, len + 1);
        g_assert_false(xdr_decode(part, len, type, again, NULL));
    }
    g_assert_true(xdr_decode(bytes->data, bytes->len, type, again, NULL));
    xdr_clear(type, again);
    xdr_clear(type, value);
}

static void test_every_struct(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(g_test_rand_int_range(0, G_MAXINT32));

    for (unsigned i = 0; i < remote_n_procedures; i++) {
        const RemoteProcedure *procedure = &remote_procedures[i];
        g_test_message("%s", procedure->name);
        for (unsigned n = 0; n < 20; n++) {
            if (procedure->args) {
                check_type(procedure->args, rand);
            }
            if (procedure->ret) {
                check_type(procedure->ret, rand);
            }
        }
    }
    for (unsigned i = 0; i < remote_n_events; i++) {
        check_type(remote_events[i].type, rand);
    }
}

/* Bytes, as words, and whether they are the arguments of a call. */
static const struct {
    const char *name;
    uint32_t procedure;
    unsigned n;
    uint32_t words[12];
    bool good;
} cases[] = {
    { "an odd flag means there",
      REMOTE_PROC_CONNECT_OPEN,
      4,
      { 0x01000000, 1, 0x61000000, 0 },
      true },
    { "nothing there", REMOTE_PROC_CONNECT_OPEN, 2, { 0, 5 }, true },
    { "more than is asked for", REMOTE_PROC_CONNECT_OPEN, 4, { 0, 5, 6, 7 }, true },
    { "a byte short of a text", REMOTE_PROC_DOMAIN_LOOKUP_BY_NAME, 2, { 5, 0x61616161 }, false },
    { "a text beyond all", REMOTE_PROC_DOMAIN_LOOKUP_BY_NAME, 2, { UINT32_MAX, 0 }, false },
    { "a text of 4 MiB that isn't there",
      REMOTE_PROC_DOMAIN_LOOKUP_BY_NAME,
      1,
      { 4 << 20 },
      false },
    { "a NUL in a text", REMOTE_PROC_DOMAIN_LOOKUP_BY_NAME, 2, { 3, 0x61006100 }, false },
    { "rows that aren't there",
      REMOTE_PROC_CONNECT_GET_ALL_DOMAIN_STATS,
      4,
      { 1 << 16, 0, 0, 0 },
      false },
    { "rows beyond all", REMOTE_PROC_NODE_GET_FREE_PAGES, 4, { UINT32_MAX / 2, 0, 0, 0 }, false },
    { "a value of type 0",
      REMOTE_PROC_NODE_SET_MEMORY_PARAMETERS,
      6,
      { 1, 1, 0x61000000, 0, 0, 0 },
      false },
    { "a value of type 8",
      REMOTE_PROC_NODE_SET_MEMORY_PARAMETERS,
      6,
      { 1, 1, 0x61000000, 8, 0, 0 },
      false },
    { "a value of type 1",
      REMOTE_PROC_NODE_SET_MEMORY_PARAMETERS,
      6,
      { 1, 1, 0x61000000, 1, 9, 0 },
      true },
};

static void test_cases(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        const XdrType *type = remote_procedure(cases[i].procedure)->args;
        g_autofree uint8_t *out = g_malloc(type->size);
        uint32_t words[12];

        for (unsigned w = 0; w < cases[i].n; w++) {
            words[w] = GUINT32_TO_BE(cases[i].words[w]);
        }
        g_test_message("%s", cases[i].name);
        g_assert_cmpint(xdr_decode((uint8_t *)words, cases[i].n * 4, type, out, NULL), ==,
                        cases[i].good);
        if (cases[i].good) {
            xdr_clear(type, out);
        }
    }
}

/* What is small in C takes 4 bytes on the wire: 188 - 28 and 60 - 28 in all, as seen there. */
static void test_small_fields_are_wide(void)
{
    RemoteNodeGetInfoRet node = { .model = "x86_64", .memory = 1, .cpus = 2 };
    RemoteDomainGetInfoRet info = { .state = 1, .max_mem = 7, .nr_virt_cpu = 3 };
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    xdr_encode(bytes, &remote_node_get_info_ret_type, &node);
    g_assert_cmpuint(bytes->len, ==, 160);
    g_assert_cmpmem(bytes->data, 8,
                    "\0\0\0x\0\0\0"
                    "8",
                    8);
    g_byte_array_set_size(bytes, 0);
    xdr_encode(bytes, &remote_domain_get_info_ret_type, &info);
    g_assert_cmpuint(bytes->len, ==, 32);
    g_assert_cmpmem(bytes->data, 4, "\0\0\0\1", 4);
    g_assert_cmpmem(bytes->data + 20, 4, "\0\0\0\3", 4);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/xdr/every struct there and back", test_every_struct);
    g_test_add_func("/xdr/cases", test_cases);
    g_test_add_func("/xdr/small fields are wide", test_small_fields_are_wide);
    return g_test_run();
}
