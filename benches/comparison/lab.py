"""Three network namespaces in a row, `a`, `r` and `b`, and what iperf3 gets from the first to the last."""

import contextlib
import json
import os
import re
import statistics
import subprocess
import time
from pathlib import Path

ROUTER = ["02:fe:00:00:00:0a", "02:fe:00:00:00:0b"]
PORT = 5201


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def own_seconds(pid):
    """Processor time of a process so far, user and system."""
    if pid is None:
        return None
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def host_seconds():
    """Processor time of the machine so far that was not idle."""
    user, nice, system, _idle, _iowait, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


class NothingPasses(Exception):
    """A datapath does not forward."""


class Load:
    """What was used while something ran."""

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        self.before = time.monotonic(), own_seconds(self.pid), host_seconds()
        return self

    def __exit__(self, *_):
        then, own, host = self.before
        self.seconds = time.monotonic() - then
        self.own = None if own is None else own_seconds(self.pid) - own
        self.host = host_seconds() - host


class Udp(Load):
    sent = arrived = 0

    def rate(self):
        return self.arrived / self.seconds

    def loss(self):
        return 1 - self.arrived / self.sent

    def per_cpu_second(self):
        return self.arrived / self.own if self.own else None


class Tcp(Load):
    octets = 0

    def gigabits(self):
        return self.octets * 8e-9 / self.seconds

    def own_per_gigabyte(self):
        return None if self.own is None else self.own / (self.octets * 1e-9)

    def host_per_gigabyte(self):
        return self.host / (self.octets * 1e-9)


class Idle(Load):
    pings = ()

    def share(self):
        """Of a core that the datapath's process took."""
        return None if self.own is None else self.own / self.seconds

    def median(self):
        """Microseconds until the answer."""
        return statistics.median(self.pings)


class Lab:
    """The namespaces. Where `r` routes, the others have a gateway in it; where it does not, they are on one network."""

    def __init__(self, routed):
        self.routed = routed
        self.prefix = f"pld{os.getpid()}"
        self.server = None

    def name(self, end):
        return self.prefix + end

    def ip(self, *words):
        return run("ip", *words)

    def within(self, end, *command):
        return ("ip", "netns", "exec", self.name(end), *command)

    def __enter__(self):
        for end in "arb":
            self.ip("netns", "add", self.name(end))
        ends = "ab"
        for end in ends:
            self.ip("link", "add", f"r{end}", "netns", self.name("r"), "type", "veth", "peer", "name", "eth0", "netns", self.name(end))
            self.ip("-n", self.name("r"), "link", "set", f"r{end}", "up")
        for n, end in enumerate(ends, 1):
            namespace = self.name(end)
            self.ip("-n", namespace, "addr", "add", f"10.{n}.0.2/{24 if self.routed else 8}", "dev", "eth0")
            self.ip("-n", namespace, "link", "set", "eth0", "up")
            if self.routed:
                self.ip("-n", namespace, "route", "add", "default", "via", f"10.{n}.0.1")
                self.neighbor(end, f"10.{n}.0.1", ROUTER[n - 1])
            else:
                other = ends[2 - n]
                self.neighbor(end, f"10.{3 - n}.0.2", self.mac(other))
        self.server = subprocess.Popen(self.within("b", "iperf3", "-s", "-p", str(PORT)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        if self.server:
            self.server.terminate()
            self.server.wait()
        for end in "arb":
            with contextlib.suppress(subprocess.CalledProcessError):
                self.ip("netns", "del", self.name(end))

    def neighbor(self, end, address, mac):
        self.ip("-n", self.name(end), "neigh", "replace", address, "lladdr", mac, "dev", "eth0", "nud", "permanent")

    def mac(self, end):
        return run(*self.within(end, "cat", "/sys/class/net/eth0/address")).strip()

    def settle(self):
        """Waits until packets pass, which they must."""
        for _ in range(50):
            ping = subprocess.run(self.within("a", "ping", "-c", "1", "-W", "1", "10.2.0.2"), capture_output=True)
            if ping.returncode == 0:
                return
            time.sleep(0.1)
        raise NothingPasses

    def packets(self, end, way):
        link = json.loads(self.ip("-n", self.name(end), "-s", "-j", "link", "show", "eth0"))[0]
        return link["stats64"][way]["packets"]

    def iperf3(self, *options):
        """The client's report; `stats64` of devices is what is believed where datagrams were lost."""
        return json.loads(run(*self.within("a", "iperf3", "-J", "-p", str(PORT), "-c", "10.2.0.2", *options)))

    def udp(self, size, seconds, pid):
        sent, arrived = self.packets("a", "tx"), self.packets("b", "rx")
        with Udp(pid) as load:
            self.iperf3("-u", "-l", str(size), "-b", "0", "-t", str(seconds))
        load.sent, load.arrived = self.packets("a", "tx") - sent, self.packets("b", "rx") - arrived
        return load

    def idle(self, seconds, pid):
        """Nothing but a ping each half second: each finds everyone asleep."""
        with Idle(pid) as load:
            answer = run(*self.within("a", "ping", "-i", "0.5", "-c", str(2 * seconds), "10.2.0.2"))
        load.pings = [1000 * float(time) for time in re.findall(r"time=([0-9.]+) ms", answer)]
        return load

    def tcp(self, seconds, pid):
        with Tcp(pid) as load:
            load.octets = self.iperf3("-t", str(seconds))["end"]["sum_received"]["bytes"]
        return load
