"""An execution port without sockets: the engine's account on the simulated exchange, virtual time.

It does to commands what adapter, signer and network do, in the same order and with the same faults
(`sim/faults.Switches`): journalled, signed, the gate asked where bytes would leave, a journey to
the venue, the venue's answer or none, a journey back; and beside it a user stream that may drop,
repeat, swap and fall silent. The same seed gives the same events.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

from msgspec import Struct

from polytui.engine.core.account_events import (
    AccountEvent,
    CancelAnswered,
    OrderAnswered,
    OrderStaged,
    UserBeat,
    UserOrder,
    UserStream,
    UserTrade,
)
from polytui.engine.core.commands import (
    CancelAll,
    CancelMarket,
    CancelOrders,
    MovePairs,
    PlaceOrders,
    PortCommand,
    ReadBalances,
    ReadClock,
    ReadOpenOrders,
    ReadOrder,
    ReadPositions,
    ReadTrades,
    SendHeartbeat,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.core.order_enums import OrderState, Realm, SendOutcome, VenueCode
from polytui.engine.core.rng import Rng
from polytui.engine.core.trading import Refusal, Terms
from polytui.engine.sim.account_desk import AccountDesk
from polytui.engine.sim.account_views import code_of, outcome_of, venue_order, venue_trade
from polytui.engine.sim.exchange.api import CancelResult, OrderRequest, PlaceResult
from polytui.engine.sim.exchange.emissions import (
    Emission,
    OrderCanceled,
    OrderFilled,
    OrderPlaced,
    TradeUpdate,
)
from polytui.engine.sim.exchange.exchange import Exchange
from polytui.engine.sim.exchange.terms import VenueMode
from polytui.engine.sim.faults import Switches
from polytui.engine.sim.population.calendar import Calendar

MS: Final = 1_000_000
SECOND_NS: Final = 1_000_000_000
TIMEOUT_NS: Final = 3 * SECOND_NS
"""What a lost answer costs its asker."""
BEAT_NS: Final = SECOND_NS
REOPEN_NS: Final = 800 * MS
LIMITLESS: Final = 1 << 62
CONN: Final = ConnId(0)


class Times(Struct, frozen=True, kw_only=True):
    """How long things take, low and high, drawn evenly."""

    journal_ns: tuple[int, int] = (200_000, 600_000)
    sign_ns: tuple[int, int] = (60_000, 200_000)
    up_ns: tuple[int, int] = (10 * MS, 25 * MS)
    down_ns: tuple[int, int] = (10 * MS, 25 * MS)
    stream_ns: tuple[int, int] = (5 * MS, 60 * MS)


class Fences(Struct, frozen=True, kw_only=True):
    """What stands between a command and the venue."""

    gate: Callable[[str, int], Refusal | None]
    """(cid, at_ns): asked where bytes would leave."""
    is_armed: Callable[[], bool] = lambda: True
    """What is signed while this says no is dropped."""
    is_durable: Callable[[], bool] = lambda: True
    """What cannot be made durable never leaves."""


class AccountWire:
    """One account's link to a simulated exchange."""

    def __init__(
        self,
        exchange: Exchange,
        *,
        account: str,
        owner: str,
        seed: int,
        fences: Fences,
        switches: Callable[[], Switches] = Switches,
        times: Times = Times(),  # noqa: B008  a frozen value
        realm: Realm = Realm.LIVE,
    ) -> None:
        """Link an account; the fences are asked at the last moment."""
        self._fences = fences
        rng = Rng(seed).fork("account wire")
        self._exchange = exchange
        self._account = account
        self._owner = owner
        self._switches = switches
        self._times = times
        self._realm = realm
        self._travel = rng.fork("travel")
        self._fate = rng.fork("fate")
        self._tasks = Calendar(exchange.now_ns)
        self._out: list[AccountEvent] = []
        self._user_clear_ns = 0
        self._held_back: AccountEvent | None = None
        self._life = 0
        self.user_up = False
        self.sent: deque[tuple[int, Terms]] = deque(maxlen=100_000)
        """(when, what) of every order whose bytes left: what a test holds against the rules."""
        self.is_cut = False
        """The engine is dead: nothing it asked for before is answered any more."""
        self._doers: Mapping[type[PortCommand], Callable[[Any, int], None]] = {
            PlaceOrders: self._place,
            CancelOrders: self._cancel,
            CancelMarket: self._cancel,
            CancelAll: self._cancel,
            ReadOrder: self._ask,
            ReadOpenOrders: self._ask,
            ReadTrades: self._ask,
            ReadBalances: self._ask,
            ReadPositions: self._ask,
            ReadClock: self._ask,
            SendHeartbeat: self._ask,
            MovePairs: self._ask,
        }
        self._desk = AccountDesk(
            exchange, account=account, owner=owner, switches=switches, realm=realm
        )

    # --- time ------------------------------------------------------------------------------------

    def next_due_ns(self) -> int | None:
        """Return when something happens next."""
        return self._tasks.next_due_ns()

    def advance(self, until_ns: int) -> list[AccountEvent]:
        """Let time pass; the exchange must stand at `until_ns`. Return what the engine hears."""
        self._tasks.run_until(until_ns)
        out, self._out = self._out, []
        return out

    def _after(self, span: tuple[int, int], task: Callable[[int], None], at_ns: int) -> int:
        due_ns = at_ns + self._travel.between(*span)
        self._tasks.at(due_ns, task)
        return due_ns

    def _tell(self, event: AccountEvent, _at_ns: int) -> None:
        self._out.append(event)

    def _reply(self, event: AccountEvent, at_ns: int) -> None:
        """Send an answer on its way back."""
        self._after(self._times.down_ns, partial(self._tell, event), at_ns)

    # --- user stream -----------------------------------------------------------------------------

    def open_user_stream(self, at_ns: int) -> None:
        """Connect the user stream; it beats once a second while it lives."""
        self._life += 1
        self.user_up = True
        self._out.append(UserStream(realm=self._realm, conn=CONN, up=True))
        self._tasks.at(at_ns + BEAT_NS, partial(self._beat_user, self._life))

    def cut_user_stream(self, at_ns: int) -> None:
        """End it; it comes back after a while, without a word about what it missed."""
        if self.user_up:
            self.user_up = False
            self._life += 1
            self._out.append(UserStream(realm=self._realm, conn=CONN, up=False, why="cut"))
            self._tasks.at(at_ns + REOPEN_NS, self.open_user_stream)

    def _beat_user(self, life: int, at_ns: int) -> None:
        if life == self._life:
            self._out.append(UserBeat(realm=self._realm, conn=CONN))
            self._tasks.at(at_ns + BEAT_NS, partial(self._beat_user, life))

    def hear(self, emissions: Iterable[Emission], at_ns: int) -> None:
        """Tell the engine's user stream what the exchange says of its orders and trades."""
        if self.is_cut:
            return
        for emission in emissions:
            event = self._user_event(emission)
            if event is not None and self.user_up and not self._switches().user_freeze:
                self._stream(event, at_ns)

    def _user_event(self, emission: Emission) -> AccountEvent | None:
        if isinstance(emission, TradeUpdate):
            trade = emission.trade
            owners = {trade.owner, *(fill.owner for fill in trade.makers)}
            if self._owner not in owners:
                return None
            seen = venue_trade(trade, reader=self._owner)
            return UserTrade(realm=self._realm, conn=CONN, trade=seen, venue_ms=emission.at_ms)
        if not isinstance(emission, OrderPlaced | OrderFilled | OrderCanceled):
            return None
        if emission.order.owner != self._owner:
            return None
        if isinstance(emission, OrderCanceled):
            order = venue_order(emission.order, event="CANCELLATION", status=emission.status)
        else:
            kind = "PLACEMENT" if isinstance(emission, OrderPlaced) else "UPDATE"
            order = venue_order(emission.order, event=kind)
        return UserOrder(realm=self._realm, conn=CONN, order=order, venue_ms=emission.at_ms)

    def _stream(self, event: AccountEvent, at_ns: int) -> None:
        """Let an event travel, through whatever the switches do to it."""
        switches, fate = self._switches(), self._fate
        if switches.user_drop and fate.chance(switches.user_drop):
            return
        if switches.user_swap and self._held_back is None and fate.chance(switches.user_swap):
            self._held_back = event
            return
        again = bool(switches.user_repeat) and fate.chance(switches.user_repeat)
        held, self._held_back = self._held_back, None
        for one in (event, *((event,) if again else ()), *((held,) if held else ())):
            due_ns = max(at_ns + self._travel.between(*self._times.stream_ns), self._user_clear_ns)
            self._user_clear_ns = due_ns
            self._tasks.at(due_ns, partial(self._say_user, self._life, one))

    def _say_user(self, life: int, event: AccountEvent, _at_ns: int) -> None:
        if life == self._life:
            self._out.append(event)

    # --- orders ----------------------------------------------------------------------------------

    def carry_out(self, command: PortCommand, at_ns: int) -> None:
        """Take a command of the engine."""
        self._doers[type(command)](command, at_ns)

    def _staged(self, orders: Iterable[Terms], stage: OrderState) -> None:
        cids = tuple(order.cid for order in orders)
        self._out.append(OrderStaged(realm=self._realm, cids=cids, stage=stage))

    def _place(self, command: PlaceOrders, at_ns: int) -> None:
        self._after(self._times.journal_ns, partial(self._sign, command.orders), at_ns)

    def _sign(self, orders: tuple[Terms, ...], at_ns: int) -> None:
        if self.is_cut:
            return
        if not self._fences.is_durable():
            self._out += [
                _ended(self._realm, terms, SendOutcome.NOT_SENT, "not durable") for terms in orders
            ]
            return
        self._staged(orders, OrderState.JOURNALLED)
        self._after(self._times.sign_ns, partial(self._send, orders), at_ns)

    def _send(self, orders: tuple[Terms, ...], at_ns: int) -> None:
        """Ask the gate about each order at the moment its bytes would leave."""
        if self.is_cut:
            return
        self._staged(orders, OrderState.SIGNED)
        passed = []
        for terms in orders:
            refusal = self._fences.gate(terms.cid, at_ns)
            if refusal is None:
                passed.append(terms)
            else:
                self._out.append(_not_sent(self._realm, terms, refusal))
        if not self._fences.is_armed():
            self._out += [_ended(self._realm, one, SendOutcome.DROPPED, "") for one in passed]
            return
        if not passed:
            return
        self._staged(passed, OrderState.SENT)
        self.sent.extend((at_ns, terms) for terms in passed)
        self._after(self._times.up_ns, partial(self._arrive, tuple(passed), at_ns), at_ns)

    def _arrive(self, orders: tuple[Terms, ...], sent_ns: int, at_ns: int) -> None:
        """Meet the venue: its mode, its limits, its losses."""
        switches, fate, exchange = self._switches(), self._fate, self._exchange
        if exchange.mode is VenueMode.RESTARTING:
            self._refuse_all(orders, VenueCode.RESTARTING, 425, at_ns)
        elif switches.too_many and fate.chance(switches.too_many):
            self._refuse_all(orders, VenueCode.RATE_LIMITED, 429, at_ns)
        elif switches.lost_order and fate.chance(switches.lost_order):
            self._unknown_all(orders, VenueCode.TIMED_OUT, at_ns)
        else:
            results = self._results(orders)
            lost = switches.lost_reply and fate.chance(switches.lost_reply)
            dropped = switches.dropped_reply and fate.chance(switches.dropped_reply)
            if lost or dropped:
                code = VenueCode.TIMED_OUT if lost else VenueCode.NONE
                self._unknown_all(orders, code, at_ns)
                return
            for terms, result in zip(orders, results, strict=True):
                event = self._answered(terms, result, took_ns=at_ns - sent_ns)
                self._reply(event, max(at_ns, result.release_ns if result.is_held else at_ns))

    def _results(self, orders: tuple[Terms, ...]) -> list[PlaceResult]:
        requests = [_request(terms, self._account, self._owner) for terms in orders]
        if len(requests) == 1:
            return [self._exchange.place(requests[0])]
        batch = self._exchange.place_batch(requests)
        if batch.error is not None:
            return [PlaceResult(order_id="", error=batch.error) for _ in orders]
        return list(batch.results)

    def _answered(self, terms: Terms, result: PlaceResult, *, took_ns: int) -> OrderAnswered:
        answer = partial(
            OrderAnswered, realm=self._realm, cid=terms.cid, order_hash=terms.order_hash
        )
        error = result.error
        if error is not None:
            return answer(
                outcome=outcome_of(error),
                code=code_of(error),
                text=error.text[:80],
                http=error.http,
                retry_after_s=error.retry_after_s or 0,
                took_ns=took_ns,
            )
        assert result.status is not None, "expected an accepted order to have a status"
        return answer(
            outcome=SendOutcome.ACCEPTED,
            status=result.status.value,
            making_u6=result.making_u6,
            taking_u6=result.taking_u6,
            trade_ids=result.trade_ids,
            http=200,
            took_ns=took_ns,
        )

    def _refuse_all(
        self, orders: tuple[Terms, ...], code: VenueCode, http: int, at_ns: int
    ) -> None:
        for terms in orders:
            event = OrderAnswered(
                realm=self._realm,
                cid=terms.cid,
                order_hash=terms.order_hash,
                outcome=SendOutcome.REFUSED,
                code=code,
                http=http,
                retry_after_s=self._switches().retry_after_s if http == 429 else 0,
            )
            self._reply(event, at_ns)

    def _unknown_all(self, orders: tuple[Terms, ...], code: VenueCode, at_ns: int) -> None:
        """Lose the answers: a 500 comes back, a dropped connection is noticed at the timeout."""
        wait_ns = 0 if code is VenueCode.TIMED_OUT else TIMEOUT_NS
        for terms in orders:
            event = OrderAnswered(
                realm=self._realm,
                cid=terms.cid,
                order_hash=terms.order_hash,
                outcome=SendOutcome.UNKNOWN,
                code=code,
                http=500 if code is VenueCode.TIMED_OUT else 0,
            )
            self._reply(event, at_ns + wait_ns)

    # --- cancels ---------------------------------------------------------------------------------

    def _cancel(self, command: CancelOrders | CancelMarket | CancelAll, at_ns: int) -> None:
        self._after(self._times.up_ns, partial(self._cancel_arrives, command), at_ns)

    def _cancel_arrives(self, command: CancelOrders | CancelMarket | CancelAll, at_ns: int) -> None:
        switches, exchange = self._switches(), self._exchange
        answer = partial(CancelAnswered, realm=self._realm, request=command.request)
        if exchange.mode is VenueMode.RESTARTING:
            refused = answer(outcome=SendOutcome.REFUSED, code=VenueCode.RESTARTING, http=425)
            self._reply(refused, at_ns)
            return
        if switches.too_many_cancels and self._fate.chance(switches.too_many_cancels):
            refused = answer(
                outcome=SendOutcome.REFUSED,
                code=VenueCode.RATE_LIMITED,
                http=429,
                retry_after_s=switches.retry_after_s,
            )
            self._reply(refused, at_ns)
            return
        result = self._canceled(command)
        if result.error is not None:
            code, http = code_of(result.error), result.error.http
            self._reply(answer(outcome=SendOutcome.REFUSED, code=code, http=http), at_ns)
            return
        accepted = answer(
            outcome=SendOutcome.ACCEPTED,
            canceled=result.canceled,
            not_canceled=result.not_canceled,
            http=200,
        )
        self._reply(accepted, at_ns)

    def _canceled(self, command: CancelOrders | CancelMarket | CancelAll) -> CancelResult:
        exchange, owner = self._exchange, self._owner
        if isinstance(command, CancelOrders):
            return exchange.cancel(owner, command.hashes)
        if isinstance(command, CancelAll):
            return exchange.cancel_all(owner)
        return exchange.cancel_market(owner, condition=command.market, token=command.token)

    # --- reads -----------------------------------------------------------------------------------

    def _ask(self, command: PortCommand, at_ns: int) -> None:
        self._after(self._times.up_ns, partial(self._read_arrives, command, at_ns), at_ns)

    def _read_arrives(self, command: PortCommand, asked_ns: int, _at_ns: int) -> None:
        self._reply(self._desk.answer(command, asked_ns), self._exchange.now_ns)


def _request(terms: Terms, account: str, owner: str) -> OrderRequest:
    """Write signed terms as the exchange takes them."""
    return OrderRequest(
        order_id=terms.order_hash,
        account=account,
        owner=owner,
        token=terms.token,
        side=terms.side,
        maker_amount_u6=terms.maker_amount_u6,
        taker_amount_u6=terms.taker_amount_u6,
        order_type=terms.order_type,
        post_only=terms.post_only,
        expiration_s=terms.expiration_s,
        salt=terms.salt,
    )


def _ended(realm: Realm, terms: Terms, outcome: SendOutcome, text: str) -> OrderAnswered:
    return OrderAnswered(
        realm=realm, cid=terms.cid, order_hash=terms.order_hash, outcome=outcome, text=text
    )


def _not_sent(realm: Realm, terms: Terms, refusal: Refusal) -> OrderAnswered:
    return OrderAnswered(
        realm=realm,
        cid=terms.cid,
        order_hash=terms.order_hash,
        outcome=SendOutcome.NOT_SENT,
        refusal=refusal,
        text=refusal.detail[:80],
    )
