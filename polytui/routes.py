"""By which routes an engine can be reached when its link is lost: looked at, never asked to act.

Each route has a probe: a function of what the engine last said of itself and of the probe's own
last finding. `Routes` runs them while it is told to, each on a thread of its own, so that a disk or
a port that hangs stops neither the screen nor the other probes. A finding carries its time: whoever
shows it judges its age. Nothing here goes beyond this machine.
"""

import os
import re
import socket
import stat
from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path
from threading import Event, Thread
from typing import Final

from msgspec import Struct

from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, read_wall_ns
from polytui.engine.shell.places import ADMIN_SOCKET, VIEW_SOCKET
from polytui.engine.shell.processes import has_ended, read_process

EVERY_S: Final = 2.0
ANSWER_NS: Final = SECOND_NS
"""Within which `/metrics` must have answered in full."""
BODY_MAX: Final = 4 << 20
"""Bytes of an answer."""
SOCKETS_MAX: Final = 1 << 20
"""Bytes of the system's list of sockets."""
FILES_MAX: Final = 20_000
"""Names looked at in the directory of the recordings."""

OTHER_SOCKET, METRICS, PROCESS, LOG = "socket", "metrics", "process", "log"


class Target(Struct, frozen=True, kw_only=True):
    """What is known of where an engine can be found; empty or 0: it never said."""

    path: str = ""
    """Of the socket that this console used."""
    pid: int = 0
    started_ticks: int = 0
    run: str = ""
    metrics_at: str = ""
    metrics_why: str = ""
    """Why it serves no metrics."""
    recordings_at: str = ""

    @property
    def other_path(self) -> str:
        """The socket beside this one: for reading only, or for acting."""
        if not self.path:
            return ""
        own = Path(self.path)
        return str(own.with_name(ADMIN_SOCKET if own.name == VIEW_SOCKET else VIEW_SOCKET))


class Finding(Struct, frozen=True, kw_only=True):
    """What a probe saw, and when."""

    at_ns: int
    """Monotonic."""


class SocketFinding(Finding, frozen=True, kw_only=True):
    """A socket that was looked at and not opened."""

    present: bool
    heard: bool | None = None
    """Whether somebody listens; None: the system does not say."""
    owner: int = -1
    mine: bool = False
    """Whether this console runs as its owner."""
    is_private: bool = False
    """Whether its owner alone may open it."""
    why: str = ""
    """Why it could not be looked at."""


class MetricsFinding(Finding, frozen=True, kw_only=True):
    """An answer of the exporter, or why there is none."""

    why: str = ""
    """Empty: it answered."""
    status: int = 0
    took_ns: int = 0
    run: str = ""
    """Of the engine that answered; empty: it named none, so it is no engine."""
    lag_us: int | None = None
    """Loop lag, p99."""
    live_orders: int | None = None
    paper_orders: int | None = None
    up_ns: int | None = None


class ProcessFinding(Finding, frozen=True, kw_only=True):
    """The process of a number."""

    exists: bool
    is_other: bool = False
    """True when the number was given to another program since."""
    stopped: bool = False
    name: str = ""
    used_ns: int | None = None
    """Processor time since it started."""
    cpu: float | None = None
    """Share of one processor since the last look."""
    rss_bytes: int | None = None


class LogFinding(Finding, frozen=True, kw_only=True):
    """The newest recording of the run."""

    file: str = ""
    size: int = 0
    grown: int | None = None
    """Bytes since the last look; None: this is the first."""
    over_ns: int = 0
    """Time since the last look."""
    written_ns: int = 0
    """Age of its last change."""
    why: str = ""
    """Why it could not be looked at."""


# --- probes --------------------------------------------------------------------------------------


def look_at_socket(target: Target, before: Finding | None, now_ns: int) -> SocketFinding:
    """Look at the other socket without opening it."""
    del before
    path = target.other_path
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return SocketFinding(at_ns=now_ns, present=False)
    except OSError as error:
        return SocketFinding(at_ns=now_ns, present=False, why=_told(error))
    if not stat.S_ISSOCK(found.st_mode):
        return SocketFinding(at_ns=now_ns, present=False, why="no socket is there")
    return SocketFinding(
        at_ns=now_ns,
        present=True,
        heard=_is_heard(path),
        owner=found.st_uid,
        mine=found.st_uid == os.getuid(),
        is_private=not found.st_mode & 0o077,
    )


def _is_heard(path: str) -> bool | None:
    """Ask the system whether somebody listens at a socket: connecting would fill its queue."""
    try:
        with Path("/proc/net/unix").open("rb") as file:
            table = file.read(SOCKETS_MAX)
    except OSError:
        return None
    name = os.fsencode(os.path.basename(path))
    for line in table.splitlines():
        fields = line.split(None, 7)
        if len(fields) == 8 and fields[3] == b"00010000" and os.path.basename(fields[7]) == name:
            try:
                if os.path.samefile(fields[7], path):
                    return True
            except OSError:
                continue
    return False if len(table) < SOCKETS_MAX else None


