/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saving a running domain to a file, and going on from it; see domain_save.h.
 */
#include "manager/domain_save.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "config/identity.h"
#include "manager/domain_life.h"
#include "manager/domain_start.h"
#include "manager/domains.h"
#include "manager/store.h"

#define TAIL_MARK "INSULASV"
enum { MARK_SIZE = 8, TAIL_END = 16, LOOK_MS = 20 };

/* ---- the tail ---- */

static bool write_tail(int fd, const DomainLive *tail, const char *path, GError **error)
{
    g_autofree char *text = domain_live_format(tail);
    uint64_t len = GUINT64_TO_LE(strlen(text));
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    g_byte_array_append(bytes, (const guint8 *)text, (guint)strlen(text));
    g_byte_array_append(bytes, (const guint8 *)&len, sizeof(len));
    g_byte_array_append(bytes, (const guint8 *)TAIL_MARK, MARK_SIZE);
    off_t end = lseek(fd, 0, SEEK_END);
    for (size_t done = 0; end >= 0 && done < bytes->len;) {
        ssize_t n = pwrite(fd, bytes->data + done, bytes->len - done, end + (off_t)done);
        if (n < 0 && errno != EINTR) {
            end = -1;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    if (end < 0 || fsync(fd)) {
        set_error_errno(error, errno, "cannot write '%s'", path);
        return false;
    }
    return true;
}

static bool read_tail(int fd, DomainLive *ret_tail)
{
    struct stat st;
    uint64_t len;
    char mark[MARK_SIZE];

    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size < TAIL_END ||
        pread(fd, &len, sizeof(len), st.st_size - TAIL_END) != sizeof(len) ||
        pread(fd, mark, MARK_SIZE, st.st_size - MARK_SIZE) != MARK_SIZE ||
        memcmp(mark, TAIL_MARK, MARK_SIZE) != 0) {
        return false;
    }
    len = GUINT64_FROM_LE(len);
    if (len > STORE_FILE_MAX || (off_t)len > st.st_size - TAIL_END) {
        return false;
    }
    g_autofree char *text = g_malloc0(len + 1);
    return pread(fd, text, len, st.st_size - TAIL_END - (off_t)len) == (ssize_t)len &&
           strlen(text) == len && domain_live_parse(text, ret_tail, NULL);
}

int domain_open_state(const char *path, DomainLive *ret_tail, GError **error)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                         "operation failed: cannot open saved domain '%s': %s", path,
                         g_strerror(errno));
        return -1;
    }
    if (!read_tail(fd, ret_tail)) {
        remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                         "operation failed: '%s' is no saved domain of Insula", path);
        close(fd);
        return -1;
    }
    return fd;
}

/* ---- writing ---- */

/* Note how far the VM is; false: it has ended one way or the other, and *@ret_good says how. */
static bool still_writes(Domain *domain, bool *ret_good, GError **error)
{
    g_autoptr(JsonNode) node = domain_query(domain, "query-migrate", NULL, error);
    JsonObject *info = node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
    JsonObject *ram = monitor_object(info, "ram");
    const char *status = monitor_text(info, "status", "failed");

    *ret_good = false;
    if (!info) {
        return false;
    }
    g_mutex_lock(&domain->mutex);
    int64_t total = monitor_number(ram, "total", 0), left = monitor_number(ram, "remaining", 0);
    domain->job.total = (uint64_t)MAX(total, 0);
    domain->job.done = (uint64_t)CLAMP(total - left, 0, MAX(total, 0));
    g_mutex_unlock(&domain->mutex);
    if (!strcmp(status, "completed")) {
        *ret_good = true;
        return false;
    }
    if (!strcmp(status, "failed") || !strcmp(status, "cancelled")) {
        bool cancelled = status[0] == 'c';
        remote_error_set(
            error, cancelled ? REMOTE_ERR_OPERATION_ABORTED : REMOTE_ERR_OPERATION_FAILED,
            cancelled ? "operation aborted: %s" : "operation failed: %s",
            cancelled ? "saving was canceled by client"
                      : monitor_text(info, "error-desc", "the state can't be written"));
        return false;
    }
    return true;
}

static bool is_aborted(Domain *domain)
{
    g_mutex_lock(&domain->mutex);
    bool aborted = domain->job.aborted;
    g_mutex_unlock(&domain->mutex);
    return aborted;
}

/* Have the VM write its state to @fd. */
static bool write_to(Domain *domain, int fd, GError **error)
{
    g_autoptr(Monitor) monitor = domain_monitor(domain, error);
    JsonObject *name = json_object_new(), *uri = json_object_new();
    bool good = false, told = false;

    json_object_set_string_member(name, "fdname", "state");
    json_object_set_string_member(uri, "uri", "fd:state");
    g_autoptr(JsonNode) got =
        monitor ? monitor_command(monitor, "getfd", name, fd, MONITOR_COMMAND_MS, error) : NULL;
    if (!got) {
        json_object_unref(uri);
        return false;
    }
    if (!domain_do(domain, "migrate", uri, error)) {
        return false;
    }
    while (still_writes(domain, &good, error)) {
        if (!told && is_aborted(domain)) {
            told = domain_do(domain, "migrate_cancel", NULL, NULL);
        }
        g_usleep(LOOK_MS * 1000);
    }
    return good;
}

