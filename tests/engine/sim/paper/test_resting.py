"""Maker orders on the whole venue: queue, gaps, prints shared out once, both models at once."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytui.engine.core.account_events import UserOrder
from polytui.engine.core.commands import CancelAll, CancelMarket, CancelOrders
from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.events import Event, MarketResolved
from polytui.engine.core.order_enums import OrderType, Realm
from polytui.engine.core.runconfig import PaperConfig
from polytui.engine.core.trading import Terms
from tests.engine.sim.paper.rig import AT_ONCE, CONN, MS, NO, NS, START_NS, Rig, c, q

BUY, SELL = Side.BUY, Side.SELL
GTC, GTD = OrderType.GTC, OrderType.GTD


def quoting(
    size: float = 20, px: float = 40, *, config: PaperConfig = AT_ONCE
) -> tuple[Rig, Terms]:
    """Rest a bid behind 100 shares."""
    rig = Rig(config)
    rig.book({40: 100, 39: 200}, {42: 50})
    terms = rig.terms(BUY, px, size, post_only=True)
    rig.send(terms)
    rig.wait(1)
    return rig, terms


def both(rig: Rig, terms: Terms) -> tuple[int, int]:
    order = rig.order(terms)
    return order.averse_u6, order.probabilistic_u6


def test_a_resting_order_fills_only_after_all_that_was_ahead_traded() -> None:
    rig, terms = quoting()
    rig.show(rig.trade(40, 100), rig.delta(40, 0))
    assert both(rig, terms) == (0, 0)
    rig.wait(1)
    rig.show(rig.trade(40, 5))
    assert both(rig, terms) == (q(5), q(5))
    assert rig.trades() == [(c(40), q(5))]


def test_a_print_at_another_price_fills_nobody() -> None:
    rig, terms = quoting()
    rig.show(rig.trade(39, 500), rig.trade(41, 500))
    assert both(rig, terms) == (0, 0)


def test_a_print_of_the_complement_reaches_the_same_queue() -> None:
    rig, terms = quoting()
    no = msgspec.structs.replace(rig.trade(60, 110), token="22")
    rig.show(no)
    assert both(rig, terms) == (q(10), q(10))


def test_an_unexplained_drop_helps_only_the_probabilistic_model() -> None:
    rig, terms = quoting()
    rig.show(rig.delta(40, 200))
    rig.wait(1)
    rig.show(rig.delta(40, 100))
    rig.wait(1)
    rig.show(rig.trade(40, 70))
    averse_u6, likely_u6 = both(rig, terms)
    assert averse_u6 == 0
    assert likely_u6 > 0
    assert rig.trades() == [], "the averse model books"
    assert "averse 0 (0.00 sh" in rig.venue.report().summary.text


def test_a_drop_told_before_its_print_is_not_counted_twice() -> None:
    """100 ahead; 30 trade: the level says 70 first, then the print comes. 70 are ahead, not 40."""
    rig, terms = quoting()
    rig.show(rig.delta(40, 70), rig.trade(40, 30))
    order = rig.order(terms)
    assert order.averse is not None
    assert order.probabilistic is not None
    assert order.averse.front_u6 == order.probabilistic.front_u6 == q(70)


def test_a_print_from_before_the_order_joined_is_not_its_own() -> None:
    rig, terms = quoting()
    joined_ms = rig.order(terms).joined_ms
    rig.show(rig.trade(40, 500, ms=joined_ms))
    assert both(rig, terms) == (0, 0)


def test_one_print_is_shared_out_once_among_own_orders() -> None:
    rig, first = quoting(20)
    second = rig.terms(BUY, 40, 20, post_only=True)
    rig.send(second)
    rig.wait(1)
    rig.show(rig.trade(40, 125))
    assert both(rig, first) == (q(20), q(20))
    assert both(rig, second) == (q(5), q(5))
    assert sum(qty for _, qty in rig.trades()) == q(25)


def test_a_gap_takes_the_place_away_and_the_order_joins_again_behind_everything() -> None:
    rig, terms = quoting()
    rig.show(rig.trade(40, 90), rig.delta(40, 10))
    rig.stretch = None
    rig.wait(1)
    rig.show(rig.trade(40, 500))
    assert both(rig, terms) == (0, 0), "nobody knows what that print met"
    assert rig.order(terms).averse is None
    rig.stretch = (1, 2)
    rig.book({40: 300}, {42: 50})
    order = rig.order(terms)
    assert order.joins == 2
    assert order.averse is not None
    assert order.averse.front_u6 == q(300)


def test_a_gap_that_no_event_told_of_counts_all_the_same() -> None:
    rig, terms = quoting()
    rig.stretch = (1, 2)
    rig.wait(1)
    rig.show(rig.trade(40, 500))
    assert both(rig, terms) == (0, 0)
    assert rig.order(terms).joins == 2


def test_who_joins_in_a_turn_is_not_filled_by_that_turns_prints() -> None:
    """The size it joins behind is that after the turn: the turn's print is in it already."""
    rig = Rig()
    rig.stretch = None
    rig.book({40: 100}, {42: 50})
    terms = rig.terms(BUY, 40, 20, post_only=True)
    rig.send(terms)
    assert rig.order(terms).averse is None
    rig.stretch = (0, 2)
    rig.show(rig.trade(40, 1_000), rig.delta(40, 60))
    assert both(rig, terms) == (0, 0)
    rig.wait(1)
    rig.show(rig.trade(40, 1_000, ms=rig.now_ns // MS - 1_000))
    assert both(rig, terms) == (0, 0)


def test_a_gtd_order_ends_a_minute_before_its_stated_end() -> None:
    rig = Rig()
    rig.book({40: 100}, {42: 50})
    ends_s = START_NS // NS + 240
    terms = rig.terms(BUY, 40, 20, GTD, expires_s=ends_s)
    rig.send(terms)
    rig.wait(179.9)
    assert rig.order(terms).is_open
    rig.wait(0.2)
    assert rig.order(terms).text == "CANCELED_EXPIRED_ORDER"
    assert rig.venue.purse.reserved == {}


@pytest.mark.parametrize("scope", ["order", "market", "token", "all"])
def test_cancels_end_what_they_name_and_free_what_it_reserved(scope: str) -> None:
    rig, terms = quoting()
    other = rig.terms(BUY, 50, 20, outcome=NO)
    rig.send(other)
    realm = Realm.PAPER
    command = {
        "order": CancelOrders(cause=0, realm=realm, request="r", hashes=(terms.order_hash, "0x9")),
        "market": CancelMarket(cause=0, realm=realm, request="r", market="0xm"),
        "token": CancelMarket(cause=0, realm=realm, request="r", market="0xm", token="11"),
        "all": CancelAll(cause=0, realm=realm, request="r"),
    }[scope]
    rig.venue.carry_out(command)
    rig.wait(1)
    assert rig.order(terms).text == "CANCELED"
    assert rig.order(other).is_open is (scope in ("order", "token"))
    assert rig.venue.purse.reserved == ({"pUSD": q(10)} if rig.order(other).is_open else {})


def test_the_user_stream_keeps_its_order_whatever_the_delays() -> None:
    config = msgspec.structs.replace(AT_ONCE, response_ms=(200, 600, 1_500))
    rig, terms = quoting(200, config=config)
    rig.wait(5)
    for _ in range(10):
        rig.show(rig.trade(40, 30))
        rig.wait(0.01)
    rig.wait(10)
    matched = [
        event.order.matched_u6 or 0
        for event in rig.heard
        if isinstance(event, UserOrder) and event.order.order_hash == terms.order_hash
    ]
    assert len(matched) > 2
    assert matched == sorted(matched)


def test_a_resolved_market_ends_its_orders_and_takes_no_more() -> None:
    rig, terms = quoting()
    rig.show(
        MarketResolved(
            conn=CONN, market="0xm", winning_token="11", winning_outcome="Yes", venue_ms=0
        )
    )
    assert rig.order(terms).text == "CANCELED_MARKET_RESOLVED"
    answer = rig.send(rig.terms(BUY, 40, 20))
    assert answer is not None
    assert answer.code.value == "no_book"


# --- both models on any tape ---------------------------------------------------------------------

Step = tuple[str, int, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["print", "late", "print", "level", "level", "order", "take", "cancel", "gap", "frame"]
        ),
        st.integers(38, 41),
        st.integers(0, 150),
    ),
    min_size=5,
    max_size=60,
)


