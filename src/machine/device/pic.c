/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two cascaded 8259A interrupt controllers (Intel 8259A data sheet, order 231468), as in a PC:
 * ports 20h and A0h, edge or level per pin by ports 4D0h and 4D1h.
 *
 * A pin that rises sets its bit in IRR.  The chip raises INT while some unmasked bit of IRR has a
 * higher priority than every bit in service (ISR).  The CPU's acknowledge moves the bit from IRR
 * to ISR, where it stays until the guest's end-of-interrupt.  The second chip's INT is the first
 * one's pin 2.  An edge stays latched although its line falls again.
 *
 * Threads: registers on vCPU threads; lines and acknowledge from any thread, under the lock.
 */
#include "machine/device/pic.h"

enum { CASCADE = 2, PINS = 8, SPURIOUS = 7 };

/* Initialisation goes through command words ICW1 to ICW4; 0: done. */
enum { INIT_DONE, INIT_ICW2, INIT_ICW3, INIT_ICW4 };

typedef struct PicChip {
    uint8_t lines; /* levels of the pins */
    uint8_t irr, isr, imr;
    uint8_t level_pins; /* ELCR: a bit per pin that is level-triggered */
    uint8_t vector_base;
    uint8_t first; /* the pin of highest priority */
    uint8_t init_step;
    bool init_icw4, init_single;
    bool read_isr, poll;
    bool special_mask, auto_eoi, rotate_auto, fully_nested;
} PicChip;

struct Pic {
    Device device;
    IrqLine intr; /* fixed after create */
    /* lock: device.lock */
    PicChip chip[2];
    bool raised; /* INTR as it was last told */
};

/* The bit of highest priority in @bits, as pin number; -1: none. */
static int highest(const PicChip *chip, uint8_t bits)
{
    for (unsigned i = 0; i < PINS; i++) {
        unsigned pin = (chip->first + i) % PINS;
        if (bits & 1U << pin) {
            return (int)pin;
        }
    }
    return -1;
}

static unsigned rank(const PicChip *chip, int pin)
{
    return pin < 0 ? PINS : ((unsigned)pin - chip->first) % PINS;
}

/* The pin that the chip asks to be served, or -1. */
static int pending(const PicChip *chip)
{
    int pin = highest(chip, chip->irr & ~chip->imr);
    uint8_t in_service = chip->isr;

    if (chip->special_mask) {
        in_service &= ~chip->imr;
    }
    if (chip->fully_nested) {
        in_service &= (uint8_t) ~(1U << CASCADE); /* the second chip sorts its own out */
    }
    return rank(chip, pin) < rank(chip, highest(chip, in_service)) ? pin : -1;
}

/* Bring the cascade and INTR in line with the chips.  Lock: held. */
static void update(Pic *pic)
{
    PicChip *first = &pic->chip[0];

    if (pending(&pic->chip[1]) >= 0) {
        first->irr |= 1U << CASCADE;
    } else {
        first->irr &= (uint8_t) ~(1U << CASCADE);
    }
    bool raised = pending(first) >= 0;
    if (raised != pic->raised) { /* the engine need not hear of each access */
        pic->raised = raised;
        irq_set(&pic->intr, raised);
    }
}

void pic_set_line(Pic *pic, unsigned pin, bool level)
{
    if (pin == CASCADE || pin >= 2 * PINS) {
        return;
    }
    g_mutex_lock(&pic->device.lock);
    PicChip *chip = &pic->chip[pin / PINS];
    uint8_t bit = (uint8_t)(1U << pin % PINS);
    if (chip->level_pins & bit) {
        chip->irr = level ? chip->irr | bit : chip->irr & ~bit;
    } else if (level && !(chip->lines & bit)) {
        chip->irr |= bit;
    }
    chip->lines = level ? chip->lines | bit : chip->lines & ~bit;
    update(pic);
    g_mutex_unlock(&pic->device.lock);
}

