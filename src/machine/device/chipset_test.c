/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of what board pc has beside PCI's core: the LPC bridge with power management and interrupt
 * routing, HPET, fw_cfg, flash, the debug port.
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "machine/core/bench.h"
#include "machine/device/debug_port.h"
#include "machine/device/flash.h"
#include "machine/device/fw_cfg.h"
#include "machine/device/hpet.h"
#include "machine/device/ich9_lpc.h"
#include "machine/pci/q35.h"

/* --- LPC --- */

enum { SCI = 0, APIC = 1, ISA = 9 }; /* the bench's lines: I/O APIC from 1, ISA 3 to 15 from 9 */

typedef struct LpcRig {
    Bench bench;
    PciRoot *root;
    Q35 *q35;
    AcpiPm *pm;
    Ich9Lpc *lpc;
} LpcRig;

static unsigned route(void *opaque, unsigned device, unsigned pin)
{
    return ich9_lpc_route(((LpcRig *)opaque)->lpc, device, pin);
}

static void lpc_rig_init(LpcRig *rig)
{
    *rig = (LpcRig){ 0 };
    bench_init(&rig->bench);
    const DeviceEnv *env = &rig->bench.env;
    rig->root =
        pci_root_new(&(PciRootConfig){ .memory = env->memory, .route = route, .opaque = rig });
    RamBlock *ram = gm_add_block(env->memory, "ram", 1 << 20, NULL);
    rig->q35 = q35_new(&(Q35Config){ .slot = { *env, pci_root_bus(rig->root), 0, "q35", false },
                                     .root = rig->root,
                                     .ram = ram,
                                     .events = bench_power(&rig->bench) });
    rig->pm = acpi_pm_new_ich9(env, bench_line(&rig->bench, SCI), bench_power(&rig->bench));
    Ich9LpcConfig config = {
        .slot = { *env, pci_root_bus(rig->root), PCI_DEVFN(31, 0), "lpc", true },
        .pm = rig->pm,
    };
    for (unsigned i = 0; i < PCI_PIRQS; i++) {
        config.apic[i] = bench_line(&rig->bench, APIC + i);
    }
    for (unsigned i = 3; i < 16; i++) {
        config.isa[i] = bench_line(&rig->bench, ISA + i);
    }
    rig->lpc = ich9_lpc_new(&config);
    device_reset((Device *)rig->q35);
    device_reset((Device *)rig->pm);
    device_reset((Device *)rig->lpc);
}

static void lpc_rig_clear(LpcRig *rig)
{
    device_free((Device *)rig->lpc);
    device_free((Device *)rig->pm);
    device_free((Device *)rig->q35);
    pci_root_free(rig->root);
    bench_clear(&rig->bench);
}

static void put(LpcRig *rig, unsigned offset, uint32_t value, unsigned size)
{
    pci_root_write(rig->root, 0, PCI_DEVFN(31, 0), offset, value, size);
}

/* The ports of power management stand where they are put, once they are switched on. */
static void test_power_management(void)
{
    LpcRig rig;

    lpc_rig_init(&rig);
    put(&rig, 0x40, 0x601, 4);
    bench_run(&rig.bench, "I 604 ffff");
    put(&rig, 0x44, 0x80, 1);
    bench_run(&rig.bench, "I 604 1 i 630 20 # APMC_EN; O 630 3 i 630 23");
    acpi_pm_power_button(rig.pm);
    bench_run(&rig.bench, "I 600 100 l 0 0 O 602 100 l 0 1 O 600 100 l 0 0");
    acpi_pm_gpe(rig.pm, 33);
    bench_run(&rig.bench, "i 624 2 l 0 0 o 62c 2 l 0 1 i 62c 2 o 624 2 l 0 0");
    bench_run(&rig.bench, "O 604 3c00 p none O 604 2000 p off");
    put(&rig, 0x40, 0xb001, 4);
    bench_run(&rig.bench, "I 604 ffff I b004 1");
    put(&rig, 0x44, 0, 1);
    bench_run(&rig.bench, "I b004 ffff o b2 5 i b2 5 i b3 0 o b3 7 i b3 7");
    device_reset((Device *)rig.lpc);
    bench_run(&rig.bench, "i b2 0 I 604 ffff");
    lpc_rig_clear(&rig);
}