def look_at_process(target: Target, before: Finding | None, now_ns: int) -> ProcessFinding:
    """Look whether the engine's process lives, and whether the number is still its own."""
    if has_ended(target.pid):
        return ProcessFinding(at_ns=now_ns, exists=False)
    found = read_process(target.pid)
    if found is None:
        return ProcessFinding(at_ns=now_ns, exists=True)
    if target.started_ticks and found.started_ticks != target.started_ticks:
        return ProcessFinding(at_ns=now_ns, exists=True, is_other=True, name=found.name)
    used_ns = found.used_ticks * SECOND_NS // os.sysconf("SC_CLK_TCK")
    cpu = None
    if isinstance(before, ProcessFinding) and before.used_ns is not None and now_ns > before.at_ns:
        cpu = max(used_ns - before.used_ns, 0) / (now_ns - before.at_ns)
    return ProcessFinding(
        at_ns=now_ns,
        exists=True,
        stopped=found.state in "Tt",
        name=found.name,
        used_ns=used_ns,
        cpu=cpu,
        rss_bytes=found.rss_bytes,
    )


def look_at_log(target: Target, before: Finding | None, now_ns: int) -> LogFinding:
    """Look whether the newest recording of the run grows."""
    from polytui.engine.shell.segments import SUFFIX  # here: the first screen does without zstd

    newest: tuple[int, str, int] | None = None
    try:
        with os.scandir(target.recordings_at) as entries:
            for _, entry in zip(range(FILES_MAX), entries, strict=False):
                if entry.name.startswith(f"{target.run}-") and entry.name.endswith(SUFFIX):
                    seen = entry.stat(follow_symlinks=False)
                    newest = max(newest or (0, "", 0), (seen.st_mtime_ns, entry.name, seen.st_size))
    except (OSError, ValueError) as error:
        return LogFinding(at_ns=now_ns, why=_told(error))
    if newest is None:
        return LogFinding(at_ns=now_ns, why="no recording of this run is there")
    changed_ns, file, size = newest
    grown, over_ns = None, 0
    if isinstance(before, LogFinding) and before.file:
        grown = size - before.size if before.file == file else size
        over_ns = now_ns - before.at_ns
    return LogFinding(
        at_ns=now_ns,
        file=file,
        size=size,
        grown=grown,
        over_ns=over_ns,
        written_ns=max(read_wall_ns() - changed_ns, 0),
    )


def ask_metrics(target: Target, before: Finding | None, now_ns: int) -> MetricsFinding:
    """Read `/metrics` once, within `ANSWER_NS`."""
    del before
    began_ns = read_mono_ns()
    try:
        status, body = _get(*_place(target.metrics_at), until_ns=began_ns + ANSWER_NS)
    except TimeoutError:
        return MetricsFinding(at_ns=now_ns, why=f"no answer within {ANSWER_NS // SECOND_NS} s")
    except OSError as error:
        return MetricsFinding(at_ns=now_ns, why=_told(error))
    except ValueError as error:
        return MetricsFinding(at_ns=now_ns, why=str(error))
    took_ns = read_mono_ns() - began_ns
    if status != 200:
        why = f"answers {status}"
        return MetricsFinding(at_ns=now_ns, why=why, status=status, took_ns=took_ns)
    return read_metrics(body, at_ns=now_ns, took_ns=took_ns, wall_ns=read_wall_ns())


def _place(address: str) -> tuple[str, int]:
    """Take an address apart; only loopback is ever asked.

    Raises:
        ValueError: it is none, or another machine could be behind it.
    """
    from ipaddress import ip_address  # here: the first screen does without it

    name, _, digits = address.rpartition(":")
    host, port = ip_address(name.strip("[]")), int(digits)
    if not 0 < port < 65_536:
        raise ValueError(f"{port} is no port")
    if host.is_unspecified:
        return ("127.0.0.1" if host.version == 4 else "::1"), port
    if not host.is_loopback:
        raise ValueError("not asked: it is not on loopback")
    return str(host), port


