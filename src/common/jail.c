/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process locks itself in, see jail.h.
 *
 * A build with sanitizers does without the limit of memory: the sanitizers map terabytes.  What
 * calls they make is for the tables of whoever enters.
 */
#include "common/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/error.h"

/* Any folder that exists everywhere: the new root is mounted there for a moment. */
#define ROOT_PLACE "/proc"
/* Users of jailed processes of root's: above all that hosts give to people and containers. */
enum { JAIL_FIRST_UID = 0x40000000, NOBODY = 65534 };

static void note(GString *missing, const char *what, int err)
{
    g_string_append_printf(missing, "%s%s (%s)", missing->len ? ", " : "", what, g_strerror(err));
}

/* --- limits --- */

static bool limit(int resource, uint64_t most)
{
    struct rlimit now, new = { .rlim_cur = most, .rlim_max = most };

    if (getrlimit((__rlimit_resource_t)resource, &now)) {
        return false;
    }
    new.rlim_max = MIN(new.rlim_max, now.rlim_max);
    new.rlim_cur = MIN(new.rlim_cur, new.rlim_max);
    return setrlimit((__rlimit_resource_t)resource, &new) == 0;
}

static void set_limits(const JailSpec *spec, GString *missing)
{
    if (!limit(RLIMIT_NOFILE, spec->max_descriptors) ||
        (!INSULA_SANITIZED && !limit(RLIMIT_AS, spec->max_memory)) || !limit(RLIMIT_CORE, 0) ||
        !limit(RLIMIT_MEMLOCK, 0)) {
        note(missing, "limits", errno);
    }
}

/* --- namespaces --- */

static bool write_file(const char *path, const char *text, int flags)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | flags, S_IRUSR | S_IRGRP | S_IROTH);

    if (fd < 0) {
        return false;
    }
    size_t len = strlen(text);
    ssize_t n = write(fd, text, len);
    close(fd);
    return n == (ssize_t)len;
}

/* The user and group that we are, and no others. */
static bool map_user(uid_t uid, gid_t gid)
{
    g_autofree char *users = g_strdup_printf("%u %u 1", uid, uid);
    g_autofree char *groups = g_strdup_printf("%u %u 1", gid, gid);

    return write_file("/proc/self/setgroups", "deny", 0) &&
           write_file("/proc/self/uid_map", users, 0) &&
           write_file("/proc/self/gid_map", groups, 0);
}

/* New namespaces; with one of users if we may have none without it. */
static bool leave_namespaces(bool network)
{
    int spaces = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | (network ? CLONE_NEWNET : 0);
    uid_t uid = geteuid();
    gid_t gid = getegid();

    if (unshare(spaces) == 0) {
        return true;
    }
    return unshare(CLONE_NEWUSER | spaces) == 0 && map_user(uid, gid);
}

int jail_split_processes(void)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();

    if (unshare(CLONE_NEWPID) == 0) {
        return 0;
    }
    return unshare(CLONE_NEWUSER | CLONE_NEWPID) == 0 && map_user(uid, gid) ? 0 : errno;
}

static bool make_files(const JailFile *files)
{
    for (; files && files->path; files++) {
        g_autofree char *inside = g_strconcat(ROOT_PLACE, files->path, NULL);
        g_autofree char *folder = g_path_get_dirname(inside);
        if (g_mkdir_with_parents(folder, 0755) ||
            !write_file(inside, files->text, O_CREAT | O_EXCL)) {
            return false;
        }
    }
    return true;
}

/* A root of our own, with nothing but @files. */
static bool change_root(const JailFile *files)
{
    enum { LOCKED = MS_NOSUID | MS_NODEV | MS_NOEXEC };

    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("jail", ROOT_PLACE, "tmpfs", LOCKED, "size=64k,nr_inodes=32,mode=755") == 0 &&
           make_files(files) && chdir(ROOT_PLACE) == 0 && syscall(SYS_pivot_root, ".", ".") == 0 &&
           umount2(".", MNT_DETACH) == 0 && chdir("/") == 0 &&
           mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY | LOCKED, NULL) == 0;
}

