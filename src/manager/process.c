/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VM's process, see process.h.
 */
#include "manager/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/error.h"
#include "common/text.h"

enum {
    CHILD_CONTROL = 3, /* descriptors as the child has them */
    CHILD_LOCK = 4,
    CHILD_VIEWERS = 5,
    ABOVE_CHILD = 16,      /* ours, when they are handed over */
    LOG_MAX = 1 << 20,     /* bytes; beyond it a start puts the log aside */
    LAST_WORDS_MAX = 2000, /* bytes of it in an error */
    CONTROL_BACKLOG = 4,
};

/* ---- sockets ---- */

/* The address of @path by way of its folder, of which *@ret_folder is open: names of sockets are
 * shorter than paths may be. */
static bool address_of(const char *path, struct sockaddr_un *address, int *ret_folder,
                       GError **error)
{
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);
    int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    int len =
        snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%s", fd, name);
    if (fd < 0 || len < 0 || (size_t)len >= sizeof(address->sun_path)) {
        set_error_errno(error, fd < 0 ? errno : ENAMETOOLONG, "cannot use socket '%s'", path);
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    *ret_folder = fd;
    return true;
}

static int open_socket(const char *path, bool listens, GError **error)
{
    struct sockaddr_un address;
    int folder = -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || !address_of(path, &address, &folder, error)) {
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    const struct sockaddr *where = (const struct sockaddr *)&address;
    bool good = listens ? !fchmod(fd, 0600) && !bind(fd, where, sizeof(address)) &&
                              !listen(fd, CONTROL_BACKLOG)
                        : !connect(fd, where, sizeof(address));
    if (!good) {
        set_error_errno(error, errno, "cannot %s socket '%s'", listens ? "make" : "connect to",
                        path);
        close(fd);
        fd = -1;
    }
    close(folder);
    return fd;
}

int process_connect(const char *path, GError **error)
{
    return open_socket(path, false, error);
}

/* ---- the lock ---- */

static int open_lock(const char *path, GError **error)
{
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0) {
        set_error_errno(error, errno, "cannot open lock '%s'", path);
    } else if (flock(fd, LOCK_EX | LOCK_NB)) {
        set_error(error, "its process is still there, and holds '%s'", path);
        close(fd);
        fd = -1;
    }
    return fd;
}

bool process_lives(const char *lock)
{
    int fd = open(lock, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0) {
        return false;
    }
    bool lives = flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
    close(fd);
    return lives;
}

/* ---- the log ---- */

static int open_log(const char *path, off_t *ret_end, GError **error)
{
    struct stat st;

    if (!stat(path, &st) && st.st_size > LOG_MAX) {
        g_autofree char *aside = g_strconcat(path, ".0", NULL);
        rename(path, aside);
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || fstat(fd, &st)) {
        set_error_errno(error, errno, "cannot write log '%s'", path);
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    *ret_end = st.st_size;
    return fd;
}

char *process_last_words(const char *log, off_t from)
{
    char text[LAST_WORDS_MAX + 1];
    int fd = open(log, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st)) {
        return NULL;
    }
    off_t begin = MAX(from, st.st_size - LAST_WORDS_MAX);
    ssize_t n = pread(fd, text, LAST_WORDS_MAX, begin);
    close(fd);
    if (n <= 0) {
        return NULL;
    }
    text[n] = '\0';
    g_autofree char *valid = g_utf8_make_valid(text, n);
    g_strdelimit(g_strstrip(valid), "\n", ';');
    return *valid ? text_visible(valid) : NULL;
}

/* ---- start ---- */

/* What goes to the child, under numbers that are none of the child's. */
typedef struct Handed {
    int control, lock, viewers, log;
} Handed;

static void close_handed(Handed *handed)
{
    int fds[] = { handed->control, handed->lock, handed->viewers, handed->log };

    for (unsigned i = 0; i < G_N_ELEMENTS(fds); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
}

/* Move *@fd up. */
static bool lift(int *fd)
{
    int above = *fd < 0 ? -1 : fcntl(*fd, F_DUPFD_CLOEXEC, ABOVE_CHILD);

    if (above >= 0) {
        close(*fd);
        *fd = above;
    }
    return above >= 0;
}

static bool open_handed(const ProcessFiles *files, int viewers, Handed *handed, off_t *ret_log_end,
                        GError **error)
{
    *handed = (Handed){ -1, -1, -1, -1 };
    handed->lock = open_lock(files->lock, error);
    if (handed->lock < 0) {
        return false;
    }
    unlink(files->socket); /* who had it is gone: the lock is ours */
    handed->control = open_socket(files->socket, true, error);
    handed->log = handed->control < 0 ? -1 : open_log(files->log, ret_log_end, error);
    if (handed->log < 0) {
        return false;
    }
    handed->viewers = viewers < 0 ? -1 : fcntl(viewers, F_DUPFD_CLOEXEC, ABOVE_CHILD);
    if (!lift(&handed->lock) || !lift(&handed->control) || !lift(&handed->log) ||
        (viewers >= 0 && handed->viewers < 0)) {
        set_error_errno(error, errno, "cannot hand over descriptors");
        return false;
    }
    return true;
}

static GStrv all_words(const char *program, char *const *words)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

    g_strv_builder_add(builder, program);
    g_strv_builder_addv(builder, (const char **)(uintptr_t)words);
    g_strv_builder_add_many(builder, "--qmp", "fd:3", "--lock", "4", NULL);
    return g_strv_builder_end(builder);
}

