/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The board "pc", version pc-1: what firmware knows as a Q35 chipset with an ICH9.
 *
 *   00000000  RAM: all of it up to 2.75 GiB, else the first 2 GiB
 *   000a0000  VGA; 000c0000 to 000fffff are RAM or the BIOS, as PAM says
 *   b0000000  or where firmware puts it: configuration space (ECAM), 256 MiB
 *   ........  BARs, between RAM and feb00000
 *   fec00000  I/O APIC      fed00000  HPET      fee00000  local APICs (the engine's)
 *   ........  flash chips with firmware and its variables, up to
 *   1_00000000  the rest of RAM; behind it more BARs
 *
 *   bus 0   0 host bridge   1 screen   2 to 23 disks, NICs   24 watchdog   25, 26 input
 *           28 ports   31 LPC, AHCI
 *
 * Interrupts: ISA lines 0 to 15 go to the 8259s and to the I/O APIC, where line 0 is pin 2; INTx
 * wires to pins 16 to 23, and to ISA lines as the LPC bridge is told.
 *
 * Threads: builds on one thread.
 */
#include <string.h>
#include <unistd.h>

#include "common/error.h"
#include "machine/board/board.h"
#include "machine/board/firmware.h"
#include "machine/board/hotplug.h"
#include "machine/board/pc_firmware.h"
#include "machine/board/sata.h"
#include "machine/device/debug_port.h"
#include "machine/device/e1000e.h"
#include "machine/device/flash.h"
#include "machine/device/fw_cfg.h"
#include "machine/device/hpet.h"
#include "machine/device/i6300esb.h"
#include "machine/device/i8042.h"
#include "machine/device/ich9_lpc.h"
#include "machine/device/pit.h"
#include "machine/device/pvpanic.h"
#include "machine/device/rtc.h"
#include "machine/device/test_exit.h"
#include "machine/device/uart.h"
#include "machine/device/vga.h"
#include "machine/pci/q35.h"
#include "machine/pci/root_port.h"
#include "machine/virtio/balloon.h"
#include "machine/virtio/blk.h"
#include "machine/virtio/console.h"
#include "machine/virtio/gpu.h"
#include "machine/virtio/input.h"
#include "machine/virtio/net.h"
#include "machine/virtio/pci.h"
#include "machine/virtio/rng.h"

#define ALL_BELOW   UINT64_C(0xb0000000) /* as much RAM stands below 4 GiB in one piece */
#define LOW_RAM_MAX UINT64_C(0x80000000) /* of more than that, this much */
#define HIGH_RAM    UINT64_C(0x100000000)
#define UPPER_AREA  UINT64_C(0xa0000)
#define FIRST_MIB   UINT64_C(0x100000)
#define SPACE64     (UINT64_C(32) << 30) /* for BARs beyond 4 GiB, where firmware has put none */

enum { IRQ_TIMER = 0, IRQ_KEYBOARD = 1, IRQ_SERIAL = 4, IRQ_RTC = 8, IRQ_MOUSE = 12 };
enum { VIRTIO_VENDOR = 0x1af4, VIRTIO_NET_ID = 0x1041, COM1 = 0x3f8 };
enum { SCREEN = 1, FIRST_VIRTIO = 3, LAST_VIRTIO = 23, WATCHDOG = 24, KEYBOARD = 25, TABLET = 26 };
enum { ROOT_PORTS = 28, LPC = 31, SATA_FUNCTION = 2 };

enum { PCIEXBAR = 0x60, DIRECT_ECAM = 0xe0000000U, ECAM_SIZE = 256 << 20, ACPI_TABLES = 0xe0000 };

/* The interrupts that 8254 and RTC give up while the HPET has them. */
typedef struct LegacyWires {
    Machine *machine;
    GMutex lock;
    /* lock: lock */
    bool hpet;
    bool level[2]; /* of the 8254's and the RTC's line */
} LegacyWires;

/* One of the files of ACPI tables, by its place in AcpiFiles. */
typedef struct AcpiSelect {
    const Machine *machine;
    size_t member;
} AcpiSelect;

enum { ACPI_FILES = 3 };

struct PcBoard {
    /* fixed after create */
    unsigned cpus;
    AcpiSelect selects[ACPI_FILES];
    LegacyWires wires;
    Firmware firmware;
    FwCfg *fw_cfg;
    PcBootList *boot;
    PcKernel kernel;
    SmbiosConfig smbios;
    char *name; /* of .smbios */
    const RamBlock *low_ram;
    uint64_t high_ram;
    unsigned next_device; /* while building */
};

/* --- wires --- */

static void drive_legacy(LegacyWires *wires, unsigned which)
{
    IrqLine line = board_isa_irq(wires->machine, which ? IRQ_RTC : IRQ_TIMER);

    irq_set(&line, wires->level[which]);
}

static void set_legacy(void *opaque, unsigned which, bool level)
{
    LegacyWires *wires = opaque;

    g_mutex_lock(&wires->lock);
    wires->level[which] = level;
    if (!wires->hpet) {
        drive_legacy(wires, which);
    }
    g_mutex_unlock(&wires->lock);
}

static void switch_legacy(void *opaque, unsigned pin, bool hpet)
{
    LegacyWires *wires = opaque;

    g_mutex_lock(&wires->lock);
    if (wires->hpet && !hpet) {
        drive_legacy(wires, 0);
        drive_legacy(wires, 1);
    }
    wires->hpet = hpet;
    g_mutex_unlock(&wires->lock);
}

static void set_pic_line(void *opaque, unsigned irq, bool level)
{
    const Machine *m = opaque;

    pic_set_line(m->pic, irq, level);
}

static void set_pirq(void *opaque, unsigned pirq, bool level)
{
    const Machine *m = opaque;
    IrqLine line = ich9_lpc_pirq(m->lpc, pirq);

    irq_set(&line, level);
}

static unsigned route_pirq(void *opaque, unsigned device, unsigned pin)
{
    const Machine *m = opaque;

    return ich9_lpc_route(m->lpc, device, pin);
}

static void set_ioapic_pin(void *opaque, unsigned pin, bool level)
{
    const Machine *m = opaque;

    ioapic_set_line(m->ioapic, pin, level);
}

/* --- parts --- */

static bool add_memory(Machine *m, const MachineConfig *config, GError **error)
{
    PcBoard *pc = m->pc;
    uint64_t low = config->memory_size <= ALL_BELOW ? config->memory_size : LOW_RAM_MAX;
    uint64_t high = config->memory_size - low;
    const BootRange ranges[] = {
        { 0, UPPER_AREA, BOOT_RAM },
        { UPPER_AREA, FIRST_MIB - UPPER_AREA, BOOT_RESERVED },
        { FIRST_MIB, low - FIRST_MIB, BOOT_RAM },
        { DIRECT_ECAM, ECAM_SIZE, BOOT_RESERVED },
        { HIGH_RAM, high, BOOT_RAM },
    };

    m->map.n_ranges = high ? 5 : 4;
    memcpy(m->map.ranges, ranges, sizeof(ranges));
    pc->low_ram = gm_add_block(m->memory, "ram", low, error);
    if (!pc->low_ram) {
        return false;
    }
    gm_add_window(m->memory, &(GmWindowConfig){ .io = { .name = "ram", .size = low },
                                                .block = pc->low_ram,
                                                .priority = GM_RAM });
    pc->high_ram = high;
    return !high || gm_add_ram(m->memory, HIGH_RAM, high, error);
}

static PciSlot pci_slot(Machine *m, const char *name, unsigned device, unsigned function,
                        bool multifunction)
{
    return (PciSlot){ m->env, pci_root_bus(m->pci), PCI_DEVFN(device, function), name,
                      multifunction };
}

static void add_hpet(Machine *m)
{
    HpetConfig config = {
        .env = m->env,
        .irq0 = board_isa_irq(m, IRQ_TIMER),
        .irq8 = board_isa_irq(m, IRQ_RTC),
        .legacy = { .set = switch_legacy, .opaque = &m->pc->wires },
    };

    for (unsigned t = 0; t < HPET_TIMERS; t++) {
        for (unsigned i = 0; i < HPET_PINS; i++) {
            config.pins[t][i] = i < 16 ? (IrqLine){ set_ioapic_pin, m, i }
                                       : irq_merge_input(&m->shared[i - 16], 1 + t);
        }
    }
    board_add(m, hpet_new(&config));
}

/* What any PC has had since 1984, and what it has since 2004. */
static void add_old_devices(Machine *m, const MachineConfig *config)
{
    LegacyWires *wires = &m->pc->wires;
    RtcMemorySizes sizes = { .below_4g = m->pc->low_ram->size, .above_4g = m->pc->high_ram };

    m->pic = board_add(m, pic_new(&m->env, board_intr(m)));
    m->ioapic = board_add(m, ioapic_new(&m->env, IOAPIC_BASE, board_msi_target(m)));
    m->pm = board_add(m, acpi_pm_new_ich9(&m->env, board_isa_irq(m, ACPI_SCI_IRQ), m->power));
    board_add(m, pit_new(&m->env, (IrqLine){ set_legacy, wires, 0 }));
    board_add(m, rtc_new(&m->env, (IrqLine){ set_legacy, wires, 1 }, sizes));
    board_add(m, uart_new(&m->env, COM1, board_isa_irq(m, IRQ_SERIAL), config->serial));
    board_add(m, i8042_new(&(I8042Config){ .env = m->env,
                                           .events = m->power,
                                           .keyboard = board_isa_irq(m, IRQ_KEYBOARD),
                                           .mouse = board_isa_irq(m, IRQ_MOUSE),
                                           .input = config->input }));
    board_add(m, test_exit_new(&m->env, m->power));
    board_add(m, debug_port_new(&m->env));
    board_add(m, pvpanic_new(&m->env, m->power));
    m->generation = board_add(m, vmgenid_new(&m->env, m->pm));
    add_hpet(m);
}

static void add_chipset(Machine *m)
{
    PciRootConfig root = {
        .memory = m->memory,
        .log = m->env.log,
        .msi = board_msi_target(m),
        .route = route_pirq,
        .opaque = m,
    };

    for (unsigned i = 0; i < PCI_PIRQS; i++) {
        root.pirqs[i] = (IrqLine){ set_pirq, m, i };
    }
    m->pci = pci_root_new(&root);
    Q35Config q35 = {
        .slot = pci_slot(m, "q35", 0, 0, false),
        .root = m->pci,
        .ram = m->pc->low_ram,
        .high_ram = m->pc->high_ram,
        .bios = m->pc->firmware.code,
        .events = m->power,
    };
    Ich9LpcConfig lpc = { .slot = pci_slot(m, "lpc", LPC, 0, true), .pm = m->pm };
    for (unsigned i = 0; i < PCI_PIRQS; i++) {
        lpc.apic[i] = irq_merge_input(&m->shared[i], 0);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(lpc.isa); i++) {
        lpc.isa[i] = (IrqLine){ set_pic_line, m, i };
    }
    m->lpc = ich9_lpc_new(&lpc);
    board_add(m, m->lpc);
    board_add(m, q35_new(&q35));
}

/* A machine starts without a video BIOS, too: kernels drive the VGA themselves. */
static bool add_vga(Machine *m, const MachineConfig *config, GError **error)
{
    VgaConfig vga = { .slot = pci_slot(m, "vga", SCREEN, 0, false), .display = config->display };
    g_autofree uint8_t *rom = firmware_find("vgabios-stdvga.bin", &vga.rom_size);

    vga.rom = rom;
    Vga *device = vga_new(&vga, error);
    if (device) {
        board_add(m, device);
    }
    return device != NULL;
}

static void add_flash(Machine *m)
{
    const Firmware *firmware = &m->pc->firmware;
    uint64_t code = HIGH_RAM - (firmware->code ? firmware->code->size : 0);

    if (firmware->code) {
        board_add(
            m, flash_new(&(FlashConfig){ m->env, "flash-code", code, firmware->code, true, -1 }));
    }
    if (firmware->variables) {
        board_add(m, flash_new(&(FlashConfig){
                         m->env, "flash-variables", code - firmware->variables->size,
                         firmware->variables, false, firmware->variables_fd }));
    }
}

static VirtioSlot virtio_slot(Machine *m, const char *name, unsigned device)
{
    PciSlot slot = pci_slot(m, name, device, 0, false);

    return (VirtioSlot){
        .env = m->env,
        .io = m->io,
        .name = name,
        .transport = &virtio_pci,
        .transport_opaque = board_add(m, virtio_pci_new(&slot)),
    };
}

/* The next virtio device can be booted from; @form names it by its number. */
G_GNUC_PRINTF(3, 0)
static void note_boot(Machine *m, unsigned order, const char *form)
{
    char path[40];

    g_snprintf(path, sizeof(path), form, m->pc->next_device);
    pc_boot_list_add(m->pc->boot, order, path);
}

/* The slot for the next virtio device. */
static VirtioSlot next_virtio(Machine *m, const char *name)
{
    unsigned device = m->pc->next_device++;

    g_assert(device <= LAST_VIRTIO);
    return virtio_slot(m, name, device);
}

/* Screen, keyboard and tablet stand where disks and NICs don't move them. */
static bool add_screen(Machine *m, const MachineConfig *config, GError **error)
{
    if (config->display && config->video == MACHINE_VIRTIO_GPU) {
        VirtioSlot slot = virtio_slot(m, "gpu0", SCREEN);
        board_add(m, virtio_gpu_new(&slot, config->display));
    } else if (config->display && !add_vga(m, config, error)) {
        return false;
    }
    if (config->input) {
        VirtioSlot slot = virtio_slot(m, "keyboard0", KEYBOARD);
        board_add(m, virtio_input_new(&slot, VIRTIO_KEYBOARD, config->input));
        slot = virtio_slot(m, "tablet0", TABLET);
        board_add(m, virtio_input_new(&slot, VIRTIO_TABLET, config->input));
    }
    return true;
}

/* The guest has another share of its RAM.  On a vCPU's thread, with a device's lock held. */
static void on_ballooned(void *opaque)
{
    const Machine *m = opaque;

    if (m->events.ballooned) {
        m->events.ballooned(m->events.opaque);
    }
}

static void add_balloon(Machine *m, uint64_t ram_size)
{
    VirtioSlot slot = next_virtio(m, "balloon0");

    m->balloon = virtio_balloon_new(&slot, &(VirtioBalloonConfig){ ram_size, on_ballooned, m });
    board_add(m, m->balloon);
}

static void add_virtio(Machine *m, const MachineConfig *config)
{
    VirtioSlot slot = next_virtio(m, "rng0");
    board_add(m, virtio_rng_new(&slot));

    if (config->console) {
        slot = next_virtio(m, "console0");
        board_add(m, virtio_console_new(&slot, config->console));
    }
    for (size_t i = 0; i < config->n_disks; i++) {
        const MachineDisk *disk = &config->disks[i];
        if (disk->kind != MACHINE_DISK_VIRTIO) {
            PciSlot sata = pci_slot(m, "sata", LPC, SATA_FUNCTION, true);
            board_add_sata(m, &sata, disk, i, m->pc->boot);
            continue;
        }
        g_autofree char *name = machine_disk_name(disk->kind, i);
        g_autofree char *serial = g_strdup_printf("insula-%zu", i);
        note_boot(m, disk->boot, "scsi@%x/disk@0,0");
        slot = next_virtio(m, name);
        board_add_disk(m, &slot, disk, serial);
    }
}

static bool add_virtio_net(Machine *m, const MachineNet *net, const char *name, GError **error)
{
    VirtioNetConfig card = { .port = net->port, .mtu = net->mtu, .pairs = net->queues };
    VirtioSlot slot = next_virtio(m, name);

    memcpy(card.mac, net->mac, sizeof(card.mac));
    if (!pc_add_nic_rom(slot.transport_opaque, "efi-virtio.rom", VIRTIO_VENDOR, VIRTIO_NET_ID,
                        error)) {
        return false;
    }
    board_add(m, virtio_net_new(&slot, &card));
    return true;
}

static bool add_e1000e(Machine *m, const MachineNet *net, const char *name, GError **error)
{
    E1000eConfig card = { .io = m->io, .port = net->port };
    PciSlot slot = pci_slot(m, name, m->pc->next_device++, 0, false);

    memcpy(card.mac, net->mac, sizeof(card.mac));
    PciDevice *pci = board_add(m, e1000e_new(&slot, &card));
    return pc_add_nic_rom(pci, "efi-e1000e.rom", E1000E_VENDOR, E1000E_ID, error);
}

static bool add_nets(Machine *m, const MachineConfig *config, GError **error)
{
    for (size_t i = 0; i < config->n_nets; i++) {
        g_autofree char *name = g_strdup_printf("net%zu", i);
        const MachineNet *net = &config->nets[i];
        note_boot(m, net->boot, "ethernet@%x/ethernet-phy@0");
        if (!(net->e1000e ? add_e1000e : add_virtio_net)(m, net, name, error)) {
            return false;
        }
    }
    add_balloon(m, config->memory_size);
    return true;
}

static void add_watchdog(Machine *m)
{
    PciSlot slot = pci_slot(m, "watchdog", WATCHDOG, 0, false);

    board_add(m, i6300esb_new(&slot, m->power));
}

/* --- what firmware and kernels are told --- */

static uint32_t host_bridge(const Machine *m, unsigned offset, unsigned size)
{
    return pci_root_read(m->pci, 0, 0, offset, size);
}

/* Where things are now: firmware has moved them. */
static void fill_acpi(const Machine *m, AcpiPc *ret)
{
    const PcBoard *pc = m->pc;
    uint32_t ecam = host_bridge(m, PCIEXBAR, 4);

    *ret = (AcpiPc){
        .ecam = ecam & 1 ? ecam & 0xfc000000 : 0,
        .memory_first = MAX(pc->low_ram->size, LOW_RAM_MAX),
        .memory_last = 0xfebfffff,
    };
    if (!pci_root_range64(m->pci, &ret->memory64_first, &ret->memory64_last)) {
        ret->memory64_first = align_up(HIGH_RAM + pc->high_ram, SPACE64);
        ret->memory64_last = ret->memory64_first + SPACE64 - 1;
    }
    ret->memory64_first = align_down(ret->memory64_first, 1U << 30);
    ret->memory64_last = align_up(ret->memory64_last + 1, 1U << 30) - 1;
}

/* Bring one of the files up to date. */
static void update_acpi(void *opaque, uint8_t *data, size_t size)
{
    const AcpiSelect *select = opaque;
    AcpiPc now;
    AcpiFiles files;

    fill_acpi(select->machine, &now);
    acpi_build_files(&(AcpiConfig){ .cpus = select->machine->pc->cpus, .pc = &now }, &files);
    const GByteArray *file = *(GByteArray **)((char *)&files + select->member);
    g_assert(file->len == size);
    memcpy(data, file->data, size);
    acpi_files_clear(&files);
}

static void add_acpi_files(Machine *m)
{
    static const struct {
        const char *name;
        size_t member;
    } files[ACPI_FILES] = {
        { ACPI_TABLES_FILE, offsetof(AcpiFiles, tables) },
        { ACPI_RSDP_FILE, offsetof(AcpiFiles, rsdp) },
        { ACPI_LOADER_FILE, offsetof(AcpiFiles, loader) },
    };
    PcBoard *pc = m->pc;
    AcpiPc now;
    AcpiFiles built;

    fill_acpi(m, &now);
    acpi_build_files(&(AcpiConfig){ .cpus = pc->cpus, .pc = &now }, &built);
    for (unsigned i = 0; i < ACPI_FILES; i++) {
        const GByteArray *file = *(GByteArray **)((char *)&built + files[i].member);
        pc->selects[i] = (AcpiSelect){ m, files[i].member };
        fw_cfg_add_file(pc->fw_cfg, files[i].name, file->data, file->len);
        fw_cfg_on_select(pc->fw_cfg, files[i].name, update_acpi, &pc->selects[i]);
    }
    acpi_files_clear(&built);
}

typedef struct __attribute__((packed)) E820Entry {
    uint64_t base, size;
    uint32_t type;
} E820Entry;

static void add_fw_cfg(Machine *m, const MachineConfig *config)
{
    FwCfg *fw = board_add(m, fw_cfg_new(&m->env));
    E820Entry e820[BOOT_MAX_RANGES];
    unsigned n = 0;

    m->pc->fw_cfg = fw;
    fw_cfg_add_number(fw, FW_CFG_RAM_SIZE, config->memory_size, 8);
    fw_cfg_add_number(fw, FW_CFG_CPUS, config->cpus, 2);
    fw_cfg_add_number(fw, FW_CFG_MAX_CPUS, config->cpus, 2);
    e820[n++] = (E820Entry){ 0, m->pc->low_ram->size, BOOT_RAM };
    if (m->pc->high_ram) {
        e820[n++] = (E820Entry){ HIGH_RAM, m->pc->high_ram, BOOT_RAM };
    }
    fw_cfg_add_file(fw, "etc/e820", e820, n * sizeof(E820Entry));
    add_acpi_files(m);
    pc_tell_smbios(fw, &m->pc->smbios);
    /* without a screen SeaBIOS shows its own, and what others show by it, on the serial port */
    fw_cfg_add_file(fw, "etc/sercon-port", &(uint16_t){ COM1 }, sizeof(uint16_t));
}

/* A kernel that is started directly finds the chipset as firmware would have left it, but for BARs,
 * which it places itself. */
static const struct {
    uint8_t device, offset, size;
    uint32_t value;
} direct_setup[] = {
    { 0, 0x90, 4, 0x33333330 }, /* RAM from C0000h to FFFFFh */
    { 0, 0x94, 4, 0x00333333 },
    { 0, PCIEXBAR + 4, 4, 0 },
    { 0, PCIEXBAR, 4, DIRECT_ECAM | 1 },
    { LPC, 0x40, 4, ACPI_PM_ICH9_PORT | 1 },
    { LPC, 0x44, 1, 0x80 },
    { LPC, 0xf0, 4, 0xfed1c001 },
    { LPC, 0x60, 4, 0x0b0b0a0a }, /* INTx wires to ISA interrupts 10 and 11 */
    { LPC, 0x68, 4, 0x0b0b0a0a },
};

static void pc_prepare(Machine *m)
{
    enum { LEVEL_TRIGGERED_PORT = 0x4d1, LINES_10_11 = 0x0c };

    if (m->pc->firmware.code) {
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(direct_setup); i++) {
        pci_root_write(m->pci, 0, PCI_DEVFN(direct_setup[i].device, 0), direct_setup[i].offset,
                       direct_setup[i].value, direct_setup[i].size);
    }
    gm_pio_write(m->memory, LEVEL_TRIGGERED_PORT, LINES_10_11, 1);
    pc_place_smbios(m->memory, &m->pc->smbios);
}

/* A kernel without firmware: the loader and tables in RAM. */
static bool add_direct_boot(Machine *m, const MachineConfig *config, GError **error)
{
    AcpiPc now;

    m->kernel_unknown = !config->kernel;
    if (m->kernel_unknown && config->restore) {
        return true;
    }
    if (!config->kernel) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "--firmware none starts a kernel directly: name it with --kernel");
        return false;
    }
    fill_acpi(m, &now);
    now.ecam = DIRECT_ECAM;
    m->map.rsdp = ACPI_TABLES;
    m->acpi = acpi_build(&(AcpiConfig){ .cpus = config->cpus, .pc = &now }, ACPI_TABLES);
    m->boot = boot_image_open(config->kernel, config->initrd, config->cmdline, error);
    return m->boot != NULL;
}

