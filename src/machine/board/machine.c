/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all boards have in common, see machine.h: from the config to a board's parts, the engine
 * beneath them, reset, and the end.
 *
 * The only files of machine/ that see the engine are in this folder.  Devices reach it through
 * function pointers; those of an interrupt that comes before the engine exists go nowhere.
 *
 * Threads: as machine.h.
 */
#include "machine/machine.h"

#include <string.h>

#include "common/error.h"
#include "machine/board/board.h"
#include "machine/board/hotplug.h"
#include "machine/board/sata.h"
#include "machine/device/ahci.h"
#include "machine/device/e1000e.h"
#include "machine/virtio/blk.h"
#include "machine/virtio/net.h"

static const MachineBoard boards[] = {
    {
        .name = "micro",
        .summary = "direct kernel boot, virtio-mmio devices, no PCI",
        .min_memory = MICRO_MIN_MEMORY,
        .max_memory = MICRO_MAX_MEMORY,
        .max_cpus = ENGINE_MAX_CPUS,
        .max_disks = MICRO_MAX_DISKS,
        .max_nets = MICRO_MAX_NETS,
    },
    {
        .name = "pc",
        .summary = "a PC with PCI Express and firmware (Q35, ICH9)",
        .min_memory = PC_MIN_MEMORY,
        .max_memory = PC_MAX_MEMORY,
        .max_cpus = ENGINE_MAX_CPUS,
        .max_disks = PC_MAX_DISKS,
        .max_nets = PC_MAX_NETS,
        .max_sata = AHCI_PORTS,
    },
    { 0 },
};

/* In the same order. */
static const BoardOps *const board_ops[] = { &micro_board, &pc_board };

const MachineBoard *machine_boards(void)
{
    return boards;
}

static EngineVm *vm_of(const Machine *m)
{
    return __atomic_load_n(&m->vm, __ATOMIC_ACQUIRE);
}

/* --- wires --- */

static void set_isa_line(void *opaque, unsigned irq, bool level)
{
    enum { TIMER_PIN = 2 };
    Machine *m = opaque;

    pic_set_line(m->pic, irq, level);
    ioapic_set_line(m->ioapic, irq == 0 ? TIMER_PIN : irq, level);
}

IrqLine board_isa_irq(Machine *m, unsigned irq)
{
    return (IrqLine){ .set = set_isa_line, .opaque = m, .pin = irq };
}

static void set_intr(void *opaque, unsigned pin, bool level)
{
    const Machine *m = opaque;
    EngineVm *vm = vm_of(m);

    if (vm) {
        m->engine->vm_extint(vm, level);
    }
}

IrqLine board_intr(Machine *m)
{
    return (IrqLine){ .set = set_intr, .opaque = m };
}

static void send_msi(void *opaque, uint64_t address, uint32_t data)
{
    const Machine *m = opaque;
    EngineVm *vm = vm_of(m);

    if (vm) {
        m->engine->vm_msi(vm, address, data);
    }
}

MsiTarget board_msi_target(Machine *m)
{
    return (MsiTarget){ .send = send_msi, .opaque = m };
}

static void set_shared_line(void *opaque, unsigned pin, bool level)
{
    const Machine *m = opaque;

    ioapic_set_line(m->ioapic, pin, level);
}

static int on_extint_ack(void *opaque)
{
    const Machine *m = opaque;

    return pic_ack(m->pic);
}

static void on_ioapic_eoi(void *opaque, uint8_t vector)
{
    const Machine *m = opaque;

    ioapic_eoi(m->ioapic, vector);
}

static void on_power(void *opaque, MachinePower what, uint8_t value)
{
    const Machine *m = opaque;

    if (m->events.power) {
        m->events.power(m->events.opaque, what, value);
    }
}

/* --- building --- */

void *board_add(Machine *m, void *device)
{
    g_ptr_array_add(m->devices, device);
    return device;
}

VirtioDev *board_add_disk(Machine *m, const VirtioSlot *slot, const MachineDisk *disk,
                          const char *serial)
{
    VirtioDev *dev = virtio_blk_new(slot, disk->blk, disk->serial ? disk->serial : serial,
                                    disk->queues ? disk->queues : m->disk_queues);

    virtio_blk_on_errors(dev, disk->on_read_error, disk->on_write_error, &m->events);
    return board_add(m, dev);
}

static void on_disks_done(void *opaque, unsigned events)
{
    Machine *m = opaque;

    blk_aio_run(m->aio);
}

/* Have the I/O thread go on with requests that have ended. */
static void watch_disks(Machine *m, BlkAio *aio)
{
    int fds[BLK_AIO_FDS];

    m->aio = aio;
    for (unsigned i = 0, n = aio ? blk_aio_fds(aio, fds) : 0; i < n; i++) {
        m->disk_watches[i] = io_watch_new(m->io, fds[i], on_disks_done, m);
        io_watch_set(m->disk_watches[i], IO_READ);
    }
}

void machine_retry_disks(Machine *m)
{
    for (unsigned i = 0; i < m->devices->len; i++) {
        Device *device = g_ptr_array_index(m->devices, i);
        if (device->class == &virtio_blk_class.device) {
            virtio_blk_retry(container_of(device, VirtioDev, device));
        }
    }
    board_retry_sata(m);
}

