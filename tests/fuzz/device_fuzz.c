/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine that runs fuzz programs on devices, see device_fuzz.h.  An instruction is a byte,
 * whose low bits choose what happens, and then its operands.
 */
#include "device_fuzz.h"

#include "common/bits.h"

/* Time that may pass in all: a fast timer would take the fuzzer's own for ever. */
#define MAX_TIME_NS (10 * NS_PER_SECOND)

typedef struct Input {
    const uint8_t *at, *end;
    uint64_t time_ns; /* that has passed */
} Input;

/* The next @n bytes as a number; zeros behind the end. */
static uint64_t take(Input *in, unsigned n)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < n && in->at < in->end; i++) {
        value |= (uint64_t)*in->at++ << (8 * i);
    }
    return value;
}

static const FuzzWindow *choose_window(const FuzzTarget *target, uint8_t choice)
{
    unsigned n = 0;

    while (n < FUZZ_WINDOWS && target->windows[n].size) {
        n++;
    }
    return &target->windows[choice % n];
}

static void access_register(const FuzzTarget *target, FuzzRig *rig, Input *in, bool write)
{
    GuestMemory *memory = rig->bench.env.memory;
    uint8_t choice = (uint8_t)take(in, 1);
    const FuzzWindow *window = choose_window(target, choice >> 2);
    unsigned size = 1U << (choice & (window->mmio ? 3 : 1));
    uint64_t address = window->base + take(in, window->size > 256 ? 2 : 1) % window->size;

    if (window->mmio && (choice & 3) == 2) {
        address = align_down(address, 4);
    }
    if (write && window->mmio) {
        gm_mmio_write(memory, address, take(in, size), size);
    } else if (write) {
        gm_pio_write(memory, (uint16_t)address, take(in, size), size);
    } else if (window->mmio) {
        gm_mmio_read(memory, address, size);
    } else {
        gm_pio_read(memory, (uint16_t)address, size);
    }
}

static void pass_time(FuzzRig *rig, Input *in)
{
    uint64_t step_ns = UINT64_C(1) << take(in, 1) % 33;

    if (in->time_ns + step_ns <= MAX_TIME_NS) {
        in->time_ns += step_ns;
        clock_advance(rig->bench.env.clock, step_ns);
    }
}

static void write_ram(const FuzzTarget *target, FuzzRig *rig, Input *in)
{
    if (target->ram) {
        uint64_t gpa = take(in, 3) % target->ram;
        uint64_t value = take(in, 4);
        gm_write(rig->bench.env.memory, gpa, &value, 4);
    }
}

/* Characters from the world, or room for them there. */
static void world(FuzzRig *rig, Input *in)
{
    const CharListener *l = rig->character.listener;
    uint8_t what = (uint8_t)take(in, 1);

    rig->character.room = what >> 4;
    if (!l) {
        return;
    }
    if (what & 1) {
        l->input(l->opaque, (const uint8_t *)"0123456789abcdef0123456789abcdef", what >> 3);
    } else {
        l->writable(l->opaque);
    }
}

static void load_state(FuzzRig *rig, Input *in)
{
    size_t len = device_saved_size(rig->device->class);
    g_autofree uint8_t *state = g_malloc0(len + 1);
    uint8_t changes = (uint8_t)take(in, 1);

    device_save(rig->device, state);
    for (unsigned i = 0; i < changes % 16 && len; i++) {
        uint64_t at = take(in, 1);
        state[at % len] = (uint8_t)take(in, 1);
    }
    device_load(rig->device, state, len, NULL);
}

static void step(const FuzzTarget *target, FuzzRig *rig, Input *in)
{
    switch (take(in, 1) % 16) {
    case 0:
        pass_time(rig, in);
        break;
    case 1:
        world(rig, in);
        break;
    case 2:
        load_state(rig, in);
        break;
    case 3:
        if (target->poke) {
            target->poke(rig, (uint8_t)take(in, 1));
        }
        break;
    case 4:
        device_reset(rig->device);
        break;
    case 5:
    case 6:
    case 7:
        write_ram(target, rig, in);
        break;
    case 8:
    case 9:
    case 10:
        access_register(target, rig, in, false);
        break;
    default:
        access_register(target, rig, in, true);
        break;
    }
    io_thread_run_all(rig->io);
}

int fuzz_device(const FuzzTarget *target, const uint8_t *data, size_t size)
{
    Input in = { data, data + size, 0 };
    FuzzRig rig = { .io = io_thread_new_manual() };

    bench_init(&rig.bench);
    bench_char_init(&rig.character);
    if (target->ram) {
        g_assert(gm_add_ram(rig.bench.env.memory, 0, target->ram, NULL));
    }
    target->make(&rig);
    device_reset(rig.device);
    while (in.at < in.end) {
        step(target, &rig, &in);
    }
    device_free(rig.device);
    if (target->done) {
        target->done(&rig);
    }
    io_thread_free(rig.io);
    bench_char_clear(&rig.character);
    bench_clear(&rig.bench);
    return 0;
}
