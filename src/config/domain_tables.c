/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shapes of a domain but for its devices, see domain_tables.h.
 *
 * Threads: constant.
 */
#include "config/domain_tables.h"

#include <string.h>

#include "config/domain.h"
#include "config/limits.h"

static bool check_vcpu(const XmlNode *node, const void *what, GError **error);
static bool check_cpu(const XmlNode *node, const void *what, GError **error);
static bool check_loader(const XmlNode *node, const void *what, GError **error);
static bool check_os(const XmlNode *node, const void *what, GError **error);
static bool check_features(const XmlNode *node, const void *what, GError **error);

/* --- vCPUs, memory, CPU --- */

static const char *const placements[] = { "", "static", NULL };

static const XmlRow vcpu_rows[] = {
    { ROW_ATTRIBUTE, "placement", ROW_WORD, offsetof(DomainVcpu, placement), .words = placements },
    { ROW_ATTRIBUTE, "cpuset", ROW_REFUSED, 0, .note = "vCPUs are not pinned" },
    { ROW_ATTRIBUTE, "current", ROW_NUMBER, offsetof(DomainVcpu, current), .min = 1, .max = 4096 },
    { ROW_CONTENT, NULL, ROW_NUMBER, offsetof(DomainVcpu, count), .flags = ROW_REQUIRED, .min = 1,
      .max = 4096 },
    { 0 },
};
static const XmlShape vcpu_shape = { sizeof(DomainVcpu), vcpu_rows, .check = check_vcpu };

static const char *const cpu_modes[] = { "",        "custom", "host-model", "host-passthrough",
                                         "maximum", NULL };

static const XmlRow cpu_model_rows[] = {
    { ROW_ATTRIBUTE, "fallback", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "vendor_id", ROW_KEPT, 0 },
    { ROW_CONTENT, NULL, ROW_TEXT, offsetof(DomainCpuModel, name) },
    { 0 },
};
static const XmlShape cpu_model_shape = { sizeof(DomainCpuModel), cpu_model_rows };

static const XmlRow topology_rows[] = {
    { ROW_ATTRIBUTE, "sockets", ROW_NUMBER, offsetof(DomainCpuTopology, sockets), .min = 1,
      .max = 4096 },
    { ROW_ATTRIBUTE, "dies", ROW_NUMBER, offsetof(DomainCpuTopology, dies), .min = 1, .max = 4096 },
    { ROW_ATTRIBUTE, "clusters", ROW_NUMBER, offsetof(DomainCpuTopology, clusters), .min = 1,
      .max = 1 },
    { ROW_ATTRIBUTE, "cores", ROW_NUMBER, offsetof(DomainCpuTopology, cores), .min = 1,
      .max = 4096 },
    { ROW_ATTRIBUTE, "threads", ROW_NUMBER, offsetof(DomainCpuTopology, threads), .min = 1,
      .max = 4096 },
    { 0 },
};
static const XmlShape topology_shape = { sizeof(DomainCpuTopology), topology_rows };

static const XmlRow cpu_rows[] = {
    { ROW_ATTRIBUTE, "mode", ROW_WORD, offsetof(DomainCpu, mode), .words = cpu_modes },
    { ROW_ATTRIBUTE, "match", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "check", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "migratable", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "deprecated_features", ROW_KEPT, 0 },
    { ROW_ELEMENT, "model", ROW_ONE, offsetof(DomainCpu, model), .shape = &cpu_model_shape },
    { ROW_ELEMENT, "vendor", ROW_KEPT, 0 },
    { ROW_ELEMENT, "topology", ROW_ONE, offsetof(DomainCpu, topology), .shape = &topology_shape,
      .note = "kept: each vCPU is a socket" },
    { ROW_ELEMENT, "cache", ROW_KEPT, 0 },
    { ROW_ELEMENT, "maxphysaddr", ROW_KEPT, 0 },
    { ROW_ELEMENT, "feature", ROW_REFUSED, 0,
      .note = "features of the CPU are not chosen one by one: choose a model" },
    { ROW_ELEMENT, "numa", ROW_REFUSED, 0, .note = "there is one node of memory" },
    { 0 },
};
static const XmlShape cpu_shape = { sizeof(DomainCpu), cpu_rows, .check = check_cpu };

