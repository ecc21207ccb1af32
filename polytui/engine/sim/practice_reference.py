"""The practice venue's reference feeds: Coinbase and Chainlink frames from the hidden price.

Coinbase trades come at random, its heartbeat every second; Chainlink values are of whole seconds
and arrive more than a second late, as the real relay's do (`venue/external-feeds.md` §4.2).
"""

from polytui.engine.core.rng import Rng
from polytui.engine.core.units import U
from polytui.engine.sim import practice_wire as wire
from polytui.engine.sim.practice_beliefs import PricePath
from polytui.engine.sim.practice_catalog import SECOND_NS

PRODUCT = "BTC-USD"
INDEX_LAG_NS = 1_300_000_000
"""Feed time to arrival, median of the recorded relay."""
BACKLOG_S = 30
CENT_U6 = 10_000


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
        last = self._print(taker_bought=True, px_u6=self._path.price_u6, now_ns=now_ns)
        return [
            wire.coinbase_subscriptions(PRODUCT),
            wire.coinbase_match(PRODUCT, last, kind="last_match"),
        ]

    def beat(self, now_ns: int) -> bytes:
        """Write the heartbeat."""
        self._sequence += self._rng.between(3, 60)
        return wire.coinbase_heartbeat(
            PRODUCT, sequence=self._sequence, trade_id=self._trade_id, at_ns=now_ns
        )

    def skip_trades(self, count: int) -> None:
        """Let trades happen that nobody is told of: a gap."""
        self._trade_id += count

    def trade(self, now_ns: int) -> list[bytes]:
        """Write a trade and the quote it drove; they share one sequence number."""
        rng = self._rng
        self._sequence += rng.between(3, 60)
        self._trade_id += 1
        bid_u6 = self._path.price_u6
        ask_u6 = bid_u6 + CENT_U6 * rng.between(1, 3)
        bought = rng.chance(0.5)
        trade = self._print(taker_bought=bought, px_u6=ask_u6 if bought else bid_u6, now_ns=now_ns)
        bid, ask = (_cents(bid_u6), _coins(rng)), (_cents(ask_u6), _coins(rng))
        return [
            wire.coinbase_match(PRODUCT, trade),
            wire.coinbase_ticker(PRODUCT, trade, bid=bid, ask=ask),
        ]

    def _print(self, *, taker_bought: bool, px_u6: int, now_ns: int) -> wire.CoinbaseTrade:
        return wire.CoinbaseTrade(
            sequence=self._sequence,
            trade_id=self._trade_id,
            px_text=_cents(px_u6),
            size_text=_coins(self._rng),
            taker_bought=taker_bought,
            at_ns=now_ns,
        )


def chainlink_backlog(path: PricePath, now_ns: int) -> bytes:
    """Write the values of the last half minute, as a fresh subscription gets them."""
    last_s = (now_ns - INDEX_LAG_NS) // SECOND_NS
    seconds = range(last_s - BACKLOG_S, last_s + 1)
    values = [(second * 1_000, path.value_u6(second)) for second in seconds]
    known = [(ms, value) for ms, value in values if value is not None]
    return wire.chainlink_backlog(known, at_ms=now_ns // 1_000_000)


def chainlink_value(path: PricePath, now_ns: int) -> bytes | None:
    """Write the value of the second that is due now, None when it is not remembered."""
    second = (now_ns - INDEX_LAG_NS) // SECOND_NS
    value_u6 = path.value_u6(second)
    if value_u6 is None:
        return None
    return wire.chainlink_update(
        feed_ms=second * 1_000, value_u6=value_u6, at_ms=now_ns // 1_000_000
    )


def next_index_ns(now_ns: int) -> int:
    """Return when the next second's value arrives."""
    return ((now_ns - INDEX_LAG_NS) // SECOND_NS + 1) * SECOND_NS + INDEX_LAG_NS


def _cents(px_u6: int) -> str:
    whole, rest = divmod(px_u6, U)
    return f"{whole}.{rest // CENT_U6:02d}"


def _coins(rng: Rng) -> str:
    whole, rest = divmod(100 + int(rng.exponential(30_000)), U)
    return f"{whole}.{rest:06d}00"
