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
#include "machine/device/hpet.h"
#include "machine/device/ioapic.h"
#include "machine/device/pvpanic.h"
#include "machine/device/vmgenid.h"

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

typedef struct PACKED AcpiHpet {
    AcpiHeader header;
    uint32_t id;
    AcpiGas base;
    uint8_t number;
    uint16_t min_tick;
    uint8_t attributes;
} AcpiHpet;

typedef struct PACKED AcpiMcfg {
    AcpiHeader header;
    uint8_t reserved[8];
    uint64_t base;
    uint16_t segment;
    uint8_t first_bus, last_bus;
    uint32_t reserved2;
} AcpiMcfg;

enum { SPACE_IO = 1, ACCESS_BYTE = 1, ACCESS_WORD = 2, ACCESS_DWORD = 3 };
enum { FADT_WBINVD = 1 << 0, FADT_C1 = 1 << 2, FADT_NO_SLEEP_BUTTON = 1 << 5 };
enum { FADT_NO_RTC_WAKE = 1 << 6, FADT_TIMER_32 = 1 << 8, FADT_RESET = 1 << 10 };
enum { BOOT_LEGACY_DEVICES = 1, BOOT_8042 = 2, BOOT_NO_VGA = 4 };
enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_NMI = 4, MADT_HAS_8259 = 1 };
enum { ACTIVE_HIGH_LEVEL = 0xd, CENTURY_REGISTER = 0x32, NO_C_STATE = 0xfff };
enum { LAPIC_BASE = 0xfee00000U, ECAM_SIZE = 256 << 20 };

/* Something that has to be made right again when the tables move: a pointer, or a checksum. */
typedef struct Fixup {
    bool checksum;
    uint32_t offset;
    uint32_t size; /* of the pointer, or of the table */
} Fixup;

/* Under construction: the array and where it will stand. */
typedef struct Tables {
    GByteArray *bytes;
    uint32_t base;
    GArray *fixups; /* in the order in which they are made */
} Tables;

static void note_pointer(Tables *tables, size_t offset, uint32_t size)
{
    Fixup fixup = { false, (uint32_t)offset, size };

    g_array_append_val(tables->fixups, fixup);
}

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
    memcpy(h.oem_table_id, "INSTABLE", sizeof(h.oem_table_id));
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

    Fixup fixup = { true, (uint32_t)offset, (uint32_t)len };

    g_array_append_val(tables->fixups, fixup);
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

static void add_micro_devices(GByteArray *aml, const AcpiConfig *config)
{
    add_isa_device(aml, "TIMR", "PNP0100", 0x40, 4, 0);
    add_isa_device(aml, "RTC_", "PNP0B00", 0x70, 2, 8);
    add_isa_device(aml, "COM1", "PNP0501", 0x3f8, 8, 4);
    for (unsigned i = 0; i < config->n_virtio; i++) {
        add_virtio(aml, i, &config->virtio[i]);
    }
}

/* Interrupts of the devices on bus 0, by device and pin: with I/O APIC, or with 8259s, as firmware
 * routes the wires then. */
static void add_routes(GByteArray *aml, const char *name, bool apic)
{
    static const uint8_t isa[4] = { 10, 10, 11, 11 };
    enum { DEVICES = 32, PINS = 4, FIRST_FIXED = 25 };

    aml_name(aml, name);
    size_t all = aml_begin_package(aml, DEVICES * PINS);
    for (unsigned i = 0; i < DEVICES * PINS; i++) {
        unsigned device = i / PINS, pin = i % PINS;
        unsigned pirq = device < FIRST_FIXED ? 4 + (device + pin) % 4 : pin;
        size_t one = aml_begin_package(aml, 4);
        aml_integer(aml, device << 16 | 0xffff);
        aml_integer(aml, pin);
        aml_integer(aml, 0);
        aml_integer(aml, apic ? 16 + pirq : isa[pirq % 4]);
        aml_end(aml, one);
    }
    aml_end(aml, all);
}

