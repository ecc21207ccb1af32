"""The adapter at work against a served practice venue on a manual clock."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from msgspec.structs import replace

from polytui.engine.core import commands
from polytui.engine.core.account_events import OrderAnswered, OrderStaged
from polytui.engine.core.enums import Mode, Side
from polytui.engine.core.events import Event
from polytui.engine.core.order_enums import OrderState, OrderType, Realm
from polytui.engine.core.runconfig import VenueConfig
from polytui.engine.core.trading import Identity, Refusal, Terms
from polytui.engine.core.units import U
from polytui.engine.orders.hashing import Hasher
from polytui.engine.shell.polymarket.armed import Armed, arm
from polytui.engine.shell.polymarket.auth import Credentials
from polytui.engine.shell.polymarket.budgets import Budgets
from polytui.engine.shell.polymarket.client import VenueClient
from polytui.engine.shell.polymarket.port import DryRunPort, LivePort, Port
from polytui.engine.shell.polymarket.port_parts import Parts
from polytui.engine.shell.signer.frames import LoginSigned, SignResult
from polytui.engine.shell.venue.crypto import auth_digest, sign
from polytui.engine.sim.exchange.terms import MarketTerms
from polytui.engine.sim.faults import Switches
from tests.engine.shell.venue.rig import START_S, ZERO, Rig, Trader

E = TypeVar("E", bound=Event)
HOUR_NS = 3_600_000_000_000


def venue_config(base: str) -> VenueConfig:
    """Point everything at a served practice venue."""
    socket = base.replace("http", "ws", 1)
    return VenueConfig(
        clob=base,
        market_ws=f"{socket}/ws/market",
        user_ws=f"{socket}/ws/user",
        gamma=f"{base}/gamma",
        data=f"{base}/data-api",
        geoblock=f"{base}/site/api/geoblock",
    )


def identity_of(trader: Trader, config: VenueConfig) -> Identity:
    is_deposit = trader.signature_type == 3
    return Identity(
        maker=trader.wallet,
        signer=trader.wallet if is_deposit else trader.address,
        owner=trader.address,
        signature_type=trader.signature_type,
        chain_id=config.chain_id,
        exchange=config.exchange,
        neg_risk_exchange=config.neg_risk_exchange,
        exchange_v3=config.exchange_v3,
    )


class HandSigner:
    """Signs with a trader's key, as the signer's client does from another process."""

    def __init__(self, trader: Trader, hasher: Hasher) -> None:
        self._trader = trader
        self._hasher = hasher
        self.refuses: dict[str, str] = {}
        """Refusal texts by cid."""
        self.asked = 0

    async def sign(self, orders: Sequence[Terms]) -> list[SignResult]:
        self.asked += 1
        return [self._sign(terms) for terms in orders]

    def _sign(self, terms: Terms) -> SignResult:
        if terms.cid in self.refuses:
            return SignResult(cid=terms.cid, refusal=self.refuses[terms.cid])
        if terms.signature_type == 3:
            nested, tail = self._hasher.envelope(terms)
            inner = sign(self._trader.secret, nested)
            return SignResult(cid=terms.cid, signature=inner + tail.hex())
        digest = self._hasher.digest(terms)
        return SignResult(cid=terms.cid, signature=sign(self._trader.secret, digest))

    async def login(self, *, timestamp_s: int, nonce: int = 0) -> LoginSigned:
        digest = auth_digest(
            chain_id=137, address=self._trader.address, timestamp=str(timestamp_s), nonce=nonce
        )
        return LoginSigned(id=1, signature=sign(self._trader.secret, digest))


class Bench:
    """A port with everything around it, and what it said."""

    def __init__(self, rig: Rig, trader: Trader, *, base: str = "", timeout_s: float = 3.0) -> None:
        self.rig = rig
        self.trader = trader
        self.config = venue_config(base or rig.base)
        self.identity = identity_of(trader, self.config)
        self.hasher = Hasher(self.identity)
        self.signer = HandSigner(trader, self.hasher)
        self.said: list[Event] = []
        self.bugs: list[BaseException] = []
        self.refusals: dict[str, Refusal] = {}
        self.is_clear = True
        self.is_durable = True
        self.watch: Callable[[str], None] = lambda _cid: None
        """Called whenever the gate is asked."""
        self.client = VenueClient(self.config, clock=lambda: rig.at_ns, timeout_s=timeout_s)
        self.client.use(
            Credentials(
                address=trader.address,
                key=trader.creds["apiKey"],
                secret=trader.creds["secret"],
                passphrase=trader.creds["passphrase"],
            )
        )
        self.budgets = Budgets()
        self.parts = Parts(
            realm=Realm.LIVE,
            identity=self.identity,
            client=self.client,
            emit=self.said.append,
            journal=self._journal,
            signer=self.signer,
            gate=self._gate,
            latch_clear=lambda: self.is_clear,
            budgets=self.budgets,
            on_bug=self.bugs.append,
            order_timeout_s=timeout_s,
        )
        self.armed: Armed = arm(
            mode=Mode.LIVE_ARMED, now_ns=rig.at_ns, until_ns=rig.at_ns + HOUR_NS
        )
        self.port: Port = LivePort(self.parts, self.armed)
        self._numbers = itertools.count(1)

    def dry(self) -> None:
        """Use the port that cannot send."""
        self.port = DryRunPort(self.parts)

    async def _journal(self, cids: Sequence[str]) -> bool:
        return self.is_durable and bool(cids)

    def _gate(self, cid: str) -> Refusal | None:
        self.watch(cid)
        return self.refusals.get(cid)

    # --- asking ----------------------------------------------------------------------------------

    def terms(
        self,
        market: MarketTerms,
        *,
        side: Side = Side.BUY,
        px: int = 500_000,
        qty: int = 10 * U,
        ix: int = 0,
        order_type: OrderType = OrderType.GTC,
        post_only: bool = False,
    ) -> Terms:
        """Make an order as the order manager does, with its true hash."""
        n = next(self._numbers)
        cash = px * qty // U
        is_buy = side is Side.BUY
        terms = Terms(
            cid=f"run-1-{n}",
            order_hash="",
            salt=1_000 + n,
            maker=self.identity.maker,
            signer=self.identity.signer,
            signature_type=self.identity.signature_type,
            token=market.tokens[ix],
            side=side,
            maker_amount_u6=cash if is_buy else qty,
            taker_amount_u6=qty if is_buy else cash,
            timestamp_ms=START_S * 1_000,
            neg_risk=market.neg_risk,
            protocol=market.protocol,
            order_type=order_type,
            post_only=post_only,
            expiration_s=0,
            builder=ZERO,
            px_u6=px,
            qty_u6=qty,
        )
        return replace(terms, order_hash="0x" + self.hasher.digest(terms).hex())

    async def do(self, command: commands.PortCommand) -> list[Event]:
        """Carry out a command; return what was said because of it."""
        before = len(self.said)
        self.port.execute(command)
        await self.port.settled()
        return self.said[before:]

    async def place(self, *orders: Terms) -> list[OrderAnswered]:
        said = await self.do(commands.PlaceOrders(cause=1, realm=Realm.LIVE, orders=orders))
        return [event for event in said if isinstance(event, OrderAnswered)]

    async def ask(self, kind: type[E], command: commands.PortCommand) -> E:
        """Carry out a command and return its one answer of this kind."""
        (found,) = [event for event in await self.do(command) if isinstance(event, kind)]
        return found

    def stages(self, cid: str) -> list[OrderState]:
        """List how far an order got."""
        staged = [event for event in self.said if isinstance(event, OrderStaged)]
        return [event.stage for event in staged if cid in event.cids]

    def switch(self, **switches: Any) -> None:
        self.rig.venue.apply(Switches(**switches))

    async def close(self) -> None:
        await self.port.close()
        self.client.close()


def on_bench(
    test: Callable[[Bench], Awaitable[None]], *, signature_type: int = 0, **options: Any
) -> Callable[[], None]:
    """Run a test coroutine with a port against a fresh venue."""

    def run() -> None:
        async def main() -> None:
            async with Rig() as rig:
                trader = await rig.trader("ann", signature_type)
                bench = Bench(rig, trader, **options)
                try:
                    await test(bench)
                finally:
                    await bench.close()
                assert bench.bugs == []
                rig.exchange.audit()

        asyncio.run(main())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run
