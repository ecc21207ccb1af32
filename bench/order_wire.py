"""From a decision to the bytes of its order on the wire, in a real armed engine.

`python -m bench.order_wire DIRECTORY COUNT` is that engine: the service as it is, with practice
venue, signer, sentinel and store as processes and files of their own, and one strategy that quotes
on a beat. It arms by the whole ritual, sends COUNT orders with the store's durability `full` and as
many with `normal`, and prints what each stage of each order took. Stages are taken at the port, by
the events that it says anyway.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter_ns
from typing import Final

import msgspec
import uvloop
from msgspec import Struct
from msgspec.structs import replace

from bench.measure import spread
from bench.report import ROOT, Result
from polytui import settings as configuration
from polytui.engine import machine
from polytui.engine.core.commands import PlaceOrders, PortCommand
from polytui.engine.core.decision import Decision, Intent
from polytui.engine.core.enums import Mode, Outcome, Side
from polytui.engine.core.events import Directive
from polytui.engine.core.order_enums import OrderState, Realm
from polytui.engine.core.runconfig import ArbiterConfig, LimitsConfig, RunConfig, Settings
from polytui.engine.core.units import U
from polytui.engine.market.snapshot import MarketSnapshot
from polytui.engine.orders.bundle_acts import MAKER
from polytui.engine.shell import places
from polytui.engine.shell.accounts import live
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, sleep_until
from polytui.engine.shell.polymarket.port import Leg, LivePort
from polytui.engine.shell.service import Service
from polytui.engine.shell.store.schema import SYNCHRONOUS
from polytui.engine.strategy.api import Strategy
from tests.engine.rehearsal.scripted import NAME, decide, want
from tests.support.engines import sweep

QTY_U6: Final = 5 * U
LOT_U6: Final = 10_000
STAGES: Final = ("record", "durable", "sign", "gate", "write")
ABOUT: Final = {
    "record": "the gate in the core, amounts, hash, records handed to the store",
    "durable": "the store's commit",
    "sign": "to the signer's process and back",
    "gate": "facts gathered and all controls asked, where bytes leave",
    "write": "body, login headers, connection, kernel",
}
PHASES: Final = ("full", "normal")
BEAT_NS: Final = 40_000_000
"""Between two orders: below the rates of venue, signer and gate."""
ARM_S: Final = 60
SEND_S: Final = 60
CAP: Final = 5_000
HUGE_U6: Final = 10**11
TIMEOUT_S: Final = 150
LIMITS: Final = LimitsConfig(
    orders_per_s=40,
    sends_max=10_000,
    rejects_max=1_000,
    market_u6=HUGE_U6,
    group_u6=HUGE_U6,
    strategy_u6=HUGE_U6,
    total_u6=HUGE_U6,
    day_loss_u6=HUGE_U6,
    strategy_loss_u6=HUGE_U6,
    drawdown=1.0,
    failed_share=1.0,
    depth_share=1.0,
    orders_per_fill=1_000,
)
"""All controls are asked; those that ration are set so wide that a bench can send at all."""


class Took(Struct, array_like=True):
    """Nanoseconds of each stage of one order."""

    record: int
    durable: int = 0
    sign: int = 0
    gate: int = 0
    write: int = 0

    @property
    def total(self) -> int:
        """From the decision to the bytes."""
        return self.record + self.durable + self.sign + self.gate + self.write


# --- the engine ----------------------------------------------------------------------------------


class Gauge:
    """What the strategy and the port have to say to each other."""

    def __init__(self) -> None:
        self.wanted = 0
        """Orders still to be decided on."""
        self.due_ns = self.decided_ns = 0
        self.done: list[Took] = []
        self.open: dict[str, tuple[Took, int]] = {}
        """By cid: what is known, and when the last stage ended."""

    def propose(self, snap: MarketSnapshot, _memory: object) -> tuple[Decision, None]:
        """Quote the best bid of YES when it is time."""
        now_ns = read_mono_ns()
        is_time = self.wanted > 0 and now_ns >= self.due_ns
        px_u6 = snap.best_bid_u6(Outcome.YES)
        intents = () if not is_time or px_u6 is None else (_quote(snap, px_u6, self.wanted),)
        decision = decide(snap, intents)
        if intents:
            self.wanted -= 1
            self.due_ns = now_ns + BEAT_NS
            self.decided_ns = perf_counter_ns()
        return decision, None


def _quote(snap: MarketSnapshot, px_u6: int, n: int) -> Intent:
    """Want a little of YES; no two alike, because the gate knows repetition when it sees it."""
    return want(snap, Side.BUY, Outcome.YES, px_u6, QTY_U6 + n * LOT_U6, tags=(MAKER,))


GAUGE: Final = Gauge()


class TimedPort(LivePort):
    """The port, noting when each stage of an order ended."""

    def execute(self, command: PortCommand) -> None:
        now_ns = perf_counter_ns()
        if isinstance(command, PlaceOrders):
            for terms in command.orders:
                GAUGE.open[terms.cid] = Took(now_ns - GAUGE.decided_ns), now_ns
        super().execute(command)

    def _passes(self, leg: Leg) -> bool:
        begun_ns = perf_counter_ns()
        passes = super()._passes(leg)
        GAUGE.open[leg.terms.cid][0].gate = perf_counter_ns() - begun_ns
        return passes

    def _stage(self, legs: list[Leg], stage: OrderState) -> None:
        now_ns = perf_counter_ns()
        for leg in legs:
            took, before_ns = GAUGE.open[leg.terms.cid]
            if stage is OrderState.JOURNALLED:
                took.durable = now_ns - before_ns
            elif stage is OrderState.SIGNED:
                took.sign = now_ns - before_ns
            else:
                took.write = now_ns - before_ns - took.gate
                GAUGE.done.append(took)
            GAUGE.open[leg.terms.cid] = took, now_ns
        super()._stage(legs, stage)


class WireService(Service):
    """The service with somebody who arms it and counts."""

    _said = ""
    """Why a directive was refused, the last time one was."""

    async def drive(self, count: int) -> dict[str, list[Took]]:
        """Arm, send, stop."""
        try:
            await self._arm_live()
            found = {}
            for phase in PHASES:
                await self._accounts.store.database.execute(SYNCHRONOUS[phase])
                found[phase] = await self._send(count)
            return found
        finally:
            self._stopping.set()

    async def _arm_live(self) -> None:
        for _ in range(ARM_S * 4):
            room = self._engine.trading.room  # another one once the run has begun
            if room.mode is Mode.LIVE_ARMED:
                return
            if not room.gates.is_released(NAME, Realm.LIVE, Mode.LIVE_ARMED):
                await self._direct("gate.promote", NAME, f"PROMOTE {NAME}")
            if room.modes.stage == "idle":
                await self._direct("mode.preflight", str(CAP), "4")
            if room.modes.stage == "challenged":
                await self._direct("mode.arm", room.modes.hash, f"ARM LIVE {CAP}", "bench")
            await sleep_until(read_mono_ns() + SECOND_NS // 4)
        raise AssertionError(f"expected to be armed within {ARM_S} s: {self._said}")

    async def _direct(self, action: str, *args: str) -> None:
        name = f"bench-{self._sequencer.seq}-{action}"
        self._runner.offer_event(Directive(id=name, action=action, args=args, actor="bench"))
        await sleep_until(read_mono_ns() + SECOND_NS // 50)
        reply = self._engine.directives.get(name)
        if reply is not None and not reply.ok:
            self._said = reply.text

    async def _send(self, count: int) -> list[Took]:
        GAUGE.done = []
        for _ in range(SEND_S * 20):
            GAUGE.wanted = count - len(GAUGE.done)
            if GAUGE.wanted <= 0:
                return GAUGE.done
            await sleep_until(read_mono_ns() + SECOND_NS // 20)
        counts = self._engine.trading.room.governor.refused
        raise AssertionError(f"expected {count} orders, were {len(GAUGE.done)}; refused {counts}")


async def _serve(settings: Settings, directory: Path, count: int) -> dict[str, list[Took]]:
    service = WireService(settings, directory)
    running = asyncio.ensure_future(service.run(lambda line: print(line, file=sys.stderr)))
    driving = asyncio.ensure_future(service.drive(count))
    await asyncio.wait([running, driving], return_when=asyncio.FIRST_COMPLETED)
    assert await running == 0, "expected the engine to stop in order"
    return await driving


def _roster(config: RunConfig) -> tuple[Strategy, ...]:
    """Replace the roster that an engine takes by itself."""
    del config
    return (Strategy(id=NAME, tier=0, propose=GAUGE.propose),)


def main(name: str, count: int) -> None:
    """Be the engine, in a directory; print the stages of every order."""
    machine.configured = _roster
    live.LivePort = TimedPort  # type: ignore[attr-defined]  # the class that a live account opens
    told = {
        "runtime_dir": name,
        "capture.directory": f"{name}/capture",
        "store.directory": f"{name}/store",
        "practice.faults": "false",
        "practice.rate": "200",
        "practice.markets": "20",
        "signer.orders_per_s": "1000",
    }
    settings = configuration.load(file=None, overrides=told)
    run = RunConfig(mode=Mode.LIVE_DRY_RUN, limits=LIMITS, arbiter=ArbiterConfig(duplicate_ms=0))
    directory = places.runtime_dir(name)
    places.prepare(directory)
    found = uvloop.run(_serve(replace(settings, run=run), directory, count))
    sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")


# --- results -------------------------------------------------------------------------------------


def run_wire(*, quick: bool) -> Iterator[Result]:
    """Time orders with both durabilities, stage by stage."""
    count = 40 if quick else 500
    with TemporaryDirectory(prefix="pw") as name:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "bench.order_wire", name, str(count)],
                cwd=ROOT,
                capture_output=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        finally:
            sweep(Path(name))
    assert not done.returncode, done.stderr.decode()[-800:]
    found: dict[str, list[Took]] = msgspec.json.decode(done.stdout, type=dict[str, list[Took]])
    normal_us = spread([took.total for took in found["normal"]]).p50_us
    for phase, rows in found.items():
        yield _total(phase, rows, normal_us)
        for stage in STAGES:
            yield _stage_row(phase, stage, [getattr(took, stage) for took in rows])


def _total(phase: str, rows: list[Took], normal_us: float) -> Result:
    found = spread([took.total for took in rows])
    return Result(
        name=f"order-wire/{phase}",
        value=found.p50_us,
        unit="µs p50",
        n=len(rows),
        stream=f"one order every {BEAT_NS // 1_000_000} ms at most, durability {phase}; "
        "armed engine, practice venue, real signer",
        spread=found,
        baseline="durability normal, p50",
        ratio=found.p50_us / normal_us,
        note=", ".join(
            f"{stage} {spread([getattr(took, stage) for took in rows]).p50_us:,.0f}"
            for stage in STAGES
        )
        + " µs p50",
    )


def _stage_row(phase: str, stage: str, times: list[int]) -> Result:
    found = spread(times)
    return Result(
        name=f"order-wire/{phase}/{stage}",
        value=found.p50_us,
        unit="µs p50",
        n=len(times),
        stream=f"{stage}: {ABOUT[stage]}",
        spread=found,
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