/* @pin goes into service. */
static void serve(PicChip *chip, unsigned pin)
{
    uint8_t bit = (uint8_t)(1U << pin);

    if (!(chip->level_pins & bit)) {
        chip->irr &= ~bit;
    }
    if (!chip->auto_eoi) {
        chip->isr |= bit;
    } else if (chip->rotate_auto) {
        chip->first = (pin + 1) % PINS;
    }
}

uint8_t pic_ack(Pic *pic)
{
    g_mutex_lock(&pic->device.lock);
    PicChip *chip = &pic->chip[0];
    int pin = pending(chip);
    if (pin >= 0) {
        serve(chip, (unsigned)pin);
    }
    if (pin == CASCADE) {
        chip = &pic->chip[1];
        pin = pending(chip);
        if (pin >= 0) {
            serve(chip, (unsigned)pin);
        }
    }
    uint8_t vector = (uint8_t)(chip->vector_base + (pin < 0 ? SPURIOUS : pin));
    update(pic);
    g_mutex_unlock(&pic->device.lock);
    return vector;
}

static void end_of_interrupt(PicChip *chip, int pin, bool rotate)
{
    if (pin < 0) {
        return;
    }
    chip->isr &= (uint8_t) ~(1U << pin);
    if (rotate) {
        chip->first = ((unsigned)pin + 1) % PINS;
    }
}

/* OCW2: ends of interrupts and rotation of priorities. */
static void write_ocw2(PicChip *chip, uint8_t value)
{
    uint8_t in_service = chip->special_mask ? chip->isr & ~chip->imr : chip->isr;
    int pin = value & 7;

    switch (value >> 5) {
    case 0:
        chip->rotate_auto = false;
        break;
    case 4:
        chip->rotate_auto = true;
        break;
    case 1:
    case 5:
        end_of_interrupt(chip, highest(chip, in_service), value >> 5 == 5);
        break;
    case 3:
    case 7:
        end_of_interrupt(chip, pin, value >> 5 == 7);
        break;
    case 6:
        chip->first = ((unsigned)pin + 1) % PINS;
        break;
    default:
        break; /* 2: no operation */
    }
}

static void write_ocw3(PicChip *chip, uint8_t value)
{
    if (value & 4) {
        chip->poll = true;
    }
    if (value & 2) {
        chip->read_isr = value & 1;
    }
    if (value & 0x40) {
        chip->special_mask = value & 0x20;
    }
}

static void write_icw1(PicChip *chip, uint8_t value)
{
    chip->irr &= chip->level_pins & chip->lines;
    chip->isr = chip->imr = 0;
    chip->first = 0;
    chip->read_isr = chip->poll = false;
    chip->special_mask = chip->auto_eoi = chip->rotate_auto = chip->fully_nested = false;
    chip->init_icw4 = value & 1;
    chip->init_single = value & 2;
    chip->init_step = INIT_ICW2;
}

/* A write to the odd port: the rest of the initialisation, or the mask. */
static void write_data(PicChip *chip, uint8_t value)
{
    switch (chip->init_step) {
    case INIT_ICW2:
        chip->vector_base = value & 0xf8;
        chip->init_step = !chip->init_single ? INIT_ICW3 : chip->init_icw4 ? INIT_ICW4 : INIT_DONE;
        break;
    case INIT_ICW3: /* the wiring of the cascade, which is fixed */
        chip->init_step = chip->init_icw4 ? INIT_ICW4 : INIT_DONE;
        break;
    case INIT_ICW4:
        chip->auto_eoi = value & 2;
        chip->fully_nested = value & 0x10;
        chip->init_step = INIT_DONE;
        break;
    default:
        chip->imr = value;
        break;
    }
}

static void write_chip(Pic *pic, PicChip *chip, uint64_t offset, uint8_t value)
{
    if (offset & 1) {
        write_data(chip, value);
    } else if (value & 0x10) {
        write_icw1(chip, value);
    } else if (value & 8) {
        write_ocw3(chip, value);
    } else {
        write_ocw2(chip, value);
    }
    update(pic);
}

