/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a domain's virtual machine begins and ends, see domain_life.h.
 *
 *   launch:  live file -> process -> live file with its number -> greeting -> [state] -> cont
 *   the end: the process is gone (domain_ended(), on the monitor's thread), for which launch and
 *            kill wait
 *
 * Whenever the daemon dies, the live file and the lock tell the next one what there is.
 */
#include "manager/domain_life.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "common/program.h"
#include "manager/domain_devices.h"
#include "manager/domain_live.h"
#include "manager/domain_plug.h"
#include "manager/domain_words.h"
#include "manager/domains.h"
#include "manager/process.h"
#include "manager/report.h"
#include "manager/store.h"

enum {
    GREETING_MS = 60000, /* disks are opened, and memory is made, on a host that may be busy */
    STATE_MS = 60000,    /* a state is mapped, and devices checked */
    TERM_S = 5,          /* for disks to be flushed */
    KILL_S = 15,         /* the kernel takes memory back */
};

/* The files of a domain's process. */
typedef struct Files {
    char *lock, *socket, *log;
    ProcessFiles names;
} Files;

static void find_files(Domain *domain, Files *files)
{
    g_mutex_lock(&domain->mutex);
    files->lock = domain_path_live(domain, ".lock");
    files->socket = domain_path_live(domain, ".qmp");
    files->log = domain_path_log(domain);
    g_mutex_unlock(&domain->mutex);
    files->names = (ProcessFiles){ files->lock, files->socket, files->log };
}

static void clear_files(Files *files)
{
    g_free(files->lock);
    g_free(files->socket);
    g_free(files->log);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Files, clear_files)

/* ---- the end ---- */

static void remove_live_files(Domain *domain)
{
    static const char *const suffixes[] = {
        ".live", ".qmp", ".serial", ".console", ".vnc", ".lock"
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        g_autofree char *path = domain_path_live(domain, suffixes[i]);
        unlink(path);
    }
}

/* The SHUTOFF_ that @status stands for, where nobody has said it before. */
static int reason_of(const Domain *domain, int status)
{
    if (domain->stop_reason) {
        return domain->stop_reason;
    }
    if (domain->state == DOMAIN_PAUSED && domain->reason == PAUSED_STARTING) {
        return SHUTOFF_FAILED;
    }
    if (status == 0 || (status == -1 && domain->told_shutdown)) {
        return SHUTOFF_SHUTDOWN;
    }
    return SHUTOFF_CRASHED;
}

/* Details of LIFECYCLE_STOPPED, by SHUTOFF_. */
static const int stopped_details[] = {
    [SHUTOFF_SHUTDOWN] = 0, [SHUTOFF_DESTROYED] = 1, [SHUTOFF_CRASHED] = 5,
    [SHUTOFF_SAVED] = 4,    [SHUTOFF_FAILED] = 5,    [SHUTOFF_FROM_SNAPSHOT] = 6,
};

/* A daemon that was started on demand stays while something runs. */
static void hold_daemon(const Domain *domain, bool hold)
{
    Daemon *daemon = domain->domains->daemon;

    if (daemon) {
        (hold ? daemon_hold : daemon_release)(daemon);
    }
}

/* Nothing runs any more: note and tell it.  With the lock. */
static void settle(Domain *domain, int reason)
{
    bool panicked = domain->panicked && reason == SHUTOFF_CRASHED;

    hold_daemon(domain, false);
    g_clear_pointer(&domain->live, domain_config_free);
    g_clear_pointer(&domain->plugged, g_ptr_array_unref);
    g_clear_pointer(&domain->disk_errors, g_ptr_array_unref);
    remove_live_files(domain);
    if (domain->process >= 0) {
        close(domain->process);
    }
    domain->process = -1;
    domain->pid = 0;
    domain->id = -1;
    domain->stop_reason = domain->pause_reason = domain->fault_reason = 0;
    domain->told_shutdown = domain->panicked = domain->reboots = false;
    domain_set_state(domain, DOMAIN_SHUTOFF, reason);
    domain_tell(domain, LIFECYCLE_STOPPED, panicked ? 2 : stopped_details[reason]);
}

static gpointer start_again(gpointer data);

void domain_ended(Domain *domain, int status)
{
    g_mutex_lock(&domain->mutex);
    Monitor *gone = g_steal_pointer(&domain->monitor);
    bool again = domain->reboots && !domain->stop_reason && status <= 0;
    bool transient = !domain->config && !again;
    if (!again) {
        settle(domain, reason_of(domain, status));
    }
    g_mutex_unlock(&domain->mutex);
    monitor_unref(gone);
    if (again) {
        g_thread_unref(g_thread_new("vm-again", start_again, domain_ref(domain)));
    } else if (transient) {
        domains_drop(domain->domains, domain);
    }
    domain_unref(domain); /* the monitor's */
}

/* Wait until nothing runs, and what is transient is gone. */
static bool wait_ended(Domain *domain, unsigned seconds)
{
    int64_t until_us = g_get_monotonic_time() + seconds * G_TIME_SPAN_SECOND;

    g_mutex_lock(&domain->mutex);
    while ((domain->live || (!domain->config && !domain->removed)) &&
           g_cond_wait_until(&domain->changed, &domain->mutex, until_us)) {
        /* again */
    }
    bool ended = !domain->live;
    g_mutex_unlock(&domain->mutex);
    return ended;
}

/* Send @number to the process; false: there is none. */
static bool send_signal(Domain *domain, int number)
{
    g_mutex_lock(&domain->mutex);
    bool there = domain->process >= 0;
    if (there) {
        pidfd_send_signal(domain->process, number, NULL, 0);
    }
    g_mutex_unlock(&domain->mutex);
    return there;
}

bool domain_kill(Domain *domain, int reason, bool force, GError **error)
{
    g_mutex_lock(&domain->mutex);
    bool runs = domain->live != NULL;
    bool listens = domain->monitor && monitor_answers(domain->monitor);
    if (runs && !domain->stop_reason) {
        domain->stop_reason = reason;
    }
    if (runs && domain->domains->fake) {
        domain_tell(domain, LIFECYCLE_SHUTDOWN, 2);
        settle(domain, reason);
    }
    bool transient = !domain->config;
    g_mutex_unlock(&domain->mutex);
    if (!runs) {
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "Requested operation is not valid: domain is not running");
        return false;
    }
    if (domain->domains->fake) {
        if (transient) {
            domains_drop(domain->domains, domain);
        }
        return true;
    }
    if (listens && send_signal(domain, SIGTERM) && wait_ended(domain, TERM_S)) {
        return true;
    }
    if (force) {
        send_signal(domain, SIGKILL);
    }
    if (wait_ended(domain, force ? KILL_S : 0)) {
        return true;
    }
    remote_error_set(error, REMOTE_ERR_SYSTEM_ERROR,
                     "Failed to terminate process %d: Device or resource busy", (int)domain->pid);
    return false;
}

