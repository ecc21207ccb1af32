"""Gamma: discovery of markets and events (`venue/polymarket.md` §8), under its own prefix."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Sequence
from typing import Any, Final

from aiohttp import web

from polytui.engine.shell.venue.gamma_records import Record, gamma_event, gamma_market
from polytui.engine.shell.venue.refused import Refused
from polytui.engine.shell.venue.web_tools import Desk, reply, whole
from polytui.engine.sim.exchange.terms import GroupTerms, MarketTerms

PAGE_MAX: Final = 100
PAGE: Final = 20
OFFSET_PAGE_MAX: Final = 500


class Gamma(Desk):
    """The handlers."""

    def routes(self) -> list[web.RouteDef]:
        """List them, relative to the prefix."""
        return [
            web.get("/markets", self.markets),
            web.get("/markets/keyset", self.markets_keyset),
            web.get("/markets/slug/{slug}", self.market_by_slug),
            web.get("/markets/{id}", self.market_by_id),
            web.get("/events", self.events),
            web.get("/events/keyset", self.events_keyset),
            web.get("/events/slug/{slug}", self.event_by_slug),
            web.get("/events/{id}", self.event_by_id),
            web.get("/tags", self.tags),
            web.get("/series", self.series),
            web.get("/sports", self.nothing),
            web.get("/public-search", self.search),
        ]

    # --- what there is ---------------------------------------------------------------------------

    def _market(self, terms: MarketTerms) -> Record:
        return gamma_market(terms, self.venue.exchange, self.venue.history)

    def _event(self, group: GroupTerms) -> Record:
        return gamma_event(group, self.venue.exchange, self.venue.history)

    def _markets(self, request: web.Request) -> list[MarketTerms]:
        """List markets that pass the query's filters, in the order of their listing."""
        query, exchange = request.query, self.venue.exchange
        closed = query.get("closed", "false") == "true"
        chosen: dict[str, Callable[[MarketTerms], tuple[str, ...]]] = {
            "id": lambda terms: (terms.gamma_id,),
            "slug": lambda terms: (terms.slug,),
            "condition_ids": lambda terms: (terms.condition,),
            "clob_token_ids": lambda terms: terms.tokens,
        }
        wanted = {name: _values(request, name) for name in chosen if name in query}
        return [
            terms
            for terms in exchange.markets()
            if (exchange.resolution(terms.condition) is not None) == closed
            and all(set(chosen[name](terms)) & values for name, values in wanted.items())
            and ("tag_slug" not in query or query["tag_slug"] in terms.tags)
        ]

    def _events(self, request: web.Request) -> list[GroupTerms]:
        query, exchange = request.query, self.venue.exchange
        closed = query.get("closed", "false") == "true"
        living = {
            terms.group
            for terms in exchange.markets()
            if exchange.resolution(terms.condition) is None
        }
        wanted = {name: _values(request, name) for name in ("id", "slug") if name in query}
        return [
            group
            for group in exchange.groups()
            if (group.id not in living) == closed
            and ("id" not in wanted or group.id in wanted["id"])
            and ("slug" not in wanted or group.slug in wanted["slug"])
            and ("series_slug" not in query or group.series == query["series_slug"])
            and ("tag_slug" not in query or query["tag_slug"] in group.tags)
        ]

    # --- pages -----------------------------------------------------------------------------------

    async def markets(self, request: web.Request) -> web.StreamResponse:
        """List markets by offset."""
        return reply([self._market(terms) for terms in _by_offset(request, self._markets(request))])

    async def events(self, request: web.Request) -> web.StreamResponse:
        """List events by offset."""
        return reply([self._event(group) for group in _by_offset(request, self._events(request))])

    async def markets_keyset(self, request: web.Request) -> web.StreamResponse:
        """List markets page after page."""
        rows, more = _by_key(request, self._markets(request))
        return reply({"markets": [self._market(terms) for terms in rows], **more})

    async def events_keyset(self, request: web.Request) -> web.StreamResponse:
        """List events page after page."""
        rows, more = _by_key(request, self._events(request))
        return reply({"events": [self._event(group) for group in rows], **more})

    async def tags(self, _request: web.Request) -> web.StreamResponse:
        """List the tags in use."""
        tags = sorted({tag for terms in self.venue.exchange.markets() for tag in terms.tags})
        return reply([{"id": tag, "label": tag.title(), "slug": tag} for tag in tags])

    async def series(self, _request: web.Request) -> web.StreamResponse:
        """List the rolling series."""
        names = sorted({group.series for group in self.venue.exchange.groups() if group.series})
        return reply([{"id": name, "slug": name, "ticker": name, "title": name} for name in names])

    async def nothing(self, _request: web.Request) -> web.StreamResponse:
        """List nothing: this venue has none of it."""
        return reply([])

    async def search(self, request: web.Request) -> web.StreamResponse:
        """Find events whose title or whose markets' questions hold the words."""
        words = request.query.get("q", "").lower()
        exchange = self.venue.exchange
        hits = {t.group for t in exchange.markets() if words in t.question.lower()}
        found = [g for g in exchange.groups() if g.id in hits or words in g.title.lower()]
        page = [self._event(group) for group in found[:PAGE]]
        more = {"hasMore": len(found) > PAGE, "totalResults": len(found)}
        return reply({"events": page, "tags": [], "profiles": [], "pagination": more})

    # --- one -------------------------------------------------------------------------------------

    async def market_by_slug(self, request: web.Request) -> web.StreamResponse:
        """Show the market of a slug."""
        slug = request.match_info["slug"]
        return self._one_market([t for t in self.venue.exchange.markets() if t.slug == slug])

    async def market_by_id(self, request: web.Request) -> web.StreamResponse:
        """Show the market of an id."""
        wanted = request.match_info["id"]
        return self._one_market([t for t in self.venue.exchange.markets() if t.gamma_id == wanted])

    async def event_by_slug(self, request: web.Request) -> web.StreamResponse:
        """Show the event of a slug."""
        slug = request.match_info["slug"]
        return self._one_event([g for g in self.venue.exchange.groups() if g.slug == slug])

    async def event_by_id(self, request: web.Request) -> web.StreamResponse:
        """Show the event of an id."""
        wanted = request.match_info["id"]
        return self._one_event([g for g in self.venue.exchange.groups() if g.id == wanted])

    def _one_market(self, found: list[MarketTerms]) -> web.StreamResponse:
        if not found:
            raise Refused(404, "not found", extra={"type": "not found error"})
        return reply(self._market(found[0]))

    def _one_event(self, found: list[GroupTerms]) -> web.StreamResponse:
        if not found:
            raise Refused(404, "not found", extra={"type": "not found error"})
        return reply(self._event(found[0]))


