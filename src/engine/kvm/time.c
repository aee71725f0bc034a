/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's TSC and kvmclock under KVM (docs/architecture.md, "Time").
 *
 * The TSC of each vCPU is the host's, scaled, plus an offset.  One offset counts for the VM; a
 * vCPU adds its TSC_ADJUST.  While the machine's clock is paused the host's TSC runs on: before a
 * vCPU enters the guest again, the time of the pause is taken out of the offset, so that neither
 * clock jumps; and a TSC read meanwhile is what it was when the clock stopped.
 *
 * How long it stood is host time minus the machine's clock.  Both can't be read at once, so each
 * reading gives an interval; as long as nothing was paused all intervals share a point, and the
 * VM's interval shrinks to their intersection.  One that doesn't touch it tells of a pause, which
 * lasted at least as long as the gap between the two: that much is taken out, so that an error
 * can only move the TSC forwards.
 *
 * vCPUs don't run while the clock stands: their TSC would.
 *
 * A clock driven by hand has no rate: the TSC then runs with the host.
 *
 * Threads: the vCPU's own; what belongs to the VM under time_mutex.
 */
#include <errno.h>
#include <time.h>

#include "common/bits.h"
#include "common/error.h"
#include "engine/kvm/internal.h"

enum { MSR_TSC = 0x10, MSR_TSC_ADJUST = 0x3b };

/* A TSC that is set and differs by less than this from what it would be anyway stays as it is:
 * the first of a VM that stands still, and those after it, whose values were saved a little later
 * or earlier but were meant to agree with the first. */
enum { SAME_FIRST_US = 1000, SAME_LATER_US = 1000000 };

static uint64_t host_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* The host time at which the machine's clock showed 0, as it looks now: within [low, high]. */
static void measure_base(EngineVm *vm, uint64_t *ret_low_ns, uint64_t *ret_high_ns)
{
    uint64_t before_ns = host_now_ns();
    uint64_t clock_ns = clock_now_ns(vm->config.clock);
    uint64_t after_ns = host_now_ns();

    *ret_low_ns = before_ns - clock_ns;
    *ret_high_ns = after_ns - clock_ns;
}

static int64_t ns_to_ticks(const EngineVm *vm, uint64_t ns)
{
    return (int64_t)mul_div(ns, vm->tsc_khz, 1000000);
}

/* kvmclock shows the machine's clock. */
static void set_kvmclock(EngineVm *vm)
{
    struct kvm_clock_data data = { .clock = clock_now_ns(vm->config.clock) };

    if (vm->option[KVM_OPTION_ADJUST_CLOCK]) {
        kvm_ioctl(vm->fd, KVM_SET_CLOCK, &data);
    }
}

/* The clock stood for @ns in all, as far as we know.  Lock: time_mutex. */
static void set_stood(EngineVm *vm, uint64_t ns)
{
    vm->tsc_offset -= ns_to_ticks(vm, ns) - ns_to_ticks(vm, vm->stood_ns);
    vm->stood_ns = ns;
}

/* See whether the clock was paused since the last look.  Lock: time_mutex. */
static void update_base(EngineVm *vm)
{
    uint64_t low_ns, high_ns;

    if (clock_is_manual(vm->config.clock)) {
        return;
    }
    measure_base(vm, &low_ns, &high_ns);
    if (low_ns <= vm->base_high_ns) { /* the base only ever grows */
        vm->base_low_ns = MAX(vm->base_low_ns, low_ns);
        vm->base_high_ns = MIN(vm->base_high_ns, MAX(high_ns, vm->base_low_ns));
        return;
    }
    uint64_t pause_ns = low_ns - vm->base_high_ns;
    vm->base_low_ns = low_ns;
    vm->base_high_ns = high_ns;
    set_stood(vm, vm->stood_ns + pause_ns);
    set_kvmclock(vm);
}

/* ---- offsets ---- */

static int access_offset(EngineVcpu *vcpu, unsigned long request, uint64_t *offset)
{
    struct kvm_device_attr attr = { .group = KVM_VCPU_TSC_CTRL,
                                    .attr = KVM_VCPU_TSC_OFFSET,
                                    .addr = (uintptr_t)offset };

    return kvm_ioctl(vcpu->fd, request, &attr);
}

