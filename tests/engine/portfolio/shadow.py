"""One trader's books, kept from what the practice exchange says alone."""

from collections import Counter
from typing import Any

from polytui.engine.core.account_events import PairsMoved
from polytui.engine.core.enums import Outcome
from polytui.engine.core.order_enums import EntryKind, FillKind, Realm, SendOutcome
from polytui.engine.core.trading import CASH, Balance, FillChange, LedgerEntry
from polytui.engine.portfolio.chain import EXTERNAL, Conversion
from polytui.engine.portfolio.portfolio import Portfolio
from polytui.engine.portfolio.positions import Place
from polytui.engine.sim.exchange.api import COLLATERAL, TradeStatus, TradeView
from polytui.engine.sim.exchange.emissions import BalanceMoved, Emission, TradeUpdate
from polytui.engine.sim.exchange.exchange import Exchange

KINDS = {
    TradeStatus.MATCHED: FillKind.PROVISIONAL,
    TradeStatus.CONFIRMED: FillKind.PROMOTED,
    TradeStatus.FAILED: FillKind.VOIDED,
}
"""MINED and RETRYING move nothing."""

EARNED = {"rebates": EntryKind.REBATE, "rewards": EntryKind.REWARD}


class Shadow:
    """The books of one account of an exchange."""

    def __init__(self, exchange: Exchange, account: str, strategies: int) -> None:
        self.exchange = exchange
        self.account = account
        self.names = (EXTERNAL, *(f"s{n}" for n in range(1, strategies)))
        """Strategies; the first owns what was there before."""
        self.books = Portfolio(Realm.LIVE)
        held = [Balance(asset=CASH, qty_u6=exchange.balance(account, COLLATERAL).balance_u6)]
        tokens = [token for market in exchange.markets() for token in market.tokens]
        held += [
            Balance(asset=token, qty_u6=exchange.balance(account, token).balance_u6)
            for token in tokens
        ]
        self.kinds: Counter[EntryKind] = Counter()
        """Entries booked."""
        self.opening_u6 = sum(one.cost_u6 for one in exchange.positions(account))
        """Cost of the tokens held at first."""
        self.books.opening(
            held,
            at_ns=exchange.now_ns,
            seq=1,
            place_of=self.place,
            costs={one.token: one.cost_u6 for one in exchange.positions(account)},
        )
        self.capital_u6 = held[0].qty_u6

    def place(self, token: str) -> Place:
        terms = self.exchange.market_of(token)
        assert terms is not None
        outcome = Outcome.YES if token == terms.tokens[0] else Outcome.NO
        return Place(token=token, market=terms.condition, group=terms.group, outcome=outcome)

    def hear(self, emissions: tuple[Emission, ...]) -> None:
        """Book what concerns this account."""
        for one in emissions:
            if isinstance(one, TradeUpdate) and one.trade.status in KINDS:
                for change in self.changes(one.trade, one.at_ns):
                    self.count(self.books.apply(change, group=self.place(change.token).group))
            elif isinstance(one, BalanceMoved) and one.account == self.account:
                self.move(one)

    def count(self, entry: LedgerEntry | None) -> LedgerEntry:
        assert entry is not None
        self.kinds[entry.kind] += 1
        return entry

    # --- trades ----------------------------------------------------------------------------------

    def changes(self, trade: TradeView, at_ns: int) -> list[FillChange]:
        """Turn a trade's step into one change for each of our orders in it."""
        found = []
        if trade.account == self.account:
            found.append(self.change(trade, at_ns, trade.taker_order_id, trade, trade.fee_u6))
        found += [
            self.change(trade, at_ns, maker.order_id, maker, 0)
            for maker in trade.makers
            if maker.account == self.account
        ]
        return found

    def change(
        self, trade: TradeView, at_ns: int, order: str, part: Any, fee_u6: int
    ) -> FillChange:
        place = self.place(part.token)
        return FillChange(
            kind=KINDS[trade.status],
            realm=Realm.LIVE,
            at_ns=at_ns,
            seq=1,
            trade_id=trade.trade_id,
            order_hash=order,
            cid="",
            strategy=self.names[int(order, 16) % len(self.names)],
            market=place.market,
            token=place.token,
            outcome=place.outcome,
            side=part.side,
            px_u6=part.px_u6,
            qty_u6=part.qty_u6,
            cash_u6=part.cash_u6,
            fee_u6=fee_u6,
            is_maker=order != trade.taker_order_id,
            snapshot=int(order, 16) % 97,
        )

    # --- the chain -------------------------------------------------------------------------------

    def move(self, moved: BalanceMoved) -> None:
        """Book an operation of the chain, and check that our rule gives the same amounts."""
        moves = {asset: u6 for asset, u6 in moved.moves if u6}
        cash_u6 = moves.get(COLLATERAL, 0)
        if not moves:
            return
        if moved.what in ("deposit", "withdraw"):
            self.capital_u6 += cash_u6
            self.count(self.books.transfer(cash_u6, ref=moved.what, at_ns=moved.at_ns, seq=1))
        elif moved.what == "transfer":
            ((asset, amount_u6),) = moves.items()
            place = None if asset == COLLATERAL else self.place(asset)
            self.count(
                self.books.adjust(
                    asset, amount_u6, evidence="transfer", place=place, at_ns=moved.at_ns, seq=1
                )
            )
        elif moved.what in EARNED:
            kind = EARNED[moved.what]
            self.count(self.books.earned(kind, cash_u6, ref="day", at_ns=moved.at_ns, seq=1))
        elif moved.what == "convert":
            self.agree(moves, self.convert(moves, moved.at_ns))
        else:
            self.agree(moves, self.pairs(moved.what, moves, moved.at_ns))

    def pairs(self, op: str, moves: dict[str, int], at_ns: int) -> LedgerEntry | None:
        token = next(asset for asset in moves if asset != COLLATERAL)
        terms = self.exchange.market_of(token)
        assert terms is not None
        event = PairsMoved(
            realm=Realm.LIVE,
            request=op,
            outcome=SendOutcome.ACCEPTED,
            op=op,
            market=terms.condition,
            qty_u6=abs(moves[token]),
            paid_u6=max(0, moves.get(COLLATERAL, 0)),
        )
        pair = (self.place(terms.tokens[0]), self.place(terms.tokens[1]))
        return self.books.moved(event, pair=pair, at_ns=at_ns, seq=1, strategy=self.names[0])

    def convert(self, moves: dict[str, int], at_ns: int) -> LedgerEntry:
        """Rebuild the whole deed from the tokens burnt and the group's terms."""
        given = [asset for asset, u6 in moves.items() if asset != COLLATERAL and u6 < 0]
        terms = self.exchange.market_of(given[0])
        assert terms is not None
        (group,) = [one for one in self.exchange.groups() if one.id == terms.group]
        siblings = [one for one in self.exchange.markets() if one.group == terms.group]
        deed = Conversion(
            ref="convert",
            given=tuple(self.place(token) for token in given),
            others=tuple(
                self.place(one.tokens[0]) for one in siblings if one.tokens[1] not in given
            ),
            amount_u6=-moves[given[0]],
            fee_bips=group.fee_bips,
        )
        return self.books.convert(deed, at_ns=at_ns, seq=1, strategy=self.names[0])

    def agree(self, moves: dict[str, int], entry: LedgerEntry | None) -> None:
        assert not self.count(entry).note
        assert entry is not None
        mine = {p.asset: p.amount_u6 for p in entry.postings if p.account == "confirmed"}
        assert mine == moves

    # --- truth -----------------------------------------------------------------------------------

    def compare(self) -> None:
        """Check every number against the exchange's own: always equal, not only at rest."""
        books, exchange, account = self.books, self.exchange, self.account
        held = books.tokens()
        cash = exchange.balance(account, COLLATERAL)
        assert (books.cash_u6, books.outgoing_u6, books.incoming_u6) == (
            cash.balance_u6,
            cash.matched_u6,
            cash.incoming_u6,
        )
        for market in exchange.markets():
            for token in market.tokens:
                truth = exchange.balance(account, token)
                assert held.get(token, (0, 0, 0)) == (
                    truth.balance_u6,
                    truth.incoming_u6,
                    truth.matched_u6,
                )
        accrued = exchange.accrued(account)
        summary = books.summary()
        assert (summary.fees_u6, summary.rebates_u6, summary.rewards_u6) == (
            accrued.fees_u6,
            accrued.rebates_paid_u6,
            accrued.rewards_paid_u6,
        )
        books.audit()

    def compare_lots(self) -> None:
        """Check cost and profit against the exchange's own lots: one strategy, no transfers.

        Profit is compared per group: where all NO of it were converted to cash, the exchange books
        the gain to the first question, we in equal parts.
        """
        lots = {one.token: one for one in self.exchange.positions(self.account)}
        mine = {one.place.token: one for one in self.books.positions}
        ours: Counter[str] = Counter()
        theirs: Counter[str] = Counter()
        for token, lot in lots.items():
            one = mine.get(token)
            got = (0, 0, 0) if one is None else (one.cost_u6, one.fees_u6, one.realized_u6)
            assert got[:2] == (lot.cost_u6, lot.fees_u6), token
            place = self.place(token)
            ours[place.group or place.market] += got[2]
            theirs[place.group or place.market] += lot.realized_u6
        assert ours == theirs
