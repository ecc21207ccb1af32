"""The requests that change something: orders in, orders out, the heartbeat.

Two classes, because their rights differ: `Cancelling` needs an API key, `Placing` besides it an
`Armed`. Neither retries an order. A cancel may be sent twice: cancelling what is gone is harmless.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from msgspec import Struct
from msgspec.json import encode

from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import SendOutcome, VenueCode
from polytui.engine.core.trading import Terms
from polytui.engine.shell.clock import read_mono_ns
from polytui.engine.shell.polymarket.answers import read_beat, read_cancelled
from polytui.engine.shell.polymarket.armed import Armed
from polytui.engine.shell.polymarket.auth import Credentials, checksum
from polytui.engine.shell.polymarket.codes import Complaint, read_complaint, verdict
from polytui.engine.shell.polymarket.hosts import Origin
from polytui.engine.shell.polymarket.http import HttpClient, NoAnswer, NotSent, Reply, Wire

BATCH_MAX: Final = 15
"""Orders of one request (§3.1)."""
CANCEL_MAX: Final = 1_000
"""Hashes of one `DELETE /orders` since 2026-06-15 (§3.1)."""
CANCEL_S: Final = 3.0


class _Fields(Struct, gc=False):
    salt: int
    maker: str
    signer: str
    tokenId: str  # noqa: N815  the wire's own name
    makerAmount: str  # noqa: N815  the wire's own name
    takerAmount: str  # noqa: N815  the wire's own name
    side: str
    expiration: str
    signatureType: int  # noqa: N815  the wire's own name
    timestamp: str
    metadata: str
    builder: str
    signature: str


class _Body(Struct, gc=False):
    deferExec: bool  # noqa: N815  the wire's own name
    order: _Fields
    orderType: str  # noqa: N815  the wire's own name
    owner: str
    postOnly: bool  # noqa: N815  the wire's own name


def order_body(terms: Terms, signature: str, *, owner: str) -> bytes:
    """Write one order as the venue wants it: compact, salt a number, amounts texts (§3.1)."""
    return encode(
        _Body(
            deferExec=False,
            order=_Fields(
                salt=terms.salt,
                maker=checksum(terms.maker),
                signer=checksum(terms.signer),
                tokenId=terms.token,
                makerAmount=str(terms.maker_amount_u6),
                takerAmount=str(terms.taker_amount_u6),
                side="BUY" if terms.side is Side.BUY else "SELL",
                expiration=str(terms.expiration_s),
                signatureType=terms.signature_type,
                timestamp=str(terms.timestamp_ms),
                metadata=terms.metadata,
                builder=terms.builder,
                signature=signature,
            ),
            orderType=terms.order_type.value,
            owner=owner,
            postOnly=terms.post_only,
        )
    )


class Placing:
    """Orders in. It can be made only with an `Armed`, and writes nothing once that has ended."""

    def __init__(self, armed: Armed, origin: Origin, credentials: Credentials) -> None:
        """Speak to this server with this key."""
        assert isinstance(armed, Armed), f"expected an Armed, was {type(armed).__name__}"
        self._armed = armed
        self._credentials = credentials
        self._http = HttpClient(origin)

    def body(self, terms: Terms, signature: str) -> bytes:
        """Write an order's body under this key."""
        return order_body(terms, signature, owner=self._credentials.key)

    def request(self, bodies: Sequence[bytes], *, stamp_s: int) -> bytes:
        """Write the whole request for one order, or for a batch."""
        assert 0 < len(bodies) <= BATCH_MAX, f"expected 1 to {BATCH_MAX}, was {len(bodies)}"
        path = "/order" if len(bodies) == 1 else "/orders"
        body = bodies[0] if len(bodies) == 1 else b"[" + b",".join(bodies) + b"]"
        signed = self._http.origin.prefix + path
        headers = self._credentials.headers("POST", signed, body, stamp_s=stamp_s)
        return self._http.request("POST", path, headers=headers, body=body)

    @asynccontextmanager
    async def lease(self, timeout_s: float) -> AsyncIterator[Wire]:
        """Have a connection at hand, so that nothing is waited for between gate and writing.

        Raises:
            NotSent: there is none to be had in time.
        """
        async with self._http.lease(timeout_s) as wire:
            yield wire

    def write(self, wire: Wire, request: bytes, *, now_ns: int) -> int:
        """Let a request leave; return the monotonic time of it.

        Raises:
            NotSent: the arming has ended, or the connection has.
        """
        if not self._armed.is_good(now_ns):
            raise NotSent("the arming has ended")
        return wire.write(request)

    def close(self) -> None:
        """Hang up."""
        self._http.close()


