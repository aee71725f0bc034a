/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * insula doctor: what the kernel and the machine give, see doctor.h.
 *
 * Each check tries the thing itself; where it fails, the kernel's switches say why.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/kvm.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "cli/sheet.h"

enum { MEMORY_LOW_MIB = 512 };

/* The number in a file of /proc or /sys; @otherwise if there is none. */
static gint64 read_number(const char *path, gint64 otherwise)
{
    g_autofree char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? g_ascii_strtoll(text, NULL, 10)
                                                        : otherwise;
}

/* ---- KVM ---- */

static bool cpu_has(const char *flag)
{
    g_autofree char *text = NULL;
    g_autofree char *word = g_strdup_printf(" %s ", flag);

    if (!g_file_get_contents("/proc/cpuinfo", &text, NULL, NULL)) {
        return false;
    }
    g_strdelimit(text, "\n", ' ');
    return strstr(text, word);
}

static void kvm_missing(Finding *finding)
{
    bool in_guest = cpu_has("hypervisor");

    if (cpu_has("vmx") || cpu_has("svm")) {
        finding_set(finding, FINDING_WARN,
                    cpu_has("vmx") ? "as root: modprobe kvm_intel" : "as root: modprobe kvm_amd",
                    "there is no /dev/kvm, though the CPU could; our own translator runs guests");
        return;
    }
    finding_set(finding, FINDING_WARN,
                in_guest ? "this host is a virtual machine: have nested virtualization switched "
                           "on where it runs"
                         : "look for virtualization (VT-x, AMD-V, SVM) in the firmware's set-up",
                "there is no /dev/kvm; our own translator runs guests, some times slower");
}

static void kvm_closed(Finding *finding)
{
    struct stat info;
    const char *why = g_strerror(errno);
    struct group *group = stat("/dev/kvm", &info) ? NULL : getgrgid(info.st_gid);
    g_autofree char *remedy = g_strdup_printf(
        "as root: usermod -a -G %s %s, then log in again",
        group && (info.st_mode & S_IRWXG) == S_IRWXG ? group->gr_name : "kvm", g_get_user_name());

    if (errno == EACCES) {
        finding_set(finding, FINDING_WARN, remedy,
                    "/dev/kvm is there, and this user may not open it");
    } else {
        finding_set(finding, FINDING_WARN, NULL, "cannot open /dev/kvm: %s", why);
    }
}

static void look_at_kvm(const CliArgs *args, Finding *finding)
{
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (kvm < 0) {
        if (errno == ENOENT) {
            kvm_missing(finding);
        } else {
            kvm_closed(finding);
        }
        return;
    }
    int version = ioctl(kvm, KVM_GET_API_VERSION, 0);
    int vm = version == KVM_API_VERSION ? ioctl(kvm, KVM_CREATE_VM, 0) : -1;
    int why = errno;
    close(kvm);
    if (vm >= 0) {
        close(vm);
        finding_set(finding, FINDING_OK, NULL, "/dev/kvm makes machines");
    } else if (version != KVM_API_VERSION) {
        finding_set(finding, FINDING_WARN, NULL, "/dev/kvm is of another kind (version %d)",
                    version);
    } else {
        finding_set(finding, FINDING_WARN,
                    why == EBUSY ? "another hypervisor has the CPU (VirtualBox?): end it" : NULL,
                    "/dev/kvm makes no machine: %s", g_strerror(why));
    }
}

/* ---- walls around a machine's process ---- */

