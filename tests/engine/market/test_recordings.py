"""The recorded tapes: every digest, every row of the truth file, and no box anywhere."""

import csv
import gzip
from pathlib import Path

import pytest

from polytui.engine.core.enums import BookState, Incident, Reason, Verdict
from polytui.engine.core.units import U, parse_u6
from polytui.engine.market.tracked import Tracked
from tests.support.floor import Floor
from tests.support.recordings import DERIVED, RAW, TRUTH, base_of, deliver, floor_for, read

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def replay(path: Path) -> Floor:
    lines = read(path)
    floor = floor_for(lines)
    base_ns = base_of(floor, lines)
    for line in lines:
        deliver(floor, line, base_ns)
    floor.wait(1000)
    return floor


def check_no_box(floor: Floor) -> None:
    record = floor.engine.record
    assert record.by_verdict[Verdict.INTENT] == record.by_verdict[Verdict.REFUSED] == 0
    assert record.by_verdict[Verdict.HOLD] > 10_000
    assert all(fold.best.margin_u6 < 0 for fold in record.folds.values() if fold.best.score_u6)
    assert floor.engine.desk.incidents.count(Incident.BOX_BELOW_PAR) == 0


def test_all_46757_digests_of_the_raw_tape_verify(shared_data: Path) -> None:
    floor = replay(shared_data / RAW)
    qualities = [tracked.quality for tracked in floor.engine.desk.markets.values()]
    assert sum(q.ok + q.recovered for q in qualities) == 46_757
    assert sum(q.bad for q in qualities) == 0
    assert all(q.state is BookState.SYNCED for q in qualities)
    check_no_box(floor)


def shown(tracked: Tracked) -> tuple[str, ...]:
    """Write the state the way the truth file does, as numbers."""
    yes, no = tracked.book.yes, tracked.book.no
    return tuple(
        str(value)
        for value in (
            yes.best_u6(),
            U - no.best_u6(),
            yes.qty[-1] if yes.qty else 0,
            no.qty[-1] if no.qty else 0,
            len(yes),
            len(no),
            tracked.book.tick_u6,
        )
    )


def told(row: dict[str, str]) -> tuple[str, ...]:
    """Read a truth row into the same terms: absent sides are empty."""
    return (
        str(parse_u6(row["bid_p"] or "0")),
        str(parse_u6(row["ask_p"] or "1")),
        str(parse_u6(row["bid_sz"] or "0")),
        str(parse_u6(row["ask_sz"] or "0")),
        row["n_bid"],
        row["n_ask"],
        str(parse_u6(row["tick"])),
    )


def test_all_32766_digests_and_every_truth_row_of_the_derived_tape_agree(
    shared_data: Path,
) -> None:
    lines = read(shared_data / DERIVED)
    floor = floor_for(lines)
    base_ns = base_of(floor, lines)
    markets = {tracked.spec.slug: tracked for tracked in floor.engine.desk.markets.values()}
    with gzip.open(shared_data / TRUTH, "rt") as text:
        rows = list(csv.DictReader(text))
    assert len(rows) == 17_516
    waiting = iter(lines)
    line = next(waiting, None)
    for row in rows:
        at_ns = int(row["t_ms"].replace(".", "").ljust(19, "0"))
        while line is not None and (line.slug, line.at_ns) <= (row["slug"], at_ns):
            deliver(floor, line, base_ns)
            line = next(waiting, None)
        tracked = markets[row["slug"]]
        assert shown(tracked) == told(row), row
        assert tracked.book.last_trade == row["market_ltp"]
    assert line is None
    qualities = [tracked.quality for tracked in floor.engine.desk.markets.values()]
    assert sum(q.ok + q.recovered for q in qualities) == 32_766
    assert sum(q.bad for q in qualities) == 0
    assert sum(tracked.superseded for tracked in floor.engine.desk.markets.values()) == 0
    check_no_box(floor)
    blocked = [
        fold
        for (_, _, reason), fold in floor.engine.record.folds.items()
        if reason is Reason.TICK_CHANGED
    ]
    assert len(blocked) == 1, "one market changed its tick, and was not shown meanwhile"
