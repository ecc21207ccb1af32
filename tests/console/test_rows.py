"""What the tables say of a view, without an app."""

import pytest
from msgspec.structs import replace

from polytui.engine.core.enums import BookState, Reason, Verdict
from polytui.screens import rows, why_rows
from polytui.screens.decisions import fold_lines, incident_lines
from polytui.screens.reasons import MEANING, VERDICT_MEANING
from polytui.screens.times import TimeBase, Times
from polytui.widgets.live_table import Row
from polytui.widgets.quality_strip import quality_lines
from tests.console import views

TIMES = Times(now_ns=views.NOW, wall_ahead_ns=0)
UTC = Times(now_ns=views.NOW, wall_ahead_ns=0, base=TimeBase.UTC)


def cell(row: Row, key: str) -> str:
    at = [column.key for column in rows.market_columns(TimeBase.AGE)].index(key)
    return row.cells[at][0]


def test_a_market_shows_prices_at_its_tick_and_the_spread_in_ticks() -> None:
    row = rows.market_row(views.market_row(0, "A title"), TIMES)
    assert [cell(row, key) for key in ("bid", "ask", "spread", "age")] == [
        *(".181", ".182", "1", "84ms"),
    ]


def test_a_market_without_a_book_shows_no_number() -> None:
    row = rows.market_row(views.market_rows()[11], TIMES)
    wanted = ("bid", "ask", "spread", "bidqty", "askqty", "imb", "last", "age", "margin")
    assert {cell(row, key) for key in wanted} == {"-"}
    assert cell(row, "why") == "no_snapshot"


def test_a_stale_market_says_so_in_a_word_and_a_mark() -> None:
    row = rows.market_row(views.market_rows()[5], TIMES)
    assert row.stale
    assert cell(row, "state") == "~ stale"
    assert cell(row, "age") == "19s"


def test_each_reason_not_to_use_a_book_beats_what_a_strategy_said() -> None:
    market = replace(views.market_row(0, "x"), state=BookState.SUSPECT, reason=Reason.CROSSED)
    assert cell(rows.market_row(market, TIMES), "why") == "crossed"


def test_a_market_without_a_title_is_named_by_its_id() -> None:
    row = rows.market_row(views.market_row(0, "\u200b"), TIMES)
    assert cell(row, "market").startswith("0x9e37")


def test_times_can_be_read_as_utc() -> None:
    row = rows.market_row(views.market_row(0, "x"), UTC)
    assert cell(row, "age") == "14:02:10"
    assert UTC.text(None) == "-"


def test_every_table_row_has_a_cell_for_each_column() -> None:
    decisions = views.decisions()
    pairs = [
        (rows.market_columns(TimeBase.AGE), rows.market_row(views.market_row(0, "x"), TIMES)),
        (rows.PICKER_COLUMNS, rows.picker_row(views.market_row(0, "x"), TIMES)),
        (rows.STRATEGY_COLUMNS, rows.strategy_row("box", decisions, paused=False)),
        (rows.FEED_COLUMNS, rows.feed_row(views.STATUS.feeds[0], TIMES)),
        (rows.MODULE_COLUMNS, rows.module_row(views.MODULES.rows[0], TIMES)),
        (why_rows.FOLD_COLUMNS, why_rows.fold_row(decisions.folds[0], TIMES)),
        (
            why_rows.decision_columns(TimeBase.AGE),
            why_rows.decision_row(decisions.recent[0], TIMES),
        ),
        (why_rows.INCIDENT_COLUMNS, why_rows.incident_row(decisions.incidents[0], TIMES)),
    ]
    for columns, row in pairs:
        assert len(columns) == len(row.cells)


def test_a_strategy_is_summed_up_by_what_became_of_its_looks() -> None:
    row = rows.strategy_row("box", views.decisions(), paused=True)
    texts = [text for text, _ in row.cells]
    assert texts[1] == "PAUSED"
    assert texts[3:] == ["1", "1", "14", "+.0006"]
    nobody = rows.strategy_row("other", None, paused=False)
    assert [text for text, _ in nobody.cells][-1] == "-"


def test_the_nearest_miss_comes_first_and_blocks_come_last() -> None:
    ordered = why_rows.nearest_first(views.folds())
    assert [fold.verdict for fold in ordered[-2:]] == [Verdict.BLOCKED] * 2
    margins = [fold.best_margin_u6 for fold in ordered[:-2]]
    assert margins == sorted(margins, reverse=True)


def test_a_hold_is_explained_with_what_was_missing() -> None:
    fold = next(f for f in views.folds() if f.row.reason is Reason.EDGE_BELOW_BUFFER)
    text = "\n".join("".join(part for part, _ in line) for line in fold_lines(fold, TIMES, 60))
    for fact in ("measured", "-.0001", "needed", ".0020", "-.0021", "nearest", "900 times"):
        assert fact in text


def test_a_block_is_explained_without_a_number_it_does_not_have() -> None:
    fold = next(f for f in views.folds() if f.verdict is Verdict.BLOCKED)
    text = "\n".join("".join(part for part, _ in line) for line in fold_lines(fold, TIMES, 60))
    assert "measured" not in text
    assert "digest" in text


@pytest.mark.parametrize("word", ["gating", "observing"])
def test_the_quality_strip_says_whether_digests_gate(word: str) -> None:
    book = replace(views.book(0), digest_gating=word == "gating")
    lines = quality_lines(book, TIMES.ago)
    text = "\n".join("".join(part for part, _ in line) for line in lines)
    assert word in text
    assert "ok 12812  rec 3  bad 0" in text


def test_every_reason_and_verdict_has_a_sentence() -> None:
    assert set(MEANING) == set(Reason)
    assert set(VERDICT_MEANING) == set(Verdict)


def test_an_incident_is_told_with_its_detail() -> None:
    lines = incident_lines(views.decisions().incidents[1], TIMES, 40)
    assert (("asks sum to 0.9966", "dim"),) in lines
