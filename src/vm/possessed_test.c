/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a VM process could try once a guest has taken it over, tried: on each kind of thread, behind
 * the walls of root's and of an ordinary user's sandbox, and where the host has no namespaces and
 * no Landlock.  Nothing may succeed.  Without the sandbox the same must succeed, or it proves
 * nothing.
 *
 * An attempt is a system call that would give what the jail takes away.  The sandbox is the VM
 * process's own; only the handler of SIGSYS is another, which lets the call fail, so that the next
 * attempt comes from the same process.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "common/confine.h"
#include "vm/sandbox.h"

enum { NOBODY = 65534, EXIT_NO_JAIL = 99, NO_DESCRIPTOR = 700 };
enum {
    ABSTRACT_LEN = sizeof(sa_family_t) + 1 + sizeof(int),
    TO_RUN = PROT_READ | PROT_EXEC,
    ALL_RIGHTS = TO_RUN | PROT_WRITE,
};

/* What attempts use, made before the jail. */
typedef struct World {
    char folder[64]; /* with a file in it */
    char file[96], other[96];
    struct sockaddr_un abstract; /* that we listen on */
    int folder_fd, file_fd, pty, pair[2], unconnected, program_fd;
    pid_t parent;
    uint8_t *page; /* readable and writable */
} World;

/* Outside it succeeds for everybody, for root, or not on every host (then it isn't tried); a build
 * with sanitizers does what is PLAIN itself, so that its sandbox allows it. */
typedef enum Needs { ANYBODY, ROOT, LUCK, PLAIN } Needs;

typedef struct Attempt {
    const char *name;
    long (*act)(World *w); /* negative: it failed */
    Needs needs;
} Attempt;

#define CALL(function, ...)                                                                        \
    static long function(World *w)                                                                 \
    {                                                                                              \
        (void)w;                                                                                   \
        return syscall(__VA_ARGS__);                                                               \
    }

