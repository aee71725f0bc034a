/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every device class there is: --describe prints this list, saved states name its rows.
 *
 * Threads: no state.
 */
#include "machine/device/acpi_pm.h"
#include "machine/device/ahci.h"
#include "machine/device/debug_port.h"
#include "machine/device/e1000e.h"
#include "machine/device/flash.h"
#include "machine/device/fw_cfg.h"
#include "machine/device/hpet.h"
#include "machine/device/i6300esb.h"
#include "machine/device/i8042.h"
#include "machine/device/ich9_lpc.h"
#include "machine/device/ioapic.h"
#include "machine/device/pic.h"
#include "machine/device/pit.h"
#include "machine/device/pvpanic.h"
#include "machine/device/rtc.h"
#include "machine/device/test_exit.h"
#include "machine/device/uart.h"
#include "machine/device/vga.h"
#include "machine/device/vmgenid.h"
#include "machine/machine.h"
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

/* By name. */
static const DeviceClass *const classes[] = {
    &acpi_pm_class,
    &ahci_class.device,
    &debug_port_class,
    &e1000e_class.device,
    &flash_class,
    &fw_cfg_class,
    &hpet_class,
    &i6300esb_class.device,
    &i8042_class,
    &pic_class, /* i8259 */
    &ich9_lpc_class.device,
    &ioapic_class,
    &pci_root_port_class.device, /* pcie-root-port */
    &pit_class,
    &pvpanic_class,
    &q35_class.device,
    &rtc_class,
    &test_exit_class,
    &uart_class,
    &vga_class.device,
    &virtio_balloon_class.device,
    &virtio_blk_class.device,
    &virtio_console_class.device,
    &virtio_gpu_class.device,
    &virtio_input_class.device,
    &virtio_net_class.device,
    &virtio_pci_class.device,
    &virtio_rng_class.device,
    &vmgenid_class,
    NULL,
};

const DeviceClass *const *machine_device_classes(void)
{
    return classes;
}
