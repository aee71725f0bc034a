/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The features that CPUID shows a guest, as bits, so that a saved machine can be held against the
 * one where it is to go on: a guest has seen them, and uses them.
 *
 * Threads: as vcpu_cpuid() of engine.h.
 */
#pragma once

#include "engine/engine.h"

enum { ENGINE_FEATURE_WORDS = 16 };

typedef struct EngineFeatures {
    uint32_t words[ENGINE_FEATURE_WORDS];
} EngineFeatures;

/* What @vcpu has.  What comes and goes while it runs (OSXSAVE) isn't part of it. */
void engine_features(const Engine *engine, EngineVcpu *vcpu, EngineFeatures *ret_features);
/* The names of those features of @had that @has lacks, for people; NULL: none.  Newly allocated. */
char *engine_features_missing(const EngineFeatures *had, const EngineFeatures *has);