def _get(host: str, port: int, *, until_ns: int) -> tuple[int, bytes]:
    """Fetch `/metrics`; return the status and the body.

    Raises:
        TimeoutError: it took too long.
        OSError: it cannot be reached.
        ValueError: it speaks no HTTP, or does not come to an end.
    """
    answer = bytearray()
    with socket.create_connection((host, port), timeout=_left_s(until_ns)) as link:
        link.sendall(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
        while piece := link.recv(65_536):
            answer += piece
            if len(answer) > BODY_MAX:
                raise ValueError("its answer does not come to an end")
            link.settimeout(_left_s(until_ns))
    head, _, body = bytes(answer).partition(b"\r\n\r\n")
    found = _STATUS.match(head)
    if found is None:
        raise ValueError("what answers is no web server")
    return int(found[1]), body


def _left_s(until_ns: int) -> float:
    left_ns = until_ns - read_mono_ns()
    if left_ns <= 0:
        raise TimeoutError
    return left_ns / SECOND_NS


_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})\b")
_SAMPLE = re.compile(
    r"^polytui_(info|stage_latency_seconds|open_orders|start_timestamp_seconds)"
    r"(?:\{(.*)\})? (\S+)$",
    re.MULTILINE,
)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def read_metrics(body: bytes, *, at_ns: int, took_ns: int, wall_ns: int) -> MetricsFinding:
    """Pick the few figures of the banner out of an exposition; what is not there stays None."""
    run, figures = "", dict[tuple[str, ...], float]()
    for name, labels, number in _SAMPLE.findall(body.decode("utf-8", "replace")):
        label = dict(_LABEL.findall(labels))
        if name == "info":
            run = label.get("run", "")
        value = _number(number)
        if value is not None:
            figures[name, *(label.get(key, "") for key in ("stage", "stat", "realm"))] = value
    lag = figures.get(("stage_latency_seconds", "loop_lag", "p99", ""))
    started = figures.get(("start_timestamp_seconds", "", "", ""))
    live, paper = (figures.get(("open_orders", "", "", realm)) for realm in ("live", "paper"))
    return MetricsFinding(
        at_ns=at_ns,
        status=200,
        took_ns=took_ns,
        run=run,
        lag_us=None if lag is None else round(lag * 1e6),
        live_orders=None if live is None else round(live),
        paper_orders=None if paper is None else round(paper),
        up_ns=None if started is None else max(wall_ns - round(started * SECOND_NS), 0),
    )


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


def _told(error: OSError | ValueError) -> str:
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(why).lower()


# --- looking -------------------------------------------------------------------------------------

Probe = Callable[[Target, Finding | None, int], Finding]
PROBES: Final[Mapping[str, tuple[Probe, str]]] = {
    OTHER_SOCKET: (look_at_socket, "path"),
    METRICS: (ask_metrics, "metrics_at"),
    PROCESS: (look_at_process, "pid"),
    LOG: (look_at_log, "recordings_at"),
}
"""With the fact that each needs: a route that the engine never named is not looked for."""


class _Session:
    """One loss of the link: what is looked for, and what was found."""

    def __init__(self, target: Target, now_ns: int) -> None:
        self.target = target
        self.since_ns = now_ns
        self.found: dict[str, Finding] = {}
        self.ended = Event()

    def look(self, name: str, probe: Probe, clock: Callable[[], int]) -> None:
        """Look again and again until the session ends."""
        while not self.ended.is_set():
            self.found[name] = probe(self.target, self.found.get(name), clock())
            self.ended.wait(EVERY_S)


class Routes:
    """Looks for an engine by its other routes, while it is told to."""

    def __init__(
        self,
        clock: Callable[[], int],
        probes: Mapping[str, tuple[Probe, str]] = PROBES,
    ) -> None:
        """Look at nothing before `follow`."""
        self._clock = clock
        self._probes = probes
        self._session: _Session | None = None
        self._threads: dict[str, Thread] = {}

    def follow(self, target: Target | None) -> None:
        """Look for a target from now on, or with None no more; cheap to call again."""
        session = self._session
        if session is not None and session.target != target:
            session.ended.set()
            session = self._session = None
        if target is None:
            return
        if session is None:
            session = self._session = _Session(target, self._clock())
        for name, (probe, needs) in self._probes.items():
            if getattr(target, needs):
                self._keep_looking(session, name, probe)

    def _keep_looking(self, session: _Session, name: str, probe: Probe) -> None:
        """Have one thread at a probe; one that still hangs from an earlier loss is not doubled."""
        thread = self._threads.get(name)
        if thread is None or not thread.is_alive():
            arguments = (name, probe, self._clock)
            thread = Thread(target=session.look, args=arguments, name=f"route {name}", daemon=True)
            self._threads[name] = thread
            thread.start()

    @property
    def target(self) -> Target | None:
        """What is looked for; None: nothing is."""
        return None if self._session is None else self._session.target

    @property
    def since_ns(self) -> int:
        """Since when it is looked for, monotonic."""
        return 0 if self._session is None else self._session.since_ns

    @property
    def found(self) -> dict[str, Finding]:
        """The latest finding of each probe, by its name."""
        return {} if self._session is None else dict(self._session.found)
