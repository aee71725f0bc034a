/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain as libvirt's XML says it: one struct tree, in and out.
 *
 * What is here in a struct is what Insula honours; what is harmless and not ours (sound, USB,
 * timers, ...) is kept aside and written again; all else is refused by name and line.
 * docs/domain-xml.md lists every element with what becomes of it.
 *
 *   parse     XML -> DomainConfig: what was said, and nothing else
 *   complete  fills in what was not said: UUID, MAC addresses, controllers, addresses, defaults
 *   enliven   (live configurations only) aliases
 *   format    DomainConfig -> XML; parsing that gives the same tree again
 *
 * An enum's first value always means "not said"; so does an XmlNumber without .said, and NULL.
 * Every struct begins with an XmlBase, every device with a DomainDevice.
 *
 * Threads: no state; a DomainConfig belongs to one thread at a time.
 * Read first: config/shape.h (what the simple types mean).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/shape.h"

/* --- addresses, and what all devices have --- */

typedef enum DomainAddressType {
    DOMAIN_ADDRESS_NONE,
    DOMAIN_ADDRESS_PCI,           /* domain, bus, slot, function */
    DOMAIN_ADDRESS_DRIVE,         /* controller, bus, target, unit */
    DOMAIN_ADDRESS_USB,           /* bus, and port as text */
    DOMAIN_ADDRESS_VIRTIO_SERIAL, /* controller, bus, port */
    DOMAIN_ADDRESS_ISA,
    DOMAIN_ADDRESS_VIRTIO_MMIO,
} DomainAddressType;

enum { DOMAIN_PORT_SIZE = 32 };

typedef struct DomainAddress {
    DomainAddressType type;
    Switch multifunction;
    unsigned domain, bus, slot, function;
    unsigned controller, target, unit;
    unsigned iobase, irq;        /* of DOMAIN_ADDRESS_ISA; 0: not said */
    char port[DOMAIN_PORT_SIZE]; /* "1.2" */
} DomainAddress;

/* <boot order='N'/> of a device */
typedef struct DomainOrder {
    XmlBase base;
    XmlNumber order;
} DomainOrder;

typedef struct DomainAlias {
    XmlBase base;
    char *name;
} DomainAlias;

typedef struct DomainDevice {
    XmlBase base;
    DomainAlias *alias;    /* NULL before domain_config_enliven() */
    DomainAddress address; /* .type 0: none */
    DomainOrder *boot;     /* NULL: not said */
} DomainDevice;

/* --- disks --- */

typedef enum DomainDiskType {
    DOMAIN_DISK_TYPE_UNSAID, /* as DOMAIN_DISK_TYPE_FILE */
    DOMAIN_DISK_TYPE_FILE,
    DOMAIN_DISK_TYPE_VOLUME, /* of a storage pool: source->pool and ->volume */
} DomainDiskType;

typedef enum DomainDiskKind {
    DOMAIN_DISK_KIND_UNSAID, /* as DOMAIN_DISK_KIND_DISK; never so when completed */
    DOMAIN_DISK_KIND_DISK,
    DOMAIN_DISK_KIND_CDROM,
} DomainDiskKind;

typedef enum DomainDiskBus {
    DOMAIN_DISK_BUS_UNSAID, /* never so when completed */
    DOMAIN_DISK_BUS_VIRTIO,
    DOMAIN_DISK_BUS_SATA,
} DomainDiskBus;

typedef enum DomainDiskCache {
    DOMAIN_DISK_CACHE_UNSAID,
    DOMAIN_DISK_CACHE_DEFAULT,
    DOMAIN_DISK_CACHE_NONE,
    DOMAIN_DISK_CACHE_WRITETHROUGH,
    DOMAIN_DISK_CACHE_WRITEBACK,
    DOMAIN_DISK_CACHE_DIRECTSYNC,
    DOMAIN_DISK_CACHE_UNSAFE,
} DomainDiskCache;

typedef enum DomainDiskDiscard {
    DOMAIN_DISK_DISCARD_UNSAID,
    DOMAIN_DISK_DISCARD_UNMAP,
    DOMAIN_DISK_DISCARD_IGNORE,
} DomainDiskDiscard;

