/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a domain's VM tells: states, errors, its end.
 *
 * Nothing of a message becomes a name or a path: devices are looked up among those of the live
 * configuration, and what isn't known is dropped.
 *
 * Threads: the monitor's.
 * Read first: manager/domain.h.
 */
#include <string.h>

#include "manager/domain_devices.h"
#include "manager/domain_life.h"
#include "manager/process.h"
#include "manager/report.h"

typedef void (*Told)(Domain *domain, JsonObject *data);

static void on_stop(Domain *domain, JsonObject *data)
{
    int reason = domain->pause_reason;

    if (!reason) {
        reason = domain->panicked ? PAUSED_CRASHED : domain->fault_reason;
    }
    domain->fault_reason = 0;
    domain_has_paused(domain, reason ? reason : PAUSED_USER);
}

static void on_resume(Domain *domain, JsonObject *data)
{
    domain_has_resumed(domain, RUNNING_UNPAUSED);
}

static void on_shutdown(Domain *domain, JsonObject *data)
{
    bool guest = monitor_switch(data, "guest", false);

    domain->told_shutdown = true;
    if (domain->reboots && guest && !domain->stop_reason) {
        return; /* it comes again */
    }
    domain->reboots = false;
    if (domain->stop_reason == SHUTOFF_SAVED || domain->stop_reason == SHUTOFF_FROM_SNAPSHOT ||
        domain->reason == PAUSED_STARTING) {
        return; /* it has not gone off for the guest, or has never been on */
    }
    domain_set_state(domain, DOMAIN_SHUTDOWN, 1);
    domain_tell(domain, LIFECYCLE_SHUTDOWN, guest ? 1 : 2);
}

static void on_reset(Domain *domain, JsonObject *data)
{
    const RemoteDomainRebootMsg message = { .dom = domain_remote(domain) };

    domain_raise(domain, REMOTE_EVENT_DOMAIN_REBOOT, &message);
}

static void on_panic(Domain *domain, JsonObject *data)
{
    domain->panicked = true;
    domain_tell(domain, LIFECYCLE_CRASHED, 0);
}

static void on_watchdog(Domain *domain, JsonObject *data)
{
    /* as libvirt numbers them */
    static const char *const actions[] = { "none", "pause", "reset", "poweroff" };
    RemoteDomainWatchdogMsg message = { .dom = domain_remote(domain) };
    const char *action = monitor_text(data, "action", "none");

    for (unsigned i = 0; i < G_N_ELEMENTS(actions); i++) {
        message.action = strcmp(actions[i], action) ? message.action : (int32_t)i;
    }
    domain->fault_reason = PAUSED_WATCHDOG;
    domain_raise(domain, REMOTE_EVENT_DOMAIN_WATCHDOG, &message);
}

static void note_disk_error(Domain *domain, const DomainDisk *disk)
{
    if (!g_ptr_array_find_with_equal_func(domain->disk_errors, disk->target->dev, g_str_equal,
                                          NULL)) {
        g_ptr_array_add(domain->disk_errors, g_strdup(disk->target->dev));
    }
}

static void on_disk_error(Domain *domain, JsonObject *data)
{
    static const char *const actions[] = { "ignore", "stop", "report" };
    const DomainDisk *disk = domain_disk_of_vm(domain, monitor_text(data, "device", ""));
    const char *action = monitor_text(data, "action", "report");
    int32_t number = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(actions); i++) {
        number = strcmp(actions[i], action) ? number : (int32_t)i;
    }
    if (!disk) {
        return;
    }
    char reason[] = "enospc";
    reason[0] = monitor_switch(data, "nospace", false) ? reason[0] : '\0';
    g_autofree char *file = g_strdup(domain_disk_file(disk) ? domain_disk_file(disk) : "");
    g_autofree char *alias = g_strdup(domain_alias(&disk->device));
    const RemoteDomainIoErrorMsg plain = {
        .dom = domain_remote(domain), .src_path = file, .dev_alias = alias, .action = number
    };
    const RemoteDomainIoErrorReasonMsg with = { .dom = domain_remote(domain),
                                                .src_path = file,
                                                .dev_alias = alias,
                                                .action = number,
                                                .reason = reason };
    if (number == 1) {
        domain->fault_reason = PAUSED_IO_ERROR;
    }
    note_disk_error(domain, disk);
    domain_raise(domain, REMOTE_EVENT_DOMAIN_IO_ERROR, &plain);
    domain_raise(domain, REMOTE_EVENT_DOMAIN_IO_ERROR_REASON, &with);
}

