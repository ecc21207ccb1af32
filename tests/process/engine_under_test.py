"""`python -m tests.process.engine_under_test`: the engine as it is, with a strategy that trades.

The box strategy finds nothing in a mirrored book, so a scripted one makes the orders: armed, it
quotes, and takes now and then, as long as fewer than so many orders are open; `both` does so on
paper too. Nothing else differs, except that SIGUSR1 holds up the event loop for a while, that
SIGUSR2 is a bug of ours, that the first two real-time signals set the wall clock an hour forward
and two hours back, and that arming may count down faster.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from hashlib import blake2b

import polytui
from polytui import settings as configuration
from polytui.cli import overrides
from polytui.engine.core.decision import Decision, Intent
from polytui.engine.core.enums import Mode, Outcome, Reason, Side, Verdict
from polytui.engine.core.order_enums import Realm
from polytui.engine.core.runconfig import RunConfig
from polytui.engine.core.units import U
from polytui.engine.decide import modes
from polytui.engine.market.snapshot import MarketSnapshot
from polytui.engine.orders.bundle_acts import MAKER
from polytui.engine.shell import clock, service
from polytui.engine.strategy.api import Strategy

STRATEGY = "scripted"
QUOTE_TICKS = 5
"""Quotes stand up to this far below the best bid."""
TAKES_OF_16 = 3
"""Of sixteen orders of the mixed script, this many take."""
DOLLAR_QTY = 5 * U

FORWARD, BACK = signal.SIGRTMIN, signal.SIGRTMIN + 1
JUMPS_NS = {FORWARD: 3_600_000_000_000, BACK: -7_200_000_000_000}

OpenOrders = Callable[[], int]


class Script:
    """What the strategy does."""

    def __init__(self, *, kind: str, most: int, open_orders: OpenOrders) -> None:
        self._kind = kind
        self._most = most
        self._open_orders = open_orders

    def propose(self, snap: MarketSnapshot, memory: object) -> tuple[Decision, object]:
        dice = int.from_bytes(blake2b(f"{snap.spec.market}{snap.id}".encode()).digest()[:4])
        intent = self._intent(snap, dice) if self._open_orders() < self._most else None
        decision = Decision(
            strategy=STRATEGY,
            market=snap.spec.market,
            snapshot=snap.id,
            at_ns=snap.at_ns,
            verdict=Verdict.HOLD if intent is None else Verdict.INTENT,
            reason=Reason.OK,
            score_u6=0 if intent is None else 1,
            threshold_u6=1,
            intents=() if intent is None else (intent,),
        )
        return decision, memory

    def _intent(self, snap: MarketSnapshot, dice: int) -> Intent | None:
        outcome = Outcome.YES if dice & 1 else Outcome.NO
        takes = self._kind != "rest" and dice % 16 < TAKES_OF_16
        bid_u6, ask_u6 = snap.best_bid_u6(outcome), snap.best_ask_u6(outcome)
        if bid_u6 is None or ask_u6 is None:
            return None
        below = (dice >> 8) % QUOTE_TICKS
        px_u6 = ask_u6 if takes else bid_u6 - below * snap.tick_u6
        if not snap.tick_u6 <= px_u6 < U:
            return None
        qty_u6 = max(snap.spec.min_qty_u6, DOLLAR_QTY)
        if takes:
            qty_u6 = max(qty_u6, (2 * U // px_u6 + 1) * U)
        return Intent(
            strategy=STRATEGY,
            tier=1,
            market=snap.spec.market,
            token=snap.spec.tokens[0 if outcome is Outcome.YES else 1],
            outcome=outcome,
            side=Side.BUY,
            px_u6=px_u6,
            qty_u6=qty_u6,
            snapshot=snap.id,
            bundle="",
            leg=0,
            ev_u6=1,
            confidence=0.5,
            risk_cost_u6=px_u6 * qty_u6 // U,
            tags=() if takes else (MAKER,),
        )


def obey_jumps() -> None:
    """Let signals set the wall clock, under everything that reads it."""
    true_ns, ahead = time.time_ns, [0]

    def jump(number: int, _: object) -> None:
        ahead[0] += JUMPS_NS[number]

    vars(clock)["time_ns"] = lambda: true_ns() + ahead[0]
    for number in JUMPS_NS:
        signal.signal(number, jump)


def main() -> int:
    """Serve until told to stop; return the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--script", choices=("rest", "mix", "both"), default="rest")
    parser.add_argument("--most", type=int, default=0)
    parser.add_argument("--block-s", type=float, default=4.0)
    parser.add_argument("--version", default=polytui.__version__)
    parser.add_argument("--countdown-ms", type=int, default=500)
    parser.add_argument("--set", action="append", default=[], dest="sets")
    asked = parser.parse_args()
    running: list[service.Service] = []
    realms = {Mode.LIVE_ARMED: Realm.LIVE}
    if asked.script == "both":
        realms[Mode.PAPER] = Realm.PAPER

    def say(text: str) -> None:
        sys.stderr.write(f"{text}\n")

    def open_orders() -> int:
        trading = running[0]._engine.trading
        realm = realms.get(trading.room.mode)
        if realm is None:
            return int(asked.most)
        orders = trading.accounts[realm].orders
        return len(orders.open()) + len(orders.in_flight())

    def roster(_config: RunConfig) -> tuple[Strategy, ...]:
        script = Script(kind=asked.script, most=asked.most, open_orders=open_orders)
        return (Strategy(id=STRATEGY, tier=1, propose=script.propose),)

    class Observed(service.Service):
        def __init__(self, *arguments: object, **named: object) -> None:
            running.append(self)
            super().__init__(*arguments, **named)  # type: ignore[arg-type]  # handed on as it came

    service.Service = Observed  # type: ignore[misc]  # only so can the script see the orders
    signal.signal(signal.SIGUSR1, lambda *_: time.sleep(asked.block_s))
    signal.signal(signal.SIGUSR2, lambda *_: running[0]._on_bug(AssertionError("asked for")))
    obey_jumps()
    polytui.__version__ = asked.version
    modes.COUNTDOWN_NS = asked.countdown_ms * 1_000_000
    settings = configuration.load(file=None, overrides=overrides(asked.sets))
    return service.serve(settings, say, strategies=roster)


if __name__ == "__main__":
    os.environ.pop("POLYTUI_RUNTIME_DIR", None)
    sys.exit(main())
