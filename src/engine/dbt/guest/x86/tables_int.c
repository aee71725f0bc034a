/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opcode maps of the integer, control and system instructions (SDM volume 2, appendix A).
 *
 * Where operand sizes give an instruction several names, the row has that of 32 bits' width or of
 * the 16-bit original (CBW for CBW, CWDE, CDQE).
 *
 * Threads: constants only.
 */
#include "engine/dbt/guest/x86/rules.h"
#include "engine/dbt/guest/x86/tables.h"

/* clang-format off */
static const X86Opcode group1b[8] = {
    { "add", { Eb, Ib }, tr_alu, .argument = ALU_ADD, .flags = OPCODE_LOCK },
    { "or", { Eb, Ib }, tr_alu, .argument = ALU_OR, .flags = OPCODE_LOCK },
    { "adc", { Eb, Ib }, tr_alu, .argument = ALU_ADC, .flags = OPCODE_LOCK },
    { "sbb", { Eb, Ib }, tr_alu, .argument = ALU_SBB, .flags = OPCODE_LOCK },
    { "and", { Eb, Ib }, tr_alu, .argument = ALU_AND, .flags = OPCODE_LOCK },
    { "sub", { Eb, Ib }, tr_alu, .argument = ALU_SUB, .flags = OPCODE_LOCK },
    { "xor", { Eb, Ib }, tr_alu, .argument = ALU_XOR, .flags = OPCODE_LOCK },
    { "cmp", { Eb, Ib }, tr_alu, .argument = ALU_CMP },
};

static const X86Opcode group1z[8] = {
    { "add", { Ev, Iz }, tr_alu, .argument = ALU_ADD, .flags = OPCODE_LOCK },
    { "or", { Ev, Iz }, tr_alu, .argument = ALU_OR, .flags = OPCODE_LOCK },
    { "adc", { Ev, Iz }, tr_alu, .argument = ALU_ADC, .flags = OPCODE_LOCK },
    { "sbb", { Ev, Iz }, tr_alu, .argument = ALU_SBB, .flags = OPCODE_LOCK },
    { "and", { Ev, Iz }, tr_alu, .argument = ALU_AND, .flags = OPCODE_LOCK },
    { "sub", { Ev, Iz }, tr_alu, .argument = ALU_SUB, .flags = OPCODE_LOCK },
    { "xor", { Ev, Iz }, tr_alu, .argument = ALU_XOR, .flags = OPCODE_LOCK },
    { "cmp", { Ev, Iz }, tr_alu, .argument = ALU_CMP },
};

static const X86Opcode group1_82[8] = {
    { "add", { Eb, Ib }, tr_alu, .argument = ALU_ADD, .flags = OPCODE_LOCK | OPCODE_NO64 },
    { "or", { Eb, Ib }, tr_alu, .argument = ALU_OR, .flags = OPCODE_LOCK | OPCODE_NO64 },
    { "adc", { Eb, Ib }, tr_alu, .argument = ALU_ADC, .flags = OPCODE_LOCK | OPCODE_NO64 },
    { "sbb", { Eb, Ib }, tr_alu, .argument = ALU_SBB, .flags = OPCODE_LOCK | OPCODE_NO64 },
    { "and", { Eb, Ib }, tr_alu, .argument = ALU_AND, .flags = OPCODE_LOCK | OPCODE_NO64 },
    { "sub", { Eb, Ib }, tr_alu, .argument = ALU_SUB, .flags = OPCODE_LOCK | OPCODE_NO64 },
    { "xor", { Eb, Ib }, tr_alu, .argument = ALU_XOR, .flags = OPCODE_LOCK | OPCODE_NO64 },
    { "cmp", { Eb, Ib }, tr_alu, .argument = ALU_CMP, .flags = OPCODE_NO64 },
};

static const X86Opcode group1s[8] = {
    { "add", { Ev, IbS }, tr_alu, .argument = ALU_ADD, .flags = OPCODE_LOCK },
    { "or", { Ev, IbS }, tr_alu, .argument = ALU_OR, .flags = OPCODE_LOCK },
    { "adc", { Ev, IbS }, tr_alu, .argument = ALU_ADC, .flags = OPCODE_LOCK },
    { "sbb", { Ev, IbS }, tr_alu, .argument = ALU_SBB, .flags = OPCODE_LOCK },
    { "and", { Ev, IbS }, tr_alu, .argument = ALU_AND, .flags = OPCODE_LOCK },
    { "sub", { Ev, IbS }, tr_alu, .argument = ALU_SUB, .flags = OPCODE_LOCK },
    { "xor", { Ev, IbS }, tr_alu, .argument = ALU_XOR, .flags = OPCODE_LOCK },
    { "cmp", { Ev, IbS }, tr_alu, .argument = ALU_CMP },
};

static const X86Opcode group2_c0[8] = {
    { "rol", { Eb, Ib }, tr_shift, .argument = SHIFT_ROL },
    { "ror", { Eb, Ib }, tr_shift, .argument = SHIFT_ROR },
    { "rcl", { Eb, Ib }, tr_shift, .argument = SHIFT_RCL },
    { "rcr", { Eb, Ib }, tr_shift, .argument = SHIFT_RCR },
    { "shl", { Eb, Ib }, tr_shift, .argument = SHIFT_SHL },
    { "shr", { Eb, Ib }, tr_shift, .argument = SHIFT_SHR },
    { "shl", { Eb, Ib }, tr_shift, .argument = SHIFT_SAL },
    { "sar", { Eb, Ib }, tr_shift, .argument = SHIFT_SAR },
};

static const X86Opcode group2_c1[8] = {
    { "rol", { Ev, Ib }, tr_shift, .argument = SHIFT_ROL },
    { "ror", { Ev, Ib }, tr_shift, .argument = SHIFT_ROR },
    { "rcl", { Ev, Ib }, tr_shift, .argument = SHIFT_RCL },
    { "rcr", { Ev, Ib }, tr_shift, .argument = SHIFT_RCR },
    { "shl", { Ev, Ib }, tr_shift, .argument = SHIFT_SHL },
    { "shr", { Ev, Ib }, tr_shift, .argument = SHIFT_SHR },
    { "shl", { Ev, Ib }, tr_shift, .argument = SHIFT_SAL },
    { "sar", { Ev, Ib }, tr_shift, .argument = SHIFT_SAR },
};

static const X86Opcode group2_d0[8] = {
    { "rol", { Eb, ONE }, tr_shift, .argument = SHIFT_ROL },
    { "ror", { Eb, ONE }, tr_shift, .argument = SHIFT_ROR },
    { "rcl", { Eb, ONE }, tr_shift, .argument = SHIFT_RCL },
    { "rcr", { Eb, ONE }, tr_shift, .argument = SHIFT_RCR },
    { "shl", { Eb, ONE }, tr_shift, .argument = SHIFT_SHL },
    { "shr", { Eb, ONE }, tr_shift, .argument = SHIFT_SHR },
    { "shl", { Eb, ONE }, tr_shift, .argument = SHIFT_SAL },
    { "sar", { Eb, ONE }, tr_shift, .argument = SHIFT_SAR },
};

