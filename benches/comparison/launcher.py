"""Runs a program until the last process that it leaves behind has ended, and prints what they used as JSON.

usage: launcher.py PATIENCE COMMAND...

A process of its own, and a small one: the peak of a program's memory is never below that of the process which started it.
"""

import ctypes
import json
import os
import signal
import sys
import threading

PR_SET_CHILD_SUBREAPER = 36


def main():
    patience, command = float(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    silent = [(os.POSIX_SPAWN_OPEN, descriptor, "/dev/null", os.O_RDWR, 0) for descriptor in (0, 1, 2)]
    group = os.posix_spawnp(command[0], command, os.environ, file_actions=silent, setpgroup=0)
    timer = threading.Timer(patience, os.killpg, (group, signal.SIGKILL))
    timer.daemon = True
    timer.start()
    used = {"seconds": 0.0, "mebibytes": 0.0}
    while add_next(used):
        pass
    used["ended"] = timer.is_alive()
    print(json.dumps(used))


def add_next(used):
    """Adds what the next process to end has used; false when there is none left."""
    try:
        _, _, usage = os.wait4(-1, 0)
    except ChildProcessError:
        return False
    used["seconds"] += usage.ru_utime + usage.ru_stime
    used["mebibytes"] = max(used["mebibytes"], usage.ru_maxrss / 1024)
    return True


if __name__ == "__main__":
    main()
