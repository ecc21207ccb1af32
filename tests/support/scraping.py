"""Reading an engine's metrics as a scraper does: over HTTP, as text."""

import socket
import urllib.request


def free_port() -> int:
    """Find a port that nobody has; somebody may take it before it is used."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fetched(url: str) -> str:
    """Read a page of this machine."""
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read().decode())


def scraped(port: int) -> dict[str, float]:
    """Read every sample: its name, with its labels as they are written, to its value."""
    found: dict[str, float] = {}
    for line in fetched(f"http://127.0.0.1:{port}/metrics").splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            found[name] = float(value)
    return found
