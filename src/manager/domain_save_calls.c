/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls that save and restore domains, and that ask how far that is.
 *
 * Threads: workers.
 * Read first: manager/domain_save.h.
 */
#include <unistd.h>

#include "manager/domain_devices.h"
#include "manager/domain_find.h"
#include "manager/domain_save.h"
#include "manager/domains.h"
#include "manager/store.h"

static bool absolute(const char *path, GError **error)
{
    if (!path || !g_path_is_absolute(path)) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG,
                         "invalid argument: a saved domain needs an absolute path");
        return false;
    }
    return true;
}

static bool save(Call *call, const void *args, const char *path, const char *xml, unsigned flags,
                 GError **error)
{
    g_autoptr(Domain) domain = call_domain(call, args, error);

    if (!domain || !absolute(path, error) || !call_flags(flags, SAVE_KNOWN, error) ||
        !domain_begin_active(domain, error)) {
        return false;
    }
    bool good = domain_save(domain, path, xml, flags, error);
    domain_end(domain);
    return good;
}

static bool save_plain(Call *call, const void *args, void *ret, GError **error)
{
    return save(call, args, ((const RemoteDomainSaveArgs *)args)->to, NULL, 0, error);
}

static bool save_flags(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainSaveFlagsArgs *in = args;

    return save(call, args, in->to, in->dxml, in->flags, error);
}

static const char *text_of(const RemoteParam *params, unsigned n, const char *field)
{
    const RemoteParam *param = remote_params_find(params, n, field, REMOTE_PARAM_STRING);

    return param ? param->value.s : NULL;
}

static bool save_params(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainSaveParamsArgs *in = args;

    return save(call, args, text_of(in->params, in->n_params, "file"),
                text_of(in->params, in->n_params, "dxml"), in->flags, error);
}

static bool restore(Call *call, const char *path, const char *xml, unsigned flags, GError **error)
{
    return absolute(path, error) && call_flags(flags, SAVE_KNOWN, error) &&
           domain_restore(call_daemon(call)->domains, path, xml, flags, error);
}

static bool restore_plain(Call *call, const void *args, void *ret, GError **error)
{
    return restore(call, ((const RemoteDomainRestoreArgs *)args)->from, NULL, 0, error);
}

static bool restore_flags(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainRestoreFlagsArgs *in = args;

    return restore(call, in->from, in->dxml, in->flags, error);
}

static bool restore_params(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainRestoreParamsArgs *in = args;

    return restore(call, text_of(in->params, in->n_params, "file"),
                   text_of(in->params, in->n_params, "dxml"), in->flags, error);
}

/* ---- managed ---- */

static bool managed_save(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainManagedSaveArgs *in = args;
    g_autoptr(Domain) domain = call_domain(call, args, error);

    if (!domain || !call_flags(in->flags, SAVE_KNOWN, error) ||
        !domain_begin_active(domain, error)) {
        return false;
    }
    g_mutex_lock(&domain->mutex);
    bool persistent = domain->config != NULL;
    g_mutex_unlock(&domain->mutex);
    g_autofree char *path = domain_path_managed_save(domain);
    bool good = persistent && domain_save(domain, path, NULL, in->flags, error);
    if (!persistent) {
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "Requested operation is not valid: cannot do managed save for transient "
                         "domain");
    }
    domain_end(domain);
    return good;
}

static bool has_managed_save(Call *call, const void *args, void *ret, GError **error)
{
    g_autoptr(Domain) domain = call_domain(call, args, error);

    if (domain) {
        g_autofree char *path = domain_path_managed_save(domain);
        ((RemoteDomainHasManagedSaveImageRet *)ret)->result = access(path, F_OK) == 0;
    }
    return domain != NULL;
}

static bool managed_save_remove(Call *call, const void *args, void *ret, GError **error)
{
    g_autoptr(Domain) domain = call_domain(call, args, error);

    if (!domain || !domain_begin(domain, error)) {
        return false;
    }
    g_autofree char *path = domain_path_managed_save(domain);
    bool good = store_remove(path, error);
    domain_end(domain);
    return good;
}

/* The XML in a saved domain's file, written anew as @flags say.  Newly allocated. */
static char *saved_xml(const char *path, unsigned flags, GError **error)
{
    g_auto(DomainLive) tail = { 0 };
    int fd = domain_open_state(path, &tail, error);
    g_autoptr(DomainConfig) config =
        fd >= 0 ? domain_config_parse(tail.xml, DOMAIN_PARSE_LIVE, error) : NULL;

    if (fd >= 0) {
        close(fd);
    }
    return config ? domain_config_format(config,
                                         (flags & DOMAIN_FORMAT_SECURE) | DOMAIN_FORMAT_INACTIVE)
                  : NULL;
}

static bool save_image_xml(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainSaveImageGetXmlDescArgs *in = args;
    RemoteDomainSaveImageGetXmlDescRet *out = ret;

    out->xml = absolute(in->file, error) ? saved_xml(in->file, in->flags, error) : NULL;
    return out->xml != NULL;
}

