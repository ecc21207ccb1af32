"""Fault rows A of the catalogue on the whole order path: feeds and books."""

import pytest

from polytui.engine.account.redeeming import redeem_all
from polytui.engine.core import account_events as heard
from polytui.engine.core.commands import MovePairs, Reconnect, Resync, Unfollow
from polytui.engine.core.enums import BookState
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.events import Event
from polytui.engine.core.order_enums import Control, OrderState
from polytui.engine.market.tracked import Tracked
from polytui.engine.sim import faults
from polytui.engine.sim.account_wire import Times
from polytui.engine.sim.exchange.exchange import Exchange
from polytui.engine.sim.exchange.terms import Resolution
from polytui.engine.sim.rehearsal import ACCOUNT, Rehearsal
from tests.engine.rehearsal.invariants import equal_books
from tests.engine.rehearsal.stage import Stage
from tests.engine.rehearsal.swarm import armed, at_rest, quoting, settle

S = 1_000_000_000
MS = 1_000_000
pytestmark = pytest.mark.timeout(60)


def synced(stage: Stage) -> list[Tracked]:
    markets = stage.engine.desk.markets.values()
    return [one for one in markets if one.quality.state is BookState.SYNCED]


def test_a1_a_silent_socket_stops_orders_and_pulls_the_quotes() -> None:
    stage = quoting()
    stage.switch(market_freeze=True)
    begin_ns = stage.now_ns
    stage.run_for(12)
    assert not stage.sent_since(begin_ns + 5 * S + 100 * MS)
    assert not stage.quotes(), "every quote is pulled"
    assert any(
        "its book may not be used" in o.venue_text for o in stage.account.orders.by_cid.values()
    )
    stage.switch()
    assert stage.wait(lambda: bool(stage.sent_since(stage.now_ns - S)), within_s=60)


def test_a2_between_a_drop_and_the_fresh_snapshot_nothing_is_sent() -> None:
    stage = quoting()
    for _ in range(12):
        stage.feed.reconnect(0, stage.now_ns)
        stage.run_for(0.2)
        begin_ns = stage.now_ns
        assert not synced(stage)
        stage.run_for(2.0)
        assert not stage.sent_since(begin_ns)
        stage.run_for(2.0)
    assert stage.wait(lambda: bool(stage.sent_since(stage.now_ns - S)), within_s=60)


@pytest.mark.parametrize(
    "switch",
    [{"frame_drop": 0.2}, {"frame_repeat": 0.5}, {"frame_swap": 0.2}],
    ids=["a3_lost", "a4_doubled", "a5_swapped"],
)
def test_a3_a4_a5_lost_doubled_and_swapped_frames_leave_no_book_wrong(
    switch: dict[str, float],
) -> None:
    stage = armed()
    stage.switch(**switch)
    stage.run_for(40)
    stage.switch()
    stage.run_for(140)
    assert equal_books(stage) > 0


def test_a6_a_subscription_without_books_is_asked_again_and_unseen_books_are_not_used() -> None:
    """What is sent meanwhile went to markets that a trade's own full frame had shown (Watch, 1)."""
    stage = quoting()
    stage.switch(no_initial_books=True)
    stage.feed.reconnect(0, stage.now_ns)
    stage.run_for(2.55)
    assert not synced(stage)
    before = len(stage.commands)
    stage.run_for(12)
    again = [c for c in stage.commands[before:] if isinstance(c, Resync | Reconnect)]
    assert again, "the books are asked for again"
    stage.switch()
    assert stage.wait(lambda: bool(stage.sent_since(stage.now_ns - S)), within_s=60)


def test_a9_a_tick_change_between_journal_and_gate_stops_the_order_and_pulls_the_quotes() -> None:
    stage = quoting(times=Times(sign_ns=(150 * MS, 200 * MS)))
    changed: list[str] = []

    def change(rehearsal: Rehearsal, event: Event) -> None:
        is_journalled = (
            isinstance(event, heard.OrderStaged) and event.stage is OrderState.JOURNALLED
        )
        if is_journalled and not changed:
            order = stage.account.orders.by_cid[event.cids[0]]  # type: ignore[attr-defined]  # it is staged
            changed.append(order.cid)
            tick_u6 = 1_000 if order.draft.px_u6 % 10_000 == 0 else 10_000
            rehearsal.feed.world.do(faults.ChangeTick(market=order.draft.market, tick_u6=tick_u6))

    stage.before = change
    assert stage.wait(lambda: bool(changed))
    stage.run_for(1)
    order = stage.account.orders.by_cid[changed[0]]
    assert order.state is OrderState.REFUSED
    assert order.refusal is not None
    assert order.refusal.control is Control.BOOK_VALID
    assert all(terms.cid != order.cid for _, terms in stage.wire.sent)


