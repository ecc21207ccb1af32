"""Where market data comes from: the venue's streams, the reference feeds, the practice venue.

One set of adapters for the practice venue and the real one; which hosts they speak to is all that
differs. The practice venue is a process beside the engine, started here if none runs yet.
"""

import asyncio
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from polytui.engine.core.commands import (
    Command,
    Follow,
    ReadReferenceBook,
    ReadWitness,
    Reconnect,
    Resync,
    Unfollow,
)
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.ids import ConnId
from polytui.engine.core.runconfig import Settings, VenueConfig
from polytui.engine.core.view import VenueLabView
from polytui.engine.shell.accounts.desk import AccountDesk
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, sleep_until
from polytui.engine.shell.practice_child import PracticeChild, Ready
from polytui.engine.shell.runner import Runner

if TYPE_CHECKING:
    from polytui.engine.shell.feeds.sockets import FeedSockets
    from polytui.engine.shell.polymarket.discovery import Discovery
    from polytui.engine.shell.polymarket.market_stream import MarketStreams

PRACTICE: Final = "practice"
SCENARIO: Final = "tour"
LAB_NS: Final = SECOND_NS // 2
_Part = TypeVar("_Part")
_Act = Callable[[Any], None]

LOOK_NS: Final = 5 * SECOND_NS
"""New markets of the practice venue are looked for this often: its windows are short."""
REAL_FEEDS: Final = {
    "coinbase": "wss://ws-feed.exchange.coinbase.com",
    "coinbase_advanced": "wss://advanced-trade-ws.coinbase.com",
    "binance": "wss://stream.binance.com:9443",
    "chainlink": "wss://ws-live-data.polymarket.com",
}
BINANCE_REST: Final = "https://api.binance.com"

_HEAVY: Final = (
    "polytui.engine.shell.accounts.live",
    "polytui.engine.shell.feeds.sockets",
    "polytui.engine.shell.polymarket.market_stream",
    "polytui.engine.sim.practice_lab",
)
"""Loaded by a thread, once the engine answers: HTTP and TLS take longer than all the rest."""


def _load() -> None:
    for name in _HEAVY:
        importlib.import_module(name)


