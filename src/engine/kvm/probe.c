/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether KVM can be used here: /dev/kvm opens, makes a VM, and is fast.
 *
 * On some hosts /dev/kvm works and yet runs each instruction of ring 0 in an emulator, a hundred
 * times slower than our own translator.  So a forked child runs a short loop in a vCPU of its own
 * and the parent watches: the guest counts its rounds in a page that both share, and the child is
 * killed when the time is up.  The caller may have threads, so the child only makes system calls.
 *
 * Threads: any.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/kvm/internal.h"
#include "engine/x86/registers.h"

enum { PAGE = 4096, CODE_GPA = 0, COUNTER_GPA = 0x800 };

/* A guest that runs fewer instructions a second than this is better off with the translator. */
#define FAST_MIPS 100.0

/* The child must have made its VM in SETUP_MS; the guest may run for RUN_MS. */
enum { SETUP_MS = 60, RUN_MS = 25 };

/* What child and parent share.  A page of its own, behind the guest's. */
typedef struct Report {
    int stage; /* atomic: ProbeStage */
    int error; /* errno of a stage that failed */
    uint64_t start_ns, end_ns;
} Report;

typedef enum ProbeStage {
    STAGE_SETUP,
    STAGE_RUNNING,
    STAGE_DONE,
    STAGE_REFUSED,
} ProbeStage;

/* 10 instructions a round, one of which counts the round; 32-bit code. */
static const uint8_t loop_code[] = {
    0xb9, 0x10, 0x27, 0x00, 0x00,       /*    mov ecx, 10000            */
    0x01, 0xc8, 0x31, 0xc3, 0x01, 0xda, /* 1: add eax, ecx; xor ebx, eax; add edx, ebx */
    0x89, 0xd6, 0xc1, 0xee, 0x03,       /*    mov esi, edx; shr esi, 3  */
    0x01, 0xf7, 0x31, 0xf8,             /*    add edi, esi; xor eax, edi */
    0xff, 0x05, 0x00, 0x08, 0x00, 0x00, /*    inc dword [0x800]         */
    0x49,                               /*    dec ecx                   */
    0x75, 0xe8,                         /*    jnz 1b                    */
    0xe6, 0xf4,                         /*    out 0xf4, al              */
};

enum { ROUNDS = 10000, ROUND_INSTRUCTIONS = 10 };

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* ---- the child: system calls only ---- */

static bool set_registers(int vcpu)
{
    struct kvm_sregs special;
    struct kvm_regs regs = { .rip = CODE_GPA, .rflags = X86_RFLAGS_FIXED };
    const struct kvm_segment code = {
        .limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .db = 1, .s = 1, .g = 1
    };
    struct kvm_segment data = code;

    data.selector = 16;
    data.type = 3;
    if (ioctl(vcpu, KVM_GET_SREGS, &special) < 0) {
        return false;
    }
    special.cr0 |= X86_CR0_PE;
    special.cs = code;
    special.ds = special.es = special.fs = special.gs = special.ss = data;
    return ioctl(vcpu, KVM_SET_SREGS, &special) >= 0 && ioctl(vcpu, KVM_SET_REGS, &regs) >= 0;
}

/* A VM with the page @guest at 0 and a vCPU at the loop; its file, or -1. */
static int make_vcpu(int kvm, void *guest)
{
    struct kvm_userspace_memory_region slot = { .memory_size = PAGE,
                                                .userspace_addr = (uintptr_t)guest };
    uint64_t identity = 0xfeffc000;
    int vm = ioctl(kvm, KVM_CREATE_VM, 0);

    if (vm < 0 || ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0 ||
        ioctl(vm, KVM_SET_TSS_ADDR, 0xfeffd000) < 0 ||
        ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot) < 0) {
        return -1;
    }
    int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    return vcpu >= 0 && set_registers(vcpu) ? vcpu : -1;
}

static void run_child(int kvm, void *guest, Report *report, int done_fd)
{
    int vcpu = make_vcpu(kvm, guest);
    ProbeStage stage = STAGE_REFUSED;

    if (vcpu >= 0) {
        report->start_ns = now_ns();
        __atomic_store_n(&report->stage, STAGE_RUNNING, __ATOMIC_RELEASE);
        if (ioctl(vcpu, KVM_RUN, 0) >= 0) {
            report->end_ns = now_ns();
            stage = STAGE_DONE;
        }
    }
    report->error = errno;
    __atomic_store_n(&report->stage, stage, __ATOMIC_RELEASE);
    ssize_t written = write(done_fd, "x", 1);
    (void)written;
    _exit(0);
}

