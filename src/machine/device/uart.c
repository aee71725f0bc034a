/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 16550A serial port (National Semiconductor PC16550D data sheet).
 *
 * Output goes to the back end byte by byte, as fast as it takes it; what it does not take waits in
 * the 16-byte FIFO, and the guest sees the transmitter busy, as with a slow line.  Input is taken
 * only while the receive FIFO has room, so none is lost; a guest that doesn't look just isn't sent
 * more.  No time passes per character: the baud rate is kept and ignored, and the receiver's
 * time-out interrupt comes at once.
 *
 * Threads: registers on vCPU threads; input and writable on the back end's thread; all under the
 * device's lock.
 */
#include "machine/device/uart.h"

enum { FIFO_SIZE = 16 };

enum { RBR_THR, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };

enum { IER_RX = 1, IER_TX = 2, IER_LINE = 4, IER_MODEM = 8 };
enum { IIR_NONE = 1, IIR_MODEM = 0, IIR_TX = 2, IIR_RX = 4, IIR_TIMEOUT = 12, IIR_LINE = 6 };
enum { IIR_FIFOS = 0xc0 };
enum { FCR_ENABLE = 1, FCR_CLEAR_RX = 2, FCR_CLEAR_TX = 4 };
enum { LCR_BREAK = 0x40, LCR_DLAB = 0x80 };
enum { MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 16 };
enum { LSR_DATA = 1, LSR_OVERRUN = 2, LSR_THR_EMPTY = 0x20, LSR_IDLE = 0x40 };
enum { LSR_ERRORS = 0x1e };
enum { MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80 };

typedef struct UartFifo {
    uint8_t data[FIFO_SIZE];
    uint8_t head, used;
} UartFifo;

struct Uart {
    Device device;
    /* fixed after create */
    IrqLine irq;
    CharBackend *backend;
    CharListener listener;
    /* lock: device.lock */
    uint8_t ier, fcr, lcr, mcr, scr;
    uint8_t lsr_errors;  /* OVERRUN until LSR is read */
    uint8_t msr_changes; /* the low half of MSR */
    uint8_t msr_lines;   /* the high half */
    uint16_t divisor;
    bool tx_pending;    /* "transmitter empty" not yet told */
    bool input_stopped; /* the back end waits for resume */
    UartFifo rx, tx;
};

static void fifo_push(UartFifo *fifo, uint8_t byte)
{
    fifo->data[(fifo->head + fifo->used) % FIFO_SIZE] = byte;
    fifo->used++;
}

static uint8_t fifo_pop(UartFifo *fifo)
{
    uint8_t byte = fifo->data[fifo->head % FIFO_SIZE];

    fifo->head = (uint8_t)((fifo->head + 1) % FIFO_SIZE);
    fifo->used--;
    return byte;
}

/* How many bytes a FIFO holds as the guest has set it up. */
static unsigned depth(const Uart *uart)
{
    return uart->fcr & FCR_ENABLE ? FIFO_SIZE : 1;
}

static unsigned rx_trigger(const Uart *uart)
{
    static const uint8_t levels[4] = { 1, 4, 8, 14 };

    return uart->fcr & FCR_ENABLE ? levels[uart->fcr >> 6] : 1;
}

/* The interrupt of highest priority, as IIR shows it. */
static uint8_t cause(const Uart *uart)
{
    if ((uart->ier & IER_LINE) && uart->lsr_errors) {
        return IIR_LINE;
    }
    if ((uart->ier & IER_RX) && uart->rx.used) {
        return uart->rx.used >= rx_trigger(uart) ? IIR_RX : IIR_TIMEOUT;
    }
    if ((uart->ier & IER_TX) && uart->tx_pending) {
        return IIR_TX;
    }
    if ((uart->ier & IER_MODEM) && uart->msr_changes) {
        return IIR_MODEM;
    }
    return IIR_NONE;
}

