"""Damage a tape in any way: what strategies are shown is always a state the venue really had."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polytui.engine.core.decision import Decision
from polytui.engine.core.enums import Feed, Proof, Reason, Verdict
from polytui.engine.core.events import ConnClosed, ConnOpened
from polytui.engine.core.runconfig import BoxConfig, RunConfig
from polytui.engine.market.snapshot import MarketSnapshot
from polytui.engine.strategy.api import Strategy
from tests.support.floor import CONN, Floor
from tests.support.recordings import DERIVED, Line, base_of, deliver, read, specs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

LINES = 160
"""Length of a stretch that is edited."""

State = tuple[int, tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...], int]


class Witness:
    """A strategy that only writes down what it is shown."""

    def __init__(self) -> None:
        self.seen: list[MarketSnapshot] = []

    def propose(self, snap: MarketSnapshot, memory: Any) -> tuple[Decision, Any]:
        self.seen.append(snap)
        hold = Decision(
            strategy="witness", market=snap.spec.market, snapshot=snap.id, at_ns=snap.at_ns,
            verdict=Verdict.HOLD, reason=Reason.OK, score_u6=0, threshold_u6=0,
        )  # fmt: skip
        return hold, memory


def state(snap: MarketSnapshot) -> State:
    return (snap.venue_ms, snap.yes_px, snap.yes_qty, snap.no_px, snap.no_qty, snap.tick_u6)


def run(lines: list[Line], known: list[Line]) -> tuple[Floor, list[MarketSnapshot]]:
    floor = Floor(RunConfig(box=BoxConfig(depth_levels=100)), *specs(known))
    witness = Witness()
    floor.engine.strategies = (Strategy(id="witness", tier=0, propose=witness.propose),)
    base_ns = base_of(floor, known)
    for line in lines:
        deliver(floor, line, base_ns)
    floor.wait(1000)
    return floor, witness.seen


@pytest.fixture(scope="module")
def stretches(shared_data: Path) -> list[list[Line]]:
    """Two stretches of one market: its beginning, and from a checkpoint over its tick change."""
    lines = read(shared_data / DERIVED)
    market = [line for line in lines if line.slug == lines[0].slug]
    tick = next(i for i, line in enumerate(market) if b"tick_size_change" in bytes(line.raw))
    books = [i for i, line in enumerate(market[:tick]) if b'"bids"' in bytes(line.raw)]
    return [market[:LINES], market[books[-2] : tick + LINES // 2]]


EDIT = st.tuples(
    st.sampled_from(["drop", "repeat", "swap", "corrupt", "delay"]),
    st.integers(0, 10 * LINES),
    st.integers(1, 40),
    st.binary(min_size=1, max_size=3),
)


def edited(lines: list[Line], edits: list[tuple[str, int, int, bytes]]) -> list[Line]:
    out = list(lines)
    for kind, place, far, noise in edits:
        at = place % len(out)
        if kind == "drop":
            del out[at]
        elif kind == "repeat":
            out.insert(min(at + far, len(out)), out[at])
        elif kind == "swap":
            other = (at + 1) % len(out)
            out[at], out[other] = out[other], out[at]
        elif kind == "delay":
            out.insert(min(at + far, len(out) - 1), out.pop(at))
        elif kind == "corrupt":
            raw = bytearray(bytes(out[at].raw))
            spot = (place * 7919 + far * 104_729) % len(raw)
            raw[spot : spot + len(noise)] = noise
            out[at] = Line(t_ms=out[at].t_ms, slug=out[at].slug, raw=msgspec.Raw(bytes(raw)))
    return out


@pytest.fixture(scope="module")
def truths(stretches: list[list[Line]]) -> list[set[State]]:
    """All states each stretch really goes through."""
    return [{state(snap) for snap in run(lines, lines)[1]} for lines in stretches]


@given(edits=st.lists(EDIT, min_size=1, max_size=4))
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_edit_of_a_tape_shows_a_strategy_a_book_that_never_was(
    stretches: list[list[Line]],
    truths: list[set[State]],
    edits: list[tuple[str, int, int, bytes]],
) -> None:
    for lines, real in zip(stretches, truths, strict=True):
        _, shown = run(edited(lines, edits), lines)
        for snap in shown:
            assert snap.proof is Proof.DIGEST
            assert state(snap) in real


def test_the_unedited_tape_is_shown_after_every_change(stretches: list[list[Line]]) -> None:
    """The property above would hold for an engine that shows nothing: this one shows all."""
    for lines in stretches:
        _, shown = run(lines, lines)
        changes = sum(b"price_changes" in bytes(line.raw) for line in lines)
        assert len(shown) >= changes > LINES // 5


@pytest.mark.parametrize("at", [1, 20, 50])
def test_dropping_any_change_is_noticed_and_counted(stretches: list[list[Line]], at: int) -> None:
    lines = stretches[0]
    places = [i for i, line in enumerate(lines) if b"price_changes" in bytes(line.raw)]
    del (cut := list(lines))[places[at]]
    floor, _ = run(cut, lines)
    assert floor.tracked.quality.bad > 0


def test_after_a_reconnect_nothing_is_shown_until_a_snapshot(stretches: list[list[Line]]) -> None:
    lines = stretches[0]
    floor, _ = run(lines[:50], lines)
    floor.feed(
        ConnClosed(conn=CONN, feed=Feed.POLYMARKET, why="test"),
        ConnOpened(conn=CONN, feed=Feed.POLYMARKET, url="test"),
    )
    before = floor.engine.record.by_verdict[Verdict.HOLD]
    base_ns = floor.now_ns - lines[50].at_ns
    for line in lines[50:80]:
        if b'"bids"' not in bytes(line.raw):
            deliver(floor, line, base_ns)
    assert floor.engine.record.by_verdict[Verdict.HOLD] == before