static const X86Opcode group2_d1[8] = {
    { "rol", { Ev, ONE }, tr_shift, .argument = SHIFT_ROL },
    { "ror", { Ev, ONE }, tr_shift, .argument = SHIFT_ROR },
    { "rcl", { Ev, ONE }, tr_shift, .argument = SHIFT_RCL },
    { "rcr", { Ev, ONE }, tr_shift, .argument = SHIFT_RCR },
    { "shl", { Ev, ONE }, tr_shift, .argument = SHIFT_SHL },
    { "shr", { Ev, ONE }, tr_shift, .argument = SHIFT_SHR },
    { "shl", { Ev, ONE }, tr_shift, .argument = SHIFT_SAL },
    { "sar", { Ev, ONE }, tr_shift, .argument = SHIFT_SAR },
};

static const X86Opcode group2_d2[8] = {
    { "rol", { Eb, CL }, tr_shift, .argument = SHIFT_ROL },
    { "ror", { Eb, CL }, tr_shift, .argument = SHIFT_ROR },
    { "rcl", { Eb, CL }, tr_shift, .argument = SHIFT_RCL },
    { "rcr", { Eb, CL }, tr_shift, .argument = SHIFT_RCR },
    { "shl", { Eb, CL }, tr_shift, .argument = SHIFT_SHL },
    { "shr", { Eb, CL }, tr_shift, .argument = SHIFT_SHR },
    { "shl", { Eb, CL }, tr_shift, .argument = SHIFT_SAL },
    { "sar", { Eb, CL }, tr_shift, .argument = SHIFT_SAR },
};

static const X86Opcode group2_d3[8] = {
    { "rol", { Ev, CL }, tr_shift, .argument = SHIFT_ROL },
    { "ror", { Ev, CL }, tr_shift, .argument = SHIFT_ROR },
    { "rcl", { Ev, CL }, tr_shift, .argument = SHIFT_RCL },
    { "rcr", { Ev, CL }, tr_shift, .argument = SHIFT_RCR },
    { "shl", { Ev, CL }, tr_shift, .argument = SHIFT_SHL },
    { "shr", { Ev, CL }, tr_shift, .argument = SHIFT_SHR },
    { "shl", { Ev, CL }, tr_shift, .argument = SHIFT_SAL },
    { "sar", { Ev, CL }, tr_shift, .argument = SHIFT_SAR },
};

static const X86Opcode group1a[8] = {
    { "pop", { Ev }, tr_pop, .flags = OPCODE_DEFAULT64 },
};

static const X86Opcode group3b[8] = {
    { "test", { Eb, Ib }, tr_test },
    { "test", { Eb, Ib }, tr_test },
    { "not", { Eb }, tr_not, .flags = OPCODE_LOCK },
    { "neg", { Eb }, tr_neg, .flags = OPCODE_LOCK },
    { "mul", { Eb }, tr_mul },
    { "imul", { Eb }, tr_mul, .argument = 1 },
    { "div", { Eb }, tr_div },
    { "idiv", { Eb }, tr_div, .argument = 1 },
};

static const X86Opcode group3v[8] = {
    { "test", { Ev, Iz }, tr_test },
    { "test", { Ev, Iz }, tr_test },
    { "not", { Ev }, tr_not, .flags = OPCODE_LOCK },
    { "neg", { Ev }, tr_neg, .flags = OPCODE_LOCK },
    { "mul", { Ev }, tr_mul },
    { "imul", { Ev }, tr_mul, .argument = 1 },
    { "div", { Ev }, tr_div },
    { "idiv", { Ev }, tr_div, .argument = 1 },
};

static const X86Opcode group4[8] = {
    { "inc", { Eb }, tr_inc, .flags = OPCODE_LOCK },
    { "dec", { Eb }, tr_inc, .argument = 1, .flags = OPCODE_LOCK },
};

static const X86Opcode group5[8] = {
    { "inc", { Ev }, tr_inc, .flags = OPCODE_LOCK },
    { "dec", { Ev }, tr_inc, .argument = 1, .flags = OPCODE_LOCK },
    { "call", { Ev }, tr_call_near, .flags = OPCODE_DEFAULT64 },
    { "call far", { Mp }, tr_call_far },
    { "jmp", { Ev }, tr_jmp_near, .flags = OPCODE_DEFAULT64 },
    { "jmp far", { Mp }, tr_jmp_far },
    { "push", { Ev }, tr_push, .flags = OPCODE_DEFAULT64 },
};

static const X86Opcode group6[8] = {
    { "sldt", { EvMw }, tr_store_selector, .argument = X86_CALL_sldt, .flags = OPCODE_PROTECTED },
    { "str", { EvMw }, tr_store_selector, .argument = X86_CALL_str, .flags = OPCODE_PROTECTED },
    { "lldt", { Ew }, tr_load_selector, .argument = X86_CALL_lldt,
        .flags = OPCODE_PROTECTED | OPCODE_RING0 },
    { "ltr", { Ew }, tr_load_selector, .argument = X86_CALL_ltr,
        .flags = OPCODE_PROTECTED | OPCODE_RING0 },
    { "verr", { Ew }, tr_load_selector, .argument = X86_CALL_verr, .flags = OPCODE_PROTECTED },
    { "verw", { Ew }, tr_load_selector, .argument = X86_CALL_verw, .flags = OPCODE_PROTECTED },
};

static const X86Opcode group7_memory[8] = {
    { "sgdt", { Ms }, tr_table, .argument = X86_CALL_sgdt },
    { "sidt", { Ms }, tr_table, .argument = X86_CALL_sidt },
    { "lgdt", { Ms }, tr_table, .argument = X86_CALL_lgdt, .flags = OPCODE_RING0 },
    { "lidt", { Ms }, tr_table, .argument = X86_CALL_lidt, .flags = OPCODE_RING0 },
    { "smsw", { EvMw }, tr_store_selector, .argument = X86_CALL_smsw },
    { 0 },
    { "lmsw", { Ew }, tr_load_selector, .argument = X86_CALL_lmsw, .flags = OPCODE_RING0 },
    { "invlpg", { M0 }, tr_invlpg, .flags = OPCODE_RING0 },
};

static const X86Opcode group7_1[8] = {
    [0] = { "monitor", { 0 }, tr_monitor, .feature = X86_FEATURE_MONITOR, .flags = OPCODE_RING0 },
    [1] = { "mwait", { 0 }, tr_monitor, .argument = 1, .feature = X86_FEATURE_MONITOR,
        .flags = OPCODE_RING0 },
    [2] = { "clac", { 0 }, tr_clac, .argument = X86_CALL_clac, .feature = X86_FEATURE_SMAP },
    [3] = { "stac", { 0 }, tr_clac, .argument = X86_CALL_stac, .feature = X86_FEATURE_SMAP },
};

static const X86Opcode group7_2[8] = {
    [0] = { "xgetbv", { 0 }, tr_to_edx_eax, .argument = X86_CALL_xgetbv,
        .feature = X86_FEATURE_XSAVE },
    [1] = { "xsetbv", { 0 }, tr_xsetbv, .feature = X86_FEATURE_XSAVE, .flags = OPCODE_RING0 },
};