static bool usage_error(GError **error, const char *text)
{
    set_error_code(error, INSULA_ERROR_USAGE, "%s", text);
    return false;
}

/* The index of the board that @name means. */
static bool find_board(const char *name, unsigned *ret_index, GError **error)
{
    g_autoptr(GString) known = g_string_new(NULL);

    for (unsigned i = 0; boards[i].name; i++) {
        if (!name || !strcmp(boards[i].name, name)) {
            *ret_index = i;
            return true;
        }
        g_string_append_printf(known, "%s%s", i ? ", " : "", boards[i].name);
    }
    set_error_code(error, INSULA_ERROR_USAGE, "unknown machine '%s': there are %s", name,
                   known->str);
    return false;
}

static bool check_sata(const MachineBoard *board, const MachineConfig *config, GError **error)
{
    unsigned sata = 0;

    for (size_t i = 0; i < config->n_disks; i++) {
        sata += config->disks[i].kind != MACHINE_DISK_VIRTIO;
    }
    if (sata && !board->max_sata) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "machine '%s' has no SATA disks or CD-ROMs; machine 'pc' has", board->name);
        return false;
    }
    if (sata > board->max_sata) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "machine '%s' takes up to %u SATA disks and CD-ROMs, not %u", board->name,
                       board->max_sata, sata);
        return false;
    }
    return true;
}

/* Numbers that can't be, whatever the board's parts are. */
static bool check(const MachineBoard *board, const MachineConfig *config, GError **error)
{
    if (config->cpus < 1 || config->cpus > board->max_cpus) {
        set_error_code(error, INSULA_ERROR_USAGE, "machine '%s' takes 1 to %u CPUs, not %u",
                       board->name, board->max_cpus, config->cpus);
        return false;
    }
    if (config->memory_size < board->min_memory || config->memory_size > board->max_memory) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "machine '%s' takes %" G_GUINT64_FORMAT " MiB to %" G_GUINT64_FORMAT
                       " GiB of memory, not %" G_GUINT64_FORMAT " MiB",
                       board->name, board->min_memory >> 20, board->max_memory >> 30,
                       config->memory_size >> 20);
        return false;
    }
    if (config->memory_size % 4096) {
        return usage_error(error, "the memory size must be a multiple of 4 KiB");
    }
    if (config->n_disks > board->max_disks) {
        set_error_code(error, INSULA_ERROR_USAGE, "machine '%s' takes up to %u disks, not %zu",
                       board->name, board->max_disks, config->n_disks);
        return false;
    }
    if (!check_sata(board, config, error)) {
        return false;
    }
    if (config->n_nets > board->max_nets) {
        set_error_code(error, INSULA_ERROR_USAGE, "machine '%s' takes up to %u networks, not %zu",
                       board->name, board->max_nets, config->n_nets);
        return false;
    }
    return true;
}

static bool add_engine(Machine *m, const MachineConfig *config, GError **error)
{
    EngineConfig engine_config = {
        .memory = m->memory,
        .clock = config->clock,
        .log = config->log,
        .hooks = { .opaque = m, .extint_ack = on_extint_ack, .ioapic_eoi = on_ioapic_eoi },
        .cpus = config->cpus,
        .cpu_model = config->cpu_model,
        .tsc_khz = config->tsc_khz,
        .tuning = config->tuning ? *config->tuning : (EngineTuning){ 0 },
    };
    EngineVm *vm = m->engine->vm_new(&engine_config, error);

    if (!vm) {
        return false;
    }
    __atomic_store_n(&m->vm, vm, __ATOMIC_RELEASE);
    m->reset_states = g_new0(X86State, config->cpus);
    for (unsigned i = 0; i < config->cpus; i++) {
        m->vcpus[i] = m->engine->vcpu_new(vm, i, error);
        if (!m->vcpus[i]) {
            return false;
        }
        m->cpus++;
        if (!m->engine->vcpu_get_state(m->vcpus[i], &m->reset_states[i], error)) {
            return false;
        }
    }
    return true;
}

/* Load tables and kernel, and have the first CPU enter it; the others wait as firmware
 * leaves them. */
static bool load(Machine *m, GError **error)
{
    BootEntry entry;

    if (m->ops->prepare) {
        m->ops->prepare(m);
    }
    if (!m->boot) {
        return true;
    }
    gm_write(m->memory, m->map.rsdp, m->acpi->data, m->acpi->len);
    if (!boot_load(m->boot, m->memory, &m->map, &entry, error)) {
        return false;
    }
    log_line(m->env.log, LOG_BOOT,
             "%u-bit entry at %" G_GINT64_MODIFIER "x, rsi %" G_GINT64_MODIFIER
             "x, rbx %" G_GINT64_MODIFIER "x",
             entry.long_mode ? 64 : 32, entry.rip, entry.rsi, entry.rbx);
    g_autofree X86State *state = g_new(X86State, 1);
    for (unsigned i = 1; i < m->cpus; i++) {
        *state = m->reset_states[i];
        board_set_memory_types(state);
        if (!m->engine->vcpu_set_state(m->vcpus[i], state, error)) {
            return false;
        }
    }
    *state = m->reset_states[0];
    board_enter(state, &entry);
    return m->engine->vcpu_set_state(m->vcpus[0], state, error);
}

