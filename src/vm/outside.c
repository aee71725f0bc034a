/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a VM process asks of the world outside, see outside.h.
 */
#include "vm/outside.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/error.h"
#include "vm/keeper.h"
#include "vm/save.h"
#include "vm/terminal.h"

struct Outside {
    int signals;
    int missing_pids;
};

Outside *outside_new(int signals, int missing_pids)
{
    Outside *outside = g_new0(Outside, 1);

    *outside = (Outside){ signals, missing_pids };
    return outside;
}

void outside_free(Outside *outside)
{
    if (outside) {
        close(outside->signals);
        g_free(outside);
    }
}

int outside_signals(const Outside *outside)
{
    return outside->signals;
}

int outside_missing_pids(const Outside *outside)
{
    return outside->missing_pids;
}

/* Pass a question with @n descriptors, and wait for its answer, which may have one in *@ret_fd (may
 * be NULL).  A keeper that has gone is an error like any other: we follow soon. */
static KeeperAnswer ask(const KeeperQuestion *question, const int *fds, unsigned n, int *ret_fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control = { 0 };
    KeeperAnswer answer = { .error = EPIPE };
    struct iovec out = { (void *)(uintptr_t)question, sizeof(*question) };
    struct iovec in = { &answer, sizeof(answer) };
    struct msghdr message = { .msg_iov = &out, .msg_iovlen = 1 };

    if (n) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(n * sizeof(int));
        control.header = (struct cmsghdr){ CMSG_LEN(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
        memcpy(CMSG_DATA(&control.header), fds, n * sizeof(int));
    }
    if (sendmsg(KEEPER_FD, &message, MSG_NOSIGNAL) != sizeof(*question)) {
        return answer;
    }
    message = (struct msghdr){ .msg_iov = &in,
                               .msg_iovlen = 1,
                               .msg_control = control.bytes,
                               .msg_controllen = sizeof(control.bytes) };
    if (recvmsg(KEEPER_FD, &message, MSG_CMSG_CLOEXEC) != sizeof(answer)) {
        return (KeeperAnswer){ .error = EPIPE };
    }
    const struct cmsghdr *passed = CMSG_FIRSTHDR(&message);
    if (ret_fd) {
        *ret_fd = -1;
        if (passed && passed->cmsg_type == SCM_RIGHTS) {
            memcpy(ret_fd, CMSG_DATA(passed), sizeof(*ret_fd));
        }
    }
    return answer;
}

bool outside_begin(Outside *outside, int raw_fd, GError **error)
{
    const KeeperQuestion question = { .ask = KEEPER_BEGIN };

    if (!outside) {
        return raw_fd < 0 || terminal_raw(raw_fd, error);
    }
    KeeperAnswer answer = ask(&question, NULL, 0, NULL);
    if (answer.error) {
        set_error_errno(error, answer.error, "cannot put the terminal into raw mode");
        return false;
    }
    terminal_told(answer.value);
    return true;
}

void outside_stop(Outside *outside, int raw_fd)
{
    const KeeperQuestion question = { .ask = KEEPER_STOP };
    bool raw = terminal_is_raw();

    if (outside) {
        ask(&question, NULL, 0, NULL);
        return;
    }
    terminal_restore();
    kill(getpid(), SIGSTOP); /* here time passes, until somebody sends SIGCONT */
    if (raw) {
        terminal_raw(raw_fd, NULL);
    }
}

pid_t outside_start_net(Outside *outside, const NetHelper *helper, int frames, int control)
{
    const KeeperQuestion question = { .ask = KEEPER_NET, .net = *helper };
    const int fds[] = { frames, control };

    if (!outside) {
        return net_helper_start(helper, frames, control);
    }
    KeeperAnswer answer = ask(&question, fds, G_N_ELEMENTS(fds), NULL);
    return answer.error ? -answer.error : answer.value;
}

int outside_save(Outside *outside, const char *path, GError **error)
{
    const KeeperQuestion question = { .ask = KEEPER_SAVE };
    int fd = -1;

    if (!outside) {
        return save_file_new(path, error);
    }
    KeeperAnswer answer = ask(&question, NULL, 0, &fd);
    if (answer.error || fd < 0) {
        set_error_errno(error, answer.error ? answer.error : EPROTO,
                        "cannot make state file '%s.part'", path);
    }
    return fd;
}

bool outside_saved(Outside *outside, const char *path, bool good, GError **error)
{
    const KeeperQuestion question = { .ask = KEEPER_SAVED, .number = good };

    if (!outside) {
        return save_file_done(path, good, error);
    }
    KeeperAnswer answer = ask(&question, NULL, 0, NULL);
    if (answer.error && good) {
        set_error_errno(error, answer.error, "cannot make state file '%s'", path);
    }
    return good && !answer.error;
}

int outside_thread(Outside *outside, int id)
{
    const KeeperQuestion question = { .ask = KEEPER_THREAD, .number = id };

    return outside ? ask(&question, NULL, 0, NULL).value : id;
}

void outside_end(Outside *outside, int number)
{
    const KeeperQuestion question = { .ask = KEEPER_END, .number = number };

    if (outside) {
        ask(&question, NULL, 0, NULL);
    }
}
