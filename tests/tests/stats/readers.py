"""Readers that are many, slow, or gone; and what they cannot do. Arguments: socket, process of the engine, control socket."""

import array
import errno
import json
import mmap
import os
import resource
import socket
import sys
import time

from vpp_papi.vpp_stats import VPPStats

path, pid, control = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def connect():
    reader = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    reader.settimeout(20)
    while True:
        try:
            reader.connect(path)
            return reader
        except BlockingIOError:
            # As many wait as the system lets wait.
            time.sleep(0.01)


def receive(reader):
    """The message, and the descriptors that came with it."""
    data, ancillary, flags, _ = reader.recvmsg(64, socket.CMSG_SPACE(16))
    descriptors = array.array("i")
    for level, kind, octets in ancillary:
        assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
        descriptors.frombytes(octets)
    return data, list(descriptors)


def refused(attempt, *numbers):
    try:
        attempt()
    except OSError as error:
        assert error.errno in numbers, error
        return
    raise SystemExit("a reader could write")


def files():
    return len(os.listdir(f"/proc/{pid}/fd"))


# One message with one descriptor, and nothing after it.
before = files()
reader = connect()
data, descriptors = receive(reader)
assert data == b"" and len(descriptors) == 1, (data, descriptors)
assert receive(reader) == (b"", [])
segment = descriptors[0]

# Nobody can write.
size = os.fstat(segment).st_size
refused(lambda: mmap.mmap(segment, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE), errno.EACCES, errno.EPERM)
refused(lambda: os.write(segment, b"x"), errno.EBADF, errno.EPERM)
refused(lambda: os.ftruncate(segment, 1), errno.EINVAL, errno.EBADF, errno.EPERM)
again = os.open(f"/proc/self/fd/{segment}", os.O_RDWR)
refused(lambda: os.pwrite(again, b"x", 0), errno.EPERM)
refused(lambda: mmap.mmap(again, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE), errno.EPERM)
refused(lambda: os.ftruncate(again, size + 4096), errno.EPERM)
os.close(again)

# Many at once, each with the same view.
many = [VPPStats(socketname=path) for _ in range(64)]
for stats in many:
    stats.connect()
assert len({tuple(stats["/if/names"]) for stats in many}) == 1
for stats in many:
    stats.disconnect()

# One that is slow, and many that are gone before they are served.
slow = connect()
for _ in range(300):
    connect().close()
stats = VPPStats(socketname=path)
stats.connect()
assert stats["/sys/num_worker_threads"] == 0
assert len(receive(slow)[1]) == 1
deadline = time.monotonic() + 20
while files() > before and time.monotonic() < deadline:
    time.sleep(0.05)
assert files() == before, (files(), before)

# The engine has no descriptor left: a reader waits until it has.
limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
last = [number for number in range(len(used) + 4) if number not in used][:4]
resource.prlimit(pid, resource.RLIMIT_NOFILE, (last[-1] + 1, limits[1]))
sessions = []
for _ in range(len(last) + 1):
    session = socket.socket(socket.AF_UNIX)
    session.connect(control)
    sessions.append(session)
deadline = time.monotonic() + 20
while files() < before + len(last) and time.monotonic() < deadline:
    time.sleep(0.05)
assert files() == before + len(last), (files(), before)
waiting = connect()
waiting.settimeout(1)
try:
    raise SystemExit(f"served without a descriptor: {receive(waiting)}")
except TimeoutError:
    pass
for session in sessions:
    session.close()
waiting.settimeout(20)
assert len(receive(waiting)[1]) == 1
resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
assert stats["/sys/num_worker_threads"] == 0

print(json.dumps({"size": size}))
