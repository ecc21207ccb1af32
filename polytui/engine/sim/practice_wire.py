"""The practice venue's frames, byte for byte in the shapes recorded from the real feeds.

Initial books are compact and end in a newline; later frames have a blank after each comma and
another key order, as in `messages/polymarket-market.jsonl` (2026-09-21). Pure text, nothing kept.
"""

from collections.abc import Sequence

from msgspec import Struct

from polytui.engine.core.events import MarketSpec
from polytui.engine.core.units import U
from polytui.engine.sim.practice_books import PracticeBook, decimal

Entry = tuple[int, bool, int, int, str, str]
"""(token index, is_buy, px_u6, qty_u6, best bid text, best ask text) after this change."""


def initial_books(books: Sequence[PracticeBook]) -> bytes:
    """Write the answer to a subscription: every subscribed book, both tokens, in one array."""
    texts = [
        f'{{"market":"{book.spec.market}","asset_id":"{book.spec.tokens[ix]}",'
        f'"timestamp":"{book.changed_ms}","hash":"{book.digest(ix)}",{book.sides_text(ix)},'
        f'"tick_size":"{decimal(book.tick_u6)}","event_type":"book",'
        f'"last_trade_price":"{book.last_trade_text}"}}'
        for book in books
        for ix in (0, 1)
    ]
    return f"[{','.join(texts)}]\n".encode()


def book(book: PracticeBook, ix: int) -> bytes:
    """Write a later full book, which names neither tick nor last trade."""
    return _spaced(
        f'{{"market":"{book.spec.market}","asset_id":"{book.spec.tokens[ix]}",'
        f'{book.sides_text(ix)},"hash":"{book.digest(ix)}",'
        f'"timestamp":"{book.changed_ms}","event_type":"book"}}'
    )


def rest_book(book: PracticeBook, ix: int) -> bytes:
    """Write the answer of `GET /book`: an independent witness of the stream's book."""
    return (
        f'{{"market":"{book.spec.market}","asset_id":"{book.spec.tokens[ix]}",'
        f'"timestamp":"{book.changed_ms}","hash":"{book.digest(ix)}",{book.sides_text(ix)},'
        f'"min_order_size":"{book.spec.min_order_text}","tick_size":"{decimal(book.tick_u6)}",'
        f'"neg_risk":{"true" if book.spec.neg_risk else "false"},'
        f'"last_trade_price":"{book.last_trade_text}"}}'
    ).encode()


def price_change(book: PracticeBook, entries: Sequence[Entry], digests: Sequence[str]) -> bytes:
    """Write one frame of changed levels; the digests are those at the end of the whole group."""
    texts = [
        f'{{"asset_id":"{book.spec.tokens[ix]}","price":"{decimal(px_u6)}",'
        f'"size":"{decimal(qty_u6)}","side":"{"BUY" if is_buy else "SELL"}",'
        f'"hash":"{digests[ix]}","best_bid":"{bid}","best_ask":"{ask}"}}'
        for ix, is_buy, px_u6, qty_u6, bid, ask in entries
    ]
    return _spaced(
        f'{{"market":"{book.spec.market}","price_changes":[{",".join(texts)}],'
        f'"timestamp":"{book.changed_ms}","event_type":"price_change"}}'
    )


def last_trade(
    book: PracticeBook, ix: int, *, is_buy: bool, px_u6: int, qty_u6: int, tx: str
) -> bytes:
    """Write a public trade of one token."""
    return _spaced(
        f'{{"market":"{book.spec.market}","asset_id":"{book.spec.tokens[ix]}",'
        f'"price":"{decimal(px_u6)}","size":"{decimal(qty_u6)}","fee_rate_bps":"0",'
        f'"side":"{"BUY" if is_buy else "SELL"}","timestamp":"{book.changed_ms}",'
        f'"event_type":"last_trade_price","transaction_hash":"{tx}"}}'
    )