static const XmlRow backing_rows[] = {
    { ROW_ELEMENT, "hugepages", ROW_REFUSED, 0, .note = "memory has pages as the host gives them" },
    { ROW_ELEMENT, "nosharepages", ROW_KEPT },
    { ROW_ELEMENT, "locked", ROW_REFUSED, 0, .note = "memory is not locked" },
    { ROW_ELEMENT, "source", ROW_KEPT },
    { ROW_ELEMENT, "access", ROW_KEPT },
    { ROW_ELEMENT, "allocation", ROW_KEPT },
    { ROW_ELEMENT, "discard", ROW_KEPT },
    { 0 },
};
static const XmlShape backing_shape = { sizeof(DomainMemoryBacking), backing_rows };

/* --- what it starts --- */

static const char *const os_types[] = { "", "hvm", NULL };
static const char *const firmwares[] = { "", "bios", "efi", NULL };
static const char *const loader_types[] = { "", "rom", "pflash", NULL };
static const char *const boot_devs[] = { "", "hd", "cdrom", "network", NULL };

static const XmlRow os_type_rows[] = {
    { ROW_ATTRIBUTE, "arch", ROW_TEXT, offsetof(DomainOsType, arch) },
    { ROW_ATTRIBUTE, "machine", ROW_TEXT, offsetof(DomainOsType, machine) },
    { ROW_CONTENT, NULL, ROW_WORD, offsetof(DomainOsType, type), .words = os_types,
      .flags = ROW_REQUIRED },
    { 0 },
};
static const XmlShape os_type_shape = { sizeof(DomainOsType), os_type_rows };

static const XmlRow loader_rows[] = {
    { ROW_ATTRIBUTE, "readonly", ROW_YES, offsetof(DomainLoader, readonly) },
    { ROW_ATTRIBUTE, "secure", ROW_YES, offsetof(DomainLoader, secure) },
    { ROW_ATTRIBUTE, "type", ROW_WORD, offsetof(DomainLoader, type), .words = loader_types },
    { ROW_ATTRIBUTE, "stateless", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "format", ROW_KEPT, 0 },
    { ROW_CONTENT, NULL, ROW_TEXT, offsetof(DomainLoader, path) },
    { 0 },
};
static const XmlShape loader_shape = { sizeof(DomainLoader), loader_rows, .check = check_loader };

static const XmlRow nvram_rows[] = {
    { ROW_ATTRIBUTE, "template", ROW_TEXT, offsetof(DomainNvram, template) },
    { ROW_ATTRIBUTE, "templateFormat", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "type", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "format", ROW_KEPT, 0 },
    { ROW_CONTENT, NULL, ROW_TEXT, offsetof(DomainNvram, path) },
    { 0 },
};
static const XmlShape nvram_shape = { sizeof(DomainNvram), nvram_rows };

static const XmlRow boot_rows[] = {
    { ROW_ATTRIBUTE, "dev", ROW_WORD, offsetof(DomainBoot, dev), .words = boot_devs,
      .flags = ROW_REQUIRED },
    { 0 },
};
static const XmlShape boot_shape = { sizeof(DomainBoot), boot_rows };

static const XmlRow os_rows[] = {
    { ROW_ATTRIBUTE, "firmware", ROW_WORD, offsetof(DomainOs, firmware), .words = firmwares },
    { ROW_ELEMENT, "type", ROW_ONE, offsetof(DomainOs, type), .shape = &os_type_shape,
      .flags = ROW_REQUIRED },
    { ROW_ELEMENT, "init", ROW_REFUSED, 0, .note = "there are no containers" },
    { ROW_ELEMENT, "initarg", ROW_REFUSED, 0, .note = "there are no containers" },
    { ROW_ELEMENT, "initenv", ROW_REFUSED, 0, .note = "there are no containers" },
    { ROW_ELEMENT, "initdir", ROW_REFUSED, 0, .note = "there are no containers" },
    { ROW_ELEMENT, "inituser", ROW_REFUSED, 0, .note = "there are no containers" },
    { ROW_ELEMENT, "initgroup", ROW_REFUSED, 0, .note = "there are no containers" },
    { ROW_ELEMENT, "firmware", ROW_KEPT, 0, .note = "firmware without Secure Boot is found" },
    { ROW_ELEMENT, "loader", ROW_ONE, offsetof(DomainOs, loader), .shape = &loader_shape },
    { ROW_ELEMENT, "nvram", ROW_ONE, offsetof(DomainOs, nvram), .shape = &nvram_shape },
    { ROW_ELEMENT, "kernel", ROW_TEXT, offsetof(DomainOs, kernel) },
    { ROW_ELEMENT, "initrd", ROW_TEXT, offsetof(DomainOs, initrd) },
    { ROW_ELEMENT, "cmdline", ROW_TEXT, offsetof(DomainOs, cmdline) },
    { ROW_ELEMENT, "dtb", ROW_REFUSED, 0, .note = "the board makes its own" },
    { ROW_ELEMENT, "acpi", ROW_REFUSED, 0, .note = "the board makes its own" },
    { ROW_ELEMENT, "root", ROW_REFUSED, 0, .note = "there is no Xen" },
    { ROW_ELEMENT, "boot", ROW_MANY, offsetof(DomainOs, boot), .shape = &boot_shape },
    { ROW_ELEMENT, "bootmenu", ROW_KEPT, 0 },
    { ROW_ELEMENT, "bios", ROW_KEPT, 0 },
    { ROW_ELEMENT, "smbios", ROW_KEPT, 0 },
    { 0 },
};
static const XmlShape os_shape = { sizeof(DomainOs), os_rows, .check = check_os };

