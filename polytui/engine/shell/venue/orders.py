"""The signed order: its id, its signer, and the domain it was signed for.

An order's id is its EIP-712 digest, so the venue recomputes it and never believes a claim. One
structure serves domain versions 2 and 3; version 1 is refused before it comes here.
"""

from functools import lru_cache
from typing import Final

from msgspec import Struct

from polytui.engine.shell.venue.crypto import (
    SIGNATURE_BYTES,
    SignatureFault,
    address_word,
    bytes32,
    keccak256,
    recover,
    signature_bytes,
    word,
)

EOA, POLY_PROXY, POLY_GNOSIS_SAFE, POLY_1271 = range(4)
"""Signature types: who holds the money, and how the owner's key speaks for it."""

ORDER_TYPE: Final = (
    b"Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,"
    b"uint256 takerAmount,uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,"
    b"bytes32 builder)"
)
_ORDER_TYPE_HASH: Final = keccak256(ORDER_TYPE)
_NESTED_TYPE_HASH: Final = keccak256(
    b"TypedDataSign(Order contents,string name,string version,uint256 chainId,"
    b"address verifyingContract,bytes32 salt)" + ORDER_TYPE
)
_DOMAIN_TYPE_HASH: Final = keccak256(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_EXCHANGE_NAME_HASH: Final = keccak256(b"Polymarket CTF Exchange")
_WALLET_NAME_HASH: Final = keccak256(b"DepositWallet")
_WALLET_VERSION_HASH: Final = keccak256(b"1")

_TRAILER: Final = ORDER_TYPE + len(ORDER_TYPE).to_bytes(2, "big")
NESTED_BYTES: Final = SIGNATURE_BYTES + 32 + 32 + len(_TRAILER)
"""317: signature, exchange domain, contents hash, the type's text and its length."""


class Contracts(Struct, frozen=True, kw_only=True):
    """The exchange contracts of a chain (`venue/polymarket.md` §7.4)."""

    exchange: str
    neg_risk_exchange: str
    exchange_v3: str
    legacy: tuple[str, str]
    """The V1 exchanges, dead since 2026-04-28: orders signed for them are version 1."""


POLYGON: Final = Contracts(
    exchange="0xe111180000d2663c0091e4f400237545b87b996b",
    neg_risk_exchange="0xe2222d279d744050d28e00520010520000310f59",
    exchange_v3="0xe3333700ca9d93003f00f0f71f8515005f6c00aa",
    legacy=(
        "0x4bfb41d5b3570defd03c39a9a4d8de6bd8b8982e",
        "0xc5d563a36ae78145c45a50134d48a1215220f80a",
    ),
)
POLYGON_ID: Final = 137


class Domain(Struct, frozen=True, kw_only=True):
    """What an order of one market must be signed for."""

    version: int
    contract: str
    chain_id: int = POLYGON_ID


class SignedOrder(Struct, frozen=True, kw_only=True):
    """The signed fields of an order, numbers as numbers, and the signature over them."""

    salt: int
    maker: str
    signer: str
    token: int
    maker_amount: int
    taker_amount: int
    is_sell: bool
    signature_type: int
    timestamp_ms: int
    metadata: str
    builder: str
    signature: str


def domain_of(*, version: str, neg_risk: bool) -> Domain:
    """Choose the domain by the market's protocol version and kind, never by its ids (§1)."""
    if version == "v2":
        return Domain(version=3, contract=POLYGON.exchange_v3)
    contract = POLYGON.neg_risk_exchange if neg_risk else POLYGON.exchange
    return Domain(version=2, contract=contract)


@lru_cache(maxsize=16)
def separator(domain: Domain) -> bytes:
    """Hash a domain."""
    return keccak256(
        _DOMAIN_TYPE_HASH
        + _EXCHANGE_NAME_HASH
        + keccak256(str(domain.version).encode())
        + word(domain.chain_id)
        + address_word(domain.contract)
    )


@lru_cache(maxsize=64)
def contents_hash(order: SignedOrder) -> bytes:
    """Hash an order's fields, without any domain."""
    return keccak256(
        _ORDER_TYPE_HASH
        + word(order.salt)
        + address_word(order.maker)
        + address_word(order.signer)
        + word(order.token)
        + word(order.maker_amount)
        + word(order.taker_amount)
        + word(int(order.is_sell))
        + word(order.signature_type)
        + word(order.timestamp_ms)
        + bytes32(order.metadata)
        + bytes32(order.builder)
    )


@lru_cache(maxsize=64)
def order_digest(order: SignedOrder, domain: Domain) -> bytes:
    """Compute the digest that names an order."""
    return keccak256(b"\x19\x01" + separator(domain) + contents_hash(order))


def order_id(order: SignedOrder, domain: Domain) -> str:
    """Name an order as the venue does, whatever its signature type."""
    return "0x" + order_digest(order, domain).hex()


def nested_digest(order: SignedOrder, domain: Domain) -> bytes:
    """Compute what the owner of a deposit wallet signs: the order inside the wallet's own data."""
    struct = keccak256(
        _NESTED_TYPE_HASH
        + contents_hash(order)
        + _WALLET_NAME_HASH
        + _WALLET_VERSION_HASH
        + word(domain.chain_id)
        + address_word(order.signer)
        + word(0)
    )
    return keccak256(b"\x19\x01" + separator(domain) + struct)


def signed_by(order: SignedOrder, domain: Domain) -> str:
    """Return the address of the key that signed an order for this domain.

    Raises:
        SignatureFault: the signature has not the form of its type, or is of another domain or
            another order.
    """
    signature = signature_bytes(order.signature)
    if order.signature_type != POLY_1271:
        return recover(order_digest(order, domain), signature)
    if len(signature) != NESTED_BYTES:
        got = len(signature)
        raise SignatureFault(f"expected a signature of {NESTED_BYTES} bytes, was {got}")
    inner, outer = signature[:SIGNATURE_BYTES], signature[SIGNATURE_BYTES:]
    if outer != separator(domain) + contents_hash(order) + _TRAILER:
        raise SignatureFault("expected the exchange's domain and this order's hash and type")
    return recover(nested_digest(order, domain), inner)


def is_signed_by(order: SignedOrder, domain: Domain, address: str) -> bool:
    """Tell whether a key signed an order for this domain; a malformed signature is nobody's."""
    try:
        return signed_by(order, domain) == address
    except SignatureFault:
        return False


def signed_version(order: SignedOrder, domain: Domain, expected: str) -> int | None:
    """Find the domain version under which the expected key made the signature, None for none.

    A wrong domain yields some other key, not an error, so the others are tried by name.
    """
    others = [
        Domain(version=2, contract=POLYGON.exchange),
        Domain(version=2, contract=POLYGON.neg_risk_exchange),
        Domain(version=3, contract=POLYGON.exchange_v3),
        *(Domain(version=1, contract=contract) for contract in POLYGON.legacy),
        *(Domain(version=1, contract=c) for c in (POLYGON.exchange, POLYGON.neg_risk_exchange)),
    ]
    signed = (one.version for one in (domain, *others) if is_signed_by(order, one, expected))
    return next(signed, None)


def nested_signature(order: SignedOrder, domain: Domain, inner: str) -> str:
    """Wrap the owner's signature as a deposit wallet's: for our own test wallets."""
    tail = separator(domain) + contents_hash(order) + _TRAILER
    return inner + tail.hex()