/* Prefixes make them undefined. */
static const X86Opcode group7_1_plain[4] = {
    [PREFIX_NONE] = { .group = group7_1, .select = SELECT_RM },
};

static const X86Opcode group7_2_plain[4] = {
    [PREFIX_NONE] = { .group = group7_2, .select = SELECT_RM },
};

static const X86Opcode group7_7[8] = {
    [0] = { "swapgs", { 0 }, tr_swapgs, .flags = OPCODE_ONLY64 | OPCODE_RING0 },
    [1] = { "rdtscp", { 0 }, tr_rdtscp, .feature = X86_FEATURE_RDTSCP },
};

static const X86Opcode group7_register[8] = {
    [1] = { .group = group7_1_plain, .select = SELECT_PREFIX },
    [2] = { .group = group7_2_plain, .select = SELECT_PREFIX },
    [4] = { "smsw", { EvMw }, tr_store_selector, .argument = X86_CALL_smsw },
    [6] = { "lmsw", { Ew }, tr_load_selector, .argument = X86_CALL_lmsw, .flags = OPCODE_RING0 },
    [7] = { .group = group7_7, .select = SELECT_RM },
};

static const X86Opcode group7[2] = {
    { .group = group7_memory, .select = SELECT_REG },
    { .group = group7_register, .select = SELECT_REG },
};

static const X86Opcode group8[8] = {
    [4] = { "bt", { Ev, Ib }, tr_bit, .argument = BIT_BT },
    [5] = { "bts", { Ev, Ib }, tr_bit, .argument = BIT_BTS, .flags = OPCODE_LOCK },
    [6] = { "btr", { Ev, Ib }, tr_bit, .argument = BIT_BTR, .flags = OPCODE_LOCK },
    [7] = { "btc", { Ev, Ib }, tr_bit, .argument = BIT_BTC, .flags = OPCODE_LOCK },
};

static const X86Opcode group9_1[2] = {
    { "cmpxchg8b", { Mq }, tr_cmpxchg8b, .flags = OPCODE_LOCK },
    { "cmpxchg16b", { Mdq }, tr_cmpxchg8b, .feature = X86_FEATURE_CX16, .flags = OPCODE_LOCK },
};

static const X86Opcode group9_memory[8] = {
    [1] = { .group = group9_1, .select = SELECT_W },
};

static const X86Opcode group9_7[4] = {
    [PREFIX_NONE] = { "rdseed", { Rv }, tr_rdrand, .feature = X86_FEATURE_RDSEED },
    [PREFIX_66] = { "rdseed", { Rv }, tr_rdrand, .feature = X86_FEATURE_RDSEED },
    [PREFIX_F3] = { "rdpid", { R64 }, tr_rdpid, .feature = X86_FEATURE_RDPID },
};

static const X86Opcode group9_6[4] = {
    [PREFIX_NONE] = { "rdrand", { Rv }, tr_rdrand, .feature = X86_FEATURE_RDRAND },
    [PREFIX_66] = { "rdrand", { Rv }, tr_rdrand, .feature = X86_FEATURE_RDRAND },
};

static const X86Opcode group9_register[8] = {
    [6] = { .group = group9_6, .select = SELECT_PREFIX },
    [7] = { .group = group9_7, .select = SELECT_PREFIX },
};

static const X86Opcode group9[2] = {
    { .group = group9_memory, .select = SELECT_REG },
    { .group = group9_register, .select = SELECT_REG },
};

static const X86Opcode group11b[8] = {
    { "mov", { Eb, Ib }, tr_mov },
};

static const X86Opcode group11v[8] = {
    { "mov", { Ev, Iz }, tr_mov },
};

/* The memory forms but CLFLUSH, and with them XSAVE, are in tables_sse.c. */
static const X86Opcode group15_7[4] = {
    [PREFIX_NONE] = { "clflush", { Mb }, tr_nop, .argument = 1 },
    [PREFIX_66] = { "clflushopt", { Mb }, tr_nop, .argument = 1,
        .feature = X86_FEATURE_CLFLUSHOPT },
};

static const X86Opcode group15_6[4] = {
    [PREFIX_66] = { "clwb", { Mb }, tr_nop, .argument = 1, .feature = X86_FEATURE_CLWB },
};

static const X86Opcode group15_memory[8] = {
    [6] = { .group = group15_6, .select = SELECT_PREFIX },
    [7] = { .group = group15_7, .select = SELECT_PREFIX },
};

static const X86Opcode group15_fences[8] = {
    [5] = { "lfence", { 0 }, tr_nop },
    [6] = { "mfence", { 0 }, tr_fence },
    [7] = { "sfence", { 0 }, tr_nop },
};

static const X86Opcode group15_bases[8] = {
    { "rdfsbase", { Ry }, tr_segment_base, .argument = 0, .feature = X86_FEATURE_FSGSBASE,
        .flags = OPCODE_ONLY64 },
    { "rdgsbase", { Ry }, tr_segment_base, .argument = 1, .feature = X86_FEATURE_FSGSBASE,
        .flags = OPCODE_ONLY64 },
    { "wrfsbase", { Ry }, tr_segment_base, .argument = 2, .feature = X86_FEATURE_FSGSBASE,
        .flags = OPCODE_ONLY64 },
    { "wrgsbase", { Ry }, tr_segment_base, .argument = 3, .feature = X86_FEATURE_FSGSBASE,
        .flags = OPCODE_ONLY64 },
};

static const X86Opcode group15_register[4] = {
    [PREFIX_NONE] = { .group = group15_fences, .select = SELECT_REG },
    [PREFIX_F3] = { .group = group15_bases, .select = SELECT_REG },
};

static const X86Opcode group15[2] = {
    { .group = group15_memory, .select = SELECT_REG },
    { .group = group15_register, .select = SELECT_PREFIX },
};

static const X86Opcode group16_memory[8] = {
    { "prefetchnta", { Mb }, tr_nop },
    { "prefetcht0", { Mb }, tr_nop },
    { "prefetcht1", { Mb }, tr_nop },
    { "prefetcht2", { Mb }, tr_nop },
    { "nop", { Ev }, tr_nop },
    { "nop", { Ev }, tr_nop },
    { "nop", { Ev }, tr_nop },
    { "nop", { Ev }, tr_nop },
};

static const X86Opcode group16_register[1] = {
    { "nop", { Ev }, tr_nop },
};

static const X86Opcode group16[2] = {
    { .group = group16_memory, .select = SELECT_REG },
    { .group = group16_register },
};

/* AMD: reserved codes prefetch too. */
static const X86Opcode group_p[8] = {
    { "prefetch", { Mb }, tr_nop },
    { "prefetchw", { Mb }, tr_nop },
    { "prefetchwt1", { Mb }, tr_nop },
    { "prefetch", { Mb }, tr_nop },
    { "prefetch", { Mb }, tr_nop },
    { "prefetch", { Mb }, tr_nop },
    { "prefetch", { Mb }, tr_nop },
    { "prefetch", { Mb }, tr_nop },
};

