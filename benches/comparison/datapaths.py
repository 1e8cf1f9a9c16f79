"""What can be between two devices: how each is started, and what it says of itself."""

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from .lab import ROUTER, run

OVS = "Open vSwitch, userspace"
HOST = "create host-interface name {} hw-addr {}"
XDP = "create interface af_xdp host-if {0} name xdp-{0}"


class Datapath:
    """One that the kernel is."""

    pid = None

    def __init__(self, name, routed):
        self.name, self.routed = name, routed

    def missing(self, _peloton):
        missing = [program for program in ("ip", "iperf3", "ping") if not shutil.which(program)]
        return ", ".join(missing)

    def notes(self):
        return None


class Forwarding(Datapath):
    @contextlib.contextmanager
    def running(self, net, _peloton):
        for n, end in enumerate("ab", 1):
            net.ip("-n", net.name("r"), "link", "set", f"r{end}", "address", ROUTER[n - 1])
            net.ip("-n", net.name("r"), "addr", "add", f"10.{n}.0.1/24", "dev", f"r{end}")
        run(*net.within("r", "sysctl", "-q", "-w", "net.ipv4.ip_forward=1"))
        yield


class Bridge(Datapath):
    @contextlib.contextmanager
    def running(self, net, _peloton):
        net.ip("-n", net.name("r"), "link", "add", "br0", "type", "bridge")
        for end in "ab":
            net.ip("-n", net.name("r"), "link", "set", f"r{end}", "master", "br0")
        net.ip("-n", net.name("r"), "link", "set", "br0", "up")
        yield


class OpenVSwitch(Datapath):
    def missing(self, peloton):
        if not shutil.which("ovs-vswitchd") or not shutil.which("ovsdb-server"):
            return "openvswitch-switch"
        if not shutil.which("ethtool"):
            return "ethtool"
        return super().missing(peloton)

    @contextlib.contextmanager
    def running(self, net, _peloton):
        # It passes on what hosts leave for their devices to be checksummed and cut as if that were done.
        for end in "ab":
            run(*net.within(end, "ethtool", "-K", "eth0", "tx", "off"))
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            folder = Path(folder)
            database, socket = folder / "conf.db", f"unix:{folder}/db.sock"
            run("ovsdb-tool", "create", str(database), "/usr/share/openvswitch/vswitch.ovsschema")
            self.start(stack, net, folder, "ovsdb-server", str(database), f"--remote=p{socket}", f"--unixctl={folder}/db.ctl")
            vsctl = ["ovs-vsctl", f"--db={socket}"]
            for _ in range(50):
                if (folder / "db.sock").exists():
                    break
                time.sleep(0.1)
            run(*vsctl, "--no-wait", "init")
            switch = self.start(stack, net, folder, "ovs-vswitchd", socket, f"--unixctl={folder}/switch.ctl", "--log-file=/dev/null")
            run(*vsctl, "--timeout=20", "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
            run(*vsctl, "--timeout=20", "add-port", "br0", "ra", "--", "add-port", "br0", "rb")
            # `ip netns exec` becomes the program.
            self.pid, self.vsctl, self.folder = switch.pid, [*vsctl, "--timeout=20"], folder
            yield

    @staticmethod
    def start(stack, net, folder, *command):
        # Its sockets are in a folder of its own.
        own = {**os.environ, "OVS_RUNDIR": str(folder)}
        process = subprocess.Popen(net.within("r", *command), env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        return process


class Peloton(Datapath):
    def __init__(self, name, create, interface, mode):
        super().__init__(name, routed=True)
        self.create, self.interface, self.mode = create, interface, mode

    def missing(self, peloton):
        if not Path(peloton).exists():
            return f"{peloton}; cargo build --release --bin peloton"
        return super().missing(peloton)

    @contextlib.contextmanager
    def running(self, net, peloton):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            lines = []
            for n, end in enumerate("ab", 1):
                interface = self.interface.format(f"r{end}")
                # An AF_XDP interface has the device's address.
                net.ip("-n", net.name("r"), "link", "set", f"r{end}", "address", ROUTER[n - 1])
                lines += [
                    self.create.format(f"r{end}", ROUTER[n - 1]),
                    f"set interface state {interface} up",
                    f"set interface rx-mode {interface} {self.mode}",
                    *self.lines(net, n, end, interface),
                ]
            script, startup, socket = folder / "script", folder / "startup.conf", folder / "cli.sock"
            script.write_text("\n".join(lines) + "\n")
            startup.write_text(f"unix {{ nodaemon exec {script} cli-listen {socket} }}\n")
            process = subprocess.Popen(net.within("r", peloton, "-c", str(startup)), stdout=subprocess.DEVNULL)
            self.pid, self.control = process.pid, [peloton, "ctl", "-s", str(socket)]
            try:
                yield
            finally:
                process.terminate()
                process.wait()

    def lines(self, net, n, end, interface):
        """What is configured of an interface."""
        return [
            f"set interface ip address {interface} 10.{n}.0.1/24",
            f"set ip neighbor {interface} 10.{n}.0.2 {net.mac(end)}",
        ]

    def notes(self):
        """Clocks of a packet in each node that packets went through, by the node's name, and packets of a frame."""
        nodes = json.loads(run(*self.control, "show runtime json"))["nodes"]
        through = {node["name"]: node for node in nodes if node["vectors"]}
        forwarded = through["ip4-lookup"]["vectors"]
        clocks = {name: node["packet_clocks"] * node["vectors"] / forwarded for name, node in through.items()}
        return clocks, through["ip4-lookup"]["vectors_call"]

    def of_notes(self, notes):
        names = sorted({name for clocks, _ in notes for name in clocks})
        medians = {name: statistics.median([clocks.get(name, 0) for clocks, _ in notes]) for name in names}
        frame = statistics.median([packets for _, packets in notes])
        parts = ", ".join(f"{name} {clocks:.0f}" for name, clocks in medians.items() if clocks >= 0.5)
        return f"{sum(medians.values()):.0f} clocks a packet, {frame:.1f} packets a frame: {parts}"


ALL = [
    Forwarding("kernel, forwarding", routed=True),
    Bridge("kernel, bridge", routed=False),
    OpenVSwitch(OVS, routed=False),
    Peloton("peloton, host-interface, interrupt", HOST, "host-{}", "interrupt"),
    Peloton("peloton, host-interface, polling", HOST, "host-{}", "polling"),
    Peloton("peloton, AF_XDP, interrupt", XDP, "xdp-{}", "interrupt"),
    Peloton("peloton, AF_XDP, polling", XDP, "xdp-{}", "polling"),
]
