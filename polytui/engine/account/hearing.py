"""Carries each event of an account to the machine that owns what it is about.

One small function per event, in one table. None of them raises for what a venue says; each leaves
the rest to `Account.settle`, which follows every step.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from polytui.engine.account.account import Account
from polytui.engine.account.loops import SELF_TEST
from polytui.engine.core import account_events as heard
from polytui.engine.core.commands import Command, Notify
from polytui.engine.core.enums import Mode, Outcome
from polytui.engine.core.events import Event
from polytui.engine.core.order_enums import OrderState, SendOutcome, VenueCode, Witness
from polytui.engine.core.trading import VenueOrder, VenueTrade
from polytui.engine.decide.causes import Clears
from polytui.engine.decide.venue_state import SHUT
from polytui.engine.portfolio.positions import Place

Hear = Callable[[Account, Any, int, int], None]


def _ready(account: Account, event: heard.AccountReady, at_ns: int, seq: int) -> None:
    account.orders.identity = event.identity
    account.port, account.is_practice = event.port, event.is_practice
    account.can_send = event.can_send
    room = account.room
    room.whose_money(is_practice=event.is_practice)
    for command in room.kill.join(account.realm, account.standing(), at_ns=at_ns, seq=seq):
        account.act(command)


def _gone(account: Account, event: heard.AccountGone, at_ns: int, seq: int) -> None:
    account.can_send = False
    account.venue.distrust(event.why, at_ns=at_ns)
    account.act(Notify(cause=seq, code="ACCOUNT_GONE", text=event.why[:200]))


def _restored(account: Account, event: heard.AccountRestored, at_ns: int, seq: int) -> None:
    """Take up what the last run knew, in the order in which the machines lean on each other."""
    account.portfolio.restore(event.positions, event.totals)
    account.orders.restore(event.orders, at_ns=at_ns, seq=seq, trades=event.trades)
    account.trades.restore(event.trades, at_ns=at_ns)
    for trade in account.trades.provisional():
        account.portfolio.replay(trade.change, group=account.group_of(trade.change))
    account.bundles.restore(
        event.bundles,
        orders=account.orders.by_cid.values(),
        trades=event.trades,
        at_ns=at_ns,
        seq=seq,
    )
    for order in account.orders.by_cid.values():
        account.expose(order)


def _staged(account: Account, event: heard.OrderStaged, at_ns: int, seq: int) -> None:
    moved = account.orders.staged(event, at_ns=at_ns, seq=seq)
    if event.stage is OrderState.SENT:
        for order in moved:
            account.note_sent(order, at_ns=at_ns, seq=seq)


def _answered(account: Account, event: heard.OrderAnswered, at_ns: int, seq: int) -> None:
    order = account.orders.answered(event, at_ns=at_ns, seq=seq)
    governor = account.room.governor
    if event.outcome in (SendOutcome.NOT_SENT, SendOutcome.DROPPED):
        if event.refusal is not None and order is not None:
            governor.note_refused(account.realm, event.refusal, order.draft, at_ns)
        return
    account.venue.on_order(event, at_ns=at_ns)
    _shut(account, at_ns, seq, code=event.code)
    if order is not None and event.outcome is SendOutcome.REFUSED:
        governor.note_reject(account.realm, order.draft, at_ns)


def _shut(account: Account, at_ns: int, seq: int, *, code: VenueCode = VenueCode.NONE) -> None:
    """Halt and page while the venue shuts the account out; cancels go on, a flatten may try (B32).

    What a check or a read can show to be over ends by that evidence. A ban that a refusal told of
    shows its end nowhere: a person resumes.
    """
    room, realm = account.room, account.realm
    causes, shut = room.governor.desks[realm].causes, account.venue.shut()
    reasons = [(name, shut.get(name), Clears.EVIDENCE) for name in SHUT]
    if code is VenueCode.BANNED:
        reasons.append(("banned", "the venue refused this account or its place", Clears.PERSON))
    for name, why, clears in reasons:
        if why is None:
            room.is_dirty = causes.withdraw(name, owner="venue") or room.is_dirty
        elif name not in causes:
            room.put(realm, name, why, owner="venue", at_ns=at_ns, clears=clears)
            account.act(Notify(cause=seq, code="SHUT_OUT", text=f"{name}: {why}"))


def _canceled(account: Account, event: heard.CancelAnswered, at_ns: int, seq: int) -> None:
    account.orders.cancel_answered(event, at_ns=at_ns, seq=seq)
    account.venue.on_cancel(event, at_ns=at_ns)
    _shut(account, at_ns, seq, code=event.code)
    if event.outcome is SendOutcome.ACCEPTED and event.request.startswith(SELF_TEST):
        account.cancel_all_ns = at_ns
    for machine in (account.room.kill, account.cancels, account.flatten):
        for command in machine.on_cancel(event, at_ns=at_ns, seq=seq):
            account.act(command)


def _user_order(account: Account, event: heard.UserOrder, at_ns: int, seq: int) -> None:
    account.user_ns = at_ns
    _see(account, event.order, Witness.USER_STREAM, at_ns, seq)


def _see(account: Account, order: VenueOrder, witness: Witness, at_ns: int, seq: int) -> None:
    """Fold an order as the venue shows it; one that nobody here made is adopted."""
    if account.orders.seen(order, witness, at_ns=at_ns, seq=seq) is None:
        spec = account.markets.spec(order.market)
        account.orders.adopt(order, at_ns=at_ns, seq=seq, spec=spec)


def _user_trade(account: Account, event: heard.UserTrade, at_ns: int, seq: int) -> None:
    account.user_ns = at_ns
    _fold(account, event.trade, at_ns, seq)


def _fold(account: Account, trade: VenueTrade, at_ns: int, seq: int) -> None:
    changes = account.trades.fold(trade, account.orders, account.markets.spec, at_ns=at_ns, seq=seq)
    for change in changes:
        account.book(change, at_ns=at_ns, seq=seq)


def listed(account: Account, market: str, *, at_ns: int, seq: int) -> list[Command]:
    """Book the trades that waited for a market to be known."""
    specs = account.markets.spec
    for change in account.trades.listed(market, account.orders, specs, at_ns=at_ns, seq=seq):
        account.book(change, at_ns=at_ns, seq=seq)
    return account.settle(at_ns=at_ns, seq=seq)


def _user_stream(account: Account, event: heard.UserStream, at_ns: int, _seq: int) -> None:
    if event.up:
        account.user_ns = at_ns
    account.venue.on_stream(up=event.up, why=event.why, at_ns=at_ns)


def _user_beat(account: Account, _event: heard.UserBeat, at_ns: int, _seq: int) -> None:
    account.user_ns = at_ns


def _order_read(account: Account, event: heard.OrderRead, at_ns: int, seq: int) -> None:
    account.orders.read(event, at_ns=at_ns, seq=seq)


def _open_read(account: Account, event: heard.OpenOrdersRead, at_ns: int, seq: int) -> None:
    """Note the sweep; its rows are folded by the reconciler, which also adopts what is not ours."""
    if event.ok:
        account.venue.on_authenticated(at_ns=at_ns)
        _shut(account, at_ns, seq)
    account.venue.on_read("orders", asked_ns=event.asked_ns, ok=event.ok)
    for machine in (account.room.kill, account.cancels, account.flatten):
        for command in machine.on_open(event, at_ns=at_ns, seq=seq):
            account.act(command)


def _trades_read(account: Account, event: heard.TradesRead, at_ns: int, seq: int) -> None:
    if event.ok:
        for trade in sorted(event.trades, key=lambda one: one.matched_s):
            _fold(account, trade, at_ns, seq)
    account.orders.trades_read(event, at_ns=at_ns, seq=seq)
    if not event.trade_id:
        account.venue.on_read("trades", asked_ns=event.asked_ns, ok=event.ok)


def _balances_read(account: Account, event: heard.BalancesRead, at_ns: int, seq: int) -> None:
    if event.ok:
        account.allowance_u6 = event.allowance_u6
        if not account.portfolio.has_books:
            entries = account.portfolio.opening(
                event.balances, at_ns=at_ns, seq=seq, place_of=_places(account)
            )
            for entry in entries:
                account.enter(entry, at_ns)


def _places(account: Account) -> Callable[[str], Place | None]:
    """Say where a token belongs, from the catalog."""

    def place_of(token: str) -> Place | None:
        spec = account.markets.spec_of_token(token)
        if spec is None:
            return None
        outcome = Outcome.YES if token == spec.tokens[0] else Outcome.NO
        return Place(token=token, market=spec.market, group=spec.group, outcome=outcome)

    return place_of


def _nothing(_account: Account, _event: Event, _at_ns: int, _seq: int) -> None:
    """Leave an event to the reconciler, which hears all of them."""


def _clock_read(account: Account, event: heard.ClockRead, at_ns: int, _seq: int) -> None:
    if event.ok:
        account.offset_ns, account.offset_at_ns = event.offset_ns, at_ns


def _heartbeat(account: Account, event: heard.HeartbeatAnswered, at_ns: int, _seq: int) -> None:
    """Take a beat's answer. The first one after arming only asks for the id to go on from.

    Refusing it, the venue names the id of the last run: nothing of this run was kept alive by it,
    and nothing leaves before a beat is accepted (G05), so no trust is lost.
    """
    account.heartbeat_id = event.heartbeat_id or account.heartbeat_id
    if account.room.mode is not Mode.LIVE_ARMED:
        return
    if event.ok:
        account.heartbeat_ns = at_ns
    else:
        account.loops.beat_again(at_ns)
        if event.heartbeat_id and not account.heartbeat_ns:
            return
    account.venue.on_heartbeat(ok=event.ok, why=event.why or event.code.value, at_ns=at_ns)


def _checked(account: Account, event: heard.VenueChecked, at_ns: int, seq: int) -> None:
    account.venue.on_checked(event, at_ns=at_ns)
    _shut(account, at_ns, seq)


def _budget(account: Account, event: heard.BudgetRead, at_ns: int, _seq: int) -> None:
    account.room.governor.desks[account.realm].rates.on_budget(event, at_ns)


def _moved(account: Account, event: heard.PairsMoved, at_ns: int, seq: int) -> None:
    pair = account.pair(event.market)
    if pair is not None:
        pays_u6 = account.payouts.get(event.market)
        entry = account.portfolio.moved(event, pair=pair, at_ns=at_ns, seq=seq, yes_pays_u6=pays_u6)
        account.enter(entry, at_ns)
        account.reconciler.note_settled(at_ns)
    account.flatten.on_merged(event)
    actions = account.bundles.on_pairs_moved(event, at_ns, seq)
    account.follow(actions, at_ns=at_ns, seq=seq)


def _paper_read(account: Account, event: heard.PaperRead, _at_ns: int, _seq: int) -> None:
    account.room.paper = event


def _sentinel(account: Account, event: heard.SentinelSaid, at_ns: int, seq: int) -> None:
    """Keep what the sentinel did: in the log, as an alert, on the kill's receipt."""
    text = account.room.kill.on_sentinel(event, at_ns=at_ns)
    if text:
        account.act(Notify(cause=seq, code="SENTINEL", text=text))