def act(rig: Rig, step: Step, sent: list[Terms]) -> None:
    """Let one thing happen, the same whatever the model."""
    kind, px, size = step
    events: dict[str, list[Event]] = {
        "print": [rig.trade(px, size)],
        "level": [rig.delta(px, size)],
        "frame": [rig.frame()],
        "late": [
            rig.delta(px, max(0, rig.bids[Outcome.YES].get(c(px), 0) / 10**6 - size)),
            rig.trade(px, size),
        ],
    }
    if kind in events:
        rig.show(*events[kind])
    elif kind == "order":
        sent.append(rig.terms(BUY, px, 5 + size, post_only=True))
        rig.send(sent[-1])
    elif kind == "take":
        sent.append(rig.terms(BUY, 43, 5 + size, OrderType.FAK))
        rig.send(sent[-1])
    elif kind == "cancel" and sent:
        name = sent[size % len(sent)].order_hash
        rig.venue.carry_out(
            CancelOrders(cause=0, realm=Realm.PAPER, request=f"c{rig.now_ns}", hashes=(name,))
        )
    elif kind == "gap":
        rig.stretch = (rig.now_ns, 0)
    rig.wait(size / 50)


def run(tape: list[Step], model: str, config: PaperConfig = AT_ONCE) -> tuple[Rig, list[Terms]]:
    rig = Rig(msgspec.structs.replace(config, maker=model, cash_u6=10**12))
    rig.book({38: 60, 39: 80, 40: 100, 41: 20}, {43: 500})
    sent: list[Terms] = []
    for step in tape:
        act(rig, step, sent)
    rig.wait(120)
    return rig, sent


