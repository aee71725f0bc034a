/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VM of KVM: its file, capabilities, memory slots and interrupt messages.
 *
 * The interrupt chips are split: the kernel has the local APICs, the machine has the I/O APIC and
 * the 8259s.  Interrupts arrive as messages (KVM_SIGNAL_MSI).  The kernel tells us of the end of a
 * level-triggered one only if it stands in the routing table, so each such message is entered
 * there, in one of 24 places, before it is sent for the first time.
 *
 * Threads: vm_new and vm_free on one thread; msi and extint from any.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/bits.h"
#include "common/error.h"
#include "engine/kvm/internal.h"

/* Three pages and a fourth that KVM on Intel needs somewhere in the guest's physical space, out
 * of RAM and of the machine's registers: below the local APICs. */
#define IDENTITY_MAP_GPA UINT64_C(0xfeffc000)
#define TSS_GPA          UINT64_C(0xfeffd000)

enum { MSI_TRIGGER_LEVEL = 1 << 15 };

/* Capabilities without which there is no VM. */
static const struct {
    unsigned capability;
    const char *name;
} required[] = {
    { KVM_CAP_USER_MEMORY, "memory slots" },
    { KVM_CAP_IRQCHIP, "an interrupt chip in the kernel" },
    { KVM_CAP_SPLIT_IRQCHIP, "a split interrupt chip" },
    { KVM_CAP_SIGNAL_MSI, "interrupt messages" },
    { KVM_CAP_IRQ_ROUTING, "interrupt routing" },
    { KVM_CAP_IMMEDIATE_EXIT, "immediate exit" },
    { KVM_CAP_EXT_CPUID, "CPUID" },
    { KVM_CAP_VCPU_EVENTS, "vCPU events" },
    { KVM_CAP_DEBUGREGS, "debug registers" },
    { KVM_CAP_XSAVE, "XSAVE state" },
    { KVM_CAP_MP_STATE, "the activity state" },
    { KVM_CAP_GET_TSC_KHZ, "the frequency of the TSC" },
    { KVM_CAP_SET_TSS_ADDR, "a place for the TSS" },
    { KVM_CAP_SET_IDENTITY_MAP_ADDR, "a place for the identity map" },
};

/* And those without which something is less good. */
static const struct {
    unsigned capability;
    const char *loss;
    int mask; /* bits of the answer that count; 0: any */
} optional[KVM_OPTIONS] = {
    [KVM_OPTION_SREGS2] = { KVM_CAP_SREGS2, "PDPTRs are read from memory when state is saved" },
    [KVM_OPTION_PAYLOAD] = { KVM_CAP_EXCEPTION_PAYLOAD,
                             "CR2 and DR6 of an exception still to be delivered are set early" },
    [KVM_OPTION_X2APIC_API] = { KVM_CAP_X2APIC_API, "no vCPU above number 254" },
    [KVM_OPTION_READONLY_MEM] = { KVM_CAP_READONLY_MEM, "the guest can write its ROM" },
    [KVM_OPTION_TSC_CONTROL] = { KVM_CAP_TSC_CONTROL, "the guest's TSC runs as the host's" },
    [KVM_OPTION_TSC_DEADLINE] = { KVM_CAP_TSC_DEADLINE_TIMER, "no TSC-deadline timer" },
    [KVM_OPTION_KVMCLOCK] = { KVM_CAP_KVMCLOCK_CTRL,
                              "a guest may think after a pause that it hung" },
    [KVM_OPTION_ADJUST_CLOCK] = { KVM_CAP_ADJUST_CLOCK, "kvmclock doesn't stop while paused" },
    [KVM_OPTION_DEBUG] = { KVM_CAP_SET_GUEST_DEBUG, "no debugging" },
    [KVM_OPTION_BLOCK_IRQ] = { KVM_CAP_SET_GUEST_DEBUG2,
                               "a single step may end in an interrupt handler",
                               KVM_GUESTDBG_BLOCKIRQ },
};