static void test_interrupt_routing(void)
{
    LpcRig rig;

    lpc_rig_init(&rig);
    IrqLine a = ich9_lpc_pirq(rig.lpc, 0), e = ich9_lpc_pirq(rig.lpc, 4);
    irq_set(&a, true);
    g_assert_true(rig.bench.level[APIC + 0]);
    g_assert_false(rig.bench.level[ISA + 10]); /* not routed */
    put(&rig, 0x60, 10, 1);
    g_assert_true(rig.bench.level[ISA + 10]);
    put(&rig, 0x68, 10, 1); /* two wires on one interrupt */
    irq_set(&e, true);
    irq_set(&a, false);
    g_assert_true(rig.bench.level[ISA + 10]);
    g_assert_false(rig.bench.level[APIC + 0]);
    g_assert_true(rig.bench.level[APIC + 4]);
    put(&rig, 0x68, 11, 1);
    g_assert_false(rig.bench.level[ISA + 10]);
    g_assert_true(rig.bench.level[ISA + 11]);
    put(&rig, 0x68, 8, 1); /* the clock's: can't be */
    g_assert_false(rig.bench.level[ISA + 11]);
    g_assert_false(rig.bench.level[ISA + 8]);
    put(&rig, 0x68, 0x8b, 1);
    g_assert_false(rig.bench.level[ISA + 11]);
    /* which wire a device's pin is */
    g_assert_cmpuint(route(&rig, 0, 0), ==, 4);
    g_assert_cmpuint(route(&rig, 3, 2), ==, 5);
    g_assert_cmpuint(route(&rig, 31, 0), ==, 0);
    g_assert_cmpuint(route(&rig, 25, 3), ==, 3);
    put(&rig, 0xf0, 0xfed1c001, 4);
    bench_run(&rig.bench,
              "r fed1f140 32103210 w fed1f140 32103217 r fed1f140 32103217 r fed1f000 0");
    g_assert_cmpuint(route(&rig, 31, 0), ==, 7);
    g_assert_cmpuint(route(&rig, 30, 0), ==, 0);
    put(&rig, 0xf0, 0, 4);
    bench_run(&rig.bench, "r fed1f140 ffffffff");
    lpc_rig_clear(&rig);
}

/* --- HPET --- */

enum { IRQ0 = 0, IRQ8 = 1, LEGACY = 2, PINS = 3 }; /* pins of the I/O APIC: from line 3 on */

static Hpet *hpet_init(Bench *bench)
{
    bench_init(bench);
    HpetConfig config = {
        .env = bench->env,
        .irq0 = bench_line(bench, IRQ0),
        .irq8 = bench_line(bench, IRQ8),
        .legacy = bench_line(bench, LEGACY),
    };
    for (unsigned t = 0; t < HPET_TIMERS; t++) {
        for (unsigned i = 0; i < HPET_PINS; i++) {
            config.pins[t][i] = bench_line(bench, PINS + i);
        }
    }
    Hpet *hpet = hpet_new(&config);
    device_reset((Device *)hpet);
    return hpet;
}

static const struct {
    const char *name, *script;
} hpet_cases[] = {
    { "/hpet/capabilities",
      "r fed00000 8086a201 r fed00004 989680 r fed00100 30 r fed00104 ff0104" },
    { "/hpet/counter-stands-and-goes",
      "t 1000 r fed000f0 0 w fed000f0 1234 r fed000f0 1234 w fed00010 1 t 1000 r fed000f0 1298"
      " w fed000f0 0 # it goes; r fed000f0 1298 w fed00010 0 t 1000 r fed000f0 1298" },
    { "/hpet/once",
      "w fed00100 404 # pin 2; w fed00108 64 w fed00010 1 t 990 e 5 0 t 10 e 5 1 t 1000000 e 5 0" },
    { "/hpet/periodic",
      "w fed00100 44c w fed00108 2710 w fed00108 2710 w fed00010 1 t 99990 e 5 0 t 10 e 5 1"
      " t 100000 e 5 1 t 100000 e 5 1 r fed00108 9c40" },
    { "/hpet/level-holds-until-it-is-acknowledged",
      "w fed00120 2006 # pin 16; w fed00128 64 w fed00010 1 t 1000 l 13 1 r fed00020 2 w fed00020 1"
      " l 13 1 w fed00020 2 l 13 0 r fed00020 0" },
    { "/hpet/legacy-mode-takes-irq-0-and-8",
      "w fed00010 3 l 2 1 w fed00100 4 w fed00108 64 w fed00120 4 w fed00128 c8 t 1000 e 0 1 e 1 0"
      " t 1000 e 1 1 w fed00010 1 l 2 0" },
    { "/hpet/32-bit-timers-wrap",
      "w fed000f0 fffffff0 w fed00100 504 w fed00108 10 w fed00010 1 t 310 e 5 0 t 10 e 5 1" },
    { "/hpet/a-route-that-cannot-be-is-0", "w fed00100 604 r fed00100 34" },
    { "/hpet/fast-periods-are-slowed",
      "w fed00100 44c w fed00108 1 w fed00108 1 w fed00010 1 t 1000000 e 5 14" },
};

