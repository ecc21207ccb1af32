"""The practice exchange without a wire: orders a second, and how much faster than time it runs."""

from collections.abc import Iterator
from time import perf_counter_ns, process_time_ns

from bench.report import Result
from bench.stream import START_NS
from polytui.engine.core.enums import Side
from polytui.engine.core.rng import Rng
from polytui.engine.core.units import U
from polytui.engine.sim.exchange.api import OrderRequest
from polytui.engine.sim.exchange.emissions import OrderPlaced
from polytui.engine.sim.exchange.exchange import Exchange
from polytui.engine.sim.practice_markets import group_of, singles
from polytui.engine.sim.practice_world import PracticeWorld

SECOND_NS = 1_000_000_000
MARKETS = 50
LEVELS = 40
TRADER = "0x" + "1" * 40


def run_core(*, quick: bool) -> Iterator[Result]:
    """Place resting limit orders over fifty markets, emissions and log included; none may fail."""
    exchange = Exchange(rng=Rng(1), start_ns=START_NS)
    exchange.open_account(TRADER)
    exchange.deposit(TRADER, 10**13)
    listed = singles(MARKETS)
    for single in listed:
        exchange.list_group(group_of(single))
        exchange.list_market(single.terms)
    count = 5_000 if quick else 40_000
    spent_ns = process_time_ns()
    for n in range(count):
        market = listed[n % MARKETS].terms
        px_u6 = 10_000 * (1 + n // MARKETS % LEVELS)
        exchange.advance(START_NS + n * 1_000_000)
        result = exchange.place(
            OrderRequest(
                order_id=f"0x{n:064x}",
                account=TRADER,
                owner="bench",
                token=market.tokens[n & 1],
                side=Side.BUY,
                maker_amount_u6=px_u6 * 5,
                taker_amount_u6=5 * U,
            )
        )
        assert result.is_success, f"expected an order to rest, was {result}"
        exchange.drain()
    took_ns = process_time_ns() - spent_ns
    yield Result(
        name="exchange-core/orders",
        value=count * SECOND_NS / took_ns,
        unit="orders/s",
        n=count,
        stream=f"{MARKETS} markets, resting limit orders on {LEVELS} prices",
    )


def run_world(*, quick: bool) -> Iterator[Result]:
    """Let the populated venue live through simulated time."""
    world = PracticeWorld(seed=1, start_ns=START_NS, singles=MARKETS - 7)
    seconds = 20 if quick else 120
    orders = 0
    begun_ns = perf_counter_ns()
    for second in range(1, seconds + 1):
        emissions = world.advance(START_NS + second * SECOND_NS)
        orders += sum(isinstance(emission, OrderPlaced) for emission in emissions)
    took_ns = perf_counter_ns() - begun_ns
    yield Result(
        name="exchange-world/virtual-time",
        value=seconds * SECOND_NS / took_ns,
        unit="simulated s per wall s",
        n=orders,
        stream=f"{MARKETS} markets with makers, takers, arbitrageurs and a herd; {orders} orders",
    )
