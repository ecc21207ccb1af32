"""The practice venue as a process of its own, and what the official clients were seen to do on it.

Each test names the calls it exercises; the union is `docs/conformance.md`, which one test compares
with the file. `WRITE_DOCS=1` writes it anew. Imported lazily: the clients take seconds.
"""

import json
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tests.conftest import ROOT

READY_S = 30
Row = tuple[str, str, str]
"""(client, call, what the venue does with it)."""

ROWS: list[Row] = []
_Test = TypeVar("_Test", bound=Callable[..., object])


def exercises(client: str, *calls: tuple[str, str]) -> Callable[[_Test], _Test]:
    """Say which calls of a client a test makes and checks."""
    ROWS.extend((client, call, what) for call, what in calls)
    return lambda test: test


class Stage:
    """A running venue and how to reach it."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self.urls: dict[str, str] = ready["urls"]
        self.wallets: list[dict[str, Any]] = ready["wallets"]
        self.chain_id: int = ready["chain_id"]
        self._control: str = ready["control"]

    def control(self, **ask: Any) -> dict[str, Any]:
        """Ask the control port for one thing."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(self._control)
            connection.sendall(json.dumps(ask).encode() + b"\n")
            with connection.makefile("rb") as lines:
                answer: dict[str, Any] = json.loads(lines.readline())
        assert answer["ok"], answer
        return answer

    def gamma(self, path: str) -> Any:
        """Read a page of Gamma without any client."""
        from urllib.request import urlopen

        with urlopen(f"{self.urls['gamma']}{path}", timeout=10) as page:
            return json.load(page)

    def market(self, **wanted: Any) -> dict[str, Any]:
        """Find a quoted market with room on both sides of its book."""
        for row in self.gamma("/markets?limit=100"):
            row["tokens"] = json.loads(row["clobTokenIds"])
            in_range = row["bestBid"] > 0.25 and row["bestAsk"] < 0.75
            is_coarse = row["orderPriceMinTickSize"] == 0.01
            if in_range and is_coarse and all(row[name] == v for name, v in wanted.items()):
                return dict(row)
        raise AssertionError(f"no quoted market with {wanted}")


@contextmanager
def staged(*arguments: str) -> Iterator[Stage]:
    """Run `polytui venue` and wait until it says that it is ready."""
    with tempfile.TemporaryDirectory(prefix="pv") as directory:
        command = [sys.executable, "-m", "polytui", "venue", "--port", "0", "--seed", "11"]
        command += ["--control", str(Path(directory, "c.sock")), *arguments]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
            try:
                yield Stage(_ready(process))
            finally:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()


def _ready(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    assert process.stdout is not None
    watchdog = threading.Timer(READY_S, process.kill)
    watchdog.start()
    line = process.stdout.readline()
    watchdog.cancel()
    assert line, f"the venue ended with {process.wait(5)} before it was ready"
    ready: dict[str, Any] = json.loads(line)
    return ready


def table() -> str:
    """Write the page of everything exercised."""
    lines = [
        "# What the official clients do on the practice venue",
        "",
        "Written by `tests/conformance` from the calls its tests make and check, with the clients",
        "as published, unmodified: `py-clob-client-v2` 1.2.1 and `polymarket-client` 0.14.0. The",
        "second one's environment cannot be constructed publicly, so the tests make one through",
        "its private factory; nothing else of it is touched.",
        "",
    ]
    for client in dict.fromkeys(row[0] for row in sorted(ROWS)):
        lines += [f"## {client}", "", "| call | what is checked |", "|---|---|"]
        lines += [
            f"| `{call}` | {what} |" for name, call, what in sorted(set(ROWS)) if name == client
        ]
        lines.append("")
    return "\n".join(lines)
