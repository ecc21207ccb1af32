"""The arbiter: which of the strategies' wishes may go on, market by market.

Tier order first, then ownership: one strategy owns a market at a time, keeps it for a while after
its last accepted intent and as long as it has orders there, and only a better tier takes it away.
A refusal is data: reason, limit, value; nothing disappears. The risk veto stands behind this.
"""

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from polytui.engine.core.decision import Decision, Intent
from polytui.engine.core.enums import Reason, Verdict
from polytui.engine.core.runconfig import ArbiterConfig

_MS = 1_000_000
_RECENT_MAX = 4_096
"""Accepted intents remembered for the duplicate check."""


class Lock(Struct, frozen=True):
    """Who owns a market."""

    strategy: str
    tier: int
    until_ns: int


class Refusal(Struct, frozen=True):
    """Why a decision may not go on."""

    reason: Reason
    limit: str
    value: str
    holder: str = ""
    """The strategy whose orders are in the way, where that is why."""


class Arbiter:
    """Owner of the ownership locks."""

    __slots__ = ("_config", "_holder_of", "_recent", "accepted", "locks", "preempted", "refused")

    def __init__(
        self, config: ArbiterConfig, holder_of: Callable[[str], str] = lambda _market: ""
    ) -> None:
        """Start with every market free; `holder_of` names who still has orders in a market."""
        self._config = config
        self._holder_of = holder_of
        self.locks: dict[str, Lock] = {}
        self._recent: dict[tuple[object, ...], int] = {}
        self.accepted = 0
        self.refused = 0
        self.preempted = 0

    def judge(
        self, decisions: list[tuple[int, Decision]], now_ns: int
    ) -> list[tuple[Decision, Refusal | None]]:
        """Judge the decisions of one turn, given as (tier, decision): best tier first.

        Holds pass untouched. An accepted decision keeps the verdict INTENT, a refused one becomes
        REFUSED with the arbiter's reason.
        """
        ranked = sorted(decisions, key=lambda pair: (pair[0], pair[1].strategy, pair[1].market))
        return [self._judge_one(tier, decision, now_ns) for tier, decision in ranked]

    def _judge_one(
        self, tier: int, decision: Decision, now_ns: int
    ) -> tuple[Decision, Refusal | None]:
        if decision.verdict is not Verdict.INTENT:
            return decision, None
        refusal = self._refusal(tier, decision, now_ns)
        if refusal is not None:
            self.refused += 1
            return replace(decision, verdict=Verdict.REFUSED, reason=refusal.reason), refusal
        self._accept(tier, decision, now_ns)
        return decision, None

    def _refusal(self, tier: int, decision: Decision, now_ns: int) -> Refusal | None:
        lock = self.owner(decision.market, now_ns)
        if lock is not None and lock.strategy != decision.strategy and tier >= lock.tier:
            reason = Reason.TIER_PREEMPTED if tier > lock.tier else Reason.NOT_OWNER
            return Refusal(reason, f"{lock.strategy} tier {lock.tier}", f"tier {tier}")
        holder = self._holder_of(decision.market)
        if holder not in ("", decision.strategy):
            limit = f"no orders of {holder}"
            return Refusal(Reason.NOT_OWNER, limit, decision.strategy, holder=holder)
        for intent in decision.intents:
            last_ns = self._recent.get(_same(intent))
            if last_ns is not None and now_ns - last_ns < self._config.duplicate_ms * _MS:
                age_ms = (now_ns - last_ns) // _MS
                limit = f"{self._config.duplicate_ms} ms"
                return Refusal(Reason.DUPLICATE_INTENT, limit, f"{age_ms} ms")
        return None

    def _accept(self, tier: int, decision: Decision, now_ns: int) -> None:
        lock = self.owner(decision.market, now_ns)
        if lock is not None and lock.strategy != decision.strategy:
            self.preempted += 1
        until_ns = now_ns + self._config.lock_ms * _MS
        self.locks[decision.market] = Lock(decision.strategy, tier, until_ns)
        if len(self._recent) + len(decision.intents) > _RECENT_MAX:
            self._forget(now_ns)
        for intent in decision.intents:
            self._recent[_same(intent)] = now_ns
        self.accepted += 1

    def _forget(self, now_ns: int) -> None:
        """Drop what is too old to be a duplicate; if nothing is, drop the oldest half."""
        limit_ns = now_ns - self._config.duplicate_ms * _MS
        kept = {key: at_ns for key, at_ns in self._recent.items() if at_ns > limit_ns}
        if len(kept) > _RECENT_MAX // 2:
            newest = sorted(kept.items(), key=lambda item: item[1])[-_RECENT_MAX // 2 :]
            kept = dict(newest)
        self._recent = kept

    def owner(self, market: str, now_ns: int) -> Lock | None:
        """Return who owns a market now, or None."""
        lock = self.locks.get(market)
        if lock is not None and now_ns >= lock.until_ns:
            del self.locks[market]
            return None
        return lock


def _same(intent: Intent) -> tuple[object, ...]:
    """Make the key under which two intents are the same wish (G19)."""
    where = (intent.strategy, intent.market, intent.token)
    return (*where, intent.side, intent.px_u6, intent.qty_u6)
