"""A restart with many open orders: how long until the engine takes new ones.

Two worlds. In the practice venue an engine process starts on a store that knows 500 orders, which
rest at a venue that outlived the engine before; it is killed as soon as its intake is open, and the
next one starts. In the rehearsal the same happens in virtual time, where only the engine's own work
costs anything. Nobody quotes what a dead run left, so the engine pulls it while it reconciles: that
work is inside the figures.
"""

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter_ns, sleep, thread_time_ns
from typing import Any, Final

import msgspec
import uvloop

from bench.measure import spread
from bench.practice import SEED, Trader, trader, venue
from bench.processes import LOG, EngineProcess, polytui
from bench.report import ROOT, Result
from polytui.engine.core.account_events import OrderAnswered, OrderStaged
from polytui.engine.core.commands import Command, RecordOrder
from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.events import Event, MarketSpec
from polytui.engine.core.order_enums import OrderState, OrderType, Realm, SendOutcome
from polytui.engine.core.runconfig import OrdersConfig, PracticeConfig, RunConfig, StoreConfig
from polytui.engine.core.trading import Draft, Identity
from polytui.engine.core.units import U
from polytui.engine.orders.lifecycle import Order
from polytui.engine.orders.manager import Orders
from polytui.engine.shell.clock import read_wall_ns
from polytui.engine.shell.polymarket.discovery import Discovery
from polytui.engine.shell.polymarket.entry import BATCH_MAX, order_body
from polytui.engine.shell.polymarket.rest import Failed
from polytui.engine.shell.store.store import Store
from polytui.engine.sim.exchange.api import OrderRequest
from polytui.engine.sim.rehearsal import ACCOUNT, IDENTITY, OWNER, SECOND_NS, Rehearsal

ORDERS: Final = 500
GOAL_S: Final = 5.0
OPEN_S: Final = 40.0
PX_U6: Final = 10_000
QTY_U6: Final = 5 * U
LOOK_S: Final = 0.02
QUIET: Final = "the wait for quiet that the configuration demands"


def run_reconcile(*, quick: bool) -> Iterator[Result]:
    """Restart on 500 open orders, in virtual time and as a process."""
    yield from _rehearse(3 if quick else 10)
    yield from _restart(2 if quick else 10)


def live_orders(
    identity: Identity, specs: Sequence[MarketSpec], *, run: str, at_ns: int
) -> list[Order]:
    """Make bids that rest far below every market, as an engine that died had left them."""
    orders = Orders(Realm.LIVE, OrdersConfig(), run=run)
    orders.identity = identity
    made = [_live(orders, specs[n % len(specs)], n, at_ns) for n in range(ORDERS)]
    assert all(order.state is OrderState.LIVE for order in made), "expected orders that rest"
    return made


def _live(orders: Orders, spec: MarketSpec, n: int, at_ns: int) -> Order:
    stamp = {"at_ns": at_ns, "seq": n + 1}
    place = n % 2
    wish = Draft(
        strategy="box",
        market=spec.market,
        group=spec.group,
        token=spec.tokens[place],
        outcome=tuple(Outcome)[place],
        side=Side.BUY,
        px_u6=PX_U6,
        qty_u6=QTY_U6 + n * 10_000,
        order_type=OrderType.GTC,
    )
    order = orders.draft(wish, spec, PX_U6, venue_offset_ns=0, **stamp)
    orders.approve(order, **stamp)
    for stage in (OrderState.JOURNALLED, OrderState.SIGNED, OrderState.SENT):
        event = OrderStaged(realm=Realm.LIVE, cids=(order.cid,), stage=stage)
        orders.staged(event, **stamp)
    answer = OrderAnswered(
        realm=Realm.LIVE,
        cid=order.cid,
        order_hash=order.order_hash,
        outcome=SendOutcome.ACCEPTED,
        status="live",
    )
    orders.answered(answer, **stamp)
    return order


# --- the rehearsal -------------------------------------------------------------------------------


class Timed(Rehearsal):
    """A rehearsal that counts the processor time of its engine."""

    spent_ns = 0
    steps = 0

    def _step(self, event: Event) -> list[Command]:
        begun_ns = thread_time_ns()
        commands = super()._step(event)
        self.spent_ns += thread_time_ns() - begun_ns
        self.steps += 1
        return commands


def _rehearse(rounds: int) -> Iterator[Result]:
    """Kill and start again in virtual time, each round with another seed."""
    virtual: list[int] = []
    cpu: list[int] = []
    for seed in range(1, rounds + 1):
        world = _world(seed)
        begun_ns, world.spent_ns = world.now_ns, 0
        world.crash()
        account = world.engine.trading.accounts[Realm.LIVE]
        while not account.reconciler.intake.is_open:
            assert world.now_ns - begun_ns < OPEN_S * SECOND_NS, account.reconciler.intake.why
            world.run_for(LOOK_S)
        virtual.append(world.now_ns - begun_ns)
        cpu.append(world.spent_ns)
        assert not account.orders.unknown(), "expected to know of every order"
    yield _row("reconcile/rehearsal", virtual, "virtual time, seeded wire and venue", _work(cpu))


def _work(cpu: list[int]) -> str:
    return f"the engine's own work {median(cpu) / 1e6:.0f} ms CPU; {_quiet_s():g} s are {QUIET}"


def _quiet_s() -> float:
    return OrdersConfig().quiet_ms / 1_000


