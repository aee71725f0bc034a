/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI and PCI Express functions, buses and what leads to them (PCI 3.0, PCI Express 3.0).
 *
 *   PciRoot   bus 0: configuration accesses come in, INTx wires and messages go out
 *   PciBus    a bus, of the root or behind a bridge; up to 256 functions
 *   PciDevice one function: a Device with configuration space, BARs and interrupts
 *
 * Configuration space is three arrays: the bytes, which bits the guest may write, and which it
 * clears by writing ones.  A class gives them as a table of registers; the core adds header, BARs
 * and capabilities.  A BAR is a window of the address map; it is shown where the guest put it while
 * decoding is on and every bridge on the way forwards the place.
 *
 *   typedef struct Foo { PciDevice pci; ... } Foo;
 *   const PciClass foo_class = { .device = { .name = "foo", .instance_size = sizeof(Foo),
 *       .saved = saved, .reset = pci_reset, .loaded = pci_loaded, .destroy = pci_destroy },
 *       .vendor = 0x1234, ... };
 *   Foo *foo = pci_new(&foo_class, &slot);
 *   pci_add_bar(&foo->pci, 0, &(PciBarConfig){ .size = 4096, .ops = &ops });
 *
 * A function that shares its lock with another part (virtio) still has one of its own here.
 *
 * Threads: configuration accesses on vCPU threads, under the function's lock; .config_written runs
 * afterwards without it.  Interrupts from any thread with the function's lock held.  Lock order:
 * function -> root's lock (decoding, INTx) -> address map, interrupt chips.
 * Read first: pci.c for configuration space, bar.c for BARs, msi.c for messages.
 */
#pragma once

#include "machine/core/device.h"
#include "machine/core/irq.h"

typedef struct PciBus PciBus;
typedef struct PciClass PciClass;
typedef struct PciDevice PciDevice;
typedef struct PciRoot PciRoot;

enum {
    PCI_CONFIG_SIZE = 256,
    PCIE_CONFIG_SIZE = 4096,
    PCI_BARS = 7, /* six, and the ROM */
    PCI_ROM_BAR = 6,
    PCI_FUNCTIONS = 256,
    PCI_PIRQS = 8, /* wires that INTx end at: PIRQA to PIRQH */
};

/* Offsets in configuration space. */
enum {
    PCI_VENDOR = 0x00,
    PCI_DEVICE = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION = 0x08,
    PCI_CLASS = 0x09,
    PCI_HEADER_TYPE = 0x0e,
    PCI_BAR0 = 0x10,
    PCI_PRIMARY_BUS = 0x18, /* bridges, to PCI_BRIDGE_CONTROL */
    PCI_SECONDARY_BUS = 0x19,
    PCI_SUBORDINATE_BUS = 0x1a,
    PCI_IO_BASE = 0x1c,
    PCI_IO_LIMIT = 0x1d,
    PCI_SECONDARY_STATUS = 0x1e,
    PCI_MEMORY_BASE = 0x20,
    PCI_MEMORY_LIMIT = 0x22,
    PCI_PREFETCH_BASE = 0x24,
    PCI_PREFETCH_LIMIT = 0x26,
    PCI_PREFETCH_BASE_HIGH = 0x28,
    PCI_PREFETCH_LIMIT_HIGH = 0x2c,
    PCI_SUBSYSTEM_VENDOR = 0x2c,
    PCI_SUBSYSTEM = 0x2e,
    PCI_ROM = 0x30,
    PCI_CAPABILITIES = 0x34,
    PCI_BRIDGE_ROM = 0x38,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d,
    PCI_BRIDGE_CONTROL = 0x3e,
    PCI_HEADER_END = 0x40,
};

enum {
    PCI_COMMAND_IO = 0x1,
    PCI_COMMAND_MEMORY = 0x2,
    PCI_COMMAND_MASTER = 0x4,
    PCI_COMMAND_NO_INTX = 0x400,
    PCI_STATUS_INTX = 0x8,
    PCI_STATUS_CAPABILITIES = 0x10,
    PCI_BRIDGE_RESET = 0x40,
};

enum { PCI_CAP_MSI = 0x05, PCI_CAP_VENDOR = 0x09, PCI_CAP_EXPRESS = 0x10, PCI_CAP_MSIX = 0x11 };

/* A register: what it holds after reset, which bits the guest may write, which a 1 clears. */
typedef struct PciRegister {
    uint16_t offset;
    uint8_t size; /* 1, 2 or 4; 0 behind the last row */
    uint32_t value, writable, clears;
} PciRegister;

typedef struct PciBar {
    /* fixed after create */
    GmWindow *window; /* NULL: there is no such BAR */
    uint64_t size;
    bool ports, wide; /* in the space of ports; 64 bits in two registers */
    /* lock: root.lock */
    bool enabled;
    uint64_t address;
} PciBar;

