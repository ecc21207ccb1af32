"""The invariants of the fault catalogue, stated again without the engine's own sums.

`Watch.see` is called after every event; whatever it finds broken raises with the number of the
invariant. The account is only looked at after events that can have touched it: market data alone
moves no order, no trade and no money, and every hundredth event is looked at in any case.
"""

from collections import Counter, deque
from typing import Any

from polytui.engine.core import account_events as heard
from polytui.engine.core.commands import Command, PlaceOrders, RecordEntry, RecordOrder
from polytui.engine.core.enums import BookState, Mode, Outcome, Side
from polytui.engine.core.events import Directive, Stamped, Turn
from polytui.engine.core.order_enums import (
    EntryKind,
    FillKind,
    OrderState,
    OrderType,
    Purpose,
    Realm,
    TradingState,
)
from polytui.engine.core.trading import CASH, Terms
from polytui.engine.core.units import U
from polytui.engine.orders.lifecycle import Order
from polytui.engine.sim.rehearsal import ACCOUNT, OWNER, Rehearsal

MS = 1_000_000
S = 1_000 * MS
DUST_U6 = 10_000

LAWFUL = {
    "": "proposed vetoed approved unknown live partial matched delayed",
    "proposed": "vetoed approved",
    "approved": "journalled refused unknown",
    "journalled": "signed refused unknown",
    "signed": "sent dropped refused unknown",
    "sent": "refused unknown delayed live partial matched unmatched canceled expired resolved",
    "unknown": "refused delayed live partial matched unmatched canceled expired resolved",
    "delayed": "refused live partial matched unmatched canceled expired resolved",
    "live": "partial matched canceled expired resolved",
    "partial": "matched canceled expired resolved",
}
"""Execution reference §1 with the leaps over news that came late; what is missing absorbs."""


class Broken(AssertionError):
    """An invariant does not hold."""


def holds(number: int, claim: bool, text: object = "") -> None:  # noqa: FBT001  reads as a sentence
    if not claim:
        raise Broken(f"invariant {number}: {text}")


