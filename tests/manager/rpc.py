# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of libvirt's RPC that knows the bytes: for tests that send what no library would.

    connection = Connection(path)                AUTH_LIST and OPEN are the caller's, or open_()
    connection.open_()
    connection.call("DOMAIN_LOOKUP_BY_NAME", name="web")["dom"]
    connection.refused("DOMAIN_DESTROY", dom=dom)          the error: .code, .message
    connection.send(header words..., payload=b"")          anything at all

Calls and types come from src/wire/remote.table.  A struct is a dict, a uuid 16 bytes, a typed
parameter a pair of type and value.
"""
import array
import os
import socket
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
TABLE = os.path.join(HERE, "..", "..", "src", "wire", "remote.table")
REMOTE, QEMU, KEEPALIVE = 0x20008086, 0x20008087, 0x6b656570
CALL, REPLY, MESSAGE, STREAM, CALL_WITH_FDS, REPLY_WITH_FDS, STREAM_HOLE = range(7)
OK, ERROR, CONTINUE = range(3)
LIMIT = 60  # seconds until a wait is given up; generous, for sanitizers on a busy machine
NUMBERS = {"i32": "i", "u32": "I", "i64": "q", "u64": "Q", "f64": "d", "char*": "i", "u8*": "I",
           "u16*": "I"}
ARMS = {1: "i32", 2: "u32", 3: "i64", 4: "u64", 5: "f64", 6: "i32", 7: "s"}


class RemoteError(Exception):
    def __init__(self, failure):
        super().__init__(f"{failure['code']}: {failure['message']}")
        self.code, self.message = failure["code"], failure["message"]
        self.domain = failure["domain"]


class Table:
    """The rows of remote.table."""

    def __init__(self):
        self.structs, self.calls, self.events = {}, {}, {}
        with open(TABLE, encoding="utf-8") as f:
            for line in f:
                cells = [cell.strip() for cell in line.split("|")]
                words = cells[0].split()
                if not words or line.startswith("#"):
                    continue
                if words[0] == "struct":
                    self.structs[words[1]] = self.fields(cells[1])
                elif words[0] == "event":
                    first = [] if words[3] == "-" else [("callbackID", "i32")]
                    self.events[int(words[1])] = (words[2], first + self.fields(cells[1]))
                else:
                    program = QEMU if words[0] == "qemu" else REMOTE
                    self.calls[words[-1]] = (program, int(words[-2]), self.fields(cells[1]),
                                             self.fields(cells[2]), cells[3].split())

    @staticmethod
    def fields(text):
        return [] if text == "-" else [tuple(field.split()) for field in text.split(", ")]

    def encode_fields(self, fields, values):
        unknown = set(values) - {name for name, _ in fields}
        assert not unknown, f"no such field: {unknown}"
        return b"".join(self.encode(kind, values.get(name)) for name, kind in fields)

    def encode(self, kind, value):
        """@value, or what is nothing or zero of its type if it's None."""
        if kind in NUMBERS:
            return struct.pack(">" + NUMBERS[kind], value or 0)
        if kind == "s" or kind == "opaque[]":
            value = (value or b"") if isinstance(value or b"", bytes) else value.encode()
            return struct.pack(">I", len(value)) + value + bytes(-len(value) % 4)
        if kind == "uuid":
            return value or bytes(16)
        if kind == "typed":
            return struct.pack(">i", value[0]) + self.encode(ARMS[value[0]], value[1])
        if kind.endswith("?"):
            return bytes(4) if value is None else bytes([0, 0, 0, 1]) + self.encode(kind[:-1], value)
        if kind.endswith("[]"):
            return struct.pack(">I", len(value or [])) + b"".join(
                self.encode(kind[:-2], one) for one in value or [])
        return self.encode_fields(self.structs[kind], value or {})

    def decode_fields(self, fields, data):
        values = {}
        for name, kind in fields:
            values[name], data = self.decode(kind, data)
        return values, data

    def decode(self, kind, data):
        if kind in NUMBERS:
            size = struct.calcsize(NUMBERS[kind])
            return struct.unpack(">" + NUMBERS[kind], data[:size])[0], data[size:]
        if kind in ("s", "opaque[]"):
            size = struct.unpack(">I", data[:4])[0]
            value = data[4:4 + size]
            return value.decode() if kind == "s" else value, data[4 + size + -size % 4:]
        if kind == "uuid":
            return data[:16], data[16:]
        if kind == "typed":
            arm, data = self.decode("i32", data)
            value, data = self.decode(ARMS[arm], data)
            return (arm, value), data
        if kind.endswith("?"):
            there, data = self.decode("u32", data)
            return self.decode(kind[:-1], data) if there else (None, data)
        if kind.startswith("char*["):
            size = 4 * int(kind[6:-1] or struct.unpack(">I", data[:4])[0])
            data = data if kind != "char*[]" else data[4:]
            return bytes(data[3:size:4]).rstrip(b"\0").decode(), data[size:]
        if kind.endswith("[]"):
            size, data = self.decode("u32", data)
            values = []
            for _ in range(size):
                value, data = self.decode(kind[:-2], data)
                values.append(value)
            return values, data
        return self.decode_fields(self.structs[kind], data)


