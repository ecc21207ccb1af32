"""What is under way between match and money, and where the venue's word differs from our books.

A difference is a row with both numbers and a name; nothing here changes a book. The venue's balance
of an asset still contains what is matched and not settled, so it is compared with `confirmed`. A
balance is not judged while trades of the asset have just moved; and one that some subset of the
fills under way would explain is not a difference yet: the chain may be ahead of the stream.
"""

from collections import deque
from collections.abc import Iterable

from msgspec import Struct

from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import Anomaly
from polytui.engine.core.trading import CASH, FillChange
from polytui.engine.core.units import text_u6
from polytui.engine.portfolio.ledger import effects

DONE_MAX = 65_536
"""Ended fills remembered, so that a second telling is harmless; the trades keep their own."""

SUBSETS_MAX = 4_096
"""Different balances that fills under way may explain; beyond it, everything between counts."""


class Difference(Struct, frozen=True, kw_only=True, gc=False):
    """One line of the difference report."""

    anomaly: Anomaly
    subject: str
    """An asset, an order's key, or a trade's reference."""
    ours_u6: int
    theirs_u6: int
    detail: str = ""

    @property
    def missing_u6(self) -> int:
        """What would have to be added to ours: the amount of an adjustment."""
        return self.theirs_u6 - self.ours_u6


def ref_of(change: FillChange) -> str:
    """Name a trade of an order: the venue's trade id and our order's hash."""
    return f"{change.trade_id}/{change.order_hash}"


class Pending(Struct, frozen=True, gc=False):
    """A fill that is not final."""

    change: FillChange
    """First sighting: nothing of it ever changes."""
    group: str


class Settlement:
    """Fills on their way, and how the last ones ended."""

    __slots__ = ("_done", "_ends", "faults", "pending")

    def __init__(self) -> None:
        """Wait for nothing."""
        self.pending: dict[str, Pending] = {}
        """By reference, oldest first."""
        self.faults: dict[str, Pending] = {}
        """Fills whose two ends contradict each other: a person decides."""
        self._done: dict[str, bool] = {}
        """Reference to whether it was promoted; the oldest are forgotten."""
        self._ends: deque[bool] = deque(maxlen=1_000)
        """The last ends: True where it failed."""

    def begin(self, change: FillChange, group: str) -> None:
        """Take a new fill under way."""
        self.pending[ref_of(change)] = Pending(change, group)

    def knows(self, ref: str) -> bool:
        """Tell whether a fill began before."""
        return ref in self.pending or self.has_ended(ref)

    def end(self, ref: str, *, promoted: bool) -> Pending | None:
        """Let a fill reach its end; None when it is not under way."""
        pending = self.pending.pop(ref, None)
        if pending is not None:
            self._done[ref] = promoted
            self._ends.append(not promoted)
            if len(self._done) > DONE_MAX:
                del self._done[next(iter(self._done))]
        return pending

    def contradict(self, change: FillChange, group: str) -> bool | None:
        """Set a fill with two contradicting ends aside; return whether the first was a promotion.

        None: it is set aside already.
        """
        ref = ref_of(change)
        if ref in self.faults:
            return None
        assert ref not in self.pending, f"expected an end before its contradiction, was {ref}"
        self.faults[ref] = Pending(change, group)
        return self._done.get(ref, False)

    def has_ended(self, ref: str) -> bool:
        """Tell whether a fill ended before, one way or both."""
        return ref in self._done or ref in self.faults

    def failed_share(self, window: int) -> tuple[int, int]:
        """Return (failed, ended) of the last fills, at most `window` of them."""
        last = list(self._ends)[-window:]
        return sum(last), len(last)

    def oldest_ns(self) -> int:
        """Return when the oldest fill under way was first seen; 0: there is none."""
        return min((one.change.at_ns for one in self.pending.values()), default=0)

    def ages(self, at_ns: int) -> list[tuple[str, int]]:
        """List (reference, age) of fills under way, oldest first."""
        aged = [(ref, at_ns - one.change.at_ns) for ref, one in self.pending.items()]
        return sorted(aged, key=lambda row: (-row[1], row[0]))

    def stalled(self, at_ns: int, after_ns: int) -> list[Difference]:
        """List fills that have been under way for too long, oldest first."""
        return [
            Difference(
                anomaly=Anomaly.SETTLEMENT_STALLED,
                subject=ref,
                ours_u6=self.pending[ref].change.qty_u6,
                theirs_u6=0,
                detail=f"not final after {age_ns // 1_000_000_000} s",
            )
            for ref, age_ns in self.ages(at_ns)
            if age_ns >= after_ns
        ]

    def contradictions(self) -> list[Difference]:
        """List fills with two contradicting ends."""
        return [
            Difference(
                anomaly=Anomaly.SETTLEMENT_FAULT,
                subject=ref,
                ours_u6=one.change.qty_u6 if self._done.get(ref) else 0,
                theirs_u6=0 if self._done.get(ref) else one.change.qty_u6,
                detail="confirmed and failed",
            )
            for ref, one in sorted(self.faults.items())
        ]

    def at_risk_u6(self) -> int:
        """Return cash paid or due in fills under way."""
        return sum(abs(effects(one.change)[0][1]) for one in self.pending.values())

    def steps_of(self, asset: str) -> list[int]:
        """List what each fill under way, or in contradiction, would do to an asset's balance."""
        found: list[int] = []
        for one in self.pending.values():
            found += [u6 for what, u6 in effects(one.change) if what == asset]
        for ref, one in self.faults.items():
            sign = -1 if self._done.get(ref) else 1
            found += [sign * u6 for what, u6 in effects(one.change) if what == asset]
        return found


def is_explained(missing_u6: int, steps: Iterable[int]) -> bool:
    """Tell whether some of the steps, done already by the chain, make up the difference."""
    listed = list(steps)
    sums = {0}
    for step in listed:
        sums |= {one + step for one in sums}
        if len(sums) > SUBSETS_MAX:
            low = sum(one for one in listed if one < 0)
            return low <= missing_u6 <= sum(one for one in listed if one > 0)
    return missing_u6 in sums


def mismatch(asset: str, ours_u6: int, theirs_u6: int, source: str) -> Difference:
    """Name a difference of one asset."""
    return Difference(
        anomaly=Anomaly.CASH_MISMATCH if asset == CASH else Anomaly.POSITION_MISMATCH,
        subject=asset,
        ours_u6=ours_u6,
        theirs_u6=theirs_u6,
        detail=f"{source} differs by {text_u6(theirs_u6 - ours_u6)}",
    )


def phantom_lock(asset: str, *, needed_u6: int, ours_u6: int) -> Difference | None:
    """Judge a refusal for want of balance (`venue/polymarket.md` §10, "phantom balance lock").

    Enough was free by our books, after reservations and what fills under way owe: the venue locks
    more than it should. None: the refusal is right.
    """
    if ours_u6 < needed_u6:
        return None
    return Difference(
        anomaly=Anomaly.PHANTOM_LOCK,
        subject=asset,
        ours_u6=ours_u6,
        theirs_u6=0,
        detail=f"refused {text_u6(needed_u6)} although free",
    )


def orphan(key: str, side: Side, amount_u6: int) -> Difference:
    """Name a reservation whose order is over."""
    return Difference(
        anomaly=Anomaly.ORPHANED_RESERVATION,
        subject=key,
        ours_u6=amount_u6,
        theirs_u6=0,
        detail="cash reserved" if side is Side.BUY else "tokens reserved",
    )
