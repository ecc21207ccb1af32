"""What the shell says of itself: the figures of the View that only it can measure, its troubles."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from polytui.engine.core.runconfig import Settings
from polytui.engine.core.view import ShellView
from polytui.engine.shell.admin import AdminServer
from polytui.engine.shell.capture import Capture
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, read_wall_ns
from polytui.engine.shell.latency import rss_bytes
from polytui.engine.shell.loop_lag import LoopLag
from polytui.engine.shell.metrics.server import OFF, MetricsServer
from polytui.engine.shell.processes import read_process
from polytui.engine.shell.runner import Runner
from polytui.engine.shell.webhook import WEBHOOK, Webhook

DISK_NS: Final = 30 * SECOND_NS
"""Sizes on disk are measured this often at most: recordings are a few hundred files."""


class Sizes:
    """How much lies on disk, and what else of the process stays the same."""

    def __init__(self, settings: Settings) -> None:
        """Measure nothing yet."""
        self._store = Path(settings.store.directory)
        self._recordings = Path(settings.capture.directory)
        recorded = str(self._recordings.absolute()) if settings.capture.enabled else ""
        self.recordings_at = recorded.encode("utf-8", "replace").decode()
        """Where recordings are written; empty: nothing is recorded."""
        process = read_process(os.getpid())
        self.started_ticks = 0 if process is None else process.started_ticks
        self._measured_ns = -DISK_NS
        self._read = (0, 0)

    def read(self) -> tuple[int, int]:
        """Give the bytes of the store, its archives included, and of the recordings."""
        now_ns = read_mono_ns()
        if now_ns - self._measured_ns >= DISK_NS:
            self._measured_ns = now_ns
            self._read = (_bytes_of(self._store), _bytes_of(self._recordings))
        return self._read


class Parts(Struct, frozen=True, kw_only=True):
    """The parts of a shell that have something to say."""

    runner: Runner
    capture: Capture
    lag: LoopLag
    admin: AdminServer
    metrics: MetricsServer
    webhook: Webhook
    sizes: Sizes

    def view(self) -> ShellView:
        """Measure now."""
        now_ns = read_mono_ns()
        health = self.capture.health()
        store_bytes, recordings_bytes = self.sizes.read()
        return ShellView(
            loop_lag=self.lag.latencies.read(mono_ns=now_ns),
            decision=self.runner.decision.read(mono_ns=now_ns),
            inbox=self.runner.waiting,
            dropped=self.runner.dropped,
            capture_bytes=health.bytes,
            capture_lost=health.lost,
            clients=len(self.admin.clients),
            wall_ns=read_wall_ns(),
            pid=os.getpid(),
            rss_bytes=rss_bytes(),
            store_bytes=store_bytes,
            recordings_bytes=recordings_bytes,
            metrics_why=self.metrics.why,
            metrics_at=self.metrics.address,
            recordings_at=self.sizes.recordings_at,
            started_ticks=self.sizes.started_ticks,
            posts=self.webhook.view(),
        )

    def troubles(self) -> tuple[tuple[str, str], ...]:
        """Name what ails beside trading, with the codes of its alerts."""
        metrics = "" if self.metrics.why == OFF else self.metrics.why
        said = (("METRICS", metrics), (WEBHOOK, self.webhook.view().why))
        return tuple((code, text) for code, text in said if text)


def _bytes_of(directory: Path) -> int:
    """Add up the files of a directory; one that goes meanwhile, and what is not there, is none."""
    total = 0
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    is_file = entry.is_file(follow_symlinks=False)
                    total += entry.stat(follow_symlinks=False).st_size if is_file else 0
    except OSError:
        return total
    return total