/* ---- the begin ---- */

/* From now on it runs, as far as clients can see.  With the lock. */
static void become_live(Domain *domain, DomainConfig *live)
{
    hold_daemon(domain, true);
    domain->log_end = -1; /* no process yet */
    domain->live = live;
    domain->plugged = g_ptr_array_new_with_free_func(g_free);
    domain->disk_errors = g_ptr_array_new_with_free_func(g_free);
    domain_set_state(domain, DOMAIN_PAUSED, PAUSED_STARTING);
}

static void become_process(Domain *domain, const Process *process)
{
    g_mutex_lock(&domain->mutex);
    domain->pid = process->pid;
    domain->log_end = process->log_end;
    domain->process = fcntl(process->fd, F_DUPFD_CLOEXEC, 0);
    domain->monitor =
        monitor_new(process->control, process->fd, &domain_monitor_ops, domain_ref(domain));
    domain_keep_live(domain);
    g_mutex_unlock(&domain->mutex);
}

static char *find_program(const Domains *domains, GError **error)
{
    char *program = domains->program ? g_strdup(domains->program) : program_find("insula-vm", "vm");

    if (!program) {
        remote_error_set(error, REMOTE_ERR_INTERNAL,
                         "internal error: insula-vm is neither beside insulad nor in ../vm");
    }
    return program;
}

/* The VNC password, in a file for the VM to read while it starts; *@ret_path NULL: there is none.
 * With the lock. */
static bool write_password(Domain *domain, char **ret_path, GError **error)
{
    const DomainGraphics *graphics =
        domain->live->graphics->len ? domain->live->graphics->pdata[0] : NULL;

    if (!graphics || !graphics->passwd) {
        return true;
    }
    *ret_path = domain_path_live(domain, ".vnc");
    return store_write(*ret_path, graphics->passwd, error);
}

/* What the words of the command line name besides the configuration. */
static bool find_words(Domain *domain, const DomainStart *start, int *ret_viewers, GStrv *ret_words,
                       GError **error)
{
    g_autofree char *serial = domain_path_live(domain, ".serial");
    g_autofree char *console = domain_path_live(domain, ".console");
    g_autofree char *password = NULL;

    g_mutex_lock(&domain->mutex);
    bool good = write_password(domain, &password, error) &&
                domain_words_viewers(domain->live, ret_viewers, error);
    const DomainWords extra = { .serial = serial,
                                .console = console,
                                .password = password,
                                .later = start->plugged,
                                .viewers = *ret_viewers >= 0,
                                .waits = start->state >= 0 };
    *ret_words = good ? domain_words(domain->live, &extra, error) : NULL;
    g_mutex_unlock(&domain->mutex);
    return *ret_words != NULL;
}

