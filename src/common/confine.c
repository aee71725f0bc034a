/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which system calls each kind of thread needs, see confine.h.
 *
 * A row that allows more than one value of an argument stands once for each.  Rings:
 * io_uring_setup and io_uring_register stand nowhere, for a ring runs calls that no filter sees.
 * The one that there is was restricted before (block/ring.h).
 *
 * Threads: as confine.h.
 */
#include "common/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

enum {
    MAIN = 1 << THREAD_MAIN,
    VCPU = 1 << THREAD_VCPU,
    IO = 1 << THREAD_IO,
    WORKER = 1 << THREAD_WORKER,
    CLOCK = 1 << THREAD_CLOCK,
    STREAM = 1 << THREAD_STREAM,
    VNC = 1 << THREAD_VNC,
    SAVE = 1 << THREAD_SAVE,
    ALL = (1 << THREAD_KINDS) - 1,
    DISK = MAIN | IO | WORKER,
    FILE_OUT = DISK | SAVE,
    START = 1 << THREAD_KINDS,           /* of threads that begin, before they know their kind */
    BEGIN = START | MAIN,                /* main makes one later: that which saves */
    SANITIZER = 1 << (THREAD_KINDS + 1), /* what sanitizers do of themselves, on any thread */
    KVM_STATE = MAIN | VCPU,
    NEW_THREAD = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                 CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
};

/* A question to our own filter: another kernel, or another's filter, doesn't answer so. */
enum { QUESTION = 0x494e534c, ANSWER = ENOTUNIQ };

