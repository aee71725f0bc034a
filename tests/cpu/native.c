/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The native side of the differential test, see diff.h.
 *
 * A child process runs a whole batch inside its signal handler: each sequence is entered by
 * returning from a signal with its registers in the frame, and its end (INT3, or a fault) is the
 * next signal.  The first one is raised by hand; the last one returns to where that was.
 *
 * This file is built without stack protector: the handler runs with the test's registers around.
 *
 * Threads: the child has one.
 */
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "common/bits.h"
#include "diff.h"

enum { STACK_SIZE = 64 * 1024 };

/* Offset in the frame's FPU state of the mask of what it holds. */
enum { XSTATE_HEADER = 512, XSTATE_UPPER = 576, XSTATE_HAS_UPPER = 4 };

/* What the signal handler needs; as it has no argument of ours, at a fixed address. */
typedef struct Native {
    DiffBatch batch; /* first: what native_batch_new() gives out */
    int position;    /* of the sequence that runs; -1: none yet */
    mcontext_t resume;
    uint8_t resume_fpu[DIFF_FXSAVE];
} Native;

static Native *the_native(void)
{
    return (Native *)UINT64_C(0x6f0000000000);
}

/* Our register numbers in the order of the kernel's frame. */
static const int frame_reg[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                   REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                   REG_R12, REG_R13, REG_R14, REG_R15 };

/* The upper halves of YMM registers in the frame, of the standard format; NULL: none are. */
static uint8_t *upper_of(const mcontext_t *frame)
{
    enum { MAGIC = 464, FEATURES = 472, MAGIC_VALUE = 0x46505853 };
    uint8_t *area = (uint8_t *)frame->fpregs;
    bool has =
        load_le32(area + MAGIC) == MAGIC_VALUE && (load_le64(area + FEATURES) & XSTATE_HAS_UPPER);

    return has ? area + XSTATE_UPPER : NULL;
}

static void save(const mcontext_t *frame, DiffState *state)
{
    const uint64_t *header = (const uint64_t *)((const uint8_t *)frame->fpregs + XSTATE_HEADER);
    const uint8_t *upper = upper_of(frame);

    for (unsigned i = 0; i < 16; i++) {
        state->gpr[i] = (uint64_t)frame->gregs[frame_reg[i]];
    }
    state->rip = (uint64_t)frame->gregs[REG_RIP];
    state->rflags = (uint64_t)frame->gregs[REG_EFL];
    state->vector = (uint32_t)frame->gregs[REG_TRAPNO];
    state->error_code = (uint32_t)frame->gregs[REG_ERR];
    state->cr2 = (uint64_t)frame->gregs[REG_CR2];
    memcpy(state->fxsave, frame->fpregs, DIFF_FXSAVE);
    memset(state->upper, 0, DIFF_UPPER);
    if (upper && (*header & XSTATE_HAS_UPPER)) {
        memcpy(state->upper, upper, DIFF_UPPER);
    }
}

static void load(mcontext_t *frame, const DiffState *state, X86Mode mode)
{
    uint64_t *header = (uint64_t *)((uint8_t *)frame->fpregs + XSTATE_HEADER);
    uint64_t cs = mode == X86_MODE64 ? DIFF_CS64 : DIFF_CS32;

    for (unsigned i = 0; i < 16; i++) {
        frame->gregs[frame_reg[i]] = (greg_t)state->gpr[i];
    }
    frame->gregs[REG_RIP] = (greg_t)state->rip;
    frame->gregs[REG_EFL] = (greg_t)state->rflags;
    frame->gregs[REG_CSGSFS] = (greg_t)(cs | (uint64_t)DIFF_DS << 48);
    memcpy(frame->fpregs, state->fxsave, DIFF_FXSAVE);
    *header |= 3; /* x87 and SSE are in use */
    uint8_t *upper = upper_of(frame);
    if (upper) {
        memcpy(upper, state->upper, DIFF_UPPER);
        *header |= XSTATE_HAS_UPPER;
    }
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    mcontext_t *frame = &uc->uc_mcontext;
    Native *native = the_native();
    DiffBatch *batch = &native->batch;

    if (native->position < 0) {
        memcpy(&native->resume, frame, sizeof(native->resume));
        memcpy(native->resume_fpu, frame->fpregs, DIFF_FXSAVE);
    } else {
        DiffSequence *done = &batch->sequence[native->position];
        save(frame, &done->native);
        memcpy(done->native_data, (const void *)DIFF_DATA, DIFF_DATA_SIZE);
        batch->done = (unsigned)native->position + 1;
    }
    native->position++;
    if ((unsigned)native->position < batch->n) {
        const DiffSequence *next = &batch->sequence[native->position];
        memcpy((void *)DIFF_DATA, batch->data, DIFF_DATA_SIZE);
        load(frame, &next->in, next->mode);
        return;
    }
    memcpy(frame->gregs, native->resume.gregs, sizeof(frame->gregs));
    memcpy(frame->fpregs, native->resume_fpu, DIFF_FXSAVE);
}

