"""Seeded randomness for simulation: splitmix64, stated here so that no library update moves it.

Streams are forked by name, so adding a consumer never shifts the numbers of another.
"""

from hashlib import blake2b
from math import cos, log, pi, sqrt

_MASK = (1 << 64) - 1


class Rng:
    """A small deterministic generator (Steele, Lea, Flood 2014, splitmix64)."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        """Start from any integer."""
        self._state = seed & _MASK

    def fork(self, name: str) -> "Rng":
        """Make an independent stream for a named purpose; does not advance this one."""
        digest = blake2b(f"{self._state}:{name}".encode(), digest_size=8).digest()
        return Rng(int.from_bytes(digest, "big"))

    def next_u64(self) -> int:
        """Return 64 fresh bits."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def below(self, limit: int) -> int:
        """Return an integer in [0, limit), exactly uniform (by rejection)."""
        assert limit > 0, f"expected a positive limit, was {limit}"
        ceiling = (1 << 64) - (1 << 64) % limit
        while (bits := self.next_u64()) >= ceiling:
            pass
        return bits % limit

    def between(self, low: int, high: int) -> int:
        """Return an integer in [low, high], both included."""
        return low + self.below(high - low + 1)

    def unit(self) -> float:
        """Return a float in [0, 1) with 53 random bits."""
        return (self.next_u64() >> 11) / (1 << 53)

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return self.unit() < probability

    def normal(self) -> float:
        """Return a standard normal deviate (Box-Muller, one of the pair)."""
        return sqrt(-2.0 * log(1.0 - self.unit())) * cos(2.0 * pi * self.unit())

    def exponential(self, mean: float) -> float:
        """Return an exponential waiting time with the given mean."""
        return -mean * log(1.0 - self.unit())
