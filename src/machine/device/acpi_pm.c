/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ACPI fixed hardware (ACPI 6.5, chapter 4.8): PM1a event and control registers, a 32-bit PM
 * timer; on board micro with a reset register at CF9h as PC chipsets have it, on board pc as the
 * ICH9's block of 128 ports (Intel 316972, 13.8.3), which the guest places.
 *
 * The machine is always in ACPI mode (SCI_EN reads as 1, there is no SMI command port).  The one
 * sleep state is S5; entering it powers the machine off.  There are no SMIs: their registers only
 * keep what is written, and APMC_EN is set from the beginning, which tells firmware that somebody
 * has set SMM up already.
 *
 * Threads: registers on vCPU threads; the timer on the clock's; the button from any thread; all
 * under the device's lock.
 */
#include "machine/device/acpi_pm.h"

enum { STATUS_TIMER = 1, STATUS_GLOBAL = 0x20, STATUS_POWER_BUTTON = 0x100, STATUS_RTC = 0x400 };
enum { STATUS_ALL = STATUS_TIMER | STATUS_GLOBAL | STATUS_POWER_BUTTON | STATUS_RTC };
enum { CONTROL_SCI_ENABLE = 1, CONTROL_SLEEP_ENABLE = 0x2000 };

/* Doublewords of the ICH9's block. */
enum {
    BLOCK_EVENT = 0x00,
    BLOCK_CONTROL = 0x04,
    BLOCK_TIMER = 0x08,
    BLOCK_GPE_STATUS = 0x20, /* 64 bits each */
    BLOCK_GPE_ENABLE = 0x28,
    BLOCK_SMI_ENABLE = 0x30,
    BLOCK_SMI_STATUS = 0x34,
    BLOCK_SIZE = 0x80,
};
enum { SMI_APMC = 0x20 };

struct AcpiPm {
    Device device;
    /* fixed after create */
    IrqLine sci;
    MachineEvents events;
    Timer *timer;
    unsigned s5_type; /* SLP_TYP of power-off */
    GmWindow *block;  /* of ICH9 */
    /* lock: device.lock */
    uint64_t gpe_status, gpe_enable;
    uint32_t smi_enable;
    uint16_t status, enable, control;
    uint32_t timer_seen; /* the PM timer when its carry was last looked for */
    uint8_t reset_control;
};

static uint64_t ticks(AcpiPm *pm)
{
    return mul_div(clock_now_ns(pm->device.env.clock), ACPI_PM_TIMER_HZ, NS_PER_SECOND);
}

/* TMR_STS: the timer's highest bit has changed since we last looked. */
static void update_carry(AcpiPm *pm)
{
    uint32_t now = (uint32_t)ticks(pm);

    if ((now ^ pm->timer_seen) >> 31) {
        pm->status |= STATUS_TIMER;
    }
    pm->timer_seen = now;
}

static void update(AcpiPm *pm)
{
    update_carry(pm);
    irq_set(&pm->sci, (pm->status & pm->enable & STATUS_ALL) || (pm->gpe_status & pm->gpe_enable));
    if ((pm->enable & STATUS_TIMER) && !(pm->status & STATUS_TIMER)) {
        uint64_t carry = (ticks(pm) | 0x7fffffff) + 1;
        timer_set(pm->timer, mul_div(carry, NS_PER_SECOND, ACPI_PM_TIMER_HZ) + 1);
    } else {
        timer_cancel(pm->timer);
    }
}

static void on_timer(void *opaque)
{
    AcpiPm *pm = opaque;

    g_mutex_lock(&pm->device.lock);
    update(pm);
    g_mutex_unlock(&pm->device.lock);
}

void acpi_pm_power_button(AcpiPm *pm)
{
    g_mutex_lock(&pm->device.lock);
    pm->status |= STATUS_POWER_BUTTON;
    update(pm);
    g_mutex_unlock(&pm->device.lock);
}

void acpi_pm_gpe(AcpiPm *pm, unsigned event)
{
    g_mutex_lock(&pm->device.lock);
    pm->gpe_status |= UINT64_C(1) << event;
    update(pm);
    g_mutex_unlock(&pm->device.lock);
}

/* Both event registers as one 32-bit value, so that any width and offset works. */
static uint64_t read_event(void *opaque, uint64_t offset, unsigned size)
{
    AcpiPm *pm = opaque;

    update(pm);
    return ((uint64_t)pm->enable << 16 | pm->status) >> (offset * 8) & bits_mask(size * 8);
}

