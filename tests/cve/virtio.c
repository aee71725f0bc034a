/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Known flaws of virtio devices: requests that are well-formed as chains, and lie inside.
 */
#include <string.h>

#include "cve.h"
#include "machine/virtio/subjects.h"

enum { IN = VIRTIO_BENCH_BUFFERS, OUT = VIRTIO_BENCH_BUFFERS + 0x8000, WORDS = 16, NONE = -1 };
enum { HUGE_COUNT = (int)0xffffffff };

/* What a request's answer begins with, and where it stands. */
static const struct Request {
    const char *cve, *what, *subject;
    uint32_t words[WORDS];
    unsigned len, room; /* bytes of the request, and for the answer */
    unsigned at;        /* of the answer's number */
    unsigned size;      /* its bytes */
    uint32_t answer;
} requests[] = {
    /* virtio 1.2, 5.7.6.7 */
    { "2016-10028",
      "capabilities of no set",
      "gpu-control",
      { 0x0108, 0, 0, 0, 0, 0, HUGE_COUNT },
      32,
      64,
      0,
      4,
      0x1200 },
    { "2016-10029",
      "a screen that isn't there",
      "gpu-control",
      { 0x0103, 0, 0, 0, 0, 0, 0, 0, 64, 64, HUGE_COUNT, 0 },
      48,
      64,
      0,
      4,
      0x1202 },
    { "2016-10029",
      "screen 16",
      "gpu-control",
      { 0x0103, 0, 0, 0, 0, 0, 0, 0, 64, 64, 16, 0 },
      48,
      64,
      0,
      4,
      0x1202 },
    { "2016-9846",
      "a cursor of a picture that isn't there",
      "gpu-control",
      { 0x0105, 0, 0, 0, 0, 0, 0, 0, 64, 64, 0, 0, 99 },
      56,
      64,
      0,
      4,
      0x1203 },
    { "2017-5578",
      "pages for a picture that isn't there",
      "gpu-control",
      { 0x0106, 0, 0, 0, 0, 0, 77, 1, 0x80000, 0, 4096, 0 },
      48,
      64,
      0,
      4,
      0x1203 },
    { "2016-7994",
      "picture 0",
      "gpu-control",
      { 0x0101, 0, 0, 0, 0, 0, 0, 1, 64, 64 },
      40,
      64,
      0,
      4,
      0x1203 },
    { "2021-20203",
      "a picture of 16 EiB",
      "gpu-control",
      { 0x0101, 0, 0, 0, 0, 0, 5, 1, HUGE_COUNT, HUGE_COUNT },
      40,
      64,
      0,
      4,
      0x1201 },
    { "2020-27617", "an unknown command", "gpu-control", { 0xffff }, 24, 64, 0, 4, 0x1200 },
    { "2020-27617", "half of a header", "gpu-control", { 0x0100 }, 8, 64, 0, 4, 0xeeeeeeee },
    /* 5.2.6 */
    { "2011-1750", "a read of a sector and a half", "blk", { 0, 0, 0, 0 }, 16, 769, 768, 1, 1 },
    { "2011-1750",
      "a read of 2^63 sectors on",
      "blk",
      { 0, 0, HUGE_COUNT, 0x7fffffff },
      16,
      513,
      512,
      1,
      1 },
    { "2011-1750", "a write of seven bytes", "blk", { 1, 0, 0, 0, 7, 7 }, 23, 1, 0, 1, 1 },
    { "2020-11102",
      "a discard of all there can be",
      "blk",
      { 11, 0, 0, 0, 0, 0, HUGE_COUNT, 0 },
      32,
      1,
      0,
      1,
      1 },
    { "2020-11102",
      "a discard with unknown flags",
      "blk",
      { 11, 0, 0, 0, 0, 0, 1, HUGE_COUNT },
      32,
      1,
      0,
      1,
      2 },
    { "2020-11102", "a discard of half a range", "blk", { 11, 0, 0, 0, 0, 0 }, 24, 1, 0, 1, 1 },
    { "2020-27617", "an unknown request", "blk", { 0x55, 0, 0, 0 }, 16, 1, 0, 1, 2 },
    /* 5.1.6.5: class and command are bytes */
    { "2014-0150",
      "2^32 - 1 addresses in a filter",
      "net-control",
      { 0xffff0001, 0xffff, 0 },
      10,
      1,
      0,
      1,
      1 },
    { "2014-0150",
      "more addresses than there are bytes",
      "net-control",
      { 0x00100001, 0x0000, 0 },
      10,
      1,
      0,
      1,
      1 },
    { "2024-6505", "65535 pairs of queues", "net-control", { 0xffff0004 }, 4, 1, 0, 1, 1 },
    { "2024-6505",
      "a table for hashing",
      "net-control",
      { 0x00010204, HUGE_COUNT },
      8,
      1,
      0,
      1,
      1 },
    { "2014-0150", "an unknown class", "net-control", { 0x0000fefe }, 3, 1, 0, 1, 1 },
    { "2014-0150", "a class, and no more", "net-control", { 0x01 }, 1, 1, 0, 1, 1 },
};

