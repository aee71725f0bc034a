/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of a machine's saved state: whatever a guest has done to the devices of a board, a fresh
 * machine that loads the state is the same, and stays the same under whatever the guest does next.
 * A device whose tables lack something that a guest can see fails here.
 */
#include <string.h>

#include "common/bits.h"
#include "common/clock.h"
#include "engine/engine.h"
#include "machine/board/board.h"
#include "machine/board/state.h"
#include "machine/device/test_exit.h"
#include "machine/machine.h"
#include "memory/memory.h"

enum { MIB = 1 << 20, BAR_AREA = 0xc0000000U, BAR_STEP = 0x10000, PCI_SLOTS = 32 };

typedef struct Rig {
    Clock *clock;
    Machine *machine;
} Rig;

static void ignore_input(void *opaque, const CharListener *listener)
{
}

static size_t take_all(void *opaque, const uint8_t *data, size_t len)
{
    return len;
}

static void rig_init(Rig *rig, const char *board)
{
    static const MachineDisk empty_cdrom = { .kind = MACHINE_CDROM };
    static CharBackend console = { .attach = ignore_input, .write = take_all };
    g_autoptr(GError) error = NULL;

    rig->clock = clock_new_manual();
    const MachineConfig config = {
        .board = board,
        .engine = engine_choose("interpreter", NULL, &error),
        .cpus = 2,
        .memory_size = 16 * MIB,
        .firmware = "none",
        .restore = true,
        .console = &console,
        .clock = rig->clock,
        .disks = &empty_cdrom,
        .n_disks = !strcmp(board, "pc"),
    };
    rig->machine = machine_new(&config, &error);
    g_assert_no_error(error);
    machine_start(rig->machine);
}

static void rig_clear(Rig *rig)
{
    machine_free(rig->machine);
    clock_free(rig->clock);
}

/* --- what a guest does --- */

/* Registers of one device, which a guest plays with for a while. */
typedef struct Target {
    bool ports;
    uint64_t base;
    uint32_t size;
} Target;

/* All that the board has at ports, and at well-known addresses. */
static GArray *find_targets(const Rig *rig)
{
    static const uint64_t places[] = { 0xfe000000, 0xfe001000, 0xfec00000,
                                       0xfed00000, 0xfed1c000, BAR_AREA };
    GuestMemory *memory = machine_memory(rig->machine);
    GArray *targets = g_array_new(FALSE, FALSE, sizeof(Target));

    for (uint32_t port = 0; port <= UINT16_MAX; port++) {
        const IoRegion *region = gm_find_pio(memory, (uint16_t)port);
        if (region && port != TEST_EXIT_PORT) {
            const Target target = { true, port, (uint32_t)region->size };
            g_array_append_val(targets, target);
            port += (uint32_t)region->size - 1;
        }
    }
    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        const Target target = { false, places[i], places[i] == BAR_AREA ? 6 * BAR_STEP : 0x400 };
        g_array_append_val(targets, target);
    }
    return targets;
}

static uint64_t do_port(const Rig *rig, GRand *dice, const Target *target)
{
    GuestMemory *memory = machine_memory(rig->machine);
    unsigned size = g_rand_int_range(dice, 0, 4) ? 1 : 1U << g_rand_int_range(dice, 1, 3);
    uint16_t port = (uint16_t)(target->base + g_rand_int(dice) % target->size);

    if (!g_rand_int_range(dice, 0, 3)) {
        return gm_pio_read(memory, port, size);
    }
    gm_pio_write(memory, port, g_rand_int(dice) & (uint32_t)bits_mask(size * 8), size);
    return 0;
}

