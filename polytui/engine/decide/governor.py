"""The governor: one function at the single place where bytes leave, and what it stands on.

`CHECKS` is the whole gate in its fixed order; the first refusal wins. The composition asks it when
an order is approved and again just before its bytes are written, each time with facts of that
moment. Cancels are never gated. Limits, counters, breakers and the causes of the trading state are
kept here, one set per realm where money differs, so that paper never stops live nor hides it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from polytui.engine.core.account_view import ControlRow
from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.core.order_enums import Control, Purpose, Realm, TradingState
from polytui.engine.core.runconfig import LimitsConfig
from polytui.engine.core.trading import Draft, Refusal
from polytui.engine.decide import checks_market as market
from polytui.engine.decide import checks_money as money
from polytui.engine.decide import checks_state as state
from polytui.engine.decide.breakers import Breaker, Breakers, Effect
from polytui.engine.decide.causes import Cause, Causes, Clears
from polytui.engine.decide.facts import Gated, GateFacts, Pace
from polytui.engine.decide.limits import LimitBook
from polytui.engine.decide.rates import Rates

Check = Callable[[Gated, GateFacts, LimitsConfig], Refusal | None]

CHECKS: tuple[tuple[Control, Check], ...] = (
    (Control.KILLED, state.killed),
    (Control.TRADING_STATE, state.trading_state),
    (Control.MODE, state.mode),
    (Control.INSTANCE, state.instance),
    (Control.HEARTBEAT, state.heartbeat),
    (Control.CLOCK, state.clock),
    (Control.JOURNAL, state.journal),
    (Control.LOOP_LAG, state.loop_lag),
    (Control.TRADABLE, market.tradable),
    (Control.FRESHNESS, market.freshness),
    (Control.BOOK_VALID, market.book_valid),
    (Control.OWNERSHIP, market.ownership),
    (Control.GRID, market.grid),
    (Control.COLLAR, market.collar),
    (Control.ORDER_SIZE, market.order_size),
    (Control.DEPTH_SHARE, market.depth_share),
    (Control.EXPOSURE, money.exposure),
    (Control.FUNDS, money.funds),
    (Control.DUPLICATE, money.duplicate),
    (Control.SELF_CROSS, money.self_cross),
    (Control.RATE, money.rate),
    (Control.REPETITION, money.repetition),
    (Control.LOSS, money.loss),
    (Control.EXPIRY, money.expiry),
    (Control.CONDUCT, money.conduct),
)
"""Every control once, in the order in which they are asked."""

TITLES: Mapping[Control, str] = {
    Control.KILLED: "kill latch clear",
    Control.TRADING_STATE: "trading state and venue",
    Control.MODE: "mode and arming",
    Control.INSTANCE: "one instance, one configuration",
    Control.HEARTBEAT: "heartbeat accepted",
    Control.CLOCK: "venue clock",
    Control.JOURNAL: "journal writable",
    Control.LOOP_LAG: "event loop keeps up",
    Control.TRADABLE: "market tradable",
    Control.FRESHNESS: "inputs fresh",
    Control.BOOK_VALID: "book valid, epoch current",
    Control.OWNERSHIP: "owner and allow-list",
    Control.GRID: "price grid, size, amounts",
    Control.COLLAR: "price collar",
    Control.ORDER_SIZE: "order size",
    Control.DEPTH_SHARE: "share of visible depth",
    Control.EXPOSURE: "worst-case exposure",
    Control.FUNDS: "cash and shares free",
    Control.DUPLICATE: "no duplicate",
    Control.SELF_CROSS: "no trade with ourselves",
    Control.RATE: "message rate",
    Control.REPETITION: "no repeated execution",
    Control.LOSS: "losses and settlements",
    Control.EXPIRY: "expiry of what rests",
    Control.CONDUCT: "quote life and cancel budget",
}

_STALE = frozenset({Control.FRESHNESS, Control.BOOK_VALID, Control.CLOCK, Control.INSTANCE})
"""Controls that make a send one on stale state."""

_OWNER = "breakers"


class Desk:
    """What the governor keeps per realm."""

    __slots__ = ("breakers", "causes", "rates", "realm")

    def __init__(self, realm: Realm, limits: LimitsConfig) -> None:
        """Start with nothing counted, tripped or caused."""
        self.realm = realm
        self.rates = Rates(realm, limits)
        self.breakers = Breakers(limits)
        self.causes = Causes()


class Governor:
    """The gate and its memory."""

    __slots__ = ("desks", "last", "limits", "passed", "refused", "sent", "stale_sent")

    def __init__(self, configured: LimitsConfig) -> None:
        """Start with the configured limits.

        Raises:
            OperatorError: a limit is outside what is compiled in.
        """
        self.limits = LimitBook(configured)
        self.desks = {realm: Desk(realm, self.limits.now) for realm in Realm}
        self.refused: Counter[Control] = Counter()
        self.last: dict[Control, tuple[int, Refusal]] = {}
        self.passed = 0
        self.sent = 0
        self.stale_sent = 0
        """`orders_sent_on_stale_state_total`: always 0."""

    # --- the gate --------------------------------------------------------------------------------

    def check(self, order: Gated, facts: GateFacts) -> Refusal | None:
        """Ask every control in order; the first refusal is counted and returned."""
        refusal = self.judge(order, facts)
        if refusal is None:
            self.passed += 1
        else:
            self.note_refused(facts.realm, refusal, order.draft, facts.at_ns)
        return refusal

    def judge(self, order: Gated, facts: GateFacts) -> Refusal | None:
        """Ask every control and count nothing: for the look outside a step, where bytes leave."""
        limits = self.limits.now
        for control, ask in CHECKS:
            refusal = ask(order, facts, limits)
            if refusal is not None:
                assert refusal.control is control, f"expected {control}, was {refusal.control}"
                return refusal
        return None

    def note_refused(self, realm: Realm, refusal: Refusal, draft: Draft, at_ns: int) -> None:
        """Count a refusal; one for repetition latches the strategy off in the market."""
        self.refused[refusal.control] += 1
        self.last[refusal.control] = (at_ns, refusal)
        if refusal.control is Control.REPETITION:
            why = f"{refusal.value}, limit {refusal.limit}"
            self.desks[realm].breakers.repeated(draft.strategy, draft.market, why, at_ns)

    def pace(self, realm: Realm, cid: str, draft: Draft, *, open_orders: int, at_ns: int) -> Pace:
        """State the counts and breakers that stand before one order; part of its facts."""
        desk = self.desks[realm]
        breakers = desk.breakers
        return desk.rates.pace(
            cid,
            draft,
            open_orders=open_orders,
            at_ns=at_ns,
            peak_u6=breakers.peak_u6,
            breaker=breakers.before_entry(draft.strategy),
            repetition=breakers.latched(draft.strategy, draft.market),
        )

    # --- what happened ---------------------------------------------------------------------------

    def note_send(self, realm: Realm, cid: str, draft: Draft, at_ns: int) -> None:
        """Count an order at its approval, once, so that orders on their way see each other."""
        self.desks[realm].rates.on_send(cid, draft, at_ns)

    def note_sent(
        self, order: Gated, facts: GateFacts, *, has_book_news: bool = False
    ) -> Refusal | None:
        """Look again at an order whose bytes were written: any answer but None is our bug.

        Counts `orders_sent_on_stale_state_total`, from the facts of the moment of writing; with
        `has_book_news` the book changed after the gate had passed it, and is not held against it.
        """
        self.sent += 1
        limits = self.limits.now
        asked = _STALE - {Control.BOOK_VALID} if has_book_news else _STALE
        for control, ask in CHECKS:
            refusal = ask(order, facts, limits) if control in asked else None
            if refusal is not None:
                self.stale_sent += 1
                return refusal
        return None

    def note_futile(self, realm: Realm, cid: str, draft: Draft) -> None:
        """Let a hedge or an exit that ended with nothing filled be repeated at once (G19)."""
        if draft.purpose is not Purpose.OPEN:
            self.desks[realm].rates.forget(cid, draft)

    def note_reject(self, realm: Realm, draft: Draft, at_ns: int) -> Breaker | None:
        """Count the venue's refusal; at the limit the strategy is latched off in the market."""
        desk, limits = self.desks[realm], self.limits.now
        desk.rates.on_reject(draft, at_ns)
        if draft.purpose is Purpose.FLATTEN:
            return None
        pace = desk.rates.pace("", draft, open_orders=0, at_ns=at_ns)
        if pace.rejects < limits.rejects_max:
            return None
        why = f"{pace.rejects} rejects in {limits.rejects_s} s, limit {limits.rejects_max}"
        return desk.breakers.repeated(draft.strategy, draft.market, why, at_ns)

    def note_settled(self, realm: Realm, *, has_failed: bool, at_ns: int) -> list[Breaker]:
        """Count how a settlement ended; return the breakers that tripped by it."""
        desk = self.desks[realm]
        return self._act(desk, desk.breakers.settled(has_failed=has_failed, at_ns=at_ns))

    def watch(
        self,
        realm: Realm,
        *,
        day_u6: int,
        equity_u6: int,
        by_strategy: Mapping[str, int],
        at_ns: int,
    ) -> list[Breaker]:
        """Look at results; return what tripped. `Effect.KILL` is the composition's to carry out."""
        desk = self.desks[realm]
        tripped = desk.breakers.watch(
            day_u6=day_u6, equity_u6=equity_u6, by_strategy=by_strategy, at_ns=at_ns
        )
        return self._act(desk, tripped)

    def _act(self, desk: Desk, tripped: list[Breaker]) -> list[Breaker]:
        """Put the causes of breakers that stop a whole realm."""
        for breaker in tripped:
            state_of = _CAUSED.get(breaker.effect)
            if state_of is not None:
                desk.causes.put(_cause(breaker, state_of))
        return tripped

    # --- what a person does ----------------------------------------------------------------------

    def reset(
        self,
        realm: Realm,
        name: str,
        *,
        phrase: str,
        reason: str,
        results: tuple[int, Mapping[str, int]],
        at_ns: int,
    ) -> Breaker:
        """Close a breaker at a person's word; `results` are the day's and the strategies'.

        Raises:
            OperatorError: as `Breakers.reset`.
        """
        desk = self.desks[realm]
        day_u6, by_strategy = results
        kind, _, whose = name.partition(":")
        breaker = desk.breakers.reset(
            name,
            phrase=phrase,
            reason=reason,
            day_u6=day_u6,
            strategy_day_u6=by_strategy.get(whose, 0),
            at_ns=at_ns,
        )
        if kind in desk.causes:
            desk.causes.release(kind)
        if breaker.effect is Effect.LATCH:
            strategy, _, where = whose.partition(":")
            desk.rates.forgive(strategy, where)
        return breaker

    def resume(self, name: str) -> list[str]:
        """Release one cause, or with `all` every one that a person may; return what went.

        Raises:
            OperatorError: none stands of that name, it waits for evidence, or it is a tripped
                breaker's, which has a reset of its own.
        """
        released = []
        for realm, desk in self.desks.items():
            for cause in desk.causes.named(name):
                if cause.name not in desk.breakers.tripped:
                    desk.causes.release(cause.name)
                    released.append(f"{realm.value} {cause.name}")
        if not released:
            raise OperatorError(self._why_not_resumed(name))
        return released

    def resumable(self, name: str) -> list[str]:
        """Name what `resume` would release; touches nothing.

        Raises:
            OperatorError: as `resume`.
        """
        found = [
            f"{realm.value} {cause.name}: {cause.why}"
            for realm, desk in self.desks.items()
            for cause in desk.causes.named(name)
            if cause.name not in desk.breakers.tripped
        ]
        if not found:
            raise OperatorError(self._why_not_resumed(name))
        return found

    def _why_not_resumed(self, name: str) -> str:
        if any(name in desk.breakers.tripped for desk in self.desks.values()):
            return f"{name} is a breaker: breaker.reset {name} RESET {name} <reason>"
        if any(name in desk.causes for desk in self.desks.values()):
            return f"{name} clears by evidence alone"
        return f"no cause {shown(name)} stands that a person releases"

    def limits_changed(self, at_ns: int) -> None:
        """Hand changed limits to everybody who counts by them."""
        for desk in self.desks.values():
            desk.rates.set_limits(self.limits.now, at_ns)
            desk.breakers.set_limits(self.limits.now)

    # --- show and keep ---------------------------------------------------------------------------

    def rows(self) -> tuple[ControlRow, ...]:
        """List the controls in their order with what they refused."""
        return tuple(self._row(control) for control, _ in CHECKS)

    def _row(self, control: Control) -> ControlRow:
        at_ns, refusal = self.last.get(control, (0, None))
        said = "" if refusal is None else f"{refusal.value}, limit {refusal.limit}"
        return ControlRow(
            control=control,
            title=TITLES[control],
            limit=self.limits.text_of(control),
            refused=self.refused[control],
            last_ns=at_ns,
            last=said,
        )

    def dump(self) -> list[tuple[str, str]]:
        """Write what a restart must know: rows of key and JSON for `RecordControl`."""
        rows = [("limits", self.limits.dump())]
        for realm, desk in self.desks.items():
            rows.append((f"breakers.{realm.value}", desk.breakers.dump()))
            rows.append((f"causes.{realm.value}", desk.causes.dump()))
        return rows

    def restore(self, rows: Iterable[tuple[str, str]]) -> None:
        """Put back what `dump` wrote; other keys are somebody else's."""
        for key, value in rows:
            kind, _, realm = key.partition(".")
            if kind == "limits":
                self.limits.restore(value)
                self.limits_changed(0)
            elif kind == "breakers":
                self.desks[Realm(realm)].breakers.restore(value)
            elif kind == "causes":
                self.desks[Realm(realm)].causes.restore(value)


_CAUSED = {Effect.REDUCE: TradingState.REDUCING, Effect.KILL: TradingState.HALTED}


def _cause(breaker: Breaker, state_of: TradingState) -> Cause:
    return Cause(
        name=breaker.name,
        state=state_of,
        owner=_OWNER,
        clears=Clears.PERSON,
        why=breaker.why,
        since_ns=breaker.tripped_ns,
    )