bool domain_write_state(Domain *domain, const char *path, const DomainLive *tail, GError **error)
{
    g_autofree char *beside = g_strconcat(path, ".new", NULL);
    int fd = open(beside, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0) {
        remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                         "operation failed: cannot create '%s': %s", beside, g_strerror(errno));
        return false;
    }
    bool good = write_to(domain, fd, error) && write_tail(fd, tail, path, error);
    close(fd);
    if (!good || !store_rename(beside, path, error)) {
        unlink(beside);
        return false;
    }
    return true;
}

void domain_describe(Domain *domain, const char *xml, bool running, DomainLive *ret)
{
    g_autoptr(GStrvBuilder) plugged = g_strv_builder_new();

    g_mutex_lock(&domain->mutex);
    for (unsigned i = 0; domain->plugged && i < domain->plugged->len; i++) {
        g_strv_builder_add(plugged, domain->plugged->pdata[i]);
    }
    *ret = (DomainLive){ .state = running ? DOMAIN_RUNNING : DOMAIN_PAUSED,
                         .persistent = domain->config != NULL,
                         .plugged = g_strv_builder_end(plugged),
                         .xml = xml ? g_strdup(xml)
                                    : domain_config_format(domain->live, DOMAIN_FORMAT_SECURE) };
    g_mutex_unlock(&domain->mutex);
}

static void begin_job(Domain *domain)
{
    g_mutex_lock(&domain->mutex);
    domain->job = (DomainJob){ .type = 2, .begin_us = g_get_monotonic_time(), .saves = true };
    g_mutex_unlock(&domain->mutex);
}

bool domain_save(Domain *domain, const char *path, const char *xml, unsigned flags, GError **error)
{
    g_auto(DomainLive) tail = { 0 };

    if (domain->domains->fake) {
        remote_error_set(error, REMOTE_ERR_OPERATION_UNSUPPORTED,
                         "Operation not supported: a fake domain has no state to save");
        return false;
    }
    begin_job(domain);
    g_mutex_lock(&domain->mutex);
    bool ran = domain->state == DOMAIN_RUNNING;
    g_mutex_unlock(&domain->mutex);
    domain_describe(domain, xml,
                    flags & SAVE_RUNNING  ? true
                    : flags & SAVE_PAUSED ? false
                                          : ran,
                    &tail);
    bool good =
        domain_pause(domain, PAUSED_SAVE, error) && domain_write_state(domain, path, &tail, error);
    if (!good) {
        if (ran) {
            domain_go_on(domain, RUNNING_SAVE_CANCELED, NULL);
        }
        return false;
    }
    return domain_kill(domain, SHUTOFF_SAVED, true, error);
}

/* ---- going on ---- */

/* The configuration of a saved domain, or what the client wants in its place. */
static DomainConfig *config_of(Domains *domains, const DomainLive *tail, const char *xml,
                               GError **error)
{
    g_autoptr(DomainConfig) saved = domain_config_parse(tail->xml, DOMAIN_PARSE_LIVE, error);

    if (!saved || !xml) {
        return g_steal_pointer(&saved);
    }
    g_autoptr(DomainConfig) wanted = domain_read_xml(domains, xml, error);
    if (wanted && memcmp(wanted->uuid.bytes, saved->uuid.bytes, UUID_SIZE) != 0) {
        remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                         "operation failed: the XML is of another domain than the saved one");
        return NULL;
    }
    if (wanted) {
        domain_config_enliven(wanted);
    }
    return g_steal_pointer(&wanted);
}

static bool launch(Domain *domain, DomainConfig *config, const DomainLive *tail, int state,
                   int paused, GError **error)
{
    const DomainStart start = { .paused = paused < 0 ? tail->state == DOMAIN_PAUSED : paused,
                                .state = state,
                                .plugged = tail->plugged,
                                .reason = RUNNING_RESTORED };

    return domain_launch(domain, config, &start, error);
}

bool domain_restore(Domains *domains, const char *path, const char *xml, unsigned flags,
                    GError **error)
{
    g_auto(DomainLive) tail = { 0 };
    int state = domain_open_state(path, &tail, error);
    DomainConfig *config = state >= 0 ? config_of(domains, &tail, xml, error) : NULL;
    g_autoptr(Domain) domain = config ? domains_transient(domains, config, error) : NULL;
    bool good = false;

    if (domain) {
        int paused = flags & SAVE_RUNNING ? 0 : flags & SAVE_PAUSED ? 1 : -1;
        good = launch(domain, config, &tail, state, paused, error);
        domain_end(domain);
        if (!good) {
            domains_drop(domains, domain);
        }
    } else {
        domain_config_free(config);
    }
    if (state >= 0) {
        close(state);
    }
    return good;
}

bool domain_restore_managed(Domain *domain, bool paused, GError **error)
{
    g_autofree char *path = domain_path_managed_save(domain);
    g_auto(DomainLive) tail = { 0 };
    int state = domain_open_state(path, &tail, error);
    DomainConfig *config = state >= 0 ? config_of(domain->domains, &tail, NULL, error) : NULL;
    bool good = config && launch(domain, config, &tail, state, paused ? 1 : -1, error);

    if (state >= 0) {
        close(state);
    }
    /* the VM has its memory from the file, whose name is not needed any more */
    return good && store_remove(path, error);
}
