"""What the scripts have in common: an engine at whose sockets VPP's own client library is, unmodified."""

import os
import queue
import socket
import struct
import sys
import time

from vpp_papi import VPPApiClient

# The arguments of each script: the API's socket, the engine's process, a folder for files.
SOCKET, PID, FOLDER = sys.argv[1], int(sys.argv[2]), sys.argv[3]

NONE = 0xFFFFFFFF

# Octets of a message in which vpp_papi does not look for the request that it answers.
SHORT = 10

# The numbers of VPP's errors (vnet/error.h), and none.
RETVALS = {0, *range(-20, 0), -30, -31, *(set(range(-171, -49)) - {-158})}


def connect(name):
    """A client that learns all messages from the engine."""
    client = VPPApiClient(server_address=SOCKET, bootstrapapi=True)
    client.connect(name)
    return client


def path(name):
    """A file of this script's own."""
    return os.path.join(FOLDER, name)


def lives():
    """Whether the engine does."""
    try:
        with open(f"/proc/{PID}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(what, ready, timeout=5.0):
    """What `ready` returns, once it is something."""
    end = time.monotonic() + timeout
    while True:
        found = ready()
        if found:
            return found
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.01)


class Engine:
    """A connection, on which a request must be answered as is expected."""

    def __init__(self, name):
        self.client = connect(name)
        self.api = self.client.api
        # The requests that were sent.
        self.asked = set()

    def ask(self, request, **fields):
        """Sends a request; all of its answers."""
        self.asked.add(request)
        service = self.client.services[request]
        if not service.get("stream") and self.client.messages[service["reply"]].size < SHORT:
            return self.ask_shortly(request, fields)
        return getattr(self.api, request)(**fields)

    def ask_shortly(self, request, fields):
        """vpp_papi hands answers that are so short to the callback of events."""
        answers = queue.Queue()
        self.client.register_event_callback(lambda _, answer: answers.put(answer))
        try:
            getattr(self.api, request)(_timeout=0.05, **fields)
        except OSError:
            pass
        self.client.register_event_callback(None)
        return answers.get(timeout=5)

    def ok(self, request, **fields):
        """What answers a request that succeeds."""
        reply = self.ask(request, **fields)
        retval = getattr(reply, "retval", 0)
        assert retval == 0, f"{request}({fields}): {retval}"
        return reply

    def dump(self, request, **fields):
        """The details that answer a dump, of either kind."""
        answer = self.ask(request, **fields)
        if isinstance(answer, tuple):
            reply, details = answer
            assert reply.retval == 0, f"{request}: {reply}"
            return details
        assert isinstance(answer, list), f"{request}: {answer}"
        return answer

    def no(self, retval, request, **fields):
        """A request that is refused with this number."""
        reply = self.ask(request, **fields)
        assert reply.retval == retval, f"{request}({fields}): {reply.retval}, not {retval}"

    def cli(self, line):
        """What a command line answers; it must succeed."""
        reply = self.api.cli_inband(cmd=line)
        assert reply.retval == 0, f"{line}: {reply.retval} {reply.reply}"
        return reply.reply

    def says(self, line, *words):
        """Asserts that what a command line answers has these words."""
        answer = self.cli(line)
        for word in words:
            assert str(word) in answer, f"{line} does not say `{word}':\n{answer}"

    def table(self):
        """What `show api message-table` lists: number, name and checksum, and whether it is served."""
        lines = self.cli("show api message-table").splitlines()[1:]
        return [(int(number), name, bool(served)) for number, name, *served in map(str.split, lines)]

    def served(self):
        """The requests that the engine has handlers for."""
        return {name[:-9] for _, name, served in self.table() if served} & set(self.client.services)

    def statistics(self):
        """What `show api statistics` counts."""
        lines = self.cli("show api statistics").splitlines()
        return {name: int(value) for name, value in (line.rsplit(None, 1) for line in lines)}

    def close(self):
        """Says goodbye."""
        self.client.disconnect()


class Raw:
    """A client that sends octets as it likes."""

    HEADER = struct.Struct(">QII")

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(10)
        self.socket.connect(SOCKET)

    @classmethod
    def frame(cls, message):
        """A message as it goes over the socket."""
        return cls.HEADER.pack(0, len(message), 0) + message

    def send(self, octets):
        """Sends octets."""
        self.socket.sendall(octets)

    def create(self, name):
        """Becomes a client; its index."""
        self.send(self.frame(struct.pack(">HI64s", 15, 1, name.encode())))
        number, _, _, _, index = struct.unpack_from(">HIIiI", self.receive())
        assert number == 16
        return index

    def receive(self):
        """The next message; nothing once it is hung up."""
        header = self.exactly(16)
        return header and self.exactly(self.HEADER.unpack(header)[1])

    def exactly(self, size):
        """So many octets; nothing once it is hung up."""
        octets = b""
        while len(octets) < size:
            try:
                more = self.socket.recv(size - len(octets))
            except (ConnectionResetError, BrokenPipeError):
                more = b""
            if not more:
                return b""
            octets += more
        return octets


def run(tests):
    """Runs what a script tests, each on a connection of its own, and says how long each took."""
    for test in tests:
        begin = time.monotonic()
        test()
        assert lives(), "the engine is gone"
        print(f"{test.__name__}: {time.monotonic() - begin:.2f} s", flush=True)
