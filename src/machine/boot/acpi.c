/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ACPI tables (ACPI 6.5, chapter 5), see acpi.h.
 *
 * They are built into one array, each at its place behind the RSDP; pointers are its base plus
 * the offset.  Fixed tables are packed structs, the DSDT comes from the AML writer.
 */
#include "machine/boot/acpi.h"

#include <stddef.h>
#include <string.h>

#include "common/bits.h"
#include "machine/boot/aml.h"
#include "machine/device/acpi_pm.h"
#include "machine/device/ioapic.h"

#define PACKED __attribute__((packed))

typedef struct PACKED AcpiHeader {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem_id[6], oem_table_id[8];
    uint32_t oem_revision;
    char creator_id[4];
    uint32_t creator_revision;
} AcpiHeader;
_Static_assert(sizeof(AcpiHeader) == 36, "ACPI 6.5, 5.2.6");

typedef struct PACKED AcpiRsdp {
    char signature[8];
    uint8_t checksum;
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt, length;
    uint64_t xsdt;
    uint8_t extended_checksum, reserved[3];
} AcpiRsdp;
_Static_assert(sizeof(AcpiRsdp) == 36, "ACPI 6.5, 5.2.5.3");

/* Generic address structure (5.2.3.2). */
typedef struct PACKED AcpiGas {
    uint8_t space, bits, bit_offset, access;
    uint64_t address;
} AcpiGas;

typedef struct PACKED AcpiFadt {
    AcpiHeader header;
    uint32_t facs, dsdt;
    uint8_t reserved0, profile;
    uint16_t sci_irq;
    uint32_t smi_port;
    uint8_t acpi_enable, acpi_disable, s4bios_request, pstate_control;
    uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer;
    uint32_t gpe0, gpe1;
    uint8_t pm1_event_len, pm1_control_len, pm2_control_len, pm_timer_len;
    uint8_t gpe0_len, gpe1_len, gpe1_base, cst_control;
    uint16_t c2_latency, c3_latency, flush_size, flush_stride;
    uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
    uint16_t boot_arch;
    uint8_t reserved1;
    uint32_t flags;
    AcpiGas reset_register;
    uint8_t reset_value;
    uint16_t arm_boot_arch;
    uint8_t minor_version;
    uint64_t x_facs, x_dsdt;
    AcpiGas x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control, x_pm2_control;
    AcpiGas x_pm_timer, x_gpe0, x_gpe1, sleep_control, sleep_status;
    uint64_t hypervisor;
} AcpiFadt;
_Static_assert(sizeof(AcpiFadt) == 276, "ACPI 6.5, 5.2.9");

typedef struct PACKED AcpiFacs {
    char signature[4];
    uint32_t length, hardware_signature, waking_vector, global_lock, flags;
    uint64_t x_waking_vector;
    uint8_t version, reserved[31];
} AcpiFacs;
_Static_assert(sizeof(AcpiFacs) == 64, "ACPI 6.5, 5.2.10");

typedef struct PACKED MadtHead {
    AcpiHeader header;
    uint32_t lapic_base, flags;
} MadtHead;

typedef struct PACKED MadtLapic {
    uint8_t type, length, processor_uid, apic_id;
    uint32_t flags;
} MadtLapic;

typedef struct PACKED MadtIoapic {
    uint8_t type, length, id, reserved;
    uint32_t base, gsi_base;
} MadtIoapic;

typedef struct PACKED MadtOverride {
    uint8_t type, length, bus, irq;
    uint32_t gsi;
    uint16_t flags;
} MadtOverride;

typedef struct PACKED MadtNmi {
    uint8_t type, length, processor_uid;
    uint16_t flags;
    uint8_t lint;
} MadtNmi;

enum { SPACE_IO = 1, ACCESS_BYTE = 1, ACCESS_WORD = 2, ACCESS_DWORD = 3 };
enum { FADT_WBINVD = 1 << 0, FADT_C1 = 1 << 2, FADT_NO_SLEEP_BUTTON = 1 << 5 };
enum { FADT_NO_RTC_WAKE = 1 << 6, FADT_TIMER_32 = 1 << 8, FADT_RESET = 1 << 10 };
enum { BOOT_LEGACY_DEVICES = 1, BOOT_NO_VGA = 4 };
enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_NMI = 4, MADT_HAS_8259 = 1 };
enum { ACTIVE_HIGH_LEVEL = 0xd, CENTURY_REGISTER = 0x32, NO_C_STATE = 0xfff };
enum { LAPIC_BASE = 0xfee00000U };

/* Under construction: the array and where it will stand. */
typedef struct Tables {
    GByteArray *bytes;
    uint32_t base;
} Tables;

static uint8_t checksum(const uint8_t *bytes, size_t len)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < len; i++) {
        sum += bytes[i];
    }
    return (uint8_t)-sum;
}

