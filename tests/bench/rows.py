# SPDX-License-Identifier: GPL-2.0-or-later
"""What tools/bench measures, in which classes, and what Insula aims at.

A factor is how many times better than the reference: its time by ours, or our rate by its.
"""
from collections import namedtuple

Row = namedtuple("Row", "name unit cpus group")

# Rows of two threads count on two vCPUs; work1 is there, too, to see what a second one gives.
TWO_THREADS = ("work2", "atomic2", "cas2", "mutex2", "futex2")
ON_TWO_CPUS = ("work1",) + TWO_THREADS
# These two are figures of the whole program, and do not count as rows of the suite.
BOOTS = {"boot": "Linux to /init, ELF kernel", "boot_bzimage": "Linux to /init, packed kernel"}

# Class: the factor aimed at, and its rows.
CLASSES = {
    "calls, interpreters, switches": (3, ("vmswitch", "vmgoto", "fib", "icall", "pipe", "pipe1cpu",
                                          "ctxsw")),
    "scalar floating point": (4, ("nbody", "mandel", "linpack", "fp32conv", "ldouble")),
    "SIMD": (20, ("simdint", "simdfp")),
    "memcpy, memset": (10, ("memcpy", "memset")),
    "translation, code that changes": (3, ("smc", "codegen1", "codegen20")),
    "atomics and waits on 2 CPUs": (1, ("atomic2@2", "cas2@2", "mutex2@2", "futex2@2")),
    "commands": (1, ("gzip20m", "gunzip20m", "sha256_20m", "sort2m", "awk4m", "shloop")),
}
SUITE_AIM, SUITE_LEAST = 3, 2.5
ROW_LEAST = 1.0
# Groups whose rows ask little of a kernel, so that the host's own CPU can be compared.
BARE_GROUPS = ("int", "fp", "mem", "branch")
BOOT_LEAST = 1 / 0.6          # at most 0.6 times the reference's time
SCALING_LEAST = 1.8           # work2 by work1, on two vCPUs
MEMORY_MOST_MIB = 64          # beyond guest RAM, after a boot


def listed(text):
    """Rows from what `insbench -l` says, those on two vCPUs named NAME@2."""
    one, two = [], []
    for line in text.splitlines():
        group, name, unit = line.split()
        if name not in TWO_THREADS:
            one.append((group, Row(name, unit, 1, group)))
        if name in ON_TWO_CPUS:
            two.append((group, Row(name + "@2", unit, 2, group)))
    return one + two


def chosen(rows, words):
    """The rows that --only means: names (sieve, work2, work2@2) and groups."""
    if not words:
        return [row for _, row in rows]
    return [row for group, row in rows
            if {group, row.name, row.name.split("@")[0]} & set(words)]


def counts(name):
    """Whether a row belongs to the mean over the suite."""
    return name not in BOOTS and name != "work1@2"