typedef enum DomainDiskZeroes {
    DOMAIN_DISK_ZEROES_UNSAID,
    DOMAIN_DISK_ZEROES_OFF,
    DOMAIN_DISK_ZEROES_ON,
    DOMAIN_DISK_ZEROES_UNMAP,
} DomainDiskZeroes;

typedef enum DomainDiskError {
    DOMAIN_DISK_ERROR_UNSAID,
    DOMAIN_DISK_ERROR_STOP,
    DOMAIN_DISK_ERROR_REPORT,
    DOMAIN_DISK_ERROR_IGNORE,
    DOMAIN_DISK_ERROR_ENOSPACE,
} DomainDiskError;

/* Where a snapshot of the disk goes. */
typedef enum DomainDiskSnapshot {
    DOMAIN_DISK_SNAPSHOT_UNSAID,
    DOMAIN_DISK_SNAPSHOT_NO,
    DOMAIN_DISK_SNAPSHOT_INTERNAL,
    DOMAIN_DISK_SNAPSHOT_EXTERNAL,
} DomainDiskSnapshot;

typedef enum DomainTray { DOMAIN_TRAY_UNSAID, DOMAIN_TRAY_CLOSED, DOMAIN_TRAY_OPEN } DomainTray;

typedef struct DomainDiskDriver {
    XmlBase base;
    char *name; /* "qemu", as clients say; written as it was read */
    char *type; /* the format: raw, qcow2; NULL: not said */
    DomainDiskCache cache;
    DomainDiskError error_policy; /* of writes, and of reads where .rerror_policy isn't said */
    DomainDiskError rerror_policy;
    DomainDiskDiscard discard;
    DomainDiskZeroes detect_zeroes;
    XmlNumber queues;
} DomainDiskDriver;

typedef struct DomainDiskSource {
    XmlBase base;
    char *file;          /* of DOMAIN_DISK_TYPE_FILE */
    char *pool, *volume; /* of DOMAIN_DISK_TYPE_VOLUME */
    char *startup_policy;
    XmlNumber index; /* live only */
} DomainDiskSource;

typedef struct DomainDiskTarget {
    XmlBase base;
    char *dev; /* vda, sda, ...; never NULL */
    DomainDiskBus bus;
    DomainTray tray;
} DomainDiskTarget;

typedef struct DomainDisk {
    DomainDevice device;
    DomainDiskType type;
    DomainDiskKind kind;
    DomainDiskSnapshot snapshot;
    DomainDiskDriver *driver; /* NULL: nothing said */
    DomainDiskSource *source; /* NULL: an empty CD-ROM drive */
    DomainDiskTarget *target; /* never NULL */
    bool readonly;
    bool shareable;
} DomainDisk;

/* --- controllers --- */

typedef enum DomainControllerType {
    DOMAIN_CONTROLLER_UNSAID,
    DOMAIN_CONTROLLER_PCI,
    DOMAIN_CONTROLLER_SATA,
    DOMAIN_CONTROLLER_USB,           /* kept: there is no USB */
    DOMAIN_CONTROLLER_VIRTIO_SERIAL, /* kept */
} DomainControllerType;

typedef struct DomainControllerTarget {
    XmlBase base;
    XmlNumber chassis;
    char *port; /* "0xe0" */
} DomainControllerTarget;

typedef struct DomainControllerModel {
    XmlBase base;
    char *name;
} DomainControllerModel;

typedef struct DomainController {
    DomainDevice device;
    DomainControllerType type;
    XmlNumber index;                   /* always said when completed */
    char *model;                       /* pcie-root, pcie-root-port, qemu-xhci, ... */
    DomainControllerModel *model_name; /* kept */
    DomainControllerTarget *target;    /* of a port of PCI Express */
} DomainController;

/* --- network interfaces --- */

typedef enum DomainInterfaceType {
    DOMAIN_INTERFACE_UNSAID,
    DOMAIN_INTERFACE_NETWORK,
    DOMAIN_INTERFACE_USER,
} DomainInterfaceType;

typedef enum DomainNicModel {
    DOMAIN_NIC_UNSAID, /* never so when completed */
    DOMAIN_NIC_VIRTIO,
    DOMAIN_NIC_E1000E,
} DomainNicModel;

typedef enum DomainLink { DOMAIN_LINK_UNSAID, DOMAIN_LINK_UP, DOMAIN_LINK_DOWN } DomainLink;