static void align(Tables *tables, size_t to)
{
    guint old = tables->bytes->len;
    guint len = (guint)align_up(old, to);

    g_byte_array_set_size(tables->bytes, len);
    memset(tables->bytes->data + old, 0, len - old);
}

static AcpiHeader header(const char *signature, uint8_t revision)
{
    AcpiHeader h = { .revision = revision, .oem_revision = 1, .creator_revision = 1 };

    memcpy(h.signature, signature, sizeof(h.signature));
    memcpy(h.oem_id, "INSULA", sizeof(h.oem_id));
    memcpy(h.oem_table_id, "INSMICRO", sizeof(h.oem_table_id));
    memcpy(h.creator_id, "INSU", sizeof(h.creator_id));
    return h;
}

/* Begin a table; returns its offset. */
static size_t begin_table(Tables *tables, const void *head, size_t len)
{
    align(tables, 16);
    size_t offset = tables->bytes->len;
    g_byte_array_append(tables->bytes, head, (guint)len);
    return offset;
}

/* Set length and checksum of the table at @offset, which reaches to the end; returns its gpa. */
static uint32_t end_table(Tables *tables, size_t offset)
{
    uint8_t *table = tables->bytes->data + offset;
    size_t len = tables->bytes->len - offset;

    store_le32(table + offsetof(AcpiHeader, length), (uint32_t)len);
    table[offsetof(AcpiHeader, checksum)] = checksum(table, len);
    return tables->base + (uint32_t)offset;
}

/* An ISA device with a few ports and, unless @irq is negative, an interrupt. */
static void add_isa_device(GByteArray *aml, const char *name, const char *id, uint16_t port,
                           uint8_t n_ports, int irq)
{
    size_t device = aml_begin_device(aml, name);
    AmlResources resources = aml_begin_resources();

    aml_name_eisa(aml, "_HID", id);
    aml_name_integer(aml, "_UID", 0);
    aml_resource_io(&resources, port, n_ports);
    if (irq >= 0) {
        aml_resource_irq(&resources, (unsigned)irq);
    }
    aml_end_resources(aml, &resources);
    aml_end(aml, device);
}

static void add_virtio(GByteArray *aml, unsigned index, const AcpiMmioDevice *virtio)
{
    char name[5];

    g_snprintf(name, sizeof(name), "VR%02X", index);
    size_t device = aml_begin_device(aml, name);
    AmlResources resources = aml_begin_resources();
    aml_name_string(aml, "_HID", "LNRO0005");
    aml_name_integer(aml, "_UID", index);
    aml_name_integer(aml, "_CCA", 1);
    aml_resource_memory32(&resources, virtio->base, virtio->size);
    aml_resource_interrupt(&resources, virtio->gsi);
    aml_end_resources(aml, &resources);
    aml_end(aml, device);
}

static uint32_t add_dsdt(Tables *tables, const AcpiConfig *config)
{
    static const uint8_t s5[4] = { ACPI_PM_S5_TYPE, ACPI_PM_S5_TYPE, 0, 0 };
    AcpiHeader head = header("DSDT", 2);
    size_t table = begin_table(tables, &head, sizeof(head));
    GByteArray *aml = tables->bytes;
    size_t scope = aml_begin_scope(aml, "\\_SB_");

    for (unsigned i = 0; i < config->cpus; i++) {
        char name[5];
        g_snprintf(name, sizeof(name), "C%03X", i);
        size_t cpu = aml_begin_device(aml, name);
        aml_name_string(aml, "_HID", "ACPI0007");
        aml_name_integer(aml, "_UID", i);
        aml_end(aml, cpu);
    }
    add_isa_device(aml, "TIMR", "PNP0100", 0x40, 4, 0);
    add_isa_device(aml, "RTC_", "PNP0B00", 0x70, 2, 8);
    add_isa_device(aml, "COM1", "PNP0501", 0x3f8, 8, 4);
    for (unsigned i = 0; i < config->n_virtio; i++) {
        add_virtio(aml, i, &config->virtio[i]);
    }
    aml_end(aml, scope);
    aml_name_package(aml, "_S5_", s5, G_N_ELEMENTS(s5));
    return end_table(tables, table);
}

static uint32_t add_facs(Tables *tables)
{
    AcpiFacs facs = { .signature = { 'F', 'A', 'C', 'S' }, .length = sizeof(facs), .version = 2 };

    align(tables, 64);
    size_t offset = tables->bytes->len;
    g_byte_array_append(tables->bytes, (const guint8 *)&facs, sizeof(facs));
    return tables->base + (uint32_t)offset;
}

static AcpiGas io_register(uint16_t port, uint8_t bytes, uint8_t access)
{
    return (AcpiGas){ SPACE_IO, (uint8_t)(bytes * 8), 0, access, port };
}

