"""The embedded practice venue as a client hears it: bytes, connections, windows, troubles."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from polytui.engine.core.enums import BookState, Feed, Incident
from polytui.engine.core.runconfig import PracticeConfig
from polytui.engine.sim.deliveries import DeliveryKind
from polytui.engine.sim.practice_exchange import PracticeExchange
from polytui.engine.sim.reference_frames import iso_text
from tests.conftest import ROOT
from tests.support.practice_rig import (
    SECOND_NS,
    START_NS,
    Rig,
    feed,
    frames,
    objects_of,
    quiet,
    venue_objects,
)

Book = dict[str, dict[str, str]]
"""Side to price text to size text: a token's book kept the slow, obvious way."""


# --- determinism ---------------------------------------------------------------------------------

FINGERPRINT = """
import hashlib
from tests.support.practice_rig import SECOND_NS, START_NS, feed
digest = hashlib.sha256()
for d in feed(seed=7, rate=100.0, faults=True).advance(START_NS + 70 * SECOND_NS):
    digest.update(repr((d.at_ns, d.conn_slot, d.kind.value, d.data, d.topics)).encode())
print(digest.hexdigest())
"""


@pytest.mark.slow
@pytest.mark.timeout(30)
def test_the_same_seed_gives_the_same_bytes_in_two_processes_with_two_hash_seeds() -> None:
    prints = {
        subprocess.run(
            [sys.executable, "-c", FINGERPRINT],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(prints) == 1


def test_another_seed_gives_other_bytes() -> None:
    end_ns = START_NS + SECOND_NS
    assert feed(seed=1).advance(end_ns) != feed(seed=2).advance(end_ns)


def test_however_time_is_cut_the_same_things_arrive() -> None:
    end_ns = START_NS + 22 * SECOND_NS
    whole = feed(faults=True).advance(end_ns)
    stepped = feed(faults=True)
    pieces = [
        delivery
        for until_ns in (*range(START_NS, end_ns, 7_777_777), end_ns)
        for delivery in stepped.advance(until_ns)
    ]
    assert pieces == whole


# --- the wire ------------------------------------------------------------------------------------


def slow_digest(market: str, token: str, ms: str, book: Book, facts: dict[str, Any]) -> str:
    """The digest of `market-ws-integrity.md` §2, from dictionaries, sorted as decimals."""
    text = json.dumps(
        {
            "market": market,
            "asset_id": token,
            "timestamp": ms,
            "hash": "",
            "bids": [
                {"price": p, "size": book["BUY"][p]} for p in sorted(book["BUY"], key=Decimal)
            ],
            "asks": [
                {"price": p, "size": book["SELL"][p]}
                for p in sorted(book["SELL"], key=Decimal, reverse=True)
            ],
            **facts,
        },
        separators=(",", ":"),
    )
    return hashlib.sha1(text.encode()).hexdigest()


class SlowVerifier:
    """Applies every object and checks each digest once its group is over."""

    def __init__(self, neg_risk: dict[str, bool]) -> None:
        self.neg_risk = neg_risk
        self.books: dict[str, Book] = {}
        self.ticks: dict[str, str] = {}
        self.last: dict[str, str] = {}
        self.claims: dict[tuple[str, str], tuple[str, str]] = {}
        """Market and token to (timestamp, digest) of the open group."""
        self.verified = 0
        self.groups: Counter[tuple[str, str]] = Counter()

    def take(self, told: dict[str, Any]) -> None:
        market, ms = told["market"], told["timestamp"]
        changes = told.get("price_changes", [])
        for (claimed_market, token), (claimed_ms, _) in list(self.claims.items()):
            if claimed_market == market and claimed_ms != ms:
                self.check(market, token)
        if told["event_type"] == "price_change":
            self.groups[market, ms] += 1
        for change in changes:
            side = self.books[change["asset_id"]][change["side"]]
            side[change["price"]] = change["size"]
            if change["size"] == "0":
                del side[change["price"]]
            self.claims[market, change["asset_id"]] = (ms, change["hash"])
        if told["event_type"] == "book":
            self.take_book(told)
        elif told["event_type"] == "last_trade_price":
            self.last[market] = f"{Decimal(told['price']):.3f}"
        elif told["event_type"] == "tick_size_change":
            self.ticks[told["asset_id"]] = told["new_tick_size"]

    def take_book(self, told: dict[str, Any]) -> None:
        token = told["asset_id"]
        self.books[token] = {
            side: {level["price"]: level["size"] for level in told[name]}
            for side, name in (("BUY", "bids"), ("SELL", "asks"))
        }
        self.ticks[token] = told.get("tick_size", self.ticks.get(token, ""))
        if "last_trade_price" in told:
            self.last[told["market"]] = told["last_trade_price"]
        self.claims[told["market"], token] = (told["timestamp"], told["hash"])

    def check(self, market: str, token: str) -> None:
        ms, claimed = self.claims.pop((market, token))
        facts = {
            "min_order_size": "5",
            "tick_size": self.ticks[token],
            "neg_risk": self.neg_risk[market],
            "last_trade_price": self.last[market],
        }
        assert slow_digest(market, token, ms, self.books[token], facts) == claimed
        self.verified += 1


def test_every_digest_is_that_of_the_book_an_honest_reader_has_built() -> None:
    practice = feed(rate=150.0)
    verifier = SlowVerifier({spec.market: spec.neg_risk for spec in practice.specs()})
    for told in venue_objects(practice.advance(START_NS + 20 * SECOND_NS)):
        if told["event_type"] != "new_market":
            verifier.take(told)
    assert verifier.verified > 1_500
    assert max(verifier.groups.values()) > 1, "expected groups of several frames"


def test_each_change_is_told_for_both_tokens_as_its_mirror() -> None:
    practice = feed()
    tokens = {spec.market: set(spec.tokens) for spec in practice.specs()}
    changes = 0
    for told in venue_objects(practice.advance(START_NS + 10 * SECOND_NS)):
        entries = told.get("price_changes", [])
        for one, other in zip(entries[::2], entries[1::2], strict=True):
            assert {one["asset_id"], other["asset_id"]} == tokens[told["market"]]
            assert Decimal(one["price"]) + Decimal(other["price"]) == 1
            assert one["size"] == other["size"]
            assert {one["side"], other["side"]} == {"BUY", "SELL"}
            assert Decimal(one["best_bid"]) + Decimal(other["best_ask"]) == 1
            changes += 1
    assert changes > 300


def test_nothing_is_crossed_when_no_trouble_is_scripted() -> None:
    for told in venue_objects(feed(rate=300.0).advance(START_NS + 20 * SECOND_NS)):
        for entry in told.get("price_changes", []):
            assert Decimal(entry["best_bid"]) < Decimal(entry["best_ask"])


def test_initial_books_are_compact_with_a_newline_and_later_frames_have_blanks() -> None:
    told = [d.data for d in frames(feed().advance(START_NS + 5 * SECOND_NS))]
    venue = [data for data in told if b'"event_type":"' in data and b'"new_market"' not in data]
    first, later = venue[0], venue[1:]
    assert first.startswith(b'[{"market":"0x')
    assert first.endswith(b"}]\n")
    assert b", " not in first
    assert len(json.loads(first)) == 2 * len(feed().specs())
    assert all(re.search(rb",(?! )", data) is None for data in later)


def test_later_books_name_neither_tick_nor_last_trade() -> None:
    told = list(venue_objects(feed(rate=200.0).advance(START_NS + 10 * SECOND_NS)))
    initial = [book for book in told if book["event_type"] == "book" and "tick_size" in book]
    later = [book for book in told if book["event_type"] == "book" and "tick_size" not in book]
    assert len(initial) == 2 * len(feed().specs())
    assert later
    assert all("last_trade_price" not in book for book in later)


@pytest.mark.parametrize(("markets", "rate"), [(8, 60.0), (8, 600.0), (60, 1_000.0)])
def test_it_makes_about_as_many_messages_as_it_is_asked_for(markets: int, rate: float) -> None:
    practice = PracticeExchange(1, PracticeConfig(markets=markets, rate=rate), START_NS)
    seconds = max(4, int(6_000 / rate))
    delivered = practice.advance(START_NS + seconds * SECOND_NS)
    venue = sum(d.feed is Feed.POLYMARKET for d in frames(delivered))
    assert 0.6 * rate < venue / seconds < 1.7 * rate


@pytest.mark.parametrize(
    ("at_ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (951_782_400 * SECOND_NS, "2000-02-29T00:00:00.000000Z"),
        (1_795_263_403 * SECOND_NS + 123_456_789, "2026-11-21T12:16:43.123456Z"),
    ],
)
def test_times_are_written_in_iso(at_ns: int, text: str) -> None:
    assert iso_text(at_ns) == text


# --- the reference feeds -------------------------------------------------------------------------


def test_trade_ids_have_no_gap_and_ticker_and_match_name_opposite_sides() -> None:
    told = objects_of(Feed.COINBASE, feed().advance(START_NS + 30 * SECOND_NS))
    matches = [m for m in told if m["type"] == "match"]
    tickers = [t for t in told if t["type"] == "ticker"]
    ids = [match["trade_id"] for match in matches]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert told[1]["type"] == "last_match"
    assert told[1]["trade_id"] == ids[0] - 1
    for match, ticker in zip(matches, tickers, strict=True):
        assert match["sequence"] == ticker["sequence"]
        assert {match["side"], ticker["side"]} == {"buy", "sell"}
        assert Decimal(ticker["best_bid"]) < Decimal(ticker["best_ask"])


def test_the_index_tells_every_second_once_and_more_than_a_second_late() -> None:
    delivered = [
        d for d in frames(feed().advance(START_NS + 30 * SECOND_NS)) if d.feed is Feed.CHAINLINK
    ]
    backlog, *updates = [json.loads(d.data) for d in delivered]
    assert backlog["type"] == "subscribe"
    seconds = [update["payload"]["timestamp"] // 1_000 for update in updates]
    assert seconds == list(range(seconds[0], seconds[0] + len(seconds)))
    for delivery, update in zip(delivered[1:], updates, strict=True):
        assert delivery.at_ns - update["payload"]["timestamp"] * 1_000_000 > SECOND_NS
        exact = Decimal(update["payload"]["full_accuracy_value"]) / 10**18
        assert float(exact) == update["payload"]["value"]


def test_binance_is_heard_only_where_it_was_asked_for() -> None:
    assert not objects_of(Feed.BINANCE, feed().advance(START_NS + SECOND_NS))
    feeds = (Feed.COINBASE, Feed.BINANCE, Feed.CHAINLINK)
    practice = PracticeExchange(1, PracticeConfig(), START_NS, feeds=feeds)
    streams = Counter(
        told["stream"]
        for told in objects_of(Feed.BINANCE, practice.advance(START_NS + 5 * SECOND_NS))
    )
    assert streams["btcusdt@bookTicker"] > 20
    assert streams["btcusdt@aggTrade"] > 5


# --- what the shell asks -------------------------------------------------------------------------


def test_a_resubscription_brings_a_fresh_initial_book_of_that_market_alone() -> None:
    practice = quiet()
    practice.advance(START_NS + SECOND_NS)
    spec = practice.specs()[0]
    practice.resubscribe(spec.market, START_NS + SECOND_NS)
    told = venue_objects(practice.advance(START_NS + SECOND_NS + 50_000_000))
    books = [book for book in told if "tick_size" in book]
    assert [book["asset_id"] for book in books] == list(spec.tokens)


def test_a_resubscription_to_an_unknown_market_is_silent() -> None:
    practice = quiet()
    practice.advance(START_NS + SECOND_NS)
    practice.resubscribe("0xnone", START_NS + SECOND_NS)
    told = venue_objects(practice.advance(START_NS + SECOND_NS + 50_000_000))
    assert not [book for book in told if "tick_size" in book]


def test_a_witness_agrees_with_the_stream() -> None:
    practice = quiet()
    first = next(book for book in venue_objects(practice.advance(START_NS + 45_000_000)))
    body = practice.witness(first["market"], first["asset_id"])
    assert body is not None
    assert json.loads(body)["hash"] == first["hash"]
    assert practice.witness(first["market"], "1") is None
    assert practice.witness("0xnone", first["asset_id"]) is None


def test_a_dropped_connection_opens_again_with_fresh_books() -> None:
    practice = feed(rate=10.0)
    practice.advance(START_NS + SECOND_NS)
    practice.reconnect(0, START_NS + SECOND_NS)
    kinds = [d.kind for d in practice.advance(START_NS + 5 * SECOND_NS) if d.conn_slot == 0]
    closed, opened = kinds.index(DeliveryKind.CLOSED), kinds.index(DeliveryKind.OPENED)
    assert kinds[:closed].count(DeliveryKind.FRAME) < 5
    assert kinds[closed + 1] is DeliveryKind.OPENED
    assert kinds[opened + 1] is DeliveryKind.SUBSCRIBED
    assert kinds[opened + 2] is DeliveryKind.FRAME


# --- the rolling markets -------------------------------------------------------------------------


def test_the_next_window_is_listed_before_the_last_one_resolves() -> None:
    practice = feed(rate=20.0)
    first = next(spec for spec in practice.specs() if spec.outcomes == ("Up", "Down"))
    delivered = practice.advance(START_NS + 270 * SECOND_NS)
    listed = dict.fromkeys(
        d.spec.slug for d in delivered if d.spec is not None and d.spec.outcomes[0] == "Up"
    )
    told = list(venue_objects(delivered))
    resolved = [o for o in told if o["event_type"] == "market_resolved"]
    assert list(listed) == [
        "btc-updown-5m-1794999900",
        "btc-updown-5m-1795000200",
        "btc-updown-5m-1795000500",
    ]
    assert [o["market"] for o in resolved] == [first.market]
    assert resolved[0]["winning_asset_id"] in first.tokens
    assert first not in practice.specs()
    last = max(n for n, o in enumerate(told) if o.get("market") == first.market)
    assert told[last]["event_type"] == "market_resolved"


def test_a_window_that_ended_is_relisted_as_closed_before_it_resolves() -> None:
    practice = feed(rate=20.0)
    delivered = practice.advance(START_NS + 205 * SECOND_NS)
    specs = [d.spec for d in delivered if d.spec is not None]
    ended = [spec for spec in specs if spec.slug == "btc-updown-5m-1794999900"]
    assert [spec.accepting for spec in ended] == [True, False]


# --- against the engine --------------------------------------------------------------------------


@pytest.mark.timeout(20)
def test_the_engine_verifies_every_book_of_a_quiet_feed() -> None:
    rig = Rig(feed(rate=120.0))
    rig.run(60)
    qualities = [tracked.quality for tracked in rig.engine.desk.markets.values()]
    assert {quality.state for quality in qualities} == {BookState.SYNCED}
    assert sum(quality.bad for quality in qualities) == 0
    assert sum(quality.ok for quality in qualities) > 3_000
    assert rig.engine.desk.incidents.total == 0
    assert rig.events["WireFault"] == rig.events["WireIgnored"] == 0
    assert rig.commands["Resync"] == rig.commands["Reconnect"] == 0


@pytest.mark.timeout(40)
def test_the_tour_shows_every_state_and_heals() -> None:
    rig = Rig(feed(rate=60.0, faults=True))
    rig.run(295)
    seen = {view.incident for view in rig.engine.desk.incidents.views({})}
    assert {state for _, state in rig.states} == set(BookState)
    assert {
        Incident.DIGEST_MISMATCH,
        Incident.TOP_MISMATCH,
        Incident.OUT_OF_ORDER,
        Incident.BOX_BELOW_PAR,
    } <= seen
    assert rig.events["TickChanged"] >= 2
    assert rig.events["ConnClosed"] >= 1
    assert rig.commands["Resync"] >= 1
    gaps = {view.feed: view.gaps for view in rig.engine.reference.feed_views()}
    assert gaps[Feed.COINBASE] >= 1
    live = [t for t in rig.engine.desk.markets.values() if t.spec.market in rig.markets()]
    assert {tracked.quality.state for tracked in live} == {BookState.SYNCED}
