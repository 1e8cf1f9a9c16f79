"""How each program is run on a capture, and what it cost.

A program is measured from its start until the last of its processes has ended: processor time of all of them, user and system.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from comparison.collector import Collector, Sums

LAUNCHER = Path(__file__).with_name("launcher.py")
# Room for every flow of the largest capture; softflowd's own default is 8,192.
FLOWS = 4_000_000


class NotEnded(Exception):
    """A program was still running after the time that it was given."""


class Cost:
    """Of one run."""

    def __init__(self):
        self.seconds = 0.0
        self.mebibytes = 0.0
        self.instructions = None


class Peer:
    """A program that turns a capture into flows sent to a collector."""

    program = package = None

    def __init__(self, path=None):
        self.path = path or find(self.program)

    def command(self, capture, port, folder):
        raise NotImplementedError

    def run(self, capture, patience):
        """What arrived at the collector, and the cost.

        Raises NotEnded after `patience` seconds.
        """
        collector = Collector()
        try:
            with tempfile.TemporaryDirectory() as folder:
                cost = measured(self.command(capture, collector.port, Path(folder)), patience)
        finally:
            sums = collector.sums()
        return sums, cost


class Peloton(Peer):
    program, package = "peloton", "this repository"

    def command(self, capture, port, folder):
        return [self.path, "replay", "--top", "0", "--collector", f"127.0.0.1:{port}", capture]


class Softflowd(Peer):
    program = package = "softflowd"

    def command(self, capture, port, folder):
        files = ["-p", folder / "pid", "-c", folder / "control"]
        return [self.path, "-d", "-v", "10", "-m", str(FLOWS), *files, "-n", f"127.0.0.1:{port}", "-r", capture]


class Pmacctd(Peer):
    program, package = "pmacctd", "pmacct"

    def command(self, capture, port, folder):
        lines = {
            "daemonize": "false",
            "pcap_savefile": capture,
            "plugins": "nfprobe",
            "nfprobe_receiver": f"127.0.0.1:{port}",
            "nfprobe_version": 10,
            "aggregate": "src_host,dst_host,src_port,dst_port,proto,tos",
            "plugin_pipe_size": 204_800_000,
            "plugin_buffer_size": 204_800,
        }
        config = folder / "pmacctd.conf"
        config.write_text("".join(f"{key}: {value}\n" for key, value in lines.items()))
        return [self.path, "-f", config]


class Nfpcapd(Peer):
    """It sends nothing: nfdump reads the files that it writes."""

    program, package = "nfpcapd", "nfdump"

    def run(self, capture, patience):
        with tempfile.TemporaryDirectory() as folder:
            cost = measured([self.path, "-r", capture, "-w", folder], patience)
            shown = subprocess.run(["nfdump", "-I", "-R", folder], capture_output=True, text=True).stdout
        found = {name: int(count) for name, count in re.findall(r"^(\w+): (\d+)$", shown, re.MULTILINE)}
        sums = Sums()
        sums.records, sums.packets, sums.octets = (found.get(name, 0) for name in ("Flows", "Packets", "Bytes"))
        sums.sequence_errors = None
        return sums, cost


PEERS = [Softflowd, Pmacctd, Nfpcapd]


def find(program):
    """Its path; daemons lie where not every user looks."""
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def counts_instructions():
    """Whether perf can, here."""
    if not shutil.which("perf"):
        return False
    tried = subprocess.run(["perf", "stat", "-x,", "-e", "instructions:u", "true"], capture_output=True, text=True)
    return tried.returncode == 0 and "not " not in tried.stderr


def measured(command, patience):
    """Runs `command` with all processes that it starts to their end."""
    command = [str(word) for word in command]
    cost = Cost()
    with tempfile.NamedTemporaryFile("r") as counts:
        if counts_instructions():
            command = ["perf", "stat", "-x,", "-o", counts.name, "-e", "instructions:u", *command]
        launched = [sys.executable, "-I", "-S", LAUNCHER, str(patience), *command]
        used = json.loads(subprocess.run(launched, stdout=subprocess.PIPE, check=True).stdout)
        if not used["ended"]:
            raise NotEnded
        cost.seconds, cost.mebibytes = used["seconds"], used["mebibytes"]
        line = re.search(r"^(\d+),", counts.read(), re.MULTILINE)
        cost.instructions = int(line[1]) if line else None
    return cost