static void add_host_bridge_resources(GByteArray *aml, const AcpiPc *pc)
{
    AmlResources r = aml_begin_resources();

    aml_resource_buses(&r, 0, 0xff);
    aml_resource_io(&r, 0xcf8, 8);
    aml_resource_port_window(&r, 0x0000, 0x0cf7);
    aml_resource_port_window(&r, 0x0d00, 0xffff);
    aml_resource_memory_window(&r, 0xa0000, 0xbffff);
    if (pc->ecam > pc->memory_first) { /* the configuration space parts the memory */
        aml_resource_memory_window(&r, pc->memory_first, pc->ecam - 1);
        aml_resource_memory_window(&r, pc->ecam + ECAM_SIZE, pc->memory_last);
    } else {
        /* two as well, so that the table's size is always the same */
        aml_resource_memory_window(&r, pc->memory_first, pc->memory_first + 0xfffff);
        aml_resource_memory_window(&r, pc->memory_first + 0x100000, pc->memory_last);
    }
    aml_resource_memory_window(&r, pc->memory64_first, pc->memory64_last);
    aml_end_resources(aml, &r);
}

/* What the chipset itself takes: guests put nothing else there. */
static void add_board_resources(GByteArray *aml, const AcpiPc *pc)
{
    size_t device = aml_begin_device(aml, "MBRD");
    AmlResources r = aml_begin_resources();

    aml_name_eisa(aml, "_HID", "PNP0C02");
    aml_name_integer(aml, "_UID", 0);
    aml_resource_memory32(&r, (uint32_t)pc->ecam, ECAM_SIZE);
    aml_resource_memory32(&r, 0xfed1c000, 0x4000);
    aml_resource_memory32(&r, (uint32_t)VMGENID_BASE, VMGENID_PAGE);
    aml_resource_io(&r, ACPI_PM_ICH9_PORT, 0x80);
    aml_resource_io(&r, 0x510, 0xc);
    aml_end_resources(aml, &r);
    aml_end(aml, device);
}

static void add_hpet_device(GByteArray *aml)
{
    size_t device = aml_begin_device(aml, "HPET");
    AmlResources r = aml_begin_resources();

    aml_name_eisa(aml, "_HID", "PNP0103");
    aml_name_integer(aml, "_UID", 0);
    aml_resource_memory32(&r, HPET_BASE, HPET_SIZE);
    aml_end_resources(aml, &r);
    aml_end(aml, device);
}

static void add_keyboard(GByteArray *aml)
{
    size_t device = aml_begin_device(aml, "KBD_");
    AmlResources r = aml_begin_resources();

    aml_name_eisa(aml, "_HID", "PNP0303");
    aml_resource_io(&r, 0x60, 1);
    aml_resource_io(&r, 0x64, 1);
    aml_resource_irq(&r, 1);
    aml_end_resources(aml, &r);
    aml_end(aml, device);

    device = aml_begin_device(aml, "MOU_");
    r = aml_begin_resources();
    aml_name_eisa(aml, "_HID", "PNP0F13");
    aml_resource_irq(&r, 12);
    aml_end_resources(aml, &r);
    aml_end(aml, device);
}

/* As QEMU names it; status 0Fh: it is there and works. */
static void add_panic_port(GByteArray *aml)
{
    size_t device = aml_begin_device(aml, "PEVT");
    AmlResources r = aml_begin_resources();

    aml_name_string(aml, "_HID", "QEMU0001");
    aml_name_integer(aml, "_STA", 0x0f);
    aml_resource_io(&r, PVPANIC_PORT, 1);
    aml_end_resources(aml, &r);
    aml_end(aml, device);
}

/* As Linux and Windows look for it, by its _CID. */
static void add_generation_id(GByteArray *aml)
{
    size_t device = aml_begin_device(aml, "VGEN");

    aml_name_string(aml, "_HID", "INSL0001");
    aml_name_string(aml, "_CID", "VM_Gen_Counter");
    aml_name_string(aml, "_DDN", "VM_Gen_Counter");
    aml_name(aml, "ADDR");
    size_t address = aml_begin_package(aml, 2);
    aml_integer(aml, (uint32_t)VMGENID_BASE);
    aml_integer(aml, (uint32_t)(VMGENID_BASE >> 32));
    aml_end(aml, address);
    aml_end(aml, device);
}

/* What general-purpose events mean. */
static void add_events(GByteArray *aml)
{
    enum { CHANGED = 0x80 };
    char name[5];

    g_snprintf(name, sizeof(name), "_E%02X", (unsigned)VMGENID_GPE);
    size_t scope = aml_begin_scope(aml, "\\_GPE");
    size_t method = aml_begin_method(aml, name, 0);
    aml_notify(aml, "VGEN", CHANGED);
    aml_end(aml, method);
    aml_end(aml, scope);
}