typedef struct DomainInterfaceSource {
    XmlBase base;
    char *network;
    char *portid, *bridge; /* live only */
} DomainInterfaceSource;

typedef struct DomainInterfaceTarget {
    XmlBase base;
    char *dev; /* vnetN; live only */
} DomainInterfaceTarget;

typedef struct DomainInterfaceModel {
    XmlBase base;
    DomainNicModel type;
} DomainInterfaceModel;

typedef struct DomainInterfaceMac {
    XmlBase base;
    XmlMac address;
} DomainInterfaceMac;

typedef struct DomainInterfaceLink {
    XmlBase base;
    DomainLink state;
} DomainInterfaceLink;

typedef struct DomainInterfaceMtu {
    XmlBase base;
    XmlNumber size;
} DomainInterfaceMtu;

typedef struct DomainInterfaceDriver {
    XmlBase base;
    char *name;
    XmlNumber queues;
} DomainInterfaceDriver;

typedef enum DomainProtocol { DOMAIN_PROTOCOL_UNSAID, DOMAIN_TCP, DOMAIN_UDP } DomainProtocol;

/* Ports .start to .end (.start alone if not said) of the host lead to as many from .to on (the
 * same if not said) in the guest. */
typedef struct DomainPortRange {
    XmlBase base;
    XmlNumber start, end, to;
} DomainPortRange;

typedef struct DomainPortForward {
    XmlBase base;
    DomainProtocol protocol;
    char *address;     /* of the host, a number; NULL: all */
    GPtrArray *ranges; /* of DomainPortRange */
} DomainPortForward;

typedef struct DomainInterface {
    DomainDevice device;
    DomainInterfaceType type;
    DomainInterfaceMac *mac; /* never NULL when completed */
    DomainInterfaceSource *source;
    GPtrArray *forwards; /* of DomainPortForward */
    DomainInterfaceTarget *target;
    DomainInterfaceModel *model; /* never NULL when completed */
    DomainInterfaceDriver *driver;
    DomainInterfaceLink *link; /* NULL: up */
    DomainInterfaceMtu *mtu;
} DomainInterface;

/* --- character devices --- */

typedef enum DomainCharType {
    DOMAIN_CHAR_UNSAID,
    DOMAIN_CHAR_PTY,
    DOMAIN_CHAR_UNIX, /* source->path; .mode says who listens */
    DOMAIN_CHAR_FILE, /* source->path */
    DOMAIN_CHAR_NULL,
    DOMAIN_CHAR_SPICEVMC, /* kept: there is no SPICE */
} DomainCharType;

typedef enum DomainCharMode {
    DOMAIN_CHAR_MODE_UNSAID,
    DOMAIN_CHAR_BIND, /* the VM listens */
    DOMAIN_CHAR_CONNECT,
} DomainCharMode;

typedef struct DomainCharSource {
    XmlBase base;
    DomainCharMode mode;
    char *path;
    Switch append;
} DomainCharSource;

typedef struct DomainCharModel {
    XmlBase base;
    char *name;
} DomainCharModel;

typedef struct DomainCharTarget {
    XmlBase base;
    char *type;     /* isa-serial; serial, virtio; virtio */
    char *name;     /* of a channel */
    XmlNumber port; /* always said for serial and console when completed */
    char *state;    /* of a channel: connected, disconnected; live only */
    DomainCharModel *model;
} DomainCharTarget;

/* <serial>, <console> and <channel> */
typedef struct DomainChar {
    DomainDevice device;
    DomainCharType type;
    char *tty; /* of a console: what .source->path is; live only */
    DomainCharSource *source;
    DomainCharTarget *target;
} DomainChar;

/* --- screen, keyboard, mouse --- */

typedef enum DomainInputType {
    DOMAIN_INPUT_UNSAID,
    DOMAIN_INPUT_MOUSE,
    DOMAIN_INPUT_TABLET,
    DOMAIN_INPUT_KEYBOARD,
} DomainInputType;

typedef enum DomainInputBus {
    DOMAIN_INPUT_BUS_UNSAID,
    DOMAIN_INPUT_BUS_PS2,
    DOMAIN_INPUT_BUS_USB, /* a tablet or keyboard of the USB is one of virtio here */
    DOMAIN_INPUT_BUS_VIRTIO,
} DomainInputBus;

