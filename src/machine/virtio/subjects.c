/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every virtio device for tests, see subjects.h.
 */
#include "machine/virtio/subjects.h"

#include <glib/gstdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "machine/virtio/balloon.h"
#include "machine/virtio/blk.h"
#include "machine/virtio/console.h"
#include "machine/virtio/gpu.h"
#include "machine/virtio/input.h"
#include "machine/virtio/net.h"
#include "machine/virtio/rng.h"

static VirtioDev *make_rng(const VirtioSlot *slot, void *opaque)
{
    return virtio_rng_new(slot);
}

static VirtioDev *make_console(const VirtioSlot *slot, void *opaque)
{
    VirtioRig *rig = opaque;

    bench_char_init(&rig->character);
    return virtio_console_new(slot, &rig->character.backend);
}

static void close_console(VirtioRig *rig)
{
    bench_char_clear(&rig->character);
}

static void type_key(VirtioRig *rig)
{
    const CharListener *l = rig->character.listener;

    l->input(l->opaque, (const uint8_t *)"x", 1);
}

static VirtioDev *make_blk(const VirtioSlot *slot, void *opaque)
{
    VirtioRig *rig = opaque;
    int fd = g_file_open_tmp("insula-disk-XXXXXX", &rig->path, NULL);

    g_assert(fd >= 0 && ftruncate(fd, 65536) == 0);
    close(fd);
    rig->blk = blk_open(&(BlkOptions){ .path = rig->path }, NULL);
    g_assert_nonnull(rig->blk);
    return virtio_blk_new(slot, rig->blk, "serial", 2);
}

static void close_blk(VirtioRig *rig)
{
    blk_close(rig->blk);
    g_remove(rig->path);
    g_free(rig->path);
}

static VirtioDev *make_net(const VirtioSlot *slot, void *opaque)
{
    VirtioRig *rig = opaque;
    int fds[2];

    g_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    rig->world = fds[0];
    rig->port = net_port_new(NET_PORT_SOCKET, fds[1], "test", NULL);
    return virtio_net_new(slot, &(VirtioNetConfig){ .port = rig->port });
}

static void close_net(VirtioRig *rig)
{
    net_port_free(rig->port);
    close(rig->world);
}

/* A broadcast, which any driver gets. */
static void send_frame(VirtioRig *rig)
{
    static const uint8_t message[12 + 60] = { [12] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    ssize_t ignored = send(rig->world, message, sizeof(message), 0);

    (void)ignored; /* full of those that a dead device doesn't read */
    io_thread_run_all(rig->b->io);
}

static VirtioDev *make_balloon(const VirtioSlot *slot, void *opaque)
{
    return virtio_balloon_new(slot, &(VirtioBalloonConfig){ .ram_size = 1 << 20 });
}

static VirtioDev *make_gpu(const VirtioSlot *slot, void *opaque)
{
    VirtioRig *rig = opaque;

    rig->display = display_new();
    return virtio_gpu_new(slot, rig->display);
}

static void close_gpu(VirtioRig *rig)
{
    display_free(rig->display);
}

static VirtioDev *make_input(const VirtioSlot *slot, void *opaque)
{
    VirtioRig *rig = opaque;

    rig->input = input_new();
    return virtio_input_new(slot, VIRTIO_KEYBOARD, rig->input);
}

static void close_input(VirtioRig *rig)
{
    input_free(rig->input);
}

static void press_key(VirtioRig *rig)
{
    input_key(rig->input, 30, true);
}

const VirtioSubject virtio_subjects[] = {
    { "balloon-inflate", 5, 0, make_balloon, NULL, NULL },
    { "balloon-deflate", 5, 1, make_balloon, NULL, NULL },
    { "balloon-report", 5, 3, make_balloon, NULL, NULL },
    { "rng", 4, 0, make_rng, NULL, NULL },
    { "console-receive", 3, 0, make_console, close_console, type_key },
    { "console-transmit", 3, 1, make_console, close_console, NULL },
    { "blk", 2, 0, make_blk, close_blk, NULL },
    { "net-receive", 1, 0, make_net, close_net, send_frame },
    { "net-transmit", 1, 1, make_net, close_net, NULL },
    { "gpu-control", 16, 0, make_gpu, close_gpu, NULL },
    { "gpu-cursor", 16, 1, make_gpu, close_gpu, NULL },
    { "input-events", 18, 0, make_input, close_input, press_key },
    { "input-status", 18, 1, make_input, close_input, NULL },
    { "net-control", 1, 2, make_net, close_net, NULL },
    { 0 },
};

void virtio_rig_init(VirtioRig *rig, const VirtioSubject *subject)
{
    *rig = (VirtioRig){ .subject = subject };
    rig->b = virtio_bench_new(subject->make, rig);
}

void virtio_rig_init_pci(VirtioRig *rig, const VirtioSubject *subject)
{
    *rig = (VirtioRig){ .subject = subject };
    rig->b = virtio_bench_new_pci(subject->make, rig);
}

void virtio_rig_clear(VirtioRig *rig)
{
    virtio_bench_free(rig->b);
    if (rig->subject->close) {
        rig->subject->close(rig);
    }
}

void virtio_rig_serve(VirtioRig *rig)
{
    virtio_bench_kick(rig->b, rig->subject->queue);
    if (rig->subject->feed) {
        rig->subject->feed(rig);
        io_thread_run_all(rig->b->io);
    }
}

uint16_t virtio_rig_post(VirtioRig *rig)
{
    static const VirtioBenchPart parts[] = {
        { VIRTIO_BENCH_BUFFERS, 16, false },
        { VIRTIO_BENCH_BUFFERS + 0x1000, 512, true },
        { VIRTIO_BENCH_BUFFERS + 0x2000, 1, true },
    };
    static const uint8_t zeros[16];

    gm_write(rig->b->bench.env.memory, VIRTIO_BENCH_BUFFERS, zeros, sizeof(zeros));
    return virtio_bench_post(rig->b, rig->subject->queue, parts, 3);
}

void virtio_rig_check_works(VirtioRig *rig)
{
    uint16_t used = 0xffff;

    virtio_bench_start(rig->b, 0);
    uint16_t head = virtio_rig_post(rig);
    virtio_rig_serve(rig);
    g_assert_cmpint(virtio_bench_next_used(rig->b, rig->subject->queue, &used), >=, 0);
    g_assert_cmpuint(used, ==, head);
    g_assert_false(virtio_bench_is_broken(rig->b));
}