static void write_event(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    AcpiPm *pm = opaque;
    uint32_t bits = (uint32_t)(value << (offset * 8));
    uint32_t mask = (uint32_t)(bits_mask(size * 8) << (offset * 8));

    update_carry(pm);
    pm->status &= (uint16_t)~bits; /* a 1 clears */
    pm->enable = (uint16_t)((pm->enable & ~(mask >> 16)) | (bits >> 16)) & STATUS_ALL;
    update(pm);
}

static uint64_t read_control(void *opaque, uint64_t offset, unsigned size)
{
    const AcpiPm *pm = opaque;

    return (uint64_t)(pm->control | CONTROL_SCI_ENABLE) >> (offset * 8) & bits_mask(size * 8);
}

static void write_control(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    AcpiPm *pm = opaque;
    uint32_t mask = (uint32_t)(bits_mask(size * 8) << (offset * 8));
    uint32_t control = (pm->control & ~mask) | (uint32_t)(value << (offset * 8));

    pm->control = control & 0x1c02; /* SLP_TYP, BM_RLD */
    if (!(control & CONTROL_SLEEP_ENABLE)) {
        return;
    }
    if (bits_get(control, 10, 3) == pm->s5_type) {
        pm->events.power(pm->events.opaque, MACHINE_POWER_OFF, 0);
    } else {
        guest_error(&pm->device, "sleep type %u is not offered",
                    (unsigned)bits_get(control, 10, 3));
    }
}

static uint64_t read_timer(void *opaque, uint64_t offset, unsigned size)
{
    return (uint32_t)ticks(opaque) >> (offset * 8) & bits_mask(size * 8);
}

static void write_timer(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
}

/* The reset register is a byte inside the doubleword CF8h, PCI's address register: guests that look
 * for PCI write that whole, and must not reset. */
enum { RESET_BLOCK_PORT = ACPI_PM_RESET_PORT - 1, RESET_BLOCK_SIZE = 4, RESET_OFFSET = 1 };

static uint64_t read_reset(void *opaque, uint64_t offset, unsigned size)
{
    const AcpiPm *pm = opaque;

    return offset == RESET_OFFSET && size == 1 ? pm->reset_control : bits_mask(size * 8);
}

static void write_reset(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    AcpiPm *pm = opaque;

    if (offset != RESET_OFFSET || size != 1) {
        return;
    }
    pm->reset_control = (uint8_t)value & 0xa; /* which kind of reset: both are one to us */
    if (value & 4) {
        pm->events.power(pm->events.opaque, MACHINE_POWER_RESET, 0);
    }
}

/* --- the ICH9's block --- */

static uint32_t read_dword(AcpiPm *pm, unsigned dword)
{
    switch (dword) {
    case BLOCK_EVENT:
        return (uint32_t)read_event(pm, 0, 4);
    case BLOCK_CONTROL:
        return (uint32_t)read_control(pm, 0, 2);
    case BLOCK_TIMER:
        return (uint32_t)read_timer(pm, 0, 4);
    case BLOCK_GPE_STATUS:
    case BLOCK_GPE_STATUS + 4:
        return (uint32_t)(pm->gpe_status >> (dword % 8 * 8));
    case BLOCK_GPE_ENABLE:
    case BLOCK_GPE_ENABLE + 4:
        return (uint32_t)(pm->gpe_enable >> (dword % 8 * 8));
    case BLOCK_SMI_ENABLE:
        return pm->smi_enable;
    default:
        return 0;
    }
}

static uint64_t read_block(void *opaque, uint64_t offset, unsigned size)
{
    return (uint64_t)read_dword(opaque, (unsigned)offset & ~3U) >> (offset % 4 * 8) &
           bits_mask(size * 8);
}

/* @bits of a doubleword are written, where @mask is set. */
static void write_block_rest(AcpiPm *pm, unsigned dword, uint32_t bits, uint32_t mask)
{
    unsigned shift = dword % 8 * 8;

    switch (dword) {
    case BLOCK_GPE_STATUS:
    case BLOCK_GPE_STATUS + 4:
        pm->gpe_status &= ~((uint64_t)bits << shift);
        update(pm);
        break;
    case BLOCK_GPE_ENABLE:
    case BLOCK_GPE_ENABLE + 4:
        pm->gpe_enable = (pm->gpe_enable & ~((uint64_t)mask << shift)) | (uint64_t)bits << shift;
        update(pm);
        break;
    case BLOCK_SMI_ENABLE:
        pm->smi_enable = (pm->smi_enable & ~mask) | bits | SMI_APMC;
        break;
    default:
        break;
    }
}

