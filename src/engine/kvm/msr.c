/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSRs between X86Msrs and KVM, by one table.
 *
 * The kernel takes a list and stops at the first MSR that it refuses; that one is reported and
 * left out, and the rest goes on.  TSC and TSC_ADJUST are time.c's; EFER and APIC_BASE travel with
 * the special registers (state.c).
 *
 * Threads: the vCPU's own.
 */
#include <errno.h>
#include <string.h>

#include "common/error.h"
#include "engine/kvm/internal.h"

/* A run of @count MSRs, @step apart, and where their values stand in X86Msrs. */
typedef struct MsrRow {
    uint32_t index;
    size_t offset;
    const char *name;
    unsigned count, step; /* 0: one */
    bool listed;          /* only if the kernel lists it (KVM_GET_MSR_INDEX_LIST) */
} MsrRow;

#define MSR_FIELD(field) offsetof(X86Msrs, field), #field

static const MsrRow rows[] = {
    { 0xc0000081, MSR_FIELD(star) },
    { 0xc0000082, MSR_FIELD(lstar) },
    { 0xc0000083, MSR_FIELD(cstar) },
    { 0xc0000084, MSR_FIELD(fmask) },
    { 0xc0000102, MSR_FIELD(kernel_gs_base) },
    { 0x174, MSR_FIELD(sysenter_cs) },
    { 0x175, MSR_FIELD(sysenter_esp) },
    { 0x176, MSR_FIELD(sysenter_eip) },
    { 0xc0000103, MSR_FIELD(tsc_aux), .listed = true },
    { 0x277, MSR_FIELD(pat) },
    { 0x1a0, MSR_FIELD(misc_enable), .listed = true },
    { 0x48, MSR_FIELD(spec_ctrl), .listed = true },
    { 0x2ff, MSR_FIELD(mtrr_def_type) },
    { 0x250, MSR_FIELD(mtrr_fixed[0]) },
    { 0x258, MSR_FIELD(mtrr_fixed[1]), 2, 1 },
    { 0x268, MSR_FIELD(mtrr_fixed[3]), 8, 1 },
    { 0x200, MSR_FIELD(mtrr_base), X86_MTRR_VARIABLE, 2 },
    { 0x201, MSR_FIELD(mtrr_mask), X86_MTRR_VARIABLE, 2 },
    { 0x17a, MSR_FIELD(mcg_status), .listed = true },
    { 0x17b, MSR_FIELD(mcg_ctl), .listed = true },
    { 0x4b564d00, MSR_FIELD(kvm_wall_clock), .listed = true },
    { 0x4b564d01, MSR_FIELD(kvm_system_time), .listed = true },
};

/* One MSR of the expanded table. */
typedef struct MsrPlace {
    uint32_t index;
    const char *name;
    size_t offset;
} MsrPlace;

enum { MAX_PLACES = 64 };

void kvm_msrs_list(EngineVm *vm)
{
    g_autofree struct kvm_msr_list *list =
        g_malloc0(sizeof(*list) + KVM_MAX_MSRS * sizeof(list->indices[0]));

    list->nmsrs = KVM_MAX_MSRS;
    int result = kvm_ioctl(vm->kvm_fd, KVM_GET_MSR_INDEX_LIST, list);
    if (result < 0) {
        log_line(vm->config.log, LOG_KVM, "cannot list MSRs: %s", g_strerror(-result));
        list->nmsrs = 0;
    }
    vm->n_msrs = list->nmsrs;
    vm->msrs = g_memdup2(list->indices, list->nmsrs * sizeof(list->indices[0]));
}

static bool is_listed(const EngineVm *vm, uint32_t index)
{
    for (unsigned i = 0; i < vm->n_msrs; i++) {
        if (vm->msrs[i] == index) {
            return true;
        }
    }
    return false;
}

