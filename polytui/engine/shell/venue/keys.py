"""API keys: made from the run's seed, so that the same wallet gets the same key in every run.

The two logins are judged here: a wallet's signature (level 1) and a key's (level 2).
"""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import blake2b
from hmac import compare_digest
from typing import Final
from uuid import UUID

from msgspec import Struct

from polytui.engine.shell.venue.crypto import (
    SignatureFault,
    auth_digest,
    recover,
    request_signature,
    signature_bytes,
)
from polytui.engine.shell.venue.orders import POLYGON_ID
from polytui.engine.shell.venue.refused import BAD_KEY, BAD_WALLET, Refused

KEYS_MAX: Final = 10_000
"""Keys of one run; more wallets than this is a loop gone wild."""
STAMP_WINDOW_S: Final = 60
"""How far a request's time may be off ours: the venue does not say, we take a minute."""


class ApiKey(Struct, frozen=True, kw_only=True):
    """What a wallet gets to trade with."""

    key: str
    secret: str
    passphrase: str
    address: str
    """Of the wallet that signed for it: never the one that holds the money."""
    nonce: int
    is_read_only: bool = False

    def credentials(self) -> dict[str, str]:
        """Write it as the venue answers it, once."""
        return {"apiKey": self.key, "secret": self.secret, "passphrase": self.passphrase}


class KeyRing:
    """Every key ever given."""

    def __init__(self, seed: int) -> None:
        """Start with none."""
        self._seed = seed
        self._keys: dict[str, ApiKey] = {}
        self._made: dict[tuple[str, int], int] = {}
        """How often a wallet asked with this nonce: a deleted key never comes back."""

    def get(self, key: str) -> ApiKey | None:
        """Find a key by its id."""
        return self._keys.get(key)

    def of(self, address: str) -> list[ApiKey]:
        """List a wallet's keys."""
        return [key for key in self._keys.values() if key.address == address]

    def find(self, address: str, nonce: int) -> ApiKey | None:
        """Find the trading key a wallet made with this nonce."""
        mine = (k for k in self.of(address) if k.nonce == nonce and not k.is_read_only)
        return next(mine, None)

    def create(self, address: str, nonce: int, *, is_read_only: bool = False) -> ApiKey | None:
        """Make a key; None when there is one for this nonce, or too many altogether."""
        taken = not is_read_only and self.find(address, nonce) is not None
        if taken or len(self._keys) >= KEYS_MAX:
            return None
        made = self._made[address, nonce] = self._made.get((address, nonce), 0) + 1
        label = f"{self._seed}:{address}:{nonce}:{made}:{is_read_only}"
        key = _minted(label, address=address, nonce=nonce, is_read_only=is_read_only)
        self._keys[key.key] = key
        return key

    def delete(self, key: str) -> None:
        """Forget a key; unknown ones are fine."""
        self._keys.pop(key, None)


def _minted(label: str, *, address: str, nonce: int, is_read_only: bool) -> ApiKey:
    def bits(what: str, size: int) -> bytes:
        return blake2b(f"{label}:{what}".encode(), digest_size=size).digest()

    return ApiKey(
        key=str(UUID(bytes=bits("key", 16), version=5)),
        secret=urlsafe_b64encode(bits("secret", 32)).decode(),
        passphrase=bits("passphrase", 32).hex(),
        address=address,
        nonce=nonce,
        is_read_only=is_read_only,
    )


def wallet_login(headers: Mapping[str, str], *, now_s: int) -> tuple[str, int]:
    """Judge a level-1 request; return the wallet and its nonce.

    Raises:
        Refused: 401.
    """
    address = headers.get("POLY_ADDRESS", "")
    stamp = headers.get("POLY_TIMESTAMP", "")
    nonce = headers.get("POLY_NONCE", "0") or "0"
    if not (nonce.isdecimal() and len(nonce) < 78 and _is_now(stamp, now_s)):
        raise Refused(401, BAD_WALLET)
    try:
        digest = auth_digest(
            chain_id=POLYGON_ID, address=address, timestamp=stamp, nonce=int(nonce)
        )
        signer = recover(digest, signature_bytes(headers.get("POLY_SIGNATURE", "")))
    except SignatureFault:
        raise Refused(401, BAD_WALLET) from None
    if signer != address.lower():
        raise Refused(401, BAD_WALLET)
    return signer, int(nonce)


class Signed(Struct, frozen=True, kw_only=True):
    """The parts of a request that a level-2 signature covers."""

    method: str
    path: str
    body: bytes


def key_login(ring: KeyRing, headers: Mapping[str, str], request: Signed, *, now_s: int) -> ApiKey:
    """Judge a level-2 request; return the key that made it.

    Raises:
        Refused: 401.
    """
    stamp = headers.get("POLY_TIMESTAMP", "")
    key = ring.get(headers.get("POLY_API_KEY", ""))
    if key is None or not _is_now(stamp, now_s):
        raise Refused(401, BAD_KEY)
    expected = request_signature(
        key.secret, timestamp=stamp, method=request.method, path=request.path, body=request.body
    )
    is_good = (
        headers.get("POLY_ADDRESS", "").lower() == key.address
        and _same(headers.get("POLY_PASSPHRASE", ""), key.passphrase)
        and _same(headers.get("POLY_SIGNATURE", ""), expected)
    )
    if not is_good or (key.is_read_only and request.method != "GET"):
        raise Refused(401, BAD_KEY)
    return key


def stream_login(ring: KeyRing, claim: Mapping[str, str]) -> ApiKey | None:
    """Judge the credentials of a user-stream subscription."""
    key = ring.get(claim.get("apiKey", ""))
    if key is None or not _same(claim.get("secret", ""), key.secret):
        return None
    return key if _same(claim.get("passphrase", ""), key.passphrase) else None


def _same(left: str, right: str) -> bool:
    return compare_digest(left.encode(), right.encode())


def _is_now(stamp: str, now_s: int) -> bool:
    return (
        stamp.isascii()
        and stamp.isdecimal()
        and len(stamp) < 12
        and abs(int(stamp) - now_s) <= STAMP_WINDOW_S
    )