static void add_pc_devices(GByteArray *aml, const AcpiPc *pc)
{
    size_t bridge = aml_begin_device(aml, "PCI0");

    aml_name_eisa(aml, "_HID", "PNP0A08");
    aml_name_eisa(aml, "_CID", "PNP0A03");
    aml_name_integer(aml, "_UID", 0);
    aml_name_integer(aml, "_BBN", 0);
    aml_name_integer(aml, "_CCA", 1);
    add_host_bridge_resources(aml, pc);
    add_routes(aml, "PRTA", true);
    add_routes(aml, "PRTP", false);
    size_t method = aml_begin_method(aml, "_PRT", 0);
    size_t with_apic = aml_begin_if(aml, "PICF");
    aml_return_name(aml, "PRTA");
    aml_end(aml, with_apic);
    aml_return_name(aml, "PRTP");
    aml_end(aml, method);
    /* whatever the system offers to take care of, it may */
    method = aml_begin_method(aml, "_OSC", 4);
    aml_return_argument(aml, 3);
    aml_end(aml, method);
    size_t lpc = aml_begin_device(aml, "ISA_");
    aml_name_integer(aml, "_ADR", 0x001f0000);
    add_isa_device(aml, "TIMR", "PNP0100", 0x40, 4, 0);
    add_isa_device(aml, "RTC_", "PNP0B00", 0x70, 2, 8);
    add_isa_device(aml, "COM1", "PNP0501", 0x3f8, 8, 4);
    add_keyboard(aml);
    add_panic_port(aml);
    aml_end(aml, lpc);
    aml_end(aml, bridge);
    add_hpet_device(aml);
    add_board_resources(aml, pc);
    add_generation_id(aml);
}

/* The system says which interrupt controller it uses: 0 the 8259s. */
static void add_pic_method(GByteArray *aml)
{
    aml_name_integer(aml, "PICF", 0);
    size_t method = aml_begin_method(aml, "\\_PIC", 1);
    aml_store_argument(aml, 0, "PICF");
    aml_end(aml, method);
}

static uint32_t add_dsdt(Tables *tables, const AcpiConfig *config)
{
    uint8_t type = config->pc ? ACPI_PM_ICH9_S5_TYPE : ACPI_PM_S5_TYPE;
    const uint8_t s5[4] = { type, type, 0, 0 };
    AcpiHeader head = header("DSDT", 2);
    size_t table = begin_table(tables, &head, sizeof(head));
    GByteArray *aml = tables->bytes;

    if (config->pc) {
        add_pic_method(aml);
    }
    size_t scope = aml_begin_scope(aml, "\\_SB_");
    for (unsigned i = 0; i < config->cpus; i++) {
        char name[5];
        g_snprintf(name, sizeof(name), "C%03X", i);
        size_t cpu = aml_begin_device(aml, name);
        aml_name_string(aml, "_HID", "ACPI0007");
        aml_name_integer(aml, "_UID", i);
        aml_end(aml, cpu);
    }
    if (config->pc) {
        add_pc_devices(aml, config->pc);
    } else {
        add_micro_devices(aml, config);
    }
    aml_end(aml, scope);
    if (config->pc) {
        add_events(aml);
    }
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

static void make_pc_fadt(AcpiFadt *fadt)
{
    fadt->pm1a_event = ACPI_PM_ICH9_PORT;
    fadt->pm1a_control = ACPI_PM_ICH9_PORT + 4;
    fadt->pm_timer = ACPI_PM_ICH9_PORT + 8;
    fadt->gpe0 = ACPI_PM_ICH9_PORT + ACPI_PM_ICH9_GPE;
    fadt->gpe0_len = ACPI_PM_ICH9_GPE_BYTES;
    fadt->x_pm1a_event = io_register(ACPI_PM_ICH9_PORT, 4, ACCESS_WORD);
    fadt->x_pm1a_control = io_register(ACPI_PM_ICH9_PORT + 4, 2, ACCESS_WORD);
    fadt->x_pm_timer = io_register(ACPI_PM_ICH9_PORT + 8, 4, ACCESS_DWORD);
    fadt->x_gpe0 =
        io_register(ACPI_PM_ICH9_PORT + ACPI_PM_ICH9_GPE, ACPI_PM_ICH9_GPE_BYTES, ACCESS_BYTE);
    fadt->boot_arch = BOOT_LEGACY_DEVICES | BOOT_8042;
}

static uint32_t add_fadt(Tables *tables, const AcpiConfig *config, uint32_t dsdt, uint32_t facs)
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

    if (config->pc) {
        make_pc_fadt(&fadt);
    }
    size_t table = begin_table(tables, &fadt, sizeof(fadt));
    note_pointer(tables, table + offsetof(AcpiFadt, facs), 4);
    note_pointer(tables, table + offsetof(AcpiFadt, dsdt), 4);
    note_pointer(tables, table + offsetof(AcpiFadt, x_dsdt), 8);
    return end_table(tables, table);
}