static void on_balloon(Domain *domain, JsonObject *data)
{
    int64_t actual = monitor_number(data, "actual", -1);

    if (actual < 0 || (uint64_t)actual > domain->live->memory) {
        return;
    }
    const RemoteDomainBalloonChangeMsg message = { .dom = domain_remote(domain),
                                                   .actual = (uint64_t)actual / 1024 };
    domain->live->current_memory = (uint64_t)actual;
    domain_keep_live(domain);
    domain_raise(domain, REMOTE_EVENT_DOMAIN_BALLOON_CHANGE, &message);
}

static void on_deleted(Domain *domain, JsonObject *data)
{
    g_autofree char *alias = domain_device_gone(domain, monitor_text(data, "device", ""));
    const RemoteDomainDeviceRemovedMsg message = { .dom = domain_remote(domain),
                                                   .dev_alias = alias };

    if (alias) {
        domain_raise(domain, REMOTE_EVENT_DOMAIN_DEVICE_REMOVED, &message);
    }
}

static void on_tray(Domain *domain, JsonObject *data)
{
    const DomainDisk *disk = domain_disk_of_vm(domain, monitor_text(data, "id", ""));

    if (disk) {
        g_autofree char *alias = g_strdup(domain_alias(&disk->device));
        const RemoteDomainTrayChangeMsg message = {
            .dom = domain_remote(domain),
            .dev_alias = alias,
            .reason = monitor_switch(data, "tray-open", false) ? 0 : 1,
        };
        domain_raise(domain, REMOTE_EVENT_DOMAIN_TRAY_CHANGE, &message);
    }
}

static const struct {
    const char *event;
    Told told;
} table[] = {
    { "BALLOON_CHANGE", on_balloon },
    { "BLOCK_IO_ERROR", on_disk_error },
    { "DEVICE_DELETED", on_deleted },
    { "DEVICE_TRAY_MOVED", on_tray },
    { "GUEST_PANICKED", on_panic },
    { "RESET", on_reset },
    { "RESUME", on_resume },
    { "SHUTDOWN", on_shutdown },
    { "STOP", on_stop },
    { "WATCHDOG", on_watchdog },
};

static void on_event(void *opaque, const char *name, JsonObject *data)
{
    Domain *domain = opaque;

    g_mutex_lock(&domain->mutex);
    for (unsigned i = 0; domain->live && i < G_N_ELEMENTS(table); i++) {
        if (!strcmp(table[i].event, name)) {
            table[i].told(domain, data);
        }
    }
    g_mutex_unlock(&domain->mutex);
}

static void on_broken(void *opaque, const char *why)
{
    Domain *domain = opaque;

    g_mutex_lock(&domain->mutex);
    const RemoteDomainControlErrorMsg message = { .dom = domain_remote(domain) };
    report("the control of domain '%s' is lost: %s", domain->name, why);
    domain_raise(domain, REMOTE_EVENT_DOMAIN_CONTROL_ERROR, &message);
    g_mutex_unlock(&domain->mutex);
}

static void on_ended(void *opaque)
{
    Domain *domain = opaque;

    g_mutex_lock(&domain->mutex);
    int status = domain->process >= 0 ? process_reap(domain->process) : -1;
    g_mutex_unlock(&domain->mutex);
    domain_ended(domain, status);
}

const MonitorOps domain_monitor_ops = { on_event, on_broken, on_ended };
