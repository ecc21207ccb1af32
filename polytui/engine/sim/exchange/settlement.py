"""Matched trades become money in steps of their own, or do not (§5.4, §10 "ghost fill").

    MATCHED ─ mine delay ─► MINED ─ confirm delay ─► CONFIRMED
       ▲ └──────────────► RETRYING (new hash), again
       └────────────────► FAILED

A match takes from both sides into escrow and gives to nobody. CONFIRMED mints, burns and pays out;
FAILED pays back exactly what each side gave. Chances are drawn when the step happens, with the
settings of that moment, so a storm catches trades already under way.
"""

from functools import partial
from math import exp, log

from msgspec import structs

from polytui.engine.core.enums import Side
from polytui.engine.core.rng import Rng
from polytui.engine.sim.exchange.accounts import ESCROW, FEES, Account, add
from polytui.engine.sim.exchange.api import COLLATERAL, Form, MakerFill, TradeStatus, TradeView
from polytui.engine.sim.exchange.emissions import MS, TradeUpdate
from polytui.engine.sim.exchange.market import Market
from polytui.engine.sim.exchange.matching import Batch, Fill
from polytui.engine.sim.exchange.orders import Order
from polytui.engine.sim.exchange.positions import Lot
from polytui.engine.sim.exchange.rewards import Rewards
from polytui.engine.sim.exchange.terms import DelayTerms
from polytui.engine.sim.exchange.world import World, hex_id, uuid_id

TRADES_MAX = 50_000
"""Terminal trades remembered; the oldest are forgotten."""

Leg = tuple[Account, str, int]
"""(account, asset, amount)."""


class Trade:
    """One trade under way or done."""

    __slots__ = (
        "burnt_u6",
        "fees",
        "gets",
        "makers",
        "market",
        "minted_u6",
        "parties",
        "pays",
        "tries",
        "view",
    )

    def __init__(self, market: Market, view: TradeView, parties: tuple[Account, ...]) -> None:
        """Begin with its public face; legs are added by the settlement."""
        self.market = market
        self.view = view
        self.parties = parties
        """The taker's account, then each maker's, in the order of the fills."""
        self.makers: tuple[Order, ...] = ()
        """The orders met, until their owners have been told."""
        self.pays: list[Leg] = []
        self.gets: list[Leg] = []
        self.minted_u6 = 0
        self.burnt_u6 = 0
        self.fees = market.terms.fees
        """Schedule at the match: later changes do not touch this trade."""
        self.tries = 0

    @property
    def id(self) -> str:
        """The venue's trade id."""
        return self.view.trade_id


