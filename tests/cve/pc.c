/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Known flaws of what any PC has, on a whole board pc: registers as scripts of the bench (see
 * machine/core/bench.h), after each of which the screen is drawn; and states that were saved by
 * somebody who lies.
 */
#include <string.h>

#include "common/clock.h"
#include "cve.h"
#include "display/display.h"
#include "display/input.h"
#include "engine/engine.h"
#include "machine/board/board.h"
#include "machine/core/bench.h"
#include "machine/pci/pci.h"

typedef struct Pc {
    Machine *machine;
    Bench bench; /* of the machine's memory and clock */
    Display *display;
    Input *input;
} Pc;

static void pc_init(Pc *pc)
{
    static const MachineDisk disks[] = { { .kind = MACHINE_CDROM } };
    g_autoptr(GError) error = NULL;

    *pc = (Pc){ .display = display_new(), .input = input_new(), .bench = { .power = -1 } };
    pc->bench.env.clock = clock_new_manual();
    const MachineConfig config = { .board = "pc",
                                   .engine = engine_choose("interpreter", NULL, &error),
                                   .cpus = 1,
                                   .memory_size = 16 << 20,
                                   .firmware = "none",
                                   .restore = true,
                                   .disks = disks,
                                   .n_disks = 1,
                                   .watchdog = true,
                                   .display = pc->display,
                                   .input = pc->input,
                                   .clock = pc->bench.env.clock };
    pc->machine = machine_new(&config, &error);
    g_assert_no_error(error);
    machine_start(pc->machine);
    pc->bench.env.memory = machine_memory(pc->machine);
}

static void pc_clear(Pc *pc)
{
    machine_free(pc->machine);
    input_free(pc->input);
    display_free(pc->display);
    clock_free(pc->bench.env.clock);
}

/* --- registers --- */

static const struct Script {
    const char *cve, *what, *script;
} scripts[] = {
    { "2015-3214", "PIT: a channel that isn't there",
      "o 43 36 o 40 34 o 40 12 # latch and read it; o 43 c0 o 43 f8 o 43 fe i 43 ff "
      "o 43 0 i 40 34 i 40 12" },
    { "2016-8669", "UART: a divisor of 0", "o 3fb 83 o 3f8 0 o 3f9 0 o 3fb 3 o 3f8 41 i 3fd 60" },
    { "2016-8667", "UART: the largest divisor",
      "o 3fb 83 o 3f8 ff o 3f9 ff o 3fb 3 o 3f8 41 i 3fd 60" },
    { "2016-1714", "fw_cfg: items that aren't there",
      "O 510 7fff i 511 0 i 511 0 o 511 55 O 510 bfff o 511 55 i 511 0 O 510 0 i 511 51 i 511 45 "
      "i 511 4d i 511 55 i 511 0 i 511 0" },
    { "2016-1714", "fw_cfg: a DMA descriptor that is nowhere", "w 510 0 O 510 0 i 511 51" },
    { "2013-1798", "I/O APIC: registers that aren't there",
      "w fec00000 ff r fec00010 0 w fec00010 ffffffff w fec00000 40 r fec00010 0 "
      "w fec00000 1 r fec00010 170020" },
    { "2014-0155", "I/O APIC: an entry of ones",
      "w fec00000 10 w fec00010 ffffffff r fec00010 1afff "
      "w fec00000 11 w fec00010 ffffffff r fec00010 ff000000" },
    { "2013-4527", "HPET: timers that aren't there",
      "w fed003e0 ffffffff r fed003e0 0 w fed00160 ffffffff r fed00160 0 r fed00004 989680" },
    { "2011-1751", "ACPI: ejects the ISA bridge, at ports of hot-plug that aren't there",
      "o ae08 ff o ae09 ff o ae0a ff o ae0b ff i ae08 ff i ae00 ff" },
    { "2014-5388", "ACPI: a bus of hot-plug that isn't there",
      "o ae10 ff o ae11 ff o ae12 ff o ae13 ff i ae00 ff i ae04 ff i ae0c ff i ae10 ff" },
    { "2016-3710", "VGA: banks beyond its memory",
      "O 1ce 5 O 1cf ffff w a0000 12345678 w afffc 12345678 O 1ce 5 O 1cf 100 w a0000 1" },
    { "2016-3712", "VGA: a picture of 65535 by 65535",
      "O 1ce 4 O 1cf 0 O 1ce 1 O 1cf ffff O 1ce 2 O 1cf ffff O 1ce 3 O 1cf 20 O 1ce 4 O 1cf 41" },
    { "2014-3615", "VGA: a picture larger than its memory",
      "O 1ce 1 O 1cf 3e80 O 1ce 2 O 1cf 2ee0 O 1ce 3 O 1cf 20 O 1ce 4 O 1cf c1" },
    { "2017-13672", "VGA: the picture begins behind its memory's end",
      "O 1ce 1 O 1cf 400 O 1ce 2 O 1cf 300 O 1ce 3 O 1cf 20 O 1ce 4 O 1cf 41 O 1ce 6 O 1cf ffff "
      "O 1ce 8 O 1cf ffff O 1ce 9 O 1cf ffff" },
    { "2016-3710", "VGA: dots of 0 and of 255 bits",
      "O 1ce 3 O 1cf 0 O 1ce 4 O 1cf 41 O 1ce 4 O 1cf 0 "
      "O 1ce 3 O 1cf ff O 1ce 4 O 1cf 41" },
    { "2018-7858", "VGA: text from the end of its memory on",
      "O 1ce 4 O 1cf 0 o 3d4 11 o 3d5 0 o 3d4 c o 3d5 ff o 3d4 d o 3d5 ff o 3d4 13 o 3d5 ff "
      "o 3d4 e o 3d5 ff o 3d4 f o 3d5 ff o 3d4 1 o 3d5 ff o 3d4 12 o 3d5 ff" },
    { "2017-15289", "VGA: planes, with masks of ones",
      "O 1ce 4 O 1cf 0 o 3c4 2 o 3c5 ff o 3c4 4 o 3c5 ff o 3ce 5 o 3cf ff o 3ce 6 o 3cf ff "
      "w a0000 ffffffff w bfffc ffffffff" },
    { "2017-13672", "VGA: a line of no dots",
      "O 1ce 4 O 1cf 0 o 3d4 1 o 3d5 0 o 3d4 9 o 3d5 0 o 3d4 13 o 3d5 0 o 3d4 7 o 3d5 0 o "
      "3d4 12 o 3d5 0" },
};