def _world(seed: int) -> Timed:
    world = Timed(seed=seed, config=RunConfig(), practice=PracticeConfig(markets=8, rate=5.0))
    specs = _calm(world.feed.specs())
    for order in live_orders(IDENTITY, specs, run="before", at_ns=world.now_ns):
        terms = order.terms
        assert terms is not None, "expected terms"
        result = world.exchange.place(
            OrderRequest(
                order_id=order.order_hash,
                account=ACCOUNT,
                owner=OWNER,
                token=terms.token,
                side=Side.BUY,
                maker_amount_u6=terms.maker_amount_u6,
                taker_amount_u6=terms.taker_amount_u6,
                order_type=OrderType.GTC,
                salt=terms.salt,
            )
        )
        assert result.is_success, f"expected an order to rest, was {result}"
        world.kept.orders[order.cid] = order.record(Realm.LIVE)
    return world


def _calm(specs: Sequence[MarketSpec]) -> list[MarketSpec]:
    """Choose markets that neither end soon nor stand on another grid."""
    end_ns = max(spec.end_ns or 0 for spec in specs)
    found = [
        spec
        for spec in specs
        if not spec.neg_risk
        and spec.tick_u6 == PX_U6
        and spec.protocol == "v1"
        and (spec.end_ns is None or end_ns - spec.end_ns < end_ns // 2)
        and "up" not in spec.slug.split("-")
        and "updown" not in spec.slug
    ]
    assert found, "expected plain markets"
    return found


# --- the practice venue --------------------------------------------------------------------------


def _restart(rounds: int) -> Iterator[Result]:
    """Kill and start an engine process on a venue that goes on."""
    with TemporaryDirectory(prefix="pr") as name:
        home = Path(name)
        with venue(singles=8, rate=20.0, control=home / "venue.sock") as ready:
            opened: list[int] = []
            answered: list[int] = []
            for turn in range(rounds):
                store = home / f"store{turn}"
                uvloop.run(_prepare(ready, store, f"before{turn}"))
                up_ns, open_ns = _start_and_kill(home, store)
                answered.append(up_ns)
                opened.append(open_ns)
    note = (
        f"from the start of the process; it answered after {median(answered) / 1e9:.2f} s; "
        f"{_quiet_s():g} s are {QUIET}"
    )
    yield _row("reconcile/practice-venue", opened, "kill -9, real sockets and signer", note)


async def _prepare(ready: dict[str, Any], directory: Path, run: str) -> None:
    """Let the orders rest at the venue, and write them into the store of an engine that died."""
    async with trader(ready, tokens=(), label="stock") as hands:
        found = Discovery(hands.client.gamma, hands.client.public)
        listed = await found.find()
        assert not isinstance(listed, Failed), listed
        specs = _calm(listed)
        orders = live_orders(hands.identity, specs, run=run, at_ns=read_wall_ns())
        hands.signer.allow(sorted({order.draft.token for order in orders}))
        for start in range(0, ORDERS, BATCH_MAX):
            await _post(hands, orders[start : start + BATCH_MAX])
    store = Store(StoreConfig(directory=str(directory)), run=run)
    await store.open()
    for order in orders:
        record = RecordOrder(cause=1, order=order.record(Realm.LIVE))
        store.keep(record, at_ns=read_wall_ns())
    assert await store.flushed(), store.health().why
    await store.close()


async def _post(hands: Trader, orders: Sequence[Order]) -> None:
    """Sign a batch and let it rest at the venue."""
    terms = [order.terms for order in orders if order.terms is not None]
    signatures = await hands.sign(terms)
    key = hands.credentials
    parts = [
        order_body(one, signature, owner=key.key)
        for one, signature in zip(terms, signatures, strict=True)
    ]
    body = b"[" + b",".join(parts) + b"]"
    headers = key.headers("POST", "/orders", body, stamp_s=hands.client.stamp_s())
    http = hands.client.clob.http
    request = http.request("POST", "/orders", headers=headers, body=body)
    reply = await http.ask(request, timeout_s=OPEN_S)
    found = msgspec.json.decode(reply.body)
    assert reply.status == 200, found
    assert all(row.get("status") == "live" for row in found), found


def _start_and_kill(home: Path, store: Path) -> tuple[int, int]:
    """Start an engine, wait for its intake to open, kill it; return when it answered and opened."""
    told = {
        "runtime_dir": home,
        "capture.directory": home / "capture",
        "store.directory": store,
        "practice.faults": "false",
        "sentinel.enabled": "false",
        "run.seed": SEED,
    }
    with (home / LOG).open("wb") as log:
        begun_ns = perf_counter_ns()
        process = subprocess.Popen(
            polytui(
                "serve", "--practice", *(f"--set={key}={value}" for key, value in told.items())
            ),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        running = EngineProcess(home, process)
        up_ns = perf_counter_ns() - begun_ns
        account = running.status().account
        while not account.intake_open:
            waited_ns = perf_counter_ns() - begun_ns
            assert waited_ns < OPEN_S * SECOND_NS, f"{account.intake_why}; {running.said()}"
            sleep(LOOK_S)
            account = running.status().account
        open_ns = perf_counter_ns() - begun_ns
        assert not account.unknown, f"expected to know of every order, was {account}"
    finally:
        process.kill()
        process.wait()
    return up_ns, open_ns


def _row(name: str, times: list[int], about: str, note: str) -> Result:
    found = spread(times)
    return Result(
        name=name,
        value=found.p99_us / 1e6,
        unit="s p99",
        n=len(times),
        stream=f"{ORDERS} open orders, restart until intake is open; {about}",
        spread=found,
        baseline=QUIET,
        ratio=found.p99_us / 1e6 / _quiet_s(),
        goal=f"p99 ≤ {GOAL_S:g} s",
        met=found.p99_us / 1e6 <= GOAL_S,
        note=note,
    )
