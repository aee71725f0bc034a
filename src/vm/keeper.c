/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keeper of a VM process, see keeper.h.
 */
#include "vm/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/error.h"
#include "common/jail.h"
#include "config/limits.h"
#include "vm/report.h"
#include "vm/sandbox.h"
#include "vm/save.h"
#include "vm/signals.h"
#include "vm/terminal.h"

typedef struct Keeper {
    const VmConfig *config;
    pid_t vm;
    int questions; /* our ends of the sockets */
    int orders;
    int signals;   /* signalfd */
    bool begun;    /* the sockets' names are ours to remove */
    bool stopping; /* the machine was told of Ctrl-Z */
    bool violated;
    int end_signal;              /* that the machine has ended by, or 0 */
    pid_t nets[CONFIG_NETS_MAX]; /* processes insula-net, or 0 */
    int wait_status;             /* of .vm, once it has ended */
    bool ended;
} Keeper;

/* ---- questions ---- */

/* What a handler works on. */
typedef struct Asked {
    const KeeperQuestion *question;
    const int *fds; /* two, or -1 */
    int ret_fd;     /* goes with the answer, and is closed; -1: none */
} Asked;

static bool uses_terminal(const VmConfig *config)
{
    return config->serial.kind == SERIAL_STDIO || config->console.kind == SERIAL_STDIO;
}

static KeeperAnswer begin(Keeper *k, Asked *asked)
{
    g_autoptr(GError) error = NULL;

    if (!k->begun && uses_terminal(k->config) && !terminal_raw(STDIN_FILENO, &error)) {
        return (KeeperAnswer){ .error = EIO };
    }
    k->begun = true;
    return (KeeperAnswer){ .value = terminal_is_raw() };
}

static KeeperAnswer stop(Keeper *k, Asked *asked)
{
    bool raw = terminal_is_raw();

    if (!k->stopping) {
        return (KeeperAnswer){ .error = EPERM };
    }
    k->stopping = false;
    terminal_restore();
    raise(SIGSTOP); /* here time passes, until somebody sends SIGCONT */
    if (raw) {
        terminal_raw(STDIN_FILENO, NULL);
    }
    return (KeeperAnswer){ 0 };
}

/* Whether the command line lets this machine have a user network: it has one, or somebody who may
 * plug one in. */
static bool may_have_net(const VmConfig *config, const NetHelper *helper)
{
    bool user = !config->nets->len && !config->no_net, host = false;

    for (unsigned i = 0; i < config->nets->len; i++) {
        const NetConfig *net = g_ptr_array_index(config->nets, i);
        user |= net->kind == NET_USER;
        host |= net->kind == NET_USER && net->host;
    }
    return (user || (config->qmp.on && config->sandbox.net)) && (host || !helper->host);
}

static KeeperAnswer start_net(Keeper *k, Asked *asked)
{
    const NetHelper *helper = &asked->question->net;
    unsigned i = 0;

    while (i < CONFIG_NETS_MAX && k->nets[i]) {
        i++;
    }
    if (i == CONFIG_NETS_MAX || asked->fds[1] < 0) {
        return (KeeperAnswer){ .error = EMFILE };
    }
    if (!may_have_net(k->config, helper)) {
        return (KeeperAnswer){ .error = EPERM };
    }
    pid_t pid = net_helper_start(helper, asked->fds[0], asked->fds[1]);
    if (pid < 0) {
        return (KeeperAnswer){ .error = -pid };
    }
    k->nets[i] = pid;
    return (KeeperAnswer){ .value = pid };
}

static KeeperAnswer save(Keeper *k, Asked *asked)
{
    g_autoptr(GError) error = NULL;

    if (!k->config->save) {
        return (KeeperAnswer){ .error = EPERM };
    }
    errno = EIO;
    asked->ret_fd = save_file_new(k->config->save, &error);
    return (KeeperAnswer){ .error = asked->ret_fd < 0 ? errno : 0 };
}

static KeeperAnswer saved(Keeper *k, Asked *asked)
{
    g_autoptr(GError) error = NULL;

    if (!k->config->save) {
        return (KeeperAnswer){ .error = EPERM };
    }
    errno = EIO;
    bool good = save_file_done(k->config->save, asked->question->number, &error);
    return (KeeperAnswer){ .error = good ? 0 : errno };
}

