"""FLATTEN: cancel, verify, exit inside a slippage bound, verify, receipt. A verb of its own.

The order is fixed: nothing is sold while an order of ours may still trade. Pairs of YES and NO are
merged first, as a merge moves no market and selling one half would open the other. Then the rest is
sold in slices, the smallest market impact first, never below the best bid of the beginning less the
bound. What cannot be sold so is left and named: the receipt never rounds up.
"""

from collections.abc import Collection, Mapping
from enum import Enum

from polytui.engine.core.account_events import CancelAnswered, OpenOrdersRead, PairsMoved
from polytui.engine.core.account_view import KillLine
from polytui.engine.core.commands import Command, MovePairs, ReadBalances, ReadWitness
from polytui.engine.core.enums import Side
from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.core.order_enums import KillStep, OrderType, Purpose, Realm, SendOutcome
from polytui.engine.core.runconfig import LimitsConfig
from polytui.engine.core.trading import Draft
from polytui.engine.core.units import U, ceil_to_tick_u6
from polytui.engine.decide.exits import (
    LOT_U6,
    ExitRow,
    FlattenPreview,
    Holding,
    exit_row,
    floor_of,
    lots_u6,
    rank,
)
from polytui.engine.decide.facts import OPERATOR
from polytui.engine.decide.killswitch import cancel_lines, line_of
from polytui.engine.decide.sweep import Reach, Standing, Sweep
from polytui.engine.decide.words import S, price, shares, short

FRUITLESS_MAX = 3
"""Slices in a row that sold nothing before a token is left."""
PATIENCE_NS = 20 * S
"""A token without a bid inside the bound, or without a usable book, is waited for this long."""
WITNESS_NS = 2 * S
"""While it waits its book is read over REST this often: a quiet book is a stale one."""
SLICES_MAX = 500
"""Slices of one token."""
DEADLINE_NS = 600 * S
"""A flatten stops after this and says what is left."""
MERGE_NS = 60 * S
"""A merge without an answer for this long is given up: its pairs stay, hedged."""


class Stage(Enum):
    """Where a flatten is; the values are `KillView.flatten_state`."""

    NONE = ""
    CANCELLING = "cancelling"
    EXITING = "exiting"
    VERIFYING = "verifying"
    DONE = "done"
    STOPPED = "stopped"

    @property
    def is_running(self) -> bool:
        """Tell whether it still acts."""
        return self in (Stage.CANCELLING, Stage.EXITING, Stage.VERIFYING)


NEXT: Mapping[Stage, frozenset[Stage]] = {
    Stage.NONE: frozenset({Stage.CANCELLING}),
    Stage.CANCELLING: frozenset({Stage.EXITING, Stage.STOPPED}),
    Stage.EXITING: frozenset({Stage.VERIFYING, Stage.STOPPED}),
    Stage.VERIFYING: frozenset({Stage.EXITING, Stage.DONE, Stage.STOPPED}),
    Stage.DONE: frozenset({Stage.CANCELLING}),
    Stage.STOPPED: frozenset({Stage.CANCELLING}),
}
"""Lawful steps; VERIFYING goes back when the chain returns what was thought sold."""


class _Exit:
    """One token on its way out."""

    __slots__ = ("floor_u6", "fruitless", "given_up", "slices", "sold_u6", "waiting_ns")

    def __init__(self) -> None:
        """Start without a floor."""
        self.floor_u6 = 0
        """Fixed by the first bid that is seen, so that our own selling never moves it."""
        self.waiting_ns = 0
        """Since when nothing could be sold; 0: it can be."""
        self.slices = 0
        self.fruitless = 0
        self.sold_u6 = 0
        self.given_up = ""