class Watch:
    """Looks at one rehearsal after every event."""

    def __init__(self, stage: Rehearsal) -> None:
        self.stage = stage
        self.seen = 0
        self.looked = 0
        self.states: dict[str, str] = {}
        self.sums: Counter[str] = Counter()
        self.terms: dict[str, Terms] = {}
        self.hashes: dict[str, str] = {}
        self.sent_times: deque[int] = deque()
        self.killed_ns = 0
        self.tripped: set[tuple[Realm, str]] = set()
        self.sent = 0
        self.cap_u6 = 0
        self.external_ns = 0
        self.worst: Counter[str] = Counter()
        stage.checks.append(self.see)

    # --- after every event -----------------------------------------------------------------------

    def see(self, stage: Rehearsal, stamped: Stamped) -> None:
        """Check everything that this event can have broken."""
        self.seen += 1
        event = stamped.event
        commands = stage.commands[self.sums["commands"] :]
        self.sums["commands"] = len(stage.commands)
        if isinstance(event, heard.AccountRestored):
            self._restart(event)
        for command in commands:
            self._command(command)
        if isinstance(event, heard.OrderStaged) and event.stage is OrderState.SENT:
            self._left(event)
        if isinstance(event, Directive) and event.action == "breaker.reset":
            self.tripped.clear()
        if commands or isinstance(event, heard.AccountEvent | Directive) or self.seen % 100 == 0:
            self.looked += 1
            self._account()
            self._exposure()
        if self.seen % 100 == 0:
            self._books()
            self.stage.engine.trading.accounts[Realm.LIVE].portfolio.audit()

    def _restart(self, event: heard.AccountRestored) -> None:
        """A new engine begins with what was durable: its orders may have gone a little back."""
        self.sums["commands"] = 0
        self.states = {record.cid: record.state.value for record in event.orders}
        self.tripped.clear()

    # --- records and commands --------------------------------------------------------------------

    def _command(self, command: Command) -> None:
        if isinstance(command, RecordOrder):
            order = command.order
            self._edges(order.cid, [edge.state.value for edge in order.edges], order.external)
            holds(27, order.state.value != "vetoed" or order.refusal is not None, order)
        elif isinstance(command, RecordEntry):
            sums: Counter[str] = Counter()
            for posting in command.entry.postings:
                sums[posting.asset] += posting.amount_u6
            holds(14, not any(sums.values()), command.entry)
            holds(24, command.entry.kind is not EntryKind.ADJUST or bool(command.entry.note))
        elif isinstance(command, PlaceOrders):
            for terms in command.orders:
                holds(4, terms.cid not in self.terms, f"{terms.cid} placed twice")
                holds(4, terms.order_hash not in self.hashes, f"{terms.order_hash} twice")
                placed = self.stage.engine.trading.accounts[Realm.LIVE].orders.by_cid[terms.cid]
                self._planned(placed)
                self.terms[terms.cid] = terms
                self.hashes[terms.order_hash] = terms.cid

    def _edges(self, cid: str, path: list[str], external: bool) -> None:  # noqa: FBT001  a column of the record
        """19: only lawful steps, terminal states absorb."""
        before = "" if not external else "unknown"
        for state in path:
            lawful = LAWFUL.get(before, "").split()
            if before == "" and external:
                lawful = [one.value for one in OrderState]
            holds(19, state in lawful or (not before), f"{cid} {before} -> {state}: {path}")
            before = state

    # --- what left -------------------------------------------------------------------------------

    def _left(self, event: heard.OrderStaged) -> None:
        """1 to 7, and 9: judge every order whose bytes left on what was true at that moment."""
        engine = self.stage.engine
        account, room = engine.trading.accounts[Realm.LIVE], engine.trading.room
        now_ns = self.stage.now_ns
        for cid in event.cids:
            order = account.orders.by_cid[cid]
            draft, terms = order.draft, order.terms
            self.sent += 1
            assert terms is not None
            is_exit = draft.purpose is Purpose.FLATTEN
            holds(1, room.governor.stale_sent == 0, f"{cid} was sent on stale state")
            self._fresh(draft, account, now_ns)
            holds(2, not room.kill.killed or is_exit, f"{cid} sent while KILLED")
            causes = room.governor.desks[Realm.LIVE].causes
            holds(2, causes.state is not TradingState.HALTED or is_exit, f"{cid} while HALTED")
            holds(6, room.mode is Mode.LIVE_ARMED, f"{cid} sent in {room.mode}")
            kept = self.stage.kept.orders.get(cid)
            holds(4, kept is not None and kept.terms == terms, f"{cid} left without its record")
            holds(4, self.terms.get(cid) == terms, f"{cid} differs from its intent")
            self._amounts(terms, order)
            self._paced(now_ns)
        holds(9, not self._crossed(account.orders.counted()), "own orders cross")

    def _fresh(self, draft: Any, account: Any, now_ns: int) -> None:
        tracked = account.markets.tracked(draft.market)
        limits = account.config.limits
        holds(1, tracked.quality.state is BookState.SYNCED, f"{draft.market}: book not in sync")
        holds(1, tracked.quality.epoch == draft.epoch, "an older epoch")
        book_ns = now_ns - (tracked.last_ns or 0)
        witnessed = tracked.witness_ns >= (tracked.last_ns or 0)
        is_young = book_ns <= limits.book_age_ms * MS or (
            witnessed and now_ns - tracked.witness_ns <= limits.witnessed_age_ms * MS
        )
        holds(1, is_young, f"book {book_ns / S} s old")
        holds(1, now_ns - account.user_ns <= limits.user_age_ms * MS, "user stream stale")
        holds(1, account.offset_ns is not None, "clock unknown")
        holds(1, now_ns - account.offset_at_ns <= limits.clock_age_s * S, "clock sample old")
        holds(1, now_ns - tracked.listed_ns <= limits.metadata_age_s * S, "metadata stale")
        holds(22, book_ns >= 0 and now_ns - account.user_ns >= 0, "a negative age")
        bid, ask = tracked.book.touch_u6(tracked.spec.tokens[0])
        holds(21, bid < ask, "crossed book while in sync")

    def _amounts(self, terms: Terms, order: Order) -> None:
        """5: integers from the intent, on the grid, inside the collar's widest, expiry in range."""
        draft = order.draft
        is_buy = draft.side is Side.BUY
        cash, qty = terms.maker_amount_u6, terms.taker_amount_u6
        if not is_buy:
            cash, qty = qty, cash
        tracked = self.stage.engine.trading.acting.markets.tracked(draft.market)
        assert tracked is not None
        holds(5, draft.px_u6 % tracked.book.tick_u6 == 0 and 0 < draft.px_u6 < U, draft.px_u6)
        holds(5, 0 < qty <= draft.qty_u6, (qty, draft.qty_u6))
        exact = draft.px_u6 * qty
        if terms.order_type in (OrderType.GTC, OrderType.GTD):
            holds(5, exact == cash * U, (draft.px_u6, qty, cash))
            holds(5, qty >= 5 * U, "below the venue's minimum")
        elif is_buy:
            holds(5, cash * U <= draft.px_u6 * draft.qty_u6, "pays more than intended")
            holds(5, cash * U <= draft.px_u6 * (qty + 100), (cash, qty))
        else:
            holds(5, cash * U >= exact - 100 * U, "sells for less than the limit")
        if terms.order_type is OrderType.GTD:
            account = self.stage.engine.trading.accounts[Realm.LIVE]
            venue_ns = self.stage.now_ns + (account.offset_ns or 0)
            lead_ns = terms.expiration_s * S - venue_ns
            holds(5, 180 * S <= lead_ns <= 301 * S, f"expiry {lead_ns / S} s ahead")

    def _paced(self, now_ns: int) -> None:
        """7: never more than a second's worth at once plus the rate."""
        times = self.sent_times
        times.append(now_ns)
        while times[0] < now_ns - 10 * S:
            times.popleft()
        limits = self.stage.config.limits
        window_s = (now_ns - times[0]) / S
        most = limits.orders_per_s * (window_s + 1) + 3
        holds(7, len(times) <= most, f"{len(times)} orders in {window_s} s")

    def _crossed(self, orders: list[Order]) -> bool:
        """9: no own bid at or above an own ask, on the token or through its complement."""
        best: dict[str, tuple[int, int]] = {}
        for order in orders:
            draft = order.draft
            is_resting = order.state in (OrderState.LIVE, OrderState.PARTIAL, OrderState.SENT)
            if order.external or not is_resting or draft.purpose is not Purpose.OPEN:
                continue
            is_yes = draft.outcome is Outcome.YES
            px_u6 = draft.px_u6 if is_yes else U - draft.px_u6
            bid, ask = best.get(draft.market, (0, U))
            if (draft.side is Side.BUY) is is_yes:
                bid = max(bid, px_u6)
            else:
                ask = min(ask, px_u6)
            best[draft.market] = (bid, ask)
        return any(bid >= ask for bid, ask in best.values())

    # --- state -----------------------------------------------------------------------------------

    def _account(self) -> None:
        engine = self.stage.engine
        account, room = engine.trading.accounts[Realm.LIVE], engine.trading.room
        holds(1, room.governor.stale_sent == 0, "orders_sent_on_stale_state_total")
        orders, portfolio = account.orders, account.portfolio
        counted = orders.counted()
        reserved = sum(one.worst_cash_u6 for one in counted)
        holds(11, reserved == orders.reserved_cash_u6 >= 0, (reserved, orders.reserved_cash_u6))
        free_u6 = portfolio.free_cash_u6(orders.reserved_cash_u6)
        holds(11, free_u6 + reserved + portfolio.outgoing_u6 == portfolio.cash_u6, "cash")
        owners: dict[str, set[str]] = {}
        for one in counted:
            if not one.external and one.draft.purpose is not Purpose.FLATTEN:
                owners.setdefault(one.draft.market, set()).add(one.draft.strategy)
        holds(8, all(len(one) == 1 for one in owners.values()), owners)
        keys = {one.cid for one in counted}
        holds(11, not portfolio.orphans(keys), portfolio.orphans(keys))
        for order in orders.by_cid.values():
            if order.state.is_terminal or order.state is OrderState.PROPOSED:
                continue
            holds(19, order.timer_ns > 0, f"{order.cid} {order.state} has no timer")
        self._trades(account)
        for realm, desk in room.governor.desks.items():
            now = {(realm, name) for name in desk.breakers.tripped}
            before = {pair for pair in self.tripped if pair[0] is realm}
            holds(13, before <= now, f"breakers reset themselves: {before - now}")
            self.tripped |= now
        overdue = orders.overdue(self.stage.now_ns - 2 * S)
        causes = room.governor.desks[Realm.LIVE].causes
        holds(20, not overdue or causes.state is TradingState.HALTED, "in doubt past its end")
        if room.kill.killed and not self.killed_ns:
            self.killed_ns = self.stage.now_ns
        elif not room.kill.killed:
            self.killed_ns = 0
        if self.killed_ns:
            late = [
                terms.cid
                for at_ns, terms in self.stage.wire.sent
                if at_ns > self.killed_ns
                and orders.by_cid[terms.cid].draft.purpose is not Purpose.FLATTEN
            ]
            holds(3, not late, f"sent after KILL: {late}")

    def _trades(self, account: Any) -> None:
        """17: what an order counts as filled is the sum of its trades that have not failed."""
        sums: Counter[str] = Counter()
        for row in account.trades._rows.values():
            if row.applied.value in ("provisional", "stalled", "promoted"):
                sums[row.change.order_hash] += row.change.qty_u6
        for order in account.orders.by_cid.values():
            if order.unnamed == (0, 0):
                holds(
                    17,
                    order.filled_u6 == sums[order.order_hash] or not order.order_hash,
                    f"{order.cid} {order.filled_u6} of {sums[order.order_hash]}",
                )

    # --- exposure by brute force -----------------------------------------------------------------

    def _exposure(self) -> None:
        """10: positions, open, in flight, in doubt and unsettled, in both worlds, from scratch."""
        account = self.stage.engine.trading.accounts[Realm.LIVE]
        worlds: dict[tuple[str, str], list[int]] = {}
        groups: dict[str, str] = {}

        def add(strategy: str, market: str, group: str, if_yes: int, if_no: int) -> None:
            if strategy == "operator":
                return  # a flatten sells what is held, by whomever: what is left stays counted
            cell = worlds.setdefault((strategy, market), [0, 0])
            cell[0] += if_yes
            cell[1] += if_no
            groups.setdefault(market, group or market)

        for one in account.portfolio.positions:
            is_yes = one.place.outcome is Outcome.YES
            held, cost = one.confirmed_u6, one.cost_u6
            add(
                one.strategy,
                one.place.market,
                one.place.group,
                cost - (held if is_yes else 0),
                cost - (0 if is_yes else held),
            )
        for trade in account.trades.provisional():
            change = trade.change
            _uncertain(add, change, change.strategy, change.cash_u6, change.fee_u6, change.qty_u6,
                       account.group_of(change))  # fmt: skip
        for order in account.orders.counted():
            draft, qty = order.draft, order.at_risk_u6
            if order.external:
                continue
            cash = -(-draft.px_u6 * qty // U) if draft.side is Side.BUY else draft.px_u6 * qty // U
            _uncertain(add, draft, draft.strategy, cash, 0, qty, draft.group)
        limits = self.stage.engine.trading.room.governor.limits.now
        self._capped(worlds, groups, limits)

    def _capped(
        self, worlds: dict[tuple[str, str], list[int]], groups: dict[str, str], limits: Any
    ) -> None:
        sums: Counter[tuple[str, str]] = Counter()
        for (strategy, market), (if_yes, if_no) in worlds.items():
            tracked = self.stage.engine.desk.catalog.find(market)
            if tracked is None or self.stage.engine.desk.markets[tracked].resolved:
                continue
            worst = max(0, if_yes, if_no)
            if strategy == "external":
                continue
            for scope in (
                ("market", market),
                ("group", groups[market]),
                ("strategy", strategy),
                ("total", ""),
            ):
                sums[scope] += worst
        caps = {
            "market": limits.market_u6,
            "group": limits.group_u6,
            "strategy": limits.strategy_u6,
            "total": limits.total_u6,
        }
        for (kind, name), worst in sums.items():
            self.worst[kind] = max(self.worst[kind], worst)
            holds(10, worst <= caps[kind], f"{kind} {name}: {worst} above {caps[kind]}")

    # --- bundles ---------------------------------------------------------------------------------

    def _planned(self, order: Order) -> None:
        """12: of a parent no more is filled, open or in doubt than it asked for.

        The first leg asks once; hedges and exits together never ask for more than is naked, counted
        here from the orders' own fills.
        """
        account = self.stage.engine.trading.accounts[Realm.LIVE]
        bundle = account.bundles.by_id.get(order.draft.bundle)
        if bundle is None or not bundle.legs:
            return
        mine = [one for one in account.orders.by_cid.values() if one.draft.bundle == bundle.id]
        if order.draft.purpose is Purpose.OPEN:
            mass = sum(
                one.filled_u6 + (one.at_risk_u6 if one.is_counted else 0)
                for one in mine
                if one.draft.purpose is Purpose.OPEN
            )
            holds(12, mass <= bundle.legs[0].qty_u6 + DUST_U6, f"{bundle.id}: {mass}")
            return
        held = dict.fromkeys(Outcome, 0)
        for one in mine:
            sign = 1 if one.draft.side is Side.BUY else -1
            held[one.draft.outcome] += sign * one.filled_u6
        if bundle.is_late or any(t.moved_u6 for t in bundle.tallies.values()):
            return
        naked = abs(held[Outcome.YES] - held[Outcome.NO])
        asked = sum(c.pending_u6 for c in bundle.children if c.draft.purpose is not Purpose.OPEN)
        holds(12, asked <= naked + naked // 50 + DUST_U6, f"{bundle.id}: {asked} for {naked}")

    # --- books -----------------------------------------------------------------------------------

    def _books(self) -> None:
        """21: no crossed book is ever marked valid."""
        for tracked in self.stage.engine.desk.markets.values():
            if tracked.quality.state is BookState.SYNCED and tracked.crossed_since_ns is None:
                bid, ask = tracked.book.touch_u6(tracked.spec.tokens[0])
                holds(21, bid < ask, "crossed and valid")


def _uncertain(
    add: Any, what: Any, strategy: str, cash: int, fee: int, qty: int, group: str
) -> None:
    """Count something that may happen or not, where that hurts."""
    if what.side is Side.BUY:
        other, own = cash + fee, cash + fee - qty
    else:
        other, own = fee - cash, fee - cash + qty
    is_yes = what.outcome is Outcome.YES
    if_yes, if_no = (own, other) if is_yes else (other, own)
    add(strategy, what.market, group, max(0, if_yes), max(0, if_no))


# --- at rest -------------------------------------------------------------------------------------


def equal_to_truth(stage: Rehearsal) -> None:
    """15: the venue's truth is the ledger: cash, each token, each order's remainder, exactly."""
    account = stage.engine.trading.accounts[Realm.LIVE]
    exchange, portfolio = stage.exchange, account.portfolio
    holds(15, not account.trades.provisional(), "not at rest: trades are settling")
    theirs = exchange.balance(ACCOUNT, CASH).balance_u6
    holds(15, portfolio.cash_u6 == theirs, f"cash {portfolio.cash_u6}, the venue's {theirs}")
    ours = {token: row for token, row in portfolio.tokens().items() if any(row)}
    held = {held.token: held.qty_u6 for held in exchange.positions(ACCOUNT) if held.qty_u6}
    for token in sorted(set(ours) | set(held)):
        row = ours.get(token, (0, 0, 0))
        holds(15, row == (held.get(token, 0), 0, 0), f"token {token[:8]}: {row}, {held.get(token)}")
    live = {order.order_id: order for order in exchange.open_orders(owner=OWNER)}
    mine = {order.order_hash: order for order in account.orders.open()}
    holds(15, set(live) == set(mine), f"open orders {sorted(live)} against {sorted(mine)}")
    for order_hash, seen in live.items():
        left = mine[order_hash].remaining_u6
        holds(15, left == seen.qty_u6 - seen.matched_u6, f"{order_hash} {left}")


def equal_books(stage: Rehearsal) -> int:
    """21: every book marked valid is the venue's, where nothing moved for a tenth of a second.

    Returns how many were compared.
    """
    compared = 0
    for tracked in stage.engine.desk.markets.values():
        book = stage.feed._tape.books.get(tracked.spec.market)
        is_quiet = book is not None and book.changed_ms < stage.now_ns // MS - 100
        if book is None or not is_quiet or tracked.quality.state is not BookState.SYNCED:
            continue
        ladders = (tracked.book.yes, tracked.book.no)
        ours = [dict(zip(one.px, one.qty, strict=True)) for one in ladders]
        theirs = [dict(zip(one.pxs, one.qtys, strict=True)) for one in book.bids]
        holds(21, ours == theirs, f"{tracked.spec.title}: {ours} against {theirs}")
        compared += 1
    return compared


def own_fills(changes: list[Any]) -> dict[str, int]:
    """Sum what a list of changes leaves of each token."""
    sums: Counter[str] = Counter()
    for change in changes:
        sign = {FillKind.PROVISIONAL: 1, FillKind.VOIDED: -1}.get(change.kind, 0)
        sums[change.token] += sign * (change.qty_u6 if change.side is Side.BUY else -change.qty_u6)
    return dict(sums)


__all__ = ["Broken", "Turn", "Watch", "equal_to_truth", "holds", "own_fills"]
