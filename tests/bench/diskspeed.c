/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's half of tools/bench-disk, and its init: how fast the disks are that it is given.
 *
 * The kernel's command line says what is measured: diskspeed.rows=DISK:ROW,... with rows of the
 * table below, and diskspeed.ms=N, for how long each.  It prints "DISKSPEED disk row rate unit",
 * and ends the machine.
 *
 * Requests go past the guest's own cache (O_DIRECT), as many at a time as the row says (io_submit).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { DEPTH_MAX = 32, BLOCK = 1 << 20 };

typedef struct Row {
    const char *name;
    size_t size;
    unsigned depth;
    bool write, random;
} Row;

static const Row rows[] = {
    { "read-4k", 4096, 1, false, true },    { "read-4k-32", 4096, 32, false, true },
    { "write-4k", 4096, 1, true, true },    { "write-4k-32", 4096, 32, true, true },
    { "read-1m", BLOCK, 1, false, false },  { "write-1m", BLOCK, 1, true, false },
    { "fill-4k-32", 4096, 32, true, true }, { "fill-1m", BLOCK, 1, true, false },
};

static uint8_t buffers[DEPTH_MAX][BLOCK] __attribute__((aligned(4096)));

static void fail(const char *what)
{
    printf("DISKSPEED-BAD %s: %s\n", what, strerror(errno));
    fflush(stdout);
    reboot(RB_AUTOBOOT);
    _exit(1);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* The drivers, in the order that the initramfs lists. */
static void load_modules(void)
{
    char name[256], path[300];
    FILE *order = fopen("/lib/modules/order", "r");

    while (order && fgets(name, sizeof(name), order)) {
        name[strcspn(name, "\n")] = 0;
        snprintf(path, sizeof(path), "/lib/modules/%s", name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)) {
            printf("DISKSPEED-NOTE %s: %s\n", path, strerror(errno));
        }
        close(fd);
    }
    if (order) {
        fclose(order);
    }
}

static int open_disk(const char *name)
{
    char path[64];
    int fd = -1;

    snprintf(path, sizeof(path), "/dev/%.32s", name);
    for (int tries = 0; tries < 100 && fd < 0; tries++) {
        fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
        if (fd < 0) {
            usleep(50000);
        }
    }
    if (fd < 0) {
        fail(path);
    }
    return fd;
}

/* A run of one row. */
typedef struct Run {
    const Row *row;
    int fd;
    uint64_t blocks, next, random;
    struct iocb requests[DEPTH_MAX];
    aio_context_t context;
} Run;

static uint64_t place(Run *run)
{
    uint64_t block = run->next++;

    if (run->row->random) {
        run->random = run->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        block = run->random >> 33;
    }
    return block % run->blocks * run->row->size;
}

static void submit(Run *run, unsigned i)
{
    struct iocb *request = &run->requests[i];

    *request = (struct iocb){ .aio_data = i,
                              .aio_fildes = (uint32_t)run->fd,
                              .aio_lio_opcode = run->row->write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
                              .aio_buf = (uint64_t)(uintptr_t)buffers[i],
                              .aio_nbytes = run->row->size,
                              .aio_offset = (int64_t)place(run) };
    if (syscall(SYS_io_submit, run->context, 1, &request) != 1) {
        fail("io_submit");
    }
}

/* Requests that were done in @seconds; *@ret_took: how long it was indeed. */
static uint64_t measure(Run *run, double seconds, double *ret_took)
{
    struct io_event events[DEPTH_MAX];
    double begun = now(), end = begun + seconds;
    unsigned flying = 0;
    uint64_t done = 0;

    for (; flying < run->row->depth; flying++) {
        submit(run, flying);
    }
    while (flying) {
        long n = syscall(SYS_io_getevents, run->context, 1, DEPTH_MAX, events, NULL);
        bool more = now() < end;
        if (n < 1) {
            fail("io_getevents");
        }
        for (long i = 0; i < n; i++) {
            if (events[i].res != (int64_t)run->row->size) {
                errno = -(int)events[i].res;
                fail("request");
            }
            done++;
            flying--;
            if (more) {
                submit(run, (unsigned)events[i].data);
                flying++;
            }
        }
    }
    *ret_took = now() - begun;
    return done;
}

static void run_row(const char *disk, const Row *row, double seconds)
{
    Run run = { .row = row, .fd = open_disk(disk), .random = 12345 };
    uint64_t size = 0;
    double took = 1;

    if (ioctl(run.fd, BLKGETSIZE64, &size) || size < BLOCK) {
        fail(disk);
    }
    run.blocks = size / row->size;
    if (syscall(SYS_io_setup, DEPTH_MAX, &run.context)) {
        fail("io_setup");
    }
    uint64_t done = measure(&run, seconds, &took);
    syscall(SYS_io_destroy, run.context);
    fsync(run.fd);
    close(run.fd);
    double rate = (double)done / took;
    if (row->size == BLOCK) {
        printf("DISKSPEED %s %s %.1f MiB/s\n", disk, row->name, rate);
    } else {
        printf("DISKSPEED %s %s %.0f /s\n", disk, row->name, rate);
    }
    fflush(stdout);
}

/* The value of word @name of the command line, newly allocated; NULL: it is not there. */
static char *word(const char *line, const char *name)
{
    const char *at = strstr(line, name);

    return at ? strndup(at + strlen(name), strcspn(at + strlen(name), " \n")) : NULL;
}

int main(void)
{
    char line[4096] = { 0 };

    mount("proc", "/proc", "proc", 0, NULL);
    mount("dev", "/dev", "devtmpfs", 0, NULL);
    int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, line, sizeof(line) - 1) < 0) {
        fail("/proc/cmdline");
    }
    close(fd);
    load_modules();
    memset(buffers, 0x5a, sizeof(buffers));
    char *what = word(line, "diskspeed.rows="), *ms = word(line, "diskspeed.ms=");
    for (char *one = what ? strtok(what, ",") : NULL; one; one = strtok(NULL, ",")) {
        char *name = strchr(one, ':');
        for (size_t i = 0; name && i < sizeof(rows) / sizeof(rows[0]); i++) {
            if (!strcmp(rows[i].name, name + 1)) {
                *name = 0;
                run_row(one, &rows[i], ms ? atof(ms) / 1000 : 1);
                break;
            }
        }
    }
    free(what);
    free(ms);
    printf("DISKSPEED-END\n");
    fflush(stdout);
    sync();
    reboot(RB_AUTOBOOT);
    return 0;
}