/* What the guest may read about the machine. */
static void note_identity(PcBoard *pc, const MachineConfig *config)
{
    pc->name = g_strdup(config->name);
    pc->smbios = (SmbiosConfig){
        .product = "pc-1",
        .name = pc->name,
        .uefi = pc->firmware.variables != NULL,
        .cpus = config->cpus,
        .low_memory = pc->low_ram->size,
        .high_memory = pc->high_ram,
    };
    if (config->uuid) {
        pc->smbios.has_uuid = true;
        memcpy(pc->smbios.uuid, config->uuid, sizeof(pc->smbios.uuid));
    }
}

static bool pc_build(Machine *m, const MachineConfig *config, GError **error)
{
    PcBoard *pc = m->pc = g_new0(PcBoard, 1);

    pc->cpus = config->cpus;
    pc->wires.machine = m;
    g_mutex_init(&pc->wires.lock);
    pc->firmware.variables_fd = -1;
    pc->next_device = FIRST_VIRTIO;
    pc->boot = pc_boot_list_new();
    if (!add_memory(m, config, error) || !firmware_read(m->memory, config, &pc->firmware, error)) {
        return false;
    }
    add_old_devices(m, config);
    add_chipset(m);
    hotplug_build(m, ROOT_PORTS);
    if (!add_screen(m, config, error)) {
        return false;
    }
    add_flash(m);
    note_identity(pc, config);
    add_fw_cfg(m, config);
    add_virtio(m, config);
    if (config->watchdog) {
        add_watchdog(m);
    }
    if (!add_nets(m, config, error)) {
        return false;
    }
    pc_boot_list_tell(pc->boot, pc->fw_cfg);
    return pc->firmware.code ? pc_tell_kernel(pc->fw_cfg, config, &pc->kernel, error)
                             : add_direct_boot(m, config, error);
}

static void pc_destroy(Machine *m)
{
    PcBoard *pc = m->pc;

    pci_root_free(m->pci);
    if (pc) {
        if (pc->firmware.variables_fd >= 0) {
            close(pc->firmware.variables_fd);
        }
        pc_boot_list_free(pc->boot);
        pc_kernel_clear(&pc->kernel);
        g_free(pc->name);
        g_mutex_clear(&pc->wires.lock);
        g_free(pc);
    }
}

const BoardOps pc_board = { .build = pc_build, .prepare = pc_prepare, .destroy = pc_destroy };
