/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the 82574L.  The input is a program of device_fuzz.h; what happens in the world is
 * that rings are set up and something is in them, a frame, the network's hanging up, or its not
 * taking any.
 *
 * Threads: one.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz_pci.h"
#include "machine/device/e1000e.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The network, as a device that is freed behind the card. */
typedef struct World {
    Device device;
    NetPort *port;
    int fd;
} World;

static void destroy(Device *device)
{
    World *world = container_of(device, World, device);

    net_port_free(world->port);
    close(world->fd);
}

static const DeviceClass world_class = {
    .name = "world",
    .instance_size = sizeof(World),
    .destroy = destroy,
};

static void make(FuzzRig *rig)
{
    PciSlot slot = fuzz_pci_slot(rig);
    World *world = device_new(&world_class, &rig->bench.env, "world");
    int fds[2];

    g_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    world->fd = fds[0];
    world->port = net_port_new(NET_PORT_SOCKET, fds[1], "fuzz", NULL);
    ((FuzzPci *)rig->extra)->other = &world->device;
    E1000eConfig config = { .io = rig->io, .port = world->port, .mac = { 2, 0, 0, 0, 0, 1 } };
    rig->device = (Device *)e1000e_new(&slot, &config);
}

static void frame_comes(World *world, uint8_t what)
{
    static const size_t lengths[] = { 13, 14, 60, 1514, 9000, 65000 };
    static uint8_t message[sizeof(NetHeader) + NET_MAX_FRAME];
    const NetHeader plain = { .flags = what & 2 };

    memcpy(message, &plain, sizeof(NetHeader));
    memset(message + sizeof(NetHeader), what & 0x80 ? 0xff : 0, 6);
    ssize_t ignored = send(world->fd, message,
                           sizeof(NetHeader) + lengths[(what >> 3) % G_N_ELEMENTS(lengths)], 0);
    (void)ignored; /* full */
}

/* Rings that work, at places in RAM that the program writes, too. */
static void set_up(FuzzRig *rig, uint8_t what)
{
    static const struct {
        uint32_t at, value;
    } registers[] = {
        { 0x3800, 0x1000 }, { 0x3804, 0 }, { 0x3808, 0x80 },   { 0x2800, 0x2000 }, { 0x2804, 0 },
        { 0x2808, 0x80 },   { 0x0400, 2 }, { 0x0100, 0x801a }, { 0x3818, 7 },      { 0x2818, 7 },
    };

    fuzz_pci_poke(rig, what);
    for (size_t i = 0; i < G_N_ELEMENTS(registers); i++) {
        gm_mmio_write(rig->bench.env.memory, FUZZ_PCI_BAR + registers[i].at, registers[i].value, 4);
    }
}

static void poke(FuzzRig *rig, uint8_t what)
{
    World *world = container_of(((FuzzPci *)rig->extra)->other, World, device);
    uint8_t byte;

    if (!(what & 4)) {
        set_up(rig, what);
    } else if (what == 0xff) {
        shutdown(world->fd, SHUT_RDWR);
    } else if (what & 1) {
        frame_comes(world, what);
    } else {
        while (recv(world->fd, &byte, 1, 0) > 0 && what & 2) {
            /* all of them, or one */
        }
    }
}

static const FuzzTarget target = {
    .windows = { { false, 0xcf8, 8 },
                 { true, FUZZ_PCI_BAR, 0x6000 },
                 { true, FUZZ_PCI_BAR + 0x3800, 0x20 } },
    .ram = 0x4000,
    .make = make,
    .poke = poke,
    .done = fuzz_pci_done,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_device(&target, data, size);
}
