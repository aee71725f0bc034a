/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * insbench: runs rows of the suite, see suite.h.
 *
 *   insbench -l                              what rows there are: group, name, unit
 *   insbench [-t SECONDS] [NAME|@GROUP]...   runs these, or all, for so long each (1)
 *   insbench -serve                          runs a row for each line "NAME SECONDS" that it reads
 *
 * A row prints "BENCH-BEGIN name" when its clock starts to run and "BENCH name rate unit n=calls
 * t=seconds" when it has stopped; or "BENCH-BAD name why".  So that somebody outside can hold a
 * clock of his own against ours, both come at once.  -serve says "BENCH-READY" when it waits for a
 * line.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "suite.h"

enum { LINE_MAX_BYTES = 256 };

static const Row *const lists[] = {
    integer_rows, float_rows, memory_rows, branch_rows,
    kernel_rows,  code_rows,  thread_rows, command_rows,
};
enum { LISTS = sizeof(lists) / sizeof(lists[0]) };

_Noreturn void die(const char *what)
{
    fprintf(stderr, "insbench: %s: %s\n", what, strerror(errno));
    exit(1);
}

uint64_t mix_double(uint64_t sum, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return mix(sum, bits);
}

void pin_to(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof(set), &set);
}

void fill_buffer(void *data)
{
    Buffers *buffers = data;
    uint32_t state = 12345;

    for (int i = 0; i < BUFFER_SIZE; i++) {
        buffers->a[i] = (uint8_t)(next_random(&state) >> 11);
    }
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void say(const Row *row, long calls, double seconds)
{
    printf("BENCH %s %.4f %s n=%ld t=%.4f\n", row->name, row->per_call * (double)calls / seconds,
           row->unit, calls, seconds);
    fflush(stdout);
}

static void say_bad(const Row *row, const char *why, uint64_t value)
{
    printf("BENCH-BAD %s %s %#" PRIx64 "\n", row->name, why, value);
    fflush(stdout);
}

static void *allocate(size_t size)
{
    void *data =
        size ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : NULL;

    if (data == MAP_FAILED) {
        die("mmap");
    }
    return data;
}

/* Whether each of the row's calls returned what it must; the first one is not timed. */
static bool compute(const Row *row, double seconds)
{
    void *data = allocate(row->data_size);

    if (row->setup) {
        row->setup(data);
    }
    uint64_t result = row->run(data);
    bool good = result == row->check;
    long calls = 0;
    double passed = 0;
    printf("BENCH-BEGIN %s\n", row->name);
    fflush(stdout);
    double begun = now();
    while (good && (passed < seconds || !calls)) {
        result = row->run(data);
        good = result == row->check;
        calls++;
        passed = now() - begun;
    }
    if (good) {
        say(row, calls, passed);
    } else {
        say_bad(row, "computed", result);
    }
    if (row->finish) {
        row->finish(data);
    }
    return good;
}

static _Noreturn void become_shell(const char *command)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    execlp("sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static bool run_command(const Row *row)
{
    int status = -1;

    make_text();
    printf("BENCH-BEGIN %s\n", row->name);
    fflush(stdout);
    double begun = now();
    pid_t child = fork();
    if (!child) {
        become_shell(row->command);
    }
    waitpid(child, &status, 0);
    double passed = now() - begun;
    if (status) {
        say_bad(row, "ended with status", (uint64_t)status);
        return false;
    }
    say(row, 1, passed);
    return true;
}

/* Whether the row, in a process of its own, came to its end and was right. */
static bool run_row(const Row *row, double seconds)
{
    int status = -1;
    pid_t child = fork();

    if (!child) {
        exit(row->run ? !compute(row, seconds) : !run_command(row));
    }
    waitpid(child, &status, 0);
    if (status && !WIFEXITED(status)) {
        say_bad(row, "died of signal", (uint64_t)WTERMSIG(status));
    }
    return status == 0;
}

/* Whether @name means this row: its own name, or "@" and that of its group, or nothing at all. */
static bool is_meant(const Row *row, const char *name)
{
    return !name || strcmp(row->name, name) == 0 ||
           (*name == '@' && strcmp(row->group, name + 1) == 0);
}

/* Runs all rows that @name means; false when one is wrong, or there is none. */
static bool run_named(const char *name, double seconds)
{
    bool good = true;
    int found = 0;

    for (int list = 0; list < LISTS; list++) {
        for (const Row *row = lists[list]; row->name; row++) {
            if (is_meant(row, name)) {
                found++;
                good &= run_row(row, seconds);
            }
        }
    }
    if (!found) {
        printf("BENCH-BAD %s is no row: see insbench -l\n", name);
    }
    return good && found;
}

static void list_rows(void)
{
    for (int list = 0; list < LISTS; list++) {
        for (const Row *row = lists[list]; row->name; row++) {
            printf("%s %s %s\n", row->group, row->name, row->unit);
        }
    }
}

static void serve(void)
{
    char line[LINE_MAX_BYTES];
    char name[LINE_MAX_BYTES];
    double seconds;

    for (;;) {
        puts("BENCH-READY");
        fflush(stdout);
        if (!fgets(line, sizeof(line), stdin)) {
            return;
        }
        if (sscanf(line, "%255s %lf", name, &seconds) == 2) {
            run_named(name, seconds);
        }
    }
}

int main(int argc, char **argv)
{
    double seconds = 1;
    bool good = true;

    if (argc > 1 && strcmp(argv[1], CHILD_WORD) == 0) {
        return CHILD_STATUS;
    }
    if (argc == 2 && strcmp(argv[1], "-l") == 0) {
        list_rows();
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "-serve") == 0) {
        serve();
        return 0;
    }
    if (argc > 2 && strcmp(argv[1], "-t") == 0) {
        seconds = atof(argv[2]);
        argc -= 2;
        argv += 2;
    }
    for (int i = 1; i < argc; i++) {
        good &= run_named(argv[i], seconds);
    }
    return argc > 1 ? !good : !run_named(NULL, seconds);
}
