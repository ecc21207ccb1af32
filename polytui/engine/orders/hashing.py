"""What is hashed before it is signed: orders, deposit-wallet envelopes, the login (EIP-712).

Pure: no key comes here. The order's digest is its id at the venue, so the engine computes it before
anything is sent and the signer computes it again. Words that never change within a session (type,
domains, maker, signer, builder) are made once; a token's word is remembered. Sources: venue
reference §2 with its golden vectors, recomputed with both official clients on 2026-11-21; EIP-712;
ERC-7739 for the deposit wallet.
"""

from collections.abc import Callable
from ctypes import CDLL, byref, c_size_t, c_ubyte, c_void_p, create_string_buffer
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from Crypto.Hash import keccak as _keccak

from polytui.engine.core.enums import Side
from polytui.engine.core.trading import Identity, Terms

SALT_BITS: Final = 53
"""A salt must fit a JSON safe integer."""

DEPOSIT_WALLET: Final = 3
"""The signature type whose signature is an envelope around the order (EIP-1271)."""

ZERO_32: Final = "0x" + "00" * 32

CLOB_AUTH_MESSAGE: Final = "This message attests that I control the given wallet"

_UINT_MAX: Final = (1 << 256) - 1
_TOKENS_MAX: Final = 1 << 14
"""Tokens remembered; a session trades a few hundred."""


class HashError(ValueError):
    """The fields cannot be hashed as an order; the message says what was expected."""


def _keccak_plain(data: bytes) -> bytes:
    return _keccak.new(digest_bits=256, data=data).digest()


def _keccak_kept() -> Callable[[bytes], bytes]:
    """Find a quicker way to the same library: one kept state instead of a new object each time.

    Saves half of 5 µs a hash, of which an order needs four. The library's compiled part is not its
    public interface, so it is used only where it is what we know and computes the same.
    """
    library = getattr(_keccak, "_raw_keccak_lib", None)
    if not isinstance(library, CDLL):
        return _keccak_plain
    state, digest = c_void_p(), create_string_buffer(32)
    size, padding = c_size_t(32), c_ubyte(1)
    reset, absorb, finish = library.keccak_reset, library.keccak_absorb, library.keccak_digest
    library.keccak_init(byref(state), c_size_t(64), c_ubyte(24))

    def kept(data: bytes) -> bytes:
        reset(state)
        absorb(state, data, c_size_t(len(data)))
        finish(state, digest, size, padding)
        return digest.raw

    tries = (b"", b"polytui", bytes(136), bytes(range(256)) * 3)
    return kept if all(kept(d) == _keccak_plain(d) for d in (*tries, *tries)) else _keccak_plain


keccak256: Final = _keccak_kept()
"""Hash as Ethereum does, Keccak before it became SHA-3; not for several threads at once."""