/* The table, a row per MSR, less what this kernel doesn't have. */
static unsigned places(const EngineVm *vm, MsrPlace *place)
{
    unsigned n = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const MsrRow *row = &rows[i];
        if (row->listed && !is_listed(vm, row->index)) {
            continue;
        }
        for (unsigned j = 0; j < MAX(row->count, 1); j++) {
            g_assert(n < MAX_PLACES);
            place[n++] = (MsrPlace){ row->index + j * row->step, row->name,
                                     row->offset + j * sizeof(uint64_t) };
        }
    }
    return n;
}

static struct kvm_msrs *new_list(unsigned n)
{
    return g_malloc0(sizeof(struct kvm_msrs) + n * sizeof(struct kvm_msr_entry));
}

/* Have the kernel do @request for places @from on; how many it did before one that it refused. */
static int transfer(EngineVcpu *vcpu, unsigned long request, const MsrPlace *place, unsigned n,
                    X86Msrs *values)
{
    g_autofree struct kvm_msrs *list = new_list(n);

    list->nmsrs = n;
    for (unsigned i = 0; i < n; i++) {
        list->entries[i].index = place[i].index;
        memcpy(&list->entries[i].data, (char *)values + place[i].offset, sizeof(uint64_t));
    }
    int done = kvm_ioctl(vcpu->fd, request, list);
    for (int i = 0; request == KVM_GET_MSRS && i < done; i++) {
        memcpy((char *)values + place[i].offset, &list->entries[i].data, sizeof(uint64_t));
    }
    return done;
}

/* The whole table.  A refused MSR is reported; @strict: unless it holds nothing, it is an error. */
static bool transfer_all(EngineVcpu *vcpu, unsigned long request, X86Msrs *values, GError **error)
{
    MsrPlace place[MAX_PLACES];
    unsigned n = places(vcpu->vm, place);

    for (unsigned from = 0; from < n;) {
        int done = transfer(vcpu, request, place + from, n - from, values);
        if (done < 0) {
            set_error_code(error, INSULA_ERROR_HOST, "KVM refuses the MSRs of vCPU %u: %s",
                           vcpu->index, g_strerror(-done));
            return false;
        }
        from += (unsigned)done;
        if (from >= n) {
            break;
        }
        uint64_t value;
        memcpy(&value, (char *)values + place[from].offset, sizeof(value));
        log_line(vcpu->vm->config.log, LOG_KVM, "MSR %x (%s) of vCPU %u refused", place[from].index,
                 place[from].name, vcpu->index);
        if (request == KVM_SET_MSRS && value) {
            set_error_code(error, INSULA_ERROR_HOST,
                           "KVM refuses value %" G_GINT64_MODIFIER "x of MSR %x (%s)", value,
                           place[from].index, place[from].name);
            return false;
        }
        from++;
    }
    return true;
}

bool kvm_msrs_get(EngineVcpu *vcpu, X86Msrs *ret_msrs, GError **error)
{
    return transfer_all(vcpu, KVM_GET_MSRS, ret_msrs, error);
}

bool kvm_msrs_set(EngineVcpu *vcpu, const X86Msrs *msrs, GError **error)
{
    X86Msrs values = *msrs;

    return transfer_all(vcpu, KVM_SET_MSRS, &values, error);
}

int kvm_msr_read(EngineVcpu *vcpu, uint32_t index, uint64_t *ret_value)
{
    g_autofree struct kvm_msrs *list = new_list(1);

    list->nmsrs = 1;
    list->entries[0].index = index;
    int done = kvm_ioctl(vcpu->fd, KVM_GET_MSRS, list);
    if (done == 1) {
        *ret_value = list->entries[0].data;
    }
    return done < 0 ? done : done == 1 ? 0 : -EINVAL;
}

int kvm_msr_write(EngineVcpu *vcpu, uint32_t index, uint64_t value)
{
    g_autofree struct kvm_msrs *list = new_list(1);

    list->nmsrs = 1;
    list->entries[0] = (struct kvm_msr_entry){ .index = index, .data = value };
    int done = kvm_ioctl(vcpu->fd, KVM_SET_MSRS, list);
    return done < 0 ? done : done == 1 ? 0 : -EINVAL;
}