/* The last number in the line "NSpid:" of /proc/PID/task/TID/status. */
static int inner_number(pid_t vm, const char *thread)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task/%s/status", vm, thread);
    g_autofree char *text = NULL;
    const char *line = NULL;

    if (g_file_get_contents(path, &text, NULL, NULL)) {
        line = strstr(text, "\nNSpid:");
    }
    const char *last = line ? line + strcspn(line + 1, "\n") : NULL;
    while (last && last > line && g_ascii_isdigit(*last)) {
        last--;
    }
    return last ? atoi(last + 1) : 0;
}

static KeeperAnswer thread_number(Keeper *k, Asked *asked)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task", k->vm);
    g_autoptr(GDir) tasks = g_dir_open(path, 0, NULL);
    const char *name;

    while (tasks && (name = g_dir_read_name(tasks))) {
        if (inner_number(k->vm, name) == asked->question->number) {
            return (KeeperAnswer){ .value = atoi(name) };
        }
    }
    return (KeeperAnswer){ .value = 0 };
}

static KeeperAnswer end(Keeper *k, Asked *asked)
{
    int number = asked->question->number;

    k->end_signal = number == SIGTERM || number == SIGINT || number == SIGHUP ? number : 0;
    return (KeeperAnswer){ 0 };
}

static void violation(Keeper *k, const KeeperQuestion *question)
{
    g_autofree char *name = g_strndup(question->thread, KEEPER_NAME);
    char *call = seccomp_syscall_resolve_num_arch(seccomp_arch_native(), question->number);

    kill(k->vm, SIGKILL);
    if (!k->violated) {
        terminal_restore();
        report("the sandbox has ended the machine: its thread '%s' made system call %d (%s), which "
               "threads of its kind may not; either a guest has taken it over, or this is a defect",
               name, question->number, call ? call : "unknown");
    }
    k->violated = true;
    free(call);
}

static KeeperAnswer (*const handlers[KEEPER_ASKS])(Keeper *k, Asked *asked) = {
    [KEEPER_BEGIN] = begin, [KEEPER_STOP] = stop,   [KEEPER_NET] = start_net,
    [KEEPER_SAVE] = save,   [KEEPER_SAVED] = saved, [KEEPER_THREAD] = thread_number,
    [KEEPER_END] = end,
};

/* Take a question with at most two descriptors; false: there is none, or nobody asks any more. */
static bool receive(int fd, KeeperQuestion *ret_question, int ret_fds[2])
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control;
    struct iovec in = { ret_question, sizeof(*ret_question) };
    struct msghdr message = { .msg_iov = &in,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof(control.bytes) };
    ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    const struct cmsghdr *passed = n >= 0 ? CMSG_FIRSTHDR(&message) : NULL;

    ret_fds[0] = ret_fds[1] = -1;
    if (passed && passed->cmsg_level == SOL_SOCKET && passed->cmsg_type == SCM_RIGHTS) {
        memcpy(ret_fds, CMSG_DATA(passed), passed->cmsg_len - CMSG_LEN(0));
    }
    return n == sizeof(*ret_question);
}

static void answer(Keeper *k, const KeeperAnswer *said, int fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
    struct iovec out = { (void *)(uintptr_t)said, sizeof(*said) };
    struct msghdr message = { .msg_iov = &out, .msg_iovlen = 1 };

    if (fd >= 0) {
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
    }
    /* who doesn't take its answers gets none */
    sendmsg(k->questions, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Serve a question; false: there is none. */
static bool serve(Keeper *k)
{
    KeeperQuestion question;
    int fds[2];
    bool there = receive(k->questions, &question, fds);
    Asked asked = { &question, fds, -1 };

    if (there && question.ask == KEEPER_VIOLATION) {
        violation(k, &question);
    } else if (there && question.ask < KEEPER_ASKS) {
        KeeperAnswer said = handlers[question.ask](k, &asked);
        answer(k, &said, asked.ret_fd);
    }
    for (unsigned i = 0; i < 2; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    if (asked.ret_fd >= 0) {
        close(asked.ret_fd);
    }
    return there;
}

/* ---- children ---- */

static void reap(Keeper *k)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == k->vm) {
            k->wait_status = status;
            k->ended = true;
        }
        for (unsigned i = 0; i < CONFIG_NETS_MAX; i++) {
            k->nets[i] = k->nets[i] == pid ? 0 : k->nets[i];
        }
    }
}