static const JailCall calls[] = {
    /* threads: of this process, never another process */
    { SCMP_SYS(clone), BEGIN, "a thread begins", { { 0, JAIL_LONG, NEW_THREAD } } },
    { SCMP_SYS(clone3), BEGIN, "its flags stand in memory: libc takes clone then",
      .refuse = ENOSYS },
    { SCMP_SYS(set_robust_list), BEGIN, "libc, as a thread begins" },
    { SCMP_SYS(rseq), BEGIN, "libc, as a thread begins" },
    { SCMP_SYS(prctl), BEGIN, "a thread's name", { { 0, JAIL_INT, PR_SET_NAME } } },
    { SCMP_SYS(seccomp),
      BEGIN,
      "a thread takes calls from itself",
      { { 0, JAIL_INT, 1 }, { 1, JAIL_LONG, 0 } } },
    { SCMP_SYS(prctl), BEGIN, "the same", { { 0, JAIL_INT, PR_SET_NO_NEW_PRIVS } } },
    { SCMP_SYS(prctl),
      ALL,
      "confine_thread() asks whether there is a jail",
      { { 0, JAIL_INT, QUESTION } },
      .refuse = ANSWER },
    { SCMP_SYS(prctl), ALL, "last words name the thread", { { 0, JAIL_INT, PR_GET_NAME } } },
    { SCMP_SYS(exit), ALL, "a thread ends" },
    { SCMP_SYS(exit_group), ALL, "the process ends" },
    { SCMP_SYS(futex), ALL, "locks" },
    { SCMP_SYS(gettid), ALL, "a thread tells itself from others" },
    { SCMP_SYS(getpid), ALL, "the same of the process, to signal a thread" },
    { SCMP_SYS(sched_yield), VCPU | IO, "a vCPU that spins lets others run" },
    { SCMP_SYS(getrusage), VCPU, "what a thread has used" },
    { SCMP_SYS(sched_getaffinity),
      MAIN | VCPU | IO,
      "how many CPUs we may use",
      { { 0, JAIL_INT, 0 } } },
    { SCMP_SYS(sched_getparam), BEGIN, "libc asks for a new thread's policy" },
    { SCMP_SYS(sched_getscheduler), BEGIN, "the same" },

    /* signals: to threads of this process alone */
    { SCMP_SYS(tgkill), ALL, "a vCPU is made to leave KVM; abort()", .own = true },
    { SCMP_SYS(rt_sigaction),
      ALL,
      "never that of SIGSYS: the jail's last words are ours",
      { { 0, JAIL_INT, SIGSYS } },
      .refuse = EPERM },
    { SCMP_SYS(rt_sigaction), MAIN | SANITIZER, "handlers of crashes" },
    { SCMP_SYS(rt_sigprocmask), ALL, "libc, as threads begin and end" },
    { SCMP_SYS(rt_sigreturn), ALL, "a handler ends" },
    { SCMP_SYS(restart_syscall), ALL, "the kernel goes on with a call after a signal" },

    /* memory: never code, whose two mappings exist */
    { SCMP_SYS(brk), ALL, "malloc" },
    { SCMP_SYS(mmap), ALL, "malloc; never code", { { 2, PROT_EXEC, 0 } } },
    { SCMP_SYS(mprotect), ALL, "malloc; never code", { { 2, PROT_EXEC, 0 } } },
    { SCMP_SYS(munmap), ALL, "free" },
    { SCMP_SYS(mremap), ALL, "realloc" },
    { SCMP_SYS(madvise), ALL, "free; the code cache; guest memory given back" },
    { SCMP_SYS(mincore), MAIN | SAVE, "which pages of a restored machine are there, to save it" },

    /* descriptors that there are */
    { SCMP_SYS(read), ALL, "wake-ups, sockets, disks" },
    { SCMP_SYS(write), ALL, "wake-ups, sockets, the log" },
    { SCMP_SYS(readv), MAIN | IO | VNC, "packets, viewers" },
    { SCMP_SYS(writev), MAIN | VCPU | IO | CLOCK | VNC, "packets, viewers" },
    { SCMP_SYS(close), ALL, "descriptors that were passed, clients that left" },
    { SCMP_SYS(poll), MAIN | IO | STREAM | VNC, "waiting" },
    { SCMP_SYS(ppoll), MAIN | IO | STREAM | VNC, "waiting" },
    { SCMP_SYS(epoll_wait), IO, "waiting" },
    { SCMP_SYS(epoll_pwait), IO, "waiting" },
    { SCMP_SYS(epoll_pwait2), IO, "waiting" },
    { SCMP_SYS(epoll_ctl), ALL, "a packet's socket is watched, or not now" },
    { SCMP_SYS(fcntl), ALL, "how a descriptor was opened", { { 1, JAIL_INT, F_GETFL } } },
    { SCMP_SYS(fcntl), MAIN | STREAM | VNC, "it shall not block", { { 1, JAIL_INT, F_SETFL } } },
    { SCMP_SYS(fcntl), MAIN | STREAM | VNC, "close-on-exec", { { 1, JAIL_INT, F_GETFD } } },
    { SCMP_SYS(fcntl), MAIN | STREAM | VNC, "close-on-exec", { { 1, JAIL_INT, F_SETFD } } },
    { SCMP_SYS(fcntl),
      MAIN,
      "a disk of a descriptor that was passed",
      { { 1, JAIL_INT, F_DUPFD_CLOEXEC } } },

    /* disks and state files */
    { SCMP_SYS(pread64), FILE_OUT | VCPU, "disks; flash" },
    { SCMP_SYS(pwrite64), FILE_OUT | VCPU, "disks; flash" },
    { SCMP_SYS(preadv), DISK, "disks" },
    { SCMP_SYS(pwritev), FILE_OUT, "disks" },
    { SCMP_SYS(preadv2), DISK, "disks, without blocking" },
    { SCMP_SYS(pwritev2), DISK, "disks, without blocking" },
    { SCMP_SYS(fsync), FILE_OUT, "flush" },
    { SCMP_SYS(fdatasync), FILE_OUT, "flush" },
    { SCMP_SYS(fallocate), FILE_OUT | VCPU, "discard, zeros; the balloon" },
    { SCMP_SYS(ftruncate), FILE_OUT, "an image grows; a state file" },
    { SCMP_SYS(lseek), FILE_OUT, "where a file has holes" },
    { SCMP_SYS(fstat), FILE_OUT | STREAM, "what a descriptor is" },
    { SCMP_SYS(newfstatat),
      DISK | STREAM,
      "fstat by libc's name for it",
      { { 3, JAIL_INT, AT_EMPTY_PATH } } },
    { SCMP_SYS(statx), MAIN, "how direct I/O must lie", { { 2, AT_EMPTY_PATH, AT_EMPTY_PATH } } },
    { SCMP_SYS(fcntl),
      MAIN | SAVE,
      "locks of images and state files",
      { { 1, JAIL_INT, F_OFD_SETLK } } },
    { SCMP_SYS(fcntl), MAIN, "the same", { { 1, JAIL_INT, F_OFD_GETLK } } },
    { SCMP_SYS(io_uring_enter), DISK, "disks, by the ring that exists, and does nothing else" },

    /* sockets that there are */
    { SCMP_SYS(accept4), MAIN | STREAM | VNC, "a client comes" },
    { SCMP_SYS(recvfrom), MAIN | IO | STREAM | VNC, "clients, packets" },
    { SCMP_SYS(recvmsg), MAIN | IO, "clients with descriptors, packets" },
    { SCMP_SYS(recvmmsg), IO, "packets" },
    { SCMP_SYS(sendto), ALL, "clients, packets; last words" },
    { SCMP_SYS(sendmsg), MAIN | VCPU | IO | CLOCK, "packets; the keeper" },
    { SCMP_SYS(sendmmsg), IO, "packets" },
    { SCMP_SYS(shutdown), MAIN | VNC, "a client is turned away" },
    { SCMP_SYS(getsockopt), MAIN, "what a socket that was passed is" },
    { SCMP_SYS(setsockopt),
      MAIN,
      "patience with insula-net",
      { { 1, JAIL_INT, SOL_SOCKET }, { 2, JAIL_INT, SO_RCVTIMEO } } },
    { SCMP_SYS(setsockopt),
      MAIN,
      "the debugger's small packets go at once",
      { { 1, JAIL_INT, IPPROTO_TCP }, { 2, JAIL_INT, TCP_NODELAY } } },
    { SCMP_SYS(socketpair),
      MAIN,
      "between us and insula-net",
      { { 0, JAIL_INT, AF_UNIX }, { 1, JAIL_INT, SOCK_SEQPACKET | SOCK_CLOEXEC } } },
    { SCMP_SYS(ioctl), MAIN, "a tap device that was passed", { { 1, JAIL_INT, TUNGETIFF } } },
    { SCMP_SYS(ioctl), MAIN, "the same", { { 1, JAIL_INT, TUNSETVNETHDRSZ } } },
    { SCMP_SYS(ioctl),
      MAIN | VCPU | IO,
      "what a guest leaves to its tap device",
      { { 1, JAIL_INT, TUNSETOFFLOAD } } },
    { SCMP_SYS(ioctl),
      MAIN | STREAM,
      "whether a descriptor is a terminal",
      { { 1, JAIL_INT, TCGETS } } },

    /* time, chance */
    { SCMP_SYS(clock_gettime), ALL, "time, where the kernel's page of it doesn't do" },
    { SCMP_SYS(gettimeofday), ALL, "the same" },
    { SCMP_SYS(time), ALL, "the same" },
    { SCMP_SYS(clock_nanosleep), ALL, "waiting" },
    { SCMP_SYS(getrandom), ALL, "virtio-rng; GLib's tables" },

    /* KVM's descriptors are the machine's own */
    { SCMP_SYS(ioctl), VCPU, "KVM: the guest runs", { { 1, JAIL_INT, KVM_RUN } } },
    { SCMP_SYS(ioctl), VCPU, "KVM: an interrupt of the 8259", { { 1, JAIL_INT, KVM_INTERRUPT } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: NMI", { { 1, JAIL_INT, KVM_NMI } } },
    { SCMP_SYS(ioctl), ALL, "KVM: a device's interrupt", { { 1, JAIL_INT, KVM_SIGNAL_MSI } } },
    { SCMP_SYS(ioctl), ALL, "KVM: whose end is told", { { 1, JAIL_INT, KVM_SET_GSI_ROUTING } } },
    { SCMP_SYS(ioctl),
      KVM_STATE,
      "KVM: where memory is",
      { { 1, JAIL_INT, KVM_SET_USER_MEMORY_REGION } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: vCPU state", { { 1, JAIL_INT, KVM_GET_REGS } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: vCPU state", { { 1, JAIL_INT, KVM_SET_REGS } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: vCPU state", { { 1, JAIL_INT, KVM_GET_SREGS } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: vCPU state", { { 1, JAIL_INT, KVM_SET_SREGS } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: vCPU state", { { 1, JAIL_INT, KVM_GET_SREGS2 } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: vCPU state", { { 1, JAIL_INT, KVM_SET_SREGS2 } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: vCPU state", { { 1, JAIL_INT, KVM_GET_MSRS } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: vCPU state", { { 1, JAIL_INT, KVM_SET_MSRS } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: vCPU state", { { 1, JAIL_INT, KVM_GET_XSAVE } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: vCPU state", { { 1, JAIL_INT, KVM_SET_XSAVE } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: vCPU state", { { 1, JAIL_INT, KVM_GET_XCRS } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: vCPU state", { { 1, JAIL_INT, KVM_SET_XCRS } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: vCPU state", { { 1, JAIL_INT, KVM_GET_LAPIC } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: vCPU state", { { 1, JAIL_INT, KVM_SET_LAPIC } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: vCPU state", { { 1, JAIL_INT, KVM_GET_DEBUGREGS } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: vCPU state", { { 1, JAIL_INT, KVM_SET_DEBUGREGS } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: vCPU state", { { 1, JAIL_INT, KVM_GET_VCPU_EVENTS } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: vCPU state", { { 1, JAIL_INT, KVM_SET_VCPU_EVENTS } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: vCPU state", { { 1, JAIL_INT, KVM_GET_MP_STATE } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: vCPU state", { { 1, JAIL_INT, KVM_SET_MP_STATE } } },
    { SCMP_SYS(ioctl),
      KVM_STATE,
      "KVM: the debugger's points",
      { { 1, JAIL_INT, KVM_SET_GUEST_DEBUG } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: time stood", { { 1, JAIL_INT, KVM_SET_CLOCK } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: time stood", { { 1, JAIL_INT, KVM_KVMCLOCK_CTRL } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: time stood", { { 1, JAIL_INT, KVM_GET_TSC_KHZ } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: time stood", { { 1, JAIL_INT, KVM_SET_TSC_KHZ } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: time stood", { { 1, JAIL_INT, KVM_HAS_DEVICE_ATTR } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: time stood", { { 1, JAIL_INT, KVM_GET_DEVICE_ATTR } } },
    { SCMP_SYS(ioctl), KVM_STATE, "KVM: time stood", { { 1, JAIL_INT, KVM_SET_DEVICE_ATTR } } },

    /* names: there are none inside.  Libraries look for some all the same (character sets, time
     * zones), on any thread; that isn't worth an end. */
    { SCMP_SYS(openat), ALL, "libraries; what a client of the channel names", .refuse = EACCES },
    { SCMP_SYS(newfstatat), ALL, "libraries", .refuse = EACCES },
    { SCMP_SYS(readlink), ALL, "libraries; who holds an image's lock", .refuse = EACCES },
    { SCMP_SYS(unlink), MAIN, "sockets' names, which the keeper removes", .refuse = EACCES },

    /* what sanitizers do of themselves */
    { SCMP_SYS(sigaltstack), SANITIZER, "a thread begins and ends" },
    { SCMP_SYS(sched_getaffinity), SANITIZER, "which stack a new thread has" },
    { SCMP_SYS(getrlimit), SANITIZER, "how large the stack is" },
    { SCMP_SYS(prlimit64), SANITIZER, "the same", { { 0, JAIL_INT, 0 }, { 2, JAIL_LONG, 0 } } },
    { SCMP_SYS(getuid), SANITIZER, "the way to a report" },
    { SCMP_SYS(access), SANITIZER, "the same", .refuse = EACCES },
    { SCMP_SYS(open), SANITIZER, "the same", .refuse = EACCES },
    { SCMP_SYS(clock_getres), SANITIZER, "time" },
};

static unsigned bits_of(ThreadKind kind)
{
    return 1U << kind | (INSULA_SANITIZED ? SANITIZER : 0);
}

void confine_fill(JailSpec *spec)
{
    spec->calls = calls;
    spec->n_calls = G_N_ELEMENTS(calls);
    spec->kinds = ALL | START | (INSULA_SANITIZED ? SANITIZER : 0);
    spec->trap = true;
}

void confine_thread(ThreadKind kind)
{
    if (prctl(QUESTION, 0, 0, 0, 0) != -1 || errno != ANSWER) {
        return;
    }
    if (!jail_narrow(calls, G_N_ELEMENTS(calls), bits_of(kind), true)) {
        g_error("cannot limit the system calls of a thread: %s", g_strerror(errno));
    }
}

const char *confine_kind_name(ThreadKind kind)
{
    static const char *const names[THREAD_KINDS] = {
        [THREAD_MAIN] = "main",     [THREAD_VCPU] = "vCPU",   [THREAD_IO] = "I/O",
        [THREAD_WORKER] = "worker", [THREAD_CLOCK] = "clock", [THREAD_STREAM] = "stream",
        [THREAD_VNC] = "VNC",       [THREAD_SAVE] = "save",
    };

    return kind < THREAD_KINDS ? names[kind] : "unknown";
}
