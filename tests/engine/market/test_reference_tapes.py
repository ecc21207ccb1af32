"""Recorded exchange feeds and a settlement series through decoders and desk."""

import csv
import gzip
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from polytui.engine.core.commands import Command, ReadReferenceBook
from polytui.engine.core.enums import Feed, FeedState, Reason
from polytui.engine.core.events import (
    ConnOpened,
    Event,
    RefBook,
    RefDelta,
    RefIndex,
    Stamped,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.core.runconfig import ReferenceConfig
from polytui.engine.market.reference import ReferenceDesk
from polytui.engine.market.reference_book import REFETCH_NS
from polytui.engine.wire import binance, chainlink, coinbase
from tests.support.exchange_tapes import Line, tape
from tests.support.reference_rig import reconnects

CONN = ConnId(1)
COINBASE = "coinbase-exchange-raw-20210417.jsonl.gz"
BINANCE = "binance-spot-raw-20211012.jsonl.gz"
CHAINLINK = "chainlink-btcusd-rtds-20260608T00-02.csv.gz"
BRIDGED = {"NKNUSDT", "BLZETH", "LRCBTC", "RUNEEUR"}


class Run:
    """A desk that plays a tape."""

    def __init__(self, feed: Feed, symbol: str) -> None:
        self.feed = feed
        config = ReferenceConfig(primary=feed.value, settlement="none", symbol=symbol)
        self.desk = ReferenceDesk(config)
        self.seq = 0
        self.commands: list[Command] = []

    def apply(self, at_ns: int, *events: Event) -> list[Command]:
        commands: list[Command] = []
        for event in events:
            self.seq += 1
            commands += self.desk.apply(Stamped(self.seq, at_ns, event))
        self.commands += commands
        return commands

    def open(self, line: Line) -> None:
        self.apply(line.at_ns, ConnOpened(conn=CONN, feed=self.feed, url=line.url))

    @property
    def gaps(self) -> int:
        return sum(view.gaps for view in self.desk.feed_views())

    def books(self) -> dict[str, tuple[dict[int, int], dict[int, int], bool]]:
        """List bids, asks and whether levels merged, of every loaded book."""
        feed = self.desk._feeds[self.feed]
        return {
            symbol: (dict(p.book.bids), dict(p.book.asks), bool(p.book.merged))
            for symbol, p in feed.products.items()
            if p.book.update_id is not None
        }


class Oracle:
    """Plain dicts per symbol."""

    def __init__(self) -> None:
        self.sides: dict[str, tuple[dict[int, int], dict[int, int]]] = {}

    def apply(self, event: RefBook | RefDelta) -> tuple[dict[int, int], dict[int, int]]:
        if isinstance(event, RefBook):
            self.sides[event.symbol] = ({}, {})
        bids, asks = self.sides[event.symbol]
        for side, levels in ((bids, event.bids), (asks, event.asks)):
            for px, qty in levels:
                side[px] = qty
                if not qty:
                    del side[px]
        return bids, asks


@pytest.mark.timeout(30)
def test_the_coinbase_tape_builds_books_that_never_cross(shared_data: Path) -> None:
    run, oracle = Run(Feed.COINBASE, "BAND-GBP"), Oracle()
    counts: Counter[str] = Counter()
    for line in tape(shared_data / COINBASE):
        if line.kind == "open":
            run.open(line)
        for event in coinbase.decode(CONN, line.raw) if line.kind == "recv" else ():
            run.apply(line.at_ns, event)
            counts[type(event).__name__] += 1
            if isinstance(event, RefBook | RefDelta):
                bids, asks = oracle.apply(event)
                assert max(bids, default=0) <= min(asks, default=10**18)
    assert counts["RefBook"] == 5
    assert counts["RefDelta"] == 4_147
    assert run.gaps == 0
    assert run.desk.counters()[0].value == 0
    assert {s: (b, a) for s, (b, a, _) in run.books().items()} == oracle.sides
    assert reconnects(run.commands) == [(CONN, Reason.SILENT)], "the tape has no heartbeats"


def test_prices_finer_than_micro_units_are_noticed_on_the_coinbase_tape(shared_data: Path) -> None:
    run = Run(Feed.COINBASE, "BAND-BTC")
    for line in tape(shared_data / COINBASE):
        if line.kind == "open":
            run.open(line)
        elif line.kind == "recv":
            run.apply(line.at_ns, *coinbase.decode(CONN, line.raw))
    merged = {symbol: fine for symbol, (_, _, fine) in run.books().items()}
    assert merged == {
        "BAND-GBP": False,
        "NU-GBP": False,
        "CRV-EUR": False,
        "BAND-BTC": True,
        "DASH-BTC": True,
    }
    assert run.desk.last_quote(Feed.COINBASE) is None


def binance_events(path: Path) -> list[tuple[Line, list[Event]]]:
    """Decode the tape; a depth answer belongs to the symbol in its URL."""
    found = []
    for line in tape(path):
        events: list[Event] = []
        if line.kind == "recv":
            events = binance.decode(CONN, line.raw)
        elif line.kind == "rest":
            symbol = line.url.partition("symbol=")[2].partition("&")[0]
            events = binance.decode_depth_answer(CONN, symbol, line.raw)
        found.append((line, events))
    return found


def test_the_binance_tape_bridges_four_of_four_books(shared_data: Path) -> None:
    """Acceptance test (c), first part; U/u unbroken."""
    run, oracle = Run(Feed.BINANCE, "NKN-USD"), Oracle()
    last_ids: dict[str, int] = {}
    asked: list[str] = []
    for line, events in binance_events(shared_data / BINANCE):
        if line.kind == "open":
            run.open(line)
        for event in events:
            commands = run.apply(line.at_ns, event)
            asked += [c.symbol for c in commands if isinstance(c, ReadReferenceBook)]
            if isinstance(event, RefDelta):
                expected = last_ids.setdefault(event.symbol, (event.first_update_id or 0) - 1) + 1
                assert event.first_update_id == expected
                last_ids[event.symbol] = event.last_update_id or 0
            if isinstance(event, RefBook) or event_after(oracle, event):
                assert isinstance(event, RefBook | RefDelta)
                oracle.apply(event)
    assert sorted(asked) == sorted(BRIDGED)
    assert run.gaps == 0
    assert reconnects(run.commands) == []
    assert {s: (b, a) for s, (b, a, _) in run.books().items()} == oracle.sides
    assert set(oracle.sides) == BRIDGED
    for bids, asks, merged in run.books().values():
        assert merged or max(bids) < min(asks)
    assert run.desk.state(Feed.BINANCE) is FeedState.LIVE


def event_after(oracle: Oracle, event: Event) -> bool:
    """Tell whether a change comes after its snapshot: on this tape each later one does."""
    return isinstance(event, RefDelta) and event.symbol in oracle.sides


def test_a_removed_update_forces_a_new_snapshot(shared_data: Path) -> None:
    """Acceptance test (c), second part."""
    run = Run(Feed.BINANCE, "NKN-USD")
    seen = 0
    for line, events in binance_events(shared_data / BINANCE):
        if line.kind == "open":
            run.open(line)
        for event in events:
            seen += isinstance(event, RefDelta) and event.symbol == "NKNUSDT"
            if seen == 20 and isinstance(event, RefDelta) and event.symbol == "NKNUSDT":
                continue
            run.apply(line.at_ns, event)
    assert run.gaps == 1
    assert "NKNUSDT" not in run.books()
    asked = [c.symbol for c in run.commands if isinstance(c, ReadReferenceBook)]
    assert asked.count("NKNUSDT") >= 2


def test_a_snapshot_that_is_too_old_is_fetched_again(shared_data: Path) -> None:
    """Acceptance test (c), third part: the stream begins ten updates after the snapshot."""
    run, whole = Run(Feed.BINANCE, "NKN-USD"), Run(Feed.BINANCE, "NKN-USD")
    too_old: list[RefBook] = []
    asked_ns: list[int] = []
    seen = 0
    for line, events in binance_events(shared_data / BINANCE):
        if line.kind == "open":
            run.open(line)
            whole.open(line)
        for event in events:
            whole.apply(line.at_ns, event)
            if getattr(event, "symbol", "") != "NKNUSDT":
                continue
            seen += isinstance(event, RefDelta)
            if isinstance(event, RefBook):
                too_old.append(event)
            elif seen > 10 and ReadReferenceBook in map(type, run.apply(line.at_ns, event)):
                asked_ns.append(line.at_ns)
                run.apply(line.at_ns, *too_old)
    assert counter(run, "snapshots_too_old") == len(asked_ns) > 3
    assert min(after - before for before, after in pairwise(asked_ns)) >= REFETCH_NS
    bids, asks, _ = whole.books()["NKNUSDT"]
    fresh = replace(
        too_old[0],
        bids=tuple(bids.items()),
        asks=tuple(asks.items()),
        update_id=whole.desk._feeds[Feed.BINANCE].products["NKNUSDT"].book.update_id,
    )
    run.apply(asked_ns[-1] + REFETCH_NS, fresh)
    assert run.books() == {"NKNUSDT": whole.books()["NKNUSDT"]}


def counter(run: Run, name: str) -> int:
    return next(count.value for count in run.desk.counters() if count.name == name)


def test_the_settlement_tape_is_live_but_for_its_gaps(shared_data: Path) -> None:
    config = ReferenceConfig(primary="none", symbol="BTC-USD")
    desk = ReferenceDesk(config)
    opened = ConnOpened(conn=CONN, feed=Feed.CHAINLINK, url="wss://ws-live-data.polymarket.com")
    seq, news = 1, 0
    states: Counter[FeedState] = Counter()
    commands: list[Command] = []
    rows: list[dict[str, Any]] = read_rows(shared_data / CHAINLINK)
    desk.apply(Stamped(seq, int(rows[0]["recv_ms"]) * 1_000_000 - 1, opened))
    for row in rows:
        at_ns = int(row["recv_ms"]) * 1_000_000
        frame = chainlink.rtds_frame(
            symbol="btc/usd",
            feed_ms=int(row["feed_ts_ms"]),
            value_text=row["value"],
            full_text=row["full_accuracy_value"],
            server_ms=int(row["server_ts_ms"]),
        )
        for event in chainlink.decode(CONN, frame):
            seq += 1
            assert isinstance(event, RefIndex)
            commands += desk.apply(Stamped(seq, at_ns, event))
            last = desk.last_index()
            news += last is not None and last.venue_ns == event.venue_ns
            states[desk.state(Feed.CHAINLINK)] += 1
    assert len(rows) == 7_145
    assert states == {FeedState.LIVE: 7_133, FeedState.WARMING: 12}
    assert news == 7_133
    assert 1_200_000 < desk.lag(Feed.CHAINLINK).p50_us < 1_400_000
    assert len(desk.index_series()) == 900
    assert reconnects(commands) == [(CONN, Reason.SILENT)], "one silence was longer than 8 s"


def read_rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt") as file:
        return list(csv.DictReader(file))