static const X86Opcode map_63[2] = {
    { "arpl", { Ew, Gw }, tr_arpl, .flags = OPCODE_PROTECTED },
    { "movsxd", { Gv, Ed }, tr_movsx },
};

static const X86Opcode map_0fb8[4] = {
    [PREFIX_F3] = { "popcnt", { Gv, Ev }, tr_popcnt, .feature = X86_FEATURE_POPCNT },
};

/* TZCNT and LZCNT are BSF and BSR on a CPU without them. */
static const X86Opcode map_0fbc[4] = {
    [PREFIX_NONE] = { "bsf", { Gv, Ev }, tr_scan },
    [PREFIX_66] = { "bsf", { Gv, Ev }, tr_scan },
    [PREFIX_F3] = { "tzcnt", { Gv, Ev }, tr_count },
    [PREFIX_F2] = { "bsf", { Gv, Ev }, tr_scan },
};

static const X86Opcode map_0fbd[4] = {
    [PREFIX_NONE] = { "bsr", { Gv, Ev }, tr_scan, .argument = 1 },
    [PREFIX_66] = { "bsr", { Gv, Ev }, tr_scan, .argument = 1 },
    [PREFIX_F3] = { "lzcnt", { Gv, Ev }, tr_count, .argument = 1 },
    [PREFIX_F2] = { "bsr", { Gv, Ev }, tr_scan, .argument = 1 },
};

static const X86Opcode map_0fc3[4] = {
    [PREFIX_NONE] = { "movnti", { My, Gy }, tr_mov },
};

static const X86Opcode map_0f3882[4] = {
    [PREFIX_66] = { "invpcid", { G64, Mdq }, tr_invpcid, .feature = X86_FEATURE_INVPCID,
        .flags = OPCODE_RING0 },
};

static const X86Opcode map_0f38f0[4] = {
    [PREFIX_NONE] = { "movbe", { Gv, Mv }, tr_movbe, .feature = X86_FEATURE_MOVBE },
    [PREFIX_66] = { "movbe", { Gv, Mv }, tr_movbe, .feature = X86_FEATURE_MOVBE },
    [PREFIX_F2] = { "crc32", { Gy, Eb }, tr_crc32, .feature = X86_FEATURE_SSE4_2 },
};

static const X86Opcode map_0f38f1[4] = {
    [PREFIX_NONE] = { "movbe", { Mv, Gv }, tr_movbe, .feature = X86_FEATURE_MOVBE },
    [PREFIX_66] = { "movbe", { Mv, Gv }, tr_movbe, .feature = X86_FEATURE_MOVBE },
    [PREFIX_F2] = { "crc32", { Gy, Ev }, tr_crc32, .feature = X86_FEATURE_SSE4_2 },
};

static const X86Opcode map_0f38f6[4] = {
    [PREFIX_66] = { "adcx", { Gy, Ey }, tr_adx, .feature = X86_FEATURE_ADX },
    [PREFIX_F3] = { "adox", { Gy, Ey }, tr_adx, .argument = 1, .feature = X86_FEATURE_ADX },
};