static void test_hpet(gconstpointer data)
{
    const typeof(hpet_cases[0]) *c = data;
    Bench bench;
    Hpet *hpet = hpet_init(&bench);

    bench_run(&bench, c->script);
    device_free((Device *)hpet);
    bench_clear(&bench);
}

/* --- fw_cfg --- */

static void upper(void *opaque, uint8_t *data, size_t size)
{
    data[0] = (uint8_t)(*(unsigned *)opaque += 1);
}

static FwCfg *fw_cfg_init(Bench *bench)
{
    bench_init(bench);
    g_assert_true(gm_add_ram(bench->env.memory, 0, 0x10000, NULL));
    FwCfg *fw = fw_cfg_new(&bench->env);
    device_reset((Device *)fw);
    return fw;
}

static void test_fw_cfg_ports(void)
{
    Bench bench;
    FwCfg *fw = fw_cfg_init(&bench);
    unsigned calls = 0;

    fw_cfg_add_number(fw, FW_CFG_CPUS, 3, 2);
    fw_cfg_add_file(fw, "etc/one", "first", 5);
    fw_cfg_add_file(fw, "etc/two", "xyz", 3);
    fw_cfg_on_select(fw, "etc/two", upper, &calls);
    bench_run(&bench,
              "O 510 0 i 511 51 i 511 45 i 511 4d i 511 55 i 511 0"
              " O 510 1 i 511 3 O 510 5 i 511 3 i 511 0 O 510 20 i 511 66 i 511 69"
              " O 510 21 i 511 1 i 511 79 O 510 21 i 511 2 O 510 3fff i 511 0 O 510 7f i 511 0"
              " O 510 8000 i 511 0 O 510 4001 i 511 3");
    /* the directory: two files, of 5 and 3 bytes, 20h and 21h */
    bench_run(&bench, "O 510 19 i 511 0 i 511 0 i 511 0 i 511 2 i 511 0 i 511 0 i 511 0 i 511 5"
                      " i 511 0 i 511 20 i 511 0 i 511 0 i 511 65 i 511 74 i 511 63 i 511 2f");
    device_free((Device *)fw);
    bench_clear(&bench);
}

typedef struct Command {
    uint32_t control, length;
    uint64_t gpa;
} Command;

static uint32_t dma(Bench *bench, uint32_t control, uint32_t length, uint64_t gpa)
{
    Command command = { GUINT32_TO_BE(control), GUINT32_TO_BE(length), GUINT64_TO_BE(gpa) };

    gm_write(bench->env.memory, 0x100, &command, sizeof(command));
    gm_pio_write(bench->env.memory, 0x514, 0, 4);
    gm_pio_write(bench->env.memory, 0x518, GUINT32_TO_BE(0x100), 4);
    gm_read(bench->env.memory, 0x100, &command, sizeof(command));
    return GUINT32_FROM_BE(command.control);
}

