# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests with real clients share: a daemon of their own, or the one behind a URI, and TAP.

    SCRIPT                 with an insulad of its own ($INSULAD, or insulad in $PATH)
    SCRIPT --uri URI       with any daemon: libvirt's own shows whether the test itself is right

A script's cases are its functions test_..., run in their order, each with a Client; a docstring
says what is true when it passes.
"""
import os
import subprocess
import sys
import tempfile
import time
import traceback

LIMIT = 120  # seconds until a wait is given up


class Skip(Exception):
    """The case can't be tried here."""


class Client:
    """A place of its own, and the URI of a daemon."""

    def __init__(self, uri, tmp):
        self.uri = uri
        self.tmp = tmp
        self.env = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC", "LIBVIRT_DEFAULT_URI": uri,
                    "HOME": tmp, "XDG_CACHE_HOME": os.path.join(tmp, "cache")}

    def path(self, *parts):
        return os.path.join(self.tmp, *parts)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    def run(self, *words, status=0, limit=LIMIT, **how):
        """Run a program; its standard output.  Fails, with all it said, if it ends otherwise."""
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False,
                              timeout=limit, stdin=subprocess.DEVNULL,
                              env={**self.env, **how.pop("env", {})}, **how)
        assert done.returncode == status, (
            f"{' '.join(words)}: status {done.returncode}, not {status}\n"
            f"{done.stdout}{done.stderr}")
        return done.stdout

    def virsh(self, *words, **how):
        return self.run("virsh", "-c", self.uri, "-q", *words, **how).strip()


def wait_for(what, true, limit=LIMIT):
    end = time.monotonic() + limit
    while not true():
        assert time.monotonic() < end, f"waited {limit} s for {what}"
        time.sleep(0.05)


def run_cases(client, cases):
    failed = 0
    print(f"1..{len(cases)}")
    for number, case in enumerate(cases, 1):
        name = (case.__doc__ or case.__name__).strip().splitlines()[0]
        try:
            case(client)
            print(f"ok {number} - {name}", flush=True)
        except Skip as why:
            print(f"ok {number} - {name} # SKIP {why}", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f"not ok {number} - {name}")
            print("\n".join("# " + line for line in traceback.format_exc().splitlines()),
                  flush=True)
    return 1 if failed else 0


def with_daemon(call):
    """call(URI, folder) with a daemon of its own."""
    with tempfile.TemporaryDirectory(prefix="insula-manager-") as tmp:
        socket = os.path.join(tmp, "sock")
        daemon = subprocess.Popen([os.environ.get("INSULAD", "insulad"), "--root",
                                   os.path.join(tmp, "root"), "--socket", socket],
                                  stdin=subprocess.DEVNULL)
        try:
            wait_for("the daemon's socket", lambda: os.path.exists(socket))
            os.mkdir(os.path.join(tmp, "t"))
            return call(f"qemu:///session?socket={socket}", os.path.join(tmp, "t"))
        finally:
            daemon.terminate()
            daemon.wait()


def main(module):
    cases = [value for name, value in vars(sys.modules[module]).items()
             if name.startswith("test_")]
    only = os.environ.get("INSULA_ONLY")
    cases = [case for case in cases if not only or only in case.__name__]
    if len(sys.argv) == 3 and sys.argv[1] == "--uri":
        with tempfile.TemporaryDirectory(prefix="insula-manager-") as tmp:
            return run_cases(Client(sys.argv[2], tmp), cases)
    return with_daemon(lambda uri, tmp: run_cases(Client(uri, tmp), cases))
