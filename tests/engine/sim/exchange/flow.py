"""Random but seeded traffic for the practice exchange: every kind of call, sensible and silly."""

from collections import Counter
from collections.abc import Callable

from polytui.engine.core.enums import Side
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.events import FeeSchedule
from polytui.engine.core.order_enums import OrderType
from polytui.engine.core.rng import Rng
from polytui.engine.core.units import U
from polytui.engine.sim.exchange.api import COLLATERAL, OrderRequest, PlaceResult
from polytui.engine.sim.exchange.exchange import Exchange
from polytui.engine.sim.exchange.terms import (
    AssetType,
    DelayTerms,
    GroupTerms,
    MarketTerms,
    Resolution,
    RewardTerms,
    Settings,
    SettlementTerms,
    Spender,
    VenueMode,
)

S = 1_000_000_000
START_NS = 1_790_000_000 * S
TRADERS = tuple(f"0xt{n}" for n in range(6))
QUESTIONS = 4
"""Of the NegRisk group."""
ORDERS_KEPT = 400
"""Ids remembered to cancel."""

Deed = Callable[["Flow"], None]


class Flow:
    """One exchange and somebody who does everything to it."""

    def __init__(self, seed: int) -> None:
        self.rng = Rng(seed)
        self.exchange = Exchange(rng=Rng(seed), start_ns=START_NS, settings=_settings(5, 2))
        self.count = Counter[str]()
        self.groups = 0
        self.listed = 0
        self.orders = 0
        self.open: list[tuple[str, str]] = []
        self.live: list[MarketTerms] = []
        for trader in TRADERS:
            self.exchange.open_account(trader)
            self.exchange.deposit(trader, 20_000 * U)
        self.list_group()
        for _ in range(2):
            self.list_market()
        for market in list(self.live):
            for trader in TRADERS[:4]:
                self.exchange.split(trader, market.condition, 300 * U)

    # --- steps -----------------------------------------------------------------------------------

    def step(self) -> str:
        """Do one random thing; return its name."""
        deed = _LOTS[self.rng.below(len(_LOTS))]
        try:
            deed(self)
        except OperatorError:
            self.count["silly"] += 1
        self.count[deed.__name__] += 1
        return deed.__name__

    def trader(self) -> str:
        return TRADERS[self.rng.below(len(TRADERS))]

    def market(self) -> MarketTerms:
        terms = self.exchange.market(self.live[self.rng.below(len(self.live))].condition)
        assert terms is not None
        return terms

    def amount(self) -> int:
        return self.rng.between(1, 40_000_000)

    def request(self) -> OrderRequest:
        """Write an order: mostly sound, near the middle, of any type."""
        rng, market = self.rng, self.market()
        self.orders += 1
        steps = U // market.tick_u6
        px_u6 = rng.between(max(1, steps * 4 // 10), min(steps - 1, steps * 6 // 10))
        px_u6 *= market.tick_u6
        size_u6 = rng.between(1, 6_000) * 10_000
        order_type = (OrderType.GTC, OrderType.GTC, OrderType.GTD, OrderType.FAK, OrderType.FOK)[
            rng.below(5)
        ]
        side = (Side.BUY, Side.SELL)[rng.below(2)]
        cash_u6 = px_u6 * size_u6 // U
        if order_type in (OrderType.FAK, OrderType.FOK):
            cash_u6 = cash_u6 // 10_000 * 10_000 if side is Side.BUY else cash_u6 // 100 * 100
            if side is Side.BUY:
                size_u6 = cash_u6 * U // px_u6 // 100 * 100
        pair = (cash_u6, size_u6) if side is Side.BUY else (size_u6, cash_u6)
        now_s = self.exchange.now_ns // S
        trader = self.trader()
        return OrderRequest(
            order_id=f"0x{self.orders:064x}",
            account=trader,
            owner=trader,
            token=market.tokens[rng.below(2)],
            side=side,
            maker_amount_u6=pair[0],
            taker_amount_u6=pair[1],
            order_type=order_type,
            post_only=order_type in (OrderType.GTC, OrderType.GTD) and not rng.below(4),
            expiration_s=now_s + rng.between(170, 400) if order_type is OrderType.GTD else 0,
        )

    def note(self, request: OrderRequest, result: PlaceResult) -> None:
        """Count an answer and remember what may rest."""
        name = (
            result.error.code.value
            if result.error
            else result.status.value
            if result.status
            else ""
        )
        self.count[f"place {name}"] += 1
        if result.error is None:
            self.open.append((request.owner, request.order_id))
            if len(self.open) > ORDERS_KEPT:
                del self.open[: ORDERS_KEPT // 2]

    def list_group(self) -> None:
        """List a NegRisk group with its questions."""
        self.groups += 1
        group = GroupTerms(
            id=f"g{self.groups}",
            slug=f"g{self.groups}",
            title="Who?",
            neg_risk=True,
            fee_bips=self.rng.below(3) * 50,
        )
        self.exchange.list_group(group)
        for index in range(QUESTIONS):
            self.list_market(group=group.id, group_index=index, neg_risk=True)

    def list_market(self, **facts: object) -> None:
        """List a market with random terms."""
        self.listed += 1
        n, rng = self.listed, self.rng
        plain: dict[str, object] = {
            "condition": f"0x{n:064x}",
            "tokens": (f"{n}001", f"{n}002"),
            "question": "?",
            "slug": f"m{n}",
            "tick_u6": (10_000, 1_000, 2_500)[rng.below(3)],
            "itode": not rng.below(4),
            "seconds_delay": rng.below(2) * rng.below(2),
            "fees": _fees(rng),
            "rewards": RewardTerms(min_qty_u6=20 * U, pool_day_u6=rng.below(3) * 100 * U),
        }
        market = MarketTerms(**{**plain, **facts})  # type: ignore[arg-type]  # msgspec checks names
        self.exchange.list_market(market)
        self.live.append(market)


def _fees(rng: Rng) -> FeeSchedule:
    return FeeSchedule(rate_u6=(0, 40_000, 70_000)[rng.below(3)], exponent=1, rebate_u6=250_000)


def _settings(fail: int, retry: int) -> Settings:
    return Settings(
        settlement=SettlementTerms(
            mine=DelayTerms(low_ms=100, high_ms=3_000),
            confirm=DelayTerms(low_ms=10, high_ms=5_000, median_ms=800),
            fail_chance=fail / 100,
            retry_chance=retry / 100,
        ),
        payout_min_u6=10_000,
    )


# --- what may happen -----------------------------------------------------------------------------


def place(flow: Flow) -> None:
    request = flow.request()
    flow.note(request, flow.exchange.place(request))


def place_batch(flow: Flow) -> None:
    requests = [flow.request() for _ in range(flow.rng.between(1, 16))]
    answer = flow.exchange.place_batch(requests)
    for request, result in zip(requests, answer.results, strict=False):
        flow.note(request, result)


def cancel(flow: Flow) -> None:
    if flow.open:
        owner, order_id = flow.open.pop(flow.rng.below(len(flow.open)))
        flow.exchange.cancel(owner, (order_id,))


def cancel_all(flow: Flow) -> None:
    flow.exchange.cancel_all(flow.trader())


def cancel_market(flow: Flow) -> None:
    flow.exchange.cancel_market(flow.trader(), condition=flow.market().condition)


def wait(flow: Flow) -> None:
    flow.exchange.advance(flow.exchange.now_ns + flow.rng.between(1, 2 * S))


def wait_long(flow: Flow) -> None:
    flow.exchange.advance(flow.exchange.now_ns + flow.rng.between(S, 600 * S))


def split(flow: Flow) -> None:
    flow.exchange.split(flow.trader(), flow.market().condition, flow.amount())


def merge(flow: Flow) -> None:
    flow.exchange.merge(flow.trader(), flow.market().condition, flow.amount())


def convert(flow: Flow) -> None:
    index_set = flow.rng.between(0, 1 << QUESTIONS)
    flow.exchange.convert(
        flow.trader(), f"g{flow.groups}", index_set=index_set, amount_u6=flow.amount()
    )


def redeem(flow: Flow) -> None:
    markets = flow.exchange.markets()
    flow.exchange.redeem(flow.trader(), markets[flow.rng.below(len(markets))].condition)


def deposit(flow: Flow) -> None:
    flow.exchange.deposit(flow.trader(), 50 * flow.amount())


def withdraw(flow: Flow) -> None:
    trader = flow.trader()
    free_u6 = flow.exchange.balance(trader, COLLATERAL).free_u6
    flow.exchange.withdraw(trader, flow.rng.between(0, max(1, free_u6 * 11 // 10)) // 2)


def transfer(flow: Flow) -> None:
    asset = (COLLATERAL, *flow.market().tokens)[flow.rng.below(3)]
    flow.exchange.transfer(flow.trader(), flow.trader(), asset, flow.amount())


def approve(flow: Flow) -> None:
    spenders, assets = tuple(Spender), tuple(AssetType)
    flow.exchange.approve(
        flow.trader(),
        spenders[flow.rng.below(3)],
        assets[flow.rng.below(2)],
        (None, None, None, None, None, None, 0, 200 * U)[flow.rng.below(8)],
    )


def resolve(flow: Flow) -> None:
    market = flow.market()
    flow.exchange.resolve(market.condition, tuple(Resolution)[flow.rng.below(3)])
    flow.live = [one for one in flow.live if one.condition != market.condition]
    if len(flow.live) < 5:
        flow.list_market()
    if not any(one.group == f"g{flow.groups}" for one in flow.live):
        flow.list_group()
    for trader in TRADERS[:4]:
        flow.exchange.split(trader, flow.live[-1].condition, 100 * U)


def change_rules(flow: Flow) -> None:
    rng, condition = flow.rng, flow.market().condition
    flow.exchange.configure(_settings(rng.below(36), rng.below(50)))
    flow.exchange.change_fees(condition, _fees(rng))
    flow.exchange.change_tick(condition, (10_000, 1_000, 2_500, 5_000)[rng.below(4)])
    flow.exchange.set_accepting(condition, accepting=bool(rng.below(12)))


def change_mode(flow: Flow) -> None:
    mode = tuple(VenueMode)[flow.rng.below(len(VenueMode))]
    flow.exchange.set_mode(mode, for_ms=flow.rng.between(1, 4_000))


def beat(flow: Flow) -> None:
    flow.exchange.heartbeat(TRADERS[-1], "")


def freeze_cache(flow: Flow) -> None:
    trader = flow.trader()
    if flow.rng.below(2):
        flow.exchange.hold_balance_cache(trader)
    else:
        flow.exchange.refresh_balance_cache(trader)


DEEDS: tuple[tuple[int, Deed], ...] = (
    (400, place),
    (15, place_batch),
    (120, cancel),
    (4, cancel_all),
    (6, cancel_market),
    (120, wait),
    (4, wait_long),
    (12, split),
    (12, merge),
    (12, convert),
    (6, redeem),
    (6, deposit),
    (3, withdraw),
    (8, transfer),
    (4, approve),
    (1, resolve),
    (4, change_rules),
    (2, change_mode),
    (1, beat),
    (2, freeze_cache),
)
_LOTS = tuple(deed for weight, deed in DEEDS for _ in range(weight))
