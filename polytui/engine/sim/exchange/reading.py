"""The reading half of the facade: questions change nothing and are not logged."""

from collections.abc import Iterable

from msgspec import Struct

from polytui.engine.core.enums import Outcome
from polytui.engine.core.units import U
from polytui.engine.sim.exchange.accounts import Account
from polytui.engine.sim.exchange.api import (
    Accrued,
    AssetBalance,
    BookView,
    OrderView,
    PositionView,
    TradeView,
)
from polytui.engine.sim.exchange.audit import audit
from polytui.engine.sim.exchange.chain import Chain
from polytui.engine.sim.exchange.orders import Order
from polytui.engine.sim.exchange.rewards import Rewards
from polytui.engine.sim.exchange.settlement import Settlement
from polytui.engine.sim.exchange.terms import (
    AssetType,
    GroupTerms,
    MarketTerms,
    OracleStatus,
    Resolution,
    Spender,
)
from polytui.engine.sim.exchange.updown import Series
from polytui.engine.sim.exchange.world import World

_NS = 1_000_000_000


class TradeFilter(Struct, frozen=True, kw_only=True):
    """What a trade must match; empty and None match all."""

    account: str = ""
    owner: str = ""
    trade_id: str = ""
    condition: str = ""
    token: str = ""
    before_s: int | None = None
    after_s: int | None = None

    def admits(self, trade: TradeView) -> bool:
        """Tell whether a trade matches; taker and makers count for account, owner and token."""
        return (
            self.trade_id in ("", trade.trade_id)
            and self.condition in ("", trade.condition)
            and (self.before_s is None or trade.matched_ns < self.before_s * _NS)
            and (self.after_s is None or trade.matched_ns > self.after_s * _NS)
            and self._has_party(trade)
        )

    def _has_party(self, trade: TradeView) -> bool:
        return self._is(trade.account, trade.owner, trade.token) or any(
            self._is(maker.account, maker.owner, maker.token) for maker in trade.makers
        )

    def _is(self, account: str, owner: str, token: str) -> bool:
        return (
            self.account in ("", account)
            and self.owner in ("", owner)
            and self.token in ("", token)
        )


def find_orders(
    world: World, *, owner: str, account: str, condition: str, token: str
) -> tuple[OrderView, ...]:
    """List active orders, oldest first."""
    pool: Iterable[Order]
    if owner:
        pool = world.by_owner.get(owner, {}).values()
    elif account:
        known = world.accounts.all.get(account)
        pool = () if known is None else known.orders.values()
    else:
        pool = world.orders.values()
    return tuple(
        order.view()
        for order in pool
        if account in ("", order.request.account)
        and condition in ("", order.market.condition)
        and token in ("", order.request.token)
    )


def find_trades(world: World, settlement: Settlement, wanted: TradeFilter) -> tuple[TradeView, ...]:
    """List trades, newest first."""
    pool = settlement.trades
    if wanted.account:
        known = world.accounts.all.get(wanted.account)
        pool = {} if known is None else known.trades
    if wanted.trade_id:
        trade = pool.get(wanted.trade_id)
        pool = {} if trade is None else {trade.id: trade}
    return tuple(trade.view for trade in reversed(pool.values()) if wanted.admits(trade.view))


def list_positions(world: World, chain: Chain, account: Account) -> tuple[PositionView, ...]:
    """List what an account holds, confirmed, with its cost."""
    found = []
    for token, lot in account.lots.items():
        market = world.by_token[token]
        outcome = market.outcome_of(token)
        found.append(
            PositionView(
                account=account.address,
                condition=market.condition,
                token=token,
                outcome=outcome,
                qty_u6=lot.qty_u6,
                cost_u6=lot.cost_u6,
                fees_u6=lot.fees_u6,
                realized_u6=lot.realized_u6,
                redeemable_u6=chain.redeemable_u6(account, market, outcome),
            )
        )
    return tuple(found)


