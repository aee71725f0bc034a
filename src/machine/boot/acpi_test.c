/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the ACPI tables: walked from the RSDP as a guest does, and read back by Intel's iasl
 * where it is installed.
 */
#include "machine/boot/acpi.h"

#include <glib/gstdio.h>
#include <string.h>

#include "common/bits.h"
#include "machine/boot/aml.h"

enum { BASE = 0xe0000 };

static GByteArray *build(unsigned cpus, unsigned n_virtio)
{
    AcpiConfig config = { .cpus = cpus, .n_virtio = n_virtio };

    for (unsigned i = 0; i < n_virtio; i++) {
        config.virtio[i] = (AcpiMmioDevice){ 0xfe000000 + i * 0x1000, 0x200, 16 + i % 8 };
    }
    return acpi_build(&config, BASE);
}

static uint8_t sum(const uint8_t *bytes, size_t len)
{
    uint8_t total = 0;

    for (size_t i = 0; i < len; i++) {
        total += bytes[i];
    }
    return total;
}

/* The table at @gpa, checked. */
static const uint8_t *table_at(const GByteArray *blob, uint64_t gpa, const char *signature)
{
    g_assert(gpa >= BASE && gpa + 36 <= BASE + blob->len);
    const uint8_t *table = blob->data + (gpa - BASE);
    g_assert_cmpmem(table, 4, signature, 4);
    g_assert_cmpuint(gpa - BASE + load_le32(table + 4), <=, blob->len);
    if (strcmp(signature, "FACS")) {
        g_assert_cmpuint(sum(table, load_le32(table + 4)), ==, 0);
    }
    return table;
}

/* The FADT or MADT by way of the XSDT. */
static const uint8_t *find_table(const GByteArray *blob, const char *signature)
{
    const uint8_t *xsdt = table_at(blob, load_le64(blob->data + 24), "XSDT");
    unsigned n = (load_le32(xsdt + 4) - 36) / 8;

    for (unsigned i = 0; i < n; i++) {
        uint64_t gpa = load_le64(xsdt + 36 + 8 * i);
        if (!memcmp(blob->data + (gpa - BASE), signature, 4)) {
            return table_at(blob, gpa, signature);
        }
    }
    return NULL;
}

static void test_roots(void)
{
    g_autoptr(GByteArray) blob = build(2, 3);
    const uint8_t *rsdp = blob->data;

    g_assert_cmpmem(rsdp, 8, "RSD PTR ", 8);
    g_assert_cmpuint(sum(rsdp, 20), ==, 0);
    g_assert_cmpuint(sum(rsdp, 36), ==, 0);
    const uint8_t *rsdt = table_at(blob, load_le32(rsdp + 16), "RSDT");
    const uint8_t *xsdt = table_at(blob, load_le64(rsdp + 24), "XSDT");
    g_assert_cmpuint(load_le32(rsdt + 36), ==, load_le64(xsdt + 36));
    const uint8_t *fadt = find_table(blob, "FACP");
    g_assert_nonnull(fadt);
    table_at(blob, load_le64(fadt + 140), "DSDT");
    table_at(blob, load_le32(fadt + 36), "FACS");
    g_assert_cmpuint(load_le32(fadt + 36) % 64, ==, 0);
    g_assert_cmpuint(load_le32(fadt + 40), ==, load_le64(fadt + 140));
}

static void test_madt_lists_each_cpu(void)
{
    g_autoptr(GByteArray) blob = build(64, 0);
    const uint8_t *madt = find_table(blob, "APIC");
    unsigned cpus = 0, ioapics = 0, overrides = 0;

    for (size_t at = 44; at < load_le32(madt + 4); at += madt[at + 1]) {
        g_assert_cmpuint(madt[at + 1], >, 1);
        if (madt[at] == 0) {
            g_assert_cmpuint(madt[at + 3], ==, cpus);
            cpus++;
        }
        ioapics += madt[at] == 1;
        overrides += madt[at] == 2;
    }
    g_assert_cmpuint(cpus, ==, 64);
    g_assert_cmpuint(ioapics, ==, 1);
    g_assert_cmpuint(overrides, ==, 2);
}

