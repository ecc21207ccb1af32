"""What everything is compared with: `json.loads` and one sorted dict per side of each token.

The obvious way to keep these books in Python: float prices and sizes, no digests, no checks.
"""

import json
from typing import Any

from sortedcontainers import SortedDict


class PlainBooks:
    """The books of all tokens, from messages alone."""

    def __init__(self) -> None:
        """Start with no books."""
        self.books: dict[str, tuple[Any, Any]] = {}
        """Bids and asks of each token, size by price."""

    def take(self, data: bytes) -> None:
        """Take one message; kinds without levels change nothing."""
        message = json.loads(data)
        for part in message if isinstance(message, list) else (message,):
            kind = part["event_type"]
            if kind == "price_change":
                for change in part["price_changes"]:
                    self._set(change)
            elif kind == "book":
                self.books[part["asset_id"]] = (_side(part["bids"]), _side(part["asks"]))

    def _set(self, change: dict[str, str]) -> None:
        bids, asks = self.books[change["asset_id"]]
        side = bids if change["side"] == "BUY" else asks
        price, size = float(change["price"]), float(change["size"])
        if size:
            side[price] = size
        else:
            side.pop(price, None)

    def best(self, token: str) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
        """Return (price, size) of the best bid and of the best ask, None where there is none."""
        bids, asks = self.books[token]
        return (bids.peekitem(-1) if bids else None), (asks.peekitem(0) if asks else None)


def _side(levels: list[dict[str, str]]) -> Any:
    return SortedDict({float(level["price"]): float(level["size"]) for level in levels})
