# SPDX-License-Identifier: GPL-2.0-or-later
"""Check of layers: who may include whom (docs/architecture.md)."""
import os
import re

from tree import Finding

# A file includes its own folder or one of a lower level.
LEVELS = {
    "common": 0,
    "memory": 1, "config": 1, "block": 1, "net": 1, "display": 1, "wire": 1,
    "engine": 2, "client": 2, "disk": 2,
    "machine": 3,
    "vm": 4, "manager": 4,
    "cli": 5, "dashboard": 5,
}
# Inside a folder, by its first folder: never one of a higher level.
INNER = {
    "machine": {"core": 0, "pci": 1, "virtio": 1, "device": 2, "boot": 2, "": 3, "board": 3},
    "engine/dbt": {"ir": 0, "run": 1, "host": 1, "guest": 1, "": 2},
}
# Folders that see only what stands here, besides themselves.
ONLY = {
    "cli": {"common", "client"},
    "dashboard": {"common", "client"},
    "disk": {"common", "block", "config"},
    "client": {"common", "wire"},
}
# Headers that the build makes of a table.
MADE = {"wire/remote_gen.h", "client/calls_gen.h"}
# (who, may never include): a prefix of paths under src/ each.
NEVER = [
    ("manager/", "machine/"),
    ("manager/", "engine/"),
    ("engine/kvm/", "engine/dbt/"),
    ("engine/dbt/", "engine/kvm/"),
    ("engine/dbt/guest/", "engine/dbt/host/"),
]
# The translator's core knows no guest, by include or by name.
CORE = re.compile(r"^engine/dbt/(ir|run|host)/")
GUEST_HEADER = re.compile(r"^engine/(x86|arm64|riscv|dbt/guest)/")
GUEST_NAME = re.compile(r"\b\w*(?:x86|amd64|arm64|aarch64|riscv)\w*", re.I)
# A word of an identifier ("guest_cr3", "readCr3") that only a guest's own code has a use for.
SYSTEM_WORDS = set("""
    cr0 cr2 cr3 cr4 cr8 dr6 dr7 efer msr msrs rdmsr wrmsr apic lapic gdt gdtr idt idtr ldt ldtr tss
    cpl iopl pcid invlpg x87 satp sepc scause stval mstatus sstatus mhartid ttbr0 ttbr1 elr
    spsr sctlr daif
    """.split())
# And a host's, when that CPU is the host.
REGISTER_WORDS = set("""
    rax eax rbx ebx rcx ecx rdx edx rsi esi rdi edi rsp esp rbp ebp rip eip rflags eflags mxcsr mmx
    xmm ymm zmm cpuid sse sse2 avx avx2 nzcv fpcr fpsr fcsr
    """.split())
# A back end may name the CPU that its folder is named for, but not the guest of that name.
HOST = re.compile(r"^engine/dbt/host/(\w+)/")
HOST_AS_GUEST = re.compile(r"\bX86[A-Z_]\w*|\bx86_(?!64)\w*|\bArm64[A-Z]\w*|\bRiscv[A-Z]\w*")
# In machine/ only the board sees the engine.
MACHINE_NOT_BOARD = re.compile(r"^machine/(?!board/)")


def part(path):
    return path.split("/")[0]


def inner_problem(path, target):
    """A higher level inside a folder that has levels of its own, or None."""
    for outer, levels in INNER.items():
        if not (path.startswith(outer + "/") and target.startswith(outer + "/")):
            continue
        mine = os.path.dirname(path[len(outer) + 1:]).split("/")[0]
        other = os.path.dirname(target[len(outer) + 1:]).split("/")[0]
        if mine == other or mine not in levels or other not in levels:
            return None
        # The folder's own headers may be seen by all in it.
        if other and levels[other] > levels[mine]:
            return f"{outer}/{mine or '.'} stands below {outer}/{other}"
    return None


def include_problem(path, target):
    """Why @path must not include @target (both under src/), or None."""
    mine, other = part(path), part(target)
    if other not in LEVELS:
        return f"src/{other}/ has no level"
    if mine != other and LEVELS[other] >= LEVELS[mine]:
        return f"{mine}/ (level {LEVELS[mine]}) stands below {other}/ (level {LEVELS[other]})"
    if mine != other and mine in ONLY and other not in ONLY[mine]:
        return f"{mine}/ sees only {', '.join(sorted(ONLY[mine]))}"
    for who, whom in NEVER:
        if path.startswith(who) and target.startswith(whom):
            return f"{who} must not see {whom}"
    if MACHINE_NOT_BOARD.match(path) and other == "engine":
        return "in machine/ only board/ sees engine/"
    if CORE.match(path) and GUEST_HEADER.match(target):
        return "the translator's core includes no guest header"
    return inner_problem(path, target)


def words(identifier):
    """Its parts, in small letters: by underscores and by capitals."""
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", identifier)
    return [word.lower() for word in parts.split("_") if word]


def guest_name(inside, line):
    """A name of a guest in a line of the core's code, or None."""
    host = HOST.match(inside)
    own = host and host[1] != "interp"
    name = (HOST_AS_GUEST if own else GUEST_NAME).search(line)
    if name:
        return name[0]
    forbidden = SYSTEM_WORDS if own else SYSTEM_WORDS | REGISTER_WORDS
    for identifier in re.findall(r"\b[A-Za-z_]\w*", line):
        if forbidden.intersection(words(identifier)):
            return identifier
    return None


def layers(tree):
    """A file includes its own folder or a folder of a lower level; the translator's core knows no
    guest."""
    found = []
    for path in tree.matching(r"^src/.*\.[ch]$|^src/.*\.def$"):
        inside = path[len("src/"):]
        if part(inside) not in LEVELS:
            found.append(Finding(path, 1, "", f"src/{part(inside)}/ has no level in tools/lint/layers.py"))
            continue
        is_test = path.endswith("_test.c")
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            include = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
            if not include:
                continue
            target = include[1]
            if "src/" + target not in tree.files and target not in MADE:
                found.append(Finding(path, number, target, f'"{target}" is not a path under src/'))
            else:
                problem = include_problem(inside, target)
                if problem and not (is_test and part(inside) == part(target)):
                    found.append(Finding(path, number, target, f'includes "{target}": {problem}'))
        if CORE.match(inside) and not is_test:
            for number, line in enumerate(tree.code(path).splitlines(), 1):
                name = guest_name(inside, line)
                if name and not line.lstrip().startswith("#include"):
                    found.append(Finding(path, number, name,
                                         f"names a guest ({name}) in the translator's core"))
    return found
