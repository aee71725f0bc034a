/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The board "micro": the least that a stock kernel needs, and no PCI.
 *
 *   00000000  RAM, up to 3 GiB (000a0000 to 000fffff is not the guest's: ACPI tables at 000e0000)
 *   fe000000  virtio-mmio devices, a page each
 *   fec00000  I/O APIC
 *   fee00000  local APICs (the engine's)
 *   1_00000000  the rest of RAM
 *
 * Interrupts are wired as in a PC: ISA lines 0 to 15 go to the 8259s and to the I/O APIC, where
 * line 0 is pin 2.  Virtio devices share the I/O APIC's pins 16 to 23, level-triggered.
 *
 * Threads: builds on one thread.
 */
#include <string.h>

#include "common/error.h"
#include "machine/board/board.h"
#include "machine/device/i8042.h"
#include "machine/device/pit.h"
#include "machine/device/rtc.h"
#include "machine/device/test_exit.h"
#include "machine/device/uart.h"
#include "machine/virtio/blk.h"
#include "machine/virtio/console.h"
#include "machine/virtio/mmio.h"
#include "machine/virtio/net.h"
#include "machine/virtio/rng.h"

#define LOW_RAM_MAX  UINT64_C(0xc0000000)
#define HIGH_RAM     UINT64_C(0x100000000)
#define VIRTIO_BASE  UINT64_C(0xfe000000)
#define VIRTIO_STEP  0x1000
#define UPPER_AREA   UINT64_C(0xa0000)
#define ACPI_TABLES  UINT64_C(0xe0000)
#define FIRST_MIB    UINT64_C(0x100000)
#define SHARED_FIRST 16

enum { IRQ_TIMER = 0, IRQ_SERIAL = 4, IRQ_RTC = 8, COM1 = 0x3f8 };

static bool add_memory(Machine *m, const MachineConfig *config, GError **error)
{
    uint64_t low = MIN(config->memory_size, LOW_RAM_MAX);
    uint64_t high = config->memory_size - low;
    const BootRange ranges[] = {
        { 0, UPPER_AREA, BOOT_RAM },
        { UPPER_AREA, FIRST_MIB - UPPER_AREA, BOOT_RESERVED },
        { FIRST_MIB, low - FIRST_MIB, BOOT_RAM },
        { HIGH_RAM, high, BOOT_RAM },
    };

    m->map.n_ranges = high ? 4 : 3;
    memcpy(m->map.ranges, ranges, sizeof(ranges));
    return gm_add_ram(m->memory, 0, low, error) &&
           (!high || gm_add_ram(m->memory, HIGH_RAM, high, error));
}

/* The slot for the next virtio device, which it also enters into the ACPI tables. */
static VirtioSlot next_slot(Machine *m, AcpiConfig *acpi, const char *name)
{
    unsigned index = acpi->n_virtio++;
    unsigned line = index % BOARD_SHARED_LINES;
    uint64_t base = VIRTIO_BASE + (uint64_t)index * VIRTIO_STEP;

    g_assert(index < MICRO_MAX_VIRTIO);
    acpi->virtio[index] = (AcpiMmioDevice){
        .base = (uint32_t)base,
        .size = VIRTIO_MMIO_SIZE,
        .gsi = SHARED_FIRST + line,
    };
    return (VirtioSlot){
        .env = m->env,
        .io = m->io,
        .base = base,
        .irq = irq_merge_input(&m->shared[line], index / BOARD_SHARED_LINES),
        .name = name,
    };
}

static void add_virtio(Machine *m, const MachineConfig *config, AcpiConfig *acpi)
{
    VirtioSlot slot = next_slot(m, acpi, "rng0");
    board_add(m, virtio_rng_new(&slot));

    if (config->console) {
        slot = next_slot(m, acpi, "console0");
        board_add(m, virtio_console_new(&slot, config->console));
    }
    for (size_t i = 0; i < config->n_disks; i++) {
        g_autofree char *name = g_strdup_printf("disk%zu", i);
        g_autofree char *serial = g_strdup_printf("insula-%zu", i);
        const MachineDisk *disk = &config->disks[i];
        slot = next_slot(m, acpi, name);
        board_add_disk(m, &slot, disk, serial);
    }
    for (size_t i = 0; i < config->n_nets; i++) {
        g_autofree char *name = g_strdup_printf("net%zu", i);
        const MachineNet *net = &config->nets[i];
        VirtioNetConfig card = { .port = net->port, .mtu = net->mtu, .pairs = net->queues };
        memcpy(card.mac, net->mac, sizeof(card.mac));
        slot = next_slot(m, acpi, name);
        board_add(m, virtio_net_new(&slot, &card));
    }
}

static bool wants_pci(const MachineConfig *config)
{
    bool wants = config->watchdog;

    for (size_t i = 0; i < config->n_nets; i++) {
        wants |= config->nets[i].e1000e;
    }
    return wants;
}

static bool micro_build(Machine *m, const MachineConfig *config, GError **error)
{
    AcpiConfig acpi = { .cpus = config->cpus };
    RtcMemorySizes sizes;

    if (!config->kernel && !config->restore) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "machine 'micro' has no firmware: name a kernel with --kernel");
        return false;
    }
    if (strcmp(config->firmware, "none")) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "machine 'micro' has no firmware: drop --firmware, or use --machine pc");
        return false;
    }
    if (wants_pci(config)) {
        set_error_code(
            error, INSULA_ERROR_USAGE,
            "machine 'micro' has no PCI for a watchdog or model e1000e: use --machine pc");
        return false;
    }
    if (!add_memory(m, config, error)) {
        return false;
    }
    sizes.below_4g = MIN(config->memory_size, LOW_RAM_MAX);
    sizes.above_4g = config->memory_size - sizes.below_4g;

    m->pic = board_add(m, pic_new(&m->env, board_intr(m)));
    m->ioapic = board_add(m, ioapic_new(&m->env, IOAPIC_BASE, board_msi_target(m)));
    m->pm = board_add(m, acpi_pm_new(&m->env, board_isa_irq(m, ACPI_SCI_IRQ), m->power));
    board_add(m, pit_new(&m->env, board_isa_irq(m, IRQ_TIMER)));
    board_add(m, rtc_new(&m->env, board_isa_irq(m, IRQ_RTC), sizes));
    board_add(m, uart_new(&m->env, COM1, board_isa_irq(m, IRQ_SERIAL), config->serial));
    board_add(m, i8042_new(&(I8042Config){ .env = m->env, .events = m->power }));
    board_add(m, test_exit_new(&m->env, m->power));
    add_virtio(m, config, &acpi);

    m->kernel_unknown = !config->kernel;
    if (m->kernel_unknown) {
        return true;
    }
    m->map.rsdp = ACPI_TABLES;
    m->acpi = acpi_build(&acpi, ACPI_TABLES);
    m->boot = boot_image_open(config->kernel, config->initrd, config->cmdline, error);
    return m->boot != NULL;
}

const BoardOps micro_board = { .build = micro_build };
