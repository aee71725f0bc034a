/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code memory and its fixed pieces, see code.h.
 */
#include "engine/dbt/host/x86_64/code.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/bits.h"
#include "common/error.h"
#include "engine/dbt/host/x86_64/gen.h"

/* --- memory ----------------------------------------------------------------------------------- */

/* Kernels from 6.3 on want to be told that a memfd will be run. */
#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10
#endif

static int make_file(size_t size)
{
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create("insula-code", flags | MFD_EXEC);

    if (fd < 0 && errno == EINVAL) {
        fd = memfd_create("insula-code", flags);
    }
    if (fd >= 0 && ftruncate(fd, (off_t)size) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Map @fd twice and seal it: nobody can map it for writing once more. */
static bool map_twice(Code *code, int fd)
{
    code->rw = mmap(NULL, code->mapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (code->rw == MAP_FAILED) {
        code->rw = NULL;
        return false;
    }
    code->rx = mmap(NULL, code->mapped, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    if (code->rx == MAP_FAILED) {
        code->rx = NULL;
        return false;
    }
    /* a kernel without the last seal (before 5.1) takes the others */
    int seals = F_SEAL_SHRINK | F_SEAL_GROW;
    if (fcntl(fd, F_ADD_SEALS, seals | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0) {
        return fcntl(fd, F_ADD_SEALS, seals | F_SEAL_SEAL) == 0;
    }
    return true;
}

/* --- fixed pieces ----------------------------------------------------------------------------- */

static const uint8_t saved_by_c[] = { RBX, RBP, R12, R13, R14, R15 };
static const uint8_t kept_by_slow[] = { RSI, RDI, R8, R9, R10, R11 };

static void make_enter(Emit *e)
{
    for (size_t i = 0; i < G_N_ELEMENTS(saved_by_c); i++) {
        emit_push(e, saved_by_c[i]);
    }
    emit_alu_ri(e, ALU_SUB, true, RSP, FRAME_BYTES);
    emit_rm(e, X_LEA64, REG_CPU, mem_at(RDI, STATE_BIAS));
    emit_load(e, 8, REG_TLB, CPU_MEM(tlb));
    emit_mov_imm(e, REG_COUNT, 0);
    emit_jmp_reg(e, RSI);
}

/* --- vectors: the guest's are in the host's registers, or in CPU state */

static Mem vector_mem(const Code *code, unsigned vector)
{
    const VectorFile *file = &code->isa->vector_file;

    return state_mem(file->offset + vector * file->stride);
}

static uint8_t *if_live(Emit *e, Condition cc, unsigned what)
{
    emit_alu_mi(e, ALU_CMP, 1, CPU_MEM(vectors_live), (int32_t)what);
    return emit_jcc(e, cc, NULL);
}

/* Jump over what follows unless vectors are live; to be patched. */
static uint8_t *unless_live(Emit *e)
{
    return if_live(e, CC_E, LIVE_NONE);
}

static void set_live(Emit *e, unsigned what)
{
    emit_store_imm(e, 1, CPU_MEM(vectors_live), (int32_t)what);
}

/* Instructions without VEX prefix are slow on some CPUs while upper halves are not known to be 0:
 * C never runs so. */
static void save_wide(const Code *code, Emit *e)
{
    for (unsigned i = 0; i < PINNED; i++) {
        emit_vex_rm(e, X_MOVUPS_STORE | X_L, i, 0, vector_mem(code, i));
    }
    emit_vzeroupper(e);
}

static void make_save(Code *code, Emit *e, Mem guest_control)
{
    uint8_t *low = NULL, *saved = NULL;

    code->save_vectors = e->at;
    if (code->wide) {
        low = if_live(e, CC_NE, LIVE_WIDE);
        save_wide(code, e);
        saved = emit_jmp(e, NULL);
        emit_patch(low, e->at);
    }
    for (unsigned i = 0; i < PINNED; i++) {
        emit_rm(e, X_MOVUPS_STORE, i, vector_mem(code, i));
    }
    if (saved) {
        emit_patch(saved, e->at);
    }
    emit_rm(e, X_GROUP15, X_STMXCSR, guest_control);
    emit_rm(e, X_GROUP15, X_LDMXCSR, CPU_MEM(host_control));
    set_live(e, LIVE_NONE);
    emit_ret(e);
}

/* From CPU state; where the low halves are in registers, which are newer, the upper ones join
 * them. */
static void make_load_wide(Code *code, Emit *e, Mem guest_control)
{
    code->load_wide = e->at;
    uint8_t *none = unless_live(e);
    for (unsigned i = 0; i < PINNED; i++) {
        Mem upper = vector_mem(code, i);
        upper.disp += 16;
        emit_vex_rm(e, X_VINSERTF128 | X_L, i, i, upper);
        emit_vex_imm8(e, 1);
    }
    set_live(e, LIVE_WIDE);
    emit_ret(e);
    emit_patch(none, e->at);
    for (unsigned i = 0; i < PINNED; i++) {
        emit_vex_rm(e, X_MOVUPS_LOAD | X_L, i, 0, vector_mem(code, i));
    }
    emit_rm(e, X_GROUP15, X_LDMXCSR, guest_control);
    set_live(e, LIVE_WIDE);
    emit_ret(e);
}

static void make_vectors(Code *code, Emit *e)
{
    Mem guest_control = state_mem(code->isa->vector_file.control);

    make_save(code, e, guest_control);
    code->load_vectors = e->at;
    for (unsigned i = 0; i < PINNED; i++) {
        emit_rm(e, X_MOVUPS_LOAD, i, vector_mem(code, i));
    }
    emit_rm(e, X_GROUP15, X_LDMXCSR, guest_control);
    set_live(e, LIVE_LOW);
    emit_ret(e);
    if (code->wide) {
        make_load_wide(code, e, guest_control);
    }
}

/* --- the way back */

/* Back to C with what RAX holds. */
static const uint8_t *make_exit(const Code *code, Emit *e)
{
    const uint8_t *at = e->at;

    if (code->vectors) {
        uint8_t *none = unless_live(e);
        emit_call(e, code->save_vectors);
        emit_patch(none, e->at);
    }
    emit_alu_mr(e, ALU_ADD, true, CPU_MEM(instructions), REG_COUNT);
    emit_alu_ri(e, ALU_ADD, true, RSP, FRAME_BYTES);
    for (size_t i = G_N_ELEMENTS(saved_by_c); i-- > 0;) {
        emit_pop(e, saved_by_c[i]);
    }
    emit_ret(e);
    return at;
}

static const uint8_t *make_plain_exit(Emit *e, unsigned result, const uint8_t *exit)
{
    const uint8_t *at = e->at;

    emit_mov_imm(e, RAX, result);
    emit_jmp(e, exit);
    return at;
}

/* EAX is the result's upper half. */
static const uint8_t *make_word_exit(Emit *e, unsigned result, const uint8_t *exit)
{
    const uint8_t *at = e->at;

    emit_shift_imm(e, SHIFT_SHL, true, RAX, 32);
    emit_alu_ri(e, ALU_OR, true, RAX, (int32_t)result);
    emit_jmp(e, exit);
    return at;
}

/* --- slow paths */

/* Call slow_access(); its result in RAX, and whether it worked in EDX. */
static void call_slow(Emit *e)
{
    enum { KEPT = 8 * G_N_ELEMENTS(kept_by_slow), ALIGN = 8, RETURN = 8 };

    for (size_t i = 0; i < G_N_ELEMENTS(kept_by_slow); i++) {
        emit_push(e, kept_by_slow[i]);
    }
    emit_alu_ri(e, ALU_SUB, true, RSP, ALIGN);
    emit_load(e, 8, R8, mem_at(RSP, ALIGN + KEPT + RETURN + FRAME_ARGUMENT));
    emit_rm(e, X_LEA64, RDI, mem_at(REG_CPU, -STATE_BIAS));
    emit_mov(e, true, RSI, RCX);
    emit_mov(e, false, RCX, RAX);
    emit_mov_imm(e, RAX, (uintptr_t)slow_access);
    emit_call_reg(e, RAX);
    emit_alu_ri(e, ALU_ADD, true, RSP, ALIGN);
    for (size_t i = G_N_ELEMENTS(kept_by_slow); i-- > 0;) {
        emit_pop(e, kept_by_slow[i]);
    }
    emit_rr(e, X_TEST32, RDX, RDX);
}

/* The same with vectors live, which come back by @load unless it faults. */
static void call_slow_with_vectors(const Code *code, Emit *e, const uint8_t *load)
{
    emit_call(e, code->save_vectors);
    call_slow(e);
    uint8_t *fault = emit_jcc(e, CC_E, NULL);
    emit_call(e, load);
    emit_rr(e, X_TEST32, RSP, RSP); /* not 0: it worked */
    emit_patch(fault, e->at);
    emit_ret(e);
}

/* RCX gva, RDX operand, EAX word, the second operand in the frame.  The result in RAX; ZF: it
 * faulted, and RAX is the word. */
static void make_slow(Code *code, Emit *e)
{
    code->slow = e->at;
    if (code->vectors) {
        uint8_t *none = unless_live(e), *wide = NULL;
        if (code->wide) {
            wide = if_live(e, CC_E, LIVE_WIDE);
        }
        call_slow_with_vectors(code, e, code->load_vectors);
        if (code->wide) {
            emit_patch(wide, e->at);
            call_slow_with_vectors(code, e, code->load_wide);
        }
        emit_patch(none, e->at);
    }
    call_slow(e);
    emit_ret(e);
}

static void make_fixed(Code *code)
{
    Emit e;

    emit_init(&e, code->rw, 4096);
    const void *enter = code_to_rx(code, e.at);
    memcpy(&code->enter, &enter, sizeof(enter));
    make_enter(&e);
    if (code->vectors) {
        make_vectors(code, &e);
    }
    const uint8_t *exit = make_exit(code, &e);
    code->exit_next = make_plain_exit(&e, CODE_NEXT, exit);
    code->exit_stop = make_plain_exit(&e, CODE_STOP, exit);
    for (unsigned slot = 0; slot < IR_EXIT_SLOTS; slot++) {
        code->exit_link[slot] = make_word_exit(&e, CODE_LINK + CODE_SLOT * slot, exit);
    }
    code->exit_attention = make_word_exit(&e, CODE_ATTENTION, exit);
    code->exit_fault = make_word_exit(&e, CODE_FAULT, exit);
    make_slow(code, &e);
    g_assert(!e.full);
    code->fixed = (size_t)(e.at - e.start);
}

/* --- life ------------------------------------------------------------------------------------- */

/* Bits of CPUID's ECX; clang 14's __builtin_cpu_supports() does not know these names. */
static bool has_in_ecx(unsigned leaf, unsigned bit)
{
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;

    return __get_cpuid(leaf, &eax, &ebx, &ecx, &edx) && (ecx & bit);
}

static HostFeatures find_features(void)
{
    __builtin_cpu_init();
    return (HostFeatures){
        .lzcnt = has_in_ecx(0x80000001, bit_LZCNT),
        .tzcnt = __builtin_cpu_supports("bmi"),
        .popcnt = __builtin_cpu_supports("popcnt"),
        .bmi2 = __builtin_cpu_supports("bmi2"),
        .sse42 = __builtin_cpu_supports("sse4.2"),
        .aes = __builtin_cpu_supports("aes"),
        .pclmul = __builtin_cpu_supports("pclmul"),
        .avx2 = __builtin_cpu_supports("avx2"), /* and the kernel keeps YMM registers */
        .fma = __builtin_cpu_supports("fma"),
        .f16c = has_in_ecx(1, bit_F16C),
    };
}

bool code_has_wide_vectors(void)
{
    HostFeatures host = find_features();

    return host.sse42 && host.avx2 && host.fma && host.f16c && host.bmi2 && host.lzcnt;
}

/* Lanes are reached by SSE4.1; an operand in CPU state must be aligned. */
static bool can_keep_vectors(const Code *code)
{
    const VectorFile *file = &code->isa->vector_file;

    return file->stride && code->host.sse42 && file->offset % 16 == 0 && file->stride % 16 == 0 &&
           file->count > PINNED;
}

Code *code_new(const GuestIsa *isa, const CodeOptions *options, GError **error)
{
    Code *code = g_new0(Code, 1);
    int fd = make_file(options->limit);

    code->mapped = code->size = options->limit;
    bool ok = fd >= 0 && map_twice(code, fd);
    if (!ok) {
        set_error_errno(error, errno, "cannot make %zu MiB of memory for translated code",
                        options->limit >> 20);
    }
    if (fd >= 0) {
        close(fd);
    }
    if (!ok) {
        code_free(code);
        return NULL;
    }
    code->isa = isa;
    code->single = options->cpus == 1;
    code->check = options->check;
    code->host = find_features();
    code->vectors = can_keep_vectors(code);
    code->wide = code->vectors && code->host.avx2 && isa->vector_file.stride == 32;
    code->gen = g_new0(Gen, 1);
    make_fixed(code);
    code->used = code->fixed;
    return code;
}

void code_free(Code *code)
{
    if (!code) {
        return;
    }
    if (code->rw) {
        munmap(code->rw, code->mapped);
    }
    if (code->rx) {
        munmap((void *)(uintptr_t)code->rx, code->mapped);
    }
    g_free(code->gen);
    g_free(code);
}

void code_flush(Code *code)
{
    code->used = code->fixed;
    code->unmapped = 0;
}

void code_resize(Code *code, size_t size)
{
    code->size = MIN(size, code->mapped);
}

void code_unmap_written(Code *code)
{
    enum { STEP = 8 << 20 };

    if (code->used / STEP > code->unmapped / STEP) {
        code->unmapped = code->used;
        madvise(code->rw, align_down(code->used, PAGE_SIZE), MADV_DONTNEED);
    }
}