/* Start the process of .live, and wait for its greeting. */
static bool start_process(Domain *domain, const DomainStart *start, GError **error)
{
    g_auto(Files) files = { 0 };
    g_autofree char *program = find_program(domain->domains, error);
    g_auto(GStrv) words = NULL;
    int viewers = -1;
    Process process;

    find_files(domain, &files);
    bool good = program && find_words(domain, start, &viewers, &words, error) &&
                process_start(program, words, &files.names, viewers, &process, error);
    if (viewers >= 0) {
        close(viewers);
    }
    if (!good) {
        return false;
    }
    become_process(domain, &process);
    good = monitor_begin(domain->monitor, GREETING_MS, error);
    g_autofree char *password = domain_path_live(domain, ".vnc");
    unlink(password); /* it has been read, or never will be */
    return good;
}

/* Have it take the state that it goes on from. */
static bool give_state(Domain *domain, int state, GError **error)
{
    g_autoptr(Monitor) monitor = domain_monitor(domain, error);
    JsonObject *name = json_object_new(), *uri = json_object_new();

    json_object_set_string_member(name, "fdname", "state");
    json_object_set_string_member(uri, "uri", "fd:state");
    g_autoptr(JsonNode) got =
        monitor ? monitor_command(monitor, "getfd", name, state, MONITOR_COMMAND_MS, error) : NULL;
    if (!got) {
        json_object_unref(uri);
        return false;
    }
    g_autoptr(JsonNode) done =
        monitor_command(monitor, "migrate-incoming", uri, -1, STATE_MS, error);
    return done != NULL;
}

/* Plug in again what had come later when its state was written. */
static bool plug_again(Domain *domain, char *const *aliases, GError **error)
{
    for (char *const *alias = aliases; alias && *alias; alias++) {
        g_autoptr(DomainConfig) config = domain_config_now(domain, false);
        DomainDeviceKind kind = DOMAIN_DEVICE_KINDS;
        const DomainDevice *device = domain_config_find_alias(config, *alias, &kind);

        if (!device) {
            remote_error_set(error, REMOTE_ERR_INTERNAL, "it has no device '%s' any more", *alias);
            return false;
        }
        if (!domain_plug(domain, kind, device, error)) {
            return false;
        }
        g_mutex_lock(&domain->mutex);
        if (domain->live) {
            g_ptr_array_add(domain->plugged, g_strdup(*alias));
            domain_keep_live(domain);
        }
        g_mutex_unlock(&domain->mutex);
    }
    return true;
}

/* It goes on from a state, if there is one. */
static bool take_state(Domain *domain, const DomainStart *start, GError **error)
{
    return start->state < 0 || domain->domains->fake ||
           (plug_again(domain, start->plugged, error) && give_state(domain, start->state, error));
}

/* The last step: it stands, and shall go. */
static bool let_go(Domain *domain, const DomainStart *start, GError **error)
{
    bool paused = start->paused;
    bool boots = start->reason == RUNNING_BOOTED;

    if (!paused && !domain_do(domain, "cont", NULL, error)) {
        return false;
    }
    g_mutex_lock(&domain->mutex);
    if (domain->live && domain->state == DOMAIN_PAUSED && domain->reason == PAUSED_STARTING) {
        int detail = boots ? 0 : start->reason == RUNNING_RESTORED ? 2 : 3;
        domain_set_state(domain, paused ? DOMAIN_PAUSED : DOMAIN_RUNNING,
                         paused ? PAUSED_USER : start->reason);
        if (!paused && boots) {
            domain_tell(domain, LIFECYCLE_RESUMED, 0);
        }
        domain_tell(domain, LIFECYCLE_STARTED, detail);
        if (paused) {
            domain_tell(domain, LIFECYCLE_SUSPENDED, 0);
        }
    }
    g_mutex_unlock(&domain->mutex);
    return true;
}

