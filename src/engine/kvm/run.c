/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vCPU of KVM: the run loop and what the kernel comes back with.
 *
 * Attention without a lost wake-up: whoever wants it writes its reason (kicked, nmi, vm->extint),
 * then run->immediate_exit, then sends a signal to the thread inside vcpu_run.  The loop clears
 * immediate_exit first and reads the reasons after.  So a reason that comes later than the look
 * finds immediate_exit set when the guest is entered, or the signal ends it.  The handler of the
 * signal does nothing; SA_RESTART keeps it from disturbing a device that happens to run.
 *
 * An access to registers is complete only when the vCPU has been entered again, so before
 * vcpu_run returns for a kick, an entry with immediate_exit set finishes it: state is then at an
 * instruction boundary (or between two repetitions of a string instruction).
 *
 * Threads: the vCPU's own, but for kick, nudge and nmi: any, also with device locks held.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/bits.h"
#include "common/error.h"
#include "engine/kvm/internal.h"

/* The signal that ends KVM_RUN. */
static int nudge_signal(void)
{
    return SIGRTMIN;
}

static void on_nudge(int number)
{
}

void kvm_nudge_prepare(void)
{
    struct sigaction action = { .sa_handler = on_nudge, .sa_flags = SA_RESTART };

    sigemptyset(&action.sa_mask);
    sigaction(nudge_signal(), &action, NULL);
}

static pid_t this_thread(void)
{
    return (pid_t)syscall(SYS_gettid);
}

void kvm_vcpu_nudge(EngineVcpu *vcpu)
{
    __atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    pid_t tid = __atomic_load_n(&vcpu->tid, __ATOMIC_SEQ_CST);
    if (tid && tid != this_thread()) {
        syscall(SYS_tgkill, getpid(), tid, nudge_signal());
    }
}

void kvm_vcpu_kick(EngineVcpu *vcpu)
{
    __atomic_store_n(&vcpu->kicked, 1, __ATOMIC_SEQ_CST);
    kvm_vcpu_nudge(vcpu);
}

/* KVM_NMI waits for the vCPU to leave the guest, so its own thread does that. */
void kvm_vcpu_nmi(EngineVcpu *vcpu)
{
    __atomic_store_n(&vcpu->nmi, 1, __ATOMIC_SEQ_CST);
    kvm_vcpu_nudge(vcpu);
}

void kvm_vcpu_take_nmi(EngineVcpu *vcpu)
{
    if (__atomic_exchange_n(&vcpu->nmi, 0, __ATOMIC_SEQ_CST)) {
        kvm_ioctl(vcpu->fd, KVM_NMI, NULL);
    }
}

void kvm_vcpu_stats(EngineVcpu *vcpu, VcpuStats *ret_stats)
{
    *ret_stats = (VcpuStats){ .exits = __atomic_load_n(&vcpu->exits, __ATOMIC_RELAXED) };
}

/* The vCPU's file: vCPU 0's was made with the VM. */
static int take_fd(EngineVm *vm, unsigned index)
{
    if (index == 0 && vm->vcpu0_fd >= 0) {
        int fd = vm->vcpu0_fd;
        vm->vcpu0_fd = -1;
        return fd;
    }
    return kvm_ioctl(vm->fd, KVM_CREATE_VCPU, (void *)(uintptr_t)index);
}

EngineVcpu *kvm_vcpu_new(EngineVm *vm, unsigned index, GError **error)
{
    g_assert(index < vm->config.cpus && !vm->vcpu[index]);
    int fd = take_fd(vm, index);
    if (fd < 0) {
        set_error_code(error, INSULA_ERROR_HOST, "KVM refuses vCPU %u: %s", index, g_strerror(-fd));
        return NULL;
    }
    void *run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (run == MAP_FAILED) {
        set_error_errno(error, errno, "cannot map vCPU %u", index);
        close(fd);
        return NULL;
    }
    EngineVcpu *vcpu = g_new0(EngineVcpu, 1);
    vcpu->vm = vm;
    vcpu->index = index;
    vcpu->fd = fd;
    vcpu->run = run;
    vcpu->window_unknown = true;
    if (!kvm_cpuid_set(vcpu, error) || !kvm_vcpu_reset(vcpu, error)) {
        kvm_vcpu_free(vcpu);
        return NULL;
    }
    kvm_time_vcpu_init(vcpu);
    __atomic_store_n(&vm->vcpu[index], vcpu, __ATOMIC_SEQ_CST);
    return vcpu;
}

void kvm_vcpu_free(EngineVcpu *vcpu)
{
    __atomic_store_n(&vcpu->vm->vcpu[vcpu->index], NULL, __ATOMIC_SEQ_CST);
    munmap(vcpu->run, vcpu->vm->run_size);
    close(vcpu->fd);
    g_free(vcpu);
}

/* Enter the guest; 0, or -errno.  -EINTR and -EAGAIN mean: look around and enter again. */
static int enter(EngineVcpu *vcpu)
{
    int result = ioctl(vcpu->fd, KVM_RUN, 0) < 0 ? -errno : 0;

    vcpu->window_unknown = false;
    __atomic_fetch_add(&vcpu->exits, 1, __ATOMIC_RELAXED);
    return result;
}