static void write_block(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    unsigned dword = (unsigned)offset & ~3U, shift = offset % 4 * 8;

    if (dword == BLOCK_EVENT) {
        write_event(opaque, offset, value, size);
    } else if (dword == BLOCK_CONTROL) {
        write_control(opaque, offset - BLOCK_CONTROL, value, size);
    } else {
        write_block_rest(opaque, dword, (uint32_t)(value << shift),
                         (uint32_t)(bits_mask(size * 8) << shift));
    }
}

static const IoOps block_ops = { .read = read_block, .write = write_block, .sizes = 1 | 2 | 4 };

void acpi_pm_place(AcpiPm *pm, bool shown, uint16_t base)
{
    if (shown) {
        gm_window_show(pm->device.env.memory, pm->block, base);
    } else {
        gm_window_hide(pm->device.env.memory, pm->block);
    }
}

static const IoOps event_ops = { .read = read_event, .write = write_event, .sizes = 1 | 2 | 4 };
static const IoOps control_ops = { .read = read_control, .write = write_control, .sizes = 1 | 2 };
static const IoOps timer_ops = { .read = read_timer, .write = write_timer, .sizes = 1 | 2 | 4 };
static const IoOps reset_ops = { .read = read_reset, .write = write_reset, .sizes = 1 | 2 | 4 };

static void reset(Device *device)
{
    AcpiPm *pm = container_of(device, AcpiPm, device);

    pm->status = pm->enable = pm->control = 0;
    pm->gpe_status = pm->gpe_enable = 0;
    pm->smi_enable = SMI_APMC;
    pm->reset_control = 0;
    pm->timer_seen = (uint32_t)ticks(pm);
    update(pm);
}

static bool loaded(Device *device, GError **error)
{
    update(container_of(device, AcpiPm, device));
    return true;
}

static void destroy(Device *device)
{
    timer_free(container_of(device, AcpiPm, device)->timer);
}

static const SavedField saved[] = {
    SAVED(AcpiPm, status),
    SAVED_RANGE(AcpiPm, enable, 0, STATUS_ALL),
    SAVED_RANGE(AcpiPm, control, 0, 0x1c02),
    SAVED(AcpiPm, timer_seen),
    SAVED_RANGE(AcpiPm, reset_control, 0, 0xa),
    SAVED(AcpiPm, gpe_status),
    SAVED(AcpiPm, gpe_enable),
    SAVED(AcpiPm, smi_enable),
    { 0 },
};

const DeviceClass acpi_pm_class = {
    .name = "acpi-pm",
    .summary = "ACPI power management: power-off, reset, power button, timer",
    .instance_size = sizeof(AcpiPm),
    .saved = saved,
    .reset = reset,
    .loaded = loaded,
    .destroy = destroy,
};

static AcpiPm *new_pm(const DeviceEnv *env, IrqLine sci, MachineEvents events, unsigned s5_type)
{
    AcpiPm *pm = device_new(&acpi_pm_class, env, "acpi-pm");

    pm->sci = sci;
    pm->events = events;
    pm->s5_type = s5_type;
    pm->timer = timer_new(env->clock, on_timer, pm);
    return pm;
}

AcpiPm *acpi_pm_new(const DeviceEnv *env, IrqLine sci, MachineEvents events)
{
    AcpiPm *pm = new_pm(env, sci, events, ACPI_PM_S5_TYPE);

    device_add_pio(&pm->device, &event_ops, ACPI_PM_EVENT_PORT, 4);
    device_add_pio(&pm->device, &control_ops, ACPI_PM_CONTROL_PORT, 2);
    device_add_pio(&pm->device, &timer_ops, ACPI_PM_TIMER_PORT, 4);
    device_add_pio(&pm->device, &reset_ops, RESET_BLOCK_PORT, RESET_BLOCK_SIZE);
    return pm;
}

AcpiPm *acpi_pm_new_ich9(const DeviceEnv *env, IrqLine sci, MachineEvents events)
{
    AcpiPm *pm = new_pm(env, sci, events, ACPI_PM_ICH9_S5_TYPE);

    pm->block = gm_add_window(env->memory, &(GmWindowConfig){
                                               .io = { .name = acpi_pm_class.name,
                                                       .size = BLOCK_SIZE,
                                                       .ops = &block_ops,
                                                       .opaque = pm,
                                                       .lock = &pm->device.lock },
                                               .ports = true,
                                               .hidden = true,
                                               .priority = GM_BAR,
                                           });
    return pm;
}
