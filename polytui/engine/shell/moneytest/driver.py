"""The operator of the money test: does over the socket what a person does, and keeps the receipt.

Promote, arm with the phrase, one resting order and its cancel, one purchase of about a dollar,
wait until it is confirmed, sell it back, stop. Every step waits for the engine's own word and for
a bounded time; the first that fails ends the test, the engine is stopped all the same.
"""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from polytui.engine.core.account_view import (
    ORDERS,
    POSITIONS,
    RISK,
    FillRow,
    OrderRow,
    OrdersView,
    PositionRow,
    PositionsView,
    RiskView,
)
from polytui.engine.core.enums import Mode, Side
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.messages import Answer, Confirm
from polytui.engine.core.order_enums import Applied, OrderState, Realm
from polytui.engine.core.view import AnySection
from polytui.engine.decide.words import dollars, price, shares, short
from polytui.engine.shell.clock import SECOND_NS, nap, read_mono_ns
from polytui.engine.shell.dial import Dialled, Unreachable
from polytui.engine.shell.moneytest.script import CENT_SHARE_U6, NAME, Kind, Script, Wish
from polytui.engine.shell.places import ADMIN_SOCKET

CAP: Final = "5"
"""Dollars that the session is armed with."""
HOURS: Final = "1"
STEP_NS: Final = 45 * SECOND_NS
"""Longest wait of one step."""
LOOK_NS: Final = SECOND_NS // 20
TRIES: Final = 5
"""Orders tried for one wish: a gate that refuses one moment may let the next pass."""
GONE: Final = (OrderState.CANCELED, OrderState.EXPIRED, OrderState.REFUSED, OrderState.VETOED)


class Step(Struct, frozen=True, kw_only=True):
    """One line of the receipt."""

    name: str
    ok: bool
    text: str
    took_ms: int


class StepFailed(Exception):
    """A step did not come to its end; the message says where it stood."""


