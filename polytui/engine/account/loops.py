"""What an account does by the clock: probes, sweeps, marks, breakers, beats, flatten slices.

Called with every turn that is due; asks each machine what is due and hands its commands on.
"""

from functools import partial
from typing import TYPE_CHECKING, Final

from polytui.engine.account.flattening import holdings
from polytui.engine.account.pulling import Pulling
from polytui.engine.account.redeeming import redeem_all
from polytui.engine.account.strangers import Strangers
from polytui.engine.account.witnessing import Witnessing
from polytui.engine.core.commands import CancelAll, Command, SendHeartbeat
from polytui.engine.core.enums import Mode, Outcome
from polytui.engine.core.order_enums import Realm

if TYPE_CHECKING:
    from polytui.engine.account.account import Account

MS: Final = 1_000_000
S: Final = 1_000 * MS
WATCH_NS: Final = S
"""Results and marks are looked at this often."""
HEALTHY_NS: Final = 5 * S
"""A heartbeat leaves only while everything was healthy within this (execution reference §4)."""
BEAT_AGAIN_NS: Final = 500 * MS
"""A refused beat is tried again after this, with the id that the venue named."""
CANCEL_TEST_NS: Final = 300 * S
"""The cancel-all path is tried this often while arming is near."""
CANCEL_AGAIN_NS: Final = 15 * S
"""And again after this while the venue does not take it."""
SELF_TEST: Final = "selftest"
"""Begins the request names of such tries."""


class Loops:
    """When each loop of one account is due again."""

    __slots__ = (
        "_beat_due_ns",
        "_healthy_ns",
        "_is_beating",
        "_is_wanted",
        "_pulling",
        "_strangers",
        "_tested_ns",
        "_watch_due_ns",
        "_witnessing",
    )

    def __init__(self) -> None:
        """Everything is due at once."""
        self._beat_due_ns = self._healthy_ns = self._tested_ns = self._watch_due_ns = 0
        self._is_beating = self._is_wanted = False
        self._pulling = Pulling()
        self._strangers = Strangers()
        self._witnessing = Witnessing()

    def turn(self, account: "Account", *, at_ns: int, seq: int) -> list[Command]:
        """Run every loop that is due."""
        account.acts(account.orders.due(at_ns, seq))
        account.acts(account.trades.due(at_ns, seq))
        quotes = partial(account.markets.quotes, at_ns=at_ns, seq=seq)
        account.follow(account.bundles.due(at_ns, seq, quotes), at_ns=at_ns, seq=seq)
        account.acts(account.venue.due(at_ns=at_ns, seq=seq))
        account.acts(account.cancels.due(at_ns=at_ns, seq=seq))
        self._pulling.look(account, at_ns=at_ns, seq=seq)
        self._witnessing.look(account, at_ns=at_ns, seq=seq)
        _flatten(account, at_ns, seq)
        account.reconcile(at_ns=at_ns, seq=seq)
        if at_ns >= self._watch_due_ns:
            self._watch_due_ns = at_ns + WATCH_NS
            _watch(account, at_ns, seq)
            redeem_all(account, at_ns=at_ns, seq=seq)
            self._strangers.look(account, at_ns=at_ns, seq=seq)
            self._test_cancel(account, at_ns, seq)
        self._beat(account, at_ns, seq)
        return account.settle(at_ns=at_ns, seq=seq)

    def beat_again(self, at_ns: int) -> None:
        """Beat again soon: the last one was refused, and the answer named the id to use (B25)."""
        self._beat_due_ns = min(self._beat_due_ns, at_ns + BEAT_AGAIN_NS)

    def next_due_ns(self, account: "Account") -> int:
        """Return when `turn` has something to do."""
        dues = (
            account.orders.next_due_ns(),
            account.trades.next_due_ns(),
            account.bundles.next_due_ns(),
            account.venue.next_due_ns(),
            account.cancels.next_due_ns(),
            account.flatten.next_due_ns(),
            account.reconciler.next_due_ns(),
            self._watch_due_ns,
            self._pulling.due_ns,
            self._witnessing.due_ns,
            self._beat_due_ns if self._is_beating else None,
        )
        return min(due for due in dues if due is not None)

    def _test_cancel(self, account: "Account", at_ns: int, seq: int) -> None:
        """Try the cancel-all path while arming is near and nothing could be lost by it."""
        is_near = account.realm is Realm.LIVE and account.room.mode is Mode.LIVE_DRY_RUN
        is_old = not account.cancel_all_ns or at_ns - account.cancel_all_ns > CANCEL_TEST_NS
        may_try = not self._tested_ns or at_ns - self._tested_ns > CANCEL_AGAIN_NS
        if is_near and is_old and may_try and not account.orders.open():
            self._tested_ns = at_ns
            account.act(CancelAll(cause=seq, realm=account.realm, request=f"{SELF_TEST}-{seq}"))

    def _beat(self, account: "Account", at_ns: int, seq: int) -> None:
        """Beat while loop, store and clock are healthy and orders may be sent; else stay silent."""
        host, limits = account.room.host, account.config.limits
        is_healthy = (
            host.journal_ok
            and host.journal_fill < limits.journal_fill
            and host.loop_lag_ns < limits.loop_lag_ms * MS
            and host.lock_held
            and account.offset_ns is not None
        )
        if is_healthy:
            self._healthy_ns = at_ns
        wants = account.realm is Realm.LIVE and account.room.mode is Mode.LIVE_ARMED
        if self._is_wanted and not wants:
            account.heartbeat_ns = 0
            account.venue.end_heartbeats(at_ns=at_ns)
        self._is_wanted = wants
        self._is_beating = wants and at_ns - self._healthy_ns <= HEALTHY_NS
        if not self._is_beating or at_ns < self._beat_due_ns:
            return
        self._beat_due_ns = at_ns + account.config.orders.heartbeat_ms * MS
        account.act(
            SendHeartbeat(cause=seq, realm=account.realm, heartbeat_id=account.heartbeat_id)
        )


