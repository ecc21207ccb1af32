"""A served practice venue on a manual clock, and wallets that sign as real ones do."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from hashlib import sha256
from typing import Any, Self

import aiohttp
from msgspec.json import decode, encode
from msgspec.structs import replace

from polytui.engine.core.events import FeeSchedule
from polytui.engine.core.rng import Rng
from polytui.engine.core.units import U
from polytui.engine.shell.venue.crypto import (
    address_of,
    auth_digest,
    checksum,
    request_signature,
    secret_key,
    sign,
)
from polytui.engine.shell.venue.orders import (
    POLY_1271,
    Domain,
    SignedOrder,
    domain_of,
    nested_digest,
    nested_signature,
    order_digest,
    order_id,
)
from polytui.engine.shell.venue.server import Server, make_app
from polytui.engine.shell.venue.venue import Venue
from polytui.engine.shell.venue.wallets import wallets_of
from polytui.engine.sim.exchange.exchange import Exchange
from polytui.engine.sim.exchange.terms import GroupTerms, MarketTerms, RewardTerms, Settings

START_NS = 1_790_000_000_000_000_000
START_S = START_NS // 1_000_000_000
ZERO = "0x" + "0" * 64
Answer = tuple[int, Any, Any]
"""Status, body, headers."""


def digest_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def market(slug: str, **terms: Any) -> MarketTerms:
    """Name a market and its ids after a slug."""
    base = MarketTerms(
        condition="0x" + digest_of(slug),
        tokens=(str(int(digest_of(slug + "0"), 16)), str(int(digest_of(slug + "1"), 16))),
        question=f"Will {slug}?",
        slug=slug,
        gamma_id=str(int(digest_of(slug)[:6], 16)),
        group="g-" + slug,
        start_ns=START_NS,
        end_ns=START_NS + 86_400 * 1_000_000_000,
    )
    return replace(base, **terms)


POSITION = int("01" + digest_of("third")[:36] + "0" * 26, 16)

PLAIN = market(
    "plain",
    fees=FeeSchedule(rate_u6=40_000, rebate_u6=250_000),
    fee_type="politics_fees",
    rewards=RewardTerms(pool_day_u6=25 * U),
    tags=("politics",),
)
NEG = market("neg", neg_risk=True, group="g-neg")
HELD = market("held", itode=True)
SPORT = market("sport", seconds_delay=1)
THIRD = market(
    "third",
    protocol="v2",
    condition="0x" + f"{POSITION:064x}"[:62],
    tokens=(str(POSITION), str(POSITION + 1)),
)
MARKETS = (PLAIN, NEG, HELD, SPORT, THIRD)


class Trader:
    """A wallet's owner with its key, signing for any of its wallets."""

    def __init__(self, name: str, signature_type: int = 0) -> None:
        self.secret = secret_key(name.encode())
        self.address = address_of(self.secret)
        self.signature_type = signature_type
        self.wallet = wallets_of(self.address).of_type(signature_type)[0]
        self.creds: dict[str, str] = {}
        self._salt = 0

    def wallet_headers(self, *, nonce: int = 0, stamp: int = START_S) -> dict[str, str]:
        digest = auth_digest(chain_id=137, address=self.address, timestamp=str(stamp), nonce=nonce)
        return {
            "POLY_ADDRESS": checksum(self.address),
            "POLY_SIGNATURE": sign(self.secret, digest),
            "POLY_TIMESTAMP": str(stamp),
            "POLY_NONCE": str(nonce),
        }

    def headers(
        self, method: str, path: str, body: bytes = b"", *, stamp: int = START_S
    ) -> dict[str, str]:
        signature = request_signature(
            self.creds["secret"], timestamp=str(stamp), method=method, path=path, body=body
        )
        return {
            "POLY_ADDRESS": checksum(self.address),
            "POLY_SIGNATURE": signature,
            "POLY_TIMESTAMP": str(stamp),
            "POLY_API_KEY": self.creds["apiKey"],
            "POLY_PASSPHRASE": self.creds["passphrase"],
        }

    def order(
        self,
        terms: MarketTerms,
        *,
        side: str = "BUY",
        px: int = 500_000,
        qty: int = 10 * U,
        ix: int = 0,
        domain: Domain | None = None,
        **changes: Any,
    ) -> SignedOrder:
        """Sign an order at a price for a number of shares, both in micro-units."""
        self._salt += 1
        is_sell = side == "SELL"
        cash = px * qty // U
        is_deposit = self.signature_type == POLY_1271
        order = SignedOrder(
            salt=self._salt,
            maker=checksum(self.wallet),
            signer=checksum(self.wallet if is_deposit else self.address),
            token=int(terms.tokens[ix]),
            maker_amount=qty if is_sell else cash,
            taker_amount=cash if is_sell else qty,
            is_sell=is_sell,
            signature_type=self.signature_type,
            timestamp_ms=START_S * 1_000,
            metadata=ZERO,
            builder=ZERO,
            signature="0x",
        )
        order = replace(order, **changes)
        domain = domain or domain_of(version=terms.protocol, neg_risk=terms.neg_risk)
        if not is_deposit:
            return replace(order, signature=sign(self.secret, order_digest(order, domain)))
        inner = sign(self.secret, nested_digest(order, domain))
        return replace(order, signature=nested_signature(order, domain, inner))

    def body(self, order: SignedOrder, kind: str = "GTC", **members: Any) -> dict[str, Any]:
        """Write an order as `POST /order` takes it."""
        fields = {
            "salt": order.salt,
            "maker": order.maker,
            "signer": order.signer,
            "tokenId": str(order.token),
            "makerAmount": str(order.maker_amount),
            "takerAmount": str(order.taker_amount),
            "side": "SELL" if order.is_sell else "BUY",
            "expiration": "0",
            "signatureType": order.signature_type,
            "timestamp": str(order.timestamp_ms),
            "metadata": order.metadata,
            "builder": order.builder,
            "signature": order.signature,
        }
        fields |= {name: members.pop(name) for name in tuple(members) if name in fields}
        return {
            "deferExec": False,
            "order": fields,
            "orderType": kind,
            "owner": self.creds["apiKey"],
        } | members