static void G_GNUC_PRINTF(2, 3) fail(VcpuExit *exit, const char *format, ...)
{
    va_list arguments;

    exit->reason = VCPU_EXIT_ERROR;
    va_start(arguments, format);
    vsnprintf(exit->message, sizeof(exit->message), format, arguments);
    va_end(arguments);
}

/* ---- exits: each returns true if vcpu_run must return with *exit ---- */

typedef bool (*ExitHandler)(EngineVcpu *vcpu, VcpuExit *exit);

static bool on_io(EngineVcpu *vcpu, VcpuExit *exit)
{
    struct kvm_run *run = vcpu->run;
    GuestMemory *memory = vcpu->vm->config.memory;
    uint8_t *data = (uint8_t *)run + run->io.data_offset;
    unsigned size = run->io.size;

    for (uint32_t i = 0; i < run->io.count; i++, data += size) {
        if (run->io.direction == KVM_EXIT_IO_OUT) {
            uint64_t value = 0;
            memcpy(&value, data, size);
            gm_pio_write(memory, run->io.port, value, size);
        } else {
            uint64_t value = gm_pio_read(memory, run->io.port, size);
            memcpy(data, &value, size);
        }
    }
    vcpu->unfinished = true;
    return false;
}

/* The kernel cuts an access at a page's end, so any length up to 8 may come. */
static bool on_mmio(EngineVcpu *vcpu, VcpuExit *exit)
{
    struct kvm_run *run = vcpu->run;
    GuestMemory *memory = vcpu->vm->config.memory;
    unsigned len = MIN(run->mmio.len, sizeof(run->mmio.data));

    for (unsigned done = 0, size; done < len; done += size) {
        uint64_t gpa = run->mmio.phys_addr + done;
        uint8_t *data = run->mmio.data + done;
        uint64_t value = 0;
        for (size = 8; size > len - done;) {
            size /= 2;
        }
        if (run->mmio.is_write) {
            memcpy(&value, data, size);
            gm_mmio_write(memory, gpa, value, size);
        } else {
            value = gm_mmio_read(memory, gpa, size);
            memcpy(data, &value, size);
        }
    }
    vcpu->unfinished = true;
    return false;
}

static bool on_ioapic_eoi(EngineVcpu *vcpu, VcpuExit *exit)
{
    const EngineHooks *hooks = &vcpu->vm->config.hooks;

    if (hooks->ioapic_eoi) {
        hooks->ioapic_eoi(hooks->opaque, vcpu->run->eoi.vector);
    }
    return false;
}

static bool on_nothing(EngineVcpu *vcpu, VcpuExit *exit)
{
    return false;
}

static bool on_shutdown(EngineVcpu *vcpu, VcpuExit *exit)
{
    exit->reason = VCPU_EXIT_SHUTDOWN;
    return true;
}

static bool on_debug(EngineVcpu *vcpu, VcpuExit *exit)
{
    kvm_debug_exit(vcpu, exit);
    return true;
}

static bool on_system_event(EngineVcpu *vcpu, VcpuExit *exit)
{
    uint32_t type = vcpu->run->system_event.type;

    if (type == KVM_SYSTEM_EVENT_SHUTDOWN || type == KVM_SYSTEM_EVENT_RESET ||
        type == KVM_SYSTEM_EVENT_CRASH) {
        exit->reason = VCPU_EXIT_SHUTDOWN;
    } else {
        fail(exit, "KVM reports a system event of unknown type %u", type);
    }
    return true;
}

static bool on_fail_entry(EngineVcpu *vcpu, VcpuExit *exit)
{
    fail(exit, "the host's CPU refuses to enter the guest (hardware reason %llx, CPU %u)",
         (unsigned long long)vcpu->run->fail_entry.hardware_entry_failure_reason,
         vcpu->run->fail_entry.cpu);
    return true;
}

/* Bytes of the instruction that KVM could not emulate, if it says which. */
static void print_instruction(const struct kvm_run *run, char *text, size_t size)
{
    unsigned n = MIN(run->emulation_failure.insn_size, sizeof(run->emulation_failure.insn_bytes));

    text[0] = '\0';
    if (run->emulation_failure.ndata < 3 ||
        !(run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES)) {
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        size_t used = strlen(text);
        snprintf(text + used, size - used, " %02x", run->emulation_failure.insn_bytes[i]);
    }
}

