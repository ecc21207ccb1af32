"""The golden order vectors of `venue/polymarket.md` §2, for every signature type and domain."""

from hashlib import sha256

import pytest
from msgspec.structs import replace

from polytui.engine.shell.venue.crypto import SignatureFault, address_of, sign
from polytui.engine.shell.venue.orders import (
    POLY_1271,
    POLYGON,
    Domain,
    SignedOrder,
    contents_hash,
    domain_of,
    nested_digest,
    nested_signature,
    order_digest,
    order_id,
    signed_by,
    signed_version,
)
from tests.engine.shell.venue.test_crypto import ADDRESS, KEY

ZERO = "0x" + "0" * 64
STANDARD = domain_of(version="v1", neg_risk=False)
NEG_RISK = domain_of(version="v1", neg_risk=True)
THIRD = domain_of(version="v2", neg_risk=False)

ORDER = SignedOrder(
    salt=479249096354,
    maker=ADDRESS,
    signer=ADDRESS,
    token=71321045679252212594626385532706912750332728571942532289631379312455583992563,
    maker_amount=5_200_000,
    taker_amount=10_000_000,
    is_sell=False,
    signature_type=0,
    timestamp_ms=1_790_000_000_000,
    metadata=ZERO,
    builder=ZERO,
    signature=(
        "0x5b96e4519c4422f9e85d4b87f79817be7d945354b6b216ef815a7b9d02466d0f"
        "61a14ab4526ad4b604876c21f97fa8bf50035a325d8f82c302416f9355935df11c"
    ),
)
POSITION = 755628523515574437047200361729489104556293277923091296010366019140627464192
DEPOSIT = "0x2e234DAe75C793f67A35089C9d99245E1C58470b"


@pytest.mark.parametrize(
    ("order", "domain", "expected"),
    [
        (ORDER, STANDARD, "0x1718c172b382f1157b7741e8e3bf601c0e34733768a5f26e413e46dfc48b9ade"),
        (ORDER, NEG_RISK, "0x810a2c1f3e7331a798a58f651dbd1c3fc7b377f05b0efc1bc51be494df2a3006"),
        (
            replace(ORDER, token=POSITION),
            THIRD,
            "0x946552161d1b42a5d8c4440281d2731c9feca53317cf65ab70707b43bc1e2a8f",
        ),
        (
            replace(ORDER, maker=DEPOSIT, signer=DEPOSIT, signature_type=POLY_1271),
            STANDARD,
            "0x954d8761b08dc74fd4bb62a131a333c7634e223268bd90312b82c0ac5383e787",
        ),
    ],
)
def test_the_ids_of_the_vectors_are_recomputed(
    order: SignedOrder, domain: Domain, expected: str
) -> None:
    assert order_id(order, domain) == expected


def test_the_signature_of_the_vector_is_its_owners() -> None:
    assert sign(KEY, order_digest(ORDER, STANDARD)) == ORDER.signature
    assert signed_by(ORDER, STANDARD) == ADDRESS.lower()
    assert signed_by(ORDER, NEG_RISK) != ADDRESS.lower()


def deposit_order() -> SignedOrder:
    order = replace(ORDER, maker=DEPOSIT, signer=DEPOSIT, signature_type=POLY_1271)
    inner = sign(KEY, nested_digest(order, STANDARD))
    return replace(order, signature=nested_signature(order, STANDARD, inner))


def test_the_deposit_wallet_vector_is_rebuilt_byte_for_byte_and_recovers_the_owner() -> None:
    order = deposit_order()
    raw = bytes.fromhex(order.signature[2:])
    contents = "34a432cc7400ce8584b913940b42a7c904e9a73914458b86249ffb2c79bcae29"
    assert contents_hash(order).hex() == contents
    assert len(raw) == 317
    assert raw[-2:].hex() == "00ba"
    digest = "1141633d63f6e478d48f230026bac348cd213b525c5cd1636b7f4343c5ebd533"
    assert sha256(raw).hexdigest() == digest
    assert signed_by(order, STANDARD) == ADDRESS.lower()


@pytest.mark.parametrize("at", [70, 100, 140, 316])
def test_a_deposit_signature_with_one_changed_byte_outside_the_inner_one_is_no_signature(
    at: int,
) -> None:
    order = deposit_order()
    raw = bytearray.fromhex(order.signature[2:])
    raw[at] ^= 1
    with pytest.raises(SignatureFault, match="expected the exchange's domain"):
        signed_by(replace(order, signature="0x" + raw.hex()), STANDARD)


def test_a_deposit_order_with_a_plain_signature_is_no_signature() -> None:
    order = replace(deposit_order(), signature=ORDER.signature)
    with pytest.raises(SignatureFault, match="317 bytes"):
        signed_by(order, STANDARD)


@pytest.mark.parametrize(
    "change",
    [
        {"salt": 1},
        {"maker": DEPOSIT},
        {"token": 5},
        {"maker_amount": 1},
        {"taker_amount": 1},
        {"is_sell": True},
        {"signature_type": 1},
        {"timestamp_ms": 1},
        {"metadata": "0x" + "1" * 64},
        {"builder": "0x" + "1" * 64},
    ],
)
def test_changing_any_signed_field_changes_the_signer(change: dict[str, object]) -> None:
    assert signed_by(replace(ORDER, **change), STANDARD) != ADDRESS.lower()


@pytest.mark.parametrize(
    ("domain", "version"),
    [
        (STANDARD, 2),
        (NEG_RISK, 2),
        (THIRD, 3),
        (Domain(version=1, contract=POLYGON.legacy[0]), 1),
        (Domain(version=1, contract=POLYGON.exchange), 1),
    ],
)
def test_the_version_an_order_was_signed_for_is_found(domain: Domain, version: int) -> None:
    order = replace(ORDER, signature=sign(KEY, order_digest(ORDER, domain)))
    assert signed_version(order, STANDARD, address_of(KEY)) == version
    assert signed_version(order, STANDARD, DEPOSIT) is None
