"""The venue's rate limits as we obey them: a bucket for orders, a bucket for cancels (§3.5).

Buckets refill here at the tier's rate and are corrected downwards by what the venue's headers say,
so that a second process on the same signer, or a limit of another size, is seen. A 429 closes its
own bucket for as long as it says. Orders stop when the cancel bucket nears its reserve (fault B8);
cancels are counted and never held back, except by the venue's own `Retry-After`; CANCEL ALL not
even by that.
"""

from collections.abc import Mapping
from typing import Final

from polytui.engine.core.account_events import BudgetRead
from polytui.engine.core.order_enums import Realm
from polytui.engine.shell.clock import SECOND_NS

TIERS: Final = {
    "standard": (40, 60),
    "copper": (60, 90),
    "bronze": (80, 120),
    "silver": (200, 300),
    "gold": (400, 600),
    "platinum": (450, 675),
    "diamond": (525, 787),
    "elite": (600, 900),
}
"""Orders a second, and at once; cancels have twice as much. Source: §3.5, 2026-11-21."""

CANCEL_FACTOR: Final = 2
RESERVE_MIN: Final = 20
LOW_SHARE: Final = 0.2
"""Below this share of its burst a bucket is low: every move of it is told."""


class Bucket:
    """Tokens that grow back."""

    __slots__ = ("_at_ns", "_tokens", "burst", "closed_until_ns", "rate")

    def __init__(self, *, rate: int, burst: int) -> None:
        """Start full."""
        self.rate = rate
        self.burst = burst
        self._tokens = float(burst)
        self._at_ns = 0
        self.closed_until_ns = 0
        """The venue said when to come back."""

    def left(self, now_ns: int) -> int:
        """Count whole tokens; below zero when more was spent than there was."""
        self._grow(now_ns)
        return int(self._tokens // 1)

    def spend(self, cost: int, now_ns: int) -> None:
        """Take tokens, whether there are any or not."""
        self._grow(now_ns)
        self._tokens -= cost

    def wait_s(self, cost: int, now_ns: int) -> int:
        """Return how long until this cost could be paid, in whole seconds, 0 for now."""
        self._grow(now_ns)
        closed_s = -(-(self.closed_until_ns - now_ns) // SECOND_NS)
        missing = min(cost, self.burst) - self._tokens
        return max(0, closed_s, int(-(-missing // self.rate)) if missing > 0 else 0)

    def correct(self, remaining: int, now_ns: int) -> None:
        """Believe the venue when it counts fewer than we do."""
        self._grow(now_ns)
        self._tokens = min(self._tokens, float(remaining))

    def retier(self, *, rate: int, burst: int) -> None:
        """Take another tier's limits; what was spent stays spent."""
        self._tokens += burst - self.burst
        self.rate, self.burst = rate, burst

    def _grow(self, now_ns: int) -> None:
        if now_ns > self._at_ns:
            grown = (now_ns - self._at_ns) * self.rate / SECOND_NS if self._at_ns else 0.0
            self._tokens = min(float(self.burst), self._tokens + grown)
            self._at_ns = now_ns


class Budgets:
    """Both buckets of one signer."""

    def __init__(self, *, reserve_min: int = RESERVE_MIN) -> None:
        """Start as the lowest tier, which is everybody's until a header says otherwise."""
        rate, burst = TIERS["standard"]
        self.orders = Bucket(rate=rate, burst=burst)
        self.cancels = Bucket(rate=rate * CANCEL_FACTOR, burst=burst * CANCEL_FACTOR)
        self.tier = ""
        self._warning = False
        self._reserve_min = reserve_min
        self._open_orders = 0
        self._told: tuple[int, int, str, bool] | None = None

    @property
    def reserve(self) -> int:
        """Return how many cancels are kept back: a tenth of the open orders, 20 at the least."""
        return max(self._reserve_min, self._open_orders // 10)

    def note_open_orders(self, count: int) -> None:
        """Learn how many orders might have to be cancelled."""
        self._open_orders = count

    def order_wait_s(self, count: int, now_ns: int) -> int:
        """Return how long new orders must wait, in whole seconds; 0: they may go now."""
        wait_s = self.orders.wait_s(count, now_ns)
        reserve = min(self.reserve, self.cancels.burst)
        return max(wait_s, self.cancels.wait_s(reserve, now_ns))

    def cancel_wait_s(self, now_ns: int) -> int:
        """Return for how long the venue told us not to cancel; an empty bucket does not stop us."""
        return max(0, -(-(self.cancels.closed_until_ns - now_ns) // SECOND_NS))

    def heard(
        self, headers: Mapping[str, str], *, status: int, is_cancel: bool, now_ns: int
    ) -> None:
        """Learn from an answer's headers."""
        bucket = self.cancels if is_cancel else self.orders
        tier = headers.get("poly-ratelimit-tier", "").lower()
        if tier in TIERS and tier != self.tier:
            self._retier(tier)
        self._warning = headers.get("poly-ratelimit-warning", "").lower() == "true"
        remaining = headers.get("poly-ratelimit-remaining", "")
        if remaining.isascii() and remaining.isdecimal() and len(remaining) < 8:
            bucket.correct(int(remaining), now_ns)
        if status == 429:
            wait = headers.get("retry-after", "")
            is_number = wait.isascii() and wait.isdecimal() and len(wait) < 5
            wait_s = max(1, int(wait)) if is_number else 1
            bucket.closed_until_ns = max(bucket.closed_until_ns, now_ns + wait_s * SECOND_NS)

    def _retier(self, tier: str) -> None:
        self.tier = tier
        rate, burst = TIERS[tier]
        self.orders.retier(rate=rate, burst=burst)
        self.cancels.retier(rate=rate * CANCEL_FACTOR, burst=burst * CANCEL_FACTOR)

    def news(self, realm: Realm, now_ns: int) -> BudgetRead | None:
        """Return the state of both when it moved by a tenth since last told, or is low."""
        orders, cancels = self.orders.left(now_ns), self.cancels.left(now_ns)
        now = (orders, cancels, self.tier, self._warning)
        if self._told is not None and not self._is_news(now, self._told):
            return None
        self._told = now
        return BudgetRead(
            realm=realm,
            orders_left=max(0, orders),
            orders_burst=self.orders.burst,
            cancels_left=max(0, cancels),
            cancels_burst=self.cancels.burst,
            tier=self.tier,
            warning=self._warning,
        )

    def _is_news(self, now: tuple[int, int, str, bool], told: tuple[int, int, str, bool]) -> bool:
        if now[2:] != told[2:]:
            return True
        pairs = ((now[0], told[0], self.orders.burst), (now[1], told[1], self.cancels.burst))
        return any(
            left != was and (abs(left - was) * 10 >= burst or left < burst * LOW_SHARE)
            for left, was, burst in pairs
        )
