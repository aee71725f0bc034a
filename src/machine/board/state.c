/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine's saved state, see state.h.
 *
 * Loading goes from the last device to the first: what a device does to its lines while it loads is
 * overwritten by the interrupt chips, which come first in the machine, and what these send to the
 * engine by the vCPUs' states, which are set at the very end.
 *
 * A state is hostile.  What it may be is said by the machine: its records must be those that the
 * machine would save itself.
 *
 * Threads: as machine.h.
 */
#include "machine/board/state.h"

#include "common/error.h"
#include "machine/board/board.h"

/* What a state is taken from. */
typedef struct StateReader {
    const uint8_t *at;
    size_t left;
} StateReader;

/* A device's, or a vCPU's, fields. */
typedef struct StatePart {
    unsigned version;
    const uint8_t *data;
    size_t len;
} StatePart;

/* --- saving --- */

void machine_pause(Machine *m, bool on)
{
    if (!on) {
        io_thread_pause(m->io, false);
    }
    for (guint i = 0; i < m->devices->len; i++) {
        device_pause(g_ptr_array_index(m->devices, i), on);
    }
    if (on) {
        io_thread_pause(m->io, true);
    }
}

/* Append a record; returns where its @len bytes go. */
static uint8_t *add_record(GByteArray *state, const char *class, const char *name, unsigned version,
                           size_t len)
{
    StateRecord record = { .version = version, .len = (uint32_t)len };

    g_strlcpy(record.class, class, sizeof(record.class));
    g_strlcpy(record.name, name, sizeof(record.name));
    g_byte_array_append(state, (const uint8_t *)&record, sizeof(record));
    g_byte_array_set_size(state, state->len + (guint)len);
    return state->data + state->len - len;
}

bool machine_save(Machine *m, GByteArray *state, GError **error)
{
    g_autofree X86State *cpu = g_new(X86State, 1);
    const size_t cpu_size = saved_size(cpu_saved, CPU_STATE_VERSION);

    for (guint i = 0; i < m->devices->len; i++) {
        Device *device = g_ptr_array_index(m->devices, i);
        device_save(device, add_record(state, device->class->name, device->name,
                                       device->class->version, device_saved_size(device->class)));
    }
    for (unsigned i = 0; i < m->cpus; i++) {
        g_autofree char *name = g_strdup_printf("cpu%u", i);
        if (!m->engine->vcpu_get_state(m->vcpus[i], cpu, error)) {
            return false;
        }
        saved_write(cpu_saved, cpu,
                    add_record(state, CPU_STATE_CLASS, name, CPU_STATE_VERSION, cpu_size));
    }
    return true;
}

/* --- loading --- */

static bool is_text(const char text[STATE_NAME_MAX])
{
    return memchr(text, 0, STATE_NAME_MAX) && g_str_is_ascii(text);
}

/* Take the next record, which must be of @class and @name. */
static bool take_record(StateReader *reader, const char *class, const char *name, StatePart *ret,
                        GError **error)
{
    StateRecord record;

    if (reader->left < sizeof(record)) {
        set_error(error, "cannot load the machine's state: it ends before '%s'", name);
        return false;
    }
    memcpy(&record, reader->at, sizeof(record));
    reader->at += sizeof(record);
    reader->left -= sizeof(record);
    if (!is_text(record.class) || !is_text(record.name) || record.len > reader->left) {
        set_error(error, "cannot load the machine's state: it is damaged before '%s'", name);
        return false;
    }
    if (strncmp(record.class, class, STATE_NAME_MAX - 1) ||
        strncmp(record.name, name, STATE_NAME_MAX - 1)) {
        set_error(error,
                  "cannot load the machine's state: it has %s '%s' where this machine has %s '%s'; "
                  "restore it with the options that it was started with, and with what was "
                  "plugged in since (--restore defer)",
                  record.class, record.name, class, name);
        return false;
    }
    *ret = (StatePart){ record.version, reader->at, record.len };
    reader->at += record.len;
    reader->left -= record.len;
    return true;
}

/* Find all parts, those of the devices and then those of the vCPUs. */
static bool take_parts(const Machine *m, StateReader *reader, StatePart *parts, GError **error)
{
    for (guint i = 0; i < m->devices->len; i++) {
        const Device *device = g_ptr_array_index(m->devices, i);
        if (!take_record(reader, device->class->name, device->name, parts++, error)) {
            return false;
        }
    }
    for (unsigned i = 0; i < m->cpus; i++) {
        g_autofree char *name = g_strdup_printf("cpu%u", i);
        if (!take_record(reader, CPU_STATE_CLASS, name, parts++, error)) {
            return false;
        }
    }
    if (reader->left) {
        set_error(error, "cannot load the machine's state: it has more parts than this machine; "
                         "restore it with the options that it was started with, and with what was "
                         "plugged in since (--restore defer)");
    }
    return !reader->left;
}

static bool load_cpu(Machine *m, unsigned index, const StatePart *part, GError **error)
{
    g_autofree X86State *state = g_new0(X86State, 1);
    g_autofree char *name = g_strdup_printf("cpu%u", index);

    if (part->version > CPU_STATE_VERSION || part->len != saved_size(cpu_saved, part->version)) {
        set_error(error, "cannot load the state of '%s': it is of another version", name);
        return false;
    }
    if (!saved_check(cpu_saved, part->version, part->data, name, error)) {
        return false;
    }
    saved_read(cpu_saved, part->version, part->data, state);
    if (!m->engine->vcpu_set_state(m->vcpus[index], state, error)) {
        g_prefix_error(error, "cannot load the state of '%s': ", name);
        return false;
    }
    return true;
}

bool machine_load(Machine *m, const uint8_t *state, size_t len, GError **error)
{
    g_autofree StatePart *parts = g_new0(StatePart, m->devices->len + m->cpus);
    StateReader reader = { state, len };

    if (!take_parts(m, &reader, parts, error)) {
        return false;
    }
    for (guint i = m->devices->len; i > 0; i--) {
        const StatePart *part = &parts[i - 1];
        if (!device_load_version(g_ptr_array_index(m->devices, i - 1), part->version, part->data,
                                 part->len, error)) {
            return false;
        }
    }
    for (unsigned i = 0; i < m->cpus; i++) {
        if (!load_cpu(m, i, &parts[m->devices->len + i], error)) {
            return false;
        }
    }
    if (m->generation) {
        vmgenid_renew(m->generation);
    }
    return true;
}
