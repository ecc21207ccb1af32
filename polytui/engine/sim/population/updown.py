"""The chance that a later average price is not below an earlier one (`quant.md` §6.1-§6.2).

An up/down market settles on two averages of the reference price over `LOOKBACK_S`, one at each end
of its window; a tie is Up. While neither, one or both averages are partly known, their difference
is normal with the mean and variance below. Pure closed forms; continuous where they meet.
"""

from math import erf, sqrt

WINDOW_S = 300
"""Length of a window; windows are aligned to it (`venue/polymarket.md` §9)."""
LOOKBACK_S = 60
"""Both ends are averages over this many seconds (`quant.md` §6.1, since 2026-08-14)."""

VARIANCE_S_LEAST = 1e-3
"""Effective seconds never fall below this: the last instants stay finite."""


def normal_cdf(z: float) -> float:
    """Return the standard normal distribution function."""
    return 0.5 + 0.5 * erf(z / sqrt(2.0))


def chance_before(
    *, price: float, so_far: float, to_start_s: float, sigma: float, window_s: float = WINDOW_S
) -> float:
    """Price the market before its window begins.

    `so_far` is the average of what is already known of the first average; it counts only in the
    last `LOOKBACK_S` before the start.
    """
    open_s = min(to_start_s, LOOKBACK_S)
    known = (LOOKBACK_S - open_s) / LOOKBACK_S
    first_s = LOOKBACK_S / 3 * (1 - (1 - open_s / LOOKBACK_S) ** 3)
    seconds = first_s + (window_s - LOOKBACK_S) + LOOKBACK_S / 3
    return _chance(known * (price - so_far), price * sigma, seconds)


def chance_within(
    *, price: float, strike: float, so_far: float, left_s: float, sigma: float
) -> float:
    """Price the market inside its window.

    `strike` is the first average; `so_far` the average of what is known of the last one, which
    counts in the last `LOOKBACK_S`.
    """
    if left_s <= 0:
        return float(so_far >= strike)
    if left_s >= LOOKBACK_S:
        seconds = left_s - LOOKBACK_S + LOOKBACK_S / 3
        return _chance(price - strike, price * sigma, seconds)
    mean = ((LOOKBACK_S - left_s) * so_far + left_s * price) / LOOKBACK_S
    return _chance(mean - strike, price * sigma, left_s**3 / (3 * LOOKBACK_S**2))


def chance_above(*, price: float, strike: float, left_s: float, sigma: float) -> float:
    """Price the claim that one price, `left_s` from now, is not below the strike."""
    return _chance(price - strike, price * sigma, left_s)


def _chance(ahead: float, deviation: float, seconds: float) -> float:
    """Say how likely a normal walk ends at or above zero, `ahead` of it now."""
    return normal_cdf(ahead / (deviation * sqrt(max(seconds, VARIANCE_S_LEAST))))
