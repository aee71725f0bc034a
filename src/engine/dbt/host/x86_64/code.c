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
/* of kernels from 5.14 on; older headers lack them */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
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

/* --- the stack of floating point registers: the guest's is in the host's x87, or in CPU state */

enum {
    STACK_REGISTERS = 8,
    X_FNSAVE = 0xdd,
    FNSAVE = 6,
    FRSTOR = 4,
    IMAGE_CONTROL = 0, /* offsets in what FNSAVE writes */
    IMAGE_STATUS = 4,
    IMAGE_TAGS = 8, /* two bits a register */
    IMAGE_REGISTERS = 28,
    IMAGE_STRIDE = 10, /* from ST(0) on */
    STATUS_TOP = 11,
    TAGS_EMPTY = 0x5555, /* one bit of each pair */
};

static Mem image_mem(unsigned offset)
{
    Mem mem = CPU_MEM(stack_image);

    mem.disp += (int)offset;
    return mem;
}

/* EAX = what every other bit of it is, from @from bits apart to @to. */
static void spread_tags(Emit *e, bool close)
{
    static const struct {
        unsigned shift;
        int32_t mask;
    } steps[] = { { 4, 0x0f0f }, { 2, 0x3333 }, { 1, TAGS_EMPTY } };

    for (unsigned i = 0; i < G_N_ELEMENTS(steps); i++) {
        unsigned step = close ? G_N_ELEMENTS(steps) - 1 - i : i;
        int32_t mask = !close ? steps[step].mask : step ? steps[step - 1].mask : 0xff;
        emit_mov(e, false, RDX, RAX);
        emit_shift_imm(e, close ? SHIFT_SHR : SHIFT_SHL, false, RDX, steps[step].shift);
        emit_alu_rr(e, ALU_OR, false, RAX, RDX);
        emit_alu_ri(e, ALU_AND, false, RAX, mask);
    }
}

/* The registers, between the image in the order of the stack and CPU state in that of their
 * numbers.  ECX is TOP. */
static void move_registers(const Code *code, Emit *e, bool save)
{
    const StackFile *file = &code->isa->stack;
    unsigned stride = file->stride;

    emit_shift_imm(e, SHIFT_SHL, false, RCX, (unsigned)__builtin_ctz(stride));
    for (unsigned i = 0; i < STACK_REGISTERS; i++) {
        Mem mantissa = image_mem(IMAGE_REGISTERS + IMAGE_STRIDE * i), exponent = mantissa;
        Mem state = state_mem(file->offset), above = state;
        state.index = above.index = RCX;
        exponent.disp += 8;
        above.disp += 8;
        emit_load(e, 8, RAX, save ? mantissa : state);
        emit_load(e, 2, RDX, save ? exponent : above);
        emit_store(e, 8, save ? state : mantissa, RAX);
        emit_store(e, 2, save ? above : exponent, RDX);
        emit_alu_ri(e, ALU_ADD, false, RCX, (int32_t)stride);
        emit_alu_ri(e, ALU_AND, false, RCX, (int32_t)(STACK_REGISTERS * stride - 1));
    }
}

static const uint8_t used_by_stack[] = { RAX, RCX, RDX };

static const uint8_t *begin_stack(Emit *e)
{
    const uint8_t *at = e->at;

    for (size_t i = 0; i < G_N_ELEMENTS(used_by_stack); i++) {
        emit_push(e, used_by_stack[i]);
    }
    return at;
}

static void end_stack(Emit *e, unsigned live)
{
    emit_store_imm(e, 1, CPU_MEM(stack_live), (int32_t)live);
    for (size_t i = G_N_ELEMENTS(used_by_stack); i-- > 0;) {
        emit_pop(e, used_by_stack[i]);
    }
    emit_ret(e);
}

