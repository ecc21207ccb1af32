"""What was decided: a running digest of everything, folds of the many, singles of the few.

Every decision enters the digest. Holds and blocks are folded per strategy, market and reason with
count and nearest miss; intents, refusals and changes of reason are kept one by one.
"""

from collections import Counter, deque
from hashlib import blake2b

import msgspec

from polytui.engine.core.decision import Decision
from polytui.engine.core.enums import Reason, Verdict

RECENT_MAX = 200
"""Single decisions kept for the screen; the log has all."""
FOLDS_MAX = 20_000
"""Folded rows kept; at the limit the one silent longest goes."""

FoldKey = tuple[str, str, Reason]


class Fold:
    """Decisions of one strategy on one market for one reason."""

    __slots__ = ("best", "count", "first_ns", "last")

    def __init__(self, decision: Decision) -> None:
        """Begin with the first."""
        self.count = 0
        self.first_ns = decision.at_ns
        self.last = decision
        self.best = decision
        """The one with the largest margin: the nearest miss."""


class DecisionRecord:
    """All decisions of a run, bounded."""

    __slots__ = ("_encode", "_hash", "_others", "folds", "holds", "latest", "recent", "total")

    def __init__(self) -> None:
        """Start empty."""
        self._encode = msgspec.msgpack.Encoder().encode
        self._hash = blake2b(digest_size=16)
        self.folds: dict[FoldKey, Fold] = {}
        self.latest: dict[tuple[str, str], Fold] = {}
        """The fold of the latest decision of each (strategy, market)."""
        self.recent: deque[Decision] = deque(maxlen=RECENT_MAX)
        self.holds = 0
        self._others: Counter[Verdict] = Counter()
        self.total = 0

    def note(self, decision: Decision) -> bool:
        """Take one decision; tell whether it is news and belongs in the log by itself."""
        self._hash.update(self._encode(decision))
        self.total += 1
        who = (decision.strategy, decision.market)
        fold = self.latest.get(who)
        same = fold is not None and fold.last.reason is decision.reason
        if fold is None or not same:
            fold = self.latest[who] = self._fold(decision)
        fold.count += 1
        fold.last = decision
        if decision.margin_u6 > fold.best.margin_u6:
            fold.best = decision
        if same and decision.verdict is Verdict.HOLD:
            self.holds += 1
            return False
        return self._note_rare(decision, same=same)

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
                del self.folds[min(self.folds, key=lambda k: self.folds[k].last.at_ns)]
            fold = self.folds[key] = Fold(decision)
        return fold

    @property
    def by_verdict(self) -> Counter[Verdict]:
        """Count all decisions by verdict."""
        return Counter({Verdict.HOLD: self.holds, **self._others})

    def last(self, strategy: str, market: str) -> Decision | None:
        """Return the latest decision of a strategy about a market, or None."""
        fold = self.latest.get((strategy, market))
        return None if fold is None else fold.last

    def digest(self) -> str:
        """Return the digest over all decisions so far, in order."""
        return self._hash.copy().hexdigest()