static uint64_t do_registers(const Rig *rig, GRand *dice, const Target *target)
{
    GuestMemory *memory = machine_memory(rig->machine);
    uint32_t reach = target->size > 0x200 && g_rand_boolean(dice) ? 0x200 : target->size;
    uint64_t gpa = target->base + (g_rand_int(dice) % reach & ~3U);
    unsigned size = g_rand_int_range(dice, 0, 8) ? 4 : 1;

    if (!gm_find_mmio(memory, gpa)) {
        return 0;
    }
    if (!g_rand_int_range(dice, 0, 3)) {
        return gm_mmio_read(memory, gpa, size);
    }
    uint32_t value = g_rand_boolean(dice) ? g_rand_int(dice) : g_rand_int(dice) % 16;
    gm_mmio_write(memory, gpa, value & (uint32_t)bits_mask(size * 8), size);
    return 0;
}

/* A register of a PCI function; and now and then its BARs get a good place. */
static uint64_t do_pci(const Rig *rig, GRand *dice)
{
    GuestMemory *memory = machine_memory(rig->machine);
    uint32_t slot = g_rand_int(dice) % PCI_SLOTS, function = g_rand_int_range(dice, 0, 8) ? 0 : 2;
    uint32_t offset = g_rand_int(dice) & (g_rand_boolean(dice) ? 0x3c : 0xfc);
    uint32_t value = g_rand_int(dice);

    if (!g_rand_int_range(dice, 0, 4)) {
        offset = 0x10 + 4 * (value % 6);
        value = BAR_AREA + slot % 6 * BAR_STEP;
    } else if (!g_rand_int_range(dice, 0, 4)) {
        offset = 4;
        value = 7;
    }
    gm_pio_write(memory, 0xcf8, 0x80000000 | slot << 11 | function << 8 | offset, 4);
    if (g_rand_boolean(dice)) {
        return gm_pio_read(memory, 0xcfc, 4);
    }
    gm_pio_write(memory, 0xcfc, value, 4);
    return 0;
}

static uint64_t do_something(const Rig *rig, GRand *dice, const Target *target)
{
    switch (g_rand_int_range(dice, 0, 16)) {
    case 0:
    case 1:
        clock_advance(rig->clock, g_rand_int(dice) % 10000000);
        return 0;
    case 2:
        return do_pci(rig, dice); /* ports that lead nowhere on micro */
    default:
        return target->ports ? do_port(rig, dice, target) : do_registers(rig, dice, target);
    }
}

/* --- */

static GByteArray *save(const Rig *rig)
{
    GByteArray *state = g_byte_array_new();
    g_autoptr(GError) error = NULL;

    machine_pause(rig->machine, true);
    g_assert_true(machine_save(rig->machine, state, &error));
    machine_pause(rig->machine, false);
    return state;
}

/* The same, after what devices account for only when they are looked at is accounted for. */
static GByteArray *save_settled(const Rig *rig)
{
    g_autoptr(GByteArray) state = save(rig);
    g_autoptr(GError) error = NULL;

    machine_load(rig->machine, state->data, state->len, &error);
    g_assert_no_error(error);
    return save(rig);
}

/* Fail with the name of the first part that differs. */
static void assert_same(const GByteArray *a, const GByteArray *b, const char *when)
{
    g_assert_cmpuint(a->len, ==, b->len);
    for (size_t at = 0; at < a->len;) {
        StateRecord record;
        memcpy(&record, a->data + at, sizeof(record));
        size_t len = sizeof(record) + record.len;
        for (size_t i = 0; i < len; i++) {
            if (a->data[at + i] != b->data[at + i]) {
                g_error("%s: '%s' (%s) differs at byte %zu of its fields", when, record.name,
                        record.class, i - sizeof(record));
            }
        }
        at += len;
    }
}

static void copy_memory(const Rig *from, const Rig *to)
{
    size_t n, m;
    RamBlock *const *a = gm_blocks(machine_memory(from->machine), &n);
    RamBlock *const *b = gm_blocks(machine_memory(to->machine), &m);

    g_assert_cmpuint(n, ==, m);
    for (size_t i = 0; i < n; i++) {
        memcpy(b[i]->hva, a[i]->hva, a[i]->size);
    }
}

