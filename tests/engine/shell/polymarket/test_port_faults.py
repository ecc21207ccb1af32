"""What the port makes of a venue in trouble: fault rows B1 to B9, B31 and B32."""

import pytest

from polytui.engine.core.account_events import (
    CancelAnswered,
    OpenOrdersRead,
    OrderRead,
    OrderStaged,
    VenueChecked,
)
from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import (
    OrderState,
    OrderType,
    SendOutcome,
    VenueCode,
)
from polytui.engine.core.units import U
from polytui.engine.shell.venue.acts import carry_out
from polytui.engine.sim.exchange.terms import DelayTerms, Restriction, VenueMode
from polytui.engine.sim.faults import Restart, SetMode, SetRestriction
from tests.engine.shell.polymarket.asks import cancel, cancel_all, read_open, read_order
from tests.engine.shell.polymarket.rig import Bench, on_bench
from tests.engine.shell.venue.rig import PLAIN

# --- B1 to B4: what an answer proves -------------------------------------------------------------


@on_bench
async def test_b1_a_dropped_reply_leaves_the_order_unknown_and_its_hash_finds_it(
    bench: Bench,
) -> None:
    bench.switch(dropped_reply=1.0)
    terms = bench.terms(PLAIN)
    (answer,) = await bench.place(terms)
    assert (answer.outcome, answer.http) == (SendOutcome.UNKNOWN, 0)
    read = await bench.ask(OrderRead, read_order(terms.order_hash))
    assert read.ok
    assert read.order is not None
    assert read.order.order_hash == terms.order_hash


def test_b1_a_silent_venue_leaves_the_order_unknown_in_time() -> None:
    async def test(bench: Bench) -> None:
        bench.switch(rest_delay=DelayTerms(low_ms=2_000, high_ms=2_000))
        terms = bench.terms(PLAIN)
        (answer,) = await bench.place(terms)
        assert answer.outcome is SendOutcome.UNKNOWN
        assert "no answer within 0.2 s" in answer.text

    on_bench(test, timeout_s=0.2)()


@on_bench
async def test_b2_an_order_that_never_arrived_is_unknown_not_rejected(bench: Bench) -> None:
    bench.switch(lost_order=1.0)
    terms = bench.terms(PLAIN)
    (answer,) = await bench.place(terms)
    assert (answer.outcome, answer.code) == (SendOutcome.UNKNOWN, VenueCode.TIMED_OUT)
    read = await bench.ask(OrderRead, read_order(terms.order_hash))
    assert (read.ok, read.order) == (True, None)


@on_bench
async def test_b3_a_500_with_the_order_placed_is_unknown(bench: Bench) -> None:
    bench.switch(lost_reply=1.0)
    terms = bench.terms(PLAIN)
    (answer,) = await bench.place(terms)
    assert (answer.outcome, answer.http) == (SendOutcome.UNKNOWN, 500)
    assert bench.rig.exchange.order(terms.order_hash) is not None


@on_bench
async def test_b4_refusals_carry_their_code(bench: Bench) -> None:
    cases = {
        VenueCode.SIZE: bench.terms(PLAIN, qty=2 * U),
        VenueCode.BALANCE: bench.terms(PLAIN, side=Side.SELL),
        VenueCode.FAK_KILLED: bench.terms(PLAIN, order_type=OrderType.FAK),
        VenueCode.TICK: bench.terms(PLAIN, px=505_000),
    }
    for code, terms in cases.items():
        (answer,) = await bench.place(terms)
        assert (answer.outcome, answer.code, answer.http) == (SendOutcome.REFUSED, code, 400)
        assert answer.text


@on_bench
async def test_b4_a_duplicate_is_looked_up_not_refused(bench: Bench) -> None:
    terms = bench.terms(PLAIN)
    await bench.place(terms)
    (answer,) = await bench.place(terms)
    assert (answer.outcome, answer.code) == (SendOutcome.UNKNOWN, VenueCode.DUPLICATE)


# --- B5 to B9 ------------------------------------------------------------------------------------