static void on_signal(Keeper *k)
{
    struct signalfd_siginfo info;

    if (read(k->signals, &info, sizeof(info)) != sizeof(info)) {
        return;
    }
    int number = (int)info.ssi_signo;
    k->stopping |= number == SIGTSTP;
    if (number == SIGCHLD) {
        reap(k);
    } else if (number == SIGCONT) {
        terminal_again();
    } else if (send(k->orders, &number, sizeof(number), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
               errno == EAGAIN) {
        report("the machine doesn't listen to signal %d (%s)", number, g_strsignal(number));
    }
}

static void watch(Keeper *k)
{
    struct pollfd fds[] = { { .fd = k->signals, .events = POLLIN },
                            { .fd = k->questions, .events = POLLIN } };

    while (!k->ended) {
        if (poll(fds, G_N_ELEMENTS(fds), -1) < 0 && errno != EINTR) {
            return;
        }
        if (fds[0].revents) {
            on_signal(k);
        }
        if (fds[1].revents && !serve(k) && fds[1].revents & POLLHUP) {
            fds[1].fd = -1; /* it is about to end */
        }
    }
}

/* ---- the end ---- */

static void remove_names(const VmConfig *config)
{
    const char *const names[] = {
        config->serial.kind == SERIAL_UNIX ? config->serial.path : NULL,
        config->console.kind == SERIAL_UNIX ? config->console.path : NULL,
        config->gdb.kind == GDB_UNIX ? config->gdb.path : NULL,
        config->qmp.on ? config->qmp.path : NULL,
        config->screen.kind == SCREEN_UNIX ? config->screen.path : NULL,
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        if (names[i]) {
            unlink(names[i]);
        }
    }
}

/* How the machine has ended, in the way of a process that has no keeper. */
static Status tell_end(Keeper *k, int *ret_signal)
{
    const struct rlimit none = { 0, 0 };

    *ret_signal = k->end_signal;
    if (WIFEXITED(k->wait_status)) {
        return (Status)WEXITSTATUS(k->wait_status);
    }
    setrlimit(RLIMIT_CORE, &none); /* there is nothing to see in ours */
    *ret_signal = k->violated ? SIGSYS : WTERMSIG(k->wait_status);
    if (!k->violated) {
        report("the machine's process was ended by signal %d (%s)", *ret_signal,
               g_strsignal(*ret_signal));
    }
    return STATUS_FAILED;
}

static Status keep(Keeper *k, int *ret_signal)
{
    watch(k);
    while (serve(k)) {
        /* what it said last */
    }
    terminal_restore();
    if (k->begun) {
        remove_names(k->config);
    }
    close(k->questions);
    for (unsigned i = 0; i < CONFIG_NETS_MAX; i++) {
        if (k->nets[i]) {
            net_helper_end(k->nets[i]);
        }
    }
    return tell_end(k, ret_signal);
}

/* ---- the begin ---- */

/* A pair of sockets for whole messages. */
static bool make_pair(int fds[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0;
}

/* In the VM process: the sockets' other ends, and nothing else that nobody named. */
static Outside *become_vm(const VmConfig *config, int questions, int signals, int missing_pids)
{
    bool good = fcntl(KEEPER_FD, F_GETFD) < 0 || KEEPER_FD == questions;

    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* once more when it is locked in */
    good = good && (KEEPER_FD == questions || dup3(questions, KEEPER_FD, O_CLOEXEC) == KEEPER_FD);
    if (!good || !sandbox_prepare(config, signals)) {
        report("cannot use descriptor %d for the sandbox: %s", KEEPER_FD,
               good ? g_strerror(errno) : "it is taken, or there are too few");
        _exit(STATUS_HOST);
    }
    return outside_new(signals, missing_pids);
}

static bool make_signals(Keeper *k)
{
    sigset_t set;

    signals_fill(&set);
    sigaddset(&set, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    k->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return k->signals >= 0;
}

bool keeper_fork(const VmConfig *config, Outside **ret_outside, Status *ret_status, int *ret_signal)
{
    Keeper k = { .config = config };
    int questions[2], orders[2];

    signals_block();
    if (!make_pair(questions) || !make_pair(orders) || !make_signals(&k)) {
        report("cannot make the sandbox's sockets: %s", g_strerror(errno));
        *ret_status = STATUS_HOST;
        return false;
    }
    int missing_pids = jail_split_processes();
    k.vm = fork();
    if (k.vm == 0) {
        *ret_outside = become_vm(config, questions[1], orders[1], missing_pids);
        return true;
    }
    if (k.vm < 0) {
        report("cannot start the machine's process: %s", g_strerror(errno));
        *ret_status = STATUS_HOST;
        return false;
    }
    k.questions = questions[0];
    k.orders = orders[0];
    close(questions[1]);
    close(orders[1]);
    *ret_status = keep(&k, ret_signal);
    return false;
}
