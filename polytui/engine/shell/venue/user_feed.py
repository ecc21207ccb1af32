"""What a user stream and the private reads say of orders and trades. Pure.

One writer for both, because the venue uses nearly the same record: a stream event is the REST
record with a few members more (`venue/polymarket.md` §3.2, §4.2). Odd shapes are the ones that have
been seen on the wire and break parsers that believe the documentation.
"""

from typing import Any, Final

from polytui.engine.core.enums import Side
from polytui.engine.core.rng import Rng
from polytui.engine.core.units import text_u6
from polytui.engine.shell.venue.crypto import checksum
from polytui.engine.sim.exchange.api import CancelReason, MakerFill, OrderView, TradeView

SECOND_NS: Final = 1_000_000_000
MS_NS: Final = 1_000_000

Record = dict[str, Any]

_KILLS: Final = (CancelReason.FOK.value, CancelReason.FAK.value)


def order_record(order: OrderView, *, skew_s: int = 0, is_prefixed: bool = True) -> Record:
    """Write an open order as `/data/orders` does."""
    prefix = "ORDER_STATUS_" if is_prefixed else ""
    return {
        "id": order.order_id,
        "status": prefix + order.status.value,
        "owner": order.owner,
        "maker_address": checksum(order.account),
        "market": order.condition,
        "asset_id": order.token,
        "side": side_text(order.side),
        "original_size": text_u6(order.qty_u6),
        "size_matched": text_u6(order.matched_u6),
        "price": text_u6(order.px_u6),
        "outcome": order.outcome,
        "expiration": str(order.expiration_s + skew_s if order.expiration_s else 0),
        "order_type": order.order_type.value,
        "associate_trades": list(order.trade_ids),
        "created_at": order.created_ns // SECOND_NS + skew_s,
    }


def order_event(order: OrderView, *, kind: str, status: str, at_ms: int, skew_s: int) -> Record:
    """Write an `order` event; `kind` is PLACEMENT, UPDATE or CANCELLATION."""
    record = order_record(order, skew_s=skew_s)
    record["created_at"] = str(record["created_at"])
    record |= {
        "event_type": "order",
        "order_owner": order.owner,
        "type": kind,
        "status": status,
        "associate_trades": list(order.trade_ids) or None,
        "timestamp": str(at_ms),
    }
    if status in _KILLS:
        record |= {"size_matched": "", "created_at": "", "outcome": "", "associate_trades": []}
    return record


def trade_record(trade: TradeView, *, reader: str, skew_s: int = 0) -> Record:
    """Write a trade as `/data/trades` does, for one of its owners (API key ids)."""
    return {
        "id": trade.trade_id,
        "taker_order_id": trade.taker_order_id,
        "market": trade.condition,
        "asset_id": trade.token,
        "side": side_text(trade.side),
        "size": text_u6(trade.qty_u6),
        "fee_rate_bps": "0",
        "price": text_u6(trade.px_u6),
        "status": "TRADE_STATUS_" + trade.status.value,
        "match_time": str(trade.matched_ns // SECOND_NS + skew_s),
        "last_update": str(trade.updated_ns // SECOND_NS + skew_s),
        "outcome": trade.outcome,
        "bucket_index": 0,
        "owner": trade.owner,
        "maker_address": checksum(trade.account),
        "transaction_hash": trade.tx_hash,
        "trader_side": "TAKER" if reader == trade.owner else "MAKER",
        "maker_orders": [_maker(fill) for fill in trade.makers],
    }


def trade_event(trade: TradeView, *, reader: str, at_ms: int, skew_s: int) -> Record:
    """Write a `trade` event for one of its owners."""
    record = trade_record(trade, reader=reader, skew_s=skew_s)
    for maker, fill in zip(record["maker_orders"], trade.makers, strict=True):
        maker["outcome_index"] = fill.outcome_ix
    return record | {
        "event_type": "trade",
        "type": "TRADE",
        "status": trade.status.value,
        "timestamp": str(at_ms),
        "trade_owner": reader,
    }


def readers_of(trade: TradeView) -> list[str]:
    """List the owners who are told of a trade, each once, the taker first."""
    return list(dict.fromkeys([trade.owner, *(fill.owner for fill in trade.makers)]))


def side_text(side: Side) -> str:
    """Write a side as the venue does."""
    return "BUY" if side is Side.BUY else "SELL"


def _maker(fill: MakerFill) -> Record:
    return {
        "order_id": fill.order_id,
        "owner": fill.owner,
        "maker_address": checksum(fill.account),
        "matched_amount": text_u6(fill.qty_u6),
        "price": text_u6(fill.px_u6),
        "fee_rate_bps": "0",
        "asset_id": fill.token,
        "outcome": fill.outcome,
        "side": side_text(fill.side),
    }


def bent(record: Record, rng: Rng) -> Record | list[Record]:
    """Return the same event in one of the other shapes that have been seen (§4.2)."""
    choice = rng.below(4)
    if choice == 0:
        return [record]
    if choice == 1:
        return record | {"status": _prefixed(record)}
    if choice == 2 and record["event_type"] == "trade":
        moved = dict(record)
        moved["matchtime"] = moved.pop("match_time")
        return moved
    if choice == 2:
        return record | {"size_matched": ""} if record["type"] == "PLACEMENT" else [record]
    return _other_times(record)


def _prefixed(record: Record) -> str:
    kind = "ORDER" if record["event_type"] == "order" else "TRADE"
    status = str(record["status"])
    return status if status.startswith(kind) else f"{kind}_STATUS_{status}"


def _other_times(record: Record) -> Record:
    """Turn seconds into milliseconds and milliseconds into seconds."""
    changed = dict(record)
    for name in ("timestamp", "created_at", "match_time", "last_update"):
        text = str(changed.get(name) or "")
        if text.isdecimal():
            changed[name] = text[:-3] if len(text) > 11 else text + "000"
    return changed
