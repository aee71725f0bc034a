/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What VMs can be made of, see capabilities.h.
 *
 * Threads: constant once made.
 */
#include "manager/capabilities.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/error.h"
#include "config/domain_machine.h"
#include "config/identity.h"
#include "config/xml.h"
#include "wire/json.h"

static const char arch_name[] = "x86_64";
static const char qemu[] = "qemu", kvm[] = "kvm";

typedef struct Board {
    char *name; /* as insula-vm calls it */
    unsigned max_vcpus;
    uint64_t max_memory;
} Board;

struct Capabilities {
    char *emulator;
    CapabilitiesHost host; /* its texts are not ours */
    GArray *boards;        /* of Board */
    GStrv models;          /* those that stand for a level of x86-64 */
    GStrv known_models;    /* all */
    GStrv formats;
    DomainDefaults defaults;
};

/* --- what insula-vm said --- */

static void clear_board(void *data)
{
    g_free(((Board *)data)->name);
}

static JsonArray *list_of(JsonObject *root, const char *name, GError **error)
{
    JsonNode *node = json_object_get_member(root, name);

    if (!node || !JSON_NODE_HOLDS_ARRAY(node)) {
        set_error(error, "insula-vm --describe has no list '%s'", name);
        return NULL;
    }
    return json_node_get_array(node);
}

static const char *name_of(JsonArray *array, unsigned index)
{
    JsonNode *node = json_array_get_element(array, index);
    JsonObject *entry = JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;

    return entry ? json_object_get_string_member_with_default(entry, "name", "") : "";
}

/* The names in list @name that @wanted takes. */
static GStrv take_names(JsonObject *root, const char *name, bool (*wanted)(const char *name),
                        GError **error)
{
    JsonArray *array = list_of(root, name, error);
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();

    if (!array) {
        return NULL;
    }
    for (unsigned i = 0; i < json_array_get_length(array); i++) {
        const char *entry = name_of(array, i);
        if (!wanted || wanted(entry)) {
            g_strv_builder_add(names, entry);
        }
    }
    return g_strv_builder_end(names);
}

static bool is_level(const char *name)
{
    return g_str_has_prefix(name, "x86-64");
}

static bool take_boards(Capabilities *caps, JsonObject *root, GError **error)
{
    JsonArray *array = list_of(root, "machines", error);

    for (unsigned i = 0; array && i < json_array_get_length(array); i++) {
        JsonNode *node = json_array_get_element(array, i);
        if (JSON_NODE_HOLDS_OBJECT(node)) {
            JsonObject *entry = json_node_get_object(node);
            int64_t cpus = json_object_get_int_member_with_default(entry, "max-cpus", 1);
            int64_t memory = json_object_get_int_member_with_default(entry, "max-memory", 0);
            Board board = { .name = g_strdup(name_of(array, i)),
                            .max_vcpus = (unsigned)CLAMP(cpus, 1, 4096),
                            .max_memory = (uint64_t)MAX(memory, 0) };
            g_array_append_val(caps->boards, board);
        }
    }
    return array != NULL;
}

static bool take(Capabilities *caps, const char *describe, GError **error)
{
    g_autoptr(JsonNode) node = wire_json_parse(describe, strlen(describe), error);

    if (!node) {
        return false;
    }
    if (!JSON_NODE_HOLDS_OBJECT(node)) {
        set_error(error, "insula-vm --describe is no object");
        return false;
    }
    JsonObject *root = json_node_get_object(node);
    return take_boards(caps, root, error) &&
           (caps->models = take_names(root, "cpu-models", is_level, error)) &&
           (caps->known_models = take_names(root, "cpu-models", NULL, error)) &&
           (caps->formats = take_names(root, "disk-formats", NULL, error));
}

static const Board *find_board(const Capabilities *caps, const char *name)
{
    for (unsigned i = 0; i < caps->boards->len; i++) {
        const Board *board = &g_array_index(caps->boards, Board, i);
        if (!strcmp(board->name, name)) {
            return board;
        }
    }
    return NULL;
}

