/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SATA disks and CD-ROMs of board pc, see sata.h; and the trays, for machine.h.
 *
 * Firmware's order of booting names a drive "pci8086,2922@1f,2/drive@PORT/disk@0", CD-ROMs too:
 * OVMF knows the controller by that word, SeaBIOS by its place.
 */
#include "machine/board/sata.h"

#include "machine/device/ahci.h"

char *machine_disk_name(MachineDiskKind kind, size_t index)
{
    return g_strdup_printf(kind == MACHINE_CDROM ? "cd%zu" : "disk%zu", index);
}

void board_add_sata(Machine *m, const PciSlot *slot, const MachineDisk *disk, size_t index,
                    PcBootList *boot)
{
    unsigned device = slot->devfn >> 3, function = slot->devfn & 7, port = m->n_sata++;
    g_autofree char *name = machine_disk_name(disk->kind, index);
    g_autofree char *serial = g_strdup_printf("insula-%zu", index);
    g_autofree char *path = g_strdup_printf("pci%x,%x@%x,%x/drive@%x/disk@0", AHCI_VENDOR, AHCI_ID,
                                            device, function, port);

    if (!m->ahci) {
        m->ahci = board_add(m, ahci_new(slot, m->io));
    }
    pc_boot_list_add(boot, disk->boot, path);
    ahci_add_drive(m->ahci, port,
                   &(AhciDrive){ .name = name,
                                 .serial = disk->serial ? disk->serial : serial,
                                 .blk = disk->blk,
                                 .cdrom = disk->kind == MACHINE_CDROM,
                                 .on_read_error = disk->on_read_error,
                                 .on_write_error = disk->on_write_error,
                                 .events = &m->events });
}

void board_retry_sata(Machine *m)
{
    if (m->ahci) {
        ahci_retry(m->ahci);
    }
}

/* --- trays --- */

const char *machine_cdrom_name(const Machine *m, unsigned index)
{
    return m->ahci ? ahci_cdrom_name(m->ahci, index) : NULL;
}

/* The port of a drive that is there. */
static unsigned port_of(const Machine *m, const char *drive)
{
    int port = m->ahci ? ahci_find_cdrom(m->ahci, drive) : -1;

    g_assert(port >= 0);
    return (unsigned)port;
}

bool machine_tray(const Machine *m, const char *drive, MachineTray *ret)
{
    int port = m->ahci ? ahci_find_cdrom(m->ahci, drive) : -1;
    AhciTray tray;

    if (port < 0) {
        return false;
    }
    ahci_tray(m->ahci, (unsigned)port, &tray);
    *ret = (MachineTray){ tray.open, tray.locked, tray.medium };
    return true;
}

bool machine_open_tray(Machine *m, const char *drive, bool force)
{
    return ahci_open_tray(m->ahci, port_of(m, drive), force);
}

void machine_close_tray(Machine *m, const char *drive)
{
    ahci_close_tray(m->ahci, port_of(m, drive));
}

void machine_set_medium(Machine *m, const char *drive, Blk *blk)
{
    ahci_set_medium(m->ahci, port_of(m, drive), blk);
}
