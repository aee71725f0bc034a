/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of a VM's process: started, found again, ended, and its last words.
 *
 * Scripts stand for insula-vm.
 */
#include "manager/process.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_MS = 60000 };

typedef struct Place {
    char *folder, *program, *lock, *socket, *log;
    ProcessFiles files;
} Place;

static char *in(const Place *place, const char *name)
{
    return g_build_filename(place->folder, name, NULL);
}

static void make_place(Place *place, gconstpointer data)
{
    g_autofree char *above = g_dir_make_tmp("process-XXXXXX", NULL);

    /* longer than an address of a socket */
    place->folder = g_strdup_printf("%s/%0120d", above, 0);
    g_assert_cmpint(g_mkdir(place->folder, 0700), ==, 0);
    place->program = in(place, "program");
    place->lock = in(place, "lock");
    place->socket = in(place, "socket");
    place->log = in(place, "log");
    place->files = (ProcessFiles){ place->lock, place->socket, place->log };
}

static void remove_place(Place *place, gconstpointer data)
{
    const char *const paths[] = { place->program, place->lock, place->socket, place->log };
    g_autofree char *above = g_path_get_dirname(place->folder);

    for (unsigned i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_unlink(paths[i]);
    }
    g_rmdir(place->folder);
    g_rmdir(above);
    g_free(place->folder);
    g_free(place->program);
    g_free(place->lock);
    g_free(place->socket);
    g_free(place->log);
}

static bool start(Place *place, const char *script, Process *ret, GError **error)
{
    char word[] = "--word";
    char *const words[] = { word, NULL };
    g_autofree char *text = g_strdup_printf("#!/bin/sh\n%s\n", script);

    g_assert_true(g_file_set_contents(place->program, text, -1, NULL));
    g_chmod(place->program, 0700);
    return process_start(place->program, words, &place->files, -1, ret, error);
}

/* Wait for its end; how it ended. */
static int end(Process *process)
{
    struct pollfd end = { .fd = process->fd, .events = POLLIN };

    g_assert_cmpint(poll(&end, 1, WAIT_MS), ==, 1);
    int status = process_reap(process->fd);
    close(process->fd);
    close(process->control);
    return status;
}

static void test_found_again(Place *place, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    Process process, found;

    g_assert_false(process_lives(place->lock));
    g_assert_true(start(place, "exec sleep 600", &process, &error));
    g_assert_no_error(error);
    g_assert_true(process_lives(place->lock));
    /* by its number, and without it: a number that is another process's is no reason to believe */
    const pid_t hints[] = { process.pid, 0, getpid(), 1 };
    for (unsigned i = 0; i < G_N_ELEMENTS(hints); i++) {
        g_assert_true(process_find(&place->files, hints[i], &found, &error));
        g_assert_no_error(error);
        g_assert_cmpint(found.pid, ==, process.pid);
        close(found.fd);
        close(found.control);
    }
    g_assert_false(start(place, "exit 0", &found, &error)); /* one at a time */
    g_assert_nonnull(strstr(error->message, place->lock));
    g_clear_error(&error);
    process_kill(process.fd);
    g_assert_cmpint(end(&process), ==, 256 + SIGKILL);
    g_assert_false(process_lives(place->lock));
    g_assert_false(process_find(&place->files, process.pid, &found, &error));
    g_assert_nonnull(error);
}

static void test_last_words(Place *place, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    Process process;

    g_assert_true(start(place, "echo earlier >&2", &process, &error));
    g_assert_cmpint(end(&process), ==, 0);
    g_assert_true(start(place, "echo $@ >&2; printf 'and\\033[2J' >&2; exit 7", &process, &error));
    g_assert_cmpint(end(&process), ==, 7);
    g_autofree char *words = process_last_words(place->log, process.log_end);
    g_assert_cmpstr(words, ==, "--word --qmp fd:3 --lock 4;and\\x1b[2J");
    g_assert_null(process_last_words("/nonexistent", 0));
}

static void test_no_program(Place *place, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    char *const words[] = { NULL };
    Process process;

    g_assert_false(process_start("/nonexistent/vm", words, &place->files, -1, &process, &error));
    g_assert_nonnull(strstr(error->message, "/nonexistent/vm"));
    g_assert_false(process_lives(place->lock));
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(Place *place, gconstpointer data);
    } cases[] = {
        { "/process/is-found-again-by-its-lock", test_found_again },
        { "/process/its-last-words-are-kept", test_last_words },
        { "/process/what-cannot-start-leaves-no-lock", test_no_program },
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_add(cases[i].name, Place, NULL, make_place, cases[i].run, remove_place);
    }
    return g_test_run();
}