static void test_script(gconstpointer data)
{
    const struct Script *c = data;
    Pc pc;

    pc_init(&pc);
    pci_root_write(pc.machine->pci, 0, PCI_DEVFN(1, 0), PCI_BAR0, 0xc0000000, 4);
    pci_root_write(pc.machine->pci, 0, PCI_DEVFN(1, 0), PCI_BAR0 + 8, 0xd0000000, 4);
    pci_root_write(pc.machine->pci, 0, PCI_DEVFN(1, 0), PCI_COMMAND, 3, 2);
    bench_run(&pc.bench, c->script);
    display_refresh(pc.display);
    clock_advance(pc.bench.env.clock, 1000000000);
    display_refresh(pc.display);
    bench_run(&pc.bench, "o 3c8 7 o 3c9 1 o 3c9 2 o 3c9 3 o 3c7 7 i 3c9 1 i 3c9 2 i 3c9 3");
    pc_clear(&pc);
}

/* Keys without end, and a guest that reads none: what it finds then is no more than a keyboard
 * has. */
static void test_keys(gconstpointer data)
{
    enum { MOST = 64 };
    unsigned got = 0;
    Pc pc;

    pc_init(&pc);
    for (unsigned i = 0; i < 100000; i++) {
        input_key(pc.input, 30, i & 1);
    }
    while ((gm_pio_read(pc.bench.env.memory, 0x64, 1) & 1) && got <= MOST) {
        gm_pio_read(pc.bench.env.memory, 0x60, 1);
        got++;
    }
    g_assert_cmpuint(got, <=, MOST);
    pc_clear(&pc);
}

/* Registers of every function's configuration space, written with all and read back, wherever they
 * end; the host bridge is still there. */
