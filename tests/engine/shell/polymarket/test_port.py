"""Orders and cancels through the port, on real sockets, with the faults of `faults.md` §B."""

import asyncio
from typing import Any

import pytest

from polytui.engine.core import commands
from polytui.engine.core.account_events import (
    BudgetRead,
    CancelAnswered,
    OpenOrdersRead,
    OrderAnswered,
)
from polytui.engine.core.enums import Mode, Side
from polytui.engine.core.errors import EngineBug, OperatorError
from polytui.engine.core.order_enums import (
    Control,
    OrderState,
    SendOutcome,
)
from polytui.engine.core.trading import Refusal
from polytui.engine.core.units import U
from polytui.engine.shell.polymarket.armed import Armed, arm
from polytui.engine.shell.polymarket.auth import Credentials
from polytui.engine.shell.polymarket.port import DryRunPort, LivePort
from tests.engine.shell.polymarket.asks import LIVE, cancel, cancel_all, read_open
from tests.engine.shell.polymarket.rig import Bench, on_bench
from tests.engine.shell.venue.rig import NEG, PLAIN, SPORT, THIRD

# --- the way of an order -------------------------------------------------------------------------


@on_bench
async def test_an_order_is_journalled_signed_sent_and_accepted_under_its_own_hash(
    bench: Bench,
) -> None:
    terms = bench.terms(PLAIN)
    (answer,) = await bench.place(terms)
    assert bench.stages(terms.cid) == [
        OrderState.JOURNALLED,
        OrderState.SIGNED,
        OrderState.SENT,
    ]
    assert (answer.outcome, answer.status, answer.http) == (SendOutcome.ACCEPTED, "live", 200)
    assert answer.order_hash == terms.order_hash
    assert answer.took_ns > 0
    order = bench.rig.exchange.order(terms.order_hash)
    assert order is not None
    assert (order.px_u6, order.qty_u6) == (500_000, 10 * U)


@pytest.mark.parametrize("signature_type", [0, 1, 2, 3])
@pytest.mark.parametrize("market", [PLAIN, NEG, THIRD], ids=["plain", "neg", "v2"])
def test_every_signature_type_is_accepted_on_every_kind_of_market(
    signature_type: int, market: Any
) -> None:
    async def test(bench: Bench) -> None:
        (answer,) = await bench.place(bench.terms(market))
        assert answer.outcome is SendOutcome.ACCEPTED, answer.text

    on_bench(test, signature_type=signature_type)()


@on_bench
async def test_a_match_at_once_tells_amounts_and_trades(bench: Bench) -> None:
    bob = await bench.rig.trader("bob")
    await bench.rig.rest(bob, PLAIN, ix=1, px=480_000, qty=10 * U)
    (answer,) = await bench.place(bench.terms(PLAIN, px=520_000))
    assert (answer.status, answer.making_u6, answer.taking_u6) == ("matched", 5_200_000, 10 * U)
    assert len(answer.trade_ids) == 1


@on_bench
async def test_a_delayed_order_says_so(bench: Bench) -> None:
    bob = await bench.rig.trader("bob")
    await bench.rig.rest(bob, SPORT, ix=1, px=480_000)
    (answer,) = await bench.place(bench.terms(SPORT, px=520_000))
    assert (answer.outcome, answer.status) == (SendOutcome.ACCEPTED, "delayed")


@on_bench
async def test_what_the_journal_does_not_hold_does_not_leave(bench: Bench) -> None:
    bench.is_durable = False
    terms = bench.terms(PLAIN)
    (answer,) = await bench.place(terms)
    assert answer.outcome is SendOutcome.NOT_SENT
    assert bench.signer.asked == 0
    assert bench.stages(terms.cid) == []


@on_bench
async def test_what_the_signer_refuses_does_not_leave_and_its_neighbour_does(bench: Bench) -> None:
    first, second = bench.terms(PLAIN), bench.terms(PLAIN, px=490_000)
    bench.signer.refuses[first.cid] = "above its ceiling"
    answers = {a.cid: a for a in await bench.place(first, second)}
    assert answers[first.cid].outcome is SendOutcome.NOT_SENT
    assert "above its ceiling" in answers[first.cid].text
    assert answers[second.cid].outcome is SendOutcome.ACCEPTED