@on_bench
async def test_b5_a_restart_refuses_with_its_code_then_lets_post_only_through(
    bench: Bench,
) -> None:
    carry_out(bench.rig.venue, Restart(down_ms=1_000, post_only_ms=60_000, cut_streams=False))
    (down,) = await bench.place(bench.terms(PLAIN))
    assert (down.outcome, down.code, down.http) == (
        SendOutcome.REFUSED,
        VenueCode.RESTARTING,
        425,
    )
    await bench.rig.pass_time(1_500)
    (taker,) = await bench.place(bench.terms(PLAIN))
    assert (taker.code, taker.http) == (VenueCode.POST_ONLY_MODE, 503)
    assert taker.retry_after_s > 50
    (maker,) = await bench.place(bench.terms(PLAIN, post_only=True))
    assert maker.outcome is SendOutcome.ACCEPTED


@pytest.mark.parametrize(
    ("mode", "code", "cancel_outcome"),
    [
        (VenueMode.CANCEL_ONLY, VenueCode.CANCEL_ONLY, SendOutcome.ACCEPTED),
        (VenueMode.DISABLED, VenueCode.DISABLED, SendOutcome.REFUSED),
    ],
)
def test_b6_a_closed_venue_says_which_doors_are_shut(
    mode: VenueMode, code: VenueCode, cancel_outcome: SendOutcome
) -> None:
    async def test(bench: Bench) -> None:
        resting = bench.terms(PLAIN)
        await bench.place(resting)
        carry_out(bench.rig.venue, SetMode(mode=mode))
        (answer,) = await bench.place(bench.terms(PLAIN, px=490_000))
        assert (answer.outcome, answer.code, answer.http) == (SendOutcome.REFUSED, code, 503)
        cancelled = await bench.ask(CancelAnswered, cancel_all())
        assert cancelled.outcome is cancel_outcome
        carry_out(bench.rig.venue, SetMode(mode=VenueMode.NORMAL))

    on_bench(test)()


@on_bench
async def test_b7_a_429_is_honoured_by_orders_and_never_starves_cancels(bench: Bench) -> None:
    resting = bench.terms(PLAIN)
    await bench.place(resting)
    bench.switch(too_many=1.0, retry_after_s=7)
    (struck,) = await bench.place(bench.terms(PLAIN, px=490_000))
    assert (struck.outcome, struck.code, struck.retry_after_s) == (
        SendOutcome.REFUSED,
        VenueCode.RATE_LIMITED,
        7,
    )
    held = bench.terms(PLAIN, px=480_000)
    (waiting,) = await bench.place(held)
    assert (waiting.outcome, waiting.retry_after_s) == (SendOutcome.NOT_SENT, 7)
    assert bench.stages(held.cid)[-1] is OrderState.SIGNED
    cancelled = await bench.ask(CancelAnswered, cancel(resting.order_hash))
    assert (cancelled.outcome, cancelled.canceled) == (
        SendOutcome.ACCEPTED,
        (resting.order_hash,),
    )


@on_bench
async def test_b8_below_the_cancel_reserve_no_new_order_leaves_and_a_kill_still_does(
    bench: Bench,
) -> None:
    resting = bench.terms(PLAIN)
    await bench.place(resting)
    bench.budgets.cancels.spend(105, bench.rig.at_ns)
    (quote,) = await bench.place(bench.terms(PLAIN, px=490_000))
    assert (quote.outcome, quote.code) == (SendOutcome.NOT_SENT, VenueCode.RATE_LIMITED)
    bench.switch(too_many_cancels=0.0)
    bench.budgets.cancels.spend(500, bench.rig.at_ns)
    bench.budgets.cancels.closed_until_ns = bench.rig.at_ns + 60_000_000_000
    one = await bench.ask(CancelAnswered, cancel(resting.order_hash))
    assert (one.outcome, one.retry_after_s) == (SendOutcome.NOT_SENT, 60)
    kill = await bench.ask(CancelAnswered, cancel_all())
    assert (kill.outcome, kill.canceled) == (SendOutcome.ACCEPTED, (resting.order_hash,))


