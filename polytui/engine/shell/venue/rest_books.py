"""Public reads of the CLOB: books, prices, market parameters (`venue/polymarket.md` §3.2)."""

from collections.abc import Callable
from typing import Any, Final

from aiohttp import web
from msgspec import Struct
from msgspec.json import Decoder

from polytui.engine.core.enums import Side
from polytui.engine.core.units import U
from polytui.engine.shell.venue.gamma_records import clob_market, simplified_market
from polytui.engine.shell.venue.refused import Refused
from polytui.engine.shell.venue.user_feed import side_text
from polytui.engine.shell.venue.web_tools import Desk, paged, read_as, reply, reply_text, whole
from polytui.engine.sim.venue_books import WireBook, decimal
from polytui.engine.sim.venue_frames import rest_book

MARKETS_PAGE: Final = 500
LEGACY_BASE_FEE: Final = 1_000
"""What `/fee-rate` answers for fee markets; meaningless since V2 (§3.2)."""


class _Ask(Struct):
    token_id: str
    side: str = ""


_asks: Final = Decoder(list[_Ask])


class Books(Desk):
    """The handlers."""

    def routes(self) -> list[web.RouteDef]:
        """List them."""
        return [
            web.get("/", self.fine),
            web.get("/ok", self.fine),
            web.get("/time", self.time),
            web.get("/version", self.version),
            web.get("/book", self.one),
            web.post("/books", self.several),
            web.get("/price", self.one_of(self._price)),
            web.post("/prices", self.prices),
            web.get("/midpoint", self.one_of(lambda book, ix, _: {"mid": _mid(book, ix)})),
            web.post("/midpoints", self.several_of(_mid)),
            web.get("/spread", self.one_of(lambda book, ix, _: {"spread": _spread(book, ix)})),
            web.post("/spreads", self.several_of(_spread)),
            web.get("/last-trade-price", self.last_trade),
            web.post("/last-trades-prices", self.last_trades),
            web.get("/tick-size", self.one_of(self._tick)),
            web.get("/neg-risk", self.one_of(lambda book, *_: {"neg_risk": book.neg_risk})),
            web.get("/fee-rate", self.one_of(self._fee_rate)),
            web.get("/fees/builder-fees/{code}", self.no_builder),
            web.get("/markets-by-token/{token}", self.market_by_token),
            web.get("/clob-markets/{condition}", self.clob_market),
            web.get("/prices-history", self.history),
            *(web.get(path, self.list_markets) for path in _LISTS),
            web.get("/markets/{condition}", self.one_market),
            web.get("/markets/live-activity/{condition}", self.live_activity),
        ]

    async def fine(self, _request: web.Request) -> web.StreamResponse:
        """Say that the venue is up."""
        return reply("OK")

    async def time(self, _request: web.Request) -> web.StreamResponse:
        """Say what time it is."""
        return reply(self.venue.now_s())

    async def version(self, _request: web.Request) -> web.StreamResponse:
        """Say which order version is current."""
        return reply({"version": self.venue.switches.order_version})

    # --- books -----------------------------------------------------------------------------------

    def _text(self, book: WireBook, ix: int) -> str:
        """Write a book; a ghost is what REST sometimes shows instead (py-clob-client issue 180)."""
        if book.condition in self.venue.switches.ghost_markets:
            book = _ghost(book)
        return rest_book(book, ix).decode()

    async def one(self, request: web.Request) -> web.StreamResponse:
        """Show a book."""
        return reply_text(self._text(*self.book(request)))

    async def several(self, request: web.Request) -> web.StreamResponse:
        """Show several; tokens without a book are left out."""
        found = [pair for _, pair in await self._asked(request) if pair is not None]
        return reply_text(f"[{','.join(self._text(*pair) for pair in found)}]")

    async def _asked(self, request: web.Request) -> list[tuple[_Ask, tuple[WireBook, int] | None]]:
        asks = self.bounded(read_as(_asks, await request.read()))
        return [(ask, self._find(ask.token_id)) for ask in asks]

    def _find(self, token: str) -> tuple[WireBook, int] | None:
        try:
            return self.book_of(token)
        except Refused:
            return None

    def one_of(self, write: Callable[[WireBook, int, web.Request], Any]) -> Any:
        """Make the handler of a read of one token."""

        async def handler(request: web.Request) -> web.StreamResponse:
            book, ix = self.book(request)
            return reply(write(book, ix, request))

        return handler

    def several_of(self, write: Callable[[WireBook, int], str]) -> Any:
        """Make the handler of a read of several tokens."""

        async def handler(request: web.Request) -> web.StreamResponse:
            asked = await self._asked(request)
            return reply({ask.token_id: write(*pair) for ask, pair in asked if pair is not None})

        return handler

    # --- prices ----------------------------------------------------------------------------------

    def _price(self, book: WireBook, ix: int, request: web.Request) -> dict[str, str]:
        return {"price": _side_price(book, ix, request.query.get("side", ""))}

    async def prices(self, request: web.Request) -> web.StreamResponse:
        """Show prices of several tokens and sides."""
        answer: dict[str, dict[str, str]] = {}
        for ask, pair in await self._asked(request):
            if pair is not None:
                price = _side_price(*pair, ask.side)
                answer.setdefault(ask.token_id, {})[ask.side] = price
        return reply(answer)

    async def last_trade(self, request: web.Request) -> web.StreamResponse:
        """Show the last trade of a market; before the first, a half without a side."""
        book, ix = self.book(request)
        return reply(self._last(book, book.tokens[ix]))

    async def last_trades(self, request: web.Request) -> web.StreamResponse:
        """Show the last trades of several tokens."""
        asked = await self._asked(request)
        return reply(
            [
                {"token_id": ask.token_id, **self._last(pair[0], ask.token_id)}
                for ask, pair in asked
                if pair is not None
            ]
        )

    def _last(self, book: WireBook, token: str) -> dict[str, str]:
        view = self.venue.exchange.book(book.condition)
        if view is None or view.last_trade_u6 is None or view.last_trade_side is None:
            return {"price": "0.5", "side": ""}
        is_same = view.last_trade_token == token
        side = view.last_trade_side
        other = Side.SELL if side is Side.BUY else Side.BUY
        return {
            "price": decimal(view.last_trade_u6 if is_same else U - view.last_trade_u6),
            "side": side_text(side if is_same else other),
        }

    def _tick(self, book: WireBook, _ix: int, _request: web.Request) -> dict[str, float]:
        return {"minimum_tick_size": book.tick_u6 / U}

    def _fee_rate(self, book: WireBook, _ix: int, _request: web.Request) -> dict[str, int]:
        return {"base_fee": LEGACY_BASE_FEE if self.venue.terms(book).fees.rate_u6 else 0}

    async def no_builder(self, _request: web.Request) -> web.StreamResponse:
        """Know no builder."""
        raise Refused(404, "builder not found")

    async def history(self, request: web.Request) -> web.StreamResponse:
        """Show the token's mid by the minute, of the last day at most."""
        book, ix = self.book_of(request.query.get("market", ""))
        begin = whole(request, "startTs", default=0)
        end = whole(request, "endTs", default=1 << 40)
        minutes = self.venue.history.minutes(book.condition)
        step = max(1, whole(request, "fidelity", default=1))
        points = [
            {"t": second, "p": (mid if ix == 0 else U - mid) / U}
            for second, mid in minutes[::step]
            if begin <= second <= end
        ]
        return reply({"history": points})

    # --- markets ---------------------------------------------------------------------------------

    async def market_by_token(self, request: web.Request) -> web.StreamResponse:
        """Say which market a token belongs to."""
        terms = self.venue.exchange.market_of(request.match_info["token"])
        if terms is None:
            raise Refused(404, "market not found")
        return reply(
            {
                "condition_id": terms.condition,
                "primary_token_id": terms.tokens[0],
                "secondary_token_id": terms.tokens[1],
            }
        )

    async def clob_market(self, request: web.Request) -> web.StreamResponse:
        """Show a market's trading parameters, compactly."""
        terms = self.venue.exchange.market(request.match_info["condition"])
        if terms is None:
            raise Refused(404, "market not found")
        return reply(clob_market(terms, self.venue.exchange.book(terms.condition)))

    async def one_market(self, request: web.Request) -> web.StreamResponse:
        """Show a market as the CLOB lists it."""
        terms = self.venue.exchange.market(request.match_info["condition"])
        if terms is None:
            raise Refused(404, "market not found")
        return reply(simplified_market(terms, self.venue.exchange))

    async def list_markets(self, request: web.Request) -> web.StreamResponse:
        """List markets, the sampling lists only those with rewards."""
        exchange = self.venue.exchange
        is_sampling = "sampling" in request.path
        rows = [
            simplified_market(terms, exchange)
            for terms in exchange.markets()
            if not is_sampling or terms.rewards.pool_day_u6
        ]
        return reply(paged(rows, request.query.get("next_cursor", ""), MARKETS_PAGE))

    async def live_activity(self, request: web.Request) -> web.StreamResponse:
        """List a market's last public trades."""
        return reply(
            [
                {
                    "event_type": "trade",
                    "asset_id": trade.token,
                    "side": side_text(trade.side),
                    "size": decimal(trade.qty_u6),
                    "price": decimal(trade.px_u6),
                    "timestamp": str(trade.at_ms // 1_000),
                }
                for trade in self.venue.history.prints(request.match_info["condition"])
            ]
        )


_LISTS: Final = (
    "/markets",
    "/simplified-markets",
    "/sampling-markets",
    "/sampling-simplified-markets",
)


def _ghost(book: WireBook) -> WireBook:
    ghost = WireBook(
        condition=book.condition,
        tokens=book.tokens,
        tick_u6=book.tick_u6,
        min_qty_u6=0,
        neg_risk=book.neg_risk,
        protocol=book.protocol,
        at_ms=book.changed_ms,
    )
    ghost.min_order_text, ghost.last_trade_text = book.min_order_text, book.last_trade_text
    ghost.set_level(is_bid=True, px_u6=U // 100, qty_u6=100 * U)
    ghost.set_level(is_bid=False, px_u6=U - U // 100, qty_u6=100 * U)
    return ghost


def _top_u6(book: WireBook, ix: int) -> tuple[int, int]:
    return book.bids[ix].best_u6(), U - book.bids[1 - ix].best_u6()


def _mid(book: WireBook, ix: int) -> str:
    bid_u6, ask_u6 = _top_u6(book, ix)
    return decimal((bid_u6 + ask_u6) // 2)


def _spread(book: WireBook, ix: int) -> str:
    bid_u6, ask_u6 = _top_u6(book, ix)
    return decimal(ask_u6 - bid_u6)


def _side_price(book: WireBook, ix: int, side: str) -> str:
    """Answer BUY with the best bid and SELL with the best ask: one side of a documented conflict.

    Sources disagree (§3.2); the page says to derive prices from the book, and so should everybody.
    """
    if side not in ("BUY", "SELL"):
        raise Refused(400, "Invalid side")
    bid_u6, ask_u6 = _top_u6(book, ix)
    return decimal(bid_u6 if side == "BUY" else ask_u6)
