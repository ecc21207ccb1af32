"""Order ids against the golden vectors, the practice venue's own hashing and both clients."""

from hashlib import sha256

import pytest
from coincurve import PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from polytui.engine.core.enums import Side
from polytui.engine.core.trading import Identity, Terms
from polytui.engine.orders import hashing
from polytui.engine.orders.hashing import (
    ZERO_32,
    Hasher,
    HashError,
    auth_digest,
    keccak256,
    order_hash,
    salt_of,
)
from polytui.engine.shell.venue import crypto, orders
from tests.engine.orders.signing_floor import (
    ADDR,
    AUTH_SIGNATURE,
    AUTH_STAMP_S,
    DEPOSIT,
    DEPOSIT_CONTENTS,
    DEPOSIT_SHA256,
    DEV_KEY,
    GOLDEN_IDS,
    POSITION,
    STANDARD_SIGNATURE,
    TOKEN,
    golden,
    identity,
)

U256 = st.integers(0, (1 << 256) - 1)
AMOUNTS = st.integers(1, 10**15)


def signed(digest: bytes) -> str:
    raw = PrivateKey(bytes.fromhex(DEV_KEY[2:])).sign_recoverable(digest, hasher=None)
    return "0x" + (raw[:64] + bytes([raw[64] + 27])).hex()


@pytest.mark.parametrize("name", GOLDEN_IDS)
def test_golden_ids_of_every_domain(name: str) -> None:
    who, terms = golden(name)
    assert "0x" + Hasher(who).digest(terms).hex() == GOLDEN_IDS[name]
    assert order_hash(terms, who) == GOLDEN_IDS[name]


def test_the_golden_signature_of_the_standard_order() -> None:
    who, terms = golden("standard")
    assert signed(Hasher(who).digest(terms)) == STANDARD_SIGNATURE


def test_the_golden_envelope_of_a_deposit_wallet() -> None:
    who, terms = golden("deposit")
    digest, tail = Hasher(who).envelope(terms)
    wire = bytes.fromhex(signed(digest)[2:]) + tail
    assert len(wire) == 317
    assert wire[65 + 32 : 65 + 64].hex() == DEPOSIT_CONTENTS
    assert wire[-2:].hex() == "00ba"
    assert sha256(wire).hexdigest() == DEPOSIT_SHA256


def test_the_golden_login() -> None:
    digest = auth_digest(chain_id=137, address=ADDR, timestamp_s=AUTH_STAMP_S, nonce=0)
    assert signed(digest) == AUTH_SIGNATURE


def venue_order(terms: Terms) -> tuple[orders.SignedOrder, orders.Domain]:
    """Say the same to the practice venue, which hashes by code of its own."""
    order = orders.SignedOrder(
        salt=terms.salt,
        maker=terms.maker,
        signer=terms.signer,
        token=int(terms.token),
        maker_amount=terms.maker_amount_u6,
        taker_amount=terms.taker_amount_u6,
        is_sell=terms.side is Side.SELL,
        signature_type=terms.signature_type,
        timestamp_ms=terms.timestamp_ms,
        metadata=terms.metadata,
        builder=terms.builder,
        signature="0x",
    )
    return order, orders.domain_of(version=terms.protocol, neg_risk=terms.neg_risk)


@given(
    st.integers(0, 3),
    st.sampled_from(Side),
    st.integers(1, (1 << 53) - 1),
    U256,
    st.tuples(AMOUNTS, AMOUNTS),
    st.tuples(st.sampled_from(["v1", "v2"]), st.booleans()),
    U256,
)
def test_any_order_has_the_id_and_the_envelope_that_the_venue_computes(
    kind: int,
    side: Side,
    salt: int,
    token: int,
    amounts: tuple[int, int],
    market: tuple[str, bool],
    builder: int,
) -> None:
    code = f"0x{builder:064x}"
    who = replace(identity(kind, funder=DEPOSIT if kind else ""), builder=code)
    _, base = golden("standard")
    terms = replace(
        base,
        salt=salt,
        maker=who.maker,
        signer=who.signer,
        signature_type=kind,
        token=str(token),
        side=side,
        maker_amount_u6=amounts[0],
        taker_amount_u6=amounts[1],
        protocol=market[0],
        neg_risk=market[1],
        builder=code,
    )
    order, domain = venue_order(terms)
    hasher = Hasher(who)
    assert order_hash(terms, who) == orders.order_id(order, domain)
    digest, tail = hasher.envelope(terms)
    assert digest == orders.nested_digest(order, domain)
    assert "0x" + tail.hex() == orders.nested_signature(order, domain, "0x")
    again = hasher.order_hash(
        salt=salt,
        token=str(token),
        side=side,
        maker_amount_u6=amounts[0],
        taker_amount_u6=amounts[1],
        timestamp_ms=terms.timestamp_ms,
        neg_risk=market[1],
        protocol=market[0],
    )
    assert again == orders.order_id(order, domain)