class Settlement:
    """All trades."""

    __slots__ = ("_done", "_hashes", "_ids", "_luck", "_rewards", "_world", "trades")

    def __init__(self, world: World, rewards: Rewards) -> None:
        """Take streams of randomness of its own."""
        self._world = world
        self._rewards = rewards
        self._luck = world.rng.fork("settlement")
        self._ids = world.rng.fork("trade ids")
        self._hashes = world.rng.fork("transaction hashes")
        self.trades: dict[str, Trade] = {}
        self._done: dict[str, None] = {}

    def match(self, taker: Order, batch: Batch) -> Trade:
        """Make a trade of a batch: take both sides' assets into escrow, book the next step."""
        trade = self._make(taker, batch)
        self._add_legs(trade, taker, batch)
        for account, asset, amount_u6 in trade.pays:
            self._world.accounts.ledger.move(asset, account.address, ESCROW, amount_u6)
            add(account.matched, asset, amount_u6)
        for account, asset, amount_u6 in trade.gets:
            add(account.incoming, asset, amount_u6)
        self.trades[trade.id] = trade
        for account in trade.parties:
            account.trades[trade.id] = trade
        self._later(self._world.settings.settlement.mine, partial(self._mine, trade))
        return trade

    def _make(self, taker: Order, batch: Batch) -> Trade:
        world, request, terms = self._world, taker.request, taker.market.terms
        view = TradeView(
            trade_id=uuid_id(self._ids),
            condition=terms.condition,
            taker_order_id=request.order_id,
            account=request.account,
            owner=request.owner,
            token=request.token,
            outcome=terms.outcomes[0 if taker.is_yes else 1],
            side=request.side,
            px_u6=batch.px_u6,
            qty_u6=batch.qty_u6,
            cash_u6=batch.cash_u6,
            fee_u6=batch.fee_u6,
            status=TradeStatus.MATCHED,
            matched_ns=world.now_ns,
            updated_ns=world.now_ns,
            tx_hash="",
            makers=tuple(_maker_fill(fill) for fill in batch.fills),
        )
        parties = (taker.account, *(fill.maker.account for fill in batch.fills))
        trade = Trade(taker.market, view, parties)
        trade.makers = tuple(fill.maker for fill in batch.fills)
        return trade

    @staticmethod
    def _add_legs(trade: Trade, taker: Order, batch: Batch) -> None:
        """Write down who gives what at the match and who gets what at the end."""
        pays, gets, fee_u6 = trade.pays, trade.gets, batch.fee_u6
        token = taker.request.token
        if taker.is_buy:
            pays.append((taker.account, COLLATERAL, batch.cash_u6 + fee_u6))
            gets.append((taker.account, token, batch.qty_u6))
        else:
            assert batch.cash_u6 >= fee_u6, f"expected a fee below {batch.cash_u6}, was {fee_u6}"
            pays.append((taker.account, token, batch.qty_u6))
            gets.append((taker.account, COLLATERAL, batch.cash_u6 - fee_u6))
        for fill in batch.fills:
            account, maker_token = fill.maker.account, fill.maker.request.token
            shares: Leg = (account, maker_token, fill.qty_u6)
            cash: Leg = (account, COLLATERAL, fill.maker_cash_u6)
            pays.append(cash if fill.maker.is_buy else shares)
            gets.append(shares if fill.maker.is_buy else cash)
            if fill.form is Form.MINT:
                trade.minted_u6 += fill.qty_u6
            elif fill.form is Form.MERGE:
                trade.burnt_u6 += fill.qty_u6
        given = sum(leg[2] for leg in pays if leg[1] == COLLATERAL)
        taken = sum(leg[2] for leg in gets if leg[1] == COLLATERAL)
        created = trade.burnt_u6 - trade.minted_u6
        assert given + created == taken + fee_u6, f"expected {given + created}, was {taken}"

    # --- steps -----------------------------------------------------------------------------------

    def _mine(self, trade: Trade) -> None:
        terms = self._world.settings.settlement
        tx_hash = hex_id(self._hashes, 64)
        if trade.tries < terms.retries_max and self._luck.chance(terms.retry_chance):
            trade.tries += 1
            self._step(trade, TradeStatus.RETRYING, tx_hash)
            self._later(terms.mine, partial(self._mine, trade))
        elif self._luck.chance(terms.fail_chance):
            self._reverse(trade)
            self._step(trade, TradeStatus.FAILED, tx_hash)
        else:
            self._step(trade, TradeStatus.MINED, tx_hash)
            self._later(terms.confirm, partial(self._confirm, trade))

    def _confirm(self, trade: Trade) -> None:
        ledger = self._world.accounts.ledger
        create_pairs(self._world, trade.market, ESCROW, trade.minted_u6 - trade.burnt_u6)
        for account, asset, amount_u6 in trade.pays:
            add(account.matched, asset, -amount_u6)
        for account, asset, amount_u6 in trade.gets:
            add(account.incoming, asset, -amount_u6)
            ledger.move(asset, ESCROW, account.address, amount_u6)
        ledger.move(COLLATERAL, ESCROW, FEES, trade.view.fee_u6)
        self._book_lots(trade)
        self._rewards.note_trade(trade)
        self._step(trade, TradeStatus.CONFIRMED, trade.view.tx_hash)

    def _reverse(self, trade: Trade) -> None:
        ledger = self._world.accounts.ledger
        for account, asset, amount_u6 in trade.pays:
            add(account.matched, asset, -amount_u6)
            ledger.move(asset, ESCROW, account.address, amount_u6)
        for account, asset, amount_u6 in trade.gets:
            add(account.incoming, asset, -amount_u6)

    def _step(self, trade: Trade, status: TradeStatus, tx_hash: str) -> None:
        trade.view = structs.replace(
            trade.view, status=status, tx_hash=tx_hash, updated_ns=self._world.now_ns
        )
        self._world.emit(TradeUpdate(at_ns=self._world.now_ns, trade=trade.view))
        if status in (TradeStatus.CONFIRMED, TradeStatus.FAILED):
            self._retire(trade)

    def _retire(self, trade: Trade) -> None:
        """Let a terminal trade grow old: drop its legs, and in the end the trade."""
        trade.pays.clear()
        trade.gets.clear()
        self._done[trade.id] = None
        if len(self._done) > TRADES_MAX:
            oldest = next(iter(self._done))
            del self._done[oldest]
            for account in self.trades.pop(oldest).parties:
                account.trades.pop(oldest, None)

    def _book_lots(self, trade: Trade) -> None:
        view = trade.view
        lot = lot_of(trade.parties[0], view.token)
        if view.side is Side.BUY:
            lot.gain(view.qty_u6, view.cash_u6)
        else:
            lot.lose(view.qty_u6, view.cash_u6)
        lot.fees_u6 += view.fee_u6
        trade.parties[0].fees_u6 += view.fee_u6
        for account, fill in zip(trade.parties[1:], view.makers, strict=True):
            lot = lot_of(account, fill.token)
            if fill.side is Side.BUY:
                lot.gain(fill.qty_u6, fill.cash_u6)
            else:
                lot.lose(fill.qty_u6, fill.cash_u6)

    def _later(self, delay: DelayTerms, deed: partial[None]) -> None:
        due_ns = self._world.now_ns + draw_ms(delay, self._luck) * MS
        self._world.calendar.book(due_ns, deed)


