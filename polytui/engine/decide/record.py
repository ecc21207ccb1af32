"""What was decided: a running digest of everything, folds of the many, singles of the few.

Every decision enters the digest. Holds and blocks are folded per strategy, market and reason with
count and nearest miss; intents, refusals and changes of reason are kept one by one.

A hold whose reason did not change enters the digest as four numbers (fold, snapshot, score,
threshold), everything else whole. A look that the engine knows must end like the one before
(`again`) enters it the same way: whether the strategy was asked once more cannot be told from the
digest, and need not be (docs/adr/0006).
"""

from array import array
from collections import Counter, deque
from hashlib import blake2b

import msgspec
from msgspec.structs import replace

from polytui.engine.core.decision import Decision
from polytui.engine.core.enums import Reason, Verdict

RECENT_MAX = 200
"""Single decisions kept for the screen; the log has all."""
FOLDS_MAX = 20_000
"""Folded rows kept; at the limit the one silent longest goes."""
_PENDING_MAX = 4_096
"""Numbers gathered before they are hashed together."""

FoldKey = tuple[str, str, Reason]


class Fold:
    """Decisions of one strategy on one market for one reason."""

    __slots__ = ("_last", "best", "count", "first_ns", "number", "seen_ns", "seen_seq")

    def __init__(self, decision: Decision, number: int) -> None:
        """Begin with the first; `number` counts folds in the order in which they came up."""
        self.count = 0
        self.first_ns = decision.at_ns
        self.number = number
        self.best = decision
        """The one with the largest margin: the nearest miss."""
        self._last = decision
        self.seen_seq = decision.snapshot
        """Snapshot and time of the latest look, asked or not."""
        self.seen_ns = decision.at_ns

    @property
    def last(self) -> Decision:
        """Return the latest decision; one made without asking is written down when read."""
        if self._last.snapshot != self.seen_seq:
            self._last = replace(self._last, snapshot=self.seen_seq, at_ns=self.seen_ns)
        return self._last

    def numbers(self, seq: int) -> tuple[int, int, int, int]:
        """Return what stands in the digest for the latest decision made on snapshot `seq`."""
        last = self._last
        return self.number, seq, last.score_u6, last.threshold_u6

    def take(self, decision: Decision) -> None:
        """Count one decision."""
        self.count += 1
        self._last = decision
        self.seen_seq = decision.snapshot
        self.seen_ns = decision.at_ns
        if decision.margin_u6 > self.best.margin_u6:
            self.best = decision

    def is_same_hold(self, decision: Decision) -> bool:
        """Tell whether a decision differs from the latest in numbers only, and both are holds."""
        last = self._last
        return (
            decision.reason is last.reason
            and decision.verdict is last.verdict is Verdict.HOLD
            and decision.unit is last.unit
            and decision.family is last.family
            and not decision.intents
        )


class DecisionRecord:
    """All decisions of a run, bounded."""

    __slots__ = (
        "_encode",
        "_folded",
        "_hash",
        "_others",
        "_past",
        "_pending",
        "folds",
        "holds",
        "latest",
        "recent",
        "total",
    )

    def __init__(self) -> None:
        """Start empty."""
        self._encode = msgspec.msgpack.Encoder().encode
        self._hash = blake2b(digest_size=16)
        self._pending: list[int] = []
        """Numbers of same holds not hashed yet."""
        self.folds: dict[FoldKey, Fold] = {}
        self._past: dict[str, tuple[int, int]] = {}
        """Decisions and intents in dropped folds, by strategy."""
        self._folded = 0
        """Folds ever begun."""
        self.latest: dict[tuple[str, str], Fold] = {}
        """The fold of the latest decision of each (strategy, market)."""
        self.recent: deque[Decision] = deque(maxlen=RECENT_MAX)
        self.holds = 0
        self._others: Counter[Verdict] = Counter()
        self.total = 0

    def note(self, decision: Decision) -> bool:
        """Take one decision; tell whether it is news and belongs in the log by itself."""
        who = (decision.strategy, decision.market)
        fold = self.latest.get(who)
        if fold is not None and fold.is_same_hold(decision):
            fold.take(decision)
            self._count_hold(fold, decision.snapshot)
            return False
        self._flush()
        self._hash.update(self._encode(decision))
        self.total += 1
        same = fold is not None and fold.last.reason is decision.reason
        if fold is None or not same:
            fold = self.latest[who] = self._fold(decision)
        fold.take(decision)
        return self._note_rare(decision, same=same)

    def again(self, fold: Fold, *, seq: int, at_ns: int) -> None:
        """Take the latest decision of a fold once more: a hold that nothing could have changed."""
        fold.count += 1
        fold.seen_seq = seq
        fold.seen_ns = at_ns
        self._count_hold(fold, seq)

    def _count_hold(self, fold: Fold, seq: int) -> None:
        self.total += 1
        self.holds += 1
        pending = self._pending
        pending += fold.numbers(seq)
        if len(pending) >= _PENDING_MAX:
            self._flush()

    def _flush(self) -> None:
        """Hash the numbers that wait; when that happens makes no difference to the digest."""
        if self._pending:
            self._hash.update(_packed(self._pending))
            self._pending.clear()

    def _note_rare(self, decision: Decision, *, same: bool) -> bool:
        if decision.verdict is Verdict.HOLD:
            self.holds += 1
        else:
            self._others[decision.verdict] += 1
        news = not same or decision.verdict in (Verdict.INTENT, Verdict.REFUSED)
        if news:
            self.recent.append(decision)
        return news

    def _fold(self, decision: Decision) -> Fold:
        """Find or begin the fold of a strategy, market and reason."""
        key = (decision.strategy, decision.market, decision.reason)
        fold = self.folds.get(key)
        if fold is None:
            if len(self.folds) >= FOLDS_MAX:
                self._drop(min(self.folds, key=lambda k: self.folds[k].last.at_ns))
            fold = self.folds[key] = Fold(decision, self._folded)
            self._folded += 1
        return fold

    def forget(self, market: str) -> None:
        """Drop the folds of a market that is let go; they stay counted, and the store has all."""
        for key in [key for key in self.folds if key[1] == market]:
            self._drop(key)
            self.latest.pop((key[0], market), None)

    def _drop(self, key: FoldKey) -> None:
        fold = self.folds.pop(key)
        decisions, intents = self._past.get(key[0], (0, 0))
        if fold.last.verdict is Verdict.INTENT:
            intents += fold.count
        self._past[key[0]] = (decisions + fold.count, intents)

    @property
    def by_verdict(self) -> Counter[Verdict]:
        """Count all decisions by verdict."""
        return Counter({Verdict.HOLD: self.holds, **self._others})

    def last(self, strategy: str, market: str) -> Decision | None:
        """Return the latest decision of a strategy about a market, or None."""
        fold = self.latest.get((strategy, market))
        return None if fold is None else fold.last

    def of(self, strategy: str) -> tuple[int, int]:
        """Count a strategy's decisions and its intents, those of dropped folds included."""
        decisions, intents = self._past.get(strategy, (0, 0))
        mine = [fold for (name, _, _), fold in self.folds.items() if name == strategy]
        intents += sum(fold.count for fold in mine if fold.last.verdict is Verdict.INTENT)
        return decisions + sum(fold.count for fold in mine), intents

    def digest(self) -> str:
        """Return the digest over all decisions so far, in order."""
        whole = self._hash.copy()
        whole.update(_packed(self._pending))
        return whole.hexdigest()


def _packed(numbers: list[int]) -> "array[int]":
    """Lay numbers out as 64 bits each, little-endian as every machine we run on."""
    return array("q", numbers)