/* Copies of the structs of all devices. */
static GPtrArray *copy_devices(const Rig *rig)
{
    GPtrArray *copies = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; i < rig->machine->devices->len; i++) {
        const Device *device = g_ptr_array_index(rig->machine->devices, i);
        g_ptr_array_add(copies, g_memdup2(device, device->class->instance_size));
    }
    return copies;
}

/* Which bytes of an object of @size bytes @fields cover, each once; newly allocated. */
static uint8_t *covered(const SavedField *fields, size_t size)
{
    uint8_t *seen = g_malloc0(size);

    for (const SavedField *field = fields; field && field->name; field++) {
        size_t stride = field->stride ? field->stride : field->size;
        for (unsigned i = 0; i < field->count * field->size; i++) {
            size_t at = field->offset + i / field->size * stride + i % field->size;
            g_assert_cmpuint(at, <, size);
            g_assert_cmpuint(seen[at]++, ==, 0);
        }
    }
    return seen;
}

/* Fail for a byte of a device that changed in @a since @a_fresh, and is as in @b_fresh in @b: it
 * did not come with the state. */
static void assert_all_came(const Rig *a, const GPtrArray *a_fresh, const Rig *b,
                            const GPtrArray *b_fresh)
{
    for (guint i = 0; i < a_fresh->len; i++) {
        const Device *device = g_ptr_array_index(a->machine->devices, i);
        const uint8_t *now = (const uint8_t *)device, *was = g_ptr_array_index(a_fresh, i);
        const uint8_t *came = g_ptr_array_index(b->machine->devices, i);
        const uint8_t *fresh = g_ptr_array_index(b_fresh, i);
        if (!strcmp(device->class->name, "debug-port")) {
            continue; /* the begun line of a log isn't the guest's */
        }
        g_autofree uint8_t *saved = covered(device->class->saved, device->class->instance_size);
        for (size_t at = sizeof(Device); at < device->class->instance_size; at++) {
            if (!saved[at] && now[at] != was[at] && came[at] == fresh[at] && came[at] != now[at]) {
                g_error("'%s' (%s): byte %zu of its struct changes and isn't saved", device->name,
                        device->class->name, at);
            }
        }
    }
}

static void do_anything(const Rig *rig, GRand *dice, const GArray *targets, uint64_t *ret_read)
{
    guint which = g_rand_int(dice) % targets->len;

    *ret_read = do_something(rig, dice, &g_array_index(targets, Target, which));
}

/* The same steps on both: both read the same. */
static void live_on(const Rig *a, const Rig *b, GRand *dice, const GArray *targets)
{
    enum { AFTER = 300 };
    GRand *twin = g_rand_copy(dice);

    for (unsigned i = 0; i < AFTER; i++) {
        uint64_t x, y;
        do_anything(a, dice, targets, &x);
        do_anything(b, twin, targets, &y);
        if (x != y) {
            g_error("step %u reads %" G_GINT64_MODIFIER "x, and %" G_GINT64_MODIFIER
                    "x in the machine that was loaded",
                    i, x, y);
        }
    }
    g_rand_free(twin);
}

static void round_trip(const char *board, const GArray *targets, uint32_t seed)
{
    enum { BEFORE = 500 };
    Rig a, b;
    g_autoptr(GError) error = NULL;
    GRand *dice = g_rand_new_with_seed(seed);
    uint64_t ignored;

    rig_init(&a, board);
    rig_init(&b, board);
    g_autoptr(GPtrArray) a_fresh = copy_devices(&a), b_fresh = copy_devices(&b);
    for (unsigned i = 0; i < BEFORE; i++) {
        do_anything(&a, dice, targets, &ignored);
    }
    g_autoptr(GByteArray) saved = save(&a);
    copy_memory(&a, &b);
    clock_set(b.clock, clock_now_ns(a.clock));
    machine_load(b.machine, saved->data, saved->len, &error);
    g_assert_no_error(error);
    assert_all_came(&a, a_fresh, &b, b_fresh);
    if (a.machine->generation) { /* as loading did it to b */
        vmgenid_renew(a.machine->generation);
    }
    live_on(&a, &b, dice, targets);
    g_autoptr(GByteArray) end = save_settled(&a);
    g_autoptr(GByteArray) twin_end = save_settled(&b);
    assert_same(end, twin_end, "later");
    g_rand_free(dice);
    rig_clear(&a);
    rig_clear(&b);
}