const X86Opcode x86_map_one[256] = {
    [0x00] = { "add", { Eb, Gb }, tr_alu, .argument = ALU_ADD, .flags = OPCODE_LOCK },
    [0x01] = { "add", { Ev, Gv }, tr_alu, .argument = ALU_ADD, .flags = OPCODE_LOCK },
    [0x02] = { "add", { Gb, Eb }, tr_alu, .argument = ALU_ADD },
    [0x03] = { "add", { Gv, Ev }, tr_alu, .argument = ALU_ADD },
    [0x04] = { "add", { AL, Ib }, tr_alu, .argument = ALU_ADD },
    [0x05] = { "add", { rAX, Iz }, tr_alu, .argument = ALU_ADD },
    [0x06] = { "push", { sES }, tr_push, .flags = OPCODE_NO64 },
    [0x07] = { "pop", { sES }, tr_pop_segment, .flags = OPCODE_NO64 },
    [0x08] = { "or", { Eb, Gb }, tr_alu, .argument = ALU_OR, .flags = OPCODE_LOCK },
    [0x09] = { "or", { Ev, Gv }, tr_alu, .argument = ALU_OR, .flags = OPCODE_LOCK },
    [0x0a] = { "or", { Gb, Eb }, tr_alu, .argument = ALU_OR },
    [0x0b] = { "or", { Gv, Ev }, tr_alu, .argument = ALU_OR },
    [0x0c] = { "or", { AL, Ib }, tr_alu, .argument = ALU_OR },
    [0x0d] = { "or", { rAX, Iz }, tr_alu, .argument = ALU_OR },
    [0x0e] = { "push", { sCS }, tr_push, .flags = OPCODE_NO64 },
    [0x10] = { "adc", { Eb, Gb }, tr_alu, .argument = ALU_ADC, .flags = OPCODE_LOCK },
    [0x11] = { "adc", { Ev, Gv }, tr_alu, .argument = ALU_ADC, .flags = OPCODE_LOCK },
    [0x12] = { "adc", { Gb, Eb }, tr_alu, .argument = ALU_ADC },
    [0x13] = { "adc", { Gv, Ev }, tr_alu, .argument = ALU_ADC },
    [0x14] = { "adc", { AL, Ib }, tr_alu, .argument = ALU_ADC },
    [0x15] = { "adc", { rAX, Iz }, tr_alu, .argument = ALU_ADC },
    [0x16] = { "push", { sSS }, tr_push, .flags = OPCODE_NO64 },
    [0x17] = { "pop", { sSS }, tr_pop_segment, .flags = OPCODE_NO64 },
    [0x18] = { "sbb", { Eb, Gb }, tr_alu, .argument = ALU_SBB, .flags = OPCODE_LOCK },
    [0x19] = { "sbb", { Ev, Gv }, tr_alu, .argument = ALU_SBB, .flags = OPCODE_LOCK },
    [0x1a] = { "sbb", { Gb, Eb }, tr_alu, .argument = ALU_SBB },
    [0x1b] = { "sbb", { Gv, Ev }, tr_alu, .argument = ALU_SBB },
    [0x1c] = { "sbb", { AL, Ib }, tr_alu, .argument = ALU_SBB },
    [0x1d] = { "sbb", { rAX, Iz }, tr_alu, .argument = ALU_SBB },
    [0x1e] = { "push", { sDS }, tr_push, .flags = OPCODE_NO64 },
    [0x1f] = { "pop", { sDS }, tr_pop_segment, .flags = OPCODE_NO64 },
    [0x20] = { "and", { Eb, Gb }, tr_alu, .argument = ALU_AND, .flags = OPCODE_LOCK },
    [0x21] = { "and", { Ev, Gv }, tr_alu, .argument = ALU_AND, .flags = OPCODE_LOCK },
    [0x22] = { "and", { Gb, Eb }, tr_alu, .argument = ALU_AND },
    [0x23] = { "and", { Gv, Ev }, tr_alu, .argument = ALU_AND },
    [0x24] = { "and", { AL, Ib }, tr_alu, .argument = ALU_AND },
    [0x25] = { "and", { rAX, Iz }, tr_alu, .argument = ALU_AND },
    [0x27] = { "daa", { 0 }, tr_ascii, .argument = 0, .flags = OPCODE_NO64 },
    [0x28] = { "sub", { Eb, Gb }, tr_alu, .argument = ALU_SUB, .flags = OPCODE_LOCK },
    [0x29] = { "sub", { Ev, Gv }, tr_alu, .argument = ALU_SUB, .flags = OPCODE_LOCK },
    [0x2a] = { "sub", { Gb, Eb }, tr_alu, .argument = ALU_SUB },
    [0x2b] = { "sub", { Gv, Ev }, tr_alu, .argument = ALU_SUB },
    [0x2c] = { "sub", { AL, Ib }, tr_alu, .argument = ALU_SUB },
    [0x2d] = { "sub", { rAX, Iz }, tr_alu, .argument = ALU_SUB },
    [0x2f] = { "das", { 0 }, tr_ascii, .argument = 1, .flags = OPCODE_NO64 },
    [0x30] = { "xor", { Eb, Gb }, tr_alu, .argument = ALU_XOR, .flags = OPCODE_LOCK },
    [0x31] = { "xor", { Ev, Gv }, tr_alu, .argument = ALU_XOR, .flags = OPCODE_LOCK },
    [0x32] = { "xor", { Gb, Eb }, tr_alu, .argument = ALU_XOR },
    [0x33] = { "xor", { Gv, Ev }, tr_alu, .argument = ALU_XOR },
    [0x34] = { "xor", { AL, Ib }, tr_alu, .argument = ALU_XOR },
    [0x35] = { "xor", { rAX, Iz }, tr_alu, .argument = ALU_XOR },
    [0x37] = { "aaa", { 0 }, tr_ascii, .argument = 2, .flags = OPCODE_NO64 },
    [0x38] = { "cmp", { Eb, Gb }, tr_alu, .argument = ALU_CMP },
    [0x39] = { "cmp", { Ev, Gv }, tr_alu, .argument = ALU_CMP },
    [0x3a] = { "cmp", { Gb, Eb }, tr_alu, .argument = ALU_CMP },
    [0x3b] = { "cmp", { Gv, Ev }, tr_alu, .argument = ALU_CMP },
    [0x3c] = { "cmp", { AL, Ib }, tr_alu, .argument = ALU_CMP },
    [0x3d] = { "cmp", { rAX, Iz }, tr_alu, .argument = ALU_CMP },
    [0x3f] = { "aas", { 0 }, tr_ascii, .argument = 3, .flags = OPCODE_NO64 },
    [0x40] = { "inc", { Zv }, tr_inc, .flags = OPCODE_NO64 },
    [0x41] = { "inc", { Zv }, tr_inc, .flags = OPCODE_NO64 },
    [0x42] = { "inc", { Zv }, tr_inc, .flags = OPCODE_NO64 },
    [0x43] = { "inc", { Zv }, tr_inc, .flags = OPCODE_NO64 },
    [0x44] = { "inc", { Zv }, tr_inc, .flags = OPCODE_NO64 },
    [0x45] = { "inc", { Zv }, tr_inc, .flags = OPCODE_NO64 },
    [0x46] = { "inc", { Zv }, tr_inc, .flags = OPCODE_NO64 },
    [0x47] = { "inc", { Zv }, tr_inc, .flags = OPCODE_NO64 },
    [0x48] = { "dec", { Zv }, tr_inc, .argument = 1, .flags = OPCODE_NO64 },
    [0x49] = { "dec", { Zv }, tr_inc, .argument = 1, .flags = OPCODE_NO64 },
    [0x4a] = { "dec", { Zv }, tr_inc, .argument = 1, .flags = OPCODE_NO64 },
    [0x4b] = { "dec", { Zv }, tr_inc, .argument = 1, .flags = OPCODE_NO64 },
    [0x4c] = { "dec", { Zv }, tr_inc, .argument = 1, .flags = OPCODE_NO64 },
    [0x4d] = { "dec", { Zv }, tr_inc, .argument = 1, .flags = OPCODE_NO64 },
    [0x4e] = { "dec", { Zv }, tr_inc, .argument = 1, .flags = OPCODE_NO64 },
    [0x4f] = { "dec", { Zv }, tr_inc, .argument = 1, .flags = OPCODE_NO64 },
    [0x50] = { "push", { Zv }, tr_push, .flags = OPCODE_DEFAULT64 },
    [0x51] = { "push", { Zv }, tr_push, .flags = OPCODE_DEFAULT64 },
    [0x52] = { "push", { Zv }, tr_push, .flags = OPCODE_DEFAULT64 },
    [0x53] = { "push", { Zv }, tr_push, .flags = OPCODE_DEFAULT64 },
    [0x54] = { "push", { Zv }, tr_push, .flags = OPCODE_DEFAULT64 },
    [0x55] = { "push", { Zv }, tr_push, .flags = OPCODE_DEFAULT64 },
    [0x56] = { "push", { Zv }, tr_push, .flags = OPCODE_DEFAULT64 },
    [0x57] = { "push", { Zv }, tr_push, .flags = OPCODE_DEFAULT64 },
    [0x58] = { "pop", { Zv }, tr_pop, .flags = OPCODE_DEFAULT64 },
    [0x59] = { "pop", { Zv }, tr_pop, .flags = OPCODE_DEFAULT64 },
    [0x5a] = { "pop", { Zv }, tr_pop, .flags = OPCODE_DEFAULT64 },
    [0x5b] = { "pop", { Zv }, tr_pop, .flags = OPCODE_DEFAULT64 },
    [0x5c] = { "pop", { Zv }, tr_pop, .flags = OPCODE_DEFAULT64 },
    [0x5d] = { "pop", { Zv }, tr_pop, .flags = OPCODE_DEFAULT64 },
    [0x5e] = { "pop", { Zv }, tr_pop, .flags = OPCODE_DEFAULT64 },
    [0x5f] = { "pop", { Zv }, tr_pop, .flags = OPCODE_DEFAULT64 },
    [0x60] = { "pusha", { 0 }, tr_push_all, .flags = OPCODE_NO64 },
    [0x61] = { "popa", { 0 }, tr_pop_all, .flags = OPCODE_NO64 },
    [0x62] = { "bound", { Gv, Ma }, tr_bound, .flags = OPCODE_NO64 },
    [0x63] = { .group = map_63, .select = SELECT_MODE64 },
    [0x68] = { "push", { Iz }, tr_push, .flags = OPCODE_DEFAULT64 },
    [0x69] = { "imul", { Gv, Ev, Iz }, tr_imul },
    [0x6a] = { "push", { IbS }, tr_push, .flags = OPCODE_DEFAULT64 },
    [0x6b] = { "imul", { Gv, Ev, IbS }, tr_imul },
    [0x6c] = { "insb", { Yb, DX }, tr_ins },
    [0x6d] = { "insd", { Yz, DX }, tr_ins },
    [0x6e] = { "outsb", { DX, Xb }, tr_outs },
    [0x6f] = { "outsd", { DX, Xz }, tr_outs },
    [0x70] = { "jo", { Jb }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x71] = { "jno", { Jb }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x72] = { "jb", { Jb }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x73] = { "jnb", { Jb }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x74] = { "jz", { Jb }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x75] = { "jnz", { Jb }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x76] = { "jbe", { Jb }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x77] = { "jnbe", { Jb }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x78] = { "js", { Jb }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x79] = { "jns", { Jb }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x7a] = { "jp", { Jb }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x7b] = { "jnp", { Jb }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x7c] = { "jl", { Jb }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x7d] = { "jnl", { Jb }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x7e] = { "jle", { Jb }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x7f] = { "jnle", { Jb }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x80] = { .group = group1b, .select = SELECT_REG },
    [0x81] = { .group = group1z, .select = SELECT_REG },
    [0x82] = { .group = group1_82, .select = SELECT_REG },
    [0x83] = { .group = group1s, .select = SELECT_REG },
    [0x84] = { "test", { Eb, Gb }, tr_test },
    [0x85] = { "test", { Ev, Gv }, tr_test },
    [0x86] = { "xchg", { Eb, Gb }, tr_xchg, .flags = OPCODE_LOCK },
    [0x87] = { "xchg", { Ev, Gv }, tr_xchg, .flags = OPCODE_LOCK },
    [0x88] = { "mov", { Eb, Gb }, tr_mov },
    [0x89] = { "mov", { Ev, Gv }, tr_mov },
    [0x8a] = { "mov", { Gb, Eb }, tr_mov },
    [0x8b] = { "mov", { Gv, Ev }, tr_mov },
    [0x8c] = { "mov", { EvMw, Sw }, tr_mov },
    [0x8d] = { "lea", { Gv, M0 }, tr_lea },
    [0x8e] = { "mov", { Sw, Ew }, tr_mov_segment },
    [0x8f] = { .group = group1a, .select = SELECT_REG },
    [0x90] = { "xchg", { Zv, rAX }, tr_xchg },
    [0x91] = { "xchg", { Zv, rAX }, tr_xchg },
    [0x92] = { "xchg", { Zv, rAX }, tr_xchg },
    [0x93] = { "xchg", { Zv, rAX }, tr_xchg },
    [0x94] = { "xchg", { Zv, rAX }, tr_xchg },
    [0x95] = { "xchg", { Zv, rAX }, tr_xchg },
    [0x96] = { "xchg", { Zv, rAX }, tr_xchg },
    [0x97] = { "xchg", { Zv, rAX }, tr_xchg },
    [0x98] = { "cbw", { 0 }, tr_extend_acc },
    [0x99] = { "cwd", { 0 }, tr_extend_pair },
    [0x9a] = { "call far", { Ap }, tr_call_far, .flags = OPCODE_NO64 },
    [0x9b] = { .group = &x86_row_fwait },
    [0x9c] = { "pushf", { 0 }, tr_pushf, .flags = OPCODE_DEFAULT64 },
    [0x9d] = { "popf", { 0 }, tr_popf, .flags = OPCODE_DEFAULT64 },
    [0x9e] = { "sahf", { 0 }, tr_sahf },
    [0x9f] = { "lahf", { 0 }, tr_lahf },
    [0xa0] = { "mov", { AL, Ob }, tr_mov },
    [0xa1] = { "mov", { rAX, Ov }, tr_mov },
    [0xa2] = { "mov", { Ob, AL }, tr_mov },
    [0xa3] = { "mov", { Ov, rAX }, tr_mov },
    [0xa4] = { "movsb", { Yb, Xb }, tr_movs },
    [0xa5] = { "movsd", { Yv, Xv }, tr_movs },
    [0xa6] = { "cmpsb", { Xb, Yb }, tr_cmps },
    [0xa7] = { "cmpsd", { Xv, Yv }, tr_cmps },
    [0xa8] = { "test", { AL, Ib }, tr_test },
    [0xa9] = { "test", { rAX, Iz }, tr_test },
    [0xaa] = { "stosb", { Yb, AL }, tr_stos },
    [0xab] = { "stosd", { Yv, rAX }, tr_stos },
    [0xac] = { "lodsb", { AL, Xb }, tr_lods },
    [0xad] = { "lodsd", { rAX, Xv }, tr_lods },
    [0xae] = { "scasb", { AL, Yb }, tr_scas },
    [0xaf] = { "scasd", { rAX, Yv }, tr_scas },
    [0xb0] = { "mov", { Zb, Ib }, tr_mov },
    [0xb1] = { "mov", { Zb, Ib }, tr_mov },
    [0xb2] = { "mov", { Zb, Ib }, tr_mov },
    [0xb3] = { "mov", { Zb, Ib }, tr_mov },
    [0xb4] = { "mov", { Zb, Ib }, tr_mov },
    [0xb5] = { "mov", { Zb, Ib }, tr_mov },
    [0xb6] = { "mov", { Zb, Ib }, tr_mov },
    [0xb7] = { "mov", { Zb, Ib }, tr_mov },
    [0xb8] = { "mov", { Zv, Iv }, tr_mov },
    [0xb9] = { "mov", { Zv, Iv }, tr_mov },
    [0xba] = { "mov", { Zv, Iv }, tr_mov },
    [0xbb] = { "mov", { Zv, Iv }, tr_mov },
    [0xbc] = { "mov", { Zv, Iv }, tr_mov },
    [0xbd] = { "mov", { Zv, Iv }, tr_mov },
    [0xbe] = { "mov", { Zv, Iv }, tr_mov },
    [0xbf] = { "mov", { Zv, Iv }, tr_mov },
    [0xc0] = { .group = group2_c0, .select = SELECT_REG },
    [0xc1] = { .group = group2_c1, .select = SELECT_REG },
    [0xc2] = { "ret", { Iw }, tr_ret, .flags = OPCODE_DEFAULT64 },
    [0xc3] = { "ret", { 0 }, tr_ret, .flags = OPCODE_DEFAULT64 },
    [0xc4] = { "les", { Gz, Mp }, tr_load_far, .argument = X86_ES, .flags = OPCODE_NO64 },
    [0xc5] = { "lds", { Gz, Mp }, tr_load_far, .argument = X86_DS, .flags = OPCODE_NO64 },
    [0xc6] = { .group = group11b, .select = SELECT_REG },
    [0xc7] = { .group = group11v, .select = SELECT_REG },
    [0xc8] = { "enter", { Iw, Ib }, tr_enter, .flags = OPCODE_DEFAULT64 },
    [0xc9] = { "leave", { 0 }, tr_leave, .flags = OPCODE_DEFAULT64 },
    [0xca] = { "ret far", { Iw }, tr_ret_far },
    [0xcb] = { "ret far", { 0 }, tr_ret_far },
    [0xcc] = { "int3", { 0 }, tr_int, .argument = 1 },
    [0xcd] = { "int", { Ib }, tr_int },
    [0xce] = { "into", { 0 }, tr_into, .flags = OPCODE_NO64 },
    [0xcf] = { "iret", { 0 }, tr_iret },
    [0xd0] = { .group = group2_d0, .select = SELECT_REG },
    [0xd1] = { .group = group2_d1, .select = SELECT_REG },
    [0xd2] = { .group = group2_d2, .select = SELECT_REG },
    [0xd3] = { .group = group2_d3, .select = SELECT_REG },
    [0xd4] = { "aam", { Ib }, tr_ascii, .argument = 4, .flags = OPCODE_NO64 },
    [0xd5] = { "aad", { Ib }, tr_ascii, .argument = 5, .flags = OPCODE_NO64 },
    [0xd6] = { "salc", { 0 }, tr_salc, .flags = OPCODE_NO64 },
    [0xd7] = { "xlat", { 0 }, tr_xlat },
    [0xd8] = { .group = &x86_map_x87[0] },
    [0xd9] = { .group = &x86_map_x87[1] },
    [0xda] = { .group = &x86_map_x87[2] },
    [0xdb] = { .group = &x86_map_x87[3] },
    [0xdc] = { .group = &x86_map_x87[4] },
    [0xdd] = { .group = &x86_map_x87[5] },
    [0xde] = { .group = &x86_map_x87[6] },
    [0xdf] = { .group = &x86_map_x87[7] },
    [0xe0] = { "loopne", { Jb }, tr_loop, .argument = 0, .flags = OPCODE_DEFAULT64 },
    [0xe1] = { "loope", { Jb }, tr_loop, .argument = 1, .flags = OPCODE_DEFAULT64 },
    [0xe2] = { "loop", { Jb }, tr_loop, .argument = 2, .flags = OPCODE_DEFAULT64 },
    [0xe3] = { "jrcxz", { Jb }, tr_jcxz, .flags = OPCODE_DEFAULT64 },
    [0xe4] = { "in", { AL, Ib }, tr_in },
    [0xe5] = { "in", { zAX, Ib }, tr_in },
    [0xe6] = { "out", { Ib, AL }, tr_out },
    [0xe7] = { "out", { Ib, zAX }, tr_out },
    [0xe8] = { "call", { Jz }, tr_call_near, .flags = OPCODE_DEFAULT64 },
    [0xe9] = { "jmp", { Jz }, tr_jmp, .flags = OPCODE_DEFAULT64 },
    [0xea] = { "jmp far", { Ap }, tr_jmp_far, .flags = OPCODE_NO64 },
    [0xeb] = { "jmp", { Jb }, tr_jmp, .flags = OPCODE_DEFAULT64 },
    [0xec] = { "in", { AL, DX }, tr_in },
    [0xed] = { "in", { zAX, DX }, tr_in },
    [0xee] = { "out", { DX, AL }, tr_out },
    [0xef] = { "out", { DX, zAX }, tr_out },
    [0xf1] = { "int1", { 0 }, tr_int, .argument = 2 },
    [0xf4] = { "hlt", { 0 }, tr_hlt, .flags = OPCODE_RING0 },
    [0xf5] = { "cmc", { 0 }, tr_flag, .argument = 2 },
    [0xf6] = { .group = group3b, .select = SELECT_REG },
    [0xf7] = { .group = group3v, .select = SELECT_REG },
    [0xf8] = { "clc", { 0 }, tr_flag, .argument = 0 },
    [0xf9] = { "stc", { 0 }, tr_flag, .argument = 1 },
    [0xfa] = { "cli", { 0 }, tr_cli },
    [0xfb] = { "sti", { 0 }, tr_sti },
    [0xfc] = { "cld", { 0 }, tr_flag, .argument = 3 },
    [0xfd] = { "std", { 0 }, tr_flag, .argument = 4 },
    [0xfe] = { .group = group4, .select = SELECT_REG },
    [0xff] = { .group = group5, .select = SELECT_REG },
};