static uint32_t add_fadt(Tables *tables, uint32_t dsdt, uint32_t facs)
{
    AcpiFadt fadt = {
        .header = header("FACP", 6),
        .facs = facs,
        .dsdt = dsdt,
        .sci_irq = ACPI_SCI_IRQ,
        .pm1a_event = ACPI_PM_EVENT_PORT,
        .pm1a_control = ACPI_PM_CONTROL_PORT,
        .pm_timer = ACPI_PM_TIMER_PORT,
        .pm1_event_len = 4,
        .pm1_control_len = 2,
        .pm_timer_len = 4,
        .c2_latency = NO_C_STATE,
        .c3_latency = NO_C_STATE,
        .century = CENTURY_REGISTER,
        .boot_arch = BOOT_LEGACY_DEVICES | BOOT_NO_VGA,
        .flags = FADT_WBINVD | FADT_C1 | FADT_NO_SLEEP_BUTTON | FADT_NO_RTC_WAKE | FADT_TIMER_32 |
                 FADT_RESET,
        .reset_register = io_register(ACPI_PM_RESET_PORT, 1, ACCESS_BYTE),
        .reset_value = ACPI_PM_RESET_VALUE,
        .minor_version = 5,
        .x_dsdt = dsdt,
        .x_pm1a_event = io_register(ACPI_PM_EVENT_PORT, 4, ACCESS_WORD),
        .x_pm1a_control = io_register(ACPI_PM_CONTROL_PORT, 2, ACCESS_WORD),
        .x_pm_timer = io_register(ACPI_PM_TIMER_PORT, 4, ACCESS_DWORD),
    };

    return end_table(tables, begin_table(tables, &fadt, sizeof(fadt)));
}

static void append(Tables *tables, const void *bytes, size_t len)
{
    g_byte_array_append(tables->bytes, bytes, (guint)len);
}

static uint32_t add_madt(Tables *tables, unsigned cpus)
{
    MadtHead head = {
        .header = header("APIC", 5),
        .lapic_base = LAPIC_BASE,
        .flags = MADT_HAS_8259,
    };
    MadtIoapic ioapic = { MADT_IOAPIC, sizeof(ioapic), 0, 0, IOAPIC_BASE, 0 };
    MadtOverride timer = { MADT_OVERRIDE, sizeof(timer), 0, 0, 2, 0 };
    MadtOverride sci = { MADT_OVERRIDE, sizeof(sci),  0,
                         ACPI_SCI_IRQ,  ACPI_SCI_IRQ, ACTIVE_HIGH_LEVEL };
    MadtNmi nmi = { MADT_NMI, sizeof(nmi), 0xff, 0, 1 };
    size_t table = begin_table(tables, &head, sizeof(head));

    for (unsigned i = 0; i < cpus; i++) {
        MadtLapic lapic = { MADT_LAPIC, sizeof(lapic), (uint8_t)i, (uint8_t)i, 1 };
        append(tables, &lapic, sizeof(lapic));
    }
    append(tables, &ioapic, sizeof(ioapic));
    append(tables, &timer, sizeof(timer));
    append(tables, &sci, sizeof(sci));
    append(tables, &nmi, sizeof(nmi));
    return end_table(tables, table);
}

/* The table of tables, with pointers of @width bytes. */
static uint32_t add_root(Tables *tables, const char *signature, const uint32_t *entries, size_t n,
                         size_t width)
{
    AcpiHeader head = header(signature, 1);
    size_t table = begin_table(tables, &head, sizeof(head));

    for (size_t i = 0; i < n; i++) {
        uint64_t address = entries[i];
        append(tables, &address, width);
    }
    return end_table(tables, table);
}

GByteArray *acpi_build(const AcpiConfig *config, uint32_t base)
{
    Tables tables = { .bytes = g_byte_array_new(), .base = base };
    AcpiRsdp rsdp = {
        .signature = { 'R', 'S', 'D', ' ', 'P', 'T', 'R', ' ' },
        .oem_id = { 'I', 'N', 'S', 'U', 'L', 'A' },
        .revision = 2,
        .length = sizeof(rsdp),
    };
    uint32_t listed[2];

    append(&tables, &rsdp, sizeof(rsdp)); /* its place */
    uint32_t dsdt = add_dsdt(&tables, config);
    uint32_t facs = add_facs(&tables);
    listed[0] = add_fadt(&tables, dsdt, facs);
    listed[1] = add_madt(&tables, config->cpus);
    rsdp.rsdt = add_root(&tables, "RSDT", listed, G_N_ELEMENTS(listed), 4);
    rsdp.xsdt = add_root(&tables, "XSDT", listed, G_N_ELEMENTS(listed), 8);
    rsdp.checksum = checksum((const uint8_t *)&rsdp, 20); /* the part of ACPI 1.0 */
    rsdp.extended_checksum = checksum((const uint8_t *)&rsdp, sizeof(rsdp));
    memcpy(tables.bytes->data, &rsdp, sizeof(rsdp));
    return tables.bytes;
}