/* --- features and clocks --- */

static const char *const clock_offsets[] = { "", "utc", NULL };

static const XmlRow features_rows[] = {
    { ROW_ELEMENT, "acpi", ROW_FLAG, offsetof(DomainFeatures, acpi) },
    { ROW_ELEMENT, "apic", ROW_KEPT, 0 },
    { ROW_ELEMENT, "pae", ROW_KEPT, 0 },
    { ROW_ELEMENT, "hap", ROW_KEPT, 0 },
    { ROW_ELEMENT, "viridian", ROW_KEPT, 0 },
    { ROW_ELEMENT, "privnet", ROW_KEPT, 0 },
    { ROW_ELEMENT, "hyperv", ROW_KEPT, 0 },
    { ROW_ELEMENT, "kvm", ROW_KEPT, 0 },
    { ROW_ELEMENT, "pvspinlock", ROW_KEPT, 0 },
    { ROW_ELEMENT, "pmu", ROW_KEPT, 0 },
    { ROW_ELEMENT, "vmport", ROW_KEPT, 0 },
    { ROW_ELEMENT, "ioapic", ROW_KEPT, 0 },
    { ROW_ELEMENT, "smm", ROW_KEPT, 0, .note = "there is none: on is refused" },
    { ROW_ELEMENT, "gic", ROW_REFUSED, 0, .note = "an x86 PC has no such thing" },
    { ROW_ELEMENT, "hpt", ROW_REFUSED, 0, .note = "an x86 PC has no such thing" },
    { ROW_ELEMENT, "htm", ROW_REFUSED, 0, .note = "an x86 PC has no such thing" },
    { ROW_ELEMENT, "nested-hv", ROW_REFUSED, 0, .note = "an x86 PC has no such thing" },
    { ROW_ELEMENT, "cfpc", ROW_REFUSED, 0, .note = "an x86 PC has no such thing" },
    { ROW_ELEMENT, "sbbc", ROW_REFUSED, 0, .note = "an x86 PC has no such thing" },
    { ROW_ELEMENT, "ibs", ROW_REFUSED, 0, .note = "an x86 PC has no such thing" },
    { ROW_ELEMENT, "ccf-assist", ROW_REFUSED, 0, .note = "an x86 PC has no such thing" },
    { ROW_ELEMENT, "capabilities", ROW_REFUSED, 0, .note = "an x86 PC has no such thing" },
    { ROW_ELEMENT, "xen", ROW_REFUSED, 0, .note = "an x86 PC has no such thing" },
    { ROW_ELEMENT, "tcg", ROW_REFUSED, 0, .note = "an x86 PC has no such thing" },
    { ROW_ELEMENT, "async-teardown", ROW_REFUSED, 0, .note = "an x86 PC has no such thing" },
    { ROW_ELEMENT, "msrs", ROW_REFUSED, 0, .note = "an x86 PC has no such thing" },
    { ROW_ELEMENT, "vmcoreinfo", ROW_REFUSED, 0, .note = "an x86 PC has no such thing" },
    { 0 },
};
static const XmlShape features_shape = { sizeof(DomainFeatures), features_rows,
                                         .check = check_features };