static void test_size(void)
{
    g_autoptr(GByteArray) blob = build(64, MICRO_MAX_VIRTIO);

    g_assert_cmpuint(blob->len, <, 0x20000);
}

/* Package lengths at the edges of one, two and three bytes. */
static void test_package_length(void)
{
    static const struct {
        unsigned body; /* bytes behind the length */
        uint8_t length[3];
        unsigned n;
    } cases[] = {
        { 62, { 0x3f }, 1 },
        { 63, { 0x41, 0x04 }, 2 },
        { 4093, { 0x4f, 0xff }, 2 },
        { 4094, { 0x81, 0x00, 0x01 }, 3 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GByteArray) aml = g_byte_array_new();
        size_t begun = aml_begin_scope(aml, "\\_SB_");
        while (aml->len - begun < cases[i].body) {
            g_byte_array_append(aml, (const guint8 *)"x", 1);
        }
        aml_end(aml, begun);
        g_assert_cmpmem(aml->data + 1, cases[i].n, cases[i].length, cases[i].n);
        g_assert_cmpmem(aml->data + 1 + cases[i].n, 5, "\\_SB_", 5);
    }
}

/* Run @command in @dir, and return what it prints. */
static char *run_tool(const char *dir, const char *command)
{
    g_auto(GStrv) argv = g_new0(char *, 4);
    char *output = NULL;
    g_autoptr(GError) error = NULL;

    argv[0] = g_strdup("/bin/sh");
    argv[1] = g_strdup("-c");
    argv[2] = g_strdup(command);
    g_spawn_sync(dir, argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output, NULL, NULL, &error);
    g_assert_no_error(error);
    return output;
}

/* Have iasl take the DSDT at @dsdt apart and put it together again; each of @wanted is in it. */
static void check_dsdt(const uint8_t *dsdt, const char *const *wanted)
{
    g_autofree char *iasl = g_find_program_in_path("iasl");
    g_autofree char *dir = g_dir_make_tmp("insula-acpi-XXXXXX", NULL);
    g_autofree char *aml = g_build_filename(dir, "dsdt.aml", NULL);
    g_autofree char *dsl = g_build_filename(dir, "dsdt.dsl", NULL);
    g_autofree char *text = NULL;

    if (!iasl) {
        g_test_skip("iasl (package acpica-tools) is not installed");
        g_rmdir(dir);
        return;
    }
    g_assert(g_file_set_contents(aml, (const char *)dsdt, load_le32(dsdt + 4), NULL));
    G_GNUC_UNUSED g_autofree char *disassembly = run_tool(dir, "iasl -d dsdt.aml 2>&1");
    g_assert(g_file_get_contents(dsl, &text, NULL, NULL));
    for (size_t i = 0; wanted[i]; i++) {
        if (!strstr(text, wanted[i])) {
            g_error("'%s' is missing in the DSDT:\n%.2000s", wanted[i], text);
        }
    }
    g_autofree char *compilation = run_tool(dir, "iasl -p again dsdt.dsl 2>&1");
    if (!strstr(compilation, " 0 Errors, 0 Warnings")) {
        g_error("iasl is not content:\n%.2000s", compilation);
    }
    G_GNUC_UNUSED g_autofree char *ignored = run_tool(dir, "cmp dsdt.aml again.aml 2>&1; rm -f *");
    g_rmdir(dir);
}

static void test_iasl(void)
{
    static const char *const wanted[] = {
        "LNRO0005", "0xFE002000", "0x00000012", "PNP0501",
        "PNP0B00",  "ACPI0007",   "_S5",        "Level, ActiveHigh, Shared",
        NULL,
    };
    g_autoptr(GByteArray) blob = build(3, 3);

    check_dsdt(table_at(blob, load_le64(find_table(blob, "FACP") + 140), "DSDT"), wanted);
}

/* --- board pc --- */

static const AcpiPc pc = {
    .ecam = 0xb0000000,
    .memory_first = 0x80000000,
    .memory_last = 0xfebfffff,
    .memory64_first = UINT64_C(0x800000000),
    .memory64_last = UINT64_C(0xfffffffff),
};

