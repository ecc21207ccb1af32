from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from polytui.engine.core.view import LevelView, TokenBookView
from polytui.widgets.ladder import bar, ladder_lines, middle
from polytui.widgets.lines import Line, line_cells
from polytui.widgets.tape import tape_lines
from tests.console import views

BOOK = views.book(0).yes


def text(line: Line) -> str:
    return "".join(part for part, _ in line)


@given(st.floats(0, 1), st.integers(0, 20))
def test_a_bar_takes_its_width(share: float, width: int) -> None:
    assert len(bar(share, width, leftward=True)) == width
    assert len(bar(share, width, leftward=False)) == width


def test_the_middle_row_stays_where_it_is() -> None:
    thin = replace(BOOK, asks=BOOK.asks[:1], bids=BOOK.bids[:2])
    places = {
        next(y for y, line in enumerate(ladder_lines(book, 1_000, 44, 21)) if "─" in text(line))
        for book in (BOOK, thin)
    }
    assert len(places) == 1


def test_asks_lie_above_and_bids_below_best_nearest_the_middle() -> None:
    lines = [text(line) for line in ladder_lines(BOOK, 1_000, 44, 9)]
    assert len(lines) == 9
    prices = [line.split() for line in lines if "─" not in line][1:]
    assert [next(w for w in words if w.startswith(".")) for words in prices] == [
        ".184",
        ".183",
        ".182",
        ".181",
        ".180",
        ".179",
        ".177",
    ]


def test_every_row_is_as_wide_as_its_panel() -> None:
    for width in range(12, 80):
        assert {line_cells(line) for line in ladder_lines(BOOK, 100, width, 20)} == {width}


def test_a_missing_or_crossed_side_is_said_in_words() -> None:
    nothing = TokenBookView(token="1", outcome="Yes", bids=(), asks=())
    level = LevelView(px_u6=500_000, qty_u6=1, cum_u6=1)
    assert "no bids, no asks" in text(middle(nothing, 1_000, 44))
    assert "one side is empty" in text(middle(replace(nothing, bids=(level,)), 1_000, 44))
    crossed = replace(nothing, bids=(level,), asks=(replace(level, px_u6=498_000),))
    assert "CROSSED by 2 ticks" in text(middle(crossed, 1_000, 44))


def test_the_tape_says_who_took_and_never_guesses() -> None:
    trade = replace(views.book(0).trades[0], side="", qty_u6=None)
    lines = tape_lines((trade,), 1_000, lambda _: "1.2s", width=44, height=5)
    assert text(lines[1]).split() == ["1.2s", "?", ".182", "-", "Yes"]
