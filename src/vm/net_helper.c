/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starts program insula-net, see net_helper.h.
 */
#include "vm/net_helper.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>

#include "common/program.h"
#include "net/limits.h"

/* Descriptors in insula-net. */
enum { CHILD_FRAMES = 3, CHILD_CONTROL = 4 };
/* How long it may take to end. */
enum { PATIENCE_MS = 5000, STEP_MS = 5 };

static char **child_words(const char *path, const NetHelper *helper)
{
    g_autoptr(GStrvBuilder) words = g_strv_builder_new();
    const uint8_t *mac = helper->mac;
    g_autofree char *mtu =
        g_strdup_printf("--mtu=%d", helper->mtu ? (int)helper->mtu : (int)NET_USUAL_MTU);
    g_autofree char *mac_word = g_strdup_printf("--mac=%02x:%02x:%02x:%02x:%02x:%02x", mac[0],
                                                mac[1], mac[2], mac[3], mac[4], mac[5]);
    g_autofree char *frames = g_strdup_printf("--frames=%d", CHILD_FRAMES);
    g_autofree char *control = g_strdup_printf("--control=%d", CHILD_CONTROL);

    g_strv_builder_add_many(words, path, frames, control, mtu, mac_word, NULL);
    if (helper->host) {
        g_strv_builder_add(words, "--host");
    }
    if (helper->no_ipv6) {
        g_strv_builder_add(words, "--no-ipv6");
    }
    return g_strv_builder_end(words);
}

pid_t net_helper_start(const NetHelper *helper, int frames, int control)
{
    g_autofree char *path = program_find("insula-net", "net");
    char *const environment[] = { NULL };
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;

    if (!path) {
        return -ENOENT;
    }
    g_auto(GStrv) words = child_words(path, helper);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, frames, CHILD_FRAMES);
    posix_spawn_file_actions_adddup2(&actions, control, CHILD_CONTROL);
    int err = posix_spawn(&pid, path, &actions, NULL, words, environment);
    posix_spawn_file_actions_destroy(&actions);
    return err ? -err : pid;
}

void net_helper_end(pid_t pid)
{
    const struct timespec step = { .tv_nsec = STEP_MS * 1000 * 1000 };

    for (unsigned ms = 0; ms < PATIENCE_MS; ms += STEP_MS) {
        if (waitpid(pid, NULL, WNOHANG) != 0) {
            return;
        }
        nanosleep(&step, NULL);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
