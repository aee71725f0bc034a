/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPUID's features as bits, see cpu_features.h.
 */
#include "engine/cpu_features.h"

#include "common/bits.h"
#include "engine/dbt/guest/x86/cpuid.h"

enum { EAX, EBX, ECX, EDX };

/* Where features stand (SDM 2, CPUID; APM 3, E).  A word's place in a saved state is its row's: new
 * ones come last. */
static const struct {
    uint32_t leaf, subleaf;
    unsigned reg;
    uint32_t changes; /* bits that follow what the guest does */
} words[ENGINE_FEATURE_WORDS] = {
    { 0x1, 0, ECX, UINT32_C(1) << 27 }, /* OSXSAVE */
    { 0x1, 0, EDX, 0 },
    { 0x6, 0, EAX, 0 },
    { 0x7, 0, EBX, 0 },
    { 0x7, 0, ECX, UINT32_C(1) << 4 }, /* OSPKE */
    { 0x7, 0, EDX, 0 },
    { 0x7, 1, EAX, 0 },
    { 0xd, 0, EAX, 0 },
    { 0xd, 1, EAX, 0 },
    { 0x80000001, 0, ECX, 0 },
    { 0x80000001, 0, EDX, 0 },
    { 0x80000007, 0, EDX, 0 },
    { 0x80000008, 0, EBX, 0 },
    { 0x80000021, 0, EAX, 0 },
    { 0x80000021, 0, ECX, 0 },
    { 0x40000001, 0, EAX, 0 },
};

static const char *const names[X86_FEATURES] = {
#define X86_FEATURE(name, leaf, subleaf, reg, bit) [X86_FEATURE_##name] = #name,
#include "engine/dbt/guest/x86/features.def"
#undef X86_FEATURE
};

void engine_features(const Engine *engine, EngineVcpu *vcpu, EngineFeatures *ret_features)
{
    for (unsigned i = 0; i < ENGINE_FEATURE_WORDS; i++) {
        uint32_t out[4];
        engine->vcpu_cpuid(vcpu, words[i].leaf, words[i].subleaf, out);
        ret_features->words[i] = out[words[i].reg] & ~words[i].changes;
    }
}

/* What bit @bit of word @i is called.  Newly allocated. */
static char *name_of(unsigned i, unsigned bit)
{
    for (unsigned f = 0; f < X86_FEATURES; f++) {
        uint32_t leaf, subleaf;
        unsigned reg, place;
        if (x86_feature_place((X86Feature)f, &leaf, &subleaf, &reg, &place) &&
            leaf == words[i].leaf && subleaf == words[i].subleaf && reg == words[i].reg &&
            place == bit) {
            return g_strdup(names[f]);
        }
    }
    return g_strdup_printf("CPUID %X.%X:E%cX bit %u", words[i].leaf, words[i].subleaf,
                           "ABCD"[words[i].reg], bit);
}

char *engine_features_missing(const EngineFeatures *had, const EngineFeatures *has)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (unsigned i = 0; i < ENGINE_FEATURE_WORDS; i++) {
        uint32_t missing = had->words[i] & ~has->words[i];
        for (unsigned bit = 0; bit < 32; bit++) {
            if (missing >> bit & 1) {
                g_autofree char *name = name_of(i, bit);
                g_string_append_printf(text, "%s%s", text->len ? ", " : "", name);
            }
        }
    }
    return text->len ? g_string_free(g_steal_pointer(&text), FALSE) : NULL;
}