static uint32_t add_hpet(Tables *tables)
{
    enum { ID = 0x8086a201 }; /* as the device says: three timers, 64 bits, legacy mode */
    AcpiHpet hpet = {
        .header = header("HPET", 1),
        .id = ID,
        .base = { 0, 64, 0, 0, HPET_BASE },
        .min_tick = HPET_MIN_PERIOD_NS / 10,
    };

    return end_table(tables, begin_table(tables, &hpet, sizeof(hpet)));
}

/* Where there is no such place, the table is there all the same, so that sizes stay, under a name
 * that nobody looks for. */
static uint32_t add_mcfg(Tables *tables, uint64_t ecam)
{
    AcpiMcfg mcfg = {
        .header = header(ecam ? "MCFG" : "NONE", 1),
        .base = ecam,
        .last_bus = 0xff,
    };

    return end_table(tables, begin_table(tables, &mcfg, sizeof(mcfg)));
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
        note_pointer(tables, tables->bytes->len, (uint32_t)width);
        append(tables, &address, width);
    }
    return end_table(tables, table);
}

/* All tables behind room for an RSDP, which is in *@ret_rsdp, without checksums. */
static void build(Tables *tables, const AcpiConfig *config, AcpiRsdp *ret_rsdp)
{
    AcpiRsdp rsdp = {
        .signature = { 'R', 'S', 'D', ' ', 'P', 'T', 'R', ' ' },
        .oem_id = { 'I', 'N', 'S', 'U', 'L', 'A' },
        .revision = 2,
        .length = sizeof(rsdp),
    };
    const AcpiRsdp nothing = { 0 };
    uint32_t listed[4];
    size_t n = 0;

    append(tables, &nothing, sizeof(nothing));
    uint32_t dsdt = add_dsdt(tables, config);
    uint32_t facs = add_facs(tables);
    listed[n++] = add_fadt(tables, config, dsdt, facs);
    listed[n++] = add_madt(tables, config->cpus);
    if (config->pc) {
        listed[n++] = add_hpet(tables);
        listed[n++] = add_mcfg(tables, config->pc->ecam);
    }
    rsdp.rsdt = add_root(tables, "RSDT", listed, n, 4);
    rsdp.xsdt = add_root(tables, "XSDT", listed, n, 8);
    *ret_rsdp = rsdp;
}

GByteArray *acpi_build(const AcpiConfig *config, uint32_t base)
{
    Tables tables = { g_byte_array_new(), base, g_array_new(FALSE, FALSE, sizeof(Fixup)) };
    AcpiRsdp rsdp;

    build(&tables, config, &rsdp);
    rsdp.checksum = checksum((const uint8_t *)&rsdp, 20); /* the part of ACPI 1.0 */
    rsdp.extended_checksum = checksum((const uint8_t *)&rsdp, sizeof(rsdp));
    memcpy(tables.bytes->data, &rsdp, sizeof(rsdp));
    g_array_free(tables.fixups, TRUE);
    return tables.bytes;
}

/* --- files for firmware --- */

enum { LOADER_ALLOCATE = 1, LOADER_POINTER = 2, LOADER_CHECKSUM = 3 };
enum { ZONE_HIGH = 1, ZONE_F_SEGMENT = 2, LOADER_NAME = 56, TABLES_ALIGN = 64 };

