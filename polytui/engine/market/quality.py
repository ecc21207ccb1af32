"""May a book be used? A small state machine with evidence on every edge.

EMPTY has no book. SYNCED may be shown to strategies if a digest (or, where digests never verify on
this connection, the best prices) vouches for it. SUSPECT is kept and drawn, but shown to nobody
until a snapshot or an equal digest proves it again. Every edge is counted under its reason.
"""

from collections import Counter
from enum import Enum

from polytui.engine.core.enums import BookState, Proof, Reason
from polytui.engine.core.runconfig import BookConfig


class Evidence(Enum):
    """What happened to a book; the values are the reasons an operator sees."""

    SNAPSHOT = "snapshot"
    DIGEST_EQUAL = "digest_equal"
    DIGEST_MISMATCH = "digest_mismatch"
    TOP_MISMATCH = "top_mismatch"
    CROSSED = "crossed"
    OUT_OF_ORDER = "out_of_order"
    TICK_CHANGED = "tick_changed"
    OFF_GRID = "off_grid"
    WIRE_FAULT = "wire_fault"
    WITNESS_MISMATCH = "witness_mismatch"
    QUEUE_DROP = "queue_drop"
    CONNECTION_LOST = "connection_lost"


_EMPTY, _SYNCED, _SUSPECT = BookState.EMPTY, BookState.SYNCED, BookState.SUSPECT
_DIGEST, _OK = Proof.DIGEST, Reason.OK

_DOUBTS = tuple(
    e
    for e in Evidence
    if e not in (Evidence.SNAPSHOT, Evidence.DIGEST_EQUAL, Evidence.CONNECTION_LOST)
)

NEXT: dict[tuple[BookState, Evidence], BookState] = {
    (_EMPTY, Evidence.SNAPSHOT): _SYNCED,
    (_SYNCED, Evidence.SNAPSHOT): _SYNCED,
    (_SUSPECT, Evidence.SNAPSHOT): _SYNCED,
    (_SYNCED, Evidence.DIGEST_EQUAL): _SYNCED,
    (_SUSPECT, Evidence.DIGEST_EQUAL): _SYNCED,
    **{(state, Evidence.CONNECTION_LOST): _EMPTY for state in BookState},
    **{(_EMPTY, doubt): _EMPTY for doubt in _DOUBTS},
    **{(_SYNCED, doubt): _SUSPECT for doubt in _DOUBTS},
    **{(_SUSPECT, doubt): _SUSPECT for doubt in _DOUBTS},
}
"""The whole machine. A missing pair (a digest of a book we do not have) is our bug."""


class Quality:
    """State, proof and counters of one book."""

    __slots__ = (
        "_config",
        "bad",
        "doubts",
        "epoch",
        "has_verified",
        "is_observed",
        "misses",
        "ok",
        "proof",
        "reason",
        "recovered",
        "since_ns",
        "state",
        "streak",
    )

    def __init__(self, config: BookConfig) -> None:
        """Start EMPTY: nothing is known."""
        self._config = config
        self.state = BookState.EMPTY
        self.proof = Proof.NONE
        self.reason = Reason.NO_SNAPSHOT
        self.since_ns = 0
        self.epoch = 0
        """Grows at each lost connection and tick change: older knowledge is void."""
        self.ok = 0
        """Digests equal with the last trade price we had."""
        self.recovered = 0
        """Digests equal after finding the last trade price."""
        self.bad = 0
        """Digests that no last trade price explains."""
        self.streak = 0
        """Equal digests in a row on this connection."""
        self.misses = 0
        """Mismatches on this connection while nothing has ever verified."""
        self.has_verified = False
        """True once a digest was equal on this connection: the routine holds for this market."""
        self.is_observed = False
        """The present doubt is a digest mismatch from before digests gate: observed, and given
        more time to heal before a fresh snapshot is asked for."""
        self.doubts: Counter[Evidence] = Counter()

    @property
    def is_gating(self) -> bool:
        """Tell whether a mismatch forces a resync, or is only observed so far."""
        return self.streak >= self._config.digest_gate_after

    def take(self, evidence: Evidence, at_ns: int) -> None:
        """Move along the table; an illegal pair raises and changes nothing."""
        state = NEXT[self.state, evidence]
        if evidence in (Evidence.SNAPSHOT, Evidence.DIGEST_EQUAL):
            reason = Reason.OK
        else:
            self.doubts[evidence] += 1
            self.is_observed = False
            reason = Reason(evidence.value)
            self.proof = Proof.NONE
        if state is not self.state:
            self.state = state
            self.since_ns = at_ns
            self.reason = reason
        elif state is BookState.SYNCED:
            self.reason = reason

    def connect_lost(self, at_ns: int) -> None:
        """Void everything that this connection vouched for."""
        self.take(Evidence.CONNECTION_LOST, at_ns)
        self.reason = Reason.CONNECTION_LOST
        self.epoch += 1
        self.streak = 0
        self.misses = 0
        self.has_verified = False

    def digest_equal(self, at_ns: int, *, recovered: bool) -> None:
        """Count an equal digest: the book is exact at every level."""
        if recovered:
            self.recovered += 1
        else:
            self.ok += 1
        self.streak += 1
        self.has_verified = True
        self.proof = _DIGEST
        if self.state is not _SYNCED or self.reason is not _OK:
            self.take(Evidence.DIGEST_EQUAL, at_ns)

    def digest_missed(self, at_ns: int) -> None:
        """Count a digest that nothing explains.

        A market whose digests verified before on this connection becomes SUSPECT. One in which
        nothing ever verified stays unproven, and after `digest_give_up_after` misses falls back
        to the best prices, which the screen says.
        """
        self.bad += 1
        was_gating = self.is_gating
        self.streak = 0
        if self.has_verified:
            may_wait = self.is_observed or self.state is BookState.SYNCED
            self.take(Evidence.DIGEST_MISMATCH, at_ns)
            self.is_observed = may_wait and not was_gating
            return
        self.misses += 1
        gave_up = self.misses >= self._config.digest_give_up_after
        self.proof = Proof.TOP if gave_up else Proof.NONE
        if self.state is BookState.SYNCED:
            self.reason = Reason.OK if gave_up else Reason.DIGEST_MISMATCH

    def blocked(self) -> Reason | None:
        """Say why strategies may not see this book, or None."""
        if self.state is not BookState.SYNCED:
            return self.reason
        if self.proof is Proof.PENDING:
            return Reason.GROUP_OPEN
        if self.proof is Proof.NONE:
            return self.reason if self.reason is not Reason.OK else Reason.BOOK_UNPROVEN
        return None