class Message:
    def __init__(self, data):
        (self.program, self.version, self.procedure, self.type, self.serial,
         self.status) = struct.unpack(">6I", data[4:28])
        self.payload = data[28:]


class Connection:
    table = Table()

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT)
        self.socket.connect(path)
        self.data, self.fds, self.serial = b"", [], 0
        self.pinged = 0
        self.events, self.others = [], []  # messages that came while something else was awaited

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()
        for fd in self.fds:
            os.close(fd)
        self.fds = []

    def send(self, procedure, payload=b"", *, program=REMOTE, version=1, kind=CALL, serial=None,
             status=OK):
        """One message; its serial."""
        if serial is None:
            self.serial += 1
            serial = self.serial
        self.socket.sendall(struct.pack(">7I", 28 + len(payload), program, version, procedure, kind,
                                        serial, status) + payload)
        return serial

    def more(self):
        """Read some.  False: the daemon has closed the connection."""
        try:
            data, fds, _, _ = socket.recv_fds(self.socket, 65536, 32)
        except ConnectionResetError:
            return False
        self.data += data
        self.fds += fds
        return bool(data)

    def receive(self):
        """The next message; None: the connection is closed."""
        while len(self.data) < 4 or len(self.data) < struct.unpack(">I", self.data[:4])[0]:
            if not self.more():
                return None
        size = struct.unpack(">I", self.data[:4])[0]
        message, self.data = Message(self.data[:size]), self.data[size:]
        if message.type == REPLY_WITH_FDS:
            wanted = struct.unpack(">I", message.payload[:4])[0]
            message.payload = message.payload[4:]
            while len(self.data) < wanted or len(self.fds) < wanted:
                assert self.more(), "closed before all descriptors came"
            self.data = self.data[wanted:]
        return message

    def wait(self, serial, kinds=(REPLY, REPLY_WITH_FDS)):
        """The message with @serial of one of @kinds; what comes before is kept."""
        for message in self.others:
            if message.serial == serial and message.type in kinds:
                self.others.remove(message)
                return message
        while True:
            message = self.receive()
            assert message, "the daemon closed the connection"
            if message.program == KEEPALIVE:
                self.pinged += 1
                if message.procedure == 1:
                    self.send(2, program=KEEPALIVE, kind=MESSAGE, serial=0)
            elif message.serial == serial and message.type in kinds:
                return message
            elif message.type == MESSAGE:
                self.events.append(message)
            else:
                self.others.append(message)

    def begin(self, name, /, **args):
        """Send call @name; its serial."""
        program, number, fields, _, _ = self.table.calls[name]
        return self.send(number, self.table.encode_fields(fields, args), program=program)

    def result(self, name, serial):
        message = self.wait(serial)
        if message.status == ERROR:
            raise self.failure(message)
        values, rest = self.table.decode_fields(self.table.calls[name][3], message.payload)
        assert not rest, f"{len(rest)} bytes too many in the reply to {name}"
        return values

    def failure(self, message):
        values, _ = self.table.decode("failure", message.payload)
        return RemoteError(values)

    def call(self, name, /, **args):
        return self.result(name, self.begin(name, **args))

    def refused(self, name, /, **args):
        """The error of a call that must fail."""
        try:
            values = self.call(name, **args)
        except RemoteError as error:
            return error
        raise AssertionError(f"{name} was not refused: {values}")

    def open_(self, name="qemu:///session", flags=0):
        self.call("AUTH_LIST")
        self.call("CONNECT_OPEN", name=name, flags=flags)
        return self

    def event(self):
        """The next event: its name and fields."""
        while not self.events:
            message = self.receive()
            assert message, "the daemon closed the connection"
            (self.events if message.type == MESSAGE else self.others).append(message)
        message = self.events.pop(0)
        name, fields = self.table.events[message.procedure]
        return name, self.table.decode_fields(fields, message.payload)[0]

    def stream_send(self, name, serial, data=b"", status=CONTINUE, kind=STREAM):
        self.send(self.table.calls[name][1], data, serial=serial, kind=kind, status=status)

    def stream_receive(self, serial):
        """The next packet of a stream: bytes; None: its end was confirmed."""
        message = self.wait(serial, (STREAM, STREAM_HOLE))
        if message.status == ERROR:
            raise self.failure(message)
        return None if message.status == OK else message.payload

    def send_fds(self, fds):
        """Descriptors behind a message of kind CALL_WITH_FDS."""
        for fd in fds:
            self.socket.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                           array.array("i", [fd]))])

    def is_closed(self):
        """Wait until the daemon has closed the connection; what else comes is passed over."""
        while True:
            try:
                if not self.socket.recv(65536):
                    return True
            except ConnectionResetError:
                return True
            except socket.timeout:
                return False