def _watch(account: "Account", at_ns: int, seq: int) -> None:
    """Mark what is held, look at results, trip what must trip."""
    portfolio, room = account.portfolio, account.room
    portfolio.tick(at_ns)
    for market in portfolio.positions.markets():
        quotes = account.markets.quotes(market, at_ns=at_ns, seq=seq)
        if quotes is not None:
            bid, ask = quotes.best_bid_u6(Outcome.YES), quotes.best_ask_u6(Outcome.YES)
            portfolio.mark(market, bid, ask, at_ns=at_ns)
    if not portfolio.has_books:
        return
    by_strategy = {name: portfolio.profit.day_u6(name) for name in (*room.strategies, "operator")}
    tripped = room.governor.watch(
        account.realm,
        day_u6=portfolio.day_pnl_u6,
        equity_u6=portfolio.equity_u6,
        by_strategy=by_strategy,
        at_ns=at_ns,
    )
    account.trip(tripped, seq)
    for order in account.orders.overdue(at_ns):
        why = f"order {order.cid} unknown past its end"
        room.halt(account.realm, "unknown_overdue", why, owner="orders", at_ns=at_ns)


def _flatten(account: "Account", at_ns: int, seq: int) -> None:
    """Lead a flatten on: merges, slices, proof."""
    flatten = account.flatten
    if not flatten.stage.is_running:
        _begin_again(account)
        return
    held = holdings(account, at_ns=at_ns, seq=seq)
    account.acts(flatten.merges(held, at_ns=at_ns, seq=seq))
    busy = {order.draft.token for order in account.orders.open() + account.orders.in_flight()}
    limits = account.room.governor.limits.now
    for draft in flatten.exits(held, busy, limits, at_ns=at_ns, seq=seq):
        order = account.submit(draft, at_ns=at_ns, seq=seq)
        if order is None or order.state.is_terminal:
            flatten.on_exit(draft.token, 0)
    account.acts(flatten.due(account.standing(), at_ns=at_ns, seq=seq))
    flatten.settle(held, at_ns=at_ns)


def _begin_again(account: "Account") -> None:
    """Let bundles begin again where a flatten is over and the market is not."""
    markets, account.flattening = account.flattening, ()
    for market in markets:
        tracked = account.markets.tracked(market)
        if tracked is not None and not tracked.resolved:
            account.bundles.begin_market(market)