def test_a9_quotes_off_the_new_grid_are_pulled() -> None:
    stage = quoting()
    quote = stage.quotes()[0]
    stage.feed.world.do(faults.ChangeTick(market=quote.draft.market, tick_u6=100_000))
    stage.run_for(6)
    off = [o for o in stage.quotes() if o.draft.market == quote.draft.market]
    assert all(order.draft.px_u6 % 100_000 == 0 for order in off)
    assert quote.state.is_terminal or quote.draft.px_u6 % 100_000 == 0


def test_a14_a_market_that_resolves_while_quoted_gets_no_order_and_is_redeemed() -> None:
    stage = armed(kinds="bq", period_ms=800)
    assert stage.wait(lambda: len(stage.quotes()) >= 3)
    market = stage.quotes()[0].draft.market
    stage.feed.world.do(faults.ResolveMarket(market=market, outcome=Resolution.YES))
    stage.run_for(0.5)
    begin_ns = stage.now_ns
    stage.run_for(20)
    tokens = {t.spec.tokens for t in stage.engine.desk.markets.values() if t.spec.market == market}
    sent = {terms.token for terms in stage.sent_since(begin_ns)}
    assert not sent & {token for pair in tokens for token in pair}
    assert not [o for o in stage.account.orders.open() if o.draft.market == market]
    at_rest(stage)


def test_a14_what_settles_after_the_outcome_is_redeemed_too_and_then_the_market_is_let_go() -> None:
    """Found in thought: what was confirmed later stayed for ever, and its market with it."""
    stage = armed(kinds="b", period_ms=800)
    settle(stage, 0.0, 60_000)
    positions, trades = stage.account.portfolio.positions, stage.account.trades
    assert stage.wait(lambda: bool(trades.provisional()), within_s=120)
    market = trades.provisional()[0].change.market
    (first,) = (t for t in stage.engine.desk.markets.values() if t.spec.market == market)
    stage.feed.world.do(faults.ResolveMarket(market=market, outcome=Resolution.YES))
    stage.run_for(1)
    assert any(one.in_u6 for holding in positions.in_market(market) for one in holding.positions())
    stage.run_for(200)
    assert not any(positions.confirmed_u6(token) for token in first.spec.tokens), "paid"
    assert stage.account.markets.tracked(market) is first
    stage.run_for(420)
    assert stage.account.markets.tracked(market) is None
    assert [c.market for c in stage.commands if isinstance(c, Unfollow)] == [market]
    at_rest(stage)


def test_a14_what_cannot_be_redeemed_keeps_its_market_and_is_asked_for_every_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = armed(kinds="b", period_ms=800)
    positions = stage.account.portfolio.positions

    def held() -> list[str]:
        return [m for m in positions.markets() if any(h.is_live for h in positions.in_market(m))]

    redeem = Exchange.redeem

    def refuse(exchange: Exchange, account: str, market: str) -> int:
        if account == ACCOUNT:
            raise OperatorError("nobody redeems now")
        return redeem(exchange, account, market)

    assert stage.wait(lambda: bool(held()), within_s=120)
    assert stage.wait(lambda: len(held()) > 1, within_s=120)
    markets = held()
    market = markets[0]
    monkeypatch.setattr(Exchange, "redeem", refuse)
    for one in markets:
        stage.feed.world.do(faults.ResolveMarket(market=one, outcome=Resolution.YES))
    stage.run_for(720)
    asked = [c for c in stage.commands if isinstance(c, MovePairs) and c.op == "redeem"]
    assert 10 <= len([c for c in asked if c.market == market]) <= 13
    assert stage.account.markets.tracked(market) is not None
    assert market not in [c.market for c in stage.commands if isinstance(c, Unfollow)]
    account, now = stage.account, {"at_ns": stage.now_ns, "seq": stage.engine.seq}
    account.redeemed_ns.clear()
    redeem_all(account, **now)
    together = [c.request for c in account.settle(**now) if isinstance(c, MovePairs)]
    assert len(set(together)) == len(markets) == len(together), "each has a name of its own"
    account.redeemed_ns.clear()
    monkeypatch.undo()
    stage.run_for(70)
    assert market not in held()
    assert market in [c.market for c in stage.commands if isinstance(c, Unfollow)]
    at_rest(stage)