int kvm_ioctl(int fd, unsigned long request, void *argument)
{
    int result;

    do {
        result = ioctl(fd, request, argument);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

static int ioctl_value(int fd, unsigned long request, unsigned long value)
{
    return kvm_ioctl(fd, request, (void *)value);
}

int kvm_open(char **ret_why)
{
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (fd >= 0) {
        int version = ioctl_value(fd, KVM_GET_API_VERSION, 0);
        if (version == KVM_API_VERSION) {
            return fd;
        }
        *ret_why = g_strdup_printf("/dev/kvm speaks version %d, not %d", version, KVM_API_VERSION);
        close(fd);
        return -1;
    }
    switch (errno) {
    case ENOENT:
        *ret_why = g_strdup("there is no /dev/kvm: the CPU lacks virtualization, or it is "
                            "switched off in the firmware, or module kvm is not loaded");
        break;
    case EACCES:
    case EPERM:
        *ret_why = g_strdup("no permission to open /dev/kvm: join group kvm "
                            "(sudo adduser $USER kvm) and log in again");
        break;
    default:
        *ret_why = g_strdup_printf("cannot open /dev/kvm: %s", g_strerror(errno));
    }
    return -1;
}

static bool check_capabilities(EngineVm *vm, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(required); i++) {
        if (ioctl_value(vm->fd, KVM_CHECK_EXTENSION, required[i].capability) <= 0) {
            set_error_code(error, INSULA_ERROR_HOST,
                           "this host's KVM is too old: it lacks %s (capability %u)",
                           required[i].name, required[i].capability);
            return false;
        }
    }
    for (unsigned i = 0; i < KVM_OPTIONS; i++) {
        int answer = ioctl_value(vm->fd, KVM_CHECK_EXTENSION, optional[i].capability);
        vm->option[i] = answer > 0 && (!optional[i].mask || (answer & optional[i].mask));
        if (!vm->option[i]) {
            log_line(vm->config.log, LOG_KVM, "no capability %u: %s", optional[i].capability,
                     optional[i].loss);
        }
    }
    return true;
}

/* Switch capability @number on; failure is reported and survived. */
static bool enable(EngineVm *vm, unsigned number, uint64_t argument)
{
    struct kvm_enable_cap cap = { .cap = number, .args = { argument } };
    int result = kvm_ioctl(vm->fd, KVM_ENABLE_CAP, &cap);

    if (result < 0) {
        log_line(vm->config.log, LOG_KVM, "cannot enable capability %u: %s", number,
                 g_strerror(-result));
    }
    return result >= 0;
}

static bool fail(GError **error, int result, const char *what)
{
    set_error_code(error, INSULA_ERROR_HOST, "KVM refuses %s: %s", what, g_strerror(-result));
    return false;
}

static bool set_up_chips(EngineVm *vm, GError **error)
{
    uint64_t identity = IDENTITY_MAP_GPA;
    int result = kvm_ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity);

    if (result < 0) {
        return fail(error, result, "a place for the identity map");
    }
    result = ioctl_value(vm->fd, KVM_SET_TSS_ADDR, TSS_GPA);
    if (result < 0) {
        return fail(error, result, "a place for the TSS");
    }
    if (!enable(vm, KVM_CAP_SPLIT_IRQCHIP, KVM_EOI_ROUTES)) {
        set_error_code(error, INSULA_ERROR_HOST, "KVM refuses a split interrupt chip");
        return false;
    }
    if (vm->option[KVM_OPTION_X2APIC_API]) {
        vm->option[KVM_OPTION_X2APIC_API] =
            enable(vm, KVM_CAP_X2APIC_API,
                   KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK);
    }
    if (vm->option[KVM_OPTION_PAYLOAD]) {
        vm->option[KVM_OPTION_PAYLOAD] = enable(vm, KVM_CAP_EXCEPTION_PAYLOAD, 1);
    }
    return true;
}

static int set_slot(EngineVm *vm, unsigned number, const RamRange *ram, uint64_t size)
{
    bool read_only = ram->read_only && vm->option[KVM_OPTION_READONLY_MEM];
    struct kvm_userspace_memory_region slot = {
        .slot = number,
        .flags = read_only && size ? KVM_MEM_READONLY : 0,
        .guest_phys_addr = ram->gpa,
        .memory_size = size,
        .userspace_addr = (uintptr_t)ram->hva,
    };

    return kvm_ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot);
}