/* It didn't start: nothing stays of it, and the error says why. */
static void give_up(Domain *domain, GError *why, GError **error)
{
    g_autofree char *name = domain_name(domain);
    g_auto(Files) files = { 0 };

    find_files(domain, &files);
    g_mutex_lock(&domain->mutex);
    int64_t log_end = domain->log_end;
    bool process = domain->monitor != NULL; /* it has not ended yet */
    domain->stop_reason = SHUTOFF_FAILED;
    domain->reboots = false;
    if (domain->live && !process) { /* nobody else will */
        settle(domain, SHUTOFF_FAILED);
    }
    g_mutex_unlock(&domain->mutex);
    if (process) {
        send_signal(domain, SIGKILL);
        wait_ended(domain, KILL_S);
    }
    g_autofree char *words = log_end >= 0 ? process_last_words(files.log, (off_t)log_end) : NULL;
    remote_error_set(error, REMOTE_ERR_INTERNAL, "internal error: domain '%s' did not start: %s",
                     name, words ? words : why->message);
    g_error_free(why);
}

static bool launch_live(Domain *domain, const DomainStart *start, GError **error)
{
    GError *why = NULL;
    bool good = domain->domains->fake || start_process(domain, start, &why);

    good = good && take_state(domain, start, &why) && let_go(domain, start, &why);
    if (!good) {
        give_up(domain, why, error);
    }
    return good;
}

bool domain_launch(Domain *domain, DomainConfig *live, const DomainStart *start, GError **error)
{
    int32_t id = domains_take_id(domain->domains);

    g_mutex_lock(&domain->domains->mutex);
    g_mutex_lock(&domain->mutex);
    domain->id = id;
    g_mutex_unlock(&domain->domains->mutex);
    domain_name_interfaces(live, id);
    become_live(domain, live);
    g_mutex_unlock(&domain->mutex);
    return launch_live(domain, start, error);
}

/* On a thread of its own: what has gone off by itself comes again, under the same number. */
static gpointer start_again(gpointer data)
{
    g_autoptr(Domain) domain = data;
    g_autoptr(GError) error = NULL;
    const DomainStart start = { .state = -1, .reason = RUNNING_BOOTED };
    bool begun = domain_begin(domain, &error);

    g_mutex_lock(&domain->mutex);
    domain->reboots = domain->told_shutdown = false;
    if (domain->process >= 0) {
        close(domain->process);
    }
    domain->process = -1;
    bool there = domain->live != NULL && !domain->stop_reason;
    if (there) {
        g_ptr_array_set_size(domain->plugged, 0); /* they are there from the start now */
        domain_set_state(domain, DOMAIN_PAUSED, PAUSED_STARTING);
    } else if (domain->live) { /* somebody wanted it to end meanwhile */
        settle(domain, domain->stop_reason);
    }
    g_mutex_unlock(&domain->mutex);
    if (begun && there && !launch_live(domain, &start, &error)) {
        report("%s", error->message);
    }
    if (begun) {
        domain_end(domain);
    }
    return NULL;
}

/* ---- while it runs ---- */

bool domain_power_button(Domain *domain, bool again, GError **error)
{
    g_mutex_lock(&domain->mutex);
    domain->reboots = again;
    g_mutex_unlock(&domain->mutex);
    if (domain->domains->fake) {
        return again || domain_kill(domain, SHUTOFF_SHUTDOWN, true, error);
    }
    return domain_do(domain, "system_powerdown", NULL, error);
}

/* Details of LIFECYCLE_SUSPENDED, by PAUSED_; what isn't here is a plain pause. */
static const int suspended_details[] = {
    [PAUSED_IO_ERROR] = 2, [PAUSED_WATCHDOG] = 3, [PAUSED_FROM_SNAPSHOT] = 5, [PAUSED_CRASHED] = 0
};

void domain_has_paused(Domain *domain, int reason)
{
    if (domain->state == DOMAIN_RUNNING) {
        domain_set_state(domain, DOMAIN_PAUSED, reason);
        domain_tell(domain, LIFECYCLE_SUSPENDED, suspended_details[reason]);
    }
}

void domain_has_resumed(Domain *domain, int reason)
{
    if (domain->state == DOMAIN_PAUSED && domain->reason != PAUSED_STARTING) {
        domain_set_state(domain, DOMAIN_RUNNING, reason);
        domain_tell(domain, LIFECYCLE_RESUMED, reason == RUNNING_FROM_SNAPSHOT ? 2 : 0);
    }
}

bool domain_pause(Domain *domain, int reason, GError **error)
{
    g_mutex_lock(&domain->mutex);
    bool runs = domain->state == DOMAIN_RUNNING;
    domain->pause_reason = runs ? reason : 0;
    g_mutex_unlock(&domain->mutex);
    if (!runs) {
        return true;
    }
    bool good = domain_do(domain, "stop", NULL, error);
    g_mutex_lock(&domain->mutex);
    if (good) {
        domain_has_paused(domain, reason);
    }
    domain->pause_reason = 0;
    g_mutex_unlock(&domain->mutex);
    return good;
}

