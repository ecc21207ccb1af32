"""The golden vectors of `venue/polymarket.md` §2: chain 137 and the published development key."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.shell.venue.crypto import (
    SignatureFault,
    address_of,
    auth_digest,
    bytes32,
    checksum,
    keccak256,
    recover,
    request_signature,
    secret_key,
    sign,
    signature_bytes,
)
from polytui.engine.shell.venue.wallets import wallets_of

KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
SECRET = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
AUTH_SIGNATURE = (
    "0x131287b4c69ecd9feae81d310e724dea7c5d98c1d38f1d5fe4d2b730a33022fa"
    "3bd648a56e1e3b8e51a49d8eb86b5201a8ee4b1de4ad356d47ef393c12d8a8c91c"
)


def test_the_hash_is_keccak_not_sha3() -> None:
    empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"").hex() == empty


def test_an_address_is_written_with_its_checksum() -> None:
    assert checksum(ADDRESS.lower()) == ADDRESS
    assert checksum(address_of(KEY)) == ADDRESS


def test_the_level_1_vector_verifies() -> None:
    digest = auth_digest(chain_id=137, address=ADDRESS, timestamp="1790000000", nonce=0)
    assert sign(KEY, digest) == AUTH_SIGNATURE
    assert recover(digest, signature_bytes(AUTH_SIGNATURE)) == ADDRESS.lower()


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        (
            "DELETE",
            "/order",
            b'{"orderID":"0xabc"}',
            "ttyBZjWVOQ8Ts8XTY9iud1QmE7S-F4AO1UDVosFP00c=",
        ),
        ("GET", "/data/orders", b"", "FVB6g2ZvKNXT0_2Pg8MdwBPhxyefgOCZ6FgmkqkNieU="),
    ],
)
def test_the_level_2_vectors_verify(method: str, path: str, body: bytes, expected: str) -> None:
    made = request_signature(SECRET, timestamp="1790000000", method=method, path=path, body=body)
    assert made == expected


def test_a_secret_that_is_not_base64_is_a_fault_not_a_crash() -> None:
    with pytest.raises(SignatureFault, match="base64"):
        request_signature("abc", timestamp="1", method="GET", path="/", body=b"")


@given(st.binary(max_size=80))
def test_no_bytes_crash_the_recovery(data: bytes) -> None:
    digest = sha256(b"anything").digest()
    for candidate in (data, data.ljust(65, b"\0")[:65], b"\xff" * 64 + b"\x1b"):
        try:
            assert recover(digest, candidate).startswith("0x")
        except SignatureFault:
            continue


def test_the_malleable_twin_of_a_signature_is_refused() -> None:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    digest = sha256(b"message").digest()
    good = signature_bytes(sign(KEY, digest))
    twin_s = order - int.from_bytes(good[32:64], "big")
    twin = good[:32] + twin_s.to_bytes(32, "big") + bytes([55 - good[64]])
    assert recover(digest, good) == ADDRESS.lower()
    with pytest.raises(SignatureFault, match="low s"):
        recover(digest, twin)


@pytest.mark.parametrize("text", ["", "0x", "0xzz", "12", "0x" + "0" * 63, "0x" + " " * 64])
def test_text_that_is_no_word_is_a_fault(text: str) -> None:
    with pytest.raises(SignatureFault, match="32 bytes"):
        bytes32(text)


def test_keys_made_of_a_seed_are_the_same_every_time_and_all_different() -> None:
    keys = [secret_key(f"seed 1 wallet {n}".encode()) for n in range(20)]
    assert keys == [secret_key(f"seed 1 wallet {n}".encode()) for n in range(20)]
    assert len({address_of(key) for key in keys}) == 20


@pytest.mark.slow
@pytest.mark.timeout(30)
def test_wallet_addresses_are_those_the_official_client_derives() -> None:
    from polymarket._internal import wallet
    from polymarket.environments import PRODUCTION

    config = PRODUCTION._config.wallet_derivation
    for n in range(3):
        owner = checksum(address_of(secret_key(f"wallet {n}".encode())))
        ours = wallets_of(owner)
        assert checksum(ours.proxy) == wallet.derive_proxy_wallet_address(owner, config)
        assert checksum(ours.safe) == wallet.derive_safe_wallet_address(owner, config)
        theirs = wallet.derive_beacon_deposit_wallet_address(owner, config)
        assert checksum(ours.deposit) == theirs
        plain = wallet.derive_uups_deposit_wallet_address(owner, config)
        assert checksum(ours.deposit_plain) == plain
