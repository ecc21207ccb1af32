"""The simulated exchange's records in the terms the engine hears them in, without bytes between."""

from collections.abc import Mapping
from typing import Final

from polytui.engine.core.order_enums import SendOutcome, TradeStatus, VenueCode
from polytui.engine.core.trading import MakerPart, VenueOrder, VenueTrade
from polytui.engine.sim.exchange import api
from polytui.engine.sim.exchange.api import ErrorCode, OrderView, TradeView, VenueError

NS: Final = 1_000_000_000

CODES: Final[Mapping[ErrorCode, VenueCode]] = {
    ErrorCode.PAYLOAD: VenueCode.PAYLOAD,
    ErrorCode.OWNER: VenueCode.WALLET,
    ErrorCode.MAKER: VenueCode.WALLET,
    ErrorCode.BANNED: VenueCode.BANNED,
    ErrorCode.CLOSED_ONLY: VenueCode.CLOSED_ONLY,
    ErrorCode.NO_BOOK: VenueCode.NO_BOOK,
    ErrorCode.NOT_READY: VenueCode.NOT_READY,
    ErrorCode.TICK: VenueCode.TICK,
    ErrorCode.SIZE: VenueCode.SIZE,
    ErrorCode.MARKETABLE_MIN: VenueCode.MARKETABLE_MIN,
    ErrorCode.ACCURACY: VenueCode.AMOUNTS,
    ErrorCode.PRODUCT: VenueCode.AMOUNTS,
    ErrorCode.EXPIRATION: VenueCode.EXPIRATION,
    ErrorCode.DUPLICATE: VenueCode.DUPLICATE,
    ErrorCode.POST_ONLY_CROSS: VenueCode.POST_ONLY_CROSS,
    ErrorCode.BALANCE: VenueCode.BALANCE,
    ErrorCode.ALLOWANCE: VenueCode.BALANCE,
    ErrorCode.FOK_KILLED: VenueCode.FOK_KILLED,
    ErrorCode.FAK_KILLED: VenueCode.FAK_KILLED,
    ErrorCode.BATCH_TOO_LONG: VenueCode.BATCH,
    ErrorCode.CANCEL_TOO_LONG: VenueCode.BATCH,
    ErrorCode.RESTARTING: VenueCode.RESTARTING,
    ErrorCode.DISABLED: VenueCode.DISABLED,
    ErrorCode.CANCEL_ONLY: VenueCode.CANCEL_ONLY,
    ErrorCode.POST_ONLY_MODE: VenueCode.POST_ONLY_MODE,
    ErrorCode.HEARTBEAT_ID: VenueCode.OTHER,
}


def code_of(error: VenueError) -> VenueCode:
    """Translate a refusal."""
    return CODES[error.code]


def outcome_of(error: VenueError) -> SendOutcome:
    """Say what a refusal proves, as an adapter would from its HTTP status."""
    return SendOutcome.UNKNOWN if error.http == 500 else SendOutcome.REFUSED


def venue_order(order: OrderView, *, event: str = "", status: str = "") -> VenueOrder:
    """Write an order as a row or a user event; `status` where the event has its own."""
    text = status or order.status.value
    head = text.split("_")[0].split(" ")[0]
    return VenueOrder(
        order_hash=order.order_id,
        market=order.condition,
        token=order.token,
        side=order.side,
        px_u6=order.px_u6,
        qty_u6=order.qty_u6,
        matched_u6=order.matched_u6,
        status=head,
        status_text=text[:80],
        order_type=order.order_type,
        expiration_s=order.expiration_s,
        created_s=order.created_ns // NS,
        event=event,
    )


def venue_trade(trade: TradeView, *, reader: str) -> VenueTrade:
    """Write a trade for one of its owners (API key ids)."""
    return VenueTrade(
        trade_id=trade.trade_id,
        market=trade.condition,
        taker_hash=trade.taker_order_id,
        token=trade.token,
        side=trade.side,
        px_u6=trade.px_u6,
        qty_u6=trade.qty_u6,
        status=TradeStatus[api.TradeStatus(trade.status).name],
        matched_s=trade.matched_ns // NS,
        tx_hash=trade.tx_hash,
        is_taker=reader == trade.owner,
        makers=tuple(
            MakerPart(
                order_hash=fill.order_id,
                maker=fill.account,
                token=fill.token,
                side=fill.side,
                px_u6=fill.px_u6,
                qty_u6=fill.qty_u6,
            )
            for fill in trade.makers
        ),
    )
