/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can be plugged into a running machine, as clients of the control channel name it: disks
 * (nodes), networks (netdevs), and the devices that show them to the guest.
 *
 * Threads: main only.
 * Read first: vm/qmp.h.
 */
#pragma once

#include "block/block.h"
#include "vm/network.h"
#include "vm/qmp.h"

/* A disk image (.blk), or the file that one is to be opened from. */
typedef struct QmpNode {
    char *name;
    char *filename;
    bool read_only;
    bool is_file;         /* nothing but a file */
    bool stays;           /* of the machine's own disks: .blk isn't ours */
    Blk *blk;             /* NULL: a file that nobody has opened */
    struct QmpNode *file; /* that the image was opened from, or NULL */
    char *user;           /* the node or device that has it; NULL: nobody */
} QmpNode;

typedef struct QmpNetdev {
    char *id;
    NetConfig config; /* a tap device's descriptor is ours */
    char *user;
} QmpNetdev;

typedef struct QmpDevice {
    char *id;
    QmpNode *node;     /* of a disk, else NULL */
    QmpNetdev *netdev; /* of a NIC, else NULL */
    Network *network;
} QmpDevice;

typedef struct QmpPlug {
    GPtrArray *nodes, *netdevs, *devices;
} QmpPlug;

/* With the machine's own disks. */
QmpPlug *qmp_plug_new(const Qmp *qmp);
/* Takes all devices out of the machine first, which doesn't run any more. */
void qmp_plug_free(const Qmp *qmp, QmpPlug *plug);

/* The node called @name; NULL and an error: there is none. */
QmpNode *qmp_node_find(const QmpPlug *plug, const char *name, GError **error);
QmpNetdev *qmp_netdev_find(const QmpPlug *plug, const char *id, GError **error);
/* The machine has given device @id up. */
void qmp_device_gone(const Qmp *qmp, const char *id);

void qmp_node_free(QmpNode *node);
/* The node whose image is @blk, or NULL. */
QmpNode *qmp_node_of(const QmpPlug *plug, const Blk *blk);
/* A new node without a name for clients, of the image in file @path that is only to be read. */
QmpNode *qmp_node_open(const Qmp *qmp, const char *path, const char *format, GError **error);
/* Take out of CD-ROMs what a client has put in. */
void qmp_tray_empty(const Qmp *qmp);
void qmp_netdev_free(QmpNetdev *netdev);

extern const QmpCommand qmp_node_commands[];
extern const QmpCommand qmp_netdev_commands[];
extern const QmpCommand qmp_device_commands[];
extern const QmpCommand qmp_fd_commands[];
extern const QmpCommand qmp_tray_commands[];