/* 0, or the errno with which a process of its own was refused a namespace of users. */
static int try_namespace(void)
{
    int status = 0;
    pid_t child = fork();

    if (child < 0) {
        return errno;
    }
    if (!child) {
        _exit(unshare(CLONE_NEWUSER | CLONE_NEWNS) ? errno : 0);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

static void look_at_namespaces(const CliArgs *args, Finding *finding)
{
    static const struct {
        const char *path;
        gint64 bad;
        const char *remedy;
    } switches[] = {
        { "/proc/sys/kernel/unprivileged_userns_clone", 0,
          "as root: sysctl kernel.unprivileged_userns_clone=1" },
        { "/proc/sys/user/max_user_namespaces", 0,
          "as root: sysctl user.max_user_namespaces=10000" },
        { "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 1,
          "as root: sysctl kernel.apparmor_restrict_unprivileged_userns=0" },
    };
    const char *remedy = "in a container: its rules forbid them";
    int why = try_namespace();

    if (!why) {
        finding_set(finding, FINDING_OK, NULL, "processes can be given namespaces of their own");
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(switches); i++) {
        if (read_number(switches[i].path, -1) == switches[i].bad) {
            remedy = switches[i].remedy;
        }
    }
    finding_set(finding, FINDING_WARN, remedy,
                "no namespaces for this user (%s): one wall less around machines", g_strerror(why));
}

static void look_at_landlock(const CliArgs *args, Finding *finding)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    if (version > 0) {
        finding_set(finding, FINDING_OK, NULL, "the kernel has Landlock, version %ld", version);
    } else if (errno == EOPNOTSUPP) {
        finding_set(finding, FINDING_WARN,
                    "add landlock to lsm= on the kernel's command line, and start again",
                    "Landlock is built in and switched off: one wall less around machines");
    } else {
        finding_set(finding, FINDING_WARN, "Linux 5.13 and later have it",
                    "no Landlock (%s): one wall less around machines", g_strerror(errno));
    }
}

static void look_at_seccomp(const CliArgs *args, Finding *finding)
{
    uint32_t action = SECCOMP_RET_KILL_PROCESS;

    if (!syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action)) {
        finding_set(finding, FINDING_OK, NULL, "system calls can be given up");
    } else {
        finding_set(finding, FINDING_FAIL, "use a kernel with CONFIG_SECCOMP_FILTER",
                    "no seccomp (%s): without it no machine is run", g_strerror(errno));
    }
}

static void look_at_uring(const CliArgs *args, Finding *finding)
{
    gint64 disabled = read_number("/proc/sys/kernel/io_uring_disabled", 0);
    long ring = syscall(SYS_io_uring_setup, 0, NULL); /* fails: with EINVAL or EFAULT if it may */

    if (ring < 0 && (errno == ENOSYS || errno == EPERM)) {
        finding_set(
            finding, FINDING_WARN, disabled ? "as root: sysctl kernel.io_uring_disabled=0" : NULL,
            "no io_uring (%s): disks are served by threads, a little slower", g_strerror(errno));
        return;
    }
    if (ring >= 0) {
        close((int)ring);
    }
    finding_set(finding, FINDING_OK, NULL, "disk requests can wait in the kernel");
}

/* ---- how much there is ---- */

static void look_at_memory(const CliArgs *args, Finding *finding)
{
    g_autofree char *text = NULL;
    const char *row = NULL;

    if (g_file_get_contents("/proc/meminfo", &text, NULL, NULL)) {
        row = strstr(text, "MemAvailable:");
    }
    if (!row) {
        finding_set(finding, FINDING_WARN, NULL, "cannot tell how much memory is free");
        return;
    }
    guint64 kib = g_ascii_strtoull(row + strlen("MemAvailable:"), NULL, 10);
    g_autofree char *size = sheet_bytes_text(kib << 10);
    bool low = kib < MEMORY_LOW_MIB << 10;
    finding_set(finding, low ? FINDING_WARN : FINDING_OK,
                low ? "end something, or give machines less (--memory)" : NULL,
                "%s of memory free, %ld CPUs", size, sysconf(_SC_NPROCESSORS_ONLN));
}

const DoctorCheck doctor_host_checks[] = {
    { "kvm", "machines run on the CPU itself", look_at_kvm },
    { "namespaces", "a machine's process sees no files, no other processes", look_at_namespaces },
    { "landlock", "a second wall between a machine and files", look_at_landlock },
    { "seccomp", "a machine's process can do little to the kernel", look_at_seccomp },
    { "io_uring", "quick disks", look_at_uring },
    { "memory", "room for machines", look_at_memory },
    { 0 },
};
