/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: virtio-net.  The input is a program of device_fuzz.h; what happens in the world is
 * a frame, the network's hanging up, or its not taking any.
 *
 * Threads: one.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz_device_virtio.h"
#include "machine/virtio/net.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct World {
    NetPort *port;
    int fd;
} World;

static void make(FuzzRig *rig)
{
    VirtioSlot slot = fuzz_virtio_slot(rig);
    World *world = g_new0(World, 1);
    int fds[2];

    g_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    world->fd = fds[0];
    world->port = net_port_new(NET_PORT_SOCKET, fds[1], "fuzz", NULL);
    rig->extra = world;
    rig->device =
        &virtio_net_new(&slot, &(VirtioNetConfig){ .port = world->port, .pairs = 4 })->device;
}

/* A frame of a length that @what chooses, with a header that may be for offloads; every few the
 * device's own are read. */
static void frame_comes(World *world, uint8_t what)
{
    static const size_t lengths[] = { 13, 14, 60, 1514, 9000, 65000, NET_MAX_FRAME };
    static uint8_t message[sizeof(NetHeader) + NET_MAX_FRAME];
    const NetHeader gso = { .flags = 1, .gso_type = 1, .gso_size = 1460, .csum_start = 8 };
    const NetHeader plain = { .flags = what & 2 };

    memcpy(message, what & 0x40 ? &gso : &plain, sizeof(NetHeader));
    memset(message + sizeof(NetHeader), what & 0x80 ? 0xff : 0, 6);
    ssize_t ignored = send(world->fd, message,
                           sizeof(NetHeader) + lengths[(what >> 3) % G_N_ELEMENTS(lengths)], 0);
    (void)ignored; /* full */
}

static void poke(FuzzRig *rig, uint8_t what)
{
    World *world = rig->extra;
    uint8_t byte;

    if (!(what & 4)) {
        fuzz_virtio_poke(rig, what);
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

static void done(FuzzRig *rig)
{
    World *world = rig->extra;

    net_port_free(world->port);
    close(world->fd);
    g_free(world);
}

static const FuzzTarget target = {
    .windows = { FUZZ_VIRTIO_WINDOW },
    .ram = FUZZ_VIRTIO_RAM,
    .make = make,
    .poke = poke,
    .done = done,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_device(&target, data, size);
}
