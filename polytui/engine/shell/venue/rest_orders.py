"""Orders over REST: place, cancel, list, heartbeat (`venue/polymarket.md` §3.1 to §3.3)."""

from typing import Any, Final

from aiohttp import web
from msgspec import Struct
from msgspec.json import Decoder

from polytui.engine.shell.venue.keys import ApiKey
from polytui.engine.shell.venue.order_codec import (
    VERSION_MISMATCH,
    admit,
    placed,
    read_legs,
    read_order,
    refusal,
    refused_leg,
)
from polytui.engine.shell.venue.refused import BAD_ORDER, Refused
from polytui.engine.shell.venue.user_feed import order_record, trade_record
from polytui.engine.shell.venue.web_tools import Desk, paged, read_as, reply, whole
from polytui.engine.sim.exchange.api import CancelResult, OrderRequest, PlaceResult
from polytui.engine.sim.exchange.terms import VenueMode

ORDERS_PAGE: Final = 500
TRADES_PAGE: Final = 500
CURRENT_VERSION: Final = 2
"""Of orders; markets of protocol V2 take version 3 beside it."""
TIMED_OUT: Final = "order timed out"


class _CancelOne(Struct):
    orderID: str  # noqa: N815  the wire's own name


class _CancelMarket(Struct):
    market: str = ""
    asset_id: str = ""


class _Beat(Struct):
    heartbeat_id: str | None = ""


_one: Final = Decoder(_CancelOne)
_many: Final = Decoder(list[str])
_market: Final = Decoder(_CancelMarket)
_beat: Final = Decoder(_Beat)


