# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of insulad share: cases in TAP, and a daemon with a folder of its own.

A script's cases are its functions named test_..., with a sentence as docstring; each gets a Daemon
that runs, and fails by an AssertionError.  A case that returns text is skipped for that reason.
"""
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))

from rpc import LIMIT, Connection, RemoteError  # noqa: E402


class Daemon:
    def __init__(self, program, folder, *options):
        self.program, self.root, self.options = program, folder, options
        self.socket = os.path.join(folder, "run", "insulad.sock")
        self.read_only = os.path.join(folder, "run", "insulad-ro.sock")
        self.process = None
        self.connections = []
        with open(program, "rb") as f:
            self.sanitized = b"AddressSanitizer" in f.read()  # which keeps what was freed

    def start(self):
        self.process = subprocess.Popen([self.program, "--root", self.root, *self.options],
                                        stdin=subprocess.DEVNULL)
        until = time.monotonic() + LIMIT
        while not os.path.exists(self.read_only):  # the second one that is made
            assert self.process.poll() is None, "insulad has ended"
            assert time.monotonic() < until, "insulad makes no socket"
            time.sleep(0.01)
        return self

    def stop(self, number=signal.SIGTERM):
        """Its exit status."""
        for connection in self.connections:
            connection.close()
        self.connections = []
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(LIMIT)

    def connect(self, path=None):
        """A connection that isn't opened; its socket may be backed up for a moment."""
        until = time.monotonic() + LIMIT
        while True:
            try:
                self.connections.append(Connection(path or self.socket))
                return self.connections[-1]
            except (BlockingIOError, ConnectionRefusedError):
                assert time.monotonic() < until, "insulad takes no more clients"
                time.sleep(0.01)

    def open(self, path=None):
        return self.connect(path).open_()

    def memory(self):
        """Bytes that it has in use."""
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def main(cases, *options):
    """Run all functions of @cases named test_..., or those that are named, with the daemon that is
    the first word."""
    program, wanted = os.path.abspath(sys.argv[1]), sys.argv[2:]
    tests = [(name, case) for name, case in cases.items()
             if name.startswith("test_") and (not wanted or name in wanted)]
    print(f"1..{len(tests)}")
    failed = 0
    for number, (name, case) in enumerate(tests, 1):
        with tempfile.TemporaryDirectory() as folder:
            daemon = Daemon(program, folder, *options)
            try:
                reason = case(daemon.start())
                status = daemon.stop()
                assert status == 0, f"insulad ended with {status}"
                print(f"ok {number} - {case.__doc__}" + (f" # SKIP {reason}" if reason else ""),
                      flush=True)
            except (AssertionError, RemoteError, subprocess.TimeoutExpired, OSError) as error:
                failed += 1
                print(f"not ok {number} - {case.__doc__}", flush=True)
                place = traceback.extract_tb(error.__traceback__)[1:2]
                print(f"# {name}, {place}: {error!r}")
            finally:
                daemon.stop(signal.SIGKILL)
    sys.exit(1 if failed else 0)