static void test_fw_cfg_commands(void)
{
    Bench bench;
    FwCfg *fw = fw_cfg_init(&bench);
    GuestMemory *memory = bench.env.memory;
    char *path = NULL;
    int fd = g_file_open_tmp("insula-fw-XXXXXX", &path, NULL);

    g_assert_cmpint(write(fd, "0123456789", 10), ==, 10);
    fw_cfg_add_host_file(fw, FW_CFG_KERNEL_DATA, fd, 2, 6);
    fw_cfg_add_file(fw, "etc/one", "first", 5);
    g_assert_cmphex(gm_pio_read(memory, 0x514, 4), ==, 0x554d4551);
    memset(gm_ram(memory, 0x200, 16), 0xee, 16);
    g_assert_cmphex(dma(&bench, 0x20 << 16 | 8 | 2, 7, 0x200), ==, 0);
    g_assert_cmpmem(gm_ram(memory, 0x200, 8), 8, "first\0\0\xee", 8);
    g_assert_cmphex(dma(&bench, 0x11 << 16 | 8, 0, 0), ==, 0);
    g_assert_cmphex(dma(&bench, 4, 2, 0), ==, 0);
    g_assert_cmphex(dma(&bench, 2, 8, 0x300), ==, 0);
    g_assert_cmpmem(gm_ram(memory, 0x300, 8), 8, "4567\0\0\0\0", 8);
    g_assert_cmphex(dma(&bench, 2, 8, 0xfffc), ==, 1);                  /* beyond memory */
    g_assert_cmphex(dma(&bench, 0x20 << 16 | 8 | 16, 1, 0x200), ==, 1); /* nothing is written */
    g_assert_cmphex(dma(&bench, 4, UINT32_MAX, 0), ==, 0);
    g_assert_cmphex(dma(&bench, 4, UINT32_MAX, 0), ==, 0);
    g_assert_cmphex(dma(&bench, 2, 1, 0x200), ==, 0);
    g_assert_cmphex(*(uint8_t *)gm_ram(memory, 0x200, 1), ==, 0);
    gm_pio_write(memory, 0x514, UINT32_MAX, 4);
    gm_pio_write(memory, 0x518, UINT32_MAX, 4); /* a command nowhere */
    device_free((Device *)fw);
    close(fd);
    g_remove(path);
    g_free(path);
    bench_clear(&bench);
}

/* --- flash --- */

enum { FLASH_GPA = 0xff000000, FLASH_SIZE = 0x4000 };

static Flash *flash_init(Bench *bench, bool read_only, int fd)
{
    bench_init(bench);
    RamBlock *block = gm_add_block(bench->env.memory, "flash", FLASH_SIZE, NULL);
    memset(block->hva, 0xff, FLASH_SIZE);
    memcpy(block->hva, "\x12\x34\x56\x78", 4);
    Flash *flash =
        flash_new(&(FlashConfig){ bench->env, "flash0", FLASH_GPA, block, read_only, fd });
    device_reset((Device *)flash);
    return flash;
}

static uint8_t peek(Bench *bench, uint32_t offset)
{
    return (uint8_t)gm_mmio_read(bench->env.memory, FLASH_GPA + offset, 1);
}

static void poke(Bench *bench, uint32_t offset, uint8_t value)
{
    gm_mmio_write(bench->env.memory, FLASH_GPA + offset, value, 1);
}

static bool is_rom(Bench *bench)
{
    return gm_rom(bench->env.memory, FLASH_GPA, FLASH_SIZE) != NULL;
}

