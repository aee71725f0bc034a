/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of helpers, from helpers.def.
 *
 * Threads: constants only.
 */
#include "engine/dbt/guest/x86/isa.h"
#include "engine/dbt/guest/x86/translate.h"

const Helper x86_helpers[] = {
#define X86_HELPER(name, flags) { #name, x86_helper_##name, flags },
#include "engine/dbt/guest/x86/helpers.def"
#undef X86_HELPER
};
