# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the programs share: cases in TAP, and a program with its input and output.

A script's cases are its functions named test_..., with a sentence as docstring; each gets a Tools
and fails by an AssertionError.
"""
import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time
import traceback

sys.dont_write_bytecode = True
ENGINE = os.environ.get("INSULA_ENGINE", "interpreter")
LIMIT = 60  # seconds until a wait is given up; generous, for sanitizers on a busy machine


def machine_of(pid):
    """The process that has the machine of the insula-vm @pid."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        for child in f.read().split():
            with open(f"/proc/{child}/comm", encoding="ascii") as comm:
                if comm.read() != "insula-net\n":
                    return int(child)
    return pid


class Program:
    """A running program.  With a terminal it stands on a pty of its own, which is both its input
    and its output; its standard error is apart, unless it is to go to the terminal too."""

    def __init__(self, words, terminal=False, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                 stderr=subprocess.PIPE, **how):
        self.seen = b""
        self.master = self.slave = None
        if terminal:
            self.master, self.slave = pty.openpty()
            self.mode_before = termios.tcgetattr(self.slave)
            stdin = stdout = self.slave
            stderr = self.slave if stderr == "terminal" else stderr
        self.process = subprocess.Popen(
            words, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=terminal,
            preexec_fn=self.take_terminal if terminal else None, **how)
        self.input = self.master if terminal else self.process.stdin and self.process.stdin.fileno()
        self.output = self.master if terminal else (
            self.process.stdout and self.process.stdout.fileno())

    @staticmethod
    def take_terminal():
        for number in (signal.SIGINT, signal.SIGQUIT):  # a shell's background job ignores them
            signal.signal(number, signal.SIG_DFL)
        os.close(os.open(os.ttyname(0), os.O_RDWR))  # the first one opened controls the session

    def send(self, text):
        os.write(self.input, text.encode() if isinstance(text, str) else text)

    def expect(self, text, fd=None):
        """Read until @text comes; what came before it."""
        text = text.encode() if isinstance(text, str) else text
        until = time.monotonic() + LIMIT
        while text not in self.seen:
            ready, _, _ = select.select([fd or self.output], [], [], max(until - time.monotonic(), 0))
            chunk = os.read(fd or self.output, 65536) if ready else b""
            assert chunk, f"waited for {text}, and got {self.seen[-500:]}"
            self.seen += chunk
        before, _, self.seen = self.seen.partition(text)
        return before

    def end(self):
        """The exit status (negative: the signal) and what was said on standard error."""
        if self.master:
            return self.end_on_terminal()
        try:
            _, said = self.process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired as slow:
            raise AssertionError("it does not end") from slow
        return self.process.returncode, (said or b"").decode()

    def end_on_terminal(self):
        """The same; what comes on the terminal meanwhile is read, or the program would wait for
        room there."""
        until = time.monotonic() + LIMIT
        said = b""
        errors = self.process.stderr and self.process.stderr.fileno()
        sources = [self.master] + ([errors] if errors else [])
        while self.process.poll() is None or errors in sources:
            assert time.monotonic() < until, "it does not end"
            for fd in select.select(sources, [], [], 0.02)[0]:
                chunk = os.read(fd, 65536)
                if fd == errors:
                    said += chunk
                    if not chunk:
                        sources.remove(fd)
        return self.process.returncode, said.decode()

    def machine(self):
        """The process that has the machine: the keeper's child, where there is a keeper."""
        return machine_of(self.process.pid)

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for fd in (self.master, self.slave):
            if fd is not None:
                os.close(fd)
        self.master = self.slave = None
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe and not pipe.closed:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass


class Tools:
    """What a case is given."""

    def __init__(self, vm, insula, kernel, folder):
        self.vm, self.insula, self.kernel, self.folder = vm, insula, kernel, folder
        self.running = []

    def path(self, name):
        return os.path.join(self.folder, name)

    def words(self, *options):
        return [self.vm, "--engine", ENGINE, "--kernel", self.kernel, "--memory", "16M",
                *options]

    def start(self, *options, **how):
        """insula-vm with the kernel that obeys keys."""
        self.running.append(Program(self.words(*options), **how))
        return self.running[-1]

    def run(self, *words):
        return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT,
                              text=True, check=False)


def main(cases):
    """Run all functions of @cases named test_..."""
    vm, insula, kernel = (os.path.abspath(word) for word in sys.argv[1:4])
    wanted = sys.argv[4:]
    tests = [(name, case) for name, case in cases.items()
             if name.startswith("test_") and (not wanted or name in wanted)]
    print(f"1..{len(tests)}")
    failed = 0
    for number, (name, case) in enumerate(tests, 1):
        with tempfile.TemporaryDirectory() as folder:
            tools = Tools(vm, insula, kernel, folder)
            try:
                reason = case(tools)
                print(f"ok {number} - {case.__doc__}" + (f" # SKIP {reason}" if reason else ""),
                      flush=True)
            except (AssertionError, subprocess.TimeoutExpired, OSError) as error:
                failed += 1
                print(f"not ok {number} - {case.__doc__}", flush=True)
                place = traceback.extract_tb(error.__traceback__)[1]
                print(f"# {name}, line {place.lineno}: {error!r}")
            finally:
                for program in tools.running:
                    program.stop()
    sys.exit(1 if failed else 0)