@given(st.integers(0, 1 << 40), st.integers(0, 1 << 60))
def test_any_login_is_what_the_venue_expects(stamp: int, nonce: int) -> None:
    ours = auth_digest(chain_id=137, address=ADDR, timestamp_s=stamp, nonce=nonce)
    theirs = crypto.auth_digest(chain_id=137, address=ADDR, timestamp=str(stamp), nonce=nonce)
    assert ours == theirs


def test_b22_a_neg_risk_order_is_of_another_contract_and_v2_markets_have_one() -> None:
    who, terms = golden("standard")
    ids = {
        (protocol, neg): order_hash(replace(terms, protocol=protocol, neg_risk=neg), who)
        for protocol in ("v1", "v2")
        for neg in (False, True)
    }
    assert len(set(ids.values())) == 3
    assert ids["v2", False] == ids["v2", True]


@pytest.mark.parametrize(
    "changes",
    [
        {"protocol": ""},
        {"protocol": "v3"},
        {"token": ""},
        {"token": "0x12"},
        {"token": "-1"},
        {"token": "١٢"},
        {"token": "9" * 79},
        {"token": str(1 << 256)},
        {"salt": 0},
        {"salt": 1 << 53},
        {"maker_amount_u6": 0},
        {"taker_amount_u6": -1},
        {"timestamp_ms": -1},
        {"maker": DEPOSIT},
        {"signer": DEPOSIT},
        {"signature_type": 1},
        {"builder": "0x" + "11" * 32},
        {"metadata": "0x" + "11" * 32},
    ],
)
def test_what_is_no_order_of_this_identity_is_refused(changes: dict[str, object]) -> None:
    who, terms = golden("standard")
    with pytest.raises(HashError, match="expected"):
        order_hash(replace(terms, **changes), who)


@pytest.mark.parametrize("address", ["", "0x", ADDR[:-1], ADDR + "0", "0x" + "g" * 40, ADDR[2:]])
def test_an_identity_without_an_address_is_refused(address: str) -> None:
    with pytest.raises(HashError, match="an address of 20 bytes"):
        Hasher(replace(identity(), maker=address))


def test_salts_are_minted_from_our_ids_and_fit_a_json_integer() -> None:
    salts = {salt_of(f"run-{seq}-{n}") for seq in range(500) for n in range(4)}
    assert len(salts) == 2_000
    assert all(0 < salt < 1 << 53 for salt in salts)
    assert max(salts) > 1 << 52
    assert salt_of("run-1-1") == salt_of("run-1-1")


def test_tokens_are_remembered_within_a_bound() -> None:
    who, terms = golden("standard")
    hasher = Hasher(who)
    for number in range((1 << 14) + 2):
        hasher._token(str(number))
    assert len(hasher._tokens) <= 1 << 14
    assert "0x" + hasher.digest(terms).hex() == GOLDEN_IDS["standard"]


def test_keccak_is_the_hash_before_it_became_a_standard() -> None:
    empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"").hex() == empty


@given(st.binary(max_size=700))
def test_the_kept_hash_state_equals_a_new_one(data: bytes) -> None:
    assert keccak256(data) == hashing._keccak_plain(data) == crypto.keccak256(data)


def test_another_build_of_the_library_falls_back_to_its_public_interface(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert hashing._keccak_kept() is not hashing._keccak_plain
    monkeypatch.setattr("Crypto.Hash.keccak._raw_keccak_lib", object())
    assert hashing._keccak_kept() is hashing._keccak_plain


def test_constants_of_the_vectors_are_what_the_reference_prints() -> None:
    assert (TOKEN[:4], TOKEN[-4:], POSITION[:4]) == ("7132", "2563", "7556")
    assert ZERO_32 == "0x" + "0" * 64
    assert isinstance(identity(), Identity)