/* --- identity --- */

static bool become(id_t id)
{
    return setresgid(id, id, id) == 0 && setresuid(id, id, id) == 0;
}

/* Whether user 0 is root of the host, and not somebody else who is called so in a namespace. */
static bool is_real_root(void)
{
    g_autofree char *map = NULL;
    unsigned inside = 1, outside = 1;

    return geteuid() == 0 && g_file_get_contents("/proc/self/uid_map", &map, NULL, NULL) &&
           sscanf(map, "%u %u", &inside, &outside) == 2 && outside == 0;
}

/* Our number among the host's processes, whatever namespace we are in. */
static id_t host_pid(void)
{
    g_autofree char *self = g_file_read_link("/proc/self", NULL);
    guint64 pid = 0;

    return self && g_ascii_string_to_unsigned(self, 10, 1, INT32_MAX, &pid, NULL) ? (id_t)pid
                                                                                  : (id_t)getpid();
}

static void drop_user(id_t pid, unsigned max_tasks, GString *missing)
{
    int ignored = setgroups(0, NULL);

    (void)ignored; /* refused in a namespace of users, where there are none */
    if (become(JAIL_FIRST_UID + pid)) {
        if (max_tasks && !limit(RLIMIT_NPROC, max_tasks)) {
            note(missing, "limit of threads", errno);
        }
    } else if (!become(NOBODY)) {
        note(missing, "another user", errno);
    }
}

/* What no program that is run could get back; while we may still say so. */
static void drop_bounds(void)
{
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
        prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* refused where we have none to lose */
    }
}

static void drop_capabilities(GString *missing)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capset, &header, none)) {
        note(missing, "no capabilities", errno);
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)) {
        note(missing, "no new privileges", errno);
    }
}

/* --- Landlock --- */

/* As newer kernels take it than the headers that this was built with. */
typedef struct LandlockRuleset {
    uint64_t files, network, scoped;
} LandlockRuleset;

static LandlockRuleset ruleset_of(long version)
{
    /* the rights on files that each version knows are those of the one before, and more */
    static const uint64_t rights[] = { 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff };
    size_t index = MIN((size_t)version, G_N_ELEMENTS(rights)) - 1;

    return (LandlockRuleset){ .files = rights[index], .scoped = version >= 6 ? 3 : 0 };
}

static bool allow_reading(int ruleset, const JailFile *files)
{
    for (; files && files->path; files++) {
        struct landlock_path_beneath_attr rule = {
            .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE,
            .parent_fd = open(files->path, O_PATH | O_CLOEXEC),
        };
        if (rule.parent_fd < 0) {
            continue; /* then it can't be read either */
        }
        long result = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
        close(rule.parent_fd);
        if (result) {
            return false;
        }
    }
    return true;
}