/* FNSAVE leaves the x87 as C expects it. */
static void make_save_stack(Code *code, Emit *e)
{
    const StackFile *file = &code->isa->stack;

    code->save_stack = begin_stack(e);
    emit_rm(e, X_FNSAVE, FNSAVE, image_mem(0));
    emit_load(e, 2, RAX, image_mem(IMAGE_TAGS)); /* both bits of a pair: empty */
    emit_mov(e, false, RDX, RAX);
    emit_shift_imm(e, SHIFT_SHR, false, RDX, 1);
    emit_alu_rr(e, ALU_AND, false, RAX, RDX);
    emit_rr(e, X_GROUP3_32, X_NOT, RAX);
    emit_alu_ri(e, ALU_AND, false, RAX, TAGS_EMPTY);
    spread_tags(e, true);
    emit_store(e, 1, state_mem(file->tags), RAX);
    emit_load(e, 2, RAX, image_mem(IMAGE_STATUS));
    emit_mov(e, false, RCX, RAX);
    emit_shift_imm(e, SHIFT_SHR, false, RCX, STATUS_TOP);
    emit_alu_ri(e, ALU_AND, false, RCX, STACK_REGISTERS - 1);
    emit_store(e, 1, state_mem(file->top), RCX);
    emit_alu_ri(e, ALU_AND, false, RAX, ~((STACK_REGISTERS - 1) << STATUS_TOP));
    emit_store(e, 2, state_mem(file->status), RAX);
    move_registers(code, e, true);
    end_stack(e, false);
}

static void make_load_stack(Code *code, Emit *e)
{
    const StackFile *file = &code->isa->stack;

    code->load_stack = begin_stack(e);
    emit_load(e, 2, RAX, state_mem(file->control));
    emit_store(e, 2, image_mem(IMAGE_CONTROL), RAX);
    emit_load(e, 1, RAX, state_mem(file->tags));
    emit_alu_ri(e, ALU_XOR, false, RAX, 0xff);
    spread_tags(e, false);
    emit_rm(e, X_LEA32, RAX, mem_indexed(RAX, RAX, 1, 0)); /* 1 becomes 3 */
    emit_store(e, 2, image_mem(IMAGE_TAGS), RAX);
    emit_load(e, 1, RCX, state_mem(file->top));
    emit_load(e, 2, RAX, state_mem(file->status));
    emit_mov(e, false, RDX, RCX);
    emit_shift_imm(e, SHIFT_SHL, false, RDX, STATUS_TOP);
    emit_alu_rr(e, ALU_OR, false, RAX, RDX);
    emit_store(e, 2, image_mem(IMAGE_STATUS), RAX);
    move_registers(code, e, false);
    emit_rm(e, X_FNSAVE, FRSTOR, image_mem(0));
    end_stack(e, true);
}

/* Jump over what follows unless the stack is live; to be patched. */
static uint8_t *unless_stack(Emit *e)
{
    emit_alu_mi(e, ALU_CMP, 1, CPU_MEM(stack_live), 0);
    return emit_jcc(e, CC_E, NULL);
}

/* All that is live goes to CPU state. */
static void make_save_all(Code *code, Emit *e)
{
    code->save_all = e->at;
    if (code->vectors) {
        uint8_t *none = unless_live(e);
        emit_call(e, code->save_vectors);
        emit_patch(none, e->at);
    }
    if (code->stack) {
        uint8_t *none = unless_stack(e);
        emit_call(e, code->save_stack);
        emit_patch(none, e->at);
    }
    emit_ret(e);
}

/* --- the way back */

