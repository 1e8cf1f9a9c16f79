"""Reads as fast as it can while interfaces come and go, for some seconds, and looks for what cannot be.

All packets that pg0 receives have 100 octets. Prints how much it did."""

import json
import sys
import time

from vpp_papi.vpp_stats import VPPStats

stats = VPPStats(socketname=sys.argv[1])
stats.connect()
end = time.monotonic() + float(sys.argv[2])
rounds = gone = epochs = 0
before = {}
last_epoch = stats.epoch
while time.monotonic() < end:
    rounds += 1
    epochs += stats.epoch != last_epoch
    last_epoch = stats.epoch
    for path in ["/if/rx", "/if/tx", "/if/drops"]:
        lengths = [len(row) for row in stats[path]]
        assert lengths == sorted(lengths), (path, lengths)
    names = stats["/if/names"]
    assert len(names) <= len(stats["/if/rx"][0]), names
    assert all(name == "deleted" or name[:4] in ("loca", "pg0", "pg0.", "pg1", "loop") for name in names), names
    for row in stats["/if/rx"]:
        packets, octets = row[1]
        assert octets % 100 == 0, (packets, octets)
    for path in ["/interfaces/pg0/rx", "/net/route/to"]:
        counts = stats[path]
        total = counts.sum_packets() if path.startswith("/int") else sum(p for row in counts for p, _ in row)
        assert total >= before.get(path, 0), (path, total, before)
        before[path] = total
    for path in stats.ls(["/interfaces/loop", "/interfaces/pg0.7", "/sys/", "/err/ip4"]):
        try:
            value = stats[path]
        except KeyError:
            # It went between the list and the look.
            gone += 1
            continue
        if path.startswith("/interfaces/"):
            # Nobody sends to them, so that whatever else stands there is another's.
            total = value.sum_packets() if isinstance(value[0], tuple) else value.sum()
            assert total == 0, (path, value)
print(json.dumps({"rounds": rounds, "gone": gone, "epochs": epochs, "received": before["/interfaces/pg0/rx"]}))
