"""Counts of what was done lately, exact on engine time (B7, B8, B27, invariant 7)."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from polytui.engine.core.account_events import BudgetRead
from polytui.engine.core.order_enums import Realm
from polytui.engine.core.units import U
from polytui.engine.decide.facts import Pace
from polytui.engine.decide.rates import KEYS_MAX, Bucket, Hour, Rates, Window
from tests.engine.decide.gate import LIMITS, MS, NOW, S, draft, quote

MINUTE = 60 * S


def pace(rates: Rates, *, cid: str = "new", at_ns: int = NOW, open_orders: int = 0) -> Pace:
    return rates.pace(cid, draft(), open_orders=open_orders, at_ns=at_ns)


@given(st.lists(st.tuples(st.integers(0, 3 * S), st.integers(1, 4)), max_size=40))
def test_invariant_7_a_bucket_never_admits_more_than_burst_and_rate(
    steps: list[tuple[int, int]],
) -> None:
    bucket, now_ns, sent = Bucket(rate=5, burst=5), NOW, list[tuple[int, int]]()
    bucket.take(0, now_ns)
    for wait_ns, want in steps:
        now_ns += wait_ns
        if bucket.left(now_ns) >= want:
            bucket.take(want, now_ns)
            sent.append((now_ns, want))
    for at, (start_ns, _) in enumerate(sent):
        total = 0
        for end_ns, count in sent[at:]:
            total += count
            assert total * S <= 5 * S + 5 * (end_ns - start_ns)


@given(st.lists(st.integers(0, 5 * S), max_size=60), st.integers(1, 20 * S))
def test_a_window_counts_what_is_younger_than_its_span(waits: list[int], span_ns: int) -> None:
    window, now_ns, times = Window(1_000), NOW, list[int]()
    for wait_ns in waits:
        now_ns += wait_ns
        window.note(now_ns)
        times.append(now_ns)
        assert window.count(now_ns, span_ns) == sum(now_ns - t < span_ns for t in times)


@given(st.lists(st.integers(0, 20 * MINUTE), max_size=60))
def test_an_hour_never_counts_less_than_the_last_sixty_minutes(waits: list[int]) -> None:
    hour, now_ns, times = Hour(), NOW, list[int]()
    for wait_ns in waits:
        now_ns += wait_ns
        hour.note(1, now_ns)
        times.append(now_ns)
        count = hour.count(now_ns)
        assert count >= sum(now_ns - t < 60 * MINUTE for t in times)
        assert count <= sum(now_ns - t < 61 * MINUTE for t in times)


def test_b8_the_reserve_of_cancels_grows_with_what_is_open() -> None:
    rates = Rates(Realm.LIVE, LIMITS)
    small = rates.pace("c", draft(), open_orders=50, at_ns=NOW)
    large = rates.pace("c", draft(), open_orders=500, at_ns=NOW)
    assert (small.cancel_reserve, large.cancel_reserve) == (20, 50)
    assert small.cancels_left == -1, "the venue has not said"


def test_b7_the_venues_buckets_fall_with_what_is_sent_and_refill_by_the_tier() -> None:
    rates = Rates(Realm.LIVE, LIMITS)
    read = BudgetRead(
        realm=Realm.LIVE, orders_left=2, orders_burst=60, cancels_left=30, cancels_burst=120
    )
    rates.on_budget(read, NOW)
    rates.on_send("a", draft(), NOW)
    rates.on_send("b", draft(qty_u6=20 * U), NOW)
    rates.on_cancel(25, NOW, markets=("m",))
    now = rates.pace("c", draft(), open_orders=0, at_ns=NOW)
    assert (now.orders_left, now.cancels_left) == (0, 5)
    later = rates.pace("c", draft(), open_orders=0, at_ns=NOW + S)
    assert (later.orders_left, later.cancels_left) == (40, 85)
    full = rates.pace("c", draft(), open_orders=0, at_ns=NOW + 60 * S)
    assert (full.orders_left, full.cancels_left) == (60, 120), "a silent venue does not starve us"


def test_a_twin_is_the_same_strategy_token_side_price_and_size() -> None:
    rates = Rates(Realm.LIVE, LIMITS)
    rates.on_send("a", draft(), NOW)
    assert rates.pace("b", draft(), open_orders=0, at_ns=NOW).twin_ns == NOW
    assert rates.pace("a", draft(), open_orders=0, at_ns=NOW).twin_ns == 0, "not its own"
    for other in (draft(px_u6=470_000), draft(qty_u6=11 * U), draft(strategy="mm")):
        assert rates.pace("b", other, open_orders=0, at_ns=NOW).twin_ns == 0


def test_g25_a_strategys_own_pull_below_the_floor_is_a_flicker_and_may_be_asked_before() -> None:
    rates = Rates(Realm.LIVE, LIMITS)
    assert not rates.may_pull(S - 1)
    assert rates.may_pull(S)
    rates.on_pulled(quote(), S, NOW)
    assert rates.pace("x", quote(), open_orders=0, at_ns=NOW).flicker_ns == 0
    rates.on_pulled(quote(), S - 1, NOW)
    assert rates.pace("x", quote(), open_orders=0, at_ns=NOW).flicker_ns == NOW
    rates.on_pulled(draft(strategy="mm"), 0, NOW)
    other = rates.pace("x", draft(strategy="mm"), open_orders=0, at_ns=NOW)
    assert other.flicker_ns == 0, "a taker is no quote"


def test_conduct_is_counted_per_market() -> None:
    rates = Rates(Realm.LIVE, LIMITS)
    for n in range(5):
        rates.on_send(f"c{n}", draft(), NOW)
    rates.on_fill(draft().market, NOW)
    rates.on_cancel(1, NOW, markets=(draft().market, "other"))
    here = rates.pace("x", draft(), open_orders=0, at_ns=NOW)
    there = rates.pace("x", draft(market="other"), open_orders=0, at_ns=NOW)
    assert (here.orders_hour, here.cancels_hour, here.fills_hour) == (5, 1, 1)
    assert (there.orders_hour, there.cancels_hour, there.fills_hour) == (0, 1, 0)


def test_tighter_limits_hold_at_once_and_a_changed_bucket_begins_empty() -> None:
    rates = Rates(Realm.LIVE, LIMITS)
    for n in range(15):
        rates.on_send(f"c{n}", draft(), NOW + n * S)
    now_ns = NOW + 20 * S
    rates.set_limits(replace(LIMITS, orders_per_s=2, sends_max=10), now_ns)
    state = rates.pace("x", draft(), open_orders=0, at_ns=now_ns)
    assert state.tokens == 0
    assert state.sends >= 10
    assert rates.pace("x", draft(), open_orders=0, at_ns=now_ns + S).tokens == 2


def test_a_breaker_that_was_reset_begins_with_empty_windows() -> None:
    rates = Rates(Realm.LIVE, LIMITS)
    for n in range(20):
        rates.on_send(f"c{n}", draft(), NOW)
    rates.forgive("box", draft().market)
    assert rates.pace("x", draft(), open_orders=0, at_ns=NOW + MS).sends == 0


def test_memory_is_bounded_whatever_is_sent() -> None:
    rates = Rates(Realm.LIVE, LIMITS)
    for n in range(KEYS_MAX + 50):
        rates.on_send(f"c{n}", draft(market=f"m{n}", token=str(n)), NOW + n)
    for held in (rates._doings, rates._conduct, rates._twins, rates._counted):
        assert len(held) <= KEYS_MAX


def test_an_order_that_came_to_nothing_may_be_repeated_at_once_and_only_that_one() -> None:
    rates = Rates(Realm.LIVE, LIMITS)
    rates.on_send("c1", draft(), NOW)
    rates.forget("c0", draft())
    assert pace(rates).twin_ns == NOW, "another order's end"
    rates.forget("c1", draft())
    assert pace(rates).twin_ns == 0
    rates.forget("c1", draft())
