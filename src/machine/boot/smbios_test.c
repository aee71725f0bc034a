/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SMBIOS tables, walked as a guest does.
 */
#include "machine/boot/smbios.h"

#include <string.h>

enum { ADDRESS = 0xf0000 };

typedef struct Found {
    unsigned of_type[128];
    const uint8_t *last[128]; /* the last of each type */
    unsigned n;
    size_t end; /* where the walk stopped */
} Found;

static const uint8_t *behind_strings(const uint8_t *at, const uint8_t *end)
{
    while (at + 1 < end && (at[0] || at[1])) {
        at++;
    }
    return at + 2;
}

static void walk(const GByteArray *tables, Found *found)
{
    const uint8_t *at = tables->data, *end = at + tables->len;

    *found = (Found){ 0 };
    while (at + 4 <= end && at[0] < 128 && at[1] >= 4) {
        found->of_type[at[0]]++;
        found->last[at[0]] = at;
        found->n++;
        at = behind_strings(at + at[1], end);
    }
    found->end = (size_t)(at - tables->data);
}

static const char *string(const uint8_t *table, unsigned number)
{
    const char *at = (const char *)table + table[1];

    while (--number) {
        at += strlen(at) + 1;
    }
    return at;
}

static unsigned sum(const uint8_t *bytes, size_t len)
{
    uint8_t total = 0;

    for (size_t i = 0; i < len; i++) {
        total = (uint8_t)(total + bytes[i]);
    }
    return total;
}

static uint64_t number(const uint8_t *at, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, at, size);
    return value;
}

static const struct {
    const char *name;
    SmbiosConfig config;
    unsigned ranges;
    uint64_t array_kib, array_bytes, device_mib, extended_mib;
} cases[] = {
    { "small", { "pc-1", NULL, false, 1, 64 << 20, 0 }, 1, 65536, 0, 64, 0 },
    { "named", { "pc-1", "web.1", true, 4, 1 << 30, 0 }, 1, 1 << 20, 0, 1024, 0 },
    { "beyond 4 GiB",
      { "pc-1", "x", false, 64, UINT64_C(2) << 30, UINT64_C(2) << 30 },
      2,
      4 << 20,
      0,
      4096,
      0 },
    { "40 GiB",
      { "pc-1", NULL, false, 2, UINT64_C(2) << 30, UINT64_C(38) << 30 },
      2,
      40 << 20,
      0,
      0x7fff,
      40 << 10 },
    { "5 TiB",
      { "pc-1", NULL, false, 2, UINT64_C(1) << 30, (UINT64_C(5) << 40) - (1 << 30) },
      2,
      0x80000000,
      UINT64_C(5) << 40,
      0x7fff,
      5 << 20 },
};

static void test_walk(gconstpointer data)
{
    const typeof(cases[0]) *c = data;
    SmbiosFiles files;
    Found found;

    smbios_build(&c->config, ADDRESS, &files);
    walk(files.tables, &found);
    g_assert_cmpuint(found.end, ==, files.tables->len);
    static const struct {
        unsigned type, length;
    } once[] = { { 0, 0x18 },  { 1, 0x1b },  { 3, 0x15 }, { 4, 0x2a },
                 { 16, 0x17 }, { 17, 0x28 }, { 32, 0xb }, { 127, 4 } };
    for (size_t i = 0; i < G_N_ELEMENTS(once); i++) {
        g_assert_cmpuint(found.of_type[once[i].type], ==, 1);
        g_assert_cmpuint(found.last[once[i].type][1], ==, once[i].length);
    }
    g_assert_cmpuint(found.of_type[19], ==, c->ranges);
    g_assert_cmpuint(number(found.last[16] + 7, 4), ==, c->array_kib);
    g_assert_cmpuint(number(found.last[16] + 0xf, 8), ==, c->array_bytes);
    g_assert_cmpuint(number(found.last[17] + 0xc, 2), ==, c->device_mib);
    g_assert_cmpuint(number(found.last[17] + 0x1c, 4), ==, c->extended_mib);
    g_assert_cmpuint(found.last[4][0x23], ==, c->config.cpus);
    g_assert_cmpstr(string(found.last[1], found.last[1][4]), ==, "Insula");
    if (c->config.name) {
        g_assert_cmpstr(string(found.last[1], found.last[1][7]), ==, c->config.name);
    } else {
        g_assert_cmpuint(found.last[1][7], ==, 0);
        g_assert_cmpuint(number(found.last[1] + 8, 8), ==, 0);
    }

    const uint8_t *anchor = files.anchor->data;
    g_assert_cmpuint(files.anchor->len, ==, 0x1f);
    g_assert_cmpuint(sum(anchor, 0x1f), ==, 0);
    g_assert_cmpuint(sum(anchor + 0x10, 0xf), ==, 0);
    g_assert_cmpuint(number(anchor + 0x16, 2), ==, files.tables->len);
    g_assert_cmpuint(number(anchor + 0x18, 4), ==, ADDRESS);
    g_assert_cmpuint(number(anchor + 0x1c, 2), ==, found.n);
    smbios_files_clear(&files);
}

static void test_given_uuid(void)
{
    SmbiosConfig config = { "pc-1", "x", false, 1, 64 << 20, 0, .has_uuid = true };
    const uint8_t want[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
    SmbiosFiles files;
    Found found;

    for (unsigned i = 0; i < 16; i++) {
        config.uuid[i] = (uint8_t)i;
    }
    smbios_build(&config, ADDRESS, &files);
    walk(files.tables, &found);
    g_assert_cmpmem(found.last[1] + 8, 16, want, 16);
    smbios_files_clear(&files);
}

static void test_uuid(void)
{
    uint8_t a[16], again[16], b[16];

    smbios_uuid("a", a);
    smbios_uuid("a", again);
    smbios_uuid("b", b);
    g_assert_cmpmem(a, 16, again, 16);
    g_assert_cmpint(memcmp(a, b, 16), !=, 0);
    g_assert_cmphex(a[7] >> 4, ==, 5);
    g_assert_cmphex(a[8] >> 6, ==, 2);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strconcat("/smbios/", cases[i].name, NULL);
        g_test_add_data_func(path, &cases[i], test_walk);
    }
    g_test_add_func("/smbios/a name has its UUID", test_uuid);
    g_test_add_func("/smbios/a UUID that is given", test_given_uuid);
    return g_test_run();
}
