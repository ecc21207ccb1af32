"""Trust, and how it is won back: start-up, sweeps, the difference report, intake open or closed.

The reconciler owns no order, no trade and no balance. It asks the questions that nobody owns (all
open orders, trades since, balances, the audit, the clock), holds the answers against the owners it
is handed, and says whether new orders may be taken. Absence is never proof by itself: a vanished
order gets its targeted reads from `Orders`, and intake waits for them. It fails closed, in words.

Order of work in the composition: an event is folded by its owners first (`Orders`, `Trades`,
`Portfolio`), then told here; sweeps of open orders are folded here, row by row.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import Struct

from polytui.engine.core.account_events import (
    AccountGone,
    AccountReady,
    AccountRestored,
    BalancesRead,
    CancelAnswered,
    ClockRead,
    HeartbeatAnswered,
    HostState,
    OpenOrdersRead,
    OrderAnswered,
    OrderRead,
    PositionsRead,
    SentinelSaid,
    TradesRead,
    UserStream,
    UserTrade,
    VenueChecked,
)
from polytui.engine.core.commands import Command
from polytui.engine.core.events import Event
from polytui.engine.core.order_enums import FillKind, OrderState, Realm, VenueCode
from polytui.engine.core.runconfig import OrdersConfig
from polytui.engine.core.trading import FillChange
from polytui.engine.orders.asking import MS, Questions, S
from polytui.engine.orders.bundle_acts import Alert
from polytui.engine.orders.difference import Report
from polytui.engine.orders.lifecycle import Order
from polytui.engine.orders.locking import Locks
from polytui.engine.orders.startup import READS, Cause, Passage, Stage
from polytui.engine.orders.sweeping import Moment, Owners, Sweeper, is_over
from polytui.engine.orders.trust import Intake, Way

LOOK_NS: Final = 500 * MS
"""The clock is looked at this often, however quiet it is."""
STALL_NS: Final = 1 * S
"""A gap of this length between two looks at the clock means that we slept (fault C4)."""
BEAT_LOST_NS: Final = 10 * S
"""After this without an accepted beat the venue may have cancelled everything (§3.3)."""
SETTLED_NS: Final = 1 * S
"""Balances are read this long after a settlement, once for all that settle together."""
VERSION: Final = 2
"""Of the venue's order format (§1); another one is never traded on."""

PAPER_SKIPS: Final = frozenset({Stage.VERSION, Stage.CLOCK, Stage.REGION, Stage.HEARTBEAT})
"""What a simulated venue does not have."""


