"""vppcfg: what it plans is done, by itself or by `exec`, after which it plans nothing; and it takes back what it is no longer told."""

import os
import subprocess
import sys

from harness import PID, SOCKET, Engine, path, run

# In the shape of vppcfg's documentation: its physical interfaces are those of the packet generator.
CONFIG = """
interfaces:
  pg0:
    device-type: dpdk
    description: "to the core"
    mac: 02:00:00:00:00:10
    mtu: 9000
    addresses: [ 192.0.2.17/30, 2001:db8:3::1/64 ]
    sub-interfaces:
      1234:
        mtu: 1200
        addresses: [ 192.0.2.33/30 ]
        encapsulation:
          dot1q: 1234
          exact-match: True
      1235:
        mtu: 1100
        encapsulation:
          dot1q: 1234
          inner-dot1q: 1000
          exact-match: True
  pg1:
    device-type: dpdk
    mtu: 9000
    description: "of customers"
    sub-interfaces:
      10:
        mtu: 3000
      100:
        mtu: 2500
        l2xc: pg1.200
        encapsulation:
          dot1q: 100
          exact-match: False
      200:
        mtu: 2500
        l2xc: pg1.100
        encapsulation:
          dot1q: 200
          exact-match: False
      500:
        mtu: 2000
        encapsulation:
          dot1ad: 500
          exact-match: False
      501:
        mtu: 2000
        encapsulation:
          dot1ad: 501
          inner-dot1q: 7
          exact-match: True
  pg2:
    device-type: dpdk
    mtu: 2000
    description: "bridged"
  vxlan_tunnel1:
    mtu: 2000
{tap_interface}
loopbacks:
  loop0:
    addresses: [ 10.0.0.1/32, 2001:db8::1/128 ]
  loop1:
    mtu: 2000
    mac: 02:de:ad:01:be:ef
    addresses: [ 10.0.1.1/24, 2001:db8:1::1/64 ]
  loop11:
    mtu: 1500
    mac: 02:de:ad:11:be:ef
    addresses: [ 10.0.2.1/24 ]

bridgedomains:
  bd1:
    mtu: 2000
    bvi: loop1
    interfaces: [ pg1.500, pg1.501, pg2, vxlan_tunnel1 ]
  bd11:
    mtu: 1500
    bvi: loop11
    interfaces: [ {tap_member} ]
    settings:
      learn: False
      mac-age-minutes: 10

vxlan_tunnels:
  vxlan_tunnel1:
    local: 192.0.2.17
    remote: 192.0.2.18
    vni: 101
{tap}
"""

# Without its sub-interfaces and bridges, with other addresses and sizes.
SMALLER = """
interfaces:
  pg0:
    device-type: dpdk
    mac: 02:00:00:00:00:10
    mtu: 1500
    addresses: [ 192.0.2.21/30 ]
  pg1:
    device-type: dpdk
  pg2:
    device-type: dpdk
loopbacks:
  loop0:
    addresses: [ 10.0.0.1/32 ]
"""

TAP = f"pelp{PID % 1000000}"


def config():
    """The configuration, with a tap where one can be made."""
    if os.geteuid() or not os.path.exists("/dev/net/tun"):
        return CONFIG.format(tap_interface="", tap="", tap_member="")
    tap = f"""
taps:
  tap101:
    host:
      name: {TAP}
      mtu: 1500
    rx-ring-size: 256
    tx-ring-size: 256
"""
    return CONFIG.format(tap_interface="  tap101:\n    mtu: 1500", tap=tap, tap_member="tap101")


# Whatever its options say, `vppcfg apply' goes to the default socket.
AT_DEFAULT = 'mount -t tmpfs none /run && mkdir /run/vpp && ln -s "$0" /run/vpp/api.sock && exec "$@"'


def vppcfg(command, *options, before=()):
    """Runs it; what it said."""
    program = os.path.join(os.path.dirname(sys.executable), "vppcfg")
    words = [*before, program, command, "-a", SOCKET, *options]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"vppcfg {command}: {done.returncode}\n{said}"
    return said


def written(text):
    """A file of a configuration."""
    file = path("config.yaml")
    with open(file, "w", encoding="utf-8") as out:
        out.write(text)
    return file


def plan(text):
    """The lines that it plans."""
    file = path("plan.exec")
    vppcfg("plan", "-c", written(text), "-o", file)
    with open(file, encoding="utf-8") as lines:
        return file, [line.strip() for line in lines if line.strip()]


def nothing_is_planned(text):
    """Asserts that."""
    _, lines = plan(text)
    assert not lines, lines


def physical():
    """The interfaces that there are before."""
    engine = Engine("physical")
    for n in range(3):
        engine.ok("pg_create_interface_v3", interface_id=n)
    return engine


def a_plan_is_executed_and_the_next_one_is_empty():
    """`vppcfg plan`, and `exec` at the prompt."""
    engine = physical()
    file, lines = plan(config())
    print(f"{len(lines)} lines planned")
    engine.cli(f"exec {file}")
    nothing_is_planned(config())
    engine.says("show bridge-domain 1 detail", "loop1", "pg2", "vxlan_tunnel1")
    engine.says("show mode", "l2 xconnect pg1.100 pg1.200")
    engine.says("show interface address", "192.0.2.17/30", "2001:db8:1::1/64")
    if os.path.exists(f"/sys/class/net/{TAP}"):
        engine.says("show tap", TAP)
    engine.close()


def what_is_no_longer_wanted_is_taken_back():
    """To a smaller configuration, and again to the large one."""
    engine = Engine("smaller")
    for text in (SMALLER, config()):
        file, lines = plan(text)
        assert lines
        engine.cli(f"exec {file}")
        nothing_is_planned(text)
    engine.close()


def plans_are_applied():
    """`vppcfg apply`, as root only: it takes a place of its own for the default socket."""
    if os.geteuid():
        print("not root: vppcfg apply is not tried")
        return
    for text in (SMALLER, config()):
        before = ["unshare", "--mount", "sh", "-c", AT_DEFAULT, SOCKET]
        said = vppcfg("apply", "-c", written(text), before=before)
        assert "Apply succeeded" in said and "returned" not in said, said
        nothing_is_planned(text)


def the_state_is_dumped_as_a_configuration():
    """`vppcfg dump` tells what was configured."""
    file = path("dump.yaml")
    vppcfg("dump", "-o", file)
    with open(file, encoding="utf-8") as told:
        said = told.read()
    for word in ("loop11", "bd11", "vxlan_tunnel1", "192.0.2.17/30", "inner-dot1q"):
        assert word in said, f"no {word} in\n{said}"


run([
    a_plan_is_executed_and_the_next_one_is_empty,
    what_is_no_longer_wanted_is_taken_back,
    plans_are_applied,
    the_state_is_dumped_as_a_configuration,
])