Capabilities *capabilities_new(const CapabilitiesHost *host, GError **error)
{
    g_autoptr(Capabilities) caps = g_new0(Capabilities, 1);

    caps->emulator = g_strdup(host->emulator);
    caps->host = *host;
    caps->boards = g_array_new(FALSE, FALSE, sizeof(Board));
    g_array_set_clear_func(caps->boards, clear_board);
    if (!take(caps, host->describe, error)) {
        return NULL;
    }
    const Board *usual = find_board(caps, domain_machine_find(NULL)->board);
    if (!usual) {
        set_error(error, "insula-vm --describe has no machine '%s'",
                  domain_machine_find(NULL)->board);
        return NULL;
    }
    caps->defaults = (DomainDefaults){
        .emulator = caps->emulator,
        .cpu_models = (const char *const *)caps->known_models,
        .disk_formats = (const char *const *)caps->formats,
        .kvm = host->kvm,
        .max_memory = usual->max_memory,
        .max_vcpus = usual->max_vcpus,
    };
    return g_steal_pointer(&caps);
}

void capabilities_free(Capabilities *caps)
{
    if (caps) {
        g_free(caps->emulator);
        g_array_unref(caps->boards);
        g_strfreev(caps->models);
        g_strfreev(caps->known_models);
        g_strfreev(caps->formats);
        g_free(caps);
    }
}

bool capabilities_host_kvm(void)
{
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    bool good = fd >= 0 && ioctl(fd, KVM_GET_API_VERSION, 0) == KVM_API_VERSION;

    if (fd >= 0) {
        close(fd);
    }
    return good;
}

/* --- questions with short answers --- */

static bool check_arch(const char *arch, GError **error)
{
    if (arch && strcmp(arch, arch_name) != 0) {
        set_error_code(error, INSULA_ERROR_UNSUPPORTED,
                       "there are no machines of CPU '%s', only %s", arch, arch_name);
        return false;
    }
    return true;
}

static bool check_type(const Capabilities *caps, const char *type, GError **error)
{
    if (type && strcmp(type, qemu) != 0 && !(caps->host.kvm && !strcmp(type, kvm))) {
        set_error_code(error, INSULA_ERROR_UNSUPPORTED, "there are no domains of type '%s' here",
                       type);
        return false;
    }
    return true;
}

const char *const *capabilities_cpu_models(const Capabilities *caps, const char *arch,
                                           GError **error)
{
    return check_arch(arch, error) ? (const char *const *)caps->models : NULL;
}

bool capabilities_max_vcpus(const Capabilities *caps, const char *type, unsigned *ret_max,
                            GError **error)
{
    if (!check_type(caps, type, error)) {
        return false;
    }
    *ret_max = caps->defaults.max_vcpus;
    return true;
}

const DomainDefaults *capabilities_defaults(const Capabilities *caps)
{
    return &caps->defaults;
}

/* --- capabilities --- */

static void put_empty(XmlWriter *writer, const char *name)
{
    xml_open(writer, name);
    xml_close(writer, name);
}

static void put_topology(const Capabilities *caps, XmlWriter *writer)
{
    xml_open(writer, "topology");
    xml_open(writer, "cells");
    xml_put_number(writer, "num", 1);
    xml_open(writer, "cell");
    xml_put_number(writer, "id", 0);
    xml_put_element_size(writer, "memory", "KiB", caps->host.memory_kib);
    xml_open(writer, "pages");
    xml_put(writer, "unit", "KiB");
    xml_put_number(writer, "size", caps->host.page_kib);
    g_autofree char *pages =
        g_strdup_printf("%" G_GUINT64_FORMAT, caps->host.memory_kib / MAX(caps->host.page_kib, 1));
    xml_put_text(writer, pages);
    xml_close(writer, "pages");
    xml_open(writer, "cpus");
    xml_put_number(writer, "num", caps->host.cpus);
    for (unsigned i = 0; i < caps->host.cpus; i++) {
        xml_open(writer, "cpu");
        xml_put_number(writer, "id", i);
        xml_close(writer, "cpu");
    }
    xml_close(writer, "cpus");
    xml_close(writer, "cell");
    xml_close(writer, "cells");
    xml_close(writer, "topology");
}

static void put_host(const Capabilities *caps, XmlWriter *writer)
{
    g_autofree char *uuid = uuid_format(caps->host.uuid);

    xml_open(writer, "host");
    xml_put_element(writer, "uuid", uuid);
    xml_open(writer, "cpu");
    xml_put_element(writer, "arch", arch_name);
    xml_open(writer, "topology");
    xml_put_number(writer, "sockets", 1);
    xml_put_number(writer, "dies", 1);
    xml_put_number(writer, "cores", caps->host.cpus);
    xml_put_number(writer, "threads", 1);
    xml_close(writer, "topology");
    xml_open(writer, "pages");
    xml_put(writer, "unit", "KiB");
    xml_put_number(writer, "size", caps->host.page_kib);
    xml_close(writer, "pages");
    xml_close(writer, "cpu");
    put_empty(writer, "power_management");
    put_topology(caps, writer);
    xml_close(writer, "host");
}

