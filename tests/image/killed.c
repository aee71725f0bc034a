/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process that works on an image is killed at any moment: what was flushed is there, the image is
 * whole, and lost room can be given back.
 *
 * The process keeps its model of the disk in memory that it shares with us.  The negative control
 * says that it has flushed when it hasn't.  INSULA_SEED chooses the seed, INSULA_TIMES does more.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "work.h"

enum { KILLS = 200, KILLS_OF_SNAPSHOTS = 100, LIFE_US = 12000, START_MS = 10000, PATIENCE = 100 };

typedef struct Shared {
    Model model;
    int ready; /* the image is there */
} Shared;

typedef struct Case {
    const char *name;
    const WorkMix *mix;
    unsigned kills;
    bool lies;
} Case;

static const Case cases[] = {
    { "/image/killed/work", &work_usual, KILLS, false },
    { "/image/killed/together", &work_together, KILLS / 2, false },
    { "/image/killed/snapshots", &work_of_snapshots, KILLS_OF_SNAPSHOTS, false },
    { "/image/killed/lies-are-seen", &work_usual, KILLS, true },
};

static guint32 seed;
static unsigned times = 1;

G_NORETURN static void work_until_killed(const WorkKind *kind, const Case *c, guint32 with,
                                         Shared *shared)
{
    Work work;

    work_init(&work, kind, c->mix, NULL, &shared->model, with);
    work.lies = c->lies;
    __atomic_store_n(&shared->ready, 1, __ATOMIC_SEQ_CST);
    while (!work_step(&work)) {
        /* until we are killed */
    }
    _exit(1);
}

/* Let a process work, and kill it.  Whether it had begun. */
static bool kill_one(const WorkKind *kind, const Case *c, guint32 with, Shared *shared)
{
    int status = 0;

    memset(shared, 0, sizeof(*shared));
    pid_t child = fork();
    g_assert(child >= 0);
    if (child == 0) {
        work_until_killed(kind, c, with, shared);
    }
    for (unsigned ms = 0; !__atomic_load_n(&shared->ready, __ATOMIC_SEQ_CST) && ms < START_MS;
         ms++) {
        g_usleep(1000);
    }
    g_usleep((gulong)(with % LIFE_US));
    kill(child, SIGKILL);
    g_assert(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && shared->ready;
}

/* What a process had under way when it was killed keeps its files, and their locks, until the
 * kernel has ended that. */
static void wait_until_free(void)
{
    BlkOptions options = {
        .path = "disk", .format = "qcow2", .read_only = true, .no_backing = true
    };
    Blk *blk = NULL;

    for (unsigned i = 0; i < PATIENCE && !blk; i++) {
        g_autoptr(GError) error = NULL;
        blk = blk_open(&options, &error);
        if (!blk && !strstr(error->message, "is using it")) {
            break; /* what is wrong, is told by who looks */
        }
    }
    blk_close(blk);
}

static char *look(const WorkKind *kind, Shared *shared, bool ask_qemu, unsigned *leaks)
{
    BlkOptions backing = { .path = "base", .read_only = true };
    BlkOptions options = { .path = "disk", .format = "qcow2" };

    options.backing = kind->backing ? &backing : NULL;
    shared->model.exact = true;
    wait_until_free();
    if (ask_qemu) {
        int status = system("qemu-img check -q -f qcow2 disk >/dev/null 2>&1");
        if (WIFEXITED(status) && WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 3) {
            return g_strdup("QEMU's tools find damage");
        }
    }
    return model_check_crashed(&shared->model, &options, leaks);
}

static void test_killed(gconstpointer data)
{
    const Case *c = data;
    Shared *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    g_autofree char *qemu = g_find_program_in_path("qemu-img");
    g_autoptr(GRand) random = g_rand_new_with_seed(seed);
    unsigned wrong = 0, leaks = 0, kills = 0;

    g_assert(shared != MAP_FAILED);
    for (; kills < c->kills * times && !wrong; kills++) {
        const WorkKind *kind = &work_kinds[kills % WORK_KINDS];
        g_assert_true(kill_one(kind, c, g_rand_int(random), shared));
        g_autofree char *what = look(kind, shared, qemu && kills % 10 == 0, &leaks);
        if (what) {
            g_test_message("kill %u, %s: %s", kills, kind->name, what);
            wrong++;
        }
    }
    g_test_message("%u kills, %u wrong, %u clusters lost", kills, wrong, leaks);
    g_assert_cmpuint(wrong, ==, c->lies);
    munmap(shared, sizeof(*shared));
}

int main(int argc, char **argv)
{
    const char *said = g_getenv("INSULA_SEED"), *more = g_getenv("INSULA_TIMES");
    g_autofree char *folder = g_dir_make_tmp("insula-killed-XXXXXX", NULL);

    g_test_init(&argc, &argv, NULL);
    seed = said ? (guint32)g_ascii_strtoull(said, NULL, 10) : g_random_int();
    times = more ? (unsigned)MAX(atoi(more), 1) : 1;
    printf("# INSULA_SEED=%u\n", seed);
    g_assert(folder && chdir(folder) == 0);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_add_data_func(cases[i].name, &cases[i], test_killed);
    }
    int status = g_test_run();
    unlink("disk");
    unlink("base");
    rmdir(folder);
    return status;
}