class Flatten:
    """The flatten of one realm: one at a time."""

    __slots__ = (
        "_exits",
        "_left",
        "_merged",
        "_merging",
        "_name",
        "_orders",
        "_proof",
        "_reason",
        "_sweep",
        "_times",
        "_waiting",
        "_witness_ns",
        "at_ns",
        "market",
        "realm",
        "slip_u6",
        "stage",
        "stop_why",
    )

    def __init__(self, realm: Realm) -> None:
        """Start with none."""
        self.realm = realm
        self.stage = Stage.NONE
        self.at_ns = 0
        self.market = ""
        """Empty: everything."""
        self.slip_u6 = 0
        self.stop_why = ""
        self._name = ""
        self._reason = ""
        self._orders = 0
        self._sweep: Sweep | None = None
        self._proof: Sweep | None = None
        self._exits: dict[str, _Exit] = {}
        self._merging: dict[str, tuple[str, int]] = {}
        self._merged: dict[str, None] = {}
        """Markets whose pairs were asked to be merged, once each."""
        self._left: dict[str, str] = {}
        self._times: dict[Stage, int] = {}
        self._waiting: dict[str, str] = {}
        """Tokens that could not be sold at the last look, with their markets."""
        self._witness_ns = 0

    # --- begin -----------------------------------------------------------------------------------

    def begin(
        self,
        asked: FlattenPreview,
        *,
        phrase: str | None,
        reason: str,
        market: str,
        slip_u6: int,
        standing: Standing,
        at_ns: int,
        seq: int,
    ) -> list[Command]:
        """Cancel everything in scope; nothing is sold before that is proven.

        `phrase` None: the mode asks for none (SHADOW, PAPER).

        Raises:
            OperatorError: one is running, or the phrase is not the preview's.
        """
        if self.stage.is_running:
            raise OperatorError(f"a flatten is {self.stage.value}: stop it first")
        if phrase is not None and phrase != asked.phrase:
            raise OperatorError(f"type {asked.phrase} to flatten, was {shown(phrase)}")
        self._name = f"flatten-{seq}"
        self._reason = reason
        self.market, self.slip_u6, self.at_ns = market, slip_u6, at_ns
        self._exits, self._merging, self._left, self._times = {}, {}, {}, {}
        self._merged, self._waiting, self._witness_ns = {}, {}, 0
        self.stop_why, self._proof = "", None
        self._orders = standing.open_orders + standing.in_flight + standing.unknown
        self._enter(Stage.CANCELLING, at_ns)
        self._sweep = self._make_sweep("")
        return self._sweep.begin(standing, at_ns=at_ns, seq=seq)

    def _make_sweep(self, suffix: str) -> Sweep:
        reach = Reach.MARKET if self.market else Reach.ALL
        return Sweep(self._name + suffix, self.realm, reach, market=self.market)

    def stop(self, why: str, *, at_ns: int) -> None:
        """End it where it is; what is working stays under the sweeps and the gate."""
        if self.stage.is_running:
            self.stop_why = why
            self._enter(Stage.STOPPED, at_ns)

    def _enter(self, stage: Stage, at_ns: int) -> None:
        assert stage in NEXT[self.stage], f"a flatten does not go {self.stage} -> {stage}"
        self.stage = stage
        self._times[stage] = at_ns

    # --- progress --------------------------------------------------------------------------------

    @property
    def _active(self) -> Sweep | None:
        if self.stage is Stage.CANCELLING:
            return self._sweep
        return self._proof if self.stage is Stage.VERIFYING else None

    def on_cancel(self, answer: CancelAnswered, *, at_ns: int, seq: int) -> list[Command]:
        """Take a cancel's answer."""
        sweep = self._active
        return [] if sweep is None else sweep.on_cancel(answer, at_ns=at_ns, seq=seq)

    def on_open(self, read: OpenOrdersRead, *, at_ns: int, seq: int) -> list[Command]:
        """Take a read of the open orders; a proof leads on to the next stage."""
        sweep = self._active
        if sweep is None:
            return []
        return sweep.on_open(read, at_ns=at_ns, seq=seq) + self._lead_on(at_ns, seq)

    def update(self, standing: Standing, *, at_ns: int, seq: int) -> list[Command]:
        """Take what our own books know of the scope."""
        sweep = self._active
        if sweep is None:
            return []
        sweep.update(standing, at_ns=at_ns)
        return self._lead_on(at_ns, seq)

    def _lead_on(self, at_ns: int, seq: int) -> list[Command]:
        """Go on to the exits once cancelled, with fresh balances: only confirmed shares sell."""
        sweep = self._sweep
        if self.stage is Stage.CANCELLING and sweep is not None and sweep.verified_ns:
            self._enter(Stage.EXITING, at_ns)
            request = f"{self._name}-b"
            return [ReadBalances(cause=seq, realm=self.realm, request=request, refresh=True)]
        return []

    def on_merged(self, moved: PairsMoved) -> None:
        """Take a merge's answer: what was not merged stays, hedged."""
        if moved.request not in self._merging:
            return
        market, _ = self._merging.pop(moved.request)
        if moved.outcome is not SendOutcome.ACCEPTED:
            self._left[market] = f"pairs not merged: {moved.why or moved.outcome.value}"

    def on_exit(self, token: str, filled_u6: int) -> None:
        """Take what a slice sold, fill by fill; a slice without any counts as fruitless."""
        going = self._exits.get(token)
        if going is None:
            return
        going.sold_u6 += filled_u6
        if filled_u6:
            going.fruitless = 0

    # --- exits -----------------------------------------------------------------------------------

    def merges(self, holdings: Collection[Holding], *, at_ns: int, seq: int) -> list[Command]:
        """Merge the pairs of every market once."""
        if self.stage is not Stage.EXITING:
            return []
        commands: list[Command] = []
        for holding in holdings:
            if not self._is_in(holding) or holding.market in self._merged or not holding.paired_u6:
                continue
            self._merged[holding.market] = None
            request = f"{self._name}-m{len(self._merged)}"
            self._merging[request] = (holding.market, at_ns)
            commands.append(
                MovePairs(
                    cause=seq,
                    realm=self.realm,
                    request=request,
                    op="merge",
                    market=holding.market,
                    qty_u6=holding.paired_u6,
                )
            )
        return commands

    def exits(
        self,
        holdings: Collection[Holding],
        busy: Collection[str],
        limits: LimitsConfig,
        *,
        at_ns: int,
        seq: int,
    ) -> list[Draft]:
        """Draft the next slice of every token that has none working, smallest impact first.

        `busy` are tokens with a working order of ours. Without anything left to do the flatten goes
        on to verify.
        """
        if self.stage is not Stage.EXITING:
            return []
        mine = [h for h in holdings if self._is_in(h)]
        self._waiting = {}
        rows = [self._row(h, at_ns) for h in mine if h.token not in busy]
        by_token = {h.token: h for h in mine}
        drafts = []
        for row in sorted((r for r in rows if r is not None), key=rank):
            draft = self._slice(row, by_token[row.token], limits, seq)
            if draft is not None:
                drafts.append(draft)
        is_held_up = self._merging or self._waiting or any(h.token in busy for h in mine)
        if not drafts and not is_held_up:
            self._enter(Stage.VERIFYING, at_ns)
            self._proof = None
        return drafts

    def _is_in(self, holding: Holding) -> bool:
        return self.market in ("", holding.market)

    def _row(self, holding: Holding, at_ns: int) -> ExitRow | None:
        """Judge one token: None when it is given up, waits, or nothing of it may be sold."""
        if lots_u6(holding.sellable_u6 - holding.paired_u6) == 0:
            return None
        going = self._exits.setdefault(holding.token, _Exit())
        if going.given_up:
            return None
        if not going.floor_u6 and holding.bids:
            going.floor_u6 = floor_of(holding.bids[0][0], self.slip_u6, holding.tick_u6)
        row = exit_row(holding, self.slip_u6, going.floor_u6)
        if row.qty_u6:
            going.waiting_ns = 0
            return row
        going.waiting_ns = going.waiting_ns or at_ns
        if at_ns - going.waiting_ns >= PATIENCE_NS:
            floor = price(going.floor_u6)
            going.given_up = f"no bid at {floor} or better" if going.floor_u6 else "no bid"
        else:
            self._waiting[holding.token] = holding.market
        return None

    def _slice(
        self, row: ExitRow, holding: Holding, limits: LimitsConfig, seq: int
    ) -> Draft | None:
        going = self._exits[row.token]
        if going.slices >= SLICES_MAX:
            going.given_up = f"{SLICES_MAX} slices"
            return None
        if going.fruitless >= FRUITLESS_MAX:
            going.given_up = f"{FRUITLESS_MAX} slices sold nothing at {price(going.floor_u6)}"
            return None
        floor_u6 = ceil_to_tick_u6(row.floor_u6, holding.tick_u6)
        by_cash_u6 = limits.order_cash_u6 * U // floor_u6
        qty_u6 = lots_u6(min(row.qty_u6, limits.order_qty_u6, by_cash_u6))
        if not qty_u6:
            going.given_up = "one lot is above the order limit"
            return None
        going.slices += 1
        going.fruitless += 1
        return Draft(
            strategy=OPERATOR,
            market=row.market,
            group=holding.group,
            token=row.token,
            outcome=row.outcome,
            side=Side.SELL,
            px_u6=floor_u6,
            qty_u6=qty_u6,
            order_type=OrderType.FAK,
            purpose=Purpose.FLATTEN,
            snapshot=holding.snapshot,
            epoch=holding.epoch,
            leg=going.slices,
            why=f"flatten {self._name} slice {going.slices} seq {seq}",
        )

    # --- time ------------------------------------------------------------------------------------

    def due(self, standing: Standing, *, at_ns: int, seq: int) -> list[Command]:
        """Repeat a cancel or a proof, give up what waits too long."""
        if not self.stage.is_running:
            return []
        if at_ns - self.at_ns >= DEADLINE_NS:
            self.stop(f"not finished within {DEADLINE_NS // S} s", at_ns=at_ns)
            return []
        for request, (market, asked_ns) in list(self._merging.items()):
            if at_ns - asked_ns >= MERGE_NS:
                del self._merging[request]
                self._left[market] = "pairs not merged: no answer"
        if self.stage is Stage.EXITING:
            return self._witnesses(at_ns, seq)
        if self.stage is Stage.VERIFYING and self._proof is None:
            self._proof = self._make_sweep("-v")
            return self._proof.begin(standing, at_ns=at_ns, seq=seq)
        sweep = self._active
        return [] if sweep is None else sweep.due(at_ns=at_ns, seq=seq)

    def _witnesses(self, at_ns: int, seq: int) -> list[Command]:
        """Ask for the books of the tokens that wait."""
        if not self._waiting or at_ns < self._witness_ns:
            return []
        self._witness_ns = at_ns + WITNESS_NS
        return [
            ReadWitness(cause=seq, market=market, token=token)
            for token, market in self._waiting.items()
        ]

    def next_due_ns(self) -> int | None:
        """Return when `due` has something to do, or None."""
        if not self.stage.is_running:
            return None
        times = [self.at_ns + DEADLINE_NS, *(ns + MERGE_NS for _, ns in self._merging.values())]
        sweep = self._active
        if sweep is not None and (due_ns := sweep.next_due_ns()) is not None:
            times.append(due_ns)
        if self._waiting:
            times.append(self._witness_ns)
        if self.stage is Stage.VERIFYING and self._proof is None:
            times.append(self._times[Stage.VERIFYING])
        return min(times)

    def settle(self, holdings: Collection[Holding], *, at_ns: int) -> None:
        """End it, or go back to selling what the chain returned, once nothing of ours is open.

        Unsettled shares are waited for until the deadline; then they are named as left.
        """
        proof = self._proof
        if self.stage is not Stage.VERIFYING or proof is None or not proof.verified_ns:
            return
        mine = [h for h in holdings if self._is_in(h)]
        self._waiting = {}
        rows = [self._row(h, at_ns) for h in mine]
        if self._waiting or any(row is not None for row in rows):
            self._enter(Stage.EXITING, at_ns)
            return
        if any(h.unsettled_u6 >= LOT_U6 for h in mine):
            return
        for holding in mine:
            if holding.sellable_u6 >= LOT_U6:
                going = self._exits.get(holding.token)
                why = going.given_up if going is not None and going.given_up else "paired"
                self._left[holding.token] = f"{shares(holding.sellable_u6)} left: {why}"
        self._enter(Stage.DONE, at_ns)

    @property
    def is_exiting(self) -> bool:
        """Tell the gate whether flatten's sells are lawful now."""
        return self.stage is Stage.EXITING

    # --- show ------------------------------------------------------------------------------------

    def receipt(self) -> tuple[KillLine, ...]:
        """Write the lines: cancelled, sold, proven, and everything that is left."""
        if self.stage is Stage.NONE or self._sweep is None:
            return ()
        sold_u6 = sum(going.sold_u6 for going in self._exits.values())
        slices = sum(going.slices for going in self._exits.values())
        sold = f"{shares(sold_u6)} sold in {slices} slices"
        end_ns = self._times.get(Stage.DONE, 0) or self._times.get(Stage.STOPPED, 0)
        end = self.stage.value + (f": {self.stop_why}" if self.stop_why else "")
        left = [f"{short(name)} {why}" for name, why in self._left.items()]
        left += [
            f"{short(token)} left: {going.given_up}"
            for token, going in self._exits.items()
            if going.given_up and token not in self._left
        ]
        sold_ns = self._times.get(Stage.VERIFYING, 0)
        return (
            *cancel_lines((self._sweep,), self.at_ns, self._orders),
            line_of(KillStep.FLATTEN, self.at_ns, sold_ns, sold),
            *(line_of(KillStep.FLATTEN, self.at_ns, sold_ns, text) for text in left),
            line_of(KillStep.FLATTEN, self.at_ns, end_ns, end),
        )