static bool managed_save_xml(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainManagedSaveGetXmlDescArgs *in = args;
    RemoteDomainManagedSaveGetXmlDescRet *out = ret;
    g_autoptr(Domain) domain = call_domain(call, args, error);

    if (domain) {
        g_autofree char *path = domain_path_managed_save(domain);
        if (access(path, F_OK)) {
            remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                             "Requested operation is not valid: domain does not have managed save "
                             "image");
        } else {
            out->xml = saved_xml(path, in->flags, error);
        }
    }
    return out->xml != NULL;
}

/* ---- jobs ---- */

static DomainJob job_of(Domain *domain)
{
    g_mutex_lock(&domain->mutex);
    DomainJob job = domain->job;
    g_mutex_unlock(&domain->mutex);
    return job;
}

static uint64_t elapsed_ms(const DomainJob *job)
{
    return job->type ? (uint64_t)(g_get_monotonic_time() - job->begin_us) / 1000 : 0;
}

static bool job_info(Call *call, const void *args, void *ret, GError **error)
{
    RemoteDomainGetJobInfoRet *out = ret;
    g_autoptr(Domain) domain = call_domain(call, args, error);

    if (!domain) {
        return false;
    }
    DomainJob job = job_of(domain);
    out->type = job.type;
    out->time_elapsed = elapsed_ms(&job);
    out->data_total = out->mem_total = job.total;
    out->data_processed = out->mem_processed = job.done;
    out->data_remaining = out->mem_remaining = job.total - job.done;
    return true;
}

static bool job_stats(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainGetJobStatsArgs *in = args;
    RemoteDomainGetJobStatsRet *out = ret;
    g_autoptr(Domain) domain = call_domain(call, args, error);
    enum { COMPLETED = 1, KEEP = 2 };

    if (!domain || !call_flags(in->flags, COMPLETED | KEEP, error)) {
        return false;
    }
    DomainJob job = in->flags & COMPLETED ? (DomainJob){ 0 } : job_of(domain);
    GArray *params = remote_params_new();
    out->type = job.type;
    if (job.type) {
        remote_params_int(params, "operation", 3); /* a save */
        remote_params_ullong(params, "time_elapsed", elapsed_ms(&job));
        remote_params_ullong(params, "data_total", job.total);
        remote_params_ullong(params, "data_processed", job.done);
        remote_params_ullong(params, "data_remaining", job.total - job.done);
        remote_params_ullong(params, "memory_total", job.total);
        remote_params_ullong(params, "memory_processed", job.done);
        remote_params_ullong(params, "memory_remaining", job.total - job.done);
    }
    out->params = remote_params_steal(params, &out->n_params);
    return true;
}

static bool abort_job(Call *call, const void *args, void *ret, GError **error)
{
    g_autoptr(Domain) domain = call_domain(call, args, error);
    bool there = false;

    if (!domain) {
        return false;
    }
    g_mutex_lock(&domain->mutex);
    there = domain->job.saves;
    domain->job.aborted = there;
    g_mutex_unlock(&domain->mutex);
    if (!there) {
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "Requested operation is not valid: no job is active on the domain");
    }
    return there;
}

static bool abort_job_flags(Call *call, const void *args, void *ret, GError **error)
{
    return call_flags(((const RemoteDomainAbortJobFlagsArgs *)args)->flags, 0, error) &&
           abort_job(call, args, ret, error);
}

const CallRow domain_save_calls[] = {
    { REMOTE_PROC_DOMAIN_ABORT_JOB, abort_job },
    { REMOTE_PROC_DOMAIN_ABORT_JOB_FLAGS, abort_job_flags },
    { REMOTE_PROC_DOMAIN_GET_JOB_INFO, job_info },
    { REMOTE_PROC_DOMAIN_GET_JOB_STATS, job_stats },
    { REMOTE_PROC_DOMAIN_HAS_MANAGED_SAVE_IMAGE, has_managed_save },
    { REMOTE_PROC_DOMAIN_MANAGED_SAVE, managed_save },
    { REMOTE_PROC_DOMAIN_MANAGED_SAVE_GET_XML_DESC, managed_save_xml },
    { REMOTE_PROC_DOMAIN_MANAGED_SAVE_REMOVE, managed_save_remove },
    { REMOTE_PROC_DOMAIN_RESTORE, restore_plain },
    { REMOTE_PROC_DOMAIN_RESTORE_FLAGS, restore_flags },
    { REMOTE_PROC_DOMAIN_RESTORE_PARAMS, restore_params },
    { REMOTE_PROC_DOMAIN_SAVE, save_plain },
    { REMOTE_PROC_DOMAIN_SAVE_FLAGS, save_flags },
    { REMOTE_PROC_DOMAIN_SAVE_IMAGE_GET_XML_DESC, save_image_xml },
    { REMOTE_PROC_DOMAIN_SAVE_PARAMS, save_params },
    { 0 },
};