/* Back to C with what RAX holds. */
static const uint8_t *make_exit(const Code *code, Emit *e)
{
    const uint8_t *at = e->at;

    emit_alu_mi(e, ALU_CMP, 2, CPU_MEM(vectors_live), 0);
    uint8_t *none = emit_jcc(e, CC_E, NULL);
    emit_call(e, code->save_all);
    emit_patch(none, e->at);
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

enum { KEPT = 8 * G_N_ELEMENTS(kept_by_slow), ALIGN = 8, RETURN = 8 };

static void push_kept(Emit *e)
{
    for (size_t i = 0; i < G_N_ELEMENTS(kept_by_slow); i++) {
        emit_push(e, kept_by_slow[i]);
    }
}

static void pop_kept(Emit *e)
{
    for (size_t i = G_N_ELEMENTS(kept_by_slow); i-- > 0;) {
        emit_pop(e, kept_by_slow[i]);
    }
}

/* Values stay; a word of room is at RSP. */
static void begin_call(Emit *e)
{
    push_kept(e);
    emit_alu_ri(e, ALU_SUB, true, RSP, ALIGN);
}

static void end_call(Emit *e)
{
    emit_alu_ri(e, ALU_ADD, true, RSP, ALIGN);
    pop_kept(e);
}

static Mem frame_argument(void)
{
    return mem_at(RSP, ALIGN + KEPT + RETURN + FRAME_ARGUMENT);
}

/* Call slow_access(); its result in RAX, and whether it worked in EDX. */
static void call_slow(Emit *e)
{
    begin_call(e);
    emit_load(e, 8, R8, frame_argument());
    emit_rm(e, X_LEA64, RDI, mem_at(REG_CPU, -STATE_BIAS));
    emit_mov(e, true, RSI, RCX);
    emit_mov(e, false, RCX, RAX);
    emit_mov_imm(e, RAX, (uintptr_t)slow_access);
    emit_call_reg(e, RAX);
    end_call(e);
    emit_rr(e, X_TEST32, RDX, RDX);
}

/* The same with something live, which comes back unless it faults. */
static void call_slow_with_live(const Code *code, Emit *e, const uint8_t *vectors, bool stack)
{
    emit_call(e, code->save_all);
    call_slow(e);
    uint8_t *fault = emit_jcc(e, CC_E, NULL);
    if (vectors) {
        emit_call(e, vectors);
    }
    if (stack) {
        emit_call(e, code->load_stack);
    }
    emit_rr(e, X_TEST32, RSP, RSP); /* not 0: it worked */
    emit_patch(fault, e->at);
    emit_ret(e);
}

/* Whatever vectors are. */
static void slow_by_vectors(const Code *code, Emit *e, bool stack)
{
    if (code->vectors) {
        uint8_t *none = unless_live(e), *wide = NULL;
        if (code->wide) {
            wide = if_live(e, CC_E, LIVE_WIDE);
        }
        call_slow_with_live(code, e, code->load_vectors, stack);
        if (code->wide) {
            emit_patch(wide, e->at);
            call_slow_with_live(code, e, code->load_wide, stack);
        }
        emit_patch(none, e->at);
    }
    if (stack) {
        call_slow_with_live(code, e, NULL, true);
    } else {
        call_slow(e);
        emit_ret(e);
    }
}

/* Call quick_access() with vectors and stack as they are; go on behind this if that was not enough,
 * with the arguments as they were. */
static void try_quick(Emit *e)
{
    static const uint8_t arguments[] = { RCX, RDX, RAX };

    push_kept(e);
    for (size_t i = 0; i < G_N_ELEMENTS(arguments); i++) {
        emit_push(e, arguments[i]);
    }
    emit_rm(e, X_LEA64, RDI, mem_at(REG_CPU, -STATE_BIAS));
    emit_mov(e, true, RSI, RCX);
    emit_mov(e, false, RCX, RAX);
    emit_mov_imm(e, RAX, (uintptr_t)quick_access);
    emit_call_reg(e, RAX);
    emit_rr(e, X_TEST32, RDX, RDX);
    uint8_t *no = emit_jcc(e, CC_E, NULL);
    emit_alu_ri(e, ALU_ADD, true, RSP, 8 * G_N_ELEMENTS(arguments));
    pop_kept(e);
    emit_rr(e, X_TEST32, RSP, RSP); /* not 0: it worked */
    emit_ret(e);
    emit_patch(no, e->at);
    for (size_t i = G_N_ELEMENTS(arguments); i-- > 0;) {
        emit_pop(e, arguments[i]);
    }
    pop_kept(e);
}
_Static_assert((RETURN + KEPT + 8 * 3) % 16 == 0, "C wants the stack aligned");

/* RCX gva, RDX operand, EAX word, the second operand in the frame.  The result in RAX; ZF: it
 * faulted, and RAX is the word. */
static void make_slow(Code *code, Emit *e)
{
    code->slow = e->at;
    if (!code->check) { /* that wants to see each access */
        try_quick(e);
    }
    if (code->stack) {
        uint8_t *none = unless_stack(e);
        slow_by_vectors(code, e, true);
        emit_patch(none, e->at);
    }
    slow_by_vectors(code, e, false);
}

/* Load vectors as the word at RSP says they were. */
static void restore_vectors(const Code *code, Emit *e, unsigned live, const uint8_t *load)
{
    emit_alu_mi(e, ALU_CMP, 1, mem_at(RSP, 0), (int32_t)live);
    uint8_t *other = emit_jcc(e, CC_NE, NULL);
    emit_call(e, load);
    emit_patch(other, e->at);
}

/* A helper for which the stack is live: RAX the function, its first argument in the frame, RDX and
 * RCX the others.  ZF: it faulted. */
static void make_slow_stack(Code *code, Emit *e)
{
    code->slow_stack = e->at;
    begin_call(e);
    emit_load(e, 1, RSI, CPU_MEM(vectors_live));
    emit_store(e, 8, mem_at(RSP, 0), RSI);
    emit_call(e, code->save_all);
    emit_load(e, 8, RSI, frame_argument());
    emit_rm(e, X_LEA64, RDI, mem_at(REG_CPU, -STATE_BIAS));
    emit_call_reg(e, RAX);
    emit_alu_mi(e, ALU_CMP, 1, CPU_MEM(fault), FAULT_NONE);
    uint8_t *fault = emit_jcc(e, CC_NE, NULL);
    if (code->vectors) {
        restore_vectors(code, e, LIVE_LOW, code->load_vectors);
    }
    if (code->wide) {
        restore_vectors(code, e, LIVE_WIDE, code->load_wide);
    }
    emit_call(e, code->load_stack);
    end_call(e);
    emit_rr(e, X_TEST32, RSP, RSP); /* not 0 */
    emit_ret(e);
    emit_patch(fault, e->at);
    end_call(e);
    emit_alu_rr(e, ALU_CMP, false, RSP, RSP);
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
    if (code->stack) {
        make_save_stack(code, &e);
        make_load_stack(code, &e);
    }
    make_save_all(code, &e);
    const uint8_t *exit = make_exit(code, &e);
    code->exit_next = make_plain_exit(&e, CODE_NEXT, exit);
    code->unknown.code = code_to_rx(code, code->exit_next);
    code->exit_stop = make_plain_exit(&e, CODE_STOP, exit);
    for (unsigned slot = 0; slot < IR_EXIT_SLOTS; slot++) {
        code->exit_link[slot] = make_word_exit(&e, CODE_LINK + CODE_SLOT * slot, exit);
    }
    code->exit_attention = make_word_exit(&e, CODE_ATTENTION, exit);
    code->exit_fault = make_word_exit(&e, CODE_FAULT, exit);
    make_slow(code, &e);
    if (code->stack) {
        make_slow_stack(code, &e);
    }
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
    code->stack = isa->stack.stride != 0;
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

void code_expect_use(Code *code)
{
    enum { AHEAD = 256 << 10, BLOCK = 64 << 10 };

    if (code->used + BLOCK > code->ready && code->ready < code->mapped) {
        size_t len = MIN(AHEAD, code->mapped - code->ready);
        madvise(code->rw + code->ready, len, MADV_POPULATE_WRITE);
        madvise((void *)(uintptr_t)(code->rx + code->ready), len, MADV_POPULATE_READ);
        code->ready += len;
    }
}

void code_unmap_written(Code *code)
{
    enum { STEP = 8 << 20 };

    if (code->used / STEP > code->unmapped / STEP) {
        code->unmapped = code->used;
        madvise(code->rw, align_down(code->used, PAGE_SIZE), MADV_DONTNEED);
    }
}