/* What a function needs to send messages (msi.c). */
typedef struct PciMsi {
    /* fixed after create */
    unsigned cap;     /* offset of the capability; 0: none */
    unsigned vectors; /* a power of two */
    /* lock: device.lock */
    uint32_t pending; /* as the capability shows it */
} PciMsi;

typedef struct PciMsixEntry {
    uint64_t address;
    uint32_t data, control;
} PciMsixEntry;

enum { PCI_MSIX_MAX = 64 };

typedef struct PciMsix {
    /* fixed after create */
    unsigned cap; /* offset of the capability; 0: none */
    unsigned vectors;
    /* lock: device.lock */
    PciMsixEntry table[PCI_MSIX_MAX];
    uint64_t pending;
} PciMsix;

struct PciDevice {
    Device device;
    /* fixed after create */
    PciBus *bus;
    uint8_t devfn;
    unsigned config_size;
    uint8_t *first, *writable, *clears; /* [config_size]: after reset; bits that change how */
    unsigned cap_end;                   /* where the next capability goes */
    unsigned last_cap;                  /* offset of the last one's pointer to the next */
    unsigned last_extended;             /* the same in extended space */
    unsigned express;                   /* offset of the PCI Express capability; 0: none */
    PciBar bars[PCI_BARS];
    PciBus *secondary; /* of a bridge, else NULL */
    /* lock: device.lock */
    uint8_t config[PCIE_CONFIG_SIZE];
    PciMsi msi;
    PciMsix msix;
    bool intx; /* the function wants its wire up */
    /* lock: root.lock */
    bool intx_raised; /* the wire is counted as up */
    unsigned wire;    /* which */
};

struct PciClass {
    DeviceClass device; /* .reset, .loaded, .destroy: pci_reset and so on, or what calls them */
    uint16_t vendor, id;
    uint16_t subsystem_vendor, subsystem; /* 0: the class's own */
    uint32_t class_code;                  /* base class, sub-class, interface: 24 bits */
    uint8_t revision;
    bool express;                 /* 4096 bytes of configuration */
    bool bridge;                  /* header type 1 */
    bool interrupt;               /* has an INTx pin */
    const PciRegister *registers; /* besides the header's; NULL: none */
    /* All may be NULL. */
    /* After the guest wrote [offset, offset + size); no lock held. */
    void (*config_written)(PciDevice *pci, unsigned offset, unsigned size);
    /* Before it reads there; no lock held. */
    void (*config_reading)(PciDevice *pci, unsigned offset, unsigned size);
};

/* Where a board plugs a function in. */
typedef struct PciSlot {
    DeviceEnv env;
    PciBus *bus;
    uint8_t devfn; /* device << 3 | function */
    const char *name;
    bool multifunction; /* device has more functions than 0 */
} PciSlot;

#define PCI_DEVFN(device, function) ((uint8_t)((device) << 3 | (function)))

/* --- buses --- */

/* Bus 0.  @pirqs are the PCI_PIRQS wires, @msi takes messages.  */
typedef struct PciRootConfig {
    GuestMemory *memory;
    Log *log;
    IrqLine pirqs[PCI_PIRQS];
    MsiTarget msi;
    /* The wire (0 to 7) of @pin (0: INTA) of device number @device on bus 0. */
    unsigned (*route)(void *opaque, unsigned device, unsigned pin);
    void *opaque;
} PciRootConfig;

PciRoot *pci_root_new(const PciRootConfig *config);
/* All functions must have been freed.  @root may be NULL. */
void pci_root_free(PciRoot *root);
PciBus *pci_root_bus(PciRoot *root);
/* The function at @devfn of the bus that the guest has numbered @bus, or NULL. */
PciDevice *pci_find(const PciRoot *root, unsigned bus, unsigned devfn);
/* The function there, whatever the guest does; or NULL. */
PciDevice *pci_bus_device(const PciBus *bus, unsigned devfn);
/* Configuration accesses; @size is 1, 2 or 4 and doesn't cross a doubleword.  Where nothing is,
 * reads give ones. */
uint32_t pci_root_read(const PciRoot *root, unsigned bus, unsigned devfn, unsigned offset,
                       unsigned size);
void pci_root_write(const PciRoot *root, unsigned bus, unsigned devfn, unsigned offset,
                    uint32_t value, unsigned size);
/* INTx wires go elsewhere now (.route has changed its mind). */
void pci_root_rewire(PciRoot *root);

/* --- functions --- */

/* A function of @class at @slot, which is free. */
void *pci_new(const PciClass *class, const PciSlot *slot);
/* For PciClass.device; a device of its own calls them from its own functions. */
void pci_reset(Device *device);
bool pci_loaded(Device *device, GError **error);
void pci_destroy(Device *device);