static bool read_offset(EngineVcpu *vcpu, int64_t *ret_offset)
{
    uint64_t offset = 0;

    if (!vcpu->vm->tsc_offsets || access_offset(vcpu, KVM_GET_DEVICE_ATTR, &offset) < 0) {
        return false;
    }
    *ret_offset = (int64_t)offset;
    return true;
}

static bool write_offset(EngineVcpu *vcpu, int64_t offset)
{
    uint64_t value = (uint64_t)offset;

    return vcpu->vm->tsc_offsets && access_offset(vcpu, KVM_SET_DEVICE_ATTR, &value) >= 0;
}

/* ---- set-up ---- */

static bool fail(GError **error, const char *what, int result)
{
    set_error_code(error, INSULA_ERROR_HOST, "%s: %s", what, g_strerror(-result));
    return false;
}

bool kvm_time_vm_init(EngineVm *vm, GError **error)
{
    struct kvm_device_attr attr = { .group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET };
    int khz = kvm_ioctl(vm->vcpu0_fd, KVM_GET_TSC_KHZ, NULL);

    if (khz <= 0) {
        return fail(error, "KVM doesn't know the frequency of the TSC", khz ? khz : -EIO);
    }
    vm->tsc_khz = vm->config.tsc_khz ? vm->config.tsc_khz : (uint64_t)khz;
    if (vm->tsc_khz != (uint64_t)khz && !vm->option[KVM_OPTION_TSC_CONTROL]) {
        set_error_code(error, INSULA_ERROR_HOST,
                       "this host can't scale the TSC: the guest's is to run at %" G_GUINT64_FORMAT
                       " kHz, the host's runs at %d kHz",
                       vm->tsc_khz, khz);
        return false;
    }
    vm->tsc_offsets = kvm_ioctl(vm->vcpu0_fd, KVM_HAS_DEVICE_ATTR, &attr) >= 0;
    if (!vm->tsc_offsets) {
        log_line(vm->config.log, LOG_KVM, "no TSC offsets: TSCs of vCPUs may differ a little");
    }
    measure_base(vm, &vm->base_low_ns, &vm->base_high_ns);
    set_kvmclock(vm);
    return true;
}

void kvm_time_vcpu_init(EngineVcpu *vcpu)
{
    EngineVm *vm = vcpu->vm;

    if (vm->option[KVM_OPTION_TSC_CONTROL]) {
        int result = kvm_ioctl(vcpu->fd, KVM_SET_TSC_KHZ, (void *)(uintptr_t)vm->tsc_khz);
        if (result < 0) {
            log_line(vm->config.log, LOG_KVM,
                     "cannot set the TSC of vCPU %u to %" G_GUINT64_FORMAT " kHz: %s", vcpu->index,
                     vm->tsc_khz, g_strerror(-result));
        }
    }
    g_mutex_lock(&vm->time_mutex);
    update_base(vm);
    vcpu->stood_ns = vm->stood_ns;
    if (vcpu->index != 0) {
        write_offset(vcpu, vm->tsc_offset);
    } else if (!kvm_msr_write(vcpu, MSR_TSC,
                              (uint64_t)ns_to_ticks(vm, clock_now_ns(vm->config.clock)))) {
        read_offset(vcpu, &vm->tsc_offset);
    }
    g_mutex_unlock(&vm->time_mutex);
}

/* ---- while the VM lives ---- */

/* The value that the TSC of a vCPU with TSC_ADJUST = 0 has now.  Lock: time_mutex. */
static bool plain_tsc(EngineVcpu *vcpu, uint64_t *ret_tsc)
{
    int64_t offset;
    uint64_t tsc;

    if (!read_offset(vcpu, &offset) || kvm_msr_read(vcpu, MSR_TSC, &tsc)) {
        return false;
    }
    *ret_tsc = tsc - (uint64_t)offset + (uint64_t)vcpu->vm->tsc_offset;
    return true;
}

/* A TSC that was read while the clock stood is a bound: it may not be smaller afterwards.  If it
 * were (that reading may have come late), the clock stood for a little less.  Lock: time_mutex. */
static bool keep_floor(EngineVcpu *vcpu)
{
    EngineVm *vm = vcpu->vm;
    uint64_t tsc;

    if (!vm->tsc_floor || !plain_tsc(vcpu, &tsc) || tsc >= vm->tsc_floor) {
        return false;
    }
    uint64_t less_ns = mul_div(vm->tsc_floor - tsc, 1000000, vm->tsc_khz) + 1;
    set_stood(vm, vm->stood_ns - MIN(less_ns, vm->stood_ns));
    return true;
}

