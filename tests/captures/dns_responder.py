#!/usr/bin/env python3
"""A DNS server that has an answer for every name: for captures, on the addresses of a test host only.

A is 203.0.113.<length of the name>, AAAA likewise in 2001:db8:53::/64, TXT a long text; names under `invalid` do not
exist. Standard library only; UDP and TCP on port 53 of all addresses, IPv4 and IPv6.
"""

import ipaddress
import socket
import socketserver
import struct
import threading

A, TXT, AAAA = 1, 16, 28
NO_SUCH_NAME = 3


def answer(query: bytes) -> bytes:
    """The response to a query with one question (RFC 1035 section 4.1)."""
    end = query.index(0, 12) + 1
    (kind,) = struct.unpack_from(">H", query, end)
    name, question = query[12:end], query[12 : end + 4]
    exists = b"\x07invalid\0" not in name
    data = {
        A: ipaddress.IPv4Address(f"203.0.113.{len(name)}").packed,
        AAAA: ipaddress.IPv6Address(f"2001:db8:53::{len(name):x}").packed,
        TXT: b"".join(b"\xc8" + bytes([97 + i]) * 200 for i in range(8)),
    }.get(kind)
    found = exists and data is not None
    flags = 0x8580 | (0 if exists else NO_SUCH_NAME)
    head = query[:2] + struct.pack(">HHHHH", flags, 1, int(found), 0, 0)
    record = b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 300, len(data)) + data if found else b""
    return head + question + record


class Datagram(socketserver.BaseRequestHandler):
    def handle(self):
        query, own = self.request
        own.sendto(answer(query), self.client_address)


class Stream(socketserver.StreamRequestHandler):
    def handle(self):
        (length,) = struct.unpack(">H", self.rfile.read(2))
        response = answer(self.rfile.read(length))
        self.wfile.write(struct.pack(">H", len(response)) + response)


def serve(server_class, handler, family, address):
    class Server(server_class):
        address_family = family
        allow_reuse_address = True

        def server_bind(self):
            if family == socket.AF_INET6:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            super().server_bind()

    threading.Thread(target=Server((address, 53), handler).serve_forever).start()


if __name__ == "__main__":
    # One socket an address: an answer must come from the address that was asked.
    for family, address in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        serve(socketserver.ThreadingUDPServer, Datagram, family, address)
        serve(socketserver.ThreadingTCPServer, Stream, family, address)
