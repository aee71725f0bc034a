/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MC146818A real-time clock (Motorola data sheet) with 128 bytes of CMOS RAM behind ports 70h
 * and 71h, as in a PC: century at 32h, memory sizes where a BIOS leaves them.
 *
 * Nothing ticks.  Time is the machine clock's wall time plus an offset that setting the time
 * changes.  The flags of register C follow from the time that has passed since they were last
 * looked at; a timer is set only while the guest wants an interrupt.
 *
 * Threads: registers on vCPU threads; the timer on the clock's; all under the device's lock.
 */
#include "machine/device/rtc.h"

enum { CMOS_SIZE = 128 };

/* Registers. */
enum {
    SECONDS = 0,
    SECONDS_ALARM = 1,
    MINUTES = 2,
    MINUTES_ALARM = 3,
    HOURS = 4,
    HOURS_ALARM = 5,
    WEEKDAY = 6,
    DAY = 7,
    MONTH = 8,
    YEAR = 9,
    REG_A = 10,
    REG_B = 11,
    REG_C = 12,
    REG_D = 13,
    CENTURY = 0x32,
};

enum { A_UPDATING = 0x80, A_DIVIDER = 0x70, A_DIVIDER_RUN = 0x20, A_RATE = 0x0f };
enum { B_SET = 0x80, B_PERIODIC = 0x40, B_ALARM = 0x20, B_UPDATE = 0x10, B_BINARY = 4, B_24H = 2 };
enum { C_IRQ = 0x80, C_PERIODIC = 0x40, C_ALARM = 0x20, C_UPDATE = 0x10 };
enum { D_VALID = 0x80 };

enum { UPDATE_US = 244 }; /* how long UIP shows before an update */
enum { DAY_S = 86400 };
enum { LAST_YEAR = 2500 }; /* nanoseconds since 1970 fit 64 bits until 2554 */
#define NO_ALARM UINT64_MAX

struct Rtc {
    Device device;
    /* fixed after create */
    IrqLine irq;
    Timer *timer;
    RtcMemorySizes sizes;
    /* lock: device.lock */
    uint8_t index;
    uint8_t cmos[CMOS_SIZE]; /* the time registers only while B_SET holds them */
    uint64_t offset_s;       /* rtc = wall + offset, modulo 2^64 */
    uint64_t seen_ns;        /* up to when the flags of register C are accounted for */
};

/* The clock's time as nanoseconds since 1970. */
static uint64_t rtc_ns(const Rtc *rtc)
{
    return clock_wall_ns(rtc->device.env.clock) + rtc->offset_s * NS_PER_SECOND;
}

static uint8_t encode(const Rtc *rtc, unsigned value)
{
    if (rtc->cmos[REG_B] & B_BINARY) {
        return (uint8_t)value;
    }
    return (uint8_t)(value / 10 % 10 << 4 | value % 10);
}

static unsigned decode(const Rtc *rtc, uint8_t value)
{
    if (rtc->cmos[REG_B] & B_BINARY) {
        return value;
    }
    return (value >> 4) * 10U + (value & 0xf);
}

static uint8_t encode_hour(const Rtc *rtc, unsigned hour)
{
    if (rtc->cmos[REG_B] & B_24H) {
        return encode(rtc, hour);
    }
    return encode(rtc, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? 0x80 : 0);
}

static unsigned decode_hour(const Rtc *rtc, uint8_t value)
{
    if (rtc->cmos[REG_B] & B_24H) {
        return decode(rtc, value);
    }
    return decode(rtc, value & 0x7f) % 12 + (value & 0x80 ? 12 : 0);
}

/* Days since 1970 of a date of the Gregorian calendar; @month from 1, any @day. */
static int64_t days_from_date(int64_t year, unsigned month, unsigned day)
{
    static const uint16_t before[12] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int64_t past = year - 1;
    int64_t days = past * 365 + past / 4 - past / 100 + past / 400 - 719162;

    return days + before[(month + 11) % 12] + (leap && month > 2) + (int64_t)day - 1;
}

typedef struct Date {
    unsigned year, month, day, weekday; /* month and day from 1; weekday: Sunday is 1 */
} Date;

static Date date_from_days(uint64_t days)
{
    Date date = { .weekday = (unsigned)((days + 4) % 7) + 1 };
    unsigned year = 1970 + (unsigned)(days / 366);

    while (days_from_date(year + 1, 1, 1) <= (int64_t)days) {
        year++;
    }
    unsigned month = 12;
    while (days_from_date(year, month, 1) > (int64_t)days) {
        month--;
    }
    date.year = year;
    date.month = month;
    date.day = (unsigned)((int64_t)days - days_from_date(year, month, 1)) + 1;
    return date;
}