static void landlock(const JailFile *files, GString *missing)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) {
        note(missing, "Landlock", errno);
        return;
    }
    LandlockRuleset ruleset = ruleset_of(version);
    size_t size = version >= 6   ? sizeof(ruleset)
                  : version >= 4 ? offsetof(LandlockRuleset, scoped)
                                 : offsetof(LandlockRuleset, network);
    int fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, size, 0);
    if (fd < 0 || !allow_reading(fd, files) || syscall(SYS_landlock_restrict_self, fd, 0)) {
        note(missing, "Landlock", errno);
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* --- seccomp --- */

/* Programs of the kernel's: rows one after the other, as few instructions as they need.  The kernel
 * finds out by itself which calls are allowed whatever their arguments, and runs nothing for these;
 * libseccomp would take a millisecond and a half for each filter. */
enum { FILTER_MAX = 4096, ROW_MAX = 3 + 6 * (JAIL_CALL_ARGS + 1) };

/* Calls of another convention of the same CPU. */
#define OTHER_CONVENTION 0x40000000

typedef struct Filter {
    struct sock_filter code[FILTER_MAX];
    unsigned short n;
} Filter;

static void emit(Filter *f, int code, uint32_t k, uint8_t if_so, uint8_t if_not)
{
    f->code[f->n++] = (struct sock_filter){ (uint16_t)code, if_so, if_not, k };
}

static void load(Filter *f, size_t offset)
{
    emit(f, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* Go on if half of an argument is so; else leave the row, by a jump that is filled in later. */
static void test_half(Filter *f, size_t offset, uint32_t mask, uint32_t value)
{
    if (mask) {
        load(f, offset);
        if (mask != UINT32_MAX) {
            emit(f, BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
        }
        emit(f, BPF_JMP | BPF_JEQ | BPF_K, value & mask, 0, 0);
    }
}

static void test_arg(Filter *f, const JailArg *arg)
{
    size_t offset = offsetof(struct seccomp_data, args) + 8 * (size_t)arg->which;

    test_half(f, offset, (uint32_t)arg->mask, (uint32_t)arg->value);
    test_half(f, offset + 4, (uint32_t)(arg->mask >> 32), (uint32_t)(arg->value >> 32));
}

static void add_row(Filter *f, const JailCall *call)
{
    unsigned short begin = f->n;

    load(f, offsetof(struct seccomp_data, nr));
    emit(f, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call->number, 0, 0);
    for (unsigned i = 0; i < JAIL_CALL_ARGS && call->args[i].mask; i++) {
        test_arg(f, &call->args[i]);
    }
    if (call->own) {
        test_arg(f, &(JailArg){ 0, JAIL_INT, (uint64_t)getpid() });
    }
    emit(f, BPF_RET | BPF_K,
         call->refuse ? SECCOMP_RET_ERRNO | (uint32_t)call->refuse : SECCOMP_RET_ALLOW, 0, 0);
    for (unsigned short i = begin; i < f->n; i++) {
        if (BPF_CLASS(f->code[i].code) == BPF_JMP) {
            f->code[i].jf = (uint8_t)(f->n - i - 1);
        }
    }
}

/* Any row is shorter than a jump is long. */
_Static_assert(ROW_MAX < UINT8_MAX, "a jump over a row");

bool jail_narrow(const JailCall *calls, size_t n_calls, unsigned kinds, bool trap)
{
    g_autofree Filter *f =
        g_new(Filter, 1); /* mostly never touched: it is as long as any could be */

    f->n = 0;
    load(f, offsetof(struct seccomp_data, arch));
    emit(f, BPF_JMP | BPF_JEQ | BPF_K, INSULA_AUDIT_ARCH, 1, 0);
    emit(f, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
    load(f, offsetof(struct seccomp_data, nr));
    emit(f, BPF_JMP | BPF_JGE | BPF_K, OTHER_CONVENTION, 0, 1);
    emit(f, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
    for (size_t i = 0; i < n_calls; i++) {
        if (calls[i].number >= 0 && calls[i].kinds & kinds) {
            g_assert(f->n + ROW_MAX < FILTER_MAX);
            add_row(f, &calls[i]);
        }
    }
    emit(f, BPF_RET | BPF_K, trap ? SECCOMP_RET_TRAP : SECCOMP_RET_KILL_PROCESS, 0, 0);
    const struct sock_fprog program = { f->n, f->code };
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

bool jail_enter(const JailSpec *spec, char **ret_missing, GError **error)
{
    g_autoptr(GString) missing = g_string_new(NULL);

    bool root = is_real_root(); /* while there is a /proc */
    id_t pid = host_pid();
    set_limits(spec, missing);
    if (!leave_namespaces(spec->no_network) || !change_root(spec->files)) {
        note(missing, "namespaces", errno);
    }
    drop_bounds();
    if (root) {
        drop_user(pid, spec->max_tasks, missing);
    }
    drop_capabilities(missing);
    landlock(spec->files, missing);
    /* after all that changes who we are, which would undo it */
    if (spec->dies_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)) {
        note(missing, "end with the parent", errno);
    }
    if (!jail_narrow(spec->calls, spec->n_calls, spec->kinds, spec->trap)) {
        set_error_errno(error, errno, "cannot limit the system calls of this process");
        return false;
    }
    *ret_missing = missing->len ? g_strdup(missing->str) : NULL;
    return true;
}