/* clang-format off */
/* files */
CALL(open_passwd, SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY)
CALL(open_old_root, SYS_openat, w->folder_fd, "../../../etc/passwd", O_RDONLY)
CALL(open_in_folder, SYS_openat, w->folder_fd, "file", O_RDONLY)
CALL(open_self_memory, SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR)
CALL(open_root_of_other, SYS_openat, AT_FDCWD, "/proc/self/root/etc/passwd", O_RDONLY)
CALL(open_process, SYS_openat, AT_FDCWD, "/proc/1/status", O_RDONLY)
CALL(open_device, SYS_openat, AT_FDCWD, "/dev/null", O_RDWR)
CALL(create_file, SYS_openat, AT_FDCWD, w->other, O_CREAT | O_WRONLY, 0600)
CALL(create_unnamed, SYS_openat, AT_FDCWD, "/tmp", O_TMPFILE | O_RDWR, 0600)
CALL(remove_at, SYS_unlinkat, w->folder_fd, "file", 0)
CALL(chmod_fd, SYS_fchmod, w->file_fd, 0777)
CALL(chown_fd, SYS_fchown, w->file_fd, getuid(), getgid())
CALL(truncate_path, SYS_truncate, w->file, 0)
CALL(stat_file, SYS_newfstatat, AT_FDCWD, "/etc/passwd", w->page, 0)
CALL(stat_more, SYS_statx, AT_FDCWD, "/etc/passwd", 0, 0x7ff, w->page)
CALL(list_folder, SYS_getdents64, w->folder_fd, w->page, 4096)
CALL(go_folder, SYS_chdir, "/etc")
CALL(go_fd, SYS_fchdir, w->folder_fd)
CALL(change_root, SYS_chroot, "/tmp")
CALL(watch_files, SYS_inotify_init1, 0)
CALL(mount_tmpfs, SYS_mount, "none", "/mnt", "tmpfs", 0, NULL)
CALL(mount_new_way, SYS_fsopen, "tmpfs", 0)
CALL(copy_tree, SYS_open_tree, AT_FDCWD, "/", 1)
CALL(set_attribute, SYS_fsetxattr, w->file_fd, "user.x", "x", 1, 0)
CALL(set_times, SYS_utimensat, w->file_fd, NULL, NULL, 0)
CALL(room_of_disk, SYS_fstatfs, w->file_fd, w->page)
/* sockets */
CALL(socket_inet, SYS_socket, AF_INET, SOCK_STREAM, 0)
CALL(socket_inet6, SYS_socket, AF_INET6, SOCK_DGRAM, 0)
CALL(socket_unix, SYS_socket, AF_UNIX, SOCK_STREAM, 0)
CALL(socket_netlink, SYS_socket, AF_NETLINK, SOCK_RAW, 0)
CALL(socket_raw, SYS_socket, AF_PACKET, SOCK_RAW, 0)
CALL(socket_pair, SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, w->page)
CALL(connect_abstract, SYS_connect, w->unconnected, &w->abstract, ABSTRACT_LEN)
CALL(bind_abstract, SYS_bind, w->unconnected, &w->abstract, sizeof(sa_family_t))
CALL(listen_on, SYS_listen, w->unconnected, 1)
CALL(set_option, SYS_setsockopt, w->pair[0], SOL_SOCKET, SO_SNDBUF, w->page, 4)
/* processes */
CALL(new_process, SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL)
CALL(new_user_space, SYS_unshare, CLONE_NEWUSER)
CALL(new_net_space, SYS_unshare, CLONE_NEWNET)
CALL(new_mount_space, SYS_unshare, CLONE_NEWNS)
CALL(own_files, SYS_unshare, CLONE_FILES)
CALL(enter_space, SYS_setns, w->program_fd, 0)
CALL(trace_me, SYS_ptrace, PTRACE_TRACEME, 0, NULL, NULL)
CALL(trace_parent, SYS_ptrace, PTRACE_SEIZE, w->parent, NULL, NULL)
CALL(signal_parent, SYS_kill, w->parent, 0)
CALL(signal_all, SYS_kill, -1, 0)
CALL(signal_thread, SYS_tgkill, w->parent, w->parent, 0)
CALL(queue_signal, SYS_rt_sigqueueinfo, w->parent, 0, w->page)
CALL(open_pid, SYS_pidfd_open, w->parent, 0)
CALL(limit_parent, SYS_prlimit64, w->parent, RLIMIT_NOFILE, NULL, w->page)
CALL(nice_parent, SYS_setpriority, PRIO_PROCESS, w->parent, 5)
CALL(pin_parent, SYS_sched_getaffinity, w->parent, 4096, w->page)
CALL(become_user, SYS_setuid, 0)
CALL(become_group, SYS_setgid, 0)
CALL(set_groups, SYS_setgroups, 0, NULL)
CALL(read_capabilities, SYS_capget, (uint32_t[]){ 0x20080522, 0 }, w->page)
CALL(be_dumpable, SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0)
CALL(outlive_keeper, SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0)
CALL(bound_set, SYS_prctl, PR_CAPBSET_READ, 0, 0, 0, 0)
CALL(own_session, SYS_getsid, 0)
CALL(host_name, SYS_sethostname, "x", 1)
CALL(priority, SYS_setpriority, PRIO_PROCESS, 0, 5)
CALL(policy, SYS_sched_setscheduler, 0, SCHED_BATCH, w->page)
CALL(personality_of, SYS_personality, 0x0400000)
CALL(no_violations, SYS_rt_sigaction, SIGSYS, w->page + 64, NULL, 8)
/* the kernel's far corners */
CALL(ring, SYS_io_uring_setup, 4, w->page)
CALL(keys, SYS_keyctl, 0, -3, 0)
CALL(add_key, SYS_add_key, "user", "x", "y", 1, -3)
CALL(memory_file, SYS_memfd_create, "x", 0)
CALL(secret_memory, SYS_memfd_secret, 0)
CALL(user_fault, SYS_userfaultfd, 1)
CALL(performance, SYS_perf_event_open, w->page + 128, 0, -1, -1, 0)
CALL(bpf_map, SYS_bpf, 0, (uint32_t[]){ 2, 4, 4, 1, 0 }, 20)
CALL(signal_fd, SYS_signalfd4, -1, w->page, 8, 0)
CALL(timer_fd, SYS_timerfd_create, 1, 0)
CALL(timer, SYS_timer_create, 1, NULL, w->page)
CALL(shared_memory, SYS_shmget, 0, 4096, 0600)
CALL(semaphores, SYS_semget, 0, 1, 0600)
CALL(messages, SYS_msgget, 0, 0600)
CALL(message_queue, SYS_mq_open, "/x", O_CREAT | O_RDWR, 0600, NULL)
CALL(system_info, SYS_sysinfo, w->page)
CALL(host_names, SYS_uname, w->page)
CALL(kernel_log, SYS_syslog, 10, NULL, 0)
CALL(local_table, SYS_modify_ldt, 0, w->page, 64)
CALL(port_rights, SYS_iopl, 3)
CALL(landlock_of_own, SYS_landlock_create_ruleset, NULL, 0, 1)
CALL(duplicate, SYS_dup, w->file_fd)
CALL(duplicate_by_fcntl, SYS_fcntl, w->file_fd, F_DUPFD, 50)
CALL(pipes, SYS_pipe2, w->page, 0)
CALL(copy_file, SYS_sendfile, w->pair[0], w->file_fd, NULL, 1)
CALL(splice_file, SYS_tee, w->pair[0], w->pair[1], 0, 0)
CALL(terminal_input, SYS_ioctl, w->pty, TIOCSTI, "x")
CALL(terminal_owner, SYS_ioctl, w->pty, TIOCSCTTY, 0)
CALL(terminal_mode, SYS_ioctl, w->pty, TIOCSWINSZ, w->page)
CALL(pending_bytes, SYS_ioctl, w->pair[0], FIONREAD, w->page)
CALL(signals_by_fd, SYS_fcntl, w->pair[0], F_SETOWN, w->parent)
CALL(seals, SYS_fcntl, w->file_fd, F_GETLEASE, 0)
CALL(listen_to_filter, SYS_seccomp, SECCOMP_SET_MODE_FILTER, 8, w->page)
CALL(x32_call, 0x40000000 | SYS_getpid)
/* code */
CALL(code_page, SYS_mmap, NULL, 4096, ALL_RIGHTS, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
CALL(code_to_run, SYS_mmap, NULL, 4096, TO_RUN, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
CALL(code_file, SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, w->file_fd, 0)
CALL(code_later, SYS_mprotect, w->page, 4096, PROT_READ | PROT_EXEC)
CALL(code_by_key, SYS_pkey_mprotect, w->page, 4096, PROT_READ | PROT_EXEC, -1)
CALL(code_shared, SYS_shmat, 0, NULL, SHM_EXEC)
CALL(locked_memory, SYS_mlock, w->page, 4096)
/* clang-format on */

/* Old calls, which not every CPU's kernels have; and what takes more than one argument to say. */
static long old_open(World *w)
{
    return syscall(SYS_open, "/etc/passwd", O_RDONLY);
}

static long old_fork(World *w)
{
    long pid = syscall(SYS_fork);

    if (pid == 0) {
        _exit(0);
    }
    return pid;
}

static long rename_file(World *w)
{
    return syscall(SYS_renameat2, AT_FDCWD, w->file, AT_FDCWD, w->other, 0);
}

static long link_file(World *w)
{
    return syscall(SYS_linkat, AT_FDCWD, w->file, AT_FDCWD, w->other, 0);
}

static long symlink_file(World *w)
{
    return syscall(SYS_symlinkat, "/etc/passwd", AT_FDCWD, w->other);
}

static long make_folder(World *w)
{
    return syscall(SYS_mkdirat, AT_FDCWD, w->other, 0700);
}

static long make_node(World *w)
{
    return syscall(SYS_mknodat, AT_FDCWD, w->other, S_IFIFO | 0600, 0);
}

static long open_by_how(World *w)
{
    const uint64_t how[3] = { O_RDONLY, 0, 0 };

    return syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", how, sizeof(how));
}

static long open_by_handle(World *w)
{
    *(uint32_t *)(void *)w->page = 128;
    return syscall(SYS_name_to_handle_at, AT_FDCWD, "/etc", w->page, w->page + 512, 0);
}

static long run_program(World *w)
{
    char name[] = "true";
    char *words[] = { name, NULL };

    return execv("/bin/true", words);
}

static long run_by_fd(World *w)
{
    char name[] = "true";
    char *words[] = { name, NULL };

    return syscall(SYS_execveat, w->program_fd, "", words, words + 1, AT_EMPTY_PATH);
}

static long read_parent(World *w)
{
    struct iovec here = { w->page, 8 }, there = { w->page, 8 };

    return syscall(SYS_process_vm_readv, w->parent, &here, 1, &there, 1, 0);
}

static long write_self(World *w)
{
    struct iovec here = { w->page, 8 }, there = { w->page + 8, 8 };

    return syscall(SYS_process_vm_writev, getpid(), &here, 1, &there, 1, 0);
}

static long more_descriptors(World *w)
{
    const struct rlimit more = { 2048, 2048 };

    return syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &more, NULL);
}

static long more_memory(World *w)
{
    return syscall(SYS_mmap, NULL, UINT64_C(64) << 30, PROT_READ,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == -1
               ? -1
               : 0;
}

/* A descriptor that we don't have can't be passed to anybody. */
static long pass_what_isnt_there(World *w)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
    struct iovec byte = { w->page, 1 };
    const struct msghdr message = { .msg_iov = &byte,
                                    .msg_iovlen = 1,
                                    .msg_control = control.bytes,
                                    .msg_controllen = sizeof(control.bytes) };

    memcpy(CMSG_DATA(&control.header), &(int){ NO_DESCRIPTOR }, sizeof(int));
    return syscall(SYS_sendmsg, w->pair[0], &message, MSG_NOSIGNAL);
}

static const Attempt attempts[] = {
    { "open_passwd", open_passwd, ANYBODY },
    { "open_old_root", open_old_root, ANYBODY },
    { "open_in_folder", open_in_folder, ANYBODY },
    { "open_self_memory", open_self_memory, ANYBODY },
    { "open_root_of_other", open_root_of_other, ANYBODY },
    { "open_process", open_process, ANYBODY },
    { "open_device", open_device, ANYBODY },
    { "create_file", create_file, ANYBODY },
    { "create_unnamed", create_unnamed, LUCK },
    { "remove_at", remove_at, ANYBODY },
    { "chmod_fd", chmod_fd, ANYBODY },
    { "chown_fd", chown_fd, ANYBODY },
    { "truncate_path", truncate_path, ANYBODY },
    { "stat_file", stat_file, ANYBODY },
    { "stat_more", stat_more, ANYBODY },
    { "list_folder", list_folder, ANYBODY },
    { "go_folder", go_folder, ANYBODY },
    { "go_fd", go_fd, ANYBODY },
    { "change_root", change_root, ROOT },
    { "watch_files", watch_files, ANYBODY },
    { "mount_tmpfs", mount_tmpfs, ROOT },
    { "mount_new_way", mount_new_way, LUCK },
    { "copy_tree", copy_tree, LUCK },
    { "set_attribute", set_attribute, LUCK },
    { "set_times", set_times, ANYBODY },
    { "room_of_disk", room_of_disk, ANYBODY },
    { "socket_inet", socket_inet, ANYBODY },
    { "socket_inet6", socket_inet6, ANYBODY },
    { "socket_unix", socket_unix, ANYBODY },
    { "socket_netlink", socket_netlink, ANYBODY },
    { "socket_raw", socket_raw, ROOT },
    { "socket_pair", socket_pair, ANYBODY },
    { "connect_abstract", connect_abstract, ANYBODY },
    { "bind_abstract", bind_abstract, ANYBODY },
    { "listen_on", listen_on, LUCK },
    { "set_option", set_option, LUCK },
    { "new_process", new_process, ANYBODY },
    { "new_user_space", new_user_space, LUCK },
    { "new_net_space", new_net_space, ROOT },
    { "new_mount_space", new_mount_space, ROOT },
    { "own_files", own_files, ANYBODY },
    { "enter_space", enter_space, LUCK },
    { "trace_me", trace_me, ANYBODY },
    { "trace_parent", trace_parent, LUCK },
    { "signal_parent", signal_parent, ANYBODY },
    { "signal_all", signal_all, LUCK },
    { "signal_thread", signal_thread, ANYBODY },
    { "queue_signal", queue_signal, LUCK },
    { "open_pid", open_pid, ANYBODY },
    { "limit_parent", limit_parent, ANYBODY },
    { "nice_parent", nice_parent, ANYBODY },
    { "pin_parent", pin_parent, PLAIN },
    { "become_user", become_user, ROOT },
    { "become_group", become_group, ROOT },
    { "set_groups", set_groups, ROOT },
    { "read_capabilities", read_capabilities, LUCK },
    { "be_dumpable", be_dumpable, ANYBODY },
    { "outlive_keeper", outlive_keeper, ANYBODY },
    { "bound_set", bound_set, ANYBODY },
    { "own_session", own_session, ANYBODY },
    { "host_name", host_name, ROOT },
    { "priority", priority, ANYBODY },
    { "policy", policy, LUCK },
    { "personality_of", personality_of, ANYBODY },
    { "no_violations", no_violations, LUCK },
    { "ring", ring, LUCK },
    { "keys", keys, LUCK },
    { "add_key", add_key, LUCK },
    { "memory_file", memory_file, ANYBODY },
    { "secret_memory", secret_memory, LUCK },
    { "user_fault", user_fault, LUCK },
    { "performance", performance, LUCK },
    { "bpf_map", bpf_map, LUCK },
    { "signal_fd", signal_fd, ANYBODY },
    { "timer_fd", timer_fd, ANYBODY },
    { "timer", timer, ANYBODY },
    { "shared_memory", shared_memory, ANYBODY },
    { "semaphores", semaphores, ANYBODY },
    { "messages", messages, ANYBODY },
    { "message_queue", message_queue, LUCK },
    { "system_info", system_info, ANYBODY },
    { "host_names", host_names, ANYBODY },
    { "kernel_log", kernel_log, LUCK },
    { "local_table", local_table, ANYBODY },
    { "port_rights", port_rights, LUCK },
    { "landlock_of_own", landlock_of_own, LUCK },
    { "duplicate", duplicate, ANYBODY },
    { "duplicate_by_fcntl", duplicate_by_fcntl, ANYBODY },
    { "pipes", pipes, ANYBODY },
    { "copy_file", copy_file, ANYBODY },
    { "splice_file", splice_file, LUCK },
    { "terminal_input", terminal_input, LUCK },
    { "terminal_owner", terminal_owner, LUCK },
    { "terminal_mode", terminal_mode, LUCK },
    { "pending_bytes", pending_bytes, ANYBODY },
    { "signals_by_fd", signals_by_fd, ANYBODY },
    { "seals", seals, LUCK },
    { "listen_to_filter", listen_to_filter, LUCK },
    { "x32_call", x32_call, LUCK },
    { "code_page", code_page, ANYBODY },
    { "code_to_run", code_to_run, ANYBODY },
    { "code_file", code_file, ANYBODY },
    { "code_later", code_later, ANYBODY },
    { "code_by_key", code_by_key, ANYBODY },
    { "code_shared", code_shared, LUCK },
    { "locked_memory", locked_memory, ANYBODY },
    { "old_open", old_open, ANYBODY },
    { "old_fork", old_fork, ANYBODY },
    { "rename_file", rename_file, ANYBODY },
    { "link_file", link_file, ANYBODY },
    { "symlink_file", symlink_file, ANYBODY },
    { "make_folder", make_folder, ANYBODY },
    { "make_node", make_node, ANYBODY },
    { "open_by_how", open_by_how, ANYBODY },
    { "open_by_handle", open_by_handle, LUCK },
    { "run_program", run_program, ANYBODY },
    { "run_by_fd", run_by_fd, ANYBODY },
    { "read_parent", read_parent, LUCK },
    { "write_self", write_self, ANYBODY },
    { "more_descriptors", more_descriptors, LUCK },
    { "more_memory", more_memory, PLAIN },
    { "pass_what_isnt_there", pass_what_isnt_there, LUCK },
};

static bool is_left_out(const Attempt *attempt)
{
    return INSULA_SANITIZED && attempt->needs == PLAIN;
}

/* --- the world --- */

static void world_init(World *w)
{
    g_autofree char *made = g_dir_make_tmp("possessed-XXXXXX", NULL);
    int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_assert_nonnull(made);
    chmod(made, 0777);
    g_strlcpy(w->folder, made, sizeof(w->folder));
    g_snprintf(w->file, sizeof(w->file), "%s/file", made);
    g_snprintf(w->other, sizeof(w->other), "%s/other", made);
    w->parent = getpid();
    w->abstract.sun_family = AF_UNIX;
    memcpy(w->abstract.sun_path + 1, &w->parent, sizeof(int));
    g_assert(bind(listening, (const struct sockaddr *)&w->abstract,
                  sizeof(sa_family_t) + 1 + sizeof(int)) == 0 &&
             listen(listening, 1000) == 0);
    w->page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    g_assert(w->page != MAP_FAILED);
}

/* Each child finds a folder as new, and has more descriptors than a VM process ever would. */
static void world_refresh(World *w)
{
    remove(w->other);
    rmdir(w->other);
    g_file_set_contents(w->file, "text\n", -1, NULL);
    chmod(w->file, 0666);
    w->folder_fd = open(w->folder, O_RDONLY | O_DIRECTORY);
    w->file_fd = open(w->file, O_RDWR);
    w->program_fd = open("/bin/true", O_RDONLY);
    w->pty = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    w->unconnected = socket(AF_UNIX, SOCK_STREAM, 0);
    g_assert(socketpair(AF_UNIX, SOCK_STREAM, 0, w->pair) == 0);
}

static void world_remove(const World *w)
{
    remove(w->other);
    remove(w->file);
    rmdir(w->folder);
}

/* --- who tries --- */

typedef enum Host { HOST_ROOT, HOST_USER, HOST_BARE, HOSTS } Host;

static const char *const host_names_of[HOSTS] = {
    [HOST_ROOT] = "root",
    [HOST_USER] = "an ordinary user",
    [HOST_BARE] = "an ordinary user on a host without namespaces and Landlock",
};

/* What became of an attempt, in memory that its process shares with us. */
typedef enum Outcome { NOT_TRIED, TRIED, FAILED, SUCCEEDED } Outcome;

/* What SIGSYS does here: the call fails, and what is next is tried. */
static void on_violation(int number, siginfo_t *info, void *context)
{
    ucontext_t *where = context;

    where->uc_mcontext.gregs[REG_RAX] = -ENOSYS;
}

static void become_nobody(void)
{
    if (geteuid() == 0) {
        g_assert(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
    }
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* as if it had been started so */
}

/* A host that has neither, as far as we can tell. */
static void lose_walls(void)
{
    static const int lost[] = { SCMP_SYS(unshare), SCMP_SYS(landlock_create_ruleset) };
    JailCall rows[G_N_ELEMENTS(lost) + 600];
    unsigned n = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(lost); i++) {
        rows[n++] = (JailCall){ .number = lost[i], .kinds = 1, .refuse = EPERM };
    }
    for (int number = 0; number < 600; number++) {
        rows[n++] = (JailCall){ .number = number, .kinds = 1 };
    }
    g_assert(jail_narrow(rows, n, 1, false));
}

static void be(Host host)
{
    if (host != HOST_ROOT) {
        become_nobody();
    }
    if (host == HOST_BARE) {
        lose_walls();
    }
}

/* In the process that is to be the VM's: from attempt @first on, until one ends it. */
G_NORETURN static void try_inside(World *w, Host host, ThreadKind kind, size_t first,
                                  Outcome *outcomes)
{
    g_autofree char *missing = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(Outside) outside = outside_new(-1, 0);

    if (!sandbox_enter(outside, &(SandboxSpec){ 64 << 20, 1, on_violation }, &missing, &error)) {
        fprintf(stderr, "# %s\n", error->message);
        _exit(EXIT_NO_JAIL);
    }
    if (first == 0 && kind == THREAD_MAIN) {
        printf("# %s lacks %s\n", host_names_of[host], missing ? missing : "no wall");
    }
    confine_thread(kind);
    for (size_t i = first; i < G_N_ELEMENTS(attempts); i++) {
        outcomes[i] = TRIED;
        outcomes[i] = is_left_out(&attempts[i]) || attempts[i].act(w) < 0 ? FAILED : SUCCEEDED;
    }
    _exit(0);
}

/* A process for attempts from @first on; as its keeper would make it. */
static void one_process(World *w, Host host, ThreadKind kind, size_t first, Outcome *outcomes)
{
    int status = 0;
    pid_t keeper = fork();

    g_assert(keeper >= 0);
    if (!keeper) {
        be(host);
        world_refresh(w);
        jail_split_processes();
        pid_t vm = fork();
        if (!vm) {
            try_inside(w, host, kind, first, outcomes);
        }
        waitpid(vm, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
    g_assert(waitpid(keeper, &status, 0) == keeper && WIFEXITED(status));
    status = WEXITSTATUS(status);
    g_assert(status != EXIT_NO_JAIL);
    for (size_t i = first; i < G_N_ELEMENTS(attempts); i++) {
        if (outcomes[i] == TRIED) { /* it ended the process: by SIGSYS, or as another program */
            outcomes[i] = status == 128 + SIGSYS ? FAILED : SUCCEEDED;
        }
    }
}

static bool all_fail(World *w, Host host, ThreadKind kind, Outcome *outcomes)
{
    size_t next = 0;
    unsigned escapes = 0;

    memset(outcomes, 0, sizeof(*outcomes) * G_N_ELEMENTS(attempts));
    while (next < G_N_ELEMENTS(attempts)) {
        one_process(w, host, kind, next, outcomes);
        g_assert(outcomes[next] != NOT_TRIED);
        while (next < G_N_ELEMENTS(attempts) && outcomes[next] != NOT_TRIED) {
            if (outcomes[next] == SUCCEEDED) {
                printf("# %s succeeds\n", attempts[next].name);
                escapes++;
            }
            next++;
        }
    }
    return escapes == 0;
}

/* --- the control --- */

static bool succeeds_outside(World *w, const Attempt *attempt)
{
    int status = 0;
    pid_t child = fork();

    g_assert(child >= 0);
    if (!child) {
        world_refresh(w);
        signal(SIGSYS, SIG_DFL);
        _exit(attempt->act(w) < 0 ? 1 : 0);
    }
    g_assert(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool most_succeed_outside(World *w, unsigned *ret_n)
{
    bool good = true;

    *ret_n = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(attempts); i++) {
        const Attempt *a = &attempts[i];
        if (is_left_out(a) || a->needs == LUCK || (a->needs == ROOT && geteuid() != 0)) {
            continue;
        }
        if (succeeds_outside(w, a)) {
            (*ret_n)++;
        } else {
            printf("# %s fails outside, too\n", a->name);
            good = false;
        }
    }
    return good;
}

int main(void)
{
    World w = { 0 };
    unsigned n = 0, number = 0, failed = 0, outside;
    Outcome *outcomes = mmap(NULL, sizeof(*outcomes) * G_N_ELEMENTS(attempts),
                             PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    setvbuf(stdout, NULL, _IONBF, 0);
    world_init(&w);
    Host first = geteuid() == 0 ? HOST_ROOT : HOST_USER;
    printf("1..%u\n", 1 + (unsigned)(HOSTS - first) * THREAD_KINDS);
    bool good = most_succeed_outside(&w, &outside);
    failed += !good;
    printf("%s %u - without a sandbox %u attempts succeed\n", good ? "ok" : "not ok", ++number,
           outside);
    for (Host host = first; host < HOSTS; host++) {
        for (ThreadKind kind = 0; kind < THREAD_KINDS; kind++) {
            good = all_fail(&w, host, kind, outcomes);
            failed += !good;
            n = (unsigned)G_N_ELEMENTS(attempts);
            printf("%s %u - %s, %s thread: none of %u attempts succeeds\n", good ? "ok" : "not ok",
                   ++number, host_names_of[host], confine_kind_name(kind), n);
        }
    }
    world_remove(&w);
    return failed ? 1 : 0;
}