@on_bench
async def test_the_gate_is_asked_last_and_its_refusal_is_told(bench: Bench) -> None:
    first, second = bench.terms(PLAIN), bench.terms(PLAIN, px=490_000)
    refusal = Refusal(control=Control.EXPOSURE, limit="100", value="101")
    seen: list[list[OrderState]] = []

    def watch(cid: str) -> None:
        seen.append(bench.stages(cid))
        bench.refusals[first.cid] = refusal

    bench.watch = watch
    answers = {a.cid: a for a in await bench.place(first, second)}
    assert seen == [[OrderState.JOURNALLED, OrderState.SIGNED]] * 2
    assert answers[first.cid].outcome is SendOutcome.NOT_SENT
    assert answers[first.cid].refusal == refusal
    assert answers[second.cid].outcome is SendOutcome.ACCEPTED
    assert bench.stages(first.cid)[-1] is OrderState.SIGNED


@on_bench
async def test_a_closed_latch_stops_an_order_at_the_last_moment(bench: Bench) -> None:
    def watch(_cid: str) -> None:
        bench.is_clear = False

    bench.watch = watch
    (answer,) = await bench.place(bench.terms(PLAIN))
    assert answer.outcome is SendOutcome.NOT_SENT
    assert answer.refusal is not None
    assert answer.refusal.control is Control.KILLED
    assert not bench.rig.exchange.open_orders()


@on_bench
async def test_while_flattening_sells_pass_the_closed_latch_and_buys_do_not(bench: Bench) -> None:
    await bench.rig.stock(bench.trader, PLAIN)
    bench.is_clear, bench.port.exits = False, True
    (sell,) = await bench.place(bench.terms(PLAIN, side=Side.SELL))
    (buy,) = await bench.place(bench.terms(PLAIN, px=400_000))
    assert (sell.outcome, buy.outcome) == (SendOutcome.ACCEPTED, SendOutcome.NOT_SENT)


@on_bench
async def test_an_arming_that_was_withdrawn_sends_nothing(bench: Bench) -> None:
    bench.armed.withdraw()
    (answer,) = await bench.place(bench.terms(PLAIN))
    assert (answer.outcome, answer.text) == (SendOutcome.NOT_SENT, "the arming has ended")


@on_bench
async def test_an_order_that_is_being_signed_when_the_mode_falls_does_not_leave(
    bench: Bench,
) -> None:
    sign = bench.signer.sign

    async def slow(orders: Any) -> Any:
        bench.port.disarm()
        return await sign(orders)

    bench.signer.sign = slow  # type: ignore[method-assign]  # the mode falls meanwhile
    terms = bench.terms(PLAIN)
    (answer,) = await bench.place(terms)
    assert (answer.outcome, answer.text) == (SendOutcome.NOT_SENT, "the arming has ended")
    assert OrderState.SENT not in bench.stages(terms.cid)


@on_bench
async def test_a_dry_run_drops_what_is_signed(bench: Bench) -> None:
    bench.dry()
    terms = bench.terms(PLAIN)
    (answer,) = await bench.place(terms)
    assert answer.outcome is SendOutcome.DROPPED
    assert bench.stages(terms.cid) == [OrderState.JOURNALLED, OrderState.SIGNED]
    assert not bench.rig.exchange.open_orders()


@on_bench
async def test_a_live_port_cannot_be_built_without_an_arming(bench: Bench) -> None:
    with pytest.raises(AssertionError, match="expected an Armed"):
        LivePort(bench.parts, None)  # type: ignore[arg-type]  # what a caller must not do
    with pytest.raises(EngineBug):
        Armed(seal=object(), until_ns=1 << 62)
    for mode in set(Mode) - {Mode.LIVE_ARMED}:
        with pytest.raises(OperatorError):
            arm(mode=mode, now_ns=1, until_ns=2)
    assert not any("lacing" in name for name in vars(DryRunPort(bench.parts)))


# --- cancels and the rest ------------------------------------------------------------------------


@on_bench
async def test_a_cancel_tells_what_is_gone_and_what_is_not(bench: Bench) -> None:
    terms = bench.terms(PLAIN)
    await bench.place(terms)
    first = await bench.ask(CancelAnswered, cancel(terms.order_hash))
    again = await bench.ask(CancelAnswered, cancel(terms.order_hash))
    assert (first.request, first.canceled, first.not_canceled) == ("c2", (terms.order_hash,), ())
    ((missing, why),) = again.not_canceled
    assert missing == terms.order_hash
    assert why