ORDER_TYPE: Final = (
    b"Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,"
    b"uint256 takerAmount,uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,"
    b"bytes32 builder)"
)
_ORDER_HASH: Final = keccak256(ORDER_TYPE)
_ENVELOPE_HASH: Final = keccak256(
    b"TypedDataSign(Order contents,string name,string version,uint256 chainId,"
    b"address verifyingContract,bytes32 salt)" + ORDER_TYPE
)
_DOMAIN_HASH: Final = keccak256(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_EXCHANGE_NAME: Final = keccak256(b"Polymarket CTF Exchange")
_WALLET_NAME: Final = keccak256(b"DepositWallet")
_WALLET_VERSION: Final = keccak256(b"1")
_TRAILER: Final = ORDER_TYPE + len(ORDER_TYPE).to_bytes(2, "big")
_AUTH_DOMAIN_HASH: Final = keccak256(b"EIP712Domain(string name,string version,uint256 chainId)")
_AUTH_HASH: Final = keccak256(
    b"ClobAuth(address address,string timestamp,uint256 nonce,string message)"
)
_PREFIX: Final = b"\x19\x01"

# --- words ---------------------------------------------------------------------------------------


def word(value: int) -> bytes:
    """Write a number as one ABI word.

    Raises:
        HashError: it is negative or beyond 256 bits.
    """
    if not 0 <= value <= _UINT_MAX:
        raise HashError(f"expected a number of 0 to 256 bits, was {value}")
    return value.to_bytes(32, "big")


def address_word(address: str) -> bytes:
    """Write an address as one ABI word.

    Raises:
        HashError: it is not `0x` and 40 hexadecimal digits.
    """
    return _hex_bytes(address, 20, "an address").rjust(32, b"\0")


def _hex_bytes(text: str, size: int, what: str) -> bytes:
    digits = text[2:]
    try:
        is_plain = text[:2] == "0x" and digits.isascii() and digits.isalnum()
        data = bytes.fromhex(digits) if is_plain else b""
    except ValueError:
        data = b""
    if len(data) != size:
        raise HashError(f"expected {what} of {size} bytes in hexadecimal, was {text[:80]!a}")
    return data


def token_word(token: str) -> bytes:
    """Write a token id, a plain decimal number, as one ABI word.

    Raises:
        HashError: it is no such number.
    """
    if not (token.isascii() and token.isdecimal() and len(token) <= 78):
        raise HashError(f"expected a token id in decimal digits, was {token[:80]!a}")
    return word(int(token))


def salt_of(cid: str) -> int:
    """Mint an order's salt from our id of it: 1 … 2^53 - 1, the same in every replay."""
    digest = blake2b(cid.encode(), digest_size=8, person=b"polytui salt").digest()
    return (int.from_bytes(digest, "big") >> (64 - SALT_BITS)) or 1


# --- orders --------------------------------------------------------------------------------------


class Hasher:
    """Hashes the orders of one identity; everything of it that never changes is made here once."""

    __slots__ = ("_domains", "_envelope", "_sides", "_tail", "_tokens", "_who", "identity")

    def __init__(self, identity: Identity) -> None:
        """Make the words of an identity.

        Raises:
            HashError: an address or the builder code is not what it should be.
        """
        self.identity = identity
        chain = word(identity.chain_id)
        self._who = address_word(identity.maker) + address_word(identity.signer)
        kind = word(identity.signature_type)
        self._sides = {Side.BUY: word(0) + kind, Side.SELL: word(1) + kind}
        builder = _hex_bytes(identity.builder, 32, "a builder code")
        self._tail = _hex_bytes(ZERO_32, 32, "no metadata") + builder
        plain = _domain(2, chain, identity.exchange)
        group = _domain(2, chain, identity.neg_risk_exchange)
        third = _domain(3, chain, identity.exchange_v3)
        self._domains = {
            ("v1", False): plain,
            ("v1", True): group,
            ("v2", False): third,
            ("v2", True): third,
        }
        self._envelope = (
            _WALLET_NAME + _WALLET_VERSION + chain + address_word(identity.signer) + word(0)
        )
        self._tokens: dict[str, bytes] = {}

    def order_hash(
        self,
        *,
        salt: int,
        token: str,
        side: Side,
        maker_amount_u6: int,
        taker_amount_u6: int,
        timestamp_ms: int,
        neg_risk: bool,
        protocol: str,
    ) -> str:
        """Name an order as the venue will: `0x` and 64 lower-case digits.

        Raises:
            HashError: a number is out of range, the token no id, the protocol unknown.
        """
        fields = salt, token, side, maker_amount_u6, taker_amount_u6, timestamp_ms
        domain = self._domain_of(protocol, neg_risk=neg_risk)
        return "0x" + keccak256(_PREFIX + domain + self._contents(*fields)).hex()

    def digest(self, terms: Terms) -> bytes:
        """Hash what the terms say; their own `order_hash` is not looked at.

        Raises:
            HashError: as `order_hash`, or the terms are of another identity.
        """
        domain = self._domain_of(terms.protocol, neg_risk=terms.neg_risk)
        return keccak256(_PREFIX + domain + self._contents_of(terms))

    def envelope(self, terms: Terms) -> tuple[bytes, bytes]:
        """Hash an order for a deposit wallet: (what its owner signs, what follows the signature).

        The wire signature is the owner's 65 bytes and the second part, 317 bytes together.

        Raises:
            HashError: as `digest`.
        """
        domain = self._domain_of(terms.protocol, neg_risk=terms.neg_risk)
        contents = self._contents_of(terms)
        struct = keccak256(_ENVELOPE_HASH + contents + self._envelope)
        return keccak256(_PREFIX + domain + struct), domain + contents + _TRAILER

    def _contents_of(self, terms: Terms) -> bytes:
        ours = self.identity
        if (
            terms.maker != ours.maker
            or terms.signer != ours.signer
            or terms.signature_type != ours.signature_type
            or terms.builder != ours.builder
            or terms.metadata != ZERO_32
        ):
            raise HashError(f"expected an order of {ours.maker} by {ours.signer}, was another's")
        return self._contents(
            terms.salt,
            terms.token,
            terms.side,
            terms.maker_amount_u6,
            terms.taker_amount_u6,
            terms.timestamp_ms,
        )

    def _contents(
        self, salt: int, token: str, side: Side, maker_u6: int, taker_u6: int, stamp_ms: int
    ) -> bytes:
        """Hash the order's fields without any domain."""
        if not 0 < salt < 1 << SALT_BITS:
            raise HashError(f"expected a salt of 1 to 53 bits, was {salt}")
        if maker_u6 <= 0 or taker_u6 <= 0:
            raise HashError(f"expected amounts above zero, was {maker_u6} and {taker_u6}")
        amounts = word(maker_u6) + word(taker_u6)
        token_id = self._tokens.get(token) or self._token(token)
        return keccak256(
            _ORDER_HASH
            + word(salt)
            + self._who
            + token_id
            + amounts
            + self._sides[side]
            + word(stamp_ms)
            + self._tail
        )

    def _token(self, token: str) -> bytes:
        made = token_word(token)
        if len(self._tokens) >= _TOKENS_MAX:
            self._tokens.clear()
        self._tokens[token] = made
        return made

    def _domain_of(self, protocol: str, *, neg_risk: bool) -> bytes:
        """Choose the domain by the market's protocol and kind, never by its ids (§1)."""
        found = self._domains.get((protocol, neg_risk))
        if found is None:
            raise HashError(f"expected protocol v1 or v2, was {protocol[:80]!a}")
        return found


def _domain(version: int, chain: bytes, contract: str) -> bytes:
    version_hash = keccak256(str(version).encode())
    return keccak256(_DOMAIN_HASH + _EXCHANGE_NAME + version_hash + chain + address_word(contract))


@lru_cache(maxsize=8)
def hasher_of(identity: Identity) -> Hasher:
    """Return the hasher of an identity, made once."""
    return Hasher(identity)


def order_hash(terms: Terms, identity: Identity) -> str:
    """Name the order that the terms describe; their own `order_hash` is not looked at.

    Raises:
        HashError: as `Hasher.digest`.
    """
    return "0x" + hasher_of(identity).digest(terms).hex()


# --- the login -----------------------------------------------------------------------------------


def auth_digest(*, chain_id: int, address: str, timestamp_s: int, nonce: int) -> bytes:
    """Hash what a wallet signs to get its API key (level 1).

    Raises:
        HashError: the address is none, or a number is negative or too large.
    """
    domain = keccak256(
        _AUTH_DOMAIN_HASH + keccak256(b"ClobAuthDomain") + keccak256(b"1") + word(chain_id)
    )
    struct = keccak256(
        _AUTH_HASH
        + address_word(address)
        + keccak256(str(timestamp_s).encode())
        + word(nonce)
        + keccak256(CLOB_AUTH_MESSAGE.encode())
    )
    return keccak256(_PREFIX + domain + struct)
