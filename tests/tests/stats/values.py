"""Everything that VPPStats reads, as JSON; and its ways to read the same thing agree with each other, unless packets move
meanwhile, which the word `moving` says."""

import json
import sys

from vpp_papi.vpp_stats import VPPStats

stats = VPPStats(socketname=sys.argv[1])
stats.connect()
names = stats.ls([""])
assert sorted(name for name, _ in stats) == sorted(names)
everything = stats.dump(names)

# By thread, by interface, in sum; by name and by link.
interfaces = everything["/if/names"]
rx, drops = stats["/if/rx"], stats.get_counter("/if/drops")
moving = sys.argv[2:] == ["moving"]
for index, interface in enumerate([] if moving else interfaces):
    packets = sum(row[index]["packets"] for row in rx)
    assert rx[:, index].sum_packets() == packets
    assert rx[:, index].sum_octets() == sum(row[index]["bytes"] for row in rx)
    assert rx[0][index] == everything["/if/rx"][0][index]
    assert drops[:, index].sum() == sum(row[index] for row in drops)
    if interface != "deleted":
        path = "/interfaces/" + interface.replace("/", "_")
        assert stats[path + "/rx"].sum_packets() == packets, path
        assert stats[path + "/drops"].sum() == drops[:, index].sum(), path

# Errors.
errors = stats.set_errors()
assert moving or all(stats.get_err_counter(name) == count for name, count in errors.items())
assert stats.set_errors_str().startswith("ERRORS:\n")
assert set(errors) <= set(stats.ls(["/err/"]))

# What is not there.
try:
    stats["/no/such/counter"]
    raise SystemExit("a counter that is not there was read")
except KeyError:
    pass

stats.disconnect()
print(json.dumps({"all": everything, "errors": errors}))