/* The names that clients may say, where there is such a board. */
static void put_machines(const Capabilities *caps, XmlWriter *writer)
{
    for (const DomainMachine *machine = domain_machines(); machine->name; machine++) {
        const Board *board = find_board(caps, machine->board);
        if (board) {
            bool alias = strcmp(machine->name, machine->canonical) != 0;
            xml_open(writer, "machine");
            xml_put(writer, "canonical", alias ? machine->canonical : NULL);
            xml_put_number(writer, "maxCpus", board->max_vcpus);
            xml_put_text(writer, machine->name);
            xml_close(writer, "machine");
        }
    }
}

static void put_feature(XmlWriter *writer, const char *name)
{
    xml_open(writer, name);
    xml_put(writer, "default", "on");
    xml_put(writer, "toggle", "no");
    xml_close(writer, name);
}

static void put_domain_type(XmlWriter *writer, const char *type)
{
    xml_open(writer, "domain");
    xml_put(writer, "type", type);
    xml_close(writer, "domain");
}

static void put_guest(const Capabilities *caps, XmlWriter *writer)
{
    xml_open(writer, "guest");
    xml_put_element(writer, "os_type", "hvm");
    xml_open(writer, "arch");
    xml_put(writer, "name", arch_name);
    xml_put_element(writer, "wordsize", "64");
    xml_put_element(writer, "emulator", caps->emulator);
    put_machines(caps, writer);
    put_domain_type(writer, qemu);
    if (caps->host.kvm) {
        put_domain_type(writer, kvm);
    }
    xml_close(writer, "arch");
    xml_open(writer, "features");
    put_feature(writer, "acpi");
    put_feature(writer, "apic");
    put_empty(writer, "cpuselection");
    put_empty(writer, "deviceboot");
    xml_open(writer, "disksnapshot");
    xml_put(writer, "default", "on");
    xml_put(writer, "toggle", "no");
    xml_close(writer, "disksnapshot");
    xml_close(writer, "features");
    xml_close(writer, "guest");
}

char *capabilities_format(const Capabilities *caps)
{
    XmlWriter *writer = xml_writer_new();

    xml_open(writer, "capabilities");
    put_host(caps, writer);
    put_guest(caps, writer);
    xml_close(writer, "capabilities");
    return xml_writer_end(writer);
}

/* --- domain capabilities --- */

/* One thing that clients ask about: whether it is there, and the words of it. */
typedef struct Offer {
    const char *group; /* "devices", "features"; NULL: it stands by itself */
    const char *name;
    bool pc, micro;    /* of which machine it is */
    const char *enums; /* "name: word word; name: word"; NULL: none */
} Offer;

static const Offer offers[] = {
    { NULL, "memoryBacking", false, false, NULL },
    { "devices", "disk", true, true,
      "diskDevice: disk cdrom; bus: virtio sata; model: virtio virtio-non-transitional" },
    { "devices", "graphics", true, false, "type: vnc" },
    { "devices", "video", true, false, "modelType: vga bochs none" },
    { "devices", "hostdev", false, false, NULL },
    { "devices", "rng", true, true, "model: virtio; backendModel: random builtin" },
    { "devices", "filesystem", false, false, NULL },
    { "devices", "tpm", false, false, NULL },
    { "devices", "redirdev", false, false, NULL },
    { "devices", "channel", false, false, NULL },
    { "features", "gic", false, false, NULL },
    { "features", "vmcoreinfo", false, false, NULL },
    { "features", "genid", false, false, NULL },
    { "features", "backingStoreInput", true, true, NULL },
    { "features", "backup", false, false, NULL },
    { "features", "sev", false, false, NULL },
    { NULL, NULL },
};

static void put_enum(XmlWriter *writer, const char *text)
{
    g_auto(GStrv) words = g_strsplit_set(g_strstrip((char *)text), ": ", 0);

    xml_open(writer, "enum");
    xml_put(writer, "name", words[0]);
    for (unsigned i = 1; words[i]; i++) {
        if (*words[i]) {
            xml_put_element(writer, "value", words[i]);
        }
    }
    xml_close(writer, "enum");
}

