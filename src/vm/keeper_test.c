/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the keeper: what it does for a VM process, and what it doesn't do for one that has been
 * taken over.
 *
 * The VM process is a function of the test; it says by its exit status what it found.
 */
#include "vm/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/confine.h"
#include "vm/sandbox.h"

enum { FINE = 50, WRONG = 51 };

typedef struct End {
    int status;
    int signal;
    char *said; /* on standard error */
} End;

/* In a process that is started as insula-vm is: fork, and be both halves. */
G_NORETURN static void be_program(const VmConfig *config, int (*vm)(Outside *outside), int result)
{
    Outside *outside = NULL;
    Status status = STATUS_DONE;
    End end = { 0 };

    if (keeper_fork(config, &outside, &status, &end.signal)) {
        _exit(vm(outside));
    }
    end.status = (int)status;
    g_assert_cmpint(write(result, &end, sizeof(end)), ==, sizeof(end));
    _exit(0);
}

static char *read_all(int fd)
{
    GString *text = g_string_new(NULL);
    char part[512];
    ssize_t n;

    while ((n = read(fd, part, sizeof(part))) > 0) {
        g_string_append_len(text, part, n);
    }
    close(fd);
    return g_string_free(text, FALSE);
}

static End keep(const VmConfig *config, int (*vm)(Outside *outside))
{
    End end = { .status = WRONG };
    int result[2], said[2];

    g_assert_cmpint(pipe(result), ==, 0);
    g_assert_cmpint(pipe(said), ==, 0);
    pid_t program = fork();
    if (!program) {
        dup2(said[1], STDERR_FILENO);
        close(said[0]);
        close(said[1]);
        be_program(config, vm, result[1]);
    }
    close(result[1]);
    close(said[1]);
    char *text = read_all(said[0]);
    g_assert_cmpint(read(result[0], &end, sizeof(end)), ==, sizeof(end));
    close(result[0]);
    g_assert_cmpint(waitpid(program, NULL, 0), ==, program);
    end.said = text;
    return end;
}

static VmConfig *quiet_config(void)
{
    VmConfig *config = vm_config_new();

    config->serial.kind = SERIAL_NONE; /* no terminal */
    return config;
}

static void expect(const VmConfig *config, int (*vm)(Outside *outside), int status, int number,
                   const char *says)
{
    End end = keep(config, vm);

    g_test_message("%s", end.said);
    g_assert_cmpint(end.status, ==, status);
    g_assert_cmpint(end.signal, ==, number);
    g_assert_true(says ? strstr(end.said, says) != NULL : !*end.said);
    g_free(end.said);
}

/* ---- ends ---- */

static int ends_well(Outside *outside)
{
    outside_end(outside, 0);
    return STATUS_DONE;
}

static int ends_by_signal(Outside *outside)
{
    outside_end(outside, SIGTERM);
    return STATUS_FAILED;
}

static int wants_to_stop_keeper(Outside *outside)
{
    outside_end(outside, SIGSTOP); /* no end at all */
    outside_stop(outside, -1);     /* nobody has pressed Ctrl-Z */
    return FINE;
}

static int is_killed(Outside *outside)
{
    syscall(SYS_kill, getpid(), SIGKILL); /* ignored by the first of its namespace */
    __builtin_trap();
}

static void test_ends(void)
{
    g_autoptr(VmConfig) config = quiet_config();

    expect(config, ends_well, STATUS_DONE, 0, NULL);
    expect(config, ends_by_signal, STATUS_FAILED, SIGTERM, NULL);
    expect(config, wants_to_stop_keeper, FINE, 0, NULL);
    End end = keep(config, is_killed);
    g_assert_true(end.signal == SIGKILL || end.signal == SIGILL || end.signal == SIGTRAP);
    g_assert_nonnull(strstr(end.said, "the machine's process was ended by signal "));
    g_free(end.said);
}

/* ---- last words ---- */

static int violates(Outside *outside)
{
    g_autofree char *missing = NULL;

    if (!sandbox_enter(outside, &(SandboxSpec){ .memory = 1 << 20, .cpus = 1 }, &missing, NULL)) {
        return WRONG;
    }
    confine_thread(THREAD_MAIN);
    syscall(SYS_personality, 0);
    return WRONG; /* not reached */
}

static void test_violation(void)
{
    g_autoptr(VmConfig) config = quiet_config();

    expect(config, violates, STATUS_FAILED, SIGSYS,
           "(personality), which threads of its kind may not");
}

/* ---- names ---- */

static int begins(Outside *outside)
{
    return outside_begin(outside, -1, NULL) ? FINE : WRONG;
}

