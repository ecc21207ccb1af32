"""Which markets to follow: named ones, or the busiest, and what the matching engine says of them.

Gamma finds markets; the CLOB's own record of each is then read, because it is the truth about
tick, minimum, fees and whether there is a book at all. A market that the CLOB does not know yet is
looked for again at the next turn: Gamma lists a market minutes before its book exists.
"""

import asyncio
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from msgspec.structs import replace

from polytui.engine.core.events import MarketSpec
from polytui.engine.core.order_enums import VenueCode
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, sleep_until
from polytui.engine.shell.polymarket.gamma import (
    PAGE,
    Found,
    Listed,
    Reader,
    read_event,
    read_one,
    read_page,
)
from polytui.engine.shell.polymarket.market_stream import MarketStreams
from polytui.engine.shell.polymarket.public_reads import ClobMarket, PublicReads
from polytui.engine.shell.polymarket.rest import Failed, Rest, parsed

PAGES_MAX: Final = 10
"""Pages looked at when nothing is named: the venue is asked for the busiest first."""
TOGETHER_MAX: Final = 8
"""Records of the CLOB read at a time, and markets looked for by their ids at a look."""
REFRESH_NS: Final = 240 * SECOND_NS
"""Metadata is read again this often: the gate wants it younger than ten minutes."""
LOOK_NS: Final = 60 * SECOND_NS
"""New markets are looked for this often."""