typedef struct DomainInput {
    DomainDevice device;
    DomainInputType type;
    DomainInputBus bus;
} DomainInput;

typedef enum DomainGraphicsType {
    DOMAIN_GRAPHICS_UNSAID,
    DOMAIN_GRAPHICS_VNC,
} DomainGraphicsType;

typedef enum DomainListenType {
    DOMAIN_LISTEN_UNSAID,
    DOMAIN_LISTEN_ADDRESS,
    DOMAIN_LISTEN_SOCKET,
    DOMAIN_LISTEN_NONE,
} DomainListenType;

typedef struct DomainListen {
    XmlBase base;
    DomainListenType type;
    char *address;
    char *socket;
} DomainListen;

typedef struct DomainGraphics {
    DomainDevice device;
    DomainGraphicsType type;
    char *socket;
    XmlNumber port; /* -1: any that is free, as .autoport says */
    Switch autoport;
    char *listen; /* the first address in .listens */
    char *passwd; /* secret */
    char *valid_to;
    char *keymap;
    GPtrArray *listens; /* of DomainListen; one when completed */
} DomainGraphics;

typedef enum DomainVideoType {
    DOMAIN_VIDEO_UNSAID,
    DOMAIN_VIDEO_VGA,
    DOMAIN_VIDEO_BOCHS,
    DOMAIN_VIDEO_VIRTIO,
    DOMAIN_VIDEO_NONE,
} DomainVideoType;

typedef struct DomainVideoModel {
    XmlBase base;
    DomainVideoType type;
    XmlNumber vram; /* KiB */
    XmlNumber heads;
    Switch primary;
} DomainVideoModel;

typedef struct DomainVideo {
    DomainDevice device;
    DomainVideoModel *model; /* never NULL when completed */
} DomainVideo;

/* --- the rest of the devices --- */

typedef enum DomainWatchdogModel {
    DOMAIN_WATCHDOG_UNSAID,
    DOMAIN_WATCHDOG_I6300ESB,
} DomainWatchdogModel;

typedef enum DomainWatchdogAction {
    DOMAIN_WATCHDOG_ACTION_UNSAID, /* as RESET */
    DOMAIN_WATCHDOG_RESET,
    DOMAIN_WATCHDOG_POWEROFF,
    DOMAIN_WATCHDOG_PAUSE,
    DOMAIN_WATCHDOG_NONE,
    DOMAIN_WATCHDOG_SHUTDOWN,
} DomainWatchdogAction;

typedef struct DomainWatchdog {
    DomainDevice device;
    DomainWatchdogModel model;
    DomainWatchdogAction action;
} DomainWatchdog;

typedef enum DomainBalloonModel {
    DOMAIN_BALLOON_UNSAID,
    DOMAIN_BALLOON_VIRTIO,
    DOMAIN_BALLOON_NONE,
} DomainBalloonModel;

typedef struct DomainBalloonStats {
    XmlBase base;
    XmlNumber period; /* seconds */
} DomainBalloonStats;

typedef struct DomainBalloon {
    DomainDevice device;
    DomainBalloonModel model;
    DomainBalloonStats *stats;
} DomainBalloon;

typedef enum DomainRngModel { DOMAIN_RNG_UNSAID, DOMAIN_RNG_VIRTIO } DomainRngModel;
typedef enum DomainRngBackendModel {
    DOMAIN_RNG_BACKEND_UNSAID,
    DOMAIN_RNG_BACKEND_RANDOM,
    DOMAIN_RNG_BACKEND_BUILTIN,
} DomainRngBackendModel;

typedef struct DomainRngBackend {
    XmlBase base;
    DomainRngBackendModel model;
    char *path; /* /dev/urandom, /dev/random: the host's generator in either case */
} DomainRngBackend;

typedef struct DomainRng {
    DomainDevice device;
    DomainRngModel model;
    DomainRngBackend *backend; /* never NULL */
} DomainRng;

typedef enum DomainPanicModel { DOMAIN_PANIC_UNSAID, DOMAIN_PANIC_ISA } DomainPanicModel;

typedef struct DomainPanic {
    DomainDevice device;
    DomainPanicModel model;
} DomainPanic;

/* <sound>, <hub>, <redirdev>: kept, and listed to give them aliases */
typedef struct DomainOther {
    DomainDevice device;
} DomainOther;

/* --- the machine --- */

