/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starting a domain, see domain_start.h.
 */
#include "manager/domain_start.h"

#include <unistd.h>

#include "common/program.h"
#include "config/identity.h"
#include "manager/domain_find.h"
#include "manager/domain_life.h"
#include "manager/domain_save.h"
#include "manager/domains.h"
#include "manager/store.h"

/* A UEFI machine keeps its variables in a file of ours, unless it names one. */
static void choose_nvram(const Domains *domains, DomainConfig *config)
{
    DomainOs *os = config->os;
    bool efi = os->firmware == DOMAIN_FIRMWARE_EFI ||
               (os->loader && os->loader->type == DOMAIN_LOADER_PFLASH);

    if (efi && (!os->nvram || !os->nvram->path)) {
        os->nvram = os->nvram ? os->nvram : g_new0(DomainNvram, 1);
        os->nvram->path = g_strdup_printf("%s/nvram/%s_VARS.fd", domains->data, config->name);
    }
}

bool domain_complete(Domains *domains, DomainConfig *config, GError **error)
{
    g_autofree char *program =
        domains->program ? g_strdup(domains->program) : program_find("insula-vm", "vm");
    const DomainDefaults defaults = {
        .emulator = program,
        .kvm = access("/dev/kvm", R_OK | W_OK) == 0,
    };

    return domain_config_complete(config, &defaults, error);
}

DomainConfig *domain_read_xml(Domains *domains, const char *xml, GError **error)
{
    g_autoptr(DomainConfig) config = domain_config_parse(xml, DOMAIN_PARSE_INACTIVE, error);

    if (!config || !domain_complete(domains, config, error)) {
        return NULL;
    }
    choose_nvram(domains, config);
    return g_steal_pointer(&config);
}

DomainConfig *domain_live_copy(const DomainConfig *config)
{
    DomainConfig *live = domain_config_copy(config);

    domain_config_enliven(live);
    return live;
}

/* With the job, while it doesn't run. */
static bool start(Domain *domain, unsigned flags, GError **error)
{
    const DomainStart how = { .paused = flags & DOMAIN_START_PAUSED,
                              .state = -1,
                              .reason = RUNNING_BOOTED };
    g_autofree char *save = domain_path_managed_save(domain);

    if (flags & DOMAIN_START_FORCE_BOOT && !store_remove(save, error)) {
        return false;
    }
    if (access(save, F_OK) == 0) {
        return domain_restore_managed(domain, how.paused, error);
    }
    g_mutex_lock(&domain->mutex);
    DomainConfig *live = domain_live_copy(domain->config);
    g_mutex_unlock(&domain->mutex);
    return domain_launch(domain, live, &how, error);
}

bool domain_start(Domain *domain, unsigned flags, GError **error)
{
    if (!call_flags(flags, DOMAIN_START_PAUSED | DOMAIN_START_FORCE_BOOT | DOMAIN_START_VALIDATE,
                    error) ||
        !domain_begin_inactive(domain, error)) {
        return false;
    }
    bool good = start(domain, flags, error);
    domain_end(domain);
    return good;
}
