/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VM process locks itself in, see sandbox.h.
 *
 * A call that a thread may not make is SIGSYS, whose handler tells the keeper which and who, and
 * dies: a second such call, in the handler, is the end, and no other handler can be set.
 */
#include "vm/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/confine.h"
#include "common/error.h"
#include "config/limits.h"
#include "vm/keeper.h"

/* What a VM takes beside its guest's RAM at most: translated code and its records, queues, caches
 * of disks.  Addresses, not memory that is used: threads' stacks and arenas are mostly holes. */
#define OVERHEAD (UINT64_C(8) << 30)

/* Threads besides vCPUs: a dozen of ours, the kernel's for our ring. */
enum { DESCRIPTORS = 1024, OTHER_THREADS = 512 };

/* --- descriptors --- */

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

bool sandbox_prepare(const VmConfig *config, int signals)
{
    int kept[8 + CONFIG_NETS_MAX] = { STDERR_FILENO, KEEPER_FD, signals };
    unsigned n = 3;

    if (config->qmp.on && !config->qmp.path) {
        kept[n++] = config->qmp.fd;
    }
    if (config->screen.kind == SCREEN_FD) {
        kept[n++] = config->screen.fd;
    }
    for (unsigned i = 0; i < config->nets->len && n < G_N_ELEMENTS(kept); i++) {
        const NetConfig *net = g_ptr_array_index(config->nets, i);
        if (net->kind == NET_TAP) {
            kept[n++] = net->fd;
        }
    }
    qsort(kept, n, sizeof(*kept), compare);
    for (unsigned i = 0; i < n; i++) {
        unsigned from = (unsigned)kept[i] + 1, to = i + 1 < n ? (unsigned)kept[i + 1] - 1 : ~0U;
        if (kept[i] >= STDERR_FILENO && from <= to && close_range(from, to, 0)) {
            return false;
        }
    }
    return true;
}

/* --- last words --- */

static void on_violation(int number, siginfo_t *info, void *context)
{
    KeeperQuestion last = { .ask = KEEPER_VIOLATION, .number = info->si_syscall };

    prctl(PR_GET_NAME, last.thread, 0, 0, 0);
    ssize_t ignored = send(KEEPER_FD, &last, sizeof(last), MSG_NOSIGNAL);
    (void)ignored;
    syscall(SYS_ptrace, PTRACE_TRACEME, 0, NULL, NULL); /* SIGSYS is blocked now: this ends us */
    _exit(STATUS_FAILED);
}

/* --- */

/* GLib opens files for the first random number, and for the text of each error that it is asked for
 * the first time. */
static void warm_up(void)
{
    volatile size_t seen = g_random_int(); /* or the compiler may leave all of it out */

    for (int err = 1; err <= EHWPOISON; err++) {
        seen += strlen(g_strerror(err));
    }
    (void)seen;
}

bool sandbox_enter(const Outside *outside, const SandboxSpec *spec, char **ret_missing,
                   GError **error)
{
    JailSpec jail = {
        .max_descriptors = DESCRIPTORS,
        .max_tasks = OTHER_THREADS + spec->cpus,
        .max_memory = spec->memory + OVERHEAD,
        .no_network = true,
        .dies_with_parent = true,
    };
    struct sigaction action = { .sa_sigaction =
                                    spec->on_violation ? spec->on_violation : on_violation,
                                .sa_flags = SA_SIGINFO };
    g_autofree char *missing = NULL;
    int pids = outside_missing_pids(outside);

    warm_up();
    sigemptyset(&action.sa_mask);
    sigaction(SIGSYS, &action, NULL);
    confine_fill(&jail);
    if (!jail_enter(&jail, &missing, error)) {
        return false;
    }
    *ret_missing = pids ? g_strdup_printf("a namespace of processes (%s)%s%s", g_strerror(pids),
                                          missing ? ", " : "", missing ? missing : "")
                        : g_steal_pointer(&missing);
    return true;
}