class Reading:
    """What may be asked of an exchange."""

    __slots__ = ("_chain", "_rewards", "_series", "_settlement", "_world")

    _world: World
    _rewards: Rewards
    _settlement: Settlement
    _chain: Chain
    _series: Series

    def accounts(self) -> tuple[str, ...]:
        """List the known addresses."""
        return tuple(self._world.accounts.all)

    def groups(self) -> tuple[GroupTerms, ...]:
        """List all groups."""
        return tuple(self._world.groups.values())

    def markets(self) -> tuple[MarketTerms, ...]:
        """List all markets with their present terms, resolved ones included."""
        return tuple(market.terms for market in self._world.markets.values())

    def market(self, condition: str) -> MarketTerms | None:
        """Return a market's present terms."""
        market = self._world.markets.get(condition)
        return None if market is None else market.terms

    def market_of(self, token: str) -> MarketTerms | None:
        """Return the market a token belongs to."""
        market = self._world.by_token.get(token)
        return None if market is None else market.terms

    def oracle(self, condition: str) -> OracleStatus:
        """Return what the oracle says of a market."""
        return self._world.known_market(condition).oracle

    def resolution(self, condition: str) -> Resolution | None:
        """Return how a market ended, None before."""
        return self._world.known_market(condition).resolution

    def book(self, condition: str) -> BookView | None:
        """Return the book of a market, None once it is gone (resolved) or unknown."""
        market = self._world.markets.get(condition)
        return None if market is None or market.resolution is not None else market.view()

    def best(self, condition: str) -> tuple[int, int]:
        """Return best YES bid and ask: 0 = no bid, 1,000,000 = no ask."""
        return self._world.known_market(condition).best()

    def open_orders(
        self, *, owner: str = "", account: str = "", condition: str = "", token: str = ""
    ) -> tuple[OrderView, ...]:
        """List active orders, oldest first, by any of the filters; the caller pages."""
        return find_orders(
            self._world, owner=owner, account=account, condition=condition, token=token
        )

    def order(self, order_id: str) -> OrderView | None:
        """Return an active order; None for filled, cancelled and unknown ones (§3.2)."""
        order = self._world.orders.get(order_id)
        return None if order is None else order.view()

    def trades(
        self,
        *,
        account: str = "",
        owner: str = "",
        trade_id: str = "",
        condition: str = "",
        token: str = "",
        before_s: int | None = None,
        after_s: int | None = None,
    ) -> tuple[TradeView, ...]:
        """List trades by any of the filters, newest first; `before`/`after` are match times."""
        wanted = TradeFilter(
            account=account,
            owner=owner,
            trade_id=trade_id,
            condition=condition,
            token=token,
            before_s=before_s,
            after_s=after_s,
        )
        return find_trades(self._world, self._settlement, wanted)

    def balance(self, account: str, asset: str) -> AssetBalance:
        """Return the true balance of pUSD (`api.COLLATERAL`) or of a token."""
        return self._world.accounts.balance(self._world.known_account(account), asset)

    def cached_balance(self, account: str, asset: str) -> int:
        """Return the balance as the venue's cache has it: stale while it is held."""
        return self._world.accounts.believed_u6(self._world.known_account(account), asset)

    def allowance(self, account: str, spender: Spender, asset: AssetType) -> int | None:
        """Return an allowance; None: unlimited."""
        return self._world.known_account(account).allowances.get((spender, asset))

    def positions(self, account: str) -> tuple[PositionView, ...]:
        """List confirmed holdings of tokens."""
        return list_positions(self._world, self._chain, self._world.known_account(account))

    def accrued(self, account: str) -> Accrued:
        """Return fees paid, rebates and rewards earned."""
        known = self._world.known_account(account)
        return Accrued(
            fees_u6=known.fees_u6,
            rebates_u6=self._rewards.rebates_u6(known),
            rebates_paid_u6=known.rebates_paid_u6,
            rewards_u6=known.rewards_u12 // U,
            rewards_paid_u6=known.rewards_paid_u6,
        )

    def window(self, condition: str) -> tuple[int | None, int | None]:
        """Return an up/down market's opening and final average, None while unknown."""
        return self._series.window(condition)

    def audit(self) -> None:
        """Recount everything from scratch.

        Raises:
            EngineBug: any conservation law, reservation or book is broken.
        """
        audit(self._world)

    def outcome_of(self, token: str) -> Outcome | None:
        """Say which side of its market a token is."""
        market = self._world.by_token.get(token)
        return None if market is None else market.outcome_of(token)
