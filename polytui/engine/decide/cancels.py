"""CANCEL: one order, a strategy's, a market's, or all; a verb of its own, with preview and receipt.

It closes no latch and stops no strategy: what was named is cancelled and proven gone, and whoever
may quote goes on quoting. Orders that are not ours (EXTERNAL) go only with MARKET and ALL, and the
preview says how many.
"""

from collections.abc import Iterable
from enum import Enum

from msgspec import Struct

from polytui.engine.core.account_events import CancelAnswered, OpenOrdersRead
from polytui.engine.core.account_view import KillLine
from polytui.engine.core.commands import Command
from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.core.order_enums import Realm
from polytui.engine.decide.killswitch import cancel_lines
from polytui.engine.decide.sweep import Reach, Standing, Sweep
from polytui.engine.decide.words import short

KEPT_MAX = 20
"""Receipts kept; the oldest finished goes first."""


class CancelScope(Enum):
    """What a CANCEL names."""

    ORDER = "order"
    STRATEGY = "strategy"
    MARKET = "market"
    ALL = "all"


class OpenOrder(Struct, frozen=True, kw_only=True, gc=False):
    """An order of ours that may rest, in flight and unknown ones included: their hash is known."""

    cid: str
    order_hash: str
    strategy: str
    market: str
    bundle: str = ""
    is_external: bool = False


class CancelPreview(Struct, frozen=True, kw_only=True):
    """What a CANCEL would do."""

    scope: CancelScope
    name: str
    hashes: tuple[str, ...]
    external: int
    """Of them, orders this engine did not make."""
    bundles: tuple[str, ...]
    """Two-leg bundles that would lose a working leg."""
    text: str


class CancelReceipt(Struct, frozen=True, kw_only=True):
    """What became of a CANCEL."""

    request: str
    scope: CancelScope
    name: str
    at_ns: int
    is_verified: bool
    left: int
    """Still open by the venue's last answer; -1 before it."""
    lines: tuple[KillLine, ...]


class _Running:
    """One CANCEL on its way."""

    __slots__ = ("at_ns", "preview", "sweep")

    def __init__(self, preview: CancelPreview, sweep: Sweep, at_ns: int) -> None:
        """Keep what was asked beside its sweep."""
        self.preview = preview
        self.sweep = sweep
        self.at_ns = at_ns


def preview(scope: CancelScope, name: str, orders: Iterable[OpenOrder]) -> CancelPreview:
    """Say what a CANCEL would do; touches nothing.

    Raises:
        OperatorError: the scope names nothing that is open.
    """
    rows = [order for order in orders if _is_in(scope, name, order)]
    if not rows:
        whose = f" of {shown(name)}" if name else ""
        raise OperatorError(f"there is no open order{whose} to cancel")
    external = sum(order.is_external for order in rows)
    bundles = tuple(dict.fromkeys(order.bundle for order in rows if order.bundle))
    text = f"cancels {len(rows)} orders"
    if external:
        text += f", {external} of them not made here"
    if bundles:
        text += f"; {len(bundles)} bundles lose a working leg"
    return CancelPreview(
        scope=scope,
        name=name,
        hashes=tuple(order.order_hash for order in rows),
        external=external,
        bundles=bundles,
        text=text,
    )


def _is_in(scope: CancelScope, name: str, order: OpenOrder) -> bool:
    if scope is CancelScope.ALL:
        return True
    if scope is CancelScope.MARKET:
        return order.market == name
    if scope is CancelScope.STRATEGY:
        return order.strategy == name and not order.is_external
    return name in (order.cid, order.order_hash)


_REACH = {CancelScope.ALL: Reach.ALL, CancelScope.MARKET: Reach.MARKET}


class Cancels:
    """The CANCELs of one realm."""

    __slots__ = ("_running", "realm")

    def __init__(self, realm: Realm) -> None:
        """Start with none."""
        self.realm = realm
        self._running: dict[str, _Running] = {}

    def begin(
        self, request: str, asked: CancelPreview, standing: Standing, *, at_ns: int, seq: int
    ) -> list[Command]:
        """Send it. `standing` is of the scope: in flight and unknown orders keep it unproven."""
        sweep = Sweep(
            request,
            self.realm,
            _REACH.get(asked.scope, Reach.HASHES),
            targets=asked.hashes,
            market=asked.name if asked.scope is CancelScope.MARKET else "",
        )
        self._make_room()
        self._running[request] = _Running(asked, sweep, at_ns)
        return sweep.begin(standing, at_ns=at_ns, seq=seq)

    def _make_room(self) -> None:
        """Forget the oldest finished one, or else the oldest: its orders are swept anyway."""
        if len(self._running) < KEPT_MAX:
            return
        done = [key for key, run in self._running.items() if run.sweep.verified_ns]
        del self._running[done[0] if done else next(iter(self._running))]

    def on_cancel(self, answer: CancelAnswered, *, at_ns: int, seq: int) -> list[Command]:
        """Take a cancel's answer."""
        commands: list[Command] = []
        for run in self._running.values():
            commands += run.sweep.on_cancel(answer, at_ns=at_ns, seq=seq)
        return commands

    def on_open(self, read: OpenOrdersRead, *, at_ns: int, seq: int) -> list[Command]:
        """Take a read of the open orders; what is proven stays proven."""
        commands: list[Command] = []
        for run in self._running.values():
            if not run.sweep.verified_ns:
                commands += run.sweep.on_open(read, at_ns=at_ns, seq=seq)
        return commands

    def update(self, request: str, standing: Standing, *, at_ns: int) -> None:
        """Take what our own books know of one scope."""
        run = self._running.get(request)
        if run is not None and not run.sweep.verified_ns:
            run.sweep.update(standing, at_ns=at_ns)

    def working(self) -> tuple[tuple[str, CancelPreview], ...]:
        """List those that are not proven yet, for `update`."""
        return tuple(
            (key, run.preview) for key, run in self._running.items() if not run.sweep.verified_ns
        )

    def due(self, *, at_ns: int, seq: int) -> list[Command]:
        """Repeat what is due."""
        commands: list[Command] = []
        for run in self._running.values():
            if not run.sweep.verified_ns:
                commands += run.sweep.due(at_ns=at_ns, seq=seq)
        return commands

    def next_due_ns(self) -> int | None:
        """Return when `due` has something to do, or None."""
        times = [r.sweep.next_due_ns() for r in self._running.values() if not r.sweep.verified_ns]
        return min((t for t in times if t is not None), default=None)

    def receipts(self) -> tuple[CancelReceipt, ...]:
        """Show them, newest first."""
        return tuple(self._receipt(key) for key in reversed(self._running))

    def _receipt(self, request: str) -> CancelReceipt:
        run = self._running[request]
        return CancelReceipt(
            request=request,
            scope=run.preview.scope,
            name=short(run.preview.name),
            at_ns=run.at_ns,
            is_verified=bool(run.sweep.verified_ns),
            left=run.sweep.open_count,
            lines=cancel_lines((run.sweep,), run.at_ns, len(run.preview.hashes)),
        )
