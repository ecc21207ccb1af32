"""Where the venue is: addresses that are safe to speak to, and nothing else.

TLS is verified by the system's authorities and never given up: plain `http` and `ws` are lawful
for loopback addresses only, so that a mistyped, redirected or poisoned address fails closed (C18).
"""

import ssl
from functools import cache
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.core.runconfig import VenueConfig

_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_TLS: Final = frozenset({"https", "wss"})


class Origin(Struct, frozen=True, kw_only=True):
    """One server, as requests name it."""

    host: str
    port: int
    tls: bool
    prefix: str = ""
    """What stands before every path; empty at the venue itself."""
    authority: str
    """The `Host` header."""


def parse(url: str) -> Origin:
    """Read the address of a server.

    Raises:
        OperatorError: no address, another scheme, credentials or a query in it, or a plain one
            that is not loopback.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise OperatorError(f"expected the address of a server, was {shown(url)}") from None
    if parts.scheme not in _PORTS or not host or not host.isascii():
        raise OperatorError(f"expected an address with https or wss, was {shown(url)}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise OperatorError(f"expected an address without login or query, for host {shown(host)}")
    if parts.scheme not in _TLS and not is_loopback(host):
        raise OperatorError(f"expected TLS (https or wss) for {shown(host)}: plain is for loopback")
    if not parts.path.isascii() or any(char <= " " for char in parts.path):
        raise OperatorError(f"expected a plain path, was {shown(parts.path)}")
    return Origin(
        host=host,
        port=port or _PORTS[parts.scheme],
        tls=parts.scheme in _TLS,
        prefix=parts.path.rstrip("/"),
        authority=parts.netloc,
    )


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, by its name or its address, without asking anybody."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@cache
def tls_context() -> ssl.SSLContext:
    """Make the one way to verify a server: system authorities, host name, TLS 1.2 or later."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED, "expected certificates to be verified"
    assert context.check_hostname, "expected host names to be verified"
    return context


def check(config: VenueConfig) -> None:
    """Refuse a configuration with an address that must not be spoken to.

    Raises:
        OperatorError: names the address and what is wrong with it.
    """
    for url in (config.clob, config.market_ws, config.user_ws, config.gamma, config.data):
        parse(url)
    if config.geoblock:
        parse(config.geoblock)
    elif config.kind == "polymarket":
        raise OperatorError("expected `venue.geoblock` to be set: the venue asks where you are")