def id_of(order: SignedOrder, terms: MarketTerms) -> str:
    return order_id(order, domain_of(version=terms.protocol, neg_risk=terms.neg_risk))


class Stream:
    """A client's end of a stream."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def raw(self) -> str:
        return str(await self.socket.receive_str(timeout=2))

    async def next(self) -> Any:
        return decode(await self.raw())

    async def ping(self) -> list[Any]:
        """Send PING; return what came before the PONG, each frame decoded."""
        await self.socket.send_str("PING")
        found = []
        while (text := await self.raw()) != "PONG":
            found.append(decode(text))
        return found


class Rig:
    """The served venue."""

    def __init__(self, settings: Settings | None = None, *, seed: int = 7) -> None:
        self.exchange = Exchange(rng=Rng(seed), start_ns=START_NS, settings=settings)
        self.at_ns = START_NS
        self.venue = Venue(self.exchange, seed=seed, clock=lambda: self.at_ns)
        for terms in MARKETS:
            group = GroupTerms(
                id=terms.group, slug=terms.slug, title=terms.question, neg_risk=terms.neg_risk
            )
            self.exchange.list_group(group)
            self.exchange.list_market(terms)
        self.server = Server(make_app(self.venue), host="127.0.0.1", port=0)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self.server.start()
        self._stack.push_async_callback(self.server.close)
        self.http = await self._stack.enter_async_context(aiohttp.ClientSession())
        self.base = f"http://{self.server.base}"
        self.venue.touch()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def pass_time(self, ms: int) -> None:
        """Let virtual time pass, and the sockets have their turn."""
        self.at_ns += ms * 1_000_000
        self.venue.touch()
        await asyncio.sleep(0)

    async def call(
        self, method: str, path: str, *, body: Any = None, headers: Any = None, query: Any = None
    ) -> Answer:
        data = body if isinstance(body, bytes | None) else encode(body)
        async with self.http.request(
            method, self.base + path, data=data, headers=headers, params=query
        ) as answer:
            raw = await answer.read()
            value = decode(raw) if raw.startswith((b"{", b"[", b'"', b"n", b"t", b"f")) else raw
            if raw.isdigit():
                value = int(raw)
            return answer.status, value, answer.headers

    async def ask(
        self, trader: Trader, method: str, path: str, body: Any = None, query: Any = None
    ) -> Answer:
        """Make a private request."""
        data = b"" if body is None else encode(body)
        stamp = self.venue.now_s()
        headers = trader.headers(method, path, data, stamp=stamp)
        return await self.call(method, path, body=data or None, headers=headers, query=query)

    async def trader(self, name: str, signature_type: int = 0, *, cash: int = 10_000 * U) -> Trader:
        """Make a funded trader with an API key."""
        trader = Trader(name, signature_type)
        headers = trader.wallet_headers(stamp=self.venue.now_s())
        status, creds, _ = await self.call("POST", "/auth/api-key", headers=headers)
        assert status == 200, creds
        trader.creds = creds
        self.exchange.deposit(trader.wallet, cash)
        return trader

    async def listen(self, channel: str, wish: dict[str, Any]) -> "Stream":
        """Open a stream and send the first message."""
        socket = await self.http.ws_connect(f"{self.base}/ws/{channel}", max_msg_size=0)
        self._stack.push_async_callback(socket.close)
        await socket.send_str(encode(wish).decode())
        return Stream(socket)

    async def hear_market(self, *tokens: str, custom: bool = False) -> "Stream":
        return await self.listen(
            "market",
            {"type": "market", "assets_ids": list(tokens), "custom_feature_enabled": custom},
        )

    async def hear_user(self, trader: Trader, *markets: str) -> "Stream":
        creds = {name: trader.creds[name] for name in ("apiKey", "secret", "passphrase")}
        stream = await self.listen(
            "user", {"type": "user", "auth": creds, "markets": list(markets)}
        )
        assert await stream.ping() == []
        return stream

    async def post(
        self, trader: Trader, order: SignedOrder, kind: str = "GTC", **members: Any
    ) -> Answer:
        return await self.ask(trader, "POST", "/order", trader.body(order, kind, **members))

    async def rest(self, trader: Trader, terms: MarketTerms, **order: Any) -> str:
        """Place an order that rests; return its id."""
        signed = trader.order(terms, **order)
        status, answer, _ = await self.post(trader, signed)
        assert (status, answer["status"]) == (200, "live"), answer
        return str(answer["orderID"])

    async def stock(self, trader: Trader, terms: MarketTerms, amount: int = 1_000 * U) -> None:
        """Give a trader both tokens of a market."""
        self.exchange.split(trader.wallet, terms.condition, amount)


def on_venue(test: Callable[[Rig], Awaitable[None]]) -> Callable[[], None]:
    """Run a test coroutine against a fresh venue."""

    def run() -> None:
        async def main() -> None:
            async with Rig() as rig:
                await test(rig)
                rig.exchange.audit()

        asyncio.run(main())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run
