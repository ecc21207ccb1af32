"""Where in the queue a resting order stands: two models, both always run (`replay.md`).

Both are told the same three things: the size displayed when the order joined, each print at its
price, and each change of the displayed size. The averse model moves only by prints; a shrinking
level merely caps what can be ahead. The probabilistic one lets part of a decrease have come from
ahead. What traded since the last change is subtracted first, so that one trade is not counted as a
print and again as a drop of the level: the defect behind most fantasy profit. The averse model's
front is never less than the probabilistic one's, hence its fills are a subset.
"""

from typing import Final

POWER: Final = 2.0
"""Exponent n of back^n / (back^n + front^n) until it is fitted to own fills."""


class Averse:
    """Ahead of us is what was there; only prints take it away."""

    __slots__ = ("front_u6",)

    def __init__(self, shown_u6: int) -> None:
        """Join behind everything displayed."""
        self.front_u6 = shown_u6

    def on_print(self, qty_u6: int) -> int:
        """Take a print at the price; return how much of it reached us."""
        reached_u6 = max(0, qty_u6 - self.front_u6)
        self.front_u6 = max(0, self.front_u6 - qty_u6)
        return reached_u6

    def on_level(self, was_u6: int, shown_u6: int) -> None:
        """Take a change of the displayed size."""
        del was_u6
        self.front_u6 = min(self.front_u6, shown_u6)


class Probabilistic:
    """A decrease that no print explains came from ahead of us with some probability."""

    __slots__ = ("front_u6", "traded_u6")

    def __init__(self, shown_u6: int) -> None:
        """Join behind everything displayed."""
        self.front_u6 = shown_u6
        self.traded_u6 = 0
        """Prints since the last change of the level."""

    def on_print(self, qty_u6: int) -> int:
        """Take a print at the price; return how much of it reached us."""
        self.traded_u6 += qty_u6
        reached_u6 = max(0, qty_u6 - self.front_u6)
        self.front_u6 = max(0, self.front_u6 - qty_u6)
        return reached_u6

    def on_level(self, was_u6: int, shown_u6: int) -> None:
        """Take a change of the displayed size."""
        gone_u6 = was_u6 - shown_u6 - self.traded_u6
        self.traded_u6 = 0
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
