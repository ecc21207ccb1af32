"""From a draft to what is signed: id, amounts, salt, expiry, hash. The same draft, the same order.

Ids are `<run>-<seq>-<n>`; n counts the drafts of a realm, with a letter of the realm before it, so
that the two realms of a run never share an id. The salt is made from the id and the hash from
everything, so a replay mints the same ones and an order is known by its hash before it is sent.
"""

from typing import Final

from msgspec import structs

from polytui.engine.core.events import MarketSpec
from polytui.engine.core.order_enums import OrderType
from polytui.engine.core.trading import Draft, Terms
from polytui.engine.orders.amounts import amounts
from polytui.engine.orders.hashing import Hasher, salt_of

_S: Final = 1_000_000_000
_MS: Final = 1_000_000

GTD_EARLY_S: Final = 60
"""The venue drops a GTD order this long before the time it states (§3.1)."""


def with_end(draft: Draft, *, at_ns: int, life_s: int) -> Draft:
    """Give a GTD order without an end the configured life."""
    if draft.order_type is not OrderType.GTD or draft.expires_ns:
        return draft
    return structs.replace(draft, expires_ns=at_ns + life_s * _S)


def make_terms(
    cid: str,
    draft: Draft,
    spec: MarketSpec,
    hasher: Hasher,
    *,
    tick_u6: int,
    at_ns: int,
    venue_offset_ns: int,
) -> Terms:
    """Make what is signed and sent.

    `venue_offset_ns` is the venue's clock minus ours; the stated expiration is rounded down to a
    second, so an order never outlives its end.

    Raises:
        AmountError: no lawful amounts exist.
        HashError: the market's token or protocol cannot be hashed.
    """
    maker_u6, taker_u6 = amounts(draft.side, draft.px_u6, draft.qty_u6, draft.order_type, tick_u6)
    venue_ns = at_ns + venue_offset_ns
    salt, timestamp_ms = salt_of(cid), venue_ns // _MS
    who = hasher.identity
    expiration_s = 0
    if draft.order_type is OrderType.GTD:
        expiration_s = (draft.expires_ns + venue_offset_ns) // _S + GTD_EARLY_S
    order_hash = hasher.order_hash(
        salt=salt,
        token=draft.token,
        side=draft.side,
        maker_amount_u6=maker_u6,
        taker_amount_u6=taker_u6,
        timestamp_ms=timestamp_ms,
        neg_risk=spec.neg_risk,
        protocol=spec.protocol,
    )
    return Terms(
        cid=cid,
        order_hash=order_hash,
        salt=salt,
        maker=who.maker,
        signer=who.signer,
        signature_type=who.signature_type,
        token=draft.token,
        side=draft.side,
        maker_amount_u6=maker_u6,
        taker_amount_u6=taker_u6,
        timestamp_ms=timestamp_ms,
        neg_risk=spec.neg_risk,
        protocol=spec.protocol,
        order_type=draft.order_type,
        post_only=draft.post_only,
        expiration_s=expiration_s,
        builder=who.builder,
        px_u6=draft.px_u6,
        qty_u6=draft.qty_u6,
    )
