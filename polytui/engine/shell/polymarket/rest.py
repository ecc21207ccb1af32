"""Requests that only look: one server, its login, and answers that are values or `Failed`.

Everything has a timeout. A read whose kept connection turns out dead is asked once more, because
reading twice changes nothing; nothing that changes anything comes through here.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar
from urllib.parse import quote, urlencode

from msgspec import Struct

from polytui.engine.core.errors import WireError
from polytui.engine.core.order_enums import VenueCode
from polytui.engine.shell.polymarket.auth import Credentials
from polytui.engine.shell.polymarket.codes import read_complaint
from polytui.engine.shell.polymarket.hosts import parse
from polytui.engine.shell.polymarket.http import HttpClient, NoAnswer, NotSent, Reply
from polytui.engine.wire.account import LAST_CURSOR, UNREADABLE

READ_S: Final = 3.0
"""Longest wait for a connection, and again for an answer (fault C17)."""
PAGES_MAX: Final = 200
"""Pages of one list; more means that the cursor goes in circles."""

T = TypeVar("T")
Query = Sequence[tuple[str, str]]


class Failed(Struct, frozen=True, kw_only=True, gc=False):
    """A read that did not succeed: never to be taken for an empty answer."""

    why: str
    http: int = 0
    """0: there was no answer."""
    code: VenueCode = VenueCode.NONE
    retry_after_s: int = 0


class Rest:
    """The reading side of one server."""

    def __init__(
        self,
        url: str,
        *,
        stamp_s: Callable[[], int] = lambda: 0,
        timeout_s: float = READ_S,
        connections_max: int = 8,
    ) -> None:
        """Take an address; `stamp_s` tells the venue's time for logins.

        Raises:
            OperatorError: the address must not be spoken to.
        """
        self.http = HttpClient(parse(url), connections_max=connections_max)
        self.credentials: Credentials | None = None
        self._stamp_s = stamp_s
        self._timeout_s = timeout_s

    async def get(self, path: str, query: Query = (), *, private: bool = False) -> Reply | Failed:
        """Read a path."""
        return await self._read("GET", path, query, b"", private=private)

    async def ask(self, path: str, body: bytes, *, private: bool = False) -> Reply | Failed:
        """Read what is asked for by a body (`POST /books` and the like)."""
        return await self._read("POST", path, (), body, private=private)

    async def _read(
        self, method: str, path: str, query: Query, body: bytes, *, private: bool
    ) -> Reply | Failed:
        headers = ""
        if private:
            if self.credentials is None:
                return Failed(why="there is no API key yet", code=VenueCode.AUTH)
            signed = self.http.origin.prefix + path
            headers = self.credentials.headers(method, signed, body, stamp_s=self._stamp_s())
        tail = urlencode(query, quote_via=quote)
        target = f"{path}?{tail}" if tail else path
        request = self.http.request(method, target, headers=headers, body=body)
        try:
            reply = await self.http.ask(request, timeout_s=self._timeout_s, again=True)
        except (NotSent, NoAnswer) as error:
            return Failed(why=str(error))
        return reply if reply.status == 200 else failed(reply)

    async def pages(
        self,
        path: str,
        query: Query,
        read_page: Callable[[bytes], tuple[tuple[T, ...], str]],
    ) -> tuple[T, ...] | Failed:
        """Read every page of a private list, or none."""
        rows: list[T] = []
        cursor, seen = "", {""}
        for _ in range(PAGES_MAX):
            more = [("next_cursor", cursor)] if cursor else []
            reply = await self.get(path, [*query, *more], private=True)
            if isinstance(reply, Failed):
                return reply
            page = parsed(reply, read_page)
            if isinstance(page, Failed):
                return page
            rows += page[0]
            cursor = page[1]
            if cursor == LAST_CURSOR:
                return tuple(rows)
            if cursor in seen:
                return Failed(why="the pages go in circles", http=200)
            seen.add(cursor)
        return Failed(why=f"more than {PAGES_MAX} pages", http=200)

    def close(self) -> None:
        """Hang up."""
        self.http.close()


def failed(reply: Reply) -> Failed:
    """Say what an answer with an error says."""
    complaint = read_complaint(reply.status, reply.headers, reply.body)
    return Failed(
        why=f"HTTP {reply.status}: {complaint.text or 'no reason given'}",
        http=reply.status,
        code=complaint.code,
        retry_after_s=complaint.retry_after_s,
    )


def parsed(reply: Reply | Failed, read: Callable[[bytes], T]) -> T | Failed:
    """Read the body of an answer; what cannot be read is a failed read."""
    if isinstance(reply, Failed):
        return reply
    try:
        return read(reply.body)
    except WireError as error:
        return Failed(why=f"unreadable: {error}", http=reply.status)
    except UNREADABLE as error:
        return Failed(why=f"unreadable: {type(error).__name__}", http=reply.status)
