"""The paper account: cash and tokens that do not exist, kept like those that do."""

from polytui.engine.core.trading import CASH


class Purse:
    """Confirmed balances, what open orders reserve, and what unsettled trades owe."""

    __slots__ = ("balances", "owed", "reserved")

    def __init__(self, cash_u6: int) -> None:
        """Start with cash."""
        self.balances: dict[str, int] = {CASH: cash_u6}
        self.reserved: dict[str, int] = {}
        self.owed: dict[str, int] = {}

    def free_u6(self, asset: str) -> int:
        """Return what a new order may use."""
        taken = self.reserved.get(asset, 0) + self.owed.get(asset, 0)
        return self.balances.get(asset, 0) - taken

    def unowed_u6(self, asset: str) -> int:
        """Return what no unsettled trade will take."""
        return self.balances.get(asset, 0) - self.owed.get(asset, 0)

    def reserve(self, asset: str, amount_u6: int) -> None:
        """Set aside, or with a negative amount release."""
        _add(self.reserved, asset, amount_u6)

    def owe(self, asset: str, amount_u6: int) -> None:
        """Owe for a match until it settles, or with a negative amount no longer."""
        _add(self.owed, asset, amount_u6)

    def move(self, asset: str, amount_u6: int) -> None:
        """Let an asset come or go for good."""
        _add(self.balances, asset, amount_u6)


def _add(rows: dict[str, int], asset: str, amount_u6: int) -> None:
    total = rows.get(asset, 0) + amount_u6
    if total:
        rows[asset] = total
    else:
        rows.pop(asset, None)
