"""What confirmed tokens cost: average cost per token and account, for the Data API's positions."""


class Lot:
    """One account's holding of one token."""

    __slots__ = ("cost_u6", "fees_u6", "qty_u6", "realized_u6")

    def __init__(self) -> None:
        """Hold nothing."""
        self.qty_u6 = 0
        self.cost_u6 = 0
        self.fees_u6 = 0
        self.realized_u6 = 0

    def gain(self, qty_u6: int, cost_u6: int) -> None:
        """Add shares at what was paid for them."""
        self.qty_u6 += qty_u6
        self.cost_u6 += cost_u6

    def lose(self, qty_u6: int, cash_u6: int) -> int:
        """Give shares away for cash; return their cost, rounded to nearest, and book the profit."""
        assert qty_u6 <= self.qty_u6, f"expected at most {self.qty_u6}, was {qty_u6}"
        cost_u6 = (2 * self.cost_u6 * qty_u6 + self.qty_u6) // (2 * self.qty_u6) if qty_u6 else 0
        self.qty_u6 -= qty_u6
        self.cost_u6 -= cost_u6
        self.realized_u6 += cash_u6 - cost_u6
        return cost_u6


def half_u6(amount_u6: int) -> tuple[int, int]:
    """Share an amount between two tokens, the odd micro-unit to the first."""
    return amount_u6 - amount_u6 // 2, amount_u6 // 2