/* Fill the ten time registers from the running clock. */
static void show_time(Rtc *rtc)
{
    uint64_t seconds = rtc_ns(rtc) / NS_PER_SECOND;
    unsigned of_day = (unsigned)(seconds % DAY_S);
    Date date = date_from_days(seconds / DAY_S);

    rtc->cmos[SECONDS] = encode(rtc, of_day % 60);
    rtc->cmos[MINUTES] = encode(rtc, of_day / 60 % 60);
    rtc->cmos[HOURS] = encode_hour(rtc, of_day / 3600);
    rtc->cmos[WEEKDAY] = encode(rtc, date.weekday);
    rtc->cmos[DAY] = encode(rtc, date.day);
    rtc->cmos[MONTH] = encode(rtc, date.month);
    rtc->cmos[YEAR] = encode(rtc, date.year % 100);
    rtc->cmos[CENTURY] = encode(rtc, date.year / 100);
}

/* Set the running clock from the time registers, whatever the guest wrote there. */
static void take_time(Rtc *rtc)
{
    unsigned year = decode(rtc, rtc->cmos[CENTURY]) * 100 + decode(rtc, rtc->cmos[YEAR]);
    unsigned month = CLAMP(decode(rtc, rtc->cmos[MONTH]), 1, 12);

    year = CLAMP(year, 1970, LAST_YEAR);
    uint64_t days = (uint64_t)MAX(days_from_date(year, month, decode(rtc, rtc->cmos[DAY])), 0);
    uint64_t seconds = days * DAY_S + decode_hour(rtc, rtc->cmos[HOURS]) * 3600U +
                       decode(rtc, rtc->cmos[MINUTES]) * 60U + decode(rtc, rtc->cmos[SECONDS]);
    rtc->offset_s = seconds - clock_wall_ns(rtc->device.env.clock) / NS_PER_SECOND;
}

/* Nanoseconds between periodic interrupts; 0: none. */
static uint64_t period_ns(const Rtc *rtc)
{
    unsigned rate = rtc->cmos[REG_A] & A_RATE;

    if (!rate || (rtc->cmos[REG_A] & A_DIVIDER) != A_DIVIDER_RUN) {
        return 0;
    }
    if (rate <= 2) {
        rate += 7; /* 256 Hz and 128 Hz */
    }
    return (NS_PER_SECOND << (rate - 1)) / 32768;
}

/* Whether @value may be what alarm register @alarm asks for; 11xxxxxx asks for any. */
static bool alarm_match(uint8_t alarm, uint8_t value)
{
    return (alarm & 0xc0) == 0xc0 || alarm == value;
}

static uint64_t round_up(uint64_t at, uint64_t unit)
{
    return (at / unit + 1) * unit;
}

/* The first second from @at on, in the same minute, that the alarm's seconds match, or NO_ALARM. */
static uint64_t alarm_in_minute(const Rtc *rtc, uint64_t at)
{
    for (uint64_t s = at; s < round_up(at, 60); s++) {
        if (alarm_match(rtc->cmos[SECONDS_ALARM], encode(rtc, (unsigned)(s % 60)))) {
            return s;
        }
    }
    return NO_ALARM;
}

/* The same in the same hour, by minutes and seconds. */
static uint64_t alarm_in_hour(const Rtc *rtc, uint64_t at)
{
    uint64_t found = NO_ALARM;

    for (uint64_t end = round_up(at, 3600); at < end && found == NO_ALARM; at = round_up(at, 60)) {
        if (alarm_match(rtc->cmos[MINUTES_ALARM], encode(rtc, (unsigned)(at / 60 % 60)))) {
            found = alarm_in_minute(rtc, at);
        }
    }
    return found;
}

/* The first second after @after_s at which the alarm goes off, or NO_ALARM. */
static uint64_t next_alarm_s(const Rtc *rtc, uint64_t after_s)
{
    uint64_t found = NO_ALARM;
    uint64_t at = after_s + 1;

    /* a day, and the hour that it began in once more */
    for (unsigned hours = 0; hours < 25 && found == NO_ALARM; hours++) {
        if (alarm_match(rtc->cmos[HOURS_ALARM], encode_hour(rtc, (unsigned)(at / 3600 % 24)))) {
            found = alarm_in_hour(rtc, at);
        }
        at = round_up(at, 3600);
    }
    return found;
}

