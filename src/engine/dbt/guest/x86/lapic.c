/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC's registers and interrupts, see lapic.h.  Its timer is in lapic_timer.c, IPIs
 * and messages are in lapic_send.c.
 *
 * A const table says of each register whether it can be read and which bits can be written; what
 * a write does beside storing is a function in that table.
 */
#include "engine/dbt/guest/x86/lapic_internal.h"

#include "engine/dbt/run/exec.h"

/* --- the highest of 256 bits ------------------------------------------------------------------ */

/* The 256 bits of ISR, TMR or IRR stand in 8 registers. */
static uint32_t *word_of(Lapic *lapic, unsigned base, unsigned vector)
{
    return &lapic->reg[base + vector / 32];
}

static bool test_vector(Lapic *lapic, unsigned base, unsigned vector)
{
    return *word_of(lapic, base, vector) >> (vector % 32) & 1;
}

static void put_vector(Lapic *lapic, unsigned base, unsigned vector, bool value)
{
    uint32_t bit = 1U << (vector % 32), *word = word_of(lapic, base, vector);

    *word = value ? *word | bit : *word & ~bit;
}

static int highest_vector(const Lapic *lapic, unsigned base)
{
    for (int i = 7; i >= 0; i--) {
        uint32_t word = lapic->reg[base + (unsigned)i];
        if (word) {
            return i * 32 + 31 - __builtin_clz(word);
        }
    }
    return -1;
}

/* --- priorities ------------------------------------------------------------------------------- */

bool lapic_enabled(const Lapic *lapic)
{
    return (lapic->base & APIC_BASE_ENABLE) && (lapic->reg[REG_SVR] & SVR_ENABLE);
}

static unsigned processor_priority(const Lapic *lapic)
{
    unsigned tpr = lapic->reg[REG_TPR] & 0xff;
    int isr = highest_vector(lapic, REG_ISR);

    return isr < 0 || tpr >> 4 >= (unsigned)isr >> 4 ? tpr : (unsigned)isr & 0xf0;
}

/* Does LINT0 lead the 8259s' INTR to the CPU? */
static bool extint_open(const Lapic *lapic)
{
    uint32_t lvt = lapic->reg[REG_LVT_LINT0];

    if (!(lapic->base & APIC_BASE_ENABLE)) {
        return true;
    }
    return !(lvt & LVT_MASKED) && (lvt >> 8 & 7) == LAPIC_EXTINT;
}

/* Work out anew what can be delivered.  Lock: mutex.  True: there is something. */
static bool update(Lapic *lapic)
{
    int irr = highest_vector(lapic, REG_IRR);
    unsigned ppr = processor_priority(lapic);
    bool waiting = irr >= 0 && (unsigned)irr >> 4 > ppr >> 4 && lapic_enabled(lapic);

    waiting |= lapic->extint && extint_open(lapic);
    lapic->reg[REG_PPR] = ppr;
    __atomic_store_n(&lapic->waiting, waiting, __ATOMIC_RELEASE);
    return waiting;
}

bool lapic_waiting(Lapic *lapic)
{
    return __atomic_load_n(&lapic->waiting, __ATOMIC_ACQUIRE);
}

static void update_and_tell(Lapic *lapic)
{
    if (update(lapic)) {
        dbt_attention(&lapic->cpu->base, ATTENTION_INTERRUPT);
    }
}

/* --- pending interrupts ----------------------------------------------------------------------- */

static void raise_error(Lapic *lapic, uint32_t bit);

static void make_pending(Lapic *lapic, uint8_t vector, bool level)
{
    if (!lapic_enabled(lapic)) {
        return;
    }
    if (vector < 16) {
        raise_error(lapic, ESR_RECEIVED_VECTOR);
        return;
    }
    put_vector(lapic, REG_IRR, vector, true);
    put_vector(lapic, REG_TMR, vector, level);
}

static void raise_error(Lapic *lapic, uint32_t bit)
{
    uint32_t lvt = lapic->reg[REG_LVT_ERROR];

    lapic->errors |= bit;
    if (!(lvt & LVT_MASKED) && (lvt & 0xff) >= 16) {
        make_pending(lapic, (uint8_t)lvt, false);
    }
}