typedef enum DomainType { DOMAIN_TYPE_UNSAID, DOMAIN_TYPE_QEMU, DOMAIN_TYPE_KVM } DomainType;

typedef enum DomainAction {
    DOMAIN_ACTION_UNSAID, /* never so when completed */
    DOMAIN_ACTION_DESTROY,
    DOMAIN_ACTION_RESTART,
    DOMAIN_ACTION_PRESERVE,
    DOMAIN_ACTION_RENAME_RESTART,
    DOMAIN_ACTION_COREDUMP_DESTROY,
    DOMAIN_ACTION_COREDUMP_RESTART,
} DomainAction;

typedef enum DomainPlacement {
    DOMAIN_PLACEMENT_UNSAID,
    DOMAIN_PLACEMENT_STATIC,
} DomainPlacement;

typedef struct DomainVcpu {
    XmlBase base;
    DomainPlacement placement;
    XmlNumber count;   /* from 1 on */
    XmlNumber current; /* those that it starts with; not said: all */
} DomainVcpu;

typedef enum DomainOsFirmware {
    DOMAIN_FIRMWARE_UNSAID,
    DOMAIN_FIRMWARE_BIOS,
    DOMAIN_FIRMWARE_EFI,
} DomainOsFirmware;

typedef struct DomainOsType {
    XmlBase base;
    char *arch;    /* never NULL when completed */
    char *machine; /* a name by config/domain_machine.h; the canonical one when completed */
    unsigned type; /* hvm */
} DomainOsType;

typedef enum DomainLoaderType {
    DOMAIN_LOADER_UNSAID,
    DOMAIN_LOADER_ROM,
    DOMAIN_LOADER_PFLASH
} DomainLoaderType;

typedef struct DomainLoader {
    XmlBase base;
    Switch readonly, secure;
    DomainLoaderType type;
    char *path;
} DomainLoader;

typedef struct DomainNvram {
    XmlBase base;
    char *template; /* what a new one is copied from */
    char *path;
} DomainNvram;

typedef enum DomainBootDev {
    DOMAIN_BOOT_UNSAID,
    DOMAIN_BOOT_HD,
    DOMAIN_BOOT_CDROM,
    DOMAIN_BOOT_NETWORK,
} DomainBootDev;

typedef struct DomainBoot {
    XmlBase base;
    DomainBootDev dev;
} DomainBoot;

typedef struct DomainOs {
    XmlBase base;
    DomainOsFirmware firmware;
    DomainOsType *type; /* never NULL */
    DomainLoader *loader;
    DomainNvram *nvram;
    char *kernel, *initrd, *cmdline;
    GPtrArray *boot; /* of DomainBoot, in their order */
} DomainOs;

typedef struct DomainFeatures {
    XmlBase base;
    bool acpi; /* there is ACPI, whatever this says */
} DomainFeatures;

/* All that can be said of it is kept or refused. */
typedef struct DomainMemoryBacking {
    XmlBase base;
} DomainMemoryBacking;

typedef enum DomainCpuMode {
    DOMAIN_CPU_MODE_UNSAID,
    DOMAIN_CPU_CUSTOM,
    DOMAIN_CPU_HOST_MODEL,
    DOMAIN_CPU_HOST_PASSTHROUGH,
    DOMAIN_CPU_MAXIMUM,
} DomainCpuMode;

typedef struct DomainCpuModel {
    XmlBase base;
    char *name;
} DomainCpuModel;

typedef struct DomainCpuTopology {
    XmlBase base;
    XmlNumber sockets, dies, clusters, cores, threads;
} DomainCpuTopology;

typedef struct DomainCpu {
    XmlBase base;
    DomainCpuMode mode;
    DomainCpuModel *model;
    DomainCpuTopology *topology;
} DomainCpu;

typedef enum DomainClockOffset {
    DOMAIN_CLOCK_UNSAID,
    DOMAIN_CLOCK_UTC,
} DomainClockOffset;

typedef struct DomainClock {
    XmlBase base;
    DomainClockOffset offset;
} DomainClock;