static void test_config_space(gconstpointer data)
{
    Pc pc;

    pc_init(&pc);
    for (unsigned devfn = 1; devfn < PCI_FUNCTIONS; devfn++) {
        for (unsigned at = PCI_HEADER_END; at < PCIE_CONFIG_SIZE; at += 2) {
            pci_root_write(pc.machine->pci, 0, devfn, at, UINT32_MAX, 2);
            pci_root_read(pc.machine->pci, 0, devfn, at, 2);
        }
    }
    g_assert_cmphex(pci_root_read(pc.machine->pci, 0, 0, 0, 4), ==, 0x29c08086);
    pc_clear(&pc);
}

/* --- states --- */

static const struct Lie {
    const char *cve, *class, *field;
    unsigned element;
    uint64_t value;
} lies[] = {
    { "2013-4526", "ahci", "ports.slot", 2, 200 },
    { "2013-4526", "ahci", "ports.drive.failed_tag", 0, 32 },
    { "2013-4526", "ahci", "is", 0, 0x80000000 },
    { "2013-4527", "hpet", "status", 0, 0xff },
    { "2013-4527", "hpet", "config", 0, UINT64_MAX },
    { "2013-6399", "virtio-rng", "virtio.isr", 0, 0xff },
    { "2013-4151", "virtio-rng", "virtio.queues.ready", 0, 1 },
    { "2013-4535", "virtio-rng", "virtio.queues.ready", 5, 1 },
    { "2013-4536", "virtio-balloon", "virtio.queues.ready", 0, 1 },
    { "2014-0182", "virtio-input", "virtio.status", 0, 0x0f },
    { "2013-4537", "pit", "channel[0].mode", 0, 7 },
    { "2013-4537", "pit", "channel[2].access", 0, 0 },
    { "2013-4538", "uart", "rx.used", 0, 255 },
    { "2013-4539", "uart", "tx.head", 0, 255 },
    { "2013-4540", "rtc", "index", 0, 0xff },
    { "2014-3461", "fw-cfg", "key", 0, 0xffff },
    { "2013-4534", "ioapic", "lines", 0, 0xffffffff },
    { "2013-4534", "ioapic", "id", 0, 0xff },
};

static Device *device_of(const Machine *m, const char *class)
{
    for (guint i = 0; i < m->devices->len; i++) {
        Device *device = g_ptr_array_index(m->devices, i);
        if (!strcmp(device->class->name, class)) {
            return device;
        }
    }
    g_error("board pc has no %s", class);
    return NULL;
}

/* Where element @element of the field is in a saved state. */
static size_t find_field(const DeviceClass *class, const char *name, unsigned element,
                         unsigned *ret_size)
{
    size_t at = 0;

    for (const SavedField *field = class->saved; field->name; field++) {
        const char *dot = strchr(field->name, '.');
        if (!strcmp(field->name, name) || (dot && !strcmp(dot + 1, name))) {
            g_assert_cmpuint(element, <, field->count);
            *ret_size = field->size;
            return at + (size_t)element * field->size;
        }
        at += (size_t)field->size * field->count;
    }
    g_error("%s has no field %s", class->name, name);
    return 0;
}

static void test_lie(gconstpointer data)
{
    const struct Lie *c = data;
    g_autoptr(GError) error = NULL;
    unsigned size = 0;
    Pc pc;

    pc_init(&pc);
    Device *device = device_of(pc.machine, c->class);
    size_t len = device_saved_size(device->class);
    size_t at = find_field(device->class, c->field, c->element, &size);
    g_autofree uint8_t *state = g_malloc0(len + 1);
    device_save(device, state);
    g_assert_true(device_load(device, state, len, &error));
    memcpy(state + at, &c->value, size);
    g_assert_false(device_load(device, state, len, &error));
    g_assert_nonnull(error);
    g_assert_false(device_load(device, state, len + 1, NULL));
    g_assert_false(device_load(device, state, len - 1, NULL));
    pc_clear(&pc);
}

void cve_add_pc(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(scripts); i++) {
        cve_add(scripts[i].cve, scripts[i].what, &scripts[i], test_script);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(lies); i++) {
        g_autofree char *what =
            g_strdup_printf("state of %s: %s %u", lies[i].class, lies[i].field, lies[i].element);
        cve_add(lies[i].cve, what, &lies[i], test_lie);
    }
    cve_add("2017-8379", "PS/2: keys without end", NULL, test_keys);
    cve_add("2020-13754", "PCI: all of configuration space", NULL, test_config_space);
}