def best_bid_ask(book: PracticeBook, ix: int) -> bytes:
    """Write the top of a token's book."""
    bid_u6, ask_u6 = book.bids[ix].best_u6(), U - book.bids[1 - ix].best_u6()
    return _spaced(
        f'{{"market":"{book.spec.market}","asset_id":"{book.spec.tokens[ix]}",'
        f'"best_bid":"{decimal(bid_u6)}","best_ask":"{decimal(ask_u6)}",'
        f'"spread":"{decimal(ask_u6 - bid_u6)}","timestamp":"{book.changed_ms}",'
        f'"event_type":"best_bid_ask"}}'
    )


def tick_change(book: PracticeBook, ix: int, *, old_u6: int) -> bytes:
    """Write that a token's price grid became finer."""
    return _spaced(
        f'{{"market":"{book.spec.market}","asset_id":"{book.spec.tokens[ix]}",'
        f'"old_tick_size":"{decimal(old_u6)}","new_tick_size":"{decimal(book.tick_u6)}",'
        f'"timestamp":"{book.changed_ms}","event_type":"tick_size_change"}}'
    )


def new_market(spec: MarketSpec, *, number: int, at_ms: int) -> bytes:
    """Write the broadcast of a market that nobody here asked for."""
    tokens = f'["{spec.tokens[0]}","{spec.tokens[1]}"]'
    return (
        f'{{"id":"{number}","question":"{spec.title}","market":"{spec.market}",'
        f'"slug":"{spec.slug}","description":"","assets_ids":{tokens},'
        f'"outcomes":["{spec.outcomes[0]}","{spec.outcomes[1]}"],"event_message":{{"id":'
        f'"{number + 70_000}","ticker":"{spec.group}","slug":"{spec.group}",'
        f'"title":"{spec.title}","description":""}},"timestamp":"{at_ms}",'
        f'"event_type":"new_market","tags":[],"condition_id":"{spec.market}","active":true,'
        f'"clob_token_ids":{tokens},"sports_market_type":"","line":"","game_start_time":"",'
        f'"order_price_min_tick_size":"{decimal(spec.tick_u6)}","group_item_title":""}}'
    ).encode()


def market_resolved(spec: MarketSpec, *, winner: int, number: int, at_ms: int) -> bytes:
    """Write that a market's outcome is known."""
    return (
        f'{{"event_type":"market_resolved","id":"{number}","market":"{spec.market}",'
        f'"assets_ids":["{spec.tokens[0]}","{spec.tokens[1]}"],'
        f'"winning_asset_id":"{spec.tokens[winner]}",'
        f'"winning_outcome":"{spec.outcomes[winner]}","timestamp":"{at_ms}","tags":["crypto"]}}'
    ).encode()


def _spaced(compact: str) -> bytes:
    """Put a blank after each comma, as the venue's later frames have; no value holds a comma."""
    return compact.replace(",", ", ").encode()


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


# --- Chainlink through RTDS (§4.1) ---------------------------------------------------------------

_CHAINLINK = '"topic":"crypto_prices_chainlink"'


def chainlink_backlog(values: Sequence[tuple[int, int]], *, at_ms: int) -> bytes:
    """Write the history sent on subscribing: (feed ms, value_u6), oldest first."""
    data = ",".join(f'{{"timestamp":{ms},"value":{decimal(value)}}}' for ms, value in values)
    return (
        f'{{{_CHAINLINK},"type":"subscribe","timestamp":{at_ms},'
        f'"payload":{{"symbol":"btc/usd","data":[{data}]}}}}'
    ).encode()


def chainlink_update(*, feed_ms: int, value_u6: int, at_ms: int) -> bytes:
    """Write one value; full accuracy is the value times 10^18."""
    return (
        f'{{{_CHAINLINK},"type":"update","timestamp":{at_ms},"payload":{{"symbol":"btc/usd",'
        f'"timestamp":{feed_ms},"value":{decimal(value_u6)},'
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