class Orders(Desk):
    """The handlers."""

    def routes(self) -> list[web.RouteDef]:
        """List them."""
        return [
            web.post("/order", self.place),
            web.post("/orders", self.place_batch),
            web.delete("/order", self.cancel),
            web.delete("/orders", self.cancel_many),
            web.delete("/cancel-all", self.cancel_all),
            web.delete("/cancel-market-orders", self.cancel_market),
            web.get("/data/orders", self.list_orders),
            web.get("/data/order/{id}", self.one_order),
            web.get("/data/pre-migration-orders", self.no_orders),
            web.get("/data/trades", self.list_trades),
            web.post("/v1/heartbeats", self.heartbeat),
            web.get("/v1/user/rate-limit-tier", self.tier),
        ]

    # --- place -----------------------------------------------------------------------------------

    async def place(self, request: web.Request) -> web.StreamResponse:
        """Place one order."""
        venue = self.venue
        self._awake()
        key = await self.key(request)
        grant = venue.admit(key.address, 1, is_cancel=False)
        order = self._admit(await request.read(), key)
        if venue.happens(venue.switches.lost_order):
            raise Refused(500, TIMED_OUT)
        result = await venue.place(order)
        if result.error is not None:
            raise refusal(result.error)
        self._lose_reply(request)
        return reply(placed(result), headers=grant.headers(venue.switches.tier))

    def _awake(self) -> None:
        """Refuse everything while the matching engine restarts, before looking at it."""
        if self.venue.exchange.mode is VenueMode.RESTARTING:
            raise Refused(425, "Service not ready")

    def _lose_reply(self, request: web.Request) -> None:
        """Let the answer to a placed order be lost, when the fault says so."""
        switches = self.venue.switches
        if self.venue.happens(switches.lost_reply):
            raise Refused(500, TIMED_OUT)
        if self.venue.happens(switches.dropped_reply) and request.transport is not None:
            request.transport.abort()

    async def place_batch(self, request: web.Request) -> web.StreamResponse:
        """Place up to fifteen orders, each on its own merits."""
        venue = self.venue
        self._awake()
        key = await self.key(request)
        legs = read_legs(await request.read())
        limit = venue.exchange.settings.batch_max
        if len(legs) > limit:
            text = f"Too many orders in payload: {len(legs)}, max allowed: {limit}"
            raise Refused(400, text)
        if not legs:
            raise Refused(400, BAD_ORDER)
        grant = venue.admit(key.address, len(legs), is_cancel=False)
        if venue.happens(venue.switches.lost_order):
            raise Refused(500, TIMED_OUT)
        read = [self._leg(leg, key) for leg in legs]
        orders = [leg for leg in read if isinstance(leg, OrderRequest)]
        results = iter(await venue.place_batch(orders) if orders else [])
        answers = [self._answer(leg, results) for leg in read]
        self._lose_reply(request)
        return reply(answers, headers=grant.headers(venue.switches.tier))

    def _admit(self, data: Any, key: ApiKey) -> OrderRequest:
        """Prove an order; when the venue has moved to another version, none is right."""
        venue = self.venue
        body = read_order(data)
        if venue.switches.order_version != CURRENT_VERSION:
            raise Refused(400, VERSION_MISMATCH)
        return admit(body, key, venue.exchange, skew_s=venue.skew_s())

    def _leg(self, leg: Any, key: ApiKey) -> OrderRequest | Refused:
        try:
            return self._admit(leg, key)
        except Refused as refused:
            return refused

    def _answer(self, leg: OrderRequest | Refused, results: Any) -> dict[str, Any]:
        if isinstance(leg, Refused):
            return refused_leg(str(leg), is_success=self.venue.happens(0.5))
        result: PlaceResult = next(results)
        if result.error is not None:
            return refused_leg(result.error.text, is_success=self.venue.happens(0.5))
        return placed(result)

    # --- cancel ----------------------------------------------------------------------------------

    async def cancel(self, request: web.Request) -> web.StreamResponse:
        """Cancel one order."""
        key = await self._canceller(request)
        wanted = read_as(_one, await request.read(), text="Invalid orderID").orderID
        return self._cancelled(key, [wanted])

    async def cancel_many(self, request: web.Request) -> web.StreamResponse:
        """Cancel up to a thousand orders by id."""
        key = await self._canceller(request)
        return self._cancelled(key, read_as(_many, await request.read(), text=BAD_ORDER))

    def _cancelled(self, key: ApiKey, wanted: list[str]) -> web.StreamResponse:
        headers = self._pay(key, max(1, len(wanted)))
        return self._told(self.venue.exchange.cancel(key.key, wanted), headers)

    async def cancel_all(self, request: web.Request) -> web.StreamResponse:
        """Cancel everything of this key."""
        key = await self._canceller(request)
        count = len(self.venue.exchange.open_orders(owner=key.key))
        headers = self._pay(key, 1 + count)
        return self._told(self.venue.exchange.cancel_all(key.key), headers)

    async def cancel_market(self, request: web.Request) -> web.StreamResponse:
        """Cancel everything of this key in a market, on a token, or both."""
        key = await self._canceller(request)
        wish = read_as(_market, await request.read(), text=BAD_ORDER)
        if not (wish.market or wish.asset_id):
            raise Refused(400, BAD_ORDER)
        exchange = self.venue.exchange
        open_ = exchange.open_orders(owner=key.key, condition=wish.market, token=wish.asset_id)
        headers = self._pay(key, 1 + len(open_))
        result = exchange.cancel_market(key.key, condition=wish.market, token=wish.asset_id)
        return self._told(result, headers)

    async def _canceller(self, request: web.Request) -> ApiKey:
        self._awake()
        return await self.key(request)

    def _pay(self, key: ApiKey, cost: int) -> dict[str, str]:
        grant = self.venue.admit(key.address, cost, is_cancel=True)
        return grant.headers(self.venue.switches.tier)

    def _told(self, result: CancelResult, headers: dict[str, str]) -> web.StreamResponse:
        self.venue.flush()
        if result.error is not None:
            raise refusal(result.error)
        answer = {"canceled": result.canceled, "not_canceled": dict(result.not_canceled)}
        return reply(answer, headers=headers)

    # --- read ------------------------------------------------------------------------------------

    async def list_orders(self, request: web.Request) -> web.StreamResponse:
        """List active orders of this key."""
        key = await self.key(request)
        query = request.query
        orders = self.venue.exchange.open_orders(
            owner=key.key, condition=query.get("market", ""), token=query.get("asset_id", "")
        )
        wanted = query.get("id", "")
        skew_s = self.venue.skew_s()
        rows = [order_record(o, skew_s=skew_s) for o in orders if wanted in ("", o.order_id)]
        return reply(paged(rows, query.get("next_cursor", ""), ORDERS_PAGE))

    async def one_order(self, request: web.Request) -> web.StreamResponse:
        """Show one active order; anything else comes back empty (§3.2)."""
        key = await self.key(request)
        order = self.venue.exchange.order(request.match_info["id"])
        if order is None or order.owner != key.key:
            return reply(None)
        return reply(order_record(order, skew_s=self.venue.skew_s()))

    async def no_orders(self, request: web.Request) -> web.StreamResponse:
        """List the orders of before 2026-04-28: none."""
        await self.key(request)
        return reply(paged([], request.query.get("next_cursor", ""), ORDERS_PAGE))

    async def list_trades(self, request: web.Request) -> web.StreamResponse:
        """List trades that this key took part in, newest first."""
        key = await self.key(request)
        query = request.query
        skew_s = self.venue.skew_s()
        trades = self.venue.exchange.trades(
            owner=key.key,
            account=query.get("maker_address", "").lower(),
            trade_id=query.get("id", ""),
            condition=query.get("market", ""),
            token=query.get("asset_id", ""),
            before_s=whole(request, "before", default=0) - skew_s if "before" in query else None,
            after_s=whole(request, "after", default=0) - skew_s if "after" in query else None,
        )
        rows = [trade_record(trade, reader=key.key, skew_s=skew_s) for trade in trades]
        return reply(paged(rows, query.get("next_cursor", ""), TRADES_PAGE))

    # --- the rest --------------------------------------------------------------------------------

    async def heartbeat(self, request: web.Request) -> web.StreamResponse:
        """Take a beat; a wrong one is told which was expected (§3.3)."""
        key = await self.key(request)
        beat = read_as(_beat, await request.read())
        result = self.venue.exchange.heartbeat(key.key, beat.heartbeat_id or "")
        self.venue.flush()
        if result.error is None:
            self.venue.beating.add(key.key)
            return reply({"heartbeat_id": result.heartbeat_id})
        if result.error.http == 400:
            extra = {"heartbeat_id": result.heartbeat_id}
            raise Refused(400, result.error.text, extra=extra, key="error_msg")
        raise refusal(result.error)

    async def tier(self, request: web.Request) -> web.StreamResponse:
        """Say which buckets this signer has."""
        await self.key(request)
        return reply({"tier": self.venue.switches.tier})