static pid_t spawn(const char *program, char *const *words, const Handed *handed, GError **error)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    pid_t pid = 0;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, handed->log, STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions, handed->control, CHILD_CONTROL);
    posix_spawn_file_actions_adddup2(&actions, handed->lock, CHILD_LOCK);
    if (handed->viewers >= 0) {
        posix_spawn_file_actions_adddup2(&actions, handed->viewers, CHILD_VIEWERS);
    }
    int err = posix_spawn(&pid, program, &actions, &attributes, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (err) {
        set_error_errno(error, err, "cannot start '%s'", program);
        return -1;
    }
    return pid;
}

bool process_start(const char *program, char *const *words, const ProcessFiles *files, int viewers,
                   Process *ret_process, GError **error)
{
    Process process = { .fd = -1, .control = -1 };
    Handed handed;

    if (!open_handed(files, viewers, &handed, &process.log_end, error)) {
        close_handed(&handed);
        return false;
    }
    g_auto(GStrv) all = all_words(program, words);
    process.pid = spawn(program, all, &handed, error);
    close_handed(&handed);
    if (process.pid < 0) {
        return false;
    }
    process.fd = pidfd_open(process.pid, 0); /* nobody but us waits for it: the number is its own */
    if (process.fd < 0) {
        set_error_errno(error, errno, "cannot follow the process of '%s'", program);
        kill(process.pid, SIGKILL);
        waitpid(process.pid, NULL, 0);
        return false;
    }
    process.control = process_connect(files->socket, error);
    if (process.control < 0) {
        process_kill(process.fd);
        waitpid(process.pid, NULL, 0);
        close(process.fd);
        return false;
    }
    *ret_process = process;
    return true;
}

/* ---- found again ---- */

/* Whether process @pid has the file @st open. */
static bool has_open(pid_t pid, const struct stat *st)
{
    g_autofree char *folder = g_strdup_printf("/proc/%d/fd", (int)pid);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);

    for (const char *name = dir ? g_dir_read_name(dir) : NULL; name; name = g_dir_read_name(dir)) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        struct stat other;

        if (!stat(path, &other) && other.st_dev == st->st_dev && other.st_ino == st->st_ino) {
            return true;
        }
    }
    return false;
}

/* Whoever has the file @st open, besides us; 0: nobody that can be seen. */
static pid_t find_holder(const struct stat *st)
{
    g_autoptr(GDir) dir = g_dir_open("/proc", 0, NULL);

    for (const char *name = dir ? g_dir_read_name(dir) : NULL; name; name = g_dir_read_name(dir)) {
        int64_t pid = g_ascii_isdigit(*name) ? g_ascii_strtoll(name, NULL, 10) : 0;

        if (pid > 0 && pid != getpid() && has_open((pid_t)pid, st)) {
            return (pid_t)pid;
        }
    }
    return 0;
}

bool process_find(const ProcessFiles *files, pid_t hint, Process *ret_process, GError **error)
{
    Process process = { .pid = hint };
    struct stat st;

    if (!process_lives(files->lock) || stat(files->lock, &st)) {
        set_error(error, "its process is gone");
        return false;
    }
    if (hint <= 0 || !has_open(hint, &st)) {
        process.pid = find_holder(&st); /* its starter died before it could note the number */
    }
    process.fd = process.pid > 0 ? pidfd_open(process.pid, 0) : -1;
    if (process.fd < 0 || !has_open(process.pid, &st)) { /* once more: the number is its own now */
        set_error(error, "its process lives, but can't be found");
        if (process.fd >= 0) {
            close(process.fd);
        }
        return false;
    }
    process.control = process_connect(files->socket, error);
    if (process.control < 0) {
        close(process.fd);
        return false;
    }
    *ret_process = process;
    return true;
}

/* ---- the end ---- */

void process_kill(int fd)
{
    pidfd_send_signal(fd, SIGKILL, NULL, 0);
}

int process_reap(int fd)
{
    siginfo_t info = { 0 };

    if (waitid((idtype_t)P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) || info.si_pid == 0) {
        return -1;
    }
    return info.si_code == CLD_EXITED ? info.si_status : 256 + info.si_status;
}