class Driver:
    """One run of the test against the engine in this directory."""

    def __init__(self, directory: Path, script: Script, say: Callable[[Step], None]) -> None:
        """Tell each step as it ends."""
        self._path = directory / ADMIN_SOCKET
        self._script = script
        self._say = say
        self._seen: set[str] = set()
        """Orders of earlier wishes."""
        self.ok = False

    def run(self) -> None:
        """Do all steps, then stop the engine whatever came of them."""
        bought: list[FillRow] = []
        rested: list[OrderRow] = []
        steps: tuple[tuple[str, Callable[[], str]], ...] = (
            ("engine", self._wait_for_engine),
            ("release", self._promote),
            ("arm", self._arm),
            ("post", lambda: self._post(rested)),
            ("cancel", lambda: self._cancel(rested[0])),
            ("buy", lambda: self._buy(bought)),
            ("confirm", self._confirm),
            ("sell", lambda: self._sell(bought[0])),
            ("settle", self._settle),
            ("cost", self._cost),
        )
        try:
            self.ok = all(self._step(name, act) for name, act in steps)
        finally:
            self._script.wish(None)
            if not self._step("stop", lambda: self._must("engine.stop")):
                signal.raise_signal(signal.SIGTERM)

    def _step(self, name: str, act: Callable[[], str]) -> bool:
        begun_ns = read_mono_ns()
        try:
            text, ok = act(), True
        except (StepFailed, OperatorError) as error:
            text, ok = str(error), False
        took_ms = (read_mono_ns() - begun_ns) // 1_000_000
        self._say(Step(name=name, ok=ok, text=text, took_ms=took_ms))
        return ok

    # --- the steps -------------------------------------------------------------------------------

    def _wait_for_engine(self) -> str:
        self._until(self._answers, "an engine that answers")
        self._until(lambda: self._risk().intake_open or self._shadow_ready(), "a trusted account")
        return "up, its account reconciled"

    def _answers(self) -> bool:
        try:
            with Dialled(self._path):
                return True
        except Unreachable:
            return False

    def _shadow_ready(self) -> bool:
        """Go where the account is read: in SHADOW nothing asks for it."""
        if self._risk().mode is Mode.SHADOW:
            self._ask("mode.set", "paper")
        return False

    def _promote(self) -> str:
        for _ in range(4):
            ok, text = self._ask("gate.promote", NAME)
            if not ok and "top of the ladder" not in text:
                raise StepFailed(text)
        self._until(lambda: self._ask("mode.set", "live_dry_run")[0], "LIVE DRY RUN")
        self._until(lambda: self._risk().realm is Realm.LIVE, "the live account")
        return "released for practice money"

    def _arm(self) -> str:
        self._until(self._confirmed, "a preflight in order")
        self._until(lambda: self._risk().mode is Mode.LIVE_ARMED, "the end of the countdown")
        return f"LIVE ARMED on the practice venue, cap ${CAP}, {HOURS} h"

    def _confirmed(self) -> bool:
        ok, _ = self._ask("mode.preflight", CAP, HOURS)
        arm = self._risk().arm
        if not ok or not arm.phrase:
            nap(LOOK_NS * 4)
            return False
        return self._ask("mode.arm", arm.hash, arm.phrase, "money test")[0]

    def _post(self, rested: list[OrderRow]) -> str:
        order = self._wished(Wish(kind=Kind.REST), (OrderState.LIVE,))
        rested.append(order)
        return f"GTD post-only {_words(order)} rests, {order.ack_us / 1000:.1f} ms"

    def _cancel(self, order: OrderRow) -> str:
        self._must("orders.cancel", f"order:{order.cid}")
        self._until(lambda: self._order(order.cid).state is OrderState.CANCELED, "the cancel")
        found = self._order(order.cid)
        if found.filled_u6:
            raise StepFailed(f"expected nothing filled, was {shares(found.filled_u6)}")
        return "the venue confirms, nothing was filled"

    def _buy(self, bought: list[FillRow]) -> str:
        order = self._wished(Wish(kind=Kind.BUY), (OrderState.MATCHED, OrderState.PARTIAL))
        self._until(lambda: bool(self._fills(order.cid)), "the fill")
        bought.append(self._fills(order.cid)[0])
        return f"{_words(order)}, {order.ack_us / 1000:.1f} ms"

    def _confirm(self) -> str:
        self._until(self._all_settled, "CONFIRMED")
        return "settled: the shares are ours"

    def _sell(self, fill: FillRow) -> str:
        outcome = next(row.side for row in self._positions().rows if row.outcome == fill.outcome)
        for _ in range(TRIES):
            left_u6 = self._sellable() // CENT_SHARE_U6 * CENT_SHARE_U6
            if not left_u6:
                break
            wish = Wish(kind=Kind.SELL, market=fill.market, outcome=outcome, qty_u6=left_u6)
            self._wished(wish, (OrderState.MATCHED, OrderState.PARTIAL))
            self._until(self._all_settled, "CONFIRMED")
        sold = [row for row in self._orders().fills if row.side is Side.SELL]
        if self._sellable() >= CENT_SHARE_U6 or not sold:
            raise StepFailed(f"expected everything sold, {shares(self._sellable())} are left")
        return f"{len(sold)} fills, {dollars(sum(row.cash_u6 for row in sold))} back"

    def _settle(self) -> str:
        self._until(self._all_settled, "CONFIRMED")
        if (count := len([a for a in self._positions().anomalies if not a.resolved_ns])) > 0:
            raise StepFailed(f"expected no difference with the venue, was {count}")
        return "nothing provisional, no difference with the venue"

    def _cost(self) -> str:
        view = self._positions()
        fills = self._orders().fills
        paid = sum(f.cash_u6 + f.fee_u6 for f in fills if f.side is Side.BUY)
        got = sum(f.cash_u6 - f.fee_u6 for f in fills if f.side is Side.SELL)
        fees = sum(f.fee_u6 for f in fills)
        ledger = view.fees_u6 - view.realized_u6
        if ledger != paid - got:
            raise StepFailed(f"fills cost {dollars(paid - got)}, the ledger says {dollars(ledger)}")
        return (
            f"{dollars(paid - got)}: paid {dollars(paid)}, got {dollars(got)}, of it fees "
            f"{dollars(fees)}; the ledger agrees to the last micro-dollar"
        )

    # --- asking ----------------------------------------------------------------------------------

    def _wished(self, wish: Wish, wanted: tuple[OrderState, ...]) -> OrderRow:
        """Have one order made and wait for its state; try again when the gate or venue refuses."""
        why = ""
        for _ in range(TRIES):
            self._script.wish(wish)
            self._until(lambda: not self._script.is_open, "a market to trade in")
            self._until(lambda: bool(self._fresh()), "the order")
            order = self._fresh()[0]
            self._seen.add(order.cid)
            self._until(
                lambda cid=order.cid: self._order(cid).state in (*wanted, *GONE),  # type: ignore[misc]  # binds this order now
                " or ".join(state.value for state in wanted),
            )
            found = self._order(order.cid)
            if found.state in wanted or found.filled_u6:
                return found
            why = f"{found.state.value}: {found.why}"
        raise StepFailed(f"expected {wanted[0].value}, {TRIES} orders were {why}")

    def _fresh(self) -> list[OrderRow]:
        return [
            row
            for row in self._orders().orders
            if row.cid not in self._seen and row.strategy == NAME
        ]

    def _order(self, cid: str) -> OrderRow:
        for row in self._orders().orders:
            if row.cid == cid:
                return row
        raise StepFailed(f"expected the order {short(cid)}, it is gone from the view")

    def _fills(self, cid: str) -> list[FillRow]:
        return [row for row in self._orders().fills if row.cid == cid]

    def _all_settled(self) -> bool:
        fills = self._orders().fills
        if any(row.applied is Applied.VOIDED for row in fills):
            raise StepFailed("a fill failed to settle: the venue took it back")
        rows = self._positions().rows
        open_u6 = sum(row.provisional_in_u6 + row.provisional_out_u6 for row in rows)
        return not open_u6 and all(row.applied is Applied.PROMOTED for row in fills)

    def _sellable(self) -> int:
        return sum(row.sellable_u6 for row in self._held())

    def _held(self) -> list[PositionRow]:
        return [row for row in self._positions().rows if row.strategy == NAME]

    def _risk(self) -> RiskView:
        view = self._look(RISK)
        assert isinstance(view, RiskView), "expected the risk section"
        return view

    def _orders(self) -> OrdersView:
        view = self._look(ORDERS)
        assert isinstance(view, OrdersView), "expected the orders section"
        return view

    def _positions(self) -> PositionsView:
        view = self._look(POSITIONS)
        assert isinstance(view, PositionsView), "expected the positions section"
        return view

    def _look(self, topic: str) -> AnySection | None:
        with Dialled(self._path) as engine:
            return engine.look(topic)

    def _ask(self, action: str, *args: str) -> tuple[bool, str]:
        with Dialled(self._path) as engine:
            answer = engine.ask(action, args, _agree)
        return answer.ok, answer.text

    def _must(self, action: str, *args: str) -> str:
        ok, text = self._ask(action, *args)
        if not ok:
            raise StepFailed(text)
        return text

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        deadline_ns = read_mono_ns() + STEP_NS
        while not holds():
            if read_mono_ns() > deadline_ns:
                raise StepFailed(
                    f"expected {what} within {STEP_NS // SECOND_NS} s{self._why_not()}"
                )
            nap(LOOK_NS)

    def _why_not(self) -> str:
        """Say what the engine's own preflight holds against us."""
        try:
            arm = self._risk().arm
        except OperatorError:
            return ""
        red = ", ".join(f"{row.code} ({row.value})" for row in arm.checks if not row.ok)
        return f"; its preflight: {red}" if red else ""


def _words(order: OrderRow) -> str:
    return (
        f"{order.side.value.upper()} {shares(order.qty_u6)} of {order.outcome} at "
        f"{price(order.px_u6)}"
    )


def _agree(challenge: Answer) -> Confirm:
    """Type what the engine wants typed: it is practice money, and the receipt shows each step."""
    return Confirm(challenge=challenge.challenge, typed=challenge.typed, reason="money test")