class Sources:
    """Everything the engine hears of markets."""

    def __init__(
        self,
        settings: Settings,
        directory: Path,
        *,
        accounts: AccountDesk,
        next_conn: Callable[[], ConnId],
        tell: Callable[[str, str], None],
    ) -> None:
        """Prepare; nothing is opened before `run`. `tell` has the log."""
        self._settings = settings
        self._accounts = accounts
        self._next_conn = next_conn
        self._tell = tell
        self._child: PracticeChild | None = None
        if settings.venue.kind == PRACTICE:
            scenario = SCENARIO if settings.practice.faults else ""
            self._child = PracticeChild(settings, directory, scenario=scenario)
        self._streams: MarketStreams | None = None
        self._feeds: FeedSockets | None = None
        self._discovery: Discovery | None = None
        self._lab: VenueLabView | None = None
        self._asks: set[asyncio.Task[None]] = set()

    # --- life ------------------------------------------------------------------------------------

    async def run(self, runner: Runner) -> None:
        """Open everything and keep it open, until cancelled."""
        if self._child is not None:
            await self._child.begin()
        await asyncio.get_running_loop().run_in_executor(None, _load)
        await self._open(runner)

    async def _open(self, runner: Runner) -> None:
        """Connect to everything, and stay connected."""
        from polytui.engine.shell.accounts.live import practice_venue
        from polytui.engine.shell.feeds.plans import plans
        from polytui.engine.shell.feeds.sockets import FeedSockets, hosts_of
        from polytui.engine.shell.polymarket.discovery import Discovery
        from polytui.engine.shell.polymarket.market_stream import MarketStreams

        venue = self._settings.venue
        hosts: Mapping[str, str] = REAL_FEEDS
        binance_rest = BINANCE_REST
        if self._child is not None:
            ready = await self._child.start()
            venue, hosts = practice_venue(venue, ready.urls), hosts_of(ready.urls)
            binance_rest = ready.urls["binance"]
            self._open_practice(venue, ready)
        else:
            self._accounts.open_live(venue)
        live = self._accounts.live
        assert live is not None, "expected an account to be prepared"
        seed = self._settings.run.seed
        self._streams = MarketStreams(
            venue.market_ws,
            public=live.client.public,
            next_conn=self._next_conn,
            tell=self._tell,
            seed=seed,
        )
        self._feeds = FeedSockets(
            plans(self._settings.run.reference, hosts),
            next_conn=self._next_conn,
            tell=self._tell,
            seed=seed,
            binance_rest=binance_rest,
        )
        self._discovery = Discovery(
            live.client.gamma,
            live.client.public,
            slugs=venue.markets,
            markets_max=venue.markets_max,
            **({"look_ns": LOOK_NS} if self._child is not None else {}),
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._streams.run(runner))
            tasks.create_task(self._discovery.watch(self._streams, live.client.clock))
            tasks.create_task(self._feeds.run(runner))
            tasks.create_task(self._accounts.run_live())
            tasks.create_task(self._watch_lab())

    def _open_practice(self, venue: VenueConfig, ready: Ready) -> None:
        """Prepare the account whose key the practice venue made of its seed."""
        self._accounts.open_live(
            venue,
            control=ready.control,
            practice_label=f"polytui practice venue, seed {ready.seed}, wallet eoa",
        )

    async def _watch_lab(self) -> None:
        """Keep the latest look at the practice venue, for whoever watches its page."""
        while self._child is not None:
            try:
                self._lab = await self._child.lab()
            except OperatorError:
                self._lab = None
            await sleep_until(read_mono_ns() + LAB_NS)

    async def close(self, *, keep_venue: bool) -> None:
        """End the practice venue, unless something of ours is still open there."""
        if self._child is not None and not keep_venue:
            await self._child.stop()

    # --- what is asked ---------------------------------------------------------------------------

    @property
    def troubles(self) -> tuple[str, ...]:
        """Name what may be caused on purpose: on the practice venue only."""
        if self._child is None:
            return ()
        from polytui.engine.sim.practice_lab import TROUBLES

        return TROUBLES

    def cause(self, trouble: str) -> None:
        """Let a trouble of the practice venue happen now."""
        if self._child is not None:
            task = asyncio.get_running_loop().create_task(self._cause(self._child, trouble))
            self._asks.add(task)
            task.add_done_callback(self._asks.discard)

    async def _cause(self, child: PracticeChild, trouble: str) -> None:
        try:
            await child.cause(trouble)
        except OperatorError:
            self._lab = None

    def lab_view(self) -> VenueLabView | None:
        """Show what the practice venue is up to; None where there is none."""
        return self._lab

    def cut(self, conn: ConnId) -> None:
        """Drop a connection that lost a frame; whoever owns it opens a new one."""
        for owner in (self._streams, self._feeds):
            if owner is not None:
                owner.cut(conn)

    def executors(
        self, runner: Callable[[], Runner]
    ) -> Mapping[type[Command], Callable[[Any], None]]:
        """Say who carries out what concerns connections; what is not open yet is not asked."""

        def ask(part: Callable[[], _Part | None], act: Callable[[_Part, Any], None]) -> _Act:
            def carry_out(command: Any) -> None:
                if (one := part()) is not None:
                    act(one, command)

            return carry_out

        return {
            Reconnect: lambda command: self.cut(command.conn),
            Resync: ask(lambda: self._streams, lambda one, wish: one.resync(wish)),
            ReadWitness: ask(
                lambda: self._streams, lambda one, wish: one.read_witness(runner(), wish)
            ),
            Follow: ask(lambda: self._discovery, lambda one, wish: one.want(wish.market)),
            Unfollow: ask(lambda: self._streams, lambda one, wish: one.unfollow(wish.market)),
            ReadReferenceBook: ask(
                lambda: self._feeds, lambda one, wish: one.read_reference_book(runner(), wish)
            ),
        }
