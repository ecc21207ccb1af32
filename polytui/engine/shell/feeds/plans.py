"""What each reference feed wants to hear: one plan per feed, nothing else knows their manners.

Source: `venue/external-feeds.md` §1, §3, §4. Binance wants its streams in the address, the relay
wants a text PING and a filter without blanks, Coinbase wants a subscription within five seconds.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from polytui.engine.core.enums import Feed
from polytui.engine.core.runconfig import ReferenceConfig

BINANCE_DEPTH_ROWS: Final = 1_000


class FeedPlan(Struct, frozen=True, kw_only=True):
    """One connection and its manners."""

    feed: Feed
    url: str
    topics: tuple[str, ...]
    """As the engine is told (`Subscribed`)."""
    says: tuple[str, ...] = ()
    """Sent at once after opening."""
    ping: str = ""
    """Text sent every `ping_s`; empty: the socket's own pings are enough."""
    ping_s: float = 5.0


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _coinbase(base: str, symbol: str) -> FeedPlan:
    channels = ["ticker", "matches", "heartbeat", "level2_batch"]
    wish = {"type": "subscribe", "product_ids": [symbol], "channels": channels}
    return FeedPlan(feed=Feed.COINBASE, url=base, topics=(symbol,), says=(_text(wish),))


def _advanced(base: str, symbol: str) -> FeedPlan:
    says = [_text({"type": "subscribe", "channel": "heartbeats"})]
    for channel in ("level2", "ticker", "market_trades"):
        wish = {"type": "subscribe", "product_ids": [symbol], "channel": channel}
        says.append(_text(wish))
    return FeedPlan(feed=Feed.COINBASE_ADVANCED, url=base, topics=(symbol,), says=tuple(says))


def _binance(base: str, symbol: str) -> FeedPlan:
    pair = binance_symbol(symbol)
    low = pair.lower()
    streams = f"{low}@bookTicker/{low}@aggTrade/{low}@depth@100ms"
    return FeedPlan(feed=Feed.BINANCE, url=f"{base}/stream?streams={streams}", topics=(pair,))


def _relay(base: str, symbol: str) -> FeedPlan:
    pair = symbol.replace("-", "/").lower()
    filters = '{"symbol":"' + pair + '"}'
    wish = {
        "action": "subscribe",
        "subscriptions": [
            {"topic": "crypto_prices_chainlink", "type": "*", "filters": filters},
        ],
    }
    return FeedPlan(feed=Feed.CHAINLINK, url=base, topics=(pair,), says=(_text(wish),), ping="PING")


_PLANS: Final[Mapping[Feed, tuple[str, Callable[[str, str], FeedPlan]]]] = {
    Feed.COINBASE: ("coinbase", _coinbase),
    Feed.COINBASE_ADVANCED: ("coinbase_advanced", _advanced),
    Feed.BINANCE: ("binance", _binance),
    Feed.CHAINLINK: ("chainlink", _relay),
}
"""Key of the host, and the plan."""


def plans(config: ReferenceConfig, hosts: Mapping[str, str]) -> list[FeedPlan]:
    """Plan the connections that the configured roles need; a feed without a host is left out."""
    wanted = dict.fromkeys((config.primary, config.secondary, config.settlement))
    made = []
    for name in wanted:
        if name == "none":
            continue
        key, plan = _PLANS[Feed(name)]
        if key in hosts:
            made.append(plan(hosts[key], config.symbol))
    return made


def binance_symbol(symbol: str) -> str:
    """Name a product as Binance does: the dollar is USDT there, which is not a dollar."""
    base, _, quote = symbol.partition("-")
    return base + ("USDT" if quote == "USD" else quote)


def depth_url(rest: str, symbol: str) -> str:
    """Say where Binance's full book is read."""
    return f"{rest}/api/v3/depth?symbol={symbol}&limit={BINANCE_DEPTH_ROWS}"