void lapic_report_error(Lapic *lapic, uint32_t bit)
{
    g_mutex_lock(&lapic->mutex);
    raise_error(lapic, bit);
    update_and_tell(lapic);
    g_mutex_unlock(&lapic->mutex);
}

void lapic_raise_locked(Lapic *lapic, uint8_t vector, bool level)
{
    make_pending(lapic, vector, level);
    update_and_tell(lapic);
}

void lapic_interrupt(Lapic *lapic, uint8_t vector, bool level)
{
    g_mutex_lock(&lapic->mutex);
    lapic_raise_locked(lapic, vector, level);
    g_mutex_unlock(&lapic->mutex);
}

void lapic_set_extint(Lapic *lapic, bool raised)
{
    g_mutex_lock(&lapic->mutex);
    lapic->extint = raised;
    update_and_tell(lapic);
    g_mutex_unlock(&lapic->mutex);
}

int lapic_ack(Lapic *lapic)
{
    const EngineHooks *hooks = &lapic->cpu->base.vm->hooks;

    g_mutex_lock(&lapic->mutex);
    int vector = highest_vector(lapic, REG_IRR);
    bool extint = lapic->extint && extint_open(lapic);
    if (!extint && vector >= 0 && lapic_enabled(lapic) &&
        (unsigned)vector >> 4 > processor_priority(lapic) >> 4) {
        put_vector(lapic, REG_IRR, (unsigned)vector, false);
        put_vector(lapic, REG_ISR, (unsigned)vector, true);
    } else {
        vector = -1;
    }
    update(lapic);
    g_mutex_unlock(&lapic->mutex);
    if (extint) {
        return hooks->extint_ack ? hooks->extint_ack(hooks->opaque) : -1;
    }
    return vector;
}

/* The handler is done.  Called without the mutex: the I/O APIC may send again at once. */
static void end_of_interrupt(Lapic *lapic)
{
    const EngineHooks *hooks = &lapic->cpu->base.vm->hooks;
    bool level = false;

    g_mutex_lock(&lapic->mutex);
    int vector = highest_vector(lapic, REG_ISR);
    if (vector >= 0) {
        put_vector(lapic, REG_ISR, (unsigned)vector, false);
        level = test_vector(lapic, REG_TMR, (unsigned)vector);
    }
    update_and_tell(lapic);
    g_mutex_unlock(&lapic->mutex);
    if (level && hooks->ioapic_eoi) {
        hooks->ioapic_eoi(hooks->opaque, (uint8_t)vector);
    }
}

/* --- task priority ---------------------------------------------------------------------------- */

uint8_t lapic_tpr(Lapic *lapic)
{
    return (uint8_t)__atomic_load_n(&lapic->reg[REG_TPR], __ATOMIC_RELAXED);
}

void lapic_set_tpr(Lapic *lapic, uint8_t tpr)
{
    g_mutex_lock(&lapic->mutex);
    lapic->reg[REG_TPR] = tpr;
    update_and_tell(lapic);
    g_mutex_unlock(&lapic->mutex);
}

/* --- what writes do --------------------------------------------------------------------------- */

static void store(Lapic *lapic, unsigned reg, uint32_t value);

static void write_tpr(Lapic *lapic, unsigned reg, uint32_t value)
{
    lapic_set_tpr(lapic, (uint8_t)value);
}

static void write_eoi(Lapic *lapic, unsigned reg, uint32_t value)
{
    end_of_interrupt(lapic);
}

static void write_dfr(Lapic *lapic, unsigned reg, uint32_t value)
{
    store(lapic, reg, value | 0x0fffffff);
}

/* Switched off by software: all local vectors are masked. */
static void write_svr(Lapic *lapic, unsigned reg, uint32_t value)
{
    g_mutex_lock(&lapic->mutex);
    lapic->reg[reg] = value;
    if (!(value & SVR_ENABLE)) {
        for (unsigned i = REG_LVT_TIMER; i <= REG_LVT_ERROR; i++) {
            lapic->reg[i] |= LVT_MASKED;
        }
    }
    update_and_tell(lapic);
    g_mutex_unlock(&lapic->mutex);
}

