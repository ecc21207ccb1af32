"""The practice venue's HTTP server: every surface under one loopback address.

The CLOB and its two streams are at the root, as at the venue; Gamma, the Data API, the relayer's
one question and the site's geoblock have prefixes of their own. Nothing but loopback is ever bound.
"""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final

from aiohttp import web

from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.shell.venue.data_api import DataApi
from polytui.engine.shell.venue.gamma import Gamma
from polytui.engine.shell.venue.rest_account import Account
from polytui.engine.shell.venue.rest_books import Books
from polytui.engine.shell.venue.rest_orders import Orders
from polytui.engine.shell.venue.venue import Venue
from polytui.engine.shell.venue.web_tools import BODY_MAX, Desk, gate, reply

PREFIXES: Final = {"gamma": "/gamma", "data": "/data-api", "relayer": "/relayer", "site": "/site"}


class Sundries(Desk):
    """The relayer's and the site's one question each."""

    async def deployed(self, _request: web.Request) -> web.StreamResponse:
        """Say that any wallet exists: there is no chain here to ask."""
        return reply({"deployed": True})

    async def geoblock(self, _request: web.Request) -> web.StreamResponse:
        """Say where the caller is: on a machine that is nowhere."""
        blocked = self.venue.switches.geoblocked
        country = "US" if blocked else "FI"
        where = {"ip": "127.0.0.1", "country": country, "region": ""}
        return reply({"blocked": blocked, **where})


def make_app(venue: Venue, *, extra: Sequence[web.RouteDef] = ()) -> web.Application:
    """Assemble the routes; `extra` are the reference feeds'."""
    app = web.Application(middlewares=[gate(venue)], client_max_size=BODY_MAX)
    sundries = Sundries(venue)
    app.add_routes(
        [
            *Orders(venue).routes(),
            *Account(venue).routes(),
            *Books(venue).routes(),
            *_under(PREFIXES["gamma"], Gamma(venue).routes()),
            *_under(PREFIXES["data"], DataApi(venue).routes()),
            web.get(PREFIXES["relayer"] + "/deployed", sundries.deployed),
            web.get(PREFIXES["site"] + "/api/geoblock", sundries.geoblock),
            web.get("/ws/market", venue.hub.market),
            web.get("/ws/user", venue.hub.user),
            *extra,
        ]
    )
    return app


def _under(prefix: str, routes: Sequence[web.RouteDef]) -> list[web.RouteDef]:
    return [
        web.RouteDef(route.method, prefix + route.path, route.handler, route.kwargs)
        for route in routes
    ]


def check_host(host: str) -> str:
    """Accept a loopback address and nothing else.

    Raises:
        OperatorError: the practice venue must never be reachable from outside.
    """
    try:
        is_loopback = ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise OperatorError(f"the practice venue binds 127.0.0.1 or ::1 only, not {shown(host)}")
    return host


class Server:
    """A bound server."""

    def __init__(self, app: web.Application, *, host: str, port: int) -> None:
        """Prepare; nothing is bound before `start`.

        Raises:
            OperatorError: the address is not a loopback one.
        """
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
        self._host = check_host(host)
        self._port = port
        self.port = 0

    async def start(self) -> None:
        """Bind.

        Raises:
            OperatorError: the port is taken.
        """
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            why = error.strerror or str(error)
            raise OperatorError(f"port {self._port} cannot be bound: {why}") from None
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Hang up on everybody."""
        await self._runner.cleanup()

    @property
    def base(self) -> str:
        """Return the address as URLs write it, without scheme."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self.port}"
