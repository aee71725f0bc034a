/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt messages: who is meant (SDM volume 3, 11.6.2), and what each delivery mode does.
 * Messages come from other LAPICs (IPIs), from the I/O APIC and from devices (MSIs).
 *
 * Threads: any.
 */
#include "engine/dbt/guest/x86/lapic_internal.h"

#include "engine/dbt/run/exec.h"

static uint32_t lapic_id(const Lapic *lapic)
{
    uint32_t id = lapic->reg[REG_ID];

    return lapic_x2apic(lapic) ? id : id >> 24;
}

static bool matches_logical(const Lapic *lapic, uint32_t destination)
{
    uint32_t ldr = lapic->reg[REG_LDR];

    if (lapic_x2apic(lapic)) {
        return destination >> 16 == ldr >> 16 && (destination & ldr & 0xffff);
    }
    ldr >>= 24;
    if (lapic->reg[REG_DFR] >> 28 == 0xf) {
        return ldr & destination;
    }
    return ldr >> 4 == (destination >> 4 & 0xf) && (ldr & destination & 0xf); /* clusters */
}

static bool matches_locked(const Lapic *lapic, const LapicMessage *message)
{
    uint32_t all = message->wide ? UINT32_MAX : 0xff;

    if (message->destination == all) {
        return true;
    }
    return message->logical ? matches_logical(lapic, message->destination)
                            : lapic_id(lapic) == message->destination;
}

/* Whether @message means this one; then *@ret_priority is how busy it is, 256: it takes none. */
static bool matches(Lapic *lapic, const LapicMessage *message, unsigned *ret_priority)
{
    if (!(__atomic_load_n(&lapic->base, __ATOMIC_ACQUIRE) & APIC_BASE_ENABLE)) {
        return false;
    }
    g_mutex_lock(&lapic->mutex);
    bool match = matches_locked(lapic, message);
    *ret_priority = lapic_enabled(lapic) ? lapic->reg[REG_PPR] >> 4 : 256;
    g_mutex_unlock(&lapic->mutex);
    return match;
}

static void tell(X86Cpu *cpu)
{
    dbt_attention(&cpu->base, ATTENTION_INTERRUPT);
}

void x86_nmi(DbtCpu *cpu)
{
    __atomic_store_n(&x86_cpu(cpu)->nmi_pending, true, __ATOMIC_RELEASE);
    tell(x86_cpu(cpu));
}

/* INIT forgets a SIPI that came before it. */
static void send_init(X86Cpu *cpu)
{
    __atomic_store_n(&cpu->sipi_pending, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&cpu->init_pending, 1, __ATOMIC_RELEASE);
    tell(cpu);
}

static void send_sipi(X86Cpu *cpu, uint8_t vector)
{
    __atomic_store_n(&cpu->sipi_vector, vector, __ATOMIC_RELAXED);
    __atomic_store_n(&cpu->sipi_pending, 1, __ATOMIC_RELEASE);
    tell(cpu);
}

static void deliver(X86Cpu *cpu, const LapicMessage *message)
{
    switch (message->mode) {
    case LAPIC_FIXED:
    case LAPIC_LOWEST:
        lapic_interrupt(cpu->lapic, message->vector, message->level);
        break;
    case LAPIC_NMI:
        x86_nmi(&cpu->base);
        break;
    case LAPIC_INIT:
        send_init(cpu);
        break;
    case LAPIC_SIPI:
        send_sipi(cpu, message->vector);
        break;
    default: /* SMI: there is no SMM; ExtINT as a message: nobody would answer */
        break;
    }
}

static X86Cpu *cpu_of(DbtVm *vm, unsigned index)
{
    DbtCpu *cpu = dbt_vm_cpu(vm, index);

    return cpu && x86_cpu(cpu)->lapic ? x86_cpu(cpu) : NULL;
}

/* Of all that are meant, the one with the lowest priority that accepts interrupts. */
static void deliver_lowest(DbtVm *vm, const LapicMessage *message)
{
    X86Cpu *best = NULL;
    unsigned best_priority = 256, priority;

    for (unsigned i = 0; i < dbt_vm_cpus(vm); i++) {
        X86Cpu *cpu = cpu_of(vm, i);
        if (cpu && matches(cpu->lapic, message, &priority) && priority < best_priority) {
            best_priority = priority;
            best = cpu;
        }
    }
    if (best) {
        deliver(best, message);
    }
}

void lapic_send(DbtVm *vm, const LapicMessage *message)
{
    unsigned priority;

    if (message->mode == LAPIC_LOWEST) {
        deliver_lowest(vm, message);
        return;
    }
    for (unsigned i = 0; i < dbt_vm_cpus(vm); i++) {
        X86Cpu *cpu = cpu_of(vm, i);
        if (cpu && matches(cpu->lapic, message, &priority)) {
            deliver(cpu, message);
        }
    }
}

static void send_to_all(Lapic *lapic, const LapicMessage *message, bool self)
{
    DbtVm *vm = lapic->cpu->base.vm;

    for (unsigned i = 0; i < dbt_vm_cpus(vm); i++) {
        X86Cpu *cpu = cpu_of(vm, i);
        if (cpu && (self || cpu != lapic->cpu)) {
            deliver(cpu, message);
        }
    }
}

void lapic_send_ipi(Lapic *lapic, uint32_t low, uint32_t high)
{
    enum { TO_DESTINATION, TO_SELF, TO_ALL, TO_OTHERS };
    bool wide = lapic_x2apic(lapic);
    LapicMessage message = {
        .destination = wide ? high : high >> 24,
        .logical = bit_test(low, 11),
        .wide = wide,
        .mode = (uint8_t)bits_get(low, 8, 3),
        .vector = (uint8_t)low,
    };
    bool level = bit_test(low, 15), asserted = bit_test(low, 14);

    if (log_on(lapic->cpu->base.log, LOG_IRQ)) {
        log_line(lapic->cpu->base.log, LOG_IRQ, "cpu %u ipi %x to %x", lapic->cpu->base.index, low,
                 message.destination);
    }
    if (message.mode == LAPIC_INIT && level && !asserted) {
        return; /* INIT level de-assert: only ancient APICs had arbitration IDs to reset */
    }
    if (message.mode <= LAPIC_LOWEST && message.vector < 16) {
        lapic_report_error(lapic, ESR_SEND_VECTOR);
        return;
    }
    switch (low >> 18 & 3) {
    case TO_DESTINATION:
        lapic_send(lapic->cpu->base.vm, &message);
        break;
    case TO_SELF:
        if (message.mode == LAPIC_FIXED) {
            deliver(lapic->cpu, &message);
        }
        break;
    case TO_ALL:
        send_to_all(lapic, &message, true);
        break;
    default:
        send_to_all(lapic, &message, false);
    }
}

void x86_msi(DbtVm *vm, uint64_t address, uint32_t data)
{
    const LapicMessage message = {
        .destination = (uint32_t)bits_get(address, 12, 8),
        .logical = bit_test(address, 2),
        .level = bit_test(data, 15),
        .mode = (uint8_t)bits_get(data, 8, 3),
        .vector = (uint8_t)data,
    };

    if (log_on(vm->log, LOG_IRQ)) {
        log_line(vm->log, LOG_IRQ, "msi %" PRIx64 " %x", address, data);
    }
    lapic_send(vm, &message);
}

void x86_extint(DbtVm *vm, bool raised)
{
    X86Cpu *cpu = cpu_of(vm, 0);

    if (cpu) {
        lapic_set_extint(cpu->lapic, raised);
    }
}