/* A write shows the errors since the last one. */
static void write_esr(Lapic *lapic, unsigned reg, uint32_t value)
{
    g_mutex_lock(&lapic->mutex);
    lapic->reg[REG_ESR] = lapic->errors;
    lapic->errors = 0;
    g_mutex_unlock(&lapic->mutex);
}

static void write_icr_low(Lapic *lapic, unsigned reg, uint32_t value)
{
    store(lapic, reg, value & ~(uint32_t)ICR_BUSY);
    lapic_send_ipi(lapic, value, lapic->reg[REG_ICR_HIGH]);
}

static void write_lvt(Lapic *lapic, unsigned reg, uint32_t value)
{
    g_mutex_lock(&lapic->mutex);
    lapic->reg[reg] = value | (lapic->reg[REG_SVR] & SVR_ENABLE ? 0 : LVT_MASKED);
    update_and_tell(lapic);
    g_mutex_unlock(&lapic->mutex);
}

static void write_lvt_timer(Lapic *lapic, unsigned reg, uint32_t value)
{
    lapic_timer_mode(lapic, value);
}

static void write_initial(Lapic *lapic, unsigned reg, uint32_t value)
{
    lapic_timer_start(lapic, value);
}

static void write_divide(Lapic *lapic, unsigned reg, uint32_t value)
{
    lapic_timer_divide(lapic, value);
}

static void write_self_ipi(Lapic *lapic, unsigned reg, uint32_t value)
{
    lapic_interrupt(lapic, (uint8_t)value, false);
}

/* A register that is only stored. */
static void store(Lapic *lapic, unsigned reg, uint32_t value)
{
    g_mutex_lock(&lapic->mutex);
    lapic->reg[reg] = value;
    update_and_tell(lapic);
    g_mutex_unlock(&lapic->mutex);
}

/* --- the registers ---------------------------------------------------------------------------- */

typedef struct Register {
    uint32_t writable; /* bits; with x2APIC the others must be 0 */
    void (*write)(Lapic *lapic, unsigned reg, uint32_t value); /* NULL: read-only */
    bool write_only;
    bool only_x2apic, only_xapic;
} Register;

/* LVT_STATUS: delivery status and remote IRR, read-only and not reserved. */
enum { LVT_COMMON = 0x100ff, LVT_LINT = 0x1a7ff, LVT_STATUS = 0x5000 };

static const Register registers[REGISTERS] = {
    [REG_ID] = { 0xff000000, store, .only_xapic = true },
    [REG_VERSION] = { 0 },
    [REG_TPR] = { 0xff, write_tpr },
    [REG_APR] = { 0, .only_xapic = true },
    [REG_PPR] = { 0 },
    [REG_EOI] = { 0, write_eoi, .write_only = true },
    [REG_LDR] = { 0xff000000, store, .only_xapic = true },
    [REG_DFR] = { 0xf0000000, write_dfr, .only_xapic = true },
    [REG_SVR] = { 0x1ff, write_svr },
    [REG_ESR] = { 0, write_esr },
    [REG_ICR_LOW] = { 0xccfff, write_icr_low },
    [REG_ICR_HIGH] = { 0xff000000, store, .only_xapic = true },
    [REG_LVT_TIMER] = { 0x700ff, write_lvt_timer },
    [REG_LVT_THERMAL] = { 0x107ff, write_lvt },
    [REG_LVT_COUNTER] = { 0x107ff, write_lvt },
    [REG_LVT_LINT0] = { LVT_LINT, write_lvt },
    [REG_LVT_LINT1] = { LVT_LINT, write_lvt },
    [REG_LVT_ERROR] = { LVT_COMMON, write_lvt },
    [REG_TIMER_INITIAL] = { UINT32_MAX, write_initial },
    [REG_TIMER_CURRENT] = { 0 },
    [REG_TIMER_DIVIDE] = { 0xb, write_divide },
    [REG_SELF_IPI] = { 0xff, write_self_ipi, .write_only = true, .only_x2apic = true },
};

/* Is there a register @reg in this mode? */
static bool exists(unsigned reg, bool x2apic)
{
    const Register *r = &registers[reg];

    if (x2apic ? r->only_xapic && reg != REG_ID && reg != REG_LDR : r->only_x2apic) {
        return false;
    }
    return r->writable || r->write || reg == REG_VERSION || reg == REG_PPR || reg == REG_APR ||
           reg == REG_TIMER_CURRENT || (reg >= REG_ISR && reg < REG_IRR + 8);
}