HEAR: Final[Mapping[type[Event], Hear]] = {
    heard.AccountReady: _ready,
    heard.AccountGone: _gone,
    heard.AccountRestored: _restored,
    heard.OrderStaged: _staged,
    heard.OrderAnswered: _answered,
    heard.CancelAnswered: _canceled,
    heard.UserOrder: _user_order,
    heard.UserTrade: _user_trade,
    heard.UserStream: _user_stream,
    heard.UserBeat: _user_beat,
    heard.OrderRead: _order_read,
    heard.OpenOrdersRead: _open_read,
    heard.TradesRead: _trades_read,
    heard.BalancesRead: _balances_read,
    heard.PositionsRead: _nothing,
    heard.ClockRead: _clock_read,
    heard.HeartbeatAnswered: _heartbeat,
    heard.VenueChecked: _checked,
    heard.BudgetRead: _budget,
    heard.PairsMoved: _moved,
    heard.PaperRead: _paper_read,
    heard.SentinelSaid: _sentinel,
}
"""Every event of an account, once; `HostState` and `ControlRestored` are the control room's."""


def hear(account: Account, event: Event, *, at_ns: int, seq: int) -> list[Command]:
    """Take one event of this account and return what is to be done."""
    HEAR[type(event)](account, event, at_ns, seq)
    account.believe(event, at_ns=at_ns, seq=seq)
    return account.settle(at_ns=at_ns, seq=seq)
