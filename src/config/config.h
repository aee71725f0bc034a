/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a virtual machine consists of, as one struct tree, whoever wrote it down.
 *
 * Machines, CPU models, engines and disk formats are names: this folder doesn't know which exist.
 * Whoever builds the machine checks them (docs/architecture.md).
 *
 * Threads: a VmConfig belongs to one thread at a time; once built it is only read.
 * Read first: config/options.h, which fills it from a command line.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/net.h"

/* Words of --disk, in the order of the tables in disk.c. */
typedef enum DiskCache {
    DISK_CACHE_WRITEBACK,
    DISK_CACHE_NONE,
    DISK_CACHE_WRITETHROUGH,
    DISK_CACHE_DIRECTSYNC,
    DISK_CACHE_UNSAFE,
} DiskCache;

/* What becomes of writes of zeros. */
typedef enum DiskZeroes {
    DISK_ZEROES_WRITE, /* they are writes */
    DISK_ZEROES_KEEP,  /* they are looked for, and take no writing */
    DISK_ZEROES_UNMAP, /* and no room either, where discards are passed on */
} DiskZeroes;

/* What becomes of what the host can't do. */
typedef enum DiskFault {
    DISK_FAULT_REPORT,
    DISK_FAULT_IGNORE,
    DISK_FAULT_STOP,
    DISK_FAULT_ENOSPC,
} DiskFault;

typedef enum DiskBus { DISK_VIRTIO, DISK_SATA } DiskBus;

typedef struct DiskConfig {
    char *file;
    char *format; /* NULL: not said, which is raw */
    bool read_only;
    DiskCache cache;
    bool keep_discard; /* what the guest discards is not given back to the host */
    DiskZeroes zeroes;
    DiskFault read_fault, write_fault;
    unsigned boot; /* its place in the boot order, from 1 on; 0: not said */
    DiskBus bus;
    bool cdrom;      /* a CD-ROM drive, on SATA, and its first medium */
    bool empty;      /* a CD-ROM drive with nothing in it; .file is "none" */
    unsigned queues; /* 0: one per CPU */
} DiskConfig;

typedef enum SerialKind {
    SERIAL_STDIO,
    SERIAL_UNIX,
    SERIAL_FILE,
    SERIAL_NONE, /* output is dropped */
} SerialKind;

typedef struct SerialConfig {
    SerialKind kind;
    char *path; /* of SERIAL_UNIX and SERIAL_FILE */
} SerialConfig;

typedef enum GdbKind {
    GDB_OFF,
    GDB_UNIX,
    GDB_TCP, /* on the loopback address only */
} GdbKind;

typedef struct GdbConfig {
    GdbKind kind;
    char *path;    /* of GDB_UNIX */
    uint16_t port; /* of GDB_TCP */
    bool wait;     /* the vCPUs stand until gdb says go */
} GdbConfig;

typedef struct QmpConfig {
    bool on;
    char *path; /* of a socket to be made; NULL: .fd is one */
    int fd;
} QmpConfig;

/* Whether the process locks itself in. */
typedef struct SandboxConfig {
    bool on;
    bool net; /* a user network may be plugged in, even if there is none at the begin */
} SandboxConfig;

/* What becomes of a machine whose watchdog goes off. */
typedef enum WatchdogAction {
    WATCHDOG_ABSENT, /* there is none */
    WATCHDOG_RESET,
    WATCHDOG_POWEROFF,
    WATCHDOG_PAUSE,
    WATCHDOG_NONE, /* it is told of, no more */
} WatchdogAction;

/* What a state file says too. */
enum { CONFIG_SAID_MACHINE = 1, CONFIG_SAID_CPUS = 2, CONFIG_SAID_MEMORY = 4 };

typedef enum ScreenKind {
    SCREEN_OFF,
    SCREEN_UNIX,
    SCREEN_TCP, /* on the loopback address only */
    SCREEN_FD,
} ScreenKind;

/* Where VNC viewers come in. */
typedef struct ScreenConfig {
    ScreenKind kind;
    char *path;          /* of SCREEN_UNIX */
    uint16_t port;       /* of SCREEN_TCP */
    int fd;              /* of SCREEN_FD: a socket that listens, or is connected */
    char *password_file; /* its first line is what they must know; NULL: nothing */
} ScreenConfig;

#define CONFIG_RESTORE_DEFER "defer"

typedef struct VmConfig {
    char *name;      /* NULL: not said */
    char *uuid;      /* the same */
    char *machine;   /* NULL: not said; never so after vm_config_settle() */
    char *engine;    /* never NULL; "auto": whichever is best here */
    char *cpu_model; /* NULL: the engine's default */
    unsigned cpus;
    uint64_t memory;          /* bytes of RAM; 0: not said, never so after vm_config_settle() */
    char *firmware;           /* a name or a file; NULL: what the machine usually has */
    char *firmware_variables; /* file of UEFI variables; NULL: they are forgotten */
    char *kernel;             /* files; NULL: none */
    char *initrd;
    char *append;         /* the kernel's command line; NULL: none said */
    GPtrArray *disks;     /* of DiskConfig, in the order given; owns them */
    GPtrArray *nets;      /* of NetConfig, in the order given; owns them */
    bool no_net;          /* "none" was said; else no network said is a user network */
    GPtrArray *forwards;  /* of ForwardConfig, into the first user network; owns them */
    SerialConfig serial;  /* the UART */
    SerialConfig console; /* the virtio-console; SERIAL_NONE: there is no such device */
    bool virtio_gpu;      /* draws the picture, in place of a VGA */
    ScreenConfig screen;  /* of VNC viewers; only machine pc has one */
    GdbConfig gdb;
    QmpConfig qmp;
    int lock_fd; /* open, and held open to the end; 0: none */
    WatchdogAction watchdog;
    /* the state file that the machine goes on from, or CONFIG_RESTORE_DEFER: it waits until it is
     * told one by the control channel; NULL: it starts */
    char *restore;
    char *save;    /* where SIGUSR1 saves it; NULL: nowhere */
    unsigned said; /* CONFIG_SAID_: not left at its default */
    SandboxConfig sandbox;
    bool no_reboot;
    bool paused;          /* the vCPUs stand until somebody resumes the machine */
    bool verbose;         /* say what was chosen where nothing was said */
    uint32_t log_mask;    /* see common/log.h */
    uint64_t code_cache;  /* bytes of translated code at most; 0: the engine's default */
    bool check;           /* blocks of guest code run on two back ends */
    uint64_t check_every; /* not only new ones, but each so many executions; 0: only new ones */
} VmConfig;

/* Everything at its default. */
VmConfig *vm_config_new(void);
/* @config may be NULL. */
void vm_config_free(VmConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmConfig, vm_config_free)

/* Choose what was not said and depends on the rest: a disk or firmware means a whole PC, a kernel
 * alone the quick machine, unless it gets what only a PC has. */
void vm_config_settle(VmConfig *config);

/* Check what one setting alone can't show, such as there being anything to start.  Fails
 * with INSULA_ERROR_USAGE.  Opens no file. */
bool vm_config_check(const VmConfig *config, GError **error);

void disk_config_free(DiskConfig *disk);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DiskConfig, disk_config_free)
