"""`python bench/onlooker.py SOCKET TOPIC…`: a client that reads all it is sent and counts it.

It stands on the standard library alone, so that several of them cost little. Told to end by SIGTERM
or hung up on, it prints what it saw as one JSON line. Stopped by SIGSTOP, it reads nothing.
"""

import json
import select
import signal
import socket
import sys
import time
from collections import Counter
from pathlib import Path

POLL_S = 0.1


def main() -> None:
    """Watch until told to end."""
    ending: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ending.append(number))
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(str(Path(sys.argv[1])))
        watch = {"type": "watch", "topics": sys.argv[2:]}
        link.sendall(json.dumps(watch).encode() + b"\n")
        begun_s = time.monotonic()
        seen, taken, is_cut_off = _read(link, ending)
    said = {
        "shows": dict(seen),
        "bytes": taken,
        "is_cut_off": is_cut_off,
        "took_s": time.monotonic() - begun_s,
    }
    sys.stdout.write(json.dumps(said) + "\n")


def _read(link: socket.socket, ending: list[int]) -> tuple[Counter[str], int, bool]:
    """Count the shows of each topic, and all bytes, until told to end or hung up on."""
    seen: Counter[str] = Counter()
    taken, rest = 0, b""
    while not ending:
        if not select.select([link], [], [], POLL_S)[0]:
            continue
        try:
            data = link.recv(1 << 18)
        except ConnectionResetError:
            data = b""
        if not data:
            return seen, taken, True
        taken += len(data)
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b'{"type":"show","topic":"'):
                seen[line.split(b'"', 8)[7].decode()] += 1
    return seen, taken, False


if __name__ == "__main__":
    main()