def _maker_fill(fill: Fill) -> MakerFill:
    """Show one maker's part in the maker's own terms."""
    maker, terms = fill.maker, fill.maker.market.terms
    outcome_ix = 0 if maker.is_yes else 1
    return MakerFill(
        order_id=maker.id,
        account=maker.request.account,
        owner=maker.request.owner,
        token=maker.request.token,
        outcome=terms.outcomes[outcome_ix],
        outcome_ix=outcome_ix,
        side=maker.request.side,
        px_u6=maker.px_u6,
        qty_u6=fill.qty_u6,
        cash_u6=fill.maker_cash_u6,
        form=fill.form,
    )


def create_pairs(world: World, market: Market, holder: str, amount_u6: int) -> None:
    """Turn a holder's pUSD into YES and NO; a negative amount turns them back."""
    ledger, condition = world.accounts.ledger, market.condition
    lock, mint = f"@lock:{condition}", f"@mint:{condition}"
    if amount_u6 >= 0:
        ledger.move(COLLATERAL, holder, lock, amount_u6)
        for token in market.terms.tokens:
            ledger.move(token, mint, holder, amount_u6)
    else:
        for token in market.terms.tokens:
            ledger.move(token, holder, mint, -amount_u6)
        ledger.move(COLLATERAL, lock, holder, -amount_u6)


def lot_of(account: Account, token: str) -> Lot:
    """Return an account's lot of a token, made when it is missing."""
    lot = account.lots.get(token)
    if lot is None:
        lot = account.lots[token] = Lot()
    return lot


def draw_ms(delay: DelayTerms, luck: Rng) -> int:
    """Draw a waiting time, in whole milliseconds."""
    if not delay.median_ms:
        return luck.between(delay.low_ms, delay.high_ms)
    drawn = round(exp(log(delay.median_ms) + delay.sigma * luck.normal()))
    return max(delay.low_ms, min(delay.high_ms, drawn))
