"""What every handler needs: logins, bodies, answers, pages, and the one place that says no."""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from aiohttp import web
from msgspec import DecodeError
from msgspec.json import Decoder, encode

from polytui.engine.shell.venue.keys import ApiKey, Signed, key_login
from polytui.engine.shell.venue.refused import (
    BAD_PAYLOAD,
    BAD_TOKEN,
    NO_BOOK,
    TOO_LONG,
    TOO_MANY,
    Refused,
)
from polytui.engine.shell.venue.venue import Venue
from polytui.engine.sim.venue_books import WireBook

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

FIRST_CURSOR: Final = "MA=="
LAST_CURSOR: Final = "LTE="
"""Base64 of 0 and of -1: where pages begin and how they end (§3.2)."""
BATCH_READ_MAX: Final = 500
BODY_MAX: Final = 1 << 20


def reply(value: Any, *, headers: dict[str, str] | None = None) -> web.Response:
    """Answer with JSON."""
    return web.Response(body=encode(value), content_type="application/json", headers=headers)


def reply_text(text: str) -> web.Response:
    """Answer with JSON that is already written."""
    return web.Response(body=text.encode(), content_type="application/json")


def read_as(decoder: Decoder[T], body: bytes, *, text: str = BAD_PAYLOAD) -> T:
    """Read a body.

    Raises:
        Refused: 400 with this text.
    """
    try:
        return decoder.decode(body)
    except (DecodeError, RecursionError):
        raise Refused(400, text) from None


def page_of(rows: Sequence[T], cursor: str, limit: int) -> tuple[Sequence[T], str]:
    """Cut a page; return it and the next cursor.

    Raises:
        Refused: 400, the cursor is none of ours.
    """
    try:
        start = int(b64decode(cursor or FIRST_CURSOR, validate=True))
    except (Base64Error, ValueError):
        raise Refused(400, "invalid next_cursor") from None
    if start < 0:
        return [], LAST_CURSOR
    end = start + limit
    following = b64encode(str(end).encode()).decode() if end < len(rows) else LAST_CURSOR
    return rows[start:end], following


def paged(rows: Sequence[Any], cursor: str, limit: int) -> dict[str, Any]:
    """Write a page as the CLOB does."""
    page, following = page_of(rows, cursor, limit)
    return {"limit": limit, "count": len(page), "next_cursor": following, "data": list(page)}


def whole(request: web.Request, name: str, *, default: int) -> int:
    """Read a whole number out of the query.

    Raises:
        Refused: 400.
    """
    text = request.query.get(name, "") or str(default)
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise Refused(400, f"Invalid {name}")
    return int(text)


class Desk:
    """What the handlers share."""

    def __init__(self, venue: Venue) -> None:
        """Serve one venue."""
        self.venue = venue

    async def key(self, request: web.Request) -> ApiKey:
        """Judge a level-2 request.

        Raises:
            Refused: 401.
        """
        signed = Signed(
            method=request.method, path=request.rel_url.raw_path, body=await request.read()
        )
        return key_login(self.venue.ring, request.headers, signed, now_s=self.venue.now_s())

    def book(self, request: web.Request) -> tuple[WireBook, int]:
        """Find the book that `token_id` names.

        Raises:
            Refused: 400 or 404.
        """
        return self.book_of(request.query.get("token_id", ""))

    def book_of(self, token: str) -> tuple[WireBook, int]:
        """Find a token's book and the token's place in its market.

        Raises:
            Refused: 400 or 404.
        """
        if not (token.isascii() and token.isdecimal()):
            raise Refused(400, BAD_TOKEN)
        terms = self.venue.exchange.market_of(token)
        book = self.venue.tape.books.get(terms.condition) if terms is not None else None
        if book is None:
            raise Refused(404, NO_BOOK)
        return book, book.ix_of(token)

    @staticmethod
    def bounded(rows: list[T]) -> list[T]:
        """Refuse a batch that asks for too much.

        Raises:
            Refused: 400.
        """
        if len(rows) > BATCH_READ_MAX:
            raise Refused(400, TOO_LONG)
        return rows


def gate(venue: Venue) -> Any:
    """Make the middleware that brings the venue to the present and turns refusals to answers."""

    @web.middleware
    async def passing(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await handler(request)
        await venue.travel()
        venue.touch()
        try:
            if venue.switches.paths_enforced and not venue.paths.allows(
                request.path, venue.exchange.now_ns
            ):
                raise Refused(429, TOO_MANY, headers={"Retry-After": "10"})
            return await handler(request)
        except Refused as refused:
            return web.Response(
                status=refused.http,
                body=encode(refused.body),
                content_type="application/json",
                headers=refused.headers,
            )

    return passing
