"""Token buckets per signer (§3.5)."""

import pytest

from polytui.engine.core.rng import Rng
from polytui.engine.sim.exchange.buckets import TIERS, Bucket, SignerBuckets

S = 1_000_000_000


def test_a_batch_is_admitted_whole_or_not_at_all() -> None:
    bucket = Bucket(rate=40, burst=60, now_ns=0)
    assert bucket.admit(50, 0).is_admitted
    refused = bucket.admit(15, 0)
    assert (refused.is_admitted, refused.remaining) == (False, 10)
    assert refused.retry_ns == 125_000_000
    assert bucket.admit(15, refused.retry_ns).is_admitted


def test_the_bucket_fills_at_its_rate_and_no_further_than_its_burst() -> None:
    bucket = Bucket(rate=40, burst=60, now_ns=0)
    standing = bucket.admit(60, 0)
    assert (standing.remaining, standing.reset_ns) == (0, 3 * S // 2)
    assert bucket.admit(0, S // 2).remaining == 20
    assert bucket.admit(0, 100 * S).remaining == 60


def test_a_cost_known_afterwards_may_leave_a_debt() -> None:
    # cancel-all costs one and what it cancelled
    bucket = Bucket(rate=80, burst=120, now_ns=0)
    standing = bucket.charge(201, 0)
    assert (standing.is_admitted, standing.remaining) == (True, 0)
    assert not bucket.admit(1, S).is_admitted
    assert bucket.admit(1, S + 25_000_000).is_admitted


@pytest.mark.parametrize("tier", TIERS)
def test_cancels_have_a_bucket_of_their_own_twice_as_large(tier: str) -> None:
    signer = SignerBuckets(tier=tier, now_ns=0)
    rate, burst = TIERS[tier]
    assert (signer.orders.rate, signer.orders.burst) == (rate, burst)
    assert (signer.cancels.rate, signer.cancels.burst) == (2 * rate, 2 * burst)
    signer.orders.admit(burst, 0)
    assert signer.cancels.admit(1, 0).is_admitted


def test_no_window_ever_admits_more_than_burst_and_rate() -> None:
    rng, now_ns, admitted = Rng(1), 0, []
    bucket = Bucket(rate=40, burst=60, now_ns=0)
    for _ in range(3_000):
        now_ns += rng.below(40_000_000)
        cost = rng.between(1, 15)
        if bucket.admit(cost, now_ns).is_admitted:
            admitted.append((now_ns, cost))
    for first, (start_ns, _) in enumerate(admitted[::50]):
        window = [(at, cost) for at, cost in admitted[first * 50 :] if at <= start_ns + S]
        assert sum(cost for _, cost in window) <= 60 + 40
