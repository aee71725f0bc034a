/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engines there are, and how one is chosen, see engine.h.
 */
#include "engine/engine.h"

#include <string.h>

#include "common/error.h"
#include "engine/dbt/dbt.h"
#include "engine/dbt/guest/x86/cpuid.h"
#include "engine/kvm/kvm.h"

static const Engine *const engines[] = { &kvm_engine, &translator_engine, &interpreter_engine,
                                         NULL };

const Engine *const *engine_list(void)
{
    return engines;
}

static void set_reason(char **ret_reason, char *reason)
{
    if (ret_reason) {
        *ret_reason = reason;
    } else {
        g_free(reason);
    }
}

/* The first engine that can run here; why the ones before it can't is part of the reason. */
static const Engine *choose_auto(char **ret_reason, GError **error)
{
    g_autoptr(GString) refused = g_string_new(NULL);

    for (unsigned i = 0; engines[i]; i++) {
        g_autofree char *why = NULL;
        if (engines[i]->probe(&why)) {
            set_reason(ret_reason, refused->len ? g_strdup_printf("%s; %s", why, refused->str)
                                                : g_steal_pointer(&why));
            return engines[i];
        }
        g_string_append_printf(refused, "%sno %s: %s", refused->len ? "; " : "", engines[i]->name,
                               why);
    }
    set_error_code(error, INSULA_ERROR_HOST, "no engine runs on this host: %s", refused->str);
    return NULL;
}

const Engine *engine_choose(const char *name, char **ret_reason, GError **error)
{
    if (!name || !strcmp(name, "auto")) {
        return choose_auto(ret_reason, error);
    }
    for (unsigned i = 0; engines[i]; i++) {
        if (strcmp(name, engines[i]->name)) {
            continue;
        }
        g_autofree char *why = NULL;
        bool (*probe)(char **) = engines[i]->probe_asked ?: engines[i]->probe;
        if (!probe(&why)) {
            set_error_code(error, INSULA_ERROR_HOST,
                           "engine '%s' can't be used here: %s; try --engine auto", name, why);
            return NULL;
        }
        set_reason(ret_reason, g_strdup_printf("asked for; %s", why));
        return engines[i];
    }
    set_error_code(error, INSULA_ERROR_USAGE,
                   "unknown engine '%s': there are auto, kvm, translator and interpreter", name);
    return NULL;
}

uint32_t engine_cpu_model_mask(const char *name, uint32_t leaf, uint32_t subleaf, unsigned reg)
{
    bool any = !strcmp(name, "max") || !strcmp(name, "host");
    const X86CpuModel *model = any ? NULL : x86_cpu_model_find(name, true);
    bool known = false;
    uint32_t shown = 0;

    for (unsigned i = 0; model && i < X86_FEATURES; i++) {
        uint32_t feature_leaf, feature_subleaf;
        unsigned feature_reg, bit;
        if (x86_feature_place((X86Feature)i, &feature_leaf, &feature_subleaf, &feature_reg, &bit) &&
            feature_leaf == leaf && feature_subleaf == subleaf && feature_reg == reg) {
            known = true;
            shown |= model->has[i] ? UINT32_C(1) << bit : 0;
        }
    }
    /* XCR0 is no feature of its own: its AVX bit goes with AVX */
    if (leaf == 0xd && subleaf == 0 && reg == 0 && model && !model->has[X86_FEATURE_AVX]) {
        return 3;
    }
    return known ? shown : UINT32_MAX;
}
