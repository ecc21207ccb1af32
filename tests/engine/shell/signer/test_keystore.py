"""Keystore V3: published vectors, another library's files, and hostile ones."""

import json
from hashlib import pbkdf2_hmac
from typing import Any

import pytest
from Crypto.Cipher import AES
from eth_keyfile import keyfile as reference
from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.orders.hashing import keccak256
from polytui.engine.shell.signer.keystore import FILE_MAX, KeystoreError, read_keystore

create_keyfile_json: Any = reference.create_keyfile_json
"""Wants bytes, whatever its annotations say."""
SECRET = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
PBKDF2 = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "pbkdf2",
        "kdfparams": {
            "c": 262144,
            "dklen": 32,
            "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
        },
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}
SCRYPT = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
        "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
        "kdf": "scrypt",
        "kdfparams": {
            "dklen": 32,
            "n": 262144,
            "p": 8,
            "r": 1,
            "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
        },
        "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}


def written(base: dict[str, Any], **crypto: Any) -> bytes:
    return json.dumps(base | {"crypto": base["crypto"] | crypto}).encode()


@pytest.mark.slow
@pytest.mark.timeout(30)
@pytest.mark.parametrize("vector", [PBKDF2, SCRYPT], ids=["pbkdf2", "scrypt"])
def test_the_published_vectors_open(vector: dict[str, Any]) -> None:
    """Vectors of the Web3 Secret Storage Definition, version 3."""
    assert read_keystore(written(vector)).unlock("testpassword").hex() == SECRET


def test_a_capital_crypto_member_is_read_as_well() -> None:
    text = written(PBKDF2).replace(b'"crypto"', b'"Crypto"')
    assert read_keystore(text).unlock("testpassword").hex() == SECRET


@pytest.mark.parametrize("kdf", ["scrypt", "pbkdf2"])
def test_files_of_the_reference_library_open(kdf: Any) -> None:
    file = create_keyfile_json(bytes.fromhex(SECRET), "päss wörd".encode(), kdf=kdf, iterations=2)
    keystore = read_keystore(json.dumps(file).encode())
    assert keystore.address == "0x" + file["address"].lower()
    assert keystore.unlock("päss wörd").hex() == SECRET


@pytest.mark.parametrize("iv", ["01", "ab" * 15, "00" + "ab" * 15])
def test_an_iv_that_lost_its_leading_zeros_is_a_number_all_the_same(iv: str) -> None:
    """As eth-keyfile writes one file in 256."""
    derived = pbkdf2_hmac("sha256", b"x", b"salt", 1, 32)
    box = AES.new(derived[:16], AES.MODE_CTR, nonce=b"", initial_value=int(iv, 16))
    hidden = box.encrypt(bytes.fromhex(SECRET))
    file = written(
        PBKDF2,
        cipherparams={"iv": iv},
        kdfparams={"salt": b"salt".hex(), "c": 1},
        ciphertext=hidden.hex(),
        mac=keccak256(derived[16:] + hidden).hex(),
    )
    assert read_keystore(file).unlock("x").hex() == SECRET


@pytest.mark.parametrize("passphrase", ["", "testpasswor", "testpassword ", "TESTPASSWORD"])
def test_another_passphrase_does_not_open_it(passphrase: str) -> None:
    cheap = create_keyfile_json(bytes.fromhex(SECRET), b"testpassword", kdf="pbkdf2", iterations=1)
    with pytest.raises(KeystoreError, match="does not open") as refused:
        read_keystore(json.dumps(cheap).encode()).unlock(passphrase)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("crypto", "expected"),
    [
        ({"cipher": "aes-256-ctr"}, "the cipher aes-128-ctr"),
        ({"kdf": "argon2"}, "the kdf scrypt or pbkdf2"),
        ({"cipherparams": {"iv": ""}}, "an iv of at most 16 bytes"),
        ({"cipherparams": {"iv": "00" * 17}}, "an iv of at most 16 bytes"),
        ({"cipherparams": {"iv": "zz" * 16}}, "an iv in hexadecimal"),
        ({"kdfparams": {"salt": "00", "c": 10**9}}, "rounds"),
        ({"kdfparams": {"salt": "00", "c": 0}}, "rounds"),
        ({"kdfparams": {"salt": "00", "c": 1, "prf": "hmac-md5"}}, "hmac-sha256"),
        ({"kdfparams": {"salt": "00", "c": 1, "dklen": 16}}, "derived bytes"),
        ({"kdf": "scrypt", "kdfparams": {"salt": "00", "n": 3, "r": 1, "p": 1}}, "power of two"),
        ({"kdf": "scrypt", "kdfparams": {"salt": "00", "n": 2, "r": 0, "p": 1}}, "r and p"),
        ({"kdf": "scrypt", "kdfparams": {"salt": "00", "n": 1 << 30, "r": 8, "p": 1}}, "MiB"),
    ],
)
def test_a_hostile_file_is_refused_before_any_work(crypto: dict[str, Any], expected: str) -> None:
    with pytest.raises(KeystoreError, match=expected):
        read_keystore(written(PBKDF2, **crypto))


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"null", b"{}", b'{"version":1}', b"\xff\xfe", b"[" * 5_000, SECRET.encode()],
)
def test_what_is_no_keystore_is_refused_without_showing_it(data: bytes) -> None:
    with pytest.raises(KeystoreError) as refused:
        read_keystore(data)
    assert SECRET not in str(refused.value)


def test_an_endless_file_is_refused() -> None:
    with pytest.raises(KeystoreError, match="at most"):
        read_keystore(b" " * (FILE_MAX + 1))


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with pytest.raises(KeystoreError):
        read_keystore(data)
