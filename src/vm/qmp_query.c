/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that tell what the machine is and does.
 *
 * Threads: main.
 * Read first: vm/qmp.h.
 */
#include <string.h>

#include "vm/qmp.h"

static const Qmp *qmp_of(const QmpCall *call)
{
    return call->opaque;
}

/* ---- state ---- */

static const char *const state_words[] = {
    "running",  "paused",         "prelaunch",   "io-error",  "guest-panicked", "internal-error",
    "watchdog", "finish-migrate", "postmigrate", "inmigrate", "debug",          NULL,
};
static const QmpType run_state = { .meta = QMP_ENUM, .words = state_words };
static const QmpType status_info = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "running", &qmp_bool }, { "status", &run_state }, { 0 } },
};

static JsonNode *query_status(QmpCall *call, GError **error)
{
    JsonObject *object = json_object_new();
    VmState state = vm_state(qmp_of(call)->vm);

    json_object_set_boolean_member(object, "running", state == VM_RUNNING);
    json_object_set_string_member(object, "status", vm_state_name(state));
    return qmp_object_node(object);
}

/* ---- identity ---- */

static const QmpType name_info = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "name", &qmp_str, true }, { 0 } },
};

static JsonNode *query_name(QmpCall *call, GError **error)
{
    JsonObject *object = json_object_new();
    const char *name = qmp_of(call)->config->name;

    if (name) {
        json_object_set_string_member(object, "name", name);
    }
    return qmp_object_node(object);
}

static const QmpType uuid_info = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "UUID", &qmp_str }, { 0 } },
};

/* None can be given yet, and that is what this says. */
static JsonNode *query_uuid(QmpCall *call, GError **error)
{
    JsonObject *object = json_object_new();

    json_object_set_string_member(object, "UUID", "00000000-0000-0000-0000-000000000000");
    return qmp_object_node(object);
}

/* ---- CPUs ---- */

static const char *const target_words[] = { "x86_64", NULL };
static const QmpType target_type = { .meta = QMP_ENUM, .words = target_words };

static const QmpType cpu_props = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "socket-id", &qmp_int, true },
                                    { "core-id", &qmp_int, true },
                                    { "thread-id", &qmp_int, true },
                                    { 0 } },
};

static const QmpType cpu_info = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "cpu-index", &qmp_int },
                                    { "qom-path", &qmp_str },
                                    { "thread-id", &qmp_int },
                                    { "props", &cpu_props, true },
                                    { "target", &target_type },
                                    { 0 } },
};

static JsonNode *query_cpus(QmpCall *call, GError **error)
{
    Vm *vm = qmp_of(call)->vm;
    JsonArray *array = json_array_new();

    for (unsigned i = 0; i < machine_cpus(vm_machine(vm)); i++) {
        JsonObject *cpu = json_object_new(), *props = json_object_new();
        g_autofree char *path = g_strdup_printf("/machine/cpu[%u]", i);
        json_object_set_int_member(props, "socket-id", i);
        json_object_set_int_member(props, "core-id", 0);
        json_object_set_int_member(props, "thread-id", 0);
        json_object_set_int_member(cpu, "cpu-index", i);
        json_object_set_string_member(cpu, "qom-path", path);
        json_object_set_int_member(cpu, "thread-id", vm_cpu_thread(vm, i));
        json_object_set_object_member(cpu, "props", props);
        json_object_set_string_member(cpu, "target", "x86_64");
        json_array_add_object_element(array, cpu);
    }
    return qmp_array_node(array);
}

static const QmpType target_info = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "arch", &target_type }, { 0 } },
};

static JsonNode *query_target(QmpCall *call, GError **error)
{
    JsonObject *object = json_object_new();

    json_object_set_string_member(object, "arch", "x86_64");
    return qmp_object_node(object);
}

static const QmpType kvm_info = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "enabled", &qmp_bool }, { "present", &qmp_bool }, { 0 } },
};

static JsonNode *query_kvm(QmpCall *call, GError **error)
{
    JsonObject *object = json_object_new();
    const char *name = machine_engine(vm_machine(qmp_of(call)->vm))->name;
    bool present = false;

    for (const Engine *const *engine = engine_list(); *engine; engine++) {
        present |= !strcmp((*engine)->name, "kvm");
    }
    json_object_set_boolean_member(object, "enabled", !strcmp(name, "kvm"));
    json_object_set_boolean_member(object, "present", present);
    return qmp_object_node(object);
}

/* ---- what can be built ---- */

static const QmpType machine_info = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "name", &qmp_str },
                                    { "is-default", &qmp_bool, true },
                                    { "cpu-max", &qmp_int },
                                    { "hotpluggable-cpus", &qmp_bool },
                                    { "numa-mem-supported", &qmp_bool },
                                    { "deprecated", &qmp_bool },
                                    { "acpi", &qmp_bool },
                                    { 0 } },
};

static JsonNode *query_machines(QmpCall *call, GError **error)
{
    JsonArray *array = json_array_new();

    for (const MachineBoard *board = machine_boards(); board->name; board++) {
        JsonObject *object = json_object_new();
        json_object_set_string_member(object, "name", board->name);
        if (board == machine_boards()) {
            json_object_set_boolean_member(object, "is-default", TRUE);
        }
        json_object_set_int_member(object, "cpu-max", board->max_cpus);
        json_object_set_boolean_member(object, "hotpluggable-cpus", FALSE);
        json_object_set_boolean_member(object, "numa-mem-supported", FALSE);
        json_object_set_boolean_member(object, "deprecated", FALSE);
        json_object_set_boolean_member(object, "acpi", TRUE);
        json_array_add_object_element(array, object);
    }
    return qmp_array_node(array);
}

/* ---- streams of characters ---- */

static const QmpType chardev_info = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "label", &qmp_str },
                                    { "filename", &qmp_str },
                                    { "frontend-open", &qmp_bool },
                                    { 0 } },
};

static void add_chardev(JsonArray *array, const char *label, const SerialConfig *config)
{
    static const char *const kinds[] = {
        [SERIAL_STDIO] = "stdio",
        [SERIAL_UNIX] = "unix:",
        [SERIAL_FILE] = "file:",
        [SERIAL_NONE] = "null",
    };
    JsonObject *object = json_object_new();
    g_autofree char *name = g_strconcat(kinds[config->kind], config->path, NULL);

    json_object_set_string_member(object, "label", label);
    json_object_set_string_member(object, "filename", name);
    json_object_set_boolean_member(object, "frontend-open", TRUE);
    json_array_add_object_element(array, object);
}

static JsonNode *query_chardev(QmpCall *call, GError **error)
{
    const VmConfig *config = qmp_of(call)->config;
    JsonArray *array = json_array_new();

    add_chardev(array, "serial0", &config->serial);
    if (config->console.kind != SERIAL_NONE) {
        add_chardev(array, "console0", &config->console);
    }
    return qmp_array_node(array);
}

const QmpCommand qmp_query_commands[] = {
    { "query-chardev", NULL, &chardev_info, true, query_chardev },
    { "query-cpus-fast", NULL, &cpu_info, true, query_cpus },
    { "query-kvm", NULL, &kvm_info, false, query_kvm },
    { "query-machines", NULL, &machine_info, true, query_machines },
    { "query-name", NULL, &name_info, false, query_name },
    { "query-status", NULL, &status_info, false, query_status },
    { "query-target", NULL, &target_info, false, query_target },
    { "query-uuid", NULL, &uuid_info, false, query_uuid },
    { 0 },
};