static void test_pc_iasl(void)
{
    static const char *const wanted[] = {
        "PNP0A08",
        "0xAFFFFFFF",
        "0xC0000000",
        "0x0000000FFFFFFFFF",
        "Method (_PRT",
        "Return (PRTA)",
        "Return (PRTP)",
        "Method (\\_PIC, 1",
        "Method (_OSC",
        "0x001FFFFF",
        "PNP0103",
        "PNP0303",
        "Device (VGEN",
        "VM_Gen_Counter",
        "0xFED50000",
        "Method (_E05, 0",
        "Notify (\\_SB.VGEN, 0x80)",
        NULL,
    };
    g_autoptr(GByteArray) blob = acpi_build(&(AcpiConfig){ .cpus = 2, .pc = &pc }, BASE);

    g_assert_cmphex(load_le64(find_table(blob, "MCFG") + 44), ==, 0xb0000000);
    g_assert_cmphex(load_le64(find_table(blob, "HPET") + 44), ==, 0xfed00000);
    const uint8_t *fadt = find_table(blob, "FACP");
    g_assert_cmphex(load_le32(fadt + 80), ==, 0x620); /* GPE0 */
    check_dsdt(table_at(blob, load_le64(fadt + 140), "DSDT"), wanted);
}

static const AcpiFiles *loader_files;

static GByteArray *file_of(const char *name)
{
    g_assert(!strcmp(name, ACPI_TABLES_FILE) || !strcmp(name, ACPI_RSDP_FILE));
    return strcmp(name, ACPI_RSDP_FILE) ? loader_files->tables : loader_files->rsdp;
}

/* Run the script as firmware does, with the tables at BASE. */
static void run_loader(const GByteArray *loader)
{
    for (const uint8_t *at = loader->data; at < loader->data + loader->len; at += 128) {
        const char *name = (const char *)at + 4;
        switch (load_le32(at)) {
        case 1:
            file_of(name);
            break;
        case 2: {
            uint8_t *pointer = file_of(name)->data + load_le32(at + 116);
            g_assert_cmpstr((const char *)at + 60, ==, ACPI_TABLES_FILE);
            uint64_t value = at[120] == 8 ? load_le64(pointer) : load_le32(pointer);
            value += BASE;
            memcpy(pointer, &value, at[120]);
            break;
        }
        case 3: {
            uint8_t *data = file_of(name)->data;
            data[load_le32(at + 60)] -= sum(data + load_le32(at + 64), load_le32(at + 68));
            break;
        }
        default:
            g_assert_not_reached();
        }
    }
}

/* What firmware makes of the files is what we would have put there ourselves. */
static void test_loader(void)
{
    AcpiConfig config = { .cpus = 5, .pc = &pc };
    g_autoptr(GByteArray) blob = acpi_build(&config, BASE);
    AcpiFiles files;

    acpi_build_files(&config, &files);
    g_assert_cmpuint(files.loader->len % 128, ==, 0);
    loader_files = &files;
    run_loader(files.loader);
    g_assert_cmpmem(files.rsdp->data, files.rsdp->len, blob->data, 36);
    g_assert_cmpmem(files.tables->data + 36, files.tables->len - 36, blob->data + 36,
                    blob->len - 36);
    acpi_files_clear(&files);
    /* sizes don't depend on where things are */
    AcpiPc other = { 0xe0000000, 0xc0000000, 0xfebfffff, UINT64_C(1) << 40, UINT64_C(3) << 40 };
    acpi_build_files(&(AcpiConfig){ .cpus = 5, .pc = &other }, &files);
    g_assert_cmpuint(files.tables->len, ==, blob->len);
    acpi_files_clear(&files);
    other.ecam = 0;
    acpi_build_files(&(AcpiConfig){ .cpus = 5, .pc = &other }, &files);
    g_assert_cmpuint(files.tables->len, ==, blob->len);
    acpi_files_clear(&files);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/acpi/tables-are-found-from-rsdp", test_roots);
    g_test_add_func("/acpi/madt-lists-each-cpu", test_madt_lists_each_cpu);
    g_test_add_func("/acpi/fits-its-place", test_size);
    g_test_add_func("/aml/package-length", test_package_length);
    g_test_add_func("/acpi/iasl-reads-it", test_iasl);
    g_test_add_func("/acpi/pc/iasl-reads-it", test_pc_iasl);
    g_test_add_func("/acpi/pc/table-loader", test_loader);
    return g_test_run();
}
