"""Identities, terms and the golden vectors of the venue reference §2, for tests of signing."""

from typing import Any, Final

from msgspec.structs import replace

from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import OrderType
from polytui.engine.core.trading import Identity, Terms
from polytui.engine.orders.amounts import amounts
from polytui.engine.orders.hashing import ZERO_32, order_hash, salt_of

DEV_KEY: Final = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
"""The universally published development key of the venue reference; nobody funds it."""
ADDR: Final = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
DEPOSIT: Final = "0x2e234dae75c793f67a35089c9d99245e1c58470b"
TOKEN: Final = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
POSITION: Final = "755628523515574437047200361729489104556293277923091296010366019140627464192"

GOLDEN_IDS: Final = {
    "standard": "0x1718c172b382f1157b7741e8e3bf601c0e34733768a5f26e413e46dfc48b9ade",
    "neg_risk": "0x810a2c1f3e7331a798a58f651dbd1c3fc7b377f05b0efc1bc51be494df2a3006",
    "v3": "0x946552161d1b42a5d8c4440281d2731c9feca53317cf65ab70707b43bc1e2a8f",
    "deposit": "0x954d8761b08dc74fd4bb62a131a333c7634e223268bd90312b82c0ac5383e787",
}
STANDARD_SIGNATURE: Final = (
    "0x5b96e4519c4422f9e85d4b87f79817be7d945354b6b216ef815a7b9d02466d0f"
    "61a14ab4526ad4b604876c21f97fa8bf50035a325d8f82c302416f9355935df11c"
)
DEPOSIT_CONTENTS: Final = "34a432cc7400ce8584b913940b42a7c904e9a73914458b86249ffb2c79bcae29"
DEPOSIT_SHA256: Final = "1141633d63f6e478d48f230026bac348cd213b525c5cd1636b7f4343c5ebd533"
AUTH_STAMP_S: Final = 1_790_000_000
AUTH_SIGNATURE: Final = (
    "0x131287b4c69ecd9feae81d310e724dea7c5d98c1d38f1d5fe4d2b730a33022fa"
    "3bd648a56e1e3b8e51a49d8eb86b5201a8ee4b1de4ad356d47ef393c12d8a8c91c"
)


def identity(signature_type: int = 0, *, owner: str = ADDR, funder: str = "") -> Identity:
    """Name whose orders they are, on Polygon's contracts."""
    maker = funder or owner
    return Identity(
        maker=maker,
        signer=maker if signature_type == 3 else owner,
        owner=owner,
        signature_type=signature_type,
        chain_id=137,
        exchange="0xe111180000d2663c0091e4f400237545b87b996b",
        neg_risk_exchange="0xe2222d279d744050d28e00520010520000310f59",
        exchange_v3="0xe3333700ca9d93003f00f0f71f8515005f6c00aa",
    )


def golden(name: str) -> tuple[Identity, Terms]:
    """Return one of the orders whose id is in `GOLDEN_IDS`."""
    who = identity(3, funder=DEPOSIT) if name == "deposit" else identity()
    terms = Terms(
        cid="golden",
        order_hash=GOLDEN_IDS[name],
        salt=479249096354,
        maker=who.maker,
        signer=who.signer,
        signature_type=who.signature_type,
        token=POSITION if name == "v3" else TOKEN,
        side=Side.BUY,
        maker_amount_u6=5_200_000,
        taker_amount_u6=10_000_000,
        timestamp_ms=1_790_000_000_000,
        neg_risk=name == "neg_risk",
        protocol="v2" if name == "v3" else "v1",
        order_type=OrderType.GTC,
        post_only=False,
        expiration_s=0,
        builder=ZERO_32,
        px_u6=520_000,
        qty_u6=10_000_000,
    )
    return who, terms


def rehashed(terms: Terms, who: Identity, **changes: Any) -> Terms:
    """Change fields and state the hash that then is right."""
    changed = replace(terms, **changes)
    return replace(changed, order_hash=order_hash(changed, who))


def terms_of(
    who: Identity,
    cid: str = "run-1-1",
    *,
    side: Side = Side.BUY,
    px_u6: int = 520_000,
    qty_u6: int = 10_000_000,
    order_type: OrderType = OrderType.GTC,
    **changes: Any,
) -> Terms:
    """Make a lawful order as the engine does: amounts, salt and hash of its own."""
    maker_u6, taker_u6 = amounts(side, px_u6, qty_u6, order_type, 100)
    _, base = golden("standard")
    return rehashed(
        replace(base, maker=who.maker, signer=who.signer, signature_type=who.signature_type),
        who,
        **{
            "cid": cid,
            "salt": salt_of(cid),
            "side": side,
            "px_u6": px_u6,
            "qty_u6": qty_u6,
            "order_type": order_type,
            "maker_amount_u6": maker_u6,
            "taker_amount_u6": taker_u6,
        }
        | changes,
    )
