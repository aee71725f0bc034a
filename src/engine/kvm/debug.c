/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debugging a guest of KVM: breakpoints and watchpoints through the CPU's own debug registers, so
 * there are four; single steps by the trap flag, which the guest doesn't see.
 *
 * Threads: the vCPU's own.
 */
#include <string.h>

#include "common/bits.h"
#include "common/error.h"
#include "engine/kvm/internal.h"

enum { HARDWARE_POINTS = 4 };

/* DR7 (SDM 3, 18.2.4): a pair of enable bits per point, then 4 bits of kind and length each. */
#define DR7_FIXED         UINT64_C(0x400)
#define DR7_EXACT         UINT64_C(0x200)
#define DR7_GLOBAL(point) (UINT64_C(2) << ((point)*2))

enum { DR7_KIND_SHIFT = 16, DR7_EXECUTE = 0, DR7_WRITE = 1, DR7_READ_WRITE = 3 };

static uint64_t dr7_bits(unsigned index, const DebugPoint *point)
{
    uint64_t kind = point->execute ? DR7_EXECUTE : point->read ? DR7_READ_WRITE : DR7_WRITE;
    uint64_t length = 0;

    if (!point->execute) {
        length = point->size == 8 ? 2 : point->size - 1U; /* 1, 2, 8, 4 bytes: 0 to 3 */
    }
    return DR7_GLOBAL(index) | (kind | length << 2) << (DR7_KIND_SHIFT + index * 4);
}

static bool check_point(const DebugPoint *point, GError **error)
{
    bool data = point->read || point->write;

    if (point->execute == data) {
        set_error(error, "a debug point is either a breakpoint or a watchpoint");
        return false;
    }
    if (data &&
        (point->size > 8 || !is_power_of_two(point->size) || point->gva % point->size != 0)) {
        set_error(error,
                  "KVM watches 1, 2, 4 or 8 aligned bytes, not %u at %" G_GINT64_MODIFIER "x",
                  point->size, point->gva);
        return false;
    }
    return true;
}

bool kvm_vcpu_set_debug(EngineVcpu *vcpu, const DebugConfig *config, GError **error)
{
    static const DebugConfig none = { 0 };
    const DebugConfig *wanted = config ? config : &none;
    struct kvm_guest_debug debug = { 0 };

    if (wanted->n_points > HARDWARE_POINTS) {
        set_error(error,
                  "the CPU has %d debug registers, %u are needed: use fewer points, or "
                  "--engine translator",
                  HARDWARE_POINTS, wanted->n_points);
        return false;
    }
    debug.arch.debugreg[7] = DR7_FIXED | DR7_EXACT;
    for (unsigned i = 0; i < wanted->n_points; i++) {
        if (!check_point(&wanted->points[i], error)) {
            return false;
        }
        debug.arch.debugreg[i] = wanted->points[i].gva;
        debug.arch.debugreg[7] |= dr7_bits(i, &wanted->points[i]);
    }
    if (wanted->n_points) {
        debug.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
    }
    if (wanted->step) {
        debug.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
        if (vcpu->vm->option[KVM_OPTION_BLOCK_IRQ]) {
            debug.control |= KVM_GUESTDBG_BLOCKIRQ;
        }
    }
    int result = kvm_ioctl(vcpu->fd, KVM_SET_GUEST_DEBUG, &debug);
    if (result < 0) {
        set_error_code(error, INSULA_ERROR_HOST, "KVM refuses to debug vCPU %u: %s", vcpu->index,
                       g_strerror(-result));
        return false;
    }
    vcpu->debug = *wanted;
    return true;
}

void kvm_debug_exit(EngineVcpu *vcpu, VcpuExit *exit)
{
    const struct kvm_debug_exit_arch *arch = &vcpu->run->debug.arch;

    exit->reason = VCPU_EXIT_DEBUG;
    exit->debug = DEBUG_STEP;
    exit->address = arch->pc;
    for (unsigned i = 0; i < MIN(vcpu->debug.n_points, HARDWARE_POINTS); i++) {
        const DebugPoint *point = &vcpu->debug.points[i];
        if (bit_test(arch->dr6, i)) {
            exit->debug = point->execute ? DEBUG_BREAKPOINT : DEBUG_WATCHPOINT;
            exit->address = point->gva;
            exit->point = i;
            return;
        }
    }
}