/* Bytes of configuration space; lock held, or before the machine runs. */
uint32_t pci_get(const PciDevice *pci, unsigned offset, unsigned size);
void pci_set(PciDevice *pci, unsigned offset, uint32_t value, unsigned size);
/* What it holds after reset, and what the guest may change; before the machine runs. */
void pci_add_register(PciDevice *pci, const PciRegister *reg);
void pci_add_registers(PciDevice *pci, const PciRegister *rows);
/* Room for a capability of @size bytes, its id and the list's links written; the offset. */
unsigned pci_add_capability(PciDevice *pci, uint8_t id, unsigned size);
unsigned pci_add_extended_capability(PciDevice *pci, uint16_t id, uint8_t version, unsigned size);
/* What the guest allowed: to be the master of the bus (DMA, messages). */
bool pci_is_master(const PciDevice *pci);

typedef enum PciExpressType {
    PCIE_ENDPOINT = 0,
    PCIE_ROOT_PORT = 4,
    PCIE_INTEGRATED = 9, /* an endpoint on bus 0 */
} PciExpressType;
/* A PCI Express capability; root ports have a slot of number @slot. */
void pci_add_express(PciDevice *pci, PciExpressType type, unsigned slot);

/* --- BARs (bar.c) --- */

typedef struct PciBarConfig {
    uint64_t size;    /* a power of two; memory: at least 4096, ports: at least 4 */
    const IoOps *ops; /* with opaque: .opaque, or the function; under .lock, or the function's */
    void *opaque;
    GMutex *lock;
    const RamBlock *block; /* or memory, all of it */
    bool read_only;
    bool ports, wide, prefetch;
} PciBarConfig;

/* BAR @index, 0 to 5 (a wide one takes two) or PCI_ROM_BAR. */
void pci_add_bar(PciDevice *pci, unsigned index, const PciBarConfig *config);
/* Of a ROM image: a read-only ROM BAR.  Takes a copy. */
bool pci_add_rom(PciDevice *pci, const uint8_t *image, size_t size, GError **error);
/* Bring all BARs in line with configuration space.  Lock held. */
void pci_update_bars(PciDevice *pci);
/* The lowest and highest address from 4 GiB on that a BAR or a bridge takes; false: none does. */
bool pci_root_range64(PciRoot *root, uint64_t *ret_first, uint64_t *ret_last);
/* Bring what a bridge forwards, and so all below it, in line with its configuration.  Lock held. */
void pci_update_bridge(PciDevice *bridge);

/* --- interrupts (msi.c); lock held --- */

/* The INTx wire. */
void pci_set_intx(PciDevice *pci, bool level);
void pci_add_msi(PciDevice *pci, unsigned vectors);
/* @vectors up to PCI_MSIX_MAX; table and pending bits get BAR @bar, 4096 bytes of memory. */
void pci_add_msix(PciDevice *pci, unsigned bar, unsigned vectors);
bool pci_has_msi(const PciDevice *pci);  /* enabled by the guest */
bool pci_has_msix(const PciDevice *pci); /* enabled by the guest */
/* Send message @vector of MSI-X or MSI (whichever is on; beyond the last: the last). */
void pci_notify(PciDevice *pci, unsigned vector);
/* A device with one interrupt: by message if there are, else by INTx. */
void pci_set_irq(PciDevice *pci, bool level);

/* among pci.c, bar.c and msi.c */
void pci_msi_written(PciDevice *pci, unsigned offset, unsigned size);
void pci_msi_reset(PciDevice *pci);
void pci_msi_loaded(PciDevice *pci);
void pci_update_intx(PciDevice *pci);
/* What a bridge lets through: nothing where .last is below .first. */
typedef struct PciRange {
    uint64_t first, last;
} PciRange;

struct PciBus {
    /* fixed after create */
    PciRoot *root;
    PciDevice *bridge;                   /* that leads here; NULL: it is the root's */
    PciDevice *functions[PCI_FUNCTIONS]; /* of bus 0; behind a bridge only device 0 can be */
    /* atomic: as the guest numbered them */
    uint8_t number, last_number;
    /* lock: root.lock */
    PciRange ports, memory, prefetch;
};

struct PciRoot {
    PciRootConfig config; /* fixed after create */
    PciBus bus;
    GMutex lock;
    unsigned raised[PCI_PIRQS]; /* lock: lock; functions that hold the wire up */
};

/* The core's rows for the saved table of @Type, whose first member is PciDevice pci. */
#define PCI_SAVED(Type)                                                                            \
    SAVED_ARRAY(Type, pci.config), SAVED_EACH(Type, pci.msix.table, address),                      \
        SAVED_EACH(Type, pci.msix.table, data), SAVED_EACH(Type, pci.msix.table, control),         \
        SAVED(Type, pci.msi.pending), SAVED(Type, pci.msix.pending), SAVED(Type, pci.intx)