SLOW = PaperConfig(submit_ms=(200, 600, 1_500), failed_share=0.1)


@settings(max_examples=150)
@given(STEPS, st.sampled_from([AT_ONCE, SLOW]))
def test_averse_fills_are_a_subset_through_the_whole_venue(
    tape: list[Step], config: PaperConfig
) -> None:
    """Within one run order by order, and between two runs that book by one model each."""
    averse, sent = run(tape, "averse", config)
    likely, _ = run(tape, "probabilistic", config)
    for terms in sent:
        name = terms.order_hash
        assert (name in averse.venue.orders) == (name in likely.venue.orders)
        if name not in averse.venue.orders:
            continue
        one, two = averse.order(terms), likely.order(terms)
        assert one.averse_u6 <= one.probabilistic_u6
        assert two.averse_u6 <= two.probabilistic_u6
        assert one.filled_u6 <= two.filled_u6
        assert one.filled_u6 == one.taken_u6 + one.averse_u6
        assert two.filled_u6 == two.taken_u6 + two.probabilistic_u6
        assert one.filled_u6 <= one.qty_u6 or not one.terms.order_type.is_resting


@settings(max_examples=60)
@given(STEPS)
def test_the_books_of_the_purse_balance_on_any_tape(tape: list[Step]) -> None:
    rig, sent = run(tape, "averse", SLOW)
    rig.venue.carry_out(CancelAll(cause=0, realm=Realm.PAPER, request="end"))
    rig.wait(120)
    purse = rig.venue.purse
    assert purse.reserved == purse.owed == {}
    assert all(amount_u6 >= 0 for amount_u6 in purse.balances.values())
    rows = {row.cid: row for row in rig.venue.report().orders}
    assert sum(row.averse_u6 for row in rows.values()) == rig.venue.report().summary.averse.qty_u6
    assert len(rows) == sum(terms.order_hash in rig.venue.orders for terms in sent)


@settings(max_examples=60)
@given(STEPS)
def test_what_one_print_gives_to_own_orders_is_never_more_than_the_print(tape: list[Step]) -> None:
    rig, _ = run(tape, "averse")
    printed: dict[int, int] = {}
    for kind, px, size in tape:
        if kind in ("print", "late"):
            printed[c(px)] = printed.get(c(px), 0) + q(size)
    made: dict[int, int] = {}
    for row in rig.venue.report().orders:
        made[row.px_u6] = made.get(row.px_u6, 0) + row.averse_u6
    for px_u6, qty_u6 in made.items():
        assert qty_u6 <= printed.get(px_u6, 0)


def test_the_same_seed_and_tape_give_the_same_fills() -> None:
    tape: list[Step] = [("order", 40, 20), ("print", 40, 150), ("level", 40, 10), ("take", 40, 9)]
    one, _ = run(tape * 5, "averse", SLOW)
    two, _ = run(tape * 5, "averse", SLOW)
    assert one.heard == two.heard
    assert one.venue.report() == two.venue.report()
    assert one.trades(), "expected the tape to fill something"


def test_nothing_that_comes_after_an_order_changes_what_it_met() -> None:
    """No look-ahead: tapes that agree up to a moment agree on every fill up to that moment."""
    met = []
    for later in (10.0, 500.0):
        rig = Rig(msgspec.structs.replace(AT_ONCE, submit_ms=(300, 300, 300)))
        rig.book({40: 100}, {42: 50})
        rig.send(rig.terms(BUY, 43, 100))
        rig.wait(0.31)
        met.append(rig.trades())
        rig.show(rig.delta(42, later, bid=False))
    assert met[0] == met[1] == [(c(42), q(50))]