/* Account for the time that has passed: set the flags of register C. */
static void update_flags(Rtc *rtc)
{
    uint64_t now_ns = rtc_ns(rtc);
    uint64_t period = period_ns(rtc);
    uint64_t seen_s = rtc->seen_ns / NS_PER_SECOND;

    if (now_ns <= rtc->seen_ns) {
        rtc->seen_ns = now_ns;
        return;
    }
    if (period && now_ns / period != rtc->seen_ns / period) {
        rtc->cmos[REG_C] |= C_PERIODIC;
    }
    if (now_ns / NS_PER_SECOND != seen_s && !(rtc->cmos[REG_B] & B_SET)) {
        rtc->cmos[REG_C] |= C_UPDATE;
        if (next_alarm_s(rtc, seen_s) <= now_ns / NS_PER_SECOND) {
            rtc->cmos[REG_C] |= C_ALARM;
        }
    }
    rtc->seen_ns = now_ns;
}

/* Nanoseconds of the RTC's own time at which the next wanted flag rises; UINT64_MAX: none. */
static uint64_t next_flag_ns(const Rtc *rtc)
{
    uint8_t wanted = rtc->cmos[REG_B] & ~rtc->cmos[REG_C];
    uint64_t period = period_ns(rtc);
    uint64_t next = UINT64_MAX;

    if ((wanted & B_PERIODIC) && period) {
        next = (rtc->seen_ns / period + 1) * period;
    }
    if (rtc->cmos[REG_B] & B_SET) {
        return next;
    }
    uint64_t seen_s = rtc->seen_ns / NS_PER_SECOND;
    if (wanted & B_UPDATE) {
        next = MIN(next, (seen_s + 1) * NS_PER_SECOND);
    }
    if (wanted & B_ALARM) {
        uint64_t alarm_s = next_alarm_s(rtc, seen_s);
        next = alarm_s == NO_ALARM ? next : MIN(next, alarm_s * NS_PER_SECOND);
    }
    return next;
}

/* Bring flags, line and timer up to date. */
static void update(Rtc *rtc)
{
    update_flags(rtc);
    uint8_t active = rtc->cmos[REG_B] & rtc->cmos[REG_C] & (C_PERIODIC | C_ALARM | C_UPDATE);
    if (active) {
        rtc->cmos[REG_C] |= C_IRQ;
    } else {
        rtc->cmos[REG_C] &= ~C_IRQ;
    }
    irq_set(&rtc->irq, active);
    uint64_t next_ns = active ? UINT64_MAX : next_flag_ns(rtc);
    if (next_ns == UINT64_MAX) {
        timer_cancel(rtc->timer);
    } else {
        timer_set(rtc->timer, clock_now_ns(rtc->device.env.clock) + (next_ns - rtc->seen_ns));
    }
}

static void on_timer(void *opaque)
{
    Rtc *rtc = opaque;

    g_mutex_lock(&rtc->device.lock);
    update(rtc);
    g_mutex_unlock(&rtc->device.lock);
}

static bool is_time(unsigned index)
{
    return index == SECONDS || index == MINUTES || index == HOURS ||
           (index >= WEEKDAY && index <= YEAR) || index == CENTURY;
}

static uint8_t read_reg_a(const Rtc *rtc)
{
    uint64_t in_second_ns = rtc_ns(rtc) % NS_PER_SECOND;
    bool updating = in_second_ns >= NS_PER_SECOND - UPDATE_US * 1000;

    return rtc->cmos[REG_A] | (updating && !(rtc->cmos[REG_B] & B_SET) ? A_UPDATING : 0);
}

static uint8_t read_cmos(Rtc *rtc)
{
    unsigned index = rtc->index;
    uint8_t value;

    if (is_time(index) && !(rtc->cmos[REG_B] & B_SET)) {
        show_time(rtc);
    }
    switch (index) {
    case REG_A:
        return read_reg_a(rtc);
    case REG_C:
        update(rtc);
        value = rtc->cmos[REG_C];
        rtc->cmos[REG_C] = 0;
        update(rtc);
        return value;
    default:
        return rtc->cmos[index];
    }
}

static void write_reg_b(Rtc *rtc, uint8_t value)
{
    bool was_set = rtc->cmos[REG_B] & B_SET;

    if ((value & B_SET) && !was_set) {
        show_time(rtc); /* hold what it shows now */
        value &= ~B_UPDATE;
    }
    rtc->cmos[REG_B] = value;
    if (!(value & B_SET) && was_set) {
        take_time(rtc);
    }
}