/* OUT2 gates the interrupt on a PC; in loopback mode it is cut off. */
static void update_irq(Uart *uart)
{
    bool connected = (uart->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;

    irq_set(&uart->irq, connected && cause(uart) != IIR_NONE);
}

/* Hand the transmit FIFO to the back end, as far as it takes it. */
static void drain(Uart *uart)
{
    bool was_empty = uart->tx.used == 0;

    while (uart->tx.used) {
        uint8_t byte = uart->tx.data[uart->tx.head % FIFO_SIZE];
        if (uart->backend && !uart->backend->write(uart->backend->opaque, &byte, 1)) {
            return;
        }
        fifo_pop(&uart->tx);
    }
    if (!was_empty) {
        uart->tx_pending = true;
    }
}

/* A byte arrives, from the world or by loopback; there may be no room. */
static void receive(Uart *uart, uint8_t byte)
{
    if (uart->rx.used >= depth(uart)) {
        uart->lsr_errors |= LSR_OVERRUN;
        return;
    }
    fifo_push(&uart->rx, byte);
}

static void transmit(Uart *uart, uint8_t byte)
{
    uart->tx_pending = false;
    if (uart->mcr & MCR_LOOP) {
        receive(uart, byte);
        uart->tx_pending = true;
        return;
    }
    if (uart->tx.used >= depth(uart)) {
        return; /* the guest didn't look at LSR: the byte is lost, as in the chip */
    }
    fifo_push(&uart->tx, byte);
    drain(uart);
}

static bool can_receive(const Uart *uart)
{
    return uart->rx.used < depth(uart) && !(uart->mcr & MCR_LOOP);
}

/* Let the back end go on if it waits and there is room. */
static void resume_input(Uart *uart)
{
    if (uart->input_stopped && uart->backend && can_receive(uart)) {
        uart->input_stopped = false;
        uart->backend->resume(uart->backend->opaque);
    }
}

static uint8_t read_data(Uart *uart)
{
    uint8_t byte = uart->rx.used ? fifo_pop(&uart->rx) : 0;

    resume_input(uart);
    return byte;
}

static uint8_t read_iir(Uart *uart)
{
    uint8_t iir = cause(uart);

    if (iir == IIR_TX) {
        uart->tx_pending = false;
    }
    return iir | (uart->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

static uint8_t read_lsr(Uart *uart)
{
    uint8_t lsr = uart->lsr_errors;

    uart->lsr_errors = 0;
    if (uart->rx.used) {
        lsr |= LSR_DATA;
    }
    if (uart->tx.used == 0) {
        lsr |= LSR_THR_EMPTY | LSR_IDLE;
    }
    return lsr;
}

static uint8_t read_msr(Uart *uart)
{
    uint8_t msr = uart->msr_lines | uart->msr_changes;

    uart->msr_changes = 0;
    return msr;
}

/* What the modem lines show: the far end is always ready, or in loopback our own outputs. */
static void update_modem(Uart *uart)
{
    uint8_t lines = uart->backend ? MSR_CTS | MSR_DSR | MSR_DCD : 0;

    if (uart->mcr & MCR_LOOP) {
        lines = (uart->mcr & MCR_RTS ? MSR_CTS : 0) | (uart->mcr & MCR_DTR ? MSR_DSR : 0) |
                (uart->mcr & MCR_OUT1 ? MSR_RI : 0) | (uart->mcr & MCR_OUT2 ? MSR_DCD : 0);
    }
    uint8_t changed = lines ^ uart->msr_lines;
    if (lines & MSR_RI) {
        changed &= ~MSR_RI; /* of RI only the trailing edge counts */
    }
    uart->msr_changes |= changed >> 4;
    uart->msr_lines = lines;
}

static void write_fcr(Uart *uart, uint8_t value)
{
    if ((value ^ uart->fcr) & FCR_ENABLE) {
        value |= FCR_CLEAR_RX | FCR_CLEAR_TX;
    }
    if (value & FCR_CLEAR_RX) {
        uart->rx = (UartFifo){ 0 };
    }
    if (value & FCR_CLEAR_TX) {
        uart->tx = (UartFifo){ 0 };
        uart->tx_pending = true;
    }
    uart->fcr = value & (value & FCR_ENABLE ? 0xc9 : 0);
    resume_input(uart);
}

static void write_ier(Uart *uart, uint8_t value)
{
    bool tx_enabled = value & ~uart->ier & IER_TX;

    uart->ier = value & 0xf;
    if (tx_enabled && uart->tx.used == 0) {
        uart->tx_pending = true; /* enabling it while idle interrupts at once */
    }
}

static uint64_t read_register(void *opaque, uint64_t offset, unsigned size)
{
    Uart *uart = opaque;
    bool latch = uart->lcr & LCR_DLAB;
    uint8_t value = 0;

    switch (offset) {
    case RBR_THR:
        value = latch ? (uint8_t)uart->divisor : read_data(uart);
        break;
    case IER:
        value = latch ? (uint8_t)(uart->divisor >> 8) : uart->ier;
        break;
    case IIR_FCR:
        value = read_iir(uart);
        break;
    case LCR:
        value = uart->lcr;
        break;
    case MCR:
        value = uart->mcr;
        break;
    case LSR:
        value = read_lsr(uart);
        break;
    case MSR:
        value = read_msr(uart);
        break;
    default:
        value = uart->scr;
        break;
    }
    update_irq(uart);
    return value;
}

static void write_divisor(Uart *uart, uint64_t offset, uint8_t value)
{
    unsigned shift = offset == IER ? 8 : 0;

    uart->divisor = (uint16_t)((uart->divisor & ~(0xffU << shift)) | (unsigned)value << shift);
}

static void write_register(void *opaque, uint64_t offset, uint64_t wide, unsigned size)
{
    Uart *uart = opaque;
    uint8_t value = (uint8_t)wide;

    if (offset <= IER && (uart->lcr & LCR_DLAB)) {
        write_divisor(uart, offset, value);
        return;
    }
    switch (offset) {
    case RBR_THR:
        transmit(uart, value);
        break;
    case IER:
        write_ier(uart, value);
        break;
    case IIR_FCR:
        write_fcr(uart, value);
        break;
    case LCR:
        uart->lcr = value;
        break;
    case MCR:
        uart->mcr = value & 0x1f;
        update_modem(uart);
        resume_input(uart);
        break;
    case SCR:
        uart->scr = value;
        break;
    default:
        break; /* LSR and MSR are read-only */
    }
    update_irq(uart);
}

static const IoOps ops = { .read = read_register, .write = write_register, .sizes = 1 };

static size_t on_input(void *opaque, const uint8_t *data, size_t len)
{
    Uart *uart = opaque;
    size_t taken = 0;

    g_mutex_lock(&uart->device.lock);
    while (taken < len && can_receive(uart)) {
        fifo_push(&uart->rx, data[taken++]);
    }
    uart->input_stopped = taken < len;
    update_irq(uart);
    g_mutex_unlock(&uart->device.lock);
    return taken;
}

static void on_writable(void *opaque)
{
    Uart *uart = opaque;

    g_mutex_lock(&uart->device.lock);
    drain(uart);
    update_irq(uart);
    g_mutex_unlock(&uart->device.lock);
}

static void reset(Device *device)
{
    Uart *uart = container_of(device, Uart, device);

    uart->ier = uart->fcr = uart->lcr = uart->mcr = uart->scr = 0;
    uart->lsr_errors = 0;
    uart->divisor = 12; /* 9600 baud */
    uart->tx_pending = false;
    uart->rx = uart->tx = (UartFifo){ 0 };
    update_modem(uart);
    uart->msr_changes = 0;
    resume_input(uart);
    update_irq(uart);
}

static bool loaded(Device *device, GError **error)
{
    Uart *uart = container_of(device, Uart, device);

    uart->input_stopped = true; /* whoever is attached now may wait */
    resume_input(uart);
    drain(uart);
    update_irq(uart);
    return true;
}

static void destroy(Device *device)
{
    Uart *uart = container_of(device, Uart, device);

    if (uart->backend) {
        uart->backend->attach(uart->backend->opaque, NULL);
    }
}

static const SavedField saved[] = {
    SAVED_RANGE(Uart, ier, 0, 15),
    SAVED_RANGE(Uart, fcr, 0, 0xc9),
    SAVED(Uart, lcr),
    SAVED_RANGE(Uart, mcr, 0, 0x1f),
    SAVED(Uart, scr),
    SAVED_RANGE(Uart, lsr_errors, 0, LSR_ERRORS),
    SAVED_RANGE(Uart, msr_changes, 0, 15),
    SAVED(Uart, msr_lines),
    SAVED(Uart, divisor),
    SAVED(Uart, tx_pending),
    SAVED_ARRAY(Uart, rx.data),
    SAVED_RANGE(Uart, rx.head, 0, FIFO_SIZE - 1),
    SAVED_RANGE(Uart, rx.used, 0, FIFO_SIZE),
    SAVED_ARRAY(Uart, tx.data),
    SAVED_RANGE(Uart, tx.head, 0, FIFO_SIZE - 1),
    SAVED_RANGE(Uart, tx.used, 0, FIFO_SIZE),
    { 0 },
};

const DeviceClass uart_class = {
    .name = "uart",
    .summary = "16550A serial port",
    .instance_size = sizeof(Uart),
    .saved = saved,
    .reset = reset,
    .loaded = loaded,
    .destroy = destroy,
};

Uart *uart_new(const DeviceEnv *env, uint16_t base, IrqLine irq, CharBackend *backend)
{
    Uart *uart = device_new(&uart_class, env, "uart");

    uart->irq = irq;
    uart->backend = backend;
    uart->listener = (CharListener){ .opaque = uart, .input = on_input, .writable = on_writable };
    device_add_pio(&uart->device, &ops, base, 8);
    if (backend) {
        backend->attach(backend->opaque, &uart->listener);
    }
    return uart;
}
