"""Buckets: growth, the venue's word, reserves, and what is told."""

from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.core.order_enums import Realm
from polytui.engine.shell.polymarket.budgets import Bucket, Budgets

S = 1_000_000_000
T0 = 1_790_000_000 * S


def test_a_bucket_starts_full_and_grows_back_at_its_rate() -> None:
    bucket = Bucket(rate=40, burst=60)
    bucket.spend(60, T0)
    assert (bucket.left(T0), bucket.wait_s(15, T0)) == (0, 1)
    assert bucket.left(T0 + S) == 40
    assert bucket.left(T0 + 10 * S) == 60


def test_b7_a_429_closes_its_own_bucket_for_as_long_as_it_says() -> None:
    budgets = Budgets()
    budgets.heard({"retry-after": "7"}, status=429, is_cancel=False, now_ns=T0)
    assert budgets.order_wait_s(1, T0) == 7
    assert budgets.order_wait_s(1, T0 + 6 * S + 1) == 1
    assert budgets.order_wait_s(1, T0 + 7 * S) == 0
    assert budgets.cancel_wait_s(T0) == 0


def test_b7_a_429_without_a_number_closes_for_a_second() -> None:
    budgets = Budgets()
    budgets.heard({}, status=429, is_cancel=True, now_ns=T0)
    assert budgets.cancel_wait_s(T0) == 1


def test_the_venues_count_is_believed_when_it_is_lower() -> None:
    budgets = Budgets()
    budgets.heard({"poly-ratelimit-remaining": "3"}, status=200, is_cancel=False, now_ns=T0)
    assert budgets.orders.left(T0) == 3
    budgets.heard({"poly-ratelimit-remaining": "50"}, status=200, is_cancel=False, now_ns=T0)
    assert budgets.orders.left(T0) == 3


def test_a_tier_widens_both_buckets() -> None:
    budgets = Budgets()
    budgets.orders.spend(10, T0)
    budgets.heard({"poly-ratelimit-tier": "Gold"}, status=200, is_cancel=False, now_ns=T0)
    assert (budgets.tier, budgets.orders.burst, budgets.cancels.burst) == ("gold", 600, 1_200)
    assert budgets.orders.left(T0) == 590


def test_b8_orders_stop_at_the_cancel_reserve_which_grows_with_open_orders() -> None:
    budgets = Budgets()
    budgets.cancels.spend(95, T0)
    assert (budgets.reserve, budgets.order_wait_s(1, T0)) == (20, 0)
    budgets.note_open_orders(400)
    assert (budgets.reserve, budgets.order_wait_s(1, T0)) == (40, 1)
    budgets.note_open_orders(100_000)
    assert budgets.order_wait_s(1, T0 + 60 * S) == 0, "a full cancel bucket is always enough"


def test_news_are_moves_of_a_tenth_low_buckets_and_warnings() -> None:
    budgets = Budgets()
    assert budgets.news(Realm.LIVE, T0) is not None
    assert budgets.news(Realm.LIVE, T0) is None
    budgets.orders.spend(3, T0)
    assert budgets.news(Realm.LIVE, T0) is None
    budgets.orders.spend(3, T0)
    told = budgets.news(Realm.LIVE, T0)
    assert told is not None
    assert (told.orders_left, told.orders_burst) == (54, 60)
    headers = {"poly-ratelimit-warning": "true"}
    budgets.heard(headers, status=200, is_cancel=False, now_ns=T0)
    told = budgets.news(Realm.LIVE, T0)
    assert told is not None
    assert told.warning
    budgets.orders.spend(50, T0)
    assert budgets.news(Realm.LIVE, T0) is not None
    budgets.orders.spend(1, T0)
    assert budgets.news(Realm.LIVE, T0) is not None, "a low bucket tells every move"


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3 * S), st.integers(-1, 70)), max_size=30)
)
def test_a_bucket_never_holds_more_than_its_burst_nor_grows_faster_than_its_rate(
    steps: list[tuple[int, int, int]],
) -> None:
    bucket = Bucket(rate=40, burst=60)
    now_ns, spent = T0, 0
    for cost, pause_ns, remaining in steps:
        now_ns += pause_ns
        if remaining >= 0:
            bucket.correct(remaining, now_ns)
        if bucket.wait_s(cost, now_ns) == 0:
            bucket.spend(cost, now_ns)
            spent += cost
        assert bucket.left(now_ns) <= 60
    assert spent <= 60 + (now_ns - T0) * 40 // S + 1