bool domain_go_on(Domain *domain, int reason, GError **error)
{
    bool good = domain_do(domain, "cont", NULL, error);

    g_mutex_lock(&domain->mutex);
    if (good) {
        domain_has_resumed(domain, reason);
    }
    g_mutex_unlock(&domain->mutex);
    return good;
}

/* ---- found again ---- */

/* The states of QMP, and what they are here. */
static const struct {
    const char *word;
    DomainState state;
    int reason;
} words_of_state[] = {
    { "running", DOMAIN_RUNNING, RUNNING_UNPAUSED },
    { "paused", DOMAIN_PAUSED, PAUSED_USER },
    { "io-error", DOMAIN_PAUSED, PAUSED_IO_ERROR },
    { "watchdog", DOMAIN_PAUSED, PAUSED_WATCHDOG },
    { "guest-panicked", DOMAIN_PAUSED, PAUSED_CRASHED },
    { "finish-migrate", DOMAIN_PAUSED, PAUSED_SAVE },
    { "postmigrate", DOMAIN_PAUSED, PAUSED_SAVE },
};

/* Ask it what it does: the file may be older. */
static bool ask_state(Domain *domain, GError **error)
{
    g_autoptr(JsonNode) node = domain_query(domain, "query-status", NULL, error);
    JsonObject *object = node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
    const char *word = monitor_text(object, "status", "paused");

    g_mutex_lock(&domain->mutex);
    for (unsigned i = 0; object && i < G_N_ELEMENTS(words_of_state); i++) {
        if (!g_strcmp0(words_of_state[i].word, word) && words_of_state[i].state != domain->state) {
            domain_set_state(domain, words_of_state[i].state, words_of_state[i].reason);
        }
    }
    g_mutex_unlock(&domain->mutex);
    return object != NULL;
}

/* Take what the live file says. */
static bool take_live(Domain *domain, const char *text, DomainLive *ret_live, GError **error)
{
    if (!domain_live_parse(text, ret_live, error)) {
        return false;
    }
    DomainConfig *config = domain_config_parse(ret_live->xml, DOMAIN_PARSE_LIVE, error);
    if (!config) {
        return false;
    }
    hold_daemon(domain, true);
    domain->live = config;
    domain->plugged = g_ptr_array_new_with_free_func(g_free);
    for (char **alias = ret_live->plugged; *alias; alias++) {
        g_ptr_array_add(domain->plugged, g_strdup(*alias));
    }
    domain->disk_errors = g_ptr_array_new_with_free_func(g_free);
    domain->id = (int32_t)ret_live->id;
    domain->pid = (pid_t)ret_live->pid;
    domain->log_end = ret_live->log_end;
    domain->state = (DomainState)ret_live->state;
    domain->reason = (int)ret_live->reason;
    domain->state_us = g_get_monotonic_time();
    return true;
}

bool domain_adopt(Domain *domain, const char *text, GError **error)
{
    g_auto(Files) files = { 0 };
    g_auto(DomainLive) live = { 0 };
    Process process;

    if (!take_live(domain, text, &live, error)) {
        return false;
    }
    find_files(domain, &files);
    if (!process_find(&files.names, (pid_t)live.pid, &process, error)) {
        g_mutex_lock(&domain->mutex);
        settle(domain, SHUTOFF_CRASHED);
        g_mutex_unlock(&domain->mutex);
        return false;
    }
    process.log_end = (off_t)live.log_end;
    become_process(domain, &process);
    bool half = domain->state == DOMAIN_PAUSED && domain->reason == PAUSED_STARTING;
    bool answers = monitor_begin(domain->monitor, GREETING_MS / 10, error);
    if (half) { /* nobody was told that it has started */
        g_clear_error(error);
        domain_kill(domain, SHUTOFF_FAILED, true, NULL);
        remote_error_set(error, REMOTE_ERR_INTERNAL, "its start was not finished");
        return false;
    }
    if (!answers || !ask_state(domain, error)) {
        report("domain '%s' runs, but doesn't answer: %s", domain->name, (*error)->message);
        g_clear_error(error); /* it is ours all the same: it can be destroyed */
    }
    return true;
}

void domain_forget(Domain *domain)
{
    g_mutex_lock(&domain->mutex);
    Monitor *monitor = g_steal_pointer(&domain->monitor);
    g_mutex_unlock(&domain->mutex);
    if (monitor) {
        monitor_stop(monitor);
        monitor_unref(monitor);
        domain_unref(domain); /* the monitor's */
    }
}
