"""Frames of the reference feeds, byte for byte in the shapes recorded from the real ones.

Coinbase Exchange, Binance spot and Chainlink through RTDS (`venue/external-feeds.md` §1.2, §3.2,
§4.1). Pure text, nothing kept.
"""

from collections.abc import Sequence

from msgspec import Struct

from polytui.engine.core.units import text_u6

# --- Coinbase Exchange (`venue/external-feeds.md` §1.2) ------------------------------------------


def coinbase_subscriptions(product: str) -> bytes:
    """Write the answer to a subscription: the whole current state."""
    channels = ",".join(
        f'{{"name":"{name}","product_ids":["{product}"]}}'
        for name in ("ticker", "matches", "heartbeat")
    )
    return f'{{"type":"subscriptions","channels":[{channels}]}}'.encode()


def coinbase_heartbeat(product: str, *, sequence: int, trade_id: int, at_ns: int) -> bytes:
    """Write the beat that comes every second."""
    return (
        f'{{"type":"heartbeat","sequence":{sequence},"last_trade_id":{trade_id},'
        f'"product_id":"{product}","time":"{iso_text(at_ns)}"}}'
    ).encode()


class CoinbaseTrade(Struct, frozen=True, kw_only=True):
    """A trade as the exchange would print it."""

    sequence: int
    trade_id: int
    px_text: str
    size_text: str
    taker_bought: bool
    at_ns: int


def coinbase_match(product: str, trade: CoinbaseTrade, *, kind: str = "match") -> bytes:
    """Write a trade; the side is the maker's."""
    return (
        f'{{"type":"{kind}","trade_id":{trade.trade_id},'
        f'"maker_order_id":"practice-m{trade.trade_id}",'
        f'"taker_order_id":"practice-t{trade.trade_id}",'
        f'"side":"{"sell" if trade.taker_bought else "buy"}","size":"{trade.size_text}",'
        f'"price":"{trade.px_text}","product_id":"{product}","sequence":{trade.sequence},'
        f'"time":"{iso_text(trade.at_ns)}"}}'
    ).encode()


def coinbase_ticker(
    product: str, trade: CoinbaseTrade, *, bid: tuple[str, str], ask: tuple[str, str]
) -> bytes:
    """Write the quote that a trade drove; the side is the taker's."""
    return (
        f'{{"type":"ticker","sequence":{trade.sequence},"product_id":"{product}",'
        f'"price":"{trade.px_text}","open_24h":"90510.00","volume_24h":"8123.40112233",'
        f'"low_24h":"88002.10","high_24h":"93110.99","volume_30d":"241000.55",'
        f'"best_bid":"{bid[0]}","best_bid_size":"{bid[1]}","best_ask":"{ask[0]}",'
        f'"best_ask_size":"{ask[1]}","side":"{"buy" if trade.taker_bought else "sell"}",'
        f'"time":"{iso_text(trade.at_ns)}","trade_id":{trade.trade_id},'
        f'"last_size":"{trade.size_text}"}}'
    ).encode()


# --- Binance spot, combined stream (§3.2) --------------------------------------------------------


def binance_ticker(
    symbol: str, *, update_id: int, bid: tuple[str, str], ask: tuple[str, str]
) -> bytes:
    """Write a best quote; it carries no time of its own."""
    return (
        f'{{"stream":"{symbol.lower()}@bookTicker","data":{{"u":{update_id},"s":"{symbol}",'
        f'"b":"{bid[0]}","B":"{bid[1]}","a":"{ask[0]}","A":"{ask[1]}"}}}}'
    ).encode()


class BinanceTrade(Struct, frozen=True, kw_only=True):
    """An aggregate of trades of one taker at one price."""

    trade_id: int
    first_id: int
    last_id: int
    px_text: str
    size_text: str
    taker_bought: bool
    at_ms: int


def binance_trade(symbol: str, trade: BinanceTrade) -> bytes:
    """Write an aggregate trade; `m` says that the buyer was the maker."""
    return (
        f'{{"stream":"{symbol.lower()}@aggTrade","data":{{"e":"aggTrade","E":{trade.at_ms + 1},'
        f'"s":"{symbol}","a":{trade.trade_id},"p":"{trade.px_text}","q":"{trade.size_text}",'
        f'"f":{trade.first_id},"l":{trade.last_id},"T":{trade.at_ms},'
        f'"m":{"false" if trade.taker_bought else "true"},"M":true}}}}'
    ).encode()


# --- Chainlink through RTDS (§4.1) ---------------------------------------------------------------

_CHAINLINK = '"topic":"crypto_prices_chainlink"'


def chainlink_backlog(values: Sequence[tuple[int, int]], *, at_ms: int) -> bytes:
    """Write the history sent on subscribing: (feed ms, value_u6), oldest first."""
    data = ",".join(f'{{"timestamp":{ms},"value":{text_u6(value)}}}' for ms, value in values)
    return (
        f'{{{_CHAINLINK},"type":"subscribe","timestamp":{at_ms},'
        f'"payload":{{"symbol":"btc/usd","data":[{data}]}}}}'
    ).encode()


def chainlink_update(*, feed_ms: int, value_u6: int, at_ms: int) -> bytes:
    """Write one value; full accuracy is the value times 10^18."""
    return (
        f'{{{_CHAINLINK},"type":"update","timestamp":{at_ms},"payload":{{"symbol":"btc/usd",'
        f'"timestamp":{feed_ms},"value":{text_u6(value_u6)},'
        f'"full_accuracy_value":"{value_u6 * 10**12}"}}}}'
    ).encode()


def iso_text(at_ns: int) -> str:
    """Write a time as ISO 8601 UTC with microseconds (days to date after H. Hinnant)."""
    seconds, rest_ns = divmod(at_ns, 1_000_000_000)
    days, second = divmod(seconds, 86_400)
    shifted = days + 719_468
    era, day_of_era = divmod(shifted, 146_097)
    year_of_era = (
        day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_ix = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_ix + 2) // 5 + 1
    month = month_ix + 3 if month_ix < 10 else month_ix - 9
    year = year_of_era + era * 400 + (month <= 2)
    hour, minute = second // 3_600, second // 60 % 60
    return (
        f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second % 60:02d}"
        f".{rest_ns // 1_000:06d}Z"
    )