/* ---- the parent ---- */

static void wait_for_child(int done_fd, const Report *report)
{
    struct pollfd poll_fd = { .fd = done_fd, .events = POLLIN };

    for (int waited_ms = 0; waited_ms < SETUP_MS + RUN_MS; waited_ms++) {
        if (poll(&poll_fd, 1, 1) != 0) {
            return;
        }
        if (__atomic_load_n(&report->stage, __ATOMIC_ACQUIRE) == STAGE_RUNNING &&
            now_ns() - report->start_ns > RUN_MS * UINT64_C(1000000)) {
            return;
        }
    }
}

/* Millions of instructions a second from what the guest got done. */
static double measured_mips(const Report *report, const uint8_t *guest, uint64_t seen_ns)
{
    uint32_t rounds;
    uint64_t end_ns = report->end_ns ? report->end_ns : seen_ns;

    memcpy(&rounds, guest + COUNTER_GPA, sizeof(rounds));
    double ns = (double)MAX(end_ns - report->start_ns, 1);
    return (double)MIN(rounds, ROUNDS) * ROUND_INSTRUCTIONS * 1000.0 / ns;
}

/* How fast a guest runs, in millions of instructions a second; negative and why if not at all. */
static double measure(int kvm, uint8_t *shared, char **ret_why)
{
    Report *report = (Report *)(shared + PAGE);
    int done[2];

    memcpy(shared + CODE_GPA, loop_code, sizeof(loop_code));
    if (pipe2(done, O_CLOEXEC) < 0) {
        *ret_why = g_strdup_printf("cannot make a pipe: %s", g_strerror(errno));
        return -1;
    }
    pid_t child = fork();
    if (child == 0) {
        run_child(kvm, shared, report, done[1]);
    }
    if (child < 0) {
        *ret_why = g_strdup_printf("cannot fork: %s", g_strerror(errno));
        close(done[0]);
        close(done[1]);
        return -1;
    }
    wait_for_child(done[0], report);
    uint64_t seen_ns = now_ns();
    int stage = __atomic_load_n(&report->stage, __ATOMIC_ACQUIRE);
    kill(child, SIGKILL);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    close(done[0]);
    close(done[1]);
    if (stage == STAGE_REFUSED) {
        *ret_why = g_strdup_printf("KVM cannot run a guest: %s", g_strerror(report->error));
        return -1;
    }
    return stage == STAGE_SETUP ? 0 : measured_mips(report, shared, seen_ns);
}

/* @ret_fast: whether it is worth using.  Returns whether it works at all. */
static bool probe(bool *ret_fast, char **ret_reason)
{
    char *why = NULL;
    int kvm = kvm_open(&why);

    *ret_fast = false;
    if (kvm < 0) {
        *ret_reason = why;
        return false;
    }
    uint8_t *shared =
        mmap(NULL, PAGE * 2, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        *ret_reason = g_strdup_printf("cannot test KVM: %s", g_strerror(errno));
        close(kvm);
        return false;
    }
    double mips = measure(kvm, shared, &why);
    munmap(shared, PAGE * 2);
    close(kvm);
    *ret_fast = mips >= FAST_MIPS;
    if (mips < 0) {
        *ret_reason = why;
    } else if (*ret_fast) {
        *ret_reason =
            g_strdup_printf("KVM runs kernel code at full speed (%.0f MIPS measured)", mips);
    } else {
        *ret_reason =
            g_strdup_printf("KVM answers but emulates each instruction (%.1f MIPS)", mips);
    }
    return mips >= 0;
}

bool kvm_probe(char **ret_reason)
{
    bool fast;

    return probe(&fast, ret_reason) && fast;
}

bool kvm_probe_asked(char **ret_reason)
{
    bool fast;
    bool works = probe(&fast, ret_reason);

    if (works && !fast) {
        char *reason = g_strdup_printf("%s: expect it to be slow", *ret_reason);
        g_free(*ret_reason);
        *ret_reason = reason;
    }
    return works;
}
