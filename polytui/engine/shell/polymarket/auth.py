"""What proves to the venue that a request is ours (`venue/polymarket.md` §2).

Level 2: an HMAC over time, method, path and body. Level 1 appears only to obtain the key: its
signature is the signer's work. A `Credentials` object shows nothing of itself: neither its repr nor
an error names secret, passphrase or a signature, and it cannot be copied out by pickling.
"""

import hmac
from base64 import b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from typing import Any, NoReturn

from msgspec import DecodeError, Struct
from msgspec.json import decode, encode

from polytui.engine.core.errors import OperatorError
from polytui.engine.orders.hashing import address_word, keccak256


@lru_cache(maxsize=64)
def checksum(address: str) -> str:
    """Write an address with the capital letters of EIP-55, as the official clients send it.

    Raises:
        HashError: it is no address.
    """
    digits = address_word(address)[12:].hex()
    marks = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        char.upper() if int(mark, 16) > 7 else char
        for char, mark in zip(digits, marks, strict=False)
    )


class Credentials:
    """An API key of the venue."""

    __slots__ = ("_mac", "_passphrase", "_secret", "address", "key")

    def __init__(self, *, address: str, key: str, secret: str, passphrase: str) -> None:
        """Take what the venue gave; `address` is the signing key's own, never the money's.

        Raises:
            OperatorError: they cannot be credentials; they are not quoted.
        """
        texts = (address, key, secret, passphrase)
        if not all(text and text.isascii() and text.isprintable() for text in texts):
            raise OperatorError("expected an API key, secret and passphrase in plain letters")
        try:
            mac_key = b64decode(secret, altchars=b"-_", validate=True)
        except (Base64Error, ValueError):
            raise OperatorError("expected the API secret in url-safe base64") from None
        self.address = address
        self.key = key
        """The key's id: the `owner` of orders and trades. Not a secret by itself."""
        self._secret = secret
        self._passphrase = passphrase
        self._mac = hmac.new(mac_key, digestmod=sha256)

    def __repr__(self) -> str:
        return f"Credentials(key={self.key[:8]}…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are not copied")

    def hand_to(self, hide: Callable[..., None]) -> None:
        """Hand what is secret of it to whoever takes it out of a log."""
        hide(self._secret, self._passphrase, self.key)

    def headers(self, method: str, path: str, body: bytes, *, stamp_s: int) -> str:
        """Write the level-2 header lines of a request; `path` without its query string."""
        mac = self._mac.copy()
        mac.update(f"{stamp_s}{method}{path}".encode() + body)
        signature = urlsafe_b64encode(mac.digest()).decode()
        return (
            f"POLY_ADDRESS: {self.address}\r\nPOLY_API_KEY: {self.key}\r\n"
            f"POLY_PASSPHRASE: {self._passphrase}\r\nPOLY_TIMESTAMP: {stamp_s}\r\n"
            f"POLY_SIGNATURE: {signature}\r\n"
        )

    def stream_login(self, markets: tuple[str, ...] = ()) -> str:
        """Write the first message of the user stream: to be sent, never logged or recorded."""
        auth = {"apiKey": self.key, "secret": self._secret, "passphrase": self._passphrase}
        wish: dict[str, Any] = {"type": "user", "auth": auth}
        if markets:
            wish["markets"] = list(markets)
        return encode(wish).decode()


class _Given(Struct):
    apiKey: str  # noqa: N815  the wire's own name
    secret: str
    passphrase: str


def read_credentials(address: str, body: bytes) -> Credentials | None:
    """Read the answer of `/auth/api-key` and `/auth/derive-api-key`; None when it is none."""
    try:
        given = decode(body, type=_Given)
        return Credentials(
            address=address, key=given.apiKey, secret=given.secret, passphrase=given.passphrase
        )
    except (DecodeError, UnicodeDecodeError, RecursionError, OperatorError):
        return None


def wallet_headers(*, address: str, signature: str, stamp_s: int, nonce: int) -> str:
    """Write the level-1 header lines: what the wallet signed to get its key."""
    return (
        f"POLY_ADDRESS: {address}\r\nPOLY_SIGNATURE: {signature}\r\n"
        f"POLY_TIMESTAMP: {stamp_s}\r\nPOLY_NONCE: {nonce}\r\n"
    )