static int begins_not(Outside *outside)
{
    return FINE;
}

static void test_names(void)
{
    g_autofree char *folder = g_dir_make_tmp("keeper-XXXXXX", NULL);
    g_autoptr(VmConfig) config = quiet_config();

    config->qmp.on = true;
    config->qmp.path = g_build_filename(folder, "qmp", NULL);
    g_assert_true(g_file_set_contents(config->qmp.path, "", 0, NULL));
    expect(config, begins_not, FINE, 0, NULL); /* it may be somebody else's */
    g_assert_true(g_file_test(config->qmp.path, G_FILE_TEST_EXISTS));
    expect(config, begins, FINE, 0, NULL);
    g_assert_false(g_file_test(config->qmp.path, G_FILE_TEST_EXISTS));
    g_rmdir(folder);
}

/* ---- files ---- */

static int saves(Outside *outside)
{
    int fd = outside_save(outside, "/etc/elsewhere", NULL); /* the name is for messages alone */
    bool good = fd >= 0 && write(fd, "state", 5) == 5;

    return good && outside_saved(outside, "/etc/elsewhere", true, NULL) ? FINE : WRONG;
}

static int may_not_save(Outside *outside)
{
    return outside_save(outside, "/tmp/x", NULL) < 0 &&
                   !outside_saved(outside, "/tmp/x", true, NULL)
               ? FINE
               : WRONG;
}

static void test_save(void)
{
    g_autofree char *folder = g_dir_make_tmp("keeper-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "state", NULL);
    g_autofree char *text = NULL;
    g_autoptr(VmConfig) config = quiet_config();

    expect(config, may_not_save, FINE, 0, NULL);
    config->save = g_strdup(path);
    expect(config, saves, FINE, 0, NULL);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "state");
    g_unlink(path);
    g_assert_cmpint(g_rmdir(folder), ==, 0); /* nothing else was made */
}

/* ---- networks ---- */

static int may_have_no_net(Outside *outside)
{
    int pair[2];
    NetHelper helper = { .mtu = 1500 };

    return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0 &&
                   outside_start_net(outside, &helper, pair[0], pair[1]) == -EPERM
               ? FINE
               : WRONG;
}

static int may_have_no_host(Outside *outside)
{
    int pair[2];
    NetHelper helper = { .mtu = 1500, .host = true };

    return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0 &&
                   outside_start_net(outside, &helper, pair[0], pair[1]) == -EPERM
               ? FINE
               : WRONG;
}

static void test_networks(void)
{
    g_autoptr(VmConfig) config = quiet_config();

    expect(config, may_have_no_host, FINE, 0, NULL);
    config->no_net = true;
    expect(config, may_have_no_net, FINE, 0, NULL);
    config->qmp.on = true;
    expect(config, may_have_no_net, FINE, 0, NULL);
}

/* ---- hostile questions ---- */

static int asks_nonsense(Outside *outside)
{
    uint8_t bytes[2 * sizeof(KeeperQuestion)];
    GRand *rand = g_rand_new_with_seed(4);

    for (unsigned turn = 0; turn < 2000; turn++) {
        size_t len =
            turn % 3 ? sizeof(KeeperQuestion) : (size_t)g_rand_int_range(rand, 0, sizeof(bytes));
        for (size_t i = 0; i < sizeof(bytes); i++) {
            bytes[i] = (uint8_t)g_rand_int(rand);
        }
        /* any question but the one that is the end of us */
        uint32_t ask = turn % 2 ? (uint32_t)g_rand_int_range(rand, 0, KEEPER_VIOLATION)
                                : KEEPER_ASKS + (uint32_t)turn;
        memcpy(bytes, &ask, sizeof(ask));
        if (send(KEEPER_FD, bytes, len, MSG_NOSIGNAL) < 0) {
            return WRONG;
        }
        while (recv(KEEPER_FD, bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {
            /* answers of no interest */
        }
    }
    g_rand_free(rand);
    return FINE;
}

static void test_nonsense(void)
{
    g_autoptr(VmConfig) config = quiet_config();
    End end;

    config->no_net = true;
    end = keep(config, asks_nonsense);
    g_assert_cmpint(end.status, ==, FINE);
    g_assert_cmpstr(end.said, ==, "");
    g_free(end.said);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/keeper/ends", test_ends);
    g_test_add_func("/keeper/violation", test_violation);
    g_test_add_func("/keeper/names", test_names);
    g_test_add_func("/keeper/save", test_save);
    g_test_add_func("/keeper/networks", test_networks);
    g_test_add_func("/keeper/nonsense", test_nonsense);
    return g_test_run();
}