static void test_round_trip(gconstpointer board)
{
    enum { SEEDS = 40 };
    Rig rig;

    rig_init(&rig, board);
    g_autoptr(GArray) targets = find_targets(&rig);
    for (uint32_t seed = 1; seed <= SEEDS; seed++) {
        round_trip(board, targets, seed);
    }
    rig_clear(&rig);
}

/* Who goes on from a state is somebody else than who was saved, and than who else goes on. */
static void test_generations(void)
{
    Rig rigs[3];
    uint64_t numbers[G_N_ELEMENTS(rigs)];

    for (unsigned i = 0; i < G_N_ELEMENTS(rigs); i++) {
        rig_init(&rigs[i], "pc");
    }
    g_autoptr(GByteArray) state = save(&rigs[0]);
    for (unsigned i = 0; i < G_N_ELEMENTS(rigs); i++) {
        g_autoptr(GError) error = NULL;
        GuestMemory *memory = machine_memory(rigs[i].machine);
        uint64_t before = gm_mmio_read(memory, VMGENID_BASE, 8);
        g_assert_true(machine_load(rigs[i].machine, state->data, state->len, &error));
        numbers[i] = gm_mmio_read(memory, VMGENID_BASE, 8);
        g_assert_cmphex(numbers[i], !=, before);
        for (unsigned j = 0; j < i; j++) {
            g_assert_cmphex(numbers[i], !=, numbers[j]);
        }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(rigs); i++) {
        rig_clear(&rigs[i]);
    }
}

/* Change some bytes of @state, and give it another length now and then; the new length. */
static size_t spoil(GByteArray *state, GRand *dice)
{
    for (unsigned n = g_rand_int(dice) % 8; n; n--) {
        state->data[g_rand_int(dice) % state->len] = (uint8_t)g_rand_int(dice);
    }
    return g_rand_int_range(dice, 0, 4) ? state->len : g_rand_int(dice) % state->len;
}

/* Whatever is done to a state, it is refused or loaded, and then the guest may do what it likes. */
static void test_hostile(gconstpointer board)
{
    enum { CASES = 60, STEPS = 100 };
    uint64_t ignored;
    GRand *dice = g_rand_new_with_seed(7);
    Rig first;

    rig_init(&first, board);
    g_autoptr(GArray) targets = find_targets(&first);
    for (unsigned i = 0; i < CASES; i++) {
        g_autoptr(GByteArray) state = save(&first);
        size_t len = spoil(state, dice);
        Rig rig;
        rig_init(&rig, board);
        bool loaded = machine_load(rig.machine, state->data, len, NULL);
        for (unsigned step = 0; step < STEPS && loaded; step++) {
            do_anything(&rig, dice, targets, &ignored);
        }
        rig_clear(&rig);
    }
    rig_clear(&first);
    g_rand_free(dice);
}

/* Each byte of X86State is saved, but for the holes between its members. */
static void test_cpu_table(void)
{
    enum { HOLES = 34 };
    g_autofree uint8_t *seen = covered(cpu_saved, sizeof(X86State));
    size_t missing = 0;

    for (size_t i = 0; i < sizeof(X86State); i++) {
        missing += !seen[i];
    }
    g_assert_cmpuint(missing, ==, HOLES);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/state/round-trip/micro", "micro", test_round_trip);
    g_test_add_data_func("/state/round-trip/pc", "pc", test_round_trip);
    g_test_add_data_func("/state/hostile/micro", "micro", test_hostile);
    g_test_add_data_func("/state/hostile/pc", "pc", test_hostile);
    g_test_add_func("/state/cpu-table", test_cpu_table);
    g_test_add_func("/state/generations", test_generations);
    return g_test_run();
}