static uint32_t read_register(Lapic *lapic, unsigned reg)
{
    if (reg == REG_TIMER_CURRENT) {
        return lapic_timer_current(lapic);
    }
    g_mutex_lock(&lapic->mutex);
    if (reg == REG_PPR) {
        update(lapic);
    }
    uint32_t value = lapic->reg[reg];
    g_mutex_unlock(&lapic->mutex);
    return value;
}

/* --- x2APIC: MSRs 800h to 8FFh ---------------------------------------------------------------- */

bool lapic_read_msr(Lapic *lapic, uint32_t index, uint64_t *ret_value)
{
    unsigned reg = index & 0xff;

    if (!lapic_x2apic(lapic) || reg >= REGISTERS || !exists(reg, true) ||
        registers[reg].write_only) {
        return false;
    }
    *ret_value = read_register(lapic, reg);
    if (reg == REG_ICR_LOW) {
        *ret_value |= (uint64_t)read_register(lapic, REG_ICR_HIGH) << 32;
    }
    return true;
}

bool lapic_write_msr(Lapic *lapic, uint32_t index, uint64_t value)
{
    unsigned reg = index & 0xff;

    if (!lapic_x2apic(lapic) || reg >= REGISTERS || !exists(reg, true)) {
        return false;
    }
    const Register *r = &registers[reg];
    uint64_t allowed = r->writable | (reg == REG_ICR_LOW ? ~(uint64_t)UINT32_MAX | ICR_BUSY : 0);
    if (reg >= REG_LVT_TIMER && reg <= REG_LVT_ERROR) {
        allowed |= LVT_STATUS;
    }
    if (!r->write || r->only_xapic || (value & ~allowed)) {
        return false;
    }
    if (reg == REG_ICR_LOW) {
        store(lapic, REG_ICR_HIGH, (uint32_t)(value >> 32));
    }
    r->write(lapic, reg, (uint32_t)value & r->writable);
    return true;
}

/* --- xAPIC: the register page ----------------------------------------------------------------- */

/* Registers are 16 bytes apart and 4 wide; narrower reads get a part, the gaps read as zero. */
static uint64_t page_read(Lapic *lapic, unsigned offset, unsigned size)
{
    unsigned reg = offset / 16, shift = offset % 16 * 8;

    if (reg >= REGISTERS || !exists(reg, false) || registers[reg].write_only || shift >= 32) {
        return 0;
    }
    return read_register(lapic, reg) >> shift & bits_mask(size * 8);
}

static void page_write(Lapic *lapic, unsigned offset, uint64_t value)
{
    unsigned reg = offset / 16;

    if (offset % 16) {
        return;
    }
    if (reg >= REGISTERS || !exists(reg, false)) {
        lapic_report_error(lapic, ESR_REGISTER);
        return;
    }
    const Register *r = &registers[reg];
    if (r->write) {
        r->write(lapic, reg, (uint32_t)value & r->writable);
    }
}

bool x86_mmio(DbtCpu *base, uint64_t gpa, unsigned size, bool write, uint64_t *value)
{
    Lapic *lapic = x86_cpu(base)->lapic;
    uint64_t page = lapic->base & APIC_BASE_ADDRESS;

    if (gpa - page >= PAGE_SIZE || !(lapic->base & APIC_BASE_ENABLE) || lapic_x2apic(lapic)) {
        return false;
    }
    if (write) {
        page_write(lapic, (unsigned)(gpa - page), *value);
    } else {
        *value = page_read(lapic, (unsigned)(gpa - page), size);
    }
    if (log_on(base->log, LOG_IRQ)) {
        log_line(base->log, LOG_IRQ, "cpu %u lapic %s %x: %" PRIx64, base->index,
                 write ? "write" : "read", (unsigned)(gpa - page), *value);
    }
    return true;
}

/* --- life ------------------------------------------------------------------------------------- */