const X86Opcode x86_map_0f[256] = {
    [0x00] = { .group = group6, .select = SELECT_REG },
    [0x01] = { .group = group7, .select = SELECT_MOD },
    [0x02] = { "lar", { Gv, Ew }, tr_lar, .argument = X86_CALL_lar, .flags = OPCODE_PROTECTED },
    [0x03] = { "lsl", { Gv, Ew }, tr_lar, .argument = X86_CALL_lsl, .flags = OPCODE_PROTECTED },
    [0x05] = { "syscall", { 0 }, tr_syscall, .argument = X86_CALL_syscall },
    [0x06] = { "clts", { 0 }, tr_calling_stop, .argument = X86_CALL_clts, .flags = OPCODE_RING0 },
    [0x07] = { "sysret", { 0 }, tr_syscall, .argument = X86_CALL_sysret },
    [0x08] = { "invd", { 0 }, tr_simple_call, .argument = X86_CALL_wbinvd, .flags = OPCODE_RING0 },
    [0x09] = { "wbinvd", { 0 }, tr_simple_call, .argument = X86_CALL_wbinvd,
        .flags = OPCODE_RING0 },
    [0x0b] = { "ud2", { 0 }, tr_undefined },
    [0x0d] = { .group = group_p, .select = SELECT_REG },
    [0x18] = { .group = group16, .select = SELECT_MOD },
    [0x19] = { "nop", { Ev }, tr_nop },
    [0x1a] = { "nop", { Ev }, tr_nop },
    [0x1b] = { "nop", { Ev }, tr_nop },
    [0x1c] = { "nop", { Ev }, tr_nop },
    [0x1d] = { "nop", { Ev }, tr_nop },
    [0x1e] = { "nop", { Ev }, tr_nop },
    [0x1f] = { "nop", { Ev }, tr_nop },
    [0x20] = { "mov", { R64, Cr }, tr_mov_control, .flags = OPCODE_RING0 | OPCODE_REGFORM },
    [0x21] = { "mov", { R64, Dr }, tr_mov_control, .flags = OPCODE_RING0 | OPCODE_REGFORM },
    [0x22] = { "mov", { Cr, R64 }, tr_mov_control, .flags = OPCODE_RING0 | OPCODE_REGFORM },
    [0x23] = { "mov", { Dr, R64 }, tr_mov_control, .flags = OPCODE_RING0 | OPCODE_REGFORM },
    [0x30] = { "wrmsr", { 0 }, tr_calling_stop, .argument = X86_CALL_wrmsr, .flags = OPCODE_RING0 },
    [0x31] = { "rdtsc", { 0 }, tr_to_edx_eax, .argument = X86_CALL_rdtsc },
    [0x32] = { "rdmsr", { 0 }, tr_simple_call, .argument = X86_CALL_rdmsr, .flags = OPCODE_RING0 },
    [0x33] = { "rdpmc", { 0 }, tr_to_edx_eax, .argument = X86_CALL_rdpmc },
    [0x34] = { "sysenter", { 0 }, tr_syscall, .argument = X86_CALL_sysenter },
    [0x35] = { "sysexit", { 0 }, tr_syscall, .argument = X86_CALL_sysexit },
    [0x40] = { "cmovo", { Gv, Ev }, tr_cmov },
    [0x41] = { "cmovno", { Gv, Ev }, tr_cmov },
    [0x42] = { "cmovb", { Gv, Ev }, tr_cmov },
    [0x43] = { "cmovnb", { Gv, Ev }, tr_cmov },
    [0x44] = { "cmovz", { Gv, Ev }, tr_cmov },
    [0x45] = { "cmovnz", { Gv, Ev }, tr_cmov },
    [0x46] = { "cmovbe", { Gv, Ev }, tr_cmov },
    [0x47] = { "cmovnbe", { Gv, Ev }, tr_cmov },
    [0x48] = { "cmovs", { Gv, Ev }, tr_cmov },
    [0x49] = { "cmovns", { Gv, Ev }, tr_cmov },
    [0x4a] = { "cmovp", { Gv, Ev }, tr_cmov },
    [0x4b] = { "cmovnp", { Gv, Ev }, tr_cmov },
    [0x4c] = { "cmovl", { Gv, Ev }, tr_cmov },
    [0x4d] = { "cmovnl", { Gv, Ev }, tr_cmov },
    [0x4e] = { "cmovle", { Gv, Ev }, tr_cmov },
    [0x4f] = { "cmovnle", { Gv, Ev }, tr_cmov },
    [0x80] = { "jo", { Jz }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x81] = { "jno", { Jz }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x82] = { "jb", { Jz }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x83] = { "jnb", { Jz }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x84] = { "jz", { Jz }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x85] = { "jnz", { Jz }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x86] = { "jbe", { Jz }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x87] = { "jnbe", { Jz }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x88] = { "js", { Jz }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x89] = { "jns", { Jz }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x8a] = { "jp", { Jz }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x8b] = { "jnp", { Jz }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x8c] = { "jl", { Jz }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x8d] = { "jnl", { Jz }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x8e] = { "jle", { Jz }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x8f] = { "jnle", { Jz }, tr_jcc, .flags = OPCODE_DEFAULT64 },
    [0x90] = { "seto", { Eb }, tr_setcc },
    [0x91] = { "setno", { Eb }, tr_setcc },
    [0x92] = { "setb", { Eb }, tr_setcc },
    [0x93] = { "setnb", { Eb }, tr_setcc },
    [0x94] = { "setz", { Eb }, tr_setcc },
    [0x95] = { "setnz", { Eb }, tr_setcc },
    [0x96] = { "setbe", { Eb }, tr_setcc },
    [0x97] = { "setnbe", { Eb }, tr_setcc },
    [0x98] = { "sets", { Eb }, tr_setcc },
    [0x99] = { "setns", { Eb }, tr_setcc },
    [0x9a] = { "setp", { Eb }, tr_setcc },
    [0x9b] = { "setnp", { Eb }, tr_setcc },
    [0x9c] = { "setl", { Eb }, tr_setcc },
    [0x9d] = { "setnl", { Eb }, tr_setcc },
    [0x9e] = { "setle", { Eb }, tr_setcc },
    [0x9f] = { "setnle", { Eb }, tr_setcc },
    [0xa0] = { "push", { sFS }, tr_push, .flags = OPCODE_DEFAULT64 },
    [0xa1] = { "pop", { sFS }, tr_pop_segment, .flags = OPCODE_DEFAULT64 },
    [0xa2] = { "cpuid", { 0 }, tr_simple_call, .argument = X86_CALL_cpuid },
    [0xa3] = { "bt", { Ev, Gv }, tr_bit, .argument = BIT_BT },
    [0xa4] = { "shld", { Ev, Gv, Ib }, tr_shift_double },
    [0xa5] = { "shld", { Ev, Gv, CL }, tr_shift_double },
    [0xa8] = { "push", { sGS }, tr_push, .flags = OPCODE_DEFAULT64 },
    [0xa9] = { "pop", { sGS }, tr_pop_segment, .flags = OPCODE_DEFAULT64 },
    [0xaa] = { "rsm", { 0 }, tr_undefined },
    [0xab] = { "bts", { Ev, Gv }, tr_bit, .argument = BIT_BTS, .flags = OPCODE_LOCK },
    [0xac] = { "shrd", { Ev, Gv, Ib }, tr_shift_double, .argument = 1 },
    [0xad] = { "shrd", { Ev, Gv, CL }, tr_shift_double, .argument = 1 },
    [0xae] = { .group = group15, .select = SELECT_MOD },
    [0xaf] = { "imul", { Gv, Ev }, tr_imul },
    [0xb0] = { "cmpxchg", { Eb, Gb }, tr_cmpxchg, .flags = OPCODE_LOCK },
    [0xb1] = { "cmpxchg", { Ev, Gv }, tr_cmpxchg, .flags = OPCODE_LOCK },
    [0xb2] = { "lss", { Gv, Mp }, tr_load_far, .argument = X86_SS },
    [0xb3] = { "btr", { Ev, Gv }, tr_bit, .argument = BIT_BTR, .flags = OPCODE_LOCK },
    [0xb4] = { "lfs", { Gv, Mp }, tr_load_far, .argument = X86_FS },
    [0xb5] = { "lgs", { Gv, Mp }, tr_load_far, .argument = X86_GS },
    [0xb6] = { "movzx", { Gv, Eb }, tr_mov },
    [0xb7] = { "movzx", { Gv, Ew }, tr_mov },
    [0xb8] = { .group = map_0fb8, .select = SELECT_PREFIX },
    [0xb9] = { "ud1", { Gv, Ev }, tr_undefined },
    [0xba] = { .group = group8, .select = SELECT_REG },
    [0xbb] = { "btc", { Ev, Gv }, tr_bit, .argument = BIT_BTC, .flags = OPCODE_LOCK },
    [0xbc] = { .group = map_0fbc, .select = SELECT_PREFIX },
    [0xbd] = { .group = map_0fbd, .select = SELECT_PREFIX },
    [0xbe] = { "movsx", { Gv, Eb }, tr_movsx },
    [0xbf] = { "movsx", { Gv, Ew }, tr_movsx },
    [0xc0] = { "xadd", { Eb, Gb }, tr_xadd, .flags = OPCODE_LOCK },
    [0xc1] = { "xadd", { Ev, Gv }, tr_xadd, .flags = OPCODE_LOCK },
    [0xc3] = { .group = map_0fc3, .select = SELECT_PREFIX },
    [0xc7] = { .group = group9, .select = SELECT_MOD },
    [0xc8] = { "bswap", { Zv }, tr_bswap },
    [0xc9] = { "bswap", { Zv }, tr_bswap },
    [0xca] = { "bswap", { Zv }, tr_bswap },
    [0xcb] = { "bswap", { Zv }, tr_bswap },
    [0xcc] = { "bswap", { Zv }, tr_bswap },
    [0xcd] = { "bswap", { Zv }, tr_bswap },
    [0xce] = { "bswap", { Zv }, tr_bswap },
    [0xcf] = { "bswap", { Zv }, tr_bswap },
    [0xff] = { "ud0", { Gd, Ed }, tr_undefined },
};

const X86Opcode x86_map_0f38[256] = {
    [0x82] = { .group = map_0f3882, .select = SELECT_PREFIX },
    [0xf0] = { .group = map_0f38f0, .select = SELECT_PREFIX },
    [0xf1] = { .group = map_0f38f1, .select = SELECT_PREFIX },
    [0xf6] = { .group = map_0f38f6, .select = SELECT_PREFIX },
};

const X86Opcode x86_map_0f3a[256] = { { 0 } };
/* clang-format on */
