"""What the signer proves at every start, before it says that it can sign.

The golden vectors of the venue reference §2, recomputed with both official clients, and a signature
of its own key recovered again. A library that was swapped or miscompiled fails here, not in the
market.
"""

from hashlib import sha256
from typing import Final

from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import OrderType
from polytui.engine.core.trading import Identity, Terms
from polytui.engine.orders.hashing import (
    DEPOSIT_WALLET,
    ZERO_32,
    Hasher,
    auth_digest,
    keccak256,
)
from polytui.engine.shell.signer.keys import WalletKey, recovered
from polytui.engine.shell.signer.policy import CONTRACTS

_DEV_KEY: Final = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
"""The development key that every Ethereum toolchain publishes: a test vector, never a wallet."""
_DEV_ADDRESS: Final = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
_DEPOSIT: Final = "0x2e234dae75c793f67a35089c9d99245e1c58470b"
_TOKEN: Final = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
_POSITION: Final = "755628523515574437047200361729489104556293277923091296010366019140627464192"
_IDS: Final = (
    ("v1", False, 0, "1718c172b382f1157b7741e8e3bf601c0e34733768a5f26e413e46dfc48b9ade"),
    ("v1", True, 0, "810a2c1f3e7331a798a58f651dbd1c3fc7b377f05b0efc1bc51be494df2a3006"),
    ("v2", False, 0, "946552161d1b42a5d8c4440281d2731c9feca53317cf65ab70707b43bc1e2a8f"),
    ("v1", False, 3, "954d8761b08dc74fd4bb62a131a333c7634e223268bd90312b82c0ac5383e787"),
)
"""Protocol, NegRisk, signature type, id."""
_SIGNATURE: Final = (
    "5b96e4519c4422f9e85d4b87f79817be7d945354b6b216ef815a7b9d02466d0f"
    "61a14ab4526ad4b604876c21f97fa8bf50035a325d8f82c302416f9355935df11c"
)
_ENVELOPE_SHA256: Final = "1141633d63f6e478d48f230026bac348cd213b525c5cd1636b7f4343c5ebd533"
_LOGIN: Final = (
    "131287b4c69ecd9feae81d310e724dea7c5d98c1d38f1d5fe4d2b730a33022fa"
    "3bd648a56e1e3b8e51a49d8eb86b5201a8ee4b1de4ad356d47ef393c12d8a8c91c"
)


def vectors_fault() -> str:
    """Recompute the golden vectors; name the first that differs, empty when none does."""
    key = WalletKey(bytes.fromhex(_DEV_KEY))
    for protocol, neg_risk, kind, expected in _IDS:
        hasher, terms = _golden(protocol, kind, neg_risk=neg_risk)
        if hasher.digest(terms).hex() != expected:
            return f"the id of the golden order {protocol}, NegRisk {neg_risk}, type {kind}"
    hasher, terms = _golden("v1", 0, neg_risk=False)
    if key.sign(hasher.digest(terms)).hex() != _SIGNATURE:
        return "the signature of the golden order"
    hasher, terms = _golden("v1", DEPOSIT_WALLET, neg_risk=False)
    digest, tail = hasher.envelope(terms)
    if sha256(key.sign(digest) + tail).hexdigest() != _ENVELOPE_SHA256:
        return "the envelope of the golden deposit-wallet order"
    login = auth_digest(chain_id=137, address=_DEV_ADDRESS, timestamp_s=1_790_000_000, nonce=0)
    if key.sign(login).hex() != _LOGIN:
        return "the golden login"
    return ""


def key_fault(key: WalletKey) -> str:
    """Sign with the session's key and recover its address; empty when it comes back."""
    digest = keccak256(b"polytui signer self-test " + key.address.encode())
    if recovered(digest, key.sign(digest)) != key.address:
        return "a signature of this key does not lead back to its address"
    return ""


def _golden(protocol: str, kind: int, *, neg_risk: bool) -> tuple[Hasher, Terms]:
    exchange, neg_risk_exchange, exchange_v3 = CONTRACTS[137]
    maker = _DEPOSIT if kind == DEPOSIT_WALLET else _DEV_ADDRESS
    identity = Identity(
        maker=maker,
        signer=maker,
        owner=_DEV_ADDRESS,
        signature_type=kind,
        chain_id=137,
        exchange=exchange,
        neg_risk_exchange=neg_risk_exchange,
        exchange_v3=exchange_v3,
    )
    terms = Terms(
        cid="golden",
        order_hash="",
        salt=479249096354,
        maker=maker,
        signer=maker,
        signature_type=kind,
        token=_POSITION if protocol == "v2" else _TOKEN,
        side=Side.BUY,
        maker_amount_u6=5_200_000,
        taker_amount_u6=10_000_000,
        timestamp_ms=1_790_000_000_000,
        neg_risk=neg_risk,
        protocol=protocol,
        order_type=OrderType.GTC,
        post_only=False,
        expiration_s=0,
        builder=ZERO_32,
        px_u6=520_000,
        qty_u6=10_000_000,
    )
    return Hasher(identity), terms
