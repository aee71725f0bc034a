# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of QMP for tests: commands, events, passed descriptors, and a check of all that is heard
against what query-qmp-schema says."""
import array
import json
import os
import socket
import time

LIMIT = 60


class Refused(Exception):
    """An error answer: .cls and the text."""

    def __init__(self, error):
        super().__init__(error["desc"])
        self.cls = error["class"]


class Schema:
    """What query-qmp-schema answered, to hold answers against."""

    KINDS = {"string": str, "int": int, "number": (int, float), "boolean": bool, "value": object,
             "null": type(None)}

    def __init__(self, entries):
        self.entries = {entry["name"]: entry for entry in entries}

    def check(self, type_name, value, where):
        getattr(self, "check_" + self.entries[type_name]["meta-type"])(self.entries[type_name], value, where)

    def check_builtin(self, entry, value, where):
        kind = self.KINDS[entry["json-type"]]
        assert isinstance(value, kind) and (kind is not int or not isinstance(value, bool)), \
            f"{where} is {value!r}, no {entry['json-type']}"

    def check_enum(self, entry, value, where):
        assert value in entry["values"], f"{where} is {value!r}, none of {entry['values']}"

    def check_array(self, entry, value, where):
        assert isinstance(value, list), f"{where} is no list"
        for number, element in enumerate(value):
            self.check(entry["element-type"], element, f"{where}[{number}]")

    def members(self, entry, value):
        members = {member["name"]: member for member in entry["members"]}
        for variant in entry.get("variants", []):
            if variant["case"] == value.get(entry["tag"]):
                members.update(self.members(self.entries[variant["type"]], value))
        return members

    def check_object(self, entry, value, where):
        assert isinstance(value, dict), f"{where} is no object"
        members = self.members(entry, value)
        for name, member in members.items():
            if name in value:
                self.check(member["type"], value[name], f"{where}.{name}")
            else:
                assert "default" in member, f"{where} lacks {name}"
        assert not set(value) - set(members), f"{where} has {set(value) - set(members)}, too"

    def check_alternate(self, entry, value, where):
        for member in entry["members"]:
            try:
                return self.check(member["type"], value, where)
            except AssertionError as error:
                last = error
        raise last


class Client:
    """A connection, with capabilities negotiated."""

    def __init__(self, path=None, connected=None):
        self.socket = connected or self.connect(path)
        self.socket.settimeout(LIMIT)
        self.buffer, self.events, self.schema = b"", [], None
        self.greeting = self.receive()["QMP"]
        self.command("qmp_capabilities")

    @staticmethod
    def connect(path):
        until = time.monotonic() + LIMIT
        while True:
            client = socket.socket(socket.AF_UNIX)
            try:
                client.connect(path)
                return client
            except (FileNotFoundError, ConnectionRefusedError):
                client.close()
                assert time.monotonic() < until, f"nobody listens at {path}"
                time.sleep(0.02)

    def learn_schema(self):
        """From now on all that is heard must be as the schema says."""
        self.schema = Schema(self.command("query-qmp-schema"))
        self.schema.check(self.schema.entries["query-qmp-schema"]["ret-type"],
                          list(self.schema.entries.values()), "query-qmp-schema")

    def receive(self):
        while b"\n" not in self.buffer:
            chunk = self.socket.recv(65536)
            if not chunk:
                raise EOFError("the other side hung up")
            self.buffer += chunk
        line, _, self.buffer = self.buffer.partition(b"\n")
        return json.loads(line)

    def send(self, text, fds=()):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        data = text.encode()
        sent = self.socket.sendmsg([data], rights)
        if data[sent:]:  # sending nothing to one who has hung up already would be an error
            self.socket.sendall(data[sent:])

    def keep(self, message):
        if self.schema:
            entry = self.schema.entries[message["event"]]
            self.schema.check(entry["arg-type"], message.get("data", {}), message["event"])
        self.events.append(message)

    def answer(self, number):
        while True:
            message = self.receive()
            if "event" in message:
                self.keep(message)
                continue
            assert message.get("id") == number, message
            if "error" in message:
                raise Refused(message["error"])
            return message["return"]

    def command(self, name, fds=(), **arguments):
        words = {key.replace("_", "-"): value for key, value in arguments.items()}
        return self.raw(name, words, fds)

    def raw(self, name, arguments, fds=()):
        number = time.monotonic_ns()
        request = {"execute": name, "id": number}
        if arguments:
            request["arguments"] = arguments
        self.send(json.dumps(request), fds)  # no end of line: the protocol asks for none
        answer = self.answer(number)
        if self.schema:
            self.schema.check(self.schema.entries[name]["ret-type"], answer, name)
        return answer

    def refused(self, name, **arguments):
        """The error that the command gives."""
        try:
            self.command(name, **arguments)
        except Refused as error:
            return error
        raise AssertionError(f"{name} was not refused")

    def event(self, name, limit=LIMIT, **data):
        """Wait for an event whose data has @data; it is forgotten, with all before it."""
        until = time.monotonic() + limit
        while True:
            while self.events:
                event = self.events.pop(0)
                if event["event"] == name and all(event.get("data", {}).get(key) == value
                                                  for key, value in data.items()):
                    return event
            self.socket.settimeout(max(until - time.monotonic(), 0.001))
            try:
                message = self.receive()
            except TimeoutError as late:
                raise AssertionError(f"no event {name} {data}") from late
            finally:
                self.socket.settimeout(LIMIT)
            assert "event" in message, message
            self.keep(message)

    def pass_fd(self, path, flags=os.O_RDWR, **arguments):
        """add-fd of a file."""
        fd = os.open(path, flags)
        try:
            return self.command("add-fd", fds=[fd], **arguments)
        finally:
            os.close(fd)

    def close(self):
        self.socket.close()
