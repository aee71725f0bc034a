/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits on what a person may ask of a virtual machine, each with its reason.
 */
#pragma once

#include <stdint.h>

/* Real mode alone needs the first megabyte. */
#define CONFIG_MEMORY_MIN (UINT64_C(1) << 20)
/* Guest physical addresses have 40 bits on the smallest hosts with KVM. */
#define CONFIG_MEMORY_MAX (UINT64_C(1) << 39)
/* Without --memory: enough for a kernel with an initramfs, and for what is installed on disks. */
#define CONFIG_MEMORY_USUAL (UINT64_C(512) << 20)
#define CONFIG_MEMORY_WHOLE (UINT64_C(1) << 30)
/* The unit of RAM regions, see memory/memory.h. */
#define CONFIG_MEMORY_UNIT UINT64_C(4096)

enum {
    CONFIG_CODE_CACHE_MIN = 1 << 20, /* room for several blocks of the largest size */
    CONFIG_CODE_CACHE_MAX = 1 << 30, /* jumps in it reach 2 GiB */
    CONFIG_CPUS_MAX = 64,            /* as ENGINE_MAX_CPUS */
    CONFIG_DISKS_MAX = 24,           /* slots of virtio-mmio that board micro keeps for disks */
    CONFIG_BOOT_MAX = 99,            /* more places than disks and networks */
    CONFIG_NAME_MAX = 128,           /* fits a file name with a suffix */
    CONFIG_APPEND_MAX = 2047,        /* the kernel's own COMMAND_LINE_SIZE, less the final 0 */
    CONFIG_FD_MAX = 1 << 20,         /* of descriptors that may be passed */
    CONFIG_SOCKET_MAX = 107,         /* sun_path, less the final 0 */
    CONFIG_NETS_MAX = 6,             /* slots of virtio-mmio that board micro keeps for networks */
    CONFIG_NET_QUEUES_MAX = 4,
    CONFIG_DISK_QUEUES_MAX = 8, /* as VIRTIO_BLK_MAX_QUEUES */
    CONFIG_FORWARDS_MAX = 256,  /* each is a descriptor of insula-net */
    CONFIG_MTU_MIN = 68,        /* IPv4 takes no less, and an IP packet is no longer */
    CONFIG_MTU_MAX = 65535,
};

/* A cluster of qcow2 (block/limits.h has the same for who opens one). */
enum { CONFIG_CLUSTER_MAX = 2 << 20 };

/* What XML may consist of: larger than any that a client sends, smaller than what costs us a
 * noticeable time (docs/domain-xml.md). */
enum {
    XML_SIZE_MAX = 1 << 20,
    XML_DEPTH_MAX = 64,
    XML_ELEMENTS_MAX = 10000,
    XML_ATTRIBUTE_MAX = 4096, /* bytes of an attribute's value */
};
