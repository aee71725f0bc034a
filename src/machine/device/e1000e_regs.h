/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the 82574L: its registers (Intel 317694, chapter 10) and struct, for e1000e.c and
 * e1000e_frames.c.
 *
 * Threads: registers on vCPU threads, frames on the I/O thread, all under the device's lock.
 */
#pragma once

#include "machine/device/e1000e.h"
#include "machine/limits.h"

/* Offsets in bytes. */
enum {
    CTRL = 0x0000,
    CTRL_DUP = 0x0004,
    STATUS = 0x0008,
    EECD = 0x0010,
    EERD = 0x0014,
    CTRL_EXT = 0x0018,
    MDIC = 0x0020,
    VET = 0x0038,
    ICR = 0x00c0,
    ICS = 0x00c8,
    IMS = 0x00d0,
    IMC = 0x00d8,
    EIAC = 0x00dc,
    IAM = 0x00e0,
    IVAR = 0x00e4,
    RCTL = 0x0100,
    TCTL = 0x0400,
    LEDCTL = 0x0e00,
    PBA = 0x1000,
    RX_RING = 0x2800, /* base low and high, length, -, head, -, tail; the second's 100h further */
    TX_RING = 0x3800,
    STATISTICS = 0x4000,
    STATISTICS_END = 0x4128,
    GPRC = 0x4074,
    GPTC = 0x4080,
    TPR = 0x40d0,
    TPT = 0x40d4,
    RXCSUM = 0x5000,
    RFCTL = 0x5008,
    MTA = 0x5200,
    RAL = 0x5400, /* and RAH, 16 of both */
    VFTA = 0x5600,
    SWSM = 0x5b50,
    REGISTERS_END = 0x6000,
};
enum { RING_BASE = 0, RING_BASE_HIGH = 4, RING_LENGTH = 8, RING_HEAD = 0x10, RING_TAIL = 0x18 };
enum { RING_SPACE = 0x100, RINGS = 2, DESCRIPTOR = 16 };

enum {
    CTRL_NO_MASTER = 0x4,
    CTRL_LINK_UP = 0x40,
    CTRL_RESET = 0x4000000,
    CTRL_VLAN = 0x40000000,
    CTRL_PHY_RESET = (int)0x80000000,
    STATUS_LINK = 0x2,
    STATUS_MASTER = 0x80000,
    CTRL_EXT_EE_RESET = 0x2000,
    CTRL_EXT_IAME = 0x8000000,
    RCTL_ENABLE = 0x2,
    RCTL_UNICAST = 0x8,
    RCTL_MULTICAST = 0x10,
    RCTL_LONG = 0x20,
    RCTL_SPLIT = 0x400,
    RCTL_BROADCAST = 0x8000,
    RCTL_VLAN_FILTER = 0x40000,
    RCTL_BUFFER_EXTENDED = 0x2000000,
    RCTL_STRIP_CRC = 0x4000000,
    RFCTL_EXTENDED = 0x8000,
    TCTL_ENABLE = 0x2,
};

/* Causes of interrupts. */
enum {
    CAUSE_TX_DONE = 1 << 0,
    CAUSE_TX_EMPTY = 1 << 1,
    CAUSE_LINK = 1 << 2,
    CAUSE_RX_LOW = 1 << 4,
    CAUSE_RX_OVERRUN = 1 << 6,
    CAUSE_RX = 1 << 7,
    CAUSE_RXQ0 = 1 << 20,
    CAUSE_TXQ0 = 1 << 22,
    CAUSE_OTHER = 1 << 24,
    CAUSES = 0x01f7d2d7,
};

/* What a context descriptor says about the frames that follow. */
typedef struct E1000eContext {
    uint8_t ip_start, ip_sum;
    uint16_t ip_end;
    uint8_t start, sum; /* of TCP or UDP */
    uint16_t end;
    uint8_t tcp, ipv4; /* bits */
    uint8_t header_len;
    uint16_t mss;
} E1000eContext;

enum { E1000E_MTA = 128, E1000E_PHY = 32, E1000E_NVM = 64 };

struct E1000e {
    PciDevice pci;
    /* fixed after create */
    NetPort *port;
    IoTask *task;
    IoWatch *watch;
    uint8_t mac[6];
    uint16_t nvm[E1000E_NVM];
    /* lock: pci.device.lock */
    uint32_t regs[REGISTERS_END / 4];
    uint32_t io_address; /* of BAR 2 */
    uint16_t phy[E1000E_PHY];
    E1000eContext context[RINGS];
    bool link_up, port_gone;
    bool link_news;  /* the driver has not looked since it was told of a change of the link */
    bool port_full;  /* the network takes no more for now */
    uint32_t rx_len; /* of the frame in .rx that waits for room; 0: none */
    bool rx_valid;   /* its sums are right */
    uint8_t rx[NET_MAX_FRAME];
    uint8_t tx[E1000E_MAX_FRAME];
    uint32_t tx_len;
};

/* A register; @at is an offset that exists. */
static inline uint32_t *e1000e_reg(E1000e *dev, unsigned at)
{
    return &dev->regs[at / 4];
}

/* Causes have come up; lock held. */
void e1000e_raise(E1000e *dev, uint32_t causes);

/* --- e1000e_frames.c; lock held unless said otherwise --- */

/* On the I/O thread, lock open: send and receive what can be. */
void e1000e_work(void *dev);
void e1000e_on_port(void *dev, unsigned events);
/* What to wait for has changed. */
void e1000e_set_watch(E1000e *dev);