/* Registers as after INIT; the ID stays.  Lock: mutex. */
static void reset_registers(Lapic *lapic)
{
    memset(lapic->reg, 0, sizeof(lapic->reg));
    lapic->reg[REG_ID] = lapic->cpu->base.index << 24;
    lapic->reg[REG_VERSION] = LAPIC_VERSION;
    lapic->reg[REG_DFR] = UINT32_MAX;
    lapic->reg[REG_SVR] = 0xff;
    for (unsigned i = REG_LVT_TIMER; i <= REG_LVT_ERROR; i++) {
        lapic->reg[i] = LVT_MASKED;
    }
    lapic->errors = 0;
    lapic_timer_stop_locked(lapic);
    update(lapic);
}

/* What entering x2APIC mode sets (SDM 11.12.10.2). */
static void enter_x2apic(Lapic *lapic)
{
    uint32_t id = lapic->cpu->base.index;

    lapic->reg[REG_ID] = id;
    lapic->reg[REG_LDR] = id >> 4 << 16 | 1U << (id & 15);
}

bool lapic_write_base(Lapic *lapic, uint64_t value)
{
    const uint64_t mode = APIC_BASE_ENABLE | APIC_BASE_X2APIC;
    const uint64_t known = mode | APIC_BASE_BSP | APIC_BASE_ADDRESS;
    uint64_t from = lapic->base & mode, to = value & mode;
    bool good = !(value & ~known) && to != APIC_BASE_X2APIC;

    /* from x2APIC only to disabled, to x2APIC only from xAPIC */
    good = good && !(from == mode && to == APIC_BASE_ENABLE) && !(from == 0 && to == mode);
    if (!good) {
        return false;
    }
    g_mutex_lock(&lapic->mutex);
    __atomic_store_n(&lapic->base, value, __ATOMIC_RELEASE);
    if (from && !to) {
        reset_registers(lapic);
    } else if (from != mode && to == mode) {
        enter_x2apic(lapic);
    }
    update_and_tell(lapic);
    g_mutex_unlock(&lapic->mutex);
    lapic->cpu->msr.apic_base = value;
    return true;
}

Lapic *lapic_new(X86Cpu *cpu)
{
    Lapic *lapic = g_new0(Lapic, 1);

    lapic->cpu = cpu;
    g_mutex_init(&lapic->mutex);
    lapic->timer = timer_new(cpu->base.clock, lapic_on_timer, lapic);
    return lapic;
}

void lapic_free(Lapic *lapic)
{
    if (lapic) {
        timer_free(lapic->timer);
        g_mutex_clear(&lapic->mutex);
        g_free(lapic);
    }
}

void lapic_get(Lapic *lapic, X86Lapic *ret_state, uint64_t *ret_tsc_deadline)
{
    uint32_t current = lapic_timer_current(lapic);

    g_mutex_lock(&lapic->mutex);
    memset(ret_state, 0, sizeof(*ret_state));
    update(lapic);
    lapic->reg[REG_TIMER_CURRENT] = current;
    for (unsigned i = 0; i < REGISTERS; i++) {
        store_le32(ret_state->regs + i * 16, lapic->reg[i]);
    }
    ret_state->timer_deadline_ns =
        lapic_timer_counts(lapic) && lapic->deadline_ns != TIMER_NEVER ? lapic->deadline_ns : 0;
    *ret_tsc_deadline = lapic->tsc_deadline;
    g_mutex_unlock(&lapic->mutex);
}

void lapic_set(Lapic *lapic, const X86Lapic *state, uint64_t tsc_deadline)
{
    g_mutex_lock(&lapic->mutex);
    for (unsigned i = 0; i < REGISTERS; i++) {
        lapic->reg[i] = load_le32(state->regs + i * 16);
    }
    lapic->reg[REG_VERSION] = LAPIC_VERSION;
    __atomic_store_n(&lapic->base, lapic->cpu->msr.apic_base, __ATOMIC_RELEASE);
    if (lapic_x2apic(lapic)) {
        enter_x2apic(lapic); /* ID and LDR are fixed then */
    }
    lapic->errors = 0;
    lapic_timer_restore_locked(lapic, state->timer_deadline_ns, tsc_deadline);
    update_and_tell(lapic);
    g_mutex_unlock(&lapic->mutex);
}