static const VirtioSubject *subject_named(const char *name)
{
    const VirtioSubject *s = virtio_subjects;

    while (strcmp(s->name, name)) {
        s++;
    }
    return s;
}

static void test_request(gconstpointer data)
{
    const struct Request *c = data;
    const VirtioBenchPart parts[] = { { IN, c->len, false }, { OUT, c->room, true } };
    VirtioRig rig;
    uint32_t answer = 0;

    for (unsigned kind = 0; kind < 4; kind++) {
        (kind & 1 ? virtio_rig_init_pci : virtio_rig_init)(&rig, subject_named(c->subject));
        VirtioBench *b = rig.b;
        GuestMemory *memory = b->bench.env.memory;
        b->packed = kind & 2;
        virtio_bench_start(b, 0);
        memset(gm_ram(memory, OUT, 0x10000), 0xee, 0x10000);
        gm_write(memory, IN, c->words, sizeof(c->words));
        virtio_bench_post(b, rig.subject->queue, parts, 2);
        virtio_rig_serve(&rig);
        g_assert_cmpint(virtio_bench_next_used(b, rig.subject->queue, NULL), >=, 0);
        g_assert_false(virtio_bench_is_broken(b));
        gm_read(memory, OUT + c->at, &answer, c->size);
        g_assert_cmphex(answer, ==, c->answer);
        for (unsigned i = c->room; i < 0x10000; i++) {
            g_assert_cmphex(*(uint8_t *)gm_ram(memory, OUT + i, 1), ==, 0xee);
        }
        virtio_rig_check_works(&rig);
        virtio_rig_clear(&rig);
    }
}

/* Pictures without end: at some point there are no more, and the process hasn't grown. */
static void test_pictures(gconstpointer data)
{
    const VirtioBenchPart parts[] = { { IN, 40, false }, { OUT, 64, true } };
    unsigned made = 0;
    VirtioRig rig;

    virtio_rig_init(&rig, subject_named("gpu-control"));
    virtio_bench_start(rig.b, 0);
    for (uint32_t id = 1; id < 2000; id++) {
        const uint32_t request[] = { 0x0101, 0, 0, 0, 0, 0, id, 1, 1024, 1024 };
        uint32_t answer = 0;
        gm_write(rig.b->bench.env.memory, IN, request, sizeof(request));
        virtio_bench_post(rig.b, 0, parts, 2);
        virtio_bench_kick(rig.b, 0);
        g_assert_cmpint(virtio_bench_next_used(rig.b, 0, NULL), >=, 0);
        gm_read(rig.b->bench.env.memory, OUT, &answer, 4);
        made += answer == 0x1100;
    }
    g_assert_cmpuint(made, >, 0);
    g_assert_cmpuint(made, <=, VIRTIO_GPU_RESOURCES);
    virtio_rig_check_works(&rig);
    virtio_rig_clear(&rig);
}

/* Keys without end, for a guest that reads none. */
static void test_keys(gconstpointer data)
{
    VirtioRig rig;
    unsigned told = 0;

    virtio_rig_init(&rig, subject_named("input-events"));
    virtio_bench_start(rig.b, 0);
    for (unsigned i = 0; i < 100000; i++) {
        input_key(rig.input, 30, i & 1);
    }
    while (told < 100000) {
        const VirtioBenchPart part = { OUT, 8, true };
        virtio_bench_post(rig.b, 0, &part, 1);
        virtio_bench_kick(rig.b, 0);
        if (virtio_bench_next_used(rig.b, 0, NULL) < 0) {
            break;
        }
        told++;
    }
    g_assert_cmpuint(told, <=, VIRTIO_INPUT_EVENTS);
    virtio_rig_clear(&rig);
}

void cve_add_virtio(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(requests); i++) {
        cve_add(requests[i].cve, requests[i].what, &requests[i], test_request);
    }
    cve_add("2016-7994", "pictures without end", NULL, test_pictures);
    cve_add("2017-8379", "keys without end", NULL, test_keys);
}