static bool on_internal_error(EngineVcpu *vcpu, VcpuExit *exit)
{
    static const char *const names[] = {
        [KVM_INTERNAL_ERROR_EMULATION] = "cannot emulate an instruction",
        [KVM_INTERNAL_ERROR_SIMUL_EX] = "two exceptions at once",
        [KVM_INTERNAL_ERROR_DELIVERY_EV] = "an exit while delivering an event",
        [KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON] = "an unexpected exit of the CPU",
    };
    uint32_t suberror = vcpu->run->internal.suberror;
    const char *name = suberror < G_N_ELEMENTS(names) ? names[suberror] : NULL;
    char bytes[64] = "";
    struct kvm_regs regs = { 0 };

    if (suberror == KVM_INTERNAL_ERROR_EMULATION) {
        print_instruction(vcpu->run, bytes, sizeof(bytes));
    }
    kvm_ioctl(vcpu->fd, KVM_GET_REGS, &regs);
    fail(exit, "KVM gives up: %s (%u) at rip %llx%s%s", name ? name : "unknown error", suberror,
         (unsigned long long)regs.rip, bytes[0] ? ", bytes" : "", bytes);
    return true;
}

static const ExitHandler handlers[] = {
    [KVM_EXIT_IO] = on_io,
    [KVM_EXIT_MMIO] = on_mmio,
    [KVM_EXIT_IOAPIC_EOI] = on_ioapic_eoi,
    [KVM_EXIT_IRQ_WINDOW_OPEN] = on_nothing,
    [KVM_EXIT_INTR] = on_nothing,
    [KVM_EXIT_SHUTDOWN] = on_shutdown,
    [KVM_EXIT_DEBUG] = on_debug,
    [KVM_EXIT_SYSTEM_EVENT] = on_system_event,
    [KVM_EXIT_FAIL_ENTRY] = on_fail_entry,
    [KVM_EXIT_INTERNAL_ERROR] = on_internal_error,
};

static bool handle(EngineVcpu *vcpu, VcpuExit *exit)
{
    uint32_t reason = vcpu->run->exit_reason;
    ExitHandler handler = reason < G_N_ELEMENTS(handlers) ? handlers[reason] : NULL;

    if (!handler) {
        fail(exit, "KVM comes back for a reason that this program doesn't know: %u", reason);
        return true;
    }
    return handler(vcpu, exit);
}

/* ---- the loop ---- */

/* Complete an access to registers.  Returns true if something else came up that *exit tells. */
static bool finish_access(EngineVcpu *vcpu, VcpuExit *exit)
{
    while (vcpu->unfinished) {
        vcpu->unfinished = false;
        __atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
        int result = enter(vcpu);
        if (result == 0 && handle(vcpu, exit)) {
            return true;
        }
    }
    return false;
}

/* Hand the 8259s' interrupt to the kernel, or ask to hear when it can be taken.  Returns true if
 * the kernel hasn't said yet whether it can: a halted vCPU would sleep on, so the next entry must
 * come back at once. */
static bool offer_extint(EngineVcpu *vcpu)
{
    EngineVm *vm = vcpu->vm;
    const EngineHooks *hooks = &vm->config.hooks;

    vcpu->run->request_interrupt_window = 0;
    if (vcpu->index != 0 || !__atomic_load_n(&vm->extint, __ATOMIC_SEQ_CST)) {
        return false;
    }
    if (vcpu->window_unknown) {
        return true;
    }
    if (vcpu->run->ready_for_interrupt_injection && hooks->extint_ack) {
        int vector = hooks->extint_ack(hooks->opaque);
        if (vector >= 0) {
            kvm_vcpu_take_extint(vcpu, (uint8_t)vector);
        }
    }
    vcpu->run->request_interrupt_window = (uint8_t)__atomic_load_n(&vm->extint, __ATOMIC_SEQ_CST);
    return false;
}

/* The nudge must reach this thread while it is in the guest. */
static void prepare_thread(EngineVcpu *vcpu)
{
    pid_t tid = this_thread();
    sigset_t set;

    if (vcpu->ready_tid != tid) {
        sigemptyset(&set);
        sigaddset(&set, nudge_signal());
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
        vcpu->ready_tid = tid;
    }
    __atomic_store_n(&vcpu->tid, tid, __ATOMIC_SEQ_CST);
}

static void run_until_exit(EngineVcpu *vcpu, VcpuExit *exit)
{
    for (;;) {
        __atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
        if (__atomic_exchange_n(&vcpu->kicked, 0, __ATOMIC_SEQ_CST)) {
            exit->reason = VCPU_EXIT_KICKED;
            return;
        }
        kvm_vcpu_take_nmi(vcpu);
        if (offer_extint(vcpu)) {
            __atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
        }
        vcpu->unfinished = false;
        int result = enter(vcpu);
        if (result == -EINTR || result == -EAGAIN) {
            continue;
        }
        if (result < 0) {
            fail(exit, "KVM cannot run vCPU %u: %s", vcpu->index, g_strerror(-result));
            return;
        }
        if (handle(vcpu, exit)) {
            return;
        }
    }
}

void kvm_vcpu_run(EngineVcpu *vcpu, VcpuExit *exit)
{
    memset(exit, 0, sizeof(*exit));
    prepare_thread(vcpu);
    kvm_time_enter(vcpu);
    run_until_exit(vcpu, exit);
    if (vcpu->unfinished) {
        finish_access(vcpu, exit);
    }
    __atomic_store_n(&vcpu->tid, 0, __ATOMIC_SEQ_CST);
}