static const XmlRow clock_rows[] = {
    { ROW_ATTRIBUTE, "offset", ROW_WORD, offsetof(DomainClock, offset), .words = clock_offsets },
    { ROW_ATTRIBUTE, "basis", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "start", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "adjustment", ROW_REFUSED, 0, .note = "the clock shows UTC" },
    { ROW_ATTRIBUTE, "timezone", ROW_REFUSED, 0, .note = "the clock shows UTC" },
    { ROW_ELEMENT, "timer", ROW_KEPT, 0, .note = "all timers of a PC are there" },
    { 0 },
};
static const XmlShape clock_shape = { sizeof(DomainClock), clock_rows };

/* --- the domain --- */

static const char *const types[] = { "", "qemu", "kvm", NULL };
static const char *const actions[] = {
    "",  "destroy", "restart", "preserve", "rename-restart", "coredump-destroy", "coredump-restart",
    NULL
};

static const XmlRow devices_rows[] = {
    { ROW_ELEMENT, "emulator", ROW_TEXT, offsetof(DomainConfig, emulator),
      .note = "any; the program is Insula's" },
    { ROW_ELEMENT, "disk", ROW_MANY, offsetof(DomainConfig, disks), .shape = &domain_disk_shape },
    { ROW_ELEMENT, "controller", ROW_MANY, offsetof(DomainConfig, controllers),
      .shape = &domain_controller_shape },
    { ROW_ELEMENT, "lease", ROW_REFUSED, 0, .note = "there is no such device yet" },
    { ROW_ELEMENT, "filesystem", ROW_REFUSED, 0, .note = "there is no such device yet" },
    { ROW_ELEMENT, "interface", ROW_MANY, offsetof(DomainConfig, interfaces),
      .shape = &domain_interface_shape },
    { ROW_ELEMENT, "smartcard", ROW_REFUSED, 0, .note = "there is no such device" },
    { ROW_ELEMENT, "serial", ROW_MANY, offsetof(DomainConfig, serials),
      .shape = &domain_serial_shape },
    { ROW_ELEMENT, "parallel", ROW_REFUSED, 0, .note = "there is no such device" },
    { ROW_ELEMENT, "console", ROW_MANY, offsetof(DomainConfig, consoles),
      .shape = &domain_console_shape },
    { ROW_ELEMENT, "channel", ROW_MANY, offsetof(DomainConfig, channels),
      .shape = &domain_channel_shape },
    { ROW_ELEMENT, "input", ROW_MANY, offsetof(DomainConfig, inputs),
      .shape = &domain_input_shape },
    { ROW_ELEMENT, "tpm", ROW_REFUSED, 0, .note = "there is no TPM yet" },
    { ROW_ELEMENT, "graphics", ROW_MANY, offsetof(DomainConfig, graphics),
      .shape = &domain_graphics_shape },
    { ROW_ELEMENT, "sound", ROW_MANY, offsetof(DomainConfig, sounds),
      .shape = &domain_sound_shape },
    { ROW_ELEMENT, "audio", ROW_KEPT, 0 },
    { ROW_ELEMENT, "video", ROW_MANY, offsetof(DomainConfig, videos),
      .shape = &domain_video_shape },
    { ROW_ELEMENT, "hostdev", ROW_REFUSED, 0,
      .note = "devices of the host are not passed through" },
    { ROW_ELEMENT, "redirdev", ROW_MANY, offsetof(DomainConfig, redirdevs),
      .shape = &domain_redirdev_shape },
    { ROW_ELEMENT, "redirfilter", ROW_KEPT, 0 },
    { ROW_ELEMENT, "hub", ROW_MANY, offsetof(DomainConfig, hubs), .shape = &domain_hub_shape },
    { ROW_ELEMENT, "watchdog", ROW_MANY, offsetof(DomainConfig, watchdogs),
      .shape = &domain_watchdog_shape },
    { ROW_ELEMENT, "memballoon", ROW_ONE, offsetof(DomainConfig, balloon),
      .shape = &domain_balloon_shape },
    { ROW_ELEMENT, "rng", ROW_MANY, offsetof(DomainConfig, rngs), .shape = &domain_rng_shape },
    { ROW_ELEMENT, "nvram", ROW_REFUSED, 0, .note = "there is no such device" },
    { ROW_ELEMENT, "panic", ROW_MANY, offsetof(DomainConfig, panics),
      .shape = &domain_panic_shape },
    { ROW_ELEMENT, "shmem", ROW_REFUSED, 0, .note = "there is no such device yet" },
    { ROW_ELEMENT, "memory", ROW_REFUSED, 0, .note = "there is no such device yet" },
    { ROW_ELEMENT, "iommu", ROW_REFUSED, 0, .note = "there is no such device yet" },
    { ROW_ELEMENT, "vsock", ROW_REFUSED, 0, .note = "there is no such device yet" },
    { ROW_ELEMENT, "crypto", ROW_REFUSED, 0, .note = "there is no such device yet" },
    { ROW_ELEMENT, "pstore", ROW_REFUSED, 0, .note = "there is no such device yet" },
    { 0 },
};
static const XmlShape devices_shape = { sizeof(DomainConfig), devices_rows };