class HaltMarket(Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """Stop new risk in a market until `ClearMarket` names the same cause."""

    market: str
    cause: str
    why: str


class ClearMarket(Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """The cause of a halt is gone, by evidence."""

    market: str
    cause: str


Finding = HaltMarket | ClearMarket | Alert


_CANCELS: Final = ("fired", "swept")
"""What the sentinel says before and after it cancels."""
_ANSWERS: Final = {
    "orders": Stage.READ_ORDERS,
    "trades": Stage.READ_TRADES,
    "balances": Stage.READ_BALANCES,
    "positions": Stage.READ_POSITIONS,
    "clock": Stage.CLOCK,
}
"""What each question proves."""


class Reconciler:
    """Trust in one realm's account."""

    __slots__ = (
        "_beat_ns",
        "_config",
        "_filled_ns",
        "_findings",
        "_halted",
        "_handlers",
        "_is_woken",
        "_last_ns",
        "_looked_up",
        "_orphans",
        "_questions",
        "_sweeper",
        "_way",
        "heartbeat_id",
        "locks",
        "report",
    )

    def __init__(
        self, realm: Realm, config: OrdersConfig, *, skip: frozenset[Stage] | None = None
    ) -> None:
        """Begin closed, with everything to prove; `skip` names stages this account lacks."""
        if skip is None:
            skip = PAPER_SKIPS if realm is Realm.PAPER else frozenset()
        self._config = config
        self._way = Way(skip, has_stream=realm is not Realm.PAPER)
        self._questions = Questions(realm, config, has_clock=Stage.CLOCK not in skip)
        self._last_ns = self._beat_ns = self._filled_ns = 0
        self._is_woken = False
        self._orphans: set[str] = set()
        """Orders of a dead run that may live: nobody quotes them."""
        self._looked_up: set[str] = set()
        """Hashes of orphans that a targeted read has answered."""
        self._halted: dict[tuple[str, str], str] = {}
        self._findings: list[Finding] = []
        self.heartbeat_id = ""
        """The id that the venue expects with the next beat (fault B25)."""
        self.report = Report(realm)
        self.locks = Locks(self.report)
        self._sweeper = Sweeper(self.report, config.touched_ms * MS)
        self._handlers: dict[type[Event], Callable[[Any, Moment], None]] = {
            AccountReady: self._on_ready,
            AccountGone: self._on_gone,
            AccountRestored: self._on_restored,
            HostState: self._on_host,
            VenueChecked: self._on_checked,
            ClockRead: self._on_clock,
            HeartbeatAnswered: self._on_beat,
            OrderAnswered: self._on_order,
            CancelAnswered: self._on_answer,
            SentinelSaid: self._on_sentinel,
            UserStream: self._on_stream,
            UserTrade: self._on_trade,
            OrderRead: self._on_order_read,
            OpenOrdersRead: self._on_sweep,
            TradesRead: self._on_trades,
            BalancesRead: self._on_balances,
            PositionsRead: self._on_positions,
        }

    # --- what others read ------------------------------------------------------------------------

    @property
    def intake(self) -> Intake:
        """Whether new orders may be taken, and if not, why."""
        return self._way.intake

    @property
    def way(self) -> Way:
        """The passage under way and the times that trust was won back; read only."""
        return self._way

    @property
    def stage(self) -> Stage:
        """Return the stage that is waited for; OPEN when none is."""
        passage = self._way.passage
        return Stage.OPEN if passage is None else passage.waits_for

    @property
    def wants_beat(self) -> bool:
        """Tell whether a beat is what is missing: send one at once."""
        return self._way.is_wanted(Stage.HEARTBEAT, self._beat_ns)

    # --- what comes in ---------------------------------------------------------------------------

    def on_event(
        self,
        event: Event,
        owners: Owners,
        at_ns: int,
        seq: int,
        *,
        booked: Sequence[FillChange] = (),
    ) -> list[Finding]:
        """Take one event, after its owners did; `booked` are the changes its trades led to.

        Returns what the composition has to apply; what `due` finds comes with `drain`.
        """
        self.look(at_ns)
        handler = self._handlers.get(type(event))
        if handler is not None:
            moment = Moment(owners, at_ns, seq, booked)
            handler(event, moment)
            self._walk(moment)
            self._is_woken = True
        return self.drain()

    def note_settled(self, at_ns: int) -> None:
        """Read the balances soon: a trade or a movement of pairs became final."""
        self._questions.asking["balances"].want(at_ns + SETTLED_NS)

    def look(self, at_ns: int) -> None:
        """Look at the clock, before anything is sent: after a gap nothing is believed (C4, C16)."""
        if not self._last_ns:
            self._way.close(Cause.START, at_ns)
        elif self.has_slept(at_ns):
            self._way.close(Cause.STALL, at_ns)
        self._last_ns = max(self._last_ns, at_ns)

    def has_slept(self, at_ns: int) -> bool:
        """Tell whether the last look at the clock is too long ago to believe anything."""
        return at_ns - self._last_ns >= STALL_NS

    def close(self, cause: Cause, at_ns: int) -> None:
        """Close intake for a cause that others found, e.g. a venue that restarts."""
        self._way.close(cause, at_ns)
        self._is_woken = True

    def drain(self) -> list[Finding]:
        """Hand over the findings since the last time."""
        findings = list(self._findings)
        self._findings.clear()
        return findings

    # --- time ------------------------------------------------------------------------------------

    def due(self, at_ns: int, seq: int, owners: Owners) -> list[Command]:
        """Ask what is due, watch beats and doubts, open where everything is proven."""
        self.look(at_ns)
        self._is_woken = False
        if self._beat_ns and at_ns - self._beat_ns > BEAT_LOST_NS:
            self._lose_beat(f"none accepted for {BEAT_LOST_NS // S} s", at_ns)
        self._walk(Moment(owners, at_ns, seq, ()))
        self._halt(owners, at_ns)
        warning = self._way.warning(at_ns)
        if warning:
            self._findings.append(Alert(code="intake_closed", text=warning))
        commands: list[Command] = list(self.report.drain(seq))
        if self._way.is_ready:
            commands += self._ask(at_ns, seq, owners)
            self._way.tell(self.report.missing_cash, at_ns)
        return commands

    def _ask(self, at_ns: int, seq: int, owners: Owners) -> list[Command]:
        """Ask at once, and all together, for whatever the passage lacks; else by the clock."""
        for name, asking in self._questions.asking.items():
            stage = _ANSWERS[name]
            if self._way.is_wanted(stage, asking.good_ns):
                if asking.asked_ns and self._way.is_wanted(stage, asking.asked_ns + 1):
                    asking.abandon()
                asking.want(at_ns)

        def tokens() -> set[str]:
            found = {order.draft.token for order in owners.orders.counted()}
            return found | set(owners.portfolio.tokens())

        commands = self._questions.due(at_ns, seq, tokens)
        for name, asking in self._questions.asking.items():
            if asking.why:
                self._way.lack(_ANSWERS[name], asking.why, at_ns)
        return commands

    def next_due_ns(self) -> int | None:
        """Return when `due` has something to do next."""
        times = [self._last_ns + (0 if self._is_woken else LOOK_NS)]
        if self._way.is_ready:
            times += [time for time in [self._questions.next_due_ns()] if time is not None]
        if self._beat_ns:
            times.append(self._beat_ns + BEAT_LOST_NS + 1)
        passage = self._way.passage
        if passage is not None and passage.is_next(Stage.QUIET):
            times.append(self._quiet_ns(passage))
        return min(times, default=None)

    # --- the way to open -------------------------------------------------------------------------

    def _walk(self, moment: Moment) -> None:
        self._sweeper.close_lines(moment)

        def judge(stage: Stage, passage: Passage) -> bool:
            if stage is Stage.QUIET:
                return moment.at_ns >= self._quiet_ns(passage)
            return self._is_reconciled(passage, moment)

        self._way.walk(judge, moment.at_ns)
        self._way.tell(self.report.missing_cash, moment.at_ns)

    def _quiet_ns(self, passage: Passage) -> int:
        """Return when it has been quiet for long enough: a new difference or fill begins anew."""
        read_ns = max(passage.done.get(stage, 0) for stage in READS)
        since_ns = max(read_ns, self.report.differed_ns, self._filled_ns)
        return since_ns + self._config.quiet_ms * MS

    def _is_reconciled(self, passage: Passage, moment: Moment) -> bool:
        """Cancel what a dead run left alive (C1), and wait for every open question.

        An order in doubt that was looked up since stays in doubt: it counts fully as exposure and
        blocks its token, which is as much as intake needs to know.
        """
        orders = moment.owners.orders
        waiting: list[Order] = list(self._sweeper.vanished.values())
        for cid in sorted(self._orphans):
            order = orders.by_cid.get(cid)
            if order is None or is_over(order):
                self._orphans.discard(cid)
                continue
            orders.request_cancel(
                order, why="nobody quotes it: its run ended", at_ns=moment.at_ns, seq=moment.seq
            )
            is_doubt = order.state is OrderState.UNKNOWN
            if not (is_doubt and order.order_hash in self._looked_up):
                waiting.append(order)
        if waiting:
            states = ", ".join(sorted({order.state.value for order in waiting}))
            passage.fail(Stage.DIFFERENCE, f"{len(waiting)} orders still {states}")
        return not waiting

    # --- lines and halts -------------------------------------------------------------------------

    def _halt(self, owners: Owners, at_ns: int) -> None:
        """Halt where a line says so, or an order is in doubt past its end (invariant 20)."""
        wanted = self.report.halting()
        for order in owners.orders.overdue(at_ns):
            key = (order.draft.market, f"unknown {order.cid}")
            wanted[key] = "in doubt past its end and 120 s"
        for key, why in wanted.items():
            if key not in self._halted:
                self._findings.append(HaltMarket(market=key[0], cause=key[1], why=why))
        for key in self._halted:
            if key not in wanted:
                self._findings.append(ClearMarket(market=key[0], cause=key[1]))
        self._halted = wanted

    # --- one kind of event each ------------------------------------------------------------------

    def _on_ready(self, _event: AccountReady, _moment: Moment) -> None:
        self._way.is_ready = True

    def _on_gone(self, _event: AccountGone, moment: Moment) -> None:
        self._way.is_ready = False
        self._way.close(Cause.PORT, moment.at_ns)

    def _on_restored(self, event: AccountRestored, moment: Moment) -> None:
        alive = (o for o in event.orders if not (o.external or o.state.is_terminal))
        self._orphans |= {order.cid for order in alive}
        self._questions.after_s = max(self._questions.after_s, event.last_trade_s)
        self._way.prove(Stage.ADOPT_JOURNAL, moment.at_ns)

    def _on_host(self, event: HostState, moment: Moment) -> None:
        if event.facts.lock_held:
            self._way.prove(Stage.LOCK, moment.at_ns)
        else:
            why = "another engine holds the data directory"
            self._way.lack(Stage.LOCK, why, moment.at_ns)

    def _on_checked(self, event: VenueChecked, moment: Moment) -> None:
        version, region = "", ""
        if not event.ok:
            version = region = f"not checked: {event.why}"
        elif event.version != VERSION:
            version = f"expected order version {VERSION}, was {event.version}"
            self._way.close(Cause.VERSION, moment.at_ns)
        if event.blocked:
            region = f"blocked here ({event.country})"
        elif event.closed_only:
            region = "the venue lets this account only close positions"
        for stage, why in ((Stage.VERSION, version), (Stage.REGION, region)):
            if why:
                self._way.lack(stage, why, moment.at_ns)
            else:
                self._way.prove(stage, moment.at_ns)

    def _on_clock(self, event: ClockRead, moment: Moment) -> None:
        asked_ns = event.asked_ns or moment.at_ns - event.rtt_ns
        self._take("clock", event, asked_ns, moment.at_ns)

    def _on_beat(self, event: HeartbeatAnswered, moment: Moment) -> None:
        self.heartbeat_id = event.heartbeat_id or self.heartbeat_id
        if event.ok:
            self._beat_ns = moment.at_ns
            self._way.prove(Stage.HEARTBEAT, moment.at_ns)
        else:
            self._lose_beat(f"refused: {event.why or event.code.value}", moment.at_ns)

    def _lose_beat(self, why: str, at_ns: int) -> None:
        """Stop at once: orders may be gone, and may live (B25)."""
        if self._beat_ns:
            self._way.close(Cause.HEARTBEAT, at_ns)
        self._beat_ns = 0
        self._way.lack(Stage.HEARTBEAT, why, at_ns)

    def _on_sentinel(self, event: SentinelSaid, moment: Moment) -> None:
        """Look again after every word of another's cancels: this engine is thought to be gone."""
        if event.state in _CANCELS:
            self._way.close(Cause.SENTINEL, moment.at_ns)

    def _on_answer(self, event: OrderAnswered | CancelAnswered, moment: Moment) -> None:
        if event.code is VenueCode.RESTARTING:
            self._way.close(Cause.RESTART, moment.at_ns)

    def _on_order(self, event: OrderAnswered, moment: Moment) -> None:
        self._on_answer(event, moment)
        owners = moment.owners
        if self.locks.answered(event, owners.orders, owners.portfolio, moment.at_ns):
            self._questions.doubt_balances(moment.at_ns)

    def _on_stream(self, event: UserStream, moment: Moment) -> None:
        self._way.stream(event.conn, moment.at_ns, is_up=event.up, why=event.why)

    def _on_trade(self, event: UserTrade, moment: Moment) -> None:
        if any(change.kind is FillKind.PROVISIONAL for change in moment.booked):
            self._filled_ns = moment.at_ns
        self._questions.after_s = max(self._questions.after_s, event.trade.matched_s)

    def _on_order_read(self, event: OrderRead, moment: Moment) -> None:
        order = moment.owners.orders.by_hash.get(event.order_hash)
        if event.ok and order is not None and order.cid in self._orphans:
            self._looked_up.add(event.order_hash)
        elif event.ok and order is not None and event.order is not None:
            self._sweeper.found(order, moment.at_ns)

    def _take(self, name: str, event: Any, asked_ns: int, at_ns: int) -> bool:
        """Note an answer to one of our questions; return whether it is a good one."""
        asking = self._questions.asking.get(name)
        if asking is None:
            return bool(event.ok)
        if event.ok:
            asking.answered(asked_ns)
            self._way.prove(_ANSWERS[name], asked_ns)
        elif asking.asked_ns:
            asking.failed(event.why or "failed", at_ns)
            self._way.lack(_ANSWERS[name], asking.why, at_ns)
        return bool(event.ok)

    def _on_balances(self, event: BalancesRead, moment: Moment) -> None:
        if self._take("balances", event, event.asked_ns, moment.at_ns):
            self._sweeper.balances(event, moment)
            self.locks.read(event, moment.owners.portfolio, moment.at_ns)

    def _on_positions(self, event: PositionsRead, moment: Moment) -> None:
        if self._take("positions", event, event.asked_ns, moment.at_ns):
            self._sweeper.positions(event, moment)

    def _on_trades(self, event: TradesRead, moment: Moment) -> None:
        """Show each fill that only a read told us of; a read of others proves no stage."""
        if event.request == self._questions.asking["trades"].request:
            self._take("trades", event, event.asked_ns, moment.at_ns)
        if event.ok:
            newest_s = max((trade.matched_s for trade in event.trades), default=0)
            self._questions.after_s = max(self._questions.after_s, newest_s)
        self._sweeper.trades(moment)

    def _on_sweep(self, event: OpenOrdersRead, moment: Moment) -> None:
        if self._take("orders", event, event.asked_ns, moment.at_ns):
            self._sweeper.orders(event, moment, is_strict=self._way.passage is not None)
