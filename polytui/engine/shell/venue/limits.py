"""Who may ask how often: token buckets per signer, ten-second windows per group of paths.

Both are told the time. Source: docs.polymarket.com api-reference/rate-limits (2026-11-21), as
`venue/polymarket.md` §3.5 has it.
"""

from typing import Final

from msgspec import Struct

SECOND_NS: Final = 1_000_000_000

TIERS: Final = {
    "STANDARD": (40, 60),
    "COPPER": (60, 90),
    "BRONZE": (80, 120),
    "SILVER": (200, 300),
    "GOLD": (400, 600),
    "PLATINUM": (450, 675),
    "DIAMOND": (525, 787),
    "ELITE": (600, 900),
}
"""Orders a second and at once; cancels have twice as much, in a bucket of their own."""

WINDOW_NS: Final = 10 * SECOND_NS
PATH_LIMITS: Final = {
    "/book": 1_500,
    "/price": 1_500,
    "/midpoint": 1_500,
    "/books": 500,
    "/prices": 500,
    "/midpoints": 500,
    "/data/orders": 500,
    "/data/trades": 500,
    "/balance-allowance": 200,
    "/balance-allowance/update": 50,
    "/auth/api-key": 100,
    "/order": 5_000,
    "/orders": 2_000,
    "/cancel-all": 250,
    "/cancel-market-orders": 1_500,
    "/gamma/markets": 300,
    "/gamma/events": 500,
    "/data-api/v2/trades": 200,
    "/data-api/v2/positions": 150,
}
"""Requests in ten seconds from one address; here the whole machine is one address."""
ALL_PATHS_MAX: Final = 9_000


class Grant(Struct, frozen=True, kw_only=True):
    """A bucket's answer."""

    allowed: bool
    remaining: int
    reset_s: int
    """Until the bucket is full again."""
    wait_s: int
    """Until this request would have been allowed; 0 when it was."""

    def headers(self, tier: str) -> dict[str, str]:
        """Write what the venue tells with every order and cancel."""
        found = {
            "Poly-RateLimit-Remaining": str(self.remaining),
            "Poly-RateLimit-Reset": str(self.reset_s),
            "Poly-RateLimit-Tier": tier.lower(),
        }
        return found if self.allowed else {**found, "Poly-RateLimit-Warning": "true"}


class Bucket:
    """Tokens that grow back; a cost is paid whole or not at all."""

    __slots__ = ("_at_ns", "_tokens")

    def __init__(self) -> None:
        """Start full, whatever the first rate is."""
        self._tokens: float | None = None
        self._at_ns = 0

    def take(self, cost: int, *, rate: int, burst: int, now_ns: int) -> Grant:
        """Pay, or learn how long it would take."""
        grown = (now_ns - self._at_ns) * rate / SECOND_NS
        tokens = float(burst) if self._tokens is None else min(float(burst), self._tokens + grown)
        self._at_ns = now_ns
        allowed = tokens >= cost
        self._tokens = tokens - cost if allowed else tokens
        missing = 0.0 if allowed else (min(cost, burst) - tokens) / rate
        return Grant(
            allowed=allowed,
            remaining=int(self._tokens),
            reset_s=int(-(-(burst - self._tokens) // rate)),
            wait_s=0 if allowed else max(1, int(-(-missing // 1))),
        )


class SignerLimits:
    """The order bucket and the cancel bucket of every signer."""

    def __init__(self) -> None:
        """Start with nobody known."""
        self._buckets: dict[tuple[str, bool], Bucket] = {}

    def take(self, signer: str, cost: int, *, is_cancel: bool, tier: str, now_ns: int) -> Grant:
        """Pay for orders or cancels."""
        rate, burst = TIERS[tier]
        factor = 2 if is_cancel else 1
        bucket = self._buckets.setdefault((signer, is_cancel), Bucket())
        return bucket.take(cost, rate=rate * factor, burst=burst * factor, now_ns=now_ns)


class PathLimits:
    """Counts of the running ten seconds."""

    def __init__(self) -> None:
        """Start at nothing."""
        self._window = -1
        self._counts: dict[str, int] = {}

    def allows(self, path: str, now_ns: int) -> bool:
        """Count a request and judge it."""
        window = now_ns // WINDOW_NS
        if window != self._window:
            self._window = window
            self._counts.clear()
        for name, limit in (("", ALL_PATHS_MAX), (path, PATH_LIMITS.get(path, ALL_PATHS_MAX))):
            self._counts[name] = self._counts.get(name, 0) + 1
            if self._counts[name] > limit:
                return False
        return True
