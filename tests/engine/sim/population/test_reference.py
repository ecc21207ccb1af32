"""One hidden price, three feeds: their order in time is there to be found."""

import json
from statistics import fmean

from polytui.engine.core.enums import Feed
from polytui.engine.sim.population.crowd import Temper
from polytui.engine.sim.population.weather import Regime
from tests.support.practice_worlds import SECOND_NS, world


def seen(seconds: int) -> dict[Feed, list[tuple[int, float]]]:
    """(arrival, price) by feed."""
    quiet = Temper(makers=0, noise=0.0, informed=0.0, herd=0, regime=Regime.HIGH_VOL)
    venue = world(singles=0, temper=quiet)
    venue.advance(venue.now_ns + seconds * SECOND_NS)
    found: dict[Feed, list[tuple[int, float]]] = {feed: [] for feed in Feed}
    for one in venue.take_prints():
        told = json.loads(one.data)
        if one.feed is Feed.BINANCE and "bookTicker" in told["stream"]:
            found[one.feed].append((one.at_ns, float(told["data"]["b"])))
        elif one.feed is Feed.COINBASE and told["type"] == "ticker":
            found[one.feed].append((one.at_ns, float(told["best_bid"])))
        elif one.feed is Feed.CHAINLINK:
            found[one.feed].append((one.at_ns, told["payload"]["value"]))
    return found


def lag_ns(leader: list[tuple[int, float]], follower: list[tuple[int, float]]) -> int:
    """The delay at which the follower resembles the leader most, on a grid of 100 ms."""
    step = SECOND_NS // 10
    start = leader[0][0]
    levels: dict[int, float] = {(at - start) // step: price for at, price in leader}
    filled, last = [], leader[0][1]
    for n in range(max(levels) + 1):
        last = levels.get(n, last)
        filled.append(last)

    def miss(lag: int) -> float:
        pairs = [
            (price, filled[at])
            for ns, price in follower
            if 0 <= (at := (ns - start) // step - lag) < len(filled)
        ]
        bias = fmean(a - b for a, b in pairs)
        return fmean((a - b - bias) ** 2 for a, b in pairs)

    return min(range(30), key=miss) * step


def test_binance_leads_coinbase_and_chainlink_follows_more_than_a_second_late() -> None:
    found = seen(120)
    coinbase = lag_ns(found[Feed.BINANCE], found[Feed.COINBASE])
    chainlink = lag_ns(found[Feed.BINANCE], found[Feed.CHAINLINK])
    assert 100_000_000 <= coinbase <= 300_000_000
    assert 1_200_000_000 <= chainlink <= 1_500_000_000


def test_binance_quotes_tethers_a_little_above_dollars() -> None:
    found = seen(20)
    binance, coinbase = (fmean(p for _, p in found[f]) for f in (Feed.BINANCE, Feed.COINBASE))
    assert 1.0001 < binance / coinbase < 1.0006
