"""What the venue can prove of a request: who signed it, and what exactly was signed.

Pure functions over bytes. Addresses are lower-case `0x` hex inside; `checksum` writes them as the
venue does. Sources: `venue/polymarket.md` §2 with its golden vectors, recomputed 2026-11-21 with
both official clients; EIP-191, EIP-712, ERC-7739.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from functools import lru_cache
from hashlib import sha256
from typing import Final

from coincurve import PrivateKey, PublicKey
from Crypto.Hash import keccak as _keccak

CLOB_AUTH_MESSAGE: Final = "This message attests that I control the given wallet"
SIGNATURE_BYTES: Final = 65
_HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""Signatures with a larger `s` are malleable; contracts on chain refuse them, and so do we."""
_KEY_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class SignatureFault(Exception):
    """The bytes given as a signature are none, or not of this form."""


def keccak256(data: bytes) -> bytes:
    """Hash as Ethereum does: Keccak before it became SHA-3."""
    return _keccak.new(digest_bits=256, data=data).digest()


def word(value: int) -> bytes:
    """Write a number as one ABI word.

    Raises:
        SignatureFault: it does not fit.
    """
    if not 0 <= value < 1 << 256:
        raise SignatureFault(f"expected a number of at most 256 bits, was {value}")
    return value.to_bytes(32, "big")


def address_bytes(address: str) -> bytes:
    """Read an address.

    Raises:
        SignatureFault: it is not `0x` and 40 hexadecimal digits.
    """
    return _hex_bytes(address, 20, "an address")


def address_word(address: str) -> bytes:
    """Write an address as one ABI word."""
    return address_bytes(address).rjust(32, b"\0")


def bytes32(text: str) -> bytes:
    """Read `0x` and 64 hexadecimal digits."""
    return _hex_bytes(text, 32, "32 bytes")


def signature_bytes(text: str) -> bytes:
    """Read a signature of whatever length."""
    return _hex_bytes(text, None, "a signature")


def _hex_bytes(text: str, size: int | None, what: str) -> bytes:
    digits = text[2:]
    is_hex = text.startswith("0x") and digits.isascii() and digits.isalnum()
    try:
        data = bytes.fromhex(digits) if is_hex else None
    except ValueError:
        data = None
    if data is None or (size is not None and len(data) != size):
        raise SignatureFault(f"expected {what} in hexadecimal, was {text[:80]!a}")
    return data


@lru_cache(maxsize=4096)
def checksum(address: str) -> str:
    """Write an address with the capital letters of EIP-55, as the venue answers."""
    digits = address_bytes(address).hex()
    marks = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        char.upper() if int(mark, 16) > 7 else char
        for char, mark in zip(digits, marks, strict=False)
    )


# --- keys ----------------------------------------------------------------------------------------


def secret_key(seed: bytes) -> str:
    """Make a test wallet's private key out of a seed; whoever knows the seed has the key."""
    return f"0x{int.from_bytes(sha256(seed).digest(), 'big') % (_KEY_ORDER - 1) + 1:064x}"


@lru_cache(maxsize=4096)
def address_of(key: str) -> str:
    """Return the address that a private key controls."""
    return _address(PrivateKey(bytes32(key)).public_key)


def sign(key: str, digest: bytes) -> str:
    """Sign a digest as wallets do: r, s, and v of 27 or 28."""
    raw = PrivateKey(bytes32(key)).sign_recoverable(digest, hasher=None)
    return "0x" + (raw[:64] + bytes([raw[64] + 27])).hex()


def recover(digest: bytes, signature: bytes) -> str:
    """Return the address whose key made this signature of a digest.

    Raises:
        SignatureFault: no key can have made it.
    """
    if len(signature) != SIGNATURE_BYTES:
        got = len(signature)
        raise SignatureFault(f"expected a signature of {SIGNATURE_BYTES} bytes, was {got}")
    parity = signature[64] - 27 if signature[64] >= 27 else signature[64]
    if parity not in (0, 1) or int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        raise SignatureFault("expected v of 27 or 28 and a low s")
    try:
        key = PublicKey.from_signature_and_message(
            signature[:64] + bytes([parity]), digest, hasher=None
        )
    except Exception as error:  # coincurve raises bare Exception when there is no such point
        raise SignatureFault("no key makes this signature") from error
    return _address(key)


def _address(key: PublicKey) -> str:
    return "0x" + keccak256(key.format(compressed=False)[1:])[12:].hex()


# --- the two logins ------------------------------------------------------------------------------

_AUTH_DOMAIN_TYPE: Final = keccak256(b"EIP712Domain(string name,string version,uint256 chainId)")
_AUTH_TYPE: Final = keccak256(
    b"ClobAuth(address address,string timestamp,uint256 nonce,string message)"
)


@lru_cache(maxsize=8)
def _auth_domain(chain_id: int) -> bytes:
    return keccak256(
        _AUTH_DOMAIN_TYPE + keccak256(b"ClobAuthDomain") + keccak256(b"1") + word(chain_id)
    )


def auth_digest(*, chain_id: int, address: str, timestamp: str, nonce: int) -> bytes:
    """Hash what a wallet signs to get an API key (level 1)."""
    struct = keccak256(
        _AUTH_TYPE
        + address_word(address)
        + keccak256(timestamp.encode())
        + word(nonce)
        + keccak256(CLOB_AUTH_MESSAGE.encode())
    )
    return keccak256(b"\x19\x01" + _auth_domain(chain_id) + struct)


def request_signature(secret: str, *, timestamp: str, method: str, path: str, body: bytes) -> str:
    """Compute what a private request must carry (level 2): the path without its query string.

    Raises:
        SignatureFault: the secret is not url-safe base64.
    """
    try:
        key = urlsafe_b64decode(secret)
    except (Base64Error, ValueError) as error:
        raise SignatureFault("expected a secret in url-safe base64") from error
    message = f"{timestamp}{method}{path}".encode() + body
    return urlsafe_b64encode(hmac.new(key, message, sha256).digest()).decode()
