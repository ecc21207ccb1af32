"""A small practice exchange for tests: two traders, one market, orders in words."""

from typing import Any

from polytui.engine.core.enums import Side
from polytui.engine.core.events import FeeSchedule
from polytui.engine.core.order_enums import OrderType
from polytui.engine.core.rng import Rng
from polytui.engine.core.units import U, parse_u6
from polytui.engine.sim.exchange.api import COLLATERAL, OrderRequest, PlaceResult
from polytui.engine.sim.exchange.emissions import Emission
from polytui.engine.sim.exchange.exchange import Exchange
from polytui.engine.sim.exchange.terms import (
    DelayTerms,
    GroupTerms,
    MarketTerms,
    Settings,
    SettlementTerms,
)

MS = 1_000_000
S = 1_000 * MS
START_NS = 1_790_000_000 * S
MARKET = "0x" + "ab" * 32
YES, NO = "1" * 77, "2" * 77
ANN, BOB, CAT = "0xann", "0xbob", "0xcat"
GTC, GTD, FOK, FAK = OrderType.GTC, OrderType.GTD, OrderType.FOK, OrderType.FAK
CRYPTO = FeeSchedule(rate_u6=70_000, exponent=1, rebate_u6=200_000)
FAST = SettlementTerms(
    mine=DelayTerms(low_ms=1_000, high_ms=1_000), confirm=DelayTerms(low_ms=1_000, high_ms=1_000)
)


def terms(n: int = 0, **facts: Any) -> MarketTerms:
    """Write the terms of the n-th market; market 0 has the ids above."""
    if n:
        ids = {"condition": f"0x{n:064x}", "tokens": (f"{n}1" + "0" * 60, f"{n}2" + "0" * 60)}
    else:
        ids = {"condition": MARKET, "tokens": (YES, NO)}
    return MarketTerms(**{"question": "Will it?", "slug": f"will-it-{n}", **ids, **facts})


class Rig:
    """An exchange with three funded accounts, whose API key is named like the address."""

    def __init__(
        self,
        *markets: MarketTerms,
        settings: Settings | None = None,
        group: GroupTerms | None = None,
        cash: str = "1000",
        seed: int = 7,
    ) -> None:
        self.exchange = Exchange(
            rng=Rng(seed),
            start_ns=START_NS,
            settings=settings or Settings(settlement=FAST, batch_shuffled=False),
        )
        if group is not None:
            self.exchange.list_group(group)
        for one in markets or (terms(),):
            self.exchange.list_market(one)
        for address in (ANN, BOB, CAT):
            self.exchange.open_account(address)
            self.exchange.deposit(address, parse_u6(cash))
        self.orders = 0
        self.exchange.drain()

    def split(self, account: str, amount: str, condition: str = MARKET) -> None:
        """Give an account pairs of tokens out of fresh money."""
        self.exchange.deposit(account, parse_u6(amount))
        self.exchange.split(account, condition, parse_u6(amount))

    def request(
        self, account: str, side: Side, price: str, size: str, token: str = YES, **facts: Any
    ) -> OrderRequest:
        """Write an order as a careful client would (§5.2); FAK/FOK sizes are dollars to buy."""
        self.orders += 1
        px_u6, size_u6 = parse_u6(price), parse_u6(size)
        is_market = facts.get("order_type") in (FOK, FAK)
        if is_market and side is Side.BUY:
            maker_u6, taker_u6 = size_u6, size_u6 * U // px_u6 // 100 * 100
        elif side is Side.BUY:
            maker_u6, taker_u6 = px_u6 * size_u6 // U, size_u6
        else:
            maker_u6, taker_u6 = size_u6, px_u6 * size_u6 // U
        plain: dict[str, Any] = {
            "order_id": f"0x{self.orders:064x}",
            "account": account,
            "owner": account,
            "token": token,
            "side": side,
            "maker_amount_u6": maker_u6,
            "taker_amount_u6": taker_u6,
        }
        return OrderRequest(**{**plain, **facts})

    def buy(
        self, account: str, price: str, size: str, token: str = YES, **facts: Any
    ) -> PlaceResult:
        """Place a BUY."""
        return self.exchange.place(self.request(account, Side.BUY, price, size, token, **facts))

    def sell(
        self, account: str, price: str, size: str, token: str = YES, **facts: Any
    ) -> PlaceResult:
        """Place a SELL."""
        return self.exchange.place(self.request(account, Side.SELL, price, size, token, **facts))

    def wait(self, ms: int) -> None:
        """Let time pass."""
        self.exchange.advance(self.exchange.now_ns + ms * MS)

    def settle(self) -> None:
        """Let every trade under way reach its end."""
        self.wait(60_000)
        self.exchange.audit()

    def said(self, kind: type[Emission]) -> list[Any]:
        """Drain, and keep one kind of emission."""
        return [one for one in self.exchange.drain() if isinstance(one, kind)]

    def cash(self, account: str) -> int:
        """Return the pUSD on chain."""
        return self.exchange.balance(account, COLLATERAL).balance_u6

    def tokens(self, account: str, token: str = YES) -> int:
        """Return the tokens on chain."""
        return self.exchange.balance(account, token).balance_u6

    def free(self, account: str, asset: str = COLLATERAL) -> int:
        """Return what a new order may use."""
        return self.exchange.balance(account, asset).free_u6

    def book(self, condition: str = MARKET) -> tuple[dict[int, int], dict[int, int]]:
        """Return bids and asks in YES terms."""
        view = self.exchange.book(condition)
        assert view is not None
        return dict(view.bids), dict(view.asks)