typedef struct DomainConfig {
    XmlBase base;
    DomainType type;
    XmlNumber id; /* live only */
    char *name;   /* never NULL */
    XmlUuid uuid;
    char *title, *description;
    char *metadata; /* what stands between <metadata> and </metadata>, byte for byte */
    uint64_t memory, current_memory; /* bytes; .current_memory never 0 when completed */
    DomainMemoryBacking *memory_backing;
    DomainVcpu *vcpu; /* never NULL when completed */
    DomainOs *os;     /* never NULL */
    DomainFeatures *features;
    DomainCpu *cpu;
    DomainClock *clock;
    DomainAction on_poweroff, on_reboot, on_crash;
    /* within <devices> */
    char *emulator;
    GPtrArray *disks;       /* of DomainDisk */
    GPtrArray *controllers; /* of DomainController */
    GPtrArray *interfaces;  /* of DomainInterface */
    GPtrArray *serials;     /* of DomainChar */
    GPtrArray *consoles;    /* of DomainChar; the first is the first serial's twin, or virtio */
    GPtrArray *channels;    /* of DomainChar: kept, see DOMAIN_CHAR_SPICEVMC */
    GPtrArray *inputs;      /* of DomainInput */
    GPtrArray *graphics;    /* of DomainGraphics */
    GPtrArray *sounds;      /* of DomainOther */
    GPtrArray *videos;      /* of DomainVideo */
    GPtrArray *redirdevs;   /* of DomainOther */
    GPtrArray *hubs;        /* of DomainOther */
    GPtrArray *watchdogs;   /* of DomainWatchdog */
    DomainBalloon *balloon; /* never NULL when completed */
    GPtrArray *rngs;        /* of DomainRng */
    GPtrArray *panics;      /* of DomainPanic */
} DomainConfig;

/* --- in and out --- */

typedef enum DomainParseFlags {
    DOMAIN_PARSE_INACTIVE = 0, /* what only a running domain has is passed over */
    DOMAIN_PARSE_LIVE = 1,     /* it is read, too: a stored live configuration */
} DomainParseFlags;

/* libvirt's numbers, so that a client's flags can be handed on. */
typedef enum DomainFormatFlags {
    DOMAIN_FORMAT_SECURE = 1,     /* with passwords */
    DOMAIN_FORMAT_INACTIVE = 2,   /* without what only a running domain has */
    DOMAIN_FORMAT_MIGRATABLE = 8, /* the same as INACTIVE here */
} DomainFormatFlags;

/* Fails with INSULA_ERROR_XML, or INSULA_ERROR_UNSUPPORTED for what can't be honoured. */
DomainConfig *domain_config_parse(const char *xml, DomainParseFlags flags, GError **error);
/* Newly allocated. */
char *domain_config_format(const DomainConfig *config, unsigned flags);
DomainConfig *domain_config_copy(const DomainConfig *config);
/* @config may be NULL. */
void domain_config_free(DomainConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DomainConfig, domain_config_free)

/* Make a live configuration one that could be defined: without aliases, chosen ports and paths of
 * pseudo-terminals.  What the tables flag as live is left out by the flags above. */
void domain_config_forget_life(DomainConfig *config);

/* What depends on where the daemon runs. */
typedef struct DomainDefaults {
    const char *emulator;            /* path of insula-vm */
    const char *const *cpu_models;   /* that there are, NULL behind the last; NULL: not checked */
    const char *const *disk_formats; /* the same */
    bool kvm;                        /* domains of type kvm can run */
    uint64_t max_memory;             /* bytes; 0: no limit */
    unsigned max_vcpus;              /* 0: no limit */
} DomainDefaults;

/* Fill in what wasn't said, and check what no single element shows: names that stand twice, more
 * devices than the machine has room for, CPU models.  Twice is as good as once. */
bool domain_config_complete(DomainConfig *config, const DomainDefaults *defaults, GError **error);
/* Give each device its alias, as a running domain has. */
void domain_config_enliven(DomainConfig *config);
/* Make the first console what the first serial port is, if it is its twin: after the port's source
 * has changed, such as to the path of its pseudo-terminal. */
void domain_config_mirror_console(DomainConfig *config);

/* --- metadata --- */

/* The element of namespace @uri in the metadata; NULL: there is none.  Newly allocated. */
char *domain_config_metadata(const DomainConfig *config, const char *uri);
/* Put @xml (one element; NULL: nothing) in its place, with prefix @key bound to @uri. */
bool domain_config_set_metadata(DomainConfig *config, const char *key, const char *uri,
                                const char *xml, GError **error);