static void reset_devices(Machine *m)
{
    for (guint i = 0; i < m->devices->len; i++) {
        device_reset(g_ptr_array_index(m->devices, i));
    }
}

Machine *machine_new(const MachineConfig *given, GError **error)
{
    MachineConfig with_firmware = *given;
    const MachineConfig *config = &with_firmware;
    unsigned board;

    if (!given->firmware) {
        with_firmware.firmware = given->kernel ? "none" : "bios";
    }
    if (!find_board(config->board, &board, error) || !check(&boards[board], config, error)) {
        return NULL;
    }
    g_autoptr(Machine) m = g_new0(Machine, 1);
    m->board = &boards[board];
    m->ops = board_ops[board];
    m->engine = config->engine;
    m->memory = gm_new();
    m->env = (DeviceEnv){ .memory = m->memory, .clock = config->clock, .log = config->log };
    m->events = config->events;
    m->power = (MachineEvents){ .opaque = m, .power = on_power };
    m->io = io_thread_new_held();
    m->disk_queues = config->cpus;
    watch_disks(m, config->aio);
    m->devices = g_ptr_array_new();
    for (unsigned i = 0; i < BOARD_SHARED_LINES; i++) {
        irq_merge_init(&m->shared[i], (IrqLine){ set_shared_line, m, 16 + i });
    }
    if (!m->ops->build(m, config, error)) {
        return NULL;
    }
    if (!add_engine(m, config, error)) {
        return NULL;
    }
    reset_devices(m);
    if (!config->restore && !load(m, error)) {
        return NULL;
    }
    return g_steal_pointer(&m);
}

void machine_start(Machine *m)
{
    io_thread_start(m->io, "io-0");
}

bool machine_reset(Machine *m, GError **error)
{
    if (m->kernel_unknown) {
        set_error(error, "the guest resets, but the kernel that it began with isn't known: name it "
                         "with --kernel when you restore");
        return false;
    }
    reset_devices(m);
    for (unsigned i = 0; i < m->cpus; i++) {
        if (!m->engine->vcpu_set_state(m->vcpus[i], &m->reset_states[i], error)) {
            return false;
        }
    }
    return load(m, error);
}

void machine_free(Machine *m)
{
    if (!m) {
        return;
    }
    /* the last made goes first: interrupt chips outlive what drives their lines */
    for (guint i = m->devices->len; i > 0; i--) {
        device_free(g_ptr_array_index(m->devices, i - 1));
    }
    g_ptr_array_free(m->devices, TRUE);
    hotplug_free(m);
    if (m->ops->destroy) {
        m->ops->destroy(m);
    }
    for (unsigned i = 0; i < m->cpus; i++) {
        m->engine->vcpu_free(m->vcpus[i]);
    }
    if (m->vm) {
        m->engine->vm_free(m->vm);
    }
    for (unsigned i = 0; i < BOARD_SHARED_LINES; i++) {
        irq_merge_clear(&m->shared[i]);
    }
    for (unsigned i = 0; i < BLK_AIO_FDS; i++) {
        io_watch_free(m->disk_watches[i]);
    }
    io_thread_free(m->io);
    boot_image_free(m->boot);
    if (m->acpi) {
        g_byte_array_free(m->acpi, TRUE);
    }
    g_free(m->reset_states);
    gm_free(m->memory);
    g_free(m);
}

void machine_set_links(Machine *m, bool up)
{
    for (guint i = 0; i < m->devices->len; i++) {
        Device *device = g_ptr_array_index(m->devices, i);
        if (device->class == &virtio_net_class.device) {
            virtio_net_set_link(container_of(device, VirtioDev, device), up);
        } else if (device->class == &e1000e_class.device) {
            e1000e_set_link((E1000e *)device, up);
        }
    }
}

bool machine_links_known(Machine *m)
{
    bool known = true;

    for (guint i = 0; i < m->devices->len; i++) {
        Device *device = g_ptr_array_index(m->devices, i);
        if (device->class == &virtio_net_class.device) {
            known &= virtio_dev_config_known(container_of(device, VirtioDev, device));
        } else if (device->class == &e1000e_class.device) {
            known &= e1000e_link_known((E1000e *)device);
        }
    }
    return known;
}

void machine_power_button(Machine *m)
{
    acpi_pm_power_button(m->pm);
}

const Engine *machine_engine(const Machine *m)
{
    return m->engine;
}

EngineVm *machine_engine_vm(const Machine *m)
{
    return vm_of(m);
}

unsigned machine_cpus(const Machine *m)
{
    return m->cpus;
}

EngineVcpu *machine_vcpu(const Machine *m, unsigned index)
{
    g_assert(index < m->cpus);
    return m->vcpus[index];
}

GuestMemory *machine_memory(const Machine *m)
{
    return m->memory;
}
