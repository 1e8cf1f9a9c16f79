"""Clients that misbehave, over the real socket: the engine goes on, and so do others."""

import contextlib
import multiprocessing
import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time

from harness import SOCKET, Engine, Raw, lives, run, wait_for

# So many routes make a dump that fills any buffer.
ROUTES = 5000

# Sends the beginning of a message, says so, and waits to be killed.
HALF = f"""
import socket, struct, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect({SOCKET!r})
s.sendall(struct.pack(">QII", 0, 74, 0) + struct.pack(">HI", 15, 1))
print("sent", flush=True)
time.sleep(60)
"""


def clients(engine):
    """How many there are."""
    return len(engine.cli("show api clients").splitlines()) - 2


def pings(engine, seconds):
    """Milliseconds that each ping takes meanwhile, in order."""
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.monotonic()
        engine.api.control_ping()
        times.append(1000 * (time.monotonic() - begin))
    return sorted(times)


def told(times):
    """Of times."""
    return f"{len(times)} pings, half in {times[len(times) // 2]:.1f} ms, the slowest in {times[-1]:.1f} ms"


def sixty_four_clients_at_once_are_served():
    """Each in its order, with its own answers."""
    failed = []

    def one(n):
        try:
            engine = Engine(f"client {n}")
            for _ in range(10):
                assert f"client {n}" in engine.cli("show api clients")
                engine.ok("control_ping")
            engine.close()
        except Exception as error:  # pylint: disable=broad-except
            failed.append((n, repr(error)))

    threads = [threading.Thread(target=one, args=(n,)) for n in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed


def a_client_killed_in_mid_message_leaves_nothing():
    """Its connection goes, and half a message is none."""
    engine = Engine("witness")
    before = clients(engine)
    with subprocess.Popen([sys.executable, "-c", HALF], stdout=subprocess.PIPE) as half:
        half.stdout.readline()
        wait_for("the client", lambda: clients(engine) == before + 1)
        half.send_signal(signal.SIGKILL)
    wait_for("its end", lambda: clients(engine) == before)
    engine.close()


def a_client_that_sends_garbage_is_hung_up():
    """Whatever it is: random octets, a length beyond all bounds, a message before it is a client."""
    engine = Engine("witness")
    before = engine.statistics()["clients hung up: no messages"]
    noise = random.Random(1).randbytes(100000)
    huge = struct.pack(">QII", 0, 0xFFFFFFFF, 0)
    early = Raw.frame(struct.pack(">HII", 24, 0, 1))
    for octets in (noise, huge, early):
        raw = Raw()
        try:
            raw.send(octets)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert raw.receive() == b""
    assert engine.statistics()["clients hung up: no messages"] == before + 3
    engine.close()


def messages_that_are_cut_or_unknown_are_counted():
    """They end no connection."""
    engine, raw = Engine("witness"), Raw()
    index = raw.create("cuts")
    table = engine.client.dump_message_table()
    served = engine.served() - {"sockclnt_create", "sockclnt_delete"}
    before = engine.statistics()
    for name, number in table.items():
        if name[:-9] in served:
            raw.send(Raw.frame(struct.pack(">HII", number, index, 7)))
    raw.send(Raw.frame(struct.pack(">HII", 60000, index, 7)))
    ping = table["control_ping_51077d14"]
    raw.send(Raw.frame(struct.pack(">HII", ping, index, 999)))
    answers = 0
    while True:
        number, context = struct.unpack_from(">HI", raw.receive())
        answers += 1
        if context == 999:
            break
    after = engine.statistics()
    assert after["messages of unknown number"] == before["messages of unknown number"] + 1
    cut = after["malformed messages"] - before["malformed messages"]
    # Of a dump that is cut nothing is told.
    dumps = sum(name.endswith("_dump") for name in served)
    assert cut > 0 and answers + dumps > cut, (cut, answers, dumps, number)
    print(f"{cut} cut messages, {answers} answers")
    engine.close()


def ask_without_reading(number):
    """In a process of its own: asks for all routes, over and over, and reads nothing, until it is hung up."""
    raw = Raw()
    index = raw.create("deaf")
    request = Raw.frame(struct.pack(">HIIIB64s", number, index, 1, 0, 0, b""))
    raw.socket.settimeout(None)
    with contextlib.suppress(ConnectionError):
        while True:
            raw.send(request)


def a_client_that_does_not_read_is_held_and_others_are_served():
    """Its requests wait; the pings of another do not. After half a minute it is hung up."""
    engine, deaf_ones = Engine("witness"), "clients hung up: do not read"
    before = engine.statistics()[deaf_ones]
    pg = engine.ok("pg_create_interface_v3", interface_id=0).sw_if_index
    engine.ok("sw_interface_set_flags", sw_if_index=pg, flags=1)
    engine.ok("sw_interface_add_del_address", sw_if_index=pg, is_add=True, prefix="10.0.0.1/24")
    engine.cli(f"ip route add count {ROUTES} 20.0.0.0/32 via 10.0.0.2 pg0")
    alone = pings(engine, 1.0)
    number = engine.client.dump_message_table()["ip_route_dump_b9d2e09e"]
    deaf = multiprocessing.get_context("fork").Process(target=ask_without_reading, args=(number,), daemon=True)
    deaf.start()
    wait_for("the deaf client", lambda: "deaf" in engine.cli("show api clients"))
    beside = pings(engine, 2.0)
    memory = resident()
    beside = sorted(beside + pings(engine, 1.0))
    print(f"alone: {told(alone)}; beside a client that does not read: {told(beside)}")
    assert beside[len(beside) // 2] < 50 and beside[-1] < 1000, told(beside)
    # What waits for it is bounded.
    assert resident() - memory < 16 << 20, (memory, resident())
    assert len(engine.dump("ip_route_dump", table={"table_id": 0, "is_ip6": False})) > ROUTES
    wait_for("its end", lambda: engine.statistics()[deaf_ones] == before + 1, timeout=45.0)
    assert "deaf" not in engine.cli("show api clients")
    deaf.join(5.0)
    assert deaf.exitcode == 0, deaf
    engine.close()


def resident():
    """Octets of memory that the engine has."""
    pid = int(sys.argv[2])
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def the_engine_ends_with_clients_connected():
    """SIGTERM ends it within two seconds, the socket's file goes with it, and the clients are hung up."""
    raws = [Raw() for _ in range(20)]
    for n, raw in enumerate(raws):
        raw.create(f"client {n}")
    begin = time.monotonic()
    os.kill(int(sys.argv[2]), signal.SIGTERM)
    wait_for("its end", lambda: not lives(), timeout=2.0)
    print(f"ended in {1000 * (time.monotonic() - begin):.0f} ms")
    assert all(raw.receive() == b"" for raw in raws)
    assert not os.path.exists(SOCKET)


run([
    sixty_four_clients_at_once_are_served,
    a_client_killed_in_mid_message_leaves_nothing,
    a_client_that_sends_garbage_is_hung_up,
    messages_that_are_cut_or_unknown_are_counted,
    a_client_that_does_not_read_is_held_and_others_are_served,
])
# The last: nothing lives on.
the_engine_ends_with_clients_connected()