static void put_enums(XmlWriter *writer, const char *enums)
{
    g_auto(GStrv) parts = g_strsplit(enums, ";", 0);

    for (unsigned i = 0; parts[i]; i++) {
        put_enum(writer, parts[i]);
    }
}

static void put_offer(XmlWriter *writer, const Offer *offer, bool pc)
{
    bool there = pc ? offer->pc : offer->micro;

    xml_open(writer, offer->name);
    xml_put(writer, "supported", there ? "yes" : "no");
    if (there && offer->enums) {
        put_enums(writer, offer->enums);
    }
    xml_close(writer, offer->name);
}

/* Those of @group, in an element of that name (NULL: by themselves). */
static void put_group(XmlWriter *writer, const char *group, bool pc)
{
    if (group) {
        xml_open(writer, group);
    }
    for (const Offer *offer = offers; offer->name; offer++) {
        if (!g_strcmp0(offer->group, group)) {
            put_offer(writer, offer, pc);
        }
    }
    if (group) {
        xml_close(writer, group);
    }
}

static void put_os(XmlWriter *writer, bool pc)
{
    xml_open(writer, "os");
    xml_put(writer, "supported", "yes");
    xml_open(writer, "enum");
    xml_put(writer, "name", "firmware");
    if (pc) {
        xml_put_element(writer, "value", "efi");
    }
    xml_close(writer, "enum");
    xml_open(writer, "loader");
    xml_put(writer, "supported", pc ? "yes" : "no");
    if (pc) {
        put_enums(writer, "type: rom pflash; readonly: yes no; secure: no");
    }
    xml_close(writer, "loader");
    xml_close(writer, "os");
}

static void put_mode(XmlWriter *writer, const char *name, bool there)
{
    xml_open(writer, "mode");
    xml_put(writer, "name", name);
    xml_put(writer, "supported", there ? "yes" : "no");
}

static void put_cpu(const Capabilities *caps, XmlWriter *writer, bool on_kvm)
{
    xml_open(writer, "cpu");
    put_mode(writer, "host-passthrough", on_kvm);
    if (on_kvm) {
        put_enums(writer, "hostPassthroughMigratable: on");
    }
    xml_close(writer, "mode");
    put_mode(writer, "maximum", true);
    put_enums(writer, "maximumMigratable: on");
    xml_close(writer, "mode");
    put_mode(writer, "host-model", false);
    xml_close(writer, "mode");
    put_mode(writer, "custom", true);
    for (unsigned i = 0; caps->models[i]; i++) {
        xml_open(writer, "model");
        xml_put(writer, "usable", "yes");
        xml_put_text(writer, caps->models[i]);
        xml_close(writer, "model");
    }
    xml_close(writer, "mode");
    xml_close(writer, "cpu");
}

static const DomainMachine *check_machine(const Capabilities *caps, const char *name,
                                          const Board **ret_board, GError **error)
{
    const DomainMachine *machine = domain_machine_find(name);

    *ret_board = machine ? find_board(caps, machine->board) : NULL;
    if (!*ret_board) {
        set_error_code(error, INSULA_ERROR_UNSUPPORTED, "there is no machine '%s'", name);
        return NULL;
    }
    return machine;
}

char *capabilities_format_domain(const Capabilities *caps, const char *emulator, const char *arch,
                                 const char *machine_name, const char *type, GError **error)
{
    const Board *board = NULL;
    const DomainMachine *machine = check_machine(caps, machine_name, &board, error);

    if (!machine || !check_arch(arch, error) || !check_type(caps, type, error)) {
        return NULL;
    }
    bool on_kvm = type ? !strcmp(type, kvm) : caps->host.kvm;
    XmlWriter *writer = xml_writer_new();
    xml_open(writer, "domainCapabilities");
    xml_put_element(writer, "path", emulator ? emulator : caps->emulator);
    xml_put_element(writer, "domain", on_kvm ? kvm : qemu);
    xml_put_element(writer, "machine", machine->canonical);
    xml_put_element(writer, "arch", arch_name);
    xml_open(writer, "vcpu");
    xml_put_number(writer, "max", board->max_vcpus);
    xml_close(writer, "vcpu");
    put_os(writer, machine->pci);
    put_cpu(caps, writer, on_kvm);
    put_group(writer, NULL, machine->pci);
    put_group(writer, "devices", machine->pci);
    put_group(writer, "features", machine->pci);
    xml_close(writer, "domainCapabilities");
    return xml_writer_end(writer);
}