typedef struct PACKED LoaderCommand {
    uint32_t command;
    union {
        struct PACKED {
            char file[LOADER_NAME];
            uint32_t align;
            uint8_t zone;
        } allocate;
        struct PACKED {
            char in_file[LOADER_NAME], to_file[LOADER_NAME];
            uint32_t offset;
            uint8_t size;
        } pointer;
        struct PACKED {
            char file[LOADER_NAME];
            uint32_t offset, start, length;
        } checksum;
        uint8_t all[124];
    };
} LoaderCommand;
_Static_assert(sizeof(LoaderCommand) == 128, "the form of QEMU's table loader");

static void add_allocate(GByteArray *loader, const char *file, uint8_t zone)
{
    LoaderCommand command = { .command = LOADER_ALLOCATE };

    g_strlcpy(command.allocate.file, file, LOADER_NAME);
    command.allocate.align = TABLES_ALIGN;
    command.allocate.zone = zone;
    g_byte_array_append(loader, (const guint8 *)&command, sizeof(command));
}

static void add_pointer(GByteArray *loader, const char *in_file, uint32_t offset, uint8_t size)
{
    LoaderCommand command = { .command = LOADER_POINTER };

    g_strlcpy(command.pointer.in_file, in_file, LOADER_NAME);
    g_strlcpy(command.pointer.to_file, ACPI_TABLES_FILE, LOADER_NAME);
    command.pointer.offset = offset;
    command.pointer.size = size;
    g_byte_array_append(loader, (const guint8 *)&command, sizeof(command));
}

static void add_checksum(GByteArray *loader, const char *file, uint32_t offset, uint32_t start,
                         uint32_t length)
{
    LoaderCommand command = { .command = LOADER_CHECKSUM };

    g_strlcpy(command.checksum.file, file, LOADER_NAME);
    command.checksum.offset = offset;
    command.checksum.start = start;
    command.checksum.length = length;
    g_byte_array_append(loader, (const guint8 *)&command, sizeof(command));
}

/* A checksum is made anew by adding, so what is there counts as zero first. */
static GByteArray *make_loader(Tables *tables)
{
    GByteArray *loader = g_byte_array_new();

    add_allocate(loader, ACPI_RSDP_FILE, ZONE_F_SEGMENT);
    add_allocate(loader, ACPI_TABLES_FILE, ZONE_HIGH);
    for (guint i = 0; i < tables->fixups->len; i++) {
        const Fixup *fixup = &g_array_index(tables->fixups, Fixup, i);
        uint32_t sum = fixup->offset + (uint32_t)offsetof(AcpiHeader, checksum);
        if (fixup->checksum) {
            tables->bytes->data[sum] = 0;
            add_checksum(loader, ACPI_TABLES_FILE, sum, fixup->offset, fixup->size);
        } else {
            add_pointer(loader, ACPI_TABLES_FILE, fixup->offset, (uint8_t)fixup->size);
        }
    }
    add_pointer(loader, ACPI_RSDP_FILE, offsetof(AcpiRsdp, rsdt), 4);
    add_pointer(loader, ACPI_RSDP_FILE, offsetof(AcpiRsdp, xsdt), 8);
    add_checksum(loader, ACPI_RSDP_FILE, offsetof(AcpiRsdp, checksum), 0, 20);
    add_checksum(loader, ACPI_RSDP_FILE, offsetof(AcpiRsdp, extended_checksum), 0,
                 sizeof(AcpiRsdp));
    return loader;
}

void acpi_build_files(const AcpiConfig *config, AcpiFiles *ret_files)
{
    Tables tables = { g_byte_array_new(), 0, g_array_new(FALSE, FALSE, sizeof(Fixup)) };
    AcpiRsdp rsdp;

    build(&tables, config, &rsdp);
    ret_files->tables = tables.bytes;
    ret_files->rsdp = g_byte_array_new();
    g_byte_array_append(ret_files->rsdp, (const guint8 *)&rsdp, sizeof(rsdp));
    ret_files->loader = make_loader(&tables);
    g_array_free(tables.fixups, TRUE);
}

void acpi_files_clear(AcpiFiles *files)
{
    g_clear_pointer(&files->tables, g_byte_array_unref);
    g_clear_pointer(&files->rsdp, g_byte_array_unref);
    g_clear_pointer(&files->loader, g_byte_array_unref);
}
