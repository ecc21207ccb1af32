"""Keystore V3: a wallet key in a file, locked by a passphrase (Web3 Secret Storage Definition).

Own decoder over ready-made key derivations and AES: pure functions over bytes, no file
is opened here. Everything in the file is hostile until its MAC agrees.
"""

from hashlib import pbkdf2_hmac
from hmac import compare_digest
from typing import Final

from Crypto.Cipher import AES
from Crypto.Protocol.KDF import scrypt
from msgspec import MsgspecError, Struct
from msgspec.json import decode
from msgspec.structs import replace

from polytui.engine.orders.hashing import keccak256

FILE_MAX: Final = 64 * 1024
KEY_BYTES: Final = 32
_MEMORY_MAX: Final = 512 << 20
"""What scrypt may ask for: twice what wallets use."""
_ROUNDS_MAX: Final = 10_000_000
_HEAD_BYTES: Final = 32
"""Of the derived key: 16 encrypt, 16 authenticate."""


class KeystoreError(Exception):
    """The file is no keystore V3, or the passphrase is not its own; never says what either was."""


class _Params(Struct, frozen=True, kw_only=True):
    salt: str
    dklen: int = _HEAD_BYTES
    n: int = 0
    r: int = 0
    p: int = 0
    c: int = 0
    prf: str = "hmac-sha256"


class _CipherParams(Struct, frozen=True, kw_only=True):
    iv: str


class _Crypto(Struct, frozen=True, kw_only=True):
    cipher: str
    ciphertext: str
    cipherparams: _CipherParams
    kdf: str
    kdfparams: _Params
    mac: str


class _File(Struct, frozen=True, kw_only=True):
    version: int
    crypto: _Crypto | None = None
    address: str = ""


class Keystore(Struct, frozen=True, kw_only=True):
    """A locked key: what the file says, checked for form."""

    address: str
    """`0x…` in lower case as the file claims, or empty: proven only once it is unlocked."""
    crypto: _Crypto

    def unlock(self, passphrase: str) -> bytes:
        """Return the key.

        Raises:
            KeystoreError: the passphrase is wrong, or the file does not hold a key.
        """
        crypto = self.crypto
        derived = _derived(crypto, passphrase.encode())
        ciphertext = _bytes(crypto.ciphertext, "a ciphertext")
        mac = keccak256(derived[16:_HEAD_BYTES] + ciphertext)
        if not compare_digest(mac, _bytes(crypto.mac, "a MAC")):
            raise KeystoreError("the passphrase does not open this keystore")
        start = int.from_bytes(_bytes(crypto.cipherparams.iv, "an iv"), "big")
        key = _ctr(derived, start, ciphertext)
        if len(key) != KEY_BYTES:
            raise KeystoreError(f"expected a key of {KEY_BYTES} bytes, was {len(key)}")
        return key


def read_keystore(data: bytes) -> Keystore:
    """Read a keystore file's form; the passphrase comes later.

    Raises:
        KeystoreError: it is no keystore V3 that can be opened here.
    """
    if len(data) > FILE_MAX:
        raise KeystoreError(f"expected a keystore of at most {FILE_MAX} bytes, was {len(data)}")
    try:
        found = decode(data.replace(b'"Crypto"', b'"crypto"', 1), type=_File)
    except (MsgspecError, UnicodeDecodeError, RecursionError):
        raise KeystoreError("expected a keystore V3 in JSON, was something else") from None
    crypto = found.crypto
    if found.version != 3 or crypto is None:
        raise KeystoreError(f"expected a keystore of version 3, was {found.version}")
    if crypto.cipher != "aes-128-ctr":
        raise KeystoreError(f"expected the cipher aes-128-ctr, was {crypto.cipher[:40]!a}")
    # A number: eth-keyfile leaves out leading zero bytes, which happens to one file in 256.
    if not 0 < len(_bytes(crypto.cipherparams.iv, "an iv")) <= 16:
        raise KeystoreError("expected an iv of at most 16 bytes")
    _check_kdf(crypto)
    address = found.address.lower().removeprefix("0x")
    return Keystore(address=f"0x{address}" if address else "", crypto=crypto)


def rehearse() -> None:
    """Open a toy keystore both ways, so that every library is loaded before files are out of reach.

    Raises:
        KeystoreError: this machine cannot open keystores at all.
    """
    salt, secret = "00" * 16, bytes(KEY_BYTES)
    for kdf, params in (
        ("scrypt", _Params(salt=salt, n=2, r=1, p=1)),
        ("pbkdf2", _Params(salt=salt, c=1)),
    ):
        toy = _Crypto(
            cipher="aes-128-ctr",
            ciphertext="",
            cipherparams=_CipherParams(iv="00" * 16),
            kdf=kdf,
            kdfparams=params,
            mac="",
        )
        derived = _derived(toy, b"toy")
        hidden = _ctr(derived, 0, secret)
        mac = keccak256(derived[16:_HEAD_BYTES] + hidden)
        locked = Keystore(address="", crypto=replace(toy, ciphertext=hidden.hex(), mac=mac.hex()))
        if locked.unlock("toy") != secret:
            raise KeystoreError(f"a toy keystore of kdf {kdf} does not open on this machine")


def _ctr(derived: bytes, start: int, data: bytes) -> bytes:
    return AES.new(derived[:16], AES.MODE_CTR, nonce=b"", initial_value=start).decrypt(data)


def _check_kdf(crypto: _Crypto) -> None:
    params = crypto.kdfparams
    if not _HEAD_BYTES <= params.dklen <= 64:
        raise KeystoreError(f"expected 32 to 64 derived bytes, was {params.dklen}")
    if crypto.kdf == "pbkdf2":
        if params.prf != "hmac-sha256" or not 0 < params.c <= _ROUNDS_MAX:
            raise KeystoreError(f"expected hmac-sha256 of at most {_ROUNDS_MAX} rounds")
    elif crypto.kdf == "scrypt":
        is_power = params.n > 1 and not params.n & (params.n - 1)
        if not is_power or not (0 < params.r <= 64 and 0 < params.p <= 64):
            raise KeystoreError("expected scrypt with n a power of two, r and p of 1 to 64")
        if 128 * params.n * params.r > _MEMORY_MAX:
            raise KeystoreError(f"expected scrypt within {_MEMORY_MAX >> 20} MiB")
    else:
        raise KeystoreError(f"expected the kdf scrypt or pbkdf2, was {crypto.kdf[:40]!a}")


def _derived(crypto: _Crypto, passphrase: bytes) -> bytes:
    params = crypto.kdfparams
    salt = _bytes(params.salt, "a salt")
    if crypto.kdf == "pbkdf2":
        return pbkdf2_hmac("sha256", passphrase, salt, params.c, params.dklen)
    # Not the standard library's: OpenSSL refuses n ≥ 2^16 with r of 1, which wallets have written.
    made = scrypt(passphrase, salt, params.dklen, params.n, params.r, params.p)  # type: ignore[arg-type]  # bytes are taken as well as text
    assert isinstance(made, bytes), "expected one key"
    return made


def _bytes(text: str, what: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise KeystoreError(f"expected {what} in hexadecimal") from None