static bool is_mapped_now(const EngineVm *vm, const RamRange *slot)
{
    RamRange ram;

    return gm_find_ram(vm->config.memory, slot->gpa, &ram) && ram.gpa == slot->gpa &&
           ram.size == slot->size && ram.hva == slot->hva && ram.read_only == slot->read_only;
}

static bool has_slot(const EngineVm *vm, const RamRange *ram)
{
    for (unsigned i = 0; i < KVM_SLOTS; i++) {
        if (vm->slot[i].size && vm->slot[i].gpa == ram->gpa) {
            return true; /* what differs has been removed already */
        }
    }
    return false;
}

/* A number that no slot has; all taken: KVM_SLOTS. */
static unsigned free_slot(const EngineVm *vm)
{
    unsigned i = 0;

    while (i < KVM_SLOTS && vm->slot[i].size) {
        i++;
    }
    return i;
}

/* Bring the kernel's slots in line with the map.  0, or -errno with *@ret_ram what it refuses. */
static int update_slots(EngineVm *vm, RamRange *ret_ram)
{
    RamRange ram;

    for (unsigned i = 0; i < KVM_SLOTS; i++) {
        if (vm->slot[i].size && !is_mapped_now(vm, &vm->slot[i])) {
            set_slot(vm, i, &vm->slot[i], 0);
            vm->slot[i].size = 0;
        }
    }
    for (uint64_t gpa = 0; gm_next_ram(vm->config.memory, gpa, &ram); gpa = ram.gpa + ram.size) {
        unsigned number = free_slot(vm);
        if (has_slot(vm, &ram)) {
            continue;
        }
        int result = number < KVM_SLOTS ? set_slot(vm, number, &ram, ram.size) : -ENOSPC;
        if (result < 0) {
            *ret_ram = ram;
            return result;
        }
        vm->slot[number] = ram;
    }
    return 0;
}

/* The map has changed, under its lock.  While a slot is away the guest's accesses leave the kernel,
 * and memory/ finds the RAM there. */
static void on_changed(void *opaque, uint64_t gpa, uint64_t len)
{
    EngineVm *vm = opaque;
    RamRange ram;
    int result = update_slots(vm, &ram);

    if (result < 0) {
        log_line(vm->config.log, LOG_KVM,
                 "cannot map memory at %" G_GINT64_MODIFIER "x: %s; accesses to it will be slow",
                 ram.gpa, g_strerror(-result));
    }
}

static bool map_memory(EngineVm *vm, GError **error)
{
    RamRange ram;
    int result = update_slots(vm, &ram);

    if (result < 0) {
        set_error_code(error, INSULA_ERROR_HOST,
                       "KVM refuses guest memory at %" G_GINT64_MODIFIER "x, %" G_GUINT64_FORMAT
                       " MiB: %s",
                       ram.gpa, ram.size >> 20, g_strerror(-result));
        return false;
    }
    gm_set_changed(vm->config.memory, on_changed, vm);
    return true;
}

static bool create(EngineVm *vm, GError **error)
{
    int result = ioctl_value(vm->kvm_fd, KVM_CREATE_VM, 0);

    if (result < 0) {
        return fail(error, result, "a new VM");
    }
    vm->fd = result;
    if (!check_capabilities(vm, error) || !set_up_chips(vm, error) || !map_memory(vm, error)) {
        return false;
    }
    result = ioctl_value(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (result < (int)sizeof(struct kvm_run)) {
        return fail(error, result < 0 ? result : -EINVAL, "to tell the size of a vCPU");
    }
    vm->run_size = (size_t)result;
    result = ioctl_value(vm->fd, KVM_CREATE_VCPU, 0);
    if (result < 0) {
        return fail(error, result, "a vCPU");
    }
    vm->vcpu0_fd = result;
    kvm_msrs_list(vm);
    return kvm_time_vm_init(vm, error);
}

EngineVm *kvm_vm_new(const EngineConfig *config, GError **error)
{
    g_autofree char *why = NULL;
    EngineVm *vm;

    g_assert(config->cpus >= 1 && config->cpus <= ENGINE_MAX_CPUS);
    if (!kvm_cpuid_model_known(config->cpu_model)) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "unknown CPU model '%s': see --cpu help for those there are",
                       config->cpu_model);
        return NULL;
    }
    if (config->tuning.check) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "engine 'kvm' has no second back end to check with: --check needs --engine "
                       "translator");
        return NULL;
    }
    vm = g_new0(EngineVm, 1);
    vm->config = *config;
    vm->fd = vm->vcpu0_fd = -1;
    g_mutex_init(&vm->routes_mutex);
    g_mutex_init(&vm->time_mutex);
    kvm_nudge_prepare();
    vm->kvm_fd = kvm_open(&why);
    if (vm->kvm_fd < 0) {
        set_error_code(error, INSULA_ERROR_HOST, "%s", why);
    } else if (create(vm, error)) {
        return vm;
    }
    kvm_vm_free(vm);
    return NULL;
}