static void test_flash(void)
{
    char *path = NULL;
    int fd = g_file_open_tmp("insula-flash-XXXXXX", &path, NULL);
    uint8_t stored[4] = { 0 };
    Bench bench;

    g_assert_cmpint(ftruncate(fd, FLASH_SIZE), ==, 0);
    Flash *flash = flash_init(&bench, false, fd);
    g_assert_true(is_rom(&bench));
    g_assert_null(gm_ram(bench.env.memory, FLASH_GPA, 1)); /* no DMA into it */
    poke(&bench, 0, 0x70);
    g_assert_false(is_rom(&bench));
    g_assert_cmphex(peek(&bench, 1), ==, 0x80); /* ready */
    poke(&bench, 0, 0x40);
    poke(&bench, 2, 0x0f); /* programming clears bits */
    g_assert_cmphex(peek(&bench, 0), ==, 0x80);
    poke(&bench, 0, 0xff);
    g_assert_true(is_rom(&bench));
    g_assert_cmphex(peek(&bench, 2), ==, 0x06);
    g_assert_cmpint(pread(fd, stored, 4, 0), ==, 4);
    g_assert_cmphex(stored[2], ==, 0x06);
    poke(&bench, 0x1000, 0x10);
    poke(&bench, 0x1000, 0x55);
    poke(&bench, 5, 0x20); /* erases the first block alone */
    poke(&bench, 5, 0xd0);
    poke(&bench, 0, 0xff);
    g_assert_cmphex(peek(&bench, 0), ==, 0xff);
    g_assert_cmphex(peek(&bench, 0x1000), ==, 0x55);
    poke(&bench, 0, 0x20); /* not confirmed */
    poke(&bench, 0x1000, 0x00);
    g_assert_cmphex(peek(&bench, 0), ==, 0xb0);
    poke(&bench, 0, 0x50);
    g_assert_cmphex(peek(&bench, 0x1000), ==, 0x55);
    poke(&bench, 0, 0x98);
    g_assert_cmphex(peek(&bench, 0x10), ==, 'Q');
    g_assert_cmphex(peek(&bench, 0x27), ==, 14);
    poke(&bench, 0, 0x90);
    g_assert_cmphex(peek(&bench, 0), ==, 0x89);
    device_reset((Device *)flash);
    g_assert_true(is_rom(&bench));
    device_free((Device *)flash);
    bench_clear(&bench);
    close(fd);
    g_remove(path);
    g_free(path);
}

static void test_flash_buffer(void)
{
    Bench bench;
    Flash *flash = flash_init(&bench, false, -1);

    poke(&bench, 0x100, 0xe8);
    poke(&bench, 0x100, 2); /* three bytes */
    for (unsigned i = 0; i < 3; i++) {
        poke(&bench, 0x100 + i, (uint8_t)(0x41 + i));
    }
    poke(&bench, 0x100, 0xd0);
    poke(&bench, 0, 0xff);
    g_assert_cmpmem(gm_rom(bench.env.memory, FLASH_GPA + 0x100, 4), 4, "ABC\xff", 4);
    poke(&bench, 0, 0xe8);
    poke(&bench, 0, 0xff); /* more than the buffer holds */
    g_assert_cmphex(peek(&bench, 0), ==, 0x90);
    device_free((Device *)flash);
    bench_clear(&bench);
}

/* Code takes no commands, and can't be changed. */
static void test_flash_read_only(void)
{
    Bench bench;
    Flash *flash = flash_init(&bench, true, -1);

    poke(&bench, 0, 0x70);
    g_assert_true(is_rom(&bench));
    poke(&bench, 0, 0x40);
    poke(&bench, 0, 0x00);
    g_assert_cmphex(peek(&bench, 0), ==, 0x12);
    device_free((Device *)flash);
    bench_clear(&bench);
}

static void test_debug_port(void)
{
    Bench bench;
    int pipes[2];
    char text[64] = { 0 };

    bench_init(&bench);
    g_assert_cmpint(pipe(pipes), ==, 0);
    DebugPort *port = debug_port_new(&bench.env);
    bench_run(&bench, "i 402 ff"); /* nobody listens */
    log_init(&bench.log, 1U << LOG_FIRMWARE, pipes[1]);
    bench_run(&bench, "i 402 e9 o 402 48 o 402 1b o 402 69 o 402 d o 402 a");
    g_assert_cmpint(read(pipes[0], text, sizeof(text) - 1), >, 0);
    g_assert_cmpstr(text, ==, "insula: firmware: H?i\n");
    device_free((Device *)port);
    close(pipes[0]);
    close(pipes[1]);
    bench_clear(&bench);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ich9/power-management", test_power_management);
    g_test_add_func("/ich9/interrupt-routing", test_interrupt_routing);
    for (size_t i = 0; i < G_N_ELEMENTS(hpet_cases); i++) {
        g_test_add_data_func(hpet_cases[i].name, &hpet_cases[i], test_hpet);
    }
    g_test_add_func("/fw-cfg/ports", test_fw_cfg_ports);
    g_test_add_func("/fw-cfg/commands", test_fw_cfg_commands);
    g_test_add_func("/flash/commands", test_flash);
    g_test_add_func("/flash/buffer", test_flash_buffer);
    g_test_add_func("/flash/read-only", test_flash_read_only);
    g_test_add_func("/debug-port", test_debug_port);
    return g_test_run();
}