static uint8_t read_chip(Pic *pic, PicChip *chip, uint64_t offset)
{
    if (chip->poll) { /* the read acknowledges, as the CPU would */
        int pin = pending(chip);
        chip->poll = false;
        if (pin >= 0) {
            serve(chip, (unsigned)pin);
            update(pic);
        }
        return pin < 0 ? 0 : (uint8_t)(0x80 | pin);
    }
    if (offset & 1) {
        return chip->imr;
    }
    return chip->read_isr ? chip->isr : chip->irr;
}

static uint64_t first_read(void *opaque, uint64_t offset, unsigned size)
{
    Pic *pic = opaque;

    return read_chip(pic, &pic->chip[0], offset);
}

static void first_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Pic *pic = opaque;

    write_chip(pic, &pic->chip[0], offset, (uint8_t)value);
}

static uint64_t second_read(void *opaque, uint64_t offset, unsigned size)
{
    Pic *pic = opaque;

    return read_chip(pic, &pic->chip[1], offset);
}

static void second_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Pic *pic = opaque;

    write_chip(pic, &pic->chip[1], offset, (uint8_t)value);
}

static uint64_t elcr_read(void *opaque, uint64_t offset, unsigned size)
{
    const Pic *pic = opaque;

    return pic->chip[offset & 1].level_pins;
}

static void elcr_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    static const uint8_t settable[2] = { 0xf8,
                                         0xde }; /* not timer, keyboard, cascade, clock, FPU */
    Pic *pic = opaque;

    pic->chip[offset & 1].level_pins = (uint8_t)value & settable[offset & 1];
    update(pic);
}

static const IoOps first_ops = { .read = first_read, .write = first_write, .sizes = 1 };
static const IoOps second_ops = { .read = second_read, .write = second_write, .sizes = 1 };
static const IoOps elcr_ops = { .read = elcr_read, .write = elcr_write, .sizes = 1 };

static void reset(Device *device)
{
    Pic *pic = container_of(device, Pic, device);

    for (unsigned i = 0; i < 2; i++) {
        pic->chip[i] = (PicChip){ .lines = pic->chip[i].lines };
    }
    update(pic);
}

static bool loaded(Device *device, GError **error)
{
    Pic *pic = container_of(device, Pic, device);

    irq_set(&pic->intr, pic->raised); /* whoever listens now has not heard it */
    update(pic);
    return true;
}

#define SAVED_CHIP(n)                                                                              \
    SAVED(Pic, chip[n].lines), SAVED(Pic, chip[n].irr), SAVED(Pic, chip[n].isr),                   \
        SAVED(Pic, chip[n].imr), SAVED(Pic, chip[n].level_pins), SAVED(Pic, chip[n].vector_base),  \
        SAVED_RANGE(Pic, chip[n].first, 0, 7), SAVED_RANGE(Pic, chip[n].init_step, 0, INIT_ICW4),  \
        SAVED(Pic, chip[n].init_icw4), SAVED(Pic, chip[n].init_single),                            \
        SAVED(Pic, chip[n].read_isr), SAVED(Pic, chip[n].poll), SAVED(Pic, chip[n].special_mask),  \
        SAVED(Pic, chip[n].auto_eoi), SAVED(Pic, chip[n].rotate_auto),                             \
        SAVED(Pic, chip[n].fully_nested)

static const SavedField saved[] = { SAVED_CHIP(0), SAVED_CHIP(1), { 0 } };

const DeviceClass pic_class = {
    .name = "i8259",
    .summary = "pair of 8259A interrupt controllers",
    .instance_size = sizeof(Pic),
    .saved = saved,
    .reset = reset,
    .loaded = loaded,
};

Pic *pic_new(const DeviceEnv *env, IrqLine intr)
{
    Pic *pic = device_new(&pic_class, env, "pic");

    pic->intr = intr;
    device_add_pio(&pic->device, &first_ops, 0x20, 2);
    device_add_pio(&pic->device, &second_ops, 0xa0, 2);
    device_add_pio(&pic->device, &elcr_ops, 0x4d0, 2);
    return pic;
}
