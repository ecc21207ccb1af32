"""From the body of `POST /order` to an order the exchange takes, with every proof on the way.

The order of checks is ours (§11 S3); the venue's is unknown. First failure wins.
"""

from typing import Any, Final

from msgspec import Raw, Struct
from msgspec.json import Decoder, decode

from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import OrderType
from polytui.engine.core.units import U6_MAX, text_u6
from polytui.engine.shell.venue.keys import ApiKey
from polytui.engine.shell.venue.orders import (
    POLY_1271,
    SignedOrder,
    domain_of,
    is_signed_by,
    order_id,
    signed_version,
)
from polytui.engine.shell.venue.refused import BAD_ORDER, NO_BOOK, Refused
from polytui.engine.shell.venue.wallets import wallets_of
from polytui.engine.sim.exchange.api import OrderRequest, PlaceResult, VenueError
from polytui.engine.sim.exchange.exchange import Exchange

VERSION_MISMATCH: Final = "order_version_mismatch"
BAD_SIGNATURE: Final = "invalid signature"
OTHER_OWNER: Final = "the order owner has to be the owner of the API KEY"
OTHER_SIGNER: Final = "the order signer address has to be the address of the API KEY"
OTHER_MAKER: Final = "maker address not allowed, please use the deposit wallet flow"


class OrderFields(Struct, frozen=True, kw_only=True):
    """The `order` member; a version-1 order has no timestamp and is known by that."""

    salt: int | str
    maker: str
    signer: str
    tokenId: str  # noqa: N815  the wire's own name
    makerAmount: str  # noqa: N815  the wire's own name
    takerAmount: str  # noqa: N815  the wire's own name
    side: str
    signatureType: int  # noqa: N815  the wire's own name
    signature: str
    timestamp: str | int | None = None
    expiration: str | int = "0"
    metadata: str = "0x" + "0" * 64
    builder: str = "0x" + "0" * 64


class OrderBody(Struct, frozen=True, kw_only=True):
    """The whole body of `POST /order`, and one leg of `POST /orders`."""

    order: OrderFields
    owner: str
    orderType: str  # noqa: N815  the wire's own name
    postOnly: bool = False  # noqa: N815  the wire's own name
    deferExec: bool = False  # noqa: N815  the wire's own name


_decode_body: Final = Decoder(OrderBody).decode
_decode_legs: Final = Decoder(list[Raw]).decode


def read_order(data: bytes | Raw) -> OrderBody:
    """Read one order's body.

    Raises:
        Refused: 400; a version-1 order is told by its name, whatever else is wrong with it.
    """
    try:
        return _decode_body(data)
    except (ValueError, RecursionError):
        raise Refused(400, VERSION_MISMATCH if _is_version_1(data) else BAD_ORDER) from None


def read_legs(data: bytes) -> list[Raw]:
    """Read a batch, leaving its legs for later: one bad leg does not spoil the others.

    Raises:
        Refused: 400.
    """
    try:
        return _decode_legs(data)
    except (ValueError, RecursionError):
        raise Refused(400, BAD_ORDER) from None


def _is_version_1(data: bytes | Raw) -> bool:
    try:
        body: Any = decode(data)
    except (ValueError, RecursionError):
        return False
    fields = body.get("order") if isinstance(body, dict) else None
    return isinstance(fields, dict) and "nonce" in fields and "timestamp" not in fields


def admit(body: OrderBody, key: ApiKey, exchange: Exchange, *, skew_s: int) -> OrderRequest:
    """Prove an order and turn it into what the exchange takes.

    Raises:
        Refused: 400 or 404 with the venue's text.
    """
    if body.order.timestamp is None:
        raise Refused(400, VERSION_MISMATCH)
    signed = _signed(body.order)
    if body.owner != key.key:
        raise Refused(400, OTHER_OWNER)
    _check_wallets(signed, key)
    market = exchange.market_of(body.order.tokenId)
    if market is None:
        raise Refused(404, NO_BOOK)
    domain = domain_of(version=market.protocol, neg_risk=market.neg_risk)
    _check_signature(signed, domain, key)
    return OrderRequest(
        order_id=order_id(signed, domain),
        account=signed.maker.lower(),
        owner=key.key,
        token=body.order.tokenId,
        side=Side.SELL if signed.is_sell else Side.BUY,
        maker_amount_u6=signed.maker_amount,
        taker_amount_u6=signed.taker_amount,
        order_type=_order_type(body.orderType),
        post_only=body.postOnly,
        expiration_s=_expiration_s(body.order, skew_s),
        salt=signed.salt,
    )