void kvm_vm_free(EngineVm *vm)
{
    gm_set_changed(vm->config.memory, NULL, NULL);
    const int fds[] = { vm->vcpu0_fd, vm->fd, vm->kvm_fd };

    for (size_t i = 0; i < G_N_ELEMENTS(fds); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    g_mutex_clear(&vm->routes_mutex);
    g_mutex_clear(&vm->time_mutex);
    g_free(vm->msrs);
    g_free(vm);
}

uint64_t kvm_vm_tsc_khz(EngineVm *vm)
{
    return vm->tsc_khz;
}

static void write_routes(EngineVm *vm)
{
    g_autofree struct kvm_irq_routing *table =
        g_malloc0(sizeof(*table) + KVM_EOI_ROUTES * sizeof(table->entries[0]));

    for (unsigned i = 0; i < KVM_EOI_ROUTES; i++) {
        const KvmRoute *route = &vm->route[i];
        if (!route->used) {
            continue;
        }
        table->entries[table->nr++] = (struct kvm_irq_routing_entry){
            .gsi = i,
            .type = KVM_IRQ_ROUTING_MSI,
            .u.msi = { .address_lo = (uint32_t)route->address,
                       .address_hi = (uint32_t)(route->address >> 32),
                       .data = route->data },
        };
    }
    int result = kvm_ioctl(vm->fd, KVM_SET_GSI_ROUTING, table);
    if (result < 0) {
        log_line(vm->config.log, LOG_KVM, "cannot set interrupt routes: %s", g_strerror(-result));
    }
}

/* Have the kernel tell us when a vCPU ends this interrupt; the least recently used message gives
 * way to a new one. */
static void want_eoi(EngineVm *vm, uint64_t address, uint32_t data)
{
    KvmRoute *oldest = &vm->route[0];

    g_mutex_lock(&vm->routes_mutex);
    for (unsigned i = 0; i < KVM_EOI_ROUTES; i++) {
        KvmRoute *route = &vm->route[i];
        if (route->used && route->address == address && route->data == data) {
            route->last_use = ++vm->route_uses;
            g_mutex_unlock(&vm->routes_mutex);
            return;
        }
        if (route->last_use < oldest->last_use) {
            oldest = route;
        }
    }
    *oldest = (KvmRoute){ true, address, data, ++vm->route_uses };
    write_routes(vm);
    g_mutex_unlock(&vm->routes_mutex);
}

void kvm_vm_msi(EngineVm *vm, uint64_t address, uint32_t data)
{
    struct kvm_msi msi = { .address_lo = (uint32_t)address,
                           .address_hi = (uint32_t)(address >> 32),
                           .data = data };

    if (data & MSI_TRIGGER_LEVEL) {
        want_eoi(vm, address, data);
    }
    int result = kvm_ioctl(vm->fd, KVM_SIGNAL_MSI, &msi);
    if (log_on(vm->config.log, LOG_IRQ)) {
        log_line(vm->config.log, LOG_IRQ, "message %08" G_GINT64_MODIFIER "x %08x%s", address, data,
                 result > 0 ? "" : " reaches no vCPU");
    }
}

void kvm_vm_extint(EngineVm *vm, bool raised)
{
    if (__atomic_exchange_n(&vm->extint, raised, __ATOMIC_SEQ_CST) == raised || !raised) {
        return;
    }
    EngineVcpu *vcpu = __atomic_load_n(&vm->vcpu[0], __ATOMIC_SEQ_CST);
    if (vcpu) {
        kvm_vcpu_nudge(vcpu);
    }
}