static void write_cmos(Rtc *rtc, uint8_t value)
{
    unsigned index = rtc->index;

    update_flags(rtc);
    switch (index) {
    case REG_A:
        rtc->cmos[REG_A] = value & ~A_UPDATING;
        break;
    case REG_B:
        write_reg_b(rtc, value);
        rtc->seen_ns = rtc_ns(rtc);
        break;
    case REG_C:
    case REG_D:
        break;
    default:
        if (is_time(index) && !(rtc->cmos[REG_B] & B_SET)) {
            show_time(rtc);
            rtc->cmos[index] = value;
            take_time(rtc);
            rtc->seen_ns = rtc_ns(rtc);
        } else {
            rtc->cmos[index] = value;
        }
        break;
    }
    update(rtc);
}

static uint64_t read_port(void *opaque, uint64_t offset, unsigned size)
{
    Rtc *rtc = opaque;

    return offset == 0 ? rtc->index : read_cmos(rtc);
}

static void write_port(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Rtc *rtc = opaque;

    if (offset == 0) {
        rtc->index = (uint8_t)value & (CMOS_SIZE - 1); /* bit 7 would mask NMI */
    } else {
        write_cmos(rtc, (uint8_t)value);
    }
}

static const IoOps ops = { .read = read_port, .write = write_port, .sizes = 1 };

/* Memory sizes as a BIOS leaves them: in KiB, 64 KiB and 64 KiB above 4 GiB. */
static void fill_sizes(Rtc *rtc)
{
    uint64_t low_kib = rtc->sizes.below_4g >> 10;
    uint64_t extended_kib = low_kib > 1024 ? MIN(low_kib - 1024, 65535) : 0;
    uint64_t above_16m = low_kib > 16384 ? MIN((low_kib - 16384) / 64, 65535) : 0;
    uint64_t above_4g = MIN(rtc->sizes.above_4g >> 16, 0xffffff);

    store_le16(&rtc->cmos[0x15], 640);
    store_le16(&rtc->cmos[0x17], (uint16_t)extended_kib);
    store_le16(&rtc->cmos[0x30], (uint16_t)extended_kib);
    store_le16(&rtc->cmos[0x34], (uint16_t)above_16m);
    store_le16(&rtc->cmos[0x5b], (uint16_t)above_4g);
    rtc->cmos[0x5d] = (uint8_t)(above_4g >> 16);
    rtc->cmos[0x14] = 6; /* equipment: FPU, mouse port */
}

/* The battery keeps time and RAM; only interrupts are switched off. */
static void reset(Device *device)
{
    Rtc *rtc = container_of(device, Rtc, device);

    rtc->index = 0;
    rtc->cmos[REG_A] = A_DIVIDER_RUN | 6;
    rtc->cmos[REG_B] = B_24H;
    rtc->cmos[REG_C] = 0;
    rtc->cmos[REG_D] = D_VALID;
    fill_sizes(rtc);
    rtc->seen_ns = rtc_ns(rtc);
    update(rtc);
}

static bool loaded(Device *device, GError **error)
{
    Rtc *rtc = container_of(device, Rtc, device);

    rtc->cmos[REG_A] &= ~A_UPDATING;
    rtc->cmos[REG_D] = D_VALID;
    update(rtc);
    return true;
}

static void destroy(Device *device)
{
    timer_free(container_of(device, Rtc, device)->timer);
}

static const SavedField saved[] = {
    SAVED_RANGE(Rtc, index, 0, CMOS_SIZE - 1),
    SAVED_ARRAY(Rtc, cmos),
    SAVED(Rtc, offset_s),
    SAVED(Rtc, seen_ns),
    { 0 },
};

const DeviceClass rtc_class = {
    .name = "rtc",
    .summary = "MC146818A real-time clock and CMOS RAM",
    .instance_size = sizeof(Rtc),
    .saved = saved,
    .reset = reset,
    .loaded = loaded,
    .destroy = destroy,
};

Rtc *rtc_new(const DeviceEnv *env, IrqLine irq, RtcMemorySizes sizes)
{
    Rtc *rtc = device_new(&rtc_class, env, "rtc");

    rtc->irq = irq;
    rtc->sizes = sizes;
    rtc->timer = timer_new(env->clock, on_timer, rtc);
    device_add_pio(&rtc->device, &ops, 0x70, 2);
    return rtc;
}