def _signed(fields: OrderFields) -> SignedOrder:
    if fields.side not in ("BUY", "SELL") or not 0 <= fields.signatureType <= POLY_1271:
        raise Refused(400, BAD_ORDER)
    return SignedOrder(
        salt=_number(fields.salt),
        maker=fields.maker,
        signer=fields.signer,
        token=_number(fields.tokenId),
        maker_amount=_number(fields.makerAmount, most=U6_MAX),
        taker_amount=_number(fields.takerAmount, most=U6_MAX),
        is_sell=fields.side == "SELL",
        signature_type=fields.signatureType,
        timestamp_ms=_number(fields.timestamp or 0),
        metadata=fields.metadata,
        builder=fields.builder,
        signature=fields.signature,
    )


def _number(value: str | int, *, most: int = (1 << 256) - 1) -> int:
    """Read a whole number from zero up, written as JSON number or as digits."""
    text = str(value)
    if not (text.isascii() and text.isdecimal() and len(text) <= 78) or int(text) > most:
        raise Refused(400, BAD_ORDER)
    return int(text)


def _order_type(text: str) -> OrderType:
    try:
        return OrderType(text)
    except ValueError:
        raise Refused(400, BAD_ORDER) from None


def _expiration_s(fields: OrderFields, skew_s: int) -> int:
    """Read an expiration, told in the venue's time, as true time."""
    stated_s = _number(fields.expiration, most=1 << 40)
    return stated_s - skew_s if stated_s else 0


def _check_wallets(order: SignedOrder, key: ApiKey) -> None:
    signer, maker = order.signer.lower(), order.maker.lower()
    is_deposit = order.signature_type == POLY_1271
    if is_deposit and (signer != maker or maker not in wallets_of(key.address).of_type(POLY_1271)):
        raise Refused(400, OTHER_SIGNER)
    if not is_deposit and signer != key.address:
        raise Refused(400, OTHER_SIGNER)
    if maker not in wallets_of(key.address).of_type(order.signature_type):
        raise Refused(400, OTHER_MAKER)


def _check_signature(order: SignedOrder, domain: Any, key: ApiKey) -> None:
    """Refuse an order that another key signed, or that was signed for another version."""
    if is_signed_by(order, domain, key.address):
        return
    version = signed_version(order, domain, key.address)
    is_mismatch = version is not None and version != domain.version
    raise Refused(400, VERSION_MISMATCH if is_mismatch else BAD_SIGNATURE)


# --- answers -------------------------------------------------------------------------------------


def refusal(error: VenueError) -> Refused:
    """Turn the exchange's refusal of one request into the wire's."""
    extra: dict[str, Any] = {}
    headers = {}
    if error.retry_after_s is not None:
        if error.http == 503:
            extra = {"code": "post_only_mode", "retry_after_seconds": error.retry_after_s}
        else:
            headers = {"Retry-After": str(error.retry_after_s)}
    return Refused(error.http, error.text, extra=extra, headers=headers)


def placed(result: PlaceResult) -> dict[str, Any]:
    """Write the answer to an accepted order."""
    assert result.status is not None, "expected a status of an accepted order"
    answer: dict[str, Any] = {
        "success": True,
        "errorMsg": "",
        "orderID": result.order_id,
        "status": result.status.value,
        "makingAmount": text_u6(result.making_u6) if result.making_u6 else "",
        "takingAmount": text_u6(result.taking_u6) if result.taking_u6 else "",
    }
    if result.trade_ids:
        answer |= {"tradeIDs": list(result.trade_ids), "transactionsHashes": []}
    return answer


def refused_leg(text: str, *, is_success: bool) -> dict[str, Any]:
    """Write the answer to a refused leg of a batch, which may call itself a success (§3.1)."""
    return {
        "success": is_success,
        "errorMsg": text,
        "orderID": "",
        "status": "",
        "makingAmount": "",
        "takingAmount": "",
    }