static void *map_at(uint64_t address, size_t size, int protection)
{
    void *at = mmap((void *)address, size, protection,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    if (at == MAP_FAILED) {
        _exit(2);
    }
    return at;
}

static void catch_signals(void)
{
    static const int signals[] = { SIGUSR1, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
    struct sigaction action = { .sa_sigaction = on_signal,
                                .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
    stack_t stack = { .ss_size = STACK_SIZE };

    stack.ss_sp =
        mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigaltstack(&stack, NULL);
    sigfillset(&action.sa_mask);
    for (unsigned i = 0; i < G_N_ELEMENTS(signals); i++) {
        sigaction(signals[i], &action, NULL);
    }
}

/* A code segment for 32-bit code: kernels may lack one of their own. */
static bool make_code32(void)
{
    struct user_desc segment = { .entry_number = DIFF_CS32 >> 3,
                                 .limit = 0xfffff,
                                 .seg_32bit = 1,
                                 .contents = MODIFY_LDT_CONTENTS_CODE,
                                 .limit_in_pages = 1,
                                 .useable = 1 };

    return syscall(SYS_modify_ldt, 1, &segment, sizeof(segment)) == 0;
}

/* Nothing of ours below 4 GiB, where sequences look around. */
static void empty_low_memory(void)
{
    const uint64_t first = 0x10000, end = UINT64_C(1) << 32;

    munmap((void *)first, end - first);
}

static void run_in_child(DiffBatch *batch)
{
    size_t code_size = (size_t)DIFF_BATCH * DIFF_SLOT;
    empty_low_memory();
    uint8_t *code = map_at(DIFF_CODE, code_size, PROT_READ | PROT_WRITE);

    map_at(DIFF_DATA, DIFF_DATA_SIZE, PROT_READ | PROT_WRITE);
    memset(code, DIFF_END, code_size);
    for (unsigned i = 0; i < batch->n; i++) {
        memcpy(code + (size_t)i * DIFF_SLOT, batch->sequence[i].code, DIFF_SLOT);
    }
    mprotect(code, code_size, PROT_READ | PROT_EXEC);
    make_code32();
    syscall(SYS_arch_prctl, ARCH_SET_GS, (unsigned long)DIFF_GS_BASE);
    /* 32-bit code needs data segments */
    __asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"(DIFF_DS));
    catch_signals();
    the_native()->position = -1;
    alarm(60);
    raise(SIGUSR1);
    _exit((unsigned)the_native()->position == batch->n ? 0 : 3);
}

DiffBatch *native_batch_new(void)
{
    Native *native = mmap(the_native(), sizeof(Native), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    g_assert_true(native == the_native());
    return &native->batch;
}

void native_batch_free(DiffBatch *batch)
{
    munmap(container_of(batch, Native, batch), sizeof(Native));
}

bool native_run(DiffBatch *batch)
{
    int status;

    batch->done = 0;
    pid_t child = fork();
    g_assert_cmpint(child, >=, 0);
    if (child == 0) {
        run_in_child(batch);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool native_has_code32(DiffBatch *batch)
{
    DiffSequence *only = &batch->sequence[0];

    batch->n = 1;
    memset(only, 0, sizeof(*only));
    memset(only->code, DIFF_END, DIFF_SLOT);
    only->mode = X86_MODE32;
    only->in.rip = DIFF_CODE;
    only->in.rflags = 0x202;
    only->in.fxsave[24 + 1] = 0x1f; /* MXCSR */
    return native_run(batch) && only->native.vector == 3;
}
