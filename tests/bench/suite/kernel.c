/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows that are the kernel's work: system calls, signals, switches between processes, new
 * processes, page faults, page tables, copies.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "suite.h"

enum { PAGE = 4096, TURNS = 1000 };

static uint64_t call(void *data)
{
    (void)data;
    for (int i = 0; i < 10000; i++) {
        syscall(SYS_getppid);
    }
    return 0;
}

static uint64_t read_clock(void *data)
{
    struct timespec now;

    (void)data;
    for (int i = 0; i < 10000; i++) {
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    return 0;
}

/* A handler has no argument of ours: the one variable that stands outside a row's data. */
static volatile sig_atomic_t signalled;

static void on_signal(int number)
{
    signalled += number;
}

static uint64_t signals(void *data)
{
    (void)data;
    signal(SIGUSR1, on_signal);
    signalled = 0;
    for (int i = 0; i < 1000; i++) {
        raise(SIGUSR1);
    }
    return (uint64_t)signalled;
}

/* A byte goes to a second process and comes back. */
typedef struct Pipes {
    int down[2], up[2];
} Pipes;

static void answer(const Pipes *pipes)
{
    char byte;

    close(pipes->down[1]);
    close(pipes->up[0]);
    while (read(pipes->down[0], &byte, 1) == 1 && write(pipes->up[1], &byte, 1) == 1) {
    }
}

static void setup_pipe(void *data)
{
    Pipes *pipes = data;

    if (pipe2(pipes->down, O_CLOEXEC) || pipe2(pipes->up, O_CLOEXEC)) {
        die("pipe");
    }
    pid_t peer = fork();
    if (peer < 0) {
        die("fork");
    }
    if (!peer) {
        answer(pipes);
        _exit(0);
    }
    close(pipes->down[0]);
    close(pipes->up[1]);
}

static void setup_pipe_on_one_cpu(void *data)
{
    pin_to(0);
    setup_pipe(data);
}

static void finish_pipe(void *data)
{
    Pipes *pipes = data;

    close(pipes->down[1]);
    wait(NULL);
}

static uint64_t ask(void *data)
{
    const Pipes *pipes = data;
    char byte = 'p';

    for (int i = 0; i < 500; i++) {
        if (write(pipes->down[1], &byte, 1) != 1 || read(pipes->up[0], &byte, 1) != 1) {
            die("a pipe ended");
        }
    }
    return (uint64_t)byte;
}

/* Two threads wait for each other by futex. */
typedef struct Turns {
    uint32_t turn; /* whose it is */
    int cpu[2];
} Turns;

static void take_turns(Turns *turns, uint32_t me)
{
    for (int i = 0; i < TURNS; i++) {
        uint32_t now;
        while ((now = __atomic_load_n(&turns->turn, __ATOMIC_ACQUIRE)) != me) {
            syscall(SYS_futex, &turns->turn, FUTEX_WAIT_PRIVATE, now, NULL, NULL, 0);
        }
        __atomic_store_n(&turns->turn, !me, __ATOMIC_RELEASE);
        syscall(SYS_futex, &turns->turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
}

static void *second_thread(void *data)
{
    Turns *turns = data;

    pin_to(turns->cpu[1]);
    take_turns(turns, 1);
    return NULL;
}

static uint64_t wake_each_other(void *data)
{
    Turns *turns = data;
    pthread_t second;

    turns->turn = 0;
    pin_to(turns->cpu[0]);
    if (pthread_create(&second, NULL, second_thread, turns)) {
        die("pthread_create");
    }
    take_turns(turns, 0);
    pthread_join(second, NULL);
    return turns->turn;
}

static void setup_two_cpus(void *data)
{
    ((Turns *)data)->cpu[1] = 1;
}

/* @status of a child that this waits for, or -1. */
static int status_of(pid_t child)
{
    int status = 0;

    if (child < 0 || waitpid(child, &status, 0) < 0) {
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static uint64_t forks(void *data)
{
    uint64_t bad = 0;

    (void)data;
    for (int i = 0; i < 10; i++) {
        pid_t child = fork();
        if (!child) {
            _exit(CHILD_STATUS);
        }
        bad += status_of(child) != CHILD_STATUS;
    }
    return bad;
}

/* On its own: what vfork() returns twice into must have no locals that change. */
__attribute__((noinline)) static pid_t run_myself(void)
{
    pid_t child = vfork();

    if (!child) {
        execl("/proc/self/exe", "insbench", CHILD_WORD, (char *)NULL);
        _exit(1);
    }
    return child;
}

static uint64_t programs(void *data)
{
    uint64_t bad = 0;

    (void)data;
    for (int i = 0; i < 5; i++) {
        bad += status_of(run_myself()) != CHILD_STATUS;
    }
    return bad;
}

static uint8_t *map(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED) {
        die("mmap");
    }
    return at;
}

static uint64_t faults(void *data)
{
    const size_t size = 1024 * PAGE;
    uint8_t *at = map(size);
    uint64_t total = 0;

    (void)data;
    madvise(at, size, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < size; i += PAGE) {
        at[i] = (uint8_t)(i / PAGE);
        total += at[i + 1];
    }
    total += at[77 * PAGE];
    munmap(at, size);
    return total;
}

static uint64_t protect(void *data)
{
    const size_t size = 16 * PAGE;
    uint8_t *at = *(uint8_t **)data;

    for (int i = 0; i < 500; i++) {
        mprotect(at, size, PROT_READ);
        mprotect(at, size, PROT_READ | PROT_WRITE);
        at[(i & 15) * PAGE] = (uint8_t)i;
    }
    return at[PAGE];
}

static void setup_protect(void *data)
{
    *(uint8_t **)data = map(16 * PAGE);
}

static uint64_t files(void *data)
{
    uint8_t *block = data;
    uint64_t total = 0;
    int fd = open("/tmp/insbench.data", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0) {
        die("/tmp/insbench.data");
    }
    for (int i = 0; i < 1024; i++) {
        block[0] = (uint8_t)i;
        if (write(fd, block, PAGE) != PAGE) {
            die("write");
        }
    }
    lseek(fd, 0, SEEK_SET);
    for (int i = 0; i < 1024; i++) {
        if (read(fd, block, PAGE) != PAGE) {
            die("read");
        }
        total += block[0];
    }
    close(fd);
    unlink("/tmp/insbench.data");
    return total;
}

enum { ZEROS = 65536 };
typedef struct Zeros {
    int fd;
    uint8_t buffer[ZEROS];
} Zeros;

static void setup_zeros(void *data)
{
    ((Zeros *)data)->fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
}

static uint64_t zeros(void *data)
{
    Zeros *zero = data;

    for (int i = 0; i < 64; i++) {
        if (read(zero->fd, zero->buffer, ZEROS) != ZEROS) {
            die("/dev/zero");
        }
    }
    return zero->buffer[99];
}

const Row kernel_rows[] = {
    { "sys", "syscall", "kcall/s", 10, 0, 0, call },
    { "sys", "clock", "kcall/s", 10, 0, 0, read_clock },
    { "sys", "signal", "ksig/s", 1, 1000 * SIGUSR1, 0, signals },
    { "sys", "pipe", "krt/s", 0.5, 'p', sizeof(Pipes), ask, setup_pipe, finish_pipe },
    { "sys", "pipe1cpu", "krt/s", 0.5, 'p', sizeof(Pipes), ask, setup_pipe_on_one_cpu,
      finish_pipe },
    { "sys", "ctxsw", "krt/s", 1, 0, sizeof(Turns), wake_each_other },
    { "sys", "fork", "fork/s", 10, 0, 0, forks },
    { "sys", "forkexec", "exec/s", 5, 0, 0, programs },
    { "sys", "pagefault", "kfault/s", 1.024, 77, 0, faults },
    { "sys", "mprotect", "kpair/s", 0.5, 0xf1, sizeof(void *), protect, setup_protect },
    { "sys", "tmpfs", "MB/s", 8.388608, 0x1fe00, PAGE, files },
    { "sys", "devzero", "MB/s", 64 * ZEROS / 1e6, 0, sizeof(Zeros), zeros, setup_zeros },
    { "smp", "futex2", "krt/s", 1, 0, sizeof(Turns), wake_each_other, setup_two_cpus },
    { 0 },
};
