"""A collector for IPFIX over UDP that only counts: data records, their packets and octets, sequence errors."""

import contextlib
import socket
import struct
import threading

HEADER = struct.Struct("!HHIII")
PAIR = struct.Struct("!HH")
RECEIVE_BUFFER = 256 << 20
SO_RCVBUFFORCE = 33
# Information elements: deltas, and the totals of those who send no deltas.
OCTETS, PACKETS = (1, 85), (2, 86)


class Sums:
    """What arrived."""

    def __init__(self):
        self.records = self.packets = self.octets = self.sequence_errors = self.dropped = self.not_decoded = 0


class Template:
    """Where the counters lie in a record of fixed length."""

    def __init__(self, fields):
        self.length = sum(length for _, length in fields)
        self.packets = self.find(fields, PACKETS)
        self.octets = self.find(fields, OCTETS)

    @staticmethod
    def find(fields, wanted):
        at = 0
        for element, length in fields:
            if element in wanted:
                return slice(at, at + length)
            at += length
        return None


class Collector:
    """Receives datagrams on a port of its own from its making until `sums` is asked for."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.3)
        self.port = self.socket.getsockname()[1]
        self.datagrams = []
        self.is_ending = threading.Event()
        self.thread = threading.Thread(target=self.receive)
        self.thread.start()

    def receive(self):
        while True:
            try:
                self.datagrams.append(self.socket.recv(65535))
            except TimeoutError:
                if self.is_ending.is_set():
                    return

    def drops(self):
        """Datagrams that found the socket full."""
        with open("/proc/net/udp", encoding="ascii") as table:
            for line in table:
                words = line.split()
                if words[1].endswith(f":{self.port:04X}"):
                    return int(words[-1])
        return 0

    def sums(self):
        """Waits until nothing more comes; the socket is closed then."""
        self.is_ending.set()
        self.thread.join()
        sums = summed(self.datagrams)
        sums.dropped = self.drops()
        self.socket.close()
        return sums


def summed(datagrams):
    sums, templates, expected = Sums(), {}, {}
    for message in datagrams:
        version, length, _, sequence, domain = HEADER.unpack_from(message)
        if version != 10 or length != len(message):
            sums.not_decoded += 1
            continue
        if sequence != expected.get(domain, sequence):
            sums.sequence_errors += 1
        expected[domain] = (sequence + read_sets(message, domain, templates, sums)) % (1 << 32)
    return sums


def read_sets(message, domain, templates, sums):
    """The data records of a message, those of options included, as sequence numbers count them."""
    at, count = HEADER.size, 0
    while at + 4 <= len(message):
        identifier, length = PAIR.unpack_from(message, at)
        body = message[at + 4 : at + length]
        if identifier in (2, 3):
            for template, fields in read_templates(body, identifier == 3):
                templates[domain, template] = (Template(fields), identifier == 3)
        elif (domain, identifier) in templates:
            template, is_options = templates[domain, identifier]
            count += read_data(body, template, None if is_options else sums)
        else:
            sums.not_decoded += 1
        at += max(length, 4)
    return count


def read_templates(body, is_options):
    at, head = 0, 6 if is_options else 4
    while at + head <= len(body):
        identifier, count = PAIR.unpack_from(body, at)
        if identifier < 256:
            return
        at += head
        fields = []
        for _ in range(count):
            element, length = PAIR.unpack_from(body, at)
            at += 8 if element & 0x8000 else 4
            fields.append((element, length))
        yield identifier, fields


def read_data(body, template, sums):
    if template.length == 0:
        return 0
    count = len(body) // template.length
    if sums is None:
        return count
    sums.records += count
    for start in range(0, count * template.length, template.length):
        record = body[start : start + template.length]
        if template.packets:
            sums.packets += int.from_bytes(record[template.packets], "big")
        if template.octets:
            sums.octets += int.from_bytes(record[template.octets], "big")
    return count
