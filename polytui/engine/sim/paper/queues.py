"""Where in the queue a resting order stands: two models, both always run (`replay.md`).

Both are told the same three things: the size displayed when the order joined, each print at its
price, and each change of the displayed size. The averse model moves only by prints; a shrinking
level merely caps what can be ahead. The probabilistic one lets part of a decrease have come from
ahead. What traded since the last change is subtracted first, so that one trade is not counted as a
print and again as a drop of the level: the defect behind most fantasy profit. The venue may also
tell the drop before its print: such a print is replayed before the drop that it explains.

A print moves the strangers ahead of every own order at its price in full, as it did; what is left
of it beyond them goes to own orders in their order of joining, each share once (`lines.py`).
"""

from typing import Final

POWER: Final = 2.0
"""Exponent n of back^n / (back^n + front^n) until it is fitted to own fills."""


class Queue:
    """What both models do alike."""

    __slots__ = ("_undo", "front_u6", "traded_u6")

    def __init__(self, shown_u6: int) -> None:
        """Join behind everything displayed."""
        self.front_u6 = shown_u6
        self.traded_u6 = 0
        """Prints since the last change of the level."""
        self._undo: tuple[int, int, int, int] | None = None
        """(front, traded, was, shown) before a drop that prints had not explained."""

    def on_print(self, qty_u6: int, *, is_late: bool = False) -> int:
        """Take a print at the price; return how much of it went beyond the strangers ahead.

        `is_late`: it may be the trade that the last drop of the level showed already.
        """
        reached_u6 = 0
        if is_late and self._undo is not None:
            front_u6, traded_u6, was_u6, shown_u6 = self._undo
            late_u6 = min(qty_u6, was_u6 - shown_u6 - traded_u6)
            self.front_u6, self.traded_u6 = front_u6, traded_u6
            reached_u6 = self._advance(late_u6)
            self.on_level(was_u6, shown_u6)
            qty_u6 -= late_u6
        if qty_u6 <= 0:
            return reached_u6
        self._undo = None
        return reached_u6 + self._advance(qty_u6)

    def on_level(self, was_u6: int, shown_u6: int) -> None:
        """Take a change of the displayed size."""
        before = (self.front_u6, self.traded_u6, was_u6, shown_u6)
        self._undo = before if was_u6 - shown_u6 > self.traded_u6 else None
        self._change(was_u6, shown_u6)
        self.traded_u6 = 0

    def _advance(self, qty_u6: int) -> int:
        self.traded_u6 += qty_u6
        reached_u6 = max(0, qty_u6 - self.front_u6)
        self.front_u6 = max(0, self.front_u6 - qty_u6)
        return reached_u6

    def _change(self, was_u6: int, shown_u6: int) -> None:
        raise NotImplementedError


class Averse(Queue):
    """Ahead of us is what was there; only prints take it away."""

    __slots__ = ()

    def _change(self, was_u6: int, shown_u6: int) -> None:
        del was_u6
        self.front_u6 = min(self.front_u6, shown_u6)


class Probabilistic(Queue):
    """A decrease that no print explains came from ahead of us with some probability."""

    __slots__ = ()

    def _change(self, was_u6: int, shown_u6: int) -> None:
        gone_u6 = was_u6 - shown_u6 - self.traded_u6
        if gone_u6 < 0:
            self.front_u6 = min(self.front_u6, shown_u6)
            return
        back_u6 = max(0, was_u6 - self.front_u6)
        behind = _share_behind(self.front_u6, back_u6)
        from_front = (1 - behind) * gone_u6 - min(back_u6 - behind * gone_u6, 0.0)
        self.front_u6 = max(0, min(self.front_u6 - int(from_front), shown_u6))


def _share_behind(front_u6: int, back_u6: int) -> float:
    """Guess which share of a decrease was behind us."""
    front, back = float(front_u6) ** POWER, float(back_u6) ** POWER
    return back / (back + front) if back + front else 1.0
