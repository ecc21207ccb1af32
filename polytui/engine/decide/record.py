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

    __slots__ = ("_encode", "_hash", "by_verdict", "folds", "last", "recent", "total")

    def __init__(self) -> None:
        """Start empty."""
        self._encode = msgspec.msgpack.Encoder().encode
        self._hash = blake2b(digest_size=16)
        self.folds: dict[FoldKey, Fold] = {}
        self.last: dict[tuple[str, str], Decision] = {}
        """Latest decision of each (strategy, market)."""
        self.recent: deque[Decision] = deque(maxlen=RECENT_MAX)
        self.by_verdict: Counter[Verdict] = Counter()
        self.total = 0

    def note(self, decision: Decision) -> bool:
        """Take one decision; tell whether it is news and belongs in the log by itself."""
        self._hash.update(self._encode(decision))
        self.total += 1
        self.by_verdict[decision.verdict] += 1
        who = (decision.strategy, decision.market)
        before = self.last.get(who)
        self.last[who] = decision
        self._fold(decision)
        acts = decision.verdict in (Verdict.INTENT, Verdict.REFUSED)
        news = acts or before is None or before.reason is not decision.reason
        if news:
            self.recent.append(decision)
        return news

    def _fold(self, decision: Decision) -> None:
        key = (decision.strategy, decision.market, decision.reason)
        fold = self.folds.get(key)
        if fold is None:
            if len(self.folds) >= FOLDS_MAX:
                del self.folds[min(self.folds, key=lambda k: self.folds[k].last.at_ns)]
            fold = self.folds[key] = Fold(decision)
        fold.count += 1
        fold.last = decision
        if decision.margin_u6 > fold.best.margin_u6:
            fold.best = decision

    def digest(self) -> str:
        """Return the digest over all decisions so far, in order."""
        return self._hash.copy().hexdigest()