static const XmlRow domain_rows[] = {
    { ROW_ATTRIBUTE, "type", ROW_WORD, offsetof(DomainConfig, type), .words = types,
      .flags = ROW_REQUIRED },
    { ROW_ATTRIBUTE, "id", ROW_NUMBER, offsetof(DomainConfig, id), .flags = ROW_LIVE, .min = 0,
      .max = 2147483647 },
    { ROW_ELEMENT, "name", ROW_NAME, offsetof(DomainConfig, name), .flags = ROW_REQUIRED },
    { ROW_ELEMENT, "uuid", ROW_UUID, offsetof(DomainConfig, uuid) },
    { ROW_ELEMENT, "hwuuid", ROW_KEPT, 0 },
    { ROW_ELEMENT, "genid", ROW_REFUSED, 0, .note = "there is no generation id yet" },
    { ROW_ELEMENT, "title", ROW_TEXT, offsetof(DomainConfig, title) },
    { ROW_ELEMENT, "description", ROW_TEXT, offsetof(DomainConfig, description) },
    { ROW_ELEMENT, "metadata", ROW_RAW, offsetof(DomainConfig, metadata), .note = "byte for byte" },
    { ROW_ELEMENT, "maxMemory", ROW_REFUSED, 0, .note = "memory is not plugged in" },
    { ROW_ELEMENT, "memory", ROW_SIZE, offsetof(DomainConfig, memory), .flags = ROW_REQUIRED,
      .max = (int64_t)CONFIG_MEMORY_MAX },
    { ROW_ELEMENT, "currentMemory", ROW_SIZE, offsetof(DomainConfig, current_memory),
      .max = (int64_t)CONFIG_MEMORY_MAX },
    { ROW_ELEMENT, "blkiotune", ROW_REFUSED, 0, .note = "there are no such limits yet" },
    { ROW_ELEMENT, "memtune", ROW_REFUSED, 0, .note = "there are no such limits yet" },
    { ROW_ELEMENT, "memoryBacking", ROW_ONE, offsetof(DomainConfig, memory_backing),
      .shape = &backing_shape },
    { ROW_ELEMENT, "vcpu", ROW_ONE, offsetof(DomainConfig, vcpu), .shape = &vcpu_shape },
    { ROW_ELEMENT, "vcpus", ROW_KEPT, 0 },
    { ROW_ELEMENT, "iothreads", ROW_KEPT, 0, .note = "Insula has its own" },
    { ROW_ELEMENT, "iothreadids", ROW_KEPT, 0, .note = "Insula has its own" },
    { ROW_ELEMENT, "cputune", ROW_REFUSED, 0, .note = "there are no such limits yet" },
    { ROW_ELEMENT, "numatune", ROW_REFUSED, 0, .note = "there are no such limits yet" },
    { ROW_ELEMENT, "resource", ROW_KEPT, 0 },
    { ROW_ELEMENT, "sysinfo", ROW_KEPT, 0 },
    { ROW_ELEMENT, "bootloader", ROW_REFUSED, 0, .note = "there is no Xen" },
    { ROW_ELEMENT, "bootloader_args", ROW_REFUSED, 0, .note = "there is no Xen" },
    { ROW_ELEMENT, "os", ROW_ONE, offsetof(DomainConfig, os), .shape = &os_shape,
      .flags = ROW_REQUIRED },
    { ROW_ELEMENT, "idmap", ROW_REFUSED, 0, .note = "there are no containers" },
    { ROW_ELEMENT, "features", ROW_ONE, offsetof(DomainConfig, features),
      .shape = &features_shape },
    { ROW_ELEMENT, "cpu", ROW_ONE, offsetof(DomainConfig, cpu), .shape = &cpu_shape },
    { ROW_ELEMENT, "clock", ROW_ONE, offsetof(DomainConfig, clock), .shape = &clock_shape },
    { ROW_ELEMENT, "on_poweroff", ROW_WORD, offsetof(DomainConfig, on_poweroff), .words = actions },
    { ROW_ELEMENT, "on_reboot", ROW_WORD, offsetof(DomainConfig, on_reboot), .words = actions },
    { ROW_ELEMENT, "on_crash", ROW_WORD, offsetof(DomainConfig, on_crash), .words = actions },
    { ROW_ELEMENT, "on_lockfailure", ROW_KEPT, 0 },
    { ROW_ELEMENT, "pm", ROW_KEPT, 0 },
    { ROW_ELEMENT, "perf", ROW_KEPT, 0 },
    { ROW_ELEMENT, "devices", ROW_SAME, 0, ROW_ALWAYS, .shape = &devices_shape },
    { ROW_ELEMENT, "seclabel", ROW_KEPT, 0 },
    { ROW_ELEMENT, "keywrap", ROW_REFUSED, 0, .note = "there is none" },
    { ROW_ELEMENT, "launchSecurity", ROW_REFUSED, 0, .note = "there is none" },
    { ROW_ELEMENT, "qemu:commandline", ROW_REFUSED, 0,
      .note = "there is no QEMU here, and nobody else's command lines" },
    { ROW_ELEMENT, "qemu:capabilities", ROW_REFUSED, 0,
      .note = "there is no QEMU here, and nobody else's command lines" },
    { ROW_ELEMENT, "qemu:override", ROW_REFUSED, 0,
      .note = "there is no QEMU here, and nobody else's command lines" },
    { ROW_ELEMENT, "qemu:deprecation", ROW_REFUSED, 0,
      .note = "there is no QEMU here, and nobody else's command lines" },
    { 0 },
};
const XmlShape domain_shape = { sizeof(DomainConfig), domain_rows };