@on_bench
async def test_b9_a_batch_of_fifteen_is_matched_by_hash(bench: Bench) -> None:
    good = [bench.terms(PLAIN, px=100_000 + 10_000 * n) for n in range(12)]
    bad = [bench.terms(PLAIN, qty=U), bench.terms(PLAIN, px=505_000), bench.terms(PLAIN, qty=2 * U)]
    orders = [*good[:4], bad[0], *good[4:8], bad[1], *good[8:], bad[2]]
    answers = {a.cid: a for a in await bench.place(*orders)}
    assert {t.cid for t in good} == {
        cid for cid, a in answers.items() if a.outcome is SendOutcome.ACCEPTED
    }
    assert [answers[t.cid].code for t in bad] == [VenueCode.SIZE, VenueCode.TICK, VenueCode.SIZE]
    for terms in good:
        assert answers[terms.cid].order_hash == terms.order_hash
        assert bench.rig.exchange.order(terms.order_hash) is not None


@on_bench
async def test_more_than_fifteen_orders_go_in_several_requests(bench: Bench) -> None:
    orders = [bench.terms(PLAIN, px=100_000 + 10_000 * n) for n in range(20)]
    answers = await bench.place(*orders)
    assert [a.outcome for a in answers] == [SendOutcome.ACCEPTED] * 20
    staged = [e for e in bench.said if isinstance(e, OrderStaged) and e.stage is OrderState.SENT]
    assert [len(event.cids) for event in staged] == [15, 5]


# --- B31, B32 ------------------------------------------------------------------------------------


@on_bench
async def test_b31_another_order_version_is_refused_and_read(bench: Bench) -> None:
    bench.switch(order_version=3)
    (answer,) = await bench.place(bench.terms(PLAIN))
    assert (answer.outcome, answer.code) == (SendOutcome.REFUSED, VenueCode.VERSION)
    (checked,) = [event for event in bench.said if isinstance(event, VenueChecked)]
    assert (checked.ok, checked.version) == (True, 3)


@pytest.mark.parametrize(
    ("restriction", "code"),
    [
        (Restriction.BANNED, VenueCode.BANNED),
        (Restriction.CLOSED_ONLY, VenueCode.CLOSED_ONLY),
    ],
)
def test_b32_a_restricted_account_is_told_and_can_still_cancel(
    restriction: Restriction, code: VenueCode
) -> None:
    async def test(bench: Bench) -> None:
        resting = bench.terms(PLAIN)
        await bench.place(resting)
        act = SetRestriction(address=bench.identity.maker, restriction=restriction)
        carry_out(bench.rig.venue, act)
        (answer,) = await bench.place(bench.terms(PLAIN, px=490_000))
        assert (answer.outcome, answer.code) == (SendOutcome.REFUSED, code)
        (checked,) = [event for event in bench.said if isinstance(event, VenueChecked)]
        assert checked.closed_only is (restriction is Restriction.CLOSED_ONLY)
        cancelled = await bench.ask(CancelAnswered, cancel_all())
        assert cancelled.canceled == (resting.order_hash,)

    on_bench(test)()


@on_bench
async def test_b32_a_blocked_place_is_seen(bench: Bench) -> None:
    bench.switch(geoblocked=True)
    bench.port.check_standing()
    await bench.port.settled()
    (checked,) = [event for event in bench.said if isinstance(event, VenueChecked)]
    assert (checked.ok, checked.blocked, checked.country) == (True, True, "US")


@on_bench
async def test_b32_a_key_the_venue_does_not_know_is_refused_by_code(bench: Bench) -> None:
    bench.rig.venue.ring.delete(bench.trader.creds["apiKey"])
    (answer,) = await bench.place(bench.terms(PLAIN))
    assert (answer.outcome, answer.code, answer.http) == (
        SendOutcome.REFUSED,
        VenueCode.AUTH,
        401,
    )
    read = await bench.ask(OpenOrdersRead, read_open())
    assert (read.ok, read.orders) == (False, ())
    assert read.why.startswith("HTTP 401")
