"""Coinbase, Binance and Chainlink as seen from one hidden price, each with its own delay.

Binance leads, Coinbase follows a little later, Chainlink tells whole seconds more than a second
late (`venue/external-feeds.md` §4.2): so lead and lag are there to be found, and the up/down
markets settle on what the slowest of them says. A desk writes frames; whoever runs it says when.
"""

from polytui.engine.core.rng import Rng
from polytui.engine.core.units import U
from polytui.engine.sim import reference_frames as wire
from polytui.engine.sim.population.truth import CENT_U6, STEP_NS, PricePath
from polytui.engine.sim.population.weather import SECOND_NS

COINBASE_LAG_NS = 2 * STEP_NS
BINANCE_LAG_NS = 0
INDEX_LAG_NS = 1_300_000_000
"""Feed time to arrival of a Chainlink value, median of the recorded relay."""
BACKLOG_S = 30

COINBASE_TRADE_MEAN_S = 0.4
BINANCE_TRADE_MEAN_S = 0.25
BEAT_NS = SECOND_NS

TETHER_PREMIUM = 1.0003
"""A dollar buys a little less than a tether: Binance quotes stand above Coinbase's."""

COINBASE_PRODUCT = "BTC-USD"
BINANCE_SYMBOL = "BTCUSDT"
CHAINLINK_SYMBOL = "btc/usd"


class CoinbaseDesk:
    """One product's trades, quotes and heartbeats, with the exchange's own counters."""

    __slots__ = ("_path", "_rng", "_sequence", "_trade_id")

    def __init__(self, path: PricePath, rng: Rng) -> None:
        """Start the exchange's counters somewhere plausible."""
        self._path = path
        self._rng = rng
        self._sequence = 98_000_000_000
        self._trade_id = 871_000_000

    def greet(self, now_ns: int) -> list[bytes]:
        """Answer a subscription: the state of it, and the last trade once more."""
        last = self._print(taker_bought=True, px_u6=self._bid_u6(), now_ns=now_ns)
        return [
            wire.coinbase_subscriptions(COINBASE_PRODUCT),
            wire.coinbase_match(COINBASE_PRODUCT, last, kind="last_match"),
        ]

    def beat(self, now_ns: int) -> bytes:
        """Write the heartbeat."""
        self._sequence += self._rng.between(3, 60)
        return wire.coinbase_heartbeat(
            COINBASE_PRODUCT, sequence=self._sequence, trade_id=self._trade_id, at_ns=now_ns
        )

    def skip_trades(self, count: int) -> None:
        """Let trades happen that nobody is told of: a gap."""
        self._trade_id += count

    def trade(self, now_ns: int) -> list[bytes]:
        """Write a trade and the quote it drove; they share one sequence number."""
        rng = self._rng
        self._sequence += rng.between(3, 60)
        self._trade_id += 1
        bid_u6 = self._bid_u6()
        ask_u6 = bid_u6 + CENT_U6 * rng.between(1, 3)
        bought = rng.chance(0.5)
        trade = self._print(taker_bought=bought, px_u6=ask_u6 if bought else bid_u6, now_ns=now_ns)
        bid, ask = (_cents(bid_u6), _coins(rng)), (_cents(ask_u6), _coins(rng))
        return [
            wire.coinbase_match(COINBASE_PRODUCT, trade),
            wire.coinbase_ticker(COINBASE_PRODUCT, trade, bid=bid, ask=ask),
        ]

    def _bid_u6(self) -> int:
        return _cent_u6(self._path.truth.seen(COINBASE_LAG_NS))

    def _print(self, *, taker_bought: bool, px_u6: int, now_ns: int) -> wire.CoinbaseTrade:
        return wire.CoinbaseTrade(
            sequence=self._sequence,
            trade_id=self._trade_id,
            px_text=_cents(px_u6),
            size_text=_coins(self._rng),
            taker_bought=taker_bought,
            at_ns=now_ns,
        )


class BinanceDesk:
    """One symbol's best quotes and aggregate trades."""

    __slots__ = ("_path", "_quoted_u6", "_rng", "_trade_id", "_trades", "_update_id")

    def __init__(self, path: PricePath, rng: Rng) -> None:
        """Start the exchange's counters somewhere plausible."""
        self._path = path
        self._rng = rng
        self._update_id = 71_000_000_000
        self._trade_id = 3_900_000_000
        self._trades = 5_200_000_000
        self._quoted_u6 = 0

    def quote(self) -> bytes | None:
        """Write the best quote if it moved since the last one."""
        bid_u6 = self._bid_u6()
        if bid_u6 == self._quoted_u6:
            return None
        self._quoted_u6 = bid_u6
        self._update_id += self._rng.between(1, 20)
        bid = (_cents(bid_u6) + "000000", _coins(self._rng))
        ask = (_cents(bid_u6 + CENT_U6) + "000000", _coins(self._rng))
        return wire.binance_ticker(BINANCE_SYMBOL, update_id=self._update_id, bid=bid, ask=ask)

    def trade(self, now_ns: int) -> bytes:
        """Write an aggregate of one to three trades."""
        rng = self._rng
        bought = rng.chance(0.5)
        self._trade_id += 1
        first_id = self._trades + 1
        self._trades += rng.between(1, 3)
        trade = wire.BinanceTrade(
            trade_id=self._trade_id,
            first_id=first_id,
            last_id=self._trades,
            px_text=_cents(self._bid_u6() + (CENT_U6 if bought else 0)) + "000000",
            size_text=_coins(rng),
            taker_bought=bought,
            at_ms=now_ns // 1_000_000,
        )
        return wire.binance_trade(BINANCE_SYMBOL, trade)

    def _bid_u6(self) -> int:
        return _cent_u6(self._path.truth.seen(BINANCE_LAG_NS) * TETHER_PREMIUM)


class ChainlinkDesk:
    """The settlement reference: one value a second, late."""

    __slots__ = ("_path",)

    def __init__(self, path: PricePath) -> None:
        """Speak for one price."""
        self._path = path

    def backlog(self, now_ns: int) -> bytes:
        """Write the values of the last half minute, as a fresh subscription gets them."""
        last_s = (now_ns - INDEX_LAG_NS) // SECOND_NS
        seconds = range(last_s - BACKLOG_S, last_s + 1)
        values = [(second * 1_000, self._path.value_u6(second)) for second in seconds]
        known = [(ms, value) for ms, value in values if value is not None]
        return wire.chainlink_backlog(known, at_ms=now_ns // 1_000_000)

    def value(self, now_ns: int) -> bytes | None:
        """Write the value of the second that is due now, None when it is not remembered."""
        second = (now_ns - INDEX_LAG_NS) // SECOND_NS
        value_u6 = self._path.value_u6(second)
        if value_u6 is None:
            return None
        return wire.chainlink_update(
            feed_ms=second * 1_000, value_u6=value_u6, at_ms=now_ns // 1_000_000
        )


def next_index_ns(now_ns: int) -> int:
    """Return when the next second's value arrives."""
    return ((now_ns - INDEX_LAG_NS) // SECOND_NS + 1) * SECOND_NS + INDEX_LAG_NS


def _cent_u6(price: float) -> int:
    return round(price * 100) * CENT_U6


def _cents(px_u6: int) -> str:
    whole, rest = divmod(px_u6, U)
    return f"{whole}.{rest // CENT_U6:02d}"


def _coins(rng: Rng) -> str:
    whole, rest = divmod(100 + int(rng.exponential(30_000)), U)
    return f"{whole}.{rest:06d}00"
