# SPDX-License-Identifier: GPL-2.0-or-later
"""The machines that tools/bench compares, and the guest's console in them.

A Contender knows how its machine is started; a Machine is one that runs.  A line of the console comes
with the time at which it was read, in seconds from the start of the process.
"""
import os
import re
import select
import signal
import subprocess
import time
from collections import namedtuple

APPEND = "console=ttyS0 quiet panic=-1 "
MEMORY_MIB = 256
LIMIT_S = 120           # for a boot, or one row, on a machine that others use too
WITH_ELF = ("vmlinux", "initramfs.cpio")
WITH_BZIMAGE = ("kernel", "initramfs.gz")
WITH_SUITE = ("vmlinux", "bench.cpio")

# A row's rate; the guest's time by the host's; in what part of it others had the CPU that we needed.
Sample = namedtuple("Sample", "rate unit clock disturbed")


def machine_of(pid):
    """The process that has the machine: the child of insula-vm's keeper, or @pid itself."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        for child in f.read().split():
            with open(f"/proc/{child}/comm", encoding="ascii") as comm:
                if comm.read() != "insula-net\n":
                    return int(child)
    return pid


class Failed(Exception):
    """A machine did not do what it was to do; says what its console said."""


def tsc_khz():
    """What the kernel may not find out by itself on a board that has no timer to count against."""
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("bogomips"):
                return int(float(line.split(":")[1]) * 500)
    return 1_000_000


class Insula:
    """Our own program; its standard board, and the CPU model that it chooses by itself."""

    def __init__(self, program, engine):
        self.program = program
        self.engine = engine
        self.name = f"Insula {engine}"

    def command(self, guests, image, words, cpus, fast_boot):
        del fast_boot
        return [self.program, "run", "--engine", self.engine, "--cpus", str(cpus),
                "--memory", f"{MEMORY_MIB}M", "--serial", "stdio", "--net", "none", "--no-reboot",
                "--kernel", os.path.join(guests, image[0]),
                "--initrd", os.path.join(guests, image[1]), "--append", APPEND + words]


class Qemu:
    """The reference: q35 and its default CPU for work, microvm, its fastest board, for boots."""

    def __init__(self, program):
        self.program = program
        said = subprocess.run([program, "--version"], text=True, capture_output=True, check=True)
        self.name = f"QEMU {re.search(r'version ([0-9.]+)', said.stdout)[1]} TCG"

    def command(self, guests, image, words, cpus, fast_boot):
        board = "microvm" if fast_boot else "q35"
        words += f" tsc_early_khz={tsc_khz()}" if fast_boot else ""
        return [self.program, "-M", board, "-accel", "tcg", "-smp", str(cpus),
                "-m", str(MEMORY_MIB), "-nodefaults", "-display", "none", "-serial", "stdio",
                "-no-reboot", "-kernel", os.path.join(guests, image[0]),
                "-initrd", os.path.join(guests, image[1]), "-append", APPEND + words]


class Machine:
    """One that runs; a context, at the end of which it does not."""

    def __init__(self, command, cpus):
        self.cpus = cpus
        self.begun = time.monotonic()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.text = b""
        self.lines = []         # (seconds, text) not yet looked at
        self.seen = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.process.send_signal(number)
            try:
                self.process.wait(10)
                break
            except subprocess.TimeoutExpired:
                continue
        self.process.stdin.close()
        self.process.stdout.close()

    def read(self, deadline):
        """Reads what the console has to say by then."""
        ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
        chunk = self.process.stdout.read() if ready else None
        now = time.monotonic() - self.begun
        if chunk == b"":
            raise Failed("it ended; its console said last:\n" + self.last_words())
        *whole, self.text = (self.text + (chunk or b"")).split(b"\n")
        self.lines += [(now, line.decode(errors="replace").strip()) for line in whole]

    def last_words(self):
        return "\n".join("    " + text for text in self.seen[-8:])

    def wait_for(self, pattern, limit_s=LIMIT_S):
        """(seconds, match) of the first line that matches."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            while self.lines:
                seconds, text = self.lines.pop(0)
                self.seen.append(text)
                match = re.search(pattern, text)
                if match:
                    return seconds, match
            self.read(deadline)
        raise Failed(f"nothing like '{pattern}' within {limit_s} s; its console said last:\n" +
                     self.last_words())

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def waited_s(self):
        """For how long the one thread that could have run has waited for a CPU of the host's: of
        several, that which waited most."""
        waited = [0]
        folder = f"/proc/{machine_of(self.process.pid)}/task"
        for task in os.listdir(folder):
            try:
                with open(f"{folder}/{task}/schedstat", encoding="utf-8") as f:
                    waited.append(int(f.read().split()[1]))
            except (OSError, IndexError):
                continue        # it has just ended, or the host's kernel doesn't count
        return max(waited) / 1e9

    def row(self, name, seconds):
        """What a row of insbench gives, in a second in which our one vCPU had a CPU of the host's.
        (Two may wait at once: then there is no telling, and the rate is as it is.)"""
        self.say(f"{name} {seconds}")
        begun, _ = self.wait_for(f"^BENCH-BEGIN {name}$|^BENCH-BAD")
        waited = self.waited_s()
        ended, said = self.wait_for(f"^BENCH(-BAD)? {name} (.*)")
        waited = self.waited_s() - waited
        self.wait_for("^BENCH-READY")
        if said[1]:
            raise Failed(f"row {name} {said[2]}")
        rate, unit, _, passed = said[2].split()
        took = max(ended - begun, 1e-9)
        disturbed = min(waited / took, 0.99)
        had = 1 - disturbed if self.cpus == 1 else 1
        return Sample(float(rate) / had, unit, float(passed[2:]) / took, disturbed)

    def memory_mib(self):
        """(PSS, RSS) beyond guest RAM, which is the mapping of just its size."""
        beyond = {"Pss": 0, "Rss": 0}
        for pid in {self.process.pid, machine_of(self.process.pid)}:
            self.add_memory(pid, beyond)
        return beyond["Pss"], beyond["Rss"]

    @staticmethod
    def add_memory(pid, beyond):
        guest = False
        with open(f"/proc/{pid}/smaps", encoding="utf-8") as f:
            for line in f:
                head = re.match(r"([0-9a-f]+)-([0-9a-f]+) .{4} \S+ \S+ \S+\s*(.*)", line)
                if head:
                    size = int(head[2], 16) - int(head[1], 16)
                    guest = size == MEMORY_MIB << 20 and (not head[3] or "memfd" in head[3])
                elif not guest and line.split(":")[0] in beyond:
                    beyond[line.split(":")[0]] += int(line.split()[1]) / 1024