@on_bench
async def test_a_market_is_cancelled_alone(bench: Bench) -> None:
    mine, other = bench.terms(PLAIN), bench.terms(NEG)
    await bench.place(mine)
    await bench.place(other)
    wish = commands.CancelMarket(cause=1, realm=LIVE, request="m", market=PLAIN.condition)
    answer = await bench.ask(CancelAnswered, wish)
    assert answer.canceled == (mine.order_hash,)


@pytest.mark.timeout(20)
def test_more_than_a_thousand_hashes_are_cancelled_in_chunks_and_answered_once() -> None:
    async def test(bench: Bench) -> None:
        terms = bench.terms(PLAIN)
        await bench.place(terms)
        hashes = [f"0x{n:064x}" for n in range(1_500)] + [terms.order_hash]
        answer = await bench.ask(CancelAnswered, cancel(*hashes))
        assert answer.outcome is SendOutcome.ACCEPTED
        assert answer.canceled == (terms.order_hash,)
        assert len(answer.not_canceled) == 1_500

    on_bench(test)()


@on_bench
async def test_the_venues_buckets_are_told_when_they_move(bench: Bench) -> None:
    await bench.place(*(bench.terms(PLAIN, px=100_000 + 10_000 * n) for n in range(15)))
    told = [event for event in bench.said if isinstance(event, BudgetRead)]
    assert told
    assert (told[-1].tier, told[-1].orders_burst, told[-1].orders_left) == ("standard", 60, 45)


@on_bench
async def test_a_port_that_is_busy_says_so_and_cancels_all_the_same(bench: Bench) -> None:
    terms = bench.terms(PLAIN)
    await bench.place(terms)
    for _ in range(80):
        bench.port.execute(read_open())
    bench.port.execute(cancel_all())
    await bench.port.settled()
    reads = [event for event in bench.said if isinstance(event, OpenOrdersRead)]
    refused = [event for event in reads if not event.ok]
    assert (len(reads), len(refused)) == (80, 16)
    assert "busy" in refused[0].why
    (kill,) = [event for event in bench.said if isinstance(event, CancelAnswered)]
    assert kill.canceled == (terms.order_hash,)


@on_bench
async def test_a_venue_that_is_gone_leaves_orders_not_sent_and_reads_failed(bench: Bench) -> None:
    await bench.rig.server.close()
    (answer,) = await bench.place(bench.terms(PLAIN))
    assert answer.outcome is SendOutcome.NOT_SENT
    assert answer.text.startswith("no connection to 127.0.0.1")
    read = await bench.ask(OpenOrdersRead, read_open())
    assert (read.ok, read.orders) == (False, ())


@on_bench
async def test_closing_the_port_answers_what_is_under_way(bench: Bench) -> None:
    event = asyncio.Event()

    async def never(_orders: Any) -> Any:
        event.set()
        await asyncio.Event().wait()

    bench.signer.sign = never  # type: ignore[method-assign,assignment]  # a signer that hangs
    terms = bench.terms(PLAIN)
    bench.port.execute(commands.PlaceOrders(cause=1, realm=LIVE, orders=(terms,)))
    await event.wait()
    await bench.port.close()
    (answer,) = [e for e in bench.said if isinstance(e, OrderAnswered)]
    assert answer.outcome is SendOutcome.NOT_SENT


@on_bench
async def test_secrets_show_in_nothing_that_is_said(bench: Bench) -> None:
    terms = bench.terms(PLAIN)
    await bench.place(terms)
    bench.switch(lost_reply=1.0)
    await bench.place(bench.terms(PLAIN, px=490_000))
    bench.rig.venue.ring.delete(bench.trader.creds["apiKey"])
    await bench.place(bench.terms(PLAIN, px=480_000))
    await bench.do(cancel_all())
    credentials = bench.client.credentials
    assert isinstance(credentials, Credentials)
    shown = repr(bench.said) + repr(credentials) + repr(bench.port) + repr(bench.parts)
    signatures = [bench.signer._sign(terms).signature[2:40]]
    for secret in (bench.trader.creds["secret"], bench.trader.creds["passphrase"], *signatures):
        assert secret not in shown
