"""Token buckets per signer and the tiers of §3.5: exact, in billionths of a request.

A batch is admitted whole or not at all. Orders and cancels have a bucket each; cancel-all and
cancel-market may cost more than is left (their cost is known afterwards): `charge` goes below zero.
"""

from msgspec import Struct

_E9 = 1_000_000_000

TIERS: dict[str, tuple[int, int]] = {
    "standard": (40, 60),
    "copper": (60, 90),
    "bronze": (80, 120),
    "silver": (200, 300),
    "gold": (400, 600),
    "platinum": (450, 675),
    "diamond": (525, 787),
    "elite": (600, 900),
}
"""Orders per second and burst (§3.5); cancels have twice both."""

CANCEL_FACTOR = 2


class Standing(Struct, frozen=True, kw_only=True):
    """What the `Poly-RateLimit-*` headers say."""

    is_admitted: bool
    remaining: int
    """Whole requests left now, never below 0."""
    reset_ns: int
    """Virtual time at which the bucket is full again."""
    retry_ns: int
    """Virtual time at which the refused cost would be admitted; the present when admitted."""


class Bucket:
    """One token bucket on the virtual clock."""

    __slots__ = ("_at_ns", "_level_e9", "burst", "rate")

    def __init__(self, *, rate: int, burst: int, now_ns: int) -> None:
        """Start full."""
        self.rate = rate
        self.burst = burst
        self._level_e9 = burst * _E9
        self._at_ns = now_ns

    def admit(self, cost: int, now_ns: int) -> Standing:
        """Take `cost` tokens if they are there, else none."""
        self._refill(now_ns)
        is_admitted = cost * _E9 <= self._level_e9
        if is_admitted:
            self._level_e9 -= cost * _E9
        return self._standing(now_ns, is_admitted=is_admitted, cost=cost)

    def charge(self, cost: int, now_ns: int) -> Standing:
        """Take `cost` tokens whether they are there or not."""
        self._refill(now_ns)
        self._level_e9 -= cost * _E9
        return self._standing(now_ns, is_admitted=True, cost=cost)

    def _refill(self, now_ns: int) -> None:
        assert now_ns >= self._at_ns, f"expected time at or after {self._at_ns}, was {now_ns}"
        gained_e9 = (now_ns - self._at_ns) * self.rate
        self._level_e9 = min(self.burst * _E9, self._level_e9 + gained_e9)
        self._at_ns = now_ns

    def _standing(self, now_ns: int, *, is_admitted: bool, cost: int) -> Standing:
        missing_e9 = 0 if is_admitted else cost * _E9 - self._level_e9
        return Standing(
            is_admitted=is_admitted,
            remaining=max(0, self._level_e9 // _E9),
            reset_ns=now_ns + -(-(self.burst * _E9 - self._level_e9) // self.rate),
            retry_ns=now_ns + -(-missing_e9 // self.rate),
        )


class SignerBuckets:
    """The two buckets of one signer."""

    __slots__ = ("cancels", "orders", "tier")

    def __init__(self, *, tier: str, now_ns: int) -> None:
        """Take the figures of a tier of §3.5."""
        rate, burst = TIERS[tier]
        self.tier = tier
        self.orders = Bucket(rate=rate, burst=burst, now_ns=now_ns)
        self.cancels = Bucket(rate=CANCEL_FACTOR * rate, burst=CANCEL_FACTOR * burst, now_ns=now_ns)