/* Take out of @vcpu's TSC what the clock stood since the vCPU last ran.  Lock: time_mutex. */
static void apply_pauses(EngineVcpu *vcpu)
{
    EngineVm *vm = vcpu->vm;
    int64_t pause = ns_to_ticks(vm, vm->stood_ns) - ns_to_ticks(vm, vcpu->stood_ns);
    uint64_t tsc;
    int64_t offset;

    if (read_offset(vcpu, &offset)) {
        write_offset(vcpu, offset - pause);
    } else if (!kvm_msr_read(vcpu, MSR_TSC, &tsc)) {
        kvm_msr_write(vcpu, MSR_TSC, tsc - (uint64_t)pause);
    }
    vcpu->stood_ns = vm->stood_ns;
}

static void follow_pauses(EngineVcpu *vcpu)
{
    if (vcpu->stood_ns == vcpu->vm->stood_ns) {
        return;
    }
    apply_pauses(vcpu);
    if (keep_floor(vcpu)) {
        apply_pauses(vcpu);
    }
    if (vcpu->vm->option[KVM_OPTION_KVMCLOCK]) {
        kvm_ioctl(vcpu->fd, KVM_KVMCLOCK_CTRL, NULL);
    }
}

void kvm_time_enter(EngineVcpu *vcpu)
{
    EngineVm *vm = vcpu->vm;

    g_mutex_lock(&vm->time_mutex);
    update_base(vm);
    follow_pauses(vcpu);
    vm->tsc_was_set = false;
    g_mutex_unlock(&vm->time_mutex);
}

/* The TSC of a vCPU whose TSC_ADJUST is 0, as it is at this moment of the machine's clock: read
 * again while the clock stands, it is the same.  Lock: time_mutex. */
static bool frozen_tsc(EngineVcpu *vcpu, uint64_t *ret_tsc)
{
    EngineVm *vm = vcpu->vm;
    uint64_t clock_ns = clock_now_ns(vm->config.clock);

    if (clock_is_manual(vm->config.clock)) {
        return plain_tsc(vcpu, ret_tsc);
    }
    if (vm->tsc_floor && vm->floor_clock_ns == clock_ns) {
        *ret_tsc = vm->tsc_floor;
        return true;
    }
    if (!plain_tsc(vcpu, ret_tsc)) {
        return false;
    }
    *ret_tsc = MAX(*ret_tsc, vm->tsc_floor);
    vm->tsc_floor = *ret_tsc;
    vm->floor_clock_ns = clock_ns;
    return true;
}

uint64_t kvm_time_get_tsc(EngineVcpu *vcpu)
{
    EngineVm *vm = vcpu->vm;
    uint64_t tsc = 0;
    int64_t offset;

    g_mutex_lock(&vm->time_mutex);
    update_base(vm);
    follow_pauses(vcpu);
    if (read_offset(vcpu, &offset) && frozen_tsc(vcpu, &tsc)) {
        tsc += (uint64_t)(offset - vm->tsc_offset);
    } else {
        kvm_msr_read(vcpu, MSR_TSC, &tsc);
    }
    g_mutex_unlock(&vm->time_mutex);
    return tsc;
}

void kvm_time_set_tsc(EngineVcpu *vcpu, uint64_t tsc, uint64_t adjust)
{
    EngineVm *vm = vcpu->vm;
    uint64_t plain;
    int64_t offset;

    g_mutex_lock(&vm->time_mutex);
    int64_t same =
        ns_to_ticks(vm, UINT64_C(1000) * (vm->tsc_was_set ? SAME_LATER_US : SAME_FIRST_US));
    vm->tsc_was_set = true;
    update_base(vm);
    follow_pauses(vcpu);
    kvm_msr_write(vcpu, MSR_TSC_ADJUST, adjust);
    int64_t distance = plain_tsc(vcpu, &plain) ? (int64_t)(tsc - adjust - plain) : same;
    if (distance > -same && distance < same) {
        write_offset(vcpu, vm->tsc_offset + (int64_t)adjust);
    } else if (!kvm_msr_write(vcpu, MSR_TSC, tsc) && read_offset(vcpu, &offset)) {
        vm->tsc_offset = offset - (int64_t)adjust;
        vm->tsc_floor = 0;
    }
    g_mutex_unlock(&vm->time_mutex);
}