class CancelReply(Struct, frozen=True, kw_only=True, gc=False):
    """What became of a cancel."""

    outcome: SendOutcome
    canceled: tuple[str, ...] = ()
    not_canceled: tuple[tuple[str, str], ...] = ()
    code: VenueCode = VenueCode.NONE
    http: int = 0
    retry_after_s: int = 0
    took_ns: int = 0
    text: str = ""
    headers: dict[str, str] = {}


class BeatReply(Struct, frozen=True, kw_only=True, gc=False):
    """What became of a heartbeat."""

    ok: bool
    heartbeat_id: str = ""
    """The id to send next; with a wrong one, the id that the venue expects."""
    code: VenueCode = VenueCode.NONE
    why: str = ""


class Cancelling:
    """Orders out, on connections that no order waits for.

    CANCEL ALL and the heartbeat share two more of their own: beats keep them warm, so that a kill
    pays for no handshake.
    """

    def __init__(
        self, origin: Origin, credentials: Credentials, *, timeout_s: float = CANCEL_S
    ) -> None:
        """Speak to this server with this key."""
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._http = HttpClient(origin, connections_max=4)
        self._urgent = HttpClient(origin, connections_max=3)

    async def several(self, hashes: Sequence[str], *, stamp_s: int) -> CancelReply:
        """Cancel by hash, `CANCEL_MAX` at most."""
        assert 0 < len(hashes) <= CANCEL_MAX, f"expected 1 to {CANCEL_MAX}, was {len(hashes)}"
        if len(hashes) == 1:
            body = encode({"orderID": hashes[0]})
            return await self._cancel(self._http, "/order", body, stamp_s)
        return await self._cancel(self._http, "/orders", encode(list(hashes)), stamp_s)

    async def market(self, market: str, token: str, *, stamp_s: int) -> CancelReply:
        """Cancel everything in a market, or on one token of it."""
        wish = {"market": market, "asset_id": token}
        body = encode({name: value for name, value in wish.items() if value})
        return await self._cancel(self._http, "/cancel-market-orders", body, stamp_s)

    async def everything(self, *, stamp_s: int) -> CancelReply:
        """Cancel everything of this key."""
        return await self._cancel(self._urgent, "/cancel-all", b"", stamp_s)

    async def _cancel(self, http: HttpClient, path: str, body: bytes, stamp_s: int) -> CancelReply:
        begun_ns = read_mono_ns()
        reply = await self._ask(http, "DELETE", path, body, stamp_s)
        took_ns = read_mono_ns() - begun_ns
        if not isinstance(reply, Reply):
            return CancelReply(outcome=reply[0], text=reply[1], took_ns=took_ns)
        if reply.status != 200:
            complaint = read_complaint(reply.status, reply.headers, reply.body)
            return _refused(reply, complaint, took_ns)
        found = read_cancelled(reply.body)
        return CancelReply(
            outcome=SendOutcome.UNKNOWN if found is None else SendOutcome.ACCEPTED,
            canceled=found.canceled if found else (),
            not_canceled=found.not_canceled if found else (),
            http=200,
            took_ns=took_ns,
            headers=reply.headers,
        )

    async def beat(self, heartbeat_id: str, *, stamp_s: int) -> BeatReply:
        """Send a heartbeat with the id that the venue gave last, empty for the first (§3.3)."""
        body = encode({"heartbeat_id": heartbeat_id})
        reply = await self._ask(self._urgent, "POST", "/v1/heartbeats", body, stamp_s)
        if not isinstance(reply, Reply):
            return BeatReply(ok=False, why=reply[1])
        following = read_beat(reply.body)
        if reply.status == 200 and following:
            return BeatReply(ok=True, heartbeat_id=following)
        complaint = read_complaint(reply.status, reply.headers, reply.body)
        why = complaint.text or f"HTTP {reply.status} without a heartbeat id"
        return BeatReply(ok=False, heartbeat_id=following, code=complaint.code, why=why)

    async def _ask(
        self, http: HttpClient, method: str, path: str, body: bytes, stamp_s: int
    ) -> Reply | tuple[SendOutcome, str]:
        signed = http.origin.prefix + path
        headers = self._credentials.headers(method, signed, body, stamp_s=stamp_s)
        request = http.request(method, path, headers=headers, body=body)
        try:
            is_safe = method == "DELETE"
            return await http.ask(request, timeout_s=self._timeout_s, again=is_safe)
        except NotSent as error:
            return SendOutcome.NOT_SENT, str(error)
        except NoAnswer as error:
            return SendOutcome.UNKNOWN, str(error)

    def close(self) -> None:
        """Hang up."""
        self._http.close()
        self._urgent.close()


def _refused(reply: Reply, complaint: Complaint, took_ns: int) -> CancelReply:
    return CancelReply(
        outcome=verdict(reply.status, complaint),
        code=complaint.code,
        http=reply.status,
        retry_after_s=complaint.retry_after_s,
        took_ns=took_ns,
        text=complaint.text,
        headers=reply.headers,
    )