def _values(request: web.Request, name: str) -> set[str]:
    """Read a filter that may be repeated, or hold several values with commas between."""
    return {part for text in request.query.getall(name) for part in text.split(",")}


def _count(request: web.Request, name: str, *, default: int, most: int) -> int:
    return min(whole(request, name, default=default), most)


def _by_offset(request: web.Request, rows: Sequence[Any]) -> Sequence[Any]:
    limit = _count(request, "limit", default=PAGE, most=OFFSET_PAGE_MAX)
    offset = _count(request, "offset", default=0, most=1 << 30)
    return rows[offset : offset + limit]


def _by_key(request: web.Request, rows: Sequence[Any]) -> tuple[Sequence[Any], dict[str, str]]:
    """Cut a page after a cursor; `next_cursor` is absent at the end, and only there."""
    if "offset" in request.query:
        raise Refused(422, "offset is not supported, use after_cursor")
    limit = _count(request, "limit", default=PAGE, most=PAGE_MAX)
    cursor = request.query.get("after_cursor", "")
    try:
        start = int(urlsafe_b64decode(cursor)) if cursor else 0
    except (Base64Error, ValueError):
        raise Refused(422, "invalid after_cursor") from None
    end = start + limit
    more = {"next_cursor": urlsafe_b64encode(str(end).encode()).decode()}
    return rows[start:end], more if end < len(rows) else {}