class Discovery:
    """Finds markets and keeps what is known of them fresh."""

    def __init__(
        self,
        gamma: Rest,
        public: PublicReads,
        *,
        slugs: tuple[str, ...] = (),
        markets_max: int = 20,
        look_ns: int = LOOK_NS,
    ) -> None:
        """Look for these markets and events, or for the busiest `markets_max`."""
        self._gamma = gamma
        self._public = public
        self._slugs = slugs
        self._markets_max = markets_max
        self._look_ns = look_ns
        self._told: set[str] = set()
        """Followed markets whose outcome was told."""
        self._wanted: dict[str, None] = {}
        """Condition ids that the engine asked for."""
        self.failures = 0
        self.last_failure = ""
        self.refused = 0
        """Objects of Gamma that were no market we could read."""

    async def find(self) -> tuple[MarketSpec, ...] | Failed:
        """Find markets, each with the CLOB's own record; those it does not know are left out."""
        listed = await (self._named() if self._slugs else self._busiest())
        if isinstance(listed, Failed):
            return listed
        specs = await self.refreshed(tuple(found.spec for found in listed))
        return tuple(spec for spec in specs if spec is not None)

    async def refreshed(self, specs: tuple[MarketSpec, ...]) -> list[MarketSpec | None]:
        """Read the CLOB's record of each market; None where it knows none or does not answer."""
        slots = asyncio.Semaphore(TOGETHER_MAX)

        async def one(spec: MarketSpec) -> MarketSpec | None:
            async with slots:
                record = await self._public.clob_market(spec.market)
            if isinstance(record, Failed):
                self._note(record)
                return None
            return confirmed(spec, record)

        return list(await asyncio.gather(*(one(spec) for spec in specs)))

    def want(self, market: str) -> None:
        """Look for a market by its condition id at the next turn, over or not."""
        self._wanted[market] = None

    async def watch(self, streams: MarketStreams, clock: Callable[[], int]) -> None:
        """Follow what is found and keep it fresh, until cancelled; `clock` is engine time."""
        refreshed_ns = read_mono_ns()
        while True:
            found = await self.find()
            if isinstance(found, Failed):
                self._note(found)
            else:
                known = streams.specs
                streams.follow(spec for spec in found if known.get(spec.market) != spec)
            if read_mono_ns() - refreshed_ns >= REFRESH_NS:
                refreshed_ns = read_mono_ns()
                specs = await self.refreshed(tuple(streams.specs.values()))
                known = streams.specs
                streams.follow(spec for spec in specs if spec is not None and spec.market in known)
            await self._follow_wanted(streams)
            await self._tell_outcomes(streams, clock())
            await sleep_until(read_mono_ns() + self._look_ns)

    async def _follow_wanted(self, streams: MarketStreams) -> None:
        """Follow what was asked for, a few at each look; what is not found is asked for again."""
        for market in tuple(self._wanted)[:TOGETHER_MAX]:
            del self._wanted[market]
            spec = await self._by_condition(market)
            if spec is not None:
                (record,) = await self.refreshed((spec,))
                streams.follow([record or replace(spec, accepting=False)])

    async def _by_condition(self, market: str) -> MarketSpec | None:
        for closed in ("false", "true"):
            query = [("condition_ids", market), ("closed", closed)]
            page = await self._read("/markets/keyset", read_page, query)
            if isinstance(page, Failed):
                self._note(page)
                continue
            for listed in page.markets:
                if listed.spec.market == market:
                    return listed.spec
        return None

    async def _tell_outcomes(self, streams: MarketStreams, now_ns: int) -> None:
        """Ask how markets that are over came out: nobody may have listened when it was told."""
        self._told &= streams.specs.keys()
        for spec in tuple(streams.specs.values()):
            is_over = not spec.accepting or (spec.end_ns is not None and spec.end_ns <= now_ns)
            if not is_over or spec.market in self._told:
                continue
            answer = await self._read(f"/markets/slug/{quote(spec.slug, safe='')}", read_one)
            if isinstance(answer, Failed):
                self._note(answer)
                continue
            (listed,) = answer.markets
            if listed.pays_u6 is not None and listed.spec.market == spec.market:
                self._told.add(spec.market)
                streams.resolve(spec, listed.pays_u6)

    # --- Gamma -----------------------------------------------------------------------------------

    async def _busiest(self) -> list[Listed] | Failed:
        """Read pages in the order of volume and take the busiest that can be traded."""
        found: dict[str, Listed] = {}
        cursor = ""
        for _ in range(PAGES_MAX):
            query = [("limit", str(PAGE)), ("closed", "false"), ("active", "true")]
            query += [("order", "volume24hr"), ("ascending", "false")]
            query += [("after_cursor", cursor)] if cursor else []
            page = await self._read("/markets/keyset", read_page, query)
            if isinstance(page, Failed):
                return page
            found |= {m.spec.market: m for m in page.markets if m.tradable and not m.placeholder}
            if not page.next_cursor or page.next_cursor == cursor:
                break
            cursor = page.next_cursor
        busiest = sorted(found.values(), key=lambda m: (-m.volume_u6, m.spec.market))
        return busiest[: self._markets_max]

    async def _named(self) -> list[Listed] | Failed:
        """Read every name as a market, else as an event; an unknown name is left for later."""
        found: dict[str, Listed] = {}
        for slug in self._slugs:
            path = quote(slug, safe="")
            answer = await self._read(f"/markets/slug/{path}", read_one)
            if isinstance(answer, Failed) and answer.http == 404:
                answer = await self._read(f"/events/slug/{path}", read_event)
            if isinstance(answer, Failed):
                self._note(answer)
                continue
            found |= {m.spec.market: m for m in answer.markets if m.tradable}
        if not found and self.last_failure:
            return Failed(why=self.last_failure)
        return list(found.values())

    async def _read(
        self, path: str, reader: Reader, query: list[tuple[str, str]] | None = None
    ) -> Found | Failed:
        answer = parsed(await self._gamma.get(path, query or ()), reader)
        if isinstance(answer, Found):
            self.refused += answer.refused
        return answer

    def _note(self, failure: Failed) -> None:
        if failure.code is not VenueCode.NO_BOOK:
            self.failures += 1
            self.last_failure = failure.why


def confirmed(spec: MarketSpec, record: ClobMarket) -> MarketSpec | None:
    """Put the CLOB's record over Gamma's; None when they name different tokens.

    Fees that Gamma knows and the CLOB does not mention stay; a rate that differs is the CLOB's.
    """
    if set(record.tokens) != set(spec.tokens):
        return None
    fees = record.fees
    if fees is None:
        fees = spec.fees
    elif spec.fees is not None:
        fees = replace(fees, rebate_u6=spec.fees.rebate_u6)
    return replace(
        spec,
        tick_u6=record.tick_u6,
        min_qty_u6=record.min_qty_u6,
        min_order_text=record.min_order_text,
        neg_risk=record.neg_risk,
        fees=fees,
        accepting=spec.accepting and record.accepting,
    )