/* --- what one row can't say --- */

static bool check_vcpu(const XmlNode *node, const void *what, GError **error)
{
    const DomainVcpu *vcpu = what;

    if (vcpu->current.said && vcpu->current.value > vcpu->count.value) {
        return xml_error(node, error, "attribute 'current' is more than there are");
    }
    return true;
}

static bool check_cpu(const XmlNode *node, const void *what, GError **error)
{
    const DomainCpu *cpu = what;
    bool named = cpu->model && cpu->model->name;

    if (cpu->mode == DOMAIN_CPU_CUSTOM && !named) {
        return xml_error(node, error, "mode 'custom' needs a <model>");
    }
    return true;
}

static bool check_loader(const XmlNode *node, const void *what, GError **error)
{
    const DomainLoader *loader = what;

    if (loader->secure == SWITCH_ON) {
        return xml_unsupported(node, error, "there is no Secure Boot: drop secure='yes'");
    }
    return true;
}

static bool wants_secure_boot(const XmlNode *firmware)
{
    for (unsigned i = 0; firmware && i < firmware->children->len; i++) {
        const XmlNode *feature = g_ptr_array_index(firmware->children, i);
        const char *name = xml_attribute(feature, "name");
        const char *enabled = xml_attribute(feature, "enabled");
        if (name && enabled && !strcmp(name, "secure-boot") && !strcmp(enabled, "yes")) {
            return true;
        }
    }
    return false;
}

static bool check_os(const XmlNode *node, const void *what, GError **error)
{
    const DomainOs *os = what;

    if (wants_secure_boot(xml_child(node, "firmware"))) {
        return xml_unsupported(node, error, "there is no Secure Boot");
    }
    if ((os->initrd || os->cmdline) && !os->kernel) {
        return xml_error(node, error, "<initrd> and <cmdline> are for a <kernel>");
    }
    return true;
}

static bool check_features(const XmlNode *node, const void *what, GError **error)
{
    const XmlNode *smm = xml_child(node, "smm");
    const char *state = smm ? xml_attribute(smm, "state") : NULL;

    if (smm && (!state || strcmp(state, "off") != 0)) {
        return xml_unsupported(smm, error, "there is no SMM: say state='off'");
    }
    return true;
}
