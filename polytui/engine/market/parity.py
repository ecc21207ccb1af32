"""How faithfully the two tokens of a market mirror each other, as a share of recent time.

The venue states best prices of both tokens; `ask_NO = 1 - bid_YES` within one tick must hold
(`quant.md` §1.2). The box strategy asks for the share of the last minute in which it did.
"""

from collections import deque

_SPANS_MAX = 1_024
"""Broken spans remembered; more within one window and the share is 0 anyway."""


class ParityClock:
    """Measures the share of a sliding window in which a condition held."""

    __slots__ = ("_broken_since_ns", "_spans", "_started_ns", "_window_ns", "breaks")

    def __init__(self, window_s: int) -> None:
        """Start unobserved: the share is 0 until something was observed."""
        self._window_ns = window_s * 1_000_000_000
        self._spans: deque[tuple[int, int]] = deque(maxlen=_SPANS_MAX)
        self._broken_since_ns: int | None = None
        self._started_ns: int | None = None
        self.breaks = 0

    def observe(self, at_ns: int, *, holds: bool) -> None:
        """Note whether the mirror held at this moment; it is taken to last until the next."""
        if self._started_ns is None:
            self._started_ns = at_ns
        if holds and self._broken_since_ns is not None:
            self._spans.append((self._broken_since_ns, at_ns))
            self._broken_since_ns = None
        elif not holds and self._broken_since_ns is None:
            self._broken_since_ns = at_ns
            self.breaks += 1

    def share(self, now_ns: int) -> float:
        """Return the share of the observed window in which the mirror held, 0 … 1."""
        if self._started_ns is None:
            return 0.0
        if self._broken_since_ns is None and not self._spans:
            return 1.0
        start_ns = max(self._started_ns, now_ns - self._window_ns)
        while self._spans and self._spans[0][1] <= start_ns:
            self._spans.popleft()
        broken_ns = sum(end - max(begin, start_ns) for begin, end in self._spans)
        if self._broken_since_ns is not None:
            broken_ns += now_ns - max(self._broken_since_ns, start_ns)
        observed_ns = now_ns - start_ns
        if observed_ns <= 0:
            return 0.0 if self._broken_since_ns is not None else 1.0
        return 1.0 - broken_ns / observed_ns

    def reset(self) -> None:
        """Forget: the connection is new."""
        self._spans.clear()
        self._broken_since_ns = None
        self._started_ns = None
