"""Measures what only the shell can: latch, lock, journal, loop, disk, and the kill's self-test."""

import shutil
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

import polytui
from polytui.engine.core.runconfig import Settings
from polytui.engine.core.trading import HostFacts
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns
from polytui.engine.shell.latch import KillLatch
from polytui.engine.shell.proofs import is_equal
from polytui.engine.shell.store.store import Store

TEST_NS: Final = 300 * SECOND_NS
PROOF_NS: Final = 10 * SECOND_NS
"""The proof of the last replay is looked for this often."""
TEST_FILE: Final = "kill.selftest"


def config_hash(settings: Settings) -> str:
    """Name a configuration: equal ones have equal names."""
    text = msgspec.json.encode(settings, order="deterministic")
    return blake2b(text, digest_size=8).hexdigest()


class Host:
    """The facts of this process and this machine."""

    def __init__(
        self,
        settings: Settings,
        directory: Path,
        *,
        run: str,
        latch: KillLatch,
        store: Store,
        lag_ns: Callable[[], int],
        sentinel_ns: Callable[[], int],
        at_ns: Callable[[], int],
    ) -> None:
        """Measure with these; nothing is measured before it is asked."""
        self._hash = config_hash(settings)
        self._directory = directory
        self._latch = latch
        self._store = store
        self._lag_ns = lag_ns
        self._sentinel_ns = sentinel_ns
        self._at_ns = at_ns
        self._test_ns = 0
        self._tested_ns = 0
        self._tested_mono_ns = 0
        self._disk_free = 0
        self._looked_mono_ns = 0
        self._recordings = Path(settings.capture.directory)
        self._run = run
        self._replay_equal: bool | None = None
        self._proof_mono_ns = 0

    def facts(self) -> HostFacts:
        """Measure now: cheap enough for every order that leaves."""
        health = self._store.health()
        return HostFacts(
            latch_clear=self._latch.is_clear(),
            lock_held=True,
            config_hash=self._hash,
            journal_ok=health.ok,
            journal_fill=health.fill,
            loop_lag_ns=self._lag_ns(),
            sentinel_ns=self._sentinel_ns(),
            disk_free_bytes=self._disk_free,
            kill_test_ns=self._test_ns,
            kill_tested_ns=self._tested_ns,
            replay_equal=self._replay_equal,
        )

    def look(self) -> None:
        """Do what is too slow for every order: the disk, the latch's file, the self-test."""
        self._latch.look()
        now_ns = read_mono_ns()
        if now_ns - self._looked_mono_ns >= SECOND_NS:
            self._looked_mono_ns = now_ns
            self._disk_free = shutil.disk_usage(self._store.path.parent).free
        if not self._proof_mono_ns or now_ns - self._proof_mono_ns >= PROOF_NS:
            self._proof_mono_ns = now_ns
            self._replay_equal = is_equal(
                self._recordings, besides=self._run, version=polytui.__version__
            )
        if not self._tested_mono_ns or now_ns - self._tested_mono_ns >= TEST_NS:
            self._tested_mono_ns = now_ns
            self._test_kill()

    def _test_kill(self) -> None:
        """Close a latch that nobody reads, and measure how long that took."""
        path = self._directory / TEST_FILE
        path.unlink(missing_ok=True)
        latch = KillLatch(path)
        begun_ns = read_mono_ns()
        latch.trigger("self-test")
        closed = not latch.is_clear()
        self._test_ns = read_mono_ns() - begun_ns
        self._tested_ns = self._at_ns() if closed else 0
        latch.close()
        path.unlink(missing_ok=True)
