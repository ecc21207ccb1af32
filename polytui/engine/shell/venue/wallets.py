"""Which wallet belongs to which key: the addresses a factory would deploy for an owner.

The official clients derive a wallet's kind from its address, so the practice venue's funded wallets
live at the true addresses (CREATE2). Source: polymarket-client 0.14.0 `_internal/wallet.py`.
"""

from functools import lru_cache
from typing import Final

from msgspec import Struct

from polytui.engine.shell.venue.crypto import address_bytes, address_word, keccak256
from polytui.engine.shell.venue.orders import EOA, POLY_1271, POLY_GNOSIS_SAFE, POLY_PROXY

_PROXY_FACTORY: Final = "0xab45c5a4b0c941a2f231c04c3f49182e1a254052"
_PROXY_CODE: Final = (
    "0x44e999d5c2f66ef0861317f9a4805ac2e90aeb4f",
    "3d3d606380380380913d393d73",
    "5af4602a57600080fd5b602d8060366000396000f3363d3d373d3d3d363d73",
    "5af43d82803e903d91602b57fd5bf352e831dd" + "20".rjust(64, "0") + "0" * 64,
)
"""Implementation, and the code around factory and implementation."""

_SAFE_FACTORY: Final = "0xaacfeea03eb1561c4e67d661e40682bd20e3541b"
_SAFE_CODE_HASH: Final = "2bce2127ff07fb632d16c8347c4ebf501f4841168bed00d9e6ef715ddb6fcecf"

_DEPOSIT_FACTORY: Final = "0x00000000000fb5c9adea0298d729a0cb3823cc07"
_DEPOSIT_PLAIN: Final = (
    0x61003D3D8160233D3973,
    "0x58ca52ebe0dadfdf531cde7062e76746de4db1eb",
    (
        "60095155f3363d3d373d3d363d7f360894a13ba1a3210667c828492db98dca3e2076"
        "cc3735a920a3ca505d382bbc545af43d6000803e6038573d6000fd5b3d6000f3"
    ),
)
_DEPOSIT_BEACON: Final = (
    0x6100523D8160233D3973,
    "0x7a18edfe055488a3128f01f563e5b479d92ffc3a",
    (
        "60195155f3363d3d373d3d363d602036600436635c60da"
        "1b60e01b36527fa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6c"
        "b3582b35133d50545afa5036515af43d6000803e604d573d6000fd5b3d6000f3"
    ),
)
"""Head, implementation or beacon, and the code after it; the plain form came first."""


class Wallets(Struct, frozen=True, kw_only=True):
    """Every wallet of one owner."""

    eoa: str
    proxy: str
    safe: str
    deposit: str
    """What the factory deploys now."""
    deposit_plain: str
    """What it deployed before the beacon."""

    def of_type(self, signature_type: int) -> tuple[str, ...]:
        """List the makers for whom the owner may sign with this type."""
        return {
            EOA: (self.eoa,),
            POLY_PROXY: (self.proxy,),
            POLY_GNOSIS_SAFE: (self.safe,),
            POLY_1271: (self.deposit, self.deposit_plain),
        }.get(signature_type, ())

    def all(self) -> tuple[str, ...]:
        """List every wallet."""
        return (self.eoa, self.proxy, self.safe, self.deposit, self.deposit_plain)


@lru_cache(maxsize=4096)
def wallets_of(owner: str) -> Wallets:
    """Derive the wallets of an owner's key."""
    return Wallets(
        eoa="0x" + address_bytes(owner).hex(),
        proxy=_proxy(owner),
        safe=_create2(
            _SAFE_FACTORY,
            salt=keccak256(address_word(owner)),
            code_hash=bytes.fromhex(_SAFE_CODE_HASH),
        ),
        deposit=_deposit(owner, _DEPOSIT_BEACON),
        deposit_plain=_deposit(owner, _DEPOSIT_PLAIN),
    )


def _proxy(owner: str) -> str:
    implementation, head, middle, tail = _PROXY_CODE
    code = head + _PROXY_FACTORY[2:] + middle + implementation[2:] + tail
    return _create2(
        _PROXY_FACTORY,
        salt=keccak256(address_bytes(owner)),
        code_hash=keccak256(bytes.fromhex(code)),
    )


def _deposit(owner: str, form: tuple[int, str, str]) -> str:
    head, target, tail = form
    arguments = address_word(_DEPOSIT_FACTORY) + address_word(owner)
    code = (
        (head + (len(arguments) << 56)).to_bytes(10, "big")
        + address_bytes(target)
        + bytes.fromhex(tail)
        + arguments
    )
    return _create2(_DEPOSIT_FACTORY, salt=keccak256(arguments), code_hash=keccak256(code))


def _create2(factory: str, *, salt: bytes, code_hash: bytes) -> str:
    return "0x" + keccak256(b"\xff" + address_bytes(factory) + salt + code_hash)[12:].hex()
