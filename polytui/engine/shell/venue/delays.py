"""Waiting times drawn from their terms."""

from math import exp, log

from polytui.engine.core.rng import Rng
from polytui.engine.sim.exchange.terms import DelayTerms


def sample_ms(terms: DelayTerms, rng: Rng) -> int:
    """Draw a waiting time; no waiting draws nothing, so that a calm venue uses no randomness."""
    if terms.high_ms <= 0:
        return 0
    if not terms.median_ms:
        return rng.between(terms.low_ms, terms.high_ms)
    drawn = exp(log(terms.median_ms) + terms.sigma * rng.normal())
    return min(terms.high_ms, max(terms.low_ms, round(drawn)))
